"""The risk page: factors, tail, stress, greeks, correlation, volatility, and the conventions behind the numbers."""

from sigmalib.desk import pages
from sigmalib.views.page import serve
from sigmalib.views.riskpage import RiskViewer


def risk() -> RiskViewer:
    """A viewer on the kept books; what was computed for one session is shared by all."""
    first, last = pages.session_bounds()
    return RiskViewer(
        open_book=pages.cached_book,
        books=pages.book_names(),
        first=first,
        last=last,
        stale=pages.staleness(),
        doubts=pages.doubts,
        look_back=pages.looked_back,
        grid=pages.moves_grid,
        worst=pages.worst_plausible,
        chain=pages.option_chain,
    )


serve("Risk", risk)

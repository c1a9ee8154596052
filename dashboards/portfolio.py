"""The portfolio page: what we hold, what it is exposed to, how it has done, and what it can lose."""

from sigmalib.desk.pages import book_names, cached_book, doubts, session_bounds, staleness
from sigmalib.views.page import serve
from sigmalib.views.viewers import PortfolioViewer


def portfolio() -> PortfolioViewer:
    """A viewer on the kept books; books that were opened before are shared by all sessions."""
    first, last = session_bounds()
    return PortfolioViewer(
        open_book=cached_book, books=book_names(), first=first, last=last, stale=staleness(), doubts=doubts
    )


serve("Portfolio", portfolio)

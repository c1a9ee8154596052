"""Rolling windows: Sharpe ratio, volatility, beta, maximum drawdown and value at risk of the last so many periods.

``returns`` is a frame (one asset a column), a Series, or an array of one or two dimensions (period x asset), fractions
in time order; each result has the same shape and labels. A cell is NaN until its window is full and while an unknown
return (NaN, infinite) is inside it, whatever came before. No sum runs for more than 512 windows, and a cell whose
variance is small beside what ran through the sums is computed from its window alone, so nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from sigmalib.core.compiled import Later
from sigmalib.core.errors import InputError
from sigmalib.core.levels import TOLERANCE, checked
from sigmalib.portfolio.panels import Assets, by_chunks, read_only
from sigmalib.portfolio.returns import PERIODS_PER_YEAR, Floats, Panel, yearly

LOOPS = Later("sigmalib.core.rolling")


@dataclass(frozen=True, eq=False)
class Rolling:
    """Rolling statistics, each a table of the kind that was given; ``beta`` is None without a benchmark."""

    sharpe: Any
    volatility: Any
    beta: Any
    window: int
    periods_per_year: float

    def to_dict(self) -> dict[str, Any]:
        """The tables by name, and the conventions they follow."""
        tables = {"sharpe": self.sharpe, "volatility": self.volatility, "beta": self.beta}
        return tables | {"window": self.window, "periods_per_year": self.periods_per_year, "ddof": 1}


def rolling_statistics(
    returns: Panel,
    benchmark: Panel | None = None,
    window: int = 63,
    *,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: float = PERIODS_PER_YEAR,
) -> Rolling:
    """Sharpe ratio, volatility (both a year, ddof 1) and beta of each window, in one pass.

    benchmark : (period,), aligned by date where both have dates; beta is NaN while the benchmark is unknown in the
    window or does not move. risk_free : annual effective, a number or a Series by date. window : at least 2 periods. A
    deviation up to 1e-12 of the window's largest return is none: the volatility is 0, the Sharpe ratio NaN. Raises
    InputError. Source: DEFINITIONS 4; Sharpe (1994).

    >>> found = rolling_statistics([0.02, -0.01, 0.03, 0.01], [0.01, -0.01, 0.02, 0.01], 3, periods_per_year=12)
    >>> found.sharpe.round(4).tolist(), found.beta.round(4).tolist()
    ([nan, nan, 2.2188, 1.7321], [nan, nan, 1.3571, 1.2857])
    """
    assets, window = Assets.of(returns), _whole(window, at_least=2)
    rates = assets.rates(risk_free, periods_per_year)
    market = np.full(len(rates), np.nan) if benchmark is None else assets.beside(benchmark)[0]
    per_year = yearly(periods_per_year)
    if len(rates) and np.ptp(rates) == 0.0:
        sharpe, volatility, beta = _moments(assets, market, window, float(rates[0]), per_year)
    else:
        _, volatility, _ = _moments(assets, market, window, 0.0, per_year)
        sharpe, _, beta = _moments(assets.less(rates), market - rates, window, 0.0, per_year)
    tables = assets.like(sharpe), assets.like(volatility), None if benchmark is None else assets.like(beta)
    return Rolling(*tables, window, periods_per_year)


def rolling_sharpe(
    returns: Panel,
    window: int = 63,
    *,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: float = PERIODS_PER_YEAR,
) -> Any:
    """The Sharpe ratio a year of each window, see ``rolling_statistics``.

    >>> rolling_sharpe([0.02, -0.01, 0.03, 0.01], 3, periods_per_year=12).round(4).tolist()
    [nan, nan, 2.2188, 1.7321]
    """
    found = rolling_statistics(returns, None, window, risk_free=risk_free, periods_per_year=periods_per_year)
    return found.sharpe


def rolling_volatility(returns: Panel, window: int = 63, *, periods_per_year: float = PERIODS_PER_YEAR) -> Any:
    """The volatility a year (ddof 1) of each window, see ``rolling_statistics``.

    >>> rolling_volatility([0.02, -0.01, 0.03, 0.01], 3, periods_per_year=12).round(4).tolist()
    [nan, nan, 0.0721, 0.0693]
    """
    return rolling_statistics(returns, None, window, periods_per_year=periods_per_year).volatility


def rolling_beta(
    returns: Panel,
    benchmark: Panel,
    window: int = 63,
    *,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: float = PERIODS_PER_YEAR,
) -> Any:
    """The beta to a benchmark of each window, see ``rolling_statistics``.

    >>> rolling_beta([0.02, -0.01, 0.03, 0.01], [0.01, -0.01, 0.02, 0.01], 3).round(4).tolist()
    [nan, nan, 1.3571, 1.2857]
    """
    found = rolling_statistics(returns, benchmark, window, risk_free=risk_free, periods_per_year=periods_per_year)
    return found.beta


def rolling_drawdown(returns: Panel, window: int = 252) -> Any:
    """The largest loss from a peak inside each window, its starting wealth included: a positive fraction, exact.

    1 when all was lost in the window; NaN while a return below -1 is inside it, too. Source: DEFINITIONS 4.

    >>> rolling_drawdown([-0.10, 0.05, -0.20, 0.01], 2).round(4).tolist()
    [nan, 0.1, 0.2, 0.2]
    """
    assets, window = Assets.of(returns), _whole(window, at_least=1)
    found = _blank(assets, window)[0]
    if window <= found.shape[1]:
        by_chunks(lambda first, last: LOOPS.drawdown(assets.values, window, first, last, found), len(found))
    return assets.like(found)


def rolling_value_at_risk(
    returns: Panel, window: int = 252, *, level: float = 0.95, method: Literal["historical", "linear"] = "historical"
) -> Any:
    """The loss of one period not exceeded in a share ``level`` of each window: positive for a loss, exact.

    method : "historical" is the k-th worst return, k = ceil(window (1 - level)); "linear" interpolates between order
    statistics (Hyndman and Fan, 1996, type 7: the default of NumPy and pandas). Source: DEFINITIONS 1.

    >>> rolling_value_at_risk([-0.03, 0.01, -0.02, 0.02, -0.01], 4, level=0.75).tolist()
    [nan, nan, nan, 0.03, 0.02]
    """
    assets, window, tail = Assets.of(returns), _whole(window, at_least=1), 1.0 - checked(level)
    if method not in ("historical", "linear"):
        raise InputError(f"`method` must be 'historical' or 'linear', was {method!r}")
    place = tail * (window - 1) if method == "linear" else max(1.0, np.ceil(window * tail - TOLERANCE)) - 1.0
    rank, found = int(place), _blank(assets, window)[0]
    if window <= found.shape[1]:
        by_chunks(
            lambda first, last: LOOPS.quantile(assets.values, window, rank, place - rank, first, last, found),
            len(found),
        )
    return assets.like(np.subtract(0.0, found, out=found))


def _moments(
    assets: Assets, market: Floats, window: int, rate: float, per_year: float
) -> tuple[Floats, Floats, Floats]:
    """Sharpe ratio over a rate a period, volatility and beta (asset x period each)."""
    sharpe, volatility, beta = _blank(assets, window, 3)
    bench, root = read_only(market), float(np.sqrt(per_year))

    def work(first: int, last: int) -> None:
        LOOPS.statistics(assets.values, bench, window, rate, root, first, last, sharpe, volatility, beta)

    if window <= sharpe.shape[1]:
        with np.errstate(all="ignore"):
            by_chunks(work, len(sharpe))
    return sharpe, volatility, beta


def _blank(assets: Assets, window: int, tables: int = 1) -> Floats:
    """Room for results, (table x asset x period): the loops fill all of it, or no window is ever full."""
    shape = tables, *assets.values.shape
    return np.full(shape, np.nan) if window > shape[-1] else np.empty(shape)


def _whole(window: int, *, at_least: int) -> int:
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < at_least:
        raise InputError(f"`window` must be a whole number of at least {at_least} periods, was {window!r}")
    return int(window)

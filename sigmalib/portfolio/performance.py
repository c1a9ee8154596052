"""Performance: ratios of a series of simple returns, one a period.

``returns`` is a Series, array or list of fractions in time order without NaN; ``periods_per_year`` is 252 for daily,
52 for weekly, 12 for monthly returns. ``risk_free`` and ``minimum_acceptable_return`` are annual and per-period
fractions respectively. A ratio whose denominator vanishes is NaN. Source: Bacon, *Practical Portfolio Performance
Measurement and Attribution* (2008); Sharpe (1994); Sortino and Price (1994).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.times import sessions

Returns = pd.Series | npt.ArrayLike
Floats = npt.NDArray[np.float64]
Rate = TypeVar("Rate", float, Floats, pd.Series)

PERIODS_PER_YEAR = 252
NEGLIGIBLE = 1e-12


def sharpe_ratio(
    returns: Returns, *, risk_free: float | pd.Series = 0.0, periods_per_year: int = PERIODS_PER_YEAR
) -> float:
    """Annualised mean excess return over its sample deviation (ddof 1); ``risk_free`` is annual effective.

    A Series of rates is aligned with the returns by date.

    >>> round(sharpe_ratio([0.01, -0.01, 0.02], periods_per_year=12), 4)
    1.5119
    """
    excess = _checked(returns) - _free(returns, risk_free, periods_per_year)
    return _ratio(_mean(excess), _deviation(excess)) * float(np.sqrt(periods_per_year))


def sortino_ratio(
    returns: Returns, *, minimum_acceptable_return: float = 0.0, periods_per_year: int = PERIODS_PER_YEAR
) -> float:
    """Annualised mean excess over downside deviation, both against a minimum return a period; mean over all periods."""
    excess = _checked(returns) - minimum_acceptable_return
    downside = float(np.sqrt(_mean(np.minimum(excess, 0.0) ** 2)))
    return _ratio(_mean(excess), downside) * float(np.sqrt(periods_per_year))


def annualised_volatility(returns: Returns, *, periods_per_year: int = PERIODS_PER_YEAR) -> float:
    """Sample standard deviation (ddof 1) of the returns x sqrt(periods a year); NaN with fewer than two."""
    return _deviation(_checked(returns)) * float(np.sqrt(periods_per_year))


def cagr(returns: Returns, *, periods_per_year: int = PERIODS_PER_YEAR) -> float:
    """Compound annual growth rate by periods: final wealth ** (periods a year / n) - 1; NaN when wealth is lost."""
    values = _checked(returns)
    if len(values) == 0 or (values <= -1.0).any():
        return float("nan")
    return float(np.prod(1.0 + values)) ** (periods_per_year / len(values)) - 1.0


def drawdown(returns: Returns) -> pd.Series:
    """Loss from the highest wealth so far after each period, <= 0, the starting wealth of 1 included."""
    wealth = np.cumprod(1.0 + _checked(returns))
    peak = np.maximum.accumulate(np.concatenate(([1.0], wealth)))[1:]
    return pd.Series(wealth / peak - 1.0, index=returns.index if isinstance(returns, pd.Series) else None)


def max_drawdown(returns: Returns) -> float:
    """Largest loss from a peak of compounded wealth, a positive fraction; NaN without returns or when wealth is lost.

    >>> round(max_drawdown([0.10, -0.20, 0.05]), 6)
    0.2
    """
    values = _checked(returns)
    if len(values) == 0 or (values <= -1.0).any():
        return float("nan")
    return max(0.0, float(-drawdown(values).min()))


def calmar_ratio(returns: Returns, *, periods_per_year: int = PERIODS_PER_YEAR) -> float:
    """CAGR over maximum drawdown, both since the first return (Young, 1991)."""
    return _ratio(cagr(returns, periods_per_year=periods_per_year), max_drawdown(returns))


def beta(
    returns: Returns,
    benchmark: Returns,
    *,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: int = PERIODS_PER_YEAR,
) -> float:
    """Slope of the excess returns on the benchmark's, by ordinary least squares; NaN when the benchmark never moves.

    Two Series are aligned on the dates they share; other kinds must be of equal length. ``risk_free`` is an annual
    effective fraction, or a Series of them by date.
    """
    own, market, free = _aligned(returns, benchmark, risk_free, periods_per_year)
    if len(own) < 2:
        return float("nan")
    own, market = own - free, market - free
    centred = market - market.mean()
    spread = _deviation(market)
    return float("nan") if not spread > 0 else float(centred @ (own - own.mean()) / (centred @ centred))


def of_history(history: pd.DataFrame) -> pd.DataFrame:
    """Time-weighted performance of a book out of its daily valuations.

    history : (session,) with nav, gross_market_value, pnl_day and pnl_total in base currency, NaN where a valuation
    is partial. Whatever changed NAV beside P&L counts as a flow at the start of the day, so a day's return is
    pnl_day / (nav - pnl_day); a book without NAV takes the gross market value of the session before. A session that
    is absent or partial has no return: the next complete one carries the change of total P&L since the last, over its
    NAV then. Returns (session,) x return, cumulative, drawdown (fractions; drawdown <= 0), bridged (sessions that the
    return spans beyond its own).
    """
    worth = history["nav"] if history["nav"].notna().any() else history["gross_market_value"]
    whole = history[worth.notna() & history["pnl_total"].notna()]
    worth = worth.loc[whole.index]
    days = sessions(whole.index[0], whole.index[-1]) if len(whole) else whole.index
    bridged = pd.Series(days.get_indexer(whole.index), whole.index).diff().fillna(1.0) - 1.0
    own = (bridged == 0) & whole["pnl_day"].notna()
    flows = worth.shift(1) if whole["nav"].isna().all() else whole["nav"] - whole["pnl_day"]
    profit, capital = whole["pnl_day"].where(own, whole["pnl_total"].diff()), flows.where(own, worth.shift(1))
    daily = (profit / capital.where(capital > 0)).dropna()
    return pd.DataFrame(
        {
            "return": daily,
            "cumulative": (1.0 + daily).cumprod() - 1.0,
            "drawdown": drawdown(daily),
            "bridged": bridged.loc[daily.index],
        }
    )


def per_period(annual: Rate, *, periods_per_year: int = PERIODS_PER_YEAR) -> Rate:
    """The per-period equivalent of an annual effective rate: (1 + annual) ** (1 / periods a year) - 1."""
    return (1.0 + annual) ** (1.0 / periods_per_year) - 1.0


def _aligned(
    returns: Returns, benchmark: Returns, risk_free: float | pd.Series, periods_per_year: int
) -> tuple[Floats, Floats, Floats]:
    if isinstance(returns, pd.Series) and isinstance(benchmark, pd.Series):
        returns, benchmark = returns.align(benchmark, join="inner")
    own, market = _checked(returns), _checked(benchmark)
    if len(own) != len(market):
        raise InputError(f"`returns` has {len(own)} periods, `benchmark` {len(market)}; give them the same dates")
    return own, market, _free(returns, risk_free, periods_per_year)


def _free(returns: Returns, risk_free: float | pd.Series, periods_per_year: int) -> Floats:
    """The per-period risk-free rate of each return."""
    if isinstance(risk_free, pd.Series) and isinstance(returns, pd.Series):
        risk_free = risk_free.reindex(returns.index)
    annual = np.broadcast_to(np.asarray(risk_free, dtype=float), np.shape(returns))
    if np.isnan(annual).any():
        raise InputError(f"`risk_free` is unknown for {np.isnan(annual).sum()} of the returns; fill it first")
    return per_period(annual, periods_per_year=periods_per_year)


def _checked(returns: Returns) -> Floats:
    values = np.asarray(returns, dtype=float)
    if values.ndim != 1:
        raise InputError(f"`returns` must be one series, had {values.ndim} dimensions; pass one column at a time")
    if not np.isfinite(values).all():
        raise InputError(f"`returns` has {(~np.isfinite(values)).sum()} unknown value(s); drop or fill them first")
    return values


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _deviation(values: Floats) -> float:
    if len(values) < 2:
        return float("nan")
    deviation = float(values.std(ddof=1))
    return deviation if deviation > NEGLIGIBLE * np.abs(values).max() else 0.0


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator) / denominator if denominator > 0 else float("nan")

"""Ratios of a series of simple returns, one a period: growth, risk, and what was earned for it.

``returns`` is a Series, array or list of fractions in time order; an unknown value is an InputError, counted.
``periods_per_year`` is 252 for daily, 52 for weekly, 12 for monthly returns. ``risk_free`` is annual and effective, a
number or a Series by date; ``minimum_acceptable_return`` is a fraction a period. A ratio whose denominator vanishes is
NaN, and a standard deviation up to 1e-12 of the largest return vanishes. Source: Bacon, *Practical Portfolio
Performance Measurement and Attribution* (2008); Sharpe (1994); Sortino and Price (1994).
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.portfolio.drawdowns import max_drawdown, pain_index, ulcer_index
from sigmalib.portfolio.returns import (
    PERIODS_PER_YEAR,
    Floats,
    Returns,
    deviation,
    free,
    mean,
    number,
    ratio,
    series,
    yearly,
)

NAN = float("nan")


def cumulative_return(returns: Returns) -> float:
    """What one unit gained over all periods: the product of (1 + return), less 1.

    -1 when all was lost; NaN without returns or when one is below -1, for there is nothing left to compound.

    >>> round(cumulative_return([0.10, -0.20, 0.05]), 6)
    -0.076
    """
    values = series(returns)
    return _wealth(values) - 1.0


def cagr(returns: Returns, *, periods_per_year: float = PERIODS_PER_YEAR) -> float:
    """Compound annual growth rate by periods: final wealth ** (periods a year / n) - 1; NaN when wealth is lost.

    >>> round(cagr([0.10, -0.20, 0.05], periods_per_year=3), 6)
    -0.076
    """
    values = series(returns)
    wealth, per_year = np.float64(_wealth(values)), yearly(periods_per_year)
    with np.errstate(all="ignore"):
        return number(wealth ** (per_year / len(values)) - 1.0) if wealth > 0.0 else NAN


def annualised_volatility(returns: Returns, *, periods_per_year: float = PERIODS_PER_YEAR) -> float:
    """Sample standard deviation (ddof 1) of the returns x sqrt(periods a year); NaN with fewer than two.

    >>> round(annualised_volatility([0.01, -0.01, 0.02], periods_per_year=12), 6)
    0.052915
    """
    return deviation(series(returns)) * sqrt(yearly(periods_per_year))


def sharpe_ratio(
    returns: Returns, *, risk_free: float | pd.Series = 0.0, periods_per_year: float = PERIODS_PER_YEAR
) -> float:
    """Annualised mean excess return over its sample deviation (ddof 1); ``risk_free`` is annual effective.

    A Series of rates is aligned with the returns by date.

    >>> round(sharpe_ratio([0.01, -0.01, 0.02], periods_per_year=12), 4)
    1.5119
    """
    return _per_period_sharpe(returns, risk_free, periods_per_year) * sqrt(yearly(periods_per_year))


def sharpe_standard_error(
    returns: Returns, *, risk_free: float | pd.Series = 0.0, periods_per_year: float = PERIODS_PER_YEAR
) -> float:
    """Standard error of ``sharpe_ratio``, annualised like it, for returns that are independent and alike.

    sqrt((1 + SR^2 / 2) / T) with SR per period. Source: Lo (2002), "The Statistics of Sharpe Ratios", eq. 9.

    >>> round(sharpe_standard_error([0.01, -0.01, 0.02], periods_per_year=12), 4)
    2.0931
    """
    found = _per_period_sharpe(returns, risk_free, periods_per_year)
    return sqrt((1.0 + found**2 / 2.0) / len(series(returns)) * yearly(periods_per_year)) if found == found else NAN


def probabilistic_sharpe_ratio(
    returns: Returns,
    *,
    target: float = 0.0,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: float = PERIODS_PER_YEAR,
) -> float:
    """Probability in [0, 1] that the true Sharpe ratio lies above an annual ``target``, skew and fat tails allowed for.

    Phi[(SR - SR*) sqrt(T - 1) / sqrt(1 - S SR + (K - 1) SR^2 / 4)], SR and SR* per period, S and K the population skew
    and raw kurtosis. NaN where SR is. Source: Bailey and Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier".

    >>> round(probabilistic_sharpe_ratio([0.01, -0.01, 0.02], periods_per_year=12), 4)
    0.7142
    """
    excess = series(returns) - free(returns, risk_free, periods_per_year)
    found = ratio(mean(excess), deviation(excess))
    if found != found:
        return NAN
    scaled = (excess - excess.mean()) / excess.std()
    skew, kurtosis = mean(scaled**3), mean(scaled**4)
    spread = 1.0 - skew * found + (kurtosis - 1.0) / 4.0 * found**2
    apart = (found - target / sqrt(yearly(periods_per_year))) * sqrt(len(excess) - 1)
    return erfc(-apart / sqrt(2.0 * spread)) / 2.0 if spread > 0.0 else NAN


def geometric_sharpe_ratio(
    returns: Returns, *, risk_free: float | pd.Series = 0.0, periods_per_year: float = PERIODS_PER_YEAR
) -> float:
    """Compound growth a year of the excess returns over their annualised volatility (Bacon, 2008, p. 64).

    >>> round(geometric_sharpe_ratio([0.01, -0.01, 0.02], periods_per_year=12), 4)
    1.5496
    """
    excess = series(returns) - free(returns, risk_free, periods_per_year)
    grown = cagr(excess, periods_per_year=periods_per_year)
    return ratio(grown, annualised_volatility(excess, periods_per_year=periods_per_year))


def sortino_ratio(
    returns: Returns, *, minimum_acceptable_return: float = 0.0, periods_per_year: float = PERIODS_PER_YEAR
) -> float:
    """Annualised mean excess over downside deviation, both against a minimum return a period; mean over all periods.

    >>> round(sortino_ratio([0.01, -0.01, 0.02], periods_per_year=12), 4)
    4.0
    """
    excess = series(returns) - minimum_acceptable_return
    with np.errstate(over="ignore"):
        downside = sqrt(mean(np.minimum(excess, 0.0) ** 2))
    return ratio(mean(excess), downside) * sqrt(yearly(periods_per_year))


def calmar_ratio(returns: Returns, *, periods_per_year: float = PERIODS_PER_YEAR) -> float:
    """CAGR over maximum drawdown, both since the first return (Young, 1991)."""
    return ratio(cagr(returns, periods_per_year=periods_per_year), max_drawdown(returns))


def martin_ratio(returns: Returns, *, risk_free: float = 0.0, periods_per_year: float = PERIODS_PER_YEAR) -> float:
    """CAGR less the annual rate without risk, over the Ulcer index (Martin and McCann, 1989)."""
    return ratio(cagr(returns, periods_per_year=periods_per_year) - risk_free, ulcer_index(returns))


def pain_ratio(returns: Returns, *, risk_free: float = 0.0, periods_per_year: float = PERIODS_PER_YEAR) -> float:
    """CAGR less the annual rate without risk, over the Pain index (Bacon, 2008, p. 92)."""
    return ratio(cagr(returns, periods_per_year=periods_per_year) - risk_free, pain_index(returns))


def hit_rate(returns: Returns) -> float:
    """Share of all periods with a return above 0; NaN without returns.

    >>> hit_rate([0.01, 0.0, -0.02, 0.03])
    0.5
    """
    return mean(np.where(series(returns) > 0.0, 1.0, 0.0))


def beta(
    returns: Returns,
    benchmark: Returns,
    *,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: float = PERIODS_PER_YEAR,
) -> float:
    """Slope of the excess returns on the benchmark's, by ordinary least squares; NaN when the benchmark never moves.

    Two Series are aligned on the dates they share; other kinds must be of equal length. ``risk_free`` is an annual
    effective fraction, or a Series of them by date.
    """
    own, market = _excess(returns, benchmark, risk_free, periods_per_year)
    spread = deviation(market)
    if not spread > 0:
        return NAN
    with np.errstate(all="ignore"):
        centred = market - market.mean()
        return number(centred @ (own - own.mean()) / (centred @ centred))


def alpha(
    returns: Returns,
    benchmark: Returns,
    *,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: float = PERIODS_PER_YEAR,
) -> float:
    """Intercept of the regression whose slope is ``beta``, x periods a year (arithmetic); NaN where beta is."""
    own, market = _excess(returns, benchmark, risk_free, periods_per_year)
    slope = beta(own, market)
    return (mean(own) - slope * mean(market)) * yearly(periods_per_year)


def information_ratio(returns: Returns, benchmark: Returns, *, periods_per_year: float = PERIODS_PER_YEAR) -> float:
    """Annualised mean of the active return, own less benchmark, over its sample deviation (ddof 1)."""
    own, market = _excess(returns, benchmark, 0.0, periods_per_year)
    return ratio(mean(own - market), deviation(own - market)) * sqrt(yearly(periods_per_year))


def _wealth(values: Floats) -> float:
    """What one unit became; NaN of no returns, when one is below -1, or when it overflows."""
    with np.errstate(all="ignore"):
        return number(np.prod(1.0 + values)) if len(values) and values.min() >= -1.0 else NAN


def _per_period_sharpe(returns: Returns, risk_free: float | pd.Series, periods_per_year: float) -> float:
    excess = series(returns) - free(returns, risk_free, periods_per_year)
    return ratio(mean(excess), deviation(excess))


def _excess(
    returns: Returns, benchmark: Returns, risk_free: float | pd.Series, periods_per_year: float
) -> tuple[Floats, Floats]:
    """Both series less the rate without risk, of the same periods."""
    if isinstance(returns, pd.Series) and isinstance(benchmark, pd.Series):
        returns, benchmark = returns.align(benchmark, join="inner")
    own, market = series(returns), series(benchmark, "benchmark")
    if len(own) != len(market):
        raise InputError(f"`returns` has {len(own)} periods, `benchmark` {len(market)}; give them the same dates")
    rate = free(returns, risk_free, periods_per_year)
    return own - rate, market - rate

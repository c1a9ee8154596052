"""Statistics of a whole table of returns at once: the twelve figures that describe an asset, asset by asset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.compiled import Later
from sigmalib.core.errors import InputError
from sigmalib.core.levels import boundary, tail_share
from sigmalib.portfolio.panels import Assets, by_chunks, read_only
from sigmalib.portfolio.returns import Floats, Panel, deviation, periods_a_year, yearly

__all__ = ["STATISTICS", "statistics"]

LOOPS = Later("sigmalib.core.moments")

STATISTICS = (
    *("cumulative", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown"),
    *("value_at_risk", "expected_shortfall", "skew", "kurtosis"),
)
SHARPE = STATISTICS.index("sharpe")
Missing = Literal["unknown", "drop"]


def statistics(
    returns: Panel,
    *,
    benchmark: Panel | None = None,
    risk_free: float | pd.Series = 0.0,
    periods_per_year: float | None = None,
    level: float = 0.95,
    missing: Missing = "unknown",
) -> pd.DataFrame:
    """Twelve statistics of each asset, and how many of its returns are unknown.

    returns : (period x asset) fractions in time order: a frame, an array, or one series. benchmark : (period,), aligned
    by date where both have dates; dates it does not have are left out of beta. risk_free : annual effective, a number
    or a Series by date. periods_per_year : by default what the dates are like (their median gap): 252 for sessions, 365
    for days with weekends, 52, 12, 4 or 1; 252 without dates. ``table.attrs["periods_per_year"]`` says it. level :
    confidence in (0.5, 1). missing : an asset with unknown returns (NaN, infinite) has NaN statistics ("unknown"), or
    those of its other periods ("drop"); an unknown return of the benchmark does the same to beta.

    Returns (asset x statistic), fractions: cumulative; cagr, volatility, sharpe and sortino a year; calmar;
    max_drawdown, value_at_risk (historical, inverse of the empirical distribution) and expected_shortfall (Acerbi and
    Tasche, 2002) of one period, positive for a loss; skew and kurtosis (population; excess); beta when a benchmark is
    given, else hit_rate; and the count ``unknown``. Each equals the function for one series; what is not defined (a
    ratio to no deviation, growth of lost wealth) or overflows is NaN. Raises InputError,
    also for dates out of order.
    Source: DEFINITIONS 1 and 4; Bacon (2008).

    >>> table = statistics(pd.DataFrame({"a": [0.02, -0.01, 0.03], "b": [0.01, 0.01, 0.01]}), periods_per_year=12)
    >>> table[["cumulative", "sharpe", "max_drawdown", "hit_rate", "unknown"]].round(4)
       cumulative  sharpe  max_drawdown  hit_rate  unknown
    a      0.0401  2.2188          0.01    0.6667        0
    b      0.0303     NaN          0.00    1.0000        0
    """
    if missing not in ("unknown", "drop"):
        raise InputError(f"`missing` must be 'unknown' or 'drop', was {missing!r}")
    assets = Assets.of(returns)
    per_year = periods_a_year(returns) if periods_per_year is None else yearly(periods_per_year)
    rates = assets.rates(risk_free, per_year)
    market = None if benchmark is None else _Market.of(assets, benchmark, rates, missing)
    asked = _Asked(rates, market, tail_share(level), per_year)
    found, unknown = _measured(assets.values, asked)
    for asset in np.flatnonzero(unknown) if missing == "drop" else ():
        known = np.isfinite(assets.values[asset])
        alone, _ = _measured(read_only(assets.values[asset : asset + 1, known]), asked.of(known))
        found[:, asset] = alone[:, 0]
    names = [*STATISTICS, "hit_rate" if market is None else "beta"]
    table = pd.DataFrame(found.T, index=assets.names, columns=names, copy=False).assign(unknown=unknown)
    table.attrs["periods_per_year"] = per_year
    return table


@dataclass(frozen=True, eq=False)
class _Market:
    """A benchmark's excess return of each period, and which of them count for beta: all others are as if absent."""

    excess: Floats
    counts: np.ndarray

    @classmethod
    def of(cls, assets: Assets, benchmark: Panel, rates: Floats, missing: Missing) -> _Market:
        found, present = assets.beside(benchmark)
        known = np.isfinite(found)
        spoilt = missing == "unknown" and bool((present & ~known).any())
        return cls(found - rates, np.zeros_like(known) if spoilt else known)

    def centred(self) -> tuple[Floats, float]:
        """The returns less their mean, 0 where they do not count, and the sum of their squares: NaN if none vary."""
        own = self.excess[self.counts]
        if not deviation(own) > 0:
            return np.zeros(len(self.excess)), float("nan")
        apart = np.where(self.counts, self.excess - own.mean(), 0.0)
        return apart, float(apart @ apart)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is measured against: rates and benchmark by period, the share of the tail, periods a year."""

    rates: Floats
    market: _Market | None
    tail: float
    yearly: float

    def of(self, known: np.ndarray) -> _Asked:
        """The same for some of the periods."""
        market = self.market and _Market(self.market.excess[known], self.market.counts[known])
        return replace(self, rates=self.rates[known], market=market)


def _measured(values: Floats, asked: _Asked) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The statistics of assets (statistic x asset), NaN throughout where a return is unknown, and how many are."""
    unknown = np.zeros(len(values), dtype=np.int64)
    if 0 in values.shape:
        return np.full((len(STATISTICS) + 1, len(values)), np.nan), unknown
    apart, spread = asked.market.centred() if asked.market else (np.zeros(values.shape[1]), float("nan"))
    with np.errstate(all="ignore"):
        summed, tail = _summed(values, read_only(apart), asked.tail)
        found = _ratios(summed, tail, asked, values.shape[1])
        excess, rate = summed, asked.rates[0]
        if np.ptp(asked.rates) > 0.0:
            (excess, _), rate = _summed(read_only(values - asked.rates), read_only(apart), asked.tail), 0.0
        found[SHARPE] = _over(excess[LOOPS.MEAN] - rate, excess[LOOPS.DEVIATION]) * np.sqrt(asked.yearly)
        found[-1] = excess[LOOPS.CROSS] / spread if asked.market else summed[LOOPS.HITS]
    spoilt = ~np.isfinite(summed[LOOPS.MEAN])
    unknown[spoilt] = np.count_nonzero(~np.isfinite(values[spoilt]), axis=1)
    found[:, spoilt] = np.nan
    found[~np.isfinite(found)] = np.nan
    return found, unknown


def _ratios(summed: Floats, tail: Floats, asked: _Asked, count: int) -> Floats:
    """The statistics (statistic x asset), in order, out of what the loops found; sharpe and the last are left open."""
    lowest, value_at_risk, shortfall = tail
    lost, root = lowest < -1.0, np.sqrt(asked.yearly)
    growth = np.where(lost, np.nan, summed[LOOPS.GROWTH])
    cagr = np.where(growth > 0.0, growth, np.nan) ** (asked.yearly / count) - 1.0
    fallen = np.where(lost, np.nan, 1.0 - summed[LOOPS.TROUGH])
    volatility = summed[LOOPS.DEVIATION] * root
    sortino = _over(summed[LOOPS.MEAN], np.sqrt(summed[LOOPS.DOWNSIDE])) * root
    open_ = np.full_like(cagr, np.nan)
    first = growth - 1.0, cagr, volatility, open_, sortino, _over(cagr, fallen), fallen
    return np.stack([*first, value_at_risk, shortfall, summed[LOOPS.SKEW], summed[LOOPS.KURTOSIS], open_])


def _summed(values: Floats, apart: Floats, tail: float) -> tuple[Floats, Floats]:
    """What the loops find (row x asset), and the lowest return, value at risk and expected shortfall (3 x asset)."""
    summed, tails = np.empty((LOOPS.COUNT, len(values))), np.empty((3, len(values)))
    size = values.shape[1] * tail
    worst = boundary(values.shape[1], tail)

    def work(first: int, last: int) -> None:
        LOOPS.moments(values, apart, first, last, summed)
        ordered = values[first:last].copy()
        ordered.partition(worst - 1, axis=1)
        edge, beyond = ordered[:, worst - 1], ordered[:, :worst]
        lowest = beyond.min(axis=1)
        part = (ordered[:, : worst - 1].sum(axis=1) + (size - worst + 1) * edge) / size
        tails[:, first:last] = lowest, 0.0 - edge, 0.0 - (part if size >= 1 else lowest)

    by_chunks(work, len(values))
    summed[~np.isfinite(summed)] = np.nan  # overflown: what is divided by it must not come out as 0
    return summed, tails


def _over(numerator: Floats, denominator: Floats) -> Floats:
    """The quotients, NaN unless the denominator is positive."""
    return numerator / np.where(denominator > 0.0, denominator, np.nan)

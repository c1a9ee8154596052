"""The risk report: one book against one market, every number with its convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.frames import MISSING, missing
from sigmalib.core.market import MarketView
from sigmalib.core.times import sessions_before
from sigmalib.portfolio import groups, performance
from sigmalib.portfolio.positions import held
from sigmalib.portfolio.valuation import Valuation, value
from sigmalib.risk import correlation, exposure, tail
from sigmalib.risk.conventions import conventions
from sigmalib.risk.exposure import Exposure
from sigmalib.risk.marks import mark
from sigmalib.risk.simulation import WINDOW, Simulation, simulate, underlyings

LEVELS = (0.95, 0.99)
MARKED = ("volatility", "volatility_source", "style")
GROUPED: tuple[groups.Key, ...] = ("kind", "tag", "strategy", "sector")


@dataclass(frozen=True, eq=False)
class RiskReport:
    """What a book is worth, exposes and can lose at the close of ``as_of``; money in ``base_currency``.

    scenarios : P&L of today's holdings on each past session (session,), the sample behind every tail number.
    benchmark_returns : the benchmark on the same sessions. tails : by level, ``var`` and ``es``.
    missing : what could not be had. left_out : positions not alive at the as-of. notes : sentences for a reader.
    """

    as_of: date
    source: str
    base_currency: str
    benchmark: str
    valuation: Valuation
    exposure: Exposure
    delta_adjusted: Exposure
    scenarios: pd.Series
    benchmark_returns: pd.Series
    tails: pd.DataFrame
    volatility: float
    beta: float
    max_drawdown: float
    correlation: pd.DataFrame
    missing: pd.DataFrame
    left_out: pd.DataFrame
    notes: tuple[str, ...]
    conventions: Mapping[str, str]
    fingerprint: str

    @property
    def holdings(self) -> pd.DataFrame:
        """HOLDINGS with delta_adjusted_exposure, volatility and its source, style, and es_contribution (95 %)."""
        return self.valuation.holdings

    def by(self, key: groups.Key) -> pd.DataFrame:
        """The book's sums by kind, tag, strategy, sector or underlying."""
        return groups.by(self.holdings, key)

    def to_dict(self) -> dict[str, Any]:
        """Every number and its convention, as plain values; NaN is an unknown number."""
        valued = self.valuation
        return {
            "as_of": self.as_of,
            "source": self.source,
            "base_currency": self.base_currency,
            "benchmark": self.benchmark,
            "market_value": valued.market_value,
            "gross_market_value": valued.gross_market_value,
            "cash": valued.cash,
            "nav": valued.nav,
            "base": {"name": valued.base_name, "value": valued.base},
            "exposure": self.exposure.to_dict(),
            "delta_adjusted": self.delta_adjusted.to_dict(),
            "pnl": {"day": valued.pnl_day, "total": valued.pnl_total},
            "var": _by_level(self.tails["var"]),
            "es": _by_level(self.tails["es"]),
            "volatility": self.volatility,
            "beta": self.beta,
            "max_drawdown": self.max_drawdown,
            "average_correlation": correlation.average(self.correlation),
            "scenarios": len(self.scenarios),
            "groups": {key: self.by(key).to_dict("index") for key in GROUPED},
            "correlation": self.correlation.to_dict("index"),
            "complete": self.valuation.complete and self.missing.empty,
            "missing": self.missing.to_dict("records"),
            "left_out": self.left_out.to_dict("records"),
            "notes": list(self.notes),
            "conventions": dict(self.conventions),
            "fingerprint": self.fingerprint,
        }


def assess(positions: pd.DataFrame, market: MarketView) -> RiskReport:
    """The risk of a book at the close of ``market.as_of``.

    positions : POSITIONS. market : must hold every underlying, the benchmark and at least 501 sessions for a full
    window; what it lacks is listed in ``missing``, never guessed.
    """
    alive, left_out = held(positions, market.as_of)
    valuation, marks = _valued(alive, market)
    simulation = simulate(valuation.holdings, marks, market)
    valuation = _with_contributions(valuation, simulation.by_position)
    holdings, pnl = valuation.holdings, simulation.pnl
    invested = holdings["kind"] != "CASH"
    shares = pnl / (valuation.base or np.nan)
    benchmark = market.returns[market.benchmark].reindex(pnl.index)
    beta = _beta(shares, benchmark, market.rates)
    return RiskReport(
        as_of=market.as_of,
        source=market.source,
        base_currency=market.base_currency,
        benchmark=market.benchmark,
        valuation=valuation,
        exposure=exposure.total(holdings.loc[invested, "exposure"]),
        delta_adjusted=exposure.total(holdings.loc[invested, "delta_adjusted_exposure"]),
        scenarios=pnl,
        benchmark_returns=benchmark,
        tails=_tails(pnl),
        volatility=_known(shares, performance.annualised_volatility),
        beta=beta,
        max_drawdown=_known(shares, performance.max_drawdown),
        correlation=correlation.pairwise(simulation.moves[underlyings(holdings)]),
        missing=_missing(valuation, simulation, market),
        left_out=left_out,
        notes=_notes(valuation, simulation, shares, beta, left_out),
        conventions=conventions(market, base_name=valuation.base_name, scenarios=len(pnl), window=WINDOW),
        fingerprint=market.fingerprint,
    )


def _valued(alive: pd.DataFrame, market: MarketView) -> tuple[Valuation, pd.DataFrame]:
    """The valuation with deltas and volatilities beside it, and the marks of its options."""
    symbols = pd.Index(alive.loc[alive["right"].notna(), "symbol"].unique(), dtype="str")
    before = market.before(sessions_before(market.as_of, 1))
    marks = mark(symbols, market)
    valuation = value(alive, market, marks=marks, previous_marks=mark(symbols, before))
    holdings = valuation.holdings.assign(
        delta_adjusted_exposure=exposure.delta_adjusted(valuation.holdings, marks),
        **{name: valuation.holdings["symbol"].map(marks[name]) for name in MARKED},
    )
    return replace(valuation, holdings=holdings), marks


def _with_contributions(valuation: Valuation, by_position: pd.DataFrame) -> Valuation:
    """The valuation with each holding's part of the book's expected shortfall at the first level."""
    parts = tail.component_shortfall(by_position, LEVELS[0]).reindex(valuation.holdings.index)
    return replace(valuation, holdings=valuation.holdings.assign(es_contribution=parts))


def _tails(pnl: pd.Series) -> pd.DataFrame:
    rows = {level: (tail.value_at_risk(pnl, level), tail.expected_shortfall(pnl, level)) for level in LEVELS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["var", "es"]).rename_axis("level")


def _known(shares: pd.Series, measure: Any) -> float:
    return float("nan") if shares.isna().any() else measure(shares)


def _beta(shares: pd.Series, benchmark: pd.Series, rates: pd.Series) -> float:
    both = pd.DataFrame({"book": shares, "benchmark": benchmark}).dropna()
    free = rates.reindex(both.index, method="ffill")
    known = both[free.notna()]
    return performance.beta(known["book"], known["benchmark"], risk_free=free.dropna())


def _missing(valuation: Valuation, simulation: Simulation, market: MarketView) -> pd.DataFrame:
    told = market.missing
    benchmark = told[(told["symbol"] == market.benchmark) & told["what"].isin(["price", "history"])]
    rows = [
        valuation.missing,
        _unexposed(valuation, market),
        simulation.missing,
        benchmark,
        told[told["what"] == "rate"],
        told[(told["what"] == "split") & told["symbol"].isin(valuation.holdings["underlying"])],
    ]
    return pd.concat([r for r in rows if len(r)] or [MISSING.empty()], ignore_index=True).drop_duplicates()


def _unexposed(valuation: Valuation, market: MarketView) -> pd.DataFrame:
    """MISSING rows of holdings that have a value but no known exposure or delta."""
    rows = valuation.holdings
    unknown = rows[["exposure", "delta_adjusted_exposure"]].isna().any(axis=1) & rows["market_value"].notna()
    reason = "has a price, but spot, volatility, rate or dividend yield is unknown, and so exposure or delta"
    return missing(*((symbol, "exposure", f"{reason} on {market.as_of}") for symbol in rows.loc[unknown, "symbol"]))


def _notes(
    valuation: Valuation, simulation: Simulation, shares: pd.Series, beta: float, left_out: pd.DataFrame
) -> tuple[str, ...]:
    """What a reader should know before trusting the numbers."""
    holdings = valuation.holdings
    unpriced, count = int(holdings["market_value"].isna().sum()), len(simulation.pnl)
    american = int((holdings["style"] == "American").sum())
    modelled = int((holdings["price_source"] == "model").sum())
    instead = f"{count} scenarios instead of {WINDOW}"
    short = count < WINDOW and not holdings.empty
    told = {
        f"partial: {unpriced} position(s) have no market value and are in no total": unpriced > 0,
        f"{len(simulation.beyond)} position(s) cannot be revalued and are in no tail measure": len(simulation.beyond),
        f"{len(left_out)} position(s) are not alive at the as-of and were left out": len(left_out),
        "the book holds nothing at the as-of": holdings.empty,
        "no CASH row of known value, so NAV is unknown and weights use gross market value": (
            np.isnan(valuation.cash) and not holdings.empty
        ),
        "NAV is not positive, so weights use gross market value": valuation.nav <= 0,
        f"{instead}: unknown returns of {', '.join(simulation.gaps)}": short and simulation.gaps,
        f"{instead}: no position can be revalued": short and not count and not simulation.gaps,
        f"{instead}: the market data starts too late": short and count and not simulation.gaps,
        f"{count} scenarios leave fewer than one tail observation; VaR and ES are the worst loss": (
            0 < tail.tail_observations(count, max(LEVELS)) < 1
        ),
        f"a day would have lost all of {valuation.base_name}, so the drawdown is unknown": (shares <= -1).any(),
        "beta is unknown: the benchmark has no returns on these sessions": np.isnan(beta) and shares.notna().any(),
        f"{modelled} option(s) are marked by model, none of them by a quote of that day": modelled,
        f"{american} American option(s) are priced as European": american,
    }
    return tuple(sentence for sentence, holds in told.items() if holds)


def _by_level(values: pd.Series) -> dict[str, float]:
    return {f"{level:.0%}".rstrip("%"): float(number) for level, number in zip(LEVELS, values, strict=True)}

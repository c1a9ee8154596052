"""The risk report: one book against one market, every number with its convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.frames import MISSING
from sigmalib.core.market import MarketView
from sigmalib.core.times import sessions_before
from sigmalib.portfolio import groups, performance
from sigmalib.portfolio.positions import held
from sigmalib.portfolio.valuation import Valuation, value
from sigmalib.risk import correlation, exposure, options, stress, tail
from sigmalib.risk.conventions import conventions
from sigmalib.risk.exposure import Exposure

LEVELS = (0.95, 0.99)
WINDOW = 500
Gaps = dict[str, list[pd.Timestamp]]  # by underlying, the sessions whose move is unknown
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
            "complete": self.missing.empty,
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
    by_position, gaps = _hypothetical(valuation.holdings, marks, market)
    valuation = _with_contributions(valuation, by_position)
    pnl = by_position.sum(axis=1).rename("pnl")
    shares = pnl / (valuation.base or np.nan)
    benchmark = market.returns[market.benchmark].reindex(pnl.index)
    return RiskReport(
        as_of=market.as_of,
        base_currency=market.base_currency,
        benchmark=market.benchmark,
        valuation=valuation,
        exposure=exposure.total(valuation.holdings["exposure"]),
        delta_adjusted=exposure.total(valuation.holdings["delta_adjusted_exposure"]),
        scenarios=pnl,
        benchmark_returns=benchmark,
        tails=_tails(pnl),
        volatility=_known(shares, performance.annualised_volatility),
        beta=_beta(shares, benchmark, market.rates),
        max_drawdown=_known(shares, performance.max_drawdown),
        correlation=correlation.pairwise(_window(market)[_underlyings(valuation.holdings)]),
        missing=_missing(valuation, gaps, market),
        left_out=left_out,
        notes=_notes(valuation, pnl, gaps, left_out),
        conventions=conventions(market, base_name=valuation.base_name, scenarios=len(pnl), window=WINDOW),
        fingerprint=market.fingerprint,
    )


def _valued(alive: pd.DataFrame, market: MarketView) -> tuple[Valuation, pd.DataFrame]:
    """The valuation with deltas and volatilities beside it, and the marks of its options."""
    symbols = pd.Index(alive.loc[alive["right"].notna(), "symbol"].unique(), dtype="str")
    before = market.until(sessions_before(market.as_of, 1))
    marks = options.mark(symbols, market)
    valuation = value(alive, market, marks=marks, previous_marks=options.mark(symbols, before))
    holdings = valuation.holdings.assign(
        delta_adjusted_exposure=exposure.delta_adjusted(valuation.holdings, marks),
        **{
            name: valuation.holdings["symbol"].map(marks[name]) for name in ("volatility", "volatility_source", "style")
        },
    )
    return replace(valuation, holdings=holdings), marks


def _hypothetical(holdings: pd.DataFrame, marks: pd.DataFrame, market: MarketView) -> tuple[pd.DataFrame, Gaps]:
    """P&L of each priced holding on each past session, and by underlying the sessions whose move is unknown."""
    moves = _window(market)
    fx_moves = market.fx.pct_change(fill_method=None).reindex(moves.index)
    matrix = stress.revalue(holdings[holdings["market_value"].notna()], marks, moves, fx_moves)
    needed = pd.concat([moves[_underlyings(holdings)], fx_moves[_currencies(holdings, fx_moves)]], axis=1)
    gaps = {str(name): list(needed.index[unknown]) for name, unknown in needed.isna().items() if unknown.any()}
    return matrix.dropna(), gaps


def _with_contributions(valuation: Valuation, by_position: pd.DataFrame) -> Valuation:
    """The valuation with each holding's part of the book's expected shortfall at the first level."""
    parts = tail.component_shortfall(by_position, LEVELS[0]).reindex(valuation.holdings.index)
    return replace(valuation, holdings=valuation.holdings.assign(es_contribution=parts))


def _window(market: MarketView) -> pd.DataFrame:
    return market.returns.iloc[-WINDOW:]


def _underlyings(holdings: pd.DataFrame) -> list[str]:
    priced = holdings[holdings["market_value"].notna() & (holdings["kind"] != "CASH")]
    return sorted(priced["underlying"].unique())


def _currencies(holdings: pd.DataFrame, fx: pd.DataFrame) -> list[str]:
    held_in = holdings.loc[holdings["market_value"].notna(), "currency"]
    return sorted(set(held_in) & set(fx.columns))


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


def _missing(valuation: Valuation, gaps: Gaps, market: MarketView) -> pd.DataFrame:
    listed = [
        (name, "history", f"no return on {len(days)} of the last {WINDOW} sessions, latest {days[-1]:%Y-%m-%d}")
        for name, days in gaps.items()
    ]
    told = market.missing
    benchmark = told[(told["symbol"] == market.benchmark) & told["what"].isin(["price", "history"])]
    rates = told[told["what"] == "rate"]
    rows = [valuation.missing, pd.DataFrame(listed, columns=MISSING.names), benchmark, rates]
    return pd.concat([r for r in rows if len(r)] or [MISSING.empty()], ignore_index=True).drop_duplicates()


def _notes(valuation: Valuation, pnl: pd.Series, gaps: Gaps, left_out: pd.DataFrame) -> tuple[str, ...]:
    """What a reader should know before trusting the numbers."""
    holdings = valuation.holdings
    unpriced = int(holdings["market_value"].isna().sum())
    american = int((holdings["style"] == "American").sum())
    modelled = int((holdings["price_source"] == "model").sum())
    thin = tail.tail_observations(len(pnl), max(LEVELS))
    told = {
        f"partial: {unpriced} position(s) have no market value and are in no total": unpriced > 0,
        f"{len(left_out)} position(s) are not alive at the as-of and were left out": len(left_out) > 0,
        "the book holds nothing at the as-of": holdings.empty,
        "no CASH row of known value, so NAV is unknown and weights use gross market value": (
            np.isnan(valuation.nav) and not holdings.empty
        ),
        "NAV is not positive, so weights use gross market value": valuation.nav <= 0,
        f"{len(pnl)} scenarios instead of {WINDOW}: unknown returns of {', '.join(gaps)}": bool(gaps),
        f"{len(pnl)} scenarios instead of {WINDOW}: the market data starts too late": not gaps and len(pnl) < WINDOW,
        f"{len(pnl)} scenarios leave fewer than one tail observation; VaR and ES are the worst loss": thin < 1,
        f"{modelled} option(s) are marked by model, none of them by a quote of that day": modelled > 0,
        f"{american} American option(s) are priced as European": american > 0,
    }
    return tuple(sentence for sentence, holds in told.items() if holds)


def _by_level(values: pd.Series) -> dict[str, float]:
    return {f"{level:.0%}".rstrip("%"): float(number) for level, number in zip(LEVELS, values, strict=True)}

"""The risk report: one book against one market, every number with its convention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.frames import MISSING, missing
from sigmalib.core.market import MarketView
from sigmalib.core.times import sessions_before
from sigmalib.portfolio import groups, performance
from sigmalib.portfolio.positions import held
from sigmalib.portfolio.valuation import Valuation, known_sum, value
from sigmalib.risk import correlation, exposure, greeks, tail
from sigmalib.risk.bets import FactorBets, factor_bets
from sigmalib.risk.conventions import conventions
from sigmalib.risk.correlation import Correlations, correlations
from sigmalib.risk.exposure import Exposure
from sigmalib.risk.impact import Impact, compare
from sigmalib.risk.marks import mark, surface_of
from sigmalib.risk.peers import compare_conventions
from sigmalib.risk.scenario.shocks import estimated_betas
from sigmalib.risk.simulation import WINDOW, Simulation, simulate, underlyings
from sigmalib.risk.stress import Moves, Scenario, StressTable, approximate, standard_scenarios, stress
from sigmalib.risk.volatility.surface import VolatilitySurface

__all__ = ["Impact", "RiskReport", "assess", "compare"]

LEVELS = (0.95, 0.99)
MARKED = ("volatility", "volatility_source", "style")
GROUPED: tuple[groups.Key, ...] = ("kind", "tag", "strategy", "sector")
GREEKS_BY: tuple[groups.Key, ...] = ("underlying", "tag", "strategy")
BETA_WINDOW = 252
COMPONENTS = ("symbol", "exposure", "marginal", "component", "percent", "stand_alone", "var_component")
Past = Callable[[Sequence[Scenario]], MarketView]


@dataclass(frozen=True, eq=False)
class RiskReport:
    """What a book is worth, exposes and can lose at the close of ``as_of``; money in ``base_currency``.

    greeks : GREEKS of each holding. marks : by option symbol. scenarios : P&L of today's holdings on each past session
    (session,), the sample behind every tail number; ``simulation`` has it by position. benchmark_returns : those of the
    benchmark on the same sessions. tails : by level, ``var`` and ``es``. missing : what could not be had. left_out :
    positions not alive at the as-of. notes : sentences for a reader. cases : what ``stress`` puts the book through.
    past : gives the market with all the history that scenarios need; None is ``market`` itself.

    What is dearer is computed when it is first asked for, from the same frozen ``market``: factors, tail methods,
    stress, correlations, surfaces.
    """

    as_of: date
    source: str
    base_currency: str
    benchmark: str
    valuation: Valuation
    exposure: Exposure
    delta_adjusted: Exposure
    greeks: pd.DataFrame
    marks: pd.DataFrame
    simulation: Simulation
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
    market: MarketView
    past: Past | None = None
    cases: tuple[Scenario, ...] = field(default_factory=standard_scenarios)

    @property
    def holdings(self) -> pd.DataFrame:
        """HOLDINGS with delta_adjusted_exposure, volatility and its source, style, and es_contribution (95 %)."""
        return self.valuation.holdings

    @property
    def book_greeks(self) -> pd.Series:
        """The book's greeks in money (dollar_delta, gamma_1pct, vega_point, theta_day, rho_1pct)."""
        return greeks.total(self.greeks)

    @cached_property
    def net(self) -> pd.DataFrame:
        """Delta-adjusted exposure netted by underlying, with beta and beta-weighted delta; see ``greeks.netted``."""
        names = [name for name in self.holdings["underlying"].unique() if name in self.market.returns]
        recent = self.market.returns.iloc[-BETA_WINDOW:]
        betas = estimated_betas(recent[names], recent.reindex(columns=[self.benchmark]))[self.benchmark]
        return greeks.netted(self.greeks, self.holdings, betas)

    @cached_property
    def bets(self) -> FactorBets:
        """Factor exposures, betas and variance shares, and the bets against the benchmark."""
        invested = self.holdings["kind"] != "CASH"
        delta, names = self.greeks.loc[invested, "dollar_delta"], self.holdings.loc[invested, "underlying"]
        return factor_bets(delta, names, self.market, self.valuation.base)

    @cached_property
    def tail_methods(self) -> pd.DataFrame:
        """VaR and ES of a day by every method and level, with intervals and notes; see ``tail.tail_measures``."""
        return tail.tail_measures(self.scenarios, LEVELS)

    @cached_property
    def approximations(self) -> pd.DataFrame:
        """VaR and ES by full revaluation beside delta only and delta-gamma (method, level), a check and no headline."""
        moves = Moves(self.simulation.moves, fx=self.market.fx.pct_change(fill_method=None))
        held = self.holdings.loc[self.simulation.by_position.columns]
        rough = approximate(held, self.marks, moves)
        sums = {"full revaluation": self.scenarios}
        sums |= {name: part.loc[self.scenarios.index].sum(axis=1) for name, part in rough._asdict().items()}
        return pd.concat({name: _tails(pnl) for name, pnl in sums.items()}, names=["method", "level"])

    @cached_property
    def components(self) -> pd.DataFrame:
        """What each holding adds to VaR and ES at 95 % (holding x symbol, exposure, marginal, component, percent,
        stand_alone, var_component).

        exposure : delta-adjusted. marginal, component, percent, stand_alone : of the ES; marginal is per unit of the
        exposure, NaN without any. component and var_component each add up to the book's measure.
        """
        pnl = self.simulation.by_position
        held = self.holdings.loc[pnl.columns]
        exposure = held["delta_adjusted_exposure"]
        parts = tail.scenario_component_es(pnl, LEVELS[0], exposures=exposure.fillna(0.0)).frame
        of_var = tail.scenario_component_var(pnl, LEVELS[0])["component"]
        return parts.assign(exposure=exposure, var_component=of_var).join(held["symbol"])[[*COMPONENTS]]

    @cached_property
    def stress(self) -> StressTable:
        """The book in each of ``cases``, the standard scenarios at first; one that cannot be computed says why."""
        market = self.past(self.cases) if self.past else self.market
        return stress(self.cases, self.holdings, self.marks, market)

    @cached_property
    def correlations(self) -> Correlations:
        """Correlations of the underlyings with shrinkage, clusters and effective bets."""
        held, names = self.holdings, underlyings(self.holdings)
        first = held.drop_duplicates("underlying").set_index("underlying")
        return correlations(
            self.simulation.moves.reindex(columns=names),
            exposures=self.net["dollar_delta"].reindex(names),
            sectors=first["sector"].reindex(names),
            tags=first["tags"].reindex(names),
        )

    @cached_property
    def surfaces(self) -> dict[str, VolatilitySurface]:
        """The volatility surface of each underlying whose options were quoted that day."""
        written = sorted(self.holdings.loc[self.holdings["right"].notna(), "underlying"].unique())
        found = {name: surface_of(name, self.market) for name in written}
        return {name: surface for name, surface in found.items() if surface is not None}

    def by(self, key: groups.Key) -> pd.DataFrame:
        """The book's sums by kind, tag, strategy, sector, underlying, or book where several are netted."""
        return groups.by(self.holdings, key)

    def greeks_by(self, key: groups.Key) -> pd.DataFrame:
        """The book's greeks in money by underlying, tag, strategy, sector or kind; see ``greeks.by``."""
        return greeks.by(self.greeks, self.holdings, key)

    def compare_conventions(self, name: str) -> pd.DataFrame:
        """``name`` (var, es, volatility, beta, ...) as peers would print it, and why; see ``peers``."""
        return compare_conventions(self, name)

    def headline(self) -> dict[str, Any]:
        """What a snapshot keeps: value, exposure, greeks, factor exposures and tails, as plain values."""
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
            "delta_adjusted": self.delta_adjusted.to_dict()
            | {"gross_by_underlying": greeks.gross_by_underlying(self.net)},
            "beta_weighted_delta": known_sum(self.net["beta_weighted_delta"]),
            "greeks": self.book_greeks.to_dict(),
            "pnl": {"day": valued.pnl_day, "total": valued.pnl_total},
            "var": _by_level(self.tails["var"]),
            "es": _by_level(self.tails["es"]),
            "volatility": self.volatility,
            "beta": self.beta,
            "max_drawdown": self.max_drawdown,
            "average_correlation": correlation.average(self.correlation),
            "scenarios": len(self.scenarios),
            "factors": self.bets.to_dict(),
            "groups": {key: self.by(key).to_dict("index") for key in self._groupings()},
            "correlation": self.correlation.to_dict("index"),
            "complete": self.valuation.complete and self.missing.empty,
            "missing": self.missing.to_dict("records"),
            "left_out": self.left_out.to_dict("records"),
            "notes": list(self.notes),
            "conventions": dict(self.conventions),
            "fingerprint": self.fingerprint,
        }

    def to_dict(self) -> dict[str, Any]:
        """Every number and its convention, as plain values; NaN is an unknown number."""
        told = self.headline()
        more = {
            "greeks_by": {key: self.greeks_by(key).to_dict("index") for key in GREEKS_BY},
            "net": self.net.to_dict("index"),
            "tail": _by_method(self.tail_methods),
            "approximations": _by_method(self.approximations),
            "stress": self.stress.table.to_dict("index"),
            "correlations": {
                name: value for name, value in self.correlations.to_dict().items() if name not in ("matrix", "shrunk")
            },
            "surfaces": {name: surface.to_dict() for name, surface in self.surfaces.items()},
        }
        return told | more

    def _groupings(self) -> tuple[groups.Key, ...]:
        return (*GROUPED, "book") if "book" in self.holdings else GROUPED


def assess(positions: pd.DataFrame, market: MarketView, *, past: Past | None = None) -> RiskReport:
    """The risk of a book at the close of ``market.as_of``.

    positions : POSITIONS; with a column ``book`` the parts of one netted book. market : must hold every underlying, the
    benchmark and at least 501 sessions for a full window; what it lacks is listed in ``missing``, never guessed. past :
    gives the same market with the history and the series that scenarios need, asked only when stress is.
    """
    alive, left_out = held(positions, market.as_of)
    valuation, marks = _valued(alive, market)
    simulation = simulate(valuation.holdings, marks, market)
    valuation = _with_contributions(valuation, simulation.by_position)
    holdings, pnl = valuation.holdings, simulation.pnl
    invested = holdings[holdings["kind"] != "CASH"]
    shares = pnl / (valuation.base or np.nan)
    benchmark = market.returns.reindex(columns=[market.benchmark])[market.benchmark].reindex(pnl.index)
    beta = _beta(shares, benchmark, market.rates)
    return RiskReport(
        as_of=market.as_of,
        source=market.source,
        base_currency=market.base_currency,
        benchmark=market.benchmark,
        valuation=valuation,
        exposure=exposure.total(groups.netted(invested["exposure"], holdings)),
        delta_adjusted=exposure.total(groups.netted(invested["delta_adjusted_exposure"], holdings)),
        greeks=greeks.greeks(holdings, marks),
        marks=marks,
        simulation=simulation,
        scenarios=pnl,
        benchmark_returns=benchmark,
        tails=_tails(pnl),
        volatility=_known(shares, performance.annualised_volatility),
        beta=beta,
        max_drawdown=_known(shares, performance.max_drawdown),
        correlation=correlation.pairwise(simulation.moves[underlyings(holdings)]),
        missing=_missing(valuation, simulation, market),
        left_out=left_out,
        notes=_notes(valuation, simulation, shares, beta, _lacking(benchmark, market), left_out),
        conventions=conventions(market, base_name=valuation.base_name, scenarios=len(pnl), window=WINDOW),
        fingerprint=market.fingerprint,
        market=market,
        past=past,
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


def _lacking(benchmark: pd.Series, market: MarketView) -> str:
    """What a beta lacks, as a part of a sentence."""
    if benchmark.isna().all():
        return f"the benchmark {market.benchmark} has no returns"
    return "the risk-free rate is unknown" if np.isnan(market.rate()) else "too few returns or rates are known"


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
    valuation: Valuation,
    simulation: Simulation,
    shares: pd.Series,
    beta: float,
    lacking: str,
    left_out: pd.DataFrame,
) -> tuple[str, ...]:
    """What a reader should know before trusting the numbers."""
    holdings = valuation.holdings
    unpriced, count = int(holdings["market_value"].isna().sum()), len(simulation.pnl)
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
        f"beta is unknown: {lacking} on these sessions": np.isnan(beta) and shares.notna().any(),
        f"{modelled} option(s) are marked by model, none of them by a quote of that day": modelled,
    }
    return tuple(sentence for sentence, holds in told.items() if holds)


def _by_level(values: pd.Series) -> dict[str, float]:
    return {_percent(level): float(number) for level, number in zip(LEVELS, values, strict=True)}


def _by_method(table: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """Rows (method, level) as method -> level -> column -> value."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (method, level), row in zip(table.index, table.to_dict("records"), strict=True):
        found.setdefault(method, {})[_percent(level)] = {str(name): value for name, value in row.items()}
    return found


def _percent(level: float) -> str:
    return f"{level:.0%}".rstrip("%")

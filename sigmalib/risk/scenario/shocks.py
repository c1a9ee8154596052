"""From a scenario to the move of every name: direct shocks, betas to what moves, windows of the past."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.market import MarketView
from sigmalib.core.times import FIRST_DAY, last_session
from sigmalib.risk.scenario.scenarios import Scenario
from sigmalib.risk.scenario.standard import DURATIONS

Floats = npt.NDArray[np.float64]

WINDOW, MINIMUM = 252, 60  # sessions of returns behind a beta, and the fewest
STALE = 5  # sessions that a level may be old at the ends of a window
RATES, MARKET = "rates", "market"


@dataclass(frozen=True, eq=False)
class Shock:
    """A scenario in this market: simple returns by underlying and by currency, and the shift of the rates.

    NaN is a move that could not be had. notes : by name, how its move was had where it is not the scenario's own word.
    refusal : why the scenario is not computable, empty when it is. options_only : whether the rates reach the options
    and nothing else, for want of a series.
    """

    spot: pd.Series
    fx: pd.Series
    rate: float = 0.0
    notes: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    options_only: bool = False


def shock_of(
    scenario: Scenario, names: Iterable[str], currencies: Iterable[str], market: MarketView,
    *, betas: pd.DataFrame | None = None,
) -> Shock:  # fmt: skip
    """What ``scenario`` does to ``names`` and ``currencies``.

    betas : (name x factor) to use instead of estimating them; used where it has every factor of the scenario.
    """
    wanted, money = pd.Index(names), pd.Index(currencies)
    if scenario.start is not None and scenario.end is not None:
        if scenario.start < FIRST_DAY or scenario.end > market.as_of:
            unknown = pd.Series(np.nan, index=wanted), pd.Series(np.nan, index=money)
            told = f"its window is not within {FIRST_DAY} to {market.as_of}, which the market can know"
            return Shock(*unknown, scenario.rates, {}, told)
        window = last_session(scenario.start), last_session(scenario.end)
        return _replayed(scenario, pd.Timestamp(window[0]), pd.Timestamp(window[1]), wanted, money, market)
    return _supposed(scenario, wanted, money, market, betas)


def direct_shock(scenario: Scenario, names: Iterable[str], currencies: Iterable[str]) -> Shock:
    """What ``scenario`` does without a market: names by their own shocks alone, rates to options alone.

    Raises InputError where it moves sectors, or names by their betas, or replays a window: these need a market.
    """
    needed = [key for key in ("market", "factors", "sectors", "start") if getattr(scenario, key)]
    if needed:
        raise InputError(f"scenario {scenario.name!r} has `{needed[0]}`, which needs the market; pass market=")
    wanted, money = pd.Index(names), pd.Index(currencies)
    named = pd.Series(wanted.map(dict(scenario.names)), index=wanted, dtype=float)
    fx = pd.Series(0.0, index=money)
    fx.update(pd.Series(scenario.fx, dtype=float))
    only = bool(scenario.rates) and bool(named.isna().all())
    notes = {"": "rates: direct effect on options only"} if scenario.rates else {}
    return Shock(named.fillna(0.0), fx, scenario.rates, notes, "", only)


def symbols_of(scenarios: Iterable[Scenario]) -> list[str]:
    """The symbols whose series the scenarios may need beside the benchmark, sorted: gather them with the others."""
    found: set[str] = set()
    for scenario in scenarios:
        for factor in scenario.factors:
            found.update(scenario.series.get(factor, (factor,)))
        found.update(DURATIONS if scenario.rates else ())
    return sorted(found)


def estimated_betas(returns: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    """Betas of each name to all ``factors`` together, by least squares with an intercept (name x factor).

    returns, factors : simple returns over the same sessions; sessions on which a name or a factor is unknown are left
    out of that name's. NaN with fewer than 60 of them, or when the factors cannot be told apart.
    """
    y, x = _finite(returns), _finite(factors)
    usable = ~np.isnan(x).any(axis=1)
    y, x = y[usable], x[usable]
    known = ~np.isnan(y)
    betas = np.full((y.shape[1], x.shape[1]), np.nan)
    whole = known.all(axis=0)
    betas[whole] = _slopes(y[:, whole], x)
    for column in np.flatnonzero(~whole):
        rows = known[:, column]
        betas[column] = _slopes(y[rows, column : column + 1], x[rows])
    return pd.DataFrame(betas, index=returns.columns, columns=factors.columns)


def _slopes(y: Floats, x: Floats) -> Floats:
    """(name x factor) slopes; NaN with too few rows or factors that depend on each other."""
    unknown = np.full((y.shape[1], x.shape[1]), np.nan)
    if len(x) < max(MINIMUM, x.shape[1] + 2):
        return unknown
    centred = x - x.mean(axis=0)
    if np.linalg.matrix_rank(centred, tol=1e-10) < x.shape[1]:
        return unknown
    return np.linalg.lstsq(centred, y - y.mean(axis=0), rcond=None)[0].T


def _supposed(
    scenario: Scenario, names: pd.Index, money: pd.Index, market: MarketView, betas: pd.DataFrame | None
) -> Shock:
    fx = pd.Series(0.0, index=money)
    fx.update(pd.Series(scenario.fx, dtype=float))
    series, moves, refusal = _drivers(scenario, market)
    if refusal:
        return Shock(pd.Series(np.nan, index=names), fx, scenario.rates, {}, refusal)
    notes: dict[str, str] = {}
    spot = pd.Series(0.0, index=names)
    if moves:
        spot = _by_betas(names, series, moves, market, betas, notes)
    direct = _direct(scenario, names, market)
    spot = direct.where(direct.notna(), spot)
    notes = {name: said for name, said in notes.items() if np.isnan(direct[name])}
    alone = bool(scenario.rates) and RATES not in moves
    only = alone and not moves and bool(direct.isna().all())
    if alone:
        notes[""] = f"rates: direct effect on options only; no rate series ({', '.join(DURATIONS)})"
    elif RATES in moves:
        notes[""] = f"rates: names follow {series[RATES]} of duration {DURATIONS[series[RATES]]:g} years by their betas"
    return Shock(spot, fx, scenario.rates, notes, "", only)


def _drivers(scenario: Scenario, market: MarketView) -> tuple[dict[str, str], dict[str, float], str]:
    """The symbol and the move of everything that names follow by betas, or why that cannot be."""
    series: dict[str, str] = {}
    moves = scenario.driven_by
    for factor in moves:
        candidates = (market.benchmark,) if factor == MARKET else scenario.series.get(factor, (factor,))
        found = [symbol for symbol in candidates if _has_returns(symbol, market)]
        if not found:
            told = f"none of {', '.join(candidates)} has" if len(candidates) > 1 else f"{candidates[0]} does not have"
            return {}, {}, f"`{factor}` has no series: {told} {MINIMUM} returns in the last {WINDOW} sessions"
        series[factor] = found[0]
    bonds = [symbol for symbol in DURATIONS if scenario.rates and _has_returns(symbol, market)]
    if bonds:
        series[RATES] = bonds[0]
        moves = {**moves, RATES: -DURATIONS[bonds[0]] * scenario.rates}
    return series, moves, ""


def _by_betas(
    names: pd.Index, series: dict[str, str], moves: dict[str, float], market: MarketView,
    betas: pd.DataFrame | None, notes: dict[str, str],
) -> pd.Series:  # fmt: skip
    """The move of each name by its betas to what moves; ``notes`` are told which."""
    factors = list(moves)
    if betas is not None and set(factors) <= set(betas.columns):
        used = betas.reindex(index=names, columns=factors).astype(float)
    else:
        recent = market.returns.iloc[-WINDOW:]
        used = estimated_betas(
            recent.reindex(columns=names), recent[[series[f] for f in factors]].set_axis(factors, axis=1)
        )
    spot = pd.Series(used.to_numpy() @ np.array([moves[f] for f in factors]), index=names)
    for name, (_, row) in zip(names, used.iterrows(), strict=True):
        if row.isna().any():
            notes[str(name)] = f"no beta to {', '.join(series.values())}: fewer than {MINIMUM} common returns"
        else:
            terms = " and ".join(f"{row[f]:.2f} x {series[f]} {moves[f]:+.1%}" for f in factors)
            floor = ", not below -100 %" if spot[name] < -1 else ""
            notes[str(name)] = f"by beta {terms}{floor}"
    return spot.clip(lower=-1.0)


def _direct(scenario: Scenario, names: pd.Index, market: MarketView) -> pd.Series:
    """Moves that the scenario gives a name or its sector; NaN for the others."""
    sectors = pd.Series(market.profiles["sector"].reindex(names), index=names)
    by_sector = sectors.map(dict(scenario.sectors)).astype(float)
    by_name = pd.Series(names.map(dict(scenario.names)), index=names, dtype=float)
    return by_name.where(by_name.notna(), by_sector)


def _replayed(
    scenario: Scenario, first: pd.Timestamp, last: pd.Timestamp, names: pd.Index, money: pd.Index, market: MarketView
) -> Shock:
    days = market.adjusted.index
    unknown = pd.Series(np.nan, index=names)
    if not len(days) or first < days[0] or last > days[-1]:
        there = f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}" if len(days) else "nothing"
        return Shock(unknown, pd.Series(np.nan, index=money), refusal=f"outside the market data, which has {there}")
    moves = _window_moves(market.adjusted, first, last)
    spot, notes = moves.reindex(names), _told_of_window(scenario)
    absent = spot.index[spot.isna() & ~spot.index.isin(list(scenario.names))]
    if len(absent):
        spot[absent], proxies = _proxies(absent, float(moves.get(market.benchmark, np.nan)), market)
        notes |= proxies
    direct = _direct(scenario, names, market)
    fx = _window_moves(market.fx, first, last).reindex(money)
    fx[money == market.base_currency] = 0.0
    fx.update(pd.Series(scenario.fx, dtype=float))
    change = float(np.log1p(market.rate(last)) - np.log1p(market.rate(first)))
    if np.isnan(change):
        notes[""] = f"{notes.get('', '')}; rates are not known over the window, and stay".removeprefix("; ")
    rate = scenario.rates + (0.0 if np.isnan(change) else change)
    return Shock(direct.where(direct.notna(), spot), fx, rate, notes)


def _told_of_window(scenario: Scenario) -> dict[str, str]:
    moved = scenario.volatility or scenario.volatility_points
    return {} if moved else {"": "no history of volatilities: each option keeps its own"}


def _proxies(names: pd.Index, benchmark_move: float, market: MarketView) -> tuple[Floats, dict[str, str]]:
    """Moves of names that had no prices then: beta of today x what the benchmark did, and a note each."""
    recent = market.returns.iloc[-WINDOW:]
    if market.benchmark not in recent or np.isnan(benchmark_move):
        return np.full(len(names), np.nan), dict.fromkeys(
            names, "no prices in the window, and no benchmark to stand in"
        )
    betas = estimated_betas(recent.reindex(columns=names), recent[[market.benchmark]])[market.benchmark]
    told = f"proxy: no prices in the window; beta {{:.2f}} x {market.benchmark} {benchmark_move:+.1%}"
    none = f"no prices in the window, and no beta: fewer than {MINIMUM} common returns"
    notes = {str(name): none if np.isnan(beta) else told.format(beta) for name, beta in betas.items()}
    return (betas * benchmark_move).clip(lower=-1.0).to_numpy(), notes


def _window_moves(levels: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.Series:
    """Simple return of each column from the close of ``first`` to that of ``last``; NaN where either is unknown."""
    ends = [_level(levels, day) for day in (first, last)]
    return (ends[1] / ends[0].where(ends[0] > 0)) - 1.0


def _level(levels: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    recent = levels.loc[:day].iloc[-1 - STALE :]
    return recent.ffill().iloc[-1] if len(recent) else pd.Series(np.nan, index=levels.columns)


def _has_returns(symbol: str, market: MarketView) -> bool:
    recent = market.returns.iloc[-WINDOW:]
    return symbol in recent and bool(np.isfinite(recent[symbol].to_numpy(dtype=float)).sum() >= MINIMUM)


def _finite(frame: pd.DataFrame) -> Floats:
    values = frame.to_numpy(dtype=float)
    return np.where(np.isfinite(values), values, np.nan)

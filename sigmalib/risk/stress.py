"""Stress: what the book gains or loses in each scenario, over a grid of moves, and by full revaluation only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.market import MarketView
from sigmalib.risk.scenario.approximation import Approximation, approximate
from sigmalib.risk.scenario.moves import Moves
from sigmalib.risk.scenario.reach import unreached
from sigmalib.risk.scenario.revaluation import revalued
from sigmalib.risk.scenario.reverse import ReverseStress, reverse_stress
from sigmalib.risk.scenario.scenarios import Scenario, parse_scenarios, standard_scenarios
from sigmalib.risk.scenario.shocks import Shock, direct_shock, shock_of

__all__ = [
    "Approximation", "Moves", "ReverseStress", "Scenario", "StressTable", "approximate", "grid", "parse_scenarios",
    "revalue", "reverse_stress", "standard_scenarios", "stress",
]  # fmt: skip

MOST_NAMED = 3


@dataclass(frozen=True, eq=False)
class StressTable:
    """What a book gains or loses in each scenario, base currency, gains positive.

    table : (scenario) x pnl, share (of ``base_name``), computable, left_out (positions in no total), reason; pnl is NaN
    where a scenario is not computable, never 0 in its stead. by_position : (scenario x holding). moves : (scenario x
    underlying) simple returns that were applied. notes : scenario, name and how its move was had.
    """

    table: pd.DataFrame
    by_position: pd.DataFrame
    moves: pd.DataFrame
    notes: pd.DataFrame
    base: float
    base_name: str

    def to_dict(self) -> dict[str, Any]:
        """Every number and sentence as plain values."""
        return {
            "scenarios": self.table.reset_index().to_dict("records"),
            "base": {"name": self.base_name, "value": self.base},
            "notes": self.notes.to_dict("records"),
            "convention": "instantaneous full revaluation, each option by its exercise style; gains positive",
        }


def revalue(
    holdings: pd.DataFrame,
    marks: pd.DataFrame,
    moves: Moves | pd.DataFrame | pd.Series | Mapping[str, float] | Scenario,
    *,
    market: MarketView | None = None,
) -> pd.DataFrame:
    """P&L of each holding in each scenario, base currency (scenario x holding), options repriced in full.

    holdings : HOLDINGS with ``fx``. marks : by option symbol, what ``marks.mark`` gives: right, style, spot, strike,
    expiry_years, rate, dividend_yield, volatility. moves : ``Moves``, or a frame of spot moves alone; a Series or
    mapping of spot moves by underlying is one scenario, in which a name it lacks is unknown; so is a ``Scenario``, in
    which it stays. That needs the ``market`` where it moves sectors, or names by their betas, or replays a window.
    The change is against the model's value at the unmoved market, so no move is exactly 0; past its expiry an option is
    worth what exercise gives. NaN where a move, a price or a term of the contract is unknown. Raises InputError for
    shapes that do not fit, and for a scenario that cannot be computed.
    Source: Black and Scholes (1973), Merton (1973).

    >>> book = pd.DataFrame({"symbol": ["AAA"], "kind": "LONG", "quantity": 10.0, "multiplier": 1.0, "fx": 1.0,
    ...     "price": 50.0, "currency": "USD", "underlying": "AAA", "right": None})
    >>> none = pd.DataFrame(columns=["right", "spot", "strike", "expiry_years", "rate", "dividend_yield", "volatility"])
    >>> revalue(book, none, pd.DataFrame({"AAA": [-0.1, 0.0]}))[0].tolist()
    [-50.0, 0.0]
    >>> revalue(book, none, Scenario("down", names={"AAA": -0.1}))[0].tolist()
    [-50.0]
    """
    if isinstance(moves, Scenario):
        shock = _shock(moves, holdings, market)
        if shock.refusal:
            raise InputError(f"scenario {moves.name!r} cannot be computed: {shock.refusal}")
        return _shocked([moves], [shock], holdings, marks)[0]
    if isinstance(moves, pd.Series):
        moves = moves.to_frame().T
    elif isinstance(moves, Mapping):
        moves = pd.DataFrame(moves, index=None if any(map(np.ndim, moves.values())) else [0])
    return revalued(holdings, marks, moves).frame


def stress(
    scenarios: Scenario | str | Iterable[Scenario], holdings: pd.DataFrame, marks: pd.DataFrame, market: MarketView,
    *, betas: pd.DataFrame | None = None,
) -> StressTable:  # fmt: skip
    """The book in each scenario; one that cannot be computed says why.

    scenarios : values, one value, or TOML text. market : with the series of the factors (``shocks.symbols_of``) and,
    for a window of the past, its closes. betas : (name x factor) to use instead of estimating them over 252 sessions.
    A name moves by its own shock, else its sector's, else by its betas; a position of unknown move is in no total.
    """
    cases = cases_of(scenarios)
    shocks = [_shock(case, holdings, market, betas) for case in cases]
    pnl, spot = _shocked(cases, shocks, holdings, marks)
    base, base_name = _base(holdings)
    rows = [_row(pnl.iloc[row], holdings, shock, base) for row, shock in enumerate(shocks)]
    notes = [
        (case.name, name, said) for case, shock in zip(cases, shocks, strict=True) for name, said in shock.notes.items()
    ]
    return StressTable(
        table=pd.DataFrame(rows, index=pnl.index, columns=["pnl", "share", "computable", "left_out", "reason"]),
        by_position=pnl,
        moves=spot,
        notes=pd.DataFrame(notes, columns=["scenario", "name", "note"]),
        base=base,
        base_name=base_name,
    )


def grid(
    holdings: pd.DataFrame, marks: pd.DataFrame, *, spots: Sequence[float], volatilities: Sequence[float] = (0.0,),
    days: Sequence[float] = (0.0,), betas: pd.Series | None = None,
) -> pd.Series:  # fmt: skip
    """P&L of the book over moves of spot, volatility and time, base currency.

    spots : simple returns of every underlying at once, or of the market when ``betas`` (by underlying) are given, each
    name then moving by its beta. volatilities : points added to each option's volatility, 0.05 is five. days : calendar
    days that pass. Returns a Series by (days, volatility, spot), in the order given: ``unstack("spot")`` is a picture.
    A position that cannot be revalued makes it NaN.
    """
    axes = {"days": days, "volatility": volatilities, "spot": spots}
    for name, values in axes.items():
        if not np.isfinite(np.asarray(values, dtype=float)).all() or not len(values):
            raise InputError(f"`{name}` of the grid must be one or more finite numbers, was {values!r}")
    cells = pd.MultiIndex.from_product(list(axes.values()), names=list(axes))
    names = holdings.loc[holdings["kind"] != "CASH", "underlying"].unique()
    slopes = np.ones(len(names)) if betas is None else betas.reindex(names).to_numpy(dtype=float)
    at = {name: cells.get_level_values(name).to_numpy(dtype=float) for name in axes}
    spot = pd.DataFrame(np.maximum(at["spot"][:, None] * slopes, -1.0), index=cells, columns=names)
    moves = Moves(spot, volatility_points=at["volatility"], days=at["days"])
    return pd.Series(revalued(holdings, marks, moves).total, index=cells, name="pnl")


def cases_of(scenarios: Scenario | str | Iterable[Scenario]) -> list[Scenario]:
    """The scenarios of values, of one value, or of TOML text; InputError for anything else, and for none at all."""
    if isinstance(scenarios, str):
        scenarios = parse_scenarios(scenarios)
    cases = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    strange = [case for case in cases if not isinstance(case, Scenario)]
    if strange or not cases:
        raise InputError(f"`scenarios` must be one or more Scenario values, was {strange[:1] or cases}")
    return cases


def _shock(
    case: Scenario, holdings: pd.DataFrame, market: MarketView | None, betas: pd.DataFrame | None = None
) -> Shock:
    """What a scenario does to the names and currencies of the book, with a note on the shocks that meet nothing."""
    names = holdings.loc[holdings["kind"] != "CASH", "underlying"].unique()
    money = holdings["currency"].unique()
    shock = direct_shock(case, names, money) if market is None else shock_of(case, names, money, market, betas=betas)
    told = [said for said in (unreached(case, holdings, market), shock.notes.get("", "")) if said]
    return replace(shock, notes=shock.notes | {"": "; ".join(told)}) if told else shock


def _shocked(
    cases: list[Scenario], shocks: list[Shock], holdings: pd.DataFrame, marks: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """P&L (scenario x holding), NaN where a shock is refused or does not say what a holding does, and spot moves."""
    invested = holdings["kind"] != "CASH"
    labels = pd.Index([case.name for case in cases], name="scenario")
    names = holdings.loc[invested, "underlying"].unique()
    spot = pd.DataFrame([shock.spot for shock in shocks]).set_axis(labels).reindex(columns=names).astype(float)
    moves = Moves(
        spot,
        fx=pd.DataFrame([shock.fx for shock in shocks]).set_axis(labels).astype(float),
        volatility=np.array([case.volatility for case in cases]),
        volatility_points=np.array([case.volatility_points for case in cases]),
        rate=np.array([shock.rate for shock in shocks]),
        days=np.array([case.days for case in cases]),
    )
    pnl = revalued(holdings, marks, moves).frame
    option = holdings["right"].isin(["call", "put"])
    for row, shock in enumerate(shocks):
        if shock.options_only:
            pnl.iloc[row, np.flatnonzero(invested & ~option)] = np.nan
        if shock.refusal:
            pnl.iloc[row] = np.nan
    return pnl, spot


def _row(pnl: pd.Series, holdings: pd.DataFrame, shock: Shock, base: float) -> tuple[float, float, bool, int, str]:
    """pnl, share, computable, left_out, reason of one scenario."""
    if shock.refusal:
        return np.nan, np.nan, False, len(pnl), shock.refusal
    unknown = pnl.isna()
    invested = (holdings["kind"] != "CASH").to_numpy()
    told = [shock.notes[""]] if "" in shock.notes else []
    if unknown[invested].all() and invested.any():
        why = (
            "no option in the book, and no rate series for the rest" if shock.options_only else "no position has a move"
        )
        return np.nan, np.nan, False, len(pnl), "; ".join([why, *told])
    if unknown.any():
        symbols = list(dict.fromkeys(holdings.loc[unknown.to_numpy(), "symbol"]))
        more = f" and {len(symbols) - MOST_NAMED} more" if len(symbols) > MOST_NAMED else ""
        told.append(f"partial: {', '.join(symbols[:MOST_NAMED])}{more} are in no total")
    total = float(pnl.sum())
    return total, total / base, True, int(unknown.sum()), "; ".join(told)


def _base(holdings: pd.DataFrame) -> tuple[float, str]:
    """NAV where it is known and positive, and gross market value elsewhere, as weights have it."""
    cash = holdings["kind"] == "CASH"
    value = holdings["market_value"] if "market_value" in holdings else pd.Series(np.nan, index=holdings.index)
    nav = float(value[cash].sum(min_count=1) + value[~cash].sum())
    if nav > 0:
        return nav, "NAV"
    return float(value[~cash].abs().sum()) or np.nan, "gross market value"

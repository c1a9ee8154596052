"""Historical simulation: today's holdings under each of the market's past moves."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import missing
from sigmalib.core.market import MarketView
from sigmalib.risk.scenario.moves import Moves
from sigmalib.risk.scenario.revaluation import revalued

WINDOW = 500  # sessions


@dataclass(frozen=True, eq=False)
class Simulation:
    """P&L of each holding on each past session (session x holding), base currency, without unknown values.

    moves : returns of all names over the window, each over ``horizon`` sessions that end at its label. gaps : by name
    or currency, the sessions whose move is unknown and whose scenario was dropped. beyond : holdings that have a value
    but cannot be revalued at all. volatility_shock : how the options' volatilities moved; "none" without a history of
    them: each option keeps its own.
    """

    by_position: pd.DataFrame
    moves: pd.DataFrame
    gaps: dict[str, list[pd.Timestamp]]
    beyond: pd.DataFrame
    horizon: int = 1
    window: int = WINDOW
    volatility_shock: str = "none"

    @property
    def pnl(self) -> pd.Series:
        """P&L of the book on each past session; empty when positions are held and none can be revalued."""
        return self.by_position.sum(axis=1).rename("pnl")

    @property
    def missing(self) -> pd.DataFrame:
        """MISSING: what is in no scenario, and which scenarios there are not."""
        dropped = [
            (
                name,
                "history",
                f"no return on {len(days)} of the last {self.window} sessions, latest {days[-1]:%Y-%m-%d}",
            )
            for name, days in self.gaps.items()
        ]
        reason = "cannot be revalued: no past returns, volatility, rate or dividend yield; in no tail measure"
        return missing(*dropped, *((symbol, "history", reason) for symbol in self.beyond["symbol"]))


def simulate(
    holdings: pd.DataFrame,
    marks: pd.DataFrame,
    market: MarketView,
    *,
    window: int = WINDOW,
    horizon: int = 1,
    volatility_moves: pd.DataFrame | None = None,
) -> Simulation:
    """The holdings that have a value under the joint moves of the last sessions, options repriced in full.

    window : how many scenarios at most. horizon : sessions that a move lasts; longer ones overlap, and no time passes
    for the options. volatility_moves : relative moves of the volatilities over the same sessions (session x
    underlying), where there is a history of them. A scenario in which a move that matters is unknown is dropped; a
    holding that no scenario can revalue is left out. Raises InputError for a window or horizon below 1.
    """
    for name, number in (("window", window), ("horizon", horizon)):
        if number < 1:
            raise InputError(f"`{name}` counts sessions and must be 1 or more, was {number}")
    moves, fx_moves = _past_moves(market, window=window, horizon=horizon)
    valued = holdings[holdings["market_value"].notna()]
    shock = 0.0 if volatility_moves is None else volatility_moves.reindex(moves.index)
    matrix = revalued(valued, marks, Moves(moves, fx=fx_moves, volatility=shock)).frame
    unknown = matrix.isna()
    dead = matrix.columns[unknown.all()] if len(matrix) else matrix.columns[:0]
    alive = valued.drop(index=dead)
    needed = pd.concat([moves[underlyings(alive)], fx_moves[_currencies(alive, fx_moves)]], axis=1)
    gaps = {str(name): list(needed.index[absent]) for name, absent in needed.isna().items() if absent.any()}
    whole = matrix.drop(columns=dead).dropna()
    invested = holdings["kind"] != "CASH"
    if invested.any() and not invested.loc[alive.index].any():
        whole = whole.iloc[:0]
    told = "none" if volatility_moves is None else "relative, as each underlying's volatility moved on the session"
    return Simulation(whole, moves, gaps, valued.loc[dead], horizon, window, told)


def _past_moves(market: MarketView, *, window: int = WINDOW, horizon: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simple returns of all names and of all currencies over ``horizon`` sessions, the last ``window`` of them."""
    returns = market.returns if horizon == 1 else _over(market.adjusted, horizon)
    moves = returns.iloc[-window:]
    return moves, _over(market.fx, horizon, first=0).reindex(moves.index)


def _over(levels: pd.DataFrame, horizon: int, *, first: int | None = None) -> pd.DataFrame:
    return levels.pct_change(horizon, fill_method=None).iloc[horizon if first is None else first :]


def underlyings(holdings: pd.DataFrame) -> list[str]:
    """The names whose moves the valued holdings depend on, sorted."""
    invested = holdings[holdings["market_value"].notna() & (holdings["kind"] != "CASH")]
    return sorted(invested["underlying"].unique())


def _currencies(holdings: pd.DataFrame, fx: pd.DataFrame) -> list[str]:
    return sorted(set(holdings["currency"]) & set(fx.columns))

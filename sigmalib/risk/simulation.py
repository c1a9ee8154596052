"""Historical simulation: today's holdings under each of the market's past one-day moves."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sigmalib.core.frames import missing
from sigmalib.core.market import MarketView
from sigmalib.risk import stress

WINDOW = 500  # sessions


@dataclass(frozen=True, eq=False)
class Simulation:
    """P&L of each holding on each past session (session x holding), base currency, without unknown values.

    moves : one-day returns of all names over the window. gaps : by name or currency, the sessions whose move is
    unknown and whose scenario was dropped. beyond : holdings that have a value but cannot be revalued at all.
    """

    by_position: pd.DataFrame
    moves: pd.DataFrame
    gaps: dict[str, list[pd.Timestamp]]
    beyond: pd.DataFrame

    @property
    def pnl(self) -> pd.Series:
        """P&L of the book on each past session; empty when positions are held and none can be revalued."""
        return self.by_position.sum(axis=1).rename("pnl")

    @property
    def missing(self) -> pd.DataFrame:
        """MISSING: what is in no scenario, and which scenarios there are not."""
        dropped = [
            (name, "history", f"no return on {len(days)} of the last {WINDOW} sessions, latest {days[-1]:%Y-%m-%d}")
            for name, days in self.gaps.items()
        ]
        reason = "cannot be revalued: no past returns, volatility, rate or dividend yield; in no tail measure"
        return missing(*dropped, *((symbol, "history", reason) for symbol in self.beyond["symbol"]))


def simulate(holdings: pd.DataFrame, marks: pd.DataFrame, market: MarketView) -> Simulation:
    """The holdings that have a value under the joint moves of the last 500 sessions, options repriced in full.

    A scenario in which a move that matters is unknown is dropped; a holding that no scenario can revalue is left out.
    """
    moves = market.returns.iloc[-WINDOW:]
    fx_moves = market.fx.pct_change(fill_method=None).reindex(moves.index)
    valued = holdings[holdings["market_value"].notna()]
    matrix = stress.revalue(valued, marks, moves, fx_moves)
    dead = matrix.columns[matrix.isna().all()] if len(matrix) else matrix.columns[:0]
    alive = valued.drop(index=dead)
    needed = pd.concat([moves[underlyings(alive)], fx_moves[_currencies(alive, fx_moves)]], axis=1)
    gaps = {str(name): list(needed.index[unknown]) for name, unknown in needed.isna().items() if unknown.any()}
    whole = matrix.drop(columns=dead).dropna()
    invested = holdings["kind"] != "CASH"
    if invested.any() and not invested.loc[alive.index].any():
        whole = whole.iloc[:0]
    return Simulation(whole, moves, gaps, valued.loc[dead])


def underlyings(holdings: pd.DataFrame) -> list[str]:
    """The names whose moves the valued holdings depend on, sorted."""
    invested = holdings[holdings["market_value"].notna() & (holdings["kind"] != "CASH")]
    return sorted(invested["underlying"].unique())


def _currencies(holdings: pd.DataFrame, fx: pd.DataFrame) -> list[str]:
    return sorted(set(holdings["currency"]) & set(fx.columns))

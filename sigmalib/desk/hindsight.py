"""Hindsight: what a book's own snapshots say about its measures of risk."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.desk.book import Book, parts_of
from sigmalib.desk.world import World, open_world
from sigmalib.risk.factors import factor_attribution, percentiles
from sigmalib.risk.report import LEVELS
from sigmalib.risk.tail import VarBacktest, backtest

EXPOSURES = "factors.exposures.*"


@dataclass(frozen=True, eq=False)
class Hindsight:
    """The past of a book against what was forecast.

    tests : by level, value at risk of each kept session against the P&L of the next. track : (session,) pnl_day, and
    var at each level as it was known the session before; base currency. factors : (factor) x current, percentile of
    the book's own history, observations, reason. attribution : (session x factor) P&L on the exposures of the session
    before, and what is unattributed; a row sums to the P&L.
    """

    tests: dict[float, VarBacktest]
    track: pd.DataFrame
    factors: pd.DataFrame
    attribution: pd.DataFrame


def hindsight(book: Book, *, world: World | None = None) -> Hindsight:
    """What the snapshots of ``book`` up to its as-of say; raises InputError with fewer than two of them."""
    world = world or open_world()
    if len(parts_of(book.name)) > 1:
        raise InputError(
            f"{book.name!r} is several books together and has no snapshots of its own; ask for one of them"
        )
    paths = {level: f"var.{level * 100:g}" for level in LEVELS}
    kept = world.store.traces(book.name, *paths.values(), end=book.market.as_of)
    if len(kept) < 2:
        raise InputError(
            f"book {book.name!r} has {len(kept)} snapshot(s) and two are needed; "
            f"make them with `sigma snapshot {book.name} --from DATE`"
        )
    exposures = world.store.traces(book.name, EXPOSURES, end=book.market.as_of)
    pnl = book.history["pnl_day"].reindex(kept.index)
    bets = book.report.bets
    return Hindsight(
        tests={level: backtest(pnl, kept[path], level, dated="at", missing="drop") for level, path in paths.items()},
        track=kept.shift(1).assign(pnl_day=pnl),
        factors=percentiles(bets.table["exposure"], exposures),
        attribution=factor_attribution(pnl, exposures, bets.proxies.returns.reindex(pnl.index)),
    )

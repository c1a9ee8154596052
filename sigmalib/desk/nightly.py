"""The night's work: value every session of a range and keep a snapshot of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from hashlib import blake2b

import pandas as pd

from sigmalib.core import __version__
from sigmalib.core.errors import InputError
from sigmalib.core.market import MarketView
from sigmalib.core.times import DateLike, sessions, sessions_before, to_date
from sigmalib.data.store import Counts, Snapshot
from sigmalib.desk.world import HISTORY, World, open_world
from sigmalib.risk.report import assess

Progress = Callable[[Iterable[pd.Timestamp], int], Iterable[pd.Timestamp]]


def snapshot(
    name: str,
    *,
    start: DateLike | None = None,
    end: DateLike | None = None,
    world: World | None = None,
    progress: Progress = lambda days, _: days,
) -> Counts:
    """Value book ``name`` at each session from ``start`` to ``end`` and keep what was found, once.

    start : default the end. end : default the latest session known. A session already kept from the same positions,
    data and version of the code is left as it is. ``progress`` wraps the sessions (and their count) as they are done.
    """
    world = world or open_world()
    last = world.as_of(end, what="--to")
    days = _range(last if start is None else start, last if end is None else end, last)
    version = world.store.version(name)
    positions = world.store.positions(name, version=version)
    market = world.market(positions, last, first=days[0].date())
    known = world.store.fingerprints(name)
    made = _taken(progress(days, len(days)), positions, market, known, version)
    counts = world.store.keep_snapshots(name, made, version=version)
    return counts._replace(unchanged=len(days) - counts.new - counts.revised)


def _range(start: DateLike, end: DateLike, last: date) -> pd.DatetimeIndex:
    """The sessions from ``start`` to ``last``; InputError when there are none of them."""
    first, requested = to_date(start, what="--from"), to_date(end, what="--to")
    if first > requested:
        raise InputError(f"--from {first} lies after --to {requested}; swap them, or name an earlier --from")
    if first > last:
        raise InputError(f"the exchange was closed from {first} to {requested}; the last session before is {last}")
    return sessions(first, last)


def _taken(
    days: Iterable[pd.Timestamp], positions: pd.DataFrame, market: MarketView, known: Mapping[date, str], version: int
) -> Iterator[Snapshot]:
    for day in days:
        view = _as_opened(market, day)
        fingerprint = _fingerprint(view, version)
        if known.get(day.date()) == fingerprint:
            continue
        report = assess(positions, view)
        valued = report.valuation
        yield Snapshot(
            session=view.as_of,
            nav=valued.nav,
            market_value=valued.market_value,
            gross_market_value=valued.gross_market_value,
            pnl_day=valued.pnl_day,
            pnl_total=valued.pnl_total,
            missing=len(report.missing),
            report=report.to_dict(),
            fingerprint=fingerprint,
        )


def _as_opened(market: MarketView, day: pd.Timestamp) -> MarketView:
    """The market at ``day`` with as much history as opening the book that day brings, whatever the range asked for."""
    view = market.until(day)
    start = pd.Timestamp(sessions_before(view.as_of, HISTORY))
    in_force = max(int(view.rates.index.searchsorted(start, side="right")) - 1, 0)
    return replace(
        view,
        closes=view.closes.loc[start:],
        adjusted=view.adjusted.loc[start:],
        rates=view.rates.iloc[in_force:],
        fx=view.fx.loc[start:],
    )


def _fingerprint(view: MarketView, version: int) -> str:
    """Sixteen hex digits of what a snapshot is made from: the data, the version of the book and of the code."""
    return blake2b(f"{view.fingerprint}|{version}|{__version__}".encode(), digest_size=8).hexdigest()

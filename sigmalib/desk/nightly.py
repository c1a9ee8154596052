"""The night's work: value every session of a range and keep a snapshot of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from hashlib import blake2b

import pandas as pd

from sigmalib.core import __version__
from sigmalib.core.errors import DataUnavailable, InputError
from sigmalib.core.market import MarketView
from sigmalib.core.times import DateLike, sessions, sessions_before, to_date
from sigmalib.data.exports import csv_text
from sigmalib.data.store import Counts, Snapshot
from sigmalib.desk.marketdata import fetch_books
from sigmalib.desk.world import HISTORY, World, open_world
from sigmalib.portfolio.actions import apply_splits
from sigmalib.portfolio.valuation import Valuation
from sigmalib.risk.report import assess

RANGED = ("price", "history", "rate")  # gaps that a source tells of the whole range it was asked for
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
    views = (_as_opened(world, positions, market, day) for day in progress(days, len(days)))
    made = _taken(views, positions, known, version)
    counts = world.store.keep_snapshots(name, made, version=version)
    return counts._replace(unchanged=len(days) - counts.new - counts.revised)


def evening(*, world: World | None = None, progress: Progress = lambda days, _: days) -> Iterator[str]:
    """The evening's chain: fetch what all books need, then keep a snapshot of each; a sentence as each step is done.

    Sessions since a book's latest snapshot are made up for. A source that ships with the product has nothing to fetch.
    When the source fails, the chain goes on with what is there, and raises DataUnavailable at its end.
    """
    world, failure = world or open_world(), ""
    names = list(world.store.books()["name"])
    if not names:
        raise InputError("no books yet; import one with `sigma book import FILE --book NAME`")
    if world.source.traits.ships:
        yield f"market data: the {world.source.name} source ships with the packages, nothing to fetch"
    else:
        done = fetch_books(names, world=world, progress=progress)
        told = f"{done.fetched:,} new bars of {len(done.symbols)} symbol(s), {len(done.missing)} missing"
        failure = next(iter(done.failed.values()), "")
        yield f"market data: {done.state}, {told}"
    for name in names:
        counts = snapshot(name, start=_first_not_kept(name, world), world=world)
        yield f"{name}: {counts.new} new, {counts.unchanged} unchanged, {counts.revised} revised"
    if failure:
        raise DataUnavailable(f"the snapshots are of what was there, because the source failed: {failure}")


def _first_not_kept(name: str, world: World) -> date | None:
    """The session after the latest snapshot of a book; None, for the latest session alone, when there is none of it."""
    kept = world.store.fingerprints(name)
    if not kept:
        return None
    later = sessions(max(kept) + timedelta(days=1), max(world.as_of(), max(kept) + timedelta(days=1)))
    return later[0].date() if len(later) else None


def _range(start: DateLike, end: DateLike, last: date) -> pd.DatetimeIndex:
    """The sessions from ``start`` to ``last``; InputError when there are none of them."""
    first, requested = to_date(start, what="--from"), to_date(end, what="--to")
    if first > requested:
        raise InputError(f"--from {first} lies after --to {requested}; swap them, or name an earlier --from")
    if first > last:
        raise InputError(f"the exchange was closed from {first} to {requested}; the last session before is {last}")
    return sessions(first, last)


def _taken(
    views: Iterable[MarketView], positions: pd.DataFrame, known: Mapping[date, str], version: int
) -> Iterator[Snapshot]:
    for view in views:
        fingerprint = _fingerprint(view, version)
        if known.get(view.as_of) == fingerprint:
            continue
        report = assess(apply_splits(positions, view.actions, view.as_of)[0], view)
        yield Snapshot(
            session=view.as_of,
            **_whole(report.valuation),
            missing=len(report.missing),
            report=report.headline(),
            fingerprint=fingerprint,
        )


def _whole(valued: Valuation) -> dict[str, float]:
    """The totals that history is made of, unknown where a holding's part is: half a total is no day's value."""
    priced, day, total = valued.holdings[["market_value", "pnl_day", "pnl_total"]].notna().all()
    known = {"nav": priced, "market_value": priced, "gross_market_value": priced, "pnl_day": day, "pnl_total": total}
    return {name: getattr(valued, name) if holds else float("nan") for name, holds in known.items()}


def _as_opened(world: World, positions: pd.DataFrame, market: MarketView, day: pd.Timestamp) -> MarketView:
    """The market at ``day`` as opening the book that day brings it, whatever the range asked for.

    Cut out of ``market`` for a source that ships. One that was fetched has chains by day, and actions and gaps by
    range: what each day knew is gathered on its own, as it is where the source had gaps.
    """
    if not world.source.traits.ships or market.missing["what"].isin(RANGED).any():
        return world.market(positions, day.date())
    view = market.until(day)
    start = pd.Timestamp(sessions_before(view.as_of, HISTORY))
    in_force = max(int(view.rates.index.searchsorted(start, side="right")) - 1, 0)
    return replace(
        view,
        closes=view.closes.loc[start:],
        adjusted=view.adjusted.loc[start:],
        rates=view.rates.iloc[in_force:],
        fx=view.fx.loc[min(start, pd.Timestamp(world.fx_start(positions) or start)) :],
    )


def _fingerprint(view: MarketView, version: int) -> str:
    """Sixteen hex digits of what a snapshot is made from: the data and its gaps, the version of book and code."""
    made_from = f"{view.fingerprint}|{version}|{__version__}|{csv_text(view.missing)}"
    return blake2b(made_from.encode(), digest_size=8).hexdigest()

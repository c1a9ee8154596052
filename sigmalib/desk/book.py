"""The book: import a file of positions, open it, and see what it is worth and can lose."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pandas as pd

from sigmalib.core.errors import PositionsRejected
from sigmalib.core.market import MarketView
from sigmalib.core.times import FIRST_DAY, DateLike, to_date
from sigmalib.data.files import read_table
from sigmalib.data.gather import gather
from sigmalib.data.sources import similar
from sigmalib.desk.world import World, open_world
from sigmalib.portfolio.actions import apply_splits
from sigmalib.portfolio.positions import ignored_columns, parse
from sigmalib.risk.report import RiskReport, assess
from sigmalib.risk.scenario.scenarios import Scenario
from sigmalib.risk.scenario.shocks import symbols_of

WARM_UP = timedelta(days=14)  # before the first window of the past, for a level at its start


@dataclass(frozen=True, eq=False)
class Book:
    """A book as it stands: its positions in the shares of the as-of (splits since entry applied), the market it was
    seen against, its risk, and its kept history.

    history : one row a kept snapshot (session,), money in base currency, and the ``version`` of the book it was made
    from; empty until ``sigma snapshot`` has run.
    """

    name: str
    positions: pd.DataFrame
    market: MarketView
    report: RiskReport
    history: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Imported:
    """What an import did: ``changed`` is false when the book already held exactly these positions.

    ignored : columns that were kept out. unpriced : underlyings that the source has no prices of; remedy : what to do.
    """

    name: str
    version: int
    rows: int
    changed: bool
    rejected: pd.DataFrame
    ignored: tuple[str, ...]
    unpriced: tuple[str, ...]
    remedy: str


@dataclass(frozen=True, eq=False)
class Assessment:
    """A file of positions and its risk, with the rows that were refused."""

    report: RiskReport
    rejected: pd.DataFrame


def import_book(path: Path | str, *, name: str, skip_bad: bool = False, world: World | None = None) -> Imported:
    """Import a CSV of positions as book ``name``; nothing is kept while one row is bad, unless ``skip_bad``.

    Raises PositionsRejected with every bad row; importing the same file again changes nothing.
    """
    world = world or open_world(create=True)
    path = Path(path)
    positions, rejected, ignored = _read(path, world, skip_bad=skip_bad)
    kept = world.store.keep_book(
        name, positions, file=_told(path), base_currency=world.settings.base_currency, at=world.now()
    )
    unknown = sorted(set(positions.loc[positions["kind"] != "CASH", "underlying"]) - set(world.source.coverage().index))
    remedy = "" if world.source.traits.ships or not unknown else f"run `sigma data fetch --book {name}`"
    near = [] if world.source.traits.ships else [similar(symbol, world.listed().index) for symbol in unknown]
    remedy = "; ".join(sentence for sentence in (*near, remedy) if sentence)
    return Imported(kept.name, kept.version, kept.rows, kept.changed, rejected, ignored, tuple(unknown), remedy)


def assess_file(path: Path | str, *, as_of: DateLike | None = None, world: World | None = None) -> Assessment:
    """The risk of a CSV of positions without keeping it as a book."""
    world = world or open_world()
    positions, rejected, _ = _read(Path(path), world, skip_bad=False)
    market = world.market(positions, world.as_of(as_of))
    held, splits = apply_splits(positions, market.actions, market.as_of)
    report = _assessed(held, market, as_of, world)
    return Assessment(replace(report, notes=(*report.notes, *splits["sentence"])), rejected)


def open_book(
    name: str, *, as_of: DateLike | None = None, known_at: datetime | str | None = None, world: World | None = None
) -> Book:
    """The kept book ``name`` at the close of ``as_of`` (default: the latest session the source knows).

    name : of one book, or of several joined by a plus sign: ``a+b`` is one netted book, in which each holding has the
    ``book`` it comes from. known_at : an instant with its zone; market data that became known later is left out
    (default: all that is stored).
    """
    world = world or open_world()
    world = world if known_at is None else world.then(known_at)
    versions = {part: world.store.version(part) for part in parts_of(name)}
    positions = _positions(versions, world)
    market = world.market(positions, world.as_of(as_of))
    histories = {part: world.store.snapshots(part, end=market.as_of) for part in versions}
    held, splits = apply_splits(positions, market.actions, market.as_of)
    report = _assessed(held, market, as_of, world)
    mixed = [note for part, history in histories.items() for note in _mixed(part, history, versions[part])]
    report = replace(report, notes=(*report.notes, *splits["sentence"], *mixed))
    return Book(name, held, market, report, _together(histories))


def parts_of(name: str) -> list[str]:
    """The books that a name stands for: itself, or those joined by plus signs, each once.

    >>> parts_of("core + hedges")
    ['core', 'hedges']
    """
    return list(dict.fromkeys(part.strip() for part in name.split("+")))


def _positions(versions: Mapping[str, int], world: World) -> pd.DataFrame:
    """The positions of one book, or of several below each other with a column ``book``."""
    found = {part: world.store.positions(part, version=version) for part, version in versions.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    return pd.concat([rows.assign(book=part) for part, rows in found.items()], ignore_index=True)


def _together(histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The history of one book, or the sums of several on the sessions that all of them have."""
    if len(histories) == 1:
        return next(iter(histories.values()))
    every = pd.concat(histories.values())
    sums = every.groupby(level="session").sum(min_count=len(histories))
    shared = every.groupby(level="session").size() == len(histories)
    return sums[shared].astype({"missing": "int64", "version": "int64"})


def books(world: World | None = None) -> pd.DataFrame:
    """The kept books: name, positions, version, file, when imported, and which snapshots there are."""
    return (world or open_world()).store.books()


def _read(path: Path, world: World, *, skip_bad: bool) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    table = read_table(path)
    positions, rejected = parse(table, as_of=world.now().date(), base_currency=world.settings.base_currency)
    if len(rejected) and not skip_bad:
        raise PositionsRejected(_told(path), rejected)
    return positions, rejected, ignored_columns(table)


def _told(path: Path) -> str:
    """The name of a file as text that anything can keep, whatever bytes it is made of."""
    return os.fsencode(path.name).decode("utf-8", errors="replace")


def _assessed(positions: pd.DataFrame, market: MarketView, requested: DateLike | None, world: World) -> RiskReport:
    report = assess(positions, market, past=partial(_past, positions, market, world))
    return replace(report, notes=(*_moved(requested, market.as_of), *report.notes))


def _past(positions: pd.DataFrame, market: MarketView, world: World, scenarios: Sequence[Scenario]) -> MarketView:
    """The same market from the first window of the scenarios on, with the series of the factors that these name."""
    covered = world.source.coverage().index
    starts = [each.start for each in scenarios if each.start and each.start > FIRST_DAY + WARM_UP]
    return gather(
        world.source,
        sorted({*market.closes.columns, *covered.intersection(symbols_of(scenarios))}),
        market.as_of,
        start=min([*(start - WARM_UP for start in starts), market.closes.index[0].date()]),
        benchmark=market.benchmark,
        base_currency=market.base_currency,
        currencies=sorted(set(positions["currency"])),
    )


def _moved(requested: DateLike | None, as_of: date) -> tuple[str, ...]:
    """A note when the as-of asked for is no trading day."""
    if requested is None or to_date(requested) == as_of:
        return ()
    return (f"{to_date(requested)} is not a trading day in New York; shown as of the session before, {as_of}",)


def _mixed(name: str, history: pd.DataFrame, version: int) -> tuple[str, ...]:
    """A note when some of the history was made from other positions than the book has now."""
    other = history.index[history["version"] != version]
    if other.empty:
        return ()
    first, last = other.min().date(), other.max().date()
    return (
        f"{len(other)} of the {len(history)} sessions of the history, from {first} to {last}, are of an earlier "
        f"version of the book; run `sigma snapshot {name} --from {first} --to {last}` to value them anew",
    )

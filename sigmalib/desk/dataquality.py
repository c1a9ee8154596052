"""Data quality: how complete and how believable the stored prices of a source are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.times import DateLike, to_date
from sigmalib.data import quality
from sigmalib.data.cache.shelf import Shelf
from sigmalib.data.sources import Source, source_class
from sigmalib.data.stored import Stored
from sigmalib.desk.world import World, open_world


@dataclass(frozen=True, eq=False)
class DataCheck:
    """How good the daily bars of a source are from ``start`` to ``end``.

    findings : FINDINGS. coverage : by symbol first, last, sessions, expected, missing, share (fraction of the expected
    sessions). by_month : (symbol x month) shares. quarantined : rows kept apart, with the reason. revised : every
    version of each bar that was revised, with when it was known. damaged : files of the record that were set aside.
    """

    source: str
    start: date
    end: date
    findings: pd.DataFrame
    coverage: pd.DataFrame
    by_month: pd.DataFrame
    quarantined: pd.DataFrame
    revised: pd.DataFrame
    damaged: tuple[str, ...]

    @property
    def share(self) -> float:
        """Fraction of the sessions expected of all symbols that are there; NaN when none was expected."""
        expected = self.coverage["expected"].sum()
        return float(self.coverage["sessions"].sum() / expected) if expected else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Everything but the picture by month, for a program."""
        return {
            "source": self.source, "start": self.start, "end": self.end, "share": self.share,
            "findings": self.findings, "coverage": self.coverage.rename_axis("symbol").reset_index(),
            "quarantined": self.quarantined, "revised": self.revised, "damaged": list(self.damaged),
        }  # fmt: skip


def check_data(
    symbols: Sequence[str] = (),
    *,
    source: str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    world: World | None = None,
) -> DataCheck:
    """Look for gaps, stale, doubtful and impossible prices, revisions and damaged files in the daily bars of a source.

    symbols, start, end : default all that is there. Raises InputError when there is nothing of what was asked for.
    """
    world = world or open_world()
    reader = _reader(source or world.settings.source, world)
    shelf = world.cache.shelf(reader.name, "1d", "")
    damaged = tuple(shelf.verify())
    known = _known(reader, shelf, symbols)
    first = to_date(start, what="--start") if start else known["first"].min().date()
    last = to_date(end, what="--end") if end else known["last"].max().date()
    if first > last:
        raise InputError(f"--start {first} lies after --end {last}; swap them")
    bars = reader.bars(list(known.index), first, last).frame
    bad = _of(shelf.panel().quarantine, known.index)
    findings = quality.findings(
        bars, start=first, end=last, now=pd.Timestamp(world.now()), bad=_as_bars(bad, reader.name) if len(bad) else None
    )
    return DataCheck(
        source=reader.name,
        start=first,
        end=last,
        findings=findings,
        coverage=quality.coverage(bars, start=first, end=last),
        by_month=quality.coverage_by_month(bars, first, last),
        quarantined=bad,
        revised=_of(shelf.history(), known.index),
        damaged=damaged,
    )


def check_all(
    symbols: Sequence[str] = (),
    *,
    start: DateLike | None = None,
    end: DateLike | None = None,
    world: World | None = None,
) -> list[DataCheck]:
    """``check_data`` of every source that something was fetched from, or of the one in use when nothing was."""
    world = world or open_world()
    fetched = sorted({source for source, interval, *_ in world.cache.shelves() if interval == "1d"})
    return [
        check_data(symbols, source=name, start=start, end=end, world=world)
        for name in fetched or [world.settings.source]
        if not symbols or set(_upper(symbols)) <= set(_reader(name, world).coverage().index) or len(fetched) < 2
    ]


def together(checks: Sequence[DataCheck]) -> dict[str, Any]:
    """Several checks as one, for a program: each row with its source."""
    tables = ("findings", "coverage", "quarantined", "revised")
    plain = [check.to_dict() for check in checks]
    merged = {name: pd.concat([each[name].assign(source=each["source"]) for each in plain]) for name in tables}
    about = [{name: each[name] for name in ("source", "start", "end", "share")} for each in plain]
    return {"checks": about, **merged, "damaged": [name for each in plain for name in each["damaged"]]}


def _upper(symbols: Sequence[str]) -> list[str]:
    return [symbol.strip().upper() for symbol in symbols]


def _reader(name: str, world: World) -> Source:
    """The source as it is read: itself when it is in use, else what was fetched from it."""
    return world.source if world.source.name == name else Stored(name, source_class(name).traits, world.cache)


def _known(reader: Source, shelf: Shelf, symbols: Sequence[str]) -> pd.DataFrame:
    """First and last session of ``symbols``, or of all there are; of one that is all in quarantine, its rows' there."""
    held, apart = reader.coverage()[["first", "last"]], shelf.panel().quarantine
    if len(apart):
        rows = apart.groupby("symbol")["session"].agg(first="min", last="max")
        held = pd.concat([held, rows[~rows.index.isin(held.index)]])
    wanted = _upper(symbols) or list(held.index)
    absent = [symbol for symbol in wanted if symbol not in held.index]
    if absent or not wanted:
        asked = " ".join(absent) or "SYMBOL"
        told = f"no daily bars of {', '.join(absent)} were" if absent else "nothing was"
        how = f"`sigma data fetch {asked} --source {reader.name}`"
        raise InputError(f"{told} fetched from {reader.name} yet; run {how}")
    return held.loc[wanted]


def _of(rows: pd.DataFrame, symbols: pd.Index) -> pd.DataFrame:
    return rows[rows["symbol"].isin(symbols)].reset_index(drop=True) if len(rows) else rows


def _as_bars(bad: pd.DataFrame, source: str) -> pd.DataFrame:
    columns = bad.drop(columns=["known_at", "fetch_id"], errors="ignore").assign(source=source)
    return columns.set_index(["session", "symbol"])

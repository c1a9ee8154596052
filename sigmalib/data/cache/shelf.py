"""A shelf of the cache: one part of the record with its reading copy; rows go in once, and queries come out fast."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sigmalib.core.frames import BARS
from sigmalib.data.cache.copies import open_copy, write_copy
from sigmalib.data.cache.panel import CLOSE, FIELDS, Panel, Rows
from sigmalib.data.cache.record import DAY, Asked, Batch, BatchName, Record, Span, without

log = logging.getLogger(__name__)
Query = TypeVar("Query", bound=Callable[..., Any])

FOLD, SMALL = 3, 500_000_000  # a new reading copy is written after so many batches, or at once below so many bytes
NOTHING = pd.DataFrame()
NONE_REVISED = pd.DataFrame(columns=["symbol", "before", "after"])
KEPT_FRAMES = 8
KEPT_PASTS = 2


@dataclass(frozen=True, eq=False)
class Committed:
    """What became of a batch: rows that were new, quarantined, and ``revised``: (symbol, time, close before, after)."""

    new: int = 0
    quarantined: int = 0
    revised: pd.DataFrame = field(default_factory=lambda: NONE_REVISED)


def _in_one_thread(query: Query) -> Query:
    """``query``, a method that reads the panel, while no other thread changes it."""

    @wraps(query)
    def alone(shelf: Shelf, *args: Any, **options: Any) -> Any:
        with shelf._one_thread:
            return query(shelf, *args, **options)

    return cast(Query, alone)


class Shelf:
    """Bars of one source and interval (for minutes: of one symbol). ``time`` names the time column: session or time."""

    def __init__(self, record: Record, copies: Path, *, time: str, zone: str = "UTC") -> None:
        self.record, self.copies, self.time, self.zone = record, copies, time, zone
        self._panel: Panel | None = None
        self._seen: object = None
        self._one_thread = threading.RLock()
        self._frames: dict[tuple[object, ...], pd.DataFrame] = {}
        self._past = lru_cache(maxsize=KEPT_PASTS)(self._read_past)

    def panel(self, known_at: datetime | None = None) -> Panel:
        """All that is stored, or all that was known at ``known_at``; brought up to date with other writers."""
        with self._one_thread:
            changed = self.record.changed()
            if self._panel is None or changed is None or changed != self._seen:
                self._catch_up(self.record.names())
                self._seen = changed
            assert self._panel is not None
            if known_at is None:
                return self._panel
            return self._past(known_at, self._panel.fingerprint)

    def commit(
        self,
        good: pd.DataFrame,
        bad: pd.DataFrame,
        asked: Asked,
        *,
        fetch_id: str,
        at: datetime,
    ) -> Committed:
        """Add what is new or revised among ``good`` and ``bad`` rows, with what was asked for, as one batch or none.

        good : BARS (MINUTES), each row once. bad : the same with a ``reason``. A row that is held with the same values
        is left out, so that any number of writers leave each row once.
        """
        with self._one_thread, self.record.writing():
            panel = self.panel()
            rows = panel.completed(Rows.of(good))
            known = panel.compare(rows)
            unseen = self._unseen(bad, panel)
            chosen = known.new | known.revised
            if not (chosen.any() or len(unseen) or any(_adds(panel, *each) for each in asked.items())):
                return Committed()
            revised = self._revised(panel, rows.where(known.revised)) if known.revised.any() else NONE_REVISED
            rows = rows.where(chosen)
            name = self.record.add(_table(rows, unseen, self.time), asked, fetch_id=fetch_id, at=at)
            panel.apply(name, rows, unseen, asked)
            self._seen = self.record.changed()
            self._frames.clear()
        return Committed(int(known.new.sum()), len(unseen), revised)

    def fold(self) -> None:
        """Write a new reading copy when the record has gone past the one there is; of much data, well past."""
        panel = self.panel()
        if panel.unwritten and (panel.unwritten >= FOLD or panel.planes.nbytes < SMALL):
            with self._one_thread, self.record.writing():
                try:
                    write_copy(self.panel(), self.copies)
                except OSError as error:  # it is only a copy: the record is whole, and answers more slowly
                    log.warning("no reading copy could be written to %s (%s); make room", self.copies, error.strerror)

    def verify(self) -> list[str]:
        """Read every batch again; the names of those that are damaged, now or earlier, which are set aside."""
        for name in self.record.names():
            self.record.read(name)
        return self.record.damaged()

    def missing(self, symbol: str, span: Span, known_at: datetime | None = None) -> list[Span]:
        """The parts of ``span`` that were never asked for."""
        return without(span, self.panel(known_at).coverage.get(symbol, []))

    def count(self, symbol: str, span: Span, known_at: datetime | None = None) -> int:
        """How many bars of ``symbol`` there are from the first to the last day of ``span``."""
        return len(self._times(symbol, span, known_at))

    def quarantined(self, symbol: str) -> int:
        """How many rows of ``symbol`` are in quarantine."""
        held = self.panel().quarantine
        return int((held["symbol"] == symbol).sum()) if len(held) else 0

    def size(self, symbol: str) -> int:
        """How many bars of ``symbol`` there are."""
        return len(self._times(symbol))

    def days(self, symbol: str) -> pd.DatetimeIndex:
        """The days on which ``symbol`` has a bar."""
        times = _index(self._times(symbol), self.time)
        return (times.tz_convert(self.zone).tz_localize(None) if self.time == "time" else times).normalize().unique()

    def instants(self, span: Span) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The first and the last microsecond of a span of days; for minutes of the days of the exchange, in UTC."""
        first, after = pd.Timestamp(span[0]), pd.Timestamp(span[1] + DAY)
        if self.time == "time":
            first, after = (day.tz_localize(self.zone).tz_convert("UTC") for day in (first, after))
        return first, after - pd.Timedelta(microseconds=1)

    @_in_one_thread
    def wide(
        self,
        field_name: str,
        symbols: Sequence[str],
        start: pd.Timestamp,
        end: pd.Timestamp,
        known_at: datetime | None = None,
    ) -> pd.DataFrame:
        """One field of many symbols (time x symbol) from ``start`` to ``end``; NaN where there is none.

        Times are those at which any symbol of the shelf has a bar. The frame is shared: pandas copies it on write.
        """
        panel = self.panel(known_at)
        key = (field_name, tuple(symbols), start, end, known_at, len(panel.batches))
        found = self._frames.get(key)
        if found is None:
            found = _wide(panel, field_name, list(symbols), start, end, self.time)
            if len(self._frames) >= KEPT_FRAMES:
                self._frames.pop(next(iter(self._frames)))
            self._frames[key] = found
        return found.copy(deep=False)

    @_in_one_thread
    def series(
        self, symbol: str, start: pd.Timestamp, end: pd.Timestamp, known_at: datetime | None = None
    ) -> pd.DataFrame:
        """All fields of one symbol (time x field), only times at which it has a close."""
        panel = self.panel(known_at)
        if symbol not in panel.at:
            return pd.DataFrame(
                columns=list(FIELDS), index=_index(np.empty(0, dtype="int64"), self.time), dtype="float64"
            )
        first, last = _bounds(panel, start, end)
        values = panel.planes[:, panel.at[symbol], first:last]
        known = ~np.isnan(values[CLOSE])
        whole = known.all()
        times = panel.times[first:last]
        values = np.ascontiguousarray(values) if whole else values[:, known]
        return pd.DataFrame(
            values.T, index=_index(times if whole else times[known], self.time), columns=list(FIELDS), copy=False
        )

    @_in_one_thread
    def session(self, at: pd.Timestamp, known_at: datetime | None = None) -> pd.DataFrame:
        """All symbols at one time (symbol x field), only those with a close."""
        panel = self.panel(known_at)
        place = int(np.searchsorted(panel.times, _micros(at)))
        if place >= panel.count or panel.times[place] != _micros(at):
            return pd.DataFrame(columns=list(FIELDS), index=pd.Index([], name="symbol", dtype="str"), dtype="float64")
        values = panel.by_day()[place]
        known = ~np.isnan(values[CLOSE])
        names = pd.Index(panel.symbols, name="symbol", dtype="str")[known]
        return pd.DataFrame(values[:, known].T, index=names, columns=list(FIELDS))

    @_in_one_thread
    def bars(
        self,
        symbols: Sequence[str],
        start: pd.Timestamp,
        end: pd.Timestamp,
        known_at: datetime | None = None,
    ) -> pd.DataFrame:
        """BARS (MINUTES) of some symbols in long form, sorted by time and symbol."""
        panel = self.panel(known_at)
        held = sorted({symbol for symbol in symbols if symbol in panel.at})
        first, last = _bounds(panel, start, end)
        places = [panel.at[symbol] for symbol in held]
        values = panel.planes[:, places, first:last].transpose(2, 1, 0)
        time, symbol = np.nonzero(~np.isnan(values[:, :, CLOSE]))
        names = pd.Index(held, dtype="str", name="symbol")
        index = pd.MultiIndex.from_arrays(
            [_index(panel.times[first:last], self.time)[time], names[symbol]], names=[self.time, "symbol"]
        )
        frame = pd.DataFrame(values[time, symbol], index=index, columns=list(FIELDS))
        return frame.assign(source=pd.Series(self.record.source, frame.index, dtype="str"))[BARS.names]

    def history(self) -> pd.DataFrame:
        """Every version of every row that was revised: time, symbol, FIELDS, known_at, source, fetch_id, in order."""
        names = self.record.names() if self.panel().revisions else []
        read = filter(None, (self.record.read(name) for name in names))
        frames = [batch.frame[batch.frame["reason"].isna()] for batch in read if batch.table.num_rows]
        if not frames:
            return pd.DataFrame(columns=[self.time, "symbol", *FIELDS, "known_at", "source", "fetch_id"])
        rows = pd.concat(frames, ignore_index=True).drop(columns="reason")
        several = rows.duplicated([self.time, "symbol"], keep=False)
        return rows[several].sort_values(["symbol", self.time, "known_at"], ignore_index=True)

    @_in_one_thread
    def _times(self, symbol: str, span: Span | None = None, known_at: datetime | None = None) -> np.ndarray:
        panel = self.panel(known_at)
        if symbol not in panel.at:
            return np.empty(0, dtype="int64")
        first, last = (0, panel.count) if span is None else _bounds(panel, *self.instants(span))
        return panel.times[first:last][~np.isnan(panel.planes[CLOSE, panel.at[symbol], first:last])]

    def _catch_up(self, names: Sequence[BatchName]) -> None:
        """Make the panel hold exactly the batches of the record."""
        by_name, lost = {name.name: name for name in names}, self.record.lost()
        if self._panel is None or not _is_part(self._panel, by_name) or set(self._panel.lost) != set(lost):
            self._panel = open_copy(self.copies, by_name, lost) or Panel()
        newer = [name for name in names if name.name not in self._panel.batches]
        if newer and self._panel.batches and newer[0].name < max(self._panel.batches):
            self._panel, newer = Panel(), list(names)  # somebody else's batch became known before ours
        self._bring_in(self._panel, newer, {name: lost[name] for name in lost if name not in self._panel.lost})
        self._frames.clear()

    def _bring_in(self, panel: Panel, names: Sequence[BatchName], lost: Mapping[str, Asked | None]) -> None:
        """Apply batches to ``panel`` in the order they became known; where one was lost, its coverage is taken back."""
        read = {name.name: batch for name in names if (batch := self.record.read(name)) is not None}
        unreadable = [name.name for name in names if name.name not in read]  # set aside just now
        lost = {**lost, **{name: asked for name, asked in self.record.lost().items() if name in unreadable}}
        parts = {name: _parts(batch, self.time) for name, batch in read.items()}
        panel.reserve([rows for rows, _, _ in parts.values()])
        known = {name.name: name for name in names}
        for name in sorted({*parts, *lost}):
            if name in parts:
                panel.apply(known[name], *parts[name])
            else:
                panel.forget(name, lost[name])

    def _read_past(self, known_at: datetime, fingerprint: str) -> Panel:
        del fingerprint  # part of the key: another record has another past
        past, stamp = Panel(), known_at
        self._bring_in(past, [name for name in self.record.names() if name.known_at <= stamp], {})
        return past

    def _revised(self, panel: Panel, rows: Rows) -> pd.DataFrame:
        before = panel.held(rows)[:, CLOSE]
        return pd.DataFrame(
            {"symbol": rows.symbols, self.time: _index(rows.times, self.time), "before": before,
             "after": rows.values[:, CLOSE]}
        )  # fmt: skip

    def _unseen(self, bad: pd.DataFrame, panel: Panel) -> pd.DataFrame:
        """Bad rows that are not in quarantine yet, as columns."""
        if bad.empty:
            return NOTHING
        columns = [self.time, "symbol", *FIELDS, "reason"]
        found = bad.reset_index()[columns]
        if panel.quarantine.empty:
            return found
        held = panel.quarantine[columns].drop_duplicates()
        both = pd.concat([held, found], ignore_index=True)
        return both[~both.duplicated() & (np.arange(len(both)) >= len(held))].reset_index(drop=True)


def _table(rows: Rows, bad: pd.DataFrame, time: str) -> pa.Table:
    """Good rows and bad ones, which have a reason, as one table."""
    kind = pa.timestamp("us", tz="UTC" if time == "time" else None)
    symbols = pa.DictionaryArray.from_arrays(rows.codes.astype("int32"), pa.array(rows.names, pa.string()))
    columns = {time: pa.array(rows.times.view("datetime64[us]")).cast(kind), "symbol": symbols}
    columns |= {name: pa.array(rows.values[:, place]) for place, name in enumerate(FIELDS)}
    good = pa.table(columns).append_column("reason", pa.nulls(len(rows.times), pa.string()))
    if bad.empty:
        return good
    return pa.concat_tables(
        [good, pa.Table.from_pandas(bad, preserve_index=False).cast(good.schema)]
    ).unify_dictionaries()


def _parts(batch: Batch, time: str) -> tuple[Rows, pd.DataFrame, Asked]:
    """A batch as it is applied: good rows, bad ones, and what was asked for."""
    is_good = pc.is_null(batch.table["reason"])
    good = batch.table.filter(is_good)
    symbols = good["symbol"].combine_chunks()
    times = good[time].cast(pa.timestamp("us")).cast("int64").to_numpy()
    values = np.column_stack([good[name].to_numpy() for name in FIELDS])
    rows = Rows(symbols.dictionary.to_pylist(), symbols.indices.to_numpy(), times, values)
    return rows, batch.table.filter(pc.invert(is_good)).to_pandas(), batch.asked


def _adds(panel: Panel, symbol: str, spans: Sequence[Span]) -> bool:
    """Whether some of ``spans`` was never asked for before."""
    covered = panel.coverage.get(symbol, ())
    return not all(any(first <= start and end <= last for first, last in covered) for start, end in spans)


def _is_part(panel: Panel, names: Mapping[str, BatchName]) -> bool:
    """Whether every batch of ``panel`` is still in the record as it was."""
    return all(name in names and list(names[name].state) == state for name, state in panel.batches.items())


def _bounds(panel: Panel, start: pd.Timestamp, end: pd.Timestamp) -> tuple[int, int]:
    """Places of the first time from ``start`` on and of the first after ``end``."""
    first = int(np.searchsorted(panel.times, _micros(start)))
    return first, int(np.searchsorted(panel.times, _micros(end), side="right"))


def _micros(at: pd.Timestamp) -> int:
    return int(at.as_unit("us").asm8.astype("int64"))


def _index(times: np.ndarray, name: str) -> pd.DatetimeIndex:
    found = pd.DatetimeIndex(times.view("datetime64[us]"), name=name, copy=False)
    return found.tz_localize("UTC") if name == "time" else found


def _wide(
    panel: Panel, field_name: str, symbols: list[str], start: pd.Timestamp, end: pd.Timestamp, time: str
) -> pd.DataFrame:
    first, last = _bounds(panel, start, end)
    plane = panel.planes[FIELDS.index(field_name)]
    if symbols == panel.symbols:
        values = plane[:, first:last].copy()
    else:
        values = np.full((len(symbols), last - first), np.nan)
        held = [row for row, symbol in enumerate(symbols) if symbol in panel.at]
        values[held] = plane[[panel.at[symbols[row]] for row in held], first:last]
    columns = pd.Index(symbols, dtype="str", name="symbol")
    return pd.DataFrame(values.T, index=_index(panel.times[first:last], time), columns=columns, copy=False)

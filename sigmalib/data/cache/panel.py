"""The panel: one part of the record as dense arrays in memory, symbol by symbol, and day by day for one session's row.

    planes  (field x symbol x time)   a symbol's series and a field's whole panel each lie in one piece
    days    (time x field x symbol)   all symbols of one session lie in one piece; made when first asked for

Times are microseconds since 1970: naive midnights for sessions, UTC for minutes. Batches are brought in in the order in
which they became known; a later value of the same row replaces the earlier one here, while the record keeps both.

The plane ``adjusted_close`` starts at the first close there is and grows with the total return: it equals the close
until the first dividend or split, and no later one ever changes an earlier value. Growth over a session beyond that of
the price is C_u / (C_u / split - dividend), where u is the session before that has a close: the reciprocal of the
factor by which vendors adjust the past (CRSP), so that returns are those of their adjusted close. An adjusted close
that a source gives is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pandas as pd

from sigmalib.data.cache.record import Asked, BatchName, Span, covering, without

FIELDS = ("open", "high", "low", "close", "adjusted_close", "volume", "dividend", "split")
CLOSE, ADJUSTED, DIVIDEND, SPLIT = (FIELDS.index(name) for name in ("close", "adjusted_close", "dividend", "split"))
SAME = 1e-6  # vendors send prices in single precision: a smaller relative difference is no revision
ROOM = 64  # sessions that can be appended before the arrays must grow

Array = np.ndarray


class Rows(NamedTuple):
    """Good rows as arrays: ``names`` and the code of each row's, times (microseconds), values (row x field)."""

    names: list[str]
    codes: Array
    times: Array
    values: Array

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Rows:
        """The rows of BARS or MINUTES, out of their index without a copy of each symbol."""
        index = frame.index
        assert isinstance(index, pd.MultiIndex)
        time, symbol = index.levels
        time_codes, codes = (np.asarray(found) for found in index.codes)
        times = time.to_numpy(dtype="datetime64[us]").astype("int64")[time_codes]
        return cls(symbol.tolist(), codes, times, frame[list(FIELDS)].to_numpy(dtype="float64"))

    def where(self, chosen: Array) -> Rows:
        """Some of the rows."""
        return Rows(self.names, self.codes[chosen], self.times[chosen], self.values[chosen])

    @property
    def symbols(self) -> Array:
        """The symbol of each row."""
        return np.array(self.names, dtype=object)[self.codes] if self.names else np.empty(0, dtype=object)


class Known(NamedTuple):
    """What is held of some rows already: which are new, and which differ from the value that stands."""

    new: Array
    revised: Array


@dataclass
class Panel:
    """Dense arrays of one part, with room to append; every array is private to this process."""

    symbols: list[str] = field(default_factory=list)
    axis: Array = field(default_factory=lambda: np.empty(0, dtype="int64"))
    count: int = 0
    planes: Array = field(default_factory=lambda: np.empty((len(FIELDS), 0, 0)))
    theirs: Array = field(default_factory=lambda: np.empty((0, 0), dtype=bool))
    days: Array | None = None
    batches: dict[str, list[object]] = field(default_factory=dict)
    coverage: dict[str, list[Span]] = field(default_factory=dict)
    quarantine: pd.DataFrame = field(default_factory=pd.DataFrame)
    revisions: int = 0
    lost: list[str] = field(default_factory=list)
    unwritten: int = 0

    def __post_init__(self) -> None:
        self.at = {symbol: place for place, symbol in enumerate(self.symbols)}

    @property
    def times(self) -> Array:
        """The times there are (microseconds), in order."""
        return self.axis[: self.count]

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of the batches this was made from."""
        return blake2b("|".join(sorted(self.batches)).encode(), digest_size=8).hexdigest()

    def compare(self, rows: Rows) -> Known:
        """Which of ``rows`` are new here, and which differ from what is held by more than single precision."""
        held = self.held(rows)
        new = np.isnan(held[:, CLOSE])
        given = rows.values.copy()
        follows = np.isnan(given[:, ADJUSTED])  # not given: it is made from dividends and splits
        given[follows, ADJUSTED] = held[follows, ADJUSTED]
        same = (np.abs(given - held) <= SAME * np.abs(held)) | (np.isnan(given) & np.isnan(held))
        return Known(new, ~new & ~same.all(axis=1))

    def held(self, rows: Rows) -> Array:
        """The values that stand for ``rows`` (row x field), NaN where there are none."""
        held = np.full(rows.values.shape, np.nan)
        place, time, there = self._places(rows)
        held[there] = self.planes[:, place[there], time[there]].T
        return held

    def apply(self, name: BatchName, rows: Rows, bad: pd.DataFrame, asked: Asked) -> None:
        """Bring in a batch that is newer than all that are here: its good rows, its bad ones, what was asked for."""
        if len(rows.times):
            self.revisions += int(self.compare(rows).revised.sum())
            self._make_room(rows)
            self._put(rows)
        if len(bad):
            self.quarantine = pd.concat([self.quarantine, bad], ignore_index=True)
        for symbol, spans in asked.items():
            self.coverage[symbol] = covering(self.coverage.get(symbol, []), spans)
        self.batches[name.name] = list(name.state)
        self.unwritten += 1

    def completed(self, rows: Rows) -> Rows:
        """``rows`` with the dividends and splits that are held where they say nothing of them: unknown is no news."""
        given = rows.values[:, [DIVIDEND, SPLIT]]
        if not np.isnan(given).any():
            return rows
        values = rows.values.copy()
        values[:, [DIVIDEND, SPLIT]] = np.where(np.isnan(given), self.held(rows)[:, [DIVIDEND, SPLIT]], given)
        return rows._replace(values=values)

    def reserve(self, parts: Sequence[Rows]) -> None:
        """Make room for all of ``parts`` at once, before they are applied one by one."""
        filled = [rows for rows in parts if len(rows.times)]
        if len(filled) < 2:
            return
        names = sorted({rows.names[code] for rows in filled for code in np.unique(rows.codes)})
        times = np.unique(np.concatenate([rows.times for rows in filled]))
        codes = np.resize(np.arange(len(names)), max(len(names), len(times)))
        whole = np.resize(times, len(codes))
        self._make_room(Rows(names, codes, whole, np.empty((len(codes), len(FIELDS)))))

    def forget(self, name: str, asked: Asked | None) -> None:
        """Take the coverage back that a damaged batch gave, or all when it no longer says which: it is asked again."""
        if asked is None:
            self.coverage.clear()
        for symbol, spans in (asked or {}).items():
            left = self.coverage.get(symbol, [])
            for span in spans:
                left = [part for each in left for part in without(each, [span])]
            self.coverage[symbol] = left
        self.lost.append(name)

    def _places(self, rows: Rows) -> tuple[Array, Array, Array]:
        """Symbol and time of each row as places in the arrays, and which rows have both."""
        place = np.array([self.at.get(name, -1) for name in rows.names], dtype="int64")[rows.codes]
        time = np.searchsorted(self.times, rows.times)
        inside = time < self.count
        there = inside & (place >= 0)
        there[there] = self.times[time[there]] == rows.times[there]
        return place, time, there

    def _make_room(self, rows: Rows) -> None:
        """Add the symbols and times of ``rows`` to the axes; the arrays are only copied when they cannot hold them."""
        symbols = sorted({rows.names[code] for code in np.unique(rows.codes)} - self.at.keys())
        times = np.unique(rows.times)
        times = times[~np.isin(times, self.times, assume_unique=True)]
        if not symbols and self.count + len(times) <= len(self.axis) and (not len(times) or times[0] > self._last()):
            self.axis[self.count : self.count + len(times)] = times
            self.count += len(times)
            return
        axis = np.union1d(self.times, times)
        names = sorted({*self.symbols, *symbols})
        planes = np.full((len(FIELDS), len(names), len(axis) + ROOM), np.nan)
        theirs = np.zeros(planes.shape[1:], dtype=bool)
        if self.symbols:
            target = np.ix_(np.searchsorted(names, self.symbols), np.searchsorted(axis, self.times))
            theirs[target] = self.theirs[:, : self.count]
            for plane, old in zip(planes, self.planes, strict=True):
                plane[target] = old[:, : self.count]
        self.symbols, self.at = names, {name: place for place, name in enumerate(names)}
        self.axis, self.count = np.concatenate([axis, np.zeros(ROOM, dtype="int64")]), len(axis)
        self.planes, self.theirs, self.days = planes, theirs, None

    def _last(self) -> int:
        return int(self.times[-1]) if self.count else np.iinfo("int64").min

    def _put(self, rows: Rows) -> None:
        place, time, _ = self._places(rows)
        self.planes[:, place, time] = rows.values.T
        self.theirs[place, time] = ~np.isnan(rows.values[:, ADJUSTED])
        first = int(time.min())
        self._adjust(np.unique(place), first)
        if self.days is not None and self.count - first <= ROOM:
            self.days[first : self.count] = self.planes[:, :, first : self.count].transpose(2, 0, 1)
        else:
            self.days = None

    def _adjust(self, symbols: Array, first: int) -> None:
        """Fill ``adjusted_close`` of some symbols from the time ``first`` on, from closes, dividends and splits."""
        start = self._last_known(symbols, first)
        begin = max(0, min(int(start.min(initial=first)), first))
        window = slice(begin, self.count)
        close, adjusted = self.planes[CLOSE, :, window][symbols], self.planes[ADJUSTED, :, window][symbols]
        known = ~np.isnan(close)
        places = np.where(known, np.arange(close.shape[1]), -1)
        before = np.maximum.accumulate(np.concatenate([np.full((len(symbols), 1), -1), places[:, :-1]], axis=1), axis=1)
        previous = np.take_along_axis(close, np.maximum(before, 0), axis=1)
        split = np.nan_to_num(self.planes[SPLIT, :, window][symbols], nan=1.0)
        dividend = np.nan_to_num(self.planes[DIVIDEND, :, window][symbols], nan=0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = previous / split - dividend
            growth = np.where(left > 0, previous / left, split)  # a dividend beyond the price is none
        old = np.arange(begin, self.count) < first
        growth[~known | (before < 0) | old] = 1.0
        at_start = np.maximum(start - begin, 0)[:, None]
        base = np.take_along_axis(adjusted, at_start, axis=1) / np.take_along_axis(close, at_start, axis=1)
        base = np.where(start[:, None] >= 0, base, 1.0)
        stands = old | self.theirs[:, window][symbols]
        made = np.where(stands, adjusted, close * np.cumprod(growth, axis=1) * base)
        self.planes[ADJUSTED, symbols, window] = made

    def _last_known(self, symbols: Array, first: int) -> Array:
        """Place of the last known close of each symbol before ``first``, -1 where there is none."""
        last = np.full(len(symbols), first - 1)
        if first == 0:
            return last
        gone = np.isnan(self.planes[CLOSE, symbols, first - 1])
        if gone.any():  # not the session before: look further back
            known = ~np.isnan(self.planes[CLOSE, :, :first][symbols[gone]])
            last[gone] = np.where(known.any(axis=1), first - 1 - known[:, ::-1].argmax(axis=1), -1)
        return last

    def by_day(self) -> Array:
        """The day-major arrays (time x field x symbol), made when first asked for."""
        if self.days is None:
            self.days = np.ascontiguousarray(self.planes.transpose(2, 0, 1))
        return self.days

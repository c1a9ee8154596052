"""The cache: what was fetched, with its origin; ``record`` says what is kept and ``copies`` how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote, unquote

import fsspec

from sigmalib.core.instruments import calendar_of
from sigmalib.core.times import Interval, calendar
from sigmalib.data.cache.record import Record
from sigmalib.data.cache.shelf import Shelf
from sigmalib.data.sources import Answer

ALL = "all"
TIME = {"1d": "session", "1m": "time"}


@dataclass
class Cache:
    """All shelves below one root, a folder or an fsspec address; reading copies and locks are on this machine.

    Daily bars of a source share one shelf; minute bars have one a symbol. ``flights`` are the requests of this process
    that are under way, so that nothing is asked twice at the same time.
    """

    root: str
    local: Path
    flights: dict[tuple[str, object], Future[Answer]] = field(default_factory=dict, repr=False)
    _shelves: dict[tuple[str, str, str], Shelf] = field(default_factory=dict, repr=False)

    def shelf(self, source: str, interval: Interval, symbol: str) -> Shelf:
        """The shelf that bars of ``symbol`` belong on, opened once."""
        return self._shelf(source, interval, self.part(interval, symbol))

    def part(self, interval: Interval, symbol: str) -> str:
        """The name of the part of the record that bars of ``symbol`` belong to."""
        return ALL if interval == "1d" else quote(symbol, safe="")

    def record(self, source: str, kind: str, part: str = ALL) -> Record:
        """The record of another kind of data, such as option chains, which is read whole."""
        return Record(self.root, source=source, kind=kind, part=quote(part, safe=""), locks=self.local / "locks")

    def shelves(self) -> Iterator[tuple[str, Interval, str, Shelf]]:
        """Every shelf that has something: source, interval, symbol (``all`` for daily bars) and the shelf."""
        fs, base = fsspec.core.url_to_fs(self.root)
        for place in _below(fs, base.rstrip("/"), 3):
            source, interval, part = place.split("/")[-3:]
            if interval not in TIME:
                continue
            yield source, interval, unquote(part), self._shelf(source, interval, part)  # type: ignore[misc,arg-type]

    def _shelf(self, source: str, interval: Interval, part: str) -> Shelf:
        key = (source, interval, part)
        if key not in self._shelves:
            record = Record(self.root, source=source, kind=interval, part=part, locks=self.local / "locks")
            origin = blake2b(self.root.encode(), digest_size=4).hexdigest()
            copies = self.local / "copies" / origin / source / interval / part
            zone = "UTC" if interval == "1d" else str(calendar(calendar_of(unquote(part))).tz)
            self._shelves[key] = Shelf(record, copies, time=TIME[interval], zone=zone)
        return self._shelves[key]


def _below(fs: fsspec.AbstractFileSystem, folder: str, depth: int) -> list[str]:
    """The folders so many steps below one, in order; none when it is not there."""
    if depth == 0:
        return [folder]
    inside = fs.ls(folder, detail=True) if fs.isdir(folder) else []
    return [deep for entry in sorted(inside, key=lambda entry: str(entry["name"])) if entry["type"] == "directory"
            for deep in _below(fs, str(entry["name"]), depth - 1)]  # fmt: skip

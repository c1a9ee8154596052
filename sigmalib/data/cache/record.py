"""The record: batches of rows in Parquet, only ever added to, each with where it came from and when it was known.

    <root>/<source>/<kind>/<part>/20261121T113000.123456Z-<fetch id>-<digest>.parquet
    <root>/<source>/<kind>/<part>/damaged/        files whose bytes no longer match the digest in their name

A batch is one file, written whole or not at all; its name has the instant from which it was known, and so the order,
the fetch it belongs to and a digest of its bytes. What was asked for (symbol, start, end) is in the file's metadata, so
that rows and coverage are committed together. The root is a folder or any fsspec address; one writer at a time adds to
a part (a lock on this machine).
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from sigmalib.core.errors import WorkspaceError
from sigmalib.data.files import write_bytes

log = logging.getLogger(__name__)

LOCK_PATIENCE = 60.0
DAY = timedelta(days=1)
JUST_NOW = 50_000_000  # nanoseconds: coarser than any file system's clock
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{12}-([0-9a-f]{16})\.parquet")
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_ASKED = b"sigma.asked"
_TEXTS = ["symbol", "source", "fetch_id", "reason"]

Span = tuple[date, date]
Asked = Mapping[str, Sequence[Span]]  # by symbol: the spans of days that were asked for


@dataclass(frozen=True)
class BatchName:
    """What the name of a batch says, with the size and the time of change of its file."""

    name: str
    digest: str
    state: tuple[int, str]

    @property
    def known_at(self) -> datetime:
        """The instant from which its rows were known, UTC."""
        return datetime.strptime(self.name.partition("-")[0], _STAMP).replace(tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows, and what was asked for when they came; ``table`` has known_at, source and fetch_id of each row."""

    table: pa.Table
    asked: Asked = field(default_factory=dict)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table of pandas, text as text."""
        return self.table.to_pandas(types_mapper={pa.dictionary(pa.int32(), pa.string()): None}.get)


class Record:
    """The batches of one part: one source, one kind of data, and all of it or one symbol."""

    def __init__(self, root: str, *, source: str, kind: str, part: str, locks: Path) -> None:
        self.source = source
        self._fs, base = fsspec.core.url_to_fs(root)
        self._is_local = "file" in self._fs.protocol
        self.folder = "/".join([base.rstrip("/"), source, kind, part])
        self._lock = FileLock(locks / f"{source}-{kind}-{part}.lock", timeout=LOCK_PATIENCE)

    def __repr__(self) -> str:
        return f"Record({self.folder})"

    def names(self) -> list[BatchName]:
        """The batches there are, in the order in which they became known."""
        try:
            found = self._listed() if self._is_local else self._fs.ls(self.folder, detail=True, refresh=True)
        except FileNotFoundError:
            return []
        read = (_parsed(entry) for entry in found if entry["type"] == "file")
        return sorted(filter(None, read), key=lambda batch: batch.name)

    def _listed(self) -> list[dict[str, object]]:
        """What fsspec says of a folder on this machine, in less time: each opening waits for it."""
        with os.scandir(self.folder) as entries:
            found = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
        return [{"name": name, "type": "file", "size": stat.st_size, "mtime": stat.st_mtime} for name, stat in found]

    def changed(self) -> object:
        """Something that differs once a batch was added; None when only a listing can tell.

        That is on object storage, and just after a change, when the next one might get the same time.
        """
        if not self._is_local:
            return int(time.monotonic())  # a listing is believed for a second
        try:
            changed = os.stat(self.folder).st_mtime_ns  # noqa: PTH116 (on the path of every query)
        except FileNotFoundError:
            return 0
        return changed if time.time_ns() - changed > JUST_NOW else None

    def read(self, batch: BatchName) -> Batch | None:
        """The rows of a batch; None, after setting the file aside, when its bytes are not those that were written."""
        try:
            content = self._fs.cat_file(f"{self.folder}/{batch.name}")
        except FileNotFoundError:  # another reader has set it aside
            return None
        if _digest(content) != batch.digest:
            self._set_aside(batch)
            return None
        table = pq.read_table(BytesIO(content))
        return Batch(table, _asked((table.schema.metadata or {}).get(_ASKED, b"[]")))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The right to add, for one writer at a time on this machine; it ends with the process that holds it."""
        Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock:
                self._sweep()
                yield
        except Timeout:
            raise WorkspaceError(
                f"another process has been writing to {self.folder} for {LOCK_PATIENCE:.0f} s; try again when it ends"
            ) from None

    def add(self, rows: pa.Table, asked: Asked, *, fetch_id: str, at: datetime) -> BatchName:
        """Write a batch, to be called while ``writing``; its name.

        rows : without known_at, source and fetch_id, which are added. at : the instant, UTC; moved a microsecond behind
        the newest batch when it lies before that, so that knowledge only ever grows.
        """
        newest = max((batch.name for batch in self.names()), default="")
        known_at = at.astimezone(UTC)
        if newest and (last := datetime.strptime(newest.partition("-")[0], _STAMP).replace(tzinfo=UTC)) >= known_at:
            known_at = last + timedelta(microseconds=1)
        content = _parquet(_with_origin(rows, known_at, self.source, fetch_id), asked)
        name = f"{known_at.strftime(_STAMP)}-{fetch_id}-{_digest(content)}.parquet"
        place = f"{self.folder}/{name}"
        if self._is_local:
            write_bytes(Path(place), content)
        else:
            self._fs.pipe_file(place, content)
        entry = _parsed(self._fs.info(place))
        assert entry is not None
        return entry

    def lost(self) -> dict[str, Asked | None]:
        """By the name of each batch that was set aside: what it had asked for, None where it no longer says so."""
        return {name.removesuffix(".damaged"): self._asked_of(name) for name in self.damaged()}

    def _asked_of(self, name: str) -> Asked | None:
        try:
            content = self._fs.cat_file(f"{self.folder}/damaged/{name}")
            return _asked((pq.read_schema(BytesIO(content)).metadata or {})[_ASKED])
        except (pa.ArrowException, OSError, KeyError, ValueError):
            return None

    def damaged(self) -> list[str]:
        """The names of files that were set aside."""
        folder = f"{self.folder}/damaged"
        return (
            sorted(Path(place).name for place in self._fs.ls(folder, detail=False)) if self._fs.exists(folder) else []
        )

    def _set_aside(self, batch: BatchName) -> None:
        aside = f"{self.folder}/damaged"
        self._fs.makedirs(aside, exist_ok=True)
        with suppress(FileNotFoundError):  # another reader was quicker
            self._fs.mv(f"{self.folder}/{batch.name}", f"{aside}/{batch.name}.damaged")
        log.warning("%s/%s is damaged and was set aside; the next fetch asks for its ranges again", aside, batch.name)

    def _sweep(self) -> None:
        """Remove what a writer that was killed left unfinished; only while no other can be writing."""
        if self._is_local:
            for unfinished in Path(self.folder).glob(".*.unfinished"):
                unfinished.unlink(missing_ok=True)


def new_fetch_id() -> str:
    """Twelve hex digits that no other fetch has."""
    return secrets.token_hex(6)


def merged(spans: Sequence[Span]) -> list[Span]:
    """The same days as fewest spans, in order; spans that touch become one.

    >>> merged([(date(2024, 1, 3), date(2024, 1, 5)), (date(2024, 1, 1), date(2024, 1, 2))])
    [(datetime.date(2024, 1, 1), datetime.date(2024, 1, 5))]
    """
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + DAY:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def without(span: Span, covered: Sequence[Span]) -> list[Span]:
    """What of ``span`` is in none of the ``covered`` ones.

    >>> without((date(2024, 1, 1), date(2024, 1, 9)), [(date(2024, 1, 3), date(2024, 1, 5))])
    [(datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)), (datetime.date(2024, 1, 6), datetime.date(2024, 1, 9))]
    """
    left, (start, end) = [], span
    for first, last in merged(covered):
        if last < start or first > end:
            continue
        if first > start:
            left.append((start, first - DAY))
        start = last + DAY
    return [*left, (start, end)] if start <= end else left


def covering(spans: list[Span], more: Sequence[Span]) -> list[Span]:
    """``spans`` (as fewest, in order) and ``more`` of them, as fewest, in order."""
    if len(more) == 1 and spans and more[0][0] >= spans[-1][0]:  # the usual case: some days are appended
        (begins, ends), (start, end) = spans[-1], more[0]
        return [*spans[:-1], (begins, max(ends, end))] if start <= ends + DAY else [*spans, (start, end)]
    return merged([*spans, *more])


def _with_origin(rows: pa.Table, known_at: datetime, source: str, fetch_id: str) -> pa.Table:
    constant = {
        "known_at": pa.scalar(known_at, pa.timestamp("us", tz="UTC")),
        "source": pa.scalar(source),
        "fetch_id": pa.scalar(fetch_id),
    }
    for name, value in constant.items():
        rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
    return rows


def _parquet(table: pa.Table, asked: Asked) -> bytes:
    sink = BytesIO()
    told = table.replace_schema_metadata({_ASKED: _told(asked)})
    pq.write_table(told, sink, compression="zstd", use_dictionary=_TEXTS, write_statistics=False)
    return sink.getvalue()


def _told(asked: Asked) -> bytes:
    """What was asked for as text: each span once, with its symbols."""
    symbols: dict[Span, list[str]] = {}
    for symbol, spans in asked.items():
        for span in spans:
            symbols.setdefault(span, []).append(symbol)
    return json.dumps([[str(start), str(end), names] for (start, end), names in symbols.items()]).encode()


def _asked(told: bytes) -> dict[str, list[Span]]:
    asked: dict[str, list[Span]] = {}
    for start, end, names in json.loads(told):
        span = date.fromisoformat(start), date.fromisoformat(end)
        for name in names:
            asked.setdefault(name, []).append(span)
    return asked


def _parsed(entry: Mapping[str, object]) -> BatchName | None:
    """The batch that a file is, if it is one: an unfinished or foreign file is none."""
    name = str(entry["name"]).rpartition("/")[2]
    parts = _NAME.fullmatch(name)
    if parts is None:
        return None
    state = (int(str(entry["size"])), str(entry.get("mtime") or entry.get("created") or ""))
    return BatchName(name, parts[1], state)


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()

"""The store: books and their snapshots, kept in one database that nobody else asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from itertools import islice
from typing import Any, Self

import pandas as pd
from sqlalchemy import Connection, Row, insert, select

from sigmalib.core.errors import InputError
from sigmalib.core.records import json_text
from sigmalib.core.times import DateLike, to_date
from sigmalib.data import queries
from sigmalib.data.database import Database
from sigmalib.data.kept import Counts, Kept, Snapshot
from sigmalib.data.rows import checksum, known, to_positions, to_rows
from sigmalib.data.tables import BookRow, ImportRow, PositionRow

__all__ = ["Counts", "Kept", "Snapshot", "Store"]

Import = Row[int, int, int, str]  # id, book_id, version, checksum
BATCH = 100  # snapshots in one transaction
LONGEST_NAME = 41
_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")


class Store:
    """Books and snapshots in one database; a context manager that lets go of it at the end."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str) -> Store:
        """The store at a SQLAlchemy address, its tables made or upgraded where needed.

        Raises WorkspaceError, without the password, when the database cannot be used or is newer than this code.
        """
        return cls(Database.open(url))

    def __repr__(self) -> str:
        return f"Store({self.database.shown})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def keep_book(self, name: str, positions: pd.DataFrame, *, file: str, base_currency: str, at: datetime) -> Kept:
        """Keep POSITIONS as the next version of book ``name``, unless its latest version says the same.

        name : a small letter, then up to 40 small letters, digits and underscores. at : the instant, with its zone.
        Earlier versions stay. Raises InputError for another name and for a book kept in another base currency.
        """
        _check_name(name)
        rows = to_rows(positions)
        content = checksum(rows)
        with self.database.writing() as connection:
            book_id = self._book(connection, name, base_currency, at)
            latest = connection.execute(queries.imports(name)).first()
            if latest is not None and latest.checksum == content:
                return Kept(name, latest.version, len(rows), changed=False)
            version = 1 if latest is None else latest.version + 1
            about = {"book_id": book_id, "version": version, "checksum": content, "rows": len(rows)}
            new = insert(ImportRow).values(**about, file=file, imported_at=at).returning(ImportRow.id)
            import_id = connection.execute(new).scalar_one()
            if rows:
                numbered = [{"import_id": import_id, "ordinal": count, **row} for count, row in enumerate(rows)]
                connection.execute(insert(PositionRow), numbered)
        return Kept(name, version, len(rows), changed=True)

    def positions(self, name: str, *, version: int | None = None) -> pd.DataFrame:
        """POSITIONS of book ``name`` as they were kept; of its latest version by default."""
        with self.database.reading() as connection:
            import_id = _import(connection, name, version).id
            return to_positions(connection.execute(queries.positions(import_id)).all())

    def version(self, name: str) -> int:
        """The latest version of book ``name``."""
        with self.database.reading() as connection:
            return _import(connection, name).version

    def books(self) -> pd.DataFrame:
        """One row a book, by name: where its latest version came from, and which snapshots there are.

        Columns name, base_currency, positions (count), version, file, imported_at (UTC), snapshots (count),
        first_snapshot, last_snapshot (sessions, NaT without any).
        """
        with self.database.reading() as connection:
            found = connection.execute(queries.shelf())
            frame = pd.DataFrame(found.all(), columns=list(found.keys()))
        texts = dict.fromkeys(("name", "base_currency", "file"), "str")
        counts = dict.fromkeys(("positions", "version", "snapshots"), "int64")
        days = dict.fromkeys(("first_snapshot", "last_snapshot"), "datetime64[us]")
        return frame.astype({**texts, **counts, **days, "imported_at": "datetime64[us, UTC]"})

    def keep_snapshots(self, name: str, snapshots: Iterable[Snapshot], *, version: int | None = None) -> Counts:
        """Keep snapshots of book ``name``, one a session; one with the fingerprint already there is left alone.

        version : of the positions they were made from, the latest by default. ``snapshots`` may be computed on the
        way: no transaction is open meanwhile, and every hundred are kept, so an interrupted run goes on from there.
        """
        with self.database.reading() as connection:
            made_from = _import(connection, name, version)
        counts, remaining = Counts(), iter(snapshots)
        while batch := {to_date(made.session): made for made in islice(remaining, BATCH)}:
            done = self._keep_batch(made_from, batch)
            counts = Counts(*map(sum, zip(counts, done, strict=True)))
        return counts

    def fingerprints(self, name: str) -> dict[date, str]:
        """By session, the fingerprint of each snapshot of book ``name``."""
        with self.database.reading() as connection:
            return _fingerprints(connection, _import(connection, name).book_id)

    def snapshots(self, name: str, *, start: DateLike | None = None, end: DateLike | None = None) -> pd.DataFrame:
        """The numbers of the snapshots (session,) from ``start`` to ``end``, both included; NaN where unknown.

        Columns nav, market_value, gross_market_value, pnl_day, pnl_total (base currency), missing (count), version (of
        the book, that the snapshot was made from).
        """
        first = None if start is None else to_date(start, what="start")
        last = None if end is None else to_date(end, what="end")
        with self.database.reading() as connection:
            book_id = _import(connection, name).book_id
            found = connection.execute(queries.snapshots(book_id, first, last)).all()
        kinds = {"session": "datetime64[us]", **dict.fromkeys(queries.NUMBERS, "float64")}
        kinds |= {"missing": "int64", "version": "int64"}
        return pd.DataFrame(found, columns=list(kinds)).astype(kinds).set_index("session")

    def snapshot(self, name: str, session: DateLike) -> Mapping[str, Any]:
        """The whole risk report kept for ``session``, as plain values: dates are ISO text, None is unknown."""
        day = to_date(session, what="session")
        with self.database.reading() as connection:
            report = connection.scalar(queries.report(_import(connection, name).book_id, day))
        if report is None:
            raise InputError(
                f"book {name!r} has no snapshot of {day}; make it with `sigma snapshot {name} --from {day} --to {day}`"
            )
        return report

    def traces(self, name: str, *paths: str, end: DateLike | None = None) -> pd.DataFrame:
        """Numbers inside the kept reports (session,) by path, such as ``var.99``; NaN where a report has none there.

        A path to a group of numbers, such as ``factors.exposures.*``, gives one column for each of them.
        """
        last = None if end is None else to_date(end, what="end")
        with self.database.reading() as connection:
            found = connection.execute(queries.traces(_import(connection, name).book_id, paths, last)).all()
        index = pd.DatetimeIndex([row[0] for row in found], name="session", dtype="datetime64[us]")
        columns = [_columns(path, [row[place] for row in found]) for place, path in enumerate(paths, start=1)]
        return pd.concat([column.set_axis(index) for column in columns], axis="columns")

    def _book(self, connection: Connection, name: str, base_currency: str, at: datetime) -> int:
        """The id of book ``name``, made when new; until we are done nobody else keeps a version of it."""
        dialect = self.database.dialect
        connection.execute(queries.new_book(dialect, name=name, base_currency=base_currency, at=at))
        book = connection.execute(queries.book(name)).one()
        if book.base_currency != base_currency:
            raise InputError(
                f"book {name!r} is kept in {book.base_currency} and cannot change to {base_currency}; "
                "import it under another name with --book"
            )
        return book.id

    def _keep_batch(self, made_from: Import, batch: Mapping[date, Snapshot]) -> Counts:
        with self.database.writing() as connection:
            there = _fingerprints(connection, made_from.book_id)
            changed = {day: made for day, made in batch.items() if there.get(day) != made.fingerprint}
            if changed:
                ids = {"book_id": made_from.book_id, "import_id": made_from.id}
                rows = [ids | _row(day, made) for day, made in changed.items()]
                connection.execute(queries.upsert_snapshots(self.database.dialect), rows)
        new = len(changed.keys() - there.keys())
        return Counts(new, len(batch) - len(changed), len(changed) - new)


def _row(day: date, made: Snapshot) -> dict[str, Any]:
    numbers = {name: known(getattr(made, name)) for name in queries.NUMBERS}
    report = json.loads(json_text(made.report))  # NaN, dates and arrays are none of JSON's kinds
    return numbers | {
        "session": day, "missing": made.missing, "fingerprint": made.fingerprint, "report": report
    }  # fmt: skip


def _fingerprints(connection: Connection, book_id: int) -> dict[date, str]:
    return dict(connection.execute(queries.fingerprints(book_id)).all())


def _import(connection: Connection, name: str, version: int | None = None) -> Import:
    """One import of a book; raises InputError that says what there is when there is no such book or version."""
    found = connection.execute(queries.imports(name, version)).first()
    if found is None:
        latest = connection.execute(queries.imports(name)).first()
        raise InputError(_no_version(name, version, latest) if latest else _no_book(connection, name))
    return found


def _no_version(name: str, version: int | None, latest: Import) -> str:
    return f"book {name!r} has no version {version}; its versions are 1 to {latest.version}"


def _no_book(connection: Connection, name: str) -> str:
    names = list(connection.scalars(select(BookRow.name).order_by(BookRow.name)))
    near = get_close_matches(name, names, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    there = f"the books are {', '.join(names)}" if names else "there are no books yet"
    return f"there is no book {name!r}; {meant}{there}; import one with `sigma book import FILE --book NAME`"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        spelled = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        suggestion = (spelled if spelled[:1].isalpha() else f"book_{spelled}".rstrip("_"))[:LONGEST_NAME]
        raise InputError(
            f"a book cannot be named {name!r}: a small letter comes first, then at most {LONGEST_NAME - 1} small "
            f"letters, digits and underscores; try {suggestion!r}"
        )


def _columns(path: str, values: list[Any]) -> pd.DataFrame:
    """One column named after the path, or one for each name that the mappings at it have."""
    if path.endswith(".*"):
        rows = [value if isinstance(value, Mapping) else {} for value in values]
        names = dict.fromkeys(name for row in rows for name in row)
        return pd.DataFrame({name: [row.get(name) for row in rows] for name in names}, dtype=float)
    return pd.DataFrame({path: pd.Series(values, dtype=float)})

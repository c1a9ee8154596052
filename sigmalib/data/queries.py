"""Queries: the statements of the store, as values; only the store runs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from importlib import import_module
from typing import Any

from sqlalchemy import Select, func, select

from sigmalib.core.frames import POSITIONS
from sigmalib.data.tables import Base, BookRow, ImportRow, PositionRow, SnapshotRow

Columns = tuple[Any, ...]
NUMBERS = ("nav", "market_value", "gross_market_value", "pnl_day", "pnl_total")
_REVISED = ("import_id", *NUMBERS, "missing", "fingerprint", "created_at", "report")


def book(name: str) -> Select[int, str]:
    """Id and base currency of a book, held until the transaction ends (SQLite holds the whole database)."""
    return select(BookRow.id, BookRow.base_currency).where(BookRow.name == name).with_for_update()


def imports(name: str, version: int | None = None) -> Select[int, int, int, str]:
    """The imports of a book (id, book_id, version, checksum), latest first; only ``version`` when it is given."""
    columns = select(ImportRow.id, ImportRow.book_id, ImportRow.version, ImportRow.checksum)
    found = columns.join(BookRow).where(BookRow.name == name).order_by(ImportRow.version.desc())
    return found if version is None else found.where(ImportRow.version == version)


def positions(import_id: int) -> Select[*Columns]:
    """The positions of an import, in order, with the columns of POSITIONS."""
    columns = (getattr(PositionRow, column) for column in POSITIONS.names)
    return select(*columns).where(PositionRow.import_id == import_id).order_by(PositionRow.ordinal)


def shelf() -> Select[str, str, int, int, str, datetime, int, date, date]:
    """One row a book: its latest import, and how many snapshots there are, from when to when."""
    newest = select(func.max(ImportRow.version)).where(ImportRow.book_id == BookRow.id).correlate(BookRow)
    return (
        select(
            BookRow.name,
            BookRow.base_currency,
            ImportRow.rows.label("positions"),
            ImportRow.version,
            ImportRow.file,
            ImportRow.imported_at,
            func.count(SnapshotRow.id).label("snapshots"),
            func.min(SnapshotRow.session).label("first_snapshot"),
            func.max(SnapshotRow.session).label("last_snapshot"),
        )
        .join(ImportRow, ImportRow.book_id == BookRow.id)
        .outerjoin(SnapshotRow, SnapshotRow.book_id == BookRow.id)
        .where(ImportRow.version == newest.scalar_subquery())
        .group_by(BookRow.id, ImportRow.id)
        .order_by(BookRow.name)
    )


def snapshots(book_id: int, start: date | None = None, end: date | None = None) -> Select[*Columns]:
    """The numbers of a book's snapshots, and its version in each, by session from ``start`` to ``end`` (included)."""
    columns = (getattr(SnapshotRow, column) for column in ("session", *NUMBERS, "missing"))
    made = select(*columns, ImportRow.version).join(ImportRow, SnapshotRow.import_id == ImportRow.id)
    found = made.where(SnapshotRow.book_id == book_id).order_by(SnapshotRow.session)
    found = found if start is None else found.where(SnapshotRow.session >= start)
    return found if end is None else found.where(SnapshotRow.session <= end)


def fingerprints(book_id: int) -> Select[date, str]:
    """Session and fingerprint of a book's snapshots."""
    return select(SnapshotRow.session, SnapshotRow.fingerprint).where(SnapshotRow.book_id == book_id)


def report(book_id: int, session: date) -> Select[dict[str, Any]]:
    """The report of one snapshot."""
    return select(SnapshotRow.report).where(SnapshotRow.book_id == book_id, SnapshotRow.session == session)


def traces(book_id: int, paths: Sequence[str], end: date | None = None) -> Select[*Columns]:
    """Session and the number, or with a path that ends in an asterisk the group of numbers, at each path inside the
    report, of a book's snapshots up to ``end`` (included)."""
    parts = [path.split(".") for path in paths]
    values = (
        SnapshotRow.report[tuple(part[:-1])] if part[-1] == "*" else SnapshotRow.report[tuple(part)].as_float()
        for part in parts
    )
    found = select(SnapshotRow.session, *values)
    found = found.where(SnapshotRow.book_id == book_id).order_by(SnapshotRow.session)
    return found if end is None else found.where(SnapshotRow.session <= end)


def new_book(dialect: str, *, name: str, base_currency: str, at: datetime) -> Any:
    """Make a book unless there is one of that name."""
    made = _insert(dialect, BookRow).values(name=name, base_currency=base_currency, created_at=at)
    return made.on_conflict_do_nothing(index_elements=["name"])


def upsert_snapshots(dialect: str) -> Any:
    """Insert a snapshot, or revise the one of that book and session when its fingerprint differs."""
    made = _insert(dialect, SnapshotRow)
    return made.on_conflict_do_update(
        index_elements=["book_id", "session"],
        set_={column: made.excluded[column] for column in _REVISED},
        where=SnapshotRow.fingerprint != made.excluded.fingerprint,
    )


def _insert(dialect: str, table: type[Base]) -> Any:
    """An insert that can say what to do when the row is there, which each database spells its own way.

    Only the dialect in use is imported; PostgreSQL's is a twentieth of a second.
    """
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)

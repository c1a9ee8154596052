"""Tables: what the database keeps, portable between SQLite and PostgreSQL.

books 1 -- n imports 1 -- n positions    an import is a version of a book and is never changed
books 1 -- n snapshots n -- 1 imports    one snapshot a book and session, made from one import

Instants are UTC, sessions plain dates, NULL is an unknown number. A change here needs a migration beside it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# every constraint has a name, because Alembic can only change what it can name
NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware on the way in, UTC on the way out, also where the database forgets the zone (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """``value`` in UTC; raises ValueError for a naive one, whose instant nobody knows."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone, was {value!r}; pass datetime.now(UTC)")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """``value`` as kept, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables; ``Base.metadata`` is what the migrations must arrive at."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime(), float: Double(), str: Text()}


class BookRow(Base):
    """A book by name; its base currency is settled by its first import."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    base_currency: Mapped[str]
    created_at: Mapped[datetime]


class ImportRow(Base):
    """One version of a book: where its positions came from, when, and a checksum of what they say."""

    __tablename__ = "imports"
    __table_args__ = (UniqueConstraint("book_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    version: Mapped[int]
    checksum: Mapped[str]
    file: Mapped[str]
    rows: Mapped[int]
    imported_at: Mapped[datetime]


class PositionRow(Base):
    """One position of one import, with the columns of POSITIONS; ``ordinal`` is its place in the file."""

    __tablename__ = "positions"
    __table_args__ = (UniqueConstraint("import_id", "ordinal"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"))
    ordinal: Mapped[int]
    symbol: Mapped[str]
    kind: Mapped[str]
    quantity: Mapped[float]
    entry_price: Mapped[float]
    entry_date: Mapped[date]
    currency: Mapped[str]
    multiplier: Mapped[float | None]
    strike: Mapped[float | None]
    expiry: Mapped[date | None]
    right: Mapped[str | None]
    underlying: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(JSON)
    strategy: Mapped[str | None]


class SnapshotRow(Base):
    """What a book was worth at the close of a session, in its base currency, and the whole risk report.

    fingerprint : of the data, positions and code it was made from. The report comes last, so that SQLite reads the
    numbers without the long text behind them.
    """

    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("book_id", "session"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    session: Mapped[date]
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"))
    nav: Mapped[float | None]
    market_value: Mapped[float | None]
    gross_market_value: Mapped[float | None]
    pnl_day: Mapped[float | None]
    pnl_total: Mapped[float | None]
    missing: Mapped[int]
    fingerprint: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    report: Mapped[dict[str, Any]] = mapped_column(JSON)


class FetchRow(Base):
    """One fetch of market data: what was asked of whom, when, and what became of it; counts as in ``fetch.Fetched``."""

    __tablename__ = "fetches"
    __table_args__ = (UniqueConstraint("fetch_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fetch_id: Mapped[str]
    source: Mapped[str]
    interval: Mapped[str]
    first: Mapped[date]
    last: Mapped[date]
    symbols: Mapped[int]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    state: Mapped[str]
    rows: Mapped[int]
    fetched: Mapped[int]
    revised: Mapped[int]
    quarantined: Mapped[int]
    requests: Mapped[int]
    missing: Mapped[int]
    error: Mapped[str]


class HealthRow(Base):
    """How a source has been doing since an instant: ok, degraded or disabled, and why."""

    __tablename__ = "source_health"
    __table_args__ = (UniqueConstraint("source"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str]
    since: Mapped[datetime]

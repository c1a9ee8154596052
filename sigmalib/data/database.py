"""The database: opened at the newest revision, one transaction at a time, its failures told to who can mend them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from sigmalib.core.errors import WorkspaceError
from sigmalib.data import migrations

PATIENCE = 15.0  # seconds that a process waits for another one to finish writing
MIGRATION_LOCK = 5_149_301  # any number, the same for every Sigma, for PostgreSQL's advisory lock
ANOTHER = "or name another database with SIGMA_DATABASE_URL"
EXAMPLES = "write it as sqlite:////folder/sigma.db or postgresql://user:password@host/name"

# what SQLite says, what that means, and the remedy
SQLITE_TROUBLES = {
    "not a database": ("is not a SQLite database", f"move that file away, {ANOTHER}"),
    "malformed": ("is damaged", f"restore it from a copy, {ANOTHER}"),
    "locked": (f"was locked by another process for {PATIENCE:g} seconds", "close that process and try again"),
    "readonly": ("cannot be written", f"mend the permissions of the file and its folder, {ANOTHER}"),
    "unable to open": ("cannot be opened", f"mend the permissions of the file and its folder, {ANOTHER}"),
    "full": ("has no room left on its disk", f"make room, {ANOTHER}"),
}


class Database:
    """An engine whose tables are at the newest revision; transactions are whole or absent.

    Shown without password. Reading and writing raise WorkspaceError where an operator must mend the world.
    """

    def __init__(self, address: URL) -> None:
        self.shown = address.set(query={}).render_as_string(hide_password=True)
        self.engine = _engine(address, self.shown)
        self._writer = self.engine.execution_options(writes=True)
        try:
            self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, url: str) -> Database:
        """The database at ``url``, created or upgraded where needed, once however many processes open it."""
        return cls(_address(url))

    def __repr__(self) -> str:
        return f"Database({self.shown})"

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._told(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it is kept, or nothing; on SQLite one at a time, in turn."""
        with self._told(), self._writer.begin() as connection:
            yield connection

    def _bring_up_to_date(self) -> None:
        with self.reading() as connection:
            if self._is_newest(connection):
                return
        with self.writing() as connection:
            if self.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            if not self._is_newest(connection):  # another process may have done it while this one waited
                migrations.upgrade(connection)

    def _is_newest(self, connection: Connection) -> bool:
        found, known = migrations.current(connection), migrations.revisions()
        if found not in (None, *known):
            raise WorkspaceError(
                f"the database {self.shown} is at revision {found}, newer than this Sigma, which knows {known[-1]}; "
                f"install the newest Sigma, {ANOTHER}"
            )
        return found == known[-1]

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            if not isinstance(error, OperationalError) and type(error) is not DatabaseError:
                raise  # a broken constraint or statement is a bug of ours
            what, fix = _diagnosis(str(error.orig).strip())
            raise WorkspaceError(f"the database {self.shown} {what}; {fix}") from error


def _diagnosis(said: str) -> tuple[str, str]:
    found = (trouble for words, trouble in SQLITE_TROUBLES.items() if words in said)
    return next(found, (f"cannot be used ({said})", f"mend that, {ANOTHER}"))


def _address(url: str) -> URL:
    """The parts of ``url``; the messages never repeat it, since a password may stand anywhere in a faulty one."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise WorkspaceError(f"SIGMA_DATABASE_URL is not a database address; {EXAMPLES}") from None
    if "@" in (address.host or ""):
        raise WorkspaceError("SIGMA_DATABASE_URL has two @; write an @ inside the password as %40")
    kind = address.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise WorkspaceError(
            f"SIGMA_DATABASE_URL names {kind!r}, but the databases are sqlite and postgresql; {EXAMPLES}"
        )
    if kind == "sqlite":
        _check_place(address.database)
    return address


def _check_place(database: str | None) -> None:
    if database in (None, "", ":memory:"):
        raise WorkspaceError(f"SIGMA_DATABASE_URL names a database in memory, which nothing survives; {EXAMPLES}")
    folder = Path(str(database)).parent
    if not folder.is_dir():
        raise WorkspaceError(f"there is no folder {folder} for the database; make it with `sigma init`, {ANOTHER}")


def _engine(address: URL, shown: str) -> Engine:
    """An engine; error messages and logs leave out parameters, because they are somebody's holdings."""
    if address.get_backend_name() == "sqlite":
        return _sqlite(address)
    try:
        return create_engine(address, hide_parameters=True, pool_pre_ping=True)
    except ImportError as error:
        raise WorkspaceError(
            f"the database {shown} needs the package {error.name}; install it with pip install 'psycopg[binary]'"
        ) from error
    except ArgumentError:
        raise WorkspaceError(f"SIGMA_DATABASE_URL names a driver that is not there; {EXAMPLES}") from None


def _sqlite(address: URL) -> Engine:
    """SQLite with a journal that lets readers in while one writes, references held, transactions begun by us.

    The driver must not begin them: it would not take a migration's statements into the transaction.
    """
    engine = create_engine(
        address,
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"isolation_level": None, "timeout": PATIENCE},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA foreign_keys=ON")
        _prefer_wal(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _prefer_wal(connection: sqlite3.Connection) -> None:
    """Write ahead, which a file remembers; when it is locked just now, another process is seeing to it."""
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise

"""A database is opened once however many ask, kept whole whatever happens, and its troubles are told with a remedy."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event

from sigmalib.core.errors import WorkspaceError
from sigmalib.data.database import Database
from sigmalib.data.store import Store

ROOT = Path(__file__).resolve().parents[2]
PREPARED = """
import sys
from datetime import UTC, date, datetime
from sigmalib.data.store import Snapshot, Store
from sigmalib.portfolio.positions import parse
import pandas as pd
rows = [(f"A{n}".translate(str.maketrans("0123456789", "ABCDEFGHIJ")), 1.0, 2.0, "2022-01-03") for n in range(400)]
table = pd.DataFrame(rows, columns=["ticker", "quantity", "entry_price", "entry_date"])
positions, rejected = parse(table, as_of="2022-12-28")
days = [Snapshot(date(2022, 12, day), 1.0, 1.0, 1.0, 0.0, 0.0, 0, {"day": day}, "f") for day in range(1, 29)]
about = {"file": "book.csv", "base_currency": "USD", "at": datetime(2022, 12, 28, tzinfo=UTC)}
print("ready", flush=True)
sys.stdin.readline()
"""
KEEPING = """
with Store.open(sys.argv[1]) as store:
    print(store.keep_book("balanced", positions, **about).changed)
    print(store.keep_snapshots("balanced", days).new)
"""
KILLED = """
import os, signal
from sqlalchemy import event
store = Store.open(sys.argv[1])
@event.listens_for(store.database.engine, "after_cursor_execute")
def kill(connection, cursor, statement, *rest):
    if statement.startswith("INSERT INTO positions"):
        os.kill(os.getpid(), signal.SIGKILL)
store.keep_book("balanced", positions, **about)
"""


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def together(code: str, *arguments: str, count: int) -> list[list[str]]:
    """What each of ``count`` processes printed that did the same at the same time; none may fail."""
    processes = [started(code, *arguments) for _ in range(count)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate() for process in processes]
    assert [errors for _, errors in ended] == [""] * count
    return [output.split() for output, _ in ended]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sigma.db'}"


@pytest.mark.slow
def test_processes_that_open_and_keep_the_same_at_once_make_it_once(url: str) -> None:
    printed = together(PREPARED + KEEPING, url, count=3)
    assert sorted(changed for changed, _ in printed) == ["False", "False", "True"]
    assert sorted(int(new) for _, new in printed) == [0, 0, 28]
    with Store.open(url) as store:
        assert store.books()[["version", "positions", "snapshots"]].to_numpy().tolist() == [[1, 400, 28]]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_killed_while_it_imports_leaves_nothing_of_it(url: str) -> None:
    with started(PREPARED + KILLED, url) as process:
        process.communicate("go\n")
    assert process.returncode == -signal.SIGKILL
    with Store.open(url) as store, store.database.reading() as connection:
        counts = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            for table in ("books", "imports", "positions")
        ]
    assert counts == [0, 0, 0]


def test_sqlite_writes_ahead_and_holds_references(url: str) -> None:
    with closing(Database.open(url)) as database, database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path, url: str) -> None:
    (tmp_path / "sigma.db").write_text("ticker,quantity\n" * 100)
    with pytest.raises(WorkspaceError, match=r"sigma\.db is not a SQLite database; move that file away"):
        Store.open(url)
    assert (tmp_path / "sigma.db").read_text() == "ticker,quantity\n" * 100


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"there is no folder .*nowhere.*`sigma init`"):
        Store.open(f"sqlite:///{tmp_path / 'nowhere' / 'sigma.db'}")
    with pytest.raises(WorkspaceError, match="cannot be opened; mend the permissions"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_database_in_memory_is_refused() -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(WorkspaceError, match="in memory, which nothing survives"):
            Store.open(url)


def test_a_locked_database_is_told_as_such(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigmalib.data.database.PATIENCE", 0.05)
    path = url.removeprefix("sqlite:///")
    with Store.open(url) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.books().empty  # readers are let in
        with pytest.raises(WorkspaceError, match="locked by another process"), store.database.writing():
            pass


def test_a_database_that_cannot_be_written_is_told_as_such(url: str) -> None:
    with closing(Database.open(url)) as database:
        event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only=ON"))
        with (
            pytest.raises(WorkspaceError, match=r"sigma\.db cannot be written; mend the permissions"),
            database.writing() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM books")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "postgresql://analyst:s3cret@127.0.0.1:1/sigma?password=s3cret",
            r"analyst:\*\*\*@127.0.0.1:1/sigma",
        ),
        ("postgresql://analyst:s3c@ret@host/sigma", "write an @ inside the password as %40"),
        ("postgresql+nodriver://analyst:s3cret@host/sigma", "driver that is not there"),
        ("mysql://analyst:s3cret@host/sigma", "the databases are sqlite and postgresql"),
        ("postgres://analyst:s3cret@host/sigma", "the databases are sqlite and postgresql"),
        ("postgresql://analyst:s3cret@host:port/sigma", "is not a database address"),
        ("s3cret", "is not a database address"),
    ],
)
def test_a_password_is_in_no_message(url: str, told: str) -> None:
    with pytest.raises(WorkspaceError, match=told) as raised:
        Store.open(url)
    assert "s3c" not in "".join(
        line for line in traceback.format_exception(raised.value) if "Store.open(url)" not in line
    )


def test_holdings_are_in_no_message_of_the_driver(url: str) -> None:
    with closing(Database.open(url)) as database, pytest.raises(Exception, match="hide_parameters") as raised:  # noqa: SIM117
        with database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO books (name) VALUES (?)", ("secret_fund",))
    assert "secret_fund" not in str(raised.value)

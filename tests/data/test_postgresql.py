"""The same store on a real PostgreSQL server of our own, started for these tests and stopped after them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from math import nan
from pathlib import Path

import pandas as pd
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from sigmalib.core.errors import WorkspaceError
from sigmalib.data import migrations
from sigmalib.data.database import Database
from sigmalib.data.store import Counts, Snapshot, Store
from sigmalib.data.tables import Base
from tests.markets import book

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # where Debian puts them, which is not on the PATH
LACKING = {
    "there is no PostgreSQL server; on Debian and Ubuntu: apt-get install postgresql": not SERVERS,
    "the driver is not there: pip install 'psycopg[binary]'": find_spec("psycopg") is None,
    "as root the server needs runuser to run as somebody else": os.name == "nt"
    or (os.geteuid() == 0 and shutil.which("runuser") is None),
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(any(LACKING.values()), reason="; ".join(why for why, lacks in LACKING.items() if lacks)),
]

AT = datetime(2022, 12, 28, 21, 30, tzinfo=UTC)
POSITIONS = book(("AAPL", 10.0, 0.1 + 0.2, "2022-01-03"), ("AAPL230120C00150000", -1.0, 5.0, "2022-03-01"), tags="a,b")
SNAPSHOT = Snapshot(date(2022, 12, 28), nan, 1.5, 2.5, -3.5, 4.5, 1, {"nav": nan}, "a1")


def run(program: str, *arguments: str) -> None:
    """A program of the server, as somebody who is not root, which it refuses to be."""
    somebody = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*somebody, str(SERVERS[-1] / program), *arguments],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server runs
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{program} {' '.join(arguments)} failed with {done.returncode}"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a new server that listens on a socket in its own folder and nowhere else."""
    folder = Path(tempfile.mkdtemp(prefix="sigma-"))  # not pytest's, which only its owner may enter
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-U", "sigma", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        run(
            "pg_ctl",
            "start",
            "-w",
            "-D",
            data,
            "-l",
            f"{folder}/log",
            "-o",
            f"-c listen_addresses='' -k {folder}",
        )
        yield f"postgresql://sigma:unused@/{{}}?host={folder}"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
        shutil.rmtree(folder)


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """The address of a new, empty database."""
    name = f"t{abs(hash(request.node.name))}"
    run("createdb", "-h", server.partition("host=")[2], "-U", "sigma", name)
    return server.format(name)


def keep(store: Store, positions: pd.DataFrame = POSITIONS) -> bool:
    return store.keep_book("balanced", positions, file="book.csv", base_currency="USD", at=AT).changed


def test_books_and_snapshots_come_back_as_they_were_kept(url: str) -> None:
    with Store.open(url) as store:
        assert [keep(store), keep(store), keep(store, POSITIONS[:0]), keep(store)] == [
            True,
            False,
            True,
            True,
        ]
        pd.testing.assert_frame_equal(store.positions("balanced"), POSITIONS, check_exact=True)
        assert store.keep_snapshots("balanced", [SNAPSHOT]) == Counts(new=1)
        revised = [replace(SNAPSHOT, fingerprint="b2"), replace(SNAPSHOT, session=date(2022, 12, 27))]
        assert store.keep_snapshots("balanced", revised) == Counts(new=1, revised=1)
        assert store.snapshots("balanced").iloc[-1].drop("nav").tolist() == [1.5, 2.5, -3.5, 4.5, 1, 3]
        assert store.snapshot("balanced", "2022-12-28") == {"nav": None}
        shelf = store.books().iloc[0]
        assert (shelf["version"], shelf["snapshots"], shelf["imported_at"]) == (3, 2, pd.Timestamp(AT))


def test_numbers_inside_the_kept_reports_are_traced_to_the_bit(url: str) -> None:
    with Store.open(url) as store:
        keep(store)
        report = {"var": {"99": 418.3495255439194}, "factors": {"market": 0.1}}
        store.keep_snapshots("balanced", [replace(SNAPSHOT, report=report)])
        found = store.traces("balanced", "var.99", "factors.*")
    assert found.to_dict("records") == [{"var.99": 418.3495255439194, "market": 0.1}]


def test_many_that_open_and_keep_at_once_make_it_once(url: str) -> None:
    days = [replace(SNAPSHOT, session=SNAPSHOT.session - timedelta(days=day)) for day in range(250)]

    def work(_: int) -> bool:
        with Store.open(url) as store:
            changed = keep(store)
            store.keep_snapshots("balanced", days)
            return changed

    with ThreadPoolExecutor(6) as workers:
        assert sorted(workers.map(work, range(6))) == [*[False] * 5, True]
    with Store.open(url) as store:
        assert store.books()[["version", "snapshots"]].to_numpy().tolist() == [[1, 250]]


def test_the_migrations_arrive_at_the_tables_and_go_back_on_data(url: str) -> None:
    with closing(Database.open(url)) as database:
        keep(Store(database))
        with database.reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        with database.writing() as connection:
            command.downgrade(migrations.config(connection), "base")
            assert inspect(connection).get_table_names() == ["alembic_version"]
            command.upgrade(migrations.config(connection), "head")
        assert keep(Store(database))


def test_a_connection_that_was_cut_is_told_without_the_password_and_made_again(url: str) -> None:
    cut = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with Store.open(url) as store:
        with pytest.raises(WorkspaceError, match=r"postgresql://sigma:\*\*\*@/t\d+ ") as raised:  # noqa: SIM117
            with store.database.reading() as connection:
                connection.execute(cut)
        assert "unused" not in f"{raised.value} {raised.value.__cause__} {store!r} {store.database!r}"
        assert store.books().empty

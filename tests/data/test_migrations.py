"""The migrations arrive at the tables, both ways, on data, and only when they are needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text

from sigmalib.core.errors import WorkspaceError
from sigmalib.core.frames import POSITIONS
from sigmalib.data import migrations
from sigmalib.data.database import Database
from sigmalib.data.store import Snapshot, Store
from sigmalib.data.tables import Base

OPENING = """
import sys
from sigmalib.data.store import Store
Store.open(sys.argv[1]).close()
print("alembic" in sys.modules)
"""
TABLES = {"books", "imports", "positions", "snapshots", "fetches", "source_health"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sigma.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with closing(Database.open(url)) as opened:
        yield opened


def fill(store: Store) -> None:
    day = date(2022, 12, 28)
    store.keep_book(
        "empty", POSITIONS.empty(), file="f.csv", base_currency="USD", at=datetime(2022, 12, 28, tzinfo=UTC)
    )
    store.keep_snapshots("empty", [Snapshot(day, 1.0, 1.0, 1.0, 0.0, 0.0, 0, {}, "f")])


def test_the_migrations_arrive_at_the_tables(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_every_constraint_has_the_name_that_the_tables_give_it(database: Database) -> None:
    with database.reading() as connection:
        found = inspect(connection)
        uniques = {unique["name"] for table in TABLES for unique in found.get_unique_constraints(table)}
        references = {key["name"] for table in TABLES for key in found.get_foreign_keys(table)}
    declared = {constraint.name for table in Base.metadata.tables.values() for constraint in table.constraints}
    assert uniques | references == {name for name in declared if not str(name).startswith("pk_")}


def test_every_file_is_a_step_after_the_one_before(database: Database) -> None:
    with database.reading() as connection:
        steps = ScriptDirectory.from_config(migrations.config(connection))
        assert [step.revision for step in steps.walk_revisions()] == migrations.revisions()[::-1]
        assert migrations.current(connection) == steps.get_current_head()


def test_each_step_goes_back_and_forth_on_data(database: Database) -> None:
    fill(Store(database))
    with database.writing() as connection:
        command.downgrade(migrations.config(connection), "base")
    with database.reading() as connection:
        assert TABLES.isdisjoint(inspect(connection).get_table_names())
    with database.writing() as connection:
        command.upgrade(migrations.config(connection), "head")
    fill(Store(database))
    assert Store(database).books()["snapshots"].tolist() == [1]


def test_a_step_that_fails_leaves_the_database_as_it_was(url: str, database: Database) -> None:
    with database.writing() as connection:
        command.downgrade(migrations.config(connection), "base")

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE positions" in statement:
            raise RuntimeError("power cut")

    event.listen(database.engine, "before_cursor_execute", fail)
    with pytest.raises(RuntimeError, match="power cut"), database.writing() as connection:
        migrations.upgrade(connection)
    with closing(Database.open(url)) as again, again.reading() as connection:
        assert migrations.current(connection) == migrations.revisions()[-1]


def test_alembic_is_imported_only_when_there_is_something_to_do(url: str) -> None:
    def opening() -> str:
        asked = [sys.executable, "-c", OPENING, url]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    assert [opening(), opening()] == ["True", "False"]


def test_a_database_newer_than_the_code_is_refused_and_left_alone(url: str, database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WorkspaceError, match=r"is at revision 9999, newer than this Sigma.*install the newest Sigma"):
        Store.open(url)


def test_what_the_migrations_need_lies_inside_the_package() -> None:
    inside = files("sigmalib.data") / "migrations"
    assert (inside / "script.py.mako").is_file()
    assert (inside / "env.py").is_file()

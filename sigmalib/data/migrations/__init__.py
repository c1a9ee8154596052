"""Migrations: the steps from an empty database to today's tables, shipped inside the package.

A step is ``versions/NNNN_what.py``; NNNN is its revision, so the newest file names the newest revision and nobody has
to import Alembic to know it. To write the next one, change ``tables.py`` and call, on a database at the newest
revision, ``alembic.command.revision(config(connection), "what", autogenerate=True, rev_id="NNNN")``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS = Path(__file__).with_name("versions")


def revisions() -> list[str]:
    """The revisions this code knows, oldest first."""
    return sorted(path.name[:4] for path in VERSIONS.glob("[0-9]*_*.py"))


def current(connection: Connection) -> str | None:
    """The revision a database is at; None when it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def upgrade(connection: Connection) -> None:
    """Migrate to the newest revision inside the transaction that ``connection`` is in."""
    from alembic import command  # a fifth of a second that only a database behind its code has to pay

    command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """What Alembic's commands need, without a file: our folder of steps and the connection to work on."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", "sigmalib.data:migrations")
    made.set_main_option("path_separator", "os")
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return made

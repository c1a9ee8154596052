"""Alembic's environment: it migrates over the connection that was handed in, inside that connection's transaction."""

from __future__ import annotations

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from sigmalib.data.tables import Base, UtcDateTime


def render(kind: str, item: object, autogenerate: AutogenContext) -> str | Literal[False]:
    """How a new step spells a type of ours: as what it is in the database, since steps outlive our code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run(connection: Connection) -> None:
    """Run the steps that the command asked for; tables are copied where SQLite cannot alter them."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, render_item=render)
    with context.begin_transaction():
        context.run_migrations()


if hasattr(context, "config"):  # Alembic is running this file; a search for doctests merely imports it
    run(context.config.attributes["connection"])

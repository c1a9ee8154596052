"""The journal: every fetch that ended, and how each source has been doing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import delete, insert, select

from sigmalib.data.database import Database
from sigmalib.data.fetch import Fetched
from sigmalib.data.manners import Health, Status
from sigmalib.data.tables import FetchRow, HealthRow

SHOWN = 50


class Journal:
    """Fetches and health in the database of the books."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, fetched: Fetched, *, began_at: datetime, ended_at: datetime) -> None:
        """Keep what a fetch did."""
        row = {
            "fetch_id": fetched.fetch_id, "source": fetched.source, "interval": fetched.interval,
            "first": fetched.start, "last": fetched.end, "symbols": len(fetched.symbols), "began_at": began_at,
            "ended_at": ended_at, "state": fetched.state, "rows": fetched.rows, "fetched": fetched.fetched,
            "revised": len(fetched.revised), "quarantined": fetched.quarantined, "requests": fetched.requests,
            "missing": len(fetched.missing), "error": next(iter(fetched.failed.values()), ""),
        }  # fmt: skip
        with self.database.writing() as connection:
            connection.execute(insert(FetchRow).values(**row))

    def fetches(self, *, most: int = SHOWN) -> pd.DataFrame:
        """The newest fetches, newest first: the columns of the table ``fetches``."""
        columns = [column for column in FetchRow.__table__.columns if column.name != "id"]
        with self.database.reading() as connection:
            rows = connection.execute(select(*columns).order_by(FetchRow.id.desc()).limit(most)).all()
        return pd.DataFrame(rows, columns=[column.name for column in columns])

    def tell(self, source: str, health: Health) -> None:
        """Keep how ``source`` is doing, when that is something else than before."""
        with self.database.writing() as connection:
            columns = (HealthRow.status, HealthRow.reason, HealthRow.since)
            before = connection.execute(select(*columns).where(HealthRow.source == source)).first()
            if before is not None and (before.status, before.reason) == (health.status, health.reason):
                return
            connection.execute(delete(HealthRow).where(HealthRow.source == source))
            since = before.since if before is not None and before.status == health.status else health.since
            said = {"status": health.status, "reason": health.reason, "since": since}
            connection.execute(insert(HealthRow).values(source=source, **said))

    def health(self) -> Mapping[str, Health]:
        """How each source that was ever asked is doing."""
        columns = (HealthRow.source, HealthRow.status, HealthRow.reason, HealthRow.since)
        with self.database.reading() as connection:
            rows: Any = connection.execute(select(*columns)).all()
        return {source: Health(_status(status), reason, since) for source, status, reason, since in rows}


def _status(text: str) -> Status:
    statuses: tuple[Status, ...] = ("ok", "degraded", "disabled")
    return next(status for status in statuses if status == text)

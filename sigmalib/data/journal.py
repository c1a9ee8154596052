"""The journal: every fetch that ended, and how each source has been doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import delete, insert, select, update

from sigmalib.data.database import Database
from sigmalib.data.fetch import Fetched
from sigmalib.data.manners import Health, Status
from sigmalib.data.tables import FetchRow, HealthRow

SHOWN = 50


class Journal:
    """Fetches and health in the database of the books."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @contextmanager
    def writing(
        self,
        fetch_id: str,
        source: str,
        interval: str,
        span: tuple[date, date],
        symbols: int,
        *,
        now: Callable[[], datetime],
    ) -> Iterator[list[Fetched]]:
        """A line for a fetch from its beginning on: ``running``, then what the one result put into the list did.

        ``interrupted`` or ``failed`` when it ends by an exception; one that is killed stays ``running``.
        """
        row: dict[str, Any] = {
            "fetch_id": fetch_id, "source": source, "interval": interval, "first": span[0], "last": span[1],
            "symbols": symbols, "began_at": now(), "ended_at": now(), "state": "running", "error": "",
        } | dict.fromkeys(("rows", "fetched", "revised", "quarantined", "requests", "missing"), 0)  # fmt: skip
        with self.database.writing() as connection:
            connection.execute(insert(FetchRow).values(**row))
        results: list[Fetched] = []
        try:
            yield results
        except KeyboardInterrupt:
            self._end(fetch_id, now(), state="interrupted", error="stopped by the user")
            raise
        except Exception as error:
            self._end(fetch_id, now(), state="failed", error=str(error))
            raise
        for done in results:
            self._end(
                fetch_id, now(), state=done.state, rows=done.rows, fetched=done.fetched, symbols=len(done.symbols),
                revised=len(done.revised), quarantined=done.quarantined, requests=done.requests,
                missing=len(done.missing), error=next(iter(done.failed.values()), ""),
            )  # fmt: skip

    def _end(self, fetch_id: str, at: datetime, **said: object) -> None:
        with self.database.writing() as connection:
            connection.execute(update(FetchRow).where(FetchRow.fetch_id == fetch_id).values(ended_at=at, **said))

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

"""Times: sessions are plain dates of the New York Stock Exchange, instants are UTC.

Session labels are naive midnight timestamps, the way ``exchange_calendars`` labels them. Everything that needs an
instant (the close of a session, the end of an option's life) is a UTC timestamp computed through the calendar, so
half-days and clock changes are the calendar's business and never ours.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from sigmalib.core.errors import InputError

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2040, 12, 31)
SECONDS_PER_YEAR = 365 * 86_400

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ][\d:.+-]+)?", re.ASCII)

DateLike = date | datetime | pd.Timestamp | str


@cache
def calendar(name: str = "XNYS") -> ExchangeCalendar:
    """The exchange calendar ``name``, from 1990 to 2040."""
    import exchange_calendars  # half a second and only needed once a session is asked for

    return exchange_calendars.get_calendar(name, start=str(FIRST_DAY), end=str(LAST_DAY))


def to_date(value: DateLike, *, what: str = "date") -> date:
    """A plain date out of a date, a timestamp or ISO text such as ``2022-12-28``.

    >>> to_date("2022-12-28")
    datetime.date(2022, 12, 28)
    """
    if isinstance(value, str) and _ISO.fullmatch(value.strip()):
        try:
            return datetime.fromisoformat(value.strip()).date()
        except ValueError:
            pass  # of the right form, but no such day: told below
    if isinstance(value, str) or pd.isna(value):
        raise InputError(f"{what} {str(value)!r} is not a date; write it as 2022-12-28")
    return value.date() if isinstance(value, datetime) else value


def sessions(start: DateLike, end: DateLike) -> pd.DatetimeIndex:
    """The trading days from ``start`` to ``end``, both included, named ``session``."""
    found = calendar().sessions_in_range(_bounded(start), _bounded(end))
    return pd.DatetimeIndex(found, name="session").as_unit("us")


def last_session(day: DateLike) -> date:
    """``day`` itself when the exchange traded on it, else the last trading day before it.

    >>> last_session("2022-12-25")
    datetime.date(2022, 12, 23)
    """
    return calendar().date_to_session(_bounded(day), direction="previous").date()


def sessions_before(day: DateLike, count: int) -> date:
    """The session ``count`` trading days before the session ``day``, or the calendar's first."""
    known = calendar().sessions
    return known[max(0, known.get_loc(pd.Timestamp(last_session(day))) - count)].date()


def session_close(session: DateLike) -> pd.Timestamp:
    """The UTC instant at which ``session`` closes (earlier on half-days)."""
    return calendar().session_close(pd.Timestamp(to_date(session)))


def expiry_instant(expiry: date, *, morning_settled: bool = False) -> pd.Timestamp:
    """The UTC instant at which an option's life ends.

    16:00 New York on the expiry day, or 09:30 when the contract settles on the opening prices; of the last session
    before when the exchange is closed that day (the Saturday dates used until February 2015).
    """
    session = last_session(expiry)
    return calendar().session_open(pd.Timestamp(session)) if morning_settled else session_close(session)


def years_between(start: pd.Timestamp, end: pd.Timestamp) -> float:
    """Years from ``start`` to ``end`` by ACT/365F on seconds; negative once ``end`` is past."""
    return float((end - start).total_seconds() / SECONDS_PER_YEAR)


def _bounded(day: DateLike) -> pd.Timestamp:
    wanted = to_date(day)
    if not FIRST_DAY < wanted <= LAST_DAY:
        raise InputError(f"{wanted} lies outside the calendar; give a date from 1990-01-02 to {LAST_DAY}")
    return pd.Timestamp(wanted)

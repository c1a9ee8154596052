"""Times: sessions are plain dates of an exchange, New York's unless another is named; instants are UTC.

Session labels are naive midnight timestamps, the way ``exchange_calendars`` labels them. Everything that needs an
instant (the close of a session, the end of an option's life) is a UTC timestamp computed through the calendar, so
half-days and clock changes are the calendar's business and never ours. ``instruments.calendar_of`` names the calendar
of a symbol; the day of ``24/7`` and of ``24/5`` is the one in UTC and closes at its end.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

import pandas as pd

from sigmalib.core.errors import InputError

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2040, 12, 31)
SECONDS_PER_YEAR = 365 * 86_400

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ][\d:.+-]+)?", re.ASCII)

DateLike = date | datetime | pd.Timestamp | str
Interval = Literal["1d", "1m"]  # how much time a bar covers
INTERVALS: tuple[Interval, ...] = ("1d", "1m")


@cache
def calendar(name: str = "XNYS") -> ExchangeCalendar:
    """The exchange calendar ``name``, from 1990 to 2040 or as much of that as its holidays are recorded for."""
    from exchange_calendars import get_calendar  # half a second and only needed once a session is asked for

    first, last = pd.Timestamp(FIRST_DAY), pd.Timestamp(LAST_DAY)
    try:
        return get_calendar(name, start=first, end=last)
    except ValueError:  # not recorded so far, as Tokyo's before 1997; its class knows how far
        kind = type(get_calendar(name))
        return get_calendar(name, start=max(first, kind.bound_min() or first), end=min(last, kind.bound_max() or last))


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


def to_instant(value: datetime | str, *, what: str = "known_at") -> datetime:
    """An instant in UTC out of one with its zone, or of ISO text such as ``2026-11-21T18:00+00:00``.

    >>> to_instant("2026-11-21T18:00-05:00").isoformat()
    '2026-11-21T23:00:00+00:00'
    """
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise InputError(f"{what} {str(value)!r} is no instant with a time zone; write it as 2026-11-21T18:00+00:00")
    return found.astimezone(UTC)


def sessions(start: DateLike, end: DateLike, *, name: str = "XNYS") -> pd.DatetimeIndex:
    """The trading days of the calendar ``name`` from ``start`` to ``end``, both included, named ``session``."""
    found = calendar(name).sessions_in_range(_bounded(start, name), _bounded(end, name))
    return pd.DatetimeIndex(found, name="session").as_unit("us")


def last_session(day: DateLike, *, name: str = "XNYS") -> date:
    """``day`` itself when the exchange traded on it, else the last trading day before it.

    >>> last_session("2022-12-25")
    datetime.date(2022, 12, 23)
    """
    return calendar(name).date_to_session(_bounded(day, name), direction="previous").date()


def last_closed_session(now: pd.Timestamp, *, name: str = "XNYS") -> date:
    """The last session whose close is at or before the instant ``now``; InputError when it has no time zone.

    >>> last_closed_session(pd.Timestamp("2022-12-28 20:59", tz="UTC"))
    datetime.date(2022, 12, 27)
    """
    if now.tzinfo is None:
        raise InputError(f'`now` must say its time zone, was {now}; pass pd.Timestamp("{now}", tz="UTC")')
    closes = calendar(name).closes
    if not closes.iloc[0] <= now <= closes.iloc[-1]:
        raise InputError(
            f"{now} lies outside the closes of {name}; give one from {closes.iloc[0]} to {closes.iloc[-1]}"
        )
    return closes.index[closes.searchsorted(now, side="right") - 1].date()


def sessions_before(day: DateLike, count: int, *, name: str = "XNYS") -> date:
    """The session ``count`` trading days before the session ``day``, or the calendar's first."""
    known = calendar(name).sessions
    return known[max(0, known.get_loc(pd.Timestamp(last_session(day, name=name))) - count)].date()


def session_close(session: DateLike, *, name: str = "XNYS") -> pd.Timestamp:
    """The UTC instant at which ``session`` closes (earlier on half-days; the next midnight where trade never rests)."""
    return calendar(name).session_close(pd.Timestamp(to_date(session)))


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


@cache
def _span(name: str) -> tuple[date, date]:
    return calendar(name).first_session.date(), calendar(name).last_session.date()


def _bounded(day: DateLike, name: str) -> pd.Timestamp:
    wanted, (first, last) = to_date(day), _span(name)
    if not first <= wanted <= last:
        raise InputError(f"{wanted} lies outside the calendar; give a date from {first} to {last}, as {name} has it")
    return pd.Timestamp(wanted)

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.times import (
    calendar,
    expiry_instant,
    last_closed_session,
    last_session,
    session_close,
    sessions,
    sessions_before,
    to_date,
    years_between,
)


def test_a_closed_day_resolves_to_the_session_before_it():
    assert last_session("2022-12-25") == date(2022, 12, 23)
    assert last_session(date(2022, 12, 28)) == date(2022, 12, 28)


def test_half_days_close_early_and_the_clock_change_moves_the_close_in_utc():
    assert session_close("2022-11-25") == pd.Timestamp("2022-11-25 18:00", tz="UTC")
    assert session_close("2022-11-04") == pd.Timestamp("2022-11-04 20:00", tz="UTC")
    assert session_close("2022-11-07") == pd.Timestamp("2022-11-07 21:00", tz="UTC")


def test_sessions_leave_out_weekends_and_holidays():
    assert [f"{day:%d}" for day in sessions("2022-12-22", "2022-12-28")] == ["22", "23", "27", "28"]


def test_counting_sessions_back_stops_at_the_first_of_the_calendar():
    assert sessions_before("2022-12-28", 2) == date(2022, 12, 23)
    assert sessions_before("1990-01-03", 5) == date(1990, 1, 2)


def test_options_end_at_the_close_or_at_the_open_or_on_the_session_before_a_closed_day():
    assert expiry_instant(date(2023, 1, 20)) == pd.Timestamp("2023-01-20 21:00", tz="UTC")
    assert expiry_instant(date(2023, 1, 20), morning_settled=True) == pd.Timestamp("2023-01-20 14:30", tz="UTC")
    assert expiry_instant(date(2014, 11, 22), morning_settled=True) == pd.Timestamp("2014-11-21 14:30", tz="UTC")
    assert expiry_instant(date(2014, 11, 22)) == pd.Timestamp("2014-11-21 21:00", tz="UTC")


def test_a_year_has_365_days():
    start = pd.Timestamp("2022-01-03 21:00", tz="UTC")
    assert years_between(start, start + pd.Timedelta(days=73)) == pytest.approx(0.2, abs=1e-15)


@pytest.mark.parametrize(
    "text", ["28.12.2022", "tomorrow", "", "2022-12-280", "2022-12-28; rm", "2022-W01-3", "2022-02-30"]
)
def test_text_that_is_no_date_is_refused_with_the_form_to_write(text):
    with pytest.raises(InputError, match="write it as 2022-12-28"):
        to_date(text)


def test_a_date_outside_the_calendar_is_refused_with_its_range():
    with pytest.raises(InputError, match="1990-01-02"):
        last_session("1889-07-04")


def utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


@pytest.mark.parametrize(
    ("session", "name", "close"),
    [
        ("2024-03-08", "XNYS", "2024-03-08 21:00"),  # the clock goes forward on the 10th in New York ...
        ("2024-03-11", "XNYS", "2024-03-11 20:00"),
        ("2024-11-01", "XNYS", "2024-11-01 20:00"),  # ... and back on 3 November
        ("2024-11-04", "XNYS", "2024-11-04 21:00"),
        ("2024-03-11", "XETR", "2024-03-11 16:30"),  # in Frankfurt three weeks later ...
        ("2024-04-02", "XETR", "2024-04-02 15:30"),
        ("2024-10-25", "XETR", "2024-10-25 15:30"),  # ... and a week earlier
        ("2024-10-28", "XETR", "2024-10-28 16:30"),
        ("2024-07-03", "XNYS", "2024-07-03 17:00"),  # half-days close at 13:00 New York
        ("2024-11-29", "XNYS", "2024-11-29 18:00"),
        ("2024-03-30", "24/7", "2024-03-31 00:00"),
        ("2024-03-29", "24/5", "2024-03-30 00:00"),
    ],
)
def test_every_calendar_closes_at_its_own_hour(session, name, close):
    assert session_close(session, name=name) == utc(close)


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("XNYS", ["28", "01", "02"]),  # Good Friday, and no holiday on Easter Monday
        ("XETR", ["28", "02"]),
        ("24/5", ["28", "29", "01", "02"]),
        ("24/7", ["28", "29", "30", "31", "01", "02"]),
    ],
)
def test_every_calendar_has_its_own_holidays_and_weekends(name, held):
    days = sessions("2024-03-28", "2024-04-02", name=name)
    assert [f"{day:%d}" for day in days] == held
    assert (days.name, days.dtype, days.tz) == ("session", "datetime64[us]", None)


def test_a_closed_day_and_a_count_back_go_by_the_calendar_named():
    assert last_session("2024-04-01") == date(2024, 4, 1)
    assert last_session("2024-04-01", name="XETR") == date(2024, 3, 28)
    assert last_session("2024-03-31", name="24/7") == date(2024, 3, 31)
    assert sessions_before("2024-04-01", 1) == date(2024, 3, 28)
    assert sessions_before("2024-04-02", 2, name="XETR") == date(2024, 3, 27)
    assert sessions_before("2024-04-01", 2, name="24/7") == date(2024, 3, 30)


@pytest.mark.parametrize(
    ("now", "name", "last"),
    [
        ("2024-03-08 20:59:59", "XNYS", date(2024, 3, 7)),
        ("2024-03-08 21:00", "XNYS", date(2024, 3, 8)),
        ("2024-03-11 19:59", "XNYS", date(2024, 3, 8)),
        ("2024-03-11 20:00", "XNYS", date(2024, 3, 11)),
        ("2024-11-29 18:00", "XNYS", date(2024, 11, 29)),
        ("2024-03-31 12:00", "XNYS", date(2024, 3, 28)),
        ("2024-10-28 16:29", "XETR", date(2024, 10, 25)),
        ("2024-03-31 00:00", "24/7", date(2024, 3, 30)),
        ("2024-03-31 23:59", "24/7", date(2024, 3, 30)),
    ],
)
def test_the_last_closed_session_is_the_one_whose_close_has_passed(now, name, last):
    assert last_closed_session(utc(now), name=name) == last
    assert last_closed_session(utc(now).tz_convert("Asia/Tokyo"), name=name) == last


def test_an_instant_without_a_time_zone_is_refused_with_what_to_pass():
    with pytest.raises(InputError, match=r'`now` must say its time zone.*tz="UTC"'):
        last_closed_session(pd.Timestamp("2024-03-08 21:00"))


@pytest.mark.parametrize("now", ["1990-01-02 20:59", "2041-01-02 12:00"])
def test_an_instant_outside_the_calendar_is_refused_with_its_range(now):
    with pytest.raises(InputError, match="from 1990-01-02 21:00"):
        last_closed_session(utc(now))


def test_a_calendar_recorded_for_fewer_years_has_those_and_says_so():
    assert calendar("XTKS").first_session == pd.Timestamp("1997-01-06")
    with pytest.raises(InputError, match=r"from 1997-01-06 to 2040-12-28, as XTKS has it"):
        last_session("1996-07-01", name="XTKS")

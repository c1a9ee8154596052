from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.times import (
    expiry_instant,
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

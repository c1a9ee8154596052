"""A fetch asks for what the cache lacks and nothing else, keeps what came, and labels what did not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import AccessDenied, InputError, SourceDown
from sigmalib.core.frames import BARS, missing
from sigmalib.core.times import sessions
from sigmalib.data.cache import Cache
from sigmalib.data.fetch import Fetched, fetch
from sigmalib.data.sources import Answer, FromBars, Interval, Traits
from tests.data.bars import daily, minutes

EVENING = datetime(2024, 3, 8, 21, 30, tzinfo=UTC)  # a Friday, half an hour after the close
MONDAY, FRIDAY = date(2024, 3, 4), date(2024, 3, 8)
Asked = tuple[str, date, date]


class Vendor(FromBars):
    """A source with a close of 10 plus the day of the month; ``before`` is called with each symbol that is asked."""

    name = "vendor"
    traits = Traits("for tests", intervals=("1d", "1m"))

    def __init__(self, before: Callable[[str], None] = lambda _: None, scale: float = 1.0) -> None:
        self.asked: list[Asked] = []
        self.before, self.scale = before, scale

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """Bars of every session asked for, but for the symbol NOPE."""
        symbol = symbols[0]
        self.asked.append((symbol, start, end))
        self.before(symbol)
        if symbol == "NOPE":
            return Answer(BARS.empty(), missing((symbol, "price", "no such symbol")))
        if interval == "1m":
            return Answer(minutes(symbol, f"{start} 15:00", [1, 2, 3]), missing())
        days = sessions(start, end)
        return Answer(daily({symbol: [self.scale * (10 + day.day) for day in days]}, str(start)), missing())


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "bars"), tmp_path / "reading")


def ask(
    vendor: Vendor, cache: Cache, *symbols: str, start: date = MONDAY, end: date = FRIDAY, **options: Any
) -> Fetched:
    return fetch(vendor, cache, symbols, start, end, now=lambda: EVENING, **options)


def test_a_full_range_is_asked_once_and_counted_right(cache: Cache) -> None:
    vendor = Vendor()
    first, second = ask(vendor, cache, "AAA", "bbb "), ask(vendor, cache, "AAA", "BBB")
    assert vendor.asked == [("AAA", MONDAY, FRIDAY), ("BBB", MONDAY, FRIDAY)]
    assert (first.rows, first.fetched, first.cached) == (10, 10, 0)
    assert (second.rows, second.fetched, second.cached) == (10, 0, 10)
    assert first.missing.empty
    assert first.state == "done"


def test_a_longer_range_is_asked_at_its_ends_only(cache: Cache) -> None:
    vendor = Vendor()
    ask(vendor, cache, "AAA", start=date(2024, 3, 5), end=date(2024, 3, 6))
    done = ask(vendor, cache, "AAA")
    assert vendor.asked[1:] == [("AAA", MONDAY, MONDAY), ("AAA", date(2024, 3, 7), FRIDAY)]
    assert (done.rows, done.fetched, done.cached) == (5, 3, 2)


def test_days_without_a_session_are_not_asked_for(cache: Cache) -> None:
    vendor = Vendor()
    ask(vendor, cache, "AAA", start=date(2024, 3, 1), end=date(2024, 3, 1))
    ask(vendor, cache, "AAA", start=date(2024, 3, 1), end=date(2024, 3, 3))
    assert len(vendor.asked) == 1


def test_a_day_that_is_not_over_is_left_out_and_asked_for_again(cache: Cache) -> None:
    vendor, noon = Vendor(), datetime(2024, 3, 8, 17, tzinfo=UTC)
    early = fetch(vendor, cache, ["AAA"], MONDAY, FRIDAY, now=lambda: noon)
    late = ask(vendor, cache, "AAA")
    assert (early.rows, late.rows) == (4, 5)
    assert vendor.asked[1] == ("AAA", FRIDAY, FRIDAY)


def test_an_evening_after_the_other_leaves_one_span_of_days(cache: Cache) -> None:
    for day in (date(2024, 3, 1), MONDAY, date(2024, 3, 5)):
        ask(Vendor(), cache, "AAA", start=day, end=day)
    covered = cache.shelf("vendor", "1d", "").panel().coverage["AAA"]
    assert covered == [(date(2024, 3, 1), date(2024, 3, 5))]


def test_crypto_is_asked_for_weekends_too(cache: Cache) -> None:
    vendor = Vendor()
    done = ask(vendor, cache, "BTC/USD", start=date(2024, 3, 1), end=date(2024, 3, 7))
    assert "2 of 7 sessions of BTC/USD have no bar: 2024-03-02, 2024-03-03" in done.missing["reason"].iloc[0]


def test_an_unknown_symbol_is_missing_with_the_reason_and_asked_again(cache: Cache) -> None:
    vendor = Vendor()
    done = ask(vendor, cache, "AAA", "NOPE")
    assert done.missing.to_numpy().tolist() == [["NOPE", "price", "no such symbol"]]
    assert (done.rows, done.state) == (5, "done")
    ask(vendor, cache, "AAA", "NOPE")
    assert [symbol for symbol, *_ in vendor.asked] == ["AAA", "NOPE", "NOPE"]


def test_a_failure_for_one_symbol_is_labelled_partial_and_the_others_are_kept(cache: Cache) -> None:
    def fail(symbol: str) -> None:
        if symbol == "BBB":
            raise SourceDown("vendor answers 500")

    done = ask(Vendor(fail), cache, "AAA", "BBB", "CCC")
    assert (done.state, done.rows) == ("partial", 10)
    assert done.failed == {"BBB": "vendor answers 500"}
    assert done.missing["reason"].tolist() == ["vendor answers 500"]
    again = ask(healthy := Vendor(), cache, "AAA", "BBB", "CCC")
    assert healthy.asked == [("BBB", MONDAY, FRIDAY)]
    assert (again.state, again.rows) == ("done", 15)


def test_whoever_is_not_let_in_stops_asking(cache: Cache) -> None:
    def refuse(symbol: str) -> None:
        raise AccessDenied(f"{symbol}: the key is not known", everything=True)

    vendor = Vendor(refuse)
    done = ask(vendor, cache, *(f"S{count:03d}" for count in range(200)))
    assert len(vendor.asked) < 20
    assert (done.state, len(done.failed), done.rows) == ("failed", 200, 0)


def test_a_symbol_that_the_plan_does_not_have_keeps_no_other_from_being_asked(cache: Cache) -> None:
    def refuse(symbol: str) -> None:
        if symbol == "C:EURUSD":
            raise AccessDenied("C:EURUSD: not in the plan")

    names = [f"S{count:02d}" for count in range(30)]
    done = ask(Vendor(refuse), cache, "C:EURUSD", *names)
    assert (done.rows, done.failed) == (150, {"C:EURUSD": "C:EURUSD: not in the plan"})


class Late(Vendor):
    """A vendor that does not have the last session yet."""

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """Bars of every session asked for but the last."""
        answer = super().bars(symbols, start, end, interval)
        days = answer.frame.index.get_level_values("session")
        return Answer(answer.frame[days < days.max()], answer.missing)


def test_a_session_that_the_vendor_did_not_have_yet_is_asked_for_again(cache: Cache) -> None:
    early = ask(Late(), cache, "AAA")
    assert (early.rows, early.missing["what"].tolist()) == (4, ["history"])
    late = ask(vendor := Vendor(), cache, "AAA")
    assert vendor.asked == [("AAA", FRIDAY, FRIDAY)]
    assert (late.rows, late.missing.empty) == (5, True)


def test_what_a_vendor_never_had_is_not_asked_for_for_ever(cache: Cache) -> None:
    years_later = datetime(2026, 3, 8, 21, 30, tzinfo=UTC)
    for _ in range(2):
        done = fetch(vendor := Late(), cache, ["AAA"], MONDAY, FRIDAY, now=lambda: years_later)
    assert (vendor.asked, done.rows) == ([], 4)


def test_what_came_before_an_interruption_is_kept(cache: Cache) -> None:
    def interrupted(tasks: Iterable[Any], _: int) -> Iterable[Any]:
        for count, task in enumerate(tasks):
            if count == 3:
                raise KeyboardInterrupt
            yield task

    names = [f"S{count:02d}" for count in range(40)]
    with pytest.raises(KeyboardInterrupt):
        ask(Vendor(), cache, *names, progress=interrupted)
    held = cache.shelf("vendor", "1d", "").panel().symbols
    assert 3 <= len(held) < 40
    done = ask(resumed := Vendor(), cache, *names)
    assert sorted(symbol for symbol, *_ in resumed.asked) == sorted(set(names) - set(held))
    assert done.rows == 200


def test_a_bug_in_a_source_is_told_and_what_came_is_kept(cache: Cache) -> None:
    def break_down(symbol: str) -> None:
        if symbol == "BBB":
            raise ZeroDivisionError

    names = [f"S{count:02d}" for count in range(20)]
    with pytest.raises(ZeroDivisionError):
        ask(Vendor(break_down), cache, "AAA", "BBB", *names)
    held = cache.shelf("vendor", "1d", "").panel().symbols
    assert "AAA" in held
    assert "BBB" not in held


def test_symbols_are_asked_for_at_the_same_time(cache: Cache) -> None:
    together = threading.Barrier(4, timeout=10)
    done = ask(Vendor(lambda _: together.wait() and None), cache, "AAA", "BBB", "CCC", "DDD")
    assert done.rows == 20


def test_two_fetches_at_once_ask_for_the_same_thing_once(cache: Cache) -> None:
    started, release = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        started.set()
        release.wait(10)

    vendor = Vendor(hold)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, vendor, cache, "AAA")
        started.wait(10)
        second = pool.submit(ask, vendor, cache, "AAA")
        while len(cache.flights) and not second.running():
            pass
        threading.Timer(0.3, release.set).start()
        results = [first.result(), second.result()]
    assert len(vendor.asked) == 1
    assert [done.rows for done in results] == [5, 5]
    assert len(cache.shelf("vendor", "1d", "").record.names()) == 1


def test_refreshing_finds_what_was_revised(cache: Cache) -> None:
    ask(Vendor(), cache, "AAA")
    assert ask(Vendor(scale=2.0), cache, "AAA").revised.empty
    done = ask(Vendor(scale=2.0), cache, "AAA", refresh=True)
    assert done.revised[["before", "after"]].to_numpy().tolist() == [[14, 28], [15, 30], [16, 32], [17, 34], [18, 36]]
    assert (done.rows, done.fetched) == (5, 0)


def test_rows_that_cannot_be_true_are_counted(cache: Cache) -> None:
    done = ask(Vendor(scale=-1.0), cache, "AAA")
    assert (done.rows, done.quarantined) == (0, 5)
    assert "5 row(s) cannot be true and were quarantined" in done.missing["reason"][0]


def test_minutes_are_fetched_and_kept_by_symbol(cache: Cache) -> None:
    done = ask(Vendor(), cache, "AAA", "BBB", start=FRIDAY, interval="1m")
    assert (done.rows, ask(Vendor(), cache, "AAA", start=FRIDAY, interval="1m").cached) == (6, 3)
    assert [part for *_, part, _ in cache.shelves()] == ["AAA", "BBB"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"start": FRIDAY, "end": MONDAY}, "swap them"),
        ({"interval": "5m"}, "the intervals are 1d, 1m"),
    ],
)
def test_what_makes_no_sense_is_refused(cache: Cache, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ask(Vendor(), cache, "AAA", **options)


@pytest.mark.parametrize("span", [(date(1, 1, 1), FRIDAY), (date(9999, 1, 1), date(9999, 12, 31))])
def test_days_beyond_every_calendar_are_refused(cache: Cache, span: tuple[date, date]) -> None:
    with pytest.raises(InputError, match="outside the calendars"):
        ask(Vendor(), cache, "AAA", start=span[0], end=span[1])


def test_a_range_of_closed_days_says_so(cache: Cache) -> None:
    done = ask(Vendor(), cache, "AAA", start=date(2024, 3, 2), end=date(2024, 3, 3))
    assert "no session of XNYS" in done.missing["reason"][0]


def test_no_symbol_at_all_is_refused(cache: Cache) -> None:
    with pytest.raises(InputError, match="at least one symbol"):
        ask(Vendor(), cache, " ")


def test_the_result_is_plain_for_a_program(cache: Cache) -> None:
    told = ask(Vendor(), cache, "AAA", "NOPE").to_dict()
    assert {"rows", "fetched", "cached", "missing", "requests"} <= told.keys()
    assert isinstance(told["missing"], pd.DataFrame)
    assert not np.isnan(told["rows"])

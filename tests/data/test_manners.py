"""A vendor is asked no more often than it allows, again only while that may help, and not at all while it is down."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from sigmalib.core.errors import AccessDenied, InputError, RateLimited, SourceDown
from sigmalib.data.manners import LONGEST_WAIT, Bucket, Health, Limits, Manners, retry_after

QUICK = Limits(per_minute=60_000, burst=1_000, attempts=4)
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = "k3y-of-the-firm"


@dataclass(frozen=True)
class Said:
    """A reply, in the little that manners read of one."""

    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Clock:
    """A clock that moves only when somebody sleeps; ``slept`` is for how long, each time."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Line:
    """A vendor that gives its answers in turn, the last one for ever; ``asked`` counts."""

    def __init__(self, *answers: Said | Exception) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self) -> Said:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def manners_of(clock: Clock, *, limits: Limits = QUICK, told: Callable[[Health], None] = lambda _: None) -> Manners:
    return Manners("vendor", limits, told=told, sleep=clock.sleep, clock=clock, failures=100)


# The bucket


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    clock = Clock()
    bucket = Bucket(Limits(per_minute=60, burst=3), clock=clock, sleep=clock.sleep)
    times = []
    for _ in range(6):
        bucket.take()
        times.append(clock.now - 1_000)
    assert times == pytest.approx([0, 0, 0, 1, 2, 3])


def test_no_minute_sees_more_than_the_burst_above_the_rate() -> None:
    clock = Clock()
    bucket = Bucket(Limits(per_minute=100, burst=5), clock=clock, sleep=clock.sleep)
    times = []
    for _ in range(300):
        bucket.take()
        times.append(clock.now)
    assert max(sum(start <= time < start + 60 for time in times) for start in times) <= 105


def test_tokens_are_saved_up_while_nobody_asks_but_never_beyond_the_burst() -> None:
    clock = Clock()
    bucket = Bucket(Limits(per_minute=60, burst=3), clock=clock, sleep=clock.sleep)
    for _ in range(3):
        bucket.take()
    clock.now += 3_600
    for _ in range(4):
        bucket.take()
    assert clock.slept == pytest.approx([1.0])


def test_callers_are_served_one_after_the_other_in_the_order_they_come() -> None:
    """Nobody sleeps here, as when all come at the same instant: each is told to wait for its own token."""
    told: list[float] = []
    bucket = Bucket(Limits(per_minute=120, burst=1), clock=lambda: 5.0, sleep=told.append)
    for _ in range(5):
        bucket.take()
    assert told == pytest.approx([0.5, 1.0, 1.5, 2.0])


def test_threads_share_one_bucket_and_each_gets_a_token_of_its_own() -> None:
    told: list[float] = []
    bucket = Bucket(Limits(per_minute=60, burst=1), clock=lambda: 5.0, sleep=told.append)
    threads = [threading.Thread(target=lambda: [bucket.take() for _ in range(25)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == pytest.approx(list(range(1, 200)))


# Limits that are set


def test_limits_are_what_the_options_say_and_the_defaults_otherwise() -> None:
    options = {"per_minute": "7.5", "workers": "3", "timeout": "2.5", "key": SECRET}
    limits = Limits.of(Limits(per_minute=60, burst=9), options, source="vendor")
    assert limits == Limits(per_minute=7.5, burst=9, workers=3, timeout=2.5)


@pytest.mark.parametrize(
    ("name", "text"),
    [("per_minute", "0"), ("per_minute", "many"), ("timeout", "-1"), ("timeout", "inf"), ("burst", "0.5"),
     ("workers", "2.5"), ("workers", "nan")],
)  # fmt: skip
def test_a_limit_that_is_no_number_above_zero_is_refused_with_the_name_of_its_variable(name: str, text: str) -> None:
    with pytest.raises(InputError, match=f"SIGMA_VENDOR_{name.upper()} is '{text}'"):
        Limits.of(QUICK, {name: text}, source="vendor")


# Trying again


def test_a_reply_is_handed_back_as_it_came_and_counted() -> None:
    clock, line, reply = Clock(), Line(Said(404)), Said(404)
    manners = manners_of(clock)
    assert manners.send(line, what="bars") == reply
    assert (manners.requests, line.asked, clock.slept) == (1, 1, [])


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
def test_a_failure_of_the_vendor_is_tried_again_and_every_try_is_counted(status: int) -> None:
    clock, line = Clock(), Line(Said(status), Said(status), Said())
    manners = manners_of(clock)
    assert manners.send(line, what="bars").status_code == 200
    assert (manners.requests, line.asked, len(clock.slept)) == (3, 3, 2)


def test_waits_grow_from_half_a_second_with_jitter() -> None:
    clock = Clock()
    manners = manners_of(clock, limits=Limits(per_minute=60_000, burst=1_000, attempts=6))
    with pytest.raises(SourceDown, match="bars: Vendor answers 503; try again later"):
        manners.send(Line(Said(503)), what="bars")
    for wait, least in zip(clock.slept, [0.5, 1, 2, 4, 8], strict=True):
        assert least <= wait <= least + 0.5
    assert clock.slept != pytest.approx([0.5, 1, 2, 4, 8], abs=1e-9)


def test_no_wait_is_longer_than_five_minutes() -> None:
    clock = Clock()
    manners = manners_of(clock, limits=Limits(per_minute=60_000, burst=1_000, attempts=14))
    with pytest.raises(SourceDown):
        manners.send(Line(Said(500)), what="bars")
    assert len(clock.slept) == 13
    assert max(clock.slept) == LONGEST_WAIT == 300
    assert all(later >= earlier for earlier, later in pairwise(clock.slept))


def test_the_last_failure_is_raised_after_so_many_attempts() -> None:
    line = Line(Said(500), Said(502), Said(500), Said(504))
    manners = manners_of(Clock())
    with pytest.raises(SourceDown, match="504"):
        manners.send(line, what="bars")
    assert (manners.requests, line.asked) == (4, 4)


def test_a_client_that_gets_no_answer_is_tried_again_and_other_exceptions_are_not() -> None:
    line = Line(TimeoutError("slow"), Said())
    assert manners_of(Clock()).send(line, what="bars", transient=(TimeoutError,)).status_code == 200
    broken = Line(KeyError("a bug"))
    with pytest.raises(KeyError):
        manners_of(Clock()).send(broken, what="bars", transient=(TimeoutError,))
    assert (line.asked, broken.asked) == (2, 1)


# Being asked to wait


@pytest.mark.parametrize("status", [429, 503])
def test_the_vendor_says_how_long_to_wait_in_seconds(status: int) -> None:
    clock = Clock()
    assert manners_of(clock).send(Line(Said(status, {"Retry-After": "17"}), Said()), what="bars").status_code == 200
    assert clock.slept == [17.0]


def test_the_vendor_says_when_to_come_back_as_a_date() -> None:
    clock, at = Clock(), datetime.now(UTC) + timedelta(seconds=90)
    manners_of(clock).send(Line(Said(429, {"Retry-After": format_datetime(at, usegmt=True)}), Said()), what="bars")
    assert clock.slept == [pytest.approx(90, abs=5)]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120.0), ("1.5", 1.5), (" 3 ", 3.0), ("0", 0.0), ("Mon, 02 Mar 2026 12:01:00 GMT", 60.0),
     ("Mon, 02 Mar 2026 11:00:00 GMT", 0.0), ("soon", None), ("", None), ("²", None), ("-5", None), (".", None)],
)  # fmt: skip
def test_a_header_is_read_as_seconds_or_as_a_date_or_not_at_all(said: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": said}, now=NOW) == seconds


def test_too_many_requests_without_a_header_waits_longer_and_longer() -> None:
    clock, line = Clock(), Line(Said(429))
    with pytest.raises(RateLimited, match=r"bars: Vendor says there are too many requests \(429\)"):
        manners_of(clock).send(line, what="bars")
    assert line.asked == 4
    assert all(later > earlier for earlier, later in pairwise(clock.slept))


def test_a_wait_beyond_five_minutes_fails_at_once() -> None:
    clock, line = Clock(), Line(Said(429, {"Retry-After": "301"}))
    with pytest.raises(RateLimited, match="bars: Vendor asks to wait 301 s"):
        manners_of(clock).send(line, what="bars")
    assert (line.asked, clock.slept) == (1, [])


# Being refused


@pytest.mark.parametrize(
    ("status", "why", "becomes"), [(401, "does not know the key", "disabled"), (403, "does not allow this", "degraded")]
)
def test_a_refusal_is_not_tried_again_and_a_refused_key_disables_the_source(
    status: int, why: str, becomes: str
) -> None:
    health: list[Health] = []
    line = Line(Said(status))
    with pytest.raises(AccessDenied, match=rf"bars: Vendor {why}.*\({status}\); check SIGMA_VENDOR_KEY") as raised:
        manners_of(Clock(), told=health.append).send(line, what="bars")
    assert line.asked == 1
    assert [(entry.status, entry.reason) for entry in health] == [(becomes, str(raised.value))]
    assert raised.value.everything == (status == 401)


def test_a_source_without_a_key_says_what_else_to_do() -> None:
    with pytest.raises(AccessDenied, match=r"bars: Vendor does not let us in \(403\); ask another exchange"):
        manners_of(Clock()).send(Line(Said(403)), what="bars", remedy="ask another exchange")


def test_health_is_told_when_it_changes_and_only_then() -> None:
    health: list[Health] = []
    manners = manners_of(Clock(), told=health.append)
    for answer, error in [(200, None), (200, None), (429, RateLimited), (429, RateLimited), (200, None)]:
        if error is None:
            manners.send(Line(Said(answer)), what="bars")
        else:
            with pytest.raises(error):
                manners.send(Line(Said(answer)), what="bars")
    assert [entry.status for entry in health] == ["ok", "degraded", "ok"]


def test_what_the_client_says_never_reaches_a_message_or_a_traceback() -> None:
    health: list[Health] = []
    line = Line(ConnectionError(f"no route to https://vendor.example/bars?key={SECRET}"))
    with pytest.raises(SourceDown, match=r"Vendor gave no answer \(ConnectionError\)") as raised:
        manners_of(Clock(), told=health.append).send(line, what="bars", transient=(ConnectionError,))
    assert SECRET not in "".join(traceback.format_exception(raised.value)) + repr(health)


# The breaker


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass for the breaker."""
    passed = [0.0]

    class Time(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return NOW + timedelta(seconds=passed[0])

    def pass_by(seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr("pybreaker.datetime", Time)
    return pass_by


def breaking(told: Callable[[Health], None] = lambda _: None, *, attempts: int = 1) -> Manners:
    limits = Limits(per_minute=60_000, burst=1_000, attempts=attempts)
    return Manners("vendor", limits, told=told, sleep=lambda _: None, failures=3, pause=60)


def fail(manners: Manners, times: int, *, status: int = 500) -> None:
    for _ in range(times):
        with pytest.raises((SourceDown, RateLimited)):
            manners.send(Line(Said(status)), what="bars")


def test_after_so_many_outages_in_a_row_the_vendor_is_left_alone(later: Callable[[float], None]) -> None:
    health: list[Health] = []
    manners, line = breaking(health.append), Line(Said())
    fail(manners, 3)
    with pytest.raises(SourceDown, match="bars: Vendor failed 3 times in a row; asked again after 60 s"):
        manners.send(line, what="bars")
    assert (manners.requests, line.asked) == (3, 0)
    assert [entry.status for entry in health] == ["degraded", "disabled"]


def test_tries_of_one_request_count_as_outages_too(later: Callable[[float], None]) -> None:
    manners = breaking(attempts=10)
    fail(manners, 1)
    assert manners.requests == 3


def test_a_success_between_them_starts_the_count_again() -> None:
    manners = breaking()
    for _ in range(4):
        fail(manners, 2)
        manners.send(Line(Said()), what="bars")
    assert manners.requests == 12


def test_being_limited_is_no_outage() -> None:
    manners = breaking()
    fail(manners, 10, status=429)
    assert manners.requests == 10


def test_after_the_pause_one_request_is_let_through_and_its_success_closes_the_breaker(
    later: Callable[[float], None],
) -> None:
    health: list[Health] = []
    manners = breaking(health.append)
    fail(manners, 4)
    later(61)
    manners.send(Line(Said()), what="bars")
    assert manners.requests == 4
    fail(manners, 2)
    manners.send(Line(Said()), what="bars")
    assert [entry.status for entry in health] == ["degraded", "disabled", "ok", "degraded", "ok"]


def test_when_that_one_fails_the_vendor_is_left_alone_for_another_pause(later: Callable[[float], None]) -> None:
    manners = breaking()
    fail(manners, 3)
    later(61)
    fail(manners, 5)
    assert manners.requests == 4
    later(61)
    manners.send(Line(Said()), what="bars")
    assert manners.requests == 5


# Threads


def test_requests_of_several_threads_run_at_once() -> None:
    """Each waits inside its request for the seven others: were they let in one by one, the barrier would break."""
    manners, together, through = manners_of(Clock()), threading.Barrier(8, timeout=10), []

    def request() -> Said:
        together.wait()
        return Said()

    threads = [
        threading.Thread(target=lambda: through.append(manners.send(request, what="bars").status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (through, manners.requests) == ([200] * 8, 8)


@pytest.mark.parametrize("answer", [Said(429, {"Retry-After": "200"}), Said(200)])
def test_stop_wakes_who_waits_for_a_retry_or_a_token(answer: Said) -> None:
    manners, errors, line = Manners("vendor", Limits(per_minute=0.1, burst=1)), [], Line(answer)

    def ask() -> None:
        try:
            for _ in range(2):
                manners.send(line, what="bars")
        except SourceDown as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    while not line.asked:
        thread.join(0.005)
    manners.stop()
    thread.join(10)
    assert (thread.is_alive(), errors, line.asked) == (False, ["bars: not asked, the fetch was stopped"], 1)


def test_never_more_than_the_vendor_allows_in_any_minute() -> None:
    clock = Clock()
    bucket, sent = Bucket(Limits(per_minute=5, burst=5), clock=clock, sleep=clock.sleep), []
    for _ in range(40):
        bucket.take()
        sent.append(clock())
    assert len(set(sent[:5])) == 1
    assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[5:], strict=False))

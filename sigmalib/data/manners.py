"""Manners towards vendors: how often to ask, how to wait, and when to stop asking for a while.

One ``Manners`` stands before each source. It hands out tokens at the rate the vendor allows, waits as long as the
vendor says (Retry-After) or exponentially longer with jitter, and after a row of failures opens a circuit breaker, so
that a vendor that is down is left alone. Waiting and retrying is tenacity's, the breaker pybreaker's.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Literal, TypeVar

import pybreaker
import tenacity

from sigmalib.core.errors import AccessDenied, DataUnavailable, InputError, RateLimited, SourceDown

Reply = TypeVar("Reply")
Status = Literal["ok", "degraded", "disabled"]

LONGEST_WAIT = 300.0
WINDOW = 60.00001  # seconds: a minute, and past its end
DENIED, LIMITED = (401, 403), 429
RETRIED = frozenset({408, 425, 500, 502, 503, 504})
FRACTIONAL, WHOLE = ("per_minute", "timeout"), ("burst", "workers")


@dataclass(frozen=True)
class Limits:
    """How a vendor may be asked: requests a minute with a first burst, at once, seconds for each, tries for each."""

    per_minute: float
    burst: int = 5
    workers: int = 8
    timeout: float = 10.0
    attempts: int = 4

    @classmethod
    def of(cls, default: Limits, options: Mapping[str, str], *, source: str) -> Limits:
        """``default``, with what ``SIGMA_<SOURCE>_PER_MINUTE``, ``_BURST``, ``_WORKERS`` and ``_TIMEOUT`` say.

        Raises InputError for what is no number above zero, or no whole one where things are counted.
        """
        said = {name: _positive(source, name, text) for name, text in options.items() if name in FRACTIONAL + WHOLE}
        return replace(
            default,
            per_minute=said.get("per_minute", default.per_minute),
            timeout=said.get("timeout", default.timeout),
            burst=int(said.get("burst", default.burst)),
            workers=int(said.get("workers", default.workers)),
        )


@dataclass(frozen=True)
class Health:
    """How a source has been doing: ``disabled`` while the breaker is open or the key is refused."""

    status: Status
    reason: str
    since: datetime


class Bucket:
    """Tokens for requests: ``burst`` at once, then at the pace of ``per_minute``; shared by all threads.

    Never more than ``per_minute`` (and the burst, if that is more) within any 60 seconds, also when a burst was spent.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._rate, self._burst = limits.per_minute / 60, max(limits.burst, 1)
        self._clock, self._sleep = clock, sleep
        self._free_at = clock() - self._burst / self._rate
        self._sent: deque[float] = deque(maxlen=max(self._burst, int(limits.per_minute)))
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for the next token; callers are served in the order they come."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - self._burst / self._rate) + 1 / self._rate
            at = max(now, self._free_at)
            if len(self._sent) == self._sent.maxlen:
                at = max(at, self._sent[0] + WINDOW)
            self._sent.append(at)
        if at > now:
            self._sleep(at - now)


class _TryAgain(Exception):
    """This attempt failed in a way that time may heal; ``after`` is how long the vendor asks to wait, in seconds."""

    def __init__(self, failure: DataUnavailable, after: float | None = None) -> None:
        self.failure, self.after = failure, after
        super().__init__(str(failure))


class Manners:
    """Asks one vendor politely; thread-safe. ``requests`` counts every HTTP request sent, retries too."""

    def __init__(
        self,
        source: str,
        limits: Limits,
        *,
        told: Callable[[Health], None] = lambda _: None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        failures: int = 8,
        pause: float = 60.0,
    ) -> None:
        self.source, self.limits, self.requests = source, limits, 0
        self._called = source.capitalize()  # in sentences
        self._told, self._sleep, self._stopped = told, sleep, threading.Event()
        self._bucket = Bucket(limits, clock=clock, sleep=self._rest)
        self._lock, self._pause, self._status = threading.Lock(), pause, ""
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures, reset_timeout=pause, exclude=[lambda error: not _is_down(error)], name=source
        )

    def send(
        self,
        request: Callable[[], Reply],
        *,
        what: str,
        transient: tuple[type[BaseException], ...] = (),
        remedy: str = "",
    ) -> Reply:
        """The reply to ``request``, sent when there is a token, and again while that may help.

        request : sends once and returns a reply with ``status_code`` or ``status`` and ``headers``; a 404 and other
        client errors are returned for the caller to read. what : what is asked for, for messages; never with a key in
        it. transient : exceptions of the client that stand for no answer (timeouts, broken connections); their text may
        hold an address with a key, so they are named and not chained. remedy : what to do about a 401 or 403 when
        the source has no key.
        Raises AccessDenied (401, 403), RateLimited (429), SourceDown (failures, or the breaker is open).
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TryAgain),
            stop=self._enough,
            wait=_wait,
            sleep=self._rest,
            reraise=True,
        )
        try:
            reply = retrying(self._once, partial(self._judged, request, what, transient, remedy))
        except _TryAgain as error:
            self._tell("degraded", str(error.failure))
            raise error.failure from None
        except pybreaker.CircuitBreakerError:
            times = f"{self._breaker.fail_max} times in a row"
            reason = f"{self._called} failed {times}; asked again after {self._pause:.0f} s"
            self._tell("disabled", reason)
            raise SourceDown(f"{what}: {reason}") from None
        except AccessDenied as error:
            self._tell("disabled" if error.everything else "degraded", str(error))
            raise
        self._tell("ok", "")
        return reply

    def fault(self, reason: str) -> None:
        """Tell that answers came and could not be read: the vendor, or its client, has changed."""
        self._tell("degraded", reason)

    def stop(self) -> None:
        """Let whoever waits here give up at once, and nobody ask any more: the fetch was interrupted."""
        self._stopped.set()

    def _rest(self, seconds: float) -> None:
        (self._sleep or self._stopped.wait)(seconds)

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= self.limits.attempts or (_asked(state) or 0.0) > LONGEST_WAIT

    def _once(self, judged: Callable[[], Reply]) -> Reply:
        if self._breaker.current_state != pybreaker.STATE_CLOSED:
            return self._breaker.call(judged)  # refuses at once, or lets one try
        try:
            reply = judged()
        except _TryAgain as error:
            self._count(error)
            raise
        self._count(None)
        return reply

    def _count(self, error: _TryAgain | None) -> None:
        """Tell the breaker how a request ended; not from inside it, where it would let one request run at a time."""

        def ended() -> None:
            if error is not None:
                raise error

        with suppress(_TryAgain, pybreaker.CircuitBreakerError):
            self._breaker.call(ended)

    def _judged(
        self, request: Callable[[], Reply], what: str, transient: tuple[type[BaseException], ...], remedy: str
    ) -> Reply:
        self._bucket.take()
        if self._stopped.is_set():
            raise SourceDown(f"{what}: not asked, the fetch was stopped")
        with self._lock:
            self.requests += 1
        try:
            reply: Any = request()
        except transient as error:
            raise _TryAgain(SourceDown(f"{what}: {self._called} gave no answer ({type(error).__name__})")) from None
        status = int(getattr(reply, "status_code", None) or reply.status)
        if status in DENIED:
            raise AccessDenied(_denied(self.source, status, what, remedy), everything=status == 401)
        after = retry_after(reply.headers, now=datetime.now(UTC))
        if status == LIMITED:
            waited = f"asks to wait {after:.0f} s" if after is not None else "says there are too many requests"
            raise _TryAgain(RateLimited(f"{what}: {self._called} {waited} (429); try later or ask for less"), after)
        if status in RETRIED:
            raise _TryAgain(SourceDown(f"{what}: {self._called} answers {status}; try again later"), after)
        return reply

    def _tell(self, status: Status, reason: str) -> None:
        with self._lock:
            changed, self._status = status != self._status, status
        if changed:
            self._told(Health(status, reason, datetime.now(UTC)))


def retry_after(headers: Any, *, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait, given as seconds or as an HTTP date; None without one."""
    said = str(headers.get("Retry-After") or "").strip()
    if said.replace(".", "", 1).isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    except (TypeError, ValueError):
        return None


_backoff = tenacity.wait_exponential_jitter(multiplier=0.5, max=LONGEST_WAIT, jitter=0.5)


def _wait(state: tenacity.RetryCallState) -> float:
    asked = _asked(state)
    return min(LONGEST_WAIT, _backoff(state)) if asked is None else asked


def _asked(state: tenacity.RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.after if isinstance(error, _TryAgain) else None


def _is_down(error: BaseException) -> bool:
    return isinstance(error, _TryAgain) and isinstance(error.failure, SourceDown)


def _denied(source: str, status: int, what: str, remedy: str) -> str:
    if remedy:
        return f"{what}: {source.capitalize()} does not let us in ({status}); {remedy}"
    why = "does not know the key" if status == 401 else "does not allow this to the key"
    setting = f"SIGMA_{source.upper()}_KEY"
    return f"{what}: {source.capitalize()} {why} ({status}); check {setting} and what its plan includes"


def _positive(source: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf") or (name in WHOLE and value % 1):
        kind = "whole number" if name in WHOLE else "number"
        raise InputError(f"SIGMA_{source.upper()}_{name.upper()} is {text!r}; write a {kind} above zero")
    return value

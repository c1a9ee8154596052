"""Fetching: ask a source for what the cache lacks, several symbols at once, and keep what came as it comes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from types import FrameType
from typing import Any

import pandas as pd

from sigmalib.core.errors import AccessDenied, AnswerUnreadable, DataUnavailable, InputError
from sigmalib.core.frames import BARS, MINUTES, check
from sigmalib.core.frames import missing as missing_table
from sigmalib.core.instruments import calendar_of
from sigmalib.core.times import FIRST_DAY, INTERVALS, LAST_DAY, Interval, last_closed_session, last_session, sessions
from sigmalib.data.cache import Cache
from sigmalib.data.cache.record import Span, new_fetch_id
from sigmalib.data.cache.shelf import Committed
from sigmalib.data.manners import Manners
from sigmalib.data.quality import order_findings, sift
from sigmalib.data.sources import Answer, Source

FLUSH_SECONDS = 1.0
DAY = timedelta(days=1)
FRESH = timedelta(days=7)  # within which a vendor may be late: what it did not give is asked for again
REFUSALS = 10  # in a row, after which nothing more is asked
SHOWN = 3  # absent sessions that a sentence names
WORKERS = 4  # for a source without limits of its own

Progress = Callable[[Iterable[Any], int], Iterable[Any]]
Gap = tuple[str, str, str]


@dataclass(frozen=True)
class Task:
    """One thing to ask a source for: bars of a symbol over a span of days."""

    symbol: str
    interval: Interval
    span: Span


@dataclass(frozen=True, eq=False)
class Fetched:
    """What a fetch did; counts are of bars in the range asked for, unless said otherwise.

    rows : in the cache now. cached : of them, there before. revised : (symbol, time, close before and after) of bars
    whose values changed; both are kept. quarantined : rows that came but cannot be right. reordered : rows that came
    after a later one and were put in order. requests : HTTP requests made. missing : MISSING. failed : symbols that a
    failure of the source left out, wholly or in part, with the reason.
    """

    fetch_id: str
    source: str
    interval: Interval
    start: date
    end: date
    symbols: tuple[str, ...]
    rows: int
    cached: int
    requests: int
    quarantined: int
    revised: pd.DataFrame
    reordered: int
    missing: pd.DataFrame
    failed: dict[str, str]

    @property
    def fetched(self) -> int:
        """Bars of the range that were not in the cache before."""
        return self.rows - self.cached

    @property
    def state(self) -> str:
        """``done``; ``partial`` when the source failed for some symbols, ``failed`` when it did for all of them."""
        if not self.failed:
            return "done"
        return "failed" if len(self.failed) == len(self.symbols) else "partial"

    def to_dict(self) -> dict[str, Any]:
        """Everything, for a program."""
        return {
            "fetch_id": self.fetch_id, "source": self.source, "interval": self.interval, "start": self.start,
            "end": self.end, "symbols": list(self.symbols), "state": self.state, "rows": self.rows,
            "fetched": self.fetched, "cached": self.cached, "revised": self.revised, "quarantined": self.quarantined,
            "reordered": self.reordered, "requests": self.requests, "missing": self.missing,
        }  # fmt: skip


def fetch(
    source: Source,
    cache: Cache,
    symbols: Sequence[str],
    start: date,
    end: date,
    *,
    now: Callable[[], datetime],
    interval: Interval = "1d",
    manners: Manners | None = None,
    progress: Progress = lambda tasks, _: tasks,
    refresh: bool = False,
    fetch_id: str = "",
) -> Fetched:
    """Bring the bars of ``symbols`` from ``start`` to ``end``, both included, into the cache.

    Only ranges that were never asked for are asked, or all of them with ``refresh``, which finds revisions. Days that
    are not over yet are left out of daily bars. What the source refuses or fails is in ``missing`` and ``failed``; what
    came is kept, also when the fetch is interrupted. Raises InputError for an empty range or an interval the source
    lacks.
    """
    wanted = _checked(source, symbols, start, end, interval)
    before = sum(_count(cache, source, interval, symbol, (start, end)) for symbol in wanted)
    sent = manners.requests if manners else 0
    under_way = _UnderWay(source, cache, interval, now, fetch_id or new_fetch_id())
    under_way.run(_tasks(source, cache, wanted, (start, end), interval, now(), refresh=refresh), manners, progress)
    gaps = [*under_way.gaps, *_absences(source, cache, wanted, (start, end), interval, now(), under_way)]
    revised = [committed.revised for committed in under_way.committed if len(committed.revised)]
    return Fetched(
        fetch_id=under_way.fetch_id,
        source=source.name,
        interval=interval,
        start=start,
        end=end,
        symbols=tuple(wanted),
        rows=sum(_count(cache, source, interval, symbol, (start, end)) for symbol in wanted),
        cached=before,
        requests=(manners.requests if manners else 0) - sent,
        quarantined=sum(committed.quarantined for committed in under_way.committed),
        reordered=under_way.reordered,
        revised=pd.concat(revised, ignore_index=True) if revised else Committed().revised,
        missing=missing_table(*sorted(set(gaps))),
        failed=under_way.failed,
    )


@dataclass
class _UnderWay:
    """A fetch under way: what came and is not committed yet, what was committed, and what could not be had."""

    source: Source
    cache: Cache
    interval: Interval
    now: Callable[[], datetime]
    fetch_id: str
    came: list[tuple[Task, pd.DataFrame]] = field(default_factory=list)
    committed: list[Committed] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    unreadable: str = ""
    refusal: str = ""
    reordered: int = 0
    flushed: float = field(default_factory=time.monotonic)

    def run(self, tasks: Sequence[Task], manners: Manners | None, progress: Progress) -> None:
        """Ask for every task; what came is kept also when this is interrupted or the source refuses."""
        workers = manners.limits.workers if manners else WORKERS
        pool = ThreadPoolExecutor(max_workers=max(1, min(workers, len(tasks))), thread_name_prefix=self.source.name)
        waiting = {pool.submit(self._ask, task): task for task in tasks}
        with _stoppable(manners) as stopped:
            self._work(waiting, pool, manners, lambda futures: progress(futures, len(tasks)), stopped)
            if manners and self.unreadable:
                manners.fault(self.unreadable)
            if stopped():
                raise KeyboardInterrupt

    def _work(
        self,
        waiting: dict[Future[Answer], Task],
        pool: ThreadPoolExecutor,
        manners: Manners | None,
        progress: Callable[[Iterable[Any]], Iterable[Any]],
        stopped: Callable[[], bool],
    ) -> None:
        symbols = {self.cache.part(self.interval, task.symbol): task.symbol for task in waiting.values()}
        try:
            for future in progress(as_completed(list(waiting))):
                self._take(waiting.pop(future), future)
                if self.refusal or stopped():
                    break
        finally:
            if manners and waiting:
                manners.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            try:
                with ExitStack() as each:  # so that one that breaks does not keep the others from being taken
                    for future, task in waiting.items():
                        if future.cancelled():
                            self._fail(task, f"not asked: {self.refusal}")
                        else:
                            each.callback(self._take, task, future)
            finally:
                self._flush()
                for symbol in symbols.values():
                    self.cache.shelf(self.source.name, self.interval, symbol).fold()

    def _ask(self, task: Task) -> Answer:
        """The source's answer, asked for once however many fetches of this process want it at the same time."""
        mine: Future[Answer] = Future()
        flight = self.cache.flights.setdefault((self.source.name, task), mine)
        if flight is not mine:
            return flight.result()
        try:
            mine.set_result(self.source.bars([task.symbol], *task.span, task.interval))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            del self.cache.flights[(self.source.name, task)]
        return mine.result()

    def _take(self, task: Task, future: Future[Answer]) -> None:
        try:
            answer = future.result()
        except DataUnavailable as error:
            self._fail(task, self.refusal or str(error))
            self.unreadable = str(error) if isinstance(error, AnswerUnreadable) else self.unreadable
            self.refused = self.refused + 1 if isinstance(error, AccessDenied) else 0
            if isinstance(error, AccessDenied) and (error.everything or self.refused >= REFUSALS):
                self.refusal = str(error)  # not let in: the other symbols would hear the same
            return
        self.refused = 0
        self.gaps += list(answer.missing.itertuples(index=False, name=None))
        frame = check(answer.frame, BARS if self.interval == "1d" else MINUTES)
        if self.interval == "1d" and len(frame):
            frame = frame[frame.index.get_level_values("session") <= self._closed(task.symbol)]
        self.came.append((task, frame))
        if time.monotonic() - self.flushed > FLUSH_SECONDS:
            self._flush()

    def _fail(self, task: Task, reason: str) -> None:
        self.failed[task.symbol] = reason
        self.gaps.append((task.symbol, "price", reason))

    def _flush(self) -> None:
        """Commit what came since the last time: one batch a shelf."""
        came, self.came, self.flushed = self.came, [], time.monotonic()
        by_part = sorted(came, key=lambda each: "" if self.interval == "1d" else each[0].symbol)
        for _, group in groupby(by_part, key=lambda each: self.cache.part(self.interval, each[0].symbol)):
            answers = list(group)
            shelf = self.cache.shelf(self.source.name, self.interval, answers[0][0].symbol)
            filled = [frame for _, frame in answers if len(frame)]
            together = pd.concat(filled) if filled else answers[0][1]
            self.reordered += int(order_findings(together)["measure"].sum())
            good, bad = sift(together)
            asked: dict[str, list[Span]] = {}
            for task, frame in answers:
                if len(frame) or task.symbol in shelf.panel().at:  # of a symbol that is known: it has no more there
                    asked.setdefault(task.symbol, []).extend(self._settled(task, frame))
            self.committed.append(shelf.commit(good, bad, asked, fetch_id=self.fetch_id, at=self.now()))

    def _settled(self, task: Task, frame: pd.DataFrame) -> list[Span]:
        """The days of a task that are over, of which no more is to come, and those without a session before them.

        Of the last week only up to the last bar that came: the vendor may be late.
        """
        (start, end), name = task.span, calendar_of(task.symbol)
        last = min(end, self._closed(task.symbol).date())
        if self.now().date() - last < FRESH:
            came = frame.index.get_level_values(0).max() if len(frame) else pd.NaT
            last = min(last, came.date()) if pd.notna(came) else start - DAY
        return [(_after_session_before(start, name), last)] if start <= last else []

    def _closed(self, symbol: str) -> pd.Timestamp:
        return pd.Timestamp(last_closed_session(pd.Timestamp(self.now()), name=calendar_of(symbol)))


@contextmanager
def _stoppable(manners: Manners | None) -> Iterator[Callable[[], bool]]:
    """Whether the user asked to stop: the first Ctrl-C lets what is under way end and wakes whoever waits to ask.

    An exception in the midst of waiting for threads could leave their locks broken; the second Ctrl-C raises it.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        if manners:
            manners.stop()

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


@lru_cache(maxsize=1024)
def _after_session_before(day: date, name: str) -> date:
    """The day after the last session before ``day``: what lies between them needs no asking."""
    try:
        return last_session(day - DAY, name=name) + DAY
    except InputError:  # the calendar begins here
        return day


def _checked(source: Source, symbols: Sequence[str], start: date, end: date, interval: Interval) -> list[str]:
    wanted = sorted({symbol.strip().upper() for symbol in symbols if symbol.strip()})
    if not wanted:
        raise InputError("name at least one symbol to fetch, such as AAPL")
    if start > end:
        raise InputError(f"--start {start} lies after --end {end}; swap them")
    for name, day in (("--start", start), ("--end", end)):
        if not FIRST_DAY < day <= LAST_DAY:
            raise InputError(f"{name} {day} lies outside the calendars; give a day from 1990-01-02 to {LAST_DAY}")
    if interval not in source.traits.intervals:
        has = ", ".join(source.traits.intervals)
        known = f"the intervals are {', '.join(INTERVALS)}" if interval not in INTERVALS else f"it has {has}"
        raise InputError(f"the {source.name} source has no bars of {interval!r}; {known}")
    return wanted


def _tasks(
    source: Source, cache: Cache, symbols: Sequence[str], span: Span, interval: Interval, at: datetime, *, refresh: bool
) -> list[Task]:
    """What is to be asked: the spans of each symbol never asked for that have a session in them."""
    tasks = []
    for symbol in symbols:
        name = calendar_of(symbol)
        last = last_closed_session(pd.Timestamp(at), name=name) if interval == "1d" else at.date()
        whole = (span[0], min(span[1], last))
        if whole[0] > whole[1]:
            continue
        spans = [whole] if refresh else cache.shelf(source.name, interval, symbol).missing(symbol, whole)
        tasks += [Task(symbol, interval, part) for part in spans if len(sessions(*part, name=name))]
    return tasks


def _absences(
    source: Source,
    cache: Cache,
    symbols: Sequence[str],
    span: Span,
    interval: Interval,
    at: datetime,
    under_way: _UnderWay,
) -> Iterator[Gap]:
    """Sessions of the range without a bar, of every symbol for which nothing else was said yet."""
    told = {symbol for symbol, _, _ in under_way.gaps}
    for symbol in symbols:
        if symbol in told:
            continue
        name = calendar_of(symbol)
        last = min(span[1], last_closed_session(pd.Timestamp(at), name=name))
        expected = sessions(span[0], last, name=name) if span[0] <= last else pd.DatetimeIndex([])
        absent = expected.difference(cache.shelf(source.name, interval, symbol).days(symbol))
        if expected.empty:
            yield symbol, "price", f"no session of {name} that is over lies between {span[0]} and {span[1]}"
        elif len(absent) == len(expected):
            bad = cache.shelf(source.name, interval, symbol).quarantined(symbol)
            kept_apart = f"; {bad} row(s) cannot be true and were quarantined, see `sigma data check`" if bad else ""
            nothing = f"{source.name.capitalize()} has no bar of {symbol} from {span[0]} to {last}"
            yield symbol, "price", f"{nothing}{kept_apart}"
        elif len(absent):
            shown = ", ".join(f"{day:%Y-%m-%d}" for day in absent[:SHOWN]) + (", …" if len(absent) > SHOWN else "")
            yield symbol, "history", f"{len(absent):,} of {len(expected):,} sessions of {symbol} have no bar: {shown}"


def _count(cache: Cache, source: Source, interval: Interval, symbol: str, span: Span) -> int:
    return cache.shelf(source.name, interval, symbol).count(symbol, span)

"""Fetching: 200 symbols' year by day into an empty cache, one request at a time and several at once.

The real clients ask a server in a process of its own, which waits 50 ms before each answer. Wall seconds, requests a
second and our CPU a request, medians of interleaved rounds; beside one worker stand as many as the source has by
default and 16. Limit: polygon with 16 workers at least 8 times as fast as with one; yahoo, of which most time is
yfinance's and pandas' CPU, is for information and measured once.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import NamedTuple

from sigmalib.core.times import sessions
from sigmalib.data.cache import Cache
from sigmalib.data.fetch import fetch
from sigmalib.data.sources import open_source, source_class
from tests.polygon import KEY, polygon_server
from tests.vendors import Asked, Reply, Vendor, serving
from tests.yahoo import walk, yahoo_server

ROUNDS = {"polygon": 3, "yahoo": 1}
SYMBOLS = [f"S{number:03}" for number in range(200)]
START, END = date(2025, 1, 2), date(2025, 12, 31)  # 250 sessions
LATENCY = 0.05  # seconds
ONE, MOST = 1, 16
FASTER = {"polygon": 8.0}
OPTIONS = {"polygon": {"KEY": KEY}, "yahoo": {}}


class Taken(NamedTuple):
    """A fetch: seconds that passed, requests a second, milliseconds of our CPU a request."""

    seconds: float
    rate: float
    cpu: float


def main() -> int:
    """Measure each source, print a row for each number of workers, and return 1 when a limit is missed."""
    print(f"{'source':10}{'workers':>8}{'s':>9}{'requests/s':>12}{'CPU ms':>8}{'times':>8}")
    missed = []
    for source in OPTIONS:
        found = _measured(source)
        for workers, taken in found.items():
            times = found[ONE].seconds / taken.seconds
            print(f"{source:10}{workers:8}{taken.seconds:9.2f}{taken.rate:12.0f}{taken.cpu:8.2f}{times:8.1f}")
        if times < FASTER.get(source, 0.0):  # the last, with the most workers
            missed.append(f"{source}: {MOST} workers are {times:.1f} times as fast, at least {FASTER[source]:.0f}")
    print("".join(f"MISSED: {sentence}\n" for sentence in missed), end="")
    return int(bool(missed))


def _measured(source: str) -> dict[int, Taken]:
    """The medians by number of workers."""
    limits = source_class(source).traits.limits
    assert limits is not None
    numbers = (ONE, limits.workers, MOST)
    with _vendor(source) as base:
        _taken(source, base, MOST)  # not counted: imports, and what the server keeps
        rounds = [{number: _taken(source, base, number) for number in numbers} for _ in range(ROUNDS[source])]
    columns = {number: zip(*(taken[number] for taken in rounds), strict=True) for number in numbers}
    return {number: Taken(*map(median, column)) for number, column in columns.items()}


def _taken(source: str, base: str, workers: int) -> Taken:
    """One fetch into an empty cache; AssertionError unless everything came."""
    options = OPTIONS[source] | {"BASE": base, "WORKERS": str(workers), "PER_MINUTE": "1e6", "BURST": "1000"}
    variables = {f"SIGMA_{source.upper()}_{name}": value for name, value in options.items()}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        opened, manners = open_source(source, variables, folder=place / source, told=lambda _: None)
        cache = Cache(str(place / "cache"), place / "local")
        wall, cpu = time.perf_counter(), time.process_time()
        done = fetch(opened, cache, SYMBOLS, START, END, now=lambda: datetime.now(UTC), manners=manners)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert done.state == "done", done.failed
    assert done.fetched == len(SYMBOLS) * len(sessions(START, END)), done.missing
    return Taken(wall, done.requests / wall, 1e3 * cpu / done.requests)


@contextmanager
def _vendor(source: str) -> Iterator[str]:
    """The address of a server for ``source`` in another process, until the end of the block."""
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(source, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(source: str, told: Connection) -> None:
    """Serve until terminated; every answer is made once and kept, so that serving takes little of the machine."""
    made = {"polygon": polygon_server, "yahoo": _yahoo}[source]()

    @cache
    def kept(path: str, query: frozenset[tuple[str, str]], headers: frozenset[tuple[str, str]]) -> Reply:
        reply = made.answer(Asked(path, dict(query), dict(headers)))
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        return replace(reply, body=body, delay=LATENCY)

    def answer(asked: Asked) -> Reply:
        return kept(asked.path, frozenset(asked.query.items()), frozenset(asked.headers.items()))

    with serving(Vendor(answer)) as vendor:
        told.send(vendor.base)
        time.sleep(3600)


def _yahoo() -> Vendor:
    days = sessions(START, END)
    return yahoo_server({symbol: walk(days, 100.0, seed=seed) for seed, symbol in enumerate(SYMBOLS)})


if __name__ == "__main__":
    sys.exit(main())

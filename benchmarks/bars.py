"""Bars: our cache beside five other stores; 500 symbols by day for ten years, and five symbols' year by minute.

Milliseconds that pass and, in brackets, of CPU: medians of interleaved rounds, the page cache warm. Every answer is a
table of pandas with its labels, and all are compared before anything is timed. The peers are at their best: their
connections stay open, a panel is reshaped from rows in a known order instead of pivoted (but for pandas), and DuckDB's
bars are kept in two orders. What a store appended is on the disk. *Opened* is our cache opened anew for every question;
in the cache that a process keeps, the panel is the table that it made the last time.

Limits: the close panel 2 ms from the process's cache and 15 ms opened, both faster than every peer; one symbol 3 ms,
one date 5 ms, appending a day 10 ms; nothing more than twice the best peer, for appending the best database.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from operator import methodcaller
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sigmalib.core.frames import BARS
from sigmalib.core.times import Interval, calendar
from sigmalib.data.cache import Cache
from sigmalib.data.cache.record import Asked, new_fetch_id
from sigmalib.data.cache.shelf import Shelf

ROUNDS, FOLDS = 9, 3
SYMBOLS, FIELDS = [f"S{number:03}" for number in range(500)], ["open", "high", "low", "close", "volume"]
SESSIONS, YEAR, LENGTH = 2_520, 252, 390  # days that are stored at first, days of minutes, minutes of a day
BY_MINUTE = SYMBOLS[:5]
EVER = pd.Timestamp.min, pd.Timestamp.max
OURS, OPENED = "ours", "opened"
LIMITS = {  # milliseconds, by question and column
    ("close panel", OURS): 2.0,
    ("close panel", OPENED): 15.0,
    ("one symbol", OURS): 3.0,
    ("one date", OURS): 5.0,
    ("append a day", OURS): 10.0,
}
OF_THE_BEST = 2.0

Array = np.ndarray
Where = tuple[str, object]


class Taken(NamedTuple):
    """Milliseconds of a round: those that passed, and of CPU."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} ({self.cpu:.2f})"


Row = dict[str, Taken]  # by store
Question = Callable[[Any], pd.DataFrame]  # of a store


@dataclass(frozen=True, eq=False)
class Made:
    """A made market: ``daily`` (session x symbol x FIELDS), ``minute`` (time x symbol x FIELDS), and their labels."""

    sessions: pd.DatetimeIndex
    times: pd.DatetimeIndex
    daily: Array
    minute: Array

    @classmethod
    def of(cls, seed: int) -> Made:
        """Geometric walks; with more sessions than are stored at first, to be appended."""
        rng = np.random.default_rng(seed)
        days = calendar().sessions[-SESSIONS - ROUNDS - FOLDS :].as_unit("us")
        opens = days[SESSIONS - YEAR : SESSIONS].to_numpy() + np.timedelta64(14 * 60 + 30, "m")
        times = (opens[:, None] + np.arange(LENGTH, dtype="timedelta64[m]")).ravel()
        daily, minute = _walk(rng, len(days), len(SYMBOLS), 0.015), _walk(rng, len(times), len(BY_MINUTE), 0.0005)
        return cls(days, pd.DatetimeIndex(times, tz="UTC"), daily, minute)

    def days(self, first: int, last: int) -> pd.DataFrame:
        """The rows of some sessions: session, symbol and FIELDS, by session and symbol."""
        index = pd.MultiIndex.from_product([self.sessions[first:last], SYMBOLS], names=["session", "symbol"])
        return pd.DataFrame(self.daily[first:last].reshape(-1, len(FIELDS)), index, columns=FIELDS).reset_index()

    def year(self, symbol: str) -> pd.DataFrame:
        """The minutes of a symbol: time, symbol and FIELDS."""
        index = pd.MultiIndex.from_product([self.times, [symbol]], names=["time", "symbol"])
        return pd.DataFrame(self.minute[:, BY_MINUTE.index(symbol)], index, columns=FIELDS).reset_index()


class Store(ABC):
    """Bars that are kept below ``folder``."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def fill(self, daily: pd.DataFrame, minute: Mapping[str, pd.DataFrame]) -> None:
        """Store what there is at first."""

    @abstractmethod
    def panel(self) -> pd.DataFrame:
        """The close of all symbols (session x symbol)."""

    @abstractmethod
    def series(self, symbol: str) -> pd.DataFrame:
        """A symbol's bars (session x FIELDS and more)."""

    @abstractmethod
    def session(self, day: pd.Timestamp) -> pd.DataFrame:
        """All bars of a session (symbol x FIELDS and more)."""

    @abstractmethod
    def minutes(self, symbol: str) -> pd.DataFrame:
        """A symbol's year (time x FIELDS and more)."""

    @abstractmethod
    def prepared(self, rows: pd.DataFrame) -> Any:
        """Rows as this store takes them; not timed."""

    @abstractmethod
    def append(self, rows: Any) -> None:
        """Add a session's rows, as ``prepared``."""

    def megabytes(self) -> float:
        """How much there is on the disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) / 1e6


class Ours(Store):
    """The shelves of one cache, as the process keeps it."""

    name = OURS

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept = self.opened()

    def opened(self) -> Cache:
        """The cache as a process opens it that starts."""
        return Cache(str(self.folder / "cache"), self.folder / "local")

    def shelf(self, interval: Interval, symbol: str) -> Shelf:
        """The shelf that bars of ``symbol`` are on."""
        return self.kept.shelf("made", interval, symbol)

    def fill(self, daily: pd.DataFrame, minute: Mapping[str, pd.DataFrame]) -> None:
        parts = {self.shelf("1m", symbol): rows for symbol, rows in minute.items()}
        for shelf, rows in (parts | {self.shelf("1d", SYMBOLS[0]): daily}).items():
            _commit(shelf, _asked_for(shelf, rows))
            shelf.fold()

    def panel(self) -> pd.DataFrame:
        return self.shelf("1d", SYMBOLS[0]).wide("close", SYMBOLS, *EVER)

    def series(self, symbol: str) -> pd.DataFrame:
        return self.shelf("1d", symbol).series(symbol, *EVER)

    def session(self, day: pd.Timestamp) -> pd.DataFrame:
        return self.shelf("1d", SYMBOLS[0]).session(day)

    def minutes(self, symbol: str) -> pd.DataFrame:
        return self.shelf("1m", symbol).series(symbol, *EVER)

    def prepared(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, Asked]:
        return _asked_for(self.shelf("1d", SYMBOLS[0]), rows)

    def append(self, rows: tuple[pd.DataFrame, Asked]) -> None:
        _commit(self.shelf("1d", SYMBOLS[0]), rows)


class Opened(Ours):
    """The same cache, opened anew for every question."""

    name = OPENED

    def shelf(self, interval: Interval, symbol: str) -> Shelf:
        return self.opened().shelf("made", interval, symbol)


class Peer(Store):
    """A store that gives columns of rows; ``by_session`` says in which order it has all of them."""

    by_session = True

    @abstractmethod
    def read(self, label: str, fields: Sequence[str], where: Where | None = None) -> dict[str, Array]:
        """The columns ``label`` and ``fields`` of all daily rows, or of those where a column has a value."""

    @abstractmethod
    def year(self, symbol: str) -> dict[str, Array]:
        """The columns time and FIELDS of the minutes of a symbol."""

    def panel(self) -> pd.DataFrame:
        found, width = self.read("session", ["close"]), len(SYMBOLS)
        closes, days = found["close"], found["session"]
        values = closes.reshape(-1, width) if self.by_session else closes.reshape(width, -1).T
        labels = days[::width] if self.by_session else days[: len(values)]
        names = pd.Index(SYMBOLS, dtype="str", name="symbol")
        return pd.DataFrame(values, pd.DatetimeIndex(labels, name="session"), names, copy=False)

    def series(self, symbol: str) -> pd.DataFrame:
        return _framed(self.read("session", FIELDS, ("symbol", symbol)), "session")

    def session(self, day: pd.Timestamp) -> pd.DataFrame:
        return _framed(self.read("symbol", FIELDS, ("session", day)), "symbol")

    def minutes(self, symbol: str) -> pd.DataFrame:
        return _framed(self.year(symbol), "time").tz_localize("UTC")

    def prepared(self, rows: pd.DataFrame) -> Any:
        return pa.Table.from_pandas(rows, preserve_index=False)


class DuckTables(Peer):
    """DuckDB: all bars by symbol and all by session, of which each question takes the better."""

    name = "DuckDB tables"

    def fill(self, daily: pd.DataFrame, minute: Mapping[str, pd.DataFrame]) -> None:
        self.connection = duckdb.connect(self.folder / "bars.duckdb")
        self._table("by_session", daily)
        self._table("by_symbol", daily.sort_values(["symbol", "session"]))
        self._table("by_minute", pd.concat(list(minute.values())))
        self.connection.execute("CHECKPOINT")

    def _table(self, name: str, rows: pd.DataFrame) -> None:
        self.connection.register("given", self.prepared(rows))
        self.connection.execute(f"CREATE TABLE {name} AS FROM given")

    def read(self, label: str, fields: Sequence[str], where: Where | None = None) -> dict[str, Array]:
        return self.select("by_session" if label == "symbol" or not where else "by_symbol", label, fields, where)

    def year(self, symbol: str) -> dict[str, Array]:
        return self.select("by_minute", "time", FIELDS, ("symbol", symbol))

    def select(self, table: str, label: str, fields: Sequence[str], where: Where | None) -> dict[str, Array]:
        """Columns of ``table``, in the way that is faster for as many rows."""
        asked = f"SELECT {label}, {', '.join(fields)} FROM {table}"
        if where is None:
            return _arrays(self.connection.sql(asked).to_arrow_table())
        column, value = where
        found = self.connection.execute(f"{asked} WHERE {column} = ?", [value]).fetchnumpy()
        return {name: np.asarray(values) for name, values in found.items()}

    def append(self, rows: pa.Table) -> None:
        self.connection.register("given", rows)
        both = "INSERT INTO by_session FROM given; INSERT INTO by_symbol FROM given"
        self.connection.execute(f"BEGIN; {both}; COMMIT")


class DuckParquet(DuckTables):
    """DuckDB over Parquet: zstd, by symbol and session, a file of minutes a symbol; a day is appended as a file."""

    name, by_session = "DuckDB, Parquet", False

    def fill(self, daily: pd.DataFrame, minute: Mapping[str, pd.DataFrame]) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET parquet_metadata_cache = true")
        self._file("days-0", daily.sort_values(["symbol", "session"]))
        for symbol, rows in minute.items():
            self._file(symbol, rows)

    def _file(self, name: str, rows: pd.DataFrame) -> None:
        self.connection.register("given", self.prepared(rows))
        settings = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 30720"  # smaller ones cost the panel twice as much
        self.connection.execute(f"COPY given TO '{self.folder}/{name}.parquet' ({settings})")

    def read(self, label: str, fields: Sequence[str], where: Where | None = None) -> dict[str, Array]:
        return self.select(f"'{self.folder}/days-*.parquet'", label, fields, where)

    def year(self, symbol: str) -> dict[str, Array]:
        return self.select(f"'{self.folder}/{symbol}.parquet'", "time", FIELDS, ("symbol", symbol))

    def append(self, rows: pa.Table) -> None:
        place = self.folder / f"days-{rows['session'][0].value}.parquet"
        self.connection.register("given", rows)
        self.connection.execute(f"COPY given TO '{place}' (FORMAT parquet, COMPRESSION zstd)")
        _flush(place)


class Sqlite(Peer):
    """sqlite3: whole numbers as keys, WITHOUT ROWID, an index by session, write-ahead log."""

    name, by_session = "SQLite", False

    def fill(self, daily: pd.DataFrame, minute: Mapping[str, pd.DataFrame]) -> None:
        self.connection = sqlite3.connect(self.folder / "bars.sqlite", isolation_level=None)
        self.connection.executescript("PRAGMA journal_mode = wal; PRAGMA cache_size = -500000")
        self._table("daily", "session", daily.sort_values(["symbol", "session"]))
        self._table("minute", "time", pd.concat(list(minute.values())))
        self.connection.executescript("CREATE INDEX by_session ON daily (session, symbol); PRAGMA wal_checkpoint")

    def _table(self, name: str, time: str, rows: pd.DataFrame) -> None:
        columns = f"symbol INTEGER, {time} INTEGER, {' REAL, '.join(FIELDS)} REAL, PRIMARY KEY (symbol, {time})"
        self.connection.execute(f"CREATE TABLE {name} ({columns}) WITHOUT ROWID")
        self._insert(name, self.prepared(rows))

    def _insert(self, name: str, rows: Sequence[tuple[object, ...]]) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self.connection.execute("COMMIT")

    def read(self, label: str, fields: Sequence[str], where: Where | None = None) -> dict[str, Array]:
        return self._select("daily", label, fields, where)

    def year(self, symbol: str) -> dict[str, Array]:
        return self._select("minute", "time", FIELDS, ("symbol", symbol))

    def _select(self, table: str, label: str, fields: Sequence[str], where: Where | None) -> dict[str, Array]:
        """Columns in the order of the keys; whole numbers come as floats, which hold each of them."""
        column, value = where or ("symbol >= 0 OR symbol", -1)
        key = SYMBOLS.index(str(value)) if column == "symbol" else getattr(value, "value", 0) // 1000
        asked = f"SELECT {label}, {', '.join(fields)} FROM {table} WHERE {column} = ? ORDER BY symbol, {label}"
        found = np.fromiter(chain.from_iterable(self.connection.execute(asked, [key])), "float64")
        labels, *values = found.reshape(-1, 1 + len(fields)).T
        whole = labels.astype("int64")
        known = np.array(SYMBOLS, dtype=object)[whole] if label == "symbol" else whole.view("datetime64[us]")
        return {label: known} | dict(zip(fields, values, strict=True))

    def prepared(self, rows: pd.DataFrame) -> list[tuple[object, ...]]:
        time = rows[rows.columns[0]].dt.tz_localize(None).astype("datetime64[us]").astype("int64")
        places = rows["symbol"].map({symbol: place for place, symbol in enumerate(SYMBOLS)})
        return list(zip(places.tolist(), time.tolist(), *(rows[field].tolist() for field in FIELDS), strict=True))

    def append(self, rows: Sequence[tuple[object, ...]]) -> None:
        self._insert("daily", rows)


class Csv(Peer):
    """CSV read by pyarrow, by session and symbol, a file of minutes a symbol; lines are appended."""

    name = "CSV, pyarrow"

    def fill(self, daily: pd.DataFrame, minute: Mapping[str, pd.DataFrame]) -> None:
        for name, rows in {**minute, "days": daily}.items():
            csv.write_csv(self.prepared(rows), self.folder / f"{name}.csv")

    def read(self, label: str, fields: Sequence[str], where: Where | None = None) -> dict[str, Array]:
        if where is None:
            return _arrays(self._table("days", [label, *fields]))
        column, value = where
        found = self._table("days", [label, *fields, column])
        return _arrays(found.filter(pc.equal(found[column], pa.scalar(value, found[column].type))))

    def year(self, symbol: str) -> dict[str, Array]:
        return _arrays(self._table(symbol, ["time", *FIELDS]))

    def _table(self, name: str, columns: list[str]) -> pa.Table:
        kinds = {"session": pa.timestamp("us"), "time": pa.timestamp("us", "UTC")} | dict.fromkeys(FIELDS, pa.float64())
        options = csv.ConvertOptions(include_columns=columns, column_types=kinds)
        return csv.read_csv(self.folder / f"{name}.csv", convert_options=options)

    def append(self, rows: pa.Table) -> None:
        place = self.folder / "days.csv"
        with place.open("ab") as file:
            csv.write_csv(rows, file, csv.WriteOptions(include_header=False))
        _flush(place)


class Pandas(Store):
    """pandas.read_parquet, and pivot for the panel, as notebooks do; a day is appended as a file."""

    name = "pandas, Parquet"

    def fill(self, daily: pd.DataFrame, minute: Mapping[str, pd.DataFrame]) -> None:
        (self.folder / "days").mkdir()
        daily.to_parquet(self.folder / "days" / "0.parquet", index=False)
        for symbol, rows in minute.items():
            rows.to_parquet(self.folder / f"{symbol}.parquet", index=False)

    def panel(self) -> pd.DataFrame:
        found = pd.read_parquet(self.folder / "days", columns=["session", "symbol", "close"])
        return found.pivot(index="session", columns="symbol", values="close")

    def series(self, symbol: str) -> pd.DataFrame:
        return self._where("session", ("symbol", "==", symbol))

    def session(self, day: pd.Timestamp) -> pd.DataFrame:
        return self._where("symbol", ("session", "==", day))

    def _where(self, label: str, condition: tuple[str, str, object]) -> pd.DataFrame:
        found = pd.read_parquet(self.folder / "days", columns=[label, *FIELDS], filters=[condition])
        return found.set_index(label)

    def minutes(self, symbol: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"{symbol}.parquet", columns=["time", *FIELDS]).set_index("time")

    def prepared(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows

    def append(self, rows: pd.DataFrame) -> None:
        place = self.folder / "days" / f"{rows['session'].iloc[0].value}.parquet"
        rows.to_parquet(place, index=False)
        _flush(place)


PEERS = (DuckTables, DuckParquet, Sqlite, Csv, Pandas)
DATABASES = (DuckTables.name, Sqlite.name)


def main() -> int:
    """Fill every store, compare their answers, measure, print a row a question, and return 1 when a limit is missed."""
    made = Made.of(seed=8)
    with tempfile.TemporaryDirectory() as folder:
        ours, peers = Ours(Path(folder, "ours")), [kind(Path(folder, kind.__name__)) for kind in PEERS]
        daily, minute = made.days(0, SESSIONS), {symbol: made.year(symbol) for symbol in BY_MINUTE}
        for store in (ours, *peers):
            store.folder.mkdir()
            store.fill(daily, minute)
        stores = [ours, Opened(ours.folder), *peers]
        rows = _asked(stores, made) | {"append a day": _appended([ours, *peers], made)}
        _print(rows, stores)
        _print_aside(ours, made)
    missed = _missed(rows)
    print("".join(f"MISSED: {sentence}\n" for sentence in missed), end="")
    return int(bool(missed))


def _asked(stores: Sequence[Store], made: Made) -> dict[str, Row]:
    """The medians of each question and store; all answers are compared first, which warms what there is to warm."""
    questions: dict[str, Question] = {
        "close panel": methodcaller("panel"),
        "one symbol": methodcaller("series", SYMBOLS[321]),
        "one date": methodcaller("session", made.sessions[1_234]),
        "minute year": methodcaller("minutes", BY_MINUTE[3]),
    }
    found = {}
    for name, question in questions.items():
        _compare(stores, question, name)
        found[name] = _medians([{store.name: _timed(question, store) for store in stores} for _ in range(ROUNDS)])
    return found


def _appended(stores: Sequence[Store], made: Made) -> Row:
    """The medians of appending a session to each store; what each then has of the last one is compared."""
    os.sync()  # what filling them left to be written does not burden what is measured
    rounds = []
    for number in range(SESSIONS, SESSIONS + ROUNDS):
        rows = made.days(number, number + 1)
        rounds.append({store.name: _timed(store.append, store.prepared(rows)) for store in stores})
    _compare(stores, methodcaller("session", made.sessions[number]), "the last session appended")
    return _medians(rounds)


def _print_aside(ours: Ours, made: Made) -> None:
    """What belongs beside the table: what a new reading copy costs, and the least that a panel can cost."""
    shelf, place, folds, panels = ours.shelf("1d", SYMBOLS[0]), ours.folder / "close.npy", [], []
    for number in range(SESSIONS + ROUNDS, SESSIONS + ROUNDS + FOLDS):
        ours.append(ours.prepared(made.days(number, number + 1)))
        folds.append({"copy": _timed(Shelf.fold, shelf)})
    np.save(place, ours.panel().to_numpy())
    for _ in range(ROUNDS):
        panels.append({OPENED: _timed(methodcaller("panel"), Opened(ours.folder)), "least": _timed(np.load, place)})
    found = _medians(folds) | _medians(panels)
    print(f"a new reading copy, once a fetch: {found['copy']}")
    times = found[OPENED].wall / found["least"].wall
    print(f"the close panel as one array in a file: {found['least']}; opened takes {times:.1f} times as long")


def _compare(stores: Sequence[Store], question: Question, name: str) -> None:
    """All stores give the same table, ours perhaps with more fields; AssertionError naming the one that does not."""
    tables = [question(store) for store in stores]
    first, *others = (table if table.columns.name == "symbol" else table[FIELDS] for table in tables)
    for store, found in zip(stores[1:], others, strict=True):
        pd.testing.assert_frame_equal(found, first, check_freq=False, obj=f"{name}, {store.name}")


def _timed(ask: Callable[[Any], object], given: object) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = ask(given)
    taken = Taken(1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu))
    del answer  # only now: to give its memory back is no part of the question
    return taken


def _medians(rounds: Sequence[Row]) -> Row:
    by_store = {name: zip(*(taken[name] for taken in rounds), strict=True) for name in rounds[0]}
    return {name: Taken(*map(median, columns)) for name, columns in by_store.items()}


def _best(question: str, row: Row) -> float:
    """Milliseconds of the best peer; for appending of the best database: a file does not know what it has already."""
    names = DATABASES if question == "append a day" else row.keys() - {OURS, OPENED}
    return min(row[name].wall for name in names)


def _missed(rows: Mapping[str, Row]) -> list[str]:
    """A sentence for each limit that is missed."""
    slow = [
        f"{question}, {column}: {rows[question][column].wall:.1f} ms, at most {limit:.0f}"
        for (question, column), limit in LIMITS.items()
        if rows[question][column].wall > limit
    ]
    ratios = {(question, OURS): OF_THE_BEST for question in rows}
    ratios |= {("close panel", OURS): 1.0, ("close panel", OPENED): 1.0}
    behind = [
        f"{question}, {column}: {rows[question][column].wall / _best(question, rows[question]):.2f} of the best peer's "
        f"time, at most {most:.0f}"
        for (question, column), most in ratios.items()
        if rows[question][column].wall > most * _best(question, rows[question])
    ]
    return slow + behind


def _print(rows: Mapping[str, Row], stores: Sequence[Store]) -> None:
    print(f"{'ms (of CPU)':14}" + "".join(f"{store.name:>17}" for store in stores) + f"{'ours / best':>14}")
    for question, row in rows.items():
        cells = "".join(f"{row.get(store.name, '-')!s:>17}" for store in stores)
        print(f"{question:14}{cells}{row[OURS].wall / _best(question, row):14.3f}")
    print(f"{'on disk, MB':14}" + "".join(f"{store.megabytes():17.0f}" for store in stores))


def _walk(rng: np.random.Generator, rows: int, columns: int, volatility: float) -> Array:
    """Geometric walks (row x column x FIELDS), prices in cents, volumes in hundreds."""
    shape = rows, columns
    close = rng.uniform(20, 200, columns) * np.exp(rng.normal(0, volatility, shape).cumsum(axis=0))
    opened, beyond = close * np.exp(rng.normal(0, volatility / 3, (2, *shape)))
    high, low = np.maximum(np.maximum(opened, close), beyond), np.minimum(np.minimum(opened, close), beyond)
    volume = np.floor(np.exp(rng.normal(7, 1, shape))) * 100
    return np.stack([*(np.maximum(price.round(2), 0.01) for price in (opened, high, low, close)), volume], axis=-1)


def _asked_for(shelf: Shelf, rows: pd.DataFrame) -> tuple[pd.DataFrame, Asked]:
    """Rows as BARS or MINUTES, and the days for which a fetch would have asked to get them."""
    whole = rows.assign(adjusted_close=np.nan, dividend=0.0, split=1.0, source=pd.Series("made", rows.index, "str"))
    span = date(2000, 1, 1), rows[rows.columns[0]].iloc[-1].date()
    asked = {symbol: shelf.missing(symbol, span) for symbol in rows["symbol"].unique()}
    return whole.set_index(list(rows.columns[:2]))[BARS.names], asked


def _commit(shelf: Shelf, rows: tuple[pd.DataFrame, Asked]) -> None:
    good, asked = rows
    bad = good.iloc[:0].assign(reason=pd.Series(dtype="str"))
    shelf.commit(good, bad, asked, fetch_id=new_fetch_id(), at=datetime.now(UTC))


def _framed(columns: Mapping[str, Array], label: str) -> pd.DataFrame:
    values = np.column_stack([columns[field] for field in FIELDS])
    return pd.DataFrame(values, pd.Index(columns[label], name=label), FIELDS, copy=False)


def _arrays(table: pa.Table) -> dict[str, Array]:
    return {name: table[name].to_numpy() for name in table.column_names}


def _flush(place: Path) -> None:
    """Wait until the file is on the disk."""
    with place.open("rb+") as file:
        os.fsync(file.fileno())


if __name__ == "__main__":
    sys.exit(main())

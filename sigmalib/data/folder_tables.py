"""Tables of a firm's own folder: what their columns mean, and each cell read or refused with its place."""

from __future__ import annotations

import gzip
import re
import tomllib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import BARS
from sigmalib.core.times import Interval
from sigmalib.data.files import DELIMITERS

MAP = "columns.toml"
NUMBERS = [column.name for column in BARS.columns if column.kind == "number"]
PRICES = ["open", "high", "low", "close", "adjusted_close", "volume"]
ALIASES: dict[str, tuple[str, ...]] = {
    "session": ("session", "date", "day", "trade_date", "trading_day"),
    "time": ("time", "timestamp", "datetime", "date_time"),
    "symbol": ("symbol", "ticker"),
    **{name: (name,) for name in PRICES},
    "adjusted_close": ("adjusted_close", "adj_close"),
    "dividend": ("dividend", "dividends"),
    "split": ("split", "splits", "stock_splits"),
}
DAY, INSTANT = "2024-01-31", "2024-01-31T09:30:00-05:00"  # as they are to be written
CSV = (".csv", ".csv.gz")
EMPTY = frozenset({"", "-", "nan", "na", "n/a", "#n/a", "null", "none"})

_DAY, _TIME = r"(?:\d{4}-\d{2}-\d{2}|\d{8})", r"[T ][\d:.]+(?:Z|[+-]\d{2}:?\d{2})?"
_OFFSET = r"\d{2}:\d{2}.*(?:Z|[+-]\d{2}:?\d{2})$"


@dataclass(frozen=True)
class Layout:
    """What ``columns.toml`` says: our columns by the names the files have for them, and how cells are to be read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str = ""
    adjusted: bool = False
    time_zone: str = ""
    rate_symbol: str = ""

    @classmethod
    def read(cls, path: Path) -> Layout:
        """The layout of a file, or the default when there is none; raises InputError naming what to write instead."""
        if not path.is_file():
            return cls()
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as TOML: {error}") from error
        options = {option.name: type(option.default) for option in fields(cls)[1:]}
        _check(f"{path}", said, {"columns": dict, "options": dict})
        _check(f"{path}, [columns]", said.get("columns", {}), dict.fromkeys(ALIASES, str))
        _check(f"{path}, [options]", said.get("options", {}), options)
        return cls(said.get("columns", {}), **said.get("options", {}))._checked(path)

    def _checked(self, path: Path) -> Layout:
        try:
            pd.to_datetime(pd.Series([""], dtype="str"), format=self.date_format or "ISO8601", errors="coerce")
        except ValueError as error:
            raise InputError(f"{path}: date_format {self.date_format!r} cannot be used: {error}") from error
        try:
            self.zone()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InputError(
                f"{path}: there is no time_zone {self.time_zone!r}; write one such as 'America/New_York'"
            ) from None
        return self

    def zone(self) -> ZoneInfo:
        """Where the days of minutes begin: the time zone that is given, else UTC."""
        return ZoneInfo(self.time_zone or "UTC")


@dataclass(frozen=True, eq=False)
class Prices:
    """The prices of a symbol in one file: rows by session or time, with those columns of BARS that the file has."""

    path: Path
    symbol: str
    interval: Interval
    rows: pd.DataFrame

    def between(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """The rows from ``start`` to before ``end``, with their symbol."""
        when = self.rows.index
        return self.rows[(when >= start) & (when < end)].assign(symbol=self.symbol)

    def days(self, zone: ZoneInfo) -> pd.DatetimeIndex:
        """The day of each row, that of ``zone`` for a minute."""
        when = pd.DatetimeIndex(self.rows.index)
        return when if when.tz is None else when.tz_convert(zone).tz_localize(None).normalize()


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of one file, text or typed, by position, and ``names``: its columns by ours."""

    path: Path
    cells: pd.DataFrame
    layout: Layout
    names: Mapping[str, str]

    @classmethod
    def read(cls, path: Path, layout: Layout, aliases: Mapping[str, Sequence[str]]) -> Table:
        """The table in a CSV or Parquet file; raises InputError for a file that is none."""
        cells = _csv(path) if is_csv(path) else _parquet(path)
        twice = cells.columns[cells.columns.duplicated()]
        if len(twice):
            raise InputError(f"{path} has the column {twice[0]!r} twice; rename one of them")
        return cls(path, cells, layout, _named(cells.columns, layout.columns, aliases))

    @property
    def columns(self) -> list[str]:
        """The names of its columns, as they are written."""
        return [str(column) for column in self.cells.columns]

    def numbers(self, column: str) -> pd.Series:
        """A column as float64, NaN where a cell is empty or says that it is."""
        numbers = pd.to_numeric(self.cells[column], errors="coerce").astype("float64")
        doubtful = text_of(self.cells[column][~np.isfinite(numbers)]).str.lower()
        self.refuse(column, ~doubtful.isin(EMPTY), "is no number; write it as 1234.5, or leave the cell empty")
        return numbers

    def symbols(self, column: str) -> pd.Series:
        """A column as symbols in capitals."""
        symbols = text_of(self.cells[column]).str.upper()
        self.refuse(column, symbols == "", "is no symbol; fill it in, or take the row away")
        return symbols

    def sessions(self, column: str) -> pd.Series:
        """A column as days: the date that is written, whatever the time beside it and its zone."""
        cells = self.cells[column]
        if not pd.api.types.is_datetime64_any_dtype(cells):
            text = text_of(cells)
            if not self.layout.date_format:
                text = text.where(text.str.fullmatch(f"{_DAY}(?:{_TIME})?")).str.replace(f"{_TIME}$", "", regex=True)
            cells = self._parsed(column, text, DAY)
        return cells.dt.tz_localize(None).dt.normalize().dt.as_unit("us")

    def instants(self, column: str) -> pd.Series:
        """A column as instants in UTC; those without an offset are in the layout's time zone."""
        cells = self.cells[column]
        if pd.api.types.is_datetime64_any_dtype(cells):
            return (self._localized(column, cells) if cells.dt.tz is None else cells).dt.tz_convert("UTC")
        text = text_of(cells)
        layout = self.layout.date_format
        aware = pd.Series("%z" in layout, text.index) if layout else text.str.contains(_OFFSET)
        told = self._parsed(column, text[aware], INSTANT, utc=True)
        naive = self._parsed(column, text[~aware], INSTANT)
        return pd.concat([told, self._localized(column, naive)]).reindex(text.index)

    def refuse(self, column: str, bad: pd.Series, reason: str) -> None:
        """Raises InputError for the first cell that is bad: its place, its value, and what to write instead."""
        if bad.any():
            at = int(bad.index[bad][0])
            raise InputError(f"{self.path}, {self._place(at)}, column {column!r}: {self.cells[column][at]!r} {reason}")

    def _parsed(self, column: str, text: pd.Series, example: str, *, utc: bool = False) -> pd.Series:
        layout = self.layout.date_format
        try:
            parsed = pd.to_datetime(text, format=layout or "ISO8601", errors="coerce", utc=utc).dt.as_unit("us")
        except ValueError as error:  # dates of different zones
            raise InputError(f"{self.path}, column {column!r}: {error}; write dates without a zone") from error
        fix = f"is not in the date_format {layout!r}" if layout else f"is no date; write {example}, or set date_format"
        self.refuse(column, parsed.isna(), f"{fix} in {MAP}")
        return parsed

    def _localized(self, column: str, naive: pd.Series) -> pd.Series:
        if len(naive) and not self.layout.time_zone:
            zone = 'time_zone = "America/New_York"'
            raise InputError(
                f"{self.path}, column {column!r}: times without an offset from UTC; say in {MAP} where they are read "
                f"off the clock, as in [options] {zone}"
            )
        local = naive.dt.tz_localize(self.layout.zone(), ambiguous="NaT", nonexistent="NaT")
        self.refuse(column, local.isna(), "is skipped or comes twice when the clocks change; write its offset from UTC")
        return local.dt.tz_convert("UTC").dt.as_unit("us")

    def _place(self, at: int) -> str:
        if not is_csv(self.path):
            return f"row {at + 1}"
        before = self.cells.loc[: at - 1]  # a cell in quotes may span several lines
        return f"line {at + 1 + sum(int(before[name].str.count(chr(10)).sum()) for name in before)}"


def read_prices(path: Path, layout: Layout) -> list[Prices]:
    """The prices in one file of any of the three forms; raises InputError naming file, line, column, value and fix."""
    table = Table.read(path, layout, ALIASES)
    when = "time" if "time" in table.names else "session"
    of_ours = {"symbol", "close", "adjusted_close"} & set(table.names)
    found = []
    for symbol, rows in _long(table, when) if of_ours else _wide(table, when):
        known = rows[rows[rows.columns.intersection(PRICES)].notna().any(axis=1)]
        if len(known):
            found.append(Prices(path, symbol, "1m" if when == "time" else "1d", known))
    return found


def _long(table: Table, when: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """By symbol, the rows of a table with columns of ours; the symbol is in one of them, or the name of the file."""
    for needed, names in ((when, [when]), ("close", ["close", "adjusted_close"])):
        if table.names.keys().isdisjoint(names):
            raise InputError(
                f"{table.path} has no column {needed!r} but {', '.join(table.columns)}; say which it is in {MAP}: "
                f'[columns] {needed} = "..."'
            )
    rows = pd.DataFrame({name: table.numbers(column) for name, column in table.names.items() if name in NUMBERS})
    if "split" in rows:
        rows["split"] = rows["split"].replace(0.0, 1.0)  # some vendors write 0 where there is none
    rows.index = pd.DatetimeIndex(_whens(table, when, table.names[when]))
    if "symbol" not in table.names:
        yield _bare(table.path).strip().upper(), rows
    else:
        for symbol, of_symbol in rows.groupby(table.symbols(table.names["symbol"]).to_numpy()):
            yield str(symbol), of_symbol


def _wide(table: Table, when: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """By symbol, the rows of a table with dates in its first column and the closes of a symbol in each other."""
    dates = table.names.get(when, table.columns[0])
    columns = [column for column in table.columns if column != dates]
    if set(columns) <= set(table.names.values()):
        raise InputError(
            f"{table.path} has neither a column 'close' nor one for each symbol but {', '.join(table.columns)}; say "
            f'which are the closes in {MAP}: [columns] close = "..."'
        )
    whens = pd.DatetimeIndex(_whens(table, when, dates))
    for column in columns:
        yield column.upper(), pd.DataFrame({"close": table.numbers(column).to_numpy()}, index=whens)


def _whens(table: Table, when: str, column: str) -> pd.Series:
    return table.instants(column) if when == "time" else table.sessions(column)


def is_csv(path: Path) -> bool:
    """Whether a file is a CSV by its name, compressed or not."""
    return path.name.lower().endswith(CSV)


def _bare(path: Path) -> str:
    """The name of a file without its ending, of which ``.csv.gz`` is one."""
    return path.name[: -len(".csv.gz")] if path.name.lower().endswith(".csv.gz") else path.stem


def _csv(path: Path) -> pd.DataFrame:
    """The cells of a CSV file as they are written, by position in the file; rows with nothing in them left out."""
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            delimiter = max(DELIMITERS, key=file.readline().count)
        rows = pd.read_csv(path, sep=delimiter, header=None, dtype="str", na_filter=False, skip_blank_lines=False,
                           encoding="utf-8-sig")  # fmt: skip
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} has nothing in its first line, which must name the columns") from None
    except (OSError, EOFError, zlib.error, ValueError) as error:  # not UTF-8 or gzip, or rows longer than the first
        raise InputError(f"{path} cannot be read as CSV in UTF-8: {str(error).strip()}") from error
    cells = rows.iloc[1:].set_axis(rows.iloc[0].str.strip().to_list(), axis=1)
    return cells[(cells != "").any(axis=1)]


def _parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}") from error
    frame = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
    return frame.set_axis(frame.columns.astype("str").to_list(), axis=1)


def _named(columns: Iterable[str], mapped: Mapping[str, str], aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Columns of a file by our names: those that are mapped, then the usual names among the others."""
    plain = {_plain(column): column for column in columns}
    found = {ours: plain[_plain(theirs)] for ours, theirs in mapped.items() if _plain(theirs) in plain}
    for ours, usual in aliases.items():
        free = [plain[alias] for alias in usual if alias in plain and plain[alias] not in found.values()]
        if ours not in found and free:
            found[ours] = free[0]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "_", name.strip().lower())


def text_of(cells: pd.Series) -> pd.Series:
    return cells.astype("str").fillna("").str.strip()


def _check(where: str, said: Mapping[str, Any], known: Mapping[str, type]) -> None:
    """Raises InputError for a key that is not known, naming the nearest, and for a value of another type."""
    for name, value in said.items():
        if name not in known:
            near = get_close_matches(name, known, n=1) or list(known)
            raise InputError(f"{where}: there is no {name!r} but {', '.join(known)}; try {near[0]!r}")
        if type(value) is not known[name]:
            fix = {bool: "true or false", dict: f"a section [{name}]", str: "text in quotes"}[known[name]]
            raise InputError(f"{where}: {name} is {value!r}; write {fix}")

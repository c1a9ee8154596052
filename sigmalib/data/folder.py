"""A firm's own prices: a folder of CSV and Parquet files, and ``columns.toml``, which says what their columns mean.

A table of prices has one of three forms: long (a column of symbols), of one symbol (the file is named after it) or wide
(dates first, then the closes of a symbol in each column). It holds minutes when it has a column ``time``, else days.
Names of columns are compared without regard to case, blanks and underscores. Other tables of the folder, each in a
file of a fixed name, are read by ``folder_extras``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import BARS, PROFILES, QUOTES, SHORT_INTEREST, missing
from sigmalib.core.instruments import calendar_of
from sigmalib.core.times import Interval, sessions
from sigmalib.data.folder_extras import (
    EXTRAS,
    FACTORS_FILE,
    PROFILES_FILE,
    SHORTS_FILE,
    is_extra,
    read_factors,
    read_profiles,
    read_short_interest,
)
from sigmalib.data.folder_tables import MAP, NUMBERS, Layout, Prices, is_csv, read_prices
from sigmalib.data.short_interest import chosen
from sigmalib.data.sources import Answer, FromBars, Opening, Option, Traits, similar

NAMED = 5  # of the files left aside, so many are named

Gap = tuple[str, str, str]
Held = Mapping[str, Sequence[Prices]]  # by symbol


class Folder(FromBars):
    """The prices in a folder of the firm's, as its files have them; a file is read again once it has changed."""

    name = "files"
    traits = Traits(
        "the firm's own CSV and Parquet files; no network",
        options=(Option("path", "folder of the files; columns.toml in it maps their columns", required=True),),
        intervals=("1d", "1m"),
    )

    def __init__(self, folder: Path, layout: Layout) -> None:
        rate, shorts = layout.rate_symbol.strip().upper(), (folder / SHORTS_FILE).is_file()
        self.traits = replace(type(self).traits, rate_symbol=rate, short_interest=shorts)
        self._folder, self._layout, self._reading = folder, layout, threading.Lock()
        self._known: dict[Path, tuple[tuple[int, int], list[Prices]]] = {}

    @classmethod
    def opened(cls, opening: Opening) -> Self:
        """The folder that the option names; raises InputError when it is no folder or its map makes no sense."""
        said = opening.options.get("path", "").strip()
        folder = Path(said).expanduser()
        if not said or not folder.is_dir():
            raise InputError(f"SIGMA_FILES_PATH is {said!r}, which is no folder; name the folder of your price files")
        return cls(folder, Layout.read(folder / MAP))

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS (or MINUTES) of each symbol; days of minutes are those of the time zone of ``columns.toml``, else UTC.

        Raises InputError naming the file, line and column of a cell that cannot be read.
        """
        if start > end:
            raise InputError(f"`start` {start} lies after `end` {end}; swap them")
        wanted, held = _wanted(symbols), self._held(interval)
        zone = self._layout.zone() if interval == "1m" else None
        span = pd.Timestamp(start, tz=zone), pd.Timestamp(end, tz=zone) + pd.DateOffset(days=1)
        parts = {symbol: [prices.between(*span) for prices in held.get(symbol, ())] for symbol in wanted}
        found = {symbol for symbol in wanted if any(len(part) for part in parts[symbol])}
        frame = self._completed([part for symbol in wanted for part in parts[symbol]], interval)
        gaps = [gap for symbol in wanted for gap in self._gaps(symbol, held, symbol in found, start, end)]
        return Answer(frame, missing(*gaps))

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """ACTIONS: the sessions with a dividend or a split; missing for a symbol whose splits the files do not tell."""
        answer, bars = super().actions(symbols, start, end), self.bars(symbols, start, end).frame
        untold = bars.index[bars["split"].isna()].unique("symbol")
        fix = f"add a column split to its file, or write adjusted = true into {MAP}"
        gaps = missing(*((symbol, "split", f"splits unknown; {fix}") for symbol in untold))
        return Answer(answer.frame, pd.concat([answer.missing, gaps], ignore_index=True))

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES out of ``profiles.csv`` (a column ``symbol`` and any of theirs, by name), where there is one."""
        path, wanted = self._folder / PROFILES_FILE, _wanted(symbols)
        table = read_profiles(path) if path.is_file() else PROFILES.empty()
        gaps = [(symbol, "profile", f"add {symbol} to {path}") for symbol in wanted if symbol not in table.index]
        return Answer(table.loc[[symbol for symbol in wanted if symbol in table.index]], missing(*gaps))

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """SHORT_INTEREST out of ``short_interest.csv``, where there is one, settled from ``start`` to ``end``."""
        path, wanted = self._folder / SHORTS_FILE, _wanted(symbols)
        table = read_short_interest(path, self._layout) if path.is_file() else SHORT_INTEREST.empty()
        found = chosen(table, wanted, start, end)
        told = set(found.index.get_level_values("symbol"))
        fix = f"no row of it was settled from {start} to {end}; add one to {path}"
        return Answer(found, missing(*((symbol, "short_interest", fix) for symbol in wanted if symbol not in told)))

    def factors(self) -> pd.DataFrame:
        """Returns of factors (date x factor), fractions, out of ``factors.csv``; InputError when there is none."""
        path = self._folder / FACTORS_FILE
        if not path.is_file():
            raise InputError(f"there is no {path}; write one: date, then a column of returns for each factor")
        return read_factors(path, self._layout)

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """No quotes: files hold prices only."""
        reason = "the files source has no option quotes; options are marked by model"
        return Answer(QUOTES.empty(), missing((underlying.strip().upper(), "quote", reason)))

    def coverage(self) -> pd.DataFrame:
        """By symbol: first, last (sessions), sessions (count), fields, source and origin (names of files)."""
        held: dict[str, list[Prices]] = {}
        for symbol, prices in [*self._held("1d").items(), *self._held("1m").items()]:
            held.setdefault(symbol, []).extend(prices)
        covered = [_covered(held[symbol], self._layout.zone()) for symbol in sorted(held)]
        index = pd.Index(sorted(held), dtype="str", name="symbol")
        return pd.DataFrame(covered, columns=super().coverage().columns, index=index).assign(source=self.name)

    def _held(self, interval: Interval) -> Held:
        """By symbol, what the files have of an interval, each of them read now if it is new or has changed."""
        if not self._folder.is_dir():
            raise InputError(f"the folder {self._folder} is gone; put it back, or set SIGMA_FILES_PATH to another")
        with self._reading:
            self._known = {path: self._read(path) for path in sorted(self._folder.iterdir()) if _has_prices(path)}
        held: dict[str, list[Prices]] = {}
        for _, read in self._known.values():
            for prices in read:
                if prices.interval == interval:
                    held.setdefault(prices.symbol, []).append(prices)
        return held

    def _read(self, path: Path) -> tuple[tuple[int, int], list[Prices]]:
        stamp = (path.stat().st_mtime_ns, path.stat().st_size)
        known = self._known.get(path)
        return known if known and known[0] == stamp else (stamp, read_prices(path, self._layout))

    def _completed(self, parts: list[pd.DataFrame], interval: Interval) -> pd.DataFrame:
        """BARS or MINUTES out of rows with some of their columns."""
        when = "time" if interval == "1m" else "session"
        rows = pd.concat([_nothing(interval), *parts]).rename_axis(when).set_index("symbol", append=True)
        frame = rows.reindex(columns=NUMBERS).astype("float64")
        if self._layout.adjusted:
            close = frame["close"].fillna(frame["adjusted_close"])
            frame = frame.assign(close=close, adjusted_close=close, dividend=0.0, split=1.0)
        return frame.assign(source=self.name).astype({"source": "str"})[BARS.names].sort_index(kind="stable")

    def _gaps(self, symbol: str, held: Held, found: bool, start: date, end: date) -> list[Gap]:
        """What is missing of a symbol's range: nothing, all of it (price) or an end of it (history)."""
        if symbol not in held:
            return [(symbol, "price", self._unknown(symbol, held))]
        spans = [prices.days(self._layout.zone()) for prices in held[symbol]]
        first, last = min(each.min() for each in spans), max(each.max() for each in spans)
        has = f"{self._folder} has {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        if not found:
            return [(symbol, "price", f"no {symbol} from {start} to {end}; {has}")]
        days = sessions(start, end, name=calendar_of(symbol))
        if len(days) and (days[0] < first or days[-1] > last):
            return [(symbol, "history", f"not all of {symbol} from {start} to {end}; {has}")]
        return []

    def _unknown(self, symbol: str, held: Held) -> str:
        read = f"read: {len(self._known)} file(s){self._left_aside()}"
        if not held:
            return f"no file in {self._folder} has prices of this interval; put a CSV or Parquet file into it; {read}"
        asked = similar(symbol, held)
        told = f"{asked} It has {len(held)} symbols" if asked else f"it has {len(held)} symbols, such as {min(held)}"
        return f"no file in {self._folder} has {symbol}; {told}; {read}"

    def _left_aside(self) -> str:
        """The files and folders that hold no prices for us to read, as words; hidden ones are not told."""
        ours = {MAP, *EXTRAS, *(path.name for path in self._known)}
        names = sorted(path.name for path in self._folder.iterdir() if path.name not in ours and not _hidden(path))
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"; left aside: {', '.join(names[:NAMED])}{more}" if names else ""


def _covered(held: Sequence[Prices], zone: ZoneInfo) -> dict[str, object]:
    days = [prices.days(zone) for prices in held]
    given = {str(name) for prices in held for name, known in prices.rows.notna().any().items() if known}
    return {
        "first": min(each.min() for each in days),
        "last": max(each.max() for each in days),
        "sessions": days[0].append(days[1:]).nunique(),
        "fields": ", ".join(name for name in NUMBERS if name in given),
        "origin": ", ".join(sorted({prices.path.name for prices in held})),
    }


def _nothing(interval: Interval) -> pd.DataFrame:
    when = pd.DatetimeIndex([], tz="UTC" if interval == "1m" else None).as_unit("us")
    return pd.DataFrame({"symbol": pd.Series([], index=when, dtype="str")})


def _has_prices(path: Path) -> bool:
    wanted = is_csv(path) or path.suffix.lower() == ".parquet"
    return wanted and not is_extra(path) and not _hidden(path) and path.is_file()


def _hidden(path: Path) -> bool:
    return path.name.startswith((".", "~"))


def _wanted(symbols: Sequence[str]) -> list[str]:
    return sorted({symbol.strip().upper() for symbol in symbols})

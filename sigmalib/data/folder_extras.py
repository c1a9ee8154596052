"""The other tables of a firm's own folder, each in a file of a fixed name: profiles, short interest and factors."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import PROFILES, SHORT_INTEREST
from sigmalib.core.times import FIRST_DAY, LAST_DAY
from sigmalib.data.folder_tables import ALIASES, EMPTY, Layout, Table, text_of
from sigmalib.data.short_interest import PUBLISHED_AFTER, short_interest_of

PROFILES_FILE, SHORTS_FILE, FACTORS_FILE = "profiles.csv", "short_interest.csv", "factors.csv"
EXTRAS = (PROFILES_FILE, SHORTS_FILE, FACTORS_FILE)
SHORT_NAMES = {"session": ("settled", "settlement_date", "date"), "symbol": ("symbol", "ticker")} | {
    name: (name,) for name in SHORT_INTEREST.names
}
MOST_OF_FLOAT = 3.0  # beyond which a fraction of the float was meant in percent: the highest ever told is below 2.5
FRACTION = "is no fraction; write five percent as 0.05"


def is_extra(path: Path) -> bool:
    """Whether a file is one of these by its name, compressed or not, and so has no prices."""
    return path.name.removesuffix(".gz") in EXTRAS


def read_profiles(path: Path) -> pd.DataFrame:
    """PROFILES out of a column ``symbol`` and any of theirs, by name."""
    table = Table.read(path, Layout(), {name: (name,) for name in ("symbol", *PROFILES.names)})
    symbols = table.symbols(_needed(table, "symbol"))
    table.refuse(table.names["symbol"], symbols.duplicated(), "is there twice; take one of the rows away")
    told = {name: text_of(table.cells[column]).replace("", None) for name, column in table.names.items()}
    if "dividend_yield" in told:
        told["dividend_yield"] = table.numbers(table.names["dividend_yield"])
    frame = pd.DataFrame(told).set_index(pd.Index(symbols, dtype="str", name="symbol")).reindex(columns=PROFILES.names)
    return frame.astype(PROFILES.empty().dtypes.to_dict())


def read_short_interest(path: Path, layout: Layout) -> pd.DataFrame:
    """SHORT_INTEREST out of columns symbol, settled and any of theirs; ``published`` by rule where it is not given.

    layout : whose ``date_format`` the dates are in. Raises InputError naming the file, line and column of a cell that
    is no number, below zero or no fraction, and for a symbol that is there twice on a day.
    """
    table = Table.read(path, Layout(date_format=layout.date_format), SHORT_NAMES)
    symbol, settled = _needed(table, "symbol"), _needed(table, "session")
    rows = pd.DataFrame({"symbol": table.symbols(symbol), "session": table.sessions(settled)})
    odd = (rows["session"].dt.date <= FIRST_DAY) | (rows["session"].dt.year >= LAST_DAY.year)
    table.refuse(settled, odd, f"lies outside the calendars, {FIRST_DAY} to {LAST_DAY.year - 1}-12-31")
    table.refuse(symbol, rows.duplicated(), "is there twice with that date; take one of the rows away")
    for name in (each for each in SHORT_INTEREST.names if each in table.names):
        rows[name] = _published(table, rows["session"]) if name == "published" else table.numbers(table.names[name])
        if name != "published":
            table.refuse(table.names[name], rows[name] < 0, "is below zero")
    if "percent_of_float" in rows:
        table.refuse(table.names["percent_of_float"], rows["percent_of_float"] > MOST_OF_FLOAT, FRACTION)
    return short_interest_of(rows)


def read_factors(path: Path, layout: Layout) -> pd.DataFrame:
    """Returns of factors (date x factor), fractions, NaN where a cell is empty; a column without a number is left out.

    Raises InputError naming the file, line and column of a cell that is no number or no fraction (1 or more, -1 or
    less), and for a date that is there twice.
    """
    table = Table.read(path, Layout(date_format=layout.date_format), {"session": ALIASES["session"]})
    dates = _needed(table, "session")
    days = table.sessions(dates)
    table.refuse(dates, days.duplicated(), "is there twice; take one of the rows away")
    found = {}
    for column in (each for each in table.columns if each != dates and _has_numbers(table, each)):
        found[column.strip().lower().replace(" ", "_")] = values = table.numbers(column)
        table.refuse(column, values.abs() >= 1, "is no fraction; write one percent as 0.01")
    if not found:
        raise InputError(f"{path} has no column of returns beside {dates!r}; add one, of fractions, for each factor")
    return pd.DataFrame(found).set_index(pd.DatetimeIndex(days, name="date")).sort_index()


def _published(table: Table, settled: pd.Series) -> pd.Series:
    """When each count was known, NaT where the cell is empty; never before it was settled."""
    column = table.names["published"]
    told = ~text_of(table.cells[column]).str.lower().isin(EMPTY)
    given = Table(table.path, table.cells[told], table.layout, table.names).sessions(column).reindex(settled.index)
    table.refuse(column, given < settled, f"lies before its settlement; leave it empty for {PUBLISHED_AFTER} sessions")
    return given


def _has_numbers(table: Table, column: str) -> bool:
    return bool(pd.to_numeric(table.cells[column], errors="coerce").notna().any())


def _needed(table: Table, name: str) -> str:
    if name not in table.names:
        usual = "settled" if name == "session" and SHORTS_FILE in table.path.name else name.replace("session", "date")
        raise InputError(f"{table.path} has no column {usual!r} but {', '.join(table.columns)}; add it")
    return table.names[name]

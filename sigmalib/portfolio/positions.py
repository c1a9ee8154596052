"""Positions: an analyst's table in, POSITIONS and the refused rows out.

A row with any fault is not in the positions, and every fault is a row of ``rejected`` with its line, column, value,
rule and fix; whether to go on without the refused rows is the caller's decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import POSITIONS, check
from sigmalib.core.instruments import parse_option
from sigmalib.core.times import DateLike, last_session, to_date
from sigmalib.portfolio import cells, lots
from sigmalib.portfolio.cells import Fault
from sigmalib.portfolio.lots import Reading

REQUIRED = ("ticker", "quantity", "entry_price", "entry_date")
OPTIONAL = ("currency", "tags", "strategy", "multiplier")
ALIASES = {
    "symbol": "ticker",
    "qty": "quantity",
    "price": "entry_price",
    "trade_date": "entry_date",
    "deliverable": "multiplier",
}
SURPLUS = "(extra)"

BEYOND_HEADER = Fault("is beyond the last column of the header", 'quote a cell with a comma, as in "1,200"')

# by name without blanks, underscores and hyphens
_MEANING = {name.replace("_", ""): name for name in (*REQUIRED, *OPTIONAL)}
_MEANING |= {alias.replace("_", ""): name for alias, name in ALIASES.items()}


class Rejection(NamedTuple):
    """One fault of one row, for the table of refused rows."""

    line: int
    column: str
    value: str
    rule: str
    fix: str
    reason: str


def parse(frame: pd.DataFrame, *, as_of: DateLike, base_currency: str = "USD") -> tuple[pd.DataFrame, pd.DataFrame]:
    """POSITIONS out of an analyst's table, and the table of refused rows.

    frame : ticker, quantity, entry_price (currency per unit of the underlying), entry_date and perhaps tags, strategy,
    currency, multiplier (of adjusted contracts), as text or typed; names by any case, blanks or hyphens, or by alias.
    The index, when named ``line``, has the line numbers; otherwise lines are counted as if the header were line 1.
    Rows with nothing in them are skipped.
    as_of : no entry may be later. base_currency : of rows that name none, and of ``CASH``.
    Returns positions in file order, and rejected (line, column, value, rule, fix, reason) sorted by line, one row a
    fault. Raises InputError when a required column is missing or a column is given twice.

    >>> table = pd.DataFrame({"Symbol": ["aapl"], "Qty": ["-1,200"], "Price": ["$150"], "Trade date": ["8/15/2022"]})
    >>> positions, rejected = parse(table, as_of="2022-12-28")
    >>> positions[["symbol", "kind", "quantity", "entry_price", "entry_date"]]
      symbol   kind  quantity  entry_price entry_date
    0   AAPL  SHORT   -1200.0        150.0 2022-08-15
    """
    day, base = to_date(as_of, what="as_of"), _base(base_currency)
    accepted: list[lots.Lot] = []
    rejected: list[Rejection] = []
    first_lines: dict[tuple[str, date], int] = {}
    for line, row in _rows(frame):
        reading = lots.read(row, as_of=day, base_currency=base)
        faults = [*reading.faults, *_surplus(row), *_repeated(reading, line, first_lines)]
        if faults:
            rejected += [_rejection(line, column, row.get(column), fault) for column, fault in faults]
        else:
            accepted.append(lots.lot(reading))
    return lots.frame(accepted), _rejected_frame(rejected)


def ignored_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    """Names of the columns that ``parse`` keeps out, for a notice to the analyst."""
    used = set(_positions_of(frame).values())
    names = [str(name).strip() for at, name in enumerate(frame.columns) if at not in used]
    return tuple(name for name in names if name)


def held(positions: pd.DataFrame, as_of: DateLike) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The positions live at the close of ``as_of``, and what is left out (symbol, reason), both in file order.

    Live is what was entered on or before that day and has not expired. An option lives through the close of its expiry
    date, where its value is intrinsic; one that settles on the opening prices is gone at that close; one dated on a day
    without trading (the Saturdays used until February 2015) ends with the session before. ``as_of`` is taken as it is:
    on the Saturday after its expiry an option is gone.
    """
    check(positions, POSITIONS)
    day = to_date(as_of, what="as_of")
    later = positions["entry_date"] > pd.Timestamp(day)
    expired = ~later & _expired(positions, day)
    entered = "entered on " + positions["entry_date"].dt.strftime("%Y-%m-%d") + f", after the as-of {day}"
    ended = "expired on " + positions["expiry"].dt.strftime("%Y-%m-%d") + "; record its settlement and remove it"
    left_out = pd.DataFrame({"symbol": positions["symbol"], "reason": entered.where(later, ended).astype("str")})
    gone = later | expired
    return positions[~gone].reset_index(drop=True), left_out[gone].reset_index(drop=True)


def _base(code: str) -> str:
    base = cells.currency(code)
    if not isinstance(base, str):
        raise InputError(f"`base_currency` must be three ISO letters, was {code!r}; pass 'USD'")
    return base


def _meaning(name: object) -> str | None:
    return _MEANING.get(re.sub(r"[\s_-]+", "", str(name)).lower())


def _is_own_name(name: object) -> bool:
    return re.sub(r"[\s-]+", "_", str(name).strip()).lower() == _meaning(name)


def _positions_of(frame: pd.DataFrame) -> dict[str, int]:
    """Where each known column stands; InputError when a required one is missing or one is there twice.

    A column's own name goes before its aliases: beside ``entry_price`` a ``price`` is another column, and kept out.
    """
    found: dict[str, int] = {}
    names = ", ".join(str(name) for name in frame.columns) or "none"
    own = {_meaning(name) for name in frame.columns if _is_own_name(name)}
    for at, name in enumerate(frame.columns):
        meaning = SURPLUS if name == SURPLUS else _meaning(name)
        if meaning in own and not _is_own_name(name):
            continue
        if meaning in found:
            first = frame.columns[found[meaning]]
            raise InputError(f"the columns {first!r} and {name!r} both give {meaning}; keep one (found: {names})")
        if meaning is not None:
            found[meaning] = at
    absent = [name for name in REQUIRED if name not in found]
    if absent:
        raise InputError(f"the table needs {', '.join(absent)} and has the columns {names}; "
                         f"name them {', '.join(REQUIRED)} in its first line")  # fmt: skip
    return found


def _rows(frame: pd.DataFrame) -> Iterator[tuple[int, dict[str, object]]]:
    """(line, cells by column) of every row that has anything in it."""
    found = _positions_of(frame)
    lines = frame.index if frame.index.name == "line" else range(2, len(frame) + 2)
    columns = [frame.iloc[:, at].tolist() for at in found.values()]
    for at, (line, *values) in enumerate(zip(lines, *columns, strict=True)):
        if cells.is_blank(values[0]) and all(map(cells.is_blank, frame.iloc[at].tolist())):
            continue
        yield int(line), dict(zip(found, values, strict=True))


def _surplus(row: dict[str, object]) -> list[tuple[str, Fault]]:
    return [] if cells.is_blank(row.get(SURPLUS)) else [(SURPLUS, BEYOND_HEADER)]


def _repeated(reading: Reading, line: int, first_lines: dict[tuple[str, date], int]) -> list[tuple[str, Fault]]:
    """A fault when the same symbol was entered on the same day on an earlier good line; remembers this line."""
    if reading.faults:
        return []
    first = first_lines.setdefault((reading.ticker.symbol, reading.entry_date), line)
    if first == line:
        return []
    rule = f"is entered twice on {reading.entry_date}, first on line {first}"
    return [("ticker", Fault(rule, "make the two rows one, with their average price"))]


def _rejection(line: int, column: str, cell: object, fault: Fault) -> Rejection:
    value = "" if cells.is_blank(cell) else str(cell)
    return Rejection(line, column, value, *fault, reason=f"line {line}: {cells.sentence(column, cell, fault)}")


def _rejected_frame(rejected: list[Rejection]) -> pd.DataFrame:
    kinds = {"line": "int64"} | dict.fromkeys(Rejection._fields[1:], "str")
    table = pd.DataFrame(rejected, columns=list(kinds)).astype(kinds)
    return table.sort_values("line", kind="stable", ignore_index=True)


def _expired(positions: pd.DataFrame, day: date) -> pd.Series:
    """Whether each position's life ended before the close of ``day``."""
    soon = pd.Timestamp(day) + pd.Timedelta(days=7)  # a life may end some days before the date in its symbol
    past = positions["expiry"] <= soon
    ended = {symbol: _has_ended(symbol, day) for symbol in positions.loc[past, "symbol"].unique()}
    return positions["symbol"].map(ended).eq(True)


def _has_ended(symbol: str, day: date) -> bool:
    contract = parse_option(symbol)
    last = last_session(contract.expiry)
    return day >= last if contract.morning_settled else day > last

"""Lots: one row of a positions table, or one trade, made into one row of POSITIONS.

Imports and what-if trades pass through the same door, so that a lot means the same wherever it came from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

import pandas as pd

from sigmalib.core.frames import POSITIONS, check
from sigmalib.core.instruments import Right
from sigmalib.core.times import FIRST_DAY
from sigmalib.portfolio import cells, tickers
from sigmalib.portfolio.cells import Fault
from sigmalib.portfolio.tickers import Instrument

Kind = Literal["LONG", "SHORT", "LC", "LP", "SC", "SP", "CASH"]

LARGEST = 1e12
TOO_LARGE = Fault("is larger than 1,000,000,000,000", "correct the number, or split the position")
ZERO = Fault("is zero", "write the number held, below zero for short, or remove the row")
WHOLE = Fault("is not a whole number of contracts", "write the contracts held, as in 5 or -5")
NOT_POSITIVE = Fault("is not positive", "write the price paid or received per unit, as in 150.25")
NOT_ONE = Fault("is not 1, the price of cash", "write 1 and give the amount as the quantity")
NOT_SHARES = Fault("is no number of shares", "write the shares that one contract delivers, as in 150")
TOO_EARLY = Fault("is before 1990-01-02, the first day of the calendar", "write a later date")

STOCK = Instrument("", "stock", "")


class Lot(NamedTuple):
    """One row of POSITIONS: its fields are the columns of the contract, in their order."""

    symbol: str
    kind: Kind
    quantity: float
    entry_price: float
    entry_date: date
    currency: str
    multiplier: float
    strike: float
    expiry: date | None
    right: Right | None
    underlying: str
    tags: tuple[str, ...]
    strategy: str | None


class Reading(NamedTuple):
    """A row as far as it could be read: each field holds its value or the ``Fault`` in its place."""

    ticker: Any
    quantity: Any
    entry_price: Any
    entry_date: Any
    currency: Any
    tags: Any
    strategy: Any
    multiplier: Any

    @property
    def faults(self) -> list[tuple[str, Fault]]:
        """(column, fault) of every cell that is refused."""
        return [(name, cell) for name, cell in zip(self._fields, self, strict=True) if isinstance(cell, Fault)]


def read(row: Mapping[str, object], *, as_of: date, base_currency: str) -> Reading:
    """The row's cells by the rules of its instrument; a ticker that is refused is taken for a stock meanwhile."""
    ticker = tickers.read(row["ticker"])
    tags, strategy = _names(row)
    listed = STOCK if isinstance(ticker, Fault) else ticker
    return Reading(
        ticker=ticker,
        quantity=_quantity(row["quantity"], listed),
        entry_price=_price(row["entry_price"], listed),
        entry_date=_entry_date(row["entry_date"], listed, as_of),
        currency=_currency(row.get("currency"), listed, base_currency),
        tags=tags,
        strategy=strategy,
        multiplier=_multiplier(row.get("multiplier"), listed),
    )


def lot(reading: Reading) -> Lot:
    """The lot a reading without faults describes."""
    listed: Instrument = reading.ticker
    return Lot(
        symbol=listed.symbol,
        kind=_kind(listed, reading.quantity),
        quantity=reading.quantity,
        entry_price=reading.entry_price,
        entry_date=reading.entry_date,
        currency=reading.currency,
        multiplier=reading.multiplier,
        strike=listed.strike,
        expiry=listed.expiry,
        right=listed.right,
        underlying=listed.underlying,
        tags=reading.tags,
        strategy=reading.strategy,
    )


def frame(lots: Iterable[Lot]) -> pd.DataFrame:
    """The lots as a POSITIONS table, in their order."""
    rows = pd.DataFrame(list(lots), columns=POSITIONS.names)
    return check(rows.astype(POSITIONS.empty().dtypes.to_dict()), POSITIONS)


def _names(row: Mapping[str, object]) -> tuple[tuple[str, ...] | Fault, str | Fault | None]:
    """Tags and strategy; without a column for tags, what stands in ``strategy`` is read as the tags too."""
    if "tags" in row:
        return cells.tags(row["tags"]), cells.strategy(row.get("strategy"))
    names = cells.tags(row.get("strategy"))
    if isinstance(names, Fault):
        return (), names
    return names, names[0] if len(names) == 1 else None


def _kind(listed: Instrument, quantity: float) -> Kind:
    if listed.family == "cash":
        return "CASH"
    if listed.right == "call":
        return "LC" if quantity > 0 else "SC"
    if listed.right == "put":
        return "LP" if quantity > 0 else "SP"
    return "LONG" if quantity > 0 else "SHORT"


def _quantity(cell: object, listed: Instrument) -> float | Fault:
    """Signed units or contracts; a cash balance may be zero or negative."""
    value = cells.number(cell, example="1,200 or -50")
    if isinstance(value, Fault):
        return value
    if value == 0 and listed.family != "cash":
        return ZERO
    if abs(value) > LARGEST:
        return TOO_LARGE
    return WHOLE if listed.family == "option" and not value.is_integer() else value


def _price(cell: object, listed: Instrument) -> float | Fault:
    value = cells.number(cell, example="150.25 or 1,200.50")
    if isinstance(value, Fault):
        return value
    if listed.family == "cash" and value != 1:
        return NOT_ONE
    if value > LARGEST:
        return TOO_LARGE
    return value if value > 0 else NOT_POSITIVE


def _entry_date(cell: object, listed: Instrument, as_of: date) -> date | Fault:
    value = cells.day(cell)
    if isinstance(value, Fault):
        return value
    if value > as_of:
        return Fault(f"is after the as-of {as_of}", "correct the date, or choose a later as-of")
    if listed.expiry is not None and value > listed.expiry:
        return Fault(f"is after the option's expiry {listed.expiry}", "correct the date or the symbol")
    return TOO_EARLY if value <= FIRST_DAY else value


def _multiplier(cell: object, listed: Instrument) -> float | Fault:
    """Units of the underlying per contract: the instrument's own, or those an adjusted contract is said to deliver."""
    own = listed.multiplier
    if cells.is_blank(cell):
        return own
    value = cells.number(cell, example="150")
    if isinstance(value, Fault) or (value == own):
        return value
    if not math.isnan(own):
        return Fault(f"is not {own:g}, that of {listed.symbol}", "leave it blank; only adjusted contracts need it")
    return value if 0 < value <= LARGEST else NOT_SHARES


def _currency(cell: object, listed: Instrument, base_currency: str) -> str | Fault:
    value, own = cells.currency(cell), listed.currency or base_currency
    if listed.family == "cash" and isinstance(value, str) and value != own:
        return Fault(f"is not the currency of {listed.symbol}", f"write {own}, or the ticker CASH.{value}")
    return own if value is None else value

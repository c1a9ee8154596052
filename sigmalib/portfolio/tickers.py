"""Tickers: what the ticker in a cell names, a stock, an option or a cash balance, or why it is refused."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal, NamedTuple

from sigmalib.core.errors import InputError
from sigmalib.core.instruments import Right, looks_like_option, parse_option
from sigmalib.core.times import LAST_DAY
from sigmalib.portfolio import cells
from sigmalib.portfolio.cells import Fault


class Instrument(NamedTuple):
    """What a ticker names; ``strike`` NaN and ``expiry``, ``right`` None unless it is an option."""

    symbol: str
    family: Literal["stock", "option", "cash"]
    underlying: str
    multiplier: float = 1.0
    strike: float = float("nan")
    expiry: date | None = None
    right: Right | None = None
    currency: str | None = None


NOT_CASH = Fault("names no cash balance", "write CASH, or CASH. and three ISO letters, as in CASH.EUR")
FORMULA = Fault("starts like a spreadsheet formula", "remove the leading sign and write the ticker alone")
NOT_A_TICKER = Fault(
    "is not a ticker",
    "use at most 21 letters, digits and . - ^ = /, as in AAPL or BRK.B, and for an option AAPL240119C00150000",
)
OPTION_FIX = "write root, YYMMDD, C or P and the strike x 1000 in 8 digits, as in AAPL240119C00150000"

_TICKER = re.compile(r"(?=.*[A-Z0-9])[A-Z0-9.^/][A-Z0-9.^=/-]{0,20}")
_FAILED_OPTION = re.compile(r"[A-Z] *[0-9]{6}")


def read(cell: object) -> Instrument | Fault:
    """What the ticker in a cell names; options come back under their compact symbol.

    >>> read("O:AAPL240119C00150000").symbol
    'AAPL240119C00150000'
    """
    if cells.is_blank(cell):
        return cells.MISSING
    text = _ticker_text(cell)
    if text.startswith(cells.FORMULA_LEADS):
        return FORMULA
    if not text.isascii():
        return NOT_A_TICKER
    if looks_like_option(text) or (len(text) > 10 and _FAILED_OPTION.search(text)):
        return _option(text)
    if text == "CASH" or text.startswith("CASH."):
        return _cash(text)
    return Instrument(text, "stock", text) if _TICKER.fullmatch(text) else NOT_A_TICKER


def _ticker_text(cell: object) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    text = str(int(cell) if whole else cell).strip()  # type: ignore[call-overload]
    return text.upper() if text.isascii() else text


def _option(text: str) -> Instrument | Fault:
    try:
        contract = parse_option(text)
    except InputError as refused:
        rule, _, fix = str(refused).removeprefix(f"{text!r} ").partition("; ")
        return Fault(rule, fix or OPTION_FIX)
    if contract.expiry > LAST_DAY:
        return Fault(f"expires after {LAST_DAY}, the last day of the exchange calendar", "correct the expiry")
    terms = (contract.multiplier, contract.strike, contract.expiry, contract.right)
    return Instrument(contract.symbol, "option", contract.underlying, *terms)


def _cash(text: str) -> Instrument | Fault:
    code = text.removeprefix("CASH").removeprefix(".")
    if text != "CASH" and not cells.CURRENCY.fullmatch(code):
        return NOT_CASH
    return Instrument(text, "cash", text, currency=code or None)

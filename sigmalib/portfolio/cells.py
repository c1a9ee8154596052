"""Cells: what one cell of a positions table says, or the rule it breaks and how to mend it.

A reader takes text or a typed value and answers with what it holds or with a ``Fault``; no text makes it raise.
Tickers are read in ``tickers``; what a price must be for *this* instrument is told in ``lots``.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import pandas as pd


class Fault(NamedTuple):
    """Why a cell is refused: after "quantity 'abc'" the rule reads as a sentence, the fix says what to write."""

    rule: str
    fix: str


MISSING = Fault("is missing", "fill it in, or remove the row")
NOT_FINITE = Fault("is not a finite number", "write it as 1,200 or -50")
AMBIGUOUS = Fault("is ambiguous, its comma separates no thousands", "write 1,200 for thousands and 1.5 for decimals")
NOT_A_DATE = Fault("is not a date", "write it as 2022-08-15 or 8/15/2022 (month/day/year)")
NOT_TAGS = Fault("is not a list of tags", 'write them as "core, income"')
SEVERAL_NAMES = Fault("holds more than one name", "keep one strategy and put the other names in tags")
NOT_A_CURRENCY = Fault("is not a currency", "write its three ISO letters, as in USD")
FORMULA_LEADS = ("=", "+", "-", "@")
SHOWN_CHARACTERS = 60

_NUMBER = re.compile(r"([+-]?) ?[$€£]? ?([+-]?) ?([0-9.,]+(?:[eE][+-]?[0-9]+)?)")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?")
_PARENTHESES = re.compile(r"\(([^()]+)\)")
_ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[T ][0-9]{1,2}:.*)?")
_US = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
CURRENCY = re.compile(r"[A-Z]{3}")


def is_blank(cell: Any) -> bool:
    """Whether the cell holds nothing: no value, NaN, NaT, only blanks or an empty list."""
    if isinstance(cell, str):
        return not cell.strip()
    if isinstance(cell, list | tuple):
        return not cell
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def shown(cell: object) -> str:
    """The cell as a sentence quotes it: text in quotes and cut at 60 characters, numbers and dates bare."""
    if is_blank(cell):
        return ""
    text = cell.strip() if isinstance(cell, str) else str(cell)
    text = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
    return repr(text) if isinstance(cell, str) or not text.isprintable() else text


def sentence(column: str, cell: object, fault: Fault) -> str:
    """The fault of a cell in words: what stands where, the rule it breaks, what to write instead.

    >>> sentence("quantity", "abc", Fault("is not a number", "write it as 1,200 or -50"))
    "quantity 'abc' is not a number; write it as 1,200 or -50"
    """
    return " ".join(filter(None, (column, shown(cell), f"{fault.rule}; {fault.fix}")))


def number(cell: object, *, example: str) -> float | Fault:
    """The finite number in a cell, with thousands separators and one of $ € £ allowed.

    >>> number("-$1,200.50", example="1,200")
    -1200.5
    """
    if is_blank(cell):
        return MISSING
    if isinstance(cell, str):
        return _number_in(cell.strip().replace("\N{MINUS SIGN}", "-"), example)
    if not isinstance(cell, Real | Decimal) or isinstance(cell, bool):
        return Fault("is not a number", f"write it as {example}")
    try:
        value = float(cell)
    except (OverflowError, ValueError):
        return NOT_FINITE
    return value if math.isfinite(value) else NOT_FINITE


def _number_in(text: str, example: str) -> float | Fault:
    if inner := _PARENTHESES.fullmatch(text):
        return Fault("is in parentheses", f"write -{inner[1].strip()}")
    found = _NUMBER.fullmatch(text)
    if found is None or (found[1] and found[2]):
        return Fault("is not a number", f"write it as {example}")
    sign, digits = found[1] or found[2], found[3]
    if "," in digits and not _GROUPED.fullmatch(digits):
        return AMBIGUOUS
    try:
        value = float(sign + digits.replace(",", ""))
    except ValueError:
        return Fault("is not a number", f"write it as {example}")
    return value if math.isfinite(value) else NOT_FINITE


def day(cell: object) -> date | Fault:
    """The day in a cell: ISO text, month/day/year, or a date or timestamp (its time of day is dropped).

    >>> day("8/15/2022")
    datetime.date(2022, 8, 15)
    """
    if is_blank(cell):
        return MISSING
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = cell.strip() if isinstance(cell, str) else ""
    if iso := _ISO.fullmatch(text):
        year, month, dom = iso.groups()
    elif us := _US.fullmatch(text):
        month, dom, year = us.groups()
    else:
        return NOT_A_DATE
    try:
        return date(int(year), int(month), int(dom))
    except ValueError:
        return NOT_A_DATE


def tags(cell: object) -> tuple[str, ...] | Fault:
    """The names in a comma-separated cell or a list, trimmed, each once, in order.

    >>> tags("core, income,core")
    ('core', 'income')
    """
    if is_blank(cell):
        return ()
    if isinstance(cell, list | tuple):
        cell = ",".join(map(str, cell))
    if not isinstance(cell, str | Real):
        return NOT_TAGS
    names = (_clean(item) for item in str(cell).split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def strategy(cell: object) -> str | Fault | None:
    """The one name in a cell, None when it is blank."""
    names = tags(cell)
    if isinstance(names, Fault):
        return names
    return SEVERAL_NAMES if len(names) > 1 else next(iter(names), None)


def _clean(text: str) -> str:
    """One name: control characters and runs of blanks become one blank, the export's guard quote is taken off."""
    text = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return text[1:].strip() if text.startswith("'") and text[1:].startswith(FORMULA_LEADS) else text


def currency(cell: object) -> str | Fault | None:
    """The three ISO letters in a cell, upper-cased; None when it is blank."""
    if is_blank(cell):
        return None
    text = cell.strip().upper() if isinstance(cell, str) else ""
    return text if CURRENCY.fullmatch(text) else NOT_A_CURRENCY

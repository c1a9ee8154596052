"""How numbers look: one formatter a kind, shared by tables, cards, hovers and axes.

An unknown number (NaN) is shown as a dash, never as zero. Minus is the true minus sign, thousands have commas.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

import pandas as pd

Kind = Literal[
    "money", "signed_money", "price", "quantity", "percent", "signed_percent", "ratio", "date", "text", "list"
]
UNKNOWN = "–"
DIGITS: dict[Kind, int] = {
    "money": 0,
    "signed_money": 0,
    "price": 2,
    "quantity": 4,
    "percent": 1,
    "signed_percent": 2,
    "ratio": 2,
}


def number(value: Any, kind: Kind) -> str:
    """``value`` as text of its kind.

    >>> number(-1234.5, "money"), number(0.0512, "percent"), number(float("nan"), "money")
    ('−1,235', '5.1 %', '–')
    """
    if kind == "list":
        return ", ".join(value)
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return UNKNOWN
    if kind in ("date", "text"):
        return _FORMATS[kind](value)
    return _FORMATS[kind](_rounded(value, kind)).replace("-", "−")


def _rounded(value: float, kind: Kind) -> float:
    """``value`` with halves rounded away from zero, as a browser does it, at the digits its kind shows."""
    digits = DIGITS[kind] + (2 if kind.endswith("percent") else 0)
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))


def compact_money(value: float) -> str:
    """Money in three or four digits for a card: 1.24m, 830.5k.

    >>> compact_money(1_243_000), compact_money(-830_500), compact_money(12.3)
    ('1.24m', '−830.5k', '12')
    """
    if pd.isna(value):
        return UNKNOWN
    for size, suffix, digits in ((1e9, "bn", 2), (1e6, "m", 2), (1e3, "k", 1)):
        if abs(value) >= size:
            return f"{value / size:,.{digits}f}{suffix}".replace("-", "−")
    return f"{value:,.0f}".replace("-", "−")


def _date(value: date | pd.Timestamp) -> str:
    return f"{value:%Y-%m-%d}"


_FORMATS: dict[Kind, Callable[[Any], str]] = {
    "money": "{:,.0f}".format,
    "signed_money": lambda value: f"{value:+,.0f}" if round(value) else "0",
    "price": "{:,.2f}".format,
    "quantity": lambda value: f"{value:,.4f}".rstrip("0").rstrip("."),
    "percent": lambda value: f"{value * 100:,.1f} %",
    "signed_percent": lambda value: f"{value * 100:+,.2f} %",
    "ratio": "{:,.2f}".format,
    "date": _date,
    "text": str,
}

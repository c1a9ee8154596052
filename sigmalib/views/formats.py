"""How numbers look: one formatter a kind, shared by tables, cards, hovers and axes.

An unknown number (NaN) is shown as a dash, never as zero. Minus is the true minus sign, thousands have commas.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Literal

import pandas as pd

Kind = Literal[
    "money", "signed_money", "price", "quantity", "percent", "signed_percent", "ratio", "date", "text", "list"
]
UNKNOWN = "–"


def number(value: Any, kind: Kind) -> str:
    """``value`` as text of its kind.

    >>> number(-1234.5, "money"), number(0.0512, "percent"), number(float("nan"), "money")
    ('−1,234', '5.1 %', '–')
    """
    if kind == "list":
        return ", ".join(value)
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return UNKNOWN
    return _FORMATS[kind](value).replace("-", "−") if kind not in ("date", "text") else _FORMATS[kind](value)


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

"""Exports: tables as CSV that a spreadsheet cannot be tricked with."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.records import iso, scalar

FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NEEDS_QUOTES = re.compile(r'[",;\t\r\n]')


def csv_text(frame: pd.DataFrame) -> str:
    """``frame`` as CSV without its index: LF at line ends, UTF-8 text, unknown values blank, lists joined by commas.

    Numbers are written so that reading them gives the same number. Text, headers too, whose first character would
    make a spreadsheet calculate (= + - @ tab, carriage return) gets a leading apostrophe, unless it is a plain number.
    """
    columns = [[_cell(value) for value in frame.iloc[:, at].tolist()] for at in range(frame.shape[1])]
    rows = [[_cell(name) for name in frame.columns], *zip(*columns, strict=True)]
    return "".join(f"{','.join(map(_quoted, row))}\n" for row in rows)


def read_json(path: Path) -> Any:
    """What ``json_text`` wrote; raises InputError when the file is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); remove it, and it is made again") from error


def _cell(value: object) -> str:
    if isinstance(value, list | tuple | np.ndarray):
        return _guarded(",".join(map(str, value)))
    if pd.isna(value):  # type: ignore[call-overload]  # any scalar
        return ""
    value = scalar(value)
    if isinstance(value, bool | int | float):
        return repr(value)
    return iso(value) if isinstance(value, date) else _guarded(str(value))


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_LEADS) and not _NUMBER.fullmatch(text) else text


def _quoted(text: str) -> str:
    """As the csv module does, and with it what other separators and a lone carriage return would do."""
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text

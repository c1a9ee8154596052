"""Records: numbers, dates and tables as strict JSON, for programs that read what Sigma says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd


def json_text(value: Any) -> str:
    """``value`` as strict JSON, keys in their order.

    NaN and infinity are null, dates ISO text, tuples and arrays lists, tables lists of rows.
    """
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def iso(value: date) -> str:
    """``2022-12-28``; with the time when there is one."""
    text = value.isoformat()
    return text.removesuffix("T00:00:00")


def scalar(value: object) -> object:
    """A numpy scalar as Python's own kind, anything else as it is."""
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    return value.item() if isinstance(value, np.generic) else value


def _plain(value: object) -> object:
    """``value`` in what JSON knows: mappings, lists, text, numbers, truth values and null."""
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    if isinstance(value, Mapping):
        return {iso(key) if isinstance(key, date) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    value = scalar(value)
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return iso(value) if isinstance(value, date) else value

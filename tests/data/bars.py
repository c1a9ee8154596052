"""Bars for tests of the cache: a few rows in the shape of BARS, out of closes that a test writes down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sigmalib.core.frames import BARS, MINUTES
from sigmalib.core.times import sessions


def daily(closes: Mapping[str, Sequence[float]], start: str, **columns: object) -> pd.DataFrame:
    """BARS from ``start`` on, a close a session for each symbol; other columns by name, by default no actions."""
    count = max(map(len, closes.values()))
    days = sessions(start, pd.Timestamp(start) + pd.Timedelta(days=2 * count + 10))[:count]
    rows = [(day, symbol, close) for symbol, path in closes.items() for day, close in zip(days, path, strict=False)]
    table = pd.DataFrame(rows, columns=["session", "symbol", "close"]).astype({"symbol": "str"})
    return _filled(table, columns).set_index(list(BARS.index)).sort_index()[BARS.names]


def minutes(symbol: str, start: str, closes: Sequence[float]) -> pd.DataFrame:
    """MINUTES of one symbol, one close a minute from the instant ``start`` (UTC) on."""
    times = pd.date_range(pd.Timestamp(start, tz="UTC"), periods=len(closes), freq="min").as_unit("us")
    table = pd.DataFrame({"time": times, "symbol": symbol, "close": closes}).astype({"symbol": "str"})
    return _filled(table, {}).set_index(list(MINUTES.index))[MINUTES.names]


def _filled(table: pd.DataFrame, columns: Mapping[str, object]) -> pd.DataFrame:
    prices = dict.fromkeys(("open", "high", "low"), table["close"])
    usual = {"adjusted_close": np.nan, "volume": 1000.0, "dividend": 0.0, "split": 1.0, "source": "vendor"}
    return table.assign(**prices, **{**usual, **columns})

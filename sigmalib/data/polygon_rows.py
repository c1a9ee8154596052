"""Polygon's records of bars, dividends, splits, yields and tickers, read into rows.

Every function raises AnswerUnreadable, naming the field, for what cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from sigmalib.core.errors import AnswerUnreadable
from sigmalib.core.frames import BARS, MINUTES
from sigmalib.core.instruments import CURRENCIES
from sigmalib.core.times import Interval
from sigmalib.data.polygon_fields import days, numbers, or_nan, positive
from sigmalib.data.polygon_symbols import CALENDARS, INDEX, Wanted, ticker_of
from sigmalib.data.short_interest import short_interest_of

NEW_YORK = ZoneInfo("America/New_York")
ASTRAY = timedelta(days=7)  # a bar further than this outside the days asked for has a stamp in another unit
KIND_OF_TYPE = {"CS": "stock", "ADRC": "stock", "ETF": "etf", "ETS": "etf", "ETV": "etf", "INDEX": "index"}
KIND_OF_MARKET = {"crypto": "crypto", "fx": "currency", "indices": "index"}
VALUES = ("open", "high", "low", "close", "volume", "dividend", "split")

Array = np.ndarray
Gap = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Part:
    """The rows of one symbol in order of time: ``times`` are sessions or UTC instants, ``values`` (row x VALUES)."""

    symbol: str
    times: Array
    values: Array
    gaps: tuple[Gap, ...] = ()


def nothing(wanted: Wanted, reason: str) -> Part:
    """No rows, and why."""
    return Part(wanted.symbol, _no_times(), np.empty((0, len(VALUES))), ((wanted.symbol, "price", reason),))


def prices(found: Sequence[Any], wanted: Wanted) -> tuple[Array, Array]:
    """Stamps (UTC) and (row x open, high, low, close, volume) in order of time; bars without any price are absent."""
    bars = [bar for bar in found if not (bar.open is bar.high is bar.low is bar.close is None)] or found
    volumes = [bar.volume for bar in bars]
    columns = {
        "t": [bar.timestamp for bar in bars],
        "o": [bar.open for bar in bars],
        "h": [bar.high for bar in bars],
        "l": [bar.low for bar in bars],
        "c": [bar.close for bar in bars],
        "v": or_nan(volumes) if wanted.family == INDEX else volumes,
    }
    stamps, *values = (numbers(column, field, wanted.what) for field, column in columns.items())
    order = np.argsort(stamps, kind="stable")
    return _instants(stamps[order], wanted), np.column_stack(values)[order]


def dividends(found: Sequence[Any], wanted: Wanted, times: Array) -> tuple[Array, list[Gap]]:
    """Cash at each of ``times``, the first from the ex-date on; NaN where some is in another currency, and told."""
    own = _own(found, wanted)
    cash = numbers([each.cash_amount for each in own], "cash_amount", wanted.what)
    foreign = np.array([each.currency not in (None, "USD") for each in own], dtype=bool)
    at, there = _placed(times, [each.ex_dividend_date for each in own], "ex_dividend_date", wanted.what)
    dividend = np.zeros(len(times))
    np.add.at(dividend, at, np.where(foreign, np.nan, cash)[there])
    told = [each for each, odd in zip(own, foreign & there, strict=True) if odd]
    return dividend, [(wanted.symbol, "history", _foreign(wanted.symbol, each)) for each in told]


def splits(found: Sequence[Any], wanted: Wanted, times: Array) -> Array:
    """New shares for one old at each of ``times``, the first from the split's date on; 1 is none."""
    own = _own(found, wanted)
    new = positive([each.split_to for each in own], "split_to", wanted.what)
    old = positive([each.split_from for each in own], "split_from", wanted.what)
    at, there = _placed(times, [each.execution_date for each in own], "execution_date", wanted.what)
    split = np.ones(len(times))
    np.multiply.at(split, at, (new / old)[there])
    return split


def treasury_bill(found: Sequence[Any], wanted: Wanted) -> Part:
    """The three-month treasury yield as closes, in percent; days without one are left out."""
    known = [each for each in found if each.yield_3_month is not None]
    if found and not known:
        raise AnswerUnreadable(f"{wanted.what}: Polygon answers without the field yield_3_month")
    if not known:
        return nothing(wanted, f"Polygon has no treasury yields from {wanted.start} to {wanted.end}")
    values = np.full((len(known), len(VALUES)), np.nan)
    values[:, VALUES.index("close")] = numbers([each.yield_3_month for each in known], "yield_3_month", wanted.what)
    values[:, -2:] = 0.0, 1.0
    return Part(wanted.symbol, days([each.date for each in known], "date", wanted.what), values)


def sessions_of(stamps: Array) -> Array:
    """The session of each daily stamp: midnight UTC (currencies, crypto) or midnight in New York, summer and winter."""
    in_new_york = _in_new_york(stamps).normalize().to_numpy()
    return np.where(stamps == stamps.astype("datetime64[D]"), stamps, in_new_york).astype("datetime64[us]")


def first_and_last(times: Array, wanted: Wanted) -> tuple[date, date]:
    """The first and the last day of ``times``, minutes by the days of the place where the symbol is traded."""
    ends = times[[0, -1]]
    local = ends if wanted.interval == "1d" or wanted.family in CALENDARS else _in_new_york(ends).to_numpy()
    return day_of(local[0]), day_of(local[1])


def day_of(time: np.datetime64) -> date:
    """The date of a session or an instant."""
    return pd.Timestamp(time).date()


def frame_of(parts: Sequence[Part], interval: Interval) -> pd.DataFrame:
    """BARS or MINUTES of all parts, sorted by time and symbol."""
    contract = BARS if interval == "1d" else MINUTES
    times = np.concatenate([_no_times(), *(part.times for part in parts)])
    values = np.concatenate([np.empty((0, len(VALUES))), *(part.values for part in parts)])
    codes = np.repeat(np.arange(len(parts)), [len(part.times) for part in parts])
    order = np.lexsort((codes, times))
    moments, at = np.unique(times[order], return_inverse=True)
    zone, symbols = None if interval == "1d" else UTC, [part.symbol for part in parts]
    levels: list[Any] = [pd.DatetimeIndex(moments, tz=zone), pd.Index(symbols, dtype="str")]
    places: list[Any] = [at, codes[order]]
    index = pd.MultiIndex(levels, places, names=list(contract.index))
    frame = pd.DataFrame(values[order], index=index, columns=list(VALUES))
    frame.insert(VALUES.index("volume"), "adjusted_close", np.nan)
    return frame.assign(source=pd.array(["polygon"] * len(frame), dtype="str"))


def profile(details: Any) -> list[object]:
    """One row of PROFILES out of a ticker's details."""
    kind = KIND_OF_MARKET.get(details.market) or KIND_OF_TYPE.get(details.type)
    currency = str(details.currency_symbol or details.currency_name).upper()
    known = currency if currency in CURRENCIES else None
    return [details.name, kind, None, details.sic_description, known, np.nan]


def short_interest(found: Sequence[Any], symbol: str) -> pd.DataFrame:
    """SHORT_INTEREST of a symbol; the percent of float is unknown, as is what is left out of a record."""
    what = f"short interest of {symbol}"
    if any(record.ticker is None for record in found):
        raise AnswerUnreadable(f"{what}: Polygon answers without the field ticker")
    own = [record for record in found if record.ticker == ticker_of(symbol)]
    columns = {
        "session": days([each.settlement_date for each in own], "settlement_date", what),
        "days_to_cover": numbers(or_nan([each.days_to_cover for each in own]), "days_to_cover", what),
        "shares_short": numbers([each.short_interest for each in own], "short_interest", what),
    }
    return short_interest_of(pd.DataFrame(columns).assign(symbol=symbol))


def _own(found: Sequence[Any], wanted: Wanted) -> list[Any]:
    """The records of the ticker asked for; none may leave out whose it is."""
    if any(record.ticker is None for record in found):
        raise AnswerUnreadable(f"{wanted.what}: Polygon answers without the field ticker")
    return [record for record in found if record.ticker == wanted.ticker]


def _foreign(symbol: str, dividend: Any) -> str:
    return f"the dividend of {symbol} on {dividend.ex_dividend_date} is in {dividend.currency}, so it counts as unknown"


def _placed(times: Array, dates: Sequence[object], field: str, what: str) -> tuple[Array, Array]:
    """Of the dates that have a session from them on: the place of the first such; and which dates these are."""
    at = np.searchsorted(times, days(dates, field, what))
    there = at < len(times)
    return at[there], there


def _instants(milliseconds: Array, wanted: Wanted) -> Array:
    """UTC instants out of sorted milliseconds, which are of the days asked for."""
    first, last = (pd.Timestamp(day).timestamp() * 1000 for day in (wanted.start - ASTRAY, wanted.end + ASTRAY))
    if len(milliseconds) and not first < milliseconds[0] <= milliseconds[-1] < last:
        raise AnswerUnreadable(f"{wanted.what}: Polygon answers with times of other days in the field t")
    return milliseconds.astype("int64").astype("datetime64[ms]").astype("datetime64[us]")


def _in_new_york(instants: Array) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(instants, tz=UTC).tz_convert(NEW_YORK).tz_localize(None)


def _no_times() -> Array:
    return np.empty(0, dtype="datetime64[us]")

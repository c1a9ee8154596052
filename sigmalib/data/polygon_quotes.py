"""Polygon's snapshots and its list of option contracts, read into rows.

A price of zero is none: so Polygon has it of what was not quoted or traded yet. What the plan leaves out is absent.
Every function raises AnswerUnreadable, naming the field, for what cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from typing import Any

import pandas as pd
from pandas.api.typing import NaTType

from sigmalib.core.errors import AnswerUnreadable
from sigmalib.core.frames import LATEST, QUOTES
from sigmalib.data.polygon_fields import days, numbers, or_nan, positive, words
from sigmalib.data.polygon_symbols import OPTION, currency_of

TRADED_AT = ("sip_timestamp", "participant_timestamp", "last_updated")  # one of them, by the kind of ticker
FIRST, LAST = (pd.Timestamp(f"{year}-01-01").as_unit("ns").value for year in (2000, 2100))
OFFERED = ["bid", "ask", "last"]

RIGHTS = {"call": "call", "put": "put", "other": None}
STYLES = {"american": "American", "european": "European", "bermudan": None}


def chain(contracts: Sequence[Any], underlying: str, session: date) -> pd.DataFrame:
    """QUOTES out of snapshots of options, by symbol without the prefix."""
    what = f"options on {underlying}"
    columns = {
        "bid": [getattr(each.last_quote, "bid", None) or None for each in contracts],
        "ask": [getattr(each.last_quote, "ask", None) or None for each in contracts],
        "last": [_last(each, each.day) for each in contracts],
        "volume": [getattr(each.day, "volume", None) for each in contracts],
        "open_interest": [each.open_interest for each in contracts],
        "implied_volatility": [each.implied_volatility or None for each in contracts],
    }
    symbols = _symbols([getattr(each.details, "ticker", None) for each in contracts], what)
    day = pd.DatetimeIndex([session] * len(symbols)).as_unit("us")
    index = pd.MultiIndex.from_arrays([day, symbols], names=list(QUOTES.index))
    found = {field: numbers(or_nan(values), field, what) for field, values in columns.items()}
    frame = pd.DataFrame({"underlying": pd.array([underlying] * len(index), dtype="str"), **found}, index=index)
    return frame.sort_index()


def latest(snapshots: Mapping[str, Any]) -> pd.DataFrame:
    """LATEST by symbol out of snapshots of any kind; last is the price of the session where the plan has no trades."""
    rows = [_row(symbol, snapshot) for symbol, snapshot in snapshots.items()]
    frame = pd.DataFrame(rows, columns=LATEST.names, index=pd.Index(list(snapshots), dtype="str", name="symbol"))
    time = pd.to_datetime(frame["time"], utc=True).dt.as_unit("us")
    return frame.astype(dict.fromkeys(OFFERED, "float64") | {"currency": "str"}).assign(time=time)


def contracts(listed: Sequence[Any], underlying: str) -> pd.DataFrame:
    """Listed options by symbol without the prefix; see ``Polygon.contracts``."""
    what = f"contracts on {underlying}"
    columns = {
        "underlying": pd.array([underlying] * len(listed), dtype="str"),
        "expiry": days([each.expiration_date for each in listed], "expiration_date", what),
        "right": pd.array(words([each.contract_type for each in listed], RIGHTS, "contract_type", what), dtype="str"),
        "strike": positive([each.strike_price for each in listed], "strike_price", what),
        "style": pd.array(words([each.exercise_style for each in listed], STYLES, "exercise_style", what), dtype="str"),
        "shares": numbers([each.shares_per_contract for each in listed], "shares_per_contract", what),
    }
    return pd.DataFrame(columns, index=_symbols([each.ticker for each in listed], what).rename("symbol")).sort_index()


def _row(symbol: str, snapshot: Any) -> list[object]:
    """One row of LATEST, its currency by the ticker."""
    what, quote = f"quote of {symbol}", snapshot.last_quote
    if quote is snapshot.last_trade is snapshot.session is None:
        raise AnswerUnreadable(f"{what}: Polygon answers without the fields last_quote, last_trade and session")
    prices = [getattr(quote, "bid", None), getattr(quote, "ask", None), _last(snapshot, snapshot.session)]
    known = numbers(or_nan([price or None for price in prices]), "last_quote, last_trade or session", what)
    return [*known, currency_of(snapshot.ticker), _newest(snapshot, what)]


def _last(snapshot: Any, session: Any) -> object:
    """The price of the last trade, or of the session where the plan has no trades."""
    prices = (getattr(snapshot.last_trade, "price", None), getattr(session, "price", None))
    return prices[0] or prices[1] or getattr(session, "close", None) or None


def _newest(snapshot: Any, what: str) -> pd.Timestamp | NaTType:
    """When it was last quoted or traded, the later; NaT when that is not told."""
    stamps = [getattr(snapshot.last_quote, "last_updated", None)]
    stamps += [getattr(snapshot.last_trade, field, None) for field in TRADED_AT]
    known = [stamp for stamp in stamps if stamp]
    found = numbers(known, "last_updated", what)
    if ((found < FIRST) | (found > LAST)).any():
        raise AnswerUnreadable(
            f"{what}: Polygon answers with {known} in the field last_updated, no nanoseconds of a day"
        )
    return pd.Timestamp(max(known), tz=UTC) if known else pd.NaT


def _symbols(tickers: Sequence[object], what: str) -> pd.Index:
    if not all(isinstance(ticker, str) for ticker in tickers):
        raise AnswerUnreadable(f"{what}: Polygon answers without the field ticker of a contract")
    return pd.Index([str(ticker).removeprefix(OPTION) for ticker in tickers], dtype="str")

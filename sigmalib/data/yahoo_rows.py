"""What Yahoo's answers say, as yfinance hands them over: bars as traded, profiles and quotes, or ``Refused``.

Yahoo's prices are adjusted for every split up to now: a table of days that reaches up to now knows all later splits, so
that they can be undone. Sub-units (pence, cents, agorot) come as their currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from math import log1p, nan
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.frames import LATEST, QUOTES, SHORT_INTEREST, Contract
from sigmalib.data.short_interest import short_interest_of

DAY = timedelta(days=1)
NO_VOLATILITY = 1e-4  # what Yahoo writes when it has none is 1e-5

SUBUNITS = {"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}  # a hundred of one are the other
KINDS = {"EQUITY": "stock", "CRYPTOCURRENCY": "crypto", "MUTUALFUND": "fund"}
YIELDS = ("dividendYield", "yield", "trailingAnnualDividendYield")
MODULES = ["price", "assetProfile", "summaryDetail"]  # of the quoteSummary, as ``profile`` reads it
SHORTS = "defaultKeyStatistics"  # the module of it that ``short_interest`` reads
ABOUT_SHORTS = ["price", SHORTS]  # which every symbol has one of: asked for nothing it has, Yahoo calls it unknown
SHORT_FIELDS = {
    "shortPercentOfFloat": "percent_of_float", "shortRatio": "days_to_cover", "sharesShort": "shares_short"
}  # fmt: skip
TEXTS = dict.fromkeys(("name", "kind", "sector", "industry", "currency"), "str")

PRICES = ["open", "high", "low", "close"]
MONEY = [*PRICES, "dividend"]
BAR_COLUMNS = {"Dividends": "dividend", "Stock Splits": "split"} | {name.title(): name for name in [*PRICES, "volume"]}
OFFERED = ["bid", "ask", "last"]
HOURS = ("regular", "pre", "post")  # of trading, each told of with its last trade
QUOTE_COLUMNS = {
    "contractSymbol": "symbol", "bid": "bid", "ask": "ask", "lastPrice": "last", "volume": "volume",
    "openInterest": "open_interest", "impliedVolatility": "implied_volatility",
}  # fmt: skip

Json = dict[str, Any]
Meta = Mapping[str, Any]  # what Yahoo says about a symbol beside its bars


class Refused(Exception):
    """Yahoo has nothing to answer with, and says why; ``unknown`` when it does not know the symbol at all."""

    def __init__(self, said: str, *, unknown: bool = False) -> None:
        self.unknown = unknown
        super().__init__(said)


def traded_days(found: pd.DataFrame, meta: Meta, today: date) -> pd.DataFrame:
    """The columns of BARS by finished session with a price, as traded, out of yfinance's table that reaches up to now.

    A dividend or split on a day without a price comes with the next session that has one. today : in New York.
    """
    table = _in_currency(found, meta)
    traded = _as_traded(table.set_axis(pd.DatetimeIndex(table.index).tz_localize(None).normalize()))
    return traded[traded.index < _first_unfinished(meta, today)]


def whole_minutes(found: pd.DataFrame, meta: Meta) -> pd.DataFrame:
    """The columns of MINUTES by UTC instant with a price, without the minute under way, out of yfinance's table."""
    table, hours = _in_currency(found, meta), _trading_hours(meta)
    priced = table.set_axis(pd.DatetimeIndex(table.index).tz_convert("UTC")).dropna(subset=PRICES, how="all")
    if hours is None or not hours[0] <= hours[2] < hours[1]:
        return priced
    return priced[priced.index <= hours[2] - timedelta(minutes=1)]


def bars(table: pd.DataFrame, symbol: str, contract: Contract) -> pd.DataFrame:
    """BARS or MINUTES of ``symbol``, as the ``contract`` says, out of their columns by time."""
    times = pd.DatetimeIndex(table.index).as_unit("us")
    index = pd.MultiIndex.from_arrays([times, [symbol] * len(times)], names=contract.index)
    return table.reindex(columns=contract.names).assign(source="yahoo").set_index(index)


def profile(told: Json, symbol: str) -> pd.DataFrame:
    """PROFILES of ``symbol``, its dividend yield continuous, out of the modules of a quoteSummary."""
    price, about, detail = (told["quoteSummary"]["result"][0].get(module) or {} for module in MODULES)
    row = {
        "name": price.get("longName") or price.get("shortName"),
        "kind": KINDS.get(price["quoteType"], price["quoteType"].lower()),
        "sector": about.get("sector"),
        "industry": about.get("industry"),
        "currency": SUBUNITS.get(price["currency"], price["currency"]),
        "dividend_yield": next((log1p(detail[key]) for key in YIELDS if detail.get(key) is not None), nan),
    }
    return pd.DataFrame([row], index=pd.Index([symbol], name="symbol")).astype(TEXTS)


def short_interest(told: Json, symbol: str) -> pd.DataFrame:
    """SHORT_INTEREST of ``symbol``: the latest alone, out of a quoteSummary; no row when it has none or no date."""
    figures = told["quoteSummary"]["result"][0].get(SHORTS) or {}
    if not figures.get("dateShortInterest"):
        return SHORT_INTEREST.empty()
    settled = pd.to_datetime([figures["dateShortInterest"]], unit="s").normalize()
    values = {ours: figures.get(theirs) for theirs, ours in SHORT_FIELDS.items()}
    return short_interest_of(pd.DataFrame([values]).assign(session=settled, symbol=symbol))


def latest(told: Mapping[str, Json]) -> pd.DataFrame:
    """LATEST by symbol out of Yahoo's quotes; a price of zero is unknown. Last is the newest of all trading hours."""
    kinds = dict.fromkeys([*OFFERED, "time"], "float64") | {"currency": "str"}
    rows = pd.DataFrame([_latest(quote) for quote in told.values()], columns=LATEST.names).astype(kinds)
    time = pd.to_datetime(rows["time"], unit="s", utc=True).dt.as_unit("us")
    return rows.assign(time=time).set_axis(pd.Index(list(told), dtype="str", name="symbol"))


def quotes(table: pd.DataFrame, underlying: str, session: date) -> pd.DataFrame:
    """QUOTES out of yfinance's calls and puts; a price of zero is unknown, as is a volatility at or below 1e-4."""
    known = table[list(QUOTE_COLUMNS)].rename(columns=QUOTE_COLUMNS).set_index("symbol").astype("float64")
    offered = known[OFFERED].where(lambda price: price > 0)
    implied = known["implied_volatility"].where(known["implied_volatility"] > NO_VOLATILITY)
    whole = known.assign(**offered, implied_volatility=implied, underlying=underlying)[QUOTES.names]
    day = pd.DatetimeIndex([pd.Timestamp(session)] * len(whole)).as_unit("us")
    return whole.set_index(pd.MultiIndex.from_arrays([day, whole.index], names=QUOTES.index)).sort_index()


def _latest(quote: Json) -> tuple[float, float, float, str | None, float]:
    """Bid, ask, last, their currency and the time of the last, in seconds since 1970."""
    trades = [(quote.get(f"{hours}MarketTime") or 0, quote.get(f"{hours}MarketPrice")) for hours in HOURS]
    time, last = max(((time, price) for time, price in trades if price), default=(0, None))
    currency: str | None = quote.get("currency")
    scale = 100 if currency in SUBUNITS else 1
    bid, ask, last = (float(price or nan) / scale for price in (quote.get("bid"), quote.get("ask"), last))
    return bid, ask, last, SUBUNITS.get(currency or "", currency), time or nan


def _in_currency(found: pd.DataFrame, meta: Meta) -> pd.DataFrame:
    """yfinance's table under our column names; prices and dividends in the currency, where Yahoo has a sub-unit."""
    table = found.rename(columns=BAR_COLUMNS).reindex(columns=list(BAR_COLUMNS.values())).astype("float64")
    if meta["currency"] in SUBUNITS:
        table[MONEY] /= 100
    return table


def _as_traded(found: pd.DataFrame) -> pd.DataFrame:
    """The rows with a price, every later split undone; dividends and splits of other rows go to the next of these."""
    split = found["split"].where(found["split"] > 0, 1.0).to_numpy()
    later = np.append(split[:0:-1].cumprod()[::-1], 1.0)[: len(split)]
    traded = found[MONEY].mul(later, axis=0).assign(volume=found["volume"] / later)
    priced = found[PRICES].notna().any(axis=1).to_numpy()
    bar = priced[::-1].cumsum()[::-1]  # the same number for a row with a price and those without before it
    cash, ratio = np.bincount(bar, traded["dividend"]), np.ones(len(bar) + 1)
    np.multiply.at(ratio, bar, split)
    return traded[priced].assign(dividend=cash[bar[priced]], split=ratio[bar[priced]])


def _first_unfinished(meta: Meta, today: date) -> pd.Timestamp:
    """The first session whose bar may still change: before today none does, today's until it has traded to the end."""
    hours = _trading_hours(meta)
    if hours is None:
        return pd.Timestamp(today)
    start, end, traded = hours
    return max(pd.Timestamp(today), start.tz_localize(None).normalize() + (DAY if traded >= end else timedelta()))


def _trading_hours(meta: Meta) -> tuple[pd.Timestamp, pd.Timestamp, pd.Timestamp] | None:
    """Start and end of the session Yahoo is at or comes to next, and the last trade's time; None when not told."""
    hours, traded = meta.get("currentTradingPeriod", {}).get("regular"), meta.get("regularMarketTime")
    return (hours["start"], hours["end"], traded) if hours and traded is not None else None

"""A server that speaks Yahoo's chart, options, quoteSummary and quotes as recorded in 2025, with made values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from sigmalib.core.instruments import OptionContract
from sigmalib.core.times import sessions
from tests.vendors import Asked, Reply, Vendor

FIRST, LAST = date(2024, 1, 2), date(2024, 6, 28)
DATA = ("/v7/", "/v8/", "/v10/")
CRUMB = "made.Crumb/1"
SIXTY, DAY = 60, 86_400

Body = dict[str, Any]


@dataclass(frozen=True)
class Venue:
    """Where a symbol trades: its zone, hours, kind and currency, by Yahoo's words."""

    zone: str
    opens: time
    closes: time
    kind: str
    currency: str = "USD"


NEW_YORK = ("America/New_York", time(9, 30), time(16, 0))
LONDON = ("Europe/London", time(8, 0), time(16, 30))
ALWAYS = (time(0, 0), time(23, 59))


def venue(symbol: str) -> Venue:
    """Where ``symbol`` trades, by how Yahoo writes it."""
    if symbol.endswith("=X"):
        return Venue("Europe/London", *ALWAYS, "CURRENCY")
    if symbol.endswith("-USD"):
        return Venue("UTC", *ALWAYS, "CRYPTOCURRENCY")
    if symbol.endswith(".DE"):
        return Venue("Europe/Berlin", time(9, 0), time(17, 30), "EQUITY", "EUR")
    if symbol.endswith(".L"):
        return Venue(*LONDON, "EQUITY", "GBp")
    if symbol.startswith("^"):
        return Venue(*NEW_YORK, "INDEX")
    return Venue(*NEW_YORK, "ETF" if symbol in ("SPY", "QQQ") else "EQUITY")


def walk(
    days: pd.DatetimeIndex,
    start: float,
    *,
    seed: int = 0,
    splits: Mapping[str, float] | None = None,
    dividends: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Bars as traded, a random walk: open, high, low, close, volume, dividend, split by session."""
    rng = np.random.default_rng(seed)
    split = pd.Series(1.0, days)
    dividend = pd.Series(0.0, days)
    for day, ratio in (splits or {}).items():
        split[day] = ratio
    for day, cash in (dividends or {}).items():
        dividend[day] = cash
    close = start * np.exp(rng.normal(0.0003, 0.01, len(days)).cumsum()) / split.cumprod()
    opened = close * np.exp(rng.normal(0, 0.003, len(days)))
    wide = np.exp(np.abs(rng.normal(0, 0.004, len(days))))
    high, low = np.maximum(opened, close) * wide, np.minimum(opened, close) / wide
    volume = pd.Series(rng.integers(1_000_000, 9_000_000, len(days)) * 100.0, days)
    table = {"open": opened, "high": high, "low": low, "close": close}
    return pd.DataFrame(table | {"volume": volume, "dividend": dividend, "split": split})


def made_prices(first: date = FIRST, last: date = LAST) -> dict[str, pd.DataFrame]:
    """Bars as traded of ten symbols as Yahoo writes them; AAPL splits 4:1 and pays, when the dates are the default."""
    days, weekdays, every = sessions(first, last), pd.bdate_range(first, last), pd.date_range(first, last)
    default = (first, last) == (FIRST, LAST)
    paid = {"2024-02-09": 0.96, "2024-05-10": 0.25} if default else {}
    prices = {
        "AAPL": walk(days, 740.0, seed=1, splits={"2024-04-15": 4.0} if default else {}, dividends=paid),
        "EURUSD=X": walk(weekdays, 1.09, seed=2).assign(volume=0.0),
        "BTC-USD": walk(every, 42_000.0, seed=3),
        "SAP.DE": walk(weekdays, 140.0, seed=4),
    }
    starts = {"SPY": 470.0, "MSFT": 370.0, "BRK-B": 360.0, "^GSPC": 4740.0, "^VIX": 13.0, "^IRX": 5.2}
    return prices | {symbol: walk(days, start, seed=len(symbol) + 5) for symbol, start in starts.items()}


class Listed:
    """A symbol with its bars as Yahoo gives them: adjusted for every split up to the last bar."""

    def __init__(self, symbol: str, traded: pd.DataFrame, now: datetime | None) -> None:
        self.symbol, self.venue, self.traded = symbol, venue(symbol), traded.assign(**_without_events(traded))
        self.now = now or self._at(traded.index[-1].date(), self.venue.closes) + timedelta(seconds=1)

    @cached_property
    def later(self) -> pd.Series:
        """Of each session the product of all splits after it."""
        return self.traded["split"][::-1].cumprod().shift(fill_value=1.0)[::-1]

    @cached_property
    def stamps(self) -> np.ndarray:
        """Each session's open in seconds since 1970."""
        opens = self.traded.index + pd.Timedelta(hours=self.venue.opens.hour, minutes=self.venue.opens.minute)
        return opens.tz_localize(self.venue.zone).tz_convert("UTC").as_unit("s").asi8

    def chart(self, query: Mapping[str, str]) -> Reply:
        """The answer to ``/v8/finance/chart``."""
        begin, until = int(query["period1"]), int(query["period2"])
        if query["interval"] != "1m":
            chosen = slice(*np.searchsorted(self.stamps, [begin, until]))
            return self._charted(self._days(chosen), "1d")
        if until - begin > 8 * DAY:
            return _error("chart", 422, "Unprocessable Entity", "Only 8 days worth of 1m granularity data are allowed")
        if begin < self.now.timestamp() - 30 * DAY:
            return _error("chart", 422, "Unprocessable Entity", "The requested range must be within the last 30 days.")
        return self._charted(self._minutes(begin, until), "1m")

    def options(self, query: Mapping[str, str]) -> Reply:
        """The answer to ``/v7/finance/options``: three expiries with five strikes each, of stocks and funds."""
        last = self.traded.index[-1]
        fridays = pd.date_range(last, periods=4, freq="W-FRI")[1:] if self.venue.kind in ("EQUITY", "ETF") else []
        stamps = [int(day.timestamp()) for day in fridays]
        wanted = int(query.get("date", stamps[0] if stamps else 0))
        chain = [{"expirationDate": wanted, "hasMiniOptions": False, **self._chain(wanted)}] if stamps else []
        about = {"underlyingSymbol": self.symbol, "expirationDates": stamps, "strikes": [], "hasMiniOptions": False}
        told = about | {"quote": {"quoteType": self.venue.kind, "symbol": self.symbol}, "options": chain}
        return Reply({"optionChain": {"result": [told], "error": None}})

    def summary(self, query: Mapping[str, str]) -> Reply:
        """The answer to ``/v10/finance/quoteSummary`` with the modules asked for that there are."""
        stock, fund = self.venue.kind == "EQUITY", self.venue.kind == "ETF"
        name = {"quoteType": self.venue.kind, "symbol": self.symbol, "shortName": f"{self.symbol} SHORT"}
        modules: Body = {
            "price": {"maxAge": 1, **name, "longName": f"{self.symbol} Inc.", "currency": self.venue.currency},
            "summaryDetail": {"maxAge": 1, "currency": self.venue.currency, "dividendYield": 0.02 if stock else None},
        }
        modules["summaryDetail"] |= {"yield": 0.0125} if fund else {}
        modules |= {"assetProfile": {"sector": "Technology", "industry": "Software", "maxAge": 86400}} if stock else {}
        chosen = {module: modules[module] for module in query["modules"].split(",") if module in modules}
        if not chosen:
            said = f"No fundamentals data found for any of the summaryTypes={query['modules']}"
            return _error("quoteSummary", 404, "Not Found", said)
        return Reply({"quoteSummary": {"result": [chosen], "error": None}})

    def quote(self) -> Body:
        """What ``/v7/finance/quote`` says of it: the last close was the last trade; of stocks a bid and an ask too."""
        price = float(self.traded["close"].iloc[-1])
        told = {"symbol": self.symbol, "quoteType": self.venue.kind, "currency": self.venue.currency}
        told |= {"marketState": "REGULAR", "triggerable": True, "priceHint": 2, "exchangeTimezoneName": self.venue.zone}
        told |= {"regularMarketPrice": price, "regularMarketTime": self._meta()["regularMarketTime"]}
        offered = {"bid": price - 0.05, "ask": price + 0.05, "bidSize": 2, "askSize": 1}
        return told | (offered if self.venue.kind in ("EQUITY", "ETF") else {})

    def _days(self, chosen: slice) -> Body:
        bars, later, stamps = self.traded.iloc[chosen], self.later.iloc[chosen], self.stamps[chosen].tolist()
        prices = {name: _listed(bars[name] / later) for name in ("open", "high", "low", "close")}
        split = {str(t): _split(t, ratio) for t, ratio in zip(stamps, bars["split"], strict=True) if ratio != 1}
        cash = zip(stamps, bars["dividend"] / later, strict=True)
        dividend = {str(t): {"amount": amount, "date": t} for t, amount in cash if amount}
        events = {"dividends": dividend} if dividend else {}
        quote = prices | {"volume": _listed(bars["volume"] * later)}
        adjusted = [{"adjclose": prices["close"]}]
        told: Body = {"timestamp": stamps, "indicators": {"quote": [quote], "adjclose": adjusted}}
        return told | {"events": events | ({"splits": split} if split else {})}

    def _minutes(self, begin: int, until: int) -> Body:
        length = self._length()
        stamps: list[int] = []
        closes: list[float] = []
        for stamp, first, last in zip(self.stamps.tolist(), self.traded["open"], self.traded["close"], strict=True):
            if begin <= stamp < until:
                stamps += range(stamp, stamp + length, SIXTY)
                closes += np.linspace(first, last, length // SIXTY).tolist()
        known = sum(stamp <= self.now.timestamp() for stamp in stamps)
        columns = dict.fromkeys(("open", "high", "low", "close"), closes[:known])
        quote = columns | {"volume": [100] * known}
        return {"timestamp": stamps[:known], "indicators": {"quote": [quote]}}

    def _charted(self, told: Body, interval: str) -> Reply:
        if not told["timestamp"]:
            told = {"indicators": {"quote": [{}]}}
        meta = self._meta() | {"dataGranularity": interval, "range": ""}
        if interval == "1m":
            meta["tradingPeriods"] = [[self._period(day)] for day in self.traded.index.date]
        return Reply({"chart": {"result": [{"meta": meta, **told}], "error": None}})

    def _meta(self) -> Body:
        local = self.now.astimezone(ZoneInfo(self.venue.zone))
        regular = self._period(local.date())
        last = min(local, self._at(local.date(), self.venue.closes) + timedelta(seconds=1))
        known = {"currency": self.venue.currency, "symbol": self.symbol, "instrumentType": self.venue.kind}
        return known | {
            "exchangeName": "MADE",
            "firstTradeDate": int(self.stamps[0]),
            "regularMarketTime": int(last.timestamp()),
            "gmtoffset": regular["gmtoffset"],
            "timezone": regular["timezone"],
            "exchangeTimezoneName": self.venue.zone,
            "regularMarketPrice": float(self.traded["close"].iloc[-1]),
            "priceHint": 2,
            "currentTradingPeriod": {
                "pre": regular | {"end": regular["start"]},
                "regular": regular,
                "post": regular | {"start": regular["end"]},
            },
            "validRanges": ["1d", "5d", "1mo", "max"],
        }

    def _period(self, day: date) -> Body:
        start, end = self._at(day, self.venue.opens), self._at(day, self.venue.closes)
        offset = start.utcoffset() or timedelta()
        told = {"start": int(start.timestamp()), "end": int(end.timestamp())}
        return told | {"timezone": start.tzname(), "gmtoffset": int(offset.total_seconds())}

    def _chain(self, stamp: int) -> Body:
        expiry, spot = datetime.fromtimestamp(stamp, UTC).date(), float(self.traded["close"].iloc[-1])
        strikes = [round(spot * share) for share in (0.9, 0.95, 1.0, 1.05, 1.1)]
        root = self.symbol.replace("-", "")
        return {
            "calls": [_contract(OptionContract(root, expiry, "call", strike), spot - strike) for strike in strikes],
            "puts": [_contract(OptionContract(root, expiry, "put", strike), strike - spot) for strike in strikes],
        }

    def _length(self) -> int:
        opens, closes = self.venue.opens, self.venue.closes
        return (closes.hour - opens.hour) * 3600 + (closes.minute - opens.minute) * SIXTY

    def _at(self, day: date, hour: time) -> datetime:
        return datetime.combine(day, hour, ZoneInfo(self.venue.zone))


def yahoo_server(prices: Mapping[str, pd.DataFrame] | None = None, *, now: datetime | None = None) -> Vendor:
    """Yahoo with these bars as traded by its own spelling of the symbols, ``made_prices()`` unless told.

    It counts and fails data only, not cookie and crumb. ``now`` is its clock: by default, each last bar is done.
    """
    listed = {name: Listed(name, bars, now) for name, bars in (made_prices() if prices is None else prices).items()}

    def answer(asked: Asked) -> Reply:
        if asked.path == "/":
            return Reply({}, 404, {"Set-Cookie": "A3=made; Path=/"})
        if asked.path == "/v1/test/getcrumb":
            return Reply(CRUMB.encode())
        kind, _, symbol = unquote(asked.path).removeprefix("/").partition("/finance/")[2].partition("/")
        if not asked.path.startswith(DATA):
            return _error("finance", 404, "Not Found", f"no {asked.path} here")
        if kind != "chart" and asked.query.get("crumb") != CRUMB:
            return _error("finance", 401, "Unauthorized", "Invalid Crumb")
        if kind == "quote":
            quotes = [listed[name].quote() for name in asked.query["symbols"].split(",") if name in listed]
            return Reply({"quoteResponse": {"result": quotes, "error": None}})
        if symbol not in listed:
            return _unknown(kind, symbol)
        here = listed[symbol]
        return {"chart": here.chart, "options": here.options, "quoteSummary": here.summary}[kind](asked.query)

    return Vendor(answer, lambda asked: asked.path.startswith(DATA))


def _without_events(traded: pd.DataFrame) -> dict[str, float]:
    return {name: none for name, none in (("dividend", 0.0), ("split", 1.0)) if name not in traded.columns}


def _unknown(kind: str, symbol: str) -> Reply:
    said = "No data found, symbol may be delisted" if kind == "chart" else f"Quote not found for symbol: {symbol}"
    return _error({"options": "optionChain"}.get(kind, kind), 404, "Not Found", said)


def _error(part: str, status: int, code: str, said: str) -> Reply:
    return Reply({part: {"result": None, "error": {"code": code, "description": said}}}, status)


def _split(stamp: int, ratio: float) -> Body:
    new, old = (ratio, 1.0) if ratio >= 1 else (1.0, 1 / ratio)
    return {"date": stamp, "numerator": new, "denominator": old, "splitRatio": f"{new:g}:{old:g}"}


def _contract(contract: OptionContract, inner: float) -> Body:
    value = round(max(inner, 0.0) + 2.0, 2)
    return {
        "contractSymbol": contract.symbol, "strike": contract.strike, "currency": "USD", "lastPrice": value,
        "change": 0, "percentChange": 0, "volume": 10, "openInterest": 100, "bid": value - 0.05, "ask": value + 0.05,
        "contractSize": "REGULAR", "expiration": int(datetime.combine(contract.expiry, time(), UTC).timestamp()),
        "lastTradeDate": 1_719_600_000, "impliedVolatility": 0.25, "inTheMoney": inner > 0,
    }  # fmt: skip


def _listed(values: pd.Series) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]

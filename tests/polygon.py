"""Polygon's interface on loopback: its recorded schema with made values, for any symbol and any days."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pandas as pd

from sigmalib.core.instruments import parse_option
from sigmalib.core.times import calendar, sessions
from tests.vendors import Asked, Reply, Vendor

KEY = "made-key-of-nobody"
ELSEWHERE = "https://api.massive.com"  # the host of next_url: the client must not go there
NEW_YORK = ZoneInfo("America/New_York")
SECOND_SCALE = 1000
MOST_SNAPSHOTS = 250  # that are asked for at once
MOMENT = 1_710_273_600_123_456_789  # 2024-03-12 20:00 UTC and a little, in nanoseconds

Record = Mapping[str, object]


def polygon_server(
    *,
    dividends: Sequence[Record] = (),
    splits: Sequence[Record] = (),
    contracts: Sequence[Record] = (),
    listings: Sequence[Record] = (),
    snapshots: Mapping[str, Record] | None = None,
    listed: Mapping[str, date] | None = None,
    details: Mapping[str, Record] | None = None,
    unknown: Sequence[str] = ("NOPE",),
    page: int | None = None,
    key: str = KEY,
) -> Vendor:
    """Answers for every ticker but the ``unknown`` ones, to whoever has the ``key``.

    dividends, splits, contracts, listings : records as of ``dividend``, ``split``, ``contract`` and ``listing``.
    snapshots : what to say of a ticker at this moment beside ``snapshot``. listed : first day of a ticker, by Polygon's
    name. details : what to say of a ticker beside its name. page : rows in a page, with next_url to the next; without
    it what the request's limit says.
    """

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("Authorization") != f"Bearer {key}":
            return Reply({"status": "ERROR", "request_id": "made", "error": "Unknown API Key"}, status=401)
        for prefix, reply in answers.items():
            if asked.path.startswith(prefix):
                return reply(asked)
        return Reply({"status": "NOT_FOUND", "request_id": "made", "message": "made: no such path"}, status=404)

    def aggregates(asked: Asked) -> Reply:
        ticker, span, start, end = _range(asked)
        first = max(start, (listed or {}).get(ticker, start))
        body = _bars(ticker, span, first, end) if ticker not in unknown and first <= end else "[]"
        found = json.loads(body) if page else None
        if found and page and len(found) > page:
            return _paged(asked, found, page, {"ticker": ticker, "adjusted": False})
        count = body.count('"t"')
        results = f', "results": {body}' if count else ""
        head = (
            f'"ticker": "{ticker}", "queryCount": {count}, "resultsCount": {count}, "adjusted": false, "status": "OK"'
        )
        return Reply(f'{{{head}, "request_id": "made"{results}}}'.encode())

    def actions(records: Sequence[Record], field: str) -> Callable[[Asked], Reply]:
        def reply(asked: Asked) -> Reply:
            first, last = asked.query.get(f"{field}.gte", ""), asked.query.get(f"{field}.lte", "9999")
            mine = [each for each in records if each["ticker"] == asked.query.get("ticker", each["ticker"])]
            return _paged(asked, [each for each in mine if first <= str(each[field]) <= last], page)

        return reply

    def ticker_details(asked: Asked) -> Reply:
        ticker = asked.path.rpartition("/")[2]
        if ticker in unknown:
            body = {"status": "NOT_FOUND", "request_id": "made", "message": "Ticker not found."}
            return Reply(body, status=404)
        day = {"list_date": str(listed[ticker])} if listed and ticker in listed else {}
        said = {"ticker": ticker, **_described(ticker), **day, **(details or {}).get(ticker, {})}
        return Reply({"results": said, "status": "OK", "request_id": "made"})

    def chain(asked: Asked) -> Reply:
        underlying = asked.path.rpartition("/")[2]
        mine = [each for each in contracts if {"ticker": underlying} == each["underlying_asset"]]
        return _paged(asked, mine, page)

    def at_this_moment(asked: Asked) -> Reply:
        tickers = asked.query["ticker.any_of"].split(",")
        if len(tickers) > MOST_SNAPSHOTS:
            return Reply({"status": "ERROR", "request_id": "made", "error": "made: too many tickers"}, status=400)
        said = [snapshot(ticker, **(snapshots or {}).get(ticker, {})) for ticker in tickers if ticker not in unknown]
        none = [{"ticker": ticker, "error": "NOT_FOUND", "message": "Ticker not found."} for ticker in unknown]
        return _paged(asked, said + [each for each in none if each["ticker"] in tickers], page)

    def reference(asked: Asked) -> Reply:
        underlying, day = asked.query["underlying_ticker"], asked.query["as_of"]
        mine = [each for each in listings if each["underlying_ticker"] == underlying]
        return _paged(asked, [each for each in mine if str(each["expiration_date"]) >= day], page)

    def yields(asked: Asked) -> Reply:
        days = sessions(asked.query["date.gte"], asked.query["date.lte"])[::-1]
        return _paged(asked, [{"date": f"{day:%Y-%m-%d}", **made_yields(day.date())} for day in days], page)

    answers = {
        "/v2/aggs/ticker/": aggregates,
        "/v3/reference/dividends": actions(dividends, "ex_dividend_date"),
        "/v3/reference/splits": actions(splits, "execution_date"),
        "/v3/reference/tickers/": ticker_details,
        "/v3/reference/options/contracts": reference,
        "/v3/snapshot/options/": chain,
        "/v3/snapshot": at_this_moment,
        "/fed/v1/treasury-yields": yields,
    }
    return Vendor(answer)


def made_bar(ticker: str, day: date) -> dict[str, float]:
    """Open, high, low, close and volume of a ticker's day, by the letters Polygon gives them."""
    seed = sum(map(ord, ticker)) + day.toordinal()
    close = 50.0 + seed % 97 + (seed % 13) / 100
    return {"v": 1000.0 + seed % 500, "vw": close, "o": close - 0.25, "c": close, "h": close + 0.5, "l": close - 0.75}


def made_yields(day: date) -> dict[str, float]:
    """Treasury yields of a day, in percent."""
    return {"yield_1_month": 4.0, "yield_3_month": 4.0 + day.toordinal() % 100 / 100, "yield_10_year": 4.5}


def dividend(ticker: str, day: str, cash: float, currency: str = "USD") -> Record:
    """A dividend going ex on ``day``, in currency per share."""
    return {
        "cash_amount": cash,
        "currency": currency,
        "declaration_date": day,
        "dividend_type": "CD",
        "ex_dividend_date": day,
        "frequency": 4,
        "ticker": ticker,
    }


def split(ticker: str, day: str, new: int, old: int = 1) -> Record:
    """``new`` shares for ``old`` on ``day``."""
    return {"execution_date": day, "split_from": old, "split_to": new, "ticker": ticker}


def contract(symbol: str, underlying: str, **fields: object) -> Record:
    """The snapshot of an option; ``fields`` replace or, as None, leave out what it says."""
    said = {
        "break_even_price": 160.0,
        "day": {"close": 9.5, "volume": 12, "open": 9.0, "high": 10.0, "low": 9.0, "previous_close": 9.25},
        "details": {"contract_type": "call", "shares_per_contract": 100, "strike_price": 150, "ticker": f"O:{symbol}"},
        "greeks": {"delta": 0.5, "gamma": 0.01, "theta": -0.02, "vega": 0.3},
        "implied_volatility": 0.25,
        "last_quote": {"ask": 10.0, "ask_size": 5, "bid": 9.75, "bid_size": 7, "timeframe": "DELAYED"},
        "last_trade": {"price": 9.8, "size": 1, "timeframe": "DELAYED"},
        "open_interest": 321,
        "underlying_asset": {"ticker": underlying},
    }
    return {name: value for name, value in {**said, **fields}.items() if value is not None}


def snapshot(ticker: str, /, **fields: object) -> Record:
    """A ticker of any kind at ``MOMENT``; ``fields`` replace or, as None, leave out what it says."""
    kinds = {"O:": "options", "I:": "indices", "C:": "fx", "X:": "crypto"}
    session = {"price": 100.0, "close": 99.0, "previous_close": 98.0, "volume": 1200, "vwap": 99.5}
    quote = {"ask": 100.5, "ask_exchange": 15, "ask_size": 5, "bid": 100.25, "bid_size": 7, "last_updated": MOMENT}
    trade = {"exchange": 4, "id": "7", "price": 100.375, "size": 1, "last_updated": MOMENT - 10**9}
    if ticker.startswith("O:"):
        trade["sip_timestamp"] = trade.pop("last_updated")
    said = {"market_status": "open", "name": "made", "ticker": ticker, "type": kinds.get(ticker[:2], "stocks")}
    said |= {"session": session, "last_quote": quote, "last_trade": trade}
    said |= {"last_quote": None, "last_trade": None, "value": 100.0} if ticker.startswith("I:") else {}
    return {name: value for name, value in {**said, **fields}.items() if value is not None}


def listing(symbol: str, underlying: str, /, **fields: object) -> Record:
    """An option as it was listed, by its symbol; ``fields`` replace or, as None, leave out what it says."""
    meant = parse_option(symbol)
    said = {
        "cfi": "OCASPS",
        "contract_type": meant.right,
        "exercise_style": "american",
        "expiration_date": str(meant.expiry),
        "primary_exchange": "BATO",
        "shares_per_contract": 100,
        "strike_price": meant.strike,
        "ticker": f"O:{symbol}",
        "underlying_ticker": underlying,
    }
    return {name: value for name, value in {**said, **fields}.items() if value is not None}


@cache
def _bars(ticker: str, span: str, start: date, end: date) -> str:
    """The bars of a ticker as JSON; made once, so that a server that is measured costs little."""
    whole = ticker[:2] in ("X:", "C:")
    name = {"X:": "24/7", "C:": "24/5"}.get(ticker[:2], "XNYS")
    zone = UTC if whole else NEW_YORK
    stamps: list[pd.Timestamp] = []
    for day in sessions(start, end, name=name):
        if span == "day":
            stamps.append(day.tz_localize(zone))
        else:
            hours = calendar(name)
            close = hours.session_close(day) - timedelta(minutes=1)
            stamps.extend(pd.date_range(hours.session_open(day), close, freq="min"))
    return json.dumps([_bar(ticker, stamp, zone) for stamp in stamps])


def _bar(ticker: str, stamp: pd.Timestamp, zone: object) -> dict[str, object]:
    made: dict[str, object] = {**made_bar(ticker, stamp.tz_convert(zone).date())}
    if ticker.startswith("I:"):
        del made["v"], made["vw"]
    return {**made, "t": int(stamp.timestamp()) * SECOND_SCALE, "n": 10}


def _paged(asked: Asked, found: Sequence[Record], page: int | None, head: Mapping[str, object] | None = None) -> Reply:
    """The page of ``found`` that is asked for by the cursor, with the address of the next if there is one."""
    size = page or int(asked.query.get("limit", 10))
    first = int(asked.query.get("cursor", 0))
    rows = list(found[first : first + size])
    counted = {"queryCount": len(rows), "resultsCount": len(rows)} if head else {}
    body: dict[str, object] = {**(head or {}), **counted, "results": rows, "status": "OK", "request_id": "made"}
    if first + size < len(found):
        kept = "&".join(f"{name}={value}" for name, value in asked.query.items() if name != "cursor")
        body["next_url"] = f"{ELSEWHERE}{asked.path}?{kept}&cursor={first + size}"
    return Reply(body)


def _range(asked: Asked) -> tuple[str, str, date, date]:
    """Ticker, span, first and last day out of ``/v2/aggs/ticker/T/range/1/day/2024-01-02/2024-01-31``."""
    parts = asked.path.split("/")
    return parts[4].replace("%3A", ":"), parts[7], date.fromisoformat(parts[8]), date.fromisoformat(parts[9])


def _described(ticker: str) -> dict[str, object]:
    """Name, market, type and currency of a ticker, as Polygon says them of its kind."""
    if ticker.startswith("I:"):
        return {"name": f"The {ticker[2:]} index", "market": "indices", "type": "INDEX", "locale": "us"}
    if ticker[:2] in ("X:", "C:"):
        market = {"X:": "crypto", "C:": "fx"}[ticker[:2]]
        money = {"currency_symbol": ticker[-3:], "base_currency_symbol": ticker[2:-3], "currency_name": "made money"}
        return {"name": f"{ticker[2:-3]} - {ticker[-3:]}", "market": market, "locale": "global", **money}
    return {
        "name": f"{ticker} Inc.",
        "market": "stocks",
        "locale": "us",
        "primary_exchange": "XNYS",
        "type": "CS",
        "currency_name": "usd",
        "sic_description": "MADE GOODS",
    }

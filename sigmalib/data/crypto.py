"""Cryptocurrency exchanges: the public candles and tickers of any exchange that ccxt knows; no key is needed.

The exchange's day is the day in UTC, and every day is a session. Prices are in the quote currency, volumes in units of
the base; there are no dividends or splits. A day or a minute that is not over yet is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, Self
from urllib.parse import urlsplit

import pandas as pd

from sigmalib.core.errors import AccessDenied, AnswerUnreadable, InputError, RateLimited, SourceDown
from sigmalib.core.frames import ACTIONS, BARS, LATEST, PROFILES, QUOTES, SHORT_INTEREST, missing
from sigmalib.core.times import Interval
from sigmalib.data.manners import Limits, Manners
from sigmalib.data.sources import Answer, FromBars, Opening, Option, Traits

EXCHANGE = "bitstamp"  # has daily candles back to 2011; kraken, for one, gives the last 720 and nothing before them
PAGE = 300  # candles a request where ccxt does not know how many the exchange gives
STEPS: dict[Interval, int] = {"1d": 86_400_000, "1m": 60_000}  # milliseconds, as all instants that ccxt is told
OFFERED = ["bid", "ask", "last"]
VALUES = ["open", "high", "low", "close", "volume"]
REMEDY = "the exchange may not serve this network or country; set SIGMA_CRYPTO_EXCHANGE to another"

Candle = list[Any]  # the instant of its start, then VALUES
Ticker = dict[str, Any]  # OFFERED and the instant, among others
Gap = tuple[str, str, str]


class Crypto(FromBars):
    """The spot pairs of one exchange, asked as ``BTC/USD``, ``BTC-USD`` or ``X:BTCUSD`` and answered as asked."""

    name = "crypto"
    traits = Traits(
        "public prices of a cryptocurrency exchange, by ccxt; no key",
        limits=Limits(per_minute=60, burst=5, workers=2),
        options=(
            Option("exchange", "name of the exchange in ccxt, such as kraken or coinbaseexchange", default=EXCHANGE),
            Option("base", "address that every request goes to instead of the exchange's own hosts"),
        ),
        intervals=("1d", "1m"),
        benchmark="BTC/USD",
        fx_symbol="{currency}/{base}",
    )

    def __init__(self, exchange: Exchange, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._exchange, self._clock = exchange, clock

    @classmethod
    def opened(cls, opening: Opening) -> Self:
        """The exchange named by the option; raises InputError for one that is unknown or has no daily candles."""
        name = (opening.options.get("exchange") or EXCHANGE).strip().lower()
        return cls(Exchange(name, opening.manners, base=opening.options.get("base", "")))

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS by day (or MINUTES) of each pair from ``start`` to ``end`` in UTC, both included; see ``Source``."""
        if start > end:
            raise InputError(f"`start` {start} lies after `end` {end}; swap them")
        first, stop = _milliseconds(start), self._stop(end, interval)
        rows: list[list[Any]] = []
        gaps: list[Gap] = []
        for symbol, pair in self._pairs(symbols):
            try:
                candles = self._exchange.candles(pair, interval, first, stop) if pair else []
            except _NotThere as error:
                gaps.append((symbol, "price", str(error)))
                continue
            rows += [[symbol, *candle] for candle in candles]
            gaps += (
                self._gaps(symbol, candles, first, stop, interval)
                if pair
                else [(symbol, "price", self._unknown(symbol))]
            )
        return Answer(_bars(rows, interval), missing(*gaps))

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """None: coins pay no dividends and do not split."""
        return Answer(ACTIONS.empty(), missing())

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES: the exchange's words for the pair, or the pair itself; the quote currency; no sector."""
        rows, gaps = {}, []
        for symbol, pair in self._pairs(symbols):
            if pair:
                rows[symbol] = self._profile(pair)
            else:
                gaps.append((symbol, "profile", self._unknown(symbol)))
        index = pd.Index(list(rows), dtype="str", name="symbol")
        frame = pd.DataFrame(list(rows.values()), columns=PROFILES.names, index=index)
        return Answer(frame.astype(PROFILES.empty().dtypes.to_dict()), missing(*gaps))

    def quotes(self, symbols: Sequence[str]) -> Answer:
        """LATEST in the quote currency: several pairs by one request where the exchange gives bid and ask that way.

        Each other pair takes a request. The time is unknown where the exchange does not tell it. Missing: ``quote``.
        """
        wanted = self._pairs(symbols)
        found = self._exchange.tickers({pair for _, pair in wanted if pair})
        rows, gaps = {}, []
        for symbol, pair in wanted:
            try:
                rows[symbol] = self._latest(symbol, pair, found)
            except _NotThere as error:
                gaps.append((symbol, "quote", str(error)))
        return Answer(_quotes(rows), missing(*gaps))

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """No quotes: exchanges are asked for spot prices only."""
        reason = "the crypto source has no option quotes; options are marked by model"
        return Answer(QUOTES.empty(), missing((underlying.strip().upper(), "quote", reason)))

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """None: it is counted of shares."""
        reason = "coins have no short interest: it is counted of shares"
        wanted = sorted({symbol.strip().upper() for symbol in symbols})
        return Answer(SHORT_INTEREST.empty(), missing(*((symbol, "short_interest", reason) for symbol in wanted)))

    def _pairs(self, symbols: Sequence[str]) -> list[tuple[str, str]]:
        """Each symbol, in order, with its pair on the exchange or with nothing when it has none."""
        wanted = sorted({symbol.strip().upper() for symbol in symbols})
        return [(symbol, _pair(symbol, self._exchange.markets())) for symbol in wanted]

    def _stop(self, end: date, interval: Interval) -> int:
        """The instant from which on no bar may start, being after ``end`` or not over yet."""
        over = int(self._clock().timestamp() * 1000) - STEPS[interval] + 1
        return min(_milliseconds(end) + STEPS["1d"], over)

    def _gaps(self, symbol: str, candles: list[Candle], first: int, stop: int, interval: Interval) -> list[Gap]:
        """What is missing of a pair's range: nothing, all of it (price), or an end or days in between (history)."""
        asked = f"{symbol} from {_day(first)} to {_day(stop - 1)}"
        if stop <= first:
            return [(symbol, "price", f"no {symbol} from {_day(first)} on: that day is not over yet in UTC")]
        if not candles:
            return [(symbol, "price", f"{self._exchange.name} gives no candle of {asked}; ask for other dates")]
        has = _day(candles[0][0]), _day(candles[-1][0])
        reason = f"not all of {asked}; {self._exchange.name} gives {has[0]} to {has[1]}"
        if interval == "1d" and (without := (has[1] - has[0]).days + 1 - len(candles)) > 0:
            return [(symbol, "history", f"{reason} without {without} day(s) in between")]
        return [] if has == (_day(first), _day(stop - 1)) else [(symbol, "history", reason)]

    def _latest(self, symbol: str, pair: str, found: dict[str, Ticker]) -> list[Any]:
        """One row of LATEST out of the pair's ticker, which is asked for unless it is among those found."""
        if not pair:
            raise _NotThere(self._unknown(symbol))
        ticker = found.get(pair) or self._exchange.ticker(pair)
        prices = [ticker.get(name) or None for name in OFFERED]
        if prices == [None] * len(OFFERED):
            raise _NotThere(f"{self._exchange.name} gives neither bid, ask nor price of {symbol}")
        return [*prices, str(self._exchange.markets()[pair]["quote"]), ticker.get("timestamp")]

    def _profile(self, pair: str) -> list[str | float | None]:
        market = self._exchange.markets()[pair]
        described = market["info"].get("description") if isinstance(market["info"], dict) else None
        return [str(described or pair), "crypto", None, None, str(market["quote"]), 0.0]

    def _unknown(self, symbol: str) -> str:
        near = _nearest(symbol.removeprefix("X:").replace("-", "/"), self._exchange.markets())
        return f"{self._exchange.name} has no spot pair {symbol}; {near or 'write it as BTC/USD'}"


class Exchange:
    """One exchange by way of ccxt, whose every request goes through our manners and whose errors become ours."""

    def __init__(self, name: str, manners: Manners, *, base: str = "") -> None:
        ccxt = _ccxt()
        if name not in ccxt.exchanges:
            near = _nearest(name, ccxt.exchanges) or f"try {EXCHANGE!r}"
            raise InputError(f"SIGMA_CRYPTO_EXCHANGE is {name!r}, which ccxt does not know; {near}")
        self.name, self._loading = name, threading.Lock()
        self._markets: dict[str, dict[str, Any]] = {}
        self._client: Any = getattr(ccxt, name)(_configuration(manners.limits, proxied=not base))
        self._client.session = _Wire(name, self._client.session, manners, _address(base))
        if self._client.has.get("fetchOHLCV") is not True or "1d" not in (self._client.timeframes or {}):
            raise InputError(f"SIGMA_CRYPTO_EXCHANGE is {name!r}, which gives no daily candles; try {EXCHANGE!r}")

    def markets(self) -> dict[str, dict[str, Any]]:
        """ccxt's description of every spot pair, asked for once."""
        with self._loading:
            if not self._markets:
                with self._read("its list of pairs"):
                    listed = self._client.load_markets()
                    self._markets = {pair: market for pair, market in listed.items() if market["spot"]}
                if not self._markets:
                    raise AnswerUnreadable(f"{self.name} lists no spot pair; set SIGMA_CRYPTO_EXCHANGE to another")
        return self._markets

    def candles(self, pair: str, interval: Interval, first: int, stop: int) -> list[Candle]:
        """The candles that start from ``first`` to before ``stop`` and have any value, NaN where they have none."""
        if interval not in self._client.timeframes:
            raise _NotThere(f"{self.name} gives no {interval} candles; set SIGMA_CRYPTO_EXCHANGE to another")
        with self._read(f"{interval} candles of {pair}"):
            found = [candle for page in self._pages(pair, interval, first, stop) for candle in page]
            known = [[int(at), *values] for at, *values in found if any(value is not None for value in values)]
            return [[at, *(float("nan" if value is None else value) for value in values)] for at, *values in known]

    def tickers(self, pairs: Collection[str]) -> dict[str, Ticker]:
        """The tickers that the exchange gives of several pairs at once, as far as they have a bid and an ask.

        None when it does not answer that way; some, such as coinbaseexchange, know no bid and ask and no instant then.
        """
        if len(pairs) < 2 or self._client.has.get("fetchTickers") is not True:
            return {}
        with suppress(AnswerUnreadable), self._read(f"tickers of {len(pairs)} pairs"):
            found = self._client.fetch_tickers(sorted(pairs))
            return {pair: ticker for pair, ticker in found.items() if ticker["bid"] and ticker["ask"]}
        return {}

    def ticker(self, pair: str) -> Ticker:
        """The ticker of one pair."""
        if not self._client.has.get("fetchTicker"):
            raise _NotThere(f"{self.name} gives no tickers; set SIGMA_CRYPTO_EXCHANGE to another")
        with self._read(f"the ticker of {pair}"):
            return dict(self._client.fetch_ticker(pair))

    def _pages(self, pair: str, interval: Interval, since: int, stop: int) -> Iterator[list[Candle]]:
        """Page by page, past the empty ones that some exchanges give before the first candle of a pair."""
        most = self._client.feature_value_by_type("spot", None, "fetchOHLCV", "limit") or PAGE
        while since < stop:
            count = min(most, -((since - stop) // STEPS[interval]))
            page = self._client.fetch_ohlcv(pair, interval, since, count)
            yield [candle for candle in page if candle[0] < stop]
            since = (page[-1][0] if page else since + (count - 1) * STEPS[interval]) + STEPS[interval]

    @contextmanager
    def _read(self, what: str) -> Iterator[None]:
        """Turns what ccxt raises while it asks and reads into our errors."""
        ccxt, said = _ccxt(), f"{self.name}, {what}"
        try:
            yield
        except ccxt.BadSymbol as error:
            raise _NotThere(f"{said}: the exchange does not know the pair") from error
        except (ccxt.AuthenticationError, ccxt.RestrictedLocation) as error:
            raise AccessDenied(f"{said}: not let in ({type(error).__name__}); {REMEDY}") from error
        except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
            raise RateLimited(f"{said}: too many requests ({type(error).__name__}); try later") from error
        except ccxt.NetworkError as error:
            raise SourceDown(f"{said}: the exchange fails ({type(error).__name__}); try again later") from error
        except (ccxt.BaseError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise AnswerUnreadable(f"{said}: in no shape that ccxt knows ({type(error).__name__})") from error


class _NotThere(AnswerUnreadable):
    """The exchange has no such pair or address."""


class _Wire:
    """The session that ccxt sends its requests by: each of them with manners and, when there is one, to ``base``."""

    def __init__(self, exchange: str, session: Any, manners: Manners, base: str) -> None:
        self._exchange, self._session, self._manners, self._base = exchange, session, manners, base

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def request(self, method: str, url: str, **keywords: Any) -> Any:
        """The reply to one request, which is JSON or a failure: out of anything else ccxt would read no candles.

        All that the session raises for a lost connection is an OSError.
        """
        asked = f"{self._exchange} {urlsplit(url).path}"
        address = f"{self._base}/{url.partition('://')[2].partition('/')[2]}" if self._base else url
        once = partial(self._session.request, method, address, **keywords)
        reply = self._manners.send(once, what=asked, transient=(OSError,), remedy=REMEDY)
        if reply.status_code == 404:
            raise _NotThere(f"{asked}: the exchange has nothing there (404)")
        if reply.ok and not _is_json(reply):
            raise AnswerUnreadable(f"{asked}: the exchange's answer is not JSON; try again later")
        return reply


def _is_json(reply: Any) -> bool:
    try:
        reply.json()
    except ValueError:
        return False
    return True


def _ccxt() -> ModuleType:
    return import_module("ccxt")  # half a second of CPU whichever exchange it is for: only once this source is opened


def _configuration(limits: Limits, *, proxied: bool) -> dict[str, Any]:
    """For ccxt: no limits and retries of its own, and no list of currencies, which some exchanges give to keys only."""
    return {
        "enableRateLimit": False,
        "timeout": int(limits.timeout * 1000),
        "requests_trust_env": proxied,
        "has": {"fetchCurrencies": False},
        "options": {"maxRetriesOnFailure": 0},
    }


def _address(base: str) -> str:
    address = base.strip().rstrip("/")
    if address and not (address.startswith(("http://", "https://")) and urlsplit(address).netloc):
        raise InputError(f"SIGMA_CRYPTO_BASE is {base!r}; write an address such as http://127.0.0.1:8080")
    return address


def _pair(symbol: str, pairs: Collection[str]) -> str:
    """The pair that is meant, or nothing; ``X:BTCUSD`` only where it can be split in one way."""
    if symbol.startswith("X:"):
        joined = [pair for pair in pairs if pair.replace("/", "") == symbol.removeprefix("X:")]
        return joined[0] if len(joined) == 1 else ""
    pair = symbol.replace("-", "/")
    return pair if pair in pairs else ""


def _bars(rows: list[list[Any]], interval: Interval) -> pd.DataFrame:
    """BARS or MINUTES out of (symbol, instant, VALUES) rows."""
    frame = pd.DataFrame(rows, columns=["symbol", "time", *VALUES])
    frame = frame.astype({"symbol": "str", "time": "int64", **dict.fromkeys(VALUES, "float64")})
    frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True).dt.as_unit("us")
    frame["session"] = frame["time"].dt.tz_localize(None).dt.normalize()
    frame = frame.assign(adjusted_close=float("nan"), dividend=0.0, split=1.0, source="crypto")
    key = ["session" if interval == "1d" else "time", "symbol"]
    return frame.astype({"source": "str"}).set_index(key)[BARS.names].sort_index()


def _quotes(rows: dict[str, list[Any]]) -> pd.DataFrame:
    """LATEST by symbol out of its columns, the time as an instant."""
    index = pd.Index(list(rows), dtype="str", name="symbol")
    kinds = dict.fromkeys([*OFFERED, "time"], "float64") | {"currency": "str"}
    frame = pd.DataFrame(list(rows.values()), columns=LATEST.names, index=index).astype(kinds)
    return frame.assign(time=pd.to_datetime(frame["time"], unit="ms", utc=True).dt.as_unit("us"))


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _day(instant: int) -> date:
    return datetime.fromtimestamp(instant / 1000, UTC).date()


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"try {near[0]!r}" if near else ""

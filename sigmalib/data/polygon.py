"""Polygon (its new name is Massive): American stocks, options, indices, currencies and crypto, by the vendor's client.

What is asked and what is missing is said here; ``polygon_symbols`` names it, ``polygon_client`` asks for it, and
``polygon_rows`` and ``polygon_quotes`` read the answers.

| ours | Polygon's | dividends and splits |
|---|---|---|
| AAPL, BRK.B | the same | as of their session |
| AAPL240119C00150000 | O:AAPL240119C00150000 | unknown |
| SPX, VIX | I:SPX, I:VIX | none |
| EUR/USD | C:EURUSD | none |
| BTC/USD | X:BTCUSD | none |
| US3M | the three-month treasury yield, in percent, as close | none |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from sigmalib.core.errors import AccessDenied, InputError
from sigmalib.core.frames import PROFILES, QUOTES, SHORT_INTEREST, missing
from sigmalib.core.times import INTERVALS, Interval, calendar, last_closed_session, last_session, sessions, to_date
from sigmalib.data import polygon_quotes as quotes
from sigmalib.data import polygon_rows as rows
from sigmalib.data.manners import Limits
from sigmalib.data.polygon_rows import NEW_YORK, Array, Gap, Part
from sigmalib.data.polygon_symbols import OPTION, STOCK, NotFound, Wanted, family_of, ticker_of
from sigmalib.data.sources import Answer, FromBars, Opening, Option, Traits

BASE = "https://api.polygon.io"
YIELD = "US3M"
NO_FLOAT = "Polygon gives no float, so the percent of float is unknown; shares short and days to cover are known"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Polygon(FromBars):
    """Bars, actions, profiles, quotes, live option chains and treasury yields; usable by many threads at once.

    Besides what every source has, ``contracts`` lists the options on an underlying as they were on a day of the past.
    """

    name = "polygon"
    traits = Traits(
        "Polygon (Massive): American stocks, options, indices, currencies and crypto; needs a key",
        limits=Limits(per_minute=5, burst=5, workers=8, timeout=10),  # the free plan
        options=(
            Option("key", "key of the Polygon account", required=True, secret=True),
            Option("base", "address of the interface", default=BASE),
        ),
        intervals=INTERVALS,
        funds=True,
        short_interest=True,
        benchmark="SPY",
        rate_symbol=YIELD,
        rate_quote="bond",
        volatility_symbol="VIX",
        fx_symbol="C:{currency}{base}",
    )

    def __init__(self, opening: Opening, *, now: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now(UTC)) -> None:
        from sigmalib.data.polygon_client import Client  # a quarter of a second: only once this source is opened

        self._client, self._now = Client(*_account(opening.options), opening.manners), now

    @classmethod
    def opened(cls, opening: Opening) -> Self:
        """The source for the account whose key is in ``opening``; nothing is requested yet.

        Raises InputError for a key that is absent or cannot be one, and for a base that is no address.
        """
        return cls(opening)

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS or MINUTES as traded, from ``start`` to ``end``; a day or minute that is not over yet is left out.

        Three requests for a stock by day, one for all else, and one more where there is nothing. Missing: ``price`` for
        a symbol that is unknown or has nothing in the range, ``history`` for one that starts after the first session or
        ends before the last, or has a dividend in another currency (which is NaN). Raises InputError when ``start``
        lies after ``end``.
        """
        if start > end:
            raise InputError(f"`start` {start} lies after `end` {end}; swap them")
        wanted = [Wanted(symbol, ticker_of(symbol), start, end, interval) for symbol in _each(symbols)]
        parts = [self._yields(each) if each.symbol == YIELD else self._bars(each) for each in wanted]
        return Answer(rows.frame_of(parts, interval), missing(*(gap for part in parts for gap in part.gaps)))

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES, one request a symbol; Polygon has no sectors, and the dividend yield is unknown."""
        found: dict[str, list[object]] = {}
        gaps: list[Gap] = []
        for symbol in _each(symbols):
            ticker = ticker_of(symbol)
            has_one = symbol != YIELD and not ticker.startswith(OPTION)
            details = self._client.details(ticker) if has_one else None
            if details is None:
                gaps.append((symbol, "profile", _unknown(symbol) if has_one else f"Polygon has no profile of {symbol}"))
            else:
                found[symbol] = rows.profile(details)
        frame = pd.DataFrame.from_dict(found, orient="index", columns=PROFILES.names).rename_axis("symbol")
        return Answer(frame.astype(PROFILES.empty().dtypes.to_dict()), missing(*gaps))

    def quotes(self, symbols: Sequence[str]) -> Answer:
        """LATEST of symbols of any kind, a request for every 250 of them; a quarter of an hour old on some plans.

        Where the plan has no quotes, bid and ask are NaN; where it has no trades, last is the price of the session, and
        without a time when there is no quote either. The currency of an index is unknown. Missing: ``quote``.
        """
        tickers = {symbol: ticker_of(symbol) for symbol in _each(symbols)}
        told = self._client.snapshots(sorted({*tickers.values()} - {YIELD}))
        good = {symbol: told[ticker] for symbol, ticker in tickers.items() if ticker in told and not told[ticker].error}
        found = quotes.latest(good).dropna(subset=quotes.OFFERED, how="all")
        without = [symbol for symbol in tickers if symbol not in found.index]
        return Answer(
            found, missing(*((symbol, "quote", _no_quote(symbol, told.get(tickers[symbol]))) for symbol in without))
        )

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """QUOTES of every contract on ``underlying``, when ``as_of`` is the latest session that has opened.

        A request for every 250 contracts. What nobody quoted or traded, or what the plan leaves out, is NaN.
        """
        symbol, latest = underlying.strip().upper(), self._latest_session()
        if to_date(as_of) != latest:
            reason = f"Polygon has option quotes of the latest session only, {latest}, and none of {as_of}"
            return Answer(QUOTES.empty(), missing((symbol, "quote", reason)))
        contracts = self._client.contracts(symbol)
        gaps = [] if contracts else [(symbol, "quote", f"Polygon has no options on {symbol}; check the spelling")]
        return Answer(quotes.chain(contracts, symbol, latest), missing(*gaps))

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """SHORT_INTEREST of stocks and funds, one request each; the percent of float is unknown, as the float is.

        Missing: ``short_interest`` for what is no stock or has none in the range, and for the percent of float.
        """
        frames, gaps = [SHORT_INTEREST.empty()], []
        for symbol in _each(symbols):
            is_stock = symbol != YIELD and family_of(ticker_of(symbol)) == STOCK
            found = rows.short_interest(self._client.short_interest(symbol, start, end), symbol) if is_stock else None
            if found is not None and len(found):
                frames.append(found)
            none = f"Polygon has none settled from {start} to {end}" if is_stock else "it is counted of shares alone"
            told = NO_FLOAT if found is not None and len(found) else f"{none}; {symbol} has no short interest here"
            gaps.append((symbol, "short_interest", told))
        filled = [frame for frame in frames if len(frame)]
        return Answer(pd.concat(filled).sort_index() if filled else frames[0], missing(*gaps))

    def contracts(self, underlying: str, as_of: date) -> Answer:
        """The options on ``underlying`` that were listed on the day ``as_of``, a request for every 1,000 of them.

        By symbol: underlying, expiry (midnight), right (call, put, or unknown for the few that are neither), strike
        (currency), style (American or European) and shares (of the underlying that one contract delivers: 100, or
        another number after a split or a merger; what such a one delivers besides is not told). From June 2014 on, as
        far back as the plan goes. Missing: ``quote`` when there are none.
        """
        symbol, day = underlying.strip().upper(), to_date(as_of)
        listed = self._client.listed(symbol, day)
        reason = f"Polygon lists no options on {symbol} on {day}; check the spelling and the day"
        return Answer(quotes.contracts(listed, symbol), missing(*([] if listed else [(symbol, "quote", reason)])))

    def _bars(self, wanted: Wanted) -> Part:
        stamps, prices = rows.prices(self._client.bars(wanted), wanted)
        now = self._now().tz_convert(UTC)
        closed = np.datetime64(last_closed_session(now, name=wanted.calendar), "us")
        times, last = (rows.sessions_of(stamps), closed) if wanted.interval == "1d" else (stamps, _minute_before(now))
        over = times <= last  # the bars of other days and minutes still change
        times, prices = times[over], prices[over]
        if not len(times):
            return rows.nothing(wanted, self._why_nothing(wanted))
        actions, gaps = self._actions(wanted, times)
        return Part(wanted.symbol, times, np.hstack([prices, actions]), (*_ends(wanted, times, closed), *gaps))

    def _actions(self, wanted: Wanted, times: Array) -> tuple[Array, list[Gap]]:
        """(row x dividend, split) of the rows at ``times``, and what is not known of them."""
        if wanted.interval == "1m" or wanted.family == OPTION:
            return np.full((len(times), 2), np.nan), []
        if wanted.family != STOCK:
            return np.tile([0.0, 1.0], (len(times), 1)), []
        since = last_session(rows.day_of(times[0]) - DAY) + DAY  # earlier ones went ex at a session before the first
        try:
            dividends, gaps = rows.dividends(self._client.dividends(wanted, since), wanted, times)
            splits = rows.splits(self._client.splits(wanted, since), wanted, times)
        except (AccessDenied, NotFound) as refused:  # the bars were given: they are kept, and what they lack is told
            told = f"its dividends and splits are not known, so returns are of the price alone: {refused}"
            return np.full((len(times), 2), np.nan), [(wanted.symbol, "dividend", told)]
        return np.column_stack([dividends, splits]), gaps

    def _yields(self, wanted: Wanted) -> Part:
        """The three-month treasury yield as closes, in percent."""
        if wanted.interval == "1m":
            return rows.nothing(wanted, f"Polygon has {YIELD} by day only; ask for the interval 1d")
        return rows.treasury_bill(self._client.treasury_yields(wanted), wanted)

    def _latest_session(self) -> date:
        """The last session that has opened."""
        now = self._now()
        today = last_session(now.tz_convert(NEW_YORK).date())
        return today if calendar().session_open(pd.Timestamp(today)) <= now else last_session(today - DAY)

    def _why_nothing(self, wanted: Wanted) -> str:
        """Why there is no bar: an unknown symbol, or nothing in the range; asks for the ticker's details."""
        nothing = f"Polygon has no {wanted.what}"
        if wanted.family == OPTION:
            return f"{nothing}: no trades, or no such contract; check its root, expiry and strike"
        details = self._client.details(wanted.ticker)
        if details is None:
            return _unknown(wanted.symbol)
        listed = f"; it was listed on {details.list_date}" if details.list_date else ", though it knows the symbol"
        return f"{nothing}{listed}; ask for other dates"


def _account(options: Mapping[str, str]) -> tuple[str, str]:
    """The key and the base among ``options``; InputError, which does not show the key, when one cannot be used."""
    key, base = options.get("key", "").strip(), (options.get("base") or BASE).rstrip("/")
    if not key:
        raise InputError("SIGMA_POLYGON_KEY is not set; write the key of your Polygon account there")
    if not (key.isascii() and key.isprintable()):
        raise InputError("SIGMA_POLYGON_KEY has characters that no key has; copy it again from your Polygon account")
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
        raise InputError(f"SIGMA_POLYGON_BASE is {base!r}; write an address such as {BASE}")
    return key, base


def _each(symbols: Sequence[str]) -> list[str]:
    return sorted({symbol.strip().upper() for symbol in symbols})


def _unknown(symbol: str) -> str:
    ticker = ticker_of(symbol)
    asked = symbol if symbol == ticker else f"{symbol} (asked as {ticker})"
    spelling = "check the spelling (as in BRK.B, BTC/USD, EUR/USD) and whether it was delisted"
    return f"Polygon does not know {asked}; {spelling}"


def _no_quote(symbol: str, snapshot: Any | None) -> str:
    """Why there is no quote: another symbol may be right, or another plan, or nobody quotes and trades it."""
    if symbol == YIELD:
        return f"Polygon has {YIELD} by day only; ask for its bars"
    if snapshot is None or snapshot.error == "NOT_FOUND":
        return _unknown(symbol)
    if snapshot.error:
        return f"Polygon gives no quote of {symbol}: {snapshot.message or snapshot.error}"
    return f"Polygon has neither bid, ask nor price of {symbol}"


def _ends(wanted: Wanted, times: Array, closed: np.datetime64) -> Iterator[Gap]:
    """The gap at either end of the sessions that are over, if there is one; an option need not trade every day."""
    if wanted.family == OPTION:
        return
    first, last = rows.first_and_last(times, wanted)
    due = sessions(wanted.start, wanted.end, name=wanted.calendar)
    due = due[due <= closed]
    if len(due) and (due[0].date() < first or last < due[-1].date()):
        yield wanted.symbol, "history", f"not all of {wanted.what}; Polygon has {first} to {last}"


def _minute_before(now: pd.Timestamp) -> np.datetime64:
    """The start of the last minute that is over, and anything before the next."""
    return np.datetime64((now - MINUTE).tz_localize(None), "us")

"""Yahoo Finance, asked through yfinance: prices as traded, profiles, quotes, and today's option chains.

What is asked and what is missing is said here; ``yahoo_client`` asks and ``yahoo_rows`` reads the answers. Daily bars
are always asked for up to now: Yahoo's prices are adjusted for every split up to now, and with all known are undone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Self
from zoneinfo import ZoneInfo

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import BARS, LATEST, MINUTES, PROFILES, QUOTES, SHORT_INTEREST, Contract, missing
from sigmalib.core.instruments import CURRENCIES
from sigmalib.core.times import INTERVALS, Interval, calendar, last_session
from sigmalib.data import yahoo_rows as rows
from sigmalib.data.manners import Limits, Manners
from sigmalib.data.sources import Answer, FromBars, Opening, Option, Traits
from sigmalib.data.yahoo_rows import DAY, Json, Refused

MINUTES_KEPT, MINUTES_AT_ONCE = 29 * DAY, 7 * DAY
NEW_YORK = ZoneInfo("America/New_York")
LONGEST_REST = 10 * DAY  # no exchange is closed for longer
QUOTES_AT_ONCE = 50  # from 100 on Yahoo breaks the connection

INDICES = {"SPX": "^GSPC", "VIX": "^VIX", "NDX": "^NDX", "RUT": "^RUT"}
WITH_CHAINS = {"^GSPC": "^SPX"}  # whose options Yahoo lists under another name than its prices
SPELLING = "write it as in BRK-B, ^GSPC, EURUSD=X or BTC-USD"

_SYMBOL = re.compile(r"[A-Z0-9.^=&_-]+")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")  # yfinance would look one up and keep it in the user's home
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})[./]([A-C])")
_ADDRESS = re.compile(r"https?://[^/?#\s]+/?")

Gap = tuple[str, str, str]


class Yahoo(FromBars):
    """Yahoo Finance. Symbols as Yahoo writes them, besides BRK.B, SPX, VIX, NDX, RUT, BTC/USD and EUR/USD."""

    name = "yahoo"
    traits = Traits(
        "Yahoo Finance: stocks, funds, indices, currencies and crypto of the world; no key, no promise",
        limits=Limits(per_minute=120, burst=10, workers=6, timeout=10),
        options=(Option("base", "address asked instead of Yahoo's, such as a proxy"),),
        intervals=INTERVALS,
        funds=True,
        short_interest=True,
        rate_symbol="^IRX",
        rate_quote="discount",
        volatility_symbol="^VIX",
        fx_symbol="{currency}{base}=X",
    )

    def __init__(
        self, manners: Manners, *, base: str = "", now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """``base`` replaces scheme and host of every address; ``now`` is an instant with its time zone."""
        from sigmalib.data.yahoo_client import Client  # yfinance takes over half a second: only once this is opened

        self._client, self._now = Client(manners, base), now
        self._told: dict[str, Json] = {}  # the summaries asked for profiles, until short interest is taken from them

    @classmethod
    def opened(cls, opening: Opening) -> Self:
        """Yahoo, nothing asked yet; InputError for a ``base`` that is no address. Nothing is kept in the folder."""
        base = opening.options.get("base", "")
        if base and not _ADDRESS.fullmatch(base):
            raise InputError(
                f"SIGMA_YAHOO_BASE is {base!r}; write scheme and host, as in https://query2.finance.yahoo.com"
            )
        return cls(opening.manners, base=base)

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS of each symbol from ``start`` to ``end`` by the days of its exchange, or MINUTES by those in UTC.

        Only finished sessions and minutes; of minutes Yahoo keeps 30 days. A dividend or split on a day without a
        price comes with the next session that has one. yfinance makes unknown volumes 0, and leaves out the last minute
        of a day that never rests. One request a symbol, for minutes one a week. Missing: ``price`` for a symbol that
        is unknown or has nothing in the range, ``history`` when what there is begins or ends elsewhere than the range.
        """
        if start > end:
            raise InputError(f"`start` {start} lies after `end` {end}; swap them")
        if interval == "1d":
            return _each(symbols, "price", BARS, partial(self._days, start=start, end=end))
        return _each(symbols, "price", MINUTES, partial(self._minutes, start=start, end=end))

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES, one request a symbol, kind also ``crypto``, ``currency`` or ``fund``.

        The dividend yield is ln(1 + y) of the forward one, else of the fund's, else of the last year's; NaN where none
        is given. Missing: ``profile``.
        """
        return _each(symbols, "profile", PROFILES, self._profile)

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """SHORT_INTEREST, the latest alone: of a symbol whose profile was just asked for without another request.

        Missing: ``short_interest`` where Yahoo gives none, or gives one that was settled outside the range.
        """
        return _each(symbols, "short_interest", SHORT_INTEREST, partial(self._shorts, start=start, end=end))

    def quotes(self, symbols: Sequence[str]) -> Answer:
        """LATEST, one request for every 50 symbols; the last trade may be one before or after hours, as its time says.

        A bid or ask of zero is unknown: so Yahoo has them outside hours. Missing: ``quote``.
        """
        spelled = [(symbol, _spelled(symbol)) for symbol in _wanted(symbols)]
        none = missing(*((symbol, "quote", _no_symbol(symbol)) for symbol, name in spelled if not name))
        known = [pair for pair in spelled if pair[1]]
        batches = [known[at : at + QUOTES_AT_ONCE] for at in range(0, len(known), QUOTES_AT_ONCE)]
        return _joined([Answer(LATEST.empty(), none), *map(self._latest, batches)], LATEST)

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """QUOTES of all expiries, one request each; only of the latest session that has opened, as Yahoo's are.

        A bid, ask or last of zero is unknown, as is a volatility at or below 1e-4: so Yahoo has them outside hours.
        """
        symbol, latest = underlying.strip().upper(), self._latest_session()
        if as_of != latest:
            reason = f"Yahoo has option quotes of the latest session only, {latest}, and none of {as_of}"
            return Answer(QUOTES.empty(), missing((symbol, "quote", reason)))
        return _each([symbol], "quote", QUOTES, partial(self._quotes, session=as_of))

    def _today(self) -> date:
        """The date in New York."""
        return self._now().astimezone(NEW_YORK).date()

    def _latest_session(self) -> date:
        """The last session that has opened in New York."""
        today = last_session(self._today())
        return today if calendar().session_open(pd.Timestamp(today)) <= self._now() else last_session(today - DAY)

    def _days(self, symbol: str, name: str, *, start: date, end: date) -> Answer:
        today = self._today()
        with self._client.reading(f"{name} bars"):
            found, meta = self._client.history(name, "1d", _midnight(start) - DAY, _midnight(today) + 2 * DAY)
            finished = rows.traded_days(found, meta, today)
        chosen = finished.loc[pd.Timestamp(start) : pd.Timestamp(end)]
        return Answer(rows.bars(chosen, symbol, BARS), missing(*_gap(symbol, chosen, start, end, today)))

    def _minutes(self, symbol: str, name: str, *, start: date, end: date) -> Answer:
        today = self._today()
        earliest = today - MINUTES_KEPT
        reason = f"Yahoo has minutes of the last 30 days only, from {earliest}; asked from {start}"
        gaps = [(symbol, "history", reason)] if start < earliest else []
        if end < earliest:
            return Answer(MINUTES.empty(), missing(*gaps))
        weeks = list(self._weeks(name, _midnight(max(start, earliest)), _midnight(min(end, today) + DAY)))
        if not weeks:
            gaps.append((symbol, "price", f"Yahoo has no minutes of {symbol} from {start} to {end}"))
        return Answer(rows.bars(pd.concat(weeks), symbol, MINUTES) if weeks else MINUTES.empty(), missing(*gaps))

    def _weeks(self, name: str, begin: datetime, until: datetime) -> Iterator[pd.DataFrame]:
        """Minutes, so many days a request; nothing for days on which there are none."""
        while begin < until:
            through = min(begin + MINUTES_AT_ONCE, until)
            try:
                with self._client.reading(f"{name} minutes"):
                    yield rows.whole_minutes(*self._client.history(name, "1m", begin, through))
            except Refused as refused:
                if refused.unknown:
                    raise
            begin = through

    def _profile(self, symbol: str, name: str) -> Answer:
        with self._client.reading(f"{name} profile"):
            told = self._client.summary(name, [*rows.MODULES, rows.SHORTS])
            found = rows.profile(told, symbol)
        self._told[name] = told
        return Answer(found, missing())

    def _shorts(self, symbol: str, name: str, *, start: date, end: date) -> Answer:
        with self._client.reading(f"{name} short interest"):
            found = rows.short_interest(
                self._told.pop(name, {}) or self._client.summary(name, rows.ABOUT_SHORTS), symbol
            )
        settled = found.index.get_level_values("session")
        if len(found) and start <= settled[0].date() <= end:
            return Answer(found, missing())
        only = f"only that of {settled[0].date()}" if len(found) else "none"
        reason = f"Yahoo has no short interest of {symbol} settled from {start} to {end}; it gives {only}"
        return Answer(SHORT_INTEREST.empty(), missing((symbol, "short_interest", reason)))

    def _latest(self, batch: list[tuple[str, str]]) -> Answer:
        """LATEST of symbols, each with its name at Yahoo, by one request."""
        names = sorted({name for _, name in batch})
        try:
            with self._client.reading(f"quotes of {', '.join(names)}"):
                told = self._client.quotes(names)
                found = rows.latest({symbol: told[name] for symbol, name in batch if name in told})
        except Refused as refused:
            none = ((symbol, "quote", f"Yahoo has no quote of {symbol}: {refused}") for symbol, _ in batch)
            return Answer(LATEST.empty(), missing(*none))
        priced = found.dropna(subset=rows.OFFERED, how="all")
        without = [(symbol, name) for symbol, name in batch if symbol not in priced.index]
        return Answer(priced, missing(*((symbol, "quote", _no_quote(symbol, name, told)) for symbol, name in without)))

    def _quotes(self, symbol: str, name: str, *, session: date) -> Answer:
        with self._client.reading(f"{name} options"):
            found = self._client.chains(WITH_CHAINS.get(name, name))
            return Answer(rows.quotes(found, symbol, session), missing())


def _each(symbols: Sequence[str], what: str, contract: Contract, read: Callable[[str, str], Answer]) -> Answer:
    """One answer of the answers for each symbol; ``read`` takes the symbol as asked and as Yahoo writes it."""
    return _joined([_answered(symbol, what, contract, read) for symbol in _wanted(symbols)], contract)


def _wanted(symbols: Sequence[str]) -> list[str]:
    return sorted({symbol.strip().upper() for symbol in symbols})


def _joined(answers: list[Answer], contract: Contract) -> Answer:
    frames = [answer.frame for answer in answers if len(answer.frame)]
    gaps = [row for answer in answers for row in answer.missing.itertuples(index=False, name=None)]
    return Answer(pd.concat(frames).sort_index() if frames else contract.empty(), missing(*gaps))


def _answered(symbol: str, what: str, contract: Contract, read: Callable[[str, str], Answer]) -> Answer:
    name = _spelled(symbol)
    reason = _no_symbol(symbol)
    if name:
        try:
            return read(symbol, name)
        except Refused as refused:
            unknown, none = f"Yahoo does not know {name} ({refused}); {SPELLING}", f"Yahoo has no {what} of {symbol}"
            reason = unknown if refused.unknown else f"{none}: {refused}"
    return Answer(contract.empty(), missing((symbol, what, reason)))


def _no_symbol(symbol: str) -> str:
    return f"{symbol!r} is no symbol of Yahoo's; {SPELLING}"


def _no_quote(symbol: str, name: str, told: Container[str]) -> str:
    known = f"Yahoo has neither bid, ask nor price of {symbol}"
    return known if name in told else f"Yahoo gives no quote of {name}; {SPELLING}"


def _spelled(symbol: str) -> str:
    """How Yahoo writes ``symbol``; empty for what cannot be one of its symbols, an ISIN among them."""
    base, mark, quote = symbol.partition("/")
    if shares := _SHARE_CLASS.fullmatch(symbol):
        name = "-".join(shares.groups())
    elif mark:
        name = f"{base}{quote}=X" if {base, quote} <= CURRENCIES else f"{base}-{quote}"
    else:
        name = INDICES.get(symbol, symbol)
    return name if _SYMBOL.fullmatch(name) and not _ISIN.fullmatch(name) else ""


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _gap(symbol: str, chosen: pd.DataFrame, start: date, end: date, today: date) -> Iterator[Gap]:
    if chosen.empty:
        yield symbol, "price", f"Yahoo has no bar of {symbol} from {start} to {end}"
        return
    first, last = chosen.index[0].date(), chosen.index[-1].date()
    if first - start > LONGEST_REST or min(end, today) - last > LONGEST_REST:
        yield symbol, "history", f"Yahoo has {symbol} from {first} to {last}; asked from {start} to {end}"

"""How Polygon names what can be asked for: tickers with a prefix for their kind, each with the calendar of its kind."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from sigmalib.core.errors import DataUnavailable
from sigmalib.core.instruments import CURRENCIES, looks_like_option
from sigmalib.core.times import Interval

STOCK, OPTION, INDEX, CURRENCY, CRYPTO = "", "O:", "I:", "C:", "X:"
CALENDARS = {CURRENCY: "24/5", CRYPTO: "24/7"}
INDICES = frozenset({"DJI", "DJX", "NDX", "NYA", "OEX", "RUI", "RUT", "SOX", "SPX", "VIX", "VVIX", "VXN", "XSP"})


class NotFound(DataUnavailable):
    """Polygon answers that there is no such thing (404)."""


class Wanted(NamedTuple):
    """One symbol, Polygon's name for it, and the days asked for."""

    symbol: str
    ticker: str
    start: date
    end: date
    interval: Interval

    @property
    def family(self) -> str:
        """What kind of ticker it is, by its prefix."""
        return family_of(self.ticker)

    @property
    def calendar(self) -> str:
        """The name of the calendar it trades by."""
        return CALENDARS.get(self.family, "XNYS")

    @property
    def what(self) -> str:
        """What was asked, for messages."""
        return f"{self.symbol} from {self.start} to {self.end}"


def family_of(ticker: str) -> str:
    """What kind of ticker it is, by its prefix."""
    return ticker[:2] if ticker[1:2] == ":" else STOCK


def currency_of(ticker: str) -> str | None:
    """The currency of a ticker's prices; None for an index, and for a pair that is quoted in no currency.

    >>> [currency_of(ticker) for ticker in ("AAPL", "C:EURGBP", "X:BTCUSDT", "I:VIX")]
    ['USD', 'GBP', None, None]
    """
    if family_of(ticker) in CALENDARS:
        return ticker[-3:] if ticker[-3:] in CURRENCIES else None
    return None if family_of(ticker) == INDEX else "USD"


def ticker_of(symbol: str) -> str:
    """Polygon's name of a symbol in upper case.

    >>> [ticker_of(symbol) for symbol in ("BRK.B", "BTC/USD", "EUR/USD", "VIX", "AAPL240119C00150000")]
    ['BRK.B', 'X:BTCUSD', 'C:EURUSD', 'I:VIX', 'O:AAPL240119C00150000']
    """
    if symbol[:2] in (OPTION, INDEX, CURRENCY, CRYPTO):
        return symbol
    if looks_like_option(symbol):
        return OPTION + symbol.replace(" ", "")
    base, slash, other = symbol.partition("/")
    if slash:
        return (CURRENCY if {base, other} <= CURRENCIES else CRYPTO) + base + other
    return INDEX + symbol if symbol in INDICES else symbol

"""Instruments: option symbols, exercise styles and multipliers, and the calendar a symbol trades by.

Option symbols follow the Options Symbology Initiative (OCC, 2010): root left-justified to six characters, YYMMDD, C or
P, strike times 1,000 in eight digits. The compact form drops the blanks; some vendors prefix ``O:``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sigmalib.core.errors import InputError

Right = Literal["call", "put"]
Style = Literal["European", "American"]

EUROPEAN_ROOTS = frozenset({"SPX", "SPXW", "XSP", "NDX", "RUT", "DJX"})
MORNING_SETTLED_ROOTS = frozenset({"SPX", "NDX", "RUT"})
MINI_ROOTS = {"AAPL7": "AAPL", "AMZN7": "AMZN", "GLD7": "GLD", "GOOG7": "GOOG", "SPY7": "SPY"}
UNDERLYING_OF_ROOT = {"SPXW": "SPX", "BRKA": "BRK.A", "BRKB": "BRK.B", "BFA": "BF.A", "BFB": "BF.B"} | MINI_ROOTS
STANDARD_MULTIPLIER, MINI_MULTIPLIER = 100.0, 10.0

# the ISO 4217 codes that are traded in pairs, and the metals that trade like them
CURRENCIES = frozenset({
    "AED", "ARS", "AUD", "BGN", "BHD", "BRL", "CAD", "CHF", "CLP", "CNH", "CNY", "COP", "CZK", "DKK", "DZD", "EGP",
    "EUR", "GBP", "GEL", "GHS", "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JMD", "JOD", "JPY", "KES", "KRW", "KWD",
    "KZT", "LBP", "LKR", "MAD", "MXN", "MYR", "NGN", "NOK", "NZD", "OMR", "PEN", "PHP", "PKR", "PLN", "QAR", "RON",
    "RSD", "RUB", "SAR", "SEK", "SGD", "THB", "TND", "TRY", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "VND", "XAF",
    "XAG", "XAU", "XOF", "XPD", "XPT", "ZAR", "ZMW",
})  # fmt: skip
STABLECOINS = frozenset({
    "BUSD", "DAI", "EURC", "EURI", "EURT", "FDUSD", "GUSD", "PYUSD", "TUSD", "USDC", "USDE", "USDP", "USDT",
})  # fmt: skip

# exchange calendars by the suffix of a Yahoo symbol; Shenzhen, the NSE and the smaller boards keep their neighbour's
# days; Athens (.AT) and Tel Aviv (.TA) are left out, as exchange_calendars 4.13 cannot build theirs
CALENDAR_OF_SUFFIX = {
    "AS": "XAMS", "AX": "XASX", "BA": "XBUE", "BD": "XBUD", "BE": "XFRA", "BK": "XBKK", "BO": "XBOM",
    "BR": "XBRU", "CO": "XCSE", "DE": "XETR", "DU": "XDUS", "F": "XFRA", "HE": "XHEL", "HK": "XHKG", "HM": "XHAM",
    "IC": "XICE", "IL": "XLON", "IR": "XDUB", "IS": "XIST", "JK": "XIDX", "JO": "XJSE", "KL": "XKLS", "KQ": "XKRX",
    "KS": "XKRX", "L": "XLON", "LS": "XLIS", "MC": "XMAD", "ME": "XMOS", "MI": "XMIL", "MU": "XFRA", "MX": "XMEX",
    "NE": "XTSE", "NS": "XBOM", "NZ": "XNZE", "OL": "XOSL", "PA": "XPAR", "PR": "XPRA", "RG": "XRIS", "SA": "BVMF",
    "SG": "XSTU", "SI": "XSES", "SN": "XSGO", "SR": "XSAU", "SS": "XSHG", "ST": "XSTO", "SW": "XSWX", "SZ": "XSHG",
    "T": "XTKS", "TL": "XTAL", "TO": "XTSE", "TW": "XTAI", "TWO": "XTAI", "V": "XTSE", "VI": "XWBO",
    "VS": "XLIT", "WA": "XWAR",
}  # fmt: skip

_PAIR = re.compile(r"(?P<base>[A-Z0-9]+)(?P<mark>[/-])(?P<quote>[A-Z0-9]{3,})(:[A-Z0-9-]+)?")
_TAIL = re.compile(r"(\d{6})([CP])(\d{8})")
_ROOT = re.compile(r"[A-Z]{1,5}\d?|[A-Z]{6}")


@dataclass(frozen=True)
class OptionContract:
    """One listed option; ``strike`` in the underlying's currency."""

    root: str
    expiry: date
    right: Right
    strike: float

    @property
    def symbol(self) -> str:
        """The compact symbol: ``AAPL240119C00150000``."""
        return f"{self.root}{self.expiry:%y%m%d}{self.right[0].upper()}{round(self.strike * 1000):08d}"

    @property
    def padded(self) -> str:
        """The 21-character form with the root padded to six."""
        return self.root.ljust(6) + self.symbol[len(self.root) :]

    @property
    def underlying(self) -> str:
        """Symbol of what is delivered or settled against: SPXW settles on SPX, BRKB on BRK.B."""
        return UNDERLYING_OF_ROOT.get(self.root, self.root.rstrip("0123456789"))

    @property
    def style(self) -> Style:
        """Exercise style: the index roots are European, all others American."""
        return "European" if self.root in EUROPEAN_ROOTS else "American"

    @property
    def morning_settled(self) -> bool:
        """Whether the contract settles on the opening prices of its expiry day (SPX, NDX, RUT monthlies)."""
        return self.root in MORNING_SETTLED_ROOTS

    @property
    def adjusted(self) -> bool:
        """Whether a corporate action changed the deliverable (a root ending in a digit that is not a mini)."""
        return self.root[-1].isdigit() and self.root not in MINI_ROOTS

    @property
    def multiplier(self) -> float:
        """Units of the underlying per contract; NaN for an adjusted root, whose deliverable the symbol lacks."""
        if self.adjusted:
            return float("nan")
        return MINI_MULTIPLIER if self.root in MINI_ROOTS else STANDARD_MULTIPLIER


def looks_like_option(symbol: str) -> bool:
    """Whether ``symbol`` is meant as an option symbol: it ends in the fifteen characters of one, or starts with O:."""
    text = symbol.strip().upper()
    return text.startswith("O:") or _TAIL.fullmatch(text[-15:]) is not None


def parse_option(symbol: str) -> OptionContract:
    """The contract behind an OSI symbol in compact, padded or ``O:`` form, read from the right.

    Read from the right because a root may itself end in a digit. Raises InputError naming the faulty part.

    >>> parse_option("O:SPX141122P00019500")
    OptionContract(root='SPX', expiry=datetime.date(2014, 11, 22), right='put', strike=19.5)
    """
    text = symbol.strip().upper().removeprefix("O:")
    tail = _TAIL.fullmatch(text[-15:])
    if tail is None:
        raise InputError(f"{symbol!r} is not an option symbol; write root, YYMMDD, C or P and the strike x 1000 "
                         "in 8 digits, as in AAPL240119C00150000")  # fmt: skip
    root = text[:-15].rstrip()
    if not _ROOT.fullmatch(root):
        raise InputError(f"{symbol!r} has the root {root!r}; a root is one to six letters, perhaps with a last digit")
    day, letter, strike = tail.groups()
    if int(strike) == 0:
        raise InputError(f"{symbol!r} has a strike of zero; the last 8 digits are the strike x 1000")
    return OptionContract(root, _expiry(symbol, day), "call" if letter == "C" else "put", int(strike) / 1000)


def _expiry(symbol: str, digits: str) -> date:
    try:
        return datetime.strptime(f"20{digits}", "%Y%m%d").date()
    except ValueError:
        raise InputError(f"{symbol!r} has the expiry {digits!r}, which is no date in YYMMDD") from None


def calendar_of(symbol: str) -> str:
    """Name of the exchange calendar ``symbol`` trades by: ``24/7`` for crypto, ``24/5`` for currencies.

    Pairs are written BTC/USD, BTC-USD, X:BTCUSD, EUR/USD, EURUSD=X or C:EURUSD; other exchanges by their Yahoo suffix
    (SAP.DE, 7203.T); options trade by their underlying; all else, indices too, by New York's. Raises InputError for a
    faulty option symbol.

    >>> [calendar_of(symbol) for symbol in ("BRK.B", "SAP.DE", "ETH-USDT", "EURUSD=X")]
    ['XNYS', 'XETR', '24/7', '24/5']
    """
    text = symbol.strip().upper()
    if looks_like_option(text):
        return calendar_of(parse_option(text).underlying)
    if text.startswith("X:"):
        return "24/7"
    if text.startswith("C:") or text.endswith("=X"):
        return "24/5"
    pair = _PAIR.fullmatch(text)
    if pair and (pair["mark"] == "/" or pair["quote"] in CURRENCIES | STABLECOINS):
        return "24/5" if {pair["base"], pair["quote"]} <= CURRENCIES else "24/7"
    return CALENDAR_OF_SUFFIX.get(text.partition(".")[2], "XNYS")

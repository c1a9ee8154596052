"""Instruments: option symbols, exercise styles and multipliers.

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

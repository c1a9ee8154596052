"""Sources of market data: the protocol that each of them answers, and how an answer says what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pandas as pd


@dataclass(frozen=True, eq=False)
class Answer:
    """What a source gave, and what it did not: ``missing`` is a MISSING table with a reason for each symbol."""

    frame: pd.DataFrame
    missing: pd.DataFrame


class Source(Protocol):
    """Somebody who knows prices. Every method answers for what it has and lists what it lacks; none guesses."""

    name: str

    def bars(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """BARS of each symbol from ``start`` to ``end``, both included."""
        ...

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES: name, kind, sector, currency and dividend yield."""
        ...

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """QUOTES of the options on ``underlying`` at the close of ``as_of``."""
        ...

    def rates(self, start: date, end: date) -> Answer:
        """The risk-free rate (date; column ``rate``, annual effective fraction), with the last one before ``start``."""
        ...

    def fx(self, currencies: Sequence[str], base: str, start: date, end: date) -> Answer:
        """(session x currency) units of ``base`` for one unit of each currency."""
        ...

    def coverage(self) -> pd.DataFrame:
        """By symbol: first, last (sessions), sessions (count), fields and origin, of all the source holds."""
        ...

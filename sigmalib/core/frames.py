"""Column contracts of the tables that travel between rooms, and the one ``check`` at the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pandas.api import types

from sigmalib.core.errors import InputError

Kind = Literal["text", "number", "date", "list"]


@dataclass(frozen=True)
class Column:
    """One column: what it holds, in which unit, and whether it may be unknown (NaN, NaT, None)."""

    name: str
    kind: Kind
    unit: str = ""
    nullable: bool = True


@dataclass(frozen=True)
class Contract:
    """A named table shape: its columns and the names of its index levels."""

    name: str
    columns: tuple[Column, ...]
    index: tuple[str | None, ...] = (None,)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def empty(self) -> pd.DataFrame:
        """A table of this shape with no rows and the right kinds."""
        frame = pd.DataFrame({c.name: pd.Series(dtype=_DTYPES[c.kind]) for c in self.columns})
        if self.index == (None,):
            return frame
        levels = pd.MultiIndex.from_arrays([[]] * len(self.index), names=self.index)
        return frame.set_index(levels if len(self.index) > 1 else levels.get_level_values(0))


_DTYPES: dict[Kind, str] = {"text": "str", "number": "float64", "date": "datetime64[us]", "list": "object"}
_TESTS = {
    "text": lambda s: types.is_string_dtype(s.dtype) or s.isna().all(),
    "number": lambda s: types.is_numeric_dtype(s.dtype),
    "date": lambda s: types.is_datetime64_any_dtype(s.dtype),
    "list": lambda s: s.map(lambda item: isinstance(item, tuple)).all(),
}

POSITIONS = Contract(
    "POSITIONS",
    (
        Column("symbol", "text", nullable=False),
        Column("kind", "text", "LONG, SHORT, LC, LP, SC, SP or CASH", nullable=False),
        Column("quantity", "number", "signed units or contracts", nullable=False),
        Column("entry_price", "number", "currency per unit of the underlying", nullable=False),
        Column("entry_date", "date", nullable=False),
        Column("currency", "text", "ISO 4217", nullable=False),
        Column("multiplier", "number", "units of the underlying; NaN for an adjusted contract"),
        Column("strike", "number", "currency"),
        Column("expiry", "date"),
        Column("right", "text", "call or put"),
        Column("underlying", "text", nullable=False),
        Column("tags", "list", "tuple of names"),
        Column("strategy", "text", "one name, or none"),
    ),
)

_VALUED = (
    Column("price", "number", "currency per unit of the underlying"),
    Column("price_source", "text", "close, quote, model or cash"),
    Column("market_value", "number", "base currency"),
    Column("exposure", "number", "base currency, notional in the direction of the underlying"),
    Column("cost", "number", "base currency"),
    Column("pnl_day", "number", "base currency"),
    Column("pnl_total", "number", "base currency"),
    Column("weight", "number", "fraction of NAV, or of gross market value without cash"),
)
HOLDINGS = Contract("HOLDINGS", POSITIONS.columns + _VALUED)

BARS = Contract(
    "BARS",
    (
        Column("open", "number", "currency"),
        Column("high", "number", "currency"),
        Column("low", "number", "currency"),
        Column("close", "number", "currency"),
        Column("adjusted_close", "number", "currency, adjusted for splits and dividends"),
        Column("volume", "number", "shares"),
        Column("dividend", "number", "currency per share, going ex at this session's open; 0 is none"),
        Column("split", "number", "new shares for one old at this session's open; 1 is none"),
        Column("source", "text"),
    ),
    index=("session", "symbol"),
)

MINUTES = Contract("MINUTES", BARS.columns, index=("time", "symbol"))

ACTIONS = Contract(
    "ACTIONS",
    (
        Column("dividend", "number", "currency per share, going ex at this session's open", nullable=False),
        Column("split", "number", "new shares for one old at this session's open", nullable=False),
    ),
    index=("session", "symbol"),
)

PROFILES = Contract(
    "PROFILES",
    (
        Column("name", "text"),
        Column("kind", "text", "stock, etf or index"),
        Column("sector", "text"),
        Column("industry", "text"),
        Column("currency", "text", "ISO 4217"),
        Column("dividend_yield", "number", "continuous, a year"),
    ),
    index=("symbol",),
)

QUOTES = Contract(
    "QUOTES",
    (
        Column("underlying", "text"),
        Column("bid", "number", "currency; NaN when nobody bids"),
        Column("ask", "number", "currency"),
        Column("last", "number", "currency, the last trade's price"),
        Column("volume", "number", "contracts"),
        Column("open_interest", "number", "contracts"),
        Column("implied_volatility", "number", "a year, as the vendor gives it"),
    ),
    index=("session", "symbol"),
)

SHORT_INTEREST = Contract(
    "SHORT_INTEREST",
    (
        Column("published", "date", "the session at whose close it was known", nullable=False),
        Column("percent_of_float", "number", "fraction of the float that is sold short; above 1 when lent on"),
        Column("days_to_cover", "number", "days of average volume; shares short over it"),
        Column("shares_short", "number", "shares"),
    ),
    index=("session", "symbol"),  # the session is the settlement date that it is counted at
)

LATEST = Contract(
    "LATEST",
    (
        Column("bid", "number", "currency; NaN when nobody bids"),
        Column("ask", "number", "currency"),
        Column("last", "number", "currency, the last trade's price"),
        Column("currency", "text", "ISO 4217"),
        Column("time", "date", "UTC, of the newest of them"),
    ),
    index=("symbol",),
)

FINDINGS = Contract(
    "FINDINGS",
    (
        Column("symbol", "text", nullable=False),
        Column("session", "date", "the session, or the first of a run; NaT when it is the whole series"),
        Column("check", "text", "name of the check, such as gap, stale or outlier", nullable=False),
        Column("measure", "number", "what was measured, in the unit of the limit"),
        Column("limit", "number", "beyond which it is a finding"),
        Column("severity", "text", "bad (quarantined) or warning (kept)", nullable=False),
        Column("sentence", "text", nullable=False),
    ),
)

MISSING = Contract(
    "MISSING",
    (
        Column("symbol", "text", nullable=False),
        Column(
            "what",
            "text",
            "price, history, fx, rate, profile, quote, short_interest, pnl_day or pnl_total",
            nullable=False,
        ),
        Column("reason", "text", nullable=False),
    ),
)


def check(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """``frame`` itself when it keeps ``contract``; InputError naming the first column that does not.

    Extra columns are allowed: a room may add its own to a table that travels.
    """
    if tuple(frame.index.names) != contract.index:
        raise InputError(f"{contract.name} is indexed by {contract.index}, was {tuple(frame.index.names)}")
    absent = [name for name in contract.names if name not in frame.columns]
    if absent:
        raise InputError(f"{contract.name} needs the column(s) {', '.join(absent)}")
    for column in contract.columns:
        values = frame[column.name]
        if len(values) and not _TESTS[column.kind](values):
            raise InputError(f"{contract.name}.{column.name} must hold {column.kind}s, was {values.dtype}")
        if not column.nullable and values.isna().any():
            raise InputError(
                f"{contract.name}.{column.name} may not be unknown, row {values.isna().to_numpy().argmax()} is"
            )
    return frame


def missing(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """A MISSING table out of (symbol, what, reason) rows."""
    return pd.DataFrame(list(rows), columns=MISSING.names) if rows else MISSING.empty()

"""The sample source: the embedded data, answering the protocol of every other source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import ClassVar, Self

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import ACTIONS, LATEST, PROFILES, QUOTES, SHORT_INTEREST, missing
from sigmalib.core.times import Interval, sessions
from sigmalib.data import figures
from sigmalib.data.embedded import panel
from sigmalib.data.sources import Answer, Opening, Traits

MONTH = pd.Timedelta(days=31)

Gap = tuple[str, str, str]


class Sample:
    """The prices that the product's packages ship, 33 symbols from 1990 to 2022-12-28; see ``embedded``."""

    name: str = "sample"
    traits: ClassVar[Traits] = Traits(
        "real prices out of installed packages, to 2022-12-28; no network", ships=True, benchmark="SPX"
    )

    @classmethod
    def opened(cls, opening: Opening) -> Self:
        """The sample source; there is nothing to set."""
        return cls()

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS of each symbol from ``start`` to ``end``, both included.

        Missing: ``price`` for a symbol that is unknown or has nothing in the range, ``history`` for one that starts
        after the range's first session or ends before its last; the reason names what there is.
        """
        days = _range(start, end)
        wanted, held = _wanted(symbols), panel()
        gaps = [gap for symbol in wanted for gap in _gaps(symbol, days, start, end)]
        return Answer(held.bars(held.symbols[held.symbols.isin(wanted)], days), missing(*gaps))

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """None: the series are adjusted already, so that nothing is left to apply."""
        return Answer(ACTIONS.empty(), missing())

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES; the dividend yield is the one of the series served (0 for total return), NaN for IBM."""
        table, wanted = figures.profiles(), _wanted(symbols)
        unknown = [symbol for symbol in wanted if symbol not in table.index]
        known = [symbol for symbol in wanted if symbol in table.index]
        return Answer(table.loc[known, PROFILES.names], missing(*((s, "profile", _unknown(s)) for s in unknown)))

    def quotes(self, symbols: Sequence[str]) -> Answer:
        """None: the sample is of the past."""
        reason = "the sample data ends on 2022-12-28 and has no quotes of this moment"
        return Answer(LATEST.empty(), missing(*((symbol, "quote", reason) for symbol in _wanted(symbols))))

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """No quotes: there are none in the sample data."""
        reason = "no option quotes in the sample data; options are marked by model"
        return Answer(QUOTES.empty(), missing((underlying.upper(), "quote", reason)))

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """None: there is no short interest in the sample data."""
        reason = "the sample data has no short interest; ask another source, such as yahoo"
        gaps = ((symbol, "short_interest", reason) for symbol in _wanted(symbols))
        return Answer(SHORT_INTEREST.empty(), missing(*gaps))

    def rates(self, start: date, end: date) -> Answer:
        """The effective federal funds rate by month from 2000-07-31; missing when the range lies outside it."""
        table = figures.policy_rate()
        in_force = max(int(table.index.searchsorted(pd.Timestamp(start), side="right")) - 1, 0)
        found = table.iloc[in_force:].loc[: pd.Timestamp(end)]
        first, last = table.index[0], table.index[-1]
        if start < first.date() or pd.Timestamp(end) > last + MONTH:
            reason = f"the sample data has the policy rate from {first:%Y-%m-%d} to {last:%Y-%m-%d} only"
            return Answer(found, missing(("USD", "rate", reason)))
        return Answer(found, missing())

    def fx(self, currencies: Sequence[str], base: str, start: date, end: date) -> Answer:
        """No exchange rates: every currency but the base is missing; the frame has the sessions and no column."""
        others = sorted({currency.upper() for currency in currencies} - {base.upper()})
        gaps = [(currency, "fx", f"no {currency}/{base.upper()} rate in the sample data") for currency in others]
        return Answer(pd.DataFrame(index=_range(start, end)), missing(*gaps))

    def coverage(self) -> pd.DataFrame:
        """By symbol: first, last (sessions), sessions (count), fields, source and origin."""
        return panel().coverage.copy()


def _wanted(symbols: Sequence[str]) -> list[str]:
    return sorted({symbol.strip().upper() for symbol in symbols})


def _range(start: date, end: date) -> pd.DatetimeIndex:
    if start > end:
        raise InputError(f"`start` {start} lies after `end` {end}; swap them")
    return sessions(start, end)


def _gaps(symbol: str, days: pd.DatetimeIndex, start: date, end: date) -> Iterator[Gap]:
    """What is missing of ``symbol`` in a range: nothing, all of it (price) or an end of it (history)."""
    if symbol not in panel().symbols:
        yield symbol, "price", _unknown(symbol)
    elif days.empty:
        yield symbol, "price", f"no session of the exchange from {start} to {end}"
    else:
        first, last = (pd.Timestamp(panel().coverage[end_of][symbol]) for end_of in ("first", "last"))
        has = f"the sample data has {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        if days[0] > last or days[-1] < first:
            yield symbol, "price", f"no {symbol} from {start} to {end}; {has}"
        elif days[0] < first or days[-1] > last:
            yield symbol, "history", f"not all of {symbol} from {start} to {end}; {has}"


def _unknown(symbol: str) -> str:
    known = list(panel().symbols)
    return f"the sample data has no {symbol}; it has {', '.join(known[:3])}, … ({len(known)} symbols)"

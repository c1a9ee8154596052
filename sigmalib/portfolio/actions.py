"""Actions: what splits between entry and the as-of day have made of the positions.

An analyst writes what was bought, in the shares of that day, and prices are as traded, in the shares of theirs. Whoever
values a position from before a split therefore needs it in the shares of after.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan, nan
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import ACTIONS, POSITIONS, check
from sigmalib.core.instruments import parse_option
from sigmalib.core.times import DateLike, to_date

RECORD = {
    "session": "datetime64[us]", "symbol": "str", "split": "float64", "quantity_before": "float64",
    "quantity_after": "float64", "sentence": "str",
}  # fmt: skip

OPTIONS = frozenset({"LC", "LP", "SC", "SP"})

_NUMBERS = dict.fromkeys(("quantity", "entry_price", "multiplier", "strike"), "float64")


class Split(NamedTuple):
    """A split of ``symbol``: ``ratio`` new shares for one old at the open of ``session``."""

    session: pd.Timestamp
    symbol: str
    ratio: float

    def __str__(self) -> str:
        return f"the split of {self.symbol} on {self.session:%Y-%m-%d}, {_told(self.ratio)} new for one old"


def apply_splits(positions: pd.DataFrame, actions: pd.DataFrame, as_of: DateLike) -> tuple[pd.DataFrame, pd.DataFrame]:
    """POSITIONS in the shares of ``as_of``, and the record of what was changed.

    positions : POSITIONS in the shares of their entry dates. actions : ACTIONS of the underlyings, of which only the
    splits count. A split counts when its session lies after the entry date (an entry on the session itself is in new
    shares) and not after ``as_of``; several follow one another.

    Shares: quantity x ratio, entry price / ratio. Options alive on the session, when each old share has become two or
    more whole ones: quantity x ratio, entry price and strike / ratio, the strike to the cent with half a cent up, and
    the symbol that follows. After any other split the deliverable is not known: the multiplier is NaN, the rest stays.
    Quantity x entry price x multiplier, the cost, is what it was.

    Returns the very same positions and an empty record when no split counts, else a new table in the same order.
    record : session, symbol (as it was), split (new shares for one old), quantity_before, quantity_after, sentence.
    Raises InputError for a split that is no positive number.
    Source: OCC By-Laws, article VI, section 11A; the strikes of AAPL after the 7:1 split of 2014-06-09 are such cents.
    """
    book = check(positions, POSITIONS)
    record: list[tuple[object, ...]] = []
    for split in _splits(check(actions, ACTIONS), pd.Timestamp(to_date(as_of, what="as_of"))):
        for at in np.flatnonzero(_touched(book, split)).tolist():
            before = book.iloc[at]
            changes = _of_option(before, split) if before["kind"] in OPTIONS else _of_shares(before, split)
            book = book.astype(_NUMBERS) if book is positions else book
            for name, value in changes.items():
                book.iat[at, cast("int", book.columns.get_loc(name))] = value
            record.append(_row(before, book.iloc[at], split))
    return book, pd.DataFrame(record, columns=list(RECORD)).astype(RECORD)


def _splits(actions: pd.DataFrame, last: pd.Timestamp) -> list[Split]:
    """The splits up to ``last``, the earliest first."""
    ratios = actions.loc[actions["split"] != 1, "split"].sort_index().reset_index()
    splits = [Split(session, symbol, ratio) for session, symbol, ratio in ratios.itertuples(index=False)]
    for split in splits:
        if not 0 < split.ratio < inf:
            raise InputError(f"`actions` has {split}; a split is a positive number, as 4 or 0.1")
    return [split for split in splits if split.session <= last]


def _touched(book: pd.DataFrame, split: Split) -> pd.Series:
    """Which positions are in old shares of what is split, and were still held on that session."""
    held = (book["kind"] != "CASH") & ~(book["expiry"] < split.session)
    return held & (book["underlying"] == split.symbol) & (book["entry_date"] < split.session)


def _of_shares(held: pd.Series, split: Split) -> dict[str, float | str]:
    return {"quantity": held["quantity"] * split.ratio, "entry_price": held["entry_price"] / split.ratio}


def _of_option(held: pd.Series, split: Split) -> dict[str, float | str]:
    """What changes of an option: contracts, price, strike and symbol, or the multiplier, which is no longer known."""
    new, contract = int(split.ratio), parse_option(held["symbol"])
    cents = (round(contract.strike * 1000) + 5 * new) // (10 * new) if new > 1 else 0
    if new != split.ratio or not cents or isnan(held["multiplier"]):
        return {"multiplier": nan}
    symbol = replace(contract, strike=cents / 100).symbol
    return _of_shares(held, split) | {"symbol": symbol, "strike": cents / 100}


def _row(before: pd.Series, after: pd.Series, split: Split) -> tuple[object, ...]:
    quantities = before["quantity"], after["quantity"]
    return split.session, before["symbol"], split.ratio, *quantities, _sentence(before, after, split)


def _sentence(before: pd.Series, after: pd.Series, split: Split) -> str:
    if isnan(after["multiplier"]):
        return (f"{before['symbol']} was adjusted for {split}, and what it delivers now is not known; it has no price "
                "until the contract of the OCC's memo stands in its place")  # fmt: skip
    was, now = (
        f"{_told(held['quantity'])} {held['symbol']} at {_told(held['entry_price'])}" for held in (before, after)
    )
    told = f"{was} became {now} by {split}"
    broken = float(before["quantity"]).is_integer() and not float(after["quantity"]).is_integer()
    return f"{told}; see what was paid for the fraction" if broken else told


def _told(number: float) -> str:
    return f"{number:,.4f}".rstrip("0").rstrip(".")

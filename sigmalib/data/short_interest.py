"""Short interest: rows of SHORT_INTEREST, each with the session from whose close on it was known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from sigmalib.core.frames import SHORT_INTEREST
from sigmalib.core.times import FIRST_DAY, LAST_DAY, sessions

PUBLISHED_AFTER = 8  # sessions; FINRA publishes in the evening of the seventh business day after settlement
MONTH = pd.Timedelta(days=28)  # within which there are as many sessions


def published(settled: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The session at whose close each count was known: the eighth after its settlement date.

    Source: FINRA, Short Interest Reporting (Rule 4560): due on the second business day after settlement, published
    on the seventh.

    >>> str(published(pd.DatetimeIndex(["2024-03-15"]))[0].date())
    '2024-03-27'
    """
    if settled.empty:
        return pd.DatetimeIndex([]).as_unit("us")
    days = sessions(settled.min().date(), (settled.max() + MONTH).date())
    after = days.searchsorted(settled, side="right") + PUBLISHED_AFTER - 1
    return pd.DatetimeIndex(days.to_numpy()[after]).as_unit("us")


def short_interest_of(rows: pd.DataFrame) -> pd.DataFrame:
    """SHORT_INTEREST out of columns session (settlement date), symbol and any of the contract's; sorted.

    What is below zero or infinite is unknown; rows of which nothing is known, or that were settled outside the
    calendars, are left out. ``published`` is the rule's where it is not given.
    """
    rows = rows[(rows["session"] > pd.Timestamp(FIRST_DAY)) & (rows["session"] < pd.Timestamp(LAST_DAY) - MONTH)]
    numbers = [name for name in SHORT_INTEREST.names if name != "published"]
    values = rows.reindex(columns=numbers).astype("float64")
    values = values.where((values >= 0) & np.isfinite(values))
    settled = pd.DatetimeIndex(pd.to_datetime(rows["session"])).as_unit("us")
    ruled = pd.Series(published(settled), rows.index)
    told = rows["published"].fillna(ruled) if "published" in rows else ruled
    index = pd.MultiIndex.from_arrays([settled, rows["symbol"].astype("str")], names=list(SHORT_INTEREST.index))
    frame = values.assign(published=told.astype("datetime64[us]")).set_index(index)[SHORT_INTEREST.names]
    return frame.dropna(subset=numbers, how="all").sort_index()


def chosen(table: pd.DataFrame, symbols: Sequence[str], start: date, end: date) -> pd.DataFrame:
    """The rows of some symbols that were settled from ``start`` to ``end``, both included."""
    settled, names = (table.index.get_level_values(level) for level in ("session", "symbol"))
    days = pd.DatetimeIndex(settled)
    return table[names.isin(symbols) & (days >= pd.Timestamp(start)) & (days <= pd.Timestamp(end))]

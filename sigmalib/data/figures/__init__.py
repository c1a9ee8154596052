"""Small tables of public figures that ship with the product, each with its source in the file's first line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

_FOLDER = Path(__file__).parent


@cache
def policy_rate() -> pd.DataFrame:
    """The effective federal funds rate, month by month (date; column ``rate``, a fraction a year).

    Each value is the last observation of its month, dated by its own day. The published figure is taken for an annual
    effective rate as it stands; its own convention is simple on 360 days, which would make 4.33 % into 4.49 %.
    """
    table = pd.read_csv(_FOLDER / "policy_rate.csv", comment="#", parse_dates=["date"], index_col="date")
    return table.set_axis(pd.DatetimeIndex(table.index).as_unit("us"))


@cache
def profiles() -> pd.DataFrame:
    """PROFILES of every symbol of the sample data; sectors are GICS as of 2022, blank for funds and indexes.

    Industries are not among the figures, and so unknown.
    """
    table = pd.read_csv(_FOLDER / "profiles.csv", comment="#", index_col="symbol")
    return table.assign(industry=pd.Series(pd.NA, table.index, dtype="str"))

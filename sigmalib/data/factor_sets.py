"""Factor returns that the product's packages ship, read once by the package's metadata; nothing is imported.

| name | package | what they are |
|---|---|---|
| fama_french_3 | arch | Fama and French's three factors and the bill's return, by month, 1926-07 to 2018-11 |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.data.embedded import file_of


@dataclass(frozen=True)
class FactorSet:
    """One file of a package: returns in percent by month (``199907``); ``columns`` are its names by ours."""

    package: str
    file: str
    origin: str
    columns: Mapping[str, str]

    def read(self) -> pd.DataFrame:
        """Returns by month, named by its last day; fractions."""
        table = pd.read_csv(file_of(self.package, self.file))
        months = pd.to_datetime(table["Date"].astype("str"), format="%Y%m") + pd.offsets.MonthEnd(0)
        percent = table[list(self.columns)].rename(columns=dict(self.columns)).astype("float64")
        return (percent / 100).round(6).set_index(pd.DatetimeIndex(months, name="date").as_unit("us"))


FACTOR_SETS = {
    "fama_french_3": FactorSet(
        "arch",
        "arch/data/frenchdata/frenchdata.csv.gz",
        "Kenneth R. French, data library: research factors of Fama and French (1993), by month",
        {"Mkt-RF": "mkt_rf", "SMB": "smb", "HML": "hml", "RF": "rf"},
    )
}


def factor_returns(name: str) -> pd.DataFrame:
    """Returns of a set of factors that ships (date x factor), fractions, each dated by the last day of its month.

    ``fama_french_3``: mkt_rf (the market over the bill), smb (small over big), hml (high over low book to market) and
    rf (the one-month treasury bill). Raises InputError for a name that is unknown, DataUnavailable without its package.
    Source: Fama & French (1993), Common risk factors in the returns on stocks and bonds; the data library of K. French.

    >>> factor_returns("fama_french_3").loc["2018-10-31"].to_dict()
    {'mkt_rf': -0.0768, 'smb': -0.0468, 'hml': 0.0341, 'rf': 0.0019}
    """
    if name not in FACTOR_SETS:
        near = get_close_matches(name, FACTOR_SETS, n=1) or list(FACTOR_SETS)
        raise InputError(f"there is no set of factors {name!r} but {', '.join(FACTOR_SETS)}; try {near[0]!r}")
    return _read(name).copy()


@cache
def _read(name: str) -> pd.DataFrame:
    return FACTOR_SETS[name].read()

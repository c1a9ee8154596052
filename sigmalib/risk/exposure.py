"""Exposure: long, short, gross and net, notional and delta-adjusted."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sigmalib.portfolio.valuation import known_sum


@dataclass(frozen=True)
class Exposure:
    """Sums of signed exposures in base currency: ``short`` <= 0, gross = long - short, net = long + short."""

    long: float
    short: float

    @property
    def gross(self) -> float:
        """All exposure whatever its direction."""
        return self.long - self.short

    @property
    def net(self) -> float:
        """Exposure after long and short cancel."""
        return self.long + self.short

    def to_dict(self) -> dict[str, float]:
        """The four numbers by name."""
        return {"long": self.long, "short": self.short, "gross": self.gross, "net": self.net}


def total(exposures: pd.Series) -> Exposure:
    """Long and short sums by position; of no positions 0, and unknown (NaN) when none of their exposures is known.

    Unknown exposures beside known ones are left out here and listed by the report.

    >>> total(pd.Series([100.0, -40.0])).net
    60.0
    """
    return Exposure(long=known_sum(exposures.clip(lower=0)), short=known_sum(exposures.clip(upper=0)))


def delta_adjusted(holdings: pd.DataFrame, marks: pd.DataFrame) -> pd.Series:
    """q M delta S fx of each holding, in base currency; delta is 1 for stocks and 0 for cash.

    holdings : HOLDINGS with ``spot`` and ``fx``. marks : by option symbol, with ``delta``.
    """
    option, cash = holdings["right"].notna(), holdings["kind"] == "CASH"
    delta = pd.Series(1.0, index=holdings.index).where(~option, holdings["symbol"].map(marks["delta"]).astype(float))
    dollars = holdings["quantity"] * holdings["multiplier"] * delta * holdings["spot"] * holdings["fx"]
    return dollars.where(~cash, 0.0)

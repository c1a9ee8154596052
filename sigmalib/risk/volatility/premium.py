"""What the right to exercise early is worth in a quote, and implied volatilities by each option's own style.

Put-call parity and Black's formula are about European prices. An American quote is taken to its European equivalent:
its volatility is found with the American price, and the difference between the American and the European price at
that volatility is its premium. Rates and carry are those of the expiry's forward, with the spot that the forwards tell
(``parity.spot_of_the_forwards``), so that spot, forward and carry agree.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.risk.options import bsm_price, implied_volatility
from sigmalib.risk.pricing.american import american_implied_volatility, american_price

Floats = npt.NDArray[np.float64]

SIDES = ("bid", "mid", "ask")


class Model(NamedTuple):
    """Terms of each row for the pricing functions; rates and carry continuous, a year."""

    spot: Floats
    strike: Floats
    years: Floats
    rate: Floats
    carry: Floats
    right: npt.NDArray[Any]

    def at(self, rows: npt.NDArray[np.bool_]) -> Model:
        """The terms of some rows."""
        return Model(*(term[rows] for term in self))


def model(rows: pd.DataFrame) -> Model:
    """The terms of rows that have strike, years, right, forward, discount and parity_spot."""
    spot, strike, years, forward, discount = (
        rows[name].to_numpy(dtype=float, copy=True)
        for name in ("parity_spot", "strike", "years", "forward", "discount")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = -np.log(discount) / years
        carry = rate - np.log(forward / spot) / years
    return Model(spot, strike, years, rate, carry, rows["right"].to_numpy(dtype="U4"))


def early_exercise(rows: pd.DataFrame, *prices: pd.Series) -> Floats:
    """The premium for early exercise of each row, currency: 0 for European exercise, NaN where it cannot be told.

    prices : currency; the premium is that of the first price of a row that an American volatility explains.
    """
    found = np.where((rows["style"] == "American").to_numpy(), np.nan, 0.0)
    terms = model(rows)
    for price in prices:
        given = price.to_numpy(dtype=float)
        open_rows = np.isnan(found) & np.isfinite(given) & np.isfinite(terms.carry) & (terms.years > 0)
        if open_rows.any():
            found[open_rows] = _premium(given[open_rows], terms.at(open_rows))
    return found


def volatilities(rows: pd.DataFrame, quotes: pd.DataFrame) -> pd.DataFrame:
    """Implied volatilities a year of ``quotes`` (bid, mid and ask), of the same shape; NaN where there is none.

    The premium of an American row is that of its middle, else of its ask; so the volatility of the middle is the
    American one exactly, and those of bid and ask differ from theirs by next to nothing.
    """
    premium = early_exercise(rows, quotes["mid"], quotes["ask"])
    terms = model(rows)
    found = {}
    for side in SIDES:
        price = quotes[side].to_numpy(dtype=float) - premium
        found[side] = implied_volatility(price, *terms[:4], dividend_yield=terms.carry, right=terms.right)
    return pd.DataFrame(found, index=rows.index)


def _premium(price: Floats, terms: Model) -> Floats:
    given: dict[str, Any] = {"dividend_yield": terms.carry, "right": terms.right}
    volatility = american_implied_volatility(price, *terms[:4], accuracy="fast", **given)
    american = american_price(*terms[:4], volatility, accuracy="fast", **given)
    return np.asarray(american - bsm_price(*terms[:4], volatility, **given))

"""The P&L of moves by the greeks: a check beside the full revaluation, never in its stead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sigmalib.risk.options import bsm_greeks
from sigmalib.risk.scenario.moves import STILL, Moves


class Approximation(NamedTuple):
    """P&L (scenario x position), base currency, by delta alone, and by delta and gamma."""

    delta: pd.DataFrame
    delta_gamma: pd.DataFrame


def approximate(holdings: pd.DataFrame, marks: pd.DataFrame, moves: Moves | pd.DataFrame) -> Approximation:
    """What spot and currency moves do to each position to the first and to the second order in the spot.

    holdings, marks, moves : as for ``revalue``; ``marks`` gives delta, and gamma where it has one (else that of
    Black-Scholes-Merton). With value V, units q M fx and a spot move m: (V + delta S m + gamma (S m)^2 / 2)(1 + f) - V,
    f the currency's move. Moves of volatility, rate and time are left out: they have greeks of their own. A stock is
    linear, so all three agree. NaN where a greek, the spot or a move is unknown.

    >>> book = pd.DataFrame({"symbol": ["AAA"], "kind": "LONG", "quantity": 10.0, "multiplier": 1.0, "fx": 1.0,
    ...     "price": 50.0, "currency": "USD", "underlying": "AAA", "right": None})
    >>> approximate(book, pd.DataFrame(), pd.DataFrame({"AAA": [-0.1]})).delta.to_numpy().tolist()
    [[-50.0]]
    """
    given = moves if isinstance(moves, Moves) else Moves(moves)
    option = holdings["right"].isin(["call", "put"]).to_numpy()
    spots, name = given.by_name("spot", pd.Index(holdings["underlying"]))
    spots[spots < -1.0] = np.nan
    move = spots[np.where((holdings["kind"] == "CASH").to_numpy(), STILL, name)]
    units, price, delta, gamma = _greeks(holdings, marks, option)
    currencies, currency = given.currencies(pd.Index(holdings["currency"]), holdings["fx"].to_numpy() != 1.0)
    growth = 1.0 + currencies[currency]
    first = delta[:, None] * move
    second = first + 0.5 * gamma[:, None] * move * move

    def framed(change: np.ndarray) -> pd.DataFrame:
        pnl = units[:, None] * (change * growth + price[:, None] * (growth - 1.0))
        return pd.DataFrame(pnl.T, index=given.spot.index, columns=holdings.index)

    return Approximation(framed(first), framed(second))


def _greeks(holdings: pd.DataFrame, marks: pd.DataFrame, option: np.ndarray) -> tuple[np.ndarray, ...]:
    """Units, price, delta x spot and gamma x spot^2 of each position; a stock's delta is one, its gamma none."""
    numbers = ("quantity", "multiplier", "fx", "price")
    quantity, multiplier, fx, price = (holdings[name].to_numpy(dtype=float, na_value=np.nan) for name in numbers)
    delta, gamma = price.copy(), np.zeros(len(price))
    if option.any():
        found = marks[~marks.index.duplicated()].reindex(holdings.loc[option, "symbol"])
        spot = found["spot"].to_numpy(dtype=float)
        delta[option] = found["delta"].to_numpy(dtype=float) * spot
        gamma[option] = _gamma(found) * spot**2
    return quantity * multiplier * fx, price, delta, gamma


def _gamma(marks: pd.DataFrame) -> np.ndarray:
    if "gamma" in marks:
        return marks["gamma"].to_numpy(dtype=float)
    terms = (marks[name].to_numpy(dtype=float) for name in ("spot", "strike", "expiry_years", "rate", "volatility"))
    sign = np.where(marks["right"] == "put", -1, 1)
    return np.asarray(
        bsm_greeks(*terms, dividend_yield=marks["dividend_yield"].to_numpy(dtype=float), right=sign)["gamma"]
    )

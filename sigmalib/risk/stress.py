"""Revaluation of a book under moves of the market: options are always repriced in full."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.risk.options import bsm_price


def revalue(
    holdings: pd.DataFrame, marks: pd.DataFrame, returns: pd.DataFrame, fx_returns: pd.DataFrame
) -> pd.DataFrame:
    """P&L of each holding in each scenario, base currency (scenario x holding).

    holdings : HOLDINGS with ``spot`` and ``fx``. marks : by option symbol, what ``marks.mark`` gives.
    returns : (scenario x underlying) simple returns. fx_returns : (scenario x currency), the base currency may be
    absent. Moves are instantaneous: the time to expiry, volatilities and rates stay. NaN where a move is unknown.
    """
    rows = zip(holdings.index, holdings.to_dict("records"), strict=True)
    columns = {index: _profit(row, marks, returns, fx_returns) for index, row in rows}
    return pd.DataFrame(columns, index=returns.index, columns=holdings.index, dtype=float)


def _profit(
    row: Mapping[Hashable, Any], marks: pd.DataFrame, returns: pd.DataFrame, fx_returns: pd.DataFrame
) -> npt.NDArray[np.float64]:
    fx_move = fx_returns[row["currency"]].to_numpy() if row["currency"] in fx_returns else 0.0
    units = row["quantity"] * row["multiplier"] * row["fx"]
    if row["kind"] == "CASH":
        return units * row["price"] * np.broadcast_to(fx_move, len(returns))
    move = returns[row["underlying"]].to_numpy()
    if row["right"] not in ("call", "put"):
        return units * row["price"] * ((1.0 + move) * (1.0 + fx_move) - 1.0)
    mark = marks.loc[row["symbol"]]
    spots = np.append(mark["spot"], mark["spot"] * (1.0 + move))
    values = bsm_price(
        spots,
        mark["strike"],
        mark["expiry_years"],
        mark["rate"],
        mark["volatility"],
        dividend_yield=mark["dividend_yield"],
        right=mark["right"],
    )
    return units * (values[1:] * (1.0 + fx_move) - values[0])

"""Tail measures of a P&L distribution: value at risk and expected shortfall, losses positive."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError

Method = Literal["historical", "linear"]
TOLERANCE = 1e-9  # n x (1 - level) is off by float noise: 100 x (1 - 0.95) is 5.000000000000004


def value_at_risk(pnl: pd.Series | npt.ArrayLike, level: float = 0.95, method: Method = "historical") -> float:
    """The loss that is not exceeded in a share ``level`` of the outcomes; positive for a loss, in the unit of ``pnl``.

    pnl : (n_scenarios,), gains positive, no NaN. level : confidence in (0.5, 1).
    method : "historical" is the k-th worst outcome, k = ceil(n (1 - level)) (inverse of the empirical distribution);
    "linear" interpolates between order statistics (Hyndman and Fan's type 7, the default of R and NumPy).
    NaN without scenarios.

    >>> value_at_risk([-120, -80, -60, -40, -20, 0, 30, 50, 70, 90], level=0.8)
    80.0
    """
    outcomes, tail = _checked(pnl, level)
    if len(outcomes) == 0:
        return float("nan")
    if method == "linear":
        return 0.0 - float(np.quantile(outcomes, tail))
    if method != "historical":
        raise InputError(f"`method` must be 'historical' or 'linear', was {method!r}")
    worst = _boundary(len(outcomes), tail)
    return 0.0 - float(np.partition(outcomes, worst - 1)[worst - 1])


def expected_shortfall(
    pnl: pd.Series | npt.ArrayLike, level: float = 0.95, method: Literal["historical"] = "historical"
) -> float:
    """Mean loss in the worst ``1 - level`` share of the outcomes; positive for a loss, in the unit of ``pnl``.

    The outcome on the boundary counts in part (Acerbi and Tasche, 2002; Rockafellar and Uryasev, 2002). With less than
    one outcome in the tail it is the worst loss: see ``tail_observations``. NaN without scenarios.

    >>> expected_shortfall([-120, -80, -60, -40, -20, 0, 30, 50, 70, 90], level=0.75)
    92.0
    """
    outcomes, tail = _checked(pnl, level)
    if method != "historical":
        raise InputError(f"`method` must be 'historical', was {method!r}")
    if len(outcomes) == 0:
        return float("nan")
    size = len(outcomes) * tail
    worst = _boundary(len(outcomes), tail)
    ordered = np.sort(np.partition(outcomes, worst - 1)[:worst])
    if size < 1:
        return 0.0 - float(ordered[0])
    return 0.0 - float((ordered[:-1].sum() + (size - worst + 1) * ordered[-1]) / size)


def component_shortfall(pnl: pd.DataFrame, level: float = 0.95) -> pd.Series:
    """What each column adds to the expected shortfall of their sum; the parts add up to it exactly.

    pnl : (scenario x position), gains positive, no NaN. Minus the mean of each position's P&L over the tail of the
    book, the boundary scenario in part (Euler allocation; Tasche, 2000). NaN without scenarios.
    """
    book, tail = _checked(pnl.sum(axis=1), level)
    if len(book) == 0:
        return pd.Series(float("nan"), index=pnl.columns)
    size = max(1.0, len(book) * tail)
    worst = _boundary(len(book), tail)
    rows = np.argsort(book, kind="stable")[:worst]
    weights = np.append(np.ones(worst - 1), size - worst + 1) / size
    return pd.Series(0.0 - weights @ pnl.to_numpy()[rows], index=pnl.columns)


def tail_observations(count: int, level: float) -> float:
    """How many of ``count`` scenarios lie in the tail; below one, a tail measure is just the worst loss."""
    return count * (1.0 - level)


def _boundary(count: int, tail: float) -> int:
    return max(1, int(np.ceil(count * tail - TOLERANCE)))


def _checked(pnl: pd.Series | npt.ArrayLike, level: float) -> tuple[npt.NDArray[np.float64], float]:
    if not 0.5 < level < 1:
        hint = f"; pass {level / 100:g}" if 50 < level < 100 else ""
        raise InputError(f"`level` must lie in (0.5, 1), was {level:g}{hint}")
    outcomes = np.asarray(pnl, dtype=float)
    if outcomes.ndim != 1:
        raise InputError(f"`pnl` must be one series, had {outcomes.ndim} dimensions; sum the positions first")
    if not np.isfinite(outcomes).all():
        raise InputError(f"`pnl` has {(~np.isfinite(outcomes)).sum()} unknown value(s); drop them first and say so")
    return outcomes, 1.0 - level

"""What factors made of a book's realised P&L."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.factor_model.factor_book import FactorExposures

UNATTRIBUTED = "unattributed"


def factor_attribution(
    pnl: pd.Series | npt.ArrayLike,
    exposures: FactorExposures | pd.DataFrame | pd.Series | Mapping[str, float] | npt.ArrayLike,
    factor_returns: pd.DataFrame | pd.Series | npt.ArrayLike,
) -> pd.DataFrame:
    """P&L by factor, each session's by the exposures of the session before: (session) x factors, unattributed.

    pnl : (session,), money. exposures : (session x factor), money at the close of each session; a Series or mapping by
    factor, or an array of one number a factor, is what was held at every close. factor_returns : (session x factor).
    The exposures of a session never explain its own P&L. Where an exposure or a return is unknown (always in the first
    session of a frame of exposures) the factor's P&L is NaN and what it made remains in ``unattributed``: P&L less the
    known parts, so that each row sums to the P&L.

    >>> days = pd.bdate_range("2024-01-02", periods=3)
    >>> held = pd.DataFrame({"market": [100.0, 200.0, 999.0]}, index=days)
    >>> moves = pd.DataFrame({"market": [0.05, 0.01, 0.02]}, index=days)
    >>> factor_attribution(pd.Series([1.0, 2.0, 5.0], index=days), held, moves).to_numpy().tolist()
    [[nan, 1.0], [1.0, 1.0], [4.0, 1.0]]
    """
    money = pnl if isinstance(pnl, pd.Series) else pd.Series(np.asarray(pnl, dtype=float))
    sessions = money.index
    if not (sessions.is_unique and sessions.is_monotonic_increasing):
        raise InputError("`pnl` must have each session once, in order of time; sort it and drop the doubles")
    moves = _by_session(factor_returns, sessions, None, "factor_returns")
    if UNATTRIBUTED in moves:
        raise InputError(f"`factor_returns` may not have the column {UNATTRIBUTED!r}, which is the rest; rename it")
    held = exposures.total if isinstance(exposures, FactorExposures) else exposures
    before = _held_before(held, sessions, moves.columns)
    parts = before * moves.reindex(index=sessions, columns=before.columns).astype(float)
    parts = parts.where(np.isfinite(parts))
    parts[UNATTRIBUTED] = money.astype(float) - parts.sum(axis=1)
    return parts


def _by_session(table: Any, sessions: pd.Index, columns: pd.Index | None, name: str) -> pd.DataFrame:
    """A frame (session x factor) out of a frame, a named Series or an array of as many sessions."""
    if isinstance(table, pd.DataFrame):
        frame = table
    elif isinstance(table, pd.Series):
        frame = table.to_frame(0 if table.name is None else table.name)
    else:
        values = np.asarray(table, dtype=float)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != len(sessions):
            raise InputError(f"`{name}` must be (session, factor) with {len(sessions)} sessions, was {values.shape}")
        frame = pd.DataFrame(values, index=sessions, columns=columns)
    if not (frame.index.is_unique and frame.columns.is_unique):
        raise InputError(f"`{name}` has a session or a factor twice; keep one of them")
    return frame.sort_index()


def _held_before(held: Any, sessions: pd.Index, factors: pd.Index) -> pd.DataFrame:
    """The exposures at the close before each session; NaN where that close is not known."""
    held = _by_factor(held, sessions, factors)
    if isinstance(held, pd.Series) and not (len(factors) == 1 and held.index.equals(sessions)):
        row = held.to_numpy(dtype=float)
        return pd.DataFrame(np.tile(row, (len(sessions), 1)), index=sessions, columns=held.index)
    frame = _by_session(held, sessions, factors if len(np.shape(held)) > 1 else None, "exposures")
    if isinstance(held, pd.Series) and len(factors) == 1:
        frame = frame.set_axis(factors, axis=1)
    return frame.astype(float).reindex(frame.index.union(sessions)).shift(1).reindex(sessions)


def _by_factor(held: Any, sessions: pd.Index, factors: pd.Index) -> Any:
    """One number a factor as a Series by factor; whatever is by session as it is."""
    if isinstance(held, Mapping):
        return pd.Series(dict(held), dtype=float)
    if isinstance(held, pd.Series) and not isinstance(held.index, pd.RangeIndex):
        return held
    by_session = len(factors) == 1 and np.shape(held) == (len(sessions),)
    if np.ndim(held) > 1 or by_session or np.size(held) != len(factors):
        return held
    return pd.Series(np.atleast_1d(np.asarray(held, dtype=float)), index=factors)

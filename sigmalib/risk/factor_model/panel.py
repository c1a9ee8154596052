"""Returns and factors put side by side: one panel of the sessions that both know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.portfolio.performance import per_period

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Table = pd.DataFrame | pd.Series | npt.ArrayLike
Rate = float | pd.Series | npt.ArrayLike


@dataclass(frozen=True, eq=False)
class Panel:
    """The returns of assets and factors on the sessions that both know, oldest first.

    flat, row_step, asset_step, rows : the return of an asset in session t is flat[rows[t] row_step + asset asset_step],
    read where the caller keeps it. free : (session,), the risk-free rate of each period, to be taken off the returns.
    factors : (session, factor), that rate already taken off. sessions, assets, names : the labels of sessions, assets
    and factors. unknown : how many shared sessions were left out because a factor is unknown.
    """

    flat: Floats
    row_step: int
    asset_step: int
    rows: Integers
    free: Floats
    factors: Floats
    sessions: pd.Index
    assets: pd.Index
    names: pd.Index
    unknown: int

    @property
    def read(self) -> tuple[Any, ...]:
        """What a loop needs to read the excess returns."""
        return self.flat, self.row_step, self.asset_step, self.rows, self.free

    def last(self, count: int | None) -> Panel:
        """The panel of the last ``count`` sessions, or of all."""
        if count is None or count >= len(self.rows):
            return self
        rows, free, factors = self.rows[-count:], self.free[-count:], self.factors[-count:]
        return replace(self, rows=rows, free=free, factors=factors, sessions=self.sessions[-count:])


def panel(
    returns: Table, factors: Table, *, risk_free: Rate = 0.0, factors_in_excess: bool = False, periods_per_year: int
) -> Panel:
    """The panel of returns and factors; two pandas objects are joined by label, anything else session by session.

    Sessions with an unknown factor (NaN or infinite) are left out and counted. InputError when nothing is shared, a
    label comes twice, lengths differ, a value is no number, or the risk-free rate of a session is unknown.
    """
    own, days, assets = _table(returns, "returns")
    values, dates, names = _table(factors, "factors")
    here, there, sessions = _joined(own, days, values, dates)
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(values if there is None else values[there]).all(axis=1))
    rows, used = np.flatnonzero(known) if here is None else here[known], known if there is None else there[known]
    sessions = sessions if known.all() else sessions[known]
    if not len(rows):
        raise InputError("`returns` and `factors` share no session on which every factor is known; give more dates")
    free = _free(risk_free, sessions, known, periods_per_year)
    chosen = np.ascontiguousarray(values[used], dtype=float)
    return Panel(
        *_flat(own),
        rows=np.ascontiguousarray(rows, dtype=np.int64),
        free=free,
        factors=chosen if factors_in_excess else chosen - free[:, None],
        sessions=sessions,
        assets=assets,
        names=names,
        unknown=int(len(known) - known.sum()),
    )


def _table(table: Table, name: str) -> tuple[Floats, pd.Index | None, pd.Index]:
    """Values (session, column), the dates if there are any, and the columns."""
    if isinstance(table, pd.Series):
        table = table.to_frame(name if table.name is None else table.name)
    dates, columns = (table.index, table.columns) if isinstance(table, pd.DataFrame) else (None, None)
    try:
        values = _numbers(table)
    except (TypeError, ValueError) as problem:
        raise InputError(f"`{name}` must hold numbers: {problem}; drop or convert the columns that do not") from problem
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1]:
        raise InputError(f"`{name}` must be (session, column) with a column at least, was {values.shape}")
    labelled: pd.Index = pd.RangeIndex(values.shape[1]) if columns is None else columns
    for labels, kind in ((dates, "session"), (labelled, "column")):
        if labels is not None and not labels.is_unique:
            twice = labels[labels.duplicated()][0]
            raise InputError(f"`{name}` has the {kind} {twice!r} twice; keep one of them")
    return values, dates, labelled


def _numbers(table: pd.DataFrame | npt.ArrayLike) -> Floats:
    if not isinstance(table, pd.DataFrame):
        return np.asarray(table, dtype=float)
    plain = all(kind == np.float64 for kind in table.dtypes.unique())
    return table.to_numpy() if plain else table.to_numpy(dtype=float, na_value=np.nan)


def _joined(
    own: Floats, days: pd.Index | None, values: Floats, dates: pd.Index | None
) -> tuple[Integers | None, Integers | None, pd.Index]:
    """Which rows of the returns and of the factors belong together, None for all as they are, and their labels."""
    if days is not None and dates is not None and not (days.equals(dates) and days.is_monotonic_increasing):
        shared = days.intersection(dates).sort_values()
        return days.get_indexer(shared), dates.get_indexer(shared), shared
    if len(own) != len(values):
        raise InputError(f"`returns` has {len(own)} sessions, `factors` {len(values)}; give both as frames by date")
    labels = days if days is not None else dates
    return None, None, pd.RangeIndex(len(own)) if labels is None else labels


def _free(rate: Rate, sessions: pd.Index, known: npt.NDArray[np.bool_], periods_per_year: int) -> Floats:
    """The rate of each period out of annual effective ones: a number, a Series by date, or one for each session."""
    if isinstance(rate, pd.Series) and not isinstance(sessions, pd.RangeIndex):
        rate = rate.reindex(sessions)
    annual = np.asarray(rate, dtype=float)
    if annual.ndim and annual.shape == known.shape:
        annual = annual[known]
    if annual.ndim and annual.shape != sessions.shape:
        raise InputError(f"`risk_free` has the shape {annual.shape}, the sessions {sessions.shape}; give one a session")
    annual = np.broadcast_to(annual, sessions.shape)
    lost = ~(np.isfinite(annual) & (annual > -1.0))
    if lost.any():
        raise InputError(f"`risk_free` is unknown or at most -1 on {lost.sum()} of the sessions; fill it first")
    return np.array(per_period(annual, periods_per_year=periods_per_year))


def _flat(values: Floats) -> tuple[Floats, int, int]:
    """The values as one read-only line in the order of memory, and the steps to the next session and asset."""
    if not (values.flags.c_contiguous or values.flags.f_contiguous) or not values.flags.aligned:
        values = np.ascontiguousarray(values)
    flat = values.ravel(order="K").view()
    flat.setflags(write=False)  # always: one compiled loop serves tables that may be written to and those that may not
    sessions, assets = values.shape
    return (flat, assets, 1) if values.flags.c_contiguous else (flat, 1, sessions)


def named(labels: Sequence[Any] | pd.Index) -> str:
    """Labels in a sentence, at most six of them."""
    shown = ", ".join(map(str, list(labels)[:6]))
    return shown if len(labels) <= 6 else f"{shown} and {len(labels) - 6} more"

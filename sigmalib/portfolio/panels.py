"""Panels: a table, series or array of returns laid out asset by asset, as the loops take it, and back again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigmalib.core.compiled import in_parts
from sigmalib.core.errors import InputError
from sigmalib.portfolio.returns import Floats, Panel, by_date, free, in_order, numbers

CHUNK = 16  # assets that a core takes at a time


@dataclass(frozen=True, eq=False)
class Assets:
    """Returns by asset: ``values`` (asset x period), contiguous and read-only, and what they were given as."""

    values: Floats
    given: Panel

    @classmethod
    def of(cls, returns: Panel) -> Assets:
        """The assets of a frame (one a column), a Series, or an array of one or two dimensions (period x asset)."""
        in_order(returns)
        table = numbers(returns)
        if table.ndim not in (1, 2):
            raise InputError(f"`returns` must be a series or a table, had {table.ndim} dimensions; pass period x asset")
        return cls(read_only(np.atleast_2d(table.T)), returns)

    @property
    def names(self) -> pd.Index:
        """A label an asset."""
        if isinstance(self.given, pd.DataFrame):
            return self.given.columns
        if isinstance(self.given, pd.Series) and self.given.name is not None:
            return pd.Index(np.array([self.given.name], dtype=object)).infer_objects()
        return pd.RangeIndex(len(self.values))

    def like(self, found: Floats) -> Panel:
        """What was found, (asset x period), as the kind of table that was given."""
        if isinstance(self.given, pd.DataFrame):
            return pd.DataFrame(found.T, index=self.given.index, columns=self.given.columns, copy=False)
        if isinstance(self.given, pd.Series):
            return pd.Series(found[0], index=self.given.index, name=self.given.name, copy=False)
        return found.T if np.ndim(self.given) == 2 else found[0]

    def less(self, rates: Floats) -> Assets:
        """The same with the rate of each period taken off."""
        return Assets(read_only(self.values - rates), self.given)

    def rates(self, risk_free: float | pd.Series, periods_per_year: float) -> Floats:
        """The rate without risk of each period (period,)."""
        return free(self.given, risk_free, periods_per_year)

    def beside(self, benchmark: Panel) -> tuple[Floats, np.ndarray]:
        """The benchmark's return of each period, NaN where unknown, and whether it has the date at all."""
        if isinstance(benchmark, pd.DataFrame) and benchmark.shape[1] == 1:
            benchmark = benchmark.iloc[:, 0]
        present = np.ones(self.values.shape[1], bool)
        if isinstance(benchmark, pd.Series) and isinstance(self.given, pd.Series | pd.DataFrame):
            present = np.asarray(self.given.index.isin(benchmark.index)) if len(benchmark) else ~present
            benchmark = by_date(benchmark, self.given.index, "benchmark")
        found = numbers(benchmark, "benchmark")
        if found.shape != present.shape:
            raise InputError(f"`benchmark` has shape {found.shape} for {len(present)} returns; give one a period")
        return read_only(np.where(np.isfinite(found), found, np.nan)), present


def read_only(values: Floats) -> Floats:
    """The same numbers side by side in memory, not to be written to: a copy only where they are not yet."""
    laid = np.ascontiguousarray(values, dtype=np.float64).view()
    laid.flags.writeable = False
    return laid


def by_chunks(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(first, last)`` for all of ``count`` assets, some at a time, on all cores."""

    def part(starts: Floats) -> None:
        for start in starts.astype(int).tolist():
            work(start, min(start + CHUNK, count))

    in_parts(part, -(-count // CHUNK), [np.arange(0.0, count, CHUNK)], chunk=1)

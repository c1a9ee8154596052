"""Moves of the market: joint scenarios of spots, currencies, volatilities, rates and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Move = pd.DataFrame | pd.Series | npt.ArrayLike
Labelled = TypeVar("Labelled", pd.Series, pd.DataFrame)

UNKNOWN, STILL = 0, 1  # the first two rows of every table of moves: not known, and not moving


@dataclass(frozen=True, eq=False)
class Moves:
    """Joint moves of the market, one scenario a row of ``spot``; the rest is aligned to it by label.

    spot : (scenario x underlying) simple returns, -0.1 is a fall of a tenth. fx : (scenario x currency) simple returns
    of a currency against the base currency; without it no currency moves. volatility : relative change of each
    option's volatility, 0.25 is a quarter more; volatility_points : added to it afterwards, 0.05 is five points (below
    zero it stays zero). Both are a number, one a scenario, or (scenario x underlying). rate : added to the continuous
    rate of every option, 0.0025 is 25 basis points; a number or one a scenario. days : calendar days that pass.
    NaN is an unknown move, and so is a name, a currency or a scenario that a table does not have. An array is taken in
    the order of ``spot``. Raises InputError where a shape or a label does not fit.

    >>> Moves(pd.DataFrame({"AAA": [-0.1, 0.1]}), volatility_points=0.05).count
    2
    """

    spot: pd.DataFrame
    fx: pd.DataFrame | None = None
    volatility: Move = 0.0
    volatility_points: Move = 0.0
    rate: Move = 0.0
    days: Move = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.spot, pd.DataFrame):
            raise InputError(f"`spot` must be a frame (scenario x underlying), was {type(self.spot).__name__}")
        for name in ("spot", "fx", "volatility", "volatility_points"):
            given = getattr(self, name)
            if isinstance(given, pd.DataFrame) and not given.columns.is_unique:
                twice = given.columns[given.columns.duplicated()][0]
                raise InputError(f"`{name}` has the column {twice!r} more than once; keep one of them")

    @property
    def count(self) -> int:
        """How many scenarios there are."""
        return len(self.spot)

    def by_scenario(self, name: str) -> Floats:
        """``rate`` or ``days``, one a scenario."""
        return self._rows(name)[0] if self.count else np.empty(0)

    def by_name(self, name: str, names: pd.Index) -> tuple[Floats, Numbers]:
        """Rows of scenarios of a move, and which of them each of ``names`` follows."""
        given = getattr(self, name)
        if not isinstance(given, pd.DataFrame):
            return self._rows(name), np.zeros(len(names), dtype=np.int64)
        return self._table(given, names, name)

    def currencies(self, names: pd.Index, foreign: npt.NDArray[np.bool_]) -> tuple[Floats, Numbers]:
        """The same of currencies; one that ``fx`` does not have is unknown if it is ``foreign``, and else the base."""
        if self.fx is None:
            return np.zeros((1, self.count)), np.zeros(len(names), dtype=np.int64)
        rows, numbers = self._table(self.fx, names, "fx")
        rows[rows < -1.0] = np.nan
        return rows, np.where((numbers == UNKNOWN) & ~foreign, STILL, numbers)

    def _table(self, given: pd.DataFrame, names: pd.Index, what: str) -> tuple[Floats, Numbers]:
        """Rows of the distinct ``names`` after the two fixed ones, and the row of each of ``names``."""
        aligned = _aligned(given, self.spot.index, what)
        codes, distinct = pd.factorize(names)
        found = aligned.columns.get_indexer(pd.Index(distinct))
        rows = np.empty((2 + len(distinct), self.count))
        rows[UNKNOWN], rows[STILL], known = np.nan, 0.0, found >= 0
        if known.any():
            np.take(_numbers(aligned, what).T, found, axis=0, out=rows[2:], mode="clip")
        rows[2:][~known] = np.nan
        return rows, np.where(known, np.arange(len(found)) + 2, UNKNOWN)[codes].astype(np.int64)

    def _rows(self, name: str) -> Floats:
        given = getattr(self, name)
        if isinstance(given, pd.Series):
            given = _aligned(given, self.spot.index, name)
        values = np.asarray(given, dtype=float)
        if values.ndim > 1 or (values.ndim == 1 and len(values) != self.count):
            raise InputError(f"`{name}` must be a number or one for each of {self.count} scenarios, was {values.shape}")
        return np.array(np.broadcast_to(values, (1, self.count)))


def _aligned(given: Labelled, scenarios: pd.Index, what: str) -> Labelled:
    """``given`` by the labels of ``scenarios``; as it is where they are the same, even when some come twice."""
    if given.index.equals(scenarios):
        return given
    if not given.index.is_unique or not scenarios.is_unique:
        raise InputError(f"`{what}` has other scenarios than `spot`, and some come twice; give both the same index")
    return given.reindex(scenarios)


def _numbers(given: pd.DataFrame, what: str) -> Floats:
    try:
        return given.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{what}` must hold numbers: {error}") from error

"""A tail measure in parts, and the change a trade makes to it: the results of ``decomposition``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.tails.outcomes import Floats, numbers

Exposures = npt.ArrayLike | pd.Series | pd.DataFrame | Mapping[str, float]
Measure = Literal["var", "es"]
LARGEST = 1e90  # beyond this a variance overflows, and no book is so large


@dataclass(frozen=True, eq=False)
class Components:
    """A tail measure in parts, which add up to ``total``: the sequence of its components, position by position.

    Iterating, ``len``, ``sum``, ``np.sum`` and ``np.asarray`` see the components in the order of the positions.
    ``result["component"]`` and the other columns of ``frame`` are Series by position, and ``result["CAD"]`` is the
    component of that position.

    frame : (position) x exposure, marginal (change of the measure per unit of exposure), component, percent (fraction
    of the total; NaN when that is zero), stand_alone (the position's own measure). Losses are positive; a hedge has a
    negative component. method : "normal", "historical", or the estimator of a historical VaR. reason : why a number is
    NaN, else empty.
    """

    frame: pd.DataFrame
    total: float
    measure: Measure
    method: str
    level: float
    horizon: int = 1
    reason: str = ""

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, list) or name in self.frame.columns:
            return self.frame[name]
        if name in self.frame.index:
            return self.component.loc[name]
        raise InputError(f"there is no column or position {name!r}; the columns are {', '.join(self.frame.columns)}")

    def __iter__(self) -> Iterator[float]:
        return iter(self.component.tolist())

    def __len__(self) -> int:
        return len(self.frame)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.component, dtype=dtype)

    def sum(self, axis: int | None = None, dtype: npt.DTypeLike | None = None, out: None = None) -> float:
        """The components added up: the total. The arguments are those that ``np.sum`` hands over."""
        return float(np.asarray(self).sum(axis=axis, dtype=dtype, out=out))

    @property
    def marginal(self) -> pd.Series:
        """Change of the measure per unit of exposure."""
        return self.frame["marginal"]

    @property
    def component(self) -> pd.Series:
        """What each position adds."""
        return self.frame["component"]

    @property
    def percent(self) -> pd.Series:
        """Each component as a fraction of the total."""
        return self.frame["percent"]

    @property
    def stand_alone(self) -> pd.Series:
        """The measure of each position held alone."""
        return self.frame["stand_alone"]

    @property
    def undiversified(self) -> float:
        """The sum of the stand-alone measures: as if all fell together."""
        return float(self.stand_alone.sum())

    @property
    def benefit(self) -> float:
        """What diversification saves: undiversified less total."""
        return self.undiversified - self.total

    def to_dict(self) -> dict[str, Any]:
        """Every number with its conventions, as plain values."""
        return {
            "measure": self.measure,
            "method": self.method,
            "level": self.level,
            "horizon": self.horizon,
            "total": self.total,
            "undiversified": self.undiversified,
            "benefit": self.benefit,
            "positions": self.frame.rename_axis("position").reset_index().to_dict("records"),
            "reason": self.reason,
        }

    def _repr_html_(self) -> str:
        return self.frame.to_html()


@dataclass(frozen=True)
class Incremental:
    """What a trade does to a tail measure: ``change`` = ``after`` - ``before``, both computed in full.

    approximation : the change by the marginal measure, to be shown beside it and not used; good for small trades only.
    """

    before: float
    after: float
    approximation: float
    measure: Measure
    level: float

    @property
    def change(self) -> float:
        """The measure of the book with the trade less that without; positive when the trade adds risk."""
        return self.after - self.before

    def __float__(self) -> float:
        return self.change

    def to_dict(self) -> dict[str, Any]:
        """Every number, as plain values."""
        return {
            "measure": self.measure,
            "level": self.level,
            "before": self.before,
            "after": self.after,
            "change": self.change,
            "approximation": self.approximation,
        }


def parts_table(held: pd.Series, marginal: Floats, component: Floats, alone: Floats, total: float) -> pd.DataFrame:
    """The table of ``Components``; percent is NaN when the total is zero."""
    percent = component / total if total else np.full(len(component), np.nan)
    columns = {"exposure": held.to_numpy(), "marginal": marginal, "component": component, "percent": percent}
    return pd.DataFrame(columns | {"stand_alone": alone}, index=held.index)


def labelled(values: Exposures, name: str) -> pd.Series:
    """One number for each name as a Series; numbered from 0 when there are no names."""
    known = pd.Series(values) if isinstance(values, Mapping) else values
    index = getattr(known, "index", None) if isinstance(known, pd.Series | pd.DataFrame) else None
    found = numbers(known, name)
    found = found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else np.atleast_1d(found)
    if found.ndim != 1 or not (np.abs(found) < LARGEST).all():
        raise InputError(f"`{name}` must be one known number for each position, was {found.tolist()}")
    return pd.Series(found, index=index)


def labels_of(values: Any) -> pd.Index | None:
    """The labels that a Series, a frame (of its rows) or a mapping has; None of anything else."""
    if isinstance(values, Mapping):
        return pd.Series(values).index
    return values.index if isinstance(values, pd.Series | pd.DataFrame) else None


def matched(first: pd.Index | None, second: pd.Index | None) -> bool:
    """Whether numbers go together by label, not by place: both have names, or the same labels in whatever order."""
    if first is None or second is None:
        return False
    return (are_names(first) and are_names(second)) or set(first) == set(second)


def are_names(labels: pd.Index | None) -> bool:
    """Whether labels say more than a place."""
    return labels is not None and not isinstance(labels, pd.RangeIndex)

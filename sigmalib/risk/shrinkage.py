"""Ledoit-Wolf shrinkage: a covariance that can be inverted, and correlations less extreme than the sample's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.tails.outcomes import Floats, numbers

MINIMUM_OVERLAP = 60  # sessions a pair must share
NOTHING = 1e-24  # squared distance to the target, as a share of the sample, at which the two are one

Target = Literal["constant_correlation", "identity"]


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A Ledoit-Wolf estimate: covariance (name x name) in squared return units, its correlations, and how it came.

    intensity : weight of the target, 0 to 1. observations : sessions on which all these names are known.
    left_out : names with too little history, in neither matrix.
    """

    covariance: pd.DataFrame
    correlation: pd.DataFrame
    intensity: float
    target: Target
    observations: int
    left_out: tuple[str, ...]


def shrunk(
    returns: pd.DataFrame, *, target: Target = "constant_correlation", minimum_overlap: int = MINIMUM_OVERLAP
) -> Shrunk:
    """The sample covariance drawn towards a target by the weight of least expected error, and its correlations.

    returns : (session x name). Names with fewer than ``minimum_overlap`` known sessions are left out, then those with
    the fewest until the rest share that many; only shared sessions count. Covariances divide by n, as in the sources.
    target : "constant_correlation" keeps variances and draws correlations to their mean (Ledoit and Wolf, 2004,
    "Honey, I shrunk the sample covariance matrix", J. of Portfolio Management 30(4), appendix); "identity" draws to the
    mean variance times the identity (Ledoit and Wolf, 2004, "A well-conditioned estimator for large-dimensional
    covariance matrices", J. of Multivariate Analysis 88(2), section 3.3). Empty matrices and NaN when no name is left.

    >>> moves = pd.DataFrame(np.random.default_rng(1).normal(0, 0.01, (100, 3)), columns=list("ABC"))
    >>> bool(shrunk(moves).intensity > 0.5)
    True
    """
    if target not in ("constant_correlation", "identity"):
        raise InputError(f"`target` must be 'constant_correlation' or 'identity', was {target!r}")
    table, left_out = _shared(table_of(returns), minimum_overlap)
    names = table.columns
    if not len(names):
        empty = pd.DataFrame(index=names, columns=names, dtype=float)
        return Shrunk(empty, empty, math.nan, target, 0, left_out)
    apart = table.to_numpy() - table.to_numpy().mean(axis=0)
    unit = float(np.abs(apart).max()) or 1.0
    estimate = _to_constant_correlation if target == "constant_correlation" else _to_identity
    matrix, intensity = estimate(np.ascontiguousarray(apart / unit))
    deviation = np.sqrt(np.diag(matrix))
    known = np.where(deviation > 0, deviation, np.nan)
    return Shrunk(
        pd.DataFrame(matrix * unit**2, index=names, columns=names),
        pd.DataFrame(matrix / known / known[:, None], index=names, columns=names).clip(-1.0, 1.0),
        intensity,
        target,
        len(table),
        left_out,
    )


def table_of(returns: pd.DataFrame | npt.ArrayLike) -> pd.DataFrame:
    """Returns (session x name) as floats, what is infinite as NaN; InputError for names that stand twice.

    >>> table_of([[1.0, float("inf")]]).isna().to_numpy().tolist()
    [[False, True]]
    """
    values = numbers(returns, "returns")
    if values.ndim != 2:
        raise InputError(f"`returns` must be a table (session x name), had {values.ndim} dimension(s)")
    table = pd.DataFrame(np.where(np.isfinite(values), values, np.nan), columns=getattr(returns, "columns", None))
    if not table.columns.is_unique:
        twice = sorted(map(str, table.columns[table.columns.duplicated()]))
        raise InputError(f"`returns` must have each name once, had {', '.join(twice)} more often")
    return table


def _shared(table: pd.DataFrame, minimum: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The sessions all names share, after leaving out those with too little history; and who was left out."""
    known = table.notna()
    counts = known.sum().sort_values(kind="stable")
    kept = [name for name in counts.index if counts[name] >= minimum]
    while kept and known[kept].all(axis=1).sum() < minimum:
        kept = kept[1:]
    columns = [name for name in table.columns if name in set(kept)]
    return table[columns].dropna(), tuple(str(name) for name in table.columns if name not in set(kept))


def _to_identity(apart: Floats) -> tuple[Floats, float]:
    """Towards the mean variance times the identity; returns centred, (session x name)."""
    count, size = apart.shape
    sample = apart.T @ apart / count
    target = np.trace(sample) / size * np.eye(size)
    spread = float(((sample - target) ** 2).sum())
    squares = apart**2
    noise = float((squares.T @ squares / count - sample**2).sum()) / count
    intensity = _weight(noise, spread, sample)
    return (1 - intensity) * sample + intensity * target, intensity


def _to_constant_correlation(apart: Floats) -> tuple[Floats, float]:
    """Towards the sample's variances with one correlation for all; returns centred, (session x name)."""
    count, size = apart.shape
    sample = apart.T @ apart / count
    variance = np.diag(sample)
    deviation = np.sqrt(variance)
    moving = np.where(deviation > 0, deviation, 1.0)
    if size < 2:
        return sample, 0.0
    common = (float((sample / moving / moving[:, None]).sum()) - float((deviation > 0).sum())) / (size * (size - 1))
    target = common * np.outer(deviation, deviation)
    np.fill_diagonal(target, variance)
    squares = apart**2
    pi_matrix = squares.T @ squares / count - sample**2
    theta = (apart**3).T @ apart / count - variance[:, None] * sample  # theta_ii,ij
    np.fill_diagonal(theta, 0.0)
    rho = float(np.trace(pi_matrix)) + common * float((np.outer(1 / moving, deviation) * theta).sum())
    spread = float(((sample - target) ** 2).sum())
    intensity = (
        min(1.0, max(0.0, (float(pi_matrix.sum()) - rho) / spread / count))
        if spread > NOTHING * float((sample**2).sum())
        else 0.0
    )
    return (1 - intensity) * sample + intensity * target, intensity


def _weight(noise: float, spread: float, sample: Floats) -> float:
    """Noise over spread within 0 and 1; 0 where sample and target are one, as for two names with one correlation."""
    return min(1.0, max(0.0, noise / spread)) if spread > NOTHING * float((sample**2).sum()) else 0.0

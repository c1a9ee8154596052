"""Random samples, always from a given seed: bootstrap draws of a history, simulated joint moves of many names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.tails.distributions import degrees_of_freedom_of, fitted_degrees_of_freedom
from sigmalib.risk.tails.outcomes import Floats, Missing, numbers, whole

Model = Literal["normal", "student_t"]
CELLS = 2_000_000  # outcomes held at once while bootstrapping: 16 MB


def stationary_bootstrap(count: int, replicates: int, block: float, *, seed: int) -> Iterator[npt.NDArray[np.intp]]:
    """Row numbers of bootstrap samples, in batches of (samples, count): runs of geometric length ``block`` on average.

    Runs start anywhere and wrap around the end; ``block`` 1 is the i.i.d. bootstrap.
    Source: Politis and Romano (1994), "The stationary bootstrap", JASA 89, section 2.

    >>> next(stationary_bootstrap(5, 1, 100.0, seed=1))
    array([[4, 0, 1, 2, 3]])
    """
    random, steps = np.random.default_rng(seed), np.arange(count)
    batch = max(1, CELLS // max(1, count))
    for start in range(0, replicates, batch):
        shape = (min(batch, replicates - start), count)
        fresh = random.random(shape) * block < 1
        fresh[:, 0] = True
        begun = np.maximum.accumulate(np.where(fresh, steps, 0), axis=1)
        origins = np.take_along_axis(random.integers(0, count, shape), begun, axis=1)
        yield (origins + steps - begun) % count


def monte_carlo_scenarios(
    returns: pd.DataFrame | npt.ArrayLike,
    count: int,
    *,
    seed: int,
    model: Model = "normal",
    degrees_of_freedom: float | None = None,
    mean_zero: bool = True,
    missing: Missing = "raise",
) -> pd.DataFrame:
    """Simulated joint one-session moves (scenario x name), to reprice a book in full; same unit as ``returns``.

    returns : (session x name). They set the covariance (ddof 1), made positive definite where it is not, and the mean
    unless ``mean_zero``. model : "normal", or "student_t" with one common chi-square factor, so that names crash
    together, scaled to the same covariance; without ``degrees_of_freedom`` they are those of greatest likelihood for
    all standardised returns together. missing : "drop" uses only the sessions on which every name is known.
    Raises InputError for unknown returns, and with fewer than two sessions.
    The standard error of a quantile read from N scenarios is ``quantile_error``.
    Source: Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 2.3 and p. 510.

    >>> moves = pd.DataFrame({"A": [0.01, -0.01, 0.02], "B": [0.0, 0.01, -0.01]})
    >>> monte_carlo_scenarios(moves, 2, seed=1).shape
    (2, 2)
    """
    history = _history(returns, missing)
    if model not in ("normal", "student_t"):
        raise InputError(f"`model` must be 'normal' or 'student_t', was {model!r}")
    count = whole(count, "count")
    random, values = np.random.default_rng(seed), history.to_numpy()
    moves = random.standard_normal((count, values.shape[1])) @ covariance_root(values).T
    if model == "student_t":
        freedom = _freedom(values, degrees_of_freedom)
        if freedom < math.inf:
            moves *= np.sqrt((freedom - 2) / random.chisquare(freedom, (count, 1)))
    return pd.DataFrame(moves if mean_zero else moves + values.mean(axis=0), columns=history.columns)


def covariance_root(values: Floats) -> Floats:
    """Lower triangle L with L L' the covariance (ddof 1) of ``values`` (session x name), also where that is singular.

    Eigenvalues of the correlation matrix below 1e-10 are raised to it and the diagonal is set back to one; a name that
    never moves has a row of zeros.
    """
    deviation = values.std(axis=0, ddof=1)
    unit = np.where(deviation > 0, deviation, 1.0)
    correlation = np.atleast_2d(np.cov(values / unit, rowvar=False))
    np.fill_diagonal(correlation, 1.0)
    roots, vectors = np.linalg.eigh(correlation)
    if roots.min(initial=1.0) < 1e-10:
        correlation = (vectors * np.maximum(roots, 1e-10)) @ vectors.T
        size = np.sqrt(np.diag(correlation))
        correlation = correlation / size / size[:, None]
    return np.linalg.cholesky(correlation) * deviation[:, None]


def quantile_error(count: int, tail: float, density: npt.ArrayLike) -> Floats:
    """Standard error of a simulated quantile, sqrt(a (1 - a) / N) / f(q), with the density f at the quantile.

    Source: Glasserman (2004), p. 490; David and Nagaraja (2003), section 10.2.

    >>> float(quantile_error(10_000, 0.05, 0.103136).round(5))
    0.02113
    """
    return np.asarray(math.sqrt(tail * (1 - tail) / count) / np.asarray(density, dtype=float))


def _history(returns: pd.DataFrame | npt.ArrayLike, missing: Missing) -> pd.DataFrame:
    values = numbers(returns, "returns")
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise InputError(f"`returns` must be a table (session x name), had {values.ndim} dimensions")
    known = np.isfinite(values).all(axis=1)
    if missing != "drop" and not known.all():
        raise InputError(f"`returns` is unknown on {(~known).sum()} session(s); pass missing='drop' to leave them out")
    if known.sum() < 2:
        raise InputError(f"`returns` must have two sessions or more with every name known, had {known.sum()}")
    return pd.DataFrame(values[known], columns=getattr(returns, "columns", None))


def _freedom(values: Floats, given: float | None) -> float:
    if given is not None:
        return degrees_of_freedom_of(given)
    deviation = values.std(axis=0, ddof=1)
    moving = values[:, deviation > 0]
    return fitted_degrees_of_freedom(((moving - moving.mean(axis=0)) / deviation[deviation > 0]).ravel())

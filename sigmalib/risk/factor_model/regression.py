"""Least squares of many assets on one set of factors: the arrays behind ``factors.factor_betas`` and ``rolling_betas``.

Coefficients are ordered intercept first, then factors. Sources: Newey and West (1987), equation 5; Hoerl and Kennard
(1970) for ridge; Golub, Heath and Wahba (1979) for its penalty; Belsley, Kuh and Welsch (1980), chapter 3, for the
condition number of scaled factors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sigmalib.core.compiled import Later, in_parts
from sigmalib.risk.factor_model.panel import Floats, Integers, Panel

NEGLIGIBLE = 1e-12  # a deviation below this share of the largest value is none
DEPENDENT = 1e-9  # and so is a direction of the factors, below this share of the widest
ROUNDED = 1e-7  # the same of a deviation that is the root of a difference of sums
PENALTIES = 10.0 ** np.arange(-6.0, 1.01, 0.25)  # per observation, among which cross-validation chooses
PART = 512  # assets below which a second thread costs more than it saves

FINE, FEW, SINGULAR, OVERFLOW, CONSTANT, EXACT = range(6)

_loops = Later("sigmalib.risk.kernels.regression")
_rolling = Later("sigmalib.risk.kernels.rolling_regression")


@dataclass(frozen=True, eq=False)
class Basis:
    """The directions of a set of factors: factors = means + directions x (lengths x axes') x deviations / sqrt(n).

    matrix : (session, 1 + rank): ones, then orthogonal columns of mean square 1. means, deviations : (factor,), the
    deviation 0 for a factor that never moves. lengths : (rank,), singular values of the standardised factors, by the
    population's deviation. axes : (factor, rank). back : (1 + factor, 1 + rank), coefficients out of scores; all NaN
    when the factors are dependent. condition : the longest over the shortest length, vif : by factor; NaN when the
    factors are dependent, and dependent : the numbers of those that are.
    """

    matrix: Floats
    means: Floats
    lengths: Floats
    axes: Floats
    deviations: Floats
    back: Floats
    condition: float
    vif: Floats
    dependent: Integers

    @classmethod
    def of(cls, factors: Floats) -> Basis:
        """The basis of factors (session, factor), every value known."""
        with np.errstate(all="ignore"):
            return cls._of(factors)

    @classmethod
    def _of(cls, factors: Floats) -> Basis:
        count, width = factors.shape
        scale = np.ldexp(1.0, np.frexp(np.abs(factors).max(axis=0))[1] - 1)  # powers of two: no digit is lost
        scaled = factors / scale
        middle = scaled.mean(axis=0)
        away = scaled - middle
        away -= away.mean(axis=0)
        deviations = np.sqrt((away**2).mean(axis=0))
        deviations[deviations <= NEGLIGIBLE] = 0.0
        standard = away / np.where(deviations > 0, deviations, np.inf)
        left, lengths, right = np.linalg.svd(standard, full_matrices=False)
        wide = lengths > DEPENDENT * max(lengths.max(initial=0.0), NEGLIGIBLE)
        rank = int(wide.sum())
        matrix = np.empty((count, 1 + rank))
        matrix[:, 0], matrix[:, 1:] = 1.0, left[:, wide] * np.sqrt(count)
        lengths, axes = lengths[wide], right[wide].T
        back, condition, vif = np.full((1 + width, 1 + rank), np.nan), np.nan, np.full(width, np.nan)
        if rank == width:
            back[1:, 0] = 0.0
            back[1:, 1:] = axes / lengths * np.sqrt(count) / (deviations * scale)[:, None]
            back[0] = -(middle * scale) @ back[1:]
            back[0, 0] = 1.0
            condition, vif = float(lengths[0] / lengths[-1]), (axes**2 / lengths**2).sum(axis=1) * count
            back[:] = back if np.isfinite(back).all() else np.nan
        null = right[~wide] if width <= count else np.ones((1, width))
        dependent = np.flatnonzero((deviations == 0) | ((np.abs(null) > 0.1).any(axis=0) & (rank < width)))
        return cls(matrix, middle * scale, lengths, axes, deviations * scale, back, condition, vif, dependent)


@dataclass(frozen=True, eq=False)
class Fit:
    """Estimates by asset; coefficients, variances (Newey-West) and ridge are (asset, 1 + factor), the rest (asset,).

    residual_variance : of a period, over observations less coefficients. status : FINE, or why something is NaN.
    """

    coefficients: Floats
    variances: Floats
    ridge: Floats
    penalties: Floats
    r_squared: Floats
    residual_variance: Floats
    observations: Integers
    lags: Integers
    status: npt.NDArray[np.int8]

    @classmethod
    def blank(cls, observations: Integers, lags: Integers, width: int) -> Fit:
        """All NaN, and the status FEW."""
        count = len(observations)
        coefficients, variances, ridge = np.full((3, count, 1 + width), np.nan)
        penalties, explained, residual = np.full((3, count), np.nan)
        status = np.full(count, FEW, np.int8)
        return cls(coefficients, variances, ridge, penalties, explained, residual, observations, lags, status)


def bandwidth(observations: npt.ArrayLike) -> Integers:
    """Lags of Newey and West's covariance: floor(4 (n / 100) ** (2 / 9)), less than n.

    >>> bandwidth([60, 252, 750])
    array([3, 4, 6])
    """
    count = np.asarray(observations, dtype=float)
    lags = np.floor(4.0 * (count / 100.0) ** (2.0 / 9.0))
    return np.maximum(np.minimum(lags, count - 1), 0).astype(np.int64)


def fit(panel: Panel, basis: Basis, *, minimum: int, lags: int | None, penalty: float | None) -> Fit:
    """Ordinary least squares with intercept, Newey-West variances, and ridge, of every asset of the panel.

    minimum : known returns below which an asset has no estimates; at least two more than factors. lags : NaN ... of
    every asset, or None for ``bandwidth`` of its observations. penalty : of ridge, or None to let cross-validation
    choose it for each asset.
    """
    most, width = len(panel.rows), len(panel.names)
    counts, whole, partial = _sorted(panel, max(minimum, width + 2))
    lags_of = np.minimum(
        bandwidth(np.arange(most + 1)) if lags is None else lags, np.maximum(np.arange(most + 1) - 1, 0)
    )
    made = Fit.blank(counts, lags_of[counts], width)
    with np.errstate(all="ignore"):
        if len(whole):
            _fit_whole(panel, basis, whole, penalty, made)
        if len(partial):
            _fit_partial(panel, basis, lags_of, partial, penalty, made)
    made.ridge[~np.isfinite(made.ridge)] = np.nan
    return made


def roll(panel: Panel, basis: Basis, *, window: int, minimum: int) -> Floats:
    """Coefficients (window, 1 + factor, asset) over each ``window`` sessions, the first of them first.

    NaN with fewer than ``minimum`` known returns in the window, and where the factors do not move apart in it.
    """
    minimum = max(minimum, len(panel.names) + 2)
    counts, whole, partial = _sorted(panel, minimum)
    out = np.empty((len(panel.rows) - window + 1, 1 + len(panel.names), len(counts)))
    if len(whole) + len(partial) < len(counts) or np.isnan(basis.back).any():
        out[:] = np.nan
    if np.isnan(basis.back).any():
        return out
    if len(whole):
        given = (*panel.read, basis.matrix, _solvers(basis, window))
        _each(lambda some: _rolling.roll_complete(*given, some, out), whole)
    if len(partial):
        given = (*panel.read, basis.matrix, basis.back, window, minimum)
        _each(lambda some: _rolling.roll_partial(*given, some, out), partial)
    return out


def two_sided(statistics: Floats) -> Floats:
    """The probability that a standard normal number is as far from 0, of each; NaN of NaN."""
    out = np.empty(statistics.size)
    _loops.two_sided(np.ascontiguousarray(statistics, dtype=float).ravel(), out)
    return out.reshape(statistics.shape)


def _sorted(panel: Panel, minimum: int) -> tuple[Integers, Integers, Integers]:
    """Known returns of each asset; the assets that know all sessions, and those that know some but enough."""
    every, counts = np.arange(len(panel.assets)), np.zeros(len(panel.assets), np.int64)
    _each(lambda some: _loops.observed(*panel.read, some, counts), every)
    enough = counts >= minimum
    whole = counts == len(panel.rows)
    return counts, np.flatnonzero(enough & whole), np.flatnonzero(enough & ~whole)


def _each(loop: Callable[[Any], None], assets: Any) -> None:
    """Run ``loop`` over the assets, a part of them on each core."""
    in_parts(loop, len(assets), [assets], chunk=PART)


def _solvers(basis: Basis, window: int) -> Floats:
    """What makes coefficients out of each window's sums of basis x return (window, coefficient, 1 + rank)."""
    windows = np.lib.stride_tricks.sliding_window_view(basis.matrix, window, axis=0)
    grams = windows @ windows.swapaxes(1, 2)
    solvers = np.full_like(grams, np.nan)
    apart = np.linalg.eigvalsh(grams)[:, 0] > 1e-12 * window
    solvers[apart] = basis.back @ np.linalg.inv(grams[apart])
    return solvers


def _fit_whole(panel: Panel, basis: Basis, whole: Integers, penalty: float | None, made: Fit) -> None:
    """Fill in the assets that know all sessions."""
    count, lags = len(panel.rows), int(made.lags[whole[0]])
    rank, width = len(basis.lengths), len(panel.names)
    scores, sums = np.empty((len(made.status), 1 + rank)), np.empty((len(made.status), 3))
    influence = np.zeros((1 + width, count + 2 * (lags + 1)))
    influence[:, lags + 1 : lags + 1 + count] = basis.back @ basis.matrix.T / count
    given = (*panel.read, basis.matrix, influence, lags)
    results = (scores, made.variances, sums)
    _each(lambda some: _loops.fit_complete(*given, some, *results), whole)
    scores, sums = scores[whole], sums[whole]
    made.coefficients[whole] = scores @ basis.back.T
    _finish(made, whole, sums, np.full(len(whole), not np.isnan(basis.back).any()))
    projections = scores[:, 1:] * (basis.lengths * np.sqrt(count))
    counts = np.full(len(whole), float(count))
    chosen, along = _ridge((basis.lengths**2)[None], projections, sums[:, 0], counts, penalty)
    betas = along @ basis.axes.T / _or_nan(basis.deviations)
    made.penalties[whole], made.ridge[whole, 1:] = chosen, betas
    made.ridge[whole, 0] = scores[:, 0] - np.nansum(betas * basis.means, axis=1)


def _fit_partial(
    panel: Panel, basis: Basis, lags_of: Integers, partial: Integers, penalty: float | None, made: Fit
) -> None:
    """Fill in the assets that do not know all sessions."""
    count, wide = len(made.status), basis.matrix.shape[1]
    grams, meats = np.empty((count, wide, wide)), np.empty((count, wide, wide))
    crosses, scores, sums, solved = (
        np.empty((count, wide)),
        np.empty((count, wide)),
        np.empty((count, 3)),
        np.ones(count),
    )
    given, results = (*panel.read, basis.matrix, lags_of), (grams, crosses, meats, scores, sums, solved)
    _each(lambda some: _loops.fit_partial(*given, some, *results), partial)
    grams, crosses, sums, good = grams[partial], crosses[partial], sums[partial], solved[partial] > 0
    made.coefficients[partial] = scores[partial] @ basis.back.T
    bread = np.full_like(grams, np.nan)
    bread[good] = np.linalg.inv(grams[good])
    reach = basis.back @ bread
    made.variances[partial] = np.einsum("iab,ibc,iac->ia", reach, meats[partial], reach, optimize=True)
    _finish(made, partial, sums, good & ~np.isnan(basis.back).any())
    _ridge_partial(basis, partial, grams, crosses, sums[:, 0], penalty, made)


def _ridge_partial(
    basis: Basis, partial: Integers, grams: Floats, crosses: Floats, residuals: Floats, penalty: float | None, made: Fit
) -> None:
    """Ridge of the assets that do not know all sessions, each with the deviations of its own sessions."""
    counts = grams[:, 0, 0]
    lean, level = grams[:, 1:, 0] / counts[:, None], crosses[:, 0] / counts
    to_factors = (basis.lengths / np.sqrt(len(basis.matrix)))[:, None] * basis.axes.T * basis.deviations
    spread = to_factors.T @ (grams[:, 1:, 1:] - counts[:, None, None] * lean[:, :, None] * lean[:, None]) @ to_factors
    toward = (crosses[:, 1:] - lean * crosses[:, :1]) @ to_factors
    deviations = np.sqrt(np.maximum(np.einsum("ikk->ik", spread), 0.0) / counts[:, None])
    deviations = _or_nan(np.where(deviations > ROUNDED * basis.deviations, deviations, 0.0))
    standard = np.nan_to_num(spread / (deviations[:, :, None] * deviations[:, None]), posinf=0.0, neginf=0.0)
    spectra, axes = np.linalg.eigh(standard)
    spectra = np.where(spectra > ROUNDED**2 * counts[:, None], spectra, 0.0)
    projections = np.einsum("ikm,ik->im", axes, np.nan_to_num(toward / deviations, posinf=0.0, neginf=0.0))
    chosen, along = _ridge(spectra, projections, residuals, counts, penalty)
    betas = np.einsum("ikm,im->ik", axes, along) / deviations
    made.penalties[partial], made.ridge[partial, 1:] = chosen, betas
    made.ridge[partial, 0] = level - np.nansum(betas * (basis.means + lean @ to_factors), axis=1)


def _ridge(
    spectra: Floats, projections: Floats, residuals: Floats, counts: Floats, penalty: float | None
) -> tuple[Floats, Floats]:
    """The penalty of each asset, and its ridge scores along the directions of the spectrum."""
    penalties, scores = np.empty(len(projections)), np.empty(projections.shape)
    given = np.nan if penalty is None else float(penalty)
    lined = (np.ascontiguousarray(each) for each in (spectra, projections, residuals, counts))
    _loops.ridge(*lined, PENALTIES, given, penalties, scores)
    return penalties, scores


def _finish(made: Fit, some: Integers, sums: Floats, solved: npt.NDArray[np.bool_]) -> None:
    """R squared, residual variance and status out of the sums; what has no meaning becomes NaN."""
    residual, total, largest = sums.T
    counts = made.observations[some]
    estimated = (made.coefficients[some], made.variances[some])
    finite = np.isfinite(np.column_stack((sums, *estimated))).all(axis=1)
    least = counts * (NEGLIGIBLE * largest) ** 2
    constant, exact = total <= least, residual <= least
    residual = np.where(exact, 0.0, residual)
    kinds = [~solved, ~finite, constant, exact]
    status = np.select(kinds, [SINGULAR, OVERFLOW, CONSTANT, EXACT], FINE).astype(np.int8)
    made.status[some] = status
    made.r_squared[some] = np.where(constant, np.nan, 1.0 - residual / total)
    made.residual_variance[some] = residual / (counts - made.coefficients.shape[1])
    made.variances[some[exact]] = 0.0
    made.coefficients[some[constant & solved], 1:] = 0.0
    lost = some[(status == SINGULAR) | (status == OVERFLOW)]
    for array in (made.coefficients, made.variances, made.r_squared, made.residual_variance):
        array[lost] = np.nan


def _or_nan(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)

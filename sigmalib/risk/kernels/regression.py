"""Loops of the factor regressions: least squares of many assets on one set of factors, many assets side by side.

The factors come as an orthonormal basis (column 0 is one, the others have mean 0 and mean square 1 over all sessions),
so that every Gram matrix is well conditioned whatever the factors are. A return is read as
``flat[rows[t] * row_step + asset * asset_step] - free[t]``: any order in memory, no copy. A value that is not finite is
unknown: its session is left out for that asset.

Newey and West's (1987) sum with Bartlett weights is taken as the sum of squares of moving sums over ``lags + 1``
observations, divided by ``lags + 1``, zeros beyond both ends: the same number, never negative, and no dearer for more
lags.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import SUMMING, compiled

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LANES = 64  # assets side by side, each with a matrix of its own; fewer lose more to the starts of loops
WIDE = 128  # the same, of loops whose assets share one matrix
LARGEST = 1.7976931348623157e308
PIVOT = 1e-10  # a pivot below this share of its diagonal is none: the factors do not move apart on these sessions


@compiled(allowing=SUMMING)
def observed(
    flat: Floats, row_step: int, asset_step: int, rows: Integers, free: Floats, assets: Integers, counts: Integers
) -> None:
    """The number of known returns of each of ``assets``, which lie side by side: ``counts[asset]``."""
    for first in range(0, len(assets), WIDE):
        wide = min(WIDE, len(assets) - first)
        found, place = np.zeros(WIDE), assets[first]
        for t in range(len(rows)):
            start, rate = rows[t] * row_step + place * asset_step, free[t]
            if asset_step == 1:
                near = flat[start : start + wide]
                for j in range(wide):
                    found[j] += 1.0 if abs(near[j] - rate) <= LARGEST else 0.0
            else:
                for j in range(wide):
                    found[j] += 1.0 if abs(flat[start + j * asset_step] - rate) <= LARGEST else 0.0
        for j in range(wide):
            counts[place + j] = int(found[j])


@compiled(allowing=SUMMING)
def gather(
    flat: Floats,
    row_step: int,
    asset_step: int,
    rows: Integers,
    free: Floats,
    assets: Integers,
    first: int,
    tile: Floats,
    above: int,
) -> None:
    """Excess returns of assets from ``first`` on, into ``tile`` below ``above`` rows; lanes beyond repeat the last."""
    last, wide = len(assets) - 1, tile.shape[1]
    places = np.empty(wide, np.int64)
    for j in range(wide):
        places[j] = assets[min(first + j, last)] * asset_step
    beside = asset_step == 1 and places[wide - 1] - places[0] == wide - 1
    for t in range(len(rows)):
        start, rate = rows[t] * row_step, free[t]
        if beside:
            near = flat[start + places[0] : start + places[0] + wide]
            for j in range(wide):
                tile[above + t, j] = near[j] - rate
        else:
            for j in range(wide):
                tile[above + t, j] = flat[start + places[j]] - rate


@compiled(allowing=SUMMING)
def fit_complete(
    flat: Floats,
    row_step: int,
    asset_step: int,
    rows: Integers,
    free: Floats,
    basis: Floats,
    influence: Floats,
    lags: int,
    assets: Integers,
    scores: Floats,
    variances: Floats,
    sums: Floats,
) -> None:
    """Least squares of assets whose every return is known.

    basis : (session, 1 + rank). influence : (coefficient, lags + 1 + session + lags + 1), what a unit residual adds to
    each coefficient, zeros beyond both ends. Written by asset: scores (1 + rank) in the basis, variances of the
    coefficients (Newey-West), sums (squared residuals, squared deviations, largest absolute return).
    """
    count, width, wanted, pad = len(rows), basis.shape[1], influence.shape[0], lags + 1
    tile, cross = np.zeros((count + 2 * pad, WIDE)), np.empty((width, WIDE))
    moving, squares, spread, largest = np.empty(WIDE), np.empty(WIDE), np.empty(WIDE), np.empty(WIDE)
    for first in range(0, len(assets), WIDE):
        gather(flat, row_step, asset_step, rows, free, assets, first, tile, pad)
        cross[:] = 0.0
        for t in range(count):
            for k in range(width):
                z = basis[t, k]
                for j in range(WIDE):
                    cross[k, j] += z * tile[pad + t, j]
        cross /= count
        squares[:] = 0.0
        spread[:] = 0.0
        largest[:] = 0.0
        for t in range(count):
            for j in range(WIDE):
                y = tile[pad + t, j]
                largest[j] = max(largest[j], abs(y))
                spread[j] += (y - cross[0, j]) ** 2
            for k in range(width):
                z = basis[t, k]
                for j in range(WIDE):
                    tile[pad + t, j] -= z * cross[k, j]
            for j in range(WIDE):
                squares[j] += tile[pad + t, j] ** 2
        lanes = min(WIDE, len(assets) - first)
        for j in range(lanes):
            asset = assets[first + j]
            sums[asset, 0], sums[asset, 1], sums[asset, 2] = squares[j], spread[j], largest[j]
            for k in range(width):
                scores[asset, k] = cross[k, j]
        for k in range(wanted):
            moving[:] = 0.0
            squares[:] = 0.0
            for t in range(pad, count + pad + lags):
                enters, leaves = influence[k, t], influence[k, t - pad]
                for j in range(WIDE):
                    moving[j] += enters * tile[t, j] - leaves * tile[t - pad, j]
                    squares[j] += moving[j] * moving[j]
            for j in range(lanes):
                variances[assets[first + j], k] = squares[j] / pad


@compiled(allowing=SUMMING)
def factorise(gram: Floats, lower: Floats, good: Floats) -> None:
    """Cholesky factors of packed Gram matrices, a lane each, diagonals inverted; a lane without one gets good 0."""
    width = int((math.sqrt(8.0 * gram.shape[0] + 1.0) - 1.0) / 2.0 + 0.5)
    sums = np.empty(LANES)
    for a in range(width):
        row = a * (a + 1) // 2
        for b in range(a):
            other = b * (b + 1) // 2
            for j in range(LANES):
                sums[j] = gram[row + b, j]
            for c in range(b):
                for j in range(LANES):
                    sums[j] -= lower[row + c, j] * lower[other + c, j]
            for j in range(LANES):
                lower[row + b, j] = sums[j] * lower[other + b, j]
        for j in range(LANES):
            sums[j] = gram[row + a, j]
        for c in range(a):
            for j in range(LANES):
                sums[j] -= lower[row + c, j] * lower[row + c, j]
        for j in range(LANES):
            moves = sums[j] > PIVOT * gram[row + a, j]
            good[j] = good[j] if moves else 0.0
            lower[row + a, j] = 1.0 / math.sqrt(sums[j] if moves else 1.0)


@compiled(allowing=SUMMING)
def solve(lower: Floats, cross: Floats, scores: Floats) -> None:
    """Scores of each lane: the solution of Gram x scores = cross by the factors of ``factorise``."""
    width = cross.shape[0]
    for a in range(width):
        row = a * (a + 1) // 2
        for j in range(LANES):
            scores[a, j] = cross[a, j]
        for c in range(a):
            for j in range(LANES):
                scores[a, j] -= lower[row + c, j] * scores[c, j]
        for j in range(LANES):
            scores[a, j] *= lower[row + a, j]
    for a in range(width - 1, -1, -1):
        for c in range(a + 1, width):
            row = c * (c + 1) // 2
            for j in range(LANES):
                scores[a, j] -= lower[row + a, j] * scores[c, j]
        row = a * (a + 1) // 2
        for j in range(LANES):
            scores[a, j] *= lower[row + a, j]


@compiled(allowing=SUMMING)
def fit_partial(
    flat: Floats,
    row_step: int,
    asset_step: int,
    rows: Integers,
    free: Floats,
    basis: Floats,
    lags_of: Integers,
    assets: Integers,
    grams: Floats,
    crosses: Floats,
    meats: Floats,
    scores: Floats,
    sums: Floats,
    solved: Floats,
) -> None:
    """Least squares of assets with unknown returns, each on its own known sessions put together.

    lags_of : lags of Newey and West by number of observations. Written by asset: grams (basis' basis), crosses (basis'
    returns), meats (the Newey-West sum of basis x residual), scores, sums as in ``fit_complete``, and solved (1, or 0
    where the factors do not move apart on the asset's sessions).
    """
    count, width = len(rows), basis.shape[1]
    packed, pad = width * (width + 1) // 2, lags_of[count] + 1
    deep = count + 2 * pad
    tile, known = np.empty((count, LANES)), np.zeros(LANES, np.int64)
    y, z = np.zeros((deep, LANES)), np.zeros((deep, width, LANES))
    gram, lower, meat = np.empty((packed, LANES)), np.empty((packed, LANES)), np.empty((packed, LANES))
    cross, score, moving = np.empty((width, LANES)), np.empty((width, LANES)), np.empty((width, LANES))
    squares, spread, largest, good = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    lags = np.zeros(LANES, np.int64)
    for first in range(0, len(assets), LANES):
        lanes = min(LANES, len(assets) - first)
        gather(flat, row_step, asset_step, rows, free, assets, first, tile, 0)
        y[:] = 0.0
        z[:] = 0.0
        known[:] = pad
        for t in range(count):
            for j in range(LANES):
                if abs(tile[t, j]) <= LARGEST:
                    place = known[j]
                    y[place, j] = tile[t, j]
                    for k in range(width):
                        z[place, k, j] = basis[t, k]
                    known[j] += 1
        last = pad
        for j in range(LANES):
            last = max(last, known[j])
            lags[j] = lags_of[known[j] - pad]
        gram[:] = 0.0
        cross[:] = 0.0
        for t in range(pad, last):
            place = 0
            for a in range(width):
                for j in range(LANES):
                    cross[a, j] += z[t, a, j] * y[t, j]
                for b in range(a + 1):
                    for j in range(LANES):
                        gram[place, j] += z[t, a, j] * z[t, b, j]
                    place += 1
        good[:] = 1.0
        factorise(gram, lower, good)
        solve(lower, cross, score)
        squares[:] = 0.0
        spread[:] = 0.0
        largest[:] = 0.0
        for t in range(pad, last):
            for j in range(LANES):
                away = y[t, j] - z[t, 0, j] * cross[0, j] / gram[0, j]
                spread[j] += away * away
                largest[j] = max(largest[j], abs(y[t, j]))
            for a in range(width):
                for j in range(LANES):
                    y[t, j] -= z[t, a, j] * score[a, j]
            for j in range(LANES):
                squares[j] += y[t, j] * y[t, j]
        moving[:] = 0.0
        meat[:] = 0.0
        for t in range(pad, last + pad - 1):
            for a in range(width):
                for j in range(LANES):
                    past = t - 1 - lags[j]
                    moving[a, j] += z[t, a, j] * y[t, j] - z[past, a, j] * y[past, j]
            place = 0
            for a in range(width):
                for b in range(a + 1):
                    for j in range(LANES):
                        meat[place, j] += moving[a, j] * moving[b, j]
                    place += 1
        for j in range(lanes):
            asset = assets[first + j]
            sums[asset, 0], sums[asset, 1], sums[asset, 2] = squares[j], spread[j], largest[j]
            solved[asset] = good[j]
            place = 0
            for a in range(width):
                scores[asset, a], crosses[asset, a] = score[a, j], cross[a, j]
                for b in range(a + 1):
                    grams[asset, a, b] = gram[place, j]
                    grams[asset, b, a] = gram[place, j]
                    meats[asset, a, b] = meat[place, j] / (lags[j] + 1)
                    meats[asset, b, a] = meats[asset, a, b]
                    place += 1


@compiled()
def two_sided(statistics: Floats, out: Floats) -> None:
    """Probability that a standard normal number is as far from 0 as each of the statistics."""
    for i in range(len(statistics)):
        out[i] = math.erfc(abs(statistics[i]) * 0.7071067811865476)


@compiled(allowing=SUMMING)
def ridge(
    spectra: Floats,
    projections: Floats,
    residuals: Floats,
    counts: Floats,
    grid: Floats,
    given: float,
    penalties: Floats,
    scores: Floats,
) -> None:
    """Ridge scores in each asset's principal directions, with the given penalty or that of least cross-validation.

    spectra : (asset or 1, direction), eigenvalues of the standardised factors' Gram matrix. projections : (asset,
    direction), of the returns. residuals : sum of squares of the ordinary fit, counts : observations, by asset. grid :
    penalties per observation that are tried when ``given`` is NaN. Written: penalties (asset), scores (asset,
    direction). Source: Golub, Heath and Wahba (1979), equation 1.4.
    """
    shared = spectra.shape[0] == 1
    for i in range(projections.shape[0]):
        spectrum, projected, count = spectra[0 if shared else i], projections[i], counts[i]
        chosen, least = given, np.inf
        if given != given:
            for share in grid:
                penalty = share * count
                misfit, free = residuals[i], count - 1.0
                for m in range(len(spectrum)):
                    kept = spectrum[m] / (spectrum[m] + penalty)
                    free -= kept
                    if spectrum[m] > 0.0:
                        misfit += (1.0 - kept) ** 2 * projected[m] ** 2 / spectrum[m]
                score = misfit / (free * free)
                if score < least:
                    chosen, least = penalty, score
        penalties[i] = chosen
        for m in range(len(spectrum)):
            whole = spectrum[m] + chosen
            scores[i, m] = projected[m] / whole if whole > 0.0 else np.nan

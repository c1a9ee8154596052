"""Loops of rolling factor regressions; returns are read and the factors given as in ``kernels.regression``.

Sums over a window lose the session that leaves and gain the one that enters. They are made anew every so often, and at
once when what left was so large that its rounding would be seen in what remains.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import SUMMING, compiled
from sigmalib.risk.kernels.regression import LANES, LARGEST, WIDE, factorise, gather, solve

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

REBUILT = 128  # sessions after which running sums are summed anew
SHRUNKEN = 1e-4  # a running sum that lost all but this share of its highest value is summed anew


@compiled(allowing=SUMMING)
def roll_complete(
    flat: Floats,
    row_step: int,
    asset_step: int,
    rows: Integers,
    free: Floats,
    basis: Floats,
    solvers: Floats,
    assets: Integers,
    out: Floats,
) -> None:
    """Coefficients over each window of assets whose every return is known.

    solvers : (window, coefficient, 1 + rank), which makes coefficients out of the window's sums of basis x return, NaN
    where the factors do not move apart. Written: out (window, coefficient, asset); NaN where a sum overflows.
    """
    count, width, windows, wanted = len(rows), basis.shape[1], solvers.shape[0], solvers.shape[1]
    window = count - windows + 1
    tile, cross, made = np.empty((count, WIDE)), np.empty((width, WIDE)), np.empty(WIDE)
    size, peak = np.empty(WIDE), np.empty(WIDE)
    for first in range(0, len(assets), WIDE):
        lanes = min(WIDE, len(assets) - first)
        together = assets[first + lanes - 1] - assets[first] == lanes - 1
        gather(flat, row_step, asset_step, rows, free, assets, first, tile, 0)
        for i in range(windows):
            anew = i % REBUILT == 0
            if not anew:
                enters, leaves, lost = i + window - 1, i - 1, 0
                for j in range(WIDE):
                    size[j] += abs(tile[enters, j])
                    peak[j] = max(peak[j], size[j])
                    size[j] -= abs(tile[leaves, j])
                    lost += 0 if size[j] >= SHRUNKEN * peak[j] else 1
                anew = lost > 0
                for k in range(width):
                    coming, going = basis[enters, k], basis[leaves, k]
                    for j in range(WIDE):
                        cross[k, j] += coming * tile[enters, j] - going * tile[leaves, j]
            if anew:
                cross[:] = 0.0
                size[:] = 0.0
                for t in range(i, i + window):
                    for k in range(width):
                        z = basis[t, k]
                        for j in range(WIDE):
                            cross[k, j] += z * tile[t, j]
                    for j in range(WIDE):
                        size[j] += abs(tile[t, j])
                peak[:] = size
            for k in range(wanted):
                factor = solvers[i, k, 0]
                for j in range(WIDE):
                    made[j] = factor * cross[0, j]
                for m in range(1, width):
                    factor = solvers[i, k, m]
                    for j in range(WIDE):
                        made[j] += factor * cross[m, j]
                for j in range(WIDE):
                    made[j] = made[j] if abs(made[j]) <= LARGEST else np.nan
                if together:
                    start = assets[first]
                    for j in range(lanes):
                        out[i, k, start + j] = made[j]
                else:
                    for j in range(lanes):
                        out[i, k, assets[first + j]] = made[j]


@compiled(allowing=SUMMING)
def roll_partial(
    flat: Floats,
    row_step: int,
    asset_step: int,
    rows: Integers,
    free: Floats,
    basis: Floats,
    back: Floats,
    window: int,
    minimum: int,
    assets: Integers,
    out: Floats,
) -> None:
    """Coefficients over each window of assets with unknown returns, on the sessions of the window that are known.

    back : (coefficient, 1 + rank), which makes coefficients out of scores. Written: out (window, coefficient, asset);
    NaN with fewer than ``minimum`` known returns, where the factors do not move apart, and where a sum overflows.
    """
    count, width, wanted = len(rows), basis.shape[1], back.shape[0]
    packed = width * (width + 1) // 2
    tile, mask = np.empty((count, LANES)), np.empty((count, LANES))
    gram, lower = np.empty((packed, LANES)), np.empty((packed, LANES))
    cross, score, made = np.empty((width, LANES)), np.empty((width, LANES)), np.empty(LANES)
    size, peak, good = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for first in range(0, len(assets), LANES):
        lanes = min(LANES, len(assets) - first)
        gather(flat, row_step, asset_step, rows, free, assets, first, tile, 0)
        for t in range(count):
            for j in range(LANES):
                is_known = abs(tile[t, j]) <= LARGEST
                mask[t, j] = 1.0 if is_known else 0.0
                tile[t, j] = tile[t, j] if is_known else 0.0
        for i in range(count - window + 1):
            anew = i % REBUILT == 0
            if not anew:
                enters, leaves, lost = i + window - 1, i - 1, 0
                for j in range(LANES):
                    size[j] += abs(tile[enters, j])
                    peak[j] = max(peak[j], size[j])
                    size[j] -= abs(tile[leaves, j])
                    lost += 0 if size[j] >= SHRUNKEN * peak[j] else 1
                anew = lost > 0
            if anew:
                gram[:] = 0.0
                cross[:] = 0.0
                size[:] = 0.0
                for t in range(i, i + window):
                    place = 0
                    for a in range(width):
                        z = basis[t, a]
                        for j in range(LANES):
                            cross[a, j] += z * tile[t, j]
                        for b in range(a + 1):
                            both = z * basis[t, b]
                            for j in range(LANES):
                                gram[place, j] += both * mask[t, j]
                            place += 1
                    for j in range(LANES):
                        size[j] += abs(tile[t, j])
                peak[:] = size
            else:
                enters, leaves, place = i + window - 1, i - 1, 0
                for a in range(width):
                    coming, going = basis[enters, a], basis[leaves, a]
                    for j in range(LANES):
                        cross[a, j] += coming * tile[enters, j] - going * tile[leaves, j]
                    for b in range(a + 1):
                        plus, minus = coming * basis[enters, b], going * basis[leaves, b]
                        for j in range(LANES):
                            gram[place, j] += plus * mask[enters, j] - minus * mask[leaves, j]
                        place += 1
            for j in range(LANES):
                good[j] = 1.0 if gram[0, j] + 0.5 > minimum else 0.0
            factorise(gram, lower, good)
            solve(lower, cross, score)
            for k in range(wanted):
                made[:] = 0.0
                for m in range(width):
                    factor = back[k, m]
                    for j in range(LANES):
                        made[j] += factor * score[m, j]
                for j in range(LANES):
                    made[j] = made[j] if good[j] > 0.0 and abs(made[j]) <= LARGEST else np.nan
                for j in range(lanes):
                    out[i, k, assets[first + j]] = made[j]

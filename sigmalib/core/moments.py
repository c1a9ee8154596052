"""Compiled loops over whole series of returns: moments, growth and the deepest drawdown, asset by asset.

Returns are (asset x period), each asset's periods side by side in memory, read-only so that one compiled version serves
every caller. An asset with an unknown return gets numbers that mean nothing: the front door finds and masks it.
"""

from __future__ import annotations

import math

import numpy as np

from sigmalib.core.compiled import Floats
from sigmalib.core.jit import SUMMING, compiled

# Rows of what ``moments`` fills
MEAN, DEVIATION, SKEW, KURTOSIS, DOWNSIDE, HITS, CROSS, GROWTH, TROUGH = range(9)
COUNT = 9

ZERO = 1e-12  # a deviation up to this share of the largest return is none (DEFINITIONS 4)


@compiled(allowing=SUMMING)
def moments(returns: Floats, market: Floats, low: int, high: int, out: Floats) -> None:
    """Fill columns ``low`` to ``high`` of ``out`` (COUNT x asset) with what each asset's returns come to.

    returns : (asset x period). market : (period,) the benchmark less its mean, 0 where it is absent.
    Rows: the mean; the sample deviation (ddof 1; NaN for one return, 0 where negligible); population skew and excess
    kurtosis (NaN without deviation); the mean square of negative returns; the share of positive ones; the sum of
    products with the benchmark. A second pass about the mean with the correction of Chan, Golub and LeVeque
    (1983), eq. 1.7, keeps the sums right for a mean far above the deviation. Then ``GROWTH`` and ``TROUGH``.
    """
    count = returns.shape[1]
    for asset in range(low, high):
        row = returns[asset]
        total = 0.0
        downside = 0.0
        hits = 0.0
        for period in range(count):
            value = row[period]
            total += value
            loss = min(value, 0.0)
            downside += loss * loss
            hits += 1.0 if value > 0.0 else 0.0
        mean = total / count
        first = 0.0
        second = 0.0
        third = 0.0
        fourth = 0.0
        cross = 0.0
        for period in range(count):
            apart = row[period] - mean
            square = apart * apart
            first += apart
            second += square
            third += square * apart
            fourth += square * square
            cross += apart * market[period]
        rest = first / count
        spread = second - first * rest
        deviation = math.sqrt(max(spread, 0.0) / (count - 1)) if count > 1 else np.nan
        if not spread < np.inf:
            deviation = np.nan  # squares overflow
        if deviation <= 10.0 * ZERO * abs(mean) and deviation <= ZERO * largest(row):
            deviation = 0.0
        out[MEAN, asset] = mean + rest
        out[DEVIATION, asset] = deviation
        out[SKEW, asset] = np.nan
        out[KURTOSIS, asset] = np.nan
        if deviation > 0.0:
            variance = spread / count
            third = third / count - 3.0 * rest * (second / count) + 2.0 * rest**3
            fourth = fourth / count - 4.0 * rest * third - 6.0 * rest * rest * variance - rest**4
            out[SKEW, asset] = third / (variance * math.sqrt(variance))
            out[KURTOSIS, asset] = fourth / (variance * variance) - 3.0
        out[DOWNSIDE, asset] = downside / count
        out[HITS, asset] = hits / count
        out[CROSS, asset] = cross
    wealth(returns, low, high, out)


@compiled()
def wealth(returns: Floats, low: int, high: int, out: Floats) -> None:
    """Fill ``GROWTH`` (the product of 1 + return) and ``TROUGH``, the lowest wealth as a share of the highest before.

    The share follows its own recursion, share = min(1, share x (1 + return)), which needs no division and cannot
    overflow. Four assets at a time: their chains of products do not wait for each other.
    """
    last = high - 1
    for start in range(low, high, 4):
        b, c, d = min(start + 1, last), min(start + 2, last), min(start + 3, last)
        grown_a = grown_b = grown_c = grown_d = 1.0
        share_a = share_b = share_c = share_d = 1.0
        trough_a = trough_b = trough_c = trough_d = 1.0
        for period in range(returns.shape[1]):
            factor_a = 1.0 + returns[start, period]
            factor_b = 1.0 + returns[b, period]
            factor_c = 1.0 + returns[c, period]
            factor_d = 1.0 + returns[d, period]
            grown_a *= factor_a
            grown_b *= factor_b
            grown_c *= factor_c
            grown_d *= factor_d
            share_a = min(share_a * factor_a, 1.0)
            share_b = min(share_b * factor_b, 1.0)
            share_c = min(share_c * factor_c, 1.0)
            share_d = min(share_d * factor_d, 1.0)
            trough_a = min(trough_a, share_a)
            trough_b = min(trough_b, share_b)
            trough_c = min(trough_c, share_c)
            trough_d = min(trough_d, share_d)
        out[GROWTH, start], out[TROUGH, start] = grown_a, trough_a
        out[GROWTH, b], out[TROUGH, b] = grown_b, trough_b
        out[GROWTH, c], out[TROUGH, c] = grown_c, trough_c
        out[GROWTH, d], out[TROUGH, d] = grown_d, trough_d


@compiled()
def largest(values: Floats) -> float:
    """The largest absolute value, 0 of none."""
    found = 0.0
    for place in range(len(values)):
        found = max(found, abs(values[place]))
    return found

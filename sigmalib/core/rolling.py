"""Compiled loops over windows of returns: rolling moments and beta, maximum drawdown, and a quantile.

Returns are (asset x period), each asset's periods side by side in memory, read-only so that one compiled version serves
every caller; outputs have the same shape. A cell is NaN until its window is full and while an unknown return is inside
it; the windows after are as if it had never been. ``first`` and ``last`` bound the assets to treat.
"""

from __future__ import annotations

import math

import numpy as np

from sigmalib.core.compiled import Floats
from sigmalib.core.jit import SUMMING, compiled
from sigmalib.core.moments import ZERO

REBUILT = 512  # windows after which running sums are made anew, so that rounding cannot pile up
SPENT = 0.01  # a sum of squares that fell to this share of its highest since then has lost two digits: made anew alone
LEVEL = 1e-20  # variance over squared level below which what was taken off for the level tells too little
LEAST = 1e-290  # a benchmark's sum of squares below which it is still: beta would overflow

EXACT = {"contract", "nsz"}

Three = tuple[Floats, Floats, Floats]
Four = tuple[Floats, Floats, Floats, Floats]


@compiled()
def statistics(
    returns: Floats,
    market: Floats,
    window: int,
    rate: float,
    root: float,
    first: int,
    last: int,
    sharpe: Floats,
    volatility: Floats,
    beta: Floats,
) -> None:
    """Fill the Sharpe ratio over ``rate`` and the volatility, both x ``root``, and the beta to ``market``.

    The volatility is 0 where negligible (the ratio is NaN then), beta NaN where the market is still. Sums of returns
    less a level run from window to window. The level is the mean of the window at which they were last rebuilt; a cell
    whose variance is small beside what ran through the sums is computed from its window alone.
    """
    count, lead = len(market), window - 1
    known, age, level = np.empty(count), np.empty(count), np.empty(count)
    bench, bench_age, bench_level = np.empty(count), np.empty(count), np.empty(count)
    sums = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    bench_sums = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    inverse, doubt = np.full(count, np.nan), np.zeros(count)
    clean(market, bench, bench_age)
    levels(bench, window, bench_level)
    run(bench, bench_level, bench, bench_level, window, bench_sums)
    bench_total, square, _, highest = bench_sums
    for place in range(lead, count):
        varied = square[place] - bench_total[place] * bench_total[place] / window
        again = rough(varied, highest[place], bench_level[place], window)
        if again:
            inside = bench[place - lead : place + 1]
            _, varied, _ = alone(inside, inside)
        if bench_age[place] >= window and varied > LEAST and varied < np.inf:
            inverse[place] = 1.0 / varied
            doubt[place] = 1.0 if again else 0.0
    beside = bench_total[lead:], inverse[lead:], doubt[lead:]
    for asset in range(first, last):
        clean(returns[asset], known, age)
        levels(known, window, level)
        run(known, level, bench, bench_level, window, sums)
        full = sums[0][lead:], sums[1][lead:], sums[2][lead:], sums[3][lead:]
        rows = sharpe[asset], volatility[asset], beta[asset]
        for row in rows:
            for place in range(lead):
                row[place] = np.nan
        rows = sharpe[asset][lead:], volatility[asset][lead:], beta[asset][lead:]
        finish(level[lead:], full, beside, window, rate, root, rows)
        if doubtful(level[lead:], age[lead:], full, doubt[lead:], window) > 0:
            mend(known, bench, level[lead:], age[lead:], full, beside, window, rate, root, rows)


@compiled(allowing=EXACT)
def clean(values: Floats, known: Floats, age: Floats) -> None:
    """Fill ``known`` with the values, 0 for unknown ones, and ``age`` with how many values since the last unknown."""
    count = len(values)
    spoilt = 0
    for place in range(count):
        value = values[place]
        spoilt += 0 if value - value == 0.0 else 1
        known[place] = value
        age[place] = count
    if spoilt > 0:
        since = float(count)
        for place in range(count):
            value = values[place]
            finite = value - value == 0.0
            since = since + 1.0 if finite else 0.0
            known[place] = value if finite else 0.0
            age[place] = since


@compiled(allowing=SUMMING)
def total_of(values: Floats) -> float:
    """The sum of the values."""
    found = 0.0
    for place in range(len(values)):
        found += values[place]
    return found


@compiled()
def levels(values: Floats, window: int, level: Floats) -> None:
    """Fill ``level`` with the mean of the window at which the running sums were last rebuilt."""
    for start in range(window - 1, len(values), REBUILT):
        found = total_of(values[start - window + 1 : start + 1]) / window
        part = level[start : start + REBUILT]
        for place in range(len(part)):
            part[place] = found


@compiled(allowing=EXACT)
def run(own: Floats, own_level: Floats, other: Floats, other_level: Floats, window: int, sums: Four) -> None:
    """Fill the running sums: of values, of squares, of products with ``other``; and the highest of squares so far."""
    for start in range(window - 1, len(own), REBUILT):
        level, bench = own_level[start], other_level[start]
        summed = squared = crossed = 0.0
        before, beside = own[start - window + 1 : start + 1], other[start - window + 1 : start + 1]
        for place in range(window):
            value = before[place] - level
            summed += value
            squared += value * value
            crossed += value * (beside[place] - bench)
        most = squared
        stop = min(start + REBUILT, len(own))
        total, square, product, highest = sums
        total, square, product, highest = (
            total[start:stop],
            square[start:stop],
            product[start:stop],
            highest[start:stop],
        )
        total[0], square[0], product[0], highest[0] = summed, squared, crossed, most
        came, went = own[start + 1 : stop], own[start - window + 1 : stop - window]
        beside, behind = other[start + 1 : stop], other[start - window + 1 : stop - window]
        for place in range(len(came)):
            value, gone = came[place] - level, went[place] - level
            summed += value - gone
            squared += value * value - gone * gone
            crossed += value * (beside[place] - bench) - gone * (behind[place] - bench)
            most = max(most, squared)
            after = place + 1
            total[after], square[after], product[after], highest[after] = summed, squared, crossed, most


@compiled()
def rough(varied: float, highest: float, level: float, window: int) -> bool:
    """Whether a running variance (times the window) has too few digits left."""
    return not (varied > SPENT * highest and varied > LEVEL * window * level * level)


@compiled()
def finish(level: Floats, sums: Four, market: Three, window: int, rate: float, root: float, rows: Three) -> None:
    """Turn the running sums of an asset into its three rows, from the first full window on.

    market : of each window the benchmark's running sum, 1 over its sum of squares about the mean (NaN where it is
    still), and whether that is in doubt.
    """
    total, square, product, _ = sums
    bench_total, inverse, _ = market
    sharpe, volatility, beta = rows
    for place in range(len(level)):
        varied = square[place] - total[place] * total[place] / window
        deviation = math.sqrt(max(varied, 0.0) / (window - 1))
        sharpe[place] = (level[place] + total[place] / window - rate) / deviation * root
        volatility[place] = deviation * root
        beta[place] = (product[place] - total[place] * bench_total[place] / window) * inverse[place]


@compiled()
def doubtful(level: Floats, age: Floats, sums: Four, doubt: Floats, window: int) -> int:
    """How many cells (counted once a reason) may not stay as the running sums have them."""
    total, square, _, highest = sums
    found = 0
    for place in range(len(level)):
        varied = square[place] - total[place] * total[place] / window
        found += 0 if varied > SPENT * highest[place] else 1
        found += 0 if varied > LEVEL * window * level[place] * level[place] else 1
        found += 0 if age[place] >= window else 1
        found += 0 if doubt[place] == 0.0 else 1
    return found


@compiled()
def mend(
    known: Floats,
    bench: Floats,
    level: Floats,
    age: Floats,
    sums: Four,
    market: Three,
    window: int,
    rate: float,
    root: float,
    rows: Three,
) -> None:
    """Compute doubtful cells from their windows alone; NaN where an unknown return is inside, or squares overflow."""
    total, square, _, highest = sums
    _, inverse, doubt = market
    sharpe, volatility, beta = rows
    for place in range(len(level)):
        varied = square[place] - total[place] * total[place] / window
        if age[place] < window:
            sharpe[place] = volatility[place] = beta[place] = np.nan
        elif doubt[place] > 0.0 or rough(varied, highest[place], level[place], window):
            mean, varied, crossed = alone(known[place : place + window], bench[place : place + window])
            deviation = math.sqrt(varied / (window - 1))
            slope = crossed * inverse[place]
            finite = deviation < np.inf
            sharpe[place] = (mean - rate) / deviation * root if deviation > 0.0 and finite else np.nan
            volatility[place] = deviation * root if finite else np.nan
            beta[place] = slope if finite and abs(slope) < np.inf else np.nan


@compiled(allowing=SUMMING)
def alone(own: Floats, other: Floats) -> tuple[float, float, float]:
    """Mean, sum of squares and sum of products about the means of one window, by two passes.

    The sum of squares is 0 where the deviation is negligible, infinite where squares overflow.
    """
    window = len(own)
    middle, bench = total_of(own) / window, total_of(other) / window
    rest = squared = crossed = other_rest = most = 0.0
    for place in range(window):
        apart, beside = own[place] - middle, other[place] - bench
        rest += apart
        other_rest += beside
        squared += apart * apart
        crossed += apart * beside
        most = max(most, abs(own[place]))
    varied = squared - rest * rest / window
    if not varied < np.inf:
        return np.nan, np.inf, np.nan
    if math.sqrt(max(varied, 0.0) / (window - 1)) <= ZERO * most:
        varied = 0.0
    return middle + rest / window, varied, crossed - rest * other_rest / window


@compiled()
def drawdown(returns: Floats, window: int, first: int, last: int, out: Floats) -> None:
    """Fill ``out`` with the largest loss from a peak inside each window, its starting wealth included.

    Blocks of one window (van Herk, 1992; Gil and Werman, 1993): each window is the end of one block and the start of
    the next, and the deepest share of a peak is that of either part, or the least share with which the later part goes
    on times what the earlier part ended at. All are products, so nothing is divided, and one that overflows is left out
    by ``min``: what could bring it below 1 again is a loss of everything, which the deepest share has seen already. A
    return below -1 is as unknown: there is no wealth left to compound.
    """
    count = returns.shape[1]
    factor, age = np.empty(count), np.empty(count)
    ended, deepest = np.empty(window + 1), np.empty(window + 1)
    ended[window] = deepest[window] = 1.0
    for asset in range(first, last):
        row = out[asset]
        growth(returns[asset], factor, age)
        for place in range(min(window - 1, count)):
            row[place] = np.nan
        for start in range(0, count - window + 1, window):
            block = factor[start : start + window]
            grown = at_least = end = trough = 1.0
            for back in range(window):
                place = window - 1 - back
                at_least = min(block[place] * at_least, 1.0)
                trough = min(trough, at_least)
                grown *= block[place]
                end = min(end, grown)
                deepest[place], ended[place] = trough, end
            row[start + window - 1] = 1.0 - trough
            after, cells = factor[start + window : start + 2 * window - 1], row[start + window : start + 2 * window - 1]
            grown = least = share = trough = 1.0
            for place in range(len(after)):
                share = min(share * after[place], 1.0)
                trough = min(trough, share)
                grown *= after[place]
                least = min(least, grown)
                cells[place] = 1.0 - min(min(deepest[place + 1], trough), ended[place + 1] * least)
        for place in range(window - 1, count):
            row[place] = row[place] if age[place] >= window else np.nan


@compiled(allowing=EXACT)
def growth(values: Floats, factor: Floats, age: Floats) -> None:
    """Fill ``factor`` with 1 + return, 1 for what is unknown or below -1, and ``age`` with the values since that."""
    since = float(len(values))
    for place in range(len(values)):
        value = values[place]
        possible = value - value == 0.0 and value >= -1.0
        since = since + 1.0 if possible else 0.0
        factor[place] = 1.0 + value if possible else 1.0
        age[place] = since


@compiled(allowing=EXACT)
def quantile(returns: Floats, window: int, rank: int, weight: float, first: int, last: int, out: Floats) -> None:
    """Fill ``out`` with the value of ``rank`` (0: the lowest) in each window, plus ``weight`` of the step to the next.

    Only the lowest few values of the window are kept, in order; they are found anew when too few are left. With a
    ``weight`` of 0 the next value is not needed.
    """
    count = returns.shape[1]
    needed = rank + 1 if weight == 0.0 else rank + 2
    room = min(2 * needed + 8, window)
    lowest, known, age = np.empty(room + 1), np.empty(count), np.empty(count)
    for asset in range(first, last):
        clean(returns[asset], known, age)
        row = out[asset]
        for place in range(min(window - 1, count)):
            row[place] = np.nan
        kept = 0
        for place in range(window - 1, count):
            if place >= window and kept > 0:
                gone, came = known[place - window], known[place]
                if gone <= lowest[kept - 1]:
                    kept = without(lowest, kept, gone)
                if kept > 0 and came < lowest[kept - 1]:
                    kept = min(within(lowest, kept, came), room)
            if kept < needed:
                kept = 0
                for earlier in range(place - window + 1, place + 1):
                    value = known[earlier]
                    if kept < room or value < lowest[kept - 1]:
                        kept = min(within(lowest, kept, value), room)
            found = lowest[rank]
            if weight > 0.0:
                found += weight * (lowest[rank + 1] - found)
            row[place] = found if age[place] >= window else np.nan


@compiled(allowing=EXACT)
def without(ordered: Floats, count: int, value: float) -> int:
    """Take one ``value`` out of the ordered first ``count``; returns how many are left."""
    place = count - 1
    while ordered[place] > value:
        place -= 1
    for later in range(place, count - 1):
        ordered[later] = ordered[later + 1]
    return count - 1


@compiled(allowing=EXACT)
def within(ordered: Floats, count: int, value: float) -> int:
    """Put ``value`` in its place among the ordered first ``count``; returns how many there are now."""
    place = count
    while place > 0 and ordered[place - 1] > value:
        ordered[place] = ordered[place - 1]
        place -= 1
    ordered[place] = value
    return count + 1

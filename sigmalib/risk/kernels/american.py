"""American puts by spectral collocation of the exercise boundary, with the boundary's own sensitivities.

A put on a strike of 1, spot ``x``; a call is the put with spot and strike, rate and dividend yield exchanged (McDonald
and Schroder 1998). The boundary B(u) is held as (ln B/X)^2 at Chebyshev nodes in the root of the time left, X its limit
at expiry, and solves the fixed point "B" of Andersen, Lake and Offengenden, *High Performance American Option Pricing*
(Journal of Computational Finance 20(1), 2016), eq. 10-11 and 27-28: B = exp(-(r - q) t) N / D.

Ours is a full Newton step: at the fixed point all derivatives of ln(N / D) follow from the densities that the step has
anyway, so the Jacobian costs no further exponential. It converges quadratically, and the same factors give the
boundary's derivatives by volatility, rate and yield, hence all sensitivities of the value in the same pass.

Arrays are (row, LANES): one lane an option, so that each innermost loop fills the vector unit.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import compiled
from sigmalib.risk.kernels.elementary import density_and_cumulative, exp, log

Floats = npt.NDArray[np.float64]

LANES = 16
LEAST = 1e-300
# ln B/X = -SOONEST x deviation shortly before expiry when r < q: Evans, Kuske, Keller 2002
SOONEST = 0.45172 * math.sqrt(2.0)
# The bounds below leave room beyond what is usual: 4,000 random puts (volatility 2 % to 200 %, rate 0.01 % to 20 %,
# a day to ten years; all within 1e-4 of QuantLib's QdFp engine, on a strike of 1) have what is said in brackets.
MOST_STEPS = 16  # after which a boundary that is not found is given up
MOST_ROUGH_STEPS = 5  # after which a boundary goes on with all points, settled or not
ROUGHLY = 0.1  # a step after which the coarse integrals have done what they can, of the boundary's depth
STARTING_STEPS = 4  # Newton steps of the quadratic approximation: its boundary is only where the collocation starts
SETTLED = 0.02  # a last step, of the boundary's depth, with which it is found (at most 0.01)
MOST_VEGA = 5.0  # of (spot + strike) x root of years, a boundary's largest vega (at most 0.2, half the European one)
WIGGLE = 0.02  # of the deviation, the depth (one of them is below) at which a boundary's nodes may go up and down
WILD = 10.0  # the boundary's derivative by ln volatility, of its depth (0.57 to 2.64)
FLATTEST = 0.95  # of its neighbour's depth, what a node's is at least (0.989)


@compiled()
def start(
    years: Floats, rate: Floats, carry: Floats, volatility: Floats, nodes: Floats, limit: Floats, z: Floats
) -> None:
    """Fill ``limit`` with ln X and ``z`` (node, lane) with ln B/X of Barone-Adesi and Whaley (1987), eq. 25-29."""
    for j in range(LANES):
        limit[j] = min(0.0, log(max(rate[j], LEAST) / carry[j])) if carry[j] > 0.0 else 0.0
        z[0, j] = 0.0
    for i in range(1, nodes.shape[0]):
        for j in range(LANES):
            r, q, square = max(rate[j], 1e-12), carry[j], volatility[j] * volatility[j]
            time = years[j] * nodes[i] * nodes[i]
            v = volatility[j] * math.sqrt(time)
            m, b = 2.0 * r / square, 1.0 - 2.0 * (r - q) / square
            growth, discount = exp(-q * time), exp(-r * time)
            rest = math.sqrt(b * b + 4.0 * m)
            forever = -2.0 * m / (b + rest) if b > 0.0 else 0.5 * (b - rest)
            part = m / max(1.0 - discount, 1e-12)
            rest = math.sqrt(b * b + 4.0 * part)
            root = -2.0 * part / (b + rest) if b > 0.0 else 0.5 * (b - rest)
            lowest = forever / (forever - 1.0)
            x = lowest + (1.0 - lowest) * exp(((r - q) * time - 2.0 * v) / (1.0 - lowest))
            x = min(max(x, lowest), 1.0)
            for _ in range(STARTING_STEPS):
                d = (log(x) + (r - q) * time) / v + 0.5 * v
                height, above = density_and_cumulative(-d)
                _, below = density_and_cumulative(v - d)
                kept = 1.0 - growth * above
                excess = 1.0 - x - discount * below + x * growth * above + kept * x / root
                slope = kept * (1.0 / root - 1.0) + growth * height / (v * root)
                x = min(max(x - excess / slope, 0.5 * x), 1.0)
            deepest = min(log(max(lowest, LEAST)) - limit[j], -1e-9)
            before = deepest * (1.0 - exp(SOONEST * v / deepest))
            gain = r - q + 4.0 * max(q, 0.0) * v
            odds = log(max(square / (8.0 * math.pi * time * gain * gain), 1.0)) - 3.0 if gain > 0.0 and v < 0.3 else 0.0
            before = before if r < q else -0.85 * v * math.sqrt(max(odds, 0.0))
            baw = log(max(x, lowest)) - limit[j]
            z[i, j] = max(min(before, -1e-12) if r < q else min(baw, min(before, -1e-12)), deepest)


@compiled()
def iterate(
    years: Floats,
    rate: Floats,
    carry: Floats,
    volatility: Floats,
    nodes: Floats,
    points: Floats,
    weights: Floats,
    cardinal: Floats,
    limit: Floats,
    z: Floats,
    square: Floats,
    matrix: Floats,
    moved: Floats,
    work: Floats,
    sensitive: bool,
) -> None:
    """One Newton step of the boundary ``z``; its changes (node, 4, lane) are left in ``moved``.

    Row 0 of ``moved`` is the step itself. With ``sensitive`` rows 1 to 3 are the derivatives of ln B/X by volatility,
    rate and yield. ``cardinal`` (node, point, node) interpolates (ln B/X)^2 at the points of each node's integral.
    """
    last = nodes.shape[0] - 1
    for i in range(last + 1):
        for j in range(LANES):
            square[i, j] = z[i, j] * z[i, j]
    for i in range(1, last + 1):
        for row in range(10):
            for j in range(LANES):
                work[row, j] = 0.0
        for g in range(last):
            for j in range(LANES):
                matrix[i - 1, g, j] = 0.0
        for k in range(points.shape[0]):
            c = points[k]
            for j in range(LANES):
                work[10, j] = 0.0
            for g in range(1, last + 1):
                share = cardinal[i, k, g]
                for j in range(LANES):
                    work[10, j] += share * square[g, j]
            for j in range(LANES):
                height = math.sqrt(max(work[10, j], 1e-30))
                time = years[j] * nodes[i] * nodes[i]
                since = time * c * c
                until = time - since
                v = volatility[j] * math.sqrt(time) * c
                d = (z[i, j] + height + (rate[j] - carry[j]) * since) / v
                up, above = density_and_cumulative(d + 0.5 * v)
                down, below = density_and_cumulative(d - 0.5 * v)
                step = weights[k] * time * c
                grown = step * exp(rate[j] * until)
                paid = step * exp(carry[j] * until)
                back = exp(limit[j] + z[i, j] + (rate[j] - carry[j]) * time)
                work[0, j] += grown * below
                work[1, j] += paid * above
                first = rate[j] * grown * down
                second = carry[j] * paid * up * back
                pull = (first - second) / v
                work[2, j] += pull
                work[3, j] += since * pull
                work[4, j] -= (first * (d + 0.5 * v) - second * (d - 0.5 * v)) / volatility[j]
                work[5, j] += until * grown * below
                work[6, j] += until * paid * above
                work[11, j] = pull / height
            for g in range(1, last + 1):
                share = cardinal[i, k, g]
                for j in range(LANES):
                    matrix[i - 1, g - 1, j] -= share * z[g, j] * work[11, j]
        for j in range(LANES):
            r, q = rate[j], carry[j]
            time = years[j] * nodes[i] * nodes[i]
            v = volatility[j] * math.sqrt(time)
            level = limit[j] + z[i, j]
            d = (level + (r - q) * time) / v
            up, above = density_and_cumulative(d + 0.5 * v)
            down, below = density_and_cumulative(d - 0.5 * v)
            upper = below + r * work[0, j]
            lower = above + q * work[1, j]
            back = exp(level + (r - q) * time)
            per = 1.0 / upper
            moved[i, 0, j] = log(max(upper, LEAST) / max(lower, LEAST)) - (r - q) * time - level
            bend = 1.0 / r if r < q else 0.0
            turn = -1.0 / q if r < q else 0.0
            moved[i, 1, j] = per * (work[4, j] - down * math.sqrt(time))
            moved[i, 2, j] = per * (work[0, j] + r * work[5, j] + work[3, j]) - time - bend
            moved[i, 3, j] = time - per * (back * (work[1, j] + q * work[6, j]) + work[3, j]) - turn
            work[12, j] = per
            work[13, j] = 1.0 - per * work[2, j]
        for g in range(last):
            for j in range(LANES):
                matrix[i - 1, g, j] *= work[12, j]
        for j in range(LANES):
            matrix[i - 1, i - 1, j] += work[13, j]
    _solve(matrix, moved, last, 4 if sensitive else 1)
    for i in range(1, last + 1):
        for j in range(LANES):
            z[i, j] = min(max(z[i, j] + moved[i, 0, j], 1.3 * z[i, j]), z[i, j] / 1.3)


@compiled()
def _solve(matrix: Floats, moved: Floats, size: int, columns: int) -> None:
    """Solve ``matrix`` (row, column, lane) for the first columns of ``moved`` (1 + row, column, lane) in place."""
    for pivot in range(size):
        for j in range(LANES):
            matrix[pivot, pivot, j] = 1.0 / matrix[pivot, pivot, j]
        for i in range(pivot + 1, size):
            for j in range(LANES):
                matrix[i, pivot, j] *= matrix[pivot, pivot, j]
            for g in range(pivot + 1, size):
                for j in range(LANES):
                    matrix[i, g, j] -= matrix[i, pivot, j] * matrix[pivot, g, j]
            for g in range(columns):
                for j in range(LANES):
                    moved[1 + i, g, j] -= matrix[i, pivot, j] * moved[1 + pivot, g, j]
    for i in range(size - 1, -1, -1):
        for column in range(columns):
            for g in range(i + 1, size):
                for j in range(LANES):
                    moved[1 + i, column, j] -= matrix[i, g, j] * moved[1 + g, column, j]
            for j in range(LANES):
                moved[1 + i, column, j] *= matrix[i, i, j]


@compiled()
def premium(
    x: Floats,
    years: Floats,
    rate: Floats,
    carry: Floats,
    volatility: Floats,
    points: Floats,
    weights: Floats,
    cardinal: Floats,
    limit: Floats,
    z: Floats,
    moved: Floats,
    work: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` (7, lane): value, d/dx, d2/dx2, d/dvolatility, d/dtime left, d/drate, d/dyield of a put on strike 1.

    The early exercise premium is Kim's (1990) integral, here with du = 2 T c dc; all derivatives are of the formula,
    the boundary's own included.
    """
    last = z.shape[0] - 1
    for row in range(10):
        for j in range(LANES):
            work[row, j] = 0.0
    for k in range(points.shape[0]):
        c = points[k]
        for row in range(10, 14):
            for j in range(LANES):
                work[row, j] = 0.0
        for g in range(1, last + 1):
            share = cardinal[k, g]
            for j in range(LANES):
                part = share * z[g, j]
                work[10, j] += part * z[g, j]
                work[11, j] -= part * moved[g, 1, j]
                work[12, j] -= part * moved[g, 2, j]
                work[13, j] -= part * moved[g, 3, j]
        for j in range(LANES):
            r, q = rate[j], carry[j]
            height = math.sqrt(max(work[10, j], 1e-30))
            time = years[j] * c * c
            v = volatility[j] * math.sqrt(years[j]) * c
            d = (log(x[j]) - limit[j] + height + (r - q) * time) / v
            up, above = density_and_cumulative(-d - 0.5 * v)
            down, below = density_and_cumulative(0.5 * v - d)
            step = weights[k] * years[j] * c
            cash = step * exp(-r * time)
            stock = step * x[j] * exp(-q * time)
            first, second = r * cash * down, q * stock * up
            pull = (first - second) / v
            bend = 1.0 / r if r < q else 0.0
            turn = -1.0 / q if r < q else 0.0
            work[0, j] += r * cash * below - q * stock * above
            work[1, j] -= pull + q * stock * above
            work[3, j] += (first * (d + 0.5 * v) - second * (d - 0.5 * v)) / volatility[j] + pull * work[11, j] / height
            work[4, j] += cash * below * (1.0 - r * time) + pull * (bend + work[12, j] / height - time)
            work[5, j] -= stock * above * (1.0 - q * time) - pull * (turn + work[13, j] / height + time)
    for j in range(LANES):
        r, q, time = rate[j], carry[j], years[j]
        v = volatility[j] * math.sqrt(time)
        d = (log(x[j]) + (r - q) * time) / v + 0.5 * v
        up, above = density_and_cumulative(-d)
        _, below = density_and_cumulative(v - d)
        cash, stock = exp(-r * time), x[j] * exp(-q * time)
        value = cash * below - stock * above + work[0, j]
        slope = (work[1, j] - stock * above) / x[j]
        vega = work[3, j] + stock * up * math.sqrt(time)
        by_rate = work[4, j] - time * cash * below
        by_carry = work[5, j] + time * stock * above
        later = (r * by_rate + q * by_carry + 0.5 * volatility[j] * vega) / time
        drift = (r - q) * x[j] * slope - r * value
        out[0, j] = value
        out[1, j] = slope
        out[2, j] = 2.0 * (later - drift) / (volatility[j] * volatility[j] * x[j] * x[j])
        out[3, j] = vega
        out[4, j] = later
        out[5, j] = by_rate
        out[6, j] = by_carry


@compiled()
def settle(
    block: Floats,
    nodes: Floats,
    few_points: Floats,
    few_weights: Floats,
    few_cardinal: Floats,
    points: Floats,
    weights: Floats,
    cardinal: Floats,
    within: float,
    limit: Floats,
    z: Floats,
    moved: Floats,
) -> None:
    """The boundary ``limit`` + ``z`` of a block of options and ``moved`` of its last step.

    Newton steps with few points while they are large, then with all until none is above ``within`` of the depth.
    """
    size = nodes.shape[0]
    square, matrix, work = np.empty((size, LANES)), np.empty((size - 1, size - 1, LANES)), np.empty((14, LANES))
    years, rate, carry, volatility = block[1], block[2], block[3], block[4]
    start(years, rate, carry, volatility, nodes, limit, z)
    kept_z, kept, found = np.empty((size, LANES)), np.empty((size, 4, LANES)), np.zeros(LANES, dtype=np.bool_)
    places, shares, functions, most = few_points, few_weights, few_cardinal, ROUGHLY
    for step in range(MOST_STEPS):
        iterate(
            years,
            rate,
            carry,
            volatility,
            nodes,
            places,
            shares,
            functions,
            limit,
            z,
            square,
            matrix,
            moved,
            work,
            most != ROUGHLY,
        )
        left = _hold(z, moved, most, kept_z, kept, found)
        if left == 0 or (most == ROUGHLY and step == MOST_ROUGH_STEPS):
            if most != ROUGHLY:
                break
            places, shares, functions, most = points, weights, cardinal, within
            found[:] = False


@compiled()
def _hold(z: Floats, moved: Floats, most: float, kept_z: Floats, kept: Floats, found: npt.NDArray[np.bool_]) -> int:
    """Hold the lanes of which no node moved by more than ``most`` of the depth; how many are left.

    What is held no longer changes, so that no option depends on its neighbours.
    """
    last, left = z.shape[0] - 1, 0
    for j in range(LANES):
        if found[j]:
            for i in range(1, last + 1):
                z[i, j] = kept_z[i, j]
                for row in range(4):
                    moved[i, row, j] = kept[i, row, j]
            continue
        beyond = 0
        for i in range(1, last + 1):
            beyond += not abs(moved[i, 0, j]) <= -most * z[last, j]
        if beyond:
            left += 1
            continue
        found[j] = True
        for i in range(1, last + 1):
            kept_z[i, j] = z[i, j]
            for row in range(4):
                kept[i, row, j] = moved[i, row, j]
    return left


@compiled()
def _doubt(moved: Floats, z: Floats, volatility: float, years: float, j: int) -> float:
    """The largest last step of a lane's boundary, of its depth; infinite where it cannot be the boundary.

    The equations of the nodes have false roots too, whose nodes go up and down or hang on the volatility by a thread.
    """
    last = z.shape[0] - 1
    largest = 0.0
    deep = z[last, j] < -WIGGLE * volatility * math.sqrt(years)  # one that is not is at its limit, wiggles or no
    for i in range(1, last + 1):
        wild = abs(moved[i, 1, j]) * volatility > -WILD * z[last, j]
        if deep and (wild or z[i, j] > FLATTEST * z[i - 1, j]):
            return math.inf
        largest = max(largest, abs(moved[i, 0, j] / z[last, j]))
    return largest


@compiled()
def _take(given: Floats, low: int, block: Floats) -> int:
    """Copy the options from ``low`` into the lanes of ``block``, the last one into all that are left; how many."""
    lanes = min(LANES, given.shape[1] - low)
    for row in range(5):
        for j in range(LANES):
            block[row, j] = given[row, low + min(j, lanes - 1)]
    return lanes


@compiled()
def puts(
    given: Floats,
    nodes: Floats,
    few_points: Floats,
    few_weights: Floats,
    few_cardinal: Floats,
    points: Floats,
    weights: Floats,
    cardinal: Floats,
    value_points: Floats,
    value_weights: Floats,
    value_cardinal: Floats,
    within: float,
    out: Floats,
) -> None:
    """Fill ``out`` (8, n) with the rows of ``premium`` and the largest last change of the boundary, of its depth.

    ``given`` (5, n): spot over strike, years, rate, yield, volatility, all of a single boundary.
    """
    last = nodes.shape[0] - 1
    block, found, limit, z = np.empty((5, LANES)), np.empty((7, LANES)), np.empty(LANES), np.empty((last + 1, LANES))
    moved, work = np.empty((last + 1, 4, LANES)), np.empty((14, LANES))
    for low in range(0, given.shape[1], LANES):
        lanes = _take(given, low, block)
        settle(block, nodes, few_points, few_weights, few_cardinal, points, weights, cardinal, within, limit, z, moved)
        premium(
            block[0],
            block[1],
            block[2],
            block[3],
            block[4],
            value_points,
            value_weights,
            value_cardinal,
            limit,
            z,
            moved,
            work,
            found,
        )
        for j in range(lanes):
            x = block[0, j]
            stopped = math.log(x) <= limit[j] + z[last, j] or found[0, j] < 1.0 - x
            for row in range(7):
                out[row, low + j] = 0.0 if stopped else found[row, j]
            if stopped:
                out[0, low + j], out[1, low + j] = 1.0 - x, -1.0
            out[7, low + j] = _doubt(moved, z, block[4, j], block[1, j], j)
            if not abs(found[3, j]) <= (1.0 + x) * math.sqrt(block[1, j]) * MOST_VEGA:
                out[7, low + j] = math.inf


@compiled()
def rows(
    given: Floats,
    nodes: Floats,
    few_points: Floats,
    few_weights: Floats,
    few_cardinal: Floats,
    points: Floats,
    weights: Floats,
    cardinal: Floats,
    value_points: Floats,
    value_weights: Floats,
    value_cardinal: Floats,
    within: float,
    spots: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` (n, m) with the values of puts at the ``spots`` (n, m) over the strike; one boundary a row.

    ``given`` as in ``puts``, but for its first row, which is not read. A row whose boundary is not found is NaN.
    """
    last, count = nodes.shape[0] - 1, spots.shape[1]
    block, limit, z = np.empty((5, LANES)), np.empty(LANES), np.empty((last + 1, LANES))
    moved, place = np.empty((last + 1, 4, LANES)), np.empty(count)
    for low in range(0, given.shape[1], LANES):
        lanes = _take(given, low, block)
        settle(block, nodes, few_points, few_weights, few_cardinal, points, weights, cardinal, within, limit, z, moved)
        for lane in range(lanes):
            years, r, q, volatility = block[1, lane], block[2, lane], block[3, lane], block[4, lane]
            change = _doubt(moved, z, block[4, lane], block[1, lane], lane)
            row, value = spots[low + lane], out[low + lane]
            v = volatility * math.sqrt(years)
            owed, held = math.exp(-r * years), math.exp(-q * years)
            for j in range(count):
                place[j] = log(row[j])
                d = (place[j] + (r - q) * years) / v + 0.5 * v
                _, above = density_and_cumulative(-d)
                _, below = density_and_cumulative(v - d)
                value[j] = owed * below - row[j] * held * above
            for k in range(value_points.shape[0]):
                c = value_points[k]
                depth = 0.0
                for g in range(1, last + 1):
                    depth += value_cardinal[k, g] * z[g, lane] * z[g, lane]
                time = years * c * c
                v = volatility * math.sqrt(years) * c
                shift = (math.sqrt(max(depth, 0.0)) - limit[lane] + (r - q) * time) / v
                per, half = 1.0 / v, 0.5 * v
                step = value_weights[k] * years * c
                cash, stock = step * r * math.exp(-r * time), step * q * math.exp(-q * time)
                for j in range(count):
                    d = place[j] * per + shift
                    _, above = density_and_cumulative(-d - half)
                    _, below = density_and_cumulative(half - d)
                    value[j] += cash * below - stock * row[j] * above
            edge = limit[lane] + z[last, lane]
            known = 0.0 if change < SETTLED else math.nan
            for j in range(count):
                now = 1.0 - row[j]
                value[j] = (now if place[j] <= edge else max(value[j], now)) + known

"""American options by finite differences: cash dividends, and rates at which a put is exercised between two boundaries.

Crank-Nicolson in time on steps that grow like j^2 from each expiry or dividend date, where the first ones are two
implicit halves (Rannacher 1984; Giles and Carter 2006); central differences on a uniform grid in ln S with the strike
on a node; the early exercise of each step is solved exactly by the active set of Howard's policy iteration (Forsyth and
Labahn 2007). The values of two grids, one twice as fine, are extrapolated (Richardson 1911).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import compiled

Floats = npt.NDArray[np.float64]

WIDTH = 5.5  # deviations that the grid reaches beyond spot and strike
MOST_POLICIES = 50
VOLATILITY_BUMP, RATE_BUMP = 1e-3, 5e-4


@compiled()
def _advance(
    value: Floats,
    payoff: Floats,
    below: float,
    centre: float,
    above: float,
    step: float,
    implicit: float,
    spots: Floats,
    rate: float,
    right: Floats,
    upper: Floats,
    active: npt.NDArray[np.bool_],
) -> None:
    """One step of ``value`` back in time; V_SS = 0 at both ends."""
    last = value.shape[0] - 1
    explicit = step * (1.0 - implicit)
    implied = step * implicit
    for i in range(1, last):
        change = below * value[i - 1] + centre * value[i] + above * value[i + 1]
        right[i] = value[i] + explicit * change
    first_gap = (spots[1] - spots[0]) / (spots[2] - spots[1])
    last_gap = (spots[last] - spots[last - 1]) / (spots[last - 1] - spots[last - 2])
    for _ in range(MOST_POLICIES):
        # at the lowest node: V0 = V1 - gap (V2 - V1), put into the row of node 1
        a, b, c = -implied * below, 1.0 - implied * centre, -implied * above
        for i in range(1, last):
            low, mid, high = a, b, c
            if i == 1:
                mid, high, low = mid + low * (1.0 + first_gap), high - low * first_gap, 0.0
            if i == last - 1:
                mid, low, high = mid + high * (1.0 + last_gap), low - high * last_gap, 0.0
            known = right[i]
            if active[i]:
                low, mid, high, known = 0.0, 1.0, 0.0, payoff[i]
            if i == 1:
                upper[i] = high / mid
                value[i] = known / mid
            else:
                pivot = 1.0 / (mid - low * upper[i - 1])
                upper[i] = high * pivot
                value[i] = (known - low * value[i - 1]) * pivot
        for i in range(last - 2, 0, -1):
            value[i] -= upper[i] * value[i + 1]
        value[0] = value[1] - first_gap * (value[2] - value[1])
        value[last] = value[last - 1] + last_gap * (value[last - 1] - value[last - 2])
        changed = False
        for i in range(1, last):
            lack = b * value[i] + a * value[i - 1] + c * value[i + 1] - right[i]
            wanted = value[i] - payoff[i] < lack if active[i] else value[i] < payoff[i]
            if wanted != active[i]:
                active[i] = wanted
                changed = True
        if not changed:
            break
    value[0] = max(value[0], payoff[0])
    value[last] = max(value[last], payoff[last])


@compiled()
def _local(value: Floats, place: float, weights: Floats, order: int) -> float:
    """The polynomial of degree 5 through the nodes around ``place`` (in nodes), or its derivative by node."""
    first = min(max(int(place) - 2, 0), value.shape[0] - 6)
    t = place - first
    for i in range(6):
        weights[i] = 0.0
    for i in range(6):
        # coefficients of the Lagrange polynomial of node i, by derivative
        zeroth, once, twice = 1.0, 0.0, 0.0
        for j in range(6):
            if j != i:
                scale = 1.0 / (i - j)
                gap = (t - j) * scale
                twice = twice * gap + 2.0 * once * scale
                once = once * gap + zeroth * scale
                zeroth = zeroth * gap
        weights[i] = zeroth if order == 0 else once if order == 1 else twice
    total = 0.0
    for i in range(6):
        total += weights[i] * value[first + i]
    return total


@compiled()
def _values(
    terms: Floats, bumps: Floats, times: Floats, amounts: Floats, nodes: int, steps: int, finer: int, found: Floats
) -> None:
    """Fill ``found`` (4,): value, delta, gamma, d/dtime left on one grid; ``bumps`` (2,) move volatility and rate."""
    spot, strike, years, rate, carry, volatility, sign = (
        terms[0],
        terms[1],
        terms[2],
        terms[3],
        terms[4],
        terms[5],
        terms[6],
    )
    total = 0.0
    for k in range(times.shape[0]):
        if 0.0 < times[k] <= years:
            total += amounts[k]
    deviation = volatility * math.sqrt(years)
    reach = WIDTH * deviation + abs(rate - carry) * years + 0.5 * deviation * deviation
    floor = min(spot, strike)
    low = math.log(max(floor - total, 0.05 * floor)) - reach
    width = (math.log(max(spot, strike + total)) + reach - low) / (nodes - 1)
    apart = abs(math.log(spot / strike))
    if apart > width:
        width = apart / math.ceil(apart / width)  # strike and spot are nodes
    low = math.log(strike) - width * math.ceil((math.log(strike) - low) / width)
    size = (int((math.log(max(spot, strike + total)) + reach - low) / width) + 2) * finer
    width /= finer
    steps *= finer
    spots, payoff, value = np.empty(size), np.empty(size), np.empty(size)
    right, upper, active, weights = np.empty(size), np.empty(size), np.zeros(size, dtype=np.bool_), np.empty(6)
    for i in range(size):
        spots[i] = math.exp(low + width * i)
        payoff[i] = max(sign * (spots[i] - strike), 0.0)
        value[i] = payoff[i]
    volatility, rate = volatility + bumps[0], rate + bumps[1]
    spread = 0.5 * volatility * volatility / (width * width)
    pull = 0.5 * (rate - carry - 0.5 * volatility * volatility) / width
    below, centre, above = spread - pull, -2.0 * spread - rate, spread + pull
    if abs(pull) > spread:
        below, above = spread + max(-2.0 * pull, 0.0), spread + max(2.0 * pull, 0.0)
        centre = -below - above - rate
    end = years
    while end > 0.0 or total > 0.0:
        begin, amount = 0.0, 0.0
        for k in range(times.shape[0]):
            if 0.0 < times[k] <= years and times[k] == end:
                amount += amounts[k]
        if amount > 0.0:
            for i in range(size):
                right[i] = value[i]
            for i in range(size):
                place = (math.log(max(spots[i] - amount, spots[0])) - low) / width
                value[i] = max(_local(right, place, weights, 0), payoff[i])
        for k in range(times.shape[0]):
            if 0.0 < times[k] < end:
                begin = max(begin, times[k])
        length = end - begin
        count = max(int(steps * math.sqrt(length / years)) + 1, 6)
        for j in range(count):
            step = length * (2.0 * j + 1.0) / (count * count)
            if j < 2:
                _advance(value, payoff, below, centre, above, 0.5 * step, 1.0, spots, rate, right, upper, active)
                _advance(value, payoff, below, centre, above, 0.5 * step, 1.0, spots, rate, right, upper, active)
            else:
                _advance(value, payoff, below, centre, above, step, 0.5, spots, rate, right, upper, active)
        end = begin
        if end <= 0.0:
            break
    place = (math.log(spot) - low) / width
    here = _local(value, place, weights, 0)
    once = _local(value, place, weights, 1) / width
    twice = _local(value, place, weights, 2) / (width * width)
    found[0] = here
    found[1] = once / spot
    found[2] = (twice - once) / (spot * spot)
    square = volatility * volatility
    found[3] = 0.5 * square * twice + (rate - carry - 0.5 * square) * once - rate * here


@compiled()
def american(given: Floats, times: Floats, amounts: Floats, nodes: int, steps: int, greeks: bool, out: Floats) -> None:
    """Fill ``out`` (6, n): price, delta, gamma, vega, theta, rho of ``given`` (7, n).

    Rows of ``given``: spot, strike, years, rate, yield, volatility, sign (+1 call). Cash ``amounts`` leave the spot at
    ``times`` (years). Where the spot is exercised at once the value is the payoff.
    """
    fine, coarse, bumps, terms = np.empty(4), np.empty(4), np.zeros(2), np.empty(7)
    wanted = np.empty(6)
    for k in range(given.shape[1]):
        for row in range(7):
            terms[row] = given[row, k]
        square, drift = terms[5] * terms[5] * terms[2], abs(terms[3] - terms[4]) * terms[2]
        needed = int(2.2 * drift * (WIDTH * math.sqrt(square) + drift) / square)
        count = max(nodes, needed)  # so that the grid's cells are finer than diffusion over drift
        intrinsic = max(terms[6] * (terms[0] - terms[1]), 0.0)
        for case in range(5 if greeks else 1):
            by = 1.0 if case % 2 else -1.0
            bumps[0] = by * VOLATILITY_BUMP * terms[5] if 1 <= case <= 2 else 0.0
            bumps[1] = by * RATE_BUMP if case > 2 else 0.0
            _values(terms, bumps, times, amounts, count, steps, 1, coarse)
            _values(terms, bumps, times, amounts, count, steps, 2, fine)
            for row in range(4):
                fine[row] = (4.0 * fine[row] - coarse[row]) / 3.0
            if case == 0:
                wanted[0], wanted[1], wanted[2], wanted[4] = fine[0], fine[1], fine[2], -fine[3]
                wanted[3] = wanted[5] = 0.0
            elif case <= 2:
                wanted[3] += by * fine[0] / (2.0 * VOLATILITY_BUMP * terms[5])
            else:
                wanted[5] += by * fine[0] / (2.0 * RATE_BUMP)
        stopped = wanted[0] <= intrinsic + 1e-9 * terms[1] and intrinsic > 0.0
        for row in range(6):
            out[row, k] = 0.0 if stopped else wanted[row]
        if stopped:
            out[0, k], out[1, k] = intrinsic, terms[6]

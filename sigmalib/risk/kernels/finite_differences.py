"""American options by finite differences: cash dividends, and rates at which a put is exercised between two boundaries.

Crank-Nicolson in time on steps that grow like j^2 from each expiry or dividend date, where the first ones are two
implicit halves (Rannacher 1984; Giles and Carter 2006); central differences on a uniform grid in ln S with the strike
on a node; the early exercise of each step is solved exactly by the active set of Howard's policy iteration (Forsyth and
Labahn 2007). The last step ends in two small implicit ones, without which the theta of a node that is just no longer
exercised would be noise. The values of two grids, one twice as fine, are extrapolated (Richardson 1911).

Without cash dividends a call is the put with spot and strike, rate and yield exchanged (McDonald and Schroder 1998),
whose value is bounded, and the grids give what is beyond the European value on the same grid, without its error.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import compiled

Floats = npt.NDArray[np.float64]

WIDTH = 5.5  # deviations that the grid reaches beyond spot and strike
WIDEST_CELL = (
    0.06  # in ln S, of the coarser grid: by trial, so that deviations of 2 to 16 err by less than 1e-6 of the strike
)
LAST = 0.05  # each of the two implicit steps at the end, of the step that they end
MOST_POLICIES = 50  # a bound only: the iteration ends by itself when no node changes
# Of the volatility, and of the rate or yield: by trial on spots next to a boundary, where smaller ones show its nodes.
VOLATILITY_BUMP, RATE_BUMP = 5e-3, 5e-4


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
    early: bool,
) -> None:
    """One step of ``value`` back in time, exercised ``early`` where that is better; V_SS = 0 at both ends."""
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
        if not early:
            return
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
    """The polynomial through the nodes around ``place`` (in nodes), as many as weights, or its derivative by node."""
    points = weights.shape[0]
    first = min(max(int(place + 0.5 * (points % 2)) - (points - 1) // 2, 0), value.shape[0] - points)
    t = place - first
    for i in range(points):
        # coefficients of the Lagrange polynomial of node i, by derivative
        zeroth, once, twice = 1.0, 0.0, 0.0
        for j in range(points):
            if j != i:
                scale = 1.0 / (i - j)
                gap = (t - j) * scale
                twice = twice * gap + 2.0 * once * scale
                once = once * gap + zeroth * scale
                zeroth = zeroth * gap
        weights[i] = zeroth if order == 0 else once if order == 1 else twice
    total = 0.0
    for i in range(points):
        total += weights[i] * value[first + i]
    return total


@compiled()
def _values(
    terms: Floats,
    bumps: Floats,
    times: Floats,
    amounts: Floats,
    nodes: int,
    steps: int,
    finer: int,
    early: bool,
    found: Floats,
) -> None:
    """Fill ``found`` (5,): value, delta, gamma, d/dtime left on one grid, and 1 where the spot is exercised at once.

    ``bumps`` (3,) move volatility, rate and yield; not ``early`` is a European option.
    """
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
    reach = WIDTH * deviation + abs(rate - carry) * years + (0.5 * deviation * deviation if sign > 0.0 else 0.0)
    floor = min(spot, strike)
    low = math.log(max(floor - total, 0.05 * floor)) - reach
    width = (math.log(max(spot, strike + total)) + reach - low) / (nodes - 1)
    apart = abs(math.log(spot / strike))
    points = 3 if apart > width else 6
    if apart > width:
        width = apart / math.ceil(apart / width)  # strike and spot are nodes
    low = math.log(strike) - width * math.ceil((math.log(strike) - low) / width)
    size = (int((math.log(max(spot, strike + total)) + reach - low) / width) + 2) * finer
    width /= finer
    steps *= finer
    spots, payoff, value = np.empty(size), np.empty(size), np.empty(size)
    right, upper, active, weights = np.empty(size), np.empty(size), np.zeros(size, dtype=np.bool_), np.empty(6)
    narrow = np.empty(points)
    for i in range(size):
        spots[i] = math.exp(low + width * i)
        payoff[i] = max(sign * (spots[i] - strike), 0.0)
        value[i] = payoff[i]
    volatility, rate, carry = volatility + bumps[0], rate + bumps[1], carry + bumps[2]
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
            broke = strike * max(1.0, math.exp(-rate * (years - end))) if sign < 0.0 else 0.0
            for i in range(size):
                rest = max(spots[i] - amount, 0.0)
                if rest < spots[0]:
                    after = broke + (right[0] - broke) * rest / spots[0]
                else:
                    after = _local(right, (math.log(rest) - low) / width, weights, 0)
                value[i] = max(after, payoff[i])
        for k in range(times.shape[0]):
            if 0.0 < times[k] < end:
                begin = max(begin, times[k])
        length = end - begin
        count = max(int(steps * math.sqrt(length / years)) + 1, 6)
        for j in range(count):
            step = length * (2.0 * j + 1.0) / (count * count)
            halves = 0.5 if j < 2 else LAST if j == count - 1 and begin == 0.0 else 0.0
            if halves < 0.5:
                part = step * (1.0 - 2.0 * halves)
                _advance(value, payoff, below, centre, above, part, 0.5, spots, rate, right, upper, active, early)
            if halves > 0.0:
                for _ in range(2):
                    part = step * halves
                    _advance(value, payoff, below, centre, above, part, 1.0, spots, rate, right, upper, active, early)
        end = begin
        if end <= 0.0:
            break
    place = (math.log(spot) - low) / width
    here = _local(value, place, narrow, 0)
    once = _local(value, place, narrow, 1) / width
    twice = _local(value, place, narrow, 2) / (width * width)
    found[0] = here
    found[1] = once / spot
    found[2] = (twice - once) / (spot * spot)
    square = volatility * volatility
    found[3] = 0.5 * square * twice + (rate - carry - 0.5 * square) * once - rate * here
    found[4] = 1.0 if active[int(place)] and active[int(place + 0.999)] else 0.0


@compiled()
def _extrapolated(
    terms: Floats, bumps: Floats, times: Floats, amounts: Floats, nodes: int, steps: int, found: Floats, rest: Floats
) -> None:
    """Fill ``found`` (5,) as ``_values``, of two grids; without dividends beyond the European values."""
    for row in range(4):
        found[row] = 0.0
    for case in range(4 if times.shape[0] == 0 else 2):
        finer, early = 1 + case % 2, case < 2
        _values(terms, bumps, times, amounts, nodes, steps, finer, early, rest)
        for row in range(4):
            found[row] += rest[row] * (4.0 if finer == 2 else -1.0) / (3.0 if early else -3.0)
        if case == 1:
            found[4] = rest[4]


@compiled()
def _put_twin(given: Floats, exchanged: bool, terms: Floats) -> None:
    """Fill ``terms`` (7,) with ``given`` (7,), or with the put of the same value when ``exchanged``."""
    for row in range(7):
        terms[row] = given[row]
    if exchanged:
        terms[0], terms[1], terms[3], terms[4], terms[6] = given[1], given[0], given[4], given[3], -1.0


@compiled()
def american(given: Floats, times: Floats, amounts: Floats, nodes: int, steps: int, greeks: bool, out: Floats) -> None:
    """Fill ``out`` (7, n): price, delta, gamma, vega, theta, rho of ``given`` (7, n); and 1 if exercised at once.

    Rows of ``given``: spot, strike, years, rate, yield, volatility, sign (+1 call). Cash ``amounts`` leave the spot at
    ``times`` (years). With no ``times`` at all the answers are what is to be added to the European ones.
    """
    found, rest, bumps, terms = np.empty(5), np.empty(5), np.zeros(3), np.empty(7)
    for k in range(given.shape[1]):
        exchanged = times.shape[0] == 0 and given[6, k] > 0.0
        _put_twin(given[:, k], exchanged, terms)
        deviation, drift = terms[5] * math.sqrt(terms[2]), abs(terms[3] - terms[4]) * terms[2]
        reach = WIDTH * deviation + drift
        wide = int((2.0 * reach + abs(math.log(terms[0] / terms[1]))) / WIDEST_CELL)
        # the cells of the grid are finer than diffusion over drift
        count = max(nodes, wide, int(2.2 * drift * reach / (deviation * deviation)))
        for row in range(3):
            bumps[row] = 0.0
        _extrapolated(terms, bumps, times, amounts, count, steps, found, rest)
        out[0, k], out[1, k], out[2, k], out[4, k], out[6, k] = found[0], found[1], found[2], -found[3], found[4]
        if exchanged:
            s, x = terms[0], terms[1]
            out[1, k], out[2, k] = (found[0] - s * found[1]) / x, found[2] * (s / x) ** 2
        out[3, k] = out[5, k] = 0.0
        for case in range(4 if greeks else 0):
            by = (VOLATILITY_BUMP * terms[5] if case < 2 else RATE_BUMP) * (1.0 if case % 2 else -1.0)
            which = 0 if case < 2 else 2 if exchanged else 1
            bumps[which] = by
            _extrapolated(terms, bumps, times, amounts, count, steps, found, rest)
            bumps[which] = 0.0
            out[3 if case < 2 else 5, k] += found[0] / (2.0 * by)

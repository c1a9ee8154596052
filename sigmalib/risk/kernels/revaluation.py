"""Loops that revalue a book: rows of scenarios short enough to stay in the cache, one contract after the other.

Each contract is priced once, however many positions hold it; ln(1 + move) is taken once a name and the discount once an
expiry, so that a cell costs one exponential and two Mills ratios. Black and Scholes (1973), Merton (1973), with
S' phi(d1) = K' phi(d2) in place of the second density. The total is summed in the order of the rows, whatever the
number of threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import SUMMING, compiled, inlined
from sigmalib.risk.kernels.elementary import FURTHEST, density, exp, log, mills

Row = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

BLOCK = 2048  # scenarios whose rows stay in the cache together
SMALLEST = 1e-150  # a deviation of nothing: the value is that of the forward, at expiry the intrinsic one
DAYS_PER_YEAR = 365.0


@inlined
def european(sign: float, stock: float, cash: float, distance: float, deviation: float) -> float:
    """Value of an option on ``stock`` for ``cash``, both discounted, a log ``distance`` and a ``deviation`` apart.

    NaN where distance or deviation is; zero or more.
    """
    spread = max(deviation, SMALLEST)
    middle = distance / spread
    d1 = min(max(middle + 0.5 * spread, -FURTHEST), FURTHEST)
    d2 = min(max(middle - 0.5 * spread, -FURTHEST), FURTHEST)
    height = density(d1)
    tail1 = height * mills(abs(d1))
    tail2 = height * stock / cash * mills(abs(d2))
    p1 = tail1 if sign * d1 < 0.0 else 1.0 - tail1
    p2 = tail2 if sign * d2 < 0.0 else 1.0 - tail2
    return max(sign * (stock * p1 - cash * p2), 0.0) + 0.0 * (distance + deviation)


@compiled()
def logarithms(move: Row, out: Row) -> None:
    """ln(1 + move); NaN for a move that cannot be: below -1, infinite or unknown."""
    for s in range(out.shape[0]):
        level = 1.0 + move[s]
        possible = (level >= 0.0) & (level < 1e100)
        out[s] = log(max(level, 1e-300)) if possible else np.nan


@compiled()
def discounts(rate: float, years: float, shift: Row, out: Row) -> None:
    """e ** -(rate + shift) years; NaN where the shift is."""
    for s in range(out.shape[0]):
        now = rate + shift[s]
        out[s] = exp(-now * years) + 0.0 * now


@compiled()
def standing(
    sign: float, spot: float, strike: float, years: float, rate: float, carry: float, volatility: float,
    move: Row, logs: Row, relative: Row, points: Row, shift: Row, discount: Row, fx: Row, base: float,
    units: float, out: Row,
) -> None:  # fmt: skip
    """P&L of ``units`` of a contract by scenario, at one time to expiry: units x (value x (1 + fx) - base)."""
    root = np.sqrt(max(years, 0.0))
    forward = spot * exp(-carry * years)
    start = log(spot / strike) - carry * years
    for s in range(out.shape[0]):
        deviation = max(volatility * (1.0 + relative[s]) + points[s], 0.0) * root + 0.0 * (relative[s] + points[s])
        distance = start + logs[s] + (rate + shift[s]) * years
        stock = forward * (1.0 + move[s])
        value = european(sign, stock, strike * discount[s], distance, deviation)
        out[s] = units * (value * (1.0 + fx[s]) - base)


@compiled()
def passing(
    sign: float, spot: float, strike: float, years: float, rate: float, carry: float, volatility: float,
    move: Row, logs: Row, relative: Row, points: Row, shift: Row, days: Row, fx: Row, base: float,
    units: float, out: Row,
) -> None:  # fmt: skip
    """The same with a time that passes in each scenario; past the expiry the value is the intrinsic one."""
    start = log(spot / strike)
    for s in range(out.shape[0]):
        left = max(years - days[s] / DAYS_PER_YEAR, 0.0) + 0.0 * days[s]
        now = rate + shift[s]
        sigma = max(volatility * (1.0 + relative[s]) + points[s], 0.0) + 0.0 * (relative[s] + points[s])
        deviation = sigma * np.sqrt(left)
        distance = start + logs[s] + (now - carry) * left
        stock = spot * (1.0 + move[s]) * exp(-carry * left)
        value = european(sign, stock, strike * exp(-now * left), distance, deviation)
        out[s] = units * (value * (1.0 + fx[s]) - base)


@compiled()
def linear(amount: float, move: Row, logs: Row, fx: Row, out: Row, total: Row) -> None:
    """Change of ``amount`` that moves with its name and its currency, added to ``total``; NaN where the log is."""
    for s in range(out.shape[0]):
        change = amount * (move[s] + fx[s] + move[s] * fx[s]) + 0.0 * logs[s]
        out[s] = change
        total[s] += change


@compiled()
def scaled(factor: float, row: Row, out: Row, total: Row) -> None:
    """``factor`` times ``row``, added to ``total``; ``out`` may be ``row``."""
    for s in range(out.shape[0]):
        change = factor * row[s]
        out[s] = change
        total[s] += change


@compiled()
def added(row: Row, total: Row) -> None:
    """Add ``row`` to ``total``."""
    for s in range(total.shape[0]):
        total[s] += row[s]


@compiled()
def book(
    low: int, high: int, steady: bool,
    moves: Rows, relative: Rows, points: Rows, shift: Row, days: Row, fx: Rows,
    straight: Numbers, straight_name: Numbers, straight_fx: Numbers, straight_amount: Row,
    terms: Rows, contract_name: Numbers, contract_relative: Numbers, contract_points: Numbers, contract_fx: Numbers,
    first: Numbers, holders: Numbers, units: Row,
    logs: Rows, matrix: Rows, total: Row,
) -> None:  # fmt: skip
    """P&L of every position (position x scenario) and of the book, for the scenarios from ``low`` to ``high``.

    moves, relative, points, fx : rows of scenarios, which the numbers beside a position or a contract choose from.
    straight : the rows of ``matrix`` that are linear. terms : (contract x sign, spot, strike, years, rate, carry,
    volatility, base), those with one expiry and rate together. first, holders, units : the positions of contract c are
    ``holders[first[c]:first[c + 1]]``. logs : room for the logarithms of a block, a row for each of ``moves``.
    """
    size = high - low
    for u in range(moves.shape[0]):
        logarithms(moves[u, low:high], logs[u, :size])
    for i in range(straight.shape[0]):
        u = straight_name[i]
        currency = fx[straight_fx[i], low:high]
        here = matrix[straight[i], low:high]
        linear(straight_amount[i], moves[u, low:high], logs[u, :size], currency, here, total[low:high])
    discount = np.empty(size)
    last_years, last_rate = np.nan, np.nan
    for c in range(terms.shape[0]):
        u = contract_name[c]
        sign, spot, strike, years, rate, carry, volatility, base = terms[c]
        near, further = relative[contract_relative[c], low:high], points[contract_points[c], low:high]
        currency = fx[contract_fx[c], low:high]
        alone = first[c + 1] - first[c] == 1
        row, scale = matrix[holders[first[c]], low:high], units[first[c]] if alone else 1.0
        if steady:
            left = max(years - days[0] / DAYS_PER_YEAR, 0.0)
            if left != last_years or rate != last_rate:
                discounts(rate, left, shift[low:high], discount)
                last_years, last_rate = left, rate
            standing(sign, spot, strike, left, rate, carry, volatility, moves[u, low:high], logs[u, :size], near,
                     further, shift[low:high], discount, currency, base, scale, row)  # fmt: skip
        else:
            passing(sign, spot, strike, years, rate, carry, volatility, moves[u, low:high], logs[u, :size], near,
                    further, shift[low:high], days[low:high], currency, base, scale, row)  # fmt: skip
        if alone:
            added(row, total[low:high])
            continue
        for h in range(first[c + 1] - 1, first[c] - 1, -1):  # the first, whose row it is, at last
            scaled(units[h], row, matrix[holders[h], low:high], total[low:high])


@compiled(allowing=SUMMING)
def weighted(matrix: Rows, columns: Numbers, weights: Row, out: Row) -> None:
    """Sum of some columns of each row, by their weights."""
    for i in range(matrix.shape[0]):
        row, found = matrix[i], 0.0
        for k in range(columns.shape[0]):
            found += weights[k] * row[columns[k]]
        out[i] = found

"""The descent behind the fit of smiles: residuals, penalties and their derivatives, many smiles side by side.

The fit moves the lowest variance, the slopes of the two wings, m and sigma, each through a function that keeps it
legal: variance above 0, slopes within (0, 2), sigma above 0. So no answer breaks b >= 0, |rho| < 1, a + b sigma
sqrt(1 - rho^2) >= 0 or Lee's bound.
Sources: Zeliade Systems (2009), *Quasi-explicit calibration of Gatheral's SVI model* (the starting points); Marquardt
(1963), *An algorithm for least-squares estimation of nonlinear parameters* (the descent).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STARTS, FIRST_STEPS = 3, 12  # of each smile, and how far each goes before the best goes on alone
PHASE, STEPS = 8, 160  # steps between two looks at which smiles have arrived, and at most
SHARPEST = 0.02  # sigma, in deviations at the money: a kink between two strikes is no smile
CLEAR = 0.005  # by which a refit keeps off g = 0


class Problem(NamedTuple):
    """Smiles side by side, (smiles, quotes) padded with weight 0, and what their grids may not break."""

    k: Floats
    volatility: Floats
    weight: Floats
    years: Floats  # (smiles, 1)
    deviation: Floats  # (smiles, 1), volatility at the money x sqrt(years)
    grid: Floats  # (smiles, GRID)
    floor: Floats  # (smiles, GRID): the total variance of the expiry before
    penalty: float

    def row(self, at: int) -> Problem:
        """The problem of one smile alone, without the padding."""
        one, seen = self.rows([at]), self.weight[at] > 0
        return one._replace(k=one.k[:, seen], volatility=one.volatility[:, seen], weight=one.weight[:, seen])

    def rows(self, at: Any) -> Problem:
        """The problem of some smiles."""
        return self.each(lambda field: field[at])

    def each(self, change: Callable[[Floats], Floats]) -> Problem:
        """The problem after one change to each of its arrays."""
        return Problem(change(self.k), change(self.volatility), change(self.weight), change(self.years),
                       change(self.deviation), change(self.grid), change(self.floor), self.penalty)  # fmt: skip


class _Curve(NamedTuple):
    """Value, slope and bend of total variance at k, and the derivative of each by the five parameters (last axis)."""

    w: Floats
    slope: Floats
    bend: Floats
    w_by: Floats
    slope_by: Floats
    bend_by: Floats


def _natural(theta: Floats) -> tuple[Floats, ...]:
    """Lowest variance, left and right wing, m and sigma out of what the descent moves."""
    lowest, left, right, m, sigma = np.moveaxis(theta, -1, 0)
    return np.exp(lowest), 2 / (1 + np.exp(-left)), 2 / (1 + np.exp(-right)), m, np.exp(sigma)


def raw_parameters(theta: Floats) -> tuple[float, float, float, float, float]:
    lowest, left, right, m, sigma = (float(x) for x in _natural(theta))
    return lowest - sigma * float(np.sqrt(left * right)), (left + right) / 2, (right - left) / (left + right), m, sigma


def value_at(theta: Floats, k: Floats) -> Floats:
    """Total variance alone at ``k``, which broadcasts against the leading axes of ``theta``."""
    lowest, left, right, m, sigma = (x[..., None] for x in _natural(theta))
    x = k - m
    return lowest - sigma * np.sqrt(left * right) + (right - left) / 2 * x + (left + right) / 2 * np.hypot(x, sigma)


def _curve(theta: Floats, k: Floats) -> _Curve:
    lowest, left, right, m, sigma = (x[..., None] for x in _natural(theta))
    x, mean, half = k - m, np.sqrt(left * right), (left + right) / 2
    root = np.hypot(x, sigma)
    along, cube = x / root, sigma**2 / root**3
    slope, bend = (right - left) / 2 + half * along, half * cube
    by_left, by_right = left * (1 - left / 2), right * (1 - right / 2)  # of the slopes by what is moved
    w = lowest - sigma * mean + (right - left) / 2 * x + half * root
    nothing = np.zeros_like(w)
    w_by = (lowest + nothing, by_left * (root - x - sigma * right / mean) / 2,
            by_right * (root + x - sigma * left / mean) / 2, -slope, sigma * (half * sigma / root - mean))  # fmt: skip
    slope_by = (nothing, by_left * (along - 1) / 2, by_right * (along + 1) / 2, -bend, -sigma * bend * x / sigma)
    bend_by = (nothing, by_left * cube / 2, by_right * cube / 2, 3 * bend * x / root**2,
               bend * (2 - 3 * sigma**2 / root**2))  # fmt: skip
    return _Curve(w, slope, bend, *(np.stack(parts, axis=-1) for parts in (w_by, slope_by, bend_by)))


def _residuals(problem: Problem, theta: Floats) -> tuple[Floats, Floats]:
    """Distances from the middles in half spreads, (smiles, quotes), and their derivatives."""
    curve = _curve(theta, problem.k)
    volatility = np.sqrt(curve.w / problem.years)
    scale = problem.weight / (2 * volatility * problem.years)
    return (volatility - problem.volatility) * problem.weight, curve.w_by * scale[..., None]


def _breaches(problem: Problem, theta: Floats) -> tuple[Floats, Floats]:
    """By how much the grid breaks g >= 0 and the floor (as a fraction of it), (smiles, 2 GRID), and derivatives."""
    at, k = _curve(theta, problem.grid), problem.grid
    u = 1 - k * at.slope / (2 * at.w)
    g = u**2 - at.slope**2 / 4 * (1 / at.w + 0.25) + at.bend / 2
    by_w = u * k * at.slope / at.w**2 + at.slope**2 / (4 * at.w**2)
    by_slope = -u * k / at.w - at.slope / 2 * (1 / at.w + 0.25)
    g_by = by_w[..., None] * at.w_by + by_slope[..., None] * at.slope_by + 0.5 * at.bend_by
    butterfly, scale = np.maximum(CLEAR - g, 0), 1 / np.maximum(problem.floor, 1e-12)
    calendar = np.maximum(problem.floor - at.w, 0) * scale
    return np.concatenate([butterfly, calendar], axis=-1), np.concatenate(
        [-g_by * (butterfly > 0)[..., None], -at.w_by * ((calendar > 0) * scale)[..., None]], axis=-2
    )


def system(problem: Problem, theta: Floats) -> tuple[Floats, Floats, Floats]:
    """Cost of each smile, its downhill direction and its Gauss-Newton matrix."""
    residual, by = _residuals(problem, theta)
    root = np.sqrt(1 + residual**2)
    cost = np.sum(root - 1, axis=-1)
    pull = residual / root
    weighted = by / np.sqrt(root)[..., None]
    downhill, matrix = -np.einsum("...q,...qp->...p", pull, by), np.swapaxes(weighted, -1, -2) @ weighted
    if problem.penalty:
        breach, breach_by = _breaches(problem, theta)
        cost = cost + problem.penalty * np.sum(breach**2, axis=-1) / 2
        downhill = downhill - problem.penalty * np.einsum("...q,...qp->...p", breach, breach_by)
        matrix = matrix + problem.penalty * (np.swapaxes(breach_by, -1, -2) @ breach_by)
    return cost, downhill, matrix


def _wide(problem: Problem) -> Problem:
    """The problem with an axis for starts behind that of smiles."""
    return problem.each(lambda field: field[:, None])


def _bounds(problem: Problem) -> tuple[Floats, Floats]:
    """Lowest and highest of what the descent moves, (smiles, 1, 5); the vertex m lies between the quotes and 0."""
    deviation, seen = problem.deviation[:, 0], problem.weight > 0
    low, high = (pick(np.where(seen, problem.k, 0.0), axis=1) for pick in (np.min, np.max))
    wing, widest = np.full_like(deviation, 16.0), np.log(2 * np.maximum(4 * deviation, high - low))
    least = (np.log(1e-6 * deviation**2), -wing, -wing, low, np.log(SHARPEST * deviation))
    most = (np.log(100 * deviation**2), wing, wing, high, widest)
    return np.stack(least, axis=-1)[:, None], np.stack(most, axis=-1)[:, None]


def descend(problem: Problem, starts: Floats) -> Floats:
    """The best end of the descents of each smile from its starts (smiles, starts, 5), as (smiles, 5)."""
    wide, (low, high) = _wide(problem), _bounds(problem)
    first = _walk(wide, np.clip(starts, low, high), (low, high), FIRST_STEPS)
    rows = np.arange(len(starts))
    theta, cost = first.theta[rows, np.argmin(first.cost, axis=1)][:, None], np.full(len(starts), np.nan)
    alive = rows
    for _ in range(STEPS // PHASE):
        there = _walk(wide.rows(alive), theta[alive], (low[alive], high[alive]), PHASE)
        theta[alive], before = there.theta, cost[alive]
        cost[alive] = there.cost[:, 0]
        alive = alive[~(before - cost[alive] <= 1e-9 * cost[alive])]
        if not len(alive):
            break
    return theta[:, 0]


class _Place(NamedTuple):
    theta: Floats
    cost: Floats


def _walk(problem: Problem, theta: Floats, bounds: tuple[Floats, Floats], steps: int) -> _Place:
    """``steps`` of Marquardt's descent within ``bounds``, each smile and start with its own damping."""
    cost, downhill, matrix = system(problem, theta)
    damping = np.full(cost.shape, 1e-3)
    for _ in range(steps):
        held = ((theta <= bounds[0]) & (downhill < 0)) | ((theta >= bounds[1]) & (downhill > 0))
        free = np.where(held, 0.0, 1.0)
        diagonal = np.einsum("...ii->...i", matrix)
        stiff = diagonal * damping[..., None] + 1e-12 * (1 + diagonal)
        stiff_matrix = matrix * free[..., None] * free[..., None, :] + stiff[..., None] * np.eye(5)
        step = np.linalg.solve(stiff_matrix, (downhill * free)[..., None])[..., 0]
        trial = np.clip(theta + np.clip(step, -3, 3), *bounds)
        there, *slopes = system(problem, trial)
        better = there < cost
        theta, cost = np.where(better[..., None], trial, theta), np.where(better, there, cost)
        downhill = np.where(better[..., None], slopes[0], downhill)
        matrix = np.where(better[..., None, None], slopes[1], matrix)
        damping = np.clip(np.where(better, damping / 5, damping * 4), 1e-12, 1e12)
    return _Place(theta, cost)


def starting_points(problem: Problem) -> Floats:
    """The three best of a grid of m and sigma, at each the line through the quotes that is linear in the rest."""
    deviation = problem.deviation[:, :, None]
    places = np.array([-2.0, -1.0, -0.3, 0.0, 0.3, 1.0, 2.0, 4.0])
    widths = np.array([0.15, 0.5, 1.5, 5.0])
    m, sigma = (grid.reshape(1, -1, 1) * deviation for grid in np.meshgrid(places, widths, indexing="ij"))
    x = problem.k[:, None, :] - m
    root = np.hypot(x, sigma)
    table = np.stack([np.ones_like(x), x, root], axis=-1)
    weight = problem.weight / (2 * problem.volatility * problem.years)
    seen = table * weight[:, None, :, None]
    target = problem.volatility**2 * problem.years * weight
    matrix = np.swapaxes(seen, -1, -2) @ seen
    matrix += np.eye(3) * 1e-10 * np.trace(matrix, axis1=-2, axis2=-1)[..., None, None]
    told = np.linalg.solve(matrix, np.einsum("snqp,sq->snp", seen, target)[..., None])
    level, tilt, lift = np.moveaxis(told[..., 0], -1, 0)
    theta = _moved(problem, level, tilt, lift, m[..., 0], sigma[..., 0])
    cost = np.sum(np.sqrt(1 + _residuals(_wide(problem), theta)[0] ** 2), axis=-1)
    order = np.argsort(cost, axis=1, kind="stable")[:, :STARTS]
    return np.take_along_axis(theta, order[..., None], axis=1)


def _moved(problem: Problem, level: Floats, tilt: Floats, lift: Floats, m: Floats, sigma: Floats) -> Floats:
    """What the descent moves, out of level + tilt x + lift sqrt(x^2 + sigma^2), taken to what is legal."""
    left, right = np.clip(lift - tilt, 1e-4, 1.9), np.clip(lift + tilt, 1e-4, 1.9)
    lowest = np.maximum(level + sigma * np.sqrt(left * right), 0.05 * problem.deviation**2)
    parts = (np.log(lowest), np.log(left / (2 - left)), np.log(right / (2 - right)), m, np.log(sigma))
    low, high = _bounds(problem)
    return np.clip(np.stack([part + np.zeros_like(level) for part in parts], axis=-1), low, high)


def calm_start(problem: Problem) -> Floats:
    """Smiles with hardly any bend, from which a descent can start without arbitrage: (smiles, 5)."""
    deviation = problem.deviation[:, 0]
    wing = np.log(0.1 * deviation / (2 - 0.1 * deviation))
    return np.stack([np.log(0.9 * deviation**2), wing, wing, 0 * wing, np.log(4 * deviation)], axis=-1)

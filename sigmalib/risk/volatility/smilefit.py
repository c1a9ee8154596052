"""The fit of smiles to quotes: robust, free of butterfly arbitrage, and of calendar arbitrage where quotes bear it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sigmalib.risk.volatility.smile import durrleman, grid_of
from sigmalib.risk.volatility.svidescent import (
    Problem,
    calm_start,
    descend,
    raw_parameters,
    starting_points,
    system,
    value_at,
)

Floats = npt.NDArray[np.float64]

LEAST = 5  # quotes for five parameters
MARGIN = 1e-3  # a fraction by which a refit keeps off the variance of the expiry before
PENALTIES = (1e4, 1e6)
BEARABLE = 0.2  # half spreads a quote by which being free of calendar arbitrage may cost the fit


class Quotes(NamedTuple):
    """What one smile is fitted to: log-moneyness, volatility and 1 over half the spread in volatility (n,), years."""

    k: Floats
    volatility: Floats
    weight: Floats
    years: float


def fit_smiles(quotes: list[Quotes]) -> list[tuple[float, float, float, float, float]]:
    """(a, b, rho, m, sigma) of each expiry, the first the soonest, free of arbitrage where the quotes bear it.

    Each residual is the distance from the middle in half spreads, under the soft-L1 loss 2 (sqrt(1 + r^2) - 1): a
    quote inside its spread pulls gently, one far out with constant force. All expiries descend at once from their best
    starts. Those that then break g >= 0, or fall below the variance of the expiry before, at a log-moneyness of the
    grid, descend again, in order, with a penalty on it; see ``_mended`` for when quotes refuse. The same quotes give
    the same answer to the last bit.
    Fewer than five quotes, or none with weight, give a flat smile at their weighted median (b = 0; NaN without any).

    >>> from sigmalib.risk.volatility.smile import total_variance
    >>> k = np.linspace(-0.4, 0.4, 21)
    >>> seen = np.sqrt(total_variance(k, 0.01, 0.1, -0.5, 0.02, 0.15) / 0.5)
    >>> [round(x, 6) for x in fit_smiles([Quotes(k, seen, np.full(21, 500.0), 0.5)])[0]]
    [0.01, 0.1, -0.5, 0.02, 0.15]
    """
    found = [_flat(one) for one in quotes]
    at = [i for i, one in enumerate(quotes) if _usable(one)]
    if not at:
        return found
    problem = _problem([quotes[i] for i in at])
    theta = descend(problem, starting_points(problem))
    broken = [row for row in range(len(at)) if _broken(problem.row(row), theta[row : row + 1])]
    if broken:
        part = problem.rows(broken)._replace(penalty=PENALTIES[0])
        theta[broken] = descend(part, np.stack([theta[broken], calm_start(part)], axis=1))
    for row, i in enumerate(at):
        one, earlier = problem.row(row), max(row - 1, 0)
        floors = _floors(one.grid[0], quotes[i], quotes[at[earlier]], theta[earlier])[-1 if row == 0 else 0 :]
        theta[row] = _mended(one, theta[[row, earlier]], floors)
        found[i] = raw_parameters(theta[row])
    return found


def _floors(grid: Floats, here: Quotes, earlier: Quotes, theta: Floats) -> list[Floats]:
    """Total variance of the expiry before: between all quotes of both, where both have some, and nowhere (0)."""
    ends = np.array([[one.k[one.weight > 0].min(), one.k[one.weight > 0].max()] for one in (here, earlier)])
    before = value_at(theta, grid) * (1 + MARGIN)
    either = (grid >= ends[:, 0].min()) & (grid <= ends[:, 1].max())
    both = (grid >= ends[:, 0].max()) & (grid <= ends[:, 1].min())
    return [np.where(where, before, 0.0) for where in (either, both, np.zeros_like(both))]


def _mended(one: Problem, starts: Floats, floors: list[Floats]) -> Floats:
    """The first of ``starts`` itself, or, where it breaks a bound of arbitrage, the end of a descent with a penalty.

    Of the floors the most demanding counts that the quotes can bear: whose answer keeps it and is no further from
    the middles than by a fifth of half a spread a quote. The last, which asks for no butterfly arbitrage, always does.
    """
    free = starts[:1]
    cost, count = system(one, free)[0][0], one.k.shape[-1]
    others = np.concatenate([starts, calm_start(one)])
    for floor in floors:
        asked, answer = one._replace(floor=floor[None]), free
        for strength in PENALTIES:
            if not _broken(asked, answer):
                break
            answer = descend(asked._replace(penalty=strength), np.concatenate([answer, others])[None])
        if not _broken(asked, answer) and system(one, answer)[0][0] <= cost + BEARABLE * count:
            break
    return answer[0]


def _usable(quotes: Quotes) -> bool:
    return int(np.sum(quotes.weight > 0)) >= LEAST and len(np.unique(quotes.k[quotes.weight > 0])) >= LEAST


def _flat(quotes: Quotes) -> tuple[float, float, float, float, float]:
    seen = quotes.weight > 0
    if not seen.any():
        return (np.nan, 0.0, 0.0, 0.0, 1.0)
    order = np.argsort(quotes.volatility[seen], kind="stable")
    share = np.cumsum(quotes.weight[seen][order])
    level = quotes.volatility[seen][order][np.searchsorted(share, share[-1] / 2)]
    return (float(level**2 * quotes.years), 0.0, 0.0, 0.0, 1.0)


def _broken(problem: Problem, theta: Floats) -> bool:
    g = durrleman(problem.grid[0], *raw_parameters(theta[0]))
    return bool((g < 0).any() or (value_at(theta, problem.grid) < problem.floor / (1 + MARGIN)).any())


def _problem(quotes: list[Quotes]) -> Problem:
    width = max(len(one.k) for one in quotes)
    shape = (len(quotes), width)
    k, volatility, weight = np.zeros(shape), np.ones(shape), np.zeros(shape)
    for row, one in enumerate(quotes):
        seen = one.weight > 0
        count = int(seen.sum())
        k[row, :count], volatility[row, :count] = one.k[seen], one.volatility[seen]
        weight[row, :count] = one.weight[seen]
    years = np.array([[one.years] for one in quotes])
    nearest = np.argmin(np.where(weight > 0, np.abs(k), np.inf), axis=1)[:, None]
    deviation = np.take_along_axis(volatility, nearest, axis=1) * np.sqrt(years)
    grid = np.stack([grid_of(row, float(one)) for row, one in zip(k, deviation[:, 0], strict=True)])
    return Problem(k, volatility, weight, years, deviation, grid, np.zeros_like(grid), 0.0)

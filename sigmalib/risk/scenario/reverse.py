"""Reverse stress: the most plausible joint move of the underlyings that loses a given amount."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.market import MarketView
from sigmalib.risk.scenario.moves import Moves
from sigmalib.risk.scenario.revaluation import Book, revalued

Floats = npt.NDArray[np.float64]
Profit = Callable[[Floats], Floats]  # of log moves (scenario x name)

WINDOW, MINIMUM = 252, 60
STEPS = 40
BUMP = 1e-4  # of a log return, for the slope of the P&L
FURTHEST = 3.0  # log return beyond which no move is looked for: a twentieth or the twentyfold
RAYS = np.geomspace(0.02, 1.0, 60)  # shares of the way to that where the P&L along a ray is looked at
SMALL = 1e-10


@dataclass(frozen=True, eq=False)
class ReverseStress:
    """The most plausible joint move that loses ``loss``, or why there is none.

    moves : simple returns by underlying. distance : Mahalanobis distance of their logarithms under the covariance of
    past ``horizon``-session moves, in standard deviations. probability : that of a move beyond the plane that touches
    there, Phi(-distance), were moves normal: a measure of plausibility, not a forecast. pnl : of the book under the
    moves by full revaluation, minus ``loss`` when reached; the worst that was found when not.
    """

    loss: float
    reached: bool
    reason: str
    moves: pd.Series
    distance: float
    probability: float
    pnl: float
    by_position: pd.Series
    horizon: int

    def to_dict(self) -> dict[str, Any]:
        """Every number and sentence as plain values."""
        names = ("loss", "reached", "reason", "distance", "probability", "pnl", "horizon")
        return {**{name: getattr(self, name) for name in names}, "moves": self.moves.to_dict()}


def reverse_stress(
    loss: float, holdings: pd.DataFrame, marks: pd.DataFrame, market: MarketView, *, horizon: int = 1
) -> ReverseStress:
    """The joint move of the underlyings nearest to none, in Mahalanobis distance, that loses ``loss`` exactly.

    loss : base currency, positive. horizon : sessions; the covariance of daily log returns over 252 sessions times it.
    Found by the method of Hasofer and Lind (1974) with the steps of Rackwitz and Fiessler (1978) from several starts,
    each then solved along its ray by full revaluation. Volatilities, rates and currencies stay. Raises InputError for a
    loss that is not positive, for holdings that cannot be revalued, and with fewer than 60 common returns.
    """
    if not np.isfinite(loss) or loss <= 0:
        raise InputError(f"`loss` must be a positive amount of base currency, was {loss}")
    if horizon < 1:
        raise InputError(f"`horizon` counts sessions and must be 1 or more, was {horizon}")
    names = pd.Index(sorted(holdings.loc[holdings["kind"] != "CASH", "underlying"].unique()))
    root = _root(names, market) * sqrt(horizon)

    book = Book.of(holdings, marks)

    def profit(logs: Floats) -> Floats:
        return book.under(Moves(pd.DataFrame(np.expm1(logs), columns=names))).total

    if np.isnan(profit(np.zeros((1, len(names))))[0]):
        raise InputError("`holdings` has positions that cannot be revalued; leave them out first and say so")
    found = [point for start in _starts(root, profit) for point in _searched(start, root, profit, loss)]
    if not found:
        return _not_reached(loss, names, root, profit, horizon)
    nearest = min(found, key=lambda z: float(z @ z))
    return _told(loss, nearest, names, root, holdings, marks, horizon)


def _root(names: pd.Index, market: MarketView) -> Floats:
    """A root L of the covariance of daily log returns, L L' = C, without the directions that do not move."""
    absent = [name for name in names if name not in market.returns]
    returns = pd.DataFrame(np.log1p(market.returns.iloc[-WINDOW:].reindex(columns=names))).dropna()
    if absent or len(returns) < MINIMUM:
        told = f"{', '.join(absent)} have none" if absent else f"was {len(returns)}"
        raise InputError(f"a covariance needs {MINIMUM} common returns of the underlyings in {WINDOW} sessions, {told}")
    covariance = np.cov(returns.to_numpy(), rowvar=False, ddof=1).reshape(len(names), len(names))
    sizes, directions = np.linalg.eigh(covariance)
    kept = sizes > SMALL * max(sizes.max(initial=0.0), np.finfo(float).tiny)
    return np.asarray(directions[:, kept] * np.sqrt(sizes[kept]))


def _slope(z: Floats, root: Floats, profit: Profit) -> Floats:
    """Gradient of the P&L in the independent directions, by two revaluations a name."""
    here, count = root @ z, len(root)
    bumps = np.vstack([np.eye(count), -np.eye(count)]) * BUMP
    values = profit(here + bumps)
    return np.asarray(root.T @ ((values[:count] - values[count:]) / (2 * BUMP)))


def _starts(root: Floats, profit: Profit) -> Iterator[Floats]:
    """Directions to look into: where the book loses most at first, and up and down the widest joint moves."""
    count = root.shape[1]
    steepest = -_slope(np.zeros(count), root, profit)
    if np.linalg.norm(steepest) > 0:
        yield steepest / np.linalg.norm(steepest)
    for number in range(count - 1, max(-1, count - 5), -1):
        yield np.eye(count)[number]
        yield -np.eye(count)[number]
    together = root.T @ np.ones(len(root))
    if np.linalg.norm(together) > 0:
        yield together / np.linalg.norm(together)
        yield -together / np.linalg.norm(together)


def _searched(direction: Floats, root: Floats, profit: Profit, loss: float) -> Iterator[Floats]:
    """Points that lose ``loss``, each nearer than the last, from a first one along ``direction``."""
    point = _along(direction, root, profit, loss)
    for _ in range(STEPS):
        if point is None:
            return
        yield point
        slope = _slope(point, root, profit)
        steep = float(np.linalg.norm(slope))
        if steep < SMALL:
            return
        towards = -slope / steep * np.linalg.norm(point)
        nearer = _nearer(point, towards, root, profit, loss)
        if nearer is None or np.linalg.norm(point) - np.linalg.norm(nearer) < 1e-9 * np.linalg.norm(point):
            return
        point = nearer


def _nearer(point: Floats, towards: Floats, root: Floats, profit: Profit, loss: float) -> Floats | None:
    """A point that loses ``loss`` and is nearer, on the way from ``point`` to ``towards``; the longest step that is."""
    for step in (1.0, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001):
        mixed = point + step * (towards - point)
        size = float(np.linalg.norm(mixed))
        if size > 0:
            tried = _along(mixed / size, root, profit, loss)
            if tried is not None and np.linalg.norm(tried) < np.linalg.norm(point) * (1 - 1e-12):
                return tried
    return None


def _along(direction: Floats, root: Floats, profit: Profit, loss: float) -> Floats | None:
    """The first point along ``direction`` where the book loses ``loss``; None if it does not get there."""
    ray = root @ direction
    reach = FURTHEST / max(float(np.abs(ray).max(initial=0.0)), SMALL)

    def lost(lengths: Floats) -> Floats:
        return profit(lengths[:, None] * ray) + loss

    lengths = np.concatenate([[0.0], RAYS * reach])
    below = np.flatnonzero(lost(lengths) <= 0)
    if not len(below):
        return None
    low, high = lengths[below[0] - 1], lengths[below[0]]
    while True:  # each round looks at many points between at once, as one revaluation does
        between = np.linspace(low, high, 18)
        if not (np.diff(between) > 0).all() or high - low < 4e-16 * high:
            return np.asarray(high * direction)
        gone = np.flatnonzero(lost(between)[1:] <= 0)
        first = int(gone[0]) + 1 if len(gone) else len(between) - 1
        low, high = between[first - 1], between[first]


def _told(
    loss: float, z: Floats, names: pd.Index, root: Floats, holdings: pd.DataFrame, marks: pd.DataFrame, horizon: int
) -> ReverseStress:
    moves = pd.Series(np.expm1(root @ z), index=names, name="move")
    by_position = revalued(holdings, marks, moves.to_frame().T).frame.iloc[0].rename("pnl")
    distance = float(np.linalg.norm(z))
    probability, pnl = 0.5 * erfc(distance / sqrt(2)), float(by_position.sum())
    return ReverseStress(loss, True, "", moves, distance, probability, pnl, by_position, horizon)


def _not_reached(loss: float, names: pd.Index, root: Floats, profit: Profit, horizon: int) -> ReverseStress:
    rays = [root @ direction for direction in _starts(root, profit)]
    tried = [
        length * ray * FURTHEST / max(float(np.abs(ray).max()), SMALL) for ray in rays for length in (0.0, *RAYS)
    ] or [np.zeros(len(names))]
    worst = float(profit(np.array(tried)).min())
    reason = f"not reachable: the worst that moves of the underlyings alone do is {worst:,.0f}, as far as was looked"
    none = pd.Series(np.nan, index=names, name="move")
    return ReverseStress(loss, False, reason, none, np.nan, np.nan, worst, pd.Series(dtype=float), horizon)

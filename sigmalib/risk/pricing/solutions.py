"""American options solved: each by the method of its regime, from the terms of its front door to price and greeks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sigmalib.core.compiled import Later, in_parts
from sigmalib.core.errors import InputError
from sigmalib.risk.pricing.exercise import (
    SURELY_HELD,
    Accuracy,
    Regimes,
    block,
    certain,
    collocated,
    forever,
    on_rows,
    regimes,
    stopped,
)
from sigmalib.risk.pricing.inputs import CALL, Terms

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[Any]

NAMES = ("price", "delta", "gamma", "vega", "theta", "rho")
GRID = (480, 120)  # nodes and steps of the coarser grid of finite differences
GRID_CHUNK = 2
ON_GRID, MOST_NODES, FURTHEST_LOG = SURELY_HELD, 2_000.0, 40.0  # deviation, nodes, ln(spot / strike) of a largest grid
MOST_INTEREST = 40.0  # (rate + yield) x years on the largest grid
FAST_YEARS = 10.0  # up to which the fast scheme is for: beyond, its few points no longer resolve the boundary
BUMP, GRID_BUMP = 1e-3, 2e-2  # of volatility or years, by which cross greeks are differences; those of grids are rough
FURTHEST_SPOT = 1e100  # of the strike
ROUNDING = 1e-15  # of the intrinsic value, within which a European value is no more than it
_european, _grids = Later("sigmalib.risk.kernels.black_scholes"), Later("sigmalib.risk.kernels.finite_differences")


def answers_of(given: Terms, accuracy: Accuracy) -> Floats:
    """NAMES (6, n)."""
    if accuracy not in ("fast", "accurate"):
        raise InputError(f"`accuracy` must be 'fast' or 'accurate', was {accuracy!r}")
    found = np.empty((len(NAMES), given.sign.size))
    if given.sign.size == 0:
        return found
    _european.price_and_greeks(*given.arrays, given.sign, *found)
    normal, chosen = _normal(given, found[0])
    long = normal[1] > FAST_YEARS
    for flags, solve in (
        (chosen.at_once, lambda rows: stopped(rows[0])),
        (chosen.certain, certain),
        (chosen.forever, forever),
        (chosen.single & ~long, lambda rows: collocated(rows, accuracy)),
        (chosen.single & long, lambda rows: collocated(rows, "accurate")),
    ):
        places = np.flatnonzero(flags)
        if places.size:
            answers = _named(given, places, normal[0, places], solve(normal[:, places]))
            answers[0] = np.maximum(answers[0], found[0, places])
            found[:, places] = answers
    found[:, chosen.double | ~chosen.any()] = np.nan
    places = np.flatnonzero((chosen.double | (chosen.single & np.isnan(found[0]))) & on_grid(given))
    if places.size:
        found[:, places] = differences(given, places, (), greeks=True)
    with np.errstate(invalid="ignore", over="ignore"):
        found[0] = np.maximum(found[0], given.sign * (given.arrays[0] - given.arrays[1]))
    return found + 0.0  # no zero has a sign


def crossed(given: Terms) -> Floats:
    """Vanna, volga and charm (3, n): central differences of the accurate delta and vega.

    European where early exercise never pays, 0 where it is due; next to the boundary a difference to the one side
    that is not exercised.
    """
    middle, found = answers_of(given, "accurate"), np.empty((3, given.sign.size))
    if given.sign.size == 0:
        return found
    _, chosen = _normal(given, middle[0])
    for place, rows in ((5, ((0, 1, 1.0), (1, 3, 1.0))), (2, ((2, 1, -1.0),))):
        by = np.where(chosen.double, GRID_BUMP, BUMP) * given.arrays[place]
        up, down = (answers_of(_moved(given, place, by * side), "accurate") for side in (1.0, -1.0))
        above, below = _stopped(up) & ~_stopped(down), _stopped(down) & ~_stopped(up)
        up, down = np.where(above, middle, up), np.where(below, middle, down)
        with np.errstate(all="ignore"):
            width = np.where(above | below, by, 2.0 * by)
            for row, greek, sign in rows:
                slope = sign * (up[greek] - down[greek]) / width
                found[row] = np.where((by == 0) | _stopped(middle), 0.0 * middle[greek], slope)
    european = np.empty_like(found)
    _european.cross_greeks(*given.arrays, given.sign, *european)
    return np.where(chosen.never, european, found) + 0.0


def _moved(given: Terms, place: int, by: Floats) -> Terms:
    """The same options with one of their terms moved."""
    arrays = list(given.arrays)
    with np.errstate(invalid="ignore", over="ignore"):
        arrays[place] = arrays[place] + by
    return given._replace(arrays=tuple(arrays))


def _stopped(answers: Floats) -> npt.NDArray[np.bool_]:
    """Which options are exercised at once, from their answers (6, n)."""
    return (np.abs(answers[1]) == 1) & (answers[2] == 0) & (answers[3] == 0)


def _normal(given: Terms, european: Floats) -> tuple[Floats, Regimes]:
    """Each option as a put on a strike of 1, (5, n), and its regime."""
    spot, strike, years, rate, carry, volatility = given.arrays
    call = given.sign == CALL
    with np.errstate(all="ignore"):
        x = np.clip(np.where(call, strike / spot, spot / strike), 0.0, FURTHEST_SPOT)
        x = np.where((spot > 0) & (strike > 0), np.maximum(x, 1.0 / FURTHEST_SPOT), x)
        x = np.where((given.sign == 0) | ~(spot >= 0) | ~(strike > 0) | np.isinf(spot + strike), np.nan, x)
        normal = np.stack([x, years, np.where(call, carry, rate), np.where(call, rate, carry), volatility])
        chosen = regimes(normal)
        gained = (x < 1) & (normal[2] > normal[3] * x)
        due = gained & (european <= given.sign * (spot - strike) * (1.0 + ROUNDING))
    worthless = chosen.any() & call & (spot == 0)
    chosen = Regimes(*(flags & ~worthless for flags in chosen))
    due &= chosen.never
    return normal, chosen._replace(never=(chosen.never & ~due) | worthless, at_once=chosen.at_once | due)


def _named(given: Terms, places: Places, x: Floats, rows: Floats) -> Floats:
    """NAMES (6, k) of the options at ``places`` from the rows of their puts on a strike of 1."""
    spot, strike, sign = given.arrays[0][places], given.arrays[1][places], given.sign[places]
    call = sign == CALL
    value, slope, curve, vega, later, by_rate, by_carry = rows
    scale = np.where(call, spot, strike)
    with np.errstate(all="ignore"):
        delta = np.where(call, value - x * slope, slope)
        gamma = np.where(call, x * x, 1.0) * curve / scale
        answers = [scale * value, delta, gamma, scale * vega, -scale * later, scale * np.where(call, by_carry, by_rate)]
    return np.stack(answers)


def rows_of(spots: Floats, arrays: Sequence[Floats], sign: Places, accuracy: Accuracy) -> Floats:
    """Values (options, scenarios) by one boundary a row where there is a single one, one by one elsewhere."""
    strike, years, rate, carry, volatility = (array[:, None] for array in arrays)
    call = sign[:, None] == CALL
    found = np.full(spots.shape, np.nan)
    exchanged = np.where(call, carry, rate), np.where(call, rate, carry)
    normal = np.hstack([np.ones_like(years), years, *exchanged, volatility]).T
    single = regimes(normal).single & (sign != 0) & (strike[:, 0] > 0) & np.isfinite(strike[:, 0])
    with np.errstate(all="ignore"):
        x = np.where(call, strike / spots, spots / strike)
        sound = single[:, None] & (x > 1.0 / FURTHEST_SPOT) & (x < FURTHEST_SPOT)
    long = years[:, 0] > FAST_YEARS
    ways: tuple[tuple[Places, Accuracy], ...] = ((single & ~long, accuracy), (single & long, "accurate"))
    for flags, way in ways:
        rows = np.flatnonzero(flags)
        if rows.size and spots.shape[1]:
            scale = np.where(call, spots, strike)[rows]
            found[rows] = scale * on_rows(normal[:, rows], np.where(sound, x, 1.0)[rows], way)
    sound &= np.isfinite(found)
    each, which = np.nonzero(~sound)
    if each.size:
        rest = tuple(np.ascontiguousarray(array) for array in (spots[each, which], *(array[each] for array in arrays)))
        found[each, which] = answers_of(Terms(rest, np.ascontiguousarray(sign[each]), (each.size,)), accuracy)[0]
    return found


def on_grid(given: Terms) -> npt.NDArray[np.bool_]:
    """Which options finite differences resolve: known terms, a deviation within ON_GRID, a drift that is not all."""
    spot, strike, years, rate, carry, volatility = given.arrays
    with np.errstate(all="ignore"):
        deviation = volatility * np.sqrt(years)
        drift = np.abs(rate - carry) * years
        inside = (spot > 0) & (strike > 0) & (volatility > 0) & (years > 0) & (given.sign != 0) & (deviation < ON_GRID)
        inside &= (np.abs(rate) + np.abs(carry)) * years < MOST_INTEREST
        inside &= drift * (12.0 * deviation + 2.0 * drift) < MOST_NODES * deviation * deviation
        return inside & (np.abs(np.log(spot / strike)) < FURTHEST_LOG)


def differences(given: Terms, places: Places, dividends: Sequence[tuple[float, float]], *, greeks: bool) -> Floats:
    """NAMES (6, k) of the options at ``places`` by finite differences."""
    times, amounts = (np.array([pair[i] for pair in dividends], dtype=np.float64) for i in range(2))
    copied, found = block(7, places.size), block(len(NAMES) + 1, places.size)
    copied[:6], copied[6] = [array[places] for array in given.arrays], given.sign[places]

    def run(terms: Floats, answers: Floats) -> None:
        _grids.american(terms, times, amounts, *GRID, greeks, answers)

    in_parts(run, places.size, (copied, found), chunk=GRID_CHUNK)
    answers, intrinsic = found[:-1].copy(), copied[6] * (copied[0] - copied[1])
    if not dividends:
        european = np.empty_like(answers)
        _european.price_and_greeks(*(array[places] for array in given.arrays), given.sign[places], *european)
        answers += european
        answers[0] = np.maximum(answers[0], european[0])
    stopped_now = (found[-1] > 0) & (intrinsic > 0)
    answers[:, stopped_now], answers[1, stopped_now] = 0.0, copied[6, stopped_now]
    answers[0] = np.where(stopped_now, intrinsic, np.maximum(answers[0], intrinsic))
    return answers

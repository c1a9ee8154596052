"""Puts on a strike of 1 that may be exercised early: which method prices which, and the closed forms at the edges.

Every American option is one of these, times its strike (a put) or its spot (a call, with spot and strike, rate and
dividend yield exchanged: McDonald and Schroder 1998). ``given`` is (5, n): spot over strike, years, rate, yield and
volatility; answers are (7, n): value, d/dx, d2/dx2, d/dvolatility, d/dtime left, d/drate, d/dyield.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sigmalib.core.compiled import Later, in_parts

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Accuracy = Literal["fast", "accurate"]

ROWS = 7
CHUNK = 256  # options that are worth another core
WHOLE_LINES = 16  # spare columns, so that blocks are never contiguous and the loops are compiled for one kind of array
UNSETTLED = 0.02  # SETTLED of kernels.american: a last step of the boundary, of its depth, with which it is not found
LEAST_DEVIATION = 2e-5  # volatility x root of years below which spots count as certain: an error below 1e-5
MOST_VOLATILITY = 1e70  # of a perpetual put, whose limit it has reached long before; its fourth power is a number
NOTHING = 1e-10  # interest on the strike until expiry that is not worth exercising for
FOREVER = 14.0  # rate x years, or variance / 8, beyond which expiry does not matter: exp(-14) is 8e-7 of the strike
SURELY_HELD = 17.0  # the deviation beyond which both normal tails of the European value are below 1e-16
FURTHEST = 300.0  # yield x years beyond which the loops would overflow


class Scheme(NamedTuple):
    """Sizes of a collocation: intervals between nodes, points of the first and of the last integrals, of the value."""

    nodes: int
    few: int
    points: int
    value: int
    cluster: int
    within: float


SCHEMES: dict[str, Scheme] = {
    "fast": Scheme(8, 8, 16, 28, 1, 1e-2),
    "accurate": Scheme(12, 16, 48, 64, 2, 1e-5),
    "robust": Scheme(6, 24, 24, 64, 2, 1e-5),
}
_loops = Later("sigmalib.risk.kernels.american")


class Regimes(NamedTuple):
    """Which put is priced how: each flag (n,), none of them where a term is unknown."""

    never: Flags  # early exercise never pays: the European value
    at_once: Flags  # spot or time is nothing: exercised at once if at all
    certain: Flags  # no volatility: the best of all dates
    forever: Flags  # the expiry is too far to matter
    single: Flags  # one boundary: collocation
    double: Flags  # exercised between two boundaries: finite differences

    def any(self, axis: int = 0) -> Flags:
        """Whether a put has a regime at all."""
        return np.any(np.stack(tuple(self)), axis=axis)


def regimes(given: Floats) -> Regimes:
    """The regime of each put.

    Exercise at x gains rate - yield x a year: never for x < 1 if rate <= 0 and yield >= rate; only above
    rate / yield if yield < rate < 0 (Battauz, De Donno and Sbuelz 2015), and at any x < 1 if yield < rate = 0, where
    there is one boundary. Waiting longer than until FOREVER is worth less than exp(-FOREVER), and with a deviation
    beyond SURELY_HELD a put that is worth most at expiry is worth its strike.
    """
    x, years, rate, carry, volatility = given
    with np.errstate(all="ignore"):
        known = np.isfinite(given).all(axis=0) & (x >= 0) & (years >= 0) & (volatility >= 0)
        deviation = volatility * np.sqrt(years)
        never = known & ((rate <= 0) & (carry >= rate) | (rate * years <= NOTHING) & (rate >= 0) & (carry >= 0))
        never |= known & (rate <= 0) & ((x == 0) & (rate < 0) | (deviation > SURELY_HELD))
        at_once = known & ((years == 0) & (x != 1) | (x == 0) & (rate >= 0) & ~never)
        never = (never & ~at_once) | known & (years == 0) & (x == 1)
        live = known & ~at_once & ~never
        certain = live & (deviation < LEAST_DEVIATION)
        long = (rate * years > FOREVER) | (deviation * deviation > 8 * FOREVER)
        forever = live & ~certain & long & (rate > 0)
        rest = live & ~certain & ~forever
        single = (rate >= 0) & (np.abs(carry * years) < FURTHEST)
        return Regimes(never, at_once, certain, forever, rest & single, rest & (rate < 0))


def collocated(given: Floats, accuracy: Accuracy) -> Floats:
    """Puts of a single boundary (7, n); NaN where no scheme finds it."""
    found = _solved(given, SCHEMES[accuracy])
    lost = ~(found[ROWS] < UNSETTLED)
    if lost.any():
        found[:, lost] = _solved(given[:, lost], SCHEMES["robust"])
    return np.where(found[ROWS] < UNSETTLED, found[:ROWS], np.nan)


def on_rows(given: Floats, spots: Floats, accuracy: Accuracy) -> Floats:
    """Values (n, m) of puts of a single boundary at many spots over the strike each; NaN where it is not found."""
    scheme = SCHEMES[accuracy]
    copied, found = block(5, given.shape[1]), np.empty(spots.shape)
    copied[:] = given
    _loops.rows(copied, *tables(scheme), scheme.within, np.ascontiguousarray(spots), found)
    return found


def certain(given: Floats) -> Floats:
    """Puts without volatility: the best of exercising now, at expiry or where interest and dividends are equal.

    The derivatives are those at the best date (the envelope theorem).
    """
    x, years, rate, carry, _ = given
    with np.errstate(all="ignore"):
        between = np.log(rate / (carry * x)) / (rate - carry)
        between = np.where((between > 0) & (between < years), between, 0.0)
        dates = np.stack([np.zeros_like(x), years, between])
        gains = np.exp(-rate * dates) - x * np.exp(-carry * dates)
        best = np.nan_to_num(gains, nan=-np.inf).argmax(axis=0)
        date, gain = (np.take_along_axis(rows, best[None], axis=0)[0] for rows in (dates, gains))
        cash, stock = np.exp(-rate * date), np.exp(-carry * date)
        curve = np.where(best == 2, -carry * stock / (x * (rate - carry)), 0.0)
        later = np.where(best == 1, carry * x * stock - rate * cash, 0.0)
        answers = np.stack([gain, -stock, curve, np.zeros_like(x), later, -date * cash, date * x * stock])
    return np.where(gain > 0, answers, 0.0)


def forever(given: Floats) -> Floats:
    """Perpetual puts (Merton 1973): (1 - B) (x / B)^p above B = p / (p - 1), p < 0 the root of the Euler equation."""
    x, _, rate, carry, volatility = given
    volatility = np.minimum(volatility, MOST_VOLATILITY)
    with np.errstate(all="ignore"):
        half = 0.5 * volatility * volatility
        b = half - (rate - carry)
        rest = np.sqrt(b * b + 4.0 * half * rate)
        power = np.where(b > 0, -2.0 * rate / (b + rest), (b - rest) / (2.0 * half))
        edge = power / (power - 1.0)
        above = np.log(np.where(edge > 0, x / edge, np.inf))
        value = (1.0 - edge) * np.exp(power * np.where(power == 0, 0.0, above))
        # d value = value ln(x / B) dp, the edge being the best one; p solves half p^2 - b p - rate = 0
        steep = np.where(np.isfinite(above), above, 0.0) * value / (2.0 * half * power - b)
        by_rate, by_carry = steep * (1.0 - power), steep * power
        vega = -steep * volatility * power * (power - 1.0)
        answers = np.stack(
            [value, power * value / x, power * (power - 1.0) * value / (x * x), vega, 0 * x, by_rate, by_carry]
        )
    return np.where(x > edge, answers, stopped(x))


def stopped(x: Floats) -> Floats:
    """Puts exercised at once (7, n)."""
    none = np.zeros_like(x)
    return np.stack([np.maximum(1.0 - x, 0.0), np.where(x < 1.0, -1.0, 0.0), none, none, none, none, none])


def block(rows: int, count: int) -> Floats:
    """An empty block (rows, count) of the one kind that the loops are compiled for: with spare columns in memory."""
    return np.empty((rows, count + WHOLE_LINES))[:, :count]


@cache
def tables(scheme: Scheme) -> tuple[Any, ...]:
    """Chebyshev nodes (of the root of time), and points, weights and cardinal functions of the three integrals."""
    angles = np.arange(scheme.nodes + 1) * np.pi / scheme.nodes
    nodes = 0.5 * (1.0 - np.cos(angles))
    few, many = (_of_nodes(nodes, points) for points in (scheme.few, scheme.points))
    c, weights = _points(scheme.value, scheme.cluster)
    return nodes, *few, *many, c, weights, _cardinal(nodes, np.sqrt(1.0 - c * c))


def _of_nodes(nodes: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    c, weights = _points(count, 1)
    return c, weights, np.stack([_cardinal(nodes, node * np.sqrt(1.0 - c * c)) for node in nodes])


def _points(count: int, cluster: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre points c on (0, 1), as powers of themselves nearer to 0, with weights of 2 c dc / c."""
    y, weights = np.polynomial.legendre.leggauss(count)
    c = 0.5 * (1.0 + y)
    return c**cluster, weights * cluster * c ** (cluster - 1)


def _cardinal(nodes: Floats, places: Floats) -> Floats:
    """Barycentric cardinal functions (place, node) of Chebyshev nodes: Berrut and Trefethen (2004), eq. 4.2 and 5.4."""
    signs = np.where(np.arange(nodes.size) % 2, -1.0, 1.0)
    signs[[0, -1]] *= 0.5
    gaps = places[:, None] - nodes
    on_node = np.abs(gaps) < 1e-15
    shares = signs / np.where(on_node, 1.0, gaps)
    shares = np.where(on_node.any(axis=1, keepdims=True), on_node.astype(float), shares)
    return shares / shares.sum(axis=1, keepdims=True)


def _solved(given: Floats, scheme: Scheme) -> Floats:
    copied, found = block(5, given.shape[1]), block(ROWS + 1, given.shape[1])
    copied[:] = given
    few = tables(scheme)

    def run(terms: Floats, answers: Floats) -> None:
        _loops.puts(terms, *few, scheme.within, answers)

    in_parts(run, given.shape[1], (copied, found), chunk=CHUNK)
    return found

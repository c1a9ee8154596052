"""Black-Scholes-Merton values and greeks: loops over a book, one exponential for both normal densities.

Notation, as in Hull: S' = S exp(-qT), K' = K exp(-rT), x = ln(S'/K'), s = sigma sqrt(T), d1 = x/s + s/2, d2 = d1 - s.
Since S' phi(d1) = K' phi(d2) =: v, both normal tails are v times a Mills ratio R; v is taken from the smaller of S'
and K', whose d is the nearer to zero. A value is its intrinsic value and the out-of-the-money rest, so that neither
spoils the other: v (R(m) - R(p)), or the smaller leg less v (R(m) + R(p)), where p is the larger of |d1|, |d2| and m
the smaller.

Limits come out of the same lines: without time or volatility |d| is clamped where the density is zero, but for the kink
(x = s = 0), where gamma and what derives from it is NaN. Any term that is not finite, or negative where it must not be,
makes all results NaN; a result that no double holds is NaN as well.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import compiled, inlined
from sigmalib.risk.kernels.elementary import FURTHEST, REPEATABLE, density, exp, fused, log_ratio, mills

Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]

LEAST_DEVIATION = 1e-300  # stands for none, so that nothing is divided by zero
LEAST_APART = 1e-2  # two d nearer to each other have too few digits left in the difference of their Mills ratios
LEAST = 2.2250738585072014e-308  # the smallest normal double: a spot or strike below counts as none
BEYOND = 1e300


@inlined
def unknown(
    spot: float,
    strike: float,
    years: float,
    rate: float,
    carry: float,
    volatility: float,
    sign: float,
    stock: float,
    cash: float,
) -> float:
    """0 where the terms make sense and NaN where they do not: to be added to a result."""
    sound = (
        (spot >= 0.0)
        & (strike >= 0.0)
        & (max(spot, strike) >= LEAST)
        & (years >= 0.0)
        & (volatility >= 0.0)
        & (sign != 0.0)
        & (stock + cash < math.inf)
        & (years + volatility < math.inf)
        & (abs(rate) + abs(carry) < math.inf)
    )
    return 0.0 if sound else math.nan


@inlined
def finite(x: float) -> float:
    """x, NaN where it is infinite."""
    return x + (x - x)


@inlined
def parts(
    spot: float, strike: float, years: float, rate: float, carry: float, volatility: float
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """growth, S', K', x, s, x/s (clamped), v, the Mills ratio of the nearer d and that of the further d."""
    growth, discount = exp(-carry * years), exp(-rate * years)
    stock, cash = spot * growth, strike * discount
    deviation = max(volatility * math.sqrt(years), LEAST_DEVIATION)
    apart = log_ratio(spot, strike) if strike >= LEAST else BEYOND
    moneyness = fused(rate - carry, years, apart) if spot >= LEAST else -BEYOND
    certain = (deviation <= LEAST_DEVIATION) & (moneyness != 0.0)
    ratio = math.copysign(BEYOND, moneyness) if certain else min(max(moneyness / deviation, -BEYOND), BEYOND)
    half = 0.5 * deviation
    near, far = abs(abs(ratio) - half), abs(ratio) + half
    height = min(stock, cash) * density(min(near, FURTHEST))
    return growth, stock, cash, moneyness, deviation, ratio, height, mills(near), mills(far)


@inlined
def difference_for_small(m: float, s: float, near: float) -> float:
    """R(m) - R(m + s) by its Taylor series in s < LEAST_APART, where the plain difference cancels; ``near`` is R(m)."""
    d1 = fused(m, near, -1.0)
    d2 = fused(m, d1, near)
    d3 = fused(m, d2, 2.0 * d1)
    d4 = fused(m, d3, 3.0 * d2)
    d5 = fused(m, d4, 4.0 * d3)
    d6 = fused(m, d5, 5.0 * d4)
    d7 = fused(m, d6, 6.0 * d5)
    p = fused(s * (1.0 / 7.0), d7, d6)
    p = fused(s * (1.0 / 6.0), p, d5)
    p = fused(s * (1.0 / 5.0), p, d4)
    p = fused(s * (1.0 / 4.0), p, d3)
    p = fused(s * (1.0 / 3.0), p, d2)
    p = fused(s * (1.0 / 2.0), p, d1)
    return -s * p


@inlined
def value(
    sign: float, stock: float, cash: float, deviation: float, ratio: float, height: float, near: float, far: float
) -> float:
    """The price from its parts."""
    inside = abs(ratio) >= 0.5 * deviation
    m = min(abs(ratio) - 0.5 * deviation, FURTHEST)
    apart = difference_for_small(m, deviation, near) if deviation < LEAST_APART else near - far
    rest = height * apart if inside else fused(-height, near + far, min(stock, cash))
    return max(sign * (stock - cash), 0.0) + (max(rest, 0.0) if deviation > LEAST_DEVIATION else 0.0)


@inlined
def first_order(
    sign: float, spot: float, strike: float, years: float, rate: float, carry: float, volatility: float
) -> tuple[float, float, float, float, float, float]:
    """Price, delta, gamma, vega, theta and rho of one option."""
    growth, stock, cash, x, s, ratio, v, near, far = parts(spot, strike, years, rate, carry, volatility)
    poison = unknown(spot, strike, years, rate, carry, volatility, sign, stock, cash)
    kink = math.nan if (x == 0.0) & (s <= LEAST_DEVIATION) else poison
    price = value(sign, stock, cash, s, ratio, v, near, far) + poison
    tail1, tail2 = (v * far, v * near) if ratio >= 0.0 else (v * near, v * far)
    held = stock - tail1 if sign * (ratio + 0.5 * s) > 0.0 else tail1
    owed = cash - tail2 if sign * (ratio - 0.5 * s) > 0.0 else tail2
    inverse = 1.0 / max(spot, LEAST)
    delta = sign * (held * inverse if spot >= LEAST else (growth if sign < 0.0 else 0.0)) + poison
    gamma = (v * inverse / s * inverse if v > 0.0 else 0.0) + kink
    decay = 0.5 * v * volatility * (volatility / s) if v * volatility > 0.0 else 0.0
    theta = sign * (carry * held - rate * owed) - decay + (kink if (decay > 0.0) | (years == 0.0) else poison)
    vega, rho = v * math.sqrt(years) + poison, sign * years * owed + poison
    return price, delta, finite(gamma), finite(vega), finite(theta), finite(rho)


@compiled(allowing=REPEATABLE)
def prices(
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    carry: Floats,
    volatility: Floats,
    sign: Signs,
    price: Floats,
) -> None:
    """Fill ``price`` (n,) from the terms (n,)."""
    for i in range(spot.shape[0]):
        w = float(sign[i])
        _, stock, cash, _, s, ratio, v, near, far = parts(
            spot[i], strike[i], years[i], rate[i], carry[i], volatility[i]
        )
        poison = unknown(spot[i], strike[i], years[i], rate[i], carry[i], volatility[i], w, stock, cash)
        price[i] = value(w, stock, cash, s, ratio, v, near, far) + poison


@compiled(allowing=REPEATABLE)
def greeks(
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    carry: Floats,
    volatility: Floats,
    sign: Signs,
    delta: Floats,
    gamma: Floats,
    vega: Floats,
    theta: Floats,
    rho: Floats,
) -> None:
    """Fill the four greeks of first order and gamma (n,) from the terms (n,)."""
    for i in range(spot.shape[0]):
        _, delta[i], gamma[i], vega[i], theta[i], rho[i] = first_order(
            float(sign[i]), spot[i], strike[i], years[i], rate[i], carry[i], volatility[i]
        )


@compiled(allowing=REPEATABLE)
def price_and_greeks(
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    carry: Floats,
    volatility: Floats,
    sign: Signs,
    price: Floats,
    delta: Floats,
    gamma: Floats,
    vega: Floats,
    theta: Floats,
    rho: Floats,
) -> None:
    """Fill the price, the four greeks of first order and gamma (n,) from the terms (n,)."""
    for i in range(spot.shape[0]):
        price[i], delta[i], gamma[i], vega[i], theta[i], rho[i] = first_order(
            float(sign[i]), spot[i], strike[i], years[i], rate[i], carry[i], volatility[i]
        )


@compiled(allowing=REPEATABLE)
def cross_greeks(
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    carry: Floats,
    volatility: Floats,
    sign: Signs,
    vanna: Floats,
    volga: Floats,
    charm: Floats,
) -> None:
    """Fill vanna, volga and charm (n,) from the terms (n,)."""
    for i in range(spot.shape[0]):
        w, t, r, q, sigma = float(sign[i]), years[i], rate[i], carry[i], volatility[i]
        growth, stock, cash, x, s, ratio, v, near, far = parts(spot[i], strike[i], t, r, q, sigma)
        poison = unknown(spot[i], strike[i], t, r, q, sigma, w, stock, cash)
        unclear = math.nan if (x == 0.0) & (s <= LEAST_DEVIATION) else poison
        d1, d2 = ratio + 0.5 * s, ratio - 0.5 * s
        tail = v * (far if ratio >= 0.0 else near)
        held = stock - tail if w * d1 > 0.0 else tail
        inverse = 1.0 / max(spot[i], LEAST)
        delta = w * (held * inverse if spot[i] >= LEAST else (growth if w < 0.0 else 0.0))
        bell = v * inverse
        spread = d2 / sigma
        drift = (r - q) / s - 0.5 * d2 / t
        vanna[i] = finite((-bell * spread if v > 0.0 else 0.0) + unclear)
        volga[i] = finite((v * math.sqrt(t) * d1 * spread if v > 0.0 else 0.0) + unclear)
        charm[i] = finite(q * delta - (bell * drift if v > 0.0 else 0.0) + unclear)

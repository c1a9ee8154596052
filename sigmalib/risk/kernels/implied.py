"""Implied volatility: a loop over quotes in blocks, Householder's third-order step on the logarithm of the price.

Notation: x = -|ln(S'/K')| with S', K' discounted spot and strike, s = sigma sqrt(T), a = |x|/s, t = s/2, R the Mills
ratio, b = out-of-the-money price / sqrt(S'K') in (0, e^(x/2)). Then (Jaeckel, "Let's be rational", 2015, eq. 2.3)

    b = phi(sqrt(a^2 + t^2)) [R(a - t) - R(a + t)],    e^(x/2) - b = the same [R(t - a) + R(t + a)]

so that a step needs two Mills ratios and one logarithm and no exponential. Below the inflection (t <= a) the objective
is 1 / ln b, above it ln of the complement; for small t the difference of the two ratios is its Taylor series in t.
Start: Stefanica and Radoicic, "An explicit implied volatility formula" (2017), and Bachelier's line near the money.
Two steps do for nearly all quotes; a block of them ends when its last one has converged. A price below 1e-300 of its
bound is left unsolved: the tails have no more digits there.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sigmalib.core.jit import compiled, inlined
from sigmalib.risk.kernels.black_scholes import LEAST, unknown
from sigmalib.risk.kernels.elementary import REPEATABLE, exp, fused, log, log_ratio, mills

Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]
Codes = npt.NDArray[np.int8]

FOUND, UNSOUND, EXPIRED, BELOW, AT_INTRINSIC, ABOVE, UNSOLVED = range(7)

BLOCK = 256
STEPS = 24
CLOSE = 2e-5  # a relative step this small leaves a fourth-order error below rounding
TINY, TINIER = 1e-290, 1e-300
LN_SQRT_2PI = 0.9189385332046728
SQRT_2PI = 2.5066282746310002
TWO_OVER_PI, HALF_PI = 0.6366197723675814, 1.5707963267948966


@inlined
def start(x: float, moneyness: float, normalised: float, share: float) -> float:
    """A first s: ``moneyness`` = e^x, ``normalised`` = b, ``share`` = b e^(x/2), the price of a call with K' = 1."""
    k = exp(TWO_OVER_PI * x)
    ratio = moneyness / k
    inverse = 1.0 / ratio
    reach = 2.0 * share - moneyness + 1.0
    difference = ratio - inverse
    a = difference * difference
    square = reach * reach
    b = 4.0 * (k + 1.0 / k) - 2.0 / moneyness * (ratio + inverse) * (moneyness * moneyness + 1.0 - square)
    above = (moneyness + 1.0) * (moneyness + 1.0) - square
    c = max(4.0 * share * (share + 1.0 - moneyness) * above / (moneyness * moneyness), TINY)
    beta = min(max(2.0 * c / (b + math.sqrt(b * b + 4.0 * a * c)), TINY), 1.0)
    gamma = -HALF_PI * log(beta)
    plus, minus = math.sqrt(max(gamma + x, 0.0)), math.sqrt(max(gamma - x, 0.0))
    border = 0.5 * moneyness - 0.5 + 0.5 * math.sqrt(max(1.0 - exp(2.0 * TWO_OVER_PI * x), 0.0))
    guess = minus - plus if share <= border else minus + plus
    line = SQRT_2PI * (normalised - 0.5 * x)
    return line if (line < 0.01) & (-x < 0.3 * line) else max(guess, 1e-8)


@inlined
def difference_for_small(a: float, t: float) -> float:
    """R(a - t) - R(a + t) by its Taylor series in t, for t < 0.06 and a t < 0.12; derivatives by their recursion."""
    d0 = mills(a)
    d1 = fused(a, d0, -1.0)
    d2 = fused(a, d1, d0)
    d3 = fused(a, d2, 2.0 * d1)
    d4 = fused(a, d3, 3.0 * d2)
    d5 = fused(a, d4, 4.0 * d3)
    d6 = fused(a, d5, 5.0 * d4)
    d7 = fused(a, d6, 6.0 * d5)
    d8 = fused(a, d7, 7.0 * d6)
    d9 = fused(a, d8, 8.0 * d7)
    z = t * t
    p = fused(z * (1.0 / 72.0), d9, d7)
    p = fused(z * (1.0 / 42.0), p, d5)
    p = fused(z * (1.0 / 20.0), p, d3)
    p = fused(z * (1.0 / 6.0), p, d1)
    return -2.0 * t * p


@inlined
def step(s: float, x: float, log_price: float, log_complement: float) -> tuple[float, float]:
    """The next s and the size of the step relative to s."""
    a, t = -x / s, 0.5 * s
    apart = a - t
    far, near = mills(a + t), mills(abs(apart))
    small = (t < 0.06) & (a * t < 0.12)
    lower = small | (apart >= 0.0)
    direct = near - far if apart >= 0.0 else near + far
    d = max(difference_for_small(a, t) if small else direct, TINIER)
    reached = fused(-0.5, fused(a, a, t * t), log(d) - LN_SQRT_2PI)
    inverse, slope = 1.0 / d, a / s
    second = fused(a, slope, -0.25 * s)
    third = fused(second, second, fused(-3.0 * slope, slope, -0.25))
    bend = 1.0 / reached if lower else 0.0
    u = -inverse * (1.0 + 2.0 * bend) if lower else inverse
    h2 = second + u
    curl = 2.0 * inverse * inverse * fused(3.0 * bend, 1.0 + bend, 1.0)
    h3 = fused(3.0 * second, u, third) + curl
    newton = (log_price - reached) * (reached / log_price) * d if lower else (reached - log_complement) * d
    divisor = fused(newton, fused(h3, newton * (1.0 / 6.0), h2), 1.0)
    change = newton * fused(0.5 * h2, newton, 1.0) / divisor
    change = newton if (divisor <= 0.1) | (change * newton <= 0.0) else change
    change = min(max(change, -0.6 * s), 1.5 * s)
    return s + change, abs(change) / s


@compiled(allowing=REPEATABLE)
def solve_block(
    price: Floats,
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    carry: Floats,
    sign: Signs,
    volatility: Floats,
    reason: Codes,
    work: Floats,
) -> None:
    """As ``solve``, of at most BLOCK quotes; ``work`` (5, BLOCK) is scratch."""
    count = price.shape[0]
    x, log_price, log_complement, s, last = work[0], work[1], work[2], work[3], work[4]
    for i in range(count):
        p, t, w = price[i], years[i], float(sign[i])
        growth, discount = exp(-carry[i] * t), exp(-rate[i] * t)
        stock, cash = spot[i] * growth, strike[i] * discount
        poison = unknown(spot[i], strike[i], t, rate[i], carry[i], 0.0, w, stock, cash)
        intrinsic = w * (stock - cash)
        rest = p - max(intrinsic, 0.0)
        least = min(stock, cash)
        rounding = (stock if growth != 1.0 else 0.0) + (cash if discount != 1.0 else 0.0)
        noise = 2.220446049250313e-16 * rounding if intrinsic > 0.0 else 0.0
        code = FOUND if (rest >= LEAST) & (rest >= TINIER * least) & (min(spot[i], strike[i]) >= LEAST) else UNSOLVED
        code = ABOVE if rest >= least else code
        code = AT_INTRINSIC if rest <= noise else code
        code = BELOW if rest < -noise else code
        code = EXPIRED if t == 0.0 else code
        code = code if (poison == 0.0) & (p >= 0.0) & (p < math.inf) else UNSOUND
        sound = code == FOUND
        share = rest / least if sound else 0.25
        x[i] = -abs(log_ratio(spot[i], strike[i]) + (rate[i] - carry[i]) * t) if sound else -0.1
        moneyness = exp(x[i])
        peak = math.sqrt(moneyness)
        log_price[i] = log(max(share, TINIER)) + 0.5 * x[i]
        log_complement[i] = log(max(1.0 - share, TINIER)) + 0.5 * x[i]
        s[i] = start(x[i], moneyness, share * peak, share * moneyness)
        last[i] = 1.0
        reason[i] = code
    for _ in range(STEPS):
        remaining = 0
        for i in range(count):
            s[i], last[i] = step(s[i], x[i], log_price[i], log_complement[i])
            remaining += 0 if last[i] <= CLOSE else 1
        if remaining == 0:
            break
    for i in range(count):
        solved = (last[i] <= CLOSE) & (reason[i] == FOUND)
        volatility[i] = s[i] / math.sqrt(years[i]) if solved else math.nan
        reason[i] = UNSOLVED if (reason[i] == FOUND) & (not solved) else reason[i]


@compiled(allowing=REPEATABLE)
def solve(
    price: Floats,
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    carry: Floats,
    sign: Signs,
    volatility: Floats,
    reason: Codes,
) -> None:
    """Fill ``volatility`` (n,), NaN where there is none, and ``reason`` (n,), a code from above, from quotes (n,)."""
    work = np.empty((5, BLOCK))
    for first in range(0, price.shape[0], BLOCK):
        last = min(price.shape[0], first + BLOCK)
        solve_block(
            price[first:last],
            spot[first:last],
            strike[first:last],
            years[first:last],
            rate[first:last],
            carry[first:last],
            sign[first:last],
            volatility[first:last],
            reason[first:last],
            work,
        )

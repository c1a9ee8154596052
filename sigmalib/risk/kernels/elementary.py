"""Elementary functions without a branch or a library call, so that a loop of them uses all lanes of the vector unit.

Each is accurate to about one unit in the last place over the range it names. ``exp`` follows Cody and Waite's
reduction with a Taylor polynomial, ``log`` the polynomial of Sun's fdlibm (e_log.c), and the Mills ratio is a rational
minimax fit of our own with positive coefficients only (error of the fit 6e-17 on [0, 39]).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sigmalib.core.jit import inlined

# What the compiler may assume of option formulas: little, for an option alone (in what is left of a loop after its last
# full vector) must get the same bits as the same option among others. Products are fused where ``fused`` says so.
REPEATABLE = {"nsz"}

ROUND = 6755399441055744.0  # 1.5 x 2**52: adding it rounds to an integer
SQRT_2 = 1.4142135623730951
INVERSE_SQRT_2PI = 0.3989422804014327
FURTHEST = 39.0  # beyond, the normal tail is below the smallest double

if numba.config.DISABLE_JIT:

    def bits(x: float) -> int:
        """The 64 bits of a double as an integer."""
        return int(np.float64(x).view(np.int64))

    def double(n: int) -> float:
        """The double that 64 bits stand for."""
        return float(np.int64(n).view(np.float64))

    def fused(x: float, y: float, z: float) -> float:
        """x * y + z."""
        return x * y + z

else:

    @intrinsic
    def bits(context: Any, x: Any) -> Any:
        """The 64 bits of a double as an integer."""
        return types.int64(types.float64), lambda _, builder, __, given: builder.bitcast(given[0], ir.IntType(64))

    @intrinsic
    def double(context: Any, n: Any) -> Any:
        """The double that 64 bits stand for."""
        return types.float64(types.int64), lambda _, builder, __, given: builder.bitcast(given[0], ir.DoubleType())

    @intrinsic
    def fused(context: Any, x: Any, y: Any, z: Any) -> Any:
        """x * y + z with one rounding."""
        real = types.float64
        return real(real, real, real), lambda _, builder, __, given: builder.fma(*given)


@inlined
def exp(x: float) -> float:
    """e ** x, 0 below the smallest double and inf above the largest; a NaN gives a number, so test for it elsewhere."""
    x = min(max(x, -746.0), 710.0)
    shifted = fused(x, 1.4426950408889634, ROUND)
    n = shifted - ROUND
    r = fused(n, -0.6931471805599453, x)
    r = fused(n, -2.3190468138462996e-17, r)
    p = 1.0 / 6227020800.0
    p = fused(p, r, 1.0 / 479001600.0)
    p = fused(p, r, 1.0 / 39916800.0)
    p = fused(p, r, 1.0 / 3628800.0)
    p = fused(p, r, 1.0 / 362880.0)
    p = fused(p, r, 1.0 / 40320.0)
    p = fused(p, r, 1.0 / 5040.0)
    p = fused(p, r, 1.0 / 720.0)
    p = fused(p, r, 1.0 / 120.0)
    p = fused(p, r, 1.0 / 24.0)
    p = fused(p, r, 1.0 / 6.0)
    p = fused(p, r, 0.5)
    p = fused(p, r, 1.0)
    p = fused(p, r, 1.0)
    k = bits(shifted) - bits(ROUND)
    half = k >> 1  # 2**k in two steps, so that results below the normal range come out right
    return p * double((half + 1023) << 52) * double((k - half + 1023) << 52)


@inlined
def log(x: float) -> float:
    """Natural logarithm of a positive normal double."""
    pattern = bits(x)
    exponent = (pattern - 0x3FE6A09E667F3BCD) >> 52
    f = double(pattern - (exponent << 52)) - 1.0
    return log_of_parts(f, f / (2.0 + f), float(exponent))


@inlined
def log_of_parts(f: float, s: float, whole: float) -> float:
    """ln((1 + f) 2**whole) of 1 + f in [sqrt(1/2), sqrt(2)], s = f / (2 + f) and a whole number."""
    z = s * s
    p = 1.479819860511658591e-01
    p = fused(p, z, 1.531383769920937332e-01)
    p = fused(p, z, 1.818357216161805012e-01)
    p = fused(p, z, 2.222219843214978396e-01)
    p = fused(p, z, 2.857142874366239149e-01)
    p = fused(p, z, 3.999999999940941908e-01)
    p = fused(p, z, 6.666666666666735130e-01)
    p = p * z
    half = 0.5 * f * f
    return whole * 6.93147180369123816490e-01 - ((half - (s * (half + p) + whole * 1.90821492927058770002e-10)) - f)


@inlined
def log_ratio(x: float, y: float) -> float:
    """ln(x / y) of two positive normal doubles, also where x / y has no double; right to the last digit near 1.

    The quotient is not rounded: scaled by powers of two to within a factor of root 2, the difference of x and y is
    exact (Sterbenz), and the logarithm is one of 1 + (x - y) / y.
    """
    top, bottom = bits(x), bits(y)
    raised, lowered = (top >> 52) - 1023, (bottom >> 52) - 1023
    a, b = double(top - (raised << 52)), double(bottom - (lowered << 52))
    high, low = a > SQRT_2 * b, b > SQRT_2 * a
    whole = float(raised - lowered) + (1.0 if high else (-1.0 if low else 0.0))
    b = 2.0 * b if high else b
    a = 2.0 * a if low else a
    return log_of_parts((a - b) / b, (a - b) / (a + b), whole)


@inlined
def mills(a: float) -> float:
    """Mills ratio Phi(-a) / phi(a) of the standard normal, a in [0, 39] (clamped above)."""
    a = min(a, FURTHEST)
    p = 3.4725836960556185e-06
    p = fused(p, a, 9.337076984356256e-05)
    p = fused(p, a, 0.00122922617434955)
    p = fused(p, a, 0.010250243047450135)
    p = fused(p, a, 0.05921321115711526)
    p = fused(p, a, 0.24490136583847727)
    p = fused(p, a, 0.7252684709907056)
    p = fused(p, a, 1.489089223318309)
    p = fused(p, a, 1.9423525534049495)
    p = fused(p, a, 1.2533141373155001)
    q = 3.472583696065852e-06
    q = fused(q, a, 9.337076984144208e-05)
    q = fused(q, a, 0.0012326987582437232)
    q = fused(q, a, 0.010343613806163004)
    q = fused(q, a, 0.060435492587697356)
    q = fused(q, a, 0.2549648556701249)
    q = fused(q, a, 0.7820581990371774)
    q = fused(q, a, 1.7144198548154648)
    q = fused(q, a, 2.561281113717727)
    q = fused(q, a, 2.3476576748006885)
    q = fused(q, a, 1.0)
    return p / q


@inlined
def density(x: float) -> float:
    """phi(x), the standard normal density, exact in the tails: the rounding of x * x is put back."""
    square = x * x
    rest = fused(x, x, -square)
    return INVERSE_SQRT_2PI * exp(-0.5 * square) * (1.0 - 0.5 * rest)


@inlined
def density_and_cumulative(x: float) -> tuple[float, float]:
    """phi(x) and Phi(x) by one exponential, x clamped to [-39, 39]."""
    distance = min(abs(x), FURTHEST)
    height = density(distance)
    tail = height * mills(distance)
    return height, (tail if x < 0.0 else 1.0 - tail)

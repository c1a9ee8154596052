"""Elementary functions of the loops beside exact ones, and the loops as plain Python."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np

from sigmalib.core.jit import compiled
from sigmalib.risk.kernels import elementary
from tests import plain

ULP = 2.0**-53

PLAIN = """
import numpy as np
from sigmalib.risk.options import bsm, implied
np.seterr(all="ignore")
found = bsm([100.0, 0.0, 90.0], 95.0, [0.5, 1.0, 0.0], 0.03, 0.25, dividend_yield=0.01, right=["call", "put", "call"])
print(*(float(found[name][0]) for name in ("price", "delta", "vanna", "volga", "charm")), found["price"][1:].tolist())
known = implied([found["price"][0], 50.0], 100.0, 95.0, 0.5, 0.03, dividend_yield=0.01, right=["call", "put"])
print(float(known.volatility[0]), known.reason.tolist())
"""


@compiled()
def exponentials(x, out):
    for i in range(x.shape[0]):
        out[i] = elementary.exp(x[i])


@compiled()
def logarithms(x, y, out):
    for i in range(x.shape[0]):
        out[0, i] = elementary.log(x[i])
        out[1, i] = elementary.log_ratio(x[i], y[i])


@compiled()
def normals(x, out):
    for i in range(x.shape[0]):
        out[0, i], out[1, i] = elementary.density_and_cumulative(x[i])
        out[2, i] = elementary.mills(abs(x[i]))


def test_the_exponential_is_right_to_two_roundings_and_keeps_its_ends():
    x = np.random.default_rng(1).uniform(-700, 700, 20_000)
    x[:7] = 0.0, -746.0, -1e300, -np.inf, 709.9, 1e300, np.inf
    out = np.empty_like(x)
    exponentials(x, out)
    assert out[:7].tolist() == [1.0, 0.0, 0.0, 0.0, np.inf, np.inf, np.inf]
    known = np.array([math.exp(value) for value in x[7:]])
    error = np.abs(out[7:] / known - 1).max() / ULP
    assert error < 4, f"largest error: {error:.1f} halves of a last digit"


def test_the_logarithm_of_a_ratio_needs_no_double_for_the_ratio():
    rng = np.random.default_rng(2)
    x, y = 10.0 ** rng.uniform(-300, 300, (2, 20_000))
    x[:6], y[:6] = [3e-308, 1e300, 2.0, 1.0, 1e300, 1 + 2**-52], [1e300, 3e-308, 2.0, 1 + 2**-52, 3e300, 1.0]
    out = np.empty((2, x.size))
    logarithms(x, y, out)
    usual = np.log(x[6:])
    assert (np.abs(out[0, 6:] - usual) <= 4 * ULP * np.abs(usual)).all()
    known = np.array([math.log(a) - math.log(b) for a, b in zip(x, y, strict=True)])
    assert (np.abs(out[1, 6:] - known[6:]) <= 4 * ULP * (np.abs(usual) + np.abs(np.log(y[6:])))).all()
    assert np.allclose(out[1, :3], [known[0], known[1], 0.0], rtol=1e-15, atol=0)
    assert np.allclose(out[1, 3:6], [-(2.0**-52), -math.log(3), 2.0**-52], rtol=1e-13)


def test_the_logarithm_of_a_ratio_near_one_has_all_its_digits():
    rng = np.random.default_rng(3)
    y = 10.0 ** rng.uniform(-5, 5, 3_000)
    x = y * np.exp(rng.choice([-1, 1], y.size) * 10.0 ** rng.uniform(-15, 0, y.size))
    out = np.empty((2, x.size))
    logarithms(x, y, out)
    with localcontext() as context:
        context.prec = 50
        known = [float((Decimal(a) / Decimal(b)).ln()) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    error = (np.abs(out[1] - known) / np.maximum(np.abs(known), 1e-300)).max() / ULP
    assert error < 4, f"largest error: {error:.1f} halves of a last digit"


def test_the_normal_distribution_agrees_with_scipy_into_its_tails():
    from scipy.special import erfcx, ndtr

    x = np.concatenate([np.linspace(-37, 37, 20_001), [0.0, -40.0, 40.0]])
    out = np.empty((3, x.size))
    normals(x, out)
    usual = slice(0, -2)
    height, below, ratio = out[:, usual]
    errors = {
        "density": np.abs(height / (np.exp(-0.5 * x[usual] ** 2) / math.sqrt(2 * math.pi)) - 1).max(),
        "cumulative": np.abs(below / ndtr(x[usual]) - 1).max(),
        "Mills ratio": np.abs(ratio / (math.sqrt(math.pi / 2) * erfcx(np.abs(x[usual]) / math.sqrt(2))) - 1).max(),
    }
    assert max(errors.values()) < 4e-13, f"largest relative errors: {errors}"  # NumPy's density loses x^2 / 2 roundings
    assert errors["Mills ratio"] < 2e-15, f"largest relative errors: {errors}"
    assert out[1, -2:].tolist() == [0.0, 1.0]


def test_the_loops_of_options_run_as_plain_python(tmp_path):
    """Without the compiler, for whoever steps through them: the same to a few roundings."""
    first, second = plain.run(PLAIN, tmp_path).splitlines()
    values = [float(word) for word in first.split("[")[0].split()]
    from sigmalib.risk.options import bsm

    known = bsm(100.0, 95.0, 0.5, 0.03, 0.25, dividend_yield=0.01, right="call")
    expected = [float(known[name]) for name in ("price", "delta", "vanna", "volga", "charm")]
    assert np.allclose(values, expected, rtol=1e-12)
    volatility, reasons = second.split(" ", 1)
    assert math.isclose(float(volatility), 0.25, rel_tol=1e-12)
    assert reasons == "[0, 0]"

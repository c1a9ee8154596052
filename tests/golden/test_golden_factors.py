"""Factor regressions against certified and derived values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigmalib.risk.factors import factor_betas, factor_exposures, variance_split

# NIST, Statistical Reference Datasets, linear regression, "Longley" (Longley, 1967): a test of accuracy under strong
# collinearity. Certified values to 15 digits.
EMPLOYED = [
    60323, 61122, 60171, 61187, 63221, 63639, 64989, 63761, 66019, 67857, 68169, 66513, 68655, 69564, 69331, 70551,
]  # fmt: skip
LONGLEY = {
    "deflator": [
        83.0, 88.5, 88.2, 89.5, 96.2, 98.1, 99.0, 100.0, 101.2, 104.6, 108.4, 110.8, 112.6, 114.2, 115.7, 116.9,
    ],
    "product": [
        234289, 259426, 258054, 284599, 328975, 346999, 365385, 363112, 397469, 419180, 442769, 444546, 482704, 502601,
        518173, 554894,
    ],
    "unemployed": [
        2356, 2325, 3682, 3351, 2099, 1932, 1870, 3578, 2904, 2822, 2936, 4681, 3813, 3931, 4806, 4007,
    ],
    "forces": [1590, 1456, 1616, 1650, 3099, 3594, 3547, 3350, 3048, 2857, 2798, 2637, 2552, 2514, 2572, 2827],
    "population": [
        107608, 108632, 109773, 110929, 112075, 113270, 115094, 116219, 117388, 118734, 120445, 121950, 123366, 125368,
        127852, 130081,
    ],
    "year": list(range(1947, 1963)),
}  # fmt: skip
CERTIFIED = [
    15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807, 1829.15146461355,
]  # fmt: skip
INTERCEPT, DEVIATION, EXPLAINED = -3482258.63459582, 304.854073561965, 0.995479004577296


@pytest.mark.parametrize("more", [0, 1])
def test_longley_has_its_certified_coefficients_also_beside_an_unknown_observation(more: int) -> None:
    factors, employed = pd.DataFrame(LONGLEY, dtype=float), pd.Series(EMPLOYED, dtype=float, name="employed")
    if more:
        factors = pd.concat([factors, factors.mean().to_frame().T + 3.0], ignore_index=True)
        employed = employed.reindex(factors.index)
    found = factor_betas(employed, factors, window=None, minimum=10)
    assert found.betas.loc["employed"].to_list() == pytest.approx(CERTIFIED, rel=1e-9)
    assert found.alpha["employed"] == pytest.approx(INTERCEPT, rel=1e-9)
    assert np.sqrt(found.residual_variances["employed"]) == pytest.approx(DEVIATION, rel=1e-10)
    assert found.r_squared["employed"] == pytest.approx(EXPLAINED, rel=1e-12)
    assert found.observations["employed"] == 16
    assert found.collinear


def test_newey_west_by_hand() -> None:
    """x -1 1 -1 1, y 0 1 0 3: a 1, b 1, e 0 -1 0 1; x e 0 -1 0 1, n 4.

    L 0: S = 1 + 1 = 2, var b = 2/16. L 2, weights 2/3 and 1/3: e products at lag 1 are 0, at lag 2 (-1)(1) = -1, so
    S = 2 + 2 (1/3)(-1) = 4/3, var b = 4/48; the same sums for a.
    """
    x, y = [-1.0, 1.0, -1.0, 1.0], [0.0, 1.0, 0.0, 3.0]
    for lags, variance in ((0, 1 / 8), (2, 1 / 12)):
        found = factor_betas(y, x, window=None, minimum=3, lags=lags)
        assert found.betas.iloc[0, 0] == pytest.approx(1, rel=1e-14)
        assert found.standard_errors.iloc[0].to_list() == pytest.approx([variance**0.5] * 2, rel=1e-14)


def test_ridge_by_hand() -> None:
    """The same data, x of deviation 1: b_ridge = x'y / (n + lambda) = 4 / (4 + 4); the intercept stays the mean."""
    found = factor_betas([0.0, 1.0, 0.0, 3.0], [-1.0, 1.0, -1.0, 1.0], window=None, minimum=3, ridge=4.0)
    assert found.ridge_betas.iloc[0, 0] == pytest.approx(0.5, rel=1e-14)


def test_variance_split_by_hand() -> None:
    """b = 100 (1.0, 0.5) + 50 (2.0, 0) = (200, 50); S = [[4, 1], [1, 9]] 1e-4: S b = (850, 650) 1e-4.

    Parts 17.0 and 3.25; own 100^2 0.0003 + 50^2 0.0004 = 4.0; total 24.25 a period.
    """
    betas = pd.DataFrame({"market": [1.0, 2.0], "size": [0.5, 0.0]}, index=["AAA", "BBB"])
    covariance = pd.DataFrame([[4e-4, 1e-4], [1e-4, 9e-4]], index=betas.columns, columns=betas.columns)
    exposures = factor_exposures(pd.Series({"AAA": 100.0, "BBB": 50.0}), betas)
    own = pd.Series({"AAA": 0.0003, "BBB": 0.0004})
    found = variance_split(exposures, covariance, own, periods_per_year=1)
    assert found.by_factor["contribution"].to_list() == pytest.approx([17.0, 3.25], rel=1e-14)
    assert (found.idiosyncratic, found.total) == (pytest.approx(4.0), pytest.approx(24.25))

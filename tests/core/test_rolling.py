"""The loops of core.moments and core.rolling, against slow twins in extended precision and in plain Python."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

from sigmalib.core import moments, rolling
from tests import plain

RNG = np.random.default_rng(20)
PERIODS = 700  # more than one rebuilding of the running sums
DISTURBED = {
    "plain": lambda x: x,
    "of a large mean": lambda x: x + 1.0,
    "of a mean far above the deviation": lambda x: 1e-9 * x + 3.0,
    "still for a while": lambda x: np.where((np.arange(PERIODS) // 90) % 3 == 1, 0.01, x),
    "halted": lambda x: np.where((np.arange(PERIODS) // 90) % 3 == 1, 0.0, x),
    "with enormous outliers": lambda x: np.where(np.arange(PERIODS) % 210 == 60, 1e9, x),
    "that jumps to another level": lambda x: x + np.where(np.arange(PERIODS) > 350, 5.0, 0.0),
    "with unknown values": lambda x: np.where(np.arange(PERIODS) % 190 == 100, np.nan, x),
    "with infinite values": lambda x: np.where(np.arange(PERIODS) % 190 == 100, np.inf, x),
    "that loses all": lambda x: np.where(np.arange(PERIODS) % 190 == 100, -1.0, x),
}
ROWS = np.array([disturb(0.012 * RNG.standard_t(4, PERIODS)) for disturb in DISTURBED.values()])
MARKETS = {"plain": ROWS[0][::-1] + 0.3 * ROWS[0], "halted": ROWS[4], "with unknown values": ROWS[7]}


def frozen(values):
    laid = np.ascontiguousarray(values, dtype=float)
    laid.flags.writeable = False
    return laid


def windows(values, window):
    return np.lib.stride_tricks.sliding_window_view(values.astype(np.longdouble), window, axis=-1)


def slow(returns, market, window):
    """Mean / deviation, deviation and beta of each full window by two passes in extended precision."""
    own, bench = windows(returns, window), windows(market, window)
    with np.errstate(all="ignore"):
        apart, beside = own - own.mean(axis=-1, keepdims=True), bench - bench.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((apart**2).sum(axis=-1) / (window - 1))
        deviation[deviation <= 1e-12 * np.abs(own).max(axis=-1)] = 0.0
        spread = (beside**2).sum(axis=-1)
        spread[np.sqrt(spread / (window - 1)) <= 1e-12 * np.abs(bench).max(axis=-1)] = np.nan
        sharpe = np.where(deviation > 0, own.mean(axis=-1) / deviation, np.nan)
        found = sharpe, deviation, (apart * beside).sum(axis=-1) / spread
    unknown = ~np.isfinite(own).all(axis=-1)
    return [np.where(unknown, np.nan, table).astype(float) for table in found]


def largest_error(found, expected):
    """The largest error relative to the larger of 1e-3 and the value; NaN must be where it is expected."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    return float(np.nanmax(np.abs(found - expected) / np.maximum(np.abs(expected), 1e-3), initial=0.0))


@pytest.mark.parametrize("window", [2, 20, 63, 252])
@pytest.mark.parametrize("market", MARKETS)
def test_rolling_moments_do_not_drift_whatever_runs_through_the_sums(window, market):
    found = np.zeros((3, *ROWS.shape))
    rolling.statistics(frozen(ROWS), frozen(MARKETS[market]), window, 0.0, 1.0, 0, len(ROWS), *found)
    assert np.isnan(found[..., : window - 1]).all()
    for name, own, expected in zip(
        ("sharpe", "volatility", "beta"), found, slow(ROWS, MARKETS[market], window), strict=True
    ):
        for kind, row, wanted in zip(DISTURBED, own[:, window - 1 :], expected, strict=True):
            assert (error := largest_error(row, wanted)) < 1e-10, f"{name} of returns {kind}: off by {error:.1e}"


@pytest.mark.parametrize("window", [1, 2, 20, 63, 252])
def test_rolling_drawdown_is_that_of_each_window_alone(window):
    found = np.zeros(ROWS.shape)
    rolling.drawdown(frozen(ROWS), window, 0, len(ROWS), found)
    inside = windows(ROWS, window)
    share, trough = np.ones(inside.shape[:-1]), np.ones(inside.shape[:-1])
    for place in range(window):
        share = np.minimum(share * (1 + inside[..., place]), 1)
        trough = np.minimum(trough, share)
    expected = np.where(np.isfinite(inside).all(axis=-1), 1 - trough, np.nan).astype(float)
    assert (error := largest_error(found[:, window - 1 :], expected)) < 1e-11, f"off by {error:.1e}"


@pytest.mark.parametrize("lost", [31, 57])
def test_rolling_drawdown_survives_wealth_beyond_the_largest_number(lost):
    returns = np.full((1, 90), 1e15)
    returns[0, lost] = -1.0
    found = np.zeros((1, 90))
    rolling.drawdown(frozen(returns), 30, 0, 1, found)
    assert found[0, 29:].tolist() == [float(lost <= place < lost + 30) for place in range(29, 90)]


@pytest.mark.parametrize(
    ("window", "rank", "weight"), [(1, 0, 0.0), (2, 0, 0.5), (20, 0, 0.95), (63, 3, 0.0), (252, 12, 0.55)]
)
def test_rolling_quantile_is_that_of_each_sorted_window(window, rank, weight):
    found = np.zeros(ROWS.shape)
    rolling.quantile(frozen(ROWS), window, rank, weight, 0, len(ROWS), found)
    ordered = np.sort(windows(ROWS, window).astype(float), axis=-1)
    with np.errstate(invalid="ignore"):
        expected = ordered[..., rank] + (
            weight and weight * (ordered[..., min(rank + 1, window - 1)] - ordered[..., rank])
        )
    expected = np.where(np.isfinite(ordered).all(axis=-1), expected, np.nan)
    np.testing.assert_allclose(found[:, window - 1 :], expected, rtol=1e-14, atol=0)


def test_a_part_of_the_assets_leaves_the_others_alone():
    found = np.full(ROWS.shape, 7.0)
    rolling.drawdown(frozen(ROWS), 20, 2, 4, found)
    assert (found[[0, 1, 4]] == 7.0).all()
    assert np.isnan(found[2:4, :19]).all()


def test_moments_are_those_of_extended_precision():
    known = np.flatnonzero(np.isfinite(ROWS).all(axis=1))
    rows, apart = ROWS[known], ROWS[0] - ROWS[0].mean()
    found = np.zeros((moments.COUNT, len(rows)))
    moments.moments(frozen(rows), frozen(apart), 0, len(rows), found)
    long = rows.astype(np.longdouble)
    mean = long.mean(axis=1)
    apart_from_level = long - np.round(rows.mean(axis=1))[:, None]  # exact, so that extended precision is enough
    centred = apart_from_level - apart_from_level.mean(axis=1, keepdims=True)
    second, third, fourth = ((centred**power).mean(axis=1) for power in (2, 3, 4))
    expected = {
        moments.MEAN: mean,
        moments.DEVIATION: np.sqrt(second * PERIODS / (PERIODS - 1)),
        moments.SKEW: third / second**1.5,
        moments.KURTOSIS: fourth / second**2 - 3,
        moments.DOWNSIDE: (np.minimum(long, 0) ** 2).mean(axis=1),
        moments.HITS: (long > 0).mean(axis=1),
        moments.CROSS: (centred * apart).sum(axis=1),
    }
    for row, wanted in expected.items():
        scale = np.maximum(np.abs(wanted), np.abs(rows).max(axis=1) * 1e-3 if row == moments.CROSS else 1e-3)
        error = float((np.abs(found[row] - wanted) / scale).max())
        assert error < 1e-12, f"row {row}: off by {error:.1e}"


TINY = """
import json
import numpy as np
from sigmalib.core import moments, rolling

rng = np.random.default_rng(3)
returns, market = rng.normal(0, 0.01, (5, 30)), rng.normal(0, 0.01, 30)
returns[1, 4], returns[2, 8:20], returns[3, 7], market[25] = np.nan, 0.01, 1e6, np.nan
returns[4, :3] = 1e200, 1e200, -1.0
returns.flags.writeable = market.flags.writeable = False
full, tables, fall, low = np.zeros((9, 5)), np.zeros((3, 5, 30)), np.zeros((5, 30)), np.zeros((5, 30))
with np.errstate(all="ignore"):
    moments.moments(returns, returns[0], 0, 5, full)
    rolling.statistics(returns, market, 6, 1e-4, 2.0, 0, 5, *tables)
    rolling.drawdown(returns, 6, 0, 5, fall)
    rolling.quantile(returns, 6, 1, 0.5, 0, 5, low)
print(json.dumps([*full[:, :4].ravel(), *tables[:, :4].ravel(), *fall.ravel(), *low.ravel()]))
"""


def test_the_loops_are_the_same_in_plain_python(tmp_path):
    ran = subprocess.run([sys.executable, "-c", TINY], capture_output=True, text=True, check=True)
    compiled, interpreted = (
        np.array(json.loads(told), dtype=float) for told in (ran.stdout, plain.run(TINY, tmp_path))
    )
    np.testing.assert_allclose(compiled, interpreted, rtol=1e-9, atol=1e-12)


def test_the_loops_raise_no_warnings():
    found = np.zeros((3, *ROWS.shape))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rolling.statistics(frozen(ROWS), frozen(ROWS[0]), 20, 0.0, 1.0, 0, len(ROWS), *found)

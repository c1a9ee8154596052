"""Rolling windows, against pandas and empyrical."""

from __future__ import annotations

import empyrical
import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.portfolio import performance

RNG = np.random.default_rng(9)
DAYS = pd.bdate_range("2018-01-02", periods=1300, name="session")
MARKET = pd.Series(0.007 * RNG.standard_t(5, 1300), DAYS)
PANEL = pd.DataFrame(
    MARKET.to_numpy()[:, None] * RNG.uniform(0.4, 1.6, 40) + 0.012 * RNG.standard_t(4, (1300, 40)), DAYS
).rename(columns="A{}".format)
ROOT = 252**0.5


def largest_error(found, expected):
    """The largest difference, relative where the value is above one; NaN must be where it is expected."""
    pd.testing.assert_frame_equal(found.isna(), expected.isna())
    return float(((found - expected).abs() / expected.abs().clip(lower=1.0)).max(axis=None))


@pytest.mark.parametrize("window", [2, 21, 63, 252])
@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_rolling_moments_agree_with_pandas(window, mean):
    panel = PANEL + mean
    found, rolling = performance.rolling_statistics(panel, MARKET, window), panel.rolling(window)
    beta = rolling.cov(MARKET).div(MARKET.rolling(window).var(), axis=0)
    expected = {"volatility": rolling.std() * ROOT, "sharpe": rolling.mean() / rolling.std() * ROOT, "beta": beta}
    for name, table in expected.items():
        error = largest_error(getattr(found, name), table)
        assert error < (1e-10 if window > 2 else 1e-7), f"{name}: off by {error:.1e}"


def test_rolling_drawdown_agrees_with_empyrical():
    found = performance.rolling_drawdown(PANEL.iloc[:, :3], 252)
    expected = -PANEL.iloc[:, :3].apply(lambda returns: empyrical.roll_max_drawdown(returns, 252))
    error = largest_error(found.iloc[251:], expected.loc[found.index[251:]])
    assert error < 1e-12, f"off by {error:.1e}"


@pytest.mark.parametrize("level", [0.95, 0.99, 0.75, 0.501])
@pytest.mark.parametrize("window", [1, 2, 63, 252])
def test_rolling_value_at_risk_is_the_sorted_window_and_agrees_with_pandas(window, level):
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(PANEL.to_numpy(), window, axis=0), axis=-1)
    worst = max(1, int(np.ceil(window * (1 - level) - 1e-9)))
    found = performance.rolling_value_at_risk(PANEL, window, level=level)
    np.testing.assert_array_equal(found.iloc[window - 1 :], -ordered[..., worst - 1])
    linear = performance.rolling_value_at_risk(PANEL, window, level=level, method="linear")
    error = largest_error(linear, -PANEL.rolling(window).quantile(1 - level))
    assert error < 1e-14, f"off by {error:.1e}"


def test_the_last_window_is_the_whole_series():
    count, one = len(PANEL), PANEL["A5"]
    found = performance.rolling_statistics(PANEL, MARKET, count, risk_free=0.03)
    assert found.sharpe["A5"].iloc[-1] == pytest.approx(performance.sharpe_ratio(one, risk_free=0.03), rel=1e-12)
    assert found.volatility["A5"].iloc[-1] == pytest.approx(performance.annualised_volatility(one), rel=1e-12)
    assert found.beta["A5"].iloc[-1] == pytest.approx(performance.beta(one, MARKET), rel=1e-12)
    assert performance.rolling_drawdown(one, count).iloc[-1] == pytest.approx(performance.max_drawdown(one), rel=1e-12)
    assert found.sharpe.iloc[:-1].isna().all(axis=None)


def test_rates_by_date_are_taken_off_both_sides():
    rates = pd.Series(np.linspace(0.0, 0.08, 1300), DAYS)
    found = performance.rolling_statistics(PANEL, MARKET, 63, risk_free=rates)
    inside = slice(200, 263)
    one, market = PANEL["A5"].iloc[inside], MARKET.iloc[inside]
    assert found.sharpe["A5"].iloc[262] == pytest.approx(performance.sharpe_ratio(one, risk_free=rates), rel=1e-10)
    assert found.beta["A5"].iloc[262] == pytest.approx(performance.beta(one, market, risk_free=rates), rel=1e-10)
    pd.testing.assert_frame_equal(found.volatility, performance.rolling_volatility(PANEL, 63))


ROLLED = {
    "sharpe": lambda given: performance.rolling_sharpe(given, 20),
    "volatility": lambda given: performance.rolling_volatility(given, 20),
    "beta": lambda given: performance.rolling_beta(given, MARKET.to_numpy(), 20),
    "drawdown": lambda given: performance.rolling_drawdown(given, 20),
    "value at risk": lambda given: performance.rolling_value_at_risk(given, 20),
}


@pytest.mark.parametrize("name", ROLLED)
def test_each_kind_of_table_comes_back_as_it_was_given(name):
    roll, one = ROLLED[name], PANEL["A2"]
    whole = roll(PANEL)
    pd.testing.assert_index_equal(whole.index, PANEL.index)
    pd.testing.assert_index_equal(whole.columns, PANEL.columns)
    pd.testing.assert_series_equal(roll(one), whole["A2"])
    np.testing.assert_array_equal(roll(PANEL.to_numpy()), whole)
    np.testing.assert_array_equal(roll(np.ascontiguousarray(PANEL)), whole)
    np.testing.assert_array_equal(roll(one.tolist()), whole["A2"])
    assert whole.iloc[:19].isna().all(axis=None)
    assert whole.iloc[19:].notna().all(axis=None)


@pytest.mark.parametrize("name", ROLLED)
@pytest.mark.parametrize("unknown", [np.nan, np.inf, -np.inf])
def test_an_unknown_return_hides_the_windows_it_is_in_and_no_others(name, unknown):
    spoilt = PANEL.copy()
    spoilt.iloc[700, 1] = unknown
    expected = ROLLED[name](PANEL)
    expected.iloc[700:720, 1] = np.nan
    assert largest_error(ROLLED[name](spoilt), expected) < 1e-12


def test_an_unknown_return_of_the_benchmark_hides_beta_alone():
    market = MARKET.copy()
    market.iloc[700] = np.nan
    found, expected = (performance.rolling_statistics(PANEL, given, 20) for given in (market, MARKET))
    assert found.beta.iloc[700:720].isna().all(axis=None)
    assert largest_error(found.beta.drop(DAYS[700:720]), expected.beta.drop(DAYS[700:720])) < 1e-12
    assert largest_error(found.sharpe, expected.sharpe) < 1e-15


def test_a_still_stretch_has_no_volatility_and_no_sharpe_ratio():
    returns = PANEL["A1"].copy()
    returns.iloc[500:600] = 0.0123
    found = performance.rolling_statistics(returns, returns, 63)
    assert (found.volatility.iloc[562:600] == 0.0).all()
    assert found.sharpe.iloc[562:600].isna().all()
    assert found.beta.iloc[562:600].isna().all()
    assert found.beta.drop(DAYS[562:600]).iloc[62:].to_numpy() == pytest.approx(1.0, abs=1e-12)


def test_an_enormous_return_leaves_no_trace_behind():
    returns = PANEL["A1"].copy()
    returns.iloc[300] = 1e9
    found = performance.rolling_statistics(returns, MARKET, 63)
    expected = performance.rolling_statistics(PANEL["A1"], MARKET, 63)
    for name in ("sharpe", "volatility", "beta"):
        after = getattr(found, name).iloc[363:].to_numpy()
        assert after == pytest.approx(getattr(expected, name).iloc[363:].to_numpy(), rel=1e-11)


@pytest.mark.parametrize("name", ROLLED)
@pytest.mark.parametrize("count", [0, 1, 19])
def test_no_full_window_is_all_unknown(name, count):
    given = PANEL.iloc[:count]
    found = performance.rolling_beta(given, MARKET, 20) if name == "beta" else ROLLED[name](given)
    assert found.shape == (count, 40)
    assert found.isna().all(axis=None)


def test_the_tables_travel_with_their_conventions():
    found = performance.rolling_statistics(PANEL, None, 20).to_dict()
    assert found["beta"] is None
    assert (found["window"], found["periods_per_year"], found["ddof"]) == (20, 252, 1)


@pytest.mark.parametrize("window", [0, -3, 1, 2.5, True, "20", None])
def test_a_window_that_is_none_is_refused(window):
    with pytest.raises(InputError, match="`window` must be a whole number of at least 2 periods"):
        performance.rolling_sharpe(PANEL, window)


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="`method` must be 'historical' or 'linear'"):
        performance.rolling_value_at_risk(PANEL, method="normal")

"""What holds of the statistics of every table of returns, sensible or garbage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sigmalib.core.errors import InputError
from sigmalib.portfolio import performance

law = settings(deadline=None, max_examples=25)  # the first example may compile

sensible = st.integers(-2_000, 3_000).map(lambda ticks: ticks / 10_000)
garbage = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, -1.0, 1e308, -1e308, 5e-324, np.nan, np.inf, -np.inf]))


def panels(elements, *, least=0):
    return arrays.arrays(np.float64, st.tuples(st.integers(least, 40), st.integers(1, 6)), elements=elements)


def rolled(returns, window, market=None):
    """All five rolling tables by name."""
    found = performance.rolling_statistics(returns, market, window)
    return {
        "sharpe": found.sharpe,
        "volatility": found.volatility,
        "drawdown": performance.rolling_drawdown(returns, window),
        "value_at_risk": performance.rolling_value_at_risk(returns, window),
        "linear": performance.rolling_value_at_risk(returns, window, level=0.75, method="linear"),
    } | ({} if market is None else {"beta": found.beta})


@law
@given(panels(garbage), st.sampled_from(["unknown", "drop"]))
def test_garbage_gives_numbers_or_nan_and_counts_what_is_unknown(returns, missing):
    market = returns[:, 0]
    found = performance.statistics(returns, benchmark=market, missing=missing)
    assert len(found) == returns.shape[1]
    assert not np.isinf(found.to_numpy()).any()
    assert found["unknown"].tolist() in (
        np.count_nonzero(~np.isfinite(returns), axis=0).tolist(),
        [0] * returns.shape[1] if len(returns) == 0 else None,
    )
    if missing == "unknown":
        assert found[found["unknown"] > 0].drop(columns="unknown").isna().all(axis=None)
    for column in ("volatility", "max_drawdown"):
        assert not (found[column] < 0).any()
    assert not (found["max_drawdown"] > 1).any()


@law
@given(panels(garbage), st.integers(2, 45))
def test_garbage_in_windows_gives_numbers_or_nan_where_each_window_alone_does(returns, window):
    for name, table in rolled(returns, window, returns[:, -1]).items():
        assert table.shape == returns.shape
        assert not np.isinf(table).any(), name
        assert np.isnan(table[: window - 1]).all()
        for row in range(window - 1, len(returns)):
            spoilt = ~np.isfinite(returns[row - window + 1 : row + 1]).all(axis=0)
            assert np.isnan(table[row, spoilt]).all(), name
    falls = performance.rolling_drawdown(returns, window)
    assert not ((falls < 0) | (falls > 1)).any()


@law
@given(st.lists(garbage, max_size=30))
def test_one_series_of_garbage_gives_a_number_nan_or_a_refusal(returns):
    for name in ("cumulative_return", "cagr", "max_drawdown", "ulcer_index", "hit_rate"):
        try:
            with np.errstate(all="ignore"):
                found = getattr(performance, name)(returns)
        except InputError:
            assert not np.isfinite(returns).all()
        else:
            assert isinstance(found, float)


@law
@given(panels(sensible, least=2))
def test_each_asset_is_treated_alone(returns):
    whole = performance.statistics(returns)
    backwards = performance.statistics(returns[:, ::-1])
    pd.testing.assert_frame_equal(whole, backwards.iloc[::-1].set_axis(whole.index))
    one = performance.statistics(returns[:, 0])
    pd.testing.assert_frame_equal(whole.iloc[[0]], one.set_axis(whole.index[:1]))


@law
@given(panels(sensible, least=2))
def test_statistics_equal_the_functions_for_one_series(returns):
    found = performance.statistics(returns)
    for asset, column in enumerate(returns.T):
        alone = {
            "cumulative": performance.cumulative_return(column),
            "cagr": performance.cagr(column),
            "volatility": performance.annualised_volatility(column),
            "sharpe": performance.sharpe_ratio(column),
            "sortino": performance.sortino_ratio(column),
            "calmar": performance.calmar_ratio(column),
            "max_drawdown": performance.max_drawdown(column),
        }
        assert found.loc[asset, list(alone)].to_dict() == pytest.approx(alone, rel=1e-12, abs=1e-12, nan_ok=True)


@law
@given(panels(sensible, least=2), st.sampled_from([0.25, 0.5, 2.0]))
def test_risk_scales_with_the_returns_and_the_sharpe_ratio_does_not(returns, by):
    before, after = performance.statistics(returns), performance.statistics(by * returns)
    for name in ("volatility", "value_at_risk", "expected_shortfall"):
        assert after[name].to_numpy() == pytest.approx(by * before[name].to_numpy(), rel=1e-12, abs=1e-15)
    assert after["sharpe"].to_numpy() == pytest.approx(before["sharpe"].to_numpy(), rel=1e-12, abs=1e-12, nan_ok=True)


@law
@given(panels(sensible, least=2), st.sampled_from([0.55, 0.8, 0.95, 0.99]))
def test_expected_shortfall_is_at_least_the_value_at_risk(returns, level):
    found = performance.statistics(returns, level=level)
    assert (found["expected_shortfall"] >= found["value_at_risk"] - 1e-15).all()


@law
@given(panels(sensible, least=2))
def test_the_beta_of_a_multiple_of_the_benchmark_is_the_multiple(returns):
    market = returns[:, 0]
    beta = performance.statistics(np.column_stack([market, -2.0 * market]), benchmark=market)["beta"].to_numpy()
    expected = [1.0, -2.0] if np.ptp(market) > 0 else [np.nan, np.nan]
    assert beta == pytest.approx(expected, rel=1e-11, nan_ok=True)


@law
@given(panels(sensible, least=3), st.integers(2, 12), st.integers(1, 39))
def test_the_past_of_a_rolling_window_does_not_see_the_future(returns, window, cut):
    whole, part = rolled(returns, window, returns[:, 0]), rolled(returns[:cut], window, returns[:cut, 0])
    for name, table in part.items():
        np.testing.assert_array_equal(table, whole[name][:cut], err_msg=name)


@law
@given(panels(sensible, least=2), st.integers(2, 12))
def test_the_last_window_equals_the_statistics_of_its_returns(returns, window):
    if len(returns) < window:
        return
    tables, expected = rolled(returns, window), performance.statistics(returns[-window:])
    pairs = {
        "sharpe": "sharpe",
        "volatility": "volatility",
        "drawdown": "max_drawdown",
        "value_at_risk": "value_at_risk",
    }
    for name, column in pairs.items():
        wanted = expected[column].to_numpy()
        assert tables[name][-1] == pytest.approx(wanted, rel=1e-10, abs=1e-12, nan_ok=True), name

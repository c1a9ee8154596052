from __future__ import annotations

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sigmalib.core.errors import InputError
from sigmalib.portfolio import performance

RANDOM = np.random.default_rng(11).normal(0.0004, 0.01, (40, 756))


@pytest.mark.parametrize("returns", RANDOM)
def test_ratios_agree_with_empyrical(returns):
    series = pd.Series(returns)
    assert performance.sharpe_ratio(series) == pytest.approx(empyrical.sharpe_ratio(series), rel=1e-10)
    assert performance.sortino_ratio(series) == pytest.approx(empyrical.sortino_ratio(series), rel=1e-10)
    assert performance.cagr(series) == pytest.approx(empyrical.annual_return(series), rel=1e-10)
    assert performance.max_drawdown(series) == pytest.approx(-empyrical.max_drawdown(series), rel=1e-10)
    assert performance.calmar_ratio(series) == pytest.approx(empyrical.calmar_ratio(series), rel=1e-10)
    assert performance.annualised_volatility(series) == pytest.approx(empyrical.annual_volatility(series), rel=1e-10)


def test_beta_agrees_with_empyrical():
    own, market = pd.Series(RANDOM[0]), pd.Series(RANDOM[1])
    assert performance.beta(own, market) == pytest.approx(empyrical.beta(own, market), rel=1e-9)


def test_beta_takes_only_the_dates_both_have():
    days = pd.date_range("2022-01-03", periods=10)
    market = pd.Series(RANDOM[0][:10], index=days)
    own = (2 * market).iloc[3:]
    assert performance.beta(own, market) == pytest.approx(2.0)


def test_beta_to_a_series_of_risk_free_rates_is_of_excess_returns():
    days = pd.date_range("2022-01-03", periods=60)
    market, rates = pd.Series(RANDOM[0][:60], index=days), pd.Series(np.linspace(0, 0.05, 60), index=days)
    free = performance.per_period(rates)
    own = free + 1.5 * (market - free)
    assert performance.beta(own, market, risk_free=rates) == pytest.approx(1.5)


def test_the_loss_of_the_first_day_is_a_drawdown():
    assert performance.max_drawdown([-0.1, 0.05]) == pytest.approx(0.1)


def test_a_rising_series_has_no_drawdown_and_no_calmar_ratio():
    assert performance.max_drawdown([0.01, 0.02]) == 0.0
    assert np.isnan(performance.calmar_ratio([0.01, 0.02]))


def test_a_constant_series_has_no_sharpe_ratio():
    assert np.isnan(performance.sharpe_ratio([0.01] * 100))


def test_lost_wealth_has_no_growth_rate():
    assert np.isnan(performance.cagr([0.1, -1.0]))
    assert np.isnan(performance.calmar_ratio([0.1, -1.0]))
    assert np.isnan(performance.max_drawdown([0.1, -1.5]))


def test_a_total_loss_is_a_drawdown_of_one():
    assert performance.cumulative_return([0.1, -1.0, 0.5]) == -1.0
    assert performance.max_drawdown([0.1, -1.0, 0.5]) == 1.0
    assert np.isnan(performance.cumulative_return([0.1, -2.0, -2.0]))


@pytest.mark.parametrize(
    "ratio",
    [
        *("sharpe_ratio", "sortino_ratio", "cagr", "annualised_volatility", "max_drawdown", "calmar_ratio"),
        *("cumulative_return", "geometric_sharpe_ratio", "martin_ratio", "pain_ratio", "ulcer_index", "pain_index"),
        *("sharpe_standard_error", "probabilistic_sharpe_ratio", "hit_rate"),
    ],
)
def test_without_returns_every_ratio_is_unknown(ratio):
    assert np.isnan(getattr(performance, ratio)([]))


def test_unknown_returns_are_refused_and_counted():
    with pytest.raises(InputError, match="1 unknown"):
        performance.sharpe_ratio([0.1, np.nan])


def test_series_of_different_length_are_refused():
    with pytest.raises(InputError, match="3 periods, `benchmark` 2"):
        performance.beta([0.1, 0.2, 0.3], [0.1, 0.2])


def test_a_table_is_refused():
    with pytest.raises(InputError, match="one column at a time"):
        performance.cagr([[0.1], [0.2]])


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=50))
def test_drawdown_lies_between_zero_and_one(returns):
    assert 0.0 <= performance.max_drawdown(returns) < 1.0


DAYS = pd.DatetimeIndex(["2022-12-20", "2022-12-21", "2022-12-22", "2022-12-23", "2022-12-27"], name="session")
HISTORY = pd.DataFrame(
    {
        "nav": [1000.0, 1010.0, 1110.0, 1105.0, 1120.0],
        "gross_market_value": [500.0] * 5,
        "pnl_day": [0.0, 10.0, 0.0, -5.0, 15.0],
        "pnl_total": [0.0, 10.0, 10.0, 5.0, 20.0],
    },
    index=DAYS,
)


def test_a_deposit_is_no_performance():
    made = performance.of_history(HISTORY)
    assert made["return"].tolist() == pytest.approx([0, 10 / 1000, 0, -5 / 1110, 15 / 1105])


@pytest.mark.parametrize("hidden", [[2], [2, 3]])
def test_sessions_without_a_valuation_are_bridged_by_the_change_of_total_profit(hidden):
    partial = HISTORY.copy()
    partial.iloc[hidden] = np.nan
    absent = HISTORY.drop(HISTORY.index[hidden])
    for history in (partial, absent):
        made = performance.of_history(history)
        after = HISTORY.index[hidden[-1] + 1]
        gained = HISTORY.loc[after, "pnl_total"] - 10.0
        assert made.loc[after, "return"] == pytest.approx(gained / 1010.0)
        assert made.loc[after, "bridged"] == len(hidden)


def test_lost_wealth_has_no_growth_rate_however_the_product_comes_out():
    assert np.isnan(performance.cagr([-2.0, -2.0]))


def test_rates_are_aligned_with_returns_by_date():
    returns = pd.Series(RANDOM[0][:20], index=pd.date_range("2022-01-03", periods=20))
    rates = pd.Series(np.linspace(0, 0.05, 20), index=returns.index)
    shuffled = rates.sample(frac=1, random_state=1)
    assert performance.sharpe_ratio(returns, risk_free=shuffled) == performance.sharpe_ratio(returns, risk_free=rates)
    with pytest.raises(InputError, match="unknown for 1 of the returns"):
        performance.sharpe_ratio(returns, risk_free=rates.iloc[1:])


@pytest.mark.parametrize("returns", RANDOM)
def test_regression_on_a_benchmark_agrees_with_scipy(returns):
    market = RANDOM[7] if returns is not RANDOM[7] else RANDOM[8]
    fit = stats.linregress(market, returns)
    assert performance.beta(returns, market) == pytest.approx(fit.slope, abs=1e-13)
    assert performance.alpha(returns, market) == pytest.approx(252 * fit.intercept, abs=1e-13)


def test_information_ratio_is_the_sharpe_ratio_of_the_active_return():
    active = performance.information_ratio(RANDOM[0], RANDOM[1])
    assert active == pytest.approx(performance.sharpe_ratio(RANDOM[0] - RANDOM[1]), rel=1e-14)
    assert np.isnan(performance.information_ratio(RANDOM[0], RANDOM[0]))


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_probabilistic_sharpe_ratio_is_the_formula_of_bailey_and_lopez_de_prado(target):
    for returns in RANDOM:
        ratio = returns.mean() / returns.std(ddof=1)
        skew, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
        spread = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
        expected = stats.norm.cdf((ratio - target / 252**0.5) * 755**0.5 / spread**0.5)
        assert performance.probabilistic_sharpe_ratio(returns, target=target) == pytest.approx(expected, abs=1e-12)


def test_the_standard_error_of_a_sharpe_ratio_is_what_it_varies_by():
    drawn = np.random.default_rng(3).normal(0.001, 0.01, (4000, 250))
    ratios = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1) * 252**0.5
    stated = np.mean([performance.sharpe_standard_error(returns) for returns in drawn[:200]])
    assert stated == pytest.approx(ratios.std(), rel=0.05)


def test_ulcer_and_pain_are_means_over_all_periods():
    fallen = performance.drawdown(RANDOM[0]).to_numpy()
    assert performance.ulcer_index(RANDOM[0]) == pytest.approx(np.sqrt((fallen**2).sum() / 756), rel=1e-14)
    assert performance.pain_index(RANDOM[0]) == pytest.approx(-fallen.sum() / 756, rel=1e-14)


def test_each_drawdown_has_its_peak_trough_recovery_and_length():
    days = pd.DatetimeIndex(["2022-01-03", "2022-01-04", "2022-01-05", "2022-01-06", "2022-01-07", "2022-01-10"])
    table = performance.drawdown_table(pd.Series([-0.1, 0.2, -0.5, -0.1, 0.5, 0.0], index=days))
    assert table["depth"].tolist() == pytest.approx([0.55, 0.1])
    assert table["peak"].tolist() == [days[1], pd.NaT]
    assert table["trough"].tolist() == [days[3], days[0]]
    assert table["recovery"].tolist() == [pd.NaT, days[1]]
    assert table["recovered"].tolist() == [False, True]
    assert table["periods_down"].tolist() == [2, 1]
    assert table["periods_under_water"].tolist() == [4, 2]
    assert table["days_under_water"].tolist() == pytest.approx([6.0, np.nan], nan_ok=True)


def test_the_deepest_drawdown_of_the_table_is_the_maximum():
    for returns in RANDOM:
        table = performance.drawdown_table(returns, most=3)
        assert len(table) <= 3
        assert table["depth"].iloc[0] == pytest.approx(performance.max_drawdown(returns), rel=1e-14)
        assert table["depth"].is_monotonic_decreasing


def test_a_rising_series_has_an_empty_table_of_drawdowns():
    assert performance.drawdown_table([0.1, 0.0, 0.2]).empty
    assert performance.drawdown_table([]).empty

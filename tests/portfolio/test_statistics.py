"""The statistics of a panel, against the functions for one series, empyrical, pandas and scipy."""

from __future__ import annotations

import subprocess
import sys

import empyrical
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sigmalib.core.errors import InputError
from sigmalib.portfolio import performance
from sigmalib.portfolio.performance import STATISTICS, statistics
from sigmalib.risk import tail

RNG = np.random.default_rng(4)
DAYS = pd.bdate_range("2019-01-02", periods=756, name="session")
MARKET = pd.Series(0.007 * RNG.standard_t(5, 756), DAYS, name="SPY")
OWN = MARKET.to_numpy()[:, None] * RNG.uniform(0.4, 1.6, 300) + 0.012 * RNG.standard_t(4, (756, 300)) + 0.0003
PANEL = pd.DataFrame(OWN, DAYS, [f"A{number}" for number in range(300)])
RATES = pd.Series(np.linspace(0.0, 0.06, 756), DAYS)

ALONE = {
    "cumulative": performance.cumulative_return,
    "cagr": performance.cagr,
    "volatility": performance.annualised_volatility,
    "sharpe": performance.sharpe_ratio,
    "sortino": performance.sortino_ratio,
    "calmar": performance.calmar_ratio,
    "max_drawdown": performance.max_drawdown,
    "value_at_risk": tail.value_at_risk,
    "expected_shortfall": tail.expected_shortfall,
    "skew": stats.skew,
    "kurtosis": stats.kurtosis,
    "hit_rate": performance.hit_rate,
}
EMPYRICAL = {
    "cumulative": empyrical.cum_returns_final,
    "cagr": empyrical.annual_return,
    "volatility": empyrical.annual_volatility,
    "sharpe": empyrical.sharpe_ratio,
    "sortino": empyrical.sortino_ratio,
    "calmar": empyrical.calmar_ratio,
    "max_drawdown": lambda returns: -empyrical.max_drawdown(returns),
}


def largest_error(found, expected):
    """Largest difference, relative where the value is above one."""
    return float(np.nanmax(np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)))


@pytest.mark.parametrize("name", ALONE)
def test_each_statistic_equals_the_function_for_one_series(name):
    expected = PANEL.apply(ALONE[name])
    error = largest_error(statistics(PANEL)[name], expected)
    assert error < 1e-12, f"{name}: off by {error:.1e} of 300 series"


@pytest.mark.parametrize("name", EMPYRICAL)
def test_statistics_agree_with_empyrical(name):
    error = largest_error(statistics(PANEL)[name], PANEL.apply(EMPYRICAL[name]))
    assert error < 1e-12, f"{name}: off by {error:.1e} of 300 series"


def test_the_first_column_names_are_the_eleven_and_beta_takes_the_place_of_the_hit_rate():
    assert list(statistics(PANEL).columns) == [*STATISTICS, "hit_rate", "unknown"]
    assert list(statistics(PANEL, benchmark=MARKET).columns) == [*STATISTICS, "beta", "unknown"]


def test_beta_agrees_with_empyrical_and_with_the_function_for_one_series():
    found = statistics(PANEL, benchmark=MARKET)["beta"]
    for expected in (PANEL.apply(empyrical.beta, args=(MARKET,)), PANEL.apply(performance.beta, benchmark=MARKET)):
        error = largest_error(found, expected)
        assert error < 1e-12, f"off by {error:.1e}"


@pytest.mark.parametrize("rates", [0.03, RATES, RATES.iloc[::-1]], ids=["one rate", "by date", "by date, reversed"])
def test_rates_without_risk_lower_sharpe_and_beta_is_of_excess_returns(rates):
    found = statistics(PANEL, benchmark=MARKET, risk_free=rates)
    sharpe = PANEL.apply(performance.sharpe_ratio, risk_free=rates)
    beta = PANEL.apply(performance.beta, benchmark=MARKET, risk_free=rates)
    assert largest_error(found["sharpe"], sharpe) < 1e-12
    assert largest_error(found["beta"], beta) < 1e-12
    pd.testing.assert_series_equal(found["volatility"], statistics(PANEL)["volatility"])


@pytest.mark.parametrize("level", [0.51, 0.75, 0.9, 0.975, 0.99, 0.9999])
def test_tail_measures_agree_with_those_of_a_book_at_every_level(level):
    found = statistics(PANEL, level=level)
    assert (found["value_at_risk"] == PANEL.apply(tail.value_at_risk, level=level)).all()
    assert largest_error(found["expected_shortfall"], PANEL.apply(tail.expected_shortfall, level=level)) < 1e-14


def test_periods_a_year_scale_what_is_annual():
    monthly = statistics(PANEL.iloc[:60], periods_per_year=12)
    one = PANEL["A7"].iloc[:60]
    assert monthly.loc["A7", "cagr"] == pytest.approx(performance.cagr(one, periods_per_year=12), rel=1e-12)
    assert monthly.loc["A7", "sharpe"] == pytest.approx(performance.sharpe_ratio(one, periods_per_year=12), rel=1e-12)


@pytest.mark.parametrize("laid", [np.ascontiguousarray, np.asfortranarray, lambda x: x[:, ::-1][:, ::-1]])
def test_the_layout_of_a_table_changes_nothing(laid):
    found = statistics(laid(OWN), benchmark=MARKET.to_numpy())
    np.testing.assert_array_equal(found.to_numpy(), statistics(PANEL, benchmark=MARKET).to_numpy())


def test_a_series_an_array_and_a_list_are_one_asset():
    one = PANEL["A3"]
    expected = statistics(PANEL).loc[["A3"]]
    pd.testing.assert_frame_equal(statistics(one), expected)
    for kind in (one.to_numpy(), one.tolist()):
        np.testing.assert_array_equal(statistics(kind).to_numpy(), expected.to_numpy())


def test_a_caller_keeps_the_table_unchanged():
    before = PANEL.copy()
    statistics(PANEL, benchmark=MARKET)
    pd.testing.assert_frame_equal(PANEL, before)


def test_an_asset_with_unknown_returns_is_unknown_and_counted_and_the_others_are_not():
    spoilt = PANEL.iloc[:, :4].copy()
    spoilt.iloc[[3, 9], 1], spoilt.iloc[5, 2] = np.nan, np.inf
    found = statistics(spoilt)
    assert found["unknown"].tolist() == [0, 2, 1, 0]
    assert found.iloc[1:3, :12].isna().all(axis=None)
    pd.testing.assert_frame_equal(found.iloc[[0, 3]], statistics(PANEL).loc[["A0", "A3"]])


def test_unknown_returns_are_dropped_when_asked_and_still_counted():
    spoilt = PANEL.iloc[:, :4].copy()
    spoilt.iloc[[3, 9], 1], spoilt.iloc[5, 2] = np.nan, -np.inf
    market = MARKET.copy()
    market.iloc[[9, 20]] = np.nan
    found = statistics(spoilt, benchmark=market, risk_free=RATES, missing="drop")
    assert found["unknown"].tolist() == [0, 2, 1, 0]
    own = spoilt["A1"].dropna()
    assert found.loc["A1", "sharpe"] == pytest.approx(performance.sharpe_ratio(own, risk_free=RATES), abs=1e-12)
    both = own.index.intersection(market.dropna().index)
    beta = performance.beta(own[both], market[both], risk_free=RATES)
    assert found.loc["A1", "beta"] == pytest.approx(beta, abs=1e-12)


def test_dates_that_the_benchmark_does_not_have_are_left_out_of_beta():
    found = statistics(PANEL, benchmark=MARKET.iloc[100:600])
    expected = PANEL.apply(performance.beta, benchmark=MARKET.iloc[100:600])
    assert largest_error(found["beta"], expected) < 1e-12


def test_an_unknown_return_of_the_benchmark_makes_beta_unknown_unless_dropped():
    market = MARKET.copy()
    market.iloc[7] = np.nan
    found = statistics(PANEL, benchmark=market)
    assert found["beta"].isna().all()
    assert found["sharpe"].notna().all()
    assert statistics(PANEL, benchmark=market, missing="drop")["beta"].notna().all()


@pytest.mark.parametrize("market", [MARKET * 0 + 0.01, MARKET.iloc[:1], MARKET.iloc[:0]])
def test_a_benchmark_that_does_not_move_gives_no_beta(market):
    assert statistics(PANEL, benchmark=market)["beta"].isna().all()


def test_a_benchmark_may_be_a_table_of_one_column_or_an_array():
    expected = statistics(PANEL, benchmark=MARKET)
    pd.testing.assert_frame_equal(statistics(PANEL, benchmark=MARKET.to_frame()), expected)
    pd.testing.assert_frame_equal(statistics(PANEL, benchmark=MARKET.to_numpy()), expected)


def test_constant_returns_have_no_ratios_to_their_deviation():
    found = statistics(pd.DataFrame({"still": [0.01] * 1000, "zero": [0.0] * 1000}), benchmark=np.arange(1000.0))
    assert found["volatility"].tolist() == [0.0, 0.0]
    assert found[["sharpe", "sortino", "calmar", "skew", "kurtosis"]].isna().all(axis=None)
    assert found["max_drawdown"].tolist() == [0.0, 0.0]
    assert found["beta"].abs().max() < 1e-12


def test_lost_wealth_has_a_drawdown_of_one_and_no_growth():
    found = statistics(pd.DataFrame({"lost": [0.1, -1.0, 0.2], "beyond": [0.1, -2.0, -2.0]}))
    assert found.loc["lost", ["cumulative", "max_drawdown"]].tolist() == [-1.0, 1.0]
    assert found[["cagr", "calmar"]].isna().all(axis=None)
    assert found.loc["beyond", ["cumulative", "max_drawdown"]].isna().all()
    assert found.loc["beyond", "value_at_risk"] == 2.0


@pytest.mark.parametrize("shape", [(0,), (0, 3), (5, 0), (1,), (1, 2)])
def test_too_few_returns_give_no_ratios_rather_than_an_error(shape):
    found = statistics(np.full(shape, 0.01))
    assert len(found) == (shape[1] if len(shape) == 2 else 1)
    assert found[["volatility", "sharpe", "skew"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"returns": 0.1}, "`returns` must be a series or a table, had 0 dimensions"),
        ({"returns": [["a", "b"]]}, "`returns` must hold numbers only"),
        ({"returns": np.zeros((2, 2, 2))}, "had 3 dimensions"),
        ({"returns": [0.1, 0.2], "benchmark": [0.1]}, "`benchmark` has shape"),
        ({"returns": [0.1, 0.2], "level": 95}, "`level` must lie in .* pass 0.95"),
        ({"returns": [0.1, 0.2], "level": 0.05}, "`level` must lie in"),
        ({"returns": [0.1, 0.2], "periods_per_year": 0}, "`periods_per_year` must be a positive number"),
        ({"returns": [0.1, 0.2], "risk_free": [0.1, 0.1, 0.1]}, "`risk_free` has 3 values for 2 returns"),
        ({"returns": [0.1, 0.2], "risk_free": np.nan}, "`risk_free` is unknown"),
        ({"returns": [0.1, 0.2], "missing": "fill"}, "`missing` must be 'unknown' or 'drop'"),
        ({"returns": PANEL, "benchmark": pd.concat([MARKET, MARKET])}, "`benchmark` has two values for"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(given, words):
    with pytest.raises(InputError, match=words):
        statistics(**given)


def test_importing_performance_loads_neither_the_compiler_nor_scipy():
    code = "import sys, sigmalib.portfolio.performance; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numba", "scipy"} & set(ran.stdout.split()) == set()


@pytest.mark.parametrize(
    ("dates", "expected"),
    [(pd.bdate_range("2024-01-01", periods=60), 252), (pd.date_range("2024-01-01", periods=60), 365),
     (pd.date_range("2024-01-01", periods=60, tz="Europe/Berlin"), 365),
     (pd.date_range("2024-01-05", periods=60, freq="W-FRI"), 52),
     (pd.date_range("2024-01-31", periods=60, freq="ME"), 12),
     (pd.date_range("2024-01-31", periods=60, freq="BME"), 12), (pd.date_range("2010-03-31", periods=60, freq="QE"), 4),
     (pd.date_range("1950-12-31", periods=60, freq="YE"), 1), (pd.RangeIndex(60), 252)],
)  # fmt: skip
def test_periods_a_year_are_those_of_the_dates_and_told(dates: pd.Index, expected: int) -> None:
    table = PANEL.iloc[:60, :3].set_axis(dates)
    found = statistics(table)
    assert found.attrs["periods_per_year"] == expected
    pd.testing.assert_frame_equal(found, statistics(table, periods_per_year=expected))
    alone = performance.sharpe_ratio(table["A1"], periods_per_year=expected)
    assert found.loc["A1", "sharpe"] == pytest.approx(alone, rel=1e-12)
    assert statistics(table, periods_per_year=7).attrs["periods_per_year"] == 7


def test_periods_without_enough_dates_are_sessions() -> None:
    assert statistics([0.01, -0.02, 0.03]).attrs["periods_per_year"] == 252
    assert statistics(PANEL.iloc[:1]).attrs["periods_per_year"] == 252
    assert statistics(PANEL.iloc[:60].drop(index=DAYS[30:33])).attrs["periods_per_year"] == 252


def test_dates_out_of_order_are_refused() -> None:
    for backwards in (PANEL.iloc[::-1], PANEL["A0"].iloc[::-1]):
        with pytest.raises(InputError, match=r"`returns` must be in order of time.*sort it first"):
            statistics(backwards)
    for ratio in (performance.sharpe_ratio, performance.max_drawdown, performance.cumulative_return):
        with pytest.raises(InputError, match="in order of time"):
            ratio(PANEL["A0"].iloc[::-1])
    with pytest.raises(InputError, match="in order of time"):
        performance.rolling_statistics(PANEL.iloc[::-1], None, 20)
    unsorted = MARKET.iloc[::-1]
    assert statistics(PANEL, benchmark=unsorted)["beta"].equals(statistics(PANEL, benchmark=MARKET)["beta"])


def test_a_level_of_single_precision_is_the_level_that_was_written() -> None:
    pd.testing.assert_frame_equal(statistics(PANEL.iloc[:20], level=np.float32(0.95)), statistics(PANEL.iloc[:20]))

"""Bacon's example portfolio (24 months) and the tail values derived from it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigmalib.portfolio import performance
from sigmalib.risk.tail import expected_shortfall, value_at_risk

PORTFOLIO = [
    *(0.003, 0.026, 0.011, -0.010, 0.015, 0.025, 0.016, 0.067, -0.014, 0.040, -0.005, 0.081),
    *(0.040, -0.037, -0.061, 0.017, -0.049, -0.022, 0.070, 0.058, -0.065, 0.024, -0.005, -0.009),
]
BENCHMARK = [
    *(0.002, 0.025, 0.018, -0.011, 0.014, 0.018, 0.014, 0.065, -0.015, 0.042, -0.006, 0.083),
    *(0.039, -0.038, -0.062, 0.015, -0.048, 0.021, 0.060, 0.056, -0.067, 0.019, -0.003, 0.0),
]
MONTHS = pd.date_range("2000-01-31", periods=24, freq="ME")
TEN = [-120, -80, -60, -40, -20, 0, 30, 50, 70, 90]


def test_bacon_return_and_ratios():
    monthly = {"periods_per_year": 12}
    assert performance.cagr(PORTFOLIO, **monthly) == pytest.approx(0.1036783, abs=5e-8)
    assert performance.annualised_volatility(PORTFOLIO, **monthly) == pytest.approx(0.1370002, abs=5e-8)
    assert performance.sharpe_ratio(PORTFOLIO, **monthly) == pytest.approx(0.7883203, abs=5e-8)
    assert performance.calmar_ratio(PORTFOLIO, **monthly) == pytest.approx(0.7166391, abs=5e-8)


def test_bacon_cumulative_return_and_geometric_sharpe_ratio():
    assert performance.cumulative_return(PORTFOLIO) == pytest.approx(0.2181058, abs=5e-8)
    assert performance.geometric_sharpe_ratio(PORTFOLIO, periods_per_year=12) == pytest.approx(0.7567750, abs=5e-8)


def test_bacon_drawdown():
    assert performance.max_drawdown(PORTFOLIO) == pytest.approx(0.1446730, abs=5e-8)
    deepest = performance.drawdown_table(pd.Series(PORTFOLIO, MONTHS)).iloc[0]
    assert deepest["depth"] == pytest.approx(0.1446730, abs=5e-8)
    assert (deepest["peak"], deepest["trough"]) == (pd.Timestamp("2001-01-31"), pd.Timestamp("2001-06-30"))
    assert (deepest["periods_down"], deepest["periods_under_water"]) == (5, 11)
    assert not deepest["recovered"]
    assert deepest["recovery"] is pd.NaT


def test_bacon_ulcer_and_pain():
    assert performance.ulcer_index(PORTFOLIO) == pytest.approx(0.0611843, abs=5e-8)
    assert performance.martin_ratio(PORTFOLIO, periods_per_year=12) == pytest.approx(1.694525, abs=5e-7)
    assert performance.pain_index(PORTFOLIO) == pytest.approx(0.0399897, abs=5e-8)
    assert performance.pain_ratio(PORTFOLIO, periods_per_year=12) == pytest.approx(2.592625, abs=5e-7)


def test_bacon_statistics_of_a_table():
    table = pd.DataFrame({"portfolio": PORTFOLIO, "benchmark": BENCHMARK}, index=MONTHS)
    found = performance.statistics(table, benchmark=table["benchmark"], periods_per_year=12)
    expected = {
        "cumulative": 0.2181058,
        "cagr": 0.1036783,
        "volatility": 0.1370002,
        "sharpe": 0.7883203,
        "calmar": 0.7166391,
        "max_drawdown": 0.1446730,
        "value_at_risk": 0.0610,
        "expected_shortfall": 0.0643333,
    }
    assert found.loc["portfolio", list(expected)].to_dict() == pytest.approx(expected, abs=5e-8)
    assert found.loc["benchmark", "beta"] == pytest.approx(1.0, abs=1e-15)


def test_bacon_tail():
    assert value_at_risk(PORTFOLIO, 0.95) == pytest.approx(0.0610, abs=1e-12)
    assert value_at_risk(PORTFOLIO, 0.95, method="linear") == pytest.approx(0.0592, abs=1e-12)
    assert expected_shortfall(PORTFOLIO, 0.95) == pytest.approx(0.0643333, abs=5e-8)


@pytest.mark.parametrize(("level", "var", "es"), [(0.80, 80, 100), (0.75, 60, 92)])
def test_the_boundary_outcome_counts_in_part(level, var, es):
    assert value_at_risk(TEN, level) == var
    assert expected_shortfall(TEN, level) == pytest.approx(es, abs=1e-12)


def test_beta_is_the_slope_of_least_squares():
    slope = np.polyfit(BENCHMARK, PORTFOLIO, 1)[0]
    assert performance.beta(PORTFOLIO, BENCHMARK, periods_per_year=12) == pytest.approx(slope, abs=1e-12)

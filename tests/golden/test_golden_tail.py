"""Tail measures, their decomposition and backtests against Bacon's book, Jorion's and Hull's examples, and Basel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigmalib.risk.tail import (
    basel_traffic_light,
    christoffersen_test,
    component_var,
    expected_shortfall,
    incremental_var,
    kupiec_test,
    tail_measures,
    value_at_risk,
)

BACON = [
    *(0.003, 0.026, 0.011, -0.010, 0.015, 0.025, 0.016, 0.067, -0.014, 0.040, -0.005, 0.081),
    *(0.040, -0.037, -0.061, 0.017, -0.049, -0.022, 0.070, 0.058, -0.065, 0.024, -0.005, -0.009),
]
TEN = [-120, -80, -60, -40, -20, 0, 30, 50, 70, 90]
HITS = np.isin(np.arange(1, 251), [50, 51, 52, 120, 121, 200])
JORION = {"exposures": [2e6, 1e6], "covariance": np.diag([0.05**2, 0.12**2])}


@pytest.mark.parametrize(
    ("method", "var", "es"),
    [
        ("historical", 0.0610, 0.0643333),
        ("linear", 0.0592, None),
        ("normal", 0.0560516, 0.0725773),
        ("cornish_fisher", 0.0574276, None),
    ],
)
def test_bacon_value_at_risk_and_shortfall(method, var, es):
    """skfolio, Riskfolio-Lib, empyrical and QuantStats have the same historical and normal values."""
    assert value_at_risk(BACON, 0.95, method) == pytest.approx(var, abs=5e-8)
    if es is not None:
        assert expected_shortfall(BACON, 0.95, method) == pytest.approx(es, abs=5e-8)


def test_bacon_cornish_fisher_is_flagged():
    """Its kurtosis is below the normal's, so that the expansion turns round four deviations away."""
    note = tail_measures(BACON, 0.95, methods=["cf"], replicates=0).loc[("cornish_fisher", 0.95), "note"]
    assert note.startswith("flagged: with skewness -0.0826 and excess kurtosis -0.568")


@pytest.mark.parametrize(("level", "var", "es"), [(0.80, 80, 100), (0.75, 60, 92)])
def test_the_boundary_outcome_counts_in_part(level, var, es):
    assert value_at_risk(TEN, level) == var
    assert expected_shortfall(TEN, level) == pytest.approx(es, abs=1e-12)


@pytest.mark.parametrize(
    ("quantile", "alone", "total", "benefit"),
    [(2.33, (1_473_621, 368_405), 1_622_657, 219_369.5), (None, (1_471_312, 367_828), 1_620_114, 219_026)],
)
def test_two_positions_over_ten_days(quantile, alone, total, benefit):
    """Hull's lecture slides round z to 2.33; the benefit there, 219,369, is of rounded numbers."""
    covariance = [[0.02**2, 0.3 * 0.02 * 0.01], [0.3 * 0.02 * 0.01, 0.01**2]]
    found = component_var([10e6, 5e6], covariance, level=0.99, horizon=10, quantile=quantile)
    assert found["stand_alone"].tolist() == pytest.approx(alone, abs=0.6)
    assert found.total == pytest.approx(total, abs=0.6)
    assert found.benefit == pytest.approx(benefit, abs=0.6)


def test_jorion_components():
    found = component_var(**JORION, quantile=1.65)
    assert found.total == pytest.approx(257_738, abs=0.5)
    assert found["marginal"].tolist() == pytest.approx([0.0528, 0.1521], abs=5e-5)
    assert found["component"].tolist() == pytest.approx([105_630, 152_108], abs=0.5)
    assert component_var(**JORION, level=0.95).total == pytest.approx(256_934, abs=0.5)


@pytest.mark.parametrize(("quantile", "cad", "eur"), [(1.65, 59_738, 92_738), (None, 59_552, 92_449)])
def test_jorion_incremental_of_a_whole_position(quantile, cad, eur):
    for trade, expected in (([-2e6, 0], cad), ([0, -1e6], eur)):
        change = incremental_var(JORION["exposures"], trade, JORION["covariance"], quantile=quantile).change
        assert -change == pytest.approx(expected, abs=0.5)


def test_jorion_incremental_of_ten_thousand():
    found = incremental_var(JORION["exposures"], [10_000, 0], JORION["covariance"], quantile=1.65)
    assert (round(found.change, 2), round(found.approximation, 2)) == (528.93, 528.15)


def test_christoffersen_on_clustered_hits():
    found = christoffersen_test(HITS, level=0.99)
    assert (found.n00, found.n01, found.n10, found.n11) == (240, 3, 3, 3)
    assert found.lr_ind == pytest.approx(15.915297, abs=5e-7)
    assert found.lr_uc == pytest.approx(3.555355, abs=5e-7)
    assert found.lr_cc == found.statistic == pytest.approx(19.470651, abs=5e-7)
    assert found.p_value == pytest.approx(5.9e-5, abs=5e-7)


@pytest.mark.parametrize(
    ("level", "days", "least", "most"),
    [
        (0.99, 255, 1, 6),
        (0.99, 510, 2, 10),
        (0.99, 1000, 5, 16),
        (0.95, 255, 7, 20),
        (0.95, 510, 17, 35),
        (0.95, 1000, 38, 64),
    ],
)
def test_kupiec_accepts_the_counts_of_his_table(level, days, least, most):
    """Kupiec (1995), as in Jorion (2007), table 6-2; at 99 % over 255 days he accepts 0, too, whose LR is 5.13."""
    accepted = [hits for hits in range(days // 4) if kupiec_test(hits, days, level=level).p_value > 0.05]
    assert accepted == list(range(least, most + 1))


def test_basel_zones_and_multipliers():
    """Basel Committee (1996), table 2."""
    lights = [basel_traffic_light(hits) for hits in range(12)]
    assert [light.zone for light in lights] == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 2
    assert [light.multiplier for light in lights] == [3.0] * 5 + [3.40, 3.50, 3.65, 3.75, 3.85] + [4.0] * 2
    chances = pd.Series([light.cumulative_probability for light in lights])
    assert chances[[4, 5, 9]].tolist() == pytest.approx([0.8922, 0.9588, 0.9997], abs=5e-5)

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigmalib.core.errors import InputError
from sigmalib.risk.tail import component_shortfall, expected_shortfall, tail_observations, value_at_risk

outcomes = arrays(float, st.integers(1, 400), elements=st.floats(-1e6, 1e6, width=32))
levels = st.sampled_from([0.9, 0.95, 0.975, 0.99])


@given(outcomes, levels)
def test_shortfall_is_never_below_value_at_risk(pnl, level):
    assert expected_shortfall(pnl, level) >= value_at_risk(pnl, level) - 1e-6


@given(outcomes, levels, st.floats(0.01, 100))
def test_both_scale_with_the_book(pnl, level, factor):
    for measure in (value_at_risk, expected_shortfall):
        assert measure(factor * pnl, level) == pytest.approx(factor * measure(pnl, level), rel=1e-9, abs=1e-9)


@given(outcomes, levels, st.randoms(use_true_random=False))
def test_the_order_of_scenarios_is_immaterial(pnl, level, random):
    shuffled = pnl.copy()
    random.shuffle(shuffled)
    assert value_at_risk(shuffled, level) == value_at_risk(pnl, level)
    assert expected_shortfall(shuffled, level) == expected_shortfall(pnl, level)


@given(outcomes, levels)
def test_linear_agrees_with_numpy(pnl, level):
    assert value_at_risk(pnl, level, method="linear") == pytest.approx(-np.quantile(pnl, 1 - level), abs=1e-9)


@given(
    arrays(float, st.tuples(st.integers(1, 200), st.integers(1, 5)), elements=st.floats(-1e4, 1e4, width=32)), levels
)
def test_components_add_up_to_the_shortfall(pnl, level):
    parts = component_shortfall(pd.DataFrame(pnl), level)
    assert parts.sum() == pytest.approx(expected_shortfall(pnl.sum(axis=1), level), abs=1e-8)


def test_five_in_a_hundred_is_five_despite_float_noise():
    assert value_at_risk(np.arange(100.0), 0.95) == -4.0


def test_less_than_one_outcome_in_the_tail_gives_the_worst_loss():
    assert tail_observations(20, 0.99) < 1
    assert expected_shortfall([-3.0, *range(19)], 0.99) == value_at_risk([-3.0, *range(19)], 0.99) == 3.0


def test_without_outcomes_the_measures_are_unknown():
    assert np.isnan(value_at_risk([]))
    assert np.isnan(expected_shortfall([]))


def test_a_flat_book_loses_a_positive_zero():
    assert str(value_at_risk(np.zeros(10))) == "0.0"


@pytest.mark.parametrize("level", [0.5, 1.0, 0.05, -1])
def test_levels_outside_the_open_half_are_refused(level):
    with pytest.raises(InputError, match=r"must lie in \(0.5, 1\)"):
        value_at_risk([1.0], level)


def test_a_percentage_is_refused_with_the_fraction_to_pass():
    with pytest.raises(InputError, match=r"was 95; pass 0\.95"):
        expected_shortfall([1.0], 95)


def test_unknown_outcomes_are_refused_and_counted():
    with pytest.raises(InputError, match="2 unknown"):
        value_at_risk([1.0, np.nan, np.inf])


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="'historical' or 'linear', was 'normal'"):
        value_at_risk([1.0, 2.0], method="normal")

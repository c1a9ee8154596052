"""What holds of every tail measure, every decomposition and every backtest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigmalib.core.errors import InputError
from sigmalib.risk.tail import (
    METHODS,
    basel_traffic_light,
    christoffersen_test,
    component_es,
    component_shortfall,
    component_var,
    expected_shortfall,
    incremental_var,
    kupiec_test,
    scenario_component_es,
    scenario_component_var,
    scenario_incremental,
    value_at_risk,
)
from sigmalib.risk.tails import distributions

law = settings(deadline=None, max_examples=60)
outcomes = arrays(float, st.integers(1, 400), elements=st.floats(-1e6, 1e6, width=32))
tables = arrays(float, st.tuples(st.integers(1, 120), st.integers(1, 5)), elements=st.floats(-1e4, 1e4, width=32))
levels = st.sampled_from([0.9, 0.95, 0.975, 0.99, 0.999])
methods = st.sampled_from(METHODS)
ORDERLESS = ("historical", "linear", "normal", "student_t", "cornish_fisher")


def measured(measure, pnl, level, method):
    return measure(pnl, level, method, draws=2000)


def size(pnl) -> float:
    return float(np.abs(pnl).max())


@st.composite
def books(draw):
    """Exposures and a covariance of full or lower rank."""
    count = draw(st.integers(1, 6))
    factors = draw(arrays(float, (count, draw(st.integers(1, 6))), elements=st.floats(-1, 1, width=32)))
    exposures = draw(arrays(float, count, elements=st.floats(-1e6, 1e6, width=32)))
    covariance = factors @ factors.T * 1e-4
    assume(exposures @ covariance @ exposures > 1e-9 * float(np.abs(exposures) @ np.sqrt(np.diag(covariance))) ** 2)
    return exposures, covariance


@law
@given(outcomes, levels, methods)
def test_shortfall_is_never_below_value_at_risk(pnl, level, method):
    var, es = measured(value_at_risk, pnl, level, method), measured(expected_shortfall, pnl, level, method)
    assert np.isnan(var) == np.isnan(es)
    assert np.isnan(es) or es >= var - 1e-9 * size(pnl)


@law
@given(st.floats(-4, 4), st.floats(-2, 20), levels)
def test_cornish_fisher_shortfall_is_never_below_its_value_at_risk(skew, kurt, level):
    sample = distributions.Moments(*(np.asarray(x) for x in (0.0, 1.0, skew, kurt)))
    var, es = distributions.cornish_fisher_tail(sample, 1 - level)
    assert np.isnan(es) or es >= var


@law
@given(outcomes, levels, methods, st.floats(0.01, 100))
def test_both_scale_with_the_book(pnl, level, method, factor):
    for measure in (value_at_risk, expected_shortfall):
        once, scaled = measured(measure, pnl, level, method), measured(measure, factor * pnl, level, method)
        assert scaled == pytest.approx(factor * once, rel=1e-6, abs=1e-6 * factor * size(pnl), nan_ok=True)


@law
@given(outcomes, levels, st.sampled_from(["historical", "linear", "age_weighted", "normal"]), st.floats(-1e5, 1e5))
def test_a_certain_gain_lowers_both_by_itself(pnl, level, method, gain):
    scale = size(pnl) + abs(gain)
    assume(pnl.std() == 0 or pnl.std() > 1e-6 * scale)
    for measure in (value_at_risk, expected_shortfall):
        moved = measure(pnl + gain, level, method)
        assert moved == pytest.approx(measure(pnl, level, method) - gain, abs=1e-9 * scale, nan_ok=True)


@law
@given(outcomes, levels, st.sampled_from(ORDERLESS), st.randoms(use_true_random=False))
def test_the_order_of_scenarios_is_immaterial(pnl, level, method, random):
    shuffled = pnl.copy()
    random.shuffle(shuffled)
    for measure in (value_at_risk, expected_shortfall):
        found, again = measure(pnl, level, method), measure(shuffled, level, method)
        if method in ("historical", "linear"):
            assert found == again
        elif method == "normal":
            assert found == pytest.approx(again, abs=1e-9 * size(pnl), nan_ok=True)


@law
@given(outcomes, levels)
def test_linear_agrees_with_numpy(pnl, level):
    expected = -np.quantile(pnl, 1 - level)
    assert value_at_risk(pnl, level, method="linear") == pytest.approx(expected, abs=1e-12 * (1 + size(pnl)))


@law
@given(outcomes, methods)
def test_a_higher_level_never_loses_less(pnl, method):
    found = [measured(value_at_risk, pnl, level, method) for level in (0.9, 0.95, 0.99)]
    known = [var for var in found if not np.isnan(var)]
    assert all(later >= earlier - 1e-9 * size(pnl) for earlier, later in pairwise(known))


@law
@given(tables, levels)
def test_components_add_up_to_the_shortfall_and_value_at_risk(pnl, level):
    book = pnl.sum(axis=1)
    scale = 1e-10 * (1 + np.abs(pnl).sum(axis=1).max())
    assert component_shortfall(pd.DataFrame(pnl), level).sum() == pytest.approx(
        expected_shortfall(book, level), abs=scale
    )
    found = scenario_component_var(pnl, level, estimator="scenario")
    assert found.sum() == pytest.approx(value_at_risk(book, level), abs=scale)
    tail = scenario_component_var(pnl, level)
    assert tail.reason or tail.sum() == pytest.approx(value_at_risk(book, level), abs=scale)


@law
@given(tables, levels, st.randoms(use_true_random=False))
def test_scenario_components_depend_on_no_order(pnl, level, random):
    pnl = np.round(pnl)  # whole numbers add up exactly, so that ties stay ties
    columns, rows = list(range(pnl.shape[1])), list(range(pnl.shape[0]))
    random.shuffle(columns)
    random.shuffle(rows)
    for decomposed in (scenario_component_es, scenario_component_var):
        found = decomposed(pnl, level)["component"].to_numpy()[columns]
        again = decomposed(pnl[rows][:, columns], level)["component"].to_numpy()
        assert again == pytest.approx(found, abs=1e-9 * (1 + size(pnl)), nan_ok=True)


@law
@given(tables, levels, st.integers(1, 9))
def test_splitting_a_position_splits_its_component(pnl, level, tenths):
    pnl = np.round(pnl) * 10
    part = pnl[:, :1] / 10 * tenths
    split = np.hstack([part, pnl[:, :1] - part, pnl[:, 1:]])
    whole, parts = component_shortfall(pd.DataFrame(pnl), level), component_shortfall(pd.DataFrame(split), level)
    assert parts[0] + parts[1] == pytest.approx(whole[0], abs=1e-9 * (1 + size(pnl)))


@law
@given(tables, levels)
def test_a_trade_and_its_reverse_leave_the_historical_measures(pnl, level):
    book, trade = np.round(pnl).sum(axis=1), np.round(pnl[:, 0])
    for measure in ("var", "es"):
        there = scenario_incremental(book, trade, level, measure=measure).change
        back = scenario_incremental(book + trade, -trade, level, measure=measure).change
        assert there + back == pytest.approx(0, abs=1e-9 * (1 + size(pnl)))


@law
@given(books(), levels)
def test_normal_components_add_up_to_the_whole(book, level):
    exposures, covariance = book
    for decomposed in (component_var, component_es):
        found = decomposed(exposures, covariance, level=level, mean=0.001)
        scale = 1e-10 * found.stand_alone.abs().sum()
        assert found.sum() == pytest.approx(found.total, abs=scale)
        assert found.total <= found.undiversified + scale
        assert found.percent.sum() == pytest.approx(1.0, abs=1e-10 * found.percent.abs().sum())


@law
@given(books(), levels)
def test_expected_shortfall_of_a_book_is_above_its_value_at_risk(book, level):
    exposures, covariance = book
    assert component_es(exposures, covariance, level=level).total >= component_var(*book, level=level).total


@law
@given(books(), st.floats(0.01, 100), st.randoms(use_true_random=False))
def test_normal_components_scale_and_follow_their_positions(book, factor, random):
    exposures, covariance = book
    found = component_var(exposures, covariance).component.to_numpy()
    scale = 1e-6 * (1 + np.abs(found).sum())
    assert component_var(exposures * factor, covariance).component.to_numpy() / factor == pytest.approx(
        found, abs=scale
    )
    order = list(range(len(exposures)))
    random.shuffle(order)
    again = component_var(exposures[order], covariance[np.ix_(order, order)]).component.to_numpy()
    assert again == pytest.approx(found[order], abs=scale)


@law
@given(books())
def test_marginal_is_the_slope_of_value_at_risk(book):
    exposures, covariance = book
    found = component_var(exposures, covariance)
    deviation = float(np.sqrt(np.diag(covariance).max()))
    step = 1e-4 * found.total / deviation
    for i in range(len(exposures)):
        trade = np.eye(len(exposures))[i] * step
        up = component_var(exposures + trade, covariance).total
        down = component_var(exposures - trade, covariance).total
        assert (up - down) / (2 * step) == pytest.approx(found.marginal.iloc[i], abs=1e-5 * deviation)


@law
@given(books())
def test_no_trade_changes_nothing_and_a_reversed_trade_comes_back(book):
    exposures, covariance = book
    assert incremental_var(exposures, 0 * exposures, covariance).change == 0
    there = incremental_var(exposures, exposures[::-1], covariance)
    back = incremental_var(exposures + exposures[::-1], -exposures[::-1], covariance)
    assert there.change + back.change == pytest.approx(0, abs=1e-6 * (1 + there.before))


@law
@given(st.lists(st.booleans(), max_size=300), st.sampled_from([0.9, 0.95, 0.99, 0.999]))
def test_every_sequence_of_hits_has_defined_tests(hits, level):
    found = christoffersen_test(hits, level=level)
    count = kupiec_test(sum(hits), len(hits), level=level)
    assert found.lr_uc == count.statistic or (np.isnan(found.lr_uc) and not hits)
    assert found.n00 + found.n01 + found.n10 + found.n11 == max(0, len(hits) - 1)
    if len(hits) < 2:
        assert found.reason
        assert np.isnan(found.statistic)
    else:
        assert found.statistic >= 0
        assert 0 <= found.p_value <= 1
        assert 0 < count.exact_p_value <= 1 or count.statistic > 600
    assert (basel_traffic_light(hits, level=level).zone is None) == (not hits)


@law
@given(
    st.one_of(
        st.lists(st.one_of(st.floats(), st.none(), st.booleans(), st.text(max_size=2)), max_size=6),
        arrays(float, st.tuples(st.integers(0, 3), st.integers(0, 3)), elements=st.floats()),
        st.floats(),
    ),
    st.one_of(levels, st.floats(), st.none()),
    methods,
)
def test_garbage_gives_a_number_nan_or_a_typed_error(pnl, level, method):
    for missing in ("raise", "drop"):
        try:
            found = value_at_risk(pnl, level, method, missing=missing, draws=50)
        except InputError:
            continue
        assert isinstance(found, float)
        assert not np.isinf(found) or np.abs(np.asarray(pnl, dtype=float)).max() > 1e300


@law
@given(
    arrays(float, st.integers(0, 3), elements=st.floats()),
    arrays(float, st.tuples(st.integers(0, 3), st.integers(0, 3)), elements=st.floats()),
)
def test_garbage_exposures_are_decomposed_or_refused(exposures, covariance):
    try:
        found = component_var(exposures, covariance)
    except InputError:
        return
    assert len(found) == len(exposures)

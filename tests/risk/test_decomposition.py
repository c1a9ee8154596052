from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.tail import (
    component_es,
    component_var,
    expected_shortfall,
    incremental_var,
    scenario_component_es,
    scenario_component_var,
    scenario_incremental,
    value_at_risk,
)
from sigmalib.risk.tails.distributions import normal_quantile

COVARIANCE = pd.DataFrame([[4.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]], list("ABC"), list("ABC")) * 1e-4
BOOK = pd.Series({"A": 100.0, "B": -50.0, "C": 200.0})
SCENARIOS = pd.DataFrame(np.random.default_rng(1).standard_t(4, (1000, 3)), columns=list("ABC"))


def test_components_agree_with_the_formula_over_thousands_of_books():
    random, errors = np.random.default_rng(2), []
    for _ in range(1000):
        count = random.integers(1, 8)
        root = random.normal(size=(count, count)) * 0.01
        covariance, w, m = root @ root.T, random.normal(size=count), random.normal(size=count) * 1e-3
        level = random.choice([0.9, 0.95, 0.99])
        found = component_var(w, covariance, level=level, mean=m)
        sigma, z = math.sqrt(w @ covariance @ w), -normal_quantile(1 - level)
        errors.append(found.total - (z * sigma - w @ m))
        errors.extend(found.component - w * (z * covariance @ w / sigma - m))
        errors.append(found.sum() - found.total)
    assert max(map(abs, errors)) < 1e-14, max(map(abs, errors))


def test_component_shortfall_agrees_with_a_sample_of_the_same_law():
    drawn = np.random.default_rng(3).multivariate_normal(np.zeros(3), COVARIANCE, 400_000) * BOOK.to_numpy()
    found, sampled = component_es(BOOK, COVARIANCE, level=0.95), scenario_component_es(drawn, 0.95)
    assert sampled.total == pytest.approx(found.total, rel=0.01)
    assert np.abs(sampled.component.to_numpy() - found.component.to_numpy()).max() < 0.02 * found.total
    for estimator in ("tail", "scenario"):
        var = scenario_component_var(drawn, 0.95, estimator=estimator)
        assert var.sum() == pytest.approx(component_var(BOOK, COVARIANCE).total, rel=0.01)


def test_labels_decide_the_order():
    straight = component_var(BOOK, COVARIANCE)
    shuffled = component_var(BOOK[["C", "A", "B"]], COVARIANCE.loc[["B", "C", "A"], ["B", "C", "A"]])
    pd.testing.assert_frame_equal(shuffled.frame.loc[list("ABC")], straight.frame)
    assert component_var(dict(BOOK), COVARIANCE).total == pytest.approx(straight.total, rel=1e-14)
    assert component_var(BOOK.to_list(), COVARIANCE).frame.index.tolist() == list("ABC")
    assert component_var(BOOK.to_frame(), COVARIANCE.to_numpy().tolist()).total == straight.total
    with_means = component_var(BOOK, COVARIANCE, mean=pd.Series({"C": 1.0, "A": 0.0, "B": 0.0}))
    assert with_means.total == pytest.approx(straight.total - 200.0)


def test_a_name_may_stand_twice():
    split = pd.Series([60.0, 40.0, -50.0, 200.0], ["A", "A", "B", "C"])
    found, whole = component_var(split, COVARIANCE), component_var(BOOK, COVARIANCE)
    assert found.total == pytest.approx(whole.total, rel=1e-12)
    assert found["component"]["A"].sum() == pytest.approx(whole["component"]["A"], rel=1e-12)


def test_whole_numbers_are_labels_when_both_sides_have_the_same():
    exposures, covariance = pd.Series([1.0, 2.0], index=[1, 0]), pd.DataFrame([[1.0, 0.0], [0.0, 4.0]])
    named = component_var(exposures.set_axis(["b", "a"]), covariance.set_axis(["a", "b"]).set_axis(["a", "b"], axis=1))
    for given in (exposures, exposures[[0, 1]], exposures.to_dict()):
        found = component_var(given, covariance)
        assert found["component"].loc[[1, 0]].tolist() == pytest.approx(named.component.tolist(), rel=1e-15)
    shifted = covariance.loc[[1, 0], [1, 0]]
    assert component_var(exposures.reset_index(drop=True), shifted)["component"].to_dict() != found.component.to_dict()
    assert component_var([1.0, 2.0], shifted).component.tolist() == pytest.approx(named.component.tolist(), rel=1e-15)
    added = incremental_var(exposures, pd.Series([0.0, 1.0]), covariance)
    assert added.after == pytest.approx(component_var({0: 2.0, 1: 2.0}, covariance).total, rel=1e-15)
    assert incremental_var([1.0, 2.0], [1.0, 0.0], shifted).after == pytest.approx(added.after, rel=1e-15)
    by_label = scenario_component_es(pd.DataFrame([[-3.0, -1.0], [1.0, 2.0]]), 0.9, exposures=exposures)
    assert by_label["exposure"].tolist() == [2.0, 1.0]
    with_means = component_var(exposures, covariance, mean=pd.Series([0.5, 0.0]))
    assert with_means.total == pytest.approx(named.total - 1.0, rel=1e-14)


def test_the_result_is_its_components_by_position_and_a_table_by_column():
    found = component_var(BOOK, COVARIANCE)
    assert list(found) == found["component"].tolist() == np.asarray(found).tolist()
    assert np.sum(found) == sum(found) == pytest.approx(found.total)
    assert np.max(found) == max(found)
    assert [found[name] for name in "ABC"] == list(found)
    assert found["percent"].sum() == pytest.approx(1.0)
    assert list(found[["marginal", "component"]]) == ["marginal", "component"]
    with pytest.raises(InputError, match="no column or position 'D'; the columns are exposure"):
        found["D"]
    assert np.asarray(found).sum() == found.sum() == pytest.approx(found.total)
    assert len(found) == 3
    assert "stand_alone" in found._repr_html_()
    told = found.to_dict()
    assert told["benefit"] == told["undiversified"] - told["total"] > 0
    assert [row["position"] for row in told["positions"]] == list("ABC")


def test_one_position_given_as_plain_numbers():
    assert component_var(1e6, 0.02**2, level=0.99).total == pytest.approx(1e6 * 0.02 * 2.3263478740408408)


def test_a_hedge_has_a_negative_component():
    assert component_var(BOOK, COVARIANCE)["component"]["B"] < 0 < component_var(BOOK, COVARIANCE)["stand_alone"]["B"]


def test_a_book_without_variance_has_no_marginal_and_says_so():
    found = component_var([1.0, -1.0], [[1.0, 1.0], [1.0, 1.0]], mean=[0.1, 0.0])
    assert found.total == pytest.approx(-0.1) == found.sum()
    assert found.marginal.isna().all()
    assert "no variance" in found.reason
    empty = component_var([], np.zeros((0, 0)))
    assert (empty.total, len(empty), empty.reason) == (0.0, 0, "")


@pytest.mark.parametrize(
    ("exposures", "covariance", "options", "message"),
    [
        ([1, 2], [[1.0]], {}, "must be 2 x 2"),
        ([1, 2], [[1, 0.5], [0.4, 1]], {}, "must be symmetric"),
        ([1, -1], [[1, 2], [2, 1]], {}, "not positive semi-definite"),
        ([1, 1], [[-1, 0], [0, 1]], {}, "negative variance"),
        ([1, np.nan], np.eye(2), {}, "one known number for each position"),
        ([1, 1], [[1, np.nan], [np.nan, 1]], {}, "2 unknown value"),
        ({"A": 1, "X": 2}, COVARIANCE, {}, "had none for X"),
        ([1e100, 1], np.eye(2), {}, "one known number for each position"),
        ([1, 1], np.eye(2) * 1e100, {}, "2 unknown value"),
        ([1, 1], np.eye(2), {"mean": [1, 2, 3]}, "`mean` must be one number or 2"),
        ([1, 1], np.eye(2), {"quantile": -1}, "`quantile`"),
        ([1, 1], np.eye(2), {"horizon": 0}, "`horizon`"),
        ([1, 1], np.eye(2), {"level": 95}, "pass 0.95"),
        ([1], pd.DataFrame([[1.0]], ["A"], ["B"]), {}, "same names"),
        (["a"], [[1.0]], {}, "`exposures` must hold numbers only"),
    ],
)
def test_what_cannot_be_decomposed_is_refused(exposures, covariance, options, message):
    with pytest.raises(InputError, match=message):
        component_var(exposures, covariance, **options)


def test_incremental_is_a_full_recomputation_by_name():
    found = incremental_var(BOOK, {"C": -200.0}, COVARIANCE)
    without = component_var({"A": 100.0, "B": -50.0}, COVARIANCE).total
    assert found.change == float(found) == pytest.approx(without - component_var(BOOK, COVARIANCE).total)
    assert found.to_dict()["after"] == pytest.approx(without)
    new = incremental_var({"A": 100.0}, {"C": 10.0}, COVARIANCE)
    assert new.after == pytest.approx(component_var({"A": 100.0, "C": 10.0}, COVARIANCE).total)
    with pytest.raises(InputError, match="`trade` must have one exposure"):
        incremental_var([1.0, 2.0], [1.0], COVARIANCE)


def test_the_approximation_is_good_for_a_small_trade():
    found = incremental_var(BOOK, BOOK * 1e-4, COVARIANCE)
    assert found.change == pytest.approx(found.approximation, rel=1e-6)


def test_scenario_components_agree_with_a_slow_twin():
    order = np.argsort(SCENARIOS.sum(axis=1).to_numpy())
    weights = np.append(np.ones(12), 0.5) / 12.5  # n (1 - level) = 12.5
    slow = -(weights @ SCENARIOS.to_numpy()[order[:13]])
    found = scenario_component_es(SCENARIOS, 0.9875, exposures={"B": 2.0, "A": 1.0, "C": 0.0})
    assert found.component.to_numpy() == pytest.approx(slow, abs=1e-14)
    assert found.marginal.tolist() == pytest.approx([slow[0], slow[1] / 2, np.nan], nan_ok=True)
    assert found.stand_alone.tolist() == [expected_shortfall(SCENARIOS[name], 0.9875) for name in "ABC"]
    at_var = scenario_component_var(SCENARIOS, 0.9875, estimator="scenario")
    assert at_var.component.to_numpy() == pytest.approx(-SCENARIOS.to_numpy()[order[12]])


def test_scenario_value_at_risk_spreads_as_the_tail_does_and_is_labelled():
    found, shortfall = scenario_component_var(SCENARIOS), scenario_component_es(SCENARIOS)
    assert found.method == "historical, tail estimator"
    assert found.percent.to_numpy() == pytest.approx(shortfall.percent.to_numpy())
    assert found.total == value_at_risk(SCENARIOS.sum(axis=1))
    assert found.stand_alone.tolist() == [value_at_risk(SCENARIOS[name]) for name in "ABC"]


def test_a_book_that_never_loses_has_no_tail_to_scale():
    gains = pd.DataFrame({"A": [1.0, 2.0, 3.0], "B": [1.0, 1.0, 1.0]})
    found = scenario_component_var(gains, 0.9)
    assert found.component.isna().all()
    assert "estimator='scenario'" in found.reason
    assert scenario_component_var(gains, 0.9, estimator="scenario").sum() == -2.0


def test_scenarios_that_tie_share_the_boundary():
    found = scenario_component_es(pd.DataFrame({"A": [-1.0, 0.0, 5.0], "B": [0.0, -1.0, 5.0]}), 0.9)
    assert found.component.tolist() == [0.5, 0.5]


def test_without_scenarios_components_are_unknown():
    for decomposed in (scenario_component_es, scenario_component_var):
        found = decomposed(pd.DataFrame({"A": [], "B": []}))
        assert found.component.isna().all()
        assert found.reason == "no scenarios"


@pytest.mark.parametrize(("measure", "function"), [("var", value_at_risk), ("es", expected_shortfall)])
def test_scenario_incremental_is_the_difference_of_two_books(measure, function):
    book, trade = SCENARIOS.sum(axis=1), SCENARIOS["A"] * -0.5
    found = scenario_incremental(book, trade, 0.95, measure=measure)
    assert found.change == pytest.approx(function(book + trade) - function(book), abs=1e-12)
    small = scenario_incremental(book, trade * 1e-6, 0.95, measure=measure)
    assert small.change == pytest.approx(small.approximation, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scenario_component_es([1.0, 2.0]), "must be a table"),
        (lambda: scenario_component_es([[1.0, np.nan]]), "1 unknown"),
        (lambda: scenario_component_es(SCENARIOS, exposures=[1.0]), "one for each of the 3"),
        (lambda: scenario_component_var(SCENARIOS, estimator="kernel"), "'tail' or 'scenario'"),
        (lambda: scenario_incremental([1.0], [1.0, 2.0]), "1 scenarios"),
        (lambda: scenario_incremental([1.0], [1.0], measure="vol"), "'var' or 'es'"),
    ],
)
def test_scenarios_without_meaning_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()

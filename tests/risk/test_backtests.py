from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.tail import backtest, basel_traffic_light, christoffersen_test, hits, kupiec_test

DAYS = pd.bdate_range("2024-01-01", periods=4)


def slow_christoffersen(sequence, level):
    """The likelihoods written out term by term (Christoffersen, 1998)."""
    n = {(i, j): 0 for i in (0, 1) for j in (0, 1)}
    for before, now in pairwise(sequence):
        n[before, now] += 1

    def log_likelihood(share, quiet, struck):
        return (quiet * math.log(1 - share) if quiet else 0) + (struck * math.log(share) if struck else 0)

    def ratio(a, b):
        return a / (a + b) if a + b else 0.0

    pi01, pi11 = ratio(n[0, 1], n[0, 0]), ratio(n[1, 1], n[1, 0])
    pi2 = ratio(n[0, 1] + n[1, 1], n[0, 0] + n[1, 0])
    free = log_likelihood(pi01, n[0, 0], n[0, 1]) + log_likelihood(pi11, n[1, 0], n[1, 1])
    independence = 2 * (free - log_likelihood(pi2, n[0, 0] + n[1, 0], n[0, 1] + n[1, 1]))
    x, total = sum(sequence), len(sequence)
    coverage = 2 * (log_likelihood(x / total, total - x, x) - log_likelihood(1 - level, total - x, x))
    return independence, coverage


def test_likelihood_ratios_agree_with_their_slow_twin_over_thousands_of_sequences():
    from scipy import stats

    random, errors = np.random.default_rng(1), []
    for _ in range(2000):
        level = random.choice([0.9, 0.95, 0.99])
        sequence = (random.random(random.integers(2, 500)) < random.choice([0.0, 0.01, 0.05, 0.3, 1.0])).astype(int)
        found = christoffersen_test(sequence, level=level)
        independence, coverage = slow_christoffersen(sequence.tolist(), level)
        errors += [found.lr_ind - independence, found.lr_uc - coverage]
        errors += [found.p_ind - stats.chi2.sf(found.lr_ind, 1), found.p_value - stats.chi2.sf(found.statistic, 2)]
        errors += [kupiec_test(sequence, level=level).p_value - stats.chi2.sf(found.lr_uc, 1)]
    assert max(map(abs, errors)) < 1e-9, max(map(abs, errors))


def test_exact_p_values_agree_with_scipy():
    from scipy import stats

    random, errors = np.random.default_rng(2), []
    for _ in range(400):
        total, level = int(random.integers(1, 1500)), random.choice([0.9, 0.95, 0.975, 0.99])
        count = min(total, int(random.binomial(total, 2 * (1 - level))))
        found = kupiec_test(count, total, level=level)
        share = round(1 - level, 12)
        errors.append(found.exact_p_value - stats.binomtest(count, total, share).pvalue)
        errors.append(found.exact_upper - stats.binom.sf(count - 1, total, share))
        light = basel_traffic_light(count, total, level=level)
        errors.append(light.cumulative_probability - stats.binom.cdf(count, total, share))
    assert max(map(abs, errors)) < 1e-10, max(map(abs, errors))


def test_a_count_and_its_sequence_are_the_same_test():
    sequence = [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert kupiec_test(sequence, level=0.95) == kupiec_test(2, 10, level=0.95)
    assert kupiec_test(np.array(sequence, bool), 10, level=0.95) == kupiec_test(2.0, 10, level=0.95)


def test_too_few_hits_reject_too():
    assert kupiec_test(0, 1000, level=0.99).p_value < 0.001


def test_the_expected_count_fits_exactly():
    found = kupiec_test(5, 100, level=0.95)
    assert (found.statistic, found.p_value, found.expected, found.rate) == (0.0, 1.0, 5.0, 0.05)
    assert found.exact_p_value == pytest.approx(1.0)


@pytest.mark.parametrize(("count", "statistic"), [(0, -500 * math.log(0.99)), (250, -500 * math.log(0.01))])
def test_no_hits_and_all_hits_are_defined(count, statistic):
    found = kupiec_test(count, 250, level=0.99)
    assert found.statistic == pytest.approx(statistic, rel=1e-12)
    clustered = christoffersen_test(np.repeat(count > 0, 250), level=0.99)
    assert (clustered.lr_ind, clustered.p_ind) == (0.0, 1.0)
    assert clustered.statistic == found.statistic
    assert bool(clustered.reason) == (count == 0)


def test_without_observations_every_test_is_unknown_with_the_reason():
    for found in (kupiec_test(0, 0, level=0.99), christoffersen_test([], level=0.99), basel_traffic_light([])):
        assert found.reason
    assert math.isnan(kupiec_test([], level=0.99).statistic)
    assert basel_traffic_light(0, 0).zone is None
    assert math.isnan(christoffersen_test([True], level=0.99).statistic)


def test_a_million_observations_take_no_memory_worth_naming():
    found = kupiec_test(50_000_100, 1_000_000_000, level=0.95)
    assert found.exact_p_value == pytest.approx(found.p_value, abs=1e-3)


def test_a_single_hit_at_the_end_cannot_show_clustering():
    found = christoffersen_test([0, 0, 0, 1], level=0.95)
    assert found.lr_ind == 0.0
    assert "no hit has a session after it" in found.reason


def test_other_sizes_have_zones_by_chance_and_no_yellow_multiplier():
    assert [basel_traffic_light(x, 500).zone for x in (8, 9, 14, 15)] == ["green", "yellow", "yellow", "red"]
    yellow = basel_traffic_light(10, 500)
    assert math.isnan(yellow.multiplier)
    assert "250 sessions" in yellow.reason
    assert basel_traffic_light(0, 3).zone == "green"
    assert basel_traffic_light(np.isin(np.arange(250), range(7))).multiplier == 3.65


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 2), "`hits` must not exceed"),
        ((-1, 250), "`hits` must be a whole number"),
        ((1.5, 250), "`hits` must be a whole number"),
        ((1, math.nan), "`observations` must be a whole number"),
        ((3,), "`observations` is needed"),
        (([0, 2], 2), "booleans, or of 0 and 1"),
        (([0, math.nan],), "booleans, or of 0 and 1"),
        (([0, 1], 250), "leave it out"),
        (("many", 250), "`hits` must hold numbers only"),
    ],
)
def test_counts_without_meaning_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        kupiec_test(*arguments, level=0.99)


def test_a_loss_equal_to_value_at_risk_is_no_hit():
    assert hits([-2.0, -2.1, 0.0], 2.0).tolist() == [False, True, False]


def test_value_at_risk_dated_at_its_close_is_for_the_next_session():
    pnl = pd.Series([-9.0, -1.0, -3.0, -1.0], DAYS)
    var = pd.Series([2.0, 2.0, 0.5, 9.0], DAYS)
    found = hits(pnl, var, dated="at")
    assert found.index.tolist() == DAYS[1:].tolist()
    assert found.tolist() == [False, True, True]
    assert hits(pnl, var).tolist() == [True, False, True, False]


@pytest.mark.parametrize("dated", ["for", "at"])
def test_a_hit_ignores_everything_later(dated):
    random = np.random.default_rng(3)
    pnl, var = pd.Series(random.normal(size=50)), pd.Series(random.uniform(0.5, 2, 50))
    full = hits(pnl, var, dated=dated)
    for cut in (10, 30):
        pd.testing.assert_series_equal(hits(pnl[:cut], var[:cut], dated=dated), full[: cut - (dated == "at")])


def test_unknown_sessions_are_refused_or_dropped_and_counted():
    pnl, var = pd.Series([-3.0, None, -3.0, 1.0], DAYS), pd.Series([2.0, 2.0, np.nan, 2.0], DAYS)
    with pytest.raises(InputError, match="unknown on 2 session"):
        hits(pnl, var)
    found = backtest(pnl, var, 0.95, missing="drop")
    assert (found.observations, found.dropped, found.kupiec.hits) == (2, 2, 1)


@pytest.mark.parametrize(
    ("pnl", "var", "options", "message"),
    [
        (pd.Series([1.0], DAYS[:1]), pd.Series([1.0], DAYS[1:2]), {}, "same sessions"),
        (pd.Series([1.0, 2.0], DAYS[[1, 0]]), 1.0, {}, "in order and each only once"),
        ([1.0, 2.0], [1.0], {}, "equal length"),
        ([1.0], 1.0, {"dated": "then"}, "`dated` is 'for' or 'at'"),
    ],
)
def test_series_that_do_not_belong_together_are_refused(pnl, var, options, message):
    with pytest.raises(InputError, match=message):
        hits(pnl, var, **options)


def test_a_backtest_bundles_all_tests():
    random = np.random.default_rng(4)
    days = pd.bdate_range("2024-01-01", periods=250)
    found = backtest(pd.Series(random.normal(size=250), days), 2.326, 0.99)
    assert found.kupiec.hits == found.christoffersen.hits == found.basel.hits == int(found.hits.sum())
    told = found.to_dict()
    assert len(told["hits"]) == found.kupiec.hits
    assert told["kupiec"]["statistic"] == found.kupiec.statistic
    assert told["basel"]["zone"] == found.basel.zone
    assert told["christoffersen"]["p_value"] == found.christoffersen.p_cc
    assert found.worst_excess >= 0


def test_a_backtest_of_nothing_says_so():
    found = backtest([], [], 0.99)
    assert math.isnan(found.worst_excess)
    assert found.kupiec.reason == "no observations"


def test_a_right_model_is_rejected_as_often_as_the_test_says():
    random = np.random.default_rng(5)
    rejected = np.mean(
        [kupiec_test(int(x), 1000, level=0.95).p_value < 0.05 for x in random.binomial(1000, 0.05, 2000)]
    )
    assert 0.03 < rejected < 0.07


def test_a_backtest_has_a_zone_at_99_percent_only_and_a_multiplier_of_250_sessions_only():
    def light(sessions, level):
        return backtest(pd.Series(np.where(np.arange(sessions) < 7, -2.0, 0.0)), 1.0, level).basel

    assert (light(250, 0.99).zone, light(250, 0.99).multiplier, light(250, 0.99).reason) == ("yellow", 3.65, "")
    other, short = light(250, 0.95), light(249, 0.99)
    assert other.zone is None
    assert math.isnan(other.multiplier)
    assert "99 % only" in other.reason
    assert short.zone == "yellow"
    assert math.isnan(short.multiplier)
    assert "250 sessions, these are 249" in short.reason
    assert light(100, 0.95).zone is None

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sigmalib.core import levels
from sigmalib.core.errors import InputError
from sigmalib.risk.tail import (
    METHODS,
    component_shortfall,
    expected_shortfall,
    monte_carlo_scenarios,
    overlapping,
    tail_measures,
    tail_observations,
    value_at_risk,
)
from sigmalib.risk.tails import distributions, outcomes, sampling

SKEWED = np.random.default_rng(3).standard_t(8, 400) * 0.01 - 0.002
CRASH = [*np.full(60, 0.001), *np.full(60, -0.001), -0.2]  # skewness -11, excess kurtosis 116


def largest(errors) -> float:
    return max(abs(float(error)) for error in errors)


# historical -------------------------------------------------------------------------------------------------------


def test_five_in_a_hundred_is_five_despite_float_noise():
    assert value_at_risk(np.arange(100.0), 0.95) == -4.0


@pytest.mark.parametrize("level", [0.9, 0.95, 0.975, 0.99, 0.995, 0.999])
def test_the_boundary_is_the_exact_ceiling_for_every_sample_size(level):
    tail = round((1 - level) * 1000)
    for count in range(1, 3001):
        assert levels.boundary(count, levels.tail_share(level)) == max(1, -(-count * tail // 1000))


def test_less_than_one_outcome_in_the_tail_gives_the_worst_loss():
    assert tail_observations(20, 0.99) < 1
    assert expected_shortfall([-3.0, *range(19)], 0.99) == value_at_risk([-3.0, *range(19)], 0.99) == 3.0
    assert "fewer than one" in tail_measures([-3.0, *range(19)], 0.99, replicates=0)["note"].iloc[0]


def test_a_flat_book_loses_a_positive_zero():
    for method in METHODS:
        assert str(value_at_risk(np.zeros(10), method=method)) == "0.0", method
        assert str(expected_shortfall(np.zeros(10), method=method)) == "0.0", method


def test_empyrical_agrees_over_thousands_of_samples():
    empyrical = pytest.importorskip("empyrical")
    random, errors = np.random.default_rng(1), []
    for _ in range(2000):
        sample = random.standard_t(4, random.integers(20, 300)) * 0.01
        tail = random.choice([0.01, 0.05, 0.1])
        errors.append(value_at_risk(sample, 1 - tail, "linear") + empyrical.value_at_risk(sample, tail))
    assert largest(errors) < 1e-15, largest(errors)


def test_shortfall_agrees_with_the_minimum_of_rockafellar_and_uryasev():
    random, errors = np.random.default_rng(2), []
    for _ in range(2000):
        sample = random.standard_t(4, random.integers(100, 300))
        tail = random.choice([0.01, 0.025, 0.05, 0.1])
        costs = -sample + np.maximum(sample[:, None] - sample[None, :], 0).sum(axis=1) / (len(sample) * tail)
        errors.append(expected_shortfall(sample, 1 - tail) - costs.min())
    assert largest(errors) < 1e-12, largest(errors)


def test_linear_shortfall_is_the_integral_of_its_quantile():
    random = np.random.default_rng(4)
    shares = (np.arange(200_000) + 0.5) / 200_000
    for count in (1, 2, 7, 24, 250):
        sample = random.normal(size=count)
        integral = -np.quantile(sample, 0.05 * shares).mean()
        assert expected_shortfall(sample, 0.95, "linear") == pytest.approx(integral, abs=1e-8)


def test_age_weights_without_decay_are_plain_history():
    for level in (0.9, 0.95, 0.99, 0.999):
        for measure in (value_at_risk, expected_shortfall):
            aged = measure(SKEWED, level, "age_weighted", decay=1.0)
            assert aged == pytest.approx(measure(SKEWED, level), abs=1e-15)


def test_age_weights_forget_an_old_loss_and_keep_a_new_one():
    calm = [0.01, -0.01] * 200
    assert value_at_risk([-1.0] * 5 + calm, 0.95, "age_weighted") == 0.01
    assert value_at_risk([*calm, *[-1.0] * 5], 0.95, "age_weighted") == 1.0


def test_age_weighted_example_by_hand():
    """Weights of decay 0.5 on four outcomes, newest last: 1/15, 2/15, 4/15, 8/15; the tail of 20 % is 3/15."""
    assert value_at_risk([-4.0, -3.0, -2.0, 1.0], 0.8, "age_weighted", decay=0.5) == 3.0
    shortfall = expected_shortfall([-4.0, -3.0, -2.0, 1.0], 0.8, "age_weighted", decay=0.5)
    assert shortfall == pytest.approx((1 * 4 + 2 * 3) / 3)


def test_the_volatility_filter_agrees_with_its_slow_twin():
    sample, decay = SKEWED, 0.94
    variance = [float(np.mean(sample**2))]
    for outcome in sample:
        variance.append(decay * variance[-1] + (1 - decay) * outcome**2)
    slow = sample * np.sqrt(variance[-1] / np.array(variance[:-1]))
    assert np.abs(outcomes.volatility_filtered(sample, decay) - slow).max() < 1e-15
    assert value_at_risk(sample, 0.95, "volatility_filtered") == pytest.approx(value_at_risk(slow, 0.95), abs=1e-15)


def test_the_volatility_filter_follows_the_market():
    calm, wild = np.tile([0.01, -0.01], 200), np.tile([0.03, -0.03], 30)
    assert value_at_risk([*calm, *wild], 0.95, "hull_white") > 0.025
    assert value_at_risk([*wild, *calm], 0.95, "hull_white") < 0.012


# with a formula ---------------------------------------------------------------------------------------------------


def test_scipy_agrees_on_normal_and_student_t_over_thousands_of_cases():
    from scipy import stats

    random, errors = np.random.default_rng(5), []
    for _ in range(1500):
        mean, deviation, freedom = random.normal(), random.uniform(0.1, 5), random.uniform(2.05, 60)
        tail = random.choice([0.001, 0.01, 0.025, 0.05, 0.1, 0.3])
        var, es = distributions.normal_tail(mean, deviation, tail)
        z = stats.norm.ppf(tail)
        errors += [var + mean + z * deviation, es + mean - deviation * stats.norm.pdf(z) / tail]
        law = stats.t(freedom, mean, deviation * math.sqrt((freedom - 2) / freedom))
        errors.append((distributions.student_t_tail(mean, deviation, freedom, tail)[0] + law.ppf(tail)) / deviation)
    assert largest(errors) < 1e-11, largest(errors)


@pytest.mark.parametrize("freedom", [2.1, 3, 4.5, 10, 200])
@pytest.mark.parametrize("tail", [0.001, 0.01, 0.05])
def test_student_t_shortfall_is_the_integral_of_its_density(freedom, tail):
    from scipy import integrate, stats

    scale = math.sqrt((freedom - 2) / freedom)
    edge = stats.t.ppf(tail, freedom)
    mean_below = integrate.quad(lambda x: x * stats.t.pdf(x, freedom), -np.inf, edge, epsabs=1e-13, limit=500)[0] / tail
    _, es = distributions.student_t_tail(0.1, 2.0, freedom, tail)
    assert float(es) == pytest.approx(-0.1 - 2.0 * scale * mean_below, rel=1e-7)


def test_cornish_fisher_shortfall_is_the_integral_of_its_quantile():
    from scipy import stats

    random, errors, used = np.random.default_rng(6), [], 0
    nodes, weights = np.polynomial.legendre.leggauss(400)
    for _ in range(1000):
        skew, kurt, tail = random.uniform(-1, 1), random.uniform(-0.5, 6), random.choice([0.01, 0.05])
        sample = distributions.Moments(*(np.asarray(x, dtype=float) for x in (0.1, 2.0, skew, kurt)))
        var, es = distributions.cornish_fisher_tail(sample, tail)
        if np.isnan(es):
            continue
        used += 1
        low, high = -12.0, stats.norm.ppf(tail)
        z = low + (high - low) * (nodes + 1) / 2
        value = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurt / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
        density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        errors.append(es + 0.1 + 2 * (high - low) / 2 * (weights @ (value * density)) / tail)
        assert es >= var
    assert used > 300
    assert largest(errors) < 1e-11, largest(errors)


def test_a_cornish_fisher_expansion_that_turns_round_is_refused_with_the_reason():
    assert math.isnan(value_at_risk(CRASH, 0.95, "cornish_fisher"))
    row = tail_measures(CRASH, 0.95, methods=["cf"], replicates=10).iloc[0]
    assert math.isnan(row["es"])
    assert row["note"].startswith("refused: with skewness -10.8")


@pytest.mark.parametrize(("skew", "kurt"), [(2.0, 6.0), (-2.0, 6.0), (0.0, 9.0), (20.0, 480.0), (-3.0, 8.0)])
def test_cornish_fisher_refuses_what_falls_in_the_tail(skew, kurt):
    """The fourth has a derivative that is negative everywhere, which the discriminant alone lets pass."""
    assert not distributions.cornish_fisher_monotone(skew, kurt)
    assert not distributions.cornish_fisher_rises(skew, kurt, 0.05)


def test_cornish_fisher_monotone_agrees_with_the_derivative_on_a_grid():
    z = np.linspace(-40, 40, 8001)
    for skew in np.linspace(-3, 3, 25):
        for kurt in np.linspace(-1.5, 12, 28):
            slope = 1 + z * skew / 3 + (z**2 - 1) * kurt / 8 - (6 * z**2 - 5) * skew**2 / 36
            if abs(slope.min()) > 1e-3:
                assert bool(distributions.cornish_fisher_monotone(skew, kurt)) == (slope.min() > 0), (skew, kurt)


def test_degrees_of_freedom_are_those_of_greatest_likelihood():
    from scipy import stats

    for freedom in (3.0, 5.0, 12.0):
        sample = np.random.default_rng(7).standard_t(freedom, 5000)
        found = distributions.fitted_degrees_of_freedom(sample)
        mean, deviation = sample.mean(), sample.std(ddof=1)

        def likelihood(v, mean=mean, deviation=deviation, sample=sample):
            return stats.t.logpdf(sample, v, mean, deviation * math.sqrt((v - 2) / v)).sum()

        assert likelihood(found) >= max(likelihood(found * 0.999), likelihood(found * 1.001))
        assert found == pytest.approx(freedom, rel=0.25)


def test_a_sample_with_thin_tails_is_normal_to_the_student_t():
    sample = np.linspace(-1, 1, 200)
    assert distributions.fitted_degrees_of_freedom(sample) == math.inf
    assert value_at_risk(sample, 0.99, "t") == value_at_risk(sample, 0.99, "normal")


def test_ddof_mean_zero_and_horizon_scale_as_stated():
    m, s = SKEWED.mean(), SKEWED.std()
    z = distributions.normal_quantile(0.05)
    assert value_at_risk(SKEWED, method="normal", ddof=0) == pytest.approx(-m - z * s, abs=1e-15)
    assert value_at_risk(SKEWED, method="normal", mean_zero=True) == pytest.approx(-z * SKEWED.std(ddof=1), abs=1e-15)
    ten_days = -10 * m - z * s * math.sqrt(10)
    assert value_at_risk(SKEWED, method="normal", ddof=0, horizon=10) == pytest.approx(ten_days, abs=1e-15)


def test_history_over_ten_sessions_is_of_overlapping_sums():
    sums = [SKEWED[start : start + 10].sum() for start in range(391)]
    assert overlapping(SKEWED, 10) == pytest.approx(sums, abs=1e-15)
    for measure in (value_at_risk, expected_shortfall):
        assert measure(SKEWED, 0.95, horizon=10) == pytest.approx(measure(sums, 0.95), abs=1e-15)
    assert math.isnan(value_at_risk([1.0, 2.0], horizon=3))


# simulation -------------------------------------------------------------------------------------------------------


def test_monte_carlo_comes_back_within_its_standard_error():
    table = tail_measures(SKEWED, 0.99, methods=["normal", "monte_carlo"], replicates=0)
    exact, drawn = table.loc[("normal", 0.99)], table.loc[("monte_carlo", 0.99)]
    assert 0 < abs(drawn["var"] - exact["var"]) < 3 * drawn["standard_error"]
    assert drawn["es_low"] < exact["es"] < drawn["es_high"]


@pytest.mark.parametrize("freedom", [None, 4.0])
def test_monte_carlo_standard_errors_are_the_spread_of_many_seeds(freedom):
    options = {"draws": 20_000, "degrees_of_freedom": freedom}
    row = tail_measures(SKEWED, 0.95, methods=["mc"], **options).iloc[0]
    drawn = [value_at_risk(SKEWED, 0.95, "mc", seed=seed, **options) for seed in range(200)]
    short = [expected_shortfall(SKEWED, 0.95, "mc", seed=seed, **options) for seed in range(200)]
    assert row["standard_error"] == pytest.approx(np.std(drawn), rel=0.2)
    width = distributions.normal_quantile(0.95)
    assert (row["es_high"] - row["es_low"]) / (2 * width) == pytest.approx(np.std(short), rel=0.25)


@pytest.mark.parametrize("model", ["normal", "student_t"])
def test_simulated_moves_have_the_covariance_of_the_history(model):
    history = np.random.default_rng(8).multivariate_normal([0, 0, 0], [[4, 1, 0], [1, 2, 0], [0, 0, 1]], 500) * 0.01
    options = {"seed": 1, "model": model, "degrees_of_freedom": 6.0}
    moves = monte_carlo_scenarios(history, 200_000, **options)
    expected = np.cov(history, rowvar=False)
    assert np.abs(np.cov(moves, rowvar=False) - expected).max() < 0.03 * expected.max()
    pd.testing.assert_frame_equal(moves, monte_carlo_scenarios(history, 200_000, **options), check_exact=True)


def test_simulation_survives_names_that_repeat_never_move_or_outnumber_the_sessions():
    random = np.random.default_rng(9)
    history = pd.DataFrame(random.normal(size=(20, 30)), columns=[f"N{i}" for i in range(30)])
    history["TWIN"], history["STILL"] = history["N0"], 0.0
    moves = monte_carlo_scenarios(history, 500, seed=2, model="student_t", mean_zero=False)
    assert np.isfinite(moves.to_numpy()).all()
    assert (moves["STILL"] == 0).all()
    assert moves["N0"].corr(moves["TWIN"]) > 1 - 1e-6


def test_the_root_gives_the_covariance_back():
    values = np.random.default_rng(10).normal(size=(300, 6)) @ np.random.default_rng(11).normal(size=(6, 6))
    root = sampling.covariance_root(values)
    assert np.abs(root @ root.T - np.cov(values, rowvar=False)).max() < 1e-12
    assert np.abs(np.triu(root, 1)).max() == 0


def test_simulation_refuses_unknown_returns_unless_told_to_drop():
    history = pd.DataFrame({"A": [0.1, np.nan, 0.2, 0.0], "B": [0.1, 0.3, 0.2, 0.1]})
    with pytest.raises(InputError, match="unknown on 1 session"):
        monte_carlo_scenarios(history, 10, seed=1)
    assert len(monte_carlo_scenarios(history, 10, seed=1, missing="drop")) == 10
    with pytest.raises(InputError, match="two sessions or more"):
        monte_carlo_scenarios(history.iloc[:2], 10, seed=1, missing="drop")
    with pytest.raises(InputError, match="'normal' or 'student_t'"):
        monte_carlo_scenarios(history, 10, seed=1, model="cauchy", missing="drop")


# the table --------------------------------------------------------------------------------------------------------


def test_the_table_has_every_method_and_level_with_its_conventions():
    table = tail_measures(pd.Series(SKEWED, pd.bdate_range("2020-01-01", periods=400)), replicates=50, draws=2000)
    assert list(table.index) == [(method, level) for method in METHODS for level in (0.95, 0.99)]
    assert (table["var_low"] <= table["var_high"]).all()
    assert (table["standard_error"] > 0).all()
    assert set(table["n"]) == {400}
    assert set(table["window"]) == {"2020-01-01 to 2021-07-13"}
    for (method, level), row in table.iterrows():
        assert row["var"] == value_at_risk(SKEWED, level, method, draws=2000), method
        assert row["es"] == expected_shortfall(SKEWED, level, method, draws=2000), method
        assert row["es"] >= row["var"]


def test_bootstrap_intervals_of_independent_outcomes_cover_the_truth():
    truth, covered = -distributions.normal_quantile(0.05), 0
    for seed in range(60):
        sample = np.random.default_rng(seed).normal(size=500)
        row = tail_measures(sample, 0.95, methods=["historical"], replicates=200, block=1).iloc[0]
        covered += row["var_low"] <= truth <= row["var_high"]
    assert 45 <= covered <= 60  # 90 % of 60 is 54


def test_normal_standard_error_is_the_spread_of_many_samples():
    random = np.random.default_rng(12)
    found = [value_at_risk(random.normal(size=250), 0.99, "normal") for _ in range(2000)]
    row = tail_measures(random.normal(size=250), 0.99, methods=["normal"], replicates=0).iloc[0]
    assert row["standard_error"] == pytest.approx(np.std(found), rel=0.15)


def test_bootstrap_runs_are_as_long_as_asked():
    rows = next(sampling.stationary_bootstrap(1000, 50, 10.0, seed=1))
    breaks = (np.diff(rows, axis=1) % 1000 != 1).mean()
    assert breaks == pytest.approx(0.1, abs=0.01)
    assert np.bincount(rows.ravel(), minlength=1000).min() > 10
    batches = list(sampling.stationary_bootstrap(1_500_000, 3, 1.0, seed=1))
    assert [len(batch) for batch in batches] == [1, 1, 1]


def test_dropped_outcomes_are_counted():
    row = tail_measures([1.0, None, -2.0, np.inf], 0.9, missing="drop", replicates=0).iloc[0]
    assert (row["n"], row["dropped"], row["window"]) == (2, 2, "2 outcomes")


# the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_without_outcomes_the_measures_are_unknown(method):
    assert math.isnan(value_at_risk([], method=method))
    assert math.isnan(expected_shortfall([], method=method))
    row = tail_measures([], methods=[method], replicates=20).iloc[0]
    assert row[["var", "es", "var_low", "standard_error"]].isna().all()
    assert row["note"] == "no outcomes"


@pytest.mark.parametrize("method", ["normal", "student_t", "cornish_fisher", "monte_carlo"])
def test_one_outcome_has_no_deviation(method):
    assert math.isnan(value_at_risk([0.01], method=method))


def test_outcomes_come_in_any_kind():
    expected = value_at_risk([-3.0, 1.0, 2.0])
    for kind in (np.array, pd.Series, tuple, pd.DataFrame, lambda x: pd.Series(x, dtype="Float64"), np.float32):
        assert value_at_risk(kind([-3.0, 1.0, 2.0])) == expected
    assert value_at_risk(-3.0) == 3.0
    assert value_at_risk(pd.Series([-3, None, 2], dtype="Int64"), missing="drop") == 3.0


@pytest.mark.parametrize(
    ("name", "method"),
    [("parametric", "normal"), ("CF", "cornish_fisher"), ("Student's t", "student_t"), ("t", "student_t")],
)
def test_methods_have_their_common_names(name, method):
    assert value_at_risk(SKEWED, 0.95, name) == value_at_risk(SKEWED, 0.95, method)


def test_huge_and_tiny_outcomes_neither_overflow_nor_vanish():
    for factor in (1e300, 1e-300):
        for method in METHODS:
            measured = expected_shortfall(SKEWED * factor, 0.95, method)
            assert measured == pytest.approx(expected_shortfall(SKEWED, 0.95, method) * factor, rel=1e-9), method


@pytest.mark.parametrize("level", [0.5, 1.0, 0.05, -1, math.nan])
def test_levels_outside_the_open_half_are_refused(level):
    with pytest.raises(InputError, match=r"must lie in \(0.5, 1\)"):
        value_at_risk([1.0], level)


def test_a_percentage_is_refused_with_the_fraction_to_pass():
    with pytest.raises(InputError, match=r"was 95; pass 0\.95"):
        expected_shortfall([1.0], 95)


def test_a_level_that_is_no_number_is_refused():
    with pytest.raises(InputError, match=r"one number in \(0.5, 1\), was 'high'"):
        value_at_risk([1.0], "high")


def test_unknown_outcomes_are_refused_and_counted():
    with pytest.raises(InputError, match="2 unknown"):
        value_at_risk([1.0, np.nan, np.inf])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gausian"}, "was 'gausian'; did you mean 'gaussian'"),
        ({"method": "qqq"}, "must be one of 'historical', 'linear'"),
        ({"ddof": 2}, "`ddof` must be 0 or 1"),
        ({"decay": 0.0}, r"`decay` must lie in \(0, 1\]"),
        ({"horizon": 1.5}, "`horizon` must be a whole number, 1 or more"),
        ({"degrees_of_freedom": 2.0}, "`degrees_of_freedom` must exceed 2"),
        ({"draws": 0}, "`draws` must be a whole number"),
        ({"missing": "skip"}, "`missing` must be 'raise' or 'drop'"),
    ],
)
def test_settings_without_meaning_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        value_at_risk([1.0, 2.0], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"interval": 1.0}, "`interval`"), ({"replicates": -1}, "`replicates`"), ({"block": 0.5}, "`block`")],
)
def test_settings_of_the_intervals_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        tail_measures([1.0, 2.0], **options)


@pytest.mark.parametrize("pnl", [["a"], {"a": 1}, np.zeros((2, 2)), pd.DataFrame({"A": [1.0], "B": [2.0]})])
def test_what_is_no_series_of_numbers_is_refused(pnl):
    with pytest.raises(InputError, match="`pnl` must"):
        value_at_risk(pnl)


def test_component_shortfall_of_nothing_is_unknown():
    assert component_shortfall(pd.DataFrame({"A": [], "B": []})).isna().all()


def test_a_student_t_does_not_depend_on_the_order_of_the_outcomes():
    rng, furthest = np.random.default_rng(11), 0.0
    for count in (20, 60, 250, 1000):
        for freedom in (2.6, 4.0, 9.0, 40.0):
            pnl = 0.01 * rng.standard_t(freedom, count)
            found, again = (value_at_risk(each, 0.99, "student_t") for each in (pnl, rng.permutation(pnl)))
            scaled = value_at_risk(3.0 * pnl, 0.99, "student_t") / 3.0
            furthest = max(furthest, abs(again / found - 1))
            assert scaled == pytest.approx(found, rel=1e-9)
    assert furthest < 1e-14, f"largest relative difference {furthest:.1e}"


def test_degrees_of_freedom_are_where_the_likelihood_is_flat():
    from scipy import stats

    pnl = np.random.default_rng(3).standard_t(5.0, 400)
    found = distributions.fitted_degrees_of_freedom(pnl)

    def likelihood(v):
        return stats.t.logpdf(pnl, v, pnl.mean(), pnl.std(ddof=1) * math.sqrt((v - 2) / v)).sum()

    best = max(np.linspace(0.9 * found, 1.1 * found, 2001), key=likelihood)
    assert found == pytest.approx(best, rel=1e-4)
    assert likelihood(found) >= likelihood(best) - 1e-10
    slope = (likelihood(found * (1 + 1e-4)) - likelihood(found * (1 - 1e-4))) / (2e-4 * found)
    assert abs(slope) < 1e-5, f"slope {slope:.1e}"


def test_a_level_of_single_precision_is_the_level_that_was_written():
    pnl = -np.arange(1.0, 21.0)
    for method in ("historical", "linear", "normal"):
        assert value_at_risk(pnl, np.float32(0.95), method) == value_at_risk(pnl, 0.95, method)
    assert tail_measures(pnl, levels=[np.float32(0.95)]).index[0][1] == 0.95

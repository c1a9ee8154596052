"""Factor betas against statsmodels, NumPy and scikit-learn, and a book's bets, which sum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.factors import (
    FACTORS,
    active,
    factor_attribution,
    factor_betas,
    factor_exposures,
    percentiles,
    proxy_returns,
    rolling_betas,
    short_interest_exposure,
    variance_split,
)
from tests import plain

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared market data is not beside the project")


def made(*, sessions: int = 300, assets: int = 24, factors: int = 4, seed: int = 3, unknown: float = 0.0):
    """Returns and factors with dates, correlated factors, and a share of unknown returns."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2023-01-02", periods=sessions)
    moves = rng.normal(0.0003, 0.01, (sessions, factors)) @ (np.eye(factors) + rng.uniform(0, 0.5, (factors, factors)))
    values = moves @ rng.normal(0.5, 0.6, (factors, assets)) + rng.standard_t(4, (sessions, assets)) * 0.01
    values[rng.random(values.shape) < unknown] = np.nan
    names, labels = [f"F{number}" for number in range(factors)], [f"A{number}" for number in range(assets)]
    return pd.DataFrame(values, days, labels), pd.DataFrame(moves, days, names)


def oracle(asset: pd.Series, factors: pd.DataFrame, lags: int | None = None):
    """The same regression by statsmodels."""
    import statsmodels.api as sm

    known = asset.notna().to_numpy()
    count = int(known.sum())
    lags = int(np.floor(4 * (count / 100) ** (2 / 9))) if lags is None else lags
    design = sm.add_constant(factors[known].to_numpy())
    return sm.OLS(asset[known].to_numpy(), design).fit(cov_type="HAC", cov_kwds={"maxlags": lags})


def furthest(found: object, expected: object) -> float:
    """The largest difference, relative to the larger of 1 and the expected number."""
    right = np.asarray(expected, dtype=float)
    return float(np.max(np.abs(np.asarray(found, dtype=float) - right) / np.maximum(1.0, np.abs(right))))


@pytest.mark.parametrize("unknown", [0.0, 0.07])
def test_betas_errors_and_fit_equal_statsmodels_over_hundreds_of_random_regressions(unknown: float) -> None:
    worst, cases = {}, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        sizes = {"sessions": int(rng.integers(70, 400)), "factors": int(rng.integers(1, 9))}
        returns, factors = made(seed=seed, unknown=unknown, **sizes)
        lags = None if seed % 2 else int(rng.integers(0, 12))
        found = factor_betas(returns, factors, window=None, minimum=20, lags=lags)
        for name in returns:
            right = oracle(returns[name], factors, lags)
            told = {
                "coefficients": (np.r_[found.alpha[name], found.betas.loc[name]], right.params),
                "standard errors": (found.standard_errors.loc[name] / right.bse, 1.0),
                "t": (found.t_statistics.loc[name], right.tvalues),
                "p": (found.p_values.loc[name], right.pvalues),
                "r squared": (found.r_squared[name], right.rsquared),
                "residual variance": (found.residual_variances[name] / right.mse_resid, 1.0),
                "observations": (found.observations[name], right.nobs),
            }
            worst = {key: max(worst.get(key, 0.0), furthest(*pair)) for key, pair in told.items()}
            cases += 1
    assert max(worst.values()) < 1e-10, (cases, worst)


def test_the_condition_number_and_inflation_are_those_of_statsmodels_and_numpy() -> None:
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    returns, factors = made()
    found = factor_betas(returns, factors, window=None)
    design = np.column_stack([np.ones(len(factors)), factors])
    expected = [variance_inflation_factor(design, place) for place in range(1, design.shape[1])]
    standard = (factors - factors.mean()) / factors.std(ddof=0)
    assert furthest(found.vif, expected) < 1e-10
    assert found.condition_number == pytest.approx(np.linalg.cond(standard.to_numpy()), rel=1e-10)


@pytest.mark.parametrize("penalty", [0.0, 0.3, 40.0, 5_000.0])
def test_ridge_equals_scikit_learn_on_each_assets_own_sessions(penalty: float) -> None:
    from sklearn.linear_model import Ridge

    returns, factors = made(unknown=0.05)
    returns["A0"] = returns["A0"].fillna(0.01)
    found, worst = factor_betas(returns, factors, window=None, ridge=penalty).ridge_betas, 0.0
    for name in returns:
        own = factors[returns[name].notna()]
        standard = (own - own.mean()) / own.std(ddof=0)
        right = Ridge(alpha=penalty, solver="svd").fit(standard.to_numpy(), returns[name].dropna().to_numpy())
        worst = max(worst, furthest(found.loc[name], right.coef_ / own.std(ddof=0)))
    assert worst < 1e-10, worst


def test_the_ridge_penalty_is_the_one_of_least_cross_validation() -> None:
    returns, factors = made(unknown=0.0, assets=3)
    returns.iloc[5, 1] = np.nan
    found = factor_betas(returns, factors, window=None)
    for name in returns:
        own, y = factors[returns[name].notna()], returns[name].dropna()
        standard = ((own - own.mean()) / own.std(ddof=0)).to_numpy()

        def score(penalty: float, standard=standard, y=y) -> float:
            hat = standard @ np.linalg.solve(standard.T @ standard + penalty * np.eye(standard.shape[1]), standard.T)
            left = (y - y.mean()) - hat @ (y - y.mean())
            return float((left**2).sum() / (len(y) - 1 - np.trace(hat)) ** 2)

        tried = len(y) * 10.0 ** np.arange(-6, 1.01, 0.25)
        assert found.assets.loc[name, "ridge_penalty"] == pytest.approx(min(tried, key=score))


@pytest.mark.parametrize("unknown", [0.0, 0.08])
def test_rolling_betas_equal_least_squares_of_every_window(unknown: float) -> None:
    returns, factors = made(sessions=420, assets=150 if not unknown else 20, factors=5, unknown=unknown)
    found, worst = rolling_betas(returns, factors, window=100, minimum=60), 0.0
    design = np.column_stack([np.ones(len(factors)), factors])
    for start in range(0, 321, 20):
        for place in range(0, returns.shape[1], 7):
            y = returns.iloc[start : start + 100, place].to_numpy()
            known = ~np.isnan(y)
            right = np.linalg.lstsq(design[start : start + 100][known], y[known], rcond=None)[0]
            worst = max(worst, furthest(found.iloc[start].to_numpy().reshape(6, -1)[:, place], right))
    assert found.index[0] == returns.index[99]
    assert worst < 1e-11, worst


def test_rolling_betas_equal_rolling_ols_of_statsmodels() -> None:
    import statsmodels.api as sm
    from statsmodels.regression.rolling import RollingOLS

    returns, factors = made(assets=3, factors=3)
    right = RollingOLS(returns["A1"], sm.add_constant(factors), window=90).fit(params_only=True).params.dropna()
    found = rolling_betas(returns, factors, window=90).xs("A1", axis=1, level="asset")
    assert furthest(found, right) < 1e-10


def test_a_value_beyond_all_measure_leaves_no_trace_when_it_left_the_window() -> None:
    returns, factors = made(sessions=300, assets=2, factors=2)
    clean = rolling_betas(returns, factors, window=80)
    returns.iloc[20] = 1e18
    returns.iloc[7, 1] = np.nan
    struck = rolling_betas(returns, factors, window=80)
    assert furthest(struck.iloc[25:], clean.iloc[25:]) < 1e-10


def test_scattered_assets_with_unknown_returns_leave_the_others_in_their_places() -> None:
    returns, factors = made(assets=40)
    returns.iloc[3, ::3] = np.nan
    whole, alone = rolling_betas(returns, factors, window=90), []
    fitted = factor_betas(returns, factors)
    for name in returns:
        alone.append(rolling_betas(returns[name], factors, window=90)["F1"])
        single = factor_betas(returns[name], factors)
        assert furthest(single.standard_errors.loc[name], fitted.standard_errors.loc[name]) < 1e-13
        assert furthest(single.ridge_betas.loc[name], fitted.ridge_betas.loc[name]) < 1e-12
    assert furthest(whole["F1"], pd.concat(alone, axis=1)) < 1e-12


def test_any_kind_and_order_in_memory_of_the_inputs_gives_the_same() -> None:
    returns, factors = made()
    right = factor_betas(returns, factors).standard_errors.to_numpy()
    locked = returns.to_numpy().copy()
    locked.setflags(write=False)
    kinds = [
        (returns.to_numpy(), factors.to_numpy()),
        (np.asfortranarray(returns.to_numpy()), np.asfortranarray(factors.to_numpy())),
        (locked, factors),
        (np.repeat(returns.to_numpy(), 2, axis=1)[:, ::2], factors.to_numpy().tolist()),
        (returns.astype("Float64"), factors.astype(object)),
        (returns.iloc[::-1], factors),
        (returns, pd.concat([factors, factors.set_axis(factors.index + pd.Timedelta(days=3000))])),
    ]
    for one, other in kinds:
        assert furthest(factor_betas(one, other).standard_errors, right) < 1e-12
    single = factor_betas(returns["A3"].tolist(), factors["F0"].tolist())
    assert single.betas.shape == (1, 1)
    assert furthest(single.betas, factor_betas(returns["A3"], factors["F0"]).betas) < 1e-15


def test_the_window_takes_the_last_sessions_on_which_all_factors_are_known() -> None:
    returns, factors = made(sessions=400)
    factors.iloc[-2:, 0] = np.nan
    found = factor_betas(returns, factors)
    right = oracle(returns["A2"].iloc[-254:-2], factors.iloc[-254:-2])
    assert furthest(found.betas.loc["A2"], right.params[1:]) < 1e-12
    assert found.conventions["sessions_without_factors"] == 2
    assert found.conventions["sessions"] == 252


def test_the_risk_free_rate_is_annual_effective_and_taken_off_both_sides() -> None:
    returns, factors = made()
    rate = pd.Series(np.linspace(0.01, 0.05, len(returns)), returns.index)
    each = (1 + rate) ** (1 / 252) - 1
    found = factor_betas(returns, factors, window=None, risk_free=rate)
    right = oracle(returns["A1"] - each, factors.sub(each, axis=0))
    assert furthest(found.alpha["A1"], right.params[0]) < 1e-14
    already = factor_betas(returns, factors, window=None, risk_free=rate, factors_in_excess=True)
    assert furthest(already.betas.loc["A1"], oracle(returns["A1"] - each, factors).params[1:]) < 1e-12
    with pytest.raises(InputError, match="risk_free"):
        factor_betas(returns, factors, risk_free=rate.iloc[:100])


def test_too_few_observations_give_nan_and_say_so() -> None:
    returns, factors = made(assets=3)
    returns.iloc[:-59, 1] = np.nan
    returns["A2"] = np.nan
    found = factor_betas(returns, factors)
    assert found.betas.loc[["A1", "A2"]].isna().all(axis=None)
    assert found.reasons.to_dict() == {
        "A1": "59 known returns, 60 are needed",
        "A2": "0 known returns, 60 are needed",
    }
    assert found.betas.loc["A0"].notna().all()


def test_a_constant_or_doubled_factor_gives_no_ordinary_betas_but_a_named_reason_and_ridge() -> None:
    returns, factors = made(assets=3)
    returns.iloc[4, 1] = np.nan
    for extra in (factors["F1"] * 2 + 0.01, pd.Series(0.003, factors.index), factors["F0"] - factors["F1"]):
        found = factor_betas(returns, factors.assign(extra=extra))
        assert found.betas.isna().all(axis=None)
        assert found.standard_errors.isna().all(axis=None)
        assert found.collinear
        assert "extra" in found.verdict
        assert (found.reasons != "").all()
        assert np.isnan(found.condition_number)
        assert found.ridge_betas[["F0", "F2", "F3"]].notna().all(axis=None)
        assert rolling_betas(returns, factors.assign(extra=extra)).isna().all(axis=None)
    assert found.ridge_betas["extra"].notna().all()


def test_ridge_of_a_doubled_factor_equals_scikit_learn() -> None:
    from sklearn.linear_model import Ridge

    returns, factors = made(assets=2)
    returns.iloc[9, 1] = np.nan
    factors["again"] = factors["F1"]
    found = factor_betas(returns, factors, window=None, ridge=7.0).ridge_betas
    for name in returns:
        own = factors[returns[name].notna()]
        deviations = own.std(ddof=0)
        right = Ridge(alpha=7.0, solver="svd").fit((own / deviations).to_numpy(), returns[name].dropna().to_numpy())
        assert furthest(found.loc[name], right.coef_ / deviations) < 1e-9


def test_a_factor_that_only_stands_still_on_an_assets_sessions_is_that_assets_reason() -> None:
    returns, factors = made(assets=3, sessions=200)
    factors.iloc[:100, 2] = 0.001
    returns.iloc[100:, 0] = np.nan
    found = factor_betas(returns, factors)
    assert found.reasons.index.to_list() == ["A0"]
    assert "do not move apart" in found.reasons["A0"]
    assert np.isnan(found.ridge_betas.loc["A0", "F2"])
    rolled = rolling_betas(returns[["A1"]], factors, window=80)
    assert rolled.iloc[:21].isna().all(axis=None)
    assert rolled.iloc[30:].notna().all(axis=None)


def test_an_asset_that_never_moves_or_is_a_factor_has_no_t() -> None:
    returns, factors = made(assets=1)
    returns = returns.assign(still=0.001, same=factors["F0"])
    found = factor_betas(returns, factors)
    assert found.t_statistics.loc[["still", "same"]].isna().all(axis=None)
    assert found.betas.loc["still"].eq(0).all()
    assert found.betas.loc["same"].round(12).to_list() == [1, 0, 0, 0]
    assert np.isnan(found.r_squared["still"])
    assert found.r_squared["same"] == 1
    assert found.reasons.index.to_list() == ["still", "same"]


def test_extreme_betas_are_flagged_not_cut_and_shrunk_ones_lie_between_them_and_the_prior() -> None:
    returns, factors = made(assets=30)
    returns["A7"] += 6 * factors["F2"]
    found = factor_betas(returns, factors)
    flagged = found.extreme.set_index(["asset", "factor"])
    assert found.betas.loc["A7", "F2"] > 5
    row = flagged.loc[("A7", "F2")]
    assert row["beta"] == found.betas.loc["A7", "F2"]
    assert found.prior.loc["F2", "mean"] < row["shrunk_beta"] < row["beta"]
    assert found.prior.loc["F2", "source"] == "cross-section of 30 assets"
    precision = 1 / found.prior.loc["F2", "deviation"] ** 2, 1 / row["standard_error"] ** 2
    expected = np.average([found.prior.loc["F2", "mean"], row["beta"]], weights=precision)
    assert row["shrunk_beta"] == pytest.approx(expected, rel=1e-12)


def test_a_prior_may_be_given_and_is_checked() -> None:
    returns, factors = made(assets=2, factors=1)
    prior = pd.DataFrame({"mean": [1.0], "deviation": [1e-9]}, index=["F0"])
    assert factor_betas(returns, factors, prior=prior).shrunk_betas["F0"].round(6).eq(1).all()
    with pytest.raises(InputError, match="prior"):
        factor_betas(returns, factors, prior=prior.drop("F0"))
    with pytest.raises(InputError, match="prior"):
        factor_betas(returns, factors, prior=prior * np.nan)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"window": 30}, "window"),
        ({"minimum": 0}, "minimum"),
        ({"lags": -1}, "lags"),
        ({"ridge": -1.0}, "ridge"),
        ({"ridge": float("nan")}, "ridge"),
        ({"periods_per_year": 0}, "periods_per_year"),
        ({"risk_free": float("nan")}, "risk_free"),
        ({"risk_free": [0.01, 0.02]}, "risk_free"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_by_name(options: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        factor_betas(*made(assets=1), **options)


def test_tables_that_cannot_be_read_are_refused() -> None:
    returns, factors = made(assets=2)
    refused = [
        (returns.set_axis(returns.index + pd.Timedelta(days=9000)), factors),
        (returns.to_numpy()[:-1], factors),
        (pd.concat([returns, returns]), factors),
        (returns.set_axis(["A0", "A0"], axis=1), factors),
        (returns.assign(A1="x"), factors),
        (returns, factors[[]]),
        (returns, factors * np.nan),
        (returns.iloc[:0], factors.iloc[:0]),
        (np.zeros((2, 2, 2)), factors),
    ]
    for one, other in refused:
        with pytest.raises(InputError):
            factor_betas(one, other)
        with pytest.raises(InputError):
            rolling_betas(one, other)
    with pytest.raises(InputError, match="window"):
        rolling_betas(returns, factors, window=301)


def test_the_result_travels_as_json() -> None:
    returns, factors = made(assets=2)
    returns["lost"] = np.nan
    told = json.loads(json.dumps(factor_betas(returns, factors).to_dict(), allow_nan=False))
    assert told["betas"]["F0"]["lost"] is None
    assert told["conventions"]["window"] == 252
    assert told["verdict"].startswith("not collinear")


def test_the_eight_factors_are_there_and_absent_ones_are_absent() -> None:
    assert [factor.name for factor in FACTORS] == [
        "market", "value", "growth", "momentum", "quality", "size", "low_volatility", "short_interest",
    ]  # fmt: skip
    days = pd.bdate_range("2024-01-02", periods=90)
    funds = pd.DataFrame({"SPX": 0.01, "SIZE": 0.0, "MTUM": np.nan, "USMV": 0.0, "SPLV": 0.0}, index=days)
    funds.iloc[:50, 3] = np.nan
    found = proxy_returns(funds, benchmark="SPX")
    assert found.served.to_dict() == {"market": "SPX", "size": "SIZE", "low_volatility": "SPLV"}
    assert found.labels["market"] == "market (SPX, in place of SPY)"
    assert list(found.returns) == ["market", "size", "low_volatility"]
    reasons = found.missing.set_index("symbol")["reason"]
    assert reasons["momentum"] == "MTUM has 0 known returns; 60 are needed"
    assert reasons["value"] == "no VTV, no VLUE; 60 are needed"
    assert json.dumps(found.to_dict())
    assert proxy_returns(funds[[]]).returns.shape == (90, 0)


def test_exposures_sum_and_positions_without_betas_are_listed_and_counted() -> None:
    betas = pd.DataFrame({"market": [1.0, 2.0, 0.5], "short": [0.3, np.nan, -1.0]}, index=["AAA", "BBB", "CCC"])
    dollar = pd.Series([100.0, -40.0, 10.0, 25.0, np.nan], index=["AAA", "BBB1", "BBB2", "DDD", "CCC"])
    names = pd.Series(["AAA", "BBB", "BBB", "DDD", "CCC"], index=dollar.index)
    found = factor_exposures(dollar, betas, names=names)
    assert found.total.to_dict() == {"market": 40.0, "short": 30.0}
    assert found.dollar.to_dict() == {"AAA": 100.0, "BBB": -30.0}
    assert found.without_beta.set_index("position")["reason"].to_dict() == {
        "BBB1": "unknown betas",
        "BBB2": "unknown betas",
        "DDD": "no betas of that name",
        "CCC": "no dollar delta",
    }
    assert found.gross_without_beta == 75.0
    assert found.to_dict()["without_beta"][0]["factors"] == ("short",)
    assert factor_exposures(dollar.iloc[:0], betas).total.to_dict() == {"market": 0.0, "short": 0.0}
    assert factor_exposures(dollar.iloc[[3]], betas).total.isna().all()


def test_short_interest_is_a_z_score_across_names_and_unknown_where_unknown() -> None:
    frame = pd.DataFrame(
        {"percent_of_float": [0.02, 0.04, 0.12, -1.0, np.inf], "days_to_cover": 1.0}, index=list("ABCDE")
    )
    found = short_interest_exposure(frame, names=[*"ABCD", "Z"])
    assert found.mean() == pytest.approx(0)
    assert found.std(ddof=0) == pytest.approx(1)
    assert found.isna().to_dict() == {"A": False, "B": False, "C": False, "D": True, "Z": True}
    assert short_interest_exposure(frame.loc[["A"]]).isna().all()
    assert short_interest_exposure(pd.Series(0.1, index=list("AB"))).isna().all()


def test_the_variance_of_a_book_is_that_of_its_returns_and_its_parts_sum() -> None:
    returns, factors = made(sessions=252, assets=12)
    betas, covariance = factor_betas(returns, factors), factors.cov()
    dollar = pd.Series(np.linspace(-500, 900, 12), returns.columns)
    found = variance_split(factor_exposures(dollar, betas), covariance, betas.residual_variances)
    bets = betas.betas.T @ dollar
    assert found.factor == pytest.approx(252 * bets @ covariance @ bets, rel=1e-12)
    assert found.idiosyncratic == pytest.approx(252 * (dollar**2 * betas.residual_variances).sum(), rel=1e-12)
    assert found.by_factor["share"].sum() + found.idiosyncratic_share == pytest.approx(1, abs=1e-14)
    assert found.total == found.factor + found.idiosyncratic
    assert json.dumps(found.to_dict())
    lost = variance_split(factor_exposures(dollar, betas), covariance, betas.residual_variances.drop("A3"))
    assert np.isnan(lost.total)
    assert lost.unknown == ("A3",)
    with pytest.raises(InputError, match="F0"):
        variance_split(bets, covariance.drop(columns="F0"), 0.0)


def test_attribution_uses_the_exposures_of_the_session_before_and_rows_sum_to_the_pnl() -> None:
    _, factors = made(sessions=40)
    rng = np.random.default_rng(5)
    held = pd.DataFrame(rng.normal(0, 1e6, factors.shape), factors.index, factors.columns)
    made_money = (held.shift(1) * factors).sum(axis=1) + 123.0
    found = factor_attribution(made_money, held, factors)
    assert furthest(found.iloc[1:]["unattributed"], 123.0) < 1e-9
    assert furthest(found.sum(axis=1), made_money) < 1e-12
    assert found.iloc[0].isna().to_list() == [True] * 4 + [False]
    future = held.copy()
    future.iloc[20:] = 1e9
    pd.testing.assert_frame_equal(factor_attribution(made_money, future, factors).iloc[:21], found.iloc[:21])
    gap = factor_attribution(made_money, held.drop(held.index[9]), factors)
    assert gap.iloc[10, :4].isna().all()
    assert gap.iloc[10]["unattributed"] == made_money.iloc[10]


def test_attribution_takes_arrays_and_one_set_of_exposures() -> None:
    _, factors = made(sessions=10, factors=2)
    held = pd.Series({"F0": 10.0, "F1": -5.0})
    money = factors @ held
    assert furthest(factor_attribution(money, held, factors)["unattributed"], 0.0) < 1e-12
    every = np.tile(held.to_numpy(), (10, 1))
    found = factor_attribution(money.to_numpy(), every, factors.to_numpy())
    assert furthest(found["unattributed"].iloc[1:], 0.0) < 1e-12
    one = factor_attribution(money, pd.Series(3.0, factors.index), factors["F0"])
    assert list(one) == ["F0", "unattributed"]
    with pytest.raises(InputError, match="factor_returns"):
        factor_attribution(money.to_numpy(), every, factors.to_numpy()[:-1])


def test_percentiles_say_where_an_exposure_stands_and_when_history_is_too_short() -> None:
    history = pd.DataFrame({"market": np.arange(100.0), "size": [np.nan] * 90 + [1.0] * 10})
    found = percentiles(pd.Series({"market": 25.0, "size": 1.0, "value": np.nan}), history)
    assert found.loc["market", "percentile"] == 0.255
    assert found["percentile"].isna().to_list() == [False, True, True]
    assert found.loc["size", "reason"] == "10 sessions of history, 20 are needed"
    assert found.loc["value", "reason"] == "the exposure is unknown"


def test_active_bets_sum_to_the_tracking_error() -> None:
    returns, factors = made(sessions=252, assets=10)
    returns["IDX"] = factors["F0"] + 1e-5 * np.random.default_rng(1).normal(size=252)
    betas = factor_betas(returns, factors)
    portfolio = pd.Series({"A0": 0.5, "A1": 0.3, "A2": 0.2})
    covariance = factors.cov()
    found = active(portfolio, pd.Series({"IDX": 1.0}), betas=betas, factor_covariance=covariance)
    weights = pd.concat([portfolio, pd.Series({"IDX": -1.0})])
    bets = betas.betas.loc[weights.index].T @ weights
    expected = np.sqrt(252 * (bets @ covariance @ bets + (weights**2 * betas.residual_variances[weights.index]).sum()))
    assert found.tracking_error == pytest.approx(expected, rel=1e-12)
    assert found.exposures["contribution"].sum() + found.idiosyncratic == pytest.approx(expected, rel=1e-12)
    assert furthest(found.exposures["portfolio"] - found.exposures["benchmark"], found.exposures["active"]) < 1e-12
    same = active(portfolio, portfolio, betas=betas, factor_covariance=covariance)
    assert same.tracking_error == 0
    assert json.dumps(found.to_dict())


def test_the_loops_run_in_plain_python(tmp_path: Path) -> None:
    code = """
import numpy as np
from sigmalib.risk.factors import factor_betas, rolling_betas
rng = np.random.default_rng(0)
factors = rng.normal(0, 0.01, (14, 2))
returns = factors @ rng.normal(0, 1, (2, 2)) + rng.normal(0, 0.01, (14, 2))
returns[5, 1] = np.nan
found = factor_betas(returns, factors, minimum=6, window=None)
rolled = rolling_betas(returns, factors, minimum=6, window=10)
design = np.column_stack([np.ones(14), factors])
for asset in range(2):
    known = ~np.isnan(returns[:, asset])
    right = np.linalg.lstsq(design[known], returns[known, asset], rcond=None)[0]
    assert np.allclose(found.betas.loc[asset], right[1:], atol=1e-12, rtol=0)
    right = np.linalg.lstsq(design[4:][known[4:]], returns[4:][known[4:], asset], rcond=None)[0]
    assert np.allclose(rolled.iloc[-1].xs(asset, level="asset"), right, atol=1e-12, rtol=0)
"""
    plain.run(code, tmp_path)


@needs_data
def test_betas_of_the_index_members_on_real_funds_equal_statsmodels() -> None:
    funds = pd.read_csv(DATA / "etf" / "factor_etf_adjclose_2023_2026.csv", index_col=0, parse_dates=True)
    members = pd.read_parquet(DATA / "equities" / "sp500_adjclose_2023_2026.parquet")
    served = proxy_returns(funds.pct_change(fill_method=None))
    assert len(served.served) == 7
    returns = members.pct_change(fill_method=None)
    found = factor_betas(returns, served.returns)
    days = served.returns.dropna().index.intersection(returns.index)[-252:]
    worst = 0.0
    for name in ("AAPL", "NVDA", "JPM", "XOM", "TSLA", "FISV", "KO"):
        right = oracle(returns.loc[days, name], served.returns.loc[days])
        worst = max(worst, furthest(found.betas.loc[name], right.params[1:]))
        worst = max(worst, furthest(found.standard_errors.loc[name] / right.bse, 1.0))
    assert worst < 1e-10, worst
    assert found.collinear
    assert found.vif["market"] > 10
    assert (found.observations >= 250).all()


@needs_data
def test_betas_on_fama_and_french_factors_equal_statsmodels() -> None:
    table = pd.read_csv(DATA / "factors" / "ff5_umd_daily_2025_2026.csv", index_col="date", parse_dates=True)
    french = table[table["source"] == "french"]
    returns = pd.read_parquet(DATA / "equities" / "sp500_adjclose_2023_2026.parquet").pct_change(fill_method=None)
    factors = french[["mkt_rf", "smb", "hml", "rmw", "cma", "umd"]].astype(float)
    annual = (1 + french["rf"].astype(float)) ** 252 - 1
    found = factor_betas(returns, factors, risk_free=annual, factors_in_excess=True)
    days = factors.index.intersection(returns.index)[-252:]
    right = oracle(returns.loc[days, "MSFT"] - french.loc[days, "rf"].astype(float), factors.loc[days])
    assert furthest(found.betas.loc["MSFT"], right.params[1:]) < 1e-10
    assert 0.8 < found.betas["mkt_rf"].median() < 1.2


def test_attribution_takes_exposures_as_a_mapping_or_one_number_a_factor() -> None:
    _, factors = made(sessions=10, factors=2)
    held = {"F0": 10.0, "F1": -5.0}
    money = factors @ pd.Series(held)
    for given in (held, {"F1": -5.0, "F0": 10.0}, [10.0, -5.0], np.array([10.0, -5.0]), pd.Series([10.0, -5.0])):
        found = factor_attribution(money, given, factors)
        assert furthest(found["F1"], -5.0 * factors["F1"]) < 1e-12
        assert furthest(found["unattributed"], 0.0) < 1e-12
    assert furthest(factor_attribution(2 * factors["F0"], 2.0, factors[["F0"]])["unattributed"], 0.0) < 1e-12
    with pytest.raises(InputError, match="exposures"):
        factor_attribution(money, [1.0, 2.0, 3.0], factors)


def test_a_factors_own_fund_is_no_extreme_name() -> None:
    draws = np.random.default_rng(4).normal(0, 0.01, (300, 14))
    days = pd.bdate_range("2022-01-03", periods=300)
    factors = pd.DataFrame({"market": draws[:, 0], "value": 0.0001 * draws[:, 1]}, index=days)
    names = {f"N{n}": 0.9 * draws[:, 0] + 0.0001 * draws[:, 1] * n + 0.001 * draws[:, n] for n in range(2, 14)}
    returns = pd.DataFrame(names, index=days).assign(FUND=factors["value"])
    flagged = factor_betas(returns, factors).extreme
    assert "FUND" not in set(flagged["asset"])
    assert "N13" in set(flagged["asset"])

"""Laws of factor regressions and of a book's bets, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigmalib.core.errors import InputError
from sigmalib.risk.factors import factor_attribution, factor_betas, rolling_betas, variance_split

# every mix of garbage and plausible returns
ODD = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e300, 1e154, 1e-300, 5e-324, 1e6, 0.01])
ANY = st.one_of(ODD, st.floats(-0.2, 0.2), st.floats(allow_nan=True, allow_infinity=True))
SANE = st.floats(-0.2, 0.2, allow_subnormal=False)


@st.composite
def tables(draw: st.DrawFn, elements: st.SearchStrategy[float] = ANY) -> tuple[np.ndarray, np.ndarray]:
    sessions = draw(st.integers(0, 40))
    shapes = draw(st.integers(0, 3)), draw(st.integers(0, 4))
    returns, factors = (draw(arrays(float, (sessions, wide), elements=elements)) for wide in shapes)
    return returns, factors


@settings(max_examples=250, deadline=None)
@given(tables(), st.integers(1, 12), st.one_of(st.none(), st.integers(0, 50)), st.one_of(st.none(), st.floats(0, 1e6)))
def test_garbage_gives_nan_with_a_reason_or_a_typed_error(
    both: tuple[np.ndarray, np.ndarray], minimum: int, lags: int | None, ridge: float | None
) -> None:
    returns, factors = both
    try:
        found = factor_betas(returns, factors, window=None, minimum=minimum, lags=lags, ridge=ridge)
    except InputError:
        return
    for table in (found.betas, found.alpha, found.standard_errors, found.shrunk_betas, found.ridge_betas):
        assert not np.isinf(table.to_numpy(dtype=float)).any()
    lost = found.betas.isna().any(axis=1) | found.standard_errors.isna().any(axis=1)
    assert (found.assets.loc[lost, "reason"] != "").all()
    known = np.isfinite(factors).all(axis=1)
    assert found.observations.to_list() == np.isfinite(returns[known]).sum(axis=0).tolist()


@settings(max_examples=150, deadline=None)
@given(tables(), st.integers(3, 30))
def test_rolling_over_garbage_gives_numbers_or_nan(both: tuple[np.ndarray, np.ndarray], window: int) -> None:
    try:
        found = rolling_betas(*both, window=window, minimum=3)
    except InputError:
        return
    assert not np.isinf(found.to_numpy()).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.001, 1000.0), st.floats(0.001, 1000.0))
def test_scaling_returns_scales_betas_and_errors_and_scaling_a_factor_divides_them(
    seed: int, up: float, wide: float
) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.01, (90, 3))
    returns = factors @ rng.normal(0, 1, (3, 2)) + rng.normal(0, 0.01, (90, 2))
    returns[rng.integers(0, 90), 1] = np.nan
    plain, scaled = factor_betas(returns, factors), factor_betas(up * returns, factors * [1, 1, wide])
    by = up / np.array([1, 1, 1, wide])
    for one, other in ((plain.betas, scaled.betas / by[1:]), (plain.standard_errors, scaled.standard_errors / by)):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scaled.t_statistics, plain.t_statistics, rtol=1e-8, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_future_changes_no_rolling_beta_of_the_past(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.01, (80, 2))
    returns = rng.normal(0, 0.02, (80, 3))
    returns[rng.random(80) < 0.1, 2] = np.nan
    whole, cut = (rolling_betas(returns[:n], factors[:n], window=40, minimum=20) for n in (80, 60))
    np.testing.assert_allclose(whole.iloc[: len(cut)], cut, rtol=1e-9, atol=1e-11)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_parts_of_the_variance_and_of_the_pnl_sum(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"F{number}" for number in range(count)]
    moves = pd.DataFrame(rng.normal(0, 0.01, (30, count)), columns=names)
    held = pd.DataFrame(rng.normal(0, 1e6, (30, count)), columns=names)
    split = variance_split(held.iloc[-1], moves.cov(), 1e7)
    assert split.by_factor["share"].sum() + split.idiosyncratic_share == pytest.approx(1, abs=1e-12)
    assert split.by_factor["contribution"].sum() + split.idiosyncratic == pytest.approx(split.total, rel=1e-12)
    money = pd.Series(rng.normal(0, 1e5, 30))
    found = factor_attribution(money, held, moves)
    np.testing.assert_allclose(found.sum(axis=1), money, rtol=1e-10, atol=1e-7)

"""What holds of every table of returns, with whatever gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sigmalib.risk.correlation import cluster, correlations, effective_number_of_bets, pairwise, shrunk

law = settings(deadline=None, max_examples=60)
moves = st.one_of(st.floats(-0.25, 0.25, width=32), st.sampled_from([np.nan, np.inf, 0.0]))
tables = arrays(float, st.tuples(st.integers(0, 12), st.integers(0, 6)), elements=moves)


@st.composite
def matrices(draw):
    """Correlation matrices of full or lower rank."""
    size = draw(st.integers(1, 8))
    factors = draw(arrays(float, (size, draw(st.integers(1, 8))), elements=st.floats(-1, 1, width=32)))
    covariance = factors @ factors.T + 1e-3 * np.eye(size)
    deviation = np.sqrt(np.diag(covariance))
    return pd.DataFrame(covariance / deviation / deviation[:, None])


@law
@given(tables)
def test_any_table_has_correlations_and_every_name_a_place(values):
    found = correlations(pd.DataFrame(values), minimum_overlap=3, exposures=dict.fromkeys(range(values.shape[1]), -1.0))
    assert sorted([*found.order, *found.unknown]) == list(range(values.shape[1]))
    assert sorted(name for members in found.clusters["members"] for name in members) == sorted(found.order)
    known = found.matrix.to_numpy()[~np.isnan(found.matrix.to_numpy())]
    assert (np.abs(known) <= 1).all()
    assert np.isnan(found.concentrated_share) or 0 <= found.concentrated_share <= 1
    assert len(found.unknown) == 0 or found.notes


@law
@given(tables, st.sampled_from(["identity", "constant_correlation"]))
def test_a_shrunk_covariance_is_positive_and_keeps_the_total_variance(values, target):
    found = shrunk(pd.DataFrame(values), target=target, minimum_overlap=3)
    if found.covariance.empty:
        return
    matrix = found.covariance.to_numpy()
    assert 0 <= found.intensity <= 1
    assert np.abs(matrix - matrix.T).max() <= 1e-15 * (1 + np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix).min() >= -1e-12 * (1 + np.trace(matrix))
    kept = [i for i in range(values.shape[1]) if str(i) not in found.left_out]
    rows = values[np.isfinite(values[:, kept]).all(axis=1)][:, kept]
    assert np.trace(matrix) == pytest.approx(rows.var(axis=0).sum(), rel=1e-9, abs=1e-18)


@law
@given(matrices())
def test_effective_bets_lie_between_one_and_the_number_of_names(matrix):
    assert 1 - 1e-9 <= effective_number_of_bets(matrix) <= len(matrix) + 1e-9


@law
@given(matrices(), st.floats(-0.5, 0.95), st.randoms(use_true_random=False))
def test_every_name_is_in_one_cluster_and_a_lower_threshold_never_makes_more(matrix, threshold, random):
    found, order, unknown = cluster(matrix, threshold=threshold)
    assert sorted(name for members in found for name in members) == sorted(order) == list(matrix.index)
    assert unknown == ()
    assert len(cluster(matrix, threshold=threshold - 0.3)[0]) <= len(found)


@law
@given(arrays(float, (20, 4), elements=st.floats(-1, 1, width=16)), st.floats(0.5, 64, width=16))
def test_correlations_do_not_depend_on_the_unit(values, factor):
    exact = 2.0 ** round(np.log2(factor))
    table = pd.DataFrame(values)
    pd.testing.assert_frame_equal(pairwise(table, minimum_overlap=5), pairwise(table * exact, minimum_overlap=5))
    once, scaled = shrunk(table, minimum_overlap=5), shrunk(table * exact, minimum_overlap=5)
    assert scaled.intensity == pytest.approx(once.intensity, abs=1e-9)

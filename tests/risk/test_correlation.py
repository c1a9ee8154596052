from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.correlation import average, cluster, correlations, effective_number_of_bets, pairwise, shrunk

NAMES = ["AAPL", "MSFT", "NVDA", "XOM", "CVX", "GLD", "NEW"]


def market(sessions=300):
    """Three technology names, two oil names, gold, and a listing of ten sessions."""
    random = np.random.default_rng(1)
    tech, oil = random.normal(size=(2, sessions))
    moves = np.array([tech, tech, tech, oil, oil, random.normal(size=sessions), random.normal(size=sessions)])
    table = pd.DataFrame((moves + 0.3 * random.normal(size=moves.shape)).T * 0.01, columns=NAMES)
    table.loc[: sessions - 11, "NEW"] = np.nan
    return table


EXPOSURES = {"AAPL": 10.0, "MSFT": 30.0, "NVDA": -20.0, "XOM": 15.0, "CVX": 5.0, "GLD": 20.0, "NEW": 100.0}
SECTORS = {"AAPL": "Technology", "MSFT": "Technology", "NVDA": "Semiconductors", "GLD": "(none)"}
TAGS = {"XOM": ("oil", "value"), "CVX": ("oil",), "AAPL": ("growth",)}


def found(**options):
    return correlations(market(), exposures=EXPOSURES, sectors=SECTORS, tags=TAGS, **options)


def slow_constant_correlation(returns):
    """Ledoit and Wolf (2004, "Honey, I shrunk ..."), appendix, every sum written out."""
    x = returns - returns.mean(axis=0)
    count, size = x.shape
    s = x.T @ x / count
    r = s / np.sqrt(np.outer(np.diag(s), np.diag(s)))
    common = (r.sum() - size) / (size * (size - 1))
    f = common * np.sqrt(np.outer(np.diag(s), np.diag(s)))
    np.fill_diagonal(f, np.diag(s))
    pi = np.array([[((x[:, i] * x[:, j] - s[i, j]) ** 2).mean() for j in range(size)] for i in range(size)])
    rho = np.trace(pi)
    for i in range(size):
        for j in range(size):
            if i != j:
                own = ((x[:, i] ** 2 - s[i, i]) * (x[:, i] * x[:, j] - s[i, j])).mean()
                other = ((x[:, j] ** 2 - s[j, j]) * (x[:, i] * x[:, j] - s[i, j])).mean()
                rho += common / 2 * (math.sqrt(s[j, j] / s[i, i]) * own + math.sqrt(s[i, i] / s[j, j]) * other)
    intensity = max(0.0, min(1.0, (pi.sum() - rho) / ((f - s) ** 2).sum() / count))
    return intensity * f + (1 - intensity) * s, intensity


def test_scikit_learn_agrees_on_the_identity_target():
    covariance = pytest.importorskip("sklearn.covariance")
    random, errors = np.random.default_rng(2), []
    for _ in range(100):
        count, size = random.integers(60, 200), random.integers(2, 40)
        returns = random.normal(size=(count, size)) @ random.normal(size=(size, size))
        reference = covariance.LedoitWolf().fit(returns)
        estimate = shrunk(returns, target="identity")
        errors.append(
            np.abs(estimate.covariance.to_numpy() - reference.covariance_).max() / reference.covariance_.max()
        )
        errors.append(abs(estimate.intensity - reference.shrinkage_))
    assert max(errors) < 1e-12, max(errors)


def test_the_constant_correlation_target_agrees_with_its_slow_twin():
    random, errors = np.random.default_rng(3), []
    for _ in range(50):
        count, size = random.integers(60, 150), random.integers(3, 8)
        returns = random.standard_t(5, (count, size)) @ random.normal(size=(size, size)) * 0.01
        covariance, intensity = slow_constant_correlation(returns)
        estimate = shrunk(returns)
        errors.append(np.abs(estimate.covariance.to_numpy() - covariance).max() / covariance.max())
        errors.append(abs(estimate.intensity - intensity))
    assert max(errors) < 1e-11, max(errors)


def test_two_names_are_their_own_constant_correlation():
    estimate = shrunk(market()[["AAPL", "GLD"]])
    assert estimate.intensity == 0.0
    assert estimate.correlation.loc["AAPL", "GLD"] == pytest.approx(market()["AAPL"].corr(market()["GLD"]))


def test_shrinkage_makes_more_names_than_sessions_invertible():
    returns = np.random.default_rng(4).normal(size=(60, 100))
    for target in ("identity", "constant_correlation"):
        assert np.linalg.eigvalsh(shrunk(returns, target=target).covariance).min() > 1e-3


def test_shrinkage_uses_the_sessions_all_share_and_names_who_is_left_out():
    estimate = shrunk(market())
    assert estimate.left_out == ("NEW",)
    assert estimate.observations == 300
    halves = market().drop(columns="NEW")
    halves.loc[:199, "GLD"] = np.nan
    halves.loc[130:, "XOM"] = np.nan
    assert shrunk(halves).left_out == ("GLD",)  # the shorter of two that never meet
    nothing = shrunk(market(5))
    assert nothing.covariance.empty
    assert math.isnan(nothing.intensity)


def test_names_that_never_move_have_no_correlation():
    table = market().assign(CASH=0.0)
    assert shrunk(table).correlation["CASH"].isna().all()
    assert pairwise(table)["CASH"].isna().all()
    assert np.isfinite(shrunk(table, target="identity").covariance.to_numpy()).all()
    assert (shrunk(table[["CASH", "GLD"]]).covariance["CASH"] == 0).all()


def test_pairs_need_their_overlap():
    matrix = pairwise(market())
    assert matrix["NEW"].isna().all()
    assert pairwise(market(), minimum_overlap=10).loc["NEW", "GLD"] == pytest.approx(
        np.corrcoef(market().iloc[-10:][["NEW", "GLD"]], rowvar=False)[0, 1]
    )
    spoilt = market()
    spoilt.loc[0, "GLD"] = np.inf
    assert pairwise(spoilt).notna().loc["GLD", "XOM"]


def test_clusters_are_named_by_sector_then_tag_and_ordered_by_exposure():
    clusters = found().clusters
    assert clusters["name"].tolist() == ["Technology: MSFT, NVDA, +1", "oil: XOM, CVX", "alone: GLD"]
    assert clusters["members"].iloc[0] == ("MSFT", "NVDA", "AAPL")
    assert clusters["exposure"].tolist() == [60.0, 20.0, 20.0]
    assert clusters["average_correlation"].iloc[0] > 0.85
    assert math.isnan(clusters["average_correlation"].iloc[2])


def test_series_serve_as_well_as_mappings():
    by_series = {"exposures": pd.Series(EXPOSURES), "sectors": pd.Series(SECTORS), "tags": pd.Series(TAGS)}
    pd.testing.assert_frame_equal(correlations(market(), **by_series).clusters, found().clusters)


def test_the_share_in_clusters_is_of_the_gross_exposure():
    assert found().concentrated_share == pytest.approx(80 / 200)
    assert math.isnan(correlations(market()).concentrated_share)
    assert found().clusters["share"].tolist() == pytest.approx([0.3, 0.1, 0.1])


def test_names_without_history_are_listed():
    result = found()
    assert result.unknown == ("NEW",)
    assert set(result.order) == set(NAMES) - {"NEW"}
    assert result.notes[0].startswith("NEW: no correlation, fewer than 60 sessions")
    assert list(result.heat_map.index)[-1] == "NEW"


def test_the_heat_map_keeps_clusters_together():
    order = list(found().order)
    for members in (("AAPL", "MSFT", "NVDA"), ("XOM", "CVX")):
        places = sorted(order.index(name) for name in members)
        assert places[-1] - places[0] == len(members) - 1


def test_a_pair_that_never_met_is_clustered_as_uncorrelated_and_noted():
    table = market().drop(columns="NEW")
    table.loc[:149, "AAPL"] = np.nan
    table.loc[150:, "MSFT"] = np.nan
    result = correlations(table)
    assert result.notes == ("1 pair(s) share fewer than 60 sessions: taken as uncorrelated for clusters",)
    assert np.isnan(result.matrix.loc["AAPL", "MSFT"])
    assert sum(result.clusters["size"]) == 6


def test_unknown_exposures_are_named():
    result = correlations(market(), exposures={"AAPL": 10.0, "MSFT": np.nan})
    assert result.notes[-1] == "MSFT, NVDA, XOM, CVX, GLD, NEW: exposure unknown, in no share of the book"
    assert result.clusters["exposure"].iloc[0] == 10.0


def test_scipy_agrees_on_the_tree():
    from scipy.cluster import hierarchy

    random = np.random.default_rng(5)
    for _ in range(50):
        matrix = pd.DataFrame(np.corrcoef(random.normal(size=(12, 3)) @ random.normal(size=(3, 40))))
        distance = np.sqrt(np.clip((1 - matrix.to_numpy()[np.triu_indices(12, 1)]) / 2, 0, 1))
        labels = hierarchy.fcluster(hierarchy.average(distance), math.sqrt(0.15), "distance")
        expected = {frozenset(np.flatnonzero(labels == label)) for label in set(labels)}
        assert {frozenset(members) for members in cluster(matrix)[0]} == expected


@pytest.mark.parametrize("count", [0, 1])
def test_no_name_and_one_name_are_clustered_too(count):
    matrix = pd.DataFrame(np.ones((count, count)), NAMES[:count], NAMES[:count])
    assert cluster(matrix) == ([[name] for name in NAMES[:count]], tuple(NAMES[:count]), ())
    result = correlations(market().iloc[:, :count])
    assert len(result.clusters) == count
    assert math.isnan(result.average)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9])
def test_effective_bets_of_two_names_follow_their_eigenvalues(correlation):
    shares = np.array([1 + correlation, 1 - correlation]) / 2
    expected = math.exp(-sum(shares * np.log(shares)))
    assert effective_number_of_bets(pd.DataFrame([[1, correlation], [correlation, 1]])) == pytest.approx(expected)


def test_effective_bets_by_weight_count_what_the_book_holds():
    assert effective_number_of_bets(pd.DataFrame(np.diag([1.0, 2.0, 4.0])), [0, 5, 0]) == 1.0
    equal = effective_number_of_bets(pd.DataFrame(np.diag([1.0, 4.0])), [2.0, 1.0])
    assert equal == pytest.approx(2.0)
    assert math.isnan(effective_number_of_bets(pd.DataFrame()))
    assert math.isnan(effective_number_of_bets(pd.DataFrame(np.zeros((2, 2)))))


def test_average_is_of_known_pairs_of_different_names():
    matrix = pd.DataFrame([[1.0, 0.2, np.nan], [0.2, 1.0, 0.6], [np.nan, 0.6, 1.0]])
    assert average(matrix) == pytest.approx(0.4)
    assert math.isnan(average(matrix.iloc[:1, :1]))


def test_everything_travels_as_plain_values():
    told = found().to_dict()
    assert told["clusters"][0]["members"] == ["MSFT", "NVDA", "AAPL"]
    assert told["unknown"] == told["shrinkage"]["left_out"] == ["NEW"]
    assert told["shrinkage"]["target"] == "constant_correlation"
    assert told["threshold"] == 0.7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster(pd.DataFrame(np.eye(2)), threshold=1.0), "`threshold`"),
        (lambda: pairwise(market(), minimum_overlap=1), "`minimum_overlap`"),
        (lambda: shrunk(market(), target="zero"), "`target`"),
        (lambda: pairwise(market()[["GLD", "GLD"]]), "each name once, had GLD"),
        (lambda: pairwise([1.0]), "must be a table"),
    ],
)
def test_settings_without_meaning_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("sectors", "name"),
    [
        (("Technology", "Technology", "Technology"), "Technology: A, B, +1"),
        (("Technology", "Technology", "Energy"), "Technology: A, B, +1"),
        (("Technology", "Energy", "Health"), "mixed: A, B, +1"),
        (("Technology", "Index", "Funds"), "mixed: A, B, +1"),
        (("Technology", "Index", "Technology"), "mostly Technology: A, B, +1"),
        (("Funds", "Funds", "Index"), "Funds: A, B, +1"),
        (("Technology", "(none)", "(none)"), "Technology: A, B, +1"),
    ],
)
def test_a_cluster_has_the_sector_that_most_of_its_members_share(sectors, name):
    moves = np.random.default_rng(2).normal(size=200)
    returns = pd.DataFrame(dict.fromkeys("ABC", moves))
    given = dict(zip("ABC", sectors, strict=True))
    assert correlations(returns, sectors=given).clusters["name"].tolist() == [name]

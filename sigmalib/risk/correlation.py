"""Correlation between the names a book depends on: pairs, shrinkage, clusters, and how many bets they really are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.shrinkage import MINIMUM_OVERLAP, Shrunk, Target, shrunk, table_of
from sigmalib.risk.tails.outcomes import numbers

THRESHOLD = 0.7  # correlation at which names are one cluster
SHOWN = 2  # members spelled out in the name of a cluster
NO_SECTOR = {"", "(none)", "nan", "None", "<NA>"}
BASKETS = {"Index", "Funds"}  # sectors of what holds shares of many


@dataclass(frozen=True, eq=False)
class Correlations:
    """How the names of a book move together.

    matrix : pairwise correlations (name x name), NaN where unknown. shrunk : the Ledoit-Wolf estimate beside it.
    clusters : (cluster) x name, members (tuple, largest exposure first), size, average_correlation, exposure (gross,
    base currency), share (of the gross exposure). order : the names with history, so that clusters stand together.
    average : mean known correlation of different names. effective_bets : see ``effective_number_of_bets``.
    concentrated_share : part of the gross exposure in clusters of two names or more, 0 to 1; NaN without exposures.
    unknown : names without enough history; they are in no cluster. notes : sentences for a reader.
    """

    matrix: pd.DataFrame
    shrunk: Shrunk
    clusters: pd.DataFrame
    order: tuple[str, ...]
    average: float
    effective_bets: float
    concentrated_share: float
    threshold: float
    minimum_overlap: int
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def heat_map(self) -> pd.DataFrame:
        """The matrix in the order of the clusters, the names without history last."""
        names = [*self.order, *self.unknown]
        return self.matrix.loc[names, names]

    def to_dict(self) -> dict[str, Any]:
        """Every number with its conventions, as plain values."""
        return {
            "matrix": self.matrix.to_dict("index"),
            "shrunk": self.shrunk.correlation.to_dict("index"),
            "shrinkage": {
                "intensity": self.shrunk.intensity,
                "target": self.shrunk.target,
                "observations": self.shrunk.observations,
                "left_out": list(self.shrunk.left_out),
            },
            "clusters": self.clusters.assign(members=self.clusters["members"].map(list)).to_dict("records"),
            "order": list(self.order),
            "average": self.average,
            "effective_bets": self.effective_bets,
            "concentrated_share": self.concentrated_share,
            "threshold": self.threshold,
            "minimum_overlap": self.minimum_overlap,
            "unknown": list(self.unknown),
            "notes": list(self.notes),
        }


def correlations(
    returns: pd.DataFrame,
    *,
    exposures: pd.Series | Mapping[str, float] | None = None,
    sectors: pd.Series | Mapping[str, str] | None = None,
    tags: pd.Series | Mapping[str, Iterable[str]] | None = None,
    threshold: float = THRESHOLD,
    minimum_overlap: int = MINIMUM_OVERLAP,
    target: Target = "constant_correlation",
) -> Correlations:
    """Everything about how names move together, from their simple returns (session x name), NaN where unknown.

    exposures : by name, delta-adjusted exposure in base currency, signed; its size counts. sectors, tags : by name, to
    name clusters with. threshold : correlation at which names are one cluster, in (-1, 1).
    Raises InputError for names that stand twice and settings out of range.

    >>> moves = np.random.default_rng(1).normal(0, 0.01, (100, 2))
    >>> found = correlations(pd.DataFrame({"A": moves[:, 0], "B": moves[:, 0], "C": moves[:, 1]}))
    >>> found.clusters["name"].tolist(), round(found.effective_bets, 1)
    (['A, B', 'alone: C'], 1.9)
    """
    matrix = pairwise(returns, minimum_overlap=minimum_overlap)
    held = pd.Series(exposures, dtype=float) if exposures is not None else pd.Series(dtype=float)
    groups, order, unknown = cluster(matrix, threshold=threshold)
    sizes = held.groupby(level=0).sum(skipna=False).reindex(matrix.index).abs()
    rows = [_cluster_row(members, matrix, sizes, _by_name(sectors), _by_name(tags)) for members in groups]
    table = pd.DataFrame(rows, columns=["name", "members", "size", "average_correlation", "exposure", "share"])
    table = table.sort_values(["exposure", "size"], ascending=False, kind="stable", ignore_index=True)
    shared = table.loc[table["size"] > 1, "exposure"].sum()
    return Correlations(
        matrix=matrix,
        shrunk=shrunk(returns, target=target, minimum_overlap=minimum_overlap),
        clusters=table.rename_axis("cluster"),
        order=order,
        average=average(matrix),
        effective_bets=effective_number_of_bets(matrix.loc[list(order), list(order)]),
        concentrated_share=float(shared / sizes.sum()) if sizes.sum() > 0 else math.nan,
        threshold=threshold,
        minimum_overlap=minimum_overlap,
        unknown=unknown,
        notes=_notes(matrix, order, unknown, sizes if len(held) else None, minimum_overlap),
    )


def pairwise(returns: pd.DataFrame, *, minimum_overlap: int = MINIMUM_OVERLAP) -> pd.DataFrame:
    """Pearson correlations of simple returns (symbol x symbol), on the sessions each pair shares.

    NaN with fewer than ``minimum_overlap`` shared sessions, or where a series never moves; infinite returns count as
    unknown. Raises InputError for names that stand twice, and an overlap below 2.

    >>> pairwise(pd.DataFrame({"A": [0.0, 1.0, 2.0], "B": [0.0, 1.0, 0.0]}), minimum_overlap=3)
         A    B
    A  1.0  0.0
    B  0.0  1.0
    """
    if not minimum_overlap >= 2:
        raise InputError(f"`minimum_overlap` must be 2 sessions or more, was {minimum_overlap!r}")
    table = table_of(returns)
    return table.corr(min_periods=int(minimum_overlap)).clip(-1.0, 1.0)


def average(matrix: pd.DataFrame) -> float:
    """Mean of the known correlations between different names; NaN when there is none.

    >>> average(pd.DataFrame([[1.0, 0.4], [0.4, 1.0]]))
    0.4
    """
    between = matrix.to_numpy()[~np.eye(len(matrix), dtype=bool)]
    known = between[~np.isnan(between)]
    return float(known.mean()) if len(known) else float("nan")


def cluster(
    matrix: pd.DataFrame, *, threshold: float = THRESHOLD
) -> tuple[list[list[str]], tuple[str, ...], tuple[str, ...]]:
    """Clusters of names, all of them in the order of the tree, and the names without any correlation.

    Average linkage on the distance sqrt((1 - correlation) / 2) (Mantegna, 1999; López de Prado, 2016), cut at that of
    ``threshold``. A pair without a correlation stands at that of 0.

    >>> cluster(pd.DataFrame([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]], list("ABC"), list("ABC")))[0]
    [['A', 'B'], ['C']]
    """
    if not -1 < threshold < 1:
        raise InputError(f"`threshold` must be a correlation in (-1, 1), was {threshold!r}")
    has_history = ~np.isnan(np.diag(matrix.to_numpy(dtype=float)))
    known, unknown = list(matrix.index[has_history]), tuple(matrix.index[~has_history])
    if len(known) < 2:
        return [[name] for name in known], tuple(known), unknown
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    rho = np.nan_to_num(matrix.loc[known, known].to_numpy(), nan=0.0)
    distance = np.sqrt(np.clip((1 - (rho + rho.T) / 2) / 2, 0.0, 1.0))
    np.fill_diagonal(distance, 0.0)
    tree = hierarchy.linkage(squareform(distance, checks=False), method="average", optimal_ordering=len(known) <= 300)
    labels = hierarchy.fcluster(tree, math.sqrt((1 - threshold) / 2), criterion="distance")
    leaves = hierarchy.leaves_list(tree)
    order = tuple(known[leaf] for leaf in leaves)
    found: dict[int, list[str]] = {}
    for name, label in zip(known, labels, strict=True):
        found.setdefault(int(label), []).append(name)
    return list(found.values()), order, unknown


def effective_number_of_bets(matrix: pd.DataFrame, weights: npt.ArrayLike | pd.Series | None = None) -> float:
    """How many independent bets the names amount to: 1 when all move as one, n when none move together.

    exp(-sum p ln p) over shares p. Without weights p are the shares of the eigenvalues of ``matrix`` (Roy and Vetterli,
    2007, the effective rank); with them p are the shares of the book's variance on each principal portfolio (Meucci,
    2009, "Managing diversification", Risk 22(5)): weights are exposures x volatilities for a correlation matrix,
    exposures for a covariance. Unknown pairs count as 0. NaN without names, or without variance.

    >>> effective_number_of_bets(pd.DataFrame(np.eye(4))), effective_number_of_bets(pd.DataFrame(np.ones((2, 2))))
    (4.0, 1.0)
    """
    values = np.nan_to_num(numbers(matrix, "matrix"), nan=0.0)
    if values.size == 0:
        return math.nan
    even = (values + values.T) / 2
    if weights is None:
        parts = np.maximum(np.linalg.eigvalsh(even), 0.0)
    else:
        roots, vectors = np.linalg.eigh(even)
        parts = np.maximum(roots, 0.0) * (vectors.T @ numbers(weights, "weights")) ** 2
    total = parts.sum()
    if not total > 0:
        return math.nan
    shares = parts[parts > 1e-15 * total] / total
    return round(math.exp(-float(shares @ np.log(shares))), 12)


def _cluster_row(
    members: list[str],
    matrix: pd.DataFrame,
    sizes: pd.Series,
    sectors: Mapping[str, str],
    tags: Mapping[str, Iterable[str]],
) -> tuple[str, tuple[str, ...], int, float, float, float]:
    ranked = tuple(sizes[members].sort_values(ascending=False, kind="stable", na_position="last").index)
    shown = [*map(str, ranked[:SHOWN]), *([f"+{len(ranked) - SHOWN}"] if len(ranked) > SHOWN else [])]
    subject = _subject(ranked, sectors, tags)
    name = f"{subject}: {', '.join(shown)}" if subject else ", ".join(shown)
    name = name if len(ranked) > 1 else f"alone: {ranked[0]}"
    exposure, total = float(sizes[members].sum(min_count=1)), float(sizes.sum())
    share = exposure / total if total > 0 else math.nan
    return name, ranked, len(ranked), average(matrix.loc[members, members]), exposure, share


def _by_name(values: pd.Series | Mapping[str, Any] | None) -> dict[Any, Any]:
    return values.to_dict() if isinstance(values, pd.Series) else dict(values or {})


def _subject(members: Iterable[str], sectors: Mapping[str, str], tags: Mapping[str, Iterable[str]]) -> str:
    """The sector that most members share which have one, "mixed" where none does; without sectors a tag, or nothing.

    A sector is told as "mostly" where an index or a fund stands among its shares. Of tags it is the most common one, of
    equals the first by the alphabet.
    """
    found = [str(sectors[name]) for name in members if str(sectors.get(name)) not in NO_SECTOR]
    if found:
        (first, count), *_ = Counter(found).most_common(1)
        if 2 * count <= len(found):
            return "mixed"
        return f"mostly {first}" if first not in BASKETS and BASKETS & set(found) else first
    given = (tags.get(name) for name in members)
    worn = Counter(str(tag) for own in given for tag in ([own] if isinstance(own, str) else own or ()))
    return min(worn.items(), key=lambda item: (-item[1], item[0]))[0] if worn else ""


def _notes(
    matrix: pd.DataFrame,
    order: tuple[str, ...],
    unknown: tuple[str, ...],
    sizes: pd.Series | None,
    minimum_overlap: int,
) -> tuple[str, ...]:
    notes = []
    if unknown:
        told = ", ".join(map(str, unknown))
        notes.append(f"{told}: no correlation, fewer than {minimum_overlap} sessions or a price that never moves")
    pairs = int(np.isnan(matrix.loc[list(order), list(order)].to_numpy()).sum()) // 2
    if pairs:
        notes.append(f"{pairs} pair(s) share fewer than {minimum_overlap} sessions: taken as uncorrelated for clusters")
    blank = [] if sizes is None else [str(name) for name in sizes.index[sizes.isna()]]
    if blank:
        notes.append(f"{', '.join(blank)}: exposure unknown, in no share of the book")
    return tuple(notes)

"""A book's factor bets: its exposures, and where they stand.

Exposures are money: dollar delta x beta. Nothing unknown is counted as 0: it is listed, and stays out of the totals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.factor_model.betas import FactorBetas, plain

FEW_SESSIONS = 20  # of history, below which a percentile says nothing


@dataclass(frozen=True, eq=False)
class FactorExposures:
    """What a book gains for a move of 1 (100 %) of each factor, in the currency of the dollar deltas.

    by_position : (position x factor), NaN where a beta is unknown. total : (factor,), the sum of the known. dollar :
    (name,), the dollar delta netted by name, of positions with any beta. without_beta : a row for each position that
    lacks one: position, name, dollar, factors (which), reason. gross_without_beta : the sum of their sizes.
    """

    by_position: pd.DataFrame
    total: pd.Series
    dollar: pd.Series
    without_beta: pd.DataFrame
    gross_without_beta: float

    def to_dict(self) -> dict[str, Any]:
        """Totals and what they leave out, as plain values."""
        left_out = self.without_beta.astype(object).to_dict("records")
        told = {"total": plain(self.total), "dollar": plain(self.dollar), "without_beta": left_out}
        return told | {"gross_without_beta": self.gross_without_beta}


def factor_exposures(
    dollar: pd.Series, betas: FactorBetas | pd.DataFrame, *, names: pd.Series | None = None
) -> FactorExposures:
    """Dollar delta x beta of each position, and in total.

    dollar : (position,), dollar delta. betas : (name x factor). names : (position,), the name whose betas each position
    has, by default its own label. A position with an unknown dollar delta or beta is listed in ``without_beta``; the
    factors it does know count.

    >>> betas = pd.DataFrame({"market": [1.2, 0.8]}, index=["AAA", "BBB"])
    >>> found = factor_exposures(pd.Series({"AAA": 100.0, "BBB": -50.0, "CCC": 10.0}), betas)
    >>> float(found.total["market"]), found.without_beta["name"].to_list()
    (80.0, ['CCC'])
    """
    table = _betas(betas)
    if not isinstance(dollar, pd.Series):
        raise InputError(f"`dollar` must be a Series by position, was {type(dollar).__name__}; label it with names")
    held = np.where(np.isfinite(dollar.to_numpy(dtype=float)), dollar.to_numpy(dtype=float), np.nan)
    whose = _whose(dollar, names)
    known = table.reindex(whose).to_numpy(dtype=float)
    known = np.where(np.isfinite(known), known, np.nan)
    by_position = pd.DataFrame(held[:, None] * known, index=dollar.index, columns=table.columns)
    lacking = by_position.isna().to_numpy()
    some, none, any_known = lacking.any(axis=1), whose.isin(table.index), ~lacking.all(axis=1)
    reasons = np.where(np.isnan(held), "no dollar delta", np.where(none, "unknown betas", "no betas of that name"))
    left_out = {
        "position": dollar.index.to_numpy()[some],
        "name": whose.to_numpy()[some],
        "dollar": held[some],
        "factors": [tuple(table.columns.to_numpy()[row]) for row in lacking[some]],
        "reason": reasons[some],
    }
    net = pd.Series(held[any_known], index=whose.to_numpy()[any_known], dtype=float).groupby(level=0, sort=False).sum()
    return FactorExposures(
        by_position,
        by_position.sum(min_count=1 if len(by_position) else 0).rename("exposure"),
        net.rename("dollar"),
        pd.DataFrame(left_out),
        float(np.nansum(np.abs(held[some]))),
    )


def short_interest_exposure(
    short_interest: pd.DataFrame | pd.Series, *, names: pd.Index | list[str] | None = None
) -> pd.Series:
    """The exposure of each name to short interest: the z-score of its percent of float, across the names.

    short_interest : by symbol, with the column percent_of_float (a fraction), or that column. names : across which to
    measure, by default all there are; one whose short interest is unknown, negative or infinite is NaN. So are all,
    when fewer than two are known or none differs. The deviation is the population's.

    >>> shares = pd.Series({"AAA": 0.25, "BBB": 0.75})
    >>> short_interest_exposure(shares, names=["AAA", "BBB", "CCC"]).to_list()
    [-1.0, 1.0, nan]
    """
    if isinstance(short_interest, pd.DataFrame):
        if "percent_of_float" not in short_interest:
            raise InputError("`short_interest` has no column percent_of_float; name it so, as a fraction")
        short_interest = short_interest["percent_of_float"]
    share = pd.to_numeric(short_interest, errors="coerce").astype(float)
    if not share.index.is_unique:
        raise InputError(f"`short_interest` has {share.index[share.index.duplicated()][0]!r} twice; keep the latest")
    share = share if names is None else share.reindex(pd.Index(names).unique())
    share = share.where((share >= 0) & (share < np.inf))
    away = share - share.mean()
    deviation = float(np.sqrt((away**2).mean()))
    moves = share.count() > 1 and deviation > 1e-12 * float(share.max())
    return (away / (deviation if moves else np.nan)).rename("short_interest")


def percentiles(
    current: FactorExposures | pd.Series, history: pd.DataFrame, *, minimum: int = FEW_SESSIONS
) -> pd.DataFrame:
    """Where each exposure stands in the book's own history: (factor) x current, percentile, observations, reason.

    percentile : the share of the history below, half of what is equal included, in [0, 1]; NaN with a reason with fewer
    than ``minimum`` known sessions.

    >>> history = pd.DataFrame({"market": [1.0, 2.0, 3.0, 4.0]})
    >>> percentiles(pd.Series({"market": 3.0}), history, minimum=4)["percentile"].to_list()
    [0.625]
    """
    now = current.total if isinstance(current, FactorExposures) else current
    past = history.reindex(columns=now.index).astype(float)
    past = past.where(np.isfinite(past))
    counts = past.notna().sum()
    midrank = ((past < now).sum() + (past == now).sum() / 2) / counts.where(counts >= max(minimum, 1))
    few = [f"{count} sessions of history, {minimum} are needed" for count in counts]
    reasons = np.where(now.isna(), "the exposure is unknown", np.where(counts < max(minimum, 1), few, ""))
    return pd.DataFrame(
        {
            "current": now,
            "percentile": midrank.where(now.notna()),
            "observations": counts,
            "reason": pd.Series(reasons, index=now.index, dtype="str"),
        }
    )


def _betas(betas: FactorBetas | pd.DataFrame) -> pd.DataFrame:
    table = betas.betas if isinstance(betas, FactorBetas) else betas
    if not isinstance(table, pd.DataFrame) or not table.index.is_unique:
        raise InputError("`betas` must be a frame (name x factor) with each name once; take it from factor_betas")
    return table


def _whose(dollar: pd.Series, names: pd.Series | None) -> pd.Index:
    """The name whose betas each position has."""
    if names is None:
        return pd.Index(dollar.index)
    if not isinstance(names, pd.Series) or len(names) != len(dollar):
        raise InputError(f"`names` must have a name for each of the {len(dollar)} positions; give a Series")
    aligned = names if names.index.equals(dollar.index) else names.reindex(dollar.index)
    return pd.Index(aligned.to_numpy())

"""What each position adds to historical value at risk and expected shortfall, from its P&L in every scenario."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.levels import boundary, tail_share
from sigmalib.risk.tails.components import Components, Exposures, Incremental, Measure, labelled, labels_of, parts_table
from sigmalib.risk.tails.outcomes import Floats, empirical_tail, numbers, outcomes_of


def scenario_component_es(
    pnl: pd.DataFrame | npt.ArrayLike, level: float = 0.95, *, exposures: Exposures | None = None
) -> Components:
    """Historical expected shortfall of the book in parts that add up to it exactly.

    pnl : (scenario x position), gains positive, none unknown. The part of a position is minus the mean of its P&L over
    the tail of the book, the boundary scenario in part; scenarios that tie with it share its weight (Euler allocation;
    Tasche, 2000). exposures : (position,) money, for the marginal measure: component per unit; without them, or at an
    exposure of zero, it is NaN. Components are NaN without scenarios.

    >>> table = pd.DataFrame({"A": [-3.0, 1.0, 2.0], "B": [1.0, -1.0, 0.0]})
    >>> scenario_component_es(table, 0.9)["component"].tolist()
    [3.0, -1.0]
    """
    table, tail = _scenarios(pnl), tail_share(level)
    weights, _, es = _tail_weights(table.sum(axis=1).to_numpy(), tail)
    parts = _weighted(table, weights)
    return _from_scenarios(table, parts, es, exposures, "es", "historical", level)


def scenario_component_var(
    pnl: pd.DataFrame | npt.ArrayLike,
    level: float = 0.95,
    *,
    exposures: Exposures | None = None,
    estimator: Literal["tail", "scenario"] = "tail",
) -> Components:
    """Historical VaR of the book in parts that add up to it; an estimate, named in ``method``.

    estimator : "tail" spreads VaR as the tail scenarios behind expected shortfall do, component ES x VaR / ES: steady,
    and NaN with the reason where VaR and ES are not both above zero; "scenario" takes the P&L in the one scenario at
    VaR (the mean of those that tie): exact for the sample, but one draw. Arguments as for ``scenario_component_es``.
    Source: Tasche (2000), Risk contributions and performance measurement; Hallerbach (2003), J. of Risk 5(2).

    >>> table = pd.DataFrame({"A": [-3.0, 1.0, 2.0], "B": [1.0, -1.0, 0.0]})
    >>> scenario_component_var(table, 0.9)["component"].tolist()
    [3.0, -1.0]
    """
    if estimator not in ("tail", "scenario"):
        raise InputError(f"`estimator` must be 'tail' or 'scenario', was {estimator!r}")
    table, tail = _scenarios(pnl), tail_share(level)
    book = table.sum(axis=1).to_numpy()
    weights, var, es = _tail_weights(book, tail)
    if estimator == "scenario":
        at = book == -var
        parts = _weighted(table, at / at.sum() if at.any() else weights)
    else:
        parts = _weighted(table, weights) * (var / es if min(var, es) > 0 else math.nan)
    return _from_scenarios(table, parts, var, exposures, "var", f"historical, {estimator} estimator", level)


def component_shortfall(pnl: pd.DataFrame, level: float = 0.95) -> pd.Series:
    """What each column adds to the expected shortfall of their sum; the parts add up to it exactly.

    pnl : (scenario x position), gains positive, no NaN. The components of ``scenario_component_es`` alone.

    >>> component_shortfall(pd.DataFrame({"A": [-3.0, 1.0, 2.0], "B": [1.0, -1.0, 0.0]}), 0.9).tolist()
    [3.0, -1.0]
    """
    table = _scenarios(pnl)
    weights, _, _ = _tail_weights(table.sum(axis=1).to_numpy(), tail_share(level))
    return pd.Series(_weighted(table, weights), index=table.columns)


def scenario_incremental(
    pnl: pd.Series | npt.ArrayLike, trade: pd.Series | npt.ArrayLike, level: float = 0.95, *, measure: Measure = "var"
) -> Incremental:
    """What a trade does to the historical VaR or ES, from its P&L in the scenarios of the book, computed in full.

    approximation : minus the mean P&L of the trade in the scenario at VaR, or over the tail for ES.

    >>> scenario_incremental([-3.0, 1.0, 2.0], [2.0, -2.0, 0.0], 0.9).change
    -2.0
    """
    book, extra, tail = outcomes_of(pnl), outcomes_of(trade), tail_share(level)
    if len(book) != len(extra):
        raise InputError(f"`trade` must have the {len(book)} scenarios of `pnl`, had {len(extra)}")
    if measure not in ("var", "es"):
        raise InputError(f"`measure` must be 'var' or 'es', was {measure!r}")
    weights, var, es = _tail_weights(book, tail)
    _, *after = _tail_weights(book + extra, tail)
    at = book == -var
    if measure == "es":
        return Incremental(es, after[1], 0.0 - float(weights @ extra), measure, level)
    return Incremental(var, after[0], 0.0 - float(extra[at].mean()) if at.any() else math.nan, measure, level)


def _from_scenarios(
    table: pd.DataFrame,
    parts: Floats,
    total: float,
    exposures: Exposures | None,
    measure: Measure,
    method: str,
    level: float,
) -> Components:
    known = pd.Series(math.nan, index=table.columns) if exposures is None else labelled(exposures, "exposures")
    if len(known) != table.shape[1]:
        raise InputError(f"`exposures` must have one for each of the {table.shape[1]} positions, had {len(known)}")
    if labels_of(exposures) is not None and known.index.is_unique and set(known.index) == set(table.columns):
        known = known.reindex(table.columns)
    held = pd.Series(known.to_numpy(), index=table.columns)
    var, es = empirical_tail(np.ascontiguousarray(table.to_numpy().T), tail_share(level))
    reason = "no scenarios" if not len(table) else ""
    if not reason and np.isnan(parts).any():
        reason = "VaR and ES are not both losses: the tail cannot be scaled to VaR; use estimator='scenario'"
    marginal = parts / held.where(held != 0).to_numpy()
    frame = parts_table(held, marginal, parts, var if measure == "var" else es, total)
    return Components(frame, total, measure, method, level, 1, reason)


def _tail_weights(book: Floats, tail: float) -> tuple[Floats, float, float]:
    """Weights of the scenarios behind the expected shortfall (they add up to one), VaR and ES."""
    if len(book) == 0:
        return book, math.nan, math.nan
    worst, size = boundary(len(book), tail), max(1.0, len(book) * tail)
    edge = np.partition(book, worst - 1)[worst - 1]
    below, tied = book < edge, book == edge
    weights = (below + tied * ((size - below.sum()) / tied.sum())) / size
    _, es = empirical_tail(book, tail)
    return weights, 0.0 - float(edge), float(es)


def _weighted(table: pd.DataFrame, weights: Floats) -> Floats:
    if len(table) == 0:
        return np.full(table.shape[1], math.nan)
    rows = np.flatnonzero(weights)
    return 0.0 - weights[rows] @ table.to_numpy()[rows]


def _scenarios(pnl: pd.DataFrame | npt.ArrayLike) -> pd.DataFrame:
    values = numbers(pnl, "pnl")
    if values.ndim != 2:
        raise InputError(f"`pnl` must be a table (scenario x position), had {values.ndim} dimension(s)")
    if not np.isfinite(values).all():
        raise InputError(f"`pnl` has {(~np.isfinite(values)).sum()} unknown value(s); drop them first and say so")
    return pd.DataFrame(values, columns=getattr(pnl, "columns", None))

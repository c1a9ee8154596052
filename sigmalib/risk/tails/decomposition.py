"""What each position adds to value at risk and expected shortfall: parts that sum to the whole, and what a trade does.

From the covariance of names, normal (Jorion, 2007, ch. 7); from scenarios in ``scenario_components``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.levels import tail_share
from sigmalib.risk.tails.components import (
    LARGEST,
    Components,
    Exposures,
    Incremental,
    Measure,
    are_names,
    labelled,
    labels_of,
    matched,
    parts_table,
)
from sigmalib.risk.tails.distributions import normal_density, normal_quantile
from sigmalib.risk.tails.outcomes import Floats, numbers, whole

Matrix = npt.ArrayLike | pd.DataFrame


def component_var(
    exposures: Exposures,
    covariance: Matrix,
    *,
    level: float = 0.95,
    mean: Exposures | None = None,
    horizon: int = 1,
    quantile: float | None = None,
) -> Components:
    """Normal VaR in parts that add up to it: ``["component"]``, ``["marginal"]``, ``["percent"]``, ``.total``.

    exposures : (n,) money, signed: a list, array, Series or mapping by name; a name may stand twice. covariance :
    (n, n) of one-session returns, fractions; a labelled one is put in the order of exposures with names, or with the
    same labels; else it is taken place by place. mean : expected
    one-session return of each, or one for all; zero unless given. horizon : sessions, covariance and mean times h.
    quantile : the deviations to use instead of the exact z of ``level``: 1.65 in many textbooks.

    With sigma = sqrt(w'Cw) and z the quantile: VaR = z sigma - w'm, marginal_i = z (Cw)_i / sigma - m_i, component_i =
    w_i marginal_i. When sigma is zero marginal is NaN, with the reason. Raises InputError for unknown numbers, shapes
    that differ, names without covariance, and a covariance that is not symmetric or gives a negative variance.
    Source: Jorion (2007), Value at Risk, 3rd ed., eqs. 7.17 to 7.28.

    >>> found = component_var({"CAD": 2e6, "EUR": 1e6}, [[0.05**2, 0], [0, 0.12**2]], quantile=1.65)
    >>> found["component"].round().tolist(), round(found.total)
    ([105630.0, 152108.0], 257738)
    """
    z = -normal_quantile(tail_share(level)) if quantile is None else _positive(quantile)
    return _euler(exposures, covariance, mean, whole(horizon, "horizon", least=1), z, "var", level)


def component_es(
    exposures: Exposures,
    covariance: Matrix,
    *,
    level: float = 0.95,
    mean: Exposures | None = None,
    horizon: int = 1,
) -> Components:
    """Normal expected shortfall in parts that add up to it; as ``component_var`` with phi(z) / (1 - level) for z.

    Source: McNeil, Frey and Embrechts (2015), Quantitative Risk Management, p. 70 and section 8.5.

    >>> component_es([1e6], [[0.02**2]], level=0.99).total.__round__()
    53304
    """
    tail = tail_share(level)
    multiple = normal_density(normal_quantile(tail)) / tail
    return _euler(exposures, covariance, mean, whole(horizon, "horizon", least=1), multiple, "es", level)


def incremental_var(
    exposures: Exposures,
    trade: Exposures,
    covariance: Matrix,
    *,
    level: float = 0.95,
    mean: Exposures | None = None,
    horizon: int = 1,
    quantile: float | None = None,
) -> Incremental:
    """What ``trade`` (n,), exposures like those of the book, does to its normal VaR: book + trade less book.

    A labelled trade may name only what is traded. To take a position out, trade its opposite. Arguments and errors as
    for ``component_var``. Source: Jorion (2007), section 7.2.2.

    >>> change = incremental_var([2e6, 1e6], [10_000, 0], [[0.05**2, 0], [0, 0.12**2]], quantile=1.65)
    >>> round(change.change, 2), round(change.approximation, 2)
    (528.93, 528.15)
    """
    options: dict[str, Any] = {"level": level, "mean": mean, "horizon": horizon, "quantile": quantile}
    book, extra = labelled(exposures, "exposures"), labelled(trade, "trade")
    if matched(labels_of(exposures), labels_of(trade)):
        held, extra = book.groupby(level=0, sort=False).sum(), extra.groupby(level=0, sort=False).sum()
        names = held.index.append(extra.index.difference(held.index, sort=False))
        book, extra = held.reindex(names, fill_value=0.0), extra.reindex(names, fill_value=0.0)
    elif len(book) != len(extra):
        raise InputError(f"`trade` must have one exposure for each of the {len(book)} in `exposures`, had {len(extra)}")
    placed = labels_of(exposures) is None and labels_of(trade) is None
    before, after = (
        component_var(held.to_numpy() if placed else held, covariance, **options)
        for held in (book, book.to_numpy() + extra)
    )
    approximation = float(before.marginal.to_numpy() @ extra.to_numpy())
    return Incremental(before.total, after.total, approximation, "var", level)


def _euler(
    exposures: Exposures,
    covariance: Matrix,
    mean: Exposures | None,
    horizon: int,
    multiple: float,
    measure: Measure,
    level: float,
) -> Components:
    matrix, held, labels = _aligned(covariance, labelled(exposures, "exposures"), labels_of(exposures))
    drift = _drift(mean, held, labels) * horizon
    w = held.to_numpy()
    shared = matrix @ w * horizon
    variance, scale = float(w @ shared), float(np.abs(w) @ np.sqrt(np.abs(np.diag(matrix)))) ** 2 * horizon
    if variance < -1e-10 * scale:
        raise InputError("`covariance` gives a negative variance: it is not positive semi-definite; repair it")
    sigma = math.sqrt(variance) if variance > 1e-20 * scale else 0.0
    marginal = multiple * shared / sigma - drift if sigma else np.full(len(w), math.nan)
    component = w * marginal if sigma else -w * drift
    alone = multiple * np.abs(w) * np.sqrt(np.diag(matrix) * horizon) - w * drift
    total = multiple * sigma - float(w @ drift)
    frame = parts_table(held, marginal, component, alone, total)
    reason = "" if sigma or not len(w) else "the book has no variance: marginal measures do not exist"
    return Components(frame, total, measure, "normal", level, horizon, reason)


def _aligned(covariance: Matrix, held: pd.Series, labels: pd.Index | None) -> tuple[Floats, pd.Series, pd.Index | None]:
    """The covariance in the order of the exposures, the exposures with its names where they have none, and those."""
    if isinstance(covariance, pd.DataFrame) and not covariance.index.equals(covariance.columns):
        raise InputError("`covariance` must have the same names, each once, as rows and as columns")
    if isinstance(covariance, pd.DataFrame) and matched(labels, covariance.index):
        unknown = sorted(set(map(str, held.index)) - set(map(str, covariance.index)))
        if unknown or not covariance.index.is_unique:
            raise InputError(f"`covariance` must have each name once and had none for {', '.join(unknown) or 'some'}")
        covariance = covariance.loc[held.index, held.index]
    elif isinstance(covariance, pd.DataFrame) and len(covariance) == len(held) and not are_names(labels):
        held, labels = held.set_axis(covariance.index), covariance.index
    matrix = np.atleast_2d(numbers(covariance, "covariance"))
    matrix = matrix.reshape(0, 0) if matrix.size == 0 else matrix
    if matrix.shape != (len(held), len(held)):
        raise InputError(f"`covariance` must be {len(held)} x {len(held)} as `exposures`, was {matrix.shape}")
    if not (np.abs(matrix) < LARGEST).all():
        raise InputError(
            f"`covariance` has {(~(np.abs(matrix) < LARGEST)).sum()} unknown value(s); leave those names out first"
        )
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12 * np.abs(matrix).max(initial=0.0)):
        raise InputError("`covariance` must be symmetric; was the correlation times one volatility only?")
    if (np.diag(matrix) < 0).any():
        raise InputError("`covariance` has a negative variance on its diagonal")
    return matrix, held, labels


def _drift(mean: Exposures | None, held: pd.Series, labels: pd.Index | None) -> Floats:
    if mean is None:
        return np.zeros(len(held))
    known = labelled(mean, "mean")
    together = matched(labels_of(mean), labels) and known.index.is_unique
    if together and set(held.index) <= set(known.index):
        return known.loc[held.index].to_numpy()
    if len(known) not in (1, len(held)):
        raise InputError(f"`mean` must be one number or {len(held)}, had {len(known)}")
    return np.broadcast_to(known.to_numpy(), len(held))


def _positive(quantile: float) -> float:
    known = float(numbers(np.asarray(quantile), "quantile"))
    if not 0 < known < math.inf:
        raise InputError(f"`quantile` must be a number of deviations above zero, was {quantile!r}; pass 1.65")
    return known

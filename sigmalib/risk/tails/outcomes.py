"""A sample of outcomes (P&L or returns, gains positive) at the door, and the tails it has without any model.

Everything works on the last axis, so that one call also serves a thousand bootstrap samples.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.levels import boundary

Floats = npt.NDArray[np.float64]
Missing = Literal["raise", "drop"]


def outcomes_of(pnl: npt.ArrayLike | pd.Series | pd.DataFrame, *, missing: Missing = "raise") -> Floats:
    """The outcomes as a new array (n,), in the order given.

    pnl : a number, list, array or Series, or a table of one column. missing : "raise" refuses unknown values (NaN or
    infinite) and counts them; "drop" leaves them out. Raises InputError also for more than one column and for text.

    >>> outcomes_of([1, None, -2], missing="drop")
    array([ 1., -2.])
    """
    if missing not in ("raise", "drop"):
        raise InputError(f"`missing` must be 'raise' or 'drop', was {missing!r}")
    outcomes = numbers(pnl, "pnl")
    outcomes = outcomes[:, 0] if outcomes.ndim == 2 and outcomes.shape[1] == 1 else np.atleast_1d(outcomes)
    if outcomes.ndim != 1:
        raise InputError(f"`pnl` must be one series, had {outcomes.ndim} dimensions; sum the positions first")
    known = np.isfinite(outcomes)
    if missing == "raise" and not known.all():
        raise InputError(
            f"`pnl` has {(~known).sum()} unknown value(s); drop them first and say so, or pass missing='drop'"
        )
    return outcomes[known]


def numbers(values: npt.ArrayLike | pd.Series | pd.DataFrame, name: str) -> Floats:
    """Any table or list as an array of floats, not to be changed; InputError names the argument that holds others.

    >>> numbers([1, None], "pnl")
    array([ 1., nan])
    """
    try:
        if isinstance(values, pd.Series | pd.DataFrame):
            return np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{name}` must hold numbers only: {error}; convert or drop the rest first") from None


def overlapping(pnl: npt.ArrayLike | pd.Series, horizon: int) -> Floats:
    """Sums over every run of ``horizon`` outcomes, (n - horizon + 1,); neighbours share all but one outcome.

    The sums of P&L are exact for a book held unchanged; of simple returns they leave out compounding. The n - h + 1
    sums hold about n / h independent ones. Empty when the sample is shorter. Raises InputError below one.

    >>> overlapping([1.0, 2.0, 4.0], 2)
    array([3., 6.])
    """
    checked = whole(horizon, "horizon", least=1)
    values = np.asarray(pnl, dtype=float)
    if checked == 1:
        return values
    if values.shape[-1] < checked:
        return values[..., :0]
    return np.lib.stride_tricks.sliding_window_view(values, checked, axis=-1).sum(axis=-1)


def whole(value: object, name: str, *, least: int = 0) -> int:
    """``value`` as a whole number of ``least`` or more; InputError names the argument otherwise.

    >>> whole(10.0, "horizon", least=1)
    10
    """
    number = numbers(np.asarray(value), name)
    if number.ndim or isinstance(value, bool) or not float(number).is_integer() or number < least:
        raise InputError(f"`{name}` must be a whole number, {least} or more, was {value!r}")
    return int(number)


def empirical_tail(outcomes: Floats, tail: float) -> tuple[Floats, Floats]:
    """VaR and ES of samples (..., n) with equal weights, as losses (...,); NaN without outcomes.

    VaR is minus the k-th worst, the inverse of the empirical distribution; in ES the k-th worst counts in part
    (Acerbi and Tasche, 2002, definition 2.6; Rockafellar and Uryasev, 2002). With less than one outcome in the tail
    both are the worst loss.
    """
    count = outcomes.shape[-1]
    if count == 0:
        return _unknown(outcomes)
    worst, size = boundary(count, tail), max(1.0, count * tail)
    ordered = np.sort(np.partition(outcomes, worst - 1, axis=-1)[..., :worst], axis=-1)
    var = 0.0 - ordered[..., -1]
    es = 0.0 - (ordered[..., :-1].sum(axis=-1) + (size - worst + 1) * ordered[..., -1]) / size
    return var, np.maximum(es, var)


def interpolated_tail(outcomes: Floats, tail: float) -> tuple[Floats, Floats]:
    """VaR and ES of samples (..., n) when order statistics are joined by straight lines, as losses (...,).

    VaR is Hyndman and Fan's (1996) type 7, the default of R and NumPy; ES is the mean of the same quantile function
    over the tail, so that it is never below VaR. NaN without outcomes.
    """
    count = outcomes.shape[-1]
    if count == 0:
        return _unknown(outcomes)
    place = (count - 1) * tail
    below = int(place)
    ordered = np.sort(outcomes, axis=-1)
    edge = np.quantile(outcomes, tail, axis=-1)
    if count == 1:
        return 0.0 - edge, 0.0 - edge
    whole = ((ordered[..., :below] + ordered[..., 1 : below + 1]) / 2).sum(axis=-1)
    part = (place - below) * (ordered[..., below] + edge) / 2
    return 0.0 - edge, np.maximum(0.0 - (whole + part) / place, 0.0 - edge)


def weighted_tail(outcomes: Floats, weights: Floats, tail: float) -> tuple[Floats, Floats]:
    """VaR and ES of samples (..., n) whose outcomes weigh ``weights`` (n,), which add up to one; losses (...,).

    VaR is the first loss, from the worst, at which the weights reach the tail; ES the weighted mean up to there, the
    outcome on the boundary in part. Equal weights give the historical measures. NaN without outcomes.
    """
    if outcomes.shape[-1] == 0:
        return _unknown(outcomes)
    order = np.argsort(outcomes, axis=-1, kind="stable")
    ordered, heavy = np.take_along_axis(outcomes, order, axis=-1), weights[order]
    reached = np.cumsum(heavy, axis=-1)
    edge = np.argmax(reached >= tail - 1e-12, axis=-1)[..., None]
    inside = np.arange(outcomes.shape[-1]) < edge
    before = np.where(inside, heavy, 0.0).sum(axis=-1)
    last = np.take_along_axis(ordered, edge, axis=-1)[..., 0]
    es = 0.0 - (np.where(inside, heavy * ordered, 0.0).sum(axis=-1) + (tail - before) * last) / tail
    return 0.0 - last, np.maximum(es, 0.0 - last)


def age_weights(count: int, decay: float) -> Floats:
    """Weights (n,) that fall by ``decay`` with each session of age, newest last, and add up to one.

    Source: Boudoukh, Richardson and Whitelaw (1998), "The best of both worlds", Risk 11(5), with decay 0.98.

    >>> age_weights(3, 0.5).round(4)
    array([0.1429, 0.2857, 0.5714])
    """
    raw = decay ** np.arange(count - 1, -1, -1.0)
    return raw / raw.sum()


def volatility_filtered(outcomes: Floats, decay: float) -> Floats:
    """Each outcome times the volatility expected for the next session over the one expected for its own, (n,).

    Volatility is the exponentially weighted mean square of the outcomes before, which starts from the mean square of
    the sample; oldest first. A sample that never moves stays as it is.
    Source: Hull and White (1998), "Incorporating volatility updating into the historical simulation method", eq. 3,
    with the decay 0.94 of RiskMetrics (1996), p. 97.

    >>> volatility_filtered(np.array([1.0, -1.0, 2.0, -2.0]), 0.5).round(3)
    array([ 1.157, -1.382,  3.119, -2.231])
    """
    squares = outcomes**2
    if not squares.any():
        return outcomes
    expected = pd.Series([squares.mean(), *squares]).ewm(alpha=1 - decay, adjust=False).mean().to_numpy()
    known = np.where(expected[:-1] > 0, expected[:-1], np.nan)
    return np.where(outcomes == 0, 0.0, outcomes * np.sqrt(expected[-1] / known))


def _unknown(outcomes: Floats) -> tuple[Floats, Floats]:
    nothing = np.full(outcomes.shape[:-1], np.nan)
    return nothing, nothing

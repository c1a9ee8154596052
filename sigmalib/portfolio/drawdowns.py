"""Drawdowns: losses from a peak of compounded wealth, which starts at 1 before the first return.

Source: Bacon, *Practical Portfolio Performance Measurement and Attribution* (2008), ch. 4; Martin and McCann (1989) for
the Ulcer index; Zephyr Associates (2006) for the Pain index.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sigmalib.portfolio.returns import Floats, Returns, mean, series


def drawdown(returns: Returns) -> pd.Series:
    """Loss from the highest wealth so far after each period, <= 0, the starting wealth of 1 included.

    returns : (period,) fractions, no NaN. Returns (period,) fractions with the index of a Series. NaN from the first
    return below -1 on: there is no wealth left to compound.

    >>> drawdown([0.10, -0.20, 0.05]).round(6).tolist()
    [0.0, -0.2, -0.16]
    """
    index = returns.index if isinstance(returns, pd.Series) else None
    return pd.Series(_shares(series(returns)) - 1.0, index=index)


def max_drawdown(returns: Returns) -> float:
    """Largest loss from a peak of compounded wealth, a positive fraction; 1 when all is lost.

    NaN without returns, or when one is below -1: wealth below 0 has no drawdown.

    >>> round(max_drawdown([0.10, -0.20, 0.05]), 6)
    0.2
    """
    values = series(returns)
    if len(values) == 0 or (values < -1.0).any():
        return float("nan")
    return 1.0 - float(_shares(values).min())


def ulcer_index(returns: Returns) -> float:
    """Root mean square of the drawdowns over all periods, a positive fraction; NaN as for ``max_drawdown``.

    >>> round(ulcer_index([0.10, -0.20, 0.05]), 6)
    0.147874
    """
    return float(np.sqrt(mean(drawdown(returns).to_numpy() ** 2)))


def pain_index(returns: Returns) -> float:
    """Mean depth of the drawdowns over all periods, a positive fraction; NaN as for ``max_drawdown``.

    >>> round(pain_index([0.10, -0.20, 0.05]), 6)
    0.12
    """
    return 0.0 - mean(drawdown(returns).to_numpy())


def drawdown_table(returns: Returns, *, most: int | None = None) -> pd.DataFrame:
    """Each fall below a peak of wealth, the deepest first, with its length.

    returns : (period,) fractions, no NaN, none below -1 (such a series has no table: it is empty). most : how many to
    keep, all by default. Columns: depth (positive fraction); peak, trough, recovery, as labels of the index, or places
    0, 1, ... without one (peak is NaT or NaN when it is the starting wealth, which has no date; recovery when there
    was none); recovered; periods_down from peak to trough; periods_under_water from peak to recovery, or to the last
    period; days_down and days_under_water, calendar days of the same where there are dates, else NaN.

    >>> drawdown_table([0.10, -0.20, 0.05])[["depth", "periods_down", "periods_under_water", "recovered"]].round(6)
       depth  periods_down  periods_under_water  recovered
    0    0.2             1                    2      False
    """
    values = series(returns)
    labels = returns.index if isinstance(returns, pd.Series) else pd.RangeIndex(len(values))
    shares = _shares(values)
    below = np.concatenate(([False], shares < 1.0, [False]))
    first, after = np.flatnonzero(below[1:] & ~below[:-1]), np.flatnonzero(~below[1:] & below[:-1])
    troughs = np.array([low + int(np.argmin(shares[low:high])) for low, high in zip(first, after, strict=True)], int)
    recovered = after < len(values)
    ends = np.minimum(after, len(values) - 1)
    found = pd.DataFrame(
        {
            "depth": 1.0 - shares[troughs],
            "peak": _labels(labels, first - 1, first > 0),
            "trough": _labels(labels, troughs, troughs >= 0),
            "recovery": _labels(labels, ends, recovered),
            "recovered": recovered,
            "periods_down": troughs - (first - 1),
            "periods_under_water": ends - (first - 1),
        }
    )
    found = found.assign(
        days_down=_days(found["peak"], found["trough"]),
        days_under_water=_days(found["peak"], pd.Series(labels[ends], found.index)),
    )
    return found.sort_values("depth", ascending=False, kind="stable", ignore_index=True).iloc[:most]


def _shares(values: Floats) -> Floats:
    """Wealth as a share of the highest so far; NaN from the first return below -1 on, and where wealth overflows."""
    with np.errstate(all="ignore"):
        wealth = np.cumprod(1.0 + values)
        wealth[np.logical_or.accumulate(values < -1.0)] = np.nan
        return wealth / np.maximum.accumulate(np.concatenate(([1.0], wealth)))[1:]


def _labels(labels: pd.Index, places: np.ndarray, known: np.ndarray) -> pd.Series:
    """The labels at these places, missing where it is not known."""
    return pd.Series(labels[np.where(known, places, 0)] if len(places) else labels[:0]).where(known)


def _days(start: pd.Series, end: pd.Series) -> pd.Series:
    """Calendar days between two columns of dates, NaN where a date is missing or there are none."""
    if not pd.api.types.is_datetime64_any_dtype(end):
        return pd.Series(np.nan, end.index)
    return (end - start).dt.total_seconds() / 86_400

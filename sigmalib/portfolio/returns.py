"""Returns: which kinds are accepted as a series or a table of returns, and how they are read.

A return is a simple one, a fraction a period, in time order. A rate without risk is annual and effective: a number, or
a Series of them by date.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError

Returns = pd.Series | npt.ArrayLike
Panel = pd.DataFrame | pd.Series | npt.ArrayLike
Floats = npt.NDArray[np.float64]
Rate = TypeVar("Rate", float, Floats, pd.Series)

PERIODS_PER_YEAR = 252
NEGLIGIBLE = 1e-12  # a deviation up to this share of the largest return is none


def per_period(annual: Rate, *, periods_per_year: float = PERIODS_PER_YEAR) -> Rate:
    """The per-period equivalent of an annual effective rate: (1 + annual) ** (1 / periods a year) - 1.

    >>> round(per_period(0.05), 8)
    0.00019363
    """
    return (1.0 + annual) ** (1.0 / yearly(periods_per_year)) - 1.0


def yearly(periods_per_year: float) -> float:
    """The number of periods a year, InputError unless it is a positive number."""
    if not (isinstance(periods_per_year, int | float | np.number) and 0 < periods_per_year < np.inf):
        raise InputError(
            f"`periods_per_year` must be a positive number, was {periods_per_year!r}; daily returns have 252"
        )
    return float(periods_per_year)


def series(returns: Returns, name: str = "returns") -> Floats:
    """One series of returns as an array (period,); InputError when it is a table or has unknown values."""
    values = numbers(returns, name)
    if values.ndim != 1:
        raise InputError(f"`{name}` must be one series, had {values.ndim} dimensions; pass one column at a time")
    if not np.isfinite(values).all():
        raise InputError(f"`{name}` has {(~np.isfinite(values)).sum()} unknown value(s); drop or fill them first")
    return values


def numbers(values: Panel, name: str = "returns") -> Floats:
    """What was given as an array of floats, what pandas calls missing as NaN; InputError when it holds other things."""
    try:
        if isinstance(values, pd.DataFrame | pd.Series):
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{name}` must hold numbers only ({error}); select the columns of returns") from error


def free(returns: Panel, risk_free: float | pd.Series, periods_per_year: float) -> Floats:
    """The rate without risk of each period (period,); a Series of rates is aligned with the returns by date."""
    if isinstance(risk_free, pd.Series) and isinstance(returns, pd.Series | pd.DataFrame):
        risk_free = by_date(risk_free, returns.index, "risk_free")
    annual, count = numbers(risk_free, "risk_free"), np.shape(returns)[0]
    if annual.ndim > 1 or annual.size not in (1, count):
        raise InputError(f"`risk_free` has {annual.size} values for {count} returns; give one, or one a period")
    if not np.isfinite(annual).all() or (annual <= -1.0).any():
        bad = int((~(np.isfinite(annual) & (annual > -1.0))).sum())
        raise InputError(f"`risk_free` is unknown for {bad} of the returns; fill it first")
    return np.broadcast_to(per_period(annual, periods_per_year=periods_per_year), count)


def by_date(values: pd.Series, dates: pd.Index, name: str) -> pd.Series:
    """The values of these dates, NaN where there is none; InputError when a date has two."""
    if values.index.equals(dates):
        return values
    if not values.index.is_unique:
        twice = values.index[values.index.duplicated()][0]
        raise InputError(f"`{name}` has two values for {twice}; keep one a date")
    return values.reindex(dates)


def deviation(values: Floats) -> float:
    """Sample standard deviation (ddof 1), 0 where it is negligible, NaN of fewer than two or where squares overflow."""
    if len(values) < 2:
        return float("nan")
    with np.errstate(all="ignore"):
        found = float(values.std(ddof=1))
    return number(found) if not found <= NEGLIGIBLE * np.abs(values).max() else 0.0


def mean(values: Floats) -> float:
    """The mean, NaN of none or where the sum overflows."""
    with np.errstate(all="ignore"):
        return number(values.mean()) if len(values) else float("nan")


def ratio(numerator: float, denominator: float) -> float:
    """The quotient, NaN unless the denominator is positive and the quotient finite."""
    return number(float(numerator) / denominator) if denominator > 0 else float("nan")


def number(value: float | np.floating) -> float:
    """The value as a float, NaN where it overflows."""
    return float(value) if np.isfinite(value) else float("nan")

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
SATURDAY, WEEKENDS = 5, 0.1  # a share of weekend days from which on every day counts, not sessions alone
FREQUENCIES = ((6.0, 8.0, 52.0), (27.0, 32.0, 12.0), (88.0, 93.0, 4.0), (360.0, 370.0, 1.0))  # gap in days
NEGLIGIBLE = 1e-12  # a deviation up to this share of the largest return is none


def per_period(annual: Rate, *, periods_per_year: float = PERIODS_PER_YEAR) -> Rate:
    """The per-period equivalent of an annual effective rate: (1 + annual) ** (1 / periods a year) - 1.

    >>> round(per_period(0.05), 8)
    0.00019363
    """
    return (1.0 + annual) ** (1.0 / yearly(periods_per_year)) - 1.0


def periods_a_year(returns: Panel) -> float:
    """Periods a year by the median gap between the dates of a table; 252 without dates, or when no gap is known to us.

    Days are 252 a year, or 365 where one in ten is of a weekend; weeks 52, months 12, quarters 4, years 1.

    >>> periods_a_year(pd.Series(0.01, index=pd.date_range("2024-01-31", periods=9, freq="ME")))
    12.0
    """
    dates = getattr(returns, "index", None)
    if not isinstance(dates, pd.DatetimeIndex) or len(dates) < 2:
        return float(PERIODS_PER_YEAR)
    gap = pd.Series(dates).diff().median() / pd.Timedelta(days=1)
    if 0.5 < gap < 4 and (dates.day_of_week >= SATURDAY).mean() >= WEEKENDS:
        return 365.0
    return next((number for least, most, number in FREQUENCIES if least < gap < most), float(PERIODS_PER_YEAR))


def in_order(returns: Panel, name: str = "returns") -> None:
    """InputError unless the dates of a table, where it has some, are known and come in order of time."""
    dates = getattr(returns, "index", None)
    if isinstance(dates, pd.DatetimeIndex | pd.PeriodIndex) and not dates.is_monotonic_increasing:
        raise InputError(f"`{name}` must be in order of time, and was not; sort it first: {name}.sort_index()")


def yearly(periods_per_year: float) -> float:
    """The number of periods a year, InputError unless it is a positive number."""
    if not (isinstance(periods_per_year, int | float | np.number) and 0 < periods_per_year < np.inf):
        raise InputError(
            f"`periods_per_year` must be a positive number, was {periods_per_year!r}; daily returns have 252"
        )
    return float(periods_per_year)


def series(returns: Returns, name: str = "returns") -> Floats:
    """One series of returns as an array (period,); InputError for a table, unknown values or dates out of order."""
    in_order(returns, name)
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

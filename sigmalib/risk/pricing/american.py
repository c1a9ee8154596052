"""American options: values, greeks in the same pass, rows of spots, cash dividends and implied volatility.

Arguments and units as in ``risk.options``: rates and dividend yields continuous, per year; volatility per year;
``expiry_years`` in years of 365 days; greeks raw, per 1.0 and per year. Without cash dividends the exercise boundary is
found by spectral collocation (Andersen, Lake and Offengenden 2016; ``kernels.american``): rates and yields of any sign,
where a put with yield < rate < 0 (or a call with rate < yield < 0) is exercised between two boundaries and priced by
finite differences (``kernels.finite_differences``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sigmalib.core.errors import InputError
from sigmalib.risk.pricing.bracket import implied_in
from sigmalib.risk.pricing.exercise import Accuracy
from sigmalib.risk.pricing.inputs import QUOTES, TERMS, Right, Terms, terms
from sigmalib.risk.pricing.mapping import CROSS_GREEKS, Greeks
from sigmalib.risk.pricing.solutions import NAMES, answers_of, crossed, differences, on_grid, rows_of

Floats = npt.NDArray[np.float64]
Values = Any  # what the caller gave: a number, an array or a Series; the answer likewise


def american_price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
    accuracy: Accuracy = "fast",
) -> Values:
    """Value of options that may be exercised at any time: currency of ``spot``, common shape of the terms.

    accuracy : "fast", for up to ten years, is within about 1e-6 of the strike (root of the mean square; 4e-5 at worst);
    beyond it is "accurate", which is within 1e-6 up to five years, 2e-6 up to a hundred and 5e-6 further out. Between
    two boundaries both are the same, within 1e-5. Where early exercise never pays, the Black-Scholes-Merton value, and
    never less than it. NaN where a term is unknown, infinite or negative (spot, strike, time, volatility). Raises
    InputError as ``inputs.terms`` does and for another accuracy. Source: Andersen, Lake and Offengenden (2016).

    >>> round(float(american_price(50, 50, 5 / 12, 0.10, 0.40, right="put")), 3)
    4.284
    """
    found = terms(TERMS, (spot, strike, expiry_years, rate, dividend_yield, volatility), right)
    return found.like(answers_of(found, accuracy)[0])


def american_greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
    accuracy: Accuracy = "fast",
) -> Greeks:
    """Price, delta, gamma, vega (per 1.0), theta (per year) and rho (per 1.0) of ``american_price``, by name.

    All come from one solution of the boundary, whose own sensitivities are in vega, theta and rho; gamma closes the
    pricing equation. vanna, volga and charm, with the units of ``bsm_greeks``, are computed when they are asked for:
    central differences of the accurate delta and vega over 0.1 % of the volatility and of the time, to 1e-3 of their
    size (between two boundaries over 2 %, and only roughly so next to a boundary). Where exercise is due at once:
    delta +1 (call) or -1 (put) and nothing else; at expiry with the spot at the strike as ``bsm_greeks``. At a rate
    and yield of exactly 0 exercise never pays, and rho is the European one; a rate just above (put in the money)
    brings that of exercise, so that rho there is one-sided. Units, NaN and errors as in ``american_price``.

    >>> greeks = american_greeks(50, 50, 5 / 12, 0.10, 0.40, right="put")
    >>> [round(float(greeks[name]), 3) for name in ("price", "delta", "gamma", "vega", "theta", "rho")]
    [4.284, -0.414, 0.033, 12.338, -4.172, -7.293]
    """
    found = terms(TERMS, (spot, strike, expiry_years, rate, dividend_yield, volatility), right)
    known = dict(zip(NAMES, map(found.like, answers_of(found, accuracy)), strict=True))
    return Greeks(known, partial(_crossed, _kept(found)))


def american_row(
    spots: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
    accuracy: Accuracy = "fast",
) -> Floats:
    """Values of options at many spots each, (options, scenarios): one boundary an option serves its whole row.

    spots : (options, scenarios), or (scenarios,) for all. The other terms are one number or one an option. Values as
    those of ``american_price``, NaN and errors likewise; InputError also where the rows of ``spots`` do not fit.

    >>> american_row([45.0, 50.0], 50, 5 / 12, 0.10, 0.40, right="put").round(2).tolist()
    [[6.81, 4.28]]
    """
    given = terms(TERMS[1:], (strike, expiry_years, rate, dividend_yield, volatility), right)
    rows = np.atleast_2d(np.asarray(spots, dtype=np.float64))
    count = given.sign.size if rows.shape[0] == 1 else rows.shape[0]
    if rows.ndim != 2 or given.sign.size not in {1, count}:
        raise InputError(
            f"`spots` must be one row, or a row for each of {given.sign.size} option(s), was {rows.shape}; "
            "pass (options, scenarios)"
        )
    whole = np.ascontiguousarray(np.broadcast_to(rows, (count, rows.shape[1])))
    arrays = [np.broadcast_to(array, (count,)) for array in given.arrays]
    return rows_of(whole, arrays, np.broadcast_to(given.sign, (count,)), accuracy)


def american_dividend_price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividends: Sequence[tuple[float, float]],
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> Values:
    """Value with cash ``dividends`` (years from now, amount), by which the spot drops (never below zero).

    A dividend counts where 0 < years <= ``expiry_years``; between them the spot is lognormal with ``volatility`` (the
    spot model). Within 1e-4 of the strike, mostly 1e-6. NaN and errors as in ``american_price``; InputError also
    for dividends that are no such pairs or negative. Source: see
    ``kernels.finite_differences``; Hull, chapter on basic numerical procedures, on known cash dividends.

    >>> round(float(american_dividend_price(100, 100, 1, 0.05, 0.2, dividends=[(0.5, 3.0)], right="call")), 2)
    8.81
    """
    found = terms(TERMS, (spot, strike, expiry_years, rate, dividend_yield, volatility), right)
    return found.like(_on_grids(found, dividends, greeks=False)[0])


def american_dividend_greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividends: Sequence[tuple[float, float]],
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> dict[str, Values]:
    """Price and greeks of ``american_dividend_price`` by name, raw as in ``american_greeks``.

    Theta holds the dividends' dates: it is the decay of the pricing equation while none is paid.

    >>> found = american_dividend_greeks(100, 100, 1, 0.05, 0.2, dividends=[(0.5, 3.0)], right="call")
    >>> round(float(found["delta"]), 2)
    0.58
    """
    found = terms(TERMS, (spot, strike, expiry_years, rate, dividend_yield, volatility), right)
    return dict(zip(NAMES, map(found.like, _on_grids(found, dividends, greeks=True)), strict=True))


def american_implied_volatility(
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
    accuracy: Accuracy = "accurate",
) -> Values:
    """The volatility at which ``american_price`` of that accuracy gives ``price``, to 1e-8 in price.

    NaN where there is none: a price at or below what exercise at once or without volatility brings, at or above the
    bound that no volatility reaches, no time left, or an unknown term. Errors as in ``american_price``.

    >>> round(float(american_implied_volatility(4.2841, 50, 50, 5 / 12, 0.10, right="put")), 4)
    0.4
    """
    found = terms(QUOTES, (price, spot, strike, expiry_years, rate, dividend_yield), right)
    return found.like(implied_in(found, accuracy))


def _kept(given: Terms) -> Terms:
    """The terms in memory of their own: the caller may change his."""
    return given._replace(arrays=tuple(array.copy() for array in given.arrays), sign=given.sign.copy())


def _crossed(given: Terms) -> dict[str, Values]:
    return dict(zip(CROSS_GREEKS, map(given.like, crossed(given)), strict=True))


def _on_grids(given: Terms, dividends: Sequence[tuple[float, float]], *, greeks: bool) -> Floats:
    """NAMES (6, n) by finite differences; at the limits, and without dividends, as ``answers_of``."""
    paid = _pairs(dividends)
    found = answers_of(given, "accurate")
    years = given.arrays[2]
    counts = np.zeros(given.sign.size, dtype=bool)
    for when, amount in paid:
        counts |= (when > 0) & (when <= years) & (amount > 0)
    places = np.flatnonzero(counts & on_grid(given))
    found[:, counts] = np.nan
    if places.size:
        found[:, places] = differences(given, places, paid, greeks=greeks)
    return found


def _pairs(dividends: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Dividends by date, those of one day added up."""
    try:
        pairs = [(float(years), float(amount)) for years, amount in dividends]
    except (TypeError, ValueError):
        pairs = [(0.0, -1.0)]
    if not all(np.isfinite(years) and 0.0 <= amount < np.inf for years, amount in pairs):
        raise InputError(
            f"`dividends` must be pairs (years, amount) with amounts of at least 0, was {dividends!r:.60}; "
            "pass [(0.25, 0.5)]"
        )
    return sorted(pairs)

"""Option prices: Black-Scholes-Merton and implied volatility.

Arrays or scalars in, arrays of the broadcast shape out; rates and dividend yields continuous, per year; volatility per
year; ``expiry_years`` in years of 365 days; ``right`` is "call" or "put". Sources: Black and Scholes (1973), Merton
(1973); Hull, *Options, Futures, and Other Derivatives*, chapters on Black-Scholes-Merton and the Greek letters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from sigmalib.core.errors import InputError

Floats = npt.NDArray[np.float64]
Right = npt.ArrayLike

VOLATILITY_BOUNDS = (1e-6, 20.0)


class _Terms(NamedTuple):
    sign: Floats  # +1 call, -1 put
    spot: Floats
    strike: Floats
    years: Floats
    rate: Floats
    carry: Floats  # dividend yield
    volatility: Floats
    deviation: Floats  # volatility x sqrt(years)
    d1: Floats
    d2: Floats


def bsm_price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> Floats:
    """Black-Scholes-Merton value, in the currency of ``spot``, per unit of the underlying.

    At expiry, or with zero volatility or spot, the discounted intrinsic value of the forward. NaN where an input is
    unknown or negative (time, volatility, spot; strike must be above zero).

    >>> round(float(bsm_price(42, 40, 0.5, 0.10, 0.20, right="call")), 6)
    4.759422
    """
    return _price(_terms(spot, strike, expiry_years, rate, volatility, dividend_yield, right))


def bsm_greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> dict[str, Floats]:
    """Raw sensitivities of ``bsm_price``: delta, gamma, vega (per 1.0), theta (per year), rho (per 1.0).

    Where the value has a kink (no time or volatility left, forward at the strike) gamma is unknown: NaN.
    """
    t = _terms(spot, strike, expiry_years, rate, volatility, dividend_yield, right)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        growth, discount = np.exp(-t.carry * t.years), np.exp(-t.rate * t.years)
        density = np.exp(-0.5 * t.d1**2) / np.sqrt(2 * np.pi)
        live = t.deviation > 0
        decay = np.where(live, -t.spot * growth * density * t.volatility / (2 * np.sqrt(t.years)), 0.0)
        stock, cash = t.spot * growth * ndtr(t.sign * t.d1), t.strike * discount * ndtr(t.sign * t.d2)
        flat = np.where(t.d1 == 0, np.nan, 0.0)
        return {
            "delta": t.sign * growth * ndtr(t.sign * t.d1),
            "gamma": np.where(live & (t.spot > 0), growth * density / (t.spot * t.deviation), flat),
            "vega": t.spot * growth * density * np.sqrt(t.years),
            "theta": decay + t.sign * (t.carry * stock - t.rate * cash),
            "rho": t.sign * t.years * cash,
        }


def implied_volatility(
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> Floats:
    """The volatility at which ``bsm_price`` gives ``price``; NaN where no volatility does (outside the bounds)."""
    from scipy.optimize import elementwise  # half a second that only quoted options need

    arrays = np.broadcast_arrays(
        *(np.asarray(x, dtype=float) for x in (price, spot, strike, expiry_years, rate, dividend_yield)), _sign(right)
    )

    def excess(volatility: Floats, price: Floats, spot: Floats, strike: Floats, years: Floats, *rest: Floats) -> Floats:
        rate, carry, sign = rest
        return bsm_price(spot, strike, years, rate, volatility, dividend_yield=carry, right=sign) - price

    found = elementwise.find_root(excess, VOLATILITY_BOUNDS, args=tuple(arrays))
    return np.where(found.success, found.x, np.nan)


def _sign(right: Right) -> Floats:
    """+1 for calls and -1 for puts, from names, signs or booleans (True is a call)."""
    values = np.asarray(right)
    if values.dtype == bool:
        return np.where(values, 1.0, -1.0)
    if values.dtype.kind in "if":
        return values.astype(float)
    unknown = set(np.unique(values.astype(str))) - {"call", "put"}
    if unknown:
        raise InputError(f"`right` must be 'call' or 'put', was {str(min(unknown))!r}")
    return np.where(values == "call", 1.0, -1.0)


def _terms(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    carry: npt.ArrayLike,
    right: Right,
) -> _Terms:
    given = (np.asarray(x, dtype=float) for x in (spot, strike, years, rate, carry, volatility))
    s, k, t, r, q, v, sign = np.broadcast_arrays(*given, _sign(right))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bad = (s < 0) | (k <= 0) | (t < 0) | (v < 0)
        deviation = np.where(bad, np.nan, v * np.sqrt(t))
        distance = np.log(s / k) + (r - q) * t
        at_limit = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
        d1 = np.where(deviation > 0, distance / deviation + deviation / 2, np.where(deviation == 0, at_limit, np.nan))
        d1 = np.where(np.isnan(distance), np.nan, d1)
        return _Terms(sign, s, k, t, r, q, v, deviation, d1, np.where(np.isinf(d1), d1, d1 - deviation))


def _price(t: _Terms) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        stock = t.spot * np.exp(-t.carry * t.years) * ndtr(t.sign * t.d1)
        cash = t.strike * np.exp(-t.rate * t.years) * ndtr(t.sign * t.d2)
        return np.maximum(t.sign * (stock - cash), 0.0)

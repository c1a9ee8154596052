"""Option prices: Black-Scholes-Merton, implied and realised volatility, and the marks of a book without quotes.

Arrays or scalars in, arrays of the broadcast shape out; rates and dividend yields continuous, per year; volatility per
year; ``expiry_years`` in years of 365 days; ``right`` is "call" or "put". Sources: Black and Scholes (1973), Merton
(1973); Hull, *Options, Futures, and Other Derivatives*, chapters on Black-Scholes-Merton and the Greek letters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from sigmalib.core.errors import InputError
from sigmalib.core.instruments import parse_option
from sigmalib.core.market import MarketView
from sigmalib.core.times import expiry_instant, session_close, years_between

Floats = npt.NDArray[np.float64]
Right = npt.ArrayLike

PERIODS_PER_YEAR = 252
VOLATILITY_WINDOW, VOLATILITY_MINIMUM = 60, 20
VOLATILITY_BOUNDS = (1e-6, 20.0)

MARK_COLUMNS = (
    *("underlying", "strike", "right", "style", "spot", "expiry_years", "rate", "dividend_yield"),
    *("volatility", "volatility_source", "price", "price_source", "delta"),
)


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


def realised_volatility(returns: pd.DataFrame) -> pd.Series:
    """Annualised volatility by symbol over the last 60 sessions, as a fraction; NaN with fewer than 20 returns.

    returns : simple one-session returns (session x symbol). Sample deviation of log returns (ddof 1) x sqrt(252).
    """
    recent = pd.DataFrame(np.log1p(returns.iloc[-VOLATILITY_WINDOW:]))
    return recent.std(ddof=1).where(recent.count() >= VOLATILITY_MINIMUM) * np.sqrt(PERIODS_PER_YEAR)


def mark(symbols: pd.Index, market: MarketView) -> pd.DataFrame:
    """Price, volatility and delta of each option at the close of ``market.as_of``, with where they come from.

    The price is the middle of the quote when there is one, else the model's; the volatility is implied from that
    quote, or the vendor's, or else realised over 60 sessions. Every contract is priced as European for now, its true
    style stands beside it; an adjusted one is priced per share it delivers, never by a quote, which is of the whole.
    NaN where spot, rate or volatility is unknown.
    Returns (symbol) x MARK_COLUMNS.
    """
    terms = _contract_terms(symbols, market)
    quotes = _quotes(symbols, market)
    middle = (quotes["bid"] + quotes["ask"]) / 2
    spot, strike, years, rate = (terms[name] for name in ("spot", "strike", "expiry_years", "rate"))
    carry, sign = terms["dividend_yield"], _sign(terms["right"])
    implied = pd.Series(np.nan, index=symbols)
    if middle.notna().any():
        implied[:] = implied_volatility(middle, spot, strike, years, rate, dividend_yield=carry, right=sign)
    realised = terms["underlying"].map(realised_volatility(market.returns))
    terms["volatility"], terms["volatility_source"] = _first_known(
        {"implied from quote": implied, "quoted": quotes["implied_volatility"], "realised, 60 sessions": realised}
    )
    volatility = terms["volatility"]
    value = pd.Series(bsm_price(spot, strike, years, rate, volatility, dividend_yield=carry, right=sign), index=symbols)
    terms["price"], terms["price_source"] = _first_known({"quote": middle, "model": value})
    greeks = bsm_greeks(spot, strike, years, rate, volatility, dividend_yield=carry, right=sign)
    terms["delta"] = greeks["delta"]
    return terms[list(MARK_COLUMNS)]


def _contract_terms(symbols: pd.Index, market: MarketView) -> pd.DataFrame:
    contracts = [parse_option(symbol) for symbol in symbols]
    close = session_close(market.as_of)
    ends = [expiry_instant(c.expiry, morning_settled=c.morning_settled) for c in contracts]
    underlying = pd.Series([c.underlying for c in contracts], index=symbols, dtype="str")
    return pd.DataFrame(
        {
            "underlying": underlying,
            "strike": pd.Series([c.strike for c in contracts], index=symbols, dtype=float),
            "right": pd.Series([c.right for c in contracts], index=symbols, dtype="str"),
            "style": pd.Series([c.style for c in contracts], index=symbols, dtype="str"),
            "spot": underlying.map(market.prices()).astype(float),
            "expiry_years": pd.Series([years_between(close, end) for end in ends], index=symbols, dtype=float),
            "rate": float(np.log1p(market.rate())),
            "dividend_yield": underlying.map(market.dividend_yields()).astype(float),
        },
        index=symbols,
    )


def _quotes(symbols: pd.Index, market: MarketView) -> pd.DataFrame:
    today = market.quotes[market.quotes.index.get_level_values("session") == pd.Timestamp(market.as_of)]
    known = today.droplevel("session").reindex(symbols)
    two_sided = (known["bid"] > 0) & (known["ask"] >= known["bid"])
    usable = two_sided & ~np.array([parse_option(symbol).adjusted for symbol in symbols], dtype=bool)
    return known.assign(bid=known["bid"].where(usable), implied_volatility=known["implied_volatility"].where(usable))


def _first_known(candidates: dict[str, pd.Series]) -> tuple[pd.Series, pd.Series]:
    """The first known value of each row and the name of the candidate it comes from."""
    table = pd.DataFrame(candidates)
    known = table.notna()
    value = table.bfill(axis=1).iloc[:, 0]
    return value, known.idxmax(axis=1).where(known.any(axis=1)).astype("str")


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

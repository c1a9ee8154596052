"""European options: Black-Scholes-Merton and Black-76 values and greeks, and implied volatility.

Terms are scalars, lists, arrays or Series, taken together by broadcasting; answers have their common shape, and are
Series with the index of the Series among them. Rates and dividend yields are continuous, per year; volatility per year;
``expiry_years`` in years of 365 days; ``right`` is "call" or "put" (or +1 or -1, or True for a call), one or as many as
there are options. A term that is unknown, infinite or negative where it must not be makes its answers NaN.

Sources: Black and Scholes (1973), Merton (1973), Black (1976); Hull, *Options, Futures, and Other Derivatives*, the
chapters on Black-Scholes-Merton, futures options and the Greek letters. The loops are in ``kernels.black_scholes`` and
``kernels.implied``; the first call of a process imports them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sigmalib.core.compiled import Later, in_parts
from sigmalib.core.errors import InputError
from sigmalib.risk.pricing.american import american_greeks as american_greeks
from sigmalib.risk.pricing.american import american_price as american_price
from sigmalib.risk.pricing.inputs import QUOTES, TERMS, Right, Terms, terms
from sigmalib.risk.pricing.mapping import CROSS_GREEKS, Greeks

if TYPE_CHECKING:
    import pandas as pd

Values = Any  # what the caller gave: a number, an array or a Series; the answer likewise

CHUNK = 2**19  # options below which a second thread waits for memory more than it works
BLOCK = 3  # rows of answers in one piece of memory
KEPT = 16_384  # options below which the terms of the cross greeks are copied: dearer and twice the memory above
FIRST_GREEKS = ("delta", "gamma", "vega", "theta", "rho")
REASONS = (
    "found",
    "a term is unknown, infinite or negative",
    "expired: no time is left",
    "the price is below the intrinsic value",
    "the price is the intrinsic value: no volatility, or any that is too small to show",
    "the price is at or above its upper bound, the discounted spot (call) or strike (put)",
    "no volatility gives this price in double precision",
)

_pandas: Any = Later("pandas")
_loops, _solver = Later("sigmalib.risk.kernels.black_scholes"), Later("sigmalib.risk.kernels.implied")


@dataclass(frozen=True, eq=False)
class ImpliedVolatility:
    """Volatilities per year, NaN where there is none, and why: ``reason`` is a position in REASONS, 0 where found."""

    volatility: Values
    reason: Values

    def counted(self) -> pd.Series:
        """How many quotes have each reason, by its sentence in REASONS; only those that occur."""
        counts = np.bincount(np.asarray(self.reason).reshape(-1), minlength=len(REASONS))
        rows = {sentence: count for sentence, count in zip(REASONS, counts.tolist(), strict=True) if count}
        return _pandas.Series(rows, name="quotes", dtype=np.int64).rename_axis("reason")

    def to_dict(self) -> dict[str, Any]:
        """Volatilities and the sentences of their reasons as lists."""
        codes = np.asarray(self.reason)
        return {"volatility": np.asarray(self.volatility).tolist(), "reason": np.array(REASONS)[codes].tolist()}


def bsm_price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> Values:
    """Black-Scholes-Merton value, in the currency of ``spot``, per unit of the underlying.

    At expiry, or with zero volatility, spot or strike, the discounted intrinsic value of the forward. NaN where a term
    is unknown, infinite or negative (spot, strike, time, volatility), where spot and strike are both zero, and where no
    double holds the answer; never infinite. One number where all terms are single numbers. Raises InputError for terms
    that are no numbers, shapes that do not go together and rights that are neither call nor put.
    Source: Merton (1973); Hull, chapter on stock indices and currencies, equations for a known yield.

    >>> round(float(bsm_price(42, 40, 0.5, 0.10, 0.20, right="call")), 6)
    4.759422
    """
    return _prices(terms(TERMS, (spot, strike, expiry_years, rate, dividend_yield, volatility), right))


def bsm_greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> Greeks:
    """Raw sensitivities of ``bsm_price`` by name, per 1.0 and per year.

    delta (per 1.0 of spot), gamma (delta per 1.0 of spot), vega (per 1.0 of volatility), theta (per year that passes),
    rho (per 1.0 of rate); vanna (delta per 1.0 of volatility), volga (vega per 1.0 of volatility) and charm (delta per
    year that passes: -d delta / d T). The last three are computed when somebody first looks at them (see ``Greeks``),
    from a copy of the terms; with 16,384 options or more from the terms as they are then, so look before you change an
    array in place.
    At the kink of the value (forward at the strike and no time or volatility left) delta and rho are the mean of both
    sides, and gamma, vanna, volga, charm, and theta at expiry, are NaN. Otherwise NaN and errors as in ``bsm_price``.
    Source: Hull, chapter on the Greek letters, with a yield; vanna, volga and charm by differentiation.

    >>> greeks = bsm_greeks(49, 50, 20 / 52, 0.05, 0.20, right="call")
    >>> round(float(greeks["delta"]), 3), round(float(greeks["theta"]), 2), round(float(greeks["vanna"]), 3)
    (0.522, -4.31, 0.139)
    """
    given = terms(TERMS, (spot, strike, expiry_years, rate, dividend_yield, volatility), right)
    return _greeks(given, FIRST_GREEKS, _run(_loops.greeks, given, len(FIRST_GREEKS)))


def bsm(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> Greeks:
    """``bsm_greeks`` and, first among them, ``price``: both in one pass over the book.

    >>> list(bsm(42, 40, 0.5, 0.10, 0.20, right="call"))
    ['price', 'delta', 'gamma', 'vega', 'theta', 'rho', 'vanna', 'volga', 'charm']
    """
    given = terms(TERMS, (spot, strike, expiry_years, rate, dividend_yield, volatility), right)
    names = ("price", *FIRST_GREEKS)
    return _greeks(given, names, _run(_loops.price_and_greeks, given, len(names)))


def black76_price(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    right: Right,
) -> Values:
    """Black's value of an option on a forward or future, discounted to today; NaN and errors as in ``bsm_price``.

    Source: Black (1976); Hull, chapter on options on futures.

    >>> round(float(black76_price(20, 20, 4 / 12, 0.09, 0.25, right="put")), 4)
    1.1166
    """
    return _prices(terms(("forward", *TERMS[1:]), (forward, strike, expiry_years, rate, rate, volatility), right))


def black76_greeks(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    volatility: npt.ArrayLike,
    *,
    right: Right,
) -> Greeks:
    """Raw sensitivities of ``black76_price`` to the forward, the volatility, time and the rate, as in ``bsm_greeks``.

    rho is that of the discounting alone, -T times the value: the forward stays where it is.

    >>> greeks = black76_greeks(20, 20, 4 / 12, 0.09, 0.25, right="put")
    >>> round(float(greeks["delta"]), 4), round(float(greeks["rho"]), 4)
    (-0.4573, -0.3722)
    """
    given = terms(("forward", *TERMS[1:]), (forward, strike, expiry_years, rate, rate, volatility), right)
    price, *first = _run(_loops.price_and_greeks, given, 1 + len(FIRST_GREEKS))
    with np.errstate(over="ignore"):
        rho = -given.arrays[2] * price
    first[-1] = np.where(np.isinf(rho), np.nan, rho)
    return _greeks(given, FIRST_GREEKS, first)


def escrowed_spot(
    spot: npt.ArrayLike, rate: npt.ArrayLike, dividends: Sequence[tuple[float, float]], expiry_years: npt.ArrayLike
) -> Values:
    """Spot less the present value of the cash dividends that go ex until expiry, to be priced in the place of spot.

    dividends : (years from now, amount per share) of each; one counts where 0 < years <= ``expiry_years``.
    Returns the currency of ``spot``, in the common shape of the terms; NaN where a term is unknown or the dividends are
    worth more than the spot, for then the model has no price. Raises InputError for dividends that are no such pairs.
    Source: Hull, chapter on Black-Scholes-Merton, section on dividends.

    >>> round(float(escrowed_spot(40, 0.09, [(2 / 12, 0.5), (5 / 12, 0.5)], 0.5)), 4)
    39.0258
    """
    given = terms(("spot", "rate", "expiry_years"), (spot, rate, expiry_years), "call")
    stock, rates, expiry = given.arrays
    left = stock.copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for years, amount in _pairs(dividends):
            left -= np.where((expiry >= years) & (years > 0.0), amount * np.exp(-rates * years), 0.0)
    known = np.isfinite(left) & np.isfinite(rates) & (expiry >= 0.0) & (left >= 0.0)
    return given.like(np.where(known, left, np.nan))


def implied(
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> ImpliedVolatility:
    """The volatility at which ``bsm_price`` gives each ``price``, and where there is none the reason.

    For a price on a forward pass it as the spot, with ``dividend_yield`` equal to ``rate``. Errors as in ``bsm_price``.
    Source: Jaeckel, "Let's be rational" (2015), for the objective; see ``kernels.implied``.

    >>> implied([1.875, 0.5], 21, 20, 0.25, 0.10, right="call").to_dict()["reason"]
    ['found', 'the price is below the intrinsic value']
    """
    given = terms(QUOTES, (price, spot, strike, expiry_years, rate, dividend_yield), right)
    volatility, reason = _solved(given)
    return ImpliedVolatility(given.like(volatility), given.like(reason))


def implied_volatility(
    price: npt.ArrayLike,
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    expiry_years: npt.ArrayLike,
    rate: npt.ArrayLike,
    *,
    dividend_yield: npt.ArrayLike = 0.0,
    right: Right,
) -> Values:
    """The volatility at which ``bsm_price`` gives ``price``; NaN where there is none, and ``implied`` tells why.

    >>> round(float(implied_volatility(1.875, 21, 20, 0.25, 0.10, right="call")), 6)
    0.234513
    """
    given = terms(QUOTES, (price, spot, strike, expiry_years, rate, dividend_yield), right)
    return given.like(_solved(given)[0])


def _prices(given: Terms) -> Values:
    return given.like(_run(_loops.prices, given, 1)[0])


def _solved(given: Terms) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    count = given.sign.size
    volatility, reason = np.empty(count), np.empty(count, dtype=np.int8)
    _each(_solver.solve, count, (*given.arrays, given.sign, volatility, reason))
    return volatility, reason


def _run(kernel: Callable[..., None], given: Terms, answers: int) -> Sequence[npt.NDArray[np.float64]]:
    """What the kernel fills: so many arrays (n,), in blocks of three rows: cheaper to get than one or six."""
    blocks = (np.empty((min(BLOCK, answers - row), given.sign.size)) for row in range(0, answers, BLOCK))
    filled = [row for block in blocks for row in block]
    _each(kernel, given.sign.size, (*given.arrays, given.sign, *filled))
    return filled


def _each(kernel: Callable[..., None], count: int, arrays: tuple[npt.NDArray[Any], ...]) -> None:
    if count < 2 * CHUNK:
        kernel(*arrays)
    else:
        in_parts(kernel, count, arrays, chunk=CHUNK)


def _greeks(given: Terms, names: Sequence[str], found: Sequence[npt.NDArray[np.float64]]) -> Greeks:
    """What was found by name; below KEPT options the terms of the greeks computed later are copied."""
    few = given.sign.size < KEPT
    kept = (np.concatenate(given.arrays), given.sign.copy()) if few else (None, given.sign)
    return Greeks(dict(zip(names, map(given.like, found), strict=True)), partial(_cross_greeks, given, *kept))


def _cross_greeks(given: Terms, kept: npt.NDArray[np.float64] | None, sign: npt.NDArray[np.int8]) -> dict[str, Values]:
    arrays = given.arrays if kept is None else tuple(kept.reshape(len(given.arrays), -1))
    found = _run(_loops.cross_greeks, given._replace(arrays=arrays, sign=sign), len(CROSS_GREEKS))
    return dict(zip(CROSS_GREEKS, map(given.like, found), strict=True))


def _pairs(dividends: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    try:
        return [(float(years), float(amount)) for years, amount in dividends]
    except (TypeError, ValueError):
        raise InputError(
            f"`dividends` must be pairs (years, amount), was {dividends!r:.60}; pass [(0.25, 0.5)]"
        ) from None

"""Forward and carry of each expiry out of put-call parity: call - put = discount x (forward - strike).

Parity holds for European prices; of American ones it asks for their European equivalents, see ``chain.implied_chain``.
Source: Stoll (1969), *The Relationship Between Put and Call Option Prices*; Merton (1973).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

NEAREST = 12  # pairs around the forward that tell the forward
SLOPE_PAIRS = 60  # ... and the discount factor, which needs a longer arm
LEAST_FOR_DISCOUNT = 5
HIGHEST_RATE = 0.25  # a year, of either sign; a slope beyond is a fault of the quotes
SOON, LATER, FURTHEST_SPOT = 0.1, 0.2, 0.02  # years, years, and a fraction of the spot: see ``spot_of_the_forwards``
FORWARD_COLUMNS = (
    *("years", "forward", "discount", "carry", "pairs", "parity_error", "parity_discount", "parity_forward"),
    *("parity_spot", "forward_source"),
)


def parity_pairs(quoted: pd.DataFrame, price: pd.Series) -> pd.DataFrame:
    """Calls and puts of one strike and expiry side by side: years, strike, difference (call - put) and spread.

    quoted : rows with years, strike, right, bid and ask, of which only two-sided ones may be given.
    price : what each row is worth (currency), by the same index; rows of which it is unknown are left out.
    Of two rows for one contract (a mini beside the standard) the one with the narrower spread counts.
    """
    rows = pd.DataFrame(
        {
            "years": quoted["years"],
            "strike": quoted["strike"],
            "right": quoted["right"],
            "price": price,
            "spread": quoted["ask"] - quoted["bid"],
        }
    )
    rows = rows[rows["price"].notna()].sort_values("spread", kind="stable")
    rows = rows.drop_duplicates(["years", "strike", "right"])
    calls, puts = (rows[rows["right"] == side].set_index(["years", "strike"]) for side in ("call", "put"))
    shared = calls.index.intersection(puts.index).sort_values()
    calls, puts = calls.loc[shared], puts.loc[shared]
    both = {"difference": calls["price"] - puts["price"], "spread": calls["spread"] + puts["spread"]}
    return pd.DataFrame(both, index=shared).reset_index()


def parity_forwards(
    pairs: pd.DataFrame, years: npt.ArrayLike, *, spot: float, rate: float | None, dividend_yield: float = 0.0
) -> pd.DataFrame:
    """Forward, discount factor and implied carry of each expiry, with the number of pairs and the error of the fit.

    pairs : see ``parity_pairs``. years : (n,), the expiries wanted, years of 365 days, above 0.
    rate : continuous, a year; None takes the discount factor from the slope of parity where at least five pairs tell
    it (else from the neighbours). dividend_yield : continuous, used only when no expiry has a pair.

    The forward is the weighted median of strike + difference / discount over the twelve pairs nearest to the money,
    each weighted by 1 / spread: the least absolute deviations fit with the slope given. ``parity_discount`` and
    ``parity_forward`` are the fit with the slope free (Huber's weights), to compare; NaN with fewer than five pairs.
    ``carry`` is rate - ln(forward / spot) / years: dividend and borrow, a year, continuous. ``parity_error`` is the
    median distance of a pair's forward from the forward, in currency. ``parity_spot`` is the spot that the forwards
    tell (see ``spot_of_the_forwards``). ``forward_source`` is "parity", "neighbours" (carry interpolated in time) or
    "spot and rate". Returns (n,) x FORWARD_COLUMNS, indexed by position.

    >>> quotes = pd.DataFrame({"years": 1.0, "strike": [90.0, 100.0], "difference": [9.7, 0.0], "spread": 0.1})
    >>> parity_forwards(quotes, [1.0], spot=99.0, rate=0.03)["forward"].round(2).tolist()
    [100.0]
    """
    wanted = np.asarray(years, dtype=float)
    groups = dict(iter(pairs.groupby("years")))
    found = pd.DataFrame(
        [_line(groups.get(time), spot, rate or 0.0, time) for time in wanted],
        columns=["pairs", "parity_discount", "parity_forward"],
    )
    found.insert(0, "years", wanted)
    rates = np.full(len(wanted), rate) if rate is not None else _slope_rates(found)
    found["discount"] = np.exp(-rates * wanted)
    located = [_forward(groups.get(t), spot, d) for t, d in zip(wanted, found["discount"], strict=True)]
    forward, error = (np.array([row[at] for row in located], dtype=float) for at in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        carry = rates - np.log(forward / spot) / wanted
    told = np.isfinite(carry)
    filled = np.interp(wanted, wanted[told], carry[told]) if told.any() else np.full(len(wanted), dividend_yield)
    found["carry"] = np.where(told, carry, filled)
    found["forward"] = np.where(told, forward, spot * np.exp((rates - filled) * wanted))
    found["parity_error"] = error
    found["parity_spot"] = spot_of_the_forwards(wanted[told], forward[told], rates[told], spot)
    found["forward_source"] = np.where(told, "parity", "neighbours" if told.any() else "spot and rate")
    return found[list(FORWARD_COLUMNS)]


def spot_of_the_forwards(years: Floats, forward: Floats, rate: Floats, spot: float) -> float:
    """The spot that the nearest forwards tell, carried back at the carry of the later ones; else ``spot``.

    A spot quoted seconds before or after the options is off by a little, which over a week is a carry of a hundred
    per cent a year. So the median of forward x exp(-(rate - carry) x years) over expiries within 0.1 years, with the
    median carry of those beyond 0.2; ``spot`` where either is missing or the answer is more than 2 % away from it.

    >>> times = np.array([0.01, 0.05, 0.5])
    >>> round(spot_of_the_forwards(times, 100 * np.exp(0.04 * times), np.full(3, 0.04), 99.9), 2)
    100.0
    """
    soon, later = years <= SOON, years >= LATER
    if not soon.any() or not later.any():
        return spot
    told = spot
    for _ in range(3):  # a better spot tells a better carry; each turn takes nine tenths of the error away
        carry = np.median(rate[later] - np.log(forward[later] / told) / years[later])
        told = float(np.median(forward[soon] * np.exp((carry - rate[soon]) * years[soon])))
    return told if abs(told / spot - 1) <= FURTHEST_SPOT else spot


def _forward(pairs: pd.DataFrame | None, spot: float, discount: float) -> tuple[float, float]:
    """Weighted median of the forwards of the pairs nearest to the money, and the median distance from it."""
    if pairs is None or not np.isfinite(discount):
        return np.nan, np.nan
    near = _nearest(pairs, spot, discount, NEAREST)
    each = (near["strike"] + near["difference"] / discount).to_numpy()
    forward = weighted_median(each, 1 / _spreads(near))
    return (forward, float(np.median(np.abs(each - forward)))) if forward > 0 else (np.nan, np.nan)


def _line(pairs: pd.DataFrame | None, spot: float, rate: float, years: float) -> tuple[int, float, float]:
    """Number of pairs, and discount and forward by a robust line through call - put over strikes."""
    if pairs is None:
        return 0, np.nan, np.nan
    near = _nearest(pairs, spot, float(np.exp(-rate * years)), SLOPE_PAIRS)
    if len(near) < LEAST_FOR_DISCOUNT:
        return len(pairs), np.nan, np.nan
    level, slope = _robust_line(near["strike"].to_numpy() - spot, near["difference"].to_numpy(), _spreads(near))
    if not abs(np.log(max(-slope, 1e-300))) <= HIGHEST_RATE * max(years, 0.02):
        return len(pairs), np.nan, np.nan
    return len(pairs), -slope, spot - level / slope


def _nearest(pairs: pd.DataFrame, spot: float, discount: float, count: int) -> pd.DataFrame:
    """The ``count`` pairs nearest to the forward that the pair with the smallest difference tells."""
    strike, difference = (pairs[name].to_numpy(dtype=float) for name in ("strike", "difference"))
    most_even = int(np.argmin(np.abs(difference)))
    guess = strike[most_even] + difference[most_even] / discount
    away = np.abs(np.log(strike / (guess if guess > 0 else spot)))
    return pairs.iloc[np.argsort(away, kind="stable")[:count]]


def _spreads(pairs: pd.DataFrame) -> Floats:
    """Spreads in currency, none below a hundredth of the median: a locked quote is not infinitely sure."""
    spread = pairs["spread"].to_numpy(dtype=float)
    return np.maximum(spread, max(0.01 * float(np.median(spread)), 1e-9))


def _robust_line(x: Floats, y: Floats, spread: Floats) -> tuple[float, float]:
    """Level and slope of y over x by Huber's weights (1964), residuals in half spreads."""
    weight = 1 / spread
    table = np.column_stack([np.ones_like(x), x])
    for _ in range(30):
        root = np.sqrt(weight)
        level, slope = np.linalg.lstsq(table * root[:, None], y * root, rcond=None)[0]
        away = np.abs(y - level - slope * x) / (0.5 * spread)
        weight = np.minimum(1.0, 0.25 / np.maximum(away, 1e-12)) / spread
    return float(level), float(slope)


def weighted_median(values: Floats, weights: Floats) -> float:
    """The value that minimises the weighted sum of absolute deviations (of two that do, their middle); NaN of none.

    >>> weighted_median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 1.0]))
    2.0
    """
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    low, high = np.searchsorted(share, [0.5 - 1e-12, 0.5 + 1e-12])
    return float((values[order][low] + values[order][min(high, len(values) - 1)]) / 2)


def _slope_rates(found: pd.DataFrame) -> Floats:
    """Zero rates out of the slopes of parity, interpolated in time; NaN when there is none at all."""
    rates = -np.log(found["parity_discount"].to_numpy()) / found["years"].to_numpy()
    times = found["years"].to_numpy()
    told = np.isfinite(rates) & (times >= 0.02)
    return np.interp(times, times[told], rates[told]) if told.any() else np.full(len(rates), np.nan)

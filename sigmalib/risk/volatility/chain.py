"""An option chain: every quote with its terms, forward, implied volatilities, and the reason where there is none."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.times import DateLike
from sigmalib.risk.volatility.parity import FORWARD_COLUMNS, parity_forwards, parity_pairs
from sigmalib.risk.volatility.premium import SIDES, early_exercise, volatilities
from sigmalib.risk.volatility.quotes import first_true, quote_reasons, quote_table, to_moment

Floats = npt.NDArray[np.float64]

CHAIN_COLUMNS = (
    *("as_of", "spot", "expiry", "years", "strike", "right", "style", "bid", "ask", "mid", "last", "volume"),
    *("open_interest", "forward", "discount", "log_moneyness", "bid_volatility", "mid_volatility", "ask_volatility"),
    *("weight", "reason", "carry", "pairs", "parity_error", "parity_discount", "parity_forward", "parity_spot"),
    "forward_source",
)
REASONS: Final = {
    "stale": "the newest quote is of an earlier session",
    "adjusted": "an adjusted contract, whose deliverable the symbol does not tell",
    "expired": "its life has ended",
    "no quote": "neither a bid nor an ask",
    "no bid": "nobody bids, so there is no middle",
    "no ask": "nobody asks, so there is no middle",
    "crossed": "the bid is above the ask",
    "out of line": "its bid is above what two options of its kind nearer to the money ask",
    "no forward": "neither parity nor a rate tells the forward of its expiry",
    "below intrinsic": "the middle is at or below what exercise is worth",
    "above bound": "the middle is at or above what the option can be worth at most",
    "not solved": "no volatility within the solver's range gives the middle",
}
UNPRICEABLE = ("stale", "adjusted", "expired", "crossed", "out of line", "no forward")
NARROWEST = 0.001  # of half a spread in volatility: a locked quote is not infinitely sure
ROUNDS = 3  # of American volatility, European price and parity; each takes six sevenths of the error away
NEAR_STRIKES = 30  # of each expiry, whose American quotes are taken to European ones for parity


def implied_chain(
    quotes: pd.DataFrame,
    *,
    as_of: DateLike,
    spot: float,
    rate: float | None,
    dividend_yield: float = 0.0,
) -> pd.DataFrame:
    """Every quote of one underlying with its terms, forward and implied volatilities at bid, middle and ask.

    quotes : QUOTES of one underlying, by (session, symbol), of which sessions after ``as_of`` are not looked at; or
    by symbol alone. Needs bid and ask in currency; 0 is no bid. Volatilities of the vendor are not used.
    as_of : a date (its session's close) or an instant with its zone. spot : currency.
    rate : continuous, a year; None takes the discount factor of each expiry from put-call parity.
    dividend_yield : continuous, used only where no expiry has a call and a put to tell the carry.

    Returns (symbol) x CHAIN_COLUMNS: years of 365 days from ``as_of`` to the end of the option's life; forward of its
    expiry by put-call parity (see ``parity.parity_forwards``, also for carry and the columns about the fit), American
    quotes taken to their European equivalents first, but for parity_discount and parity_forward, which are of the
    quotes as they are;
    log_moneyness ln(strike / forward); volatilities a year, as fractions, by Black-Scholes-Merton for European and by
    the American price for American exercise, both with the implied carry. ``weight`` is 1 over half the spread in
    volatility of the out-of-the-money quotes, which a smile is fitted to, and 0 elsewhere. ``reason`` is a key of
    REASONS where ``mid_volatility`` is NaN, else "". Every row of ``quotes`` up to ``as_of`` is there once.
    Raises InputError for a table without bid and ask, several underlyings, a doubled or unreadable symbol, a spot
    that is not above zero, and an instant without a zone.

    >>> quotes = pd.DataFrame({"bid": [9.4, 5.4, 0.0], "ask": [9.6, 5.6, 0.1]},
    ...     index=["XSP230120C00100000", "XSP230120P00100000", "XSP230120P00020000"])
    >>> chain = implied_chain(quotes, as_of="2022-01-20", spot=100.0, rate=0.04)
    >>> chain["forward"].round(2).tolist(), chain["reason"].tolist()
    ([104.16, 104.16, 104.16], ['', '', 'no bid'])
    """
    moment = to_moment(as_of)
    _check(spot, rate)
    rows = quote_table(quotes, moment).assign(spot=float(spot))
    rows["reason"] = quote_reasons(rows, float(spot))
    rows = _with_forwards(rows, rate, dividend_yield)
    rows["log_moneyness"] = np.log(rows["strike"] / rows["forward"])
    priceable = ~rows["reason"].isin(UNPRICEABLE)
    found = volatilities(rows, rows[list(SIDES)].where(priceable, np.nan))
    rows = rows.assign(**{f"{side}_volatility": found[side] for side in SIDES})
    rows["reason"] = _price_reasons(rows)
    rows["weight"] = _weights(rows)
    return rows[list(CHAIN_COLUMNS)]


def reasons(chain: pd.DataFrame) -> pd.Series:
    """How many quotes have an implied volatility ("solved"), and how many have none, by reason; sums to the rows.

    >>> reasons(pd.DataFrame({"reason": ["", "no bid", ""]})).to_dict()
    {'solved': 2, 'no bid': 1}
    """
    return chain["reason"].replace("", "solved").value_counts().rename("quotes")


def _check(spot: float, rate: float | None) -> None:
    if not (np.ndim(spot) == 0 and np.isfinite(spot) and spot > 0):
        raise InputError(f"`spot` must be a price above zero, was {spot}; give the underlying's price at `as_of`")
    if rate is not None and not (np.ndim(rate) == 0 and np.isfinite(rate) and abs(rate) < 1):
        raise InputError(f"`rate` must be a continuous rate a year within (-1, 1), was {rate}; 3.6 % is 0.036")


def _with_forwards(rows: pd.DataFrame, rate: float | None, dividend_yield: float) -> pd.DataFrame:
    """``rows`` with the forward of its expiry; American middles are taken to their European equivalents first."""
    spot = float(rows["spot"].iloc[0]) if len(rows) else np.nan
    live = np.sort(rows.loc[rows["years"] > 0, "years"].unique())
    usable = rows[rows["reason"] == ""]
    american = bool((usable["style"] == "American").any())
    if american:
        away = np.log(usable["strike"] / spot).abs()
        usable = usable[away.groupby(usable["years"]).rank(method="dense") <= NEAR_STRIKES]
    terms: dict[str, Any] = {"spot": spot, "rate": rate, "dividend_yield": dividend_yield}
    table = plain = parity_forwards(parity_pairs(usable, usable["mid"]), live, **terms)
    for _ in range(ROUNDS if american else 0):
        premium = early_exercise(usable.join(table.set_index("years"), on="years"), usable["mid"])
        table = parity_forwards(parity_pairs(usable, usable["mid"] - premium), live, **terms)
    table = table.assign(**{name: plain[name] for name in ("parity_discount", "parity_forward")})
    told = rows.join(table.set_index("years"), on="years")
    told["reason"] = told["reason"].mask((told["reason"] == "") & told["forward"].isna(), "no forward")
    return told.reindex(columns=[*rows.columns, *(name for name in FORWARD_COLUMNS if name != "years")])


def _price_reasons(rows: pd.DataFrame) -> pd.Series:
    """``reason`` completed: why a middle that is there has no volatility."""
    sign = np.where(rows["right"] == "call", 1.0, -1.0)
    stock, cash = rows["forward"] * rows["discount"], rows["strike"] * rows["discount"]
    american, now = rows["style"] == "American", rows["parity_spot"]
    most, least = stock.where(sign > 0, cash), (sign * (stock - cash)).clip(lower=0.0)
    most = most.where(~american, np.maximum(most, now.where(sign > 0, rows["strike"])))
    least = least.where(~american, np.maximum(least, sign * (now - rows["strike"])))
    unsolved = (rows["reason"] == "") & rows["mid_volatility"].isna()
    rules = {
        "below intrinsic": unsolved & (rows["mid"] <= least * (1 + 1e-9)),
        "above bound": unsolved & (rows["mid"] >= most * (1 - 1e-9)),
        "not solved": unsolved,
    }
    return rows["reason"].where(~unsolved, first_true(rules, rows.index))


def _weights(rows: pd.DataFrame) -> Floats:
    """1 over half the spread in volatility of out-of-the-money quotes with both volatilities; else 0."""
    outside = (rows["log_moneyness"] >= 0) == (rows["right"] == "call")
    half = ((rows["ask_volatility"] - rows["bid_volatility"]) / 2).clip(lower=NARROWEST)
    return (1 / half).where(outside & rows["mid_volatility"].notna(), 0.0).fillna(0.0).to_numpy(dtype=float)

"""Marks: the price, volatility and delta of each option of a book, by quote or by model, with where they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sigmalib.core.instruments import parse_option
from sigmalib.core.market import MarketView
from sigmalib.core.times import expiry_instant, session_close, years_between
from sigmalib.risk.options import bsm_greeks, bsm_price, implied_volatility

PERIODS_PER_YEAR = 252
VOLATILITY_WINDOW, VOLATILITY_MINIMUM = 60, 20

MARK_COLUMNS = (
    *("underlying", "strike", "right", "style", "spot", "expiry_years", "rate", "dividend_yield"),
    *("volatility", "volatility_source", "price", "price_source", "delta"),
)


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
    carry, sign = terms["dividend_yield"], terms["right"]
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

"""Marks: the price, volatility and delta of each option of a book, by quote or by model, with where they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sigmalib.core.instruments import parse_option
from sigmalib.core.market import MarketView
from sigmalib.core.times import expiry_instant, session_close, years_between
from sigmalib.risk.pricing.models import RAW, model_values, model_volatility
from sigmalib.risk.volatility.chain import CHAIN_COLUMNS, implied_chain
from sigmalib.risk.volatility.surface import VolatilitySurface, fit_surface

PERIODS_PER_YEAR = 252
VOLATILITY_WINDOW, VOLATILITY_MINIMUM = 60, 20

MARK_COLUMNS = (
    *("underlying", "strike", "right", "style", "spot", "expiry_years", "rate", "dividend_yield"),
    *("volatility", "volatility_source", "price", "price_source", *RAW),
)


def realised_volatility(returns: pd.DataFrame) -> pd.Series:
    """Annualised volatility by symbol over the last 60 sessions, as a fraction; NaN with fewer than 20 returns.

    returns : simple one-session returns (session x symbol). Sample deviation of log returns (ddof 1) x sqrt(252).
    """
    recent = pd.DataFrame(np.log1p(returns.iloc[-VOLATILITY_WINDOW:]))
    return recent.std(ddof=1).where(recent.count() >= VOLATILITY_MINIMUM) * np.sqrt(PERIODS_PER_YEAR)


def mark(symbols: pd.Index, market: MarketView) -> pd.DataFrame:
    """Price, volatility and raw greeks of each option at the close of ``market.as_of``, with where they come from.

    The price is the middle of the quote when there is one, else the model's of the contract's own exercise style. The
    volatility is implied from that quote, or read off the surface of its underlying's chain, or the vendor's, or else
    realised over 60 sessions. An adjusted contract is priced per share it delivers, never by a quote, which is of the
    whole. NaN where spot, rate or volatility is unknown. Returns (symbol) x MARK_COLUMNS.
    """
    terms = _contract_terms(symbols, market)
    quotes = _quotes(symbols, market)
    middle = (quotes["bid"] + quotes["ask"]) / 2
    implied = model_volatility(middle, terms) if middle.notna().any() else middle
    lacking = terms.index[implied.isna()]
    candidates = {
        "implied from quote": implied,
        "surface": _from_surface(terms.loc[lacking], market).reindex(symbols),
        "quoted": quotes["implied_volatility"],
        "realised, 60 sessions": terms["underlying"].map(realised_volatility(market.returns)),
    }
    terms["volatility"], terms["volatility_source"] = _first_known(candidates)
    values = model_values(terms)
    terms["price"], terms["price_source"] = _first_known({"quote": middle, "model": values["price"]})
    return terms.join(values.drop(columns="price"))[list(MARK_COLUMNS)]


def chain_of(underlying: str, market: MarketView) -> pd.DataFrame:
    """The option chain of ``underlying`` at the close of ``market.as_of``; see ``chain.implied_chain``.

    Empty when the market has no quote of it that day, or no price of it.
    """
    spot, today = market.prices().get(underlying, np.nan), _today(market)
    quotes = today[today["underlying"] == underlying]
    if quotes.empty or not spot > 0:
        return pd.DataFrame(columns=list(CHAIN_COLUMNS))
    rate, carry = float(np.log1p(market.rate())), float(market.dividend_yields().get(underlying, np.nan))
    return implied_chain(
        quotes,
        as_of=market.as_of,
        spot=float(spot),
        rate=None if np.isnan(rate) else rate,
        dividend_yield=0.0 if np.isnan(carry) else carry,
    )


def surface_of(underlying: str, market: MarketView) -> VolatilitySurface | None:
    """The volatility surface of ``underlying``'s chain that day; None when no quote of it can be used."""
    chain = chain_of(underlying, market)
    return fit_surface(chain) if (chain["weight"] > 0).any() else None


def _from_surface(terms: pd.DataFrame, market: MarketView) -> pd.Series:
    """Volatilities of contracts without a usable quote of their own, from the others of their chain."""
    quoted = terms["underlying"].isin(_today(market)["underlying"])
    parts = [
        surface.volatility(rows["strike"], rows["expiry_years"])
        for underlying, rows in terms[quoted].groupby("underlying")
        if (surface := surface_of(str(underlying), market)) is not None
    ]
    return pd.concat(parts) if parts else pd.Series(np.nan, index=terms.index)


def _today(market: MarketView) -> pd.DataFrame:
    """The quotes of the as-of session, by symbol."""
    sessions = market.quotes.index.get_level_values("session")
    return market.quotes[sessions == pd.Timestamp(market.as_of)].droplevel("session")


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
    known = _today(market).reindex(symbols)
    two_sided = (known["bid"] > 0) & (known["ask"] >= known["bid"])
    usable = two_sided & ~np.array([parse_option(symbol).adjusted for symbol in symbols], dtype=bool)
    return known.assign(bid=known["bid"].where(usable), implied_volatility=known["implied_volatility"].where(usable))


def _first_known(candidates: dict[str, pd.Series]) -> tuple[pd.Series, pd.Series]:
    """The first known value of each row and the name of the candidate it comes from."""
    table = pd.DataFrame(candidates)
    known = table.notna()
    value = table.bfill(axis=1).iloc[:, 0]
    return value, known.idxmax(axis=1).where(known.any(axis=1)).astype("str")

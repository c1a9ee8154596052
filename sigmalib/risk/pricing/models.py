"""Models: the value and greeks of listed options, each by its own exercise style.

European contracts by Black-Scholes-Merton, American ones by the exercise boundary (Andersen, Lake and Offengenden,
2016); both with a continuous dividend yield. ``terms`` are frames by contract with spot, strike, expiry_years, rate,
dividend_yield, volatility, right ("call" or "put") and style ("European" or "American").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from sigmalib.risk.options import bsm_greeks, bsm_price, implied_volatility
from sigmalib.risk.pricing.american import american_greeks, american_implied_volatility

RAW = ("delta", "gamma", "vega", "theta", "rho")  # per 1.0 of spot, volatility and rate, per year
AMERICAN = "American"


def model_values(terms: pd.DataFrame) -> pd.DataFrame:
    """Price and raw greeks by contract (contract x price, delta, gamma, vega, theta, rho); NaN where a term is unknown.

    >>> terms = pd.DataFrame({"spot": 42.0, "strike": 40.0, "expiry_years": 0.5, "rate": 0.1, "dividend_yield": 0.0,
    ...     "volatility": 0.2, "right": "call", "style": ["European", "American"]})
    >>> model_values(terms)["price"].round(3).tolist()
    [4.759, 4.759]
    """
    return _by_style(terms, {False: _european, True: _american})


def model_volatility(price: pd.Series, terms: pd.DataFrame) -> pd.Series:
    """The volatility at which the model of each contract gives ``price``; NaN where none does."""
    priced = terms.assign(price=price)
    solvers = {False: _solved(implied_volatility), True: _solved(american_implied_volatility)}
    return _by_style(priced, solvers)["volatility"]


def _by_style(terms: pd.DataFrame, models: Mapping[bool, Callable[[pd.DataFrame], pd.DataFrame]]) -> pd.DataFrame:
    american = terms["style"] == AMERICAN
    parts = [models[style](terms[american == style]) for style in (False, True) if (american == style).any()]
    return pd.concat(parts).reindex(terms.index) if parts else models[False](terms)


def _european(terms: pd.DataFrame) -> pd.DataFrame:
    given = _arguments(terms)
    return pd.DataFrame({"price": bsm_price(**given), **_raw(bsm_greeks(**given))}, index=terms.index)


def _american(terms: pd.DataFrame) -> pd.DataFrame:
    found = american_greeks(**_arguments(terms), accuracy="accurate")
    return pd.DataFrame({"price": found["price"], **_raw(found)}, index=terms.index)


def _raw(greeks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: greeks[name] for name in RAW}


def _solved(solver: Callable[..., Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def solve(terms: pd.DataFrame) -> pd.DataFrame:
        given = {name: value for name, value in _arguments(terms).items() if name != "volatility"}
        return pd.DataFrame({"volatility": solver(terms["price"].to_numpy(float), **given)}, index=terms.index)

    return solve


def _arguments(terms: pd.DataFrame) -> dict[str, Any]:
    numbers = ("spot", "strike", "expiry_years", "rate", "volatility", "dividend_yield")
    given = {name: terms[name].to_numpy(float) for name in numbers if name in terms}
    return {**given, "right": terms["right"].to_numpy()}

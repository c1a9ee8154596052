"""The reference book of DEFINITIONS: stock, a short call, long puts and cash at a flat volatility of 25 %."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigmalib.portfolio.valuation import value
from sigmalib.risk.exposure import delta_adjusted, total
from sigmalib.risk.options import bsm_greeks, bsm_price
from tests.markets import book, market

CALL, PUT = "REF230226C00210000", "REF230226P00190000"
QUANTITIES = {"REF": 300.0, CALL: -5.0, PUT: 3.0}


def _marks() -> pd.DataFrame:
    terms = {"spot": 200.0, "strike": np.array([210.0, 190.0]), "expiry_years": 60 / 365, "rate": 0.04}
    rest = {"volatility": 0.25, "dividend_yield": 0.005, "right": ["call", "put"]}
    price, delta = bsm_price(**terms, **rest), bsm_greeks(**terms, **rest)["delta"]
    return pd.DataFrame({"price": price, "price_source": "model", "delta": delta}, index=[CALL, PUT])


def test_market_value_nav_and_dollar_delta():
    rows = [(symbol, quantity, 1.0, "2022-12-01") for symbol, quantity in QUANTITIES.items()]
    positions = book(*rows, ("CASH", 50_000, 1, "2022-12-01"))
    found = value(positions, market(names=("REF", "IDX"), last={"REF": 200.0}), marks=_marks())
    dollar_delta = delta_adjusted(found.holdings, _marks())
    assert found.market_value == pytest.approx(58_760.41, abs=0.005)
    assert found.nav == pytest.approx(108_760.41, abs=0.005)
    assert total(dollar_delta).net == pytest.approx(8_432.27, abs=0.005)
    assert total(dollar_delta).gross == pytest.approx(111_567.73, abs=0.005)


def test_notional_exposure_gives_puts_the_opposite_sign():
    rows = [(symbol, quantity, 1.0, "2022-12-01") for symbol, quantity in QUANTITIES.items()]
    found = value(book(*rows), market(names=("REF", "IDX"), last={"REF": 200.0}), marks=_marks())
    by_symbol = found.holdings.set_index("symbol")["exposure"]
    assert by_symbol.to_dict() == {"REF": 60_000.0, CALL: -100_000.0, PUT: -60_000.0}

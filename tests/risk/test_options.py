from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmalib.core.errors import InputError
from sigmalib.core.frames import QUOTES
from sigmalib.portfolio.positions import parse
from sigmalib.risk.options import bsm_greeks, bsm_price, implied_volatility, mark, realised_volatility
from sigmalib.risk.report import assess
from tests.markets import AS_OF, market

CALL, PUT = "AAA230317C00100000", "AAA230317P00100000"
positive = st.floats(0.01, 1000)


@given(positive, positive, st.floats(0, 5), st.floats(-0.05, 0.15), st.floats(0, 3), st.floats(-0.05, 0.15))
def test_put_call_parity(spot, strike, years, rate, volatility, carry):
    call, put = bsm_price(spot, strike, years, rate, volatility, dividend_yield=carry, right=["call", "put"])
    forward = spot * np.exp(-carry * years) - strike * np.exp(-rate * years)
    assert call - put == pytest.approx(forward, abs=1e-9 * max(spot, strike))


@given(st.floats(20, 500), st.floats(0.7, 1.4), st.floats(0.05, 3), st.floats(-0.02, 0.1), st.floats(0.1, 1))
def test_greeks_are_central_differences_of_the_price(spot, moneyness, years, rate, volatility):
    point = {"spot": spot, "strike": spot * moneyness, "expiry_years": years, "rate": rate, "volatility": volatility}
    greeks = bsm_greeks(**point, dividend_yield=0.02, right="put")

    def slope(name: str, step: float) -> float:
        up, down = ({**point, name: point[name] + sign * step} for sign in (1, -1))
        ends = [bsm_price(**bumped, dividend_yield=0.02, right="put") for bumped in (up, down)]
        return float(ends[0] - ends[1]) / (2 * step)

    assert greeks["delta"] == pytest.approx(slope("spot", spot * 1e-5), abs=1e-6)
    assert greeks["vega"] == pytest.approx(slope("volatility", 1e-5), rel=1e-4, abs=1e-5 * spot)
    assert greeks["rho"] == pytest.approx(slope("rate", 1e-5), rel=1e-4, abs=1e-5 * spot)
    assert greeks["theta"] == pytest.approx(-slope("expiry_years", 1e-6), rel=1e-4, abs=1e-4 * spot)


def test_long_call_delta_lies_between_zero_and_one():
    deltas = bsm_greeks(np.linspace(0, 300, 50), 100, 0.5, 0.03, 0.2, right="call")["delta"]
    assert ((deltas >= 0) & (deltas <= 1)).all()


def test_at_expiry_and_without_volatility_the_value_is_the_discounted_intrinsic():
    assert bsm_price([90, 110], 100, 0, 0.05, 0.2, right="call").tolist() == [0, 10]
    assert bsm_price(110, 100, 1, 0.05, 0.0, right="call") == pytest.approx(110 - 100 * np.exp(-0.05))
    assert bsm_price(0, 100, 1, 0.05, 0.2, right="put") == pytest.approx(100 * np.exp(-0.05))


def test_gamma_at_the_kink_is_unknown_and_zero_beside_it():
    gamma = bsm_greeks([100, 120], 100, 0, 0.0, 0.2, right="call")["gamma"]
    assert np.isnan(gamma[0])
    assert gamma[1] == 0


@pytest.mark.parametrize("field", ["spot", "strike", "expiry_years", "volatility"])
def test_negative_terms_give_an_unknown_price(field):
    terms = {"spot": 100.0, "strike": 100.0, "expiry_years": 1.0, "rate": 0.0, "volatility": 0.2, field: -1.0}
    assert np.isnan(bsm_price(**terms, right="call"))


def test_a_right_that_is_neither_call_nor_put_is_refused():
    with pytest.raises(InputError, match="'call' or 'put', was 'c'"):
        bsm_price(1, 1, 1, 0, 0.2, right="c")


@given(st.floats(0.8, 1.25), st.floats(0.1, 2), st.floats(0.15, 1.5))
def test_implied_volatility_gives_the_price_back(moneyness, years, volatility):
    price = bsm_price(100, 100 * moneyness, years, 0.03, volatility, right="call")
    found = implied_volatility(price, 100, 100 * moneyness, years, 0.03, right="call")
    assert bsm_price(100, 100 * moneyness, years, 0.03, found, right="call") == pytest.approx(price, abs=1e-9)


def test_a_price_outside_the_bounds_has_no_volatility():
    assert np.isnan(implied_volatility([1.0, 150.0], 100, 90, 1, 0.0, right="call")).all()


def test_realised_volatility_annualises_the_last_sixty_log_returns_and_needs_twenty():
    returns = market().returns.copy()
    returns.loc[returns.index[:-19], "BBB"] = np.nan
    found = realised_volatility(returns)
    assert found["AAA"] == pytest.approx(np.log1p(returns["AAA"].iloc[-60:]).std(ddof=1) * np.sqrt(252))
    assert np.isnan(found["BBB"])


def test_without_a_quote_the_mark_is_the_model_at_realised_volatility():
    found = mark(pd.Index([CALL, PUT]), market())
    assert found["price_source"].tolist() == ["model", "model"]
    assert found["volatility_source"].tolist() == ["realised, 60 sessions"] * 2
    assert found["style"].tolist() == ["American"] * 2
    assert found["expiry_years"].tolist() == pytest.approx([(79 * 86_400 - 3600) / (365 * 86_400)] * 2)


def test_a_two_sided_quote_is_the_price_and_gives_the_volatility():
    index = pd.MultiIndex.from_tuples([(pd.Timestamp("2022-12-28"), CALL)], names=["session", "symbol"])
    quotes = pd.DataFrame({"underlying": "AAA", "bid": 9.9, "ask": 10.1, "implied_volatility": 0.9}, index=index)
    found = mark(pd.Index([CALL]), market(last={"AAA": 100.0}, quotes=quotes)).iloc[0]
    assert (found.price, found.price_source, found.volatility_source) == (10.0, "quote", "implied from quote")
    terms = (found.spot, found.strike, found.expiry_years, found.rate, found.volatility)
    assert bsm_price(*terms, right="call") == pytest.approx(10.0)


def test_a_one_sided_quote_is_no_price():
    index = pd.MultiIndex.from_tuples([(pd.Timestamp("2022-12-28"), CALL)], names=["session", "symbol"])
    quotes = pd.DataFrame({"underlying": "AAA", "bid": 0.0, "ask": 10.1, "implied_volatility": np.nan}, index=index)
    assert mark(pd.Index([CALL]), market(quotes=quotes))["price_source"].tolist() == ["model"]


def test_an_adjusted_contract_is_priced_per_share_by_model_and_never_by_a_quote_of_the_whole():
    symbol = "AAA1230317C00100000"
    index = pd.MultiIndex.from_tuples([(pd.Timestamp(AS_OF), symbol)], names=list(QUOTES.index))
    quotes = pd.DataFrame({"underlying": "AAA", "bid": 55.0, "ask": 56.0}, index=index)
    found = mark(pd.Index([symbol, "AAA230317C00100000"]), market(quotes=quotes))
    assert found["price"].iloc[0] == found["price"].iloc[1]
    assert set(found["price_source"]) == {"model"}


def test_an_adjusted_contract_has_a_value_once_its_deliverable_is_given():
    rows = pd.DataFrame(
        {"ticker": ["AAA1230317C00050000"], "quantity": 2, "entry_price": 5, "entry_date": "2022-10-03"}
    )
    refused, given = (parse(table, as_of=AS_OF)[0] for table in (rows, rows.assign(multiplier=150)))
    for positions, known in ((refused, False), (given, True)):
        report = assess(positions, market())
        assert report.holdings["market_value"].notna().all() == known
        assert report.missing["reason"].str.contains("column multiplier").any() == (not known)
    price = assess(given, market()).holdings["price"].iloc[0]
    assert assess(given, market()).holdings["market_value"].iloc[0] == pytest.approx(2 * 150 * price)


def test_the_empty_list_of_options_has_no_marks():
    assert mark(pd.Index([], dtype="str"), market()).empty
    assert QUOTES.empty().empty

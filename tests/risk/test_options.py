from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmalib.core.errors import InputError
from sigmalib.risk.options import bsm_greeks, bsm_price, implied_volatility

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

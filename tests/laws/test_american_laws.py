"""What every American option obeys, and that no input can break the loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, mutually_broadcastable_shapes

from sigmalib.risk.options import bsm_price
from sigmalib.risk.pricing.american import american_greeks, american_price

spots = st.floats(20, 300)
years = st.floats(0.005, 5)
rates = st.floats(-0.05, 0.15)
volatilities = st.floats(0.05, 1.0)
rights = st.sampled_from(["call", "put"])
anything = st.floats(allow_nan=True, allow_infinity=True)


def price(spot: float, time: float, rate: float, carry: float, volatility: float, right: str) -> float:
    return float(
        american_price(spot, 100, time, rate, volatility, dividend_yield=carry, right=right, accuracy="accurate")
    )


@settings(max_examples=60, deadline=None)
@given(spots, years, rates, rates, volatilities, rights)
def test_no_less_than_european_nor_than_exercise_now(
    spot: float, time: float, rate: float, carry: float, volatility: float, right: str
) -> None:
    found = price(spot, time, rate, carry, volatility, right)
    european = float(bsm_price(spot, 100, time, rate, volatility, dividend_yield=carry, right=right))
    intrinsic = max(spot - 100, 0) if right == "call" else max(100 - spot, 0)
    assert found >= max(european, intrinsic) - 1e-9


@settings(max_examples=40, deadline=None)
@given(spots, years, rates, rates, volatilities, rights)
def test_more_time_or_volatility_is_never_worth_less(
    spot: float, time: float, rate: float, carry: float, volatility: float, right: str
) -> None:
    found = price(spot, time, rate, carry, volatility, right)
    assert price(spot, 1.3 * time, rate, carry, volatility, right) >= found - 1e-3
    assert price(spot, time, rate, carry, 1.2 * volatility, right) >= found - 1e-3


@settings(max_examples=40, deadline=None)
@given(spots, years, rates, rates, volatilities)
def test_a_call_is_the_put_with_spot_and_strike_and_rate_and_yield_exchanged(
    spot: float, time: float, rate: float, carry: float, volatility: float
) -> None:
    call = american_price(spot, 100, time, rate, volatility, dividend_yield=carry, right="call")
    put = american_price(100, spot, time, carry, volatility, dividend_yield=rate, right="put")
    assert float(call) == pytest.approx(float(put), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(spots, years, st.floats(0.001, 0.15), st.floats(0.001, 0.15), volatilities, rights)
def test_greeks_close_the_pricing_equation_or_are_those_of_exercise(
    spot: float, time: float, rate: float, carry: float, volatility: float, right: str
) -> None:
    g = {
        name: float(value)
        for name, value in american_greeks(spot, 100, time, rate, volatility, dividend_yield=carry, right=right).items()
    }
    if g["gamma"] == g["vega"] == 0 and abs(g["delta"]) == 1:
        assert g["theta"] == g["rho"] == 0
        return
    diffusion = 0.5 * volatility**2 * spot**2 * g["gamma"]
    rest = g["theta"] + (rate - carry) * spot * g["delta"] + diffusion - rate * g["price"]
    assert rest == pytest.approx(0, abs=1e-2)


@settings(max_examples=150, deadline=None)
@given(anything, anything, anything, anything, anything, anything, rights)
def test_garbage_is_a_sound_number_or_nan(
    spot: float, strike: float, time: float, rate: float, carry: float, volatility: float, right: str
) -> None:
    found = american_greeks(spot, strike, time, rate, volatility, dividend_yield=carry, right=right)
    value = float(found["price"])
    known = np.isfinite([spot, strike, time, rate, carry, volatility]).all()
    if not known or min(spot, time, volatility) < 0 or strike <= 0:
        assert np.isnan(value)
    elif not np.isnan(value):
        assert value >= max((spot - strike) if right == "call" else (strike - spot), 0) * (1 - 1e-9)


@settings(max_examples=30, deadline=None)
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=4), st.data())
def test_any_shapes_that_go_together_give_their_common_shape(shapes: object, data: st.DataObject) -> None:
    first, second = shapes.input_shapes  # type: ignore[attr-defined]
    spot, volatility = (
        data.draw(arrays(float, first, elements=spots)),
        data.draw(arrays(float, second, elements=anything)),
    )
    found = american_price(spot, 100, 1, 0.05, volatility, right="put")
    assert np.shape(found) == shapes.result_shape  # type: ignore[attr-defined]

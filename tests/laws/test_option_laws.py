"""What holds of every European option: parity, homogeneity, monotony, greeks as differences, no crash on garbage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sigmalib.core.errors import InputError
from sigmalib.risk.options import REASONS, black76_price, bsm, bsm_greeks, bsm_price, implied, implied_volatility

law = settings(deadline=None, max_examples=60)  # the first example may import the compiler
positive = st.floats(0.01, 1000)
rates = st.floats(-0.05, 0.15)
rights = st.sampled_from(["call", "put"])
wild = st.one_of(
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 100.0, 5e-324, 1e-300, 1e300, 1.7e308, np.nan, np.inf, -np.inf]),
)
shapes = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1), (0,)])
NAMES = ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm")


@law
@given(positive, positive, st.floats(0, 5), rates, st.floats(0, 3), rates)
def test_put_call_parity(spot, strike, years, rate, volatility, carry):
    found = bsm(spot, strike, years, rate, volatility, dividend_yield=carry, right=["call", "put"])
    stock, cash = spot * np.exp(-carry * years), strike * np.exp(-rate * years)
    assert found["price"][0] - found["price"][1] == pytest.approx(stock - cash, abs=4e-15 * max(stock, cash))
    assert found["delta"][0] - found["delta"][1] == pytest.approx(np.exp(-carry * years), rel=1e-14)
    assert found["rho"][0] - found["rho"][1] == pytest.approx(years * cash, rel=1e-14)
    for name in ("gamma", "vega", "vanna", "volga"):
        assert np.array_equal(*found[name], equal_nan=True), name


@law
@given(st.floats(20, 500), st.floats(0.7, 1.4), st.floats(0.05, 3), rates, st.floats(0.1, 1), rates, rights)
def test_greeks_are_central_differences(spot, moneyness, years, rate, volatility, carry, right):
    point = {"spot": spot, "strike": spot * moneyness, "expiry_years": years, "rate": rate, "volatility": volatility}
    greeks = bsm_greeks(**point, dividend_yield=carry, right=right)

    def slope(greek: str, name: str, step: float) -> float:
        ends = {**point, name: point[name] + np.array([step, -step])}
        up, down = bsm(**ends, dividend_yield=carry, right=right)[greek]
        return float(up - down) / (2 * step)

    near = {"rel": 1e-6, "abs": 1e-6}
    assert greeks["delta"] == pytest.approx(slope("price", "spot", spot * 1e-5), **near)
    assert greeks["gamma"] * spot == pytest.approx(slope("delta", "spot", spot * 1e-5) * spot, **near)
    assert greeks["vega"] / spot == pytest.approx(slope("price", "volatility", 1e-5) / spot, **near)
    assert greeks["rho"] / spot == pytest.approx(slope("price", "rate", 1e-5) / spot, **near)
    assert greeks["theta"] / spot == pytest.approx(-slope("price", "expiry_years", years * 1e-5) / spot, **near)
    assert greeks["vanna"] == pytest.approx(slope("delta", "volatility", 1e-5), **near)
    assert greeks["volga"] / spot == pytest.approx(slope("vega", "volatility", 1e-5) / spot, **near)
    assert greeks["charm"] == pytest.approx(-slope("delta", "expiry_years", years * 1e-5), **near)


@law
@given(positive, positive, st.floats(0, 5), rates, st.floats(0, 3), rates, rights, st.floats(1e-6, 1e6))
def test_twice_the_spot_and_strike_is_twice_the_price(spot, strike, years, rate, volatility, carry, right, scale):
    terms = {"dividend_yield": carry, "right": right}
    once, scaled = bsm_price([spot, spot * scale], [strike, strike * scale], years, rate, volatility, **terms)
    assert scaled == pytest.approx(once * scale, rel=1e-12, abs=1e-14 * scale * max(spot, strike))


@law
@given(positive, positive, st.floats(0, 5), rates, rates, rights)
def test_a_price_rises_with_volatility_from_the_intrinsic_value_to_its_bound(spot, strike, years, rate, carry, right):
    volatility = np.append(np.linspace(0, 3, 61), 1e4)
    price = bsm_price(spot, strike, years, rate, volatility, dividend_yield=carry, right=right)
    stock, cash = spot * np.exp(-carry * years), strike * np.exp(-rate * years)
    slack = 2e-15 * max(stock, cash)
    lowest = max(stock - cash if right == "call" else cash - stock, 0.0)
    assert (np.diff(price) >= -slack).all()
    assert price[0] == pytest.approx(lowest, abs=slack)
    assert price[-1] <= (stock if right == "call" else cash) + slack


@law
@given(positive, st.floats(0, 5), rates, st.floats(0.01, 3), rates, rights)
def test_a_price_is_monotone_and_convex_in_the_strike(spot, years, rate, volatility, carry, right):
    strikes = spot * np.linspace(0.2, 3, 57)
    price = bsm_price(spot, strikes, years, rate, volatility, dividend_yield=carry, right=right)
    slope, slack = np.diff(price) * (1 if right == "put" else -1), 1e-14 * 8 * spot
    assert (slope >= -slack).all()
    assert (np.diff(price, 2) >= -slack).all()


@law
@given(positive, positive, st.floats(0, 5), rates, st.floats(0, 3), rates, rights)
def test_an_option_on_the_forward_is_worth_what_it_is_on_the_spot(spot, strike, years, rate, volatility, carry, right):
    forward = spot * np.exp((rate - carry) * years)
    ours = black76_price(forward, strike, years, rate, volatility, right=right)
    slack = 1e-14 * max(spot, strike) * np.exp(0.05 * years)
    merton = bsm_price(spot, strike, years, rate, volatility, dividend_yield=carry, right=right)
    assert ours == pytest.approx(merton, rel=1e-9, abs=slack)


@law
@given(st.floats(-2, 2), st.floats(1e-4, 10), rates, st.floats(0.01, 4), rates, rights)
def test_implied_volatility_gives_the_volatility_back(moneyness, years, rate, volatility, carry, right):
    terms = {"spot": 100.0, "strike": 100.0 * np.exp(moneyness), "expiry_years": years, "rate": rate}
    known = bsm(**terms, volatility=volatility, dividend_yield=carry, right=right)
    found = implied_volatility(known["price"], **terms, dividend_yield=carry, right=right)
    rounding = 4e-16 * (terms["strike"] + 100) * (1 + years) / max(float(known["vega"]), 1e-300)
    if rounding < 0.01 * volatility:
        assert found == pytest.approx(volatility, abs=4 * rounding, rel=4e-15)


@law
@given(st.lists(wild, min_size=6, max_size=6), rights)
def test_no_garbage_makes_a_wrong_price(terms, right):
    spot, strike, years, rate, carry, volatility = terms
    found = bsm(spot, strike, years, rate, volatility, dividend_yield=carry, right=right)
    senseless = not all(map(np.isfinite, terms)) or spot < 0 or strike < 0 or years < 0 or volatility < 0
    assert not any(np.isinf(found[name]) for name in NAMES)
    if senseless:
        assert all(np.isnan(found[name]) for name in NAMES)
    elif np.isfinite(found["price"]):
        with np.errstate(over="ignore"):
            most = spot * np.exp(-carry * years) if right == "call" else strike * np.exp(-rate * years)
        assert 0 <= found["price"] <= most * (1 + 1e-12) or abs(carry * years) + abs(rate * years) > 100


@law
@given(st.lists(wild, min_size=6, max_size=6), rights)
def test_no_garbage_makes_a_wrong_volatility(terms, right):
    price, spot, strike, years, rate, carry = terms
    found = implied(price, spot, strike, years, rate, dividend_yield=carry, right=right)
    assert np.isnan(found.volatility) == (int(found.reason) > 0)
    assert 0 <= int(found.reason) < len(REASONS)
    if not np.isnan(found.volatility) and abs(rate * years) + abs(carry * years) < 1:
        back = bsm(spot, strike, years, rate, found.volatility, dividend_yield=carry, right=right)
        slack = 1e-13 * float(found.volatility * back["vega"] + spot + strike) + 1e-300
        assert back["price"] == pytest.approx(price, rel=1e-9, abs=slack)


@law
@given(st.lists(st.tuples(shapes, wild), min_size=6, max_size=6), shapes)
def test_mixed_shapes_go_together_as_in_numpy_or_are_refused(terms, of_right):
    given_arrays = [np.full(shape, value) for shape, value in terms]
    right = np.full(of_right, "put")
    try:
        shape = np.broadcast_shapes(*(array.shape for array in given_arrays), of_right)
    except ValueError:
        with pytest.raises(InputError, match="one shape"):
            bsm_greeks(*given_arrays[:5], dividend_yield=given_arrays[5], right=right)
        return
    greeks = bsm_greeks(*given_arrays[:5], dividend_yield=given_arrays[5], right=right)
    assert {greeks[name].shape for name in NAMES[1:]} == {shape}


@law
@given(arrays.arrays(float, 5, elements=wild), st.lists(st.text(max_size=3), min_size=5, max_size=5))
def test_a_series_keeps_its_index_whatever_is_in_it(strikes, labels):
    series = pd.Series(strikes, index=labels)
    price = bsm_price(100, series, 1, 0.02, 0.2, right="call")
    assert price.index.equals(series.index)
    assert np.array_equal(price.to_numpy(), bsm_price(100, strikes, 1, 0.02, 0.2, right="call"), equal_nan=True)

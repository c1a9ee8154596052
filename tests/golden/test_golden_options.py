"""Published option values: Hull, *Options, Futures, and Other Derivatives*."""

from __future__ import annotations

import numpy as np
import pytest

from sigmalib.risk.options import bsm_greeks, bsm_price, implied_volatility


def test_hull_european_call_and_put():
    assert bsm_price(42, 40, 0.5, 0.10, 0.20, right=["call", "put"]) == pytest.approx([4.759422, 0.808599], abs=5e-7)


def test_hull_greeks_of_a_call():
    greeks = bsm_greeks(49, 50, 20 / 52, 0.05, 0.20, right="call")
    assert bsm_price(49, 50, 20 / 52, 0.05, 0.20, right="call") == pytest.approx(2.400527, abs=5e-7)
    expected = {"delta": 0.521605, "gamma": 0.065544, "vega": 12.10548, "theta": -4.30533, "rho": 8.906962}
    assert {name: float(value) for name, value in greeks.items()} == pytest.approx(expected, rel=2e-6)


def test_hull_implied_volatility():
    assert implied_volatility(1.875, 21, 20, 0.25, 0.10, right="call") == pytest.approx(0.234513, abs=5e-7)


def test_delta_with_a_yield_equal_to_the_rate():
    greeks = bsm_greeks(105, 100, 0.5, 0.10, 0.36, dividend_yield=0.10, right=np.array([1, -1]))
    assert greeks["delta"] == pytest.approx([0.5946, -0.3566], abs=5e-5)
    assert greeks["delta"][1] * 105 / bsm_price(105, 100, 0.5, 0.1, 0.36, dividend_yield=0.1, right="put") == (
        pytest.approx(-4.8775, abs=5e-5)
    )

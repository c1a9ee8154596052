"""Option values from books, and from the formulas themselves with a hundred digits."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest

from sigmalib.risk.options import black76_price, bsm, bsm_greeks, bsm_price, escrowed_spot, implied_volatility

PI = Decimal("3.141592653589793238462643383279502884197169399375105820974944592307816406286208998628034825342117068")
EPSILON = 2.0**-52


def test_hull_european_call_and_put():
    assert bsm_price(42, 40, 0.5, 0.10, 0.20, right=["call", "put"]) == pytest.approx([4.759422, 0.808599], abs=5e-7)


def test_hull_greeks_of_a_call():
    greeks = bsm_greeks(49, 50, 20 / 52, 0.05, 0.20, right="call")
    assert bsm_price(49, 50, 20 / 52, 0.05, 0.20, right="call") == pytest.approx(2.400527, abs=5e-7)
    expected = {"delta": 0.521605, "gamma": 0.065544, "vega": 12.10548, "theta": -4.30533, "rho": 8.906962}
    assert {name: float(greeks[name]) for name in expected} == pytest.approx(expected, rel=2e-6)


def test_hull_implied_volatility():
    assert implied_volatility(1.875, 21, 20, 0.25, 0.10, right="call") == pytest.approx(0.234513, abs=5e-7)


def test_delta_with_a_yield_equal_to_the_rate():
    greeks = bsm_greeks(105, 100, 0.5, 0.10, 0.36, dividend_yield=0.10, right=np.array([1, -1]))
    assert greeks["delta"] == pytest.approx([0.5946, -0.3566], abs=5e-5)
    assert greeks["delta"][1] * 105 / bsm_price(105, 100, 0.5, 0.1, 0.36, dividend_yield=0.1, right="put") == (
        pytest.approx(-4.8775, abs=5e-5)
    )


def test_hull_option_on_a_future():
    assert black76_price(20, 20, 4 / 12, 0.09, 0.25, right="put") == pytest.approx(1.12, abs=5e-3)


def test_hull_call_on_a_stock_with_two_dividends():
    spot = escrowed_spot(40, 0.09, [(2 / 12, 0.5), (5 / 12, 0.5)], 0.5)
    assert bsm_price(spot, 40, 0.5, 0.09, 0.30, right="call") == pytest.approx(3.67, abs=5e-3)


def cases(count: int) -> dict[str, np.ndarray]:
    """Terms whose out-of-the-money value goes down to 1e-250: |d| to 33, total volatility from 0.001 to 8."""
    rng = np.random.default_rng(60)
    spot, years = rng.uniform(20, 400, count), 10.0 ** rng.uniform(-3.5, 1.3, count)
    deviation = 10.0 ** rng.uniform(-3, 0.9, count)
    distance = rng.uniform(-1, 1, count) * 10.0 ** rng.uniform(-1, 1.5, count)
    rate, carry = rng.choice([0, 0.05, -0.03, 0.1], count), rng.choice([0, 0.02, -0.01, 0.08], count)
    return {
        "spot": spot,
        "strike": spot * np.exp(distance * deviation),
        "expiry_years": years,
        "rate": rate,
        "volatility": deviation / np.sqrt(years),
        "dividend_yield": carry,
        "right": np.where(rng.random(count) < 0.5, 1, -1),
    }


def density(x: Decimal) -> Decimal:
    return (-x * x / 2).exp() / (2 * PI).sqrt()


def cumulative(x: Decimal) -> Decimal:
    """Normal distribution function: its series near zero, Laplace's continued fraction beyond."""
    distance = abs(x)
    if distance < 11:
        term = total = distance
        odd = 1
        while term > Decimal("1e-105"):
            odd += 2
            term = term * distance * distance / odd
            total += term
        tail = Decimal("0.5") - density(distance) * total
    else:
        fraction = distance
        for step in range(200, 0, -1):
            fraction = distance + step / fraction
        tail = density(distance) / fraction
    return tail if x < 0 else 1 - tail


def exact(*terms: float) -> dict[str, Decimal]:
    """Price and greeks by the textbook's formulas, and the size of the legs, with a hundred digits."""
    s, k, t, r, v, q, w = map(Decimal, terms)
    growth, cash = (-q * t).exp(), k * (-r * t).exp()
    stock, deviation = s * growth, v * t.sqrt()
    d1 = (stock / cash).ln() / deviation + deviation / 2
    d2 = d1 - deviation
    held, owed, height = stock * cumulative(w * d1), cash * cumulative(w * d2), stock * density(d1)
    return {
        "price": w * (held - owed),
        "delta": w * held / s,
        "gamma": height / (s * s * deviation),
        "vega": height * t.sqrt(),
        "theta": w * (q * held - r * owed) - height * v / (2 * t.sqrt()),
        "rho": w * t * owed,
        "vanna": -height / s * d2 / v,
        "volga": height * t.sqrt() * d1 * d2 / v,
        "charm": q * w * held / s - height / s * ((r - q) / deviation - d2 / (2 * t)),
        "legs": held + owed + v * height * t.sqrt(),
        "d": abs(d1) + abs(d2),
    }


@pytest.fixture(scope="module")
def truth() -> tuple[dict[str, np.ndarray], list[dict[str, Decimal]]]:
    terms = cases(150)
    with localcontext() as context:
        context.prec = 110
        return terms, [exact(*row) for row in zip(*(values.tolist() for values in terms.values()), strict=True)]


def test_prices_are_right_to_the_last_digits_that_can_be_had(truth):
    """In units of the larger of spot and strike, and in the tails in units of what a rounding of the terms changes."""
    terms, known = truth
    price = bsm(**terms)["price"].tolist()
    absolute, attainable = [], []
    for row, right in enumerate(known):
        error = abs(Decimal(price[row]) - right["price"])
        absolute.append(float(error) / max(terms["spot"][row], terms["strike"][row]))
        size = right["legs"] * (1 + abs(Decimal(terms["rate"][row] * terms["expiry_years"][row])))
        if right["price"] > Decimal("1e-290"):
            attainable.append(float(error / size) / EPSILON)
    assert max(absolute) < 1e-15, f"largest error of max(S, K): {max(absolute):.1e}"
    assert max(attainable) < 4, f"largest error in units of what is attainable: {max(attainable):.1f}"


def test_greeks_are_right_to_the_rounding_of_their_terms(truth):
    """A greek may lose d^2 / s of its digits: about as much as one rounding of the spot changes it."""
    terms, known = truth
    found, worst = bsm(**terms), {}
    for name in ("delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm"):
        values = found[name].tolist()
        for row, right in enumerate(known):
            deviation = terms["volatility"][row] * np.sqrt(terms["expiry_years"][row])
            curve, size = right["gamma"] * Decimal(terms["spot"][row]), 1 + right["d"]  # curve: of delta for 100 % spot
            tilt = right["vega"] / Decimal(terms["volatility"][row]) * size
            step = size**3 * Decimal(EPSILON) * (1 + 1 / Decimal(deviation))
            unit = {"delta": abs(right["delta"]) + curve, "rho": abs(right["rho"]) + right["legs"] * size}
            unit |= {"vanna": tilt / Decimal(terms["spot"][row]), "volga": tilt * size, "theta": right["legs"]}
            scale = unit.get(name, abs(right[name])) + (abs(right["delta"]) + curve if name == "charm" else 0)
            if scale > Decimal("1e-290"):
                error = float(abs(Decimal(values[row]) - right[name]) / (scale * step))
                worst[name] = max(worst.get(name, 0.0), error)
    assert max(worst.values()) < 10, f"largest errors, in units of a rounding: {worst}"


def test_implied_volatilities_are_right_to_a_few_roundings(truth):
    """Recovered from the rounded true price, in units of what a rounding of price and terms changes."""
    terms, known = truth
    volatility = terms["volatility"]
    price = np.array([float(right["price"]) for right in known])
    quoted = {name: values for name, values in terms.items() if name != "volatility"}
    found = implied_volatility(price, **quoted)
    vega = np.array([max(float(right["vega"]), 1e-290) for right in known])
    legs = np.array([float(right["legs"]) for right in known]) + price
    carried = (
        1 + np.abs(terms["rate"] * terms["expiry_years"]) + np.abs(terms["dividend_yield"] * terms["expiry_years"])
    )
    rounding = EPSILON * np.maximum(legs * carried / vega, volatility)
    asked = (price > 1e-300) & (rounding < 0.01 * volatility)
    errors = np.abs(found - volatility)[asked] / rounding[asked]
    assert asked.sum() > 100
    assert errors.max() < 4, f"largest of {asked.sum()} errors: {errors.max():.1f} roundings"


def test_prices_and_volatilities_near_the_money_with_hardly_any_time_keep_their_digits():
    """Deviations of 1e-5 to 1e-2 within six of the strike: the ratio of spot and strike must not be rounded first."""
    rng = np.random.default_rng(61)
    spot, years = rng.uniform(20, 400, 200), 10.0 ** rng.uniform(-3, 0, 200)
    deviation = 10.0 ** rng.uniform(-5, -2, 200)
    strike = spot * np.exp(rng.uniform(0, 6, 200) * deviation)
    volatility = deviation / np.sqrt(years)
    with localcontext() as context:
        context.prec = 110
        rows = zip(spot.tolist(), strike.tolist(), years.tolist(), volatility.tolist(), strict=True)
        price = [float(exact(s, k, t, 0.0, v, 0.0, 1)["price"]) for s, k, t, v in rows]
    ours = bsm_price(spot, strike, years, 0.0, volatility, right="call"), price
    found = implied_volatility(price, spot, strike, years, 0.0, right="call"), volatility
    worst = [float(np.abs(a / np.asarray(b) - 1).max() / EPSILON) for a, b in (ours, found)]
    assert worst[0] < 1_200, f"largest relative errors of prices and volatilities: {worst} roundings"
    assert worst[1] < 20, f"largest relative errors of prices and volatilities: {worst} roundings"

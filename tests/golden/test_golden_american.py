"""American options by the book: published tables and a tree that is computed here."""

from __future__ import annotations

import numpy as np
import pytest

from sigmalib.risk.pricing.american import american_dividend_price, american_greeks, american_price

HULL = (50, 50, 5 / 12, 0.10, 0.40)  # Hull, chapter on basic numerical procedures: American put
# Longstaff and Schwartz (2001), table 1: spot, volatility, years, value by finite differences; strike 40, rate 6 %.
LONGSTAFF_SCHWARTZ = [
    (36, 0.20, 1, 4.478), (36, 0.20, 2, 4.840), (36, 0.40, 1, 7.101), (36, 0.40, 2, 8.508),
    (38, 0.20, 1, 3.250), (38, 0.20, 2, 3.745), (38, 0.40, 1, 6.148), (38, 0.40, 2, 7.670),
    (40, 0.20, 1, 2.314), (40, 0.20, 2, 2.885), (40, 0.40, 1, 5.312), (40, 0.40, 2, 6.920),
    (42, 0.20, 1, 1.617), (42, 0.20, 2, 2.212), (42, 0.40, 1, 4.582), (42, 0.40, 2, 6.248),
    (44, 0.20, 1, 1.110), (44, 0.20, 2, 1.690), (44, 0.40, 1, 3.948), (44, 0.40, 2, 5.647),
]  # fmt: skip


def tree(spot: float, strike: float, years: float, rate: float, volatility: float, steps: int) -> float:
    """American put of Cox, Ross and Rubinstein (1979)."""
    dt = years / steps
    up = np.exp(volatility * np.sqrt(dt))
    chance = (np.exp(rate * dt) - 1 / up) / (up - 1 / up)
    value = np.zeros(steps + 1)
    for step in range(steps, -1, -1):
        spots = spot * up ** (2.0 * np.arange(step + 1) - step)
        if step < steps:
            value = np.exp(-rate * dt) * (chance * value[1:] + (1 - chance) * value[:-1])
        value = np.maximum(value, strike - spots)
    return float(value[0])


def test_five_steps_of_a_tree_are_hulls() -> None:
    assert tree(*HULL, steps=5) == pytest.approx(4.488459, abs=5e-7)


@pytest.mark.parametrize("accuracy", ["fast", "accurate"])
def test_hulls_put_is_the_limit_of_the_tree_and_no_approximation_of_it(accuracy: str) -> None:
    price = float(american_price(*HULL, right="put", accuracy=accuracy))
    assert price == pytest.approx(4.2842, abs=2e-4)
    assert price == pytest.approx((tree(*HULL, steps=1000) + tree(*HULL, steps=1001)) / 2, abs=5e-4)
    assert price != pytest.approx(4.22743, abs=0.01), "that is Bjerksund and Stensland's lower bound"


def test_longstaff_and_schwartz_table_1_is_met_to_the_error_of_its_grid() -> None:
    spot, volatility, years, published = np.array(LONGSTAFF_SCHWARTZ).T
    found = american_price(spot, 40, years, 0.06, volatility, right="put", accuracy="accurate")
    # theirs is exercised 50 times a year, ours at any time: up to 1 % more
    assert ((found - published > -2e-3) & (found - published < 1.2e-2)).all(), found - published


def test_a_call_on_a_stock_without_dividends_is_european() -> None:
    assert float(american_price(42, 40, 0.5, 0.10, 0.20, right="call")) == pytest.approx(4.759422, abs=5e-7)
    greeks = american_greeks(42, 40, 0.5, 0.10, 0.20, right="call")
    assert float(greeks["delta"]) == pytest.approx(0.7791, abs=5e-5)


def test_a_perpetual_put_is_mertons() -> None:
    """Merton (1973): with rate 5 % and volatility 30 %, p = -2 rate / variance and B = K p / (p - 1)."""
    power = -2 * 0.05 / 0.09
    edge = 100 * power / (power - 1)
    found = float(american_price(100, 100, 2_000, 0.05, 0.30, right="put"))
    assert found == pytest.approx((100 - edge) * (100 / edge) ** power, rel=1e-12)


def test_a_dividend_that_is_above_the_interest_makes_a_call_be_exercised_before_it() -> None:
    """With a dividend of nearly the spot the call is one that expires on the day before it."""
    early = float(american_price(100, 100, 0.5, 0.05, 0.2, right="call"))
    found = float(american_dividend_price(100, 100, 1, 0.05, 0.2, dividends=[(0.5, 90.0)], right="call"))
    assert found == pytest.approx(early, abs=1e-3)

"""European options at their limits, in the caller's shapes, and beside other programs."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.options import (
    REASONS,
    Greeks,
    american_greeks,
    american_price,
    black76_greeks,
    black76_price,
    bsm,
    bsm_greeks,
    bsm_price,
    escrowed_spot,
    implied,
    implied_volatility,
)

ALL = ["delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm"]
POINT = {"spot": 100.0, "strike": 95.0, "expiry_years": 0.7, "rate": 0.04, "volatility": 0.3}


def book(count: int, *, seed: int) -> dict[str, np.ndarray]:
    """Random options: deep wings, short and long expiries, negative rates and yields."""
    rng = np.random.default_rng(seed)
    spot = rng.uniform(20, 400, count)
    return {
        "spot": spot,
        "strike": spot * np.exp(rng.uniform(-1.0, 1.0, count)),
        "expiry_years": 10.0 ** rng.uniform(-2.5, 1, count),
        "rate": rng.uniform(-0.03, 0.12, count),
        "volatility": 10.0 ** rng.uniform(-1, 0.2, count),
        "dividend_yield": rng.uniform(-0.01, 0.1, count),
        "right": np.where(rng.random(count) < 0.5, 1, -1).astype(np.int8),
    }


def test_long_call_delta_lies_between_zero_and_one():
    deltas = bsm_greeks(np.linspace(0, 300, 50), 100, 0.5, 0.03, 0.2, right="call")["delta"]
    assert ((deltas >= 0) & (deltas <= 1)).all()


def test_at_expiry_and_without_volatility_the_value_is_the_discounted_intrinsic():
    assert bsm_price([90, 110], 100, 0, 0.05, 0.2, right="call").tolist() == [0, 10]
    assert bsm_price(110, 100, 1, 0.05, 0.0, right="call") == pytest.approx(110 - 100 * np.exp(-0.05), rel=1e-15)
    assert bsm_price(0, 100, 1, 0.05, 0.2, right="put") == pytest.approx(100 * np.exp(-0.05), rel=1e-15)
    assert bsm_price(100, 100, [0, 1], 0.0, 0.0, right="put").tolist() == [0, 0]


@pytest.mark.parametrize("spot", [0.0, 5e-324, 1e-300])
def test_a_spot_of_almost_nothing_leaves_the_discounted_strike(spot):
    put, call = (bsm(spot, 100, 1, -0.02, 0.3, dividend_yield=0.01, right=right) for right in ("put", "call"))
    assert put["price"] == pytest.approx(100 * np.exp(0.02), rel=1e-15)
    assert put["delta"] == pytest.approx(-np.exp(-0.01), rel=1e-15)
    assert [float(call[name]) for name in ("price", *ALL)] == [0.0] * 9
    assert float(put["gamma"]) == float(put["vega"]) == 0.0


def test_a_huge_strike_and_a_huge_volatility_reach_the_bounds():
    assert bsm_price(100, 1e300, 1, 0.0, 0.2, right=["call", "put"]).tolist() == [0, 1e300]
    assert bsm_price(100, 90, 1, 0.0, 1e6, right=["call", "put"]).tolist() == [100, 90]
    greeks = bsm_greeks(100, 90, 1, 0.03, 1e6, right="call")
    assert [float(greeks[name]) for name in ALL] == [1, 0, 0, 0, 0, 0, 0, 0]


def test_gamma_at_the_kink_is_unknown_and_zero_beside_it():
    greeks = bsm_greeks([100, 120], 100, 0, 0.0, 0.2, right="call")
    for name in ("gamma", "theta", "vanna", "volga", "charm"):
        assert np.isnan(greeks[name][0]), name
        assert greeks[name][1] == 0, name
    assert greeks["delta"] == pytest.approx([0.5, 1], rel=1e-15)
    assert greeks["vega"].tolist() == [0, 0]


def test_theta_at_the_kink_is_unknown_without_time_and_volatility():
    assert np.isnan(bsm_greeks(100, 100, 0, 0.05, 0, right="call")["theta"])
    assert bsm_greeks(100, 90, 0, 0.05, 0, right="call")["theta"] == pytest.approx(-4.5, rel=1e-15)


@pytest.mark.parametrize("years", [1e-300, 5e-324, 1e-100])
def test_an_option_of_next_to_no_time_has_the_greeks_of_its_formulas(years):
    greeks, root, height = bsm_greeks(100, 100, years, 0.0, 0.2, right="call"), np.sqrt(years), 0.3989422804014327
    expected = {"gamma": height / (100 * 0.2 * root), "vega": 100 * height * root, "delta": 0.5}
    expected |= {"theta": -100 * height * 0.1 / root, "vanna": height * 0.5 * root}
    for name, value in expected.items():
        assert greeks[name] == pytest.approx(value, rel=1e-13), name


def test_an_option_clamped_to_no_deviation_is_at_its_limit_in_everything():
    beside = bsm(100, 100, [1e-305, 1.0], [0.05, 1e-305], [1e-200, 1e-310], right="call")
    for name in ("gamma", "vega", "vanna", "volga"):
        assert beside[name].tolist() == [0, 0], name
    assert beside["delta"].tolist() == [1, 1]
    assert beside["theta"][0] == pytest.approx(-5.0, rel=1e-15)


def test_a_result_that_no_double_holds_is_unknown():
    assert np.isnan(bsm_greeks(100, 90, 0, 0.0, 0.2, dividend_yield=1.7e308, right="call")["theta"])
    assert np.isnan(bsm_greeks(100, 1.7e308, 2.4, 0.0, 0.2, right="put")["rho"])
    assert np.isnan(black76_greeks(100, 1.7e308, 2.4, 0.0, 0.2, right="put")["rho"])


def test_a_strike_of_nothing_leaves_the_stock_to_the_call():
    call, put = (bsm(100, [0, 5e-324], 1, 0.05, 0.2, dividend_yield=0.03, right=right) for right in ("call", "put"))
    assert call["price"] == pytest.approx(100 * np.exp(-0.03), rel=1e-15)
    assert call["delta"] == pytest.approx(np.exp(-0.03), rel=1e-15)
    assert call["theta"] == pytest.approx(3 * np.exp(-0.03), rel=1e-15)
    assert max(abs(call[name]).max() for name in ("gamma", "vega", "rho", "vanna", "volga")) < 1e-300
    assert max(abs(put[name]).max() for name in ("price", *ALL)) < 1e-300
    assert np.isnan(bsm_price(0, 0, 1, 0.05, 0.2, right="call"))


@pytest.mark.parametrize("field", ["spot", "strike", "expiry_years", "volatility"])
def test_negative_terms_give_an_unknown_price(field):
    assert np.isnan(bsm_price(**POINT | {field: -1.0}, right="call"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", POINT)
def test_what_is_no_number_makes_every_answer_unknown(field, value):
    found = bsm(**POINT | {field: value}, right="put")
    assert all(np.isnan(found[name]) for name in ("price", *ALL))


def test_a_negative_rate_makes_a_put_worth_more_than_its_strike():
    assert 100 < bsm_price(1e-6, 100, 10, -0.03, 0.2, right="put") <= 100 * np.exp(0.3)


WAYS: list[tuple[str, Callable[[Greeks], Any]]] = [
    ("iterated", list),
    ("backwards", lambda greeks: list(reversed(greeks))[::-1]),
    ("keys", lambda greeks: list(greeks.keys())),
    ("items", lambda greeks: [name for name, _ in greeks.items()]),
    ("values", lambda greeks: list(dict(zip(ALL, greeks.values(), strict=True)))),
    ("dict", lambda greeks: list(dict(greeks))),
    ("unpacked", lambda greeks: list({**greeks})),
    ("copy", lambda greeks: list(greeks.copy())),
    ("copied", lambda greeks: list(copy.deepcopy(greeks))),
    ("pickled", lambda greeks: list(pickle.loads(pickle.dumps(greeks)))),
    ("joined", lambda greeks: list(greeks | {})),
    ("joined from the right", lambda greeks: list({} | greeks)),
    ("json", lambda greeks: list(json.loads(json.dumps(greeks)))),
    ("shown", lambda greeks: [name for name in ALL if repr(name) in repr(greeks)]),
    ("frame", lambda greeks: pd.DataFrame(greeks, index=[0]).columns.to_list()),
    ("series", lambda greeks: pd.Series(greeks).index.to_list()),
]


@pytest.mark.parametrize(("way", "seen"), WAYS, ids=[way for way, _ in WAYS])
def test_all_eight_greeks_are_seen_in_every_way_of_looking(way, seen):
    assert seen(bsm_greeks(**POINT, right="call")) == ALL


def test_the_greeks_count_and_compare_as_the_eight_they_are():
    greeks, twin = bsm_greeks(**POINT, right="call"), bsm_greeks(**POINT, right="call")
    assert "vanna" in greeks
    assert (greeks.get("price"), greeks.get("price", 0.0)) == (None, 0.0)
    assert len(bsm_greeks(**POINT, right="call")) == 8
    assert greeks == twin
    assert greeks != bsm_greeks(**POINT, right="put")
    assert bsm_greeks(**POINT, right="call").get("volga") == greeks["volga"]
    assert bsm_greeks(**POINT, right="call") == dict(greeks)
    with pytest.raises(KeyError, match="price"):
        greeks["price"]
    with pytest.raises(KeyError, match="price"):
        bsm_greeks(**POINT, right="call")["price"]


def test_the_greeks_may_be_changed_like_any_dictionary():
    greeks = bsm_greeks(**POINT, right="call")
    assert greeks.pop("vanna") == bsm_greeks(**POINT, right="call")["vanna"]
    assert "vanna" not in greeks
    greeks["charm"] = 1.0
    greeks.update(volga=2.0)
    assert (greeks.setdefault("charm", 3.0), greeks["volga"], greeks.popitem()) == (1.0, 2.0, ("charm", 1.0))
    del greeks["delta"]
    assert list(greeks) == ["gamma", "vega", "theta", "rho", "volga"]
    greeks.clear()
    assert not greeks


def test_the_greeks_computed_late_are_those_of_the_terms_as_they_were():
    spot, sign = np.array([100.0, 90.0]), np.int8([1, -1])
    known = bsm_greeks(spot.copy(), 95.0, 0.5, 0.03, 0.2, right=sign.copy())
    greeks = bsm_greeks(spot, 95.0, 0.5, 0.03, 0.2, right=sign)
    spot[:], sign[:] = 50.0, 1
    assert all(np.array_equal(greeks[name], known[name]) for name in ALL)


def test_single_terms_give_a_single_number():
    point = POINT | {"right": "call"}
    forward = {"forward": 100.0, **{name: value for name, value in point.items() if name != "spot"}}
    quote = (9.0, 100, 95, 0.5, 0.03)
    found = [bsm_price(**point), american_price(**point), black76_price(**forward), escrowed_spot(100, 0.0, [], 1)]
    found += [*bsm(**point).values(), *american_greeks(**point).values(), *black76_greeks(**forward).values()]
    found += [implied_volatility(*quote, right="call"), bsm_price(np.array(100.0), 95, 0.5, 0.03, 0.2, right="call")]
    for value in found:
        assert isinstance(value, float)
        assert json.loads(json.dumps(value)) == value
        assert hash(value) == hash(float(value))
        assert round(value, 2) == round(float(value), 2)
    assert json.dumps(implied(*quote, right="call").reason) == "0"


def test_one_pass_gives_the_same_as_each_alone():
    terms = book(5_000, seed=3)
    both, alone = bsm(**terms), bsm_greeks(**terms)
    assert (both["price"] == bsm_price(**terms)).all()
    for name in ALL:
        assert np.array_equal(both[name], alone[name]), name


def test_a_large_book_in_two_threads_is_the_same_as_in_pieces():
    terms = book(40_000, seed=4)
    whole, piece = bsm(**terms), bsm(**{name: values[31_000:31_100] for name, values in terms.items()})
    assert all(np.array_equal(whole[name][31_000:31_100], piece[name]) for name in ("price", *ALL))


def test_black_76_is_merton_with_the_rate_as_yield_but_for_rho():
    forward = {"forward": 105.0, "strike": 100.0, "expiry_years": 0.4, "rate": 0.05, "volatility": 0.25}
    greeks = black76_greeks(**forward, right=["call", "put"])
    twin = bsm(105.0, 100.0, 0.4, 0.05, 0.25, dividend_yield=0.05, right=["call", "put"])
    assert (black76_price(**forward, right=["call", "put"]) == twin["price"]).all()
    assert all((greeks[name] == twin[name]).all() for name in ALL if name != "rho")
    assert greeks["rho"] == pytest.approx(-0.4 * twin["price"], rel=1e-15)


def test_the_escrowed_spot_counts_dividends_until_expiry():
    dividends = [(-0.1, 5.0), (0.0, 5.0), (0.25, 1.0), (0.5, 2.0), (0.75, 4.0)]
    left = escrowed_spot([100.0, 100.0, 100.0, 2.0], 0.04, dividends, [0.1, 0.5, 1.0, 0.5])
    first, second, third = np.exp(-0.01), 2 * np.exp(-0.02), 4 * np.exp(-0.03)
    assert left[:3] == pytest.approx([100, 100 - first - second, 100 - first - second - third], rel=1e-15)
    assert np.isnan(left[3])
    assert np.isnan(escrowed_spot([np.nan, 100, 100], [0.0, np.inf, 0.0], dividends, [1, 1, -1])).all()
    with pytest.raises(InputError, match="pairs"):
        escrowed_spot(100, 0.04, [0.25, 1.0], 1)


REFUSED = [
    (-1.0, {}, 1),
    (np.nan, {}, 1),
    (np.inf, {}, 1),
    (5.0, {"strike": 0.0}, 3),
    (110.0, {"strike": 0.0}, 4),
    (5.0, {"strike": 0.0, "right": "put"}, 5),
    (5.0, {"strike": 0.0, "spot": 0.0}, 1),
    (5.0, {"spot": np.nan}, 1),
    (5.0, {"spot": -100.0, "strike": -100.0}, 1),
    (5.0, {"expiry_years": -0.1}, 1),
    (5.0, {"rate": -1e300}, 1),
    (5.0, {"expiry_years": 0.0}, 2),
    (9.0, {}, 3),
    (10.0, {}, 4),
    (0.0, {"strike": 150.0}, 4),
    (110.0, {}, 5),
    (111.0, {}, 5),
    (5.0, {"spot": 0.0}, 5),
    (1e-300, {"strike": 1e300}, 6),
    (1.5971503e-301, {"spot": 63.18939747, "strike": 105.39335055, "expiry_years": 0.40548815}, 6),
    (5e-324, {"spot": 1e-300, "strike": 1e-300}, 6),
]


@pytest.mark.parametrize(("price", "changed", "code"), REFUSED)
def test_a_price_without_a_volatility_says_why(price, changed, code):
    terms = {"spot": 110.0, "strike": 100.0, "expiry_years": 0.5, "rate": 0.0, "right": "call"}
    found = implied(price, **terms | changed)
    assert np.isnan(found.volatility)
    assert int(found.reason) == code
    assert found.to_dict()["reason"] == REASONS[code]


def test_a_price_that_is_the_intrinsic_value_but_for_rounding_has_no_volatility():
    strike, rate = np.linspace(50, 90, 41), 0.037
    found = implied(100.0 - strike * np.exp(-rate), 100.0, strike, 1.0, rate, right="call")
    assert np.isnan(found.volatility).mean() > 0.9, "noise of a rounding is not to be read as a volatility"


def test_reasons_are_counted_by_their_sentence():
    found = implied([1.875, 0.5, 0.4, np.nan], 21, 20, 0.25, 0.10, right="call")
    assert found.counted().to_dict() == {REASONS[0]: 1, REASONS[1]: 1, REASONS[3]: 2}


WINGS = [  # price, spot, strike, years, volatility to the digits known
    (1e-12, 100, 150, 0.5, 0.0815683648),
    (1e-200, 100, 150, 0.5, 0.0190444135),
    (0.05, 100, 100, 1.9e-6, 0.9092),
    (95.449973610364, 100, 100, 0.64, 5.0),
]


@pytest.mark.parametrize(("price", "spot", "strike", "years", "volatility"), WINGS)
def test_implied_volatility_in_the_wings(price, spot, strike, years, volatility):
    found = implied_volatility(price, spot, strike, years, 0.0, right="call")
    assert found == pytest.approx(volatility, rel=1e-4)
    assert bsm_price(spot, strike, years, 0.0, found, right="call") == pytest.approx(price, rel=1e-12)


def test_prices_and_greeks_agree_with_quantlib():
    import QuantLib as ql  # noqa: N813

    terms = book(3_000, seed=1)
    found, worst = bsm(**terms), {}
    rows = zip(*(values.tolist() for values in terms.values()), strict=True)
    for row, (spot, strike, years, rate, volatility, carry, sign) in enumerate(rows):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)
        forward, deviation = spot * np.exp((rate - carry) * years), volatility * np.sqrt(years)
        theirs = ql.BlackCalculator(payoff, forward, deviation, np.exp(-rate * years))
        expected = {"price": theirs.value() / spot, "delta": theirs.delta(spot), "gamma": theirs.gamma(spot) * spot}
        expected |= {"vega": theirs.vega(years) / spot, "theta": theirs.theta(spot, years) / spot}
        expected |= {"rho": theirs.rho(years) / spot}
        scale = {"price": spot, "delta": 1.0, "gamma": 1 / spot, "vega": spot, "theta": spot, "rho": spot}
        for name, value in expected.items():
            error = abs(found[name][row] / scale[name] - value) / (1 + abs(value))
            worst[name] = max(worst.get(name, 0.0), error)
    assert max(worst.values()) < 5e-13, f"largest errors, of spot: {worst}"


def test_implied_volatilities_agree_with_vollib_and_pyvolr():
    from pyvolr import bs
    from vollib.black_scholes_merton.implied_volatility import implied_volatility as of_vollib

    terms = book(5_000, seed=2)
    value = bsm(**terms)
    known = value["vega"] > 1e-5 * terms["spot"]
    spot, strike, years, rate, volatility, carry, sign = (values[known] for values in terms.values())
    price = value["price"][known]
    ours = implied_volatility(price, spot, strike, years, rate, dividend_yield=carry, right=sign)
    flags = np.where(sign > 0, "c", "p")
    quotes = zip(price, spot, strike, years, rate, carry, flags, strict=True)
    theirs = np.array([of_vollib(*quote) for quote in quotes])
    theirs2 = bs.implied_vol(price, sign.astype(np.int64), spot, strike, years, rate, carry, on_error="ignore")
    errors = [float(np.abs(ours - other).max()) for other in (volatility, theirs, theirs2)]
    assert max(errors) < 2e-9, f"{known.sum()} quotes; largest differences from truth, vollib, pyvolr: {errors}"


def test_answers_have_the_callers_shape_and_index():
    index = pd.Index(["a", "b", "c"], name="option")
    strikes = pd.Series([90.0, 100.0, 110.0], index=index)
    price = bsm_price(100, strikes, 0.5, 0.02, 0.2, right=pd.Series(["call", "put", "call"], index=index))
    assert isinstance(price, pd.Series)
    assert price.index is index
    greeks = bsm_greeks(100, strikes, 0.5, 0.02, 0.2, right="call")
    assert pd.DataFrame(greeks).shape == (3, 8)
    found = implied(price, 100, strikes, 0.5, 0.02, right=["call", "put", "call"])
    assert found.volatility.to_numpy() == pytest.approx([0.2] * 3)
    assert found.reason.to_list() == [0, 0, 0]
    assert bsm_price(np.ones((2, 1)), np.ones(3), 1, 0, 0.2, right="call").shape == (2, 3)
    assert bsm_price([], 100, 1, 0, 0.2, right="call").shape == (0,)
    assert bsm_price(1, 1, 1, 0, 0.2, right="call").shape == ()


def test_a_right_that_is_neither_call_nor_put_is_refused():
    with pytest.raises(InputError, match="'call' or 'put', was 'c'"):
        bsm_price(1, 1, 1, 0, 0.2, right="c")


def test_what_is_masked_or_missing_has_no_price():
    masked = np.ma.array([100.0, 100.0], mask=[False, True])
    missing = pd.Series([True, None], dtype="boolean")
    for price in (
        bsm_price(masked, 95, 0.5, 0.03, 0.2, right="call"),
        bsm_price(100, 95, 0.5, 0.03, 0.2, right=missing).to_numpy(),
        bsm_price(100, 95, 0.5, 0.03, 0.2, right=np.ma.array(["call", "x"], mask=[False, True])),
    ):
        assert np.isnan(price).tolist() == [False, True]


def test_a_price_outside_the_bounds_has_no_volatility():
    assert np.isnan(implied_volatility([1.0, 150.0], 100, 90, 1, 0.0, right="call")).all()

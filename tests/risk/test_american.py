"""American options beside QuantLib, central differences and their own limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.options import bsm_greeks, bsm_price
from sigmalib.risk.pricing.american import (
    american_dividend_greeks,
    american_dividend_price,
    american_greeks,
    american_implied_volatility,
    american_price,
    american_row,
)
from tests import plain

Array = np.ndarray


def book(count: int, seed: int, *, lowest: float = 0.0) -> dict[str, Any]:
    """Random options on K = 100 over a wide range of terms, whole days to expiry."""
    rng = np.random.default_rng(seed)
    years, volatility = rng.integers(2, 1_500, count) / 365, np.exp(rng.uniform(np.log(0.04), np.log(1.2), count))
    return {
        "spot": 100 * np.exp(rng.normal(0, 1, count) * np.minimum(volatility * np.sqrt(years), 0.8)),
        "strike": np.full(count, 100.0),
        "expiry_years": years,
        "rate": np.where(rng.random(count) < 0.1, 0.0, rng.uniform(lowest, 0.12, count)),
        "volatility": volatility,
        "dividend_yield": np.where(rng.random(count) < 0.2, 0.0, rng.uniform(lowest, 0.12, count)),
        "right": np.where(rng.random(count) < 0.5, 1, -1),
    }


def double_boundary() -> dict[str, Any]:
    """Puts with yield < rate < 0 and calls with rate < yield < 0."""
    rng = np.random.default_rng(8)
    low, high = -rng.uniform(0.03, 0.08, 12), -rng.uniform(0.002, 0.02, 12)
    put = np.arange(12) % 2 == 0
    return {
        "spot": rng.uniform(60, 140, 12), "strike": np.full(12, 100.0),
        "expiry_years": rng.integers(60, 1_000, 12) / 365,
        "rate": np.where(put, high, low), "volatility": rng.uniform(0.08, 0.3, 12),
        "dividend_yield": np.where(put, low, high), "right": np.where(put, -1, 1),
    }  # fmt: skip


def quantlib(options: dict[str, Any], engine: Any, dividends: Any = ()) -> Array:
    """Prices by an engine of QuantLib, made of its process; NaN where it fails."""
    import QuantLib as ql  # noqa: N813

    today = ql.Date(21, 11, 2026)
    ql.Settings.instance().evaluationDate = today
    days = ql.Actual365Fixed()
    spot, rate, carry, volatility = (ql.SimpleQuote(1.0) for _ in range(4))
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(spot),
        *(ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(quote), days)) for quote in (carry, rate)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(volatility), days)),
    )
    if dividends:
        paid = ql.DividendVector([today + day for day, _ in dividends], [amount for _, amount in dividends])
        made = engine(process, paid)
    else:
        made = engine(process)
    prices = []
    for s, k, t, r, sigma, q, sign in zip(*(np.asarray(values).tolist() for values in options.values()), strict=True):
        spot.setValue(s), rate.setValue(r), carry.setValue(q), volatility.setValue(sigma)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, k)
        option = ql.VanillaOption(payoff, ql.AmericanExercise(today, today + round(365 * t)))
        option.setPricingEngine(made)
        try:
            prices.append(option.NPV())
        except RuntimeError:
            prices.append(np.nan)
    return np.array(prices)


def high_precision(options: dict[str, Any]) -> Array:
    import QuantLib as ql  # noqa: N813

    return quantlib(options, lambda p: ql.QdFpAmericanEngine(p, ql.QdFpAmericanEngine.highPrecisionScheme()))


@pytest.fixture(scope="module")
def wide() -> tuple[dict[str, Any], Array]:
    options = book(800, seed=3)
    return options, high_precision(options)


def test_accurate_is_within_a_millionth_of_the_strike_of_quantlib(wide: tuple[dict[str, Any], Array]) -> None:
    options, exact = wide
    error = np.abs(american_price(**options, accuracy="accurate") - exact)
    assert np.isfinite(error).mean() > 0.99
    assert np.nanmax(error) < 1e-4, f"largest error {np.nanmax(error):.1e} of K = 100"


def test_fast_has_a_root_mean_square_error_of_a_millionth_of_the_strike(wide: tuple[dict[str, Any], Array]) -> None:
    options, exact = wide
    error = american_price(**options) - exact
    rms = np.sqrt(np.nanmean(error**2))
    assert rms < 1e-4, f"rms {rms:.1e}, largest {np.nanmax(np.abs(error)):.1e} of K = 100"


@pytest.mark.slow
def test_accurate_meets_quantlib_on_five_thousand_options_with_rates_of_any_sign() -> None:
    options = book(5_000, seed=4, lowest=-0.04)
    _, _, _, rate, _, carry, sign = options.values()
    first, second = np.where(sign > 0, carry, rate), np.where(sign > 0, rate, carry)
    double = (first <= 0) & (second < first)
    options = {name: values[~double] for name, values in options.items()}
    error = np.abs(american_price(**options, accuracy="accurate") - high_precision(options))
    assert np.nanmax(error) < 2e-4, f"largest error {np.nanmax(error):.1e} of K = 100"


def test_greeks_are_central_differences_of_the_accurate_price() -> None:
    options = book(600, seed=5, lowest=0.002)
    kinked = (options["rate"] == 0) | (options["dividend_yield"] == 0)  # beyond a rate of zero exercise may never pay
    options = {name: values[~kinked] for name, values in options.items()}
    greeks = american_greeks(**options, accuracy="accurate")
    S, T, v = options["spot"], options["expiry_years"], options["volatility"]

    def change(name: str, by: Array | float) -> Array:
        up, down = ({**options, name: options[name] + sign * by} for sign in (1, -1))
        return (american_price(**up, accuracy="accurate") - american_price(**down, accuracy="accurate")) / (2 * by)

    differences = {
        "delta": (change("spot", 1e-3 * S * v * np.sqrt(T)), 1.0),
        "vega": (change("volatility", 1e-4), S * np.sqrt(T)),
        "theta": (-change("expiry_years", 1e-4 * T), S * v / np.sqrt(T)),
        "rho": (change("rate", 1e-5), S * T),
    }
    for name, (expected, scale) in differences.items():
        error = np.abs(greeks[name] - expected) / scale
        assert np.quantile(error, 0.98) < 1e-5, f"{name}: {np.quantile(error, 0.98):.1e} of its scale"
        assert error.max() < 3e-3, f"{name}: largest error {error.max():.1e} of its scale, at {error.argmax()}"


def test_gamma_is_the_difference_of_delta_away_from_the_boundary() -> None:
    options = book(400, seed=6)
    step = 1e-3 * options["spot"] * options["volatility"] * np.sqrt(options["expiry_years"])
    sides = [
        american_greeks(**{**options, "spot": options["spot"] + sign * step}, accuracy="accurate") for sign in (1, -1)
    ]
    gamma = american_greeks(**options, accuracy="accurate")["gamma"]
    error = np.abs(gamma - (sides[0]["delta"] - sides[1]["delta"]) / (2 * step)) * step * 1e3
    inside = (sides[0]["vega"] != 0) & (sides[1]["vega"] != 0)
    assert error[inside].max() < 1e-3, f"largest error {error[inside].max():.1e} of 1 / deviation"


def test_between_two_boundaries_quantlibs_grid_agrees() -> None:
    import QuantLib as ql  # noqa: N813

    options = double_boundary()
    exact = quantlib(options, lambda p: ql.FdBlackScholesVanillaEngine(p, 2_000, 1_000))
    error = np.abs(american_price(**options) - exact)
    assert error.max() < 2e-3, f"largest error {error.max():.1e} of K = 100"


def test_between_two_boundaries_exercise_pays_nothing_where_the_spot_is_low() -> None:
    """With yield < rate < 0 a put far in the money is held, as its strike grows in present value."""
    low, middle = (american_price(s, 100, 3, -0.01, 0.08, dividend_yield=-0.06, right="put") for s in (5, 80))
    assert float(low) > 95.05
    assert float(middle) == pytest.approx(20, abs=1e-6)


def test_exercise_that_never_pays_gives_the_european_greeks_exactly() -> None:
    for rate, carry, right in ((-0.02, 0.01, "put"), (0.0, 0.0, "put"), (-0.03, -0.01, "put"), (0.05, 0.0, "call")):
        terms = ([80, 100, 130], 100, 0.7, rate, 0.3)
        found = american_greeks(*terms, dividend_yield=carry, right=right)
        expected = bsm_greeks(*terms, dividend_yield=carry, right=right)
        for name in ("delta", "gamma", "vega", "theta", "rho"):
            np.testing.assert_array_equal(found[name], expected[name])
        np.testing.assert_array_equal(found["price"], bsm_price(*terms, dividend_yield=carry, right=right))


def test_exercise_due_now_has_delta_one_and_nothing_else() -> None:
    for right, spot, sign in (("put", 40, -1), ("call", 250, 1)):
        greeks = american_greeks(spot, 100, 1, 0.08, 0.2, dividend_yield=0.06, right=right)
        expected = dict.fromkeys(greeks, 0) | {"price": abs(spot - 100), "delta": sign}
        assert {name: float(value) for name, value in greeks.items()} == expected


def test_without_volatility_the_best_date_is_chosen() -> None:
    """A call on a stock that pays more than the rate only later: interest first, so the best date lies between."""
    dates = np.linspace(0, 10, 100_001)
    for spot, rate, carry in ((100.0, 0.02, 0.05), (300.0, 0.02, 0.05), (90.0, 0.06, 0.01), (150.0, -0.03, -0.01)):
        for right, sign in (("call", 1), ("put", -1)):
            best = (sign * (spot * np.exp(-carry * dates) - 100 * np.exp(-rate * dates))).max()
            found = float(american_price(spot, 100, 10, rate, 0.0, dividend_yield=carry, right=right))
            assert found == pytest.approx(max(best, 0), abs=1e-6), (spot, right)


@pytest.mark.parametrize("volatility", [1e-12, 1e-6, 4e-6, 1e-5, 1e-4, 1e-3])
def test_next_to_no_volatility_is_next_to_none(volatility: float) -> None:
    spot = np.linspace(70, 130, 41) + 0.3
    for right in ("call", "put"):
        terms = {"dividend_yield": 0.03, "right": right}
        none, little = (american_price(spot, 100, 1, 0.05, v, **terms) for v in (0.0, volatility))
        assert np.abs(little - none).max() < 100 * volatility + 2e-9


def test_at_expiry_only_the_intrinsic_value_is_left() -> None:
    assert american_price([90, 100, 120], 100, 0, 0.05, 0.2, right="call").tolist() == [0, 0, 20]
    assert american_greeks(90, 100, 0, 0.05, 0.2, right="put")["delta"] == -1


def test_a_worthless_stock_makes_a_put_its_strike() -> None:
    assert float(american_price(0, 100, 1, 0.05, 0.2, right="put")) == 100
    assert float(american_price(0, 100, 1, 0.05, 0.2, right="call")) == 0
    assert float(american_price(0, 100, 1, -0.05, 0.2, right="put")) == pytest.approx(100 * np.exp(0.05))


@pytest.mark.parametrize(
    "terms",
    [(np.nan, 100, 1, 0.05, 0.2), (100, 100, -1, 0.05, 0.2), (100, 100, 1, 0.05, -0.2), (-1, 100, 1, 0.05, 0.2),
     (100, 0, 1, 0.05, 0.2), (100, np.inf, 1, 0.05, 0.2), (100, 100, 1, np.nan, 0.2)],
)  # fmt: skip
def test_an_unknown_or_impossible_term_is_nan(terms: tuple[float, ...]) -> None:
    assert all(np.isnan(float(value)) for value in american_greeks(*terms, right="put").values())


def test_series_keep_their_index_and_nothing_gives_nothing() -> None:
    spot = pd.Series([90.0, 110.0], index=["a", "b"])
    assert american_price(spot, 100, 1, 0.05, 0.2, right="put").index.tolist() == ["a", "b"]
    assert american_price([], 100, 1, 0.05, 0.2, right="put").shape == (0,)


def test_another_accuracy_is_refused() -> None:
    with pytest.raises(InputError, match="accuracy"):
        american_price(100, 100, 1, 0.05, 0.2, right="put", accuracy="exact")  # type: ignore[arg-type]


def test_a_row_of_spots_is_the_price_at_each() -> None:
    options = book(40, seed=7, lowest=-0.03)
    spots = options.pop("spot")[:, None] * np.exp(np.random.default_rng(1).normal(0, 0.2, (40, 30)))
    spots[3, 4], spots[5, 6] = 0.0, np.nan
    found = american_row(spots, **options)
    columns = {name: np.repeat(values, 30) for name, values in options.items()}
    expected = american_price(spots.ravel(), **columns).reshape(40, 30)
    np.testing.assert_allclose(found, expected, atol=1e-7, rtol=0)


def test_a_row_for_all_options_serves_each_and_others_are_refused() -> None:
    assert american_row([90.0, 100.0, 110.0], [95, 105], 1, 0.05, 0.2, right="put").shape == (2, 3)
    with pytest.raises(InputError, match="spots"):
        american_row(np.ones((3, 2)), [95, 105], 1, 0.05, 0.2, right="put")


def test_cash_dividends_agree_with_quantlibs_grid() -> None:
    import QuantLib as ql  # noqa: N813

    paid = [(30, 1.5), (120, 1.5), (210, 1.5), (300, 1.5)]
    options = book(12, seed=9)
    options |= {
        "expiry_years": np.full(12, 1.0),
        "volatility": np.linspace(0.12, 0.5, 12),
        "spot": np.linspace(80, 120, 12),
    }

    def engine(process: Any, dividends: Any) -> Any:
        scheme, model = ql.FdmSchemeDesc.Douglas(), ql.FdBlackScholesVanillaEngine.Spot
        return ql.FdBlackScholesVanillaEngine(process, dividends, 800, 1_600, 0, scheme, False, 0.0, model)

    exact = quantlib(options, engine, paid)
    found = american_dividend_price(**options, dividends=[(day / 365, amount) for day, amount in paid])
    assert np.abs(found - exact).max() < 2e-3, f"largest error {np.abs(found - exact).max():.1e} of K = 100"


def test_greeks_with_cash_dividends_are_differences_of_the_price() -> None:
    paid = {"dividends": [(0.2, 2.0), (0.7, 2.0)], "right": "call"}
    terms = {"spot": 103.0, "strike": 100.0, "expiry_years": 1.0, "rate": 0.05, "volatility": 0.25}
    greeks = american_dividend_greeks(**terms, **paid)
    for name, term, by in (("delta", "spot", 0.5), ("vega", "volatility", 1e-2), ("rho", "rate", 1e-2)):
        up, down = (american_dividend_price(**{**terms, term: terms[term] + sign * by}, **paid) for sign in (1, -1))
        assert float(greeks[name]) == pytest.approx(float((up - down) / (2 * by)), rel=3e-3)


def test_dividends_beyond_expiry_do_not_count_and_bad_ones_are_refused() -> None:
    none = american_price(100, 100, 1, 0.05, 0.2, right="put", accuracy="accurate")
    assert american_dividend_price(100, 100, 1, 0.05, 0.2, dividends=[(1.5, 3.0)], right="put") == none
    with pytest.raises(InputError, match="dividends"):
        american_dividend_price(100, 100, 1, 0.05, 0.2, dividends=[0.5], right="put")  # type: ignore[list-item]


def test_implied_volatility_gives_the_price_back() -> None:
    options = book(300, seed=10)
    price = american_price(**options, accuracy="accurate")
    volatility = options.pop("volatility")
    found = american_implied_volatility(price, **options)
    again = american_price(**options, volatility=np.nan_to_num(found, nan=0.2), accuracy="accurate")
    held = price > np.maximum(options["right"] * (options["spot"] - 100), 0) + 1e-6
    assert np.isfinite(found[held]).all(), book(300, seed=10)
    assert np.abs(again - price)[held].max() < 1e-8
    assert np.quantile(np.abs(found - volatility)[held], 0.9) < 1e-6


def test_a_price_that_no_volatility_gives_is_nan() -> None:
    found = american_implied_volatility([10.0, 5.0, 101.0, np.nan, -1.0, 0.0], 90, 100, 1, 0.05, right="put")
    assert np.isnan(found).all()


def test_the_loops_run_without_the_compiler(tmp_path: Path) -> None:
    code = """
import numpy as np
from sigmalib.risk.pricing import exercise
from sigmalib.risk.kernels import american, finite_differences
tables = exercise.tables(exercise.Scheme(3, 3, 4, 6, 1, 1e-2))
given, found, row = np.array([[1.0, 0.5, 0.05, 0.02, 0.3]]).T.copy(), np.empty((8, 1)), np.empty((1, 2))
american.puts(given, *tables, 1e-2, found)
american.rows(given, *tables, 1e-2, np.array([[1.0, 0.4]]), row)
terms, grid = np.array([[1.0, 1.0, 0.5, 0.05, 0.02, 0.3, -1.0]]).T.copy(), np.empty((7, 1))
finite_differences.american(terms, np.array([0.6]), np.array([0.1]), 30, 6, True, grid)
print(abs(found[0, 0] - row[0, 0]) < 1e-9, abs(row[0, 1] - 0.6) < 1e-9, abs(found[0, 0] - grid[0, 0]) < 2e-3)
twin = np.array([[1.0, 1.0, 0.5, 0.02, 0.05, 0.3, 1.0]]).T.copy()
for option in (terms, twin):
    finite_differences.american(option, np.empty(0), np.empty(0), 30, 6, True, grid)
    print(0 < grid[0, 0] < 0.01)
"""
    assert plain.run(code, tmp_path).split() == ["True"] * 5


@pytest.mark.parametrize(
    "terms",
    [(119.083, 100, 10, -0.02, 1.5, 0.0), (60.67, 84.84, 50, -0.0233, 0.794, -0.02),
     (861_769.96, 100, 10, -0.105, 1.5, -0.005), (100, 100, 10, -0.02, 2.2, -0.01), (100, 100, 12, -0.02, 4.5, -0.01)],
)  # fmt: skip
def test_however_wide_the_deviation_no_option_is_worth_less_than_a_european_one(terms: tuple[float, ...]) -> None:
    *first, carry = terms
    found = american_greeks(*first, dividend_yield=carry, right="call")
    european = bsm_greeks(*first, dividend_yield=carry, right="call")
    price = float(bsm_price(*first, dividend_yield=carry, right="call"))
    assert price <= float(found["price"]) < price * 1.001
    assert float(found["delta"]) == pytest.approx(float(european["delta"]), rel=2e-3)


def test_a_rate_of_zero_with_a_negative_yield_has_one_boundary_and_is_as_accurate_as_any() -> None:
    rng = np.random.default_rng(11)
    options = book(300, seed=11) | {"rate": np.zeros(300), "dividend_yield": -rng.uniform(1e-3, 0.08, 300)}
    options |= {"right": np.full(300, -1)}
    error = np.abs(american_price(**options, accuracy="accurate") - high_precision(options))
    assert np.nanmax(error) < 3e-4, f"largest error {np.nanmax(error):.1e} of K = 100"
    assert float(american_price(119.083, 100, 10, -0.02, 1.5, right="call")) == pytest.approx(116.9534, abs=5e-4)


def test_a_spot_next_to_the_boundary_has_the_greeks_of_quantlibs_grid() -> None:
    """QuantLib 1.44, FdBlackScholesVanillaEngine with 4,000 x 2,000 nodes, and theta by the pricing equation."""
    near = american_greeks(81.732, 100, 7 / 365, 0, 0.5, dividend_yield=-0.01, right="put")
    assert float(near["gamma"]) == pytest.approx(0.0012153, abs=1e-5)
    assert float(near["theta"]) == pytest.approx(-0.198, abs=2e-3)
    between = american_greeks(84.489, 100, 5, -0.01, 0.1, dividend_yield=-0.03, right="put")
    assert float(between["price"]) == pytest.approx(15.6658, abs=5e-4)
    assert float(between["vega"]) == pytest.approx(28.6, abs=0.15)
    assert float(between["gamma"]) == pytest.approx(0.04029, abs=1e-4)


def test_between_two_boundaries_greeks_are_differences_of_the_price() -> None:
    options = double_boundary()
    greeks = american_greeks(**options)
    for name, term, by, scale in (
        ("delta", "spot", 0.5, 1),
        ("vega", "volatility", 5e-3, 100),
        ("rho", "rate", 1e-3, 100),
    ):
        up, down = ({**options, term: options[term] + sign * by} for sign in (1, -1))
        error = np.abs((american_price(**up) - american_price(**down)) / (2 * by) - greeks[name]) / scale
        held = (greeks["vega"] != 0) & (greeks["gamma"] < 0.05)
        assert held.sum() >= 5
        assert error[held].max() < 5e-3, f"{name}: largest error {error[held].max():.1e}"


def test_what_is_due_at_once_has_no_greeks_of_the_european_option() -> None:
    cases = [(90, 0, 0.05, 0.02, "put"), (130, 0, 0.02, 0.06, "call"), (90, 1e-9, 0.05, 0.02, "put"),
             (90, 1e-16, 0.05, 0.02, "put"), (90, 0, -0.05, 0.02, "put")]  # fmt: skip
    for spot, time, rate, carry, right in cases:
        found = american_greeks(spot, 100, time, rate, 0.2, dividend_yield=carry, right=right)
        expected = dict.fromkeys(found, 0) | {"price": abs(spot - 100), "delta": 1 if right == "call" else -1}
        assert {name: float(value) for name, value in found.items()} == expected


def test_what_waits_for_a_dividend_is_european_even_for_a_moment() -> None:
    found = american_greeks(90, 100, 1e-9, 0.05, 0.2, dividend_yield=0.08, right="put")
    assert float(found["theta"]) == pytest.approx(0.05 * 100 - 0.08 * 90, rel=1e-6)


def test_a_call_on_nothing_is_nothing() -> None:
    for rate, carry in ((0.05, 0.02), (-0.05, -0.02), (0.02, 0.05)):
        found = american_greeks(0, 100, 1, rate, 0.2, dividend_yield=carry, right="call")
        assert {float(value) for value in found.values()} == {0.0}


def test_a_dividend_above_the_spot_leaves_nothing_and_a_put_its_strike() -> None:
    found = american_dividend_price(10, 100, 1, 0.05, 0.2, dividends=[(0.5, 50.0)], right="put")
    assert float(found) == pytest.approx(100 * np.exp(-0.025), abs=1e-6)


@pytest.mark.parametrize("volatility", [1e6, 1e10, 1e150, 1e300])
def test_a_volatility_without_bound_gives_limits_and_no_infinity(volatility: float) -> None:
    for rate, carry in ((0.05, 0.02), (-0.01, -0.03), (0.0, -0.02), (0.0, 0.0)):
        for right in ("call", "put"):
            found = american_greeks(100, 90, 1, rate, volatility, dividend_yield=carry, right=right)
            assert np.isfinite([float(value) for value in found.values()]).all(), (rate, carry, right)
            most = 90 * np.exp(max(-rate, 0)) if right == "put" else 100 * np.exp(max(-carry, 0))
            assert float(found["price"]) == pytest.approx(most, rel=1e-9)


def test_what_is_infinite_is_nan_without_a_warning() -> None:
    terms = ([np.inf, 100, 100, 100], [np.inf, 100, 100, 100], [1, np.inf, 1, 1], 0.05, [0.2, 0.2, np.inf, 0.2])
    for name, values in american_greeks(*terms, right="put").items():
        assert np.isnan(values).tolist() == [True, True, True, False], name


def test_long_options_go_to_the_perpetual_one_from_below() -> None:
    years = np.array([5.0, 9.9, 10.1, 20, 50, 100, 200, 279, 281, 500, 1e4, 1e6])
    for accuracy in ("fast", "accurate"):
        found = american_price(100, 100, years, 0.05, 0.2, dividend_yield=0.03, right="put", accuracy=accuracy)
        assert (np.diff(found) > -5e-4).all(), found.tolist()
        assert found.max() - found[-1] < 5e-4
    rows = american_row([100.0], 100, years, 0.05, 0.2, dividend_yield=0.03, right="put")[:, 0]
    fast = american_price(100, 100, years, 0.05, 0.2, dividend_yield=0.03, right="put")
    np.testing.assert_allclose(rows, fast, rtol=0, atol=1e-6)


def test_vanna_volga_and_charm_are_differences_and_european_where_exercise_never_pays() -> None:
    options = book(120, seed=12, lowest=0.005)
    options |= {
        "rate": np.maximum(options["rate"], 0.01),
        "dividend_yield": np.maximum(options["dividend_yield"], 0.01),
    }
    greeks = american_greeks(**options)
    assert list(greeks)[6:] == ["vanna", "volga", "charm"]
    held = (greeks["gamma"] > 0) & (np.abs(greeks["delta"]) < 0.95)

    def changed(name: str, term: str, share: float) -> Array:
        up, down = (american_greeks(**{**options, term: options[term] * (1 + sign * share)}, accuracy="accurate")
                    for sign in (1, -1))  # fmt: skip
        return (up[name] - down[name]) / (2 * share * options[term])

    for name, expected in (
        ("vanna", (4 * changed("delta", "volatility", 2e-3) - changed("delta", "volatility", 4e-3)) / 3),
        ("volga", (4 * changed("vega", "volatility", 2e-3) - changed("vega", "volatility", 4e-3)) / 3),
        ("charm", -(4 * changed("delta", "expiry_years", 2e-3) - changed("delta", "expiry_years", 4e-3)) / 3),
    ):
        scale = np.abs(expected) + 1e-2 * np.abs(expected[held]).max()
        error = (np.abs(greeks[name] - expected) / scale)[held]
        assert error.max() < 1e-3, f"{name}: largest error {error.max():.1e}"
    never, european = (f([80, 100, 130], 100, 0.7, 0.05, 0.3, right="call") for f in (american_greeks, bsm_greeks))
    for name in ("vanna", "volga", "charm"):
        np.testing.assert_array_equal(never[name], european[name])


def test_cross_greeks_are_those_of_quantlibs_prices() -> None:
    """Second differences of its high precision engine."""
    base = {
        "spot": 95.0,
        "strike": 100.0,
        "expiry_years": 1.0,
        "rate": 0.06,
        "volatility": 0.25,
        "dividend_yield": 0.02,
    }
    moves = [(a, b) for a in (-1, 1) for b in (-1, 1)] + [(0, 1), (0, -1), (0, 0)]
    prices = high_precision(
        {
            name: np.array([value + {"spot": a, "volatility": 0.01 * b}.get(name, 0) for a, b in moves])
            for name, value in base.items()
        }
        | {"right": np.full(7, -1)}
    )  # fmt: skip
    greeks = american_greeks(**base, right="put")
    vanna = (prices[3] - prices[2] - prices[1] + prices[0]) / (4 * 1 * 0.01)
    assert float(greeks["vanna"]) == pytest.approx(vanna, rel=2e-2)
    assert float(greeks["volga"]) == pytest.approx((prices[4] + prices[5] - 2 * prices[6]) / 1e-4, rel=3e-2)


def test_cross_greeks_are_of_the_terms_as_they_were() -> None:
    spot = np.array([95.0, 100.0])
    greeks, again = (american_greeks(spot, 100, 1, 0.06, 0.25, right="put") for _ in range(2))
    expected = again["vanna"].copy()
    spot[:] = 50.0
    np.testing.assert_array_equal(greeks["vanna"], expected)
    assert np.shape(american_greeks([], 100, 1, 0.06, 0.25, right="put")["charm"]) == (0,)

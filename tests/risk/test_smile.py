"""One expiry's smile: SVI by the book, its arbitrage checks, and the fit that finds it again."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from sigmalib.risk.volatility.smile import Smile, durrleman, grid_of, total_variance
from sigmalib.risk.volatility.smilefit import Quotes, fit_smiles

# (a, b, rho, m, sigma), years: an index, a stock, a soon and steep one, one with a smile to both sides
KNOWN = [
    ((0.010, 0.12, -0.70, 0.05, 0.20), 0.5),
    ((0.020, 0.20, -0.35, -0.02, 0.35), 1.5),
    ((0.0006, 0.03, -0.50, 0.004, 0.02), 0.03),
    ((0.015, 0.15, 0.10, 0.00, 0.15), 0.8),
]


def quotes(parameters: tuple[float, ...], years: float, count: int = 41, weight: float = 500.0) -> Quotes:
    """Exact volatilities of a smile over three and a half deviations to each side."""
    k = np.linspace(-3.5, 3.5, count) * np.sqrt(total_variance(0.0, *parameters))
    return Quotes(k, np.sqrt(total_variance(k, *parameters) / years), np.full(count, weight), years)


def error(one: Quotes, found: tuple[float, ...]) -> float:
    return float(np.max(np.abs(np.sqrt(total_variance(one.k, *found) / one.years) - one.volatility)))


@pytest.mark.parametrize(("parameters", "years"), KNOWN)
def test_a_known_smile_is_found_again(parameters: tuple[float, ...], years: float) -> None:
    (found,) = fit_smiles([quotes(parameters, years)])
    assert found == pytest.approx(parameters, rel=1e-5, abs=1e-7)


def test_a_hundred_random_smiles_without_arbitrage_are_found_again() -> None:
    rng = np.random.default_rng(1)
    drawn = [one for one in (random_smile(rng) for _ in range(400)) if one is not None][:100]
    assert len(drawn) == 100
    worst = max(error(one, fit_smiles([one])[0]) for one in drawn)
    assert worst < 1e-4, f"the largest error in volatility was {worst:.2e}"


def random_smile(rng: np.random.Generator) -> Quotes | None:
    """Exact quotes of a smile drawn at random, None where it has arbitrage."""
    years, level, rho = rng.uniform(0.02, 2.5), rng.uniform(0.1, 0.7), rng.uniform(-0.9, 0.4)
    deviation = level * np.sqrt(years)
    b, sigma, m = rng.uniform((0.1, 0.3, -0.4), (0.9, 2.0, 0.4)) * deviation
    parameters = (deviation**2 - b * (np.hypot(m, sigma) - rho * m), b, rho, m, sigma)
    lowest = parameters[0] + b * sigma * np.sqrt(1 - rho**2)
    clear = durrleman(grid_of(np.array([]), deviation), *parameters).min() > 0.02
    return quotes(parameters, years) if clear and lowest > 0.05 * deviation**2 else None


def test_many_expiries_at_once_are_the_same_as_one_by_one() -> None:
    batch = [quotes(*KNOWN[2]), quotes(*KNOWN[0], count=23), quotes(*KNOWN[1])]
    together = fit_smiles(batch)
    for one, found in zip(batch, together, strict=True):
        assert error(one, found) < 1e-6


def test_the_same_quotes_give_the_same_smile_to_the_last_bit() -> None:
    rng = np.random.default_rng(3)
    exact = [quotes(*known) for known in KNOWN]
    noisy = [one._replace(volatility=one.volatility + rng.normal(0, 0.004, len(one.k))) for one in exact]
    assert fit_smiles(noisy) == fit_smiles(noisy)


def test_outliers_hardly_move_the_smile() -> None:
    clean = quotes(*KNOWN[0], weight=1 / 0.003)
    seen = clean.volatility.copy()
    seen[[3, 17, 30]] += [0.3, -0.08, 0.2]
    (found,) = fit_smiles([clean._replace(volatility=seen)])
    assert error(clean, found) < 0.003


def test_quotes_that_cannot_be_free_of_butterflies_are_fitted_by_a_smile_that_is() -> None:
    k = np.linspace(-0.5, 0.5, 41)
    axel_vogt = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)  # Gatheral and Jacquier (2014), example 3.1
    wide = np.linspace(-1.5, 1.5, 61)
    assert durrleman(wide, *axel_vogt).min() < 0
    seen = Quotes(wide, np.sqrt(total_variance(wide, *axel_vogt)), np.full(61, 100.0), 1.0)
    (found,) = fit_smiles([seen])
    assert durrleman(np.linspace(-2, 2, 4001), *found).min() >= 0
    assert np.abs(np.sqrt(total_variance(k, *found)) - np.sqrt(total_variance(k, *axel_vogt))).max() < 0.02


def test_g_is_negative_where_the_price_of_a_butterfly_is() -> None:
    from sigmalib.risk.options import black76_price

    parameters, k, h = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153), np.linspace(-1.4, 1.4, 57), 1e-3

    def call(at: np.ndarray) -> np.ndarray:
        volatility = np.sqrt(total_variance(np.log(at), *parameters))
        return np.asarray(black76_price(np.ones_like(at), at, 1.0, 0.0, volatility, right="call"))

    strikes = np.exp(k)
    density = (call(strikes + h) - 2 * call(strikes) + call(strikes - h)) / h**2
    g = durrleman(k, *parameters)
    clear = np.abs(g) > 0.01
    assert (np.sign(density) == np.sign(g))[clear].all()
    w = total_variance(k, *parameters)
    told = g / np.sqrt(2 * np.pi * w) * np.exp(-((-k / np.sqrt(w) - np.sqrt(w) / 2) ** 2) / 2) / strikes
    assert np.abs(told - density).max() < 5e-5, f"largest distance of the densities {np.abs(told - density).max():.1e}"


def test_a_later_smile_is_lifted_off_the_one_before_where_the_quotes_bear_it() -> None:
    sooner, later = quotes((0.02, 0.1, -0.3, 0.0, 0.2), 0.5), quotes((0.0195, 0.1, -0.3, 0.0, 0.2), 0.55, weight=20.0)
    found = fit_smiles([sooner, later])
    k = np.union1d(sooner.k, later.k)
    assert (total_variance(k, *found[1]) >= total_variance(k, *found[0])).all()


def test_quotes_that_do_not_bear_it_keep_their_smile() -> None:
    sooner, later = quotes((0.04, 0.1, -0.3, 0.0, 0.2), 0.5), quotes((0.01, 0.1, -0.3, 0.0, 0.2), 0.55)
    assert error(later, fit_smiles([sooner, later])[1]) < 1e-3


@pytest.mark.parametrize("count", [1, 2, 4])
def test_fewer_than_five_quotes_give_a_flat_smile_at_their_median(count: int) -> None:
    seen = Quotes(np.linspace(-0.1, 0.1, count), np.linspace(0.2, 0.3, count), np.ones(count), 0.25)
    ((a, b, *_),) = fit_smiles([seen])
    assert b == 0
    assert 0.2 <= np.sqrt(a / 0.25) <= 0.3


def test_no_quotes_give_no_number() -> None:
    empty = np.empty(0)
    assert fit_smiles([]) == []
    assert np.isnan(fit_smiles([Quotes(empty, empty, empty, 0.25)])[0][0])
    assert np.isnan(fit_smiles([Quotes(np.zeros(9), np.full(9, 0.2), np.zeros(9), 0.25)])[0][0])


def test_five_quotes_at_one_strike_are_not_a_smile() -> None:
    ((_, b, *_),) = fit_smiles([Quotes(np.zeros(9), np.full(9, 0.2), np.ones(9), 0.25)])
    assert b == 0


def test_a_smile_answers_by_strike_and_is_unknown_where_there_is_none() -> None:
    smile = Smile(date(2026, 3, 20), 0.25, 100.0, 0.99, 0.01, 0.1, -0.5, 0.0, 0.1, "svi")
    found = smile.volatility([100.0, 0.0, -5.0, np.nan, np.inf])
    assert found[0] == pytest.approx(np.sqrt(0.02 / 0.25))
    assert np.isnan(found[1:]).all()
    assert smile.to_dict()["rho"] == -0.5
    assert smile.durrleman(0.0) > 0

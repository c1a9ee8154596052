"""Laws of revaluation: linear in the book, blind to order and splitting, nothing for nothing, garbage is unknown."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmalib.core.errors import InputError
from sigmalib.risk.scenario.moves import Moves
from sigmalib.risk.scenario.revaluation import revalued
from sigmalib.risk.scenario.scenarios import parse_scenarios

NAMES = ["A", "B"]
anything = st.floats(allow_nan=True, allow_infinity=True)
moderate = st.floats(-0.9, 2.0)
yearly = st.floats(-0.05, 0.2).map(lambda rate: round(rate, 6))


def contract(
    spot: float, strike: float, years: float, volatility: float, rate: float, carry: float, right: str
) -> pd.Series:
    terms = (spot, strike, years, volatility, rate, carry, right)
    names = ("spot", "strike", "expiry_years", "volatility", "rate", "dividend_yield", "right")
    return pd.Series(dict(zip(names, terms, strict=True)))


contracts = st.lists(
    st.builds(
        contract, st.floats(1, 1000), st.floats(1, 1000), st.floats(0, 5), st.floats(0, 2), yearly, yearly,
        st.sampled_from(["call", "put"]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def held(terms: list[pd.Series]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A book of these contracts and of a stock, and their marks."""
    symbols = [f"O{number}" for number in range(len(terms))]
    marks = pd.DataFrame(terms, index=pd.Index(symbols, name="symbol")).assign(style="European")
    rights = [term["right"] for term in terms]
    holdings = pd.DataFrame(
        {
            "symbol": [*symbols, "A"],
            "kind": [*["LC"] * len(terms), "LONG"],
            "quantity": np.arange(1.0, len(terms) + 2) * np.where(np.arange(len(terms) + 1) % 2, 1, -1),
            "multiplier": [*[100.0] * len(terms), 1.0],
            "fx": 1.0,
            "price": 50.0,
            "currency": "USD",
            "underlying": [NAMES[number % 2] for number in range(len(terms))] + ["A"],
            "right": pd.Series([*rights, None], dtype="str"),
        }
    )
    return holdings, marks


def joint(moves: list[tuple[float, float]]) -> Moves:
    rows = np.array(moves)
    return Moves(pd.DataFrame(rows, columns=NAMES), volatility=rows[:, ::-1].mean(axis=1) * 0.1)


several = st.lists(st.tuples(moderate, moderate), min_size=1, max_size=40)


@given(contracts, several, st.floats(-100, 100))
@settings(max_examples=15, deadline=None)
def test_profit_scales_with_the_book(terms: list[pd.Series], moves: list[tuple[float, float]], factor: float) -> None:
    holdings, marks = held(terms)
    one = revalued(holdings, marks, joint(moves)).matrix
    many = revalued(holdings.assign(quantity=holdings["quantity"] * factor), marks, joint(moves)).matrix
    np.testing.assert_allclose(many, factor * one, rtol=1e-12, atol=1e-9)


@given(contracts, several, st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_order_and_splitting_change_nothing(
    terms: list[pd.Series], moves: list[tuple[float, float]], chance: object
) -> None:
    holdings, marks = held(terms)
    whole = revalued(holdings, marks, joint(moves))
    order = list(range(len(holdings)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    mixed = revalued(holdings.iloc[order], marks.iloc[::-1], joint(moves))
    np.testing.assert_array_equal(mixed.matrix, whole.matrix[order])
    halves = pd.concat(
        [holdings.assign(quantity=holdings["quantity"] * part) for part in (0.25, 0.75)], ignore_index=True
    )
    split = revalued(halves, marks, joint(moves))
    scale = np.abs(whole.matrix).sum(axis=0) + 1.0
    assert (np.abs(split.total - whole.total) <= 1e-12 * scale).all()
    assert (np.abs(mixed.total - whole.total) <= 1e-12 * scale).all()


@given(contracts, st.integers(1, 70))
@settings(max_examples=15, deadline=None)
def test_no_move_is_exactly_nothing(terms: list[pd.Series], count: int) -> None:
    found = revalued(*held(terms), pd.DataFrame(0.0, index=range(count), columns=NAMES))
    assert (found.matrix == 0.0).all()


@given(contracts, several)
@settings(max_examples=15, deadline=None)
def test_a_scenario_does_not_depend_on_those_beside_it(
    terms: list[pd.Series], moves: list[tuple[float, float]]
) -> None:
    holdings, marks = held(terms)
    whole = revalued(holdings, marks, joint(moves)).matrix
    alone = np.hstack([revalued(holdings, marks, joint([move])).matrix for move in moves])
    np.testing.assert_allclose(whole, alone, rtol=1e-12, atol=1e-9)


@given(
    st.lists(anything, min_size=6, max_size=6),
    st.lists(anything, min_size=7, max_size=7),
    st.sampled_from(["call", "put"]),
)
@settings(max_examples=60, deadline=None)
def test_garbage_is_unknown_or_a_finite_number_and_never_harms_the_rest(
    terms: list[float], moves: list[float], right: str
) -> None:
    good = contract(100.0, 100.0, 0.5, 0.2, 0.03, 0.0, "put")
    holdings, marks = held([contract(*terms, right), good])
    spot, beside, relative, points, rate, days, fx = moves
    wild = Moves(
        pd.DataFrame({"A": [spot, 0.1], "B": [beside, 0.1]}), fx=pd.DataFrame({"USD": [fx, 0.0]}),
        volatility=[relative, 0.0], volatility_points=[points, 0.0], rate=[rate, 0.0], days=[days, 0.0],
    )  # fmt: skip
    found = revalued(holdings, marks, wild)
    calm = revalued(holdings, marks, Moves(pd.DataFrame({"A": [0.1], "B": [0.1]}), days=[0.0]))
    assert not np.isinf(found.matrix[:, 1]).any()
    np.testing.assert_allclose(found.matrix[1:, 1], calm.matrix[1:, 0], rtol=1e-9)
    if not all(np.isfinite(terms)):
        assert np.isnan(found.matrix[0]).all()
    if not np.isfinite([beside, relative, points, rate, days, fx]).all() or beside < -1:
        assert np.isnan(found.matrix[1, 0])


@given(st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_text_is_scenarios_or_a_refusal(text: str) -> None:
    for given_text in (text, f'[[scenario]]\nname = "a"\n{text}'):
        with contextlib.suppress(InputError):
            parse_scenarios(given_text)

"""Full revaluation: equal to the price formula cell by cell, by its own style, whatever the shape of the book."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.options import bsm_price
from sigmalib.risk.pricing.american import american_price
from sigmalib.risk.scenario.moves import Moves
from sigmalib.risk.scenario.revaluation import Book, loops, revalued
from sigmalib.risk.tail import component_shortfall, expected_shortfall, value_at_risk
from tests import plain

SCENARIOS, NAMES = 333, [f"N{number}" for number in range(7)]


def made(*, seed: int = 0, positions: int = 60, style: str = "European") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Holdings, half of them options, and their marks."""
    rng = np.random.default_rng(seed)
    options = positions // 2
    spot = pd.Series(rng.uniform(20, 400, len(NAMES)), index=NAMES)
    names = rng.choice(NAMES, positions)
    here = spot[names].to_numpy()
    option = np.arange(positions) < options
    right = np.where(rng.random(positions) < 0.5, "call", "put")
    symbols = [f"O{i}" if option[i] else names[i] for i in range(positions)]
    holdings = pd.DataFrame(
        {
            "symbol": symbols,
            "kind": np.where(option, "LC", "LONG"),
            "quantity": rng.normal(0, 10, positions).round() + 0.5,
            "multiplier": np.where(option, 100.0, 1.0),
            "fx": 1.0,
            "price": here,
            "currency": "USD",
            "underlying": names,
            "right": np.where(option, right, None),
        }
    )
    marks = pd.DataFrame(
        {
            "underlying": names,
            "strike": here * np.exp(rng.normal(0, 0.2, positions)),
            "right": right,
            "style": style,
            "spot": here,
            "expiry_years": rng.choice([0.0, 1 / 365, 0.1, 0.5, 2.0], positions),
            "rate": rng.choice([0.03, -0.01], positions),
            "dividend_yield": rng.uniform(0, 0.05, positions),
            "volatility": np.where(rng.random(positions) < 0.1, 0.0, rng.uniform(0.05, 0.8, positions)),
        },
        index=pd.Index(symbols, name="symbol"),
    )
    return holdings, marks[:options]


def moved(*, seed: int = 0, **others: object) -> Moves:
    rng = np.random.default_rng(seed)
    spots = pd.DataFrame(rng.normal(0, 0.05, (SCENARIOS, len(NAMES))).clip(-1), columns=NAMES)
    return Moves(spots, **others)  # type: ignore[arg-type]


def by_formula(holdings: pd.DataFrame, marks: pd.DataFrame, moves: Moves) -> pd.DataFrame:
    """The same P&L, option by option, out of ``bsm_price``; stocks linear."""
    columns = {}
    for at, row in holdings.iterrows():
        units, move = row["quantity"] * row["multiplier"] * row["fx"], moves.spot[row["underlying"]].to_numpy()
        if row["kind"] == "LONG":
            columns[at] = units * row["price"] * move
            continue
        mark = marks.loc[row["symbol"]]
        relative = moves.volatility[row["underlying"]] if isinstance(moves.volatility, pd.DataFrame) else 0.0
        volatility = np.maximum(mark["volatility"] * (1 + np.asarray(relative)) + moves.volatility_points, 0)
        years = np.maximum(mark["expiry_years"] - np.asarray(moves.days) / 365, 0)
        terms = {"dividend_yield": mark["dividend_yield"], "right": mark["right"]}
        after = bsm_price(
            mark["spot"] * (1 + move), mark["strike"], years, mark["rate"] + np.asarray(moves.rate), volatility, **terms
        )
        now = bsm_price(mark["spot"], mark["strike"], mark["expiry_years"], mark["rate"], mark["volatility"], **terms)
        columns[at] = units * (after - now)
    return pd.DataFrame(columns)


@pytest.mark.parametrize("days", [0.0, 3.0, np.arange(SCENARIOS) % 40.0])
def test_every_cell_equals_the_price_formula(days: object) -> None:
    largest = 0.0
    for seed in range(5):
        holdings, marks = made(seed=seed)
        rng = np.random.default_rng(seed + 100)
        volatility = pd.DataFrame(rng.normal(0, 0.3, (SCENARIOS, len(NAMES))), columns=NAMES)
        moves = moved(
            seed=seed, volatility=volatility, volatility_points=0.01, rate=rng.normal(0, 0.01, SCENARIOS), days=days
        )
        off = (revalued(holdings, marks, moves).frame - by_formula(holdings, marks, moves)).abs()
        scale = holdings["quantity"].abs() * holdings["multiplier"] * holdings["price"]
        largest = max(largest, float((off / scale).max(axis=None)))
    assert largest < 1e-14, f"largest error {largest:.1e} of the notional in 50,000 cells"


def test_a_value_equals_the_price_formula_to_its_last_digits_where_it_is_more_than_dust() -> None:
    holdings, marks = made(seed=3, positions=200)
    moves, book = moved(seed=3), Book.of(holdings, marks)
    found = book.under(moves).frame.iloc[:, :100]
    want = by_formula(holdings, marks, moves).iloc[:, :100]
    sized = want.abs() > 1e-3 * (holdings["quantity"] * holdings["multiplier"] * holdings["price"]).abs()[:100]
    largest = float(((found / want - 1).abs().where(sized)).max(axis=None))
    assert largest < 1e-12, f"largest relative error {largest:.1e}"


def test_no_move_is_a_profit_of_exactly_nothing() -> None:
    for seed in range(10):
        holdings, marks = made(seed=seed)
        nothing = pd.DataFrame(0.0, index=range(37), columns=NAMES)
        assert (revalued(holdings, marks, Moves(nothing)).matrix == 0.0).all()
        some_days = Moves(nothing, days=np.append(np.zeros(36), 1.0))
        assert (revalued(holdings, marks, some_days).matrix[:, :-1] == 0.0).all()


@pytest.mark.parametrize("style", ["row", "cells"])
def test_an_american_contract_is_repriced_as_one(style: str) -> None:
    """One boundary serves a row of spots; with moving volatilities and rates each cell has its own."""
    holdings, marks = made(seed=1, positions=20, style="American")
    rng = np.random.default_rng(1)
    varied = {"volatility": rng.normal(0, 0.1, SCENARIOS), "rate": rng.normal(0, 0.005, SCENARIOS), "days": 2.0}
    moves = moved(seed=1, **(varied if style == "cells" else {"volatility": 0.1, "days": 2.0}))
    found, largest = revalued(holdings, marks, moves).matrix, 0.0
    for number, mark in enumerate(marks.itertuples()):
        terms = {"dividend_yield": mark.dividend_yield, "right": mark.right, "accuracy": "accurate"}
        years, rate = max(mark.expiry_years - 2 / 365, 0.0), mark.rate + np.asarray(moves.rate)
        volatility = mark.volatility * (1 + np.asarray(moves.volatility))
        spot = mark.spot * (1 + moves.spot[mark.underlying].to_numpy())
        after = american_price(spot, mark.strike, years, rate, volatility, **terms)
        now = american_price(mark.spot, mark.strike, mark.expiry_years, mark.rate, mark.volatility, **terms)
        units = holdings["quantity"][number] * 100
        largest = max(largest, float(np.abs(found[number] - units * (after - now)).max() / abs(units) / mark.strike))
    assert largest < (2e-5 if style == "cells" else 1e-9), f"largest error {largest:.1e} of the strike"


def test_no_move_is_exactly_nothing_for_american_contracts_too() -> None:
    holdings, marks = made(seed=2, positions=20, style="American")
    nothing = pd.DataFrame(0.0, index=range(9), columns=NAMES)
    assert (revalued(holdings, marks, nothing).matrix == 0.0).all()
    some_days = Moves(nothing, days=np.append(np.zeros(8), 1.0))
    assert (revalued(holdings, marks, some_days).matrix[:, :-1] == 0.0).all()


def test_both_styles_of_one_book_are_each_repriced_by_their_own() -> None:
    holdings, marks = made(seed=3, positions=20)
    _, american = made(seed=3, positions=20, style="American")
    mixed = marks.assign(style=["American", "European"] * 5)
    found = revalued(holdings, mixed, moved(seed=3))
    each = [revalued(holdings, marks, moved(seed=3)).matrix, revalued(holdings, american, moved(seed=3)).matrix]
    np.testing.assert_allclose(found.matrix[0:10:2], each[1][0:10:2], atol=1e-6)
    np.testing.assert_array_equal(found.matrix[1:10:2], each[0][1:10:2])
    np.testing.assert_allclose(found.total, found.frame.sum(axis=1), atol=1e-8)


def test_past_its_expiry_an_option_is_worth_what_exercise_gives() -> None:
    holdings, marks = made(seed=1)
    moves = moved(seed=1, days=2000.0)
    frame = revalued(holdings, marks, moves).frame
    mark, row = marks.iloc[0], holdings.iloc[0]
    sign = 1.0 if mark["right"] == "call" else -1.0
    payoff = np.maximum(sign * (mark["spot"] * (1 + moves.spot[mark["underlying"]]) - mark["strike"]), 0)
    terms = mark[["spot", "strike", "expiry_years", "rate", "volatility"]].astype(float)
    now = bsm_price(*terms, dividend_yield=mark["dividend_yield"], right=mark["right"])
    np.testing.assert_allclose(frame[0], row["quantity"] * 100 * (payoff - float(now)), atol=1e-8)


def test_the_total_is_the_sum_of_the_positions_and_two_of_one_contract_share_its_price() -> None:
    holdings, marks = made(seed=2)
    twice = pd.concat([holdings, holdings.iloc[:10].assign(quantity=3.0)], ignore_index=True)
    found = revalued(twice, marks, moved(seed=2))
    np.testing.assert_allclose(found.total, found.frame.sum(axis=1), atol=1e-8)
    shares = 3.0 / holdings["quantity"].iloc[:10].to_numpy()
    np.testing.assert_allclose(found.matrix[60:], found.matrix[:10] * shares[:, None], rtol=1e-12, atol=1e-12)


def test_an_unknown_move_name_contract_or_price_is_unknown_and_touches_nothing_else() -> None:
    holdings, marks = made(seed=4)
    moves = moved(seed=4)
    moves.spot.iloc[5, 0] = np.nan
    moves.spot.iloc[6, 0] = -1.5
    moves.spot.iloc[7, 0] = np.inf
    found = revalued(holdings, marks, replace(moves, rate=np.where(np.arange(SCENARIOS) == 9, np.nan, 0.0))).frame
    hit = (holdings["underlying"] == NAMES[0]).to_numpy()
    assert found.iloc[5:8, np.flatnonzero(hit)].isna().all(axis=None)
    assert found.iloc[5:8, np.flatnonzero(~hit)].notna().all(axis=None)
    assert found.iloc[9].isna().tolist() == holdings["right"].notna().tolist()
    lost = revalued(holdings, marks.drop(index="O3"), Moves(moves.spot.drop(columns=NAMES[1])))
    gone = (holdings["underlying"] == NAMES[1]) | (holdings["symbol"] == "O3")
    assert lost.frame.iloc[20].isna().tolist() == gone.tolist()
    assert np.isnan(lost.total).all()


@pytest.mark.parametrize("name", ["spot", "strike", "expiry_years", "rate", "dividend_yield", "volatility"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, -1.0])
def test_garbage_in_a_term_is_an_unknown_row_or_a_number_never_a_crash(name: str, value: float) -> None:
    holdings, marks = made(seed=5)
    marks.loc["O0", name] = value
    found = revalued(holdings, marks, moved(seed=5))
    possible = name in ("rate", "dividend_yield") and value == -1.0
    assert np.isfinite(found.matrix[0]).all() if possible else np.isnan(found.matrix[0]).all()
    assert np.isfinite(found.matrix[1:]).all()


def test_a_currency_moves_what_is_held_in_it_and_one_without_a_move_is_unknown() -> None:
    holdings, marks = made(seed=6)
    holdings.loc[[0, 40], ["currency", "fx"]] = ["EUR", 1.1]
    holdings.loc[[1, 41], ["currency", "fx"]] = ["GBP", 1.3]
    moves = moved(seed=6)
    fx = pd.DataFrame({"EUR": np.linspace(-0.1, 0.1, SCENARIOS)})
    still, found = revalued(holdings, marks, moves).frame, revalued(holdings, marks, replace(moves, fx=fx)).frame
    assert found[[1, 41]].isna().all(axis=None)
    value = 1.1 * holdings.loc[40, "quantity"] * holdings.loc[40, "price"]
    np.testing.assert_allclose(
        found[40], value * ((1 + moves.spot[holdings.loc[40, "underlying"]]) * (1 + fx["EUR"]) - 1)
    )
    rest = [at for at in holdings.index if at not in (0, 1, 40, 41)]
    pd.testing.assert_frame_equal(found[rest], still[rest])


def test_moves_are_aligned_by_label_and_never_by_place() -> None:
    holdings, marks = made(seed=7)
    rng = np.random.default_rng(7)
    moves = moved(seed=7, volatility=pd.DataFrame(rng.normal(0, 0.1, (SCENARIOS, 7)), columns=NAMES), rate=pd.Series(
        rng.normal(0, 0.01, SCENARIOS)))  # fmt: skip
    order, names = rng.permutation(SCENARIOS), rng.permutation(NAMES)
    assert isinstance(moves.volatility, pd.DataFrame)
    assert isinstance(moves.rate, pd.Series)
    mixed = Moves(
        moves.spot[names], volatility=moves.volatility.iloc[order][names[::-1]], rate=moves.rate.iloc[order[::-1]]
    )
    pd.testing.assert_frame_equal(revalued(holdings, marks, mixed).frame, revalued(holdings, marks, moves).frame)
    short = replace(moves, rate=moves.rate.iloc[:10])
    assert revalued(holdings, marks, short).frame.iloc[10:, :30].isna().all(axis=None)


def test_shapes_that_do_not_fit_are_refused_with_the_argument_named() -> None:
    with pytest.raises(InputError, match="`spot` must be a frame"):
        Moves(np.zeros((2, 2)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`rate`.*333 scenarios"):
        revalued(*made(), moved(rate=[0.1, 0.2]))
    with pytest.raises(InputError, match="'AAA' more than once"):
        Moves(pd.DataFrame([[0.1, 0.2]], columns=["AAA", "AAA"]))
    with pytest.raises(InputError, match="some come twice"):
        revalued(*made(), moved(rate=pd.Series([0.1, 0.2], index=[0, 0])))
    with pytest.raises(InputError, match="`spot` must hold numbers"):
        revalued(*made(), pd.DataFrame({name: ["x"] for name in NAMES}))
    with pytest.raises(InputError, match="needs the column"):
        revalued(made()[0].drop(columns="fx"), made()[1], moved())


def test_nothing_held_and_no_scenario_are_empty_answers() -> None:
    holdings, marks = made()
    none = revalued(holdings.iloc[:0], marks, moved())
    assert none.matrix.shape == (0, SCENARIOS)
    assert (none.total == 0).all()
    empty = revalued(holdings, marks, moved().spot.iloc[:0])
    assert empty.frame.shape == (0, 60)
    assert np.isnan(empty.tail().es)


def test_the_tail_is_that_of_the_tail_measures_and_its_parts_add_up() -> None:
    found = revalued(*made(seed=8), moved(seed=8))
    pnl = found.frame.sum(axis=1)
    for level in (0.9, 0.95, 0.975, 0.999):
        tail = found.tail(level)
        assert tail.var == pytest.approx(value_at_risk(pnl, level), rel=1e-12)
        assert tail.es == pytest.approx(expected_shortfall(pnl, level), rel=1e-12)
        assert tail.component_es.sum() == pytest.approx(tail.es, rel=1e-12)
        np.testing.assert_allclose(tail.component_es, component_shortfall(found.frame, level), rtol=1e-9, atol=1e-9)


def test_one_compiled_version_serves_every_caller() -> None:
    holdings, marks = made(seed=9)
    revalued(holdings, marks, moved(seed=9))
    revalued(holdings.copy(), marks.copy(), Moves(moved(seed=9).spot.copy(), volatility=0.1, days=np.arange(SCENARIOS)))
    read_only = np.broadcast_to(0.01, (SCENARIOS, len(NAMES)))
    revalued(holdings, marks, pd.DataFrame(read_only, columns=NAMES))
    if hasattr(loops.book, "signatures"):
        assert len(loops.book.signatures) == 1


def test_more_scenarios_than_a_block_are_the_same_as_fewer() -> None:
    holdings, marks = made(seed=10)
    rng = np.random.default_rng(10)
    many = pd.DataFrame(rng.normal(0, 0.05, (5001, len(NAMES))), columns=NAMES)
    whole = revalued(holdings, marks, many)
    parts = [revalued(holdings, marks, many.iloc[start : start + 777]) for start in range(0, 5001, 777)]
    np.testing.assert_array_equal(whole.matrix, np.hstack([part.matrix for part in parts]))
    np.testing.assert_array_equal(whole.total, np.concatenate([part.total for part in parts]))


def test_the_loops_run_in_plain_python_with_the_same_numbers(tmp_path: Path) -> None:
    code = (
        "from tests.risk.test_revaluation import *\n"
        "holdings, marks = made(positions=6)\n"
        "for days in (1.0, np.arange(3.0)):\n"
        "    moves = Moves(moved().spot.iloc[:3], volatility=0.1, days=days)\n"
        "    same = revalued(holdings, marks, replace(moves, volatility=0.0)).frame\n"
        "    want = by_formula(holdings, marks, replace(moves, volatility=0.0))\n"
        "    assert (same - want).abs().max(axis=None) < 1e-9, same - want\n"
        "    assert abs(revalued(holdings, marks, moves).tail().component_es.sum()) > 0\n"
    )
    plain.run(code, tmp_path)


def test_what_a_scenario_gains_does_not_depend_on_those_beside_it() -> None:
    count = 12
    symbols = [f"O{number}" for number in range(count)]
    rights = ["put", "call"] * (count // 2)
    holdings = pd.DataFrame({
        "symbol": symbols, "kind": "LONG", "quantity": 10.0, "multiplier": 100.0, "fx": 1.0, "price": 5.0,
        "currency": "USD", "underlying": "AAA", "right": rights,
    })  # fmt: skip
    marks = pd.DataFrame({
        "right": rights, "style": "American", "spot": 100.0, "strike": np.linspace(80.0, 120.0, count),
        "expiry_years": np.linspace(0.05, 1.5, count), "rate": 0.04, "dividend_yield": 0.02, "volatility": 0.25,
    }, index=symbols)  # fmt: skip
    alone = revalued(holdings, marks, Moves(pd.DataFrame({"AAA": [-0.1]}))).frame
    points = np.array([0.0, 0.1, -0.05])
    beside = revalued(holdings, marks, Moves(pd.DataFrame({"AAA": [-0.1, 0.1, 0.0]}), volatility_points=points)).frame
    error = float((alone.iloc[0] - beside.iloc[0]).abs().max())
    assert error < 1e-9, f"largest difference {error:.1e}"

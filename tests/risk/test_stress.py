"""Stress: direct shocks, betas, windows of the past, grids and reverse stress, each by full revaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.market import MarketView
from sigmalib.portfolio.valuation import value
from sigmalib.risk.marks import mark
from sigmalib.risk.options import bsm_price
from sigmalib.risk.scenario.moves import Moves
from sigmalib.risk.scenario.revaluation import revalued
from sigmalib.risk.scenario.shocks import estimated_betas, symbols_of
from sigmalib.risk.stress import (
    Scenario,
    StressTable,
    approximate,
    grid,
    revalue,
    reverse_stress,
    standard_scenarios,
    stress,
)
from tests.markets import AS_OF, book, market

BOOK = book(
    ("SPX", 100, 90.0, "2022-01-05"), ("BBB", -50, 90.0, "2022-01-05"), ("SPX230616P00095000", 5, 4.0, "2022-06-01"),
    ("CASH", 10_000, 1.0, "2022-01-05"),
)  # fmt: skip
STOCKS = book(("SPX", 100, 90.0, "2022-01-05"), ("BBB", 50, 90.0, "2022-01-05"))


def world(
    positions: pd.DataFrame = BOOK, seen: MarketView | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, MarketView]:
    """Holdings, marks and market; options on SPX are European."""
    seen = seen or market(names=("SPX", "BBB", "WTI", "IDX"), last={"SPX": 100.0, "BBB": 50.0})
    symbols = pd.Index(positions.loc[positions["right"].notna(), "symbol"].unique(), dtype="str")
    marks = mark(symbols, seen)
    return value(positions, seen, marks=marks, previous_marks=marks).holdings, marks, seen


def ran(
    *scenarios: Scenario, positions: pd.DataFrame = BOOK, seen: MarketView | None = None, **more: object
) -> StressTable:
    return stress(scenarios, *world(positions, seen), **more)  # type: ignore[arg-type]


def put(marks: pd.DataFrame, *, move: float = 0.0, rate: float = 0.0, points: float = 0.0) -> float:
    m = marks.iloc[0]
    terms = m["spot"] * (1 + move), m["strike"], m["expiry_years"], m["rate"] + rate, m["volatility"] + points
    return float(bsm_price(*terms, dividend_yield=m["dividend_yield"], right="put"))


def test_a_name_moves_by_its_own_shock_before_its_sector_before_its_beta() -> None:
    table = ran(
        Scenario("a", market=-0.1, sectors={"Energy": -0.2}, names={"SPX": 0.3}), Scenario("b", names={"SPX": 0.3})
    )
    assert table.moves.loc["a"].tolist() == [0.3, -0.2]
    assert table.moves.loc["b"].tolist() == [0.3, 0.0]
    assert table.by_position.loc["a"].iloc[[0, 1, 3]].tolist() == pytest.approx([3000.0, 500.0, 0.0])


def test_options_are_repriced_in_full_and_shares_are_of_nav() -> None:
    holdings, marks, seen = world()
    table = stress(
        [Scenario("a", names={"SPX": -0.2}, volatility_points=0.1, rates=0.01, days=0)], holdings, marks, seen
    )
    want = 500 * (put(marks, move=-0.2, rate=0.01, points=0.1) - put(marks))
    assert table.by_position.loc["a"].iloc[2] == pytest.approx(want, rel=1e-12)
    row = table.table.loc["a"]
    assert row["pnl"] == pytest.approx(want - 2000, rel=1e-12)
    assert row["share"] == pytest.approx(row["pnl"] / holdings["market_value"].sum(), rel=1e-12)
    assert table.base_name == "NAV"


def test_a_market_move_reaches_a_name_by_the_slope_of_its_returns() -> None:
    _, _, seen = world()
    recent = seen.returns.iloc[-252:]
    slope = np.polyfit(recent["IDX"], recent["BBB"], 1)[0]
    table = ran(Scenario("m", market=-0.1))
    assert table.moves.loc["m", "BBB"] == pytest.approx(-0.1 * slope, rel=1e-10)
    assert f"{slope:.2f} x IDX -10.0%" in table.notes.set_index("name").loc["BBB", "note"]


def test_several_factors_are_one_regression_and_given_betas_are_used() -> None:
    _, _, seen = world()
    recent = seen.returns.iloc[-252:]
    design = np.column_stack([np.ones(252), recent["IDX"], recent["WTI"]])
    slopes = np.linalg.lstsq(design, recent["SPX"].to_numpy(), rcond=None)[0][1:]
    case = Scenario("f", market=-0.1, factors={"oil": 0.05})
    assert ran(case).moves.loc["f", "SPX"] == pytest.approx(slopes @ [-0.1, 0.05], rel=1e-9)
    betas = pd.DataFrame({"market": [1.5, 0.5], "oil": [0.2, 0.0]}, index=["SPX", "BBB"])
    assert ran(case, betas=betas).moves.loc["f"].tolist() == pytest.approx([-0.14, -0.05])


def test_a_factor_without_a_series_is_not_computable_and_says_so() -> None:
    table = ran(Scenario("DAX", factors={"DAX": -0.1}), Scenario("oil", factors={"oil": -0.05}))
    row = table.table.loc["DAX"]
    assert (row["computable"], np.isnan(row["pnl"]), np.isnan(row["share"])) == (False, True, True)
    assert "`DAX` has no series: none of DAX, ^GDAXI, EWG" in row["reason"]
    assert table.by_position.loc["DAX"].isna().all()
    assert table.table.loc["oil", "computable"]
    assert np.isfinite(table.table.loc["oil", "pnl"])


def test_a_name_without_a_beta_is_in_no_total_and_named() -> None:
    _, _, seen = world()
    adjusted = seen.adjusted.copy()
    adjusted.iloc[:-40, adjusted.columns.get_loc("BBB")] = np.nan
    row = ran(Scenario("m", market=-0.1), seen=replace(seen, adjusted=adjusted)).table.loc["m"]
    assert (row["left_out"], row["computable"]) == (1, True)
    assert "partial: BBB are in no total" in row["reason"]


def test_rates_reach_options_and_never_show_as_nothing() -> None:
    holdings, marks, seen = world()
    table = stress([Scenario("r", rates=0.0025)], holdings, marks, seen)
    assert table.table.loc["r", "pnl"] == pytest.approx(500 * (put(marks, rate=0.0025) - put(marks)), rel=1e-12)
    assert table.table.loc["r", "pnl"] < 0
    assert "direct effect on options only; no rate series" in table.table.loc["r", "reason"]
    assert table.by_position.loc["r"].isna().tolist() == [True, True, False, False]
    bare = stress([Scenario("r", rates=0.0025)], *world(STOCKS))
    assert not bare.table.loc["r", "computable"]
    assert np.isnan(bare.table.loc["r", "pnl"])


def test_rates_reach_stocks_by_a_bond_fund_where_there_is_one() -> None:
    seen = market(names=("SPX", "BBB", "IEF", "IDX"))
    slope = np.polyfit(seen.returns["IEF"].iloc[-252:], seen.returns["SPX"].iloc[-252:], 1)[0]
    table = ran(Scenario("r", rates=0.01), positions=STOCKS, seen=seen)
    assert table.moves.loc["r", "SPX"] == pytest.approx(slope * -0.072, rel=1e-9)
    assert "IEF of duration 7.2" in table.table.loc["r", "reason"]


def test_a_window_replays_what_the_names_did_and_proxies_are_told() -> None:
    _, _, seen = world()
    adjusted = seen.adjusted.copy()
    adjusted.loc[:"2021-06-01", "BBB"] = np.nan
    seen = replace(seen, adjusted=adjusted)
    table = ran(Scenario("w", start="2021-02-19", end="2021-05-21"), seen=seen)  # type: ignore[arg-type]
    real = adjusted.loc["2021-05-21"] / adjusted.loc["2021-02-19"] - 1
    assert table.moves.loc["w", "SPX"] == pytest.approx(real["SPX"], rel=1e-12)
    recent = seen.returns.iloc[-252:]
    slope = np.polyfit(recent["IDX"], recent["BBB"], 1)[0]
    assert table.moves.loc["w", "BBB"] == pytest.approx(slope * real["IDX"], rel=1e-9)
    assert "proxy: no prices in the window" in table.notes.set_index("name").loc["BBB", "note"]
    assert "no history of volatilities" in table.table.loc["w", "reason"]


def test_a_window_outside_the_data_is_not_computable() -> None:
    table = ran(Scenario("2008", start="2008-09-12", end="2008-11-20"))  # type: ignore[arg-type]
    assert not table.table.loc["2008", "computable"]
    assert "outside the market data, which has 2020-10-08 to 2022-12-28" in table.table.loc["2008", "reason"]


def test_the_standard_set_runs_and_travels() -> None:
    table = stress(standard_scenarios(), *world())
    assert len(table.table) == len(standard_scenarios())
    assert (table.table["pnl"].notna() == table.table["computable"]).all()
    assert table.table.loc[~table.table["computable"], "reason"].str.len().min() > 10
    assert table.to_dict()["base"]["name"] == "NAV"
    assert {"WTI", "DAX", "IEF", "VUG"} <= set(symbols_of(standard_scenarios()))
    assert stress('[[scenario]]\nname = "t"\nmarket = 0.1', *world()).table.index.tolist() == ["t"]
    with pytest.raises(InputError, match="one or more Scenario"):
        stress([], *world())


def test_currencies_are_shocked_alone() -> None:
    holdings, marks, seen = world(STOCKS)
    euro = holdings.assign(currency=["EUR", "USD"], fx=[1.2, 1.0])
    table = stress([Scenario("e", fx={"EUR": -0.1})], euro, marks, seen)
    assert table.by_position.loc["e"].tolist() == pytest.approx([-0.1 * 1.2 * 100 * 100, 0.0])


def test_betas_are_unknown_with_few_returns_or_factors_that_are_one() -> None:
    rng = np.random.default_rng(1)
    returns = pd.DataFrame(rng.normal(0, 0.01, (100, 2)), columns=["A", "B"])
    returns.loc[:50, "B"] = np.nan
    assert estimated_betas(returns, returns[["A"]]).isna()["A"].tolist() == [False, True]
    twins = pd.DataFrame({"x": returns["A"], "y": 2 * returns["A"]})
    assert estimated_betas(returns, twins).isna().all(axis=None)


def test_a_grid_is_the_book_revalued_cell_by_cell() -> None:
    holdings, marks, _ = world()
    cube = grid(holdings, marks, spots=[-0.1, 0.0, 0.1], volatilities=[0.0, 0.05], days=[0, 30])
    assert cube.index.names == ["days", "volatility", "spot"]
    assert cube.loc[0, 0.0, 0.0] == 0.0
    spot = pd.DataFrame({"SPX": [-0.1], "BBB": [-0.1]})
    alone = revalued(holdings, marks, Moves(spot, volatility_points=0.05, days=30.0)).total[0]
    assert cube.loc[30, 0.05, -0.1] == pytest.approx(alone, rel=1e-12)
    weighted = grid(holdings, marks, spots=[0.1], betas=pd.Series({"SPX": 2.0, "BBB": 0.0}))
    want = revalue(holdings, marks, pd.DataFrame({"SPX": [0.2], "BBB": [0.0]})).sum(axis=1)
    assert weighted.iloc[0] == pytest.approx(want[0], rel=1e-12)
    with pytest.raises(InputError, match="`spot` of the grid"):
        grid(holdings, marks, spots=[])


def test_greeks_agree_with_the_full_revaluation_of_small_moves() -> None:
    holdings, marks, _ = world()
    for size, worst in ((1e-3, 1e-5), (1e-4, 1e-7)):
        moves = pd.DataFrame({"SPX": [-size, size], "BBB": [size, -size]})
        full, near = revalue(holdings, marks, moves), approximate(holdings, marks, moves)
        scale = full.abs().max(axis=None)
        assert (full - near.delta_gamma).abs().max(axis=None) < worst * scale
        assert (full - near.delta).abs().max(axis=None) > (full - near.delta_gamma).abs().max(axis=None)
        pd.testing.assert_frame_equal(near.delta[[0, 1]], full[[0, 1]])


def test_the_most_plausible_loss_of_stocks_is_the_known_one() -> None:
    """For a linear book in small moves it is C w loss / (w' C w), at a distance of loss / sqrt(w' C w)."""
    holdings, marks, seen = world(STOCKS)
    found = reverse_stress(1.0, holdings, marks, seen)
    weights = holdings.set_index("underlying")["market_value"].reindex(found.moves.index).to_numpy()
    covariance = np.log1p(seen.returns[found.moves.index].iloc[-252:]).cov().to_numpy()
    spread = float(np.sqrt(weights @ covariance @ weights))
    assert found.reached
    assert found.pnl == pytest.approx(-1.0, rel=1e-9)
    assert found.distance == pytest.approx(1.0 / spread, rel=1e-3)
    assert found.moves.to_numpy() == pytest.approx(-covariance @ weights / spread**2, rel=1e-3)


@pytest.mark.parametrize("loss", [500.0, 3_000.0, 9_000.0])
def test_a_reverse_stress_loses_the_amount_and_no_nearer_move_does(loss: float) -> None:
    holdings, marks, seen = world()
    found = reverse_stress(loss, holdings, marks, seen, horizon=10)
    assert found.reached
    assert found.pnl == pytest.approx(-loss, rel=1e-9)
    root = np.linalg.cholesky(np.log1p(seen.returns[found.moves.index].iloc[-252:]).cov().to_numpy() * 10)
    assert np.linalg.norm(np.linalg.solve(root, np.log1p(found.moves))) == pytest.approx(found.distance, rel=1e-6)
    angles = np.linspace(0, 2 * np.pi, 721)
    nearer = np.vstack([np.cos(angles), np.sin(angles)]).T * found.distance * (1 - 1e-4)
    others = np.expm1(np.vstack([nearer * share for share in (0.25, 0.5, 0.75, 1.0)]) @ root.T)
    total = revalued(holdings, marks, pd.DataFrame(others, columns=found.moves.index)).total
    assert total.min() > -loss, f"a nearer move loses {-total.min():.2f}"
    assert 0 <= found.probability < 0.5
    assert found.to_dict()["moves"].keys() == {"SPX", "BBB"}


def test_a_loss_that_cannot_be_is_said_to_be_out_of_reach() -> None:
    found = reverse_stress(1e6, *world(STOCKS))
    assert not found.reached
    assert "not reachable: the worst that moves of the underlyings alone do" in found.reason
    assert np.isnan(found.distance)
    assert -15_000 < found.pnl < -10_000
    for wrong in (0.0, -5.0, float("nan")):
        with pytest.raises(InputError, match="`loss` must be a positive amount"):
            reverse_stress(wrong, *world(STOCKS))


def test_a_reverse_stress_needs_a_covariance_and_a_book_that_can_be_revalued() -> None:
    holdings, marks, seen = world(STOCKS)
    with pytest.raises(InputError, match="60 common returns"):
        reverse_stress(100.0, holdings, marks, replace(seen, adjusted=seen.adjusted.iloc[-30:]))
    with pytest.raises(InputError, match="BBB have none"):
        reverse_stress(100.0, holdings, marks, replace(seen, adjusted=seen.adjusted.drop(columns="BBB")))
    with pytest.raises(InputError, match="cannot be revalued"):
        reverse_stress(100.0, holdings.assign(price=np.nan), marks, seen)


def test_the_as_of_of_the_book_is_that_of_the_market() -> None:
    assert world()[2].as_of == AS_OF


def test_a_scenario_that_touches_nothing_says_so_and_what_was_meant() -> None:
    cases = {
        "touches nothing in the book: no holding in sector 'Enrgy'; did you mean 'Energy'?": {
            "sectors": {"Enrgy": -0.1}
        },
        "touches nothing in the book: no holding in 'SPXX'; did you mean 'SPX'?": {"names": {"SPXX": -0.1}},
        "touches nothing in the book: no holding in currency 'EUR'": {"fx": {"EUR": -0.1}},
        "touches nothing in the book: it moves nothing": {},
        "no holding in 'MSFT'": {"names": {"MSFT": -0.1, "SPX": -0.1}},
        "": {"sectors": {"Energy": -0.1}, "volatility": 0.1},
    }
    table = ran(*(Scenario(str(number), **case) for number, case in enumerate(cases.values()))).table
    assert table["reason"].tolist() == list(cases)
    assert (table["pnl"] == 0.0).tolist() == [True] * 4 + [False] * 2
    without = ran(
        Scenario("v", volatility_points=0.1, days=5), Scenario("m", market=-0.1, volatility=0.1), positions=STOCKS
    )
    assert "no option that `volatility_points`, `days` could reprice" in without.table.loc["v", "reason"]
    assert without.table.loc["m", "reason"] == ""
    cash = ran(Scenario("m", market=-0.1), positions=book(("CASH", 10_000, 1.0, "2022-01-05")))
    assert "no holding that moves with the market" in cash.table.loc["m", "reason"]


def test_spot_moves_by_name_and_a_scenario_are_revalued_as_they_are() -> None:
    holdings, marks, seen = world()
    moves = {"SPX": -0.1, "BBB": 0.05}
    want = revalue(holdings, marks, pd.DataFrame([moves]))
    pd.testing.assert_frame_equal(revalue(holdings, marks, moves), want)
    by_series = revalue(holdings, marks, pd.Series(moves, name="down"))
    pd.testing.assert_frame_equal(by_series, want.set_axis(["down"]))
    two = revalue(holdings, marks, {"SPX": [-0.1, 0.0], "BBB": [0.05, 0.0]})
    assert two.iloc[0].tolist() == want.iloc[0].tolist()
    direct = Scenario("direct", names={"SPX": -0.1}, volatility_points=0.1, rates=0.01, days=5, fx={"USD": 0.0})
    table = stress([direct], holdings, marks, seen)
    pd.testing.assert_frame_equal(revalue(holdings, marks, direct), table.by_position)
    rates = Scenario("rates", rates=0.01)
    pd.testing.assert_frame_equal(revalue(holdings, marks, rates), stress([rates], holdings, marks, seen).by_position)
    fall = Scenario("fall", market=-0.1, sectors={"Energy": -0.2})
    pd.testing.assert_frame_equal(
        revalue(holdings, marks, fall, market=seen), stress([fall], holdings, marks, seen).by_position
    )
    with pytest.raises(InputError, match="scenario 'fall' has `market`, which needs the market; pass market="):
        revalue(holdings, marks, fall)
    with pytest.raises(InputError, match="cannot be computed: `DAX` has no series"):
        revalue(holdings, marks, Scenario("d", factors={"DAX": -0.1}), market=seen)

"""Historical simulation: today's book under the past's joint moves, with what is missing said."""

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
from sigmalib.risk.simulation import Simulation, simulate, underlyings
from tests.markets import book, market

BOOK = book(
    ("SPX", 100, 90.0, "2022-01-05"), ("BBB", -50, 90.0, "2022-01-05"), ("SPX230616P00095000", 5, 4.0, "2022-06-01"),
    ("CASH", 10_000, 1.0, "2022-01-05"),
)  # fmt: skip


def world(seen: MarketView | None = None) -> tuple[pd.DataFrame, pd.DataFrame, MarketView]:
    seen = seen or market(names=("SPX", "BBB", "IDX"), last={"SPX": 100.0, "BBB": 50.0})
    marks = mark(pd.Index(BOOK.loc[BOOK["right"].notna(), "symbol"], dtype="str"), seen)
    return value(BOOK, seen, marks=marks, previous_marks=marks).holdings, marks, seen


def simulated(seen: MarketView | None = None, **more: object) -> Simulation:
    return simulate(*world(seen), **more)  # type: ignore[arg-type]


def test_each_session_is_the_book_at_the_moved_prices() -> None:
    holdings, marks, seen = world()
    found = simulate(holdings, marks, seen)
    moves, m = seen.returns.iloc[-500:], marks.iloc[0]
    spot = m["spot"] * np.append(0.0, moves["SPX"]) + m["spot"]
    terms = {"dividend_yield": m["dividend_yield"], "right": "put"}
    values = bsm_price(spot, m["strike"], m["expiry_years"], m["rate"], m["volatility"], **terms)
    want = 100 * 100 * moves["SPX"] - 50 * 50 * moves["BBB"] + 500 * (values[1:] - values[0])
    np.testing.assert_allclose(found.pnl, want, rtol=1e-9, atol=1e-9)
    assert (len(found.pnl), found.volatility_shock, found.horizon) == (500, "none", 1)
    assert found.missing.empty
    assert underlyings(holdings) == ["BBB", "SPX"]


def test_longer_moves_overlap() -> None:
    _, _, seen = world()
    found = simulated(horizon=10)
    want = (seen.adjusted / seen.adjusted.shift(10) - 1).iloc[-500:]
    np.testing.assert_allclose(found.moves, want, rtol=1e-12)
    np.testing.assert_allclose(found.by_position[0], 100 * 100 * want["SPX"], rtol=1e-9)
    assert (len(found.pnl), len(simulated(window=20).pnl), found.horizon) == (500, 20, 10)


def test_a_history_of_volatilities_moves_the_options() -> None:
    _, _, seen = world()
    moves = pd.DataFrame(0.2, index=seen.returns.index, columns=["SPX", "BBB"])
    plain, found = simulated(), simulated(volatility_moves=moves)
    assert (found.by_position[2] > plain.by_position[2]).all()
    pd.testing.assert_frame_equal(found.by_position[[0, 1, 3]], plain.by_position[[0, 1, 3]])
    assert found.volatility_shock.startswith("relative")


def test_a_session_with_an_unknown_move_is_dropped_and_listed() -> None:
    _, _, seen = world()
    adjusted = seen.adjusted.copy()
    adjusted.iloc[-100, adjusted.columns.get_loc("BBB")] = np.nan
    found = simulated(replace(seen, adjusted=adjusted))
    assert len(found.pnl) == 498
    assert len(found.gaps["BBB"]) == 2
    assert "no return on 2 of the last 500 sessions" in found.missing["reason"].iloc[0]


def test_a_holding_that_nothing_can_revalue_is_left_out_and_listed() -> None:
    holdings, marks, seen = world()
    found = simulate(holdings, marks.assign(volatility=np.nan), seen)
    assert found.beyond["symbol"].tolist() == [marks.index[0]]
    assert found.by_position.columns.tolist() == [0, 1, 3]
    assert "cannot be revalued" in found.missing["reason"].iloc[0]


@pytest.mark.parametrize("wrong", [{"window": 0}, {"horizon": 0}])
def test_a_window_without_sessions_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="must be 1 or more, was 0"):
        simulated(**wrong)

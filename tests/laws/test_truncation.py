"""The past is blind: whatever takes a view sees the same at a day, whatever the future is, or whether there is one."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sigmalib
from sigmalib.core.frames import ACTIONS, QUOTES
from sigmalib.core.market import MarketView
from sigmalib.core.records import json_text
from sigmalib.portfolio.actions import apply_splits
from sigmalib.portfolio.valuation import value
from sigmalib.risk.bets import FactorBets, factor_bets
from sigmalib.risk.conventions import conventions
from sigmalib.risk.marks import chain_of, mark, surface_of
from sigmalib.risk.report import RiskReport, assess
from sigmalib.risk.scenario.reach import unreached
from sigmalib.risk.scenario.reverse import reverse_stress
from sigmalib.risk.scenario.scenarios import Scenario
from sigmalib.risk.scenario.shocks import shock_of
from sigmalib.risk.simulation import simulate
from sigmalib.risk.stress import revalue, stress
from tests.markets import book, market

OPTION = "AAA230317C00100000"
BOOK = book(("AAA", 100, 90, "2022-01-03"), ("BBB", -50, 90, "2022-01-03"), (OPTION, 2, 5, "2022-01-03"),
            ("CASH", 20_000, 1, "2022-01-03"))  # fmt: skip
SYMBOLS = pd.Index([OPTION], dtype="str")
CRASH = Scenario("crash", market=-0.2, volatility_points=0.1)
CUTS = ("2022-09-30", "2022-10-31", "2022-12-05", "2022-12-06", "2022-12-07")


@cache
def view() -> MarketView:
    """A market with a dividend, a split and quotes along the way."""
    made = market(count=600)
    days = [pd.Timestamp(day) for day in ("2022-10-14", "2022-12-06")]
    index = pd.MultiIndex.from_tuples([(day, name) for day, name in zip(days, ("BBB", "AAA"), strict=True)])
    actions = pd.DataFrame({"dividend": [0.8, 0.0], "split": [1.0, 2.0]}, index=index.set_names(list(ACTIONS.index)))
    quoted = [(day, OPTION) for day in made.closes.index[-60:]]
    quotes = pd.DataFrame(
        {"underlying": "AAA", "bid": 4.9, "ask": 5.1}, index=pd.MultiIndex.from_tuples(quoted, names=list(QUOTES.index))
    )
    return replace(made, actions=actions, quotes=quotes.reindex(columns=QUOTES.names))


def another_future(seen: MarketView, day: str, seed: int) -> MarketView:
    """``seen``, with other prices, rates, quotes and actions after ``day``."""
    noise, after = np.random.default_rng(seed), pd.Timestamp(day)

    def changed(frame: pd.DataFrame, level: Any = None) -> pd.DataFrame:
        when = frame.index if level is None else frame.index.get_level_values(level)
        numbers = frame.select_dtypes("number").columns
        frame = frame.copy()
        frame.loc[when > after, numbers] *= noise.uniform(0.3, 3.0)
        return frame

    return replace(
        seen, closes=changed(seen.closes), adjusted=changed(seen.adjusted), fx=changed(seen.fx),
        quotes=changed(seen.quotes, "session"), actions=changed(seen.actions, "session"),
    )  # fmt: skip


def valued(seen: MarketView) -> pd.DataFrame:
    return value(held(seen), seen, marks=mark(SYMBOLS, seen), previous_marks=mark(SYMBOLS, seen)).holdings


def held(seen: MarketView) -> pd.DataFrame:
    return apply_splits(BOOK, seen.actions, seen.as_of)[0]


def reported(seen: MarketView) -> RiskReport:
    return assess(held(seen), seen)


def stocks(seen: MarketView) -> pd.DataFrame:
    return reported(seen).holdings[lambda rows: rows["right"].isna()]


def bets_of(report: RiskReport) -> FactorBets:
    rows = report.holdings[report.holdings["kind"] != "CASH"]
    return factor_bets(rows["delta_adjusted_exposure"], rows["underlying"], report.market, report.valuation.base)


TAKES_A_VIEW: dict[Callable[..., Any], Callable[[MarketView], Any]] = {
    assess: lambda seen: json_text(assess(held(seen), seen).to_dict()),
    value: valued,
    mark: lambda seen: mark(SYMBOLS, seen),
    simulate: lambda seen: (
        simulate(
            assess(held(seen), seen).valuation.holdings, mark(pd.Index(held(seen)["symbol"].iloc[[2]]), seen), seen
        ).pnl
    ),
    stress: lambda seen: stress(CRASH, reported(seen).holdings, reported(seen).marks, seen).table,
    revalue: lambda seen: revalue(reported(seen).holdings, reported(seen).marks, CRASH, market=seen),
    unreached: lambda seen: unreached(Scenario("s", sectors={"Enrgy": -0.1}), reported(seen).holdings, seen),
    shock_of: lambda seen: shock_of(CRASH, ["AAA", "BBB"], ["USD"], seen).spot,
    reverse_stress: lambda seen: reverse_stress(100.0, stocks(seen), reported(seen).marks, seen).moves,
    factor_bets: lambda seen: json_text(bets_of(reported(seen)).to_dict()),
    chain_of: lambda seen: chain_of("AAA", seen),
    surface_of: lambda seen: str(surface_of("AAA", seen)),
    conventions: lambda seen: str(conventions(seen, base_name="NAV", scenarios=1, window=1)),
    MarketView.until: lambda seen: seen.until(seen.as_of).fingerprint,
    MarketView.before: lambda seen: seen.before("2022-09-15").closes,
    MarketView.prices: lambda seen: seen.prices(),
    MarketView.fx_rates: lambda seen: seen.fx_rates(),
    MarketView.rate: lambda seen: seen.rate(),
    MarketView.dividend_yields: lambda seen: seen.dividend_yields(),
    MarketView.returns.func: lambda seen: seen.returns,
    MarketView.short_interest.func: lambda seen: seen.short_interest,
    MarketView.fingerprint.func: lambda seen: seen.fingerprint,
}


def everything_that_takes_a_view() -> set[Callable[..., Any]]:
    """Every public function of the calculating rooms with a MarketView among its arguments, and its public methods."""
    found = {
        function
        for info in pkgutil.walk_packages(sigmalib.__path__, "sigmalib.")
        if info.name.split(".")[1] in {"core", "portfolio", "risk", "research", "trading"} and not info.ispkg
        for name, function in inspect.getmembers(import_module(info.name), inspect.isfunction)
        if function.__module__ == info.name and not name.startswith("_")
        if any("MarketView" in str(each.annotation) for each in inspect.signature(function).parameters.values())
    }
    methods = (getattr(entry, "func", entry) for name, entry in vars(MarketView).items() if not name.startswith("_"))
    return found | {method for method in methods if inspect.isfunction(method)}


def test_the_law_is_tested_for_everything_that_takes_a_view() -> None:
    assert everything_that_takes_a_view() == set(TAKES_A_VIEW)


def same(one: Any, other: Any) -> None:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other)
    else:
        assert one == other or (one != one and other != other)


@pytest.mark.parametrize("asked", TAKES_A_VIEW.values(), ids=[each.__name__ for each in TAKES_A_VIEW])
@pytest.mark.parametrize("day", CUTS)
def test_another_future_changes_nothing(day: str, asked: Callable[[MarketView], Any]) -> None:
    seen = view()
    same(asked(another_future(seen, day, seed=1).until(day)), asked(seen.until(day)))


@settings(max_examples=15, deadline=None)
@given(day=st.sampled_from(CUTS), seed=st.integers(0, 1000))
def test_a_cut_has_nothing_after_its_day(day: str, seed: int) -> None:
    cut = another_future(view(), day, seed).until(day)
    last = pd.Timestamp(day)
    for frame in (cut.closes, cut.adjusted, cut.rates, cut.fx):
        assert frame.index.max() <= last or frame.empty
    for frame in (cut.quotes, cut.actions):
        assert (frame.index.get_level_values("session") <= last).all()


def test_a_cut_can_be_cut_again_and_never_grows() -> None:
    seen = view()
    assert seen.until("2022-12-05").until("2022-10-31").fingerprint == seen.until("2022-10-31").fingerprint
    assert seen.until("2022-10-31").until("2022-12-05").fingerprint == seen.until("2022-10-31").fingerprint


def test_the_day_of_a_split_has_no_profit_or_loss_of_it() -> None:
    seen = view()
    closes = seen.closes.copy()
    closes.loc["2022-12-06":, "AAA"] /= 2  # as traded: two new shares for one old
    seen = replace(seen, closes=closes).until("2022-12-06")
    shares = held(seen)[lambda rows: rows["kind"] != "CASH"].iloc[:2]
    row = value(shares, seen).holdings.iloc[0]
    assert row["quantity"] == 200
    moved = closes.loc["2022-12-06", "AAA"] - closes.loc["2022-12-05", "AAA"] / 2
    assert row["pnl_day"] == pytest.approx(200 * moved, rel=1e-12)
    assert row["pnl_total"] == pytest.approx(200 * closes.loc["2022-12-06", "AAA"] - 100 * 90, rel=1e-12)


def test_the_dividend_yield_is_in_the_shares_of_the_day() -> None:
    seen = view()
    days = [pd.Timestamp(day) for day in ("2022-02-01", "2022-12-06")]
    index = pd.MultiIndex.from_product([days, ["AAA"]], names=list(ACTIONS.index))
    closes = seen.closes.copy()
    closes["AAA"] = 100.0
    closes.loc["2022-12-06":, "AAA"] = 25.0
    actions = pd.DataFrame({"dividend": [1.5, 0.0], "split": [1.0, 4.0]}, index=index)
    seen = replace(seen, closes=closes, actions=actions, actions_known=frozenset(["AAA"]))
    before, after = (seen.until(day).dividend_yields()["AAA"] for day in ("2022-12-05", "2022-12-06"))
    assert before == pytest.approx(np.log1p(0.015))
    assert after == pytest.approx(before, rel=1e-12)
    assert seen.until("2022-12-06").before("2022-12-05").dividend_yields()["AAA"] == pytest.approx(before, rel=1e-12)

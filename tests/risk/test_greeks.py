from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigmalib.risk import greeks
from sigmalib.risk.report import assess
from sigmalib.risk.stress import Moves, revalue
from tests.markets import book, market

BOOK = (
    ("AAA", 100, 90, "2022-01-03"),
    ("AAA230317P00090000", 4, 5, "2022-10-03"),
    ("AAA230317C00120000", -3, 5, "2022-10-03"),
    ("BBB230616C00110000", -2, 5, "2022-10-03"),
    ("CASH", 20_000, 1, "2022-01-03"),
)


@pytest.fixture
def report():
    return assess(book(*BOOK, tags="core"), market(dividend_yield=0.01, last={"AAA": 100.0, "BBB": 100.0}))


def moved(report, **moves: float) -> float:
    """P&L of the book for one small move of everything."""
    names = [name for name in report.holdings["underlying"].unique() if name != "CASH"]
    spot = pd.DataFrame({name: [moves.pop("spot", 0.0)] for name in names})
    return float(revalue(report.holdings, report.marks, Moves(spot, **moves)).sum(axis=1).iloc[0])


def test_the_greeks_are_the_profit_of_small_moves_in_money(report):
    total = report.book_greeks
    step = 1e-3
    assert (moved(report, volatility_points=step) - moved(report, volatility_points=-step)) / (
        2 * step
    ) / 100 == pytest.approx(total["vega_point"], rel=1e-4)
    assert (moved(report, rate=step) - moved(report, rate=-step)) / (2 * step) / 100 == pytest.approx(
        total["rho_1pct"], rel=1e-3
    )
    assert moved(report, days=0.01) / 0.01 == pytest.approx(total["theta_day"], rel=5e-3)


def test_delta_and_gamma_make_the_profit_of_a_move_of_every_name():
    report = assess(book(*BOOK[:3]), market(last={"AAA": 100.0}))
    up, down = (moved(report, spot=move) for move in (1e-3, -1e-3))
    assert (up - down) / 2e-3 == pytest.approx(report.book_greeks["dollar_delta"], rel=1e-4)
    assert (up + down) / 1e-6 / 100 == pytest.approx(report.book_greeks["gamma_1pct"], rel=1e-3)


def test_a_stock_has_a_delta_only_and_cash_has_nothing(report):
    stock, cash = report.greeks.iloc[0], report.greeks.iloc[-1]
    assert stock["dollar_delta"] == report.holdings["market_value"].iloc[0]
    assert stock.iloc[1:].eq(0).all()
    assert cash.eq(0).all()


@pytest.mark.parametrize("key", ["underlying", "strategy", "kind", "sector"])
def test_greeks_by_group_add_up_to_the_book(report, key):
    sums = report.greeks_by(key)[greeks.GREEKS].sum()
    assert sums.to_numpy() == pytest.approx(report.book_greeks.to_numpy(), rel=1e-12)


def test_options_and_their_hedge_cancel_when_netted_by_underlying(report):
    net = report.net
    assert net["dollar_delta"].sum() == pytest.approx(report.delta_adjusted.net, rel=1e-12)
    assert greeks.gross_by_underlying(net) < report.delta_adjusted.gross
    assert (net["beta_weighted_delta"] == net["dollar_delta"] * net["beta"]).all()


def test_the_benchmark_has_a_beta_of_one():
    report = assess(book(("IDX", 10, 90, "2022-01-03")), market())
    assert report.net.loc["IDX", "beta"] == pytest.approx(1.0)


def test_an_unknown_greek_is_counted_and_not_a_zero(report):
    holdings = report.holdings.assign(spot=np.nan)
    table = greeks.greeks(holdings, report.marks)
    assert np.isnan(greeks.total(table.iloc[:1])["dollar_delta"])
    assert greeks.by(table, holdings, "underlying").loc["AAA", "unknown"] == 3

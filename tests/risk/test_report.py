from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.frames import MISSING, missing
from sigmalib.core.instruments import parse_option
from sigmalib.core.records import json_text
from sigmalib.portfolio.proforma import apply
from sigmalib.risk.report import assess
from tests.markets import AS_OF, book, market

DAY = pd.Timestamp(AS_OF)
STOCKS = (("AAA", 100, 90, "2022-01-03"), ("BBB", -50, 90, "2022-01-03"), ("CASH", 20_000, 1, "2022-01-03"))
OPTIONS = (("AAA230317P00090000", 4, 5, "2022-10-03"), ("BBB230317C00110000", -2, 5, "2022-10-03"))


def test_the_numbers_of_a_stock_book_are_those_of_its_hypothetical_history():
    view = market()
    report = assess(book(*STOCKS), view)
    moves = view.returns.iloc[-500:]
    prices = view.closes.loc[DAY]
    pnl = 100 * prices["AAA"] * moves["AAA"] - 50 * prices["BBB"] * moves["BBB"]
    nav = 100 * prices["AAA"] - 50 * prices["BBB"] + 20_000
    ordered = np.sort(pnl)
    assert report.valuation.nav == pytest.approx(nav)
    assert report.tails.loc[0.95, "var"] == pytest.approx(-ordered[24])
    assert report.tails.loc[0.99, "es"] == pytest.approx(-ordered[:5].mean())
    assert report.volatility == pytest.approx((pnl / nav).std(ddof=1) * np.sqrt(252))


def test_the_empty_list_of_trades_changes_no_bit_of_the_report():
    view, positions = market(), book(*STOCKS, *OPTIONS)
    before = assess(positions, view)
    after = assess(apply(positions, [], as_of=AS_OF), view)
    assert json_text(after.to_dict()) == json_text(before.to_dict())
    pd.testing.assert_series_equal(after.scenarios, before.scenarios, check_exact=True)
    pd.testing.assert_frame_equal(after.holdings, before.holdings, check_exact=True)


def test_the_order_of_positions_is_immaterial():
    view, positions = market(), book(*STOCKS, *OPTIONS)
    shuffled = positions.sample(frac=1, random_state=3).reset_index(drop=True)
    first, second = assess(positions, view), assess(shuffled, view)
    assert second.tails.to_numpy() == pytest.approx(first.tails.to_numpy(), rel=1e-12)
    assert second.exposure.net == pytest.approx(first.exposure.net, rel=1e-12)


def test_splitting_a_position_in_two_changes_nothing():
    view = market()
    whole = assess(book(("AAA", 100, 90, "2022-01-03")), view)
    halves = assess(book(("AAA", 60, 90, "2022-01-03"), ("AAA", 40, 90, "2022-01-04")), view)
    assert halves.tails.to_numpy() == pytest.approx(whole.tails.to_numpy(), rel=1e-12)
    assert halves.valuation.market_value == pytest.approx(whole.valuation.market_value)


def test_long_options_lose_at_most_their_value():
    report = assess(book(OPTIONS[0]), market())
    assert report.scenarios.min() >= -report.valuation.market_value - 1e-9


def test_an_empty_book_holds_nothing_and_can_lose_nothing():
    numbers = assess(book(), market()).to_dict()
    assert numbers["market_value"] == 0
    assert numbers["exposure"] == {"long": 0, "short": 0, "gross": 0, "net": 0}
    assert numbers["var"] == {"95": 0, "99": 0}
    assert np.isnan(numbers["volatility"])
    assert np.isnan(numbers["beta"])
    assert "the book holds nothing at the as-of" in numbers["notes"]


def test_an_expired_option_is_left_out_and_listed():
    report = assess(book(STOCKS[0], ("AAA221216C00100000", 1, 5, "2022-10-03")), market())
    assert report.holdings["symbol"].tolist() == ["AAA"]
    assert report.left_out["symbol"].tolist() == ["AAA221216C00100000"]
    assert "expired on 2022-12-16" in report.left_out["reason"].iloc[0]


def test_positions_entered_after_the_as_of_are_left_out_and_listed():
    report = assess(book(*STOCKS, ("AAA", 1, 5, "2022-12-20")), market().until("2022-12-01"))
    assert report.left_out["symbol"].tolist() == ["AAA"]
    assert "after the as-of 2022-12-01" in report.left_out["reason"].iloc[0]


def test_one_missing_close_drops_its_two_scenarios_and_is_listed():
    view = market()
    view.closes.loc["2022-06-01", "AAA"] = np.nan
    report = assess(book(*STOCKS), view)
    assert len(report.scenarios) == 498
    assert report.missing.to_dict("records") == [
        {
            "symbol": "AAA",
            "what": "history",
            "reason": "no return on 2 of the last 500 sessions, latest 2022-06-02",
        }
    ]
    assert any("498 scenarios instead of 500" in note for note in report.notes)


def test_a_position_without_a_price_is_in_no_total_and_the_report_says_it_is_partial():
    view = market()
    view.closes.loc[DAY, "AAA"] = np.nan
    report = assess(book(*STOCKS), view)
    whole = assess(book(*STOCKS[1:]), view)
    assert report.valuation.market_value == pytest.approx(whole.valuation.market_value)
    assert report.tails.to_numpy() == pytest.approx(whole.tails.to_numpy())
    assert report.notes[0].startswith("partial: 1 position(s)")
    assert not report.to_dict()["complete"]


def test_a_missing_benchmark_leaves_only_beta_unknown():
    view = market()
    view.closes["IDX"] = np.nan
    report = assess(book(*STOCKS), view)
    assert np.isnan(report.beta)
    assert report.volatility > 0


def test_an_unknown_rate_leaves_options_unpriced_and_listed():
    view = market(rate=float("nan"))
    report = assess(book(*STOCKS, OPTIONS[0]), view)
    assert report.holdings.set_index("symbol")["price"].isna()[OPTIONS[0][0]]
    assert "interest rate or dividend yield is known" in report.missing["reason"].iloc[0]


def test_nothing_later_than_the_as_of_gets_into_a_report():
    view, positions = market(), book(*STOCKS, OPTIONS[0])
    early = view.until("2022-11-30")
    changed = market()
    changed.closes.loc["2022-12-01":] *= 3
    seen = assess(positions, changed.until("2022-11-30"))
    assert json_text(seen.to_dict()) == json_text(assess(positions, early).to_dict())


def test_every_number_has_a_convention():
    numbers = assess(book(*STOCKS, *OPTIONS), market()).to_dict()
    named = {
        "market_value",
        "nav",
        "exposure",
        "delta_adjusted",
        "pnl",
        "var",
        "es",
        "volatility",
        "beta",
        "max_drawdown",
    }
    assert named <= set(numbers["conventions"])
    assert numbers["conventions"]["volatility_shock"] == "none"


def test_missing_tables_keep_their_contract():
    assert list(assess(book(), market()).missing.columns) == MISSING.names
    assert parse_option(OPTIONS[0][0]).style == "American"


def test_a_book_of_unknown_names_only_has_unknown_numbers_and_no_zeros():
    view = market()
    view.closes["AAA"] = np.nan
    numbers = assess(book(STOCKS[0]), view).to_dict()
    unknown = [
        numbers["market_value"],
        *numbers["exposure"].values(),
        *numbers["pnl"].values(),
        *numbers["var"].values(),
    ]
    assert np.isnan(unknown).all()
    assert numbers["scenarios"] == 0
    assert any("no position can be revalued" in note for note in numbers["notes"])


def test_one_holding_that_cannot_be_revalued_does_not_take_the_tail_from_the_others():
    index = pd.MultiIndex.from_tuples([(DAY, "AAA230317C00100000")], names=["session", "symbol"])
    quotes = pd.DataFrame({"underlying": "AAA", "bid": 9.9, "ask": 10.1, "implied_volatility": np.nan}, index=index)
    view = replace(market(quotes=quotes), missing=missing(("AAA", "dividend", "the dividends of AAA are not given")))
    view.profiles.loc["AAA", "dividend_yield"] = np.nan
    whole, alone = assess(book(*STOCKS, ("AAA230317C00100000", 1, 5, "2022-12-01")), view), assess(book(*STOCKS), view)
    assert whole.tails.to_numpy() == pytest.approx(alone.tails.to_numpy())
    assert len(whole.scenarios) == 500
    assert "cannot be revalued" in " ".join(whole.missing["reason"])


def test_a_day_that_would_lose_everything_leaves_the_drawdown_unknown_and_says_so():
    view = market()
    price = view.closes.loc[DAY, "AAA"]
    report = assess(book(("AAA", 1000, 90, "2022-01-03"), ("CASH", -999.9 * price, 1, "2022-01-03")), view)
    assert np.isnan(report.max_drawdown)
    assert any("lost all of NAV" in note for note in report.notes)


def test_every_headline_number_is_explained():
    numbers = assess(book(*STOCKS), market()).to_dict()
    plain = {
        "as_of",
        "base_currency",
        "benchmark",
        "complete",
        "missing",
        "left_out",
        "notes",
        "conventions",
        "fingerprint",
    }
    assert set(numbers) - plain - {"groups"} <= set(numbers["conventions"])


def test_components_name_their_position_and_add_up_to_both_measures():
    report = assess(book(*STOCKS, *OPTIONS), market())
    parts = report.components
    assert parts["symbol"].tolist() == report.holdings["symbol"].tolist()
    assert parts["component"].sum() == pytest.approx(report.tails.loc[0.95, "es"], rel=1e-10)
    assert parts["var_component"].sum() == pytest.approx(report.tails.loc[0.95, "var"], rel=1e-10)
    exposed = parts[parts["exposure"] != 0]
    assert (exposed["marginal"] * exposed["exposure"]).tolist() == pytest.approx(exposed["component"].tolist())

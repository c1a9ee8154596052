from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.portfolio.valuation import value
from tests.markets import book, market

DAY = pd.Timestamp("2022-12-28")
BEFORE = pd.Timestamp("2022-12-27")


def row(valuation, symbol):
    return valuation.holdings.set_index("symbol").loc[symbol]


def test_a_stock_is_worth_quantity_times_price_and_earned_the_change_since_entry():
    view = market(last={"AAA": 50.0})
    found = row(value(book(("AAA", 10, 40.0, "2022-01-03")), view), "AAA")
    before = view.closes.loc[BEFORE, "AAA"]
    assert (found.market_value, found.exposure, found.cost, found.pnl_total) == (500.0, 500.0, 400.0, 100.0)
    assert found.pnl_day == pytest.approx(10 * (50 - before))


def test_a_position_entered_since_the_session_before_earns_from_its_entry_price():
    view = market(last={"AAA": 50.0})
    assert row(value(book(("AAA", 10, 48.0, "2022-12-28")), view), "AAA").pnl_day == pytest.approx(20.0)


def test_weights_are_of_nav_with_cash_and_of_gross_market_value_without():
    view = market(last={"AAA": 50.0, "BBB": 20.0})
    with_cash = value(book(("AAA", 10, 40, "2022-01-03"), ("CASH", 500, 1, "2022-01-03")), view)
    without = value(book(("AAA", 10, 40, "2022-01-03"), ("BBB", -25, 40, "2022-01-03")), view)
    assert (with_cash.nav, with_cash.base_name, row(with_cash, "AAA").weight) == (1000.0, "NAV", 0.5)
    assert np.isnan(without.nav)
    assert (without.base, without.base_name) == (1000.0, "gross market value")


def test_market_value_leaves_cash_out_and_nav_takes_it_in():
    view = market(last={"AAA": 50.0})
    found = value(book(("AAA", 10, 40, "2022-01-03"), ("CASH", 250, 1, "2022-01-03")), view)
    assert (found.market_value, found.cash, found.nav) == (500.0, 250.0, 750.0)


def test_a_missing_price_is_unknown_and_listed_with_the_last_one_there_is():
    view = market(last={"AAA": 50.0})
    view.closes.loc[DAY, "AAA"] = np.nan
    found = value(book(("AAA", 10, 40, "2022-01-03"), ("BBB", 1, 40, "2022-01-03")), view)
    assert np.isnan(row(found, "AAA").market_value)
    assert found.missing.to_dict("records") == [
        {"symbol": "AAA", "what": "price", "reason": "no close of AAA on 2022-12-28; the last is of 2022-12-27"}
    ]


def test_a_price_missing_the_session_before_leaves_only_the_day_unknown():
    view = market(last={"AAA": 50.0})
    view.closes.loc[BEFORE, "AAA"] = np.nan
    found = value(book(("AAA", 10, 40, "2022-01-03")), view)
    assert row(found, "AAA").pnl_total == 100.0
    assert np.isnan(row(found, "AAA").pnl_day)
    assert found.missing["what"].tolist() == ["pnl_day"]


def test_foreign_positions_are_converted_and_a_missing_rate_is_listed_never_one():
    days = market().closes.index
    rates = pd.DataFrame({"EUR": np.linspace(1.0, 1.10, len(days))}, index=days)
    positions = book(("CASH.EUR", 1000, 1, "2022-12-01"), ("AAA", 1, 1, "2022-12-01"))
    known = value(positions, market(fx=rates))
    unknown = value(positions, market())
    entered = rates.loc["2022-12-01", "EUR"]
    assert row(known, "CASH.EUR").market_value == pytest.approx(1100.0)
    assert row(known, "CASH.EUR").pnl_total == pytest.approx(1000 * (1.10 - entered))
    assert np.isnan(row(unknown, "CASH.EUR").market_value)
    assert unknown.missing.iloc[0].to_dict() == {
        "symbol": "CASH.EUR",
        "what": "fx",
        "reason": "no EUR/USD rate on 2022-12-28",
    }


def test_options_without_marks_are_refused():
    with pytest.raises(InputError, match=r"pass risk\.marks\.mark"):
        value(book(("AAA230317C00100000", 1, 5, "2022-12-01")), market())


def test_a_symbol_the_source_lacks_carries_the_sources_reason():
    view = market()
    told = pd.DataFrame([{"symbol": "ZZZ", "what": "price", "reason": "the test data has no ZZZ"}])
    view = replace(view, missing=told, closes=view.closes.assign(ZZZ=np.nan))
    found = value(book(("ZZZ", 1, 5, "2022-12-01")), view)
    assert found.missing["reason"].tolist() == ["the test data has no ZZZ"]


def test_a_position_in_another_currency_than_its_prices_is_unknown_and_says_what_to_correct():
    positions = book(("AAA", 1, 5, "2022-12-01")).assign(currency="EUR")
    days = market().closes.index
    found = value(positions, market(fx=pd.DataFrame({"EUR": 1.1}, index=days)))
    assert found.missing["reason"].tolist() == ["AAA is quoted in USD, but the position says EUR; correct its currency"]

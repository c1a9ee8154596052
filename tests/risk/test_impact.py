from __future__ import annotations

import numpy as np
import pytest

from sigmalib.core.errors import InputError
from sigmalib.portfolio.proforma import apply
from sigmalib.risk.report import assess, compare
from tests.markets import AS_OF, book, market

STOCKS = (("AAA", 100, 90, "2022-01-03"), ("BBB", -50, 90, "2022-01-03"), ("CASH", 20_000, 1, "2022-01-03"))
OPTION = ("AAA230317P00090000", 4, 5, "2022-10-03")


def test_no_trade_changes_no_number():
    view, positions = market(), book(*STOCKS, OPTION)
    impact = compare(assess(positions, view), assess(apply(positions, [], as_of=AS_OF), view))
    assert impact.changed.empty
    assert impact.notes == ()
    known = impact.numbers["change"].dropna()
    assert len(known) > 100
    assert (known == 0).all()


def test_a_bought_put_changes_what_it_must():
    view = market(last={"AAA": 100.0})
    impact = compare(assess(book(*STOCKS), view), assess(book(*STOCKS, OPTION), view))
    change = impact.numbers["change"]
    assert change["greeks.vega_point"] > 0
    assert change["delta_adjusted.net"] < 0
    assert change["var.95"] < 0
    assert change["nav"] == pytest.approx(impact.after.holdings["market_value"].iloc[-1])
    assert impact.by("underlying").loc["AAA", "change"] == pytest.approx(change["delta_adjusted.net"])


def test_a_group_that_one_side_lacks_counts_as_nothing_there():
    view = market()
    impact = compare(assess(book(STOCKS[0]), view), assess(book(STOCKS[1]), view))
    table = impact.by("underlying")
    assert table.loc["AAA", "after"] == 0
    assert table.loc["BBB", "before"] == 0


def test_an_unknown_exposure_stays_unknown_and_is_not_nothing():
    view = market()
    view.closes.loc[view.closes.index[-1], "BBB"] = np.nan
    table = compare(assess(book(STOCKS[0]), view), assess(book(*STOCKS), view)).by("underlying")
    assert np.isnan(table.loc["BBB", "after"])
    assert table.loc["BBB", "before"] == 0


def test_two_dates_are_compared_with_a_note():
    view = market()
    impact = compare(assess(book(*STOCKS), view.until("2022-12-20")), assess(book(*STOCKS), view))
    assert impact.notes[0].startswith("before is as of 2022-12-20")
    assert np.isfinite(impact.numbers.loc["pnl.total", "change"])


def test_two_currencies_cannot_be_compared():
    from dataclasses import replace

    view = market()
    other = assess(book(STOCKS[0]), replace(view, base_currency="EUR"))
    with pytest.raises(InputError, match="in USD with one in EUR"):
        compare(assess(book(STOCKS[0]), view), other)


def test_the_numbers_are_told_as_plain_values():
    view = market()
    told = compare(assess(book(*STOCKS), view), assess(book(*STOCKS), view)).to_dict()
    assert told["numbers"]["nav"]["change"] == 0
    assert "var" in told["conventions"]

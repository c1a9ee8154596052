from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigmalib.risk.report import assess
from sigmalib.views import tables
from sigmalib.views.cards import cards_html, headline_cards
from sigmalib.views.formats import compact_money, number
from tests.markets import book, market

CASH = ("CASH", 10_000, 1, "2022-01-03")
STOCKS = (("AAA", 100, 90, "2022-01-03"), ("BBB", -50, 90, "2022-01-03"))


def test_an_unknown_number_is_a_dash_and_never_zero():
    for kind in ("money", "signed_money", "price", "quantity", "percent", "ratio"):
        assert number(float("nan"), kind) == "–"
    assert compact_money(float("nan")) == "–"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (-1234.5, "money", "−1,235"),
        (0.0, "signed_money", "0"),
        (1_200_000.0, "quantity", "1,200,000"),
        (0.5, "quantity", "0.5"),
        (0.0512, "percent", "5.1 %"),
        (("core", "income"), "list", "core, income"),
        (pd.Timestamp("2022-12-28"), "date", "2022-12-28"),
        (pd.NaT, "date", "–"),
    ],
)
def test_numbers_look_as_people_write_them(value, kind, text):
    assert number(value, kind) == text


def test_names_from_a_file_are_shown_and_not_run():
    positions = book(*STOCKS).assign(strategy="<script>alert(1)</script>")
    report = assess(positions.assign(tags=[("<b>x</b>",), ()]), market())
    for shown in (
        tables.holdings_table(report),
        tables.group_table(report, "strategy"),
        tables.group_table(report, "tag"),
    ):
        assert "<script>" not in shown
        assert "<b>x" not in shown
    assert "&lt;script&gt;" in tables.group_table(report, "strategy")


def test_a_report_shows_itself_with_its_remarks():
    shown = tables.report_html(assess(book(*STOCKS), market()))
    assert "2022-12-28" in shown
    assert "VaR 95 %, 1 day" in shown
    assert "no CASH row" in shown


def test_the_finding_names_the_largest_part_of_the_loss():
    report = assess(book(("AAA", 100, 90, "2022-01-03")), market())
    assert "The largest part comes from AAA (100.0 %)" in tables.finding(report)


def test_the_finding_of_an_empty_book_makes_no_claims():
    assert "largest part" not in tables.finding(assess(book(), market()))


def test_worst_days_are_the_worst_first():
    report = assess(book(*STOCKS), market())
    worst = report.scenarios.idxmin()
    assert tables.worst_days(report).index(f"{worst:%Y-%m-%d}") < tables.worst_days(report).index("</tr><tr>", 300)


def test_worst_days_name_what_they_are_a_share_of():
    assert "<th class='number'>of NAV</th>" in tables.worst_days(assess(book(*STOCKS, CASH), market()))
    assert "<th class='number'>of gross market value</th>" in tables.worst_days(assess(book(*STOCKS), market()))


def test_performance_without_history_is_unknown():
    empty = pd.DataFrame(
        {name: [] for name in ("nav", "gross_market_value", "pnl_day", "pnl_total")}, index=pd.DatetimeIndex([])
    )
    assert "0 sessions" in tables.performance_table(empty)
    assert "0.00" not in tables.performance_table(empty)


def test_growth_a_year_is_told_from_a_full_year_on():
    days = pd.bdate_range("2021-01-04", periods=260)
    history = pd.DataFrame({"nav": 100.0 * 1.001 ** np.arange(1, 261), "gross_market_value": 100.0}, index=days)
    history["pnl_day"] = history["nav"] - history["nav"] / 1.001
    history["pnl_total"] = history["pnl_day"].cumsum()
    assert "+28.64 %" in tables.performance_table(history)
    assert "+28.64 %" not in tables.performance_table(history.iloc[:100])


def test_cards_fall_back_on_gross_market_value_and_say_so():
    cards = {card.label: card for card in headline_cards(assess(book(*STOCKS), market()))}
    assert cards["Market value"].detail == "USD; no cash row"
    assert cards["Gross exposure"].detail.endswith("of gross")
    assert "sigma-card" in cards_html(list(cards.values()))


def test_the_switch_takes_delta_adjusted_exposure():
    report = assess(book(("AAA230317C00100000", 1, 5, "2022-12-01")), market())
    notional, adjusted = (
        {card.label: card.value for card in headline_cards(report, measure)}
        for measure in ("Notional", "Delta-adjusted")
    )
    assert notional["Long exposure"] != adjusted["Long exposure"]


def test_a_table_has_its_cells_as_text_also_where_two_headings_are_the_same():
    rows = pd.DataFrame({"low": [1.0], "high": [np.nan]}, index=["AAA"])
    spec = (tables.Column("low", "from", "money"), tables.Column("high", "from", "money"))
    cells = tables.table_html(rows, spec, label="Name").cells()
    assert list(cells.columns) == ["Name", "from", "from"]
    assert cells.to_numpy().tolist() == [["AAA", "1", "–"]]

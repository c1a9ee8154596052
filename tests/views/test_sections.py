"""The report in a terminal: every section of every book, chosen by name, and the same cells that pages show."""

from __future__ import annotations

import pandas as pd
import pytest

from sigmalib import cli
from sigmalib.core.errors import InputError
from sigmalib.risk.report import assess
from sigmalib.views import riskfindings, risksentences, risktables, sections
from sigmalib.views.formats import number
from sigmalib.views.sections import SECTIONS, Past, blocks, chosen
from tests.markets import book, market
from tests.views.risks import BOOKS, past_of, report_of


def printed(name: str, book: str, past: Past | None = None) -> str:
    """A section as one text."""
    found = blocks(name, report_of(book), past or Past())
    return "\n".join(block if isinstance(block, str) else block.to_string() for block in found)


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("name", [name for name in SECTIONS if name not in ("books", "backtest")])
def test_every_section_of_every_book_can_be_printed_and_shows_no_nan(name: str, book: str) -> None:
    shown = printed(name, book)
    assert "nan" not in shown.replace("financ", "")
    assert "None" not in shown


def test_the_command_line_names_the_sections_there_are() -> None:
    assert cli.SECTIONS.split(", ") == list(SECTIONS)


def test_a_section_holds_the_cells_of_the_same_table_on_a_page() -> None:
    report = report_of()
    (net,) = [
        block for block in blocks("greeks", report, Past()) if isinstance(block, pd.DataFrame) and "Beta" in block
    ]
    assert f"{report.net['dollar_delta'].sum():,.0f}" in net["Net"].to_list()
    assert risktables.net_table(report).count("<tr>") - 1 == len(net)


def test_by_default_a_book_has_the_sections_it_has_something_for() -> None:
    usual = chosen([], report_of(), Past())
    assert {"headline", "greeks", "factors", "benchmark", "tail", "stress", "correlation"} <= set(usual)
    assert not {"backtest", "reverse", "books", "volatility"} & set(usual)
    assert "backtest" in chosen([], report_of(), Past(past_of().tests))


def test_sections_come_as_they_were_asked_for_each_once() -> None:
    assert chosen(["stress", "tail", "stress"], report_of(), Past()) == ["stress", "tail"]


def test_a_section_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="did you mean stress"):
        chosen(["strss"], report_of(), Past())
    with pytest.raises(InputError, match="they are headline, books"):
        chosen(["xyzzy"], report_of(), Past())


def test_what_cannot_be_computed_says_why_and_shows_no_number() -> None:
    rows = next(block for block in blocks("stress", report_of("without options"), Past()))
    assert isinstance(rows, pd.DataFrame)
    refused = rows[rows["Remark"].str.startswith("not computable: ")]
    assert len(refused) > 0
    assert set(refused["P&L"]) == {"–"}


def test_a_section_that_cannot_be_computed_is_a_sentence_and_the_others_stay() -> None:
    assert printed("reverse", "without history").startswith("Not computable: ")
    assert "Net asset value" in printed("headline", "without history")


def test_a_reverse_stress_that_makes_no_sense_is_a_sentence() -> None:
    assert printed("reverse", "empty").startswith("No reverse stress: ")


def test_the_backtest_section_tells_verdict_and_counts() -> None:
    shown = printed("backtest", "normal", Past(past_of().tests))
    assert "Kupiec" in shown
    assert "VaR 99 %" in shown


def test_the_percentile_of_a_factor_comes_from_the_past() -> None:
    with_past = printed("factors", "normal", Past(standing=past_of().factors))
    assert with_past != printed("factors", "normal")


@pytest.mark.parametrize("book", [name for name in BOOKS if name != "without history"])
def test_findings_name_the_date_and_no_nan(book: str) -> None:
    report = report_of(book)
    tests = past_of().tests if book == "normal" else {}
    told = [
        riskfindings.greeks_finding(report),
        riskfindings.factors_finding(report),
        riskfindings.tail_finding(report, tests),
        riskfindings.stress_finding(report),
    ]
    assert all(str(report.as_of) in finding and "nan" not in finding for finding in told)


def test_the_finding_on_stress_names_the_worst_scenario() -> None:
    report = report_of()
    worst = report.stress.table["pnl"].idxmin()
    assert str(worst) in riskfindings.stress_finding(report)


def test_the_share_of_the_reverse_stress_is_the_one_its_sentence_names() -> None:
    assert sections.SHARE_LOST == 0.1
    assert "10 % of" in printed("reverse", "normal")


def test_books_of_a_report_on_one_book_are_refused() -> None:
    with pytest.raises(InputError, match=r"one book only; write a\+b"):
        chosen(["books"], report_of(), Past())


@pytest.mark.parametrize("ask", ["by", "greeks_by"])
def test_a_grouping_there_is_none_of_is_refused_with_those_there_are(ask: str) -> None:
    with pytest.raises(InputError, match="kind, tag, strategy, sector, underlying, book"):
        getattr(report_of(), ask)("zzz")
    with pytest.raises(InputError, match="one book only"):
        getattr(report_of(), ask)("book")


@pytest.mark.parametrize("book", ["only cash", "empty"])
def test_where_nothing_moves_stress_is_the_sentence_of_the_page_and_factors_warn_of_nothing(book: str) -> None:
    assert printed("stress", book) == risksentences.NOTHING_MOVES
    assert "ollinear" not in printed("factors", book)


def test_several_books_end_with_the_whole_netted_as_the_headline_has_it() -> None:
    both = pd.concat([book(*BOOKS["normal"]).assign(book="one"), book(*BOOKS["quoted"]).assign(book="two")])
    report = assess(both.reset_index(drop=True), market())
    (table,) = list(blocks("books", report, Past()))
    assert isinstance(table, pd.DataFrame)
    last = table.iloc[-1]
    assert last["Book"] == sections.TOGETHER
    assert last["Gross"] == number(report.exposure.gross, "money")
    assert last["Value with cash"] == number(report.valuation.nav, "money")

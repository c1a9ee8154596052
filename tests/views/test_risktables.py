"""Tables and sentences of risk: what stands in them, and that they hold on books that lack something."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sigmalib.risk.peers import NUMBERS
from sigmalib.risk.stress import grid, reverse_stress
from sigmalib.risk.tail import backtest
from sigmalib.views import risksentences, risktables
from sigmalib.views.formats import number
from sigmalib.views.riskcards import risk_cards
from tests.views.risks import BOOKS, every, past_of, report_of

TABLES = {
    "factors": risktables.factors_table,
    "absent": risktables.absent_factors,
    "against": risktables.against_table,
    "methods": risktables.methods_table,
    "approximations": risktables.approximations_table,
    "components": risktables.components_table,
    "stress": risktables.stress_table,
    "greeks": risktables.greeks_table,
    "expiries": lambda data: risktables.greeks_table(data, "expiry"),
    "tags": lambda data: risktables.greeks_table(data, "tag"),
    "net": risktables.net_table,
    "clusters": risktables.clusters_table,
}
NAN = re.compile(r"\bnan\b|\bNaN\b")
SENTENCES = {
    "variance": risksentences.variance_sentence,
    "collinearity": risksentences.collinearity_sentence,
    "tracking": risksentences.tracking_sentence,
    "diversification": risksentences.diversification_sentence,
    "correlation": risksentences.correlation_sentence,
    "volatility": risksentences.volatility_sentence,
}


@pytest.mark.parametrize(("name", "table"), every(TABLES, ("factors", "absent", "against")))
def test_every_table_is_written_of_every_book_without_nan(name, table):
    assert not NAN.search(TABLES[table](report_of(name)))


@pytest.mark.parametrize("name", [name for name in BOOKS if name != "without history"])
def test_betas_have_a_row_for_each_name_held(name):
    rows, spec = risktables.beta_rows(report_of(name))
    assert len(rows) == len(report_of(name).net)
    assert {column.name for column in spec} == set(rows.columns)


@pytest.mark.parametrize(("name", "sentence"), every(SENTENCES, ("variance", "collinearity", "tracking")))
def test_every_sentence_is_said_of_every_book_without_nan(name, sentence):
    said = SENTENCES[sentence](report_of(name))
    assert not NAN.search(said)
    assert said.endswith(".") or not said


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_is_compared_of_every_book(name, number):
    markup = risktables.comparison_table(report_of(name), number)
    assert "Sigma" in markup
    assert not NAN.search(markup)


@pytest.mark.parametrize("name", BOOKS)
def test_every_book_has_ten_cards_with_units(name):
    cards = risk_cards(report_of(name))
    assert [card.label for card in cards][:4] == ["VaR 95 %, 1d", "VaR 99 %, 1d", "ES 95 %, 1d", "ES 99 %, 1d"]
    assert len(cards) == 10
    assert all(card.detail and not NAN.search(card.value) for card in cards)


def test_an_unknown_number_is_a_dash_on_its_card():
    cards = {card.label: card.value for card in risk_cards(report_of("nothing priced"))}
    assert (cards["Beta"], cards["Volatility"]) == ("–", "–")


def test_factors_have_their_percentile_where_there_is_history():
    markup = risktables.factors_table(report_of(), past_of().factors)
    assert number(past_of().factors.at["market", "percentile"], "percent") in markup
    assert "<td class='number'>–</td></tr>" in risktables.factors_table(report_of())


def test_a_factor_without_a_fund_is_listed_with_the_reason():
    markup = risktables.absent_factors(report_of())
    assert "Momentum" in markup
    assert "no MTUM" in markup
    assert risktables.UNTOLD in markup
    assert "Market" not in markup


def test_parts_of_the_tracking_error_are_said_to_add_up_and_do():
    against = report_of().bets.against
    total = against.exposures["contribution"].sum() + against.idiosyncratic
    assert total == pytest.approx(against.tracking_error)
    assert "Tracking error" in risktables.against_table(report_of())


def test_a_wide_row_of_betas_has_four_estimates_a_factor():
    rows, spec = risktables.beta_rows(report_of())
    betas = report_of().bets.betas
    assert rows.set_index("name").at["AAA", "market_beta"] == betas.betas.at["AAA", "market"]
    assert rows.set_index("name").at["AAA", "market_t"] == betas.t_statistics.at["AAA", "market"]
    assert sum(column.kind == "ratio" for column in spec) == 4 * betas.betas.shape[1]


def test_a_name_without_returns_says_so_among_the_betas():
    rows, _ = risktables.beta_rows(report_of("without prices"))
    assert rows.set_index("name").at["ZZZ", "remark"] == "no returns"


def test_an_approximation_is_told_by_how_much_it_is_off():
    table = report_of().approximations["var"]
    off = table["delta", 0.95] / table["full revaluation", 0.95] - 1
    assert number(round(off, 3) + 0.0, "percent") in risktables.approximations_table(report_of())


def test_a_scenario_that_is_not_computable_gives_its_reason_and_no_number():
    markup = risktables.stress_table(report_of())
    row = next(row for row in markup.split("<tr>") if "Oil +5 %" in row)
    assert row.count("–") == 3
    assert "not computable: `oil` has no series" in row


def test_a_grid_has_a_row_a_move_of_volatility():
    report = report_of()
    found = grid(report.holdings, report.marks, spots=[-0.1, 0.0], volatilities=[0.0, 0.05])
    markup = risktables.grid_table(found)
    assert "−10%" in markup
    assert "+5 points" in markup
    assert number(found.iloc[0], "signed_money") in markup
    assert risktables.grid_table(found * np.nan) == ""


def test_a_reverse_stress_is_a_sentence_and_the_moves_that_cost_most():
    report = report_of()
    found = reverse_stress(500.0, report.holdings, report.marks, report.market)
    said = risksentences.reverse_sentence(found, report)
    assert f"{found.distance:.1f} standard deviations away" in said
    assert risktables.reverse_table(found, report).index("AAA") > 0
    assert "Total" in risktables.reverse_table(found, report)
    lost = replace(found, reached=False, reason="not reachable")
    assert risksentences.reverse_sentence(lost, report).endswith("is not reachable.")
    assert risktables.reverse_table(lost, report) == ""


def test_a_table_that_is_cut_off_has_the_others_and_the_total(monkeypatch):
    report = report_of()
    whole = risktables.components_table(report)
    assert "other" not in whole
    assert "Total" in whole
    monkeypatch.setattr(risktables, "LARGEST", 1)
    (told,) = pd.read_html(StringIO(risktables.components_table(report)), converters={0: str})
    parts = report.components["component"][report.components["component"].fillna(0.0) != 0]
    assert told.iloc[-2, 0] == f"{len(parts) - 1} others"
    assert told.iloc[-1, 0] == "Total"
    sums = told["Part of ES 95 %"].astype(str).str.replace(",", "").str.replace("−", "-").astype(float)
    assert sums.iloc[-1] == pytest.approx(parts.sum(), abs=1)
    assert sums.iloc[:-1].sum() == pytest.approx(sums.iloc[-1], abs=2)


def test_a_rare_move_is_told_as_rare():
    report = report_of()
    found = reverse_stress(500.0, report.holdings, report.marks, report.market)
    assert "under 0.01 %" in risksentences.reverse_sentence(replace(found, probability=1e-9), report)
    assert "about 2.0 %" in risksentences.reverse_sentence(replace(found, probability=0.02), report)


def test_greeks_have_a_column_of_unknowns_only_when_there_are_some():
    assert "Unknown" not in risktables.greeks_table(report_of())
    assert "Unknown" in risktables.greeks_table(report_of("nothing priced"))


def test_the_verdict_of_a_backtest_names_all_three_tests():
    said = risksentences.backtest_sentence(past_of().tests[0.95], currency="USD")
    assert "Kupiec" in said
    assert "Christoffersen finds the hits" in said
    assert "Basel zone" in said
    assert "Under 250 sessions" in said
    assert "green" in risktables.tests_table(past_of().tests)


def test_too_many_and_clustered_losses_are_rejected():
    pnl = pd.Series(np.where(np.arange(300) % 100 < 20, -2.0, 0.0))
    said = risksentences.backtest_sentence(backtest(pnl, 1.0, 0.99), currency="USD")
    assert "Kupiec rejects the count" in said
    assert "clustered" in said
    assert "Basel zone red" in said


def test_losses_that_cannot_be_tested_are_not_judged():
    quiet = backtest(pd.Series(np.zeros(10)), 1.0, 0.99)
    assert "Christoffersen says nothing" in risksentences.backtest_sentence(quiet, currency="USD")
    none = backtest(pd.Series(dtype=float), 1.0, 0.99)
    assert "no session to test" in risksentences.backtest_sentence(none, currency="USD")
    yellow = backtest(pd.Series(np.where(np.arange(100) % 25 == 3, -2.0, 0.0)), 1.0, 0.99)
    assert yellow.basel.zone == "yellow"
    assert "Basel zone yellow." in risksentences.backtest_sentence(yellow, currency="USD")
    unknown = replace(quiet, basel=replace(quiet.basel, zone=None, reason="no observations"),
                      kupiec=replace(quiet.kupiec, p_value=np.nan, reason="no observations"))  # fmt: skip
    said = risksentences.backtest_sentence(unknown, currency="USD")
    assert "No Basel zone: no observations" in said
    assert "Kupiec says nothing" in said


def test_why_there_is_no_surface_depends_on_what_is_held():
    assert "its 2 options are marked by model" in risksentences.volatility_sentence(report_of())
    assert "holds no options" in risksentences.volatility_sentence(report_of("without options"))
    one = SimpleNamespace(holdings=pd.DataFrame({"right": ["call"]}), source="x", as_of="y")
    assert "its one option is" in risksentences.volatility_sentence(one)


def test_the_fit_of_a_surface_has_a_row_an_expiry():
    surface = report_of("quoted").surfaces["AAA"]
    markup = risktables.fit_table(surface)
    assert markup.count("2023-0") == len(surface.smiles) == 2
    assert "no arbitrage" in markup

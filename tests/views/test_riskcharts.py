"""Pictures of risk: what they show of a normal book, and a sentence in their place where there is nothing to show."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from bokeh.models import NumeralTickFormatter
from bokeh.models.annotations import ColorBar, TeeHead, Whisker

from sigmalib.risk.report import RiskReport
from sigmalib.risk.stress import grid
from sigmalib.views import charts, riskcharts
from tests.views.risks import every, past_of, report_of

CHARTS = {
    "factors": riskcharts.factor_chart,
    "variance": riskcharts.variance_chart,
    "stress": riskcharts.stress_chart,
    "tail": riskcharts.var_chart,
    "greeks": riskcharts.greeks_chart,
    "expiries": lambda data: riskcharts.greeks_chart(data, "vega_point", "expiry"),
}


def drawn(picture: Any) -> Any:
    return hv.renderer("bokeh").get_plot(picture).state


def told(picture: Any) -> str:
    assert isinstance(picture, hv.Div), picture
    return str(picture.data)


def grid_of(data: RiskReport) -> pd.Series:
    held = data.holdings.loc[data.simulation.by_position.columns]
    return grid(held, data.marks, spots=[-0.1, 0.0, 0.1], volatilities=[-0.05, 0.0, 0.05])


@pytest.mark.parametrize(("name", "chart"), every(CHARTS, ("factors", "variance")))
def test_every_chart_is_drawn_of_every_book(name, chart):
    picture = CHARTS[chart](report_of(name))
    assert told(picture) if isinstance(picture, hv.Div) else drawn(picture).title.text


def test_factor_bars_have_the_exposures_and_errors_of_both_sides():
    report = report_of()
    bars, *errors = riskcharts.factor_chart(report).values()
    table = report.bets.table.dropna(subset=["of_base"])
    assert bars.dimension_values("of_base").tolist() == table["of_base"][::-1].tolist()
    expected = riskcharts.WIDE * table["standard_error"][::-1] / report.valuation.base
    for each in errors:
        assert each.dimension_values("error") == pytest.approx(expected.to_numpy())


def test_the_errors_of_factors_stand_before_the_bars_with_a_cap_at_either_end():
    figure = drawn(riskcharts.factor_chart(report_of()))
    white, dark = (each for each in figure.center if isinstance(each, Whisker))
    for whisker in (white, dark):
        assert whisker.level == "overlay"
        assert isinstance(whisker.lower_head, TeeHead)
        assert isinstance(whisker.upper_head, TeeHead)
    assert white.line_width > dark.line_width
    assert (white.line_color, dark.line_color) == tuple(colour for colour, _ in riskcharts.WHISKERS)


def test_shares_of_the_variance_add_up():
    shares = riskcharts.variance_chart(report_of()).dimension_values("amount")
    assert shares.sum() == pytest.approx(1.0)


def test_a_scenario_that_cannot_be_computed_has_no_bar():
    report = report_of()
    shown = set(riskcharts.stress_chart(report).dimension_values("scenario"))
    assert "Oil +5 %" not in shown
    assert len(shown) == report.stress.table["computable"].sum()
    without = len(report.stress.table) - len(shown)
    assert drawn(riskcharts.stress_chart(report)).title.text.endswith(f"\n{without} not computable, see the table")


def test_a_scenario_of_a_part_of_the_book_is_grey():
    table = report_of().stress.table
    picture = riskcharts.stress_chart(report_of())
    grey = picture.data.loc[picture.data["colour"] == riskcharts.theme.SLATE, "scenario"]
    assert set(grey) == set(table.index[table["computable"] & (table["left_out"] > 0)])
    assert ("grey" in drawn(picture).title.text) == bool(len(grey))


def test_value_at_risk_of_each_method_is_a_line_where_it_is():
    report = report_of()
    lines = {layer.label: layer for layer in riskcharts.var_chart(report, 0.95).values() if isinstance(layer, hv.Curve)}
    found = report.tail_methods["var"].xs(0.95, level="level")
    assert lines["Normal"].dimension_values(0)[0] == pytest.approx(-found["normal"])
    assert set(lines) == {riskcharts.METHOD_TITLES[method] for method in found.dropna().index}
    assert "Age-weighted" in lines


def test_no_two_methods_look_alike():
    assert set(riskcharts.STROKES) == set(riskcharts.METHOD_TITLES)
    assert len(set(riskcharts.STROKES.values())) == len(riskcharts.METHOD_TITLES)


def test_a_legend_stands_in_rows_of_two():
    (legend,) = drawn(riskcharts.var_chart(report_of())).legend
    assert (legend.nrows, legend.ncols) == ("auto", 2)


def test_greeks_by_expiry_add_up_to_those_of_the_options():
    report = report_of()
    bars = riskcharts.greeks_chart(report, "vega_point", "expiry")
    assert list(bars.dimension_values("group")) == ["2023-06-16", "2023-03-17"]
    assert bars.dimension_values("amount").sum() == pytest.approx(report.book_greeks["vega_point"])


def test_a_book_without_options_has_no_vega_to_draw():
    assert "No vega" in told(riskcharts.greeks_chart(report_of("without options"), "vega_point"))
    assert "No vega" in told(riskcharts.greeks_chart(report_of("without options"), "vega_point", "expiry"))


def test_the_grid_has_a_cell_for_each_move_and_none_moves_nothing():
    picture = riskcharts.grid_chart(grid_of(report_of()), currency="USD")
    cells = picture.data.set_index(["spot", "volatility"])["pnl"]
    assert len(cells) == 9
    assert cells["0%", "as is"] == 0.0
    assert picture.data["spot"].unique().tolist() == ["-10%", "0%", "+10%"]
    assert drawn(picture).title.text == "P&L by spot and volatility, USD\nall underlyings alike, at once"


def test_a_chart_that_is_cut_off_says_how_many_it_shows(monkeypatch):
    monkeypatch.setattr(riskcharts, "SHOWN", 1)
    monkeypatch.setattr(charts, "SHOWN", 1)
    report = report_of()
    for picture in (
        riskcharts.greeks_chart(report, "dollar_delta"),
        charts.contribution_chart(report),
        charts.group_chart(report.by("underlying")),
    ):
        assert "1 largest of 2" in drawn(picture).title.text.replace("\n", " ")


def test_the_format_of_the_grid_does_not_spread_to_the_next_heat_map():
    matrix = pd.DataFrame(np.eye(2), list("ab"), list("ab"))
    (bar,) = drawn(riskcharts.grid_chart(grid_of(report_of()))).select(ColorBar)
    assert isinstance(bar.formatter, NumeralTickFormatter)
    (other,) = drawn(charts.correlation_chart(matrix)).select(ColorBar)
    assert not isinstance(other.formatter, NumeralTickFormatter)


def test_a_grid_that_is_unknown_says_so():
    assert "No grid" in told(riskcharts.grid_chart(grid_of(report_of()) * np.nan))


def test_losses_beyond_value_at_risk_are_marked():
    past = past_of()
    picture = riskcharts.backtest_chart(past.track, 0.95)
    hits = next(layer for layer in picture.values() if layer.label == "beyond VaR")
    assert len(hits) == past.tests[0.95].kupiec.hits > 0
    assert drawn(picture).title.text == f"{len(hits)} of 60 sessions beyond VaR 95 %"


def test_without_sessions_there_is_no_backtest_and_no_attribution():
    past = past_of()
    assert "No test" in told(riskcharts.backtest_chart(past.track * np.nan))
    assert "No attribution" in told(riskcharts.attribution_chart(past.attribution * np.nan))


def test_attribution_adds_up_to_the_profit():
    past = past_of()
    bars = riskcharts.attribution_chart(past.attribution)
    assert bars.dimension_values("amount").sum() == pytest.approx(past.track["pnl_day"].sum())

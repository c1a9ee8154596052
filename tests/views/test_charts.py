"""Pictures of the market data: what a cell of the heat map says, and where the mark of a finding stands."""

from __future__ import annotations

import time
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from bokeh.models import FixedTicker, HoverTool
from bokeh.models.annotations import ColorBar

from sigmalib.views import charts

MONTHS = ["2024-01", "2024-02", "2024-03"]
DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], name="session")


def months(**rows: list[float]) -> pd.DataFrame:
    return pd.DataFrame(rows.values(), index=list(rows), columns=MONTHS)


def drawn(picture: Any) -> Any:
    return hv.renderer("bokeh").get_plot(picture).state


def shades(picture: hv.Image) -> list[list[float]]:
    """The shade of each cell, the top row first."""
    return picture.dimension_values("shade", flat=False)[::-1].tolist()


def finding(session: str, check: str = "outlier") -> pd.Series:
    return pd.Series({"symbol": "<AAA>", "session": pd.Timestamp(session), "check": check, "sentence": "a jump"})


@pytest.mark.parametrize(
    ("share", "shade"), [(0.0, 0), (0.01, 1), (0.49, 1), (0.5, 2), (0.89, 2), (0.9, 3), (20 / 21, 3), (1.0, 4)]
)
def test_a_cell_is_the_darker_the_more_is_there_and_whole_only_when_all_is(share: float, shade: int) -> None:
    assert shades(charts.coverage_chart(months(AAA=[share, 1, 1])))[0] == [shade, 4, 4]


def test_a_month_in_which_nothing_was_expected_is_not_drawn_as_an_empty_one() -> None:
    picture = charts.coverage_chart(months(AAA=[np.nan, 0, 1]))
    ((blank, empty, _),) = shades(picture)
    assert np.isnan(blank)
    assert empty == 0
    image = drawn(picture).renderers[0]
    assert image.glyph.color_mapper.nan_color == "rgba(0, 0, 0, 0)"
    assert image.data_source.data["share"][0].ravel().tolist() == [-1, 0, 1]


def test_the_least_complete_symbol_stands_on_top_and_equals_by_name() -> None:
    picture = charts.coverage_chart(months(CCC=[1, 1, 1], BBB=[1, 0, 1], AAA=[1, 1, 1]))
    assert [label for _, label in sorted(picture.opts.get("plot").kwargs["yticks"])] == ["CCC", "AAA", "BBB"]
    assert shades(picture)[0] == [4, 0, 4]


def test_the_hover_and_the_scale_name_months_symbols_and_shares() -> None:
    figure = drawn(charts.coverage_chart(months(AAA=[1, 1, 1], BBB=[1, 0, 1])))
    formatters = figure.select_one(HoverTool).formatters
    assert formatters["$x"].args["names"] == MONTHS
    assert formatters["$y"].args["names"] == ["AAA", "BBB"]  # by height, as the axis counts upwards
    assert set(formatters) == {"$x", "$y", "@{share}"}
    assert list(figure.select_one(ColorBar).major_label_overrides.values()) == list(charts.SHADES)


def test_the_same_picture_can_stand_in_two_documents() -> None:
    picture = charts.coverage_chart(months(AAA=[1, 1, 1]))
    one, other = (drawn(picture).select_one(HoverTool).formatters["$x"] for _ in range(2))
    assert one is not other


@pytest.mark.parametrize(("count", "least", "most"), [(1, 140, 200), (30, 600, 800), (500, 1_500, 1_700)])
def test_few_and_many_symbols_have_room(count: int, least: int, most: int) -> None:
    table = pd.DataFrame(1.0, index=[f"S{number:03d}" for number in range(count)], columns=MONTHS)
    figure = drawn(charts.coverage_chart(table))
    assert least <= figure.height <= most
    assert figure.ygrid[0].visible == (count <= charts.SEPARATE)
    assert isinstance(figure.yaxis[0].ticker, FixedTicker)


def test_five_hundred_symbols_over_ten_years_are_drawn_within_two_seconds() -> None:
    shares = np.where(np.random.default_rng(1).random((500, 120)) < 0.05, 0.5, 1.0)
    columns = pd.period_range("2016-01", periods=120, freq="M").astype(str)
    began = time.perf_counter()
    drawn(charts.coverage_chart(pd.DataFrame(shares, [f"S{n}" for n in range(500)], columns)))
    assert time.perf_counter() - began < 2


def test_without_bars_a_sentence_stands_in_the_place_of_the_heat_map() -> None:
    assert "no bar in this range" in charts.coverage_chart(pd.DataFrame()).data


def test_a_finding_is_marked_in_its_series_and_a_missing_session_breaks_the_line() -> None:
    picture = charts.finding_chart(pd.DataFrame({"close": [1.0, np.nan, 9.0, 1.0]}, DAYS), finding("2024-01-04"))
    line, mark, dot = picture.values()
    assert np.isnan(line.dimension_values("close")[1])
    assert pd.Timestamp(mark.data) == DAYS[2]
    assert dot.dimension_values("close").tolist() == [9.0]
    assert drawn(picture).title.text == "<AAA>: outlier on 2024-01-04"


def test_the_mark_of_a_finding_after_the_last_bar_stands_at_its_end() -> None:
    picture = charts.finding_chart(pd.DataFrame({"close": [1.0, 2.0, 3.0, 4.0]}, DAYS), finding("2024-02-01", "short"))
    assert picture.values()[2].dimension_values("close").tolist() == [4.0]


def test_without_a_finding_or_without_bars_a_sentence_stands_in_the_place_of_the_picture() -> None:
    assert "no finding in this range" in charts.finding_chart(None, None).data
    assert "no bars of &lt;AAA&gt;" in charts.finding_chart(pd.DataFrame(), finding("2024-01-04")).data

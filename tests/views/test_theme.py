"""The look of pictures: readable on light and dark, set once, numbers as people write them."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from bokeh.models import HoverTool

from sigmalib.views import theme

LIGHT, DARK = "#ffffff", "#12161d"
DAYS = pd.date_range("2022-01-03", periods=5, freq="B", name="session")
FRAME = pd.DataFrame(
    {"value": [1e6, 2e6, 3e6, 4e6, 5e6], "share": np.linspace(-0.02, 0.02, 5)}, index=DAYS
).reset_index()


@pytest.fixture(autouse=True)
def applied() -> None:
    theme.apply()


@pytest.mark.parametrize("colour", [*theme.CYCLE, theme.INK])
def test_colour_stands_out_on_light_and_on_dark(colour: str) -> None:
    assert contrast(colour, LIGHT) >= 2.95
    assert contrast(colour, DARK) >= 2.95


def test_applying_twice_changes_nothing() -> None:
    before = hv.Store.lookup_options("bokeh", hv.Curve([]), "plot").kwargs
    theme.apply()
    assert hv.Store.lookup_options("bokeh", hv.Curve([]), "plot").kwargs == before


def test_picture_is_as_wide_as_its_place_and_leaves_the_wheel_to_the_page() -> None:
    figure = drawn(hv.Curve(FRAME, "session", "value"))
    assert (figure.sizing_mode, figure.height) == ("stretch_width", theme.HEIGHT)
    assert figure.toolbar.active_scroll == "auto"  # bokeh's word for: no wheel until it is asked for
    assert figure.toolbar.autohide


def test_hover_writes_days_without_a_time_and_numbers_with_separators() -> None:
    figure = drawn(hv.Curve(FRAME, "session", ["value", "share"]))
    assert figure.select_one(HoverTool).tooltips == [
        ("session", "@{session}{%F}"),
        ("value", "@{value}{0,0}"),
        ("share", "@{share}{0,0.[0000]}"),
    ]


def test_hover_keeps_the_time_of_instants_and_the_formats_it_is_given() -> None:
    instants = FRAME.assign(session=FRAME["session"] + pd.Timedelta(hours=9))
    assert ("session", "@{session}{%F %T}") in drawn(hv.Curve(instants, "session", "value")).select_one(
        HoverTool
    ).tooltips
    given = hv.Curve(FRAME, "session", "share").opts(hover_tooltips=[("Share", "@share{0.0%}")])
    assert drawn(given).select_one(HoverTool).tooltips == [("Share", "@{share}{0.0%}")]


@pytest.mark.parametrize("given", [theme.MONEY, theme.PERCENT, None])
def test_axis_takes_a_number_format_as_text_in_one_picture_and_in_the_next(given: str | None) -> None:
    curve = hv.Curve(FRAME, "session", "share").opts(**({"yformatter": given} if given else {}))
    for picture in (curve, curve * hv.HLine(0), curve):
        assert drawn(picture).yaxis[0].formatter.format == (given or "0,0.[0000]")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("Short", "Short"),
        (
            "A line of a title is broken at its comma, and goes on",
            "A line of a title is broken at its comma,\nand goes on",
        ),
        (
            "A title of many words and of no comma at all goes on below",
            "A title of many words and of no comma at all\ngoes on below",
        ),
        ("Two\nlines", "Two\nlines"),
    ],
)
def test_a_long_title_goes_on_in_the_next_line(given: str, written: str) -> None:
    assert drawn(hv.Curve(FRAME, "session", "value").opts(title=given)).title.text == written


def test_axis_keeps_a_printf_format() -> None:
    curve = hv.Curve(FRAME, "session", "share").opts(yformatter="%.3f")
    assert drawn(curve).yaxis[0].formatter.format == "%.3f"


def test_shades_go_from_the_first_stop_to_the_last() -> None:
    assert theme.shades("#000000", "#ffffff", steps=3) == ["#000000", "#808080", "#ffffff"]


def drawn(picture: Any) -> Any:
    """The Bokeh figure of a picture."""
    return hv.renderer("bokeh").get_plot(picture).state


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, "contrast ratio")."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, "relative luminance")."""
    channels = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])

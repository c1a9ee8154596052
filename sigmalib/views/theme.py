"""The look of every picture: colours, number formats and defaults, set once.

Colours are of middle brightness: each has a contrast of about 3:1 or more on white and on near-black, so that one
picture can stand on a light and on a dark page. ``UP`` and ``DOWN`` stay apart for readers who confuse red and green.

One rule of signs for all pictures: a gain is ``UP`` and a loss ``DOWN``; an exposure above zero is ``LONG`` and one
below it ``SHORT``; what adds to a risk is ``ADDS`` and what takes from it ``HEDGES``.
"""

from __future__ import annotations

import re
import textwrap
from itertools import chain
from typing import Any

import holoviews as hv
import numpy as np
from bokeh.models import (
    BasicTickFormatter,
    CategoricalAxis,
    HoverTool,
    NoOverlap,
    NumeralTickFormatter,
    PrintfTickFormatter,
)
from bokeh.themes import Theme

NAVY, TEAL, AMBER, RED = "#3b74bd", "#12909b", "#c9841a", "#cf4a3c"
VIOLET, SLATE, SKY = "#8a63b8", "#7a8699", "#4f9bd9"
INK, LINES = "#747e8e", "#8b95a5"
UP, DOWN = TEAL, RED
LONG, SHORT = NAVY, AMBER
ADDS, HEDGES = NAVY, TEAL
CYCLE = [NAVY, AMBER, TEAL, VIOLET, RED, SKY, SLATE]
MONEY, PERCENT = "0,0", "0.0%"  # for `xformatter`, `yformatter`, `@column{…}`
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
HEIGHT = 320
TITLE = 44  # letters of a title in one line, as a phone has room for

BANDS = ("Area", "Spread")  # one shape each: a hover would find no row; lay a Curve over it
BARS = ("Bars", "Histogram")
DRAWN = ("Curve", "ErrorBars", "Points", "Scatter", "Segments")
PLAIN = ("BoxWhisker", "Distribution", "Rectangles")
GRIDS = ("HeatMap", "Image", "QuadMesh")
BOXES = ("Overlay", "NdOverlay")

_MISSING_FORMAT = re.compile(r"^(@\{[^}]*\}|@\w+)$")


def shades(*stops: str, steps: int = 63) -> list[str]:
    """Colours that go evenly from stop to stop, as hexadecimal text."""
    known = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in stops])
    along = np.linspace(0, len(stops) - 1, steps)
    mixed = np.stack([np.interp(along, range(len(stops)), channel) for channel in known.T], axis=1).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in mixed.tolist()]


SEQUENTIAL = shades("#eaf1f9", "#97bbdf", NAVY, "#23497d")
DIVERGING = shades("#a4372b", RED, "#f0c8c0", "#f4f5f7", "#bfd2ea", NAVY, "#23497d")


def apply() -> None:
    """Make this look the default of every HoloViews picture; calling it again changes nothing."""
    import holoviews.plotting.bokeh  # noqa: F401  # registers the options that are set below

    if hv.Store.current_backend != "bokeh":
        hv.Store.set_current_backend("bokeh")
    renderer = hv.renderer("bokeh")
    renderer.theme, renderer.webgl = BOKEH, False  # a few thousand points are drawn sharper without
    hv.opts.defaults(*_defaults())


def apply_to_hvplot() -> None:
    """Let ``frame.hvplot`` follow the same defaults: it would pass its own size and tools with every picture."""
    from hvplot.converter import HoloViewsConverter

    HoloViewsConverter._default_plot_opts.update(responsive=True, height=HEIGHT, show_grid=True)


def tidy(plot: Any, element: Any) -> None:
    """Write thousands, days and decimals as people do, on axes and hovers that name no format (a HoloViews hook).

    A title that a phone would cut off goes on in the next line.
    """
    if plot.state.title is not None and plot.state.title.text:
        plot.state.title.text = "\n".join(map(_wrapped, plot.state.title.text.splitlines()))
    for axis in chain(plot.state.xaxis, plot.state.yaxis):
        axis.formatter, axis.major_label_policy = _axis_format(axis.formatter), NoOverlap()
        if isinstance(axis, CategoricalAxis):  # the theme of a dark page would leave these black
            axis.group_text_color = axis.subgroup_text_color = INK
    for tool in plot.state.select(HoverTool):
        if isinstance(tool.tooltips, list):
            tool.tooltips = [(label, _hover_format(text, tool, plot.state)) for label, text in tool.tooltips]


def rows_of_two(plot: Any, element: Any) -> None:
    """The legend in rows of two, as a phone has room for; HoloViews takes its columns for rows."""
    for legend in plot.state.legend:
        legend.orientation, legend.nrows, legend.ncols = "horizontal", "auto", 2
        legend.label_text_font_size, legend.margin, legend.padding = "8.5pt", 0, 4


def _wrapped(line: str) -> str:
    """A line in lines that a phone has room for, broken at a comma where there is one, else between words."""
    comma = line.rfind(", ", 0, TITLE)
    if len(line) <= TITLE or comma < 0:
        return textwrap.fill(line, TITLE)
    return f"{line[: comma + 1]}\n{_wrapped(line[comma + 2 :])}"


def _axis_format(formatter: Any) -> Any:
    """Numbers with separators; a text like ``0,0`` reaches us as a printf format, which it is not."""
    if type(formatter) is BasicTickFormatter:
        return NumeralTickFormatter(format="0,0.[0000]")
    if isinstance(formatter, PrintfTickFormatter) and "%" not in formatter.format.removesuffix("%"):
        return NumeralTickFormatter(format=formatter.format)
    return formatter


def _hover_format(text: str, tool: HoverTool, figure: Any) -> str:
    """The hover's ``text`` with a format behind a bare column of numbers, and days without the time of midnight."""
    column = text.split("{%F %T}")[0].lstrip("@").strip("{}")
    drawn = tool.renderers if isinstance(tool.renderers, list) else figure.renderers
    sources = [source.data for source in (getattr(renderer, "data_source", None) for renderer in drawn) if source]
    values = np.asarray(next((data[column] for data in sources if column in data), []))
    kind = values.dtype.kind
    if text.endswith("{%F %T}") and kind == "M" and (values == values.astype("M8[D]")).all():
        return text.replace("{%F %T}", "{%F}")
    if _MISSING_FORMAT.match(text) and kind in "iuf":
        return text + ("{0,0}" if np.nanmax(np.abs(values), initial=0) >= 1000 else "{0,0.[0000]}")
    return text


def _defaults() -> list[hv.Options]:
    """HoloViews options by element; what a theme cannot say."""
    box = {
        "responsive": True,
        "height": HEIGHT,
        "show_grid": True,
        "show_frame": False,
        "toolbar": "above",
        "autohide_toolbar": True,
        "active_tools": ["box_zoom"],  # not the wheel: it belongs to the page
        "hooks": [tidy],
        "bgcolor": None,
        "fontsize": {"title": 11, "labels": 9, "ticks": 8.5, "legend": 8.5},
        "gridstyle": {"grid_line_color": LINES, "grid_line_alpha": 0.25},
    }
    hover, colours = {"tools": ["hover"]}, {"color": hv.Cycle(values=CYCLE)}
    options: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        (BANDS, box | colours | {"line_color": None}),
        (BARS, box | hover | colours | {"line_color": None}),
        (DRAWN, box | hover | colours),
        (("Curve",), {"hover_mode": "vline"}),
        (GRIDS, box | hover | {"cmap": SEQUENTIAL, "clabel": "", "colorbar_opts": {"bar_line_color": None}}),
        (PLAIN, box | hover),
        (BOXES, box),
        (("Text", "Labels"), {"text_color": INK}),
    ]
    return [hv.Options(name, **given) for names, given in options for name in names]


def _text(part: str) -> dict[str, str]:
    return {f"{part}text_color": INK, f"{part}text_font": FONT, f"{part}text_font_style": "normal"}


_NO_BOX = {"background_fill_alpha": 0, "border_line_color": None}
_AXIS = {"axis_line_color": LINES, "major_tick_line_color": LINES, "minor_tick_line_color": None}
BOKEH = Theme(
    json={
        "attrs": {
            "Plot": {"background_fill_color": None, "border_fill_color": None, "outline_line_color": None},
            "Axis": _AXIS | _text("axis_label_") | _text("major_label_"),
            "CategoricalAxis": _text("group_") | _text("subgroup_") | {"separator_line_color": None},
            "Title": _text("") | {"text_font_size": "11pt", "text_font_style": "bold"},
            "Legend": _NO_BOX | _text("label_") | _text("title_"),
            "ColorBar": _NO_BOX | _text("major_label_") | {"bar_line_color": None, "major_tick_line_color": None},
            "Toolbar": {"logo": None, "autohide": True},
        }
    }
)

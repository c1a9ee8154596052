"""Charts: a table or report in, a HoloViews picture out; the same ones in notebooks, reports and pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
from bokeh.models import CustomJSHover, FixedTicker, HoverTool
from bokeh.models.annotations import ColorBar

from sigmalib.portfolio import groups, performance
from sigmalib.risk.report import LEVELS, RiskReport
from sigmalib.views import theme

theme.apply()

BINS = 60
SHOWN = 15
MEASURE = hv.Dimension("measure", values=["Notional", "Delta-adjusted"])
ROW = 30
SHADES = {"0 %": "#f6d889", "< 50 %": "#a1d3b4", "50 % +": "#41b0c4", "90 % +": "#3688c2", "100 %": "#2b4f9e"}
STEPS = (1e-9, 0.5, 0.9, 1.0)  # the share of a month's sessions from which on it has the second shade, third, ...
NAMED = "return names[Math.floor(special_vars.%s)] ?? ''"
SHARE = "return value < 0 ? 'none was expected' : (100 * value).toFixed(1) + ' %'"
TALLEST, LOWEST, HIGHEST = 1_500, 3, 20  # pixels: of all rows together, of the lowest row and of the highest
SEPARATE = 120  # up to so many rows have lines between them


def nothing(why: str) -> hv.Div:
    """A sentence in the place of a picture that has nothing to show."""
    return hv.Div(f"<p class='sigma-empty'>{escape(why)}</p>").opts(height=80)


def largest(shown: int, count: int) -> str:
    """The end of a title that says how many of the rows are shown; blank when all are.

    >>> largest(15, 24), largest(3, 3)
    (', 15 largest of 24', '')
    """
    return f", {shown} largest of {count}" if shown < count else ""


def exposure_chart(data: RiskReport) -> hv.Bars | hv.Div:
    """Long, short, gross and net exposure in base currency, notional beside delta-adjusted."""
    if data.holdings.empty:
        return nothing("No exposure: the book holds nothing.")
    measured = (("Notional", data.exposure), ("Delta-adjusted", data.delta_adjusted))
    rows = [(side.title(), name, amount) for name, it in measured for side, amount in it.to_dict().items()]
    bars = hv.Bars(pd.DataFrame(rows, columns=["side", "measure", "amount"]), ["side", MEASURE], "amount")
    return bars.opts(
        title="Exposure",
        color="measure",
        cmap={"Notional": theme.NAVY, "Delta-adjusted": theme.TEAL},
        multi_level=False,
        legend_position="top",
        xlabel="",
        ylabel=data.base_currency,
        yformatter=theme.MONEY,
        hover_tooltips=[("Exposure", "@side, @measure"), (data.base_currency, "@amount{0,0}")],
    )


def group_chart(data: pd.DataFrame) -> hv.Overlay | hv.Div:
    """Long and short exposure of each group (``groups.by``), largest gross on top; the dot is the net."""
    label = str(data.index.name or "group")
    if not (data["gross"] > 0).any():
        return nothing(f"No exposure by {label}.")
    held = data[data["gross"] > 0]
    shown = held.head(SHOWN).iloc[::-1].reset_index(names=label)
    hover = [(label.title(), f"@{label}"), ("Long", "@long{0,0}"), ("Short", "@short{0,0}"), ("Net", "@net{0,0}")]

    def drawn(kind: Any, side: str, **style: Any) -> hv.Element:
        order = [side, *(name for name in ("long", "short", "net") if name != side)]
        return kind(shown[[label, *order]], label, order).opts(invert_axes=True, hover_tooltips=hover, **style)

    picture = (
        drawn(hv.Bars, "long", color=theme.LONG, bar_width=0.6, line_color=None)
        * drawn(hv.Bars, "short", color=theme.SHORT, bar_width=0.6, line_color=None)
        * drawn(hv.Scatter, "net", color=theme.SLATE, size=9, line_color="white")
    )
    return picture.opts(
        title=f"Notional exposure by {label}, net as a dot{largest(len(shown), len(held))}",
        xlabel="",
        ylabel="",
        xformatter=theme.MONEY,
        height=100 + ROW * max(1, len(shown)),
        show_legend=False,
    )


def pnl_distribution(data: RiskReport) -> hv.Overlay | hv.Div:
    """Histogram of the one-day P&L of today's holdings over past sessions, with value at risk and shortfall."""
    if data.scenarios.empty or not data.scenarios.any():
        return nothing("No distribution: nothing is held that past moves of the market could change.")
    counts, edges = np.histogram(data.scenarios, bins=BINS)
    histogram = hv.Histogram((edges, counts), kdims="pnl", vdims="sessions").opts(
        color=theme.NAVY, line_color=None, alpha=0.8, hover_tooltips=[("P&L", "@pnl{0,0}"), ("Sessions", "@sessions")]
    )
    top = counts.max(initial=1)
    marks = [
        hv.Curve([(-row[name], 0), (-row[name], top)], label=f"{title} {level * 100:g} %").opts(
            color=colour, line_width=2, line_dash=dash, tools=[]
        )
        for level, row, dash in zip(LEVELS, data.tails.to_dict("records"), ("solid", "dashed"), strict=True)
        for name, title, colour in (("var", "VaR", theme.AMBER), ("es", "ES", theme.RED))
    ]
    return hv.Overlay([histogram, *marks]).opts(
        title=f"P&L of a day, {len(data.scenarios)} sessions",
        xlabel=data.base_currency,
        ylabel="sessions",
        xformatter=theme.MONEY,
        legend_position="top",
        hooks=[theme.tidy, theme.rows_of_two],
    )


def performance_chart(data: pd.DataFrame) -> hv.Curve | hv.Div:
    """Cumulative time-weighted return out of a book's snapshots."""
    if len(data) < 2:
        return nothing("No history yet: `sigma snapshot BOOK --from DATE` values every session since a date.")
    series = performance.of_history(data)["cumulative"].rename_axis("session").reset_index()
    return hv.Curve(series, "session", "cumulative").opts(
        title="Cumulative return",
        color=theme.NAVY,
        line_width=2,
        xlabel="",
        ylabel="",
        yformatter=theme.PERCENT,
        hover_tooltips=[("Session", "@session{%F}"), ("Return", "@cumulative{0.00%}")],
        hover_formatters={"@session": "datetime"},
    )


def drawdown_chart(data: pd.DataFrame) -> hv.Area | hv.Div:
    """Loss from the highest value so far out of a book's snapshots."""
    if len(data) < 2:
        return nothing("No drawdown without a history.")
    series = performance.of_history(data)["drawdown"].rename_axis("session").reset_index()
    return hv.Area(series, "session", "drawdown").opts(
        title="Drawdown",
        color=theme.RED,
        alpha=0.5,
        line_color=theme.RED,
        xlabel="",
        ylabel="",
        height=200,
        yformatter=theme.PERCENT,
        hover_tooltips=[("Session", "@session{%F}"), ("Drawdown", "@drawdown{0.00%}")],
        hover_formatters={"@session": "datetime"},
    )


def contribution_chart(data: RiskReport, key: groups.Key = "underlying") -> hv.Bars:
    """What each name (or other group) adds to the expected shortfall at 95 %; a hedge is negative."""
    parts = data.by(key)["es_contribution"]
    known = parts[parts.fillna(0.0) != 0]
    shown = known.sort_values(key=abs, ascending=False).head(SHOWN).sort_values()
    frame = shown.rename_axis(key).reset_index().assign(colour=np.where(shown > 0, theme.ADDS, theme.HEDGES))
    return hv.Bars(frame, key, ["es_contribution", "colour"]).opts(
        title=f"Part of ES 95 % by {key}{largest(len(shown), len(known))}",
        color="colour",
        line_color=None,
        bar_width=0.6,
        invert_axes=True,
        xlabel="",
        ylabel=data.base_currency,
        xformatter=theme.MONEY,
        height=110 + ROW * max(1, len(shown)),
        hover_tooltips=[(key.title(), f"@{key}"), ("Part", "@es_contribution{0,0}")],
    )


def correlation_chart(data: pd.DataFrame) -> hv.HeatMap | hv.Div:
    """Correlation matrix as a heat map, blue together, red against each other."""
    if len(data) < 2:
        return nothing("No correlations: the book depends on fewer than two names with a history.")
    names = list(data.columns)
    cells = [(a, b, float(data.to_numpy()[names.index(b), names.index(a)])) for a in names for b in reversed(names)]
    return hv.HeatMap(cells, ["first", "second"], "correlation").opts(
        title="Correlation of daily returns",
        cmap=theme.DIVERGING,
        clim=(-1, 1),
        colorbar=True,
        xlabel="",
        ylabel="",
        xrotation=60,
        height=170 + 22 * len(names),
        show_grid=False,
        hover_tooltips=[("Pair", "@first, @second"), ("Correlation", "@correlation{0.00}")],
    )


def beta_chart(data: RiskReport) -> hv.Overlay:
    """The book's daily moves against the benchmark's, as fractions, with the line whose slope is beta."""
    frame = pd.DataFrame({"benchmark": data.benchmark_returns, "book": data.scenarios / data.valuation.base}).dropna()
    ends = np.array([frame["benchmark"].min(), frame["benchmark"].max()])
    line = frame["book"].mean() + data.beta * (ends - frame["benchmark"].mean())
    points = hv.Scatter(frame.rename_axis("session").reset_index(), "benchmark", ["book", "session"]).opts(
        color=theme.NAVY,
        alpha=0.5,
        size=4,
        hover_tooltips=[("Session", "@session{%F}"), ("Benchmark", "@benchmark{0.00%}"), ("Book", "@book{0.00%}")],
        hover_formatters={"@session": "datetime"},
    )
    return (points * hv.Curve((ends, line)).opts(color=theme.AMBER, line_width=2)).opts(
        title=f"Beta to {data.benchmark}: {data.beta:.2f}",
        xlabel=f"{data.benchmark}, daily return",
        ylabel=f"book, share of {data.valuation.base_name}",
        xformatter=theme.PERCENT,
        yformatter=theme.PERCENT,
        show_legend=False,
    )


def coverage_chart(data: pd.DataFrame) -> hv.Image | hv.Div:
    """(symbol x month) share of the expected sessions that are there, as a heat map, least complete on top.

    data : fractions 0 to 1; NaN, where no session was expected, has no colour. Five shades, so that one session that is
    missing is seen beside a whole month; the hover has the share.
    """
    if data.empty:
        return nothing("No coverage: there is no bar in this range.")
    shown = data.iloc[np.lexsort((data.index, data.mean(axis="columns")))]
    shares, symbols, months = shown.to_numpy(dtype="float64"), list(map(str, shown.index)), list(map(str, shown))
    shade = np.where(np.isnan(shares), np.nan, np.searchsorted(STEPS, shares, side="right"))
    bounds, count = (0, 0, len(months), len(symbols)), len(symbols)
    told = np.nan_to_num(shares, nan=-1.0)  # the hover of a NaN says NaN whatever it is told
    return hv.Image(np.dstack([shade, told]), ["month", "symbol"], ["shade", "share"], bounds=bounds).opts(
        title="Share of expected sessions present",
        cmap=list(SHADES.values()),
        clim=(-0.5, len(SHADES) - 0.5),
        colorbar=True,
        colorbar_position="top",
        xlabel="",
        ylabel="",
        xticks=[(place + 0.5, month) for place, month in enumerate(months)],
        yticks=[(place + 0.5, symbol) for place, symbol in enumerate(reversed(symbols))],
        height=130 + count * min(HIGHEST, max(LOWEST, TALLEST // count)),
        hover_tooltips=[("Symbol", "$y{custom}"), ("Month", "$x{custom}"), ("Present", "@share{custom}")],
        hooks=[theme.tidy, _named(months, symbols[::-1])],
    )


def finding_chart(data: pd.DataFrame | None, finding: pd.Series | None) -> hv.Overlay | hv.Div:
    """The closes of a symbol, with a mark at the session of a finding about it.

    data : bars by session, of which ``close`` is drawn; a session without one is a break in the line. finding : a row
    of FINDINGS, or None when there is none.
    """
    if finding is None:
        return nothing("No doubtful series: there is no finding in this range; a wider one may have some.")
    if data is None or data.empty:
        return nothing(f"No picture: there are no bars of {finding['symbol']} around {finding['session']:%Y-%m-%d}.")
    table = data[["close"]].rename_axis("session").reset_index()
    line = hv.Curve(table, "session", "close").opts(
        color=theme.NAVY,
        line_width=1.5,
        hover_tooltips=[("Session", "@session{%F}"), ("Close", "@close{0,0.00}")],
        hover_formatters={"@session": "datetime"},
    )
    at = int(table["session"].searchsorted(finding["session"]).clip(max=len(table) - 1))
    here = table.iloc[[at]]
    marks = hv.VLine(finding["session"]).opts(color=theme.AMBER, line_width=1.5, line_dash="dashed")
    dot = hv.Scatter(here, "session", "close").opts(color=theme.RED, size=10, tools=[])
    return (line * marks * dot).opts(
        title=f"{finding['symbol']}: {finding['check']} on {finding['session']:%Y-%m-%d}",
        xlabel="",
        ylabel="close",
        show_legend=False,
    )


def _named(months: Sequence[str], symbols: Sequence[str]) -> Callable[[Any, Any], None]:
    """A hook that names the shades, and in the hover months and symbols by their place along the axes."""

    def name(plot: Any, element: Any) -> None:
        for bar in plot.state.select(ColorBar):
            bar.ticker = FixedTicker(ticks=list(range(len(SHADES))))
            bar.major_label_overrides, bar.height = dict(enumerate(SHADES)), 12
        for axis in (*plot.state.xaxis, *plot.state.yaxis):
            axis.major_tick_line_color = None
        for grid, names in zip(plot.state.grid, (months, symbols), strict=True):
            grid.ticker, grid.level = FixedTicker(ticks=list(range(len(names) + 1))), "overlay"
            grid.grid_line_color, grid.grid_line_alpha, grid.visible = "white", 0.4, len(symbols) <= SEPARATE
        for tool in plot.state.select(HoverTool):
            tool.formatters = {
                "$x": CustomJSHover(args={"names": list(months)}, code=NAMED % "x"),
                "$y": CustomJSHover(args={"names": list(symbols)}, code=NAMED % "y"),
                "@{share}": CustomJSHover(code=SHARE),
            }

    return name

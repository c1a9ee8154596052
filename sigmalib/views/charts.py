"""Charts: a table or report in, a HoloViews picture out; the same ones in notebooks, reports and pages."""

from __future__ import annotations

from html import escape
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd

from sigmalib.portfolio import groups, performance
from sigmalib.risk.report import LEVELS, RiskReport
from sigmalib.views import theme

theme.apply()

BINS = 60
SHOWN = 15
MEASURE = hv.Dimension("measure", values=["Notional", "Delta-adjusted"])
ROW = 30


def nothing(why: str) -> hv.Div:
    """A sentence in the place of a picture that has nothing to show."""
    return hv.Div(f"<p class='sigma-empty'>{escape(why)}</p>").opts(height=80)


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
    shown = data[data["gross"] > 0].head(SHOWN).iloc[::-1].reset_index(names=label)
    hover = [(label.title(), f"@{label}"), ("Long", "@long{0,0}"), ("Short", "@short{0,0}"), ("Net", "@net{0,0}")]

    def drawn(kind: Any, side: str, **style: Any) -> hv.Element:
        order = [side, *(name for name in ("long", "short", "net") if name != side)]
        return kind(shown[[label, *order]], label, order).opts(invert_axes=True, hover_tooltips=hover, **style)

    picture = (
        drawn(hv.Bars, "long", color=theme.NAVY, bar_width=0.6, line_color=None)
        * drawn(hv.Bars, "short", color=theme.AMBER, bar_width=0.6, line_color=None)
        * drawn(hv.Scatter, "net", color=theme.SLATE, size=9, line_color="white")
    )
    return picture.opts(
        title=f"Notional exposure by {label}, net as a dot",
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
        legend_cols=4,
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
    shown = parts[parts != 0].sort_values(key=abs, ascending=False).head(SHOWN).sort_values()
    frame = shown.rename_axis(key).reset_index().assign(colour=np.where(shown > 0, theme.AMBER, theme.TEAL))
    return hv.Bars(frame, key, ["es_contribution", "colour"]).opts(
        title=f"Part of ES 95 % by {key}",
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

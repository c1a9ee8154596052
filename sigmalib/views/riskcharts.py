"""Pictures of risk: factor bets, stress, tail methods, greeks, and value at risk against what happened."""

from __future__ import annotations

from itertools import product
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
from bokeh.models import NumeralTickFormatter
from bokeh.models.annotations import ColorBar, TeeHead, Whisker

from sigmalib.risk.greeks import UNITS
from sigmalib.risk.report import RiskReport
from sigmalib.views import theme
from sigmalib.views.charts import BINS, ROW, SHOWN, largest, nothing

theme.apply()

GREEK_TITLES = {
    "dollar_delta": "Dollar delta",
    "gamma_1pct": "Gamma, change of dollar delta for +1 %",
    "vega_point": "Vega, P&L of +1 volatility point",
    "theta_day": "Theta, P&L of a day",
    "rho_1pct": "Rho, P&L of +1 % in rates",
}
METHOD_TITLES = {
    "historical": "Historical",
    "linear": "Historical, interpolated",
    "age_weighted": "Age-weighted",
    "volatility_filtered": "Volatility-filtered",
    "normal": "Normal",
    "student_t": "Student t",
    "cornish_fisher": "Cornish-Fisher",
    "monte_carlo": "Monte Carlo",
}
COLOURS = (theme.NAVY, theme.AMBER, theme.TEAL, theme.VIOLET, theme.RED, theme.SKY)
STROKES = dict(zip(METHOD_TITLES, product(("solid", "dashed"), COLOURS), strict=False))  # dash and colour by method
TALL = 430  # of a picture with a legend
WHISKERS = (("#ffffff", 5.0), ("#16202c", 1.5))  # a dark line, and below it a white one for pages and bars as dark
LYING = {"color": "colour", "line_color": None, "bar_width": 0.6, "invert_axes": True}  # bars from left to right
WIDE = 1.96  # standard errors to each side of an exposure: 95 % of a normal


def titled(name: str) -> str:
    """A name of the code as a reader sees it: low_volatility becomes Low volatility."""
    return name.replace("_", " ").capitalize()


def factor_chart(data: RiskReport) -> hv.Overlay | hv.Div:
    """Exposure to each factor as a share of the base, with the error of its betas (95 %)."""
    table = data.bets.table.dropna(subset=["of_base"])
    if table.empty:
        return nothing("No factor exposures: no factor has a fund with 60 returns, or no position has betas.")
    shown = table.iloc[::-1].reset_index()
    shown = shown.assign(
        factor=[f"{titled(name)} ({proxy})" for name, proxy in zip(shown["factor"], shown["proxy"], strict=True)],
        error=WIDE * shown["standard_error"].fillna(0.0) / (data.valuation.base or np.nan),
        colour=np.where(shown["of_base"] >= 0, theme.LONG, theme.SHORT),
    )
    of_base = (f"of {data.valuation.base_name}", "@of_base{0.0%}")
    bars = hv.Bars(shown, "factor", ["of_base", "exposure", "colour"]).opts(
        **LYING,
        hover_tooltips=[("Factor", "@factor"), ("Exposure", "@exposure{0,0}"), of_base],
    )
    errors = [
        hv.ErrorBars(shown, "factor", ["of_base", "error"]).opts(
            line_color=colour, line_width=width, invert_axes=True, tools=[]
        )
        for colour, width in WHISKERS
    ]
    return hv.Overlay([bars, *errors]).opts(
        title=f"Factors, share of {data.valuation.base_name}, 95 % interval",
        xlabel="",
        ylabel="",
        xformatter=theme.PERCENT,
        height=110 + ROW * len(shown),
        show_legend=False,
        hooks=[theme.tidy, _on_top],
    )


def variance_chart(data: RiskReport) -> hv.Bars | hv.Div:
    """Shares of the book's variance by factor and of the names alone; a hedge is negative, all add up to 100 %."""
    split = data.bets.split
    shares = pd.concat([split.by_factor["share"], pd.Series({"the names alone": split.idiosyncratic_share})]).dropna()
    if shares.empty:
        return nothing("No split of the variance: a name has no betas, or no factor has a fund.")
    colours = np.where(shares > 0, theme.ADDS, theme.HEDGES)
    return _parts(shares, colours, "Where the variance comes from", ("Share", "0.0%"))


def stress_chart(data: RiskReport) -> hv.Bars | hv.Div:
    """P&L of the book in each scenario that can be computed, in their order; the title counts the others."""
    table = data.stress.table
    shown = table[table["computable"]].iloc[::-1].reset_index()
    if shown.empty:
        return nothing("No scenario can be computed; the table says why.")
    partial, without = shown["left_out"] > 0, len(table) - len(shown)
    told = f"\n{without} not computable, see the table" if without else ""
    colours = np.where(partial, theme.SLATE, np.where(shown["pnl"] >= 0, theme.UP, theme.DOWN))
    shown = shown.assign(colour=colours, scenario=shown["scenario"].str.replace(", volatility ", ", vol. "))
    hover = [("Scenario", "@scenario"), ("P&L", "@pnl{0,0}"), (f"of {data.stress.base_name}", "@share{0.0%}")]
    return hv.Bars(shown, "scenario", ["pnl", "share", "reason", "colour"]).opts(
        title=f"P&L by scenario{', grey in part' if partial.any() else ''}{told}",
        color="colour",
        line_color=None,
        bar_width=0.65,
        invert_axes=True,
        xlabel="",
        ylabel=data.base_currency,
        xformatter=theme.MONEY,
        height=110 + 24 * len(shown),
        hover_tooltips=[*hover, ("", "@reason")],
    )


def var_chart(data: RiskReport, level: float = 0.99) -> hv.Overlay | hv.Div:
    """Histogram of a day's P&L with value at risk by every method that knows it."""
    if data.scenarios.empty or not data.scenarios.any():
        return nothing("No distribution: nothing is held that past moves of the market could change.")
    counts, edges = np.histogram(data.scenarios, bins=BINS)
    histogram = hv.Histogram((edges, counts), kdims="pnl", vdims="sessions").opts(
        color=theme.SLATE, line_color=None, alpha=0.6, hover_tooltips=[("P&L", "@pnl{0,0}"), ("Sessions", "@sessions")]
    )
    found = data.tail_methods["var"].xs(level, level="level")
    lines = [
        hv.Curve([(-found[method], 0), (-found[method], counts.max())], label=METHOD_TITLES[method]).opts(
            color=colour, line_dash=dash, line_width=2, tools=[]
        )
        for method, (dash, colour) in STROKES.items()
        if not np.isnan(found[method])
    ]
    return hv.Overlay([histogram, *lines]).opts(
        title=f"P&L of a day and VaR {level * 100:g} % by method",
        xlabel=data.base_currency,
        ylabel="sessions",
        xformatter=theme.MONEY,
        height=TALL,
        legend_position="top",
        hooks=[theme.tidy, theme.rows_of_two],
    )


def greeks_chart(data: RiskReport, greek: str = "vega_point", key: Any = "underlying") -> hv.Bars | hv.Div:
    """One greek in money by underlying, strategy or tag, or by ``expiry``; largest on top."""
    sums = by_expiry(data)[greek] if key == "expiry" else data.greeks_by(key)[greek]
    known = sums[sums.fillna(0.0) != 0]
    if known.empty:
        return nothing(f"No {GREEK_TITLES[greek].split(',')[0].lower()}: no option in the book has one.")
    ordered = known.sort_index(ascending=False) if key == "expiry" else known.sort_values(key=abs).tail(SHOWN)
    frame = ordered.rename("amount").rename_axis("group").reset_index()
    frame = frame.assign(
        group=frame["group"].astype("str"), colour=np.where(frame["amount"] > 0, theme.LONG, theme.SHORT)
    )
    return hv.Bars(frame, "group", ["amount", "colour"]).opts(
        title=f"{GREEK_TITLES[greek]}\nby {key}{largest(len(frame), len(known))}",
        **LYING,
        xlabel="",
        ylabel=data.base_currency,
        xformatter=theme.MONEY,
        height=110 + ROW * len(frame),
        hover_tooltips=[(str(key).title(), "@group"), (UNITS[greek], "@amount{0,0.00}")],
    )


def by_expiry(data: RiskReport) -> pd.DataFrame:
    """Greeks of the options by expiry (YYYY-MM-DD)."""
    options = data.holdings["expiry"].notna()
    labels = data.holdings.loc[options, "expiry"].dt.strftime("%Y-%m-%d")
    return data.greeks[options].groupby(labels).sum(min_count=1).rename_axis("expiry")


def grid_chart(data: pd.Series, *, currency: str = "") -> hv.HeatMap | hv.Div:
    """P&L over moves of spot and volatility, out of ``stress.grid`` at one number of days."""
    cells = data.reset_index()
    if cells.empty or cells["pnl"].isna().all():
        return nothing("No grid: a position of the book cannot be revalued.")
    shown = pd.DataFrame(
        {
            "spot": [f"{spot:+.0%}" if spot else "0%" for spot in cells["spot"]],
            "volatility": [f"{100 * points:+.0f} points" if points else "as is" for points in cells["volatility"]],
            "pnl": cells["pnl"],
        }
    )
    most, days = float(shown["pnl"].abs().max()), sorted(cells["days"].unique())
    when = "at once" if days == [0] else f"after {', '.join(f'{day:g}' for day in days)} days"
    return hv.HeatMap(shown, ["spot", "volatility"], "pnl").opts(
        title=f"P&L by spot and volatility{currency and f', {currency}'}\nall underlyings alike, {when}",
        cmap=theme.DIVERGING,
        clim=(-most, most),
        colorbar=True,
        xlabel="spot",
        ylabel="volatility",
        show_grid=False,
        hover_tooltips=[("Spot", "@spot"), ("Volatility", "@volatility"), ("P&L", "@pnl{0,0}")],
        hooks=[theme.tidy, _in_money],
    )


def backtest_chart(data: pd.DataFrame, level: float = 0.99) -> hv.Overlay | hv.Div:
    """P&L of each session against the value at risk of the evening before, losses beyond it marked.

    data : ``Hindsight.track``, with pnl_day and ``var.99`` (or the level asked for).
    """
    column = f"var.{level * 100:g}"
    known = data[["pnl_day", column]].dropna().rename(columns={column: "var"}).reset_index()
    if known.empty:
        return nothing("No test: there are no two snapshots in a row.")
    known = known.assign(limit=-known["var"], hit=known["pnl_day"] < -known["var"])
    dates = {"hover_formatters": {"@session": "datetime"}}
    hover = [("Session", "@session{%F}"), ("P&L", "@pnl_day{0,0}"), ("VaR before", "@var{0,0}")]
    days = hv.Scatter(known[~known["hit"]], "session", ["pnl_day", "var"], label="P&L").opts(
        color=theme.SLATE, size=5, alpha=0.7, hover_tooltips=hover, **dates
    )
    hits = hv.Scatter(known[known["hit"]], "session", ["pnl_day", "var"], label="beyond VaR").opts(
        color=theme.RED, size=10, hover_tooltips=hover, **dates
    )
    line = hv.Curve(known, "session", "limit", label=f"VaR {level * 100:g} %").opts(color=theme.AMBER, tools=[])
    return (line * days * hits).opts(
        title=f"{int(known['hit'].sum())} of {len(known)} sessions beyond VaR {level * 100:g} %",
        xlabel="",
        ylabel="P&L of the day",
        yformatter=theme.MONEY,
        height=TALL,
        legend_position="top",
        hooks=[theme.tidy, theme.rows_of_two],
    )


def attribution_chart(data: pd.DataFrame) -> hv.Bars | hv.Div:
    """P&L by factor over all sessions and what is unattributed, out of ``factor_attribution``."""
    sums = data.sum(min_count=1).dropna()
    if sums.empty:
        return nothing("No attribution: there are no two snapshots in a row.")
    colours = np.where(sums >= 0, theme.UP, theme.DOWN)
    return _parts(sums, colours, f"P&L by factor, {len(data)} sessions", ("P&L", theme.MONEY))


def _parts(sums: pd.Series, colours: Any, title: str, shown: tuple[str, str]) -> hv.Bars:
    """One bar a part, the first on top. shown : what the amounts are, and their format."""
    named = pd.DataFrame({"part": [titled(str(name)) for name in sums.index], "amount": sums.to_numpy()})
    frame = named.assign(colour=colours).iloc[::-1]
    what, written = shown
    return hv.Bars(frame, "part", ["amount", "colour"]).opts(
        **LYING,
        title=title,
        xlabel="",
        ylabel="",
        xformatter=written,
        height=110 + ROW * len(frame),
        hover_tooltips=[("Part", "@part"), (what, f"@amount{{{written}}}")],
    )


def _on_top(plot: Any, element: Any) -> None:
    """Whiskers before the bars, and not behind them, with a cap at either end."""
    for whisker in plot.state.select(Whisker):
        colour, width = whisker.line_color, whisker.line_width
        whisker.level = "overlay"
        whisker.lower_head, whisker.upper_head = (
            TeeHead(size=10, line_color=colour, line_width=width) for _ in ("lower", "upper")
        )


def _in_money(plot: Any, element: Any) -> None:
    """Thousands on the colour bar: as an option of the picture, HoloViews would hand it to the next one as well."""
    for bar in plot.state.select(ColorBar):
        bar.formatter = NumeralTickFormatter(format=theme.MONEY)

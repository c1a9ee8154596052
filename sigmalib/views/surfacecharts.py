"""Pictures of a volatility surface: one smile with its quotes, all smiles at once, and the term structure."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
from bokeh.models import NumeralTickFormatter
from bokeh.models.annotations import ColorBar

from sigmalib.risk.volatility.smile import Smile
from sigmalib.risk.volatility.surface import VolatilitySurface
from sigmalib.views import theme
from sigmalib.views.charts import nothing

theme.apply()

SIDES = {"put": theme.AMBER, "call": theme.NAVY}
POINTS = 121
WIDTH = 3.0  # deviations at the money to each side that the picture of all smiles shows
NARROWEST, WIDEST = 0.1, 0.5  # log-moneyness to each side, whatever the deviations
COLUMNS = 61  # of the heat map
QUOTED = 5.0  # deviations beyond which an expiry's row is left blank: hardly a quote is further out
CUT = 1.3  # times the highest middle, where a quote's bar is cut off: an ask of pennies would stretch the axis
DAYS = (1, 7, 14, 30, 60, 90, 180, 365, 730, 1_095)


def smile_chart(data: VolatilitySurface, chain: pd.DataFrame, expiry: Any = None) -> hv.Overlay | hv.Div:
    """One expiry's quotes as bars from bid to ask volatility, calls and puts apart, with the fitted smile.

    chain : of ``chain.implied_chain``, the one the surface was fitted to. expiry : a date; by default the expiry
    nearest to a month ahead. Only out-of-the-money quotes, those that the smile was fitted to, are drawn.
    """
    smile = _chosen(data, expiry)
    if smile is None:
        known = ", ".join(f"{one.expiry}" for one in data.smiles)
        return nothing(f"No smile: the surface has none of {pd.Timestamp(expiry):%Y-%m-%d}, only of {known}.")
    quotes = _quotes(chain, smile)
    if quotes.empty:
        return nothing(f"No smile: no quote of {smile.expiry} could be used.")
    strikes = np.geomspace(quotes["strike"].min(), quotes["strike"].max(), POINTS)
    lowest, highest = quotes["bid_volatility"].min(), CUT * quotes["mid_volatility"].max()
    line = pd.DataFrame({"strike": strikes, "volatility": data.volatility(strikes, smile.years)})
    fitted = hv.Curve(line, "strike", "volatility", label="fitted").opts(
        color=theme.TEAL,
        line_width=2,
        hover_tooltips=[("Strike", "@strike{0,0.[00]}"), ("Fitted", "@volatility{0.0%}")],
    )
    layers = [layer for side in SIDES for layer in _drawn(quotes[quotes["right"] == side], side, highest)]
    return hv.Overlay([*layers, fitted]).opts(
        title=f"Implied volatility of {smile.expiry}, {_method(smile, data)}",
        xlabel="strike",
        ylabel="",
        ylim=(0.9 * lowest, highest),
        axiswise=True,
        yformatter=theme.PERCENT,
        legend_position="top",
        hooks=[theme.tidy, theme.rows_of_two],
    )


def surface_chart(data: VolatilitySurface) -> hv.HeatMap:
    """Volatility by log-moneyness and expiry as a heat map: skew from left to right, term structure from row to row.

    As far to each side as three deviations of the middle expiry. The rows are the expiries, the soonest on top; a row
    is blank beyond five of its own deviations, where an expiry has hardly a quote.
    """
    far = np.exp(_reach(data))
    shares = np.linspace(1 / far, far, COLUMNS)
    rows = [f"{smile.expiry:%Y-%m-%d}" for smile in data.smiles]
    seen = _quoted(data, np.log(shares)[None, :])
    table = pd.DataFrame(
        {
            "moneyness": np.tile(100 * shares, len(rows)),
            "expiry": np.repeat(rows, COLUMNS),
            "volatility": seen.ravel(),
        }
    )
    shown = table.iloc[::-1] if len(rows) > 1 else table  # HoloViews draws the first row at the bottom
    return hv.HeatMap(shown.sort_values("moneyness", kind="stable"), ["moneyness", "expiry"], "volatility").opts(
        title="Implied volatility by strike and expiry",
        cmap=theme.SEQUENTIAL,
        clim=tuple(np.nanpercentile(seen, [1, 99])),
        colorbar=True,
        xlabel="strike, % of the forward",
        ylabel="",
        xticks=9,
        height=150 + 18 * max(4, len(rows)),
        show_grid=False,
        hover_tooltips=[
            ("Expiry", "@expiry"),
            ("Strike", "@moneyness{0.0} % of the forward"),
            ("Volatility", "@volatility{0.0%}"),
        ],
        hooks=[theme.tidy, _in_percent],
    )


def term_chart(data: VolatilitySurface) -> hv.Overlay:
    """Volatility at the forward by expiry, with that a tenth below and above it: the term structure, and the skew's.

    Days on a logarithmic scale; a point more than five deviations out is left away.
    """
    lines = (("90 % of the forward", 0.9, theme.AMBER), ("at the forward", 1.0, theme.NAVY),
             ("110 % of the forward", 1.1, theme.TEAL))  # fmt: skip
    layers = []
    for name, share, colour in lines:
        level = _quoted(data, np.full((1, 1), np.log(share)))[:, 0]
        expiries = [f"{smile.expiry:%Y-%m-%d}" for smile in data.smiles]
        table = pd.DataFrame({"days": 365 * data.years, "volatility": level, "expiry": expiries})
        hover = [("Expiry", "@expiry"), (name.capitalize(), "@volatility{0.0%}")]
        width = 2 if share == 1 else 1.2
        line = hv.Curve(table, "days", "volatility", label=name).opts(color=colour, line_width=width, tools=[])
        dots = hv.Scatter(table, "days", ["volatility", "expiry"], label=name)
        layers += [line, dots.opts(color=colour, size=5, hover_tooltips=hover)]
    return hv.Overlay(layers).opts(
        title="Term structure of implied volatility",
        xlabel="days to expiry",
        logx=True,
        xticks=[(day, str(day)) for day in DAYS],
        axiswise=True,
        ylabel="",
        yformatter=theme.PERCENT,
        legend_position="top",
        hooks=[theme.tidy, theme.rows_of_two],
    )


def _chosen(data: VolatilitySurface, expiry: Any) -> Smile | None:
    if expiry is None:
        return data.smiles[int(np.argmin(np.abs(data.years - 1 / 12)))]
    wanted = pd.Timestamp(expiry).date()
    return next((smile for smile in data.smiles if smile.expiry == wanted), None)


def _quotes(chain: pd.DataFrame, smile: Smile) -> pd.DataFrame:
    used = chain[(chain["weight"] > 0) & np.isclose(chain["years"], smile.years, rtol=1e-12)]
    return used.sort_values("strike", kind="stable")


def _quoted(data: VolatilitySurface, k: Any) -> Any:
    """Volatility at log-moneyness ``k`` (1, n) by expiry, NaN beyond five deviations of the expiry."""
    seen = data.at_moneyness(k, data.years[:, None])
    deviation = np.sqrt([[float(smile.total_variance(0.0))] for smile in data.smiles])
    return np.where(np.abs(k) <= QUOTED * deviation, seen, np.nan)


def _drawn(quotes: pd.DataFrame, side: str, highest: float) -> list[hv.Element]:
    """The bars from bid to ask of one side, and a dot at the middle of each."""
    names = {"bid_volatility": "bid", "mid_volatility": "volatility", "ask_volatility": "ask"}
    table = quotes[["strike", *names]].rename(columns=names)
    above = (table["ask"].clip(upper=highest) - table["volatility"]).clip(lower=0)
    bars = table.assign(below=table["volatility"] - table["bid"], above=above)
    hover = [
        ("Strike", "@strike{0,0.[00]}"),
        ("Bid", "@bid{0.0%}"),
        ("Middle", "@volatility{0.0%}"),
        ("Ask", "@ask{0.0%}"),
    ]
    style = {"color": SIDES[side]}
    return [
        hv.ErrorBars(bars, "strike", ["volatility", "below", "above"]).opts(
            line_width=1, alpha=0.6, upper_head=None, lower_head=None, tools=[], **style
        ),
        hv.Scatter(table, "strike", ["volatility", "bid", "ask"], label=f"{side}s, bid to ask").opts(
            size=4, hover_tooltips=hover, **style
        ),
    ]


def _method(smile: Smile, data: VolatilitySurface) -> str:
    if smile.method == "flat":
        return "flat: too few quotes for a smile"
    row = data.fit[np.isclose(data.fit["years"], smile.years, rtol=1e-12)].iloc[0]
    return f"fitted within {100 * row['near_rms']:.2f} points near the money"


def _reach(data: VolatilitySurface) -> float:
    middle = data.smiles[len(data.smiles) // 2]
    deviation = float(np.sqrt(middle.total_variance(0.0)))
    return float(np.clip(WIDTH * deviation, NARROWEST, WIDEST))


def _in_percent(plot: Any, element: Any) -> None:
    for bar in plot.state.select(ColorBar):
        bar.formatter = NumeralTickFormatter(format="0%")

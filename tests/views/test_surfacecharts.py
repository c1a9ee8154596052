"""Pictures of a volatility surface: quotes beside the fit, skew and term structure to be seen."""

from __future__ import annotations

from datetime import date
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from bokeh.models.annotations import ColorBar

from sigmalib.risk.volatility.chain import implied_chain
from sigmalib.risk.volatility.smile import Smile, total_variance
from sigmalib.risk.volatility.surface import VolatilitySurface, fit_surface
from sigmalib.views import surfacecharts


def quotes() -> pd.DataFrame:
    """European quotes of three expiries, with the skew of an index."""
    from sigmalib.risk.options import bsm_price

    rows = {}
    for expiry, years in (("2026-02-20", 9 / 365), ("2026-03-20", 37 / 365), ("2026-12-18", 310 / 365)):
        deviation = 0.2 * np.sqrt(years)
        strikes = np.unique(np.round(100 * np.exp(np.linspace(-3, 3, 25) * deviation)))
        smile = (0.6 * deviation**2, 0.3 * deviation, -0.5, 0.0, deviation)
        seen = np.sqrt(total_variance(np.log(strikes / 100), *smile) / years)
        for right in ("call", "put"):
            price = bsm_price(100.0, strikes, years, 0.0, seen, right=right)
            symbols = [f"XSP{pd.Timestamp(expiry):%y%m%d}{right[0].upper()}{round(k * 1000):08d}" for k in strikes]
            rows |= {name: (0.98 * p, 1.02 * p) for name, p in zip(symbols, price, strict=True)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["bid", "ask"])


@pytest.fixture(scope="module")
def chain() -> pd.DataFrame:
    return implied_chain(quotes(), as_of="2026-02-11", spot=100.0, rate=0.0)


@pytest.fixture(scope="module")
def surface(chain: pd.DataFrame) -> VolatilitySurface:
    return fit_surface(chain)


def drawn(picture: Any) -> Any:
    return hv.renderer("bokeh").get_plot(picture).state


def test_a_smile_is_drawn_with_its_calls_and_puts_from_bid_to_ask(
    surface: VolatilitySurface, chain: pd.DataFrame
) -> None:
    picture = surfacecharts.smile_chart(surface, chain, "2026-12-18")
    figure = drawn(picture)
    assert figure.title.text.startswith("Implied volatility of 2026-12-18,\nfitted within ")
    assert {item.label.value for item in figure.legend[0].items} == {"puts, bid to ask", "calls, bid to ask", "fitted"}
    used = chain[(chain["weight"] > 0) & (chain["expiry"] == "2026-12-18")]
    dots = [layer for layer in picture.values() if isinstance(layer, hv.Scatter)]
    assert sum(len(layer) for layer in dots) == len(used)
    lowest, highest = picture.opts.get("plot").kwargs["ylim"]
    assert lowest < used["bid_volatility"].min()
    assert highest > used["mid_volatility"].max()


def test_the_smile_a_month_ahead_is_drawn_when_none_is_named(surface: VolatilitySurface, chain: pd.DataFrame) -> None:
    assert "2026-03-20" in drawn(surfacecharts.smile_chart(surface, chain)).title.text


def test_an_expiry_that_has_no_smile_is_told_with_those_that_have(
    surface: VolatilitySurface, chain: pd.DataFrame
) -> None:
    told = surfacecharts.smile_chart(surface, chain, date(2027, 1, 15)).data
    assert "none of 2027-01-15" in told
    assert "2026-12-18" in told
    assert "no quote of" in surfacecharts.smile_chart(surface, chain.assign(weight=0.0)).data


def test_the_heat_map_has_a_row_for_each_expiry_the_soonest_on_top(surface: VolatilitySurface) -> None:
    picture = surfacecharts.surface_chart(surface)
    figure = drawn(picture)
    assert list(figure.y_range.factors) == ["2026-12-18", "2026-03-20", "2026-02-20"]  # from the bottom up
    assert figure.select_one(ColorBar).formatter.format == "0%"
    table = picture.dframe().set_index("expiry")
    assert table.loc["2026-12-18", "volatility"].notna().all()
    assert table.loc["2026-02-20", "volatility"].isna().any()  # beyond five deviations
    row = table.loc["2026-12-18"].sort_values("moneyness")["volatility"].to_numpy()
    assert row[0] > row[-1]


def test_the_term_structure_has_three_lines_over_the_days_to_expiry(surface: VolatilitySurface) -> None:
    picture = surfacecharts.term_chart(surface)
    figure = drawn(picture)
    assert len(figure.legend[0].items) == 3
    lines = {
        layer.label: layer.dimension_values("volatility") for layer in picture.values() if isinstance(layer, hv.Curve)
    }
    assert (lines["90 % of the forward"][1:] > lines["at the forward"][1:]).all()
    assert lines["at the forward"] == pytest.approx(surface.fit["atm_volatility"].to_numpy())


def test_a_flat_smile_says_so_and_one_expiry_can_be_drawn(chain: pd.DataFrame) -> None:
    flat = Smile(date(2026, 12, 18), float(chain["years"].max()), 100.0, 1.0, 0.04, 0.0, 0.0, 0.0, 1.0, "flat")
    surface = VolatilitySurface(100.0, pd.Timestamp("2026-02-11", tz="UTC"), (flat,), pd.DataFrame())
    assert "flat: too few quotes" in drawn(surfacecharts.smile_chart(surface, chain)).title.text.replace("\n", " ")
    assert list(drawn(surfacecharts.surface_chart(surface)).y_range.factors) == ["2026-12-18"]
    assert drawn(surfacecharts.term_chart(surface)) is not None

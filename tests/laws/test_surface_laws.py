"""Laws of smiles and surfaces for whatever quotes come: no crash, no silent number, no broken bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigmalib.risk.volatility.chain import REASONS, implied_chain, reasons
from sigmalib.risk.volatility.parity import weighted_median
from sigmalib.risk.volatility.smile import Smile, durrleman, grid_of, total_variance
from sigmalib.risk.volatility.smilefit import Quotes, fit_smiles
from sigmalib.risk.volatility.surface import VolatilitySurface, fit_surface

SETTINGS = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
ANYTHING = st.one_of(
    st.none(), st.floats(), st.sampled_from([0.0, -1.0, 0.01, 5.0, 1e300, -1e300, np.inf, -np.inf, np.nan])
)
SYMBOLS = [
    f"SPXW26{month:02d}20{side}{strike * 1000:08d}"
    for month in (2, 3, 6)
    for side in "CP"
    for strike in range(85, 120, 5)
]
AS_OF = pd.Timestamp("2026-02-11 21:00", tz="UTC")


@settings(SETTINGS, max_examples=10)
@given(
    st.lists(st.tuples(ANYTHING, ANYTHING), min_size=len(SYMBOLS), max_size=len(SYMBOLS)), st.sampled_from([0.03, None])
)
def test_garbage_gets_a_reason_or_a_volatility_and_never_an_exception(
    rows: list[tuple[object, object]], rate: float | None
) -> None:
    quotes = pd.DataFrame(rows, index=SYMBOLS, columns=["bid", "ask"], dtype=object)
    chain = implied_chain(quotes, as_of=AS_OF, spot=100.0, rate=rate)
    assert reasons(chain).sum() == len(SYMBOLS)
    assert set(chain["reason"]) - {""} <= set(REASONS)
    assert (chain["mid_volatility"].isna() == (chain["reason"] != "")).all()
    known = chain["mid_volatility"].dropna()
    assert ((known > 0) & np.isfinite(known)).all()
    assert np.isfinite(chain["weight"]).all()
    if (chain["weight"] > 0).any():
        surface = fit_surface(chain)
        seen = surface.volatility([80.0, 100.0, 120.0], surface.years[0])
        assert ((seen > 0) & np.isfinite(seen)).all()


@SETTINGS
@given(
    st.lists(st.tuples(st.floats(-1.5, 1.5), st.floats(0.01, 3.0), st.floats(0.01, 1_000.0)), min_size=5, max_size=30),
    st.floats(0.001, 3.0),
)
def test_a_fitted_smile_keeps_the_bounds_of_svi(rows: list[tuple[float, float, float]], years: float) -> None:
    k, volatility, weight = (np.array(column) for column in zip(*sorted(rows), strict=True))
    ((a, b, rho, _, sigma),) = found = fit_smiles([Quotes(k, volatility, weight, years)])
    assert b >= 0
    assert abs(rho) < 1 or b == 0
    assert sigma > 0
    assert a + b * sigma * np.sqrt(1 - rho**2) >= -1e-12
    assert b * (1 + abs(rho)) <= 2
    assert (total_variance(np.linspace(-3, 3, 301), *found[0]) > 0).all()
    deviation = float(np.sqrt(total_variance(0.0, *found[0])))
    assert b == 0 or durrleman(grid_of(k, deviation), *found[0]).min() > -0.05


@SETTINGS
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9), st.floats(0.0, 4.0))
def test_total_variance_of_smiles_in_order_never_falls_in_time(k: list[float], years: float) -> None:
    smiles = tuple(
        Smile(pd.Timestamp(day).date(), time, 100.0 * (1 + 0.02 * time), 0.99, 0.02 * time, 0.1, -0.4, 0.02, 0.2, "svi")
        for day, time in (("2026-03-20", 0.1), ("2026-06-18", 0.35), ("2027-06-17", 1.35))
    )
    surface = VolatilitySurface(100.0, AS_OF, smiles, pd.DataFrame())
    sooner = surface.at_moneyness(k, years) ** 2 * years
    later = surface.at_moneyness(k, years + 0.1) ** 2 * (years + 0.1)
    assert (later >= sooner - 1e-12).all()


@SETTINGS
@given(st.floats(-0.5, 0.5), st.floats(-0.9, 2.0), st.floats(-1, 1), st.floats(-0.5, 0.5))
def test_a_shock_and_the_next_are_one(points: float, relative: float, twist: float, more: float) -> None:
    smile = Smile(pd.Timestamp("2026-06-18").date(), 0.35, 101.0, 0.99, 0.02, 0.1, -0.4, 0.02, 0.2, "svi")
    surface = VolatilitySurface(100.0, AS_OF, (smile,), pd.DataFrame())
    strikes = np.array([80.0, 100.0, 120.0])
    base, k = surface.volatility(strikes, 0.35), np.log(strikes / 101.0)
    twice = surface.shifted(points=more).shifted(points=points, relative=relative, twist=twist)
    expected = np.maximum((base + more) * (1 + relative) + points + twist * k, 0.001)
    assert np.abs(twice.volatility(strikes, 0.35) - expected).max() < 1e-12


@SETTINGS
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.01, 100.0)), min_size=1, max_size=40))
def test_the_weighted_median_costs_no_more_than_any_value(rows: list[tuple[float, float]]) -> None:
    values, weights = (np.array(column) for column in zip(*rows, strict=True))
    cost = [float(np.sum(weights * np.abs(values - at))) for at in (weighted_median(values, weights), *values)]
    assert cost[0] <= min(cost[1:]) * (1 + 1e-9) + 1e-9

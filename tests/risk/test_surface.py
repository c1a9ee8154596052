"""From quotes to a surface: every quote has a volatility or a reason, and forwards come from parity."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.frames import QUOTES
from sigmalib.core.records import json_text
from sigmalib.core.times import expiry_instant, session_close, years_between
from sigmalib.risk.options import bsm_price
from sigmalib.risk.volatility.chain import CHAIN_COLUMNS, REASONS, implied_chain, reasons
from sigmalib.risk.volatility.parity import parity_forwards, weighted_median
from sigmalib.risk.volatility.quotes import to_moment
from sigmalib.risk.volatility.smile import Smile, total_variance
from sigmalib.risk.volatility.surface import FIT_COLUMNS, VolatilitySurface, calendar_violations, fit_surface

AS_OF, SPOT, RATE, CARRY = "2026-02-11", 4_000.0, 0.035, 0.012
SVI = {  # European index options: what the chain below is made of
    "2026-02-20": (0.00045, 0.02, -0.6, 0.003, 0.02),
    "2026-03-20": (0.0016, 0.06, -0.65, 0.02, 0.07),
    "2026-06-18": (0.004, 0.10, -0.65, 0.05, 0.15),
    "2026-12-18": (0.010, 0.13, -0.60, 0.10, 0.25),
}
REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "options"
HERE = pytest.mark.skipif(not REAL.is_dir(), reason="the real option chains are not beside the project")


def made_chain(spread: float = 0.002, count: int = 41) -> pd.DataFrame:
    """Quotes of SPXW, priced from known smiles, with a spread of a share of the spot's time value."""
    rows = {}
    for expiry, parameters in SVI.items():
        years = years_between(session_close(AS_OF), expiry_instant(pd.Timestamp(expiry).date()))
        forward = SPOT * np.exp((RATE - CARRY) * years)
        deviation = np.sqrt(total_variance(0.0, *parameters))
        strikes = np.unique(np.round(forward * np.exp(np.linspace(-3, 3, count) * deviation)))
        volatility = np.sqrt(total_variance(np.log(strikes / forward), *parameters) / years)
        for right in ("call", "put"):
            price = bsm_price(SPOT, strikes, years, RATE, volatility, dividend_yield=CARRY, right=right)
            for strike, value in zip(strikes, price, strict=True):
                half = max(spread * SPOT * np.sqrt(years) * 0.01, 1e-6)
                symbol = f"SPXW{pd.Timestamp(expiry):%y%m%d}{right[0].upper()}{round(strike * 1000):08d}"
                rows[symbol] = (value - min(half, value / 2), value + min(half, value / 2))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["bid", "ask"]).rename_axis("symbol")


@pytest.fixture(scope="module")
def chain() -> pd.DataFrame:
    return implied_chain(made_chain(), as_of=AS_OF, spot=SPOT, rate=RATE)


@pytest.fixture(scope="module")
def surface(chain: pd.DataFrame) -> VolatilitySurface:
    return fit_surface(chain)


def test_a_chain_made_of_known_smiles_gives_them_back(chain: pd.DataFrame, surface: VolatilitySurface) -> None:
    assert tuple(chain.columns) == CHAIN_COLUMNS
    assert [f"{smile.expiry}" for smile in surface.smiles] == list(SVI)
    k = np.linspace(-2.5, 2.5, 51)
    worst = 0.0
    for smile, parameters in zip(surface.smiles, SVI.values(), strict=True):
        at = k * np.sqrt(total_variance(0.0, *parameters))
        apart = np.sqrt(smile.total_variance(at) / smile.years) - np.sqrt(total_variance(at, *parameters) / smile.years)
        worst = max(worst, float(np.abs(apart).max()))
        assert smile.forward == pytest.approx(SPOT * np.exp((RATE - CARRY) * smile.years), rel=1e-6)
    assert worst < 2e-5, f"largest error of a volatility {worst:.1e}"
    assert surface.fit["carry"].to_numpy() == pytest.approx(CARRY, abs=1e-5)
    assert surface.fit["calendar_ok"].all()
    assert surface.fit["butterfly_ok"].all()
    assert (surface.fit["inside"] == 1).all()


def test_without_a_rate_parity_tells_the_discount_factor() -> None:
    found = implied_chain(made_chain(), as_of=AS_OF, spot=SPOT, rate=None)
    rates = -np.log(found["discount"]) / found["years"]
    assert rates.to_numpy() == pytest.approx(RATE, abs=1e-3)
    assert found["forward"].to_numpy() == pytest.approx(
        (SPOT * np.exp((RATE - CARRY) * found["years"])).to_numpy(), rel=1e-4
    )


def test_a_wrong_quote_at_the_money_does_not_move_the_forward() -> None:
    quotes = made_chain()
    sick = quotes.index[quotes.index.str.startswith("SPXW260320C")][20]
    quotes.loc[sick] += 40.0
    found = implied_chain(quotes, as_of=AS_OF, spot=SPOT, rate=RATE)
    rows = found[found["expiry"] == "2026-03-20"]
    assert rows["forward"].iloc[0] == pytest.approx(SPOT * np.exp((RATE - CARRY) * rows["years"].iloc[0]), rel=1e-6)


def quoted(**rows: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index", columns=["bid", "ask"])


def test_every_quote_has_a_volatility_or_the_reason_why_not() -> None:
    quotes = quoted(
        XYZ260320C00100000=(5.0, 5.2), XYZ260320P00100000=(4.6, 4.8), XYZ260320C00090000=(8.0, 8.4),
        XYZ260320P00050000=(0.0, 0.05), XYZ260320P00055000=(np.nan, np.nan), XYZ260320P00060000=(0.1, np.nan),
        XYZ260320C00105000=(3.2, 3.0), XYZ260211C00100000=(1.0, 1.2), XYZ1260320C00100000=(5.0, 5.2),
        XYZ260320P00090000=(1.2, 1.3), XYZ260320C00120000=(-1.0, 99.0), XYZ260320C00140000=(9.0, 9.5),
        XYZ260320C00110000=(1.6, 1.8), XYZ260320C00400000=(np.inf, np.inf), XYZ260320P00300000=(301.0, 302.0),
    )  # fmt: skip
    found = implied_chain(quotes, as_of=AS_OF, spot=100.0, rate=0.04)["reason"]
    assert found.to_dict() == dict.fromkeys(quotes.index, "") | {
        "XYZ260320C00090000": "below intrinsic", "XYZ260320P00050000": "no bid", "XYZ260320P00055000": "no quote",
        "XYZ260320P00060000": "no ask", "XYZ260320C00105000": "crossed", "XYZ260211C00100000": "expired",
        "XYZ1260320C00100000": "adjusted", "XYZ260320C00120000": "no bid", "XYZ260320C00140000": "out of line",
        "XYZ260320C00400000": "no quote", "XYZ260320P00300000": "above bound",
    }  # fmt: skip
    assert set(found) - {""} <= set(REASONS)


def test_counts_by_reason_add_up_and_a_reason_stands_where_the_volatility_is_unknown(chain: pd.DataFrame) -> None:
    counts = reasons(chain)
    assert counts.sum() == len(chain)
    assert (chain["mid_volatility"].isna() == (chain["reason"] != "")).all()
    assert counts["solved"] == chain["mid_volatility"].notna().sum()


def test_a_table_by_session_is_read_as_of_its_day_and_an_earlier_quote_is_stale() -> None:
    frame = made_chain().assign(underlying="SPX", last=np.nan, volume=1.0, open_interest=2.0, implied_volatility=0.9)
    days = ["2026-02-10", "2026-02-11", "2026-02-12"]
    table = pd.concat({pd.Timestamp(day): frame for day in days}, names=["session"])[QUOTES.names]
    table = table.drop(index=[(pd.Timestamp("2026-02-11"), frame.index[0])])
    table.loc[pd.Timestamp("2026-02-12"), "bid"] = 1.0
    found = implied_chain(table, as_of=AS_OF, spot=SPOT, rate=RATE)
    assert reasons(found)["stale"] == 1
    assert found.loc[frame.index[0], "reason"] == "stale"
    same = implied_chain(frame.iloc[1:], as_of=AS_OF, spot=SPOT, rate=RATE)
    pd.testing.assert_series_equal(found["mid_volatility"].reindex(same.index), same["mid_volatility"])


def test_years_count_from_the_close_of_a_date_and_from_an_instant_itself() -> None:
    assert to_moment("2026-02-11") == pd.Timestamp("2026-02-11 21:00", tz="UTC")
    assert to_moment("2026-02-11T12:27-05:00") == pd.Timestamp("2026-02-11 17:27", tz="UTC")
    assert to_moment(pd.Timestamp("2026-01-01").date()) == pd.Timestamp("2025-12-31 21:00", tz="UTC")
    with pytest.raises(InputError, match="no time zone"):
        to_moment(pd.Timestamp("2026-02-11 12:27"))


def test_a_chain_without_a_pair_takes_spot_and_rate() -> None:
    found = implied_chain(
        quoted(XYZ260320C00100000=(5.0, 5.2)), as_of=AS_OF, spot=100.0, rate=0.04, dividend_yield=0.01
    )
    assert found["forward_source"].tolist() == ["spot and rate"]
    assert found["forward"].iloc[0] == pytest.approx(100 * np.exp(0.03 * found["years"].iloc[0]))
    unknown = implied_chain(quoted(XYZ260320C00100000=(5.0, 5.2)), as_of=AS_OF, spot=100.0, rate=None)
    assert unknown["reason"].tolist() == ["no forward"]


def test_an_expiry_without_a_pair_takes_the_carry_of_its_neighbours() -> None:
    quotes = made_chain()
    lonely = quotes[~quotes.index.str.startswith("SPXW260618P")]
    found = implied_chain(lonely, as_of=AS_OF, spot=SPOT, rate=RATE)
    rows = found[found["expiry"] == "2026-06-18"]
    assert set(rows["forward_source"]) == {"neighbours"}
    assert rows["carry"].iloc[0] == pytest.approx(CARRY, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spot": 0.0}, "spot"),
        ({"spot": np.nan}, "spot"),
        ({"rate": 3.6}, "3.6 % is 0.036"),
        ({"rate": np.nan}, "rate"),
    ],
)
def test_a_senseless_spot_or_rate_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        implied_chain(made_chain(), **({"as_of": AS_OF, "spot": SPOT, "rate": RATE} | changes))


def test_a_table_that_is_no_chain_is_refused() -> None:
    for quotes, message in [
        (pd.DataFrame({"bid": [1.0]}, index=["XYZ260320C00100000"]), "ask"),
        (quoted(XYZ260320C00100000=(1, 2), ABC260320C00100000=(1, 2)), "one underlying"),
        (pd.concat([quoted(XYZ260320C00100000=(1, 2))] * 2), "twice"),
        (quoted(APPLE=(1, 2)), "not an option symbol"),
    ]:
        with pytest.raises(InputError, match=message):
            implied_chain(quotes, as_of=AS_OF, spot=100.0, rate=0.04)


def test_an_empty_chain_is_an_empty_table_and_has_no_surface() -> None:
    empty = implied_chain(QUOTES.empty(), as_of=AS_OF, spot=100.0, rate=0.04)
    assert list(empty.columns) == list(CHAIN_COLUMNS)
    assert empty.empty
    with pytest.raises(InputError, match="no quote of an expiry"):
        fit_surface(empty)
    with pytest.raises(InputError, match="implied_chain"):
        fit_surface(pd.DataFrame({"strike": [1.0]}))


def test_an_expiry_with_few_quotes_is_flat_and_says_so() -> None:
    quotes = made_chain()
    soon = quotes[quotes.index.str.startswith("SPXW260220")].iloc[[19, 20, 60, 61]]
    found = fit_surface(implied_chain(pd.concat([soon, quotes[~quotes.index.str.startswith("SPXW260220")]]),
                                      as_of=AS_OF, spot=SPOT, rate=RATE))  # fmt: skip
    assert found.fit["method"].tolist() == ["flat", "svi", "svi", "svi"]
    assert tuple(found.fit.columns) == FIT_COLUMNS
    assert found.fit["quotes"].iloc[0] + found.fit["left_out"].iloc[0] == 4
    assert np.ptp(found.smiles[0].volatility([3_800.0, 4_000.0, 4_200.0])) == 0


def test_an_expiry_without_a_usable_quote_stands_in_the_fit_and_has_no_smile() -> None:
    quotes = made_chain()
    quotes.loc[quotes.index.str.startswith("SPXW260220"), "bid"] = 0.0
    found = fit_surface(implied_chain(quotes, as_of=AS_OF, spot=SPOT, rate=RATE))
    assert found.fit["method"].tolist() == ["none", "svi", "svi", "svi"]
    assert len(found.smiles) == 3


def test_at_an_expiry_the_surface_is_its_smile_and_in_between_total_variance_is_linear(
    surface: VolatilitySurface,
) -> None:
    first, second = surface.smiles[1:3]
    strikes = np.linspace(3_500, 4_500, 21)
    assert surface.volatility(strikes, first.years) == pytest.approx(first.volatility(strikes), rel=1e-12)
    middle, k = (first.years + second.years) / 2, np.linspace(-0.1, 0.1, 11)
    expected = np.sqrt((first.total_variance(k) + second.total_variance(k)) / 2 / middle)
    assert surface.at_moneyness(k, middle) == pytest.approx(expected, rel=1e-12)
    assert surface.volatility(surface.forward(middle), middle) == pytest.approx(
        surface.at_moneyness(0.0, middle), rel=1e-12
    )


def test_outside_the_expiries_volatility_is_flat_in_time(surface: VolatilitySurface) -> None:
    k = np.linspace(-0.05, 0.05, 5)
    early, late = surface.smiles[0], surface.smiles[-1]
    for years in (0.0, early.years / 2):
        assert surface.at_moneyness(k, years) == pytest.approx(np.sqrt(early.total_variance(k) / early.years))
    assert surface.at_moneyness(k, 5.0) == pytest.approx(np.sqrt(late.total_variance(k) / late.years))


def test_forwards_pass_through_spot_and_expiries(surface: VolatilitySurface) -> None:
    assert surface.forward(0.0) == pytest.approx(SPOT)
    assert surface.forward(surface.years) == pytest.approx([smile.forward for smile in surface.smiles])
    assert surface.forward(3.0) == pytest.approx(SPOT * np.exp((RATE - CARRY) * 3), rel=1e-4)
    assert np.isnan(surface.forward([-0.1, np.nan])).all()


def test_a_surface_answers_in_the_shape_it_is_asked(surface: VolatilitySurface) -> None:
    assert isinstance(surface.volatility(4_000, 0.2), float)
    assert surface.volatility([[3_900], [4_000]], [0.1, 0.2, 0.3]).shape == (2, 3)
    strikes = pd.Series([3_900.0, 4_000.0], index=["a", "b"])
    assert surface.volatility(strikes, 0.2).index.tolist() == ["a", "b"]
    assert surface.volatility(4_000.0, pd.Series([0.1, 0.2], index=["x", "y"])).index.tolist() == ["x", "y"]
    assert surface.volatility([], []).shape == (0,)
    unknown = surface.volatility([np.nan, 0.0, -1.0, np.inf, 4_000.0, 4_000.0], [0.2, 0.2, 0.2, 0.2, -0.2, np.nan])
    assert np.isnan(unknown).all()


def test_shocks_add_and_follow_each_other(surface: VolatilitySurface) -> None:
    strikes, years = np.array([3_600.0, 4_000.0, 4_400.0]), 0.3
    base = surface.volatility(strikes, years)
    assert surface.shifted(points=0.05).volatility(strikes, years) == pytest.approx(base + 0.05)
    assert surface.shifted(relative=0.5).volatility(strikes, years) == pytest.approx(base * 1.5)
    k = np.log(strikes / surface.forward(years))
    assert surface.shifted(twist=-0.1).volatility(strikes, years) == pytest.approx(base - 0.1 * k)
    twice = surface.shifted(points=0.05, twist=0.2).shifted(relative=-0.2, points=0.01)
    assert twice.volatility(strikes, years) == pytest.approx((base + 0.05 + 0.2 * k) * 0.8 + 0.01)
    assert surface.shifted(points=-0.9).volatility(strikes, years) == pytest.approx(0.001)
    assert surface.volatility(strikes, years) == pytest.approx(base)
    with pytest.raises(InputError, match="relative"):
        surface.shifted(relative=-2.0)
    with pytest.raises(InputError, match="points"):
        surface.shifted(points=np.nan)


def test_a_surface_travels_as_strict_json(surface: VolatilitySurface) -> None:
    told = json.loads(json_text(surface.shifted(points=0.01).to_dict()))
    assert told["shift"]["points"] == 0.01
    assert len(told["smiles"]) == len(told["fit"]) == 4
    assert told["fit"][0]["calendar_ok"] is True


def test_a_surface_needs_smiles_in_order(surface: VolatilitySurface) -> None:
    with pytest.raises(InputError, match="one at least"):
        VolatilitySurface(100.0, surface.as_of, (), surface.fit)
    with pytest.raises(InputError, match="later than the one before"):
        VolatilitySurface(100.0, surface.as_of, surface.smiles[::-1], surface.fit)


def test_a_fall_of_total_variance_is_told() -> None:
    one = Smile(pd.Timestamp("2026-03-20").date(), 0.1, 100.0, 1.0, 0.02, 0.0, 0.0, 0.0, 1.0, "flat")
    other = Smile(pd.Timestamp("2026-04-17").date(), 0.2, 100.0, 1.0, 0.015, 0.0, 0.0, 0.0, 1.0, "flat")
    surface = VolatilitySurface(100.0, to_moment(AS_OF), (one, other), pd.DataFrame())
    found = calendar_violations(surface, [-0.1, 0.0])
    assert found["fall"].tolist() == pytest.approx([0.005, 0.005])
    assert found["expiry"].tolist() == [other.expiry] * 2
    assert len(calendar_violations(surface)) > 10


def test_the_weighted_median_halves_the_weight() -> None:
    values = np.array([5.0, 1.0, 3.0])
    assert weighted_median(values, np.ones(3)) == 3
    assert weighted_median(values, np.array([9.0, 1.0, 1.0])) == 5
    assert weighted_median(np.array([1.0, 3.0]), np.ones(2)) == 2
    assert np.isnan(weighted_median(np.empty(0), np.empty(0)))


def test_forwards_of_no_pairs_are_of_spot_and_rate() -> None:
    none = pd.DataFrame({name: pd.Series(dtype=float) for name in ("years", "strike", "difference", "spread")})
    found = parity_forwards(none, [0.5, 1.0], spot=100.0, rate=0.04, dividend_yield=0.04)
    assert found["forward"].tolist() == pytest.approx([100.0, 100.0])
    assert found["pairs"].tolist() == [0, 0]


def real(name: str) -> tuple[pd.DataFrame, dict[str, object]]:
    """A recorded chain as quotes, and when, at which spot and rate it was taken."""
    kind, moment, rate = {
        "SPY": ("yahoo_chain_SPY_2026-02-11.parquet", "2026-02-11T16:19+00:00", 0.036),
        "AAPL": ("yahoo_chain_AAPL_2026-02-11.parquet", "2026-02-11T17:27+00:00", 0.036),
        "NVDA": ("yahoo_chain_NVDA_2026-02-11.parquet", "2026-02-11T16:30+00:00", 0.036),
        "GOOG": ("goog_chain_2015-12-24.csv.gz", "2015-12-24", 0.004),
        "MSFT": ("msft_chain_2021-11-22.csv.gz", "2021-11-22", 0.001),
    }[name]
    if kind.startswith("yahoo"):
        frame = pd.read_parquet(REAL / kind)
        symbols, spot = frame["contractSymbol"], float(frame["underlyingPrice"].iloc[0])
    else:
        frame = pd.read_csv(REAL / kind).rename(columns=str.lower)
        frame = frame.rename(columns={"expiration": "expiry", "bid_close": "bid", "ask_close": "ask"})
        parts = zip(pd.to_datetime(frame["expiry"]), frame["type"], frame["strike"], strict=True)
        symbols = [f"{name}{day:%y%m%d}{side[0].upper()}{round(strike * 1000):08d}" for day, side, strike in parts]
        spot = {"GOOG": 748.40, "MSFT": 342.2}[name]
    quotes = frame[["bid", "ask"]].set_axis(pd.Index(symbols, name="symbol"), axis=0)
    return quotes, {"as_of": moment, "spot": spot, "rate": rate}


@HERE
@pytest.mark.parametrize(
    ("name", "near", "inside"),
    [
        ("AAPL", 0.003, 0.99),
        ("GOOG", 0.005, 0.99),
        ("MSFT", 0.005, 0.99),
        pytest.param("NVDA", 0.010, 0.98, marks=pytest.mark.slow),
        pytest.param("SPY", 0.010, 0.95, marks=pytest.mark.slow),
    ],
)
def test_a_real_chain_is_explained_quote_by_quote_and_its_surface_fits(name: str, near: float, inside: float) -> None:
    quotes, terms = real(name)
    chain = implied_chain(quotes, **terms)
    counts = reasons(chain)
    assert counts.sum() == len(quotes) == len(chain)
    assert (chain["mid_volatility"].isna() == (chain["reason"] != "")).all()
    assert counts["solved"] > 0.7 * (len(quotes) - counts.get("expired", 0)), counts.to_dict()
    surface = fit_surface(chain)
    weeks = surface.fit[surface.fit["years"] > 7 / 365]
    assert (weeks["near_rms"] < near).all(), weeks[["expiry", "near_rms"]].to_string()
    assert surface.fit["butterfly_ok"].all(), surface.fit[["expiry", "minimum_g"]].to_string()
    used = chain[(chain["weight"] > 0) & (chain["years"] > 7 / 365)]
    fitted = surface.volatility(used["strike"], used["years"])
    liquid = used["log_moneyness"].abs() <= 2 * fitted * np.sqrt(used["years"])
    wide = 0.01  # a point of volatility to each side
    kept = ((fitted >= used["bid_volatility"] - wide) & (fitted <= used["ask_volatility"] + wide))[liquid]
    assert kept.mean() >= inside, f"{100 * kept.mean():.1f} % of {len(kept)} liquid quotes inside the widened spread"
    told = set(surface.fit.loc[~surface.fit["calendar_ok"], "expiry"].dt.date)
    assert set(calendar_violations(surface)["expiry"]) <= told
    assert set(calendar_violations(surface, np.linspace(-0.3, 0.3, 61))["expiry"]) <= told


@HERE
def test_the_known_figures_of_the_apple_chain_come_out() -> None:
    quotes, terms = real("AAPL")
    chain = implied_chain(quotes, **terms)
    call, put = chain.loc[["AAPL260618C00280000", "AAPL260618P00280000"], "mid_volatility"]
    assert abs(call - put) < 0.004
    assert (call + put) / 2 == pytest.approx(0.257, abs=0.004)
    november = chain[chain["expiry"] == "2026-11-20"].iloc[0]
    assert november["parity_forward"] == pytest.approx(287.1, abs=0.4)
    assert november["forward"] == pytest.approx(288.0, abs=0.4)  # after early exercise is taken out of the puts
    assert november["parity_discount"] == pytest.approx(0.984, abs=0.015)


def american_chain(carry: float) -> pd.DataFrame:
    """Quotes of a stock priced by the American model at a flat volatility, without a spread to speak of."""
    from sigmalib.risk.pricing.american import american_price

    rows = {}
    for expiry in ("2026-03-20", "2026-09-18", "2027-12-17"):
        years = years_between(session_close(AS_OF), expiry_instant(pd.Timestamp(expiry).date()))
        strikes = np.arange(60.0, 145.0, 5.0)
        for right in ("call", "put"):
            price = american_price(
                100.0, strikes, years, 0.045, 0.3, dividend_yield=carry, right=right, accuracy="accurate"
            )
            for strike, value in zip(strikes, price, strict=True):
                symbol = f"XYZ{pd.Timestamp(expiry):%y%m%d}{right[0].upper()}{round(strike * 1000):08d}"
                rows[symbol] = (value - 0.005, value + 0.005)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["bid", "ask"])


@pytest.mark.parametrize("carry", [0.0, 0.02, 0.07])
def test_early_exercise_is_taken_out_before_parity(carry: float) -> None:
    found = implied_chain(american_chain(carry), as_of=AS_OF, spot=100.0, rate=0.045)
    last = found[found["expiry"] == "2027-12-17"]
    forward = 100 * np.exp((0.045 - carry) * last["years"].iloc[0])
    apart = abs(last["forward"].iloc[0] / forward - 1)
    assert apart < 1e-4, f"the forward is {apart:.1e} off; as European quotes {last['parity_forward'].iloc[0]:.2f}"
    off = (last["mid_volatility"] - 0.3).abs()[last["weight"] > 0]
    assert off.max() < 5e-4, f"largest error of a volatility {off.max():.1e}"
    assert last["mid_volatility"].notna().mean() > 0.7


def test_a_frame_numbered_by_row_is_refused_with_the_column_to_index_by():
    from sigmalib.risk.surface import implied_chain as front

    rows = pd.DataFrame({"contractSymbol": ["AAPL260320C00280000"], "bid": [1.0], "ask": [1.2]})
    with pytest.raises(InputError, match=r"quotes.set_index\('contractSymbol'\)"):
        front(rows, as_of="2026-02-11", spot=275.5, rate=0.0365)
    assert len(front(rows.set_index("contractSymbol"), as_of="2026-02-11", spot=275.5, rate=0.0365)) == 1

"""What is quarantined, what is told, and what is counted; on made-up bars and on recorded ones with known defects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmalib.core.errors import InputError
from sigmalib.core.frames import BARS, FINDINGS, MINUTES, check
from sigmalib.core.times import sessions
from sigmalib.data.quality import (
    NUMBERS,
    PRICES,
    QualityLimits,
    coverage,
    coverage_by_month,
    findings,
    order_findings,
    sift,
)

RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs the recorded market data beside the project")

START, END = "2024-01-02", "2024-03-28"
WIGGLE = 0.01 * np.sin(np.arange(400) * 2.399)  # returns of an ordinary size, none like another


def made(closes: Sequence[float], symbol: str = "AAA", *, start: str = START, name: str = "XNYS", **columns: object):
    """Sound BARS with these closes on successive sessions, but for ``columns`` given as values or {row: value}."""
    days = sessions(start, "2025-12-30", name=name)[: len(closes)]
    table = pd.DataFrame({name: np.asarray(closes, dtype="float64") for name in ("open", "high", "low", "close")})
    table = table.assign(adjusted_close=np.nan, volume=1000.0 + np.arange(len(table)), dividend=0.0, split=1.0)
    for column, value in columns.items():
        for row, one in value.items() if isinstance(value, dict) else enumerate(np.broadcast_to(value, len(table))):
            table.loc[row, column] = one
    table = table.assign(source="made", session=days, symbol=pd.array([symbol] * len(table), dtype="str"))
    return check(table.set_index(["session", "symbol"])[BARS.names].astype(BARS.empty().dtypes.to_dict()), BARS)


def ordinary(count: int = 61) -> list[float]:
    return (100 * np.exp(np.cumsum(WIGGLE[:count]))).tolist()


def jumped(at: int, factor: float, *, until: int = 61) -> list[float]:
    return [close * factor if at <= row < until else close for row, close in enumerate(ordinary())]


def found(bars: pd.DataFrame, *, start: str = START, end: str = END, **more: object) -> pd.DataFrame:
    return check(findings(bars, start=start, end=end, **more), FINDINGS)  # type: ignore[arg-type]


def told(table: pd.DataFrame) -> list[tuple[str, str, float, float]]:
    return [(r.check, f"{r.session:%Y-%m-%d}", round(r.measure, 4), round(r.limit, 4)) for r in table.itertuples()]


# --- sift


def test_sound_bars_come_back_as_the_very_same_frame():
    bars = made(ordinary())
    good, bad = sift(bars)
    assert good is bars
    assert (len(bad), list(bad.columns)) == (0, [*BARS.names, "reason"])
    assert [len(part) for part in sift(BARS.empty())] == [0, 0]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("close", np.nan, "close is unknown; a bar has a close at least"),
        ("close", 0.0, "close 0 is no price; one lies above zero"),
        ("open", -1.5, "open -1.5 is no price; one lies above zero"),
        ("low", 120.0, "high 102.5 lies below the low 120"),
        ("high", np.inf, "high inf is not a finite number"),
        ("adjusted_close", -np.inf, "adjusted_close -inf is not a finite number"),
        ("volume", -5.0, "volume -5 lies below zero"),
        ("dividend", -0.25, "dividend -0.25 lies below zero"),
        ("split", 0.0, "split 0 is no ratio; new shares for one old lie above zero"),
    ],
)
def test_a_row_that_cannot_be_true_is_bad_with_its_field_and_value(column, value, reason):
    bars = made([102.5] * 10, **{column: {3: value}})
    good, bad = sift(bars)
    assert bad["reason"].tolist() == [reason]
    pd.testing.assert_frame_equal(bad[BARS.names], bars.iloc[[3]])
    pd.testing.assert_frame_equal(good, bars.drop(bars.index[3]))


def test_a_dividend_of_no_less_than_the_share_was_worth_is_bad():
    bars = made([10.0, 10.0, 4.0, 10.0, 5.0], dividend={0: 10.0, 2: 6.0, 3: 4.0, 4: 5.0}, split={4: 2.0})
    good, bad = sift(bars)
    assert [f"{session:%m-%d}" for session, _ in bad.index] == ["01-02", "01-05", "01-08"]
    assert bad["reason"].tolist() == [
        "dividend 10 is no less than the 10 that the share was worth",
        "dividend 4 is no less than the 4 that the share was worth",
        "dividend 5 is no less than the 5 that the share was worth",
    ]
    assert list(good["dividend"]) == [0.0, 6.0]  # what a share pays out may be more than what is left of it
    table = found(bars)
    assert told(table[table["severity"] == "bad"])[0][:3] == ("action", "2024-01-02", 10.0)
    assert set(table.loc[table["severity"] == "bad", "check"]) == {"action"}


def test_what_is_merely_unknown_or_rounded_is_not_bad():
    unknown = dict.fromkeys(["open", "high", "low", "volume", "dividend", "split"], np.nan)
    assert sift(made(ordinary(), **unknown))[1].empty
    assert sift(made([100.0] * 5, low=100.00001))[1].empty
    assert sift(made([100.0] * 5, high=99.0, low=98.0))[1].empty  # a close outside the range is a finding


def test_the_first_of_two_rows_is_kept_and_the_second_told_apart():
    bars = made([10.0, 11.0, 12.0])
    again = pd.concat([bars, bars.iloc[[1]], bars.iloc[[2]].assign(close=12.5), bars.iloc[[0]].assign(volume=1.0)])
    good, bad = sift(again)
    pd.testing.assert_frame_equal(good, bars)
    assert bad["reason"].tolist() == [
        "a repeated row, with the numbers of the first, which is kept",
        "a second row, whose close is 12.5 where the first, which is kept, has 12",
        "a second row, whose volume is 1 where the first, which is kept, has 1,000",
    ]


def test_a_sound_row_is_kept_although_a_bad_one_stood_before_it():
    bars = made([10.0, 11.0])
    good, bad = sift(pd.concat([bars.iloc[[0]].assign(close=-1.0), bars]))
    pd.testing.assert_frame_equal(good, bars)
    assert bad["close"].tolist() == [-1.0]


def test_rows_out_of_order_are_put_in_order():
    bars = pd.concat([made(ordinary(), "BBB"), made(ordinary(), "AAA")]).sort_index()
    pd.testing.assert_frame_equal(sift(bars.sample(frac=1, random_state=3))[0], bars)


def test_minute_bars_are_sifted_by_their_instant():
    bars = made([10.0, 11.0, 12.0]).reset_index("symbol")
    times = pd.date_range("2024-03-10 06:59", periods=3, freq="min", tz="UTC", unit="us", name="time")
    minutes = check(bars.set_index(times).set_index("symbol", append=True), MINUTES)
    good, bad = sift(pd.concat([minutes.iloc[::-1], minutes.iloc[[1]]]))
    pd.testing.assert_frame_equal(good, minutes)
    assert len(bad) == 1
    assert told(order_findings(minutes.iloc[::-1])) == [("order", "2024-03-10", 2, 0)]


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(InputError, match="indexed by"):
        sift(made([1.0]).reset_index("symbol"))


FIELDS = st.sampled_from([1.0, 2.0, 2.0, 50.0, -1.0, 0.0, np.nan, np.inf])
LABELS = st.tuples(st.integers(0, 4), st.sampled_from(["AAA", "BB.B", "C"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(LABELS, st.lists(FIELDS, min_size=8, max_size=8)), max_size=12))
def test_sifting_loses_no_row_and_leaves_nothing_to_sift(rows):
    days = sessions(START, END)
    labels = pd.MultiIndex.from_tuples([(days[n], symbol) for (n, symbol), _ in rows], names=BARS.index)
    bars = pd.DataFrame([numbers for _, numbers in rows], columns=list(NUMBERS), index=labels if rows else None)
    bars = check(bars.assign(source="made")[BARS.names], BARS) if rows else BARS.empty()
    good, bad = sift(bars)
    assert len(good) + len(bad) == len(bars)
    assert good.index.is_monotonic_increasing
    assert good.index.is_unique
    assert len(sift(good)[1]) == 0
    assert bad["reason"].notna().all()


# --- findings


def test_ordinary_bars_have_no_finding():
    bars = pd.concat([made(ordinary(), "AAA"), made(ordinary(), "BBB")]).sort_index()
    assert found(bars).empty


def test_missing_sessions_are_a_gap_for_each_run_of_them():
    bars = made(ordinary())
    days = bars.index.get_level_values("session")
    table = found(bars.drop(bars.index[[5, 6, 7, 20]]))
    assert told(table) == [("gap", f"{days[5]:%Y-%m-%d}", 3, 0), ("gap", f"{days[20]:%Y-%m-%d}", 1, 0)]
    assert table["sentence"][0].startswith("AAA has a gap: 3 sessions of XNYS missing, 2024-01-09 to 2024-01-11; ask")


def test_a_late_start_and_an_early_end_are_short():
    table = found(made(ordinary()).iloc[4:-2])
    assert told(table) == [("short", "2024-01-02", 4, 0), ("short", "2024-03-27", 2, 0)]
    assert table["sentence"][0] == (
        "AAA has nothing at the start of the range: 4 sessions of XNYS missing, 2024-01-02 to 2024-01-05; "
        "fetch them, or see when it was listed"
    )
    assert "end of the range: 2 sessions of XNYS missing, 2024-03-27 to 2024-03-28; fetch them" in table["sentence"][1]
    assert told(found(made(ordinary()), start="2025-01-02", end="2025-01-10")) == [("short", "2025-01-02", 6, 0)]


def test_a_session_that_has_not_closed_is_not_missed():
    bars = made(ordinary()).iloc[:-1]
    assert found(bars, now=pd.Timestamp("2024-03-28 19:59", tz="UTC")).empty
    assert told(found(bars, now=pd.Timestamp("2024-03-28 20:00", tz="UTC"))) == [("short", "2024-03-28", 1, 0)]
    with pytest.raises(InputError, match="time zone"):
        found(bars, now=pd.Timestamp("2024-03-28 20:00"))


def test_every_symbol_is_measured_by_its_own_calendar():
    easter = {"start": "2024-03-25", "end": "2024-04-03"}
    whole = [
        made(ordinary(7), "AAA", start="2024-03-25"),
        made(ordinary(6), "SAP.DE", start="2024-03-25", name="XETR"),
        made(ordinary(8), "EUR/USD", start="2024-03-25", name="24/5"),
        made(ordinary(10), "BTC/USD", start="2024-03-25", name="24/7"),
    ]
    assert found(pd.concat(whole).sort_index(), **easter).empty
    weekdays = made(ordinary(7), "BTC/USD", start="2024-03-25")
    assert told(found(weekdays, **easter)) == [("gap", "2024-03-29", 3, 0)]


def test_a_close_that_does_not_move_is_stale_only_without_news_of_volume():
    closes = [*ordinary(20), *[90.0] * 5, *ordinary(36)]
    assert [row[0] for row in told(found(made(closes)))] == []
    unmoved = made(closes, volume=dict.fromkeys(range(20, 25), 500.0))
    assert told(found(unmoved)) == [("stale", "2024-01-31", 5, 5)]
    assert told(found(made(closes, volume=np.nan))) == [("stale", "2024-01-31", 5, 5)]
    assert found(unmoved, limits=QualityLimits(stale_run=6)).empty


def test_a_run_does_not_go_on_from_one_symbol_to_the_next():
    ends, begins = [*ordinary(58), 90.0, 90.0, 90.0], [90.0, 90.0, 90.0, *ordinary(58)]
    bars = pd.concat([made(ends, "AAA", volume=np.nan), made(begins, "BBB", volume=np.nan)]).sort_index()
    assert found(bars).empty


def test_sessions_without_volume_are_told_unless_there_never_is_any():
    assert told(found(made(ordinary(), volume={3: 0.0, 4: 0.0, 5: 0.0, 9: 0.0}))) == [("no_volume", "2024-01-05", 3, 3)]
    assert found(made(ordinary(), "^VIX", volume=0.0)).empty


def test_a_move_beyond_the_usual_is_an_outlier_with_its_log_return():
    table = found(made(jumped(30, 0.6)))
    returned = np.log(0.6) + WIGGLE[30]
    assert told(table) == [("outlier", "2024-02-14", round(returned, 4), 0.25)]
    assert "a move of -39.8% where -22% is the most expected; compare with another source and" in table["sentence"][0]


def test_a_move_that_is_undone_the_next_session_looks_like_a_bad_print_and_is_told_once():
    for factor in (0.6, 100.0):  # a split is not undone
        table = found(made(jumped(30, factor, until=31)))
        assert [row[:2] for row in told(table)] == [("outlier", "2024-02-14")]
        assert "it looks like a bad print" in table["sentence"][0]


def test_a_split_after_a_rise_does_not_look_like_a_bad_print():
    closes = [close * (1.3 if row == 30 else 0.65 if row > 30 else 1) for row, close in enumerate(ordinary())]
    table = found(made(closes))
    assert [row[:2] for row in told(table)] == [("outlier", "2024-02-14"), ("split", "2024-02-15")]
    assert "bad print" not in table["sentence"][0]


def test_a_wild_series_has_a_wider_limit():
    wild = np.array(jumped(30, 0.6)) * np.exp(9 * np.cumsum(WIGGLE[:61]))
    returns = np.diff(np.log(wild))
    limit = 12 * np.median(np.abs(returns - np.median(returns)))
    assert limit > -returns[29] > 0.25
    assert found(made(wild)).empty
    assert told(found(made(wild), limits=QualityLimits(outlier_mads=1)))[0][0] == "outlier"


@pytest.mark.parametrize(
    ("factor", "name"), [(1 / 2, "2:1"), (1 / 7, "7:1"), (2 / 3, "3:2"), (0.8, "5:4"), (10.0, "1:10"), (0.01, "100:1")]
)
def test_a_move_by_a_simple_ratio_looks_like_a_split_that_is_not_recorded(factor, name):
    table = found(made(jumped(30, factor)))
    assert told(table) == [("split", "2024-02-14", round(factor * np.exp(WIGGLE[30]), 4), round(factor, 4))]
    assert f"as after a {name} split, but none is recorded" in table["sentence"][0]


def test_a_split_that_is_recorded_and_followed_is_no_finding_and_a_large_dividend_neither():
    assert found(made(jumped(30, 0.1), split={30: 10.0})).empty
    before = ordinary()[29]
    assert found(made([*ordinary(30), *(0.5 * np.array(ordinary()[30:]))], dividend={30: before / 2})).empty


def test_a_split_that_the_price_did_not_follow_is_told():
    table = found(made(ordinary(), split={30: 4.0}))
    assert [row[0] for row in told(table)] == ["split"]
    assert "where a split of 4 is recorded, which it did not follow" in table["sentence"][0]


@pytest.mark.parametrize("split", [1e-4, 0.1])
def test_a_split_that_a_price_did_not_follow_is_told_whatever_it_did_instead(split):
    table = found(made(jumped(30, 0.85), split={30: split}))
    assert told(table) == [("split", "2024-02-14", round(0.85 * split * np.exp(WIGGLE[30]), 4), split)]
    assert f"where a split of {split:g} is recorded, which it did not follow" in table["sentence"][0]
    assert "a move of" not in table["sentence"][0]


def test_a_move_says_which_split_and_dividend_it_includes():
    half = made(jumped(30, 0.125), split={30: 4.0}, dividend={30: 0.25})  # the split was followed, and then a fall
    table = found(half)
    assert [row[:2] for row in told(table)] == [("outlier", "2024-02-14")]
    assert "with its split of 4 and its dividend of 0.25 where -22% is the most expected" in table["sentence"][0]
    assert "with its dividend of 12 where" in found(made(jumped(30, 0.3), dividend={30: 12.0}))["sentence"][0]
    assert "with its dividend of 5, as after a 2:1" in found(made(jumped(30, 0.45), dividend={30: 5.0}))["sentence"][0]


def test_a_rise_at_a_small_split_that_was_followed_is_a_move_and_no_split():
    table = found(made(jumped(30, 1.3), split={30: 1.05}))
    assert [row[0] for row in told(table)] == ["outlier"]
    assert "with its split of 1.05 where" in table["sentence"][0]


def test_a_fall_within_the_day_is_no_split():
    closes = jumped(30, 0.5)
    assert [row[0] for row in told(found(made(closes, open={30: 99.0}, high={30: 99.0})))] == ["outlier"]


def test_a_close_outside_the_range_is_told():
    table = found(made(ordinary(), high={4: 99.0}, low={4: 98.0}, open={4: 98.5}))
    assert [row[:2] for row in told(table)] == [("outside", "2024-01-08")]
    assert "outside its range 98 to 99" in table["sentence"][0]


def test_quarantined_rows_are_findings_of_their_kind():
    bars = made(ordinary(), close={3: -1.0, 5: np.nan}, low={7: 200.0}, volume={9: -2.0})
    good, bad = sift(pd.concat([bars, bars.iloc[[11]]]))
    table = found(good, bad=bad)
    severe = table[table["severity"] == "bad"]
    assert severe["check"].tolist() == ["price", "unknown", "crossed", "volume", "repeated"]
    assert severe["sentence"].iloc[0] == (
        "AAA on 2024-01-05: close -1 is no price; one lies above zero; the row is kept apart"
    )
    assert set(table.loc[table["severity"] == "warning", "check"]) == {"gap"}
    pd.testing.assert_frame_equal(found(pd.concat([good, bad.drop(columns="reason")])), table)  # not yet sifted


def test_findings_outside_the_range_are_left_out_and_a_turned_range_is_refused():
    bars = made(jumped(30, 0.6))
    assert found(bars, start="2024-02-15").empty
    with pytest.raises(InputError, match="swap them"):
        found(bars, start=END, end=START)


def test_no_bars_have_no_findings():
    assert found(BARS.empty(), bad=sift(BARS.empty())[1]).empty
    assert order_findings(BARS.empty()).empty
    assert coverage(BARS.empty(), start=START, end=END).empty
    assert coverage_by_month(BARS.empty(), START, END).empty


def test_rows_out_of_order_are_counted_by_symbol():
    bars = pd.concat([made(ordinary(10), "BBB"), made(ordinary(10), "AAA")])
    assert order_findings(bars).empty  # one symbol after the other
    turned = bars.iloc[[0, 2, 1, 4, 3, *range(5, 20)]]
    table = check(order_findings(turned), FINDINGS)
    assert told(table) == [("order", "2024-01-03", 2, 0)]
    assert "BBB has 2 row(s) out of order" in table["sentence"][0]


# --- coverage


def test_coverage_counts_the_sessions_of_each_symbols_own_calendar():
    bars = pd.concat(
        [
            made(ordinary(61), "AAA").drop(index=made(ordinary(61)).index[[3, 4]]),
            made(ordinary(87), "BTC/USD", name="24/7"),
        ]
    ).sort_index()
    table = coverage(bars, start=START, end=END)
    assert table.loc["AAA", ["sessions", "expected", "missing"]].tolist() == [59, 61, 2]
    assert table["share"].to_dict() == {"AAA": pytest.approx(59 / 61), "BTC/USD": 1.0}
    assert table.loc["AAA", ["first", "last"]].tolist() == [pd.Timestamp(START), pd.Timestamp(END)]


def test_a_symbol_without_bars_in_the_range_is_covered_by_nothing():
    table = coverage(made(ordinary(5)), start="2024-02-01", end="2024-02-29")
    assert table.loc["AAA", ["sessions", "expected", "missing", "share"]].tolist() == [0, 20, 20, 0.0]
    assert table[["first", "last"]].isna().all(axis=None)


def test_coverage_by_month_is_a_share_for_each_month():
    bars = pd.concat([made(ordinary()).iloc[:-10], made(ordinary(31), "BTC/USD", name="24/7")]).sort_index()
    table = coverage_by_month(bars, START, END)
    assert table.columns.tolist() == ["2024-01", "2024-02", "2024-03"]
    assert table.loc["AAA"].tolist() == [1.0, 1.0, 0.5]
    assert table.loc["BTC/USD"].tolist() == [1.0, pytest.approx(1 / 29), 0.0]


# --- recorded series with known defects


def vendor(name: str, *, traded: bool = True) -> pd.DataFrame:
    """A recorded vendor table as BARS: the vendor divides prices by later splits, here they are as ``traded`` again."""
    names = {"date": "session", "datetime": "session", "adj close": "adjusted_close", "dividends": "dividend"}
    table = pd.read_csv(RECORDED / "dirty" / f"{name}.csv").rename(columns=str.lower).rename(columns=names)
    table = table.rename(columns={"stock splits": "split"}).sort_values("session")
    table["split"] = table["split"].replace(0, 1.0)
    later = table["split"][::-1].cumprod()[::-1] / table["split"]
    table[list(PRICES)] = table[list(PRICES)].mul(later if traded else 1.0, axis="index")
    table = table.assign(symbol=".".join(name.split("-")[:2]), source="yahoo")
    table["session"] = pd.to_datetime(table["session"].str[:19]).astype("datetime64[us]")
    return check(table.set_index(["session", "symbol"])[BARS.names].astype(BARS.empty().dtypes.to_dict()), BARS)


def jumps(bars: pd.DataFrame) -> list[tuple[str, str]]:
    good, bad = sift(bars)
    assert bad.empty
    days = bars.index.get_level_values("session")
    table = findings(good, start=days.min().date(), end=days.max().date(), bad=bad)
    return [row[:2] for row in told(table) if row[0] in {"outlier", "split"}]


@recorded
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("4063-T-1d-bad-stock-split", [("split", "2023-03-29")]),
        ("SSW-JO-1d-100x-error", [("split", "2023-06-01")]),
        ("AET-L-1d-100x-error", [("split", "2022-05-09"), ("split", "2022-05-20")]),
        ("CNE-L-1d-bad-stock-split", [("outlier", "2023-05-09")]),
        ("SPM-MI-1d-bad-stock-split", [("outlier", "2022-06-20")]),
        ("ASAI-L-1h-bad-unit", [("outlier", "2024-10-24")]),
    ],
)
def test_known_defects_are_found_where_they_are_and_not_in_the_mended_series(name, broken):
    assert jumps(vendor(name)) == broken
    assert jumps(vendor(f"{name}-fixed")) == []


SPLIT_TOLD = "is recorded, which it did not follow"


@recorded
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ALPHA-PA-1d-bad-stock-split", f"went from 1 to 1 on 2023-05-10, where a split of 0.0001 {SPLIT_TOLD}"),
        ("SPM-MI-1d-bad-stock-split", f"went from 45.04 to 38.36 on 2022-06-13, where a split of 0.1 {SPLIT_TOLD}"),
        (
            "CNE-L-1d-bad-stock-split",
            f"to 205.1 on 2023-05-16 with its dividend of 243.939, where a split of 0.471429 {SPLIT_TOLD}",
        ),
    ],
)
def test_recorded_prices_that_are_divided_already_did_not_follow_their_split(name, says):
    sentences = findings(vendor(name, traded=False), start="2022-01-03", end="2023-12-29")["sentence"]
    assert sentences.str.contains(says, regex=False).sum() == 1


@recorded
def test_a_series_recorded_in_whole_units_keeps_its_one_real_fall():
    broken, mended = (jumps(vendor(f"ALPHA-PA-1d-bad-stock-split{twin}")) for twin in ("", "-fixed"))
    assert broken == [("outlier", "2023-04-24"), ("outlier", "2023-05-08")]
    assert mended == broken[:1]


@recorded
def test_the_known_defects_of_the_recorded_equities_are_caught():
    names = {"Symbol": "symbol", "Date": "session", "Adj Close": "adjusted_close"}
    table = pd.read_parquet(RECORDED / "equities" / "us_ohlcv_adj_2012_2017.parquet").rename(columns=names)
    table = table.rename(columns=str.lower).assign(dividend=np.nan, split=np.nan, source="recorded")
    table["session"], table["symbol"] = table["session"].astype("datetime64[us]"), table["symbol"].astype("str")
    good, bad = sift(check(table.set_index(["session", "symbol"])[BARS.names], BARS))
    assert (len(good), bad["reason"].str.startswith("close is unknown").sum()) == (607_620, 538)
    again = bad[~bad["reason"].str.startswith("close is unknown")]
    assert symbols(again.index) == ["COH", "LVLT"]
    shares = coverage(good, start="2012-12-06", end="2017-12-06")["share"]
    assert shares["AAPL"] == 1.0
    assert (shares < 1).sum() == 24


def symbols(index: Iterable[tuple[pd.Timestamp, str]]) -> list[str]:
    return sorted(symbol for _, symbol in index)

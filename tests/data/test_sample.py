"""The sample source serves what the packages' files hold, and says what they do not."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from importlib.metadata import PackageNotFoundError

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import DataUnavailable, InputError
from sigmalib.core.frames import BARS, MISSING, PROFILES, QUOTES, check
from sigmalib.core.times import sessions
from sigmalib.data import embedded
from sigmalib.data.sample import Sample

SAMPLE = Sample()
LAST = date(2022, 12, 28)
FIRST = date(1990, 1, 2)

CLOSES = [  # as printed in the packages' files
    ("AAPL", LAST, 125.674, 125.674),
    ("XOM", FIRST, 4.068, 4.068),
    ("SPX", LAST, 3783.22, 3783.22),
    ("MTUM", date(2014, 1, 2), 52.704, 52.704),
    ("IBM", date(2013, 3, 1), 202.91, 175.27118333217),
    ("GOOG", date(2013, 3, 1), 806.19, 404.3431686260103),
    ("FB", date(2012, 5, 18), 38.2318, 38.2318),
    ("^GSPC", date(2018, 12, 31), 2506.850098, 2506.850098),
    ("^IXIC", date(1999, 1, 4), 2208.050049, 2208.050049),
    ("VIX", date(2019, 1, 3), 25.45, 25.45),
    ("WTI", date(2019, 1, 2), 46.31, 46.31),
]


def reasons(missing: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(row.symbol, row.what): row.reason for row in check(missing, MISSING).itertuples()}


@pytest.mark.parametrize(("symbol", "day", "close", "adjusted"), CLOSES)
def test_a_close_is_the_one_in_the_file(symbol: str, day: date, close: float, adjusted: float) -> None:
    answer = SAMPLE.bars([symbol], day, day)
    bar = answer.frame.loc[(pd.Timestamp(day), symbol)]
    assert (bar["close"], bar["adjusted_close"]) == pytest.approx((close, adjusted), rel=1e-9)
    assert answer.missing.empty


def test_bars_keep_their_contract_sorted_by_session_and_symbol() -> None:
    frame = SAMPLE.bars(["SPX", "aapl", "IBM", "AAPL"], date(2013, 2, 27), date(2013, 3, 4)).frame
    assert check(frame, BARS).index.is_monotonic_increasing
    assert frame.index.is_unique
    assert frame.index.get_level_values("session").dtype == "datetime64[us]"
    assert list(frame.xs("2013-03-01").index) == ["AAPL", "IBM", "SPX"]
    assert list(frame.xs("2013-03-04").index) == ["AAPL", "SPX"]


def test_a_series_of_adjusted_closes_has_no_open_high_low_or_volume_and_says_so() -> None:
    frame = SAMPLE.bars(["AAPL"], date(2012, 1, 3), date(2013, 3, 1)).frame
    assert frame[["open", "high", "low", "volume"]].isna().all(axis=None)
    assert set(frame["source"]) == {"skfolio (adjusted)"}
    assert (frame["close"] == frame["adjusted_close"]).all()


def test_raw_stocks_have_whole_bars_with_the_low_below_and_the_high_above() -> None:
    frame = SAMPLE.bars(["FB", "GOOG", "IBM"], date(2000, 3, 1), date(2013, 3, 1)).frame
    assert frame.drop(columns=["dividend", "split"]).notna().all(axis=None)
    assert frame[["dividend", "split"]].isna().all(axis=None)  # inside the adjusted close, and not given apart
    assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
    assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()


@pytest.mark.parametrize("symbol", ["AAPL", "MSFT"])
def test_symbols_of_two_packages_are_served_from_one_and_never_spliced(symbol: str) -> None:
    frame = SAMPLE.bars([symbol], FIRST, LAST).frame
    assert set(frame["source"]) == {"skfolio (adjusted)"}
    assert frame["close"].pct_change().abs().max() < 0.6


def test_only_sessions_are_served_and_funds_and_stocks_lack_none() -> None:
    closes = SAMPLE.bars(list(SAMPLE.coverage().index), FIRST, LAST).frame["close"].unstack("symbol")
    assert closes.index.equals(sessions(FIRST, LAST))
    held = closes.apply(lambda series: series.loc[series.first_valid_index() : series.last_valid_index()])
    holes = {name: int(held[name].dropna().reindex(_span(closes[name])).isna().sum()) for name in closes}
    assert {name: count for name, count in holes.items() if count} == {"WTI": 26}


def _span(series: pd.Series) -> pd.DatetimeIndex:
    known = series.dropna().index
    return series.loc[known[0] : known[-1]].index


def test_an_index_volume_of_zero_is_unknown() -> None:
    volume = SAMPLE.bars(["^GSPC", "^IXIC"], date(1999, 1, 4), date(2018, 12, 31)).frame["volume"]
    assert volume.min() > 0
    assert volume.isna().sum() == 2


def test_an_unknown_symbol_is_answered_with_the_symbols_there_are() -> None:
    answer = SAMPLE.bars(["TSLA", "AAPL"], LAST, LAST)
    assert reasons(answer.missing) == {
        ("TSLA", "price"): "the sample data has no TSLA; it has AAPL, AMD, BAC, … (33 symbols)"
    }
    assert len(answer.frame) == 1


def test_a_range_after_the_data_is_answered_with_the_range_there_is() -> None:
    answer = SAMPLE.bars(["AAPL"], date(2023, 1, 3), date(2023, 6, 30))
    assert check(answer.frame, BARS).empty
    assert reasons(answer.missing) == {
        ("AAPL", "price"): "no AAPL from 2023-01-03 to 2023-06-30; the sample data has 1990-01-02 to 2022-12-28"
    }


@pytest.mark.parametrize(("start", "end"), [(date(2013, 12, 31), LAST), (date(2022, 12, 28), date(2022, 12, 29))])
def test_a_range_with_an_end_outside_gives_what_there_is_and_names_it(start: date, end: date) -> None:
    answer = SAMPLE.bars(["MTUM"], start, end)
    (reason,) = reasons(answer.missing).values()
    assert len(answer.frame)
    assert list(answer.missing["what"]) == ["history"]
    assert reason == f"not all of MTUM from {start} to {end}; the sample data has 2014-01-02 to 2022-12-28"


def test_a_holiday_before_the_first_session_is_no_gap() -> None:
    assert SAMPLE.bars(["MTUM"], date(2014, 1, 1), LAST).missing.empty


def test_a_weekend_has_no_session_and_says_so() -> None:
    answer = SAMPLE.bars(["AAPL"], date(2022, 12, 24), date(2022, 12, 26))
    assert answer.frame.empty
    assert "no session of the exchange" in reasons(answer.missing)["AAPL", "price"]


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(InputError, match="`start` 2022-12-28 lies after `end` 2022-12-01; swap them"):
        SAMPLE.bars(["AAPL"], LAST, date(2022, 12, 1))


def test_changing_an_answer_does_not_change_the_next() -> None:
    bars, rates = SAMPLE.bars(["AAPL"], LAST, LAST).frame, SAMPLE.rates(date(2000, 8, 1), LAST).frame
    profiles, covered = SAMPLE.profiles(["AAPL"]).frame, SAMPLE.coverage()
    bars.loc[:, "close"], rates.loc[:, "rate"] = 0.0, 9.0
    profiles.loc[:, "sector"], covered.loc[:, "last"] = "none", pd.NaT
    assert SAMPLE.bars(["AAPL"], LAST, LAST).frame["close"].item() == 125.674
    assert SAMPLE.rates(LAST, LAST).frame["rate"].item() == 0.0383
    assert SAMPLE.profiles(["AAPL"]).frame["sector"].item() == "Information Technology"
    assert SAMPLE.coverage()["last"].notna().all()


def test_every_symbol_has_a_profile_and_only_stocks_have_a_sector() -> None:
    covered = SAMPLE.coverage().index
    answer = SAMPLE.profiles(list(covered))
    frame = check(answer.frame, PROFILES)
    assert answer.missing.empty
    assert list(frame.index) == list(covered)
    assert set(frame["kind"]) == {"stock", "etf", "index"}
    assert (frame["sector"].notna() == (frame["kind"] == "stock")).all()


def test_dividend_yield_is_zero_for_total_return_series_and_unknown_for_raw_ibm() -> None:
    yields = SAMPLE.profiles(list(SAMPLE.coverage().index)).frame["dividend_yield"]
    assert list(yields.index[yields.isna()]) == ["IBM"]
    assert (yields.dropna() == 0).all()
    assert "dividend yield" in SAMPLE.coverage().loc["SPX", "origin"]


def test_an_unknown_profile_is_listed() -> None:
    answer = SAMPLE.profiles(["TSLA"])
    assert check(answer.frame, PROFILES).empty
    assert list(reasons(answer.missing)) == [("TSLA", "profile")]


def test_there_are_no_option_quotes_and_the_reason_says_what_happens_instead() -> None:
    answer = SAMPLE.option_chain("SPX", LAST)
    assert check(answer.frame, QUOTES).empty
    assert reasons(answer.missing) == {
        ("SPX", "quote"): "no option quotes in the sample data; options are marked by model"
    }


def test_the_rate_in_force_is_the_last_observed_and_never_a_later_one() -> None:
    found = SAMPLE.rates(date(2022, 10, 15), LAST).frame["rate"]
    assert found.to_dict() == {
        pd.Timestamp("2022-09-30"): 0.0308,
        pd.Timestamp("2022-10-31"): 0.0308,
        pd.Timestamp("2022-11-30"): 0.0383,
    }


def test_there_is_no_rate_before_the_first() -> None:
    answer = SAMPLE.rates(date(1999, 1, 4), date(1999, 12, 31))
    assert answer.frame.empty
    assert "from 2000-07-31 to 2022-12-30 only" in reasons(answer.missing)["USD", "rate"]


def test_the_last_rate_is_not_stretched_without_saying_so() -> None:
    assert SAMPLE.rates(LAST, date(2023, 1, 30)).missing.empty
    assert len(SAMPLE.rates(LAST, date(2023, 3, 1)).missing) == 1


def test_rates_are_fractions_dated_in_order_one_a_month() -> None:
    found = SAMPLE.rates(date(2000, 8, 1), LAST).frame
    assert found.index.is_monotonic_increasing
    assert found.index.name == "date"
    assert found["rate"].between(0, 0.07).all()
    assert not pd.PeriodIndex(found.index, freq="M").duplicated().any()


def test_every_currency_but_the_base_is_missing_and_none_is_one() -> None:
    answer = SAMPLE.fx(["USD", "EUR", "GBP"], "USD", date(2022, 12, 1), LAST)
    assert list(reasons(answer.missing).values()) == [
        "no EUR/USD rate in the sample data",
        "no GBP/USD rate in the sample data",
    ]
    assert answer.frame.index.equals(sessions("2022-12-01", LAST))
    assert answer.frame.shape[1] == 0


def test_coverage_names_range_fields_and_origin_of_all_symbols() -> None:
    covered = SAMPLE.coverage()
    assert len(covered) == 33
    assert covered.loc["AAPL", ["first", "last", "sessions"]].tolist() == [
        pd.Timestamp(FIRST),
        pd.Timestamp(LAST),
        8313,
    ]
    assert covered.loc["^GSPC", "fields"] == "open, high, low, close, adjusted_close, volume"
    assert "price index" in covered.loc["SPX", "origin"]


def test_two_packages_agree_on_the_index() -> None:
    closes = SAMPLE.bars(["SPX", "^GSPC"], date(1999, 1, 4), date(2018, 12, 31)).frame["close"].unstack("symbol")
    assert np.abs(closes["SPX"] - closes["^GSPC"]).max() < 0.001


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(embedded, "distribution", absent)
    with pytest.raises(DataUnavailable, match=r'package skfolio.*pip install "sigmalib\[sample\]"'):
        embedded.panel.__wrapped__()


def test_the_packages_are_read_and_not_imported() -> None:
    code = (
        "import sys; from sigmalib.data.sample import Sample; Sample().coverage(); "
        "print(*{'skfolio', 'bokeh_sampledata', 'arch'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""

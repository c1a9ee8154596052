"""A folder of the firm's files is read in any of three forms, mapped by columns.toml, and told where it is wrong."""

from __future__ import annotations

import gzip
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.frames import ACTIONS, BARS, MINUTES, PROFILES, QUOTES, SHORT_INTEREST, check
from sigmalib.data import folder as module
from sigmalib.data.folder import Folder, Layout
from sigmalib.data.manners import Limits, Manners
from sigmalib.data.sources import Opening, source_class

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
MARCH = date(2024, 3, 1), date(2024, 3, 5)
LONG = """Date,Ticker,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits,VWAP
2024-03-01,abc,10,11,9.5,10.5,10.4,1000,0,0,10.2
2024-03-01,XYZ,20,21,19,20.5,20.5,2000,0.25,2,20.1
2024-03-04,abc,10.5,12,10,11.5,11.4,,0,0,11
2024-03-05,abc,11.5,12,11,11.75,11.7,1500,0,0,11.5
2024-03-05,XYZ,,,,,,,,,
"""


def opened(path: Path) -> Folder:
    return Folder.opened(Opening({"path": str(path)}, path, Manners("files", Limits(per_minute=60))))


def written(tmp_path: Path, **files: str) -> Folder:
    """The source of a folder with these CSV files, or ``columns`` as columns.toml."""
    for name, text in files.items():
        (tmp_path / (f"{name}.toml" if name == "columns" else f"{name}.csv")).write_text(text, encoding="utf-8")
    return opened(tmp_path)


def bar(frame: pd.DataFrame, day: str, symbol: str) -> list[float]:
    return frame.loc[(pd.Timestamp(day), symbol)][BARS.names[:8]].to_list()


# The three forms


def test_a_long_table_has_a_column_of_symbols(tmp_path: Path) -> None:
    answer = written(tmp_path, prices=LONG).bars(["ABC", "xyz"], *MARCH)
    frame = check(answer.frame, BARS)
    assert list(frame.columns) == BARS.names
    assert frame.index.is_monotonic_increasing
    assert frame.index.get_level_values("session").dtype == "datetime64[us]"
    assert bar(frame, "2024-03-01", "XYZ") == [20, 21, 19, 20.5, 20.5, 2000, 0.25, 2]
    assert bar(frame, "2024-03-01", "ABC") == [10, 11, 9.5, 10.5, 10.4, 1000, 0, 1]  # a split of 0 is none
    assert np.isnan(frame.loc[(pd.Timestamp("2024-03-04"), "ABC"), "volume"])
    assert set(frame["source"]) == {"files"}
    assert len(frame) == 4  # XYZ has no session on the 5th: its row is empty
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["XYZ", "history"]]


def test_a_file_of_one_symbol_is_named_after_it(tmp_path: Path) -> None:
    source = written(tmp_path, **{"brk.b": "session,close\n2024-03-01,400\n2024-03-04,401.5\n2024-03-05,402\n"})
    answer = source.bars(["BRK.B"], *MARCH)
    assert answer.frame["close"].to_list() == [400, 401.5, 402]
    assert answer.frame[["open", "volume", "adjusted_close", "dividend", "split"]].isna().all(axis=None)
    assert answer.missing.empty


def test_a_wide_table_has_a_column_of_closes_for_each_symbol(tmp_path: Path) -> None:
    """Even where symbols are called like columns of ours."""
    text = "Tag,LOW,aapl,OPEN\n2024-03-01,240,180,\n2024-03-04,241,175,3\n2024-03-05,242,170,3.5\n"
    answer = written(tmp_path, closes=text).bars(["LOW", "AAPL", "OPEN"], *MARCH)
    assert bar(answer.frame, "2024-03-04", "LOW")[:4] == [pytest.approx(np.nan, nan_ok=True)] * 3 + [241]
    assert answer.frame.xs("AAPL", level="symbol")["close"].to_list() == [180, 175, 170]
    assert answer.frame.xs("OPEN", level="symbol")["close"].to_list() == [3, 3.5]
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["OPEN", "history"]]


def test_files_of_all_forms_stand_side_by_side_and_nothing_is_dropped(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        prices=LONG,
        closes="date,DEF\n2024-03-01,1\n",
        abc="date,close,low\n2024-03-01,-5,7\n2024-03-01,6,7\n",
    )
    frame = source.bars(["ABC", "DEF"], date(2024, 3, 1), date(2024, 3, 1)).frame
    assert sorted(frame.xs("ABC", level="symbol")["close"]) == [-5, 6, 10.5]
    assert frame.xs("DEF", level="symbol")["close"].to_list() == [1]


@pytest.mark.parametrize("index", [False, True])
def test_parquet_files_are_read_with_or_without_an_index(tmp_path: Path, index: bool) -> None:
    days = pd.to_datetime(["2024-03-01", "2024-03-04", "2024-03-05"])
    long = pd.DataFrame({"Date": days, "Symbol": "ABC", "Close": [1.0, 2.0, np.nan], "Volume": [10, 20, 30]})
    (long.set_index("Date") if index else long).to_parquet(tmp_path / "long.parquet")
    wide = pd.DataFrame({"day": days.date, "DEF": [7.0, 8.0, 9.0]})
    (wide.set_index("day") if index else wide).to_parquet(tmp_path / "wide.parquet")
    frame = opened(tmp_path).bars(["ABC", "DEF"], *MARCH).frame
    assert frame.xs("DEF", level="symbol")["close"].to_list() == [7, 8, 9]
    assert frame.xs("ABC", level="symbol")["volume"].to_list() == [10, 20, 30]


def test_a_compressed_csv_is_read_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "prices.csv.gz").write_bytes(gzip.compress(LONG.encode()))
    (tmp_path / "BRK.B.CSV.GZ").write_bytes(gzip.compress(b"date;close\n2024-03-01;400\n"))
    source = opened(tmp_path)
    assert source.bars(["BRK.B"], *MARCH).frame["close"].to_list() == [400]
    assert list(source.coverage().index) == ["ABC", "BRK.B", "XYZ"]


@pytest.mark.parametrize("cut", [slice(0, 20), slice(5, None)])
def test_a_compressed_csv_that_is_damaged_is_refused(tmp_path: Path, cut: slice) -> None:
    (tmp_path / "abc.csv.gz").write_bytes(gzip.compress(LONG.encode())[cut])
    with pytest.raises(InputError, match=r"abc.csv.gz cannot be read as CSV in UTF-8: "):
        opened(tmp_path).bars(["ABC"], *MARCH)


def test_a_bad_cell_in_a_compressed_csv_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "abc.csv.gz").write_bytes(gzip.compress(b"date,close\n2024-03-01,ten\n"))
    with pytest.raises(InputError, match=r"abc.csv.gz, line 2, column 'close': 'ten' is no number"):
        opened(tmp_path).bars(["ABC"], *MARCH)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in (".hidden.csv", "~lock.csv", "notes.txt", "prices.xlsx"):
        (tmp_path / name).write_text("nothing of ours")
    (tmp_path / "old.csv").mkdir()
    source = written(tmp_path, prices=LONG)
    assert list(source.coverage().index) == ["ABC", "XYZ"]


# columns.toml


def test_columns_are_mapped_and_dates_read_as_the_firm_writes_them(tmp_path: Path) -> None:
    columns = (
        '[columns]\nsession = "Trade Date"\nsymbol = "BBG"\nclose = "PX_LAST"\n[options]\ndate_format = "%d.%m.%Y"\n'
    )
    text = "TRADE DATE;bbg;px last;close\n01.03.2024;abc;10;1\n04.03.2024;abc;11;1\n05.03.2024;abc;12;1\n"
    answer = written(tmp_path, columns=columns, prices=text).bars(["ABC"], *MARCH)
    assert answer.frame["close"].to_list() == [10, 11, 12]
    assert answer.missing.empty


def test_a_column_that_is_mapped_is_not_taken_for_another(tmp_path: Path) -> None:
    columns = '[columns]\nadjusted_close = "close"\n'
    frame = written(tmp_path, columns=columns, abc="date,close\n2024-03-01,10\n").bars(["ABC"], *MARCH).frame
    assert bar(frame, "2024-03-01", "ABC")[3:5] == [pytest.approx(np.nan, nan_ok=True), 10]


@pytest.mark.parametrize("column", ["close", "adj close"])
def test_adjusted_closes_have_their_dividends_and_splits_inside(tmp_path: Path, column: str) -> None:
    source = written(tmp_path, columns="[options]\nadjusted = true\n", abc=f"date,{column}\n2024-03-01,10\n")
    frame = source.bars(["ABC"], *MARCH).frame
    assert bar(frame, "2024-03-01", "ABC")[3:] == [10, 10, pytest.approx(np.nan, nan_ok=True), 0, 1]


def test_the_rate_is_the_closes_of_the_symbol_that_is_named(tmp_path: Path) -> None:
    text = "date,US3M\n2024-02-29,5.4\n2024-03-04,5.5\n"
    source = written(tmp_path, columns='[options]\nrate_symbol = "us3m"\n', rates=text)
    assert source.traits.rate_symbol == "US3M"
    assert source.rates(*MARCH).frame["rate"].to_list() == pytest.approx([0.054, 0.055])
    assert Folder.traits.rate_symbol == ""


def test_without_that_symbol_there_is_no_rate_and_no_exchange_rate(tmp_path: Path) -> None:
    source = written(tmp_path, prices=LONG)
    assert source.rates(*MARCH).missing["what"].to_list() == ["rate"]
    assert source.fx(["EUR"], "USD", *MARCH).missing["what"].to_list() == ["fx"]


@pytest.mark.parametrize(
    ("text", "words"),
    [('[columns]\nclos = "x"\n', r"columns.toml, \[columns\]: there is no 'clos' but .*; try 'close'"),
     ('[options]\ntimezone = "UTC"\n', r"columns.toml, \[options\]: there is no 'timezone' but .*; try 'time_zone'"),
     ("[option]\nadjusted = true\n", r"columns.toml: there is no 'option' but columns, options; try 'options'"),
     ("columns = 3\n", r"columns.toml: columns is 3; write a section \[columns\]"),
     ("[columns]\nclose = 3\n", r"\[columns\]: close is 3; write text in quotes"),
     ('[options]\nadjusted = "yes"\n', r"\[options\]: adjusted is 'yes'; write true or false"),
     ('[options]\ntime_zone = "New York"\n', "there is no time_zone 'New York'; write one such as 'America/New_York'"),
     ('[options]\ntime_zone = "../x"\n', "there is no time_zone '../x'"),
     ('[options]\ndate_format = "%d.%q"\n', "date_format '%d.%q' cannot be used: 'q' is a bad directive"),
     ("[columns\n", "columns.toml cannot be read as TOML: .*line 1")],
)  # fmt: skip
def test_a_map_that_makes_no_sense_is_refused_when_it_is_opened(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        written(tmp_path, columns=text)


def test_a_map_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"columns.toml cannot be read as TOML: 'utf-8'"):
        opened(tmp_path)


# Minutes

ZONE = '[options]\ntime_zone = "America/New_York"\n'


def test_minutes_are_instants_in_utc_by_the_zone_or_their_own_offset(tmp_path: Path) -> None:
    """The clocks go forward between the two days."""
    text = "time,close\n2024-03-08 09:30,1\n2024-03-11T09:30:00,2\n2024-03-11 09:31:00-04:00,3\n2024-03-11T13:32Z,4\n"
    frame = written(tmp_path, columns=ZONE, spy=text).bars(["SPY"], date(2024, 3, 8), date(2024, 3, 11), "1m").frame
    times = check(frame, MINUTES).index.get_level_values("time")
    assert times.dtype == "datetime64[us, UTC]"
    assert list(times.strftime("%d %H:%M")) == ["08 14:30", "11 13:30", "11 13:31", "11 13:32"]
    assert frame["close"].to_list() == [1, 2, 3, 4]


def test_days_of_minutes_begin_at_midnight_of_their_zone(tmp_path: Path) -> None:
    text = "time,close\n2024-03-01T18:59:00-05:00,1\n2024-03-01T20:30:00-05:00,2\n2024-03-04T09:30:00-05:00,3\n"
    source = written(tmp_path, columns=ZONE, spy=text)
    assert source.bars(["SPY"], MARCH[0], MARCH[0], "1m").frame["close"].to_list() == [1, 2]
    (tmp_path / "columns.toml").unlink()
    assert opened(tmp_path).bars(["SPY"], MARCH[0], MARCH[0], "1m").frame["close"].to_list() == [1]


def test_minutes_and_days_are_told_apart(tmp_path: Path) -> None:
    source = written(tmp_path, spy="time,close\n2024-03-01T09:30:00-05:00,1\n", prices=LONG)
    minutes, days = (source.bars(["SPY", "ABC"], *MARCH, interval) for interval in ("1m", "1d"))
    assert set(minutes.frame.index.get_level_values("symbol")) == {"SPY"}
    assert set(days.frame.index.get_level_values("symbol")) == {"ABC"}
    assert days.missing["symbol"].to_list() == ["SPY"]
    assert minutes.missing[["symbol", "what"]].to_numpy().tolist() == [["ABC", "price"], ["SPY", "history"]]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", None])
def test_parquet_minutes_may_have_a_zone_or_take_that_of_the_map(tmp_path: Path, zone: str | None) -> None:
    times = pd.to_datetime(["2024-03-01 14:30", "2024-03-01 14:31"]).tz_localize("UTC")
    written_as = times.tz_convert(zone) if zone else times.tz_convert("America/New_York").tz_localize(None)
    pd.DataFrame({"time": written_as, "close": [1.0, 2.0]}).to_parquet(tmp_path / "SPY.parquet")
    frame = written(tmp_path, columns=ZONE).bars(["SPY"], *MARCH, "1m").frame
    assert list(frame.index.get_level_values("time")) == list(times)
    assert frame.index.get_level_values("time").dtype == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("layout", "cell", "hour"),
    [("%d/%m/%Y %H:%M", "01/03/2024 09:30", 14), ("%d/%m/%Y %H:%M%z", "01/03/2024 09:30+0100", 8)],
)
def test_minutes_are_read_as_the_firm_writes_them(tmp_path: Path, layout: str, cell: str, hour: int) -> None:
    source = written(tmp_path, columns=f'{ZONE}date_format = "{layout}"\n', spy=f"time,close\n{cell},1\n")
    assert source.bars(["SPY"], *MARCH, "1m").frame.index[0][0] == pd.Timestamp(f"2024-03-01 {hour}:30", tz="UTC")


@pytest.mark.parametrize(
    ("columns", "cell", "words"),
    [("", "2024-03-01 09:30", r"column 'time': times without an offset.*columns.toml.*time_zone = \"America/"),
     (ZONE, "2024-03-10 02:30", "line 2, column 'time': '2024-03-10 02:30' is skipped or comes twice"),
     (ZONE, "2024-11-03 01:30", "'2024-11-03 01:30' is skipped or comes twice when the clocks change; write its"),
     (ZONE, "half past nine", "'half past nine' is no date; write 2024-01-31T09:30:00-05:00, or set date_format"),
     (ZONE, "2024-03-01 29:30-05:00", "line 2, column 'time': '2024-03-01 29:30-05:00' is no date; write 2024-01-31T")],
)  # fmt: skip
def test_times_that_are_not_certain_are_refused(tmp_path: Path, columns: str, cell: str, words: str) -> None:
    source = written(tmp_path, columns=columns, spy=f"time,close\n{cell},1\n")
    with pytest.raises(InputError, match=words):
        source.bars(["SPY"], *MARCH, "1m")


# What is missing


def test_what_is_missing_says_what_there_is(tmp_path: Path) -> None:
    missing = written(tmp_path, prices=LONG).bars(["ABD", "ABC"], date(2024, 2, 28), MARCH[1]).missing
    assert missing.to_numpy().tolist() == [
        ["ABC", "history", f"not all of ABC from 2024-02-28 to 2024-03-05; {tmp_path} has 2024-03-01 to 2024-03-05"],
        ["ABD", "price", f"no file in {tmp_path} has ABD; did you mean ABC? It has 2 symbols; read: 1 file(s)"],
    ]


def test_files_that_were_left_aside_are_named_where_a_symbol_is_missing(tmp_path: Path) -> None:
    for name in ("notes.txt", "prices.xlsx", ".hidden", "profiles.csv.gz"):
        (tmp_path / name).write_text("nothing of ours")
    source = written(tmp_path, prices=LONG, columns="", profiles="symbol\nABC\n")
    reason = "; read: 1 file(s); left aside: notes.txt, prices.xlsx, profiles.csv.gz"
    assert source.bars(["SPY"], *MARCH).missing["reason"][0].endswith(reason)
    for number in range(7):
        (tmp_path / f"{number}.txt").touch()
    reason = source.bars(["SPY"], *MARCH).missing["reason"][0]
    assert reason.endswith("left aside: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 5 more")


def test_a_range_without_a_row_is_missing(tmp_path: Path) -> None:
    answer = written(tmp_path, prices=LONG).bars(["ABC"], date(2023, 3, 1), date(2023, 3, 5))
    assert check(answer.frame, BARS).empty
    assert answer.frame.index.get_level_values("session").dtype == "datetime64[us]"
    assert answer.missing["reason"][0].startswith("no ABC from 2023-03-01 to 2023-03-05; ")


def test_an_empty_folder_and_an_empty_table_have_nothing(tmp_path: Path) -> None:
    for interval, contract in (("1d", BARS), ("1m", MINUTES)):
        answer = opened(tmp_path).bars(["ABC"], *MARCH, interval)
        assert check(answer.frame, contract).empty
        assert answer.missing["reason"][0].endswith("; put a CSV or Parquet file into it; read: 0 file(s)")
    assert opened(tmp_path).coverage().empty
    source = written(tmp_path, prices="date,symbol,close\n")
    assert source.bars(["ABC"], *MARCH).missing["what"].to_list() == ["price"]
    assert source.coverage().empty


def test_dates_the_wrong_way_round_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="swap them"):
        opened(tmp_path).bars(["ABC"], *reversed(MARCH))


# Profiles and coverage


def test_profiles_are_those_of_a_file_beside_the_prices(tmp_path: Path) -> None:
    text = "Symbol,Name,Kind,Currency,Dividend Yield,Analyst\nabc,Abc Inc,stock,USD,0.02,Jo\nXYZ,Xyz,,EUR,,\n"
    source = written(tmp_path, prices=LONG, profiles=text)
    answer = source.profiles(["ABC", "xyz", "DEF"])
    frame = check(answer.frame, PROFILES)
    assert list(frame.columns) == PROFILES.names
    assert frame.loc["ABC", ["name", "kind", "currency", "dividend_yield"]].to_list() == [
        "Abc Inc",
        "stock",
        "USD",
        0.02,
    ]
    assert frame.loc["XYZ", ["kind", "sector", "dividend_yield"]].isna().all()
    assert answer.missing.to_numpy().tolist() == [["DEF", "profile", f"add DEF to {tmp_path / 'profiles.csv'}"]]
    assert list(source.coverage().index) == ["ABC", "XYZ"]


def test_without_that_file_all_profiles_are_missing(tmp_path: Path) -> None:
    answer = written(tmp_path, prices=LONG).profiles(["ABC"])
    assert check(answer.frame, PROFILES).empty
    assert answer.missing["what"].to_list() == ["profile"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("name\nAbc\n", "no column 'symbol' but name"),
     ("symbol\nabc\nABC\n", "line 3, column 'symbol': 'ABC' is there twice"),
     ("symbol,dividend_yield\nABC,2%\n", "line 2, column 'dividend_yield': '2%' is no number")],
)  # fmt: skip
def test_profiles_that_cannot_be_read_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        written(tmp_path, profiles=text).profiles(["ABC"])


def test_there_are_no_option_quotes(tmp_path: Path) -> None:
    answer = opened(tmp_path).option_chain("abc", MARCH[0])
    assert check(answer.frame, QUOTES).empty
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["ABC", "quote"]]


def test_coverage_is_what_the_files_hold(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        prices=LONG,
        abc="date,close\n2024-03-05,1\n2024-03-06,2\n",
        spy="time,close\n2024-03-01T21:30-05:00,1\n",
    )
    table = source.coverage()
    assert table.index.name == "symbol"
    assert list(table.columns) == ["first", "last", "sessions", "fields", "source", "origin"]
    every = "open, high, low, close, adjusted_close, volume, dividend, split"
    assert table.astype("str").to_numpy().tolist() == [
        ["2024-03-01", "2024-03-06", "4", every, "files", "abc.csv, prices.csv"],
        ["2024-03-02", "2024-03-02", "1", "close", "files", "spy.csv"],
        ["2024-03-01", "2024-03-01", "1", every, "files", "prices.csv"],
    ]


def test_a_symbol_is_expected_on_the_days_of_its_own_exchange(tmp_path: Path) -> None:
    """2 March 2024 was a Saturday."""
    source = written(tmp_path, closes="date,BTC-USD,SPY\n2024-03-01,1,1\n2024-03-04,,1\n")
    missing = source.bars(["BTC-USD", "SPY"], date(2024, 3, 1), date(2024, 3, 3)).missing
    assert missing[["symbol", "what"]].to_numpy().tolist() == [["BTC-USD", "history"]]


def test_actions_are_told_and_so_is_where_they_are_not_known(tmp_path: Path) -> None:
    source = written(tmp_path, prices=LONG, spy="date,close\n2024-03-01,1\n")
    answer = source.actions(["XYZ", "SPY", "NONE"], MARCH[0], MARCH[0])
    assert check(answer.frame, ACTIONS).loc[(pd.Timestamp("2024-03-01"), "XYZ")].to_list() == [0.25, 2]
    assert len(answer.frame) == 1
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["NONE", "split"], ["SPY", "split"]]
    assert answer.missing["reason"][1] == (
        "splits unknown; add a column split to its file, or write adjusted = true into columns.toml"
    )


# Files change


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: Path, layout: Layout) -> list[module.Prices]:
        read.append(path.name)
        return original(path, layout)

    original = module.read_prices
    monkeypatch.setattr(module, "read_prices", counted)
    source = written(tmp_path, prices=LONG, abc="date,close\n2024-03-06,1\n")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: source.bars(["ABC"], *MARCH), range(4)))
    source.coverage()
    assert read == ["abc.csv", "prices.csv"]
    (tmp_path / "abc.csv").write_text("date,close\n2024-03-06,2\n")
    os.utime(tmp_path / "abc.csv", ns=(0, 0))
    assert source.bars(["ABC"], date(2024, 3, 6), date(2024, 3, 6)).frame["close"].to_list() == [2]
    (tmp_path / "prices.csv").unlink()
    assert list(source.coverage().index) == ["ABC"]
    assert read == ["abc.csv", "prices.csv", "abc.csv"]


# What cannot be read


@pytest.mark.parametrize(
    ("text", "words"),
    [("date,close\n2024-03-01,10\n\n2024-03-04,ten\n",
      "line 4, column 'close': 'ten' is no number; write it as 1234.5, or leave the cell empty"),
     ('date,close\n2024-03-01,"1,234.5"\n', "line 2, column 'close': '1,234.5' is no number"),
     ('note,date,close\n"two\nlines",2024-03-01,1\nx,2024-03-04,inf\n', "line 4, column 'close': 'inf' is no number"),
     ("Date,Close\n03/01/2024,10\n",
      "line 2, column 'Date': '03/01/2024' is no date; write 2024-01-31, or set date_format in columns.toml"),
     ("date,close\n2024-02-30,10\n", "column 'date': '2024-02-30' is no date"),
     ("date,close\n2024,10\n", "column 'date': '2024' is no date"),
     ("date,close\n,10\n", "line 2, column 'date': '' is no date"),
     ("date,symbol,close\n2024-03-01,ABC,1\n2024-03-01, ,1\n",
      "line 3, column 'symbol': ' ' is no symbol; fill it in, or take the row away"),
     ("date,AAPL,MSFT\n2024-03-01,1,2\n2024-03-04,1,x\n", "line 3, column 'MSFT': 'x' is no number"),
     ("day,open,high\n2024-03-01,1,2\n", r"neither a column 'close' nor one for each symbol but day, open, high; say"),
     ("px,symbol,date\n1,ABC,2024-03-01\n", r"no column 'close' but px, symbol, date; say which it is in columns.toml"),
     ("when,close\n2024-03-01,1\n", r"no column 'session' but when, close; .*\[columns\] session = "),
     ("date,close,close\n2024-03-01,1,2\n", "the column 'close' twice; rename one of them"),
     ("date,close\n2024-03-01,1,2\n", "cannot be read as CSV in UTF-8: .*Expected 2 fields in line 2, saw 3"),
     ("", "nothing in its first line, which must name the columns"),
     ("\n\ndate,close\n", "nothing in its first line")],
)  # fmt: skip
def test_what_cannot_be_read_is_named_by_file_line_column_and_value(tmp_path: Path, text: str, words: str) -> None:
    source = written(tmp_path, abc=text)
    with pytest.raises(InputError, match=words) as raised:
        source.bars(["ABC"], *MARCH)
    assert str(raised.value).startswith(str(tmp_path / "abc.csv"))


def test_a_date_in_another_format_than_the_map_says_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path, columns='[options]\ndate_format = "%d.%m.%Y"\n', abc="date,close\n2024-03-01,1\n")
    with pytest.raises(InputError, match=r"'2024-03-01' is not in the date_format '%d.%m.%Y' in columns.toml"):
        source.bars(["ABC"], *MARCH)


def test_dates_of_several_zones_in_one_column_are_refused(tmp_path: Path) -> None:
    text = "date,close\n01.03.2024 +0100,1\n01.04.2024 +0200,2\n"
    source = written(tmp_path, columns='[options]\ndate_format = "%d.%m.%Y %z"\n', abc=text)
    with pytest.raises(InputError, match=r"abc.csv, column 'date': Mixed timezones.*; write dates without a zone"):
        source.bars(["ABC"], *MARCH)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "abc.csv").write_bytes("date,close,Straße\n2024-03-01,1,ß\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"abc.csv cannot be read as CSV in UTF-8: .*0xdf"):
        opened(tmp_path).bars(["ABC"], *MARCH)


def test_a_byte_order_mark_and_vendors_words_for_nothing_are_understood(tmp_path: Path) -> None:
    text = "﻿date\tclose\tvolume\n2024-03-01\t1\tN/A\n2024-03-04 00:00:00+09:00\t2\t-\n20240305\t3\tnull\n"
    frame = written(tmp_path, abc=text).bars(["ABC"], *MARCH).frame
    assert frame["close"].to_list() == [1, 2, 3]
    assert list(frame.index.get_level_values("session").day) == [1, 4, 5]
    assert frame["volume"].isna().all()


def test_a_bad_cell_in_a_parquet_file_is_named_by_its_row(tmp_path: Path) -> None:
    pd.DataFrame({"date": ["2024-03-01", "2024-03-04"], "close": ["1", "two"]}).to_parquet(tmp_path / "ABC.parquet")
    with pytest.raises(InputError, match=r"ABC.parquet, row 2, column 'close': 'two' is no number"):
        opened(tmp_path).bars(["ABC"], *MARCH)


def test_a_parquet_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ABC.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match=r"ABC.parquet cannot be read as Parquet: "):
        opened(tmp_path).bars(["ABC"], *MARCH)


# Opening it


def test_it_is_opened_by_name_with_the_path_of_a_folder(tmp_path: Path) -> None:
    opening = Opening({"path": str(tmp_path)}, tmp_path, Manners("files", Limits(per_minute=60)))
    source = source_class("files").opened(opening)
    assert isinstance(source, Folder)
    assert (source.name, source.traits.benchmark, source.traits.limits) == ("files", "SPY", None)
    assert [(option.name, option.required) for option in source.traits.options] == [("path", True)]


@pytest.mark.parametrize("path", ["", "nowhere", "prices.csv"])
def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.csv").write_text(LONG)
    with pytest.raises(InputError, match=f"SIGMA_FILES_PATH is '{path}', which is no folder; name the folder"):
        Folder.opened(Opening({"path": path}, tmp_path, Manners("files", Limits(per_minute=60))))


def test_a_folder_that_has_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    source = opened(tmp_path / "prices")
    (tmp_path / "prices").rmdir()
    with pytest.raises(InputError, match="is gone; put it back"):
        source.bars(["ABC"], *MARCH)


# Recordings


def recorded(tmp_path: Path, *names: str) -> Folder:
    """The source of a folder with copies of these recordings; the test is skipped where they are not."""
    for name in names:
        if not (SHARED / name).is_file():
            pytest.skip(f"the recording {name} is not in the folder shared/data beside the project")
        shutil.copy(SHARED / name, tmp_path)
    return opened(tmp_path)


def test_recorded_tables_of_two_forms_agree_where_they_overlap(tmp_path: Path) -> None:
    source = recorded(tmp_path, "etf/factor_etf_adjclose_2023_2026.csv", "etf/etf_ohlcv_2010_2024.parquet")
    frame = source.bars(["USMV"], date(2024, 1, 2), date(2024, 3, 28)).frame
    wide, long = (frame[frame["volume"].isna() == missing] for missing in (True, False))
    moves = [wide["close"].pct_change().iloc[1:], long["adjusted_close"].pct_change().iloc[1:]]
    np.testing.assert_allclose(*moves, atol=1e-5)
    assert source.coverage().loc["USMV", "origin"] == "etf_ohlcv_2010_2024.parquet, factor_etf_adjclose_2023_2026.csv"


def test_recorded_rows_with_faults_are_passed_on(tmp_path: Path) -> None:
    name = "4063-T-1d-bad-stock-split"
    source = recorded(tmp_path, f"dirty/{name}.csv")
    frame = source.bars([name], date(2023, 3, 1), date(2023, 4, 14)).frame
    rows = pd.read_csv(tmp_path / f"{name}.csv")
    assert len(frame) == len(rows) == 22
    assert frame["close"].to_list() == rows["Close"].to_list()[::-1]
    assert frame["split"].value_counts().to_dict() == {1.0: 21, 5.0: 1}


def test_recorded_hours_have_instants_of_their_own_offset(tmp_path: Path) -> None:
    """British summer time ended in between."""
    source = recorded(tmp_path, "dirty/ASAI-L-1h-bad-unit.csv")
    times = source.bars(["ASAI-L-1h-bad-unit"], date(2024, 10, 21), date(2024, 10, 30), "1m").frame.index
    assert times[0][0] == pd.Timestamp("2024-10-21 09:00", tz="UTC")
    assert times[-1][0] == pd.Timestamp("2024-10-30 14:00", tz="UTC")


# Short interest and factors


def test_short_interest_is_that_of_a_file_beside_the_prices(tmp_path: Path) -> None:
    text = (
        "Settled,Ticker,Percent of float,Days to cover,Shares short,Published,Analyst\n"
        "2024-02-29,abc,0.05,3.5,1000,,Jo\n2024-03-15,ABC,0.06,,,2024-03-18,\n2024-03-15,XYZ,,4,,,\n2024-03-15,DEF,,,,,\n"
    )
    source = written(tmp_path, prices=LONG, short_interest=text)
    assert source.traits.short_interest
    answer = source.short_interest(["ABC", "xyz", "DEF"], date(2024, 3, 1), date(2024, 3, 31))
    frame = check(answer.frame, SHORT_INTEREST)
    assert frame.index.to_list() == [(pd.Timestamp("2024-03-15"), symbol) for symbol in ("ABC", "XYZ")]
    assert frame["published"].astype("str").to_list() == ["2024-03-18", "2024-03-27"]
    assert frame["percent_of_float"].to_list()[0] == 0.06
    assert frame["days_to_cover"].isna().to_list() == [True, False]
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["DEF", "short_interest"]]
    assert f"add one to {tmp_path / 'short_interest.csv'}" in answer.missing["reason"][0]
    assert len(source.short_interest(["ABC"], date(2024, 1, 1), date(2024, 3, 31)).frame) == 2
    assert list(source.coverage().index) == ["ABC", "XYZ"]


def test_without_that_file_there_is_no_short_interest(tmp_path: Path) -> None:
    source = written(tmp_path, prices=LONG)
    assert not source.traits.short_interest
    answer = source.short_interest(["ABC"], *MARCH)
    assert check(answer.frame, SHORT_INTEREST).empty
    assert answer.missing["what"].to_list() == ["short_interest"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("date,percent_of_float\n2024-03-15,0.1\n", "no column 'symbol' but date, percent_of_float"),
     ("symbol,percent_of_float\nABC,0.1\n", "no column 'settled' but symbol, percent_of_float"),
     ("date,symbol,percent_of_float\n2024-03-15,ABC,5.2\n", "line 2, column 'percent_of_float': '5.2' is no fraction"),
     ("date,symbol,days_to_cover\n2024-03-15,ABC,-1\n", "line 2, column 'days_to_cover': '-1' is below zero"),
     ("date,symbol,days_to_cover\n2024-03-15,ABC,few\n", "line 2, column 'days_to_cover': 'few' is no number"),
     ("date,symbol,days_to_cover\nsoon,ABC,1\n", "line 2, column 'date': 'soon' is no date"),
     ("date,symbol,days_to_cover\n1980-01-02,ABC,1\n", "'1980-01-02' lies outside the calendars"),
     ("date,symbol,days_to_cover\n2024-03-15,ABC,1\n2024-03-15,abc,2\n", "line 3, column 'symbol': 'abc' is there"),
     ("date,symbol,days_to_cover,published\n2024-03-15,ABC,1,2024-03-01\n", "'2024-03-01' lies before its settlement")],
)  # fmt: skip
def test_short_interest_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        written(tmp_path, short_interest=text).short_interest(["ABC"], *MARCH)


def test_its_dates_are_in_the_format_of_the_map(tmp_path: Path) -> None:
    columns = '[options]\ndate_format = "%d.%m.%Y"\n'
    text, factors = "settled;symbol;days_to_cover\n15.03.2024;ABC;2\n", "date;mkt\n15.03.2024;0.01\n"
    source = written(tmp_path, columns=columns, short_interest=text, factors=factors)
    found = source.short_interest(["ABC"], date(2024, 3, 15), date(2024, 3, 15)).frame
    assert found["days_to_cover"].to_list() == [2.0]
    assert source.factors().index.to_list() == [pd.Timestamp("2024-03-15")]


def test_factors_are_returns_by_day_and_a_column_of_words_is_left_out(tmp_path: Path) -> None:
    text = "date,Mkt RF,smb,source\n2024-03-04,0.001,-0.02,french\n2024-03-01,0.01,,french\n"
    found = written(tmp_path, prices=LONG, factors=text).factors()
    assert list(found.columns) == ["mkt_rf", "smb"]
    assert found.index.to_list() == [pd.Timestamp("2024-03-01"), pd.Timestamp("2024-03-04")]
    assert found["mkt_rf"].to_list() == [0.01, 0.001]
    assert np.isnan(found["smb"].iloc[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [("date,mkt\n2024-03-01,1.25\n", "line 2, column 'mkt': '1.25' is no fraction; write one percent as 0.01"),
     ("date,mkt\n2024-03-01,0.1\n2024-03-02,x\n", "line 3, column 'mkt': 'x' is no number"),
     ("date,mkt\n2024-03-01,0.1\n2024-03-01,0.2\n", "line 3, column 'date': '2024-03-01' is there twice"),
     ("date,source\n2024-03-01,french\n", "no column of returns beside 'date'"),
     ("mkt\n0.1\n", "no column 'date' but mkt")],
)  # fmt: skip
def test_factors_that_make_no_sense_are_refused_with_their_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        written(tmp_path, factors=text).factors()


def test_without_the_file_of_factors_what_to_write_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"factors.csv; write one: date, then a column of returns"):
        written(tmp_path, prices=LONG).factors()


def test_recorded_factors_by_day_are_read(tmp_path: Path) -> None:
    recorded = SHARED / "factors" / "ff5_umd_daily_2025_2026.csv"
    if not recorded.is_file():
        pytest.skip("the recorded factors are not in the folder shared/data beside the project")
    found = written(tmp_path, factors=recorded.read_text(encoding="utf-8")).factors()
    assert list(found.columns) == ["mkt_rf", "smb", "hml", "rmw", "cma", "umd", "rf"]
    assert found.loc["2025-03-17", "mkt_rf"] == 0.0072
    assert found.index.is_unique

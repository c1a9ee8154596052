"""Yahoo through yfinance: prices as traded, one request each, and a typed error or a label for all that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from yfinance.data import YfData

from sigmalib.core.errors import AccessDenied, AnswerUnreadable, InputError, RateLimited, SourceDown
from sigmalib.core.frames import BARS, LATEST, MINUTES, MISSING, PROFILES, QUOTES, SHORT_INTEREST, check
from sigmalib.core.times import sessions
from sigmalib.data.manners import Limits, Manners
from sigmalib.data.sources import Answer, Opening, source_class
from sigmalib.data.yahoo import Yahoo
from tests.vendors import Asked, Reply, Vendor, serving
from tests.yahoo import CRUMB, FIRST, LAST, made_prices, walk, yahoo_server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance")  # its own code on pandas 3.1

PATIENT = Limits(per_minute=60_000, burst=100, timeout=5.0, attempts=3)
SUNDAY = date(2024, 6, 30)
NEW_YORK = ZoneInfo("America/New_York")
RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "yahoo"
ALIKE: dict[str, Any] = {"check_freq": False, "check_names": False, "check_index_type": False}
PRICES = ["open", "high", "low", "close"]

Body = dict[str, Any]


def yahoo_at(
    base: str, *, today: date = SUNDAY, limits: Limits = PATIENT, sleep: Callable[[float], object] = lambda s: None
) -> Yahoo:
    evening = datetime(today.year, today.month, today.day, 20, tzinfo=NEW_YORK)
    return Yahoo(Manners("yahoo", limits, sleep=sleep), base=base, now=lambda: evening)


@pytest.fixture(scope="module")
def made() -> dict[str, pd.DataFrame]:
    return made_prices()


@pytest.fixture(scope="module")
def served(made: dict[str, pd.DataFrame]) -> Iterator[Vendor]:
    with serving(yahoo_server(made)) as vendor:
        yield vendor


@pytest.fixture
def vendor(served: Vendor) -> Vendor:
    """The server, with nothing asked of it yet and no faults waiting."""
    served.log.clear()
    served.faults.clear()
    served.most_at_once = 0
    return served


@pytest.fixture
def yahoo(vendor: Vendor) -> Yahoo:
    return yahoo_at(vendor.base)


@contextmanager
def answering(answer: Callable[[Asked], Reply]) -> Iterator[Vendor]:
    with serving(Vendor(answer, lambda asked: asked.path.startswith("/v"))) as served:
        yield served


def gaps(answer: Answer) -> list[tuple[str, str]]:
    check(answer.missing, MISSING)
    return [(row.symbol, row.what) for row in answer.missing.itertuples()]


def one(answer: Answer, symbol: str) -> pd.DataFrame:
    return answer.frame.xs(symbol, level="symbol")


def chart(vendor: Vendor, symbol: str = "SPY", **changed: Any) -> Body:
    """The body the server would give, with parts of its one result changed."""
    query = {"period1": "0", "period2": "9999999999", "interval": "1d"}
    body = vendor.answer(Asked(f"/v8/finance/chart/{symbol}", query, {})).body
    body["chart"]["result"][0] |= changed
    return body  # type: ignore[no-any-return]


# -- prices as traded


def test_a_split_and_dividends_come_as_they_were_on_their_day(yahoo: Yahoo, made: dict[str, pd.DataFrame]) -> None:
    answer = yahoo.bars(["aapl "], FIRST, LAST)
    told = made["AAPL"]
    pd.testing.assert_frame_equal(one(answer, "AAPL")[told.columns], told, **ALIKE)
    assert told["close"]["2024-04-12"] > 3 * told["close"]["2024-04-15"]
    assert answer.missing.empty


def test_daily_bars_keep_their_contract(yahoo: Yahoo) -> None:
    frame = check(yahoo.bars(["SPY", "BTC-USD"], date(2024, 3, 1), date(2024, 3, 31)).frame, BARS)
    assert list(frame.columns) == BARS.names
    assert [level.dtype for level in frame.index.levels] == ["datetime64[us]", "str"]
    assert frame.index.is_monotonic_increasing
    assert set(frame["source"]) == {"yahoo"}
    assert frame["adjusted_close"].isna().all()
    assert {str(frame[name].dtype) for name in BARS.names[:-1]} == {"float64"}


def test_later_splits_are_undone_though_the_range_ends_before_them(yahoo: Yahoo, made: dict[str, pd.DataFrame]) -> None:
    bars = one(yahoo.bars(["AAPL"], date(2024, 2, 1), date(2024, 2, 29)), "AAPL")
    told = made["AAPL"].loc["2024-02"]
    assert bars["close"].tolist() == pytest.approx(told["close"].tolist(), rel=1e-12)
    assert bars["volume"].tolist() == told["volume"].tolist()
    assert bars.loc["2024-02-09", "dividend"] == pytest.approx(0.96)


def test_sessions_on_both_sides_of_the_clock_change_keep_their_date(yahoo: Yahoo) -> None:
    start, end = date(2024, 3, 7), date(2024, 4, 3)
    assert list(one(yahoo.bars(["SPY"], start, end), "SPY").index) == list(sessions(start, end))
    assert list(one(yahoo.bars(["SAP.DE"], start, end), "SAP.DE").index) == list(pd.bdate_range(start, end))


@pytest.mark.parametrize(
    ("asked", "spelled"),
    [
        ("BRK.B", "BRK-B"),
        ("BRK/B", "BRK-B"),
        ("SPX", "^GSPC"),
        ("VIX", "^VIX"),
        ("EUR/USD", "EURUSD=X"),
        ("BTC/USD", "BTC-USD"),
        ("SAP.DE", "SAP.DE"),
    ],
)
def test_symbols_are_asked_as_yahoo_writes_them_and_answered_as_asked(
    vendor: Vendor, yahoo: Yahoo, asked: str, spelled: str
) -> None:
    answer = yahoo.bars([asked], date(2024, 6, 3), date(2024, 6, 7))
    assert [unquote(request.path) for request in vendor.log] == [f"/v8/finance/chart/{spelled}"]
    assert set(answer.frame.index.get_level_values("symbol")) == {asked}


def test_pence_come_as_pounds() -> None:
    with serving(
        yahoo_server({"VOD.L": walk(sessions(FIRST, LAST), 7_000.0, dividends={"2024-06-06": 4.0})})
    ) as vendor:
        yahoo = yahoo_at(vendor.base)
        bars = one(yahoo.bars(["VOD.L"], FIRST, LAST), "VOD.L")
        assert bars["close"].iloc[0] == pytest.approx(70.0, rel=0.1)
        assert bars.loc["2024-06-06", "dividend"] == pytest.approx(0.04)
        assert yahoo.profiles(["VOD.L"]).frame.loc["VOD.L", "currency"] == "GBP"


def test_a_dividend_on_a_day_without_a_price_comes_with_the_next_session() -> None:
    bars = walk(sessions(FIRST, LAST), 50.0, dividends={"2024-05-02": 0.5, "2024-05-03": 0.25})
    bars.loc["2024-05-02", [*PRICES, "volume"]] = np.nan
    with serving(yahoo_server({"KO": bars})) as vendor:
        found = one(yahoo_at(vendor.base).bars(["KO"], date(2024, 5, 1), date(2024, 5, 3)), "KO")
    assert found.index.tolist() == [pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-03")]
    assert found["dividend"].tolist() == pytest.approx([0.0, 0.75])


def test_bad_rows_are_passed_on(made: dict[str, pd.DataFrame]) -> None:
    bars = made["SPY"].copy()
    bars.loc["2024-05-02", "low"] = -3.0
    bars.loc["2024-05-03", "high"] = 1.0
    bars.loc["2024-05-06", PRICES] = 0.0
    with serving(yahoo_server({"SPY": bars})) as vendor:
        found = one(yahoo_at(vendor.base).bars(["SPY"], date(2024, 5, 2), date(2024, 5, 6)), "SPY")
    pd.testing.assert_frame_equal(found[PRICES], bars.loc["2024-05-02":"2024-05-06", PRICES], **ALIKE)


# -- what is not finished


@pytest.mark.parametrize(("hour", "last"), [(9, "2024-06-27"), (12, "2024-06-27"), (16, "2024-06-28")])
def test_the_session_under_way_is_left_out_until_its_close(made: dict[str, pd.DataFrame], hour: int, last: str) -> None:
    now = datetime(2024, 6, 28, hour, 1, tzinfo=NEW_YORK)
    with serving(yahoo_server(made, now=now)) as vendor:
        bars = yahoo_at(vendor.base, today=now.date()).bars(["SPY"], date(2024, 6, 24), LAST)
    assert bars.frame.index[-1][0] == pd.Timestamp(last)
    assert bars.missing.empty


def test_a_session_before_today_is_finished_though_its_last_trade_came_before_the_close(
    made: dict[str, pd.DataFrame],
) -> None:
    with serving(yahoo_server(made, now=datetime(2024, 6, 28, 15, 40, tzinfo=NEW_YORK))) as vendor:
        bars = yahoo_at(vendor.base, today=date(2024, 6, 29)).bars(["SPY"], date(2024, 6, 24), LAST)
    assert bars.frame.index[-1][0] == pd.Timestamp("2024-06-28")


def test_a_split_of_the_session_under_way_is_undone_in_those_before() -> None:
    told = walk(sessions(FIRST, LAST), 900.0, splits={"2024-06-28": 10.0})
    now = datetime(2024, 6, 28, 12, tzinfo=NEW_YORK)
    with serving(yahoo_server({"NVDA": told}, now=now)) as vendor:
        bars = one(yahoo_at(vendor.base, today=now.date()).bars(["NVDA"], date(2024, 6, 24), LAST), "NVDA")
    assert bars["close"].tolist() == pytest.approx(told["close"]["2024-06-24":"2024-06-27"].tolist())
    assert set(bars["split"]) == {1.0}


def test_today_is_left_out_where_yahoo_tells_no_hours(vendor: Vendor) -> None:
    meta = chart(vendor)["chart"]["result"][0]["meta"]
    meta.pop("currentTradingPeriod")
    vendor.faults += [Reply(chart(vendor, meta=meta))]
    bars = yahoo_at(vendor.base, today=LAST).bars(["SPY"], date(2024, 6, 24), LAST)
    assert bars.frame.index[-1][0] == pd.Timestamp("2024-06-27")


# -- minutes


def test_minutes_are_utc_instants_without_dividends_and_splits(yahoo: Yahoo) -> None:
    frame = check(yahoo.bars(["AAPL"], date(2024, 6, 27), LAST, "1m").frame, MINUTES)
    assert frame.index.levels[0].dtype == "datetime64[us, UTC]"
    assert frame.index[0] == (pd.Timestamp("2024-06-27 13:30", tz="UTC"), "AAPL")
    assert frame.index[-1] == (pd.Timestamp("2024-06-28 19:59", tz="UTC"), "AAPL")
    assert len(frame) == 2 * 390
    assert frame[["dividend", "split", "adjusted_close"]].isna().all(axis=None)


def test_minutes_are_asked_by_the_week_and_for_the_last_thirty_days_only(vendor: Vendor, yahoo: Yahoo) -> None:
    answer = yahoo.bars(["SPY"], date(2024, 5, 20), LAST, "1m")
    widths = [int(asked.query["period2"]) - int(asked.query["period1"]) for asked in vendor.asked]
    assert [width // 86_400 for width in widths] == [7, 7, 7, 7]
    assert gaps(answer) == [("SPY", "history")]
    assert answer.missing["reason"].item() == (
        "Yahoo has minutes of the last 30 days only, from 2024-06-01; asked from 2024-05-20"
    )
    assert len(answer.frame) == 19 * 390


def test_minutes_older_than_thirty_days_are_not_asked_for(vendor: Vendor, yahoo: Yahoo) -> None:
    answer = yahoo.bars(["SPY"], date(2024, 3, 4), date(2024, 3, 8), "1m")
    assert gaps(answer) == [("SPY", "history")]
    assert vendor.log == []


def test_minutes_of_a_weekend_are_missing(yahoo: Yahoo) -> None:
    answer = yahoo.bars(["SPY"], date(2024, 6, 29), SUNDAY, "1m")
    assert gaps(answer) == [("SPY", "price")]
    check(answer.frame, MINUTES)


def test_an_unknown_symbol_is_asked_for_one_week_of_minutes(vendor: Vendor, yahoo: Yahoo) -> None:
    answer = yahoo.bars(["NOPE"], date(2024, 6, 3), LAST, "1m")
    assert gaps(answer) == [("NOPE", "price")]
    assert len(vendor.log) == 1


def test_the_minute_under_way_is_left_out(made: dict[str, pd.DataFrame]) -> None:
    now = datetime(2024, 6, 28, 12, 30, 20, tzinfo=NEW_YORK)
    with serving(yahoo_server(made, now=now)) as vendor:
        frame = yahoo_at(vendor.base, today=now.date()).bars(["SPY"], LAST, LAST, "1m").frame
    assert frame.index[-1][0] == pd.Timestamp("2024-06-28 16:29", tz="UTC")


# -- what is missing


def test_an_unknown_symbol_is_labelled_after_one_request(vendor: Vendor, yahoo: Yahoo) -> None:
    answer = yahoo.bars(["NOPE", "SPY"], date(2024, 6, 3), date(2024, 6, 7))
    assert gaps(answer) == [("NOPE", "price")]
    assert answer.missing["reason"].item() == (
        "Yahoo does not know NOPE (No data found, symbol may be delisted); "
        "write it as in BRK-B, ^GSPC, EURUSD=X or BTC-USD"
    )
    assert len(one(answer, "SPY")) == 5
    assert len(vendor.log) == 2


@pytest.mark.parametrize("symbol", ["US0378331005", "A?B", "O:SPX141122P00019500", ""])
def test_what_cannot_be_a_symbol_of_yahoos_is_not_asked_for(vendor: Vendor, yahoo: Yahoo, symbol: str) -> None:
    assert gaps(yahoo.bars([symbol], FIRST, LAST)) == [(symbol, "price")]
    assert vendor.log == []


def test_a_range_without_sessions_is_missing(yahoo: Yahoo) -> None:
    answer = yahoo.bars(["SPY"], date(2024, 6, 8), date(2024, 6, 9))
    assert gaps(answer) == [("SPY", "price")]
    check(answer.frame, BARS)


def test_a_series_that_starts_late_or_ends_early_says_so(yahoo: Yahoo, made: dict[str, pd.DataFrame]) -> None:
    answer = yahoo.bars(["SPY"], date(2023, 6, 1), LAST)
    assert gaps(answer) == [("SPY", "history")]
    assert answer.missing["reason"].item() == (
        "Yahoo has SPY from 2024-01-02 to 2024-06-28; asked from 2023-06-01 to 2024-06-28"
    )
    with serving(yahoo_server({"SIVB": made["SPY"].loc[:"2024-03-10"]})) as vendor:
        assert gaps(yahoo_at(vendor.base).bars(["SIVB"], FIRST, LAST)) == [("SIVB", "history")]


def test_dates_the_wrong_way_round_are_refused(yahoo: Yahoo) -> None:
    with pytest.raises(InputError, match="swap them"):
        yahoo.bars(["SPY"], LAST, FIRST)


# -- requests


def test_daily_bars_take_one_request_each_and_none_before(vendor: Vendor, yahoo: Yahoo) -> None:
    yahoo.bars(["SPY", "AAPL", "MSFT"], FIRST, LAST)
    assert len(vendor.log) == 3
    assert {"crumb"} & set().union(*(asked.query for asked in vendor.log)) == set()


def test_one_yahoo_is_not_answered_from_what_another_was_told(made: dict[str, pd.DataFrame]) -> None:
    dearer = {"SPY": made["SPY"].assign(close=1_000.0, high=1_001.0)}
    with serving(yahoo_server(made)) as first, serving(yahoo_server(dearer)) as second:
        one_yahoo, other = yahoo_at(first.base), yahoo_at(second.base)
        for asked, vendor, close in ((one_yahoo, first, made["SPY"]["close"].iloc[-1]), (other, second, 1_000.0)) * 2:
            before = len(vendor.log)
            bars = asked.bars(["SPY"], date(2024, 6, 24), LAST).frame
            assert bars["close"].iloc[-1] == pytest.approx(close)
            assert len(vendor.log) == before + 1


def test_many_threads_each_get_their_own_answer(vendor: Vendor, yahoo: Yahoo, made: dict[str, pd.DataFrame]) -> None:
    symbols = sorted(set(made) - {"^GSPC", "^VIX", "^IRX"}) * 3
    with ThreadPoolExecutor(6) as pool:
        frames = list(pool.map(lambda symbol: yahoo.bars([symbol], FIRST, LAST).frame, symbols))
    for symbol, frame in zip(symbols, frames, strict=True):
        assert frame["close"].tolist() == pytest.approx(made[symbol]["close"].tolist())
    assert len(vendor.log) == len(symbols)
    assert vendor.most_at_once > 1


def test_threads_that_need_a_crumb_fetch_it_once(vendor: Vendor, yahoo: Yahoo) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda symbol: yahoo.profiles([symbol]), ["SPY", "AAPL", "MSFT", "BRK-B", "BTC-USD"]))
    assert all(answer.missing.empty for answer in answers)
    assert len(vendor.asked) == 5
    assert len(vendor.log) == 7


def test_the_session_of_yfinance_itself_is_ours(yahoo: Yahoo) -> None:
    yahoo.bars(["SPY"], date(2024, 6, 24), LAST)
    assert YfData()._session is yahoo._client._way.session


SCRIPT = """
import sys
from datetime import date
from pathlib import Path
from sigmalib.data.manners import Manners
from sigmalib.data.sources import Opening
from sigmalib.data.yahoo import Yahoo

manners = Manners("yahoo", Yahoo.traits.limits)
yahoo = Yahoo.opened(Opening({"base": sys.argv[1]}, Path(sys.argv[2]), manners))
yahoo.bars(["SPY"], date(2024, 6, 3), date(2024, 6, 28))
assert len(yahoo.profiles(["SPY"]).frame) == 1
"""


def test_nothing_is_kept_in_the_users_home(vendor: Vendor, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "yahoo"
    home.mkdir()
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, vendor.base, str(folder)],
        check=True,
        cwd=Path(__file__).parents[2],
        env=environment | {"HOME": str(home)},
    )
    assert list(home.rglob("*")) == list(folder.rglob("*")) == []


# -- faults


def test_a_refusal_of_the_crumb_is_met_with_another_and_then_raised(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply({}, 401)] * 2
    with pytest.raises(AccessDenied, match=r"\(401\); there is no key to it") as caught:
        yahoo.bars(["SPY"], FIRST, LAST)
    assert len(vendor.asked) == 2
    assert [asked.path for asked in vendor.log if asked not in vendor.asked] == ["/", "/v1/test/getcrumb"]
    assert CRUMB not in str(caught.value)


def test_a_refusal_is_raised_after_one_request(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply({}, 403)]
    with pytest.raises(AccessDenied, match="403"):
        yahoo.bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 1


def test_a_bad_request_is_labelled_with_what_yahoo_says(vendor: Vendor, yahoo: Yahoo) -> None:
    said = "Data doesn't exist for startDate = 1, endDate = 2"
    vendor.faults += [Reply({"chart": {"result": None, "error": {"code": "Bad Request", "description": said}}}, 400)]
    answer = yahoo.bars(["SPY"], FIRST, LAST)
    assert gaps(answer) == [("SPY", "price")]
    assert answer.missing["reason"].item() == f"Yahoo has no price of SPY: {said}"
    assert len(vendor.log) == 1


def test_an_address_that_is_not_yahoos_is_unreadable(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply(b"<html>no such page</html>", 404)]
    with pytest.raises(AnswerUnreadable, match="is the address right"):
        yahoo.bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 1


def test_a_limit_is_waited_for_and_then_raised(vendor: Vendor) -> None:
    waits: list[float] = []
    vendor.faults += [Reply({}, 429)] * 3
    with pytest.raises(RateLimited, match="429"):
        yahoo_at(vendor.base, sleep=waits.append).bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 3
    assert len(waits) == 2


def test_a_wait_that_yahoo_asks_for_is_kept(vendor: Vendor) -> None:
    waits: list[float] = []
    vendor.faults += [Reply({}, 429, {"Retry-After": "7"})]
    answer = yahoo_at(vendor.base, sleep=waits.append).bars(["SPY"], FIRST, LAST)
    assert waits == [7.0]
    assert answer.missing.empty
    assert len(vendor.log) == 2


def test_a_failure_is_asked_again(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply({}, 500), Reply({}, 503)]
    assert len(yahoo.bars(["SPY"], FIRST, LAST).frame) == 124
    assert len(vendor.log) == 3


def test_only_failures_are_an_outage(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply({}, 502)] * 3
    with pytest.raises(SourceDown, match="502"):
        yahoo.bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 3


def test_no_answer_in_time_is_an_outage(vendor: Vendor) -> None:
    vendor.faults += [Reply({}, delay=0.5)] * 2
    with pytest.raises(SourceDown, match="no answer"):
        yahoo_at(vendor.base, limits=replace(PATIENT, timeout=0.1, attempts=2)).bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 2


def test_an_answer_cut_off_is_asked_for_again(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply(chart(vendor), cut=900)]
    assert len(yahoo.bars(["SPY"], FIRST, LAST).frame) == 124
    assert len(vendor.log) == 2


def test_an_answer_cut_off_each_time_is_unreadable(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply(chart(vendor), cut=900)] * 3
    with pytest.raises(AnswerUnreadable, match="cut off"):
        yahoo.bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"indicators": {"quote": [{"open": [1.0], "final": [1.0]}]}},
        {"indicators": {"candles": []}},
        {"timestamp": ["yesterday"]},
        {"timestamp": [1]},
        {"meta": {"symbol": "SPY"}},
        {"events": {"splits": {"1": {"when": 1, "ratio": 2}}}},
    ],
)
def test_a_changed_schema_is_unreadable(vendor: Vendor, yahoo: Yahoo, changed: Body) -> None:
    vendor.faults += [Reply(chart(vendor, **changed))]
    with pytest.raises(AnswerUnreadable, match="another shape than yfinance"):
        yahoo.bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 1


@pytest.mark.parametrize("body", [b"<html>be right back</html>", b'{"chart": {"res', {"prices": []}, [], {"chart": 3}])
def test_what_is_no_chart_is_unreadable(vendor: Vendor, yahoo: Yahoo, body: Any) -> None:
    vendor.faults += [Reply(body)]
    with pytest.raises(AnswerUnreadable, match="SPY bars"):
        yahoo.bars(["SPY"], FIRST, LAST)
    assert len(vendor.log) == 1


def test_an_outage_of_cookies_and_crumbs_does_not_touch_prices(made: dict[str, pd.DataFrame]) -> None:
    healthy = yahoo_server(made)

    def answer(asked: Asked) -> Reply:
        return healthy.answer(asked) if asked.path.startswith("/v8") else Reply({}, 404)

    with answering(answer) as vendor:
        assert yahoo_at(vendor.base).bars(["SPY"], FIRST, LAST).missing.empty
        assert len(vendor.log) == 1


# -- profiles


def test_profiles_take_a_cookie_a_crumb_and_one_request_each(vendor: Vendor, yahoo: Yahoo) -> None:
    yahoo.profiles(["AAPL", "SPY"])
    assert [asked.path for asked in vendor.log[:2]] == ["/", "/v1/test/getcrumb"]
    assert len(vendor.asked) == 2
    yahoo.profiles(["AAPL"])
    assert len(vendor.log) == 5


def test_profiles_say_what_a_symbol_is(yahoo: Yahoo) -> None:
    answer = yahoo.profiles(["aapl", "SPY", "EURUSD=X", "BTC-USD", "SPX", "SAP.DE", "NOPE"])
    table = check(answer.frame, PROFILES)
    assert list(table.columns) == PROFILES.names
    assert dict(table["kind"]) == {
        "AAPL": "stock", "BTC-USD": "crypto", "EURUSD=X": "currency", "SAP.DE": "stock", "SPX": "index", "SPY": "etf"
    }  # fmt: skip
    assert table.loc["AAPL", ["name", "sector", "industry"]].tolist() == ["AAPL Inc.", "Technology", "Software"]
    assert table["sector"].isna().tolist() == [False, True, True, False, True, True]
    assert table.loc["SAP.DE", "currency"] == "EUR"
    assert table.loc["AAPL", "dividend_yield"] == pytest.approx(np.log(1.02))
    assert table.loc["SPY", "dividend_yield"] == pytest.approx(np.log(1.0125))
    assert np.isnan(table.loc["SPX", "dividend_yield"])
    assert gaps(answer) == [("NOPE", "profile")]


def test_a_profile_of_another_shape_is_unreadable(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply({"quoteSummary": {"result": [{"price": {"kind": "EQUITY"}}], "error": None}})]
    with pytest.raises(AnswerUnreadable, match="AAPL profile"):
        yahoo.profiles(["AAPL"])


# -- short interest

SETTLED = 1_718_323_200  # 2024-06-14
COUNTED = {"shortPercentOfFloat": 0.0083, "shortRatio": 2.12, "sharesShort": 124_917_523, "dateShortInterest": SETTLED}


@contextmanager
def with_short_interest(figures: dict[str, Any]) -> Iterator[tuple[Vendor, Yahoo]]:
    """Yahoo, whose statistics of AAPL have these ``figures``."""
    inner = yahoo_server()

    def answer(asked: Asked) -> Reply:
        reply = inner.answer(asked)
        if "quoteSummary/AAPL" in asked.path and "defaultKeyStatistics" in asked.query["modules"]:
            reply.body["quoteSummary"]["result"][0]["defaultKeyStatistics"] = {"maxAge": 1, **figures}
        return reply

    with serving(Vendor(answer, inner.of_interest)) as made:
        yield made, yahoo_at(made.base)


def test_short_interest_comes_with_the_profile_and_else_takes_a_request() -> None:
    with with_short_interest(COUNTED) as (vendor, yahoo):
        yahoo.profiles(["AAPL"])
        asked = len(vendor.asked)
        answer = yahoo.short_interest(["aapl"], FIRST, LAST)
        assert len(vendor.asked) == asked
        again = yahoo.short_interest(["AAPL"], FIRST, LAST)
        assert len(vendor.asked) == asked + 1
    frame = check(answer.frame, SHORT_INTEREST)
    assert frame.index.to_list() == [(pd.Timestamp("2024-06-14"), "AAPL")]
    assert frame.iloc[0].to_list() == [pd.Timestamp("2024-06-27"), 0.0083, 2.12, 124_917_523.0]
    pd.testing.assert_frame_equal(again.frame, frame)
    assert answer.missing.empty


@pytest.mark.parametrize(
    ("figures", "words"),
    [({}, "it gives none"), ({"sharesShort": 5}, "it gives none"), (COUNTED | {"dateShortInterest": None}, "none"),
     ({"dateShortInterest": SETTLED}, "none"), (COUNTED | {"dateShortInterest": 86_400}, "none"),
     (COUNTED | {"dateShortInterest": SETTLED - 366 * 86_400}, "only that of 2023-06-14")],
)  # fmt: skip
def test_short_interest_that_is_not_given_or_of_another_time_is_missing(figures: dict[str, Any], words: str) -> None:
    with with_short_interest(figures) as (_, yahoo):
        answer = yahoo.short_interest(["AAPL"], FIRST, LAST)
    assert check(answer.frame, SHORT_INTEREST).empty
    assert gaps(answer) == [("AAPL", "short_interest")]
    assert words in answer.missing["reason"][0]


def test_parts_of_short_interest_may_be_unknown() -> None:
    with with_short_interest({"shortRatio": 3.0, "dateShortInterest": SETTLED}) as (_, yahoo):
        row = yahoo.short_interest(["AAPL"], FIRST, LAST).frame.iloc[0]
    assert row[["percent_of_float", "shares_short"]].isna().all()
    assert row["days_to_cover"] == 3.0


def test_what_has_no_short_interest_is_told_from_what_is_unknown(yahoo: Yahoo) -> None:
    told = yahoo.short_interest(["SPX", "NOPE", "MSFT"], FIRST, LAST).missing.set_index("symbol")["reason"]
    assert "Yahoo has no short interest of SPX" in told["SPX"]
    assert "Yahoo does not know NOPE" in told["NOPE"]
    assert "it gives none" in told["MSFT"]


@pytest.mark.parametrize("wrong", [{"sharesShort": {"raw": 1}}, {"dateShortInterest": "soon"}])
def test_short_interest_of_another_shape_is_unreadable(wrong: dict[str, Any]) -> None:
    with (
        with_short_interest(COUNTED | wrong) as (_, yahoo),
        pytest.raises(AnswerUnreadable, match="AAPL short interest"),
    ):
        yahoo.short_interest(["AAPL"], FIRST, LAST)


def test_a_crumb_that_is_no_longer_good_is_renewed(vendor: Vendor, yahoo: Yahoo) -> None:
    yahoo.profiles(["AAPL"])
    vendor.faults += [Reply({"finance": {"result": None, "error": {"description": "Invalid Crumb"}}}, 401)]
    assert len(yahoo.profiles(["AAPL"]).frame) == 1
    assert len(vendor.asked) == 3
    assert len(vendor.log) == 7


def test_a_server_that_has_no_crumbs_is_asked_without(vendor: Vendor) -> None:
    def answer(asked: Asked) -> Reply:
        known = asked.path.startswith("/v10")
        query = {**asked.query, "crumb": CRUMB}
        return (
            vendor.answer(Asked(asked.path, query, {})) if known else Reply({"no": {"error": {"description": ""}}}, 404)
        )

    with answering(answer) as without:
        assert len(yahoo_at(without.base).profiles(["AAPL"]).frame) == 1
        assert [asked.query.get("crumb") for asked in without.log] == [None] * 3


# -- option chains


def test_a_chain_has_all_expiries_by_osi_symbol(vendor: Vendor, yahoo: Yahoo) -> None:
    answer = yahoo.option_chain("aapl", LAST)
    quotes = check(answer.frame, QUOTES)
    assert len(quotes) == 3 * 2 * 5
    assert len(vendor.asked) == 3
    assert list(quotes.columns) == QUOTES.names
    assert [level.dtype for level in quotes.index.levels] == ["datetime64[us]", "str"]
    row = quotes.loc[(pd.Timestamp(LAST), quotes.index[0][1])]
    assert quotes.index[0][1].startswith("AAPL240705C")
    assert row["ask"] - row["bid"] == pytest.approx(0.1)
    assert row[["underlying", "volume", "open_interest", "implied_volatility"]].tolist() == ["AAPL", 10, 100, 0.25]


def test_the_chain_of_the_spx_is_asked_under_its_own_name(vendor: Vendor, yahoo: Yahoo) -> None:
    assert gaps(yahoo.option_chain("SPX", LAST)) == [("SPX", "quote")]
    assert unquote(vendor.asked[0].path) == "/v7/finance/options/^SPX"


def test_chains_are_of_the_latest_session_only(vendor: Vendor, yahoo: Yahoo) -> None:
    answer = yahoo.option_chain("AAPL", date(2024, 6, 27))
    assert gaps(answer) == [("AAPL", "quote")]
    assert answer.missing["reason"].item() == (
        "Yahoo has option quotes of the latest session only, 2024-06-28, and none of 2024-06-27"
    )
    assert vendor.log == []


def test_before_the_open_chains_are_of_the_session_before(vendor: Vendor) -> None:
    for clock, latest in (((9, 29), "2024-06-27"), ((9, 30), "2024-06-28")):
        now = datetime(2024, 6, 28, *clock, tzinfo=NEW_YORK)
        yahoo = Yahoo(Manners("yahoo", PATIENT), base=vendor.base, now=lambda now=now: now)  # type: ignore[misc]
        reason = yahoo.option_chain("AAPL", date(2024, 6, 26)).missing["reason"].item()
        assert f"the latest session only, {latest}, and none of 2024-06-26" in reason


def test_a_symbol_without_options_is_labelled(yahoo: Yahoo) -> None:
    answer = yahoo.option_chain("BTC-USD", LAST)
    assert gaps(answer) == [("BTC-USD", "quote")]
    assert answer.missing["reason"].item() == "Yahoo has no quote of BTC-USD: it lists no options"


def test_chains_without_a_contract_are_labelled(vendor: Vendor, yahoo: Yahoo) -> None:
    chain = {"expirationDate": 1_720_137_600, "calls": [], "puts": []}
    told = {"expirationDates": [1_720_137_600], "quote": {}, "options": [chain]}
    vendor.faults += [Reply({"optionChain": {"result": [told], "error": None}})]
    answer = yahoo.option_chain("AAPL", LAST)
    assert answer.missing["reason"].item() == "Yahoo has no quote of AAPL: its chains are empty"
    check(answer.frame, QUOTES)


@pytest.mark.parametrize("body", [{"optionChain": {"result": [{"expiries": []}]}}, {"optionChain": None}, []])
def test_a_chain_of_another_shape_is_unreadable(vendor: Vendor, yahoo: Yahoo, body: Any) -> None:
    vendor.faults += [Reply(body)]
    with pytest.raises(AnswerUnreadable, match="AAPL options"):
        yahoo.option_chain("AAPL", LAST)


# -- quotes of this moment


def quoted(*quotes: Body) -> Reply:
    return Reply({"quoteResponse": {"result": list(quotes), "error": None}})


def test_quotes_of_many_symbols_take_one_request(vendor: Vendor, yahoo: Yahoo, made: dict[str, pd.DataFrame]) -> None:
    answer = yahoo.quotes(["aapl ", "SPX", "BRK.B", "BTC/USD", "BTC-USD", "SAP.DE"])
    table = check(answer.frame, LATEST)
    assert answer.missing.empty
    assert list(table.columns) == LATEST.names
    assert list(table.index) == ["AAPL", "BRK.B", "BTC-USD", "BTC/USD", "SAP.DE", "SPX"]
    close = made["AAPL"]["close"].iloc[-1]
    assert table.loc["AAPL", ["bid", "ask", "last"]].tolist() == pytest.approx([close - 0.05, close + 0.05, close])
    assert table.loc["AAPL", "time"] == pd.Timestamp("2024-06-28 20:00:01", tz="UTC")
    assert table["time"].dtype == "datetime64[us, UTC]"
    assert table.loc["BTC/USD", ["bid", "ask"]].isna().all()
    assert table["currency"].tolist() == ["USD", "USD", "USD", "USD", "EUR", "USD"]
    assert [asked.path for asked in vendor.log] == ["/", "/v1/test/getcrumb", "/v7/finance/quote"]
    assert vendor.asked[0].query == {
        "symbols": "AAPL,BRK-B,BTC-USD,SAP.DE,^GSPC", "formatted": "false", "crumb": CRUMB
    }  # fmt: skip


def test_more_symbols_than_yahoo_takes_at_once_are_asked_for_in_turn(vendor: Vendor, yahoo: Yahoo) -> None:
    answer = yahoo.quotes(["SPY", *(f"N{number:03}" for number in range(110))])
    assert [len(asked.query["symbols"].split(",")) for asked in vendor.asked] == [50, 50, 11]
    assert (list(answer.frame.index), len(answer.missing)) == (["SPY"], 110)


def test_a_bid_or_ask_of_zero_is_unknown(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [quoted({"symbol": "SPY", "currency": "USD", "bid": 0, "ask": 0.0, "regularMarketPrice": 5.5})]
    [row] = yahoo.quotes(["SPY"]).frame.itertuples(index=False)
    assert (np.isnan(row.bid), np.isnan(row.ask), row.last, row.currency, row.time) == (True, True, 5.5, "USD", pd.NaT)


def test_the_last_trade_may_be_one_before_or_after_hours(vendor: Vendor, yahoo: Yahoo) -> None:
    told = {"regularMarketPrice": 10.0, "regularMarketTime": 1_719_604_800}
    late, early = told | {"symbol": "LATE"}, told | {"symbol": "EARLY"}
    vendor.faults += [
        quoted(
            late | {"postMarketPrice": 10.5, "postMarketTime": 1_719_608_400},
            early | {"preMarketPrice": 9.5, "preMarketTime": 1_719_561_600},
        )
    ]
    table = yahoo.quotes(["LATE", "EARLY"]).frame
    assert table["last"].to_dict() == {"EARLY": 10.0, "LATE": 10.5}
    assert table.loc["LATE", "time"] == pd.Timestamp("2024-06-28 21:00", tz="UTC")


def test_quotes_in_pence_come_in_pounds(vendor: Vendor, yahoo: Yahoo) -> None:
    told = {"symbol": "VOD.L", "currency": "GBp", "bid": 69.5, "ask": 70.5, "regularMarketPrice": 70.0}
    vendor.faults += [quoted(told)]
    row = yahoo.quotes(["VOD.L"]).frame.loc["VOD.L"]
    assert row[["bid", "ask", "last", "currency"]].tolist() == [0.695, 0.705, 0.7, "GBP"]


def test_symbols_without_a_quote_are_labelled(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [quoted({"symbol": "SPY", "bid": 1.0}, {"symbol": "GONE", "quoteType": "EQUITY"})]
    answer = yahoo.quotes(["NOPE", "SPY", "GONE", "A?B"])
    assert list(check(answer.frame, LATEST).index) == ["SPY"]
    assert dict(zip(answer.missing["symbol"], answer.missing["reason"], strict=True)) == {
        "A?B": "'A?B' is no symbol of Yahoo's; write it as in BRK-B, ^GSPC, EURUSD=X or BTC-USD",
        "GONE": "Yahoo has neither bid, ask nor price of GONE",
        "NOPE": "Yahoo gives no quote of NOPE; write it as in BRK-B, ^GSPC, EURUSD=X or BTC-USD",
    }
    assert set(answer.missing["what"]) == {"quote"}
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("symbols", [[], ["A?B"]])
def test_quotes_of_nothing_that_yahoo_could_know_take_no_request(
    vendor: Vendor, yahoo: Yahoo, symbols: list[str]
) -> None:
    answer = yahoo.quotes(symbols)
    assert check(answer.frame, LATEST).empty
    assert (len(answer.missing), vendor.log) == (len(symbols), [])


def test_quotes_that_yahoo_refuses_are_labelled_with_what_it_says(vendor: Vendor, yahoo: Yahoo) -> None:
    said = 'Missing value for the "symbols" argument'
    vendor.faults += [
        Reply({"finance": {"result": None, "error": {"code": "argument-error", "description": said}}}, 400)
    ]
    answer = yahoo.quotes(["SPY", "AAPL"])
    assert gaps(answer) == [("AAPL", "quote"), ("SPY", "quote")]
    assert answer.missing["reason"][1] == f"Yahoo has no quote of SPY: {said}"


@pytest.mark.parametrize(
    ("faults", "error", "requests"),
    [
        ([Reply({}, 401)], AccessDenied, 1),  # the crumb is new
        ([Reply({}, 403)], AccessDenied, 1),
        ([Reply({}, 429, {"Retry-After": "3600"})], RateLimited, 1),
        ([Reply({}, 500)] * 3, SourceDown, 3),
        ([Reply(b"<html>no such page</html>", 404)], AnswerUnreadable, 1),
        ([Reply({"quoteResponse": {"result": []}}, cut=9)] * 3, AnswerUnreadable, 3),
    ],
)
def test_quotes_that_cannot_be_had_fail_by_type(
    vendor: Vendor, yahoo: Yahoo, faults: list[Reply], error: type[Exception], requests: int
) -> None:
    vendor.faults += faults
    with pytest.raises(error, match=r"/v7/finance/quote"):
        yahoo.quotes(["SPY"])
    assert len(vendor.asked) == requests


def test_requests_for_cookie_and_crumb_are_counted(vendor: Vendor) -> None:
    manners = Manners("yahoo", PATIENT)
    Yahoo(manners, base=vendor.base).quotes(["SPY"])
    assert [asked.path for asked in vendor.log] == ["/", "/v1/test/getcrumb", "/v7/finance/quote"]
    assert manners.requests == 3


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_a_page_with_cookies_may_have_any_status(made: dict[str, pd.DataFrame], status: int) -> None:
    usual = yahoo_server(made).answer
    with answering(lambda asked: Reply({}, status) if asked.path == "/" else usual(asked)) as vendor:
        assert len(yahoo_at(vendor.base).quotes(["SPY"]).frame) == 1
        assert len(vendor.log) == 3


@pytest.mark.parametrize("what", ["profiles", "quotes"])
def test_hosts_of_cookies_that_cannot_be_reached_are_an_outage(what: str) -> None:
    yahoo = yahoo_at("http://127.0.0.1:9", limits=replace(PATIENT, attempts=2))
    with pytest.raises(SourceDown, match=r"cookie from guce\.yahoo\.com: Yahoo gave no answer"):
        getattr(yahoo, what)(["SPY"])


def test_quotes_come_after_a_failure_that_heals(vendor: Vendor, yahoo: Yahoo) -> None:
    vendor.faults += [Reply({}, 500), Reply({}, 503)]
    assert len(yahoo.quotes(["SPY"]).frame) == 1
    assert len(vendor.asked) == 3


def test_quotes_that_do_not_come_in_time_are_an_outage(vendor: Vendor) -> None:
    vendor.faults += [Reply({}, delay=0.5)] * 2
    with pytest.raises(SourceDown, match="Yahoo gave no answer"):
        yahoo_at(vendor.base, limits=replace(PATIENT, timeout=0.1, attempts=2)).quotes(["SPY"])
    assert len(vendor.asked) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"quotes": []},
        {"quoteResponse": {"result": None, "error": {"code": "made"}}},
        {"quoteResponse": {"result": [{"ticker": "SPY", "bid": 1.0}]}},
        {"quoteResponse": {"result": [{"symbol": "SPY", "bid": {"raw": 1.0, "fmt": "1.00"}}]}},
        {"quoteResponse": {"result": [{"symbol": "SPY", "regularMarketPrice": 1.0, "regularMarketTime": "noon"}]}},
        b"<html>be right back</html>",
    ],
)
def test_quotes_of_another_shape_are_unreadable(vendor: Vendor, yahoo: Yahoo, body: Any) -> None:
    vendor.faults += [Reply(body)]
    with pytest.raises(AnswerUnreadable, match="quotes of AAPL, SPY: Yahoo's answer has another shape"):
        yahoo.quotes(["SPY", "AAPL"])
    assert len(vendor.asked) == 1


# -- rates, currencies and opening


def test_its_traits_are_known_without_yfinance() -> None:
    code = """
import sys
import sigmalib.data.yahoo
from sigmalib.data.sources import source_class
assert source_class("yahoo").traits.limits
print(*sys.modules)
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert {"yfinance", "curl_cffi"} & set(ran.stdout.split()) == set()


def test_the_rate_is_the_treasury_bill_as_a_fraction(yahoo: Yahoo, made: dict[str, pd.DataFrame]) -> None:
    rates = yahoo.rates(date(2024, 3, 2), date(2024, 3, 5)).frame
    assert rates.index[0] == pd.Timestamp("2024-03-01")
    bills = 1 - made["^IRX"]["close"]["2024-03-01":"2024-03-05"] / 100 * 91 / 360  # what one of face value 1 costs
    assert rates["rate"].tolist() == pytest.approx((bills ** (-365 / 91) - 1).tolist())


def test_an_exchange_rate_is_the_close_of_its_pair(yahoo: Yahoo) -> None:
    answer = yahoo.fx(["EUR", "CHF"], "USD", date(2024, 3, 4), date(2024, 3, 8))
    assert answer.frame["EUR"].between(0.9, 1.3).all()
    assert gaps(answer) == [("CHF", "fx")]


def test_yahoo_is_opened_by_its_name_with_its_options(vendor: Vendor, tmp_path: Path) -> None:
    opening = Opening({"base": f"{vendor.base}/"}, tmp_path, Manners("yahoo", PATIENT))
    assert len(source_class("yahoo").opened(opening).bars(["SPY"], date(2024, 6, 3), date(2024, 6, 7)).frame) == 5


@pytest.mark.parametrize("base", ["localhost:8080", "ftp://host", "https://", "https://host/path"])
def test_an_address_that_is_none_is_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SIGMA_YAHOO_BASE"):
        Yahoo.opened(Opening({"base": base}, tmp_path, Manners("yahoo", PATIENT)))


# -- recorded answers of February 2025

needs_recordings = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="no recorded answers in shared/data beside the project"
)
CHARTS = {
    "AAPL": "chart-AAPL-2020-08-31-to-2020-11-07",
    "MSFT": "historical-via-chart-MSFT-dividends-2021-02-01-to-2022-01-31.csv",
    "NVDA": "historical-via-chart-NVDA-split-2021-02-01-to-2022-01-31.csv",
    "QQQ": "chart-QQQ-2020-01-01-to-2020-01-03",
    "BTC-USD": "chart-BTC-USD-2020-01-01-to-2020-01-03",
    "EURUSD=X": "chart-EURUSD_X-2020-01-01-to-2020-01-03",
    "WSU.DE": "chart-WSU.DE-2023-08-04-to-2023-08-09",
}
RECORDED_DAY = date(2025, 2, 24)


def recorded(name: str) -> Reply:
    told = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return Reply(told["body"], told["status"])


@contextmanager
def replaying(answers: dict[str, Sequence[str]]) -> Iterator[tuple[Vendor, Yahoo]]:
    """A server that gives the recorded answers of a path in turn, the last one from then on."""
    left = {path: list(names) for path, names in answers.items()}

    def answer(asked: Asked) -> Reply:
        names = left.get(unquote(asked.path))
        if names is None:
            return Reply(CRUMB.encode() if asked.path.endswith("getcrumb") else b"", 200)
        return recorded(names.pop(0) if len(names) > 1 else names[0])

    with answering(answer) as vendor:
        yield vendor, yahoo_at(vendor.base, today=RECORDED_DAY)


def recorded_bars(symbol: str, name: str, start: date = date(2020, 1, 1)) -> tuple[pd.DataFrame, Body]:
    with replaying({f"/v8/finance/chart/{symbol}": [name]}) as (_, yahoo):
        bars = one(yahoo.bars([symbol], start, date(2025, 1, 1)), symbol)
    return bars, recorded(name).body["chart"]["result"][0]


@needs_recordings
@pytest.mark.parametrize(("symbol", "name"), CHARTS.items())
def test_recorded_prices_come_with_the_splits_recorded_undone(symbol: str, name: str) -> None:
    bars, told = recorded_bars(symbol, name)
    quote = told["indicators"]["quote"][0]
    later = bars["split"][::-1].cumprod().shift(fill_value=1.0)[::-1]
    assert (bars["close"] / later).tolist() == pytest.approx(quote["close"])
    assert (bars["volume"] * later).tolist() == pytest.approx(quote["volume"])
    zone = told["meta"]["exchangeTimezoneName"]
    days = pd.to_datetime(told["timestamp"], unit="s", utc=True).tz_convert(zone).tz_localize(None).normalize()
    assert list(bars.index) == list(days)


@needs_recordings
@pytest.mark.parametrize("symbol", ["AAPL", "MSFT"])
def test_recorded_returns_are_those_of_the_recorded_adjusted_close(symbol: str) -> None:
    bars, told = recorded_bars(symbol, CHARTS[symbol])
    held = bars["close"].shift() / bars["split"] - bars["dividend"]
    theirs = pd.Series(told["indicators"]["adjclose"][0]["adjclose"]).pct_change()
    assert (bars["dividend"] > 0).sum() == len(told["events"]["dividends"])
    assert (bars["close"] / held - 1)[1:].tolist() == pytest.approx(theirs[1:].tolist(), abs=1e-6)


@needs_recordings
def test_the_recorded_split_of_nvidia_is_undone_before_its_day() -> None:
    bars, told = recorded_bars("NVDA", CHARTS["NVDA"])
    given = pd.Series(told["indicators"]["quote"][0]["close"], bars.index)
    ratio = bars["close"] / given
    assert bars.index[bars["split"] != 1].tolist() == [pd.Timestamp("2021-07-20")]
    assert ratio[:"2021-07-19"].tolist() == pytest.approx([4.0] * 117)
    assert set(ratio["2021-07-20":]) == {1.0}


@needs_recordings
def test_recorded_days_of_a_currency_and_of_crypto_are_their_own() -> None:
    bars, _ = recorded_bars("EURUSD=X", CHARTS["EURUSD=X"])
    assert [str(day.date()) for day in bars.index] == ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert [str(day.date()) for day in recorded_bars("WSU.DE", CHARTS["WSU.DE"])[0].index] == [
        "2023-08-04", "2023-08-07", "2023-08-08"
    ]  # fmt: skip


@needs_recordings
def test_a_recorded_weekend_of_minutes_is_missing() -> None:
    name = "chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m"
    with replaying({"/v8/finance/chart/AAPL": [name]}) as (vendor, yahoo):
        answer = yahoo.bars(["AAPL"], date(2025, 2, 1), date(2025, 2, 2), "1m")
        assert gaps(answer) == [("AAPL", "price")]
        assert len(vendor.log) == 1


@needs_recordings
@pytest.mark.parametrize(("symbol", "expiries"), [("AAPL", 20), ("EBAY", 15)])
def test_a_chain_recorded_at_night_has_last_prices_only(symbol: str, expiries: int) -> None:
    names = [f"options-{symbol}", "options-AAPL-expire-2022-03-01"]
    with replaying({f"/v7/finance/options/{symbol}": names}) as (vendor, yahoo):
        quotes = check(yahoo.option_chain(symbol, RECORDED_DAY).frame, QUOTES)
    told = recorded(names[0]).body["optionChain"]["result"][0]["options"][0]
    assert len(vendor.asked) - 1 == expiries
    assert len(quotes) == len(told["calls"]) + len(told["puts"])
    assert quotes[["bid", "ask"]].isna().mean(axis=None) > 0.9
    assert quotes["last"].notna().all()
    assert not (quotes["implied_volatility"] <= 1e-4).any()


@needs_recordings
def test_a_recorded_symbol_without_options_is_labelled() -> None:
    with replaying({"/v7/finance/options/ADH": ["options-ADH"]}) as (_, yahoo):
        assert gaps(yahoo.option_chain("ADH", RECORDED_DAY)) == [("ADH", "quote")]


@needs_recordings
def test_recorded_profiles_are_read() -> None:
    modules = ("price", "assetProfile", "summaryDetail")
    parts = [recorded(f"quoteSummary-{module}-AAPL").body["quoteSummary"]["result"][0] for module in modules]
    whole = {"quoteSummary": {"result": [parts[0] | parts[1] | parts[2]], "error": None}}

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/AAPL"):
            return Reply(whole)
        return recorded("quoteSummary-assetProfile-ADH") if asked.path.endswith("/ADH") else Reply(CRUMB.encode())

    with answering(answer) as vendor:
        profiles = yahoo_at(vendor.base).profiles(["AAPL", "ADH"])
    assert profiles.frame.loc["AAPL"].tolist()[:5] == [
        "Apple Inc.",
        "stock",
        "Technology",
        "Consumer Electronics",
        "USD",
    ]
    assert profiles.frame.loc["AAPL", "dividend_yield"] == pytest.approx(np.log(1.0041))
    assert gaps(profiles) == [("ADH", "profile")]


@needs_recordings
@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("quote-AAPL", ["AAPL", 244.44, 253.37, 244.64, "USD"]),
        ("quote-BTC-USD", ["BTC-USD", None, None, 96077.45, "USD"]),
    ],
)
def test_recorded_quotes_are_read(name: str, row: list[object]) -> None:
    with replaying({"/v7/finance/quote": [name]}) as (_, yahoo):
        table = check(yahoo.quotes([str(row[0])]).frame, LATEST)
    told = recorded(name).body["quoteResponse"]["result"][0]
    newest = told.get("postMarketTime", told["regularMarketTime"])
    assert (
        table.drop(columns="time").reset_index().astype("object").where(lambda t: t.notna(), None).iloc[0].tolist()
        == row
    )
    assert table["time"].tolist() == [pd.Timestamp(newest, unit="s", tz="UTC")]


@needs_recordings
def test_recorded_quotes_of_two_symbols_and_of_an_expired_option() -> None:
    with replaying({"/v7/finance/quote": ["quote-AAPL-BABA", "quote-AAPL220121C00025000"]}) as (vendor, yahoo):
        assert yahoo.quotes(["BABA", "AAPL"]).frame["last"].to_dict() == {"AAPL": 244.64, "BABA": 124.81}
        expired = yahoo.quotes(["AAPL220121C00025000"])
    assert gaps(expired) == [("AAPL220121C00025000", "quote")]
    assert len(vendor.asked) == 3  # a crumb, and one each


@needs_recordings
def test_recorded_short_interest_is_read() -> None:
    parts = [recorded(f"quoteSummary-{module}-AAPL").body["quoteSummary"]["result"][0]
             for module in ("price", "defaultKeyStatistics")]  # fmt: skip
    whole = {"quoteSummary": {"result": [parts[0] | parts[1]], "error": None}}
    with answering(lambda asked: Reply(whole if asked.path.endswith("/AAPL") else CRUMB.encode())) as vendor:
        found = yahoo_at(vendor.base).short_interest(["AAPL"], date(2025, 1, 1), date(2025, 2, 28)).frame
    assert found.index.to_list() == [(pd.Timestamp("2025-01-31"), "AAPL")]
    assert found.iloc[0].to_list() == [pd.Timestamp("2025-02-12"), 0.0083, 2.12, 124_917_523.0]

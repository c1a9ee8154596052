"""Polygon: its real client against a server of ours that speaks its schema, and against its recorded answers."""

from __future__ import annotations

import gc
import json
import re
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import AccessDenied, AnswerUnreadable, DataUnavailable, InputError, RateLimited, SourceDown
from sigmalib.core.frames import BARS, LATEST, MINUTES, PROFILES, QUOTES, SHORT_INTEREST, check
from sigmalib.data.manners import Bucket, Limits, Manners
from sigmalib.data.polygon import Polygon
from sigmalib.data.polygon_symbols import ticker_of
from sigmalib.data.sources import Opening, source_class
from tests.polygon import KEY, contract, dividend, listing, made_bar, made_yields, polygon_server, split
from tests.vendors import Asked, Reply, Vendor, serving

LIMITS = Limits(per_minute=6e6, burst=1000, workers=4, timeout=5, attempts=3)
START, END = date(2024, 3, 7), date(2024, 3, 12)  # Thursday to Tuesday; the clocks change on Sunday the 10th
RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "polygon" / "polygon_mock_responses.json"

Open = Callable[..., Polygon]


@pytest.fixture(scope="module")
def door() -> Iterator[list[Vendor]]:
    """One server for all tests, as starting many would take most of the time: the last vendor in the list answers."""
    vendors: list[Vendor] = [Vendor(lambda _: Reply(status=500))]
    with serving(Vendor(lambda asked: vendors[-1].reply(asked))) as front:
        vendors[0].base = front.base
        yield vendors


@pytest.fixture
def polygon(door: list[Vendor]) -> Open:
    """The source, opened for a vendor that answers from now on."""

    def opened(
        vendor: Vendor,
        *,
        key: str = KEY,
        now: str = "2026-06-30 22:00",
        limits: Limits = LIMITS,
        waits: list[float] | None = None,
    ) -> Polygon:
        manners = Manners("polygon", limits, sleep=([] if waits is None else waits).append)
        if not vendor.base:
            vendor.base = door[0].base
            door.append(vendor)
        opening = Opening({"key": key, "base": vendor.base}, Path(), manners)
        return Polygon(opening, now=lambda: pd.Timestamp(now, tz="UTC"))

    return opened


def test_its_traits_are_known_without_the_vendors_client() -> None:
    code = """
import sys
import sigmalib.data.polygon
from sigmalib.data.sources import source_class
assert source_class("polygon").traits.limits
print(*sys.modules)
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert {"polygon", "urllib3"} & set(ran.stdout.split()) == set()


def test_the_register_opens_it_without_a_request_and_without_showing_the_key() -> None:
    manners = Manners("polygon", LIMITS)
    opening = Opening({"key": KEY}, Path(), manners)
    source = source_class("polygon").opened(opening)
    assert source.name == "polygon"
    assert manners.requests == 0
    assert KEY not in repr(source) + repr(opening) + repr(vars(source))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "SIGMA_POLYGON_KEY is not set"),
        ({"key": " "}, "SIGMA_POLYGON_KEY is not set"),
        ({"key": "hidden\nline"}, "has characters that no key has"),
        ({"key": "hidden", "base": "localhost:1"}, "SIGMA_POLYGON_BASE is 'localhost:1'"),
    ],
)
def test_options_that_cannot_be_used_are_refused_without_showing_the_key(options: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        Polygon.opened(Opening(options, Path(), Manners("polygon", LIMITS)))
    assert "hidden" not in str(refused.value)


# -- daily bars


def test_daily_bars_are_as_traded_and_take_three_requests(polygon: Open) -> None:
    vendor = polygon_server()
    answer = polygon(vendor).bars(["AAPL"], START, END)
    check(answer.frame, BARS)
    assert list(answer.frame.columns) == BARS.names
    assert answer.missing.empty
    assert list(answer.frame.index) == [(pd.Timestamp(f"2024-03-{day:02}"), "AAPL") for day in (7, 8, 11, 12)]
    assert answer.frame.index.dtypes.to_dict() == {
        "session": np.dtype("<M8[us]"),
        "symbol": pd.StringDtype(na_value=np.nan),
    }
    made = made_bar("AAPL", END)
    row = answer.frame.loc[(pd.Timestamp(END), "AAPL")]
    assert row[["open", "high", "low", "close", "volume"]].tolist() == [made[letter] for letter in "ohlcv"]
    assert row[["dividend", "split", "source"]].tolist() == [0.0, 1.0, "polygon"]
    assert answer.frame["adjusted_close"].isna().all()
    bars, dividends, splits = vendor.log
    assert bars.path == "/v2/aggs/ticker/AAPL/range/1/day/2024-03-07/2024-03-12"
    assert bars.query == {"adjusted": "false", "sort": "asc", "limit": "50000"}
    assert dividends.query == {
        "ticker": "AAPL",
        "ex_dividend_date.gte": "2024-03-07",
        "ex_dividend_date.lte": "2024-03-12",
        "limit": "1000",
    }
    assert splits.query["execution_date.gte"] == "2024-03-07"


@pytest.mark.parametrize(
    ("start", "end", "sessions"),
    [
        (date(2024, 3, 8), date(2024, 3, 11), ["2024-03-08", "2024-03-11"]),
        (date(2024, 11, 1), date(2024, 11, 4), ["2024-11-01", "2024-11-04"]),
    ],
)
def test_sessions_are_right_on_both_sides_of_a_clock_change(
    polygon: Open, start: date, end: date, sessions: list[str]
) -> None:
    answer = polygon(polygon_server()).bars(["SPY"], start, end)
    assert [f"{day:%Y-%m-%d}" for day in answer.frame.index.get_level_values("session")] == sessions


def test_crypto_trades_every_day_of_utc_and_takes_one_request(polygon: Open) -> None:
    vendor = polygon_server()
    answer = polygon(vendor).bars(["BTC/USD"], START, END)
    assert answer.frame.index.get_level_values("session").day.tolist() == [7, 8, 9, 10, 11, 12]
    assert answer.frame[["dividend", "split"]].drop_duplicates().to_numpy().tolist() == [[0.0, 1.0]]
    assert answer.missing.empty
    assert [asked.path.split("/")[4] for asked in vendor.log] == ["X:BTCUSD"]


def test_an_index_has_no_volume_and_an_option_no_known_actions(polygon: Open) -> None:
    frame = polygon(polygon_server()).bars(["VIX", "AAPL240119C00150000"], START, END).frame
    assert frame.xs("VIX", level="symbol")["volume"].isna().all()
    assert (frame.xs("VIX", level="symbol")["split"] == 1).all()
    assert frame.xs("AAPL240119C00150000", level="symbol")[["dividend", "split"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("symbol", "ticker"),
    [
        ("AAPL", "AAPL"),
        ("BRK.B", "BRK.B"),
        ("AAPL240119C00150000", "O:AAPL240119C00150000"),
        ("AAPL  240119C00150000", "O:AAPL240119C00150000"),
        ("O:AAPL240119C00150000", "O:AAPL240119C00150000"),
        ("BTC/USD", "X:BTCUSD"),
        ("X:BTCUSD", "X:BTCUSD"),
        ("BTC/EUR", "X:BTCEUR"),
        ("USDT/USD", "X:USDTUSD"),
        ("EUR/USD", "C:EURUSD"),
        ("C:EURUSD", "C:EURUSD"),
        ("SPX", "I:SPX"),
        ("I:NDX", "I:NDX"),
    ],
)
def test_a_symbol_is_asked_by_polygons_name(symbol: str, ticker: str) -> None:
    assert ticker_of(symbol) == ticker


def test_answers_come_under_the_symbols_asked_in_upper_case_by_session_and_symbol(polygon: Open) -> None:
    frame = polygon(polygon_server()).bars(["spx", "EUR/USD", "AAPL", "aapl "], date(2024, 3, 11), END).frame
    assert frame.index.get_level_values("symbol").tolist() == ["AAPL", "EUR/USD", "SPX"] * 2
    assert frame.index.is_monotonic_increasing


def test_a_symbol_cannot_leave_its_place_in_the_address(polygon: Open) -> None:
    vendor = polygon_server()
    polygon(vendor).bars(["../A?B=C"], START, END)
    assert vendor.log[0].path.startswith("/v2/aggs/ticker/X:..A%3FB%3DC/range/1/day/")


def test_pages_are_followed_on_the_same_host(polygon: Open) -> None:
    whole = polygon(polygon_server()).bars(["AAPL"], date(2024, 1, 2), END).frame
    vendor = polygon_server(page=20)
    paged = polygon(vendor).bars(["AAPL"], date(2024, 1, 2), END).frame
    pd.testing.assert_frame_equal(paged, whole)
    cursors = [asked.query.get("cursor") for asked in vendor.log if "/aggs/" in asked.path]
    assert cursors == [None, "20", "40"]
    assert vendor.log[1].query["adjusted"] == "false"


def test_a_page_that_is_not_there_is_no_end_of_the_bars(polygon: Open) -> None:
    vendor = polygon_server(page=2)
    vendor.of_interest = lambda asked: "cursor" in asked.query
    vendor.faults = [Reply({"status": "NOT_FOUND"}, status=404)]
    with pytest.raises(DataUnavailable, match="404"):
        polygon(vendor).bars(["AAPL"], START, END)


@pytest.mark.parametrize("cursors", [["1"], ["1", "2"]])
def test_pages_that_lead_in_a_circle_are_unreadable(polygon: Open, cursors: list[str]) -> None:
    """Each page names the next; the last names the first again."""
    circle = cycle(cursors)

    def page(asked: Asked) -> Reply:
        return Reply(body(bar(), next_url=f"https://elsewhere{asked.path}?cursor={next(circle)}"))

    vendor = Vendor(page)
    failing(polygon(vendor), AnswerUnreadable, "Polygon's pages lead in a circle")
    assert [asked.query.get("cursor") for asked in vendor.log] == [None, *cursors]


def test_the_same_pages_may_be_followed_by_the_next_question(polygon: Open) -> None:
    vendor = polygon_server(page=2)
    source = polygon(vendor)
    first, second = (source.bars(["AAPL"], START, END).frame for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert [asked.query.get("cursor") for asked in vendor.log if "/aggs/" in asked.path] == [None, "2"] * 2


def test_a_start_after_the_end_is_refused(polygon: Open) -> None:
    with pytest.raises(InputError, match="2024-03-12 lies after `end` 2024-03-07; swap them"):
        polygon(polygon_server()).bars(["AAPL"], END, START)


def test_a_session_that_is_not_over_is_left_out(polygon: Open) -> None:
    vendor = polygon_server()
    for now, last in [("2024-03-12 19:59", 11), ("2024-03-12 20:00", 12)]:  # the exchange closes at 20:00 UTC
        answer = polygon(vendor, now=now).bars(["AAPL"], START, END)
        assert answer.frame.index[-1][0].day == last
        assert answer.missing.empty
    days = polygon(vendor, now="2024-03-12 23:59").bars(["BTC/USD"], START, END).frame.index
    assert days[-1][0].day == 11


# -- dividends and splits


def test_dividends_and_splits_are_put_on_the_session_they_go_ex(polygon: Open) -> None:
    vendor = polygon_server(
        dividends=[
            dividend("AAPL", "2024-03-08", 0.24),
            dividend("AAPL", "2024-03-08", 1.5),
            dividend("AAPL", "2024-03-09", 0.1),  # a Saturday
            dividend("MSFT", "2024-03-11", 9.0),
            dividend("AAPL", "2024-03-13", 7.0),
        ],
        splits=[split("AAPL", "2024-03-11", 4), split("AAPL", "2024-03-11", 3, 2), split("AAPL", "2024-03-12", 1, 10)],
    )
    frame = polygon(vendor).bars(["AAPL"], START, END).frame
    assert frame["dividend"].tolist() == pytest.approx([0, 1.74, 0.1, 0])
    assert frame["split"].tolist() == pytest.approx([1, 1, 6, 0.1])


def test_an_ex_date_on_the_weekend_before_the_range_belongs_to_its_first_session(polygon: Open) -> None:
    vendor = polygon_server(dividends=[dividend("AAPL", f"2024-03-{day:02}", day) for day in (8, 9, 10, 11)])
    frame = polygon(vendor).bars(["AAPL"], date(2024, 3, 11), END).frame
    assert frame["dividend"].tolist() == [30.0, 0.0]


def test_the_action_of_another_ticker_is_not_taken_for_ones_own(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.of_interest = lambda asked: "/reference/" in asked.path
    vendor.faults = [
        Reply({"status": "OK", "results": [dividend("MSFT", "2024-03-08", 3.0)]}),
        Reply({"status": "OK", "results": [split("MSFT", "2024-03-08", 2)]}),
    ]
    frame = polygon(vendor).bars(["AAPL"], START, END).frame
    assert (frame["dividend"] == 0).all()
    assert (frame["split"] == 1).all()


def test_dividends_paid_before_the_first_bar_are_not_piled_upon_it(polygon: Open) -> None:
    """When a plan gives the last years only, what went ex before them is no part of the answer."""
    paid = [dividend("AAPL", "2024-02-01", 5.0), dividend("AAPL", "2024-03-11", 0.5)]
    vendor = polygon_server(dividends=paid, listed={"AAPL": date(2024, 3, 8)})
    answer = polygon(vendor).bars(["AAPL"], date(2024, 1, 2), END)
    assert answer.frame["dividend"].tolist() == [0.0, 0.5, 0.0]
    assert answer.missing["what"].tolist() == ["history"]


def test_a_dividend_in_another_currency_is_unknown_and_told(polygon: Open) -> None:
    vendor = polygon_server(dividends=[dividend("TD", "2024-03-08", 1.0, "CAD")])
    answer = polygon(vendor).bars(["TD"], START, END)
    assert answer.frame["dividend"].isna().tolist() == [False, True, False, False]
    assert answer.missing.to_numpy().tolist() == [
        ["TD", "history", "the dividend of TD on 2024-03-08 is in CAD, so it counts as unknown"]
    ]


# -- minutes


def test_minutes_keep_their_utc_instant_over_a_clock_change(polygon: Open) -> None:
    vendor = polygon_server()
    answer = polygon(vendor).bars(["AAPL"], date(2024, 3, 8), date(2024, 3, 11), "1m")
    check(answer.frame, MINUTES)
    times = answer.frame.index.get_level_values("time")
    assert str(times.dtype) == "datetime64[us, UTC]"
    assert len(times) == 2 * 390
    assert (str(times[0]), str(times[390])) == ("2024-03-08 14:30:00+00:00", "2024-03-11 13:30:00+00:00")
    assert answer.frame[["dividend", "split", "adjusted_close"]].isna().all(axis=None)
    assert answer.missing.empty
    assert [asked.path for asked in vendor.log] == ["/v2/aggs/ticker/AAPL/range/1/minute/2024-03-08/2024-03-11"]


def test_a_minute_that_is_not_over_is_left_out(polygon: Open) -> None:
    frame = polygon(polygon_server(), now="2024-03-12 15:00:30").bars(["AAPL"], END, END, "1m").frame
    assert frame.index[-1][0] == pd.Timestamp("2024-03-12 14:59", tz="UTC")


# -- what there is none of


def test_an_unknown_symbol_is_missing_beside_those_that_are_known(polygon: Open) -> None:
    vendor = polygon_server()
    answer = polygon(vendor).bars(["AAPL", "NOPE"], START, END)
    assert answer.frame.index.get_level_values("symbol").unique().tolist() == ["AAPL"]
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["NOPE", "price"]]
    assert answer.missing["reason"][0].startswith("Polygon does not know NOPE; check the spelling")
    assert [asked.path for asked in vendor.log][-2:] == [
        "/v2/aggs/ticker/NOPE/range/1/day/2024-03-07/2024-03-12",
        "/v3/reference/tickers/NOPE",
    ]


def test_a_404_for_bars_is_an_unknown_symbol_and_not_repeated(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({"status": "NOT_FOUND"}, status=404)]
    answer = polygon(vendor).bars(["NOPE"], START, END)
    assert answer.missing["what"].tolist() == ["price"]
    assert len(vendor.log) == 2


def test_nothing_in_the_range_names_the_day_of_listing(polygon: Open) -> None:
    answer = polygon(polygon_server(listed={"NEW": date(2025, 5, 1)})).bars(["NEW"], START, END)
    check(answer.frame, BARS)
    assert answer.frame.empty
    assert answer.missing["reason"][0] == (
        "Polygon has no NEW from 2024-03-07 to 2024-03-12; it was listed on 2025-05-01; ask for other dates"
    )


def test_an_option_without_trades_takes_one_request(polygon: Open) -> None:
    vendor = polygon_server(unknown=["O:AAPL240119C00150000"])
    answer = polygon(vendor).bars(["AAPL240119C00150000"], START, END)
    assert "no trades, or no such contract" in answer.missing["reason"][0]
    assert len(vendor.log) == 1


@pytest.mark.parametrize("interval", ["1d", "1m"])
def test_a_range_that_is_there_in_part_says_which_part(polygon: Open, interval: Any) -> None:
    vendor = polygon_server(listed={"NEW": date(2024, 3, 11)})
    answer = polygon(vendor).bars(["NEW"], START, END, interval)
    assert answer.missing.to_numpy().tolist() == [
        ["NEW", "history", "not all of NEW from 2024-03-07 to 2024-03-12; Polygon has 2024-03-11 to 2024-03-12"]
    ]


# -- faults: each is of a type, says what was asked, and never shows the key


def failing(source: Polygon, error: type[DataUnavailable], told: str = "") -> str:
    """The message of the ``error`` that bars of AAPL end in."""
    with pytest.raises(error, match=told) as failed:
        source.bars(["AAPL"], START, END)
    assert type(failed.value) is error
    assert KEY not in str(failed.value)
    assert "AAPL" in str(failed.value)
    return str(failed.value)


def test_a_wrong_key_is_denied_after_one_request(polygon: Open) -> None:
    vendor = polygon_server(key="another-key")
    assert "SIGMA_POLYGON_KEY" in failing(polygon(vendor), AccessDenied, r"\(401\)")
    assert len(vendor.log) == 1


def test_what_the_plan_leaves_out_is_denied_after_one_request(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({"status": "NOT_AUTHORIZED", "message": "made: not in your plan"}, status=403)]
    failing(polygon(vendor), AccessDenied, "what its plan includes")
    assert len(vendor.log) == 1


def test_a_limit_is_waited_out_as_long_as_polygon_asks(polygon: Open) -> None:
    vendor, waits = polygon_server(), list[float]()
    vendor.faults = [Reply({"status": "ERROR"}, status=429, headers={"Retry-After": "12"})]
    assert len(polygon(vendor, waits=waits).bars(["AAPL"], START, END).frame) == 4
    assert waits == [12.0]
    assert len(vendor.log) == 4


def test_a_limit_without_a_time_is_tried_again_and_then_told(polygon: Open) -> None:
    vendor, waits = polygon_server(), list[float]()
    vendor.faults = [Reply({"status": "ERROR"}, status=429)] * 3
    failing(polygon(vendor, waits=waits), RateLimited, "429")
    assert len(vendor.log) == 3
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1]


def test_a_failure_that_heals_is_not_noticed(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({}, status=500), Reply(b"<html>", status=502)]
    assert len(polygon(vendor).bars(["AAPL"], START, END).frame) == 4
    assert len(vendor.log) == 5


def test_a_failure_that_stays_is_an_outage(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({}, status=503)] * 3
    failing(polygon(vendor), SourceDown, "503")
    assert len(vendor.log) == 3


def test_a_server_that_takes_too_long_is_an_outage(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({}, delay=0.4)] * 2
    failing(polygon(vendor, limits=Limits(per_minute=6e6, timeout=0.1, attempts=2)), SourceDown, "ReadTimeoutError")
    assert len(vendor.log) == 2


def test_an_answer_that_drips_is_given_up_after_three_time_outs_and_asked_for_again() -> None:
    began = time.monotonic()
    with dripping(0.05) as (base, connected):
        limits = Limits(per_minute=6e6, timeout=0.1, attempts=2)
        source = Polygon.opened(
            Opening({"key": KEY, "base": base}, Path(), Manners("polygon", limits, sleep=[].append))
        )
        failing(source, SourceDown, "TimeoutError")
    assert len(connected) == 2
    assert time.monotonic() - began < 2


@contextmanager
def dripping(every: float) -> Iterator[tuple[str, list[object]]]:
    """A server that sends a byte of a long body ``every`` so many seconds, and who connected to it."""
    connected: list[object] = []

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connected.append(self.client_address)
            self.request.recv(65536)
            with suppress(OSError):  # the client gave up
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                for _ in range(100):
                    self.request.sendall(b" ")
                    time.sleep(every)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close = True, False

    with Server(("127.0.0.1", 0), Drip) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", connected
        server.shutdown()


def test_by_default_no_minute_has_more_than_five_requests() -> None:
    clock, sent = [0.0], []
    bucket = Bucket(Polygon.traits.limits, clock=lambda: clock[0], sleep=lambda wait: clock.insert(0, clock[0] + wait))
    for _ in range(20):
        bucket.take()
        sent.append(clock[0])
    assert max(sum(0 <= other - first <= 60 for other in sent) for first in sent) == 5


def test_a_server_that_is_not_there_is_an_outage() -> None:
    manners = Manners("polygon", LIMITS, sleep=lambda _: None)
    source = Polygon.opened(Opening({"key": KEY, "base": "http://127.0.0.1:9"}, Path(), manners))
    failing(source, SourceDown, "gave no answer")
    assert manners.requests == 3


def test_a_body_that_breaks_off_is_asked_for_again(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({"status": "OK", "results": [1] * 99}, cut=30)]
    assert len(polygon(vendor).bars(["AAPL"], START, END).frame) == 4
    assert len(vendor.log) == 4
    vendor.faults = [Reply({"status": "OK", "results": [1] * 99}, cut=30)] * 3
    failing(polygon(vendor), SourceDown, "ProtocolError")


def test_a_redirection_is_not_followed(polygon: Open) -> None:
    vendor = polygon_server()
    with serving(polygon_server()) as other:
        vendor.faults = [Reply(b"", status=302, headers={"Location": f"{other.base}/v2/aggs/ticker/AAPL"})]
        failing(polygon(vendor), DataUnavailable, "answers 302")
        assert other.log == []
    assert len(vendor.log) == 1


def bar(**fields: object) -> dict[str, object]:
    """A bar of 2024-03-08; a field that is None is left out."""
    said: dict[str, object] = {"o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 10, "t": 1709874000000, **fields}
    return {name: value for name, value in said.items() if value is not None}


def body(*bars: object, **fields: object) -> dict[str, object]:
    """An answer with bars; ``fields`` replace what it says."""
    return {"ticker": "AAPL", "resultsCount": len(bars), "results": list(bars), "status": "OK", **fields}


UNREADABLE = {
    "no JSON": (b"<html>maintenance</html>", "is not JSON"),
    "JSON that ends early": (b'{"status": "OK", "results": [{"o": 1', "is not JSON"),
    "no text": (b'{"status": "\xff"}', "is not text"),
    "nested without end": (b"[" * 100_000, "is not JSON"),
    "a list": ([bar()], "status 'None'"),
    "no status": ({"results": [bar()]}, "status 'None'"),
    "a failure with a good status code": ({"status": "ERROR", "error": "made"}, "status 'ERROR'"),
    "results under another name": ({"status": "OK", "resultsCount": 1, "rows": [bar()]}, "without the field results"),
    "neither results nor their count": ({"status": "OK"}, "without the field results"),
    "fewer results than counted": (body(resultsCount=5), "without the field results"),
    "results that are no list": (body(results=5), "another shape"),
    "results of nothing": (body(results=None), "another shape"),
    "a bar that is no object": (body(7), "another shape"),
    "no close": (body(bar(), bar(c=None)), "nothing instead of a number in the field c"),
    "no open": (body(bar(o=None)), "field o"),
    "no high": (body(bar(h=None)), "field h"),
    "no low": (body(bar(l=None)), "field l"),
    "no volume": (body(bar(v=None)), "field v"),
    "no time": (body(bar(t=None)), "field t"),
    "no price at all": (body(bar(o=None, h=None, l=None, c=None)), "field o"),
    "a price as text": (body(bar(c="1.5")), "str instead of a number in the field c"),
    "a price as truth": (body(bar(c=True)), "bool instead of a number in the field c"),
    "a time in seconds": (body(bar(t=1709874000)), "other days in the field t"),
    "a time in nanoseconds": (body(bar(t=1709874000000000000)), "other days in the field t"),
    "a next page that is no address": (body(bar(), next_url=5), "another shape"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_bars_in_no_known_shape_are_unreadable_after_one_request(
    polygon: Open, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said, told = UNREADABLE[name]
    vendor = polygon_server()
    vendor.faults = [Reply(said)]
    failing(polygon(vendor), AnswerUnreadable, told)
    assert len(vendor.log) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("path", "record", "told"),
    [
        ("dividends", {"ticker": "AAPL", "ex_dividend_date": "2024-03-08", "amount": 1}, "field cash_amount"),
        ("dividends", {"ticker": "AAPL", "cash_amount": 1, "ex_date": "2024-03-08"}, "field ex_dividend_date"),
        ("dividends", {"symbol": "AAPL", "cash_amount": 1, "ex_dividend_date": "2024-03-08"}, "field ticker"),
        ("splits", {"ticker": "AAPL", "execution_date": "2024-03-08", "split_to": 2}, "field split_from"),
        (
            "splits",
            {"ticker": "AAPL", "execution_date": "2024-03-08", "split_to": 2, "split_from": 0},
            "0 in the field",
        ),
        ("splits", {"ticker": "AAPL", "execution_date": 5, "split_to": 2, "split_from": 1}, "field execution_date"),
    ],
)
def test_actions_in_no_known_shape_are_unreadable(polygon: Open, path: str, record: object, told: str) -> None:
    vendor = polygon_server()
    vendor.of_interest = lambda asked: asked.path.endswith(path)
    vendor.faults = [Reply({"status": "OK", "results": [record]})]
    failing(polygon(vendor), AnswerUnreadable, told)


def test_actions_without_results_are_not_taken_for_none(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.of_interest = lambda asked: asked.path.endswith("dividends")
    vendor.faults = [Reply({"status": "OK", "rows": []})]
    failing(polygon(vendor), AnswerUnreadable, "without the field results")


def test_an_absent_session_and_an_empty_next_page_are_no_fault(polygon: Open) -> None:
    vendor = polygon_server()
    absent = bar(o=None, h=None, l=None, c=None, t=1709787600000)
    vendor.faults = [Reply(body(absent, bar(), status="DELAYED", next_url=None))]
    assert polygon(vendor).bars(["AAPL"], START, END).frame["close"].tolist() == [1.5]


def test_bad_rows_are_passed_on(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply(body(bar(c=-1.0), bar(h=0.1), bar(t=1709787600000)))]
    frame = polygon(vendor).bars(["AAPL"], START, END).frame
    assert frame.index.get_level_values("session").day.tolist() == [7, 8, 8]
    assert frame["close"].tolist() == [1.5, -1.0, 1.5]
    assert frame["high"].tolist() == [2.0, 2.0, 0.1]


def test_many_threads_share_one_source_and_its_connections(polygon: Open) -> None:
    vendor, symbols = polygon_server(), [f"T{number}" for number in range(12)]
    answering = vendor.answer
    vendor.answer = lambda asked: Reply(answering(asked).body, delay=0.01)
    with serving(vendor), ThreadPoolExecutor(8) as pool:
        source = polygon(vendor)
        frames = list(pool.map(lambda symbol: source.bars([symbol], START, END).frame, symbols))
    assert [frame["close"].iloc[-1] for frame in frames] == [made_bar(symbol, END)["c"] for symbol in symbols]
    assert len(vendor.log) == 36
    assert 1 < vendor.most_at_once <= LIMITS.workers


def test_no_socket_is_left_open(polygon: Open) -> None:
    """One that is would warn when it is collected, and a warning is an error here."""
    vendor = polygon_server()
    vendor.faults = [Reply({}, cut=1), Reply({}, status=500)]
    assert len(polygon(vendor).bars(["AAPL"], START, END).frame) == 4
    gc.collect()


# -- short interest


def counted(ticker: str, day: str, shares: object = 1000, **fields: object) -> dict[str, object]:
    """One of Polygon's records of short interest, by the schema of its client; ``fields`` replace what it says."""
    return {"ticker": ticker, "settlement_date": day, "short_interest": shares, "avg_daily_volume": 400,
            "days_to_cover": 2.5, **fields}  # fmt: skip


def counting(*records: dict[str, object], pages: int = 1) -> Vendor:
    """Polygon with these counts, all of them whatever is asked, perhaps on several pages."""

    def answer(asked: Asked) -> Reply:
        if asked.path != "/stocks/v1/short-interest":
            return Reply(status=404)
        at = int(asked.query.get("cursor", 0))
        rows = records[at::pages]
        more = {"next_url": f"https://api.massive.com{asked.path}?cursor={at + 1}"} if at + 1 < pages else {}
        return Reply({"status": "OK", "request_id": "made", "count": len(rows), "results": list(rows)} | more)

    return Vendor(answer)


def test_short_interest_takes_a_request_a_stock_and_its_percent_of_float_is_unknown(polygon: Open) -> None:
    vendor = counting(counted("AAPL", "2024-03-15"), counted("AAPL", "2024-02-29", 900), counted("AAPLW", "2024-03-15"))
    answer = polygon(vendor).short_interest(["aapl"], date(2024, 2, 1), date(2024, 3, 31))
    frame = check(answer.frame, SHORT_INTEREST)
    assert frame["shares_short"].to_dict() == {
        (pd.Timestamp("2024-02-29"), "AAPL"): 900.0, (pd.Timestamp("2024-03-15"), "AAPL"): 1000.0
    }  # fmt: skip
    assert frame["percent_of_float"].isna().all()
    assert frame["days_to_cover"].to_list() == [2.5, 2.5]
    assert [str(day.date()) for day in frame["published"]] == ["2024-03-12", "2024-03-27"]
    assert answer.missing["what"].to_list() == ["short_interest"]
    assert "no float" in answer.missing["reason"][0]
    [asked] = vendor.log
    assert asked.query == {
        "ticker": "AAPL", "settlement_date.gte": "2024-02-01", "settlement_date.lte": "2024-03-31", "limit": "1000"
    }  # fmt: skip


def test_short_interest_on_several_pages_is_read_whole(polygon: Open) -> None:
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2023-01-31", "2023-12-31", freq="ME")]
    vendor = counting(*(counted("AAPL", day) for day in days), pages=3)
    assert len(polygon(vendor).short_interest(["AAPL"], date(2023, 1, 1), date(2023, 12, 31)).frame) == 12
    assert len(vendor.log) == 3


def test_what_is_no_stock_is_not_asked_for_and_one_without_any_is_missing(polygon: Open) -> None:
    vendor = counting()
    answer = polygon(vendor).short_interest(["SPX", "BTC/USD", "US3M", "AAPL240119C00150000", "IPO"], START, END)
    assert check(answer.frame, SHORT_INTEREST).empty
    assert len(vendor.log) == 1
    told = answer.missing.set_index("symbol")["reason"]
    assert "Polygon has none settled from 2024-03-07 to 2024-03-12" in told["IPO"]
    assert all("counted of shares alone" in told[name] for name in ("SPX", "BTC/USD", "US3M", "AAPL240119C00150000"))


def test_days_to_cover_may_be_absent(polygon: Open) -> None:
    found = polygon(counting(counted("AAPL", "2024-03-15", days_to_cover=None))).short_interest(["AAPL"], START, END)
    assert np.isnan(found.frame["days_to_cover"].iloc[0])


@pytest.mark.parametrize(
    ("record", "field"),
    [(counted("AAPL", "soon"), "settlement_date"), (counted("AAPL", "2024-03-15", "many"), "short_interest"),
     (counted("AAPL", "2024-03-15", None), "short_interest"),
     (counted("AAPL", "2024-03-15", days_to_cover="x"), "days_to_cover"),
     ({"settlement_date": "2024-03-15"}, "ticker")],
)  # fmt: skip
def test_short_interest_that_cannot_be_read_is_told_by_its_field(
    polygon: Open, record: dict[str, object], field: str
) -> None:
    with pytest.raises(AnswerUnreadable, match=f"field {field}"):
        polygon(counting(record)).short_interest(["AAPL"], START, END)


def test_a_plan_without_short_interest_is_told_as_such(polygon: Open) -> None:
    body = {"status": "NOT_AUTHORIZED", "request_id": "made", "message": "You are not entitled to this data."}
    with pytest.raises(AccessDenied):
        polygon(Vendor(lambda _: Reply(body, status=403))).short_interest(["AAPL"], START, END)


# -- profiles


def test_profiles_name_kind_industry_and_currency(polygon: Open) -> None:
    kinds = {"SPY": {"type": "ETF"}, "TSM": {"type": "ADRC"}, "PREF": {"type": "PFD"}}
    vendor = polygon_server(details=kinds)
    answer = polygon(vendor).profiles(["AAPL", "SPY", "TSM", "PREF", "VIX", "BTC/USD", "EUR/USD", "NOPE", "US3M"])
    frame = check(answer.frame, PROFILES)
    assert list(frame.columns) == PROFILES.names
    assert frame["kind"].dropna().to_dict() == {
        "AAPL": "stock", "SPY": "etf", "TSM": "stock", "VIX": "index", "BTC/USD": "crypto", "EUR/USD": "currency",
    }  # fmt: skip
    assert frame.loc["AAPL", ["name", "industry", "currency"]].tolist() == ["AAPL Inc.", "MADE GOODS", "USD"]
    assert frame.loc["EUR/USD", "currency"] == "USD"
    assert frame[["sector", "dividend_yield"]].isna().all(axis=None)
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["NOPE", "profile"], ["US3M", "profile"]]
    assert len(vendor.log) == 8


def test_no_profiles_are_an_empty_table(polygon: Open) -> None:
    answer = polygon(polygon_server()).profiles(["NOPE"])
    assert check(answer.frame, PROFILES).empty


@pytest.mark.parametrize("results", [[{"ticker": "AAPL"}], {"symbol": "AAPL"}, 5])
def test_a_profile_in_no_known_shape_is_unreadable(polygon: Open, results: object) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({"status": "OK", "results": results})]
    with pytest.raises(AnswerUnreadable, match="AAPL"):
        polygon(vendor).profiles(["AAPL"])


# -- option chains

CHAIN = (
    contract("AAPL240621C00150000", "AAPL"),
    contract("AAPL240621P00150000", "AAPL", last_trade=None, last_quote=None, implied_volatility=None),
    contract("AAPL240621C00900000", "AAPL", day={}, last_trade=None, last_quote={"bid": 0, "ask": 0.05}),
    contract("MSFT240621C00400000", "MSFT"),
)


def test_a_chain_has_every_contract_of_every_page_under_its_symbol(polygon: Open) -> None:
    vendor = polygon_server(contracts=CHAIN, page=2)
    answer = polygon(vendor, now="2024-03-12 22:00").option_chain("aapl", END)
    quotes = check(answer.frame, QUOTES)
    assert list(quotes.columns) == QUOTES.names
    assert answer.missing.empty
    assert quotes.index.get_level_values("session").unique().tolist() == [pd.Timestamp(END)]
    assert quotes.index.get_level_values("symbol").tolist() == [
        "AAPL240621C00150000", "AAPL240621C00900000", "AAPL240621P00150000",
    ]  # fmt: skip
    first, far, cheap = (row for _, row in quotes.iterrows())
    assert first.tolist() == ["AAPL", 9.75, 10.0, 9.8, 12.0, 321.0, 0.25]
    assert far[["bid", "last", "volume"]].isna().all()
    assert far["ask"] == 0.05
    assert cheap[["bid", "ask", "implied_volatility"]].isna().all()
    assert cheap["last"] == 9.5
    assert [asked.query.get("limit") for asked in vendor.log] == ["250", "250"]


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ("2024-03-12 13:29", date(2024, 3, 11)),  # a minute before the opening
        ("2024-03-12 13:30", date(2024, 3, 12)),
        ("2024-03-10 12:00", date(2024, 3, 8)),  # a Sunday
    ],
)
def test_a_chain_is_of_the_latest_session_only(polygon: Open, now: str, latest: date) -> None:
    vendor = polygon_server(contracts=CHAIN)
    source = polygon(vendor, now=now)
    assert len(source.option_chain("AAPL", latest).frame) == 3
    answer = source.option_chain("AAPL", date(2024, 3, 7))
    assert answer.frame.empty
    assert answer.missing.to_numpy().tolist() == [
        ["AAPL", "quote", f"Polygon has option quotes of the latest session only, {latest}, and none of 2024-03-07"]
    ]
    assert len(vendor.log) == 1


def test_a_symbol_without_options_is_missing(polygon: Open) -> None:
    vendor = polygon_server(contracts=CHAIN)
    source = polygon(vendor, now="2024-03-12 22:00")
    vendor.faults = [Reply({"status": "NOT_FOUND"}, status=404)]
    for underlying in ("GONE", "SPX"):
        answer = source.option_chain(underlying, END)
        assert check(answer.frame, QUOTES).empty
        assert answer.missing["reason"].tolist() == [f"Polygon has no options on {underlying}; check the spelling"]
    assert [asked.path for asked in vendor.log] == ["/v3/snapshot/options/GONE", "/v3/snapshot/options/I:SPX"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"details": {"symbol": "O:AAPL240621C00150000"}}, "field ticker"),
        ({"details": None}, "field ticker"),
        ({"open_interest": "many"}, "field open_interest"),
        ({"last_quote": {"bid": "9"}}, "field bid"),
        ({"day": 5}, "another shape"),
    ],
)
def test_a_chain_in_no_known_shape_is_unreadable(polygon: Open, fields: dict[str, object], told: str) -> None:
    vendor = polygon_server(contracts=[contract("AAPL240621C00150000", "AAPL", **fields)])
    with pytest.raises(AnswerUnreadable, match=told):
        polygon(vendor, now="2024-03-12 22:00").option_chain("AAPL", END)


# -- quotes of this moment


def test_quotes_of_every_kind_take_one_request(polygon: Open) -> None:
    vendor = polygon_server()
    symbols = ["aapl ", "AAPL240621C00150000", "BTC/USD", "X:BTCUSD", "EUR/GBP", "VIX"]
    answer = polygon(vendor).quotes(symbols)
    table = check(answer.frame, LATEST)
    assert answer.missing.empty
    assert list(table.columns) == LATEST.names
    assert list(table.index) == ["AAPL", "AAPL240621C00150000", "BTC/USD", "EUR/GBP", "VIX", "X:BTCUSD"]
    moment = pd.Timestamp("2024-03-12 20:00:00.123456", tz="UTC")
    assert table.loc["AAPL"].tolist() == [100.25, 100.5, 100.375, "USD", moment]
    assert table["time"].dtype == "datetime64[us, UTC]"
    assert table["currency"].dropna().to_dict() == {
        "AAPL": "USD", "AAPL240621C00150000": "USD", "BTC/USD": "USD", "EUR/GBP": "GBP", "X:BTCUSD": "USD"
    }  # fmt: skip
    assert table.loc["VIX", ["bid", "ask", "time"]].isna().all()
    assert table.loc["VIX", "last"] == 100.0
    [asked] = vendor.log
    assert (asked.path, asked.query["limit"]) == ("/v3/snapshot", "250")
    assert asked.query["ticker.any_of"] == "AAPL,C:EURGBP,I:VIX,O:AAPL240621C00150000,X:BTCUSD"


def test_more_symbols_than_polygon_takes_at_once_are_asked_for_in_turn(polygon: Open) -> None:
    vendor = polygon_server()
    answer = polygon(vendor).quotes([f"T{number:03}" for number in range(300)])
    assert (len(answer.frame), answer.missing.empty) == (300, True)
    assert [len(asked.query["ticker.any_of"].split(",")) for asked in vendor.log] == [250, 50]


QUOTED = {
    "no quotes in the plan": ({"last_quote": None}, [None, None, 100.375, True]),
    "no trades in the plan": ({"last_trade": None}, [100.25, 100.5, 100.0, True]),
    "neither of them": ({"last_quote": None, "last_trade": None}, [None, None, 100.0, False]),
    "a session with a close only": ({"last_trade": None, "session": {"close": 99.0}}, [100.25, 100.5, 99.0, True]),
    "nobody bids": ({"last_quote": {"bid": 0, "ask": 0.05}}, [None, 0.05, 100.375, True]),
    "a session that has not begun": ({"last_trade": None, "session": {"close": 0}}, [100.25, 100.5, None, True]),
}


@pytest.mark.parametrize("name", QUOTED)
def test_what_a_snapshot_leaves_out_is_unknown(polygon: Open, name: str) -> None:
    fields, (bid, ask, last, timed) = QUOTED[name]
    row = polygon(polygon_server(snapshots={"AAPL": fields})).quotes(["AAPL"]).frame.loc["AAPL"]
    assert [None if np.isnan(row[field]) else row[field] for field in ("bid", "ask", "last")] == [bid, ask, last]
    assert bool(row.notna()["time"]) is timed


def test_symbols_without_a_quote_are_missing_with_the_reason(polygon: Open) -> None:
    refused = {"session": None, "error": "NOT_ENTITLED", "message": "Not entitled to this ticker."}
    left_out = {"session": {"close": 0}, "last_quote": None, "last_trade": None}
    vendor = polygon_server(snapshots={"I:SPX": refused, "O:AAPL240621C00900000": left_out})
    answer = polygon(vendor).quotes(["AAPL", "NOPE", "SPX", "US3M", "AAPL240621C00900000"])
    assert list(answer.frame.index) == ["AAPL"]
    assert set(answer.missing["what"]) == {"quote"}
    assert dict(zip(answer.missing["symbol"], answer.missing["reason"], strict=True)) == {
        "AAPL240621C00900000": "Polygon has neither bid, ask nor price of AAPL240621C00900000",
        "NOPE": "Polygon does not know NOPE; check the spelling (as in BRK.B, BTC/USD, EUR/USD) "
        "and whether it was delisted",
        "SPX": "Polygon gives no quote of SPX: Not entitled to this ticker.",
        "US3M": "Polygon has US3M by day only; ask for its bars",
    }
    assert len(vendor.log) == 1


@pytest.mark.parametrize(("symbols", "requests"), [([], 0), (["US3M"], 0), (["NOPE"], 1)])
def test_no_quotes_are_an_empty_table(polygon: Open, symbols: list[str], requests: int) -> None:
    vendor = polygon_server()
    answer = polygon(vendor).quotes(symbols)
    assert check(answer.frame, LATEST).empty
    assert answer.missing["symbol"].tolist() == symbols
    assert len(vendor.log) == requests


ASKING: dict[str, Callable[[Polygon], object]] = {
    "quotes": lambda source: source.quotes(["AAPL"]),
    "contracts": lambda source: source.contracts("AAPL", END),
}
FAULTS: dict[str, tuple[list[Reply], type[DataUnavailable], str, int]] = {
    "401": ([Reply({}, 401)], AccessDenied, "Polygon does not know the key.*SIGMA_POLYGON_KEY", 1),
    "403": ([Reply({}, 403)], AccessDenied, "what its plan includes", 1),
    "429": ([Reply({}, 429)] * 3, RateLimited, "Polygon says there are too many requests", 3),
    "429 for long": ([Reply({}, 429, {"Retry-After": "900"})], RateLimited, "Polygon asks to wait 900 s", 1),
    "500": ([Reply({}, 500)] * 3, SourceDown, "Polygon answers 500", 3),
    "cut off": ([Reply({"status": "OK"}, cut=3)] * 3, SourceDown, "Polygon gave no answer", 3),
    "400": ([Reply({}, 400)], DataUnavailable, "Polygon answers 400", 1),
    "renamed": ([Reply({"status": "OK", "rows": []})], AnswerUnreadable, "without the field results", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", ASKING)
def test_quotes_and_contracts_that_cannot_be_had_fail_by_type(polygon: Open, what: str, fault: str) -> None:
    faults, error, told, requests = FAULTS[fault]
    vendor = polygon_server()
    vendor.faults = list(faults)
    source = polygon(vendor)
    with pytest.raises(error, match=told) as failed:
        ASKING[what](source)
    assert type(failed.value) is error
    assert KEY not in str(failed.value)
    assert len(vendor.log) == requests


@pytest.mark.parametrize("what", ASKING)
def test_quotes_and_contracts_that_do_not_come_in_time_are_an_outage(polygon: Open, what: str) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({}, delay=0.3)] * 2
    with pytest.raises(SourceDown, match="ReadTimeoutError"):
        ASKING[what](polygon(vendor, limits=Limits(per_minute=6e6, timeout=0.1, attempts=2)))
    assert len(vendor.log) == 2


def test_quotes_and_contracts_come_after_a_failure_that_heals(polygon: Open) -> None:
    vendor = polygon_server(listings=LISTED)
    source = polygon(vendor)
    vendor.faults = [Reply({}, 500), Reply({}, 429, {"Retry-After": "2"})]
    assert len(source.quotes(["AAPL"]).frame) == 1
    vendor.faults = [Reply({}, 503)]
    assert len(source.contracts("AAPL", END).frame) == 3
    assert len(vendor.log) == 5


def test_no_such_address_is_an_unknown_symbol_for_both(polygon: Open) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({"status": "NOT_FOUND"}, 404)] * 2
    source = polygon(vendor)
    assert source.quotes(["AAPL"]).missing["symbol"].tolist() == ["AAPL"]
    assert source.contracts("AAPL", END).missing["symbol"].tolist() == ["AAPL"]
    assert len(vendor.log) == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ticker": None}, "quotes of AAPL: .*field ticker"),
        ({"last_quote": None, "last_trade": None, "session": None}, "quote of AAPL: .*last_trade and session"),
        ({"last_quote": {"bid": "100"}}, "quote of AAPL: .*str instead of a number"),
        ({"last_trade": {"price": True}}, "bool instead of a number"),
        ({"last_quote": {"bid": 1.0, "last_updated": 1_710_273_600_123}}, "no nanoseconds of a day"),
        ({"last_quote": {"bid": 1.0, "last_updated": "noon"}}, "field last_updated"),
        ({"session": 5}, "another shape"),
    ],
)  # fmt: skip
def test_a_snapshot_in_no_known_shape_is_unreadable(polygon: Open, fields: dict[str, object], told: str) -> None:
    vendor = polygon_server(snapshots={"AAPL": fields})
    with pytest.raises(AnswerUnreadable, match=told):
        polygon(vendor).quotes(["AAPL"])
    assert len(vendor.log) == 1


# -- listed contracts

LISTED = (
    listing("AAPL240621P00150000", "AAPL"),
    listing("AAPL240621C00150000", "AAPL"),
    listing("AAPL1240621C00150000", "AAPL", shares_per_contract=28),
    listing("AAPL240119C00150000", "AAPL"),
    listing("SPXW240621C05000000", "SPX", exercise_style="european"),
)


def test_contracts_are_those_listed_on_a_day_with_what_they_deliver(polygon: Open) -> None:
    vendor = polygon_server(listings=LISTED, page=2)
    answer = polygon(vendor).contracts("aapl ", END)
    table = answer.frame
    assert answer.missing.empty
    assert (table.index.name, list(table.columns)) == (
        "symbol", ["underlying", "expiry", "right", "strike", "style", "shares"]
    )  # fmt: skip
    assert table.reset_index().to_numpy().tolist() == [
        ["AAPL1240621C00150000", "AAPL", pd.Timestamp("2024-06-21"), "call", 150.0, "American", 28.0],
        ["AAPL240621C00150000", "AAPL", pd.Timestamp("2024-06-21"), "call", 150.0, "American", 100.0],
        ["AAPL240621P00150000", "AAPL", pd.Timestamp("2024-06-21"), "put", 150.0, "American", 100.0],
    ]
    assert table.dtypes.astype("str").tolist() == ["str", "datetime64[us]", "str", "float64", "str", "float64"]
    first, second = vendor.log
    assert first.query == {"underlying_ticker": "AAPL", "as_of": "2024-03-12", "limit": "1000"}
    assert (second.path, second.query["cursor"]) == ("/v3/reference/options/contracts", "2")


def test_contracts_on_an_index_are_asked_for_without_its_prefix(polygon: Open) -> None:
    vendor = polygon_server(listings=LISTED)
    table = polygon(vendor).contracts("SPX", END).frame
    assert table[["underlying", "style"]].to_dict("index") == {
        "SPXW240621C05000000": {"underlying": "SPX", "style": "European"}
    }
    assert vendor.log[0].query["underlying_ticker"] == "SPX"


def test_no_contracts_are_an_empty_table_with_the_reason(polygon: Open) -> None:
    vendor = polygon_server(listings=LISTED)
    answer = polygon(vendor).contracts("NOPE", END)
    assert (len(answer.frame), answer.frame["expiry"].dtype) == (0, "datetime64[us]")
    assert answer.missing.to_numpy().tolist() == [
        ["NOPE", "quote", "Polygon lists no options on NOPE on 2024-03-12; check the spelling and the day"]
    ]
    assert len(vendor.log) == 1


def test_a_contract_that_is_neither_call_nor_put_has_no_known_right(polygon: Open) -> None:
    vendor = polygon_server(listings=[listing("AAPL240621C00150000", "AAPL", contract_type="other")])
    assert polygon(vendor).contracts("AAPL", END).frame["right"].isna().all()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ticker": None}, "field ticker"),
        ({"contract_type": "C"}, "'C' in the field contract_type; it is call, put, other"),
        ({"exercise_style": None}, "None in the field exercise_style"),
        ({"exercise_style": ["american"]}, "field exercise_style"),
        ({"expiration_date": "Friday"}, "field expiration_date"),
        ({"strike_price": 0}, "0 in the field strike_price"),
        ({"shares_per_contract": None}, "nothing instead of a number in the field shares_per_contract"),
    ],
)
def test_a_listing_in_no_known_shape_is_unreadable(polygon: Open, fields: dict[str, object], told: str) -> None:
    vendor = polygon_server()
    vendor.faults = [Reply({"status": "OK", "results": [listing("AAPL240621C00150000", "AAPL", **fields)]})]
    with pytest.raises(AnswerUnreadable, match=f"contracts on AAPL: .*{re.escape(told)}"):
        polygon(vendor).contracts("AAPL", END)
    assert len(vendor.log) == 1


# -- rates and currencies


def test_the_risk_free_rate_is_the_three_month_treasury_yield(polygon: Open) -> None:
    vendor = polygon_server(page=3)
    answer = polygon(vendor).rates(date(2024, 3, 9), END)
    assert answer.missing.empty
    assert [day.day for day in answer.frame.index] == [8, 11, 12]
    halves = [1 + made_yields(date(2024, 3, day))["yield_3_month"] / 200 for day in (8, 11, 12)]
    assert answer.frame["rate"].tolist() == pytest.approx([half**2 - 1 for half in halves])
    assert {asked.path for asked in vendor.log} == {"/fed/v1/treasury-yields"}
    assert vendor.log[0].query == {"date.gte": "2024-02-28", "date.lte": "2024-03-12", "limit": "50000"}


def test_the_treasury_yield_is_a_symbol_without_open_and_volume(polygon: Open) -> None:
    frame = check(polygon(polygon_server()).bars(["US3M"], START, END).frame, BARS)
    assert frame["close"].tolist() == [made_yields(day.date())["yield_3_month"] for day, _ in frame.index]
    assert frame[["open", "high", "low", "volume"]].isna().all(axis=None)


def test_treasury_yields_that_are_not_there_are_missing(polygon: Open) -> None:
    source = polygon(polygon_server())
    assert "by day only" in source.bars(["US3M"], START, END, "1m").missing["reason"][0]
    weekend = source.bars(["US3M"], date(2024, 3, 9), date(2024, 3, 10))
    assert weekend.missing["what"].tolist() == ["price"]
    assert source.rates(date(1991, 1, 1), date(1991, 1, 1)).missing.empty


def test_a_day_without_a_yield_is_left_out_and_a_renamed_one_is_unreadable(polygon: Open) -> None:
    vendor = polygon_server()
    source = polygon(vendor)
    days = [{"date": "2024-03-07"}, {"date": "2024-03-08", "yield_3_month": 5.25}]
    vendor.faults = [Reply({"status": "OK", "results": days})]
    assert source.bars(["US3M"], START, END).frame["close"].tolist() == [5.25]
    vendor.faults = [Reply({"status": "OK", "results": [{"date": "2024-03-07", "three_months": 5.25}]})]
    with pytest.raises(AnswerUnreadable, match="yield_3_month"):
        source.bars(["US3M"], START, END)


def test_exchange_rates_are_the_closes_of_currency_pairs(polygon: Open) -> None:
    answer = polygon(polygon_server(unknown=["C:XYZUSD"])).fx(["EUR", "XYZ", "USD"], "USD", START, END)
    assert list(answer.frame.columns) == ["EUR"]
    assert answer.frame["EUR"].iloc[-1] == made_bar("C:EURUSD", END)["c"]
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["XYZ", "fx"]]


# -- recorded answers


@pytest.fixture
def recorded() -> Vendor:
    """A vendor that answers with what Polygon answered, by the path and the page alone."""
    if not RECORDED.is_file():
        pytest.skip(f"no recorded answers of Polygon here: {RECORDED.parent.name} is not beside the project")
    said: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    for asked in sorted(said, key=lambda asked: "cursor=" in asked):
        said.setdefault(asked.partition("?")[0], said[asked])
    made = polygon_server()

    def reply(asked: Asked) -> Reply:
        page = said.get(f"{asked.path}?cursor={asked.query.get('cursor')}", said.get(asked.path))
        return Reply(page) if page else made.answer(asked)

    return Vendor(reply)


def test_recorded_bars_on_both_sides_of_the_clock_change_of_2005(polygon: Open, recorded: Vendor) -> None:
    answer = polygon(recorded).bars(["AAPL"], date(2005, 4, 1), date(2005, 4, 4))
    assert answer.frame.index.get_level_values("session").tolist() == [
        pd.Timestamp("2005-04-01"),
        pd.Timestamp("2005-04-04"),
    ]
    assert answer.frame["close"].tolist() == [1.4604, 1.4675]
    assert answer.frame["volume"].tolist() == [642646396.0, 578172308.0]
    assert answer.frame[["dividend", "split"]].to_numpy().tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert answer.missing.empty


def test_recorded_dividends_and_splits_of_one_ticker_among_many(polygon: Open, recorded: Vendor) -> None:
    source = polygon(recorded)
    paid = source.bars(["CSSEN"], date(2023, 9, 1), date(2024, 4, 1)).frame["dividend"].droplevel("symbol")
    assert paid[paid > 0].to_dict() == {
        pd.Timestamp(day): 0.59375 for day in ("2023-09-14", "2023-12-14", "2024-03-14")
    }
    parts = source.bars(["SHOP"], date(2022, 6, 1), date(2022, 7, 29)).frame["split"].droplevel("symbol")
    assert parts[parts != 1].to_dict() == {pd.Timestamp("2022-06-22"): 10.0, pd.Timestamp("2022-06-29"): 10.0}
    assert (source.bars(["BRW"], date(2022, 5, 20), date(2022, 5, 20)).frame["split"] == 0.5).all()


def test_recorded_ticker_details(polygon: Open, recorded: Vendor) -> None:
    profile = polygon(recorded).profiles(["AAPL"]).frame.loc["AAPL"]
    assert profile[["name", "kind", "industry", "currency"]].tolist() == [
        "Apple Inc.", "stock", "ELECTRONIC COMPUTERS", "USD",
    ]  # fmt: skip


def test_recorded_option_snapshot(polygon: Open, recorded: Vendor) -> None:
    quotes = polygon(recorded, now="2024-03-12 22:00").option_chain("AAPL", END).frame
    assert quotes.index.tolist() == [(pd.Timestamp(END), "AAPL230616C00150000")]
    assert quotes.iloc[0].tolist() == ["AAPL", 28.9, 29.25, 29.25, 8.0, 8133.0, 0.3570277203465058]


def test_recorded_snapshots_of_an_option_and_a_stock_and_of_an_unknown_ticker(polygon: Open, recorded: Vendor) -> None:
    answer = polygon(recorded).quotes(["AAPL", "NCLH221014C00005000", "TSLAAPL", "MSFT"])
    traded = pd.Timestamp("2023-02-01 19:49:18.783136", tz="UTC")
    assert answer.frame.loc["AAPL"].tolist() == [20.9, 21.25, 0.05, "USD", traded]
    assert answer.frame.loc["NCLH221014C00005000"].tolist() == [20.9, 21.25, 0.05, "USD", traded]
    assert answer.missing["symbol"].tolist() == ["MSFT", "TSLAAPL"]


def test_recorded_contracts_on_both_pages(polygon: Open, recorded: Vendor) -> None:
    table = polygon(recorded).contracts("A", date(2022, 5, 2)).frame
    assert (len(table), len(recorded.log)) == (20, 2)
    assert table.loc["A220520C00160000"].tolist() == ["A", pd.Timestamp("2022-05-20"), "call", 160.0, "American", 100.0]


@pytest.mark.parametrize("status", [403, 404])
def test_bars_are_kept_and_labelled_when_the_plan_has_no_dividends(polygon: Open, status: int) -> None:
    server = polygon_server()
    answer = server.answer

    def without_reference(asked: Asked) -> Reply:
        return Reply({"status": "ERROR"}, status=status) if "/reference/" in asked.path else answer(asked)

    server.answer = without_reference
    found = polygon(server).bars(["AAPL"], date(2024, 3, 4), date(2024, 3, 8))
    assert found.frame["close"].notna().sum() == 5
    assert found.frame[["dividend", "split"]].isna().all(axis=None)
    assert [(row.symbol, row.what) for row in found.missing.itertuples()] == [("AAPL", "dividend")]
    assert "returns are of the price alone" in found.missing["reason"][0]

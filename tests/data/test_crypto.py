"""The crypto source drives the real ccxt against a server that speaks Bitstamp's and Coinbase's public REST schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import AccessDenied, AnswerUnreadable, InputError, RateLimited, SourceDown
from sigmalib.core.frames import ACTIONS, BARS, LATEST, MINUTES, PROFILES, QUOTES, check
from sigmalib.data.crypto import Crypto, Exchange
from sigmalib.data.manners import Health, Limits, Manners
from sigmalib.data.sources import Opening, source_class
from tests.vendors import Answering, Asked, Reply, Vendor, serving

DAY, MINUTE = 86_400, 60
LISTED = datetime(2024, 1, 10, tzinfo=UTC)  # the first candle of every pair
NOW = datetime(2024, 3, 5, 15, 30, 20, tzinfo=UTC)
LIMITS = replace(Crypto.traits.limits, per_minute=60_000, burst=1_000, timeout=5.0)
JANUARY = date(2024, 1, 15), date(2024, 1, 31)
RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "crypto"


def market(base: str, quote: str, *, kind: str = "SPOT", words: str = "") -> dict[str, str]:
    suffix = "" if kind == "SPOT" else "-perp"
    return {
        "name": f"{base}/{quote}{suffix.upper()}",
        "market_symbol": f"{base}{quote}{suffix}".lower(),
        "base_currency": base,
        "base_decimals": "8",
        "counter_currency": quote,
        "counter_decimals": "2",
        "minimum_order_value": "10",
        "trading": "Enabled",
        "description": words,
        "market_type": kind,
        "payoff_type": "Linear",
    }


MARKETS = [
    market("BTC", "USD", words="Bitcoin / U.S. dollar"),
    market("ETH", "USDT", words="Ether / Tether"),
    market("EUR", "USD", words="Euro / U.S. dollar"),
    market("LINK", "USD"),
    market("AB", "CUSD", words="Ab / C dollar"),
    market("ABC", "USD", words="Abc / U.S. dollar"),
    market("BTC", "USD", kind="PERPETUAL", words="Bitcoin / U.S. dollar Perpetual"),
]


def candle(second: int) -> dict[str, str]:
    """A candle whose every value can be told from the instant it starts at."""
    price = 40_000 + second / DAY % 1_000
    return {
        "timestamp": str(second),
        "open": f"{price:.4f}",
        "high": f"{price + 2:.4f}",
        "low": f"{price - 2:.4f}",
        "close": f"{price + 1:.4f}",
        "volume": "12.5",
    }


def ticker(pair: str, **fields: str) -> dict[str, str]:
    """The last day's trade of a pair, ten seconds ago."""
    at = str(int(NOW.timestamp()) - 10)
    said = {"timestamp": at, "high": "26252", "last": "26216", "bid": "26208", "vwap": "25681", "volume": "3563.1",
            "low": "25350", "ask": "26211", "open": "25730", "open_24": "25895", "pair": pair}  # fmt: skip
    return said | fields


def bitstamp(asked: Asked) -> Reply:
    """The exchange: candles from ``LISTED`` to the one that is not over yet, at most 1,000 of them; and tickers."""
    if asked.path == "/api/v2/markets/":
        return Reply(MARKETS)
    if of_tickers(asked):
        named = asked.path.removeprefix("/api/v2/ticker/").rstrip("/")
        told = [ticker(each["name"]) for each in MARKETS if named in ("", each["market_symbol"])]
        return Reply(told[0] if named else told)
    step, start, end = (int(asked.query[name]) for name in ("step", "start", "end"))
    assert int(asked.query["limit"]) <= 1_000
    first = max(start, int(LISTED.timestamp()))
    seconds = range(first + -first % step, min(end, int(NOW.timestamp())) + 1, step)
    pair = asked.path.rstrip("/").rpartition("/")[2]
    return Reply({"data": {"pair": pair.upper(), "ohlc": [candle(second) for second in seconds]}})


def of_candles(asked: Asked) -> bool:
    return "/ohlc/" in asked.path


def of_tickers(asked: Asked) -> bool:
    return asked.path.startswith("/api/v2/ticker/")


@contextmanager
def opened(
    answer: Answering = bitstamp,
    *,
    faults: Sequence[Reply] = (),
    limits: Limits = LIMITS,
    name: str = "bitstamp",
    of_interest: Callable[[Asked], bool] = of_candles,
) -> Iterator[tuple[Crypto, Vendor, Manners]]:
    """The source in front of a vendor, where it is the afternoon of 5 March 2024."""
    with serving(Vendor(answer, of_interest)) as vendor:
        vendor.faults += faults
        manners = Manners("crypto", limits, sleep=lambda _: None)
        source = Crypto(Exchange(name, manners, base=vendor.base), clock=lambda: NOW)
        with ExitStack() as at_end:
            at_end.callback(source._exchange._client.session.close)
            yield source, vendor, manners


def opening(tmp_path: Path, **options: str) -> Opening:
    return Opening(options, tmp_path, Manners("crypto", LIMITS))


# What is had


def test_daily_bars_have_the_prices_of_the_exchange_and_no_dividends_or_splits() -> None:
    with opened() as (source, vendor, manners):
        answer = source.bars(["BTC/USD"], *JANUARY)
    frame = check(answer.frame, BARS)
    assert list(frame.columns) == BARS.names
    assert list(frame.index.get_level_values("session")) == list(pd.date_range("2024-01-15", "2024-01-31"))
    assert frame.index.get_level_values("session").dtype == "datetime64[us]"
    said = candle(int(datetime(2024, 1, 20, tzinfo=UTC).timestamp()))
    bar = frame.loc[(pd.Timestamp("2024-01-20"), "BTC/USD")]
    assert [bar[name] for name in ("open", "high", "low", "close", "volume")] == [
        float(said[name]) for name in ("open", "high", "low", "close", "volume")
    ]
    assert (bar["dividend"], bar["split"], bar["source"]) == (0.0, 1.0, "crypto")
    assert frame["adjusted_close"].isna().all()
    assert answer.missing.empty
    assert (len(vendor.log), manners.requests) == (2, 2)


def test_minute_bars_start_at_utc_instants_and_come_in_pages() -> None:
    with opened() as (source, vendor, _):
        answer = source.bars(["BTC/USD"], date(2024, 1, 15), date(2024, 1, 16), "1m")
    times = check(answer.frame, MINUTES).index.get_level_values("time")
    assert times.dtype == "datetime64[us, UTC]"
    assert list(times) == list(pd.date_range("2024-01-15", "2024-01-16 23:59", freq="min", tz="UTC"))
    assert [len(vendor.asked), answer.missing.empty] == [3, True]


def test_pages_before_the_first_candle_are_empty_and_passed_by() -> None:
    with opened() as (source, vendor, _):
        answer = source.bars(["BTC/USD"], date(2019, 1, 1), date(2024, 1, 31))
    assert answer.frame.index.get_level_values("session")[0] == pd.Timestamp("2024-01-10")
    assert answer.frame.index.is_unique
    assert len(vendor.asked) == 2
    assert list(answer.missing["what"]) == ["history"]
    assert answer.missing["reason"][0] == (
        "not all of BTC/USD from 2019-01-01 to 2024-01-31; bitstamp gives 2024-01-10 to 2024-01-31"
    )


def test_an_exchange_that_gives_only_its_last_candles_is_told_as_history() -> None:
    """As kraken does, whatever ``since`` says."""

    def forgetful(asked: Asked) -> Reply:
        late = {**asked.query, "start": str(int(datetime(2024, 2, 20, tzinfo=UTC).timestamp())), "end": "9999999999"}
        return bitstamp(replace(asked, query=late if of_candles(asked) else asked.query))

    with opened(forgetful) as (source, vendor, _):
        answer = source.bars(["BTC/USD"], date(2021, 1, 1), date(2024, 2, 25))
        none = source.bars(["BTC/USD"], date(2021, 1, 1), date(2021, 2, 1))
    assert list(answer.frame.index.get_level_values("session")) == list(pd.date_range("2024-02-20", "2024-02-25"))
    assert list(answer.missing["what"]) == ["history"]
    assert (len(none.frame), list(none.missing["what"])) == (0, ["price"])
    assert len(vendor.asked) == 2


def test_the_day_and_the_minute_that_are_not_over_yet_are_left_out() -> None:
    with opened() as (source, vendor, _):
        days = source.bars(["BTC/USD"], date(2024, 3, 1), date(2024, 3, 9))
        minutes = source.bars(["BTC/USD"], date(2024, 3, 5), date(2024, 3, 5), "1m")
        asked = len(vendor.log)
        today = source.bars(["BTC/USD"], date(2024, 3, 5), date(2024, 3, 5))
    assert days.frame.index[-1] == (pd.Timestamp("2024-03-04"), "BTC/USD")
    assert minutes.frame.index[-1] == (pd.Timestamp("2024-03-05 15:29", tz="UTC"), "BTC/USD")
    assert (days.missing.empty, minutes.missing.empty) == (True, True)
    assert check(today.frame, BARS).empty
    assert today.missing.to_numpy().tolist() == [
        ["BTC/USD", "price", "no BTC/USD from 2024-03-05 on: that day is not over yet in UTC"]
    ]
    assert len(vendor.log) == asked


def test_a_pair_is_answered_under_the_symbol_it_was_asked_by() -> None:
    with opened() as (source, _, _):
        frame = source.bars(["btc-usd", "X:BTCUSD", "BTC/USD", "eth/usdt"], *JANUARY).frame
    assert frame.index.is_monotonic_increasing
    day = frame.xs("2024-01-20")
    assert list(day.index) == ["BTC-USD", "BTC/USD", "ETH/USDT", "X:BTCUSD"]
    assert day["close"].nunique() == 1  # this exchange has one price for all


def test_unknown_pairs_are_missing_with_the_nearest_and_cost_no_request() -> None:
    with opened() as (source, vendor, _):
        answer = source.bars(["BTC/USX", "AAPL", "X:ABCUSD", "BTC/USD:USD", "LINK/USD"], *JANUARY)
    reasons = dict(zip(answer.missing["symbol"], answer.missing["reason"], strict=True))
    assert reasons["BTC/USX"] == "bitstamp has no spot pair BTC/USX; try 'BTC/USD'"
    assert reasons["AAPL"] == "bitstamp has no spot pair AAPL; write it as BTC/USD"
    assert set(reasons) == {"BTC/USX", "AAPL", "X:ABCUSD", "BTC/USD:USD"}  # ABC in USD, or AB in CUSD: no guess
    assert set(answer.missing["what"]) == {"price"}
    assert set(answer.frame.index.get_level_values("symbol")) == {"LINK/USD"}
    assert len(vendor.log) == 2


def test_the_list_of_pairs_is_asked_for_once() -> None:
    with opened() as (source, vendor, _):
        for _ in range(3):
            source.bars(["BTC/USD"], *JANUARY)
            source.profiles(["BTC/USD"])
    assert [asked.path for asked in vendor.log].count("/api/v2/markets/") == 1


def test_no_symbols_are_an_empty_answer() -> None:
    with opened() as (source, vendor, _):
        answer = source.bars([], *JANUARY)
    assert check(answer.frame, BARS).empty
    assert answer.missing.empty
    assert vendor.log == []


def test_dates_the_wrong_way_round_are_refused() -> None:
    with opened() as (source, _, _), pytest.raises(InputError, match="2024-01-31 lies after `end` 2024-01-15"):
        source.bars(["BTC/USD"], *reversed(JANUARY))


def test_a_pair_without_candles_in_the_range_is_missing() -> None:
    with opened() as (source, _, _):
        answer = source.bars(["BTC/USD"], date(2023, 1, 1), date(2023, 1, 31))
    assert check(answer.frame, BARS).empty
    assert answer.frame.index.get_level_values("session").dtype == "datetime64[us]"
    assert answer.missing.to_numpy().tolist() == [
        ["BTC/USD", "price", "bitstamp gives no candle of BTC/USD from 2023-01-01 to 2023-01-31; ask for other dates"]
    ]


def test_odd_values_are_passed_on_and_candles_without_any_are_left_out() -> None:
    def odd(asked: Asked) -> Reply:
        reply = bitstamp(asked)
        if of_candles(asked):
            rows = reply.body["data"]["ohlc"]
            rows[0] |= {"low": "-1", "open": None}
            rows[1] = {"timestamp": rows[1]["timestamp"]}
        return reply

    with opened(odd) as (source, _, _):
        frame = source.bars(["BTC/USD"], *JANUARY).frame
    assert (frame["low"].iloc[0], np.isnan(frame["open"].iloc[0])) == (-1.0, True)
    assert pd.Timestamp("2024-01-16") not in frame.index.get_level_values("session")
    assert len(frame) == 16


def test_an_exchange_without_minutes_has_none_and_is_not_asked_for_them() -> None:
    with opened() as (source, vendor, _):
        del source._exchange._client.timeframes["1m"]
        answer = source.bars(["BTC/USD"], *JANUARY, "1m")
    assert check(answer.frame, MINUTES).empty
    assert answer.missing["reason"].to_list() == ["bitstamp gives no 1m candles; set SIGMA_CRYPTO_EXCHANGE to another"]
    assert vendor.asked == []


def test_profiles_name_the_pair_and_its_quote_currency() -> None:
    with opened() as (source, _, _):
        answer = source.profiles(["btc-usd", "ETH/USDT", "LINK/USD", "NOPE"])
    frame = check(answer.frame, PROFILES)
    assert frame[["name", "kind", "currency"]].to_numpy().tolist() == [
        ["Bitcoin / U.S. dollar", "crypto", "USD"], ["Ether / Tether", "crypto", "USDT"], ["LINK/USD", "crypto", "USD"],
    ]  # fmt: skip
    assert (frame["dividend_yield"] == 0).all()
    assert frame["sector"].isna().all()
    assert list(frame.index) == ["BTC-USD", "ETH/USDT", "LINK/USD"]
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["NOPE", "profile"]]


def test_there_are_no_actions_no_option_quotes_and_no_rates() -> None:
    with opened() as (source, vendor, _):
        chain, rates = source.option_chain("btc/usd", JANUARY[0]), source.rates(*JANUARY)
        actions = source.actions(["BTC/USD"], *JANUARY)
    assert check(actions.frame, ACTIONS).empty
    assert actions.missing.empty
    assert check(chain.frame, QUOTES).empty
    assert chain.missing[["symbol", "what"]].to_numpy().tolist() == [["BTC/USD", "quote"]]
    assert rates.missing["what"].to_list() == ["rate"]
    assert vendor.log == []


def test_exchange_rates_are_the_closes_of_pairs() -> None:
    with opened() as (source, _, _):
        answer = source.fx(["EUR", "USD", "GBP"], "USD", *JANUARY)
    assert list(answer.frame.columns) == ["EUR"]
    assert answer.frame["EUR"].notna().all()
    assert answer.missing[["symbol", "what"]].to_numpy().tolist() == [["GBP", "fx"]]


def test_another_exchange_is_another_name() -> None:
    """Coinbase's candles are lists, newest first, 300 at a time."""

    def coinbase(asked: Asked) -> Reply:
        if asked.path == "/products":
            return Reply([{"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "status": "online",
                           "base_increment": "0.00000001", "quote_increment": "0.01", "min_market_funds": "1",
                           "trading_disabled": False}])  # fmt: skip
        start, end = (int(datetime.fromisoformat(asked.query[name]).timestamp()) for name in ("start", "end"))
        seconds = range(start, end + 1, int(asked.query["granularity"]))
        assert len(seconds) <= 300
        return Reply([[second, 1.0, 4.0, 2.0, 3.0, 5.0] for second in reversed(seconds)])

    with opened(coinbase, name="coinbaseexchange") as (source, vendor, _):
        answer = source.bars(["BTC-USD"], date(2023, 1, 1), date(2024, 1, 31))
    assert answer.frame.iloc[0][["open", "high", "low", "close", "volume"]].to_list() == [2.0, 4.0, 1.0, 3.0, 5.0]
    assert list(answer.frame.index.get_level_values("session")) == list(pd.date_range("2023-01-01", "2024-01-31"))
    assert (answer.missing.empty, len(vendor.log)) == (True, 3)


# Quotes of this moment


def tickers(exchange: Answering = bitstamp, **more: Any) -> AbstractContextManager[tuple[Crypto, Vendor, Manners]]:
    """As ``opened``, where the requests of interest are those for tickers."""
    return opened(exchange, of_interest=of_tickers, **more)


def test_the_quote_of_a_pair_takes_one_request() -> None:
    with tickers() as (source, vendor, manners):
        answer = source.quotes(["btc/usd "])
    table = check(answer.frame, LATEST)
    assert list(table.columns) == LATEST.names
    assert table.loc["BTC/USD"].tolist() == [26208.0, 26211.0, 26216.0, "USD", pd.Timestamp(NOW) - pd.Timedelta("10s")]
    assert table["time"].dtype == "datetime64[us, UTC]"
    assert answer.missing.empty
    assert ([asked.path for asked in vendor.asked], manners.requests) == (["/api/v2/ticker/btcusd/"], 2)


def test_quotes_of_several_pairs_take_one_request_and_come_as_asked() -> None:
    with tickers() as (source, vendor, _):
        answer = source.quotes(["BTC-USD", "ETH/USDT", "X:BTCUSD", "BTC/USX"])
    assert answer.frame["currency"].to_dict() == {"BTC-USD": "USD", "ETH/USDT": "USDT", "X:BTCUSD": "USD"}
    assert answer.missing.to_numpy().tolist() == [
        ["BTC/USX", "quote", "bitstamp has no spot pair BTC/USX; try 'BTC/USD'"]
    ]
    assert [asked.path for asked in vendor.asked] == ["/api/v2/ticker/"]


def test_a_pair_without_bid_and_ask_among_the_others_is_asked_for_by_itself() -> None:
    def half(asked: Asked) -> Reply:
        if asked.path == "/api/v2/ticker/":
            return Reply([ticker("BTC/USD"), ticker("ETH/USDT", bid="0", ask="")])
        return bitstamp(asked)

    with tickers(half) as (source, vendor, _):
        answer = source.quotes(["BTC/USD", "ETH/USDT", "LINK/USD"])
    assert answer.frame["bid"].tolist() == [26208.0] * 3
    assert [asked.path.rpartition("ticker/")[2] for asked in vendor.asked] == ["", "ethusdt/", "linkusd/"]


def test_an_exchange_that_gives_closes_only_for_several_pairs_is_asked_for_each() -> None:
    """Coinbase, whose closes of the last hour ccxt stamps with the time of this machine."""

    def coinbase(asked: Asked) -> Reply:
        if asked.path == "/products":
            return Reply([{"id": f"{base}-USD", "base_currency": base, "quote_currency": "USD", "status": "online",
                           "base_increment": "0.00000001", "quote_increment": "0.01", "min_market_funds": "1",
                           "trading_disabled": False} for base in ("BTC", "ETH")])  # fmt: skip
        if asked.path == "/products/spark-lines":
            return Reply({"BTC-USD": [[1639472400, 4.26, 4.38, 4.35, 4.27]]})
        told = {
            "trade_id": 7,
            "price": "2.5",
            "size": "1",
            "time": "2024-03-05T15:30:12.5Z",
            "bid": "2.4",
            "ask": "2.6",
        }
        return Reply(told | {"volume": "9"})

    with tickers(coinbase, name="coinbaseexchange") as (source, vendor, _):
        table = source.quotes(["BTC-USD", "ETH/USD"]).frame
    assert table.loc["BTC-USD"].tolist() == [2.4, 2.6, 2.5, "USD", pd.Timestamp("2024-03-05 15:30:12.5", tz="UTC")]
    assert [asked.path for asked in vendor.log] == [
        "/products", "/products/spark-lines", "/products/BTC-USD/ticker", "/products/ETH-USD/ticker"
    ]  # fmt: skip


def test_what_a_ticker_leaves_out_is_unknown() -> None:
    with tickers(faults=[Reply({"pair": "BTC/USD", "bid": "0.0", "ask": "3", "last": ""})]) as (source, _, _):
        row = source.quotes(["BTC/USD"]).frame.loc["BTC/USD"]
    assert row.isna().to_dict() == {"bid": True, "ask": False, "last": True, "currency": False, "time": True}


@pytest.mark.parametrize("body", [{"price": 3}, {"pair": "BTC/USD", "bid": "0", "last": None}, []])
def test_a_ticker_in_which_ccxt_finds_nothing_is_missing(body: object) -> None:
    with tickers(faults=[Reply(body)]) as (source, vendor, _):
        answer = source.quotes(["BTC/USD"])
    assert check(answer.frame, LATEST).empty
    assert answer.missing.to_numpy().tolist() == [
        ["BTC/USD", "quote", "bitstamp gives neither bid, ask nor price of BTC/USD"]
    ]
    assert len(vendor.asked) == 1


def test_no_symbols_and_unknown_ones_take_no_request_for_quotes() -> None:
    with tickers() as (source, vendor, _):
        assert check(source.quotes([]).frame, LATEST).empty
        assert source.quotes(["NOPE"]).missing["symbol"].tolist() == ["NOPE"]
    assert (len(vendor.asked), len(vendor.log)) == (0, 1)


def test_a_pair_whose_ticker_is_not_found_is_missing() -> None:
    with tickers(faults=[Reply({"error": "no"}, 404)] * 2) as (source, vendor, _):
        answer = source.quotes(["BTC/USD", "LINK/USD"])
    assert answer.missing.to_numpy().tolist() == [
        ["BTC/USD", "quote", "bitstamp /api/v2/ticker/btcusd/: the exchange has nothing there (404)"]
    ]
    assert list(answer.frame.index) == ["LINK/USD"]
    assert len(vendor.asked) == 3


def test_an_exchange_without_tickers_is_not_asked_for_them() -> None:
    with tickers() as (source, vendor, _):
        source._exchange._client.has |= {"fetchTicker": False, "fetchTickers": False}
        answer = source.quotes(["BTC/USD", "LINK/USD"])
    assert answer.missing["reason"].unique().tolist() == [
        "bitstamp gives no tickers; set SIGMA_CRYPTO_EXCHANGE to another"
    ]
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("faults", "error", "told", "requests"),
    [
        ([Reply({}, 401)], AccessDenied, r"Crypto does not let us in \(401\)", 1),
        ([Reply({}, 403)], AccessDenied, r"Crypto does not let us in \(403\)", 1),
        ([Reply({}, 429, {"Retry-After": "3600"})], RateLimited, "Crypto asks to wait 3600 s", 1),
        ([Reply({}, 429)] * 4, RateLimited, "Crypto says there are too many requests", 4),
        ([Reply({}, 500)] * 4, SourceDown, "Crypto answers 500", 4),
        ([Reply({"pair": "BTC/USD"}, cut=3)] * 4, SourceDown, "Crypto gave no answer", 4),
        ([Reply(b"<html>down for a while</html>")], AnswerUnreadable, "is not JSON", 1),
        ([Reply({"error": "of a kind"})], AnswerUnreadable, r"bitstamp, the ticker of BTC/USD: .*\(ExchangeError\)", 1),
    ],
)
def test_quotes_that_cannot_be_had_fail_by_type(
    faults: list[Reply], error: type[Exception], told: str, requests: int
) -> None:
    with tickers(faults=faults) as (source, vendor, _), pytest.raises(error, match=told):
        source.quotes(["BTC/USD"])
    assert len(vendor.asked) == requests


def test_quotes_come_after_a_failure_that_heals() -> None:
    with tickers(faults=[Reply({}, 500), Reply({}, 429, {"Retry-After": "1"})]) as (source, vendor, _):
        assert len(source.quotes(["BTC/USD", "LINK/USD"]).frame) == 2
    assert len(vendor.asked) == 3


def test_several_pairs_at_once_in_no_known_shape_are_asked_for_one_by_one() -> None:
    with tickers(faults=[Reply([["BTC/USD", 1, 2]])]) as (source, vendor, _):
        assert source.quotes(["BTC/USD", "LINK/USD"]).missing.empty
    assert len(vendor.asked) == 3


def test_quotes_that_do_not_come_in_time_are_an_outage() -> None:
    quick = replace(LIMITS, timeout=0.05, attempts=2)
    with (
        tickers(faults=[Reply({}, delay=0.3)] * 2, limits=quick) as (source, vendor, _),
        pytest.raises(SourceDown, match=r"Crypto gave no answer \(ReadTimeout\)"),
    ):
        source.quotes(["BTC/USD"])
    assert len(vendor.asked) == 2


# What can go wrong


@pytest.mark.parametrize("status", [401, 403])
def test_being_refused_is_told_at_once_and_names_another_way(status: int) -> None:
    health: list[Health] = []
    with opened(faults=[Reply({"error": "no"}, status)]) as (source, vendor, manners):
        manners._told = health.append
        with pytest.raises(AccessDenied, match=rf"Crypto does not let us in \({status}\).*SIGMA_CRYPTO_EXCHANGE"):
            source.bars(["BTC/USD"], *JANUARY)
    assert len(vendor.asked) == 1
    assert [entry.status for entry in health] == ["ok", "disabled" if status == 401 else "degraded"]


def test_a_pair_whose_candles_are_not_found_is_missing_and_the_others_are_there() -> None:
    with opened(faults=[Reply({"error": "no"}, 404)]) as (source, vendor, _):
        answer = source.bars(["BTC/USD", "LINK/USD"], *JANUARY)
    assert answer.missing.to_numpy().tolist() == [
        ["BTC/USD", "price", "bitstamp /api/v2/ohlc/btcusd/: the exchange has nothing there (404)"]
    ]
    assert set(answer.frame.index.get_level_values("symbol")) == {"LINK/USD"}
    assert len(vendor.asked) == 2


def test_a_list_of_pairs_that_is_not_found_is_an_error() -> None:
    with (
        opened(lambda asked: Reply(b"", 404)) as (source, vendor, _),
        pytest.raises(AnswerUnreadable, match=r"bitstamp /api/v2/markets/: the exchange has nothing there \(404\)"),
    ):
        source.bars(["BTC/USD"], *JANUARY)
    assert len(vendor.log) == 1


def test_too_many_requests_are_waited_for_as_long_as_the_exchange_says() -> None:
    slept: list[float] = []
    with opened(faults=[Reply({}, 429, {"Retry-After": "7"}), Reply({}, 429)]) as (source, vendor, manners):
        manners._sleep = slept.append
        answer = source.bars(["BTC/USD"], *JANUARY)
    assert len(answer.frame) == 17
    assert (slept[0], len(slept), len(vendor.asked)) == (7.0, 2, 3)


def test_too_many_requests_for_too_long_is_an_error() -> None:
    with (
        opened(faults=[Reply({}, 429, {"Retry-After": "3600"})]) as (source, vendor, _),
        pytest.raises(RateLimited, match="asks to wait 3600 s"),
    ):
        source.bars(["BTC/USD"], *JANUARY)
    assert len(vendor.asked) == 1


def test_a_failure_is_tried_again() -> None:
    with opened(faults=[Reply({}, 500), Reply({}, 503)]) as (source, vendor, manners):
        answer = source.bars(["BTC/USD"], *JANUARY)
    assert (len(answer.frame), len(vendor.asked), manners.requests) == (17, 3, 4)


@pytest.mark.parametrize("broken", [Reply([], 502), Reply([], cut=1), Reply([], 520)], ids=["502", "cut", "520"])
def test_an_exchange_that_only_fails_is_down(broken: Reply) -> None:
    body = replace(broken, body=MARKETS)
    with (
        opened(lambda asked: body, limits=replace(LIMITS, attempts=3)) as (source, vendor, _),
        pytest.raises(SourceDown),
    ):
        source.bars(["BTC/USD"], *JANUARY)
    assert len(vendor.log) == (1 if broken.status == 520 else 3)


def test_an_answer_that_is_cut_off_is_asked_for_again() -> None:
    with opened(faults=[replace(bitstamp(Asked("/api/v2/markets/", {}, {})), cut=100)]) as (source, vendor, _):
        answer = source.bars(["BTC/USD"], *JANUARY)
    assert (len(answer.frame), len(vendor.asked)) == (17, 2)


def test_an_exchange_that_does_not_answer_in_time_is_down() -> None:
    with (
        opened(faults=[Reply({}, delay=0.5)] * 2, limits=replace(LIMITS, timeout=0.05, attempts=2)) as (
            source,
            _,
            made,
        ),
        pytest.raises(SourceDown, match=r"bitstamp /api/v2/ohlc/btcusd/: Crypto gave no answer \(ReadTimeout\)"),
    ):
        source.bars(["BTC/USD"], *JANUARY)
    assert made.requests == 3


def test_a_server_that_is_gone_is_down() -> None:
    with opened() as (source, vendor, _):
        pass
    with pytest.raises(SourceDown, match="gave no answer"):
        source.bars(["BTC/USD"], *JANUARY)
    assert vendor.log == []


@pytest.mark.parametrize(
    "body",
    [b"<html>we have moved</html>", b"", {"markets": MARKETS}, [], [{"pair": "btcusd"}], "nothing"],
    ids=["page", "nothing", "wrapped", "empty", "renamed", "text"],
)
def test_a_list_of_pairs_in_another_shape_is_unreadable(body: object) -> None:
    with opened(lambda asked: Reply(body)) as (source, vendor, _), pytest.raises(AnswerUnreadable, match="bitstamp"):
        source.bars(["BTC/USD"], *JANUARY)
    assert len(vendor.log) == 1


@pytest.mark.parametrize(
    "body", [b"<html>down for a while</html>", b"", b'{"data": {'], ids=["page", "nothing", "half"]
)
def test_candles_that_are_not_json_are_unreadable(body: bytes) -> None:
    """ccxt by itself would read no candles out of them, a hole in the middle of a long range."""
    with (
        opened(faults=[Reply(body)]) as (source, vendor, _),
        pytest.raises(AnswerUnreadable, match="bitstamp /api/v2/ohlc/btcusd/: the exchange's answer is not JSON"),
    ):
        source.bars(["BTC/USD"], *JANUARY)
    assert len(vendor.asked) == 1


def test_an_error_in_the_body_of_a_good_answer_is_unreadable() -> None:
    with (
        opened(faults=[Reply({"error": "of a kind"})]) as (source, vendor, _),
        pytest.raises(
            AnswerUnreadable, match=r"bitstamp, 1d candles of BTC/USD: in no shape that .* \(ExchangeError\)"
        ),
    ):
        source.bars(["BTC/USD"], *JANUARY)
    assert len(vendor.asked) == 1


@pytest.mark.parametrize(
    "body",
    [{"candles": []}, {"data": {"ohlc": [{"time": "1"}]}}, {"data": {"ohlc": [[1, 2, 3]]}}],
    ids=["renamed", "without a time", "lists"],
)
def test_candles_that_ccxt_passes_over_are_missing(body: object) -> None:
    with opened(faults=[Reply(body)]) as (source, vendor, _):
        answer = source.bars(["BTC/USD"], *JANUARY)
    assert answer.frame.empty
    assert list(answer.missing["what"]) == ["price"]
    assert len(vendor.asked) == 1


def test_days_without_a_candle_in_between_are_told_as_history() -> None:
    def thin(asked: Asked) -> Reply:
        reply = bitstamp(asked)
        if of_candles(asked):
            del reply.body["data"]["ohlc"][3:5]
        return reply

    with opened(thin) as (source, _, _):
        answer = source.bars(["BTC/USD"], *JANUARY)
    assert len(answer.frame) == 15
    assert answer.missing["what"].to_list() == ["history"]
    assert answer.missing["reason"][0].endswith("gives 2024-01-15 to 2024-01-31 without 2 day(s) in between")


@pytest.mark.parametrize(
    ("raised", "error"),
    [("AuthenticationError", AccessDenied), ("PermissionDenied", AccessDenied), ("RestrictedLocation", AccessDenied),
     ("RateLimitExceeded", RateLimited), ("DDoSProtection", RateLimited), ("RequestTimeout", SourceDown),
     ("ExchangeNotAvailable", SourceDown), ("OnMaintenance", SourceDown), ("NetworkError", SourceDown),
     ("BadResponse", AnswerUnreadable), ("NullResponse", AnswerUnreadable), ("ExchangeError", AnswerUnreadable)],
)  # fmt: skip
def test_what_ccxt_raises_becomes_an_error_of_ours(
    raised: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that exchanges put into the body of a good answer, as their ccxt classes tell them apart."""
    import ccxt

    def refuse(*_: object) -> None:
        raise getattr(ccxt, raised)("bitstamp said no")

    with opened() as (source, _, _):
        monkeypatch.setattr(source._exchange._client, "handle_errors", refuse)
        with pytest.raises(error, match=f"bitstamp, its list of pairs: .*{raised}"):
            source.bars(["BTC/USD"], *JANUARY)


def test_a_pair_that_the_exchange_no_longer_knows_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import ccxt

    def refuse(*_: object) -> None:
        raise ccxt.BadSymbol("bitstamp said no")

    with opened() as (source, _, _):
        source.profiles(["BTC/USD"])
        monkeypatch.setattr(source._exchange._client, "handle_errors", refuse)
        answer = source.bars(["BTC/USD"], *JANUARY)
    assert answer.missing.to_numpy().tolist() == [
        ["BTC/USD", "price", "bitstamp, 1d candles of BTC/USD: the exchange does not know the pair"]
    ]


# Opening it


def test_it_is_opened_by_name_without_a_request_or_an_option(tmp_path: Path) -> None:
    source = source_class("crypto").opened(opening(tmp_path))
    assert isinstance(source, Crypto)
    assert (source.name, source.traits.benchmark, source._exchange.name) == ("crypto", "BTC/USD", "bitstamp")
    assert source.coverage().empty


@pytest.mark.parametrize(
    ("options", "words"),
    [({"exchange": "krakn"}, "SIGMA_CRYPTO_EXCHANGE is 'krakn', which ccxt does not know; try 'kraken'"),
     ({"exchange": "zaif"}, "'zaif', which gives no daily candles; try 'bitstamp'"),
     ({"base": "localhost:80"}, "SIGMA_CRYPTO_BASE is 'localhost:80'; write an address such as http://")],
)  # fmt: skip
def test_an_option_it_cannot_use_is_refused(tmp_path: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Crypto.opened(opening(tmp_path, **options))


def test_the_clock_is_the_real_one_unless_another_is_given(tmp_path: Path) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)

    def endless(asked: Asked) -> Reply:
        if not of_candles(asked):
            return Reply(MARKETS)
        start = int(asked.query["start"])
        return Reply({"data": {"ohlc": [candle(start + day * DAY) for day in range(1_000)]}})

    with serving(Vendor(endless)) as vendor:
        source = Crypto.opened(opening(tmp_path, base=vendor.base + "/"))
        frame = source.bars(["BTC/USD"], yesterday - timedelta(days=3), yesterday + timedelta(days=9)).frame
        source._exchange._client.session.close()
    last = frame.index.get_level_values("session")[-1].date()
    assert yesterday <= last < datetime.now(UTC).date()


# Recordings


def test_recorded_days_come_back_as_they_were_traded() -> None:
    path = RECORDED / "lean_coinbase_btcusd_daily_2014_2018.csv.gz"
    if not path.is_file():
        pytest.skip("the recorded candles are not in the folder shared/data beside the project")
    rows = pd.read_csv(path, names=["day", "open", "high", "low", "close", "volume"], parse_dates=["day"])
    rows = rows.set_index("day").loc["2016-01-01":"2017-12-31"]
    stamps = (rows.index - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    kept = {int(second): row for second, row in zip(stamps, rows.astype("str").to_dict("records"), strict=True)}

    def recorded(asked: Asked) -> Reply:
        if not of_candles(asked):
            return Reply(MARKETS)
        start, end = int(asked.query["start"]), int(asked.query["end"])
        found = [{"timestamp": str(second), **row} for second, row in kept.items() if start <= second <= end]
        return Reply({"data": {"pair": "BTC/USD", "ohlc": found}})

    with opened(recorded) as (source, _, _):
        answer = source.bars(["X:BTCUSD"], date(2016, 1, 1), date(2017, 12, 31))
    bars = answer.frame.droplevel("symbol")
    pd.testing.assert_frame_equal(
        bars[list(rows.columns)], rows, check_index_type=False, check_names=False, check_freq=False
    )
    assert answer.missing.empty

"""Gathering gives one picture of what was known, whole, in order, and blind to the future."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.frames import QUOTES, missing
from sigmalib.core.market import MarketView
from sigmalib.core.times import sessions
from sigmalib.data.gather import gather
from sigmalib.data.sample import Sample
from sigmalib.data.sources import Answer

SYMBOLS = ("XOM", "AAPL", "MTUM")
CALL, PUT = "AAPL230120C00130000", "AAPL230120P00120000"


def view(symbols: tuple[str, ...] = SYMBOLS, as_of: str = "2022-12-28", **asked: Any) -> MarketView:
    start = asked.pop("start", "2022-01-03")
    return gather(Sample(), symbols, as_of, start=start, benchmark="SPX", base_currency="USD", **asked)


class Quoting(Sample):
    """The sample source with quotes of one option, and with a session of AAPL taken away."""

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        index = pd.MultiIndex.from_arrays(
            [[pd.Timestamp(as_of)] * 2, [CALL, "AAPL230120C00500000"]], names=list(QUOTES.index)
        )
        values = {"underlying": underlying, "bid": [2.0, 0.0], "ask": [2.1, 0.1], "implied_volatility": 0.3}
        return Answer(pd.DataFrame(values, index=index).reindex(columns=QUOTES.names), missing())

    def bars(self, symbols: Any, start: date, end: date) -> Answer:
        answer = super().bars(symbols, start, end)
        return Answer(answer.frame.drop((pd.Timestamp("2022-12-23"), "AAPL")), answer.missing)


def test_the_view_holds_every_session_and_symbol_in_order() -> None:
    market = view()
    assert list(market.closes.columns) == ["AAPL", "MTUM", "SPX", "XOM"]
    assert market.closes.index.equals(sessions("2022-01-03", "2022-12-28"))
    assert market.adjusted.index.equals(market.closes.index)
    assert market.closes.loc["2022-12-28", "AAPL"] == 125.674
    assert market.rate() == 0.0383
    assert market.missing.empty


def test_the_order_of_symbols_changes_nothing() -> None:
    prints = {view(tuple(order)).fingerprint for order in permutations(SYMBOLS)}
    assert prints == {view(("xom", "AAPL", "MTUM", "AAPL")).fingerprint}


def test_another_symbol_or_date_gives_another_fingerprint() -> None:
    assert len({view().fingerprint, view(("XOM", "AAPL")).fingerprint, view(as_of="2022-12-27").fingerprint}) == 3


@pytest.mark.parametrize("day", ["2022-01-03", "2022-06-30", "2022-11-30", "2022-12-24", "2022-12-27"])
def test_the_future_is_not_seen(day: str) -> None:
    then, later = view(as_of=day, currencies=["EUR"]), view(currencies=["EUR"]).until(day)
    assert then.as_of == later.as_of
    pd.testing.assert_frame_equal(then.closes, later.closes)
    pd.testing.assert_frame_equal(then.adjusted, later.adjusted)
    pd.testing.assert_series_equal(then.rates, later.rates)
    pd.testing.assert_frame_equal(then.fx, later.fx)
    assert then.fingerprint == later.fingerprint


def test_a_weekend_is_seen_from_the_session_before() -> None:
    assert view(as_of="2022-12-25").as_of == date(2022, 12, 23)


def test_an_unknown_symbol_has_a_column_a_profile_row_and_a_reason() -> None:
    market = view(("TSLA", "AAPL"))
    assert market.closes["TSLA"].isna().all()
    assert market.closes["TSLA"].dtype == "float64"
    assert market.profiles.loc["TSLA"].isna().all()
    assert list(market.missing.itertuples(index=False, name=None)) == [
        ("TSLA", what, "the sample data has no TSLA; it has AAPL, AMD, BAC, … (33 symbols)")
        for what in ("price", "profile")
    ]


def test_nothing_known_at_all_is_a_view_of_unknowns() -> None:
    market = gather(Sample(), ["TSLA"], "2023-06-30", start="2023-06-01", benchmark="NVDA", base_currency="USD")
    assert market.closes.isna().all(axis=None)
    assert market.closes.shape == (21, 2)
    assert set(market.missing["symbol"]) == {"TSLA", "NVDA", "USD"}


def test_a_session_the_source_lacks_is_a_row_of_unknown_price() -> None:
    market = gather(Quoting(), SYMBOLS, "2022-12-28", start="2022-12-01", benchmark="SPX", base_currency="USD")
    assert market.closes["AAPL"].isna().sum() == 1
    assert market.closes["XOM"].notna().all()
    assert market.closes.index.equals(sessions("2022-12-01", "2022-12-28"))


def test_a_currency_without_a_rate_is_listed_and_the_base_needs_none() -> None:
    market = view(currencies=["USD", "EUR"])
    assert list(market.missing["reason"]) == ["no EUR/USD rate in the sample data"]
    assert market.fx_rates().to_dict() == {"USD": 1.0}


def test_what_is_missing_is_listed_once() -> None:
    market = view(("AAPL",), options=[CALL, PUT, CALL])
    assert list(market.missing["symbol"]) == ["AAPL"]
    assert market.quotes.empty


def test_quotes_are_the_whole_chains_of_the_options_asked_for() -> None:
    market = gather(
        Quoting(), ["AAPL"], "2022-12-28", start="2022-12-01", benchmark="SPX", base_currency="USD",
        options=[PUT, CALL],
    )  # fmt: skip
    assert list(market.quotes.index.get_level_values("symbol")) == [CALL, "AAPL230120C00500000"]
    assert market.missing["reason"].tolist() == [f"no quote of {PUT} on 2022-12-28"]


def test_raw_stocks_are_valued_as_traded_and_their_returns_are_adjusted() -> None:
    market = view(("IBM",), as_of="2012-11-08", start="2012-11-01")
    assert market.closes.loc["2012-11-07", "IBM"] / market.adjusted.loc["2012-11-07", "IBM"] > 1.1
    raw = market.closes["IBM"].pct_change().loc["2012-11-07"]
    assert market.returns.loc["2012-11-07", "IBM"] - raw == pytest.approx(0.85 / 195.07, rel=0.05)


def test_a_start_after_the_as_of_is_refused() -> None:
    with pytest.raises(InputError, match="`start` 2022-12-26 lies after the session 2022-12-23"):
        view(as_of="2022-12-25", start="2022-12-26")


def test_an_as_of_before_the_calendar_is_refused_with_the_range() -> None:
    with pytest.raises(InputError, match="give a date from 1990-01-02"):
        view(as_of="1989-12-29", start="1989-12-01")


def test_exchange_rates_may_reach_back_further_than_prices() -> None:
    market = view(start="2022-12-01", currencies=["EUR"], fx_start="2022-10-03")
    assert (str(market.fx.index[0].date()), str(market.closes.index[0].date())) == ("2022-10-03", "2022-12-01")
    later = view(start="2022-12-01", currencies=["EUR"], fx_start="2022-12-20")
    assert later.fx.index.equals(later.closes.index)


def test_symbols_beside_the_book_have_closes_and_nothing_of_theirs_is_told() -> None:
    alone, market = view(("AAPL",)), view(("AAPL",), beside=["qual", "VTV", "AAPL", "SPX"])
    assert list(market.closes.columns) == ["AAPL", "QUAL", "SPX", "VTV"]
    assert market.returns["QUAL"].notna().all()
    assert market.closes["VTV"].isna().all()
    assert market.closes["VTV"].dtype == "float64"
    assert market.missing.empty
    assert market.profiles.index.to_list() == ["AAPL", "SPX"]
    assert market.actions_known == alone.actions_known
    pd.testing.assert_frame_equal(market.closes[["AAPL", "SPX"]], alone.closes)


def test_the_dividends_of_a_symbol_beside_the_book_need_not_be_known() -> None:
    market = view(("AAPL",), as_of="2012-12-28", start="2012-11-01", beside=["IBM"])
    assert market.missing.empty
    assert market.closes["IBM"].notna().all()
    assert view(("IBM",), as_of="2012-12-28", start="2012-11-01").missing["what"].to_list() == ["dividend"]


@pytest.mark.parametrize("day", ["2022-01-03", "2022-11-30"])
def test_the_future_of_a_symbol_beside_the_book_is_not_seen(day: str) -> None:
    assert view(beside=["VLUE"]).until(day).fingerprint == view(as_of=day, beside=["VLUE"]).fingerprint

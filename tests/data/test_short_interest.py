"""Short interest from source to picture: when it is known, how it is kept, and that nothing of the future is seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import AccessDenied
from sigmalib.core.frames import SHORT_INTEREST, check, missing
from sigmalib.data.cache import Cache
from sigmalib.data.gather import gather
from sigmalib.data.reference import due_short_interest, fetch_short_interest
from sigmalib.data.sample import Sample
from sigmalib.data.short_interest import chosen, published, short_interest_of
from sigmalib.data.sources import Answer, source_class
from sigmalib.data.stored import Stored

NOW = datetime(2022, 12, 28, 22, tzinfo=UTC)
YEAR = date(2022, 1, 3), date(2022, 12, 28)


class Shorted(Sample):
    """The sample source with two counts of AAPL, the second of them settled shortly before the sample's end."""

    shares = 100.0

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        days = pd.to_datetime(["2022-11-30", "2022-12-15"])
        rows = pd.DataFrame({"session": days, "symbol": "AAPL", "percent_of_float": [0.01, 0.02]})
        found = chosen(short_interest_of(rows.assign(shares_short=self.shares)), list(symbols), start, end)
        gaps = ((symbol, "short_interest", "nobody counts it") for symbol in symbols if symbol != "AAPL")
        return Answer(found, missing(*gaps))


class Closed(Sample):
    """A source whose plan has no short interest."""

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        raise AccessDenied("the plan has no short interest")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "bars"), tmp_path / "reading")


def test_a_count_is_known_at_the_eighth_session_after_its_settlement() -> None:
    settled = pd.DatetimeIndex(["2024-03-15", "2022-12-15", "2023-09-30", "2024-03-15"])
    # Good Friday is past the first; Christmas (seen on a Monday) lies in the second; the third is a Saturday
    assert [str(day.date()) for day in published(settled)] == ["2024-03-27", "2022-12-28", "2023-10-11", "2024-03-27"]
    assert len(published(pd.DatetimeIndex([]))) == 0


def test_what_cannot_be_a_count_is_unknown_and_a_row_of_unknowns_is_left_out() -> None:
    rows = pd.DataFrame(
        {
            "session": pd.to_datetime(["2024-03-15", "2024-03-15", "2024-03-15", "1970-01-01"]),
            "symbol": ["B", "A", "C", "D"],
            "percent_of_float": [np.inf, 0.1, np.nan, 0.1],
            "days_to_cover": [2.0, -1.0, np.nan, 1.0],
        }
    )
    found = check(short_interest_of(rows), SHORT_INTEREST)
    assert found.index.get_level_values("symbol").to_list() == ["A", "B"]
    assert found["percent_of_float"].to_list()[0] == 0.1
    assert found["days_to_cover"].isna().to_list() == [True, False]
    assert check(short_interest_of(rows.iloc[:0]), SHORT_INTEREST).empty


def test_a_date_of_publication_that_is_given_counts() -> None:
    rows = pd.DataFrame({"session": pd.to_datetime(["2024-03-15", "2024-03-28"]), "symbol": "A", "days_to_cover": 1.0})
    given = rows.assign(published=pd.to_datetime(["2024-03-20", None]))
    assert [str(day.date()) for day in short_interest_of(given)["published"]] == ["2024-03-20", "2024-04-10"]


def test_the_picture_has_what_was_published_and_tells_what_is_missing_only_when_asked() -> None:
    asked = {"start": "2022-01-03", "benchmark": "SPX", "base_currency": "USD"}
    market = gather(Shorted(), ["AAPL", "XOM"], "2022-12-27", **asked)
    assert market.short_interest["percent_of_float"].to_dict() == {"AAPL": 0.01}
    assert market.missing.empty
    last = gather(Shorted(), ["AAPL", "XOM"], "2022-12-28", **asked, short_interest=True)
    assert last.short_interest["percent_of_float"].to_dict() == {"AAPL": 0.02}
    assert last.missing[["symbol", "what"]].to_numpy().tolist() == [[s, "short_interest"] for s in ("SPX", "XOM")]
    later = gather(Shorted(), ["AAPL", "XOM"], "2022-12-28", **asked)
    assert later.until("2022-12-27").fingerprint == market.fingerprint


def test_one_that_is_settled_and_not_published_is_missing_when_asked() -> None:
    market = gather(
        Shorted(),
        ["AAPL"],
        "2022-12-05",
        start="2022-12-01",
        benchmark="AAPL",
        base_currency="USD",
        short_interest=True,
    )
    assert market.short_interest.empty
    assert market.missing["reason"].to_list() == ["none of AAPL was published by 2022-12-05"]


def test_a_source_without_any_changes_no_fingerprint_and_adds_no_gap() -> None:
    asked = {"start": "2022-01-03", "benchmark": "SPX", "base_currency": "USD"}
    market = gather(Sample(), ["AAPL"], "2022-12-28", **asked)
    assert market.missing.empty
    assert market.short_interest.empty
    told = gather(Sample(), ["AAPL"], "2022-12-28", **asked, short_interest=True).missing
    assert told["what"].to_list() == ["short_interest"] * 2


def test_what_was_fetched_is_read_as_it_was_known(cache: Cache) -> None:
    source = Shorted()
    for hour in range(3):
        source.shares = 100.0 if hour < 2 else 200.0  # the second time nothing is new, the third it is corrected
        fetch_short_interest(source, cache, ["aapl"], *YEAR, now=lambda: NOW + timedelta(hours=hour))  # noqa: B023
    assert len(cache.record("sample", "short_interest").names()) == 2
    now, then, before = (
        Stored("sample", source.traits, cache, known_at=at)
        for at in (None, NOW + timedelta(minutes=5), NOW - timedelta(minutes=5))
    )
    found = now.short_interest(["AAPL", "XOM"], *YEAR)
    assert check(found.frame, SHORT_INTEREST)["shares_short"].to_list() == [200.0, 200.0]
    assert found.missing["symbol"].to_list() == ["XOM"]
    assert "sigma data fetch --book NAME --source sample" in found.missing["reason"][0]
    assert then.short_interest(["AAPL"], *YEAR).frame["shares_short"].to_list() == [100.0, 100.0]
    assert before.short_interest(["AAPL"], *YEAR).missing["what"].to_list() == ["short_interest"]
    assert len(now.short_interest(["AAPL"], date(2022, 12, 1), YEAR[1]).frame) == 1
    pd.testing.assert_frame_equal(found.frame, source.short_interest(["AAPL"], *YEAR).frame)


def test_a_refusal_is_missing_with_the_reason_and_keeps_nothing(cache: Cache) -> None:
    answer = fetch_short_interest(Closed(), cache, ["AAPL", "XOM"], *YEAR, now=lambda: NOW)
    assert check(answer.frame, SHORT_INTEREST).empty
    assert answer.missing["reason"].to_list() == ["the plan has no short interest"] * 2
    assert cache.record("sample", "short_interest").names() == []


def test_it_is_asked_for_again_once_a_newer_one_may_be_out(cache: Cache) -> None:
    fetch_short_interest(Shorted(), cache, ["AAPL"], *YEAR, now=lambda: NOW)
    asked = [due_short_interest(cache, "sample", ["AAPL", "XOM"], date(2023, 1, day)) for day in (9, 10)]
    assert asked == [["XOM"], ["AAPL", "XOM"]]


@pytest.mark.parametrize(("name", "words"), [("sample", "the sample data has no"), ("crypto", "coins have no")])
def test_a_source_without_short_interest_says_so(name: str, words: str) -> None:
    asked = source_class(name).short_interest  # type: ignore[attr-defined]
    answer = asked(object(), ["btc/usd", "AAPL"], *YEAR)
    assert check(answer.frame, SHORT_INTEREST).empty
    assert answer.missing["symbol"].to_list() == ["AAPL", "BTC/USD"]
    assert answer.missing["reason"].str.startswith(words).all()

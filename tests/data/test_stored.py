"""What was fetched answers as a source: without a request, as of any session, as known at any instant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.frames import ACTIONS, BARS, PROFILES, QUOTES, check
from sigmalib.core.times import sessions
from sigmalib.data.cache import Cache
from sigmalib.data.cache.record import new_fetch_id
from sigmalib.data.fetch import fetch
from sigmalib.data.gather import gather
from sigmalib.data.reference import fetch_chain, fetch_profiles
from sigmalib.data.sample import Sample
from sigmalib.data.sources import Answer, Traits
from sigmalib.data.stored import Stored
from tests.data.bars import daily

NOW = datetime(2024, 7, 1, 21, tzinfo=UTC)
START, END = date(2024, 3, 4), date(2024, 4, 30)
TRAITS = Traits("for tests", benchmark="SPY", rate_symbol="^IRX", fx_symbol="{currency}{base}=X")
NAMES = ("AAA", "EURUSD=X", "SPY", "^IRX")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "bars"), tmp_path / "reading")


@pytest.fixture
def stored(cache: Cache) -> Stored:
    days = sessions(START, END)
    walk = np.random.default_rng(3).normal(0, 0.01, (len(NAMES), len(days))).cumsum(axis=1)
    paths = dict(zip(NAMES, (np.array([[100], [1.1], [500], [5.25]]) * np.exp(walk)).tolist(), strict=True))
    frame = daily(paths, str(START))
    frame.loc[(pd.Timestamp("2024-04-02"), "AAA"), "dividend"] = 0.5
    frame.loc[(pd.Timestamp("2024-04-10"), "AAA"), "split"] = 2.0
    put(cache, frame)
    return Stored("vendor", TRAITS, cache)


def put(cache: Cache, frame: pd.DataFrame, at: datetime = NOW) -> None:
    asked = {symbol: [(START, END)] for symbol in NAMES}
    bad = frame.iloc[:0].assign(reason="")
    cache.shelf("vendor", "1d", "").commit(frame, bad, asked, fetch_id=new_fetch_id(), at=at)


def test_bars_are_those_fetched_in_the_shape_of_the_contract(stored: Stored) -> None:
    answer = stored.bars(["aaa", "SPY"], date(2024, 4, 1), date(2024, 4, 3))
    assert check(answer.frame, BARS).index.get_level_values("symbol").unique().tolist() == ["AAA", "SPY"]
    assert len(answer.frame) == 6
    assert answer.missing.empty


def test_what_was_not_fetched_is_missing_with_the_command_that_fetches_it(stored: Stored) -> None:
    answer = stored.bars(["AAA", "ZZZ"], date(2024, 2, 1), date(2024, 4, 3))
    reasons = answer.missing.set_index("symbol")
    assert (reasons.loc["AAA", "what"], reasons.loc["ZZZ", "what"]) == ("history", "price")
    assert "sigma data fetch AAA --source vendor --start 2024-02-01 --end 2024-03-03" in reasons.loc["AAA", "reason"]


def test_rates_and_exchange_rates_are_closes_of_symbols_of_their_own(stored: Stored) -> None:
    rates = stored.rates(date(2024, 4, 1), date(2024, 4, 3)).frame["rate"]
    assert (len(rates), rates.between(0.03, 0.08).all()) == (3, True)
    fx = stored.fx(["EUR", "USD", "JPY"], "USD", date(2024, 4, 1), date(2024, 4, 3))
    assert fx.frame["EUR"].notna().all()
    assert fx.missing["symbol"].tolist() == ["JPY"]


def test_actions_are_the_dividends_and_splits_of_the_range(stored: Stored) -> None:
    answer = stored.actions(["AAA", "SPY"], START, date(2024, 4, 9))
    assert check(answer.frame, ACTIONS).to_numpy().tolist() == [[0.5, 1.0]]
    assert answer.missing.empty
    assert stored.actions(["AAA"], date(2024, 1, 2), END).missing["what"].tolist() == ["split"]


def test_coverage_says_what_there_is(stored: Stored, cache: Cache, tmp_path: Path) -> None:
    held = stored.coverage()
    assert held.loc["AAA", "sessions"] == len(sessions(START, END))
    assert (held["first"] == pd.Timestamp(START)).all()
    assert Stored("other", TRAITS, cache).coverage().empty


def view(stored: Stored, as_of: str):
    return gather(stored, ["AAA"], as_of, start=START, benchmark="SPY", base_currency="USD", currencies=["EUR"])


@pytest.mark.parametrize("day", ["2024-04-01", "2024-04-02", "2024-04-09", "2024-04-10", "2024-04-30"])
def test_a_view_cut_at_a_day_is_the_view_gathered_on_that_day(stored: Stored, day: str) -> None:
    """To the bit: a dividend or a split of the future changes no earlier level."""
    assert view(stored, "2024-04-30").until(day).fingerprint == view(stored, day).fingerprint


def test_what_was_known_then_is_seen_whatever_came_since(stored: Stored, cache: Cache) -> None:
    then = Stored("vendor", TRAITS, cache, known_at=NOW + timedelta(hours=1))
    before = view(then, "2024-04-30")
    revised = stored.bars(["AAA", "SPY"], START, END).frame.assign(adjusted_close=np.nan)
    put(cache, revised.assign(close=revised["close"] * 1.01), at=NOW + timedelta(days=1))
    assert view(then, "2024-04-30").fingerprint == before.fingerprint
    assert view(stored, "2024-04-30").fingerprint != before.fingerprint
    assert before.known_at == NOW + timedelta(hours=1)


def test_what_was_not_known_then_is_missing_then(cache: Cache, stored: Stored) -> None:
    then = Stored("vendor", TRAITS, cache, known_at=NOW - timedelta(hours=1))
    for answer, what in ((then.bars(["AAA"], START, END), "price"), (then.actions(["AAA"], START, END), "split")):
        assert answer.frame.empty
        assert answer.missing["what"].tolist() == [what]


def test_bars_that_say_nothing_of_splits_are_named(cache: Cache) -> None:
    put(cache, daily({"AAA": [10, 11]}, str(START), split=np.nan))
    answer = Stored("vendor", TRAITS, cache).actions(["AAA"], START, END)
    assert answer.missing["what"].tolist() == ["split"]
    assert "not given on 2 session(s)" in answer.missing["reason"][0]


class Talking(Sample):
    """A source with profiles and a chain, which says something else each time."""

    name = "vendor"
    said = 0

    def profiles(self, symbols: object) -> Answer:
        """A profile whose sector changes."""
        self.said += 1
        answer = super().profiles(["AAPL"])
        return Answer(answer.frame.assign(sector=f"Sector {self.said}"), answer.missing)

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """One quote."""
        index = pd.MultiIndex.from_tuples([(pd.Timestamp(as_of), f"{underlying}240621C00150000")], names=QUOTES.index)
        quote = {"underlying": underlying, "bid": 2.0, "ask": 2.1}
        return Answer(
            pd.DataFrame(quote, index=index).reindex(columns=QUOTES.names),
            super().option_chain("X", as_of).missing.iloc[:0],
        )


def test_profiles_and_chains_are_kept_with_what_was_known_when(cache: Cache) -> None:
    source = Talking()
    for hour in range(2):
        fetch_profiles(source, cache, ["AAPL"], now=lambda: NOW + timedelta(hours=hour))  # noqa: B023
        fetch_chain(source, cache, "AAPL", START, now=lambda: NOW)
    now, then = (Stored("vendor", TRAITS, cache, known_at=at) for at in (None, NOW + timedelta(minutes=5)))
    assert check(now.profiles(["AAPL"]).frame, PROFILES).loc["AAPL", "sector"] == "Sector 2"
    assert then.profiles(["AAPL"]).frame.loc["AAPL", "sector"] == "Sector 1"
    assert now.profiles(["MSFT"]).missing["what"].tolist() == ["profile"]
    assert check(now.option_chain("AAPL", START).frame, QUOTES)["bid"].tolist() == [2.0]
    assert "marked by model" in now.option_chain("AAPL", END).missing["reason"][0]
    assert len(cache.record("vendor", "chains", "AAPL").names()) == 1


def test_a_stored_sample_is_the_sample(cache: Cache) -> None:
    sample, names = Sample(), ["AAPL", "SPX", "XOM"]
    fetch(sample, cache, names, date(2022, 1, 3), date(2022, 12, 28), now=lambda: NOW)
    stored = Stored("sample", sample.traits, cache)
    found, given = (source.bars(names, date(2022, 1, 3), date(2022, 12, 28)).frame for source in (stored, sample))
    pd.testing.assert_frame_equal(found.drop(columns="source"), given.drop(columns="source"))

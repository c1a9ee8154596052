"""What the data page and the banner are told: of the sample, and of what was fetched, with holes and bad rows in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from sigmalib.core.errors import DataUnavailable
from sigmalib.data.cache.record import new_fetch_id
from sigmalib.data.manners import Health
from sigmalib.desk import pages
from sigmalib.desk.book import import_book, open_book
from sigmalib.desk.world import World, open_world
from tests.data.bars import daily
from tests.worlds import book_file, new_workspace

NOW = datetime(2024, 6, 28, 22, tzinfo=UTC)  # Friday, after the close
SINCE = datetime(2024, 6, 28, 14, 30, tzinfo=UTC)
START, COUNT = "2024-01-02", 123  # to 2024-06-27
SYMBOLS = ("AAA", "BBB", "SPY")


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world of a server whose source in use is Yahoo, of which three symbols were fetched."""
    home = new_workspace(tmp_path / "sigma")
    for name, value in {"SIGMA_HOME": str(home), "SIGMA_SOURCE": "yahoo"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(World, "now", lambda _: NOW)
    for kept in (pages.shared_world, pages._opened, pages._checked, pages._held, pages._written_on):
        kept.cache_clear()
    world = pages.shared_world()
    commit(world, daily({name: [100 + day % 7 for day in range(COUNT)] for name in SYMBOLS}, START))
    yield world
    world.store.close()
    pages.shared_world.cache_clear()


def commit(world: World, bars: pd.DataFrame, bad: pd.DataFrame | None = None, *, source: str = "yahoo") -> None:
    """Keep bars as if they had been fetched; ``bad`` ones with a reason go to quarantine."""
    none = bars.iloc[:0].assign(reason=pd.Series(dtype="str"))
    shelf = world.cache.shelf(source, "1d", "")
    asked = {str(symbol): [(date(2024, 1, 2), date(2024, 6, 28))] for symbol in bars.index.levels[1]}
    shelf.commit(bars, none if bad is None else bad, asked, fetch_id=new_fetch_id(), at=NOW)


def holed(*days: str, symbol: str = "CCC") -> pd.DataFrame:
    """Bars of a symbol without those of ``days``."""
    bars = daily({symbol: [100 + day % 7 for day in range(COUNT)]}, START)
    return bars[~bars.index.get_level_values("session").isin(pd.to_datetime(days))]


def book_of(world: World, folder: Path, *symbols: str) -> None:
    rows = [f"{symbol},5,60,2024-06-03,," for symbol in symbols]
    import_book(book_file(folder, "CASH,100,1,2024-06-03,,", *rows), name="mine", world=world)


def doubts(world: World) -> tuple[str, ...]:
    return pages.doubts(open_book("mine", world=world))


def test_what_is_held_is_counted_with_the_sessions_behind(stored: World) -> None:
    held = pages.data_held(world=stored)
    assert held[["symbol", "interval", "bars", "behind"]].values.tolist() == [[s, "1d", COUNT, 1] for s in SYMBOLS]
    assert held["last"].tolist() == [date(2024, 6, 27)] * 3


def test_the_sample_is_held_although_nothing_was_fetched(world: World) -> None:
    held = pages.data_held(world=world).set_index("symbol")
    assert (len(held), held.loc["AAPL", "last"]) == (33, date(2022, 12, 28))
    assert held.loc["FB", "behind"] > held.loc["AAPL", "behind"] > 0
    assert list(pages.data_held("yahoo", world=world)) == list(pages.data_held("sample", world=world).reindex(columns=(
        "source", "interval", "symbol", "first", "last", "bars", "behind")))  # fmt: skip


def test_sources_that_were_fetched_from_are_offered_the_one_in_use_first(stored: World) -> None:
    assert pages.source_names() == ["yahoo"]
    commit(stored, daily({"BTC/USD": [1.0, 2.0]}, START), source="crypto")
    assert pages.source_names() == ["yahoo", "crypto"]


def test_data_are_checked_over_the_last_days_of_what_there_is(stored: World) -> None:
    assert pages.data_seen("yahoo").check.start == date(2024, 1, 2)
    seen = pages.data_seen("yahoo", 31)
    assert (seen.check.start, seen.check.end) == (date(2024, 5, 27), date(2024, 6, 27))
    assert pages.data_seen("yahoo", 9_999).check.start == date(2024, 1, 2)
    assert seen.sources["source"].tolist()[0] == "sample"
    assert seen.fetches.empty


def test_a_check_is_made_once_until_something_is_fetched_or_an_hour_has_passed(
    stored: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pages.data_seen("yahoo").check
    assert pages.data_seen("yahoo").check is before
    commit(stored, holed("2024-03-05"))
    after = pages.data_seen("yahoo").check
    assert (len(before.coverage), len(after.coverage)) == (3, 4)
    monkeypatch.setattr(World, "now", lambda _: NOW.replace(hour=23))
    assert pages.data_seen("yahoo").check is not after


def test_a_source_of_which_nothing_was_fetched_says_what_to_run(stored: World) -> None:
    seen = pages.data_seen("polygon", 366)
    assert seen.check is None
    assert "run `sigma data fetch SYMBOL --source polygon`" in seen.why
    assert seen.held.empty
    assert len(seen.sources) >= 5


def test_prices_around_a_session_show_where_one_is_missing(stored: World) -> None:
    commit(stored, holed("2024-03-05"))
    prices = pages.prices_around("CCC", "2024-03-05", reach=2, world=stored)["close"]
    assert [f"{day:%m-%d}" for day in prices.index] == ["03-01", "03-04", "03-05", "03-06", "03-07"]
    assert prices.isna().tolist() == [False, False, True, False, False]


def test_prices_around_the_first_session_of_the_sample_begin_there(world: World) -> None:
    prices = pages.prices_around("AAPL", "1990-01-02", reach=3, world=world)
    assert prices.index[0] == pd.Timestamp("1990-01-02")
    assert len(prices) == 4


@pytest.mark.parametrize(("symbol", "day"), [("NOPE", "2024-03-05"), ("AAA", "2020-03-05")])
def test_prices_around_a_session_nobody_has_say_what_to_run(stored: World, symbol: str, day: str) -> None:
    with pytest.raises(DataUnavailable, match=f"sigma data fetch {symbol}"):
        pages.prices_around(symbol, day, world=stored)


def test_sound_prices_of_a_source_that_is_well_raise_no_doubt(stored: World, tmp_path: Path) -> None:
    book_of(stored, tmp_path, "AAA", "BBB")
    assert doubts(stored) == ()


def test_gaps_of_the_last_sixty_sessions_are_told_by_symbol(stored: World, tmp_path: Path) -> None:
    commit(stored, holed("2024-02-06", "2024-06-11", "2024-06-12"))  # the first is too long ago
    commit(stored, holed("2024-06-14", symbol="DDD"))
    book_of(stored, tmp_path, "AAA", "CCC", "DDD")
    assert doubts(stored) == ("Prices are missing inside the last 60 sessions: CCC 2, DDD 1.",)


def test_a_late_start_is_no_gap(stored: World, tmp_path: Path) -> None:
    commit(stored, holed()[-20:])
    book_of(stored, tmp_path, "CCC")
    assert doubts(stored) == ()


def test_holidays_of_a_symbols_own_exchange_are_no_gap(stored: World, tmp_path: Path) -> None:
    commit(stored, holed("2024-05-01", symbol="SAP.DE"))  # Frankfurt keeps the first of May, New York does not
    commit(stored, holed("2024-05-01", symbol="CCC"))
    book_of(stored, tmp_path, "SAP.DE", "CCC")
    assert doubts(stored) == ("Prices are missing inside the last 60 sessions: CCC 1.",)


def test_impossible_rows_behind_the_book_are_told(stored: World, tmp_path: Path) -> None:
    bad = daily({"AAA": [-1.0], "BBB": [-1.0]}, "2024-06-21").assign(reason="close -1 is no price")
    old = daily({"AAA": [-1.0]}, "2024-01-05").assign(reason="close -1 is no price")
    commit(stored, daily({"AAA": [100.0]}, START), pd.concat([bad, old]))
    book_of(stored, tmp_path, "AAA")
    assert doubts(stored) == ("Rows of the last 60 sessions cannot be true and are kept apart: AAA 1.",)


def test_a_source_that_is_disabled_is_told_since_when_and_why(stored: World, tmp_path: Path) -> None:
    book_of(stored, tmp_path, "AAA")
    stored.journal.tell("yahoo", Health("disabled", "yahoo does not know the key (401)", SINCE))
    assert doubts(stored) == (
        "The yahoo source is disabled since 2024-06-28 10:30 New York time: yahoo does not know the key (401).",
    )
    stored.journal.tell("yahoo", Health("ok", "", SINCE))
    assert doubts(stored) == ()


def test_a_setting_that_is_missing_is_told_without_a_time(stored: World) -> None:
    world = replace(stored, settings=replace(stored.settings, source="polygon"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "shared_world", lambda: world)
        assert pages._ailing() == ("The polygon source is disabled: set SIGMA_POLYGON_KEY.",)


def test_of_many_symbols_the_worst_are_named() -> None:
    counts = {f"S{number}": number for number in range(1, 9)}
    assert pages._listed(counts) == "S8 8, S7 7, S6 6, S5 5, S4 4 and 3 more"


def test_the_doubts_of_an_open_book_cost_less_than_thirty_milliseconds(stored: World, tmp_path: Path) -> None:
    book_of(stored, tmp_path, "AAA", "BBB")
    opened = open_book("mine", world=stored)
    pages.doubts(opened)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        pages.doubts(opened)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.03


def test_a_book_is_computed_anew_when_prices_were_fetched(stored: World, tmp_path: Path) -> None:
    book_of(stored, tmp_path, "AAA")
    as_of = date(2024, 6, 27)
    before = pages.cached_book("mine", as_of)
    assert pages.cached_book("mine", as_of) is before
    other = open_world()  # another process, such as `sigma data fetch`
    commit(other, daily({"AAA": [200.0] * COUNT}, START))
    other.store.close()
    after = pages.cached_book("mine", as_of)
    worth = [float(book.report.holdings.set_index("symbol").loc["AAA", "price"]) for book in (before, after)]
    assert worth[0] < worth[1] == 200

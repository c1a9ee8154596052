"""What the dashboards ask for: one world, and each book computed once until it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sigmalib.core.errors import InputError
from sigmalib.desk import pages
from sigmalib.desk.book import import_book
from sigmalib.desk.nightly import snapshot
from sigmalib.desk.world import World
from tests.worlds import Holed, book_file

LAST = date(2022, 12, 28)


@pytest.fixture(autouse=True)
def shared(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world of a server that has just started."""
    monkeypatch.setenv("SIGMA_HOME", str(world.settings.home))
    monkeypatch.delenv("SIGMA_DATABASE_URL", raising=False)
    pages.shared_world.cache_clear()
    pages._opened.cache_clear()
    yield pages.shared_world()
    pages.shared_world().store.close()
    pages.shared_world.cache_clear()


@pytest.fixture
def mine(world: World, tmp_path: Path) -> World:
    import_book(book_file(tmp_path, "CASH,100,1,2022-01-03,,", "KO,5,60,2022-01-03,,"), name="mine", world=world)
    return world


def test_the_server_has_one_world(shared: World, world: World) -> None:
    assert pages.shared_world() is shared
    assert shared.settings.home == world.settings.home


def test_without_books_the_page_says_how_to_get_one() -> None:
    with pytest.raises(InputError, match="no books yet; import one with `sigma book import FILE --book NAME`"):
        pages.book_names()


def test_a_book_imported_meanwhile_is_offered(mine: World) -> None:
    assert pages.book_names() == ["mine"]


def test_dates_are_offered_from_the_first_to_the_last_session() -> None:
    assert pages.session_bounds() == (date(1990, 1, 2), LAST)


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (datetime(2022, 12, 28, 22, tzinfo=UTC), ""),
        (
            datetime(2022, 12, 31, 22, tzinfo=UTC),
            "2022-12-28 only; the exchange's last session was 2022-12-30",
        ),
    ],
)
def test_prices_that_end_too_early_are_told(monkeypatch: pytest.MonkeyPatch, today: datetime, said: str) -> None:
    monkeypatch.setattr(World, "now", lambda _: today)
    assert said in pages.staleness()
    assert bool(pages.staleness()) == bool(said)


def test_a_book_is_computed_once_for_all_sessions(mine: World) -> None:
    assert pages.cached_book("mine", LAST) is pages.cached_book("mine", LAST)
    assert pages.cached_book("mine", date(2022, 12, 23)) is not pages.cached_book("mine", LAST)


def test_an_edited_book_is_computed_anew(mine: World, tmp_path: Path) -> None:
    before = pages.cached_book("mine", LAST)
    import_book(book_file(tmp_path, "KO,7,60,2022-01-03,,"), name="mine", world=mine)
    after = pages.cached_book("mine", LAST)
    assert (before.positions["quantity"].sum(), after.positions["quantity"].sum()) == (105, 7)


def test_new_and_revised_history_is_shown(mine: World) -> None:
    assert pages.cached_book("mine", LAST).history.empty
    snapshot("mine", start="2022-12-27", world=mine)
    assert pages.cached_book("mine", LAST).history["missing"].tolist() == [0, 0]
    snapshot("mine", start="2022-12-27", world=replace(mine, source=Holed(("KO", "2022-12-28"))))
    assert pages.cached_book("mine", LAST).history["missing"].gt(0).tolist() == [False, True]


def test_a_book_that_is_not_there_is_named(mine: World) -> None:
    with pytest.raises(InputError, match="there is no book 'yours'"):
        pages.cached_book("yours", LAST)


def test_books_joined_by_a_plus_sign_open_as_one_and_change_with_each_part(mine: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, "KO,-2,60,2022-01-03,,"), name="hedge", world=mine)
    both = pages.cached_book("mine + hedge", LAST)
    assert both.positions["quantity"].sum() == 103
    assert pages.cached_book("mine+hedge", LAST) is both
    import_book(book_file(tmp_path, "KO,-3,60,2022-01-03,,"), name="hedge", world=mine)
    assert pages.cached_book("mine+hedge", LAST).positions["quantity"].sum() == 102


def test_a_part_that_is_not_there_is_named(mine: World) -> None:
    with pytest.raises(InputError, match="there is no book 'yours'"):
        pages.cached_book("mine+yours", LAST)

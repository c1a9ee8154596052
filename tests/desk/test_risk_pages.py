"""What the risk page asks for beside a book: computed once for all sessions, and refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from sigmalib.core.errors import InputError
from sigmalib.desk import pages
from sigmalib.desk.book import Book, import_book
from sigmalib.desk.nightly import snapshot
from sigmalib.desk.world import World
from tests.worlds import book_file

LAST = date(2022, 12, 28)
CASH, SHARE = "CASH,1000,1,2022-01-03,,", "KO,50,60,2022-01-03,,"


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


def opened(world: World, folder: Path, *rows: str) -> Book:
    import_book(book_file(folder, *rows), name="mine", world=world)
    return pages.cached_book("mine", LAST)


def test_hindsight_needs_snapshots_and_is_computed_once(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, CASH, SHARE)
    with pytest.raises(InputError, match="make them with `sigma snapshot mine"):
        pages.looked_back(book)
    snapshot("mine", start="2022-12-22", world=world)
    book = pages.cached_book("mine", LAST)
    past = pages.looked_back(book)
    assert pages.looked_back(book) is past
    assert past.tests[0.95].observations == len(past.track) - 1


def test_the_grid_moves_every_share_alike(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, CASH, SHARE)
    found = pages.moves_grid(book)
    assert len(found) == len(pages.SPOTS) * len(pages.VOLATILITIES)
    assert found[0.0, 0.05, -0.25] == pytest.approx(-0.25 * book.report.valuation.market_value)
    assert pages.moves_grid(book) is found


def test_the_reverse_stress_loses_a_tenth(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, CASH, SHARE)
    found = pages.worst_plausible(book)
    assert found.pnl == pytest.approx(-0.1 * book.report.valuation.nav)
    assert pages.worst_plausible(book) is found


def test_a_book_of_cash_has_no_reverse_stress(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is held that moves of the market could change"):
        pages.worst_plausible(opened(world, tmp_path, CASH))


def test_a_source_without_quotes_has_an_empty_chain(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, CASH, SHARE)
    assert pages.option_chain(book, "KO").empty
    assert pages.option_chain(book, "KO") is pages.option_chain(book, "KO")

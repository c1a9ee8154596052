"""Hindsight: what the snapshots of a book say about its value at risk and its factors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sigmalib.core.errors import InputError
from sigmalib.desk.book import import_book, open_book
from sigmalib.desk.hindsight import hindsight
from sigmalib.desk.nightly import snapshot
from sigmalib.desk.world import World
from tests.worlds import book_file, world_in

pytestmark = pytest.mark.slow  # 25 snapshots
ROWS = ("CASH,10000,1,2022-01-03,,", "AAPL,100,150,2022-03-01,,", "KO,-50,60,2022-03-01,,")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with one book and 25 snapshots of it."""
    folder = tmp_path_factory.mktemp("hindsight")
    with world_in(folder) as world:
        import_book(book_file(folder, *ROWS), name="mine", world=world)
        snapshot("mine", start="2022-11-21", end="2022-12-27", world=world)
        yield world


def test_value_at_risk_is_tested_against_the_profit_of_the_session_after(mine: World) -> None:
    book = open_book("mine", as_of="2022-12-27", world=mine)
    seen = hindsight(book, world=mine)
    test, track = seen.tests[0.95], seen.track
    assert test.observations == len(book.history) - 1
    day = track.index[-1]
    before = mine.store.snapshot("mine", "2022-12-23")
    assert track.loc[day, "var.95"] == before["var"]["95"]
    assert track.loc[day, "pnl_day"] == book.history.loc[day, "pnl_day"]
    assert int(test.hits.sum()) == int((track["pnl_day"] < -track["var.95"]).sum())


def test_profit_is_attributed_to_the_exposures_of_the_session_before_and_sums(mine: World) -> None:
    book = open_book("mine", as_of="2022-12-27", world=mine)
    seen = hindsight(book, world=mine)
    table = seen.attribution
    assert np.allclose(table.sum(axis=1), book.history["pnl_day"], rtol=0, atol=1e-6)
    before = mine.store.snapshot("mine", "2022-12-23")["factors"]["exposures"]["market"]
    move = book.report.bets.proxies.returns["market"].iloc[-1]
    assert table["market"].iloc[-1] == pytest.approx(before * move, rel=1e-9)
    assert table["market"].iloc[0] != table["market"].iloc[0]  # there is no session before the first


def test_exposures_stand_among_those_of_the_past(mine: World) -> None:
    seen = hindsight(open_book("mine", as_of="2022-12-27", world=mine), world=mine)
    assert seen.factors.loc["market", "percentile"] == pytest.approx(
        (seen.factors.loc["market", "percentile"]).clip(0, 1)
    )
    assert seen.factors.loc["market", "observations"] == 25
    assert np.isnan(seen.factors.loc["short_interest", "percentile"])


def test_a_book_without_snapshots_is_refused_with_what_to_do(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    with pytest.raises(InputError, match="sigma snapshot mine --from DATE"):
        hindsight(open_book("mine", world=world), world=world)


def test_several_books_together_have_no_hindsight(mine: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, ROWS[1]), name="other", world=mine)
    with pytest.raises(InputError, match="several books together"):
        hindsight(open_book("mine+other", world=mine), world=mine)

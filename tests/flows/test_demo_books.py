"""The demo books stand on the prices of their source, and their history can be valued whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
import pytest

from sigmalib.desk import demo
from sigmalib.desk.book import Book, open_book
from sigmalib.desk.world import World, open_world
from sigmalib.risk import marks as risk_marks
from tests.commands import Environment

CENT = 0.005 + 1e-9  # half a cent: rounded either way

pytestmark = pytest.mark.slow  # one workspace with the three books and their history is made for all


@pytest.fixture(scope="module")
def world(demo_environment: Environment) -> Iterator[World]:
    opened = open_world(demo_environment)
    yield opened
    opened.store.close()


@pytest.fixture(scope="module")
def books(world: World) -> Mapping[str, Book]:
    return {name: open_book(name, world=world) for name in demo.BOOKS}


def rows(book: Book, *, options: bool) -> pd.DataFrame:
    """The positions that are options, or those that are neither options nor cash."""
    positions = book.positions
    return positions[positions["right"].notna() if options else positions["kind"].isin(["LONG", "SHORT"])]


@pytest.mark.parametrize("name", demo.BOOKS)
def test_stocks_were_entered_at_the_close_of_their_entry_date(
    world: World, books: Mapping[str, Book], name: str
) -> None:
    entered = rows(books[name], options=False)
    days = entered["entry_date"]
    closes = world.source.bars(list(entered["symbol"]), days.min().date(), days.max().date()).frame["close"]
    paid = entered.set_index(["entry_date", "symbol"])["entry_price"]
    assert len(paid) >= 10
    assert paid.to_list() == pytest.approx(closes.loc[paid.index.rename(["session", "symbol"])].to_list(), abs=CENT)


@pytest.mark.parametrize("name", ["high_net_worth", "long_short"])
def test_options_were_entered_at_the_models_mark_of_their_entry_date(
    world: World, books: Mapping[str, Book], name: str
) -> None:
    entered = rows(books[name], options=True)
    assert len(entered) >= 5
    for day, group in entered.groupby("entry_date"):
        marks = risk_marks.mark(pd.Index(group["symbol"]), world.market(group, day.date()))
        assert group["entry_price"].to_list() == pytest.approx(marks["price"].to_list(), abs=CENT)


@pytest.mark.parametrize("name", demo.BOOKS)
def test_ninety_sessions_are_valued_with_nothing_missing(books: Mapping[str, Book], name: str) -> None:
    history = books[name].history
    assert len(history) == demo.SESSIONS == 90
    assert str(history.index[-1].date()) == "2022-12-28"
    assert history["missing"].sum() == 0
    assert history.notna().all(axis=None)
    assert history["nav"].gt(0).all()


@pytest.mark.parametrize("name", demo.BOOKS)
def test_every_position_was_held_through_the_whole_history(books: Mapping[str, Book], name: str) -> None:
    book = books[name]
    assert book.positions["entry_date"].max() <= book.history.index[0]
    assert book.report.left_out.empty
    assert book.report.missing.empty


@pytest.mark.parametrize("name", demo.BOOKS)
def test_the_last_snapshot_says_what_opening_the_book_says(books: Mapping[str, Book], name: str) -> None:
    book, valued = books[name], books[name].report.valuation
    last = book.history.iloc[-1]
    assert last[["nav", "market_value", "pnl_day", "pnl_total"]].to_list() == pytest.approx(
        [valued.nav, valued.market_value, valued.pnl_day, valued.pnl_total], rel=1e-12
    )


def test_balanced_is_long_stocks_and_funds_only(books: Mapping[str, Book]) -> None:
    book = books["balanced"]
    assert set(book.positions["kind"]) == {"LONG", "CASH"}
    assert set(book.market.profiles.loc[rows(book, options=False)["symbol"], "kind"]) == {"stock", "etf"}


def test_high_net_worth_is_concentrated_and_sells_options_for_income(books: Mapping[str, Book]) -> None:
    book = books["high_net_worth"]
    weights = book.report.holdings.loc[book.report.holdings["kind"] == "LONG", "weight"]
    assert weights.nlargest(5).sum() > 0.5
    assert set(rows(book, options=True)["kind"]) == {"SC", "SP"}


def test_long_short_has_puts_calls_spreads_and_a_pair(books: Mapping[str, Book]) -> None:
    positions = books["long_short"].positions
    kinds = positions.groupby("strategy")["kind"].agg(set)
    assert {"LONG", "SHORT", "LC", "LP", "SC", "SP"} <= set(positions["kind"])
    assert kinds["index_put_spread"] == {"LP", "SP"}
    assert kinds["msft_call_spread"] == {"LC", "SC"}
    assert kinds["pair_pep_ko"] == {"LONG", "SHORT"}
    assert positions["tags"].map(len).gt(0).sum() == len(positions) - 1


def test_long_short_stays_well_above_one_and_a_half_times_its_equity(world: World, books: Mapping[str, Book]) -> None:
    first = books["long_short"].history.index[0]
    for session in (first, books["long_short"].history.index[-1]):
        told = world.store.snapshot("long_short", session)
        assert told["exposure"]["gross"] > 2 * told["nav"]
        assert told["delta_adjusted"]["gross"] > 1.5 * told["nav"]


def test_loading_the_demo_again_values_nothing_anew(world: World) -> None:
    before = [world.store.fingerprints(name) for name in demo.BOOKS]
    said = list(demo.load_books(world, progress=lambda days, _: days))
    assert said[:2] == [
        "balanced: 17 positions, unchanged",
        "balanced: 90 sessions from 2022-08-22 to 2022-12-28, 0 valued now",
    ]
    assert [sentence for sentence in said if "imported" in sentence or ", 0 valued now" not in sentence][1:] == said[
        2::2
    ]
    assert [world.store.fingerprints(name) for name in demo.BOOKS] == before

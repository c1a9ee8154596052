"""Odd days and odd books: what cannot be known is said and listed, and everything else is still answered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from sigmalib.core.errors import InputError
from sigmalib.desk.book import Book, import_book, open_book
from sigmalib.desk.nightly import snapshot
from sigmalib.desk.world import World
from tests.commands import RunSigma, strict_json
from tests.worlds import Holed, book_file, world_in

HOLE = "2022-12-20"  # a session whose AAPL close is deleted
ROWS = ("CASH,10000,1,2022-01-03,,", "AAPL,100,150,2022-03-01,,", "KO,-200,60,2022-03-01,,")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as whole:
        yield whole


@pytest.fixture
def holed(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path, source=Holed(("AAPL", HOLE))) as world:
        yield world


def opened(world: World, folder: Path, *rows: str, as_of: str = "2022-12-28") -> Book:
    import_book(book_file(folder, *rows), name="mine", world=world)
    return open_book("mine", as_of=as_of, world=world)


def listed(book: Book) -> list[tuple[str, str, str]]:
    return list(book.report.missing[["symbol", "what", "reason"]].itertuples(index=False, name=None))


def test_a_deleted_price_is_listed_and_never_zero(holed: World, tmp_path: Path) -> None:
    report = opened(holed, tmp_path, *ROWS, as_of=HOLE).report
    held = report.holdings.set_index("symbol")
    assert report.missing["reason"].tolist()[0] == f"no close of AAPL on {HOLE}; the last is of 2022-12-19"
    assert held.loc["AAPL", ["price", "market_value", "pnl_day", "weight"]].isna().all()
    assert report.valuation.market_value == held.loc["KO", "market_value"]
    assert "partial: 1 position(s) have no market value and are in no total" in report.notes


def test_risk_goes_on_without_the_position_whose_price_was_deleted(holed: World, tmp_path: Path) -> None:
    report = opened(holed, tmp_path, *ROWS, as_of=HOLE).report
    alone = opened(holed, tmp_path, ROWS[0], ROWS[2], as_of=HOLE).report
    assert len(report.scenarios) == 500
    assert report.tails.equals(alone.tails)


def test_the_day_after_a_deleted_price_lacks_only_the_profit_of_the_day(holed: World, tmp_path: Path) -> None:
    report = opened(holed, tmp_path, *ROWS, as_of="2022-12-21").report
    apple = report.holdings.set_index("symbol").loc["AAPL"]
    assert apple[["market_value", "pnl_total"]].notna().all()
    assert math.isnan(apple["pnl_day"])
    assert f"no price or exchange rate on {HOLE}, the session before" in report.missing["reason"].tolist()


def test_a_deleted_price_in_the_past_costs_the_two_scenarios_it_touches(holed: World, tmp_path: Path) -> None:
    book = opened(holed, tmp_path, *ROWS)
    assert listed(book) == [("AAPL", "history", "no return on 2 of the last 500 sessions, latest 2022-12-21")]
    assert len(book.report.scenarios) == 498
    assert book.report.tails.notna().all(axis=None)
    assert "498 scenarios instead of 500: unknown returns of AAPL" in book.report.notes


def test_history_across_a_deleted_price_says_which_session_lacks_it(holed: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=holed)
    assert snapshot("mine", start="2022-12-19", end="2022-12-22", world=holed).new == 4
    history = holed.store.snapshots("mine")
    assert history["missing"].tolist()[0] == 0
    assert history.loc[HOLE:, "missing"].ge(1).all()
    assert holed.store.snapshot("mine", HOLE)["missing"][0]["symbol"] == "AAPL"


def test_a_deleted_price_of_the_benchmark_leaves_the_book_whole(tmp_path: Path) -> None:
    with world_in(tmp_path, source=Holed(("SPX", HOLE))) as world:
        report = opened(world, tmp_path, *ROWS).report
    assert len(report.scenarios) == 500
    assert math.isfinite(report.beta)


@pytest.mark.parametrize("command", ["risk", "book show", "snapshot"])
def test_an_empty_book_is_worth_nothing_and_says_so(sigma: RunSigma, tmp_path: Path, command: str) -> None:
    assert sigma("book", "import", book_file(tmp_path), "--book", "empty").stdout.startswith("empty: 0 positions")
    done = sigma(*command.split(), "empty")
    assert (done.returncode, done.stderr) == (0, "")
    assert command == "snapshot" or "note: the book holds nothing at the as-of" in done.stdout


def test_measures_of_an_empty_book_are_zero_or_unknown(world: World, tmp_path: Path) -> None:
    told = opened(world, tmp_path).report.to_dict()
    assert (told["market_value"], told["exposure"]["gross"], told["var"]["95"]) == (0, 0, 0)
    assert all(math.isnan(told[name]) for name in ("nav", "volatility", "beta", "max_drawdown"))
    assert told["missing"] == []


def test_a_book_with_one_expired_option_names_it_and_says_what_to_do(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, "AAPL220617C00150000,5,3.2,2022-03-01,,")
    assert book.report.holdings.empty
    assert book.report.left_out.values.tolist() == [
        ["AAPL220617C00150000", "expired on 2022-06-17; record its settlement and remove it"]
    ]
    assert "1 position(s) are not alive at the as-of and were left out" in book.report.notes


def test_an_option_is_worth_its_intrinsic_value_on_its_last_day_and_gone_the_day_after(
    world: World, tmp_path: Path
) -> None:
    row = "AAPL221216C00120000,5,3.2,2022-03-01,,"
    last = opened(world, tmp_path, row, as_of="2022-12-16").report.holdings.iloc[0]
    assert last["price"] == pytest.approx(last["spot"] - 120, rel=1e-9)
    assert opened(world, tmp_path, row, as_of="2022-12-19").report.holdings.empty


@pytest.mark.parametrize(
    ("day", "session", "told"),
    [("2022-12-25", "2022-12-23", 1), ("2022-12-26", "2022-12-23", 1), ("2022-12-23", "2022-12-23", 0)],
)
def test_a_day_without_trading_is_answered_with_the_session_before(
    world: World, tmp_path: Path, day: str, session: str, told: int
) -> None:
    report = opened(world, tmp_path, *ROWS, as_of=day).report
    sentence = f"{day} is not a trading day in New York; shown as of the session before, {session}"
    assert str(report.as_of) == session
    assert report.notes.count(sentence) == told


@pytest.mark.parametrize("day", ["1989-06-01", "1990-01-01"])
def test_a_day_before_the_calendar_is_refused(balanced: RunSigma, day: str) -> None:
    done = balanced("risk", "balanced", "--as-of", day, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{day} lies outside the calendar; give a date from 1990-01-02" in done.stderr


def test_on_the_first_session_everything_entered_later_is_left_out_and_listed(balanced: RunSigma) -> None:
    told = strict_json(balanced("risk", "balanced", "--as-of", "1990-01-02", "--json").stdout)
    assert len(told["left_out"]) == 17
    assert told["left_out"][1]["reason"] == "entered on 2020-03-31, after the as-of 1990-01-02"
    assert (told["market_value"], told["var"]["95"]) == (0, None)


def test_before_its_first_price_a_position_is_listed_with_the_range_there_is(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, "FB,10,30,2012-03-01,,", "KO,10,30,2012-03-01,,", as_of="2012-04-02")
    (first, *_) = listed(book)
    assert first[:2] == ("FB", "price")
    assert "2012-05-18 to 2013-03-01" in first[2]
    assert book.report.holdings.set_index("symbol")["market_value"].notna().to_dict() == {"FB": False, "KO": True}


def test_a_symbol_nobody_knows_is_listed_by_name(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, *ROWS, "ZZZZ,10,30,2022-03-01,,")
    assert [(symbol, what) for symbol, what, _ in listed(book)] == [("ZZZZ", "price")]
    assert "the sample data has no ZZZZ" in listed(book)[0][2]


def test_a_currency_without_a_rate_is_listed_and_never_taken_for_one(world: World, tmp_path: Path) -> None:
    book = opened(world, tmp_path, *ROWS, "CASH.EUR,500,1,2022-03-01,,")
    assert ("CASH.EUR", "fx") in [(symbol, what) for symbol, what, _ in listed(book)]
    assert math.isnan(book.report.holdings.set_index("symbol").loc["CASH.EUR", "market_value"])


@pytest.mark.parametrize("day", ["2022-12-29", "2023-01-02", "2040-12-31"])
def test_a_day_after_the_last_session_is_refused_naming_the_range(balanced: RunSigma, day: str) -> None:
    done = balanced("risk", "balanced", "--as-of", day)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the sample source has 1990-01-02 to 2022-12-28; use --as-of 2022-12-28 or earlier" in done.stderr


@pytest.mark.parametrize("day", ["2050-01-01", "tomorrow", "28/12/2022"])
def test_a_day_that_cannot_be_is_refused(world: World, day: str) -> None:
    with pytest.raises(InputError, match=day):
        world.as_of(day)

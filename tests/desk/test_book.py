"""The book: what an import keeps, what an assessment does not, and what opening one shows."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from sigmalib.core.errors import InputError, PositionsRejected
from sigmalib.desk.book import assess_file, books, import_book, open_book
from sigmalib.desk.nightly import snapshot
from sigmalib.desk.world import World
from tests.worlds import book_file

ROWS = ("CASH,10000,1,2022-01-03,,", "AAPL,100,150,2022-03-01,core,", "KO,-50,60,2022-03-01,,")
BAD = "MSFT,0,300,2022-03-01,,"


def test_an_import_keeps_the_positions_as_written(world: World, tmp_path: Path) -> None:
    done = import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    assert (done.name, done.version, done.rows, done.changed, done.ignored) == ("mine", 1, 3, True, ())
    assert world.store.positions("mine")["symbol"].tolist() == ["CASH", "AAPL", "KO"]


def test_a_bad_row_keeps_an_older_version_in_place(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    with pytest.raises(PositionsRejected) as refused:
        import_book(book_file(tmp_path, ROWS[0], BAD), name="mine", world=world)
    assert refused.value.rejected["line"].tolist() == [3]
    assert len(open_book("mine", world=world).positions) == 3


def test_a_long_list_of_bad_rows_is_cut_in_the_message_and_whole_in_the_table(world: World, tmp_path: Path) -> None:
    with pytest.raises(PositionsRejected, match=r"\.\.\. and 5 more") as refused:
        import_book(book_file(tmp_path, *(f"A{n},0,1,2022-01-03,," for n in range(25))), name="mine", world=world)
    assert len(refused.value.rejected) == 25
    assert refused.value.told().count("is zero") == 25


def test_an_assessment_keeps_nothing(world: World, tmp_path: Path) -> None:
    done = assess_file(book_file(tmp_path, *ROWS), as_of="2022-12-28", world=world)
    assert done.rejected.empty
    assert done.report.valuation.cash == 10_000
    assert books(world).empty


def test_an_assessment_refuses_bad_rows(world: World, tmp_path: Path) -> None:
    with pytest.raises(PositionsRejected, match="nothing was imported"):
        assess_file(book_file(tmp_path, *ROWS, BAD), world=world)


def test_an_assessment_is_what_opening_the_imported_book_says(world: World, tmp_path: Path) -> None:
    file = book_file(tmp_path, *ROWS)
    import_book(file, name="mine", world=world)
    assessed, opened = assess_file(file, world=world).report, open_book("mine", world=world).report
    pd.testing.assert_series_equal(assessed.scenarios, opened.scenarios, check_exact=True)
    assert assessed.valuation.nav == opened.valuation.nav


def test_an_opened_book_knows_no_history_after_its_as_of(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    snapshot("mine", start="2022-12-19", end="2022-12-28", world=world)
    assert len(open_book("mine", world=world).history) == 7
    assert str(open_book("mine", as_of="2022-12-21", world=world).history.index[-1].date()) == "2022-12-21"


def test_opening_at_a_weekend_notes_the_session_shown(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    assert (
        open_book("mine", as_of="2022-12-24", world=world).report.notes[0].startswith("2022-12-24 is not a trading day")
    )


def test_books_and_files_are_sought_in_the_workspace_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_HOME", str(tmp_path / "nowhere"))
    for ask in (
        books,
        lambda: open_book("mine"),
        lambda: assess_file("x.csv"),
    ):
        with pytest.raises(InputError, match="there is no workspace"):
            ask()


def test_importing_makes_the_workspace_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_HOME", str(tmp_path / "new"))
    imported = import_book(book_file(tmp_path, "KO,7,60,2022-01-03,,"), name="mine")
    assert (imported.rows, imported.changed) == (1, True)
    assert (tmp_path / "new" / "sigma.db").is_file()


def test_a_history_of_an_earlier_version_is_noted(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    snapshot("mine", start="2022-12-20", end="2022-12-23", world=world)
    assert [note for note in open_book("mine", world=world).report.notes if "earlier version" in note] == []
    import_book(book_file(tmp_path, *ROWS[:2]), name="mine", world=world)
    snapshot("mine", start="2022-12-22", end="2022-12-28", world=world)
    opened = open_book("mine", world=world)
    assert opened.history["version"].tolist() == [1, 1, 2, 2, 2, 2]
    assert opened.report.notes[-1] == (
        "2 of the 6 sessions of the history, from 2022-12-20 to 2022-12-21, are of an earlier version of the book; "
        "run `sigma snapshot mine --from 2022-12-20 --to 2022-12-21` to value them anew"
    )
    snapshot("mine", start="2022-12-20", end="2022-12-21", world=world)
    assert [note for note in open_book("mine", world=world).report.notes if "earlier version" in note] == []


def test_a_file_name_that_is_no_text_is_kept_with_marks(world: World, tmp_path: Path) -> None:
    file = book_file(tmp_path, *ROWS, name=os.fsdecode(b"b\xfcch.csv"))
    assert import_book(file, name="mine", world=world).changed
    assert books(world)["file"].tolist() == ["b\ufffdch.csv"]
    with pytest.raises(PositionsRejected, match="b\ufffdch"):
        import_book(book_file(tmp_path, BAD, name=file.name), name="mine", world=world)


def test_two_books_joined_are_one_netted_book(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    import_book(book_file(tmp_path, "AAPL,-60,150,2022-03-01,,", "XOM,10,60,2022-03-01,,"), name="other", world=world)
    mine, other, both = (open_book(name, world=world).report for name in ("mine", "other", "mine + other"))
    assert both.valuation.nav == pytest.approx(mine.valuation.nav + other.valuation.market_value)
    assert both.exposure.net == pytest.approx(mine.exposure.net + other.exposure.net)
    aapl = both.holdings.loc[both.holdings["symbol"] == "AAPL", "price"].iloc[0]
    assert both.exposure.gross == pytest.approx(mine.exposure.gross + other.exposure.gross - 2 * 60 * aapl)
    pd.testing.assert_series_equal(both.scenarios, mine.scenarios + other.scenarios, rtol=1e-12)


def test_the_parts_of_a_netted_book_add_up(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    import_book(book_file(tmp_path, "AAPL,-60,150,2022-03-01,,"), name="other", world=world)
    report = open_book("mine+other", world=world).report
    parts = report.by("book")
    assert set(parts.index) == {"mine", "other"}
    assert parts["es_contribution"].sum() == pytest.approx(report.tails.loc[0.95, "es"], rel=1e-10)
    assert set(report.headline()["groups"]["book"]) == {"mine", "other"}


def test_the_history_of_a_netted_book_is_the_sum_where_both_have_one(world: World, tmp_path: Path) -> None:
    for name, rows in {"mine": ROWS, "other": ROWS[1:]}.items():
        import_book(book_file(tmp_path, *rows), name=name, world=world)
    snapshot("mine", start="2022-12-19", end="2022-12-23", world=world)
    snapshot("other", start="2022-12-21", end="2022-12-23", world=world)
    parts = [open_book(name, world=world).history for name in ("mine", "other")]
    history = open_book("mine+other", world=world).history
    assert list(history.index) == list(parts[1].index)
    assert history["pnl_day"].tolist() == pytest.approx((parts[0]["pnl_day"] + parts[1]["pnl_day"]).dropna().tolist())


def test_a_joined_book_names_the_part_that_is_not_there(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    with pytest.raises(InputError, match="'absent'"):
        open_book("mine+absent", world=world)

"""Snapshots: one a session, equal to opening the book that day, made anew only when what they are made from changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.frames import missing
from sigmalib.core.records import json_text
from sigmalib.core.times import sessions
from sigmalib.data.sample import Sample
from sigmalib.data.sources import Answer
from sigmalib.desk import nightly
from sigmalib.desk.book import import_book, open_book
from sigmalib.desk.nightly import snapshot
from sigmalib.desk.world import World
from tests.commands import strict_json
from tests.worlds import Holed, book_file

ROWS = ("CASH,10000,1,2022-01-03,,", "AAPL,100,150,2022-03-01,,", "AAPL230317P00120000,-1,8,2022-08-01,,")
WEEK = {"start": "2022-12-19", "end": "2022-12-23"}


@pytest.fixture
def mine(world: World, tmp_path: Path) -> World:
    """A world with one small book."""
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    return world


def test_without_dates_the_latest_session_is_valued(mine: World) -> None:
    assert snapshot("mine", world=mine).new == 1
    assert list(map(str, mine.store.fingerprints("mine"))) == ["2022-12-28"]


def test_a_snapshot_says_what_opening_the_book_that_day_says(mine: World) -> None:
    snapshot("mine", start="2022-12-12", end="2022-12-23", world=mine)
    opened = open_book("mine", as_of="2022-12-20", world=mine).report
    assert mine.store.snapshot("mine", "2022-12-20") == strict_json(json_text(opened.headline()))


def test_progress_is_told_each_session_and_their_count(mine: World) -> None:
    seen: list[object] = []

    def progress(days: pd.DatetimeIndex, count: int) -> list[pd.Timestamp]:
        seen.append(count)
        return [day for day in days if not seen.append(f"{day:%m-%d}")]  # type: ignore[func-returns-value]

    snapshot("mine", **WEEK, world=mine, progress=progress)
    assert seen == [5, "12-19", "12-20", "12-21", "12-22", "12-23"]


def test_a_changed_price_revises_the_sessions_that_know_it(mine: World) -> None:
    snapshot("mine", **WEEK, world=mine)
    corrected = replace(mine, source=Holed(("AAPL", "2022-12-21")))
    assert snapshot("mine", **WEEK, world=corrected) == (0, 2, 3)
    assert mine.store.snapshots("mine")["missing"].gt(0).tolist() == [False, False, True, True, True]


def test_another_version_of_the_code_revises(mine: World, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot("mine", **WEEK, world=mine)
    monkeypatch.setattr(nightly, "__version__", "99")
    assert snapshot("mine", **WEEK, world=mine) == (0, 0, 5)


def test_sessions_that_no_longer_change_are_left_alone(mine: World) -> None:
    assert snapshot("mine", **WEEK, world=mine) == (5, 0, 0)
    before = mine.store.fingerprints("mine")
    assert snapshot("mine", start="2022-12-12", end="2022-12-28", world=mine) == (7, 5, 0)
    assert before.items() <= mine.store.fingerprints("mine").items()


def test_an_interrupted_night_leaves_no_half_snapshot(mine: World) -> None:
    def interrupted(days: pd.DatetimeIndex, _: int) -> pd.DatetimeIndex:
        yield days[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snapshot("mine", **WEEK, world=mine, progress=interrupted)
    assert snapshot("mine", **WEEK, world=mine).new == 5


def test_an_option_is_in_the_history_until_it_expires(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, ROWS[0], "AAPL221216C00120000,1,8,2022-08-01,,"), name="mine", world=world)
    snapshot("mine", start="2022-12-15", end="2022-12-19", world=world)
    assert world.store.snapshots("mine")["market_value"].gt(0).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2022-12-23", "2022-12-19", "--from 2022-12-23 lies after --to 2022-12-19; swap them"),
        ("2023-01-04", None, "--from 2023-01-04 lies after --to 2022-12-28; swap them, or name an earlier --from"),
        ("2022-12-24", "2022-12-25", "closed from 2022-12-24 to 2022-12-25; the last session before is 2022-12-23"),
    ],
)
def test_a_range_without_a_session_is_refused(mine: World, start: str, end: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        snapshot("mine", start=start, end=end, world=mine)


@pytest.mark.parametrize("row", ["AAPL,100,150,2022-03-01,,", "TSLA,1,8,2022-08-01,,"])
def test_what_is_missing_does_not_depend_on_the_range(world: World, tmp_path: Path, row: str) -> None:
    import_book(book_file(tmp_path, ROWS[0], row), name="mine", world=world)
    snapshot("mine", start="2000-07-31", end="2003-01-31", world=world, progress=lambda days, _: days[-2:])
    opened = open_book("mine", as_of="2003-01-31", world=world).report
    assert world.store.snapshot("mine", "2003-01-31") == strict_json(json_text(opened.headline()))
    assert snapshot("mine", start="2003-01-30", end="2003-01-31", world=world) == (0, 2, 0)


def test_a_gap_that_is_told_otherwise_revises(mine: World) -> None:
    class Telling(Sample):
        def fx(self, currencies: Sequence[str], base: str, start: date, end: date) -> Answer:
            answer = super().fx(currencies, base, start, end)
            return replace(answer, missing=missing(("EUR", "fx", "the vendor is on strike")))

    snapshot("mine", **WEEK, world=mine)
    assert snapshot("mine", **WEEK, world=replace(mine, source=Telling())) == (0, 0, 5)


def test_the_cost_of_an_old_foreign_position_is_known(world: World, tmp_path: Path) -> None:
    euro = replace(world, source=Euro())
    file = book_file(
        tmp_path, "CASH.EUR,100,1,2015-01-04,EUR", header="ticker,quantity,entry_price,entry_date,currency"
    )
    import_book(file, name="mine", world=euro)
    opened = open_book("mine", as_of="2022-12-23", world=euro).report
    assert opened.valuation.pnl_total == pytest.approx(100 * (1.5 - 1.25))
    assert len(opened.scenarios) == 500
    snapshot("mine", start="2010-12-23", end="2022-12-23", world=euro, progress=lambda days, _: days[-1:])
    assert euro.store.snapshot("mine", "2022-12-23") == strict_json(json_text(opened.headline()))


class Euro(Sample):
    """The sample source with a euro that cost 1.25 until 2020 and 1.50 since."""

    def fx(self, currencies: Sequence[str], base: str, start: date, end: date) -> Answer:
        days = sessions(start, end)
        return Answer(pd.DataFrame({"EUR": [1.25 if day.year < 2020 else 1.5 for day in days]}, index=days), missing())

"""Books come back as they were kept, versions stay, and snapshots are written once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import event

from sigmalib.core.errors import InputError
from sigmalib.core.frames import POSITIONS, check
from sigmalib.data.rows import checksum, to_rows
from sigmalib.data.store import Counts, Kept, Snapshot, Store
from sigmalib.portfolio.positions import parse

AT = datetime(2022, 12, 28, 21, 30, tzinfo=UTC)
ROWS = (
    ("AAPL", 100, 150.25, "2022-01-03", "core,größe", "income"),
    ("AAPL230120C00150000", -1, 5.1, "2022-03-01", "core", "income"),
    ("XYZ1230120P00040000", 3, 0.1 + 0.2, "2022-03-02", "", ""),
    ("CASH.EUR", -2500.5, 1, "2022-01-03", "", ""),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'sigma.db'}") as opened:
        yield opened


@pytest.fixture(scope="module")
def positions() -> pd.DataFrame:
    columns = ["ticker", "quantity", "entry_price", "entry_date", "tags", "strategy"]
    parsed, rejected = parse(pd.DataFrame(ROWS, columns=columns), as_of=AT)
    assert rejected.empty, rejected["reason"].tolist()
    return parsed


def keep(store: Store, positions: pd.DataFrame, name: str = "balanced", *, base_currency: str = "USD") -> Kept:
    return store.keep_book(name, positions, file="book.csv", base_currency=base_currency, at=AT)


def snapshots(*days: int, fingerprint: str = "a1", nav: float = 100.0) -> list[Snapshot]:
    known = {"market_value": 90.5, "gross_market_value": 110.0, "pnl_day": -1.5, "pnl_total": nan}
    report = {
        "as_of": date(2022, 12, 1),
        "nav": nav,
        "groups": {"kind": {"LONG": {"weight": np.float64(0.5)}}},
    }
    return [
        Snapshot(session=date(2022, 12, day), nav=nav, missing=2, report=report, fingerprint=fingerprint, **known)
        for day in days
    ]


def statements(store: Store) -> list[str]:
    seen: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    return seen


def test_a_book_comes_back_exactly_as_it_was_kept(store: Store, positions: pd.DataFrame) -> None:
    assert keep(store, positions) == Kept("balanced", version=1, rows=4, changed=True)
    pd.testing.assert_frame_equal(check(store.positions("balanced"), POSITIONS), positions, check_exact=True)


def test_a_book_may_be_empty(store: Store) -> None:
    assert keep(store, POSITIONS.empty()).rows == 0
    pd.testing.assert_frame_equal(store.positions("balanced"), POSITIONS.empty())


def test_keeping_the_same_positions_again_writes_nothing(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    before = store.books()
    again = store.keep_book("balanced", positions, file="renamed.csv", base_currency="USD", at=AT + timedelta(days=1))
    assert again == Kept("balanced", version=1, rows=4, changed=False)
    pd.testing.assert_frame_equal(store.books(), before)


@pytest.mark.parametrize("column", POSITIONS.names)
def test_every_column_belongs_to_what_a_book_says(store: Store, positions: pd.DataFrame, column: str) -> None:
    keep(store, positions)
    swapped = positions.assign(**{column: positions[column].iloc[[1, 0, 2, 3]].to_list()})
    differs = not swapped.equals(positions)
    assert keep(store, swapped.astype(positions.dtypes)).changed == differs


def test_another_order_is_another_version_and_the_first_one_stays(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    assert keep(store, positions[::-1].reset_index(drop=True)).version == 2
    assert store.version("balanced") == 2
    pd.testing.assert_frame_equal(store.positions("balanced", version=1), positions)
    assert store.positions("balanced")["symbol"].tolist() == positions["symbol"].tolist()[::-1]


def test_the_checksum_is_the_same_in_every_release(positions: pd.DataFrame) -> None:
    """When it changes, every book gets a new version at its next import."""
    assert checksum(to_rows(positions)) == "006258ff235f6611038c2303fe0674e3"


def test_columns_of_another_room_stay_out(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions.assign(price=1.0))
    assert store.positions("balanced").columns.tolist() == POSITIONS.names


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("My Book", "my_book"),
        ("2nd", "book_2nd"),
        ("", "book"),
        ("é", "book"),
        ("a" * 42, "a" * 41),
        ("a;--", "a"),
    ],
)
def test_a_bad_name_is_refused_with_a_better_one(store: Store, positions: pd.DataFrame, name: str, better: str) -> None:
    with pytest.raises(InputError, match=f"try '{better}'$"):
        keep(store, positions, name)
    assert keep(store, positions, better).changed


def test_a_book_keeps_its_base_currency(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    with pytest.raises(InputError, match="is kept in USD and cannot change to EUR"):
        keep(store, positions, base_currency="EUR")


def test_an_unknown_book_names_the_nearest_and_how_to_import(store: Store, positions: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="there are no books yet; import one with `sigma book import"):
        store.positions("balancd")
    keep(store, positions)
    with pytest.raises(InputError, match="did you mean 'balanced'"):
        store.positions("balancd")
    with pytest.raises(InputError, match="has no version 7; its versions are 1 to 1"):
        store.positions("balanced", version=7)


def test_an_instant_without_a_zone_is_refused_and_any_zone_comes_back_as_utc(
    store: Store, positions: pd.DataFrame
) -> None:
    with pytest.raises(Exception, match="an instant needs a time zone"):
        store.keep_book("naive", positions, file="f", base_currency="USD", at=AT.replace(tzinfo=None))
    there = AT.astimezone(timezone(timedelta(hours=-5)))
    store.keep_book("aware", positions, file="f", base_currency="USD", at=there)
    assert store.books()["imported_at"].tolist() == [pd.Timestamp(AT)]


def test_the_shelf_shows_each_book_once(store: Store, positions: pd.DataFrame) -> None:
    assert store.books().empty
    for name in ("long_short", "balanced"):
        keep(store, positions, name)
    keep(store, positions[:2], "balanced")
    store.keep_snapshots("balanced", snapshots(1, 2, 5))
    shelf = store.books().set_index("name")
    assert shelf.index.tolist() == ["balanced", "long_short"]
    assert shelf[["positions", "version", "snapshots"]].to_numpy().tolist() == [[2, 2, 3], [4, 1, 0]]
    assert shelf["last_snapshot"].tolist() == [pd.Timestamp("2022-12-05"), pd.NaT]
    assert shelf["file"].unique() == ["book.csv"]


def test_snapshots_come_back_as_numbers_by_session(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    store.keep_snapshots("balanced", snapshots(2, 1, 5, nav=nan))
    history = store.snapshots("balanced", start="2022-12-02", end=date(2022, 12, 5))
    assert history.index.equals(pd.DatetimeIndex(["2022-12-02", "2022-12-05"], name="session").as_unit("us"))
    assert history.iloc[0].drop(["nav", "pnl_total"]).tolist() == [90.5, 110.0, -1.5, 2, 1]
    assert history[["nav", "pnl_total"]].isna().all(axis=None)


def test_no_snapshots_are_an_empty_table_of_the_same_kinds(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    empty = store.snapshots("balanced")
    store.keep_snapshots("balanced", snapshots(1))
    full = store.snapshots("balanced")
    pd.testing.assert_frame_equal(empty, full[:0])


def test_the_whole_report_is_kept_as_plain_values(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    store.keep_snapshots("balanced", snapshots(1, nav=nan))
    kept = store.snapshot("balanced", "2022-12-01")
    assert kept == {"as_of": "2022-12-01", "nav": None, "groups": {"kind": {"LONG": {"weight": 0.5}}}}
    with pytest.raises(InputError, match="sigma snapshot balanced --from 2022-12-02 --to 2022-12-02"):
        store.snapshot("balanced", "2022-12-02")


def test_only_what_has_another_fingerprint_is_written_again(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    assert store.keep_snapshots("balanced", snapshots(1, 2)) == Counts(new=2)
    ignored = [replace(made, nav=-1.0) for made in snapshots(1, 2)]
    assert store.keep_snapshots("balanced", ignored) == Counts(unchanged=2)
    mixed = [*snapshots(2, fingerprint="b2", nav=7.0), *snapshots(1, 5)]
    assert store.keep_snapshots("balanced", mixed) == Counts(new=1, unchanged=1, revised=1)
    assert store.snapshots("balanced")["nav"].tolist() == [100.0, 7.0, 100.0]
    assert store.fingerprints("balanced") == {
        date(2022, 12, 1): "a1", date(2022, 12, 2): "b2", date(2022, 12, 5): "a1"
    }  # fmt: skip


def test_what_was_computed_before_an_interruption_is_kept_in_whole_batches(
    store: Store, positions: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> Iterator[Snapshot]:
        yield from snapshots(1, 2, 5)
        raise KeyboardInterrupt

    keep(store, positions)
    monkeypatch.setattr("sigmalib.data.store.BATCH", 2)
    with pytest.raises(KeyboardInterrupt):
        store.keep_snapshots("balanced", interrupted())
    assert store.snapshots("balanced").index.day.tolist() == [1, 2]


def test_there_is_no_query_per_position_snapshot_or_book(store: Store, positions: pd.DataFrame) -> None:
    many = pd.concat([positions] * 500, ignore_index=True)
    days = [replace(snapshots(1)[0], session=date(2022, 1, 1) + timedelta(days=day)) for day in range(90)]
    seen = statements(store)
    for name in ("one", "two", "three"):
        keep(store, many, name)
    assert len(seen) <= 3 * 6
    counted = {
        "positions": lambda: store.positions("one"),
        "keep": lambda: store.keep_snapshots("one", days),
        "fingerprints": lambda: store.fingerprints("one"),
        "snapshots": lambda: store.snapshots("one"),
        "books": store.books,
    }
    needed = {}
    for what, ask in counted.items():
        seen.clear()
        ask()
        needed[what] = len([statement for statement in seen if not statement.startswith("BEGIN")])
    assert needed == {"positions": 2, "keep": 3, "fingerprints": 2, "snapshots": 2, "books": 1}


def test_each_snapshot_names_the_version_it_was_made_from(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    store.keep_snapshots("balanced", snapshots(1, 2))
    keep(store, positions[:2])
    store.keep_snapshots("balanced", snapshots(2, fingerprint="b2"))
    assert store.snapshots("balanced")["version"].tolist() == [1, 2]


def test_numbers_inside_the_kept_reports_are_traced_to_the_bit(store: Store, positions: pd.DataFrame) -> None:
    keep(store, positions)
    reports = ({"var": {"99": 418.3495255439194}, "factors": {"market": 0.1}}, {"var": {}})
    made = [replace(one, report=report) for one, report in zip(snapshots(27, 28), reports, strict=True)]
    store.keep_snapshots("balanced", made, version=1)
    found = store.traces("balanced", "var.99", "factors.*")
    assert found["var.99"].iloc[0] == 418.3495255439194
    assert found["market"].iloc[0] == 0.1
    assert found.iloc[1].isna().all()
    assert list(store.traces("balanced", "var.99", end=found.index[0]).index) == [found.index[0]]

"""The cache keeps every row once, with its origin, forgets nothing, and reads the same from memory, copy and record."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmalib.core.frames import BARS, MINUTES, check
from sigmalib.data.cache import Cache
from sigmalib.data.cache.record import Span, covering, merged, new_fetch_id, without
from sigmalib.data.cache.shelf import Committed, Shelf
from sigmalib.data.quality import sift
from tests.data.bars import daily, minutes

NOW = datetime(2024, 7, 1, 21, tzinfo=UTC)
ALWAYS = pd.Timestamp("1990-01-02"), pd.Timestamp("2030-01-01")
FIRST = date(2024, 3, 4)


def cache_in(folder: Path) -> Cache:
    return Cache(str(folder / "bars"), folder / "reading")


def shelf_in(folder: Path) -> Shelf:
    return cache_in(folder).shelf("vendor", "1d", "AAA")


def put(
    shelf: Shelf, frame: pd.DataFrame, *, at: datetime = NOW, asked: dict[str, list[Span]] | None = None
) -> Committed:
    good, bad = sift(frame)
    return shelf.commit(good, bad, asked or {}, fetch_id=new_fetch_id(), at=at)


def closes(shelf: Shelf, symbol: str = "AAA", *, known_at: datetime | None = None, field: str = "close") -> list[float]:
    return shelf.series(symbol, *ALWAYS, known_at)[field].tolist()


def batches(folder: Path) -> list[Path]:
    return sorted((folder / "bars").rglob("*.parquet"))


def test_what_was_committed_is_read_back_by_memory_by_copy_and_by_record(tmp_path: Path) -> None:
    frame = daily({"AAA": [10, 11, 12], "BBB": [20, 21, np.nan]}, "2024-03-04").dropna(subset="close")
    shelf = shelf_in(tmp_path)
    assert put(shelf, frame).new == 5
    unfolded = shelf_in(tmp_path)
    shelf.fold()
    for reader in (shelf, unfolded, shelf_in(tmp_path)):
        found = check(reader.bars(["AAA", "BBB"], *ALWAYS), BARS)
        pd.testing.assert_frame_equal(found.drop(columns="adjusted_close"), frame.drop(columns="adjusted_close"))
        assert found["adjusted_close"].tolist() == found["close"].tolist()
        assert reader.wide("close", ["BBB", "ZZZ", "AAA"], *ALWAYS)["AAA"].tolist() == [10, 11, 12]
        assert reader.session(pd.Timestamp("2024-03-06"))["close"].to_dict() == {"AAA": 12}
        assert reader.session(pd.Timestamp("2024-03-09")).empty


def test_every_row_of_the_record_says_where_it_came_from_and_when(tmp_path: Path) -> None:
    put(shelf_in(tmp_path), daily({"AAA": [10, 11]}, "2024-03-04"))
    rows = pd.read_parquet(batches(tmp_path)[0])
    assert rows["source"].unique() == ["vendor"]
    assert rows["known_at"].unique() == [pd.Timestamp(NOW)]
    assert rows["fetch_id"].str.fullmatch("[0-9a-f]{12}").all()


def test_the_same_rows_again_make_no_batch(tmp_path: Path) -> None:
    shelf, frame = shelf_in(tmp_path), daily({"AAA": [10, 11]}, "2024-03-04")
    put(shelf, frame)
    assert put(shelf, frame) == Committed(0, 0) or put(shelf, frame).new == 0
    assert len(batches(tmp_path)) == 1


def test_single_precision_noise_is_no_revision(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [187.3300018310547]}, "2024-03-04"))
    assert put(shelf, daily({"AAA": [187.33]}, "2024-03-04")).revised.empty


def test_a_revised_past_is_kept_beside_the_old_value_and_reported(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10, 11, 12]}, "2024-03-04"), at=NOW)
    done = put(shelf, daily({"AAA": [10, 11.5, 12]}, "2024-03-04"), at=NOW + timedelta(days=1))
    assert done.revised[["symbol", "before", "after"]].to_numpy().tolist() == [["AAA", 11, 11.5]]
    assert (done.new, closes(shelf)) == (0, [10, 11.5, 12])
    assert closes(shelf, known_at=NOW + timedelta(hours=1)) == [10, 11, 12]
    assert closes(shelf, known_at=NOW - timedelta(seconds=1)) == []
    assert shelf.history()["close"].tolist() == [11, 11.5]
    assert shelf.panel().revisions == 1


def test_what_was_known_then_is_the_same_whatever_came_since(tmp_path: Path) -> None:
    shelf, then = shelf_in(tmp_path), NOW + timedelta(minutes=30)
    put(shelf, daily({"AAA": [10, 11], "BBB": [5, 6]}, "2024-03-04"))
    before = shelf.bars(["AAA", "BBB"], *ALWAYS, then)
    put(shelf, daily({"AAA": [10, 99, 12], "CCC": [1, 2, 3]}, "2024-03-04"), at=NOW + timedelta(hours=1))
    pd.testing.assert_frame_equal(shelf_in(tmp_path).bars(["AAA", "BBB", "CCC"], *ALWAYS, then), before)


def test_knowledge_only_grows_when_a_clock_goes_back(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10]}, "2024-03-04"), at=NOW)
    put(shelf, daily({"AAA": [11]}, "2024-03-04"), at=NOW - timedelta(days=3))
    known = [name.known_at for name in shelf.record.names()]
    assert known == [NOW, NOW + timedelta(microseconds=1)]
    assert closes(shelf_in(tmp_path)) == [11]


def test_only_what_was_never_asked_for_is_missing(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10]}, "2024-03-04"), asked={"AAA": [(FIRST, date(2024, 3, 8))]})
    put(shelf, BARS.empty(), asked={"AAA": [(date(2024, 3, 20), date(2024, 3, 22))]})
    shelf.fold()
    wanted = (date(2024, 3, 1), date(2024, 3, 25))
    assert shelf_in(tmp_path).missing("AAA", wanted) == [
        (date(2024, 3, 1), date(2024, 3, 3)),
        (date(2024, 3, 9), date(2024, 3, 19)),
        (date(2024, 3, 23), date(2024, 3, 25)),
    ]
    assert shelf.missing("BBB", wanted) == [wanted]


def test_rows_that_cannot_be_true_are_quarantined_once_and_never_served(tmp_path: Path) -> None:
    shelf, frame = shelf_in(tmp_path), daily({"AAA": [10, -1, 12]}, "2024-03-04")
    assert put(shelf, frame).quarantined == 1
    assert put(shelf, frame).quarantined == 0
    shelf.fold()
    again = shelf_in(tmp_path)
    assert closes(again) == [10, 12]
    assert again.panel().quarantine["close"].tolist() == [-1]
    assert "above zero" in again.panel().quarantine["reason"][0]
    assert put(again, frame).quarantined == 0


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
@pytest.mark.parametrize("folded", [True, False])
def test_a_damaged_batch_is_named_set_aside_and_asked_for_again(tmp_path: Path, harm: str, folded: bool) -> None:
    span = (FIRST, date(2024, 3, 6))
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10, 11, 12]}, "2024-03-04"), asked={"AAA": [span]})
    put(shelf, daily({"BBB": [10, 11, 12]}, "2024-03-04"), asked={"BBB": [span]}, at=NOW + timedelta(hours=1))
    if folded:
        shelf.fold()
    place = batches(tmp_path)[0]
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 0xFF
    place.write_bytes({"cut": bytes(content[:100]), "flip": bytes(content), "empty": b""}[harm])
    reader = shelf_in(tmp_path)
    assert closes(reader) == []
    assert closes(reader, "BBB") == [10, 11, 12]
    assert reader.missing("AAA", span) == [span]
    assert reader.record.damaged() == [f"{place.name}.damaged"]
    assert put(reader, daily({"AAA": [10, 11, 12]}, "2024-03-04"), asked={"AAA": [span]}).new == 3
    assert closes(shelf_in(tmp_path)) == [10, 11, 12]


@pytest.mark.parametrize("harm", ["in the rows", "in the metadata"])
def test_a_damaged_revision_is_asked_for_again_and_never_falls_back_in_silence(tmp_path: Path, harm: str) -> None:
    span, shelf = (FIRST, date(2024, 3, 6)), shelf_in(tmp_path)
    put(shelf, daily({"AAA": [100, 101, 102]}, "2024-03-04"), asked={"AAA": [span]})
    put(shelf, daily({"AAA": [50, 101, 102]}, "2024-03-04"), asked={"AAA": [span]}, at=NOW + timedelta(hours=1))
    shelf.fold()
    place = batches(tmp_path)[1]
    content = bytearray(place.read_bytes())
    content[8 if harm == "in the rows" else -12] ^= 0xFF
    place.write_bytes(bytes(content))
    assert len(shelf_in(tmp_path).verify()) == 1
    assert shelf_in(tmp_path).missing("AAA", span) == [span]
    put(
        shelf_in(tmp_path),
        daily({"AAA": [50, 101, 102]}, "2024-03-04"),
        asked={"AAA": [span]},
        at=NOW + timedelta(hours=2),
    )
    again = shelf_in(tmp_path)
    assert (closes(again), again.missing("AAA", span)) == ([50, 101, 102], [])


def test_an_unknown_dividend_or_split_never_takes_the_place_of_a_known_one(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [100, 10]}, "2024-03-04", split=[1, 10]))
    done = put(
        shelf, daily({"AAA": [100, 11]}, "2024-03-04", split=np.nan, dividend=np.nan), at=NOW + timedelta(hours=1)
    )
    assert done.revised["after"].tolist() == [11]
    assert closes(shelf_in(tmp_path), field="split") == [1, 10]


def test_a_reader_that_comes_late_to_a_damaged_file_is_told_the_same(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10]}, "2024-03-04"))
    listed = shelf.record.names()
    batches(tmp_path)[0].write_bytes(b"PAR1")
    assert [shelf_in(tmp_path).record.read(listed[0]), shelf.record.read(listed[0])] == [None, None]


def test_a_folder_with_marks_in_its_name_is_a_folder(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "w[1]*" / "bars"), tmp_path / "reading")
    put(cache.shelf("vendor", "1d", "AAA"), daily({"AAA": [10]}, "2024-03-04"))
    assert [source for source, *_ in cache.shelves()] == ["vendor"]


def test_damage_that_nobody_read_yet_is_found_by_verifying(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10]}, "2024-03-04"))
    assert shelf.verify() == []
    batches(tmp_path)[0].write_bytes(b"PAR1")
    assert len(shelf_in(tmp_path).verify()) == 1


def test_a_spoilt_reading_copy_is_made_anew_from_the_record(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10, 11], "BBB": [1, 2]}, "2024-03-04"))
    shelf.fold()
    for name in ("planes.npy", "about.json"):
        copy = next((tmp_path / "reading").rglob(name))
        copy.write_bytes(copy.read_bytes()[:50])
        assert closes(shelf_in(tmp_path)) == [10, 11]


def test_a_reading_copy_is_tied_to_the_batches_it_was_made_from(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10, 11]}, "2024-03-04"))
    shelf.fold()
    about = json.loads(next((tmp_path / "reading").rglob("about.json")).read_text())
    assert list(about["batches"]) == [place.name for place in batches(tmp_path)]
    batches(tmp_path)[0].unlink()
    assert closes(shelf_in(tmp_path)) == []


def test_a_new_copy_replaces_the_older_one_whole(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    for count in range(3):
        put(shelf, daily({"AAA": [10.0 + count]}, f"2024-03-{4 + count:02d}"), at=NOW + timedelta(hours=count))
        shelf.fold()
    copies = list((tmp_path / "reading").rglob("about.json"))
    assert len(copies) == 1
    assert not list(tmp_path.rglob("*.unfinished"))
    assert closes(shelf_in(tmp_path)) == [10, 11, 12]


def test_a_reader_sees_what_another_process_adds(tmp_path: Path) -> None:
    reader, writer = shelf_in(tmp_path), shelf_in(tmp_path)
    assert closes(reader) == []
    put(writer, daily({"AAA": [10]}, "2024-03-04"))
    assert closes(reader) == [10]
    put(reader, daily({"AAA": [11]}, "2024-03-05"), at=NOW + timedelta(hours=1))
    assert closes(writer) == [10, 11]


def test_what_is_read_is_the_readers_own(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [10, 11], "BBB": [1, 2]}, "2024-03-04"))
    wide = shelf.wide("close", ["AAA", "BBB"], *ALWAYS)
    wide.iloc[0, 0] = -1.0
    series = shelf.series("AAA", *ALWAYS)
    series.iloc[1, 3] = -1.0
    assert shelf.wide("close", ["AAA", "BBB"], *ALWAYS).iloc[0, 0] == 10
    assert closes(shelf) == [10, 11]


def test_the_adjusted_level_grows_with_dividends_and_splits_and_starts_at_the_close(tmp_path: Path) -> None:
    frame = daily({"AAA": [100, 102, 51, 52]}, "2024-03-04", dividend=[0, 2, 0, 1], split=[1, 1, 2, 1])
    shelf = shelf_in(tmp_path)
    put(shelf, frame)
    growth = [102 / (100 - 2), 51 / (102 / 2), 52 / (51 - 1)]
    expected = 100 * np.cumprod([1, *growth])
    assert closes(shelf, field="adjusted_close") == pytest.approx(expected, rel=1e-14)


def test_a_later_dividend_never_changes_an_earlier_level(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [100, 102, 101], "BBB": [5, 5, 5]}, "2024-03-04", dividend=[0, 0, 3, 0, 0, 0]))
    before = closes(shelf, field="adjusted_close")
    put(
        shelf,
        daily({"AAA": [50], "BBB": [5]}, "2024-03-07", dividend=[1, 0], split=[2, 1]),
        at=NOW + timedelta(hours=1),
    )
    assert closes(shelf, field="adjusted_close")[:3] == before


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_levels_are_the_same_however_the_rows_arrive(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    count = data.draw(st.integers(2, 12))
    number = st.floats(2, 100)
    path = data.draw(st.lists(number, min_size=count, max_size=count))
    dividend = data.draw(st.lists(st.sampled_from([0.0, 0.0, 0.5]), min_size=count, max_size=count))
    split = data.draw(st.lists(st.sampled_from([1.0, 1.0, 2.0, 0.5]), min_size=count, max_size=count))
    frame = daily({"AAA": path}, "2024-03-04", dividend=dividend, split=split)
    whole, parts = (shelf_in(tmp_path_factory.mktemp(name)) for name in ("whole", "parts"))
    put(whole, frame)
    order = data.draw(st.permutations(range(count)))
    for step, row in enumerate(order):
        put(parts, frame.iloc[[row]], at=NOW + timedelta(minutes=step))
    assert closes(parts) == path
    assert closes(parts, field="adjusted_close") == pytest.approx(closes(whole, field="adjusted_close"), rel=1e-12)


def test_an_adjusted_close_that_the_source_gives_is_believed(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    put(shelf, daily({"AAA": [100, 110]}, "2024-03-04", adjusted_close=[50.0, 55.0], dividend=np.nan, split=np.nan))
    put(shelf, daily({"AAA": [120]}, "2024-03-06", adjusted_close=60.0, dividend=np.nan), at=NOW + timedelta(hours=1))
    assert closes(shelf, field="adjusted_close") == [50, 55, 60]
    put(shelf, daily({"AAA": [90]}, "2024-03-01", adjusted_close=45.0, dividend=np.nan), at=NOW + timedelta(hours=2))
    assert closes(shelf_in(tmp_path), field="adjusted_close") == [45, 50, 55, 60]


def test_minutes_lie_by_symbol_and_are_instants_in_utc(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for symbol in ("AAA", "BTC/USD"):
        shelf = cache.shelf("vendor", "1m", symbol)
        put(shelf, minutes(symbol, "2024-03-04 14:30", [1, 2, 3]))
        shelf.fold()
    shelf = cache_in(tmp_path).shelf("vendor", "1m", "BTC/USD")
    found = check(shelf.bars(["BTC/USD"], pd.Timestamp("2024-03-04 14:31", tz="UTC"), ALWAYS[1]), MINUTES)
    assert found["close"].tolist() == [2, 3]
    assert str(found.index.get_level_values("time").tz) == "UTC"
    assert [part for _, _, part, _ in cache_in(tmp_path).shelves()] == ["AAA", "BTC/USD"]


def test_a_minute_belongs_to_the_day_of_its_exchange(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for symbol, winter in (("AAA", 1), ("BTC/USD", 2)):
        shelf = cache.shelf("vendor", "1m", symbol)
        put(shelf, minutes(symbol, "2024-12-03 00:30", [1, 2]))  # half past seven in the evening in New York
        put(shelf, minutes(symbol, "2024-07-03 00:30", [1, 2]), at=NOW + timedelta(hours=1))
        days = [date(2024, 12, day) for day in (1, 2, 3)]
        assert [shelf.count(symbol, (day, day)) for day in days] == [2 * (day.day == 1 + winter) for day in days]
        assert shelf.days(symbol).strftime("%m-%d").tolist() == [f"07-0{1 + winter}", f"12-0{1 + winter}"]


def test_the_same_layout_opens_on_another_file_system(tmp_path: Path) -> None:
    address = f"memory://{tmp_path.name}/bars"
    shelf = Cache(address, tmp_path).shelf("vendor", "1d", "AAA")
    put(shelf, daily({"AAA": [10, 11]}, "2024-03-04"), asked={"AAA": [(FIRST, FIRST)]})
    shelf.fold()
    put(shelf, daily({"AAA": [12]}, "2024-03-06"), at=NOW + timedelta(hours=1))
    again = Cache(address, tmp_path).shelf("vendor", "1d", "AAA")
    assert closes(again) == [10, 11, 12]
    assert [source for source, *_ in Cache(address, tmp_path).shelves()] == ["vendor"]


spans = st.tuples(st.integers(0, 40), st.integers(0, 10)).map(
    lambda pair: (FIRST + timedelta(days=pair[0]), FIRST + timedelta(days=sum(pair)))
)


def days_of(found: list[Span]) -> set[date]:
    return {start + timedelta(days=day) for start, end in found for day in range((end - start).days + 1)}


@given(st.lists(spans), spans)
def test_spans_are_sets_of_days(held: list[Span], span: Span) -> None:
    assert days_of(merged(held)) == days_of(held)
    assert days_of(without(span, held)) == days_of([span]) - days_of(held)
    assert covering(merged(held), [span]) == merged([*held, span])

"""One's own scenarios: the file as it is read, and a book under them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sigmalib.core.errors import InputError
from sigmalib.desk.book import Book, import_book, open_book
from sigmalib.desk.scenarios import read_scenarios, stress_book, under_scenarios
from sigmalib.desk.world import World
from sigmalib.risk.stress import Scenario
from tests.worlds import book_file, world_in

MINE = """
[[scenario]]
name = "Cola falls"
names = { KO = -0.10 }

[[scenario]]
name = "2008 again"
start = 2008-09-12
end = 2008-11-20
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("scenarios")
    rows = ("CASH,50000,1,2022-01-03,,", "KO,200,60,2022-03-01,,", "AAPL230317C00150000,2,6,2022-09-01,,")
    with world_in(folder) as made:
        import_book(book_file(folder, *rows), name="mine", world=made)
        yield made


@pytest.fixture(scope="module")
def opened(world: World) -> Book:
    return open_book("mine", as_of="2022-12-28", world=world)


def file_of(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    assert [case.name for case in read_scenarios(file_of(tmp_path, MINE))] == ["Cola falls", "2008 again"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[scenario]]\nname = "A"\nmarket = -0.1\nmarke = 1\n', "mine.toml, line 4: unknown key `marke`"),
        ('[[scenario]]\nname = "A"\nmarket = -10\n', r"mine.toml, line 3: .*must lie in \[-1, 1\]"),
        ("[[scenario]\n", "mine.toml: not TOML: .*line 1"),
        ("# nothing yet\n", "mine.toml has no scenario"),
        ("", "mine.toml has no scenario"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        ("#" * 1_000_001, "at most 1 MB"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_scenarios(file_of(tmp_path, text))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(InputError, match="is not a file of scenarios"):
            read_scenarios(path)


def test_a_direct_shock_of_a_stock_is_its_exposure_times_the_move(opened: Book, world: World) -> None:
    found = stress_book(opened, [Scenario("Cola falls", names={"KO": -0.10})])
    held = opened.report.holdings.set_index("symbol").loc["KO", "market_value"]
    assert found.table.loc["Cola falls", "pnl"] == pytest.approx(-0.10 * held)


def test_a_window_before_the_books_own_market_is_replayed_as_the_standard_one_is(opened: Book, world: World) -> None:
    case = Scenario("2008 again", start="2008-09-12", end="2008-11-20")  # type: ignore[arg-type]
    mine = stress_book(opened, [case]).table.loc["2008 again"]
    standard = opened.report.stress.table.loc["2008: Lehman"]
    assert mine["computable"]
    assert mine["pnl"] == pytest.approx(standard["pnl"], rel=1e-12)


def test_a_factor_without_a_series_is_not_computable_and_says_so(opened: Book, world: World) -> None:
    row = stress_book(opened, [Scenario("silver", factors={"SLV": 0.1})]).table.loc["silver"]
    assert not row["computable"]
    assert "SLV" in row["reason"]
    assert row["pnl"] != row["pnl"]


def test_the_report_under_scenarios_has_them_in_place_of_the_standard_ones(
    opened: Book, world: World, tmp_path: Path
) -> None:
    under = under_scenarios(opened, file_of(tmp_path, MINE))
    assert list(under.report.stress.table.index) == ["Cola falls", "2008 again"]
    assert list(under.report.to_dict()["stress"]) == ["Cola falls", "2008 again"]
    assert "2008: Lehman" in opened.report.stress.table.index
    assert under.report.tails is opened.report.tails


def test_a_book_is_put_through_one_scenario_or_text_as_well(opened: Book) -> None:
    one = Scenario("Mine", market=-0.05)
    text = '[[scenario]]\nname = "Mine"\nmarket = -0.05\n'
    found = [stress_book(opened, given).table["pnl"].tolist() for given in (one, [one], text)]
    assert found[0] == found[1] == found[2]
    with pytest.raises(InputError, match="one or more Scenario values"):
        stress_book(opened, [])

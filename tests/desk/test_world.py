"""The world: where the workspace is, what the source knows, and the picture a book is given."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sigmalib.core.errors import DataUnavailable, InputError, WorkspaceError
from sigmalib.desk.book import import_book
from sigmalib.desk.world import HISTORY, World, open_world
from tests.worlds import book_file, new_workspace, world_in

ROWS = ("CASH,100,1,2022-01-03,,", "KO,5,60,2022-01-03,,", "SPX230317P03700000,1,148,2022-08-01,,")


def test_a_workspace_is_made_only_when_asked_for(tmp_path: Path) -> None:
    environment = {"SIGMA_HOME": str(tmp_path / "sigma")}
    with pytest.raises(InputError, match=r"there is no workspace at .*; make one with `sigma init`"):
        open_world(environment)
    open_world(environment, create=True).store.close()
    open_world(environment).store.close()
    assert {"bars", "reports", "exports", "logs", "sigma.db"} <= {path.name for path in (tmp_path / "sigma").iterdir()}


def test_a_file_in_the_workspaces_place_is_an_operators_business(tmp_path: Path) -> None:
    (tmp_path / "sigma").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot be made"):
        open_world({"SIGMA_HOME": str(tmp_path / "sigma")}, create=True)


def test_the_database_may_lie_elsewhere(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    open_world({"SIGMA_HOME": str(tmp_path / "sigma"), "SIGMA_DATABASE_URL": url}, create=True).store.close()
    assert (tmp_path / "elsewhere.db").is_file()
    assert not (tmp_path / "sigma" / "sigma.db").exists()


def test_the_process_environment_is_read_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_HOME", str(tmp_path / "sigma"))
    monkeypatch.delenv("SIGMA_DATABASE_URL", raising=False)
    world = open_world(create=True)
    assert world.settings.home == tmp_path / "sigma"
    world.store.close()


def test_the_as_of_is_the_latest_session_known(world: World) -> None:
    assert world.known_range() == (date(1990, 1, 2), date(2022, 12, 28))
    assert world.as_of() == date(2022, 12, 28)
    assert world.as_of("2022-12-25") == date(2022, 12, 23)


def test_the_as_of_never_lies_after_today(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "now", lambda _: datetime(2020, 1, 4, 12, tzinfo=UTC))
    assert world.as_of() == date(2020, 1, 3)


def test_now_is_an_instant_of_utc(world: World) -> None:
    assert world.now().tzinfo is UTC
    assert abs((datetime.now(UTC) - world.now()).total_seconds()) < 60


@pytest.mark.parametrize("what", ["--as-of", "--to"])
def test_a_date_after_the_last_price_is_refused_by_its_name(world: World, what: str) -> None:
    with pytest.raises(InputError, match=f"has 1990-01-02 to 2022-12-28; use {what} 2022-12-28 or earlier"):
        world.as_of("2023-01-04", what=what)


def test_the_market_of_a_book_holds_its_underlyings_and_the_benchmark(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    market = world.market(world.store.positions("mine"), date(2022, 12, 28))
    assert list(market.closes.columns) == ["KO", "MTUM", "QUAL", "SIZE", "SPX", "USMV", "VLUE"]  # factor proxies too
    assert market.profiles.index.to_list() == ["KO", "SPX"]
    assert len(market.closes) == HISTORY + 1
    assert market.as_of == date(2022, 12, 28)


def test_the_market_reaches_back_for_the_first_session_of_a_range(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    positions = world.store.positions("mine")
    market = world.market(positions, date(2022, 12, 28), first=date(2022, 11, 1))
    alone = world.market(positions, date(2022, 11, 1))
    assert market.until("2022-11-01").closes.equals(alone.closes)


def test_two_worlds_on_one_workspace_see_the_same_books(world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, *ROWS), name="mine", world=world)
    with world_in(tmp_path) as other:
        assert other.store.books()["name"].tolist() == ["mine"]


def files_world(tmp_path: Path, **more: str) -> World:
    return open_world({"SIGMA_HOME": str(new_workspace(tmp_path / "sigma")), "SIGMA_SOURCE": "files", **more})


def test_a_folder_says_for_itself_which_rate_and_whether_short_interest_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    (folder / "columns.toml").write_text('[options]\nrate_symbol = "US3M"\n')
    (folder / "short_interest.csv").write_text("settled,symbol,days_to_cover\n2024-05-31,ABC,2\n")
    made = files_world(tmp_path, SIGMA_FILES_PATH=str(folder))
    for traits in (made.source.traits, made.traits(), made.traits("files")):
        assert (traits.rate_symbol, traits.short_interest) == ("US3M", True)
    assert made.traits("yahoo").rate_symbol == "^IRX"
    made.store.close()


def test_a_source_that_lacks_a_setting_is_read_with_what_is_known_of_its_kind(tmp_path: Path) -> None:
    made = files_world(tmp_path)
    assert made.source.traits.rate_symbol == ""
    assert made.listed().empty
    made.store.close()


def test_a_folder_that_is_not_there_is_named_when_the_world_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"SIGMA_FILES_PATH is .* which is no folder"):
        files_world(tmp_path, SIGMA_FILES_PATH=str(tmp_path / "gone"))


def test_a_vendor_is_told_with_the_setting_of_another_benchmark(tmp_path: Path) -> None:
    made = open_world({"SIGMA_HOME": str(new_workspace(tmp_path / "sigma")), "SIGMA_SOURCE": "yahoo"})
    with pytest.raises(DataUnavailable, match=r"run `sigma data fetch SPY`.*; or set SIGMA_BENCHMARK to another"):
        made.known_range()
    made.store.close()

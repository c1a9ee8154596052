"""The doctor: what works, what is missing and what has failed, each with its remedy."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from sigmalib.desk import health
from sigmalib.desk.book import import_book
from sigmalib.desk.health import Check, doctor
from sigmalib.desk.world import World
from tests.worlds import book_file

NAMES = ["python", "settings", "workspace", "database", "data", "keys", "browser", "port"]


def check(name: str, environment: Mapping[str, str], *, port: int = 5006) -> Check:
    checks = doctor(environment, port=port)
    assert [found.name for found in checks] == NAMES
    return checks[NAMES.index(name)]


@pytest.fixture
def environment(world: World) -> Mapping[str, str]:
    return {"SIGMA_HOME": str(world.settings.home)}


def test_a_whole_workspace_is_in_order(environment: Mapping[str, str], world: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, "KO,5,60,2022-01-03,,"), name="mine", world=world)
    found = {found.name: found for found in doctor(environment)}
    assert {found[name].status for name in NAMES[:6]} == {"ok"}
    assert found["workspace"].detail == str(world.settings.home)
    assert found["database"].detail == "1 book(s): mine"
    assert found["data"].detail == "sample: 33 symbols, 1990-01-02 to 2022-12-28"


def test_an_empty_home_lacks_a_workspace_and_a_database(tmp_path: Path) -> None:
    environment = {"SIGMA_HOME": str(tmp_path / "sigma")}
    for name in ("workspace", "database"):
        found = check(name, environment)
        assert (found.status, found.remedy) == ("missing", "run `sigma init`, or `sigma demo`")
    assert not (tmp_path / "sigma").exists()


def test_a_file_that_is_no_database_has_failed(environment: Mapping[str, str], world: World) -> None:
    for file in world.settings.home.glob("sigma.db*"):
        file.unlink()
    (world.settings.home / "sigma.db").write_bytes(b"no database" * 100)
    found = check("database", environment)
    assert found.status == "failed"
    assert "is not a SQLite database" in found.detail


def test_a_linked_folder_in_the_workspace_has_failed(
    environment: Mapping[str, str], world: World, tmp_path: Path
) -> None:
    (world.settings.home / "reports").rmdir()
    (world.settings.home / "reports").symlink_to(tmp_path)
    assert "is a symbolic link" in check("workspace", environment).detail


def test_a_workspace_that_cannot_be_written_has_failed(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    found = check("workspace", environment)
    assert (found.status, found.remedy) == ("failed", "mend its permissions, or set SIGMA_HOME")


def test_a_setting_written_wrongly_is_named(environment: Mapping[str, str]) -> None:
    found = check("settings", {**environment, "SIGMA_HOEM": "/somewhere"})
    assert (found.status, found.detail) == ("failed", "unknown: SIGMA_HOEM")
    assert "SIGMA_HOME" in found.remedy


@pytest.mark.parametrize("name", ["settings", "data", "keys"])
def test_an_unknown_source_fails_the_checks_that_need_one(environment: Mapping[str, str], name: str) -> None:
    found = check(name, {**environment, "SIGMA_SOURCE": "smple"})
    assert found.status == "failed"
    assert "the sources are sample" in found.detail


def test_a_browser_is_found_by_its_setting_or_on_the_path(
    environment: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", "")
    named = {**environment, "SIGMA_CHROMIUM": str(tmp_path / "chromium")}
    assert check("browser", named).detail == str(tmp_path / "chromium")
    assert check("browser", environment).status == "missing"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check("browser", environment).detail == str(tmp_path / "chromium")


def test_a_port_in_use_is_told_with_another(environment: Mapping[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.listen()
        found = check("port", environment, port=port)
    assert (found.status, found.remedy) == ("missing", f"pass --port {port + 1}")
    assert check("port", environment, port=port).status == "ok"


def test_an_old_python_has_failed(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "OLDEST_PYTHON", (99, 0))
    assert check("python", environment).status == "failed"


def test_the_process_environment_is_looked_at_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_HOME", str(tmp_path / "sigma"))
    assert {found.name: found for found in doctor()}["workspace"].detail == str(tmp_path / "sigma")

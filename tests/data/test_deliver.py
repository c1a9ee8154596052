"""Delivering: whole or not at all, whoever else delivers to the same place and whenever one was killed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sigmalib.data import deliver
from sigmalib.data.deliver import staged


def filled(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text(content)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "2022-12-28"


def beside(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir())


def test_a_new_result_takes_the_place_of_the_former_one(place: Path) -> None:
    for content in ("one", "two"):
        with staged(place) as folder:
            filled(folder, content)
    assert ((place / "file").read_text(), beside(place)) == ("two", ["2022-12-28"])


def test_two_runs_of_one_process_do_not_share_a_folder(place: Path) -> None:
    with staged(place) as outer:
        filled(outer, "outer")
        with staged(place) as inner:
            filled(inner, "inner")
        assert (place / "file").read_text() == "inner"
    assert ((place / "file").read_text(), beside(place)) == ("outer", ["2022-12-28"])


def test_a_result_moved_away_by_a_run_that_was_killed_is_put_back(place: Path) -> None:
    filled(place.with_name(".2022-12-28.former-1"), "kept")
    with pytest.raises(LookupError), staged(place):
        raise LookupError
    assert ((place / "file").read_text(), beside(place)) == ("kept", ["2022-12-28"])


def test_only_unfinished_folders_of_this_place_that_are_old_are_swept(place: Path) -> None:
    for name, age in {".2022-12-28.making-1": 7200, ".2022-12-28.making-2": 60, ".2022-12-27.making-3": 7200}.items():
        folder = filled(place.with_name(name), "half")
        os.utime(folder, (time.time() - age,) * 2)
    with staged(place) as folder:
        filled(folder, "whole")
    assert beside(place) == [".2022-12-27.making-3", ".2022-12-28.making-2", "2022-12-28"]


@pytest.mark.parametrize("there", [True, False])
def test_a_run_that_is_there_first_is_replaced_like_any_former_one(
    place: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    rename, others = Path.rename, ["other"]

    def overtaken(self: Path, target: Path) -> Path:
        if target == place and others:
            filled(place, others.pop())
        return rename(self, target)

    if there:
        filled(place, "former")
    monkeypatch.setattr(Path, "rename", overtaken)
    with staged(place) as folder:
        filled(folder, "mine")
    assert ((place / "file").read_text(), beside(place)) == ("mine", ["2022-12-28"])


@pytest.mark.parametrize("there", [True, False])
def test_the_real_error_is_told_and_the_former_result_stands(
    place: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if target == place and "making" in self.name:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    if there:
        filled(place, "former")
    monkeypatch.setattr(deliver.Path, "rename", full)
    with pytest.raises(OSError, match="No space left"), staged(place) as folder:
        filled(folder, "mine")
    assert beside(place) == (["2022-12-28"] if there else [])

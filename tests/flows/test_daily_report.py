"""The daily risk report from the command line: four files, the same numbers in each, nothing fetched from anywhere."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sigmalib.core.records import json_text
from sigmalib.desk.book import import_book, open_book
from sigmalib.desk.nightly import snapshot
from sigmalib.desk.world import PROJECT, World
from tests.commands import RunSigma, strict_json
from tests.worlds import book_file, world_in

pytestmark = pytest.mark.slow

FETCHED = re.compile(
    r"""<(?:script|img|iframe|link|source)\b[^>]*\b(?:src|href)\s*=|@import|url\(\s*['"]?(?:https?:)?//"""
)
HOSTILE = 'AAPL,100,150,2022-03-01,"=cmd(),<script>alert(1)</script>",@SUM(A1)'
COMMAND = ("report", "run", "daily_risk", "--book", "hostile", "--as-of", "2022-12-28")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A workspace with one small book, one of its tags a formula, and some days of history."""
    folder = tmp_path_factory.mktemp("report")
    file = book_file(folder, "CASH,50000,1,2022-01-03,,", HOSTILE, "KO,-200,60,2022-03-01,,")
    with world_in(folder) as made:
        import_book(file, name="hostile", world=made)
        snapshot("hostile", start="2022-12-01", world=made)
        yield made


@pytest.fixture(scope="module")
def run(world: World, run_sigma: RunSigma) -> Mapping[str, Any]:
    """What ``sigma report run … --json`` prints."""
    done = run_sigma(*COMMAND, "--json", environment={"SIGMA_HOME": str(world.settings.home)})
    assert done.returncode == 0, done.stderr
    told: Mapping[str, Any] = strict_json(done.stdout)
    return told


def test_run_says_where_its_files_are(run: Mapping[str, Any], world: World) -> None:
    assert (run["status"], run["report"], run["book"], run["as_of"]) == ("done", "daily_risk", "hostile", "2022-12-28")
    files = [Path(run[name]) for name in ("html", "notebook", "data", "positions")]
    assert [file.name for file in files] == ["report.html", "notebook.ipynb", "risk.json", "positions.csv"]
    assert all(file.is_file() and file.is_relative_to(world.settings.home) for file in files)


def test_page_is_small_and_fetches_nothing(run: Mapping[str, Any]) -> None:
    page = Path(run["html"]).read_text(encoding="utf-8")
    assert len(page.encode()) < 4_500_000
    assert FETCHED.findall(page) == []


def test_page_shows_words_and_no_code(run: Mapping[str, Any]) -> None:
    page = Path(run["html"]).read_text(encoding="utf-8")
    assert "<title>Daily risk: hostile, 2022-12-28</title>" in page
    assert "%load_ext" not in page
    assert "sg.open_book" not in page
    assert "<script>alert(1)" not in page


def test_numbers_are_those_of_the_risk_command(run: Mapping[str, Any], world: World) -> None:
    told = strict_json(Path(run["data"]).read_text(encoding="utf-8"))
    opened = strict_json(json_text(open_book("hostile", as_of="2022-12-28", world=world).report.to_dict()))
    assert {name: told[name] for name in opened} == opened
    assert told["made_from"]["parameters"] == {"book": "hostile", "as_of": "2022-12-28"}


def test_positions_hold_no_formula(run: Mapping[str, Any]) -> None:
    with Path(run["positions"]).open(encoding="utf-8", newline="") as file:
        rows = {row["symbol"]: row for row in csv.DictReader(file)}
    assert rows["AAPL"]["tags"] == "'=cmd(),<script>alert(1)</script>"
    assert rows["AAPL"]["strategy"] == "'@SUM(A1)"
    assert float(rows["KO"]["quantity"]) == -200


def test_executed_notebook_has_the_parameters_and_no_error(run: Mapping[str, Any]) -> None:
    cells = nbformat.read(run["notebook"], as_version=4).cells
    (given,) = [cell.source for cell in cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert 'book = "hostile"' in given
    assert [output for cell in cells for output in cell.get("outputs", []) if output.output_type == "error"] == []


def test_list_names_the_report_and_what_was_made(
    run: Mapping[str, Any], world: World, sigma: RunSigma, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_HOME", str(world.settings.home))
    shown = sigma("report", "list").stdout
    told = strict_json(sigma("report", "list", "--json").stdout)
    assert shown.startswith("daily_risk\n")
    assert run["html"] in shown
    assert told["daily_risk"]["made"] == [run["html"]]
    assert told["daily_risk"]["parameters"] == []  # but for the book and the as-of, which have options of their own


def test_a_failing_report_ends_with_three_and_leaves_its_notebook_with_the_error(
    run: Mapping[str, Any], world: World, sigma: RunSigma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path(run["html"]).read_bytes()
    monkeypatch.setenv("SIGMA_HOME", str(world.settings.home))
    monkeypatch.setenv("SIGMA_PROJECT", str(broken(tmp_path)))
    done = sigma(*COMMAND, "--json")
    kept = world.workspace.path("reports", "daily_risk", "hostile", "failed-2022-12-28.ipynb")
    assert (done.returncode, done.stdout) == (3, "")
    assert "daily_risk failed in cell" in done.stderr
    assert f"ValueError: no prices today\nthe notebook, with the error in it, is {kept}" in done.stderr
    outputs = [output for cell in nbformat.read(kept, 4).cells for output in cell.get("outputs", [])]
    assert [output.evalue for output in outputs if output.output_type == "error"] == ["no prices today"]
    assert Path(run["html"]).read_bytes() == before


def broken(folder: Path) -> Path:
    """A project with our reports, the daily one raising an error after its parameters."""
    shutil.copytree(PROJECT / "reports", folder / "reports")
    path = folder / "reports" / "daily_risk.ipynb"
    notebook = nbformat.read(path, as_version=4)
    at = next(n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell('raise ValueError("no prices today")'))
    nbformat.write(notebook, path)
    return folder

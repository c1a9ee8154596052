"""Publishing: refused before anything runs, whole or not there at all, and not made twice of the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from sigmalib.core.errors import InputError, ReportFailed
from sigmalib.desk import publish
from sigmalib.desk.book import import_book
from sigmalib.desk.publish import parse_parameters, reports, run_report
from sigmalib.desk.world import World
from tests.worlds import book_file, report_project, world_in

ROWS = ("CASH,100,1,2022-01-03,,", "KO,5,60,2022-01-03,,")
SAYS = 'import os\nprint(book, as_of, level + 1, os.environ["SIGMA_HOME"], os.environ["SIGMALIB_REPORT"])'
SLEEPS = "import time\ntime.sleep(60)"
DIES = "import os\nos._exit(1)"
RAISES = 'raise LookupError("nobody knows")'


def exported(notebook: NotebookNode, *, title: str) -> str:
    """A page of the title and what the notebook printed."""
    printed = (output.get("text", "") for cell in notebook.cells for output in cell.outputs)
    return f"<title>{title}</title>{''.join(printed)}"


def refused(*_: Any, **__: Any) -> str:
    """An exporter that is never to be reached."""
    raise AssertionError("executed, though it should have been refused")


def in_place(world: World) -> set[str]:
    """Every file of the reports, where it stands."""
    place = world.settings.home / "reports"
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A project with four small reports, and one book."""
    folder = tmp_path_factory.mktemp("publish")
    for name, cell in {"tiny": SAYS, "failing": RAISES, "dying": DIES, "sleeping": SLEEPS}.items():
        project = report_project(folder, cell, name=name)
    with world_in(folder, project=project) as made:
        import_book(book_file(folder, *ROWS), name="mine", world=made)
        yield made


@pytest.mark.parametrize("given", ["level", "=5", "", " "])
def test_a_parameter_without_name_or_value_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="is not a parameter; write it as KEY=VALUE"):
        parse_parameters([given])


def test_parameters_are_pairs_and_values_may_hold_anything() -> None:
    assert parse_parameters(["level=0.9", "note=a=b", "empty="]) == {"level": "0.9", "note": "a=b", "empty": ""}


@pytest.mark.parametrize(
    ("name", "book", "parameters", "message"),
    [
        (
            "tinny",
            "mine",
            {},
            "there is no report 'tinny'; the reports are dying, failing, sleeping, tiny; did you mean 'tiny'?",
        ),
        ("tiny", "mime", {}, "there is no book 'mime'; did you mean 'mine'?"),
        (
            "tiny",
            "mine",
            {"levle": "1"},
            "tiny has no parameter 'levle'; it has book, as_of, level; did you mean 'level'?",
        ),
        ("tiny", "mine", {"as_of": "2022-12-01"}, "'as_of' is no free parameter; give it as --as-of"),
        ("tiny", "mine", {"book": "yours"}, "'book' is no free parameter; give it as --book"),
        ("tiny", "mine", {"level": "high"}, "-p level=high must be of type float; its default is 0.95"),
        ("../tiny", "mine", {}, "there is no report '../tiny'"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_executed(
    world: World, name: str, book: str, parameters: dict[str, str], message: str
) -> None:
    before = in_place(world)
    with pytest.raises(InputError) as told:
        run_report(name, book=book, parameters=parameters, export=refused, world=world)
    assert message in str(told.value)
    assert in_place(world) == before


def test_a_notebook_without_the_common_parameters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "bare.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), path)
    with world_in(tmp_path, project=tmp_path) as bare:
        import_book(book_file(tmp_path, *ROWS), name="mine", world=bare)
        with pytest.raises(InputError, match="bare has no parameter 'book'"):
            run_report("bare", book="mine", export=refused, world=bare)


def test_reports_are_listed_with_their_parameters(world: World) -> None:
    found = reports(world)
    assert list(found) == ["dying", "failing", "sleeping", "tiny"]
    (level,) = found["tiny"]["parameters"]  # book and as-of have options of their own
    assert (level["name"], level["default"], level["help"]) == ("level", "0.95", "of the tail")


@pytest.mark.slow
def test_a_run_is_given_its_parameters_and_the_workspace(world: World) -> None:
    before = dict(os.environ)
    done = run_report(
        "tiny", book="mine", as_of="2022-12-25", parameters={"level": "0.9"}, export=exported, world=world
    )
    printed = f"mine 2022-12-23 1.9 {world.settings.home} 1"
    assert done.html.read_text() == f"<title>Tiny: mine, 2022-12-23</title>{printed}\n"
    assert dict(os.environ) == before


@pytest.mark.slow
def test_the_same_again_is_not_made_again_until_something_changes(world: World, tmp_path: Path) -> None:
    first = run_report("tiny", book="mine", export=exported, world=world, reuse=True)
    again = run_report("tiny", book="mine", export=refused, world=world, reuse=True)
    assert (first.reused, again.reused) == (False, True)
    assert {**first.to_dict(), "reused": True} == again.to_dict()
    import_book(book_file(tmp_path, ROWS[0]), name="mine", world=world)
    with pytest.raises(ReportFailed, match="executed, though it should have been refused"):
        run_report("tiny", book="mine", export=refused, world=world, reuse=True)
    assert first.html.read_text().startswith("<title>Tiny: mine, 2022-12-28</title>")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("failing", "failing failed in cell 2: LookupError: nobody knows\nthe notebook, with the error in it, is"),
        ("dying", "dying did not end: "),
    ],
)
def test_a_run_that_fails_leaves_only_its_notebook(world: World, name: str, message: str) -> None:
    with pytest.raises(ReportFailed) as told:
        run_report(name, book="mine", export=refused, world=world)
    assert str(told.value).startswith(message)
    assert told.value.exit_code == 3
    assert told.value.notebook == world.workspace.path("reports", name, "mine", "failed-2022-12-28.ipynb")
    assert nbformat.read(told.value.notebook, as_version=4).cells
    assert {path for path in in_place(world) if path.startswith(name)} == {f"{name}/mine/failed-2022-12-28.ipynb"}


@pytest.mark.slow
def test_a_cell_that_takes_too_long_fails_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "CELL_SECONDS", 2)
    with pytest.raises(ReportFailed, match="sleeping did not end: ") as told:
        run_report("sleeping", book="mine", export=refused, world=world)
    assert nbformat.read(told.value.notebook, as_version=4).cells
    assert {path for path in in_place(world) if path.startswith("sleeping")} == {
        "sleeping/mine/failed-2022-12-28.ipynb"
    }


class Unwritten:
    """Papermill, ending before it has written anything."""

    def __getattr__(self, name: str) -> Any:
        return getattr(PAPERMILL, name)

    def execute_notebook(self, *_: Any, **__: Any) -> NotebookNode:
        raise TimeoutError("no answer")


PAPERMILL = publish._papermill()


def test_a_run_that_wrote_nothing_keeps_the_notebook_it_was_to_execute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_papermill", Unwritten)
    with pytest.raises(ReportFailed, match="tiny did not end: no answer") as told:
        run_report("tiny", book="mine", as_of="2022-12-01", export=refused, world=world)
    assert nbformat.read(told.value.notebook, as_version=4).cells[1].source == SAYS


@pytest.mark.slow
def test_a_page_that_cannot_be_made_leaves_the_executed_notebook(world: World) -> None:
    with pytest.raises(ReportFailed, match="its page cannot be made: AssertionError: executed") as told:
        run_report("tiny", book="mine", as_of="2022-12-02", export=refused, world=world)
    assert told.value.exit_code == 3
    assert "2022-12-02" in nbformat.read(told.value.notebook, as_version=4).cells[-1].outputs[0].text
    assert not world.workspace.path("reports", "tiny", "mine", "2022-12-02").exists()


@pytest.mark.parametrize("lost", ["report.html", "notebook.ipynb", "risk.json", "positions.csv"])
def test_a_run_of_which_a_file_is_gone_is_made_again(tmp_path: Path, lost: str) -> None:
    for name in ("report.html", "notebook.ipynb", "risk.json", "positions.csv"):
        (tmp_path / name).write_text('{"made_from": {"data": "a1"}}')
    assert publish._is_current(tmp_path, {"data": "a1"})
    (tmp_path / lost).unlink()
    assert not publish._is_current(tmp_path, {"data": "a1"})

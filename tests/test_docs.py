"""The documents say what is true: commands, settings, links, decisions, the tour of the README, and the notebooks."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import nbformat
import pytest
import typer

from sigmalib import cli
from sigmalib.data.sources import GENERIC
from sigmalib.desk.book import import_book
from sigmalib.desk.world import VARIABLES, known_variables, open_world
from sigmalib.portfolio.lots import Kind
from sigmalib.risk.conventions import conventions
from tests.markets import market

ROOT = Path(__file__).resolve().parents[1]
HOME = "/home/you/sigma/.sigma"  # what the README calls the workspace
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"[a-z]+:", re.IGNORECASE)  # https:, mailto:
ON_A_MACHINE = re.compile(r"(?:/home/|/Users/|/root\b|/tmp/|/work/|C:\\)[\w./-]*")
DEFINES = re.compile(r"^\s*(?:async )?def |\blambda\b", re.MULTILINE)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def files(pattern: str, *, under: str = ".") -> list[Path]:
    """The project's own files, without hidden folders such as the environment and checkpoints."""
    found = sorted((ROOT / under).rglob(pattern))
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


README = text(ROOT / "README.md")
DOCUMENTS = files("*.md")
DECISIONS = sorted((ROOT / "docs" / "decisions").iterdir())
NOTEBOOKS = files("*.ipynb", under="notebooks") + files("*.ipynb", under="reports")
PAGES = sorted((ROOT / "dashboards").glob("*.py"))


def commands() -> list[str]:
    """Every verb of the command line as it is typed: ``sigma book import``."""
    verbs = typer.main.get_command(cli.app).commands
    return [" ".join(("sigma", name, *inner)) for name, verb in verbs.items() for inner in _verbs_of(verb)]


def _verbs_of(verb: Any) -> list[tuple[str, ...]]:
    return [(name,) for name in getattr(verb, "commands", ())] or [()]


def settings_in_the_code() -> set[str]:
    sources = [
        *files("*.py", under="sigmalib"),
        ROOT / "Makefile",
        ROOT / ".ci" / "run",
        ROOT / "tests" / "conftest.py",
    ]
    return {name for path in sources for name in re.findall(r"\bSIGMA_[A-Z_]*[A-Z]\b", text(path))}


def targets(document: Path) -> list[str]:
    """Where the links and pictures of a document lead, those to other hosts left out."""
    without_code = re.sub(r"`[^`\n]*`|^ {4,}.*$", "", FENCED.sub("", text(document)), flags=re.MULTILINE)
    links = re.findall(
        r"\]\(\s*<?([^)\s>]+)|(?:src|href)=\"([^\"]+)\"|^\[[^\]]+\]:\s*(\S+)", without_code, re.MULTILINE
    )
    return [link for found in links for link in found if link and not ELSEWHERE.match(link)]


def anchors(document: Path) -> set[str]:
    """The addresses of a document's headings, as GitHub writes them."""
    headings = re.findall(r"^#+ +(.*?) *$", FENCED.sub("", text(document)), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_nowhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = document.parent / path if path else document
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors(target))


def tour() -> Iterator[tuple[str, str]]:
    """Each command in the README's console blocks, with what it is said to print."""
    for block in re.findall(r"^```console\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            yield command, shown


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own, all other settings at their defaults."""
    for name in known_variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIGMA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"\b{command}\b", README)


def test_the_readme_names_no_command_that_does_not_exist() -> None:
    typed = re.findall(r"(?:^\$ |^|`)(sigma [a-z]+)((?: [a-z]+)?)", README, flags=re.MULTILINE)
    known = set(commands())
    assert [verb + inner for verb, inner in typed if not {verb, verb + inner} & known] == []


def test_every_setting_is_in_the_readme_and_known_to_the_doctor() -> None:
    assert settings_in_the_code() <= set(known_variables()) >= set(VARIABLES)
    own = [name for name in known_variables() if not name.endswith(tuple(f"_{each.upper()}" for each in GENERIC))]
    assert [name for name in own if f"| `{name}` |" not in README] == []
    assert [name for name in GENERIC if f"`SIGMA_<SOURCE>_{name.upper()}`" not in README] == []


def test_every_make_target_that_a_document_names_exists() -> None:
    known = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), flags=re.MULTILINE))
    asked = {page: set(re.findall(r"(?:^ *|`)make ([a-z]+)\b", text(page), flags=re.MULTILINE)) for page in DOCUMENTS}
    assert {named(page): names - known for page, names in asked.items() if names - known} == {}
    assert asked[ROOT / "README.md"] >= {"run", "test"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_and_picture_leads_somewhere(document: Path) -> None:
    assert [link for link in targets(document) if leads_nowhere(document, link)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_document_names_no_place_on_somebodys_machine(document: Path) -> None:
    assert [place for place in ON_A_MACHINE.findall(text(document)) if not place.startswith(HOME)] == []


def test_decisions_are_numbered_from_one_without_gaps() -> None:
    numbers = [re.match(r"(\d{4})-[a-z0-9-]+\.md$", path.name) for path in DECISIONS]
    assert [found and int(found[1]) for found in numbers] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("decision", DECISIONS, ids=named)
def test_a_decision_has_its_number_its_date_and_three_headings(decision: Path) -> None:
    assert re.match(
        rf"# {int(decision.name[:4])}\. \S.*\n\n\d{{4}}-\d\d-\d\d, (accepted|superseded by )", text(decision)
    )
    assert re.findall(r"^## (.*)$", text(decision), flags=re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_every_number_with_a_convention_is_in_the_glossary() -> None:
    glossary = text(ROOT / "docs" / "glossary.md")
    keys = conventions(market(), base_name="NAV", scenarios=500, window=500)
    assert [key for key in keys if f"`{key}`" not in glossary] == []


def test_every_kind_of_position_is_in_the_glossary() -> None:
    assert [kind for kind in get_args(Kind) if f"`{kind}`" not in text(ROOT / "docs" / "glossary.md")] == []


def test_every_room_and_folder_is_in_the_architecture() -> None:
    rooms = {path.parent for path in files("__init__.py", under="sigmalib")}
    folders = {ROOT / path.relative_to(ROOT).parts[0] for path in files("*.*") if path.parent != ROOT}
    page = text(ROOT / "ARCHITECTURE.md")
    assert sorted(folder.name for folder in rooms | folders if f"{folder.name}/" not in page) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_is_stored_clean_and_begins_like_all_others(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.metadata.kernelspec.name == "python3"
    assert "%load_ext sigmalib" in code[0].source.splitlines()
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) == 1
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert [cell.source for cell in code if DEFINES.search(cell.source)] == []


@pytest.mark.parametrize("path", NOTEBOOKS + PAGES, ids=named)
def test_every_notebook_report_and_page_is_listed_in_the_readme_of_its_folder(path: Path) -> None:
    shelf = ROOT / path.relative_to(ROOT).parts[0]
    assert path.relative_to(shelf).as_posix() in targets(shelf / "README.md")


def test_the_python_of_the_readme_prints_what_it_says(home: Path) -> None:
    books = ROOT / "notebooks" / "books"
    import_book(books / "long_short.csv", name="long_short", world=open_world(create=True))
    ran = doctest.testfile(str(ROOT / "README.md"), module_relative=False, optionflags=LOOSE)
    assert ran.attempted > 0
    assert ran.failed == 0


@pytest.mark.slow
def test_the_tour_of_the_readme_prints_what_it_says(home: Path, tmp_path: Path) -> None:
    for command, shown in tour():
        program, *given = shlex.split(command)
        if program == "cat":
            (tmp_path / given[0]).write_text(shown, encoding="utf-8")
            continue
        assert program == "sigma"
        asked = [sys.executable, "-m", "sigmalib.cli", *given]
        ran = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
        printed = (ran.stdout or ran.stderr).replace(str(home), HOME)
        assert doctest.OutputChecker().check_output(shown, printed, LOOSE), f"$ {command}\n{printed}"

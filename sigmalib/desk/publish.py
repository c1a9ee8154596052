"""Publishing: run a report's notebook with its parameters and put the result where it can be opened.

A report is a notebook in ``reports/`` with one cell tagged ``parameters``. A run appears whole at its place in the
workspace; one that fails leaves its half-executed notebook, with the error in it, as ``failed-DATE.ipynb``.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
from ast import literal_eval
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigmalib.core import __version__
from sigmalib.core.errors import InputError, ReportFailed
from sigmalib.core.records import json_text
from sigmalib.core.times import DateLike
from sigmalib.data.deliver import set_aside, staged
from sigmalib.data.exports import csv_text, read_json
from sigmalib.data.files import write_bytes, write_text
from sigmalib.desk.book import Book, open_book
from sigmalib.desk.world import World, open_world

if TYPE_CHECKING:
    from nbformat import NotebookNode

log = logging.getLogger(__name__)

Exporter = Callable[..., str]  # (notebook, title=...) -> one self-contained HTML page
KERNEL = "python3"
CELL_SECONDS = 300  # no cell of a report may take longer
GIVEN = ("book", "as_of")  # parameters that every report has, and that have options of their own
HTML, NOTEBOOK, DATA, POSITIONS = "report.html", "notebook.ipynb", "risk.json", "positions.csv"


@dataclass(frozen=True)
class Published:
    """Where a report run left its results; ``reused`` when nothing had changed since the last run."""

    report: str
    book: str
    as_of: str
    status: str
    html: Path
    notebook: Path
    data: Path
    positions: Path
    reused: bool

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, paths as text."""
        return {key: str(item) if isinstance(item, Path) else item for key, item in asdict(self).items()}


def reports(world: World | None = None) -> dict[str, dict[str, Any]]:
    """By name of each report: its ``parameters`` and the pages ``made`` so far, latest as-of first."""
    world = world or open_world()
    return {
        path.stem: {
            "parameters": [item for name, item in _declared(path).items() if name not in GIVEN],
            "made": sorted(map(str, world.workspace.path("reports").glob(f"{path.stem}/*/*/{HTML}")), reverse=True),
        }
        for path in _notebooks(world)
    }


def parse_parameters(given: Iterable[str]) -> dict[str, str]:
    """Parameters out of ``KEY=VALUE`` texts.

    >>> parse_parameters(["as_of=2022-12-28"])
    {'as_of': '2022-12-28'}
    """
    pairs = {text: text.partition("=") for text in given}
    for text, (key, equals, _) in pairs.items():
        if not (key and equals):
            raise InputError(f"-p {text!r} is not a parameter; write it as KEY=VALUE")
    return {key: value for key, _, value in pairs.values()}


def run_report(
    name: str,
    *,
    book: str,
    export: Exporter,
    as_of: DateLike | None = None,
    parameters: Mapping[str, Any] | None = None,
    reuse: bool = False,
    world: World | None = None,
) -> Published:
    """Run report ``name`` on a book; returns where its HTML page, notebook, numbers and positions are.

    ``export`` turns the executed notebook into one HTML page. ``reuse`` returns the last run when it was made from
    the same data, positions, snapshots, parameters, notebook and code. Raises InputError for an unknown report,
    parameter or book, before anything is executed, and ReportFailed when a cell or ``export`` fails.
    """
    world = world or open_world()
    source = _notebook(name, world)
    _refuse_unknown(parameters or {}, source)
    opened = open_book(book, as_of=as_of, world=world)
    given = {**_typed(parameters or {}, source), "book": book, "as_of": str(opened.market.as_of)}
    made_from = _made_from(source, opened, given)
    place = world.workspace.path("reports", name, book, given["as_of"])
    reused = reuse and _is_current(place, made_from)
    if not reused:
        with staged(place) as folder:
            _keep_data(folder, opened, made_from)
            notebook = _execute(source, folder / NOTEBOOK, given, world)
            page = _exported(notebook, source, folder / NOTEBOOK, given, export, world)
            write_text(folder / HTML, page)
    html, executed, data, rows = (place / file for file in (HTML, NOTEBOOK, DATA, POSITIONS))
    return Published(name, book, given["as_of"], "done", html, executed, data, rows, reused)


def _keep_data(folder: Path, opened: Book, made_from: Mapping[str, Any]) -> None:
    write_text(folder / DATA, json_text({**opened.report.to_dict(), "made_from": made_from}))
    write_text(folder / POSITIONS, csv_text(opened.report.holdings))


def _execute(source: Path, target: Path, given: Mapping[str, Any], world: World) -> NotebookNode:
    """The executed notebook; a failing one is kept beside its place and named in the error."""
    papermill = _papermill()
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    options = {
        "kernel_name": KERNEL,
        "cwd": str(source.parent),
        "progress_bar": False,
        "execution_timeout": CELL_SECONDS,
        "config": Config({"KernelManager": {"transport_encryption": "auto"}}),
    }
    try:
        with _report_environment(world):
            return papermill.execute_notebook(str(source), str(target), dict(given), **options)
    except PapermillExecutionError as failure:
        told = f"failed in cell {failure.cell_index}: {failure.ename}: {failure.evalue}"
        raise _failed(source, target, given, told, world) from failure
    except (RuntimeError, TimeoutError) as failure:  # a kernel that died, did not start, or a cell that took too long
        raise _failed(source, target, given, f"did not end: {failure}", world) from failure


def _exported(
    notebook: NotebookNode, source: Path, executed: Path, given: Mapping[str, Any], export: Exporter, world: World
) -> str:
    """The page made of the executed notebook; that one is kept when its page cannot be made."""
    try:
        return export(notebook, title=f"{_title(source)}: {given['book']}, {given['as_of']}")
    except Exception as failure:  # whatever an exporter raises, the run that took minutes stays
        told = f"was executed, but its page cannot be made: {type(failure).__name__}: {failure}"
        raise _failed(source, executed, given, told, world) from failure


def _failed(source: Path, target: Path, given: Mapping[str, Any], told: str, world: World) -> ReportFailed:
    kept = world.workspace.path("reports", source.stem, given["book"], f"failed-{given['as_of']}.ipynb")
    if target.is_file():
        set_aside(target, kept)
    else:  # it ended before anything was written
        write_bytes(kept, source.read_bytes())
    log.error("report failed", extra={"run": source.stem, "as_of": given["as_of"], "notebook": str(kept)})
    return ReportFailed(f"{source.stem} {told}\nthe notebook, with the error in it, is {kept}", kept)


def _papermill() -> Any:
    # nbformat imports rfc3987_syntax, whose grammar takes 1.3 s to compile and checks what notebooks never hold
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill

    return papermill


def _notebooks(world: World) -> list[Path]:
    return sorted((world.settings.project / "reports").glob("*.ipynb"))


def _notebook(name: str, world: World) -> Path:
    known = {path.stem: path for path in _notebooks(world)}
    if name not in known:
        raise InputError(f"there is no report {name!r}; the reports are {', '.join(known)}{_nearest(name, known)}")
    return known[name]


def _declared(source: Path) -> dict[str, dict[str, str]]:
    """The parameters of a notebook by name: name, inferred_type_name, default and help."""
    return dict(_papermill().inspect_notebook(str(source)))


def _refuse_unknown(parameters: Mapping[str, Any], source: Path) -> None:
    """Refuse a parameter that the notebook does not declare (papermill would only warn), and one given otherwise."""
    declared = _declared(source)
    for name in parameters.keys() & GIVEN:
        raise InputError(f"{name!r} is no free parameter; give it as --{name.replace('_', '-')}")
    for name in (*parameters, *GIVEN):
        if name not in declared:
            known = ", ".join(declared)
            raise InputError(f"{source.stem} has no parameter {name!r}; it has {known}{_nearest(name, declared)}")


def _typed(parameters: Mapping[str, Any], source: Path) -> dict[str, Any]:
    """Parameters given as text in the type that the notebook declares: 3 for an int, True for a bool."""
    declared = _declared(source)
    typed = dict(parameters)
    for name, value in parameters.items():
        kind = declared[name]["inferred_type_name"]
        if isinstance(value, str) and kind not in ("str", "None"):
            try:
                typed[name] = literal_eval(value)
            except (ValueError, SyntaxError):
                raise InputError(
                    f"-p {name}={value} must be of type {kind}; its default is {declared[name]['default']}"
                ) from None
    return typed


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _made_from(source: Path, opened: Book, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the run is made from; two runs with the same say the same."""
    return {
        "data": opened.report.fingerprint,
        "positions": _digest(csv_text(opened.positions).encode()),
        "snapshots": _digest(csv_text(opened.history.reset_index()).encode()),
        "notebook": _digest(source.read_bytes()),
        "parameters": dict(given),
        "sigmalib": __version__,
        "python": platform.python_version(),
    }


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _is_current(place: Path, made_from: Mapping[str, Any]) -> bool:
    whole = all((place / file).is_file() for file in (HTML, NOTEBOOK, DATA, POSITIONS))
    return whole and read_json(place / DATA).get("made_from") == made_from


def _title(source: Path) -> str:
    return source.stem.replace("_", " ").capitalize()


@contextmanager
def _report_environment(world: World) -> Iterator[None]:
    """What the kernel inherits: the same workspace, and no scripts inside the notebook (the exporter adds them)."""
    before = dict(os.environ)
    os.environ.update(
        SIGMALIB_REPORT="1",
        SIGMA_HOME=str(world.settings.home),
        SIGMA_PROJECT=str(world.settings.project),
        SIGMA_DATABASE_URL=world.settings.database_url,
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

"""``%load_ext sigmalib``: what it puts into a notebook, and how results show themselves afterwards."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat import NotebookNode

import sigmalib
from sigmalib.risk.report import RiskReport
from sigmalib.views import extension, tables
from tests import notebooks as nb

ELSEWHERE = "https://cdn."
LATER = 'frame.hvplot.line(y="share")'
TWICE = "%reload_ext sigmalib"
AGAIN = "again = True\n%load_ext sigmalib"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """A notebook as an analyst runs it, outside of a report."""
    made = nb.notebook(nb.SETUP, nb.FRAME, nb.LINE, nb.PANEL, LATER, TWICE, nb.BARS, AGAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SIGMALIB_REPORT", raising=False)
        return nb.executed(made, tmp_path_factory.mktemp("notebook"))


@pytest.mark.slow
def test_notebook_carries_the_scripts_it_needs_in_its_first_cell(ran: NotebookNode) -> None:
    (setup,) = [cell for cell in ran.cells if cell.source == nb.SETUP]
    scripts = "".join(output.data.get("application/javascript", "") for output in setup.outputs)
    for part in ("Bokeh.version", "panel.models.layout", "Tabulator"):
        assert part in scripts
    assert "sigma-table" in nb.output_of(ran, nb.SETUP)


@pytest.mark.slow
def test_loading_it_again_puts_the_scripts_there_again(ran: NotebookNode) -> None:
    (again,) = [cell for cell in ran.cells if cell.source == AGAIN]
    scripts = "".join(output.data.get("application/javascript", "") for output in again.outputs if "data" in output)
    assert "Bokeh.version" in scripts


@pytest.mark.slow
@pytest.mark.parametrize("cell", [nb.LINE, nb.PANEL, LATER, nb.BARS])
def test_displayed_plots_link_to_nothing_elsewhere(ran: NotebookNode, cell: str) -> None:
    html = nb.output_of(ran, cell)
    assert "docs_json" in html
    assert ELSEWHERE not in html


@pytest.mark.slow
def test_hvplot_at_its_first_use_adds_no_second_copy_of_the_scripts(ran: NotebookNode) -> None:
    (later,) = [cell for cell in ran.cells if cell.source == LATER]
    assert len(json.dumps(later)) < 100_000
    assert '"sizing_mode":"stretch_width"' in nb.output_of(ran, LATER)


@pytest.mark.parametrize(("switch", "in_report"), [("1", True), ("0", False), (None, False)])
def test_whether_it_is_a_report_is_told_from_outside(
    monkeypatch: pytest.MonkeyPatch, switch: str | None, in_report: bool
) -> None:
    given: list[bool] = []
    monkeypatch.setattr(extension, "load", lambda ipython, *, in_report: given.append(in_report))
    monkeypatch.delenv("SIGMALIB_REPORT", raising=False)
    if switch:
        monkeypatch.setenv("SIGMALIB_REPORT", switch)
    sigmalib.load_ipython_extension(SimpleNamespace())  # type: ignore[arg-type]
    assert given == [in_report]


def test_risk_report_shows_itself_once_its_formatter_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "report_html", lambda report: "<p>shown</p>")
    formatters = DisplayFormatter()
    report = object.__new__(RiskReport)
    extension.register_formatters(SimpleNamespace(display_formatter=formatters))  # type: ignore[arg-type]
    assert formatters.format(report, include={"text/html"})[0] == {"text/html": "<p>shown</p>"}

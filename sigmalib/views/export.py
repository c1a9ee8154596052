"""One HTML file from an executed notebook: code hidden, plots alive, nothing fetched from anywhere."""

from __future__ import annotations

import copy
import re
from functools import cache
from html import escape
from pathlib import Path
from string import Template

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters import ansi2html
from nbformat import NotebookNode
from traitlets.config import Config

from sigmalib.views import embed

LEFT_OUT = {"remove-cell", "papermill-error-cell-tag"}  # papermill's own error cells: the banner says it better
EXPECTED = "raises-exception"
LOADERS = {"application/vnd.holoviews_load.v0+json", "application/vnd.bokehjs_load.v0+json"}
LOADER_STYLE = '<script type="esms-options">'

BODY = Config(
    HTMLExporter={
        "exclude_input": True,
        "exclude_input_prompt": True,
        "exclude_output_prompt": True,
        "exclude_anchor_links": True,
    }
)
_IDS_OF_CELLS = re.compile(r' id="cell-id=[^"]*"')


def notebook_html(notebook: NotebookNode, *, title: str) -> str:
    """``notebook`` with its outputs as one self-contained HTML page; the same notebook gives the same page.

    Hidden: code, cells tagged ``remove-cell``, whatever only loads scripts. An error is shown where it happened and
    in a banner on top, unless its cell is tagged ``raises-exception``. The notebook given is not changed.
    """
    shown, plots = _prepared(notebook)
    body, _ = _exporter().from_notebook_node(shown)
    return Template(_file("report.html")).substitute(
        title=escape(title),
        style=_file("sigma.css") + _file("report.css"),
        scripts="".join(f"<script>{script}</script>\n" for script in embed.scripts(plots)),
        banner="".join(_banners(shown)),
        body=_IDS_OF_CELLS.sub("", body),
        plots=embed.plots_json(plots),
        draw=_file("report.js") if plots else "",
    )


def _prepared(notebook: NotebookNode) -> tuple[NotebookNode, list[embed.Plot]]:
    """A copy with only the cells and outputs that are shown, and the plots that were taken out of the outputs."""
    plots: list[embed.Plot] = []
    cells = [copy.deepcopy(cell) for cell in notebook.cells if not LEFT_OUT.intersection(_tags(cell))]
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _is_shown(output, plots)]
            cell.source = ""
    kept = [cell for cell in cells if cell.cell_type == "markdown" or cell.get("outputs")]
    return nbformat.v4.new_notebook(metadata=notebook.metadata, cells=kept), plots


def _is_shown(output: NotebookNode, plots: list[embed.Plot]) -> bool:
    """Whether ``output`` has something to show; a plot in it is moved to ``plots`` and its place is left."""
    if output.output_type not in ("display_data", "execute_result"):
        return True
    if not output.data or LOADERS.intersection(output.data):
        return False
    html = output.data.get("text/html", "")
    plot = embed.plot_of(html)
    if plot is None:
        return not html.startswith(LOADER_STYLE)
    output.data = NotebookNode({"text/html": plot.html})
    if plot.places:
        plots.append(plot)
    return bool(plot.places)


def _banners(notebook: NotebookNode) -> list[str]:
    """A red banner for each error that was not expected."""
    failed = [cell for cell in notebook.cells if cell.cell_type == "code" and EXPECTED not in _tags(cell)]
    return [_banner(output) for cell in failed for output in cell.outputs if output.output_type == "error"]


def _banner(error: NotebookNode) -> str:
    traceback = ansi2html("\n".join(error.traceback))
    return (
        '<section class="sigma-banner error" role="alert"><p><b>This report did not finish.</b> '
        f"{escape(error.ename)}: {escape(error.evalue)}</p>"
        f"<p>What stands below was made before the error.</p><details><summary>Traceback</summary>"
        f"<pre>{traceback}</pre></details></section>"
    )


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


@cache
def _exporter() -> HTMLExporter:
    return HTMLExporter(template_name="basic", config=BODY)


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")

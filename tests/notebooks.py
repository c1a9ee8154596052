"""Small notebooks for tests: their cells, and what papermill makes of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
SETUP = "%load_ext sigmalib"
FRAME = """
import holoviews as hv, numpy as np, pandas as pd, panel as pn
days = pd.date_range("2022-01-03", periods=250, freq="B", name="session")
frame = pd.DataFrame({"value": 1e6 + np.sin(np.arange(250) / 20) * 4e4, "share": np.cos(np.arange(250) / 9) / 50}, days)
parts = pd.DataFrame({"name": list("ABCD"), "gain": [12_000.0, -7_000, 3_500, -1_250]})
"""
LINE = 'hv.Curve(frame.reset_index(), "session", "value").opts(title="Value", ylabel="USD", xlabel="")'
BARS = 'hv.Bars(parts, "name", "gain").opts(title="Contribution", ylabel="USD", xlabel="")'
OVERLAY = 'hv.Histogram(np.histogram(frame["share"], 20)).opts(title="Daily moves") * hv.VLine(-0.015)'
LAYOUT = f"{LINE} + {BARS}"
HVPLOT = 'frame.hvplot.line(y="share", title="Share")'
GRID = 'hv.HeatMap([(a, b, a * b / 9) for a in range(4) for b in range(4)]).opts(title="Products", colorbar=True)'
HOSTILE = 'hv.Curve([1, 2]).opts(title="</script><img src=https://example.org/x>")'
TABLE = "parts"
PLOTS = {LINE: 1, BARS: 1, OVERLAY: 1, LAYOUT: 2, HVPLOT: 1, GRID: 1}  # cell -> figures in it
PANEL = 'pn.Column(pn.pane.Markdown("**Panel** here"), pn.widgets.Tabulator(parts, show_index=False))'
SLIDER = 'hv.HoloMap({n: hv.Curve(np.sin(np.arange(50) / n)) for n in (2, 4, 8)}, "n")'
HIDDEN = 'print("not for the reader")'
FAILING = 'raise ValueError("the price of <ABC> is missing")'


def notebook(*cells: str) -> NotebookNode:
    """A notebook of code cells; a text that starts with # is markdown; HIDDEN is tagged ``remove-cell``."""
    return new_notebook(metadata={"kernelspec": KERNEL}, cells=[_cell(text) for text in cells])


def executed(made: NotebookNode, folder: Path) -> NotebookNode:
    """The notebook as papermill leaves it, also when a cell fails."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    source, target = folder / "given.ipynb", folder / "executed.ipynb"
    nbformat.write(made, source)
    with contextlib.suppress(PapermillExecutionError):
        papermill.execute_notebook(str(source), str(target), progress_bar=False, cwd=str(folder))
    return nbformat.read(target, as_version=4)


def only(made: NotebookNode, *cells: str) -> NotebookNode:
    """A notebook of those cells of ``made`` that have one of the given sources, outputs and all."""
    kept = [cell for cell in made.cells if cell.source in cells]
    return new_notebook(metadata=made.metadata, cells=kept)


def output_of(made: NotebookNode, cell: str) -> str:
    """The HTML that a cell displayed."""
    (found,) = [each for each in made.cells if each.source == cell]
    return "".join(output.data.get("text/html", "") for output in found.outputs if "data" in output)


def _cell(text: str) -> NotebookNode:
    if text.startswith("#"):
        return new_markdown_cell(text)
    return new_code_cell(text, metadata={"tags": ["remove-cell"]} if text == HIDDEN else {})

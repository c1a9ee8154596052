"""What ``%load_ext sigmalib`` does: plots that work without a network, and results that show themselves.

The same line serves JupyterLab, nbval and reports. In JupyterLab the scripts of Bokeh and Panel are put into the
first cell's output, so that nothing is fetched. In a report run (``in_report``) nothing is put there: the
exporter adds the scripts once, and the executed notebook stays small.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import holoviews as hv
import pandas as pd
import panel as pn
from holoviews.plotting.bokeh.renderer import BokehRenderer
from IPython.display import HTML, display
from IPython.utils.capture import capture_output
from panel.io.notebook import load_notebook

from sigmalib.views import theme
from sigmalib.views.embed import with_inline_styles

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

# (module, class) of a result -> function of `sigmalib.views.tables` that writes it as HTML
FORMATTERS = {("sigmalib.risk.report", "RiskReport"): "report_html"}


class OfflineRenderer(BokehRenderer):
    """Writes Panel's style sheets into each displayed plot, where HoloViews links them from a public server."""

    def components(self, obj: Any, fmt: str | None = None, comm: bool = True, **kwargs: Any) -> tuple[Any, Any]:
        """The displayed plot as data and metadata by MIME type."""
        data, metadata = super().components(obj, fmt, comm, **kwargs)
        html = data.get("text/html")
        return (data | {"text/html": with_inline_styles(html)} if html else data), metadata


def load(ipython: InteractiveShell, *, in_report: bool) -> None:
    """Set plotting up in this notebook and register how our results are displayed."""
    # HoloViews imports nbformat, and that a grammar of web addresses which no notebook needs: 1.3 s of CPU
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    hv.Store.renderers["bokeh"] = OfflineRenderer.instance()
    with _nothing_displayed() if in_report else nullcontext():
        _load_scripts()
    theme.apply()
    if "hvplot.pandas" not in sys.modules:
        pd.DataFrame.hvplot = pd.Series.hvplot = property(_hvplot)  # type: ignore[attr-defined]
    register_formatters(ipython)
    if not in_report:
        ipython.events.register("pre_run_cell", _load_scripts_again)


def _load_scripts_again(cell: Any) -> None:
    """Run before each cell: a repeated ``%load_ext sigmalib`` only says that it is loaded, and its output, where the
    scripts stood, is gone; so they are put there again."""
    if "%load_ext sigmalib" in (cell.raw_cell or ""):
        load_notebook(inline=True, reloading=False)
        _show_style()


def register_formatters(ipython: InteractiveShell) -> None:
    """Show our results as HTML; neither their modules nor the tables are imported before one is shown."""
    if ipython.display_formatter is None:
        return
    formatter = ipython.display_formatter.formatters["text/html"]
    for (module, name), function in FORMATTERS.items():
        formatter.for_type_by_name(module, name, partial(_as_html, function))


def _as_html(function: str, result: Any) -> str:
    html: str = getattr(import_module("sigmalib.views.tables"), function)(result)
    return html


def _load_scripts() -> None:
    """Put Bokeh's and Panel's scripts and our style sheet into the notebook, once, and let HoloViews show itself."""
    hv.extension.inline = True
    pn.extension("tabulator", inline=True)
    with _nothing_displayed():
        hv.extension("bokeh", logo=False)
    _show_style()


def _show_style() -> None:
    display(HTML(f"<style>{(Path(__file__).parent / 'sigma.css').read_text(encoding='utf-8')}</style>"))


def _hvplot(data: Any) -> Any:
    """``frame.hvplot``, imported at its first use (0.6 s that most reports need not wait for).

    The import loads the scripts once more, from a public server were it not for ``inline`` above: dropped.
    """
    with _nothing_displayed():
        import hvplot.pandas  # noqa: F401  # takes this property's place
    theme.apply_to_hvplot()
    return data.hvplot


def _nothing_displayed() -> AbstractContextManager[Any]:
    """Drop what is displayed; prints and warnings still come through."""
    return capture_output(stdout=False, stderr=False)

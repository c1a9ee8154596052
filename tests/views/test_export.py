"""A report is one file: what it shows and hides, what it carries, and how it stands in a browser."""

from __future__ import annotations

import copy
import json
import re
import time
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import Page

from sigmalib.views.export import notebook_html
from tests import notebooks as nb
from tests.browser import Watch

pytestmark = pytest.mark.slow

TEXT = "# Report\n\nWhat the *book* is worth."
FETCHED = re.compile(
    r"""<(?:script|img|iframe|link|source)\b[^>]*\b(?:src|href)\s*=|@import|url\(\s*['"]?(?:https?:)?//""",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    cells = (TEXT, nb.SETUP, nb.FRAME, *nb.PLOTS, nb.HOSTILE, nb.TABLE, nb.PANEL, nb.SLIDER, nb.HIDDEN, nb.FAILING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGMALIB_REPORT", "1")
        return nb.executed(nb.notebook(*cells), tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def plain(ran: NotebookNode) -> NotebookNode:
    return nb.only(ran, TEXT, nb.SETUP, nb.FRAME, *nb.PLOTS, nb.TABLE, nb.HIDDEN)


@pytest.fixture(scope="module")
def page(plain: NotebookNode) -> str:
    return notebook_html(plain, title="Daily & risk")


def test_report_shows_words_and_tables_and_hides_code_and_removed_cells(page: str) -> None:
    assert "<title>Daily &amp; risk</title>" in page
    assert "What the <em>book</em> is worth." in page
    assert "<td>12000.0</td>" in page
    assert "hv.Curve(" not in page
    assert "load_ext" not in page
    assert "not for the reader" not in page


def test_report_fetches_nothing_and_stays_small(page: str) -> None:
    assert FETCHED.findall(page) == []
    assert len(page) < 2_000_000


def test_executed_report_holds_no_scripts_and_links_to_nothing_elsewhere(ran: NotebookNode) -> None:
    text = nbformat.writes(ran)
    assert "holoviews_load" not in text
    assert "https://cdn." not in text
    assert len(text) < 600_000


def test_report_carries_the_scripts_that_its_outputs_need_and_no_others(ran: NotebookNode) -> None:
    def loaded(*cells: str) -> list[bool]:
        html = notebook_html(nb.only(ran, *cells), title="")
        return [name in html for name in ("Bokeh.embed", "panel.models.layout", "var luxon")]

    assert loaded(TEXT, nb.TABLE) == [False, False, False]
    assert loaded(nb.LINE) == [True, False, False]
    assert loaded(nb.SLIDER) == [True, True, False]
    assert loaded(nb.PANEL) == [True, True, True]


def test_same_notebook_gives_the_same_bytes_and_is_not_changed(plain: NotebookNode, page: str) -> None:
    before = copy.deepcopy(plain)
    assert notebook_html(plain, title="Daily & risk") == page
    assert plain == before


def test_export_takes_less_than_a_second_and_a_half(plain: NotebookNode) -> None:
    start = time.process_time()
    notebook_html(plain, title="")
    assert time.process_time() - start < 1.5


def test_report_of_an_executed_notebook_that_holds_the_loaders_leaves_them_out() -> None:
    loaders = [
        new_output("display_data", {"text/html": '<script type="esms-options">{"shimMode": true}</script>'}),
        new_output(
            "display_data", {"application/javascript": "load()", "application/vnd.holoviews_load.v0+json": "load()"}
        ),
        new_output("display_data", {}),
    ]
    page = notebook_html(new_notebook(cells=[new_code_cell("x", outputs=loaders)]), title="")
    assert "load()" not in page
    assert "esms" not in page


def test_text_that_would_open_a_comment_cannot_swallow_the_page() -> None:
    hostile = "<!--<script>"
    document = {"roots": [{"type": "object", "name": "Title", "id": "p1"}], "title": hostile}
    items = [{"roots": {"p1": "place"}}]
    shown = f"var docs_json = {json.dumps({'a': document})};\nvar render_items = {json.dumps(items)};\n"
    page = notebook_html(new_notebook(cells=[new_code_cell("x", outputs=[display(shown)])]), title="")
    (plots,) = re.findall(r'id="plots">(.*?)</script>', page, re.DOTALL)
    assert "<" not in plots
    assert json.loads(plots)["documents"]["plot0"]["title"] == hostile


def test_an_error_stands_on_top_and_in_its_place_with_every_character_escaped(ran: NotebookNode) -> None:
    page = notebook_html(nb.only(ran, TEXT, nb.FAILING), title="")
    top, below = page.split("What the <em>book</em>")
    for part in (top, below):
        assert "the price of &lt;ABC&gt; is missing" in part
    assert 'role="alert"' in top
    assert "ansi-red-fg" in below
    assert "\x1b" not in page
    assert "papermill" not in page


def test_an_error_that_the_author_expects_raises_no_alarm(ran: NotebookNode) -> None:
    expected = copy.deepcopy(nb.only(ran, nb.FAILING))
    expected.cells[0].metadata.tags = ["raises-exception"]
    assert 'role="alert"' not in notebook_html(expected, title="")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_plot_is_drawn_inside_the_page(
    page: str, watched_page: Page, tmp_path: Path, width: int, scheme: str
) -> None:
    opened(page, watched_page, tmp_path, width=width, scheme=scheme)
    assert watched_page.locator(".bk-Figure").count() == sum(nb.PLOTS.values())
    assert watched_page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(drawn(watched_page))


@pytest.mark.browser
def test_plots_answer_the_mouse_and_leave_its_wheel_to_the_page(page: str, watched_page: Page, tmp_path: Path) -> None:
    opened(page, watched_page, tmp_path)
    box = watched_page.locator(".bk-Figure").nth(1).bounding_box()
    assert box is not None
    watched_page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.4)
    watched_page.get_by_text("12,000").wait_for()
    shown = "[...Bokeh.documents[1].all_models].find(model => model.type === 'Figure').y_range.end"
    before = watched_page.evaluate(shown)
    watched_page.mouse.wheel(0, 300)
    watched_page.wait_for_function("window.scrollY > 100")
    assert watched_page.evaluate(shown) == before


@pytest.mark.browser
def test_panel_parts_and_hostile_text_do_no_harm(ran: NotebookNode, watched_page: Page, tmp_path: Path) -> None:
    cells = nb.only(ran, nb.HOSTILE, nb.PANEL, nb.SLIDER)
    opened(notebook_html(cells, title="</title><script>"), watched_page, tmp_path, plots=2)
    watched_page.get_by_text("Panel here").wait_for()
    watched_page.locator(".tabulator-row").nth(3).wait_for()
    assert watched_page.locator(".bk-Figure").count() == 2
    assert all(drawn(watched_page))


@pytest.mark.browser
def test_whatever_a_cell_links_to_is_not_fetched(watched_page: Page, tmp_path: Path, watch: Watch) -> None:
    watch.ignored.append("Content Security Policy")
    linked = new_output("display_data", {"text/html": "<img src='https://example.org/pixel.png'><p>after</p>"})
    cells = [new_code_cell("x", outputs=[linked])]
    opened(notebook_html(new_notebook(cells=cells), title=""), watched_page, tmp_path, plots=0)
    watched_page.get_by_text("after").wait_for()


def display(html: str) -> NotebookNode:
    """A displayed output of that HTML."""
    return new_output("display_data", {"text/html": html})


def opened(
    html: str, page: Page, folder: Path, *, plots: int = len(nb.PLOTS), width: int = 1440, scheme: str = "light"
) -> None:
    """Open the report as a file, and wait until that many plots are drawn."""
    (folder / "report.html").write_text(html, encoding="utf-8")
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto((folder / "report.html").as_uri())
    page.wait_for_function(f"{plots} <= (window.Bokeh?.documents ?? []).filter(drawn => drawn.is_idle).length")


def drawn(page: Page) -> list[bool]:
    """For each figure whether its canvas has anything on it."""
    canvases = page.locator(".bk-Figure").all()
    something = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(v => v)"
    return [canvas.locator("canvas").first.evaluate(something) for canvas in canvases]

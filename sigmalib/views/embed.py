"""Interactive plots in one HTML file: what a notebook's output holds, and the scripts that draw it.

A displayed plot carries its document as JSON and a script that waits for Bokeh and Panel. Here the JSON is taken out,
so that one page loads one copy of the scripts, only those it needs, and draws all plots at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_DOCUMENT = re.compile(r"var docs_json = (\{.*\});\n")
_ITEMS = re.compile(r"var render_items = (\[.*\]);\n")
_LINKED_STYLE = re.compile(
    r'\{"type":"object","name":"ImportedStyleSheet","id":"([^"]+)","attributes":'
    r'\{"url":"https?://[^"]*?/panel/[^"/]+/dist/([^"?]+)[^"]*"\}\}'
)
_COMMUNICATION = re.compile(r"panel\.models\.(comm_manager|browser|location)\.")

BOKEH = "server/static/js"
TABULATOR = (
    "bundled/datatabulator/tabulator-tables@*/dist/js/tabulator.min.js",
    "bundled/datatabulator/luxon/build/global/luxon.min.js",
)


@dataclass(frozen=True)
class Plot:
    """A Bokeh document: its JSON, and for each root the id of the element to draw it into."""

    document: dict[str, Any]
    places: dict[str, str]

    @property
    def html(self) -> str:
        """The empty elements that the plot will be drawn into."""
        return "".join(f'<div class="plot"><div id="{escape(place)}"></div></div>' for place in self.places.values())


def plot_of(html: str) -> Plot | None:
    """The plot in a displayed output, or None when there is none; what only talks to a kernel is left out."""
    found, items = _DOCUMENT.search(html), _ITEMS.search(html)
    if not (found and items):
        return None
    (document,) = json.loads(with_inline_styles(found[1])).values()
    document["roots"] = [root for root in document["roots"] if not _COMMUNICATION.match(root["name"])]
    drawn = {root["id"] for root in document["roots"]}
    used = models([document])
    document["defs"] = [definition for definition in document.get("defs", []) if definition["name"] in used]
    places = {root: place for root, place in json.loads(items[1])[0]["roots"].items() if root in drawn}
    return Plot(document, places)


def with_inline_styles(text: str) -> str:
    """``text`` of a Bokeh document with Panel's style sheets written into it, in place of links to a public server."""
    return _LINKED_STYLE.sub(_inline_style, text)


def plots_json(plots: Iterable[Plot]) -> str:
    """All plots as one JSON text that may stand inside a script element."""
    numbered = {f"plot{number}": plot for number, plot in enumerate(plots)}
    items = [{"docid": name, "roots": plot.places, "root_ids": list(plot.places)} for name, plot in numbered.items()]
    documents = {name: plot.document for name, plot in numbered.items()}
    return json.dumps({"documents": documents, "items": items}, separators=(",", ":")).replace("<", "\\u003c")


def scripts(plots: Iterable[Plot]) -> list[str]:
    """The scripts the plots need, in loading order: none, Bokeh alone, or Bokeh and Panel with what Panel needs."""
    used = models(plot.document for plot in plots)
    if not used:
        return []
    core = _read("bokeh", BOKEH, "bokeh.min.js")
    if all(f'"{name}"' in core for name in used):
        return [core]
    tables = TABULATOR if "panel.models.tabulator.DataTabulator" in used else ()
    more = [_read("bokeh", BOKEH, f"bokeh-{part}.min.js") for part in ("widgets", "tables")]
    return [core, *more, *(_read("panel", "dist", path) for path in tables), _read("panel", "dist", "panel.min.js")]


def models(documents: Iterable[dict[str, Any]]) -> set[str]:
    """Names of the Bokeh models that the documents are made of."""
    return {name for document in documents for name in _names(document["roots"])}


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "object" and "name" in value:
            yield value["name"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _names(item)


def _inline_style(link: re.Match[str]) -> str:
    path = _home("panel") / "dist" / link[2]
    css = path.read_text(encoding="utf-8") if ".." not in link[2] and path.is_file() else ""
    sheet = {"type": "object", "name": "InlineStyleSheet", "id": link[1], "attributes": {"css": css}}
    return json.dumps(sheet, separators=(",", ":")).replace("<", "\\u003c")


@cache
def _read(package: str, *parts: str) -> str:
    """A script that the package ships, safe to stand inside a script element."""
    (path,) = _home(package).glob("/".join(parts))
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script")


def _home(package: str) -> Path:
    """Where the package is installed; it is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the package {package!r} is not installed; run `make demo`", name=package)
    return Path(spec.origin).parent

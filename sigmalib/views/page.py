"""The page shell: every dashboard stands in it, and one that raises shows an error card instead of a blank."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from html import escape
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import panel as pn
import panel_material_ui as pmui
from panel_material_ui.template.base import Page

from sigmalib.core.errors import SigmaError

log = logging.getLogger(__name__)
PAGES = ("Portfolio", "Risk", "Data")  # each is served at its name in small letters, and linked atop the others
CODE = r"<code>\1</code>"
STRETCH = {"sizing_mode": "stretch_width"}
PLAIN = {"size": "small", "margin": 0, "description": ""}
View = TypeVar("View", bound=Callable[[Any], pn.viewable.Viewable])


class PageViewer(pn.viewable.Viewer):
    """A viewer that can be served; ``in_address`` are the parameters that stand in the page's address, by name."""

    in_address: ClassVar[dict[str, str]] = {}


_COMMON = {
    "typography": {"button": {"textTransform": "none"}, "fontSize": 13},
    "components": {
        "MuiAppBar": {"styleOverrides": {"root": {"backgroundColor": "#1f5fae", "color": "#fff"}}},
        "MuiToggleButton": {"styleOverrides": {"root": {"whiteSpace": "nowrap", "padding": "5px 14px"}}},
        "MuiTab": {"styleOverrides": {"root": {"textTransform": "none", "fontSize": "15px"}}},
    },
}
THEME = {
    mode: {**_COMMON, "palette": {"primary": {"main": primary}}}
    for mode, primary in (("light", "#1f5fae"), ("dark", "#6aa5ee"))
}


@cache
def stylesheet() -> str:
    """The one style sheet of cards, tables and remarks."""
    return (Path(__file__).parent / "sigma.css").read_text(encoding="utf-8")


def html(markup: str) -> pn.pane.HTML:
    """Markup in the house's style, as wide as there is room."""
    return pn.pane.HTML(markup, stylesheets=[stylesheet()], sizing_mode="stretch_width", margin=(4, 10))


def serve(title: str, build: Callable[[], PageViewer]) -> Page:
    """Make ``build()``'s result the page that this session serves.

    What goes wrong while it is built is logged and shown as a card that says what to do next.
    """
    pn.extension("tabulator", notifications=True, throttled=True)
    page = Page(
        title=f"Sigma: {title}",
        header=[_links(title)],
        main=[_built(build)],
        favicon=str(Path(__file__).parent / "favicon.svg"),
        theme_config=THEME,
        main_width="1500px",
    )
    return page.servable()


def nothing(why: str) -> pn.pane.HTML:
    """A sentence in the place of something that is not there; what stands in it between backticks is to be typed."""
    return html(f"<div class='sigma-empty'>{re.sub('`([^`]*)`', CODE, escape(why))}</div>")


def plot(picture: Any) -> pn.pane.HoloViews:
    """A picture as wide as there is room."""
    return pn.pane.HoloViews(picture, linked_axes=False, **STRETCH)


def tabs(views: Mapping[str, Sequence[Any]]) -> pmui.Tabs:
    """One tab a question, drawn when it is first opened and kept from then on."""
    places = [pn.Column(**STRETCH) for _ in views]
    shown = pmui.Tabs(*zip(views, places, strict=True), **STRETCH)

    def draw(active: int) -> None:
        if not len(places[active]):
            places[active].extend(list(views.values())[active])

    shown.param.watch(lambda event: draw(event.new), "active")
    draw(0)
    return shown


def error_card(error: Exception) -> pn.pane.HTML:
    """A card that says what went wrong: the message of our own errors, or that it is a bug and where to look."""
    return html(
        "<div class='sigma-banner error' role='alert'><b>This page could not be shown.</b><br>"
        f"{escape(told(error))}</div>"
    )


def told(error: Exception) -> str:
    """What a reader is told: the message of our own errors, or that it is a bug and where to look."""
    if isinstance(error, SigmaError):
        return str(error)
    return f"{type(error).__name__}: {error}. The server's log has more."


def or_error_card(view: View) -> View:
    """``view``, a method that draws a part of a page; when it raises, that is logged and a card stands in its place."""

    @wraps(view)
    def drawn(viewer: PageViewer) -> pn.viewable.Viewable:
        try:
            return view(viewer)
        except Exception as error:  # the boundary of a part: whatever it is, the reader is told
            log.exception("a part of a page could not be drawn: %s", view.__name__)
            return error_card(error)

    return cast(View, drawn)


def _links(here: str) -> pn.pane.HTML:
    """The names of all pages, linked, with the one that is shown marked."""
    marks = {name: " aria-current='page'" if name == here else "" for name in PAGES}
    links = "".join(f"<a href='{name.lower()}'{mark}>{name}</a>" for name, mark in marks.items())
    return pn.pane.HTML(f"<nav class='sigma-pages'>{links}</nav>", stylesheets=[stylesheet()], margin=0)


def _not_understood(given: dict[str, Any]) -> None:
    """Say that the page's address asks for something that is not there, and that it is shown without."""
    asked = ", ".join(f"{name}={value}" for name, value in given.items())
    if pn.state.notifications:
        pn.state.notifications.warning(f"The address asks for {asked}, which is not there; shown without it.")


def _built(build: Callable[[], PageViewer]) -> pn.viewable.ServableMixin:
    try:
        viewer = build()
        if pn.state.location:  # what is chosen stands in the address, to be sent to a colleague
            pn.state.location.sync(viewer, viewer.in_address, on_error=_not_understood)
        return pn.panel(viewer)  # a viewer draws itself here, where its errors are caught
    except Exception as error:  # the boundary of a page: whatever it is, the reader is told
        log.exception("a page could not be built")
        return error_card(error)

"""The page shell: every dashboard stands in it, and one that raises shows an error card instead of a blank."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, wraps
from html import escape
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import urlencode

import panel as pn
import panel_material_ui as pmui
from panel_material_ui.template.base import Page
from param.parameterized import batch_call_watchers

from sigmalib.core.errors import SigmaError

log = logging.getLogger(__name__)
PAGES = ("Portfolio", "Risk", "Data")  # each is served at its name in small letters, and linked atop the others
CARRIED = ("book", "as_of")  # what a link to another page takes along
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
    viewer, shown = _built(build)
    page = Page(
        title=f"Sigma: {title}",
        header=[_links(title, viewer)],
        main=[shown],
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


def link_to(page: str, **carried: Any) -> str:
    """The address of another page, as markup holds it, with what it is to show.

    >>> link_to("risk", book="core+hedges")
    'risk?book=core%2Bhedges'
    """
    return escape(f"{page}?{urlencode(carried)}" if carried else page)


def understood(viewer: PageViewer, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Set of ``asked``, values by parameter, those that the viewer takes, all at once; returns the others.

    What was set before without the watchers being told, as by an update that failed halfway, is told to them as well.
    """
    refused: dict[str, Any] = {}
    with batch_call_watchers(viewer):
        for name, value in asked.items():
            try:
                setattr(viewer, name, value)
            except (TypeError, ValueError):
                refused[name] = value
    return refused


def _links(here: str, viewer: PageViewer | None) -> pn.pane.HTML:
    """The names of all pages, linked with the book and date that are shown, and the page that is shown marked."""

    def markup(*_: Any) -> str:
        given = pn.state.location.query_params if pn.state.location else {}
        known = given | {name: getattr(viewer, name) for name in CARRIED if name in (viewer.param if viewer else ())}
        carried = {name: known[name] for name in CARRIED if known.get(name) is not None}
        marks = {name: " aria-current='page'" if name == here else "" for name in PAGES}
        links = (f"<a href='{link_to(name.lower(), **carried)}'{mark}>{name}</a>" for name, mark in marks.items())
        return f"<nav class='sigma-pages'>{''.join(links)}</nav>"

    shown = pn.pane.HTML(markup(), stylesheets=[stylesheet()], margin=0)
    followed = [name for name in CARRIED if viewer and name in viewer.param]
    if viewer and followed:
        viewer.param.watch(lambda *_: shown.param.update(object=markup()), followed)
    return shown


def _not_understood(viewer: PageViewer, given: dict[str, Any]) -> None:
    """Show what the address asks for as far as it is there, and say which of it is not."""
    refused = understood(viewer, given)
    if not refused:
        log.exception("what the page's address asks for could not be shown")
        return
    asked = ", ".join(f"{viewer.in_address[name]}={value}" for name, value in refused.items())
    kept = {name: viewer.param[name].serialize(getattr(viewer, name)) for name in refused}
    if pn.state.location:
        pn.state.location.update_query(**{viewer.in_address[name]: value for name, value in kept.items()})
    if pn.state.notifications:
        pn.state.notifications.warning(f"The address asks for {asked}, which is not there; shown without it.")


def _built(build: Callable[[], PageViewer]) -> tuple[PageViewer | None, pn.viewable.ServableMixin]:
    """The viewer, None where it could not be made, and what is shown of it or the card in its place."""
    viewer = None
    try:
        viewer = build()
        if pn.state.location:  # what is chosen stands in the address, to be sent to a colleague
            pn.state.location.sync(viewer, viewer.in_address, on_error=partial(_not_understood, viewer))
        return viewer, pn.panel(viewer)  # a viewer draws itself here, where its errors are caught
    except Exception as error:  # the boundary of a page: whatever it is, the reader is told
        log.exception("a page could not be built")
        return viewer, error_card(error)

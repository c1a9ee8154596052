"""The page shell: an address that is understood in part, and links that keep what is shown."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd
import panel as pn
import pytest
from panel.io.location import Location

from sigmalib.core.errors import InputError
from sigmalib.risk.report import assess
from sigmalib.views import page
from sigmalib.views.viewers import PortfolioViewer
from tests.markets import AS_OF, book, market

HOLDINGS = {"long": 100, "short": -50}
SEARCH = "?book=short&grouping={grouping}&as_of={as_of}"


def open_book(name: str, as_of: object) -> Any:
    if name not in HOLDINGS:
        raise InputError(f"there is no book {name!r}")
    report = assess(book(("AAA", HOLDINGS[name], 90, "2022-01-03")), market())
    return SimpleNamespace(name=name, as_of=as_of, report=report, history=pd.DataFrame())


def viewer() -> PortfolioViewer:
    return PortfolioViewer(open_book=open_book, books=list(HOLDINGS), first=AS_OF, last=AS_OF)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Location:
    found = Location()
    monkeypatch.setattr(type(pn.state), "location", property(lambda _: found))
    return found


@pytest.mark.parametrize(("grouping", "as_of"), [("Nope", "2022-12-27"), ("By kind", "junk"), ("Nope", "junk")])
def test_one_bad_value_in_the_address_does_not_show_another_book_under_the_name_asked_for(address, grouping, as_of):
    address.search = SEARCH.format(grouping=grouping, as_of=as_of)
    shown, _ = page._built(viewer)
    assert isinstance(shown, PortfolioViewer)
    assert (shown.book, shown.opened.name) == ("short", "short")
    day = AS_OF if as_of == "junk" else date(2022, 12, 27)
    assert (shown.as_of, shown.opened.as_of) == (day, day)
    assert shown.grouping == ("By kind" if grouping == "By kind" else "Individually")
    assert not {"Nope", "junk"} & set(address.query_params.values())


def test_an_address_that_turns_bad_later_keeps_to_what_it_shows(address):
    shown, _ = page._built(viewer)
    address.search = SEARCH.format(grouping="Nope", as_of=AS_OF)
    assert (shown.book, shown.opened.name) == ("short", "short")
    assert address.query_params["grouping"] == "Individually"


def test_a_book_that_is_not_there_shows_no_numbers(address):
    address.search = "?book=absent&grouping=Nope"
    shown, _ = page._built(viewer)
    assert shown.opened is None
    assert "there is no book" in shown.banner().object
    assert "sigma-card" not in str(getattr(shown.cards(), "object", ""))


def test_links_keep_the_book_and_date_and_follow_them(address):
    shown, _ = page._built(viewer)
    links = page._links("Risk", shown)
    assert f"href='data?book=long&amp;as_of={AS_OF}'" in links.object
    shown.book = "short"
    assert "href='portfolio?book=short&amp;as_of=" in links.object
    assert "aria-current='page'>Risk" in links.object


def test_a_page_without_a_book_hands_on_the_one_of_its_address(address):
    address.search = "?book=a%2Bb&source=demo"
    assert "href='risk?book=a%2Bb'" in page._links("Data", None).object


def test_markup_in_the_address_stays_text_in_the_links(address):
    address.search = "?book=%27%3E%3Cimg%3E"
    assert "<img" not in page._links("Data", None).object

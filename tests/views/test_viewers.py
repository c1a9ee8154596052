"""A viewer says what went wrong, and never goes on showing another book's numbers."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pandas as pd
import panel as pn
import pytest

from sigmalib.core.errors import SigmaError
from sigmalib.risk.report import assess
from sigmalib.views.viewers import PortfolioViewer
from tests.markets import AS_OF, book, market

PARTS = ("banner", "cards", "positions", "performance", "exposure", "risk", "conventions")


class Broken:
    """A book whose every number raises."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(f"no <{name}>")


def open_book(name: str, as_of: object) -> Any:
    if name == "bug":
        raise KeyError("<column>")
    if name.startswith("refused"):
        raise SigmaError(f"{name} is not to be opened")
    if name == "broken":
        return Broken()
    return SimpleNamespace(report=assess(book(("AAA", 100, 90, "2022-01-03")), market()), history=pd.DataFrame())


@pytest.fixture
def viewer() -> PortfolioViewer:
    names = ["good", "bug", "refused", "refused too", "broken"]
    return PortfolioViewer(open_book=open_book, books=names, first=AS_OF, last=AS_OF)


def test_a_book_that_cannot_be_opened_takes_the_one_before_off_the_page(viewer, caplog):
    assert viewer.opened is not None
    viewer.book = "bug"
    assert viewer.opened is None
    assert "KeyError: &#x27;&lt;column&gt;&#x27;" in viewer.banner().object
    assert "no book is open" in viewer.risk().object
    assert caplog.records[-1].exc_info
    assert caplog.records[-1].levelno == logging.ERROR


def test_the_reason_is_that_of_the_book_chosen_last_and_a_refusal_is_not_logged(viewer, caplog):
    viewer.book = "refused"
    banner = pn.panel(viewer.banner).get_root()
    viewer.book = "refused too"
    assert "refused too is not to be opened" in banner.children[0].text
    assert caplog.records == []


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_raises_is_logged_and_shows_a_card(viewer, caplog, part):
    viewer.book = "broken"
    shown = getattr(viewer, part)().object
    assert "role='alert'" in shown
    assert "ZeroDivisionError: no &lt;" in shown
    assert part in caplog.text


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_does_not_raise_shows_no_alert(viewer, part):
    assert "alert" not in str(getattr(getattr(viewer, part)(), "object", ""))

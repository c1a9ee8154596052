"""The risk page draws a tab when it is opened, anew when the book is another one, and says what it cannot show."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import panel as pn
import pytest

from sigmalib.core.errors import InputError, SigmaError
from sigmalib.risk.marks import chain_of
from sigmalib.risk.stress import grid, reverse_stress
from sigmalib.views import riskpage
from sigmalib.views.riskpage import TABS, RiskViewer
from tests.markets import AS_OF
from tests.views.risks import BOOKS, past_of, report_of

PARTS = {
    "Factors": ("exposures", "benchmark_bets", "betas"),
    "Tail": ("distribution", "tail"),
    "Stress": ("stress",),
    "Greeks": ("greeks", "net"),
    "Correlation": ("correlation",),
    "Volatility": ("volatility",),
    "Conventions": ("compared",),
}


class Opened(SimpleNamespace):
    """A book as the desk opens it, equal to itself only."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


class Broken:
    """A report whose every number raises."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(f"no <{name}>")


def open_book(name: str, as_of: object) -> Any:
    if name == "refused":
        raise SigmaError("<refused> is not to be opened")
    return Opened(name=name, report=Broken() if name == "broken" else report_of(name))


def look_back(opened: Any) -> Any:
    if opened.name != "normal":
        raise InputError("one snapshot, and two are needed; make them with `sigma snapshot`")
    return past_of()


def moved(opened: Any) -> pd.Series:
    report = opened.report
    held = report.holdings.loc[report.simulation.by_position.columns]
    return grid(held, report.marks, spots=[-0.1, 0.0], volatilities=[0.0])


def worst(opened: Any) -> Any:
    report = opened.report
    if opened.name == "without options":
        raise KeyError("<bug>")
    return reverse_stress(500.0, report.holdings, report.marks, report.market)


def viewer(name: str = "normal", **params: Any) -> RiskViewer:
    return RiskViewer(
        open_book=open_book,
        books=[*BOOKS, "broken", "refused"],
        first=AS_OF,
        last=AS_OF,
        look_back=look_back,
        grid=moved,
        worst=worst,
        chain=lambda opened, underlying: chain_of(underlying, opened.report.market),
        book=name,
        **params,
    )


def markup(shown: Any) -> str:
    """All the markup of what is shown."""
    return " ".join(str(pane.object) for pane in shown.select(pn.pane.HTML))


def reversed_of(shown: RiskViewer) -> list[str]:
    async def gathered() -> list[str]:
        return [markup(each) async for each in shown.reversed_stress()]

    return asyncio.run(gathered())


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_every_book_is_drawn_without_an_alert(name, tab, caplog):
    shown = viewer(name, tab=tab)
    for part in PARTS[tab]:
        assert "alert" not in markup(getattr(shown, part)())
    assert "alert" not in markup(shown.cards()) + markup(shown.banner())
    assert caplog.records == []


def test_a_tab_that_is_not_open_asks_for_nothing():
    shown = viewer("broken", tab="Greeks")
    assert isinstance(shown.tail(), pn.Spacer)
    assert "ZeroDivisionError: no &lt;" in markup(shown.greeks())


def test_a_tab_is_drawn_once_and_again_for_another_book_or_choice():
    shown = viewer(tab="Tail")
    first, tail = shown.distribution(), shown.tail()
    assert shown.distribution() is first
    shown.level = "95 %"
    assert shown.distribution() is not first
    assert shown.tail() is tail
    shown.book = "without options"
    assert shown.tail() is not tail


def test_an_opened_tab_is_kept_while_another_one_is_open():
    shown = viewer(tab="Tail")
    tail = shown.tail()
    shown.tab = "Greeks"
    assert shown.tail() is tail


def test_a_part_that_raises_is_logged_and_shows_a_card(caplog):
    shown = viewer("broken", tab="Correlation")
    assert "role='alert'" in markup(shown.correlation())
    assert "correlation" in caplog.text
    assert "role='alert'" in markup(shown.cards())


def test_a_book_that_cannot_be_opened_takes_the_one_before_off_the_page():
    shown = viewer(tab="Greeks")
    assert "AAA" in markup(shown.greeks())
    shown.book = "refused"
    assert "no book is open" in markup(shown.greeks())
    assert "&lt;refused&gt; is not to be opened" in markup(shown.banner())
    assert isinstance(shown.cards(), pn.Spacer)
    assert reversed_of(shown) == [""]


def test_without_snapshots_the_page_says_how_to_make_them():
    told = "make them with <code>sigma snapshot</code>"
    assert told in markup(viewer("without options", tab="Tail").distribution())
    assert "No percentiles" in markup(viewer("without options").exposures())


def test_the_banner_tells_what_is_missing():
    assert "ZZZ" in markup(viewer("without prices").banner())


def test_the_reverse_stress_is_looked_for_once_its_tab_is_open():
    shown = viewer()
    assert reversed_of(shown) == [""]
    shown.tab = "Stress"
    looked, found = reversed_of(shown)
    assert riskpage.SEARCHING in looked
    assert "standard deviations away" in found
    assert reversed_of(shown) == [found]


def test_a_reverse_stress_that_cannot_be_had_says_why(caplog):
    assert "No reverse stress: " in reversed_of(viewer("without history", tab="Stress"))[-1]
    assert caplog.records == []
    assert "role='alert'" in reversed_of(viewer("without options", tab="Stress"))[-1]
    assert caplog.records[-1].levelno == logging.ERROR


def test_surfaces_can_be_chosen_where_options_are_quoted():
    shown = viewer("quoted", tab="Volatility")
    assert (shown.underlying, shown.expiry) == ("AAA", "2023-03-17")
    assert len(shown.volatility().select(pn.pane.HoloViews)) == 3
    _, expiries = shown.volatility_choices()
    assert expiries.options == ["2023-02-17", "2023-03-17"]
    expiries.value = "2023-02-17"
    assert shown.expiry == "2023-02-17"
    shown.book = "normal"
    assert shown.underlying == ""
    assert "no option quotes" in markup(shown.volatility())
    assert isinstance(shown.volatility_choices(), pn.Spacer)


def test_what_is_left_out_of_the_grid_is_counted():
    shown, told = viewer(tab="Stress"), "cannot be revalued and are left out of the grid"
    assert told not in markup(shown.stress())
    report = report_of()
    apart = replace(report, simulation=replace(report.simulation, beyond=report.holdings.iloc[1:2]))
    shown.opened = Opened(name="normal", report=apart)
    assert f"1 position(s) {told}" in markup(shown.stress())


def served(body: Callable[[], None]) -> None:
    """Do what lays a page out as a server does it: in a running loop, which draws what is drawn later."""

    async def run() -> None:
        body()
        await asyncio.sleep(0.05)

    asyncio.run(run())


def test_the_tab_stands_in_the_address_and_follows_it():
    shown = viewer(tab="Greeks")

    def body() -> None:
        tabs = shown._tabs()
        assert tabs.active == TABS.index("Greeks")
        shown.tab = "Conventions"
        assert tabs.active == TABS.index("Conventions")
        tabs.active = 0

    served(body)
    assert shown.in_address["tab"] == "tab"
    assert shown.tab == "Factors"


def test_the_whole_page_is_laid_out():
    def body() -> None:
        assert len(pn.panel(viewer("only cash")).get_root().children) == 4

    served(body)

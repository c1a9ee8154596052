"""Viewers: the state of a page and what it shows; the desk functions are given from outside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui
import param

from sigmalib.core.errors import SigmaError
from sigmalib.views import charts, tables
from sigmalib.views.cards import MEASURES, cards_html, headline_cards
from sigmalib.views.page import PLAIN, STRETCH, PageViewer, html, link_to, nothing, or_error_card, plot, tabs, told
from sigmalib.views.widgets import table

log = logging.getLogger(__name__)

GROUPINGS = {"Individually": None, "By kind": "kind", "By strategy": "strategy"}
MOVED = "not a trading day"


class PortfolioViewer(PageViewer):
    """One book at one date: cards, positions, performance, exposure and risk.

    open_book : (name, as_of) -> the desk's Book; the viewer only reads its ``report`` and ``history``.
    doubts : Book -> sentences on how good the prices behind it are; blank when there is nothing to tell.
    """

    in_address: ClassVar[dict[str, str]] = {"book": "book", "as_of": "as_of", "grouping": "grouping"}

    book: Any = param.Selector(doc="Name of the book shown")
    as_of = param.CalendarDate(doc="Session asked for; the report says which one it is as of")
    measure: Any = param.Selector(default=MEASURES[0], objects=list(MEASURES), doc="How options count in exposures")
    grouping: Any = param.Selector(default="Individually", objects=list(GROUPINGS), doc="How positions are grouped")
    opened = param.Parameter(doc="The desk's Book, or None when it could not be opened")
    stale = param.String(doc="A sentence when the prices are not up to date, else blank")
    trouble = param.String(doc="Why the book could not be opened; blank when it was")

    def __init__(
        self,
        *,
        open_book: Callable[[str, date], Any],
        books: Sequence[str],
        first: date,
        last: date,
        doubts: Callable[[Any], Sequence[str]] = lambda _: (),
        **params: Any,
    ) -> None:
        self._open_book, self._doubts = open_book, doubts
        self._bounds = (first, last)
        self.param.book.objects = list(books)
        super().__init__(book=params.pop("book", books[0]), as_of=params.pop("as_of", last), **params)
        self._reopen()

    @param.depends("book", "as_of", watch=True)
    def _reopen(self) -> None:
        try:
            opened, trouble = self._open_book(str(self.book), self.as_of), ""
        except Exception as error:  # or the page would go on showing the book before
            if not isinstance(error, SigmaError):
                log.exception("the book %r could not be opened", self.book)
            opened, trouble = None, told(error)
        self.param.update(opened=opened, trouble=trouble)

    @param.depends("opened", "trouble")
    @or_error_card
    def banner(self) -> pn.viewable.Viewable:
        """What a reader must know first: why there is nothing, or what is missing, stale or partial."""
        if self.trouble:
            return html(f"<div class='sigma-banner error' role='alert'>{escape(self.trouble)}</div>")
        report, doubts = self.opened.report, self._doubts(self.opened)
        count = len(report.missing) + len(report.left_out)
        if not (count or report.notes or self.stale or doubts):
            return pn.Spacer(height=0)
        told = [f"{count} number(s) missing or left out."] if count else []
        told += [f"{len(report.notes)} remark(s) on these numbers."] if report.notes else []
        told += [f"{len(doubts)} doubt(s) about the prices."] if doubts else []
        lead = escape(" ".join([*told, self.stale]))
        opened = " open" if len(report.missing) or doubts or any(MOVED in note for note in report.notes) else ""
        data = link_to("data", book=self.book, as_of=self.as_of)
        inside = f"{_listed(doubts, data)}{tables.remarks(report)}"
        return html(f"<details class='sigma-banner'{opened}><summary>{lead}</summary>{inside}</details>")

    @param.depends("opened", "measure")
    @or_error_card
    def cards(self) -> pn.viewable.Viewable:
        """The headline numbers."""
        return (
            html(cards_html(headline_cards(self.opened.report, self.measure))) if self.opened else pn.Spacer(height=0)
        )

    @param.depends("opened", "grouping")
    @or_error_card
    def positions(self) -> pn.viewable.Viewable:
        """The positions, sortable and filterable, with sub-totals."""
        if not self.opened:
            return nothing("no book is open")
        holdings = self.opened.report.holdings
        if holdings.empty:
            return nothing("the book holds nothing at this date")
        return table(holdings, tables.HOLDINGS_TABLE, groupby=GROUPINGS[self.grouping])

    @param.depends("opened")
    @or_error_card
    def performance(self) -> pn.viewable.Viewable:
        """Cumulative return and drawdown from the daily snapshots."""
        if not self.opened or len(self.opened.history) < 2:
            return nothing("no history yet; `sigma snapshot BOOK --from DATE` values every session since")
        history = self.opened.history
        pictures = (charts.performance_chart(history), charts.drawdown_chart(history))
        return pn.Column(*map(plot, pictures), html(tables.performance_table(history)), **STRETCH)

    @param.depends("opened")
    @or_error_card
    def exposure(self) -> pn.viewable.Viewable:
        """Exposure by side, sector and tag."""
        if not self.opened:
            return nothing("no book is open")
        report = self.opened.report
        by_group = [plot(charts.group_chart(report.by(key))) for key in ("sector", "tag")]
        return pn.Column(plot(charts.exposure_chart(report)), *by_group, **STRETCH)

    @param.depends("opened")
    @or_error_card
    def risk(self) -> pn.viewable.Viewable:
        """The distribution of a day's P&L with its tail, what adds to it, and correlations."""
        if not self.opened:
            return nothing("no book is open")
        if self.opened.report.scenarios.empty:
            return nothing("no scenarios: the market data has no history for this book")
        report = self.opened.report
        return pn.Column(
            plot(charts.pnl_distribution(report)),
            html(tables.figures_table(report)),
            plot(charts.contribution_chart(report)),
            plot(charts.correlation_chart(report.correlation)),
            **STRETCH,
        )

    @param.depends("opened")
    @or_error_card
    def conventions(self) -> pn.viewable.Viewable:
        """How each number is defined."""
        return html(tables.conventions_table(self.opened.report)) if self.opened else nothing("no book is open")

    def __panel__(self) -> pn.viewable.Viewable:
        """The page: selectors, banner, cards, and one tab a question (drawn when it is opened)."""
        first, last = self._bounds
        choose = pmui.FlexBox(
            pmui.Select.from_param(self.param.book, label="Book", width=200, **PLAIN),
            pmui.DatePicker.from_param(self.param.as_of, label="As of", start=first, end=last, width=170, **PLAIN),
            pmui.RadioButtonGroup.from_param(self.param.measure, label="", **PLAIN),
            align_items="center",
            gap="12px",
            margin=(18, 10, 6, 10),
            **STRETCH,
        )
        return pn.Column(choose, self.banner, self.cards, self._tabs(), **STRETCH)

    def _tabs(self) -> pmui.Tabs:
        grouping = pmui.RadioButtonGroup.from_param(self.param.grouping, label="", size="small")
        return tabs(
            {
                "Positions": [grouping, self.positions],
                "Performance": [self.performance],
                "Exposure": [self.exposure],
                "Risk": [self.risk],
                "Conventions": [self.conventions],
            }
        )


def _listed(doubts: Sequence[str], page: str) -> str:
    """The sentences as a list with a link to the ``page`` that shows more; blank without any."""
    items = "</li><li>".join(map(escape, doubts))
    return f"<ul class='sigma-notes'><li>{items} <a href='{page}'>See the data.</a></li></ul>" if doubts else ""

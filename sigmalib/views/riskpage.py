"""The risk page: one book's factors, tail, stress, greeks, correlations and volatility, a tab each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import wraps
from html import escape
from typing import Any, ClassVar, Protocol, cast

import holoviews as hv
import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param

from sigmalib.core.errors import SigmaError
from sigmalib.risk.greeks import UNITS
from sigmalib.risk.peers import NUMBERS
from sigmalib.risk.stress import ReverseStress
from sigmalib.risk.tails.backtest_results import VarBacktest
from sigmalib.views import charts, riskcharts, risksentences, risktables, surfacecharts, tables, theme
from sigmalib.views.cards import cards_html
from sigmalib.views.page import PLAIN, STRETCH, error_card, html, nothing, or_error_card, plot
from sigmalib.views.riskcards import bets_of, risk_cards
from sigmalib.views.viewers import PortfolioViewer
from sigmalib.views.widgets import table

log = logging.getLogger(__name__)

FACTORS, TAIL, STRESS, GREEKS = "Factors", "Tail", "Stress", "Greeks"
CORRELATION, VOLATILITY, CONVENTIONS = "Correlation", "Volatility", "Conventions"
TABS = (FACTORS, TAIL, STRESS, GREEKS, CORRELATION, VOLATILITY, CONVENTIONS)
LEVELS = {"95 %": 0.95, "99 %": 0.99}
GREEK_NAMES = {riskcharts.GREEK_TITLES[name].split(",")[0]: name for name in UNITS}
GREEKS_BY: dict[str, risktables.By] = {
    "Underlying": "underlying", "Expiry": "expiry", "Strategy": "strategy", "Tag": "tag",
}  # fmt: skip
NUMBER_TITLES = {
    "var": "Value at risk 95 %", "es": "Expected shortfall 95 %", "max_drawdown": "Maximum drawdown",
    "exposure": "Net exposure",
}  # fmt: skip
NUMBERS_BY_TITLE = {NUMBER_TITLES.get(name, name.capitalize()): name for name in NUMBERS}
NO_BOOK, NO_FACTORS = "no book is open", "No factors: no fund has 60 returns up to this date."
SEARCHING = "looking for the most plausible move that loses a tenth …"
LEGEND = [theme.tidy, theme.rows_of_two]
View = Callable[["RiskViewer"], pn.viewable.Viewable]


class Past(Protocol):
    """What the desk hands over of a book's snapshots, see its Hindsight."""

    tests: dict[float, VarBacktest]
    track: pd.DataFrame
    factors: pd.DataFrame
    attribution: pd.DataFrame


def part(tab: str, *choices: str) -> Callable[[View], View]:
    """A part of a tab: drawn while its tab is open, again when the book or one of ``choices`` is another one.

    Opening a tab again shows what was drawn; a tab that is not open costs nothing. One that raises shows a card.
    """

    def decorated(view: View) -> View:
        safe = or_error_card(view)

        @param.depends("opened", "tab", *choices)
        @wraps(view)
        def drawn(viewer: RiskViewer) -> pn.viewable.Viewable:
            chosen = tuple(getattr(viewer, name) for name in choices)
            seen, picked, shown = viewer.drawn.get(view.__name__, (None, (), pn.Spacer(height=0)))
            if viewer.tab != tab or (seen is viewer.opened is not None and picked == chosen):
                return shown
            shown = safe(viewer) if viewer.opened else nothing(NO_BOOK)
            viewer.drawn[view.__name__] = (viewer.opened, chosen, shown)
            return shown

        return cast(View, drawn)

    return decorated


class RiskViewer(PortfolioViewer):
    """The risk of one book at one date: selectors and banner of a portfolio, cards of risk, and a tab a question.

    look_back : Book -> what its snapshots say; grid : Book -> P&L over moves of spot and volatility; worst : Book ->
    the reverse stress; chain : (Book, underlying) -> its option chain. Each may raise an error of ours, which is told.
    """

    in_address: ClassVar[dict[str, str]] = {"book": "book", "as_of": "as_of", "tab": "tab"}

    tab: Any = param.Selector(default=FACTORS, objects=list(TABS), doc="Which tab is open")
    level: Any = param.Selector(default="99 %", objects=list(LEVELS), doc="Level of the pictures of value at risk")
    greek: Any = param.Selector(default="Dollar delta", objects=list(GREEK_NAMES), doc="Greek that is drawn")
    greek_by: Any = param.Selector(default="Underlying", objects=list(GREEKS_BY), doc="How greeks are summed")
    underlying = param.String(doc="Whose volatility is shown; blank where no option is quoted")
    expiry = param.String(doc="Whose smile is shown, YYYY-MM-DD")
    number: Any = param.Selector(
        default="Value at risk 95 %", objects=list(NUMBERS_BY_TITLE), doc="Number that is compared with peers'"
    )

    def __init__(
        self,
        *,
        look_back: Callable[[Any], Past],
        grid: Callable[[Any], pd.Series],
        worst: Callable[[Any], ReverseStress],
        chain: Callable[[Any, str], pd.DataFrame],
        **params: Any,
    ) -> None:
        self._look_back, self._grid, self._worst, self._chain = look_back, grid, worst, chain
        self.drawn: dict[str, tuple[Any, tuple[Any, ...], pn.viewable.Viewable]] = {}
        self._reversed: tuple[Any, pn.viewable.Viewable] = (None, pn.Spacer(height=0))
        super().__init__(**params)

    @param.depends("opened")
    @or_error_card
    def cards(self) -> pn.viewable.Viewable:
        """The headline numbers of risk."""
        return html(cards_html(risk_cards(self.opened.report))) if self.opened else pn.Spacer(height=0)

    @part(FACTORS)
    def exposures(self) -> pn.viewable.Viewable:
        """Exposure to each factor with its error, where the variance comes from, and both as a table."""
        report = self.opened.report
        if not bets_of(report):
            return nothing(NO_FACTORS)
        past, told = self._past()
        return pn.Column(
            _beside(riskcharts.factor_chart(report), riskcharts.variance_chart(report)),
            html(risktables.factors_table(report, past.factors if past else None)),
            _said(risksentences.variance_sentence(report), *([] if past else [f"No percentiles: {told}."])),
            html(risktables.absent_factors(report)),
            **STRETCH,
        )

    @part(FACTORS)
    def benchmark_bets(self) -> pn.viewable.Viewable:
        """The bets against the benchmark, and what factors made of the realised P&L."""
        report = self.opened.report
        if not bets_of(report):
            return pn.Spacer(height=0)
        past, _ = self._past()
        made = [plot(riskcharts.attribution_chart(past.attribution))] if past else []
        return pn.Column(
            _title("Against the benchmark"),
            _said(risksentences.tracking_sentence(report)),
            html(risktables.against_table(report)),
            *made,
            **STRETCH,
        )

    @part(FACTORS)
    def betas(self) -> pn.viewable.Viewable:
        """The betas of every name with t-statistics, ridge and shrunk values, and what to doubt about them."""
        report, bets = self.opened.report, bets_of(self.opened.report)
        if not bets or bets.betas.betas.empty or report.net.empty:
            return pn.Spacer(height=0)
        rows, spec = risktables.beta_rows(report)
        return pn.Column(
            _title("Betas of each name"),
            _said(risksentences.collinearity_sentence(report)),
            table(rows, spec),
            **STRETCH,
        )

    @part(TAIL, "level")
    def distribution(self) -> pn.viewable.Viewable:
        """The P&L of a day with value at risk by method, and these against what happened since."""
        report, level = self.opened.report, LEVELS[self.level]
        past, told = self._past()
        if past is None:
            return pn.Column(plot(riskcharts.var_chart(report, level)), nothing(f"No backtest: {told}."), **STRETCH)
        return _beside(riskcharts.var_chart(report, level), riskcharts.backtest_chart(past.track, level))

    @part(TAIL)
    def tail(self) -> pn.viewable.Viewable:
        """Backtests, methods, approximations and components."""
        report, (past, _) = self.opened.report, self._past()
        if report.scenarios.empty:
            return nothing("No tail measures: the market data has no history for this book.")
        tested = self._tested(past) if past else []
        volatility = f"Options are revalued in full; volatility shock: {report.simulation.volatility_shock}."
        return pn.Column(
            *tested,
            _title("By method and level"),
            html(risktables.methods_table(report)),
            _title("Full revaluation and its approximations"),
            html(risktables.approximations_table(report)),
            _said(volatility),
            _title("What adds to the expected shortfall"),
            html(risktables.components_table(report)),
            _said(risksentences.diversification_sentence(report)),
            **STRETCH,
        )

    @part(STRESS)
    def stress(self) -> pn.viewable.Viewable:
        """P&L in every scenario as bars and as a table, and over a grid of moves."""
        report = self.opened.report
        if report.net.empty:
            return nothing(risksentences.NOTHING_MOVES)
        grid, left = self._grid(self.opened), len(report.simulation.beyond)
        return pn.Column(
            plot(riskcharts.stress_chart(report)),
            html(risktables.stress_table(report)),
            plot(riskcharts.grid_chart(grid, currency=report.base_currency)),
            html(risktables.grid_table(grid)),
            _said(f"{left} position(s) cannot be revalued and are left out of the grid." if left else ""),
            **STRETCH,
        )

    @param.depends("opened", "tab")
    async def reversed_stress(self) -> AsyncIterator[pn.viewable.Viewable]:
        """The most plausible move that loses a tenth of the book, looked for once the tab is open."""
        seen, shown = self._reversed
        if self.tab == STRESS and self.opened and seen is not self.opened:
            opened = self.opened
            yield nothing(SEARCHING)
            shown = await asyncio.to_thread(self._worst_shown, opened)
            self._reversed = (opened, shown)
        yield shown if self.opened else pn.Spacer(height=0)

    @part(GREEKS, "greek", "greek_by")
    def greeks(self) -> pn.viewable.Viewable:
        """One greek as bars, and all of them as a table, by what was chosen."""
        report, key = self.opened.report, GREEKS_BY[self.greek_by]
        if report.net.empty:
            return nothing("No greeks: the book holds nothing but cash.")
        return pn.Column(
            plot(riskcharts.greeks_chart(report, GREEK_NAMES[self.greek], key)),
            html(risktables.greeks_table(report, key)),
            **STRETCH,
        )

    @part(GREEKS)
    def net(self) -> pn.viewable.Viewable:
        """Delta netted by underlying, and the same in moves of the benchmark."""
        report = self.opened.report
        if report.net.empty:
            return pn.Spacer(height=0)
        title = f"Delta-adjusted exposure netted by underlying, {report.base_currency}; beta to {report.benchmark}"
        return pn.Column(_title(title), html(risktables.net_table(report)), **STRETCH)

    @part(CORRELATION)
    def correlation(self) -> pn.viewable.Viewable:
        """How names move together, those that do side by side, and the clusters they make."""
        report = self.opened.report
        picture = charts.correlation_chart(report.correlations.heat_map)
        return pn.Column(
            _said(risksentences.correlation_sentence(report)),
            plot(picture),
            html(risktables.clusters_table(report)),
            **STRETCH,
        )

    @part(VOLATILITY, "underlying", "expiry")
    def volatility(self) -> pn.viewable.Viewable:
        """Surface, smile, term structure and fit of an underlying with quotes; else why there are none."""
        report = self.opened.report
        if self.underlying not in report.surfaces:
            return nothing(risksentences.volatility_sentence(report))
        surface = report.surfaces[self.underlying]
        chain = self._chain(self.opened, self.underlying)
        lines = (surfacecharts.smile_chart(surface, chain, self.expiry or None), surfacecharts.term_chart(surface))
        return pn.Column(
            *(plot(one.opts(hooks=LEGEND) if isinstance(one, hv.Overlay) else one) for one in lines),
            plot(surfacecharts.surface_chart(surface)),
            html(risktables.fit_table(surface)),
            **STRETCH,
        )

    @param.depends("opened", "tab", "underlying", watch=True, on_init=True)
    def _choose_volatility(self) -> None:
        """An underlying and an expiry that there are, once their tab is open; both at once, to be drawn once."""
        if self.tab != VOLATILITY:
            return
        names = list(self.opened.report.surfaces) if self.opened else []
        name = self.underlying if self.underlying in names else next(iter(names), "")
        known = self._expiries(name)
        self.param.update(underlying=name, expiry=self.expiry if self.expiry in known else _middle(known))

    @param.depends("opened", "tab", "underlying")
    def volatility_choices(self) -> pn.viewable.Viewable:
        """The selectors of underlying and expiry, where there is something to choose."""
        if self.tab != VOLATILITY or not self.underlying:
            return pn.Spacer(height=0)
        offered = {"underlying": list(self.opened.report.surfaces), "expiry": self._expiries(self.underlying)}
        widgets = [
            pmui.Select(label=name.title(), options=options, value=getattr(self, name), width=200, **PLAIN)
            for name, options in offered.items()
        ]
        for name, widget in zip(offered, widgets, strict=True):
            widget.param.watch(lambda event, name=name: self.param.update(**{name: event.new}), "value")
        return _chosen(*widgets)

    def _expiries(self, name: str) -> list[str]:
        surface = self.opened.report.surfaces.get(name) if self.opened else None
        return [f"{smile.expiry:%Y-%m-%d}" for smile in surface.smiles] if surface else []

    @part(CONVENTIONS, "number")
    def compared(self) -> pn.viewable.Viewable:
        """One number under the conventions of peers, and how each number of the report is defined."""
        report = self.opened.report
        return pn.Column(
            html(risktables.comparison_table(report, NUMBERS_BY_TITLE[self.number])),
            _title("How the numbers here are defined"),
            html(tables.conventions_table(report)),
            **STRETCH,
        )

    def __panel__(self) -> pn.viewable.Viewable:
        """The page: selectors, banner, cards, and one tab a question (drawn when it is opened)."""
        first, last = self._bounds
        choose = _chosen(
            pmui.Select.from_param(self.param.book, label="Book", width=200, **PLAIN),
            pmui.DatePicker.from_param(self.param.as_of, label="As of", start=first, end=last, width=170, **PLAIN),
            margin=(18, 10, 6, 10),
        )
        return pn.Column(choose, self.banner, self.cards, self._tabs(), **STRETCH)

    def _tabs(self) -> pmui.Tabs:
        views: Mapping[str, list[Any]] = {
            FACTORS: [self.exposures, self.benchmark_bets, self.betas],
            TAIL: [_chosen(_buttons(self.param.level)), self.distribution, self.tail],
            STRESS: [self.stress, self.reversed_stress],
            GREEKS: [_chosen(_buttons(self.param.greek), _buttons(self.param.greek_by)), self.greeks, self.net],
            CORRELATION: [self.correlation],
            VOLATILITY: [self.volatility_choices, self.volatility],
            CONVENTIONS: [_chosen(_select(self.param.number, "Number")), self.compared],
        }
        shown = pmui.Tabs(
            *((name, pn.Column(*views[name], **STRETCH)) for name in TABS), active=TABS.index(self.tab), **STRETCH
        )
        shown.param.watch(lambda event: self.param.update(tab=TABS[event.new]), "active")
        self.param.watch(lambda event: shown.param.update(active=TABS.index(event.new)), "tab")
        return shown

    def _past(self) -> tuple[Past | None, str]:
        """What the snapshots say, or None and why they say nothing."""
        try:
            return self._look_back(self.opened), ""
        except SigmaError as error:
            return None, str(error)

    def _tested(self, past: Past) -> list[pn.viewable.Viewable]:
        currency = self.opened.report.base_currency
        sentences = [risksentences.backtest_sentence(test, currency=currency) for test in past.tests.values()]
        return [_title("Did value at risk hold?"), _said(*sentences), html(risktables.tests_table(past.tests))]

    def _worst_shown(self, opened: Any) -> pn.viewable.Viewable:
        try:
            found = self._worst(opened)
        except SigmaError as error:
            return nothing(f"No reverse stress: {error}.")
        except Exception as error:  # the boundary of a part: whatever it is, the reader is told
            log.exception("a part of a page could not be drawn: reversed_stress")
            return error_card(error)
        told = risksentences.reverse_sentence(found, opened.report)
        moves = risktables.reverse_table(found, opened.report)
        return pn.Column(_title("What would lose a tenth?"), _said(told), html(moves), **STRETCH)


def _middle(known: Sequence[str]) -> str:
    return known[len(known) // 2] if known else ""


def _title(text: str) -> pn.viewable.Viewable:
    return html(f"<b>{escape(text)}</b>")


def _said(*sentences: str) -> pn.viewable.Viewable:
    """Sentences below each other; what stands between backticks is to be typed."""
    told = [sentence for sentence in sentences if sentence]
    return html("".join(f"<p class='sigma-said'>{escape(sentence)}</p>" for sentence in told))


def _beside(*pictures: Any) -> pn.viewable.Viewable:
    """Pictures beside each other where there is room, else below each other."""
    shown = [plot(picture) for picture in pictures]
    for one in shown:
        one.styles = {"flex": "1 1 480px", "min-width": "0"}
    return pn.FlexBox(*shown, gap="0px", **STRETCH)


def _buttons(choice: Any) -> pn.viewable.Viewable:
    return pmui.RadioButtonGroup.from_param(choice, label="", **PLAIN)


def _select(choice: Any, label: str) -> pn.viewable.Viewable:
    return pmui.Select.from_param(choice, label=label, width=240, **PLAIN)


def _chosen(*widgets: Any, margin: tuple[int, ...] = (12, 10, 4, 10)) -> pn.viewable.Viewable:
    """Selectors in a row that breaks where there is no room."""
    return pmui.FlexBox(*widgets, align_items="center", gap="12px", margin=margin, **STRETCH)

"""The data page's viewer: how complete, fresh and believable prices are, and how their sources are doing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, ClassVar, Protocol

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param
from panel.io.model import JSCode

from sigmalib.core.errors import SigmaError
from sigmalib.views import charts, datatables
from sigmalib.views.cards import cards_html, data_cards
from sigmalib.views.formats import number
from sigmalib.views.page import PLAIN, STRETCH, PageViewer, html, nothing, or_error_card, plot, tabs, told
from sigmalib.views.tables import JUDGING, WORDS, TableSpec
from sigmalib.views.widgets import table

log = logging.getLogger(__name__)

RANGES = {"Last 3 months": 92, "Last year": 366, "Last 5 years": 1_827, "Last 10 years": 3_653, "All": None}
EVERY = "all checks"
READING = "one row a symbol, one column a month; no colour where no session was expected"
NEVER = (
    "Nothing was fetched yet. `sigma data fetch AAPL` brings a symbol, `sigma data fetch --book NAME` all of a book."
)


WIDE = ".tabulator [tabulator-field=sentence] { min-width: 420px !important; }"  # else a phone breaks at each word
COLOURS = {"gain": "#1a9a78", "doubt": "#c9841a", "loss": "#d1495b"}
WORD = """cell => {
  const word = document.createElement("span");
  word.textContent = cell.getValue();
  word.style.color = (%s)[word.textContent] ?? "inherit";
  return word;
}""" % json.dumps({word: COLOURS[name] for word, name in WORDS.items()})  # noqa: UP031


class Seen(Protocol):
    """What the desk hands over of one source: ``check`` is None when there are no daily bars, and ``why`` says it."""

    source: str
    check: datatables.DataCheck | None
    why: str
    held: pd.DataFrame
    sources: pd.DataFrame
    fetches: pd.DataFrame


class DataViewer(PageViewer):
    """One source over one range: cards, coverage, freshness, findings, and the health of all sources.

    look : (source, days or None for all) -> the desk's DataSeen.
    """

    in_address: ClassVar[dict[str, str]] = {"source": "source", "reach": "range"}

    source: Any = param.Selector(doc="Name of the source shown")
    reach: Any = param.Selector(default="Last year", objects=list(RANGES), doc="How far back from its last bar")
    check: Any = param.Selector(default=EVERY, objects=[EVERY], doc="Findings of which check are shown")
    seen: Seen | None = param.Parameter(doc="What the desk saw, or None before it looked and when it could not")
    trouble = param.String(doc="Why the desk could not look; blank when it could")
    busy = param.Boolean(True, doc="Whether the desk is looking")

    def __init__(self, *, look: Callable[[str, int | None], Seen], sources: Sequence[str], **params: Any) -> None:
        self._look = look
        self.param.source.objects = list(sources)
        super().__init__(source=params.pop("source", sources[0]), **params)

    @param.depends("source", "reach", watch=True)
    def _look_again(self) -> None:
        if not self.busy:  # else the page is not open yet
            self.look()

    def look(self) -> None:
        """Ask the desk; the page shows that it is busy meanwhile."""
        self.busy = True
        try:
            seen, trouble = self._look(self.source, RANGES[self.reach]), ""
        except Exception as error:  # or the page would go on showing the source before
            if not isinstance(error, SigmaError):
                log.exception("the data of %r could not be looked at", self.source)
            seen, trouble = None, told(error)
        checks = sorted(set(seen.check.findings["check"])) if seen and seen.check else []
        self.param.check.objects = [EVERY, *checks]
        self.param.update(seen=seen, trouble=trouble, check=EVERY, busy=False)

    @param.depends("seen", "trouble")
    @or_error_card
    def banner(self) -> pn.viewable.Viewable:
        """What a reader must know first: why there is nothing, a source that ails, files that are damaged."""
        if self.trouble:
            return html(f"<div class='sigma-banner error' role='alert'>{escape(self.trouble)}</div>")
        sentences = [*_ailing(self.seen), *_damaged(self.seen)] if self.seen else []
        if not sentences:
            return pn.Spacer(height=0)
        return html(f"<div class='sigma-banner'>{'<br>'.join(map(escape, sentences))}</div>")

    @param.depends("seen")
    @or_error_card
    def cards(self) -> pn.viewable.Viewable:
        """How much there is, how fresh and how believable."""
        if not (self.seen and self.seen.check):
            return pn.Spacer(height=0)
        check, latest = self.seen.check, datatables.in_new_york(_fetches_of(self.seen), "ended_at")["ended_at"]
        cards = data_cards(
            self.seen.held,
            share=check.share,
            findings=check.findings,
            quarantined=len(check.quarantined),
            revised=len(check.revised.drop_duplicates(["session", "symbol"])),
            fetched=latest.iloc[0] if len(latest) else "",
        )
        return html(cards_html(cards))

    @param.depends("seen", "trouble")
    @or_error_card
    def coverage(self) -> pn.viewable.Viewable:
        """The heat map of months, and below it the symbols that lack sessions or have none."""
        if not (self.seen and self.seen.check):
            return self._without()
        check = self.seen.check
        span = f"{check.source}, {check.start} to {check.end}: {READING}."
        parts = [html(f"<p class='sigma-made'>{escape(span)}</p>"), plot(charts.coverage_chart(check.by_month))]
        if (check.coverage["missing"] > 0).any():
            parts.append(html(datatables.coverage_table(check.coverage)))
        return pn.Column(*parts, html(_without_bars(self.seen.held, check)), **STRETCH)

    @param.depends("seen", "trouble")
    @or_error_card
    def freshness(self) -> pn.viewable.Viewable:
        """First and last bar of every symbol, daily and by the minute, those that are most behind first."""
        if self.seen is None or self.seen.held.empty:
            return self._without()
        return _judged(datatables.held_rows(self.seen.held), datatables.HELD_TABLE)

    @param.depends("seen", "trouble", "check")
    @or_error_card
    def findings(self) -> pn.viewable.Viewable:
        """What is doubtful, the most doubtful first, then rows that were kept apart and bars that were revised."""
        if not (self.seen and self.seen.check):
            return self._without()
        check = self.seen.check
        shown = check.findings if self.check == EVERY else check.findings[check.findings["check"] == self.check]
        found = (
            _judged(datatables.by_doubt(shown), datatables.FINDINGS_TABLE)
            if len(shown)
            else nothing(f"No finding from {check.start} to {check.end}.")
        )
        parts = {
            "Kept apart (all dates)": datatables.quarantine_table(check.quarantined) if len(check.quarantined) else "",
            "Revised (all dates)": datatables.revisions_table(check.revised) if len(check.revised) else "",
        }
        below = [html(f"<b>{title}</b>{markup}") for title, markup in parts.items() if markup]
        return pn.Column(found, *below, **STRETCH)

    @param.depends("seen", "trouble")
    @or_error_card
    def health(self) -> pn.viewable.Viewable:
        """How each source is doing and what it needs, the last fetches and what was said when one failed."""
        if self.seen is None:
            return self._without()
        fetches = self.seen.fetches
        parts = {"Sources": datatables.sources_table(self.seen.sources)}
        if len(fetches):
            parts["Last fetches"] = datatables.fetches_table(fetches)
        if (fetches["error"] != "").any():
            parts["Last errors"] = datatables.errors_table(fetches)
        written = [html(f"<b>{title}</b>{markup}") for title, markup in parts.items()]
        return pn.Column(*written, *([] if len(fetches) else [nothing(NEVER)]), **STRETCH)

    def _without(self) -> pn.viewable.Viewable:
        """A sentence in the place of what is not there (yet)."""
        if self.busy:
            return nothing("looking through the prices …")
        return nothing(self.seen.why if self.seen else "nothing could be looked at")

    def __panel__(self) -> pn.viewable.Viewable:
        """The page: selectors, banner, cards, and one tab a question; the desk looks once the page is open."""
        choose = pmui.FlexBox(
            pmui.Select.from_param(self.param.source, label="Source", width=200, **PLAIN),
            pmui.Select.from_param(self.param.reach, label="Range", width=170, **PLAIN),
            align_items="center",
            gap="12px",
            margin=(18, 10, 6, 10),
            **STRETCH,
        )
        kinds = pmui.Select.from_param(self.param.check, label="Check", width=200, **(PLAIN | {"margin": (12, 10)}))
        questions = tabs(
            {
                "Coverage": [self.coverage],
                "Freshness": [self.freshness],
                "Findings": [kinds, self.findings],
                "Sources": [self.health],
            }
        )
        pn.state.onload(self.look)
        return pn.Column(choose, pn.Column(self.banner, self.cards, questions, loading=self.param.busy, **STRETCH))


def _judged(rows: pd.DataFrame, spec: TableSpec) -> pn.widgets.Tabulator:
    """An interactive table whose judging words are coloured and whose sentences take as many lines as they need."""
    days = [column.name for column in spec if column.kind == "date"]
    shown = table(rows.assign(**{name: [number(day, "date") for day in rows[name]] for name in days}), spec)
    words = {name: JSCode(WORD) for name in JUDGING if name in rows}
    shown.formatters = {**shown.formatters, **words, "sentence": {"type": "textarea"}}
    shown.stylesheets = [*shown.stylesheets, WIDE]
    return shown


def _fetches_of(seen: Seen) -> pd.DataFrame:
    return seen.fetches[seen.fetches["source"] == seen.source]


def _ailing(seen: Seen) -> list[str]:
    """A sentence when the source shown is degraded or disabled."""
    rows = datatables.in_new_york(seen.sources, "since").set_index("source")
    status, reason, since = (str(rows[name].get(seen.source, "")) for name in ("status", "reason", "since"))
    if status in ("ok", ""):
        return []
    return [f"The {seen.source} source is {status}{since and f' since {since} New York time'}: {reason}."]


def _damaged(seen: Seen) -> list[str]:
    """A sentence when files of the record were set aside."""
    count = len(seen.check.damaged) if seen.check else 0
    told = f"{count} file(s) of the record are damaged and set aside; `sigma data fetch` asks for their days again."
    return [told] if count else []


def _without_bars(held: pd.DataFrame, check: datatables.DataCheck) -> str:
    """A sentence with the symbols that have daily bars, but none in the range."""
    daily = held[(held["interval"] == "1d") & ~held["symbol"].isin(check.coverage.index)].sort_values("symbol")
    names = ", ".join(f"{row.symbol} (last {row.last})" for row in daily.itertuples())
    return f"<p class='sigma-made'>No bar in this range: {escape(names)}.</p>" if names else ""

"""The data page's viewer: what it shows of a source, of one without data and of one that ails; and its tables."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd
import panel as pn
import pytest

from sigmalib.core.errors import SigmaError
from sigmalib.core.frames import FINDINGS
from sigmalib.risk.report import assess
from sigmalib.views import datatables
from sigmalib.views.cards import data_cards
from sigmalib.views.datapage import EVERY, DataViewer
from sigmalib.views.viewers import PortfolioViewer
from tests.markets import AS_OF, book, market

HOSTILE = "<img src=x onerror=alert(1)>"
SINCE = datetime(2026, 7, 1, 14, 30, tzinfo=UTC)  # 10:30 in New York, in summer
PARTS = ("banner", "cards", "coverage", "freshness", "findings", "health")
FETCHED = {"fetch_id": "f", "source": "polygon", "interval": "1d", "first": date(2024, 1, 2), "last": date(2024, 3, 1),
           "symbols": 2, "began_at": SINCE, "ended_at": SINCE, "state": "done", "rows": 9, "fetched": 9, "revised": 0,
           "quarantined": 0, "requests": 3, "missing": 0, "error": ""}  # fmt: skip


def found(*rows: tuple[str, str, str, float, float, str]) -> pd.DataFrame:
    """FINDINGS out of symbol, session, check, measure, limit and severity."""
    table = pd.DataFrame(list(rows), columns=["symbol", "session", "check", "measure", "limit", "severity"])
    sentences = table["symbol"] + " is doubtful: " + table["check"]
    return table.assign(session=pd.to_datetime(table["session"]), sentence=sentences)[FINDINGS.names]


FINDINGS_FOUND = found(
    ("AAA", "2024-01-05", "gap", 3, 0, "warning"),
    ("BBB", "2024-01-09", "outlier", 0.4, 0.25, "warning"),
    ("CCC", "2024-01-08", "outlier", -0.9, 0.25, "warning"),
    (HOSTILE, "2024-02-01", "price", -1, 0, "bad"),
)


def checked(**said: Any) -> SimpleNamespace:
    coverage = pd.DataFrame(
        {"first": pd.Timestamp("2024-01-02"), "last": pd.Timestamp("2024-03-01"), "sessions": [41, 38],
         "expected": 41, "missing": [0, 3], "share": [1.0, 38 / 41]}, index=pd.Index(["AAA", HOSTILE], name="symbol")
    )  # fmt: skip
    usual = {
        "source": "polygon", "start": date(2024, 1, 2), "end": date(2024, 3, 1), "findings": FINDINGS_FOUND,
        "coverage": coverage, "by_month": pd.DataFrame({"2024-01": [1.0, 0.9]}, index=coverage.index),
        "quarantined": pd.DataFrame({"symbol": [HOSTILE], "session": pd.Timestamp("2024-02-01"), "close": -1.0,
                                     "reason": "close -1 is no price"}),
        "revised": pd.DataFrame({"symbol": ["AAA", "AAA"], "session": pd.Timestamp("2024-01-05"),
                                 "known_at": pd.to_datetime([SINCE, SINCE]), "close": [10.0, 11.0], "open": 1.0,
                                 "high": 1.0, "low": 1.0, "volume": 1.0}),
        "damaged": (), "share": 79 / 82,
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **said})


def seen(check: Any = None, **said: Any) -> SimpleNamespace:
    last = [date(2024, 3, 1), date(2024, 3, 1), date(2023, 1, 4)]
    held = pd.DataFrame({"source": "polygon", "interval": "1d", "symbol": ["AAA", HOSTILE, "OLD"],
                         "first": date(2020, 1, 2), "last": last, "bars": 100, "behind": [0, 0, 300]})  # fmt: skip
    sources = pd.DataFrame({"source": ["sample", "polygon"], "about": HOSTILE, "in_use": [False, True], "needs": "",
                            "status": "ok", "reason": "", "since": pd.array([None, None], dtype="object")})  # fmt: skip
    usual = {"source": "polygon", "check": check, "why": "", "held": held, "sources": sources,
             "fetches": pd.DataFrame([FETCHED])}  # fmt: skip
    return SimpleNamespace(**{**usual, **said})


def look(source: str, days: int | None) -> SimpleNamespace:
    if source == "bug":
        raise KeyError("<column>")
    if source == "refused":
        raise SigmaError("the database is gone")
    if source == "empty":
        why = "nothing was fetched from empty yet; run `sigma data fetch SYMBOL --source empty`"
        nothing = seen()
        return seen(why=why, held=nothing.held.iloc[:0], fetches=nothing.fetches.iloc[:0], source="empty")
    return seen(checked())


@pytest.fixture
def viewer() -> DataViewer:
    shown = DataViewer(look=look, sources=["polygon", "empty", "bug", "refused"])
    shown.look()
    return shown


def text_of(shown: Any) -> str:
    """All the markup in a part of the page."""
    return "".join(str(pane.object) for pane in shown.select(pn.pane.HTML))


def test_it_does_not_look_before_the_page_is_open() -> None:
    asked: list[tuple[str, int | None]] = []

    def noted(source: str, days: int | None) -> SimpleNamespace:
        asked.append((source, days))
        return look(source, days)

    viewer = DataViewer(look=noted, sources=["polygon", "empty"])
    viewer.source, viewer.reach = "empty", "All"  # as the page's address would do
    assert asked == []
    assert viewer.busy
    assert "looking through the prices" in text_of(viewer.coverage())
    viewer.look()
    viewer.reach = "Last year"
    assert asked == [("empty", None), ("empty", 366)]
    assert not viewer.busy


def test_the_page_looks_once_it_is_open_and_is_busy_until_then() -> None:
    viewer = DataViewer(look=look, sources=["polygon"])
    page = viewer.__panel__()  # without a server, a page is open at once
    assert viewer.seen is not None
    assert page[1].loading is False


def test_the_cards_count_what_is_there_late_and_doubtful(viewer: DataViewer) -> None:
    shown = text_of(viewer.cards())
    for told in ("300 bars", "96.3 %", "last bar 2024-03-01", "of 3 series", "1 of them bad", "10:30 New York"):
        assert told in shown


def test_a_share_that_is_not_whole_is_never_shown_as_a_hundred_percent() -> None:
    none = {"findings": FINDINGS.empty(), "quarantined": 0, "revised": 0, "fetched": ""}
    values = [data_cards(seen().held, share=share, **none)[1].value for share in (1.0, 0.99999, float("nan"))]
    assert values == ["100.0 %", "99.9 %", "–"]


def test_symbols_that_lack_sessions_and_those_without_a_bar_are_told(viewer: DataViewer) -> None:
    shown = text_of(viewer.coverage())
    assert "No bar in this range: OLD (last 2023-01-04)." in shown
    assert "92.7 %" in shown
    assert "<td>AAA</td>" not in shown  # it lacks nothing
    assert len(viewer.coverage().select(pn.pane.HoloViews)) == 1


def test_the_symbol_that_is_most_behind_comes_first_and_is_late(viewer: DataViewer) -> None:
    rows = viewer.freshness().value
    assert rows[["symbol", "standing", "behind"]].values.tolist()[0] == ["OLD", "late", 300]
    assert rows["standing"].tolist()[1:] == ["up to date"] * 2


def test_findings_are_shown_the_most_doubtful_first_and_by_check(viewer: DataViewer) -> None:
    assert viewer.findings()[0].value["check"].tolist() == ["price", "outlier", "outlier", "gap"]
    assert viewer.findings()[0].value["symbol"].tolist() == [HOSTILE, "CCC", "BBB", "AAA"]
    assert viewer.param.check.objects == [EVERY, "gap", "outlier", "price"]
    viewer.check = "gap"
    assert viewer.findings()[0].value["sentence"].tolist() == ["AAA is doubtful: gap"]
    viewer.source = "empty"
    assert (viewer.check, viewer.param.check.objects) == (EVERY, [EVERY])


def test_rows_kept_apart_and_revisions_stand_below_the_findings(viewer: DataViewer) -> None:
    shown = text_of(viewer.findings())
    assert "close -1 is no price" in shown
    assert "2026-07-01 10:30" in shown
    assert shown.index("10.00") < shown.index("11.00")


def test_without_findings_the_range_is_named() -> None:
    clean = checked(findings=FINDINGS.empty(), quarantined=pd.DataFrame(), revised=checked().revised.iloc[:0])
    viewer = DataViewer(look=lambda *_: seen(clean), sources=["polygon"])
    viewer.look()
    assert "No finding from 2024-01-02 to 2024-03-01." in text_of(viewer.findings())


@pytest.mark.parametrize("part", ["coverage", "freshness", "findings"])
def test_a_source_without_data_says_what_to_run(viewer: DataViewer, part: str) -> None:
    viewer.source = "empty"
    assert "<code>sigma data fetch SYMBOL --source empty</code>" in text_of(getattr(viewer, part)())
    assert text_of(viewer.health()).count("sigma data fetch") == 2  # a symbol, or a book
    assert isinstance(viewer.cards(), pn.Spacer)


def test_what_goes_wrong_takes_the_source_before_off_the_page(
    viewer: DataViewer, caplog: pytest.LogCaptureFixture
) -> None:
    viewer.source = "refused"
    assert "the database is gone" in text_of(viewer.banner())
    assert caplog.records == []
    viewer.source = "bug"
    assert "KeyError: &#x27;&lt;column&gt;&#x27;" in text_of(viewer.banner())
    assert caplog.records[-1].levelno == logging.ERROR
    assert not viewer.busy
    for part in PARTS[1:]:
        assert "sigma-table" not in text_of(getattr(viewer, part)())


@pytest.mark.parametrize(
    ("status", "since", "told"),
    [
        ("degraded", SINCE, "The polygon source is degraded since 2026-07-01 10:30 New York time: too &lt;slow&gt;."),
        ("disabled", None, "The polygon source is disabled: too &lt;slow&gt;."),
    ],
)
def test_a_source_that_ails_is_told_with_its_reason(status: str, since: datetime | None, told: str) -> None:
    sources = seen().sources.assign(status=["ok", status], reason=["", "too <slow>"], since=[None, since])
    viewer = DataViewer(look=lambda *_: seen(checked(), sources=sources), sources=["polygon"])
    viewer.look()
    assert told in text_of(viewer.banner())
    assert f">{status}</span>" in text_of(viewer.health())


def test_damaged_files_are_told() -> None:
    viewer = DataViewer(look=lambda *_: seen(checked(damaged=("a", "b"))), sources=["polygon"])
    viewer.look()
    assert "2 file(s) of the record are damaged" in text_of(viewer.banner())


def test_failed_fetches_are_listed_with_what_was_said(viewer: DataViewer) -> None:
    assert "Last errors" not in text_of(viewer.health())
    failed = FETCHED | {"state": "failed", "error": "polygon <answers> 500"}
    viewer.seen = seen(checked(), fetches=pd.DataFrame([failed, FETCHED]))
    shown = text_of(viewer.health())
    assert "polygon &lt;answers&gt; 500" in shown
    assert "<span class='loss'>failed</span>" in shown
    assert "<span class='gain'>done</span>" in shown


@pytest.mark.parametrize("part", PARTS)
def test_names_that_are_markup_are_shown_and_not_run(viewer: DataViewer, part: str) -> None:
    assert HOSTILE not in text_of(getattr(viewer, part)())


def test_every_tab_is_drawn_when_it_is_opened(viewer: DataViewer) -> None:
    tabs = viewer.__panel__()[1][2]
    drawn = []
    for tab in range(4):
        tabs.active = tab
        drawn.append([len(place) for place in tabs])
    assert drawn == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 2, 0], [1, 1, 2, 1]]


def test_the_finding_of_the_notebook_has_share_counts_and_dates() -> None:
    told = datatables.data_finding(checked())
    for part in ("From 2024-01-02 to 2024-03-01", "96.3 %", "4 finding(s), 1 of them bad", "1 bar(s) were revised"):
        assert part in told
    assert "The most doubtful: &lt;img" in told
    clean = datatables.data_finding(checked(findings=FINDINGS.empty(), share=0.99999))
    assert "most doubtful" not in clean
    assert "99.9 %" in clean


def test_a_long_table_is_cut_and_says_so() -> None:
    many = pd.concat([FINDINGS_FOUND] * 20, ignore_index=True)
    assert "... and 30 more." in datatables.findings_table(many)
    assert "more." not in datatables.findings_table(FINDINGS_FOUND)


def test_tables_of_nothing_have_headings_and_no_rows() -> None:
    columns = pd.DataFrame(columns=list(FETCHED))
    for shown in (
        datatables.fetches_table(columns),
        datatables.errors_table(columns),
        datatables.findings_table(FINDINGS.empty()),
        datatables.revisions_table(checked().revised.iloc[:0]),
        datatables.coverage_table(checked().coverage.iloc[:0]),
    ):
        assert ">nothing</td>" in shown
    assert datatables.most_doubtful(FINDINGS.empty()) is None


def test_the_source_in_use_comes_first() -> None:
    shown = datatables.sources_table(seen().sources)
    assert shown.index("polygon (in use)") < shown.index("sample")


def test_the_portfolio_page_tells_the_doubts_about_its_prices_and_where_to_look() -> None:
    opened = SimpleNamespace(report=assess(book(("AAA", 100, 90, "2022-01-03")), market()), history=pd.DataFrame())
    told: list[tuple[str, ...]] = [("Prices of <AAA> are missing.", "The source is degraded."), ()]
    shown = PortfolioViewer(
        open_book=lambda *_: opened, books=["b"], first=AS_OF, last=AS_OF, doubts=lambda book: told.pop(0)
    )
    doubted, sound = shown.banner().object, shown.banner().object
    assert "2 doubt(s) about the prices." in doubted
    assert "<li>Prices of &lt;AAA&gt; are missing.</li>" in doubted
    assert "<details class='sigma-banner' open>" in doubted
    assert f"<a href='data?book=b&amp;as_of={AS_OF}'>" in doubted
    assert "doubt" not in sound

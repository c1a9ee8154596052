"""Tables about the market data: sources, fetches, coverage, freshness, findings and revisions."""

from __future__ import annotations

from datetime import date
from html import escape
from typing import Protocol

import numpy as np
import pandas as pd

from sigmalib.views.cards import floored
from sigmalib.views.tables import Column, Html, TableSpec, table_html

NEW_YORK = "America/New_York"
ROWS_WRITTEN = 50  # of a long table that is written out whole; a page scrolls through the rest
DOUBTFUL = ("split", "outlier", "outside", "stale", "no_volume", "gap", "short")  # checks, the most doubtful first
SOURCES_TABLE: TableSpec = (
    Column("source", "Source"),
    Column("status", "Status"),
    Column("reason", "Why"),
    Column("since", "Since (New York)"),
    Column("needs", "Needs"),
    Column("about", "What it is"),
)
FETCHES_TABLE: TableSpec = (
    Column("began_at", "Began (New York)"),
    Column("source", "Source"),
    Column("interval", "Interval"),
    Column("state", "State"),
    Column("first", "From", "date"),
    Column("last", "To", "date"),
    Column("symbols", "Symbols", "quantity"),
    Column("fetched", "New bars", "quantity"),
    Column("revised", "Revised", "quantity"),
    Column("quarantined", "Quarantined", "quantity"),
    Column("missing", "Missing", "quantity"),
    Column("requests", "Requests", "quantity"),
)
ERRORS_TABLE: TableSpec = (
    Column("began_at", "When (New York)"),
    Column("source", "Source"),
    Column("error", "What was said"),
)
HELD_TABLE: TableSpec = (
    Column("symbol", "Symbol"),
    Column("standing", "Standing"),
    Column("behind", "Sessions behind", "quantity"),
    Column("last", "Last", "date"),
    Column("first", "First", "date"),
    Column("bars", "Bars", "quantity"),
    Column("interval", "Interval"),
)
FINDINGS_TABLE: TableSpec = (
    Column("severity", "Severity"),
    Column("symbol", "Symbol"),
    Column("session", "Session", "date"),
    Column("check", "Check"),
    Column("sentence", "Finding"),
)
COVERAGE_TABLE: TableSpec = (
    Column("first", "First", "date"),
    Column("last", "Last", "date"),
    Column("sessions", "Sessions", "quantity"),
    Column("expected", "Expected", "quantity"),
    Column("missing", "Missing", "quantity"),
    Column("share", "Share", "percent"),
)
QUARANTINE_TABLE: TableSpec = (
    Column("symbol", "Symbol"),
    Column("session", "Session", "date"),
    Column("close", "Close", "price"),
    Column("reason", "Why it cannot be true"),
)
REVISIONS_TABLE: TableSpec = (
    Column("symbol", "Symbol"),
    Column("session", "Session", "date"),
    Column("known_at", "Known at (New York)"),
    Column("open", "Open", "price"),
    Column("high", "High", "price"),
    Column("low", "Low", "price"),
    Column("close", "Close", "price"),
    Column("volume", "Volume", "quantity"),
)


class DataCheck(Protocol):
    """How good the daily bars of a source are over a range, as the desk's ``check_data`` says it."""

    source: str
    start: date
    end: date
    findings: pd.DataFrame
    coverage: pd.DataFrame
    by_month: pd.DataFrame
    quarantined: pd.DataFrame
    revised: pd.DataFrame
    damaged: tuple[str, ...]
    share: float


def data_finding(data: DataCheck) -> Html:
    """How good the daily bars of a source are, in three sentences with their numbers and dates."""
    bad, doubts = int((data.findings["severity"] == "bad").sum()), len(data.findings)
    revised = len(data.revised.drop_duplicates(["session", "symbol"]))
    worst = most_doubtful(data.findings)
    told = "" if worst is None else f" The most doubtful: {worst['sentence']}."
    return Html(
        f"<p class='sigma-finding'>From {data.start} to {data.end} the {escape(data.source)} source has "
        f"{floored(data.share)} of the sessions expected of {len(data.coverage)} symbol(s). There are "
        f"{doubts:,} finding(s), {bad:,} of them bad; {len(data.quarantined):,} row(s) are kept apart, and "
        f"{revised:,} bar(s) were revised.{escape(told)}</p>"
    )


def sources_table(data: pd.DataFrame) -> Html:
    """The sources as the desk lists them, the one in use first: how each is doing, since when, and what it needs."""
    shown = in_new_york(data.sort_values("in_use", ascending=False, kind="stable"), "since")
    return table_html(shown.assign(source=shown["source"] + np.where(shown["in_use"], " (in use)", "")), SOURCES_TABLE)


def fetches_table(data: pd.DataFrame) -> Html:
    """The last fetches, newest first."""
    return table_html(in_new_york(data.head(ROWS_WRITTEN), "began_at"), FETCHES_TABLE)


def errors_table(data: pd.DataFrame) -> Html:
    """What the sources said when a fetch failed, newest first."""
    return table_html(in_new_york(data[data["error"] != ""].head(ROWS_WRITTEN), "began_at"), ERRORS_TABLE)


def held_rows(data: pd.DataFrame) -> pd.DataFrame:
    """What is held of each symbol with its ``standing``, late or up to date; those that are most behind first."""
    rows = data.sort_values(["behind", "symbol"], ascending=[False, True], ignore_index=True)
    return rows.assign(standing=np.where(rows["behind"] > 0, "late", "up to date"))


def held_table(data: pd.DataFrame) -> Html:
    """How fresh each symbol is, those that are most behind first."""
    return _written(held_rows(data), HELD_TABLE)


def findings_table(data: pd.DataFrame) -> Html:
    """What is doubtful, the most doubtful first."""
    return _written(by_doubt(data), FINDINGS_TABLE)


def by_doubt(data: pd.DataFrame) -> pd.DataFrame:
    """FINDINGS, first what cannot be true, then by check, then by how far the measure is beyond its limit."""
    rank = data["check"].map(dict(zip(DOUBTFUL, range(len(DOUBTFUL)), strict=True))).fillna(-1)
    beyond = data["measure"].abs() / data["limit"].abs().where(data["limit"].abs() > 0, 1.0)
    keys = data.assign(kept=data["severity"] != "bad", rank=rank, beyond=-beyond)
    return data.loc[keys.sort_values(["kept", "rank", "beyond", "symbol", "session"]).index].reset_index(drop=True)


def most_doubtful(data: pd.DataFrame) -> pd.Series | None:
    """The row of FINDINGS to look at first, or None when there is none."""
    return None if data.empty else by_doubt(data).iloc[0]


def coverage_table(data: pd.DataFrame) -> Html:
    """The symbols that lack sessions, the least complete first."""
    return _written(data[data["missing"] > 0].sort_values("share"), COVERAGE_TABLE, label="Symbol")


def quarantine_table(data: pd.DataFrame) -> Html:
    """The rows that came and cannot be true, with the reason."""
    return _written(data, QUARANTINE_TABLE)


def revisions_table(data: pd.DataFrame) -> Html:
    """Every version of the bars that were revised, in the order in which they became known."""
    return _written(in_new_york(data, "known_at"), REVISIONS_TABLE)


def in_new_york(data: pd.DataFrame, column: str) -> pd.DataFrame:
    """``data`` with the instants of a column as text, New York's time to the minute; blank where there is none."""
    local = pd.to_datetime(data[column], utc=True).dt.tz_convert(NEW_YORK)
    return data.assign(**{column: local.dt.strftime("%Y-%m-%d %H:%M").fillna("")})


def _written(data: pd.DataFrame, spec: TableSpec, *, label: str | None = None) -> Html:
    """A table of the first rows, and a sentence of how many more there are."""
    rest = len(data) - ROWS_WRITTEN
    more = f"<p class='sigma-made'>... and {rest:,} more.</p>" if rest > 0 else ""
    return Html(table_html(data.head(ROWS_WRITTEN), spec, label=label) + more)

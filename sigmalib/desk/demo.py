"""The demonstration: a workspace with three books on real prices, their history and their reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from sigmalib.core.times import sessions_before
from sigmalib.desk.book import import_book
from sigmalib.desk.nightly import Progress, snapshot
from sigmalib.desk.publish import Exporter, run_report
from sigmalib.desk.world import World

BOOKS = ("balanced", "high_net_worth", "long_short")
SESSIONS = 90
REPORT = "daily_risk"


def books_folder(world: World) -> Path:
    """Where the demo books lie as CSV files that anyone can open and edit."""
    return world.settings.project / "notebooks" / "books"


def load_books(world: World, *, progress: Progress) -> Iterator[str]:
    """Import the demo books and keep 90 sessions of history of each; yields a sentence as each step is done."""
    last = world.as_of()
    first = sessions_before(last, SESSIONS - 1)
    for name in BOOKS:
        imported = import_book(books_folder(world) / f"{name}.csv", name=name, world=world)
        yield f"{name}: {imported.rows} positions, " + ("imported" if imported.changed else "unchanged")
        counts = snapshot(name, start=first, end=last, world=world, progress=progress)
        yield f"{name}: {SESSIONS} sessions from {first} to {last}, {counts.new + counts.revised} valued now"


def run_reports(world: World, *, export: Exporter) -> Iterator[str]:
    """Run the daily risk report of each demo book, unless nothing has changed since the last run."""
    last: date = world.as_of()
    for name in BOOKS:
        published = run_report(REPORT, book=name, as_of=last, export=export, reuse=True, world=world)
        yield f"{name}: {REPORT} as of {last}, {'unchanged' if published.reused else 'made'}: {published.html}"

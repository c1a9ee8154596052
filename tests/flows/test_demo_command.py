"""Demo and reports from the command line, here with one small book and a small notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

from sigmalib.desk import demo
from tests.commands import RunSigma
from tests.worlds import book_file, report_project

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose one demo book has two positions, three sessions of history, and a small daily report."""
    project = report_project(tmp_path, "book, as_of", name=demo.REPORT)
    (project / "notebooks" / "books").mkdir(parents=True)
    book_file(project / "notebooks" / "books", "CASH,100,1,2022-01-03,,", "KO,5,60,2022-01-03,,", name="balanced.csv")
    monkeypatch.setattr(demo, "BOOKS", ("balanced",))
    monkeypatch.setattr(demo, "SESSIONS", 3)
    monkeypatch.setenv("SIGMA_PROJECT", str(project))
    return project


def test_demo_imports_values_and_reports_and_then_changes_nothing(sigma: RunSigma, home: Path, small: Path) -> None:
    first, second = (sigma("demo").stdout.splitlines() for _ in range(2))
    page = home / "reports" / "daily_risk" / "balanced" / "2022-12-28" / "report.html"
    assert first == [
        f"workspace {home}, prices from the sample source, latest 2022-12-28",
        "balanced: 2 positions, imported",
        "balanced: 3 sessions from 2022-12-23 to 2022-12-28, 3 valued now",
        f"balanced: daily_risk as of 2022-12-28, made: {page}",
        "next: `sigma risk balanced`, `sigma serve`, or `make lab` for the notebooks",
    ]
    assert second[1:4] == [
        "balanced: 2 positions, unchanged",
        "balanced: 3 sessions from 2022-12-23 to 2022-12-28, 0 valued now",
        f"balanced: daily_risk as of 2022-12-28, unchanged: {page}",
    ]
    assert "<title>Daily risk: balanced, 2022-12-28</title>" in page.read_text()


def test_a_report_is_run_with_its_parameter_and_listed(
    sigma: RunSigma, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_PROJECT", str(report_project(tmp_path, "print(level + 1)")))
    sigma("book", "import", book_file(tmp_path, "KO,5,60,2022-01-03,,"), "--book", "mine")
    page = home / "reports" / "tiny" / "mine" / "2022-12-28" / "report.html"
    done = sigma("report", "run", "tiny", "--book", "mine", "-p", "level=0.5")
    assert done.stdout == f"tiny of mine as of 2022-12-28: {page}\n"
    assert ">1.5\n" in page.read_text()
    assert sigma("report", "list").stdout == f"tiny\n  -p level=0.95  of the tail\n  made {page}\n"

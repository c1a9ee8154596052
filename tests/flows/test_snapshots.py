"""History: each session is valued once, whatever the ranges asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import RunSigma, strict_json
from tests.worlds import book_file


def test_snapshot_values_each_session_once(balanced: RunSigma) -> None:
    first = balanced("snapshot", "balanced", "--from", "2022-12-20", "--to", "2022-12-28")
    assert first.stdout == "balanced: 6 new, 0 unchanged, 0 revised\n"
    again = balanced("snapshot", "balanced", "--from", "2022-12-20", "--to", "2022-12-28", "--json")
    assert strict_json(again.stdout) == {"book": "balanced", "new": 0, "unchanged": 6, "revised": 0}


def test_snapshot_of_another_range_leaves_the_common_sessions_alone(balanced: RunSigma) -> None:
    balanced("snapshot", "balanced", "--from", "2022-12-20", "--to", "2022-12-23")
    done = balanced("snapshot", "balanced", "--from", "2022-12-16", "--to", "2022-12-28")
    assert done.stdout == "balanced: 4 new, 4 unchanged, 0 revised\n"
    assert balanced("snapshot", "balanced").stdout == "balanced: 0 new, 1 unchanged, 0 revised\n"


def test_snapshot_after_an_edited_book_revises(balanced: RunSigma, tmp_path: Path) -> None:
    balanced("snapshot", "balanced")
    balanced("book", "import", book_file(tmp_path, "JNJ,10,150,2022-01-03,,"), "--book", "balanced")
    assert balanced("snapshot", "balanced").stdout == "balanced: 0 new, 0 unchanged, 1 revised\n"


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2022-12-28", "2022-12-01", "--from 2022-12-28 lies after --to 2022-12-01; swap them"),
        ("2022-12-24", "2022-12-26", "the exchange was closed from 2022-12-24 to 2022-12-26"),
        ("2022-12-24", "2023-01-05", "the sample source has 1990-01-02 to 2022-12-28; use --to 2022-12-28 or earlier"),
        ("28.12.2022", "2022-12-28", "--from '28.12.2022' is not a date; write it as 2022-12-28"),
    ],
)
def test_a_range_without_sessions_is_refused(balanced: RunSigma, start: str, end: str, message: str) -> None:
    done = balanced("snapshot", "balanced", "--from", start, "--to", end)
    assert done.returncode == 2
    assert message in done.stderr

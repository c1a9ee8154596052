"""Files as large as may be, and files that would like to be run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from sigmalib.core.times import sessions
from sigmalib.data.exports import FORMULA_LEADS, csv_text
from sigmalib.data.files import MAX_ROWS
from sigmalib.desk.book import assess_file, import_book, open_book
from sigmalib.views.tables import HOLDINGS_TABLE, group_table, table_html
from tests.worlds import book_file, world_in

STOCKS = ("AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY", "MRK", "MSFT", "PEP", "PFE", "PG")
SESSIONS = [f"{day:%Y-%m-%d}" for day in sessions("2019-01-02", "2022-12-01")]
HOSTILE = ("=cmd()", "=HYPERLINK(0)", "+1+1", "-2+3", "@SUM(A1)", "<script>alert(1)</script>")


def many_rows(count: int) -> list[str]:
    """Nine stocks to each option; no ticker twice on a day."""
    stocks = [f"{STOCKS[n % 16]},{n % 7 + 1},100,{SESSIONS[n // 16]},book," for n in range(count * 9 // 10)]
    calls = [
        f"{STOCKS[n % 16]}230317C{(50 + n) * 1000:08d},{n % 7 - 8},5,2022-08-01,options," for n in range(count // 10)
    ]
    return stocks + calls


def test_as_many_rows_as_allowed_are_imported_and_assessed(tmp_path: Path) -> None:
    file = book_file(tmp_path, *many_rows(MAX_ROWS))
    with world_in(tmp_path) as world:
        assert import_book(file, name="large", world=world).rows == MAX_ROWS
        report = open_book("large", world=world).report
    assert len(report.holdings) == MAX_ROWS
    assert report.missing.empty
    assert np.isfinite(report.tails.to_numpy()).all()


def test_large_book_is_worth_the_sum_of_its_halves(tmp_path: Path) -> None:
    rows = many_rows(1_000)
    with world_in(tmp_path) as world:
        whole, *halves = (
            assess_file(book_file(tmp_path, *part), as_of="2022-12-28", world=world).report
            for part in (rows, rows[:500], rows[500:])
        )
    assert whole.valuation.market_value == pytest.approx(sum(half.valuation.market_value for half in halves))
    assert whole.scenarios.to_numpy() == pytest.approx(sum(half.scenarios.to_numpy() for half in halves))


def is_number(cell: str) -> bool:
    return cell.lstrip("-").replace(".", "", 1).replace("e-", "", 1).isdigit()


@pytest.mark.parametrize("tag", HOSTILE)
def test_a_formula_in_a_tag_never_leaves_as_one(tmp_path: Path, tag: str) -> None:
    file = book_file(tmp_path, f'AAPL,10,150,2022-03-01,"{tag}",{tag}')
    with world_in(tmp_path) as world:
        holdings = assess_file(file, as_of="2022-12-28", world=world).report.holdings
    (row,) = csv.DictReader(csv_text(holdings).splitlines())
    assert row["tags"].removeprefix("'") == row["strategy"].removeprefix("'") == tag
    assert [cell for cell in row.values() if cell.startswith(FORMULA_LEADS) and not is_number(cell)] == []


def test_markup_in_a_tag_never_reaches_a_page_as_such(tmp_path: Path) -> None:
    file = book_file(tmp_path, f'AAPL,10,150,2022-03-01,"{HOSTILE[-1]}",{HOSTILE[-1]}')
    with world_in(tmp_path) as world:
        report = assess_file(file, as_of="2022-12-28", world=world).report
    for shown in (table_html(report.holdings, HOLDINGS_TABLE), group_table(report, "tag")):
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown

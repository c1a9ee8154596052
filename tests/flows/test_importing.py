"""Importing a file: all of it or nothing, each bad row named, and the same file twice is one import."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.commands import RunSigma, strict_json
from tests.worlds import book_file

BAD_ROWS = {
    "AAPL,0,150,2022-01-03": "line 2: quantity '0' is zero; write the number held",
    "MSFT,5,-1,2022-01-03": "line 3: entry_price '-1' is not positive; write the price paid",
    "KO,5,60,yesterday": "line 4: entry_date 'yesterday' is not a date; write it as 2022-08-15",
    "=1+1,5,60,2022-01-03": "line 5: ticker '=1+1' starts like a spreadsheet formula; remove the leading sign",
    "PG,many,60,2022-01-03": "line 6: quantity 'many' is not a number; write it as 1,200 or -50",
    "AAPL240119X00150000,5,60,2022-01-03": "line 7: ticker 'AAPL240119X00150000' is not an option symbol",
}
GOOD = ("JNJ,10,150,2022-01-03,core,", "HD,-5,300,2022-01-03,,")


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    return book_file(tmp_path, *BAD_ROWS, *GOOD, name="bad.csv")


def test_one_bad_row_keeps_every_row_out_and_each_is_named(sigma: RunSigma, bad_file: Path) -> None:
    done = sigma("book", "import", bad_file, "--book", "mine")
    assert (done.returncode, done.stdout) == (2, "")
    assert [message for message in BAD_ROWS.values() if message not in done.stderr] == []
    assert "bad.csv: 6 problem(s), nothing was imported" in done.stderr
    assert "--skip-bad" in done.stderr
    assert strict_json(sigma("book", "list", "--json").stdout) == []


def test_skip_bad_imports_the_rest_and_lists_what_it_left(sigma: RunSigma, bad_file: Path) -> None:
    done = sigma("book", "import", bad_file, "--book", "mine", "--skip-bad")
    assert (done.returncode, done.stdout) == (0, "mine: 2 positions, imported (version 1)\n")
    assert [message for message in BAD_ROWS.values() if f"left out: {message}" not in done.stderr] == []


def test_skip_bad_as_json_tells_line_column_value_rule_and_fix(sigma: RunSigma, bad_file: Path) -> None:
    told = strict_json(sigma("book", "import", bad_file, "--book", "mine", "--skip-bad", "--json").stdout)
    first = told["rejected"][0]
    assert (told["rows"], told["changed"], len(told["rejected"])) == (2, True, len(BAD_ROWS))
    assert (first["line"], first["column"], first["value"], first["rule"]) == (2, "quantity", "0", "is zero")
    assert first["fix"]


def test_however_many_rows_are_bad_each_is_named(sigma: RunSigma, tmp_path: Path) -> None:
    done = sigma(
        "book", "import", book_file(tmp_path, *(f"A{n},0,1,2022-01-03,," for n in range(60))), "--book", "mine"
    )
    assert [line for line in range(2, 62) if f"  line {line}: quantity '0' is zero" not in done.stderr] == []


def test_same_row_twice_is_refused_naming_both_lines(sigma: RunSigma, tmp_path: Path) -> None:
    done = sigma("book", "import", book_file(tmp_path, GOOD[0], GOOD[0]), "--book", "mine")
    assert done.returncode == 2
    assert "line 3: ticker 'JNJ' is entered twice on 2022-01-03, first on line 2" in done.stderr


def test_an_entry_of_next_year_is_refused(sigma: RunSigma, tmp_path: Path) -> None:
    later = date.today() + timedelta(days=366)
    done = sigma("book", "import", book_file(tmp_path, f"AAPL,10,150,{later},,"), "--book", "mine")
    assert done.returncode == 2
    assert f"line 2: entry_date '{later}' is after the as-of {date.today().year}" in done.stderr


def test_importing_the_same_file_again_changes_nothing(sigma: RunSigma, tmp_path: Path) -> None:
    file = book_file(tmp_path, *GOOD)
    sigma("book", "import", file, "--book", "mine")
    before = sigma("book", "list", "--json").stdout
    done = sigma("book", "import", file, "--book", "mine")
    assert done.stdout == "mine: 2 positions, unchanged (version 1)\n"
    assert sigma("book", "list", "--json").stdout == before


def test_importing_an_edited_file_makes_the_next_version(sigma: RunSigma, tmp_path: Path) -> None:
    sigma("book", "import", book_file(tmp_path, *GOOD), "--book", "mine")
    done = sigma("book", "import", book_file(tmp_path, GOOD[0]), "--book", "mine")
    assert done.stdout == "mine: 1 positions, imported (version 2)\n"


def test_other_columns_are_kept_out_with_a_notice(sigma: RunSigma, tmp_path: Path) -> None:
    header = "\ufeffSymbol,Qty,Price,Trade Date,Strategy,Notes,Broker"
    file = book_file(tmp_path, 'aapl,"1,200",$150.25,1/3/2022,"core,income",n,b', "", header=header)
    done = sigma("book", "import", file, "--book", "mine")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "columns kept out: Notes, Broker"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; its first line must name the columns"),
        (b"ticker,quantity\nAAPL,5\n", "the table needs entry_price, entry_date and has the columns ticker, quantity"),
        (b"\xff\xfet\x00i\x00", "is not UTF-8 text"),
        (b'ticker,quantity,entry_price,entry_date\n"AAPL,5,150,2022-01-03\n', "close the quotes"),
        (b"ticker,quantity,entry_price,entry_date\n" + b"A,1,1,2022-01-03\n" * 10_001, "10,001 rows"),
        (b"x" * 10_000_001, "10 MB"),
    ],
)
def test_a_file_that_is_no_table_is_refused(sigma: RunSigma, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "book.csv").write_bytes(content)
    done = sigma("book", "import", tmp_path / "book.csv", "--book", "mine")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize(("name", "suggested"), [("My Book", "my_book"), ("../etc", "etc"), ("2023", "book_2023")])
def test_a_name_that_is_no_book_name_is_refused_with_one_that_is(
    sigma: RunSigma, tmp_path: Path, name: str, suggested: str
) -> None:
    done = sigma("book", "import", book_file(tmp_path, *GOOD), "--book", name)
    assert done.returncode == 2
    assert f"try '{suggested}'" in done.stderr


def test_an_absent_file_is_named(sigma: RunSigma) -> None:
    done = sigma("book", "import", "nowhere.csv", "--book", "mine")
    assert (done.returncode, done.stderr) == (2, "sigma: there is no file nowhere.csv; check the name and the folder\n")


def test_a_column_name_cannot_steer_the_terminal(sigma: RunSigma, tmp_path: Path) -> None:
    file = book_file(
        tmp_path, "JNJ,10,150,2022-01-03,x,y", header="ticker,quantity,entry_price,entry_date,\x1b[2J,Näme"
    )
    done = sigma("book", "import", file, "--book", "mine")
    assert "columns kept out: '\\x1b[2J', Näme\n" in done.stdout


def test_names_without_prices_are_told_at_once(sigma: RunSigma, tmp_path: Path) -> None:
    done = sigma(
        "book", "import", book_file(tmp_path, "ZZZZ,10,5,2022-01-03,,", "KO,1,60,2022-01-03,,"), "--book", "mine"
    )
    assert done.returncode == 0
    assert "the source has no prices of ZZZZ" in done.stdout

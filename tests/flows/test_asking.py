"""What a book is worth and can lose, as a program reads it and as a person does."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sigmalib.desk.world import PROJECT
from tests.commands import RunSigma, strict_json
from tests.worlds import book_file

MEASURES = {
    "market_value": (),
    "exposure": ("long", "short", "gross", "net"),
    "delta_adjusted": ("long", "short", "gross", "net"),
    "pnl": ("day", "total"),
    "var": ("95", "99"),
    "es": ("95", "99"),
    "volatility": (),
    "beta": (),
    "max_drawdown": (),
}
ASKING = (("risk",), ("book", "show"), ("snapshot",), ("report", "run", "daily_risk", "--book"))


@pytest.mark.parametrize("book", ["balanced", "high_net_worth", "long_short"])
def test_risk_as_json_has_every_measure_and_its_convention(sigma: RunSigma, book: str) -> None:
    sigma("book", "import", PROJECT / "notebooks" / "books" / f"{book}.csv", "--book", book)
    done = sigma("risk", book, "--as-of", "2022-12-28", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = strict_json(done.stdout)
    assert (told["book"], told["as_of"], told["missing"]) == (book, "2022-12-28", [])
    for name, parts in MEASURES.items():
        numbers = [told[name][part] for part in parts] or [told[name]]
        assert all(isinstance(number, float) and math.isfinite(number) for number in numbers), name
        assert told["conventions"][name]


def test_risk_numbers_hang_together(balanced: RunSigma) -> None:
    told = strict_json(balanced("risk", "balanced", "--json").stdout)
    exposure = told["exposure"]
    assert exposure["short"] <= 0 <= exposure["long"]
    assert exposure["gross"] == pytest.approx(exposure["long"] - exposure["short"])
    assert exposure["net"] == pytest.approx(exposure["long"] + exposure["short"])
    assert 0 < told["var"]["95"] <= told["es"]["95"] <= told["es"]["99"]
    assert told["nav"] == pytest.approx(told["cash"] + told["market_value"])


def test_risk_for_people_shows_the_same_numbers_in_words(balanced: RunSigma) -> None:
    told = strict_json(balanced("risk", "balanced", "--json").stdout)
    shown = balanced("risk", "balanced").stdout
    assert shown.startswith("balanced as of 2022-12-28, USD")
    assert f"{told['market_value']:,.0f}" in shown
    assert f"{told['var']['95']:,.0f}" in shown


def test_show_lists_each_position_once_as_table_and_as_json(balanced: RunSigma) -> None:
    told = strict_json(balanced("book", "show", "balanced", "--json").stdout)
    shown = balanced("book", "show", "balanced").stdout
    assert len(told["positions"]) == 17
    assert [row["symbol"] for row in told["positions"] if shown.count(f"\n{row['symbol']} ") != 1] == []


def test_what_is_missing_or_left_out_is_said_to_people_too(sigma: RunSigma, tmp_path: Path) -> None:
    rows = ("KO,10,60,2022-01-03,,", "ZZZZ,10,60,2022-01-03,,", "AAPL220617C00150000,5,3,2022-01-03,,")
    sigma("book", "import", book_file(tmp_path, *rows), "--book", "mine")
    for command in (("risk",), ("book", "show")):
        shown = sigma(*command, "mine").stdout
        assert "missing: ZZZZ: the sample data has no ZZZZ" in shown
        assert "left out: AAPL220617C00150000: expired on 2022-06-17" in shown


def test_a_tag_is_text_and_never_markup(sigma: RunSigma, tmp_path: Path) -> None:
    file = book_file(tmp_path, 'AAPL,10,150,2022-01-03,"[/x],[red]r[/red],:fire:",')
    sigma("book", "import", file, "--book", "mine")
    shown = sigma("book", "show", "mine").stdout
    assert [tag for tag in ("[/x]", "[red]r[/red]", ":fire:") if tag not in shown] == []


def test_list_shows_books_and_where_they_came_from(balanced: RunSigma) -> None:
    shown = balanced("book", "list").stdout.splitlines()
    assert len(shown) == 2
    assert shown[1].split()[:5] == ["balanced", "USD", "17", "1", "balanced.csv"]
    (told,) = strict_json(balanced("book", "list", "--json").stdout)
    assert (told["name"], told["positions"], told["snapshots"], told["last_snapshot"]) == ("balanced", 17, 0, None)


def test_list_of_no_books_says_how_to_get_one(sigma: RunSigma) -> None:
    assert "sigma book import FILE --book NAME" in sigma("book", "list").stdout


@pytest.mark.parametrize("command", ASKING)
def test_an_unknown_book_is_refused_with_the_nearest_name(balanced: RunSigma, command: tuple[str, ...]) -> None:
    done = balanced(*command, "balancd")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no book 'balancd'; did you mean 'balanced'?" in done.stderr

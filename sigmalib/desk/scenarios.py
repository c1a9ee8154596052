"""One's own scenarios: a TOML file read, and a book put through what it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sigmalib.core.errors import InputError
from sigmalib.desk.book import Book
from sigmalib.risk.scenario.scenarios import Scenario, parse_scenarios
from sigmalib.risk.stress import StressTable, cases_of

LARGEST = 1_000_000  # bytes


def read_scenarios(path: Path | str) -> tuple[Scenario, ...]:
    """The scenarios of a TOML file, in its order; see ``risk.stress.parse_scenarios`` for what may stand in it.

    Raises InputError, with the line, for a file that cannot be read, is no TOML, or says what cannot be meant.
    """
    path = Path(path)
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise InputError(f"{path} is not a file of scenarios; name a TOML file of at most 1 MB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); name another file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    found = parse_scenarios(text, source=path.name)
    if not found:
        raise InputError(f"{path.name} has no scenario; begin each with a line [[scenario]] and give it a `name`")
    return found


def stress_book(book: Book, scenarios: Scenario | str | Iterable[Scenario]) -> StressTable:
    """What ``book`` gains or loses in each scenario, with the series and the years of the past that these name.

    scenarios : values, one value, or TOML text, as ``risk.stress.stress`` takes them. Raises InputError for others.
    """
    return replace(book.report, cases=tuple(cases_of(scenarios))).stress


def under_scenarios(book: Book, path: Path | str) -> Book:
    """``book`` with the scenarios of a file in its report, in the place of the standard ones."""
    return replace(book, report=replace(book.report, cases=read_scenarios(path)))

"""Exports say the same when read again, and give a spreadsheet nothing to calculate."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmalib.core.errors import InputError
from sigmalib.core.records import json_text
from sigmalib.data.exports import csv_text, read_json
from sigmalib.data.files import read_table, write_text

LEADS = ("=", "+", "-", "@", "\t", "\r")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def one(value: object) -> str:
    """The cell that ``value`` becomes, as the csv module reads it."""
    frame = pd.DataFrame({"a": pd.Series([value], dtype=object), "b": ["x"]})
    return list(csv.reader(StringIO(csv_text(frame), newline="")))[1][0]


def reread(text: str) -> pd.DataFrame:
    with TemporaryDirectory() as folder:
        return read_table(write_text(Path(folder) / "export.csv", text))


@pytest.mark.parametrize("lead", LEADS)
def test_text_that_a_spreadsheet_would_calculate_gets_an_apostrophe(lead: str) -> None:
    assert one(f"{lead}cmd|' /C calc'!A0") == f"'{lead}cmd|' /C calc'!A0"
    assert csv_text(pd.DataFrame(columns=[f"{lead}SUM(A1)"])).lstrip('"').startswith(f"'{lead}")
    assert one((f"{lead}x", "core")) == f"'{lead}x,core"


@pytest.mark.parametrize("text", ["-5", "+1.5e-3", "-.5", "-5.", "AAPL", "a-b", "", "'quoted"])
def test_numbers_in_text_and_harmless_text_stay_as_they_are(text: str) -> None:
    assert one(text) == text


@pytest.mark.parametrize("text", ["-5+2", "-1e", "+", "--5", "-٥", "=1", "-5\n", "-inf"])
def test_what_only_begins_like_a_number_is_guarded(text: str) -> None:
    assert one(text) == f"'{text}"


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT, float("nan")])
def test_unknown_values_are_blank(value: object) -> None:
    assert one(value) == ""


def test_kinds_of_values_are_written_plainly() -> None:
    assert one(-1.5) == "-1.5"
    assert one(np.float64(0.1)) == "0.1"
    assert one(np.int64(-3)) == "-3"
    assert one(True) == "True"
    assert one(date(2022, 12, 28)) == one(pd.Timestamp("2022-12-28")) == "2022-12-28"
    assert one(datetime(2022, 12, 28, 21, tzinfo=UTC)) == "2022-12-28T21:00:00+00:00"
    assert one(("core", "income")) == "core,income"


def test_a_table_is_written_without_index_and_with_line_feeds() -> None:
    frame = pd.DataFrame({"symbol": ["AAPL"], "session": pd.to_datetime(["2022-12-28"]), "close": [125.674]}, index=[7])
    assert csv_text(frame) == "symbol,session,close\nAAPL,2022-12-28,125.674\n"


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_a_float_reads_back_as_the_same_float(values: list[float]) -> None:
    assert [float(cell) for cell in reread(csv_text(pd.DataFrame({"value": values})))["value"]] == values


@given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
def test_text_reads_back_as_it_was_apart_from_guards_and_blank_rows(rows: list[tuple[str, str]]) -> None:
    written = [row for row in rows if any(cell.strip() for cell in row)]
    table = reread(csv_text(pd.DataFrame(rows, columns=["left", "right;tab"], dtype="str")))
    assert list(table.itertuples(index=False, name=None)) == [tuple(map(_guarded, row)) for row in written]
    assert list(table.columns) == ["left", "right;tab"]


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(LEADS) and not _number(text) else text


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and text.strip() == text and "_" not in text and text[-1:] not in "fny"


def test_json_is_strict_and_keeps_the_order_of_keys() -> None:
    found = json_text(
        {
            "z": float("nan"),
            "a": [np.inf, 1.5, np.float64(-np.inf)],
            0.95: np.float64(0.1),
            "as_of": date(2022, 12, 28),
            "session": pd.Timestamp("2022-12-28"),
            "stamp": np.datetime64("2022-12-28T21:00:00", "ns"),
            "at": datetime(2022, 12, 28, 21, tzinfo=UTC),
            "tags": ("é", None, pd.NA, pd.NaT),
            "count": np.int64(3),
            "done": np.bool_(True),
            "array": np.array([1.0, np.nan]),
            "inner": {date(2022, 12, 28): 1},
        }
    )
    assert found.endswith("}\n")
    assert list(json.loads(found).items()) == [
        ("z", None),
        ("a", [None, 1.5, None]),
        ("0.95", 0.1),
        ("as_of", "2022-12-28"),
        ("session", "2022-12-28"),
        ("stamp", "2022-12-28T21:00:00"),
        ("at", "2022-12-28T21:00:00+00:00"),
        ("tags", ["é", None, None, None]),
        ("count", 3),
        ("done", True),
        ("array", [1.0, None]),
        ("inner", {"2022-12-28": 1}),
    ]


def test_json_refuses_what_it_has_no_word_for() -> None:
    with pytest.raises(TypeError, match="object"):
        json_text({"thing": object()})


def test_json_reads_back_and_a_broken_file_is_named(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.json", json_text({"a": 1.25}))
    assert read_json(path) == {"a": 1.25}
    write_text(path, "{")
    with pytest.raises(InputError, match=r"a\.json is not JSON"):
        read_json(path)

"""Files are read as they were written, and written whole, inside the workspace, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sigmalib.core.errors import InputError, WorkspaceError
from sigmalib.data.files import Workspace, read_table, write_bytes, write_text

Write = Callable[[str | bytes], Path]

HEADER = "ticker,quantity,tags\n"


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "book.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home").create()


def test_cells_are_text_exactly_as_written(written: Write) -> None:
    table = read_table(written(HEADER + 'AAPL," 1,200 ","core, income"\nNA,007,\n'))
    assert table.index.name == "line"
    assert all(dtype == "str" for dtype in table.dtypes)
    assert table.to_dict("index") == {
        2: {"ticker": "AAPL", "quantity": " 1,200 ", "tags": "core, income"},
        3: {"ticker": "NA", "quantity": "007", "tags": ""},
    }


def test_byte_order_mark_carriage_returns_and_blank_lines_are_accepted(written: Write) -> None:
    table = read_table(written(b"\xef\xbb\xbf\r\nticker,quantity\r\n\r\nAAPL,1\r\n,\r\n  \r\nXOM,2\r\n\r\n\r\n"))
    assert list(table.columns) == ["ticker", "quantity"]
    assert table["ticker"].to_dict() == {4: "AAPL", 7: "XOM"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_through_cells_of_several_lines(written: Write, end: str) -> None:
    content = end.join(["ticker,quantity,tags", 'AAPL,1,"one', 'two"', "", "XOM,2,", "CVX,3,"])
    table = read_table(written(content))
    assert list(table.index) == [2, 5, 6]
    assert table.loc[2, "tags"] == f"one{end}two"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_header_tells_the_separator(written: Write, mark: str) -> None:
    content = f'"ticker, or symbol"{mark}quantity{mark}price\nAAPL{mark}1{mark}"1{mark}2"\n'
    table = read_table(written(content))
    assert list(table.columns) == ["ticker, or symbol", "quantity", "price"]
    assert table.loc[2, "price"] == f"1{mark}2"


def test_short_rows_are_filled_with_blanks(written: Write) -> None:
    assert read_table(written(HEADER + "AAPL,1\n")).loc[2].tolist() == ["AAPL", "1", ""]


def test_cells_beyond_the_header_are_kept_in_a_column_of_their_own(written: Write) -> None:
    table = read_table(written(HEADER + "AAPL,1,a,b,c,,\nXOM,1,a,,\n"))
    assert table["(extra)"].to_dict() == {2: "b,c", 3: ""}


def test_blank_names_at_the_end_of_the_header_are_no_columns(written: Write) -> None:
    table = read_table(written("ticker,quantity,,\nAAPL,1,,\nXOM,1,200,\n"))
    assert list(table.columns) == ["ticker", "quantity", "(extra)"]
    assert table["(extra)"].to_dict() == {2: "", 3: "200"}


def test_a_header_alone_is_an_empty_table(written: Write) -> None:
    table = read_table(written(HEADER))
    assert table.shape == (0, 3)
    assert table.index.name == "line"


@pytest.mark.parametrize("content", ["", "\n\n \n", "\ufeff", ",,\n"])
def test_an_empty_file_is_refused(written: Write, content: str) -> None:
    with pytest.raises(InputError, match="is empty; its first line must name the columns"):
        read_table(written(content))


def test_another_encoding_is_refused_with_the_byte_and_the_line(written: Write) -> None:
    with pytest.raises(InputError, match=r"byte 27 \(line 2\) is 0xE9; .*save as UTF-8"):
        read_table(written((HEADER + "AAPL,é\n").encode("latin-1")))
    with pytest.raises(InputError, match="save as UTF-8"):
        read_table(written(HEADER.encode("utf-16")))


def test_the_byte_is_counted_with_the_byte_order_mark(written: Write) -> None:
    with pytest.raises(InputError, match=r"byte 5 \(line 1\) is 0xFF"):
        read_table(written(b"\xef\xbb\xbfa\xff"))


def test_an_open_quote_is_refused_with_its_line(written: Write) -> None:
    with pytest.raises(InputError, match=r"the row that begins on line 3: .*close the quotes"):
        read_table(written(HEADER + 'AAPL,1,a\nXOM,1,"open\nCVX,1,b\n'))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*none\.csv"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is not a file"):
        read_table(tmp_path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(File name too long\)"):
        read_table(tmp_path / ("x" * 300))


def test_a_file_beyond_ten_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(InputError, match=r"has 10,000,001 bytes and the limit is 10,000,000 \(10 MB\)"):
        read_table(path)


def test_ten_thousand_rows_are_read_and_one_more_is_refused(written: Write) -> None:
    row = "AAPL,1,core\n"
    assert len(read_table(written(HEADER + row * 10_000 + "\n"))) == 10_000
    with pytest.raises(InputError, match="has 10,002 rows and the limit is 10,000"):
        read_table(written(HEADER + row * 10_002))


def test_a_workspace_has_its_folders_and_making_it_again_changes_nothing(workspace: Workspace) -> None:
    workspace.write_text("reports/kept.txt", "kept")
    workspace.create()
    assert sorted(path.name for path in workspace.root.iterdir()) == ["bars", "exports", "logs", "reports"]
    assert workspace.path("reports", "kept.txt").read_text() == "kept"


@pytest.mark.parametrize(
    "parts", [("..",), ("reports", "..", "..", "x"), ("reports/../bars",), ("/etc/passwd",), ("a\0b",)]
)
def test_a_path_outside_or_through_a_parent_is_refused(workspace: Workspace, parts: tuple[str, ...]) -> None:
    with pytest.raises(WorkspaceError, match="outside the workspace"):
        workspace.path(*parts)
    with pytest.raises(WorkspaceError):
        workspace.write_text(Path(*parts), "x")


def test_a_symbolic_link_is_refused_wherever_it_points(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.root / "out").symlink_to(tmp_path)
    (workspace.root / "reports" / "dangling.txt").symlink_to(tmp_path / "none")
    (workspace.root / "inside").symlink_to(workspace.root / "bars")
    for parts in (("out",), ("out", "x.txt"), ("reports", "dangling.txt"), ("inside", "x.txt")):
        with pytest.raises(WorkspaceError, match="symbolic link"):
            workspace.write_bytes(Path(*parts), b"x")
    assert not (tmp_path / "x.txt").exists()


def test_an_absolute_path_inside_is_accepted_and_a_sibling_is_not(workspace: Workspace) -> None:
    inside = workspace.root / "exports" / "a.csv"
    assert workspace.path(inside) == inside
    with pytest.raises(WorkspaceError):
        workspace.path(f"{workspace.root}-other/a.csv")


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be made"):
        Workspace(tmp_path / "home").create()


def test_a_write_makes_its_folders_and_replaces_what_was_there(workspace: Workspace) -> None:
    workspace.write_text("reports/deep/a.txt", "one\r\n")
    written = workspace.write_text("reports/deep/a.txt", "zwei é\n")
    assert written.read_bytes() == "zwei é\n".encode()
    assert [path.name for path in written.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = write_text(tmp_path / "a.txt", "former")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(WorkspaceError, match=r"a\.txt cannot be written \(No space left on device\)"):
        write_bytes(path, b"new")
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a.txt", "half")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;;;", "\ufeffsep=;", "\nsep=;"])
def test_a_line_that_tells_excel_the_separator_is_skipped_and_counted(written: Write, first: str) -> None:
    table = read_table(written(f"{first}\r\nticker;quantity\r\nAAPL;1,5\r\n"))
    assert list(table.columns) == ["ticker", "quantity"]
    assert table["quantity"].to_dict() == {3 + first.count("\n"): "1,5"}

"""Files: reading a table of text cells as it was written, and the workspace, the one folder that is written to."""

from __future__ import annotations

import csv
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from sigmalib.core.errors import InputError, WorkspaceError

MAX_BYTES, MAX_ROWS = 10_000_000, 10_000
DELIMITERS = (",", ";", "\t")
SURPLUS = "(extra)"
FOLDERS = ("bars", "reports", "exports", "logs")

_BOM = b"\xef\xbb\xbf"
_SEPARATOR_LINE = re.compile(r'\A(\s*)"?sep=[^\r\n]"?[,;\t ]*(?=[\r\n]|\Z)', re.IGNORECASE)  # Excel's, of the file

Record = tuple[int, list[str]]


def read_table(path: Path | str) -> pd.DataFrame:
    """The cells of a CSV file exactly as written, all text, by ``line``: where in the file each row begins.

    The first line that is not blank, nor Excel's ``sep=;``, is the header; comma, semicolon or tab, whichever splits it
    into more columns, separates the cells of all lines. Rows with nothing in them are skipped but counted. A
    short row is filled with blanks; cells to the right of the header go, with their separators, into the column
    ``(extra)``, which is only there when a row has some. Raises InputError for a file that cannot be read, is empty, is
    not UTF-8, has an open quote, or is beyond 10 MB or 10,000 rows.
    """
    path = Path(path)
    text = _SEPARATOR_LINE.sub(r"\1", _decoded(_read(path), path))  # blank now, so that lines keep their numbers
    delimiter = _delimiter(text)
    records = _records(text, delimiter, path)
    _, header = next(records, (0, []))
    if not header:
        raise InputError(f"{path} is empty; its first line must name the columns")
    names = header[: _filled(header)]
    lines, rows, surplus = [], [], []
    for line, cells in _limited(records, path):
        lines.append(line)
        rows.append([*cells[: len(names)], *[""] * (len(names) - len(cells))])
        surplus.append(delimiter.join(cells[len(names) : max(_filled(cells), len(names))]))
    table = pd.DataFrame(rows, index=pd.Index(lines, dtype="int64", name="line"), columns=names, dtype="str")
    return table.assign(**{SURPLUS: pd.Series(surplus, table.index, "str")}) if any(surplus) else table


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{path} is not a file; name a CSV file")
        if size > MAX_BYTES:
            raise InputError(
                f"{path} has {size:,} bytes and the limit is {MAX_BYTES:,} (10 MB); split it into several files"
            )
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"there is no file {path}; check the name and the folder") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its name and permissions") from error


def _decoded(content: bytes, path: Path) -> str:
    body = content.removeprefix(_BOM)
    at = body.find(b"\0")  # text in UTF-16, or no text at all
    if at < 0:
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as error:
            at = error.start
    line = body.count(b"\n", 0, at) + 1
    raise InputError(
        f"{path} is not UTF-8 text: byte {at + len(content) - len(body) + 1} (line {line}) is 0x{body[at]:02X}; "
        "open it in your editor or spreadsheet and save as UTF-8"
    )


def _delimiter(text: str) -> str:
    """The separator that splits the first line into the most columns, the comma when none does."""
    first = next((line for line in StringIO(text, newline="") if line.strip()), "")
    unquoted = re.sub(r'"[^"]*"', "", first)
    return max(DELIMITERS, key=unquoted.count)


def _records(text: str, delimiter: str, path: Path) -> Iterator[Record]:
    """Each row that has something in it, with the line it begins on (a quoted cell may span several)."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for cells in reader:
            if _filled(cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f'{path}, the row that begins on line {begins}: {error}; close the quotes, and write a quote inside as ""'
        ) from error


def _limited(records: Iterator[Record], path: Path) -> Iterator[Record]:
    for count, record in enumerate(records, start=1):
        if count > MAX_ROWS:
            rows = count + sum(1 for _ in records)
            raise InputError(f"{path} has {rows:,} rows and the limit is {MAX_ROWS:,}; split it into several files")
        yield record


def _filled(cells: list[str]) -> int:
    """How many cells there are up to the last that is not blank."""
    return next((at for at in range(len(cells), 0, -1) if cells[at - 1].strip()), 0)


def write_bytes(path: Path, content: bytes) -> Path:
    """``path``, with ``content`` on the disk whole or not at all: a reader, or a kill, never meets half a file."""
    unfinished = path.with_name(f".{secrets.token_hex(8)}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be written ({error.strerror}); mend it, or set SIGMA_HOME") from error
    return path


def write_text(path: Path, content: str) -> Path:
    """``path``, with ``content`` in UTF-8, line ends as they are, whole or not at all."""
    return write_bytes(path, content.encode("utf-8"))


def read_variables(path: Path) -> dict[str, str]:
    """The ``NAME=value`` lines of a file such as ``.env``; nothing when it is not there.

    Blank lines and ``# comments`` are skipped, an ``export`` before a name and quotes around a value are taken off.
    Raises InputError with the line, never with its text, which may be a key.
    """
    if not path.is_file():
        return {}
    found = {}
    for line, text in enumerate(_decoded(_read(path), path).splitlines(), start=1):
        name, sign, value = text.strip().removeprefix("export ").partition("=")
        if not text.strip() or text.strip().startswith("#"):
            continue
        if not sign or not name.strip().isidentifier():
            raise InputError(f"{path}, line {line}: write it as NAME=value")
        value = value.strip()
        found[name.strip()] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return found


@dataclass(frozen=True)
class Workspace:
    """The one folder that Sigma writes to; nothing is written outside it, or through a symbolic link inside it."""

    root: Path

    def create(self) -> Workspace:
        """This workspace, its folders made where they were not there; raises WorkspaceError when they cannot be."""
        for folder in (self.root, *(self.path(name) for name in FOLDERS)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WorkspaceError(
                    f"the folder {folder} cannot be made ({error.strerror}); mend it, or set SIGMA_HOME to another"
                ) from error
        return self

    def path(self, *parts: str | Path) -> Path:
        """The place of ``parts`` below the root, whether or not it exists yet; absolute parts must lie inside, too.

        Raises WorkspaceError for a path outside, for ``..`` and for a symbolic link anywhere below the root.
        """
        root = self.root.absolute()
        place = root.joinpath(*parts)
        steps = place.relative_to(root).parts if place.is_relative_to(root) else ("..",)
        if ".." in steps or "\0" in str(place):
            raise WorkspaceError(f"{Path(*parts)} lies outside the workspace {root}; name a place inside it")
        for depth in range(1, len(steps) + 1):
            step = root.joinpath(*steps[:depth])
            if step.is_symlink():
                raise WorkspaceError(f"{step} is a symbolic link; Sigma does not write through links, remove it")
        return place

    def write_text(self, path: str | Path, content: str) -> Path:
        """Where ``content`` was written in UTF-8, whole or not at all; ``path`` as in ``path()``."""
        return write_text(self.path(path), content)

    def write_bytes(self, path: str | Path, content: bytes) -> Path:
        """Where ``content`` was written, whole or not at all; ``path`` as in ``path()``."""
        return write_bytes(self.path(path), content)

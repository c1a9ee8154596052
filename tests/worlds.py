"""Worlds for tests: a workspace of their own, real SQLite, and the sample prices, perhaps with holes in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_notebook

from sigmalib.data.sample import Sample
from sigmalib.data.sources import Answer, Source
from sigmalib.desk.world import PROJECT, World, open_world

HEADER = "ticker,quantity,entry_price,entry_date,tags,strategy"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
PARAMETERS = 'book: str = ""  # a kept book\nas_of: str = ""  # a session\nlevel: float = 0.95  # of the tail'


class Holed(Sample):
    """The sample source without the prices of some symbols on some sessions."""

    def __init__(self, *holes: tuple[str, str]) -> None:
        self.holes = [(pd.Timestamp(day), symbol) for symbol, day in holes]

    def bars(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """What the sample source answers, but for the holes."""
        answer = super().bars(symbols, start, end)
        return replace(answer, frame=answer.frame[~answer.frame.index.isin(self.holes)])


@cache
def empty_database() -> bytes:
    """A database with all tables and no book, made once: writing its bytes is quicker than each migration."""
    with TemporaryDirectory() as folder:
        open_world({"SIGMA_HOME": folder}, create=True).store.close()
        return Path(folder, "sigma.db").read_bytes()


def new_workspace(home: Path) -> Path:
    """``home``, now a workspace without a book."""
    if not home.is_dir():
        home.mkdir()
        (home / "sigma.db").write_bytes(empty_database())
    return home


@contextmanager
def world_in(folder: Path, *, source: Source | None = None, project: Path = PROJECT) -> Iterator[World]:
    """A world whose workspace lies in ``folder``; its database is let go of at the end."""
    home = new_workspace(folder / "sigma")
    world = open_world({"SIGMA_HOME": str(home), "SIGMA_PROJECT": str(project)}, create=True)
    try:
        yield replace(world, source=source or world.source)
    finally:
        world.store.close()


def book_file(folder: Path, *rows: str, name: str = "book.csv", header: str = HEADER) -> Path:
    """A CSV of positions, the rows as an analyst would write them."""
    path = folder / name
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def report_project(folder: Path, *cells: str, name: str = "tiny") -> Path:
    """A project with one small report: a cell of parameters, then ``cells``."""
    path = folder / "project" / "reports" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), *map(new_code_cell, cells)]
    nbformat.write(new_notebook(metadata={"kernelspec": KERNEL}, cells=made), path)
    return folder / "project"

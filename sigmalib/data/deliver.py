"""Delivering: a folder of results appears at its place whole, or not at all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, ENOTEMPTY
from glob import escape
from pathlib import Path
from secrets import token_hex

ABANDONED = 3600  # seconds after which an unfinished folder belongs to a run that was killed
ATTEMPTS = 10  # at a place that other runs fill at the same time


@contextmanager
def staged(place: Path) -> Iterator[Path]:
    """A new folder to fill; it takes the place of ``place`` when the block ends well, and is gone when it raises.

    ``place`` is a folder inside the workspace. What stood there before is removed only after the new one stands there;
    of runs at once the last to end stays. What a killed run left is put back, or swept away, first.
    """
    _recover(place)
    staging = _beside(place, "making")
    staging.mkdir(parents=True)
    try:
        yield staging
        _exchange(staging, place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def set_aside(file: Path, place: Path) -> Path:
    """Move ``file`` to ``place``, over what may stand there; returns ``place``."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return file.replace(place)


def _beside(place: Path, purpose: str) -> Path:
    return place.with_name(f".{place.name}.{purpose}-{token_hex(8)}")


def _left(place: Path, purpose: str) -> list[Path]:
    """What runs have left beside ``place``, oldest first; of folders that are just vanishing, none."""
    dated: list[tuple[float, Path]] = []
    for path in place.parent.glob(f".{escape(place.name)}.{purpose}-*"):
        with suppress(FileNotFoundError):
            dated.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(dated)]


def _recover(place: Path) -> None:
    """Put back what a run killed between its two renames had moved away, and sweep what killed runs left."""
    formers = _left(place, "former")
    _put_back(formers, place)
    with suppress(FileNotFoundError):
        for path in _left(place, "making"):
            if path.stat().st_mtime < time.time() - ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def _exchange(staging: Path, place: Path) -> None:
    """``staging``, now at ``place``; when that cannot be, what stood there stands there again."""
    formers: list[Path] = []
    try:
        for attempt in range(1, ATTEMPTS + 1):
            with suppress(FileNotFoundError):  # nothing there, or another run has just moved it away
                formers.append(place.rename(_beside(place, "former")))
            try:
                staging.rename(place)
                break
            except OSError as error:  # another run was there first
                if error.errno not in (EEXIST, ENOTEMPTY) or attempt == ATTEMPTS:
                    raise
    finally:
        _put_back(formers, place)


def _put_back(formers: list[Path], place: Path) -> None:
    """The last of ``formers`` at ``place`` if nothing stands there; the others, and all of them otherwise, are gone."""
    if formers and not place.exists():
        with suppress(OSError):  # in the way of no other error; the next run tries again
            formers[-1].rename(place)
        formers = formers[:-1]
    for former in formers:
        shutil.rmtree(former, ignore_errors=True)

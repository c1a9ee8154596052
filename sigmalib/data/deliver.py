"""Delivering: a folder of results appears at its place whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(place: Path) -> Iterator[Path]:
    """A new folder to fill; it takes the place of ``place`` when the block ends well, and is gone when it raises.

    ``place`` is a folder inside the workspace. What stood there before is removed only after the new one stands there.
    """
    staging = place.with_name(f".{place.name}.making-{os.getpid()}")
    former = place.with_name(f".{place.name}.former-{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield staging
        if place.exists():
            place.rename(former)
        try:
            staging.rename(place)
        except OSError:
            former.rename(place)
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)


def set_aside(file: Path, place: Path) -> Path:
    """Move ``file`` to ``place``, over what may stand there; returns ``place``."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return file.replace(place)

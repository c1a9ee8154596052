"""A workspace of its own for each test of the desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sigmalib.desk.world import World
from tests.worlds import world_in


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty workspace on the sample prices."""
    with world_in(tmp_path) as made:
        yield made

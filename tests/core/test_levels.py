"""Confidence levels of every kind, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.levels import boundary, checked, tail_share


@pytest.mark.parametrize("level", [0.95, np.float64(0.95), np.float32(0.95), np.array(0.95, dtype=np.float32), "0.95"])
def test_a_level_is_what_was_written_whatever_its_precision(level) -> None:
    assert checked(level) == 0.95
    assert tail_share(level) == 0.05
    assert boundary(20, tail_share(level)) == 1


@pytest.mark.parametrize(
    ("level", "told"),
    [(95, "pass 0.95"), (0.5, "must lie in"), (1.0, "must lie in"), (float("nan"), "must lie in"),
     (True, "must lie in"), (None, "one number"), ("high", "one number"), ([0.95, 0.99], "one number"),
     (np.array([0.9, 0.95]), "one number")],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_write(level, told) -> None:
    with pytest.raises(InputError, match=told):
        checked(level)


def test_the_tail_has_no_noise_and_the_edge_no_more_than_its_share() -> None:
    assert [tail_share(level) for level in (0.9, 0.975, 0.99)] == [0.1, 0.025, 0.01]
    assert boundary(100, 1 - 0.95) == 5
    assert boundary(3, 0.01) == 1
    assert 0 < tail_share(np.nextafter(1.0, 0.0)) < 1e-15

"""Confidence levels: the one check of them, the tail that each leaves, and the outcome on the edge of that tail."""

from __future__ import annotations

import math

import numpy as np

from sigmalib.core.errors import InputError

TOLERANCE = 1e-9  # n x (1 - level) is off by float noise: 100 x (1 - 0.95) is 5.000000000000004


def checked(level: float) -> float:
    """A confidence level in (0.5, 1) as a float, one of single precision by its decimals: 0.95 is 0.95.

    Raises InputError for anything else, percentages too.

    >>> checked(np.float32(0.95))
    0.95
    """
    try:
        known = written(level)
    except (TypeError, ValueError):
        raise InputError(f"`level` must be one number in (0.5, 1), was {level!r}; pass 0.95, say") from None
    if not 0.5 < known < 1:
        hint = f"; pass {known / 100:g}" if 50 < known < 100 else ""
        raise InputError(f"`level` must lie in (0.5, 1), was {known:g}{hint}")
    return known


def tail_share(level: float) -> float:
    """The tail ``1 - level`` of a confidence level in (0.5, 1), without the noise of the subtraction.

    Raises InputError for anything else, percentages too.

    >>> tail_share(0.99)
    0.01
    """
    known = checked(level)
    return round(1.0 - known, 15) or 1.0 - known


def boundary(count: float, tail: float) -> int:
    """k, the rank of the outcome on the edge of the tail, counted from the worst: ceil(n x tail), at least one.

    >>> boundary(24, 0.05)
    2
    """
    return max(1, math.ceil(count * tail - TOLERANCE))


def written(value: float) -> float:
    """A number as a float, one of less than double precision by the decimals it is shown with.

    Raises TypeError or ValueError for what is no number.

    >>> written(np.float32(-0.1)), float(np.float32(-0.1))
    (-0.1, -0.10000000149011612)
    """
    short = getattr(value, "dtype", None) in (np.dtype(np.float32), np.dtype(np.float16))
    return float(str(value)) if short else float(value)

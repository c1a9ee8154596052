"""Values of one field out of many of Polygon's records, which hold None where a field is absent or was renamed.

Every function raises AnswerUnreadable, naming the field, for what cannot be read; ``what`` was asked, for the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from sigmalib.core.errors import AnswerUnreadable


def days(values: Sequence[object], field: str, what: str) -> np.ndarray:
    """Midnights out of dates as text."""
    try:
        return np.array([date.fromisoformat(str(value)) for value in values], dtype="datetime64[us]")
    except ValueError:
        raise AnswerUnreadable(f"{what}: Polygon answers with no date in the field {field}") from None


def numbers(values: Sequence[object], field: str, what: str) -> np.ndarray:
    """Values as float64, none of them absent or no number."""
    odd = {*map(type, values)} - {int, float}
    if odd:
        held = "nothing" if type(None) in odd else odd.pop().__name__
        raise AnswerUnreadable(f"{what}: Polygon answers with {held} instead of a number in the field {field}")
    return np.array(values, dtype="float64")


def positive(values: Sequence[object], field: str, what: str) -> np.ndarray:
    """Values as float64, all above zero."""
    found = numbers(values, field, what)
    if (found <= 0).any():
        raise AnswerUnreadable(f"{what}: Polygon answers with {found.min():g} in the field {field}")
    return found


def words(values: Sequence[object], known: Mapping[str, str | None], field: str, what: str) -> list[str | None]:
    """Our word for each of Polygon's, by ``known``."""
    odd = [value for value in values if str(value) not in known]
    if odd:
        raise AnswerUnreadable(
            f"{what}: Polygon answers with {odd[0]!r} in the field {field}; it is {', '.join(known)}"
        )
    return [known[str(value)] for value in values]


def or_nan(values: Sequence[object]) -> list[object]:
    """Values with NaN for those that are absent."""
    return [np.nan if value is None else value for value in values]

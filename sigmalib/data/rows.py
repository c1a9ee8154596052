"""Rows: POSITIONS as the database keeps them, and back, to the bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import pandas as pd

from sigmalib.core.frames import POSITIONS, Column, check

_DTYPES = POSITIONS.empty().dtypes


def to_rows(positions: pd.DataFrame) -> list[dict[str, Any]]:
    """One mapping a position, in order, as plain values; an unknown one is None. Other columns stay out."""
    check(positions, POSITIONS)
    columns = [_plain(positions[column.name], column) for column in POSITIONS.columns]
    return [dict(zip(POSITIONS.names, row, strict=True)) for row in zip(*columns, strict=True)]


def to_positions(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """POSITIONS out of database rows with the contract's columns in order."""
    if not rows:
        return POSITIONS.empty()
    columns = dict(zip(POSITIONS.names, zip(*rows, strict=True), strict=True))
    columns["tags"] = tuple(map(tuple, columns["tags"]))
    return pd.DataFrame({name: pd.Series(values, dtype=_DTYPES[name]) for name, values in columns.items()})


def checksum(rows: Sequence[dict[str, Any]]) -> str:
    """32 hex digits of what the rows say, in their order."""
    content = json.dumps([list(row.values()) for row in rows], default=str, separators=(",", ":"))
    return blake2b(content.encode(), digest_size=16).hexdigest()


def known(number: float) -> float | None:
    """``number``, or None when it is NaN."""
    return None if pd.isna(number) else float(number)


def _plain(values: pd.Series, column: Column) -> list[Any]:
    typed = values.astype(_DTYPES[column.name])
    if column.kind == "list":
        return [list(item) for item in typed]
    plain = typed.dt.date if column.kind == "date" else typed
    return [value if is_known else None for value, is_known in zip(plain.tolist(), typed.notna(), strict=True)]

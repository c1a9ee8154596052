"""What is kept, and what keeping it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Kept:
    """What keeping a book did: ``changed`` is false when its latest version already said the same."""

    name: str
    version: int
    rows: int
    changed: bool


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A book at the close of ``session``; money in its base currency, NaN where unknown.

    missing : how many things could not be had. report : every number of the risk report, as its ``to_dict`` says.
    fingerprint : of the data, positions and code it was made from; the same again means the same snapshot.
    """

    session: date
    nav: float
    market_value: float
    gross_market_value: float
    pnl_day: float
    pnl_total: float
    missing: int
    report: Mapping[str, Any]
    fingerprint: str


class Counts(NamedTuple):
    """How many snapshots were new, already there, or there with another fingerprint and so replaced."""

    new: int = 0
    unchanged: int = 0
    revised: int = 0

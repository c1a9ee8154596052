"""Impact: two risk reports beside each other, before and after; the same for two books as for two dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.portfolio import groups

if TYPE_CHECKING:
    from sigmalib.risk.report import RiskReport

COLUMNS = ["before", "after", "change"]


@dataclass(frozen=True, eq=False)
class Impact:
    """What changes from one risk report to another.

    numbers : (measure) x before, after, change, in the unit and convention that the reports name; a measure is the
    path of the number in ``RiskReport.to_dict``, such as ``var.95`` or ``exposure.net``. NaN where one side does not
    have it. notes : why the two are not of the same market, when they are not.
    """

    before: RiskReport
    after: RiskReport
    numbers: pd.DataFrame
    notes: tuple[str, ...]

    def by(self, key: groups.Key, column: str = "delta_adjusted_exposure") -> pd.DataFrame:
        """One column of the groups' sums (group) x before, after, change; a group that one side lacks is 0 there."""
        sides = [side.by(key)[column] for side in (self.before, self.after)]
        names = sides[0].index.union(sides[1].index, sort=False)
        both = pd.concat([side.reindex(names, fill_value=0.0) for side in sides], axis=1, keys=COLUMNS[:2])
        return both.assign(change=both["after"] - both["before"]).rename_axis(key)

    @property
    def changed(self) -> pd.DataFrame:
        """The numbers that are not the same on both sides, unknown ones on both sides left out."""
        same = (self.numbers["before"] == self.numbers["after"]) | self.numbers[COLUMNS[:2]].isna().all(axis=1)
        return self.numbers[~same]

    def to_dict(self) -> dict[str, Any]:
        """Each number before, after and changed, as plain values, with the conventions of the report after."""
        return {
            "as_of": {"before": self.before.as_of, "after": self.after.as_of},
            "base_currency": self.after.base_currency,
            "numbers": self.numbers.to_dict("index"),
            "notes": list(self.notes),
            "conventions": dict(self.after.conventions),
        }


def compare(before: RiskReport, after: RiskReport) -> Impact:
    """Every number of two reports beside each other.

    The two are comparable by construction when they are of the same market; else ``notes`` say what differs.
    Raises InputError for reports in two currencies.
    """
    if before.base_currency != after.base_currency:
        raise InputError(
            f"cannot compare a report in {before.base_currency} with one in {after.base_currency}; "
            "open both in the same base currency"
        )
    sides = [pd.Series(dict(_numbers(report.to_dict())), dtype=float) for report in (before, after)]
    names = list(dict.fromkeys([*sides[0].index, *sides[1].index]))
    table = pd.concat([side.reindex(names) for side in sides], axis=1, keys=COLUMNS[:2]).rename_axis("measure")
    return Impact(before, after, table.assign(change=table["after"] - table["before"]), _notes(before, after))


def _numbers(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers among nested plain values, each by its path."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}{key}.")
        elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
            yield f"{path}{key}", float(value)


def _notes(before: RiskReport, after: RiskReport) -> tuple[str, ...]:
    told = {
        f"before is as of {before.as_of}, after as of {after.as_of}: the market moved between": (
            before.as_of != after.as_of
        ),
        "the two are of different market data, so a part of each change is the market's": (
            before.as_of == after.as_of and before.fingerprint != after.fingerprint
        ),
        f"shares are of {before.valuation.base_name} before and of {after.valuation.base_name} after": (
            before.valuation.base_name != after.valuation.base_name
        ),
    }
    return tuple(sentence for sentence, holds in told.items() if holds)

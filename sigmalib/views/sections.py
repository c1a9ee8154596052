"""The risk report for a terminal: sections with a heading, each the same sentences and tables that pages show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.report import RiskReport
from sigmalib.risk.stress import reverse_stress
from sigmalib.risk.tails.backtest_results import VarBacktest
from sigmalib.views import risksentences as told
from sigmalib.views import risktables as drawn
from sigmalib.views.tables import GROUP_TABLE, Column, Html, figures, table_html

Block = pd.DataFrame | str
BOOKS = (
    *(replace(column, title="Value with cash") if column.name == "market_value" else column for column in GROUP_TABLE),
    Column("es_contribution", "Part of ES 95 %", "money"),
)
TOGETHER = "Together, netted"  # the last row: the whole, in which options and hedges cancel across books
SHARE_LOST = 0.1  # of the base, in the reverse stress


@dataclass(frozen=True, eq=False)
class Past:
    """What the book's own snapshots say, where there are any.

    tests : of value at risk, by level. standing : (factor) x percentile of today's exposure in the book's history.
    """

    tests: Mapping[float, VarBacktest] = field(default_factory=dict)
    standing: pd.DataFrame | None = None


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; not ``usual``: only when it is asked for."""

    title: str
    blocks: Callable[[RiskReport, Past], Iterator[pd.DataFrame | Html | str]]
    usual: bool = True


def chosen(names: list[str], data: RiskReport, past: Past) -> list[str]:
    """The sections asked for, or by default all that this book has something for.

    Raises InputError for one unknown, and for the books of a report on one book only.
    """
    for name in names:
        if name not in SECTIONS:
            near = get_close_matches(name, SECTIONS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(SECTIONS)}"
            raise InputError(f"--only {name} is no section of the report; {hint}")
    if "books" in names and "book" not in data.holdings:
        raise InputError("--only books: this is one book only; write a+b for several as one netted book")
    empty = {"backtest": not past.tests, "volatility": not data.surfaces, "books": "book" not in data.holdings}
    usual = [name for name, section in SECTIONS.items() if section.usual and not empty.get(name, False)]
    return list(dict.fromkeys(names)) or usual


def blocks(name: str, data: RiskReport, past: Past) -> Iterator[Block]:
    """The sentences and tables of a section as text; tables with nothing in them are left out.

    A section that cannot be computed of this book, for want of history or of a value, is one sentence that says why.
    """
    try:
        for block in SECTIONS[name].blocks(data, past):
            cells = block.cells() if isinstance(block, Html) and block.cells else block
            if len(cells):
                yield cells
    except InputError as error:
        yield f"Not computable: {error}."


def _headline(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield figures(data)


def _books(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    parts = data.by("book")
    whole = parts.sum(min_count=1)
    for name, total in data.exposure.to_dict().items():
        whole[name] = total if np.isfinite(total) else np.nan
    yield table_html(pd.concat([parts, whole.to_frame(TOGETHER).T]), BOOKS, label="Book")


def _greeks(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield drawn.greeks_table(data)
    yield f"Delta-adjusted exposure netted by underlying, and in moves of {data.benchmark}:"
    yield drawn.net_table(data)


def _factors(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield drawn.factors_table(data, past.standing)
    yield told.variance_sentence(data)
    yield told.collinearity_sentence(data)
    yield drawn.absent_factors(data)


def _benchmark(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield told.tracking_sentence(data)
    yield drawn.against_table(data)


def _tail(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield drawn.methods_table(data)
    yield "Full revaluation beside the greeks, as a check:"
    yield drawn.approximations_table(data)
    yield told.diversification_sentence(data)
    yield drawn.components_table(data)


def _stress(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield told.NOTHING_MOVES if data.net.empty else drawn.stress_table(data)


def _reverse(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    if not data.valuation.base > 0:
        yield f"No reverse stress: the {data.valuation.base_name} of the book is not known or not positive."
        return
    found = reverse_stress(SHARE_LOST * data.valuation.base, data.holdings, data.marks, data.market)
    yield told.reverse_sentence(found, data)
    yield drawn.reverse_table(found, data)


def _correlation(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield told.correlation_sentence(data)
    yield drawn.clusters_table(data)


def _volatility(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    if not data.surfaces:
        yield told.volatility_sentence(data)
    for name, surface in data.surfaces.items():
        yield f"{name}:"
        yield drawn.fit_table(surface)


def _backtest(data: RiskReport, past: Past) -> Iterator[pd.DataFrame | Html | str]:
    yield drawn.tests_table(past.tests)
    for test in past.tests.values():
        yield told.backtest_sentence(test, currency=data.base_currency)


SECTIONS: Mapping[str, Section] = {
    "headline": Section("Headline", _headline),
    "books": Section("By book", _books),
    "greeks": Section("Greeks by underlying", _greeks),
    "factors": Section("Factors", _factors),
    "benchmark": Section("Against the benchmark", _benchmark),
    "tail": Section("Tail by method", _tail),
    "stress": Section("Stress", _stress),
    "reverse": Section("Reverse stress", _reverse, usual=False),
    "correlation": Section("Correlation", _correlation),
    "volatility": Section("Volatility surfaces", _volatility),
    "backtest": Section("Value at risk against what happened", _backtest),
}

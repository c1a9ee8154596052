"""Tables: which columns a reader sees, their headings and formats; drawn as HTML here and as widgets on pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
import pandas as pd

from sigmalib.core import __version__
from sigmalib.portfolio import groups, performance
from sigmalib.risk.report import RiskReport
from sigmalib.views.cards import cards_html, headline_cards
from sigmalib.views.formats import Kind, number


@dataclass(frozen=True)
class Column:
    """One column of a picture of a table: where it comes from, its heading, and the kind of its values."""

    name: str
    title: str
    kind: Kind = "text"

    @property
    def numeric(self) -> bool:
        """Whether the column is aligned right."""
        return self.kind not in ("text", "list", "date")


TableSpec = tuple[Column, ...]


class Html(str):
    """Markup that a notebook shows as such; a table has its ``cells`` as text, too, for a terminal."""

    cells: Callable[[], pd.DataFrame] | None = None

    def _repr_html_(self) -> str:
        return self


HOLDINGS_TABLE: TableSpec = (
    Column("symbol", "Position"),
    Column("kind", "Kind"),
    Column("quantity", "Quantity", "quantity"),
    Column("entry_price", "Entry", "price"),
    Column("price", "Price", "price"),
    Column("price_source", "Source"),
    Column("market_value", "Value", "money"),
    Column("weight", "Weight", "percent"),
    Column("exposure", "Exposure", "money"),
    Column("delta_adjusted_exposure", "Delta-adjusted", "money"),
    Column("pnl_day", "P&L day", "signed_money"),
    Column("pnl_total", "P&L total", "signed_money"),
    Column("sector", "Sector"),
    Column("strategy", "Strategy"),
    Column("tags", "Tags", "list"),
)
GROUP_TABLE: TableSpec = (
    Column("positions", "Positions", "quantity"),
    Column("market_value", "Value", "money"),
    Column("weight", "Weight", "percent"),
    Column("long", "Long", "money"),
    Column("short", "Short", "money"),
    Column("gross", "Gross", "money"),
    Column("net", "Net", "money"),
    Column("delta_adjusted_exposure", "Delta-adjusted", "money"),
    Column("pnl_day", "P&L day", "signed_money"),
    Column("pnl_total", "P&L total", "signed_money"),
)
LEFT_TO_PAGES = ("price_source", "sector", "strategy", "tags")  # a page can scroll, a sheet of paper cannot
BOOKS_TABLE: TableSpec = (
    Column("name", "Book"),
    Column("positions", "Positions", "quantity"),
    Column("version", "Version", "quantity"),
    Column("file", "File"),
    Column("imported_at", "Imported (UTC)", "date"),
    Column("snapshots", "Snapshots", "quantity"),
    Column("first_snapshot", "from", "date"),
    Column("last_snapshot", "to", "date"),
)
MISSING_TABLE: TableSpec = (Column("symbol", "Symbol"), Column("what", "What is missing"), Column("reason", "Why"))
LEFT_OUT_TABLE: TableSpec = (Column("symbol", "Position"), Column("reason", "Why it is left out"))
TAIL_TABLE: TableSpec = (
    Column("symbol", "Position"),
    Column("strategy", "Strategy"),
    Column("market_value", "Value", "money"),
    Column("delta_adjusted_exposure", "Delta-adjusted", "money"),
    Column("es_contribution", "Part of ES 95 %", "money"),
)
CONVENTIONS_TABLE: TableSpec = (Column("name", "Number"), Column("convention", "Convention"))
INSTANTS = ("began_at", "since", "known_at")  # columns with an instant as text
JUDGING = ("status", "state", "severity", "standing")  # columns whose words are coloured, beside being read
WORDS = {
    "ok": "gain", "done": "gain", "up to date": "gain",
    "degraded": "doubt", "partial": "doubt", "warning": "doubt", "late": "doubt",
    "disabled": "loss", "failed": "loss", "bad": "loss",
}  # fmt: skip


def formatted(data: pd.DataFrame, spec: TableSpec, *, label: str | None = None) -> pd.DataFrame:
    """``data`` as text under its headings, in the order of ``spec``; a column the table lacks is left out.

    label : heading of the index, when the index is to be the first column.
    """
    shown = [column for column in spec if column.name in data]
    columns = [[number(item, column.kind) for item in data[column.name]] for column in shown]
    titles = [column.title for column in shown]
    if label:
        columns, titles = [[str(name) for name in data.index], *columns], [label, *titles]
    return pd.DataFrame(dict(enumerate(columns)), index=data.index).set_axis(titles, axis=1)


def table_html(data: pd.DataFrame, spec: TableSpec, *, label: str | None = None) -> Html:
    """``data`` as an HTML table; numbers to the right, gains and losses coloured, every text escaped.

    label : heading of the index, when the index is to be shown as the first column.
    """
    shown = [column for column in spec if column.name in data]
    index_head = [f"<th>{escape(label)}</th>"] if label else []
    head = index_head + [f"<th{_aligned(column)}>{escape(column.title)}</th>" for column in shown]
    rows = [
        "<tr>" + (f"<td>{escape(str(name))}</td>" if label else "") + "".join(map(_cell, shown, row)) + "</tr>"
        for name, row in zip(data.index, data[[column.name for column in shown]].itertuples(index=False), strict=True)
    ]
    made = _table(head, "".join(rows))
    made.cells = partial(formatted, data, spec, label=label)
    return made


def figures(data: RiskReport) -> pd.DataFrame:
    """The headline numbers of a report as text: measure, value, and its share of NAV (or of what stands in for it)."""
    valued = data.valuation
    money = {
        "Market value": valued.market_value,
        "Cash": valued.cash,
        "Net asset value": valued.nav,
        **{f"Exposure {name}": item for name, item in data.exposure.to_dict().items()},
        **{f"Delta-adjusted {name}": item for name, item in data.delta_adjusted.to_dict().items()},
        "P&L day": valued.pnl_day,
        "P&L total": valued.pnl_total,
        **_by_level("VaR", data.tails["var"]),
        **_by_level("Expected shortfall", data.tails["es"]),
    }
    base = valued.base or np.nan
    rows = [(name, number(item, "money"), number(item / base, "percent")) for name, item in money.items()]
    rows += [
        ("Volatility a year", "", number(data.volatility, "percent")),
        (f"Beta to {data.benchmark}", number(data.beta, "ratio"), ""),
        ("Maximum drawdown, hypothetical", "", number(data.max_drawdown, "percent")),
    ]
    return pd.DataFrame(rows, columns=["Measure", data.base_currency, f"of {valued.base_name}"])


def text_table_html(data: pd.DataFrame) -> Html:
    """A table whose cells are text already: the first column to the left, the others to the right."""
    sides = ["", *[" class='number'"] * (data.shape[1] - 1)]
    head = [f"<th{side}>{escape(str(name))}</th>" for side, name in zip(sides, data.columns, strict=True)]
    rows = [
        "".join(f"<td{side}>{escape(str(item))}</td>" for side, item in zip(sides, row, strict=True))
        for row in data.itertuples(index=False)
    ]
    return _table(head, "".join(f"<tr>{row}</tr>" for row in rows))


def holdings_table(data: RiskReport) -> Html:
    """The positions with price, value, exposure and P&L, largest value first."""
    narrow = tuple(column for column in HOLDINGS_TABLE if column.name not in LEFT_TO_PAGES)
    return table_html(data.holdings.sort_values("market_value", key=abs, ascending=False), narrow)


def books_table(data: pd.DataFrame) -> Html:
    """The kept books, as the desk lists them."""
    return table_html(data, BOOKS_TABLE)


def group_table(data: RiskReport, key: groups.Key) -> Html:
    """The book's sums by kind, tag, strategy or sector."""
    return table_html(data.by(key), GROUP_TABLE, label=key.title())


def figures_table(data: RiskReport) -> Html:
    """The headline numbers, in base currency and as a share of NAV."""
    return text_table_html(figures(data))


def tail_table(data: RiskReport) -> Html:
    """Each position's part of the expected shortfall at 95 %, largest first; the parts add up to the book's."""
    largest = data.holdings.sort_values("es_contribution", ascending=False)
    return table_html(largest[largest["es_contribution"] != 0], TAIL_TABLE)


def remarks(data: RiskReport) -> Html:
    """What to know before trusting the numbers: notes, what is missing, and what was left out and why."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.notes)
    parts = [f"<ul class='sigma-notes'>{notes}</ul>" if notes else ""]
    parts += [table_html(data.missing, MISSING_TABLE)] if len(data.missing) else []
    parts += [table_html(data.left_out, LEFT_OUT_TABLE)] if len(data.left_out) else []
    return Html("".join(parts) or "<p>Nothing is missing: every position has a price and a full history.</p>")


def performance_table(data: pd.DataFrame) -> Html:
    """Return, volatility, ratios and drawdown of a book's snapshots; growth a year only from a full year on."""
    made = performance.of_history(data)
    daily = made["return"]
    cumulative = float(made["cumulative"].iloc[-1]) if len(made) else float("nan")
    growth = performance.cagr(daily) if len(daily) >= performance.PERIODS_PER_YEAR else float("nan")
    rows = [
        ("Cumulative return", number(cumulative, "signed_percent")),
        ("Growth a year (CAGR; from one year of history on)", number(growth, "signed_percent")),
        ("Volatility a year", number(performance.annualised_volatility(daily), "percent")),
        ("Sharpe ratio, risk-free rate 0", number(performance.sharpe_ratio(daily), "ratio")),
        ("Sortino ratio, minimum return 0", number(performance.sortino_ratio(daily), "ratio")),
        ("Maximum drawdown", number(performance.max_drawdown(daily), "percent")),
    ]
    skipped = int(made["bridged"].sum())
    if skipped:
        rows.append(("Sessions without a whole valuation, bridged by the next", number(skipped, "quantity")))
    return text_table_html(pd.DataFrame(rows, columns=["Measure", f"{len(daily)} sessions"]))


def worst_days(data: RiskReport, count: int = 5) -> Html:
    """The sessions whose moves would cost today's book most, with the benchmark's return beside."""
    worst = pd.DataFrame({"pnl": data.scenarios, "benchmark": data.benchmark_returns}).nsmallest(count, "pnl")
    rows = worst.assign(session=worst.index, share=worst["pnl"] / (data.valuation.base or np.nan))
    spec = (
        Column("session", "Session", "date"),
        Column("pnl", "P&L", "signed_money"),
        Column("share", f"of {data.valuation.base_name}", "signed_percent"),
        Column("benchmark", "Benchmark", "signed_percent"),
    )
    return table_html(rows, spec)


def cards(data: RiskReport) -> Html:
    """The headline numbers as cards."""
    return Html(cards_html(headline_cards(data)))


def heading(name: str, data: RiskReport) -> Html:
    """The book's name, its as-of and currency."""
    return Html(f"<p class='sigma-heading'><b>{escape(name)}</b>, close of {data.as_of}, {data.base_currency}</p>")


def made_from(name: str, data: RiskReport) -> Html:
    """How to make this again: data fingerprint, version, and the command."""
    command = f"sigma report run daily_risk --book {name} --as-of {data.as_of}"
    return Html(
        f"<p class='sigma-made'>Data {data.fingerprint}, sigmalib {__version__}. Make it again: "
        f"<code>{escape(command)}</code></p>"
    )


def conventions_table(data: RiskReport) -> Html:
    """The convention behind each number."""
    rows = pd.DataFrame(list(data.conventions.items()), columns=["name", "convention"])
    return table_html(rows, CONVENTIONS_TABLE)


def finding(data: RiskReport) -> Html:
    """The report in three sentences, with its numbers and its date."""
    valued, currency = data.valuation, data.base_currency
    if data.holdings.empty:
        return Html(f"<p class='sigma-finding'>At the close of {data.as_of} the book held nothing.</p>")
    loss, mean_loss = data.tails.iloc[0]
    worth = valued.nav if valued.base_name == "NAV" else valued.market_value
    largest = data.by("underlying")["es_contribution"].sort_values(ascending=False)
    source = (
        f" The largest part comes from {largest.index[0]} ({_share(largest.iloc[0], mean_loss)})."
        if len(largest)
        else ""
    )
    return Html(
        f"<p class='sigma-finding'>At the close of {data.as_of} the book was worth {number(worth, 'money')} "
        f"{currency}, {number(valued.pnl_day, 'signed_money')} on the day. On one day in twenty it would have lost "
        f"{number(loss, 'money')} {currency} or more ({_share(loss, valued.base)} of {valued.base_name}), and "
        f"{number(mean_loss, 'money')} on average of such days.{escape(source)}</p>"
    )


def report_html(report: RiskReport) -> str:
    """A risk report as it shows itself in a notebook: remarks, headline numbers."""
    return f"<p><b>As of {report.as_of}</b>, {report.base_currency}</p>{figures_table(report)}{remarks(report)}"


def _by_level(name: str, values: pd.Series) -> dict[str, float]:
    levels = values.index.to_numpy(dtype=float)
    return {f"{name} {level * 100:g} %, 1 day": item for level, item in zip(levels, values, strict=True)}


def _share(amount: float, of: float) -> str:
    return number(amount / of if of else float("nan"), "percent")


def _table(head: Sequence[str], body: str) -> Html:
    body = body or f"<tr><td colspan='{len(head)}'>nothing</td></tr>"
    return Html(
        f"<div class='sigma-table'><table><thead><tr>{''.join(head)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _aligned(column: Column) -> str:
    return " class='number'" if column.numeric else ""


def _cell(column: Column, value: object) -> str:
    sign = ""
    if column.kind.startswith("signed") and isinstance(value, float) and not np.isnan(value) and value != 0:
        sign = " gain" if value > 0 else " loss"
    if column.name in JUDGING:
        return f"<td class='text'><span class='{WORDS.get(str(value), '')}'>{escape(str(value))}</span></td>"
    shape = "number" if column.numeric else "date" if column.kind == "date" or column.name in INSTANTS else "text"
    return f"<td class='{shape}{sign}'>{escape(number(value, column.kind))}</td>"

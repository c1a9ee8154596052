"""Tables as widgets: sortable, filterable, grouped with sub-totals; the columns are those of ``views.tables``."""

from __future__ import annotations

from typing import Any

import pandas as pd
import panel as pn
from panel.io.model import JSCode

from sigmalib.views.formats import DIGITS, UNKNOWN, Kind
from sigmalib.views.tables import Column, TableSpec

ROW_HEIGHT, ROWS_SHOWN = 30, 20

COMPACT = """
:host .tabulator.pnx-tabulator { font-size: 13px; }
.tabulator-row .tabulator-cell { padding: 5px 8px; }
.tabulator .tabulator-tableholder .tabulator-table .tabulator-row.tabulator-calcs.tabulator-row,
.tabulator .tabulator-footer .tabulator-calcs-holder,
.tabulator .tabulator-footer .tabulator-calcs-holder .tabulator-row,
.tabulator .tabulator-footer { background: color-mix(in srgb, #8793a3 18%, transparent) !important; color: inherit;
  font-weight: 600; }
.tabulator .tabulator-row.tabulator-calcs .tabulator-cell { background: none !important; }
.tabulator-header-filter input { font-size: 12px; min-width: 0; }
"""
NUMBER = """cell => {
  const value = cell.getValue();
  if (value === null || value === undefined || Number.isNaN(value)) return "%(unknown)s";
  const text = (value * %(scale)d).toLocaleString("en-US", {minimumFractionDigits: %(least)d,
    maximumFractionDigits: %(most)d, signDisplay: "%(sign)s"}).replace("-", "−") + "%(unit)s";
  const colour = value > 0 ? "#1a9a78" : "#d1495b";
  return %(coloured)s && value !== 0 ? `<span style="color: ${colour}">${text}</span>` : text;
}"""
GROUP = """(group, count) => {  // Tabulator's own header writes the group's name as HTML
  const header = document.createDocumentFragment(), size = document.createElement("span");
  size.textContent = `(${count} ${count === 1 ? "position" : "positions"})`;
  header.append(group, size);
  return header;
}"""
TOTAL = "values => values.reduce((sum, value) => Number.isFinite(value) ? sum + value : sum, 0)"


def table(data: pd.DataFrame, spec: TableSpec, *, groupby: str | None = None) -> pn.widgets.Tabulator:
    """``data`` as an interactive table; money and weights have totals, and sub-totals when grouped by a column."""
    shown = [column for column in spec if column.name in data]
    numeric = [column for column in shown if column.numeric]
    return pn.widgets.Tabulator(
        _plain(data, shown),
        titles={column.name: column.title for column in shown},
        formatters={column.name: JSCode(_number(column.kind)) for column in numeric},
        text_align={column.name: "right" for column in numeric},
        header_filters={
            column.name: {"type": "input", "func": "like", "placeholder": "filter"}
            for column in shown
            if not column.numeric
        },
        groupby=[groupby] if groupby else [],
        configuration={
            "columns": [_total(column) for column in numeric if _adds_up(column)],
            "columnCalcs": "both",
            "groupHeader": JSCode(GROUP),
        },
        frozen_columns=[shown[0].name],
        widths={column.name: 170 for column in shown if column.kind == "list"},
        show_index=False,
        disabled=True,
        selectable=False,
        layout="fit_data_stretch",
        stylesheets=[COMPACT],
        max_height=ROW_HEIGHT * (ROWS_SHOWN + 3),
        sizing_mode="stretch_width",
    )


def _plain(data: pd.DataFrame, shown: list[Column]) -> pd.DataFrame:
    """The shown columns, lists as text and unknown text blank, so that filters and sorting work on what is seen."""
    frame = data[[column.name for column in shown]].reset_index(drop=True)
    for column in shown:
        if column.kind == "list":
            frame[column.name] = frame[column.name].map(", ".join)
        elif not column.numeric:
            frame[column.name] = frame[column.name].fillna(UNKNOWN)
    return frame


def _adds_up(column: Column) -> bool:
    return column.kind in ("money", "signed_money") or column.name == "weight"


def _total(column: Column) -> dict[str, Any]:
    return {
        "field": column.name,
        "bottomCalc": JSCode(TOTAL),
        "bottomCalcFormatter": JSCode(_number(column.kind)),
    }


def _number(kind: Kind) -> str:
    percent, signed = kind.endswith("percent"), kind.startswith("signed")
    digits = DIGITS[kind]
    return NUMBER % {
        "unknown": UNKNOWN,
        "scale": 100 if percent else 1,
        "least": 0 if kind == "quantity" else digits,
        "most": digits,
        "sign": "exceptZero" if signed else "auto",
        "unit": " %" if percent else "",
        "coloured": "true" if signed else "false",
    }

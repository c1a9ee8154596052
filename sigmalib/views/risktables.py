"""Tables of risk: factors, tail, stress, greeks, clusters, and the fit of a volatility surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from sigmalib.portfolio import groups
from sigmalib.risk.bets import SHORT_INTEREST
from sigmalib.risk.greeks import GREEKS
from sigmalib.risk.report import RiskReport
from sigmalib.risk.stress import ReverseStress
from sigmalib.risk.tails.backtest_results import VarBacktest
from sigmalib.risk.volatility.surface import VolatilitySurface
from sigmalib.views.formats import UNKNOWN, Kind
from sigmalib.views.riskcharts import METHOD_TITLES, by_expiry, titled
from sigmalib.views.tables import Column, Html, TableSpec, table_html

By = groups.Key | Literal["expiry"]
LARGEST = 15  # rows of a table of parts
UNTOLD = "no short interest is known for two of the names or more"
APPROXIMATIONS = {"full revaluation": "Full revaluation", "delta": "Delta only", "delta_gamma": "Delta and gamma"}
CONVENTION_KINDS: dict[str, Kind] = {"volatility": "percent", "max_drawdown": "percent", "beta": "ratio"}

METHODS_TABLE: TableSpec = (
    Column("method", "Method"),
    Column("level", "Level"),
    Column("var", "VaR", "money"),
    Column("var_low", "from", "money"),
    Column("var_high", "to", "money"),
    Column("of_base", "of base", "percent"),
    Column("es", "ES", "money"),
    Column("es_low", "from", "money"),
    Column("es_high", "to", "money"),
    Column("standard_error", "Error of VaR", "money"),
    Column("note", "Note"),
)
STRESS_TABLE: TableSpec = (
    Column("scenario", "Scenario"),
    Column("pnl", "P&L", "signed_money"),
    Column("share", "of base", "signed_percent"),
    Column("left_out", "Left out", "quantity"),
    Column("reason", "Remark"),
)
GREEKS_TABLE: TableSpec = (
    Column("dollar_delta", "Dollar delta", "money"),
    Column("gamma_1pct", "Gamma, +1 %", "money"),
    Column("vega_point", "Vega, +1 point", "money"),
    Column("theta_day", "Theta, a day", "money"),
    Column("rho_1pct", "Rho, +1 %", "money"),
    Column("unknown", "Unknown", "quantity"),
)
NET_TABLE: TableSpec = (
    Column("long", "Long", "money"),
    Column("short", "Short", "money"),
    Column("dollar_delta", "Net", "money"),
    Column("beta", "Beta", "ratio"),
    Column("beta_weighted_delta", "Beta-weighted", "money"),
)
CLUSTERS_TABLE: TableSpec = (
    Column("name", "Cluster"),
    Column("members", "Names", "list"),
    Column("average_correlation", "Average correlation", "ratio"),
    Column("exposure", "Gross exposure", "money"),
    Column("share", "of the gross", "percent"),
)
FIT_TABLE: TableSpec = (
    Column("expiry", "Expiry", "date"),
    Column("forward", "Forward", "price"),
    Column("atm_volatility", "At the forward", "percent"),
    Column("skew", "Skew", "ratio"),
    Column("method", "Smile"),
    Column("quotes", "Quotes", "quantity"),
    Column("left_out", "Left out", "quantity"),
    Column("points", "Error near the money, points", "ratio"),
    Column("inside", "Inside bid-ask", "percent"),
    Column("calendar_ok", "Calendar"),
    Column("butterfly_ok", "Butterfly"),
)


def factors_table(data: RiskReport, standing: pd.DataFrame | None = None) -> Html:
    """Each factor's exposure, its error, its share of the variance, and its percentile in the book's own history.

    standing : ``Hindsight.factors``; without it, or with too little history, the percentile is a dash.
    """
    table = data.bets.table
    percentile = standing["percentile"] if standing is not None else pd.Series(dtype=float)
    rows = table.assign(
        factor=[titled(name) for name in table.index], percentile=percentile.reindex(table.index).astype(float)
    )
    spec = (
        Column("factor", "Factor"),
        Column("proxy", "Measured by"),
        Column("exposure", f"Exposure, {data.base_currency}", "money"),
        Column("of_base", f"of {data.valuation.base_name}", "percent"),
        Column("standard_error", "Standard error", "money"),
        Column("variance_share", "of the variance", "percent"),
        Column("percentile", "Percentile of own history", "percent"),
    )
    return table_html(_steady(rows[rows["exposure"].notna()]), spec)


def absent_factors(data: RiskReport) -> Html:
    """The factors that are not measured, each with the reason; blank without any."""
    told = data.bets.proxies.missing
    known = ~np.isnan(data.bets.short_interest_exposure)
    rows = told[(told["symbol"] != SHORT_INTEREST) | (not known)]
    if rows.empty:
        return Html("")
    short = rows["symbol"] == SHORT_INTEREST
    rows = rows.assign(reason=rows["reason"].mask(short, UNTOLD), symbol=rows["symbol"].map(titled))
    return table_html(rows, (Column("symbol", "Not measured"), Column("reason", "Why")))


def against_table(data: RiskReport) -> Html:
    """Exposures of book and benchmark, the active ones, and their parts of the tracking error, which add up."""
    against = data.bets.against
    rows = against.exposures.assign(factor=[titled(name) for name in against.exposures.index])
    alone = {"factor": "The names alone", "contribution": against.idiosyncratic}
    alone["share"] = against.split.idiosyncratic_share
    total = {"factor": "Tracking error", "contribution": against.tracking_error}
    total["share"] = 1.0 if against.tracking_error > 0 else np.nan
    spec = (
        Column("factor", "Factor"),
        Column("portfolio", "Book", "percent"),
        Column("benchmark", data.benchmark, "percent"),
        Column("active", "Active", "percent"),
        Column("contribution", "Part of tracking error", "percent"),
        Column("share", "of its variance", "percent"),
    )
    return table_html(_steady(pd.concat([rows, pd.DataFrame([alone, total])], ignore_index=True)), spec)


def beta_rows(data: RiskReport) -> tuple[pd.DataFrame, TableSpec]:
    """The betas of each name held, for a wide table: its rows and its columns.

    A factor has four columns, its beta, t-statistic, ridge and shrunk beta; ``remark`` says which betas to doubt, or
    why a name has none.
    """
    betas, names = data.bets.betas, data.net.index
    rows = pd.DataFrame({"name": names, "dollar_delta": data.net["dollar_delta"].to_numpy()})
    assets = betas.assets.reindex(names)
    for column in ("r_squared", "observations"):
        rows[column] = assets[column].to_numpy(dtype=float)
    rows["remark"] = [_doubts(data, name) for name in names]
    spec = [
        Column("name", "Name"),
        Column("dollar_delta", "Dollar delta", "money"),
        Column("r_squared", "R²", "percent"),
        Column("observations", "Sessions", "quantity"),
        Column("remark", "Remark"),
    ]
    estimates = {"beta": betas.betas, "t": betas.t_statistics, "ridge": betas.ridge_betas, "shrunk": betas.shrunk_betas}
    for factor in betas.betas.columns:
        columns = {f"{factor}_{name}": table[factor].reindex(names) for name, table in estimates.items()}
        rows = rows.assign(**{column: values.to_numpy(dtype=float) for column, values in columns.items()})
        titles = (titled(factor), "t", "ridge", "shrunk")
        spec += [Column(column, title, "ratio") for column, title in zip(columns, titles, strict=True)]
    return rows, tuple(spec)


def methods_table(data: RiskReport) -> Html:
    """VaR and ES of a day by every method and level, each with the ends of its interval of 90 %, and what to know."""
    table = data.tail_methods.reset_index()
    rows = table.assign(
        method=table["method"].map(METHOD_TITLES),
        level=[_level(level) for level in table["level"]],
        of_base=table["var"] / (data.valuation.base or np.nan),
    ).sort_values("level", kind="stable")
    return table_html(rows, _of_base(METHODS_TABLE, data.valuation.base_name))


def approximations_table(data: RiskReport) -> Html:
    """VaR and ES by full revaluation beside delta only and delta-gamma, and how far these are off."""
    table = data.approximations
    full = table.loc["full revaluation"]
    rows = table.reset_index()
    exact = full.loc[rows["level"]].reset_index(drop=True)
    rough = rows["method"] != "full revaluation"
    rows = rows.assign(
        method=rows["method"].map(APPROXIMATIONS),
        level=[_level(level) for level in rows["level"]],
        var_off=(rows["var"] / exact["var"].replace(0.0, np.nan) - 1).where(rough).round(3) + 0.0,
        es_off=(rows["es"] / exact["es"].replace(0.0, np.nan) - 1).where(rough).round(3) + 0.0,
    ).sort_values("level", kind="stable")
    spec = (
        Column("method", "Options by"),
        Column("level", "Level"),
        Column("var", "VaR", "money"),
        Column("var_off", "off by", "percent"),
        Column("es", "ES", "money"),
        Column("es_off", "off by", "percent"),
    )
    return table_html(rows, spec)


def components_table(data: RiskReport) -> Html:
    """What each position adds to the ES of 95 %, the largest 15 either way, beside what it would lose alone.

    The others are one row below them, and the sum of all is the last.
    """
    parts = data.components
    rows = data.holdings.loc[parts.index, ["strategy", "market_value"]].join(parts)
    rows = rows[rows["component"].fillna(0.0) != 0].sort_values("component", key=abs, ascending=False)
    top = rows.head(LARGEST).sort_values("component", ascending=False)
    spec = (
        Column("symbol", "Position"),
        Column("strategy", "Strategy"),
        Column("market_value", "Value", "money"),
        Column("component", "Part of ES 95 %", "money"),
        Column("percent", "of the whole", "percent"),
        Column("stand_alone", "Alone", "money"),
    )
    return table_html(_with_the_rest(top, rows, "symbol", ("market_value", "component", "percent")), spec)


def tests_table(tests: Mapping[float, VarBacktest]) -> Html:
    """The backtests of value at risk by level: hits, what was expected, p-values, zone."""
    rows = [
        {
            "level": _level(level),
            "sessions": float(test.observations),
            "hits": float(test.kupiec.hits),
            "expected": test.kupiec.expected,
            "kupiec": test.kupiec.p_value,
            "independence": test.christoffersen.p_ind,
            "both": test.christoffersen.p_value,
            "zone": test.basel.zone or UNKNOWN,
        }
        for level, test in tests.items()
    ]
    spec = (
        Column("level", "VaR"),
        Column("sessions", "Sessions", "quantity"),
        Column("hits", "Losses beyond", "quantity"),
        Column("expected", "Expected", "ratio"),
        Column("kupiec", "Kupiec, p", "ratio"),
        Column("independence", "Independence, p", "ratio"),
        Column("both", "Christoffersen, p", "ratio"),
        Column("zone", "Basel zone"),
    )
    return table_html(pd.DataFrame(rows), spec)


def stress_table(data: RiskReport) -> Html:
    """P&L in every scenario, those that are not computable with the reason."""
    table = data.stress.table
    rows = table.assign(
        scenario=table.index.astype(str),
        left_out=table["left_out"].where(table["computable"] & (table["left_out"] > 0)).astype(float),
        reason=table["reason"].mask(~table["computable"], "not computable: " + table["reason"]),
    )
    return table_html(rows, _of_base(STRESS_TABLE, data.stress.base_name))


def grid_table(grid: pd.Series) -> Html:
    """The P&L of a grid of moves, a row a move of volatility, a column a move of spot; blank when it is unknown."""
    if grid.isna().all():
        return Html("")
    rows = grid.groupby(level=["volatility", "spot"], sort=False).first().unstack("spot")
    titles = [f"{spot:+.0%}".replace("-", "−") if spot else "0 %" for spot in rows.columns]
    labels = [f"{100 * points:+.0f} points".replace("-", "−") if points else "as is" for points in rows.index]
    spec = tuple(Column(title, title, "signed_money") for title in titles)
    return table_html(rows.set_axis(titles, axis=1).set_axis(labels), spec, label="Volatility, by move of spot")


def reverse_table(found: ReverseStress, data: RiskReport) -> Html:
    """The moves of the reverse stress, those that cost most first, with what they do to the book; blank without."""
    if not found.reached:
        return Html("")
    cost = found.by_position.groupby(data.holdings["underlying"].reindex(found.by_position.index)).sum()
    rows = pd.DataFrame({"move": found.moves, "pnl": cost.reindex(found.moves.index)}).sort_values("pnl")
    rows = rows.assign(name=rows.index.astype(object))
    spec = (
        Column("name", "Underlying"),
        Column("move", "Move", "percent"),
        Column("pnl", "P&L", "signed_money"),
    )
    return table_html(_with_the_rest(rows.head(LARGEST), rows, "name", ("pnl",)), spec)


def greeks_table(data: RiskReport, key: By = "underlying") -> Html:
    """The greeks in money by underlying, strategy, tag or ``expiry``, and of the whole book."""
    rows = by_expiry(data) if key == "expiry" else data.greeks_by(key)
    rows = rows[rows[GREEKS].ne(0.0).any(axis=1)]
    whole = (by_expiry(data).sum(min_count=1) if key == "expiry" else data.book_greeks).rename("Total")
    if "unknown" in rows:
        rows = rows.assign(unknown=rows["unknown"].where(rows["unknown"] > 0).astype(float)).dropna(axis=1, how="all")
    return table_html(pd.concat([rows, whole.to_frame().T]), GREEKS_TABLE, label=str(key).title())


def net_table(data: RiskReport) -> Html:
    """Delta-adjusted exposure netted by underlying, and the same in moves of the benchmark, with the sums."""
    sums = data.net.drop(columns="beta").sum(min_count=1).rename("Total")
    return table_html(_steady(pd.concat([data.net, sums.to_frame().T])), NET_TABLE, label="Underlying")


def clusters_table(data: RiskReport) -> Html:
    """The clusters of names, the largest exposure first."""
    return table_html(data.correlations.clusters, CLUSTERS_TABLE)


def fit_table(surface: VolatilitySurface) -> Html:
    """How each expiry's smile was fitted to its quotes."""
    fit = surface.fit
    rows = fit.assign(
        calendar_ok=_said(fit["calendar_ok"]),
        butterfly_ok=_said(fit["butterfly_ok"]),
        points=100 * fit["near_rms"],
    )
    return table_html(rows, FIT_TABLE)


def comparison_table(data: RiskReport, name: str) -> Html:
    """One number of the report under the conventions of peers, and why they differ."""
    spec = (
        Column("convention", "Convention"),
        Column("who", "Who"),
        Column("value", "Value", CONVENTION_KINDS.get(name, "money")),
        Column("difference", "against ours", "percent"),
        Column("why", "Why"),
    )
    return table_html(_steady(data.compare_conventions(name)), spec)


def _with_the_rest(top: pd.DataFrame, rows: pd.DataFrame, name: str, summed: Sequence[str]) -> pd.DataFrame:
    """``top``, a row for all other ``rows`` where there are some, and one for the total, with sums of ``summed``."""
    if rows.empty:
        return top
    rest = rows.loc[rows.index.difference(top.index)]
    sums = [{name: f"{len(rest)} others" if len(rest) > 1 else "1 other"} | _sums(rest, summed)] if len(rest) else []
    return pd.concat([top, pd.DataFrame([*sums, {name: "Total"} | _sums(rows, summed)])], ignore_index=True)


def _sums(rows: pd.DataFrame, summed: Sequence[str]) -> dict[str, float]:
    return {str(column): float(total) for column, total in rows[list(summed)].sum(min_count=1).items()}


def _doubts(data: RiskReport, name: str) -> str:
    betas = data.bets.betas
    if name not in betas.betas.index:
        return "no returns"
    extreme = betas.extreme[betas.extreme["asset"] == name]
    told = [f"{titled(str(row.factor))}: {row.reason}" for row in extreme.itertuples()]
    return "; ".join([*told, *([str(betas.reasons[name])] if name in betas.reasons.index else [])])


def _level(level: float) -> str:
    return f"{level * 100:g}\u00a0%"


def _of_base(spec: TableSpec, base_name: str) -> TableSpec:
    """``spec`` with the base of its shares named."""
    return tuple(
        Column(column.name, column.title.replace("of base", f"of {base_name}"), column.kind) for column in spec
    )


def _steady(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers without the dust of rounding, which would be shown as minus zero."""
    numeric = rows.select_dtypes("number")
    return rows.assign(**(numeric.round(9) + 0.0)) if len(numeric.columns) else rows


def _said(flags: pd.Series) -> list[str]:
    return [UNKNOWN if pd.isna(flag) else "no arbitrage" if flag else "arbitrage" for flag in flags]

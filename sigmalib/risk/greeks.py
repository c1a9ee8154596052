"""Greeks of a book, in named money units only: what a small move of the market does to it, in base currency.

With q signed contracts, M multiplier, S the underlying's price, fx to base, and the raw greeks of one contract per unit
of its underlying (per 1.0, per year): dollar_delta = q M delta S fx; gamma_1pct = q M gamma S^2 0.01 fx, the change of
dollar delta's shares at today's spot for a move of +1 %; vega_point = q M vega / 100 fx, P&L of +1 volatility point;
theta_day = q M theta / 365 fx, P&L of a calendar day; rho_1pct = q M rho / 100 fx, P&L of +1 % in rates. A stock has a
delta only, cash has none of them. The P&L of a move x is about dollar_delta x + 50 gamma_1pct x^2.
Source of the units: Hull, *Options, Futures, and Other Derivatives*, chapter on the Greek letters.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sigmalib.portfolio import groups
from sigmalib.portfolio.valuation import known_sum

UNITS = {
    "dollar_delta": "base currency",
    "gamma_1pct": "base currency of dollar delta for a move of +1 %",
    "vega_point": "base currency for +1 volatility point",
    "theta_day": "base currency a calendar day",
    "rho_1pct": "base currency for +1 % in rates",
}
GREEKS = list(UNITS)


def greeks(holdings: pd.DataFrame, marks: pd.DataFrame) -> pd.DataFrame:
    """GREEKS of each holding, base currency (holding x dollar_delta, gamma_1pct, vega_point, theta_day, rho_1pct).

    holdings : HOLDINGS with ``spot`` and ``fx``. marks : by option symbol, raw ``delta``, ``gamma``, ``vega``,
    ``theta`` and ``rho``. NaN where an option's model value, or the spot or exchange rate of a holding, is unknown.
    """
    option, cash = holdings["right"].notna(), holdings["kind"] == "CASH"
    units = holdings["quantity"] * holdings["multiplier"] * holdings["fx"]
    spot = holdings["spot"]

    def raw(name: str, of_stock: float) -> pd.Series:
        found = holdings["symbol"].map(marks[name]).astype(float) if name in marks else np.nan
        return pd.Series(of_stock, index=holdings.index).where(~option, found)

    table = pd.DataFrame(
        {
            "dollar_delta": units * raw("delta", 1.0) * spot,
            "gamma_1pct": units * raw("gamma", 0.0) * spot**2 * 0.01,
            "vega_point": units * raw("vega", 0.0) / 100.0,
            "theta_day": units * raw("theta", 0.0) / 365.0,
            "rho_1pct": units * raw("rho", 0.0) / 100.0,
        }
    )
    return table.where(~cash, 0.0)


def total(table: pd.DataFrame) -> pd.Series:
    """The book's greeks: sums of what is known; NaN when no holding that may have one has a known one."""
    return pd.Series({name: known_sum(table.loc[table[name] != 0, name]) for name in GREEKS}, dtype=float)


def by(table: pd.DataFrame, holdings: pd.DataFrame, key: groups.Key) -> pd.DataFrame:
    """Greeks summed by underlying, tag, strategy, sector or kind; ``unknown`` counts holdings with an unknown one.

    Returns (group) x GREEKS and unknown, largest absolute dollar delta first. Tags overlap and need not add up.
    """
    labels = groups.members(holdings, key)
    rows = table.loc[labels.index].reset_index(drop=True)
    grouped = rows.groupby(labels.to_numpy())
    nothing_known = rows.isna().groupby(labels.to_numpy()).sum().eq((rows != 0).groupby(labels.to_numpy()).sum())
    sums = grouped.sum().mask(nothing_known & grouped.count().lt(grouped.size(), axis=0)).rename_axis(key)
    sums["unknown"] = rows.isna().any(axis=1).groupby(labels.to_numpy()).sum()
    return sums.sort_values("dollar_delta", key=abs, ascending=False, kind="stable")


def netted(table: pd.DataFrame, holdings: pd.DataFrame, betas: pd.Series) -> pd.DataFrame:
    """Delta-adjusted exposure netted by underlying, and the same in moves of the benchmark.

    betas : by underlying, to the benchmark. Returns (underlying) x long, short, dollar_delta (their sum), beta and
    beta_weighted_delta = dollar_delta x beta, the dollars of benchmark that move alike; NaN without a beta.
    """
    invested = holdings["kind"] != "CASH"
    delta, names = table.loc[invested, "dollar_delta"], holdings.loc[invested, "underlying"]
    parts = pd.DataFrame({"long": delta.clip(lower=0), "short": delta.clip(upper=0), "dollar_delta": delta})
    rows = parts.groupby(names).sum(min_count=1).rename_axis("underlying")
    rows["beta"] = betas.reindex(rows.index)
    rows["beta_weighted_delta"] = rows["dollar_delta"] * rows["beta"]
    return rows.sort_values("dollar_delta", key=abs, ascending=False, kind="stable")


def gross_by_underlying(net: pd.DataFrame) -> float:
    """Sum of the absolute net delta of each underlying, base currency: options and their hedges cancel first."""
    return known_sum(net["dollar_delta"].abs())

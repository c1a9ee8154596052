"""Groups: a book by kind, tag, strategy, sector or underlying, and a netted book by the books it is made of."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

from sigmalib.core.errors import InputError

Key = Literal["kind", "tag", "strategy", "sector", "underlying", "book"]
NONE = "(none)"

COLUMNS = [
    *("positions", "market_value", "long", "short", "gross", "net", "delta_adjusted_exposure"),
    *("pnl_day", "pnl_total", "weight", "es_contribution", "unknown"),
]


def members(holdings: pd.DataFrame, key: Key) -> pd.Series:
    """The group of each holding; one with several tags appears once for each (its index repeats).

    Raises InputError for a ``key`` there is no grouping by, and for ``book`` where the holdings are of one book only.
    """
    if key not in get_args(Key):
        raise InputError(f"`key` {key!r} is no grouping of a book; use one of {', '.join(get_args(Key))}")
    if key == "book" and "book" not in holdings:
        raise InputError("one book only; open several as one with a plus sign between two names, as in core+hedges")
    if key == "tag":
        return holdings["tags"].map(lambda tags: list(tags) or [NONE]).explode().astype("str").rename("tag")
    labels = holdings[key].astype("str")
    return labels.where(labels.notna() & (labels != ""), NONE).rename(key)


def netted(values: pd.Series, holdings: pd.DataFrame) -> pd.Series:
    """``values`` by holding as they are in one book; in several books together, netted by symbol."""
    if "book" not in holdings:
        return values
    return values.groupby(holdings.loc[values.index, "symbol"]).sum(min_count=1)


def by(holdings: pd.DataFrame, key: Key) -> pd.DataFrame:
    """Sums of the book by group, in base currency, largest gross exposure first.

    Returns (group) x positions, market_value, long, short, gross, net, delta_adjusted_exposure, pnl_day, pnl_total,
    weight, es_contribution (part of the book's expected shortfall at 95 %), unknown (holdings whose market value is
    unknown and so not in the sums). Kinds, strategies and sectors add up to the book; tags overlap and need not.
    Market value has cash in it, as a group of its own or as a part of the book that holds it.
    """
    labels = members(holdings, key)
    rows = holdings.loc[labels.index].reset_index(drop=True)
    rows = rows.assign(
        positions=1,
        long=rows["exposure"].clip(lower=0),
        short=rows["exposure"].clip(upper=0),
        gross=rows["exposure"].abs(),
        net=rows["exposure"],
        unknown=rows["market_value"].isna().astype(int),
    )
    return (
        rows.groupby(labels.to_numpy())[COLUMNS]
        .sum(min_count=1)
        .rename_axis(key)
        .sort_values("gross", ascending=False, kind="stable")
    )

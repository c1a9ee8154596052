"""Small markets for tests: a few names, a random walk from a seed, and positions in the contract's shape."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from sigmalib.core.frames import QUOTES
from sigmalib.core.market import MarketView
from sigmalib.core.times import sessions, sessions_before
from sigmalib.portfolio.positions import parse

AS_OF = date(2022, 12, 28)


def market(
    *,
    names: tuple[str, ...] = ("AAA", "BBB", "IDX"),
    as_of: date = AS_OF,
    count: int = 560,
    seed: int = 7,
    rate: float = 0.04,
    last: dict[str, float] | None = None,
    dividend_yield: float = 0.0,
    fx: pd.DataFrame | None = None,
    quotes: pd.DataFrame | None = None,
) -> MarketView:
    """A market of ``count`` sessions; ``last`` sets a name's closing price at the as-of (its path is scaled)."""
    days = sessions(sessions_before(as_of, count - 1), as_of)
    walk = np.random.default_rng(seed).normal(0.0003, 0.012, (count, len(names)))
    closes = pd.DataFrame(100 * np.exp(np.cumsum(walk, axis=0)), index=days, columns=list(names))
    for name, price in (last or {}).items():
        closes[name] *= price / closes[name].iloc[-1]
        closes.loc[days[-1], name] = price
    profiles = pd.DataFrame(
        {"name": list(names), "kind": "stock", "sector": "Energy", "currency": "USD", "dividend_yield": dividend_yield},
        index=pd.Index(list(names), name="symbol"),
    )
    return MarketView(
        as_of=as_of,
        closes=closes,
        adjusted=closes,
        rates=pd.Series(rate, index=pd.DatetimeIndex(["2000-01-03"], name="date"), name="rate"),
        fx=pd.DataFrame(index=days) if fx is None else fx.reindex(days),
        profiles=profiles,
        benchmark=names[-1],
        base_currency="USD",
        source="test",
        quotes=QUOTES.empty() if quotes is None else quotes.reindex(columns=QUOTES.names),
    )


def book(*rows: tuple[str, float, float, str], tags: str = "") -> pd.DataFrame:
    """POSITIONS out of (ticker, quantity, entry price, entry date) rows."""
    frame = pd.DataFrame(list(rows), columns=["ticker", "quantity", "entry_price", "entry_date"]).assign(tags=tags)
    positions, rejected = parse(frame, as_of=AS_OF)
    assert rejected.empty, rejected["reason"].tolist()
    return positions

"""Reports on small books, for the tests of charts, tables and pages of risk; what is made is shared by all of them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from sigmalib.core.frames import QUOTES
from sigmalib.core.market import MarketView
from sigmalib.risk.factors import factor_attribution, percentiles
from sigmalib.risk.report import LEVELS, RiskReport, assess
from sigmalib.risk.tail import VarBacktest, backtest
from tests.markets import AS_OF, book, market

STOCKS = (("AAA", 100, 90, "2022-01-03"), ("BBB", -50, 90, "2022-01-03"))
OPTIONS = (("AAA230317C00100000", 3, 5, "2022-06-01"), ("BBB230616P00090000", -2, 5, "2022-06-01"))
CASH = ("CASH", 10_000, 1, "2022-01-03")
BOOKS = {
    "normal": (CASH, *STOCKS, *OPTIONS),
    "without options": (CASH, *STOCKS),
    "without NAV": (*STOCKS, *OPTIONS),
    "only cash": (CASH,),
    "without prices": (CASH, STOCKS[0], ("ZZZ", 10, 5, "2022-01-03")),
    "nothing priced": (CASH, ("ZZZ", 10, 5, "2022-01-03")),
    "empty": (("AAA", 100, 90, "2023-01-03"),),
    "without history": (CASH, *STOCKS, *OPTIONS),
    "quoted": (CASH, STOCKS[0], OPTIONS[0]),
}


def every(what: Iterable[str], of_factors: Container[str] = ()) -> list[tuple[str, str]]:
    """Each book with each of ``what``; without a history there is nothing that is of factors."""
    return [(name, one) for name in BOOKS for one in what if name != "without history" or one not in of_factors]


@dataclass(frozen=True, eq=False)
class Past:
    """What snapshots say, as the desk hands it over."""

    tests: dict[float, VarBacktest]
    track: pd.DataFrame
    factors: pd.DataFrame
    attribution: pd.DataFrame


@cache
def report_of(name: str = "normal") -> RiskReport:
    """The report on one of BOOKS."""
    positions = book(*BOOKS["normal" if name == "empty" else name])
    if name == "empty":
        positions = positions.assign(entry_date=pd.Timestamp("2023-01-03"))
    return assess(positions, _market_of(name))


@cache
def past_of(name: str = "normal", sessions: int = 60) -> Past:
    """Snapshots of 60 sessions whose value at risk is that of today, and exposures that grow to today's."""
    report = report_of(name)
    pnl = report.scenarios.iloc[-sessions:]
    track = pd.DataFrame({f"var.{100 * level:g}": report.tails.at[level, "var"] for level in LEVELS}, index=pnl.index)
    known = report.bets.table["exposure"].dropna()
    exposures = pd.DataFrame(np.linspace(0.5, 1.5, len(pnl))[:, None] * known.to_numpy(), pnl.index, known.index)
    return Past(
        tests={level: backtest(pnl, track[f"var.{100 * level:g}"], level, dated="for") for level in LEVELS},
        track=track.assign(pnl_day=pnl),
        factors=percentiles(report.bets.table["exposure"], exposures),
        attribution=factor_attribution(pnl, exposures, report.bets.proxies.returns.reindex(pnl.index)),
    )


def _market_of(name: str) -> MarketView:
    if name == "without history":
        return market(names=("AAA", "BBB", "SPY", "VTV", "SPX"), count=12)
    quoted = _quotes() if name == "quoted" else None
    return market(names=("AAA", "BBB", "SPY", "VTV", "SPX"), last={"AAA": 100.0, "BBB": 95.0}, quotes=quoted)


def _quotes() -> pd.DataFrame:
    """A chain of AAA at the as-of: two expiries, a skew, a spread of 4 %."""
    from sigmalib.risk.options import american_price

    rows = {}
    for expiry, years in (("2023-02-17", 51 / 365), ("2023-03-17", 79 / 365)):
        for strike in range(80, 125, 4):
            for right in ("call", "put"):
                seen = 0.25 - 0.002 * (strike - 100)
                price = float(american_price(100.0, strike, years, np.log1p(0.04), seen, right=right))
                symbol = f"AAA{pd.Timestamp(expiry):%y%m%d}{right[0].upper()}{strike * 1000:08d}"
                rows[pd.Timestamp(AS_OF), symbol] = {"underlying": "AAA", "bid": 0.98 * price, "ask": 1.02 * price}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = frame.index.set_names(["session", "symbol"])
    return frame.reindex(columns=QUOTES.names)

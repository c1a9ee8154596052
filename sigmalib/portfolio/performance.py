"""Performance: what a series, or a table, of simple returns comes to; the front door of its rooms.

Ratios of one series (``ratios``), drawdowns (``drawdowns``), the twelve statistics of a table (``statistics``), rolling
windows (``rolling``), and the time-weighted performance of a book out of its history.
"""

from __future__ import annotations

import pandas as pd

from sigmalib.core.times import sessions
from sigmalib.portfolio.drawdowns import drawdown, drawdown_table, max_drawdown, pain_index, ulcer_index
from sigmalib.portfolio.ratios import (
    alpha,
    annualised_volatility,
    beta,
    cagr,
    calmar_ratio,
    cumulative_return,
    geometric_sharpe_ratio,
    hit_rate,
    information_ratio,
    martin_ratio,
    pain_ratio,
    probabilistic_sharpe_ratio,
    sharpe_ratio,
    sharpe_standard_error,
    sortino_ratio,
)
from sigmalib.portfolio.returns import NEGLIGIBLE, PERIODS_PER_YEAR, per_period
from sigmalib.portfolio.rolling import (
    Rolling,
    rolling_beta,
    rolling_drawdown,
    rolling_sharpe,
    rolling_statistics,
    rolling_value_at_risk,
    rolling_volatility,
)
from sigmalib.portfolio.statistics import STATISTICS, statistics

__all__ = [
    "NEGLIGIBLE",
    "PERIODS_PER_YEAR",
    "STATISTICS",
    "Rolling",
    "alpha",
    "annualised_volatility",
    "beta",
    "cagr",
    "calmar_ratio",
    "cumulative_return",
    "drawdown",
    "drawdown_table",
    "geometric_sharpe_ratio",
    "hit_rate",
    "information_ratio",
    "martin_ratio",
    "max_drawdown",
    "of_history",
    "pain_index",
    "pain_ratio",
    "per_period",
    "probabilistic_sharpe_ratio",
    "rolling_beta",
    "rolling_drawdown",
    "rolling_sharpe",
    "rolling_statistics",
    "rolling_value_at_risk",
    "rolling_volatility",
    "sharpe_ratio",
    "sharpe_standard_error",
    "sortino_ratio",
    "statistics",
    "ulcer_index",
]


def of_history(history: pd.DataFrame) -> pd.DataFrame:
    """Time-weighted performance of a book out of its daily valuations.

    history : (session,) with nav, gross_market_value, pnl_day and pnl_total in base currency, NaN where a valuation
    is partial. Whatever changed NAV beside P&L counts as a flow at the start of the day, so a day's return is
    pnl_day / (nav - pnl_day); a book without NAV takes the gross market value of the session before. A session that
    is absent or partial has no return: the next complete one carries the change of total P&L since the last, over its
    NAV then. Returns (session,) x return, cumulative, drawdown (fractions; drawdown <= 0), bridged (sessions that the
    return spans beyond its own).
    """
    worth = history["nav"] if history["nav"].notna().any() else history["gross_market_value"]
    whole = history[worth.notna() & history["pnl_total"].notna()]
    worth = worth.loc[whole.index]
    days = sessions(whole.index[0], whole.index[-1]) if len(whole) else whole.index
    bridged = pd.Series(days.get_indexer(whole.index), whole.index).diff().fillna(1.0) - 1.0
    own = (bridged == 0) & whole["pnl_day"].notna()
    flows = worth.shift(1) if whole["nav"].isna().all() else whole["nav"] - whole["pnl_day"]
    profit, capital = whole["pnl_day"].where(own, whole["pnl_total"].diff()), flows.where(own, worth.shift(1))
    daily = (profit / capital.where(capital > 0)).dropna()
    return pd.DataFrame(
        {
            "return": daily,
            "cumulative": (1.0 + daily).cumprod() - 1.0,
            "drawdown": drawdown(daily),
            "bridged": bridged.loc[daily.index],
        }
    )

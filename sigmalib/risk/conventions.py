"""The convention behind each number of a risk report, in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping

from sigmalib.core.market import MarketView


def conventions(market: MarketView, *, base_name: str, scenarios: int, window: int) -> Mapping[str, str]:
    """By key of the report: unit, sign, method and window."""
    currency, benchmark = market.base_currency, market.benchmark
    money = f"{currency}, at the as-of close"
    history = (
        f"historical simulation, one day: today's holdings fully revalued under the joint one-day moves of {scenarios} "
        f"of the last {window} sessions; instantaneous, options keep their volatility and time to expiry"
    )
    relative = f"daily P&L of that simulation over {base_name}"
    return {
        "market_value": f"{money}; sum of quantity x multiplier x price x fx without cash",
        "gross_market_value": f"{money}; sum of the absolute market values without cash",
        "cash": f"{money}; sum of the CASH rows; unknown without one",
        "source": f"{market.source}; prices are closes of the as-of session, options as under `options`",
        "nav": f"{money}; cash + market value; unknown without a CASH row",
        "base": "what weights, volatility, beta and drawdown are fractions of: NAV, or gross market value without cash",
        "exposure": f"{money}; notional quantity x multiplier x underlying price x fx, puts with the opposite sign; "
        "short <= 0, gross = long - short, net = long + short",
        "delta_adjusted": f"{money}; as exposure, times the Black-Scholes-Merton delta of each option",
        "pnl": f"{currency}; day: change since the last close, or since entry; total: market value - cost",
        "weight": f"fraction of {base_name}",
        "var": f"{currency}, loss positive; {history}; the k-th worst P&L, k = ceil(n (1 - level))",
        "es": f"{currency}, loss positive; {history}; mean of the worst n (1 - level) P&Ls, the boundary one in part",
        "es_contribution": f"{currency}, loss positive; minus the mean P&L of the position in the scenarios behind "
        "the book's expected shortfall at 95 %; the parts add up to it",
        "volatility": f"fraction a year; sample deviation (ddof 1) of the {relative}, x sqrt(252)",
        "beta": f"slope by least squares of the {relative} on the returns of {benchmark}, both less the risk-free rate",
        "max_drawdown": f"fraction, loss positive; of the {relative}, compounded in time order from 1",
        "average_correlation": "mean of the known correlations between different names",
        "scenarios": f"count of the past sessions behind every tail number, at most {window}",
        "correlation": "Pearson, simple daily returns of the underlyings over the same sessions, pairs with 60 or more",
        "options": "Black-Scholes-Merton, all priced as European for now; volatility implied from the quote, else "
        "realised over 60 sessions (log returns, ddof 1, x sqrt(252)); ACT/365 to the expiry instant",
        "volatility_shock": "none",
        "rate": "the policy rate in force, annual effective; continuous inside the option model",
    }

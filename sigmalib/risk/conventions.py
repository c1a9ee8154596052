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
        "delta_adjusted": f"{money}; as exposure, times the delta of each option by its own exercise style; "
        "gross_by_underlying: sum of the absolute deltas after netting by underlying",
        "net": f"{money}; delta-adjusted exposure netted by underlying, beta to {benchmark} over 252 sessions (at "
        "least 60; returns as they are), beta_weighted_delta their product",
        "beta_weighted_delta": f"{money}; sum over underlyings of net delta x beta: the {benchmark} that moves alike",
        "greeks": f"{currency}, sums of the positions'; dollar_delta q M delta S fx; gamma_1pct change of it for +1 % "
        "(q M gamma S^2 0.01 fx); vega_point P&L of +1 volatility point; theta_day P&L of a calendar day (a year / "
        "365); rho_1pct P&L of +1 % in rates",
        "greeks_by": "as greeks, summed by underlying, tag (tags overlap) and strategy; unknown counts the positions "
        "in no sum",
        "pnl": f"{currency}; day: change since the last close, or since entry; total: market value - cost",
        "weight": f"fraction of {base_name}",
        "var": f"{currency}, loss positive; {history}; the k-th worst P&L, k = ceil(n (1 - level))",
        "es": f"{currency}, loss positive; {history}; mean of the worst n (1 - level) P&Ls, the boundary one in part",
        "es_contribution": f"{currency}, loss positive; minus the mean P&L of the position in the scenarios behind "
        "the book's expected shortfall at 95 %; the parts add up to it",
        "tail": f"{currency}, loss positive, one day; VaR and ES of the sample behind `var` by method; intervals of 90 "
        "% by stationary bootstrap (500 samples), of the draws alone for Monte Carlo; deviations with ddof 1",
        "approximations": f"{currency}, loss positive; VaR and ES by full revaluation, by delta alone, and by delta "
        "and gamma: a check, never the headline",
        "volatility": f"fraction a year; sample deviation (ddof 1) of the {relative}, x sqrt(252)",
        "beta": f"slope by least squares of the {relative} on the returns of {benchmark}, both less the risk-free rate",
        "max_drawdown": f"fraction, loss positive; of the {relative}, compounded in time order from 1",
        "average_correlation": "mean of the known correlations between different names",
        "factors": f"{currency} per 1.0 of a factor's return: dollar delta x beta; betas by one regression of excess "
        "returns on all factor funds, 252 sessions, at least 60, Newey-West errors, unshrunk; variance and tracking "
        f"error a year, parts that sum; shares and against_benchmark of {base_name}, the benchmark {benchmark}",
        "stress": f"{currency}, gains positive; instantaneous full revaluation; a name moves by its own shock, else "
        "its sector's, else by its betas over 252 sessions; unknown with a reason where a series is lacking",
        "correlations": f"clusters by average linkage cut at 0.7, exposure in {currency} of net delta; effective_bets "
        "the exponential entropy of the eigenvalues' shares; shrinkage by Ledoit and Wolf",
        "surfaces": "by underlying with quotes of the day: forward from put-call parity, raw SVI a smile, total "
        "variance linear in time at fixed log forward-moneyness",
        "scenarios": f"count of the past sessions behind every tail number, at most {window}",
        "correlation": "Pearson, simple daily returns of the underlyings over the same sessions, pairs with 60 or more",
        "options": "each contract by its own exercise style: European by Black-Scholes-Merton, American by the "
        "exercise boundary (Andersen, Lake and Offengenden, 2016); volatility implied from the quote, else off the "
        "surface of its chain, else the vendor's, else realised over 60 sessions (log returns, ddof 1, x sqrt(252)); "
        "ACT/365 to the expiry instant",
        "backtest": "hits: P&L of a session below minus the VaR known the session before, both from the book's "
        "snapshots; Kupiec (1995), Christoffersen (1998), Basel zones for 250 sessions at 99 %",
        "factor_percentiles": "fraction of the book's own snapshots with a lower exposure, half of the equal ones "
        "counted; unknown with fewer than 20",
        "volatility_shock": "none",
        "rate": "the policy rate in force, annual effective; continuous inside the option model",
    }

"""The same number under other conventions: what peers would print for this book, and why it differs from ours.

The formulas are those of the programs named, as their documentation and source give them; the programs themselves are
not needed. The tests run empyrical-reloaded, quantstats and QuantLib beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.portfolio import performance
from sigmalib.risk import tail
from sigmalib.risk.tails.methods import Method

if TYPE_CHECKING:
    from sigmalib.risk.report import RiskReport


class Convention(NamedTuple):
    """One way to calculate a number: its name, who does so, the value, and why it differs from the first."""

    convention: str
    who: str
    value: float
    why: str


def compare_conventions(report: RiskReport, name: str) -> pd.DataFrame:
    """``name`` of the report under each convention, ours first: (row) x convention, who, value, difference, why.

    name : var, es, volatility, beta, max_drawdown, exposure, gamma, vega or theta. Values are in the unit the
    convention has; ``difference`` is against ours as a fraction of it, NaN where the units differ in kind.
    Raises InputError for a name without another convention.
    """
    if name not in NUMBERS:
        raise InputError(f"`name` must be one of {', '.join(NUMBERS)}, was {name!r}")
    table = pd.DataFrame(NUMBERS[name](report))
    ours = float(table["value"].iloc[0])
    table.insert(3, "difference", table["value"] / ours - 1.0 if ours else np.nan)
    return table


def _var(report: RiskReport) -> list[Convention]:
    pnl = report.scenarios

    def at(method: Method, ddof: int = 1) -> float:
        return tail.value_at_risk(pnl, 0.95, method, ddof=ddof)

    return [
        Convention("historical, inverse of the distribution", "Sigma, skfolio, Riskfolio-Lib", at("historical"),
                   "the k-th worst P&L, k = n x 5 % rounded up: a loss that did occur"),
        Convention("historical, interpolated", "empyrical, PerformanceAnalytics, FinanceToolkit", at("linear"),
                   "between two order statistics (type 7): smaller in a convex tail, not an outcome that occurred"),
        Convention("normal", "quantstats under the name value_at_risk", at("normal"),
                   "mean and deviation alone: blind to fat tails and to the curvature of options"),
        Convention("Cornish-Fisher, ddof 1", "Sigma beside it", at("cornish_fisher"),
                   "the normal quantile corrected for skew and kurtosis; unknown where that is not monotone"),
        Convention("Cornish-Fisher, ddof 0", "PerformanceAnalytics (modified)", at("cornish_fisher", 0),
                   "the same with the population deviation"),
    ]  # fmt: skip


def _es(report: RiskReport) -> list[Convention]:
    outcomes = report.scenarios.to_numpy(float)
    worst = np.sort(outcomes)[: int((len(outcomes) - 1) * 0.05) + 1]
    return [
        Convention("Acerbi-Tasche", "Sigma, skfolio, Riskfolio-Lib", tail.expected_shortfall(outcomes, 0.95),
                   "mean of the worst 5 % of outcomes, the one on the boundary in part: coherent, adds up by position"),
        Convention("mean of whole outcomes", "empyrical, quantstats when asked for historical",
                   -float(worst.mean()) if len(worst) else float("nan"),
                   "the boundary outcome counts in full or not at all: it jumps with the number of scenarios"),
        Convention("normal", "quantstats", tail.expected_shortfall(outcomes, 0.95, "normal"),
                   "mean and deviation alone"),
    ]  # fmt: skip


def _volatility(report: RiskReport) -> list[Convention]:
    shares = report.scenarios / (report.valuation.base or np.nan)
    ours, count = report.volatility, len(shares)
    population = ours * np.sqrt((count - 1) / count) if count else np.nan
    return [
        Convention("sample deviation x sqrt(252)", "Sigma, empyrical, quantstats", ours, "ddof 1, trading days"),
        Convention("population deviation x sqrt(252)", "NumPy's default", population, "ddof 0"),
        Convention("sample deviation x sqrt(365)", "vectorbt's default year", ours * np.sqrt(365 / 252),
                   "calendar days, as for assets that trade on all of them"),
        Convention("sample deviation x sqrt(260)", "calendars without holidays", ours * np.sqrt(260 / 252),
                   "weekdays of a year"),
    ]  # fmt: skip


def _beta(report: RiskReport) -> list[Convention]:
    shares = report.scenarios / (report.valuation.base or np.nan)
    both = pd.DataFrame({"book": shares, "market": report.benchmark_returns}).dropna()
    own, market = (both[name].to_numpy(float) for name in ("book", "market"))
    plain = performance.beta(own, market)
    origin = float(own @ market) / float(market @ market) if market.any() else float("nan")
    return [
        Convention("excess returns, least squares", "Sigma, empyrical with a rate", report.beta,
                   "both less the risk-free rate, with an intercept"),
        Convention("raw returns, least squares", "quantstats, pandas by hand", plain, "the rate left out"),
        Convention("through the origin", "RiskMetrics", origin, "the means taken as zero"),
    ]  # fmt: skip


def _max_drawdown(report: RiskReport) -> list[Convention]:
    shares = report.scenarios / (report.valuation.base or np.nan)
    wealth = (1.0 + shares).cumprod()
    simple = shares.cumsum()
    without = float(-(wealth / wealth.cummax() - 1.0).min()) if len(wealth) else float("nan")
    added = float((simple.cummax() - simple).max()) if len(simple) else float("nan")
    return [
        Convention("compounded, from the starting wealth", "Sigma, empyrical", report.max_drawdown,
                   "the first day's loss counts"),
        Convention("compounded, from the first day's end", "quantstats before it was mended (its issue 438)", without,
                   "a loss on the first day is not seen"),
        Convention("not compounded", "skfolio by default", added, "sums of returns instead of products"),
    ]  # fmt: skip


def _exposure(report: RiskReport) -> list[Convention]:
    return [
        Convention("delta-adjusted net", "Sigma, UCITS commitment conversion", report.delta_adjusted.net,
                   "options count as the shares they move like"),
        Convention("notional net", "Sigma beside it", report.exposure.net,
                   "options count as the shares they are written on, puts with the opposite sign"),
        Convention("market value net", "most portfolio trackers", report.valuation.market_value,
                   "options count as their premium"),
    ]  # fmt: skip


def _gamma(report: RiskReport) -> list[Convention]:
    ours = report.book_greeks["gamma_1pct"]
    return [
        Convention("change of dollar delta for +1 %", "Sigma", ours, "money"),
        Convention("EqGamma", "gs-quant", ours / 100.0, "for a move of one basis point"),
    ]


def _vega(report: RiskReport) -> list[Convention]:
    ours = report.book_greeks["vega_point"]
    return [
        Convention("per volatility point", "Sigma, vollib, Nautilus", ours, "money for +1 point, 0.01"),
        Convention("per 1.00 of volatility", "QuantLib", ours * 100.0, "the raw derivative"),
    ]


def _theta(report: RiskReport) -> list[Convention]:
    ours = report.book_greeks["theta_day"]
    return [
        Convention("per calendar day, a 365th", "Sigma, vollib", ours, "money a calendar day"),
        Convention("per calendar day, a 365.25th", "Nautilus", ours * 365 / 365.25, "leap years counted in"),
        Convention("per trading day, a 252nd", "trading-day models", ours * 365 / 252, "weekends cost nothing"),
        Convention("per year", "QuantLib", ours * 365, "the raw derivative"),
    ]


NUMBERS: dict[str, Callable[[RiskReport], list[Convention]]] = {
    "var": _var,
    "es": _es,
    "volatility": _volatility,
    "beta": _beta,
    "max_drawdown": _max_drawdown,
    "exposure": _exposure,
    "gamma": _gamma,
    "vega": _vega,
    "theta": _theta,
}

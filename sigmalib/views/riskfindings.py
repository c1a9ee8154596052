"""Findings: what a notebook on risk ends with, one sentence or two with its numbers and its date."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from sigmalib.risk.report import RiskReport
from sigmalib.risk.tails.backtest_results import VarBacktest
from sigmalib.views.formats import number
from sigmalib.views.riskcharts import METHOD_TITLES, titled
from sigmalib.views.risksentences import backtest_sentence
from sigmalib.views.tables import Html


def greeks_finding(data: RiskReport) -> Html:
    """What the book moves like, and what volatility, time and the curvature of its options do to it."""
    greeks, currency = data.book_greeks, data.base_currency
    weighted = data.net["beta_weighted_delta"].sum(min_count=1)
    return _finding(
        data,
        f"the book moves like {number(greeks['dollar_delta'], 'money')} {currency} of shares "
        f"({_share(greeks['dollar_delta'], data)}), or like {number(weighted, 'money')} of {data.benchmark} when betas "
        f"count. A volatility point is worth {number(greeks['vega_point'], 'signed_money')} {currency}, a day "
        f"{number(greeks['theta_day'], 'signed_money')}, and a rise of 1 % in every underlying changes the delta by "
        f"{number(greeks['gamma_1pct'], 'signed_money')}.",
    )


def factors_finding(data: RiskReport) -> Html:
    """Which factor makes most of the variance, how much the names make alone, and the tracking error."""
    bets = data.bets
    shares = bets.split.by_factor["share"].dropna().sort_values(ascending=False)
    if shares.empty:
        return _finding(data, "no factor explains the book: there is no fund with 60 returns, or no beta.")
    first = shares.index[0]
    exposure = _share(bets.table.loc[first, "exposure"], data)
    return _finding(
        data,
        f"{titled(str(first)).lower()} ({bets.proxies.served[first]}) made most of the variance, "
        f"{number(shares.iloc[0], 'percent')} of it, with an exposure of {exposure}; the names alone "
        f"{number(bets.split.idiosyncratic_share, 'percent')}. Against {data.benchmark} the ex-ante "
        f"tracking error is {number(bets.against.tracking_error, 'percent')} a year.",
    )


def tail_finding(data: RiskReport, tests: Mapping[float, VarBacktest], *, level: float = 0.99) -> Html:
    """How far the methods are apart, and whether value at risk held."""
    found = data.tail_methods["var"].xs(level, level="level").dropna().sort_values()
    if found.empty:
        return _finding(data, "the book has no tail to measure: nothing it holds can be revalued.")
    least, most = (METHOD_TITLES[name] for name in (found.index[0], found.index[-1]))
    held = f" {backtest_sentence(tests[level], currency=data.base_currency)}" if level in tests else ""
    loss = float(data.tails["var"].loc[level])
    return _finding(
        data,
        f"one day in {round(1 / (1 - level))} costs {number(loss, 'money')} {data.base_currency} "
        f"or more ({_share(loss, data)}) by plain history; by method between "
        f"{number(found.iloc[0], 'money')} ({least}) and {number(found.iloc[-1], 'money')} ({most}).{held}",
    )


def stress_finding(data: RiskReport) -> Html:
    """The worst scenario, and how many could not be computed."""
    table = data.stress.table
    known = table.loc[table["computable"], "pnl"].dropna()
    if known.empty:
        return _finding(data, "no scenario can be computed; the table says why.")
    return _finding(
        data,
        f"of {len(known)} scenarios that can be computed the worst is {known.idxmin()}: "
        f"{number(known.min(), 'signed_money')} {data.base_currency} ({_share(known.min(), data)}). "
        f"{len(table) - len(known)} more could not be computed, for want of a series.",
    )


def _finding(data: RiskReport, said: str) -> Html:
    return Html(f"<p class='sigma-finding'>At the close of {data.as_of} {escape(said)}</p>")


def _share(amount: float, data: RiskReport) -> str:
    return f"{number(amount / (data.valuation.base or np.nan), 'percent')} of {data.valuation.base_name}"

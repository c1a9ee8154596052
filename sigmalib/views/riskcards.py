"""The cards of the risk page: what a book can lose, and how it leans."""

from __future__ import annotations

from sigmalib.core.errors import InputError
from sigmalib.portfolio.valuation import known_sum
from sigmalib.risk.bets import FactorBets
from sigmalib.risk.report import LEVELS, RiskReport
from sigmalib.views.cards import Card
from sigmalib.views.formats import compact_money, number


def risk_cards(data: RiskReport) -> list[Card]:
    """VaR and ES at both levels, volatility, beta, beta-weighted delta, tracking error, vega and theta."""
    base, currency = data.valuation.base or float("nan"), data.base_currency
    of = "NAV" if data.valuation.base_name == "NAV" else "of gross"

    def money(label: str, amount: float) -> Card:
        return Card(label, compact_money(amount), f"{currency}; {number(amount / base, 'percent')} {of}")

    tails = [
        money(f"{title} {level * 100:g} %, 1d", float(data.tails[name][level]))
        for name, title in (("var", "VaR"), ("es", "ES"))
        for level in LEVELS
    ]
    greeks, bets = data.book_greeks, bets_of(data)
    error = bets.against.tracking_error if bets else float("nan")
    leaning = known_sum(data.net["beta_weighted_delta"])
    return [
        *tails,
        Card("Volatility", number(data.volatility, "percent"), f"of {data.valuation.base_name} a year"),
        Card("Beta", number(data.beta, "ratio"), f"to {data.benchmark}, {len(data.scenarios)} sessions"),
        money("Beta-weighted delta", leaning),
        Card("Tracking error", number(error, "percent"), f"ex ante, to {data.benchmark}"),
        Card("Vega", compact_money(greeks["vega_point"]), f"{currency} for +1 vol point"),
        Card("Theta", compact_money(greeks["theta_day"]), f"{currency} a calendar day"),
    ]


def bets_of(data: RiskReport) -> FactorBets | None:
    """The factor bets of a report; None where no factor has a history, so that there are no betas."""
    try:
        return data.bets
    except InputError:
        return None

"""Sentences on risk: what a table's numbers say, as a risk manager would read it aloud."""

from __future__ import annotations

import math

from sigmalib.risk.report import RiskReport
from sigmalib.risk.stress import ReverseStress
from sigmalib.risk.tails.backtest_results import VarBacktest
from sigmalib.views.formats import number

REJECTED = 0.05  # p-value below which a test says no
YEAR = 250  # sessions below which the tests hardly ever say no
RARE = 1e-4  # a probability below is told as such
NOTHING_MOVES = "No stress: nothing is held that moves of the market could change."


def variance_sentence(data: RiskReport) -> str:
    """How much of the variance factors explain; why there is no split when there is none."""
    split = data.bets.split
    if math.isnan(split.volatility) or not split.total > 0:
        lacking = f": no residual variance of {', '.join(split.unknown)}" if split.unknown else ""
        return f"The variance cannot be split{lacking}."
    share = split.factor / split.total
    return (
        f"Factors explain {number(share, 'percent')} of the variance, the names alone "
        f"{number(split.idiosyncratic_share, 'percent')}; by this model the book's volatility is "
        f"{number(split.volatility / (data.valuation.base or math.nan), 'percent')} of {data.valuation.base_name} a "
        "year. A hedge has a negative share; all of them add up to 100 %."
    )


def collinearity_sentence(data: RiskReport) -> str:
    """What the variance inflation and the condition number of the factors say; nothing without a name to have betas."""
    if data.net.empty:
        return ""
    told = data.bets.betas.verdict
    return f"{told[:1].upper()}{told[1:]}." if told else "No factor has a fund, so there are no betas."


def tracking_sentence(data: RiskReport) -> str:
    """The ex-ante tracking error and the part of the names alone; why there is none when there is none."""
    against = data.bets.against
    if math.isnan(against.tracking_error):
        lacking = ", ".join(map(str, against.split.unknown)) or data.benchmark
        return f"No tracking error against {data.benchmark}: no betas of {lacking}."
    return (
        f"Ex-ante tracking error against {data.benchmark}: {number(against.tracking_error, 'percent')} a year. "
        "Each contribution is that bet's part of it; they add up."
    )


def diversification_sentence(data: RiskReport) -> str:
    """What the positions would lose each on its own, what the book loses, and what diversification saves."""
    parts = data.components
    total, alone = float(parts["component"].sum()), float(parts["stand_alone"].sum())
    if parts.empty or not alone > 0:
        return ""
    return (
        f"Alone, the positions' expected shortfalls (95 %, 1 day) add up to {number(alone, 'money')} "
        f"{data.base_currency}; together they are {number(total, 'money')}. Diversification and hedges save "
        f"{number(1 - total / alone, 'percent')}."
    )


def backtest_sentence(test: VarBacktest, *, currency: str) -> str:
    """The verdict of Kupiec, Christoffersen and Basel on one series of value at risk."""
    title = f"VaR {test.level * 100:g} %"
    if not test.observations:
        return f"{title}: no session to test; two snapshots in a row are needed."
    hits, expected = test.kupiec.hits, number(test.kupiec.expected, "ratio")
    losses = f"{hits} loss{'' if hits == 1 else 'es'} beyond it in {test.observations} sessions, {expected} expected"
    told = [f"{title}: {losses}.", _kupiec(test), _christoffersen(test), _basel(test)]
    told += [f"The worst went {number(test.worst_excess, 'money')} {currency} beyond."] if hits else []
    told += [f"Under {YEAR} sessions these tests hardly ever reject."] if test.observations < YEAR else []
    return " ".join(filter(None, told))


def reverse_sentence(found: ReverseStress, data: RiskReport) -> str:
    """The most plausible move of the underlyings that loses the amount, or that there is none."""
    lost = f"{number(found.loss, 'money')} {data.base_currency} (10 % of {data.valuation.base_name})"
    if not found.reached:
        return f"A loss of {lost} is {found.reason}."
    rare = "under 0.01 %" if found.probability < RARE else f"about {number(found.probability, 'percent')}"
    days = "one day" if found.horizon == 1 else f"{found.horizon} sessions"
    return (
        f"The most plausible move of {days} that loses {lost} lies {found.distance:.1f} standard deviations away: "
        f"{rare} likely, were moves normal. Volatilities, rates and currencies stay; options are revalued in full."
    )


def correlation_sentence(data: RiskReport) -> str:
    """Average correlation, how many bets the names amount to, and the part of the book in clusters."""
    found = data.correlations
    if math.isnan(found.average):
        return "No correlations: the book depends on fewer than two names with a history."
    told = (
        f"The {len(found.order)} names have an average correlation of {number(found.average, 'ratio')} and amount to "
        f"{found.effective_bets:.1f} independent bets; "
        f"{number(found.concentrated_share, 'percent')} of the gross delta-adjusted exposure is in clusters that move "
        f"together by {found.threshold:g} or more."
    )
    return " ".join([told, *(f"{note}." for note in found.notes)])


def volatility_sentence(data: RiskReport) -> str:
    """Why there is no surface to show."""
    options = int(data.holdings["right"].notna().sum())
    if not options:
        return "The book holds no options, so there is no volatility surface to look at."
    held = "its one option is" if options == 1 else f"its {options} options are"
    return (
        f"The {data.source} source has no option quotes of {data.as_of} for this book; {held} marked by model, with "
        "realised or quoted volatility."
    )


def _kupiec(test: VarBacktest) -> str:
    said, p = test.kupiec, number(test.kupiec.p_value, "ratio")
    if math.isnan(said.p_value):
        return f"Kupiec says nothing: {said.reason}."
    verb = "rejects" if said.p_value < REJECTED else "accepts"
    return f"Kupiec {verb} the count (p {p})."


def _christoffersen(test: VarBacktest) -> str:
    said = test.christoffersen
    if math.isnan(said.p_ind) or said.reason:
        return f"Christoffersen says nothing: {said.reason}."
    seen = "clustered" if said.p_ind < REJECTED else "independent of each other"
    return f"Christoffersen finds the hits {seen} (p {number(said.p_ind, 'ratio')})."


def _basel(test: VarBacktest) -> str:
    said = test.basel
    if said.zone is None:
        return f"No Basel zone: {said.reason}."
    if math.isnan(said.multiplier):
        return f"Basel zone {said.zone}. No multiplier: {said.reason}."
    return f"Basel zone {said.zone}, multiplier {number(said.multiplier, 'ratio')}."

"""What of a scenario reaches a book: a shock that meets nothing is told, never a silent 0."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

import pandas as pd

from sigmalib.core.market import MarketView
from sigmalib.risk.scenario.scenarios import Scenario

OPTIONS_ONLY = ("volatility", "volatility_points", "days")


def unreached(scenario: Scenario, holdings: pd.DataFrame, market: MarketView | None = None) -> str:
    """Which shocks of ``scenario`` meet nothing in the book, as a sentence; empty when each meets something.

    holdings : HOLDINGS. market : has the sectors of the names. Starts with "touches nothing in the book" where no shock
    meets anything, as when a sector is misspelt; the nearest name that is held stands beside it.
    """
    invested = holdings[holdings["kind"] != "CASH"]
    names = {str(name) for name in invested["underlying"].dropna()}
    known = pd.Series(dtype="str") if market is None else market.profiles["sector"].reindex(sorted(names)).dropna()
    sectors = {str(each) for each in known}
    met, missed = _moved_as_a_whole(scenario, len(names), bool(invested["right"].isin(["call", "put"]).any()))
    currencies = {str(each) for each in holdings["currency"].dropna()}
    for word, shocks, held in (
        ("holding in sector", scenario.sectors, sectors),
        ("holding in", scenario.names, names),
        ("holding in currency", scenario.fx, currencies),
    ):
        wanted = {str(each) for each, move in shocks.items() if move}
        met += len(wanted & held)
        missed += [f"no {word} {each!r}{_hint(each, held)}" for each in sorted(wanted - held)]
    if met:
        return "; ".join(missed)
    unpriced = [f"`{name}`" for name in OPTIONS_ONLY if getattr(scenario, name)]
    missed += [f"no option that {', '.join(unpriced)} could reprice"] if unpriced else []
    return f"touches nothing in the book: {'; '.join(missed) or 'it moves nothing'}"


def _moved_as_a_whole(scenario: Scenario, names: int, options: bool) -> tuple[int, list[str]]:
    """How many shocks that are not aimed at one name meet something, and what is missing for the others."""
    met = int(bool(scenario.rates))  # what rates do not reach is unknown, and told where it is
    met += sum(bool(getattr(scenario, name)) for name in OPTIONS_ONLY) if options else 0
    if not scenario.historical and not any(scenario.driven_by.values()):
        return met, []
    return met + bool(names), [] if names else ["no holding that moves with the market"]


def _hint(name: str, held: Collection[str]) -> str:
    near = {each.lower(): each for each in held}
    found = get_close_matches(name.lower(), near, n=1)
    return f"; did you mean {near[found[0]]!r}?" if found else ""

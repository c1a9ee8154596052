"""What a book gains or loses under moves of the market: options always repriced in full.

The change is measured against the model's value at the unmoved market, so that no move is a P&L of exactly 0 whatever
an option was marked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.compiled import CHUNK, Later, in_parts
from sigmalib.core.errors import InputError
from sigmalib.core.levels import boundary, tail_share
from sigmalib.risk.pricing.american import american_price, american_row
from sigmalib.risk.scenario.moves import STILL, Moves

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

loops = Later("sigmalib.risk.kernels.revaluation")

FURTHEST = 700.0  # |rate x years| beyond which a discount has no double
HUGEST = 1e100
TOGETHER = 64  # American contracts that are repriced at once
NUMBERS = ("quantity", "multiplier", "fx", "price")
TERMS = ("spot", "strike", "expiry_years", "rate", "dividend_yield", "volatility")


class Tail(NamedTuple):
    """Value at risk and expected shortfall of a book, losses positive, and the parts of its positions."""

    var: float
    es: float
    component_es: pd.Series


@dataclass(frozen=True, eq=False)
class Revaluation:
    """P&L of a book by scenario, base currency, gains positive.

    matrix : (position x scenario), each position's scenarios side by side, NaN where a move or a mark is unknown.
    total : (scenario,), the book; NaN where any position is.
    """

    matrix: Floats
    total: Floats
    positions: pd.Index
    scenarios: pd.Index

    @cached_property
    def frame(self) -> pd.DataFrame:
        """(scenario x position), without a copy."""
        return pd.DataFrame(self.matrix.T, index=self.scenarios, columns=self.positions, copy=False)

    def tail(self, level: float = 0.95) -> Tail:
        """Historical VaR and expected shortfall of the book, and what each position adds to the shortfall.

        level : confidence in (0.5, 1). The boundary scenario counts in part (Acerbi and Tasche, 2002), and the parts
        add up to the shortfall (Euler allocation; Tasche, 2000). NaN without scenarios or with an unknown one.
        """
        share = tail_share(level)
        parts = np.full(len(self.positions), np.nan)
        if not len(self.total) or np.isnan(self.total).any():
            return Tail(np.nan, np.nan, pd.Series(parts, index=self.positions, name="component"))
        worst, size = boundary(len(self.total), share), max(1.0, len(self.total) * share)
        least = np.partition(self.total, worst - 1)[worst - 1]
        beyond = np.flatnonzero(self.total < least)
        columns = np.append(beyond, np.flatnonzero(self.total == least)[: worst - len(beyond)])
        weights = np.append(np.ones(worst - 1), size - worst + 1) / -size
        loops.weighted(self.matrix, columns, weights, parts)
        shortfall = float(weights @ self.total[columns])
        return Tail(0.0 - float(least), shortfall, pd.Series(parts, index=self.positions, name="component"))


class Contracts(NamedTuple):
    """The distinct option contracts of a book: European ones of one expiry and rate together, then American ones."""

    holder: Numbers  # (contract,) a position of each, which has its currency and underlying
    first: Numbers  # (contract + 1,) where the positions of each start ...
    positions: Numbers  # ... among these
    sign: Floats
    terms: Floats  # (contract x TERMS), all usable
    european: int  # how many of them are


@dataclass(frozen=True, eq=False)
class Book:
    """The numbers of holdings and of their contracts, taken out of the tables once to be revalued many times."""

    positions: pd.Index
    names: pd.Index  # of the underlying, by position
    currencies: pd.Index
    cash: npt.NDArray[np.bool_]
    foreign: npt.NDArray[np.bool_]  # not in the base currency
    units: Floats  # quantity x multiplier x fx
    price: Floats
    straight: Numbers  # positions that move with their name
    unpriced: Numbers  # options whose terms are not all known
    contracts: Contracts

    @classmethod
    def of(cls, holdings: pd.DataFrame, marks: pd.DataFrame) -> Book:
        """Taken out of HOLDINGS and of what ``marks.mark`` gives."""
        columns = (*NUMBERS, "kind", "currency", "underlying", "right", "symbol")
        absent = [name for name in columns if name not in holdings]
        if absent:
            raise InputError(f"`holdings` needs the column(s) {', '.join(absent)}; pass Valuation.holdings")
        quantity, multiplier, fx, price = (holdings[name].to_numpy(dtype=float, na_value=np.nan) for name in NUMBERS)
        option = holdings["right"].isin(["call", "put"]).to_numpy()
        contracts = contracts_of(holdings[option], marks, np.flatnonzero(option))
        return cls(
            positions=holdings.index,
            names=pd.Index(holdings["underlying"]),
            currencies=pd.Index(holdings["currency"]),
            cash=(holdings["kind"] == "CASH").to_numpy(),
            foreign=fx != 1.0,
            units=quantity * multiplier * fx,
            price=price,
            straight=np.flatnonzero(~option),
            unpriced=np.setdiff1d(np.flatnonzero(option), contracts.positions),
            contracts=contracts,
        )

    def under(self, moves: Moves) -> Revaluation:
        """The P&L of every position, and of the book, in each scenario."""
        matrix, total = np.empty((len(self.positions), moves.count)), np.zeros(moves.count)
        scenarios, linear, chosen = self._moved(moves)
        days = moves.by_scenario("days")
        steady = not moves.count or bool((days == days[0]).all())
        count = self.contracts.european
        held = self.contracts.first[: count + 1], self.contracts.positions, self.units[self.contracts.positions]
        base = _values(self.contracts, steady=steady)
        terms = np.column_stack([self.contracts.sign[:count], self.contracts.terms[:count], base])
        european = tuple(numbers[:count] for numbers in chosen)
        size = min(loops.BLOCK, max(1, moves.count))

        def part(starts: Floats) -> None:
            logs = np.empty((len(scenarios[0]), size))
            for start in starts:
                low, high = int(start), min(int(start) + size, moves.count)
                loops.book(low, high, steady, *scenarios, *linear, terms, *european, *held, logs, matrix, total)

        starts = np.arange(0.0, moves.count, size)
        in_parts(part, len(starts), [starts], chunk=max(1, CHUNK // max(1, size * len(self.positions))))
        self._exercised(scenarios, chosen, matrix, total)
        if len(self.unpriced):
            matrix[self.unpriced], total[:] = np.nan, np.nan
        return Revaluation(matrix, total, self.positions, moves.spot.index)

    def _exercised(
        self, scenarios: tuple[Floats, ...], chosen: tuple[Numbers, ...], matrix: Floats, total: Floats
    ) -> None:
        """Write the rows of the American contracts, and add them to the total."""
        spot, relative, points, shift, days, fx = scenarios
        contracts = self.contracts
        for start in range(contracts.european, len(contracts.sign), TOGETHER if matrix.shape[1] else 1):
            some = slice(start, start + TOGETHER)
            name, near, further, currency = (numbers[some] for numbers in chosen)
            now, after = american_values(
                contracts.sign[some], contracts.terms[some], spot[name], relative[near], points[further], shift, days
            )
            change = after * (1.0 + fx[currency]) - now[:, None]
            for number, row in enumerate(change, start=start):
                for place in contracts.positions[contracts.first[number] : contracts.first[number + 1]]:
                    matrix[place] = self.units[place] * row
                    total += matrix[place]

    def _moved(self, moves: Moves) -> tuple[tuple[Floats, ...], tuple[npt.NDArray[Any], ...], tuple[Numbers, ...]]:
        """Rows of scenarios; which of them each linear position follows, by how much; and which each contract."""
        spot, name = moves.by_name("spot", self.names)
        name = np.where(self.cash, STILL, name)
        relative, near = moves.by_name("volatility", self.names)
        points, further = moves.by_name("volatility_points", self.names)
        fx, currency = moves.currencies(self.currencies, self.foreign)
        scenarios = spot, relative, points, moves.by_scenario("rate"), moves.by_scenario("days"), fx
        straight, holder = self.straight, self.contracts.holder
        linear = straight, name[straight], currency[straight], (self.units * self.price)[straight]
        return scenarios, linear, (name[holder], near[holder], further[holder], currency[holder])


def revalued(holdings: pd.DataFrame, marks: pd.DataFrame, moves: Moves | pd.DataFrame) -> Revaluation:
    """The book under each scenario of ``moves`` (or of a frame of spot moves alone), position-major.

    holdings : HOLDINGS with ``fx``. marks : by option symbol, what ``marks.mark`` gives. A position is NaN in every
    scenario when its price, or a term of its contract, is unknown or none (an option that ``marks`` does not have).
    """
    return Book.of(holdings, marks).under(moves if isinstance(moves, Moves) else Moves(moves))


def contracts_of(options: pd.DataFrame, marks: pd.DataFrame, positions: Numbers) -> Contracts:
    """The contracts whose terms are all known and possible; ``positions`` : the number of each row of ``options``."""
    keys = options["symbol"] if options["currency"].nunique() < 2 else options["symbol"] + " " + options["currency"]
    number, _ = pd.factorize(keys)
    holder = np.unique(number, return_index=True)[1]
    found = marks[~marks.index.duplicated()].reindex(options["symbol"].iloc[holder])
    terms = np.column_stack([found[name].to_numpy(dtype=float, na_value=np.nan) for name in TERMS])
    sign = np.where(found["right"] == "call", 1.0, np.where(found["right"] == "put", -1.0, np.nan))
    usable = np.flatnonzero(_possible(terms) & ~np.isnan(sign))
    american = (found["style"] == "American").to_numpy() if "style" in found else np.zeros(len(found), dtype=bool)
    order = usable[np.lexsort((terms[usable, 3], terms[usable, 2], american[usable]))]
    place = np.full(len(holder), -1)
    place[order] = np.arange(len(order))
    here = place[number]
    held = np.argsort(here, kind="stable")[(here < 0).sum() :]
    return Contracts(
        holder=positions[holder[order]],
        first=np.searchsorted(here[held], np.arange(len(order) + 1)),
        positions=positions[held],
        sign=sign[order],
        terms=terms[order],
        european=int((~american[order]).sum()),
    )


def _possible(terms: Floats) -> npt.NDArray[np.bool_]:
    spot, strike, years, rate, carry, volatility = terms.T
    with np.errstate(invalid="ignore", over="ignore"):
        discounted = (np.abs(rate * years) < FURTHEST) & (np.abs(carry * years) < FURTHEST)
        sized = (spot < HUGEST) & (strike < HUGEST) & (volatility < HUGEST)
        return (spot >= 0) & (strike > 0) & (years >= 0) & (volatility >= 0) & sized & discounted


def _values(contracts: Contracts, *, steady: bool) -> Floats:
    """The model's value of each European contract at the unmoved market, by the loop that reprices it."""
    count = contracts.european
    still, nothing = np.zeros((1, 1)), np.zeros(count, dtype=np.int64)
    none, alone, matrix = np.zeros(0, dtype=np.int64), np.arange(count + 1), np.empty((count, 1))
    terms = np.column_stack([contracts.sign[:count], contracts.terms[:count], np.zeros(count)])
    loops.book(
        0, 1, steady, still, still, still, still[0], still[0], still, none, none, none, np.zeros(0),
        terms, nothing, nothing, nothing, nothing, alone, alone[:-1], np.ones(count), np.empty((1, 1)), matrix,
        np.zeros(1),
    )  # fmt: skip
    return matrix[:, 0]


def american_values(
    sign: Floats, terms: Floats, move: Floats, relative: Floats, points: Floats, shift: Floats, days: Floats
) -> tuple[Floats, Floats]:
    """Values of American contracts now (contract,) and in each scenario (contract x scenario), NaN where unknown.

    Where volatility, rate and time are the same in all scenarios one exercise boundary a contract serves its row; each
    cell has its own where they are not. Both are solved as accurately, so that a scenario's P&L does not depend on the
    others it is asked beside.
    """
    spot, strike, years, rate, carry, volatility = (column[:, None] for column in terms.T)
    side = sign[:, None]
    spots = np.where(move >= -1.0, spot * (1.0 + move), np.nan)
    moved = (
        np.maximum(years - days / loops.DAYS_PER_YEAR, 0.0),
        rate + shift,
        np.maximum(volatility * (1.0 + relative) + points, 0.0),
    )

    def row(spots: Floats, years: Floats, rate: Floats, volatility: Floats) -> Floats:
        given = (column[:, 0] for column in (strike, years, rate, volatility))
        return american_row(spots, *given, dividend_yield=carry[:, 0], right=sign, accuracy="accurate")

    def cells(spots: Floats, years: Floats, rate: Floats, volatility: Floats) -> Floats:
        given = strike, years, rate, volatility
        return np.asarray(american_price(spots, *given, dividend_yield=carry, right=side, accuracy="accurate"))

    steady = all((part == part[:, :1]).all() for part in moved)
    price = row if steady else cells
    now, after = price(spot, years, rate, volatility), price(spots, *moved)
    unmoved = (move == 0.0) & (moved[0] == years) & (moved[1] == rate) & (moved[2] == volatility)
    return now[:, 0], np.where(unmoved, now, after)  # what does not move makes a P&L of exactly 0

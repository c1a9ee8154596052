"""Full revaluation: VaR, ES and component ES of 1,000 positions (500 options on 100 names) in 10,000 scenarios.

Every pricer gets the same joint moves of spots, volatilities and rates with one day passing. Ours starts from tables
(HOLDINGS, marks, frames of moves) as a user has them; the peers from arrays that are ready. All on one core.
Milliseconds of CPU, medians of interleaved rounds; QuantLib prices two options in every scenario, and its figure is
that for 500. All answers are compared before anything is timed.

Limits: 5 times as fast as pyvolr (target 8), 2 times as NumPy by hand (3), 400 times as QuantLib's quotes, and at most
2.5 times (1.5) the reference kernel where it is there.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from sigmalib.risk.options import bsm_price
from sigmalib.risk.scenario.moves import Moves
from sigmalib.risk.scenario.revaluation import revalued

SCENARIOS, NAMES, STOCKS, OPTIONS, ROUNDS, LEVEL, SOME = 10_000, 100, 500, 500, 7, 0.95, 2
LIMITS = {"pyvolr": (5.0, 8.0), "numpy": (2.0, 3.0), "QuantLib": (400.0, 400.0), "reference": (1 / 2.5, 1 / 1.5)}
REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "limits" / "risk"

Answer = tuple[float, float, np.ndarray]  # VaR, ES, component ES


class Made:
    """A made book and its joint moves, as arrays and as tables."""

    def __init__(self, seed: int = 11) -> None:
        rng = np.random.default_rng(seed)
        self.spot, self.carry = rng.uniform(20, 400, NAMES), rng.uniform(0, 0.03, NAMES)
        common = rng.standard_t(4, SCENARIOS) * 0.011
        own = rng.standard_t(4, (NAMES, SCENARIOS)) * 0.012
        self.moves = np.clip(rng.uniform(0.5, 1.5, NAMES)[:, None] * common + own, -0.6, 0.8)
        self.relative = np.clip(-2.5 * common + rng.normal(0, 0.05, (NAMES, SCENARIOS)), -0.5, 2.0)
        self.shift = rng.normal(0, 0.0006, SCENARIOS)
        self.stock_name, self.stock_quantity = rng.integers(0, NAMES, STOCKS), rng.normal(0, 1000, STOCKS).round()
        self.name, self.quantity = rng.integers(0, NAMES, OPTIONS), rng.normal(0, 2000, OPTIONS).round()
        self.strike = self.spot[self.name] * np.exp(rng.normal(0, 0.12, OPTIONS))
        self.years = rng.choice(np.array([7, 30, 60, 91, 182, 365, 730]) / 365, OPTIONS)
        self.volatility = rng.uniform(0.15, 0.6, OPTIONS)
        self.sign = np.where(rng.random(OPTIONS) < 0.5, 1.0, -1.0)
        self.rate, self.day = 0.035, 1 / 365
        right = np.where(self.sign > 0, "call", "put")
        terms = self.spot[self.name], self.strike, self.years, self.rate, self.volatility
        self.base = np.asarray(bsm_price(*terms, dividend_yield=self.carry[self.name], right=right))
        self.tables = self._tables(right)

    def _tables(self, right: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, Moves]:
        names = np.array([f"N{number:02}" for number in range(NAMES)])
        both, symbols = np.append(self.stock_name, self.name), np.array([f"O{number:03}" for number in range(OPTIONS)])
        option = np.arange(STOCKS + OPTIONS) >= STOCKS
        holdings = pd.DataFrame(
            {
                "symbol": np.append(names[self.stock_name], symbols),
                "kind": np.where(option, "LC", "LONG"),
                "quantity": np.append(self.stock_quantity, self.quantity),
                "multiplier": 1.0,
                "fx": 1.0,
                "price": np.append(self.spot[self.stock_name], self.base),
                "currency": "USD",
                "underlying": names[both],
                "right": pd.Series(np.append(np.full(STOCKS, ""), right)).where(option),
            }
        )
        marks = pd.DataFrame(
            {
                "underlying": names[self.name],
                "strike": self.strike,
                "right": right,
                "style": "European",
                "spot": self.spot[self.name],
                "expiry_years": self.years,
                "rate": self.rate,
                "dividend_yield": self.carry[self.name],
                "volatility": self.volatility,
            },
            index=pd.Index(symbols, name="symbol"),
        )
        spots, relative = (pd.DataFrame(rows.T, columns=names) for rows in (self.moves, self.relative))
        return holdings, marks, Moves(spots, volatility=relative, rate=self.shift, days=1.0)

    def summed(self, rows: Callable[[slice], np.ndarray], step: int) -> Answer:
        """VaR, ES and component ES from a pricer that gives the values of some options (option x scenario)."""
        matrix = np.empty((STOCKS + OPTIONS, SCENARIOS))
        matrix[:STOCKS] = (self.stock_quantity * self.spot[self.stock_name])[:, None] * self.moves[self.stock_name]
        for start in range(0, OPTIONS, step):
            some = slice(start, start + step)
            change = rows(some) - self.base[some, None]
            matrix[STOCKS + start : STOCKS + start + step] = self.quantity[some, None] * change
        total = matrix.sum(axis=0)
        worst = round(SCENARIOS * (1 - LEVEL))
        tail = np.argpartition(total, worst)[:worst]
        return -total[tail].max(), -total[tail].mean(), -matrix[:, tail].mean(axis=1)

    def moved(self, some: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Spots, volatilities and rates of some options in all scenarios."""
        name = self.name[some]
        spot = self.spot[name][:, None] * (1.0 + self.moves[name])
        volatility = np.maximum(self.volatility[some, None] * (1.0 + self.relative[name]), 1e-4)
        return spot, volatility, self.rate + self.shift


def ours(made: Made) -> Answer:
    """The public names, from tables."""
    tail = revalued(*made.tables).tail(LEVEL)
    return tail.var, tail.es, tail.component_es.to_numpy()


def by_hand(made: Made) -> Answer:
    """NumPy with ``ndtr``, a row of scenarios at a time so that it stays in the cache."""

    def rows(some: slice) -> np.ndarray:
        spot, volatility, rate = made.moved(some)
        years, strike, sign = made.years[some.start] - made.day, made.strike[some.start], made.sign[some.start]
        carry, deviation = made.carry[made.name[some.start]], volatility[0] * math.sqrt(years)
        d1 = (np.log(spot[0] / strike) + (rate - carry) * years) / deviation + 0.5 * deviation
        stock = spot[0] * math.exp(-carry * years) * ndtr(sign * d1)
        return (sign * (stock - strike * np.exp(-rate * years) * ndtr(sign * (d1 - deviation))))[None, :]

    return made.summed(rows, 1)


def pyvolr(made: Made) -> Callable[[], Answer]:
    """pyvolr's price of a flat grid, 50 options at a time."""
    from pyvolr import bs

    def rows(some: slice) -> np.ndarray:
        spot, volatility, rate = made.moved(some)
        wide = (made.sign[some].astype(np.int64), made.strike[some], made.years[some] - made.day)
        sign, strike, years = (np.repeat(values, SCENARIOS) for values in wide)
        carry = np.repeat(made.carry[made.name[some]], SCENARIOS)
        rates = np.tile(rate, len(spot))
        return np.asarray(bs.price(sign, spot.ravel(), strike, years, rates, volatility.ravel(), carry)).reshape(
            spot.shape
        )

    return lambda: made.summed(rows, 50)


def quantlib(made: Made) -> Callable[[], np.ndarray]:
    """QuantLib's engine told by quotes, two options in every scenario."""
    ql: Any = importlib.import_module("QuantLib")

    today = ql.Date(21, 11, 2026)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()

    def priced(number: int) -> list[float]:
        spot, volatility, rate = made.moved(slice(number, number + 1))
        quotes = [ql.SimpleQuote(value) for value in (1.0, 0.2, 0.03)]
        flat = ql.FlatForward(today, float(made.carry[made.name[number]]), count)
        rates = ql.FlatForward(today, ql.QuoteHandle(quotes[2]), count)
        constant = ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(quotes[1]), count)
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(quotes[0]),
            ql.YieldTermStructureHandle(flat),
            ql.YieldTermStructureHandle(rates),
            ql.BlackVolTermStructureHandle(constant),
        )
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if made.sign[number] > 0 else ql.Option.Put, made.strike[number])
        expiry = today + round((made.years[number] - made.day) * 365)
        option = ql.VanillaOption(payoff, ql.EuropeanExercise(expiry))
        option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
        values = []
        for move in zip(spot[0].tolist(), volatility[0].tolist(), rate.tolist(), strict=True):
            for quote, value in zip(quotes, move, strict=True):
                quote.setValue(value)
            values.append(option.NPV())
        return values

    return lambda: np.array([priced(number) for number in range(SOME)])


def reference(made: Made) -> Callable[[], Answer] | None:
    """The reference kernel on the same book, where the folder with it is there."""
    if not (REFERENCE / "b5_whatif.py").exists():
        return None
    sys.path.insert(0, str(REFERENCE))
    whatif: Any = importlib.import_module("b5_whatif")
    lab = whatif.Lab(
        {
            "S0": made.spot, "ret": made.moves, "dv": made.relative, "dr": made.shift, "eu": made.stock_name,
            "eq": made.stock_quantity, "ou": made.name, "K": made.strike, "T": made.years, "sig": made.volatility,
            "cp": made.sign, "oq": made.quantity, "r0": made.rate, "q": made.carry, "h": made.day,
        }
    )  # fmt: skip
    return lambda: lab.full(1)


def main() -> int:
    """Print the table; 1 when a limit is missed."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    made = Made()
    first = time.process_time()
    mine = ours(made)
    cold = time.process_time() - first
    cases: dict[str, tuple[str, Callable[[], Any], float]] = {
        "ours": ("ours, from tables", lambda: ours(made), 1.0),
        "numpy": (f"NumPy {np.__version__} by hand", lambda: by_hand(made), 1.0),
    }
    if importlib.util.find_spec("pyvolr"):
        cases["pyvolr"] = (f"pyvolr {version('pyvolr')}", pyvolr(made), 1.0)
    if importlib.util.find_spec("QuantLib"):
        cases["QuantLib"] = (f"QuantLib {version('QuantLib')} quotes", quantlib(made), OPTIONS / SOME)
    known = reference(made)
    if known:
        cases["reference"] = ("reference kernel", known, 1.0)
    for name in ("pyvolr", "QuantLib", "reference"):
        if name not in cases:
            print(f"{name} is not here and was skipped")
    _agree(mine, cases)
    taken = _raced({name: run for name, (_, run, _) in cases.items()})
    print(
        f"{STOCKS + OPTIONS:,} positions x {SCENARIOS:,} scenarios; VaR {mine[0]:,.0f}, ES {mine[1]:,.0f}; "
        f"cold {cold:.2f} s"
    )
    print(f"{'':28}{'ms of CPU':>12}{'ns a reval':>12}{'ratio':>9}{'target':>9}{'floor':>9}")
    missed = []
    for name, (told, _, share) in cases.items():
        spent = taken[name] * share
        ratio, (floor, target) = spent / taken["ours"], LIMITS.get(name, (0.0, 0.0))
        limits = f"{target:9.2f}{floor:9.2f}" if name in LIMITS else ""
        print(f"{told:28}{spent * 1e3:12.1f}{spent / (OPTIONS * SCENARIOS) * 1e9:12.1f}{ratio:9.2f}{limits}")
        missed += [f"{told}: {ratio:.2f}, at least {floor:.2f}"] if ratio < floor else []
    print("\n".join(missed) or "every limit is kept")
    return 1 if missed else 0


def _agree(mine: Answer, cases: dict[str, tuple[str, Callable[[], Any], float]]) -> None:
    for name in {"numpy", "pyvolr", "reference"} & set(cases):
        theirs = cases[name][1]()
        off = max(
            abs(theirs[0] / mine[0] - 1), abs(theirs[1] / mine[1] - 1), np.abs(theirs[2] - mine[2]).max() / mine[1]
        )
        if off > 1e-9:
            raise SystemExit(f"{name} differs from ours by {off:.1e} of the ES")
    if abs(mine[2].sum() / mine[1] - 1) > 1e-12:
        raise SystemExit("the components do not add up")


def _raced(runs: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median CPU seconds of each, in interleaved rounds."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.process_time()
            run()
            spent[name].append(time.process_time() - start)
    return {name: median(values) for name, values in spent.items()}


if __name__ == "__main__":
    sys.exit(main())

"""Compiling: each hot loop is called once on a small example, so that no first call waits for a compiler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from time import perf_counter

import numpy as np
import pandas as pd

from sigmalib.core.compiled import cores
from sigmalib.portfolio import performance, rolling
from sigmalib.risk import factors, options, stress
from sigmalib.risk.pricing import american

SESSIONS, SMALL = 80, 60


def compile_loops() -> Iterator[str]:
    """Compile what is not compiled yet and keep it on disk, each group in a process; a sentence as each is done."""
    with ThreadPoolExecutor(cores()) as pool:
        for done in as_completed(pool.submit(_compiled, name) for name in EXAMPLES):
            yield done.result()


def _compiled(name: str) -> str:
    began = perf_counter()
    command = f"from sigmalib.desk.compile import EXAMPLES; EXAMPLES[{name!r}]()"
    subprocess.run([sys.executable, "-c", command], check=True)
    return f"{name}: {perf_counter() - began:.1f} s"


def _european() -> None:
    terms = (100.0, np.array([90.0, 110.0]), 0.5, 0.03)
    found = options.bsm_greeks(*terms, 0.2, right="call")
    price = options.bsm_price(*terms, 0.2, right="call")
    assert np.isfinite(found["vanna"]).all()
    options.implied_volatility(price, *terms, right="call")
    options.black76_price(*terms, 0.2, right="put")


def _american() -> None:
    terms = (np.array([100.0, 90.0]), 100.0, 0.5, 0.03)
    for accuracy in ("fast", "accurate"):
        found = american.american_greeks(*terms, 0.2, dividend_yield=0.01, right="put", accuracy=accuracy)
    american.american_implied_volatility(found["price"], *terms, dividend_yield=0.01, right="put")
    american.american_row(np.linspace(80.0, 120.0, 5), 100.0, 0.5, 0.03, 0.2, right="put")


def _with_dividends() -> None:
    american.american_dividend_greeks(100.0, 100.0, 0.5, 0.03, 0.2, dividends=[(0.2, 1.0)], right="call")


def _regressions() -> None:
    draws = np.random.default_rng(0).normal(0.0, 0.01, (SESSIONS, 4))
    returns, funds = pd.DataFrame(draws[:, :2], columns=["A", "B"]), pd.DataFrame(draws[:, 2:], columns=["C", "D"])
    for known in (returns, returns.where(returns != returns.iloc[0])):
        factors.factor_betas(known, funds)
        factors.rolling_betas(known, funds, window=SMALL)


def _revaluations() -> None:
    book = pd.DataFrame({"symbol": ["S", "C"], "kind": ["LONG", "LC"], "quantity": 1.0, "multiplier": 1.0, "fx": 1.0,
                         "price": 10.0, "currency": "USD", "underlying": "S", "right": [None, "call"]})  # fmt: skip
    terms = {"right": "call", "style": "European", "underlying": "S", "spot": 10.0, "strike": 10.0, "rate": 0.0,
             "expiry_years": 1.0, "dividend_yield": 0.0, "volatility": 0.2}  # fmt: skip
    spot = pd.DataFrame({"S": [-0.1, 0.1]})
    for style in ("European", "American"):
        marks = pd.DataFrame([terms | {"style": style}], index=["C"])
        for moves in (stress.Moves(spot), stress.Moves(spot, volatility_points=0.05, rate=0.01, days=5.0)):
            stress.revalue(book, marks, moves)


def _statistics() -> None:
    draws = np.random.default_rng(0).normal(0.0, 0.01, (SESSIONS, 2))
    returns = pd.DataFrame(draws, columns=["A", "B"])
    performance.statistics(returns, benchmark=returns["A"])
    performance.statistics(returns)
    rolling.rolling_statistics(returns, returns["A"], SMALL)
    rolling.rolling_drawdown(returns, SMALL)
    rolling.rolling_value_at_risk(returns, SMALL)


EXAMPLES: dict[str, Callable[[], None]] = {  # the longest first
    "American options": _american,
    "European options": _european,
    "options on shares with dividends": _with_dividends,
    "regressions": _regressions,
    "revaluations": _revaluations,
    "statistics": _statistics,
}

"""European options: a book of a million, a chain of a hundred and a process just started, beside other programs.

CPU nanoseconds an option, medians of interleaved rounds of calls that make their answers' memory anew, as callers
do; the reference kernel fills memory that it has. Small chains in microseconds that pass. Peers that are not installed
are skipped with a line. Exit 1 when a floor is missed.
"""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.special import ndtr

from sigmalib.risk.options import bsm, bsm_greeks, bsm_price, implied_volatility

OPTIONS, CHAIN, LOOP, ROUNDS, CALLS = 1_000_000, 100, 5_000, 7, 200
LIMITS = Path(__file__).resolve().parents[2] / "shared" / "limits" / "risk"
FLOORS = {  # target and floor of peer's time / ours; for the reference kernel ours / its time, at most
    ("greeks", "pyvolr"): (12.0, 6.0),
    ("greeks", "NumPy and ndtr"): (9.0, 5.0),
    ("greeks", "QuantLib loop"): (400.0, 0.0),
    ("greeks", "reference kernel"): (1.5, 2.5),
    ("implied", "pyvolr"): (8.0, 5.0),
    ("implied", "iv-engine"): (6.0, 3.0),
    ("implied", "vollib"): (400.0, 0.0),
    ("implied", "reference kernel"): (1.5, 2.5),
}
SMALL = {"greeks": 20.0, "implied": 25.0}  # microseconds
START, MEMORY = 0.8, 1.3  # CPU seconds of a process to its first greeks; peak over the size of the answers

FRESH = """
import time, numpy as np
from sigmalib.risk.options import bsm_greeks
bsm_greeks(np.full(1000, 100.0), 95.0, 0.5, 0.03, 0.2, right="call")
print(time.process_time())
"""
PEAK = """
import numpy as np
from sigmalib.risk.options import bsm
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
terms = [np.full(1_000_000, value) for value in (100.0, 95.0, 0.5, 0.03, 0.2)]
carry, sign = np.full(1_000_000, 0.01), np.ones(1_000_000, dtype=np.int8)
bsm(*(term[:1000] for term in terms), dividend_yield=0.01, right="call")
before = peak()
found = bsm(*terms, dividend_yield=carry, right=sign)
after = peak()
names = ("price", "delta", "gamma", "vega", "theta", "rho")
print((after - before) * 1024 / sum(found[name].nbytes for name in names))
"""

Arrays = tuple[np.ndarray, ...]
Contestant = tuple[int, Callable[[], object]]  # how many options, and the call


def book(count: int) -> Arrays:
    """Spot, strike, years, rate, volatility, yield and sign of a usual book."""
    rng = np.random.default_rng(3)
    spot = rng.uniform(20, 400, count)
    strike, years = spot * np.exp(rng.normal(0, 0.15, count)), rng.uniform(5 / 365, 2.0, count)
    rate, volatility, carry = rng.uniform(0, 0.06, count), rng.uniform(0.08, 0.8, count), rng.uniform(0, 0.04, count)
    return spot, strike, years, rate, volatility, carry, np.where(rng.random(count) < 0.5, 1, -1).astype(np.int8)


def with_ndtr(s: Any, k: Any, t: Any, r: Any, v: Any, q: Any, w: Any) -> list[np.ndarray]:
    """Price and five greeks as a notebook writes them."""
    root, growth, discount = np.sqrt(t), np.exp(-q * t), np.exp(-r * t)
    d1 = (np.log(s / k) + (r - q) * t) / (v * root) + 0.5 * v * root
    height = np.exp(-0.5 * d1 * d1) * 0.3989422804014327
    held, owed = s * growth * ndtr(w * d1), k * discount * ndtr(w * (d1 - v * root))
    theta = -s * growth * height * v / (2 * root) + w * (q * held - r * owed)
    gamma, vega = growth * height / (s * v * root), s * growth * height * root
    return [w * (held - owed), w * held / s, gamma, vega, theta, w * t * owed]


def peers_of_greeks(terms: Arrays) -> dict[str, Contestant]:
    s, k, t, r, v, q, w = terms
    found: dict[str, Contestant] = {"NumPy and ndtr": (OPTIONS, lambda: with_ndtr(*terms))}
    if bs := module("pyvolr", "pyvolr.bs"):
        flag = w.astype(np.int64)
        found["pyvolr"] = OPTIONS, lambda: (bs.price(flag, s, k, t, r, v, q), bs.greeks(flag, s, k, t, r, v, q))
    if ql := module("QuantLib", "QuantLib"):
        rows = list(zip(*(values[:LOOP].tolist() for values in terms), strict=True))
        found["QuantLib loop"] = LOOP, lambda: [of_quantlib(ql, *row) for row in rows]
    if kernels := reference():
        out = np.empty((6, OPTIONS))
        found["reference kernel"] = OPTIONS, lambda: kernels.bsm_greeks_ser(s, k, t, r, q, v, w, out)
    return found


def of_quantlib(ql: Any, s: float, k: float, t: float, r: float, v: float, q: float, w: int) -> list[float]:
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if w > 0 else ql.Option.Put, k)
    engine = ql.BlackCalculator(payoff, s * math.exp((r - q) * t), v * math.sqrt(t), math.exp(-r * t))
    greeks = [engine.delta(s), engine.gamma(s), engine.vega(t), engine.theta(s, t), engine.rho(t)]
    return [engine.value(), *greeks]


def peers_of_implied(terms: Arrays, price: np.ndarray) -> dict[str, Contestant]:
    s, k, t, r, _, q, w = terms
    found: dict[str, Contestant] = {}
    if bs := module("pyvolr", "pyvolr.bs"):
        flag = w.astype(np.int64)
        found["pyvolr"] = OPTIONS, lambda: bs.implied_vol(price, flag, s, k, t, r, q, on_error="ignore")
    if engine := module("iv-engine", "iv_engine"):
        undiscounted, forward = price * np.exp(r * t), s * np.exp((r - q) * t)
        halves = [([a[w == sign] for a in (undiscounted, forward, k, t)], sign > 0) for sign in (1, -1)]
        found["iv-engine"] = OPTIONS, lambda: [engine.implied_volatilities(*half, call) for half, call in halves]
    if one := module("vollib", "vollib.black_scholes_merton.implied_volatility"):
        flags = np.where(w > 0, "c", "p")
        rows = list(zip(*(a[:LOOP].tolist() for a in (price, s, k, t, r, q, flags)), strict=True))
        found["vollib"] = LOOP, lambda: [of_vollib(one.implied_volatility, row) for row in rows]
    if kernels := reference():
        out = np.empty(OPTIONS)
        found["reference kernel"] = OPTIONS, lambda: kernels.iv_ser(price, s, k, t, r, q, w, out)
    return found


def of_vollib(solve: Callable[..., float], row: tuple[Any, ...]) -> float:
    try:
        return solve(*row)
    except Exception:  # noqa: BLE001  # vollib raises classes of two packages where there is no volatility
        return math.nan


def module(name: str, path: str) -> Any:
    """A peer, or None and a line that says so."""
    try:
        print(f"{name} {version(name)}")
        return importlib.import_module(path)
    except (PackageNotFoundError, ImportError):
        print(f"{name} is not installed: skipped")
        return None


def reference() -> Any:
    if not (LIMITS / "kernels.py").exists():
        print("no reference kernel here: skipped")
        return None
    sys.path.insert(0, str(LIMITS))
    return importlib.import_module("kernels")


def measured(contestants: dict[str, Contestant]) -> dict[str, float]:
    """Median CPU nanoseconds an option of each, in interleaved rounds after one to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(ROUNDS + 1):
        for name, (count, call) in contestants.items():
            start = time.process_time()
            answer = call()
            if number:
                taken[name].append((time.process_time() - start) / count * 1e9)
            del answer
    return {name: median(times) for name, times in taken.items()}


def compared(task: str, found: dict[str, float], ours: str) -> list[str]:
    """Print a line a contestant; return what misses its floor."""
    missed = []
    print(f"\n{task:28}{'CPU ns':>10}{'ratio':>9}{'target':>9}{'floor':>8}")
    for name, nanoseconds in sorted(found.items(), key=lambda item: item[1]):
        target, floor = FLOORS.get((task, name), (0.0, 0.0))
        least = name != "reference kernel"
        ratio = nanoseconds / found[ours] if least else found[ours] / nanoseconds
        limits = f"{target:9.1f}{floor:8.1f}" if target else ""
        print(f"{name:28}{nanoseconds:10.1f}{ratio:9.1f}{limits}")
        if floor and (ratio < floor if least else ratio > floor):
            missed.append(f"{task}: {ratio:.1f} beside {name}, floor {floor:.1f}")
    return missed


def microseconds(call: Callable[[], object]) -> float:
    """The best of rounds of calls: what else the machine does is not counted."""
    best = math.inf
    for _ in range(10 * ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        best = min(best, (time.perf_counter() - start) / CALLS * 1e6)
    return best


def small(terms: Arrays) -> list[str]:
    s, k, t, r, v, q, w = (values[:CHAIN].copy() for values in terms)
    price = np.asarray(bsm_price(s, k, t, r, v, dividend_yield=q, right=w))
    taken = {
        "greeks": microseconds(lambda: bsm_greeks(s, k, t, r, v, dividend_yield=q, right=w)),
        "implied": microseconds(lambda: implied_volatility(price, s, k, t, r, dividend_yield=q, right=w)),
    }
    print(f"\na chain of {CHAIN}, us: " + ", ".join(f"{n} {taken[n]:.1f} (at most {SMALL[n]:.0f})" for n in taken))
    return [f"a chain's {name}: {taken[name]:.1f} us" for name in taken if taken[name] > SMALL[name]]


def alone(script: str) -> float:
    """The smallest number that a new process prints, of three."""
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in range(3)
    ]
    return min(float(run.stdout) for run in runs)


def main() -> int:
    """Measure, print, and return 1 when a floor is missed."""
    terms = book(OPTIONS)
    s, k, t, r, v, q, w = terms
    price = np.asarray(bsm_price(s, k, t, r, v, dividend_yield=q, right=w))
    ours: dict[str, Contestant] = {
        "ours, bsm": (OPTIONS, lambda: bsm(s, k, t, r, v, dividend_yield=q, right=w)),
        "ours, bsm_greeks": (OPTIONS, lambda: bsm_greeks(s, k, t, r, v, dividend_yield=q, right=w)),
        "ours, bsm_price": (OPTIONS, lambda: bsm_price(s, k, t, r, v, dividend_yield=q, right=w)),
        "ours, all eight and price": (OPTIONS, lambda: bsm(s, k, t, r, v, dividend_yield=q, right=w)["vanna"]),
    }
    missed = compared("greeks", measured(ours | peers_of_greeks(terms)), "ours, bsm")
    solve: Contestant = (OPTIONS, lambda: implied_volatility(price, s, k, t, r, dividend_yield=q, right=w))
    missed += compared("implied", measured({"ours": solve} | peers_of_implied(terms, price)), "ours")
    missed += small(terms)
    start, peak = alone(FRESH), alone(PEAK)
    print(f"first greeks of a process, loops compiled before: {start:.2f} CPU s (at most {START})")
    print(f"peak memory of a million prices and greeks: {peak:.2f} of the answers' size (at most {MEMORY})")
    missed += [f"first greeks: {start:.2f} s"] * (start > START) + [f"peak memory: {peak:.2f}"] * (peak > MEMORY)
    print("".join(f"MISSED: {sentence}\n" for sentence in missed), end="")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

"""American options: our collocation with all greeks in the pass beside QuantLib's QdFp engines, which give the price.

Microseconds of CPU an option, medians of interleaved rounds. The book: calls and puts on K = 100, ten days to two
years, volatilities of 10 to 60 %, rates of 1 to 8 %, yields of 0 to 8 %. QuantLib is at its best from Python: an engine
and a process for all options, their quotes set anew. Errors are against QdFp with its high-precision scheme.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from sigmalib.risk.pricing.american import american_greeks, american_price, american_row

OPTIONS, PEER_OPTIONS, ROUNDS, SCENARIOS = 8_000, 400, 7, 10_000
NAMES = ("spot", "days", "rate", "dividend_yield", "volatility", "sign")
Array = np.ndarray


class Contest(NamedTuple):
    """One of ours beside one of theirs: the ratio to reach, the least that counts as done, the largest rms error."""

    ours: str
    peer: str
    target: float
    floor: float
    error: float


CONTESTS = (
    Contest("price and greeks, fast", "QdFp fast", 2.5, 1.5, 1e-4),
    Contest("price and greeks, accurate", "QdFp accurate", 2.5, 1.0, 1e-5),
)


def book(count: int) -> dict[str, Array]:
    """Terms of made options on a strike of 100."""
    rng = np.random.default_rng(1)
    return {
        "spot": 100 * np.exp(rng.normal(0, 0.15, count)),
        "days": rng.integers(10, 800, count),
        "rate": rng.uniform(0.01, 0.08, count),
        "dividend_yield": np.where(rng.random(count) < 0.3, 0.0, rng.uniform(0, 0.08, count)),
        "volatility": rng.uniform(0.1, 0.6, count),
        "sign": np.where(rng.random(count) < 0.5, 1, -1).astype(np.int8),
    }


def ours(function: Callable[..., Any], options: dict[str, Array], accuracy: str) -> Callable[[], Any]:
    """A call of one of our public functions on the whole book."""
    spot, days, rate, carry, volatility, sign = (options[name] for name in NAMES)
    strike, years = np.full(spot.size, 100.0), days / 365

    def run() -> Any:
        return function(spot, strike, years, rate, volatility, dividend_yield=carry, right=sign, accuracy=accuracy)

    return run


def theirs(options: dict[str, Array], scheme: str) -> Callable[[], Array]:
    """A loop of QuantLib over the book with the quotes of one process set anew."""
    import QuantLib as ql  # noqa: N813

    today = ql.Date(21, 11, 2026)
    ql.Settings.instance().evaluationDate = today
    days, calendar = ql.Actual365Fixed(), ql.NullCalendar()
    spot, rate, carry, volatility = (ql.SimpleQuote(1.0) for _ in range(4))
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(spot),
        *(ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(quote), days)) for quote in (carry, rate)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, calendar, ql.QuoteHandle(volatility), days)),
    )
    engine = ql.QdFpAmericanEngine(process, getattr(ql.QdFpAmericanEngine, scheme)())
    rows = list(zip(*(options[name].tolist() for name in NAMES), strict=True))

    def run() -> Array:
        prices = np.empty(len(rows))
        for place, (s, maturity, r, q, sigma, sign) in enumerate(rows):
            spot.setValue(s), rate.setValue(r), carry.setValue(q), volatility.setValue(sigma)
            payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, 100.0)
            option = ql.VanillaOption(payoff, ql.AmericanExercise(today, today + maturity))
            option.setPricingEngine(engine)
            prices[place] = option.NPV()
        return prices

    return run


def main() -> int:
    """Warm and measure all, print a row each, and return 1 when a ratio or an error misses its floor."""
    whole, part = book(OPTIONS), book(OPTIONS)
    part = {name: values[:PEER_OPTIONS] for name, values in part.items()}
    runs: dict[str, tuple[Callable[[], Any], int]] = {
        "price and greeks, fast": (ours(american_greeks, whole, "fast"), OPTIONS),
        "price and greeks, accurate": (ours(american_greeks, part, "accurate"), PEER_OPTIONS),
    }
    prices = {f"price and greeks, {name}": ours(american_price, part, name)() for name in ("fast", "accurate")}
    try:
        import QuantLib

        exact = theirs(part, "highPrecisionScheme")()
        for name in ("fast", "accurate"):
            runs[f"QdFp {name}"] = theirs(part, f"{name}Scheme"), PEER_OPTIONS
            prices[f"QdFp {name}"] = runs[f"QdFp {name}"][0]()
        print(f"QuantLib {QuantLib.__version__}")
    except ImportError:
        print("QuantLib is not installed: no peer to compare with")
        exact = prices["price and greeks, accurate"]
    taken = _medians(runs)
    errors = {name: values - exact for name, values in prices.items()}
    for name, microseconds in taken.items():
        rms, most = np.sqrt(np.mean(errors[name] ** 2)), np.abs(errors[name]).max()
        print(f"{name:28} {microseconds:9.2f} us an option   rms {rms:.1e}   max {most:.1e}")
    _print_row()
    missed = _missed(taken, errors)
    print("".join(f"MISSED: {sentence}\n" for sentence in missed), end="")
    return int(bool(missed))


def _missed(taken: dict[str, float], errors: dict[str, Array]) -> list[str]:
    found = []
    for contest in CONTESTS:
        rms = float(np.sqrt(np.mean(errors[contest.ours] ** 2)))
        if rms > contest.error:
            found.append(f"{contest.ours}: rms {rms:.1e}, at most {contest.error:.0e}")
        if contest.peer in taken:
            ratio = taken[contest.peer] / taken[contest.ours]
            print(f"{contest.ours} / {contest.peer}: {ratio:.1f}x, target {contest.target}x [{contest.floor}x]")
            if ratio < contest.floor:
                found.append(f"{contest.ours}: {ratio:.2f}x {contest.peer}, at least {contest.floor}")
    return found


def _print_row() -> None:
    """What a spot costs when one boundary serves a row of them."""
    spots = 100 * np.exp(np.random.default_rng(2).normal(0, 0.1, SCENARIOS))
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        american_row(spots, 100, 0.5, 0.05, 0.25, right="put")
        rounds.append(time.process_time() - begun)
    print(f"{'a row of spots':28} {1e6 * median(rounds) / SCENARIOS:9.2f} us a spot")


def _medians(runs: dict[str, tuple[Callable[[], Any], int]]) -> dict[str, float]:
    rounds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (run, count) in runs.items():
            begun = time.process_time()
            run()
            rounds[name].append(1e6 * (time.process_time() - begun) / count)
    return {name: median(values) for name, values in rounds.items()}


if __name__ == "__main__":
    sys.exit(main())

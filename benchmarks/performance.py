"""Statistics of returns: 500 assets x 2,520 days, whole and in windows, beside pandas, empyrical and quantstats.

CPU seconds an asset, medians of interleaved rounds, all cores counted. The peers take one series at a time, so they are
given fewer assets than we; pandas is given the whole table where it can take it. Answers are compared before anything
is timed. A floor is the least ratio that counts as done, a target what is aimed for; returns 1 below a floor. Cold is
the first call in a fresh process, with the compiled loops kept on disk.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.portfolio import performance

ROUNDS = 7
PERIODS, ASSETS, WINDOW, YEAR = 2_520, 500, 63, 252
OURS = "ours"
LIMITS = {  # floor and target, by task and peer
    ("twelve statistics", "empyrical-reloaded"): (20.0, 30.0),
    ("twelve statistics", "quantstats"): (250.0, 250.0),
    ("twelve statistics", "pandas"): (10.0, 10.0),
    ("rolling Sharpe, volatility, beta", "pandas"): (20.0, 20.0),
    ("rolling drawdown", "empyrical-reloaded"): (300.0, 300.0),
    ("rolling value at risk", "pandas"): (10.0, 10.0),
}
COLD = """
import time, numpy as np
start = time.perf_counter()
from sigmalib.portfolio import performance
performance.statistics(np.random.default_rng(1).normal(0, 0.01, (252, 10)))
performance.rolling_sharpe(np.random.default_rng(1).normal(0, 0.01, (252, 10)), 63)
print(time.perf_counter() - start)
"""

Answer = Callable[[], Any]


@dataclass(frozen=True)
class Task:
    """One question: what to call by name of who answers, and how many assets each is asked about."""

    name: str
    answers: dict[str, tuple[int, Answer]]


def main() -> int:
    """Measure every task, print a row a peer, and return 1 when a floor is missed."""
    rng = np.random.default_rng(5)
    days = pd.bdate_range("2016-01-04", periods=PERIODS)
    market = pd.Series(0.007 * rng.standard_t(5, PERIODS), days, name="market")
    own = market.to_numpy()[:, None] * rng.uniform(0.4, 1.6, ASSETS) + 0.012 * rng.standard_t(5, (PERIODS, ASSETS))
    panel = pd.DataFrame(own + 0.0003, days, [f"A{number:03}" for number in range(ASSETS)])
    _compare(panel, market)
    print(f"{'task':34}{'who':28}{'ms an asset':>12}{'ratio':>9}{'floor':>8}{'target':>8}")
    missed = [sentence for task in _tasks(panel, market) for sentence in _measured(task)]
    ran = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True)
    print(f"cold: first statistics and rolling ratio of a fresh process, imports included: {float(ran.stdout):.2f} s")
    print("".join(f"MISSED: {sentence}\n" for sentence in missed), end="")
    return int(bool(missed))


def _tasks(panel: pd.DataFrame, market: pd.Series) -> Iterator[Task]:
    empyrical, quantstats = _peer("empyrical"), _peer("quantstats.stats")
    rows: dict[str, tuple[int, Answer]] = {
        OURS: (ASSETS, lambda: performance.statistics(panel, benchmark=market)),
        "pandas": (ASSETS, lambda: _by_pandas(panel, market)),
    }
    if empyrical:
        rows["empyrical-reloaded"] = (
            10,
            lambda: [_by_empyrical(empyrical, panel[name], market) for name in panel.columns[:10]],
        )
    if quantstats:
        rows["quantstats"] = 3, lambda: [_by_quantstats(quantstats, panel[name], market) for name in panel.columns[:3]]
    yield Task("twelve statistics", rows)

    moments: dict[str, tuple[int, Answer]] = {
        OURS: (ASSETS, lambda: performance.rolling_statistics(panel, market, WINDOW)),
        "pandas": (100, lambda: _rolled_by_pandas(panel.iloc[:, :100], market)),
    }
    yield Task("rolling Sharpe, volatility, beta", moments)

    falls: dict[str, tuple[int, Answer]] = {OURS: (ASSETS, lambda: performance.rolling_drawdown(panel, YEAR))}
    if empyrical:
        falls["empyrical-reloaded"] = 1, lambda: empyrical.roll_max_drawdown(panel["A000"], YEAR)
    yield Task("rolling drawdown", falls)

    yield Task(
        "rolling value at risk",
        {
            OURS: (ASSETS, lambda: performance.rolling_value_at_risk(panel, YEAR)),
            "pandas": (25, lambda: panel.iloc[:, :25].rolling(YEAR).quantile(0.05)),
        },
    )


def _measured(task: Task) -> list[str]:
    """Print the medians of a task; a sentence for each floor that is missed."""
    taken: dict[str, list[float]] = {who: [] for who in task.answers}
    for _ in range(ROUNDS):
        for who, (assets, answer) in task.answers.items():
            start = time.process_time()
            kept = answer()
            taken[who].append((time.process_time() - start) / assets)
            del kept
    ours, missed = median(taken[OURS]), []
    for who, seconds in taken.items():
        each, ratio = median(seconds), median(seconds) / ours
        floor, target = LIMITS.get((task.name, who), (0.0, 0.0))
        named = f"{who} {version(who)}" if who != OURS else who
        bounds = f"{floor:8.0f}{target:8.0f}" if floor else ""
        print(f"{task.name:34}{named:28}{1e3 * each:12.4f}{ratio:9.1f}{bounds}")
        if ratio < floor:
            missed.append(f"{task.name}: {ratio:.1f} times as fast as {who}, at least {floor:.0f}")
    return missed


def _compare(panel: pd.DataFrame, market: pd.Series) -> None:
    """Our answers are those of pandas; AssertionError naming the first that is not."""
    found, expected = performance.statistics(panel, benchmark=market), _by_pandas(panel, market)
    for name in expected.columns:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, err_msg=name)
    rolled = performance.rolling_statistics(panel, market, WINDOW)
    for name, table in _rolled_by_pandas(panel.iloc[:, :20], market).items():
        np.testing.assert_allclose(getattr(rolled, name).iloc[:, :20], table, rtol=1e-9, atol=1e-10, err_msg=name)


def _by_pandas(panel: pd.DataFrame, market: pd.Series) -> pd.DataFrame:
    """The twelve statistics as a careful analyst writes them for a whole table."""
    wealth, mean, deviation, worst = (
        (1 + panel).cumprod(),
        panel.mean(),
        panel.std(),
        int(np.ceil(len(panel) * 0.05 - 1e-9)),
    )
    fallen = 1 - (wealth / wealth.cummax().clip(lower=1)).min()
    cagr, root = wealth.iloc[-1] ** (252 / len(panel)) - 1, 252**0.5
    apart, ordered = panel - mean, np.sort(panel.to_numpy(), axis=0)
    return pd.DataFrame(
        {
            "cumulative": wealth.iloc[-1] - 1,
            "cagr": cagr,
            "volatility": deviation * root,
            "sharpe": mean / deviation * root,
            "sortino": mean / (panel.clip(upper=0) ** 2).mean() ** 0.5 * root,
            "calmar": cagr / fallen,
            "max_drawdown": fallen,
            "value_at_risk": -ordered[worst - 1],
            "expected_shortfall": -ordered[:worst].mean(axis=0),
            "skew": (apart**3).mean() / (apart**2).mean() ** 1.5,
            "kurtosis": (apart**4).mean() / (apart**2).mean() ** 2 - 3,
            "beta": panel.corrwith(market) * deviation / market.std(),
        }
    )


def _rolled_by_pandas(panel: pd.DataFrame, market: pd.Series) -> dict[str, pd.DataFrame]:
    windows = panel.rolling(WINDOW)
    deviation = windows.std()
    beta = windows.cov(market).div(market.rolling(WINDOW).var(), axis=0)
    return {"sharpe": windows.mean() / deviation * 252**0.5, "volatility": deviation * 252**0.5, "beta": beta}


def _by_empyrical(peer: Any, one: pd.Series, market: pd.Series) -> list[float]:
    found = [peer.cum_returns_final, peer.annual_return, peer.annual_volatility, peer.sharpe_ratio, peer.sortino_ratio]
    found += [peer.calmar_ratio, peer.max_drawdown, peer.value_at_risk, peer.conditional_value_at_risk]
    return [*(measure(one) for measure in found), one.skew(), one.kurtosis(), peer.beta(one, market)]


def _by_quantstats(peer: Any, one: pd.Series, market: pd.Series) -> list[float]:
    found = [peer.comp, peer.cagr, peer.volatility, peer.sharpe, peer.sortino, peer.calmar, peer.max_drawdown]
    found += [peer.value_at_risk, peer.cvar, peer.skew, peer.kurtosis]
    return [*(measure(one) for measure in found), peer.greeks(one, market)["beta"]]


def _peer(name: str) -> Any:
    """A module of a peer, None (said so) where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed: left out")
        return None


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the peers' own
    sys.exit(main())

"""Factor betas: ours beside statsmodels, NumPy and scikit-learn; 5,000 assets, 8 factors, 750 sessions.

CPU microseconds per fit, medians of interleaved rounds; ours are whole calls of the public names, from a frame of
returns to frames of results. Peers fit fewer assets, since their time per asset does not depend on how many there are.
All are compared before anything is timed. Targets, and in brackets floors, as ratios of CPU time per fit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from statistics import median

import numpy as np
import pandas as pd

from sigmalib.risk.factors import factor_betas, rolling_betas

ASSETS, FACTORS, SESSIONS, WINDOW, ROUNDS = 5_000, 8, 750, 250, 5
LAGS = int(4 * (SESSIONS / 100) ** (2 / 9))
AGREE = 1e-10

Array = np.ndarray


@dataclass(frozen=True)
class Task:
    """What is timed: ours and peers, each with the number of fits that a call makes, and what they must reach."""

    name: str
    ours: Callable[[], object]
    fits: int
    peers: dict[str, tuple[Callable[[], object], int]]
    against: str
    target: float
    floor: float


def main() -> int:
    """Compare, measure, print a row a task and peer, and return 1 when a floor or the agreement is missed."""
    returns, factors = _market(0.0)
    holed, _ = _market(0.05)
    worst = _compare(returns, holed, factors)
    print(f"largest difference from statsmodels and least squares: {worst:.1e}, at most {AGREE:.0e}")
    missed = not worst <= AGREE
    print(f"{'task':32}{'who':42}{'us a fit':>10}{'ratio':>9}{'target':>8}{'floor':>7}")
    for task in _tasks(returns, holed, factors):
        missed |= _measured(task)
    return int(missed)


def _market(unknown: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns with a share of unknown ones, and factors."""
    rng = np.random.default_rng(2)
    days = pd.bdate_range("2022-01-03", periods=SESSIONS)
    moves = rng.normal(0, 0.01, (SESSIONS, FACTORS)) @ (np.eye(FACTORS) + 0.2)
    values = moves @ rng.normal(0.5, 0.6, (FACTORS, ASSETS)) + rng.normal(0, 0.02, (SESSIONS, ASSETS))
    values[rng.random(values.shape) < unknown] = np.nan
    names = [f"F{number}" for number in range(FACTORS)]
    return pd.DataFrame(values, days), pd.DataFrame(moves, days, names)


def _tasks(returns: pd.DataFrame, holed: pd.DataFrame, factors: pd.DataFrame) -> list[Task]:
    design = np.column_stack([np.ones(SESSIONS), factors.to_numpy()])
    values, windows = returns.to_numpy(), SESSIONS - WINDOW + 1
    least = {f"NumPy {np.__version__} Cholesky and GEMM, plain errors": (lambda: _gemm(design, values), ASSETS)}
    if find_spec("sklearn"):
        least[f"scikit-learn {version('scikit-learn')}, betas only"] = (lambda: _sklearn(design, values), ASSETS)
    else:
        print("scikit-learn is not installed: left out")
    loop = {f"NumPy {np.__version__} a GEMM a window": (lambda: _gemms(design, values), windows * ASSETS)}
    if not find_spec("statsmodels"):
        print("statsmodels is not installed: nothing to hold the floors against")
        return []
    name = f"statsmodels {version('statsmodels')}"
    hac, rolls, holes = f"{name} OLS HAC", f"{name} RollingOLS", f"{name} RollingOLS missing=drop"
    fitted = {hac: (lambda: _statsmodels(design, values[:, :100]), 100), **least}
    rolled = {rolls: (lambda: _rolling(design, values[:, :3]), 3 * windows), **loop}
    dropped = {holes: (lambda: _rolling(design, holed.to_numpy()[:, :3]), 3 * windows)}
    against = {rolls: (lambda: _rolling(design, values[:, :3]), 3 * windows)}

    def whole() -> object:
        return factor_betas(returns, factors, window=None)

    def partly() -> object:
        return factor_betas(holed, factors, window=None)

    def along() -> object:
        return rolling_betas(returns, factors, window=WINDOW)

    def along_holes() -> object:
        return rolling_betas(holed, factors, window=WINDOW)

    return [
        Task("betas, Newey-West, ridge", whole, ASSETS, fitted, hac, 50, 50),
        Task("the same, 5 % unknown", partly, ASSETS, {hac: fitted[hac]}, hac, 0, 0),
        Task("rolling 250", along, windows * ASSETS, rolled, rolls, 100, 60),
        Task("rolling 250, 5 % unknown", along_holes, windows * ASSETS, against | dropped, rolls, 40, 40),
    ]


def _measured(task: Task) -> bool:
    """Print the task's rows; whether its floor is missed."""
    entries = {"sigmalib": (task.ours, task.fits), **task.peers}
    taken: dict[str, list[float]] = {name: [] for name in entries}
    for _ in range(ROUNDS):
        for name, (run, fits) in entries.items():
            start = time.process_time()
            answer = run()
            taken[name].append(1e6 * (time.process_time() - start) / fits)
            del answer
    medians = {name: median(each) for name, each in taken.items()}
    print(f"{task.name:32}{'sigmalib':42}{medians['sigmalib']:10.3f}")
    for name in task.peers:
        ratio = medians[name] / medians["sigmalib"]
        held = f"{task.target:8.0f}{task.floor:7.0f}" if name == task.against and task.floor else f"{'-':>8}{'-':>7}"
        print(f"{'':32}{name:42}{medians[name]:10.3f}{ratio:9.1f}{held}")
    ratio = medians[task.against] / medians["sigmalib"]
    if ratio < task.floor:
        print(f"MISSED: {task.name}: {ratio:.1f} times {task.against}, at least {task.floor:.0f}")
    return ratio < task.floor


def _compare(returns: pd.DataFrame, holed: pd.DataFrame, factors: pd.DataFrame) -> float:
    """The largest difference of betas, errors and rolling betas from what other programs give."""
    import statsmodels.api as sm

    design, worst = np.column_stack([np.ones(SESSIONS), factors.to_numpy()]), 0.0
    for table in (returns, holed):
        found = factor_betas(table, factors, window=None)
        rolled = rolling_betas(table, factors, window=WINDOW).to_numpy().reshape(-1, 1 + FACTORS, ASSETS)
        for asset in range(0, ASSETS, 250):
            y = table[asset].to_numpy()
            known = ~np.isnan(y)
            lags = int(4 * (known.sum() / 100) ** (2 / 9))
            fit = sm.OLS(y[known], design[known]).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
            errors = np.abs(found.standard_errors.loc[asset] / fit.bse - 1).max()
            worst = max(worst, errors, np.abs(found.betas.loc[asset] - fit.params[1:]).max())
            for start in (0, 137, len(rolled) - 1):
                part = slice(start, start + WINDOW)
                right = np.linalg.lstsq(design[part][known[part]], y[part][known[part]], rcond=None)[0]
                worst = max(worst, np.abs(rolled[start, :, asset] - right).max())
    return float(worst)


def _statsmodels(design: Array, values: Array) -> object:
    import statsmodels.api as sm

    fits = []
    for place in range(values.shape[1]):
        fit = sm.OLS(values[:, place], design).fit(cov_type="HAC", cov_kwds={"maxlags": LAGS})
        fits.append((fit.params, fit.bse, fit.tvalues, fit.pvalues, fit.rsquared))
    return fits


def _rolling(design: Array, values: Array) -> object:
    from statsmodels.regression.rolling import RollingOLS

    columns = (values[:, place] for place in range(values.shape[1]))
    return [RollingOLS(y, design, window=WINDOW, missing="drop").fit(params_only=True).params for y in columns]


def _gemm(design: Array, values: Array) -> object:
    gram = design.T @ design
    betas = np.linalg.solve(gram, design.T @ values)
    left = values - design @ betas
    variance = np.einsum("ij,ij->j", left, left) / (SESSIONS - FACTORS - 1)
    away = values - values.mean(0)
    errors = np.sqrt(np.diag(np.linalg.inv(gram))[:, None] * variance)
    return betas, errors, 1 - variance * (SESSIONS - FACTORS - 1) / np.einsum("ij,ij->j", away, away)


def _gemms(design: Array, values: Array) -> object:
    out = np.empty((SESSIONS - WINDOW + 1, 1 + FACTORS, ASSETS))
    for start in range(len(out)):
        part = design[start : start + WINDOW]
        out[start] = np.linalg.solve(part.T @ part, part.T) @ values[start : start + WINDOW]
    return out


def _sklearn(design: Array, values: Array) -> object:
    from sklearn.linear_model import LinearRegression

    return LinearRegression(fit_intercept=False).fit(design, values).coef_


if __name__ == "__main__":
    sys.exit(main())

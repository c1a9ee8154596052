"""All tail measures of one sample side by side, with intervals, standard errors and conventions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.levels import TOLERANCE, checked, tail_share
from sigmalib.risk.tails import distributions, sampling
from sigmalib.risk.tails.methods import (
    METHODS,
    PARAMETRIC,
    Asked,
    Method,
    asked_for,
    drawn_from,
    evaluated,
    fitted_to,
    moments_for,
    prepared_for,
    unit_of,
)
from sigmalib.risk.tails.outcomes import Floats, Missing, outcomes_of, whole

COLUMNS = [
    *("var", "es", "var_low", "var_high", "es_low", "es_high", "standard_error", "error", "note"),
    *("n", "dropped", "window", "horizon", "ddof"),
]
Sample = npt.ArrayLike | pd.Series


def tail_measures(
    pnl: Sample,
    levels: Iterable[float] = (0.95, 0.99),
    *,
    methods: Iterable[Method] = METHODS,
    ddof: int = 1,
    mean_zero: bool = False,
    degrees_of_freedom: float | None = None,
    horizon: int = 1,
    missing: Missing = "raise",
    seed: int = 0,
    draws: int = 100_000,
    replicates: int = 500,
    interval: float = 0.9,
    block: float | None = None,
) -> pd.DataFrame:
    """VaR and ES by every method and level, with intervals, standard errors and the conventions behind them.

    Returns (method, level) x var, es, var_low, var_high, es_low, es_high, standard_error (of the VaR), error (where
    it comes from), note, n, dropped, window, horizon, ddof; money as in ``pnl``, losses positive, unknown is NaN.

    The intervals hold ``interval`` of ``replicates`` stationary bootstrap samples (Politis and Romano, 1994) of runs of
    ``block`` sessions on average: n^(1/3) unless given, at least the horizon; 1 is i.i.d. Degrees of freedom and
    filtered volatilities are not fitted again for each. Standard errors: "normal theory", s sqrt(1 / n + z^2 / (2 n))
    (Jorion, 1996, eq. 8), for the normal; "simulation", sqrt(a (1 - a) / N) / f(q), for Monte Carlo, whose intervals
    are of the draws alone; otherwise the "bootstrap" deviation. ``replicates`` 0 leaves all but the first two NaN.

    >>> table = tail_measures([0.01, -0.02, 0.03, -0.01], [0.95], methods=["normal"], replicates=0)
    >>> table[["var", "es"]].round(6).to_dict("records")
    [{'var': 0.033972, 'es': 0.043238}]
    """
    sample = outcomes_of(pnl, missing=missing)
    common = (ddof, mean_zero, degrees_of_freedom, None, horizon, seed, draws)
    conventions = {
        "n": len(sample),
        "dropped": np.size(pnl) - len(sample),
        "window": _window(pnl, len(sample)),
        "horizon": whole(horizon, "horizon", least=1),
        "ddof": ddof,
    }
    rows = {}
    for asked in (asked_for(method, *common) for method in _listed(methods)):
        for level in _listed(levels):
            spread = _Bootstrap(replicates, interval, block, seed)
            rows[asked.method, checked(level)] = _row(sample, tail_share(level), asked, spread) | conventions
    index = pd.MultiIndex.from_tuples(list(rows), names=["method", "level"])
    return pd.DataFrame(list(rows.values()), index=index, columns=COLUMNS)


@dataclass(frozen=True)
class _Bootstrap:
    """How intervals are found, checked."""

    replicates: int
    interval: float
    block: float | None
    seed: int

    def __post_init__(self) -> None:
        if not 0 < self.interval < 1:
            raise InputError(f"`interval` must lie in (0, 1), was {self.interval!r}; pass 0.9")
        whole(self.replicates, "replicates")
        if self.block is not None and not 1 <= self.block < math.inf:
            raise InputError(f"`block` must be a mean length of 1 session or more, was {self.block!r}")

    @property
    def edges(self) -> tuple[float, float]:
        """The quantiles on which the interval ends."""
        return (1 - self.interval) / 2, (1 + self.interval) / 2


def _row(sample: Floats, tail: float, asked: Asked, spread: _Bootstrap) -> dict[str, object]:
    """One row of ``tail_measures``; computed in the sample's own power of two, so that no square overflows."""
    unit = unit_of(sample)
    scaled = sample / unit
    asked = fitted_to(scaled, asked)
    prepared = prepared_for(scaled, asked)
    var, es = evaluated(prepared, tail, asked)
    if asked.method == "monte_carlo":
        found, error = _simulation_error(prepared, tail, asked, spread, float(var), float(es)), "simulation"
    else:
        found = _bootstrap_error(prepared, tail, asked, spread)
        error = "" if math.isnan(found["standard_error"]) else "bootstrap"
    if asked.method == "normal" and len(sample):
        found, error = found | {"standard_error": _normal_error(prepared, tail, asked)}, "normal theory"
    money = {name: float(value) * unit for name, value in ({"var": var, "es": es} | found).items()}
    return money | {"error": error, "note": _note(prepared, tail, asked)}


def _bootstrap_error(prepared: Floats, tail: float, asked: Asked, spread: _Bootstrap) -> dict[str, float]:
    """Interval and standard error from resampled outcomes; those without a value, such as a Cornish-Fisher expansion
    that is refused, are left out, and all is unknown when they are more than a tenth."""
    columns = ("var_low", "es_low", "var_high", "es_high", "standard_error")
    count = len(prepared)
    if spread.replicates < 2 or count < max(2, asked.horizon):
        return dict.fromkeys(columns, math.nan)
    block = max(asked.horizon, spread.block or count ** (1 / 3))
    draws = sampling.stationary_bootstrap(count, int(spread.replicates), block, seed=spread.seed)
    found = np.hstack([np.stack(evaluated(prepared[rows], tail, asked)) for rows in draws])
    usable = found[:, np.isfinite(found).all(axis=0)]
    if usable.shape[1] < 0.9 * spread.replicates:
        return dict.fromkeys(columns, math.nan)
    ends = np.quantile(usable, spread.edges, axis=1).ravel()
    return dict(zip(columns, (*ends, usable[0].std(ddof=1)), strict=True))


def _simulation_error(
    prepared: Floats, tail: float, asked: Asked, spread: _Bootstrap, var: float, es: float
) -> dict[str, float]:
    """Errors of the draws: of VaR by the density at the quantile, of ES by Manistre and Hancock (2005), eq. 3."""
    fitted = moments_for(prepared, asked)
    drawn = drawn_from(fitted, asked) if len(prepared) else prepared
    inside = drawn[drawn <= -var]
    of_var = float(sampling.quantile_error(asked.draws, tail, _density(-var, fitted, asked)))
    between = np.var(inside) + (1 - tail) * (es - var) ** 2 if inside.size else math.nan
    of_es = math.sqrt(between / (asked.draws * tail))
    width = distributions.normal_quantile(spread.edges[1])
    low, high = (var - width * of_var, es - width * of_es), (var + width * of_var, es + width * of_es)
    columns = ("var_low", "es_low", "var_high", "es_high", "standard_error")
    return dict(zip(columns, (*low, *high, of_var), strict=True))


def _density(at: float, fitted: distributions.Moments, asked: Asked) -> float:
    """Density, at an outcome, of the distribution that Monte Carlo draws from; NaN when it has no width."""
    if not fitted.deviation > 0:
        return math.nan
    freedom, z = asked.degrees_of_freedom, float((at - fitted.mean) / fitted.deviation)
    if freedom is None or freedom == math.inf:
        return distributions.normal_density(z) / float(fitted.deviation)
    widened = math.sqrt(freedom / (freedom - 2))
    return distributions.student_t_density(z * widened, freedom) * widened / float(fitted.deviation)


def _normal_error(prepared: Floats, tail: float, asked: Asked) -> float:
    deviation = float(distributions.moments(prepared, ddof=asked.ddof).deviation)
    of_mean = 0.0 if asked.mean_zero else float(asked.horizon**2)
    z = distributions.normal_quantile(tail)
    return deviation * math.sqrt((of_mean + asked.horizon * z * z / 2) / len(prepared))


def _note(sample: Floats, tail: float, asked: Asked) -> str:
    told = []
    size = max(0, len(sample) - asked.horizon + 1)
    if asked.method in ("student_t", "monte_carlo") and asked.degrees_of_freedom is not None:
        fat = asked.degrees_of_freedom < math.inf
        freedom = f"with {asked.degrees_of_freedom:.4g} degrees of freedom"
        told.append(f"Student t {freedom if fat else 'as the normal: no fat tail found'}")
    if asked.method == "cornish_fisher" and len(sample):
        told.append(distributions.cornish_fisher_note(moments_for(sample, asked), tail))
    if asked.decay is not None:
        told.append(f"decay {asked.decay:g}")
    if asked.method == "monte_carlo":
        told.append(f"{asked.draws} draws from seed {asked.seed}")
    if asked.horizon > 1:
        told.append(
            f"square root of {asked.horizon} sessions, independent"
            if asked.method in PARAMETRIC
            else f"{size} overlapping sums of {asked.horizon} sessions"
        )
    if asked.method not in PARAMETRIC and 0 < size * tail < 1 - TOLERANCE:
        told.append("fewer than one tail observation")
    return "; ".join(filter(None, told)) if len(sample) else "no outcomes"


def _listed(given: Iterable[object] | object) -> list:  # type: ignore[type-arg]
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _window(pnl: Sample, count: int) -> str:
    if isinstance(pnl, pd.Series) and isinstance(pnl.index, pd.DatetimeIndex) and len(pnl):
        return f"{pnl.index[0]:%Y-%m-%d} to {pnl.index[-1]:%Y-%m-%d}"
    return f"{count} outcomes"

"""The eight methods of measuring a tail: their names, their settings, and one sample measured by one of them."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sigmalib.core.errors import InputError
from sigmalib.risk.tails import distributions, outcomes
from sigmalib.risk.tails.outcomes import Floats, overlapping, whole

Method = Literal[
    "historical",
    "linear",
    "age_weighted",
    "volatility_filtered",
    "normal",
    "student_t",
    "cornish_fisher",
    "monte_carlo",
]
METHODS: tuple[Method, ...] = Method.__args__  # type: ignore[attr-defined]
ALIASES: dict[str, Method] = {
    **dict.fromkeys(("empirical", "inverse_cdf", "hs", "historic", "historical_simulation"), "historical"),
    **dict.fromkeys(("interpolated", "type_7", "historical_linear"), "linear"),
    **dict.fromkeys(("parametric", "gaussian", "delta_normal", "variance_covariance"), "normal"),
    **dict.fromkeys(("t", "student", "students_t", "studentt"), "student_t"),
    **dict.fromkeys(("cf", "modified", "cornishfisher"), "cornish_fisher"),
    **dict.fromkeys(("brw", "age"), "age_weighted"),
    **dict.fromkeys(("hull_white", "filtered", "filtered_historical"), "volatility_filtered"),
    **dict.fromkeys(("mc", "montecarlo", "simulated"), "monte_carlo"),
}
DECAYS: dict[Method, float] = {"age_weighted": 0.98, "volatility_filtered": 0.94}
PARAMETRIC = ("normal", "student_t", "cornish_fisher", "monte_carlo")


@dataclass(frozen=True)
class Asked:
    """One method with its settings, checked."""

    method: Method
    ddof: int
    mean_zero: bool
    degrees_of_freedom: float | None
    decay: float | None
    horizon: int
    seed: int
    draws: int


def measured(sample: Floats, tail: float, asked: Asked) -> tuple[float, float]:
    """VaR and ES of one sample; computed in its own power of two, so that no square overflows."""
    unit = unit_of(sample)
    fitted = fitted_to(sample / unit, asked)
    var, es = evaluated(prepared_for(sample / unit, fitted), tail, fitted)
    return float(var) * unit, float(es) * unit


def evaluated(prepared: Floats, tail: float, asked: Asked) -> tuple[Floats, Floats]:
    """VaR and ES of samples (..., n) as ``prepared_for`` gives them."""
    if asked.method in PARAMETRIC:
        return from_moments(moments_for(prepared, asked), tail, asked)
    sums = overlapping(prepared, asked.horizon)
    if asked.method == "linear":
        return outcomes.interpolated_tail(sums, tail)
    if asked.method == "age_weighted":
        return outcomes.weighted_tail(sums, outcomes.age_weights(sums.shape[-1], float(asked.decay or 1)), tail)
    return outcomes.empirical_tail(sums, tail)


def from_moments(fitted: distributions.Moments, tail: float, asked: Asked) -> tuple[Floats, Floats]:
    if asked.method == "cornish_fisher":
        return distributions.cornish_fisher_tail(fitted, tail)
    if asked.method == "monte_carlo":
        return outcomes.empirical_tail(drawn_from(fitted, asked), tail)
    if asked.method == "normal":
        return distributions.normal_tail(fitted.mean, fitted.deviation, tail)
    if asked.degrees_of_freedom is None:
        return fitted.mean * math.nan, fitted.mean * math.nan
    return distributions.student_t_tail(fitted.mean, fitted.deviation, asked.degrees_of_freedom, tail)


def moments_for(prepared: Floats, asked: Asked) -> distributions.Moments:
    found = distributions.moments(prepared, ddof=asked.ddof, mean_zero=asked.mean_zero)
    return found.over(asked.horizon)


def drawn_from(fitted: distributions.Moments, asked: Asked) -> Floats:
    random, freedom = np.random.default_rng(asked.seed), asked.degrees_of_freedom
    moves = random.standard_normal(asked.draws)
    if freedom is not None and freedom < math.inf:
        moves *= np.sqrt((freedom - 2) / random.chisquare(freedom, asked.draws))
    return fitted.mean + fitted.deviation * moves


def prepared_for(scaled: Floats, asked: Asked) -> Floats:
    filtered = asked.method == "volatility_filtered" and len(scaled)
    return outcomes.volatility_filtered(scaled, float(asked.decay or 1)) if filtered else scaled


def fitted_to(scaled: Floats, asked: Asked) -> Asked:
    """With degrees of freedom, where the method has some, none were given and the sample allows a fit."""
    if asked.method != "student_t" or asked.degrees_of_freedom is not None or len(scaled) < 3:
        return asked
    freedom = distributions.fitted_degrees_of_freedom(scaled, ddof=asked.ddof)
    return replace(asked, degrees_of_freedom=freedom)


def unit_of(sample: Floats) -> float:
    """The power of two at the size of the largest outcome: dividing by it loses nothing."""
    largest = float(np.abs(sample).max(initial=0.0))
    return 2.0 ** min(max(math.frexp(largest)[1], -1021), 1023) if largest else 1.0


def asked_for(
    method: str,
    ddof: int,
    mean_zero: bool,
    degrees_of_freedom: float | None,
    decay: float | None,
    horizon: int,
    seed: int,
    draws: int,
) -> Asked:
    known = _method(method)
    if ddof not in (0, 1):
        raise InputError(f"`ddof` must be 0 or 1, was {ddof!r}")
    if decay is not None and not 0 < decay <= 1:
        raise InputError(f"`decay` must lie in (0, 1], was {decay!r}; the usual values are 0.94 to 0.98")
    freedom = None if degrees_of_freedom is None else distributions.degrees_of_freedom_of(degrees_of_freedom)
    used = (decay or DECAYS[known]) if known in DECAYS else None
    return Asked(
        known, ddof, mean_zero, freedom, used, whole(horizon, "horizon", least=1), seed, whole(draws, "draws", least=1)
    )


def _method(name: str) -> Method:
    plain = str(name).strip().lower().replace("-", "_").replace(" ", "_").replace("'", "")
    for method in METHODS:
        if plain == method or ALIASES.get(plain) == method:
            return method
    near = difflib.get_close_matches(plain, [*METHODS, *ALIASES], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"`method` must be one of {', '.join(map(repr, METHODS))}, was {name!r}{hint}")

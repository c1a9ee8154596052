"""Tails of a distribution with a formula: normal, Student's t, Cornish-Fisher; losses positive.

Each takes the mean and standard deviation of the outcomes (scalars or arrays alike) and a tail share, and gives VaR and
ES in their unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sigmalib.core.errors import InputError

Floats = npt.NDArray[np.float64]
FITTED = (2.1, 1000.0)  # degrees of freedom a fit may find: below, variance hardly exists; above, it is the normal
BEYOND = 0.01  # the part of the tail in which a Cornish-Fisher quantile may turn round: see `cornish_fisher_rises`


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean, standard deviation, skewness and excess kurtosis of samples; the last two with population moments."""

    mean: Floats
    deviation: Floats
    skewness: Floats
    kurtosis: Floats

    def over(self, horizon: int) -> Moments:
        """The moments of a sum of ``horizon`` independent outcomes: n m, sqrt(n) s, S / sqrt(n), K / n."""
        root = math.sqrt(horizon)
        return Moments(self.mean * horizon, self.deviation * root, self.skewness / root, self.kurtosis / horizon)


def moments(outcomes: Floats, *, ddof: int = 1, mean_zero: bool = False) -> Moments:
    """Moments of samples (..., n) along the last axis; NaN with ``ddof`` outcomes or fewer.

    ddof : 1 divides the variance by n - 1, 0 by n. mean_zero : take the mean as zero in VaR; deviation, skewness and
    kurtosis stay those about the sample mean. A deviation of 1e-12 of the largest outcome or less is zero; skewness
    and kurtosis are zero with it.
    """
    count = outcomes.shape[-1]
    if count <= ddof or count == 0:
        nothing = np.full(outcomes.shape[:-1], np.nan)
        return Moments(nothing, nothing, nothing, nothing)
    mean = outcomes.mean(axis=-1)
    apart = outcomes - mean[..., None]
    square = (apart**2).mean(axis=-1)
    moving = np.sqrt(square) > 1e-12 * np.abs(outcomes).max(axis=-1)
    unit = np.where(moving, square, 1.0)
    return Moments(
        np.zeros_like(mean) if mean_zero else mean,
        np.where(moving, np.sqrt(square * (count / (count - ddof))), 0.0),
        np.where(moving, (apart**3).mean(axis=-1) / unit**1.5, 0.0),
        np.where(moving, (apart**4).mean(axis=-1) / unit**2 - 3.0, 0.0),
    )


def normal_quantile(share: float) -> float:
    """z with the share of the standard normal distribution below it (Wichura, 1988, algorithm AS 241).

    >>> round(normal_quantile(0.05), 6)
    -1.644854
    """
    return NormalDist().inv_cdf(share)


def normal_density(z: float) -> float:
    """exp(-z^2 / 2) / sqrt(2 pi)."""
    return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def normal_tail(mean: npt.ArrayLike, deviation: npt.ArrayLike, tail: float) -> tuple[Floats, Floats]:
    """VaR -(m + z s) and ES -m + s phi(z) / a of a normal outcome (McNeil, Frey and Embrechts, 2015, p. 70).

    >>> var, es = normal_tail(0.0, 1.0, 0.05)
    >>> float(var.round(6)), float(es.round(6))
    (1.644854, 2.062713)
    """
    m, s, z = np.asarray(mean, dtype=float), np.asarray(deviation, dtype=float), normal_quantile(tail)
    return 0.0 - (m + z * s), 0.0 - m + s * (normal_density(z) / tail)


def student_t_tail(
    mean: npt.ArrayLike, deviation: npt.ArrayLike, degrees_of_freedom: float, tail: float
) -> tuple[Floats, Floats]:
    """VaR and ES of a Student t with this mean and standard deviation; infinite degrees of freedom are the normal.

    VaR = -m - s sqrt((v - 2) / v) t_a; ES = -m + s sqrt((v - 2) / v) f(t_a) / a (v + t_a^2) / (v - 1)
    (McNeil, Frey and Embrechts, 2015, p. 71). Raises InputError unless v > 2: no standard deviation below.

    >>> var, es = student_t_tail(0.0, 1.0, 4.0, 0.01)
    >>> float(var.round(6)), float(es.round(6))
    (2.649492, 3.69151)
    """
    v = degrees_of_freedom_of(degrees_of_freedom)
    if v == math.inf:
        return normal_tail(mean, deviation, tail)
    from scipy.special import stdtrit

    m, scale = np.asarray(mean, dtype=float), np.asarray(deviation, dtype=float) * math.sqrt((v - 2) / v)
    t = float(stdtrit(v, tail))
    return 0.0 - m - scale * t, 0.0 - m + scale * (student_t_density(t, v) / tail * (v + t * t) / (v - 1))


def student_t_density(t: float, degrees_of_freedom: float) -> float:
    """Density of the standard Student t, whose variance is v / (v - 2).

    >>> round(student_t_density(0.0, 4.0), 6)
    0.375
    """
    from scipy.special import betaln

    v = degrees_of_freedom
    return math.exp(-(v + 1) / 2 * math.log1p(t * t / v) - betaln(0.5, v / 2)) / math.sqrt(v)


def degrees_of_freedom_of(value: float) -> float:
    """``value`` as degrees of freedom above 2; InputError otherwise."""
    if not np.isscalar(value) or isinstance(value, str) or not value > 2:
        raise InputError(f"`degrees_of_freedom` must exceed 2, or the deviation is infinite; was {value!r}")
    return float(value)


def fitted_degrees_of_freedom(outcomes: Floats, *, ddof: int = 1) -> float:
    """Degrees of freedom of greatest likelihood for a Student t with the mean and deviation of the sample.

    Between 2.1 and 1000; infinite where 1000 is the most likely, which is the normal; NaN with fewer than three
    outcomes, infinite when they never move. One parameter is fitted: location and scale stay the sample's.

    >>> round(fitted_degrees_of_freedom(np.array([-4.0, -1.0, -0.5, 0.0, 0.2, 0.4, 0.9, 5.0])), 2)
    2.39
    """
    from scipy.optimize import minimize_scalar

    ordered = np.sort(outcomes)  # sums of the same numbers in one order, whatever theirs was
    sample = moments(ordered, ddof=ddof)
    if outcomes.size < 3:
        return math.nan
    if sample.deviation == 0:
        return math.inf
    squares = ((ordered - sample.mean) / sample.deviation) ** 2
    low, high = 1 / FITTED[1], 1 / FITTED[0]

    def cost(inverse: float) -> float:
        return _student_t_cost(squares, inverse)

    best = float(minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).x)
    inverse = min((_exact_minimum(squares, best, low, high), low, high), key=cost)
    return math.inf if inverse <= low * 1.001 else 1 / inverse


def _student_t_cost(squares: Floats, inverse: float) -> float:
    """Minus the mean log likelihood of a Student t of unit deviation with 1 / ``inverse`` degrees of freedom."""
    from scipy.special import gammaln

    v = 1 / inverse
    constant = gammaln((v + 1) / 2) - gammaln(v / 2) - 0.5 * math.log(v - 2)
    return float((v + 1) / 2 * np.log1p(squares / (v - 2)).mean() - constant)


def _student_t_slope(squares: Floats, inverse: float) -> float:
    """What ``_student_t_cost`` rises by with the degrees of freedom, times -1: it rises with ``inverse``."""
    from scipy.special import digamma

    v = 1 / inverse
    apart = v - 2
    constant = 0.5 * (digamma((v + 1) / 2) - digamma(v / 2) - 1 / apart)
    moved = 0.5 * np.log1p(squares / apart).mean() - (v + 1) / 2 * (squares / (apart + squares)).mean() / apart
    return float(constant - moved)


def _exact_minimum(squares: Floats, near: float, low: float, high: float) -> float:
    """The root of the slope beside a minimum that is ``near``: there a cost is flat and says its place to half the
    digits only. ``near`` itself where the slope does not change sign within the bounds."""
    from scipy.optimize import brentq

    for width in (1e-6, 1e-4, 1e-2, 0.3):
        first, last = max(low, near * (1 - width)), min(high, near * (1 + width))
        if _student_t_slope(squares, first) < 0 < _student_t_slope(squares, last):
            return float(brentq(lambda inverse: _student_t_slope(squares, inverse), first, last, xtol=1e-300))
    return near


def cornish_fisher_tail(sample: Moments, tail: float) -> tuple[Floats, Floats]:
    """VaR and ES of the Cornish-Fisher expansion; NaN where it does not rise (``cornish_fisher_rises``).

    z_cf = z + (z^2 - 1) S / 6 + (z^3 - 3 z) K / 24 - (2 z^3 - 5 z) S^2 / 36, VaR = -(m + z_cf s) (Cornish and Fisher,
    1938; Zangari, 1996). ES is the mean of that quantile over the tail: -m + s phi(z) / a [1 + z S / 6 + (z^2 - 1) K /
    24 + (1 - 2 z^2) S^2 / 36]; not the Edgeworth "modified ES" of Boudt, Peterson and Croux (2008).
    """
    z, S, K = normal_quantile(tail), sample.skewness, sample.kurtosis
    quantile = z + (z**2 - 1) * S / 6 + (z**3 - 3 * z) * K / 24 - (2 * z**3 - 5 * z) * S**2 / 36
    average = 1 + z * S / 6 + (z**2 - 1) * K / 24 + (1 - 2 * z**2) * S**2 / 36
    usable = cornish_fisher_rises(S, K, tail) | (sample.deviation == 0)
    var = 0.0 - (sample.mean + quantile * sample.deviation)
    es = 0.0 - sample.mean + sample.deviation * (normal_density(z) / tail) * average
    return np.where(usable, var, np.nan), np.where(usable, es, np.nan)


def cornish_fisher_monotone(skewness: npt.ArrayLike, kurtosis: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether the Cornish-Fisher quantile rises for every z.

    The test is S^2 / 9 - 4 (K / 8 - S^2 / 6)(1 - K / 8 + 5 S^2 / 36) <= 0 (Maillard, 2012, "A user's guide to the
    Cornish Fisher expansion", eq. 7). An expansion that falls for every z passes it, too, and is refused all the same.

    >>> bool(cornish_fisher_monotone(0.0, 1.0)), bool(cornish_fisher_monotone(0.0, -0.1))
    (True, False)
    """
    square, slope, constant = _derivative(skewness, kurtosis)
    return (slope**2 - 4 * square * constant <= 0) & (constant >= 0)


def cornish_fisher_rises(skewness: npt.ArrayLike, kurtosis: npt.ArrayLike, tail: float) -> npt.NDArray[np.bool_]:
    """Whether the Cornish-Fisher quantile rises where a tail measure uses it: from z(a / 100) to z(1 - a).

    ``cornish_fisher_monotone`` asks for more: near the normal, with K just below 0, it fails for a turning point ten
    deviations away. Such a sample is used and flagged; one that turns inside this range is refused.

    >>> bool(cornish_fisher_rises(0.0, -0.1, 0.05)), bool(cornish_fisher_rises(-2.0, 6.0, 0.05))
    (True, False)
    """
    square, slope, constant = _derivative(skewness, kurtosis)
    low, high = normal_quantile(tail * BEYOND), -normal_quantile(tail)
    vertex = np.clip(-slope / np.where(square > 0, 2 * square, 1.0), low, high)
    turning = np.where(square > 0, vertex, low)
    lowest = [(square * z + slope) * z + constant for z in (low, high, turning)]
    return np.minimum.reduce(lowest) >= 0


def cornish_fisher_note(sample: Moments, tail: float) -> str:
    """A sentence on why a sample is refused or flagged; empty when the expansion rises everywhere."""
    S, K = float(sample.skewness), float(sample.kurtosis)
    if math.isnan(S) or cornish_fisher_monotone(S, K):
        return ""
    told = f"with skewness {S:.3g} and excess kurtosis {K:.3g} the Cornish-Fisher quantile is not monotone"
    if cornish_fisher_rises(S, K, tail):
        return f"flagged: {told}, but rises over the part of the tail that is used"
    return f"refused: {told}; read the historical or Student t row"


def _derivative(skewness: npt.ArrayLike, kurtosis: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """d z_cf / dz as the coefficients of z^2, z and 1."""
    S, K = np.asarray(skewness, dtype=float), np.asarray(kurtosis, dtype=float)
    return K / 8 - S**2 / 6, S / 3, 1 - K / 8 + 5 * S**2 / 36

"""What factors explain of a book's variance, on its own and against a benchmark: parts that sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.portfolio.performance import PERIODS_PER_YEAR
from sigmalib.risk.factor_model.betas import FactorBetas, plain
from sigmalib.risk.factor_model.factor_book import FactorExposures, factor_exposures
from sigmalib.risk.factor_model.panel import named


@dataclass(frozen=True, eq=False)
class VarianceSplit:
    """A variance a year in parts that sum: total = factor + idiosyncratic, factor = the sum over factors.

    by_factor : (factor) x exposure, contribution b_k (S b)_k, share of the total. idiosyncratic_share : the rest.
    unknown : names without a residual variance; with any of them the idiosyncratic part and the total are NaN.
    volatility : the root of the total, in the unit of the exposures.
    """

    total: float
    factor: float
    idiosyncratic: float
    by_factor: pd.DataFrame
    idiosyncratic_share: float
    volatility: float
    unknown: tuple[str, ...]
    periods_per_year: int

    def to_dict(self) -> dict[str, Any]:
        """All parts as plain values."""
        names = ("total", "factor", "idiosyncratic", "idiosyncratic_share", "volatility", "periods_per_year")
        told = {name: getattr(self, name) for name in names}
        return told | {"by_factor": plain(self.by_factor), "unknown": list(self.unknown)}


@dataclass(frozen=True, eq=False)
class Active:
    """A portfolio against a benchmark: exposures (factor) x portfolio, benchmark, active, contribution, share.

    Contributions and ``idiosyncratic`` sum to ``tracking_error``, ex ante and a year, in the unit of the weights.
    ``without_beta`` has the names that lack a beta and are in no number.
    """

    exposures: pd.DataFrame
    idiosyncratic: float
    tracking_error: float
    split: VarianceSplit
    without_beta: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """All parts as plain values."""
        told = {"tracking_error": self.tracking_error, "idiosyncratic": self.idiosyncratic}
        return told | {"exposures": plain(self.exposures), "without_beta": self.without_beta["name"].to_list()}


def variance_split(
    exposures: FactorExposures | pd.Series,
    factor_covariance: pd.DataFrame,
    residual_variances: pd.Series | float,
    *,
    dollar: pd.Series | None = None,
    periods_per_year: int = PERIODS_PER_YEAR,
) -> VarianceSplit:
    """The variance of a book in parts: b' S b by factor, and what the names do on their own.

    exposures : b, money by factor. factor_covariance : S, of a period. residual_variances : of a period; of each name's
    return, weighed by its squared ``dollar`` (which ``FactorExposures`` bring along); without ``dollar`` they are money
    squared already, by name or in one number. All parts come back a year: x ``periods_per_year``. Share of factor k:
    b_k (S b)_k / total. A name without a residual variance makes the total NaN and is named.

    >>> covariance = pd.DataFrame([[0.0001]], index=["market"], columns=["market"])
    >>> split = variance_split(pd.Series({"market": 100.0}), covariance, 0.5, periods_per_year=1)
    >>> round(split.total, 6), round(split.idiosyncratic_share, 6)
    (1.5, 0.333333)
    """
    if isinstance(exposures, FactorExposures):
        dollar = exposures.dollar if dollar is None else dollar
        exposures = exposures.total
    lacking = [name for name in exposures.index if name not in factor_covariance or name not in factor_covariance.index]
    if lacking:
        raise InputError(f"`factor_covariance` lacks {named(lacking)}; compute it from the same factors")
    covariance = factor_covariance.loc[exposures.index, exposures.index].to_numpy(dtype=float)
    bets = exposures.to_numpy(dtype=float)
    contributions = bets * (covariance @ bets) * periods_per_year
    own, unknown = _own_variance(residual_variances, dollar)
    factor, own = float(contributions.sum()), own * periods_per_year
    total = factor + own
    share = 1.0 / total if total > 0 else float("nan")
    table = {"exposure": bets, "contribution": contributions, "share": contributions * share}
    return VarianceSplit(
        total=total,
        factor=factor,
        idiosyncratic=own,
        by_factor=pd.DataFrame(table, index=exposures.index),
        idiosyncratic_share=own * share,
        volatility=float(np.sqrt(total)) if total >= 0 else float("nan"),
        unknown=unknown,
        periods_per_year=periods_per_year,
    )


def active(
    portfolio: pd.Series,
    benchmark: pd.Series,
    *,
    betas: FactorBetas,
    factor_covariance: pd.DataFrame,
    periods_per_year: int = PERIODS_PER_YEAR,
) -> Active:
    """Active factor exposures of a portfolio, and its ex-ante tracking error in bets that sum.

    portfolio, benchmark : weights by name, fractions of NAV (a single index is a weight of 1 in it); each name has its
    betas and residual variance in ``betas``. Tracking error is sqrt(b' S b + sum w_i^2 v_i) a year for active weights
    w, with b = B' w; a factor's contribution is b_k (S b)_k / tracking error. Names without betas are listed and in no
    number; when the portfolio has no others, its tracking error is unknown. Source: Grinold and Kahn (2000), chapter 3.
    """
    weights = pd.concat([portfolio, -benchmark]).groupby(level=0, sort=False).sum(min_count=1)
    found = factor_exposures(weights, betas)
    split = variance_split(found, factor_covariance, betas.residual_variances, periods_per_year=periods_per_year)
    own, against = (factor_exposures(side, betas).total for side in (portfolio, benchmark))
    unknown = len(portfolio) > 0 and bool(own.isna().all())
    error = float("nan") if unknown else split.volatility
    scale = 1.0 / error if error > 0 else float("nan")
    table = {
        "portfolio": own,
        "benchmark": against,
        "active": found.total,
        "contribution": split.by_factor["contribution"] * scale,
        "share": split.by_factor["share"],
    }
    return Active(pd.DataFrame(table), split.idiosyncratic * scale, error, split, found.without_beta)


def _own_variance(variances: pd.Series | float, dollar: pd.Series | None) -> tuple[float, tuple[str, ...]]:
    """The variance a period that names have on their own, in money squared, and the names where it is unknown."""
    if dollar is None:
        whole = variances if isinstance(variances, pd.Series) else pd.Series(variances, dtype=float)
        weighed = whole.astype(float)
    else:
        if not isinstance(variances, pd.Series):
            raise InputError("`residual_variances` must be a Series by name, to be weighed by the dollar deltas")
        weighed = dollar**2 * variances.reindex(dollar.index)
    bad = ~(weighed >= 0) | np.isinf(weighed)
    unknown = tuple(str(name) for name in weighed.index[bad])
    return float("nan") if unknown else float(weighed.sum()), unknown

"""Factors: what a book depends on beside its names.

Betas come from one multivariate regression with intercept of excess returns on factors, on common sessions only, with
Newey-West errors. Any frame of factor returns does: the funds of ``proxy_returns``, or columns such as mkt_rf, smb.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.portfolio.performance import PERIODS_PER_YEAR
from sigmalib.risk.factor_model import regression
from sigmalib.risk.factor_model.betas import FactorBetas, shrunk, vasicek_prior
from sigmalib.risk.factor_model.factor_book import (
    FactorExposures,
    factor_exposures,
    percentiles,
    short_interest_exposure,
)
from sigmalib.risk.factor_model.factor_pnl import factor_attribution
from sigmalib.risk.factor_model.factor_variance import Active, VarianceSplit, active, variance_split
from sigmalib.risk.factor_model.panel import Panel, Rate, Table, named, panel
from sigmalib.risk.factor_model.proxies import FACTORS, Factor, ProxyReturns, proxy_returns

__all__ = [
    "FACTORS",
    "Active",
    "Factor",
    "FactorBetas",
    "FactorExposures",
    "ProxyReturns",
    "VarianceSplit",
    "active",
    "factor_attribution",
    "factor_betas",
    "factor_exposures",
    "percentiles",
    "proxy_returns",
    "rolling_betas",
    "short_interest_exposure",
    "variance_split",
]

WINDOW, MINIMUM = 252, 60
ROLLING = 250
INFLATED, CONDITION = 10.0, 30.0  # Belsley, Kuh and Welsch (1980), pages 93 and 105


def factor_betas(
    returns: Table,
    factors: Table,
    *,
    risk_free: Rate = 0.0,
    window: int | None = WINDOW,
    minimum: int = MINIMUM,
    lags: int | None = None,
    ridge: float | None = None,
    factors_in_excess: bool = False,
    prior: pd.DataFrame | None = None,
    periods_per_year: int = PERIODS_PER_YEAR,
) -> FactorBetas:
    """Betas of each asset on the factors: y = alpha + F beta + e by ordinary least squares, with Newey-West errors.

    returns : simple returns as a frame (session x asset), a Series or an array; factors : the same kinds (session x
    factor). Two pandas objects are joined by date, others session by session. A value that is NaN or infinite is
    unknown: an asset is estimated on its own known sessions, which are counted.
    risk_free : annual effective fraction, one or a Series by date; it is taken off the returns, and off the factors,
    too, unless these are ``factors_in_excess`` already (or long-short, as Fama and French's).
    window : the last so many sessions on which all factors are known, None for all. minimum : fewer known returns, or
    fewer than two more than factors, give NaN with a reason, as do factors that do not move apart.
    lags : of Newey and West's covariance (Bartlett weights, no small-sample factor), by default
    floor(4 (n / 100) ** (2 / 9)). ridge : the penalty lambda of |y - F b|^2 + lambda |b_standardised|^2, intercept
    free; by default the one of least generalised cross-validation among n x 10^-6 ... 10 in steps of a quarter
    decade, for each asset. prior : (factor) x mean, deviation to shrink towards, by default the cross-section.

    InputError when the tables share no session, a label comes twice, or an option makes no sense.

    >>> rng = np.random.default_rng(1)
    >>> factors = pd.DataFrame(rng.normal(0, 0.01, (250, 2)), columns=["market", "size"])
    >>> returns = pd.DataFrame({"AAA": 1.5 * factors["market"] - 0.5 * factors["size"]})
    >>> factor_betas(returns, factors).betas.round(6).loc["AAA"].to_list()
    [1.5, -0.5]
    """
    _check(window, minimum, lags, ridge, periods_per_year)
    given: dict[str, Any] = {"factors_in_excess": factors_in_excess, "periods_per_year": periods_per_year}
    seen = panel(returns, factors, risk_free=risk_free, **given).last(window)
    basis = regression.Basis.of(seen.factors)
    made = regression.fit(seen, basis, minimum=minimum, lags=lags, penalty=ridge)
    names, labels = seen.names, pd.Index(["alpha", *seen.names], name=seen.names.name)
    errors = np.sqrt(np.where(made.variances >= 0.0, made.variances, np.nan))
    statistics = np.divide(made.coefficients, errors, out=np.full_like(errors, np.nan), where=errors > 0)
    betas = pd.DataFrame(made.coefficients[:, 1:], index=seen.assets, columns=names)
    believed = _prior(prior, betas) if prior is not None else vasicek_prior(betas)
    standard_errors = pd.DataFrame(errors, index=seen.assets, columns=labels)
    collinear, verdict = _verdict(basis, names)
    return FactorBetas(
        betas=betas,
        alpha=pd.Series(made.coefficients[:, 0], index=seen.assets, name="alpha"),
        standard_errors=standard_errors,
        t_statistics=pd.DataFrame(statistics, index=seen.assets, columns=labels),
        p_values=pd.DataFrame(regression.two_sided(statistics), index=seen.assets, columns=labels),
        ridge_betas=pd.DataFrame(made.ridge[:, 1:], index=seen.assets, columns=names),
        shrunk_betas=shrunk(betas, standard_errors.iloc[:, 1:], believed),
        prior=believed,
        assets=_by_asset(made, seen, basis, max(minimum, len(names) + 2), periods_per_year),
        vif=pd.Series(basis.vif, index=names, name="vif"),
        condition_number=basis.condition,
        collinear=collinear,
        verdict=verdict,
        conventions=_conventions(seen, window, minimum, lags, ridge) | given,
    )


def rolling_betas(
    returns: Table,
    factors: Table,
    *,
    window: int = ROLLING,
    risk_free: Rate = 0.0,
    minimum: int = MINIMUM,
    factors_in_excess: bool = False,
    periods_per_year: int = PERIODS_PER_YEAR,
) -> pd.DataFrame:
    """Betas over each ``window`` sessions, by the last of them: (session x (coefficient, asset)), alpha first.

    Inputs as in ``factor_betas``. The first row is the first whole window; ``minimum`` known returns in a window are
    needed, else NaN, as where the factors do not move apart in it. ``frame["market"]`` is one factor's table, and
    ``frame.xs("AAA", axis=1, level="asset")`` one asset's. The columns of a Series have one level, the coefficients.
    InputError when there are fewer sessions than a window has.

    >>> factors = pd.Series([0.01, -0.02, 0.03, 0.01, -0.01], name="market")
    >>> rolling_betas(2 * factors + 0.001, factors, window=3, minimum=3).round(6)
    coefficient  alpha  market
    2            0.001     2.0
    3            0.001     2.0
    4            0.001     2.0
    """
    _check(window, minimum, None, None, periods_per_year)
    given: dict[str, Any] = {"factors_in_excess": factors_in_excess, "periods_per_year": periods_per_year}
    seen = panel(returns, factors, risk_free=risk_free, **given)
    if len(seen.rows) < window:
        raise InputError(f"`window` is {window} sessions, {len(seen.rows)} are shared; give more, or a shorter one")
    made = regression.roll(seen, regression.Basis.of(seen.factors), window=window, minimum=minimum)
    labels = pd.Index(["alpha", *seen.names], name="coefficient")
    if not isinstance(returns, pd.Series):
        labels = pd.MultiIndex.from_product([labels, seen.assets], names=["coefficient", "asset"])
    values = made.reshape(len(made), -1)
    return pd.DataFrame(values, index=seen.sessions[window - 1 :], columns=labels, copy=False)


def _check(window: int | None, minimum: int, lags: int | None, ridge: float | None, periods_per_year: int) -> None:
    """InputError for an option that makes no sense."""
    if minimum < 1:
        raise InputError(f"`minimum` must be at least 1 observation, was {minimum}; pass {MINIMUM}")
    if window is not None and window < minimum:
        raise InputError(f"`window` must be at least `minimum` ({minimum}), was {window}; pass a smaller minimum, too")
    if lags is not None and (lags < 0 or lags != int(lags)):
        raise InputError(f"`lags` must be a whole number from 0 on, was {lags}; leave it out to have it chosen")
    if ridge is not None and not 0.0 <= ridge < np.inf:
        raise InputError(f"`ridge` must be a penalty from 0 on, was {ridge}; leave it out to have it chosen")
    if not periods_per_year > 0:
        raise InputError(f"`periods_per_year` must be positive, was {periods_per_year}; 252 for daily returns")


def _prior(prior: pd.DataFrame, betas: pd.DataFrame) -> pd.DataFrame:
    """The prior that was given, for the factors there are."""
    wanted = {"mean", "deviation"}
    lacking = [str(name) for name in betas.columns if name not in prior.index]
    if lacking or not wanted <= set(prior.columns):
        raise InputError(f"`prior` needs columns mean and deviation and a row for each factor, lacks {named(lacking)}")
    chosen = prior.loc[betas.columns, ["mean", "deviation"]].astype(float)
    if chosen.isna().any(axis=None) or (chosen["deviation"] < 0).any():
        raise InputError("`prior` must be known, with deviations from 0 on; leave it out for the cross-section's")
    return chosen.assign(source="given")


def _verdict(basis: regression.Basis, names: pd.Index) -> tuple[bool, str]:
    """Whether the factors are collinear, and a sentence about it."""
    if np.isnan(basis.condition):
        return True, f"linearly dependent, so there are no ordinary betas: {named(names[basis.dependent])}"
    inflated = names[basis.vif > INFLATED]
    numbers = f"condition number {basis.condition:.1f}, largest variance inflation {basis.vif.max():.1f}"
    if not len(inflated) and basis.condition <= CONDITION:
        return False, f"not collinear: {numbers}"
    return True, f"collinear, prefer the ridge betas: {numbers} ({named(inflated) or 'no single factor above 10'})"


def _by_asset(
    made: regression.Fit, seen: Panel, basis: regression.Basis, minimum: int, periods_per_year: int
) -> pd.DataFrame:
    reasons = np.full(len(made.status), "", dtype=object)
    texts = {
        regression.SINGULAR: "the factors do not move apart on its sessions, so there are no ordinary betas",
        regression.OVERFLOW: "its returns are too large to square",
        regression.CONSTANT: "its returns never move, so t and R squared are unknown",
        regression.EXACT: "the factors explain it entirely, so it has no standard errors",
    }
    for status, text in texts.items():
        reasons[made.status == status] = text
    few = np.flatnonzero(made.status == regression.FEW)
    reasons[few] = [f"{count} known returns, {minimum} are needed" for count in made.observations[few]]
    lost = ~(made.variances >= 0.0).all(axis=1) & (reasons == "")
    reasons[lost] = "numbers too far apart in size for double precision, so some errors are unknown"
    return pd.DataFrame(
        {
            "observations": made.observations,
            "unknown": len(seen.rows) - made.observations,
            "lags": made.lags,
            "r_squared": made.r_squared,
            "residual_volatility": np.sqrt(made.residual_variance) * np.sqrt(periods_per_year),
            "residual_variance": made.residual_variance,
            "ridge_penalty": made.penalties,
            "reason": pd.Series(reasons, index=seen.assets, dtype="str"),
        },
        index=seen.assets,
    )


def _conventions(
    seen: Panel, window: int | None, minimum: int, lags: int | None, ridge: float | None
) -> dict[str, Any]:
    return {
        "method": "ordinary least squares with intercept, on excess returns and common sessions",
        "errors": "Newey-West, Bartlett weights, no small-sample factor, normal p-values",
        "lags": "floor(4 (n / 100) ** (2 / 9))" if lags is None else int(lags),
        "ridge": "generalised cross-validation" if ridge is None else float(ridge),
        "shrinkage": "Vasicek (1973)",
        "window": window,
        "minimum": minimum,
        "sessions": len(seen.rows),
        "first": str(seen.sessions[0]),
        "last": str(seen.sessions[-1]),
        "sessions_without_factors": seen.unknown,
    }

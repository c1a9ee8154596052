"""Betas of assets on factors as they are handed round: estimates, their errors, and what to doubt about them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

FURTHEST = 3.0  # a beta beyond is flagged, and so is one this many deviations from what the others lead to expect
ENOUGH = 10  # assets that make a cross-section
MARKETS = frozenset({"market", "mkt", "mkt_rf", "mkt-rf", "spy", "spx"})
EXACT = 1e-9  # a beta this near 1 with an error this small is of the factor's own fund
UNTOLD_DEVIATION = 0.5  # of the prior where there is no cross-section


@dataclass(frozen=True, eq=False)
class FactorBetas:
    """Betas of assets on factors by one multivariate regression each, with Newey-West errors.

    betas : (asset x factor). alpha : (asset,), return a period. standard_errors, t_statistics, p_values : (asset x
    alpha and factors), two-sided from the normal distribution. ridge_betas : (asset x factor), beside the ordinary
    ones. shrunk_betas : (asset x factor), each weighed with what ``prior`` expects. prior : (factor) x mean, deviation,
    source. extreme : a row for each beta to doubt: asset, factor, beta, standard_error, shrunk_beta, reason.
    assets : (asset) x observations, unknown (sessions of the panel without its return), lags, r_squared,
    residual_volatility (annual), residual_variance (of a period), ridge_penalty, reason (empty where nothing is NaN).
    vif : (factor,), variance inflation; above 10 is collinear. condition_number : of the standardised factors; above 30
    is collinear. verdict : a sentence about both. conventions : what was chosen, in words and numbers.
    """

    betas: pd.DataFrame
    alpha: pd.Series
    standard_errors: pd.DataFrame
    t_statistics: pd.DataFrame
    p_values: pd.DataFrame
    ridge_betas: pd.DataFrame
    shrunk_betas: pd.DataFrame
    prior: pd.DataFrame
    assets: pd.DataFrame
    vif: pd.Series
    condition_number: float
    collinear: bool
    verdict: str
    conventions: dict[str, Any]

    @classmethod
    def unknown(cls, assets: pd.Index, factors: pd.Index, reason: str) -> FactorBetas:
        """Nothing but NaN, and why: where there are no sessions to estimate anything from."""
        table = pd.DataFrame(np.nan, index=assets, columns=factors)
        wider = pd.DataFrame(np.nan, index=assets, columns=pd.Index(["alpha", *factors], name=factors.name))
        numbers = ("r_squared", "residual_volatility", "residual_variance", "ridge_penalty")
        known = {"observations": 0, "unknown": 0, "lags": 0, **dict.fromkeys(numbers, np.nan), "reason": reason}
        return cls(
            betas=table,
            alpha=pd.Series(np.nan, index=assets, name="alpha"),
            standard_errors=wider,
            t_statistics=wider,
            p_values=wider,
            ridge_betas=table,
            shrunk_betas=table,
            prior=vasicek_prior(table),
            assets=pd.DataFrame(known, index=assets),
            vif=pd.Series(np.nan, index=factors, name="vif"),
            condition_number=float("nan"),
            collinear=False,
            verdict=reason,
            conventions={},
        )

    @property
    def r_squared(self) -> pd.Series:
        """The share of each asset's variance that the factors explain."""
        return self.assets["r_squared"]

    @property
    def residual_volatility(self) -> pd.Series:
        """What the factors leave, as a volatility a year."""
        return self.assets["residual_volatility"]

    @property
    def residual_variances(self) -> pd.Series:
        """What the factors leave, as a variance a period."""
        return self.assets["residual_variance"]

    @property
    def observations(self) -> pd.Series:
        """The sessions that each regression used."""
        return self.assets["observations"]

    @property
    def reasons(self) -> pd.Series:
        """Why something is NaN, of the assets where it is."""
        told = self.assets["reason"]
        return told[told != ""]

    @cached_property
    def extreme(self) -> pd.DataFrame:
        """A row for each beta to doubt, the shrunk one beside it."""
        return extremes(self.betas, self.standard_errors, self.shrunk_betas, self.prior)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values: tables as column -> row -> value, unknown numbers as None."""
        estimates = ("betas", "standard_errors", "t_statistics", "p_values", "ridge_betas", "shrunk_betas")
        return {
            **{name: plain(getattr(self, name)) for name in (*estimates, "prior", "assets")},
            "alpha": plain(self.alpha),
            "extreme": [{key: _value(each) for key, each in row.items()} for row in self.extreme.to_dict("records")],
            "vif": plain(self.vif),
            "condition_number": _value(self.condition_number),
            "collinear": self.collinear,
            "verdict": self.verdict,
            "conventions": dict(self.conventions),
        }


def vasicek_prior(betas: pd.DataFrame) -> pd.DataFrame:
    """What to expect of a beta before it is measured, by factor: mean, deviation, source.

    The mean and sample deviation over the assets that have one, as in Vasicek (1973); with fewer than ten of them mean
    1 for a market factor and 0 for any other, deviation 0.5.
    """
    values = betas.to_numpy(dtype=float)
    counts = np.isfinite(values).sum(axis=0)
    many = counts >= ENOUGH
    mean = np.array([1.0 if str(name).lower() in MARKETS else 0.0 for name in betas.columns])
    deviation = np.full(len(mean), UNTOLD_DEVIATION)
    if many.any():
        with np.errstate(all="ignore"):
            mean[many] = np.nanmean(values[:, many], axis=0)
            deviation[many] = np.nanstd(values[:, many], axis=0, ddof=1)
    source = np.where(many, [f"cross-section of {count} assets" for count in counts], "no cross-section: assumed")
    return pd.DataFrame({"mean": mean, "deviation": deviation, "source": source}, index=betas.columns)


def shrunk(betas: pd.DataFrame, errors: pd.DataFrame, prior: pd.DataFrame) -> pd.DataFrame:
    """Each beta weighed with its prior by precision: (m / s2 + b / e2) / (1 / s2 + 1 / e2); NaN where b or e is.

    Source: Vasicek (1973), equation 20.

    >>> beta, error = pd.DataFrame({"market": [3.0]}), pd.DataFrame({"market": [0.5]})
    >>> float(shrunk(beta, error, vasicek_prior(beta)).iloc[0, 0])
    2.0
    """
    mean, doubt = prior["mean"].to_numpy(), prior["deviation"].to_numpy() ** 2
    with np.errstate(all="ignore"):
        values, noise = betas.to_numpy(dtype=float), errors.to_numpy(dtype=float) ** 2
        whole = doubt + noise
        weight = np.divide(doubt, whole, out=np.ones_like(values), where=whole > 0)
        made = mean + weight * (values - mean)
    made[~np.isfinite(made) | np.isnan(noise)] = np.nan
    return pd.DataFrame(made, index=betas.index, columns=betas.columns)


def extremes(
    betas: pd.DataFrame, standard_errors: pd.DataFrame, shrunk_betas: pd.DataFrame, prior: pd.DataFrame
) -> pd.DataFrame:
    """A row for each beta beyond 3, or over 3 deviations off its prior: asset, factor, beta, error, shrunk, reason.

    An asset that is itself the fund of a factor, its beta exactly 1 without an error, is none to doubt.
    """
    values, errors = betas.to_numpy(dtype=float), standard_errors[betas.columns].to_numpy(dtype=float)
    expected = np.hypot(prior["deviation"].to_numpy(), errors)
    large, off = np.abs(values) > FURTHEST, np.abs(values - prior["mean"].to_numpy()) > FURTHEST * expected
    itself = np.any((np.abs(values - 1.0) < EXACT) & (errors < EXACT), axis=1, keepdims=True)
    rows, columns = np.nonzero((large | off) & ~itself)
    told = f"beyond {FURTHEST:g} in size", f"over {FURTHEST:g} deviations from what the prior and its error allow"
    return pd.DataFrame(
        {
            "asset": betas.index[rows],
            "factor": betas.columns[columns],
            "beta": values[rows, columns],
            "standard_error": errors[rows, columns],
            "shrunk_beta": shrunk_betas.to_numpy()[rows, columns],
            "reason": [
                " and ".join(text for text, holds in zip(told, (large[at], off[at]), strict=True) if holds)
                for at in zip(rows, columns, strict=True)
            ],
        }
    )


def plain(table: pd.DataFrame | pd.Series) -> dict[str, Any]:
    """A table as column -> row -> value, a series as row -> value; labels as text, unknown numbers as None."""
    if isinstance(table, pd.DataFrame):
        return {str(name): plain(table.iloc[:, place]) for place, name in enumerate(table.columns)}
    return {str(label): _value(value) for label, value in table.items()}


def _value(value: Any) -> Any:
    """A plain value; None for an unknown number."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value

"""Bets: what a book depends on beside its names, by factor, and against its benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.market import MarketView
from sigmalib.risk.factor_model.betas import FactorBetas, plain
from sigmalib.risk.factors import (
    Active,
    FactorExposures,
    ProxyReturns,
    VarianceSplit,
    active,
    factor_betas,
    factor_exposures,
    proxy_returns,
    short_interest_exposure,
    variance_split,
)

WINDOW, MINIMUM = 252, 60
MARKET, SHORT_INTEREST = "market", "short_interest"


@dataclass(frozen=True, eq=False)
class FactorBets:
    """The factor risk of a book; exposures are base currency per 1.0 (100 %) of a factor's return.

    proxies : which fund serves each factor, and which factor has none. betas : of each underlying and of the benchmark.
    exposures : dollar delta x beta, by position and in total. split : variance a year by factor and of the names
    alone. against : exposures and tracking error against the benchmark, as fractions of the base. short_interest :
    z-score of each name, absent where unknown; short_interest_exposure : dollar delta x z-score, NaN without any.
    """

    proxies: ProxyReturns
    betas: FactorBetas
    exposures: FactorExposures
    split: VarianceSplit
    against: Active
    short_interest: pd.Series
    short_interest_exposure: float
    base: float

    @property
    def table(self) -> pd.DataFrame:
        """The factors (factor) x proxy, exposure, of_base, standard_error, share of variance; unknown is NaN.

        standard_error : of the exposure, with the names' betas taken as independent of each other.
        """
        rows = pd.DataFrame(
            {
                "proxy": self.proxies.served,
                "exposure": self.exposures.total,
                "of_base": self.exposures.total / (self.base or np.nan),
                "standard_error": self._errors(),
                "variance_share": self.split.by_factor["share"],
            }
        ).reindex(self.exposures.total.index)
        rows.loc[SHORT_INTEREST] = {
            "proxy": "z-score across names",
            "exposure": self.short_interest_exposure,
            "of_base": self.short_interest_exposure / (self.base or np.nan),
        }
        return rows.rename_axis("factor")

    def _errors(self) -> pd.Series:
        dollar = self.exposures.dollar
        errors = self.betas.standard_errors.reindex(index=dollar.index, columns=self.exposures.total.index)
        return np.sqrt((errors.mul(dollar, axis=0) ** 2).sum(min_count=1))

    def to_dict(self) -> dict[str, Any]:
        """Totals, shares and what is missing, as plain values."""
        table = self.table
        return {
            "exposures": plain(table["exposure"]),
            "of_base": plain(table["of_base"]),
            "standard_errors": plain(table["standard_error"]),
            "proxies": self.proxies.to_dict(),
            "variance": self.split.to_dict(),
            "volatility": self.split.volatility / (self.base or np.nan),
            "against_benchmark": self.against.to_dict(),
            "short_interest": plain(self.short_interest.dropna()),
            "without_beta": self.exposures.to_dict()["without_beta"],
            "collinearity": {"verdict": self.betas.verdict, "vif": plain(self.betas.vif)},
            "extreme_betas": self.betas.extreme.to_dict("records"),
        }


def factor_bets(dollar_delta: pd.Series, underlyings: pd.Series, market: MarketView, base: float) -> FactorBets:
    """The factor bets of a book.

    dollar_delta : (holding,) base currency, cash left out. underlyings : (holding,) whose betas each has. base : what
    shares are of. Betas over the last 252 sessions, at least 60, on excess returns; see ``factors.factor_betas``.
    """
    names = pd.Index(sorted({*underlyings, market.benchmark} & set(market.returns.columns)), dtype="str")
    recent = market.returns.iloc[-WINDOW:]
    rates = market.rates.reindex(recent.index, method="ffill")
    recent, rates = recent[rates.notna()], rates.dropna()
    proxies = proxy_returns(recent, benchmark=market.benchmark, minimum=MINIMUM)
    if proxies.returns.dropna().empty:
        betas = FactorBetas.unknown(names, pd.Index([MARKET]), f"no factor has {MINIMUM} returns known with a rate")
    else:
        betas = factor_betas(recent[names], proxies.returns, risk_free=rates, window=WINDOW, minimum=MINIMUM)
    exposures = factor_exposures(dollar_delta, betas, names=underlyings)
    covariance = proxies.returns.dropna().cov().reindex(index=betas.betas.columns, columns=betas.betas.columns)
    weights = (dollar_delta / (base or np.nan)).groupby(underlyings).sum(min_count=1)
    benchmark = pd.Series(1.0, index=[market.benchmark])
    scores = short_interest_exposure(market.short_interest, names=pd.Index(underlyings.unique()))
    weighed = (dollar_delta * scores.reindex(underlyings).to_numpy()).sum(min_count=1)
    return FactorBets(
        proxies=proxies,
        betas=betas,
        exposures=exposures,
        split=variance_split(exposures, covariance, betas.residual_variances),
        against=active(weights, benchmark, betas=betas, factor_covariance=covariance),
        short_interest=scores,
        short_interest_exposure=float(weighed),
        base=base,
    )

"""Tail measures of a P&L distribution: value at risk and expected shortfall by eight methods, losses positive.

What a position adds is in ``tails.decomposition``, whether past VaR held in ``tails.backtests``; both can be had here.
"""

from __future__ import annotations

import numpy.typing as npt
import pandas as pd

from sigmalib.core.levels import tail_share
from sigmalib.risk.tails.backtest_results import VarBacktest
from sigmalib.risk.tails.backtests import (
    backtest,
    basel_traffic_light,
    christoffersen_test,
    hits,
    kupiec_test,
)
from sigmalib.risk.tails.decomposition import component_es, component_var, incremental_var
from sigmalib.risk.tails.methods import METHODS, Method, asked_for, measured
from sigmalib.risk.tails.outcomes import Missing, outcomes_of, overlapping
from sigmalib.risk.tails.sampling import monte_carlo_scenarios
from sigmalib.risk.tails.scenario_components import (
    component_shortfall,
    scenario_component_es,
    scenario_component_var,
    scenario_incremental,
)
from sigmalib.risk.tails.tail_table import tail_measures

__all__ = [
    "METHODS",
    "VarBacktest",
    "backtest",
    "basel_traffic_light",
    "christoffersen_test",
    "component_es",
    "component_shortfall",
    "component_var",
    "expected_shortfall",
    "hits",
    "incremental_var",
    "kupiec_test",
    "monte_carlo_scenarios",
    "overlapping",
    "scenario_component_es",
    "scenario_component_var",
    "scenario_incremental",
    "tail_measures",
    "tail_observations",
    "value_at_risk",
]

Sample = npt.ArrayLike | pd.Series


def value_at_risk(
    pnl: Sample,
    level: float = 0.95,
    method: Method = "historical",
    *,
    ddof: int = 1,
    mean_zero: bool = False,
    degrees_of_freedom: float | None = None,
    decay: float | None = None,
    horizon: int = 1,
    missing: Missing = "raise",
    seed: int = 0,
    draws: int = 100_000,
) -> float:
    """The loss that is not exceeded in a share ``level`` of the outcomes; positive for a loss, in the unit of ``pnl``.

    pnl : (n_scenarios,), gains positive, oldest first (age and volatility need the order). level : in (0.5, 1).

    method :
    - "historical": the k-th worst outcome, k = ceil(n (1 - level)) (inverse of the empirical distribution).
    - "linear": between order statistics (Hyndman and Fan's type 7, the default of R and NumPy).
    - "age_weighted": historical, weights falling by ``decay`` 0.98 a session (Boudoukh, Richardson, Whitelaw, 1998).
    - "volatility_filtered": historical, each outcome scaled to the volatility of the next session, an exponential
      average with ``decay`` 0.94 (Hull and White, 1998).
    - "normal": -(m + z s), s the standard deviation with ``ddof``.
    - "student_t": the same moments; ``degrees_of_freedom`` by maximum likelihood unless given.
    - "cornish_fisher": with the population skewness and kurtosis; NaN where the expansion is not monotone in the part
      of the tail that is used (``tail_measures`` has the reason).
    - "monte_carlo": the historical measure of ``draws`` outcomes drawn, from ``seed``, from the normal distribution
      above, or the Student t when ``degrees_of_freedom`` is given.
    Short and other common names ("parametric", "cf", "t") are understood.

    mean_zero : take the mean of the parametric methods as zero; s stays about the sample mean.
    horizon : sessions. Parametric methods take outcomes as independent: m h, s sqrt(h), skewness / sqrt(h), kurtosis
    / h, the same degrees of freedom; the others use overlapping sums.
    missing : "raise" refuses unknown outcomes, "drop" leaves them out.

    NaN without outcomes, or when a deviation asks for more than there are. Raises InputError for anything else that
    has no meaning. Formulas: ``tails.outcomes`` and ``tails.distributions``.

    >>> value_at_risk([-120, -80, -60, -40, -20, 0, 30, 50, 70, 90], level=0.8)
    80.0
    >>> round(value_at_risk([0.01, -0.02, 0.03, -0.01], 0.99, "normal"), 6)
    0.049083
    """
    asked = asked_for(method, ddof, mean_zero, degrees_of_freedom, decay, horizon, seed, draws)
    return measured(outcomes_of(pnl, missing=missing), tail_share(level), asked)[0]


def expected_shortfall(
    pnl: Sample,
    level: float = 0.95,
    method: Method = "historical",
    *,
    ddof: int = 1,
    mean_zero: bool = False,
    degrees_of_freedom: float | None = None,
    decay: float | None = None,
    horizon: int = 1,
    missing: Missing = "raise",
    seed: int = 0,
    draws: int = 100_000,
) -> float:
    """Mean loss in the worst ``1 - level`` share of the outcomes; positive for a loss, in the unit of ``pnl``.

    The outcome on the boundary counts in part (Acerbi and Tasche, 2002; Rockafellar and Uryasev, 2002). With less than
    one outcome in the tail it is the worst loss: see ``tail_observations``. Methods, settings, NaN rule and errors are
    those of ``value_at_risk``; each is the mean of its own quantile over the tail and never below its VaR.

    >>> expected_shortfall([-120, -80, -60, -40, -20, 0, 30, 50, 70, 90], level=0.75)
    92.0
    """
    asked = asked_for(method, ddof, mean_zero, degrees_of_freedom, decay, horizon, seed, draws)
    return measured(outcomes_of(pnl, missing=missing), tail_share(level), asked)[1]


def tail_observations(count: int, level: float) -> float:
    """How many of ``count`` scenarios lie in the tail; below one, a tail measure is just the worst loss.

    >>> tail_observations(500, 0.99)
    5.0
    """
    return count * tail_share(level)

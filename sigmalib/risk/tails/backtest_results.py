"""What the backtests of value at risk find: one frozen record each, with the reason where a number is NaN."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

Zone = Literal["green", "yellow", "red"]


@dataclass(frozen=True)
class KupiecTest:
    """Whether the number of hits fits the level. Small p-values reject; too few hits reject, too.

    statistic : likelihood ratio, chi-square with one degree of freedom; p_value : of it. exact_p_value : two-sided
    binomial, the counts that are no more likely than this one; exact_upper : chance of this many hits or more.
    Without observations all are NaN and ``reason`` says so.
    """

    statistic: float
    p_value: float
    hits: int
    observations: int
    level: float
    expected: float
    rate: float
    exact_p_value: float
    exact_upper: float
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Every number, as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class ChristoffersenTest:
    """Whether hits come independently of each other (``ind``), often enough (``uc``), and both (``cc``).

    statistic, p_value : those of conditional coverage, LR_cc ~ chi-square with two degrees of freedom.
    n00 ... n11 : sessions by hit the session before and hit now. ``reason`` says what could not be tested.
    """

    statistic: float
    p_value: float
    lr_ind: float
    p_ind: float
    lr_uc: float
    p_uc: float
    n00: int
    n01: int
    n10: int
    n11: int
    hits: int
    observations: int
    level: float
    reason: str = ""

    @property
    def lr_cc(self) -> float:
        """The statistic of conditional coverage: LR_uc + LR_ind."""
        return self.statistic

    @property
    def p_cc(self) -> float:
        """The p-value of conditional coverage."""
        return self.p_value

    def to_dict(self) -> dict[str, Any]:
        """Every number, as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class TrafficLight:
    """The Basel zone of a number of hits, its capital multiplier, and the chance of that many hits or fewer."""

    zone: Zone | None
    multiplier: float
    cumulative_probability: float
    hits: int
    observations: int
    level: float
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Every number, as plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class VarBacktest:
    """All tests of one VaR series, with the hits (session,) themselves.

    basel : its zone is None at levels other than 99 %, its multiplier NaN below 250 sessions; its reason says why.
    dropped : sessions left out because P&L or VaR was unknown. worst_excess : the largest loss beyond VaR, in the unit
    of the P&L; 0 without a hit, NaN without sessions.
    """

    level: float
    hits: pd.Series
    kupiec: KupiecTest
    christoffersen: ChristoffersenTest
    basel: TrafficLight
    worst_excess: float
    dropped: int

    @property
    def observations(self) -> int:
        """Sessions tested."""
        return len(self.hits)

    def to_dict(self) -> dict[str, Any]:
        """Every number, the hits by the label of their session, as plain values."""
        return {
            "level": self.level,
            "observations": self.observations,
            "hits": [str(session) for session in self.hits.index[self.hits]],
            "worst_excess": self.worst_excess,
            "dropped": self.dropped,
            "kupiec": self.kupiec.to_dict(),
            "christoffersen": self.christoffersen.to_dict(),
            "basel": self.basel.to_dict(),
        }

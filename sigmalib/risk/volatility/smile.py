"""One expiry's smile: raw SVI total variance, its arbitrage checks, and what it answers by strike.

w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), with k = ln(strike / forward) and w = volatility^2 x years.
Sources: Gatheral (2004), *A parsimonious arbitrage-free implied volatility parameterization*; Gatheral and Jacquier
(2014), *Arbitrage-free SVI volatility surfaces*, section 2 (g) and 3; Lee (2004), *The moment formula for implied
volatility at extreme strikes* (wings no steeper than 2).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Method = Literal["svi", "flat"]

GRID, BEND = 101, 4.0  # log-moneyness at which arbitrage is looked for, and how much denser in the middle


@dataclass(frozen=True)
class Smile:
    """Total variance of one expiry by log forward-moneyness.

    expiry : the date. years : of 365 days from the surface's as-of. forward : currency. discount : to the as-of.
    a, b, rho, m, sigma : of raw SVI. method : "svi", or "flat" where fewer than five quotes were usable (then b is 0).

    >>> smile = Smile(date(2026, 3, 20), 0.25, 100.0, 0.99, a=0.01, b=0.1, rho=-0.5, m=0.0, sigma=0.1, method="svi")
    >>> smile.volatility([90.0, 100.0, 110.0]).round(4).tolist()
    [0.3452, 0.2828, 0.276]
    """

    expiry: date
    years: float
    forward: float
    discount: float
    a: float
    b: float
    rho: float
    m: float
    sigma: float
    method: Method

    def total_variance(self, log_moneyness: npt.ArrayLike) -> Floats:
        """w(k), volatility squared x years; NaN where k is."""
        return total_variance(log_moneyness, self.a, self.b, self.rho, self.m, self.sigma)

    def volatility(self, strike: npt.ArrayLike) -> Floats:
        """Volatility a year at strikes in currency; NaN where a strike is not above zero."""
        with np.errstate(invalid="ignore", divide="ignore"):
            k = np.log(np.asarray(strike, dtype=float) / self.forward)
            return np.sqrt(self.total_variance(np.where(np.isfinite(k), k, np.nan)) / self.years)

    def durrleman(self, log_moneyness: npt.ArrayLike) -> Floats:
        """g(k), see ``durrleman``: below 0 where a butterfly has a negative price."""
        return durrleman(log_moneyness, self.a, self.b, self.rho, self.m, self.sigma)

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def total_variance(k: npt.ArrayLike, a: float, b: float, rho: float, m: float, sigma: float) -> Floats:
    """Raw SVI: a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), of the shape of ``k``.

    Source: Gatheral and Jacquier (2014), equation 3.1.

    >>> round(float(total_variance(0.0, 0.01, 0.1, -0.5, 0.0, 0.1)), 12)
    0.02
    """
    x = np.asarray(k, dtype=float) - m
    return np.asarray(a + b * (rho * x + np.hypot(x, sigma)))


def durrleman(k: npt.ArrayLike, a: float, b: float, rho: float, m: float, sigma: float) -> Floats:
    """g(k) = (1 - k w'/(2 w))^2 - w'^2/4 (1/w + 1/4) + w''/2: no butterfly arbitrage where it is at least 0.

    Source: Durrleman (2003); Gatheral and Jacquier (2014), equation 2.1. NaN where w is 0 or less.

    >>> bool(durrleman([-0.5, 0.0, 0.5], 0.01, 0.1, -0.5, 0.0, 0.1).min() > 0)
    True
    """
    k = np.asarray(k, dtype=float)
    x, w = k - m, total_variance(k, a, b, rho, m, sigma)
    root = np.hypot(x, sigma)
    w = np.where(w > 0, w, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope, bend = b * (rho + x / root), b * sigma**2 / root**3
    return np.asarray((1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + bend / 2)


def grid_of(k: Floats, deviation: float) -> Floats:
    """Log-moneyness on both sides of 0 as far as twelve deviations, or a quarter beyond the furthest of ``k``.

    Denser in the middle, where a smile bends.

    >>> grid_of(np.array([-0.8, 0.1]), 0.05)[[0, 50, 100]].tolist()
    [-1.0, 0.0, 1.0]
    """
    far = max(1.25 * float(np.max(np.abs(k), initial=0.0)), 12 * deviation)
    return far * np.sinh(BEND * np.linspace(-1, 1, GRID)) / np.sinh(BEND)

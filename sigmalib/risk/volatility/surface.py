"""The volatility surface of one underlying: smiles by expiry, and total variance in between.

In time, total variance is interpolated linearly at fixed log forward-moneyness (Gatheral, *The Volatility Surface*,
2006, chapter 3; Gatheral and Jacquier, 2014, lemma 5.1): where no smile lies below the one before, no date in between
has calendar arbitrage. Before the first expiry and after the last, volatility is that expiry's, flat in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.risk.volatility.smile import Smile, grid_of
from sigmalib.risk.volatility.smilefit import Quotes, fit_smiles

Floats = npt.NDArray[np.float64]

LOWEST = 0.001  # volatility a year below which a shock does not take any
NEAR = 2.0  # deviations from the money within which a fit's error is told apart
ROUNDING = 1e-9  # of total variance, no calendar arbitrage
FIT_COLUMNS = (
    *("expiry", "years", "forward", "discount", "carry", "forward_source", "pairs", "parity_error", "method"),
    *("quotes", "left_out", "rms", "near_rms", "max", "inside", "minimum_g", "butterfly_ok", "calendar_gap"),
    *("calendar_wing_gap", "calendar_ok", "atm_volatility", "skew"),
)
NEEDED = ("expiry", "years", "forward", "discount", "log_moneyness", "mid_volatility", "weight", "spot", "as_of")


@dataclass(frozen=True)
class Shift:
    """A shock of volatility: volatility x scale + points + twist x log forward-moneyness, never below 0.1 %."""

    points: float = 0.0
    scale: float = 1.0
    twist: float = 0.0

    def then(self, later: Shift) -> Shift:
        """The shock that does what this and then ``later`` do."""
        points, twist = self.points * later.scale + later.points, self.twist * later.scale + later.twist
        return Shift(points, self.scale * later.scale, twist)


@dataclass(frozen=True, eq=False)
class VolatilitySurface:
    """Volatility and forward of one underlying by strike and time.

    spot : currency. as_of : the UTC instant from which years count. smiles : by expiry, the soonest first.
    fit : how each expiry was fitted, also those that could not be, see ``fit_surface``.
    shift : the shock that ``shifted`` adds; none at first.
    """

    spot: float
    as_of: pd.Timestamp
    smiles: tuple[Smile, ...]
    fit: pd.DataFrame
    shift: Shift = field(default_factory=Shift)

    def __post_init__(self) -> None:
        if not self.smiles:
            raise InputError("`smiles` must hold one at least; no expiry had a quote that can be used, see `fit`")
        times = [smile.years for smile in self.smiles]
        if times[0] <= 0 or any(later <= sooner for sooner, later in pairwise(times)):
            raise InputError(f"`smiles` must lie ahead, each later than the one before, were at {times} years")

    @property
    def years(self) -> Floats:
        """Years to each expiry that has a smile."""
        return np.array([smile.years for smile in self.smiles])

    def forward(self, years: npt.ArrayLike) -> Any:
        """The forward, currency: its logarithm is linear in time between spot and the expiries.

        After the last expiry it grows as before it. NaN at a negative or unknown time. Shape (and index) of ``years``.
        """
        times = np.asarray(years, dtype=float)
        return _like(years, self.spot * np.exp(self._drift(times)))

    def volatility(self, strike: npt.ArrayLike, years: npt.ArrayLike) -> Any:
        """Volatility a year at strikes (currency) and times (years); arrays broadcast, a Series keeps its index.

        NaN where a strike is not above zero, a time negative, or either is unknown.
        """
        k, times = np.broadcast_arrays(np.asarray(strike, dtype=float), np.asarray(years, dtype=float))
        with np.errstate(divide="ignore", invalid="ignore"):
            moneyness = np.log(k / self.spot) - self._drift(times)
        moneyness = np.where(np.isfinite(moneyness), moneyness, np.nan)
        return _like(strike if isinstance(strike, pd.Series) else years, self._at(moneyness, times))

    def at_moneyness(self, log_moneyness: npt.ArrayLike, years: npt.ArrayLike) -> Any:
        """Volatility a year at ln(strike / forward) and times; as ``volatility``."""
        k, times = np.broadcast_arrays(np.asarray(log_moneyness, dtype=float), np.asarray(years, dtype=float))
        given = log_moneyness if isinstance(log_moneyness, pd.Series) else years
        return _like(given, self._at(np.where(np.isfinite(k), k, np.nan), times))

    def shifted(self, *, points: float = 0.0, relative: float = 0.0, twist: float = 0.0) -> VolatilitySurface:
        """The surface after a shock: volatility x (1 + relative) + points + twist x ln(strike / forward).

        points : 0.05 is five volatility points up. relative : 0.5 is half as much again. twist : volatility for one
        unit of log-moneyness; below zero it steepens an equity's skew. A volatility does not fall below 0.1 %.
        Shocks of a shocked surface follow each other. Raises InputError for one that is no number or below -100 %.
        """
        if not (np.isfinite([points, relative, twist]).all() and relative >= -1):
            raise InputError(
                f"a shock must be of numbers with `relative` at least -1, was points {points}, "
                f"relative {relative}, twist {twist}; 5 points up is points=0.05"
            )
        later = Shift(float(points), 1 + float(relative), float(twist))
        return replace(self, shift=self.shift.then(later))

    def to_dict(self) -> dict[str, Any]:
        """Spot, as-of, conventions, shock, smiles and fit, of plain values."""
        return {
            "spot": self.spot,
            "as_of": self.as_of.isoformat(),
            "years": "ACT/365F to the end of the option's life",
            "smile": "raw SVI of total variance by ln(strike / forward)",
            "in_time": "total variance linear at fixed log forward-moneyness, volatility flat outside the expiries",
            "shift": {"points": self.shift.points, "scale": self.shift.scale, "twist": self.shift.twist},
            "smiles": [smile.to_dict() for smile in self.smiles],
            "fit": self.fit.to_dict("records"),
        }

    def _drift(self, times: Floats) -> Floats:
        """ln(forward / spot) at ``times``."""
        known = np.concatenate([[0.0], self.years])
        drift = np.concatenate([[0.0], np.log([smile.forward / self.spot for smile in self.smiles])])
        beyond = drift[-1] + (times - known[-1]) * (drift[-1] - drift[-2]) / (known[-1] - known[-2])
        with np.errstate(invalid="ignore"):
            return np.where(times < 0, np.nan, np.where(times > known[-1], beyond, np.interp(times, known, drift)))

    def _at(self, k: Floats, times: Floats) -> Floats:
        known = self.years
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            at = np.clip(np.searchsorted(known, times, side="left"), 0, len(known) - 1)
            sooner, later = self._variance(k, np.maximum(at - 1, 0)), self._variance(k, at)
            low, high = known[np.maximum(at - 1, 0)], known[at]
            share = np.where(high > low, (times - low) / (high - low), 1.0)
            between = np.sqrt((sooner + share * (later - sooner)) / times)
            outside = (at == 0) | (times > known[-1])
            seen = np.where(outside, np.sqrt(later / high), between)
            shocked = np.maximum(seen * self.shift.scale + self.shift.points + self.shift.twist * k, LOWEST)
            plain = self.shift == Shift()
            return np.where((times >= 0) & np.isfinite(times), seen if plain else shocked, np.nan)

    def _variance(self, k: Floats, at: npt.NDArray[np.int64]) -> Floats:
        """Total variance at ``k`` by the smile at each place of ``at``."""
        fields = np.array([[s.a, s.b, s.rho, s.m, s.sigma] for s in self.smiles])
        a, b, rho, m, sigma = np.moveaxis(fields[at], -1, 0)
        return np.asarray(a + b * (rho * (k - m) + np.hypot(k - m, sigma)))


def fit_surface(chain: pd.DataFrame) -> VolatilitySurface:
    """The surface through a chain's out-of-the-money quotes: one SVI smile an expiry, free of arbitrage where it can.

    chain : see ``chain.implied_chain``; rows with ``weight`` above 0 are used.
    An expiry with fewer than five of them gets a flat smile at their median, method "flat"; one with none has no
    smile, method "none"; both stand in ``fit``, which has a row for each expiry that lies ahead, with FIT_COLUMNS:
    quotes used and left_out; rms, near_rms (within two deviations of the money) and max, the error against the
    middle in volatility (0.01 is one point); inside, the share of the quotes between bid and ask; minimum_g, the
    least of Durrleman's g from wing to wing, and whether it is at least 0; calendar_gap, the largest fall of total
    variance from the expiry before at one log-moneyness between the quotes of the two, calendar_wing_gap beyond
    them, both 0 without, and calendar_ok, whether neither is; atm_volatility, and skew, the slope of volatility by
    log-moneyness there. Raises InputError when columns are missing or nothing can be fitted.
    """
    absent = [name for name in NEEDED if name not in chain.columns]
    if absent:
        raise InputError(f"`chain` needs the column(s) {', '.join(absent)}; make it with chain.implied_chain")
    groups = [rows for _, rows in chain[chain["years"] > 0].groupby("years", sort=True)]
    used = [rows[(rows["weight"] > 0) & rows["mid_volatility"].notna()] for rows in groups]
    quotes = [_quotes(rows, float(group["years"].iloc[0])) for rows, group in zip(used, groups, strict=True)]
    parameters = fit_smiles(quotes)
    smiles = [_smile(group, len(one.k), found) for group, one, found in zip(groups, quotes, parameters, strict=True)]
    fit = _fit_table(groups, quotes, smiles)
    made = tuple(smile for smile in smiles if smile is not None)
    if not made:
        raise InputError("`chain` has no quote of an expiry ahead that can be used; see chain.reasons(chain) for why")
    return VolatilitySurface(float(chain["spot"].iloc[0]), pd.Timestamp(chain["as_of"].iloc[0]), made, fit)


def calendar_violations(surface: VolatilitySurface, log_moneyness: npt.ArrayLike | None = None) -> pd.DataFrame:
    """Where total variance falls from one expiry to the next: expiry_before, expiry, log_moneyness, fall.

    log_moneyness : where to look; by default from wing to wing of each two neighbours. One row for each place with a
    fall, empty without arbitrage. fall : of total variance, above 0.
    """
    rows = []
    for sooner, later in pairwise(surface.smiles):
        k = _both(sooner, later) if log_moneyness is None else np.atleast_1d(np.asarray(log_moneyness, dtype=float))
        fall = sooner.total_variance(k) - later.total_variance(k)
        found = fall > ROUNDING
        rows += [(sooner.expiry, later.expiry, *pair) for pair in zip(k[found], fall[found], strict=True)]
    return pd.DataFrame(rows, columns=["expiry_before", "expiry", "log_moneyness", "fall"])


def _quotes(rows: pd.DataFrame, years: float) -> Quotes:
    rows = rows.sort_values("log_moneyness", kind="stable")
    k, volatility, weight = (rows[n].to_numpy(dtype=float) for n in ("log_moneyness", "mid_volatility", "weight"))
    return Quotes(k, volatility, weight, years)


def _smile(group: pd.DataFrame, count: int, found: tuple[float, ...]) -> Smile | None:
    if count == 0:
        return None
    first = group.iloc[0]
    terms = (first["expiry"].date(), float(first["years"]), float(first["forward"]), float(first["discount"]))
    a, b, rho, m, sigma = found
    return Smile(*terms, a, b, rho, m, sigma, method="svi" if b > 0 else "flat")


def _fit_table(groups: list[pd.DataFrame], quotes: list[Quotes], smiles: list[Smile | None]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    before: tuple[Quotes, Smile] | None = None
    for group, one, smile in zip(groups, quotes, smiles, strict=True):
        first = group.iloc[0]
        told = ("expiry", "years", "forward", "discount", "carry", "forward_source", "pairs", "parity_error")
        row = {name: first.get(name, np.nan) for name in told} | {"quotes": len(one.k)}
        row |= {"left_out": len(group) - len(one.k), "method": "none" if smile is None else smile.method}
        if smile is not None:
            row |= _errors(one, smile) | _arbitrage(one, smile, before)
            before = (one, smile)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(FIT_COLUMNS))


def _errors(quotes: Quotes, smile: Smile) -> dict[str, float]:
    fitted = np.sqrt(smile.total_variance(quotes.k) / smile.years)
    error, level = np.abs(fitted - quotes.volatility), _level(smile)
    near = np.abs(quotes.k) <= NEAR * level * np.sqrt(smile.years)
    return {
        "rms": float(np.sqrt(np.mean(error**2))),
        "near_rms": float(np.sqrt(np.mean(error[near] ** 2))) if near.any() else np.nan,
        "max": float(error.max()),
        "inside": float(np.mean(error * quotes.weight <= 1)),
        "atm_volatility": level,
        "skew": float(smile.b * (smile.rho - smile.m / np.hypot(smile.m, smile.sigma)) / (2 * level * smile.years)),
    }


def _arbitrage(quotes: Quotes, smile: Smile, before: tuple[Quotes, Smile] | None) -> dict[str, Any]:
    k = grid_of(quotes.k, _level(smile) * np.sqrt(smile.years))
    least, gap, beyond = float(np.min(smile.durrleman(k))), 0.0, 0.0
    if before is not None:
        seen = np.concatenate([quotes.k, before[0].k])
        k = np.union1d(k, _both(before[1], smile))
        fall = before[1].total_variance(k) - smile.total_variance(k)
        fall, between = np.where(fall > ROUNDING, fall, 0.0), (k >= seen.min()) & (k <= seen.max())
        gap, beyond = float(fall[between].max(initial=0)), float(fall[~between].max(initial=0))
    return {
        "minimum_g": least,
        "butterfly_ok": least >= 0,
        "calendar_gap": gap,
        "calendar_wing_gap": beyond,
        "calendar_ok": gap == beyond == 0,
    }


def _level(smile: Smile) -> float:
    """Volatility at the forward."""
    return float(np.sqrt(smile.total_variance(0.0) / smile.years))


def _both(sooner: Smile, later: Smile) -> Floats:
    deviation = max(_level(one) * np.sqrt(one.years) for one in (sooner, later))
    return grid_of(np.empty(0), deviation)


def _like(given: object, values: Floats) -> Any:
    """``values`` as a Series where ``given`` is one, as a float where they are one number."""
    if isinstance(given, pd.Series):
        return pd.Series(values, index=given.index)
    return float(values) if values.ndim == 0 else values

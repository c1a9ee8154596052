"""Did value at risk hold? Tests of how often, and how clustered, losses went beyond it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.levels import tail_share
from sigmalib.risk.tails.backtest_results import ChristoffersenTest, KupiecTest, TrafficLight, VarBacktest
from sigmalib.risk.tails.outcomes import Missing, numbers, whole

Sequence = npt.ArrayLike | pd.Series
BASEL_DAYS, BASEL_LEVEL = 250, 0.99
COUNTED = 1_000_000  # observations up to which every count is summed
MULTIPLIERS = {5: 3.40, 6: 3.50, 7: 3.65, 8: 3.75, 9: 3.85}  # yellow zone, by hits in 250 days at 99 %


def kupiec_test(hits: Sequence | int, observations: int | None = None, *, level: float) -> KupiecTest:
    """The proportion-of-failures test of ``hits`` in ``observations`` sessions at a VaR ``level`` in (0.5, 1).

    hits : a count, or the sequence of hits itself (booleans or 0 and 1; ``observations`` may then be left out).
    LR_uc = -2 ln[(1 - p)^(T - x) p^x] + 2 ln[(1 - x/T)^(T - x) (x/T)^x], 0 ln 0 = 0. NaN without observations.
    Raises InputError for counts that are not whole, negative, or above the observations.
    Source: Kupiec (1995), "Techniques for verifying the accuracy of risk measurement models", J. of Derivatives 3(2).

    >>> test = kupiec_test(6, 250, level=0.99)
    >>> round(test.statistic, 6), round(test.p_value, 4), round(test.exact_p_value, 4)
    (3.555355, 0.0594, 0.0412)
    """
    count, total = _counted(hits, observations)
    share = tail_share(level)
    if total == 0:
        unknown = (math.nan,) * 2
        return KupiecTest(*unknown, count, total, level, 0.0, math.nan, *unknown, reason="no observations")
    statistic = 2 * max(0.0, _entropy(count, total, share) + _entropy(total - count, total, 1 - share))
    p_exact, upper = _binomial(count, total, share)
    return KupiecTest(statistic, _chi2_1(statistic), count, total, level, total * share, count / total, p_exact, upper)


def christoffersen_test(hits: Sequence, *, level: float) -> ChristoffersenTest:
    """Tests of coverage and independence of a sequence of ``hits`` (booleans or 0 and 1, oldest first).

    LR_ind = 2 [ln L(pi01, pi11) - ln L(pi2)] with pi01 = n01 / (n00 + n01), pi11 = n11 / (n10 + n11) and pi2 the share
    of hits after the first session; LR_uc is Kupiec's over all sessions; LR_cc is their sum. Without a hit to follow
    LR_ind is 0, with the reason; NaN with fewer than two sessions. Raises InputError for other or unknown values.
    Source: Christoffersen (1998), "Evaluating interval forecasts", International Economic Review 39(4), section 3.

    >>> days = np.zeros(250, bool)
    >>> days[[49, 50, 51, 119, 120, 199]] = True
    >>> test = christoffersen_test(days, level=0.99)
    >>> round(test.lr_ind, 6), round(test.statistic, 6)
    (15.915297, 19.470651)
    """
    known = _sequence(hits)
    overall = kupiec_test(int(known.sum()), len(known), level=level)
    counts = np.bincount(2 * known[:-1] + known[1:], minlength=4)
    n00, n01, n10, n11 = (int(count) for count in counts)
    reason, independence = "", math.nan
    if len(known) < 2:
        reason = "fewer than two sessions"
    else:
        after = (n01 + n11) / (len(known) - 1)
        shares = (
            (n01, n00 + n01, after),
            (n00, n00 + n01, 1 - after),
            (n11, n10 + n11, after),
            (n10, n10 + n11, 1 - after),
        )
        independence = 2 * max(0.0, math.fsum(_entropy(*cell) for cell in shares))
        reason = "" if n10 + n11 else "no hit has a session after it: independence cannot fail"
    both = overall.statistic + independence
    return ChristoffersenTest(
        statistic=both,
        p_value=math.exp(-both / 2),
        lr_ind=independence,
        p_ind=_chi2_1(independence),
        lr_uc=overall.statistic,
        p_uc=overall.p_value,
        n00=n00,
        n01=n01,
        n10=n10,
        n11=n11,
        hits=overall.hits,
        observations=overall.observations,
        level=overall.level,
        reason=reason,
    )


def basel_traffic_light(hits: Sequence | int, observations: int | None = None, *, level: float = 0.99) -> TrafficLight:
    """The Basel zone of ``hits`` in ``observations`` sessions (250 for a count unless given).

    hits : a count, or the sequence itself. Yellow begins where the chance of that many hits or fewer reaches 95 %, red
    where it reaches 99.99 %: 5 and 10 in 250 sessions at 99 %. The multiplier is 3 in green and 4 in red; in yellow the
    rules have one only for 250 sessions at 99 %, else NaN with the reason.
    Source: Basel Committee (1996), Supervisory framework for the use of "backtesting", table 2.

    >>> light = basel_traffic_light(7)
    >>> light.zone, light.multiplier
    ('yellow', 3.65)
    """
    sequence = np.ndim(hits) > 0
    count, total = _counted(hits, observations if sequence or observations is not None else BASEL_DAYS)
    share = tail_share(level)
    if total == 0:
        return TrafficLight(None, math.nan, math.nan, count, total, level, "no observations")
    below = 1.0 - _binomial(count + 1, total, share)[1]
    if below < 0.95 or count == 0:
        return TrafficLight("green", 3.0, below, count, total, level)
    if below >= 0.9999:
        return TrafficLight("red", 4.0, below, count, total, level)
    if (total, share) == (BASEL_DAYS, 0.01):
        return TrafficLight("yellow", MULTIPLIERS[count], below, count, total, level)
    reason = "the rules have a yellow multiplier for 250 sessions at 99 % only"
    return TrafficLight("yellow", math.nan, below, count, total, level, reason)


def hits(
    pnl: Sequence,
    var: Sequence | float,
    *,
    dated: Literal["for", "at"] = "for",
    missing: Missing = "raise",
) -> pd.Series:
    """Sessions on which the loss went beyond VaR, P&L < -VaR: True or False (session,).

    pnl : (session,), gains positive. var : (session,) or one number, losses positive, same unit.
    dated : "for" when VaR stands on the session it is a forecast for, so that it was known one before; "at" when it
    stands on the session whose close it was computed at: it is moved one session on, and the first is not tested.
    missing : "drop" leaves out sessions whose P&L or VaR is unknown. Two Series must have the same labels.
    Raises InputError for unknown values, labels out of order or twice, and lengths that differ.

    >>> hits([-3.0, 1.0, -1.0], [2.0, 2.0, 2.0]).tolist()
    [True, False, False]
    """
    return _compared(pnl, var, dated, missing)[0]


def backtest(
    pnl: Sequence,
    var: Sequence | float,
    level: float,
    *,
    dated: Literal["for", "at"] = "for",
    missing: Missing = "raise",
) -> VarBacktest:
    """The tests of Kupiec, Christoffersen and Basel for a VaR series at ``level``; arguments as for ``hits``.

    Basel's zones are for VaR at 99 %: at another level ``basel.zone`` is None; with fewer than 250 sessions its
    multiplier is NaN; ``basel.reason`` says why.

    >>> backtest([-3.0, 1.0, -1.0], 2.0, 0.95).kupiec.hits
    1
    """
    found, excess, dropped = _compared(pnl, var, dated, missing)
    return VarBacktest(
        level,
        found,
        kupiec_test(found, level=level),
        christoffersen_test(found, level=level),
        _basel(found, level),
        max(0.0, float(excess.max())) if len(excess) else math.nan,
        dropped,
    )


def _basel(found: pd.Series, level: float) -> TrafficLight:
    """The traffic light as far as the rules go: none at other levels, no multiplier for a short sample."""
    light = basel_traffic_light(found, level=level)
    if light.zone is None:
        return light
    if tail_share(level) != tail_share(BASEL_LEVEL):
        return replace(light, zone=None, multiplier=math.nan, reason="the rules have zones for VaR 99 % only")
    if light.observations < BASEL_DAYS:
        reason = f"the rules have one for {BASEL_DAYS} sessions, these are {light.observations}"
        return replace(light, multiplier=math.nan, reason=reason)
    return light


def _compared(
    pnl: Sequence, var: Sequence | float, dated: str, missing: Missing
) -> tuple[pd.Series, npt.NDArray[np.float64], int]:
    """Hits, losses beyond VaR, and how many sessions were dropped."""
    if dated not in ("for", "at") or missing not in ("raise", "drop"):
        raise InputError(f"`dated` is 'for' or 'at', `missing` 'raise' or 'drop'; were {dated!r} and {missing!r}")
    gains, labels = numbers(pnl, "pnl"), pnl.index if isinstance(pnl, pd.Series) else None
    limits = numbers(var, "var")
    if isinstance(var, pd.Series):
        if labels is not None and not var.index.equals(labels):
            raise InputError("`pnl` and `var` must have the same sessions; reindex one on the other first")
        labels = var.index
    if gains.ndim != 1 or limits.shape not in ((), gains.shape):
        raise InputError(f"`pnl` and `var` must be one series each of equal length, were {gains.shape}, {limits.shape}")
    if labels is not None and not (labels.is_monotonic_increasing and labels.is_unique):
        raise InputError("the sessions of `pnl` and `var` must be in order and each only once; sort them first")
    limits = np.broadcast_to(limits, gains.shape)
    index = pd.RangeIndex(len(gains)) if labels is None else labels
    if dated == "at":
        gains, limits, index = gains[1:], limits[:-1], index[1:]
    known = np.isfinite(gains) & np.isfinite(limits)
    if missing == "raise" and not known.all():
        raise InputError(f"P&L or VaR is unknown on {(~known).sum()} session(s); pass missing='drop' to leave them out")
    excess = (-gains - limits)[known]
    return pd.Series(gains[known] < -limits[known], index=index[known], name="hit"), excess, int((~known).sum())


def _counted(hits: Sequence | int, observations: int | None) -> tuple[int, int]:
    if np.ndim(hits) > 0:
        known = _sequence(hits)
        if observations is not None and observations != len(known):
            raise InputError(f"`observations` was {observations!r}, but `hits` has {len(known)}; leave it out")
        return int(known.sum()), len(known)
    if observations is None:
        raise InputError("`observations` is needed beside a count of hits: the number of sessions")
    count, total = whole(hits, "hits"), whole(observations, "observations")
    if count > total:
        raise InputError(f"`hits` must not exceed `observations`, were {count} and {total}")
    return count, total


def _sequence(hits: Sequence) -> npt.NDArray[np.int64]:
    known = numbers(hits, "hits")
    known = known[:, 0] if known.ndim == 2 and known.shape[1] == 1 else known
    if known.ndim != 1 or not np.isin(known, (0.0, 1.0)).all():
        raise InputError("`hits` must be one sequence of booleans, or of 0 and 1; make it with `hits(pnl, var)`")
    return known.astype(np.int64)


def _entropy(count: int, total: int, share: float) -> float:
    """count x ln((count / total) / share), with 0 ln 0 = 0."""
    return count * math.log(count / total / share) if count else 0.0


def _chi2_1(statistic: float) -> float:
    """Chance that a chi-square with one degree of freedom exceeds ``statistic``."""
    return math.erfc(math.sqrt(statistic / 2))


def _binomial(count: int, total: int, share: float) -> tuple[float, float]:
    """Two-sided p-value (counts no more likely than this one) and chance of ``count`` or more."""
    from scipy.special import gammaln

    reach = total if total <= COUNTED else math.ceil(40 * math.sqrt(total * share))  # beyond, chances are below 1e-300
    every = np.arange(max(0.0, total * share // 1 - reach), min(total, total * share // 1 + reach) + 1)
    ways = gammaln(total + 1.0) - gammaln(every + 1) - gammaln(total - every + 1)
    chances = np.exp(ways + every * math.log(share) + (total - every) * math.log1p(-share))
    here = float(chances[every == count].sum())
    likely = chances <= here * (1 + 1e-7 + 1e-14 * total)  # the noise of ln(n!) grows with n
    return min(1.0, float(chances[likely].sum())), min(1.0, float(chances[every >= count].sum()))

"""Quality: which bars cannot be true, which are doubtful, and which are not there.

``sift`` takes out rows that cannot be true (to be quarantined, each with a reason), ``findings`` says in sentences what
is doubtful about those that stay, ``coverage`` counts them. Nothing is repaired and nothing filled here. Each symbol is
measured against the sessions of its own calendar (``instruments.calendar_of``). No clock and no file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import copysign, expm1, isnan, log, nan
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import BARS, FINDINGS, MINUTES, check
from sigmalib.core.instruments import calendar_of
from sigmalib.core.times import DateLike, calendar, last_closed_session, sessions, to_date

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "adjusted_close", "volume", "dividend", "split")
CROSSED = 1e-6  # the fraction by which rounding may put the low above the high
UNDONE = 0.8  # a return of which the next one takes back this fraction, to its inverse, looks like a bad print
NEARER = 0.5  # a split was not followed when the return without it is at most this fraction of the one with it

_RATIOS = [(n, 1) for n in (2, 3, 4, 5, 7, 8, 10, 15, 20, 25, 50, 100)] + [(3, 2), (5, 4)]
SPLITS = {old / new: f"{new}:{old}" for a, b in _RATIOS for new, old in ((a, b), (b, a))}  # by what the price is left

Bools = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class QualityLimits:
    """Beyond what something is a finding.

    stale_run, no_volume_run : sessions in a row with the same close, or without volume.
    outlier_mads : log return, in median absolute deviations of the series; outlier_return : and at least this one.
    split_tolerance : log distance of a return from a simple ratio such as 2:1.
    outside : how far open or close may lie above the high or below the low, as a fraction of itself.
    """

    stale_run: int = 5
    no_volume_run: int = 3
    outlier_mads: float = 12.0
    outlier_return: float = 0.25
    split_tolerance: float = 0.02
    outside: float = 0.001


STANDARD = QualityLimits()


class Hole(NamedTuple):
    """A run of missing sessions, by where it lies."""

    check: str
    has: str
    do: str


HOLES = {  # by whether it reaches the first session asked for, and the last
    (False, False): Hole("gap", "has a gap", "ask again, or see whether it was suspended"),
    (True, False): Hole("short", "has nothing at the start of the range", "fetch them, or see when it was listed"),
    (False, True): Hole("short", "has nothing at the end of the range", "fetch them, or see whether it was delisted"),
    (True, True): Hole("short", "has nothing in the range", "fetch them, or see whether it was listed then"),
}


class Finding(NamedTuple):
    """One row of FINDINGS: its fields are the columns of the contract, in their order."""

    symbol: str
    session: pd.Timestamp
    check: str
    measure: float
    limit: float
    severity: str
    sentence: str


class Fault(NamedTuple):
    """Why a row cannot be true."""

    check: str
    measure: float
    limit: float
    reason: str


class Rule(NamedTuple):
    """What may not be, and of which columns."""

    check: str
    columns: tuple[str, ...]
    broken: Callable[[Floats], Bools]
    limit: float
    says: str


OVERPAID = "dividend"  # how the reason begins, when it is for too much of one

RULES = (
    Rule("infinite", NUMBERS, np.isinf, np.inf, "is not a finite number"),
    Rule("unknown", ("close",), np.isnan, nan, "is unknown; a bar has a close at least"),
    Rule("price", PRICES, lambda price: price <= 0, 0.0, "is no price; one lies above zero"),
    Rule("volume", ("volume",), lambda volume: volume < 0, 0.0, "lies below zero"),
    Rule("action", ("split",), lambda split: split <= 0, 0.0, "is no ratio; new shares for one old lie above zero"),
    Rule("action", ("dividend",), lambda dividend: dividend < 0, 0.0, "lies below zero"),
)


def sift(bars: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of BARS or MINUTES that can be true, and those that cannot, with a ``reason`` each.

    Bad is a close that is unknown; a price that is not positive, a number that is infinite, a volume or a dividend
    below zero, a split that is not positive; a high below the low by more than a millionth; a row whose label a sound
    row before it has already; and a dividend of no less than the share was worth, by the close before if there is one.
    Other unknown numbers are not bad. Good is sorted and unique, the very same frame when there was nothing to do; bad
    is in the order given. Raises InputError for a table of another shape.
    """
    check(bars, MINUTES if bars.index.names[0] == "time" else BARS)
    faults, keys = _faults(bars), _keys(_labels(bars))
    if not faults and (np.diff(keys) > 0).all() and not _overpaid(bars, np.arange(len(bars))):
        return bars, _with_reasons(bars, {})
    sound = np.delete(np.arange(len(bars)), list(faults))
    ordered = sound[np.argsort(keys[sound], kind="stable")]
    again = np.diff(keys[ordered], prepend=-1) == 0
    kept = ordered[np.maximum.accumulate(np.where(again, 0, np.arange(len(ordered))))]
    reasons = {row: fault.reason for row, fault in faults.items()}
    reasons |= {row: _repeated(bars, row, of) for row, of in zip(ordered[again].tolist(), kept[again], strict=True)}
    reasons |= (overpaid := _overpaid(bars, ordered[~again]))
    good = ordered[~again]
    return bars.iloc[good[~np.isin(good, list(overpaid))]], _with_reasons(bars, reasons)


def findings(
    bars: pd.DataFrame,
    *,
    start: DateLike,
    end: DateLike,
    now: pd.Timestamp | None = None,
    bad: pd.DataFrame | None = None,
    limits: QualityLimits = STANDARD,
) -> pd.DataFrame:
    """FINDINGS about BARS from ``start`` to ``end``, both included; by symbol and session.

    now : an instant with its time zone; a session that had not closed by it is not missed. bad : what ``sift`` took
    out before; what it would take out of ``bars`` now is added to it. The checks, with their measure and limit:

    gap, short : sessions missing in a row, inside the series or at an end of it; 0
    stale : sessions in a row with the same close and no change of volume, or none known; ``stale_run``
    no_volume : sessions in a row without volume, unless the series never has any, as an index; ``no_volume_run``
    outlier : log return with dividend and split; ``outlier_mads`` x the median absolute deviation of the series'
        returns, or ``outlier_return`` when that is more. The return that undoes a bad print is no finding of its own
    split : what is left of the close before, with dividend and split; the split that is recorded and was not
        followed, as the return without it is at most half of that with it, or, where none is recorded, the simple
        ratio that it is within ``split_tolerance`` of, and the open, if known, too (if not, only those of two and more)
    outside : how far open or close lie above the high or below the low; ``outside``
    infinite, unknown, price, volume, action, crossed, repeated : of the rows that are bad; severity bad

    Raises InputError for a ``now`` without time zone and for a ``start`` after ``end``.
    """
    good, worse = sift(check(bars, BARS))
    table = _by_symbol(good)
    found = [
        *_holes(good, start, end, now),
        *_stale(table, limits),
        *_without_volume(table, limits),
        *_jumps(table, limits),
        *_outside(table, limits),
        *_quarantined(worse if bad is None else pd.concat([bad, worse])),
    ]
    first, last = pd.Timestamp(to_date(start)), pd.Timestamp(to_date(end))
    return _frame(one for one in found if first <= one.session <= last)


def order_findings(bars: pd.DataFrame) -> pd.DataFrame:
    """FINDINGS ``order`` of BARS or MINUTES: how many rows of a symbol stand after a later one; 0.

    ``sift`` puts them in order. A table with one symbol after the other is in order. An instant counts as its UTC day.
    """
    index = _labels(bars)
    table = pd.DataFrame({"code": index.codes[1], "at": index.get_level_values(0)})
    late = table[table["at"] < table.groupby("code")["at"].shift()].groupby("code")["at"].agg(["first", "size"])
    days = pd.DatetimeIndex(late["first"]).tz_localize(None).normalize()
    return _frame(
        Finding(symbol, day, "order", size, 0, "warning", f"{symbol} has {size} row(s) out of order, the first of "
                f"{day:%Y-%m-%d}; they were put in order, see how the source sorts")
        for symbol, day, size in zip(index.levels[1][late.index], days, late["size"], strict=True)
    )  # fmt: skip


def coverage(bars: pd.DataFrame, *, start: DateLike, end: DateLike) -> pd.DataFrame:
    """By symbol: first, last (sessions present), sessions, expected, missing (counts) and share, of a range.

    share : fraction of the sessions of the symbol's own calendar that are present; NaN when none was expected.
    """
    return pd.concat([_counted(held) for held in _held(bars, start, end).values()]).sort_index()


def coverage_by_month(bars: pd.DataFrame, start: DateLike, end: DateLike) -> pd.DataFrame:
    """(symbol x month) share of the expected sessions present; months as 2024-01, NaN where none was expected."""
    shares = [held.T.groupby(lambda day: f"{day:%Y-%m}").mean().T for held in _held(bars, start, end).values()]
    return pd.concat(shares).sort_index().sort_index(axis="columns").rename_axis(index="symbol", columns="month")


def _faults(bars: pd.DataFrame) -> dict[int, Fault]:
    """By row, counted from 0, the first of ``RULES`` it breaks, or that its high lies below its low."""
    found: dict[int, Fault] = {}
    values = {name: bars[name].to_numpy(dtype="float64") for name in NUMBERS}
    for rule in RULES:
        for name in rule.columns:
            for row in np.flatnonzero(rule.broken(values[name])).tolist():
                value = float(values[name][row])
                told = name if isnan(value) else f"{name} {_told(value)}"
                found.setdefault(row, Fault(rule.check, value, rule.limit, f"{told} {rule.says}"))
    high, low = values["high"], values["low"]
    for row in np.flatnonzero(high < low * (1 - CROSSED)).tolist():
        reason = f"high {_told(high[row])} lies below the low {_told(low[row])}"
        found.setdefault(row, Fault("crossed", float(high[row]), float(low[row]), reason))
    return found


def _overpaid(bars: pd.DataFrame, rows: Whole) -> dict[int, str]:
    """Why, by row, a dividend among ``rows``, sound and in order, is too much: no share is left worth nothing by one.

    It is measured against the close before, per share of its day, or where there is none against its own close.
    """
    table = bars.iloc[rows]
    if not (table["dividend"] > 0).any():
        return {}
    before = table["close"].groupby(level="symbol").shift() / table["split"].fillna(1.0)
    worth = before.fillna(table["close"]).to_numpy(dtype="float64")
    dividend = table["dividend"].to_numpy(dtype="float64")
    over = dividend >= worth
    found = {
        row: f"{OVERPAID} {_told(paid)} is no less than the {_told(most)} that the share was worth"
        for row, paid, most in zip(rows[over].tolist(), dividend[over], worth[over], strict=True)
    }
    return found | _overpaid(bars, rows[~over]) if found else {}  # a row taken out is not the one before


def _repeated(bars: pd.DataFrame, row: int, first: int) -> str:
    """Why a row with the label of a sound one is bad: it says the same again, or something else."""
    for name in ("close", *NUMBERS):
        value, kept = bars[name].to_numpy(dtype="float64")[[row, first]].tolist()
        if value != kept and not (isnan(value) and isnan(kept)):
            return f"a second row, whose {name} is {_told(value)} where the first, which is kept, has {_told(kept)}"
    return "a repeated row, with the numbers of the first, which is kept"


def _with_reasons(bars: pd.DataFrame, reasons: dict[int, str]) -> pd.DataFrame:
    rows = sorted(reasons)
    return bars.iloc[rows].assign(reason=pd.array([reasons[row] for row in rows], dtype="str"))


def _labels(bars: pd.DataFrame) -> pd.MultiIndex:
    return cast("pd.MultiIndex", bars.index)


def _keys(index: pd.MultiIndex) -> Whole:
    """A number for each row, in the order of session and symbol; equal for equal labels."""
    times, symbols = (_ranks(level)[codes] for level, codes in zip(index.levels, index.codes, strict=True))
    return times * len(index.levels[1]) + symbols


def _ranks(level: pd.Index) -> Whole:
    ranks = np.empty(len(level), dtype="int64")
    ranks[level.argsort()] = np.arange(len(level))
    return ranks


def _by_symbol(bars: pd.DataFrame) -> pd.DataFrame:
    """The bars by symbol and session; ``code`` numbers the symbols, ``new`` marks the first bar of each."""
    (times, _), (time_codes, codes) = _labels(bars).levels, _labels(bars).codes
    rows = np.lexsort((_ranks(times)[time_codes], codes))
    table = bars.iloc[rows].reset_index().assign(code=codes[rows])
    return table.assign(new=table["code"] != table["code"].shift())


def _held(
    bars: pd.DataFrame, start: DateLike, end: DateLike, now: pd.Timestamp | None = None
) -> dict[str, pd.DataFrame]:
    """By calendar, of which there is one at least: (symbol x expected session) whether there is a bar."""
    index = _labels(bars).remove_unused_levels()
    names = np.array([calendar_of(symbol) for symbol in index.levels[1]], dtype="object")
    expected = {name: _expected(name, start, end, now) for name in sorted(set(names)) or ["XNYS"]}
    return {name: _there(index, names == name, days) for name, days in expected.items()}


def _there(index: pd.MultiIndex, chosen: Bools, days: pd.DatetimeIndex) -> pd.DataFrame:
    """(symbol x session) whether ``index`` has it, for the symbols ``chosen`` of its second level."""
    times, symbols = index.levels
    row = np.where(chosen, np.cumsum(chosen) - 1, -1)[index.codes[1]]
    column = days.get_indexer(times)[index.codes[0]]
    known = (row >= 0) & (column >= 0)
    there = np.zeros((int(chosen.sum()), len(days)), dtype="bool")
    there[row[known], column[known]] = True
    return pd.DataFrame(there, index=symbols[chosen], columns=days)


def _expected(name: str, start: DateLike, end: DateLike, now: pd.Timestamp | None) -> pd.DatetimeIndex:
    """The sessions of a calendar from ``start`` to ``end``, as far as it is known and they had closed by ``now``."""
    if to_date(start) > to_date(end):
        raise InputError(f"`start` {to_date(start)} lies after `end` {to_date(end)}; swap them")
    first = max(to_date(start), calendar(name).first_session.date())
    last = min(to_date(end), calendar(name).last_session.date())
    if now is not None:
        last = min(last, last_closed_session(now, name=name))
    return sessions(first, last, name=name) if first <= last else sessions(first, first, name=name)[:0]


def _counted(held: pd.DataFrame) -> pd.DataFrame:
    there, days = held.to_numpy(), held.columns.append(pd.DatetimeIndex([pd.NaT]))
    any_there, count = there.any(axis=1), there.sum(axis=1)
    first = there.argmax(axis=1) if there.size else np.zeros(len(held), dtype="int64")
    last = len(held.columns) - 1 - (there[:, ::-1].argmax(axis=1) if there.size else first)
    return pd.DataFrame(
        {
            "first": days[np.where(any_there, first, -1)],
            "last": days[np.where(any_there, last, -1)],
            "sessions": count,
            "expected": len(held.columns),
            "missing": len(held.columns) - count,
            "share": count / len(held.columns) if len(held.columns) else nan,
        },
        index=held.index.rename("symbol"),
    )


def _runs(mask: Bools, new: Bools, *, least: int = 1) -> list[tuple[int, int]]:
    """(where it begins, length) of each run of true values of at least ``least``; a run ends where ``new`` is true."""
    begins = mask & (new | ~np.concatenate([[False], mask[:-1]]))
    starts = np.flatnonzero(begins)
    lengths = np.bincount(np.cumsum(begins)[mask] - 1, minlength=len(starts))
    return list(zip(starts[lengths >= least].tolist(), lengths[lengths >= least].tolist(), strict=True))


def _holes(bars: pd.DataFrame, start: DateLike, end: DateLike, now: pd.Timestamp | None) -> Iterator[Finding]:
    """Runs of missing sessions: ``short`` at an end of the range, else ``gap``."""
    for name, held in _held(bars, start, end, now).items():
        width = len(held.columns)
        new = np.zeros(held.shape, dtype="bool")
        new[:, :1] = True
        for begin, length in _runs(~held.to_numpy().ravel(), new.ravel()):
            row, at = divmod(begin, width)
            where = HOLES[at == 0, at + length == width]
            days, symbol = pd.DatetimeIndex(held.columns[at : at + length]), str(held.index[row])
            told = f"{symbol} {where.has}: {_sessions(length, name)} missing, {_span(days)}; {where.do}"
            yield Finding(symbol, days[0], where.check, length, 0, "warning", told)


def _stale(table: pd.DataFrame, limits: QualityLimits) -> Iterator[Finding]:
    volume, new = table["volume"], table["new"]
    unmoved = ~new & (table["close"] == table["close"].shift()) & (volume.isna() | (volume == volume.shift()))
    for second, length in _runs(unmoved.to_numpy(), new.to_numpy(), least=limits.stale_run - 1):
        row = table.iloc[second - 1]
        told = (f"{row['symbol']} closed at {_told(row['close'])} on {length + 1} sessions in a row from "
                f"{row['session']:%Y-%m-%d} without a change of volume; compare with another source")  # fmt: skip
        yield _warning(row, "stale", length + 1, limits.stale_run, told)


def _without_volume(table: pd.DataFrame, limits: QualityLimits) -> Iterator[Finding]:
    trades = (table["volume"] > 0).groupby(table["code"]).transform("any")
    idle = ((table["volume"] == 0) & trades).to_numpy()
    for first, length in _runs(idle, table["new"].to_numpy(), least=limits.no_volume_run):
        row = table.iloc[first]
        told = (f"{row['symbol']} has no volume on {length} sessions in a row from {row['session']:%Y-%m-%d}; its "
                "closes there may be no trades, see whether it was suspended")  # fmt: skip
        yield _warning(row, "no_volume", length, limits.no_volume_run, told)


def _jumps(table: pd.DataFrame, limits: QualityLimits) -> Iterator[Finding]:
    """Returns beyond the usual: ``split`` when it looks like one, else ``outlier``; none that undoes a bad print."""
    undone_at = -1
    for _, row in _unusual(table, limits).iterrows():
        if row["at"] == undone_at:
            continue
        undone = UNDONE <= -row["next"] / row["log"] <= 1 / UNDONE
        undone_at = row["at"] + 1 if undone else -1
        ratio = nan if undone or _recorded(row) else _split_ratio(row, limits.split_tolerance)
        if _unfollowed(row):
            yield _warning(row, "split", row["left"], row["split"], _unfollowed_told(row))
        elif not isnan(ratio):
            yield _warning(row, "split", row["left"], ratio, _split_told(row, ratio))
        elif abs(row["log"]) > row["limit"]:
            yield _warning(row, "outlier", row["log"], row["limit"], _outlier_told(row, undone))


def _unusual(table: pd.DataFrame, limits: QualityLimits) -> pd.DataFrame:
    """The bars ``at`` which the return is unusual, with the ``prior`` close, what is ``left`` of it and at the open
    (``left_open``), the ``log`` return, the ``next`` one and the ``limit``.
    """
    prior = table["close"].shift().where(~table["new"])
    dividend, split = table["dividend"].fillna(0.0), table["split"].fillna(1.0)
    left = (table["close"] + dividend) * split / prior
    log_return = left.apply(np.log)
    away = (log_return - log_return.groupby(table["code"]).transform("median")).abs()
    usual = limits.outlier_mads * away.groupby(table["code"]).transform("median")
    least = min(limits.outlier_return, log(1.25) - limits.split_tolerance)
    found = table.assign(prior=prior, left=left, left_open=(table["open"] + dividend) * split / prior)
    found = found.assign(log=log_return, next=log_return.shift(-1), limit=usual.clip(lower=limits.outlier_return))
    return found[log_return.abs() > usual.clip(lower=least)].rename_axis(index="at").reset_index()


def _split_ratio(row: pd.Series, tolerance: float) -> float:
    """The simple ratio that the close, and the open if known, left of the close before; NaN when there is none."""
    nearest = min(SPLITS, key=lambda ratio: abs(log(row["left"] / ratio)))
    apart = [abs(log(left / nearest)) for left in (row["left"], row["left_open"]) if not isnan(left)]
    believed = len(apart) > 1 or abs(log(nearest)) >= log(2) - tolerance  # a fall by a third may be no split
    return nearest if believed and max(apart) <= tolerance else nan


def _recorded(row: pd.Series) -> bool:
    return not isnan(row["split"]) and row["split"] != 1


def _unfollowed(row: pd.Series) -> bool:
    """Whether a split is recorded that the price did not follow: without it the return is much nearer to zero."""
    return _recorded(row) and abs(log(row["left"] / row["split"])) <= NEARER * abs(row["log"])


def _went(row: pd.Series) -> str:
    return f"{row['symbol']} went from {_told(row['prior'])} to {_told(row['close'])} on {row['session']:%Y-%m-%d}"


def _included(row: pd.Series, *, split: bool = True) -> str:
    """The split and the dividend that a move includes, as words after it; empty when there are none."""
    splits = [f"its split of {_told(row['split'])}"] if split and _recorded(row) else []
    dividends = [f"its dividend of {_told(row['dividend'])}"] if row["dividend"] > 0 else []
    return f" with {' and '.join([*splits, *dividends])}" if splits or dividends else ""


def _unfollowed_told(row: pd.Series) -> str:
    went = f"{_went(row)}{_included(row, split=False)}"
    return (f"{went}, where a split of {_told(row['split'])} is recorded, which it did not follow; see whether the "
            "session is right and the prices are as traded")  # fmt: skip


def _split_told(row: pd.Series, ratio: float) -> str:
    return (f"{_went(row)}{_included(row)}, as after a {SPLITS[ratio]} split, but none is recorded; look it up, or "
            "whether the unit changed")  # fmt: skip


def _outlier_told(row: pd.Series, undone: bool) -> str:
    most = expm1(copysign(row["limit"], row["log"]))
    moved = f"{_went(row)}, a move of {row['left'] - 1:+.1%}{_included(row)} where {most:+.0%} is the most expected"
    if undone:
        return f"{moved}, and back the session after: it looks like a bad print; compare with another source"
    return f"{moved}; compare with another source and with the news"


def _outside(table: pd.DataFrame, limits: QualityLimits) -> Iterator[Finding]:
    for name in ("open", "close"):
        price = table[name]
        beyond = np.maximum(table["low"] - price, price - table["high"]) / price
        for at in np.flatnonzero(beyond > limits.outside).tolist():
            row = table.iloc[at]
            told = (f"{row['symbol']} has on {row['session']:%Y-%m-%d} the {name} {_told(row[name])}, outside its "
                    f"range {_told(row['low'])} to {_told(row['high'])}; compare with another source")  # fmt: skip
            yield _warning(row, "outside", beyond.iat[at], limits.outside, told)


def _quarantined(bad: pd.DataFrame) -> Iterator[Finding]:
    faults = _faults(check(bad, BARS))
    for at, (session, symbol, reason) in enumerate(bad["reason"].reset_index().itertuples(index=False)):
        paid = float(bad["dividend"].iloc[at])
        beside = Fault("action", paid, nan, reason) if reason.startswith(OVERPAID) else Fault("repeated", 2, 1, reason)
        fault = faults.get(at, beside)
        told = f"{symbol} on {session:%Y-%m-%d}: {reason}; the row is kept apart"
        yield Finding(symbol, session, fault.check, fault.measure, fault.limit, "bad", told)


def _warning(row: pd.Series, name: str, measure: float, limit: float, sentence: str) -> Finding:
    return Finding(row["symbol"], row["session"], name, measure, limit, "warning", sentence)


def _frame(found: Iterable[Finding]) -> pd.DataFrame:
    table = pd.DataFrame(list(found), columns=FINDINGS.names).astype(FINDINGS.empty().dtypes.to_dict())
    return table.sort_values(["symbol", "session", "check"], kind="stable", ignore_index=True)


def _told(value: float) -> str:
    """A price or a volume as a person writes it: 20,710 or 0.1455."""
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"


def _sessions(count: int, name: str) -> str:
    return f"{count:,} session{'s' if count > 1 else ''} of {name}"


def _span(days: pd.DatetimeIndex) -> str:
    return f"{days[0]:%Y-%m-%d}" if len(days) == 1 else f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}"

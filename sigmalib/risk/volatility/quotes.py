"""Option quotes as a vendor tells them: one row a contract, its terms, and what is wrong with it."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.instruments import OptionContract, parse_option
from sigmalib.core.times import DateLike, expiry_instant, last_session, session_close, to_date, years_between

CONTRACTS = ("contractSymbol", "symbol", "contract", "ticker")  # columns that vendors tell the contract in
NUMBERS = ("bid", "ask", "last", "volume", "open_interest")
"""What is read of a quote; a column that is not there is NaN."""


def to_moment(as_of: DateLike) -> pd.Timestamp:
    """The UTC instant of ``as_of``: of a date the close of its session, or of the last session before it.

    Raises InputError for text that is no date and for a time of day without its zone.

    >>> to_moment("2022-12-25")
    Timestamp('2022-12-23 21:00:00+0000', tz='UTC')
    """
    if isinstance(as_of, str):
        as_of = _read(as_of.strip())
    if isinstance(as_of, datetime):
        stamp = pd.Timestamp(as_of)
        if stamp.tzinfo is not None:
            return stamp.tz_convert("UTC")
        if stamp != stamp.normalize():
            raise InputError(f"`as_of` {as_of} is no date and has no time zone; write it as 2026-02-11T17:27+00:00")
    return session_close(last_session(as_of))


def _read(text: str) -> date:
    """A date, or an instant where the text has a time of day."""
    day = to_date(text, what="as_of")
    return datetime.fromisoformat(text) if len(text) > len("2026-02-11") else day


def quote_table(quotes: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    """The newest quote of each contract at ``moment`` with its terms, by symbol.

    quotes : by (session, symbol), of which later sessions than the moment's are not looked at, or by symbol alone.
    Returns (symbol) x as_of, NUMBERS, mid, expiry, years, strike, right, style and the truth of stale and adjusted.
    A bid or ask that is not above zero is NaN, as is the middle of a crossed or one-sided quote.
    Raises InputError without bid and ask, for several underlyings, and for a doubled or unreadable symbol.
    """
    table = _newest(quotes, moment)
    contracts = [parse_option(str(symbol)) for symbol in table.index]
    _one_underlying(contracts)
    rows = pd.DataFrame({name: _number(table, name) for name in NUMBERS}, index=table.index.rename("symbol"))
    for side in ("bid", "ask"):
        rows[side] = rows[side].where((rows[side] > 0) & np.isfinite(rows[side]))
    rows["mid"] = (rows["bid"] + rows["ask"]).where(rows["bid"] <= rows["ask"]) / 2
    rows["as_of"], rows["stale"] = moment, table["stale"].to_numpy(dtype=bool)
    return rows.assign(**_terms(contracts, moment, rows.index))


def quote_reasons(rows: pd.DataFrame, spot: float) -> pd.Series:
    """The first of ``chain.REASONS`` why a row of ``quote_table`` cannot be priced; "" where there is none."""
    bid, ask = rows["bid"].notna(), rows["ask"].notna()
    rules = {
        "stale": rows["stale"],
        "adjusted": rows["adjusted"],
        "expired": ~(rows["years"] > 0),
        "no quote": ~bid & ~ask,
        "no bid": ~bid,
        "no ask": ~ask,
        "crossed": rows["bid"] > rows["ask"],
    }
    said = first_true(rules, rows.index)
    return said.mask(_out_of_line(rows[said == ""], spot).reindex(rows.index, fill_value=False), "out of line")


def first_true(rules: dict[str, pd.Series], index: pd.Index) -> pd.Series:
    """The name of the first rule that is true of each row; "" where none is."""
    said = np.select([rule.to_numpy(dtype=bool) for rule in rules.values()], list(rules), default="")
    return pd.Series(said, index=index, dtype="str")


def _newest(quotes: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    """The newest quote of each symbol at ``moment``, by symbol, with whether it is of an earlier session."""
    absent = [name for name in ("bid", "ask") if name not in quotes.columns]
    if absent:
        raise InputError(f"`quotes` needs the column(s) {', '.join(absent)}; see core.frames.QUOTES")
    if quotes.index.nlevels == 1 and len(quotes) and pd.api.types.is_numeric_dtype(quotes.index.dtype):
        column = next((name for name in CONTRACTS if name in quotes.columns), CONTRACTS[0])
        raise InputError(f"`quotes` is indexed by numbers; index it by contract first: quotes.set_index({column!r})")
    if quotes.index.has_duplicates:
        raise InputError(f"`quotes` has {quotes.index[quotes.index.duplicated()][0]} twice; keep one")
    if quotes.index.nlevels == 1:
        return quotes.assign(stale=False)
    day = pd.Timestamp(last_session(moment.tz_convert("America/New_York").date()))
    known = quotes.reset_index().sort_values("session", kind="stable")
    known = known[known["session"] <= day].drop_duplicates("symbol", keep="last")
    return known.assign(stale=known["session"] < day).set_index("symbol")


def _one_underlying(contracts: list[OptionContract]) -> None:
    names = sorted({contract.underlying for contract in contracts})
    if len(names) > 1:
        raise InputError(f"`quotes` must be of one underlying, was of {', '.join(names)}; take one of them")


def _number(table: pd.DataFrame, name: str) -> object:
    if name not in table.columns:
        return np.nan
    return pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _terms(contracts: list[OptionContract], moment: pd.Timestamp, index: pd.Index) -> dict[str, pd.Series]:
    ends = {
        key: years_between(moment, expiry_instant(key[0], morning_settled=key[1]))
        for key in {(contract.expiry, contract.morning_settled) for contract in contracts}
    }
    expiries = pd.to_datetime([contract.expiry for contract in contracts]).as_unit("us")
    return {
        "expiry": pd.Series(expiries, index=index),
        "years": pd.Series([ends[c.expiry, c.morning_settled] for c in contracts], index=index, dtype=float),
        "strike": pd.Series([c.strike for c in contracts], index=index, dtype=float),
        "right": pd.Series([c.right for c in contracts], index=index, dtype="str"),
        "style": pd.Series([c.style for c in contracts], index=index, dtype="str"),
        "adjusted": pd.Series([c.adjusted for c in contracts], index=index, dtype=bool),
    }


def _out_of_line(rows: pd.DataFrame, spot: float) -> pd.Series:
    """Whether two options nearer to the money, of the same expiry and right, ask less than an option's bid.

    Out of the money an option is worth less the further its strike is away; vendors keep quotes from before a split.
    """
    outside = (rows["strike"] >= spot) == (rows["right"] == "call")
    away = np.log(rows["strike"] / spot).abs()
    ordered = rows[outside].assign(away=away).sort_values("away", kind="stable")
    found: dict[str, bool] = {}
    for _, group in ordered.groupby(["years", "right"], sort=False):
        lowest = second = np.inf
        for symbol, bid, ask in zip(group.index, group["bid"].tolist(), group["ask"].tolist(), strict=True):
            found[symbol] = bid > second
            lowest, second = min(lowest, ask), min(second, max(lowest, ask))
    return pd.Series(found, dtype=bool).reindex(rows.index, fill_value=False)

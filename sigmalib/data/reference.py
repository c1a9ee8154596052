"""Profiles, option chains and short interest in the cache: small tables, kept with their origin, and read whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pandas as pd
import pyarrow as pa

from sigmalib.core.errors import DataUnavailable
from sigmalib.core.frames import PROFILES, QUOTES, SHORT_INTEREST, check
from sigmalib.core.frames import missing as missing_table
from sigmalib.data.cache import ALL, Cache
from sigmalib.data.cache.record import Record, new_fetch_id
from sigmalib.data.sources import Answer, Source

CHAIN_KEYS = ["session", "symbol"]
SHORT_KEYS = ["session", "symbol"]
NEXT_COUNT = timedelta(days=26)  # after a settlement: half a month to the next, and until that is published
ORIGIN = ["known_at", "source", "fetch_id"]


def fetch_profiles(source: Source, cache: Cache, symbols: Sequence[str], *, now: Callable[[], datetime]) -> Answer:
    """PROFILES of ``symbols``, asked for and kept where they differ from what is held; a failure is in ``missing``."""
    wanted = sorted({symbol.strip().upper() for symbol in symbols})
    try:
        answer = source.profiles(wanted)
    except DataUnavailable as error:
        return Answer(PROFILES.empty(), missing_table(*((symbol, "profile", str(error)) for symbol in wanted)))
    found = check(answer.frame, PROFILES)[PROFILES.names]
    _keep(cache.record(source.name, "profiles"), found.rename_axis("symbol").reset_index(), ["symbol"], now())
    return answer


def fetch_chain(source: Source, cache: Cache, underlying: str, session: date, *, now: Callable[[], datetime]) -> Answer:
    """QUOTES of the options on ``underlying`` at ``session``, asked for and kept; a failure is in ``missing``."""
    name = underlying.strip().upper()
    try:
        answer = source.option_chain(name, session)
    except DataUnavailable as error:
        return Answer(QUOTES.empty(), missing_table((name, "quote", str(error))))
    found = check(answer.frame, QUOTES)[QUOTES.names].reset_index()
    _keep(cache.record(source.name, "chains", name), found, CHAIN_KEYS, now())
    return answer


def fetch_short_interest(
    source: Source, cache: Cache, symbols: Sequence[str], start: date, end: date, *, now: Callable[[], datetime]
) -> Answer:
    """SHORT_INTEREST of ``symbols``, asked for and kept where it differs from what is held; failures in ``missing``."""
    wanted = sorted({symbol.strip().upper() for symbol in symbols})
    try:
        answer = source.short_interest(wanted, start, end)
    except DataUnavailable as error:
        gaps = ((symbol, "short_interest", str(error)) for symbol in wanted)
        return Answer(SHORT_INTEREST.empty(), missing_table(*gaps))
    found = check(answer.frame, SHORT_INTEREST)[SHORT_INTEREST.names].reset_index()
    _keep(cache.record(source.name, "short_interest"), found, SHORT_KEYS, now())
    return answer


def latest(record: Record, keys: Sequence[str], known_at: datetime | None = None) -> pd.DataFrame:
    """The rows of a record as last known, or as known at an instant, each key once, without their origin."""
    names = [name for name in record.names() if known_at is None or name.known_at <= known_at]
    frames = [batch.frame for name in names if (batch := record.read(name)) is not None]
    if not frames:
        return pd.DataFrame(columns=list(keys))
    rows = pd.concat(frames, ignore_index=True).drop(columns=ORIGIN)
    return rows.drop_duplicates(list(keys), keep="last", ignore_index=True)


def latest_profiles(cache: Cache, source: str, known_at: datetime | None) -> pd.DataFrame:
    """PROFILES of every symbol as last known."""
    held = latest(cache.record(source, "profiles", ALL), ["symbol"], known_at)
    return held.set_index("symbol")[PROFILES.names] if len(held) else PROFILES.empty()


def latest_chain(cache: Cache, source: str, underlying: str, session: date, known_at: datetime | None) -> pd.DataFrame:
    """QUOTES of the options on ``underlying`` as fetched on ``session``."""
    held = latest(cache.record(source, "chains", underlying), CHAIN_KEYS, known_at)
    rows = held[held["session"] == pd.Timestamp(session)] if len(held) else held
    return rows.set_index(CHAIN_KEYS).sort_index()[QUOTES.names] if len(rows) else QUOTES.empty()


def held_short_interest(cache: Cache, source: str, known_at: datetime | None) -> pd.DataFrame:
    """SHORT_INTEREST of every symbol and settlement date as last known."""
    held = latest(cache.record(source, "short_interest", ALL), SHORT_KEYS, known_at)
    return held.set_index(SHORT_KEYS).sort_index()[SHORT_INTEREST.names] if len(held) else SHORT_INTEREST.empty()


def due_short_interest(cache: Cache, source: str, symbols: Sequence[str], today: date) -> list[str]:
    """Those of ``symbols`` of which a newer count than the one held may have been published."""
    held = held_short_interest(cache, source, None).reset_index()
    newest = held.groupby("symbol")["session"].max()
    fresh = set(newest.index[newest > pd.Timestamp(today - NEXT_COUNT)]) if len(newest) else set()
    return [symbol for symbol in symbols if symbol not in fresh]


def _keep(record: Record, rows: pd.DataFrame, keys: list[str], at: datetime) -> None:
    """Add those rows that differ from what is held."""
    with record.writing():
        held = latest(record, keys)
        both = pd.concat([held, rows], ignore_index=True) if len(held) else rows
        new = rows[~both.duplicated().to_numpy()[len(both) - len(rows) :]]
        if len(new):
            record.add(pa.Table.from_pandas(new, preserve_index=False), {}, fetch_id=new_fetch_id(), at=at)

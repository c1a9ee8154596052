"""What the dashboards ask for: one world for the whole server; what is computed is shared by all until data change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.instruments import calendar_of
from sigmalib.core.market import MarketView
from sigmalib.core.times import (
    FIRST_DAY,
    DateLike,
    last_closed_session,
    last_session,
    session_close,
    sessions,
    sessions_before,
    to_date,
)
from sigmalib.desk import marketdata
from sigmalib.desk.book import Book, open_book, parts_of
from sigmalib.desk.dataquality import DataCheck, check_data
from sigmalib.desk.hindsight import Hindsight, hindsight
from sigmalib.desk.world import World, open_world
from sigmalib.risk.marks import chain_of
from sigmalib.risk.stress import ReverseStress, grid, reverse_stress

BOOKS_KEPT, CHECKS_KEPT = 64, 32
CHAINS_KEPT = 16
SPOTS = tuple(percent / 100 for percent in range(-25, 30, 5))
VOLATILITIES = tuple(points / 100 for points in (-10, -5, 0, 5, 10, 20))
LOST = 0.1  # of NAV, or of what stands in for it, in the reverse stress
RECENT = 60  # sessions before the as-of whose gaps and impossible rows a reader of a book is told of
NAMED = 5  # symbols that a sentence names
NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, eq=False)
class DataSeen:
    """What the data page shows of a source.

    check : of its daily bars over the range asked for; None when there are none, and ``why`` says what to run.
    held : by interval and symbol, as of ``data_held``. sources, fetches : as the desk lists them, newest fetch first.
    """

    source: str
    check: DataCheck | None
    why: str
    held: pd.DataFrame
    sources: pd.DataFrame
    fetches: pd.DataFrame


@cache
def shared_world() -> World:
    """The server's world, opened once."""
    return open_world()


def book_names() -> list[str]:
    """Names of the kept books; raises InputError when there are none."""
    names = list(shared_world().store.books()["name"])
    if not names:
        raise InputError("no books yet; import one with `sigma book import FILE --book NAME`, or run `sigma demo`")
    return names


def session_bounds() -> tuple[date, date]:
    """The first and the last session of the benchmark: what an as-of can be chosen from."""
    return shared_world().known_range()


def staleness() -> str:
    """A sentence when the prices end before the exchange's last session; blank when they are up to date."""
    world = shared_world()
    _, latest = world.known_range()
    newest = last_session(world.now().date())
    if session_close(newest) > world.now():
        newest = sessions_before(newest, 1)
    if latest >= newest:
        return ""
    return f"The {world.source.name} source has prices to {latest} only; the exchange's last session was {newest}."


def cached_book(name: str, as_of: date) -> Book:
    """The book at a date, computed once for all sessions until its positions, snapshots or market data change.

    name : of one book, or of several joined by a plus sign; raises InputError when one of them is not kept.
    """
    kept, parts = shared_world().store.books().set_index("name"), parts_of(name)
    absent = [part for part in parts if part not in kept.index]
    if absent:
        raise InputError(f"there is no book {absent[0]!r}; the books are {', '.join(kept.index)}")
    return _opened("+".join(parts), as_of, tuple(_book_state(part, kept) for part in parts))


def doubts(book: Book) -> tuple[str, ...]:
    """Sentences on the prices behind a book: gaps and impossible rows of its last 60 sessions, its source's health."""
    own = sorted({*book.report.holdings["underlying"], book.market.benchmark} & set(book.market.closes.columns))
    return (*_gaps(book.market.closes[own]), *_impossible(book.market, own), *_ailing())


@lru_cache(maxsize=BOOKS_KEPT)
def looked_back(book: Book) -> Hindsight:
    """What the snapshots of an open book say, computed once for all sessions; raises InputError with fewer than two."""
    return hindsight(book, world=shared_world())


@lru_cache(maxsize=BOOKS_KEPT)
def moves_grid(book: Book) -> pd.Series:
    """P&L of an open book over moves of spot and volatility, see ``stress.grid``; what cannot be revalued left out."""
    return grid(_revalued(book), book.report.marks, spots=SPOTS, volatilities=VOLATILITIES)


@lru_cache(maxsize=BOOKS_KEPT)
def worst_plausible(book: Book) -> ReverseStress:
    """The most plausible move that loses a tenth of an open book; what cannot be revalued left out.

    Raises InputError when nothing that moves is held, or the book has no value to lose.
    """
    held, report = _revalued(book), book.report
    if (held["kind"] == "CASH").all():
        raise InputError("nothing is held that moves of the market could change")
    return reverse_stress(LOST * report.valuation.base, held, report.marks, report.market)


@lru_cache(maxsize=CHAINS_KEPT)
def option_chain(book: Book, underlying: str) -> pd.DataFrame:
    """The chain of an underlying of an open book, which its surface was fitted to; see ``chain.implied_chain``."""
    return chain_of(underlying, book.market)


def source_names() -> list[str]:
    """The source in use, and the others that something was fetched from."""
    world = shared_world()
    fetched = {source for source, *_ in world.cache.shelves()}
    return [world.settings.source, *sorted(fetched - {world.settings.source})]


def data_seen(source: str, days: int | None = None) -> DataSeen:
    """A source's daily bars, checked over the last ``days`` it has (default: all), with what is held and was fetched.

    Computed once for all sessions until something is fetched from it, or an hour has passed.
    """
    world = shared_world()
    state = _bars_state(source)
    held, check, why = _held(source, state), None, ""
    try:
        check = _checked(source, days, state)
    except InputError as error:
        why = str(error)
    return DataSeen(source, check, why, held, marketdata.sources(world), marketdata.fetches(world))


def data_held(source: str = "", *, world: World | None = None) -> pd.DataFrame:
    """By interval and symbol of a source (default: the one in use): first and last day, bars, sessions ``behind``.

    As ``data_status``, and also for the source that ships with the product.
    """
    world = world or open_world()
    name = source or world.settings.source
    if not _ships(name, world):
        status = marketdata.data_status(world)
        return status[status["source"] == name].reset_index(drop=True)
    held, now = world.source.coverage(), pd.Timestamp(world.now())
    columns = {"first": held["first"].dt.date, "last": held["last"].dt.date, "bars": held["sessions"]}
    rows = pd.DataFrame(columns).assign(source=name, interval="1d").rename_axis("symbol").reset_index()
    return rows.assign(behind=[_behind(*row, now=now) for row in zip(rows["symbol"], rows["last"], strict=True)])


def prices_around(
    symbol: str, session: DateLike, *, source: str = "", reach: int = RECENT, world: World | None = None
) -> pd.DataFrame:
    """Bars of a symbol by session, up to ``reach`` sessions of its calendar to each side; NaN where there is none.

    Raises DataUnavailable when there is not one of them.
    """
    day = to_date(session)
    first, last = max(day - timedelta(days=2 * reach), FIRST_DAY + timedelta(days=1)), day + timedelta(days=2 * reach)
    frame = marketdata.bars(symbol, start=first, end=last, source=source or None, world=world)
    days = sessions(frame.index[0], frame.index[-1], name=calendar_of(symbol))
    at = int(days.searchsorted(pd.Timestamp(day)))
    return frame.reindex(days).iloc[max(at - reach, 0) : at + reach + 1]


def _book_state(name: str, kept: pd.DataFrame) -> tuple[object, ...]:
    """Something that differs once positions, snapshots or market data of a book changed."""
    snapshots = shared_world().store.fingerprints(name).values()
    return (*map(str, kept.loc[name]), *snapshots, *_market_state(name, int(str(kept.loc[name, "version"]))))


@lru_cache(maxsize=BOOKS_KEPT)
def _opened(name: str, as_of: date, state: tuple[object, ...]) -> Book:
    del state  # part of the key: another state is another book
    return open_book(name, as_of=as_of, world=shared_world())


def _revalued(book: Book) -> pd.DataFrame:
    """The holdings that a move of the market can be seen on."""
    return book.report.holdings.loc[book.report.simulation.by_position.columns]


@lru_cache(maxsize=CHECKS_KEPT)
def _checked(source: str, days: int | None, state: tuple[object, ...]) -> DataCheck:
    held = _held(source, state)
    daily = held[held["interval"] == "1d"]
    start = None if days is None or daily.empty else max(daily["last"].max() - timedelta(days), daily["first"].min())
    return check_data(source=source, start=start, world=shared_world())


@lru_cache(maxsize=CHECKS_KEPT)
def _held(source: str, state: tuple[object, ...]) -> pd.DataFrame:
    del state
    return data_held(source, world=shared_world())


def _bars_state(source: str) -> tuple[object, ...]:
    """Something that differs once bars of a source were added, and each hour, as sessions end."""
    world = shared_world()
    mine = [shelf.panel().fingerprint for name, _, _, shelf in world.cache.shelves() if name == source]
    return (f"{world.now():%Y-%m-%d %H}", *mine)


def _market_state(name: str, version: int) -> tuple[object, ...]:
    """Something that differs once bars, profiles, short interest or chains of the source in use were added."""
    world = shared_world()
    source, cache = world.source.name, world.cache
    others = [cache.record(source, "chains", underlying).changed() for underlying in _written_on(name, version)]
    others += [cache.record(source, kind).changed() for kind in ("profiles", "short_interest")]
    return cache.shelf(source, "1d", "").panel().fingerprint, *others


@lru_cache(maxsize=BOOKS_KEPT)
def _written_on(name: str, version: int) -> tuple[str, ...]:
    """The underlyings of a book's options."""
    positions = shared_world().store.positions(name, version=version)
    return tuple(sorted(set(positions.loc[positions["right"].notna(), "underlying"])))


def _ships(source: str, world: World) -> bool:
    """Whether a source is the one in use and comes with the product, so that it is read itself and not the cache."""
    return world.source.name == source and world.source.traits.ships


def _behind(symbol: str, last: date, *, now: pd.Timestamp) -> int:
    name = calendar_of(symbol)
    over, after = last_closed_session(now, name=name), last + timedelta(days=1)
    return len(sessions(after, over, name=name)) if after <= over else 0


def _gaps(closes: pd.DataFrame) -> tuple[str, ...]:
    """A sentence when closes are missing between others in the last sessions."""
    known = closes.notna()
    absent = (known.cummax() & known[::-1].cummax()[::-1] & ~known).tail(RECENT)
    counts = {symbol: len(_own(symbol, absent.index[absent[symbol]])) for symbol in absent.columns[absent.any()]}
    told = _listed({symbol: count for symbol, count in counts.items() if count})
    return (f"Prices are missing inside the last {RECENT} sessions: {told}.",) if told else ()


def _own(symbol: str, days: pd.Index) -> pd.Index:
    """Those of ``days`` that are sessions of the symbol's own calendar."""
    return days.intersection(sessions(days[0], days[-1], name=calendar_of(symbol)))


def _impossible(market: MarketView, own: Sequence[str]) -> tuple[str, ...]:
    """A sentence when rows of the last sessions were quarantined."""
    bad = shared_world().cache.shelf(market.source, "1d", "").panel().quarantine
    if bad.empty:
        return ()
    recent = bad["session"].between(*market.closes.index[-RECENT:][[0, -1]])
    told = _listed(Counter(bad.loc[recent & bad["symbol"].isin(own), "symbol"]))
    return (f"Rows of the last {RECENT} sessions cannot be true and are kept apart: {told}.",) if told else ()


def _listed(counts: Mapping[str, int]) -> str:
    """Symbols with their counts, the highest first: AAPL 3, MSFT 1."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = f" and {len(ranked) - NAMED} more" if len(ranked) > NAMED else ""
    return ", ".join(f"{symbol} {count}" for symbol, count in ranked[:NAMED]) + rest


def _ailing() -> tuple[str, ...]:
    """A sentence when the source in use is degraded or disabled, since when (New York) and why."""
    listed = marketdata.sources(shared_world())
    row = listed[listed["in_use"]].iloc[0]
    if row["status"] == "ok":
        return ()
    since = "" if pd.isna(row["since"]) else f" since {row['since'].astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York time"
    return (f"The {row['source']} source is {row['status']}{since}: {row['reason']}.",)

"""Market data: fetch it, see what there is and how good it is, and read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import cast

import pandas as pd

from sigmalib.core.errors import DataUnavailable, InputError
from sigmalib.core.frames import LATEST, check
from sigmalib.core.frames import missing as missing_table
from sigmalib.core.instruments import calendar_of
from sigmalib.core.market import latest_short_interest
from sigmalib.core.times import (
    FIRST_DAY,
    DateLike,
    Interval,
    calendar,
    last_closed_session,
    last_session,
    sessions,
    sessions_before,
    to_date,
    to_instant,
)
from sigmalib.data.cache.record import new_fetch_id
from sigmalib.data.cache.shelf import Shelf
from sigmalib.data.factor_sets import FACTOR_SETS
from sigmalib.data.factor_sets import factor_returns as shipped_factors
from sigmalib.data.fetch import Fetched, Progress, fetch
from sigmalib.data.folder import Folder
from sigmalib.data.gather import SETTLED_BEFORE
from sigmalib.data.manners import Health, Manners
from sigmalib.data.reference import (
    due_short_interest,
    fetch_chain,
    fetch_profiles,
    fetch_short_interest,
    latest_profiles,
)
from sigmalib.data.sources import REGISTER, Answer, Source, required_variables, source_class
from sigmalib.data.stored import Stored
from sigmalib.desk.world import HISTORY, PROXIES, World, open_world

LAPSES, PATIENCE = "times in a row", timedelta(minutes=5)  # how an open breaker is told, and how long that is news
MINUTE_DAYS = 5  # sessions of minute bars that are fetched unless said otherwise


@dataclass(frozen=True, eq=False)
class Needs:
    """What some books need from a source: symbols of bars and of profiles, underlyings of chains, and from when on.

    shorts : symbols of short interest.
    """

    bars: tuple[str, ...]
    profiles: tuple[str, ...]
    chains: tuple[str, ...]
    shorts: tuple[str, ...]
    start: date


@dataclass(frozen=True, eq=False)
class Quoted:
    """LATEST of some symbols, and MISSING."""

    quotes: pd.DataFrame
    missing: pd.DataFrame


def fetch_data(
    symbols: Sequence[str],
    *,
    source: str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    interval: Interval = "1d",
    refresh: bool = False,
    world: World | None = None,
    progress: Progress = lambda tasks, _: tasks,
) -> Fetched:
    """Bring bars of ``symbols`` from a source into the cache; only what it lacks is asked for, unless ``refresh``.

    start : default far enough back for a risk report (minutes: five sessions), or, of a source that lists what it has,
    the first day it has of any of them (minutes: five sessions before its last). end : default the last session that
    is over. What could not be had is in the result's ``missing``; InputError for what makes no sense.
    """
    world = world or open_world(create=True)
    last = to_date(end, what="--end") if end else _latest(symbols, world.now())
    asked = world.vendor(source)
    first = to_date(start, what="--start") if start else _start(asked[0], symbols, last, interval)
    return _fetched(world, asked, symbols, (first, last), interval, progress, refresh=refresh)


def _start(vendor: Source, symbols: Sequence[str], last: date, interval: Interval) -> date:
    """From when on to ask for bars up to ``last`` when nobody says."""
    listed = vendor.coverage()[lambda held: held.index.isin([symbol.strip().upper() for symbol in symbols])]
    if interval == "1m":
        end = last if listed.empty else min(last, listed["last"].max().date())
        return sessions_before(last_session(end), MINUTE_DAYS)
    return sessions_before(last, HISTORY) if listed.empty else min(last, listed["first"].min().date())


def _fetched(
    world: World,
    asked: tuple[Source, Manners | None],
    symbols: Sequence[str],
    span: tuple[date, date],
    interval: Interval,
    progress: Progress,
    *,
    refresh: bool,
) -> Fetched:
    """What a fetch of one vendor did, with its line in the journal."""
    (vendor, manners), fetch_id = asked, new_fetch_id()
    with world.journal.writing(fetch_id, vendor.name, interval, span, len(symbols), now=world.now) as line:
        done = fetch(
            vendor, world.cache, symbols, *span, now=world.now, interval=interval, manners=manners, progress=progress,
            refresh=refresh, fetch_id=fetch_id,
        )  # fmt: skip
        line.append(done)
    return done


def needs(names: Sequence[str], world: World, *, source: str | None = None) -> Needs:
    """What the kept books ``names`` need: underlyings, benchmark, rate, exchange rates and the chains of options.

    And the factor proxies, all of them of a source that may be asked for American funds, else those that it lists.
    """
    traits = world.traits(source)
    proxies = PROXIES if traits.funds else set(PROXIES).intersection(world.vendor(source)[0].coverage().index)
    positions = pd.concat([world.store.positions(name, version=world.store.version(name)) for name in names])
    held = positions[positions["kind"] != "CASH"]
    others = set(positions["currency"]) - {world.settings.base_currency}
    pairs = {
        traits.fx_symbol.format(currency=name, base=world.settings.base_currency) for name in others if traits.fx_symbol
    }
    names_needed = {*held["underlying"], world.settings.benchmark or traits.benchmark}
    latest = _latest((), world.now())
    earliest = latest if held.empty else min(latest, held["entry_date"].min().date())
    return Needs(
        bars=tuple(sorted({*names_needed, *pairs, *proxies, traits.rate_symbol, traits.volatility_symbol} - {""})),
        profiles=tuple(sorted(names_needed)),
        chains=tuple(sorted(set(held.loc[held["right"].notna(), "underlying"]))),
        shorts=tuple(sorted(set(held["underlying"]))),
        start=sessions_before(earliest, HISTORY),
    )


def fetch_books(
    names: Sequence[str] = (),
    *,
    source: str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    refresh: bool = False,
    world: World | None = None,
    progress: Progress = lambda tasks, _: tasks,
) -> Fetched:
    """Bring all that kept books need into the cache (default: every book): bars, profiles, chains, short interest.

    Bars, those of the factor proxies among them, from far enough before the first entry for a report of that day.
    Profiles that are held are not asked for again, nor is short interest before a newer one may be out, unless
    ``refresh``. The result of the bars; what is missing of the others is in it, too.
    """
    world = world or open_world()
    wanted = needs(names or list(world.store.books()["name"]), world, source=source)
    first = to_date(start, what="--start") if start else wanted.start
    last = to_date(end, what="--end") if end else _latest(wanted.bars, world.now())
    vendor, manners = world.vendor(source)
    done = _fetched(world, (vendor, manners), wanted.bars, (first, last), "1d", progress, refresh=refresh)
    known = [] if refresh else list(latest_profiles(world.cache, vendor.name, None).index)
    unknown = [symbol for symbol in wanted.profiles if symbol not in known]
    answers = [fetch_profiles(vendor, world.cache, unknown, now=world.now)] if unknown else []
    opened = _opened(world.now())  # the session that a chain of this moment is of
    answers += [fetch_chain(vendor, world.cache, name, opened, now=world.now) for name in wanted.chains]
    answers += _short_interest_fetched(world, vendor, wanted.shorts, first, refresh=refresh)
    gaps = [table for table in (done.missing, *(answer.missing for answer in answers)) if len(table)]
    requests = manners.requests if manners else 0
    return replace(done, missing=pd.concat(gaps, ignore_index=True) if gaps else done.missing, requests=requests)


def _short_interest_fetched(
    world: World, vendor: Source, symbols: Sequence[str], first: date, *, refresh: bool
) -> list[Answer]:
    """The vendor's answer, if it has short interest and a newer one than the one held may be out of some symbol."""
    today = world.now().date()
    asked = list(symbols) if refresh else due_short_interest(world.cache, vendor.name, symbols, today)
    if not asked or not vendor.traits.short_interest:
        return []
    return [fetch_short_interest(vendor, world.cache, asked, first - SETTLED_BEFORE, today, now=world.now)]


def closes(
    symbols: Sequence[str],
    *,
    start: DateLike,
    end: DateLike,
    adjusted: bool = False,
    source: str | None = None,
    known_at: datetime | str | None = None,
    world: World | None = None,
) -> pd.DataFrame:
    """Closes (session x symbol), currency, as traded or as total-return levels; NaN where there is none.

    Out of the cache, or out of a source that ships with the product. DataUnavailable when there is nothing at all.
    """
    world = world or open_world()
    wanted, field = [symbol.strip().upper() for symbol in symbols], "adjusted_close" if adjusted else "close"
    first, last = pd.Timestamp(to_date(start)), pd.Timestamp(to_date(end))
    then = None if known_at is None else to_instant(known_at)
    reader = _reader(world, source, then)
    if isinstance(reader, Stored):
        found = world.cache.shelf(reader.name, "1d", "").wide(field, wanted, first, last, then)
    else:
        found = reader.bars(wanted, first.date(), last.date()).frame[field].unstack("symbol").reindex(columns=wanted)
    if found.isna().to_numpy().all():
        raise _nothing(reader, wanted, first.date(), last.date(), "1d")
    return found


def bars(
    symbol: str,
    *,
    start: DateLike,
    end: DateLike,
    interval: Interval = "1d",
    source: str | None = None,
    known_at: datetime | str | None = None,
    world: World | None = None,
) -> pd.DataFrame:
    """Bars of one symbol, by session, or by UTC instant for ``1m``: prices as traded, dividends and splits.

    Out of the cache, or out of a source that ships with the product. DataUnavailable when there is nothing at all.
    """
    world = world or open_world()
    wanted, first, last = symbol.strip().upper(), to_date(start), to_date(end)
    then = None if known_at is None else to_instant(known_at)
    reader = _reader(world, source, then)
    if isinstance(reader, Stored):
        shelf = world.cache.shelf(reader.name, interval, wanted)
        found = shelf.series(wanted, *shelf.instants((first, last)), then)
    else:
        found = reader.bars([wanted], first, last, interval).frame.droplevel("symbol").drop(columns="source")
    if found.empty:
        raise _nothing(reader, [wanted], first, last, interval)
    return found


def quotes(symbols: Sequence[str], *, source: str | None = None, world: World | None = None) -> Quoted:
    """Bid, ask and last of each symbol at this moment, asked of the vendor and not kept."""
    world = world or open_world(create=True)
    vendor, _ = world.vendor(source)
    answer = vendor.quotes([symbol.strip().upper() for symbol in symbols])
    return Quoted(check(answer.frame, LATEST), answer.missing)


def short_interest(
    symbols: Sequence[str],
    *,
    as_of: DateLike | None = None,
    source: str | None = None,
    known_at: datetime | str | None = None,
    world: World | None = None,
) -> Answer:
    """The latest short interest of each symbol that was published by the close of ``as_of`` (default: today).

    The frame is by symbol: settled, published (sessions), percent_of_float (fraction), days_to_cover (days) and
    shares_short (shares), NaN where the source leaves one out; ``missing`` says why a symbol is absent.
    """
    world = world or open_world()
    wanted = sorted({symbol.strip().upper() for symbol in symbols})
    last = to_date(as_of, what="--as-of") if as_of else world.now().date()
    reader = _reader(world, source, None if known_at is None else to_instant(known_at))
    answer = reader.short_interest(wanted, FIRST_DAY, last)
    found = latest_short_interest(answer.frame[answer.frame["published"] <= pd.Timestamp(last)])
    told = {*found.index, *answer.missing["symbol"]}
    late = ((name, "short_interest", f"none of {name} was published by {last}") for name in wanted if name not in told)
    gaps = [table for table in (answer.missing, missing_table(*late)) if len(table)]
    return Answer(found, pd.concat(gaps, ignore_index=True) if gaps else answer.missing)


def factor_returns(
    name: str,
    *,
    start: DateLike | None = None,
    end: DateLike | None = None,
    world: World | None = None,
) -> pd.DataFrame:
    """Returns of a set of factors (date x factor), fractions: ``fama_french_3``, which ships, or ``files``.

    fama_french_3 : by month, dated by its last day, 1926-07 to 2018-11. files : ``factors.csv`` of the firm's folder.
    start, end : both included (default: all there is). InputError for another name, or without such a file;
    DataUnavailable when there is nothing from ``start`` to ``end``.
    """
    if name == Folder.name:
        found = cast("Folder", (world or open_world()).vendor(name)[0]).factors()
    elif name in FACTOR_SETS:
        found = shipped_factors(name)
    else:
        raise InputError(f"there is no set of factors {name!r}; there are {', '.join(FACTOR_SETS)} and {Folder.name}")
    first = to_date(start, what="--start") if start else found.index[0]
    last = to_date(end, what="--end") if end else found.index[-1]
    chosen = found.loc[pd.Timestamp(first) : pd.Timestamp(last)]
    if chosen.empty:
        has = f"it has {found.index[0]:%Y-%m-%d} to {found.index[-1]:%Y-%m-%d}"
        raise DataUnavailable(f"{name} has no returns from {first} to {last}; {has}")
    return chosen


def data_status(world: World | None = None) -> pd.DataFrame:
    """By source, interval and symbol: first and last day, bars, and ``behind``: sessions since that are over."""
    world = world or open_world()
    rows = [row for shelf in world.cache.shelves() for row in _held(*shelf, now=pd.Timestamp(world.now()))]
    return pd.DataFrame(rows, columns=["source", "interval", "symbol", "first", "last", "bars", "behind"])


def fetches(world: World | None = None) -> pd.DataFrame:
    """The newest fetches, newest first, with what became of each."""
    return (world or open_world()).journal.fetches()


def sources(world: World | None = None) -> pd.DataFrame:
    """Every source: what it is, whether it is in use, settings it needs; its health: status, reason, since (UTC)."""
    world = world or open_world(create=True)
    health = world.journal.health()
    return pd.DataFrame([_source_row(name, world, health.get(name)) for name in REGISTER])


def _reader(world: World, source: str | None, known_at: datetime | None) -> Source:
    """The source as it is read: one that ships itself, else what was fetched from it."""
    name = source or world.settings.source
    if name == world.source.name and world.source.traits.ships and known_at is None:
        return world.source
    return Stored(name, world.traits(name), world.cache, known_at)


def _nothing(reader: Source, symbols: Sequence[str], start: date, end: date, interval: Interval) -> DataUnavailable:
    missing = reader.bars(symbols, start, end, interval).missing
    told = missing["reason"].iloc[0] if len(missing) else f"no bar of {', '.join(symbols)} from {start} to {end}"
    return DataUnavailable(str(told))


def _held(source: str, interval: Interval, _: str, shelf: Shelf, *, now: pd.Timestamp) -> Iterator[tuple[object, ...]]:
    for symbol in shelf.panel().symbols:
        days = shelf.days(symbol)
        if len(days):
            name = calendar_of(symbol)
            over = last_closed_session(now, name=name)
            after = days[-1].date() + timedelta(days=1)
            behind = len(sessions(after, over, name=name)) if after <= over else 0
            yield source, interval, symbol, days[0].date(), days[-1].date(), shelf.size(symbol), behind


def _source_row(name: str, world: World, health: Health | None) -> dict[str, object]:
    traits = source_class(name).traits
    needed = required_variables(name)
    lacks = [variable for variable in needed if not world.settings.options.get(variable)]
    if health and health.status == "disabled" and LAPSES in health.reason and world.now() - health.since > PATIENCE:
        health = replace(health, status="degraded")  # it may be asked again, and nobody has tried
    told = (health.status, health.reason) if health else ("ok", "not asked yet" if traits.limits else "")
    status = ("disabled", f"set {', '.join(lacks)}") if lacks else told
    return {
        "source": name, "about": traits.about, "in_use": name == world.settings.source,
        "intervals": ", ".join(traits.intervals), "needs": ", ".join(needed), "status": status[0], "reason": status[1],
        "since": health.since if health and not lacks else None,
    }  # fmt: skip


def _opened(at: datetime) -> date:
    """The last session of New York that has opened."""
    day = last_session(pd.Timestamp(at).tz_convert("America/New_York").date())
    return day if calendar().session_open(pd.Timestamp(day)) <= pd.Timestamp(at) else sessions_before(day, 1)


def _latest(symbols: Sequence[str], at: datetime) -> date:
    """The last session that is over for any of ``symbols``, by its own calendar."""
    names = {calendar_of(symbol) for symbol in symbols} or {"XNYS"}
    return max(last_closed_session(pd.Timestamp(at), name=name) for name in names)

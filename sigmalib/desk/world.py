"""The world: settings, source, store and clock, introduced to each other once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import pandas as pd

from sigmalib.core.errors import DataUnavailable, InputError
from sigmalib.core.market import MarketView
from sigmalib.core.settings import Settings
from sigmalib.core.times import DateLike, calendar, last_session, sessions_before, to_date, to_instant
from sigmalib.data.cache import Cache
from sigmalib.data.files import Workspace, read_variables
from sigmalib.data.gather import gather
from sigmalib.data.journal import Journal
from sigmalib.data.manners import Limits, Manners
from sigmalib.data.sources import (
    GENERIC,
    REGISTER,
    Opening,
    Option,
    Source,
    Traits,
    open_source,
    required_variables,
    source_class,
)
from sigmalib.data.store import Store
from sigmalib.data.stored import Stored
from sigmalib.portfolio.actions import apply_splits
from sigmalib.risk.factor_model.proxies import FACTORS

PROJECT = Path(__file__).resolve().parents[2]
VARIABLES = (
    "SIGMA_HOME",
    "SIGMA_PROJECT",
    "SIGMA_DATABASE_URL",
    "SIGMA_SOURCE",
    "SIGMA_BENCHMARK",
    "SIGMA_BARS",
    "SIGMA_CHROMIUM",
)
PROXIES = tuple(dict.fromkeys(name for factor in FACTORS for name in (*factor.proxies, *factor.stand_ins)))
NAMED = 5  # of the symbols that a source has, so many are named
HISTORY = 580  # sessions: 500 scenarios, 60 more for a volatility at the first of them, and some to spare


@dataclass(frozen=True)
class World:
    """Everything outside the calculations, in one value that desk functions are given."""

    settings: Settings
    workspace: Workspace
    source: Source
    store: Store
    cache: Cache

    @cached_property
    def journal(self) -> Journal:
        """What was fetched, and how the sources have been doing."""
        return Journal(self.store.database)

    @property
    def benchmark(self) -> str:
        """The symbol that betas are measured against: the one set, or the source's own."""
        return self.settings.benchmark or self.source.traits.benchmark

    def vendor(self, name: str | None = None) -> tuple[Source, Manners | None]:
        """The source ``name`` (default: the one set) as it is asked over the network, with its manners."""
        chosen = name or self.settings.source
        folder = self.workspace.path("vendors", chosen)
        return open_source(
            chosen, self.settings.options, folder=folder, told=lambda health: self.journal.tell(chosen, health)
        )

    def traits(self, name: str | None = None) -> Traits:
        """What can be known of the source ``name`` (default: the one set), as it is set up; see ``traits_of``."""
        return self.source.traits if name in (None, self.source.name) else traits_of(str(name), self.settings)

    def listed(self) -> pd.DataFrame:
        """By symbol, what the source set can be asked for: what its files have; of a vendor, what was fetched."""
        own = not (self.source.traits.limits or self.source.traits.ships or _unset(self.source.name, self.settings))
        return self.vendor()[0].coverage() if own else self.source.coverage()

    def then(self, known_at: datetime | str) -> World:
        """This world with nothing in it that became known after ``known_at``; InputError for the sample source."""
        if not isinstance(self.source, Stored):
            raise InputError(f"the {self.source.name} source has no record of what was known when; leave known_at out")
        return replace(self, source=replace(self.source, known_at=to_instant(known_at)))

    def now(self) -> datetime:
        """This instant, UTC."""
        return datetime.now(UTC)

    def known_range(self) -> tuple[date, date]:
        """The first and the last session the source has prices of the benchmark for; DataUnavailable when none."""
        held = self.source.coverage()
        row = held[held.index == self.benchmark]
        if row.empty:
            told = f"no prices of the benchmark {self.benchmark} were fetched from {self.source.name}"
            raise DataUnavailable(f"{told}; {self._way_to_a_benchmark()}")
        return row["first"].min().date(), row["last"].max().date()

    def _way_to_a_benchmark(self) -> str:
        """What to do when nothing of the benchmark was fetched: fetch it, or set one that the source has."""
        listed = sorted(self.listed().index)
        more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
        has = f"{', '.join(listed[:NAMED])}{more}"
        fetch = f"`sigma data fetch {self.benchmark}`, or `sigma data fetch --book NAME` for all a book needs"
        if self.benchmark in listed:
            return f"it has some: run {fetch}"
        if self.source.traits.limits:
            return f"run {fetch}; or set SIGMA_BENCHMARK to another" + (f" ({has} were fetched)" if listed else "")
        if not listed:
            return f"it has no prices yet: add those of {self.benchmark}, then run {fetch}"
        return f"it has {has}: set SIGMA_BENCHMARK to one that it has and fetch that, or add {self.benchmark} to it"

    def as_of(self, requested: DateLike | None = None, *, what: str = "--as-of") -> date:
        """The session to look from: the one asked for, or the last before it; by default the latest known.

        what : how the message calls the date. Raises InputError when it lies after the latest session known.
        """
        first, latest = self.known_range()
        if requested is None:
            return min(latest, last_session(self.now().date()))
        session = last_session(to_date(requested, what=what))
        if session > latest:
            raise InputError(
                f"there are no prices on {session}: the {self.source.name} source has {first} to {latest}; "
                f"use {what} {latest} or earlier"
            )
        return session

    def market(
        self, positions: pd.DataFrame, as_of: date, *, first: date | None = None, short_interest: bool = False
    ) -> MarketView:
        """The picture a book needs at ``as_of``, with enough history for every session from ``first`` on.

        positions : as entered; options are looked up by the symbol that they had then and by the one they have since
        splits. Its closes have those of PROXIES, too, that the source has. short_interest : whether what is missing of
        it is told; what there is of it comes anyway.
        """
        options = pd.concat([positions, self.held(positions, as_of)])[lambda rows: rows["right"].notna()]["symbol"]
        names = positions.loc[positions["kind"] != "CASH", "underlying"]
        return gather(
            self.source,
            _distinct(names),
            as_of,
            start=sessions_before(min(first or as_of, as_of), HISTORY),
            benchmark=self.benchmark,
            base_currency=self.settings.base_currency,
            currencies=_distinct(positions["currency"]),
            options=_distinct(options),
            fx_start=self.fx_start(positions),
            actions_start=_earliest(positions),
            beside=self.proxies(),
            short_interest=short_interest,
        )

    def proxies(self) -> list[str]:
        """The factor proxies that the source has prices of."""
        covered = self.source.coverage().index
        return [symbol for symbol in PROXIES if symbol in covered]

    def held(self, positions: pd.DataFrame, as_of: date) -> pd.DataFrame:
        """The positions in the shares of ``as_of``: splits since their entry applied."""
        start = _earliest(positions)
        names = _distinct(positions.loc[positions["kind"] != "CASH", "underlying"])
        if start is None or start > as_of:
            return positions
        return apply_splits(positions, self.source.actions(names, start, as_of).frame, as_of)[0]

    def fx_start(self, positions: pd.DataFrame) -> date | None:
        """The session of the earliest entry in another currency than the base, whose cost needs that day's rate."""
        entered = positions.loc[positions["currency"] != self.settings.base_currency, "entry_date"]
        return None if entered.empty else last_session(max(entered.min(), calendar().first_session))


def open_world(environment: Mapping[str, str] | None = None, *, create: bool = False) -> World:
    """The world that the environment describes; its workspace must exist unless ``create``.

    environment : ``SIGMA_HOME``, ``SIGMA_DATABASE_URL``, ...; the process's own by default.
    """
    settings = read_settings(environment)
    workspace = Workspace(settings.home)
    if create:
        workspace.create()
    elif not settings.home.is_dir():
        raise InputError(f"there is no workspace at {settings.home}; make one with `sigma init`, or `sigma demo`")
    cache = Cache(settings.options.get("SIGMA_BARS") or str(workspace.path("bars")), workspace.path("reading"))
    return World(settings, workspace, _source(settings, cache), Store.open(settings.database_url), cache)


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment (the process's own by default), and from the project's ``.env`` what it lacks."""
    given = os.environ if environment is None else environment
    project = Path(given.get("SIGMA_PROJECT") or PROJECT).expanduser()
    return Settings.from_environment({**read_variables(project / ".env"), **given}, project=PROJECT)


def known_variables(source: str | None = None) -> dict[str, Option | None]:
    """Every variable Sigma reads, or those of one source: with the source's option, or None for the others."""
    names = [source] if source else list(REGISTER)
    own: dict[str, Option | None] = {} if source else dict.fromkeys(VARIABLES)
    for name in names:
        traits = source_class(name).traits
        generic = [Option(each, "") for each in GENERIC] if traits.limits else []
        own |= {f"SIGMA_{name.upper()}_{option.name.upper()}": option for option in (*traits.options, *generic)}
    return own


def traits_of(name: str, settings: Settings) -> Traits:
    """What can be known of a source before it is asked, as it is set up.

    A source without a network is opened for it, since a folder says for itself which symbol is its rate and whether it
    has short interest; a vendor, or a source that lacks a setting, has the traits of its class. Raises InputError for
    an unknown source, or one whose settings make no sense.
    """
    found = source_class(name).traits
    if found.limits or _unset(name, settings):
        return found
    return open_source(name, settings.options, folder=settings.home, told=lambda _: None)[0].traits


def _source(settings: Settings, cache: Cache) -> Source:
    """Who is asked for prices: the sample itself, or what was fetched from a vendor."""
    found = source_class(settings.source)
    if found.traits.ships:
        return found.opened(Opening({}, settings.home, Manners(settings.source, Limits(per_minute=1))))
    return Stored(settings.source, traits_of(settings.source, settings), cache)


def _unset(name: str, settings: Settings) -> bool:
    """Whether a source lacks a setting without which it cannot be opened."""
    return not all(settings.options.get(variable) for variable in required_variables(name))


def _earliest(positions: pd.DataFrame) -> date | None:
    """The session of the first entry: from there on splits must be known."""
    entered = positions.loc[positions["kind"] != "CASH", "entry_date"]
    return None if entered.empty else last_session(max(entered.min(), calendar().first_session))


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))

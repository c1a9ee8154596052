"""The world: settings, source, store and clock, introduced to each other once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.market import MarketView
from sigmalib.core.settings import Settings
from sigmalib.core.times import DateLike, calendar, last_session, sessions_before, to_date
from sigmalib.data.files import Workspace
from sigmalib.data.gather import gather
from sigmalib.data.sample import Sample
from sigmalib.data.sources import Source
from sigmalib.data.store import Store

PROJECT = Path(__file__).resolve().parents[2]
HISTORY = 580  # sessions: 500 scenarios, 60 more for a volatility at the first of them, and some to spare
SOURCES = {"sample": Sample}


@dataclass(frozen=True)
class World:
    """Everything outside the calculations, in one value that desk functions are given."""

    settings: Settings
    workspace: Workspace
    source: Source
    store: Store

    def now(self) -> datetime:
        """This instant, UTC."""
        return datetime.now(UTC)

    def known_range(self) -> tuple[date, date]:
        """The first and the last session the source has prices of the benchmark for."""
        held = self.source.coverage()
        row = held[held.index == self.settings.benchmark]
        return row["first"].min().date(), row["last"].max().date()

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

    def market(self, positions: pd.DataFrame, as_of: date, *, first: date | None = None) -> MarketView:
        """The picture a book needs at ``as_of``, with enough history for every session from ``first`` on."""
        options = positions.loc[positions["right"].notna(), "symbol"]
        names = positions.loc[positions["kind"] != "CASH", "underlying"]
        return gather(
            self.source,
            _distinct(names),
            as_of,
            start=sessions_before(min(first or as_of, as_of), HISTORY),
            benchmark=self.settings.benchmark,
            base_currency=self.settings.base_currency,
            currencies=_distinct(positions["currency"]),
            options=_distinct(options),
            fx_start=self.fx_start(positions),
        )

    def fx_start(self, positions: pd.DataFrame) -> date | None:
        """The session of the earliest entry in another currency than the base, whose cost needs that day's rate."""
        entered = positions.loc[positions["currency"] != self.settings.base_currency, "entry_date"]
        return None if entered.empty else last_session(max(entered.min(), calendar().first_session))


def open_world(environment: Mapping[str, str] | None = None, *, create: bool = False) -> World:
    """The world that the environment describes; its workspace must exist unless ``create``.

    environment : ``SIGMA_HOME``, ``SIGMA_DATABASE_URL``, ...; the process's own by default.
    """
    settings = Settings.from_environment(os.environ if environment is None else environment, project=PROJECT)
    workspace = Workspace(settings.home)
    if create:
        workspace.create()
    elif not settings.home.is_dir():
        raise InputError(f"there is no workspace at {settings.home}; make one with `sigma init`, or `sigma demo`")
    return World(settings, workspace, SOURCES[settings.source](), Store.open(settings.database_url))


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted(set(values))

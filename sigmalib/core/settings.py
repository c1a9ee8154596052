"""Settings: one frozen value, read once from the environment at the front door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from sigmalib.core.errors import InputError

SourceName = Literal["sample"]
SOURCES: tuple[SourceName, ...] = ("sample",)


@dataclass(frozen=True)
class Settings:
    """Where things are and which source speaks.

    home : the workspace folder; every write stays inside it.
    project : the folder with ``notebooks``, ``reports`` and ``dashboards``.
    database_url : SQLAlchemy address, SQLite in the workspace unless given; may hold a password, so never shown.
    source : name of the market-data source.
    """

    home: Path
    project: Path
    database_url: str = field(repr=False)
    source: SourceName = "sample"
    benchmark: str = "SPX"
    base_currency: str = "USD"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, project: Path) -> Settings:
        """Settings from ``SIGMA_HOME``, ``SIGMA_PROJECT``, ``SIGMA_DATABASE_URL``, ``SIGMA_SOURCE`` and defaults.

        >>> Settings.from_environment({}, project=Path("/p")).home.as_posix()
        '/p/.sigma'
        """
        project = Path(environment.get("SIGMA_PROJECT") or project).expanduser()
        home = Path(environment.get("SIGMA_HOME") or project / ".sigma").expanduser().absolute()
        return cls(
            home=home,
            project=project,
            database_url=environment.get("SIGMA_DATABASE_URL") or f"sqlite:///{home / 'sigma.db'}",
            source=_source(environment.get("SIGMA_SOURCE") or "sample"),
        )


def _source(name: str) -> SourceName:
    if name not in SOURCES:
        near = get_close_matches(name, SOURCES, n=1) or list(SOURCES)
        raise InputError(f"SIGMA_SOURCE is {name!r}, but the sources are {', '.join(SOURCES)}; try {near[0]!r}")
    return name

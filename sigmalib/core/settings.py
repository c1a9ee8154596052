"""Settings: one frozen value, read once from the environment at the front door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where things are and which source speaks.

    home : the workspace folder; every write stays inside it.
    project : the folder with ``notebooks``, ``reports`` and ``dashboards``.
    database_url : SQLAlchemy address, SQLite in the workspace unless given; may hold a password, so never shown.
    source : name of the market-data source. benchmark : what betas are measured against, the source's own unless given.
    options : every ``SIGMA_`` variable as it was given, for the sources to take theirs from; may hold keys.
    """

    home: Path
    project: Path
    database_url: str = field(repr=False)
    source: str = "sample"
    benchmark: str = ""
    base_currency: str = "USD"
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, project: Path) -> Settings:
        """Settings from ``SIGMA_HOME``, ``SIGMA_PROJECT``, ``SIGMA_DATABASE_URL``, ``SIGMA_SOURCE``,
        ``SIGMA_BENCHMARK`` and
        defaults.

        >>> Settings.from_environment({}, project=Path("/p")).home.as_posix()
        '/p/.sigma'
        """
        project = Path(environment.get("SIGMA_PROJECT") or project).expanduser()
        home = Path(environment.get("SIGMA_HOME") or project / ".sigma").expanduser().absolute()
        return cls(
            home=home,
            project=project,
            database_url=environment.get("SIGMA_DATABASE_URL") or f"sqlite:///{home / 'sigma.db'}",
            source=environment.get("SIGMA_SOURCE") or "sample",
            benchmark=(environment.get("SIGMA_BENCHMARK") or "").upper(),
            options={name: value for name, value in environment.items() if name.startswith("SIGMA_") and value},
        )

"""Health: what works here, what is missing, and how to mend it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sigmalib.core.errors import SigmaError
from sigmalib.core.settings import Settings
from sigmalib.data.files import Workspace
from sigmalib.data.sources import source_class
from sigmalib.data.store import Store
from sigmalib.desk.world import known_variables, open_world, read_settings

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Check:
    """One thing looked at: ``status`` is ok, missing (something optional) or failed; ``remedy`` says what to do."""

    name: str
    status: str
    detail: str
    remedy: str = ""


def doctor(environment: Mapping[str, str] | None = None, *, port: int = 5006) -> list[Check]:
    """Look at everything Sigma needs; never raises, a failure is a row of its own."""
    environment = os.environ if environment is None else environment
    checks: dict[str, Callable[[], Check]] = {
        "python": _python,
        "settings": lambda: _settings(environment),
        "workspace": lambda: _workspace(environment),
        "database": lambda: _database(environment),
        "data": lambda: _data(environment),
        "keys": lambda: _keys(environment),
        "browser": lambda: _browser(environment),
        "port": lambda: _port(port),
    }
    return list(_run(checks))


def _run(checks: Mapping[str, Callable[[], Check]]) -> Iterator[Check]:
    for name, look in checks.items():
        try:
            yield look()
        except SigmaError as error:
            yield Check(name, "failed", str(error), "see the message")


def _from(environment: Mapping[str, str]) -> Settings:
    return read_settings(environment)


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        return Check("python", "ok", found)
    return Check("python", "failed", found, "install Python 3.11 or newer")


def _settings(environment: Mapping[str, str]) -> Check:
    options, known_names = _from(environment).options, known_variables()
    unknown = sorted(name for name in options if name not in known_names)
    if unknown:
        known = ", ".join(sorted(known_names))
        return Check(
            "settings", "failed", f"unknown: {', '.join(unknown)}", f"remove or rename; the settings are {known}"
        )
    source = _from(environment).source
    return Check("settings", "ok", f"source {source}: {source_class(source).traits.about}")


def _workspace(environment: Mapping[str, str]) -> Check:
    home = _from(environment).home
    if not home.is_dir():
        return Check("workspace", "missing", str(home), "run `sigma init`, or `sigma demo`")
    if not os.access(home, os.W_OK):
        return Check("workspace", "failed", f"{home} cannot be written", "mend its permissions, or set SIGMA_HOME")
    Workspace(home).path("reports")
    return Check("workspace", "ok", str(home))


def _database(environment: Mapping[str, str]) -> Check:
    settings = _from(environment)
    if settings.database_url.startswith("sqlite") and not Path(settings.database_url.split("///", 1)[-1]).exists():
        return Check("database", "missing", "no database yet", "run `sigma init`, or `sigma demo`")
    with Store.open(settings.database_url) as store:
        books = store.books()
    return Check("database", "ok", f"{len(books)} book(s): {', '.join(books['name']) or 'none'}")


def _data(environment: Mapping[str, str]) -> Check:
    if not _from(environment).home.is_dir():
        return Check("data", "missing", "no workspace yet", "run `sigma init`, or `sigma demo`")
    world = open_world(environment)
    held = world.source.coverage()
    world.store.close()
    if held.empty:
        name = world.source.name
        return Check("data", "missing", f"nothing was fetched from {name} yet", "run `sigma data fetch --book NAME`")
    first, last = held["first"].min(), held["last"].max()
    return Check("data", "ok", f"{world.source.name}: {len(held)} symbols, {first:%Y-%m-%d} to {last:%Y-%m-%d}")


def _keys(environment: Mapping[str, str]) -> Check:
    settings = _from(environment)
    needed = [name for name, option in known_variables(settings.source).items() if option and option.required]
    lacks = [name for name in needed if not settings.options.get(name)]
    if lacks:
        return Check(
            "keys",
            "failed",
            f"{', '.join(lacks)} not set",
            f"set it in the environment or in .env, for {settings.source}",
        )
    return Check("keys", "ok", f"{', '.join(needed)} set" if needed else f"the {settings.source} source needs none")


def _browser(environment: Mapping[str, str]) -> Check:
    named = environment.get("SIGMA_CHROMIUM")
    found = named if named and Path(named).is_file() else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return Check("browser", "ok", found)
    return Check(
        "browser", "missing", "no Chromium; the page tests will be skipped", "install chromium, or set SIGMA_CHROMIUM"
    )


def _port(port: int) -> Check:
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if taken:
        return Check(
            "port", "missing", f"{port} is in use, perhaps by a running `sigma serve`", f"pass --port {port + 1}"
        )
    return Check("port", "ok", f"{port} is free")

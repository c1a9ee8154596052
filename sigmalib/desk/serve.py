"""Serving the dashboards: on this machine by default, elsewhere only with a login."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sigmalib.core.errors import InputError
from sigmalib.desk.world import World

LOOPBACK = ("127.0.0.1", "localhost")
SECRET_BYTES = 32


@dataclass(frozen=True)
class Doors:
    """Where the server listens, and who may come in: the login's credentials file and the allowed origins."""

    address: str = "127.0.0.1"
    port: int = 5006
    credentials: Path | None = None
    origins: Sequence[str] = ()


def serve_command(world: World, doors: Doors) -> tuple[list[str], dict[str, str]]:
    """The command that serves every page in ``dashboards/``, and what it needs in its environment.

    Raises InputError for an address other than this machine's without credentials, or without origins.
    """
    pages = sorted((world.settings.project / "dashboards").glob("*.py"))
    if not pages:
        raise InputError(f"there are no pages in {world.settings.project / 'dashboards'}")
    if any("*" in origin for origin in doors.origins):
        raise InputError("--origin must name a HOST:PORT; a * would let any site connect")
    origins = list(doors.origins) or [f"{host}:{doors.port}" for host in ("127.0.0.1", "localhost")]
    command = [sys.executable, "-m", "panel", "serve", *map(str, pages)]
    command += ["--address", doors.address, "--port", str(doors.port), "--index", "portfolio", "--liveness", "--warm"]
    command += [f"--allow-websocket-origin={origin}" for origin in origins]
    environment = {"SIGMA_HOME": str(world.settings.home), "SIGMA_PROJECT": str(world.settings.project)}
    if _needs_login(doors):
        template = world.settings.project / "dashboards" / "login.html"
        command += ["--basic-auth", str(doors.credentials), "--basic-login-template", str(template)]
        environment["PANEL_COOKIE_SECRET"] = cookie_secret(world)
    return command, environment


def _needs_login(doors: Doors) -> bool:
    if doors.address in LOOPBACK and doors.credentials is None:
        return False
    if doors.credentials is None:
        raise InputError(
            f"{doors.address} can be reached by others: pass --credentials FILE (JSON of user and password) and "
            "--origin HOST:PORT, or serve on 127.0.0.1 behind a proxy that asks for a login"
        )
    if not doors.credentials.is_file():
        raise InputError(f'--credentials {doors.credentials} is no file; write JSON such as {{"analyst": "password"}}')
    if doors.address not in LOOPBACK and not doors.origins:
        raise InputError("pass --origin HOST:PORT, the address people will type, so that no other site can connect")
    return True


def cookie_secret(world: World) -> str:
    """The secret that signs login cookies, made once and kept in the workspace for this user alone (0600).

    Anything else in its place, such as half a secret, is made anew; of servers that start at once one makes it.
    """
    place = world.workspace.path("cookie.secret")
    if not place.exists() or not _is_secret(place.read_bytes()):
        _make_secret(place)
    place.chmod(0o600)
    return place.read_text()


def _is_secret(content: bytes) -> bool:
    return re.fullmatch(rb"[0-9a-f]{%d}" % (2 * SECRET_BYTES), content) is not None


def _make_secret(place: Path) -> None:
    """A new secret at ``place``, whole from the first moment; one that another server has just made stays."""
    made = place.with_name(f".{secrets.token_hex(8)}.unfinished")
    is_spoilt = place.exists() and not _is_secret(place.read_bytes())
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        if is_spoilt:
            made.replace(place)
        else:
            with suppress(FileExistsError):
                place.hardlink_to(made)
    finally:
        made.unlink(missing_ok=True)

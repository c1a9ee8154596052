"""Doors: open on this machine, and elsewhere only with a login, allowed origins and a secret of the user's own."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from sigmalib.core.errors import InputError, WorkspaceError
from sigmalib.desk.serve import SECRET_BYTES, Doors, cookie_secret, serve_command
from sigmalib.desk.world import World
from tests.worlds import world_in


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.json"
    path.write_text('{"analyst": "password"}')
    return path


def test_by_default_only_this_machine_may_come_in(world: World) -> None:
    command, environment = serve_command(world, Doors())
    assert command[command.index("--address") + 1] == "127.0.0.1"
    assert [option for option in command if option.startswith("--allow")] == [
        "--allow-websocket-origin=127.0.0.1:5006",
        "--allow-websocket-origin=localhost:5006",
    ]
    assert "--basic-auth" not in command
    assert environment.keys() == {"SIGMA_HOME", "SIGMA_PROJECT"}


def test_every_page_is_served(world: World) -> None:
    command, _ = serve_command(world, Doors(port=6001))
    pages = [Path(word) for word in command if word.endswith(".py")]
    assert "portfolio" in {page.stem for page in pages}
    assert all(page.is_file() for page in pages)
    assert command[command.index("--port") + 1] == "6001"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.7", "127.0.0.2", "", "desk.example"])
def test_any_other_address_needs_a_login(world: World, address: str) -> None:
    with pytest.raises(InputError, match="can be reached by others: pass --credentials FILE"):
        serve_command(world, Doors(address=address, origins=["desk.example:5006"]))


def test_credentials_must_be_a_file(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no file; write JSON such as"):
        serve_command(world, Doors(credentials=tmp_path / "absent.json"))


def test_any_other_address_needs_origins(world: World, users: Path) -> None:
    with pytest.raises(InputError, match="pass --origin HOST:PORT, the address people will type"):
        serve_command(world, Doors(address="0.0.0.0", credentials=users))


@pytest.mark.parametrize("doors", [{}, {"address": "0.0.0.0", "origins": ["desk.example:5006"]}])
def test_a_login_signs_its_cookies_with_a_secret_that_no_command_shows(
    world: World, users: Path, doors: dict[str, str]
) -> None:
    command, environment = serve_command(world, Doors(credentials=users, **doors))  # type: ignore[arg-type]
    assert command[command.index("--basic-auth") + 1] == str(users)
    assert len(bytes.fromhex(environment["PANEL_COOKIE_SECRET"])) == SECRET_BYTES
    assert [word for word in command if environment["PANEL_COOKIE_SECRET"] in word] == []


def test_only_allowed_origins_may_connect(world: World, users: Path) -> None:
    doors = Doors(address="0.0.0.0", credentials=users, origins=["desk.example:443", "10.0.0.7:5006"])
    allowed = [word for word in serve_command(world, doors)[0] if word.startswith("--allow-websocket-origin")]
    assert allowed == [f"--allow-websocket-origin={origin}" for origin in doors.origins]


def test_the_secret_is_the_users_alone_and_stays(world: World) -> None:
    secret = cookie_secret(world)
    place = world.settings.home / "cookie.secret"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    place.chmod(0o644)
    assert cookie_secret(world) == secret
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_two_workspaces_have_two_secrets(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with world_in(tmp_path / "other") as other:
        assert cookie_secret(other) != cookie_secret(world)


def test_a_link_in_the_secrets_place_is_refused(world: World, tmp_path: Path) -> None:
    (world.settings.home / "cookie.secret").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WorkspaceError, match="is a symbolic link"):
        cookie_secret(world)


def test_a_project_without_pages_is_refused(tmp_path: Path) -> None:
    with world_in(tmp_path, project=tmp_path) as world, pytest.raises(InputError, match="there are no pages in"):
        serve_command(world, Doors())


@pytest.mark.parametrize("spoilt", [b"", b"ab", b"\xff" * 64, b"g" * 64, b"a" * 65])
def test_anything_but_a_secret_is_made_anew(world: World, spoilt: bytes) -> None:
    place = world.settings.home / "cookie.secret"
    place.write_bytes(spoilt)
    secret = cookie_secret(world)
    assert len(bytes.fromhex(secret)) == SECRET_BYTES
    assert cookie_secret(world) == secret == place.read_text()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [path.name for path in world.settings.home.iterdir() if "unfinished" in path.name] == []


def test_first_starts_at_once_end_with_one_secret(world: World) -> None:
    starts = Barrier(8)

    def start(_: int) -> str:
        starts.wait()
        return cookie_secret(world)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1

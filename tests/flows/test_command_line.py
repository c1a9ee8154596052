"""The command line as a whole: workspace, doctor, doors, help, and which exit code says what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sigmalib import cli
from sigmalib.desk.world import PROJECT, open_world
from tests.commands import RunSigma, strict_json

WRONG = (("risk",), ("risk", "a", "b"), ("frobnicate",), ("risk", "balanced", "--asof", "x"))


def commands() -> Iterator[tuple[str, ...]]:
    """Every verb: ``("book", "import")``, ``("risk",)``, ..."""
    for name, command in typer.main.get_command(cli.app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        yield from ((name, verb) for verb in inner) if inner else [(name,)]


def test_commands_say_what_to_do_where_there_is_no_workspace(sigma: RunSigma, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGMA_HOME", "/nowhere/sigma")
    done = sigma("risk", "balanced")
    assert done.returncode == 2
    assert "there is no workspace at /nowhere/sigma; make one with `sigma init`" in done.stderr


def test_a_damaged_database_is_an_operators_business(sigma: RunSigma, home: Path) -> None:
    for file in home.glob("sigma.db*"):
        file.unlink()
    (home / "sigma.db").write_bytes(b"no database" * 100)
    done = sigma("book", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a SQLite database; move that file away" in done.stderr


def test_doctor_as_json_tells_status_and_remedy(sigma: RunSigma) -> None:
    done = sigma("doctor", "--json")
    told = {check["name"]: check for check in strict_json(done.stdout)}
    assert done.returncode == 0
    assert {"python", "settings", "workspace", "database", "data", "keys", "browser", "port"} <= told.keys()
    assert all(check["remedy"] for check in told.values() if check["status"] != "ok")


def test_doctor_for_people_ends_with_one_when_something_has_failed(
    sigma: RunSigma, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_SOURCE", "smple")
    done = sigma("doctor")
    assert done.returncode == 1
    assert "there is no source 'smple'; the sources are sample, " in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "0.0.0.0 can be reached by others: pass --credentials FILE"),
        (("--credentials", "absent.json"), "--credentials absent.json is no file"),
        (("--credentials", "{file}"), "pass --origin HOST:PORT"),
    ],
)
def test_serve_refuses_an_open_door(sigma: RunSigma, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    (tmp_path / "users.json").write_text('{"analyst": "secret"}')
    given = [option.format(file=tmp_path / "users.json") for option in options]
    done = sigma("serve", "--address", "0.0.0.0", *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_serve_becomes_the_server_and_keeps_the_secret_out_of_its_command(
    sigma: RunSigma, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[Any] = []
    monkeypatch.setattr("os.execve", lambda *call: became.extend(call))
    users = home.parent / "users.json"
    users.write_text('{"analyst": "secret"}')
    done = sigma("serve", "--address", "0.0.0.0", "--credentials", users, "--origin", "desk.example:5006")
    _, command, environment = became
    assert done.stdout == "dashboards at http://0.0.0.0:5006 (Ctrl-C ends)\n"
    assert "--allow-websocket-origin=desk.example:5006" in command
    assert environment["PANEL_COOKIE_SECRET"] == (home / "cookie.secret").read_text()
    assert environment["PANEL_COOKIE_SECRET"] not in " ".join(command)


def test_version_is_printed(sigma: RunSigma) -> None:
    assert sigma("--version").stdout.startswith("sigma 0.")


def test_init_makes_the_workspace_and_changes_nothing_the_second_time(
    sigma: RunSigma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_HOME", str(tmp_path / "other"))
    first = (sigma("init").stdout, sorted((tmp_path / "other").rglob("*")))
    assert first[0] == f"workspace {tmp_path / 'other'}\n"
    assert (sigma("init").stdout, sorted((tmp_path / "other").rglob("*"))) == first


@pytest.mark.parametrize("command", sorted(commands()), ids=" ".join)
def test_every_command_explains_itself(sigma: RunSigma, command: tuple[str, ...]) -> None:
    done = sigma(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"sigma {' '.join(command)}" in done.stdout


@pytest.mark.parametrize("command", sorted(commands()), ids=" ".join)
def test_every_command_is_in_the_readme(command: tuple[str, ...]) -> None:
    assert f"sigma {' '.join(command)}" in (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", WRONG)
def test_a_command_written_wrongly_ends_with_two(sigma: RunSigma, command: tuple[str, ...]) -> None:
    done = sigma(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "sigma" in done.stderr


def test_progress_never_reaches_what_a_program_reads(
    sigma: RunSigma, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    assert list(cli._progress([1, 2], 2)) == [1, 2]
    assert capsys.readouterr().out == ""


def test_risk_has_a_heading_for_every_section_and_says_what_is_not_computable(balanced: RunSigma) -> None:
    done = balanced("risk", "balanced")
    titles = ("Headline", "Greeks by underlying", "Factors", "Against the benchmark", "Tail by method", "Stress")
    assert (done.returncode, done.stderr) == (0, "")
    assert [title for title in (*titles, "Correlation") if f"\n{title}\n" not in done.stdout] == []
    assert "not computable: `oil` has no series" in done.stdout
    assert "Value at risk against what happened" not in done.stdout  # no snapshots yet


def test_risk_shows_the_sections_asked_for(balanced: RunSigma) -> None:
    shown = balanced("risk", "balanced", "--only", "stress").stdout
    assert "2008: Lehman" in shown
    assert "Net asset value" not in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "strss"), "--only strss is no section of the report; did you mean stress?"),
        (("--only", "tail", "--json"), "leave out --only"),
        (("--only", "backtest"), "make them with `sigma snapshot balanced --from DATE`"),
        (("--only", "books"), "one book only; write a+b"),
        (("--only", "tail", "--scenarios", "absent.toml"), "--scenarios is for the section stress"),
        (("--scenarios", "absent.toml"), "absent.toml is not a file of scenarios"),
    ],
)
def test_risk_refuses_what_cannot_be_shown(balanced: RunSigma, options: tuple[str, ...], message: str) -> None:
    done = balanced("risk", "balanced", *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_risk_takes_scenarios_of_ones_own_and_tells_the_line_of_a_mistake(balanced: RunSigma, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[scenario]]\nname = "Mine"\nmarket = -0.05\n')
    told = strict_json(balanced("risk", "balanced", "--scenarios", file, "--json").stdout)
    shown = balanced("risk", "balanced", "--scenarios", file, "--only", "stress").stdout
    assert list(told["stress"]) == ["Mine"]
    assert f"{told['stress']['Mine']['pnl']:+,.0f}".replace("-", "−") in shown
    file.write_text('[[scenario]]\nname = "Mine"\nmarkt = -0.05\n')
    done = balanced("risk", "balanced", "--scenarios", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "mine.toml, line 3: unknown key `markt`; did you mean `market`?" in done.stderr


def test_several_books_are_one_netted_book_with_the_part_of_each(balanced: RunSigma) -> None:
    balanced("book", "import", PROJECT / "notebooks" / "books" / "high_net_worth.csv", "--book", "high_net_worth")
    shown = balanced("risk", "balanced+high_net_worth", "--only", "books").stdout
    told = strict_json(balanced("risk", "balanced+high_net_worth", "--json").stdout)
    assert set(told["groups"]["book"]) == {"balanced", "high_net_worth"}
    parts = [row["es_contribution"] for row in told["groups"]["book"].values()]
    assert sum(parts) == pytest.approx(told["es"]["95"])
    assert f"{parts[0]:,.0f}".replace("-", "−") in shown


def test_risk_tests_value_at_risk_once_there_are_snapshots(balanced: RunSigma) -> None:
    balanced("snapshot", "balanced", "--from", "2022-12-19", "--to", "2022-12-28")
    told = strict_json(balanced("risk", "balanced", "--json").stdout)
    assert told["backtest"]["99"]["observations"] == 6
    assert "Value at risk against what happened" in balanced("risk", "balanced", "--only", "backtest").stdout


def test_compile_prints_one_line_and_its_steps_elsewhere(sigma: RunSigma, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigmalib.desk.compile.compile_loops", lambda: iter(["European options: 0.1 s"]))
    done = sigma("compile")
    assert (done.returncode, done.stderr) == (0, "European options: 0.1 s\n")
    assert re.fullmatch(r"compiled in \d+\.\d s, kept on disk\n", done.stdout)


def test_a_process_of_its_own_answers_alike(run_sigma: RunSigma, tmp_path: Path) -> None:
    environment = {"SIGMA_HOME": str(tmp_path / "sigma")}
    open_world(environment, create=True).store.close()
    done = run_sigma("risk", "balanced", environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sigma: there is no book 'balanced'; there are no books yet")

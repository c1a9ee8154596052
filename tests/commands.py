"""A plugin for tests of every room: ``sigma`` as a process of its own, and a workspace with the demo books."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Environment = Mapping[str, str]
RunSigma = Callable[..., CompletedProcess[str]]

SIGMA = Path(sys.executable).with_name("sigma")
CLEAN = {name: text for name, text in os.environ.items() if not name.startswith("SIGMA")}


@pytest.fixture(scope="session")
def run_sigma() -> RunSigma:
    """``sigma`` as a process of its own; its environment is this one's without our settings, and ``environment``."""

    def run(*arguments: object, environment: Environment) -> CompletedProcess[str]:
        command = [str(SIGMA), *map(str, arguments)]
        return subprocess.run(command, env={**CLEAN, **environment}, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def demo_environment(tmp_path_factory: pytest.TempPathFactory, run_sigma: RunSigma) -> Environment:
    """The environment of a workspace with the three demo books and 90 sessions of each, made by ``sigma demo``."""
    environment = {**CLEAN, "SIGMA_HOME": str(tmp_path_factory.mktemp("demo") / "sigma")}
    done = run_sigma("demo", "--no-reports", environment=environment)
    assert done.returncode == 0, done.stderr
    return environment


def strict_json(text: str) -> Any:
    """What ``text`` says as JSON, which knows neither NaN nor Infinity."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)

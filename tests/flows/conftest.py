"""The command line inside the test's own process, in a workspace of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from sigmalib import cli
from sigmalib.desk.world import PROJECT
from tests.commands import CLEAN, RunSigma
from tests.worlds import new_workspace


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a workspace may be made; of our settings, the environment holds nothing but this place."""
    for name in set(os.environ) - set(CLEAN):
        monkeypatch.delenv(name)
    monkeypatch.setenv("SIGMA_HOME", str(tmp_path / "sigma"))
    return tmp_path / "sigma"


@pytest.fixture
def sigma(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunSigma:
    """``sigma`` from its entry point on, in a new workspace."""
    new_workspace(home)

    def run(*arguments: object) -> CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["sigma", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return CompletedProcess(sys.argv, code, said.out, said.err)

    assert run("init").returncode == 0
    return run


@pytest.fixture
def balanced(sigma: RunSigma) -> RunSigma:
    """``sigma`` in a workspace that holds the book ``balanced``, without history."""
    file = PROJECT / "notebooks" / "books" / "balanced.csv"
    assert sigma("book", "import", file, "--book", "balanced").returncode == 0
    return sigma

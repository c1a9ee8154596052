"""The long versions of failure tests: run by ``make soak``."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from sigmalib.data.store import Store
from sigmalib.desk.world import PROJECT
from tests.commands import CLEAN, SIGMA, RunSigma

KILLS = 20
SESSIONS = 40  # from 2022-11-01 to the last of the sample data
SNAPSHOT = ("snapshot", "long_short", "--from", "2022-11-01")
BOOK = PROJECT / "notebooks" / "books" / "long_short.csv"


def kept(home: Path) -> pd.DataFrame:
    with Store.open(f"sqlite:///{home / 'sigma.db'}") as store:
        return store.snapshots("long_short")


@pytest.fixture
def workspace(tmp_path: Path, run_sigma: RunSigma):
    def make(name: str) -> dict[str, str]:
        environment = {"SIGMA_HOME": str(tmp_path / name)}
        run_sigma("init", environment=environment)
        done = run_sigma("book", "import", BOOK, "--book", "long_short", environment=environment)
        assert done.returncode == 0, done.stderr
        return environment

    return make


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_snapshots_killed_at_random_moments_are_whole_and_end_as_if_nothing_had_happened(workspace, run_sigma):
    disturbed, quiet = workspace("disturbed"), workspace("quiet")
    moments = random.Random(2022)
    for _ in range(KILLS):
        with subprocess.Popen([SIGMA, *SNAPSHOT], env={**CLEAN, **disturbed}, stdout=subprocess.DEVNULL) as process:
            time.sleep(moments.uniform(0.3, 7.0))
            process.kill()
        assert len(kept(Path(disturbed["SIGMA_HOME"]))) in (0, SESSIONS)
    for environment in (disturbed, quiet):
        assert run_sigma(*SNAPSHOT, environment=environment).returncode == 0
    undisturbed = kept(Path(quiet["SIGMA_HOME"]))
    assert len(undisturbed) == SESSIONS
    pd.testing.assert_frame_equal(kept(Path(disturbed["SIGMA_HOME"])), undisturbed)

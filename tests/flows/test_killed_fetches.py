"""A fetch that is killed at any moment leaves whole batches, doubles nothing, and is resumed by the next one."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from sigmalib.data.cache import Cache
from tests.commands import CLEAN, SIGMA, RunSigma, strict_json
from tests.flows.test_market_data import FAST, ORIGIN, record
from tests.serving import polygon_process

NAMES = [f"S{count:03d}" for count in range(200)]
FETCH = ("data", "fetch", *NAMES, "--source", "polygon", "--start", "2023-07-03", "--end", "2024-06-28", "--json")


def is_whole(home: Path) -> bool:
    """Whether every batch in the record is what was written, and no row is there twice."""
    shelf = Cache(str(home / "bars"), home / "other").shelf("polygon", "1d", "")
    batches = [shelf.record.read(name) for name in shelf.record.names()]
    rows = pd.concat([batch.frame for batch in batches if batch] or [pd.DataFrame(columns=["symbol", "session"])])
    return None not in batches and not rows.duplicated(["symbol", "session"]).any()


def killed(home: Path, base: str, kills: int, run_sigma: RunSigma) -> list[int]:
    """Fetch and kill, again and again: rows in the record after each; the fetch is complete at the end."""
    given = {"SIGMA_HOME": str(home), "SIGMA_POLYGON_BASE": base, **FAST}
    moments, rows = random.Random(kills), []
    for _ in range(kills):
        with subprocess.Popen([SIGMA, *FETCH], env={**CLEAN, **given}, stdout=subprocess.DEVNULL) as process:
            time.sleep(moments.uniform(0.5, 6.0))
            process.kill()
        assert is_whole(home)
        rows.append(len(record(home)) if list((home / "bars").rglob("*.parquet")) else 0)
    done = run_sigma(*FETCH, environment=given)
    assert done.returncode == 0, done.stderr
    told = strict_json(done.stdout)
    assert (told["missing"], told["cached"] >= max(rows)) == ([], True)
    assert is_whole(home)
    assert not [place for place in home.rglob("*.unfinished") if "bars" in place.parts]
    return rows


def disturbed_and_quiet(tmp_path: Path, kills: int, run_sigma: RunSigma) -> list[int]:
    with polygon_process(delay=0.02) as base:
        rows = killed(tmp_path / "disturbed", base, kills, run_sigma)
        quiet = {"SIGMA_HOME": str(tmp_path / "quiet"), "SIGMA_POLYGON_BASE": base, **FAST}
        assert run_sigma(*FETCH, environment=quiet).returncode == 0
    one, other = (record(tmp_path / name).drop(columns=ORIGIN) for name in ("disturbed", "quiet"))
    pd.testing.assert_frame_equal(one, other)
    return rows


@pytest.mark.slow
def test_a_fetch_killed_now_and_then_ends_as_if_nothing_had_happened(tmp_path, run_sigma):
    rows = disturbed_and_quiet(tmp_path, 3, run_sigma)
    assert rows == sorted(rows)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_fetch_of_200_symbols_killed_at_twenty_random_moments_loses_and_doubles_nothing(tmp_path, run_sigma):
    rows = disturbed_and_quiet(tmp_path, 20, run_sigma)
    assert rows == sorted(rows)
    assert rows[-1] > 0

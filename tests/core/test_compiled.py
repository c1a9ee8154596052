"""core.compiled and core.jit: loops imported late, run in parts, and kept on disk until a neighbour changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sigmalib.core import compiled
from sigmalib.core.compiled import Later, in_parts

ROOT = Path(__file__).parents[2]
LOOP = """
from folder.other import once
from sigmalib.core.jit import compiled

@compiled()
def twice(x):
    return once(x) * 2.0
"""
OTHER = """
from sigmalib.core.jit import inlined

@inlined
def once(x):
    return x + {}
"""
DIVIDE = """
from sigmalib.core.jit import compiled

@compiled()
def over(x, y):
    return x / y if x == x else -1.0
"""


def printed(asked, folder):
    """The words that a fresh interpreter prints, with ``folder`` among its modules."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "NUMBA_DISABLE_JIT": "0"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()


def test_a_module_of_loops_is_imported_when_first_asked():
    loops = Later("colorsys")
    sys.modules.pop("colorsys", None)
    assert not hasattr(loops, "__wrapped__")
    assert "colorsys" not in sys.modules
    assert loops.rgb_to_hsv(0.0, 0.0, 0.0) == (0.0, 0.0, 0.0)
    assert "colorsys" in sys.modules
    assert "rgb_to_hsv" in vars(loops)


def test_a_loop_that_the_module_does_not_have_is_named():
    with pytest.raises(AttributeError, match="no_such_loop"):
        Later("colorsys").no_such_loop  # noqa: B018


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1_001])
def test_parts_come_to_the_same_as_one(count, monkeypatch):
    monkeypatch.setattr(compiled, "cores", lambda: 4)
    values = np.random.default_rng(1).normal(size=(3, count))
    alone, parts = np.zeros(count), np.zeros(count)

    def kernel(given, out):
        out[:] = given[..., :].sum(axis=0) ** 2

    kernel(values, alone)
    in_parts(kernel, count, [values, parts], chunk=5)
    np.testing.assert_array_equal(alone, parts)


def test_few_rows_are_run_where_they_are(monkeypatch):
    monkeypatch.setattr(compiled, "_pool", lambda: pytest.fail("a thread was used"))
    out = np.zeros(9)
    in_parts(lambda rows: rows.fill(1.0), 9, [out], chunk=5)
    assert out.all()


def test_an_error_in_a_part_is_raised(monkeypatch):
    monkeypatch.setattr(compiled, "cores", lambda: 2)

    def fail(rows):
        raise ZeroDivisionError(str(len(rows)))

    with pytest.raises(ZeroDivisionError, match="5"):
        in_parts(fail, 10, [np.zeros(10)], chunk=5)


def test_there_is_at_least_one_core():
    assert compiled.cores() >= 1


@pytest.mark.slow
def test_a_kept_loop_is_made_anew_when_any_module_of_its_folder_changed(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "loops.py").write_text(LOOP, encoding="utf-8")

    def ask(added):
        (folder / "other.py").write_text(OTHER.format(added), encoding="utf-8")
        return printed(
            "from folder.loops import twice; print(twice(1.0), sum(twice.stats.cache_hits.values()))", tmp_path
        )

    assert ask("1.0") == ["4.0", "0"]
    assert ask("1.0") == ["4.0", "1"], "the loop was not kept"
    assert ask("2.0") == ["6.0", "0"], "a kept loop outlived a change of what is written into it"


def test_division_by_zero_is_infinite_and_unknown_values_keep_their_meaning(tmp_path):
    (tmp_path / "sums.py").write_text(DIVIDE, encoding="utf-8")
    assert printed("from sums import over; print(over(1.0, 0.0), over(float('nan'), 1.0))", tmp_path) == ["inf", "-1.0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_makes_threads_of_its_own():
    code = (
        "import os, signal, numpy as np\n"
        "from sigmalib.core import compiled\n"
        "compiled.cores = lambda: 2\n"
        "rows = np.zeros(100_000)\n"
        "def fill(part): part[:] = 1.0\n"
        "compiled.in_parts(fill, rows.size, [rows])\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(20)\n"
        "    rows[:] = 0.0\n"
        "    compiled.in_parts(fill, rows.size, [rows])\n"
        "    os._exit(0 if rows.all() else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["0"]

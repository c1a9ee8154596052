"""Loops without their compiler: a piece of code run in plain Python, its lines counted when the tests' are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(code: str, folder: Path) -> str:
    """What ``code`` prints in a process of its own with NUMBA_DISABLE_JIT=1; AssertionError with its last words."""
    script = folder / "plain.py"
    script.write_text(code, encoding="utf-8")
    counted = ["-m", "coverage", "run", "--parallel-mode"] if "COVERAGE_RUN" in os.environ else []
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", *counted, str(script)]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

"""Compiling: after the examples nothing is left to compile for a book."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sigmalib.desk.compile import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]
COUNTED = """
import pkgutil
from importlib import import_module
import sigmalib.risk.kernels as kernels
from sigmalib.core.jit import _Kept
from sigmalib.desk.compile import EXAMPLES
from sigmalib.risk.report import assess
from tests.markets import book, market

names = [f"sigmalib.risk.kernels.{info.name}" for info in pkgutil.iter_modules(kernels.__path__)]
modules = [import_module(name) for name in ("sigmalib.core.moments", "sigmalib.core.rolling", *names)]

def versions():
    loops = [loop for module in modules for loop in vars(module).values()]
    return sum(len(loop.signatures) for loop in loops if isinstance(getattr(loop, "_cache", None), _Kept))

for example in EXAMPLES.values():
    example()
before = versions()
rows = [("AAA", 100, 90, "2022-01-03"), ("AAA230317P00090000", 4, 5, "2022-10-03"), ("CASH", 9_000, 1, "2022-01-03")]
assess(book(*rows), market()).to_dict()
assess(book(*rows), market(dividend_yield=0.02)).to_dict()
print(before, versions())
"""


@pytest.mark.slow
def test_after_the_examples_a_book_has_nothing_left_to_compile() -> None:
    ran = subprocess.run([sys.executable, "-c", COUNTED], cwd=ROOT, capture_output=True, text=True, check=True)
    before, after = map(int, ran.stdout.split())
    assert before > 15
    assert after == before


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_without_a_word(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    EXAMPLES[name]()
    assert capsys.readouterr() == ("", "")

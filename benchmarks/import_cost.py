"""What does ``import sigmalib`` cost beside ``import numpy``? CPU seconds of fresh interpreters, at most 1.5 times.

Rounds are interleaved, so that a busy machine burdens both alike; the interpreter's own start is in both.
"""

from __future__ import annotations

import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

ROUNDS = 15
LIMIT = 1.5


def spent() -> float:
    """User and system seconds of all processes started so far and ended."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cost(module: str) -> float:
    """CPU seconds of a fresh interpreter that imports ``module`` and ends."""
    before = spent()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return spent() - before


def main() -> int:
    for module in ("sigmalib", "numpy"):
        cost(module)  # not counted: the first import writes byte code
    rounds = [(cost("sigmalib"), cost("numpy")) for _ in range(ROUNDS)]
    ours, theirs = (median(taken) for taken in zip(*rounds, strict=True))
    print(f"import sigmalib {ours:.3f} s, import numpy {theirs:.3f} s: {ours / theirs:.2f} of at most {LIMIT}")
    return 0 if ours <= LIMIT * theirs else 1


if __name__ == "__main__":
    raise SystemExit(main())

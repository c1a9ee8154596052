"""A vendor's server as a process of its own, for tests that kill or time the client: ``python -m tests.serving``."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.polygon import polygon_server
from tests.vendors import Asked, Reply, Vendor, serving

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def polygon_process(*, delay: float = 0.0) -> Iterator[str]:
    """The address of a server in another process that speaks Polygon's protocol, each answer ``delay`` seconds late."""
    command = [sys.executable, "-m", "tests.serving", str(delay)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def late(vendor: Vendor, delay: float) -> Vendor:
    """``vendor``, with each answer ``delay`` seconds late."""
    answer = vendor.answer

    def waits(asked: Asked) -> Reply:
        return replace(answer(asked), delay=delay)

    vendor.answer = waits
    return vendor


if __name__ == "__main__":
    with serving(late(polygon_server(), float(sys.argv[1]))) as served:
        print(served.base, flush=True)
        sys.stdin.read()  # until the parent ends
        time.sleep(0)

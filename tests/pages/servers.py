"""A dashboards server of its own for a test, started as users start it and ended by its process id."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket


@dataclass(frozen=True)
class Server:
    """Where a running server listens."""

    address: str

    def fetch(self, path: str, *, seconds: float = 60) -> tuple[int, str]:
        """Status and text of a page."""
        with urllib.request.urlopen(self.address + path, timeout=seconds) as answer:
            return answer.status, answer.read().decode()


@contextmanager
def serving(environment: Mapping[str, str], *options: str) -> Iterator[Server]:
    """``sigma serve`` on a free port of this machine, until the block ends."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sigmalib.cli", "serve", "--port", str(port), *options]
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            server = Server(f"http://127.0.0.1:{port}")
            _wait_until_it_answers(server)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_until_it_answers(server: Server, *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            server.fetch("/liveness", seconds=5)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"no server at {server.address} after {seconds:g} seconds")

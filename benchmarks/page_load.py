"""The portfolio page: first document cold and warm, twenty people at once, and memory a session.

Each session is a real one: the page over HTTP, then its document over a web socket that stays open until all are
there; what a browser then spends on drawing is not in it. Targets: cold 5 s, warm 2.5 s, twenty at once 10 s, 2.5 MB a
session. Needs the demo books (``make demo``).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from socket import socket
from urllib.error import URLError
from urllib.request import urlopen

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

PEOPLE = 20
TARGETS = {"cold, s": 5.0, "warm, s": 2.5, f"{PEOPLE} at once, s": 10.0, "memory a session, MB": 2.5}
PAGE = "/portfolio?book=long_short"
TOKEN = re.compile(r'"token":"([^"]+)"')
PULL = json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"})


def main() -> int:
    """Measure, print one row a figure, and return 1 when a target is missed."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sigmalib.cli", "serve", "--port", str(port)]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ) as server:
        try:
            _wait(f"127.0.0.1:{port}")
            found = asyncio.run(_measured(f"127.0.0.1:{port}", server.pid, started))
        finally:
            server.terminate()
    for name, value in found.items():
        print(f"{name:24}{value:8.2f}   target {TARGETS[name]:.1f}")
    return int(any(value > TARGETS[name] for name, value in found.items()))


async def _measured(host: str, pid: int, started: float) -> dict[str, float]:
    sessions = [await _open(host)]
    cold, begun = time.perf_counter() - started, time.perf_counter()
    sessions.append(await _open(host))
    warm, before, begun = time.perf_counter() - begun, _resident(pid), time.perf_counter()
    sessions += await asyncio.gather(*(_open(host) for _ in range(PEOPLE)))
    together, after = time.perf_counter() - begun, _resident(pid)
    for session in sessions:
        session.close()
    return dict(zip(TARGETS, (cold, warm, together, (after - before) / PEOPLE), strict=True))


async def _open(host: str) -> WebSocketClientConnection:
    """A session as a browser opens it: the page first, then its whole document over a web socket."""
    page = await AsyncHTTPClient(max_clients=2 * PEOPLE).fetch(f"http://{host}{PAGE}", request_timeout=60)
    token = TOKEN.search(page.body.decode())
    assert token, "the page carries no session"
    session = await websocket_connect(
        f"ws://{host}/portfolio/ws", subprotocols=["bokeh", token[1]], max_message_size=2**28
    )
    for _ in range(3):
        await session.read_message()  # the server's greeting: header, metadata, content
    for part in (PULL, "{}", "{}"):
        await session.write_message(part)
    reply = [await session.read_message() for _ in range(3)]
    assert "PULL-DOC-REPLY" in str(reply[0]), f"the server answered {str(reply[0])[:200]}"
    return session


def _wait(host: str) -> None:
    for _ in range(300):
        try:
            urlopen(f"http://{host}/liveness", timeout=5).close()
        except (URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"no server at {host}")


def _resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found, "the system tells no memory of a process"
    return int(found[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())

"""A vendor's HTTP server on loopback: recorded or made answers, faults on request, and a log of what was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived: its path, its query (last value of each name) and its headers."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer: ``cut`` sends only that many bytes of the body it announces, ``delay`` waits so many seconds first."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None


Answering = Callable[[Asked], Reply]


class Vendor:
    """What the server says. ``answer`` is asked for every request that ``faults`` (served first, in order) left over.

    ``of_interest`` counts and takes faults for matching requests only: a client's cookie and crumb requests, say, pass.
    """

    def __init__(self, answer: Answering, of_interest: Callable[[Asked], bool] = lambda _: True) -> None:
        self.answer, self.of_interest = answer, of_interest
        self.faults: list[Reply] = []
        self.log: list[Asked] = []
        self.at_once = self.most_at_once = 0
        self.base = ""
        self._lock = threading.Lock()

    @property
    def asked(self) -> list[Asked]:
        """The requests of interest, in the order they came."""
        with self._lock:
            return [asked for asked in self.log if self.of_interest(asked)]

    def reply(self, asked: Asked) -> Reply:
        """The answer to one request, which is logged."""
        with self._lock:
            self.log.append(asked)
            fault = self.faults.pop(0) if self.faults and self.of_interest(asked) else None
        return fault or self.answer(asked)


@contextmanager
def serving(vendor: Vendor) -> Iterator[Vendor]:
    """``vendor`` at ``vendor.base`` on this machine, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two writes: together at once

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            with vendor._lock:
                vendor.at_once += 1
                vendor.most_at_once = max(vendor.most_at_once, vendor.at_once)
            try:
                self._send(vendor.reply(Asked(parts.path, query, dict(self.headers))))
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up waiting
            finally:
                with vendor._lock:
                    vendor.at_once -= 1

        do_POST = do_GET  # noqa: N815

        def _send(self, reply: Reply) -> None:
            if reply.delay:
                time.sleep(reply.delay)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if reply.cut is None else body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the log is ``vendor.log``."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    vendor.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A watch over browser pages: what they ask of other hosts, and what they complain about."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--no-first-run", "--disable-quic"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
HERE = {"localhost", "127.0.0.1"}
INSIDE = {"about", "blob", "data", "file"}


@dataclass
class Watch:
    """What a page asked of other hosts and complained about; `ignored` are patterns of complaints that are not ours."""

    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def requested(self, url: str) -> None:
        """Note a request that would leave the machine."""
        parts = urlsplit(url)
        if parts.scheme not in INSIDE and parts.hostname not in HERE:
            self.foreign.append(url)

    def failed(self, request: Request) -> None:
        """Take back a request that the page's own policy forbade: it was not sent."""
        if request.failure == "csp":
            self.foreign.remove(request.url)

    def told(self, message: ConsoleMessage) -> None:
        """Note an error on the console."""
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def over(self, context: BrowserContext) -> None:
        """Watch every page of ``context``."""
        context.on("request", lambda request: self.requested(request.url))
        context.on("requestfailed", self.failed)
        context.on("console", self.told)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    @property
    def errors(self) -> list[str]:
        """The complaints that count."""
        return [text for text in self.complaints if not any(re.search(pattern, text) for pattern in self.ignored)]

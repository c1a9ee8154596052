"""What tests of every room share: a browser, and a page that is watched for foreign requests and errors."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import FLAGS, Watch

pytest_plugins = ["tests.commands"]
settings.register_profile("sigma", deadline=None)  # the first call of a compiled loop takes as long as it takes
settings.load_profile("sigma")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; the test is skipped, with the reason, where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("SIGMA_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium here: install Debian's package chromium, or set SIGMA_CHROMIUM to a browser's path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browser
        asyncio._set_running_loop(loop)
        browser.close()


@pytest.fixture
def watch() -> Watch:
    """The watch over this test's pages; add to its `ignored` what is known not to be ours."""
    return Watch()


@pytest.fixture
def watched_page(chromium: Browser, watch: Watch) -> Iterator[Page]:
    """A page; at the end nothing may have been asked of another host and no error have reached the console.

    Playwright keeps its event loop marked as running for the whole session. It is so only while a page is in use, or
    whatever calls ``asyncio.run`` in a later test would fail.
    """
    asyncio._set_running_loop(chromium._loop)
    with chromium.new_context(viewport={"width": 1440, "height": 900}) as context:
        watch.over(context)
        yield context.new_page()
    asyncio._set_running_loop(None)
    assert watch.foreign == []
    assert watch.errors == []

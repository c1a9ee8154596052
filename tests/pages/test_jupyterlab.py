"""A notebook in JupyterLab draws its plots and asks nothing of another host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page

from tests import notebooks as nb

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "a-token-for-this-test"
CELLS = ("# Notebook", nb.SETUP, nb.FRAME, nb.LINE, nb.BARS, nb.HVPLOT, nb.PANEL)
FIGURES = 3
START_SECONDS = 60


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Address of a JupyterLab with an empty home that serves one small notebook; stopped with all its kernels."""
    home, folder = tmp_path / "home", tmp_path / "notebooks"
    home.mkdir()
    folder.mkdir()
    nbformat.write(nb.notebook(*CELLS), folder / "small.ipynb")
    kept = {name: item for name, item in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON", "SIGMALIB"))}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    with (tmp_path / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [*command, f"--IdentityProvider.token={TOKEN}", "--allow-root", f"--ServerApp.root_dir={folder}"],
            env={**kept, "HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield f"{_address(server, home / 'runtime', tmp_path / 'lab.log')}lab/tree/small.ipynb?token={TOKEN}"
        finally:
            _stop(server)


def test_notebook_draws_its_plots_and_asks_nothing_of_another_host(lab: str, watched_page: Page) -> None:
    watched_page.set_viewport_size({"width": 1440, "height": 3000})  # JupyterLab draws only the cells in view
    watched_page.goto(lab)
    watched_page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)  # a kernel is connected
    watched_page.get_by_role("menuitem", name="Run", exact=True).click()
    watched_page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    watched_page.locator(".bk-Figure canvas").nth(2 * FIGURES - 1).wait_for(timeout=60_000)
    watched_page.locator(".tabulator-row").nth(3).wait_for()
    assert watched_page.locator(".bk-Figure").count() == FIGURES
    assert watched_page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert watched_page.get_by_text("Would you like to").count() == 0  # the question about news


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """The server's address, as it writes it down when it is ready."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        for written in runtime.glob("jpserver-*.json"):
            return str(json.loads(written.read_text())["url"])
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server; it ends its kernels, and a kernel whose server is gone ends by itself."""
    server.terminate()
    try:
        server.wait(timeout=15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()

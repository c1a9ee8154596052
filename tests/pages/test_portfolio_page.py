"""The portfolio page in real Chromium, served as users serve it."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.commands import CLEAN
from tests.pages.servers import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CARDS = "Net asset value"
TABS = ("Positions", "Performance", "Exposure", "Risk", "Conventions")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def server(demo_environment) -> Iterator[Server]:
    with serving(demo_environment) as running:
        yield running


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_text(CARDS).first).to_be_visible(timeout=30_000)
    return page


@pytest.mark.parametrize("theme", ["default", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_tab_is_drawn_without_errors_or_overflow(server, watched_page, width, theme):
    watched_page.set_viewport_size({"width": width, "height": 900})
    opened(watched_page, f"{server.address}/portfolio?book=long_short&theme={theme}")
    for tab, content in zip(TABS, ("AAPL", "canvas", "canvas", "canvas", "max_drawdown"), strict=True):
        watched_page.get_by_role("tab", name=tab).click()
        found = watched_page.locator("canvas") if content == "canvas" else watched_page.get_by_text(content)
        expect(found.first).to_be_visible(timeout=15_000)
        assert watched_page.evaluate(OVERFLOW) <= 0


def test_choosing_another_book_changes_the_numbers_and_the_address(server, watched_page):
    opened(watched_page, f"{server.address}/portfolio?book=balanced")
    expect(watched_page.get_by_text("559.3k").first).to_be_visible()
    watched_page.get_by_role("combobox").first.click()
    watched_page.get_by_role("menuitem", name="high_net_worth").click()
    expect(watched_page.get_by_text("8.34m").first).to_be_visible(timeout=10_000)
    assert "high_net_worth" in watched_page.url


def test_the_switch_shows_delta_adjusted_exposure(server, watched_page):
    opened(watched_page, f"{server.address}/portfolio?book=long_short")
    expect(watched_page.get_by_text("17.31m").first).to_be_visible()
    watched_page.get_by_role("button", name="Delta-adjusted").click()
    expect(watched_page.get_by_text("11.40m").first).to_be_visible(timeout=10_000)


def test_positions_are_grouped_by_strategy_with_sub_totals(server, watched_page):
    opened(watched_page, f"{server.address}/portfolio?book=long_short")
    watched_page.get_by_role("button", name="By strategy").click()
    expect(watched_page.locator(".tabulator-group").first).to_be_visible(timeout=10_000)
    assert watched_page.locator(".tabulator-calcs").count() > 1


def test_positions_can_be_filtered(server, watched_page):
    opened(watched_page, f"{server.address}/portfolio?book=balanced")
    watched_page.locator(".tabulator-header-filter input").first.press_sequentially("MSFT")
    expect(watched_page.locator(".tabulator-row").filter(has_text="MSFT").first).to_be_visible()
    expect(watched_page.locator(".tabulator-row").filter(has_text="AAPL")).to_have_count(0, timeout=5_000)


def test_a_weekend_is_shown_as_of_the_session_before_and_says_so(server, watched_page):
    opened(watched_page, f"{server.address}/portfolio?book=balanced&as_of=2022-12-25")
    expect(watched_page.get_by_text("not a trading day").first).to_be_visible()


def test_the_tabs_can_be_reached_with_the_keyboard(server, watched_page):
    opened(watched_page, f"{server.address}/portfolio?book=balanced")
    watched_page.get_by_role("tab", name="Positions").focus()
    watched_page.keyboard.press("ArrowRight")
    watched_page.keyboard.press("Enter")
    expect(watched_page.get_by_role("tab", name="Performance")).to_have_attribute("aria-selected", "true")


def test_a_page_that_raises_shows_an_error_card(tmp_path, watched_page):
    home = tmp_path / "empty"
    environment = {**os.environ, "SIGMA_HOME": str(home)}
    environment.pop("SIGMA_DATABASE_URL", None)
    subprocess.run([sys.executable, "-m", "sigmalib.cli", "init"], env=environment, check=True)
    with serving(environment) as running:
        watched_page.goto(f"{running.address}/portfolio")
        expect(watched_page.get_by_role("alert").first).to_contain_text("no books yet", timeout=30_000)
        watched_page.wait_for_load_state("networkidle")


HOSTILE = "<img src=x onerror=window.hacked=1>"
ROWS = ("CASH,10000,1,2022-01-03", "AAPL,100,150,2022-03-01", "MSFT,100,250,2022-03-01")


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory, run_sigma: Callable) -> Iterator[Server]:
    """A workspace with one book whose every free text is markup."""
    folder = tmp_path_factory.mktemp("hostile")
    environment = {**CLEAN, "SIGMA_HOME": str(folder / "sigma")}
    positions = folder / "positions.csv"
    lines = ("ticker,quantity,entry_price,entry_date,tags,strategy", *(f"{row},{HOSTILE},{HOSTILE}" for row in ROWS))
    positions.write_text("\n".join(lines) + "\n")
    for command in (("init",), ("book", "import", positions, "--book", "hostile", "--skip-bad")):
        done = run_sigma(*command, environment=environment)
        assert done.returncode == 0, done.stderr
    with serving(environment) as running:
        yield running


def test_markup_in_a_book_is_shown_and_not_run(hostile_server, watched_page):
    opened(watched_page, f"{hostile_server.address}/portfolio?book=hostile")
    for grouping in ("Individually", "By kind", "By strategy"):
        watched_page.get_by_role("button", name=grouping).click()
        heads = watched_page.locator(".tabulator-group")
        expect(heads).to_have_count({"Individually": 0, "By kind": 2, "By strategy": 1}[grouping], timeout=10_000)
        expect(watched_page.locator(".tabulator-cell").filter(has_text=HOSTILE).first).to_be_visible()
    expect(heads).to_have_text(f"strategy: {HOSTILE}(3 positions)")
    for tab in TABS[1:]:
        watched_page.get_by_role("tab", name=tab).click()
        watched_page.wait_for_timeout(1_000)
        for canvas in watched_page.locator(".bk-Figure:visible").all():
            canvas.hover()
    assert watched_page.evaluate("window.hacked") is None


@pytest.mark.parametrize(("asked", "told"), [("book", "there is no book"), ("as_of", "which is not there")])
def test_markup_in_the_address_is_shown_and_not_run(hostile_server, watched_page, asked, told):
    watched_page.goto(f"{hostile_server.address}/portfolio?{asked}={quote(HOSTILE)}")
    expect(watched_page.get_by_text(told).first).to_contain_text(HOSTILE, timeout=30_000)
    assert watched_page.evaluate("window.hacked") is None


def test_twenty_people_opening_it_at_once_are_all_served(server):
    with ThreadPoolExecutor(20) as people:
        pages = list(people.map(lambda _: server.fetch("/portfolio?book=long_short"), range(20)))
    assert [status for status, _ in pages] == [200] * 20
    assert len({re.search(r'"token":"([^"]+)"', text)[1] for _, text in pages}) == 20


def test_behind_a_login_the_page_asks_for_it_and_fetches_nothing_elsewhere(demo_environment, tmp_path, watched_page):
    credentials = tmp_path / "users.json"
    credentials.write_text(json.dumps({"analyst": "a long password"}))
    with serving(demo_environment, "--credentials", str(credentials)) as running:
        secret = Path(demo_environment["SIGMA_HOME"]) / "cookie.secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        watched_page.goto(f"{running.address}/portfolio")
        watched_page.get_by_label("User").fill("analyst")
        watched_page.get_by_label("Password").fill("a long password")
        watched_page.get_by_role("button", name="Log in").click()
        expect(watched_page.get_by_text(CARDS).first).to_be_visible(timeout=30_000)
        watched_page.wait_for_load_state("networkidle")


def test_the_report_opens_from_its_file_without_a_network(demo_environment, run_sigma: Callable, watched_page):
    done = run_sigma("report", "run", "daily_risk", "--book", "long_short", "--json", environment=demo_environment)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert Path(made["html"]).stat().st_size < 4_500_000
    watched_page.goto(Path(made["html"]).as_uri())
    expect(watched_page.locator("canvas").first).to_be_visible(timeout=15_000)
    assert watched_page.locator(".plot").count() >= 6
    assert re.search("long_short", watched_page.title())

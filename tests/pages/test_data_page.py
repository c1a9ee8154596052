"""The data page in real Chromium: on the sample, and on what was fetched from a vendor, with holes in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from playwright.sync_api import Locator, Page, expect

from sigmalib.desk.world import open_world
from tests.commands import CLEAN, Environment, RunSigma
from tests.data.bars import daily
from tests.pages.servers import Server, serving
from tests.polygon import KEY, polygon_server
from tests.vendors import Asked, Reply, Vendor
from tests.vendors import serving as vendor_at

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TABS = {"Coverage": "canvas", "Freshness": ".tabulator-row", "Findings": ".tabulator-row", "Sources": ".sigma-table"}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SPAN = ("--start", "2024-01-02", "--end", "2024-06-28")
HOSTILE = "<IMG SRC=X ONERROR=WINDOW.HACKED=1>"  # a symbol, which is in capitals


@pytest.fixture(scope="module")
def server(demo_environment: Environment) -> Iterator[Server]:
    with serving(demo_environment) as running:
        yield running


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory, run_sigma: RunSigma) -> Iterator[Server]:
    """A workspace on Polygon: a sound symbol, one with a gap and an impossible row; since then the key is refused.

    From Yahoo it has a symbol whose name is markup.
    """
    folder = tmp_path_factory.mktemp("fetched")
    book = folder / "book.csv"
    book.write_text("ticker,quantity,entry_price,entry_date\nCASH,100,1,2024-06-03\nMSFT,5,60,2024-06-03\n")
    fast = {"SIGMA_POLYGON_PER_MINUTE": "60000", "SIGMA_POLYGON_BURST": "100", "SIGMA_POLYGON_KEY": KEY}
    with vendor_at(spoiled(polygon_server())) as vendor:
        at = {"SIGMA_SOURCE": "polygon", "SIGMA_POLYGON_BASE": vendor.base, "SIGMA_HOME": str(folder / "sigma")}
        environment = {**CLEAN, **at, **fast}
        for command in (("init",), ("book", "import", book, "--book", "mine"), ("data", "fetch", "AAPL", *SPAN),
                        ("data", "fetch", "MSFT", "SPY", "US3M", *SPAN)):  # fmt: skip
            done = run_sigma(*command, environment=environment)
            assert done.returncode == 0, done.stderr
        vendor.faults = [Reply({"status": "ERROR", "error": "no"}, status=401)] * 9
        assert run_sigma("data", "fetch", "TSLA", *SPAN, environment=environment).returncode == 1
    keep_hostile(environment)
    with serving(environment) as running:
        yield running


def keep_hostile(environment: Environment) -> None:
    world = open_world(environment)
    bars = daily({HOSTILE: [10.0, 10.0, 90.0, *[10.0 + day for day in range(9)]]}, "2024-01-02")
    bad = daily({HOSTILE: [-1.0]}, "2024-01-20").assign(reason=HOSTILE)
    asked = {HOSTILE: [(date(2024, 1, 2), date(2024, 1, 31))]}
    world.cache.shelf("yahoo", "1d", "").commit(bars, bad, asked, fetch_id="0" * 12, at=datetime.now(UTC))
    world.store.close()


def spoiled(vendor: Vendor) -> Vendor:
    """``vendor``, which lacks three sessions of MSFT and gives one at a price below zero."""
    answer = vendor.answer

    def spoils(asked: Asked) -> Reply:
        reply = answer(asked)
        if "/v2/aggs/ticker/MSFT/" not in asked.path:
            return reply
        body = json.loads(reply.body)
        body["results"][-8:-5] = []
        body["results"][-3]["c"] = -1
        return replace(reply, body=json.dumps(body).encode())

    vendor.answer = spoils
    return vendor


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_text("Sessions present").first).to_be_visible(timeout=30_000)
    return page


@pytest.mark.parametrize("theme", ["default", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_tab_is_drawn_without_errors_or_overflow(
    fetched: Server, watched_page: Page, width: int, theme: str
) -> None:
    watched_page.set_viewport_size({"width": width, "height": 900})
    opened(watched_page, f"{fetched.address}/data?theme={theme}")
    for tab, content in TABS.items():
        watched_page.get_by_role("tab", name=tab).click()
        expect(watched_page.locator(content).first).to_be_visible(timeout=15_000)
        assert watched_page.evaluate(OVERFLOW) <= 0


def test_the_sample_is_covered_although_nothing_was_fetched(server: Server, watched_page: Page) -> None:
    opened(watched_page, f"{server.address}/data")
    expect(watched_page.get_by_text("100.0 %").first).to_be_visible()
    expect(watched_page.locator("canvas").first).to_be_visible(timeout=15_000)
    expect(watched_page.get_by_text("No bar in this range: FB (last 2013-03-01)")).to_be_visible()
    watched_page.get_by_role("tab", name="Sources").click()
    expect(watched_page.get_by_text("Nothing was fetched yet").first).to_be_visible(timeout=10_000)
    expect(watched_page.get_by_text("sample (in use)")).to_be_visible()


def test_another_range_changes_the_findings_and_the_address(server: Server, watched_page: Page) -> None:
    opened(watched_page, f"{server.address}/data")
    watched_page.get_by_role("tab", name="Findings").click()
    expect(watched_page.get_by_text("No finding from 2021-12-27 to 2022-12-28.")).to_be_visible(timeout=10_000)
    watched_page.get_by_role("combobox").nth(1).click()
    watched_page.get_by_role("menuitem", name="All").click()
    expect(watched_page.locator(".tabulator-row").first).to_be_visible(timeout=20_000)
    assert "range=All" in watched_page.url
    watched_page.get_by_role("combobox").nth(2).click()
    watched_page.get_by_role("menuitem", name="stale").click()
    expect(watched_page.locator(".tabulator-row", has_text="outlier")).to_have_count(0, timeout=10_000)
    expect(watched_page.locator(".tabulator-row", has_text="closed at").first).to_be_visible()


def test_what_ails_is_told_in_words_and_the_key_nowhere(fetched: Server, watched_page: Page) -> None:
    opened(watched_page, f"{fetched.address}/data")
    expect(watched_page.get_by_text("The polygon source is disabled since").first).to_be_visible()
    watched_page.get_by_role("tab", name="Findings").click()
    expect(watched_page.locator(".tabulator-row", has_text="MSFT has a gap: 3 sessions").first).to_be_visible()
    expect(watched_page.get_by_text("close -1 is no price").first).to_be_visible()
    watched_page.get_by_role("tab", name="Sources").click()
    expect(watched_page.get_by_text("Last errors")).to_be_visible(timeout=10_000)
    assert KEY not in watched_page.content()


def test_the_hover_of_the_heat_map_says_symbol_month_and_share(fetched: Server, watched_page: Page) -> None:
    opened(watched_page, f"{fetched.address}/data")
    tip = hover(watched_page)
    expect(tip).to_contain_text("MSFT", timeout=5_000)
    expect(tip).to_contain_text("2024-06")
    expect(tip).to_contain_text("78.9 %")  # 15 of 19 sessions


def test_the_portfolio_page_tells_the_doubts_and_both_pages_lead_to_each_other(
    fetched: Server, watched_page: Page
) -> None:
    watched_page.goto(f"{fetched.address}/portfolio")
    doubt = "Prices are missing inside the last 60 sessions: MSFT 4."
    expect(watched_page.get_by_text(doubt)).to_be_visible(timeout=30_000)
    expect(watched_page.get_by_text("cannot be true and are kept apart: MSFT 1.")).to_be_visible()
    expect(watched_page.get_by_text("The polygon source is disabled since")).to_be_visible()
    watched_page.wait_for_load_state("networkidle")
    watched_page.get_by_role("link", name="See the data.").click()
    expect(watched_page.get_by_text("Sessions present").first).to_be_visible(timeout=30_000)
    watched_page.wait_for_load_state("networkidle")
    watched_page.get_by_role("link", name="Portfolio").click()
    expect(watched_page.get_by_text(doubt)).to_be_visible(timeout=30_000)
    watched_page.wait_for_load_state("networkidle")


def test_markup_in_a_symbol_is_shown_and_not_run(fetched: Server, watched_page: Page) -> None:
    opened(watched_page, f"{fetched.address}/data?source=yahoo")
    for tab, content in TABS.items():
        watched_page.get_by_role("tab", name=tab).click()
        expect(watched_page.locator(content).first).to_be_visible(timeout=15_000)
    watched_page.get_by_role("tab", name="Findings").click()
    expect(watched_page.locator(".tabulator-cell").filter(has_text=HOSTILE).first).to_be_visible()
    watched_page.get_by_role("tab", name="Coverage").click()
    expect(hover(watched_page)).to_contain_text(HOSTILE, timeout=5_000)
    assert watched_page.evaluate("window.HACKED ?? window.hacked ?? null") is None


def test_a_source_that_is_not_there_is_shown_as_text_and_not_run(server: Server, watched_page: Page) -> None:
    watched_page.goto(f"{server.address}/data?source=%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E")
    expect(watched_page.get_by_text("there is no source '<img src=x").first).to_be_visible(timeout=30_000)
    assert watched_page.evaluate("window.hacked ?? null") is None


def test_a_source_of_which_nothing_was_fetched_says_what_to_run(server: Server, watched_page: Page) -> None:
    watched_page.goto(f"{server.address}/data?source=yahoo")
    expect(watched_page.get_by_text("sigma data fetch SYMBOL --source yahoo").first).to_be_visible(timeout=30_000)


def hover(page: Page) -> Locator:
    """What the heat map says of the last month of the symbol on top."""
    figure = page.locator(".bk-Figure").first
    expect(figure).to_be_visible(timeout=15_000)
    box = figure.bounding_box()
    assert box is not None
    for across in (0.90, 0.91):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + 100)
    return page.locator(".bk-Tooltip").first

"""The risk page in real Chromium, served as users serve it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.commands import CLEAN
from tests.pages.servers import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CARDS = "VaR 95 %, 1d"
SHOWN = {  # by tab, a text that it has, and how many pictures
    "Factors": ("Ex-ante tracking error against SPX", 3),
    "Tail": ("Did value at risk hold?", 2),
    "Stress": ("standard deviations away", 2),
    "Greeks": ("Delta-adjusted exposure netted by underlying", 1),
    "Correlation": ("independent bets", 1),
    "Volatility": ("no option quotes of 2022-12-28", 0),
    "Conventions": ("How the numbers here are defined", 0),
}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HOSTILE = "<img src=x onerror=window.hacked=1>"
ROWS = ("CASH,10000,1,2022-01-03", "AAPL,100,150,2022-03-01", "MSFT,50,250,2022-03-01", "NOSUCH,5,10,2022-03-01")


@pytest.fixture(scope="module")
def server(demo_environment) -> Iterator[Server]:
    with serving(demo_environment) as running:
        yield running


@pytest.fixture(scope="module")
def odd_server(tmp_path_factory, run_sigma: Callable) -> Iterator[Server]:
    """A workspace with a book that has a name without prices, no snapshots, and markup as its free text."""
    folder = tmp_path_factory.mktemp("odd")
    environment = {**CLEAN, "SIGMA_HOME": str(folder / "sigma")}
    positions = folder / "positions.csv"
    lines = ("ticker,quantity,entry_price,entry_date,tags,strategy", *(f"{row},{HOSTILE},{HOSTILE}" for row in ROWS))
    positions.write_text("\n".join(lines) + "\n")
    for command in (("init",), ("book", "import", positions, "--book", "odd")):
        done = run_sigma(*command, environment=environment)
        assert done.returncode == 0, done.stderr
    with serving(environment) as running:
        yield running


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_text(CARDS).first).to_be_visible(timeout=60_000)
    return page


@pytest.mark.parametrize("theme", ["default", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_tab_is_drawn_without_errors_or_overflow(server, watched_page, width, theme):
    watched_page.set_viewport_size({"width": width, "height": 900})
    opened(watched_page, f"{server.address}/risk?book=long_short&theme={theme}")
    for tab, (text, pictures) in SHOWN.items():
        watched_page.get_by_role("tab", name=tab).click()
        expect(watched_page.get_by_text(text).first).to_be_visible(timeout=60_000)
        expect(watched_page.locator(".bk-Figure:visible")).to_have_count(pictures, timeout=15_000)
        assert watched_page.evaluate(OVERFLOW) <= 0
        assert watched_page.get_by_role("alert").count() == 0


def test_what_is_chosen_stands_in_the_address_and_opens_from_it(server, watched_page):
    opened(watched_page, f"{server.address}/risk?book=balanced&tab=Correlation")
    expect(watched_page.get_by_text("independent bets").first).to_be_visible(timeout=15_000)
    watched_page.get_by_role("tab", name="Greeks").click()
    watched_page.wait_for_url("**tab=*Greeks*", timeout=10_000)
    watched_page.get_by_role("combobox").first.click()
    watched_page.get_by_role("menuitem", name="high_net_worth").click()
    watched_page.wait_for_url("**book=*high_net_worth*", timeout=20_000)


@pytest.mark.parametrize("bad", ["tab=Nope", "as_of=junk"])
def test_one_bad_value_in_the_address_leaves_the_book_asked_for(server, watched_page, bad):
    opened(watched_page, f"{server.address}/risk?book=long_short")
    value = watched_page.locator(".sigma-card .value").first.inner_text()
    opened(watched_page, f"{server.address}/risk?book=long_short&{bad}")
    assert watched_page.locator(".sigma-card .value").first.inner_text() == value
    expect(watched_page.get_by_text("which is not there").first).to_contain_text(bad, timeout=10_000)
    assert "book=long_short" in watched_page.url


def test_two_books_open_as_one_and_the_links_keep_them(server, watched_page):
    opened(watched_page, f"{server.address}/risk?book=balanced%2Blong_short&as_of=2022-12-20")
    expect(watched_page.get_by_role("combobox").first).to_contain_text("balanced+long_short")
    for name in ("Data", "Portfolio"):
        watched_page.locator(".sigma-pages a").filter(has_text=name).click()
        watched_page.wait_for_url(f"**/{name.lower()}?book=balanced%2Blong_short&as_of=2022-12-20*", timeout=30_000)
    expect(watched_page.get_by_role("combobox").first).to_contain_text("balanced+long_short", timeout=30_000)


def test_greeks_are_summed_as_chosen(server, watched_page):
    opened(watched_page, f"{server.address}/risk?book=long_short&tab=Greeks")
    watched_page.get_by_role("button", name="Expiry").click()
    expect(watched_page.get_by_text("2023-03-17").first).to_be_visible(timeout=10_000)
    watched_page.get_by_role("button", name="Strategy").click()
    expect(watched_page.get_by_text("index_put_spread").first).to_be_visible(timeout=10_000)


def test_missing_prices_and_snapshots_are_told(odd_server, watched_page):
    opened(watched_page, f"{odd_server.address}/risk?book=odd")
    expect(watched_page.get_by_text("NOSUCH").first).to_be_visible()
    watched_page.get_by_role("tab", name="Tail").click()
    expect(watched_page.get_by_text("No backtest: ").first).to_be_visible(timeout=15_000)


def test_markup_in_a_book_is_shown_and_not_run(odd_server, watched_page):
    opened(watched_page, f"{odd_server.address}/risk?book=odd&tab=Greeks")
    for key in ("Strategy", "Tag"):
        watched_page.get_by_role("button", name=key).click()
        expect(watched_page.locator("td").filter(has_text=HOSTILE).first).to_be_visible(timeout=10_000)
    for tab in SHOWN:
        watched_page.get_by_role("tab", name=tab).click()
        watched_page.wait_for_timeout(700)
        for canvas in watched_page.locator(".bk-Figure:visible").all():
            canvas.hover()
    assert watched_page.evaluate("window.hacked") is None


def test_a_warm_page_is_there_within_seconds(server, watched_page):
    opened(watched_page, f"{server.address}/risk?book=long_short")
    began = time.monotonic()
    opened(watched_page, f"{server.address}/risk?book=long_short")
    assert time.monotonic() - began < 10, "2.5 seconds on a quiet machine"

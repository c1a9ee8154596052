"""Market data at the desk: fetched, looked at, and read, in a world of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sigmalib.core.errors import DataUnavailable, InputError
from sigmalib.core.times import sessions
from sigmalib.desk.book import import_book, open_book
from sigmalib.desk.dataquality import check_data
from sigmalib.desk.marketdata import (
    bars,
    closes,
    data_status,
    factor_returns,
    fetch_books,
    fetch_data,
    fetches,
    needs,
    short_interest,
    sources,
)
from sigmalib.desk.nightly import evening, snapshot
from sigmalib.desk.world import PROXIES, World, known_variables, open_world, read_settings
from tests.vendors import Asked, Reply, Vendor, serving
from tests.worlds import book_file, new_workspace, world_in
from tests.yahoo import walk, yahoo_server

START, END = "2022-11-01", "2022-12-28"
DAYS = sessions("2021-06-01", "2024-06-28")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as made:
        yield made


@pytest.fixture
def yahoo() -> Iterator[Vendor]:
    prices = {name: walk(DAYS, 100.0, seed=at) for at, name in enumerate(("MSFT", "SPY", "^IRX", "^VIX"))}
    prices["AAPL"] = walk(DAYS, 200.0, seed=9, splits={"2024-03-05": 2.0}, dividends={"2024-05-10": 0.25})
    with serving(yahoo_server(prices)) as vendor:
        yield vendor


@pytest.fixture
def live(tmp_path: Path, yahoo: Vendor) -> Iterator[World]:
    """A world whose source is Yahoo, spoken by a server on this machine."""
    home = new_workspace(tmp_path / "sigma")
    environment = {"SIGMA_HOME": str(home), "SIGMA_SOURCE": "yahoo", "SIGMA_YAHOO_BASE": yahoo.base}
    made = open_world({**environment, "SIGMA_YAHOO_PER_MINUTE": "6000", "SIGMA_YAHOO_BURST": "50"}, create=True)
    yield made
    made.store.close()


def test_what_was_fetched_can_be_read_looked_at_and_checked(world: World) -> None:
    done = fetch_data(["AAPL", "MSFT"], source="sample", start=START, end=END, world=world)
    assert (done.rows, done.state) == (80, "done")
    panel = closes(["MSFT", "AAPL"], start=START, end=END, source="sample", world=world)
    assert list(panel.columns) == ["MSFT", "AAPL"]
    assert panel.shape == (40, 2)
    one = bars("aapl", start=START, end=END, source="sample", world=world)
    pd.testing.assert_series_equal(one["close"], panel["AAPL"], check_names=False)
    status = data_status(world)
    assert status[["source", "symbol", "bars"]].to_numpy().tolist() == [["sample", "AAPL", 40], ["sample", "MSFT", 40]]
    newest = fetches(world).iloc[0]
    assert (newest["fetch_id"], newest["rows"], newest["state"]) == (done.fetch_id, 80, "done")


def test_a_check_says_how_complete_the_data_is_and_what_is_doubtful(world: World) -> None:
    checked = check_data(["AAPL", "GOOG"], start="2012-01-03", end="2013-03-01", world=world)
    assert checked.share == 1.0
    assert checked.coverage["missing"].tolist() == [0, 0]
    assert checked.by_month.loc["AAPL", "2012-05"] == 1.0
    assert set(checked.to_dict()) == {
        "source",
        "start",
        "end",
        "share",
        "findings",
        "coverage",
        "quarantined",
        "revised",
        "damaged",
    }


def test_a_check_of_what_was_never_fetched_says_what_to_run(world: World) -> None:
    with pytest.raises(InputError, match="sigma data fetch TSLA --source yahoo"):
        check_data(["TSLA"], source="yahoo", world=world)
    with pytest.raises(InputError, match="swap them"):
        check_data(["AAPL"], start=END, end=START, world=world)


def test_the_sources_are_listed_with_what_they_lack(world: World) -> None:
    found = sources(world).set_index("source")
    assert found.loc["sample", "in_use"]
    assert found.loc["polygon", ["status", "reason"]].tolist() == ["disabled", "set SIGMA_POLYGON_KEY"]
    assert found.loc["yahoo", "status"] == "ok"


def test_a_vendor_in_trouble_is_degraded_until_it_answers(live: World, yahoo: Vendor) -> None:
    yahoo.faults = [Reply({}, status=500)] * 4
    vendor, manners = live.vendor()
    assert manners is not None
    manners._sleep = lambda _: None
    with pytest.raises(DataUnavailable, match="500"):
        vendor.bars(["AAPL"], pd.Timestamp(START).date(), pd.Timestamp(END).date())
    row = sources(live).set_index("source").loc["yahoo"]
    assert (row["status"], "500" in row["reason"], row["since"].tzinfo) == ("degraded", True, UTC)
    fetch_data(["AAPL"], start="2024-01-02", end="2024-01-31", world=live)
    assert sources(live).set_index("source").loc["yahoo", "status"] == "ok"


def test_a_book_needs_its_underlyings_the_benchmark_rates_and_exchange_rates(live: World, tmp_path: Path) -> None:
    rows = ("AAPL240621C00200000,1,5,2024-01-10,,", "MSFT,-20,100,2024-02-01,,", "CASH.EUR,5,1,2024-01-10,,")
    import_book(book_file(tmp_path, *rows), name="mine", world=live)
    wanted = needs(["mine"], live)
    assert set(wanted.bars) - set(PROXIES) == {"AAPL", "EURUSD=X", "MSFT", "^IRX", "^VIX"}
    assert (wanted.profiles, wanted.chains) == (("AAPL", "MSFT", "SPY"), ("AAPL",))
    assert wanted.shorts == ("AAPL", "MSFT")
    assert wanted.start < pd.Timestamp("2021-10-01").date()


def test_a_book_needs_the_factor_proxies_that_the_source_can_be_asked_for(live: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, "AAPL,100,200,2024-01-10,,"), name="mine", world=live)
    assert set(PROXIES) <= set(needs(["mine"], live).bars)
    listed = set(PROXIES) & set(needs(["mine"], live, source="sample").bars)
    assert listed == {"MTUM", "QUAL", "SIZE", "USMV", "VLUE"}
    assert set(PROXIES).isdisjoint(needs(["mine"], live, source="crypto").bars)


def test_factor_proxies_are_fetched_with_a_book_and_what_lacks_adds_no_gap_to_it(live: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, "AAPL,100,200,2024-01-10,,"), name="mine", world=live)
    done = fetch_books(["mine"], world=live)
    assert {"VTV", "MTUM"} <= set(done.missing["symbol"])  # the vendor of this test has SPY alone
    market = open_book("mine", world=live).market
    assert list(market.closes.columns) == ["AAPL", "SPY"]
    assert set(market.missing["symbol"]) <= {"AAPL", "SPY", "USD"}


def test_short_interest_is_fetched_with_a_book_and_asked_again_when_a_newer_one_may_be_out(
    live: World, yahoo: Vendor, tmp_path: Path
) -> None:
    settled = pd.Timestamp(live.now()).tz_localize(None).normalize() - pd.Timedelta(days=20)
    figures = {"shortPercentOfFloat": 0.02, "dateShortInterest": int(settled.timestamp())}
    answer = yahoo.answer

    def with_figures(asked: Asked) -> Reply:
        reply = answer(asked)
        if "quoteSummary/AAPL" in asked.path:
            reply.body["quoteSummary"]["result"][0]["defaultKeyStatistics"] = figures
        return reply

    yahoo.answer = with_figures
    import_book(book_file(tmp_path, "AAPL,100,200,2024-01-10,,"), name="mine", world=live)
    assert "short_interest" not in set(fetch_books(["mine"], world=live).missing["what"])
    found = short_interest(["AAPL", "MSFT"], world=live)
    assert found.frame["percent_of_float"].to_dict() == {"AAPL": 0.02}
    assert found.missing[["symbol", "what"]].to_numpy().tolist() == [["MSFT", "short_interest"]]
    assert short_interest(["AAPL"], as_of=settled, world=live).missing["reason"][0].startswith("none of AAPL was publ")
    assert short_interest(["AAPL"], known_at="2020-01-01T00:00+00:00", world=live).frame.empty
    asked = len(yahoo.asked)
    fetch_books(["mine"], world=live)
    assert not [each for each in yahoo.asked[asked:] if "quoteSummary/AAPL" in each.path]


def test_the_market_of_a_book_tells_what_is_missing_of_short_interest_only_when_asked(
    world: World, tmp_path: Path
) -> None:
    import_book(book_file(tmp_path, "AAPL,100,150,2022-08-15,,"), name="mine", world=world)
    positions, day = world.store.positions("mine"), world.as_of()
    assert world.market(positions, day).missing.empty
    told = world.market(positions, day, short_interest=True).missing
    assert told[["symbol", "what"]].to_numpy().tolist() == [["AAPL", "short_interest"], ["SPX", "short_interest"]]
    assert short_interest(["aapl"], world=world).missing["reason"].str.contains("sample data has no").all()


def test_short_interest_of_the_firms_own_file_reaches_a_book_on_the_day_it_was_published(tmp_path: Path) -> None:
    folder, days = tmp_path / "prices", sessions("2021-10-01", "2024-06-28")
    folder.mkdir()
    closes = pd.DataFrame({name: walk(days, 100.0, seed=at)["close"] for at, name in enumerate(("ABC", "SPY", "VTV"))})
    closes.to_csv(folder / "closes.csv", index_label="date")
    counts = "settled,symbol,percent_of_float,days_to_cover\n2024-02-29,ABC,0.03,2\n2024-03-15,ABC,0.04,3\n"
    (folder / "short_interest.csv").write_text(counts)
    variables = {"SIGMA_SOURCE": "files", "SIGMA_FILES_PATH": str(folder)}
    made = open_world({"SIGMA_HOME": str(new_workspace(tmp_path / "sigma")), **variables})
    import_book(book_file(tmp_path, "ABC,100,90,2024-01-10,,"), name="mine", world=made)
    wanted = needs(["mine"], made)
    assert (wanted.bars, wanted.shorts) == (("ABC", "SPY", "VTV"), ("ABC",))
    done = fetch_books(["mine"], start="2021-10-01", end="2024-06-28", world=made)
    assert "short_interest" not in set(done.missing["what"])
    for day, share in {"2024-03-11": None, "2024-03-12": 0.03, "2024-03-26": 0.03, "2024-03-27": 0.04}.items():
        market = open_book("mine", as_of=day, world=made).market
        assert market.short_interest["percent_of_float"].get("ABC") == share
        assert market.returns["VTV"].notna().all()
    made.store.close()


def test_factor_returns_ship_or_are_a_file_of_the_firms(world: World, tmp_path: Path) -> None:
    found = factor_returns("fama_french_3", start="2008-01-01", end="2008-12-31", world=world)
    assert found.shape == (12, 4)
    assert found["mkt_rf"].min() == pytest.approx(-0.1723)
    (tmp_path / "factors.csv").write_text("date,mkt\n2024-03-01,0.01\n2024-03-04,-0.02\n")
    variables = {"SIGMA_HOME": str(world.settings.home), "SIGMA_FILES_PATH": str(tmp_path)}
    made = open_world(variables)
    assert factor_returns("files", end="2024-03-01", world=made)["mkt"].to_list() == [0.01]
    with pytest.raises(DataUnavailable, match="files has no returns from 2025-01-01 to 2025-12-31; it has 2024-03-01"):
        factor_returns("files", start="2025-01-01", end="2025-12-31", world=made)
    with pytest.raises(InputError, match="there are fama_french_3 and files"):
        factor_returns("momentum", world=made)
    made.store.close()


def test_a_book_of_a_live_source_is_seen_in_todays_shares(live: World, tmp_path: Path) -> None:
    entered = ("AAPL,100,200,2024-01-10,,", "AAPL240920C00200000,1,12,2024-01-10,,", "CASH,1000,1,2024-01-10,,")
    imported = import_book(book_file(tmp_path, *entered), name="mine", world=live)
    assert (imported.unpriced, imported.remedy) == (("AAPL",), "run `sigma data fetch --book mine`")
    with pytest.raises(DataUnavailable, match="sigma data fetch SPY"):
        open_book("mine", world=live)
    done = fetch_books(["mine"], world=live)
    assert done.requests > 4
    before, after = (open_book("mine", as_of=day, world=live) for day in ("2024-03-04", "2024-03-05"))
    assert before.positions["quantity"].tolist() == [100, 1, 1000]
    assert after.positions["quantity"].tolist() == [200, 2, 1000]
    assert after.positions["symbol"].tolist() == ["AAPL", "AAPL240920C00100000", "CASH"]
    assert any("split of AAPL on 2024-03-05" in note for note in after.report.notes)
    assert abs(after.report.valuation.nav / before.report.valuation.nav - 1) < 0.15
    assert abs(after.report.valuation.pnl_day) < 0.15 * before.report.valuation.nav
    assert after.report.holdings["delta_adjusted_exposure"].notna().all()


def test_a_book_can_be_seen_as_it_was_known(live: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, "AAPL,100,200,2024-01-10,,", "CASH,1000,1,2024-01-10,,"), name="mine", world=live)
    fetch_books(world=live)
    now = datetime.now(UTC)
    seen = open_book("mine", known_at=now, world=live)
    assert seen.market.fingerprint == open_book("mine", world=live).market.fingerprint
    assert seen.market.known_at == now
    with pytest.raises(DataUnavailable):
        open_book("mine", known_at=datetime(2020, 1, 1, tzinfo=UTC), world=live)


def test_the_sample_source_has_no_past_knowledge(world: World) -> None:
    with pytest.raises(InputError, match="leave known_at out"):
        world.then(datetime(2020, 1, 1, tzinfo=UTC))


def test_the_evening_fetches_and_keeps_a_snapshot_of_each_book(live: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, "AAPL,100,200,2024-01-10,,", "CASH,1000,1,2024-01-10,,"), name="mine", world=live)
    told = list(evening(world=live))
    assert told[0].startswith("market data: done, ")
    assert told[1] == "mine: 1 new, 0 unchanged, 0 revised"
    assert list(evening(world=live))[1] == "mine: 0 new, 1 unchanged, 0 revised"


def test_the_evening_of_the_sample_has_nothing_to_fetch(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no books yet"):
        list(evening(world=world))
    import_book(book_file(tmp_path, "AAPL,100,150,2022-08-15,,"), name="mine", world=world)
    assert "nothing to fetch" in next(iter(evening(world=world)))


def test_settings_come_from_the_environment_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('# mine\nSIGMA_SOURCE=yahoo\nexport SIGMA_BENCHMARK="qqq"\n\nOTHER=1\n')
    given = {"SIGMA_PROJECT": str(tmp_path)}
    assert (read_settings(given).source, read_settings(given).benchmark) == ("yahoo", "QQQ")
    assert read_settings({**given, "SIGMA_SOURCE": "sample"}).source == "sample"
    assert "OTHER" not in read_settings(given).options


def test_a_bad_line_of_the_file_is_named_without_what_it_says(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SIGMA_SOURCE=yahoo\ns3cret\n")
    with pytest.raises(InputError, match="line 2: write it as NAME=value") as caught:
        read_settings({"SIGMA_PROJECT": str(tmp_path)})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SIGMA_YAHOO_BAES": "x"}, "try SIGMA_YAHOO_BASE"),
        ({"SIGMA_YAHOO_PER_MINUTE": "many"}, "write a number above zero"),
    ],
)
def test_a_misspelt_option_of_a_source_is_refused(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    made = open_world({"SIGMA_HOME": str(new_workspace(tmp_path / "sigma")), **variables})
    with pytest.raises(InputError, match=says):
        made.vendor("yahoo")
    made.store.close()


def test_keys_are_in_no_repr(tmp_path: Path) -> None:
    made = open_world({"SIGMA_HOME": str(new_workspace(tmp_path / "sigma")), "SIGMA_POLYGON_KEY": "s3cret"})
    vendor, manners = made.vendor("polygon")
    assert "s3cret" not in f"{made!r}{vendor!r}{manners!r}{made.settings!r}"
    made.store.close()


def test_every_variable_of_every_source_is_known() -> None:
    names = known_variables()
    assert {
        "SIGMA_POLYGON_KEY",
        "SIGMA_POLYGON_BASE",
        "SIGMA_YAHOO_BASE",
        "SIGMA_CRYPTO_EXCHANGE",
        "SIGMA_BARS",
    } <= set(names)
    assert set(known_variables("files")) == {"SIGMA_FILES_PATH"}


def test_missed_evenings_are_made_up_for(live: World, tmp_path: Path) -> None:
    import_book(book_file(tmp_path, "AAPL,100,200,2024-01-10,,", "CASH,1000,1,2024-01-10,,"), name="mine", world=live)
    fetch_books(["mine"], world=live)
    snapshot("mine", start="2024-06-24", end="2024-06-24", world=live)
    assert list(evening(world=live))[1] == "mine: 4 new, 0 unchanged, 0 revised"


def test_an_evening_without_the_vendor_keeps_its_snapshots_and_fails(
    live: World, yahoo: Vendor, tmp_path: Path
) -> None:
    import_book(book_file(tmp_path, "AAPL,100,200,2024-01-10,,", "CASH,1000,1,2024-01-10,,"), name="mine", world=live)
    fetch_books(["mine"], world=live)
    yahoo.faults = [Reply({}, status=401)] * 200
    told = []
    with pytest.raises(DataUnavailable, match="the source failed"):
        told += [sentence for sentence in evening(world=live) if not told.append(sentence)]
    assert told[0].startswith("market data: failed")
    assert told[1] == "mine: 1 new, 0 unchanged, 0 revised"


@pytest.mark.slow
def test_a_range_of_snapshots_says_what_each_day_says(live: World, tmp_path: Path) -> None:
    rows = ("AAPL,100,200,2024-01-10,,", "AAPL240920C00200000,1,12,2024-01-10,,", "CASH,1000,1,2024-01-10,,")
    import_book(book_file(tmp_path, *rows), name="mine", world=live)
    fetch_books(["mine"], world=live)
    days = ("2024-03-04", "2024-03-05", "2024-03-15", "2024-03-22")
    for day in days:
        snapshot("mine", start=day, end=day, world=live)
    counts = snapshot("mine", start=days[0], end=days[-1], world=live)
    assert (counts.unchanged, counts.revised) == (4, 0)


def test_a_fetch_that_is_interrupted_is_in_the_journal(live: World) -> None:
    def interrupted(tasks: Iterable[Any], _: int) -> Iterable[Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_data(["AAPL"], start="2024-03-04", end="2024-03-08", world=live, progress=interrupted)
    assert fetches(live)["state"].tolist() == ["interrupted"]


def test_an_answer_that_cannot_be_read_degrades_the_source(live: World, yahoo: Vendor) -> None:
    yahoo.faults = [Reply({"chart": {"result": [{"other": 1}]}})] * 4
    assert fetch_data(["AAPL"], start="2024-03-04", end="2024-03-08", world=live).state == "failed"
    assert sources(live).set_index("source").loc["yahoo", "status"] == "degraded"


@pytest.mark.parametrize("known_at", ["2026-11-21", "yesterday", datetime(2026, 11, 21)])
def test_an_instant_without_a_time_zone_is_refused(world: World, known_at: object) -> None:
    with pytest.raises(InputError, match="no instant with a time zone"):
        closes(["AAPL"], start=START, end=END, known_at=known_at, world=world)  # type: ignore[arg-type]


def test_rows_that_are_all_quarantined_can_be_looked_at(tmp_path: Path) -> None:
    prices = {"MSFT": walk(DAYS, 100.0), "SPY": walk(DAYS, 100.0)}
    prices["MSFT"][["open", "high", "low", "close"]] *= -1
    home = new_workspace(tmp_path / "sigma")
    with serving(yahoo_server(prices)) as vendor:
        made = open_world({"SIGMA_HOME": str(home), "SIGMA_SOURCE": "yahoo", "SIGMA_YAHOO_BASE": vendor.base})
        done = fetch_data(["MSFT"], start="2024-03-04", end="2024-03-08", world=made)
    assert (done.rows, done.quarantined) == (0, 5)
    checked = check_data(["MSFT"], source="yahoo", world=made)
    assert (len(checked.quarantined), set(checked.findings["severity"])) == (5, {"bad"})
    made.store.close()


def test_minutes_of_files_are_asked_for_up_to_their_last_day(tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    (folder / "minutes.csv").write_text("time,symbol,close\n2024-03-01T10:00:00-05:00,ABC,10\n")
    home = new_workspace(tmp_path / "sigma")
    made = open_world({"SIGMA_HOME": str(home), "SIGMA_SOURCE": "files", "SIGMA_FILES_PATH": str(folder)})
    done = fetch_data(["abc"], interval="1m", world=made)
    assert (done.start.isoformat(), done.rows) == ("2024-02-23", 1)
    made.store.close()

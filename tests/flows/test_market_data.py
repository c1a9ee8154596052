"""From a vendor's server to a risk report, by the command line: fetched once, kept with its origin, read offline."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sigmalib.core.times import sessions
from sigmalib.desk.world import open_world
from tests.commands import CLEAN, SIGMA, Environment, RunSigma, strict_json
from tests.polygon import KEY, dividend, polygon_server, split
from tests.serving import polygon_process
from tests.vendors import Reply, Vendor, serving
from tests.yahoo import walk, yahoo_server

START, END = "2024-03-04", "2024-03-08"
FAST = {"SIGMA_POLYGON_PER_MINUTE": "60000", "SIGMA_POLYGON_BURST": "100", "SIGMA_POLYGON_KEY": KEY}
ORIGIN = ["known_at", "fetch_id"]
HEADER = "ticker,quantity,entry_price,entry_date\n"
SHORTS = {"AAPL": 0.01, "MSFT": 0.02, "KO": 0.06}  # fractions of the float


@pytest.fixture
def polygon() -> Iterator[Vendor]:
    splits = [split("AAPL", "2024-03-06", 4)]
    with serving(polygon_server(splits=splits, dividends=[dividend("MSFT", "2024-03-07", 0.75)])) as vendor:
        yield vendor


def environment(home: Path, base: str, **more: str) -> dict[str, str]:
    return {"SIGMA_HOME": str(home), "SIGMA_POLYGON_BASE": base, **FAST, **more}


def fetch(run_sigma: RunSigma, given: Environment, *symbols: str, **options: str) -> dict[str, Any]:
    asked = {"source": "polygon", "start": START, "end": END, **options}
    flags = [text for name, value in asked.items() for text in (f"--{name}", value)]
    done = run_sigma("data", "fetch", *symbols, *flags, "--json", environment=given)
    assert done.returncode == 0, done.stderr
    return strict_json(done.stdout)


def record(home: Path) -> pd.DataFrame:
    """Every row of the record, as any reader of Parquet sees it."""
    rows = pd.concat([pd.read_parquet(place) for place in sorted((home / "bars").rglob("*.parquet"))])
    return rows.sort_values(["symbol", "session"], ignore_index=True)


@pytest.mark.slow
def test_a_second_fetch_of_a_full_range_makes_no_request(tmp_path, run_sigma, polygon):
    given = environment(tmp_path, polygon.base)
    first = fetch(run_sigma, given, "AAPL", "MSFT")
    assert (first["rows"], first["fetched"], first["cached"], first["missing"]) == (10, 10, 0, [])
    assert first["requests"] == len(polygon.log) > 0
    second = fetch(run_sigma, given, "MSFT", "AAPL")
    assert (second["rows"], second["fetched"], second["cached"], second["requests"]) == (10, 0, 10, 0)
    assert first["requests"] == len(polygon.log)


@pytest.mark.slow
def test_minutes_are_fetched_by_the_same_command(tmp_path, run_sigma, polygon):
    done = fetch(run_sigma, environment(tmp_path, polygon.base), "AAPL", start=END, interval="1m")
    assert done["rows"] == done["fetched"] > 300
    again = fetch(run_sigma, environment(tmp_path, polygon.base), "AAPL", start=END, interval="1m")
    assert (again["cached"], again["requests"]) == (done["rows"], 0)


@pytest.mark.slow
@pytest.mark.parametrize(("status", "says"), [(401, "does not know the key"), (403, "does not allow")])
def test_a_refused_key_is_a_failure_that_names_the_setting_and_never_the_key(
    tmp_path, run_sigma, polygon, status, says
):
    polygon.faults = [Reply({"status": "ERROR", "error": "no"}, status=status)] * 50
    given = environment(tmp_path, polygon.base, SIGMA_POLYGON_KEY="s3cr3t-key")
    asked = ("data", "fetch", "AAPL", "MSFT", "--source", "polygon", "--start", START, "--end", END)
    told, plain = (run_sigma(*asked, *how, environment=given) for how in (["--json"], []))
    sources = run_sigma("data", "sources", environment=given)
    for done in (told, plain):
        assert done.returncode == 1
        assert says in done.stderr
        assert "SIGMA_POLYGON_KEY" in done.stderr
    assert {row["symbol"] for row in strict_json(told.stdout)["missing"]} == {"AAPL", "MSFT"}
    assert "disabled" in sources.stdout
    everything = "".join([told.stdout, told.stderr, plain.stdout, plain.stderr, sources.stdout, sources.stderr])
    assert "s3cr3t" not in everything
    assert not [place for place in tmp_path.rglob("*") if place.is_file() and b"s3cr3t" in place.read_bytes()]


def test_a_source_without_its_key_says_which_setting_it_needs(tmp_path, run_sigma):
    given = {"SIGMA_HOME": str(tmp_path)}
    done = run_sigma("data", "fetch", "AAPL", "--source", "polygon", environment=given)
    assert (done.returncode, "SIGMA_POLYGON_KEY" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_key_may_stand_in_a_file_beside_the_project(tmp_path, run_sigma, polygon):
    (tmp_path / ".env").write_text(f"# keys\nexport SIGMA_POLYGON_KEY='{KEY}'\n")
    given = {"SIGMA_HOME": str(tmp_path / "home"), "SIGMA_POLYGON_BASE": polygon.base, "SIGMA_PROJECT": str(tmp_path)}
    assert fetch(run_sigma, given, "AAPL")["rows"] == 5


@pytest.mark.slow
def test_an_unknown_symbol_is_listed_and_the_others_are_there(tmp_path, run_sigma):
    with serving(polygon_server(unknown=["NOPE"])) as vendor:
        done = fetch(run_sigma, environment(tmp_path, vendor.base), "AAPL", "NOPE")
    assert [(row["symbol"], row["what"]) for row in done["missing"]] == [("NOPE", "price")]
    assert done["rows"] == 5


@pytest.mark.slow
def test_a_damaged_file_is_named_and_its_range_is_fetched_again(tmp_path, run_sigma, polygon):
    given = environment(tmp_path, polygon.base)
    fetch(run_sigma, given, "AAPL")
    place = next((tmp_path / "bars").rglob("*.parquet"))
    place.write_bytes(place.read_bytes()[:-20])
    done = fetch(run_sigma, given, "AAPL")
    assert (done["rows"], done["fetched"]) == (5, 5)
    checked = run_sigma("data", "check", "--source", "polygon", "--json", environment=given)
    assert strict_json(checked.stdout)["damaged"] == [f"{place.name}.damaged"]


@pytest.mark.slow
def test_two_processes_fetching_overlapping_ranges_leave_each_bar_once(tmp_path, run_sigma):
    names = [f"S{count:02d}" for count in range(40)]
    common = ["--source", "polygon", "--start", "2024-01-02", "--end", "2024-06-28"]
    with polygon_process(delay=0.005) as base:
        alone, together = environment(tmp_path / "alone", base), environment(tmp_path / "together", base)
        assert run_sigma("data", "fetch", *names, *common, environment=alone).returncode == 0
        run_sigma("init", environment=together)
        parts = [(names[:30], [*common[:3], "2024-02-01", *common[4:]]), (names[10:], common)]
        running = [
            subprocess.Popen(
                [SIGMA, "data", "fetch", *some, *span], env={**CLEAN, **together}, stdout=subprocess.DEVNULL
            )
            for some, span in parts
        ]
        assert [process.wait(timeout=120) for process in running] == [0, 0]
        assert run_sigma("data", "fetch", *names, *common, environment=together).returncode == 0
    one, both = (record(tmp_path / name).drop(columns=ORIGIN) for name in ("alone", "together"))
    pd.testing.assert_frame_equal(one, both)
    assert not both.duplicated(["symbol", "session"]).any()


@pytest.mark.slow
def test_an_evening_with_yahoo_ends_in_a_risk_report_that_needs_no_network(tmp_path, run_sigma):
    book = tmp_path / "mine.csv"
    book.write_text(HEADER + "AAPL,100,150,2024-01-10\nMSFT,-20,400,2024-01-10\nCASH,50000,1,2024-01-10\n")
    days = sessions("2021-01-04", "2024-06-28")
    names = ("AAPL", "MSFT", "SPY", "^IRX", "^VIX")
    prices = {name: walk(days, 100.0, seed=len(name) + at) for at, name in enumerate(names)}
    with serving(yahoo_server(prices)) as vendor:
        given = {"SIGMA_HOME": str(tmp_path / "home"), "SIGMA_SOURCE": "yahoo", "SIGMA_YAHOO_BASE": vendor.base}
        given |= {"SIGMA_YAHOO_PER_MINUTE": "6000", "SIGMA_YAHOO_BURST": "50"}
        assert run_sigma("book", "import", book, "--book", "mine", environment=given).returncode == 0
        before = run_sigma("risk", "mine", environment=given)
        assert (before.returncode, "sigma data fetch" in before.stderr) == (1, True)
        evening = run_sigma("nightly", environment=given)
        assert evening.returncode == 0, evening.stderr
        assert "mine: 1 new" in evening.stdout
        asked = len(vendor.log)
    risk = run_sigma("risk", "mine", "--json", environment=given)
    assert risk.returncode == 0, risk.stderr
    told = json.loads(risk.stdout)
    assert told["source"] == "yahoo"
    assert told["scenarios"] == 500
    assert len(vendor.log) == asked
    status = strict_json(run_sigma("data", "status", "--json", environment=given).stdout)
    assert {"AAPL", "MSFT", "SPY", "^IRX", "^VIX"} <= {row["symbol"] for row in status["symbols"]}
    assert all(row["last"] == "2024-06-28" for row in status["symbols"])
    assert status["fetches"][0]["state"] == "done"


@pytest.fixture
def folder(sigma: RunSigma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A firm's folder of closes, with a rate and short interest; it is the source of ``sigma``, and has no SPY."""
    place, days = tmp_path / "prices", sessions("2021-10-01", "2024-06-28")
    place.mkdir()
    names = ("AAPL", "MSFT", "KO", "SPX", "VTV", "MTUM")
    table = pd.DataFrame({name: walk(days, 100.0, seed=at)["close"] for at, name in enumerate(names)})
    table.assign(US3M=5.25).to_csv(place / "closes.csv", index_label="date")
    (place / "columns.toml").write_text('[options]\nrate_symbol = "us3m"\nadjusted = true\n')
    shorts = "".join(f"2024-05-31,{name},{share}\n" for name, share in SHORTS.items())
    (place / "short_interest.csv").write_text(f"settled,symbol,percent_of_float\n{shorts}")
    monkeypatch.setenv("SIGMA_SOURCE", "files")
    monkeypatch.setenv("SIGMA_FILES_PATH", str(place))
    return place


def book_of(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + "\n".join([*rows, ""]))
    return path


def test_a_folder_of_files_ends_in_a_report_with_rate_beta_factors_and_short_interest(
    sigma: RunSigma, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMA_BENCHMARK", "SPX")
    rows = ("AAPL,100,90,2024-01-10", "MSFT,50,90,2024-01-10", "KO,-30,90,2024-01-10", "CASH,5000,1,2024-01-10")
    sigma("book", "import", book_of(tmp_path, *rows), "--book", "mine")
    assert sigma("data", "fetch", "--book", "mine").returncode == 0
    held = strict_json(sigma("data", "status", "--json").stdout)["symbols"]
    assert {row["symbol"] for row in held} == {"AAPL", "KO", "MSFT", "MTUM", "SPX", "US3M", "VTV"}
    told = strict_json(sigma("risk", "mine", "--json").stdout)
    assert (told["benchmark"], told["as_of"], told["scenarios"]) == ("SPX", "2024-06-28", 500)
    assert told["missing"] == []
    world = open_world()
    assert world.market(world.store.positions("mine"), world.as_of()).rates.unique().tolist() == [0.0525]
    world.store.close()
    assert math.isfinite(told["beta"])
    exposures = told["factors"]["exposures"]
    assert all(math.isfinite(exposures[name]) for name in ("market", "value", "momentum"))
    shares = pd.Series(SHORTS)
    last = pd.read_csv(folder / "closes.csv").iloc[-1][list(SHORTS)].astype(float)
    scores = (shares - shares.mean()) / shares.std(ddof=0)
    expected = (last * scores * pd.Series({"AAPL": 100, "MSFT": 50, "KO": -30})).sum()
    assert exposures["short_interest"] == pytest.approx(expected, rel=1e-9)


def test_a_folder_without_the_benchmark_says_what_it_has_and_which_setting_names_another(
    sigma: RunSigma, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sigma("book", "import", book_of(tmp_path, "AAPL,100,90,2024-01-10"), "--book", "mine")
    refused = sigma("risk", "mine")
    assert refused.returncode == 1
    assert "it has AAPL, KO, MSFT, MTUM, SPX and 2 more: set SIGMA_BENCHMARK to one that it has" in refused.stderr
    monkeypatch.setenv("SIGMA_BENCHMARK", "SPX")
    assert "it has some: run `sigma data fetch SPX`" in sigma("risk", "mine").stderr
    (folder / "closes.csv").unlink()
    assert "it has no prices yet: add those of SPX" in sigma("risk", "mine").stderr


@pytest.mark.usefixtures("folder")
def test_without_a_start_all_that_the_files_have_is_fetched(sigma: RunSigma) -> None:
    done = strict_json(sigma("data", "fetch", "us3m", "--json").stdout)
    assert (done["start"], done["rows"]) == ("2021-10-01", len(sessions("2021-10-01", "2024-06-28")))
    early = strict_json(sigma("data", "fetch", "US3M", "--end", "2021-09-15", "--json").stdout)
    assert (early["rows"], early["missing"][0]["symbol"]) == (0, "US3M")


@pytest.mark.usefixtures("folder")
def test_a_mistyped_ticker_is_asked_after(sigma: RunSigma, tmp_path: Path) -> None:
    sigma("book", "import", book_of(tmp_path, "APPL,100,90,2024-01-10"), "--book", "mine")
    assert "has APPL; did you mean AAPL?" in sigma("data", "fetch", "--book", "mine").stdout

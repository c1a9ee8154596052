"""``sigma``: every verb is one desk function; people read tables, programs ask for ``--json``.

Exit codes: 0 done, 2 bad input, 3 a report run failed, 1 anything else.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from sigmalib.core import __version__
from sigmalib.core.errors import InputError, PositionsRejected, SigmaError

if TYPE_CHECKING:
    import pandas as pd

    from sigmalib.core.times import Interval
    from sigmalib.desk.book import Book
    from sigmalib.desk.dataquality import DataCheck
    from sigmalib.desk.hindsight import Hindsight
    from sigmalib.risk.report import RiskReport

SHOWN = 10  # revised bars that are listed
SECTIONS = "headline, books, greeks, factors, benchmark, tail, stress, reverse, correlation, volatility, backtest"

NUMBER = re.compile(r"|–|[+−-]?[\d,.:T-]+( %)?")  # a cell that stands to the right: unknown, numbers, dates

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Sigma: portfolio risk, from a positions file.")  # fmt: skip
book_app = typer.Typer(no_args_is_help=True, help="Import, list and show books of positions.")
report_app = typer.Typer(no_args_is_help=True, help="Run and list report notebooks.")
data_app = typer.Typer(no_args_is_help=True, help="Fetch market data, see what there is and how good it is.")
app.add_typer(book_app, name="book")
app.add_typer(data_app, name="data")
app.add_typer(report_app, name="report")

BookName = Annotated[str, typer.Argument(metavar="BOOK", help="Name of a kept book; `sigma book list` shows them.")]
Version = Annotated[bool, typer.Option("--version", is_eager=True, help="Show the version.")]
ReportName = Annotated[str, typer.Argument(metavar="NAME", help="A notebook in reports/; see `sigma report list`.")]
Address = Annotated[str, typer.Option(help="Address to listen on; any but this machine's needs a login.")]
Origins = Annotated[
    list[str] | None, typer.Option("--origin", metavar="HOST:PORT", help="Address people type; repeatable.")
]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="Session to look from (latest known).")]
Source = Annotated[str | None, typer.Option("--source", metavar="NAME", help="See `sigma data sources` (the one set).")]
Start = Annotated[str | None, typer.Option("--start", metavar="DATE", help="First day.")]
End = Annotated[str | None, typer.Option("--end", metavar="DATE", help="Last day (the last session that is over).")]
Books = Annotated[list[str] | None, typer.Option("--book", metavar="NAME", help="All a book needs; repeatable.")]
Symbols = Annotated[list[str] | None, typer.Argument(metavar="SYMBOL...", help="Such as AAPL, BRK.B, BTC/USD.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table.")]


def main() -> None:
    """Run the command line and turn Sigma's errors into a message and an exit code."""
    logging.getLogger("sigmalib").addHandler(logging.NullHandler())  # what went wrong is told below, once
    try:
        app()
    except SigmaError as error:
        told = error.told() if isinstance(error, PositionsRejected) else error
        typer.secho(f"sigma: {told}", err=True, fg="red")
        sys.exit(error.exit_code)


@app.callback(invoke_without_command=True)
def _options(version: Version = False) -> None:
    if version:
        print(f"sigma {__version__}")
        raise typer.Exit


@app.command()
def init() -> None:
    """Make the workspace and its database; changes nothing when they are there."""
    from sigmalib.desk.world import open_world

    world = open_world(create=True)
    print(f"workspace {world.settings.home}")


@app.command()
def demo(
    reports: Annotated[bool, typer.Option(help="Also run the daily risk report of each book.")] = True,
) -> None:
    """Import three demo books on real prices, value 90 sessions of each and run their risk reports."""
    from sigmalib.desk import demo as desk_demo
    from sigmalib.desk.world import open_world

    world = open_world(create=True)
    print(
        f"workspace {world.settings.home}, prices from the {world.source.name} source, latest {world.known_range()[1]}"
    )
    for sentence in desk_demo.load_books(world, progress=_progress):
        print(sentence)
    if reports:
        from sigmalib.views.export import notebook_html

        for sentence in desk_demo.run_reports(world, export=notebook_html):
            print(sentence)
    print("next: `sigma risk balanced`, `sigma serve`, or `make lab` for the notebooks")


@book_app.command("import")
def book_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: ticker, quantity, entry_price, entry_date, ...")],
    book: Annotated[str, typer.Option("--book", metavar="NAME", help="Name of the book to make or to replace.")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Import the good rows and list the others.")] = False,
    as_json: Json = False,
) -> None:
    """Import a CSV of positions; nothing is kept while one row is bad, unless --skip-bad."""
    from sigmalib.desk.book import import_book

    done = import_book(file, name=book, skip_bad=skip_bad)
    if as_json:
        told = {"book": done.name, "version": done.version, "rows": done.rows, "changed": done.changed}
        return _json({**told, "rejected": done.rejected, "ignored_columns": done.ignored, "unpriced": done.unpriced})
    print(f"{done.name}: {done.rows} positions, {'imported' if done.changed else 'unchanged'} (version {done.version})")
    if done.unpriced:
        remedy = f"; {done.remedy}" if done.remedy else ""
        typer.secho(f"the source has no prices of {', '.join(done.unpriced)}{remedy}", fg="yellow")
    if not done.rows:
        typer.secho("the file has no positions, so the book is empty now; earlier versions are kept", fg="yellow")
    if done.ignored:
        print(f"columns kept out: {', '.join(map(_shown, done.ignored))}")
    for reason in done.rejected["reason"]:
        typer.secho(f"left out: {reason}", err=True, fg="yellow")


@book_app.command("list")
def book_list(as_json: Json = False) -> None:
    """List the kept books."""
    from sigmalib.desk.book import books

    found = books()
    if as_json:
        return _json(found)
    _table(found) if len(found) else print("no books yet; `sigma book import FILE --book NAME`, or `sigma demo`")


@book_app.command("show")
def book_show(book: BookName, as_of: AsOf = None, as_json: Json = False) -> None:
    """Show the positions of a book and what they are worth."""
    from sigmalib.desk.book import open_book

    report = open_book(book, as_of=as_of).report
    if as_json:
        return _json({"book": book, "as_of": report.as_of, "positions": report.holdings, "missing": report.missing,
                      "left_out": report.left_out})  # fmt: skip
    from sigmalib.views.tables import HOLDINGS_TABLE, formatted

    print(f"{book} as of {report.as_of}, {report.base_currency}")
    _table(formatted(report.holdings, HOLDINGS_TABLE))
    _remarks(report)


@app.command()
def risk(
    book: Annotated[
        str, typer.Argument(metavar="BOOK", help="Name of a kept book; a+b is several as one netted book.")
    ],
    as_of: AsOf = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SECTION", help=f"One of {SECTIONS}; repeatable.")
    ] = None,
    scenarios: Annotated[
        Path | None,
        typer.Option("--scenarios", metavar="FILE", help="One's own, in TOML, in place of the standard ones."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Everything a book can lose, in sections: figures, greeks, factors, tail, stress, correlation, backtest."""
    from sigmalib.desk.book import open_book
    from sigmalib.desk.scenarios import under_scenarios

    if only and as_json:
        raise InputError("--json prints every section but the reverse stress; leave out --only")
    if scenarios and only and "stress" not in only:
        raise InputError("--scenarios is for the section stress; add --only stress, or leave out --only")
    opened = open_book(book, as_of=as_of)
    opened = under_scenarios(opened, scenarios) if scenarios else opened
    seen = _seen(opened, asked="backtest" in (only or ()))
    if as_json:
        return _json({"book": book, **opened.report.to_dict(), **_told(seen)})
    _sections(opened, only or [], seen)


def _seen(opened: Book, *, asked: bool) -> Hindsight | None:
    """What the book's snapshots say; None where there are too few, unless that is what was asked for."""
    from sigmalib.desk.hindsight import hindsight

    try:
        return hindsight(opened)
    except InputError:
        if asked:
            raise
        return None


def _told(seen: Hindsight | None) -> dict[str, Any]:
    if seen is None:
        return {"backtest": {}, "factor_percentiles": {}}
    tests = {f"{level * 100:g}": test.to_dict() for level, test in seen.tests.items()}
    return {"backtest": tests, "factor_percentiles": seen.factors["percentile"].to_dict()}


def _sections(opened: Book, only: list[str], seen: Hindsight | None) -> None:
    from sigmalib.views import sections

    report, past = opened.report, sections.Past(seen.tests, seen.factors) if seen else sections.Past()
    names = sections.chosen(only, report, past)
    print(f"{opened.name} as of {report.as_of}, {report.base_currency}; --json adds every convention")
    for name in names:
        typer.secho(f"\n{sections.SECTIONS[name].title}", bold=True)
        for block in sections.blocks(name, report, past):
            print(block) if isinstance(block, str) else _table(block)
    _remarks(report, apart=True)


@app.command()
def snapshot(
    book: BookName,
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First session (same as --to).")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last session (latest known).")] = None,
    as_json: Json = False,
) -> None:
    """Value a book at every session of a range and keep what was found; running it again changes nothing."""
    from sigmalib.desk.nightly import snapshot as take

    counts = take(book, start=start, end=end, progress=_progress)
    if as_json:
        return _json({"book": book, "new": counts.new, "unchanged": counts.unchanged, "revised": counts.revised})
    print(f"{book}: {counts.new} new, {counts.unchanged} unchanged, {counts.revised} revised")


@data_app.command("fetch")
def data_fetch(
    symbols: Symbols = None,
    source: Source = None,
    start: Start = None,
    end: End = None,
    interval: Annotated[str, typer.Option(metavar="1d|1m", help="Daily or minute bars.")] = "1d",
    book: Annotated[
        list[str] | None, typer.Option("--book", metavar="NAME", help="All a book needs; repeatable.")
    ] = None,
    refresh: Annotated[bool, typer.Option(help="Ask again for what is there, to find revisions.")] = False,
    as_json: Json = False,
) -> None:
    """Bring bars into the cache; only ranges that were never asked for are asked for."""
    from sigmalib.desk.marketdata import fetch_books, fetch_data

    if bool(symbols) == bool(book):
        raise InputError("name the symbols to fetch, or a book with --book NAME; one of the two")
    try:
        if book:
            done = fetch_books(book, source=source, start=start, end=end, refresh=refresh, progress=_fetching)
        else:
            done = fetch_data(
                symbols or (), source=source, start=start, end=end, interval=_interval(interval), refresh=refresh,
                progress=_fetching,
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.secho("sigma: stopped; what came is kept, and the same command asks for the rest", err=True, fg="yellow")
        raise typer.Exit(130) from None
    if as_json:
        _json(done.to_dict())
    else:
        print(f"{done.source}: {done.rows:,} bars of {len(done.symbols)} symbol(s) from {done.start} to {done.end}: "
              f"{done.fetched:,} fetched with {done.requests:,} request(s), {done.cached:,} were there")  # fmt: skip
        told = {f"{done.quarantined:,} row(s) quarantined": done.quarantined,
                f"{len(done.revised):,} bar(s) revised; the earlier values are kept": len(done.revised)}  # fmt: skip
        for sentence in (sentence for sentence, holds in told.items() if holds):
            typer.secho(f"{sentence}; `sigma data check --source {done.source}` shows them", fg="yellow")
        for row in done.missing.itertuples():
            typer.secho(f"missing: {row.symbol}: {row.reason}", fg="yellow")
    if done.failed:
        typer.secho(f"sigma: {done.state}: {next(iter(done.failed.values()))}", err=True, fg="red")
        raise typer.Exit(1)


@data_app.command("quotes")
def data_quotes(symbols: Symbols = None, source: Source = None, as_json: Json = False) -> None:
    """Bid, ask and last of this moment, asked of a live source and not kept."""
    from sigmalib.desk import marketdata

    if not any(symbol.strip() for symbol in symbols or ()):
        raise InputError("name at least one symbol, such as AAPL")
    found = marketdata.quotes(symbols or (), source=source)
    if as_json:
        return _json({"quotes": found.quotes.reset_index().to_dict("records"), "missing": found.missing})
    if len(found.quotes):
        _table(found.quotes.reset_index())
    for row in found.missing.itertuples():
        typer.secho(f"missing: {row.symbol}: {row.reason}", fg="yellow")
    if found.quotes.empty:
        raise typer.Exit(1)


@data_app.command("status")
def data_status(as_json: Json = False) -> None:
    """What is in the cache, how far behind it is, and how the last fetches went."""
    from sigmalib.desk import marketdata

    held, recent = marketdata.data_status(), marketdata.fetches().head(10)
    if as_json:
        return _json({"symbols": held.to_dict("records"), "fetches": recent.to_dict("records")})
    if held.empty:
        return print("nothing was fetched yet; `sigma data fetch AAPL`, or `sigma data fetch --book NAME`")
    _table(held)
    print()
    _table(recent[["began_at", "source", "interval", "state", "symbols", "fetched", "requests", "missing", "error"]])


@data_app.command("check")
def data_check(
    symbols: Symbols = None, source: Source = None, start: Start = None, end: End = None, as_json: Json = False
) -> None:
    """Gaps, stale, doubtful and impossible prices, revisions and damaged files among the daily bars that are there."""
    from sigmalib.desk import dataquality

    if source:
        checks = [dataquality.check_data(symbols or (), source=source, start=start, end=end)]
    else:
        checks = dataquality.check_all(symbols or (), start=start, end=end)
    if as_json:
        return _json(dataquality.together(checks))
    for done in checks:
        _checked(done)


def _checked(done: DataCheck) -> None:
    print(f"{done.source}: {len(done.coverage)} symbol(s) from {done.start} to {done.end}, "
          f"{done.share:.1%} of the expected sessions are there")  # fmt: skip
    for name in done.damaged:
        typer.secho(f"damaged and set aside: {name}; the next fetch asks for its ranges again", fg="red")
    bars = done.revised.groupby(["symbol", "session"], sort=False) if len(done.revised) else ()
    for count, ((symbol, session), versions) in enumerate(bars):
        if count == SHOWN:
            typer.secho(f"revised: {len(bars) - SHOWN} more bar(s); --json shows them all", fg="yellow")
            break
        closes = " -> ".join(f"{close:,.4g}" for close in versions["close"])
        typer.secho(f"revised: {symbol} on {session:%Y-%m-%d}: close {closes}; all of them are kept", fg="yellow")
    for row in done.findings.itertuples():
        typer.secho(f"{row.severity:8}{row.check:10}{row.sentence}", fg="red" if row.severity == "bad" else "yellow")
    if done.findings.empty and done.revised.empty and not done.damaged:
        print("nothing to remark")


@data_app.command("sources")
def data_sources(as_json: Json = False) -> None:
    """The sources of market data, what they need, and how they are doing."""
    from sigmalib.desk import marketdata

    found = marketdata.sources()
    if as_json:
        return _json(found)
    _table(found.drop(columns=["since"]))


@app.command()
def nightly() -> None:
    """The evening's chain: fetch what all books need, then keep a snapshot of each."""
    from sigmalib.desk.nightly import evening

    for sentence in evening(progress=_fetching):
        print(sentence)


@report_app.command("run")
def report_run(
    name: ReportName,
    book: Annotated[str, typer.Option("--book", metavar="NAME", help="The book to report on.")],
    as_of: AsOf = None,
    parameter: Annotated[list[str] | None, typer.Option("-p", metavar="KEY=VALUE", help="Another parameter.")] = None,
    as_json: Json = False,
) -> None:
    """Execute a report notebook and leave its HTML page, notebook, numbers and positions in the workspace."""
    from sigmalib.desk.publish import parse_parameters, run_report
    from sigmalib.views.export import notebook_html

    done = run_report(name, book=book, as_of=as_of, parameters=parse_parameters(parameter or ()), export=notebook_html)
    if as_json:
        return _json(done.to_dict())
    print(f"{done.report} of {done.book} as of {done.as_of}: {done.html}")


@report_app.command("list")
def report_list(as_json: Json = False) -> None:
    """List the reports, their parameters and what was last made."""
    from sigmalib.desk.publish import reports

    found = reports()
    if as_json:
        return _json(found)
    for name, entry in found.items():
        print(name)
        for item in entry["parameters"]:
            print(f"  -p {item['name']}={item['default']}  {item['help']}")
        for page in entry["made"]:
            print(f"  made {page}")


@app.command()
def serve(
    address: Address = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5006,
    credentials: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON of users and passwords.")] = None,
    origin: Origins = None,
) -> None:
    """Serve the dashboards, on this machine only unless there is a login."""
    from sigmalib.desk.serve import Doors, serve_command
    from sigmalib.desk.world import open_world

    command, environment = serve_command(open_world(), Doors(address, port, credentials, origin or ()))
    print(f"dashboards at http://{address}:{port} (Ctrl-C ends)", flush=True)
    os.execve(command[0], command, {**os.environ, **environment})


@app.command("compile")
def compile_() -> None:
    """Compile every hot loop once, so that no first call waits for it; quick when that was done."""
    from time import perf_counter

    from sigmalib.desk.compile import compile_loops

    began = perf_counter()
    for sentence in compile_loops():
        typer.secho(sentence, err=True)
    print(f"compiled in {perf_counter() - began:.1f} s, kept on disk")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what works here, what is missing, and how to mend it; exit code 1 when something has failed."""
    from dataclasses import asdict

    from sigmalib.desk.health import doctor as look

    checks = look()
    if as_json:
        _json([asdict(check) for check in checks])
    else:
        for check in checks:
            colour = {"ok": "green", "missing": "yellow", "failed": "red"}[check.status]
            typer.secho(f"{check.status:8}{check.name:11}{check.detail}", fg=colour)
            if check.remedy:
                print(f"{'':19}-> {check.remedy}")
    if any(check.status == "failed" for check in checks):
        raise typer.Exit(1)


def _remarks(report: RiskReport, *, apart: bool = False) -> None:
    if apart and (report.notes or len(report.missing) or len(report.left_out)):
        print()
    for note in report.notes:
        typer.secho(f"note: {note}", fg="yellow")
    for table, label in ((report.missing, "missing"), (report.left_out, "left out")):
        for row in table.itertuples():
            typer.secho(f"{label}: {row.symbol}: {row.reason}", fg="yellow")


def _interval(text: str) -> Interval:
    if text not in ("1d", "1m"):
        raise InputError(f"--interval is {text!r}; write 1d for daily or 1m for minute bars")
    return cast("Interval", text)


def _fetching(tasks: Iterable[Any], count: int) -> Iterable[Any]:
    return _progress(tasks, count, "fetching")


def _progress(days: Iterable[Any], count: int, doing: str = "valuing") -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    errors = Console(stderr=True)  # what a program reads stays clean
    return track(days, total=count, description=doing, transient=True, console=errors, disable=not errors.is_terminal)


def _table(frame: pd.DataFrame) -> None:
    """Print a table; what stands in a cell is text, never markup."""
    from rich.console import Console
    from rich.table import Table

    from sigmalib.views.formats import UNKNOWN, number

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, column in frame.items():
        words = any(map(_is_word, column)) or all(item == UNKNOWN for item in column)
        table.add_column(str(name), justify="left" if words else "right", overflow="fold", no_wrap=not words)
    for row in frame.itertuples(index=False):
        table.add_row(*(number(item, "date" if isinstance(item, date) else "text") for item in row))
    width = None if sys.stdout.isatty() else 160
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _shown(name: str) -> str:
    """A name out of a file, its control characters spelled out so that they cannot steer the terminal."""
    return name if name.isprintable() else repr(name)


def _is_word(item: object) -> bool:
    return isinstance(item, str) and not NUMBER.fullmatch(item)


def _json(value: Any) -> None:
    import pandas as pd

    from sigmalib.core.records import json_text

    plain = value.to_dict("records") if isinstance(value, pd.DataFrame) else value
    print(json_text(plain), end="")


if __name__ == "__main__":
    main()

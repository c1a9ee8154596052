"""The embedded data: real prices out of the files that three packages ship, read once into one panel.

| package | symbols | what the series are |
|---|---|---|
| skfolio | 20 stocks, the factor funds MTUM QUAL SIZE USMV VLUE | one close a day, adjusted for splits and dividends |
| skfolio | SPX | the S&P 500 price index (no dividends), the benchmark |
| bokeh-sampledata | FB GOOG IBM, to 2013-03-01 | raw open, high, low, close, volume; adjusted close beside them |
| arch | ^GSPC ^IXIC, 1999 to 2018 | open, high, low, close of the price indexes, with volume |
| arch | VIX WTI, to 2019-01-03 | one close a day |

Where a package has one adjusted close a day, ``close`` equals ``adjusted_close``: a price nobody traded at, but a
total return. An index has neither splits nor dividends to adjust for, so there too both are the same. The raw
stocks have both: ``close`` is what was traded, ``adjusted_close`` (adjusted for all that came later too, as GOOG's
split of 2014) is what returns are made of. bokeh-sampledata has raw AAPL and MSFT too; they are left out, because
skfolio's adjusted series have these symbols and the two must never be spliced.

Rows on days without a New York session are left out (VIX repeats its last value on 46 holidays, WTI has 19 prices on
days the exchange was closed), and an index volume of zero is unknown. The packages are found by their metadata and
never imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from sigmalib.core.errors import DataUnavailable
from sigmalib.core.frames import BARS
from sigmalib.core.times import sessions

FIELDS = ("open", "high", "low", "close", "adjusted_close", "volume")
CLOSE = FIELDS.index("close")


@dataclass(frozen=True)
class Shelf:
    """One file of a package: ``names`` are its columns (or tickers) and the symbols they are served as.

    layout : "closes" has a column a symbol; "bars" is one symbol's; "tickers" has the bars of several below each other.
    """

    package: str
    file: str
    layout: Literal["closes", "bars", "tickers"]
    source: str
    origin: str
    names: Mapping[str, str]
    dates: str = "%Y-%m-%d"

    def read(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Each symbol with those of FIELDS that the file has, by date."""
        table = pd.read_csv(file_of(self.package, self.file), na_values=["."])
        table = table.rename(columns=lambda name: name.lower().replace("adj close", "adjusted_close"))
        if self.layout == "tickers":
            table = table[table["ticker"].isin(self.names)]
        table = table.set_index(pd.to_datetime(table["date"], format=self.dates))
        for name, symbol in self.names.items():
            if self.layout == "closes":
                yield symbol, pd.DataFrame({"close": table[name.lower()], "adjusted_close": table[name.lower()]})
            else:
                rows = table[table["ticker"] == name] if self.layout == "tickers" else table
                yield symbol, rows[list(FIELDS)].assign(volume=rows["volume"].where(rows["volume"] > 0))


def file_of(package: str, file: str) -> Path:
    """The path of a file that a package ships; DataUnavailable when the package is not installed."""
    try:
        path = Path(str(distribution(package).locate_file(file)))
    except PackageNotFoundError:
        path = Path()
    if not path.is_file():
        raise DataUnavailable(
            f"the sample data needs {file} of the package {package}, which is not installed; "
            'run `make demo`, or pip install "sigmalib[sample]"'
        )
    return path


def _same(symbols: str) -> dict[str, str]:
    return {symbol: symbol for symbol in symbols.split()}


_STOCKS = _same("AAPL AMD BAC BBY CVX GE HD JNJ JPM KO LLY MRK MSFT PEP PFE PG RRC UNH WMT XOM")
_FUNDS = _same("MTUM QUAL SIZE USMV VLUE")
RAW = "bokeh-sampledata (raw)"
_ADJUSTED = "skfolio (adjusted)"
_TOTAL_RETURN = "skfolio: adjusted for splits and dividends, close = adjusted_close, dividend yield 0"
_RAW = "bokeh-sampledata: raw prices, returns from the vendor's adjusted close (later splits and dividends too)"
_INDEX = "arch: index level, nothing to adjust"
_SPX = "skfolio: the S&P 500 price index, no dividends; close = adjusted_close, dividend yield set to 0"
_SKFOLIO, _ARCH = "skfolio/datasets/data", "arch/data"
_US = "%m/%d/%Y"

SHELVES = (
    Shelf("skfolio", f"{_SKFOLIO}/sp500_dataset.csv.gz", "closes", _ADJUSTED, _TOTAL_RETURN, _STOCKS),
    Shelf("skfolio", f"{_SKFOLIO}/factors_dataset.csv.gz", "closes", _ADJUSTED, _TOTAL_RETURN, _FUNDS),
    Shelf("skfolio", f"{_SKFOLIO}/sp500_index.csv.gz", "closes", "skfolio (price index)", _SPX, {"SP500": "SPX"}),
    Shelf("bokeh-sampledata", "bokeh_sampledata/_data/stocks.csv.gz", "tickers", RAW, _RAW,
          _same("FB GOOG IBM")),
    Shelf("arch", f"{_ARCH}/sp500/sp500.csv.gz", "bars", "arch", _INDEX, {"": "^GSPC"}, _US),
    Shelf("arch", f"{_ARCH}/nasdaq/nasdaq.csv.gz", "bars", "arch", _INDEX, {"": "^IXIC"}, _US),
    Shelf("arch", f"{_ARCH}/vix/vix.csv.gz", "closes", "arch", _INDEX, {"vix": "VIX"}, _US),
    Shelf("arch", f"{_ARCH}/wti/wti.csv.gz", "closes", "arch", "arch: spot price in dollars a barrel, from FRED",
          {"DCOILWTICO": "WTI"}, _US),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Panel:
    """All of the sample data: ``values`` (symbol x session x field) is read-only; ``coverage`` is by symbol."""

    sessions: pd.DatetimeIndex
    symbols: pd.Index[str]
    values: np.ndarray
    coverage: pd.DataFrame

    def bars(self, symbols: pd.Index[str], days: pd.DatetimeIndex) -> pd.DataFrame:
        """BARS of known symbols, sorted by session and symbol, without the sessions that have no close."""
        held = self.sessions[self.sessions.isin(days)]
        rows, columns = self.sessions.get_indexer(held), self.symbols.get_indexer(symbols)
        values = self.values[np.ix_(columns, rows)].swapaxes(0, 1)
        session, symbol = np.nonzero(~np.isnan(values[:, :, CLOSE]))
        index = pd.MultiIndex.from_arrays([held[session], self.symbols[columns][symbol]], names=list(BARS.index))
        frame = pd.DataFrame(values[session, symbol], index=index, columns=list(FIELDS))
        source = self.coverage["source"].iloc[columns].array.take(symbol)
        applied = source != RAW  # an adjusted series has its dividends and splits inside, a raw one's are not known
        dividend, split = np.where(applied, 0.0, np.nan), np.where(applied, 1.0, np.nan)
        return frame.assign(dividend=dividend, split=split, source=source)


@cache
def panel() -> Panel:
    """All the files, read once (about 60 ms); raises DataUnavailable when a package is not there."""
    series = {symbol: (frame, shelf) for shelf in SHELVES for symbol, frame in shelf.read()}
    symbols = pd.Index(sorted(series), dtype="str", name="symbol")
    days = sessions("1990-01-02", max(frame.index[-1] for frame, _ in series.values()))
    values = np.full((len(symbols), len(days), len(FIELDS)), np.nan)
    for at, symbol in enumerate(symbols):
        frame, _ = series[symbol]
        rows = days.get_indexer(frame.index)
        for field, column in frame.items():
            values[at, rows[rows >= 0], FIELDS.index(str(field))] = column.to_numpy()[rows >= 0]
    values.flags.writeable = False
    covered = [_covered(days, values[at], series[symbol][1]) for at, symbol in enumerate(symbols)]
    return Panel(days, symbols, values, pd.DataFrame(covered, index=symbols))


def _covered(days: pd.DatetimeIndex, values: np.ndarray, shelf: Shelf) -> dict[str, object]:
    known = days[~np.isnan(values[:, CLOSE])]
    fields = [name for name, filled in zip(FIELDS, ~np.isnan(values).all(axis=0), strict=True) if filled]
    return {
        "first": known[0],
        "last": known[-1],
        "sessions": len(known),
        "fields": ", ".join(fields),
        "source": shelf.source,
        "origin": shelf.origin,
    }

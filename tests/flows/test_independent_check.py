"""The printed risk of a demo book, computed again from the files with other libraries (QuantLib, empyrical).

Nothing of sigmalib is used but its command line; symbols, dates, closes and rates are read here anew.
"""

from __future__ import annotations

import csv
import json
import math
from datetime import datetime
from importlib.metadata import distribution
from pathlib import Path
from zoneinfo import ZoneInfo

import empyrical
import numpy as np
import pandas as pd
import pytest
import QuantLib

pytestmark = pytest.mark.slow  # for the workspace with the demo books

BOOK = Path(__file__).parents[2] / "notebooks" / "books" / "long_short.csv"
RATES = Path(__file__).parents[2] / "sigmalib" / "data" / "figures" / "policy_rate.csv"
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2022, 12, 28, 16, 0, tzinfo=NEW_YORK)


def _closes() -> pd.DataFrame:
    folder = Path(str(distribution("skfolio").locate_file("skfolio/datasets/data")))
    files = ("sp500_dataset", "sp500_index", "factors_dataset")
    tables = [pd.read_csv(folder / f"{name}.csv.gz", index_col="Date", parse_dates=True) for name in files]
    return pd.concat(tables, axis=1).rename(columns={"SP500": "SPX"})


def _rate() -> float:
    """The effective federal funds rate as published for the end of November 2022: 3.83 % a year."""
    return math.log1p(0.0383)


def _daily_rates(days: pd.DatetimeIndex) -> pd.Series:
    """The policy rate in force on each day, from the table that ships, as a return for one of 252 days."""
    table = pd.read_csv(RATES, comment="#", index_col="date", parse_dates=True)["rate"]
    return (1 + table.asof(days)) ** (1 / 252) - 1


class Option:
    def __init__(self, symbol: str, closes: pd.DataFrame) -> None:
        self.root, day, right, strike = symbol[:-15], symbol[-15:-9], symbol[-9], int(symbol[-8:]) / 1000
        hour, minute = (9, 30) if self.root == "SPX" else (16, 0)
        end = datetime.strptime(day, "%y%m%d").replace(hour=hour, minute=minute, tzinfo=NEW_YORK)
        self.years = (end.timestamp() - NOW.timestamp()) / (365 * 86_400)
        self.payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Put if right == "P" else QuantLib.Option.Call, strike)
        self.direction = -1 if right == "P" else 1
        logs = np.log(closes[self.root]).diff().iloc[-60:]
        self.deviation = logs.std() * math.sqrt(252) * math.sqrt(self.years)

        self.spot = QuantLib.SimpleQuote(1.0)
        self.american = self._american() if self.root != "SPX" else None

    def value(self, spot: float) -> float:
        """SPX is European; the others are American, by QuantLib's most precise engine."""
        if self.american:
            self.spot.setValue(spot)
            return self.american.NPV()
        growth = math.exp(_rate() * self.years)
        return QuantLib.BlackCalculator(self.payoff, spot * growth, self.deviation, 1 / growth).value()

    def delta(self, spot: float) -> float:
        """By differences of the value."""
        step = 1e-4 * spot
        return (self.value(spot + step) - self.value(spot - step)) / (2 * step)

    def _american(self) -> QuantLib.VanillaOption:
        """QuantLib counts whole days: a year of 365 of them, with rate and volatility for the time there is."""
        today = QuantLib.Date(28, 12, 2022)
        QuantLib.Settings.instance().evaluationDate = today
        count, calendar = QuantLib.Actual365Fixed(), QuantLib.NullCalendar()
        rate, none = (QuantLib.FlatForward(today, level, count) for level in (_rate() * self.years, 0.0))
        volatility = QuantLib.BlackConstantVol(today, calendar, self.deviation, count)
        process = QuantLib.BlackScholesMertonProcess(
            QuantLib.QuoteHandle(self.spot), QuantLib.YieldTermStructureHandle(none),
            QuantLib.YieldTermStructureHandle(rate), QuantLib.BlackVolTermStructureHandle(volatility),
        )  # fmt: skip
        option = QuantLib.VanillaOption(self.payoff, QuantLib.AmericanExercise(today, today + 365))
        scheme = QuantLib.QdFpAmericanEngine.highPrecisionScheme()
        option.setPricingEngine(QuantLib.QdFpAmericanEngine(process, scheme))
        return option


@pytest.fixture(scope="module")
def again() -> dict:
    """Every number of the book, the other way round: row by row, scenario by scenario."""
    closes = _closes()
    last, moves = closes.iloc[-1], (closes / closes.shift(1) - 1).iloc[-500:]
    value = cash = total = long = short = dd_long = dd_short = 0.0
    pnl = np.zeros(500)
    for row in csv.DictReader(BOOK.read_text().splitlines()):
        quantity, entry, symbol = float(row["quantity"]), float(row["entry_price"]), row["ticker"]
        if symbol == "CASH":
            cash += quantity
            continue
        if len(symbol) > 12:
            option = Option(symbol, closes)
            spot = last[option.root]
            now, notional = option.value(spot), option.direction * 100 * quantity * spot
            worth, delta = 100 * quantity * now, 100 * quantity * option.delta(spot) * spot
            shocked = [option.value(spot * (1 + move)) for move in moves[option.root]]
            pnl += 100 * quantity * (np.array(shocked) - now)
            cost = 100 * quantity * entry
        else:
            worth = notional = delta = quantity * last[symbol]
            pnl += worth * moves[symbol].to_numpy()
            cost = quantity * entry
        value, total = value + worth, total + worth - cost
        long, short = long + max(notional, 0), short + min(notional, 0)
        dd_long, dd_short = dd_long + max(delta, 0), dd_short + min(delta, 0)
    returns, free = pd.Series(pnl / (cash + value), moves.index), _daily_rates(moves.index)
    ordered = np.sort(pnl)
    return {
        "market_value": value, "nav": cash + value,
        "exposure": {"long": long, "short": short, "gross": long - short, "net": long + short},
        "delta_adjusted": {"long": dd_long, "short": dd_short, "gross": dd_long - dd_short, "net": dd_long + dd_short},
        "pnl_total": total, "var": {"95": -ordered[24], "99": -ordered[4]},
        "es": {"95": -ordered[:25].mean(), "99": -ordered[:5].mean()},
        "volatility": empyrical.annual_volatility(returns), "max_drawdown": -empyrical.max_drawdown(returns),
        "beta": empyrical.beta(returns - free, moves["SPX"] - free),
    }  # fmt: skip


def test_value_exposure_and_profit_agree(again, printed):
    for name in ("market_value", "nav", "exposure"):
        assert printed[name] == pytest.approx(again[name], rel=1e-7)
    for side, amount in again["delta_adjusted"].items():
        assert printed["delta_adjusted"][side] == pytest.approx(amount, rel=1e-6)
    assert printed["pnl"]["total"] == pytest.approx(again["pnl_total"], rel=1e-7)


def test_tail_measures_agree(again, printed):
    assert printed["var"] == pytest.approx(again["var"], rel=1e-6)
    assert printed["es"] == pytest.approx(again["es"], rel=1e-6)


def test_volatility_drawdown_and_beta_agree(again, printed):
    assert printed["volatility"] == pytest.approx(again["volatility"], rel=1e-6)
    assert printed["max_drawdown"] == pytest.approx(again["max_drawdown"], rel=1e-6)
    assert printed["beta"] == pytest.approx(again["beta"], rel=1e-6)


@pytest.fixture(scope="module")
def printed(demo_environment, run_sigma) -> dict:
    done = run_sigma("risk", "long_short", "--as-of", "2022-12-28", "--json", environment=demo_environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

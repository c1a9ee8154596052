"""Valuation: what each position is worth, exposes and has earned at the close of a session.

Conventions (base currency throughout, ``q`` signed quantity, ``M`` multiplier, ``P`` price, ``S`` underlying's price):
market value = q M P fx; exposure = q M S fx for stocks and calls, - q M S fx for puts, 0 for cash; cost = q M entry fx
at entry; P&L in total = market value - cost; P&L of the day = market value - the value at the previous session's close,
or - cost when the position was entered since. Unknown stays NaN and is listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import HOLDINGS, MISSING, check
from sigmalib.core.market import MarketView
from sigmalib.core.times import sessions_before
from sigmalib.portfolio.groups import netted

FUND_SECTORS = {"etf": "Funds", "index": "Index"}


@dataclass(frozen=True, eq=False)
class Valuation:
    """HOLDINGS and their totals in base currency; ``missing`` lists every number that could not be had.

    ``market_value`` leaves cash out; ``nav`` is cash plus market value, NaN when the book has no cash row.
    ``base`` is what weights and returns are fractions of: NAV, or gross market value where NAV is unknown or not
    positive (``base_name`` says which).
    """

    holdings: pd.DataFrame
    market_value: float
    gross_market_value: float
    cash: float
    nav: float
    base: float
    base_name: str
    pnl_day: float
    pnl_total: float
    missing: pd.DataFrame

    @property
    def complete(self) -> bool:
        """Whether every holding has a market value and a P&L of the day; without, the totals are partial."""
        return bool(self.holdings[["market_value", "pnl_day"]].notna().all(axis=None))


def value(
    positions: pd.DataFrame,
    market: MarketView,
    *,
    marks: pd.DataFrame | None = None,
    previous_marks: pd.DataFrame | None = None,
) -> Valuation:
    """The book at the close of ``market.as_of``.

    positions : POSITIONS alive at that close. marks, previous_marks : by option symbol, at least ``price`` and
    ``price_source``, at the as-of session and at the session before. Raises InputError when options have no marks.
    """
    before = sessions_before(market.as_of, 1)
    priced = _priced(positions, market, marks)
    is_first = before == market.as_of
    previous = _previous_prices(positions, market.before(before), previous_marks, is_first=is_first)
    rows = _valued(priced, market, previous, before)
    cash = rows["kind"] == "CASH"
    market_value = rows["market_value"].where(~cash)
    invested = market_value[~cash]
    gross, net = known_sum(netted(invested, rows).abs()), known_sum(invested)
    money = float(rows.loc[cash, "market_value"].sum(min_count=1))
    nav = money + net
    base, base_name = (nav, "NAV") if nav > 0 else (gross, "gross market value")
    rows["weight"] = rows["market_value"] / (base or np.nan)
    return Valuation(
        holdings=check(rows, HOLDINGS),
        market_value=net,
        gross_market_value=gross,
        cash=money,
        nav=nav,
        base=base,
        base_name=base_name,
        pnl_day=known_sum(rows.loc[~cash, "pnl_day"]) + float(rows.loc[cash, "pnl_day"].sum()),
        pnl_total=known_sum(rows.loc[~cash, "pnl_total"]) + float(rows.loc[cash, "pnl_total"].sum()),
        missing=_missing(rows, market, before),
    )


def known_sum(values: pd.Series) -> float:
    """Sum of what is known: 0 of nothing at all, NaN when there are values and none of them is known."""
    return float(values.sum(min_count=1)) if len(values) else 0.0


def _priced(positions: pd.DataFrame, market: MarketView, marks: pd.DataFrame | None) -> pd.DataFrame:
    """Positions with price, price_source, spot, fx and sector at the as-of session."""
    option, cash = positions["right"].notna(), positions["kind"] == "CASH"
    if option.any() and marks is None:
        raise InputError("`marks` is needed to value options; pass risk.marks.mark(symbols, market)")
    closes = positions["underlying"].map(market.prices()).astype(float)
    price = closes.where(~cash, 1.0)
    source = pd.Series("close", index=positions.index, dtype="str").where(~cash, "cash")
    if marks is not None:
        price = price.where(~option, positions["symbol"].map(marks["price"]).astype(float))
        source = source.where(~option, positions["symbol"].map(marks["price_source"]))
    profile = positions["underlying"].map(market.profiles["kind"])
    sector = positions["underlying"].map(market.profiles["sector"]).astype("str")
    sector = sector.where(sector.notna(), profile.map(FUND_SECTORS).astype("str")).where(~cash, "Cash")
    usable = cash | (positions["multiplier"].notna() & ~_mispriced(positions, market))
    price, closes = price.where(usable), closes.where(usable)
    fx = positions["currency"].map(market.fx_rates()).astype(float)
    return positions.assign(price=price, price_source=source.where(price.notna()), spot=closes, fx=fx, sector=sector)


def _mispriced(positions: pd.DataFrame, market: MarketView) -> pd.Series:
    """Whether a position is kept in another currency than its prices are in."""
    quoted = positions["underlying"].map(market.profiles["currency"])
    return quoted.notna() & (quoted != positions["currency"])


def _previous_prices(
    positions: pd.DataFrame, before: MarketView, marks: pd.DataFrame | None, *, is_first: bool
) -> pd.DataFrame:
    price = positions["underlying"].map(before.prices()).astype(float).where(positions["kind"] != "CASH", 1.0)
    if is_first:  # the calendar's first session has none before it
        price = price * np.nan
    if marks is not None:
        price = price.where(positions["right"].isna(), positions["symbol"].map(marks["price"]).astype(float))
    return pd.DataFrame({"price": price, "fx": positions["currency"].map(before.fx_rates()).astype(float)})


def _valued(rows: pd.DataFrame, market: MarketView, previous: pd.DataFrame, before: date) -> pd.DataFrame:
    units = rows["quantity"] * rows["multiplier"]
    market_value = units * rows["price"] * rows["fx"]
    direction = rows["right"].map({"put": -1.0, "call": 1.0}).astype(float).fillna(1.0)
    exposure = (direction * units * rows["spot"] * rows["fx"]).where(rows["kind"] != "CASH", 0.0)
    cost = units * rows["entry_price"] * _entry_fx(rows, market)
    entered_since = (rows["entry_date"] > pd.Timestamp(before)) | (rows["entry_date"] == pd.Timestamp(market.as_of))
    opening = cost.where(entered_since, units * previous["price"] * previous["fx"])
    return rows.assign(
        market_value=market_value,
        exposure=exposure,
        cost=cost,
        pnl_day=market_value - opening,
        pnl_total=market_value - cost,
        weight=np.nan,
    )


def _entry_fx(rows: pd.DataFrame, market: MarketView) -> pd.Series:
    """The exchange rate in force on each entry date: the last known on or before it."""
    rates = {
        (currency, day): _last_known(market, currency, day)
        for currency, day in set(zip(rows["currency"], rows["entry_date"], strict=True))
    }
    return pd.Series(
        [rates[pair] for pair in zip(rows["currency"], rows["entry_date"], strict=True)], index=rows.index, dtype=float
    )


def _last_known(market: MarketView, currency: str, day: pd.Timestamp) -> float:
    if currency == market.base_currency:
        return 1.0
    if currency not in market.fx:
        return float("nan")
    known = market.fx.loc[:day, currency].dropna()
    return float(known.iloc[-1]) if len(known) else float("nan")


def _missing(rows: pd.DataFrame, market: MarketView, before: date) -> pd.DataFrame:
    """A MISSING row for every unknown price, exchange rate and P&L, with the reason."""
    found: list[tuple[str, str, str]] = []
    for row in rows.to_dict("records"):
        symbol, currency = row["symbol"], row["currency"]
        if np.isnan(row["fx"]):
            found.append((symbol, "fx", f"no {currency}/{market.base_currency} rate on {market.as_of}"))
        if np.isnan(row["price"]):
            found.append((symbol, "price", _why_no_price(row["underlying"], currency, row["multiplier"], market)))
        elif np.isnan(row["pnl_day"]) and not np.isnan(row["fx"]):
            found.append((symbol, "pnl_day", f"no price or exchange rate on {before}, the session before"))
        elif np.isnan(row["pnl_total"]) and not np.isnan(row["fx"]):
            found.append((symbol, "pnl_total", f"no {currency}/{market.base_currency} rate at entry"))
    listed = pd.DataFrame(found, columns=MISSING.names) if found else MISSING.empty()
    return listed.drop_duplicates(ignore_index=True)


def _why_no_price(underlying: str, currency: str, multiplier: float, market: MarketView) -> str:
    if np.isnan(multiplier):
        return "an adjusted contract; give the shares it delivers in the column multiplier, until then it is not priced"
    quoted = market.profiles["currency"].get(underlying)
    if isinstance(quoted, str) and quoted != currency:
        return f"{underlying} is quoted in {quoted}, but the position says {currency}; correct its currency"
    known = market.closes[underlying].dropna() if underlying in market.closes else pd.Series(dtype=float)
    if len(known) and known.index[-1] == pd.Timestamp(market.as_of):
        return f"no volatility, interest rate or dividend yield is known for an option on {underlying}"
    if len(known):
        return f"no close of {underlying} on {market.as_of}; the last is of {known.index[-1]:%Y-%m-%d}"
    told = market.missing.loc[market.missing["symbol"] == underlying, "reason"]
    return str(told.iloc[0]) if len(told) else f"no close of {underlying} is known"

"""Gathering: everything that was known of some symbols at a date, as one frozen MarketView."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import ACTIONS, BARS, PROFILES, QUOTES, SHORT_INTEREST, check
from sigmalib.core.frames import missing as missing_table
from sigmalib.core.instruments import parse_option
from sigmalib.core.market import MarketView
from sigmalib.core.times import DateLike, last_session, sessions, to_date
from sigmalib.data.sources import Answer, Source

SETTLED_BEFORE = timedelta(days=60)  # the start, so that one is known there: it comes twice a month, two weeks late


def gather(
    source: Source,
    symbols: Sequence[str],
    as_of: DateLike,
    *,
    start: DateLike,
    benchmark: str,
    base_currency: str,
    currencies: Sequence[str] = (),
    options: Sequence[str] = (),
    fx_start: DateLike | None = None,
    actions_start: DateLike | None = None,
    beside: Sequence[str] = (),
    short_interest: bool = False,
) -> MarketView:
    """What ``source`` knew of ``symbols`` and the benchmark from ``start`` to the close of ``as_of``.

    as_of : moved back to the last session. currencies : those of the positions; the base currency needs no rate.
    options : OSI symbols to ask quotes for, by way of their underlyings' chains.
    fx_start, actions_start : from when on exchange rates, and splits, are needed, when that is before ``start``.
    beside : symbols whose closes alone are wanted, such as factor proxies; what is missing of them is not told.
    short_interest : whether it is asked for as such, so that what is missing of it is told; what there is comes anyway.
    Every session and every symbol asked for is there, in order, NaN where the source has nothing; why is in ``missing``
    (sorted by symbol). The order of ``symbols`` makes no difference. Raises InputError when ``start`` is after
    ``as_of``.
    """
    first, last = to_date(start), last_session(as_of)
    if first > last:
        raise InputError(f"`start` {first} lies after the session {last} of `as_of`; give an earlier start")
    wanted = pd.Index(sorted({symbol.strip().upper() for symbol in (*symbols, benchmark)}), name="symbol")
    extra = sorted({symbol.strip().upper() for symbol in beside} - set(wanted))
    columns = wanted.append(pd.Index(extra, dtype=wanted.dtype, name="symbol")).sort_values()
    days = sessions(first, last)
    fx_first = min(first, to_date(fx_start or first))
    bars = source.bars(list(columns), first, last)
    prices = check(bars.frame, BARS)
    own = prices[~prices.index.get_level_values("symbol").isin(extra)] if extra else prices
    told = Answer(own, bars.missing[~bars.missing["symbol"].isin(extra)])
    rates = source.rates(first, last)
    fx = source.fx(sorted(set(currencies) - {base_currency}), base_currency, fx_first, last)
    profiles = source.profiles(list(wanted))
    quotes = _quotes(source, options, last)
    actions = source.actions(list(wanted), min(first, to_date(actions_start or first)), last)
    shorts = _short_interest(source, list(wanted), first - SETTLED_BEFORE, last, told=short_interest)
    return MarketView(
        as_of=last,
        closes=_wide(prices["close"], days, columns),
        adjusted=_wide(prices["adjusted_close"], days, columns),
        rates=rates.frame["rate"],
        fx=fx.frame.reindex(sessions(fx_first, last)),
        profiles=check(profiles.frame, PROFILES).reindex(wanted),
        benchmark=benchmark.strip().upper(),
        base_currency=base_currency,
        source=source.name,
        quotes=check(quotes.frame, QUOTES),
        missing=_together(
            [answer.missing for answer in (told, rates, fx, profiles, quotes, actions, shorts)]
            + [_unknown_dividends(own)]
        ),
        actions=check(actions.frame, ACTIONS).sort_index(),
        actions_known=_with_known_actions(own, actions.missing),
        known_at=getattr(source, "known_at", None),
        short_history=shorts.frame,
    )


def _wide(prices: pd.Series, days: pd.DatetimeIndex, symbols: pd.Index) -> pd.DataFrame:
    """Prices (session x symbol) of all ``days``, so that a session without a price is a NaN and not a shorter table."""
    return prices.unstack("symbol").reindex(index=days, columns=symbols).astype("float64")


def _short_interest(source: Source, symbols: Sequence[str], start: date, end: date, *, told: bool) -> Answer:
    """SHORT_INTEREST that was published by the close of ``end``; what is missing only when it is to be ``told``."""
    answer = source.short_interest(symbols, start, end)
    found = check(answer.frame, SHORT_INTEREST)[SHORT_INTEREST.names]
    known = found[found["published"] <= pd.Timestamp(end)].sort_index()
    late = sorted(set(found.index.get_level_values("symbol")) - set(known.index.get_level_values("symbol")))
    gaps = missing_table(*((name, "short_interest", f"none of {name} was published by {end}") for name in late))
    return Answer(known, _together([answer.missing, gaps]) if told else missing_table())


def _with_known_actions(bars: pd.DataFrame, missing: pd.DataFrame) -> frozenset[str]:
    """Symbols whose every bar says its dividend and split, and of whose actions nothing is missing."""
    said = bars[["dividend", "split"]].notna().all(axis=1).groupby(level="symbol").all()
    return frozenset(set(said.index[said]) - set(missing["symbol"]))


def _unknown_dividends(bars: pd.DataFrame) -> pd.DataFrame:
    """MISSING rows of symbols whose bars say nothing of dividends: their returns may be of the price alone."""
    silent = bars["dividend"].isna().groupby(level="symbol").all()
    adjusted = bars["adjusted_close"].notna().groupby(level="symbol").any()
    what = {True: "inside its adjusted closes", False: "so its returns are of the price alone"}
    rows = [(name, "dividend", f"the dividends of {name} are not given: {what[adjusted[name]]}")
            for name in silent.index[silent]]  # fmt: skip
    return missing_table(*rows)


def _quotes(source: Source, options: Sequence[str], as_of: date) -> Answer:
    """The whole chains of the contracts asked for, which a volatility surface needs, and what there is none of."""
    contracts = [parse_option(symbol) for symbol in sorted(set(options))]
    chains = {name: source.option_chain(name, as_of) for name in sorted({c.underlying for c in contracts})}
    quoted = [chain.frame for chain in chains.values() if len(chain.frame)]
    frame = pd.concat(quoted).sort_index() if quoted else QUOTES.empty()
    held = set(frame.index.get_level_values("symbol"))
    answered = {name for name, chain in chains.items() if len(chain.frame)}
    gaps = [(c.symbol, "quote", f"no quote of {c.symbol} on {as_of}") for c in contracts
            if c.underlying in answered and c.symbol not in held]  # fmt: skip
    return Answer(frame, _together([missing_table(*gaps), *(chain.missing for chain in chains.values())]))


def _together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One MISSING table, each row once, by symbol and kind."""
    filled = [table for table in tables if len(table)]
    if not filled:
        return missing_table()
    return pd.concat(filled).drop_duplicates().sort_values(["symbol", "what", "reason"], ignore_index=True)

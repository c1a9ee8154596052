"""Sources of market data: the protocol each of them answers, the register of all, and how an answer says what it lacks.

A new source is one file with a class that keeps ``Source`` and one line in ``REGISTER``. What it needs to know comes
from variables called ``SIGMA_<NAME>_<OPTION>``, which it lists in ``traits.options``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import LATEST, SHORT_INTEREST, missing
from sigmalib.core.times import Interval, sessions
from sigmalib.data.manners import Health, Limits, Manners

REGISTER = {
    "sample": "sigmalib.data.sample:Sample",
    "yahoo": "sigmalib.data.yahoo:Yahoo",
    "polygon": "sigmalib.data.polygon:Polygon",
    "crypto": "sigmalib.data.crypto:Crypto",
    "files": "sigmalib.data.folder:Folder",
}

BILL_DAYS = 91
RateQuote = Literal["effective", "discount", "bond"]

GENERIC = ("per_minute", "burst", "workers", "timeout")  # options of every vendor, for its Limits


@dataclass(frozen=True, eq=False)
class Answer:
    """What a source gave, and what it did not: ``missing`` is a MISSING table with a reason for each symbol."""

    frame: pd.DataFrame
    missing: pd.DataFrame


@dataclass(frozen=True)
class Option:
    """Something a source is told by ``SIGMA_<SOURCE>_<NAME>``; ``secret`` ones are shown nowhere."""

    name: str
    help: str
    default: str = ""
    required: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Traits:
    """What can be known of a source before it is asked.

    about : what it is, in a sentence. limits : how it may be asked; None when nothing leaves this machine.
    rate_symbol : whose close is the risk-free rate in percent a year, quoted as ``rate_quote`` says. volatility_symbol
    : the volatility index. fx_symbol : template of the symbol whose close is ``base`` for one ``currency``. ships : it
    comes with the product, so that it is asked without being fetched first. funds : it may be asked for American funds
    though it cannot list them, those that stand for a factor among them. short_interest : it has some.
    """

    about: str
    ships: bool = False
    funds: bool = False
    short_interest: bool = False
    limits: Limits | None = None
    options: tuple[Option, ...] = ()
    intervals: tuple[Interval, ...] = ("1d",)
    benchmark: str = "SPY"
    rate_symbol: str = ""
    rate_quote: RateQuote = "effective"
    volatility_symbol: str = ""
    fx_symbol: str = ""


@dataclass(frozen=True)
class Opening:
    """What a source is opened with: its options, a folder of its own in the workspace, and how to be polite."""

    options: Mapping[str, str] = field(repr=False)
    folder: Path
    manners: Manners


class Source(Protocol):
    """Somebody who knows prices. Every method answers for what it has and lists what it lacks; none guesses."""

    name: str

    @property
    def traits(self) -> Traits:
        """What can be known of it before it is asked."""
        ...

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS (or MINUTES, by UTC instant) of each symbol from ``start`` to ``end``, both included.

        Prices are as traded, dividends and splits as of their session; ``adjusted_close`` is NaN where it follows
        from them. Missing: ``price`` for a symbol that is unknown, ``history`` for part of one.
        """
        ...

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """ACTIONS of each symbol from ``start`` to ``end``; missing: ``split`` where they are not known."""
        ...

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES: name, kind, sector, industry, currency and dividend yield."""
        ...

    def quotes(self, symbols: Sequence[str]) -> Answer:
        """LATEST: bid, ask and last trade of each symbol at this moment; missing: ``quote``."""
        ...

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """QUOTES of the options on ``underlying`` at the close of ``as_of``."""
        ...

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """SHORT_INTEREST of each symbol that was settled from ``start`` to ``end``; missing: ``short_interest``.

        A source that knows the latest alone answers with that, when it lies in the range.
        """
        ...

    def rates(self, start: date, end: date) -> Answer:
        """The risk-free rate (date; column ``rate``, annual effective fraction), with the last one before ``start``."""
        ...

    def fx(self, currencies: Sequence[str], base: str, start: date, end: date) -> Answer:
        """(session x currency) units of ``base`` for one unit of each currency."""
        ...

    def coverage(self) -> pd.DataFrame:
        """By symbol: first, last (sessions), sessions (count), fields and origin, of all the source holds."""
        ...


class Kind(Protocol):
    """A class of sources, as the register names it."""

    traits: Traits

    def opened(self, opening: Opening) -> Source:
        """A source, ready to be asked; nothing is requested yet. Raises InputError for an option it cannot use."""
        ...


class FromBars:
    """Actions, rates and exchange rates of a source that has them in bars, or as bars of other symbols (``Traits``)."""

    name: str
    traits: Traits

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS, as every ``Source`` answers them."""
        raise NotImplementedError

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """ACTIONS: the sessions with a dividend or a split; missing where there are no bars to know it from."""
        answer = self.bars(symbols, start, end)
        gaps = [(str(gap.symbol), "split", f"splits unknown: {gap.reason}") for gap in answer.missing.itertuples()]
        return Answer(actions_in(answer.frame), missing(*gaps))

    def quotes(self, symbols: Sequence[str]) -> Answer:
        """No quotes of this moment, unless the source has a way to ask for them."""
        reason = f"the {self.name} source has no quotes of this moment; ask a live one, such as yahoo"
        return Answer(LATEST.empty(), missing(*((symbol.strip().upper(), "quote", reason) for symbol in symbols)))

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """No short interest, unless the source has a way to ask for it."""
        reason = f"the {self.name} source has no short interest; fetch it from another, such as yahoo"
        wanted = sorted({symbol.strip().upper() for symbol in symbols})
        return Answer(SHORT_INTEREST.empty(), missing(*((symbol, "short_interest", reason) for symbol in wanted)))

    def rates(self, start: date, end: date) -> Answer:
        """The risk-free rate as an annual effective fraction, from the closes of ``traits.rate_symbol``."""
        if not self.traits.rate_symbol:
            return Answer(_no_rates(), missing(("USD", "rate", f"the {self.name} source has no risk-free rate")))
        answer = self.bars([self.traits.rate_symbol], (pd.Timestamp(start) - pd.Timedelta(days=10)).date(), end)
        quoted = answer.frame["close"].droplevel("symbol").dropna() / 100
        effective = effective_rate(quoted, self.traits.rate_quote)
        in_force = max(int(effective.index.searchsorted(pd.Timestamp(start), side="right")) - 1, 0)
        found = effective.iloc[in_force:].rename("rate").rename_axis("date").to_frame()
        gaps = [("USD", "rate", str(row.reason)) for row in answer.missing.itertuples()] if found.empty else []
        return Answer(found if len(found) else _no_rates(), missing(*gaps))

    def fx(self, currencies: Sequence[str], base: str, start: date, end: date) -> Answer:
        """(session x currency) from the closes of ``traits.fx_symbol``, on the sessions of New York."""
        days, columns, gaps = sessions(start, end), {}, []
        for currency in sorted({name.upper() for name in currencies} - {base.upper()}):
            if not self.traits.fx_symbol:
                gaps.append((currency, "fx", f"the {self.name} source has no exchange rates"))
                continue
            symbol = self.traits.fx_symbol.format(currency=currency, base=base.upper())
            answer = self.bars([symbol], start, end)
            if answer.frame.empty:
                gaps += [(currency, "fx", str(row.reason)) for row in answer.missing.itertuples()]
            else:
                columns[currency] = answer.frame["close"].droplevel("symbol").reindex(days)
        return Answer(pd.DataFrame(columns, index=days), missing(*gaps))

    def coverage(self) -> pd.DataFrame:
        """Nothing: a vendor is asked, and what was fetched is in the cache."""
        columns = ["first", "last", "sessions", "fields", "source", "origin"]
        return pd.DataFrame(columns=columns, index=pd.Index([], name="symbol", dtype="str"))


def effective_rate(quoted: pd.Series, quote: RateQuote) -> pd.Series:
    """Annual effective rates out of quoted ones, all fractions a year.

    discount : of a bill of 91 days, on 360 days of its face value: (1 - d 91/360) ^ (-365/91) - 1. bond : compounded
    twice a year: (1 + y/2) ^ 2 - 1. Source: Fabozzi, Fixed Income Mathematics, 4th ed. (2006), chapters on yields and
    bills.

    >>> effective_rate(pd.Series([0.0525]), "discount").round(6).tolist()
    [0.055047]
    """
    if quote == "discount":
        return (1 - quoted * BILL_DAYS / 360) ** (-365 / BILL_DAYS) - 1
    return (1 + quoted / 2) ** 2 - 1 if quote == "bond" else quoted


def actions_in(bars: pd.DataFrame) -> pd.DataFrame:
    """ACTIONS: the sessions of BARS with a dividend or a split; an unknown one is none of either."""
    found = pd.DataFrame({"dividend": bars["dividend"].fillna(0.0), "split": bars["split"].fillna(1.0)})
    return found[(found["dividend"] != 0) | (found["split"] != 1)]


def source_class(name: str) -> Kind:
    """The class behind a name of the register; raises InputError naming the nearest."""
    if name not in REGISTER:
        near = get_close_matches(name, REGISTER, n=1) or list(REGISTER)
        raise InputError(f"there is no source {name!r}; the sources are {', '.join(REGISTER)}; try {near[0]!r}")
    module, _, class_name = REGISTER[name].partition(":")
    found: Kind = getattr(import_module(module), class_name)
    return found


def required_variables(name: str) -> list[str]:
    """The variables without which the source ``name`` cannot be opened; InputError for an unknown source."""
    needed = (option for option in source_class(name).traits.options if option.required)
    return [f"SIGMA_{name.upper()}_{option.name.upper()}" for option in needed]


def similar(symbol: str, known: Iterable[str]) -> str:
    """A question after the symbol of ``known`` that is most like a mistyped one, empty when none is near.

    >>> similar("APPL", ["AAPL", "MSFT"]), similar("XYZ", ["AAPL"])
    ('did you mean AAPL?', '')
    """
    near = get_close_matches(symbol, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def open_source(
    name: str, variables: Mapping[str, str], *, folder: Path, told: Callable[[Health], None]
) -> tuple[Source, Manners | None]:
    """The source ``name`` with what ``SIGMA_<NAME>_*`` among ``variables`` says, and its manners if it is a vendor.

    folder : of its own, in the workspace. told : is given every change of the source's health.
    Raises InputError for an unknown source or option, or one that is required and absent.
    """
    found = source_class(name)
    prefix = f"SIGMA_{name.upper()}_"
    options = {key.removeprefix(prefix).lower(): value for key, value in variables.items() if key.startswith(prefix)}
    known = [option.name for option in found.traits.options] + (list(GENERIC) if found.traits.limits else [])
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, n=1) or known
            says = f"try {prefix}{near[0].upper()}" if near else f"the {name} source has no settings"
            raise InputError(f"{prefix}{option.upper()} is no setting; {says}")
    for needed in found.traits.options:
        if needed.required and not options.get(needed.name):
            raise InputError(f"the {name} source needs {prefix}{needed.name.upper()}: {needed.help}")
    given = {needed.name: needed.default for needed in found.traits.options if needed.default} | options
    limits = Limits.of(found.traits.limits or Limits(per_minute=1e6), options, source=name)
    manners = Manners(name, limits, told=told)
    return found.opened(Opening(given, folder, manners)), manners if found.traits.limits else None


def _no_rates() -> pd.DataFrame:
    return pd.DataFrame({"rate": pd.Series(dtype="float64")}, index=pd.DatetimeIndex([], name="date"))

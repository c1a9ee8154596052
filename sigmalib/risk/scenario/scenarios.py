"""Scenarios: named shocks of the market as values, read from TOML text."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from difflib import get_close_matches
from numbers import Real
from typing import Any

from sigmalib.core.errors import InputError
from sigmalib.core.levels import written
from sigmalib.core.times import to_date
from sigmalib.risk.scenario.standard import SERIES, STANDARD

LIMITS: Mapping[str, tuple[float, float, str]] = {  # the least and the most that is believed, and an example
    "market": (-1.0, 1.0, "a fraction such as -0.10 for a fall of 10 %"),
    "factors": (-1.0, 1.0, "a fraction such as -0.05 for a fall of 5 %"),
    "sectors": (-1.0, 1.0, "a fraction such as -0.15 for a fall of 15 %"),
    "names": (-1.0, 5.0, "a fraction such as -0.20 for a fall of 20 %"),
    "fx": (-1.0, 1.0, "a fraction such as -0.05 for a fall of 5 % against the base currency"),
    "volatility": (-1.0, 9.0, "a relative change such as 0.25 for a quarter more"),
    "volatility_points": (-2.0, 2.0, "points as a fraction such as 0.10 for ten points"),
    "rates": (-0.5, 0.5, "a fraction such as 0.0025 for 25 basis points"),
    "days": (0.0, 36500.0, "calendar days from 0"),
}
TABLES = ("factors", "sectors", "names", "fx")
Mapped = Mapping[str, float]


@dataclass(frozen=True)
class Scenario:
    """A named move of the market; what it does not name follows through betas, or does not move.

    market : simple return of the benchmark. factors : of other series, by the factor's name (``oil``); names without a
    shock of their own move by their betas to all of these, estimated together. sectors, names : direct shocks by sector
    and by underlying, the name before the sector before the betas. volatility : relative change of every option's
    volatility, volatility_points added to it. rates : added to the continuous rate. fx : of currencies against the base
    currency. days : calendar days that pass. start, end : a window of the past replayed instead of market, factors and
    sectors. series : by factor, the symbols that may stand for it, the first that has data does.
    All moves are fractions. Raises InputError for one that cannot be meant.

    >>> Scenario("crash", market=-0.2, volatility_points=0.1).to_dict()["market"]
    -0.2
    """

    name: str
    description: str = ""
    market: float | None = None
    factors: Mapped = field(default_factory=dict)
    sectors: Mapped = field(default_factory=dict)
    names: Mapped = field(default_factory=dict)
    volatility: float = 0.0
    volatility_points: float = 0.0
    rates: float = 0.0
    fx: Mapped = field(default_factory=dict)
    days: float = 0.0
    start: date | None = None
    end: date | None = None
    series: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: SERIES)

    def __post_init__(self) -> None:
        for key in ("start", "end"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, to_date(getattr(self, key), what=key))
        if not isinstance(self.name, str) or not self.name.strip():
            raise InputError(f"a scenario needs a `name`, was {self.name!r}")
        for key, value in self._shocks():
            _check_number(self.name, key, value)
            self._keep(key, value)
        if (self.start is None) != (self.end is None):
            raise InputError(f"scenario {self.name!r}: a window has both `start` and `end`; give the other one, too")
        if self.historical:
            self._check_window()

    @property
    def historical(self) -> bool:
        """Whether a window of the past is replayed."""
        return self.start is not None

    @property
    def driven_by(self) -> dict[str, float]:
        """The moves that names follow through betas, the benchmark's under ``market``."""
        return {**({} if self.market is None else {"market": self.market}), **self.factors}

    def to_dict(self) -> dict[str, Any]:
        """What was said, as plain values; what was not is left out."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "series"}
        kept = {name: value for name, value in told.items() if value not in (None, "", {}) and value != 0.0}
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in kept.items()}

    def _shocks(self) -> Iterator[tuple[str, Any]]:
        for key in LIMITS:
            value = getattr(self, key)
            if key in TABLES:
                if not isinstance(value, Mapping):
                    raise InputError(f"scenario {self.name!r}: `{key}` maps names to moves, was {value!r}")
                yield from ((f"{key}.{name}", move) for name, move in value.items())
            elif value is not None:
                yield key, value

    def _keep(self, key: str, value: Any) -> None:
        """The number as a plain one, whatever library it came from."""
        if type(value) in (int, float):
            return
        plain = written(value)
        table, dot, name = key.partition(".")
        object.__setattr__(self, table, {**getattr(self, table), name: plain} if dot else plain)

    def _check_window(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise InputError(f"scenario {self.name!r}: `start` must be before `end`, was {self.start} to {self.end}")
        both = [key for key in ("market", "factors", "sectors") if getattr(self, key)]
        if both:
            raise InputError(f"scenario {self.name!r}: a window replays the past, so leave out `{both[0]}`")


def parse_scenarios(text: str, *, source: str = "scenarios") -> tuple[Scenario, ...]:
    """Scenarios out of TOML text: ``[[scenario]]`` tables, and ``[series]`` with the symbols of factors.

    source : how messages name the text. Raises InputError with the line: for text that is no TOML, an unknown key (with
    the nearest one), a value that is none, or a name that comes twice.

    >>> [scenario.market for scenario in parse_scenarios('''
    ... [[scenario]]
    ... name = "Market -10 %"
    ... market = -0.10
    ... ''')]
    [-0.1]
    """
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not TOML: {error}") from error
    _known(read, ("scenario", "series"), source, text, -1)
    blocks = read.get("scenario", [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise InputError(f"{source}: write each scenario under its own [[scenario]]")
    series = {**SERIES, **_series(read.get("series", {}), source)}
    found: dict[str, Scenario] = {}
    for number, block in enumerate(blocks):
        scenario = _scenario(block, series, source, text, number)
        if scenario.name in found:
            line = line_of(text, "name", number)
            raise InputError(f"{source}, line {line}: the name {scenario.name!r} comes twice; give each its own")
        found[scenario.name] = scenario
    return tuple(found.values())


def standard_scenarios() -> tuple[Scenario, ...]:
    """The scenarios that the product ships; their text is ``standard.STANDARD``, to copy and change.

    >>> standard_scenarios()[0].name
    'Market +5 %'
    """
    return parse_scenarios(STANDARD, source="standard scenarios")


def line_of(text: str, key: str, block: int) -> int:
    """The number of the line of ``key`` in the ``block``-th scenario (-1: outside them), or else of its start."""
    pattern = re.compile(rf"""(^|[\[{{,.\s])["']?{re.escape(key)}["']?\s*[=\].]""")
    current, inside, started = -1, False, 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if bare.startswith("[[scenario]]"):
            current, inside = current + 1, True
            started = number if current == block else started
            continue
        if bare.startswith("[") and not re.match(r"\[\[?\s*scenario\s*\.", bare):
            inside = False
        here = current == block if inside else block < 0
        if key and here and not bare.startswith("#") and pattern.search(line):
            return number
    return started


def _scenario(block: dict[str, Any], series: Any, source: str, text: str, number: int) -> Scenario:
    keys = [f.name for f in fields(Scenario) if f.name != "series"]
    _known(block, keys, source, text, number)
    if "name" not in block:
        raise InputError(f"{source}, line {line_of(text, '', number)}: a scenario needs a `name`")
    try:
        return Scenario(**block, series=series)
    except InputError as error:
        told = re.search(r"`([^`]+)`", str(error))
        key = told.group(1).split(".", 1)[-1] if told else ""
        raise InputError(f"{source}, line {line_of(text, key, number)}: {error}") from error


def _known(block: dict[str, Any], keys: Any, source: str, text: str, number: int) -> None:
    for key in block:
        if key not in keys:
            near = get_close_matches(key, keys, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(keys)}"
            raise InputError(f"{source}, line {line_of(text, key, number)}: unknown key `{key}`{hint}")


def _series(given: Any, source: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict):
        raise InputError(f"{source}: `series` maps factors to symbols, was {given!r}")
    read = {factor: (symbols,) if isinstance(symbols, str) else symbols for factor, symbols in given.items()}
    for factor, symbols in read.items():
        if not isinstance(symbols, (list, tuple)) or not symbols or not all(isinstance(s, str) for s in symbols):
            raise InputError(f"{source}: `series.{factor}` is a symbol or a list of them, was {symbols!r}")
    return {factor: tuple(symbols) for factor, symbols in read.items()}


def _check_number(scenario: str, key: str, value: Any) -> None:
    least, most, example = LIMITS[key.split(".", 1)[0]]
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"scenario {scenario!r}: `{key}` must be a number, {example}; was {value!r}")
    if not least <= float(value) <= most:
        raise InputError(f"scenario {scenario!r}: `{key}` must lie in [{least:g}, {most:g}], {example}; was {value:g}")

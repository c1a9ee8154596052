"""The stored source: what was fetched from a vendor, answering the protocol of every other source without a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from sigmalib.core.frames import BARS, missing
from sigmalib.core.instruments import calendar_of
from sigmalib.core.times import Interval, sessions
from sigmalib.data.cache import Cache
from sigmalib.data.cache.panel import CLOSE, FIELDS
from sigmalib.data.cache.shelf import Shelf
from sigmalib.data.reference import held_short_interest, latest_chain, latest_profiles
from sigmalib.data.short_interest import chosen
from sigmalib.data.sources import Answer, FromBars, Traits, actions_in

Gap = tuple[str, str, str]


@dataclass
class Stored(FromBars):
    """A vendor's data as the cache has it; ``known_at`` cuts what became known later (default: all that is stored)."""

    name: str
    traits: Traits
    cache: Cache
    known_at: datetime | None = None

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        """BARS (MINUTES) of each symbol from ``start`` to ``end``, both included, out of the cache.

        Missing: ``price`` for a symbol that was never fetched or has nothing in the range, ``history`` where some of it
        was not fetched, with the command that does it, or has sessions without a bar.
        """
        wanted = sorted({symbol.strip().upper() for symbol in symbols})
        groups: dict[str, list[str]] = {}
        for symbol in wanted:
            groups.setdefault(self.cache.part(interval, symbol), []).append(symbol)
        frames, gaps = [], []
        for names in groups.values():
            shelf = self.cache.shelf(self.name, interval, names[0])
            frames.append(shelf.bars(names, *shelf.instants((start, end)), self.known_at))
            gaps += [gap for name in names for gap in self._gaps(shelf, name, start, end)]
        filled = [frame for frame in frames if len(frame)]
        return Answer(
            pd.concat(filled).sort_index() if filled else frames[0] if frames else BARS.empty(), missing(*gaps)
        )

    def actions(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """ACTIONS of each symbol; missing where days of the range were never fetched."""
        wanted = sorted({symbol.strip().upper() for symbol in symbols})
        shelf = self.cache.shelf(self.name, "1d", "")
        bars = shelf.bars(wanted, pd.Timestamp(start), pd.Timestamp(end), self.known_at)
        gaps = [(symbol, "split", f"splits and dividends unknown: {reason}")
                for symbol in wanted for reason in self._unfetched(shelf, symbol, start, end)]  # fmt: skip
        unsaid = bars[["dividend", "split"]].isna().any(axis=1).groupby(level="symbol").sum()
        for symbol in (name for name in wanted if unsaid.get(name, 0)):
            told = f"dividends and splits of {symbol} are not given on {unsaid[symbol]} session(s)"
            gaps.append((symbol, "split", f"{told}; a position from before them may have other shares now"))
        return Answer(actions_in(bars), missing(*gaps))

    def profiles(self, symbols: Sequence[str]) -> Answer:
        """PROFILES as last fetched."""
        wanted = sorted({symbol.strip().upper() for symbol in symbols})
        held = latest_profiles(self.cache, self.name, self.known_at)
        gaps = [
            (s, "profile", f"no profile of {s} was fetched from {self.name}") for s in wanted if s not in held.index
        ]
        return Answer(held[held.index.isin(wanted)], missing(*gaps))

    def short_interest(self, symbols: Sequence[str], start: date, end: date) -> Answer:
        """SHORT_INTEREST of each symbol as fetched, settled from ``start`` to ``end``."""
        wanted = sorted({symbol.strip().upper() for symbol in symbols})
        held = held_short_interest(self.cache, self.name, self.known_at)
        found = chosen(held, wanted, start, end)
        told = set(found.index.get_level_values("symbol"))
        how = f"was fetched from {self.name}; run `sigma data fetch --book NAME --source {self.name}`"
        gaps = ((s, "short_interest", f"no short interest of {s} settled from {start} to {end} {how}")
                for s in wanted if s not in told)  # fmt: skip
        return Answer(found, missing(*gaps))

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        """QUOTES as fetched on ``as_of``; a chain of another day has no quotes of that day."""
        name = underlying.strip().upper()
        chain = latest_chain(self.cache, self.name, name, as_of, self.known_at)
        if len(chain):
            return Answer(chain, missing())
        reason = f"no chain of {name} was fetched from {self.name} on {as_of}; its options are marked by model"
        return Answer(chain, missing((name, "quote", reason)))

    def coverage(self) -> pd.DataFrame:
        """By symbol: first, last (sessions), sessions (count), fields, source and origin, of daily bars."""
        panel = self.cache.shelf(self.name, "1d", "").panel(self.known_at)
        if not panel.count:
            return super().coverage()
        days = panel.times.view("datetime64[us]")
        known = ~np.isnan(panel.planes[CLOSE, :, : panel.count])
        held = np.flatnonzero(known.any(axis=1))
        filled = ~np.isnan(panel.planes[:, held, : panel.count]).all(axis=2)
        return pd.DataFrame(
            {
                "first": pd.to_datetime(days[known[held].argmax(axis=1)]),
                "last": pd.to_datetime(days[panel.count - 1 - known[held][:, ::-1].argmax(axis=1)]),
                "sessions": known[held].sum(axis=1),
                "fields": [", ".join(name for name, has in zip(FIELDS, row, strict=True) if has) for row in filled.T],
                "source": self.name,
                "origin": f"fetched from {self.name}",
            },
            index=pd.Index([panel.symbols[place] for place in held], name="symbol", dtype="str"),
        )

    def _gaps(self, shelf: Shelf, symbol: str, start: date, end: date) -> Iterator[Gap]:
        """Why some of a range is not there: not fetched, or not given."""
        unfetched = list(self._unfetched(shelf, symbol, start, end))
        held = shelf.count(symbol, (start, end), self.known_at)
        yield from ((symbol, "history" if held else "price", reason) for reason in unfetched)
        if not unfetched and not held:
            yield symbol, "price", f"{self.name.capitalize()} has no bar of {symbol} from {start} to {end}"

    def _unfetched(self, shelf: Shelf, symbol: str, start: date, end: date) -> Iterator[str]:
        """A sentence with the remedy when days of a range were never asked for."""
        name = calendar_of(symbol)
        unasked = shelf.missing(symbol, (start, end), self.known_at)
        parts = [part for part in unasked if len(sessions(*part, name=name))]
        if parts:
            first, last = parts[0][0], parts[-1][1]
            how = f"`sigma data fetch {symbol} --source {self.name} --start {first} --end {last}`"
            yield f"{symbol} was not fetched from {first} to {last}; run {how}"

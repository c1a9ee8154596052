"""The market as it was known: one frozen picture that every calculation looks at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from hashlib import blake2b

import pandas as pd

from sigmalib.core.frames import MISSING, QUOTES
from sigmalib.core.times import DateLike, last_session, to_date


@dataclass(frozen=True, eq=False)
class MarketView:
    """What was known of a set of symbols at the close of ``as_of``.

    closes : (session x symbol), currency; the price as traded, NaN where there is none.
    adjusted : (session x symbol), currency; adjusted for splits and dividends, what returns are made of.
    rates : (date,), the risk-free rate as an annual effective fraction, each valid until the next.
    fx : (session x currency), units of ``base_currency`` for one unit of the currency.
    profiles : PROFILES, by symbol. quotes : QUOTES of options, by session and symbol.
    missing : MISSING, what the source could not give and why.

    ``until(t)`` is the only way back in time and never lets anything later through.
    """

    as_of: date
    closes: pd.DataFrame
    adjusted: pd.DataFrame
    rates: pd.Series
    fx: pd.DataFrame
    profiles: pd.DataFrame
    benchmark: str
    base_currency: str
    source: str
    quotes: pd.DataFrame = field(default_factory=QUOTES.empty)
    missing: pd.DataFrame = field(default_factory=MISSING.empty)

    def until(self, day: DateLike) -> MarketView:
        """The same picture as it was at the close of ``day``, or of the last session before it."""
        as_of = min(last_session(day), self.as_of)
        end = pd.Timestamp(as_of)
        return replace(
            self,
            as_of=as_of,
            closes=self.closes.loc[:end],
            adjusted=self.adjusted.loc[:end],
            rates=self.rates.loc[:end],
            fx=self.fx.loc[:end],
            quotes=self.quotes[self.quotes.index.get_level_values("session") <= end],
        )

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Simple one-session returns (session x symbol); NaN where either close is unknown."""
        return self.adjusted.pct_change(fill_method=None).iloc[1:]

    def prices(self, day: DateLike | None = None) -> pd.Series:
        """Closes by symbol at ``day`` (default: the as-of session); all NaN when the session is not there."""
        return _row(self.closes, to_date(day or self.as_of))

    def fx_rates(self, day: DateLike | None = None) -> pd.Series:
        """Base currency per unit of each currency at ``day``; the base currency itself is 1, an unknown one absent."""
        known = _row(self.fx, to_date(day or self.as_of)).dropna()
        return pd.concat([known.drop(self.base_currency, errors="ignore"), pd.Series({self.base_currency: 1.0})])

    def rate(self, day: DateLike | None = None) -> float:
        """The annual effective risk-free rate in force at ``day``; NaN before the first that is known."""
        known = self.rates.loc[: pd.Timestamp(to_date(day or self.as_of))].dropna()
        return float(known.iloc[-1]) if len(known) else float("nan")

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change when any value in the picture does."""
        digest = blake2b(f"{self.as_of}|{self.benchmark}|{self.base_currency}|{self.source}".encode(), digest_size=8)
        for frame in (self.closes, self.adjusted, self.rates.to_frame("rate"), self.fx, self.profiles, self.quotes):
            digest.update("|".join(map(str, frame.columns)).encode())
            digest.update(pd.util.hash_pandas_object(frame).to_numpy().tobytes())
        return digest.hexdigest()


def _row(frame: pd.DataFrame, day: date) -> pd.Series:
    stamp = pd.Timestamp(day)
    if stamp not in frame.index:
        return pd.Series(float("nan"), index=frame.columns, dtype="float64")
    return frame.loc[[stamp]].iloc[0]

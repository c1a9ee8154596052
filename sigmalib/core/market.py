"""The market as it was known: one frozen picture that every calculation looks at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from hashlib import blake2b

import numpy as np
import pandas as pd

from sigmalib.core.frames import ACTIONS, MISSING, QUOTES, SHORT_INTEREST
from sigmalib.core.times import DateLike, last_session, to_date


@dataclass(frozen=True, eq=False)
class MarketView:
    """What was known of a set of symbols at the close of ``as_of``.

    closes : (session x symbol), currency; the price as traded, NaN where there is none.
    adjusted : (session x symbol), currency; the total return level, what returns are made of. A dividend or a split
    never changes an earlier level, so that a cut in time is exact.
    actions : ACTIONS, the dividends and splits of the symbols, also before the closes start.
    rates : (date,), the risk-free rate as an annual effective fraction, each valid until the next.
    fx : (session x currency), units of ``base_currency`` for one unit of the currency.
    profiles : PROFILES, by symbol. quotes : QUOTES of options, by session and symbol.
    short_history : SHORT_INTEREST, all that was published by ``as_of``; ``short_interest`` is the latest of it.
    missing : MISSING, what the source could not give and why.
    actions_known : symbols whose dividends and splits are known over the whole picture.
    known_at : the instant after which nothing that became known is in the picture; None is all that is stored.

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
    actions: pd.DataFrame = field(default_factory=ACTIONS.empty)
    actions_known: frozenset[str] = frozenset()
    known_at: datetime | None = None
    short_history: pd.DataFrame = field(default_factory=SHORT_INTEREST.empty)

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
            actions=self.actions[self.actions.index.get_level_values("session") <= end],
            short_history=self.short_history[self.short_history["published"] <= end],
        )

    def before(self, day: DateLike) -> MarketView:
        """The picture at ``day`` with its closes in the shares of this as-of: split in between where shares were."""
        earlier = self.until(day)
        since = self.actions[self.actions.index.get_level_values("session") > pd.Timestamp(earlier.as_of)]
        ratios = since["split"].groupby(level="symbol").prod()
        split = [symbol for symbol in ratios.index[ratios != 1] if symbol in earlier.closes]
        if not split:
            return earlier
        closes, actions = earlier.closes.copy(), earlier.actions.copy()
        closes[split] = closes[split] / ratios[split]
        actions["dividend"] /= ratios.reindex(actions.index.get_level_values("symbol"), fill_value=1.0).to_numpy()
        return replace(earlier, closes=closes, actions=actions)

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Simple one-session returns (session x symbol); NaN where either close is unknown."""
        return self.adjusted.pct_change(fill_method=None).iloc[1:]

    @cached_property
    def short_interest(self) -> pd.DataFrame:
        """The latest short interest known at ``as_of``, by symbol; a symbol without any is absent.

        settled (settlement date), published (session), percent_of_float (fraction), days_to_cover (days) and
        shares_short (shares), NaN where the source leaves one out.
        """
        return latest_short_interest(self.short_history)

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

    def dividend_yields(self) -> pd.Series:
        """The continuous dividend yield a year by symbol: from the dividends of the last 365 days where they are known.

        log(1 + dividends / close), each dividend in the shares of the as-of, so 0 where none was paid; NaN without a
        close. Where dividends are not known it is the profile's, an assumption that has no date.
        """
        told = self.profiles["dividend_yield"].astype("float64")
        trailing = (self._paid().reindex(told.index, fill_value=0.0) / self.prices().reindex(told.index)).map(np.log1p)
        return told.where(~told.index.isin(self.actions_known), trailing)

    def _paid(self) -> pd.Series:
        """Dividends per share of the last 365 days by symbol, in the shares of the as-of."""
        table = self.actions.reset_index().sort_values("session", ascending=False, kind="stable")
        since = table.groupby("symbol")["split"].cumprod() / table["split"]  # splits after each session
        recent = table["session"] > pd.Timestamp(self.as_of) - pd.Timedelta(days=365)
        return (table["dividend"] / since)[recent].groupby(table["symbol"]).sum()

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change when any value in the picture does."""
        said = (self.as_of, self.benchmark, self.base_currency, self.source, *sorted(self.actions_known))
        digest = blake2b("|".join(map(str, said)).encode(), digest_size=8)
        for frame in self._tables():
            digest.update("|".join(map(str, frame.columns)).encode())
            digest.update(pd.util.hash_pandas_object(frame).to_numpy().tobytes())
        return digest.hexdigest()

    def _tables(self) -> tuple[pd.DataFrame, ...]:
        rates = self.rates.to_frame("rate")
        known = self.closes, self.adjusted, rates, self.fx, self.profiles, self.quotes, self.actions, self.missing
        return (*known, self.short_history) if len(self.short_history) else known


def latest_short_interest(history: pd.DataFrame) -> pd.DataFrame:
    """The row of each symbol that was settled last (symbol; settled and the columns of SHORT_INTEREST)."""
    rows = history.reset_index().sort_values("session", kind="stable").drop_duplicates("symbol", keep="last")
    settled = rows.assign(session=rows["session"].astype("datetime64[us]")).rename(columns={"session": "settled"})
    return settled.set_index(settled["symbol"].astype("str")).drop(columns="symbol").sort_index()


def _row(frame: pd.DataFrame, day: date) -> pd.Series:
    stamp = pd.Timestamp(day)
    if stamp not in frame.index:
        return pd.Series(float("nan"), index=frame.columns, dtype="float64")
    return frame.loc[[stamp]].iloc[0]

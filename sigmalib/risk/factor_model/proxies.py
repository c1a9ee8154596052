"""The eight factors of the house, and the funds that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import missing
from sigmalib.risk.factor_model.betas import plain

MINIMUM = 60


@dataclass(frozen=True)
class Factor:
    """A factor: its name, the funds that carry it in order of preference, and others that may stand in for them."""

    name: str
    proxies: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()


FACTORS: tuple[Factor, ...] = (
    Factor("market", ("SPY",)),
    Factor("value", ("VTV",), ("VLUE",)),
    Factor("growth", ("VUG",), ("IVW",)),
    Factor("momentum", ("MTUM",)),
    Factor("quality", ("QUAL",)),
    Factor("size", ("IWM", "SIZE")),
    Factor("low_volatility", ("USMV", "SPLV")),
    Factor("short_interest"),  # no fund: a z-score across names, see ``short_interest_exposure``
)


@dataclass(frozen=True, eq=False)
class ProxyReturns:
    """Factor returns out of funds: what serves, and what does not.

    returns : (session x factor), simple returns; a factor without a fund is absent. served : factor -> symbol.
    labels : factor -> how it is to be shown, which names a stand-in. missing : MISSING, the factors that are absent.
    """

    returns: pd.DataFrame
    served: pd.Series
    labels: pd.Series
    missing: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """What serves and what does not, as plain values."""
        told = {"served": plain(self.served), "labels": plain(self.labels)}
        return told | {"missing": self.missing.to_dict("records")}


def proxy_returns(
    returns: pd.DataFrame,
    *,
    benchmark: str | None = None,
    factors: Sequence[Factor] = FACTORS,
    minimum: int = MINIMUM,
) -> ProxyReturns:
    """The returns of each factor: those of its first fund with ``minimum`` known returns.

    returns : (session x symbol), simple returns; NaN where unknown. benchmark : the index that the market factor falls
    back on. A factor that no fund serves is absent and told in ``missing`` (what: factor). InputError when ``returns``
    is no frame.

    >>> days = pd.bdate_range("2024-01-02", periods=60)
    >>> funds = pd.DataFrame({"SPX": 0.01, "IWM": 0.02, "VLUE": 0.0}, index=days)
    >>> found = proxy_returns(funds, benchmark="SPX")
    >>> list(found.labels)
    ['market (SPX, in place of SPY)', 'value (VLUE, in place of VTV)', 'size (IWM)']
    >>> found.missing["symbol"].to_list()
    ['growth', 'momentum', 'quality', 'low_volatility', 'short_interest']
    """
    if not isinstance(returns, pd.DataFrame):
        raise InputError(f"`returns` must be a frame (session x symbol), was {type(returns).__name__}")
    numbers = returns.select_dtypes("number")
    known = np.isfinite(numbers).sum()
    served, labels, absent = {}, {}, []
    for factor in factors:
        fallback = (benchmark,) if factor.name == "market" and benchmark else ()
        asked = tuple(dict.fromkeys((*factor.proxies, *factor.stand_ins, *fallback)))
        found = next((symbol for symbol in asked if known.get(symbol, 0) >= minimum), None)
        if found is None:
            absent.append((factor.name, "factor", _why(factor, asked, known, minimum)))
            continue
        served[factor.name] = found
        proper = "" if found in factor.proxies else f", in place of {factor.proxies[0]}"
        labels[factor.name] = f"{factor.name} ({found}{proper})"
    chosen = pd.DataFrame({name: numbers[symbol] for name, symbol in served.items()}, index=returns.index)
    told, shown = (pd.Series(each, dtype="str").rename_axis("factor") for each in (served, labels))
    return ProxyReturns(chosen, told, shown, missing(*absent))


def _why(factor: Factor, asked: tuple[str, ...], known: pd.Series, minimum: int) -> str:
    """Why no fund serves a factor, as a sentence."""
    if not asked:
        return "has no fund: it is measured across names, by their short interest"
    told = [f"{symbol} has {known[symbol]} known returns" if symbol in known else f"no {symbol}" for symbol in asked]
    return f"{', '.join(told)}; {minimum} are needed"

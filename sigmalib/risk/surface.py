"""The volatility surface from a frame of quotes: implied volatilities, then smiles free of arbitrage where they can be.

>>> import pandas as pd
>>> quotes = pd.DataFrame({"contractSymbol": [], "bid": [], "ask": []}).set_index("contractSymbol")
>>> len(implied_chain(quotes, as_of="2022-12-28", spot=100.0, rate=0.04))
0
"""

from __future__ import annotations

from sigmalib.risk.marks import chain_of, surface_of
from sigmalib.risk.volatility.chain import implied_chain
from sigmalib.risk.volatility.surface import VolatilitySurface, calendar_violations, fit_surface

__all__ = ["VolatilitySurface", "calendar_violations", "chain_of", "fit_surface", "implied_chain", "surface_of"]

"""The scenarios that the product ships, as the TOML text that a user may copy, change and add to."""

from __future__ import annotations

from collections.abc import Mapping

from sigmalib.risk.factor_model.proxies import FACTORS

FUNDS = {  # those of the house's factors; what moves the market is the benchmark
    factor.name.replace("_", " "): (*factor.proxies, *factor.stand_ins)
    for factor in FACTORS
    if factor.proxies and factor.name != "market"
}

SERIES: Mapping[str, tuple[str, ...]] = {  # what may stand for a factor, in order of preference
    **FUNDS,
    "oil": ("WTI", "CL=F", "USO", "BNO"),
    "DAX": ("DAX", "^GDAXI", "EWG"),
    "gold": ("GLD", "IAU", "GC=F"),
}

DURATIONS: Mapping[
    str, float
] = {  # years: how far a rise in yields by 1 lets a bond fund fall, about, by its factsheet
    "IEF": 7.2,
    "TLT": 16.0,
    "AGG": 6.0,
}

STANDARD = """\
# Moves are fractions: -0.10 is a fall of 10 %; rates 0.0025 is 25 basis points; volatility_points 0.10 is ten points.

[[scenario]]
name = "Market +5 %"
market = 0.05

[[scenario]]
name = "Market -5 %"
market = -0.05

[[scenario]]
name = "Market +10 %"
market = 0.10

[[scenario]]
name = "Market -10 %"
market = -0.10

[[scenario]]
name = "Market +20 %"
market = 0.20

[[scenario]]
name = "Market -20 %"
market = -0.20

[[scenario]]
name = "Market -20 %, volatility +15 points"
description = "A crash, in which options become dearer"
market = -0.20
volatility_points = 0.15

[[scenario]]
name = "Rates +25 bp"
rates = 0.0025

[[scenario]]
name = "Rates -25 bp"
rates = -0.0025

[[scenario]]
name = "Rates +100 bp"
rates = 0.01

[[scenario]]
name = "Rates -100 bp"
rates = -0.01

[[scenario]]
name = "Volatility +10 points"
description = "Options only; the underlyings stay where they are"
volatility_points = 0.10

[[scenario]]
name = "Oil +5 %"
factors = { oil = 0.05 }

[[scenario]]
name = "Oil -5 %"
factors = { oil = -0.05 }

[[scenario]]
name = "DAX +10 %"
factors = { DAX = 0.10 }

[[scenario]]
name = "DAX -10 %"
factors = { DAX = -0.10 }

[[scenario]]
name = "Rotation from growth to value"
factors = { growth = -0.10, value = 0.05 }

[[scenario]]
name = "Rotation from value to growth"
factors = { growth = 0.10, value = -0.05 }

[[scenario]]
name = "1998: Russia and LTCM"
start = 1998-07-17
end = 1998-08-31

[[scenario]]
name = "2000-2002: dot-com"
start = 2000-03-24
end = 2002-10-09

[[scenario]]
name = "2008: Lehman"
start = 2008-09-12
end = 2008-11-20

[[scenario]]
name = "2011: downgrade of the US"
start = 2011-07-22
end = 2011-08-08

[[scenario]]
name = "2020: COVID-19"
start = 2020-02-19
end = 2020-03-23

[[scenario]]
name = "2020: rebound"
start = 2020-03-23
end = 2020-08-18

[[scenario]]
name = "2022: rise of rates"
start = 2022-01-03
end = 2022-10-12
"""

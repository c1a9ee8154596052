"""The volatility implied in the price of an American option: Newton's steps inside a bracket."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sigmalib.risk.pricing.exercise import Accuracy
from sigmalib.risk.pricing.inputs import CALL, Terms
from sigmalib.risk.pricing.solutions import answers_of

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[Any]

VOLATILITIES = 1e-4, 20.0  # between which a volatility is looked for
MOST_STEPS = 100


def implied_in(given: Terms, accuracy: Accuracy) -> Floats:
    """Newton steps kept inside a bracket, first with the fast and then with the asked accuracy."""
    price, spot, strike, years, rate, carry = given.arrays
    volatility = np.full(price.shape, np.nan)

    def priced(places: Places, trial: Floats, way: Accuracy) -> Floats:
        rest = tuple(array[places] for array in (spot, strike, years, rate, carry))
        return answers_of(Terms((*rest, trial), given.sign[places], places.shape), way)

    with np.errstate(all="ignore"):
        least = priced(np.arange(price.size), np.zeros(price.size), accuracy)[0]
        most = np.where(
            given.sign == CALL,
            spot * np.fmax(1.0, np.exp(-carry * years)),
            strike * np.fmax(1.0, np.exp(-rate * years)),
        )
        known = (price > least * (1 + 1e-14)) & (years > 0) & (price < most)
        guess = np.sqrt(2.0 * np.abs(np.log(spot / strike) + (rate - carry) * years) / years)
    places = np.flatnonzero(known)
    trial = np.clip(guess[places], 0.1, 3.0)
    for way in dict.fromkeys(("fast", accuracy)):
        low, high = (np.full(places.size, bound) for bound in VOLATILITIES)
        live, close = np.arange(places.size), 1e-6 if way != accuracy else 1e-9
        for _ in range(MOST_STEPS):
            value, vega = priced(places[live], trial[live], way)[[0, 3]]
            excess = value - price[places[live]]
            above = excess > 0
            high[live] = np.where(above, trial[live], high[live])
            low[live] = np.where(above, low[live], trial[live])
            with np.errstate(all="ignore"):
                step = trial[live] - excess / vega
            tight = high[live] - low[live] < 1e-15 * high[live]
            done = (np.abs(excess) <= close * np.minimum(1.0, strike[places[live]])) | tight | np.isnan(excess)
            middle = np.sqrt(low[live] * high[live])
            moved = np.where((step > low[live]) & (step < high[live]), step, middle)
            trial[live] = np.where(done, trial[live], moved)
            if way == accuracy:
                near = np.abs(excess) <= 1e-8 * np.maximum(1.0, strike[places[live]] / 100)
                volatility[places[live]] = np.where(near, trial[live], np.nan)
            live = live[~done]
            if live.size == 0:
                break
    return volatility

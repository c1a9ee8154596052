"""Short interest in a picture of the market: the latest that was published, and nothing of what came later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.frames import SHORT_INTEREST, check
from sigmalib.core.market import MarketView, latest_short_interest
from tests.markets import market

ROWS = [
    ("2022-10-31", "AAA", "2022-11-10", 0.02, 1.5, 1000.0),
    ("2022-11-15", "AAA", "2022-11-28", 0.03, 2.5, 2000.0),
    ("2022-11-30", "AAA", "2022-12-12", np.nan, 3.5, 3000.0),
    ("2022-11-15", "BBB", "2022-11-28", 0.30, np.nan, np.nan),
]


@pytest.fixture
def shorted() -> MarketView:
    """A market with three counts of one name and one of another."""
    frame = pd.DataFrame(ROWS, columns=["session", "symbol", *SHORT_INTEREST.names])
    frame = frame.astype({"session": "datetime64[us]", "published": "datetime64[us]"})
    history = check(frame.set_index(["session", "symbol"]).sort_index(), SHORT_INTEREST)
    return replace(market(), short_history=history)


def test_a_market_has_no_short_interest_unless_it_is_given() -> None:
    found = market().short_interest
    assert list(found.columns) == ["settled", *SHORT_INTEREST.names]
    assert (len(found), found.index.name) == (0, "symbol")


def test_the_short_interest_of_a_symbol_is_the_one_settled_last(shorted: MarketView) -> None:
    found = shorted.short_interest
    assert found.index.to_list() == ["AAA", "BBB"]
    assert found.loc["AAA", "settled"] == pd.Timestamp("2022-11-30")
    assert found["days_to_cover"].to_list()[0] == 3.5
    assert np.isnan(found.loc["AAA", "percent_of_float"])  # the latest does not say it: no older one stands in for it
    assert found.loc["BBB", "percent_of_float"] == 0.30


@pytest.mark.parametrize(
    ("day", "covers"),
    [("2022-11-09", {}), ("2022-11-10", {"AAA": 1.5}), ("2022-11-25", {"AAA": 1.5}), ("2022-12-09", {"AAA": 2.5}),
     ("2022-12-12", {"AAA": 3.5})],
)  # fmt: skip
def test_what_was_not_published_yet_is_not_seen(shorted: MarketView, day: str, covers: dict[str, float]) -> None:
    assert shorted.until(day).short_interest["days_to_cover"].dropna().to_dict() == covers


def test_the_order_of_rows_makes_no_difference(shorted: MarketView) -> None:
    mixed = latest_short_interest(shorted.short_history.iloc[::-1])
    pd.testing.assert_frame_equal(mixed, shorted.short_interest)


def test_only_a_filled_table_is_part_of_the_fingerprint(shorted: MarketView) -> None:
    assert replace(shorted, short_history=SHORT_INTEREST.empty()).fingerprint == market().fingerprint
    assert shorted.fingerprint != market().fingerprint
    changed = shorted.short_history.assign(shares_short=1.0)
    assert replace(shorted, short_history=changed).fingerprint != shorted.fingerprint
    assert shorted.until("2022-11-09").fingerprint == market().until("2022-11-09").fingerprint

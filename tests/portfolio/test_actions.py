"""What splits make of the positions of before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmalib.core.errors import InputError
from sigmalib.core.frames import ACTIONS, POSITIONS, check
from sigmalib.core.instruments import parse_option
from sigmalib.portfolio import positions as books
from sigmalib.portfolio.actions import RECORD, apply_splits

RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "options"
AS_OF = "2022-12-28"
COLUMNS = ["ticker", "quantity", "entry_price", "entry_date"]


def book(*rows: tuple[object, ...]) -> pd.DataFrame:
    positions, rejected = books.parse(pd.DataFrame(list(rows), columns=COLUMNS), as_of=AS_OF)
    assert rejected.empty
    return positions


def splits(*rows: tuple[str, str, float]) -> pd.DataFrame:
    """ACTIONS of (session, symbol, new shares for one old), each with a dividend that plays no part."""
    if not rows:
        return ACTIONS.empty()
    table = pd.DataFrame(rows, columns=["session", "symbol", "split"]).assign(dividend=0.25)
    table["session"] = pd.to_datetime(table["session"]).astype("datetime64[us]")
    return check(table.set_index(["session", "symbol"])[ACTIONS.names], ACTIONS)


def after(positions: pd.DataFrame, actions: pd.DataFrame, as_of: str = AS_OF) -> tuple[pd.DataFrame, pd.DataFrame]:
    changed, record = apply_splits(positions, actions, as_of)
    assert list(record.columns) == list(RECORD)
    return check(changed, POSITIONS), record


def cost(positions: pd.DataFrame) -> pd.Series:
    return positions["quantity"] * positions["entry_price"] * positions["multiplier"]


BOOK = (
    ("AAPL", 100, 500.0, "2020-08-03"),
    ("AAPL", -40, 480.0, "2020-08-31"),
    ("MSFT", 10, 200.0, "2020-08-03"),
    ("AAPL210115C00332500", -2, 60.0, "2020-08-03"),
    ("CASH", 1_000, 1.0, "2020-08-03"),
)
FOUR = ("2020-08-31", "AAPL", 4.0)


@pytest.mark.parametrize(
    "actions",
    [
        splits(),
        splits(("2020-08-31", "AAPL", 1.0)),
        splits(("2020-08-31", "TSLA", 5.0)),
        splits(("2020-08-03", "MSFT", 2.0)),
        splits(("2023-01-03", "AAPL", 2.0)),
    ],
)
def test_without_a_split_that_counts_the_positions_are_the_very_same(actions):
    positions = book(*BOOK)
    changed, record = after(positions, actions)
    assert changed is positions
    assert (len(record), record.dtypes.astype(str).to_dict()) == (0, RECORD)


def test_shares_bought_before_a_split_are_counted_in_new_shares():
    changed, record = after(book(*BOOK), splits(FOUR))
    assert changed.loc[0, ["symbol", "quantity", "entry_price"]].tolist() == ["AAPL", 400, 125]
    assert record.loc[0].tolist()[:-1] == [pd.Timestamp("2020-08-31"), "AAPL", 4, 100, 400]
    assert record["sentence"][0] == (
        "100 AAPL at 500 became 400 AAPL at 125 by the split of AAPL on 2020-08-31, 4 new for one old"
    )


def test_an_entry_on_the_session_of_the_split_is_in_new_shares_already():
    changed, _ = after(book(*BOOK), splits(FOUR))
    assert changed.loc[1, ["quantity", "entry_price"]].tolist() == [-40, 480]


def test_a_split_counts_from_its_session_on():
    positions = book(*BOOK)
    assert after(positions, splits(FOUR), "2020-08-28")[0] is positions
    assert after(positions, splits(FOUR), "2020-08-31")[0]["quantity"][0] == 400


def test_everything_else_stays_in_its_place_and_the_callers_table_as_it_was():
    positions = book(*BOOK).set_axis([5, 3, 9, 1, 7])
    positions.insert(0, "note", range(5))
    kept = positions.copy()
    changed, _ = after(positions, splits(FOUR))
    pd.testing.assert_frame_equal(positions, kept)
    pd.testing.assert_frame_equal(changed.loc[[3, 9, 7]], positions.loc[[3, 9, 7]])
    assert (list(changed.columns), list(changed.index)) == (list(positions.columns), [5, 3, 9, 1, 7])


def test_a_whole_split_makes_more_contracts_with_a_lower_strike_and_its_symbol():
    changed, record = after(book(*BOOK), splits(FOUR))
    names = ["symbol", "quantity", "entry_price", "multiplier", "strike", "kind"]
    assert changed.loc[3, names].tolist() == ["AAPL210115C00083130", -8, 15, 100, 83.13, "SC"]  # half a cent up
    contract = parse_option(changed["symbol"][3])
    assert (contract.strike, contract.underlying, contract.expiry) == (83.13, "AAPL", changed["expiry"][3].date())
    assert record["symbol"].tolist() == ["AAPL", "AAPL210115C00332500"]
    assert "became -8 AAPL210115C00083130 at 15" in record["sentence"][1]


@pytest.mark.parametrize(("expiry", "contracts"), [("200828", 1), ("200831", 4), ("200904", 4)])
def test_an_option_that_expired_before_the_split_is_left_alone(expiry, contracts):
    positions = book((f"AAPL{expiry}C00500000", 1, 5.0, "2020-08-03"))
    assert after(positions, splits(FOUR))[0]["quantity"][0] == contracts


@pytest.mark.parametrize("ratio", [1.5, 0.1, 1.05])
def test_after_any_other_split_what_an_option_delivers_is_unknown_and_said(ratio):
    positions = book(("AAPL210115C00332500", -2, 60.0, "2020-08-03"), ("AAPL", 100, 500.0, "2020-08-03"))
    changed, record = after(positions, splits(("2020-08-31", "AAPL", ratio)))
    assert np.isnan(changed["multiplier"][0])
    pd.testing.assert_series_equal(changed.loc[0].drop("multiplier"), positions.loc[0].drop("multiplier"))
    assert changed["quantity"][1] == pytest.approx(100 * ratio)
    assert record["quantity_after"].tolist() == [-2, pytest.approx(100 * ratio)]
    assert (
        "what it delivers now is not known; it has no price until the contract of the OCC's memo"
        in record["sentence"][0]
    )


def test_an_adjusted_contract_stays_unknown_through_a_whole_split_and_a_mini_keeps_its_ten():
    positions = book(("AAPL1210115C00332500", 1, 60.0, "2020-08-03"), ("AAPL7210115C00332500", 1, 60.0, "2020-08-03"))
    changed, _ = after(positions, splits(FOUR))
    assert changed.loc[0, ["symbol", "quantity"]].tolist() == ["AAPL1210115C00332500", 1]
    assert np.isnan(changed["multiplier"][0])
    assert changed.loc[1, ["symbol", "quantity", "multiplier"]].tolist() == ["AAPL7210115C00083130", 4, 10]


def test_a_strike_too_small_to_be_split_is_unknown():
    changed, _ = after(book(("AAPL210115C00000040", 1, 60.0, "2020-08-03")), splits(("2020-08-31", "AAPL", 10.0)))
    assert np.isnan(changed["multiplier"][0])


def test_splits_follow_one_another_in_the_order_of_their_sessions():
    held = book(("AAPL", 3, 560.0, "2014-01-02"), ("AAPL150117C00700000", 1, 28.0, "2014-01-02"))
    changed, record = after(held, splits(FOUR, ("2014-06-09", "AAPL", 7.0)))
    assert changed["quantity"].tolist() == [84, 7]  # the option had expired before the second
    assert changed["entry_price"].tolist() == [20, 4]
    assert [f"{day:%Y}" for day in record["session"]] == ["2014", "2014", "2020"]
    assert record["quantity_before"].tolist() == [3, 1, 21]


def test_a_broken_share_is_pointed_out():
    _, record = after(book(("AAPL", 105, 5.0, "2020-08-03")), splits(("2020-08-31", "AAPL", 0.1)))
    assert record["quantity_after"].tolist() == [10.5]
    assert record["sentence"][0].endswith("0.1 new for one old; see what was paid for the fraction")


@pytest.mark.parametrize("ratio", [0.0, -2.0, np.inf])
def test_a_split_that_is_no_positive_number_is_refused(ratio):
    with pytest.raises(InputError, match=r"split of AAPL on 2020-08-31.*is a positive number"):
        apply_splits(book(*BOOK), splits(("2020-08-31", "AAPL", ratio)), AS_OF)


RATIOS = st.sampled_from([2.0, 3.0, 4.0, 7.0, 10.0, 20.0, 1.5, 0.1, 0.4714, 1.05])
DAYS = st.sampled_from(["2020-06-01", "2020-08-03", "2021-02-01", "2022-07-18", "2023-03-01"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(DAYS, st.sampled_from(["AAPL", "MSFT"]), RATIOS), max_size=5, unique_by=lambda row: row[:2]),
    st.floats(0.01, 1e6),
    st.integers(-(10**6), 10**6).filter(bool),
)
def test_no_split_changes_what_a_position_cost(rows, price, quantity):
    positions = book(
        ("AAPL", quantity, price, "2020-08-03"),
        ("AAPL230120P00332500", quantity, price, "2020-08-03"),
        ("CASH", quantity, 1.0, "2020-08-03"),
    )
    changed, record = after(positions, splits(*rows))
    known = changed["multiplier"].notna()
    np.testing.assert_allclose(cost(changed)[known], cost(positions)[known], rtol=1e-9)
    assert known.tolist()[::2] == [True, True]
    assert (changed is positions) == record.empty


@pytest.mark.skipif(not RECORDED.is_dir(), reason="needs the recorded market data beside the project")
def test_every_contract_recorded_before_a_split_is_found_after_it_under_its_new_symbol():
    """AAPL, 7:1 on Monday 2014-06-09: the calls listed on the Thursday before, of which the first expired on Friday."""
    thursday, monday = (calls(RECORDED / f"lean_aapl_universe_201406{day}.csv.gz") for day in ("05", "09"))
    held = book(*((symbol, 1, 7.0, "2014-01-02") for symbol in thursday if not symbol.startswith("AAPL140606")))
    changed, _ = after(held, splits(("2014-06-09", "AAPL", 7.0)))
    assert len(held) == 1090
    assert set(changed["symbol"]) <= set(monday)


def calls(file: Path) -> list[str]:
    listed = pd.read_csv(file).iloc[1:].rename(columns={"#expiry": "expiry"}).query("right == 'C'")
    return [f"AAPL{row.expiry - 20e6:.0f}C{round(row.strike * 1000):08d}" for row in listed.itertuples()]

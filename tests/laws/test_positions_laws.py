"""What holds of every table of positions and every list of trades."""

import tempfile
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmalib.core.frames import POSITIONS, check
from sigmalib.data import exports, files
from sigmalib.portfolio import positions as books
from sigmalib.portfolio import proforma

AS_OF = date(2022, 12, 28)
law = settings(deadline=None)  # the first example may load the calendar
SYMBOLS = ("AAPL", "BRK.B", "^GSPC", "O:SPX230120P03800000", "MSFT230120C00240000", "CASH", "CASH.EUR")

finite = st.floats(-1e9, 1e9).filter(lambda x: abs(x) > 1e-6)
contracts = st.integers(-1000, 1000).filter(bool)
prices = st.floats(1e-4, 1e6)
days = st.dates(date(1990, 1, 2), AS_OF)
scraps = st.sampled_from(
    ["", " ", "AAPL", "O:", "CASH.", "1,200", "-$5", "(3)", "1/2/2022", "2022-13-01", "=1", "'", ","]
)
texts = st.one_of(st.text(max_size=24), st.lists(scraps, max_size=3).map("".join))


@st.composite
def rows(draw: st.DrawFn) -> dict[str, object]:
    """One row that an import accepts, whatever its names and tags."""
    symbol = draw(st.sampled_from(SYMBOLS))
    cash, option = symbol.startswith("CASH"), len(symbol) > 15
    return {
        "ticker": symbol,
        "quantity": draw(contracts if option else finite),
        "entry_price": 1 if cash else draw(prices),
        "entry_date": draw(days),
        "currency": "" if cash else draw(st.sampled_from(["", "usd", "EUR"])),
        "tags": draw(texts),
        "strategy": draw(texts).replace(",", " "),
    }


tables = st.lists(rows(), max_size=6, unique_by=lambda row: (row["ticker"], row["entry_date"])).map(
    lambda found: pd.DataFrame(found, columns=[*books.REQUIRED, *books.OPTIONAL])
)
one_currency_each = tables.map(lambda table: books.parse(table.assign(currency=""), as_of=AS_OF)[0])
trades = st.fixed_dictionaries({"symbol": st.sampled_from(["AAPL", "XYZ", "SPX230120P03800000"]), "quantity": contracts,
                                "price": prices})  # fmt: skip


@law
@given(tables)
def test_an_export_reimports_to_the_same_positions(table):
    positions, rejected = books.parse(table, as_of=AS_OF)
    assert rejected.empty
    again, refused = books.parse(positions, as_of=AS_OF)
    assert refused.empty
    pd.testing.assert_frame_equal(again, positions, check_exact=True)


@law
@given(tables)
def test_an_export_reimports_through_a_file(table):
    positions, _ = books.parse(table, as_of=AS_OF)
    with tempfile.TemporaryDirectory() as folder:
        path = files.write_text(Path(folder) / "book.csv", exports.csv_text(positions))
        again, refused = books.parse(files.read_table(path), as_of=AS_OF)
    assert refused.empty
    pd.testing.assert_frame_equal(again, positions, check_exact=True)


@law
@given(st.lists(st.tuples(*[texts] * 9), max_size=5))
def test_any_text_gives_positions_or_reasons_and_never_an_error(cells):
    table = pd.DataFrame(cells, columns=[*books.REQUIRED, *books.OPTIONAL, books.SURPLUS], dtype="str")
    positions, rejected = books.parse(table, as_of=AS_OF)
    check(positions, POSITIONS)
    blank = sum(not any(cell.strip() for cell in row) for row in cells)
    assert len(positions) + rejected["line"].nunique() + blank == len(cells)
    assert (rejected["rule"] != "").all()
    assert (rejected["fix"] != "").all()
    assert rejected["line"].is_monotonic_increasing


@law
@given(tables, st.randoms())
def test_the_order_of_columns_does_not_matter(table, random):
    shuffled = random.sample(list(table.columns), len(table.columns))
    expected, _ = books.parse(table, as_of=AS_OF)
    pd.testing.assert_frame_equal(books.parse(table[shuffled], as_of=AS_OF)[0], expected)


@law
@given(tables, days)
def test_every_position_is_held_or_left_out_for_a_reason(table, day):
    positions, _ = books.parse(table, as_of=AS_OF)
    live, left_out = books.held(positions, day)
    assert sorted([*live["symbol"], *left_out["symbol"]]) == sorted(positions["symbol"])
    assert left_out["reason"].notna().all()


@law
@given(one_currency_each, st.lists(trades, max_size=4))
def test_trades_and_their_reverses_in_one_list_are_the_identity(positions, wanted):
    back = [one | {"quantity": -one["quantity"]} for one in wanted]
    pd.testing.assert_frame_equal(proforma.apply(positions, wanted + back, as_of=AS_OF), positions, check_exact=True)


@pytest.mark.slow
@law
@given(one_currency_each, trades)
def test_a_trade_and_a_later_reverse_leave_every_net_quantity(positions, one):
    there = proforma.apply(positions, [one], as_of=AS_OF)
    back = proforma.apply(there, [one | {"quantity": -one["quantity"]}], as_of=AS_OF)
    net = pd.concat([positions.assign(sign=-1), back.assign(sign=1)])
    change = (net["quantity"] * net["sign"]).groupby(net["symbol"]).sum()
    scale = 1 + positions["quantity"].abs().sum() + abs(one["quantity"]) * one["price"] * 100
    assert (change.abs() <= 1e-12 * scale).all()


@pytest.mark.slow
@law
@given(one_currency_each, st.integers(1, 1000), prices)
def test_a_lot_opened_and_closed_again_leaves_the_same_rows(positions, quantity, price):
    one = {"symbol": "XYZ", "quantity": quantity, "price": price}
    there = proforma.apply(positions, [one], as_of=AS_OF)
    back = proforma.apply(there, [one | {"quantity": -quantity}], as_of=AS_OF)
    cash = positions["kind"] == "CASH"
    pd.testing.assert_frame_equal(back[~cash], positions[~cash], check_exact=True)
    pd.testing.assert_frame_equal(back[cash], positions[cash], rtol=0, atol=1e-6)
    assert len(there) == len(positions) + 1


@pytest.mark.slow
@law
@given(one_currency_each, st.lists(trades, max_size=4))
def test_one_list_of_trades_changes_each_net_quantity_by_their_sum(positions, wanted):
    after = proforma.apply(positions, wanted, as_of=AS_OF)
    for symbol in {one["symbol"] for one in wanted}:
        traded = sum(one["quantity"] for one in wanted if one["symbol"] == symbol)
        before, now = (frame.loc[frame["symbol"] == symbol, "quantity"].sum() for frame in (positions, after))
        assert abs(now - before - traded) <= 1e-11 * (1 + abs(traded) + positions["quantity"].abs().sum())

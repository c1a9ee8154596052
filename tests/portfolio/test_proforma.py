"""What the book would be after some trades."""

import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.frames import POSITIONS, check
from sigmalib.portfolio import positions as books
from sigmalib.portfolio import proforma

AS_OF = "2022-12-28"
ROWS = [
    ("AAPL", 100, 150, "2022-01-03", "USD"),
    ("AAPL", 60, 140, "2022-05-02", "USD"),
    ("SAP", 20, 90, "2022-01-03", "EUR"),
    ("O:AAPL230120C00150000", -2, 6, "2022-11-01", "USD"),
    ("CASH", 10_000, 1, "2022-01-03", "USD"),
    ("CASH.EUR", 500, 1, "2022-01-03", "EUR"),
]
COLUMNS = ["ticker", "quantity", "entry_price", "entry_date", "currency"]


def book(rows: list[tuple[object, ...]] = ROWS) -> pd.DataFrame:
    positions, rejected = books.parse(pd.DataFrame(rows, columns=COLUMNS), as_of=AS_OF)
    assert rejected.empty
    return positions


def trade(symbol: str, quantity: float, price: float = 100.0) -> dict[str, object]:
    return {"symbol": symbol, "quantity": quantity, "price": price}


def after(*trades: dict[str, object], rows: list[tuple[object, ...]] = ROWS) -> pd.DataFrame:
    return check(proforma.apply(book(rows), list(trades), as_of=AS_OF), POSITIONS)


def lots(positions: pd.DataFrame, symbol: str) -> list[float]:
    return positions.loc[positions["symbol"] == symbol, "quantity"].tolist()


def cash(positions: pd.DataFrame, symbol: str = "CASH") -> float:
    return lots(positions, symbol)[0]


@pytest.mark.parametrize("nothing", [[], (), pd.DataFrame(), pd.DataFrame(columns=["symbol", "quantity", "price"])])
def test_no_trades_are_the_identity_bit_for_bit(nothing):
    positions = book().set_axis([5, 3, 9, 1, 7, 2])
    positions.insert(0, "note", range(6))
    pd.testing.assert_frame_equal(proforma.apply(positions, nothing, as_of=AS_OF), positions, check_exact=True)


def test_a_purchase_opens_a_lot_at_its_price_and_date():
    new = after(trade("msft", 10, 240.0)).iloc[-1]
    told = ["symbol", "kind", "quantity", "entry_price", "currency", "multiplier", "underlying", "tags"]
    assert new[told].tolist() == ["MSFT", "LONG", 10, 240, "USD", 1, "MSFT", ()]
    assert new["entry_date"] == pd.Timestamp(AS_OF)


def test_an_option_trade_carries_its_contract_and_multiplier():
    positions = after(trade("O:MSFT230120P00240000", -3, 8.0))
    new = positions.iloc[-1]
    assert new[["symbol", "kind", "multiplier", "strike", "right"]].tolist() == [
        "MSFT230120P00240000", "SP", 100, 240, "put"]  # fmt: skip
    assert cash(positions) == 10_000 + 3 * 100 * 8


def test_more_of_what_is_held_is_a_lot_of_its_own():
    assert lots(after(trade("AAPL", 5)), "AAPL") == [100, 60, 5]


def test_a_sale_takes_the_last_lot_first():
    assert lots(after(trade("AAPL", -10)), "AAPL") == [100, 50]
    assert lots(after(trade("AAPL", -60)), "AAPL") == [100]
    assert lots(after(trade("AAPL", -100)), "AAPL") == [60]
    assert lots(after(trade("AAPL", -160)), "AAPL") == []


def test_the_last_lot_is_the_last_by_date_and_not_by_row():
    assert lots(after(trade("AAPL", -10), rows=[ROWS[1], ROWS[0]]), "AAPL") == [50, 100]


def test_a_sale_beyond_what_is_held_goes_short():
    positions = after(trade("AAPL", -200, 130.0))
    assert lots(positions, "AAPL") == [-40]
    assert positions.iloc[-1]["kind"] == "SHORT"
    assert cash(positions) == 10_000 + 200 * 130


def test_buying_back_a_short_option_closes_it():
    positions = after(trade("AAPL  230120C00150000", 2, 1.5))
    assert lots(positions, "AAPL230120C00150000") == []
    assert cash(positions) == 10_000 - 2 * 100 * 1.5


def test_a_lot_entered_later_is_not_reduced():
    positions = proforma.apply(book(), [trade("AAPL", -10)], as_of="2022-03-01")
    assert lots(positions, "AAPL") == [90, 60]


def test_cash_moves_in_the_currency_the_symbol_is_held_in():
    positions = after(trade("SAP", 5, 100.0))
    assert positions.iloc[-1]["currency"] == "EUR"
    assert (cash(positions), cash(positions, "CASH.EUR")) == (10_000, 0)


def test_an_option_is_in_the_currency_of_its_underlying():
    assert after(trade("SAP230120C00100000", 1, 2.0)).iloc[-1]["currency"] == "EUR"


def test_a_symbol_sold_and_bought_back_keeps_its_currency():
    positions = after(trade("SAP", -20, 100.0), trade("SAP", 10, 101.0))
    assert positions.iloc[-1]["currency"] == "EUR"
    assert cash(positions, "CASH.EUR") == 500 + 2000 - 1010


def test_without_a_cash_row_none_appears():
    assert after(trade("MSFT", 10), rows=ROWS[:3])["kind"].tolist() == ["LONG"] * 4


def test_trades_into_an_empty_book_are_the_book():
    positions = proforma.apply(POSITIONS.empty(), [trade("MSFT", 10)], as_of=AS_OF, base_currency="EUR")
    assert positions.dtypes.to_dict() == POSITIONS.empty().dtypes.to_dict()
    assert positions["currency"].tolist() == ["EUR"]


def test_trades_are_done_one_after_the_other():
    positions = after(trade("MSFT", 10, 240.0), trade("MSFT", -4, 250.0))
    assert lots(positions, "MSFT") == [6]
    assert cash(positions) == 10_000 - 2400 + 1000


def test_float_dust_is_no_position():
    rows = [("BTC", 0.1, 10, f"2022-01-0{day}", "USD") for day in (3, 4, 5)]
    assert after(trade("BTC", -0.3), rows=rows).empty
    assert after(trade("BTC", -(0.1 + 0.2)), rows=rows).empty


def test_the_callers_book_and_trades_are_not_changed():
    positions, trades = book(), pd.DataFrame([trade("AAPL", -70), trade("MSFT", 5)])
    before, asked = positions.copy(), trades.copy()
    changed = proforma.apply(positions, trades, as_of=AS_OF)
    pd.testing.assert_frame_equal(positions, before)
    pd.testing.assert_frame_equal(trades, asked)
    assert changed.dtypes.to_dict() == positions.dtypes.to_dict()
    assert changed.index.equals(pd.RangeIndex(len(changed)))


def test_a_trade_and_its_reverse_in_one_list_are_the_identity():
    pd.testing.assert_frame_equal(
        after(trade("AAPL", -70), trade("MSFT", 5), trade("AAPL", 70), trade("MSFT", -5)), book()
    )


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (trade("AAPL", 0), r"trade 2 \(AAPL\): quantity 0 is zero; "),
        (trade("AAPL", float("nan")), r"trade 2 \(AAPL\): quantity is missing; "),
        (trade("AAPL", 1, 0), r"trade 2 \(AAPL\): price 0.0 is not positive; "),
        (trade("AAPL", 1, float("nan")), r"trade 2 \(AAPL\): price is missing; "),
        (trade("AAPL", 1, float("inf")), r"trade 2 \(AAPL\): price inf is not a finite number; "),
        (trade("AAPL230120C00150000", 1.5),
         r"trade 2 \(AAPL230120C00150000\): quantity 1.5 is not a whole number of contracts; "),
        (trade("AAPL220617C00150000", 1),
         r"trade 2 \(AAPL220617C00150000\): as_of 2022-12-28 is after the option's expiry 2022-06-17"),
        (trade("=A1", 1), r"trade 2 \(=A1\): symbol '=A1' starts like a spreadsheet formula"),
        (trade("CASH", 5, 1), r"trade 2 \(CASH\): cash is not traded, it follows from the other trades; leave it out"),
        (trade("SDS1231204C00003000", 1), "adjusted contract's, whose deliverable is not known; leave it out"),
    ],
)  # fmt: skip
def test_a_trade_that_makes_no_sense_is_refused_by_name(bad, told):
    with pytest.raises(InputError, match=told):
        after(trade("MSFT", 1), bad)


def test_trades_without_a_price_column_are_refused():
    with pytest.raises(InputError, match=r"`trades` needs the column\(s\) price; pass symbol, quantity, price"):
        proforma.apply(book(), [{"symbol": "AAPL", "quantity": 1}], as_of=AS_OF)

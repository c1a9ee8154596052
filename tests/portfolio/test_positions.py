"""What an analyst's table may look like, and what is said of every row that is refused."""

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.frames import POSITIONS, check
from sigmalib.portfolio import positions as book

AS_OF = "2022-12-28"
GOOD = {"ticker": "AAPL", "quantity": "100", "entry_price": "150", "entry_date": "2022-01-03"}


def table(*rows: dict[str, object]) -> pd.DataFrame:
    """Rows, each the good one with other cells in it."""
    return pd.DataFrame([GOOD | row for row in rows], dtype="object")


def accepted(**cells: object) -> pd.Series:
    positions, rejected = book.parse(table(cells), as_of=AS_OF)
    assert rejected.empty, rejected["reason"].tolist()
    return positions.loc[0]


def reasons(*rows: dict[str, object]) -> list[str]:
    return book.parse(table(*rows), as_of=AS_OF)[1]["reason"].tolist()


def test_a_plain_table_keeps_the_contract_in_file_order():
    positions, rejected = book.parse(table({}, {"ticker": "msft ", "quantity": "-50"}), as_of=AS_OF)
    assert check(positions, POSITIONS).columns.tolist() == POSITIONS.names
    assert positions.dtypes.to_dict() == POSITIONS.empty().dtypes.to_dict()
    assert positions["symbol"].tolist() == ["AAPL", "MSFT"]
    assert positions["kind"].tolist() == ["LONG", "SHORT"]
    assert positions["multiplier"].tolist() == [1, 1]
    assert positions["underlying"].tolist() == ["AAPL", "MSFT"]
    assert positions[["strike", "expiry", "right", "strategy"]].isna().all(axis=None)
    assert isinstance(positions.index, pd.RangeIndex)
    assert rejected.empty
    assert rejected.columns.tolist() == ["line", "column", "value", "rule", "fix", "reason"]


@pytest.mark.parametrize("as_of", [AS_OF, date(2022, 12, 28), datetime(2022, 12, 28, 9), pd.Timestamp(AS_OF)])
def test_as_of_may_be_text_a_date_or_a_timestamp(as_of):
    positions, _ = book.parse(table({"entry_date": "2022-12-28"}), as_of=as_of)
    assert positions["entry_date"].tolist() == [pd.Timestamp("2022-12-28")]


def test_the_callers_table_is_not_changed():
    given = table({}, {"quantity": "abc"})
    before = given.copy()
    book.parse(given, as_of=AS_OF)
    pd.testing.assert_frame_equal(given, before)


# columns


@pytest.mark.parametrize(
    "names",
    [
        ["Ticker", "QUANTITY", "Entry Price", "entry-date"],
        ["symbol", "Qty", "price", "Trade Date"],
        ["SYMBOL", "qty", "EntryPrice", "trade_date"],
    ],
)
def test_column_names_are_known_by_any_case_and_alias(names):
    positions, rejected = book.parse(table({}).set_axis(names, axis=1), as_of=AS_OF)
    assert positions.loc[0, "entry_price"] == 150
    assert rejected.empty


def test_a_missing_column_is_named_with_those_found():
    with pytest.raises(InputError) as refused:
        book.parse(table({}).drop(columns=["entry_date"]).rename(columns={"quantity": "Amount"}), as_of=AS_OF)
    assert str(refused.value) == (
        "the table needs quantity, entry_date and has the columns ticker, Amount, entry_price; "
        "name them ticker, quantity, entry_price, entry_date in its first line"
    )


def test_a_table_without_columns_is_refused():
    with pytest.raises(InputError, match="has the columns none"):
        book.parse(pd.DataFrame(), as_of=AS_OF)


@pytest.mark.parametrize("twin", ["TICKER", "ticker"])
def test_a_column_given_twice_is_refused(twin):
    twice = pd.concat([table({}), pd.DataFrame({twin: ["AAPL"]})], axis=1)
    with pytest.raises(InputError, match=f"the columns 'ticker' and '{twin}' both give ticker; keep one"):
        book.parse(twice, as_of=AS_OF)


def test_a_columns_own_name_goes_before_its_aliases():
    priced = table({}).assign(price=999.0)
    positions, rejected = book.parse(priced, as_of=AS_OF)
    assert rejected.empty
    assert positions["entry_price"].tolist() == [150.0]
    assert book.ignored_columns(priced) == ("price",)


def test_what_would_make_a_book_unopenable_is_refused_at_the_door():
    found = reasons(
        {"ticker": "AAPL420117C00150000"}, {"ticker": "KO", "quantity": "1e300"}, {"ticker": "T", "entry_price": "1e13"}
    )
    assert "expires after 2040-12-31" in found[0]
    assert "quantity '1e300' is larger than 1,000,000,000,000" in found[1]
    assert "entry_price '1e13' is larger" in found[2]


def test_other_columns_are_kept_out_and_named():
    given = table({"Broker": "IB", "notes": "=1+1", "tags": "core", "(extra)": "", "": ""})
    assert book.ignored_columns(given) == ("Broker", "notes")
    assert book.parse(given, as_of=AS_OF)[0].columns.tolist() == POSITIONS.names


# cells that are accepted


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,200", 1200), (" 1,200 ", 1200), ("1200.0", 1200), ("$5", 5), ("-$1,200.50", -1200.5), ("$-5", -5),
        ("€ 1,000,000", 1e6), ("-£7", -7), ("+5", 5), ("\N{MINUS SIGN}5", -5), (".5", 0.5), ("1e3", 1000), (1200, 1200),
        (-50.5, -50.5), (np.int64(3), 3), (np.float32(0.5), 0.5), (Decimal("1.25"), 1.25), (1e-3, 0.001),
    ],
)  # fmt: skip
def test_quantities_are_read_as_analysts_write_them(cell, value):
    assert accepted(quantity=cell)["quantity"] == value


@pytest.mark.parametrize("cell", ["1,200.50", "$1,200.50", 1200.5, " € 1,200.50"])
def test_prices_are_read_as_analysts_write_them(cell):
    assert accepted(entry_price=cell)["entry_price"] == 1200.5


@pytest.mark.parametrize(
    "cell",
    [
        "2022-08-15", "2022-8-15", "8/15/2022", "08/15/2022", " 2022-08-15 ", "2022-08-15 00:00:00",
        "2022-08-15T16:00:00Z", date(2022, 8, 15), datetime(2022, 8, 15, 16), pd.Timestamp("2022-08-15"),
    ],
)  # fmt: skip
def test_dates_are_read_as_iso_or_month_day_year_or_typed(cell):
    assert accepted(entry_date=cell)["entry_date"] == pd.Timestamp("2022-08-15")


def test_an_entry_on_a_weekend_is_fine():
    assert accepted(entry_date="2022-12-25")["entry_date"] == pd.Timestamp("2022-12-25")


@pytest.mark.parametrize(
    "ticker", ["BRK.B", "BF-B", "^GSPC", "EURUSD=X", "BRK/B", "600519.SS", "SH600519", "7203", "TRUE"]
)
def test_tickers_may_have_their_usual_signs(ticker):
    assert accepted(ticker=ticker.lower())["symbol"] == ticker


@pytest.mark.parametrize(("cell", "symbol"), [(7203, "7203"), (7203.0, "7203"), (True, "TRUE")])
def test_tickers_that_a_reader_took_for_values_are_mended(cell, symbol):
    assert accepted(ticker=cell)["symbol"] == symbol


@pytest.mark.parametrize(
    "ticker",
    ["AAPL240119C00150000", "AAPL  240119C00150000", "O:AAPL240119C00150000", " aapl240119c00150000"],
)
def test_option_symbols_in_every_form_are_one_contract(ticker):
    row = accepted(ticker=ticker, quantity="-5")
    assert row[["symbol", "kind", "multiplier", "strike", "right", "underlying"]].tolist() == [
        "AAPL240119C00150000", "SC", 100, 150, "call", "AAPL"]  # fmt: skip
    assert row["expiry"] == pd.Timestamp("2024-01-19")


@pytest.mark.parametrize(
    ("right", "quantity", "kind"), [("C", 5, "LC"), ("P", 5, "LP"), ("C", -5, "SC"), ("P", -5, "SP")]
)
def test_the_kind_of_an_option_is_its_sign_and_right(right, quantity, kind):
    assert accepted(ticker=f"AAPL240119{right}00150000", quantity=quantity)["kind"] == kind


def test_an_adjusted_contract_is_told_what_it_delivers_and_no_other_may_be():
    rows = table({"ticker": "AAPL1240119C00150000"}, {"ticker": "AAPL240119C00150000"})
    positions, rejected = book.parse(rows.assign(deliverable=["150", "100"]), as_of=AS_OF)
    assert positions["multiplier"].tolist() == [150, 100]
    assert rejected.empty
    _, rejected = book.parse(rows.assign(multiplier=["-3", "10"]), as_of=AS_OF)
    assert rejected["rule"].tolist() == ["is no number of shares", "is not 100, that of AAPL240119C00150000"]


def test_an_adjusted_contract_has_no_multiplier():
    row = accepted(ticker="O:SDS1231204C00003000")
    assert np.isnan(row["multiplier"])
    assert row["underlying"] == "SDS"


def test_cash_is_in_the_base_currency_or_in_its_own():
    rows = table({"ticker": "cash", "quantity": "-2,500", "entry_price": "1"},
                 {"ticker": "cash.eur", "quantity": "0", "entry_price": "1.00"})  # fmt: skip
    positions, rejected = book.parse(rows, as_of=AS_OF, base_currency="gbp")
    assert rejected.empty
    assert positions["kind"].tolist() == ["CASH", "CASH"]
    assert positions["currency"].tolist() == ["GBP", "EUR"]
    assert positions["underlying"].tolist() == ["CASH", "CASH.EUR"]
    assert positions["quantity"].tolist() == [-2500, 0]
    assert positions["multiplier"].tolist() == [1, 1]


def test_currencies_are_upper_cased_and_default_to_the_base():
    positions, _ = book.parse(table({"currency": "eur"}, {"ticker": "MSFT", "currency": " "}), as_of=AS_OF)
    assert positions["currency"].tolist() == ["EUR", "USD"]


def test_tags_are_trimmed_once_each_in_order_and_stand_apart_from_the_strategy():
    assert accepted(tags=" income, core,,income ")["tags"] == ("income", "core")
    assert accepted(tags=["income", "core"])["tags"] == ("income", "core")
    row = accepted(tags="core", strategy=" pairs ")
    assert (row["tags"], row["strategy"]) == (("core",), "pairs")
    assert accepted(tags=None)["tags"] == ()


def test_without_a_column_for_tags_the_strategy_is_read_as_the_tags_too():
    row = accepted(strategy="covered  call")
    assert (row["tags"], row["strategy"]) == (("covered call",), "covered call")
    row = accepted(strategy="core, income")
    assert row["tags"] == ("core", "income")
    assert pd.isna(row["strategy"])


def test_a_name_that_an_export_had_to_quote_is_itself_again():
    assert accepted(tags="'=core,'@x", strategy="'-hedge")[["tags", "strategy"]].tolist() == [("=core", "@x"), "-hedge"]


def test_a_typed_table_reads_like_the_same_text():
    typed = pd.DataFrame(
        {"ticker": ["AAPL", "MSFT"], "quantity": [100, -50], "entry_price": [150.5, 250.0],
         "entry_date": pd.to_datetime(["2022-01-03", "2022-08-15"])}
    )  # fmt: skip
    text = typed.astype({"quantity": "str", "entry_price": "str"}).assign(entry_date=["1/3/2022", "2022-08-15"])
    pd.testing.assert_frame_equal(book.parse(typed, as_of=AS_OF)[0], book.parse(text, as_of=AS_OF)[0])


def test_positions_themselves_can_be_read_again():
    positions, _ = book.parse(
        table({"tags": "core", "strategy": "pairs"}, {"ticker": "CASH", "entry_price": 1}), as_of=AS_OF
    )
    pd.testing.assert_frame_equal(book.parse(positions, as_of=AS_OF)[0], positions)


def test_rows_with_nothing_in_them_are_skipped_and_counted():
    blank = dict.fromkeys(GOOD, "")
    positions, rejected = book.parse(
        table({}, blank, {"ticker": "MSFT", "quantity": "abc"}, dict.fromkeys(GOOD)), as_of=AS_OF
    )
    assert len(positions) == 1
    assert rejected["line"].tolist() == [4]


def test_an_empty_table_is_an_empty_book():
    positions, rejected = book.parse(table({}).iloc[:0], as_of=AS_OF)
    pd.testing.assert_frame_equal(positions, POSITIONS.empty())
    assert rejected.empty


# rows that are refused


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"ticker": ""}, "ticker is missing; fill it in, or remove the row"),
        ({"ticker": "=cmd|' /C calc'!A0"},
         "ticker \"=cmd|' /C calc'!A0\" starts like a spreadsheet formula; remove the leading sign and write "),
        ({"ticker": "+AAPL"}, "ticker '+AAPL' starts like a spreadsheet formula; "),
        ({"ticker": "-AAPL"}, "ticker '-AAPL' starts like a spreadsheet formula; "),
        ({"ticker": "@SUM(A1)"}, "ticker '@SUM(A1)' starts like a spreadsheet formula; "),
        ({"ticker": "\t=1+1"}, "ticker '=1+1' starts like a spreadsheet formula; "),
        ({"ticker": "Apple Inc"}, "ticker 'Apple Inc' is not a ticker; use at most 21 letters, digits and . - ^ = /, "),
        ({"ticker": "A" * 22}, "ticker 'AAAAAAAAAAAAAAAAAAAAAA' is not a ticker; "),
        ({"ticker": "ÅPL"}, "ticker 'ÅPL' is not a ticker; "),
        ({"ticker": "..."}, "ticker '...' is not a ticker; "),
        ({"ticker": "CASH.EURO"},
         "ticker 'CASH.EURO' names no cash balance; write CASH, or CASH. and three ISO letters, as in CASH.EUR"),
        ({"ticker": "AAPL240119C150"},
         "ticker 'AAPL240119C150' is not an option symbol; write root, YYMMDD, C or P and the strike x 1000 "),
        ({"ticker": "O:AAPL"}, "ticker 'O:AAPL' is not an option symbol; "),
        ({"ticker": "AAPL241319C00150000"},
         "ticker 'AAPL241319C00150000' has the expiry '241319', which is no date in YYMMDD; write root, YYMMDD, "),
        ({"ticker": "ABCDEFG240119C00150000"},
         "ticker 'ABCDEFG240119C00150000' has the root 'ABCDEFG'; a root is one to six letters, "),
        ({"ticker": "AAPL240119C00000000"}, "ticker 'AAPL240119C00000000' has a strike of zero; "),
        ({"quantity": " "}, "quantity is missing; fill it in, or remove the row"),
        ({"quantity": float("nan")}, "quantity is missing; "),
        ({"quantity": "abc"}, "quantity 'abc' is not a number; write it as 1,200 or -50"),
        ({"quantity": "-$-5"}, "quantity '-$-5' is not a number; "),
        ({"quantity": "1.2.3"}, "quantity '1.2.3' is not a number; "),
        ({"quantity": "10 shares"}, "quantity '10 shares' is not a number; "),
        ({"quantity": True}, "quantity True is not a number; "),
        ({"quantity": "1,5"},
         "quantity '1,5' is ambiguous, its comma separates no thousands; write 1,200 for thousands and "),
        ({"quantity": "12,34"}, "quantity '12,34' is ambiguous, "),
        ({"quantity": "0,500"}, "quantity '0,500' is ambiguous, "),
        ({"quantity": "1.200,50"}, "quantity '1.200,50' is ambiguous, "),
        ({"quantity": "(100)"}, "quantity '(100)' is in parentheses; write -100"),
        ({"quantity": "0"}, "quantity '0' is zero; write the number held, below zero for short, or remove the row"),
        ({"quantity": 0.0}, "quantity 0.0 is zero; "),
        ({"quantity": "1e999"}, "quantity '1e999' is not a finite number; write it as 1,200 or -50"),
        ({"quantity": float("-inf")}, "quantity -inf is not a finite number; "),
        ({"quantity": 10**400}, "is not a finite number; "),
        ({"quantity": "nan"}, "quantity 'nan' is not a number; "),
        ({"ticker": "AAPL240119C00150000", "quantity": "1.5"},
         "quantity '1.5' is not a whole number of contracts; write the contracts held, as in 5 or -5"),
        ({"entry_price": ""}, "entry_price is missing; "),
        ({"entry_price": "free"}, "entry_price 'free' is not a number; write it as 150.25 or 1,200.50"),
        ({"entry_price": "0"},
         "entry_price '0' is not positive; write the price paid or received per unit, as in 150.25"),
        ({"entry_price": "-150"}, "entry_price '-150' is not positive; "),
        ({"entry_price": float("inf")}, "entry_price inf is not a finite number; "),
        ({"ticker": "CASH", "entry_price": "1.01"},
         "entry_price '1.01' is not 1, the price of cash; write 1 and give the amount as the quantity"),
        ({"entry_date": None}, "entry_date is missing; "),
        ({"entry_date": "15/8/2022"},
         "entry_date '15/8/2022' is not a date; write it as 2022-08-15 or 8/15/2022 (month/day/year)"),
        ({"entry_date": "8/15/22"}, "entry_date '8/15/22' is not a date; "),
        ({"entry_date": "2022-02-30"}, "entry_date '2022-02-30' is not a date; "),
        ({"entry_date": 44788}, "entry_date 44788 is not a date; "),
        ({"entry_date": "2022-12-29"},
         "entry_date '2022-12-29' is after the as-of 2022-12-28; correct the date, or choose a later as-of"),
        ({"entry_date": "1990-01-01"},
         "entry_date '1990-01-01' is before 1990-01-02, the first day of the calendar; write a later date"),
        ({"ticker": "AAPL220617C00150000", "entry_date": "2022-06-18"},
         "entry_date '2022-06-18' is after the option's expiry 2022-06-17; correct the date or the symbol"),
        ({"currency": "Euro"}, "currency 'Euro' is not a currency; write its three ISO letters, as in USD"),
        ({"ticker": "CASH", "entry_price": "1", "currency": "EUR"},
         "currency 'EUR' is not the currency of CASH; write USD, or the ticker CASH.EUR"),
        ({"tags": "", "strategy": "pairs, hedge"},
         "strategy 'pairs, hedge' holds more than one name; keep one strategy and put the other names in tags"),
        ({"tags": {"core": 1}}, "tags {'core': 1} is not a list of tags; write them as \"core, income\""),
        ({"(extra)": "200"},
         "(extra) '200' is beyond the last column of the header; quote a cell with a comma, as in \"1,200\""),
    ],
)  # fmt: skip
def test_a_refused_cell_is_told_with_its_rule_and_fix(cells, told):
    (reason,) = reasons(cells)
    assert reason.startswith("line 2: ")
    assert told in reason


def test_a_row_with_two_faults_is_told_twice_and_is_not_a_position():
    positions, rejected = book.parse(table({}, {"quantity": "abc", "entry_date": "soon"}), as_of=AS_OF)
    assert len(positions) == 1
    assert rejected["line"].tolist() == [3, 3]
    assert rejected["column"].tolist() == ["quantity", "entry_date"]
    assert rejected.loc[0].tolist() == [
        3, "quantity", "abc", "is not a number", "write it as 1,200 or -50",
        "line 3: quantity 'abc' is not a number; write it as 1,200 or -50"]  # fmt: skip


def test_lines_are_those_of_the_file_where_they_are_known():
    given = table({"quantity": "abc"}, {"ticker": "MSFT", "quantity": ""}).set_axis(pd.Index([9, 7], name="line"))
    assert book.parse(given, as_of=AS_OF)[1]["line"].tolist() == [7, 9]


@pytest.mark.parametrize("again", ["AAPL240119C00150000", "O:AAPL240119C00150000", "aapl  240119c00150000"])
def test_the_same_ticker_twice_on_one_date_is_refused_in_any_spelling(again):
    rows = [{"ticker": "AAPL240119C00150000"}, {"ticker": again, "entry_date": "1/3/2022"}]
    assert reasons(*rows) == [
        f"line 3: ticker {again!r} is entered twice on 2022-01-03, first on line 2; "
        "make the two rows one, with their average price"
    ]


def test_the_same_ticker_on_two_dates_is_two_lots():
    assert reasons({}, {"entry_date": "2022-01-04"}) == []


def test_a_long_cell_is_cut_in_the_sentence_but_kept_in_the_table():
    _, rejected = book.parse(table({"quantity": "x" * 1000}), as_of=AS_OF)
    assert len(rejected.loc[0, "reason"]) < 150
    assert len(rejected.loc[0, "value"]) == 1000


def test_a_base_currency_must_be_one():
    with pytest.raises(InputError, match="`base_currency` must be three ISO letters, was 'dollar'; pass 'USD'"):
        book.parse(table({}), as_of=AS_OF, base_currency="dollar")


def test_an_as_of_must_be_a_date():
    with pytest.raises(InputError, match="as_of 'today' is not a date"):
        book.parse(table({}), as_of="today")


def test_ten_thousand_rows_are_read():
    tickers = [f"T{i}" if i % 4 else f"O:AAPL240119C{i + 1:08d}" for i in range(10_000)]
    given = pd.DataFrame(GOOD | {"tags": "core, income"}, index=range(10_000)).assign(ticker=tickers)
    positions, rejected = book.parse(given, as_of=AS_OF)
    assert (len(positions), len(rejected)) == (10_000, 0)
    assert (positions["kind"] == "LC").sum() == 2_500


# what is alive


def test_a_position_entered_after_the_as_of_is_left_out():
    positions, _ = book.parse(table({}, {"ticker": "MSFT", "entry_date": "2022-11-03"}), as_of=AS_OF)
    live, left_out = book.held(positions, "2022-10-31")
    assert live["symbol"].tolist() == ["AAPL"]
    assert left_out.to_dict("records") == [
        {"symbol": "MSFT", "reason": "entered on 2022-11-03, after the as-of 2022-10-31"}
    ]
    assert book.held(positions, "2022-11-03")[0]["symbol"].tolist() == ["AAPL", "MSFT"]


def test_a_book_of_stocks_alone_is_held_whole():
    positions, _ = book.parse(table({}), as_of=AS_OF)
    live, left_out = book.held(positions, AS_OF)
    pd.testing.assert_frame_equal(live, positions)
    assert left_out.columns.tolist() == ["symbol", "reason"]
    assert book.held(POSITIONS.empty(), AS_OF)[0].empty


@pytest.mark.parametrize(
    ("ticker", "last_day", "first_day_without"),
    [
        ("AAPL220617C00150000", "2022-06-17", "2022-06-18"),
        ("SPXW220617C03800000", "2022-06-17", "2022-06-18"),
        ("SPX220617C03800000", "2022-06-16", "2022-06-17"),  # settled on the opening prices of the 17th
        ("AAPL141122C00100000", "2014-11-21", "2014-11-22"),  # dated on a Saturday
        ("SPX141122C02000000", "2014-11-20", "2014-11-21"),  # ... and settled on Friday's opening
        ("AAPL401221C00100000", "2022-12-28", None),
    ],
)
def test_an_option_lives_through_the_close_of_its_last_session(ticker, last_day, first_day_without):
    positions, rejected = book.parse(table({"ticker": ticker, "entry_date": "2014-01-03"}), as_of=AS_OF)
    assert rejected.empty
    assert len(book.held(positions, last_day)[0]) == 1
    if first_day_without:
        live, left_out = book.held(positions, first_day_without)
        expiry = positions.loc[0, "expiry"].date()
        assert live.empty
        assert left_out["reason"].tolist() == [f"expired on {expiry}; record its settlement and remove it"]

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from exchange_calendars import get_calendar_names
from hypothesis import given
from hypothesis import strategies as st

from sigmalib.core.errors import InputError
from sigmalib.core.instruments import (
    CALENDAR_OF_SUFFIX,
    OptionContract,
    calendar_of,
    looks_like_option,
    parse_option,
)


@pytest.mark.parametrize(
    ("symbol", "root", "expiry", "right", "strike"),
    [
        ("SPX   141122P00019500", "SPX", date(2014, 11, 22), "put", 19.5),
        ("LAMR  150117C00052500", "LAMR", date(2015, 1, 17), "call", 52.5),
        ("AAPL240119C00150000", "AAPL", date(2024, 1, 19), "call", 150.0),
        ("O:SDS1220204C00003000", "SDS1", date(2022, 2, 4), "call", 3.0),
    ],
)
def test_option_symbols_are_read_from_the_right(symbol, root, expiry, right, strike):
    assert parse_option(symbol) == OptionContract(root, expiry, right, strike)


def test_the_padded_form_has_twenty_one_characters():
    assert parse_option("AAPL260918C00260000").padded == "AAPL  260918C00260000"


@pytest.mark.parametrize(
    ("symbol", "told"),
    [
        ("AAPL240119X00150000", "is not an option symbol"),
        ("AAPL241399C00150000", "expiry '241399'"),
        ("AAPL240119C00000000", "strike of zero"),
        ("TOOLONGX240119C00150000", "root 'TOOLONGX'"),
    ],
)
def test_a_faulty_option_symbol_names_the_faulty_part(symbol, told):
    with pytest.raises(InputError, match=told):
        parse_option(symbol)


def test_an_adjusted_root_has_no_known_multiplier_and_a_mini_has_ten():
    adjusted, mini = parse_option("SDS1220204C00003000"), parse_option("AAPL7130118C00500000")
    assert adjusted.adjusted
    assert np.isnan(adjusted.multiplier)
    assert (mini.multiplier, mini.underlying, mini.adjusted) == (10.0, "AAPL", False)


def test_index_roots_are_european_and_settle_on_their_index():
    weekly = parse_option("SPXW230113P03800000")
    assert (weekly.style, weekly.underlying, weekly.morning_settled) == ("European", "SPX", False)
    assert parse_option("SPX230120P03800000").morning_settled
    assert parse_option("AAPL240119C00150000").style == "American"


@given(
    st.from_regex(r"[A-Z]{1,5}", fullmatch=True),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.sampled_from(["call", "put"]),
    st.integers(1, 99_999_999),
)
def test_every_contract_survives_the_round_trip_through_its_symbols(root, expiry, right, thousandths):
    contract = OptionContract(root, expiry, right, thousandths / 1000)
    for text in (contract.symbol, contract.padded, "O:" + contract.symbol):
        assert looks_like_option(text)
        assert parse_option(text) == contract


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("24/7", ["BTC/USD", "X:BTCUSD", "BTC-USD", "ETH-USDT", "eth/btc", "1INCH-USD", "BTC/USDT:USDT", "USDC-EUR"]),
        ("24/5", ["EURUSD=X", "JPY=X", "C:EURUSD", "EUR/USD", "eur-usd", "XAU/USD"]),
        ("XETR", ["SAP.DE"]),
        ("XLON", ["AET.L", "BRBY.IL"]),
        ("XTKS", ["4063.T"]),
        ("XTSE", ["RCI-B.TO", "BBD-B.TO"]),
        (
            "XNYS",
            ["AAPL", "BRK.B", "BRK-B", "BRK/B", "^GSPC", "I:SPX", "BF.A", "BAC-PL", "USD", "ES=F", "/ES", "T", "F"],
        ),
        ("XNYS", ["AAPL240119C00150000", "O:SPXW230113P03800000", "SPX   141122P00019500"]),
    ],
)
def test_every_symbol_trades_by_the_calendar_of_its_market(name, symbols):
    assert {symbol: calendar_of(symbol) for symbol in symbols} == dict.fromkeys(symbols, name)


def test_a_faulty_option_symbol_has_no_calendar():
    with pytest.raises(InputError, match="strike of zero"):
        calendar_of("AAPL240119C00000000")


def test_every_calendar_of_a_suffix_is_known():
    assert set(CALENDAR_OF_SUFFIX.values()) <= set(get_calendar_names())

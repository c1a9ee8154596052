from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.frames import QUOTES
from sigmalib.portfolio.positions import parse
from sigmalib.risk.marks import mark, realised_volatility
from sigmalib.risk.options import bsm_price
from sigmalib.risk.report import assess
from tests.markets import AS_OF, market

CALL, PUT = "AAA230317C00100000", "AAA230317P00100000"


def test_realised_volatility_annualises_the_last_sixty_log_returns_and_needs_twenty():
    returns = market().returns.copy()
    returns.loc[returns.index[:-19], "BBB"] = np.nan
    found = realised_volatility(returns)
    assert found["AAA"] == pytest.approx(np.log1p(returns["AAA"].iloc[-60:]).std(ddof=1) * np.sqrt(252))
    assert np.isnan(found["BBB"])


def test_without_a_quote_the_mark_is_the_model_at_realised_volatility():
    found = mark(pd.Index([CALL, PUT]), market())
    assert found["price_source"].tolist() == ["model", "model"]
    assert found["volatility_source"].tolist() == ["realised, 60 sessions"] * 2
    assert found["style"].tolist() == ["American"] * 2
    assert found["expiry_years"].tolist() == pytest.approx([(79 * 86_400 - 3600) / (365 * 86_400)] * 2)


def test_a_two_sided_quote_is_the_price_and_gives_the_volatility():
    index = pd.MultiIndex.from_tuples([(pd.Timestamp("2022-12-28"), CALL)], names=["session", "symbol"])
    quotes = pd.DataFrame({"underlying": "AAA", "bid": 9.9, "ask": 10.1, "implied_volatility": 0.9}, index=index)
    found = mark(pd.Index([CALL]), market(last={"AAA": 100.0}, quotes=quotes)).iloc[0]
    assert (found.price, found.price_source, found.volatility_source) == (10.0, "quote", "implied from quote")
    terms = (found.spot, found.strike, found.expiry_years, found.rate, found.volatility)
    assert bsm_price(*terms, right="call") == pytest.approx(10.0)


def test_a_one_sided_quote_is_no_price():
    index = pd.MultiIndex.from_tuples([(pd.Timestamp("2022-12-28"), CALL)], names=["session", "symbol"])
    quotes = pd.DataFrame({"underlying": "AAA", "bid": 0.0, "ask": 10.1, "implied_volatility": np.nan}, index=index)
    assert mark(pd.Index([CALL]), market(quotes=quotes))["price_source"].tolist() == ["model"]


def test_an_adjusted_contract_is_priced_per_share_by_model_and_never_by_a_quote_of_the_whole():
    symbol = "AAA1230317C00100000"
    index = pd.MultiIndex.from_tuples([(pd.Timestamp(AS_OF), symbol)], names=list(QUOTES.index))
    quotes = pd.DataFrame({"underlying": "AAA", "bid": 55.0, "ask": 56.0}, index=index)
    found = mark(pd.Index([symbol, "AAA230317C00100000"]), market(quotes=quotes))
    assert found["price"].iloc[0] == found["price"].iloc[1]
    assert set(found["price_source"]) == {"model"}


def test_an_adjusted_contract_has_a_value_once_its_deliverable_is_given():
    rows = pd.DataFrame(
        {"ticker": ["AAA1230317C00050000"], "quantity": 2, "entry_price": 5, "entry_date": "2022-10-03"}
    )
    refused, given = (parse(table, as_of=AS_OF)[0] for table in (rows, rows.assign(multiplier=150)))
    for positions, known in ((refused, False), (given, True)):
        report = assess(positions, market())
        assert report.holdings["market_value"].notna().all() == known
        assert report.missing["reason"].str.contains("column multiplier").any() == (not known)
    price = assess(given, market()).holdings["price"].iloc[0]
    assert assess(given, market()).holdings["market_value"].iloc[0] == pytest.approx(2 * 150 * price)


def test_the_empty_list_of_options_has_no_marks():
    assert mark(pd.Index([], dtype="str"), market()).empty
    assert QUOTES.empty().empty

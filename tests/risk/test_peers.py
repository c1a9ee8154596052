from __future__ import annotations

import numpy as np
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.peers import NUMBERS
from sigmalib.risk.report import assess
from tests.markets import book, market

BOOK = (("AAA", 100, 90, "2022-01-03"), ("AAA230317P00090000", 4, 5, "2022-10-03"), ("CASH", 20_000, 1, "2022-01-03"))


@pytest.fixture(scope="module")
def report():
    return assess(book(*BOOK), market(last={"AAA": 100.0}))


@pytest.mark.parametrize("name", NUMBERS)
def test_our_own_convention_comes_first_and_is_the_number_of_the_report(report, name):
    table = report.compare_conventions(name)
    ours = {
        "var": report.tails.loc[0.95, "var"], "es": report.tails.loc[0.95, "es"], "volatility": report.volatility,
        "beta": report.beta, "max_drawdown": report.max_drawdown, "exposure": report.delta_adjusted.net,
        "gamma": report.book_greeks["gamma_1pct"], "vega": report.book_greeks["vega_point"],
        "theta": report.book_greeks["theta_day"],
    }  # fmt: skip
    assert table["value"].iloc[0] == pytest.approx(ours[name], rel=1e-12)
    assert table["who"].iloc[0].startswith("Sigma")
    assert table["difference"].iloc[0] == 0
    assert (table["why"] != "").all()


def test_a_number_without_another_convention_is_refused(report):
    with pytest.raises(InputError, match="must be one of var, es"):
        report.compare_conventions("nav")


def test_what_empyrical_prints_is_reproduced(report):
    import empyrical

    shares = report.scenarios / report.valuation.base
    var, es, deepest = (report.compare_conventions(name) for name in ("var", "es", "max_drawdown"))
    base = report.valuation.base
    assert -empyrical.value_at_risk(shares, 0.05) * base == pytest.approx(var["value"].iloc[1], rel=1e-12)
    assert -empyrical.conditional_value_at_risk(shares, 0.05) * base == pytest.approx(es["value"].iloc[1], rel=1e-12)
    assert -empyrical.max_drawdown(shares) == pytest.approx(deepest["value"].iloc[0], rel=1e-12)


def test_what_quantstats_prints_is_reproduced(report):
    from quantstats import stats

    shares = report.scenarios / report.valuation.base
    normal = report.compare_conventions("var")["value"].iloc[2]
    assert -stats.value_at_risk(shares) * report.valuation.base == pytest.approx(normal, rel=1e-9)
    shortfall = report.compare_conventions("es")["value"].iloc[2]
    assert -stats.conditional_value_at_risk(shares) * report.valuation.base == pytest.approx(shortfall, rel=1e-9)


def test_a_book_without_scenarios_has_unknown_numbers():
    empty = assess(book(), market())
    assert np.isnan(empty.compare_conventions("volatility")["value"]).all()
    assert len(empty.compare_conventions("es")) == 3

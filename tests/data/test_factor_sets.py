"""Factor returns that ship: the published figures, as fractions, without an import of their package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sigmalib.core.errors import InputError
from sigmalib.data.factor_sets import factor_returns


def test_the_three_factors_are_the_published_ones_as_fractions() -> None:
    found = factor_returns("fama_french_3")
    assert list(found.columns) == ["mkt_rf", "smb", "hml", "rf"]
    assert (len(found), str(found.index[0].date()), str(found.index[-1].date())) == (1109, "1926-07-31", "2018-11-30")
    assert found.loc["1926-07-31"].to_numpy() == pytest.approx([0.0296, -0.023, -0.0287, 0.0022])
    assert found.loc["2008-10-31", "mkt_rf"] == pytest.approx(-0.1723)
    assert found.notna().all(axis=None)
    assert found.index.is_monotonic_increasing
    assert found.index.is_month_end.all()


def test_it_agrees_with_the_reader_of_the_package() -> None:
    from arch.data import frenchdata

    theirs = frenchdata.load()
    assert np.abs(factor_returns("fama_french_3").to_numpy() * 100 - theirs.to_numpy()).max() < 1e-12


def test_a_caller_may_change_what_it_got() -> None:
    mine = factor_returns("fama_french_3")
    mine.iloc[:] = 0.0
    assert factor_returns("fama_french_3").to_numpy().any()


def test_another_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no set of factors 'fama_french_5' but fama_french_3; try 'fama_french_3'"):
        factor_returns("fama_french_5")


def test_the_package_is_read_and_never_imported() -> None:
    code = (
        "import sys; from sigmalib.data.factor_sets import factor_returns; factor_returns('fama_french_3'); "
        "print('arch' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout == ("False\n")

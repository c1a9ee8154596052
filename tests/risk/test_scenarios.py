"""Scenarios are values out of TOML text; what cannot be meant is refused with its line and the nearest word."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.scenario.scenarios import Scenario, line_of, parse_scenarios, standard_scenarios

HEAD = '[[scenario]]\nname = "a"\n'


def test_every_kind_of_shock_is_read() -> None:
    crash, window = parse_scenarios("""
        [series]
        copper = ["HG=F", "CPER"]
        uranium = "URA"

        [[scenario]]
        name = "Crash"
        description = "all at once"
        market = -0.2
        factors = { copper = -0.1 }
        volatility = 0.5
        volatility_points = 0.05
        rates = -0.0025
        days = 5

        [scenario.sectors]
        Energy = -0.3

        [scenario.names]
        AAPL = -0.4

        [scenario.fx]
        EUR = 0.02

        [[scenario]]
        name = "Window"
        start = 2020-02-19
        end = 2020-03-23
    """)
    assert crash.driven_by == {"market": -0.2, "copper": -0.1}
    assert (crash.sectors, crash.names, crash.fx) == ({"Energy": -0.3}, {"AAPL": -0.4}, {"EUR": 0.02})
    assert (crash.volatility, crash.volatility_points, crash.rates, crash.days) == (0.5, 0.05, -0.0025, 5)
    assert (crash.series["copper"], crash.series["uranium"]) == (("HG=F", "CPER"), ("URA",))
    assert crash.series["oil"][0] == "WTI"
    assert (window.historical, window.start) == (True, date(2020, 2, 19))
    assert window.to_dict() == {"name": "Window", "start": "2020-02-19", "end": "2020-03-23"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x =", "not TOML"),
        ("sceario = 1", "line 1: unknown key `sceario`; did you mean `scenario`"),
        (HEAD + "\nmarkt = -0.1", "line 4: unknown key `markt`; did you mean `market`"),
        (HEAD + "[scenario.factor]\noil = 0.1", "line 3: unknown key `factor`; did you mean `factors`"),
        (HEAD + "\n[serie]\nx = 1", "line 4: unknown key `serie`; did you mean `series`"),
        (HEAD + "# a note\nmarket = -10", r"line 4: .*`market` must lie in \[-1, 1\], a fraction .* was -10"),
        (HEAD + '[[scenario]]\nname = "b"\nfactors = { oil = "x" }', r"line 5: .*`factors.oil` must be a number"),
        (HEAD + "[scenario.names]\nAAPL = -2", r"line 4: .*`names.AAPL` must lie in"),
        (HEAD + "rates = 25", r"line 3: .*`rates`.*0.0025 for 25 basis points"),
        (HEAD + "market = nan", r"line 3: .*`market` must be a number"),
        (HEAD + "market = true", r"line 3: .*`market` must be a number"),
        (HEAD + "names = 3", r"line 3: .*`names` maps names to moves"),
        (HEAD + "days = -1", r"line 3: .*`days` must lie in"),
        ("[[scenario]]\nmarket = 0.1", "line 1: a scenario needs a `name`"),
        (HEAD + HEAD, "line 4: the name 'a' comes twice"),
        (HEAD + "start = 2020-01-01", "both `start` and `end`"),
        (HEAD + "start = 2020-01-02\nend = 2020-01-01", "line 3: .*`start` must be before `end`"),
        (HEAD + "start = 2020-01-02\nend = 2020-02-01\nmarket = 0.1", "line 5: .*leave out `market`"),
        ('[scenario]\nname = "a"', r"under its own \[\[scenario\]\]"),
        ("[series]\noil = 1", "`series.oil` is a symbol or a list"),
        ("series = 1", "`series` maps factors to symbols"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_scenarios(text)


def test_a_scenario_made_by_hand_is_checked_alike() -> None:
    with pytest.raises(InputError, match="needs a `name`"):
        Scenario(" ")
    with pytest.raises(InputError, match="`volatility_points` must lie in"):
        Scenario("a", volatility_points=10)
    assert Scenario("a", start="2020-01-02", end="2020-02-03").end == date(2020, 2, 3)  # type: ignore[arg-type]


def test_a_line_is_found_in_its_own_scenario() -> None:
    text = HEAD + "market = 0.1\n" + HEAD.replace('"a"', '"b"') + "market = 0.2\n[scenario.fx]\nEUR = 0.1\n"
    assert (line_of(text, "market", 0), line_of(text, "market", 1), line_of(text, "EUR", 1)) == (3, 6, 8)


def test_the_standard_set_has_what_sigmasight_has() -> None:
    known = {scenario.name: scenario for scenario in standard_scenarios()}
    assert len(known) >= 15
    assert (known["Market -10 %"].market, known["Rates +25 bp"].rates) == (-0.10, 0.0025)
    assert known["Oil -5 %"].factors == {"oil": -0.05}
    assert known["DAX +10 %"].factors == {"DAX": 0.10}
    starts = {scenario.start.year for scenario in known.values() if scenario.start}
    assert starts >= {1998, 2000, 2008, 2011, 2020, 2022}


def test_numbers_of_any_library_are_numbers_and_kept_as_plain_ones() -> None:
    case = Scenario(
        "n", market=np.float32(-0.1), names={"BRK.B": np.float64(0.2)}, days=np.int64(5), rates=Fraction(1, 100)
    )
    assert case.to_dict() == {"name": "n", "market": -0.1, "names": {"BRK.B": 0.2}, "rates": 0.01, "days": 5.0}
    assert {type(value) for value in (case.market, case.days, case.rates, *case.names.values())} == {float}
    for wrong in (np.float32("nan"), np.bool_(True), True, "5", 1j):
        with pytest.raises(InputError, match="`days` must be a number"):
            Scenario("n", days=wrong)  # type: ignore[arg-type]

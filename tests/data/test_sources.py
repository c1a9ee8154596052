"""A new source is one file and one line: a class that keeps the protocol, and its name in the register."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.core.frames import ACTIONS, BARS, PROFILES, QUOTES, check, missing
from sigmalib.core.times import Interval, sessions
from sigmalib.data.manners import Health, Limits, Manners
from sigmalib.data.sources import (
    REGISTER,
    Answer,
    FromBars,
    Opening,
    Option,
    Source,
    Traits,
    open_source,
    required_variables,
    similar,
    source_class,
)

WEEK = date(2024, 3, 4), date(2024, 3, 8)
KEY = "k3y-of-the-firm"


class Mine(FromBars):
    """A price for every session of New York; a rate and a currency, which are bars too."""

    name = "mine"
    traits = Traits(
        "prices of my own making",
        limits=Limits(per_minute=600),
        options=(Option("key", "the key", required=True, secret=True), Option("price", "the close", default="10")),
        rate_symbol="RATE",
        fx_symbol="{currency}{base}",
    )

    def __init__(self, close: float) -> None:
        self.close = close

    @classmethod
    def opened(cls, opening: Opening) -> Mine:
        return cls(float(opening.options["price"]))

    def bars(self, symbols: Sequence[str], start: date, end: date, interval: Interval = "1d") -> Answer:
        known = [symbol for symbol in symbols if symbol != "NONE"]
        index = pd.MultiIndex.from_product([sessions(start, end), sorted(known)], names=BARS.index)
        values = {"close": self.close, "dividend": 0.0, "split": 1.0}
        frame = pd.DataFrame(values, index).reindex(columns=BARS.names).assign(source="mine")
        frame.loc[index.get_level_values("session") == "2024-03-06", "split"] = 2.0
        return Answer(frame, missing(*((symbol, "price", "not mine") for symbol in symbols if symbol not in known)))

    def profiles(self, symbols: Sequence[str]) -> Answer:
        return Answer(PROFILES.empty(), missing(*((symbol, "profile", "not mine") for symbol in symbols)))

    def option_chain(self, underlying: str, as_of: date) -> Answer:
        return Answer(QUOTES.empty(), missing((underlying, "quote", "not mine")))


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    """The source of this very file, by one line in the register."""
    monkeypatch.setitem(REGISTER, "mine", f"{__name__}:Mine")
    return source_class("mine").opened(Opening({"price": "12.5"}, tmp_path, Manners("mine", Limits(per_minute=60))))


def test_a_source_of_ones_own_is_found_by_its_name_and_asked(mine: Source) -> None:
    answer = mine.bars(["AAPL", "NONE"], *WEEK)
    assert check(answer.frame, BARS)["close"].to_list() == [12.5] * 5
    assert answer.missing["symbol"].to_list() == ["NONE"]


def test_it_has_rates_currencies_and_actions_out_of_its_bars(mine: Source) -> None:
    assert mine.rates(*WEEK).frame["rate"].to_list() == [0.125] * 5
    assert mine.fx(["EUR", "USD"], "USD", *WEEK).frame["EUR"].to_list() == [12.5] * 5
    actions = mine.actions(["AAPL", "NONE"], *WEEK)
    assert check(actions.frame, ACTIONS)["split"].to_dict() == {(pd.Timestamp("2024-03-06"), "AAPL"): 2.0}
    assert actions.missing.to_numpy().tolist() == [["NONE", "split", "splits unknown: not mine"]]
    assert mine.coverage().empty


def test_an_unknown_source_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"there is no source 'poligon'; the sources are .*; try 'polygon'"):
        source_class("poligon")


@pytest.mark.parametrize("name", list(REGISTER))
def test_every_source_of_the_register_keeps_the_protocol(name: str) -> None:
    found = source_class(name)
    promised = [attribute for attribute in vars(Source) if not attribute.startswith("_")]
    assert [each for each in (*promised, "opened") if not hasattr(found, each)] == []
    assert found.name == name
    assert found.traits.about
    assert found.traits.benchmark


def test_it_is_opened_with_its_own_variables_and_the_defaults(mine: Source, tmp_path: Path) -> None:
    variables = {"SIGMA_MINE_KEY": KEY, "SIGMA_MINE_PER_MINUTE": "30", "SIGMA_YAHOO_BURST": "3"}
    source, manners = open_source("mine", variables, folder=tmp_path, told=lambda _: None)
    assert source.bars(["AAPL"], *WEEK).frame["close"].iloc[0] == 10
    assert manners is not None
    assert manners.limits == Limits(per_minute=30)


@pytest.mark.parametrize(
    ("variables", "words"),
    [({}, "the mine source needs SIGMA_MINE_KEY: the key"),
     ({"SIGMA_MINE_KEY": KEY, "SIGMA_MINE_PRISE": "1"}, "SIGMA_MINE_PRISE is no setting; try SIGMA_MINE_PRICE"),
     ({"SIGMA_MINE_KEY": KEY, "SIGMA_MINE_TIMEOUT": "0"}, "SIGMA_MINE_TIMEOUT is '0'; write a number above zero")],
)  # fmt: skip
def test_a_setting_that_is_absent_unknown_or_wrong_is_refused(
    mine: Source, tmp_path: Path, variables: dict[str, str], words: str
) -> None:
    told: list[Health] = []
    with pytest.raises(InputError, match=words) as raised:
        open_source("mine", variables, folder=tmp_path, told=told.append)
    assert KEY not in str(raised.value)


def test_the_options_of_an_opening_are_not_shown(tmp_path: Path) -> None:
    opening = Opening({"key": KEY}, tmp_path, Manners("mine", Limits(per_minute=60)))
    assert KEY not in repr(opening)


def test_a_slip_is_asked_after_by_the_nearest_symbol() -> None:
    assert similar("APPL", ["MSFT", "AAPL"]) == "did you mean AAPL?"
    assert similar("XYZ", ["MSFT", "AAPL"]) == similar("APPL", []) == ""


def test_the_variables_that_a_source_cannot_do_without_are_told() -> None:
    assert required_variables("files") == ["SIGMA_FILES_PATH"]
    assert required_variables("sample") == []

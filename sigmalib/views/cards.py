"""Cards: the few numbers a reader sees first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal, NamedTuple

import pandas as pd

from sigmalib.risk.report import RiskReport
from sigmalib.views.formats import compact_money, number

Measure = Literal["Notional", "Delta-adjusted"]
MEASURES: tuple[Measure, ...] = ("Notional", "Delta-adjusted")


class Card(NamedTuple):
    """A label, a number, and what stands small below it; ``sign`` colours the number as a gain or a loss."""

    label: str
    value: str
    detail: str
    sign: float = 0.0


def headline_cards(data: RiskReport, measure: Measure = "Notional") -> list[Card]:
    """Value, P&L, long, short, gross, net and tail risk, in base currency and as a share of NAV."""
    valued = data.valuation
    base = valued.base or float("nan")
    exposure = data.exposure if measure == "Notional" else data.delta_adjusted
    nav_known = valued.base_name == "NAV"
    worth = valued.nav if nav_known else valued.market_value
    detail = (
        f"{compact_money(valued.cash)} in cash"
        if nav_known
        else "no cash row"
        if pd.isna(valued.cash)
        else "NAV is not positive"
    )
    if not valued.complete:
        unpriced = int(data.holdings["market_value"].isna().sum())
        detail = f"PARTIAL: {unpriced} of {len(data.holdings)} unpriced"
    of = "NAV" if nav_known else "of gross"

    def share(amount: float) -> str:
        return f"{number(amount / base, 'percent')} {of}"

    title = "Net asset value" if nav_known else "Market value"
    cards = [Card(title, compact_money(worth), f"{data.base_currency}; {detail}")]
    for label, amount in (("P&L day", valued.pnl_day), ("P&L total", valued.pnl_total)):
        cards.append(Card(label, _signed(amount), f"{number(amount / base, 'signed_percent')} {of}", amount))
    for side, amount in exposure.to_dict().items():
        cards.append(Card(f"{side.title()} exposure", compact_money(amount), share(amount)))
    loss, level = data.tails["var"].iloc[0], data.tails.index[0]
    cards.append(Card(f"VaR {level * 100:g} %, 1d", compact_money(loss), share(loss)))
    return cards


def data_cards(
    held: pd.DataFrame, *, share: float, findings: pd.DataFrame, quarantined: int, revised: int, fetched: str
) -> list[Card]:
    """How much of a source there is, how fresh and how believable it is.

    held : by symbol the last day and the sessions ``behind``. share : fraction of the expected sessions present.
    findings : FINDINGS. quarantined, revised : rows kept apart, bars that changed. fetched : when, as text, or blank.
    """
    late, bad = int((held["behind"] > 0).sum()), int((findings["severity"] == "bad").sum())
    return [
        Card("Symbols", f"{held['symbol'].nunique():,}", f"{int(held['bars'].sum()):,} bars"),
        Card("Sessions present", floored(share), "of those expected"),
        Card("Sessions behind", f"{held['behind'].min():,}", f"last bar {held['last'].max():%Y-%m-%d}"),
        Card("Late", f"{late:,}", f"of {len(held):,} series"),
        Card("Findings", f"{len(findings):,}", f"{bad:,} of them bad", -float(bad > 0)),
        Card("Quarantined", f"{quarantined:,}", "rows that cannot be true", -float(quarantined > 0)),
        Card("Revised", f"{revised:,}", "bars, earlier values kept"),
        Card("Last fetch", fetched[:10] or "none", fetched[11:] + " New York" if fetched else "nothing was fetched"),
    ]


def floored(share: float) -> str:
    """A share in percent; what is not whole is never shown as 100 %."""
    return number(min(share, 0.999) if share < 1 else share, "percent")


def cards_html(cards: Sequence[Card]) -> str:
    """The cards side by side, as many in a row as there is room for."""
    return f"<div class='sigma-cards-room'><div class='sigma-cards'>{''.join(map(_card, cards))}</div></div>"


def _card(card: Card) -> str:
    sign = " gain" if card.sign > 0 else " loss" if card.sign < 0 else ""
    return (
        f"<div class='sigma-card'><div class='label'>{escape(card.label)}</div>"
        f"<div class='value{sign}'>{escape(card.value)}</div><div class='detail'>{escape(card.detail)}</div></div>"
    )


def _signed(amount: float) -> str:
    return f"+{compact_money(amount)}" if amount > 0 else compact_money(amount)

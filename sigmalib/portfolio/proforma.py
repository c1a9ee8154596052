"""Pro forma: the book as it would be after some trades, for the same market.

A what-if is the same market with another book; nothing here looks at a price but the trade's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import pandas as pd

from sigmalib.core.errors import InputError
from sigmalib.core.frames import POSITIONS, Column, Contract, check
from sigmalib.core.times import DateLike, to_date
from sigmalib.portfolio import cells, lots
from sigmalib.portfolio.lots import Lot

TRADES = Contract(
    "TRADES",
    (
        Column("symbol", "text", nullable=False),
        Column("quantity", "number", "signed units or contracts, not zero", nullable=False),
        Column("price", "number", "currency per unit of the underlying, above zero", nullable=False),
    ),
)

ROUNDING = 1e-12  # what is left of a quantity after float arithmetic, as a fraction of it, is nothing

_LABELS = {"ticker": "symbol", "entry_price": "price", "entry_date": "as_of"}  # what an import calls it


def apply(
    positions: pd.DataFrame,
    trades: pd.DataFrame | Sequence[Mapping[str, object]],
    *,
    as_of: DateLike | None = None,
    base_currency: str = "USD",
) -> pd.DataFrame:
    """The book after ``trades``, done one after the other at their own prices on ``as_of`` (needed to date them).

    positions : POSITIONS. trades : TRADES, or a list of mappings with symbol, quantity, price.
    A trade first reduces the lots of its symbol with the opposite sign, last in first out; what is left opens a lot
    of its own. The first cash row in the trade's currency changes by - quantity x multiplier x price; without one no
    cash appears. The currency is that of the symbol's or the underlying's lots, else ``base_currency``.
    No trades, or trades that their exact reverses undo: an equal table, bit for bit. A reverse in a later call takes
    back a lot that was opened; a lot that was reduced stays reduced and the rest is a new lot, at the same risk.
    ``positions`` is never changed. Raises InputError naming the trade that is refused.
    """
    check(positions, POSITIONS)
    if not len(trades):
        return positions.copy()
    if as_of is None:
        raise InputError("`as_of` is the date of the trades; pass the session they are done on, as 2022-12-28")
    day = to_date(as_of, what="as_of")
    asked = [_trade(row, n, day, base_currency) for n, row in enumerate(_rows(trades), 1)]
    wanted = [trade._replace(currency=_currency(positions, trade)) for trade in _uncancelled(asked)]
    if not wanted:
        return positions.copy()
    book = positions.reset_index(drop=True).astype({"quantity": "float64"})
    for trade in wanted:
        book = _pay(_fill(book, trade), trade)
    return book


def _rows(trades: pd.DataFrame | Sequence[Mapping[str, object]]) -> Iterable[Mapping[str, object]]:
    if not len(trades):
        return []
    table = trades if isinstance(trades, pd.DataFrame) else pd.DataFrame(list(trades))
    absent = [name for name in TRADES.names if name not in table.columns]
    if absent:
        raise InputError(f"`trades` needs the column(s) {', '.join(absent)}; pass symbol, quantity, price")
    return [dict(zip(TRADES.names, row, strict=True)) for row in table[TRADES.names].itertuples(index=False)]


def _trade(row: Mapping[str, object], ordinal: int, day: date, base_currency: str) -> Lot:
    """The lot a trade would open in an empty book, read by the rules of an import."""
    asked = {name: row[_LABELS.get(name, name)] for name in ("ticker", "quantity", "entry_price")}
    reading = lots.read({**asked, "entry_date": day}, as_of=day, base_currency=base_currency)
    name = f"trade {ordinal} ({row['symbol']})"
    for column, fault in reading.faults:
        raise InputError(f"{name}: {cells.sentence(_LABELS.get(column, column), asked.get(column, day), fault)}")
    trade = lots.lot(reading)
    if trade.kind == "CASH":
        raise InputError(f"{name}: cash is not traded, it follows from the other trades; leave it out")
    if pd.isna(trade.multiplier):
        raise InputError(f"{name}: its root is an adjusted contract's, whose deliverable is not known; leave it out")
    return trade


def _uncancelled(trades: list[Lot]) -> list[Lot]:
    """The trades without those that an exact reverse at the same price undoes."""
    kept: list[Lot] = []
    for trade in trades:
        reverse = (trade.symbol, -trade.quantity, trade.entry_price)
        at = next((i for i, one in enumerate(kept) if (one.symbol, one.quantity, one.entry_price) == reverse), None)
        if at is None:
            kept.append(trade)
        else:
            del kept[at]
    return kept


def _currency(book: pd.DataFrame, trade: Lot) -> str:
    """The currency the symbol, or else its underlying, is held in; the trade's own when neither is."""
    for column, name in (("symbol", trade.symbol), ("underlying", trade.underlying)):
        same = book.loc[book[column] == name, "currency"]
        if len(same):
            return str(same.iloc[-1])
    return trade.currency


def _fill(book: pd.DataFrame, trade: Lot) -> pd.DataFrame:
    """The book with opposite lots reduced, last in first out, and a new lot for what is left."""
    left, closed = trade.quantity, []
    for at in _opposite(book, trade):
        held = float(book.loc[at, "quantity"])
        if abs(left) < abs(held) * (1 - ROUNDING):
            book.loc[at, "quantity"] = held + left
            left = 0.0
        else:
            closed.append(at)
            left = left + held if abs(left + held) > ROUNDING * abs(trade.quantity) else 0.0
        if left == 0:
            break
    opened = [lots.frame([trade._replace(quantity=left)])] if left else []
    return pd.concat([book.drop(index=closed), *opened], ignore_index=True)


def _opposite(book: pd.DataFrame, trade: Lot) -> pd.Index:
    """Labels of the lots a trade reduces, the last entered first."""
    opposite = (book["symbol"] == trade.symbol) & (book["quantity"] * trade.quantity < 0)
    entered = book["entry_date"] <= pd.Timestamp(trade.entry_date)
    return book[opposite & entered].sort_values("entry_date", kind="stable").index[::-1]


def _pay(book: pd.DataFrame, trade: Lot) -> pd.DataFrame:
    """The book with the trade's money taken from, or put to, the first cash row in its currency."""
    cash = (book["kind"] == "CASH") & (book["currency"] == trade.currency)
    rows = book.index[cash & (book["entry_date"] <= pd.Timestamp(trade.entry_date))]
    if len(rows):
        book.loc[rows[0], "quantity"] -= trade.quantity * trade.multiplier * trade.entry_price
    return book

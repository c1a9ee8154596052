"""Polygon's own client, made to ask with manners and to fail by type.

Two parts of it are replaced. Its connections by ``_Wire``, so that every request waits its turn, is tried again and
fails the way ``Manners`` says; its own time-out and retries are not used. Its reader of JSON by ``_Pages``, because it
takes what it cannot read for an empty list. Its import takes a quarter of a second, so this module is imported once a
``Polygon`` is opened.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import certifi
import urllib3
from polygon import RESTClient
from urllib3.exceptions import HTTPError, TimeoutError

from sigmalib.core.errors import AnswerUnreadable, DataUnavailable
from sigmalib.data.manners import Manners
from sigmalib.data.polygon_symbols import INDEX, NotFound, Wanted, ticker_of

MOST_BARS, MOST_LISTED, MOST_SNAPSHOTS = 50_000, 1_000, 250  # a page
SHOWN = 3  # tickers that a message names
PATIENCE = 3  # time-outs that a whole answer may take; urllib3's own is of each read
CHUNK = 1 << 16  # bytes


class Client:
    """What is asked of Polygon, answered by the records of its client; usable by many threads at once.

    A record holds None where a field is absent or was renamed. Each method raises DataUnavailable by type.
    """

    def __init__(self, key: str, base: str, manners: Manners) -> None:
        """``key`` of the account, ``base`` the address of the interface without a slash at its end."""
        self._rest = RESTClient(api_key=key, base=base, retries=0)
        self._rest.client = _Wire(manners)

    def bars(self, wanted: Wanted) -> list[Any]:
        """Bars as traded (Agg); none for an unknown ticker."""
        span = "day" if wanted.interval == "1d" else "minute"
        asked = (_in_path(wanted.ticker), 1, span, wanted.start, wanted.end)
        with self._asking(wanted.what) as rest:
            return _if_there(rest.list_aggs(*asked, adjusted=False, sort="asc", limit=MOST_BARS))

    def dividends(self, wanted: Wanted, since: date) -> list[Any]:
        """Dividends that go ex from ``since`` to the end of what is wanted (Dividend)."""
        days = {"ex_dividend_date_gte": since, "ex_dividend_date_lte": wanted.end}
        with self._asking(wanted.what) as rest:
            return list(rest.list_dividends(ticker=wanted.ticker, limit=MOST_LISTED, **days))

    def splits(self, wanted: Wanted, since: date) -> list[Any]:
        """Splits from ``since`` to the end of what is wanted (Split)."""
        days = {"execution_date_gte": since, "execution_date_lte": wanted.end}
        with self._asking(wanted.what) as rest:
            return list(rest.list_splits(ticker=wanted.ticker, limit=MOST_LISTED, **days))

    def treasury_yields(self, wanted: Wanted) -> list[Any]:
        """Treasury yields of every term by day, in percent (TreasuryYield)."""
        with self._asking(wanted.what) as rest:
            return list(rest.list_treasury_yields(date_gte=wanted.start, date_lte=wanted.end, limit=MOST_BARS))

    def short_interest(self, symbol: str, start: date, end: date) -> list[Any]:
        """Short interest of a stock settled from ``start`` to ``end`` (ShortInterest)."""
        days = {"settlement_date_gte": str(start), "settlement_date_lte": str(end)}
        with self._asking(f"short interest of {symbol}") as rest:
            return _if_there(rest.list_short_interest(ticker=ticker_of(symbol), limit=MOST_LISTED, **days))

    def contracts(self, underlying: str) -> list[Any]:
        """Snapshots of all options on a symbol (OptionContractSnapshot); none for an unknown one."""
        ticker = _in_path(ticker_of(underlying))
        with self._asking(f"options on {underlying}") as rest:
            return _if_there(rest.list_snapshot_options_chain(ticker, params={"limit": MOST_SNAPSHOTS}))

    def listed(self, underlying: str, as_of: date) -> list[Any]:
        """All options on a symbol that were listed on a day (OptionsContract); none for an unknown one."""
        ticker = ticker_of(underlying).removeprefix(INDEX)  # here, and here only, an index has no prefix
        with self._asking(f"contracts on {underlying} on {as_of}") as rest:
            return _if_there(rest.list_options_contracts(ticker, as_of=as_of, limit=MOST_LISTED))

    def snapshots(self, tickers: Sequence[str]) -> dict[str, Any]:
        """Snapshots of tickers of any kind by ticker (UniversalSnapshot), with ``error`` for one that is refused."""
        found: list[Any] = []
        for first in range(0, len(tickers), MOST_SNAPSHOTS):
            batch = list(tickers[first : first + MOST_SNAPSHOTS])
            with self._asking(f"quotes of {', '.join(batch[:SHOWN])}{', …' if len(batch) > SHOWN else ''}") as rest:
                found += _if_there(rest.list_universal_snapshots(ticker_any_of=batch, limit=MOST_SNAPSHOTS))
                if any(each.ticker is None for each in found):
                    raise AnswerUnreadable("Polygon answers without the field ticker")
        return {each.ticker: each for each in found}

    def details(self, ticker: str) -> Any | None:
        """What Polygon says of a ticker (TickerDetails); None when it does not know it."""
        try:
            with self._asking(ticker) as rest:
                details = rest.get_ticker_details(_in_path(ticker))
        except NotFound:
            return None
        if getattr(details, "ticker", None) is None:
            raise AnswerUnreadable(f"{ticker}: Polygon answers without the field ticker")
        return details

    @contextmanager
    def _asking(self, what: str) -> Iterator[Any]:
        """The vendor's client for one question; whatever it stumbles over in an answer is AnswerUnreadable."""
        rest = copy(self._rest)
        rest.json = _Pages()
        try:
            yield rest
        except AnswerUnreadable as error:
            raise AnswerUnreadable(f"{what}: {error}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AnswerUnreadable(f"{what}: Polygon answers in another shape than is documented ({error})") from error


class _Wire(urllib3.PoolManager):
    """The client's connections, as many as there are workers; every request is sent with manners and fails by type."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        super().__init__(
            maxsize=manners.limits.workers,
            block=True,
            timeout=urllib3.Timeout(manners.limits.timeout),
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(),
        )

    def urlopen(  # type: ignore[override]  # PoolManager itself narrows it like this
        self, method: str, url: str, redirect: bool = False, **settings: Any
    ) -> urllib3.BaseHTTPResponse:
        """The reply to one request, which is never redirected; raises DataUnavailable, by type, unless it is a 200."""
        what = f"Polygon's {urlsplit(url).path}"
        send = partial(super().urlopen, method, url, redirect=False, **settings | {"preload_content": False})
        read = partial(_whole, send, PATIENCE * self._manners.limits.timeout)
        reply = self._manners.send(read, what=what, transient=(HTTPError,))
        if reply.status == 404:
            raise NotFound(f"{what}: Polygon has nothing by this name (404)")
        if reply.status != 200:
            raise DataUnavailable(f"{what}: Polygon answers {reply.status}; check the symbol and SIGMA_POLYGON_BASE")
        try:
            reply.data.decode()  # the client would take what is not text for an empty list
        except UnicodeDecodeError:
            raise AnswerUnreadable(f"{what}: the answer is not text") from None
        return reply


def _whole(send: Callable[[], urllib3.BaseHTTPResponse], seconds: float) -> urllib3.HTTPResponse:
    """The reply with all of its body; urllib3's TimeoutError when that takes more than so many ``seconds``."""
    until, chunks = time.monotonic() + seconds, list[bytes]()
    reply = send()
    while chunk := reply.read1(CHUNK):
        chunks.append(chunk)
        if time.monotonic() > until:
            reply.close()
            reply.release_conn()
            raise TimeoutError(f"the answer takes more than {seconds:g} s")
    reply.release_conn()
    return urllib3.HTTPResponse(b"".join(chunks), reply.headers, reply.status)


class _Pages:
    """Reads the JSON of one question for the client, page by page; what the client would take for nothing raises."""

    def __init__(self) -> None:
        self._followed: set[str] = set()

    def loads(self, text: str) -> dict[str, Any]:
        """The page in ``text``, with ``next_url`` where there is another.

        Raises AnswerUnreadable for what is no page, says that it failed, lacks the results it counts, or leads to a
        page that was read before, which would have no end.
        """
        page = _page(text)
        following = page.pop("next_url", None)
        if not following:
            return page
        if following in self._followed:
            raise AnswerUnreadable("Polygon's pages lead in a circle: the next one was read before")
        self._followed.add(following)
        return page | {"next_url": following}


def _page(text: str) -> dict[str, Any]:
    try:
        page = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerUnreadable(f"Polygon's answer is not JSON: {str(error)[:80]}") from None
    status = page.get("status") if isinstance(page, dict) else None
    if status not in ("OK", "DELAYED"):
        raise AnswerUnreadable(f"Polygon's answer has the status {str(status)[:40]!r}, neither OK nor DELAYED")
    count = page.get("resultsCount", page.get("count"))
    if ("results" not in page and count != 0) or (page.get("results") == [] and count):
        raise AnswerUnreadable("Polygon answers without the field results")
    found: dict[str, Any] = page
    return found


def _if_there(pages: Iterator[Any]) -> list[Any]:
    """What is on all pages; nothing when there is no such thing, unless some of it came."""
    found: list[Any] = []
    try:
        found.extend(pages)
    except NotFound:
        if found:
            raise
    return found


def _in_path(ticker: str) -> str:
    return quote(ticker, safe=":")

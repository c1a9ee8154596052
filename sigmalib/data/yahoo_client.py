"""yfinance, made to ask politely: it is ours to say how often, where and with what patience, and what failing means.

It asks through ``_PoliteSession``. It would keep answers and cookies for the whole process, and cookies and time zones
in the user's home: ``_Way`` keeps what there is to keep for one ``Client``, in memory. Importing yfinance takes over
half a second, so this module is imported once a ``Yahoo`` is opened.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import pandas as pd
import yfinance
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import IncompleteRead, RequestException
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFPricesMissingError
from yfinance.scrapers.history import PriceHistory
from yfinance.scrapers.quote import Quote

from sigmalib.core.errors import AccessDenied, AnswerUnreadable, SourceDown
from sigmalib.core.times import Interval
from sigmalib.data.manners import Manners
from sigmalib.data.yahoo_rows import Json, Meta, Refused

# about yfinance's own code; its import has them shown, and in its users' notebooks
warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")

HOSTS = frozenset({"query1.finance.yahoo.com", "query2.finance.yahoo.com"})  # those that answer, not those with cookies
QUOTE_ADDRESS = "https://query1.finance.yahoo.com/v7/finance/quote"
NO_KEY = "there is no key to it: try later, or another source"
OF_ANOTHER_SHAPE = (YFException, LookupError, TypeError, ValueError, AttributeError)

Found = TypeVar("Found")


class Client:
    """What is asked of Yahoo, by the names it gives to symbols; usable by many threads at once.

    Each method raises ``Refused`` when Yahoo has nothing to answer with, or DataUnavailable by type.
    """

    def __init__(self, manners: Manners, base: str) -> None:
        """``base`` replaces scheme and host of every address; empty for Yahoo's own."""
        self._way = _Way.made(_PoliteSession(manners, base))

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Whatever yfinance or we stumble over in an answer is AnswerUnreadable, naming ``what`` was asked."""
        try:
            yield
        except OF_ANOTHER_SHAPE as error:
            raise AnswerUnreadable(
                f"{what}: Yahoo's answer has another shape than yfinance {yfinance.__version__} reads "
                f"({type(error).__name__}: {error}); look for a newer yfinance"
            ) from error

    def history(self, name: str, interval: Interval, begin: datetime, until: datetime) -> tuple[pd.DataFrame, Meta]:
        """yfinance's table of bars from ``begin`` to before ``until``, and what Yahoo says about the symbol."""
        ticker = _Ticker(name, self._way)
        try:
            found = self._asked(
                lambda: ticker.history(
                    start=begin, end=until, interval=interval, actions=interval == "1d",
                    auto_adjust=False, prepost=False, repair=False, keepna=True, rounding=False,
                )
            )  # fmt: skip
        except YFPricesMissingError:
            if "symbol" not in ticker.get_history_metadata():
                raise
            raise Refused("the chart is empty") from None
        return found, ticker.get_history_metadata()

    def summary(self, name: str, modules: list[str]) -> Json:
        """The quoteSummary with those ``modules`` that Yahoo has of the symbol."""
        told: Json = self._asked(lambda: Quote(self._way, name)._fetch(modules), crumb=True)
        return told

    def quotes(self, names: list[str]) -> dict[str, Json]:
        """The quote of each symbol that Yahoo has one of, in one request, as ``Ticker.info`` asks for that of one."""
        asked = {"symbols": ",".join(names), "formatted": "false"}
        told: Json = self._asked(lambda: self._way.get_raw_json(QUOTE_ADDRESS, params=asked), crumb=True)
        return {quote["symbol"]: quote for quote in told["quoteResponse"]["result"]}

    def chains(self, name: str) -> pd.DataFrame:
        """yfinance's tables of calls and puts of all expiries, one below the other; a request for each expiry."""
        ticker = _Ticker(name, self._way)
        chains = [self._asked(ticker.option_chain, crumb=True)]  # of the next expiry; tells of the others
        if chains[0].calls is None:
            raise Refused("it lists no options")
        chains += [self._asked(partial(ticker.option_chain, day), crumb=True) for day in ticker.options[1:]]
        sides = [side for chain in chains for side in chain[:2] if side is not None and len(side)]
        if not sides:
            raise Refused("its chains are empty")
        return pd.concat(sides)

    def _asked(self, ask: Callable[[], Found], *, crumb: bool = False) -> Found:
        """What yfinance answers; ``crumb`` when Yahoo wants one. A crumb that is no longer good is renewed once."""
        yfinance.config.debug.hide_exceptions = False  # of the process: what fails is told, not logged and left out
        held = self._way.held
        if crumb and held.crumb is None:
            self._way.renew(held)
            return ask()
        try:
            return ask()
        except _CrumbRefused:
            self._way.renew(held)
            return ask()


class _CrumbRefused(AccessDenied):
    """Yahoo wants a crumb, or another one than it got."""


class _PoliteSession(Session[Response]):
    """The session yfinance asks through: by our manners, at our address, and with typed errors for what fails.

    Refusals are raised here, because for any it is handed yfinance goes through consent pages and asks again. Each
    thread has its own connection (curl_cffi); the cookies are shared.
    """

    def __init__(self, manners: Manners, base: str) -> None:
        super().__init__(impersonate="chrome")
        self._manners, self._base = manners, base.rstrip("/")

    def request(self, method: Any, url: str, *args: Any, **options: Any) -> Response:
        """The response, below status 400 when it is from the hosts that answer; pages with cookies of any status."""
        parts = urlsplit(url)
        address = f"{self._base}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}" if self._base else url
        options["timeout"] = self._manners.limits.timeout

        def once() -> Response:
            return super(_PoliteSession, self).request(method, address, *args, **options)

        if parts.hostname in HOSTS:
            return self._answer(once, f"Yahoo's {parts.path}")
        what = f"Yahoo's cookie from {parts.hostname}"
        return self._manners.send(lambda: _Page(once()), what=what, transient=(RequestException,)).reply

    def _answer(self, once: Callable[[], Response], what: str) -> Response:
        status, cut = 0, False

        def noted() -> Response:
            nonlocal status, cut
            status, cut = 0, False
            try:
                reply = once()
            except IncompleteRead:
                cut = True
                raise
            status = reply.status_code
            return reply

        try:
            reply = self._manners.send(noted, what=what, transient=(RequestException,), remedy=NO_KEY)
        except AccessDenied as error:
            raise (_CrumbRefused(str(error)) if status == 401 else error) from None
        except SourceDown as error:
            raise (AnswerUnreadable(f"{what}: the answer is cut off each time") if cut else error) from None
        if reply.status_code >= 400:
            raise _refusal(reply, what)
        return reply


class _Page(NamedTuple):
    """A page that is asked for its cookies: whatever its status, it came."""

    reply: Response
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})


def _refusal(reply: Response, what: str) -> Exception:
    """What an answer from status 400 on says, in Yahoo's words: ``{"chart": {"error": {"description": ...}}}``."""
    try:
        [part] = reply.json().values()
        return Refused(str(part["error"]["description"]), unknown=reply.status_code == 404)
    except OF_ANOTHER_SHAPE:
        return AnswerUnreadable(f"{what}: Yahoo answers {reply.status_code} in no shape we know; is the address right?")


class _Held(NamedTuple):
    """A crumb, or None, and how yfinance came by it."""

    crumb: str | None
    strategy: str


class _Way(YfData):
    """yfinance's way to Yahoo: one for each ``Client`` rather than for the process, with nothing kept on disk.

    Prices need neither cookie nor crumb; yfinance's own code fetches these when ``renew`` is called, and only then.
    """

    session: _PoliteSession
    held: _Held
    _renewing: threading.Lock

    @classmethod
    def made(cls, session: _PoliteSession) -> Self:
        """A new one; to call the class would give the one of the process."""
        way: Self = type.__call__(cls, session)
        way.session, way.held, way._renewing = session, _Held(None, "basic"), threading.Lock()
        return way

    def renew(self, held: _Held) -> None:
        """Fetch cookie and crumb, unless somebody else has since ``held``; there may be none to be had."""
        with self._renewing:
            if self.held is held:
                self._cookie = self._crumb = None
                self.held = _Held(*self._fetched())

    def _fetched(self) -> tuple[str | None, str]:
        try:
            return super()._get_cookie_and_crumb()
        except Refused:
            return None, "basic"

    def _get_cookie_and_crumb(self, timeout: float = 30) -> tuple[str | None, str]:
        return self.held

    def cache_get(self, url: str, params: Json | None = None, timeout: float = 30) -> Response:
        """Asked anew each time: yfinance keeps the last 64 answers of the process, whoever gave them."""
        return self.get(url, params, timeout)

    def _get_cookie_basic(self, timeout: float = 30) -> bool:
        """Whether there is the first kind of cookie; many block the host it is from, and there is a second kind."""
        try:
            found: bool = super()._get_cookie_basic(timeout)
        except SourceDown:
            return False
        return found

    def _load_cookie_curlCffi(self) -> bool:  # noqa: N802 (named by the base class)
        return False

    def _save_cookie_curlCffi(self) -> bool:  # noqa: N802
        self._cookie = True  # type: ignore[assignment]  # it is with the session
        return True


class _Ticker(yfinance.Ticker):
    """A ticker of yfinance's that asks one ``_Way``, and not first for its time zone: instants are passed in UTC."""

    def __init__(self, name: str, way: _Way) -> None:
        super().__init__(name, session=way.session)
        self._data = way
        self._price_history = PriceHistory(way, name, "UTC", session=way.session)

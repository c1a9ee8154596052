"""What the dashboards ask for: one world for the whole server, and each opened book shared by all sessions."""

from __future__ import annotations

from datetime import date
from functools import cache, lru_cache

from sigmalib.core.errors import InputError
from sigmalib.core.times import last_session, session_close, sessions_before
from sigmalib.desk.book import Book, open_book
from sigmalib.desk.world import World, open_world

BOOKS_KEPT = 64


@cache
def shared_world() -> World:
    """The server's world, opened once."""
    return open_world()


def book_names() -> list[str]:
    """Names of the kept books; raises InputError when there are none."""
    names = list(shared_world().store.books()["name"])
    if not names:
        raise InputError("no books yet; import one with `sigma book import FILE --book NAME`, or run `sigma demo`")
    return names


def session_bounds() -> tuple[date, date]:
    """The first and the last session of the benchmark: what an as-of can be chosen from."""
    return shared_world().known_range()


def staleness() -> str:
    """A sentence when the prices end before the exchange's last session; blank when they are up to date."""
    world = shared_world()
    _, latest = world.known_range()
    newest = last_session(world.now().date())
    if session_close(newest) > world.now():
        newest = sessions_before(newest, 1)
    if latest >= newest:
        return ""
    return f"The {world.source.name} source has prices to {latest} only; the exchange's last session was {newest}."


def cached_book(name: str, as_of: date) -> Book:
    """The book at a date, computed once for all sessions as long as its positions and snapshots stay as they are."""
    store = shared_world().store
    kept = store.books().set_index("name")
    if name not in kept.index:
        raise InputError(f"there is no book {name!r}; the books are {', '.join(kept.index)}")
    return _opened(name, as_of, (*map(str, kept.loc[name]), *store.fingerprints(name).values()))


@lru_cache(maxsize=BOOKS_KEPT)
def _opened(name: str, as_of: date, state: tuple[str, ...]) -> Book:
    del state  # part of the key: another state is another book
    return open_book(name, as_of=as_of, world=shared_world())

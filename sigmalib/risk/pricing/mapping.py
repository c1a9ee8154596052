"""The greeks of options as a mapping: all eight are in it, three of them computed when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from typing import Any

Values = Any  # a number, an array or a Series, as the caller's terms were

CROSS_GREEKS = ("vanna", "volga", "charm")


class Greeks(dict[str, Values]):
    """Greeks by name: delta, gamma, vega, theta, rho (after ``price``, if that is asked for), vanna, volga and charm.

    Looking one of the first up by name costs nothing more. The last three, the CROSS_GREEKS, are computed together when
    one of them is looked up, or the mapping is counted, iterated, compared, copied, changed or shown; then it is an
    ordinary dictionary. ``crossed`` computes them; without it ``known`` is all there is.

    >>> greeks = Greeks({"delta": 0.5}, lambda: {"vanna": 0.1, "volga": 2.0, "charm": -0.2})
    >>> "vanna" in greeks, greeks["delta"], greeks.get("price"), len(greeks)
    (True, 0.5, None, 4)
    >>> greeks
    {'delta': 0.5, 'vanna': 0.1, 'volga': 2.0, 'charm': -0.2}
    """

    def __init__(self, known: dict[str, Values], crossed: Callable[[], dict[str, Values]] | None = None) -> None:
        super().__init__(known)
        self._crossed = crossed

    def _complete(self) -> Greeks:
        """This mapping with all its greeks, computed at most once."""
        crossed = self._crossed
        if crossed is not None:
            super().update(crossed())
            self._crossed = None
        return self

    def __missing__(self, name: str) -> Values:
        if self._crossed is None or name not in CROSS_GREEKS:
            raise KeyError(name)
        return self._complete()[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (self._crossed is not None and name in CROSS_GREEKS)

    def get(self, name: str, default: Values = None) -> Values:
        """The greek of this name, or ``default`` where there is none."""
        if name in CROSS_GREEKS:
            self._complete()
        return dict.get(self, name, default)

    def __len__(self) -> int:
        return dict.__len__(self._complete())

    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self._complete())

    def __reversed__(self) -> Iterator[str]:
        return dict.__reversed__(self._complete())

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """The names of all greeks."""
        return dict.keys(self._complete())

    def values(self) -> ValuesView[Values]:  # type: ignore[override]
        """All greeks."""
        return dict.values(self._complete())

    def items(self) -> ItemsView[str, Values]:  # type: ignore[override]
        """All names and greeks."""
        return dict.items(self._complete())

    def copy(self) -> dict[str, Values]:
        """All greeks in an ordinary dictionary."""
        return dict.copy(self._complete())

    def __eq__(self, other: object) -> bool:
        return dict.__eq__(self._complete(), other._complete() if isinstance(other, Greeks) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __repr__(self) -> str:
        return dict.__repr__(self._complete())

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return Greeks, (self.copy(),)

    def __setitem__(self, name: str, value: Values) -> None:
        dict.__setitem__(self._complete(), name, value)

    def __delitem__(self, name: str) -> None:
        dict.__delitem__(self._complete(), name)

    def pop(self, *name_and_default: Any) -> Values:
        """Remove the greek of this name and return it, or the default where there is none."""
        return dict.pop(self._complete(), *name_and_default)

    def popitem(self) -> tuple[str, Values]:
        """Remove the last greek and return its name and itself."""
        return dict.popitem(self._complete())

    def setdefault(self, name: str, default: Values = None) -> Values:
        """The greek of this name, which is ``default`` from now on where there was none."""
        return dict.setdefault(self._complete(), name, default)

    def update(self, *others: Any, **more: Any) -> None:
        """Take over what another mapping has."""
        dict.update(self._complete(), *others, **more)

    def clear(self) -> None:
        """Remove all."""
        dict.clear(self._complete())

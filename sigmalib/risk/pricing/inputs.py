"""The front door of option formulas: whatever the caller has becomes arrays of one length, and answers look like it.

Scalars, lists, arrays of any shape and Series are taken together by the rules of broadcasting. A kernel gets contiguous
float64 arrays of one dimension and the sign of each right; what it returns is given back in the caller's shape, and as
a Series with the caller's index when a Series was among the terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from sigmalib.core.compiled import Later
from sigmalib.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]
Right = Any  # "call" or "put", +1 or -1, True (a call) or False; one, or as many as there are options

_pandas: Any = Later("pandas")  # a quarter of a second, which only those pay who have Series

TERMS = ("spot", "strike", "expiry_years", "rate", "dividend_yield", "volatility")
QUOTES = ("price", "spot", "strike", "expiry_years", "rate", "dividend_yield")
CALL, PUT, UNKNOWN = 1, -1, 0
_SIGNS = {"call": CALL, "put": PUT}
_FLOAT, _NUMBERS = np.dtype(np.float64), {float, int, np.float64}
_NO_NUMBERS = frozenset("cmM")  # complex numbers, durations and dates, which NumPy would turn into nanoseconds
_LARGEST = float(np.finfo(_FLOAT).max)
_WORD = np.dtype("U4")
_WORDS = [np.array([right], dtype=_WORD).view(np.uint64) for right in _SIGNS]


class Terms(NamedTuple):
    """Terms of ``n`` options, ready for a kernel, and how the caller's answer looks.

    arrays : contiguous float64 (n,), in the order given; only read, for they may be the caller's own memory.
    sign : int8 (n,), +1 call, -1 put, 0 unknown.
    shape : of the answer. labels : its index when it is a Series.
    """

    arrays: tuple[Floats, ...]
    sign: Signs
    shape: tuple[int, ...]
    labels: pd.Index | None = None

    def like(self, array: npt.NDArray[Any]) -> Any:
        """An array (n,) in the caller's shape, as a Series with the caller's index, or as the one number it is."""
        if self.labels is not None:
            return _pandas.Series(array, index=self.labels, copy=False)
        if self.shape == ():
            return array[0] if array.dtype is _FLOAT else array[0].item()  # float64 is a float, int8 no int
        return array if len(self.shape) == 1 else array.reshape(self.shape)


def terms(names: Sequence[str], values: Sequence[Any], right: Right) -> Terms:
    """Named terms of options, broadcast to one length, with the sign of ``right``.

    Raises InputError where a term is no number, where shapes do not go together, where Series have different indexes
    or where ``right`` is neither call nor put. An unknown right (None, NaN) is not refused; its answers are NaN.

    >>> found = terms(("spot", "strike"), ([90, 110], 100), "put")
    >>> [array.tolist() for array in found.arrays], found.sign.tolist(), found.shape
    ([[90.0, 110.0], [100.0, 100.0]], [-1, -1], (2,))
    """
    return _at_once(values, right) or _broadcast(names, values, right)


def signs(right: Right) -> Signs:
    """+1 for calls, -1 for puts and 0 for unknown rights, in the shape given.

    right : names ("call", "put"), numbers (+1, -1) or booleans (True is a call), masked or missing where unknown.
    Raises InputError for others.

    >>> signs(["call", "put"]).tolist(), signs(True).tolist()
    ([1, -1], 1)
    """
    if _is_series(right) and right.dtype.name == "category":
        return np.append(signs(right.cat.categories), np.int8(UNKNOWN))[right.cat.codes]
    if _is_series(right) and isinstance(right.dtype, _pandas.StringDtype):
        return _of_names(right.array)
    if _has_own_type(right):
        right = right.to_numpy(dtype=object, na_value=None)
    if isinstance(right, np.ma.MaskedArray):
        return _of_masked(right)
    values = np.asarray(right)
    if values.dtype == bool:
        doubled: Signs = values.view(np.int8) * np.int8(2)
        return doubled - np.int8(1)
    if values.dtype.kind in "iuf":
        return _of_numbers(values)
    return _of_names(values)


def _at_once(values: Sequence[Any], right: Right) -> Terms | None:
    """The terms when they are ready arrays of one length and plain numbers; None where one must look closer.

    A chain of a hundred options is priced in a few microseconds: as long as its terms may take here.
    """
    count, whole = -1, True
    for value in values:
        kind = type(value)
        if kind is np.ndarray:
            if value.dtype is not _FLOAT or value.ndim != 1 or not value.flags.carray or count not in (-1, value.size):
                return None
            count = value.size
        elif kind in _NUMBERS and -_LARGEST < value < _LARGEST:
            whole = False
        else:
            return None
    shape = () if count < 0 else (count,)
    sign = _signs_at_once(right, shape)
    if sign is None:
        return None
    arrays = tuple(values) if whole else tuple(v if type(v) is np.ndarray else _filled(v, sign.size) for v in values)
    return Terms(arrays, sign, shape)


def _signs_at_once(right: Right, shape: tuple[int, ...]) -> Signs | None:
    """The signs (n,) of one right for all or of an array of as many; None where one must look closer."""
    if type(right) is str and right in _SIGNS:
        sign = np.empty(shape or 1, dtype=np.int8)
        sign.fill(_SIGNS[right])
        return sign
    if type(right) is np.ndarray and right.shape == shape and shape:
        found = signs(right)
        return found if found.flags.carray else found.copy()
    return None


def _filled(value: float, count: int) -> Floats:
    array = np.empty(count)
    array.fill(value)
    return array


def _of_masked(right: np.ma.MaskedArray[Any, Any]) -> Signs:
    known = ~np.ma.getmaskarray(right)
    found = np.full(right.shape, UNKNOWN, dtype=np.int8)
    found[known] = signs(right.data[known])
    return found


def _of_numbers(values: npt.NDArray[Any]) -> Signs:
    if values.dtype == np.int8 and (values * values == 1).all():
        return values
    sign = _whole(values)
    if not sign.all():
        unknown = values[sign == UNKNOWN]
        named = unknown[~np.isnan(unknown)]
        if named.size:
            _refuse(named[0])
    return sign


def _whole(values: npt.NDArray[Any]) -> Signs:
    """-1 and +1 as int8 and everything else as 0."""
    call, put = (np.asarray(values == sign).view(np.int8) for sign in (CALL, PUT))
    return call - put


def _of_names(values: Any) -> Signs:
    """Signs of names; ``values`` is an array of objects or of text, NumPy's or pandas'."""
    if values.dtype == object:
        values = np.where(_pandas.isna(values), None, values)  # pandas' NA is neither equal to a name nor unequal
    call, put = _words_alike(values) if values.dtype == _WORD and values.size else (values == "call", values == "put")
    sign: Signs = np.asarray(_marked(call) - _marked(put))
    if not sign.all():
        unknown = sign == UNKNOWN
        items = values[unknown]
        sign[unknown] = [
            UNKNOWN if missing else _of_one(item) for item, missing in zip(items, _pandas.isna(items), strict=True)
        ]
    return sign


def _of_one(right: object) -> int:
    """The sign of a truth or a number among objects."""
    if isinstance(right, bool | np.bool_):
        return CALL if right else PUT
    if not isinstance(right, int | float | np.number) or right not in (CALL, PUT):
        _refuse(right)
    return int(right)


def _words_alike(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Whether each word of four letters is "call", and whether "put", by comparing its sixteen bytes as two numbers."""
    front, back = np.ascontiguousarray(values).reshape(-1).view(np.uint64).reshape(-1, 2).T
    return tuple(((front == a) & (back == b)).reshape(values.shape) for a, b in _WORDS)


def _marked(found: Any) -> Signs:
    """1 where true, 0 where false or unknown."""
    known = found if isinstance(found, np.ndarray | np.bool_) else found.to_numpy(dtype=bool, na_value=False)
    return np.asarray(known, dtype=bool).view(np.int8)


def _refuse(right: object) -> NoReturn:
    shown = repr(str(right)) if isinstance(right, str) else str(right)
    raise InputError(
        f"`right` must be 'call' or 'put', was {shown}; +1 and -1, or True for a call, are understood as well"
    )


def _broadcast(names: Sequence[str], values: Sequence[Any], right: Right) -> Terms:
    index = _index(names, values, right)
    arrays = [_numbers(name, value) for name, value in zip(names, values, strict=True)]
    sign = signs(right)
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays), sign.shape)
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise InputError(
            f"the terms of options must have one shape or be single numbers, were {shapes}, right {sign.shape}"
        ) from None
    if index is not None and shape != (len(index),):
        raise InputError(f"the Series among the terms has {len(index)} rows, but all terms together have shape {shape}")
    return Terms(tuple(_flat(array, shape) for array in arrays), _flat(sign, shape), shape, index)


def _index(names: Sequence[str], values: Sequence[Any], right: Right) -> pd.Index | None:
    """The index of the Series among the terms, which must be one; None without a Series."""
    found, owner = None, ""
    for name, value in zip((*names, "right"), (*values, right), strict=True):
        if not _is_series(value):
            continue
        if found is None:
            found, owner = value.index, name
        elif found is not value.index and not found.equals(value.index):
            raise InputError(f"`{owner}` and `{name}` are Series with different indexes; reindex one like the other")
    return found


def _is_series(value: Any) -> bool:
    """Whether a value is a Series; what has neither of its two marks is known not to be one without pandas."""
    return hasattr(value, "to_numpy") and hasattr(value, "index") and isinstance(value, _pandas.Series)


def _has_own_type(value: Any) -> bool:
    """Whether a value is a Series, Index or array of one of pandas' own types, which know missing values."""
    kind = getattr(value, "dtype", None)
    if kind is None or isinstance(kind, np.dtype) or not hasattr(value, "to_numpy"):
        return False
    return isinstance(kind, _pandas.api.extensions.ExtensionDtype)


def _numbers(name: str, value: Any) -> Floats:
    """float64 in the shape given; NaN for None, pandas' NA and what is masked."""
    try:
        if getattr(getattr(value, "dtype", None), "kind", "") in _NO_NUMBERS:
            raise TypeError
        found = value.to_numpy(dtype=np.float64, na_value=np.nan) if _has_own_type(value) else np.asanyarray(value)
        if found.dtype.kind in _NO_NUMBERS or (found.dtype == object and any(map(_is_moment, found.flat))):
            raise TypeError
        floats = found.astype(np.float64, copy=False)
        return floats.filled(np.nan) if isinstance(floats, np.ma.MaskedArray) else np.asarray(floats)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"`{name}` must be numbers, was {value!r:.60}; pass floats, and times as a number of years"
        ) from None


def _is_moment(item: object) -> bool:
    return isinstance(item, np.timedelta64 | np.datetime64)


def _flat(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The array broadcast to ``shape`` and flattened: contiguous and, for the compiler's sake, of a writable kind."""
    whole = array if array.shape == shape else np.broadcast_to(array, shape)
    flat = np.ascontiguousarray(whole).reshape(-1)
    return flat if flat.flags.carray else _unlocked(flat)


class _Memory:
    """The memory of an array without its lock: kernels are compiled once, for arrays of the writable kind."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__ | {"data": (array.ctypes.data, False)}


def _unlocked(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not (array.flags.aligned and array.size):
        return array.copy()
    return np.asarray(_Memory(array))

"""The compiler of the house: ``compiled`` and ``inlined`` turn a plain loop into machine code that numba keeps on disk.

Imported by modules of loops only, never by a room's front door: see ``compiled.Later``.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import llvmlite.binding as llvm
import numba
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])

# What the compiler may assume: fused products, reciprocals for divisions, unsigned zeros, fast functions. Not: that NaN
# and infinity do not occur, nor that sums may be reordered.
ELEMENTWISE = {"contract", "arcp", "nsz", "afn"}
# The same, and sums in any order, so that a sum can use all lanes of a vector unit.
SUMMING = {"contract", "arcp", "nsz", "reassoc"}

# LLVM does not vectorise a loop over more than eight arrays that might overlap; a book's loop has thirteen.
llvm.set_option("sigma", "-runtime-memory-check-threshold=512")


def compiled(*, allowing: set[str] = ELEMENTWISE) -> Callable[[Function], Function]:
    """A loop compiled when first called, without the interpreter's lock, and kept on disk; division by zero is inf."""

    def wrap(function: Function) -> Function:
        made = numba.njit(error_model="numpy", fastmath=allowing, nogil=True)(function)
        if not numba.config.DISABLE_JIT:
            made._cache = _Kept(made.py_func)
        return made

    return wrap


def inlined(function: Function) -> Function:
    """A small function written into each loop that calls it, so that the whole loop can use the vector unit."""
    return numba.njit(inline="always", error_model="numpy", fastmath=ELEMENTWISE)(function)


class _Kept(FunctionCache):
    """A kept loop is made anew when any module of loops changed, not only its own: they are written into each other."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _state_of_the_loops(function))


def _state_of_the_loops(function: Callable[..., Any]) -> str:
    """A digest of this file and of all modules in the folder of ``function``."""
    folder = Path(function.__code__.co_filename).parent
    texts = (path.read_bytes() for path in (Path(__file__), *sorted(folder.glob("*.py"))))
    return blake2b(b"".join(texts), digest_size=8).hexdigest()

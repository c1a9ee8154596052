"""Compiled loops: how the hot loops of the house are compiled, kept, and run on all cores.

A module of loops is imported when its first function is called (``Later``), because to import numba takes longer than
to import numpy. Compiled code is kept beside the source file (or where numba finds room); ``sigma compile`` fills that
store once, ``make`` runs it, so that no first call waits for a compiler.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CHUNK = 8192  # rows below which a second thread costs more than it saves


class Later:
    """A module of compiled loops that is imported when one of them is first asked for.

    >>> loops = Later("math")
    >>> loops.sqrt(4.0)
    2.0
    """

    def __init__(self, name: str) -> None:
        self._module_name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(import_module(self._module_name), name)
        setattr(self, name, found)
        return found


def in_parts(kernel: Callable[..., None], count: int, arrays: Sequence[Floats], *, chunk: int = CHUNK) -> None:
    """Run ``kernel(*arrays)`` on contiguous slices of the last axis of each array, one slice a core.

    The kernel must release the interpreter's lock and treat each item alone, so that the result does not depend on
    where the slices end. Fewer than two chunks of rows are run where they are.
    """
    parts = min(cores(), count // chunk)
    if parts < 2:
        return kernel(*arrays)
    step = -(-count // parts)
    running = [
        _pool().submit(kernel, *(array[..., start : start + step] for array in arrays))
        for start in range(0, count, step)
    ]
    for part in running:
        part.result()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="sigma-loops")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork, and nobody would do the work

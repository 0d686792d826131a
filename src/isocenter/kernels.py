"""Kernels: how loops over voxels are compiled (numba) and spread over threads. The loops stand where they are used.

Compiled code is kept for the next run beside the package, or in the user's cache folder, or where ``NUMBA_CACHE_DIR``
says. Where none of these can be written (a read-only installation, an account without a home) it is compiled anew in
every run, which takes longer and changes no result.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Decorator that compiles a function at its first call, to machine code that releases the GIL.

    Parameters
    ----------
    **options
        Further options of ``numba.njit``.
    """

    def compile_late(function: Function) -> Function:
        try:
            return njit(cache=True, nogil=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # there is no place for the cache
            return njit(nogil=True, **options)(function)  # type: ignore[no-any-return]

    return compile_late


kernel = compiled()
"""Decorator for a kernel without further options."""


_SHARES = 4
"""Slabs per thread, since some hold more work than others."""
_SMALL = 100_000
"""Voxels that one thread is through with before others have begun."""
_MOST = 16
"""Threads; beyond it memory is the limit."""


def threads() -> int:
    """How many threads work side by side: one for each core that this process may use, 16 at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST)


def over_slices(work: Callable[[int, int], None], shape: Sequence[int]) -> None:
    """Call ``work(start, stop)`` for slabs that make up all slices of a shape, each once, by several threads.

    For kernels that release the GIL: compiled for one thread and run side by side they take a fraction of the time
    that parallel ones need to compile. The threads end with the call: nothing is left behind that a later ``fork``
    could trip over, and calls from several threads do not disturb each other.
    """
    slices = shape[0]
    workers = min(threads(), slices)
    if workers == 1 or math.prod(shape) < _SMALL:
        work(0, slices)
        return
    cuts = np.linspace(0, slices, min(_SHARES * workers, slices) + 1).astype(int).tolist()
    slabs = iter(list(pairwise(cuts)))  # whoever is free takes the next

    def some() -> None:
        for start, stop in slabs:
            work(start, stop)

    with ThreadPoolExecutor(workers - 1) as pool:  # the caller works too: one thread fewer to begin and to end
        others = [pool.submit(some) for _ in range(workers - 1)]
        some()
        for other in others:
            other.result()

"""Work on the slices of a volume by several threads: for compiled kernels that let go of the interpreter.

Kernels compiled for one thread and run side by side are compiled in a fraction of the time of parallel ones.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numba as nb
import numpy as np

_SHARES = 4
"""Slabs per thread, since some hold more work than others."""


def over_slices(work: Callable[[int, int], None], slices: int) -> None:
    """Call ``work(start, stop)`` for slabs that make up all slices, each once."""
    threads = nb.get_num_threads()
    bounds = np.unique(np.linspace(0, slices, min(slices, threads * _SHARES) + 1).astype(int)).tolist()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda slab: work(*slab), pairwise(bounds)):
            pass

"""How long a call takes, and how much memory: the best of several rounds, as others use the machine too."""

from __future__ import annotations

import gc
import importlib.metadata
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from bench.peers import memory

SLOW_S = 5.0
"""Who takes so long is not kept waiting for."""


def best_of(run: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Seconds of the best round, and the result of the last."""
    best, result = float("inf"), None
    for _ in range(rounds):
        start = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - start)
        if best > SLOW_S:
            break
    return best, result


def best_and_peak(run: Callable[[], Any], rounds: int) -> tuple[float, float, Any]:
    """Seconds of the best round, peak of memory above what was held before in bytes, and the result of the last."""
    seconds, peak, result = float("inf"), 0.0, None
    for _ in range(rounds):
        result = None
        gc.collect()
        before = memory("VmRSS", fresh_peak=True)
        took, result = best_of(run, 1)
        seconds, peak = min(seconds, took), memory("VmHWM") - before
        if seconds > SLOW_S:
            break
    return seconds, peak, result


def versions_of(packages: Sequence[str]) -> str:
    """Those that are installed, with their versions."""
    found = []
    for name in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)

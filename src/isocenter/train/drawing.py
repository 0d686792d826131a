"""Batches, drawn ahead by threads. Which batch a step gets depends on the seed, the process and the step alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from isocenter.train.settings import Settings
from isocenter.train.tasks import Batch, Task


def generator_of(seed: int, rank: int, step: int) -> np.random.Generator:
    """The generator of one step of one process: all chance of that step."""
    return np.random.default_rng((seed, rank, step))


@contextmanager
def batches(task: Task, settings: Settings, *, rank: int, start: int) -> Iterator[Iterator[tuple[Batch, ...]]]:
    """The batches of all steps from ``start``, as many for each as are accumulated.

    What a thread meets (a damaged case) is raised at the step that needed the batch. Leaving the context stops drawing.
    """

    def draw(step: int) -> tuple[Batch, ...]:
        rng = generator_of(settings.seed, rank, step)
        return tuple(task.sample(rng) for _ in range(settings.accumulation))

    steps = range(start, settings.steps)
    if not settings.workers:
        yield map(draw, steps)
        return
    pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="isocenter-draw")
    try:
        yield _ahead(pool, draw, steps, settings.workers + 1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ahead(pool: ThreadPoolExecutor, draw: object, steps: range, depth: int) -> Iterator[tuple[Batch, ...]]:
    """The results in order, with so many begun before they are asked for."""
    begun: deque[Future[tuple[Batch, ...]]] = deque()
    for step in steps:
        begun.append(pool.submit(draw, step))  # type: ignore[arg-type]
        if len(begun) > depth:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()

"""One pass over all cases: side by side, few in memory at a time, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from isocenter.datasets.dataset import Case
from isocenter.errors import Refused
from isocenter.kernels import threads

Found = TypeVar("Found")
Observer = Callable[[int, int], None]
"""Called with the number of cases done and of all."""

_MOST = 8
"""Cases in memory at a time, one for each thread; beyond that the disk is the limit."""


def over_cases(
    cases: Sequence[Case], work: Callable[[Case], Found], *, observer: Observer | None = None
) -> Iterator[tuple[Case, Found | Refused]]:
    """Each case with what the work made of it, or with why it was refused; in the order of the cases.

    No more cases are begun than threads work, so that memory holds one case for each thread, 8 at most.
    """
    workers = min(threads(), _MOST)
    running: deque[tuple[Case, Future[Found | Refused]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        done = 0
        for case in cases:
            if len(running) == workers:
                yield _next(running)
                done += 1
                if observer is not None:
                    observer(done, len(cases))
            running.append((case, pool.submit(_tried, work, case)))
        while running:
            yield _next(running)
            done += 1
            if observer is not None:
                observer(done, len(cases))


def _next(running: deque[tuple[Case, Future[Found | Refused]]]) -> tuple[Case, Found | Refused]:
    case, future = running.popleft()
    return case, future.result()


def _tried(work: Callable[[Case], Found], case: Case) -> Found | Refused:
    try:
        return work(case)
    except Refused as error:
        return error

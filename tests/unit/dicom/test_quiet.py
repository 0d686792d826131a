from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from isocenter.dicom.file.quiet import quietly


def test_warnings_are_kept_back_within_and_let_out_after() -> None:
    with quietly():
        warnings.warn("a name", stacklevel=1)
        with quietly():
            warnings.warn("a name", stacklevel=1)
        warnings.warn("a name", stacklevel=1)
    with pytest.raises(UserWarning, match="ours"):
        warnings.warn("ours", stacklevel=1)


def test_threads_leave_the_filters_as_they_were() -> None:
    before, barrier = warnings.filters[:], threading.Barrier(4)

    def work(_: int) -> None:
        barrier.wait()
        for _ in range(200):
            with quietly():
                warnings.warn("a name", stacklevel=1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert warnings.filters == before

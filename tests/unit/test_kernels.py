from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.kernels import compiled, kernel, over_slices

SAMPLED = """
import numpy as np
from isocenter import sampling

array = np.arange(27, dtype=np.float32).reshape(3, 3, 3)
found = sampling.affine_linear(array, np.eye(4), (3, 3, 3), outside=0.0)
assert np.array_equal(found, array)
"""


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_kernels_run_where_compiled_code_can_be_kept_nowhere() -> None:
    ran = run(SAMPLED, NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator", NUMBA_CACHE_DIR="")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_compiled_code_is_kept_where_it_can_be(tmp_path: Path) -> None:
    ran = run(SAMPLED, NUMBA_CACHE_DIR=str(tmp_path))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(tmp_path.rglob("linear.*.nbc"))


def test_a_compiled_function_gives_what_it_gave() -> None:
    def twice(number: int) -> int:
        return 2 * number

    assert kernel(twice)(3) == compiled(inline="always")(twice)(3) == 6


def test_slabs_make_up_all_slices_each_once_and_a_fault_in_any_of_them_is_told() -> None:
    for slices in (1, 3, 50):
        seen = np.zeros(slices, int)

        def work(start: int, stop: int, seen: Any = seen) -> None:
            seen[start:stop] += 1

        over_slices(work, (slices, 512, 512))
        assert (seen == 1).all()

    for wrong in (0, 49):

        def faulty(start: int, stop: int, wrong: int = wrong) -> None:
            if start <= wrong < stop:
                raise ValueError("a fault")

        with pytest.raises(ValueError, match="a fault"):
            over_slices(faulty, (50, 512, 512))

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from isocenter.kernels import compiled, kernel

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

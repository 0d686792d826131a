"""What every filter asks of the values of a volume: real and finite, in a type that the kernels are compiled for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.codes import Code
from isocenter.errors import InputError
from isocenter.kernels import kernel
from isocenter.ops.lattice import each, expect_real
from isocenter.volume import Array, Volume, read_only

Singles = npt.NDArray[np.float32]

_MOST = float(np.finfo(np.float32).max)
_COMPILED_FOR = ("uint8", "int16", "uint16", "float32")


def filtered(volume: Volume, work: Callable[[Array], Array], **changes: Any) -> Volume:
    """The volume with ``work`` done on each (slice, row, column) part of it; grid, sources and reasons stay.

    Raises
    ------
    UsageError
        If it is no volume, or holds no real numbers.
    InputError
        If a value is NaN or infinite (in float32): it would spread as far as the filter reaches.
    """
    check_values(volume)
    return volume.with_array(each(volume, lambda part: work(prepared(part))), **changes)


def check_values(volume: Volume) -> None:
    """Raise what :func:`filtered` raises of values."""
    expect_real(volume, "A filter")
    if volume.array.dtype.kind == "f" and not -_MOST <= float(volume.array.min()) <= float(volume.array.max()) <= _MOST:
        raise InputError("Some values are NaN, infinite, or too large for float32: replace them before filtering.")


def prepared(array: Array) -> Array:
    """The values in C order, read-only, in a type that kernels are compiled for: float32 but for small integers."""
    kind = array.dtype.newbyteorder("=") if array.dtype.name in _COMPILED_FOR else np.dtype(np.float32)
    return read_only(np.ascontiguousarray(array, kind))


def as_singles(array: Array) -> Singles:
    """The values as a new float32 array."""
    return array.astype(np.float32, order="C")


def per_mm(unit: Code, power: int = 1) -> Code:
    """The unit of a derivative along a length."""
    suffix, times = ("", "") if power == 1 else (str(power), f" to the power of {power}")
    value = "" if unit.value == "1" else unit.value
    return Code(f"{value}/mm{suffix}", "UCUM", f"{unit.meaning} per mm{times}")


@kernel
def mirrored(index: int, n: int) -> int:
    """Index of the voxel that stands at ``index`` once the image is mirrored at its faces: c b a | a b c | c b a."""
    index %= 2 * n
    return index if index < n else 2 * n - 1 - index

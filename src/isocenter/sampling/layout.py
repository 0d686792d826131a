"""How arrays and matrices are laid out before a kernel runs: contiguous, read-only, columns along columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices
from isocenter.volume import read_only

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Shape = tuple[int, int, int]

_DRIFT = 1e-5  # voxels; coupling between axes that moves no sample by more than this is rounding


def contiguous(view: Array) -> Array:
    """The values of a view in C order, copied in blocks where its axes are permuted; itself if in C order."""
    strides = [
        abs(stride) if n > 1 else np.iinfo(np.int64).max for stride, n in zip(view.strides, view.shape, strict=True)
    ]
    fastest = int(np.argmin(strides))
    if view.ndim != 3 or fastest == 2 or view.size < 100_000 or view.dtype.itemsize not in (1, 2, 4, 8):
        return np.ascontiguousarray(view)
    out = np.empty(view.shape, view.dtype)
    bits, axes = np.dtype(f"u{view.dtype.itemsize}"), (1 - fastest, fastest, 2)
    source, target = read_only(view.view(bits).transpose(axes)), out.view(bits).transpose(axes)
    over_slices(lambda first, last: _copy_in_blocks(source[first:last], target[first:last]), source.shape)
    return out


def prepared(array: Array, matrix: npt.ArrayLike) -> tuple[Array, Floats]:
    """The array contiguous and read-only (one type to compile for), the axis that output columns run along last."""
    transform = np.array(matrix, np.float64)
    if array.ndim != 3 or transform.shape != (4, 4):
        raise ValueError(f"Expected a 3D array and a (4, 4) matrix, not shapes {array.shape} and {transform.shape}.")
    along = int(np.argmax(np.abs(transform[:3, 2])))
    if along != 2:
        array = array.swapaxes(along, 2)
        transform[[along, 2]] = transform[[2, along]]
    return read_only(contiguous(array)), transform


def rows_stay_rows(matrix: Floats, shape: Shape) -> bool:
    """Whether a row of output voxels runs along a row of the input, each row of a slice from the same column on.

    True for any separable resampling and for a stack sheared along its rows' direction of growth (gantry tilt).
    """
    k, r, c = shape
    coupling = [abs(matrix[0, 2]) * c, abs(matrix[1, 2]) * c, abs(matrix[2, 0]) * k + abs(matrix[2, 1]) * r]
    return bool(max(coupling) < _DRIFT)


def separated(matrix: Floats, shape: Shape) -> Shape | None:
    """For each output axis the input axis that it runs along; None if some output axis runs along none."""
    order = [int(axis) for axis in np.argmax(np.abs(matrix[:3, :3]), axis=0)]
    if sorted(order) != [0, 1, 2]:
        return None
    askew = np.abs(matrix[:3, :3]) * shape
    askew[order, range(3)] = 0
    return (order[0], order[1], order[2]) if askew.max() < _DRIFT else None


def limits_of(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Least and greatest value that a dtype holds."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)


def held_by(dtype: np.dtype[Any], outside: float) -> Any:
    """The outside value as a scalar of the dtype, unchanged."""
    with np.errstate(all="ignore"):
        value = np.asarray(outside).astype(dtype)[()]
    if dtype.kind == "f" or value == outside:
        return value
    raise ValueError(f"An array of {dtype} cannot hold the outside value {outside}.")


@kernel
def _copy_in_blocks(source: Array, target: Array) -> None:
    """Copy, of arrays whose last two axes run fast in one and slow in the other, in blocks that stay in the cache."""
    depth, height, width = source.shape
    for z in range(depth):
        for top in range(0, height, 32):
            for left in range(0, width, 32):
                for y in range(top, min(top + 32, height)):
                    for x in range(left, min(left + 32, width)):
                        target[z, y, x] = source[z, y, x]

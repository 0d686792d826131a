"""Linear sampling through any affine: between the eight voxels around a point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import compiled, kernel, over_slices
from isocenter.sampling.border import holds_halves, inside, lower, points_of_row
from isocenter.sampling.layout import Array, Floats, Shape, held_by, prepared, rows_stay_rows

SINGLE = ("int8", "uint8", "int16", "uint16", "float32")
"""Types that float32 holds exactly."""
DOUBLE = ("int32", "uint32", "float64")
"""Types that float64 holds exactly."""


def affine_linear(array: Array, matrix: npt.ArrayLike, shape: Shape, *, outside: float) -> Array:
    """Array sampled linearly at the points that a matrix maps output indices to.

    Parameters
    ----------
    array
        (slice, row, column) integers of up to 32 bits, float32 or float64.
    matrix
        (4, 4): ``matrix @ (k, r, c, 1)`` of an output voxel is its index in ``array``.
    shape
        Shape of the output.
    outside
        Value of output voxels that lie farther than half a voxel beyond the outermost voxel centres of ``array``.

    Returns
    -------
    Array of the given shape and the dtype of ``array``; integers are rounded to the nearest, halves up.

    Raises
    ------
    ValueError
        If the array is not three-dimensional, its dtype is none of the named, or it cannot hold ``outside``.
    """
    work = working_type(array.dtype)
    source, transform = prepared(array, matrix)
    fill = held_by(array.dtype, outside)
    sample = _linear_by_rows if rows_stay_rows(transform, shape) else _linear_by_points
    out = np.empty(shape, array.dtype)

    def fill_slab(first: int, last: int) -> None:
        sample(source, transform, fill, out[first:last], first, np.empty(source.shape[2], work))

    over_slices(fill_slab, shape)
    return out


def working_type(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """The float type to compute in: float32 where it holds every value of the dtype exactly, else float64.

    Raises
    ------
    ValueError
        If neither does, or the values are no real numbers.
    """
    if dtype.name not in SINGLE + DOUBLE:
        raise ValueError(f"Interpolation takes integers of up to 32 bits, float32 and float64, not {dtype}.")
    return np.float32 if dtype.name in SINGLE else np.float64


@kernel
def _blend_rows(array: Array, k: int, r: int, weights: Array, line: Array) -> None:
    """Into ``line``: the row between the four rows from [k, r] on; weights of (the next slice, the next row)."""
    w, g = weights[0], weights[1]
    here, below = array[k, r], array[k, r if g == 0 else r + 1]
    behind, behind_below = array[k if w == 0 else k + 1, r], array[k if w == 0 else k + 1, r if g == 0 else r + 1]
    kind = line.dtype.type
    if w == 0 and g == 0:
        for x in range(line.size):
            line[x] = here[x]
    elif w == 0:
        for x in range(line.size):
            a, b = kind(here[x]), kind(below[x])
            line[x] = a + g * (b - a)
    elif g == 0:
        for x in range(line.size):
            a, b = kind(here[x]), kind(behind[x])
            line[x] = a + w * (b - a)
    else:
        for x in range(line.size):
            a, b = kind(here[x]), kind(below[x])
            p, q = kind(behind[x]), kind(behind_below[x])
            upper = a + g * (b - a)
            lower = p + g * (q - p)
            line[x] = upper + w * (lower - upper)


@kernel
def _read_along(line: Array, left: Array, right: Array, share: Array, target: Array) -> None:
    """Into ``target``: values between each left and right neighbour in ``line``, rounded if it holds integers."""
    half = line.dtype.type(0.5)
    if holds_halves(target):
        for x in range(target.size):
            a, b = line[left[x]], line[right[x]]
            target[x] = a + share[x] * (b - a)
    else:
        for x in range(target.size):
            a, b = line[left[x]], line[right[x]]
            target[x] = np.floor(a + share[x] * (b - a) + half)


@kernel
def _linear_by_rows(array: Array, matrix: Floats, outside: Any, out: Array, first: int, line: Array) -> None:
    """Linear sampling where rows stay rows: up to four input rows are blended to one, which is then read along."""
    depth, height, width = array.shape
    left = np.empty(out.shape[2], np.int64)
    share = np.empty(out.shape[2], line.dtype)
    for x in range(out.shape[2]):
        left[x], share[x] = lower(matrix[2, 2] * x + matrix[2, 3], width)
    right = left + (share > 0)
    begin, end = inside(left)
    weights = np.empty(2, line.dtype)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            k, weights[0] = lower(matrix[0, 0] * (z + first) + matrix[0, 1] * y + matrix[0, 3], depth)
            r, weights[1] = lower(matrix[1, 0] * (z + first) + matrix[1, 1] * y + matrix[1, 3], height)
            target = out[z, y]
            if k < 0 or r < 0:
                target[:] = outside
                continue
            _blend_rows(array, k, r, weights, line)
            _read_along(line, left[begin:end], right[begin:end], share[begin:end], target[begin:end])
            target[:begin] = outside
            target[end:] = outside


@kernel
def between_eight(array: Array, k: int, r: int, c: int, weights: Array) -> Any:
    """Value between the eight voxels from [k, r, c] on; weights of (the next slice, row, column)."""
    kind = weights.dtype.type
    w, g, f = weights[0], weights[1], weights[2]
    k1 = k + 1 if w > 0 else k
    r1 = r + 1 if g > 0 else r
    c1 = c + 1 if f > 0 else c
    a, b = kind(array[k, r, c]), kind(array[k, r, c1])
    p, q = kind(array[k, r1, c]), kind(array[k, r1, c1])
    upper, lower = a + f * (b - a), p + f * (q - p)
    near = upper + g * (lower - upper)
    a, b = kind(array[k1, r, c]), kind(array[k1, r, c1])
    p, q = kind(array[k1, r1, c]), kind(array[k1, r1, c1])
    upper, lower = a + f * (b - a), p + f * (q - p)
    far = upper + g * (lower - upper)
    return near + w * (far - near)


@compiled(fastmath={"contract"})
def linear_at(array: Array, points: Floats, outside: Any, target: Array, weights: Array) -> None:
    """Into ``target``: values at points (3, n); ``weights`` (3) is work space of the dtype to compute in."""
    cast = weights.dtype.type
    half = cast(0.0 if holds_halves(target) else 0.5)
    depth, height, width = array.shape
    one = np.uint64(1)  # an index that cannot be negative needs no check
    for x in range(target.size):
        u, v, t = points[0, x], points[1, x], points[2, x]
        if u >= 0 and v >= 0 and t >= 0 and u < depth - 1 and v < height - 1 and t < width - 1:
            w, g, f = cast(u - int(u)), cast(v - int(v)), cast(t - int(t))
            k, r, c = np.uint64(u), np.uint64(v), np.uint64(t)
            a, b = cast(array[k, r, c]), cast(array[k, r, c + one])
            p, q = cast(array[k, r + one, c]), cast(array[k, r + one, c + one])
            upper, below = a + f * (b - a), p + f * (q - p)
            near = upper + g * (below - upper)
            a, b = cast(array[k + one, r, c]), cast(array[k + one, r, c + one])
            p, q = cast(array[k + one, r + one, c]), cast(array[k + one, r + one, c + one])
            upper, below = a + f * (b - a), p + f * (q - p)
            far = upper + g * (below - upper)
            value = near + w * (far - near)
        else:
            i, weights[0] = lower(u, depth)
            j, weights[1] = lower(v, height)
            m, weights[2] = lower(t, width)
            if i < 0 or j < 0 or m < 0:
                target[x] = outside
                continue
            value = between_eight(array, i, j, m, weights)
        target[x] = value if half == 0 else math.floor(value + half)


@kernel
def _linear_by_points(array: Array, matrix: Floats, outside: Any, out: Array, first: int, line: Array) -> None:
    """Linear sampling through any affine, point by point; of ``line`` only the dtype is used, to compute in."""
    points, weights = np.empty((3, out.shape[2])), np.empty(3, line.dtype)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            points_of_row(matrix, z + first, y, points)
            linear_at(array, points, outside, out[z, y], weights)

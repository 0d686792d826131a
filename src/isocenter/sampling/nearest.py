"""Nearest-neighbour sampling through any affine: no value that was not there before."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices
from isocenter.sampling.border import HALF, closest, inside, points_of_row
from isocenter.sampling.layout import Array, Floats, Shape, held_by, prepared, rows_stay_rows


def affine_nearest(array: Array, matrix: npt.ArrayLike, shape: Shape, *, outside: float) -> Array:
    """Array sampled at the nearest voxel: no value that was not there before, as labels need it.

    Takes any dtype of 1, 2, 4 or 8 bytes; halfway between two voxels the one of the higher index is taken. Otherwise as
    :func:`~isocenter.sampling.linear.affine_linear`.
    """
    bits = bits_of(array.dtype)
    source, transform = prepared(array, matrix)
    fill = np.asarray(held_by(array.dtype, outside)).view(bits)[()]
    sample = _nearest_by_rows if rows_stay_rows(transform, shape) else _nearest_by_points
    out = np.empty(shape, array.dtype)
    source, target = source.view(bits), out.view(bits)

    def fill_slab(first: int, last: int) -> None:
        sample(source, transform, fill, target[first:last], first)

    over_slices(fill_slab, shape)
    return out


def bits_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The unsigned type of the same size: values are only moved, so one kernel serves all types of a size.

    Raises
    ------
    ValueError
        If the dtype is not one of numbers of 1, 2, 4 or 8 bytes.
    """
    if dtype.itemsize not in (1, 2, 4, 8) or dtype.kind not in "buif":
        raise ValueError(f"Nearest-neighbour sampling takes numbers of 1, 2, 4 or 8 bytes, not {dtype}.")
    return np.dtype(f"u{dtype.itemsize}")


@kernel
def _nearest_by_rows(array: Array, matrix: Floats, outside: Any, out: Array, first: int) -> None:
    """Nearest-neighbour sampling where rows stay rows."""
    depth, height, width = array.shape
    columns = np.empty(out.shape[2], np.int64)
    for x in range(out.shape[2]):
        columns[x] = closest(matrix[2, 2] * x + matrix[2, 3], width)
    begin, end = inside(columns)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            k = closest(matrix[0, 0] * (z + first) + matrix[0, 1] * y + matrix[0, 3], depth)
            r = closest(matrix[1, 0] * (z + first) + matrix[1, 1] * y + matrix[1, 3], height)
            target = out[z, y]
            if k < 0 or r < 0:
                target[:] = outside
                continue
            line = array[k, r]
            for x in range(begin, end):
                target[x] = line[columns[x]]
            target[:begin] = outside
            target[end:] = outside


@kernel
def nearest_at(array: Array, points: Floats, outside: Any, target: Array) -> None:
    """Into ``target``: values of the voxels nearest to points (3, n)."""
    depth, height, width = array.shape
    for x in range(target.size):
        u, v, t = points[0, x] + HALF, points[1, x] + HALF, points[2, x] + HALF
        if u >= 0 and v >= 0 and t >= 0 and u < depth and v < height and t < width:
            target[x] = array[np.uint64(u), np.uint64(v), np.uint64(t)]
        else:
            k, r, c = closest(points[0, x], depth), closest(points[1, x], height), closest(points[2, x], width)
            target[x] = outside if k < 0 or r < 0 or c < 0 else array[k, r, c]


@kernel
def _nearest_by_points(array: Array, matrix: Floats, outside: Any, out: Array, first: int) -> None:
    """Nearest-neighbour sampling through any affine, point by point."""
    points = np.empty((3, out.shape[2]))
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            points_of_row(matrix, z + first, y, points)
            nearest_at(array, points, outside, out[z, y])

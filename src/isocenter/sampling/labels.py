"""Label maps sampled smoothly: the label that weighs most around each point, without one image for each label.

That is the largest of all labels' interpolated masks, background among them, found from the few voxels around a point
alone: no memory beside the output, and no label that is not there already.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices
from isocenter.sampling.border import closest, is_inside, points_of_row
from isocenter.sampling.cells import TIE, labels_by_cells
from isocenter.sampling.layout import Array, Floats, Shape, contiguous, separated
from isocenter.sampling.nearest import bits_of
from isocenter.sampling.weighted import weigh
from isocenter.sampling.weights import table_of
from isocenter.volume import read_only


def affine_labels(array: Array, matrix: npt.ArrayLike, shape: Shape, *, stretched: bool) -> Array:
    """Label map sampled at the points that a matrix maps output indices to, by the label that weighs most.

    Parameters
    ----------
    array
        (slice, row, column), integers; 0 is background.
    matrix
        (4, 4): ``matrix @ (k, r, c, 1)`` of an output voxel is its index in ``array``.
    shape
        Shape of the output.
    stretched
        Whether the weights, those of linear interpolation, reach as far as the new voxels lie apart.

    Returns
    -------
    Array of the given shape and the dtype of ``array``; background outside. Where labels weigh the same, that of the
    nearest voxel is kept if it is one of them.
    """
    transform = np.array(matrix, np.float64)
    if array.ndim != 3 or transform.shape != (4, 4):
        raise ValueError(f"Expected a 3D array and a (4, 4) matrix, not shapes {array.shape} and {transform.shape}.")
    steps = np.linalg.norm(transform[:3, :3], axis=1)
    stretch = np.where(stretched & (steps > 1 + 1e-6), steps, 1.0)
    by_slice, by_row, by_column = (table_of("linear", float(s), np.float32) for s in stretch)
    bits = bits_of(array.dtype)
    out = np.empty(shape, array.dtype)
    order = separated(transform, shape)
    if order is not None and stretch.max() == 1:
        turned = read_only(contiguous(array.transpose(order))).view(bits)
        labels_by_cells(turned, transform, order, out.view(bits))
        return out
    source = read_only(contiguous(array)).view(bits)
    target, tables = out.view(bits), (by_slice, by_row, by_column)

    def fill_slab(first: int, last: int) -> None:
        _heaviest(source, transform, tables, target[first:last], first)

    over_slices(fill_slab, shape)
    return out


def labels_in(array: Array) -> set[int]:
    """The labels that occur."""
    if array.dtype.itemsize > 2:
        return {int(label) for label in np.unique(array)}
    bits = bits_of(array.dtype)
    source, seen = read_only(contiguous(array)).view(bits), np.zeros(256**bits.itemsize, np.uint8)
    over_slices(lambda first, last: _note(source[first:last], seen), array.shape)
    return {int(label) for label in np.flatnonzero(seen).astype(bits).view(array.dtype)}


@kernel
def _note(array: Array, seen: Array) -> None:
    last = array[0, 0, 0]
    seen[last] = 1
    for z in range(array.shape[0]):
        for y in range(array.shape[1]):
            for x in range(array.shape[2]):
                if array[z, y, x] != last:
                    last = array[z, y, x]
                    seen[last] = 1


@kernel
def _heaviest(array: Array, matrix: Floats, tables: tuple[Array, Array, Array], out: Array, first: int) -> None:
    """Into a slab: at each point the label of most weight."""
    by_slice, by_row, by_column = tables
    slices = np.empty(by_slice.shape[1], np.int64), np.empty(by_slice.shape[1], np.float32)
    rows = np.empty(by_row.shape[1], np.int64), np.empty(by_row.shape[1], np.float32)
    columns = np.empty(by_column.shape[1], np.int64), np.empty(by_column.shape[1], np.float32)
    found = np.empty(slices[0].size * rows[0].size * columns[0].size + 1, array.dtype)
    sums = np.empty(found.size, np.float32)
    points = np.empty((3, out.shape[2]))
    is_plain = found.size == 9
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            points_of_row(matrix, z + first, y, points)
            for x in range(out.shape[2]):
                if is_plain and _eight_alike(array, points[0, x], points[1, x], points[2, x]):
                    out[z, y, x] = array[int(points[0, x]), int(points[1, x]), int(points[2, x])]
                    continue
                point = points[:, x]
                if not is_inside(point, array.shape):
                    out[z, y, x] = 0
                    continue
                weigh(point[0], array.shape[0], by_slice, False, slices)  # noqa: FBT003 - of compiled code
                weigh(point[1], array.shape[1], by_row, False, rows)  # noqa: FBT003
                weigh(point[2], array.shape[2], by_column, False, columns)  # noqa: FBT003
                own = array[
                    closest(point[0], array.shape[0]),
                    closest(point[1], array.shape[1]),
                    closest(point[2], array.shape[2]),
                ]
                alike = _alike(array, slices[0], rows[0], columns[0], own)
                out[z, y, x] = own if alike else _winner(array, (slices, rows, columns), own, found, sums)


@kernel
def _eight_alike(array: Array, u: float, v: float, t: float) -> bool:
    """Whether a point has eight voxels around it, all of one label: no more is to be known of most points."""
    depth, height, width = array.shape
    if not (u >= 0 and v >= 0 and t >= 0 and u < depth - 1 and v < height - 1 and t < width - 1):
        return False
    one = np.uint64(1)  # an index that cannot be negative needs no check
    k, r, c = np.uint64(u), np.uint64(v), np.uint64(t)
    own = array[k, r, c]
    near = array[k, r, c + one] == own and array[k, r + one, c] == own and array[k, r + one, c + one] == own
    k = k + one
    far = array[k, r, c] == own and array[k, r, c + one] == own
    return bool(near and far and array[k, r + one, c] == own and array[k, r + one, c + one] == own)


@kernel
def _alike(array: Array, slices: Array, rows: Array, columns: Array, own: int) -> bool:
    """Whether all voxels around a point have the same label."""
    for k in slices:
        for r in rows:
            line = array[k, r]
            for c in columns:
                if line[c] != own:
                    return False
    return True


@kernel
def _winner(array: Array, around: Any, own: int, found: Array, sums: Array) -> Any:
    """The label of most weight; ``found`` and ``sums`` are work space."""
    slices, rows, columns = around
    found[0], sums[0], count = own, TIE, 1
    for i in range(slices[0].size):
        for j in range(rows[0].size):
            for m in range(columns[0].size):
                label = array[slices[0][i], rows[0][j], columns[0][m]]
                place = 0
                while place < count and found[place] != label:
                    place += 1
                if place == count:
                    found[place], sums[place], count = label, 0, count + 1
                sums[place] += slices[1][i] * rows[1][j] * columns[1][m]
    return found[np.argmax(sums[:count])]

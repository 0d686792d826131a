"""Sampling as weighted sums of many voxels: cubic B-spline, Lanczos, and every kernel stretched to smooth.

Where output axes run along input axes the sums are done axis by axis: each input slice is resampled in its plane, once,
and a few such planes are held at a time, of which output slices are summed. So no whole image of floats is ever made.
Through any other matrix samples are made point by point.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import compiled, kernel, over_slices
from isocenter.sampling.border import is_inside, points_of_row, store
from isocenter.sampling.layout import Array, Floats, Shape, contiguous, held_by, limits_of, separated
from isocenter.sampling.linear import working_type
from isocenter.sampling.spline import LANES, coefficients, to_coefficients
from isocenter.sampling.weights import Kind, Taps, table_of, taps_of
from isocenter.volume import read_only

_CHUNK = 16  # output slices summed at a time
_HORIZON = {4: 10, 8: 24}  # slices beyond a run, by the size of a float, until a spline forgets that it was cut there


def affine_weighted(
    array: Array, matrix: npt.ArrayLike, shape: Shape, *, kind: Kind, stretched: bool, outside: float
) -> Array:
    """Array sampled by a kernel at the points that a matrix maps output indices to.

    Parameters
    ----------
    array
        (slice, row, column) integers of up to 32 bits, float32 or float64.
    matrix
        (4, 4): ``matrix @ (k, r, c, 1)`` of an output voxel is its index in ``array``.
    shape
        Shape of the output.
    kind
        ``"linear"``, ``"cubic"`` (B-spline) or ``"lanczos"``.
    stretched
        Whether the kernel is widened along each axis by as much as the new voxels lie farther apart than the old.
    outside
        Value of output voxels that lie farther than half a voxel beyond the outermost voxel centres of ``array``.

    Returns
    -------
    Array of the given shape and the dtype of ``array``; integers are rounded to the nearest, halves up, and cut to
    what the dtype holds, since cubic and Lanczos kernels swing over at edges. A NaN spreads over the kernel's width,
    and over a whole slice and further with an unstretched cubic one, whose filter is recursive.
    """
    transform = np.array(matrix, np.float64)
    if array.ndim != 3 or transform.shape != (4, 4):
        raise ValueError(f"Expected a 3D array and a (4, 4) matrix, not shapes {array.shape} and {transform.shape}.")
    work = working_type(array.dtype)
    fill = held_by(array.dtype, outside), *(work(limit) for limit in limits_of(array.dtype))
    steps = np.linalg.norm(transform[:3, :3], axis=1)
    stretch = np.where(stretched & (steps > 1 + 1e-6), steps, 1.0)
    out = np.empty(shape, array.dtype)
    order = separated(transform, shape)
    if order is None:
        _by_points(array, transform, (kind, stretch, work), fill, out)
        return out
    source = read_only(contiguous(array.transpose(order)))
    taps = [
        taps_of(
            kind, transform[old, new] * np.arange(shape[new]) + transform[old, 3], array.shape[old],
            stretch=float(stretch[old]), work=work,
        )
        for new, old in enumerate(order)
    ]  # fmt: skip
    _by_axes(source, taps, fill, out)
    return out


def _by_axes(source: Array, taps: list[Taps], fill: Any, out: Array) -> None:
    """Each input slice in its plane, then sums of such planes, some output slices at a time."""
    along, rows, columns = taps
    out[: along.begin], out[along.end :] = fill[0], fill[0]
    margin = _HORIZON[along.weights.itemsize] if along.recursive else 0
    chunks = [(z, min(z + _CHUNK, along.end)) for z in range(along.begin, along.end, _CHUNK)]
    spans = [_span(along, start, stop, margin, source.shape[0]) for start, stop in chunks]
    room = max((last - first for first, last in spans), default=0)
    planes = np.empty((room, *out.shape[1:]), along.weights.dtype)
    in_plane = (rows.first, rows.weights, rows.recursive), (columns.first, columns.weights, columns.recursive)
    box = rows.begin, rows.end, columns.begin, columns.end
    held = range(0)
    for (start, stop), span in zip(chunks, spans, strict=True):
        missing = np.array([k for k in range(*span) if k not in held], np.int64)
        held = range(*span)
        sums = along.first[start:stop], along.weights[start:stop], along.recursive

        def resample(one: int, end: int, slices: Array = missing) -> None:
            _resample_planes(source, slices[one:end], *in_plane, planes)

        def add(one: int, end: int, run: Any = span, sums: Any = sums, target: Array = out[start:stop]) -> None:
            _sum_planes(planes, (*run, one, end), sums, box, fill, target)

        over_slices(resample, (missing.size, *source.shape[1:]))
        over_slices(add, (out.shape[1], stop - start, out.shape[2]))


def _span(along: Taps, start: int, stop: int, margin: int, length: int) -> tuple[int, int]:
    """Input slices that output slices need."""
    first, taps = along.first[start:stop], along.weights.shape[1]
    return max(int(first.min()) - margin, 0), min(int(first.max()) + taps + margin, length)


def _by_points(array: Array, matrix: Floats, rule: tuple[Kind, Floats, type], fill: Any, out: Array) -> None:
    kind, stretch, work = rule
    values = read_only(contiguous(array))
    if kind == "cubic" and (stretch == 1).any():
        values = read_only(coefficients(values, work, axes=[axis for axis in range(3) if stretch[axis] == 1]))
    by_slice, by_row, by_column = (table_of(kind, float(s), work) for s in stretch)
    way = matrix, by_slice, by_row, by_column, kind == "cubic"

    def fill_slab(first: int, last: int) -> None:
        _sum_at_points(values, way, fill, out[first:last], first)

    over_slices(fill_slab, out.shape)


# --- kernels ---------------------------------------------------------------------------------------------------------


@compiled(fastmath={"contract"})
def _blend(sheet: Array, first: int, weights: Array, line: Array) -> None:
    """Into ``line``: the weighted sum of rows of a sheet from ``first`` on."""
    line[:] = 0
    for tap in range(weights.size):
        weight, row = weights[tap], sheet[first + tap]
        for x in range(line.size):
            line[x] += weight * row[x]


@compiled(fastmath={"contract"})
def _resample_planes(source: Array, slices: Array, rows: Any, columns: Any, planes: Array) -> None:
    """Input slices resampled in their plane, each into its place among the planes held."""
    first_row, row_weights, filter_rows = rows
    first_column, column_weights, filter_columns = columns
    height, width = source.shape[1], source.shape[2]
    sheet = np.empty((height, width), planes.dtype)
    lanes = np.zeros((width, LANES), planes.dtype)  # some rows side by side, columns one below another
    line, sums = np.empty(width, planes.dtype), np.empty(LANES, planes.dtype)
    for k in slices:
        plane = planes[k % planes.shape[0]]
        for y in range(height):
            for x in range(width):
                sheet[y, x] = source[k, y, x]
        if filter_rows:
            to_coefficients(sheet)
        for top in range(0, plane.shape[0], LANES):
            count = min(LANES, plane.shape[0] - top)
            for y in range(count):
                _blend(sheet, first_row[top + y], row_weights[top + y], line)
                lanes[:, y] = line
            if filter_columns:
                to_coefficients(lanes)
            for x in range(plane.shape[1]):
                _blend(lanes, first_column[x], column_weights[x], sums)
                plane[top : top + count, x] = sums[:count]


@compiled(fastmath={"contract"})
def _sum_planes(planes: Array, run: Any, sums: Any, box: Any, outside: Any, out: Array) -> None:
    """Some rows of output slices, of planes that hold a run of input slices; ``box`` is what lies inside."""
    first, last, top, bottom = run
    begin_y, end_y, begin, end = box
    fill, low, high = outside
    starts, weights, is_recursive = sums
    stack = np.empty((last - first, planes.shape[2]), planes.dtype)
    line = np.empty(planes.shape[2], planes.dtype)
    for y in range(top, bottom):
        if not begin_y <= y < end_y:
            out[:, y] = fill
            continue
        for k in range(first, last):
            stack[k - first] = planes[k % planes.shape[0], y]
        if is_recursive:
            to_coefficients(stack)
        for z in range(out.shape[0]):
            _blend(stack, starts[z] - first, weights[z], line)
            store(line[begin:end], out[z, y, begin:end], low, high)
            out[z, y, :begin] = fill
            out[z, y, end:] = fill


@kernel
def weigh(u: float, length: int, table: Array, mirrored: Any, taps: Any) -> None:
    """Into ``taps`` (index, weight): the voxels around a coordinate, by a table of weights."""
    index, weights = taps
    below = math.floor(u)
    place = (u - below) * (table.shape[0] - 1)
    row = min(int(place), table.shape[0] - 2)
    share = table.dtype.type(place - row)
    for tap in range(table.shape[1]):
        at = int(below) + 1 - table.shape[1] // 2 + tap
        if mirrored and length > 1:
            at = abs(at) % (2 * length - 2)
            at = min(at, 2 * length - 2 - at)
        index[tap] = min(max(at, 0), length - 1)
        weights[tap] = table[row, tap] + share * (table[row + 1, tap] - table[row, tap])


@compiled(fastmath={"contract"})
def _sum_at_points(array: Array, way: Any, outside: Any, out: Array, first: int) -> None:
    """Weighted sums point by point; ``way`` is the matrix, a table of weights for each axis, and the border's rule."""
    matrix, by_slice, by_row, by_column, mirrored = way
    fill, low, high = outside
    slices = np.empty(by_slice.shape[1], np.int64), np.empty(by_slice.shape[1], by_slice.dtype)
    rows = np.empty(by_row.shape[1], np.int64), np.empty(by_row.shape[1], by_slice.dtype)
    columns = np.empty(by_column.shape[1], np.int64), np.empty(by_column.shape[1], by_slice.dtype)
    points, line = np.empty((3, out.shape[2])), np.empty(out.shape[2], by_slice.dtype)
    depth, height, width = array.shape
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            points_of_row(matrix, z + first, y, points)
            for x in range(out.shape[2]):
                if not is_inside(points[:, x], array.shape):
                    line[x] = 0
                    continue
                weigh(points[0, x], depth, by_slice, mirrored, slices)
                weigh(points[1, x], height, by_row, mirrored, rows)
                weigh(points[2, x], width, by_column, mirrored, columns)
                total = line.dtype.type(0)
                for i in range(slices[0].size):
                    for j in range(rows[0].size):
                        part = line.dtype.type(0)
                        voxels = array[slices[0][i], rows[0][j]]
                        for m in range(columns[0].size):
                            part += columns[1][m] * voxels[np.uint64(columns[0][m])]
                        total += slices[1][i] * rows[1][j] * part
                line[x] = total
            store(line, out[z, y], low, high)
            for x in range(out.shape[2]):
                if not is_inside(points[:, x], array.shape):
                    out[z, y, x] = fill

"""Interpolation kernels on arrays: linear and nearest neighbour through any affine. Arrays and matrices only.

Which grid to sample on, what lies outside and what becomes of reasons and sources is decided in
:mod:`isocenter.ops.resample`; nothing here knows a ``Volume``.

An index coordinate is whole at a voxel's centre. A sample point up to half a voxel beyond the first or last centre
still lies in the outermost voxel and takes its value; farther out lies ``outside``. That is the rule of ITK, so
results equal SimpleITK's up to the border.

The kernels release the GIL and are run on slabs of output slices side by side.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

_SNAP = 1e-6  # voxels; nearer to a voxel centre than this is on it
_REACH = 0.5 + 1e-4  # voxels beyond the outermost centre that still belong to the outermost voxel
_DRIFT = 1e-5  # voxels; coupling between axes that moves no sample by more than this is rounding
_SINGLE = ("int8", "uint8", "int16", "uint16", "float32")  # exact in float32
_DOUBLE = ("int32", "uint32", "float64")  # exact in float64


def affine_linear(array: Array, matrix: npt.ArrayLike, shape: tuple[int, int, int], *, outside: float) -> Array:
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
    if array.dtype.name not in _SINGLE + _DOUBLE:
        raise ValueError(f"Linear sampling takes integers of up to 32 bits, float32 and float64, not {array.dtype}.")
    work = np.float32 if array.dtype.name in _SINGLE else np.float64
    source, transform = _prepared(array, matrix)
    fill = _held_by(array.dtype, outside)
    sample = _linear_by_rows if _rows_stay_rows(transform, shape) else _linear_by_points
    out = np.empty(shape, array.dtype)

    def fill_slab(first: int, last: int) -> None:
        sample(source, transform, fill, out[first:last], first, np.empty(source.shape[2], work))

    over_slices(fill_slab, shape)
    return out


def affine_nearest(array: Array, matrix: npt.ArrayLike, shape: tuple[int, int, int], *, outside: float) -> Array:
    """Array sampled at the nearest voxel: no value that was not there before, as labels need it.

    Takes any dtype of 1, 2, 4 or 8 bytes; halfway between two voxels the one of the higher index is taken. Otherwise as
    :func:`affine_linear`.
    """
    if array.dtype.itemsize not in (1, 2, 4, 8) or array.dtype.kind not in "buif":
        raise ValueError(f"Nearest-neighbour sampling takes numbers of 1, 2, 4 or 8 bytes, not {array.dtype}.")
    bits = np.dtype(f"u{array.dtype.itemsize}")  # values are only moved, so one kernel serves all types of a size
    source, transform = _prepared(array, matrix)
    fill = np.asarray(_held_by(array.dtype, outside)).view(bits)[()]
    sample = _nearest_by_rows if _rows_stay_rows(transform, shape) else _nearest_by_points
    out = np.empty(shape, array.dtype)
    source, target = source.view(bits), out.view(bits)

    def fill_slab(first: int, last: int) -> None:
        sample(source, transform, fill, target[first:last], first)

    over_slices(fill_slab, shape)
    return out


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
    source, target = _locked(view.view(bits).transpose(axes)), out.view(bits).transpose(axes)
    over_slices(lambda first, last: _copy_in_blocks(source[first:last], target[first:last]), source.shape)
    return out


# --- preparing -------------------------------------------------------------------------------------------------------


def _prepared(array: Array, matrix: npt.ArrayLike) -> tuple[Array, Floats]:
    """The array contiguous and read-only (one type to compile for), the axis that output columns run along last."""
    transform = np.array(matrix, np.float64)
    if array.ndim != 3 or transform.shape != (4, 4):
        raise ValueError(f"Expected a 3D array and a (4, 4) matrix, not shapes {array.shape} and {transform.shape}.")
    along = int(np.argmax(np.abs(transform[:3, 2])))
    if along != 2:
        array = array.swapaxes(along, 2)
        transform[[along, 2]] = transform[[2, along]]
    return _locked(contiguous(array)), transform


def _locked(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _rows_stay_rows(matrix: Floats, shape: tuple[int, int, int]) -> bool:
    """Whether a row of output voxels runs along a row of the input, each row of a slice from the same column on.

    True for any separable resampling and for a stack sheared along its rows' direction of growth (gantry tilt).
    """
    k, r, c = shape
    coupling = [abs(matrix[0, 2]) * c, abs(matrix[1, 2]) * c, abs(matrix[2, 0]) * k + abs(matrix[2, 1]) * r]
    return bool(max(coupling) < _DRIFT)


def _held_by(dtype: np.dtype[Any], outside: float) -> Any:
    """The outside value as a scalar of the dtype, unchanged."""
    with np.errstate(all="ignore"):
        value = np.asarray(outside).astype(dtype)[()]
    if dtype.kind == "f" or value == outside:
        return value
    raise ValueError(f"An array of {dtype} cannot hold the outside value {outside}.")


# --- kernels ---------------------------------------------------------------------------------------------------------


@kernel
def _lower(x: float, n: int) -> tuple[int, float]:
    """Lower neighbour of a coordinate and the weight of the upper one; (-1, 0) where it lies outside."""
    if not (-_REACH <= x <= n - 1 + _REACH):
        return -1, 0.0
    x = min(max(x, 0.0), n - 1.0)
    whole = math.floor(x + 0.5)
    if abs(x - whole) < _SNAP:
        return int(whole), 0.0
    lower = math.floor(x)
    return int(lower), x - lower


@kernel
def _closest(x: float, n: int) -> int:
    """Nearest voxel to a coordinate; -1 where it lies outside."""
    if not (-_REACH <= x <= n - 1 + _REACH):
        return -1
    return int(min(max(math.floor(x + 0.5 + _SNAP), 0.0), n - 1.0))


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
def _holds_halves(array: Array) -> bool:
    """Whether the array stores fractions, so that nothing is to be rounded."""
    probe = np.empty(1, array.dtype)
    probe[0] = 0.5
    return bool(probe[0] != 0)


@kernel
def _inside(taps: Array) -> tuple[int, int]:
    """First index with a tap inside, and one past the last."""
    begin, end = 0, taps.size
    while begin < end and taps[begin] < 0:
        begin += 1
    while end > begin and taps[end - 1] < 0:
        end -= 1
    return begin, end


@kernel
def _read_along(line: Array, left: Array, right: Array, share: Array, target: Array) -> None:
    """Into ``target``: values between each left and right neighbour in ``line``, rounded if it holds integers."""
    half = line.dtype.type(0.5)
    if _holds_halves(target):
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
        left[x], share[x] = _lower(matrix[2, 2] * x + matrix[2, 3], width)
    right = left + (share > 0)
    begin, end = _inside(left)
    weights = np.empty(2, line.dtype)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            k, weights[0] = _lower(matrix[0, 0] * (z + first) + matrix[0, 1] * y + matrix[0, 3], depth)
            r, weights[1] = _lower(matrix[1, 0] * (z + first) + matrix[1, 1] * y + matrix[1, 3], height)
            target = out[z, y]
            if k < 0 or r < 0:
                target[:] = outside
                continue
            _blend_rows(array, k, r, weights, line)
            _read_along(line, left[begin:end], right[begin:end], share[begin:end], target[begin:end])
            target[:begin] = outside
            target[end:] = outside


@kernel
def _between_eight(array: Array, k: int, r: int, c: int, weights: Array) -> Any:
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


@kernel
def _surely_inside(start: float, step: float, n: int, count: int) -> tuple[int, int]:
    """Range of x, of those below ``count``, for which ``start + step * x`` surely lies in [0, n - 1)."""
    if abs(step) < 1e-9:
        return (0, count) if 1e-3 <= start <= n - 1 - 1e-3 else (0, 0)
    a, b = -start / step, (n - 1 - start) / step
    first, last = max(min(a, b) + 1, 0.0), min(max(a, b) - 1, float(count))
    return (math.ceil(first), math.floor(last)) if first < last else (0, 0)


@kernel
def _inner_points(array: Array, start: Floats, step: Floats, target: Array, x0: int, kind: Array) -> None:
    """Linear sampling along a line of points that all have eight neighbours; in the dtype of ``kind``."""
    cast = kind.dtype.type
    half = cast(0.0 if _holds_halves(target) else 0.5)
    for i in range(target.size):
        x = x0 + i
        u, v, t = start[0] + step[0] * x, start[1] + step[1] * x, start[2] + step[2] * x
        k, r, c = int(u), int(v), int(t)
        w, g, f = cast(u - k), cast(v - r), cast(t - c)
        a, b = cast(array[k, r, c]), cast(array[k, r, c + 1])
        p, q = cast(array[k, r + 1, c]), cast(array[k, r + 1, c + 1])
        upper, lower = a + f * (b - a), p + f * (q - p)
        near = upper + g * (lower - upper)
        a, b = cast(array[k + 1, r, c]), cast(array[k + 1, r, c + 1])
        p, q = cast(array[k + 1, r + 1, c]), cast(array[k + 1, r + 1, c + 1])
        upper, lower = a + f * (b - a), p + f * (q - p)
        far = upper + g * (lower - upper)
        value = near + w * (far - near)
        target[i] = value if half == 0 else np.floor(value + half)


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


@kernel
def _linear_by_points(array: Array, matrix: Floats, outside: Any, out: Array, first: int, line: Array) -> None:
    """Linear sampling through any affine, point by point; of ``line`` only the dtype is used, to compute in."""
    depth, height, width = array.shape
    half = line.dtype.type(0.0 if _holds_halves(out) else 0.5)
    weights = np.empty(3, line.dtype)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            start = matrix[:3, 0] * (z + first) + matrix[:3, 1] * y + matrix[:3, 3]
            begin, end = 0, out.shape[2]
            for axis in range(3):
                first_x, last_x = _surely_inside(start[axis], matrix[axis, 2], array.shape[axis], out.shape[2])
                begin, end = max(begin, first_x), min(end, last_x)
            begin, end = (begin, end) if begin < end else (0, 0)
            _inner_points(array, start, matrix[:3, 2].copy(), out[z, y, begin:end], begin, line)
            for x in range(out.shape[2]):
                if begin <= x < end:
                    continue
                k, weights[0] = _lower(start[0] + matrix[0, 2] * x, depth)
                r, weights[1] = _lower(start[1] + matrix[1, 2] * x, height)
                c, weights[2] = _lower(start[2] + matrix[2, 2] * x, width)
                if k < 0 or r < 0 or c < 0:
                    out[z, y, x] = outside
                    continue
                value = _between_eight(array, k, r, c, weights)
                out[z, y, x] = value if half == 0 else math.floor(value + half)


@kernel
def _nearest_by_rows(array: Array, matrix: Floats, outside: Any, out: Array, first: int) -> None:
    """Nearest-neighbour sampling where rows stay rows."""
    depth, height, width = array.shape
    columns = np.empty(out.shape[2], np.int64)
    for x in range(out.shape[2]):
        columns[x] = _closest(matrix[2, 2] * x + matrix[2, 3], width)
    begin, end = _inside(columns)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            k = _closest(matrix[0, 0] * (z + first) + matrix[0, 1] * y + matrix[0, 3], depth)
            r = _closest(matrix[1, 0] * (z + first) + matrix[1, 1] * y + matrix[1, 3], height)
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
def _nearest_by_points(array: Array, matrix: Floats, outside: Any, out: Array, first: int) -> None:
    """Nearest-neighbour sampling through any affine, point by point."""
    depth, height, width = array.shape
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            start = matrix[:3, 0] * (z + first) + matrix[:3, 1] * y + matrix[:3, 3]
            for x in range(out.shape[2]):
                k = _closest(start[0] + matrix[0, 2] * x, depth)
                r = _closest(start[1] + matrix[1, 2] * x, height)
                c = _closest(start[2] + matrix[2, 2] * x, width)
                out[z, y, x] = outside if k < 0 or r < 0 or c < 0 else array[k, r, c]

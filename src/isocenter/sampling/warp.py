"""Sampling through an affine and a displacement field, without ever holding the coordinates of all points.

An output voxel ``o`` takes the value of the array at the index ``matrix @ o + to_index @ d(o)``, where ``d(o)`` is the
displacement in millimetres between the eight points of the field around ``o``. How such a field is found, and which
way it points, is decided by registration; nothing here knows a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices
from isocenter.sampling.border import lower, points_of_row
from isocenter.sampling.layout import Array, Floats, Shape, contiguous, held_by
from isocenter.sampling.linear import between_eight, linear_at, working_type
from isocenter.sampling.nearest import bits_of, nearest_at
from isocenter.volume import read_only

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Field:
    """Displacements on a lattice of their own, which may be coarser than the output and lie askew to it.

    Parameters
    ----------
    vectors_mm
        (slice, row, column, 3): displacement (x, y, z) in world millimetres at each point; kept as float32.
    matrix
        (4, 4): ``matrix @ (k, r, c, 1)`` of an output voxel is its index in the field,
        ``out_grid.index_transform(field_grid)``.
    to_index
        (3, 3): from a displacement in millimetres to one in voxels of the array that is sampled, the linear part of
        ``np.linalg.inv(image_grid.affine)``; times that of an affine which is applied after the displacement.

    Notes
    -----
    Between its points the field is linear. Up to half a voxel beyond the outermost ones it keeps their value; farther
    out it is zero, as in ITK.
    """

    vectors_mm: Singles
    matrix: Floats
    to_index: Floats

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors_mm)
        if vectors.ndim != 4 or vectors.shape[3] != 3 or 0 in vectors.shape:
            raise ValueError(f"A field holds three numbers at each (slice, row, column), not {vectors.shape}.")
        if np.shape(self.matrix) != (4, 4) or np.shape(self.to_index) != (3, 3):
            raise ValueError(
                f"Expected matrices of (4, 4) and (3, 3), not {np.shape(self.matrix)}, {np.shape(self.to_index)}."
            )
        object.__setattr__(self, "vectors_mm", read_only(np.ascontiguousarray(vectors, np.float32)))
        object.__setattr__(self, "matrix", np.array(self.matrix, np.float64))
        object.__setattr__(self, "to_index", np.array(self.to_index, np.float64))


def warped_linear(array: Array, matrix: npt.ArrayLike, shape: Shape, *, field: Field, outside: float) -> Array:
    """Array sampled linearly at the points that a matrix maps output indices to, each moved by a field.

    Parameters
    ----------
    array
        (slice, row, column) integers of up to 32 bits, float32 or float64.
    matrix
        (4, 4): ``matrix @ (k, r, c, 1)`` of an output voxel is its index in ``array`` before it is moved.
    shape
        Shape of the output.
    field
        Where the points are moved.
    outside
        Value of output voxels whose point lies farther than half a voxel beyond the outermost voxel centres, or is
        no number.

    Returns
    -------
    Array of the given shape and the dtype of ``array``; integers are rounded to the nearest, halves up.

    Raises
    ------
    ValueError
        If the array is not three-dimensional, its dtype is none of the named, or it cannot hold ``outside``.
    """
    source, transform, fill = _checked(array, matrix, outside)
    way = (transform, field.matrix, field.to_index, field.vectors_mm)
    out = np.empty(shape, array.dtype)
    work = working_type(array.dtype)

    def fill_slab(first: int, last: int) -> None:
        _warped_linear(source, way, fill, out[first:last], first, np.empty(3, work))

    over_slices(fill_slab, shape)
    return out


def warped_nearest(array: Array, matrix: npt.ArrayLike, shape: Shape, *, field: Field, outside: float) -> Array:
    """Array sampled at the nearest voxel of moved points: no value that was not there before, as labels need it.

    Takes any dtype of 1, 2, 4 or 8 bytes. Otherwise as :func:`warped_linear`.
    """
    source, transform, fill = _checked(array, matrix, outside)
    way = (transform, field.matrix, field.to_index, field.vectors_mm)
    bits = bits_of(array.dtype)
    out = np.empty(shape, array.dtype)
    source, target, filling = source.view(bits), out.view(bits), np.asarray(fill).view(bits)[()]

    def fill_slab(first: int, last: int) -> None:
        _warped_nearest(source, way, filling, target[first:last], first)

    over_slices(fill_slab, shape)
    return out


def _checked(array: Array, matrix: npt.ArrayLike, outside: float) -> tuple[Array, Floats, Any]:
    transform = np.array(matrix, np.float64)
    if array.ndim != 3 or transform.shape != (4, 4):
        raise ValueError(f"Expected a 3D array and a (4, 4) matrix, not shapes {array.shape} and {transform.shape}.")
    return read_only(contiguous(array)), transform, held_by(array.dtype, outside)


# --- kernels ---------------------------------------------------------------------------------------------------------


@kernel
def _row_between(vectors: Singles, matrix: Floats, z: int, y: int, line: Singles) -> bool:
    """Into ``line``: the row of the field that an output row runs along; False where that leaves the field."""
    k, w = lower(matrix[0, 0] * z + matrix[0, 1] * y + matrix[0, 3], vectors.shape[0])
    r, g = lower(matrix[1, 0] * z + matrix[1, 1] * y + matrix[1, 3], vectors.shape[1])
    if k < 0 or r < 0:
        return False
    k1, r1 = k + (w > 0), r + (g > 0)
    for x in range(line.shape[0]):
        for i in range(3):
            near = vectors[k, r, x, i] + g * (vectors[k, r1, x, i] - vectors[k, r, x, i])
            far = vectors[k1, r, x, i] + g * (vectors[k1, r1, x, i] - vectors[k1, r, x, i])
            line[x, i] = near + w * (far - near)
    return True


@kernel
def _moves_along(line: Singles, left: Array, share: Array, moves: Singles) -> None:
    """Displacements of an output row that runs along a row of the field, from that row."""
    for x in range(moves.shape[0]):
        c, f = left[x], share[x]
        c1 = c + (f > 0)
        for i in range(3):
            moves[x, i] = 0.0 if c < 0 else line[c, i] + f * (line[c1, i] - line[c, i])


@kernel
def _moves_across(vectors: Singles, matrix: Floats, z: int, y: int, moves: Singles) -> None:
    """Displacements of an output row that runs askew to the field, point by point."""
    weights = np.empty(3, np.float32)
    start = matrix[:3, 0] * z + matrix[:3, 1] * y + matrix[:3, 3]
    for x in range(moves.shape[0]):
        k, weights[0] = lower(start[0] + matrix[0, 2] * x, vectors.shape[0])
        r, weights[1] = lower(start[1] + matrix[1, 2] * x, vectors.shape[1])
        c, weights[2] = lower(start[2] + matrix[2, 2] * x, vectors.shape[2])
        for i in range(3):
            is_outside = k < 0 or r < 0 or c < 0
            moves[x, i] = 0.0 if is_outside else between_eight(vectors[:, :, :, i], k, r, c, weights)


@kernel
def _moved(way: Any, z: int, y: int, taps: Any, moves: Singles, points: Floats) -> None:
    """Into ``points``: the index in the array that each voxel of an output row takes its value from."""
    matrix, field_matrix, to_index, vectors = way
    left, share, line = taps
    moves[:] = 0.0
    if abs(field_matrix[0, 2]) + abs(field_matrix[1, 2]) + abs(field_matrix[2, 0]) + abs(field_matrix[2, 1]) < 1e-9:
        if _row_between(vectors, field_matrix, z, y, line):
            _moves_along(line, left, share, moves)
    else:
        _moves_across(vectors, field_matrix, z, y, moves)
    points_of_row(matrix, z, y, points)
    for i in range(3):
        a, b, c = to_index[i, 0], to_index[i, 1], to_index[i, 2]
        for x in range(points.shape[1]):
            points[i, x] += a * moves[x, 0] + b * moves[x, 1] + c * moves[x, 2]


@kernel
def _taps(matrix: Floats, width: int, count: int) -> Any:
    """For output columns along columns of the field: left neighbours, shares of the right, and a row to work in."""
    left, share = np.empty(count, np.int64), np.empty(count, np.float32)
    for x in range(count):
        left[x], share[x] = lower(matrix[2, 2] * x + matrix[2, 3], width)
    return left, share, np.empty((width, 3), np.float32)


@kernel
def _warped_linear(array: Array, way: Any, outside: Any, out: Array, first: int, weights: Array) -> None:
    """Linear sampling of a slab; ``weights`` (3) is work space of the dtype to compute in."""
    taps = _taps(way[1], way[3].shape[2], out.shape[2])
    moves, points = np.empty((out.shape[2], 3), np.float32), np.empty((3, out.shape[2]))
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            _moved(way, z + first, y, taps, moves, points)
            linear_at(array, points, outside, out[z, y], weights)


@kernel
def _warped_nearest(array: Array, way: Any, outside: Any, out: Array, first: int) -> None:
    """Nearest-neighbour sampling of a slab."""
    taps = _taps(way[1], way[3].shape[2], out.shape[2])
    moves, points = np.empty((out.shape[2], 3), np.float32), np.empty((3, out.shape[2]))
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            _moved(way, z + first, y, taps, moves, points)
            nearest_at(array, points, outside, out[z, y])

"""Values at points that lie anywhere, such as on a curved surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.sampling.layout import Array, Floats, contiguous, held_by
from isocenter.sampling.linear import linear_at, working_type
from isocenter.volume import read_only


def values_at(array: Array, points: Floats, *, outside: float) -> Array:
    """Values between the eight voxels around points.

    Parameters
    ----------
    array
        (slice, row, column) integers of up to 32 bits, float32 or float64.
    points
        (..., 3): fractional indices (k, r, c).
    outside
        Value at points farther than half a voxel beyond the outermost voxel centres.

    Returns
    -------
    Array of the shape of ``points`` without its last axis, of the dtype of ``array``.
    """
    work: Any = working_type(array.dtype)
    out = np.empty(points.shape[:-1], array.dtype)
    lines = np.ascontiguousarray(np.reshape(points, (-1, 3)).T, np.float64)
    linear_at(read_only(contiguous(array)), lines, held_by(array.dtype, outside), out.reshape(-1), np.empty(3, work))
    return out

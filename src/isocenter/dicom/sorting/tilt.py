"""Tilt: a stack of sheared slices onto an orthogonal grid. Each slice is only shifted within its own plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Grid

_WHOLE = 1e-6  # pixels of drift that need no further row or column


def upright_grid(grid: Grid) -> Grid:
    """Orthogonal grid with the rows, columns and slice planes of a sheared one, wide enough to hold all its slices."""
    step, row, column = grid.affine[:3, :3].T
    drift = [float(step @ axis / (axis @ axis)) * (grid.shape[0] - 1) for axis in (row, column)]
    before = [int(np.ceil(max(0.0, -d) - _WHOLE)) for d in drift]
    after = [int(np.ceil(max(0.0, d) - _WHOLE)) for d in drift]
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    affine = grid.affine.copy()
    affine[:3, 0] = normal * float(step @ normal)
    affine[:3, 3] -= before[0] * row + before[1] * column
    rows, columns = (n + b + a for n, b, a in zip(grid.shape[1:], before, after, strict=True))
    return Grid((grid.shape[0], rows, columns), affine, grid.frame_of_reference_uid, grid.space)


def upright(array: npt.NDArray[Any], grid: Grid, *, outside: float) -> tuple[npt.NDArray[Any], Grid]:
    """Resample a sheared stack linearly onto its orthogonal grid.

    Parameters
    ----------
    array
        (slice, row, column), or with further axes behind.
    grid
        Its sheared grid.
    outside
        Value where no slice reaches.

    Returns
    -------
    The array and its grid, of :func:`upright_grid`.
    """
    from isocenter import sampling  # numba comes with it: only tilted stacks wait for that

    target = upright_grid(grid)
    matrix = target.index_transform(grid)
    if array.ndim == 3:
        return sampling.affine_linear(array, matrix, target.shape, outside=outside), target
    volumes = np.moveaxis(array.reshape(*array.shape[:3], -1), -1, 0)
    made = [sampling.affine_linear(np.ascontiguousarray(one), matrix, target.shape, outside=outside) for one in volumes]
    return np.stack(made, axis=-1).reshape(*target.shape, *array.shape[3:]), target

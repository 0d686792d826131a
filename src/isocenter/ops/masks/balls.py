"""What lies within a ball around a mask: by capped distances, axis after axis, which short radii make fast.

Exact as the distance map is: squared distances are the least sums over the axes. Only what the ball reaches is looked
at, so the work grows with the radius, not with the distances in the image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.kernels import compiled, kernel, over_slices

Singles = npt.NDArray[np.float32]

MOST_VOXELS = 80
"""Reach in voxels along an axis up to which this is faster than a distance map."""


def within(mask: Mask, reach_mm: float, voxel_mm: tuple[float, float, float]) -> Mask:
    """Where a voxel of the mask lies within the reach, from centre to centre; at most :data:`MOST_VOXELS` away."""
    reach = [min(int(reach_mm / size), n - 1) for size, n in zip(voxel_mm[:2], mask.shape[:2], strict=True)]
    apart, out = np.empty(mask.shape, np.uint8), np.empty(mask.shape, np.bool_)
    solid = np.ascontiguousarray(mask)
    far = int(reach_mm / voxel_mm[2]) + 1
    over_slices(lambda start, stop: _along_columns(solid, far, apart, (start, stop)), mask.shape)
    deep, high = (
        (np.arange(n + 1) * size).astype(np.float32) ** 2 for n, size in zip(reach, voxel_mm[:2], strict=True)
    )
    numbers = (voxel_mm[2], reach_mm**2)
    over_slices(lambda start, stop: _across(apart, (deep, high), numbers, out, (start, stop)), mask.shape)
    return out


@kernel
def _along_columns(mask: Mask, far: int, apart: npt.NDArray[np.uint8], span: tuple[int, int]) -> None:
    """Voxels to the nearest one of the mask in its row, ``far`` at most."""
    columns = mask.shape[2]
    for k in range(span[0], span[1]):
        for r in range(mask.shape[1]):
            line, steps = mask[k, r], far
            for c in range(columns):
                steps = 0 if line[c] else min(steps + 1, far)
                apart[k, r, c] = steps
            steps = far
            for c in range(columns - 1, -1, -1):
                steps = 0 if line[c] else min(steps + 1, far)
                apart[k, r, c] = min(steps, apart[k, r, c])


@kernel
def _across(
    apart: npt.NDArray[np.uint8],
    squares: tuple[Singles, Singles],
    numbers: tuple[float, float],
    out: Mask,
    span: tuple[int, int],
) -> None:
    slices, rows, columns = apart.shape
    deep, high = squares
    size, limit = np.float32(numbers[0]), np.float32(numbers[1])
    plane, line = np.empty((rows, columns), np.float32), np.empty(columns, np.float32)
    for k in range(span[0], span[1]):
        for r in range(rows):
            plane[r] = np.float32(3e38)
            for i in range(max(0, k - deep.size + 1), min(slices, k + deep.size)):
                _lower_by_steps(apart[i, r], size, deep[abs(i - k)], plane[r])
        for r in range(rows):
            line[:] = np.float32(3e38)
            for j in range(max(0, r - high.size + 1), min(rows, r + high.size)):
                _lower(plane[j], high[abs(j - r)], line)
            for c in range(columns):
                out[k, r, c] = line[c] <= limit


@compiled(fastmath={"nnan", "ninf", "nsz"})
def _lower_by_steps(steps: npt.NDArray[np.uint8], size: np.float32, more: np.float32, into: Singles) -> None:
    for c in range(into.size):
        length = np.float32(steps[c]) * size
        into[c] = min(into[c], length * length + more)


@compiled(fastmath={"nnan", "ninf", "nsz"})
def _lower(values: Singles, more: np.float32, into: Singles) -> None:
    for c in range(into.size):
        into[c] = min(into[c], values[c] + more)

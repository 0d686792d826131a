"""An image at growing resolutions, as registration looks at it. Nothing here compares two images.

The levels are means over blocks of voxels, so nothing is aliased, as float32 within the 0.5th and 99.5th percentile:
padding, metal and other few far values then weigh no more than bone does. The finest level holds about four million
voxels at most, for which a full-resolution image of 512 x 512 x 300 is never copied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats, Grid, Triple
from isocenter.kernels import kernel, over_slices
from isocenter.volume import Array, read_only

_COARSEST = 40**3
_FINEST = 160**3
_TAILS = (0.5, 99.5)
_ROUNDING = 0.6  # a block of 1.4 voxels is one of 2: no level holds many more voxels than it should
_READ_AS_THEY_ARE = ("int16", "float32")  # one compilation each


@dataclass(frozen=True, eq=False)
class Level:
    """An image at one resolution.

    Parameters
    ----------
    array
        float32 (slice, row, column).
    grid
        Where its voxels lie; of the same axes and world as the image's own.
    """

    array: npt.NDArray[np.float32]
    grid: Grid

    @cached_property
    def to_index(self) -> Floats:
        """(4, 4) matrix from world millimetres to the index of a voxel."""
        return np.asarray(np.linalg.inv(self.grid.affine), np.float64)


def steps_mm(grid: Grid) -> tuple[float, ...]:
    """Sizes of voxels of the levels, coarse to fine, each half of the one before."""
    volume = grid.voxel_volume_mm3 * float(np.prod(grid.shape, dtype=float))
    finest = max((volume / _FINEST) ** (1 / 3), min(grid.spacing_mm))
    coarsest = max((volume / _COARSEST) ** (1 / 3), finest)
    halvings = max(round(np.log2(coarsest / finest)), 0 if coarsest == finest else 1)
    return tuple(finest * 2.0**i for i in range(halvings, -1, -1))


def level(array: Array, grid: Grid, size_mm: float, limits: tuple[float, float] | None = None) -> Level:
    """The image as means over blocks of about a size, clipped to limits.

    Parameters
    ----------
    array
        (slice, row, column) of numbers.
    grid
        Where its voxels lie.
    size_mm
        Size that the blocks are to have along each axis; a voxel that is larger stays as it is.
    limits
        Least and greatest value to keep.
    """
    factors = [
        min(max(1, int(size_mm / step + _ROUNDING)), n) for step, n in zip(grid.spacing_mm, grid.shape, strict=True)
    ]
    source = read_only(
        np.ascontiguousarray(array if array.dtype.name in _READ_AS_THEY_ARE else array.astype(np.float32))
    )
    shape: Triple = tuple(n // f for n, f in zip(grid.shape, factors, strict=True))  # type: ignore[assignment]
    out = np.empty(shape, np.float32)
    k, r, c = factors
    over_slices(lambda first, last: _block_means(source, (k, r, c), out[first:last], first), shape)
    if limits is not None:
        np.clip(out, *limits, out=out)
    return Level(out, _blocks(grid, factors, shape))


def limits_of(coarse: Level) -> tuple[float, float]:
    """The values that an image's bulk lies between, of its coarsest level."""
    low, high = np.percentile(coarse.array, _TAILS)
    return float(low), float(high)


def _blocks(grid: Grid, factors: list[int], shape: Triple) -> Grid:
    affine: Floats = grid.affine.copy()
    affine[:3, 3] = grid.to_world([(f - 1) / 2 for f in factors])
    affine[:3, :3] *= factors
    return replace(grid, shape=shape, affine=affine)


@kernel
def _block_means(array: Array, factors: Triple, out: Array, first: int) -> None:
    a, b, c = factors
    share = np.float32(1.0 / (a * b * c))
    line = np.empty(array.shape[2], np.float32)
    for k in range(out.shape[0]):
        for r in range(out.shape[1]):
            line[:] = 0
            for i in range((k + first) * a, (k + first + 1) * a):
                for j in range(r * b, (r + 1) * b):
                    row = array[i, j]
                    for x in range(line.size):
                        line[x] += np.float32(row[x])
            for x in range(out.shape[2]):
                total = np.float32(0)
                for y in range(x * c, (x + 1) * c):
                    total += line[y]
                out[k, r, x] = total * share

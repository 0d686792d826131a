"""What runs, zones and dependences share: features of counts over (grey level, extent), and how they are aggregated.

The extent is the length of a run, the size or the distance of a zone, or the number of dependences. Also here: the
neighbours of a voxel, in a slice and in the volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.volume import Array

Ints = npt.NDArray[np.int64]

_NUMBER = 17


def directions(dimensions: int) -> Ints:
    """Steps (slice, row, column) to one of each pair of opposite neighbours: 4 in two dimensions, 13 in three."""
    steps = np.array([s for s in np.ndindex(3, 3, 3) if s > (1, 1, 1)], np.int64) - 1
    return steps[steps[:, 0] == 0] if dimensions == 2 else steps


def neighbours(dimensions: int) -> Ints:
    """Steps (slice, row, column) to the 8 neighbours in two dimensions, or the 26 in three."""
    half = directions(dimensions)
    return np.concatenate([-half[::-1], half])


def offsets(steps: Ints, shape: Sequence[int]) -> Ints:
    """Steps as distances in the flat array of that shape; with its rim, no step from a voxel within leaves it."""
    return steps @ np.array([shape[1] * shape[2], shape[2], 1], np.int64)


def of_matrix(matrix: Array, voxels: int) -> Floats:
    """The features of a dense matrix of counts (grey level from 1, extent from 1)."""
    levels, extents = np.nonzero(matrix)
    return of_counts(levels + 1, extents + 1, matrix[levels, extents].astype(np.int64), voxels)


def of_events(levels: Ints, extents: Ints, voxels: int) -> Floats:
    """The features of single runs or zones, each with its grey level and its extent."""
    if not levels.size:
        return np.full(_NUMBER, np.nan)
    stride = int(extents.max()) + 1
    keys, counts = np.unique(levels * stride + extents, return_counts=True)
    return of_counts(keys // stride, keys % stride, counts.astype(np.int64), voxels)


def of_counts(levels: Ints, extents: Ints, counts: Ints, voxels: int) -> Floats:
    """The 16 features of runs or zones, and, as the 17th, the energy of dependence counts.

    Parameters
    ----------
    levels, extents
        Grey level and extent of each occupied cell of the matrix; each pair once.
    counts
        How often each occurs.
    voxels
        How many voxels could have begun a run or zone, for the percentage.

    Returns
    -------
    The features in the order of the catalogue; NaN without any count.
    """
    if not counts.size:
        return np.full(_NUMBER, np.nan)
    by_level = np.bincount(levels, counts)
    by_extent = np.bincount(extents, counts)
    total = float(counts.sum())
    out = _moments(levels, extents, counts, total)
    out[8] = (by_level**2).sum() / total
    out[9] = out[8] / total
    out[10] = (by_extent**2).sum() / total
    out[11] = out[10] / total
    out[12] = total / voxels
    return out


@kernel
def _moments(levels: Ints, extents: Ints, counts: Ints, total: float) -> Floats:
    out = np.zeros(17)
    mean_level = mean_extent = 0.0
    for n in range(len(counts)):
        p = counts[n] / total
        i2, j2 = float(levels[n]) ** 2, float(extents[n]) ** 2
        out[0] += p / j2
        out[1] += p * j2
        out[2] += p / i2
        out[3] += p * i2
        out[4] += p / (i2 * j2)
        out[5] += p * i2 / j2
        out[6] += p * j2 / i2
        out[7] += p * i2 * j2
        out[15] -= p * np.log2(p)
        out[16] += p * p
        mean_level += p * levels[n]
        mean_extent += p * extents[n]
    for n in range(len(counts)):
        p = counts[n] / total
        out[13] += p * (levels[n] - mean_level) ** 2
        out[14] += p * (extents[n] - mean_extent) ** 2
    return out


def slices_of(levels: Array) -> Iterable[int]:
    """The slices of a padded array of grey levels that hold any of the region."""
    return [k for k in range(1, levels.shape[0] - 1) if levels[k].any()]

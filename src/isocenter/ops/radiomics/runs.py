"""Grey level run lengths (GLRLM; IBSI manual, section 3.7): voxels of one level in a row along a direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.ops.radiomics.counting import directions, of_matrix, offsets, slices_of
from isocenter.ops.radiomics.processing import Dimension
from isocenter.ops.radiomics.undefined import mean_of
from isocenter.volume import Array

_NUMBER = 16


def features(levels: Array, number: int, dimensions: Sequence[Dimension]) -> dict[str, Floats]:
    """The features of each aggregation, in the order of the catalogue.

    Parameters
    ----------
    levels
        Grey levels (slice, row, column) with a rim of one voxel; 0 outside the region.
    number
        The highest level.
    dimensions
        What to count in.
    """
    found: dict[str, Floats] = {}
    if {"2D", "2.5D"} & set(dimensions):
        found |= _by_slice(levels, number)
    if "3D" in dimensions:
        counts = _counted(levels, number, directions(3), (0, len(levels)))
        voxels = int(np.count_nonzero(levels))
        found |= {"3D, averaged": _mean(counts, voxels), "3D, merged": _merged(counts, voxels)}
    return {name: values for name, values in found.items() if name.split(",")[0] in dimensions}


def _by_slice(levels: Array, number: int) -> dict[str, Floats]:
    steps = directions(2)
    total = np.zeros((len(steps), number, max(levels.shape)), np.int64)
    averaged, merged = [], []
    for k in slices_of(levels):
        counts = _counted(levels, number, steps, (k, k + 1))
        voxels = int(np.count_nonzero(levels[k]))
        averaged += [of_matrix(one, voxels)[:_NUMBER] for one in counts]
        merged.append(_merged(counts, voxels))
        total += counts
    voxels = int(np.count_nonzero(levels))
    return {
        "2D, averaged": mean_of(averaged, _NUMBER),
        "2D, slice-merged": mean_of(merged, _NUMBER),
        "2.5D, direction-merged": _mean(total, voxels),
        "2.5D, merged": _merged(total, voxels),
    }


def _mean(counts: Array, voxels: int) -> Floats:
    return mean_of([of_matrix(one, voxels)[:_NUMBER] for one in counts], _NUMBER)


def _merged(counts: Array, voxels: int) -> Floats:
    return of_matrix(counts.sum(axis=0), voxels * len(counts))[:_NUMBER]


def _counted(levels: Array, number: int, steps: Array, slices: tuple[int, int]) -> Array:
    counts = np.zeros((len(steps), number, max(levels.shape)), np.int64)
    plane = levels[0].size
    _count(levels.reshape(-1), offsets(steps, levels.shape), (slices[0] * plane, slices[1] * plane), counts)
    return counts


@kernel
def _count(levels: Array, steps: Array, span: tuple[int, int], counts: Array) -> None:
    """Count the runs along each step that begin in a span of the flat array."""
    for place in range(span[0], span[1]):
        level = levels[place]
        if level > 0:
            for d in range(len(steps)):
                step = steps[d]
                if levels[place - step] != level:
                    length, ahead = 0, place + step
                    while levels[ahead] == level:
                        length += 1
                        ahead += step
                    counts[d, level - 1, length] += 1

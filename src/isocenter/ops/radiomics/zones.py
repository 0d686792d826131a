"""Zones of one grey level: their sizes (GLSZM) and their distances to the region's edge (GLDZM).

IBSI manual, sections 3.8 and 3.9. A zone is a connected component of voxels of one level, over 8 neighbours in a slice
or 26 in the volume; its distance is the smallest of its voxels' city-block distances to the edge of the morphological
mask, 1 for a voxel at the edge. One pass finds the zones of both families.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.ops.radiomics.counting import neighbours, of_events, offsets
from isocenter.ops.radiomics.processing import Dimension
from isocenter.ops.radiomics.undefined import mean_of
from isocenter.volume import Array

Ints = npt.NDArray[np.int64]

_NUMBER = 16
_LEVEL, _SIZE, _DISTANCE, _SLICE = range(4)


def features(levels: Array, mask: Array, dimensions: Sequence[Dimension]) -> dict[str, dict[str, Floats]]:
    """The features of ``"glszm"`` and ``"gldzm"`` by aggregation, in the order of the catalogue.

    Parameters
    ----------
    levels
        Grey levels (slice, row, column) with a rim of one voxel; 0 outside the region.
    mask
        The morphological mask, of the same shape and with the same rim.
    dimensions
        What to count in.
    """
    found: dict[str, dict[str, Floats]] = {"glszm": {}, "gldzm": {}}
    per_slice = np.count_nonzero(levels, axis=(1, 2))
    if {"2D", "2.5D"} & set(dimensions):
        zones = _zones(levels, mask, across=2)
        for name, column in (("glszm", _SIZE), ("gldzm", _DISTANCE)):
            rows = [_of(zones[zones[:, _SLICE] == k], column, n) for k, n in enumerate(per_slice) if n]
            found[name] |= {"2D": mean_of(rows, _NUMBER), "2.5D": _of(zones, column, int(per_slice.sum()))}
    if "3D" in dimensions:
        zones = _zones(levels, mask, across=3)
        for name, column in (("glszm", _SIZE), ("gldzm", _DISTANCE)):
            found[name]["3D"] = _of(zones, column, int(per_slice.sum()))
    return {family: {d: rows[d] for d in dimensions} for family, rows in found.items()}


def _of(zones: Ints, column: int, voxels: int) -> Floats:
    return of_events(zones[:, _LEVEL], zones[:, column], voxels)[:_NUMBER]


def _zones(levels: Array, mask: Array, *, across: int) -> Ints:
    """Level, size, distance and slice of each zone."""
    distance = _edge_distance(mask, across)
    zones = np.empty((np.count_nonzero(levels), 4), np.int64)
    steps = offsets(neighbours(across), levels.shape)
    number = _flood(levels.reshape(-1).copy(), distance.reshape(-1), steps, zones)
    zones[:number, _SLICE] //= levels[0].size
    return zones[:number]


def _edge_distance(mask: Array, across: int) -> Array:
    """City-block distance in voxels to the nearest voxel outside the mask, whose rim is outside."""
    from scipy import ndimage

    faces = ndimage.generate_binary_structure(3, 1)
    if across == 2:
        faces[[0, 2]] = False
    found: Array = ndimage.distance_transform_cdt(mask, metric=faces)
    return found


@kernel
def _flood(levels: Array, distance: Array, steps: Array, zones: Array) -> int:
    """Note level, size, distance and first place of each zone; how many there are. The levels are used up."""
    stack = np.empty(len(zones), np.int64)
    number = 0
    for first in range(len(levels)):
        level = levels[first]
        if level == 0:
            continue
        levels[first] = 0
        stack[0] = first
        top, size, near = 1, 0, distance[first]
        while top > 0:
            top -= 1
            place = stack[top]
            size += 1
            near = min(near, distance[place])
            for d in range(len(steps)):
                other = place + steps[d]
                if levels[other] == level:
                    levels[other] = 0
                    stack[top] = other
                    top += 1
        zones[number, 0], zones[number, 1], zones[number, 2], zones[number, 3] = level, size, near, first
        number += 1
    return number

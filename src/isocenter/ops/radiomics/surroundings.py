"""A voxel and its neighbours: grey tone differences (NGTDM) and grey level dependences (NGLDM).

IBSI manual, sections 3.10 and 3.11, with neighbours at a Chebyshev distance of 1 and a coarseness of 0. One pass over
the region counts for both families.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.ops.radiomics.counting import neighbours, of_matrix, offsets
from isocenter.ops.radiomics.processing import Dimension
from isocenter.ops.radiomics.undefined import mean_of, ratio
from isocenter.volume import Array


def features(levels: Array, number: int, dimensions: Sequence[Dimension]) -> dict[str, dict[str, Floats]]:
    """The features of ``"ngtdm"`` and ``"ngldm"`` by aggregation, in the order of the catalogue.

    Parameters
    ----------
    levels
        Grey levels (slice, row, column) with a rim of one voxel; 0 outside the region.
    number
        The highest level.
    dimensions
        What to count in.
    """
    tones: dict[str, Floats] = {}
    dependences: dict[str, Floats] = {}
    if {"2D", "2.5D"} & set(dimensions):
        counts, differences, matrix = _counted(levels, number, neighbours(2))
        held = [k for k in range(len(matrix)) if matrix[k].any()]
        tones["2D"] = mean_of([_tones(counts[k], differences[k]) for k in held], 5)
        tones["2.5D"] = _tones(counts.sum(axis=0), differences.sum(axis=0))
        dependences["2D"] = mean_of([_dependences(matrix[k]) for k in held], 17)
        dependences["2.5D"] = _dependences(matrix.sum(axis=0))
    if "3D" in dimensions:
        counts, differences, matrix = _counted(levels, number, neighbours(3))
        tones["3D"] = _tones(counts.sum(axis=0), differences.sum(axis=0))
        dependences["3D"] = _dependences(matrix.sum(axis=0))
    found = {"ngtdm": tones, "ngldm": dependences}
    return {family: {d: rows[d] for d in dimensions} for family, rows in found.items()}


def _dependences(matrix: Array) -> Floats:
    return of_matrix(matrix, int(matrix.sum()))


def _counted(levels: Array, number: int, steps: Array) -> tuple[Array, Floats, Array]:
    """By slice: voxels with neighbours and their differences, of each level; voxels of each level and dependence."""
    slices = len(levels) - 2
    counts = np.zeros((slices, number), np.int64)
    differences = np.zeros((slices, number))
    matrix = np.zeros((slices, number, len(steps) + 1), np.int64)
    plane = levels[0].size
    flat, ways = levels.reshape(-1), offsets(steps, levels.shape)
    for k in range(slices):
        _count(flat, ways, ((k + 1) * plane, (k + 2) * plane), (counts[k], differences[k], matrix[k]))
    return counts, differences, matrix


@kernel
def _count(levels: Array, steps: Array, span: tuple[int, int], tables: tuple[Array, Array, Array]) -> None:
    """Count for the voxels of a span of the flat array."""
    counts, differences, matrix = tables
    for place in range(span[0], span[1]):
        level = levels[place]
        if level == 0:
            continue
        total = found = same = 0
        for d in range(len(steps)):
            other = levels[place + steps[d]]
            total += other
            found += other > 0
            same += other == level
        matrix[level - 1, same] += 1
        if found > 0:
            counts[level - 1] += 1
            differences[level - 1] += abs(level - total / found)


def _tones(counts: Array, differences: Floats) -> Floats:
    """Coarseness, contrast, busyness, complexity, strength; NaN where a denominator is zero."""
    out = np.full(5, np.nan)
    occurring = np.flatnonzero(counts)
    if not occurring.size:
        return out
    total = float(counts.sum())
    p, s, i = counts[occurring] / total, differences[occurring], occurring + 1.0
    coarse, whole, kinds = float(p @ s), float(s.sum()), len(occurring)
    squares = (i[:, None] - i) ** 2
    apart = np.abs(i[:, None] - i)
    both = p[:, None] + p
    if coarse > 0:
        out[0] = 1 / coarse
        out[4] = (both * squares).sum() / whole
    if kinds > 1:
        out[1] = float(p @ squares @ p) / (kinds * (kinds - 1)) * whole / total
        out[2] = ratio(coarse, np.abs((i * p)[:, None] - i * p).sum())
    ps = p * s
    out[3] = (apart * (ps[:, None] + ps) / both).sum() / total
    return out

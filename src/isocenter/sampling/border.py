"""The rule at the border of an array, as kernels: which voxel a coordinate falls on, which two it lies between.

An index coordinate is whole at a voxel's centre. A sample point up to half a voxel beyond the first or last centre
still lies in the outermost voxel; farther out lies what the caller says. That is the rule of ITK.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import compiled, kernel

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

SNAP = 1e-6
"""Voxels; nearer to a voxel centre than this is on it."""
HALF = 0.5 + SNAP
"""Added to a coordinate before it is cut to a whole one: a tie takes the voxel of the higher index."""
REACH = 0.5 + 1e-4
"""Voxels beyond the outermost centre that still belong to the outermost voxel."""


@kernel
def lower(x: float, n: int) -> tuple[int, float]:
    """Lower neighbour of a coordinate and the weight of the upper one; (-1, 0) where it lies outside."""
    if not (-REACH <= x <= n - 1 + REACH):
        return -1, 0.0
    x = min(max(x, 0.0), n - 1.0)
    whole = math.floor(x + 0.5)
    if abs(x - whole) < SNAP:
        return int(whole), 0.0
    below = math.floor(x)
    return int(below), x - below


@kernel
def closest(x: float, n: int) -> int:
    """Nearest voxel to a coordinate; -1 where it lies outside."""
    if not (-REACH <= x <= n - 1 + REACH):
        return -1
    return int(min(max(math.floor(x + HALF), 0.0), n - 1.0))


@kernel
def inside(taps: Array) -> tuple[int, int]:
    """First index with a tap inside, and one past the last."""
    begin, end = 0, taps.size
    while begin < end and taps[begin] < 0:
        begin += 1
    while end > begin and taps[end - 1] < 0:
        end -= 1
    return begin, end


@kernel
def points_of_row(matrix: Floats, z: int, y: int, points: Floats) -> None:
    """Into ``points`` (3, n): the index in the input of each voxel of an output row."""
    for i in range(3):
        start, step = matrix[i, 0] * z + matrix[i, 1] * y + matrix[i, 3], matrix[i, 2]
        for x in range(points.shape[1]):
            points[i, x] = start + step * x


@kernel
def holds_halves(array: Array) -> bool:
    """Whether the array stores fractions, so that nothing is to be rounded."""
    probe = np.empty(1, array.dtype)
    probe[0] = 0.5
    return bool(probe[0] != 0)


@kernel
def is_inside(point: Floats, shape: Any) -> bool:
    """Whether a point lies in a voxel of an array."""
    is_in = True
    for i in range(3):
        is_in &= -REACH <= point[i] <= shape[i] - 1 + REACH
    return is_in


@compiled(fastmath={"contract"})
def store(line: Array, target: Array, low: float, high: float) -> None:
    """Values into an array: rounded, and cut to what it holds, if it holds integers."""
    half = line.dtype.type(0.5)
    if holds_halves(target):
        for x in range(target.size):
            target[x] = line[x]
    else:
        for x in range(target.size):
            value = np.floor(line[x] + half)
            value = max(value, low)
            target[x] = min(value, high)

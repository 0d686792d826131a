"""Kernels that go from voxel to neighbouring voxel: runs from seeds, water from markers, basins from their depths.

Arrays that are flooded have a border of one voxel that is closed, so that every voxel within has all its neighbours.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.kernels import kernel
from isocenter.volume import Array

Labels = npt.NDArray[np.int32]
CLOSED = -1
"""Label of voxels that no water enters."""
_LEVELS = 65536


def connected_to(free: Mask, seeds: npt.NDArray[np.int64]) -> Mask:
    """The free voxels that are connected to the seeds (n, 3) through faces."""
    out = np.zeros(free.shape, bool)
    _fill(free, seeds, out)
    return out


@kernel
def _fill(free: Mask, seeds: npt.NDArray[np.int64], out: Mask) -> None:
    """Fill run after run of columns."""
    slices, rows, columns = free.shape
    stack = np.empty((4096 + len(seeds), 3), np.int64)
    top = len(seeds)
    stack[:top] = seeds
    while top > 0:
        top -= 1
        k, r, first = stack[top]
        if out[k, r, first] or not free[k, r, first]:
            continue
        last = first
        while first > 0 and free[k, r, first - 1]:
            first -= 1
        while last < columns - 1 and free[k, r, last + 1]:
            last += 1
        out[k, r, first : last + 1] = True
        if top + 4 * (last - first + 1) > len(stack):
            stack = np.concatenate((stack, np.empty((len(stack) + 4 * columns, 3), np.int64)))
        for i, j in ((k - 1, r), (k + 1, r), (k, r - 1), (k, r + 1)):
            if 0 <= i < slices and 0 <= j < rows:
                top = _note_runs(free[i, j], out[i, j], (i, j, first, last), stack, top)


@kernel
def _note_runs(free: Mask, out: Mask, run: tuple[int, int, int, int], stack: Array, top: int) -> int:
    """Put one voxel of each run that begins beside a run onto the stack."""
    k, r, first, last = run
    is_open = False
    for c in range(first, last + 1):
        was_open, is_open = is_open, free[c] and not out[c]
        if is_open and not was_open:
            stack[top, 0], stack[top, 1], stack[top, 2] = k, r, c
            top += 1
    return top


# --- water -----------------------------------------------------------------------------------------------------------


def padded(array: Array, value: int) -> Array:
    """The array with a border of one voxel of a value."""
    return np.pad(array, 1, constant_values=value)


def steps_to_neighbours(shape: tuple[int, ...], most: int) -> npt.NDArray[np.int64]:
    """Steps in a flat array to the neighbours that differ in at most ``most`` indices, the nearest first."""
    offsets = [offset for offset in product((-1, 0, 1), repeat=3) if 0 < sum(map(abs, offset)) <= most]
    offsets.sort(key=lambda offset: sum(map(abs, offset)))
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    return np.array([np.dot(offset, strides) for offset in offsets])


def rise(levels: npt.NDArray[np.uint16], labels: Labels) -> None:
    """Let the labels above 0 flow over the voxels of label 0, from low to high levels, in place (Meyer 1991).

    Of one level, what was reached first flows first.
    """
    index = np.int32 if labels.size < 2**31 else np.int64
    queue = np.empty(labels.size, index), np.full((_LEVELS, 2), CLOSED, index)
    _rise(levels.reshape(-1), labels.reshape(-1), steps_to_neighbours(labels.shape, 1), queue)


@kernel
def _push(queue: tuple[Array, Array], level: int, at: int) -> None:
    behind, ends = queue
    behind[at] = -1
    if ends[level, 0] < 0:
        ends[level, 0] = at
    else:
        behind[ends[level, 1]] = at
    ends[level, 1] = at


@kernel
def _rise(levels: Array, labels: Array, steps: Array, queue: tuple[Array, Array]) -> None:
    behind, ends = queue
    for at in range(len(labels)):
        if labels[at] > 0:
            _push(queue, levels[at], at)
    lowest = 0
    while lowest < len(ends):
        at = ends[lowest, 0]
        if at < 0:
            lowest += 1
            continue
        ends[lowest, 0] = behind[at]
        for step in steps:
            near = at + step
            if labels[near] == 0:
                labels[near] = labels[at]
                _push(queue, levels[near], near)
                lowest = min(lowest, int(levels[near]))


# --- basins ----------------------------------------------------------------------------------------------------------


def basins(depth: npt.NDArray[np.float32], order: npt.NDArray[np.int64], neck: float) -> tuple[Labels, Labels]:
    """The basins of a depth map; two that meet less than a neck above the bottom of the flatter become one.

    Parameters
    ----------
    depth
        With a border of one voxel.
    order
        Flat places of the voxels, deep ones first.
    neck
        In the unit of the depth.

    Returns
    -------
    The first basin of each voxel in flat order (-1 where none is), and the basin that each basin became part of.
    """
    owner = np.full(depth.size, CLOSED, np.int32)
    return owner, _basins(depth.reshape(-1), order, (steps_to_neighbours(depth.shape, 3), neck), owner)


@kernel
def _root(parent: Array, basin: int) -> int:
    while parent[basin] != basin:
        parent[basin] = parent[parent[basin]]
        basin = parent[basin]
    return basin


@kernel
def _basins(depth: Array, order: Array, rule: tuple[Array, float], owner: Labels) -> Labels:
    steps, neck = rule
    parent, bottom = np.empty(1024, np.int32), np.empty(1024, np.float32)
    count = 0
    for at in order:
        mine = _deepest(depth, owner, at, steps)
        if mine >= 0:
            owner[at] = mine
            for step in steps:
                if owner[at + step] >= 0:
                    _join(parent, bottom, (owner[at + step], mine), (depth[at], neck))
            continue
        if count == len(parent):
            parent = np.concatenate((parent, np.empty_like(parent)))
            bottom = np.concatenate((bottom, np.empty_like(bottom)))
        parent[count], bottom[count], owner[at] = count, depth[at], count
        count += 1
    for basin in range(count):
        parent[basin] = _root(parent, basin)
    return parent[:count]


@kernel
def _deepest(depth: Array, owner: Labels, at: int, steps: Array) -> int:
    """The basin of the deepest neighbour that has one, or -1."""
    mine, deepest = -1, np.float32(-1)
    for step in steps:
        if owner[at + step] >= 0 and depth[at + step] > deepest:
            mine, deepest = owner[at + step], depth[at + step]
    return mine


@kernel
def _join(parent: Labels, bottom: Array, pair: tuple[int, int], meeting: tuple[float, float]) -> None:
    """Make two basins one if they meet high enough, or on the flat."""
    here, neck = meeting
    one, other = _root(parent, pair[0]), _root(parent, pair[1])
    if one == other:
        return
    if bottom[one] > bottom[other]:
        one, other = other, one
    climb = bottom[one] - here
    if climb < neck or climb <= 0:
        parent[one] = other

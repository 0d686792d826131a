"""How far a prompt reaches: the geodesic distance from it, over the ground between (Dijkstra 1959, on 26 neighbours).

A step costs its length times what the ground costs, and the jump of the values. What the ground costs lives elsewhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel
from isocenter.volume import Array

_NEIGHBOURS = np.array(
    [(k, r, c) for k in (-1, 0, 1) for r in (-1, 0, 1) for c in (-1, 0, 1) if (k, r, c) != (0, 0, 0)]
)


def reach(
    values: npt.NDArray[np.float32],
    ground: tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]],
    seeds: npt.NDArray[np.intp],
    steps: tuple[float, float, float],
) -> npt.NDArray[np.float32]:
    """How strongly a prompt holds each voxel: 1 at the prompt, falling to 0 at the end of its reach.

    Parameters
    ----------
    values
        float32 (slice, row, column); a jump by 1 costs 1.
    ground
        The kind of each voxel, and what the unit of length costs on each kind; the reach ends where 1 is spent.
    seeds
        Places of the prompt's voxels in memory.
    steps
        Voxel size along each axis.
    """
    spent = np.full(values.shape, 1, np.float32)
    lengths = np.sqrt(((_NEIGHBOURS * np.asarray(steps)) ** 2).sum(axis=1)).astype(np.float32)
    _reach(spent.reshape(-1), values, ground, seeds, (_NEIGHBOURS, lengths))
    return 1 - spent


@kernel
def _reach(spent: Array, values: Array, ground: tuple[Array, Array], seeds: Array, around: tuple[Array, Array]) -> None:
    slices, rows, columns = values.shape
    kinds, prices = ground
    offsets, lengths = around
    flat, kind = values.reshape(-1), kinds.reshape(-1)
    keys, places = np.empty(1024, np.float32), np.empty(1024, np.int64)
    held = 0
    for seed in seeds:
        spent[seed] = 0
        keys, places, held = _push(keys, places, held, 0.0, seed)
    while held > 0:
        key, here = keys[0], places[0]
        held = _pop(keys, places, held)
        if key > spent[here]:
            continue
        k, r, c = here // (rows * columns), here // columns % rows, here % columns
        for step in range(len(lengths)):
            k1, r1, c1 = k + offsets[step, 0], r + offsets[step, 1], c + offsets[step, 2]
            if not (0 <= k1 < slices and 0 <= r1 < rows and 0 <= c1 < columns):
                continue
            there = (k1 * rows + r1) * columns + c1
            price = np.float32(0.5) * (prices[kind[here]] + prices[kind[there]])
            total = key + lengths[step] * price + abs(flat[here] - flat[there])
            if total < spent[there]:
                spent[there] = total
                keys, places, held = _push(keys, places, held, total, there)


@kernel
def _push(keys: Array, places: Array, held: int, key: float, place: int) -> tuple[Array, Array, int]:
    """Put an entry into the heap, which grows if it must."""
    if held == len(keys):
        keys, places = np.concatenate((keys, keys)), np.concatenate((places, places))
    at = held
    while at > 0 and keys[(at - 1) >> 1] > key:
        keys[at], places[at] = keys[(at - 1) >> 1], places[(at - 1) >> 1]
        at = (at - 1) >> 1
    keys[at], places[at] = key, place
    return keys, places, held + 1


@kernel
def _pop(keys: Array, places: Array, held: int) -> int:
    """Take the least entry from the heap; how many are left."""
    held -= 1
    key, place = keys[held], places[held]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= held:
            break
        if child + 1 < held and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], places[at] = keys[child], places[child]
        at = child
    keys[at], places[at] = key, place
    return held

"""The trachea and the main bronchi: found from above as a chain of round air spaces, then grown on the full grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.kernels import kernel
from isocenter.ops.anatomy.body import find_midline
from isocenter.ops.anatomy.coarse import Axial
from isocenter.ops.masks.morphology import pieces_in_plane
from isocenter.volume import Array

LUMEN_HU = -700
_AREA_MM2 = (40.0, 900.0)
_WIDEST_MM = 45.0
_ASPECT = 2.6
_FILLED = 0.42
_OFF_MIDLINE_MM = 45.0
_SHORTEST_MM = 24.0
_GROW_HU = (-500, -600, -700, -780, -840, -880, -910, -940)
"""Tried in this order: the first that does not leak is taken."""
_LARGEST_ML = 90.0
_BORDER_HU = -500
"""Half-way between the air of the lumen and its wall."""
_RIM_MM = 1.5


@dataclass(frozen=True, eq=False)
class Airways:
    """The air tree, and how it was come by.

    Parameters
    ----------
    voxels
        (n, 3) indices on the full axial grid.
    threshold_hu
        The one that did not leak.
    leaked
        Whether every threshold leaked, so that the tree was cut off at its size.
    """

    voxels: npt.NDArray[np.int32]
    threshold_hu: int = 0
    leaked: bool = False

    def coarse(self, ct: Axial) -> Mask:
        """Coarse mask: where a fair share of the block is airway."""
        counts = np.zeros(ct.coarse.shape, np.int32)
        k, r, c = (self.voxels // np.array(ct.factors, np.int32)).T
        np.add.at(counts, (k, r, c), 1)
        share: Mask = counts >= 0.3 * np.prod(ct.factors)
        return share


NO_AIRWAYS = Airways(np.zeros((0, 3), np.int32))


def find_trachea(ct: Axial, body: Mask) -> list[tuple[int, int, int]]:
    """Coarse voxels down the middle of the trachea, from the head on; empty if there is none."""
    spots = _round_spots(ct, body)
    chain = _best_chain(spots, ct.coarse_mm)
    if not chain:
        return []
    length = (chain[-1].slice - chain[0].slice + 1) * ct.coarse_mm[0]
    return [(s.slice, round(s.row), round(s.column)) for s in chain] if length >= _SHORTEST_MM else []


@dataclass(frozen=True, slots=True)
class _Spot:
    """A round air space of one slice."""

    slice: int
    row: float
    column: float
    area_mm2: float
    off_mm: float


def _round_spots(ct: Axial, body: Mask) -> list[_Spot]:
    labels, boxes = pieces_in_plane((ct.coarse < LUMEN_HU) & body)
    counts = np.bincount(labels.reshape(-1))
    _, row_mm, column_mm = ct.coarse_mm
    middle = find_midline(ct, body)
    spots = []
    for label, box in enumerate(boxes, 1):
        area = counts[label] * row_mm * column_mm
        if not _AREA_MM2[0] <= area <= _AREA_MM2[1]:
            continue
        high, wide = (box[1].stop - box[1].start) * row_mm, (box[2].stop - box[2].start) * column_mm
        if max(high, wide) > min(_WIDEST_MM, _ASPECT * min(high, wide)) or area < _FILLED * high * wide:
            continue
        rows, columns = np.nonzero(labels[box][0] == label)
        row, column = box[1].start + rows.mean(), box[2].start + columns.mean()
        off = abs(column - middle) * column_mm
        if off <= _OFF_MIDLINE_MM:
            spots.append(_Spot(box[0].start, row, column, area, off))
    return spots


def _best_chain(spots: list[_Spot], voxel_mm: tuple[float, float, float]) -> list[_Spot]:
    """The longest chain of spots that follow each other down the slices, the more central the better."""
    slice_mm, row_mm, column_mm = voxel_mm
    reach = 5.0 + 0.8 * slice_mm
    best = [0.0] * len(spots)
    before = [-1] * len(spots)
    by_slice: dict[int, list[int]] = {}
    for i, spot in enumerate(spots):
        by_slice.setdefault(spot.slice, []).append(i)
    for i, spot in enumerate(spots):
        gain = slice_mm * float(np.exp(-((spot.off_mm / 30.0) ** 2)))
        best[i] = gain
        for j in by_slice.get(spot.slice - 1, []):
            away = np.hypot((spot.row - spots[j].row) * row_mm, (spot.column - spots[j].column) * column_mm)
            ratio = spot.area_mm2 / spots[j].area_mm2
            if away <= reach and 0.4 <= ratio <= 2.5 and best[j] + gain > best[i]:
                best[i], before[i] = best[j] + gain, j
    if not best:
        return []
    chain, i = [], int(np.argmax(best))
    while i >= 0:
        chain.append(spots[i])
        i = before[i]
    return chain[::-1]


def grow_airways(ct: Axial, trachea: list[tuple[int, int, int]]) -> Airways:
    """The air tree on the full grid, grown from the trachea at the mildest threshold that does not leak.

    A leak into the lung is known by its size: the tree may hold no more than what trachea and bronchi can.
    """
    if not trachea:
        return NO_AIRWAYS
    seeds = np.unique(np.array([_on_full_grid(ct, spot) for spot in trachea], np.int32), axis=0)
    limit = int(_LARGEST_ML / ct.grid.voxel_volume_ml)
    for threshold in _GROW_HU:
        mask = np.zeros(ct.array.shape, np.bool_)
        voxels = grow_air(ct.array, mask, seeds, threshold, limit)
        if len(voxels) < limit:
            steps = int(np.ceil(_RIM_MM / min(ct.grid.spacing_mm)))
            return Airways(widen_air(ct.array, mask, voxels, _BORDER_HU, steps), threshold)
    return Airways(voxels, threshold, leaked=True)


def _on_full_grid(ct: Axial, spot: tuple[int, int, int]) -> tuple[int, int, int]:
    """The middle of a coarse voxel on the full grid."""
    k, r, c = (min(n - 1, i * f + f // 2) for i, f, n in zip(spot, ct.factors, ct.grid.shape, strict=True))
    return k, r, c


def grow_air(
    array: Array, mask: Mask, seeds: npt.NDArray[np.int32], threshold: int, limit: int
) -> npt.NDArray[np.int32]:
    """Face-connected growth from the seeds where the in-plane 3 x 3 mean is below a threshold; stops at the limit.

    Returns
    -------
    (n, 3) indices of the voxels, which are set in the mask too.
    """
    k, r, c = seeds.T
    started = seeds[array[k, r, c] < threshold]
    mask[tuple(started.T)] = True
    queue = np.empty((limit + len(seeds) + 8, 3), np.int32)
    queue[: len(started)] = started
    return queue[: _grow(array, mask, queue, (len(started), threshold, limit))]


def widen_air(
    array: Array, mask: Mask, voxels: npt.NDArray[np.int32], threshold: int, steps: int
) -> npt.NDArray[np.int32]:
    """The voxels and what lies within some steps in the plane below a milder threshold: the rim of the lumen."""
    queue = np.empty((len(voxels) * 6 + 8, 3), np.int32)
    queue[: len(voxels)] = voxels
    return queue[: _widen(array, mask, queue, (len(voxels), threshold, steps))]


@kernel
def _grow(array: Array, mask: Array, queue: Array, numbers: tuple[int, int, int]) -> int:
    """Grow what stands in the queue (its count, the threshold, the limit); how many stand there then."""
    slices, rows, columns = array.shape
    tail, threshold, limit = numbers
    head = 0
    while head < tail < limit:
        k0, r0, c0 = queue[head, 0], queue[head, 1], queue[head, 2]
        head += 1
        for step in range(6):
            k = k0 + (step == 0) - (step == 1)
            r = r0 + (step == 2) - (step == 3)
            c = c0 + (step == 4) - (step == 5)
            if not (0 <= k < slices and 0 < r < rows - 1 and 0 < c < columns - 1) or mask[k, r, c]:
                continue
            total = 0
            for i in range(r - 1, r + 2):
                for j in range(c - 1, c + 2):
                    total += array[k, i, j]
            if total < 9 * threshold:
                mask[k, r, c] = True
                queue[tail, 0], queue[tail, 1], queue[tail, 2] = k, r, c
                tail += 1
    return tail


@kernel
def _widen(array: Array, mask: Array, queue: Array, numbers: tuple[int, int, int]) -> int:
    """Widen what stands in the queue (its count, the threshold, the steps); how many stand there then."""
    rows, columns = array.shape[1:]
    tail, threshold, steps = numbers
    head = 0
    for _ in range(steps):
        end = tail
        while head < end:
            k, r0, c0 = queue[head, 0], queue[head, 1], queue[head, 2]
            head += 1
            for step in range(4):
                r = r0 + (step == 0) - (step == 1)
                c = c0 + (step == 2) - (step == 3)
                inside = tail < len(queue) and 0 <= r < rows and 0 <= c < columns
                if inside and not mask[k, r, c] and array[k, r, c] < threshold:
                    mask[k, r, c] = True
                    queue[tail, 0], queue[tail, 1], queue[tail, 2] = k, r, c
                    tail += 1
    return tail

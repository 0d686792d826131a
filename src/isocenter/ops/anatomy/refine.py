"""From coarse labels to the full grid: the border is drawn where the fine voxels say, and only there.

Deep inside a coarse structure every fine voxel belongs to it; far outside none does. In the band between, one coarse
voxel to either side, a fine voxel belongs to it when its own value says so, or where the border is one of shape and
not of density (dense lung, vessels at the hilum), when the smoothed coarse shape says so.
"""

from __future__ import annotations

import numpy as np

from isocenter.kernels import kernel, over_slices
from isocenter.volume import Array

OUT, BAND, DEEP = 0, 1, 2


@kernel
def _other_label(labels: Array, k: int, r: int, c: int) -> int:
    """A label unlike its own among the 26 neighbours of a voxel, the largest of them, or -1."""
    slices, rows, columns = labels.shape
    found = -1
    for i in range(max(0, k - 1), min(slices, k + 2)):
        for j in range(max(0, r - 1), min(rows, r + 2)):
            for m in range(max(0, c - 1), min(columns, c + 2)):
                if labels[i, j, m] != labels[k, r, c]:
                    found = max(found, labels[i, j, m])
    return found


def plan_band(labels: Array, barred: Array) -> tuple[Array, Array]:
    """What each coarse voxel is (out, band or deep), and the label that its fine voxels may take.

    Parameters
    ----------
    labels
        uint8 coarse labels.
    barred
        Coarse voxels that the band must not enter from outside.
    """
    state, near = np.zeros(labels.shape, np.uint8), labels.copy()
    over_slices(lambda start, stop: _plan(labels, barred, (state, near), (start, stop)), labels.shape)
    return state, near


@kernel
def _plan(labels: Array, barred: Array, out: tuple[Array, Array], span: tuple[int, int]) -> None:
    state, near = out
    for k in range(span[0], span[1]):
        for r in range(labels.shape[1]):
            for c in range(labels.shape[2]):
                other = _other_label(labels, k, r, c)
                if labels[k, r, c] > 0:
                    state[k, r, c] = DEEP if other < 0 else BAND
                elif other > 0 and not barred[k, r, c]:
                    state[k, r, c] = BAND
                    near[k, r, c] = other


@kernel
def _share(labels: Array, k: float, r: float, c: float) -> float:
    """Share of labelled coarse voxels around a fractional coarse index (trilinear)."""
    k, r, c = max(k, 0.0), max(r, 0.0), max(c, 0.0)
    k0, r0, c0 = int(k), int(r), int(c)
    total = 0.0
    for i in range(2):
        for j in range(2):
            for m in range(2):
                weight = (k - k0 if i else 1 - k + k0) * (r - r0 if j else 1 - r + r0) * (c - c0 if m else 1 - c + c0)
                ki, rj, cm = min(k0 + i, labels.shape[0] - 1), min(r0 + j, labels.shape[1] - 1), c0 + m
                if labels[ki, rj, min(cm, labels.shape[2] - 1)] > 0:
                    total += weight
    return total


def draw(
    array: Array, out: Array, coarse: tuple[Array, Array, Array, Array], numbers: tuple[int, int, int, int]
) -> None:
    """Write the labels of the fine voxels into ``out``; voxels that hold a label already keep it.

    Parameters
    ----------
    array
        int16 HU on the full grid.
    out
        uint8 label map on the full grid, changed in place.
    coarse
        State and label from :func:`plan_band`, the coarse labels, and where the border is one of shape.
    numbers
        The threshold below which a fine voxel of the band belongs to the structure, and the three block factors.
    """
    over_slices(lambda start, stop: _draw((array, out), coarse, numbers, (start, stop)), array.shape)


@kernel
def _draw(
    fine: tuple[Array, Array],
    coarse: tuple[Array, Array, Array, Array],
    numbers: tuple[int, int, int, int],
    span: tuple[int, int],
) -> None:
    array, out = fine
    state, near, labels, shaped = coarse
    threshold, fk, fr, fc = numbers
    for k in range(span[0], span[1]):
        ck = k // fk
        for r in range(array.shape[1]):
            cr = r // fr
            for c in range(array.shape[2]):
                cc = c // fc
                kind = state[ck, cr, cc]
                if kind == OUT or out[k, r, c] != 0:
                    continue
                inside = kind == DEEP or array[k, r, c] < threshold
                if not inside and shaped[ck, cr, cc]:
                    inside = _share(labels, (k + 0.5) / fk - 0.5, (r + 0.5) / fr - 0.5, (c + 0.5) / fc - 0.5) >= 0.5
                if inside:
                    out[k, r, c] = near[ck, cr, cc]

"""The working mask's border on the voxels of the whole image: each voxel near it goes to the side that its value fits.

A voxel that holds part of the tissue and part of its surroundings has a value between theirs, so the border runs where
the value is half-way between what lies inside and what lies outside, both looked up nearby, as in the local binary
fitting of Li et al. (2007). Where the two look alike, and further from the border, the working mask decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import kernel, over_slices
from isocenter.ops.masks.morphology import distance_mm
from isocenter.ops.prompting.cutting import Field, Steps
from isocenter.volume import Array

Mask = npt.NDArray[np.bool_]

_NEARBY = 1.5  # voxels: how far around a voxel the two sides are looked at
_SURE = 1.0  # voxels: what lies deeper on its side is of that side
_UNSURE = 0.02  # weight of what lies nearer to the border, where there is nothing else
_ALIKE = 2.0  # noise: means that differ by this are trusted half
_MOVES = 1.25  # voxels: how far the border moves at most


def redrawn(
    values: tuple[Array, float],
    found: tuple[Field, Mask, Field],
    steps: Steps,
    places: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> npt.NDArray[np.uint8]:
    """1 inside and 0 outside, for each voxel of the whole image's part around a working mask.

    Parameters
    ----------
    values
        (slice, row, column) of the whole image's part in any unit, and its noise in that unit.
    found
        Of the working image's part: the values in units of the noise, the mask, and a level that is 0.5 at its border.
    steps
        Size of a working voxel along each axis.
    places
        Where the first voxel of the whole image lies among the working voxels, and how far each next one from there.
    """
    array, noise = values
    smooth, mask, level = found
    fields = np.stack([level, *_sides(smooth, mask, steps)])
    out = np.zeros(array.shape, np.uint8)

    def work(start: int, stop: int) -> None:
        first, last = max(0, start - 1), min(array.shape[0], stop + 1)
        part = array[first:last].astype(np.float32)
        part /= np.float32(noise)
        _draw(out, part, fields, (*places, np.array((start, stop, first))), (_MOVES, _ALIKE**2))

    over_slices(work, array.shape)
    return out


def _sides(values: Field, mask: Mask, steps: Steps) -> tuple[Field, Field, Field]:
    """How far each voxel lies inside (outside: below 0), and the mean value inside and outside near it."""
    from scipy.ndimage import gaussian_filter

    width = [_NEARBY / step for step in steps]
    depths, means = [], []
    for side in (mask, ~mask):
        depth = np.where(side, np.minimum(distance_mm(side, steps), np.float32(99)), np.float32(0))
        weight = np.where(side, np.where(depth > _SURE, np.float32(1), np.float32(_UNSURE)), np.float32(0))
        total = gaussian_filter(weight, width, mode="nearest", truncate=3.0)
        mean = gaussian_filter(weight * values, width, mode="nearest", truncate=3.0) / np.maximum(total, 1e-6)
        depths.append(depth)
        means.append(np.where(total > 1e-6, mean, values).astype(np.float32))
    return np.where(mask, depths[0] - 0.5, 0.5 - depths[1]).astype(np.float32), means[0], means[1]


@kernel
def _draw(out: Array, values: Array, fields: Array, places: tuple[Array, Array, Array], rule: tuple[Any, Any]) -> None:
    """Values hold the slices from ``places[2][2]``; slices from ``places[2][0]`` to ``places[2][1]`` are drawn."""
    offset, pace, slab = places
    moves, alike = rule
    rows, columns = out.shape[1:]
    for k in range(slab[0], slab[1]):
        for r in range(rows):
            for c in range(columns):
                at = (offset[0] + k * pace[0], offset[1] + r * pace[1], offset[2] + c * pace[2])
                score = 2 * _between(fields[0], at) - 1
                if abs(_between(fields[1], at)) < moves:
                    inner, outer = _between(fields[2], at), _between(fields[3], at)
                    apart = inner - outer
                    value = _around(values, (k - slab[2], r, c))
                    if abs(apart) > 1e-6 and np.isfinite(value):
                        share = min(max((2 * value - inner - outer) / apart, -1.0), 1.0)
                        trust = apart * apart / (apart * apart + alike)
                        score = trust * share + (1 - trust) * score
                out[k, r, c] = score >= 0


@kernel
def _between(field: Array, at: tuple[float, float, float]) -> float:
    """The value between voxels, by linear interpolation; beyond the outermost that of these."""
    k, r, c = min(max(at[0], 0.0), field.shape[0] - 1.0), min(max(at[1], 0.0), field.shape[1] - 1.0), at[2]
    c = min(max(c, 0.0), field.shape[2] - 1.0)
    k0, r0, c0 = int(k), int(r), int(c)
    k1, r1, c1 = min(k0 + 1, field.shape[0] - 1), min(r0 + 1, field.shape[1] - 1), min(c0 + 1, field.shape[2] - 1)
    k, r, c = k - k0, r - r0, c - c0
    upper = (field[k0, r0, c0] * (1 - c) + field[k0, r0, c1] * c) * (1 - r)
    upper += (field[k0, r1, c0] * (1 - c) + field[k0, r1, c1] * c) * r
    lower = (field[k1, r0, c0] * (1 - c) + field[k1, r0, c1] * c) * (1 - r)
    lower += (field[k1, r1, c0] * (1 - c) + field[k1, r1, c1] * c) * r
    return float(upper * (1 - k) + lower * k)


@kernel
def _around(values: Array, at: tuple[int, int, int]) -> float:
    """Mean of a voxel and its neighbours, the nearer the more; NaN where there is no finite value."""
    total = weights = 0.0
    for k in range(max(at[0] - 1, 0), min(at[0] + 2, values.shape[0])):
        for r in range(max(at[1] - 1, 0), min(at[1] + 2, values.shape[1])):
            for c in range(max(at[2] - 1, 0), min(at[2] + 2, values.shape[2])):
                value = values[k, r, c]
                if np.isfinite(value):
                    weight = 0.25 ** (abs(k - at[0]) + abs(r - at[1]) + abs(c - at[2]))
                    total += weight * value
                    weights += weight
    return total / weights if weights > 0 else np.nan

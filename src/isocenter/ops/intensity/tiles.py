"""Tiles of slices: their histograms, cut and summed up, and the blending between them. Arrays only.

What is cut off is spread, and tiles are mirrored beyond the picture, as OpenCV does it, so that results agree with its.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from isocenter.kernels import kernel, over_slices
from isocenter.volume import Array


class Plan(NamedTuple):
    """How values become bins, and slices tiles."""

    low: float
    per_value: float
    """Bins per unit of value."""
    bins: int
    limit: float
    tiles: tuple[int, int]
    """Along (row, column)."""


def flattened(array: Array, plan: Plan) -> Array:
    """(slice, row, column) values as shares from 0 to 1, float32."""
    out = np.empty(array.shape, np.float32)
    over_slices(lambda first, last: _equalise(array[first:last], out[first:last], plan), out.shape)
    return out


@kernel
def _bin_of(value: float, plan: Plan) -> int:
    place = (value - plan.low) * plan.per_value + 0.5
    return int(min(place, plan.bins - 1.0)) if place > 0 else 0  # NaN is not above 0


@kernel
def _equalise(array: Array, out: Array, plan: Plan) -> None:
    slices, rows, columns = array.shape
    tiles = plan.tiles
    height, width = -(-rows // tiles[0]), -(-columns // tiles[1])
    maps = np.empty((tiles[0], tiles[1], plan.bins), np.float32)
    for k in range(slices):
        for i in range(tiles[0]):
            for j in range(tiles[1]):
                _map_tile(array[k], (i * height, j * width), (height, width), plan, maps[i, j])
        for r in range(rows):
            y = (r / height) - 0.5
            top = math.floor(y)
            down = np.float32(y - top)
            i0, i1 = max(top, 0), min(top + 1, tiles[0] - 1)
            for c in range(columns):
                x = (c / width) - 0.5
                left = math.floor(x)
                right = np.float32(x - left)
                j0, j1 = max(left, 0), min(left + 1, tiles[1] - 1)
                place = _bin_of(array[k, r, c], plan)
                upper = maps[i0, j0, place] * (1 - right) + maps[i0, j1, place] * right
                lower = maps[i1, j0, place] * (1 - right) + maps[i1, j1, place] * right
                out[k, r, c] = upper * (1 - down) + lower * down


@kernel
def _map_tile(picture: Array, start: tuple[int, int], size: tuple[int, int], plan: Plan, out: Array) -> None:
    """The share of a tile's pixels up to each bin, once its histogram is cut; beyond the picture it is mirrored."""
    bins, area = len(out), size[0] * size[1]
    counts = np.zeros(bins, np.int64)
    for r in range(start[0], start[0] + size[0]):
        for c in range(start[1], start[1] + size[1]):
            value = picture[_mirrored(r, picture.shape[0]), _mirrored(c, picture.shape[1])]
            counts[_bin_of(value, plan)] += 1
    most = max(int(plan.limit * area / bins), 1)
    excess = 0
    for place in range(bins):
        if counts[place] > most:
            excess += counts[place] - most
            counts[place] = most
    share, rest = excess // bins, excess % bins
    step = max(bins // rest, 1) if rest else 1
    counts += share
    for n in range(rest):
        counts[min(n * step, bins - 1)] += 1
    total = 0
    for place in range(bins):
        total += counts[place]
        out[place] = total / area


@kernel
def _mirrored(place: int, n: int) -> int:
    return place if place < n else max(2 * n - 2 - place, 0)

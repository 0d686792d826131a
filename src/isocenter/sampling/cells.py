"""Label maps sampled smoothly along their own axes: what lies around points is put together once for a row of them.

The rule is that of ``labels``: the label that weighs most of the eight voxels around a point, by linear weights. Where
output axes run along input axes, a row of output voxels lies between four rows of the input, the same for all of it. Of
each column these four labels are put together first, so that a point needs the labels of two columns alone; and where
these are one label, nothing but that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.kernels import kernel, over_slices
from isocenter.sampling.border import closest, lower
from isocenter.sampling.layout import Array, Floats, Shape

TIE = 1e-5
"""Weight by which another label has to win over that of the nearest voxel."""


def labels_by_cells(source: Array, transform: Floats, order: Shape, out: Array) -> None:
    """Into ``out``: at each point the label of most weight.

    Parameters
    ----------
    source
        (slice, row, column) in the order of the output's axes, read-only, in C order.
    transform
        (4, 4) from output indices to those of the input as it was.
    order
        For each output axis the input axis that it runs along.
    out
        Of the dtype of ``source``.
    """
    slices, rows, columns = (
        _places(transform[old, new] * np.arange(out.shape[new]) + transform[old, 3], source.shape[new])
        for new, old in enumerate(order)
    )

    def fill(first: int, last: int) -> None:
        _fill(source, (slices[0][first:last], slices[1][first:last]), rows, columns, out[first:last])

    over_slices(fill, out.shape)


def _places(coordinates: Floats, length: int) -> tuple[Array, Array]:
    """For each coordinate (lower voxel or -1 outside, upper voxel, nearest voxel), and the weight of the upper."""
    index, shares = np.empty((coordinates.size, 3), np.int64), np.empty(coordinates.size, np.float32)
    _place(coordinates, length, index, shares)
    return index, shares


# --- kernels ---------------------------------------------------------------------------------------------------------


@kernel
def _place(coordinates: Floats, length: int, index: Array, shares: Array) -> None:
    for x in range(coordinates.size):
        below, share = lower(coordinates[x], length)
        index[x, 0], index[x, 1] = below, min(below + 1, length - 1)
        index[x, 2], shares[x] = closest(coordinates[x], length), share


@kernel
def _fill(source: Array, slices: Any, rows: Any, columns: Any, out: Array) -> None:
    width = source.shape[2]
    labels, weights = np.empty((width, 4), source.dtype), np.empty((width, 4), np.float32)
    counts = np.empty(width, np.int64)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            if slices[0][z, 0] < 0 or rows[0][y, 0] < 0:
                out[z, y] = 0
                continue
            _put_together(source, (slices[0][z], slices[1][z]), (rows[0][y], rows[1][y]), (labels, weights, counts))
            nearest = source[slices[0][z, 2], rows[0][y, 2]]
            line = out[z, y]
            for x in range(out.shape[2]):
                left, right = columns[0][x, 0], columns[0][x, 1]
                if left < 0:
                    line[x] = 0
                elif counts[left] == 1 and counts[right] == 1 and labels[left, 0] == labels[right, 0]:
                    line[x] = labels[left, 0]
                else:
                    own = nearest[columns[0][x, 2]]
                    line[x] = _heaviest((labels, weights, counts), (left, right), columns[1][x], own)


@kernel
def _put_together(source: Array, along: Any, across: Any, found: Any) -> None:
    """Of each column the labels of the four rows around, each once, and their weights."""
    labels, weights, counts = found
    (k, s), (r, t) = along, across
    one, two, three, four = source[k[0], r[0]], source[k[0], r[1]], source[k[1], r[0]], source[k[1], r[1]]
    shares = np.array([(1 - s) * (1 - t), (1 - s) * t, s * (1 - t), s * t], np.float32)
    around = np.empty(4, source.dtype)
    for c in range(source.shape[2]):
        if one[c] == two[c] and one[c] == three[c] and one[c] == four[c]:
            labels[c, 0], weights[c, 0], counts[c] = one[c], 1, 1
            continue
        around[0], around[1], around[2], around[3] = one[c], two[c], three[c], four[c]
        count = 0
        for i in range(4):
            place = 0
            while place < count and labels[c, place] != around[i]:
                place += 1
            if place == count:
                labels[c, place], weights[c, place], count = around[i], 0, count + 1
            weights[c, place] += shares[i]
        counts[c] = count


@kernel
def _heaviest(found: Any, between: tuple[int, int], share: float, own: int) -> Any:
    """The label of most weight between two columns; that of the nearest voxel where it weighs as much."""
    labels, _, counts = found
    best, most = own, _weight(found, between, share, own) + np.float32(TIE)
    for column in between:
        for place in range(counts[column]):
            label = labels[column, place]
            weight = _weight(found, between, share, label)
            if weight > most:
                best, most = label, weight
    return best


@kernel
def _weight(found: Any, between: tuple[int, int], share: float, label: int) -> Any:
    """What a label weighs between two columns."""
    labels, weights, counts = found
    left, right = between
    weight = np.float32(0)
    for place in range(counts[left]):
        if labels[left, place] == label:
            weight += weights[left, place] * (1 - share)
    for place in range(counts[right]):
        if labels[right, place] == label:
            weight += weights[right, place] * share
    return weight

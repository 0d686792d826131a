"""Label maps sampled smoothly along their own axes: what lies around points is put together once for a row of them.

The rule is that of ``labels``: the label that weighs most of the eight voxels around a point, by linear weights. Where
output axes run along input axes, a row of output voxels lies between four rows of the input, the same for all of it. Of
each column these four labels are put together first, and of two columns those of all points between them; where these
are one label, nothing but that is needed.
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

    left = columns[0][:, 0]
    begins = np.concatenate([[0], np.flatnonzero(np.diff(left)) + 1, [left.size]])  # of the points of each cell

    def fill(first: int, last: int) -> None:
        _fill(source, (slices[0][first:last], slices[1][first:last]), rows, (*columns, begins), out[first:last])

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
    cell = np.empty(8, source.dtype), np.empty((8, 2), np.float32)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            if slices[0][z, 0] < 0 or rows[0][y, 0] < 0:
                out[z, y] = 0
                continue
            _put_together(source, (slices[0][z], slices[1][z]), (rows[0][y], rows[1][y]), (labels, weights, counts))
            nearest = source[slices[0][z, 2], rows[0][y, 2]]
            _fill_row((labels, weights, counts), nearest, columns, cell, out[z, y])


@kernel
def _fill_row(found: Any, nearest: Array, columns: Any, cell: Any, line: Array) -> None:
    """Into a row: cell by cell the labels of the points between two columns."""
    labels, _, counts = found
    index, shares, begins = columns
    for number in range(begins.size - 1):
        first, last = begins[number], begins[number + 1]
        left, right = index[first, 0], index[first, 1]
        if left < 0:
            line[first:last] = 0
        elif counts[left] == 1 and counts[right] == 1 and labels[left, 0] == labels[right, 0]:
            for x in range(first, last):
                line[x] = labels[left, 0]
        else:
            count = _meet(found, left, right, cell)
            owns = _place_of(nearest[left], cell[0], count), _place_of(nearest[right], cell[0], count)
            for x in range(first, last):
                own = owns[0] if index[x, 2] == left else owns[1]
                line[x] = cell[0][_heaviest(cell[1], count, shares[x], own)]


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
            place = _place_of(around[i], labels[c], count)
            if place == count:
                labels[c, place], weights[c, place], count = around[i], 0, count + 1
            weights[c, place] += shares[i]
        counts[c] = count


@kernel
def _place_of(label: int, labels: Array, count: int) -> int:
    """Where a label stands among so many; their number where it does not."""
    place = 0
    while place < count and labels[place] != label:
        place += 1
    return place


@kernel
def _meet(found: Any, left: int, right: int, cell: Any) -> Any:
    """Into a cell: the labels of two columns, each once, with their weights in either; and how many they are."""
    labels, weights, counts = found
    met, sides = cell
    count = counts[left]
    for place in range(count):
        met[place], sides[place, 0], sides[place, 1] = labels[left, place], weights[left, place], 0
    for other in range(counts[right]):
        place = _place_of(labels[right, other], met, count)
        if place == count:
            met[place], sides[place, 0], count = labels[right, other], 0, count + 1
        sides[place, 1] = weights[right, other]
    return count


@kernel
def _heaviest(sides: Array, count: int, share: float, own: int) -> int:
    """The place of the label of most weight; of that of the nearest voxel where it weighs as much."""
    best, most = own, _weight(sides[own], share) + np.float32(TIE)
    for place in range(count):
        weight = _weight(sides[place], share)
        if weight > most:
            best, most = place, weight
    return best


@kernel
def _weight(sides: Array, share: float) -> Any:
    """What a label weighs between two columns."""
    return sides[0] * (1 - share) + sides[1] * share

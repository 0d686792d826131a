"""Median in a box. Small boxes are sorted by a network, many voxels at once; large ones counted by a histogram."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Triple
from isocenter.kernels import kernel, over_slices
from isocenter.ops.filters.reach import Lengths, about_box, lengths_of, whole_voxels
from isocenter.ops.filters.values import check_values, mirrored
from isocenter.ops.lattice import each
from isocenter.volume import Array, Volume, read_only

Pairs = npt.NDArray[np.int32]

_SORTED_AS: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.uint8),
    "float16": np.dtype(np.float32),
}  # kernels know neither
_NETWORK = 64  # voxels in a box; in larger ones 16-bit integers are counted
_WORK = 32768  # bytes that a network works on at once: they stay in the cache


def median(volume: Volume, radius_mm: Lengths) -> Volume:
    """The median of each voxel's surroundings: a box of all voxels whose centres lie within a radius along each axis.

    Parameters
    ----------
    volume
        The image.
    radius_mm
        How far the box reaches in millimetres: one length, or one for each of (slice, row, column). A radius of 1 mm
        on voxels of 0.7 x 0.7 x 5 mm takes 3 x 3 voxels in the plane.

    Returns
    -------
    The volume with the same dtype, since every value out is one that was in. Edges are mirrored. Memory: input and
    output, and some rows per thread.

    Raises
    ------
    UsageError
        If the image has no spacing, or ``radius_mm`` is no length or longer than the image.
    InputError
        If a value is NaN or infinite.
    """
    check_values(volume)
    lengths = lengths_of(radius_mm, "radius_mm")
    reach = whole_voxels(volume, lengths)
    native = volume.array.dtype.newbyteorder("=")
    kind: np.dtype[Any] = _SORTED_AS.get(native.name, native)
    found = each(volume, lambda part: in_box(part.astype(kind, copy=False), reach))
    result = volume.with_array(found.astype(native, copy=False))
    return result.with_reasons(about_box(volume, lengths, "box"))


def in_box(array: Array, reach: Triple) -> Array:
    """Median over boxes of ``reach`` voxels to each side along (slice, row, column)."""
    source = read_only(np.ascontiguousarray(array))
    out = np.empty(source.shape, source.dtype)
    size = int(np.prod([2 * n + 1 for n in reach]))
    if size > _NETWORK and source.dtype.kind in "ui" and source.dtype.itemsize <= 2:
        low = int(source.min())
        bins = int(source.max()) - low + 1
        over_slices(lambda start, stop: _count(source, reach, (low, bins), out, (start, stop)), source.shape)
    elif size > _NETWORK:
        over_slices(lambda start, stop: _select(source, reach, out, (start, stop)), source.shape)
    else:
        lanes = min(source.shape[2], max(32, _WORK // (size * source.itemsize)))
        pairs = network(size)

        def sort(start: int, stop: int) -> None:
            _sort(source, reach, pairs, np.empty((size, lanes), source.dtype), out[start:stop], start)

        over_slices(sort, source.shape)
    return out


@lru_cache(maxsize=32)
def network(n: int) -> Pairs:
    """Pairs of places to bring in order one after the other, then the place of the median of ``n`` values, twice."""
    ways = (_forgetting(n), _merging(n))
    return np.array(min(ways, key=len), np.int32)


def _forgetting(n: int) -> list[tuple[int, int]]:
    """Of half of the values the least and the greatest cannot be the median: forget them, take the next, and so on.

    Source: Smith, Implementing median filters in XC4000E FPGAs, 1996. The shorter way for few values.
    """
    held, fresh, pairs = list(range(n // 2 + 2)) if n > 1 else [0], n // 2 + 2, []
    while len(held) > 1:
        half = len(held) // 2
        pairs += list(zip(held[:half], held[: -half - 1 : -1], strict=True))
        pairs += [(held[0], low) for low in held[1 : len(held) - half]]
        pairs += [(high, held[-1]) for high in held[half:-1]]
        held = held[1:-1]
        if fresh < n:
            held.append(fresh)
            fresh += 1
    return [*pairs, (held[0], held[0])]


def _merging(n: int) -> list[tuple[int, int]]:
    """Batcher's odd-even merge sort, without the steps that the median does not depend on."""
    steps, run = [], 1
    while run < n:
        apart = run
        while apart:
            starts = (i + j for j in range(apart % run, n - apart, 2 * apart) for i in range(min(apart, n - j - apart)))
            steps += [(i, i + apart) for i in starts if i // (2 * run) == (i + apart) // (2 * run)]
            apart //= 2
        run *= 2
    asked, pairs = {n // 2}, [(n // 2, n // 2)]
    for step in reversed(steps):
        if asked.intersection(step):
            asked.update(step)
            pairs.append(step)
    return pairs[::-1]


@kernel
def _sort(array: Array, reach: Triple, pairs: Pairs, work: Array, out: Array, first: int) -> None:
    columns, lanes = array.shape[2], work.shape[1]
    wide = 2 * reach[2] + 1
    lines = np.empty((work.shape[0] // wide, columns + 2 * reach[2]), array.dtype)
    middle = work[pairs[-1, 0]]
    for k in range(out.shape[0]):
        for r in range(out.shape[1]):
            _gather(array, k + first, r, reach, lines)
            for block in range(0, columns, lanes):
                begin = min(block, columns - lanes)
                for i in range(work.shape[0]):
                    x = begin + i % wide
                    _copy(lines[i // wide, x : x + lanes], work[i])
                for p in range(pairs.shape[0] - 1):
                    _exchange(work[pairs[p, 0]], work[pairs[p, 1]])
                _copy(middle, out[k, r, begin : begin + lanes])


@kernel
def _copy(source: Array, target: Array) -> None:
    for x in range(target.size):
        target[x] = source[x]


@kernel
def _exchange(low: Array, high: Array) -> None:
    for x in range(low.size):
        a, b = low[x], high[x]
        low[x] = min(a, b)
        high[x] = max(a, b)


@kernel
def _gather(array: Array, k: int, r: int, reach: Triple, lines: Array) -> None:
    """The rows around a row, mirrored at the faces of the image."""
    depth, rows, columns = array.shape
    along, i = reach[2], 0
    for z in range(k - reach[0], k + reach[0] + 1):
        for y in range(r - reach[1], r + reach[1] + 1):
            source, line = array[mirrored(z, depth), mirrored(y, rows)], lines[i]
            _copy(source, line[along : along + columns])
            for x in range(along):
                line[x] = source[mirrored(x - along, columns)]
                line[along + columns + x] = source[mirrored(columns + x, columns)]
            i += 1


@kernel
def _count(array: Array, reach: Triple, span: tuple[int, int], out: Array, slab: tuple[int, int]) -> None:
    """Running histogram along each row, fine and coarse (Huang, Yang and Tang, 1979)."""
    low, bins = span
    fine, coarse = np.zeros(bins, np.int32), np.zeros(bins // 64 + 1, np.int32)
    columns, wide = array.shape[2], 2 * reach[2] + 1
    lines = np.empty(((2 * reach[0] + 1) * (2 * reach[1] + 1), columns + 2 * reach[2]), array.dtype)
    half = lines.shape[0] * wide // 2
    for k in range(slab[0], slab[1]):
        for r in range(array.shape[1]):
            _gather(array, k, r, reach, lines)
            block, below = 0, 0  # the block of values that the median was in last, and how many lie before it
            for x in range(wide - 1):
                below += _tally(lines, x, (low, 1), fine, coarse, block)
            for x in range(columns):
                below += _tally(lines, x + wide - 1, (low, 1), fine, coarse, block)
                value, block, below = _middle(fine, coarse, block, below, half)
                out[k, r, x] = value + low
                below += _tally(lines, x, (low, -1), fine, coarse, block)
            for x in range(columns, lines.shape[1]):
                _tally(lines, x, (low, -1), fine, coarse, block)


@kernel
def _tally(lines: Array, x: int, how: tuple[int, int], fine: Array, coarse: Array, block: int) -> int:
    """Count a column, or take it back; by how much the number of those before a block grew."""
    low, by = how
    before = 0
    for i in range(lines.shape[0]):
        place = int(lines[i, x]) - low
        fine[place] += by
        coarse[place >> 6] += by
        before += by * (place >> 6 < block)
    return before


@kernel
def _middle(fine: Array, coarse: Array, block: int, below: int, half: int) -> tuple[int, int, int]:
    """The median's place in the histogram, its block, and how many values lie before that."""
    while below > half:
        block -= 1
        below -= coarse[block]
    while below + coarse[block] <= half:
        below += coarse[block]
        block += 1
    place = block << 6
    seen = below + fine[place]
    while seen <= half:
        place += 1
        seen += fine[place]
    return place, block, below


@kernel
def _select(array: Array, reach: Triple, out: Array, slab: tuple[int, int]) -> None:
    """The middle of all values of each box by partition: for values that cannot be counted."""
    columns, wide = array.shape[2], 2 * reach[2] + 1
    lines = np.empty(((2 * reach[0] + 1) * (2 * reach[1] + 1), columns + 2 * reach[2]), array.dtype)
    values = np.empty(lines.shape[0] * wide, array.dtype)
    half = values.size // 2
    for k in range(slab[0], slab[1]):
        for r in range(array.shape[1]):
            _gather(array, k, r, reach, lines)
            for x in range(columns):
                for i in range(lines.shape[0]):
                    values[i * wide : (i + 1) * wide] = lines[i, x : x + wide]
                out[k, r, x] = np.partition(values, half)[half]

"""Connected components by runs of voxels along the columns: exact, in two passes over the mask, by several threads.

A run is a row's stretch of voxels that are set, so there are far fewer runs than voxels. Runs of neighbouring rows
that touch are joined (union-find); what is asked of components is answered from the runs, and labels are painted last.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.kernels import kernel, over_slices
from isocenter.volume import Array

Numbers = npt.NDArray[np.int64]
Runs = npt.NDArray[np.int32]

_EARLIER = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
"""Rows beside a row that come before it, as steps along (slice, row)."""
_REACH = {6: (0, -1), 18: (1, 0), 26: (1, 1)}
"""Columns that runs of rows beside each other, and of rows across a corner, may be apart; -1 is never."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """The connected components of a mask.

    Parameters
    ----------
    shape
        Of the mask.
    rows
        Number of the first run of each (slice, row), and the number of runs at the end.
    runs
        (n, 2): first column and one past the last of each run.
    labels
        Component of each run, from 1, in the order of their first voxels.
    counts
        Voxels of each component; index 0 is background.
    """

    shape: tuple[int, ...]
    rows: Numbers = field(repr=False)
    runs: Runs = field(repr=False)
    labels: Runs = field(repr=False)
    counts: Numbers

    def painted(self, values: Array) -> Array:
        """An array of the mask's shape with a value for each component, and that of index 0 elsewhere."""
        out = np.full(self.shape, values[0], values.dtype)
        over_slices(lambda a, b: _paint((self.rows, self.runs), values[self.labels], out, (a, b)), self.shape)
        return out

    def places(self) -> tuple[Numbers, npt.NDArray[np.float64]]:
        """Where each component lies; what stands at index 0 is of no use.

        Returns
        -------
        (n + 1, 2, 3): index of the first voxel of its box, and of one past the last; (n + 1, 3): mean index of its
        voxels.
        """
        boxes = np.empty((len(self.counts), 2, 3), np.int64)
        boxes[:, 0], boxes[:, 1] = np.iinfo(np.int64).max, 0
        sums = np.zeros((len(self.counts), 3))
        _gather((self.rows, self.runs), self.shape[1], self.labels, (boxes, sums))
        return boxes, sums / np.maximum(self.counts, 1)[:, None]


def pieces_of(mask: Mask, connectivity: int) -> Pieces:
    """The components of a mask whose voxels are connected through 6, 18 or 26 neighbours."""
    mask = np.ascontiguousarray(mask)
    rows = np.zeros(mask.shape[0] * mask.shape[1] + 1, np.int64)
    over_slices(lambda a, b: _count(mask, rows, (a, b)), mask.shape)
    np.cumsum(rows, out=rows)
    runs = np.empty((int(rows[-1]), 2), np.int32)
    over_slices(lambda a, b: _find(mask, rows, runs, (a, b)), mask.shape)
    labels = np.empty(len(runs), np.int32)
    count = _join((rows, runs), mask.shape[1], _REACH[connectivity], labels)
    counts = np.bincount(labels, np.diff(runs, axis=1)[:, 0], count + 1).astype(np.int64)
    return Pieces(mask.shape, rows, runs, labels, counts)


@kernel
def _count(mask: Mask, rows: Numbers, span: tuple[int, int]) -> None:
    height, width = mask.shape[1:]
    for k in range(span[0], span[1]):
        for r in range(height):
            line = mask[k, r]
            number = np.int64(line[0])
            for c in range(1, width):
                number += line[c] > line[c - 1]
            rows[k * height + r + 1] = number


@kernel
def _find(mask: Mask, rows: Numbers, runs: Runs, span: tuple[int, int]) -> None:
    height, width = mask.shape[1:]
    for k in range(span[0], span[1]):
        for r in range(height):
            at, last = rows[k * height + r], rows[k * height + r + 1]
            line = mask[k, r]
            c = 0
            while at < last:
                while not line[c]:
                    c += 1
                runs[at, 0] = c
                while c < width and line[c]:
                    c += 1
                runs[at, 1] = c
                at += 1


@kernel
def _root(parent: Runs, run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@kernel
def _touch(runs: Runs, here: tuple[int, int], there: tuple[int, int], reach: int, parent: Runs) -> None:
    """Join the runs of two rows, given by their first run and one past the last, that touch."""
    a, b = here[0], there[0]
    while a < here[1] and b < there[1]:
        if runs[a, 0] < runs[b, 1] + reach and runs[b, 0] < runs[a, 1] + reach:
            one, other = _root(parent, a), _root(parent, b)
            parent[max(one, other)] = min(one, other)
        if runs[a, 1] < runs[b, 1]:
            a += 1
        else:
            b += 1


@kernel
def _join(table: tuple[Numbers, Runs], height: int, reach: tuple[int, int], parent: Runs) -> int:
    """Join all runs that touch, and number their components; ``parent`` becomes the labels."""
    rows, runs = table
    for run in range(len(runs)):
        parent[run] = run
    for row in range(len(rows) - 1):
        here = rows[row], rows[row + 1]
        k, r = divmod(row, height)
        if here[0] == here[1]:
            continue
        for dk, dr in _EARLIER:
            apart = reach[0] if dk == 0 or dr == 0 else reach[1]
            if apart >= 0 and k + dk >= 0 and 0 <= r + dr < height:
                other = row + dk * height + dr
                _touch(runs, here, (rows[other], rows[other + 1]), apart, parent)
    count = 0
    for run in range(len(runs)):  # a root comes before all others of its component
        if parent[run] == run:
            count += 1
            parent[run] = count
        else:
            parent[run] = parent[parent[run]]
    return count


@kernel
def _paint(table: tuple[Numbers, Runs], values: Array, out: Array, span: tuple[int, int]) -> None:
    rows, runs = table
    height = out.shape[1]
    for row in range(span[0] * height, span[1] * height):
        for run in range(rows[row], rows[row + 1]):
            out[row // height, row % height, runs[run, 0] : runs[run, 1]] = values[run]


@kernel
def _gather(table: tuple[Numbers, Runs], height: int, labels: Runs, found: tuple[Array, Array]) -> None:
    rows, runs = table
    boxes, sums = found
    for row in range(len(rows) - 1):
        k, r = divmod(row, height)
        for run in range(rows[row], rows[row + 1]):
            box, first, stop = boxes[labels[run]], runs[run, 0], runs[run, 1]
            box[0, 0], box[1, 0] = min(box[0, 0], k), max(box[1, 0], k + 1)
            box[0, 1], box[1, 1] = min(box[0, 1], r), max(box[1, 1], r + 1)
            box[0, 2], box[1, 2] = min(box[0, 2], first), max(box[1, 2], stop)
            voxels = stop - first
            sums[labels[run], 0] += voxels * k
            sums[labels[run], 1] += voxels * r
            sums[labels[run], 2] += voxels * (first + stop - 1) / 2

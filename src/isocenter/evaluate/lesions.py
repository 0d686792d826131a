"""Lesions counted one by one: which were found, which were not, and what was found that is none.

A lesion is a connected component. Each true lesion is matched with one predicted lesion at most, and each predicted one
with one true one, so that as many as possible are matched and, of all such ways, the overlaps are greatest: a lesion
found in two pieces is one hit and one false alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word
from isocenter.evaluate.numbering import paired, same_place
from isocenter.findings import Mask, Segment, Segmentation
from isocenter.ops.boxes import box_of
from isocenter.ops.runs import Pieces, pieces_of
from isocenter.reasons import Reason, merge

Criterion = Literal["overlap", "iou", "centre"]
Connectivity = Literal[6, 18, 26]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lesions:
    """How many lesions were found.

    Parameters
    ----------
    hits, missed, false_alarms
        True lesions that were found, true ones that were not, predicted ones that are none.
    matches
        (true, predicted, IoU) of each hit: numbers of the components from 1, in the order of their first voxels.
    reasons
        What was to be said of comparing the two.
    """

    hits: int
    missed: int
    false_alarms: int
    matches: tuple[tuple[int, int, float], ...]
    reasons: tuple[Reason, ...] = ()

    @property
    def sensitivity(self) -> float:
        """Share of the true lesions that were found; NaN if there are none."""
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else math.nan

    @property
    def precision(self) -> float:
        """Share of the predicted lesions that are true; NaN if there are none."""
        return self.hits / (self.hits + self.false_alarms) if self.hits + self.false_alarms else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of both; NaN if there is no lesion on either side."""
        total = 2 * self.hits + self.missed + self.false_alarms
        return 2 * self.hits / total if total else math.nan


def lesions(
    prediction: Segmentation,
    truth: Segmentation,
    *,
    name: str,
    criterion: Criterion = "iou",
    least: float = 0.1,
    connectivity: Connectivity = 26,
) -> Lesions:
    """Match the components of a structure on both sides.

    Parameters
    ----------
    prediction, truth
        As of :func:`isocenter.evaluate.scores`.
    name
        The structure.
    criterion
        When two lesions are one: ``"overlap"`` if they share a voxel; ``"iou"`` if their IoU reaches ``least``;
        ``"centre"`` if the mean of the predicted lesion's voxels lies in the true one.
    least
        Least IoU; 0.1 is common for small lesions in three dimensions (nnDetection, Baumgartner 2021).
    connectivity
        Voxels are connected through 6, 18 or 26 neighbours.
    """
    expect_word(criterion, Criterion, "The criterion")
    if connectivity not in (6, 18, 26):
        raise UsageError(f"Voxels are connected through 6, 18 or 26 neighbours, not {connectivity!r}.")
    if not 0 < least <= 1:
        raise UsageError(f"The least IoU lies above 0 and at 1 at most, not {least!r}.")
    moved = same_place(prediction, truth)
    pairs, reasons = paired(moved, truth)
    if name not in pairs:
        raise UsageError(f"Neither side has a structure {name}; there is {', '.join(pairs) or 'nothing'}.")
    mine, true = (_mask(side, segment) for side, segment in zip((moved, truth), pairs[name], strict=True))
    every = merge(truth.reasons, moved.reasons, reasons)
    both = mine | true
    if not both.any():
        return Lesions(0, 0, 0, (), every)
    box = box_of(both)
    found, real = (pieces_of(mask[box], connectivity) for mask in (mine, true))
    pairs_met, iou = _met(real, found)
    if criterion == "centre":
        pairs_met, iou = _centred(real, found, (pairs_met, iou))
    fits = iou >= least * (1 - 1e-12) if criterion == "iou" else np.ones(len(iou), bool)
    matches = _matched(pairs_met[fits], iou[fits])
    missed, alarms = len(real.counts) - 1 - len(matches), len(found.counts) - 1 - len(matches)
    return Lesions(len(matches), missed, alarms, matches, every)


def _mask(side: Segmentation, segment: Segment | None) -> Mask:
    return side.mask(segment.name) if segment else np.zeros(side.grid.shape, bool)


def _painted(pieces: Pieces) -> npt.NDArray[np.int32]:
    painted: npt.NDArray[np.int32] = pieces.painted(np.arange(len(pieces.counts), dtype=np.int32))
    return painted


def _met(real: Pieces, found: Pieces) -> tuple[Places, Floats]:
    """(n, 2): numbers of the true and predicted components that share voxels; and their IoU."""
    one, other = _painted(real), _painted(found)
    both = (one > 0) & (other > 0)
    pairs, shared = np.unique(np.stack([one[both], other[both]], axis=1), axis=0, return_counts=True)
    numbers = pairs.reshape(-1, 2).astype(np.int64)
    return numbers, shared / (real.counts[numbers[:, 0]] + found.counts[numbers[:, 1]] - shared)


def _centred(real: Pieces, found: Pieces, met: tuple[Places, Floats]) -> tuple[Places, Floats]:
    """The same of pairs of which the middle of the predicted component lies in the true one."""
    _, middles = found.places()
    k, r, c = np.floor(middles[1:] + 0.5).astype(int).T
    owner = _painted(real)[k, r, c].astype(np.int64)
    numbers = np.flatnonzero(owner) + 1
    pairs = np.stack([owner[numbers - 1], numbers], axis=1)
    known = {(i, j): value for (i, j), value in zip(met[0].tolist(), met[1].tolist(), strict=True)}
    return pairs, np.array([known.get((i, j), 0.0) for i, j in pairs.tolist()])


def _matched(pairs: Places, iou: Floats) -> tuple[tuple[int, int, float], ...]:
    """One-to-one pairs: as many as can be, and of those the greatest overlap.

    Lesions that hang together by pairs are matched group by group, so that thousands of specks cost little.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(pairs):
        return ()
    trues = int(pairs[:, 0].max()) + 1
    size = trues + int(pairs[:, 1].max()) + 1
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], trues + pairs[:, 1])), shape=(size, size))
    group = connected_components(graph, directed=False)[1][pairs[:, 0]]
    matches = []
    for members in np.split(np.argsort(group, kind="stable"), np.flatnonzero(np.diff(np.sort(group))) + 1):
        (rows, i), (columns, j) = (np.unique(pairs[members, side], return_inverse=True) for side in (0, 1))
        worth = np.zeros((rows.size, columns.size))
        worth[i, j] = 1 + iou[members] / (2 * max(worth.shape))  # no sum of overlaps outweighs one more match
        for row, column in zip(*linear_sum_assignment(worth, maximize=True), strict=True):
            if worth[row, column]:
                overlap = (worth[row, column] - 1) * 2 * max(worth.shape)
                matches.append((int(rows[row]), int(columns[column]), float(overlap)))
    return tuple(sorted(matches))

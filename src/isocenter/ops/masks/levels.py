"""Thresholds of a histogram: Otsu, multi-Otsu and k-means (exact), Li. No voxel is touched here.

A level is the largest value below a threshold: what is larger lies above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import kernel

Counts = npt.NDArray[np.int64]

_STILL = 1e-9  # of the range of values: a level that moves by less has come to rest


@dataclass(frozen=True, eq=False)
class Histogram:
    """The bins of an image that hold something, from low to high, two at least.

    Parameters
    ----------
    counts
        Voxels in each bin.
    means
        Mean of their values.
    tops
        The largest of their values, which is the level of a threshold above this bin.
    """

    counts: Counts
    means: Floats
    tops: Floats


def otsu(histogram: Histogram) -> float:
    """The level with the largest variance between what lies below and above it (Otsu 1979)."""
    counts, values = histogram.counts, histogram.means
    below = np.cumsum(counts, dtype=np.float64)
    above = below[-1] - below
    sums = np.cumsum(counts * values)
    gap = sums[:-1] / below[:-1] - (sums[-1] - sums[:-1]) / above[:-1]
    return float(histogram.tops[int(np.argmax(below[:-1] * above[:-1] * gap**2))])


def classes(histogram: Histogram, number: int) -> tuple[Floats, Floats]:
    """Levels and means of the classes with the least variance within them.

    It is the best of all partitions: multi-Otsu (Liao et al. 2001) and k-means in one dimension ask for the same one.
    Found by dynamic programming; since the best last cut never moves back as values are added, each class costs
    n log n steps for n values (Wang and Song 2011; Grønlund et al. 2017).

    Returns
    -------
    The ``number - 1`` levels (largest values of all classes but the last) and the ``number`` means.
    """
    counts, values = histogram.counts, histogram.means
    middle = float(np.average(values, weights=counts))
    weights = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    sums = np.concatenate([[0.0], np.cumsum(counts * (values - middle))])
    cuts = np.zeros((number, len(values) + 1), np.int64)
    _cut(weights, sums, cuts)
    ends = [len(values)]
    for row in range(number - 1, 0, -1):
        ends.append(int(cuts[row, ends[-1]]))
    bounds = np.array([0, *ends[::-1]])
    means = np.diff(sums[bounds]) / np.diff(weights[bounds]) + middle
    return histogram.tops[bounds[1:-1] - 1], means


@kernel
def _cut(weights: Floats, sums: Floats, cuts: Counts) -> None:
    """For each class and each number of values: where the class begins in the best partition of these values."""
    n = len(weights) - 1
    best = np.empty(n + 1)
    best[0] = -np.inf
    for stop in range(1, n + 1):
        best[stop] = sums[stop] ** 2 / weights[stop]
    stack = np.empty((2 * 64 + 4, 4), np.int64)
    for row in range(1, cuts.shape[0]):
        new = np.full(n + 1, -np.inf)
        top = 1
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = row + 1, n, row, n - 1
        while top > 0:
            top -= 1
            first, last, low, high = stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3]
            if first > last:
                continue
            stop = (first + last) // 2
            for start in range(low, min(high, stop - 1) + 1):
                gain = best[start] + (sums[stop] - sums[start]) ** 2 / (weights[stop] - weights[start])
                if gain > new[stop]:
                    new[stop] = gain
                    cuts[row, stop] = start
            at = cuts[row, stop]
            stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = first, stop - 1, low, at
            stack[top + 1, 0], stack[top + 1, 1], stack[top + 1, 2], stack[top + 1, 3] = stop + 1, last, at, high
            top += 2
        best = new


def li(histogram: Histogram) -> float:
    """The threshold of least cross entropy (Li and Tam 1998), by iteration from the mean."""
    values = histogram.means
    lowest = values[0]
    shifted = values - lowest
    weights = histogram.counts.astype(np.float64)
    level, last = float(np.average(shifted, weights=weights)), -np.inf
    while abs(level - last) > _STILL * shifted[-1]:
        last = level
        above = shifted > level
        high = float(np.average(shifted[above], weights=weights[above]))
        low = float(np.average(shifted[~above], weights=weights[~above]))
        if low == 0:
            break
        level = (low - high) / (np.log(low) - np.log(high))
    return level + float(lowest)

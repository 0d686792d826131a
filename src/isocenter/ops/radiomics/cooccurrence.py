"""Grey level co-occurrence (GLCM; IBSI manual, section 3.6): how often two levels are neighbours along a direction.

All directions are counted in one pass over the region, slice by slice where textures are by slice, so that no more
than one matrix per direction is held.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.ops.radiomics.counting import directions, offsets, slices_of
from isocenter.ops.radiomics.processing import Dimension
from isocenter.ops.radiomics.undefined import mean_of
from isocenter.volume import Array

_NUMBER = 25


def features(levels: Array, number: int, dimensions: Sequence[Dimension]) -> dict[str, Floats]:
    """The features of each aggregation, in the order of the catalogue; NaN where one is undefined.

    Parameters
    ----------
    levels
        Grey levels (slice, row, column) with a rim of one voxel; 0 outside the region.
    number
        The highest level.
    dimensions
        What to count in.
    """
    found: dict[str, Floats] = {}
    if {"2D", "2.5D"} & set(dimensions):
        found |= _by_slice(levels, number)
    if "3D" in dimensions:
        steps = offsets(directions(3), levels.shape)
        counts = np.zeros((len(steps), number, number), np.int64)
        _count(levels.reshape(-1), steps, (0, levels.size), counts)
        found |= {"3D, averaged": _mean(counts), "3D, merged": _of(counts.sum(axis=0))}
    return {name: values for name, values in found.items() if name.split(",")[0] in dimensions}


def _by_slice(levels: Array, number: int) -> dict[str, Floats]:
    steps = offsets(directions(2), levels.shape)
    plane = levels[0].size
    total = np.zeros((len(steps), number, number), np.int64)
    averaged, merged = [], []
    for k in slices_of(levels):
        counts = np.zeros_like(total)
        _count(levels.reshape(-1), steps, (k * plane, (k + 1) * plane), counts)
        averaged += [_of(one) for one in counts]
        merged.append(_of(counts.sum(axis=0)))
        total += counts
    return {
        "2D, averaged": mean_of(averaged, _NUMBER),
        "2D, slice-merged": mean_of(merged, _NUMBER),
        "2.5D, direction-merged": _mean(total),
        "2.5D, merged": _of(total.sum(axis=0)),
    }


def _mean(counts: Array) -> Floats:
    return mean_of([_of(one) for one in counts], _NUMBER)


def _of(counts: Array) -> Floats:
    """Features of a matrix of pairs, each counted in one order; NaN without any."""
    both = (counts + counts.T).astype(np.float64)
    total = both.sum()
    return _features(both / total) if total > 0 else np.full(_NUMBER, np.nan)


@kernel
def _count(levels: Array, steps: Array, span: tuple[int, int], counts: Array) -> None:
    """Count the pairs of levels along each step, for the voxels of a span of the flat array."""
    for place in range(span[0], span[1]):
        level = levels[place]
        if level > 0:
            for d in range(len(steps)):
                other = levels[place + steps[d]]
                if other > 0:
                    counts[d, level - 1, other - 1] += 1


@kernel
def _entropy(p: Array) -> float:
    total = 0.0
    for n in range(len(p)):
        if p[n] > 0:
            total -= p[n] * np.log2(p[n])
    return total


@kernel
def _features(p: Array) -> Floats:
    n = len(p)
    out = np.zeros(25)
    marginal, difference, added = np.zeros(n), np.zeros(n), np.zeros(2 * n - 1)
    joint_entropy = 0.0
    for i in range(n):
        for j in range(n):
            q = p[i, j]
            if q == 0:
                continue
            marginal[i] += q
            difference[abs(i - j)] += q
            added[i + j] += q
            out[0] = max(out[0], q)
            joint_entropy -= q * np.log2(q)
            out[10] += q * q
            out[19] += (i + 1) * (j + 1) * q
    mean = 0.0
    for i in range(n):
        mean += (i + 1) * marginal[i]
    variance = 0.0
    for i in range(n):
        variance += (i + 1 - mean) ** 2 * marginal[i]
    out[1], out[2], out[3] = mean, variance, joint_entropy
    _of_differences(difference, n, out)
    _of_sums(added, mean, out)
    _of_correlation(p, marginal, mean, out)
    return out


@kernel
def _of_differences(difference: Array, n: int, out: Array) -> None:
    for d in range(n):
        q = difference[d]
        out[4] += d * q
        out[11] += d * d * q
        out[13] += q / (1 + d)
        out[14] += q / (1 + d / n)
        out[15] += q / (1 + d * d)
        out[16] += q / (1 + (d / n) ** 2)
        if d > 0:
            out[17] += q / (d * d)
    for d in range(n):
        out[5] += (d - out[4]) ** 2 * difference[d]
    out[6] = _entropy(difference)
    out[12] = out[4]


@kernel
def _of_sums(added: Array, mean: float, out: Array) -> None:
    for s in range(len(added)):
        q, away = added[s], s + 2 - 2 * mean
        out[7] += (s + 2) * q
        out[20] += away**2 * q
        out[21] += away**3 * q
        out[22] += away**4 * q
    for s in range(len(added)):
        out[8] += (s + 2 - out[7]) ** 2 * added[s]
    out[9] = _entropy(added)


@kernel
def _of_correlation(p: Array, marginal: Array, mean: float, out: Array) -> None:
    """Correlation, and the two measures of information; undefined where there is one level alone."""
    single = _entropy(marginal)
    if single == 0:
        out[18], out[23], out[24] = np.nan, np.nan, np.nan
        return
    out[18] = (out[19] - mean**2) / out[2]
    crossed = 0.0
    for i in range(len(p)):
        for j in range(len(p)):
            if p[i, j] > 0:
                crossed -= p[i, j] * np.log2(marginal[i] * marginal[j])
    out[23] = (out[3] - crossed) / single
    out[24] = np.sqrt(max(0.0, 1 - np.exp(-2 * (2 * single - out[3]))))

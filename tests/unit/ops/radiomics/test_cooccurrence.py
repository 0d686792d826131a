"""Co-occurrence: counts against every pair looked at one by one, features against their definitions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from tests.unit.ops.radiomics.made import levels_of

from isocenter.ops.radiomics import FAMILIES, cooccurrence

NAMES = [entry.name for entry in FAMILIES["glcm"].entries]
EVERY = ("2D", "2.5D", "3D")


def pairs(levels, number, step):
    """Pairs of levels a step apart, both ways, by looking at each voxel."""
    counts = np.zeros((number, number))
    for place in product(*(range(1, n - 1) for n in levels.shape)):
        one, other = levels[place], levels[tuple(np.add(place, step))]
        if one and other:
            counts[one - 1, other - 1] += 1
            counts[other - 1, one - 1] += 1
    return counts


def by_definition(counts):
    """Features as the manual writes them down, for those that are easily mistaken."""
    p = counts / counts.sum()
    i, j = np.indices(p.shape) + 1
    n = len(p)
    mean = (i * p).sum()
    deviation = np.sqrt(((i - mean) ** 2 * p).sum())
    sums = np.array([p[i + j == s].sum() for s in range(2, 2 * n + 1)])
    apart = np.array([p[abs(i - j) == d].sum() for d in range(n)])

    def entropy(q):
        return -(q[q > 0] * np.log2(q[q > 0])).sum()

    crossed = np.outer(p.sum(1), p.sum(0))
    used = p > 0
    return {
        "joint_maximum": p.max(),
        "joint_average": mean,
        "joint_variance": deviation**2,
        "joint_entropy": entropy(p),
        "difference_average": apart @ np.arange(n),
        "difference_variance": apart @ (np.arange(n) - apart @ np.arange(n)) ** 2,
        "difference_entropy": entropy(apart),
        "sum_average": ((i + j) * p).sum(),
        "sum_variance": ((i + j - ((i + j) * p).sum()) ** 2 * p).sum(),
        "sum_entropy": entropy(sums),
        "angular_second_moment": (p**2).sum(),
        "contrast": ((i - j) ** 2 * p).sum(),
        "dissimilarity": (abs(i - j) * p).sum(),
        "inverse_difference": (p / (1 + abs(i - j))).sum(),
        "normalised_inverse_difference": (p / (1 + abs(i - j) / n)).sum(),
        "inverse_difference_moment": (p / (1 + (i - j) ** 2)).sum(),
        "normalised_inverse_difference_moment": (p / (1 + (i - j) ** 2 / n**2)).sum(),
        "inverse_variance": 2 * (p[i < j] / (i - j)[i < j] ** 2).sum(),
        "correlation": ((i - mean) * (j - mean) * p).sum() / deviation**2,
        "autocorrelation": (i * j * p).sum(),
        "cluster_tendency": ((i + j - 2 * mean) ** 2 * p).sum(),
        "cluster_shade": ((i + j - 2 * mean) ** 3 * p).sum(),
        "cluster_prominence": ((i + j - 2 * mean) ** 4 * p).sum(),
        "information_correlation_1": (entropy(p) + (p[used] * np.log2(crossed[used])).sum()) / entropy(p.sum(1)),
        "information_correlation_2": np.sqrt(1 - np.exp(-2 * (entropy(crossed) - entropy(p)))),
    }


def mean_by_definition(matrices):
    rows = [by_definition(matrix) for matrix in matrices if matrix.any()]
    return {name: np.mean([row[name] for row in rows]) for name in NAMES}


@pytest.mark.parametrize("seed", range(3))
def test_every_aggregation_is_as_defined(seed):
    levels, number = levels_of(seed=seed, share=0.9)
    found = cooccurrence.features(levels, number, EVERY)
    half = [s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]
    flat = [s for s in half if s[0] == 0]
    assert (len(half), len(flat)) == (13, 4)
    slices = [np.pad(levels[k : k + 1], ((1, 1), (0, 0), (0, 0))) for k in range(1, levels.shape[0] - 1)]
    by_slice = [[pairs(one, number, step) for step in flat] for one in slices]
    by_step = [pairs(levels, number, step) for step in half]
    expected = {
        "2D, averaged": mean_by_definition([m for row in by_slice for m in row]),
        "2D, slice-merged": mean_by_definition([sum(row) for row in by_slice]),
        "2.5D, direction-merged": mean_by_definition([sum(column) for column in zip(*by_slice, strict=True)]),
        "2.5D, merged": by_definition(sum(m for row in by_slice for m in row)),
        "3D, averaged": mean_by_definition(by_step),
        "3D, merged": by_definition(sum(by_step)),
    }
    assert set(found) == set(expected)
    for aggregation, row in expected.items():
        np.testing.assert_allclose(found[aggregation], [row[name] for name in NAMES], rtol=1e-9, err_msg=aggregation)


def test_what_was_not_asked_for_is_not_counted():
    levels, number = levels_of()
    assert set(cooccurrence.features(levels, number, ("2.5D",))) == {"2.5D, direction-merged", "2.5D, merged"}


def test_voxels_without_neighbours_give_nothing():
    levels = np.zeros((7, 7, 7), np.int32)
    levels[1, 1, 1] = levels[5, 5, 5] = 1
    assert np.isnan(cooccurrence.features(levels, 1, ("3D",))["3D, merged"]).all()

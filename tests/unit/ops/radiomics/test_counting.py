"""Runs, zones, distances and dependences against plain searches, and their shared features against definitions."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, product

import numpy as np
import pytest
from scipy import ndimage
from tests.unit.ops.radiomics.made import levels_of

from isocenter.ops.radiomics import runs, surroundings, zones
from isocenter.ops.radiomics.counting import directions, neighbours

EVERY = ("2D", "2.5D", "3D")


def by_definition(cells, voxels):
    """The features of counts {(level, extent): number}, in the order of the manual."""
    i, j = (np.array([cell[n] for cell in cells], float) for n in (0, 1))
    r = np.array(list(cells.values()), float)
    n, p = r.sum(), r / r.sum()
    rows = np.array([r[i == level].sum() for level in np.unique(i)])
    columns = np.array([r[j == extent].sum() for extent in np.unique(j)])
    emphases = [
        p / j**2,
        p * j**2,
        p / i**2,
        p * i**2,
        p / (i * j) ** 2,
        p * (i / j) ** 2,
        p * (j / i) ** 2,
        p * (i * j) ** 2,
    ]
    return [
        *(part.sum() for part in emphases),
        (rows**2).sum() / n,
        (rows**2).sum() / n**2,
        (columns**2).sum() / n,
        (columns**2).sum() / n**2,
        n / voxels,
        (p * (i - (i * p).sum()) ** 2).sum(),
        (p * (j - (j * p).sum()) ** 2).sum(),
        -(p * np.log2(p)).sum(),
        (p**2).sum(),
    ]  # fmt: skip


def lines(levels, step):
    """Every line of voxels along a step, as lists of levels."""
    for place in product(*(range(n) for n in levels.shape)):
        before = np.subtract(place, step)
        if (before >= 0).all() and (before < levels.shape).all():
            continue
        line, here = [], np.array(place)
        while (here >= 0).all() and (here < levels.shape).all():
            line.append(int(levels[tuple(here)]))
            here = here + step
        yield line


def runs_along(levels, step):
    return Counter((level, len(list(run))) for line in lines(levels, step) for level, run in groupby(line) if level)


def slices_of(levels):
    return [levels[k : k + 1] for k in range(1, levels.shape[0] - 1) if levels[k].any()]


@pytest.mark.parametrize("seed", range(3))
def test_runs_are_as_defined_in_every_aggregation(seed):
    levels, number = levels_of((4, 5, 6), seed=seed, number=3)
    found = runs.features(levels, number, EVERY)
    flat, all_ = directions(2), directions(3)
    parts = slices_of(levels)
    sizes = [np.count_nonzero(part) for part in parts]
    voxels = sum(sizes)
    by_slice = [[runs_along(part, step) for step in flat] for part in parts]
    by_step = [runs_along(levels, step) for step in all_]
    merged = [sum(row, Counter()) for row in by_slice]
    stacked = [sum(column, Counter()) for column in zip(*by_slice, strict=True)]
    single = [by_definition(c, n) for row, n in zip(by_slice, sizes, strict=True) for c in row]
    expected = {
        "2D, averaged": np.mean(single, axis=0),
        "2D, slice-merged": np.mean([by_definition(c, 4 * n) for c, n in zip(merged, sizes, strict=True)], axis=0),
        "2.5D, direction-merged": np.mean([by_definition(c, voxels) for c in stacked], axis=0),
        "2.5D, merged": by_definition(sum(stacked, Counter()), 4 * voxels),
        "3D, averaged": np.mean([by_definition(c, voxels) for c in by_step], axis=0),
        "3D, merged": by_definition(sum(by_step, Counter()), 13 * voxels),
    }
    assert set(found) == set(expected)
    for aggregation, row in expected.items():
        np.testing.assert_allclose(found[aggregation], row[:16], rtol=1e-9, err_msg=aggregation)


def zones_of(levels, mask, *, flat):
    """(level, size, distance, slice) of each zone, by labelling one level after the other."""
    touching = np.ones((3, 3, 3), bool)
    faces = ndimage.generate_binary_structure(3, 1)
    if flat:
        touching[[0, 2]] = faces[[0, 2]] = False
    near, distance = mask, np.zeros(mask.shape, int)
    while near.any():
        distance += near
        near = ndimage.binary_erosion(near, faces)
    found = []
    for level in np.unique(levels[levels > 0]):
        labels, number = ndimage.label(levels == level, touching)
        for label in range(1, number + 1):
            zone = labels == label
            found.append((int(level), int(zone.sum()), int(distance[zone].min()), int(np.argwhere(zone)[0, 0])))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_zones_are_as_defined_in_every_aggregation(seed):
    levels, _ = levels_of((4, 6, 7), seed=seed, number=3, share=0.8)
    mask = np.pad(np.ones((4, 6, 7), bool), 1)  # the shape may be more than the intensities that count
    found = zones.features(levels, mask, EVERY)
    voxels = np.count_nonzero(levels)
    flat, solid = zones_of(levels, mask, flat=True), zones_of(levels, mask, flat=False)
    for family, column in (("glszm", 1), ("gldzm", 2)):
        assert set(found[family]) == set(EVERY)
        per_slice = [
            by_definition(Counter((z[0], z[column]) for z in flat if z[3] == k), np.count_nonzero(levels[k]))
            for k in sorted({z[3] for z in flat})
        ]
        expected = {
            "2D": np.mean(per_slice, axis=0),
            "2.5D": by_definition(Counter((z[0], z[column]) for z in flat), voxels),
            "3D": by_definition(Counter((z[0], z[column]) for z in solid), voxels),
        }
        for aggregation, row in expected.items():
            np.testing.assert_allclose(
                found[family][aggregation], row[:16], rtol=1e-9, err_msg=f"{family} {aggregation}"
            )


def around(levels, place, *, flat):
    """Levels of the neighbours of a voxel that belong to the region."""
    steps = [s for s in product((-1, 0, 1), repeat=3) if any(s) and not (flat and s[0])]
    found = [int(levels[tuple(np.add(place, step))]) for step in steps]
    return [level for level in found if level]


def tones_by_definition(levels, places, *, flat):
    n, s = Counter(), Counter()
    for place in places:
        others = around(levels, place, flat=flat)
        if others:
            level = int(levels[place])
            n[level] += 1
            s[level] += abs(level - np.mean(others))
    total = sum(n.values())
    p = {i: n[i] / total for i in n}
    every = list(product(n, repeat=2))
    coarse = sum(p[i] * s[i] for i in n)
    whole = sum(s.values())
    return [
        1 / coarse,
        sum(p[i] * p[j] * (i - j) ** 2 for i, j in every) / (len(n) * (len(n) - 1)) * whole / total,
        coarse / sum(abs(i * p[i] - j * p[j]) for i, j in every),
        sum(abs(i - j) * (p[i] * s[i] + p[j] * s[j]) / (p[i] + p[j]) for i, j in every) / total,
        sum((p[i] + p[j]) * (i - j) ** 2 for i, j in every) / whole,
    ]


def dependences_by_definition(levels, places, *, flat):
    cells = Counter()
    for place in places:
        level = int(levels[place])
        cells[level, 1 + around(levels, place, flat=flat).count(level)] += 1
    return by_definition(cells, len(places))


@pytest.mark.parametrize("seed", range(3))
def test_surroundings_are_as_defined_in_every_aggregation(seed):
    levels, number = levels_of((3, 6, 7), seed=seed, share=0.8)
    found = surroundings.features(levels, number, EVERY)
    places = [tuple(place) for place in np.argwhere(levels)]
    slices = [[place for place in places if place[0] == k] for k in sorted({place[0] for place in places})]
    for family, define in (("ngtdm", tones_by_definition), ("ngldm", dependences_by_definition)):
        expected = {
            "2D": np.mean([define(levels, part, flat=True) for part in slices], axis=0),
            "2.5D": define(levels, places, flat=True),
            "3D": define(levels, places, flat=False),
        }
        assert set(found[family]) == set(EVERY)
        for aggregation, row in expected.items():
            np.testing.assert_allclose(found[family][aggregation], row, rtol=1e-9, err_msg=f"{family} {aggregation}")


def test_directions_are_one_of_each_opposite_pair():
    for dimensions, number in ((2, 4), (3, 13)):
        steps = {tuple(step) for step in directions(dimensions)}
        assert len(steps) == number
        assert not steps & {tuple(-np.array(step)) for step in steps}
        assert len({tuple(step) for step in neighbours(dimensions)}) == 2 * number

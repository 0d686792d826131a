"""Detection: what is aimed at is what is decoded, on any grid, and every voxel is seen once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isocenter.geometry import Grid
from isocenter.nets.detecting import Detection, aims, detections, outputs_of, peaks, things, tiles
from isocenter.nets.plan import Network, Plan
from isocenter.nets.prepare import Prepared
from isocenter.volume import Volume

PLAN = Plan("detection", ("CT",), ("round", "large"), Network("heatmap", {"stride": [1, 2, 2]}), (16, 32, 32))
GRID = Grid.from_vectors((20, 60, 70), spacing_mm=(3.0, 1.0, 0.8), origin_mm=(5.0, 6.0, 7.0))
CASE = Prepared(np.zeros((1, *GRID.shape), np.float32), GRID, Volume(np.zeros(GRID.shape, np.float32), GRID))


def balls(shape: Any = GRID.shape) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) * GRID.spacing_mm
    for label, middle, radius in ((1, (4, 15, 20), 4.0), (2, (9, 40, 45), 8.0), (1, (15, 50, 12), 5.0)):
        labels[np.linalg.norm(index - np.array(middle) * GRID.spacing_mm, axis=-1) <= radius] = label
    return labels


class Knowing:
    """A network that gives what is aimed at, of the voxels that it is shown."""

    name, device, head = "knowing", "cpu", None

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        labels = batch[0, 0] if self.plan.dimensions == 3 else batch[0]
        values, _ = aims(np.rint(labels).astype(np.uint8), self.plan)
        count = len(self.plan.labels)
        heat = np.clip(values[:count], 1e-4, 0.999)
        return np.concatenate([np.log(heat / (1 - heat)), values[count:]])[None]


def test_what_is_aimed_at_is_found_again_at_its_place_and_of_its_size() -> None:
    labels = balls()
    case = replace(CASE, array=labels[None].astype(np.float32))
    found = detections(case, replace(PLAN, patch=GRID.shape), Knowing(replace(PLAN, patch=GRID.shape)), least=0.5)
    assert sorted(one.name for one in found) == ["large", "round", "round"]
    real = things(labels, 2)
    for thing in real:
        middle = GRID.to_world(thing.middle)
        nearest = min(found, key=lambda one: np.linalg.norm(np.array(one.center_mm) - middle))
        assert nearest.center_mm == pytest.approx(middle, abs=0.01)
        assert nearest.diameter_mm == pytest.approx(2 * {1: 4.5, 2: 8.0}[thing.label], rel=0.25)
        box = nearest.box(GRID, GRID)
        voxels = labels[tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))]
        assert (voxels == thing.label).mean() > 0.4
        assert np.count_nonzero(voxels == thing.label) > 0.8 * np.count_nonzero(labels[thing.box] == thing.label)


def test_tile_by_tile_gives_what_the_whole_gives() -> None:
    """Of a network whose outputs depend on what is near alone."""

    class Near:
        name, device, head = "near", "cpu", None

        def __call__(self, batch: np.ndarray) -> np.ndarray:
            coarse = batch[:, 0, :, ::2, ::2]
            blurred = sum(np.roll(coarse, shift, axis) for axis in (1, 2, 3) for shift in (-1, 0, 1))
            return np.repeat(blurred[:, None], 8, 1)

    rng = np.random.default_rng(0)
    array = rng.normal(size=(1, 41, 90, 66)).astype(np.float32)
    big = replace(PLAN, patch=(41, 90, 66))
    tiled, whole = outputs_of(array, PLAN, Near()), outputs_of(array, big, Near())
    assert tiled.shape == whole.shape == (8, 41, 45, 33)
    inner = (slice(None), slice(1, -1), slice(1, -1), slice(1, -1))
    assert np.allclose(tiled[inner], whole[inner], atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 9, 40), (16, 16, 17), (1, 100, 33), (33, 40, 64)])
def test_every_voxel_is_of_one_tile_that_holds_it(shape: tuple[int, int, int]) -> None:
    tile = (8, 16, 16)
    seen = np.zeros(shape, int)
    for start, kept in tiles(shape, tile):
        seen[tuple(slice(a, z) for a, z in kept)] += 1
        for (a, z), begin, length, size in zip(kept, start, tile, shape, strict=True):
            assert begin <= a < z <= min(begin + length, size)
            assert begin + length <= size or begin == 0
    assert (seen == 1).all()


def test_a_thing_that_leaves_the_patch_is_neither_aimed_at_nor_an_alarm() -> None:
    labels = balls()[4:]  # cut through the first ball
    values, weights = aims(labels, PLAN)
    cut = things(labels, 2)[0]
    assert not cut.is_whole
    k, r, c = (round(one) for one in cut.middle)
    assert (weights[:2, k, r // 2, c // 2] == 0).all()
    assert values[0, k, r // 2, c // 2] == 0
    assert weights[2].sum() == 2
    assert (values[:2] == 1).sum() == 2


def test_an_empty_patch_has_nothing_to_find() -> None:
    values, weights = aims(np.zeros((16, 32, 32), np.uint8), PLAN)
    assert not values.any()
    assert values.shape == (8, 16, 16, 16)
    assert weights[:2].all()
    assert not weights[2].any()
    flat = replace(PLAN, patch=(1, 32, 32), network=Network("heatmap"))
    values, weights = aims(np.zeros((1, 32, 32), np.uint8), flat)
    assert values.shape == (6, 16, 16)
    assert weights.shape == (3, 16, 16)


def test_pictures_are_detected_in_too() -> None:
    plan = replace(PLAN, patch=(1, 60, 70), network=Network("heatmap"), orientation="LPS")
    grid = Grid.from_vectors((1, 60, 70))
    labels = balls((20, 60, 70))[9:10]
    case = Prepared(labels[None].astype(np.float32), grid, Volume(labels.astype(np.float32), grid))
    found = detections(case, plan, Knowing(plan), least=0.5)
    assert [one.name for one in found] == ["large"]
    assert found[0].center_mm == pytest.approx(grid.to_world(things(labels, 2)[0].middle), abs=0.01)
    assert found[0].size_mm[0] == 1


def test_two_peaks_in_one_thing_are_one() -> None:
    plan = replace(PLAN, patch=GRID.shape)
    values, _ = aims(balls(), plan)
    heat = np.full((8, *values.shape[1:]), -9.0, np.float32)
    heat[0, 9, 20, 22], heat[0, 9, 23, 22], heat[0, 9, 5, 5] = 2.0, 1.0, 0.0
    heat[2:5] = np.log(10.0)

    class Given(Knowing):
        def __call__(self, batch: np.ndarray) -> np.ndarray:
            return heat[None]

    found = detections(CASE, plan, Given(plan), least=0.1)
    assert len(found) == 2
    assert found[0].score > found[1].score


def test_a_box_follows_the_axes_of_the_image() -> None:
    one = Detection("round", tuple(GRID.to_world((10, 30, 40))), (6.0, 4.0, 8.0), 0.7, (0.7,))
    assert one.box(GRID, GRID).start == (9, 28, 35)
    assert one.box(GRID, GRID).stop == (12, 33, 46)
    turned = Grid.from_vectors(
        (70, 20, 60), spacing_mm=(0.8, 3.0, 1.0), origin_mm=GRID.origin_mm, direction=GRID.direction[:, [2, 0, 1]]
    )
    box = one.box(turned, GRID)
    assert (box.start, box.stop) == ((35, 9, 28), (46, 12, 33))
    assert box.probability == 0.7
    beyond = Detection("round", tuple(GRID.to_world((0, 0, 0))), (9.0, 9.0, 9.0), 0.7, (0.7,))
    assert beyond.box(GRID, GRID).start == (0, 0, 0)


def test_peaks_are_those_that_no_neighbour_tops() -> None:
    heat = np.zeros((3, 5, 5))
    heat[1, 1, 1], heat[1, 1, 2], heat[2, 4, 4] = 0.5, 0.4, 0.9
    assert peaks(heat, 0.1) == [(2, 4, 4), (1, 1, 1)]

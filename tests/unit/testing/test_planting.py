from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest

from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.testing.planting import Form, Nodule, plant, scattered
from isocenter.volume import Volume

GRID = Grid.from_vectors((30, 80, 80), spacing_mm=(2.0, 0.8, 0.8), origin_mm=(10.0, -5.0, 30.0))


def lung(grid: Grid = GRID, noise: float = 0.0) -> Volume:
    rng = np.random.default_rng(0)
    return Volume((rng.normal(0, noise, grid.shape) - 850).astype(np.float32), grid, modality="CT")


def middle(grid: Grid = GRID) -> tuple[float, float, float]:
    return grid.center_mm


@pytest.mark.parametrize("form", get_args(Form))
def test_a_nodule_has_its_place_its_volume_and_its_density(form: Any) -> None:
    nodule = Nodule(middle(), 14.0, form, seed=3)
    found = plant(lung(), [nodule])
    mask = found.truth.mask()
    volume = np.count_nonzero(mask) * GRID.voxel_volume_mm3
    assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(14.0, rel=0.1)
    assert GRID.to_world(np.argwhere(mask).mean(0)) == pytest.approx(np.array(middle()), abs=1.0)
    k, r, c = np.rint(GRID.to_index(middle())).astype(int)
    assert found.volume.array[k, r, c] == pytest.approx(nodule.density_hu, abs=1)
    assert found.volume.array[0].max() == -850, "what lies far away is as it was"


def test_the_density_that_is_missing_from_the_scan_is_that_of_the_nodule() -> None:
    for grid in (GRID, Grid.from_vectors((14, 90, 60), spacing_mm=(5.0, 0.7, 1.1), direction=_turned())):
        found = plant(lung(grid), [Nodule(middle(grid), 12.0)], blur_mm=1.0)
        total = (found.volume.array + 850.0).sum() * grid.voxel_volume_mm3 / 880
        assert total == pytest.approx(np.pi / 6 * 12**3, rel=0.03)


def _turned() -> np.ndarray:
    angle = 0.4
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    return turn @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], float)


def test_noise_stays_in_a_nodule() -> None:
    found = plant(lung(noise=20.0), [Nodule(middle(), 20.0)])
    k, r, c = np.rint(GRID.to_index(middle())).astype(int)
    inside = found.volume.array[k - 2 : k + 3, r - 5 : r + 6, c - 5 : c + 6]
    assert 10 < inside.std() < 25


def test_vessels_show_through_ground_glass_and_not_through_a_ball() -> None:
    array = np.full(GRID.shape, -850.0, np.float32)
    k, r, c = np.rint(GRID.to_index(middle())).astype(int)
    array[:, r, c] = 50.0
    volume = Volume(array, GRID)
    assert plant(volume, [Nodule(middle(), 15.0, "ground_glass")]).volume.array[k, r, c] == pytest.approx(50, abs=1)
    assert plant(volume, [Nodule(middle(), 15.0, hu=0.0)]).volume.array[k, r, c] < 100


def test_a_thin_slice_with_a_gap_sees_only_what_lies_in_it() -> None:
    grid = Grid.from_vectors((9, 60, 60), spacing_mm=(6.0, 1.0, 1.0))
    nodule = Nodule(tuple(grid.to_world((4.5, 30, 30))), 4.0)  # between two slices, 3 mm from each
    thin, thick = (plant(lung(grid), [nodule], thickness_mm=one, blur_mm=0.3).volume.array for one in (1.0, None))
    assert thin.max() < -800
    assert thick.max() > -750


def test_size_and_border_make_a_nodule_suspicious() -> None:
    assert Nodule(middle(), 12.0).suspicion == 0.5
    assert Nodule(middle(), 9.0, "spiculated").suspicion > 0.5 > Nodule(middle(), 13.0, "ground_glass").suspicion
    labels = {
        n.form: plant(lung(), [n]).truth.array.max()
        for n in (Nodule(middle(), 8.0), Nodule(middle(), 9.0, "spiculated"))
    }
    assert labels == {"sphere": 1, "spiculated": 2}


def lungs_of(volume: Volume, mask: np.ndarray) -> Segmentation:
    return Segmentation.of(mask, volume, [Segment.named("lung")], Algorithm("test", "1"))


def test_nodules_lie_inside_the_lungs_apart_from_vessels_and_each_other() -> None:
    grid = Grid.from_vectors((50, 120, 120), spacing_mm=(2.0, 1.0, 1.0))
    array = np.full(grid.shape, -850.0, np.float32)
    array[:, ::30, ::30] = 40.0
    mask = np.zeros(grid.shape, bool)
    mask[5:-5, 10:-10, 10:-10] = True
    volume = Volume(array, grid)
    nodules = scattered(volume, lungs_of(volume, mask), 8, seed=4, diameters_mm=(4, 12))
    assert nodules == scattered(volume, lungs_of(volume, mask), 8, seed=4, diameters_mm=(4, 12))
    assert nodules != scattered(volume, lungs_of(volume, mask), 8, seed=5, diameters_mm=(4, 12))
    for number, one in enumerate(nodules):
        k, r, c = np.rint(grid.to_index(one.center_mm)).astype(int)
        assert mask[k, r, c]
        assert array[k, r - 1 : r + 2, c - 1 : c + 2].max() < -600
        assert 4 <= one.diameter_mm <= 12
        for other in nodules[:number]:
            assert math.dist(one.center_mm, other.center_mm) > (one.diameter_mm + other.diameter_mm) / 2
    truth = plant(volume, nodules).truth
    assert not (truth.mask() & ~mask)[0].any()


def test_lungs_without_room_are_told() -> None:
    volume = lung()
    with pytest.raises(Refused, match="NO_PLACE_TO_PLANT"):
        scattered(volume, lungs_of(volume, np.zeros(GRID.shape, bool)), 1, seed=0)
    with pytest.raises(Refused, match="have room for"):
        scattered(volume, lungs_of(volume, np.ones(GRID.shape, bool)), 500, seed=0)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="outside the image"):
        plant(lung(), [Nodule((0.0, 0.0, 500.0), 8.0)])
    with pytest.raises(UsageError, match="1 to 60 mm"):
        Nodule(middle(), 0.0)
    with pytest.raises(UsageError, match="sphere"):
        Nodule(middle(), 8.0, "cube")  # type: ignore[arg-type]


def test_whole_numbers_stay_whole_and_the_input_stays_as_it_was() -> None:
    volume = Volume(np.full(GRID.shape, -850, np.int16), GRID)
    found = plant(volume, [Nodule(middle(), 8.0)])
    assert found.volume.array.dtype == np.int16
    assert volume.array.max() == -850

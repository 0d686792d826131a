"""The phantom's truth is the truth."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.geometry import Grid
from isocenter.testing.phantom import ChestOptions, chest_grid, chest_phantom
from isocenter.testing.shapes import Paint, paint

SMALL = chest_grid((60, 90, 90), (5.0, 4.0, 4.0))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (4.0, 0.9, 1.3)])
def test_partial_volume_of_an_ellipsoid_sums_to_its_volume(spacing):
    grid = Grid.from_vectors([round(80 / s) for s in spacing], spacing_mm=spacing)
    x, y, z = grid.center_mm
    values, labels = paint(grid, [Paint(1.0, 3).ellipsoid((x + 0.3, y - 0.2, z), (30, 25, 20))], 0.0)
    exact_ml = 4 / 3 * np.pi * 30 * 25 * 20 / 1000
    assert values.sum() * grid.voxel_volume_ml == pytest.approx(exact_ml, rel=0.006)
    assert np.count_nonzero(labels == 3) * grid.voxel_volume_ml == pytest.approx(exact_ml, rel=0.006)


def test_partial_volume_of_a_tube_sums_to_its_volume():
    grid = Grid.from_vectors((60, 60, 60))
    x, y, z = grid.center_mm
    values, _ = paint(grid, [Paint(1.0, 1).tube((x - 15, y, z), (x + 15, y + 5, z + 5), (8, 8))], 0.0)
    length = np.sqrt(30**2 + 5**2 + 5**2)
    exact_ml = (np.pi * 64 * length + 4 / 3 * np.pi * 512) / 1000
    assert values.sum() * grid.voxel_volume_ml == pytest.approx(exact_ml, rel=0.005)


def test_a_shape_is_painted_only_over_the_labels_it_may():
    grid = Grid.from_vectors((20, 20, 20))
    center = grid.center_mm
    shapes = [Paint(10, 1).ellipsoid(center, (5, 5, 5)), Paint(99, over=(1,)).ellipsoid(center, (9, 9, 9))]
    values, labels = paint(grid, shapes, 0.0)
    assert (values[labels == 1] > 90).mean() > 0.99
    assert values[labels == 0].max() < 10


def test_volumes_do_not_depend_on_the_grid():
    coarse = chest_phantom(SMALL, options=ChestOptions(noise_hu=0))
    other = chest_phantom(chest_grid((200, 120, 120), (1.5, 3.0, 3.0)), options=ChestOptions(noise_hu=0))
    for name in ("lung_right", "lung_left"):
        assert other.truth.volume_ml(name) == pytest.approx(coarse.volumes_ml[name], rel=0.01)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    one, same, other = (chest_phantom(SMALL, seed=seed).volume.array.tobytes() for seed in (3, 3, 4))
    assert one == same != other


def test_the_grid_may_have_any_orientation():
    axial = chest_phantom(SMALL, options=ChestOptions(noise_hu=0))
    other = chest_phantom(SMALL.reorient("LSA"), options=ChestOptions(noise_hu=0))
    order, flips = other.volume.grid.axes_towards("IPL")
    back = np.flip(other.truth.array.transpose(order), flips)
    assert np.array_equal(back, axial.truth.array)


def test_the_left_lung_lies_to_the_left():
    phantom = chest_phantom(SMALL)
    index = np.argwhere(phantom.truth.mask("lung_left")).mean(axis=0)
    assert phantom.volume.grid.to_world(index)[0] > 40

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from isocenter import codes
from isocenter.bridges import to_simpleitk
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.reformat import moved, rotated
from isocenter.volume import Source, Volume

GRID = Grid.from_vectors((9, 12, 14), spacing_mm=(2, 1, 1.2), origin_mm=(5, -3, 8), frame_of_reference_uid="1.2")
VALUES = np.random.default_rng(0).normal(0, 100, GRID.shape).astype(np.float32)
CT = Volume(VALUES, GRID, codes.HU, sources=tuple(Source(f"1.{k}") for k in range(9)))


@pytest.mark.parametrize(("degrees", "axis"), [(20, (0, 0, 1)), (-35, (1, 2, -0.5))])
def test_turning_is_that_of_simpleitk_the_other_way_round(degrees, axis):
    back = sitk.VersorTransform(np.asarray(axis, float).tolist(), -np.deg2rad(degrees))
    back.SetCenter(GRID.center_mm)
    image = to_simpleitk(CT)
    theirs = sitk.GetArrayFromImage(sitk.Resample(image, image, back, sitk.sitkLinear, -1024.0))
    np.testing.assert_allclose(rotated(CT, degrees, axis=axis).array, theirs, atol=1e-2)


def test_a_quarter_turn_about_the_head_takes_left_to_back_and_copies_every_value():
    cube = Volume(np.arange(27, dtype=np.int16).reshape(3, 3, 3), Grid.from_vectors((3, 3, 3)), codes.HU)
    turned = rotated(cube, 90)  # x, to the left, becomes y, to the back
    np.testing.assert_array_equal(turned.array, np.rot90(cube.array, -1, axes=(1, 2)))
    grid = cube.grid
    left, back = (grid.to_index(np.array(grid.center_mm) + step).round().astype(int) for step in ((1, 0, 0), (0, 1, 0)))
    assert turned.array[tuple(back)] == cube.array[tuple(left)]


def test_a_move_carries_each_point_along():
    affine = np.eye(4)
    affine[:3, 3] = 3, -2, 4
    shifted = moved(CT, affine)
    np.testing.assert_allclose(shifted.array[0, 0, 0], -1024)
    point = np.array(GRID.to_world((3, 5, 6)))
    target = GRID.to_index(point + np.array([3, -2, 4]))
    one = moved(CT, affine, grid=Grid((1, 1, 1), np.array(GRID.window(target.tolist(), (1, 1, 1)).affine)))
    assert one.array.item() == pytest.approx(VALUES[3, 5, 6], abs=1e-2)


def test_what_was_moved_lies_in_no_known_frame_and_has_no_sources():
    turned = rotated(CT, 10, interpolation="cubic")
    assert turned.grid.frame_of_reference_uid is None
    assert turned.sources == ()
    assert moved(CT, np.eye(4), grid=GRID).grid == GRID


def test_labels_stay_labels():
    labels = Segmentation(((VALUES > 50).astype(np.uint8) * 7,), GRID, (Segment.named("a", 7),), Algorithm("test", "1"))
    assert set(np.unique(rotated(labels, 33, axis=(1, 1, 1)).array)) == {0, 7}


def test_what_is_no_move_is_refused():
    for affine in (np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan)):
        with pytest.raises(UsageError, match="invertible"):
            moved(CT, affine)
    with pytest.raises(UsageError, match="Expected numbers"):
        moved(CT, "left")
    with pytest.raises(UsageError, match="finite"):
        rotated(CT, np.inf)
    with pytest.raises(UsageError, match="direction"):
        rotated(CT, 5, axis=(0, 0, 0))
    with pytest.raises(UsageError, match="outside=VALUE"):
        rotated(Volume(VALUES, GRID), 5)

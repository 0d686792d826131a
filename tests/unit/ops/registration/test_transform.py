from dataclasses import replace

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.registration import Transform
from isocenter.ops.registration.quality import Quality, reasons_of
from isocenter.ops.registration.transform import displacement_on
from isocenter.reasons import Reason
from isocenter.volume import Source, Volume

from .phantoms import centred, matrix, moved_by, painted

FIXED = centred(uid="1.1")
MOVING = centred((30, 44, 50), (3.1, 2.4, 2.2), "2.2", turn_degrees=(4, -3, 10), flips=(0,))
AFFINE = matrix((5, -4, 12), (8, -6, 4))
TURN = Transform(AFFINE, FIXED, MOVING)


def waves(grid, millimetres=4.0):
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return displacement_on(grid, millimetres * np.sin(points[..., [1, 2, 0]] / 20))


BENT = Transform(AFFINE, FIXED, MOVING, waves(FIXED.pad((4, 4, 4), (4, 4, 4))))


def test_a_point_of_the_fixed_world_leads_to_its_place_in_the_moving_world():
    shift = Transform(matrix(shift_mm=(10, 0, 0)), FIXED, MOVING)
    np.testing.assert_array_equal(shift.points((1, 2, 3)), (11, 2, 3))
    assert shift.points(np.zeros((2, 5, 3))).shape == (2, 5, 3)


def test_the_moving_image_is_brought_onto_the_fixed_one_with_unit_reasons_and_frame():
    moving = painted(MOVING, moved_by(AFFINE), noise_hu=0)
    moving = replace(moving, reasons=(Reason("SPLIT", "Two."),), sources=(Source("1.2"),) * 30)
    said = TURN.with_reasons([Reason("FOLDED", "It folds.")])
    brought = said.apply(moving)
    fixed = painted(FIXED, noise_hu=0)
    assert (brought.grid, brought.unit, brought.modality, brought.array.dtype) == (FIXED, codes.HU, "CT", np.int16)
    assert [reason.code for reason in brought.reasons] == ["SPLIT", "FOLDED"]
    assert brought.sources == ()
    inner = (slice(4, -4),) * 3
    assert np.abs(brought.array[inner].astype(float) - fixed.array[inner]).mean() < 12


def test_a_shift_by_whole_voxels_copies_every_value():
    fixed = painted(centred(uid=None))
    shift = 3 * fixed.grid.affine[:3, 1]
    transform = Transform(matrix(shift_mm=shift), fixed.grid, replace(fixed.grid, frame_of_reference_uid="2.2"))
    brought = transform.apply(fixed)
    np.testing.assert_array_equal(brought.array[:, :-3], fixed.array[:, 3:])
    assert (brought.array[:, -3:] == -1024).all()


def test_masks_take_the_nearest_voxel_and_points_agree_with_images():
    lesion = np.zeros(MOVING.shape, np.uint8)
    lesion[14:17, 20:24, 30:35] = 2
    found = Segmentation((lesion,), MOVING, (Segment("lesion", 2, "Lesion", codes.TISSUE),), Algorithm("t", "1"))
    for transform in (TURN, BENT):
        brought = transform.apply(found)
        assert set(np.unique(brought.array)) == {0, 2}
        places = transform.points(brought.grid.to_world(np.argwhere(brought.array == 2)))
        middle = MOVING.to_world(np.argwhere(lesion).mean(axis=0))
        assert np.linalg.norm(places.mean(axis=0) - middle) < 1.5  # half a voxel
        assert brought.volume_ml("lesion") == pytest.approx(found.volume_ml("lesion"), rel=0.25)


def test_a_displacement_moves_an_image_as_it_moves_points():
    grid = centred((24, 30, 36), (3.5, 3, 3), "2.2")
    x, y, z = np.moveaxis(grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0)
    ramp = Volume((2 * x - y + 3 * z).astype(np.float32), grid)
    transform = Transform(matrix(shift_mm=(2, 1, -1)), FIXED, grid, waves(FIXED))
    brought = transform.apply(ramp, outside=np.nan)
    at = FIXED.to_world(np.argwhere(np.isfinite(brought.array)))
    there = transform.points(at)
    inside = (np.abs(grid.to_index(there) - (np.array(grid.shape) - 1) / 2) < (np.array(grid.shape) - 1) / 2).all(
        axis=1
    )
    assert inside.sum() > 1000
    np.testing.assert_allclose(
        brought.array[np.isfinite(brought.array)][inside], (there @ (2, -1, 3))[inside], atol=0.01
    )


def test_further_axes_are_brought_over_one_by_one():
    moving = painted(MOVING, moved_by(AFFINE))
    two = replace(moving, array=np.stack([moving.array, moving.array + 7], -1), axes=("time",))
    for transform in (TURN, BENT):
        brought = transform.apply(two)
        assert brought.shape == (*FIXED.shape, 2)
        np.testing.assert_array_equal(brought.array[..., 0], transform.apply(moving).array)


def test_it_cannot_be_applied_the_wrong_way_round():
    with pytest.raises(UsageError, match="inverse"):
        TURN.apply(painted(FIXED))
    with pytest.raises(UsageError, match="frame of reference"):
        TURN.apply(painted(centred(uid="3.3")))
    with pytest.raises(UsageError, match="fixed image"):
        TURN.apply(painted(MOVING), onto=MOVING)
    nameless = Transform(
        AFFINE, replace(FIXED, frame_of_reference_uid=None), replace(MOVING, frame_of_reference_uid=None)
    )
    with pytest.raises(UsageError, match="grid of the fixed one"):
        nameless.apply(painted(nameless.fixed))
    assert nameless.inverse().apply(painted(nameless.fixed)).grid == nameless.moving


def test_what_lies_outside_must_be_said_where_no_unit_says_it():
    mr = replace(painted(MOVING), unit=codes.ONE)
    far = FIXED.pad((9, 9, 9), (9, 9, 9))
    for transform in (TURN, BENT):
        with pytest.raises(UsageError, match="outside=VALUE"):
            transform.apply(mr, onto=far)
        assert transform.apply(mr, onto=far, outside=-7).array[0, 0, 0] == -7
        assert transform.apply(painted(MOVING), onto=far).array[0, 0, 0] == -1024
        inner = FIXED.crop((14, 18, 22), (18, 22, 26))
        assert transform.apply(mr, onto=inner).shape == (4, 4, 4)
        with pytest.raises(UsageError, match="cannot hold"):
            transform.apply(mr, onto=far, outside=0.5)
    label = Segmentation((np.ones(MOVING.shape, np.uint8),), MOVING, (), Algorithm("t", "1"))
    with pytest.raises(UsageError, match="background"):
        BENT.apply(label, outside=3)


def test_the_inverse_of_a_bent_transform_leads_back():
    points = np.random.default_rng(0).uniform(-30, 30, (200, 3))
    np.testing.assert_allclose(BENT.inverse().points(BENT.points(points)), points, atol=0.15)
    np.testing.assert_allclose(BENT.points(BENT.inverse().points(points)), points, atol=0.15)
    assert BENT.inverse().fixed == MOVING


def test_two_bent_transforms_become_one():
    end = centred(uid="3.3")
    second = Transform(matrix((0, 6, -3), (3, 4, 0)), MOVING, end, waves(MOVING.pad((9, 9, 9), (9, 9, 9)), 3))
    both = BENT.then(second)
    points = np.random.default_rng(0).uniform(-30, 30, (200, 3))
    np.testing.assert_allclose(both.points(points), second.points(BENT.points(points)), atol=0.1)
    assert (both.fixed, both.moving) == (FIXED, end)
    with pytest.raises(UsageError, match="does not begin"):
        second.then(second)


def test_the_jacobian_tells_growth_and_folds():
    grown = Transform(matrix(linear=1.1 * np.eye(3)), FIXED, MOVING).jacobian()
    np.testing.assert_allclose(grown.array, 1.1**3, rtol=1e-6)
    points = FIXED.to_world(np.moveaxis(np.indices(FIXED.shape), 0, -1))
    shrunk = Transform(np.eye(4), FIXED, MOVING, displacement_on(FIXED, points * (-0.2, 0, 0.5))).jacobian()
    np.testing.assert_allclose(shrunk.array, 0.8 * 1.5, rtol=1e-4)
    folded = Transform(np.eye(4), FIXED, MOVING, displacement_on(FIXED, points * (-2, 0, 0)))
    assert (folded.jacobian().array < 0).all()


def test_a_fold_is_a_reason():
    quality = Quality("ncc", 0.5, 0.1, 1, 1, 1, 1, 2, 3, 0.1, 0.02, -0.5, 2)
    assert [reason.code for reason in reasons_of(quality, TURN, "one kind")] == ["FOLDED"]


def test_what_is_no_transform_is_refused():
    for affine, words in (
        (np.diag([0, 0, 0, 1]), "invertible"),
        (np.eye(3), "4, 4"),
        (np.full((4, 4), np.nan), "finite"),
    ):
        with pytest.raises(UsageError, match=words):
            Transform(affine, FIXED, MOVING)
    with pytest.raises(UsageError, match="vector"):
        Transform(np.eye(4), FIXED, MOVING, painted(FIXED))
    bad = waves(FIXED)
    with pytest.raises(UsageError, match="finite"):
        Transform(np.eye(4), FIXED, MOVING, bad.with_array(bad.array * np.nan))
    with pytest.raises(UsageError, match="another frame"):
        Transform(np.eye(4), FIXED, MOVING, waves(MOVING))
    with pytest.raises(UsageError, match="Points"):
        TURN.points((1, 2))
    with pytest.raises(UsageError, match="Volume"):
        TURN.apply(np.zeros((3, 3, 3)))
    with pytest.raises(UsageError, match="Grid"):
        TURN.apply(painted(MOVING), onto=painted(FIXED))
    assert isinstance(FIXED, Grid)

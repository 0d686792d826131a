from dataclasses import replace

import numpy as np
import pytest

from isocenter.errors import InputError, Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.kernels import threads
from isocenter.ops import registration as reg
from isocenter.reasons import Verdict

from .phantoms import GRID, centred, in_the_body, matrix, moved_by, painted

FIXED = painted(centred())
POINTS = in_the_body()


def missed_mm(transform, affine):
    """How far the body's points are from where they are."""
    there = POINTS @ affine[:3, :3].T + affine[:3, 3]
    return np.linalg.norm(transform.points(POINTS) - there, axis=1)


def masked(grid, mask, name="part"):
    return Segmentation((mask.astype(np.uint8),), grid, (Segment.named(name),), Algorithm("test", "1"))


def codes_of(found):
    return {reason.code for reason in found.reasons}


AFFINE = np.array([[1.05, 0.04, 0], [0, 0.96, 0], [0.03, 0, 1]])


@pytest.mark.parametrize(
    ("kind", "linear", "metric"),
    [
        ("rigid", np.eye(3), "auto"),
        ("rigid", np.eye(3), "ncc"),
        ("rigid", np.eye(3), "msd"),
        ("similarity", 1.06 * np.eye(3), "auto"),
        ("affine", AFFINE, "auto"),
    ],
)
def test_a_planted_move_is_found_on_an_oblique_flipped_grid_of_other_spacing(kind, linear, metric):
    affine = matrix((6, -5, 9), (11, -7, 6), linear)
    grid = centred((30, 48, 44), (3.4, 2.2, 2.6), "2.2", turn_degrees=(5, 4, -7), flips=(0, 2))
    found = reg.register(FIXED, painted(grid, moved_by(affine), seed=1), kind=kind, metric=metric)
    assert missed_mm(found.transform, affine).mean() < 0.6  # a fifth of a voxel
    assert missed_mm(found.transform, affine).max() < 1.5
    assert found.verdict is Verdict.OK
    assert found.quality.after < found.quality.before
    assert found.quality.inconsistency_mm < 2


def test_a_lesion_on_the_left_stays_on_the_left():
    affine = matrix((0, 0, 8), (20, 5, -6))
    moving = painted(centred(uid="2.2", flips=(1, 2)), moved_by(affine), seed=1)
    found = reg.register(FIXED, moving)
    lesion = np.array([24.0, -14, 10])  # +x is left
    there = found.transform.points(lesion)
    np.testing.assert_allclose(there, affine[:3, :3] @ lesion + affine[:3, 3], atol=0.7)
    brought = found.transform.apply(moving)
    assert brought.grid == FIXED.grid
    inside = np.abs(FIXED.array) < 900
    assert np.abs(brought.array[inside] - FIXED.array[inside].astype(float)).mean() < 40


def test_images_of_two_kinds_are_registered_by_their_mutual_information():
    affine = matrix((4, 3, -7), (9, 5, -8))
    moving = painted(centred(uid="2.2"), moved_by(affine), seed=1, values=lambda hu: 800 - np.abs(hu + 350))
    found = reg.register(FIXED, replace(moving, modality="MR"))
    assert found.quality.metric == "mattes"
    assert missed_mm(found.transform, affine).mean() < 0.7
    assert found.verdict is Verdict.OK


@pytest.mark.parametrize("start", ["moments", "geometry", "world"])
def test_every_start_leads_there(start):
    affine = matrix((5, 0, 4), (6, -5, 4))
    found = reg.register(FIXED, painted(centred(uid="2.2"), moved_by(affine)), start=start)
    assert missed_mm(found.transform, affine).mean() < 0.5


def test_a_transform_to_begin_with_is_taken_as_it_is():
    affine = matrix((0, 0, 65), (0, 90, 0))
    moving = painted(centred(uid="2.2"), moved_by(affine))
    begin = reg.Transform(matrix((2, 0, 62), (3, 88, 1)), FIXED.grid, moving.grid)
    moving = painted(Grid(GRID.shape, affine @ FIXED.grid.affine, "2.2"), moved_by(affine))
    found = reg.register(FIXED, moving, start=begin)
    assert missed_mm(found.transform, affine).mean() < 0.5


def test_the_same_images_give_the_same_transform_on_one_thread_and_on_several(monkeypatch):
    moving = painted(centred(uid="2.2"), moved_by(matrix((3, 0, 5), (5, 0, 2))))
    found = [reg.register(FIXED, moving, kind="diffeomorphic")]
    monkeypatch.setattr("isocenter.kernels.threads", lambda: 1 if threads() > 1 else 2)
    found.append(reg.register(FIXED, moving, kind="diffeomorphic"))
    one, other = (each.transform for each in found)
    np.testing.assert_array_equal(one.affine, other.affine)
    np.testing.assert_array_equal(one.displacement.array, other.displacement.array)


@pytest.mark.parametrize("kind", ["bspline", "diffeomorphic"])
def test_a_planted_smooth_warp_is_found_without_folding(kind):
    def bend(points):
        return points + 5 * np.sin(points[..., [1, 2, 0]] / 24)

    moving = painted(centred((38, 48, 54), (2.6, 2.2, 2.3), "2.2"), bend, seed=1)
    found = reg.register(FIXED, moving, kind=kind)
    there = found.transform.points(POINTS)
    before = np.linalg.norm(bend(POINTS) - POINTS, axis=1)
    missed = np.linalg.norm(bend(there) - POINTS, axis=1)  # bend leads back from the moving to the fixed image
    assert before.mean() > 4
    assert missed.mean() < 1.5
    assert found.quality.folded == 0
    back = found.transform.inverse().points(there)
    assert np.linalg.norm(back - POINTS, axis=1).max() < 0.3


def test_masks_choose_what_is_compared():
    affine = matrix((0, 0, 0), (8, 0, 0))
    moving = painted(centred(uid="2.2"), moved_by(affine))
    spoilt = moving.array.copy()
    spoilt[:, :, :16] = 1000  # a wall that does not move with the body
    half = np.zeros(FIXED.shape, bool)
    half[:, :, 20:] = True
    settings = reg.Settings(fixed_mask=masked(FIXED.grid, half), moving_mask=masked(moving.grid, spoilt < 1000))
    found = reg.register(FIXED, moving.with_array(spoilt), settings=settings)
    inside = POINTS[:, 0] > 5 if FIXED.grid.direction[0, 2] > 0 else POINTS[:, 0] < -5
    assert missed_mm(found.transform, affine)[inside].mean() < 0.7


def test_two_different_bodies_are_held():
    other = painted(centred(uid="2.2"), lambda x: x[..., [1, 2, 0]] * (1.1, 0.8, 0.9), seed=3)
    other = other.with_array(np.where(other.array > -500, -other.array // 2 + 40, other.array))
    found = reg.register(FIXED, other)
    assert "REGISTRATION_FAILED" in codes_of(found)
    assert found.verdict is Verdict.HELD
    assert "REGISTRATION_FAILED" in codes_of(found.transform.apply(other))


def test_a_body_that_grows_too_much_is_doubted():
    moving = painted(centred((40, 52, 60), uid="2.2"), moved_by(matrix(linear=1.2 * np.eye(3))))
    assert "REGISTRATION_DOUBTFUL" in codes_of(reg.register(FIXED, moving, kind="affine"))


def test_a_small_piece_says_that_it_overlaps_little():
    moving = painted(Grid(GRID.shape, centred().affine, "2.2").crop((0, 4, 4), (11, 36, 44)))
    found = reg.register(FIXED, moving, start="world")
    assert "LITTLE_OVERLAP" in codes_of(found)
    assert found.quality.covered < 0.4


def test_images_of_one_frame_that_are_moved_against_it_say_so():
    moving = painted(centred(), moved_by(matrix(shift_mm=(9, 0, 0))))
    assert codes_of(reg.register(FIXED, moving)) == {"MOVED_AGAINST_FRAME"}
    assert codes_of(reg.register(FIXED, painted(centred(), seed=2))) == set()


def test_an_image_that_is_constant_is_refused():
    flat = FIXED.with_array(np.zeros(FIXED.shape, np.int16))
    for pair in ((FIXED, flat), (flat, FIXED)):
        with pytest.raises(Refused, match="NOTHING_TO_REGISTER"):
            reg.register(*pair)


def test_images_that_do_not_overlap_at_the_start_are_refused():
    moving = painted(centred(uid="2.2"))
    far = reg.Transform(matrix(shift_mm=(900, 0, 0)), FIXED.grid, moving.grid)
    with pytest.raises(Refused, match="overlap too little"):
        reg.register(FIXED, moving, start=far)


def test_nan_is_refused_and_an_empty_mask_too():
    broken = FIXED.array.astype(np.float32)
    broken[3, 4, 5] = np.nan
    with pytest.raises(InputError, match="NaN"):
        reg.register(FIXED, FIXED.with_array(broken))
    with pytest.raises(InputError, match="mask is empty"):
        reg.register(FIXED, FIXED, settings=reg.Settings(fixed_mask=masked(FIXED.grid, np.zeros(FIXED.shape))))


def test_wrong_calls_say_what_is_wrong():
    sheared = FIXED.grid.affine.copy()
    sheared[:3, 0] += sheared[:3, 1] * 0.3
    plane = Grid(FIXED.shape, FIXED.grid.affine, space=Space.PLANE)
    four = replace(FIXED, array=np.stack([FIXED.array] * 2, -1), axes=("time",))
    thin = FIXED.on(FIXED.grid.crop((0, 0, 0), (1, 40, 48)), FIXED.array[:1])
    bent = reg.register(FIXED, FIXED, kind="bspline", settings=reg.Settings(knots_mm=60)).transform
    for wrong, options, words in (
        (four, {}, "time"),
        (thin, {}, "4 voxels along each axis"),
        (FIXED.on(Grid(FIXED.shape, sheared), FIXED.array), {}, "sheared"),
        (FIXED.on(plane, FIXED.array), {}, "plane"),
        (FIXED, {"kind": "stretchy"}, "rigid"),
        (FIXED, {"metric": "nmi"}, "mattes"),
        (FIXED, {"start": "principal"}, "moments"),
        (FIXED, {"kind": "diffeomorphic", "metric": "mattes"}, "bspline"),
        (FIXED, {"start": bent}, "without displacement"),
        (FIXED, {"start": reg.Transform(np.eye(4), centred(uid="7"), FIXED.grid)}, "frames of reference"),
    ):
        with pytest.raises(UsageError, match=words):
            reg.register(FIXED, wrong, **options)
    with pytest.raises(UsageError, match="Volume"):
        reg.register("ct", FIXED)
    with pytest.raises(UsageError, match="positive"):
        reg.Settings(knots_mm=0)
    with pytest.raises(UsageError, match="complex"):
        reg.register(FIXED, FIXED.with_array(FIXED.array.astype(complex)))


def test_inputs_are_never_changed_and_any_number_type_is_taken():
    moving = painted(centred(uid="2.2"), moved_by(matrix(shift_mm=(4, 0, 0))))
    copy = moving.array.copy()
    for dtype in (np.float64, np.int32):
        found = reg.register(FIXED, moving.with_array(moving.array.astype(dtype)))
        assert missed_mm(found.transform, matrix(shift_mm=(4, 0, 0))).mean() < 0.3
    np.testing.assert_array_equal(moving.array, copy)

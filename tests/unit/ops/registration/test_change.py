from dataclasses import replace

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.ops.registration import Transform, by_frame, change, register

from .phantoms import centred, matrix, moved_by, painted

BEFORE = painted(centred())
AFFINE = matrix((0, 0, 6), (7, -4, 3))


def ball(grid, center, radius, name="lesion"):
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    mask = (((points - center) ** 2).sum(axis=-1) < radius**2).astype(np.uint8)
    return Segmentation((mask,), grid, (Segment.named(name),), Algorithm("t", "1"))


LESION = ball(BEFORE.grid, (24, -14, 10), 9)


def values_of(found):
    return {one.name: one.value for one in found.measurements}


def test_a_lesion_that_shrank_and_grew_less_dense_is_measured():
    after = painted(centred(uid="2.2"), moved_by(AFFINE))
    smaller = ball(after.grid, AFFINE[:3, :3] @ (24, -14, 10) + AFFINE[:3, 3], 9 * 0.5 ** (1 / 3))
    after = after.with_array(np.where(smaller.array > 0, after.array - 50, after.array))
    got = values_of(change(BEFORE, LESION, after, smaller))
    assert got["volume_change"] == pytest.approx(-50, abs=8)
    assert got["mean_change"] == pytest.approx(got["mean_after"] - got["mean_before"])
    assert got["volume_before"] == pytest.approx(4 / 3 * np.pi * 9**3 / 1000, rel=0.1)


def test_structures_are_brought_over_by_a_registration_whose_reasons_come_along():
    after = painted(centred((36, 44, 46), (2.7, 2.4, 2.6), "2.2"), moved_by(AFFINE), seed=1)
    transform = register(after, BEFORE).transform
    found = change(BEFORE, LESION, after, transform)
    assert found.after.grid == after.grid
    got = values_of(found)
    assert got["volume_change"] == pytest.approx(0, abs=16)  # counted in 160 voxels
    assert got["mean_change"] == pytest.approx(0, abs=40)
    places = after.grid.to_world(np.argwhere(found.after.mask("lesion"))).mean(axis=0)
    np.testing.assert_allclose(places, AFFINE[:3, :3] @ (24, -14, 10) + AFFINE[:3, 3], atol=1.2)
    with pytest.raises(UsageError, match=r"register\(after, before\)"):
        change(BEFORE, LESION, after, transform.inverse())


def test_an_empty_structure_has_no_density_and_no_percent():
    empty = LESION.only("lesion")
    empty = replace(empty, layers=(np.zeros_like(empty.array),))
    assert values_of(change(BEFORE, empty, BEFORE, LESION)).keys() == {"volume_before", "volume_after", "mean_after"}
    assert values_of(change(BEFORE, LESION, BEFORE, empty))["volume_change"] == pytest.approx(-100)


def test_scans_that_cannot_be_compared_are_refused():
    with pytest.raises(UsageError, match="units"):
        change(BEFORE, LESION, replace(BEFORE, unit=codes.ONE), LESION)
    with pytest.raises(UsageError, match="names"):
        change(BEFORE, LESION, BEFORE, ball(BEFORE.grid, (0, 0, 0), 9, "other"))
    with pytest.raises(UsageError, match="Transform"):
        change(BEFORE, LESION, BEFORE, np.eye(4))


def test_images_of_one_frame_are_laid_over_each_other_and_others_are_not():
    pet = replace(painted(centred((20, 20, 24), (5, 5, 5))), unit=codes.ONE, modality="PT")
    fused = by_frame(BEFORE, pet).apply(pet, outside=0)
    assert fused.grid == BEFORE.grid
    assert [reason.code for reason in fused.reasons] == ["ALIGNED_BY_FRAME"]
    for uid, words in (("2.2", "register them"), (None, "unknown")):
        with pytest.raises(UsageError, match=words):
            by_frame(BEFORE, replace(pet, grid=replace(pet.grid, frame_of_reference_uid=uid)))
    assert isinstance(by_frame(BEFORE, BEFORE), Transform)

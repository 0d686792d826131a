"""Thresholds, region growing, watersheds and refinement on images whose truth is known."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from isocenter import codes
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Grid
from isocenter.ops import masks
from isocenter.volume import Volume

GRID = Grid.from_vectors((24, 50, 40), spacing_mm=(2.5, 0.8, 1.1), origin_mm=(10, -20, 30))
POINTS = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1)) - GRID.center_mm


def ball(radius, *, at=(0, 0, 0)):
    return ((POINTS - at) ** 2).sum(axis=-1) <= radius**2


NOISE = np.random.default_rng(7).normal(0, 25, GRID.shape)
CT = Volume((np.where(ball(15), 60, -60) + NOISE).astype(np.int16), GRID, codes.HU)
TRUTH = masks.of(ball(15), CT, name="ball")


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_otsu_finds_the_same_level_in_every_type(dtype):
    found = masks.otsu(CT.with_array(CT.array.astype(dtype)))
    assert masks.dice(found, masks.otsu(CT))["otsu"] == 1.0
    assert masks.dice(masks.largest(masks.opened(found, 2)), TRUTH)["otsu"] > 0.97


def test_a_threshold_takes_its_limits_in():
    found = masks.threshold(CT, -10, 20)
    np.testing.assert_array_equal(found.mask("threshold"), (CT.array >= -10) & (CT.array <= 20))
    assert dict(found.algorithm.settings) == {"low": -10.0, "high": 20.0}
    for low, high in ((-10.5, 20.5), (-1e9, 1e9), (40000, 50000), (-np.inf, -33000.5), (3.2, 3.8)):
        for array in (CT.array, CT.array.astype(np.float32), (CT.array & 255).astype(np.uint8)):
            mask = masks.threshold(CT.with_array(array), low, high).mask("threshold")
            np.testing.assert_array_equal(mask, (array.astype(float) >= low) & (array.astype(float) <= high))


def test_levels_are_found_and_segments_drawn_inside_a_mask_alone():
    bright = CT.with_array(np.where(POINTS[..., 0] > 15, 3000, CT.array).astype(np.int16))
    inside = masks.of(POINTS[..., 0] < 10, CT)
    found = masks.otsu(bright, inside=inside)
    assert abs(dict(found.algorithm.settings)["level"]) < 20
    assert not found.mask("otsu")[POINTS[..., 0] >= 10].any()
    classes = masks.multi_otsu(bright, inside=inside)
    np.testing.assert_array_equal(classes.array > 0, inside.mask("mask"))


def test_values_that_are_no_numbers_are_in_no_segment_and_are_counted():
    holed = CT.array.astype(np.float32)
    holed[3, 4, 5], holed[0, 0, 0], holed[1, 1, 1] = np.nan, np.inf, -np.inf
    volume = CT.with_array(holed)
    for found in (masks.otsu(volume), masks.kmeans(volume), masks.threshold(volume, -5)):
        assert found.array[3, 4, 5] == found.array[0, 0, 0] == found.array[1, 1, 1] == 0
        assert [reason.code for reason in found.reasons] == ["NO_NUMBER_LEFT_OUT"]
        assert "3 voxels" in found.reasons[0].message
    assert masks.threshold(CT, -5).reasons == ()
    assert abs(dict(masks.otsu(volume).algorithm.settings)["level"]) < 20


def test_an_image_of_one_value_is_refused():
    for flat in (np.full(GRID.shape, 7, np.int16), np.full(GRID.shape, np.nan)):
        for made in (masks.otsu, masks.li, masks.multi_otsu):
            with pytest.raises(Refused) as refused:
                made(CT.with_array(flat))
            assert refused.value.reasons[0].code == "NOTHING_TO_PART"
    with pytest.raises(Refused, match="0 different values"):
        masks.otsu(CT, inside=masks.of(np.zeros(GRID.shape, bool), CT))
    with pytest.raises(Refused, match="2 different values cannot make 3 classes"):
        masks.kmeans(CT.with_array(ball(5).astype(np.int16)))


def test_more_values_than_bins_are_counted_in_bins():
    wide = CT.with_array(CT.array.astype(np.int32) * 5000)
    level = dict(masks.otsu(wide).algorithm.settings)["level"]
    assert abs(level / 5000 - dict(masks.otsu(CT).algorithm.settings)["level"]) < 1


def test_growing_takes_seeds_in_the_world():
    center = GRID.center_mm
    found = masks.largest(masks.connected_threshold(CT, center, low=0, name="region"))
    assert masks.dice(masks.closed(found, 2), TRUTH)["region"] > 0.97
    for wrong in ((0, 0, 0), [[*center], [1e4, 0, 0]]):
        with pytest.raises(UsageError, match="outside the image"):
            masks.connected_threshold(CT, wrong, low=0)
    for wrong in ([], (1, 2), np.zeros((2, 2, 3))):
        with pytest.raises(UsageError, match="points"):
            masks.connected_threshold(CT, wrong, low=0)


def test_a_seed_that_nothing_grows_from_is_told():
    inside, outside = GRID.center_mm, GRID.to_world((0, 0, 0))
    limits = {"low": 0, "high": 200, "inside": TRUTH}
    found = masks.connected_threshold(CT, [inside, outside], **limits)
    assert [(reason.code, reason.message) for reason in found.reasons] == [
        ("SEED_OUTSIDE_LIMITS", "Nothing grew from 1 of 2 seeds.")
    ]
    assert found.array.any()
    assert masks.connected_threshold(CT, inside, **limits).reasons == ()
    nothing = masks.connected_threshold(CT, inside, low=5000)
    assert not nothing.array.any()
    assert nothing.reasons[0].message == "Nothing grew from 1 of 1 seed."


def test_infinite_values_are_never_grown_into():
    holed = CT.array.astype(np.float32)
    holed[12, 25, 21], holed[12, 25, 19] = np.inf, -np.inf
    found = masks.connected_threshold(CT.with_array(holed), GRID.to_world((12, 25, 20)))
    np.testing.assert_array_equal(found.mask("region"), np.isfinite(holed))


def test_confidence_connected_is_that_of_itk():
    volume = CT.with_array(CT.array.astype(np.float32))
    seeds = np.array([[12, 25, 20], [10, 22, 18]])
    found = masks.confidence_connected(volume, GRID.to_world(seeds), deviations=2.0, iterations=3)
    places = [tuple(map(int, seed[::-1])) for seed in seeds]
    theirs = sitk.ConfidenceConnected(sitk.GetImageFromArray(volume.array.copy()), places, 3, 2.0, 1, 1)
    agreement = found.array == sitk.GetArrayFromImage(theirs)
    assert agreement.mean() > 0.999
    with pytest.raises(UsageError, match="deviations"):
        masks.confidence_connected(volume, GRID.center_mm, deviations=0)


def test_confidence_connected_refuses_a_seed_without_a_value():
    values = CT.array.astype(np.float32)
    values[12, 25, 20] = np.nan
    with pytest.raises(UsageError, match="finite"):
        masks.confidence_connected(CT.with_array(values), GRID.to_world((12, 25, 20)))


def test_a_watershed_over_a_gradient_finds_the_edge():
    from scipy import ndimage

    smooth = ndimage.gaussian_gradient_magnitude(CT.array.astype(np.float32), 1.5)
    relief = CT.with_array(smooth, unit=codes.ONE)
    markers = masks.of(ball(5) + 2 * ~ball(24), CT, name={"ball": 1, "rest": 2})
    found = masks.watershed(relief, markers)
    assert (found.array > 0).all()
    assert masks.dice(found.only("ball"), TRUTH)["ball"] > 0.93
    np.testing.assert_array_equal(found.array[markers.array > 0], markers.array[markers.array > 0])


def test_a_relief_of_the_whole_range_of_its_type_is_flooded_from_its_lowest():
    relief = np.random.default_rng(3).integers(-32768, 32768, GRID.shape).astype(np.int16)
    relief[0, 0, :2] = -32768, 32767
    markers = masks.of(ball(3) + 2 * ~ball(20), CT, name={"in": 1, "out": 2})
    found = masks.watershed(CT.with_array(relief), markers)
    for same in (relief.astype(np.float64), (relief.astype(np.int32) + 32768).astype(np.uint16)):
        np.testing.assert_array_equal(masks.watershed(CT.with_array(same), markers).array, found.array)


def test_no_number_in_a_relief_is_flooded_last():
    relief = CT.with_array(np.where(ball(9), np.nan, 1.0), unit=codes.ONE)
    markers = masks.of(ball(2) + 2 * ~ball(24), CT, name={"in": 1, "out": 2})
    found = masks.watershed(relief, markers)
    assert (found.array > 0).all()
    assert found.mask("out")[ball(12) & ~ball(10)].all()


def test_a_marker_that_lies_nowhere_water_may_stand_is_told_of():
    markers = masks.of(ball(2) + 2 * ~ball(24), CT, name={"in": 1, "out": 2})
    found = masks.watershed(CT, markers, inside=TRUTH)
    assert not found.mask("out").any()
    assert ("SEGMENT_VANISHED", "Nothing is left of: Out.") in [(each.code, each.message) for each in found.reasons]


def test_touching_balls_are_parted_at_their_neck():
    both = masks.of(ball(9, at=(8, 0, 0)) | ball(8, at=(-7, 2, 0)), CT, name="cell")
    assert len(masks.components(both)) == 1
    made = masks.split(both)
    assert made.names == ("cell_1", "cell_2")
    np.testing.assert_array_equal(made.array > 0, both.array > 0)
    assert masks.dice(made.only("cell_1"), masks.of(ball(9, at=(8, 0, 0)), CT))["cell_1"] > 0.95
    assert masks.split(both, 20).names == ("cell_1",)
    assert masks.split(TRUTH).names == ("ball_1",)


def test_a_rough_mask_is_drawn_to_the_border():
    for rough in (masks.eroded(TRUTH, 3.5), masks.dilated(TRUTH, 3.5), masks.of(ball(15, at=(2, -2, 1)), CT)):
        fine = masks.refined(CT, rough)
        assert masks.dice(fine, TRUTH)[fine.names[0]] > 0.97
        assert masks.dice(rough, TRUTH)[rough.names[0]] < 0.93


def test_an_outline_never_moves_beyond_its_reach():
    rough = masks.eroded(TRUTH, 8)
    fine = masks.refined(CT, rough, reach_mm=4)
    assert (masks.distance(rough).array[fine.mask("ball")] <= 4 + 1e-3).all()
    assert [reason.code for reason in fine.reasons] == ["OUTLINE_MOVED_FAR"]


def test_refining_pulls_nowhere_where_there_is_no_number():
    blind = CT.with_array(np.full(GRID.shape, np.nan, np.float32))
    unpulled = masks.refined(blind, TRUTH, smoothing_mm=0)
    np.testing.assert_array_equal(unpulled.array, TRUTH.array)
    endless = CT.array.astype(np.float32)
    rim = ball(17) & ~ball(15)
    endless[rim] = np.inf
    fine = masks.refined(CT.with_array(endless), TRUTH, smoothing_mm=0, pull=2)
    assert not fine.mask("ball")[rim].any()

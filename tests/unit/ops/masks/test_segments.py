"""How segments are made, named, left alone and refused; what the room says of empty, full and one-slice masks."""

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.ops import masks
from isocenter.reasons import Reason
from isocenter.volume import Source, Volume

GRID = Grid.from_vectors((9, 20, 20), spacing_mm=(3, 1, 1.5), origin_mm=(10, -20, 30))
POINTS = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1)) - GRID.center_mm
BALL = (POINTS**2).sum(axis=-1) <= 8**2
SOURCES = tuple(Source(f"1.{k}") for k in range(9))
REASON = Reason("TILT", "Said before.")
CT = Volume(np.where(BALL, 60, -100).astype(np.int16), GRID, codes.HU, sources=SOURCES, reasons=(REASON,))
FOUND = masks.of(BALL, CT, name="lesion")
SHAPING = (masks.dilated, masks.eroded, masks.opened, masks.closed, masks.smoothed)


def two_layers():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4, 5:10, 5:10] = 1
    segments = (Segment.named("a"), Segment.named("b", layer=1))
    return Segmentation((labels, labels.copy()), GRID, segments, Algorithm("t", "1"))


def test_place_sources_and_reasons_travel_with_a_mask():
    for made in (FOUND, masks.otsu(CT), masks.dilated(FOUND, 2), masks.largest(FOUND), masks.union(FOUND, FOUND)):
        assert made.grid == GRID
        assert made.sources == SOURCES
        assert made.reasons == (REASON,)
    assert masks.distance(FOUND).unit == codes.MM
    assert masks.distance(FOUND).reasons == (REASON,)


def test_an_algorithm_says_what_was_done_after_it():
    made = masks.largest(masks.closed(masks.otsu(CT), 3))
    assert made.algorithm.name == "Otsu threshold"
    assert dict(made.algorithm.settings) == {
        "level": -100.0,
        "step_1": "closed radius_mm=3.0",
        "step_2": "largest count=1 connectivity=6",
    }


def test_what_came_in_stays_as_it_was():
    before = FOUND.array.copy()
    for shape in SHAPING:
        shape(FOUND, 3)
    np.testing.assert_array_equal(FOUND.array, before)
    assert not FOUND.array.flags.writeable


def test_arrays_that_are_no_mask_are_refused():
    with pytest.raises(UsageError, match="shape"):
        masks.of(BALL[1:], CT)
    with pytest.raises(UsageError, match="threshold first"):
        masks.of(BALL.astype(float), CT)
    with pytest.raises(UsageError, match="without a name"):
        masks.of(BALL * 2, CT)
    with pytest.raises(UsageError, match="without a name"):
        masks.of(-BALL.astype(int), CT)
    with pytest.raises(UsageError, match="without a name"):
        masks.of(BALL, CT, name={"liver": 2})
    for labels in ({"liver": 0}, {"liver": 1, "spleen": 1}):
        with pytest.raises(UsageError, match="label of its own"):
            masks.of(BALL, CT, name=labels)
    with pytest.raises(UsageError, match="Segmentation"):
        masks.dilated(BALL, 3)
    assert masks.of(BALL * 2, CT, name={"liver": 1, "spleen": 2}).names == ("liver", "spleen")


def test_lengths_names_and_limits_that_make_no_sense_are_refused():
    for radius in (-1, float("nan"), float("inf"), "3"):
        with pytest.raises(UsageError, match="length in millimetres"):
            masks.dilated(FOUND, radius)
    with pytest.raises(UsageError, match="No segment 'heart'"):
        masks.closed(FOUND, 3, names=["heart"])
    with pytest.raises(UsageError, match="No segment 'heart'"):
        masks.filled(FOUND, names="heart")
    with pytest.raises(UsageError, match="lower limit"):
        masks.threshold(CT, 5, 3)
    with pytest.raises(UsageError, match="lower limit"):
        masks.threshold(CT, float("nan"))
    with pytest.raises(UsageError, match="6, 18 or 26"):
        masks.components(FOUND, connectivity=4)
    with pytest.raises(UsageError, match="1 or more"):
        masks.largest(FOUND, 0)
    with pytest.raises(UsageError, match="classes is from 2"):
        masks.kmeans(CT, 1)
    with pytest.raises(UsageError, match="0 ml or more"):
        masks.without_small(FOUND, -1)


def test_images_on_other_grids_are_refused():
    other = masks.of(BALL, Volume(CT.array, GRID.flip(0)))
    for together in (masks.union, masks.intersection, masks.difference, masks.dice):
        with pytest.raises(UsageError, match="different grids"):
            together(FOUND, other)
    for made in (lambda: masks.otsu(CT, inside=other), lambda: masks.watershed(CT, other)):
        with pytest.raises(UsageError, match="different grids"):
            made()


def test_a_picture_without_sizes_has_no_millimetres():
    picture = masks.of(BALL, Volume(CT.array, Grid(GRID.shape, GRID.affine, space=Space.PIXEL)))
    for work in (masks.dilated, masks.smoothed, masks.split):
        with pytest.raises(UsageError, match="unknown"):
            work(picture, 1)
    with pytest.raises(UsageError, match="unknown"):
        masks.distance(picture)
    with pytest.raises(UsageError, match="depth"):
        masks.without_small(picture, 1)
    assert np.isnan(masks.components(picture)[0].volume_ml)
    assert masks.filled(picture).mask("mask").any()


def test_a_volume_with_further_axes_has_no_mask_of_three():
    moving = Volume(np.stack([CT.array, CT.array], -1), GRID, codes.HU, axes=("time",))
    for made in (masks.otsu, masks.kmeans, masks.threshold):
        with pytest.raises(UsageError, match="time"):
            made(moving)
    with pytest.raises(UsageError, match="time"):
        masks.refined(moving, FOUND)
    assert masks.of(BALL, moving).grid == GRID


@pytest.mark.parametrize(("shape", "voxels"), [((1, 12, 12), 13), ((12, 1, 12), 5), ((1, 1, 12), 5), ((1, 1, 1), 1)])
def test_one_slice_is_shaped_like_any_other(shape, voxels):
    like = Volume(np.zeros(shape, np.int16), Grid.from_vectors(shape, spacing_mm=(5, 1, 1)))
    mask = np.zeros(shape, bool)
    mask[tuple(n // 2 for n in shape)] = True
    found = masks.of(mask, like)
    assert np.count_nonzero(masks.dilated(found, 2).array) == voxels
    assert len(masks.components(found, connectivity=26)) == 1
    assert masks.split(found).names == ("mask_1",)
    for shape_of in SHAPING:
        assert shape_of(found, 1).array.shape == shape


def test_empty_and_full_masks_stay_what_they_are():
    empty, full = masks.of(np.zeros(GRID.shape, bool), CT), masks.of(np.ones(GRID.shape, bool), CT)
    for shape in SHAPING:
        assert not shape(empty, 3).array.any()
        assert shape(full, 3).array.all()
    for work in (masks.filled, masks.filled_in_plane, masks.largest):
        assert not work(empty).array.any()
        assert work(full).array.all()
    assert masks.components(empty) == ()
    assert masks.labelled(empty).names == masks.split(empty).names == ()
    assert masks.split(full).volume_ml("mask_1") == full.volume_ml("mask")
    assert np.isinf(masks.distance(empty).array).all()
    assert np.isinf(masks.depth(full).array).all()
    assert (masks.signed_distance(full).array == -np.inf).all()
    assert np.isnan(masks.dice(empty, empty)["mask"])
    assert not masks.refined(CT, empty).array.any()


def test_a_segment_that_vanishes_is_told_of():
    labels = np.where(BALL, 1, 0)
    labels[0, 0, 0] = 2
    found = masks.of(labels, CT, name={"lesion": 1, "dot": 2, "empty": 3})
    for made in (
        masks.eroded(found, 3),
        masks.opened(found, 3),
        masks.smoothed(found, 3),
        masks.without_small(found, 1),
        masks.difference(found, masks.of(labels == 2, CT)),
    ):
        assert made.reasons == (REASON, Reason("SEGMENT_VANISHED", "Nothing is left of: Dot."))
    for made in (masks.dilated(found, 3), masks.largest(found), masks.eroded(found, 3, names=["lesion"])):
        assert made.reasons == (REASON,)


def test_the_border_of_the_image_shrinks_nothing():
    half = masks.of(np.indices(GRID.shape)[0] < 4, CT)
    shrunk = masks.eroded(half, 3).mask("mask")
    assert shrunk[:3].all()
    assert not shrunk[3:].any()


def test_segments_of_different_layers_do_not_see_each_other():
    found = two_layers()
    grown = masks.dilated(found, 2)
    np.testing.assert_array_equal(grown.mask("a"), grown.mask("b"))
    assert grown.volume_ml("a") > found.volume_ml("a")
    with pytest.raises(UsageError, match="overlap"):
        masks.labelled(found)
    with pytest.raises(UsageError, match="layer"):
        masks.split(found)
    assert masks.labelled(found, names=["b"]).names == ("b_1",)


def test_a_segment_chosen_alone_grows_over_what_is_not_chosen():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4, 5, 5], labels[4, 5, 6] = 1, 2
    found = masks.of(labels, CT, name={"a": 1, "b": 2})
    assert masks.dilated(found, 2).array[4, 5, 6] == 2
    assert masks.dilated(found.only("a"), 2).array[4, 5, 6] == 1


def test_a_hole_with_something_in_it_is_filled_around_it():
    shell = np.zeros(GRID.shape, np.uint8)
    shell[2:7, 4:15, 4:15] = 1
    shell[3:6, 6:13, 6:13] = 0
    shell[4, 9, 9] = 2
    filled = masks.filled(masks.of(shell, CT, name={"shell": 1, "core": 2}))
    assert filled.array[4, 9, 9] == 2
    assert (filled.array[2:7, 4:15, 4:15] > 0).all()


def test_a_spot_smoothed_between_two_segments_goes_to_one_of_them():
    labels = np.where(np.indices(GRID.shape)[2] < 10, 1, 2).astype(np.uint8)
    smooth = masks.smoothed(masks.of(labels, CT, name={"a": 1, "b": 2}), 3)
    np.testing.assert_array_equal(smooth.array, labels)  # no gap opens along the border of both


def test_components_are_told_apart_from_labels_that_are_too_many_for_bytes():
    speckle = np.zeros(GRID.shape, bool)
    speckle[::2, ::2, ::2] = True
    made = masks.labelled(masks.of(speckle, CT))
    assert len(made.names) == made.array.max() == np.count_nonzero(speckle) > 255


def test_dice_compares_single_segments_whatever_their_names():
    assert masks.dice(FOUND, masks.otsu(CT)) == {"lesion": 1.0}
    with pytest.raises(UsageError, match="No segment 'a'"):
        masks.dice(two_layers(), FOUND)


def test_a_union_keeps_what_both_have_to_say():
    other = masks.of(BALL, CT.with_reasons([Reason("SAMPLED_COARSELY", "Of the other.")]))
    assert {reason.code for reason in masks.union(FOUND, other).reasons} == {"TILT", "SAMPLED_COARSELY"}
    assert masks.intersection(FOUND, other).names == ("lesion",)
    with pytest.raises(UsageError, match="one segmentation"):
        masks.union()
    with pytest.raises(Refused):
        masks.otsu(CT.with_array(np.zeros(GRID.shape, np.int16)))


def test_segmentations_are_joined_side_by_side_and_may_overlap():
    volume = Volume(np.zeros((2, 4, 4), np.int16), Grid.from_vectors((2, 4, 4)))
    found, truth = (masks.of(np.eye(4, dtype=bool)[None].repeat(2, 0), volume, name="liver") for _ in range(2))
    with pytest.raises(UsageError, match="called liver"):
        masks.joined(found, truth)
    both = masks.joined(found, truth.renamed(liver="liver_true"))
    assert both.names == ("liver", "liver_true")
    assert both.segment("liver_true").title == "Liver true"
    np.testing.assert_array_equal(both.mask("liver"), both.mask("liver_true"))
    with pytest.raises(UsageError, match="No segment"):
        truth.renamed(spleen="x")

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.resample import invert, onto, stretched_to_shape, to_orientation, to_spacing
from isocenter.volume import Source, Volume

GRID = Grid.from_vectors((3, 4, 5), spacing_mm=(2, 1, 1), frame_of_reference_uid="1.2")
SOURCES = tuple(Source(f"1.{k}") for k in range(3))
CT = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), GRID, codes.HU, modality="CT", sources=SOURCES)
LABELS = Segmentation(
    ((CT.array % 3).astype(np.uint8),), GRID, (Segment("a", 2, "A", codes.LUNG),), Algorithm("t", "1"), SOURCES
)


def test_the_same_grid_gives_the_same_values_without_a_copy():
    assert np.shares_memory(onto(CT, GRID).array, CT.array)


def test_outside_a_ct_lies_air_and_never_zero():
    padded = onto(CT, GRID.pad((1, 1, 1), (1, 1, 1)))
    assert padded.array[0].max() == -1024
    oblique = onto(CT, GRID.pad((3, 3, 3), (3, 3, 3)).with_spacing((1.7, 0.9, 1.1)))
    assert oblique.array.min() == -1024


def test_outside_another_image_the_caller_says_what_lies_there():
    mr = Volume(CT.array, GRID)
    with pytest.raises(UsageError, match="outside=VALUE"):
        onto(mr, GRID.pad((1, 0, 0), (0, 0, 0)))
    assert onto(mr, GRID.pad((1, 0, 0), (0, 0, 0)), outside=-5).array[0].max() == -5
    assert onto(mr, GRID.crop((1, 0, 0), (3, 4, 5))).array[0, 0, 0] == 20


def test_an_outside_value_that_does_not_fit_is_refused():
    bytes_in_hu = Volume(CT.array.astype(np.uint8), GRID, codes.HU)
    with pytest.raises(UsageError, match="-1024"):
        onto(bytes_in_hu, GRID.pad((1, 0, 0), (0, 0, 0)))
    assert onto(bytes_in_hu, GRID.crop((0, 1, 0), (3, 4, 5))).shape == (3, 3, 5)
    for wrong in (np.nan, np.inf, 0.5, 40000):
        with pytest.raises(UsageError, match="cannot hold"):
            onto(CT, GRID.pad((1, 0, 0), (0, 0, 0)), outside=wrong)
    with pytest.raises(UsageError, match="background"):
        onto(LABELS, GRID, outside=1)


def test_whole_slices_keep_their_sources_and_others_lose_them():
    assert onto(CT, GRID.flip(0)).sources == SOURCES[::-1]
    assert onto(CT, GRID.pad((1, 0, 0), (0, 0, 0))).sources == (None, *SOURCES)
    assert onto(CT, GRID.crop((1, 0, 0), (3, 4, 5))).sources == SOURCES[1:]
    assert onto(LABELS, GRID.crop((1, 0, 0), (3, 4, 5))).sources == SOURCES[1:]
    assert onto(CT, GRID.crop((0, 1, 0), (3, 4, 5))).sources == ()
    assert to_orientation(CT, "PLS").sources == ()
    assert to_spacing(CT, (2, 0.5, 0.5)).sources == ()


def test_frames_of_reference_that_differ_are_refused():
    other = Grid(GRID.shape, GRID.affine, "9.9")
    with pytest.raises(UsageError, match="register"):
        onto(CT, other)


def test_unit_modality_and_reasons_come_along():
    finer = to_spacing(CT, (1, 1, 1))
    assert (finer.unit, finer.modality, finer.reasons) == (codes.HU, "CT", ())
    assert finer.spacing_mm == (1, 1, 1)
    assert finer.array.dtype == np.int16


def test_much_coarser_sampling_is_said():
    assert [reason.code for reason in to_spacing(CT, (6, 1, 1)).reasons] == ["SAMPLED_COARSELY"]
    assert to_spacing(CT, (4, 2, 2)).reasons == ()
    turned = onto(CT, GRID.reorient("LPS").with_spacing((3, 1, 2)))
    assert [reason.code for reason in turned.reasons] == ["SAMPLED_COARSELY"]


def test_further_axes_are_carried_along():
    film = Volume(np.stack([CT.array, -CT.array], axis=3), GRID, axes=("time",))
    finer = to_spacing(film, (1, 1, 1))
    np.testing.assert_array_equal(finer.array[..., 0], to_spacing(Volume(CT.array, GRID), (1, 1, 1)).array)
    assert finer.axes == ("time",)
    turned = to_orientation(film, "LPS")
    np.testing.assert_array_equal(onto(turned, GRID).array, film.array)


def test_a_segmentation_takes_the_nearest_label_in_every_layer():
    finer = to_spacing(LABELS, (1, 0.5, 0.5))
    assert finer.volume_ml("a") == pytest.approx(LABELS.volume_ml("a"), rel=0.2)
    assert onto(finer, GRID).array.tolist() == LABELS.array.tolist()
    assert finer.names == LABELS.names


def test_a_grid_a_hair_off_the_lattice_is_still_copied_and_one_farther_off_is_not():
    near, far = (Grid(GRID.shape, GRID.affine + np.eye(4, 4, 3) * [[d], [0], [0], [0]], "1.2") for d in (1e-5, 0.6))
    np.testing.assert_array_equal(onto(CT, near).array, CT.array)
    assert onto(CT, near).sources == SOURCES
    assert (onto(CT, far).array != CT.array).any()


def test_one_spacing_is_a_number_of_any_type():
    for number in (2, np.float32(2), np.int64(2)):
        assert to_spacing(CT, number).grid == to_spacing(CT, (2.0, 2.0, 2.0)).grid
    for wrong in (0, np.float32(-1), "2", (1, 2), None):
        with pytest.raises(UsageError, match="Spacing"):
            to_spacing(CT, wrong)


def test_values_that_cannot_be_interpolated_are_refused_but_can_be_copied():
    wide = Volume(CT.array.astype(np.int64), GRID)
    assert onto(wide, GRID.flip(1)).array[0, 0, 0] == CT.array[0, 3, 0]
    with pytest.raises(UsageError, match="int64"):
        to_spacing(wide, (1, 1, 1))


def test_each_interpolation_has_its_own_values_between_voxels_and_the_same_on_them():
    kinds = ("nearest", "linear", "cubic", "lanczos")
    finer = [to_spacing(CT, (1, 0.5, 0.5), interpolation=kind) for kind in kinds]
    assert len({image.array.tobytes() for image in finer}) == 4
    for image in finer:
        assert image.array.dtype == np.int16
        assert image.reasons == ()
    np.testing.assert_array_equal(onto(CT, GRID.flip(2), interpolation="cubic").array, CT.array[:, :, ::-1])


def test_matched_smoothing_is_a_mean_over_what_the_new_voxels_cover_and_needs_no_warning():
    values = np.random.default_rng(0).normal(0, 100, (24, 24, 24)).astype(np.float32)
    noise = Volume(values, Grid.from_vectors(values.shape))
    rough, smooth = (to_spacing(noise, 4, smoothing=word, outside=0) for word in ("none", "matched"))
    assert [reason.code for reason in rough.reasons] == ["SAMPLED_COARSELY"]
    assert smooth.reasons == ()
    assert smooth.array.std() < 0.5 * rough.array.std()
    finer = [to_spacing(noise, 0.5, smoothing=word, outside=0).array for word in ("none", "matched")]
    np.testing.assert_allclose(finer[0], finer[1], atol=1e-3)


def test_words_that_are_not_known_are_refused_with_those_that_are():
    with pytest.raises(UsageError, match="nearest, linear, cubic, lanczos"):
        onto(CT, GRID, interpolation="bicubic")
    with pytest.raises(UsageError, match="none, matched"):
        to_spacing(CT, 1, smoothing="yes")
    with pytest.raises(UsageError, match="nearest, smooth"):
        to_spacing(LABELS, 1, labels="linear")
    with pytest.raises(UsageError, match="nothing to smooth"):
        to_spacing(CT, 1, interpolation="nearest", smoothing="matched")


def test_stretching_to_a_shape_keeps_the_field_of_view_and_changes_the_spacing():
    small = stretched_to_shape(CT, (3, 2, 10), smoothing="matched")
    assert small.shape == (3, 2, 10)
    assert small.spacing_mm == (2, 2, 0.5)
    assert small.grid.extent_mm == CT.grid.extent_mm
    assert small.grid.center_mm == CT.grid.center_mm
    for shape in ((0, 2, 2), (2, 2), (2.5, 2, 2)):
        with pytest.raises(UsageError, match="three positive"):
            stretched_to_shape(CT, shape)


def test_what_was_found_comes_back_onto_the_source_once():
    working = to_spacing(LABELS, (1, 0.5, 0.5))
    back = invert(working, CT)
    assert back.array.tolist() == LABELS.array.tolist()
    assert (back.grid, back.sources) == (GRID, SOURCES)
    for again in (back, LABELS):
        with pytest.raises(UsageError, match="already"):
            invert(again, CT)
    with pytest.raises(UsageError, match="frames of reference"):
        invert(working, Volume(CT.array, Grid(GRID.shape, GRID.affine, "9.9")))


def test_a_volume_comes_back_too():
    turned = to_orientation(CT, "LPS")
    np.testing.assert_array_equal(invert(turned, CT).array, CT.array)


def test_smooth_labels_are_taken_in_every_layer_and_none_is_made_up():
    ones = np.zeros((6, 6, 6), np.uint8)
    ones[1:5, 1:5, 1:5] = 1
    found = Segmentation(
        (ones, 4 * ones[::-1]), Grid.from_vectors((6, 6, 6)),
        (Segment.named("a"), Segment.named("b", 4, layer=1)), Algorithm("t", "1"),
    )  # fmt: skip
    finer = to_spacing(found, 0.25, labels="smooth")
    assert set(np.unique(finer.layers[0])) == {0, 1}
    assert set(np.unique(finer.layers[1])) == {0, 4}
    blocks = to_spacing(found, 0.25)
    assert 0.8 * blocks.volume_ml("a") < finer.volume_ml("a") < blocks.volume_ml("a")  # its corners are round


def test_a_segment_that_falls_between_the_new_voxels_is_said_to_be_lost():
    speck = np.zeros((8, 8, 8), np.uint8)
    speck[3, 3, 3], speck[4:, 4:, 4:] = 2, 1
    found = Segmentation(
        (speck,), Grid.from_vectors((8, 8, 8)), (Segment.named("large"), Segment.named("small", 2)), Algorithm("t", "1")
    )
    coarse = to_spacing(found, 4)
    assert [reason.message for reason in coarse.reasons if reason.code == "SEGMENT_LOST"] == [
        "No voxel of the new grid is left to: Small."
    ]
    assert onto(found, found.grid).reasons == ()
    assert to_spacing(found.only("large"), 4).reasons == ()


def test_no_overlap_at_all_gives_outside_only():
    away = GRID.window((10, 0, 0), (2, 4, 5))
    assert (onto(CT, away).array == -1024).all()


def test_a_grid_larger_than_any_memory_is_refused():
    with pytest.raises(UsageError, match="larger than any memory"):
        to_spacing(Volume(np.zeros((3, 8, 8), np.int16), Grid.from_vectors((3, 8, 8)), codes.HU), 1e-6)

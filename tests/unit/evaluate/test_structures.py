"""Scores of a segmentation against the truth."""

from __future__ import annotations

import numpy as np
import pytest

import isocenter as iso
from isocenter.errors import Refused, UsageError
from isocenter.evaluate import Outcome, scores
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space


def made(array: np.ndarray, spacing_mm: tuple[float, float, float] = (2, 1, 0.5), **names: int) -> Segmentation:
    grid = Grid.from_vectors(array.shape, spacing_mm=spacing_mm)
    segments = tuple(Segment.named(name, label) for name, label in (names or {"organ": 1}).items())
    return Segmentation((array.astype(np.uint8),), grid, segments, Algorithm("test", "1"))


def cube(shape: tuple[int, int, int] = (12, 20, 20), start: int = 3, stop: int = 9) -> np.ndarray:
    array = np.zeros(shape, np.uint8)
    array[start:stop, start:stop, start:stop] = 1
    return array


def codes(found: object) -> set[str]:
    return {reason.code for reason in found.reasons}


def test_a_segmentation_is_equal_to_itself() -> None:
    one = scores(made(cube()), made(cube()))["organ"]
    assert (one.dice, one.iou, one.hd_mm, one.hd95_mm, one.assd_mm, one.surface_dice) == (1, 1, 0, 0, 0, 1)
    assert one.volume_error_ml == 0
    assert one.truth_ml == pytest.approx(216 / 1000)


def test_a_shift_is_measured_along_each_axis_in_millimetres() -> None:
    for axis, expected in enumerate((2, 1, 0.5)):
        found = scores(made(np.roll(cube(), 1, axis)), made(cube()), tolerance_mm=expected)["organ"]
        assert found.hd_mm == pytest.approx(expected)
        assert found.dice == pytest.approx(5 / 6)
        assert found.surface_dice == 1


def test_sizes_differ_by_volume_with_its_sign() -> None:
    found = scores(made(cube(stop=8)), made(cube()))["organ"]
    assert found.volume_error_percent == pytest.approx(100 * (125 - 216) / 216)
    assert found.volume_error_ml == pytest.approx(-91 / 1000)
    assert found.precision == 1
    assert found.sensitivity == pytest.approx(125 / 216)


def test_far_surfaces_are_reached() -> None:
    truth, found = np.zeros((40, 60, 60), np.uint8), np.zeros((40, 60, 60), np.uint8)
    truth[2, 3, 4] = found[38, 50, 55] = 1
    one = scores(made(found), made(truth))["organ"]
    assert one.hd_mm == pytest.approx(np.linalg.norm((36 * 2, 47, 51 * 0.5)))


def test_the_border_of_the_image_is_a_surface() -> None:
    whole = np.ones((6, 6, 6), np.uint8)
    one = scores(made(whole), made(np.pad(whole, 1)[:6, :6, :6] * 0 + cube((6, 6, 6), 1, 5)))["organ"]
    assert one.hd_mm == pytest.approx(np.linalg.norm((2, 1, 0.5)))


def test_a_structure_that_one_side_lacks_scores_the_worst() -> None:
    nothing = made(np.zeros((12, 20, 20)))
    missed, extra = scores(nothing, made(cube()))["organ"], scores(made(cube()), nothing)["organ"]
    diagonal = np.linalg.norm((11 * 2, 19, 19 * 0.5))
    for one in (missed, extra):
        assert (one.dice, one.surface_dice) == (0, 0)
        assert one.hd95_mm == pytest.approx(diagonal)
    assert (missed.outcome, extra.outcome) == (Outcome.MISSED, Outcome.EXTRA)
    assert (missed.sensitivity, extra.precision) == (0, 0)
    assert np.isnan([missed.precision, extra.sensitivity]).all()


def test_a_structure_that_neither_side_has_is_named_and_has_no_score() -> None:
    nothing = made(np.zeros((4, 5, 6)))
    one = scores(nothing, nothing)["organ"]
    assert one.outcome is Outcome.ABSENT
    assert np.isnan(one.dice)
    assert one.to_dict()["dice"] is None


def test_a_missing_prediction_is_counted() -> None:
    one = scores(None, made(cube()))["organ"]
    assert one.outcome is Outcome.NOT_PREDICTED
    assert (one.dice, one.surface_dice) == (0, 0)


def test_a_prediction_on_a_cropped_grid_is_compared_where_it_lies() -> None:
    truth = made(cube())
    box = truth.grid.crop((2, 2, 2), (10, 12, 12))
    part = Segmentation((cube()[2:10, 2:12, 2:12],), box, truth.segments, truth.algorithm)
    found = scores(part, truth)
    assert found["organ"].dice == 1
    assert codes(found) == set()


def test_a_grid_that_leaves_out_some_truth_is_told() -> None:
    truth = made(cube())
    box = truth.grid.crop((4, 0, 0), (12, 20, 20))
    found = scores(Segmentation((cube()[4:],), box, truth.segments, truth.algorithm), truth)
    assert found["organ"].sensitivity == pytest.approx(5 / 6)
    assert "TRUTH_UNCOVERED" in codes(found)


def test_another_lattice_is_sampled_with_a_reason() -> None:
    truth = made(cube(), (2, 1, 1))
    finer = iso.onto(truth, truth.grid.with_spacing((1, 0.5, 0.5)))
    found = scores(finer, truth)
    assert found["organ"].dice == pytest.approx(1)
    assert "PREDICTION_RESAMPLED" in codes(found)


def test_a_flipped_array_in_its_right_place_is_the_same_segmentation() -> None:
    truth = made(cube((12, 20, 20), 2, 7))
    flipped = Segmentation((truth.array[::-1, :, ::-1],), truth.grid.flip(0, 2), truth.segments, truth.algorithm)
    assert scores(flipped, truth)["organ"].dice == 1


def test_grids_that_lie_apart_are_refused() -> None:
    truth = made(cube())
    affine = truth.grid.affine.copy()
    affine[:3, 3] += 500
    for grid in (Grid(truth.grid.shape, affine), Grid(truth.grid.shape, truth.grid.affine, space=Space.PIXEL)):
        with pytest.raises(Refused, match="GRIDS_APART"):
            scores(Segmentation(truth.layers, grid, truth.segments, truth.algorithm), truth)


def test_labels_of_other_numbers_are_paired_by_name() -> None:
    array = cube()
    both = array * 7
    both[0, 0, 0] = 3
    found = scores(made(both, liver=7, other=3), made(array * 2, liver=2))
    assert found["liver"].dice == 1
    assert codes(found) == {"NOT_IN_TRUTH"}


def test_segments_without_a_common_name_are_paired_with_a_reason() -> None:
    array = cube()
    alone = scores(made(array, lesion=1), made(array, tumour=1))
    assert (alone["tumour"].dice, codes(alone)) == (1, {"PAIRED_ALONE"})
    array[0, 0, 0] = 2
    crossed = scores(made(array * 2, label_2=2, label_4=4), made(array, label_1=1))
    assert (crossed["label_1"].outcome, codes(crossed)) == (Outcome.MISSED, {"NOT_IN_TRUTH"})
    by_number = scores(made(array, label_1=1, label_2=2), made(array, front=1, back=2))
    assert [one.dice for one in by_number.of] == [1, 1]
    assert codes(by_number) == {"PAIRED_BY_LABEL"}


def test_overlapping_segments_are_compared_layer_by_layer() -> None:
    grid = Grid.from_vectors((12, 20, 20))
    segments = (Segment.named("organ", 1), Segment.named("lesion", 1, layer=1))
    one = Segmentation((cube(), cube(start=5, stop=7)), grid, segments, Algorithm("test", "1"))
    other = Segmentation((cube(), cube(start=4, stop=7)), grid, segments, Algorithm("test", "1"))
    found = scores(one, other)
    assert found["organ"].dice == 1
    assert found["lesion"].dice == pytest.approx(16 / (8 + 27))


def test_a_picture_has_outlines_and_no_volume() -> None:
    grid = Grid((1, 20, 20), np.diag([1.0, 0.5, 0.5, 1.0]), space=Space.PLANE)
    flat = cube((12, 20, 20))[4:5]
    segments = (Segment.named("mole", 1),)
    truth = Segmentation((flat,), grid, segments, Algorithm("test", "1"))
    moved = Segmentation((np.roll(flat, 1, 2),), grid, segments, Algorithm("test", "1"))
    one = scores(moved, truth)["mole"]
    assert one.hd_mm == pytest.approx(0.5)
    assert np.isnan(one.truth_ml)
    pixels = Grid((1, 20, 20), np.eye(4), space=Space.PIXEL)
    found = scores(*(Segmentation(s.layers, pixels, segments, s.algorithm) for s in (moved, truth)))
    assert np.isnan(found["mole"].hd_mm)
    assert found["mole"].dice == pytest.approx(5 / 6)
    assert codes(found) == {"NO_DISTANCES"}


def test_wrong_calls_are_told() -> None:
    truth = made(cube())
    with pytest.raises(UsageError, match="spleen"):
        scores(truth, truth, names=["spleen"])
    with pytest.raises(UsageError, match="positive length"):
        scores(truth, truth, tolerance_mm=0)
    with pytest.raises(UsageError, match="tolerance"):
        scores(truth, truth, tolerance_mm={"liver": 1})
    with pytest.raises(UsageError, match="Expected a Segmentation"):
        scores(truth.array, truth)


def test_tolerances_differ_by_structure() -> None:
    array = cube()
    array[0, 0:3, 0:3] = 2
    moved = np.roll(array, 1, 1)
    found = scores(made(moved, a=1, b=2), made(array, a=1, b=2), tolerance_mm={"a": 1, "b": 0.4})
    assert found["a"].surface_dice == 1
    assert found["b"].surface_dice < 1


def test_hundreds_of_structures_and_labels_of_any_size_are_compared() -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 300, (20, 30, 30)).astype(np.int32)
    array[array > 0] += 60_000
    grid = Grid.from_vectors(array.shape)
    segments = tuple(Segment.named(f"part_{n}", n + 60_000) for n in range(1, 300))
    truth = Segmentation((array,), grid, segments, Algorithm("t", "1"))
    found = scores(Segmentation((np.where(array == 60_007, 0, array),), grid, segments, truth.algorithm), truth)
    assert {one.structure for one in found.of if one.outcome is Outcome.MISSED} == {"part_7"}
    assert all(one.dice == 1 for one in found.of if one.structure != "part_7")
    few = scores(truth, truth, names=["part_3"])
    assert few["part_3"].truth_ml == pytest.approx(np.count_nonzero(array == 60_003) / 1000)


def test_the_smallest_images_are_compared() -> None:
    for shape in ((1, 1, 1), (1, 1, 5), (1, 4, 1), (3, 1, 1), (2, 1, 3)):
        whole = made(np.ones(shape, np.uint8))
        one = scores(whole, whole)["organ"]
        assert (one.dice, one.hd_mm, one.assd_mm, one.surface_dice) == (1, 0, 0, 1), shape
    line = np.zeros((1, 1, 9), np.uint8)
    line[..., 2:4] = 1
    assert scores(made(np.roll(line, 2, 2)), made(line))["organ"].hd_mm == pytest.approx(1.0)

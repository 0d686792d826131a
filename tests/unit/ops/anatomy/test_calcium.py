"""Calcium scores of phantoms whose score follows from the definition."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.anatomy.calcium import calcium_score
from isocenter.ops.resample import to_orientation
from isocenter.volume import Volume

PIXEL_MM = 0.5


def _heart(depth_mm: float = 3.0, slices: int = 6) -> Volume:
    """40 HU, with lesions of 120, 150, 250, 350 and 500 HU: 4 x 6 pixels (6 mm2) in slices 1 and 2."""
    grid = Grid.from_vectors((slices, 40, 60), spacing_mm=(depth_mm, PIXEL_MM, PIXEL_MM))
    array = np.full(grid.shape, 40, np.int16)
    for place, peak in enumerate((120, 150, 250, 350, 500)):
        array[1:3, 5:9, 4 + 10 * place : 10 + 10 * place] = peak
    return Volume(array, grid, codes.HU, modality="CT")


def _region(volume: Volume, start: int = 0, stop: int | None = None) -> Segmentation:
    mask = np.zeros(volume.shape, bool)
    mask[:, :, start:stop] = True
    return Segmentation.of(mask, volume, [Segment.named("heart")], Algorithm("hand", "1"))


def test_the_score_is_area_times_the_weight_of_the_peak() -> None:
    ct = _heart()
    score = calcium_score(ct, _region(ct))
    assert score.agatston == pytest.approx(2 * 6 * (1 + 2 + 3 + 4))
    assert score.volume_mm3 == pytest.approx(4 * 2 * 6 * 3)
    assert score.lesions == 8
    assert score.calcifications.reasons == ()
    assert [one.name for one in score.measurements] == ["agatston", "volume"]


def test_thinner_slices_are_scaled_and_say_so() -> None:
    ct = _heart(depth_mm=1.5)
    score = calcium_score(ct, _region(ct))
    assert score.agatston == pytest.approx(6 * (1 + 2 + 3 + 4))
    assert [reason.code for reason in score.calcifications.reasons] == ["CALCIUM_SLICES"]


def test_only_what_lies_in_the_region_counts() -> None:
    ct = _heart()
    assert calcium_score(ct, _region(ct, 0, 20)).agatston == pytest.approx(2 * 6 * 1)
    assert calcium_score(ct, _region(ct, 0, 3)).agatston == 0


def test_a_speck_below_one_square_millimetre_is_noise() -> None:
    ct = _heart()
    array = ct.array.copy()
    array[:] = 40
    array[1, 5, 5:8] = 900  # 0.75 mm2
    array[3, 5, 5:9] = 900  # 1 mm2, seen in one slice
    noisy = ct.with_array(array)
    assert calcium_score(noisy, _region(noisy)).agatston == pytest.approx(1 * 4)


def test_the_peak_of_each_slice_weighs_by_itself_and_corners_touch() -> None:
    array = np.full((3, 20, 20), 0, np.int16)
    array[0, 4:6, 4:6], array[0, 6:8, 6:8] = 150, 450  # one lesion, touching at a corner
    array[1, 4:6, 4:6] = 150
    ct = Volume(array, Grid.from_vectors(array.shape, spacing_mm=(3, 1, 1)), codes.HU)
    assert calcium_score(ct, _region(ct)).agatston == pytest.approx(8 * 4 + 4 * 1)


def test_the_axes_of_the_array_do_not_matter() -> None:
    ct = _heart()
    region = _region(ct, 0, 30)
    sagittal, turned = to_orientation(ct, "LSA"), to_orientation(region, "LSA")
    score = calcium_score(sagittal, turned)
    assert score.agatston == pytest.approx(calcium_score(ct, region).agatston)
    assert score.calcifications.grid == sagittal.grid
    assert np.array_equal(score.calcifications.array > 0, (sagittal.array >= 130) & turned.mask("heart"))


def test_tilted_slices_say_so() -> None:
    turn = np.radians(20)
    tilted = np.array([[0, 0, 1], [np.sin(turn), np.cos(turn), 0], [-np.cos(turn), np.sin(turn), 0]])
    grid = Grid.from_vectors((6, 40, 60), spacing_mm=(3, 0.5, 0.5), direction=tilted)
    ct = Volume(_heart().array, grid, codes.HU)
    score = calcium_score(ct, _region(ct))
    assert "turned by 20 degrees" in score.calcifications.reasons[0].message


def test_other_units_and_grids_are_refused() -> None:
    ct = _heart()
    with pytest.raises(Refused, match="HU"):
        calcium_score(Volume(ct.array, ct.grid), _region(ct))
    with pytest.raises(UsageError, match="different grids"):
        calcium_score(ct, _region(_heart(slices=5)))


def test_a_region_with_bone_in_it_is_doubted() -> None:
    grid = Grid.from_vectors((12, 60, 60), spacing_mm=(3, 1, 1))
    ct = Volume(np.full(grid.shape, 300, np.int16), grid, codes.HU)
    assert "CALCIUM_IMPLAUSIBLE" in [reason.code for reason in calcium_score(ct, _region(ct)).calcifications.reasons]

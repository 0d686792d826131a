"""Preparing a region: the grid, interpolation, rounding, re-segmentation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.unit.ops.radiomics.made import lesion_of, noise, volume_of

from isocenter.errors import Refused, UsageError
from isocenter.ops.radiomics import Processing, regions
from isocenter.ops.resample import onto


def region_of(volume, lesion, **settings):
    margin_mm = settings.pop("margin_mm", 6.2)
    (found,) = regions(volume, lesion, processing=Processing(**settings), margin_mm=margin_mm)
    return found


def smooth(shape=(24, 40, 44), spacing_mm=(3.0, 0.9, 0.9)):
    """An image of waves and a ball in it."""
    k, r, c = np.ogrid[tuple(slice(n) for n in shape)]
    array = 100 * np.sin(k / 3) * np.cos(r / 5 + c / 7)
    away = [(axis - n / 2) * step for axis, n, step in zip((k, r, c), shape, spacing_mm, strict=True)]
    volume = volume_of(array.astype(np.float32), spacing_mm)
    return volume, lesion_of(sum(part**2 for part in away) < 8**2, volume)


def test_the_new_grid_has_the_old_center_and_is_at_least_as_long():
    volume, lesion = smooth()
    whole = region_of(volume, lesion, spacing_mm=(2.0, 2.0, 2.0), margin_mm=math.inf).image.grid
    assert whole.shape == (36, 18, 20)  # 72, 36 and 39.6 mm over 2 mm, rounded up
    assert whole.center_mm == pytest.approx(volume.grid.center_mm)


def test_slices_stay_where_they_are_when_interpolated_in_plane():
    volume, lesion = smooth()
    whole = region_of(volume, lesion, spacing_mm=(None, 2.0, 2.0), margin_mm=math.inf).image.grid
    assert whole.shape == (24, 18, 20)
    assert whole.spacing_mm == pytest.approx((3, 2, 2))
    assert whole.origin_mm[2] == pytest.approx(volume.grid.origin_mm[2])


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_a_part_is_interpolated_as_if_it_were_all(interpolation):
    volume, lesion = smooth()
    settings = {"spacing_mm": (2.0, 1.1, 1.3), "interpolation": interpolation}
    part, whole = (region_of(volume, lesion, **settings, margin_mm=margin) for margin in (6.2, math.inf))
    assert part.image.shape != whole.image.shape
    assert np.array_equal(onto(lesion_of(whole.mask, whole.image), part.image.grid).mask("lesion"), part.mask)
    np.testing.assert_allclose(part.values, whole.values, atol=1e-4)


@pytest.mark.parametrize(("interpolation", "off"), [("linear", 4.0), ("cubic", 1.0)])
def test_interpolated_values_lie_on_the_wave(interpolation, off):
    volume, lesion = smooth()
    found = region_of(volume, lesion, spacing_mm=(2.0, 2.0, 2.0), interpolation=interpolation)
    k, r, c = volume.grid.to_index(found.image.grid.to_world(np.argwhere(found.mask))).T
    assert np.abs(found.values - 100 * np.sin(k / 3) * np.cos(r / 5 + c / 7)).max() < off


def test_the_mask_is_where_half_of_a_voxel_is_covered():
    volume = volume_of(np.zeros((1, 9, 9), np.float32), (1.0, 1.0, 1.0))
    mask = np.zeros((1, 9, 9), bool)
    mask[0, 2:7, 3:6] = True
    found = region_of(volume, lesion_of(mask, volume), spacing_mm=(None, 1.0, 0.5), margin_mm=math.inf)
    assert np.flatnonzero(found.mask[0, 4]).tolist() == [6, 7, 8, 9, 10, 11]  # centers from 2.75 to 5.25


def test_intensities_are_rounded_where_asked():
    volume, lesion = smooth()
    plain = region_of(volume, lesion, spacing_mm=(2.0, 2.0, 2.0))
    whole = region_of(volume, lesion, spacing_mm=(2.0, 2.0, 2.0), rounded_to=1)
    tenths = region_of(volume, lesion, spacing_mm=(2.0, 2.0, 2.0), rounded_to=0.1)
    assert np.array_equal(whole.values, np.rint(plain.values))
    assert np.abs(tenths.values - plain.values).max() <= 0.0501
    assert not np.array_equal(tenths.values, whole.values)


def test_a_spacing_that_is_its_own_changes_nothing():
    volume, lesion = noise()
    found = region_of(volume, lesion, spacing_mm=(3.0, 1.0, 1.0), interpolation="cubic")
    assert np.array_equal(found.values, volume.array[lesion.mask("lesion")])


def test_sampling_much_coarser_is_said():
    volume, lesion = smooth()
    found = region_of(volume, lesion, spacing_mm=(3.0, 3.0, 3.0))
    assert {reason.code for reason in found.image.reasons} == {"SAMPLED_COARSELY"}


def test_re_segmentation_keeps_the_shape_and_both_ends_of_the_range():
    volume, lesion = noise()
    found = region_of(volume, lesion, intensity_range=(-50, 60))
    values = volume.array[lesion.mask("lesion")]
    assert np.count_nonzero(found.morphological) == len(values)
    assert np.sort(found.values).tolist() == np.sort(values[(values >= -50) & (values <= 60)]).tolist()
    assert {-50, 60} <= set(found.values)


def test_outliers_are_measured_on_what_the_range_left():
    values = np.concatenate([np.tile([-1.0, 1.0], 50), [3.5, 500.0]]).astype(np.float32)
    volume = volume_of(values.reshape(1, 6, 17))
    lesion = lesion_of(np.ones(volume.shape, bool), volume)
    assert region_of(volume, lesion, outliers_sd=3).values.max() == 3.5
    assert region_of(volume, lesion, outliers_sd=3, intensity_range=(-10, 10)).values.max() == 1


def test_integers_of_any_kind_may_be_interpolated():
    volume, lesion = smooth()
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float64):
        array = np.abs(volume.array / 2).astype(dtype)
        found = region_of(volume.with_array(array), lesion, spacing_mm=(2.0, 2.0, 2.0))
        assert np.isfinite(found.values).all()
        assert found.values.max() <= 50


def test_a_gap_near_the_region_spoils_splines_but_not_lines():
    volume, lesion = smooth()
    array = volume.array.copy()
    array[12, 20, 40] = np.nan
    holed = volume.with_array(array)
    assert np.isfinite(region_of(holed, lesion, spacing_mm=(2.0, 2.0, 2.0)).values).all()
    with pytest.raises(Refused, match="REGION_BESIDE_GAPS"):
        region_of(holed, lesion, spacing_mm=(2.0, 2.0, 2.0), interpolation="cubic")


def test_complex_values_have_no_features():
    volume, lesion = smooth()
    with pytest.raises(UsageError, match="magnitude"):
        region_of(volume.with_array(volume.array.astype(np.complex64)), lesion)

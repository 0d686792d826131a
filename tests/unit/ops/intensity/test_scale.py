from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.intensity import percentile_rescaled, percentiles, rescaled, zscored
from isocenter.volume import Volume


def _volume(values, dtype=np.int16):
    array = np.asarray(values, dtype).reshape(1, 1, -1)
    return Volume(array, Grid.from_vectors(array.shape), codes.HU, modality="CT")


def _mask(volume, places):
    mask = np.zeros(volume.shape, bool)
    mask[..., places] = True
    return Segmentation.of(mask, volume, [Segment.named("part")], Algorithm("hand", "1"))


def test_two_values_become_the_ends_of_a_scale():
    found = rescaled(_volume([-2000, -1000, -300, 400, 3000]), -1000, 400, to=(-1, 1))
    np.testing.assert_allclose(found.array.ravel(), [-1, -1, 0, 1, 1], atol=1e-6)
    assert (found.unit, found.array.dtype, found.modality) == (codes.ONE, np.float32, "CT")


def test_a_scale_that_does_not_rise_is_refused():
    for low, high, to in ((0, 0, (0, 1)), (0, np.nan, (0, 1)), (0, 1, (1, 0))):
        with pytest.raises(UsageError, match="rise"):
            rescaled(_volume([1, 2]), low, high, to=to)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.float32, np.float64])
def test_a_zscore_has_mean_0_and_deviation_1(dtype):
    values = np.random.default_rng(0).integers(0, 200, 500).astype(dtype)
    found = zscored(_volume(values, dtype)).array
    assert found.dtype == np.float32
    assert (abs(found.mean()) < 1e-5, abs(found.std() - 1) < 1e-5) == (True, True)


def test_a_zscore_within_a_mask_changes_every_voxel():
    volume = _volume([0, 10, 20, 1000])
    found = zscored(volume, _mask(volume, [0, 1, 2]))
    np.testing.assert_allclose(found.array.ravel(), (np.array([0, 10, 20, 1000]) - 10) / np.std([0, 10, 20]), rtol=1e-6)


def test_missing_values_count_for_nothing_and_stay():
    found = zscored(_volume([np.nan, 1, 3], np.float32)).array.ravel()
    np.testing.assert_allclose(found, [np.nan, -1, 1])


def test_what_has_no_spread_or_no_values_is_refused():
    constant = _volume([5, 5])
    with pytest.raises(InputError, match="equal"):
        zscored(constant)
    with pytest.raises(InputError, match="nothing to stretch"):
        percentile_rescaled(constant)
    with pytest.raises(InputError, match="no values"):
        zscored(constant, _mask(constant, []))
    with pytest.raises(InputError, match="no values"):
        zscored(_volume([np.nan], np.float32))
    with pytest.raises(UsageError, match="different grids"):
        zscored(constant, _mask(_volume([1, 2, 3]), [0]))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int8, np.int32, np.float32])
def test_percentiles_are_those_of_numpy(dtype):
    values = np.random.default_rng(1).integers(0, 100, 137).astype(dtype)
    if np.dtype(dtype).kind == "i":
        values -= 50
    shares = (0, 0.5, 25, 33.3, 50, 99.5, 100)
    np.testing.assert_allclose(percentiles(_volume(values, dtype), shares), np.percentile(values, shares), rtol=1e-9)


def test_percentiles_become_0_and_1():
    found = percentile_rescaled(_volume(np.arange(101)), 10, 90).array.ravel()
    np.testing.assert_allclose(found, np.clip((np.arange(101) - 10) / 80, 0, 1), atol=1e-6)
    with pytest.raises(UsageError, match="Percentiles"):
        percentile_rescaled(_volume([1, 2]), 90, 10)


def test_percentiles_that_are_none_are_refused():
    for dtype in (np.int16, np.float32):
        for wrong in (-5, 150, np.nan):
            with pytest.raises(UsageError, match="from 0 to 100"):
                percentiles(_volume([1, 2, 3], dtype), (wrong,))


def test_infinite_values_have_no_zscore():
    with pytest.raises(InputError, match="infinite"):
        zscored(_volume([1, 2, np.inf], np.float32))

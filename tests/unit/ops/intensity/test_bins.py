from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.geometry import Grid
from isocenter.ops.intensity import quantised
from isocenter.volume import Volume


def _volume(values, dtype=np.int16):
    array = np.asarray(values, dtype).reshape(1, 1, -1)
    return Volume(array, Grid.from_vectors(array.shape), codes.HU)


def test_bins_are_those_of_the_biomarker_initiative():
    volume = _volume([-10, -1, 0, 14, 15, 40])
    assert quantised(volume, width=25).array.ravel().tolist() == [1, 1, 1, 1, 2, 3]
    assert quantised(volume, count=5).array.ravel().tolist() == [1, 1, 2, 3, 3, 5]
    assert quantised(volume, count=5).array.dtype == np.uint8
    assert quantised(_volume([7, 7]), count=4).array.ravel().tolist() == [1, 1]
    assert quantised(_volume([7, 7]), width=4).array.ravel().tolist() == [1, 1]


def test_a_value_on_the_edge_of_a_bin_lies_in_the_upper_one():
    for width in range(1, 200):
        assert quantised(_volume(np.arange(60) * width), width=width).array.ravel().tolist() == list(range(1, 61))
    for top in range(8, 200):
        found = quantised(_volume(np.arange(top + 1)), count=8).array.ravel()
        np.testing.assert_array_equal(found, np.minimum(np.arange(top + 1) * 8 // top + 1, 8))


def test_impossible_bins_are_refused():
    volume = _volume([0, 30000])
    for wrong in ({}, {"width": 1, "count": 2}, {"width": 0}, {"count": 0}, {"count": 70000}):
        with pytest.raises(UsageError, match="bin"):
            quantised(volume, **wrong)
    with pytest.raises(InputError, match="wider"):
        quantised(volume, width=0.1)
    with pytest.raises(InputError, match="NaN"):
        quantised(_volume([np.nan, 1], np.float32), count=2)

from __future__ import annotations

import numpy as np
import pytest

from isocenter.ops.counts import Counts, is_countable


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_counted_values_have_the_mean_deviation_and_percentiles_of_numpy(dtype):
    limits = np.iinfo(dtype)
    values = np.random.default_rng(4).integers(limits.min, limits.max, 1001, dtype, endpoint=True)
    found = Counts.of(values)
    assert is_countable(values)
    assert found.voxels == values.size
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.standard_deviation == pytest.approx(values.std(), rel=1e-12)
    for percent in (0, 0.3, 25, 50, 99.9, 100):
        assert found.percentile(percent) == pytest.approx(np.percentile(values, percent))


def test_what_a_nan_may_be_above_or_below_is_nan():
    found = Counts(*np.unique(np.array([1.0, 2.0, np.nan, np.nan]), return_counts=True))
    assert np.isnan([found.mean, found.percentile(50), found.share_percent(0, 2)]).all()


def test_fractions_and_wide_numbers_are_not_counted():
    assert not any(is_countable(np.zeros(3, dtype)) for dtype in (np.float32, np.int32, bool))

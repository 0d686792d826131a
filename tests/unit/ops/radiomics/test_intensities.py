"""Bins, statistics, histograms: against their definitions and NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocenter.ops.radiomics import FAMILIES, FixedBinNumber, FixedBinSize, NoBins
from isocenter.ops.radiomics.intensities import histogram, statistics, volume_histogram
from isocenter.ops.radiomics.levels import binned

WHOLE = (-math.inf, math.inf)


def named(family, values):
    return dict(zip((entry.name for entry in FAMILIES[family].entries), values, strict=True))


def test_a_fixed_number_of_bins_holds_both_ends():
    found = binned(np.array([0.0, 2.4, 2.6, 9.9, 10.0]), FixedBinNumber(4))
    assert found.levels.tolist() == [1, 1, 2, 4, 4]
    assert (found.number, found.first, found.width) == (4, 1.25, 2.5)


def test_bins_of_a_fixed_size_start_at_the_range_or_at_the_smallest_intensity_or_where_told():
    values = np.array([-30.0, -25.0, 0.0, 24.9, 25.0])
    assert binned(values, FixedBinSize(25)).levels.tolist() == [1, 1, 2, 3, 3]
    assert binned(values, FixedBinSize(25), low=-50).levels.tolist() == [1, 2, 3, 3, 4]
    assert binned(values, FixedBinSize(25, start=-100), low=-50).levels.tolist() == [3, 4, 5, 5, 6]


def test_equal_intensities_are_one_level():
    assert binned(np.full(5, 7.0), FixedBinNumber(32)).number == 1
    assert binned(np.full(5, 7.0), NoBins()).number == 7


def test_statistics_are_those_of_numpy():
    values = np.random.default_rng(0).normal(40, 12, 501)
    found = named("statistics", statistics(values))
    assert found["mean"] == pytest.approx(values.mean())
    assert found["variance"] == pytest.approx(values.var())
    z = (values - values.mean()) / values.std()
    assert found["skewness"] == pytest.approx((z**3).mean())
    assert found["kurtosis"] == pytest.approx((z**4).mean() - 3)
    assert found["percentile_90"] == np.percentile(values, 90)
    assert found["interquartile_range"] == pytest.approx(np.subtract(*np.percentile(values, (75, 25))))
    assert found["median_absolute_deviation"] == pytest.approx(np.abs(values - np.median(values)).mean())
    inner = values[(values >= np.percentile(values, 10)) & (values <= np.percentile(values, 90))]
    assert found["robust_mean_absolute_deviation"] == pytest.approx(np.abs(inner - inner.mean()).mean())
    assert found["coefficient_of_variation"] == pytest.approx(values.std() / values.mean())
    assert found["root_mean_square"] == pytest.approx(np.sqrt((values**2).mean()))


def test_ratios_to_zero_are_undefined():
    found = named("statistics", statistics(np.array([-2.0, -1.0, 1.0, 2.0])))
    assert math.isnan(found["coefficient_of_variation"])
    assert math.isnan(found["quartile_coefficient_of_dispersion"])


def test_equal_values_that_cannot_be_written_exactly_have_no_variance():
    found = named("statistics", statistics(np.full(1001, 0.1)))
    assert found["variance"] == 0
    assert math.isnan(found["skewness"])


def test_the_histogram_counts_levels_that_do_not_occur():
    values = np.repeat([1.0, 2.0, 5.0], [3, 5, 5])
    found = named("histogram", histogram(binned(values, NoBins())))
    assert found["mode"] == 2  # of two equally frequent, the one nearer to the mean
    assert found["maximum_gradient_level"] == 5
    assert found["maximum_gradient"] == 5
    assert found["minimum_gradient_level"] == 3
    assert found["minimum_gradient"] == -2.5
    p = np.array([3, 5, 5]) / 13
    assert found["entropy"] == pytest.approx(-(p * np.log2(p)).sum())
    assert found["uniformity"] == pytest.approx((p**2).sum())


def volumes_by_definition(levels, low, high, step):
    """Fractions of the manual, by going through every step of the scale."""
    scale = np.arange(low, high + 1.5 * step, step)
    share = np.array([(levels > level - step / 2).mean() for level in scale])
    fraction = (scale - low) / (high - low)
    volume = [share[fraction >= x - 1e-12].max() for x in (0.1, 0.9)]
    intensity = [scale[share <= x + 1e-12].min() for x in (0.1, 0.9)]
    return [*volume, *intensity, volume[0] - volume[1], intensity[0] - intensity[1]]


@pytest.mark.parametrize("limits", [WHOLE, (-150, 160), (-150, math.inf), (-150.2, 160.7)])
def test_the_volume_histogram_of_whole_numbers_is_as_defined(limits):
    values = np.random.default_rng(1).integers(-100, 100, 333).astype(float)
    low = math.ceil(limits[0]) if math.isfinite(limits[0]) else values.min()
    high = math.floor(limits[1]) if math.isfinite(limits[1]) else values.max()
    expected = volumes_by_definition(values, low, high, 1)
    np.testing.assert_allclose(volume_histogram(values, None, limits), expected)


def test_the_volume_histogram_of_bins_is_as_defined():
    values = np.random.default_rng(2).normal(0, 30, 444)
    levels = binned(values, FixedBinNumber(50)).levels
    np.testing.assert_allclose(
        volume_histogram(values, FixedBinNumber(50), WHOLE), volumes_by_definition(levels, 1, 50, 1)
    )
    found = binned(values, FixedBinSize(2.5), low=-200)
    centers = -200 + 2.5 * (found.levels - 0.5)
    expected = volumes_by_definition(centers, -198.75, 198.75, 2.5)
    np.testing.assert_allclose(volume_histogram(values, FixedBinSize(2.5), (-200, 200)), expected)


def test_other_than_whole_numbers_are_put_into_a_thousand_bins():
    values = np.random.default_rng(2).normal(0, 30, 444)
    one, other = (volume_histogram(values, bins, WHOLE) for bins in (None, FixedBinNumber(1000)))
    np.testing.assert_array_equal(one, other)

"""Shape, peaks and spatial correlation: against solids of known size and against every pair of voxels."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.special import eval_legendre
from tests.unit.ops.radiomics.made import noise

from isocenter.ops.radiomics import FAMILIES, morphology, peaks
from isocenter.ops.radiomics.autocorrelation import moran_and_geary

NAMES = [entry.name for entry in FAMILIES["morphology"].entries]


def shape_of(mask, spacing_mm):
    values = np.linspace(1, 2, np.count_nonzero(mask))
    return dict(zip(NAMES, morphology.features(values, mask, mask, spacing_mm), strict=True))


def ellipsoid(half_mm, spacing_mm):
    shape = [2 * int(half / step) + 5 for half, step in zip(half_mm, spacing_mm, strict=True)]
    away = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    return sum((axis * step / half) ** 2 for axis, step, half in zip(away, spacing_mm, half_mm, strict=True)) <= 1


def test_a_ball_is_round():
    found = shape_of(ellipsoid((20, 20, 20), (1, 1, 1)), (1.0, 1.0, 1.0))
    assert found["volume_mesh"] == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.01)
    assert found["volume_voxels"] == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.01)
    assert found["sphericity"] == pytest.approx(0.92, abs=0.01)  # stairs have more area than the ball
    assert found["elongation"] == pytest.approx(1)
    assert found["volume_density_aabb"] == pytest.approx(4 / 3 * math.pi * 20**3 / 41**3, rel=0.01)
    assert found["volume_density_hull"] == pytest.approx(0.97, abs=0.02)
    assert found["maximum_diameter"] == pytest.approx(40, abs=1)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (3.0, 0.8, 0.9)])
def test_an_ellipsoid_has_its_axes_in_millimetres(spacing_mm):
    half = (21.0, 15.0, 9.0)
    found = shape_of(ellipsoid(half, spacing_mm), spacing_mm)
    lengths = [2 * math.sqrt(4 / 5) * axis for axis in half]  # a solid's deviation is its semi-axis over root five
    assert [found[name] for name in ("major_axis", "minor_axis", "least_axis")] == pytest.approx(lengths, rel=0.02)
    assert found["elongation"] == pytest.approx(15 / 21, rel=0.02)
    assert found["flatness"] == pytest.approx(9 / 21, rel=0.02)
    assert found["volume_mesh"] == pytest.approx(4 / 3 * math.pi * math.prod(half), rel=0.03)


def true_area(half):
    """Area of an ellipsoid by its integral."""
    a, b, c = half
    theta, phi = np.meshgrid(np.linspace(0, math.pi, 2001), np.linspace(0, 2 * math.pi, 2001), indexing="ij")
    sine, cosine = np.sin(theta), np.cos(theta)
    element = sine * np.sqrt(
        (b * c * sine * np.cos(phi)) ** 2 + (a * c * sine * np.sin(phi)) ** 2 + (a * b * cosine) ** 2
    )
    return np.trapezoid(np.trapezoid(element, dx=2 * math.pi / 2000), dx=math.pi / 2000)


@pytest.mark.parametrize("half", [(3.0, 2.0, 1.0), (3.0, 2.9, 1.0), (3.0, 1.0, 1.0)])
def test_the_area_of_the_ellipsoid_is_the_series_of_the_manual(half):
    a, b, c = half
    alpha, beta = math.sqrt(1 - (b / a) ** 2), math.sqrt(1 - (c / a) ** 2)
    n = np.arange(21)
    series = (alpha * beta) ** n / (1 - 4 * n**2) * eval_legendre(n, (alpha**2 + beta**2) / (2 * alpha * beta))
    assert morphology._ellipsoid_area(np.array(half)) == pytest.approx(4 * math.pi * a * b * series.sum())


def test_the_series_of_the_manual_is_right_for_a_ball_and_too_large_for_others():
    assert morphology._ellipsoid_area(np.full(3, 2.0)) == pytest.approx(true_area((2, 2, 2)), rel=1e-5)
    assert morphology._ellipsoid_area(np.array([3.0, 2, 1])) == pytest.approx(1.08 * true_area((3, 2, 1)), rel=0.002)


def test_a_flat_region_has_no_least_axis_and_no_ellipsoid():
    mask = np.zeros((3, 6, 8), bool)
    mask[1, 1:5, 1:7] = True
    found = shape_of(mask, (3.0, 1.0, 1.0))
    assert found["least_axis"] == 0
    assert found["flatness"] == 0
    assert math.isnan(found["volume_density_aee"])
    assert found["volume_mesh"] > 0


def test_the_center_of_mass_is_weighed_by_intensity():
    mask = np.zeros((3, 3, 6), bool)
    mask[1, 1, 1:5] = True
    values = np.array([1.0, 0.0, 0.0, 3.0])
    found = dict(zip(NAMES, morphology.features(values, mask, mask, (1.0, 1.0, 2.0)), strict=True))
    assert found["centre_of_mass_shift"] == pytest.approx(2 * (0.75 * 3 - 1.5))
    none = dict(zip(NAMES, morphology.features(values - 1, mask, mask, (1.0, 1.0, 2.0)), strict=True))
    assert math.isnan(none["centre_of_mass_shift"])


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (3.0, 0.5, 0.7)])
@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 8, 9), (4, 4, 4)])
def test_moran_and_geary_are_the_sums_over_all_pairs(spacing_mm, shape):
    rng = np.random.default_rng(0)
    mask = rng.random(shape) < 0.7
    values = rng.normal(50, 10, np.count_nonzero(mask))
    places = np.argwhere(mask) * np.array(spacing_mm)
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(apart, np.inf)
    away, weight = values - values.mean(), 1 / apart
    spread, n = (away**2).sum(), len(values)
    moran = n * (weight * np.outer(away, away)).sum() / (weight.sum() * spread)
    geary = (n - 1) * (weight * (values[:, None] - values) ** 2).sum() / (2 * weight.sum() * spread)
    assert moran_and_geary(values, mask, spacing_mm) == pytest.approx((moran, geary), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("spacing_mm", [(3.0, 1.0, 1.0), (2.0, 2.5, 1.7), (9.0, 9.0, 9.0)])
def test_peaks_are_means_over_a_ball_of_one_millilitre(spacing_mm):
    volume, lesion = noise((6, 9, 10))
    image, mask = volume.array.astype(np.float64), lesion.mask("lesion")
    image[0, 0, 0] = np.nan
    means = {}
    for place in map(tuple, np.argwhere(mask)):
        inside = [
            image[other]
            for other in product(*map(range, image.shape))
            if np.linalg.norm(np.subtract(other, place) * spacing_mm) <= 6.2035 and np.isfinite(image[other])
        ]
        means[place] = np.mean(inside)
    top = [means[place] for place in means if image[place] == image[mask].max()]
    assert peaks.features(image, mask, spacing_mm) == pytest.approx([max(top), max(means.values())])

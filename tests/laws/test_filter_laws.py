"""Filters equal SciPy, NumPy, SimpleITK, scikit-image and their definitions, and never move an image."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.restoration import denoise_tv_chambolle
from tests.laws.strategies import examples

from isocenter import codes
from isocenter.geometry import Grid
from isocenter.ops import filters
from isocenter.reasons import Reason
from isocenter.volume import Source, Volume

SPACINGS = st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 1.7, 3.0])] * 3)
SHAPES = st.tuples(st.integers(4, 9), st.integers(4, 12), st.integers(4, 14))


@st.composite
def images(draw) -> Volume:
    """Arrays of whole numbers on anisotropic grids."""
    shape = draw(SHAPES)
    array = draw(hnp.arrays(np.int16, shape, elements=st.integers(-1000, 1000)))
    grid = Grid.from_vectors(shape, spacing_mm=draw(SPACINGS), origin_mm=(1, 2, 3))
    kind = draw(st.sampled_from([np.int16, np.float32]))
    sources = tuple(Source(f"1.{k}") for k in range(shape[0]))
    reasons = (Reason("FILTER_BEYOND_IMAGE", "An earlier one."),)
    return Volume(array.astype(kind), grid, codes.HU, modality="CT", sources=sources, reasons=reasons)


@given(images(), st.floats(0.3, 2.0))
@examples(0.7)
def test_a_gaussian_equals_scipy(image: Volume, sigma: float) -> None:
    want = ndimage.gaussian_filter(image.array.astype(np.float64), [sigma / step for step in image.spacing_mm])
    np.testing.assert_allclose(filters.gaussian(image, sigma).array, want, atol=2e-3)


@given(images(), st.floats(0.5, 2.0))
@examples(0.3)
def test_a_median_equals_scipy(image: Volume, radius: float) -> None:
    size = [2 * int(radius / step + 1e-6) + 1 for step in image.spacing_mm]
    np.testing.assert_array_equal(filters.median(image, radius).array, ndimage.median_filter(image.array, size))


@given(images())
@examples(0.3)
def test_a_gradient_equals_numpy_inside_and_simpleitk_everywhere(image: Volume) -> None:
    magnitude, vectors = filters.gradient_magnitude(image).array, filters.gradient(image).array
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), magnitude, rtol=1e-4, atol=1e-3)
    by_axis = vectors.astype(np.float64) @ image.grid.direction
    want = np.stack(np.gradient(image.array.astype(np.float64), *image.spacing_mm), axis=-1)
    for axis in range(3):
        inside = tuple(slice(1, -1) if other == axis else slice(None) for other in range(3))
        np.testing.assert_allclose(by_axis[(*inside, axis)], want[(*inside, axis)], atol=2e-3)
    itk = sitk.GetImageFromArray(image.array.astype(np.float64))
    itk.SetSpacing(image.spacing_mm[::-1])
    theirs = sitk.GetArrayFromImage(sitk.GradientMagnitude(itk))
    np.testing.assert_allclose(magnitude, theirs, rtol=1e-4, atol=2e-3)


@given(images())
@examples(0.2)
def test_a_sobel_length_is_that_of_scipy_per_mm(image: Volume) -> None:
    parts = [ndimage.sobel(image.array.astype(np.float64), axis) / (32 * image.spacing_mm[axis]) for axis in range(3)]
    np.testing.assert_allclose(filters.sobel(image).array, np.linalg.norm(parts, axis=0), rtol=1e-3, atol=2e-3)


@given(SHAPES, st.floats(1.0, 2.0), st.integers(0, 99))
@examples(0.2)
def test_a_laplacian_of_gaussian_equals_scipy_but_for_a_constant(
    shape: tuple[int, int, int], sigma: float, seed: int
) -> None:
    array = np.random.default_rng(seed).normal(0, 100, shape)
    image = Volume(array, Grid(shape, np.eye(4)))
    bias = ndimage.gaussian_laplace(np.ones((40, 40, 40)), sigma)[20, 20, 20]
    want = ndimage.gaussian_laplace(array, sigma) - bias * ndimage.gaussian_filter(array, sigma)
    got = filters.laplacian_of_gaussian(image, sigma).array
    np.testing.assert_allclose(got, want, atol=1e-3)
    scaled = filters.laplacian_of_gaussian(image, sigma, gamma=1).array
    np.testing.assert_allclose(scaled, got * sigma**2, rtol=1e-5, atol=1e-4)


@given(SHAPES, st.floats(5, 300), st.integers(0, 99))
@examples(0.2)
def test_total_variation_equals_scikit_image_on_voxels_of_one_mm(
    shape: tuple[int, int, int], weight: float, seed: int
) -> None:
    array = np.random.default_rng(seed).normal(0, 100, shape)
    want = denoise_tv_chambolle(array, weight=weight, eps=1e-9, max_num_iter=30)
    got = filters.total_variation(Volume(array, Grid(shape, np.eye(4))), weight, tolerance=1e-9, iterations=30).array
    np.testing.assert_allclose(got, want, atol=0.02)


def shifted(array: np.ndarray, step: tuple[int, int, int], reach: int) -> np.ndarray:
    padded = np.pad(array.astype(np.float64), reach, mode="symmetric")
    return padded[tuple(slice(reach + a, reach + a + n) for a, n in zip(step, array.shape, strict=True))]


@given(images(), st.floats(30, 500))
@examples(0.1)
def test_a_bilateral_average_equals_its_definition(image: Volume, sigma_value: float) -> None:
    sigma, total, want = 1.0, 0.0, 0.0
    for step in product(range(-5, 6), repeat=3):
        square = sum((a * length) ** 2 for a, length in zip(step, image.spacing_mm, strict=True)) / sigma**2
        if square > 6.25 + 1e-6:
            continue
        there = shifted(image.array, step, 5)
        weight = np.exp(-square / 2 - (there - image.array) ** 2 / (2 * sigma_value**2))
        total, want = total + weight, want + weight * there
    np.testing.assert_allclose(filters.bilateral(image, sigma, sigma_value).array, want / total, atol=0.05)


@given(SHAPES, st.integers(0, 99))
@examples(0.1)
def test_non_local_means_equal_their_definition(shape: tuple[int, int, int], seed: int) -> None:
    array = np.random.default_rng(seed).normal(0, 30, shape).cumsum(axis=1)
    total, want = 0.0, 0.0
    for step in product(range(-2, 3), repeat=3):
        square = np.pad(array, 3, mode="symmetric")
        whole = tuple(slice(3 + a - 1, 3 + a + n + 1) for a, n in zip(step, shape, strict=True))
        here = tuple(slice(2, 4 + n) for n in shape)
        square = (square[whole] - square[here]) ** 2
        apart = ndimage.uniform_filter(square, 3)[1:-1, 1:-1, 1:-1]
        weight = np.exp(-np.maximum(apart - 2 * 30**2, 0) / 24**2)
        total, want = total + weight, want + weight * shifted(array, step, 2)
    image = Volume(array, Grid(shape, np.eye(4)))
    np.testing.assert_allclose(filters.non_local_means(image, 30.0, search_mm=2.0).array, want / total, atol=0.05)


@given(images(), st.floats(20, 2000))
@examples(0.15)
def test_anisotropic_diffusion_equals_its_definition(image: Volume, edge: float) -> None:
    spacing = image.spacing_mm
    steps = int(np.ceil(0.6**2 * sum(1 / h**2 for h in spacing) / 0.9))
    now = image.array.astype(np.float64)
    for _ in range(steps):
        change = np.zeros_like(now)
        for axis, h in enumerate(spacing):
            for way in (-1, 1):
                slope = (shifted(now, tuple(way * (axis == other) for other in range(3)), 1) - now) / h
                change += slope * np.exp(-((slope / edge) ** 2)) / h
        now = now + 0.6**2 / 2 / steps * change
    np.testing.assert_allclose(filters.anisotropic_diffusion(image, 0.6, edge).array, now, atol=0.05)


def hessian(array: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    found = np.empty((*array.shape, 3, 3))
    unit = np.eye(3, dtype=int)
    for i, j in product(range(3), repeat=2):
        if i == j:
            second = shifted(array, tuple(unit[i]), 1) + shifted(array, tuple(-unit[i]), 1) - 2 * array
        else:
            signs = [(1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)]
            second = sum(s * shifted(array, tuple(a * unit[i] + b * unit[j]), 1) for a, b, s in signs) / 4
        found[..., i, j] = second / (spacing[i] * spacing[j])
    return found


@given(images(), st.floats(0.8, 2.0))
@examples(0.2)
def test_vesselness_equals_its_definition(image: Volume, scale: float) -> None:
    smooth = ndimage.gaussian_filter(image.array.astype(np.float64), [scale / h for h in image.spacing_mm])
    values = np.linalg.eigvalsh(hessian(smooth, image.spacing_mm) * scale**2)
    one, two, three = np.moveaxis(np.take_along_axis(values, np.abs(values).argsort(-1), -1), -1, 0)
    strength = (values**2).sum(axis=-1)
    with np.errstate(all="ignore"):
        tube = (1 - np.exp(-2 * (two / three) ** 2)) * np.exp(-2 * one**2 / np.abs(two * three))
        want = np.where((two < 0) & (three < 0), tube * (1 - np.exp(-strength / (2 * 50**2))), 0)
    got = filters.frangi(image, [scale], gamma=50).array
    doubtful = np.minimum(np.abs(two), np.abs(np.abs(one) - np.abs(two))) < 0.05  # rounding decides on the order
    np.testing.assert_allclose(got[~doubtful], want[~doubtful], atol=2e-3)


@given(images(), st.floats(0.5, 1.5), st.floats(10, 200))
@examples(0.3)
def test_edges_equal_their_definition(image: Volume, sigma: float, low: float) -> None:
    spacing = np.asarray(image.spacing_mm)
    smooth = ndimage.gaussian_filter(image.array.astype(np.float64), sigma / spacing)
    unit = np.eye(3, dtype=int)
    ahead = [shifted(smooth, tuple(u), 1) - shifted(smooth, tuple(-u), 1) for u in unit]
    slope = np.stack(ahead, axis=-1) / (2 * spacing)
    size = np.linalg.norm(slope, axis=-1)
    way = slope / spacing
    way /= np.maximum(np.abs(way).max(axis=-1, keepdims=True), 1e-30)
    place = np.moveaxis(np.indices(size.shape), 0, -1)
    up = ndimage.map_coordinates(size, np.moveaxis(place + way, -1, 0), order=1, mode="nearest")
    down = ndimage.map_coordinates(size, np.moveaxis(place - way, -1, 0), order=1, mode="nearest")
    thin = (size >= low) & (size > up) & (size >= down)
    labels, _ = ndimage.label(thin, np.ones((3, 3, 3)))
    want = thin & np.isin(labels, np.unique(labels[thin & (size >= 2 * low)]))
    nearly = [np.abs(size - up) < 1e-3 * size, np.abs(size - down) < 1e-3 * size, np.abs(size / low - 1) < 1e-3]
    if not any(level[size >= low / 2].any() for level in [*nearly, np.abs(size / (2 * low) - 1) < 1e-3]):
        np.testing.assert_array_equal(filters.canny(image, low, 2 * low, sigma_mm=sigma).mask("edge"), want)


RUNS: dict[str, Callable[[Volume], Volume]] = {
    "gaussian": lambda image: filters.gaussian(image, 0.9),
    "unsharp": lambda image: filters.unsharp(image, 0.9),
    "median": lambda image: filters.median(image, 1.0),
    "bilateral": lambda image: filters.bilateral(image, 0.9, 100.0),
    "non_local_means": lambda image: filters.non_local_means(image, 100.0, patch_mm=0.9, search_mm=1.9),
    "anisotropic_diffusion": lambda image: filters.anisotropic_diffusion(image, 0.6, 300.0),
    "total_variation": lambda image: filters.total_variation(image, 40.0, tolerance=1e-12, iterations=15),
    "gradient_magnitude": filters.gradient_magnitude,
    "sobel": filters.sobel,
    "laplacian_of_gaussian": lambda image: filters.laplacian_of_gaussian(image, 1.5),
    "frangi": lambda image: filters.frangi(image, [1.5], gamma=50.0),
}


STEEP = ("median", "gradient_magnitude", "sobel", "frangi")
"""What is not greatest where an impulse is."""


@pytest.mark.parametrize("name", RUNS)
@given(data=st.data())
@examples(0.1)
def test_permuted_axes_are_filtered_alike(name: str, data: st.DataObject) -> None:
    run = RUNS[name]
    order = data.draw(st.permutations((0, 1, 2)))
    image = data.draw(images())
    turned = Volume(image.array.transpose(order), image.grid.permute(order), codes.HU)
    one, other = run(image).array.transpose(order), run(turned).array
    atol = 5e-3 if name == "frangi" else 0.05
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=atol)


@pytest.mark.parametrize("name", RUNS)
def test_an_impulse_stays_where_it_is_and_so_does_the_image(name: str) -> None:
    array = np.zeros((11, 13, 15), np.int16)
    array[5, 6, 7] = 1000
    grid = Grid.from_vectors(array.shape, spacing_mm=(1.5, 1, 0.8), origin_mm=(5, 6, 7), frame_of_reference_uid="1.2")
    sources, reasons = tuple(Source(f"1.{k}") for k in range(11)), (Reason("NOISE_ADDED", "An earlier one."),)
    image = Volume(array, grid, codes.HU, modality="CT", sources=sources, reasons=reasons)
    result = RUNS[name](image)
    assert (result.grid, result.sources, result.modality) == (grid, sources, "CT")
    assert result.reasons[0] == reasons[0]
    slack = 5 if name == "total_variation" else 1e-3  # its differences run forward
    for axes in (0, 1, 2):
        np.testing.assert_allclose(result.array, np.flip(result.array, axes), atol=slack)
    assert np.unravel_index(np.abs(result.array).argmax(), array.shape) == (5, 6, 7) or name in STEEP
    assert array.sum() == 1000

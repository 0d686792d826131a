from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.geometry import Grid
from isocenter.ops.filters import gaussian, median
from isocenter.ops.filters.medians import in_box, network
from isocenter.volume import Volume


@pytest.mark.parametrize("n", [1, 3, 5, 9, 15, 25, 27, 45, 63])
def test_the_network_brings_the_median_to_its_place(n: int) -> None:
    random = np.random.default_rng(n)
    ones = random.permuted(np.arange(n) < random.integers(n + 1, size=(2000, 1)), axis=1)  # sorts these, sorts all
    for low, high in network(n)[:-1]:
        ones[:, [low, high]] = np.sort(ones[:, [low, high]], axis=1)
    place = network(n)[-1, 0]
    assert network(n)[-1, 1] == place
    np.testing.assert_array_equal(ones[:, place], ones.sum(axis=1) > n // 2)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("reach", [(0, 1, 1), (1, 1, 1), (2, 2, 2), (0, 4, 5), (0, 0, 0)])
def test_every_way_of_finding_the_median_equals_scipy(dtype: type, reach: tuple[int, int, int]) -> None:
    array = np.random.default_rng(1).integers(0, 200, (6, 13, 17)).astype(dtype)
    want = ndimage.median_filter(array, [2 * n + 1 for n in reach], mode="reflect")
    got = in_box(array, reach)
    np.testing.assert_array_equal(got, want)
    assert got.dtype == dtype


def test_the_box_reaches_voxels_whose_centres_lie_within_the_radius() -> None:
    array = np.random.default_rng(2).integers(-1000, 1000, (6, 13, 17)).astype(np.int16)
    image = Volume(array, Grid.from_vectors(array.shape, spacing_mm=(3, 0.5, 1)))
    result = median(image, 1.0)
    np.testing.assert_array_equal(result.array, ndimage.median_filter(array, (1, 5, 3), mode="reflect"))
    assert [reason.code for reason in result.reasons] == ["FILTER_FINER_THAN_VOXELS"]
    assert median(image, (3, 1, 1)).reasons == ()


def test_single_outliers_go_and_a_step_stays() -> None:
    array = np.zeros((7, 20, 20), np.int16)
    array[:, :, 10:] = 100
    noisy = array.copy()
    noisy[3, 5, 5], noisy[3, 9, 15] = 3000, -1000
    np.testing.assert_array_equal(median(Volume(noisy, Grid(array.shape, np.eye(4))), 1.0).array, array)


@pytest.mark.parametrize("dtype", [">i2", np.bool_, np.float16])
def test_values_in_other_forms_are_filtered_too(dtype: object) -> None:
    array = np.random.default_rng(2).integers(0, 2, (3, 8, 9)).astype(dtype)
    image = Volume(array, Grid(array.shape, np.eye(4)))
    want = ndimage.median_filter(array.astype(np.int16), 3, mode="reflect")
    np.testing.assert_array_equal(median(image, 1.0).array.astype(np.int16), want)
    assert median(image, 1.0).array.dtype == array.dtype.newbyteorder("=")
    smooth = gaussian(image, 1.0).array
    np.testing.assert_allclose(smooth, ndimage.gaussian_filter(array.astype(np.float32), 1.0), atol=1e-5)

"""Noise added is as large as stated; noise measured is as large as planted; smoothing takes it and leaves edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from isocenter.codes import HU, ONE
from isocenter.errors import InputError, Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops import filters
from isocenter.volume import Volume


def step(low: float = 0, high: float = 200, modality: str = "CT", unit: object = HU) -> Volume:
    """Two halves, (20, 48, 48) voxels of 2 x 0.8 x 0.8 mm."""
    array = np.full((20, 48, 48), low, np.int16)
    array[:, :, 24:] = high
    return Volume(array, Grid.from_vectors(array.shape, spacing_mm=(2, 0.8, 0.8)), unit, modality=modality)


def test_noise_has_the_stated_size_and_its_seed() -> None:
    clean = step()
    noisy = filters.gaussian_noise(clean, 20, seed=4)
    added = noisy.array - clean.array
    assert added.std() == pytest.approx(20, rel=0.02)
    assert abs(added.mean()) < 0.5
    assert [reason.code for reason in noisy.reasons] == ["NOISE_ADDED"]
    np.testing.assert_array_equal(noisy.array, filters.gaussian_noise(clean, 20, seed=4).array)
    by_generator = filters.gaussian_noise(clean, 20, seed=np.random.default_rng(4))
    np.testing.assert_array_equal(noisy.array, by_generator.array)
    assert (noisy.array != filters.gaussian_noise(clean, 20, seed=5).array).mean() > 0.99
    assert np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1] == pytest.approx(0, abs=0.1)


def test_rician_noise_of_nothing_is_rayleigh_and_that_of_a_strong_signal_gaussian() -> None:
    noisy = filters.rician_noise(step(0, 1000, "MR", ONE), 10, seed=1).array
    assert noisy[:, :, :24].mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.02)
    assert noisy[:, :, 24:].std() == pytest.approx(10, rel=0.02)


def test_poisson_noise_has_the_variance_of_counts() -> None:
    noisy = filters.poisson_noise(step(0, 40, "NM", ONE), 2.5, seed=1).array[:, :, 24:]
    assert noisy.mean() == pytest.approx(40, rel=0.01)
    assert noisy.var() == pytest.approx(40 / 2.5, rel=0.03)


def test_noise_that_does_not_fit_the_image_is_refused() -> None:
    with pytest.raises(UsageError, match="gaussian_noise"):
        filters.poisson_noise(step(), 1, seed=1)
    with pytest.raises(UsageError, match="gaussian_noise"):
        filters.rician_noise(step(-5), 1, seed=1)
    with pytest.raises(UsageError, match="at least 0"):
        filters.gaussian_noise(step(), -1, seed=1)
    for wrong in (None, -1, 1.5, "one"):
        with pytest.raises(UsageError, match="seed"):
            filters.gaussian_noise(step(), 1, seed=wrong)
    nan = Volume(np.full((3, 3, 3), np.nan), Grid((3, 3, 3), np.eye(4)))
    with pytest.raises(InputError):
        filters.gaussian_noise(nan, 1, seed=1)


@pytest.mark.parametrize("sigma", [5, 20, 60])
def test_noise_of_ct_is_measured_in_even_soft_tissue(sigma: float) -> None:
    array = np.full((12, 96, 96), -1000, np.int16)
    array[:, 10:86, 10:86] = 50
    array[:, 30:40, 30:40] = 900
    image = Volume(array, Grid.from_vectors(array.shape, spacing_mm=(2, 0.8, 0.8)), HU, modality="CT")
    noisy = filters.gaussian_noise(image, sigma, seed=2)
    found = filters.measure_noise(noisy)
    assert found.value == pytest.approx(sigma, rel=0.05)
    assert found.unit == HU
    blurred = noisy.with_array(ndimage.gaussian_filter(noisy.array - array, (0, 1, 1)) + array)
    inner = (blurred.array - array).std()
    assert filters.measure_noise(blurred).value == pytest.approx(inner, rel=0.2)
    assert filters.measure_noise(blurred, method="white").value < 0.6 * inner  # as its page says


@pytest.mark.parametrize("sigma", [10, 40, 90])
def test_noise_of_magnitudes_is_measured_at_any_signal(sigma: float) -> None:
    k, r, c = np.ogrid[:40, :80, :80]
    inside = ((k - 20) / 15) ** 2 + ((r - 40) / 30) ** 2 + ((c - 40) / 30) ** 2 < 1
    image = Volume(np.where(inside, 250, 0).astype(np.int16), Grid((40, 80, 80), np.eye(4)), modality="MR")
    noisy = filters.rician_noise(image, sigma, seed=2)
    assert filters.measure_noise(noisy).value == pytest.approx(sigma, rel=0.06)
    segment = Segmentation.of(inside, noisy, [Segment.named("object")], Algorithm("test", "1"))
    found = filters.measure_noise(noisy, segment)
    assert found.value == pytest.approx(sigma, rel=0.06)
    assert found.segments == ("object",)


def test_what_shows_no_noise_is_refused() -> None:
    air = Volume(np.full((4, 40, 40), -1000, np.int16), Grid((4, 40, 40), np.eye(4)), HU, modality="CT")
    with pytest.raises(Refused, match="NOISE_NOT_MEASURABLE"):
        filters.measure_noise(air)
    with pytest.raises(UsageError, match="in HU"):
        filters.measure_noise(air.with_array(air.array, unit=ONE))
    with pytest.raises(UsageError, match="The method is one of"):
        filters.measure_noise(air, method="guess")
    flat = air.with_array(np.full((4, 40, 40), 50, np.int16))
    assert filters.measure_noise(flat).value == 0
    assert filters.measure_noise(flat, method="rician").value == 0


SMOOTHERS = {
    "bilateral": lambda image: filters.bilateral(image, 2.0, 80.0),
    "non_local_means": lambda image: filters.non_local_means(image, 20.0, patch_mm=1.7, search_mm=2.5),
    "anisotropic_diffusion": lambda image: filters.anisotropic_diffusion(image, 2.0, 60.0),
    "total_variation": lambda image: filters.total_variation(image, 30.0),
}


@pytest.mark.parametrize("name", SMOOTHERS)
def test_noise_falls_and_the_edge_stays(name: str) -> None:
    clean = step()
    noisy = filters.gaussian_noise(clean, 20, seed=3)
    result = SMOOTHERS[name](noisy)
    assert (result.array - clean.array).std() < 0.55 * 20
    profile = result.array.mean(axis=(0, 1))
    assert profile[24] - profile[23] > 0.8 * 200
    again = SMOOTHERS[name](noisy.with_array(noisy.array[:1], grid=noisy.grid.crop((0, 0, 0), (1, 48, 48))))
    assert again.array.shape == (1, 48, 48)
    assert (again.array - clean.array[:1]).std() < 0.75 * 20


def test_iterations_that_do_not_suffice_are_told() -> None:
    noisy = filters.gaussian_noise(step(), 20, seed=3)
    result = filters.total_variation(noisy, 30.0, iterations=2)
    assert result.reasons[-1].code == "FILTER_UNFINISHED"
    four = Volume(np.stack([noisy.array] * 2, axis=-1), noisy.grid, axes=("time",))
    assert len(filters.total_variation(four, 30.0, iterations=2).reasons) == 1


@pytest.mark.parametrize(
    "run",
    [
        lambda image: filters.bilateral(image, 1.0, 0),
        lambda image: filters.non_local_means(image, 0),
        lambda image: filters.anisotropic_diffusion(image, 1.0, -1),
        lambda image: filters.anisotropic_diffusion(image, (1, 1, 1), 5),
        lambda image: filters.total_variation(image, 0),
        lambda image: filters.total_variation(image, 5, iterations=0),
    ],
)
def test_wrong_strengths_are_refused(run: object) -> None:
    with pytest.raises(UsageError):
        run(step())

"""The denoiser that learns from one image, on a real chest with noise planted in it.

Voxels are averaged 2 x 2 x 2 first, so that the truth has little noise of its own. Tissue is told from the slices
beside each slice, whose noise is another, so that no voxel is chosen by its own noise.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import isocenter as iso
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.nets.denoising.denoise import denoised
from isocenter.nets.denoising.noise_model import NoiseModel, noise_of

pytestmark = pytest.mark.real

NOISE, GRAIN = 30.0, 0.8


@pytest.fixture(scope="module")
def chest(shared_data):
    """The truth, and the truth with noise."""
    ct = read(next(one for one in scan(shared_data / "chest_ct_covid_P001") if one.modality == "CT"))
    array = ct.array[50:74].reshape(12, 2, 256, 2, 256, 2).mean((1, 3, 5), dtype=np.float32)[:, 30:226, 10:246]
    spacing = tuple(2 * one for one in ct.spacing_mm)
    grid = Grid.from_vectors(array.shape, spacing_mm=spacing, origin_mm=(0, 0, 0))
    truth = ct.on(grid, np.ascontiguousarray(array))
    apart = np.arange(-5, 6)
    alike = NOISE**2 * np.exp(-(apart[:, None] ** 2 + apart**2) / (4 * GRAIN**2))
    return truth, truth.with_array(truth.array + NoiseModel(NOISE, alike, 0.0).drawn(truth.shape, 9))


@pytest.fixture(scope="module")
def clean(chest):
    return denoised(chest[1])


def test_planted_noise_is_found(chest):
    truth, noisy = chest
    native = noise_of(truth).size
    assert noise_of(noisy).size == pytest.approx(np.hypot(NOISE, native), rel=0.1)


def test_less_is_left_than_by_filters_tuned_by_the_truth(chest, clean):
    truth, noisy = chest
    pixel = truth.spacing_mm[1]
    sizes = {"patch_mm": (0, 2 * pixel, 2 * pixel), "search_mm": (truth.spacing_mm[0], 5 * pixel, 5 * pixel)}
    tuned = [
        *(iso.filters.non_local_means(noisy, NOISE, strength=one, **sizes) for one in (0.8, 1.0, 1.2)),
        *(iso.filters.bilateral(noisy, one * pixel, 1.5 * NOISE) for one in (1.2, 2.0)),
    ]
    errors = [float(np.sqrt(np.mean((one.array - truth.array) ** 2))) for one in (clean, *tuned)]
    assert errors[0] < 0.97 * min(errors[1:])


def test_the_mean_of_each_tissue_stays_right_also_near_its_edges(chest, clean):
    truth, _ = chest
    beside = np.pad(truth.array, ((1, 1), (0, 0), (0, 0)), mode="reflect")
    beside = ndimage.gaussian_filter((beside[2:] + beside[:-2]) / 2, (0, 1.5, 1.5))
    slopes = np.hypot(*(ndimage.sobel(beside, axis) / 8 for axis in (1, 2)))
    edge = ndimage.binary_dilation(slopes > 25, np.ones((1, 5, 5)))
    checked = 0
    for low, high in ((-1100, -950), (-900, -700), (-120, -80), (20, 90), (300, 3000)):
        tissue = (beside > low) & (beside < high)
        for where in (tissue, tissue & edge):
            if np.count_nonzero(where) > 2000:
                checked += 1
                chance = NOISE * np.sqrt(4 * np.pi * GRAIN**2 / np.count_nonzero(where))  # of the noise's own mean
                assert abs(float((clean.array - truth.array)[where].mean())) < 1 + chance
    assert checked >= 9

"""The denoiser that learns from the one image it is given, on a phantom whose truth is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

import isocenter as iso
from isocenter import codes
from isocenter.errors import InputError, Refused, UsageError
from isocenter.geometry import Grid
from isocenter.nets.denoising.denoise import denoised
from isocenter.nets.denoising.noise_model import NoiseModel, noise_of
from isocenter.testing.phantom import ChestOptions, chest_grid, chest_phantom
from isocenter.volume import Volume

NOISE, GRAIN = 30.0, 0.8
TISSUES = {"air": (-1100, -950), "lung": (-950, -600), "fat": (-130, -50), "soft": (0, 120), "bone": (200, 3000)}


def grainy() -> NoiseModel:
    """As that of a Gaussian of 0.8 pixels over white noise."""
    apart = np.arange(-5, 6)
    return NoiseModel(NOISE, NOISE**2 * np.exp(-(apart[:, None] ** 2 + apart**2) / (4 * GRAIN**2)), 0.0)


@cache
def scene() -> tuple[Volume, Volume, Volume]:
    """The truth, the truth with noise, and what is made of it."""
    truth = chest_phantom(chest_grid((8, 176, 224), (3, 1.7, 1.7)), options=ChestOptions(noise_hu=0)).volume
    noisy = truth.with_array(truth.array + grainy().drawn(truth.shape, 9))
    return truth, noisy, denoised(noisy)


def error(volume: Volume) -> float:
    return float(np.sqrt(np.mean((volume.array - scene()[0].array) ** 2)))


def test_noise_is_found_as_it_was_made():
    found = noise_of(scene()[1])
    assert found.size == pytest.approx(NOISE, rel=0.12)
    assert found.alike[5, 6] / found.alike[5, 5] == pytest.approx(np.exp(-1 / (4 * GRAIN**2)), abs=0.08)
    assert found.through < 0.05


def test_noise_is_drawn_as_it_was_found():
    drawn = NoiseModel(NOISE, grainy().alike, 0.3).drawn((40, 96, 96), 3)
    assert drawn.std() == pytest.approx(NOISE, rel=0.02)
    assert np.mean(drawn[:, 1:] * drawn[:, :-1]) / drawn.var() == pytest.approx(np.exp(-1 / (4 * GRAIN**2)), abs=0.02)
    assert np.mean(drawn[1:] * drawn[:-1]) / drawn.var() == pytest.approx(0.3, abs=0.02)
    assert abs(np.mean(drawn[2:] * drawn[:-2]) / drawn.var()) < 0.02
    assert np.array_equal(drawn, NoiseModel(NOISE, grainy().alike, 0.3).drawn((40, 96, 96), 3))


def test_less_is_left_than_by_any_filter_tuned_by_the_truth():
    _, noisy, clean = scene()
    tuned = [
        *(iso.filters.bilateral(noisy, width, share * NOISE) for width in (2.0, 3.0) for share in (1.5, 2.0)),
        *(
            iso.filters.non_local_means(noisy, NOISE, strength=strength, patch_mm=(0, 3.2, 3.2), search_mm=(3, 8, 8))
            for strength in (1.0, 1.3, 1.6)
        ),
        iso.filters.total_variation(noisy, 1.5 * NOISE),
    ]
    assert error(clean) < 0.97 * min(error(one) for one in tuned)
    assert error(clean) < 0.41 * error(noisy)


def test_the_mean_of_each_tissue_stays_right_also_at_its_edges():
    truth, noisy, clean = scene()
    missed = clean.array - truth.array
    for low, high in TISSUES.values():
        tissue = (truth.array >= low) & (truth.array < high)
        inside = ndimage.binary_erosion(tissue, np.ones((1, 7, 7)))
        for where in (inside, tissue & ~inside):
            if np.count_nonzero(where) > 3000:
                chance = abs(float((noisy.array - truth.array)[where].mean()))
                assert abs(float(missed[where].mean())) < 1 + chance


def test_it_is_told_reproducible_and_leaves_the_image_alone():
    _, noisy, clean = scene()
    before = noisy.array.copy()
    assert [one.code for one in clean.reasons if one not in noisy.reasons] == ["DENOISED"]
    assert (clean.grid, clean.unit, clean.sources, clean.array.dtype) == (
        noisy.grid,
        noisy.unit,
        noisy.sources,
        np.float32,
    )
    half = denoised(noisy, strength=0.5)
    assert np.array_equal(half.array, np.float32(0.5) * clean.array + np.float32(0.5) * noisy.array)
    assert np.array_equal(noisy.array, before)
    assert "0.5" in half.reasons[-1].message


def test_a_single_slice_of_another_unit_is_done_and_doubted():
    noisy = scene()[1]
    grid = noisy.grid.crop((4, 0, 0), (5, *noisy.grid.shape[1:]))
    picture = Volume(noisy.array[4:5] + 1000, grid, codes.ONE, modality="MR")
    out = denoised(picture)
    truth = scene()[0].array[4:5] + 1000
    assert np.std(out.array - truth) < 0.7 * np.std(picture.array - truth)
    assert [one.code for one in out.reasons] == ["DENOISED", "NOISE_MODEL_DOUBTFUL"]


def test_what_cannot_be_denoised_is_refused():
    noisy = scene()[1]
    with pytest.raises(Refused):
        denoised(noisy.with_array(np.full(noisy.shape, 40.0)))
    with pytest.raises(Refused):
        denoised(noisy.with_array(np.full(noisy.shape, -1000.0)))
    with pytest.raises(InputError):
        denoised(noisy.with_array(np.where(noisy.array > 100, np.nan, noisy.array)))
    small = Volume(noisy.array[:3, :10, :10], Grid((3, 10, 10), np.eye(4)), codes.HU)
    with pytest.raises(Refused):
        denoised(small)
    series = Volume(np.stack([noisy.array] * 2, axis=-1), noisy.grid, codes.HU, axes=("time",))
    for wrong in (
        lambda: denoised(series),
        lambda: denoised(noisy.array),
        lambda: denoised(noisy, strength=0),
        lambda: denoised(noisy, strength=1.5),
        lambda: denoised(noisy, seed=-1),
    ):
        with pytest.raises(UsageError):
            wrong()

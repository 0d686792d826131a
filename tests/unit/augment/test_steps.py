"""What each step does to values, in the units that it states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from isocenter.augment import (
    Affine,
    Augmentation,
    BiasField,
    Blur,
    Contrast,
    DoseNoise,
    Drawn,
    Elastic,
    Flip,
    Gain,
    Gamma,
    Ghosting,
    LowResolution,
    Motion,
    Noise,
    RicianNoise,
    Scale,
    Shift,
    Spikes,
    Window,
    preset,
)
from isocenter.augment.counting import keys, uniform
from isocenter.augment.on_arrays import white
from isocenter.errors import InputError, UsageError

SHAPE = (12, 40, 36)
NOTHING = np.zeros((1, *SHAPE), np.float32)


def smooth() -> np.ndarray:
    k, r, c = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return (5 + np.sin(k / 4) + np.cos(r / 6) * np.sin(c / 5)).astype(np.float32)[None]


def done(step, image, **scale):
    return Drawn((step,)).apply(image, scale=Scale(**scale)).images[0]


def test_noise_is_normal_and_without_pattern():
    values = np.concatenate([white((64, 64, 64), keys(seed)).ravel() for seed in (0, 1, 2**40)])
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    assert abs(values.std() - 1) < 4 / np.sqrt(2 * values.size)
    assert stats.kstest(values[::3], "norm").pvalue > 1e-3
    lags = [np.mean(values[lag:] * values[:-lag]) for lag in (1, 2, 64, 64 * 64, 64**3)]
    assert np.abs(lags).max() < 5 / np.sqrt(values.size)


def test_uniform_numbers_fill_their_range():
    values = uniform(np.arange(20000), 7)
    assert stats.kstest(values, "uniform").pvalue > 1e-3
    assert values.min() >= 0
    assert values.max() < 1


def test_a_translation_is_in_millimetres_along_any_spacing():
    image = np.zeros((1, 9, 21, 21), np.float32)
    image[0, 4, 10, 10] = 1
    step = Affine(rotation_degrees=0.0, scale=1.0, translation_mm=(5.0, -4.0, 1.5))
    moved = done(step, image, spacing_mm=(5, 2, 0.5))
    assert np.unravel_index(moved.argmax(), moved.shape) == (5, 8, 13)
    assert moved.max() == pytest.approx(1, abs=1e-5)


def test_a_scale_above_one_enlarges():
    image = np.zeros((1, 1, 41, 41), np.float32)
    image[0, :, 15:26, 15:26] = 1
    larger = done(Affine(rotation_degrees=0.0, scale=1.5), image)
    assert larger.sum() == pytest.approx(1.5**2 * image.sum(), rel=0.05)


def test_a_slice_is_moved_within_itself_alone():
    image = smooth()[:, :1]
    step = Affine(rotation_degrees=(40.0, 0.0, 0.0), scale=1.0)
    out_of_it = Affine(rotation_degrees=(0.0, 40.0, 40.0), scale=(2.0, 1.0, 1.0), translation_mm=(9.0, 0.0, 0.0))
    assert np.abs(done(step, image) - image[0]).max() > 0.1
    assert np.allclose(done(out_of_it, image), image[0], atol=1e-5)


def test_elastic_moves_no_farther_than_stated():
    ramp = np.indices(SHAPE).astype(np.float32)
    step = Elastic(displacement_mm=3.0, control_mm=9.0, seed=4)
    out = Drawn((step,)).apply(ramp, scale=Scale((2, 1, 0.5))).images
    away = np.abs(out - ramp) * np.array([2, 1, 0.5])[:, None, None, None]
    assert 0.5 < away.max() <= 3.0


def test_shift_and_dose_are_in_hu_of_a_scaled_ct():
    scale = {"zero": 3.0, "one": 0.01}
    assert np.allclose(done(Shift(size=50), NOTHING, **scale), 0.5)
    assert np.allclose(done(Gain(factor=1.1), NOTHING, **scale), -0.3)
    grainy = done(DoseNoise(dose=0.25, noise_hu=20, grain_mm=0.8, seed=5), np.zeros((1, 20, 128, 128)), **scale)
    assert grainy.std() == pytest.approx(0.01 * 20 * np.sqrt(3), rel=0.03)
    alike = np.mean(grainy[:, 1:] * grainy[:, :-1]) / grainy.var()
    assert alike == pytest.approx(np.exp(-1 / (4 * 0.8**2)), abs=0.02)
    assert abs(np.mean(grainy[1:] * grainy[:-1]) / grainy.var()) < 0.02, "slices have noise of their own"


def test_channels_have_noise_of_their_own():
    out = Drawn((Noise(size=1.0, seed=3),)).apply(np.zeros((2, *SHAPE))).images
    assert abs(np.corrcoef(out[0].ravel(), out[1].ravel())[0, 1]) < 0.03


def test_rician_noise_of_no_signal_is_rayleigh():
    out = done(RicianNoise(size=0.5, seed=1), np.zeros((1, 30, 60, 60)), zero=0.0)
    assert out.mean() == pytest.approx(0.5 * np.sqrt(np.pi / 2), rel=0.01)
    assert stats.kstest(out.ravel()[::7], "rayleigh", (0, 0.5)).pvalue > 1e-3


def test_gamma_keeps_the_ends_and_bends_the_middle():
    image = smooth()
    low, high = image.min(), image.max()
    expected = ((image[0] - low) / (high - low)) ** 0.7 * (high - low) + low
    assert np.allclose(done(Gamma(exponent=0.7), image), expected, atol=1e-5)
    assert np.allclose(done(Gamma(exponent=2.0), NOTHING), 0)


def test_contrast_keeps_the_mean():
    out = done(Contrast(factor=0.5), smooth())
    assert out.mean() == pytest.approx(smooth().mean(), rel=1e-5)
    assert out.std() == pytest.approx(0.5 * smooth().std(), rel=1e-4)


def test_steps_of_one_kind_are_merged():
    from isocenter.augment.passes import Along, Channel, Linear

    channel = Channel(SHAPE, (1.0, 1.0, 1.0), 0.0, 1.0, 0.0, 2.0, 1.0, 0)
    chain = Drawn(
        (Shift(size=1), Gain(factor=2), Contrast(factor=1.5), Blur(sigma_mm=1.0), LowResolution(thickness_mm=3))
    )
    passes = chain.passes(channel)
    assert [type(one) for one in passes] == [Linear, Along]
    image = smooth()
    one_by_one = image
    for step in chain.steps:
        one_by_one = Drawn((step,)).apply(one_by_one, scale=Scale(zero=0.0)).images
    assert np.allclose(chain.apply(image, scale=Scale(zero=0.0)).images, one_by_one, atol=1e-3)


def test_a_bias_field_is_smooth_and_no_stronger_than_stated():
    field = done(BiasField(size=0.4, control_mm=20, seed=9), np.ones((1, *SHAPE)), zero=0.0)
    assert np.exp(-0.4) <= field.min() < 0.95
    assert 1.05 < field.max() <= np.exp(0.4)
    assert np.abs(np.diff(field, axis=2)).max() < 0.1


def test_blur_is_a_gaussian_in_millimetres():
    image = np.random.default_rng(0).standard_normal((1, *SHAPE)).astype(np.float32)
    out = done(Blur(sigma_mm=(2.0, 1.0, 1.0)), image, spacing_mm=(2, 1, 0.5))
    assert np.allclose(out, ndimage.gaussian_filter(image[0], (1, 1, 2)), atol=2e-4)


def test_thick_slices_are_means_and_lose_no_signal():
    image = np.zeros((1, 12, 3, 3), np.float32)
    image[0, 6] = 1
    out = done(LowResolution(thickness_mm=4.0), image, spacing_mm=(1, 1, 1))
    assert out[:, 1, 1].max() <= 0.25 + 1e-6
    assert out[:, 1, 1].sum() == pytest.approx(1, rel=0.15)
    assert np.allclose(done(LowResolution(thickness_mm=4.0), np.full((1, *SHAPE), 7.0)), 7, atol=1e-5)
    assert np.array_equal(done(LowResolution(thickness_mm=4.0), smooth(), spacing_mm=(5, 1, 1)), smooth()[0])


def test_ghosts_lie_where_they_should():
    image = np.zeros((1, 1, 64, 8), np.float32)
    image[0, 0, 32] = 1
    line = done(Ghosting(ghosts=4, strength=0.5), image, zero=0.0)[0, :, 4]
    assert {0, 16, 32, 48} == set(np.argsort(line)[-4:])
    assert np.allclose(done(Ghosting(ghosts=4, strength=0.5), np.full((1, *SHAPE), 3.0), zero=0.0), 3, atol=1e-4)


def test_motion_blurs_and_leaves_the_image_where_it_is():
    image = np.zeros((1, 4, 64, 64), np.float32)
    image[0, :, 24:40, 24:40] = 1
    still = done(Motion(translation_mm=0.0, moves=2, seed=1), image, zero=0.0)
    moved = done(Motion(translation_mm=3.0, moves=2, seed=1), image, zero=0.0)
    assert np.allclose(still, image[0], atol=1e-5)
    assert np.abs(moved - image[0]).max() > 0.1
    middle = ndimage.center_of_mass(np.where(moved > 0.5, moved, 0))
    assert np.allclose(middle, (1.5, 31.5, 31.5), atol=1.0)


def test_spikes_are_waves_of_the_stated_size():
    out = done(Spikes(count=1, size=0.2, seed=2), np.full((1, *SHAPE), 10.0), zero=0.0)
    assert np.abs(out - 10).max() == pytest.approx(0.2, rel=0.05)
    assert out.mean() == pytest.approx(10, abs=0.01)


def test_smooth_labels_have_rounder_borders_than_nearest_ones():
    r, c = np.ogrid[:60, :60]
    labels = ((r - 30) ** 2 + (c - 30) ** 2 < 400).astype(np.uint8)[None]
    image = labels[None].astype(np.float32)
    step = Affine(rotation_degrees=(30.0, 0.0, 0.0), scale=1.3)
    truth = Drawn((step,)).apply(image).images[0] > 0.5
    errors = [np.sum((Drawn((step,), way).apply(image, labels).labels > 0) != truth) for way in ("nearest", "smooth")]
    assert errors[1] < errors[0]
    assert errors[1] <= 2


@pytest.mark.parametrize("kind", ["CT", "MR", "photograph"])
def test_a_preset_draws_what_it_says(kind):
    chain = preset(kind, mirror_axes=(2,))
    drawn = [chain.sample(np.random.default_rng(seed)) for seed in range(300)]
    met = {type(step).__name__ for one in drawn for step in one.steps}
    assert met == {type(step).__name__ for step in chain.steps}
    turns = [
        abs(angle) for one in drawn for step in one.steps if isinstance(step, Affine) for angle in step.rotation_degrees
    ]
    assert 14 < max(turns) <= 15


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Affine(scale=0.0),
        lambda: Affine(rotation_degrees=(15.0, -15.0)),
        lambda: Affine(rotation_degrees="15"),
        lambda: Noise(size=-1.0),
        lambda: Noise(size=float("nan")),
        lambda: Noise(seed=-1),
        lambda: Noise(probability=1.5),
        lambda: Elastic(displacement_mm=9.0, control_mm=20.0),
        lambda: Flip(axes=(3,)),
        lambda: LowResolution(axis=4),
        lambda: Augmentation((Elastic(), Elastic())),
        lambda: Augmentation((Noise(),), labels="linear"),
        lambda: Augmentation(("noise",)),
        lambda: Drawn((Noise(),)),
        lambda: preset("XR"),
        lambda: Scale((1, 0, 1)),
        lambda: Scale(one=-1.0),
        lambda: Drawn(()).apply(np.zeros(SHAPE)),
        lambda: Drawn(()).apply(NOTHING, np.zeros((2, 2, 2), np.uint8)),
        lambda: Drawn(()).apply(NOTHING, np.zeros(SHAPE)),
        lambda: Drawn(()).apply(NOTHING.astype(complex)),
        lambda: Drawn(()).apply(NOTHING, window=Window((0, 0, 0), (0, 4, 4))),
        lambda: Drawn((Shift(size=1),)).apply(np.zeros((3, *SHAPE)), scale=Scale(one=(1.0, 2.0))),
        lambda: Drawn((Elastic(displacement_mm=0.001, control_mm=0.01, seed=1),)).apply(NOTHING),
    ],
)
def test_what_is_wrong_is_said(wrong):
    with pytest.raises(UsageError):
        wrong()


def test_values_that_are_no_numbers_are_refused():
    image = NOTHING.copy()
    image[0, 3, 3, 3] = np.nan
    with pytest.raises(InputError):
        Drawn(()).apply(image)
    image[0, :, :6] = np.nan
    turned = Drawn((Affine(rotation_degrees=0.0, scale=0.5),))
    with pytest.raises(InputError):
        turned.apply(image, window=Window((4, 10, 10), (8, 20, 20)))
    with pytest.raises(InputError):
        Drawn.from_dict({"steps": [{"step": "Sharpen"}], "labels": "nearest"})
    with pytest.raises(InputError):
        Drawn.from_dict({})

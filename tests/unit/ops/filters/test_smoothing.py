from __future__ import annotations

import numpy as np
import pytest

from isocenter.codes import HU
from isocenter.errors import InputError, UsageError
from isocenter.geometry import Grid, Space
from isocenter.ops.filters import gaussian, median, unsharp
from isocenter.volume import Source, Volume


def volume(array: np.ndarray, spacing_mm: tuple[float, float, float] = (1, 1, 1)) -> Volume:
    return Volume(array, Grid.from_vectors(array.shape[:3], spacing_mm=spacing_mm), HU, modality="CT")


def impulse(shape: tuple[int, int, int] = (9, 9, 9)) -> np.ndarray:
    array = np.zeros(shape, np.int16)
    array[tuple(n // 2 for n in shape)] = 1000
    return array


def test_a_gaussian_is_as_wide_as_it_is_told_in_millimetres_along_each_axis() -> None:
    smooth = gaussian(volume(impulse((41, 41, 41)), (2, 0.5, 1)), 2.0)
    place = [np.arange(-20, 21) * step for step in (2, 0.5, 1)]
    for axis, x in enumerate(place):
        profile = smooth.array.sum(axis=tuple({0, 1, 2} - {axis}))
        assert np.sqrt((profile * x**2).sum() / profile.sum()) == pytest.approx(2.0, rel=0.01)
    assert smooth.array.dtype == np.float32
    assert smooth.unit == HU


def test_lengths_of_three_axes_are_told_apart() -> None:
    only_rows = gaussian(volume(impulse()), (0, 1, 0)).array
    assert np.count_nonzero(only_rows) == 9
    assert np.count_nonzero(only_rows[4, :, 4]) == 9


def test_a_picture_is_filtered_in_its_plane() -> None:
    picture = volume(impulse((1, 21, 21)), (7, 1, 1))
    smooth = gaussian(picture, 1.5)
    assert smooth.array.sum() == pytest.approx(1000, rel=1e-4)
    assert smooth.reasons == ()


def test_each_time_point_is_smoothed_by_itself() -> None:
    array = np.stack([impulse(), 3 * impulse()], axis=-1)
    four = Volume(array, Grid((9, 9, 9), np.eye(4)), axes=("time",))
    smooth = gaussian(four, 1.0).array
    np.testing.assert_allclose(smooth[..., 1], 3 * smooth[..., 0], rtol=1e-6)


def test_a_gaussian_narrower_than_the_voxels_says_that_it_does_nothing() -> None:
    thick = volume(impulse(), (10, 1, 1))
    smooth = gaussian(thick, 1.0)
    assert [reason.code for reason in smooth.reasons] == ["FILTER_FINER_THAN_VOXELS"]
    assert "slices" in smooth.reasons[0].message
    assert np.count_nonzero(smooth.array.any(axis=(1, 2))) == 1


def test_a_gaussian_nearly_as_long_as_the_image_says_so() -> None:
    smooth = gaussian(volume(impulse((5, 40, 40))), 4.0)
    assert [reason.code for reason in smooth.reasons] == ["FILTER_BEYOND_IMAGE"]
    with pytest.raises(UsageError, match="longer than the image"):
        gaussian(volume(impulse()), 20.0)


@pytest.mark.parametrize("sigma", [-1, np.nan, np.inf, (1, 1), "wide", None])
def test_what_is_no_length_is_refused(sigma: object) -> None:
    with pytest.raises(UsageError, match="sigma_mm"):
        gaussian(volume(impulse()), sigma)


@pytest.mark.parametrize("run", [lambda image: gaussian(image, 1.0), lambda image: median(image, 1.0)])
def test_what_cannot_be_filtered_is_refused(run: object) -> None:
    array = impulse().astype(np.float32)
    array[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        run(volume(array))
    with pytest.raises(InputError, match="too large"):
        run(volume(impulse().astype(np.float64) * 1e39))
    with pytest.raises(UsageError, match="real numbers"):
        run(volume(array.astype(np.complex64)))
    with pytest.raises(UsageError, match="unknown"):
        run(Volume(impulse(), Grid((9, 9, 9), np.eye(4), space=Space.PIXEL)))
    with pytest.raises(UsageError, match="Volume"):
        run(array)


def test_place_unit_sources_and_reasons_stay() -> None:
    sources = tuple(Source(f"1.{k}") for k in range(9))
    image = Volume(impulse(), Grid((9, 9, 9), np.diag([1.0, 2, 3, 1])), HU, modality="CT", sources=sources)
    smooth = gaussian(image, (0.1, 1, 1))
    assert smooth.grid == image.grid
    assert smooth.sources == sources
    again = gaussian(smooth, 2.0)
    assert again.reasons == smooth.reasons
    assert image.array.sum() == 1000


def test_sharpening_adds_what_smoothing_takes_away() -> None:
    image = volume(np.random.default_rng(0).integers(-900, 900, (9, 10, 11)).astype(np.int16), (2, 1, 1))
    sharp = unsharp(image, 1.5, amount=0.7)
    want = image.array + 0.7 * (image.array - gaussian(image, 1.5).array)
    np.testing.assert_allclose(sharp.array, want, atol=2e-3)
    with pytest.raises(UsageError, match="amount"):
        unsharp(image, 1.5, amount=np.nan)

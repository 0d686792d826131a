"""Filters of IBSI 2 against their definitions, written out plainly, and the laws that they obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.geometry import Grid, Space
from isocenter.ops.responses import Gabor, LaplacianOfGaussian, Laws, Mean, Riesz, SeparableWavelet, Simoncelli
from isocenter.volume import Volume

SHAPE = (14, 16, 18)
ALL = (
    Mean(3),
    Mean(5, "2D", "zero"),
    LaplacianOfGaussian(1.5),
    LaplacianOfGaussian(2.0, dimension="2D", boundary="periodic"),
    Laws("E5L5S5"),
    Laws("L3E3", pooling="max", energy=2, boundary="nearest"),
    Gabor(2.0, 4.0, 0.7, step=math.pi / 4, dimension="3D"),
    Gabor(2.0, 4.0, angle=0.4),
    SeparableWavelet("db3", "LLH", 2, pooling="mean"),
    SeparableWavelet("haar", "HL"),
    Simoncelli(2),
    Simoncelli(1, "2D"),
    Riesz(Simoncelli(1), (1, 0, 1)),
    Riesz(LaplacianOfGaussian(1.5, dimension="2D"), (0, 1)),
)


def _volume(array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
    return Volume(array, Grid.from_vectors(array.shape[:3], spacing_mm=spacing), codes.HU, modality="CT")


def _noise(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 100, shape)


def _impulse() -> np.ndarray:
    array = np.zeros((21, 21, 21))
    array[10, 10, 10] = 1
    return array


@pytest.mark.parametrize("one", ALL, ids=repr)
def test_the_response_is_linear_but_for_moduli_and_extremes(one) -> None:
    array = _noise()
    response = one.response(_volume(array))
    doubled = one.response(_volume(2 * array)).array
    assert (response.array.dtype, response.shape) == (np.float32, SHAPE)
    np.testing.assert_allclose(doubled, 2 * response.array, rtol=1e-4, atol=0.02)
    assert response.unit == (codes.HU if isinstance(one, Mean) else codes.ONE)


@pytest.mark.parametrize("one", [one for one in ALL if not isinstance(one, Mean | Gabor)], ids=repr)
def test_a_flat_image_gives_no_response(one) -> None:
    """But for its mean, and a wave that is long against its Gaussian; sampled Laplacians sum to nearly 0."""
    flat = one.response(_volume(np.full((16, 16, 16), 50.0))).array[4:-4, 4:-4, 4:-4]
    assert np.abs(flat).max() < 0.5


@pytest.mark.parametrize(
    "one",
    [
        Mean(3),
        LaplacianOfGaussian(1.5),
        Laws("L5E5E5", pooling="max", energy=2),
        SeparableWavelet("coif1", "LLH", pooling="mean"),
        Simoncelli(1),
    ],
    ids=repr,
)
def test_turning_the_image_turns_the_response(one) -> None:
    array = _noise((15, 15, 15))
    turned = np.rot90(array, axes=(0, 2))
    expected = np.rot90(one.response(_volume(array)).array, axes=(0, 2))
    np.testing.assert_allclose(one.response(_volume(turned.copy())).array, expected, atol=2e-3)


def test_each_slice_is_filtered_by_itself_in_2d() -> None:
    array = _noise()
    for one in ALL:
        if getattr(one, "dimension", "") == "2D" or len(getattr(one, "band", "xxx")) == 2:
            alone = one.response(_volume(array[4:5])).array[0]
            np.testing.assert_allclose(one.response(_volume(array)).array[4], alone, atol=1e-3)


@pytest.mark.parametrize("boundary", ["zero", "nearest", "periodic", "mirror"])
def test_the_mean_is_the_mean_of_the_padded_image(boundary) -> None:
    array = _noise((6, 7, 8))
    mode = {"zero": "constant", "nearest": "edge", "periodic": "wrap", "mirror": "symmetric"}[boundary]
    padded = np.pad(array, 2, mode=mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5, 5))
    found = Mean(5, boundary=boundary).response(_volume(array)).array
    np.testing.assert_allclose(found, windows.mean(axis=(3, 4, 5)), atol=1e-3)


def test_the_laplacian_of_gaussian_is_the_sampled_formula() -> None:
    k = np.arange(-10, 11)
    z, y, x = np.meshgrid(k, k, k, indexing="ij")
    square = (x**2 + y**2 + z**2) / 2.0**2
    formula = -(3 - square) / 2.0**2 * np.exp(-square / 2) / (math.sqrt(2 * math.pi) * 2.0) ** 3
    formula[np.maximum(np.maximum(abs(x), abs(y)), abs(z)) > 8] = 0
    found = LaplacianOfGaussian(2.0, boundary="zero").response(_volume(_impulse())).array
    np.testing.assert_allclose(found, formula, atol=1e-7)


def test_a_scale_in_millimetres_covers_fewer_of_larger_voxels() -> None:
    fine = LaplacianOfGaussian(3.0).response(_volume(_impulse())).array[10, 10, 10]
    coarse = LaplacianOfGaussian(3.0).response(_volume(_impulse(), (2.0, 2.0, 2.0))).array[10, 10, 10]
    assert coarse == pytest.approx(LaplacianOfGaussian(1.5).response(_volume(_impulse())).array[10, 10, 10])
    assert abs(coarse) > abs(fine)


def test_the_laplacian_bends_alike_along_every_axis_whatever_the_spacing() -> None:
    """A parabola along x, y or z has one second derivative: of 2 per mm2, 0.64 of it per side of 0.8 mm squared."""
    shape, spacing = (24, 60, 90), (2.5, 1.0, 0.8)
    places = np.moveaxis(np.indices(shape), 0, -1) * spacing
    for axis in range(3):
        bowl = _volume((places[..., axis] - places[..., axis].mean()) ** 2, spacing)
        found = LaplacianOfGaussian(4.0).response(bowl).array
        assert abs(found[12, 30, 45] - 2 * 0.64) < 0.02


def test_laws_kernels_run_along_columns_rows_and_slices() -> None:
    found = Laws("L5E5S5", boundary="zero").response(_volume(_impulse())).array[8:13, 8:13, 8:13]
    level = np.array([1, 4, 6, 4, 1]) / math.sqrt(70)
    edge = np.array([-1, -2, 0, 2, 1]) / math.sqrt(10)
    spot = np.array([-1, 0, 2, 0, -1]) / math.sqrt(6)
    np.testing.assert_allclose(found, spot[:, None, None] * edge[:, None] * level, atol=1e-6)


def test_turns_by_right_angles_are_24_and_mirror_nothing() -> None:
    from isocenter.ops.responses.laws import KERNELS
    from isocenter.ops.responses.turning import turned

    odd = np.array([1.0, 2.0, 4.0])
    assert len(turned([[odd, odd * 3, odd * 5]], (2, 1, 0))) == 24
    assert len(turned([[odd, odd * 3]], (2, 1))) == 4
    edges = turned([[KERNELS["L5"], KERNELS["E5"], KERNELS["E5"]]], (2, 1, 0))
    assert len(edges) == 12
    kernels = [tuple(kernel[1] for kernel in one) for one in turned([[odd, odd * 3, odd * 5]], (2, 1, 0))]
    mirrored = (odd[::-1], odd * 3, odd * 5)
    assert not any(all(np.array_equal(a, b) for a, b in zip(one, mirrored, strict=True)) for one in kernels)


def test_the_gabor_response_is_the_modulus_of_the_convolution() -> None:
    array = _noise((1, 31, 33))
    found = Gabor(1.0, 3.0, 0.8, angle=0.6, boundary="zero").response(_volume(array, (2, 0.9, 1.0))).array[0]
    rows, columns = np.arange(-10, 11) * 0.9, np.arange(-9, 10) * 1.0
    x, y = columns[None, :], rows[:, None]
    along, across = x * math.cos(0.6) + y * math.sin(0.6), y * math.cos(0.6) - x * math.sin(0.6)
    kernel = np.exp(-(along**2 + 0.64 * across**2) / 2 + 2j * math.pi * along / 3)
    parts = [ndimage.convolve(array[0], part, mode="constant") for part in (kernel.real, kernel.imag)]
    np.testing.assert_allclose(found, np.hypot(*parts), rtol=1e-3, atol=0.05)


def test_bands_of_a_wavelet_are_those_of_pywavelets() -> None:
    pywt = pytest.importorskip("pywt")
    array = _noise((1, 16, 32))
    theirs = pywt.swt2(array[0], "db2", level=1)[0]
    ours = {band: SeparableWavelet("db2", band, boundary="periodic") for band in ("LL", "LH", "HL", "HH")}
    found = {band: one.response(_volume(array)).array[0] for band, one in ours.items()}
    approximation, (horizontal, vertical, diagonal) = theirs
    pairs = {"LL": approximation, "LH": horizontal, "HL": vertical, "HH": diagonal}
    for band, expected in pairs.items():
        shifts = [np.roll(found[band], (r, c), (0, 1)) for r in range(-2, 3) for c in range(-2, 3)]
        assert min(np.abs(shift - expected).max() for shift in shifts) < 1e-3, band


def test_components_of_a_riesz_transform_hold_the_energy_of_the_response() -> None:
    array = _noise((16, 16, 16))
    array -= array.mean()
    whole = Simoncelli(1).response(_volume(array)).array
    parts = [Riesz(Simoncelli(1), order).response(_volume(array)).array for order in np.eye(3, dtype=int).tolist()]
    assert sum(float((part**2).sum()) for part in parts) == pytest.approx(float((whole**2).sum()), rel=0.1)


def test_color_and_time_are_filtered_apart() -> None:
    array = np.stack([_noise(), _noise() + 7], axis=-1)
    volume = Volume(array, Grid.from_vectors(SHAPE), axes=("time",))
    alone = Mean(3).response(_volume(array[..., 1].copy())).array
    np.testing.assert_allclose(Mean(3).response(volume).array[..., 1], alone)


def test_what_cannot_be_filtered_is_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        Mean(3).response(_volume(np.full((3, 3, 3), np.nan)))
    with pytest.raises(UsageError, match="unknown"):
        LaplacianOfGaussian(1).response(Volume(np.zeros((1, 9, 9)), Grid((1, 9, 9), np.eye(4), space=Space.PIXEL)))
    assert Mean(3).response(Volume(np.ones((1, 9, 9)), Grid((1, 9, 9), np.eye(4), space=Space.PIXEL))).array.all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Mean(4), "odd"),
        (lambda: Mean(3, "4D"), "dimension"),
        (lambda: Mean(3, boundary="wrap"), "boundary"),
        (lambda: LaplacianOfGaussian(0), "positive"),
        (lambda: Laws("L5X5"), "Laws"),
        (lambda: Laws("L5E5", pooling="sum"), "pooling"),
        (lambda: Laws("L5E5", energy=-1), "energy"),
        (lambda: Gabor(0, 1), "positive"),
        (lambda: Gabor(1, 1, step=0), "step"),
        (lambda: SeparableWavelet("db99", "LL"), "no discrete wavelet"),
        (lambda: SeparableWavelet("db3", "LX"), "band"),
        (lambda: SeparableWavelet("db3", "LL", 0), "level"),
        (lambda: Simoncelli(0), "level"),
        (lambda: Riesz(Mean(3), (0, 0)), "order"),
    ],
)
def test_impossible_settings_are_refused(make, said) -> None:
    with pytest.raises(UsageError, match=said):
        make()

"""What the noise of one image is like, found in the image itself: how strong, and how alike in neighbouring voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.augment.counting import keys
from isocenter.augment.on_arrays import white
from isocenter.errors import Refused
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Floats, Triple
from isocenter.ops.filters import measure_noise
from isocenter.reasons import Reason
from isocenter.volume import Volume

Singles = npt.NDArray[np.float32]

_BLOCK = 12
_REACH = 5
_NEAR = 3  # pixels apart, at which noise is still alike
_EVEN = (0.6, 1.15)
"""Blocks whose deviation is so many times the noise show nothing else."""
_FEWEST = 40
_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Gaussian noise, the same everywhere in an image.

    Parameters
    ----------
    size
        Standard deviation, in the unit of the image.
    alike
        (11, 11): covariance of voxels of a slice up to 5 rows and columns apart; its middle is the variance.
    through
        Correlation of neighbouring slices, from 0 to 0.5.
    """

    size: float
    alike: Floats = field(repr=False)
    through: float

    def drawn(self, shape: Triple, seed: int) -> Singles:
        """Noise of this kind: the same for the same seed and shape."""
        from scipy import fft

        grey = white((shape[0] + 1, *shape[1:]), keys(seed))
        mixed = (1 - np.sqrt(1 - 4 * self.through**2)) / (2 * self.through) if self.through > 0 else 0.0
        pair = (grey[:-1] + np.float32(mixed) * grey[1:]) / np.float32(np.hypot(1, mixed))
        covariance = np.zeros(shape[1:])
        rows, columns = np.ogrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
        np.add.at(covariance, (rows % shape[1], columns % shape[2]), self.alike)
        power = np.clip(fft.fft2(covariance).real, 0, None)
        power *= self.size**2 / power.mean()
        spread = np.sqrt(power[:, : shape[2] // 2 + 1])
        out: Singles = np.stack([fft.irfft2(fft.rfft2(plane) * spread, shape[1:]) for plane in pair])
        return out.astype(np.float32)


def noise_of(volume: Volume) -> NoiseModel:
    """The noise of an image, from blocks as even as discs of 7 mm often are, for CT in soft tissue.

    Raises
    ------
    Refused
        With ``NOISE_NOT_MEASURABLE`` if there are too few of either, or there is no noise.
    """
    size = _in_discs(volume)
    if size == 0:
        raise Refused([Reason("NOISE_NOT_MEASURABLE", "Even tissue has no noise.")])
    blocks = [one - one.mean(axis=(1, 2), keepdims=True) for one in _blocks(volume)]
    for _ in range(_ROUNDS):  # the second starts from what the first found, no longer from discs
        limits = (_EVEN[0] * size, _EVEN[1] * size)
        even = np.concatenate([one[_within(one, limits)] for one in blocks])
        if len(even) < _FEWEST:
            raise Refused([Reason("NOISE_NOT_MEASURABLE", f"Only {len(even)} blocks of 12 x 12 pixels are even.")])
        alike = _covariance(even)
        size = float(np.sqrt(alike[_REACH, _REACH]))
    return NoiseModel(size, alike, _through(blocks, limits))


def _in_discs(volume: Volume) -> float:
    """Most frequent standard deviation in discs: of soft tissue in CT, else of all."""
    if volume.unit == codes.HU:
        return measure_noise(volume, method="tissue").value
    whole = Segmentation.of(np.ones(volume.shape, np.bool_), volume, [Segment.named("all")], Algorithm("all", "1"))
    return measure_noise(volume, whole, method="tissue").value


def _blocks(volume: Volume) -> Iterator[Floats]:
    """Blocks (n, 12, 12) of each slice."""
    rows, columns = (n // _BLOCK for n in volume.array.shape[1:])
    for plane in volume.array:
        cut = plane[: rows * _BLOCK, : columns * _BLOCK].astype(np.float64)
        yield cut.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2).reshape(-1, _BLOCK, _BLOCK)


def _within(flat: Floats, limits: tuple[float, float]) -> npt.NDArray[np.bool_]:
    spreads = flat.std(axis=(1, 2))
    within: npt.NDArray[np.bool_] = (spreads > limits[0]) & (spreads < limits[1])
    return within


def _covariance(flat: Floats) -> Floats:
    """Mean product of pixels by how far they are apart, with what the blocks' means took away put back."""
    wide = 2 * _BLOCK
    power = np.abs(np.fft.rfft2(flat, (wide, wide))) ** 2
    sums = np.fft.irfft2(power.mean(axis=0), (wide, wide))
    apart = np.arange(-_REACH, _REACH + 1)
    pairs = (_BLOCK - np.abs(apart))[:, None] * (_BLOCK - np.abs(apart))
    found = sums[np.ix_(apart % wide, apart % wide)] / pairs
    near = found[_REACH - _NEAR : _REACH + _NEAR + 1, _REACH - _NEAR : _REACH + _NEAR + 1]
    taken = near.sum() / (_BLOCK**2 - near.size)  # the mean's variance is the sum of all covariances by the pixels
    covariance: Floats = found + max(taken, 0.0)
    return covariance


def _through(blocks: list[Floats], limits: tuple[float, float]) -> float:
    """Correlation of even blocks with those in the next slice."""
    products, squares = 0.0, 0.0
    for one, other in pairwise(blocks):
        both = _within(one, limits) & _within(other, limits)
        products += float((one[both] * other[both]).sum())
        squares += float((one[both] ** 2 + other[both] ** 2).sum()) / 2
    return float(np.clip(products / squares, 0, 0.5)) if squares > 0 else 0.0

"""A denoiser that learns from the one noisy image it is given: no other data, no clean image, no weights to load."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.geometry import Floats
from isocenter.nets.denoising.filter_mix import Mix, learned, slabs
from isocenter.nets.denoising.noise_model import noise_of
from isocenter.ops.filters.smoothing import smooth
from isocenter.ops.filters.values import check_values
from isocenter.ops.lattice import expect_three_axes, spacing_of
from isocenter.reasons import Reason
from isocenter.volume import Volume

Singles = npt.NDArray[np.float32]

_VOXELS = 3_000_000
_NEAR = (1.0, 2.0, 2.0)
"""Slices, and pairs of rows and columns: standard deviation of the surroundings whose mean is kept. Wider ones give
the even lung what is missing at the feet of its vessels."""
_STEEP = 0.8
"""Noise per voxel: where values change faster there is an edge."""


def denoised(volume: Volume, *, strength: float = 1.0, seed: int = 0) -> Volume:
    """The volume with less noise: filters mixed as its own noise teaches, with the mean of each tissue kept.

    The noise is measured in even parts of the image, how strong and how alike in neighbouring voxels, as that of CT is.
    More of the same kind is added to learn how filters are best mixed, by value and by structure (``filter_mix``).
    Then what is left of a difference from the image, averaged over voxels of like value about 4 pixels around, at
    edges by themselves, is given back, since noise has the mean 0: what is measured as a mean stays right.

    Parameters
    ----------
    volume
        The image, with three axes; its noise is taken to be added, Gaussian, and as strong everywhere.
    strength
        Share of the difference that is taken, above 0 and up to 1.
    seed
        Where the noise for learning comes from; the result is the same for the same seed.

    Returns
    -------
    An estimate, as float32, with the reason ``DENOISED``: structures about as strong as the noise may be gone or
    changed. Time: 4 to 5 seconds of a core for each million voxels, and as much again for learning, from 3 million
    at most. Memory: about six times the image as float32.

    Raises
    ------
    UsageError
        If the volume has further axes or no spacing, or holds no real numbers, or the strength is none.
    InputError
        If a value is NaN or infinite.
    Refused
        With ``NOISE_NOT_MEASURABLE`` if too little of the image is even, or there is no noise.
    """
    expect_three_axes(volume, "An image is denoised")
    check_values(volume)
    spacing_of(volume.grid)
    if not (isinstance(strength, int | float) and 0 < strength <= 1):
        raise UsageError(f"The strength is above 0 and up to 1, not {strength!r}.")
    if not (isinstance(seed, int | np.integer) and seed >= 0):
        raise UsageError(f"A seed is a whole number from 0, not {seed!r}.")
    noise = noise_of(volume)
    mix = learned(volume, noise, seed=int(seed), voxels=_VOXELS)
    out = np.empty(volume.shape, np.float32)
    for start, stop in slabs(volume.shape[0]):
        out[start:stop] = mix.applied(volume, (start, stop))
    _give_back(volume, out, mix)
    if strength < 1:
        out *= np.float32(strength)
        out += np.float32(1 - strength) * volume.array
    return volume.with_array(out).with_reasons(_reasons(volume, noise.size, strength))


def _give_back(volume: Volume, out: Singles, mix: Mix) -> None:
    """Add the mean difference from the image around each voxel, among voxels of its tissue, to an estimate."""
    part = _kinds(out, mix.values, _STEEP * mix.noise)
    given = np.zeros_like(out)
    for kind in np.unique(part):
        here = part == kind
        missing, weight = (_around(one) for one in (np.where(here, volume.array - out, np.float32(0)), here))
        weight += np.float32(1e-3)
        missing /= weight
        wide = missing.repeat(2, axis=1).repeat(2, axis=2)[:, : out.shape[1], : out.shape[2]]
        given += np.where(here, wide, np.float32(0))
    out += given


def _kinds(values: Singles, borders: Floats, steep: float) -> npt.NDArray[Any]:
    """Tissue of each voxel, and whether it lies at an edge."""
    found = np.empty(values.shape, np.uint8)
    for k, plane in enumerate(values):
        slopes = [np.gradient(plane, axis=axis) if plane.shape[axis] > 1 else 0.0 * plane for axis in range(2)]
        found[k] = 2 * np.digitize(plane, borders) + (np.hypot(*slopes) > steep)
    return found


def _around(values: npt.NDArray[Any]) -> Singles:
    """Means of 2 x 2 pixels, smoothed."""
    depth, rows, columns = values.shape
    padded = np.zeros((depth, rows + rows % 2, columns + columns % 2), np.float32)
    padded[:, :rows, :columns] = values
    halved = padded.reshape(depth, padded.shape[1] // 2, 2, padded.shape[2] // 2, 2).mean(axis=(2, 4))
    k, r, c = (size if n > 1 else 0.0 for size, n in zip(_NEAR, halved.shape, strict=True))
    return smooth(np.ascontiguousarray(halved), (k, r, c))


def _reasons(volume: Volume, noise: float, strength: float) -> list[Reason]:
    size = f"{noise:.3g} {volume.unit.value}"
    text = f"Noise of {size} was taken out at strength {strength:g}: the values are an estimate."
    found = [Reason("DENOISED", text)]
    if volume.unit != codes.HU:
        found.append(
            Reason("NOISE_MODEL_DOUBTFUL", "The noise was taken to be Gaussian and as strong everywhere, as in CT.")
        )
    return found

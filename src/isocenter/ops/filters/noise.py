"""Noise models: noise of a stated size added to an image, the same for the same seed on any number of cores.

How much noise an image has is measured in ``noise_level``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.kernels import over_slices
from isocenter.ops.filters.values import Singles, as_singles, check_values
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

Seed = int | np.random.Generator


def gaussian_noise(volume: Volume, standard_deviation: float, *, seed: Seed) -> Volume:
    """The volume with white Gaussian noise, as that of a reconstructed CT before its kernel correlates it.

    Parameters
    ----------
    volume
        The image.
    standard_deviation
        In the unit of the image.
    seed
        A number, or a generator, from which one number is drawn.

    Returns
    -------
    The volume as float32 with the reason ``NOISE_ADDED``; nothing is clipped or rounded.

    Raises
    ------
    UsageError
        If it is no volume of real numbers, the standard deviation is negative, or the seed is none.
    InputError
        If a value is NaN or infinite.
    """
    _check_size(standard_deviation)

    def add(part: Singles, random: np.random.Generator) -> None:
        part += np.float32(standard_deviation) * random.standard_normal(part.shape, np.float32)

    return _with_noise(volume, add, seed, f"Gaussian noise of {standard_deviation:g}")


def rician_noise(volume: Volume, standard_deviation: float, *, seed: Seed) -> Volume:
    """The volume with the noise of an MR magnitude image: ``sqrt((value + n1)^2 + n2^2)``, n1 and n2 Gaussian.

    Source: Gudbjartsson and Patz, The Rician distribution of noisy MRI data, 1995. Otherwise as :func:`gaussian_noise`;
    magnitudes must not be negative.
    """
    _check_size(standard_deviation)
    check_values(volume)
    if volume.unit == codes.HU or volume.array.min() < 0:
        raise UsageError("Rician noise is that of magnitudes, which are not negative: for CT take gaussian_noise.")

    def add(part: Singles, random: np.random.Generator) -> None:
        size = np.float32(standard_deviation)
        part += size * random.standard_normal(part.shape, np.float32)
        np.hypot(part, size * random.standard_normal(part.shape, np.float32), out=part)

    return _with_noise(volume, add, seed, f"Rician noise of {standard_deviation:g}")


def poisson_noise(volume: Volume, counts_per_unit: float, *, seed: Seed) -> Volume:
    """The volume with the noise of counting, as of a scintigram: Poisson of ``value * counts_per_unit``, scaled back.

    For values in proportion to counts alone. Photons of a CT are counted before the reconstruction, so its images have
    no Poisson noise: take :func:`gaussian_noise`; magnitudes of MR have :func:`rician_noise`. Otherwise as
    :func:`gaussian_noise`; values must not be negative.
    """
    check_values(volume)
    if not 0 < counts_per_unit < np.inf:
        raise UsageError(f"counts_per_unit is above 0, not {counts_per_unit}.")
    if volume.unit == codes.HU or volume.array.min() < 0:
        raise UsageError("Counts are not negative and not in HU: for CT take gaussian_noise, for MR rician_noise.")

    def count(part: Singles, random: np.random.Generator) -> None:
        part[:] = random.poisson(part.astype(np.float64) * counts_per_unit) / counts_per_unit

    return _with_noise(volume, count, seed, f"Poisson noise of {counts_per_unit:g} counts per unit")


def _check_size(standard_deviation: float) -> None:
    if not 0 <= standard_deviation < np.inf:
        raise UsageError(f"A standard deviation is at least 0, not {standard_deviation}.")


def _with_noise(
    volume: Volume, change: Callable[[Singles, np.random.Generator], None], seed: Seed, what: str
) -> Volume:
    """Each slice with a generator of its own, so that threads may take them in any order."""
    check_values(volume)
    if not isinstance(seed, np.random.Generator) and not (isinstance(seed, int | np.integer) and seed >= 0):
        raise UsageError(f"A seed is a whole number from 0, or a generator of NumPy, not {seed!r}.")
    out: Array = as_singles(volume.array)
    roots = np.random.SeedSequence(int(np.random.default_rng(seed).integers(2**63))).spawn(out.shape[0])

    def work(start: int, stop: int) -> None:
        for k in range(start, stop):
            change(out[k], np.random.Generator(np.random.SFC64(roots[k])))

    over_slices(work, out.shape)
    return volume.with_array(out).with_reasons([Reason("NOISE_ADDED", f"{what} was added.")])

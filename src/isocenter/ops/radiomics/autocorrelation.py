"""Moran's I and Geary's C (IBSI manual, section 3.1): whether near voxels are alike.

Each pair of voxels weighs one over its distance in millimetres. The sums over all pairs are taken in Fourier space:
with ``n`` voxels in the box around the region in time n log n instead of n squared, all of them, to six digits.
Memory: about 100 bytes for each voxel of that box.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.volume import Array

Spectrum = npt.NDArray[np.complex64]

MOST_VOXELS = 16_000_000
"""Size of a box beyond which both are left out."""


def moran_and_geary(
    values: Floats, mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> tuple[float, float]:
    """Moran's I and Geary's C; NaN where no two voxels differ, or the box has more than 16 million voxels.

    Parameters
    ----------
    values
        Intensities of the voxels of the mask, in C order.
    mask
        The intensity mask (slice, row, column), cut to its box.
    spacing_mm
        Spacing along (slice, row, column).
    """
    number = len(values)
    if values.min() == values.max() or mask.size > MOST_VOXELS:
        return math.nan, math.nan
    away = (values - values.mean()) / values.std()
    weights = _weights(mask.shape, spacing_mm)
    moran, ones = _pairs(_spectrum(away, mask, weights.shape), weights), _spectrum(np.ones(number), mask, weights.shape)
    pairs = _pairs(ones, weights)
    squares = _pairs_of_two(_spectrum(away**2, mask, weights.shape), ones, weights)
    return moran / pairs, (number - 1) * (squares - moran) / (pairs * number)


def _weights(shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.float32]:
    """Spectrum of the weights over all steps between voxels of a box: one octant of it, as they are even."""
    from scipy import fft

    half = [fft.next_fast_len(n, real=True) for n in shape]
    k, r, c = (np.arange(size + 1) * step for size, step in zip(half, spacing_mm, strict=True))
    squared = k[:, None, None] ** 2 + r[:, None] ** 2 + c**2
    squared[0, 0, 0] = np.inf  # a voxel is no neighbour of itself
    found: npt.NDArray[np.float32] = fft.dctn(1 / np.sqrt(squared), type=1, overwrite_x=True).astype(np.float32)
    return found


def _spectrum(values: Floats, mask: npt.NDArray[np.bool_], octant: tuple[int, ...]) -> Spectrum:
    """Spectrum of a field in a box of zeros, twice as long, which are transformed where they are no longer all zero."""
    from scipy import fft

    field = np.zeros(mask.shape, np.float32)
    field[mask] = values
    whole = [2 * (size - 1) for size in octant]
    found: Spectrum = fft.rfft(field, whole[2], axis=2)
    for axis in (1, 0):
        found = fft.fft(found, whole[axis], axis=axis, overwrite_x=True)
    return found


@kernel
def _pairs(one: Array, weights: Array) -> float:
    """Sum over all ordered pairs of voxels of weight times values, by Parseval's theorem, up to one factor for all."""
    return _pairs_of_two(one, one, weights)


@kernel
def _pairs_of_two(one: Array, other: Array, weights: Array) -> float:
    """The same of the values of one field at the one voxel and of another at the other."""
    slices, rows, columns = one.shape
    total = 0.0
    for k in range(slices):
        for r in range(rows):
            line = 0.0
            for c in range(columns):
                a, b = one[k, r, c], other[k, r, c]
                term = weights[min(k, slices - k), min(r, rows - r), c] * (a.real * b.real + a.imag * b.imag)
                line += term if c in (0, columns - 1) else 2 * term  # whose mirror image is not held
            total += line
    return total

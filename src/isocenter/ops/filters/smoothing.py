"""Gaussian smoothing, and what is made of it alone: sharpening. Derivatives lie in ``derivatives``."""

from __future__ import annotations

import numpy as np

from isocenter.errors import UsageError
from isocenter.kernels import compiled, over_slices
from isocenter.ops.filters.reach import Lengths, about_gaussian, in_voxels, lengths_of
from isocenter.ops.filters.values import Singles, filtered, mirrored
from isocenter.ops.lattice import Spacing
from isocenter.volume import Array, Volume

_TRUNCATED = 4.0  # standard deviations

Taps = tuple[Singles, Singles, Singles]


def gaussian(volume: Volume, sigma_mm: Lengths) -> Volume:
    """The volume smoothed by a Gaussian.

    Parameters
    ----------
    volume
        The image.
    sigma_mm
        Standard deviation in millimetres: one, or one for each of (slice, row, column); 0 leaves an axis as it is.

    Returns
    -------
    The volume as float32. Edges are mirrored; the sampled Gaussian ends at four standard deviations, as that of
    ``scipy.ndimage.gaussian_filter``. Memory: input and output, and one slice per thread.

    Raises
    ------
    UsageError
        If the image has no spacing, or ``sigma_mm`` is no length or longer than the image.
    InputError
        If a value is NaN or infinite.
    """
    lengths = lengths_of(sigma_mm, "sigma_mm")
    smoothed = filtered(volume, lambda part: smooth(part, in_voxels(volume, lengths)))
    return smoothed.with_reasons(about_gaussian(volume, in_voxels(volume, lengths)))


def unsharp(volume: Volume, sigma_mm: Lengths, *, amount: float = 1.0) -> Volume:
    """The volume sharpened: what a Gaussian takes away is added once more, times ``amount``.

    Otherwise as :func:`gaussian`. Values may leave the range of the image: nothing is clipped.
    """
    if not np.isfinite(amount):
        raise UsageError(f"The amount of sharpening is a finite number, not {amount}.")
    lengths = lengths_of(sigma_mm, "sigma_mm")

    def sharpened(part: Array) -> Singles:
        out = smooth(part, in_voxels(volume, lengths))
        out *= np.float32(-amount)
        for k, values in enumerate(part):
            out[k] += values * np.float32(1 + amount)
        return out

    return filtered(volume, sharpened).with_reasons(about_gaussian(volume, in_voxels(volume, lengths)))


def smooth(array: Array, sigma: Spacing) -> Singles:
    """A prepared array smoothed by a Gaussian of ``sigma`` voxels along (slice, row, column)."""
    k, r, c = (half_gaussian(s) for s in sigma)
    return convolved(array, (k, r, c))


def half_gaussian(sigma: float, order: int = 0) -> Singles:
    """The sampled Gaussian, or its second derivative, from its middle on, for a standard deviation in voxels."""
    radius = int(_TRUNCATED * sigma + 0.5)
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (x / sigma) ** 2) if radius else np.ones(1)
    weights /= weights.sum()
    if order == 2:
        curved = weights * (x**2 / sigma**2 - 1) / sigma**2
        weights = curved - weights * curved.sum()  # a constant has no curvature
    half: Singles = weights[radius:].astype(np.float32)
    return half


def convolved(array: Array, taps: Taps) -> Singles:
    """A prepared array convolved along (slice, row, column) with symmetric kernels, given from their middle on."""
    out = np.empty(array.shape, np.float32)
    over_slices(lambda start, stop: _convolve(array, taps, out, (start, stop)), array.shape)
    return out


@compiled(fastmath={"contract", "reassoc", "nsz"})
def _convolve(array: Array, taps: Taps, out: Singles, span: tuple[int, int]) -> None:
    """Slice by slice, so that all passes but the first find their values in the cache."""
    depth, rows, columns = array.shape
    across, down, along = taps
    plane = np.empty((rows, columns), np.float32)
    reach = along.size - 1
    line = np.empty(columns + 2 * reach, np.float32)
    for k in range(span[0], span[1]):
        for r in range(rows):
            _start(array[k, r], across[0], plane[r])
            for j in range(1, across.size):
                _add(array[mirrored(k - j, depth), r], array[mirrored(k + j, depth), r], across[j], plane[r])
        for r in range(rows):
            middle = line[reach : reach + columns]
            _start(plane[r], down[0], middle)
            for j in range(1, down.size):
                _add(plane[mirrored(r - j, rows)], plane[mirrored(r + j, rows)], down[j], middle)
            for j in range(reach):
                line[j] = middle[mirrored(j - reach, columns)]
                line[reach + columns + j] = middle[mirrored(columns + j, columns)]
            _start(middle, along[0], out[k, r])
            for j in range(1, along.size):
                left, right = line[reach - j : reach - j + columns], line[reach + j : reach + j + columns]
                _add(left, right, along[j], out[k, r])


@compiled(fastmath={"contract", "reassoc", "nsz"})
def _start(values: Array, weight: float, into: Singles) -> None:
    for c in range(into.size):
        into[c] = weight * np.float32(values[c])


@compiled(fastmath={"contract", "reassoc", "nsz"})
def _add(left: Array, right: Array, weight: float, into: Singles) -> None:
    for c in range(into.size):
        into[c] += weight * (np.float32(left[c]) + np.float32(right[c]))

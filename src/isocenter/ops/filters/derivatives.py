"""Derivatives along lengths: gradient, Sobel operator, Laplacian of Gaussian. What is an edge is said in ``edges``.

Differences are central, ``(next - previous) / (2 * spacing)``, and one-sided over twice the spacing at the faces, as
the mirrored image has it: inside equal to ``numpy.gradient``, everywhere to SimpleITK's gradient filters.
"""

from __future__ import annotations

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.kernels import compiled, over_slices
from isocenter.ops.filters.reach import Lengths, about_gaussian, in_voxels, lengths_of
from isocenter.ops.filters.smoothing import convolved, half_gaussian, smooth
from isocenter.ops.filters.values import Singles, filtered, per_mm, prepared
from isocenter.ops.lattice import expect_three_axes, spacing_of
from isocenter.volume import Array, Volume

_NARROWEST = 0.5  # voxels; a sampled second derivative of a narrower Gaussian is none

_LOOSE = {"contract", "reassoc", "nsz"}


def gradient(volume: Volume, *, sigma_mm: Lengths = 0.0) -> Volume:
    """The gradient as a vector in world coordinates.

    Parameters
    ----------
    volume
        The image, with three axes.
    sigma_mm
        Standard deviation of a Gaussian that smooths first.

    Returns
    -------
    float32 (slice, row, column, 3) with the further axis ``"direction"``: the derivative along x, y and z (LPS; of a
    picture in its plane), in the unit of the image per mm.

    Raises
    ------
    UsageError
        If the volume has further axes or no spacing, or ``sigma_mm`` is no length or longer than the image.
    InputError
        If a value is NaN or infinite.
    """
    expect_three_axes(volume, "A gradient is taken")
    lengths, halves = lengths_of(sigma_mm, "sigma_mm"), _halves(volume)
    turn = volume.grid.direction.astype(np.float32)

    def vectors(part: Array) -> Singles:
        smoothed = smooth(part, in_voxels(volume, lengths))
        out = np.empty((*part.shape, 3), np.float32)
        over_slices(lambda start, stop: _vectors(smoothed, halves, turn, out, (start, stop)), part.shape)
        return out

    result = filtered(volume, vectors, axes=("direction",), unit=per_mm(volume.unit))
    return result.with_reasons(about_gaussian(volume, in_voxels(volume, lengths)))


def gradient_magnitude(volume: Volume, *, sigma_mm: Lengths = 0.0) -> Volume:
    """The length of the gradient, in the unit of the image per mm; otherwise as :func:`gradient`, for any axes."""
    expect(volume, Volume)
    lengths, halves = lengths_of(sigma_mm, "sigma_mm"), _halves(volume)
    result = filtered(
        volume, lambda part: steepness(smooth(part, in_voxels(volume, lengths)), halves), unit=per_mm(volume.unit)
    )
    return result.with_reasons(about_gaussian(volume, in_voxels(volume, lengths)))


def sobel(volume: Volume) -> Volume:
    """The length of the Sobel gradient, in the unit of the image per mm.

    Central differences along each axis, smoothed by (1, 2, 1) / 4 along the others: on a ramp it equals
    :func:`gradient_magnitude`. ``scipy.ndimage.sobel`` is ``2 * spacing * 4`` times a component in a plane, four times
    more in a volume.
    """
    expect(volume, Volume)
    halves = _halves(volume)

    def sobel_length(part: Array) -> Singles:
        square = np.zeros(part.shape, np.float32)
        wide, none = np.array([0.5, 0.25], np.float32), np.ones(1, np.float32)
        for axis in (axis for axis in range(3) if part.shape[axis] > 1):
            k, r, c = (none if other == axis else wide for other in range(3))
            only = np.zeros(3, np.float32)
            only[axis] = halves[axis]
            square += steepness(convolved(part, (k, r, c)), only) ** 2
        return np.sqrt(square, out=square)

    return filtered(volume, sobel_length, unit=per_mm(volume.unit))


def laplacian_of_gaussian(volume: Volume, sigma_mm: float, *, gamma: float = 0.0) -> Volume:
    """The sum of the second derivatives of the image smoothed by a Gaussian.

    Negative in bright blobs, positive in dark ones. The sampled kernels end at four standard deviations, as those of
    ``scipy.ndimage.gaussian_laplace``, and answer 0 to a constant, as those of SciPy do not quite.

    Parameters
    ----------
    volume
        The image.
    sigma_mm
        Standard deviation in millimetres; at least half a voxel along each axis.
    gamma
        The result is multiplied by ``sigma_mm ** (2 * gamma)``: with 0 it is in the unit of the image per mm^2, with 1
        in that of the image and scale-normalised, so that a ball of radius r answers most at ``r / sqrt(3)`` mm
        (Lindeberg, Feature detection with automatic scale selection, 1998).

    Raises
    ------
    UsageError
        If the image has no spacing, or ``sigma_mm`` is no length, too short for the voxels or longer than the image.
    InputError
        If a value is NaN or infinite.
    """
    expect(volume, Volume)
    sigma = in_voxels(volume, lengths_of(sigma_mm, "sigma_mm"))
    spacing = spacing_of(volume.grid)
    axes = [axis for axis, n in enumerate(volume.grid.shape) if n > 1]
    if np.ndim(sigma_mm) or any(sigma[axis] < _NARROWEST for axis in axes) or not np.isfinite(gamma):
        raise UsageError(
            f"A Laplacian takes one sigma of at least {_NARROWEST:g} voxels along each axis and a finite gamma, not "
            f"{sigma_mm!r} mm on voxels of {' x '.join(f'{s:.3g}' for s in spacing)} mm and {gamma}."
        )

    def laplacian(part: Array) -> Singles:
        total = np.zeros(part.shape, np.float32)
        for axis in axes:
            k, r, c = (half_gaussian(s, order=2 if other == axis else 0) for other, s in enumerate(sigma))
            total += convolved(part, (k, r, c)) * np.float32(float(sigma_mm) ** (2 * gamma) / spacing[axis] ** 2)
        return total

    unit = volume.unit if gamma == 1 else per_mm(volume.unit, 2)
    return filtered(volume, laplacian, unit=unit).with_reasons(about_gaussian(volume, sigma))


def steepness(smoothed: Singles, halves: Singles) -> Singles:
    """Length of the central differences, each times its factor along (slice, row, column)."""
    source, out = prepared(smoothed), np.empty(smoothed.shape, np.float32)
    over_slices(lambda start, stop: _lengths(source, halves, out, (start, stop)), out.shape)
    return out


def _halves(volume: Volume) -> Singles:
    """What a difference over two voxels is multiplied by, along each axis."""
    return (0.5 / np.asarray(spacing_of(volume.grid))).astype(np.float32)


@compiled(fastmath=_LOOSE)
def _lengths(array: Array, halves: Singles, out: Singles, span: tuple[int, int]) -> None:
    depth, rows, columns = array.shape
    for k in range(span[0], span[1]):
        for r in range(rows):
            here, target = array[k, r], out[k, r]
            before, behind = array[max(k - 1, 0), r], array[min(k + 1, depth - 1), r]
            above, below = array[k, max(r - 1, 0)], array[k, min(r + 1, rows - 1)]
            for c in range(columns):
                a, b = halves[0] * (behind[c] - before[c]), halves[1] * (below[c] - above[c])
                target[c] = a * a + b * b
            for c in range(1, columns - 1):
                a = halves[2] * (here[c + 1] - here[c - 1])
                target[c] += a * a
            if columns > 1:
                a, b = halves[2] * (here[1] - here[0]), halves[2] * (here[columns - 1] - here[columns - 2])
                target[0] += a * a
                target[columns - 1] += b * b
            for c in range(columns):
                target[c] = np.sqrt(target[c])


@compiled(fastmath=_LOOSE)
def _vectors(array: Array, halves: Singles, turn: Singles, out: Singles, span: tuple[int, int]) -> None:
    depth, rows, columns = array.shape
    for k in range(span[0], span[1]):
        for r in range(rows):
            for c in range(columns):
                a = halves[0] * (array[min(k + 1, depth - 1), r, c] - array[max(k - 1, 0), r, c])
                b = halves[1] * (array[k, min(r + 1, rows - 1), c] - array[k, max(r - 1, 0), c])
                g = halves[2] * (array[k, r, min(c + 1, columns - 1)] - array[k, r, max(c - 1, 0)])
                for world in range(3):
                    out[k, r, c, world] = turn[world, 0] * a + turn[world, 1] * b + turn[world, 2] * g

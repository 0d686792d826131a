"""Canny's edges in the volume: thinned along the gradient in millimetres, followed from strong to weak."""

from __future__ import annotations

import numpy as np

import isocenter
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Mask, Segment, Segmentation
from isocenter.kernels import kernel, over_slices
from isocenter.ops.filters.derivatives import steepness
from isocenter.ops.filters.reach import Lengths, about_gaussian, in_voxels, lengths_of
from isocenter.ops.filters.smoothing import smooth
from isocenter.ops.filters.values import Singles, check_values, prepared
from isocenter.ops.lattice import expect_three_axes, spacing_of
from isocenter.ops.runs import pieces_of
from isocenter.volume import Array, Volume

_CLEARLY = 1e-5  # share of a magnitude; two that differ by less are level


def canny(volume: Volume, low: float, high: float, *, sigma_mm: Lengths) -> Segmentation:
    """Edges after Canny (A computational approach to edge detection, 1986), in all three dimensions.

    The image is smoothed by a Gaussian. A voxel is thin if its gradient is no smaller than that one step ahead and
    behind along the gradient, where magnitudes are interpolated bilinearly on the faces of the cube of its neighbours;
    of two level ones the one up the slope is kept. Thin voxels of at least ``low`` are edges where they touch, by 26
    neighbours and in any number of steps, one of at least ``high``. In a picture the same is done in its plane.

    Parameters
    ----------
    volume
        The image, with three axes.
    low, high
        Limits of the gradient, in the unit of the image per mm.
    sigma_mm
        Standard deviation of the Gaussian: one length, or one for each of (slice, row, column).

    Returns
    -------
    Segmentation with the segment ``"edge"``. Memory: input, 8 bytes a voxel for magnitudes, 4 for the labels.

    Raises
    ------
    UsageError
        If the volume has further axes or no spacing, the limits are not ``0 < low <= high``, or ``sigma_mm`` is no
        length or longer than the image.
    InputError
        If a value is NaN or infinite.
    """
    expect_three_axes(volume, "Edges are found")
    check_values(volume)
    if not 0 < low <= high < np.inf:
        raise UsageError(f"The limits of the gradient are 0 < low <= high, not {low} and {high}.")
    sigma = in_voxels(volume, lengths_of(sigma_mm, "sigma_mm"))
    halves = (0.5 / np.asarray(spacing_of(volume.grid))).astype(np.float32)
    smoothed = smooth(prepared(volume.array), sigma)
    kept = _followed(_thinned(smoothed, steepness(smoothed, halves), halves, (float(low), float(high))))
    settings = (("low", low), ("high", high), ("sigma_mm", sigma_mm))
    algorithm = Algorithm("Canny", isocenter.__version__, settings)
    edges = Segmentation.of(kept, volume, [Segment.named("edge")], algorithm)
    return edges.with_reasons(about_gaussian(volume, sigma))


def _thinned(smoothed: Singles, magnitude: Singles, halves: Singles, limits: tuple[float, float]) -> Array:
    """1 where a thin voxel reaches the lower limit, 2 where it reaches the upper one."""
    out = np.zeros(smoothed.shape, np.uint8)
    source, lengths = prepared(smoothed), prepared(magnitude)
    over_slices(lambda start, stop: _thin(source, lengths, halves, limits, out[start:stop], start), out.shape)
    return out


def _followed(thin: Array) -> Mask:
    """Voxels that touch a strong one by others."""
    pieces = pieces_of(thin > 0, 26)
    numbers = pieces.painted(np.arange(len(pieces.counts), dtype=np.int32))
    strong = np.zeros(len(pieces.counts), np.bool_)
    strong[numbers[thin == 2]] = True
    kept: Mask = pieces.painted(strong)
    return kept


@kernel
def _thin(
    smoothed: Array, magnitude: Array, halves: Singles, limits: tuple[float, float], out: Array, first: int
) -> None:
    depth, rows, columns = smoothed.shape
    for z in range(out.shape[0]):
        k = z + first
        for r in range(rows):
            for c in range(columns):
                m = magnitude[k, r, c]
                if m < limits[0]:
                    continue
                # the gradient in mm is h * difference; the way along it in voxels once more h times that
                a = (smoothed[min(k + 1, depth - 1), r, c] - smoothed[max(k - 1, 0), r, c]) * halves[0] ** 2
                b = (smoothed[k, min(r + 1, rows - 1), c] - smoothed[k, max(r - 1, 0), c]) * halves[1] ** 2
                g = (smoothed[k, r, min(c + 1, columns - 1)] - smoothed[k, r, max(c - 1, 0)]) * halves[2] ** 2
                longest = max(abs(a), abs(b), abs(g))
                a, b, g = a / longest, b / longest, g / longest
                ahead, behind = _at(magnitude, k + a, r + b, c + g), _at(magnitude, k - a, r - b, c - g)
                slack = m * _CLEARLY
                if m > ahead + slack and m >= behind - slack:
                    out[z, r, c] = 2 if m >= limits[1] else 1


@kernel
def _at(array: Array, u: float, v: float, w: float) -> float:
    """Value between voxels, linearly; beyond the faces that of the outermost voxel."""
    depth, rows, columns = array.shape
    k, r, c = int(np.floor(u)), int(np.floor(v)), int(np.floor(w))
    value = 0.0
    for corner in range(8):
        i, j, n = corner >> 2, (corner >> 1) & 1, corner & 1
        weight = abs(1 - i - (u - k)) * abs(1 - j - (v - r)) * abs(1 - n - (w - c))
        if weight > 0:
            value += (
                weight
                * array[min(max(k + i, 0), depth - 1), min(max(r + j, 0), rows - 1), min(max(c + n, 0), columns - 1)]
            )
    return value

"""Local intensity (IBSI manual, section 3.2): means over a ball of 1 cm3 around a voxel, the region's edge or not."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import kernel
from isocenter.volume import Array

RADIUS_MM = 10 * (3 / (4 * math.pi)) ** (1 / 3)
"""Radius of a ball of 1 cm3."""


def features(image: Array, mask: Array, spacing_mm: tuple[float, float, float]) -> Floats:
    """Local peak (around the brightest voxel of the region) and global peak (the highest of all its voxels).

    Parameters
    ----------
    image
        Intensities (slice, row, column) of the region and the 6.2 mm around it. What is NaN or beyond the array is
        left out of a ball.
    mask
        The intensity mask.
    spacing_mm
        Spacing along (slice, row, column).
    """
    known = np.isfinite(image)
    sums, counts = _running(np.where(known, image, 0.0)), _running(known.astype(np.float64))
    places = np.argwhere(mask)
    means = _means((sums, counts), places, _rows_of_ball(spacing_mm))
    values = image[mask]
    return np.array([means[values == values.max()].max(), means.max()])


def _running(array: Array) -> Floats:
    """Sums along the columns, from none on."""
    out = np.zeros((*array.shape[:2], array.shape[2] + 1))
    np.cumsum(array, axis=2, out=out[:, :, 1:])
    return out


def _rows_of_ball(spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.int64]:
    """Slice and row of each line of voxels through the ball, and how far it reaches along the columns."""
    depth, height = (int(RADIUS_MM / size) for size in spacing_mm[:2])
    rows = []
    for k in range(-depth, depth + 1):
        for r in range(-height, height + 1):
            left = RADIUS_MM**2 - (k * spacing_mm[0]) ** 2 - (r * spacing_mm[1]) ** 2
            if left >= 0:
                rows.append((k, r, int(math.sqrt(left) / spacing_mm[2] + 1e-9)))
    return np.array(rows, np.int64)


@kernel
def _means(running: tuple[Array, Array], places: Array, lines: Array) -> Floats:
    """Mean over the ball around each place."""
    sums, counts = running
    slices, rows, columns = sums.shape
    means = np.empty(len(places))
    for n in range(len(places)):
        total = number = 0.0
        for m in range(len(lines)):
            k, r = places[n, 0] + lines[m, 0], places[n, 1] + lines[m, 1]
            if 0 <= k < slices and 0 <= r < rows:
                first, last = max(places[n, 2] - lines[m, 2], 0), min(places[n, 2] + lines[m, 2] + 1, columns - 1)
                total += sums[k, r, last] - sums[k, r, first]
                number += counts[k, r, last] - counts[k, r, first]
        means[n] = total / number
    return means

"""The scanner's circle: where an axial CT holds padding instead of a measurement because nothing was reconstructed.

The circle is known by its edge: one value fills corners of the image in every slice, and where it meets something else
abruptly, the places lie on one circle. Air around a body that holds one value too has no such edge.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.bool_]

_PADDING_HU = -900
_ABRUPT_HU = -600
_SLICES = 64
_LEAST_POINTS = 24
_SMALLEST = 0.2
"""Least radius, as a share of the image's shorter side."""
_OFF_PIXELS = 1.5
_ON_CIRCLE = 0.8
_TRIMS = 4


def padding(array: npt.NDArray[np.int16]) -> Plane:
    """In-plane mask of what lies outside the scanner's circle; empty if the image shows no circle.

    Parameters
    ----------
    array
        HU (slice, row, column), axial, with square pixels as nearly all CTs have; others are taken to have no circle.
    """
    rows, columns = array.shape[1:]
    some = array[:: max(1, len(array) // _SLICES)]
    none = np.zeros((rows, columns), np.bool_)
    corners = some[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    constant = (corners == corners[0]).all(axis=0) & (corners[0] <= _PADDING_HU)
    if not constant.any() or min(rows, columns) < 3:
        return none
    value = corners[0][constant].min()
    held: Plane = ~(some == value).all(axis=0)
    edge = held & _beside(~held) & (some > _ABRUPT_HU).any(axis=0)
    edge[[0, -1]] = edge[:, [0, -1]] = False
    points = np.argwhere(edge).astype(np.float64)
    if len(points) < _LEAST_POINTS:
        return none
    center, radius, share = _fit(points)
    away = np.hypot(np.arange(rows)[:, None] - center[0], np.arange(columns) - center[1])
    if share < _ON_CIRCLE or radius < _SMALLEST * min(rows, columns) or held[away > radius + 2 * _OFF_PIXELS].any():
        return none
    outside: Plane = ~held & (away > radius - _OFF_PIXELS)
    return outside


def _beside(mask: Plane) -> Plane:
    """Pixels that have one of the mask above, below, right or left of them."""
    wide = np.pad(mask, 1)
    near: Plane = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return near


def _fit(points: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float, float]:
    """Centre and radius of the circle through most points (least squares, trimmed), and the share of points on it."""
    kept = points
    for _ in range(_TRIMS):
        design = np.column_stack([2 * kept, np.ones(len(kept))])
        row, column, rest = np.linalg.lstsq(design, (kept**2).sum(axis=1), rcond=None)[0]
        center, radius = np.array([row, column]), float(np.sqrt(max(rest + row**2 + column**2, 0.0)))
        off = np.abs(np.hypot(*(points - center).T) - radius)
        kept = points[off <= max(_OFF_PIXELS, float(np.median(off)))]
    return center, radius, float(np.mean(off <= _OFF_PIXELS))

"""Shape of a region (IBSI manual, section 3.1), and how intensities lie in it.

The surface is a mesh by marching cubes (Lewiner 2003) at half of the mask's value. That of ``ops.surfaces`` cuts
ambiguous cubes in another way, by which areas differ by half a percent from the consensus. Bounding boxes lie along
the axes of the image. The oriented minimum bounding box and the minimum volume enclosing ellipsoid are left out: their
algorithms are not standardised and the manual has no reference values for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from isocenter.findings import Mask
from isocenter.geometry import Floats
from isocenter.ops.lattice import Spacing
from isocenter.ops.radiomics.autocorrelation import moran_and_geary
from isocenter.ops.radiomics.undefined import ratio

_DEGREES = 21  # of the series for the area of an ellipsoid; the manual advises 20


@dataclass(frozen=True, eq=False)
class Solid:
    """A closed body.

    Parameters
    ----------
    points_mm
        (n, 3) corners.
    volume_mm3, area_mm2
        Its size.
    """

    points_mm: Floats = field(repr=False)
    volume_mm3: float
    area_mm2: float


def features(values: Floats, mask: Mask, morphological: Mask, spacing_mm: Spacing) -> Floats:
    """The morphological features in the order of the catalogue; NaN where one is undefined.

    Parameters
    ----------
    values
        Intensities of the voxels of the intensity mask, in C order.
    mask
        The intensity mask (slice, row, column).
    morphological
        The morphological mask, of the same shape.
    spacing_mm
        Spacing along (slice, row, column).
    """
    body = _surface(morphological, spacing_mm)
    hull = _hull(body)
    places = np.argwhere(morphological) * np.asarray(spacing_mm)
    axes = _axes(places)
    box = np.ptp(hull.points_mm, axis=0)
    box_area = 2 * (box[0] * box[1] + box[0] * box[2] + box[1] * box[2])
    ellipsoid = 4 / 3 * math.pi * float(np.prod(axes)) / 8
    volume, area = body.volume_mm3, body.area_mm2
    return np.array(
        [
            volume,
            len(places) * math.prod(spacing_mm),
            area,
            *_compactness(volume, area),
            _shift(values, mask, places, spacing_mm),
            _diameter(hull.points_mm),
            *axes,
            ratio(axes[1], axes[0]),
            ratio(axes[2], axes[0]),
            volume / float(np.prod(box)),
            area / box_area,
            ratio(volume, ellipsoid),
            ratio(area, _ellipsoid_area(axes / 2)) if axes[2] > 0 else math.nan,
            volume / hull.volume_mm3,
            area / hull.area_mm2,
            float(values.mean()) * volume,
            *moran_and_geary(values, mask, spacing_mm),
        ]
    )


def _surface(mask: Mask, spacing_mm: Spacing) -> Solid:
    from skimage.measure import marching_cubes

    points, faces, _, _ = marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5, spacing=spacing_mm)
    points = points.astype(np.float64) - points.mean(axis=0)
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    volume = abs(np.einsum("ij,ij->", a, np.cross(b, c))) / 6
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    return Solid(points, float(volume), float(area))


def _hull(body: Solid) -> Solid:
    from scipy.spatial import ConvexHull

    hull = ConvexHull(body.points_mm)
    return Solid(body.points_mm[hull.vertices], float(hull.volume), float(hull.area))


def _compactness(volume: float, area: float) -> tuple[float, ...]:
    """Surface to volume, compactness 1 and 2, spherical disproportion, sphericity, asphericity."""
    roundness = 36 * math.pi * volume**2 / area**3
    sphericity = roundness ** (1 / 3)
    first = volume / (math.sqrt(math.pi) * area**1.5)
    return area / volume, first, roundness, 1 / sphericity, sphericity, 1 / sphericity - 1


def _shift(values: Floats, mask: Mask, places: Floats, spacing_mm: Spacing) -> float:
    """Distance of the center of mass from the center of the region; undefined where intensities sum to zero."""
    total = float(values.sum())
    if total == 0:
        return math.nan
    weighted = values @ (np.argwhere(mask) * np.asarray(spacing_mm)) / total
    return float(np.linalg.norm(weighted - places.mean(axis=0)))


def _diameter(points: Floats) -> float:
    """Largest distance between two corners of a convex hull."""
    farthest = 0.0
    squares = (points**2).sum(axis=1)
    for start in range(0, len(points), 1024):
        part = points[start : start + 1024]
        apart = squares[start : start + 1024, None] + squares - 2 * part @ points.T
        farthest = max(farthest, float(apart.max()))
    return math.sqrt(farthest)


def _axes(places: Floats) -> Floats:
    """Lengths of the principal axes, longest first: four deviations each, as of a sample."""
    if len(places) == 1:
        return np.full(3, np.nan)
    away = places - places.mean(axis=0)
    spread = np.linalg.eigvalsh(away.T @ away / (len(places) - 1))[::-1]
    spread[spread < 1e-12 * spread[0]] = 0.0  # what is flat is so but for rounding
    return 4 * np.sqrt(spread)


def _ellipsoid_area(half: Floats) -> float:
    """Area of the approximate enclosing ellipsoid by its semi-axes, longest first: the series that the manual gives.

    The manual's series is not quite the area of an ellipsoid: it is 8 % above it for axes of 3 : 2 : 1, and would be
    right with the parameters of two other pairs of axes (c with a, and c with b). It is followed, as the reference
    values were made by it. Its terms ``(alpha beta)^n P_n((alpha^2 + beta^2) / (2 alpha beta))`` are polynomials,
    taken by Legendre's recurrence.
    """
    a, b, c = (float(axis) for axis in half)
    alpha, beta = 1 - (b / a) ** 2, 1 - (c / a) ** 2  # their squares
    before, term, total = 0.0, 1.0, 0.0
    for n in range(_DEGREES):
        total += term / (1 - 4 * n**2)
        before, term = term, ((2 * n + 1) * (alpha + beta) / 2 * term - n * alpha * beta * before) / (n + 1)
    return 4 * math.pi * a * b * total

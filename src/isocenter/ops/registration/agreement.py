"""How well two images agree at sample points: the metrics, and how each changes with the values met.

Every metric is a cost, smaller where the images agree better, with its derivative by each sample's value; what moves
the samples (a matrix, a lattice of knots) multiplies that derivative by its own. The samples are few, fixed and not on
voxel centres (a sequence of low discrepancy), so that costs are smooth, free of the grid's pattern, and the same in
every run and for any number of threads.

=============  ============================================================================================
``"msd"``      mean squared difference over the variance: images of one kind, in the same units
``"ncc"``      1 - squared correlation: values related by a straight line
``"mattes"``   minus the mutual information in nats (Mattes et al., IEEE TMI 22:120, 2003): images of two kinds
=============  ============================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import kernel, over_slices
from isocenter.ops.registration.pyramid import Level
from isocenter.volume import Array

Metric = Literal["mattes", "ncc", "msd"]

_BINS = 32
_CHUNK = 4096
_LEAST_SHARE = 0.2
"""Share of the samples that must lie in the moving image, of those that can; with fewer, any two images agree."""
_LEAST_SAMPLES = 200
_STEPS = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)  # the R3 sequence: powers of 1 / 1.2207...


@dataclass(frozen=True, eq=False)
class Samples:
    """Points of the fixed image with its values there.

    Parameters
    ----------
    points_mm
        (n, 3) LPS in the fixed world.
    values
        (n,) values of the fixed image.
    volume_mm3
        Volume that they are spread over.
    """

    points_mm: Floats
    values: Floats
    volume_mm3: float


@dataclass(frozen=True, eq=False)
class Met:
    """What samples meet in the moving image.

    Parameters
    ----------
    values
        (n,) values of the moving image, interpolated linearly.
    slopes
        (n, 3) their derivatives by the moving image's index.
    inside
        (n,) whether the sample lies in the moving image (and its mask).
    """

    values: Floats
    slopes: Floats
    inside: npt.NDArray[np.bool_]


def samples_of(fixed: Level, number: int, within: Array | None = None) -> Samples:
    """Evenly spread samples of an image.

    Parameters
    ----------
    fixed
        The image.
    number
        How many; no more than the image has voxels.
    within
        Boolean (slice, row, column) on the level's grid: where samples may lie.
    """
    share = 1.0 if within is None else max(float(within.mean()), 1e-4)
    count = np.arange(1, min(int(number / share), fixed.array.size) + 1)[:, None]
    index = (0.5 + count * np.array(_STEPS)) % 1.0 * np.array(fixed.grid.shape) - 0.5
    if within is not None:
        nearest = tuple(np.rint(index).astype(np.intp).clip(0, np.array(within.shape) - 1).T)
        index = index[within[nearest]]
    at = np.eye(4)[:3]
    met = meet(fixed, at, index)
    volume = fixed.grid.voxel_volume_mm3 * (fixed.array.size if within is None else int(within.sum()))
    return Samples(fixed.grid.to_world(index), met.values, volume)


def meet(moving: Level, matrix: Floats, points: Floats, mask: Array | None = None) -> Met:
    """What points meet in an image.

    Parameters
    ----------
    moving
        The image.
    matrix
        (3, 4) from a point to the image's index.
    points
        (n, 3).
    mask
        Boolean (slice, row, column) on the image's grid: what may be met.
    """
    n = len(points)
    met = Met(np.empty(n), np.empty((n, 3)), np.empty(n, np.bool_))
    allowed = np.zeros((1, 1, 1), np.bool_) if mask is None else mask

    def work(first: int, last: int) -> None:
        part = slice(first * _CHUNK, last * _CHUNK)
        _meet(moving.array, allowed, matrix, points[part], (met.values[part], met.slopes[part], met.inside[part]))

    over_slices(work, (-(-n // _CHUNK), 16 * _CHUNK))
    return met


@dataclass(frozen=True, slots=True)
class Scale:
    """What both images' values are measured by, the same for all costs of a level.

    Parameters
    ----------
    fixed, moving
        Least and greatest value of each.
    least_share
        Share of the samples that must lie in the moving image.
    """

    fixed: tuple[float, float]
    moving: tuple[float, float]
    least_share: float


def scale_of(samples: Samples, moving: Level) -> Scale:
    """The scale of the samples and an image."""
    values = samples.values
    possible = min(1.0, moving.grid.voxel_volume_mm3 * moving.array.size / samples.volume_mm3)
    limits = (float(moving.array.min()), float(moving.array.max()))
    return Scale((float(values.min()), float(values.max())), limits, _LEAST_SHARE * possible)


def cost(metric: Metric, samples: Samples, met: Met, scale: Scale) -> tuple[float, Floats]:
    """Cost of a metric over the samples inside, and its derivative by each sample's moving value (0 outside).

    Too few samples inside cost infinitely much.
    """
    inside = met.inside
    if inside.sum() < max(scale.least_share * inside.size, _LEAST_SAMPLES):
        return np.inf, np.zeros(inside.size)
    by_value = np.zeros(inside.size)
    value, by_value[inside] = _COSTS[metric](samples.values[inside], met.values[inside], scale)
    return value, by_value


def _msd(fixed: Floats, moving: Floats, scale: Scale) -> tuple[float, Floats]:
    spread = ((scale.fixed[1] - scale.fixed[0]) / 4) ** 2 or 1.0
    apart = moving - fixed
    return float((apart * apart).sum()) / apart.size / spread, 2 * apart / (apart.size * spread)


def _ncc(fixed: Floats, moving: Floats, scale: Scale) -> tuple[float, Floats]:  # noqa: ARG001 - free of any scale
    f, m = fixed - fixed.mean(), moving - moving.mean()
    ff, mm, fm = float((f * f).sum()), float((m * m).sum()), float((f * m).sum())
    if ff * mm <= 0:
        return 1.0, np.zeros(f.size)
    return 1 - fm * fm / (ff * mm), -2 * fm / (ff * mm) * (f - fm / mm * m)


def _mattes(fixed: Floats, moving: Floats, scale: Scale) -> tuple[float, Floats]:
    rows = np.rint(_in_bins(fixed, scale.fixed)).astype(np.intp)
    places, width = _in_bins(moving, scale.moving), (scale.moving[1] - scale.moving[0]) / (_BINS - 5)
    joint = np.zeros((_BINS, _BINS))
    _count(rows, places, joint)
    joint /= joint.sum()
    of_fixed, of_moving = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = float(np.nansum(joint * np.log(joint / (of_fixed * of_moving))))
        gain = np.where(joint > 0, np.log(joint / of_moving), 0.0)
    by_value = np.empty(fixed.size)
    _weigh(rows, places, gain, by_value)
    return -information, -by_value / (fixed.size * (width or 1.0))


def _in_bins(values: Floats, limits: tuple[float, float]) -> Floats:
    """Values as places among the bins, with room for a cubic spline at both ends."""
    low, high = limits
    return 2 + (values - low) * ((_BINS - 5) / ((high - low) or 1.0))


_COSTS = {"msd": _msd, "ncc": _ncc, "mattes": _mattes}


# --- kernels ---------------------------------------------------------------------------------------------------------


@kernel
def _meet(array: Array, mask: Array, matrix: Floats, points: Floats, out: tuple[Array, Array, Array]) -> None:
    values, slopes, inside = out
    depth, height, width = array.shape
    is_masked = mask.size > 1
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        t = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        values[i] = 0.0
        slopes[i, :] = 0.0
        inside[i] = -0.5 <= u <= depth - 0.5 and -0.5 <= v <= height - 0.5 and -0.5 <= t <= width - 0.5
        if not inside[i]:
            continue
        u, v, t = min(max(u, 0.0), depth - 1.0), min(max(v, 0.0), height - 1.0), min(max(t, 0.0), width - 1.0)
        if is_masked and not mask[int(u + 0.5), int(v + 0.5), int(t + 0.5)]:
            inside[i] = False
            continue
        k, r, c = min(int(u), max(depth - 2, 0)), min(int(v), max(height - 2, 0)), min(int(t), max(width - 2, 0))
        k1, r1, c1 = min(k + 1, depth - 1), min(r + 1, height - 1), min(c + 1, width - 1)
        w, g, f = u - k, v - r, t - c
        a00, a01 = array[k, r, c] * (1 - f) + array[k, r, c1] * f, array[k, r1, c] * (1 - f) + array[k, r1, c1] * f
        b00, b01 = array[k1, r, c] * (1 - f) + array[k1, r, c1] * f, array[k1, r1, c] * (1 - f) + array[k1, r1, c1] * f
        near, far = a00 * (1 - g) + a01 * g, b00 * (1 - g) + b01 * g
        values[i] = near * (1 - w) + far * w
        slopes[i, 0] = far - near
        slopes[i, 1] = (a01 - a00) * (1 - w) + (b01 - b00) * w
        slopes[i, 2] = ((array[k, r, c1] - array[k, r, c]) * (1 - g) + (array[k, r1, c1] - array[k, r1, c]) * g) * (
            1 - w
        ) + ((array[k1, r, c1] - array[k1, r, c]) * (1 - g) + (array[k1, r1, c1] - array[k1, r1, c]) * g) * w


@kernel
def _count(rows: Array, places: Floats, joint: Floats) -> None:
    """Joint histogram: the fixed value falls in one bin, the moving one is spread by a cubic B-spline."""
    for i in range(rows.size):
        first = int(places[i]) - 1
        f = places[i] - int(places[i])
        joint[rows[i], first] += (1 - f) ** 3 / 6
        joint[rows[i], first + 1] += (3 * f**3 - 6 * f**2 + 4) / 6
        joint[rows[i], first + 2] += (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6
        joint[rows[i], first + 3] += f**3 / 6


@kernel
def _weigh(rows: Array, places: Floats, gain: Floats, by_place: Floats) -> None:
    """Derivative of the sum of gains by the place of each moving value."""
    for i in range(rows.size):
        first = int(places[i]) - 1
        f = places[i] - int(places[i])
        line = gain[rows[i]]
        by_place[i] = (
            -((1 - f) ** 2) / 2 * line[first]
            + (3 * f**2 - 4 * f) / 2 * line[first + 1]
            + (-3 * f**2 + 2 * f + 1) / 2 * line[first + 2]
            + f**2 / 2 * line[first + 3]
        )

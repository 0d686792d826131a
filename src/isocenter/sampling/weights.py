"""Which voxels a sample is made of, and how much of each: the weights of cubic B-spline, Lanczos and stretched kernels.

Along one axis a sample at coordinate ``u`` is the sum of some neighbouring voxels times weights. Beyond the border a
cubic spline goes on mirrored about the outermost centre (as in ITK and SciPy's ``mirror``), the others repeat the
outermost voxel (as in ITK). Weights that fall there are added to those of the voxel that stands there, so that every
tap lies inside.

When the new voxels lie ``s`` > 1 times as far apart as the old ones, a kernel stretched by ``s`` keeps out what the new
voxels cannot show (Turkowski, Filters for common resampling tasks, 1990).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isocenter.sampling.border import REACH, SNAP
from isocenter.sampling.layout import Array, Floats

Kind = Literal["linear", "cubic", "lanczos"]

LOBES = 5
"""Half the width of the Lanczos kernel in voxels: that of SimpleITK's ``sitkLanczosWindowedSinc``."""
POLE = math.sqrt(3) - 2
"""Pole of the recursive filter from values to coefficients of a cubic B-spline (Unser 1993)."""
_REACH_OF = {"linear": 1, "cubic": 2, "lanczos": LOBES}
_CARDINAL_REACH = 8  # voxels; the cardinal cubic spline has fallen to 3e-5 there
_STEPS = 2048  # of a table of weights between two voxels


@dataclass(frozen=True, eq=False)
class Taps:
    """How each output index along one axis is made.

    Parameters
    ----------
    first
        (n) index of the first voxel taken.
    weights
        (n, taps).
    begin, end
        Range of output indices that lie inside the array.
    recursive
        Whether the weights are those of B-spline coefficients, which must be made of the values first.
    """

    first: Array
    weights: Array
    begin: int
    end: int
    recursive: bool


def taps_of(kind: Kind, places: Floats, length: int, *, stretch: float, work: type) -> Taps:
    """Taps of samples at coordinates along an axis of some length; ``stretch`` is 1 where nothing is smoothed."""
    within = (places >= -REACH) & (places <= length - 1 + REACH)
    inside = np.flatnonzero(within)
    begin, end = (int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0)
    whole = np.rint(places)
    places = np.where(np.abs(places - whole) < SNAP, whole, places)
    if stretch == 1 and (length == 1 or (places == whole)[within].all()):
        first = np.clip(whole, 0, length - 1).astype(np.int64)
        return Taps(first, np.ones((places.size, 1), work), begin, end, recursive=False)
    half = half_width(kind, stretch)
    index = np.floor(places).astype(np.int64)[:, None] + np.arange(1 - half, half + 1)
    weights = kernel_at(kind, index - places[:, None], stretch)
    weights[~within] = 0
    first, folded = _folded(bordered(index, length, kind), weights, length)
    return Taps(first, folded.astype(work), begin, end, recursive=kind == "cubic" and stretch == 1)


def half_width(kind: Kind, stretch: float) -> int:
    """Voxels that a kernel needs on either side of a point."""
    reach = _CARDINAL_REACH if kind == "cubic" and stretch > 1 else _REACH_OF[kind]
    return math.ceil(reach * stretch)


def kernel_at(kind: Kind, distance: Floats, stretch: float) -> Floats:
    """Weights (..., taps) at distances in voxels; their sum over the last axis is 1.

    A cubic one is the B-spline, for coefficients; stretched, it is the cardinal spline, for values.
    """
    x = distance / stretch
    if kind == "linear":
        weights = np.maximum(0.0, 1 - np.abs(x))
    elif kind == "lanczos":
        weights = np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)
    elif stretch == 1:
        weights = _b_spline(x)
    else:
        weights = np.where(np.abs(x) < _CARDINAL_REACH, _cardinal_spline(x), 0.0)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def table_of(kind: Kind, stretch: float, work: type) -> Array:
    """(steps + 1, taps): weights of the voxels around a point, by its distance from the voxel below, from 0 to 1."""
    half = half_width(kind, stretch)
    share = np.linspace(0, 1, _STEPS + 1)[:, None]
    return kernel_at(kind, np.arange(1 - half, half + 1) - share, stretch).astype(work)


def bordered(index: Array, length: int, kind: Kind) -> Array:
    """Index of the voxel that stands at an index, which may lie beyond the border."""
    if kind != "cubic" or length == 1:
        return np.clip(index, 0, length - 1)
    period = 2 * (length - 1)
    folded = np.abs(index) % period
    return np.asarray(np.minimum(folded, period - folded))


def _b_spline(x: Floats) -> Floats:
    x = np.abs(x)
    return np.where(x < 1, 2 / 3 - x * x + x**3 / 2, np.maximum(0.0, 2 - x) ** 3 / 6)


def _cardinal_spline(x: Floats) -> Floats:
    """The interpolating cubic spline that is 1 at 0 and 0 at every other whole number."""
    scale = -6 * POLE / (1 - POLE**2)
    shifts = np.arange(-_CARDINAL_REACH - 3, _CARDINAL_REACH + 4)
    made = np.zeros_like(x)
    for shift in shifts:
        made += scale * POLE ** abs(int(shift)) * _b_spline(x - shift)
    return made


def _folded(index: Array, weights: Floats, length: int) -> tuple[Array, Floats]:
    """Taps as a run of neighbouring voxels within the array: its first index and the weights summed on it."""
    first = index.min(axis=1)
    run = int((index.max(axis=1) - first).max()) + 1
    first = np.minimum(first, length - run)
    folded = np.zeros((index.shape[0], run))
    np.add.at(folded, (np.arange(index.shape[0])[:, None], index - first[:, None]), weights)
    return first.astype(np.int64), folded

"""Slabs: the most, least or mean value over a thickness (MIP, MinIP, average), as a volume."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np

from isocenter.errors import expect, expect_word
from isocenter.geometry import Space
from isocenter.ops.lattice import expect_length, spacing_of
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

Plane = Literal["axial", "coronal", "sagittal"]
How = Literal["max", "min", "mean"]
"""Which value of a thickness is shown: the greatest (MIP), the least (MinIP), the mean."""

_ACROSS = {"axial": (0, "SI"), "coronal": (1, "AP"), "sagittal": (2, "LR")}  # array axis if unplaced, and letters
_NAMES = {"max": "MIP", "min": "MinIP", "mean": "Average"}


def slab(volume: Volume, plane: Plane = "axial", *, thickness_mm: float | None = None, how: How = "max") -> Volume:
    """The volume with each slice of a plane replaced by what lies within a thickness around it.

    Parameters
    ----------
    volume
        Any image on an orthogonal grid; further axes stay. NaN is left out; where all is NaN, NaN stays.
    plane
        Which slices; of an oblique image those of its own that are nearest to it.
    thickness_mm
        The whole slab, centred on the slice; at the ends of the image as much of it as there is. None for all of the
        image, as one slice as thick as it.
    how
        The greatest value (MIP), the least (MinIP) or the mean.

    Returns
    -------
    Values of the same dtype, of the mean float32. On the same grid, or one of one slice if no thickness was stated.
    The reason ``PROJECTED`` says what the slices stand for; their sources are dropped.

    Raises
    ------
    UsageError
        If the plane, thickness or way is none, or the image is sheared or has pixels of unknown size.
    """
    expect(volume, Volume)
    expect_word(plane, Plane, "The plane of a slab")
    expect_word(how, How, "What a slab shows")
    if thickness_mm is not None:
        expect_length(thickness_mm, "The thickness of a slab")
    axis = _axis(volume, plane)
    spacing = list(spacing_of(volume.grid))
    moved = np.moveaxis(volume.array, axis, 0)
    if thickness_mm is None:
        spacing[axis] = volume.grid.extent_mm[axis]
        array, grid = np.expand_dims(_condensed(moved, how), axis), volume.grid.with_spacing(spacing)
        over = spacing[axis]
    else:
        reach = (thickness_mm / spacing[axis] - 1) / 2  # slices on either side; what is cut is left out
        reach = max(0, int(np.floor(reach + 1e-6)))
        array = np.empty(volume.shape, np.float32 if how == "mean" else volume.array.dtype)
        for k, out in enumerate(np.moveaxis(array, axis, 0)):
            out[...] = _condensed(moved[max(0, k - reach) : k + reach + 1], how)
        grid, over = volume.grid, (2 * reach + 1) * spacing[axis]
    made = volume.on(grid, array)
    return made.with_reasons([Reason("PROJECTED", f"{_NAMES[how]} over {over:.4g} mm.")])


def _axis(volume: Volume, plane: Plane) -> int:
    number, ends = _ACROSS[plane]
    if volume.grid.space is not Space.PATIENT:
        return number
    return next(axis for axis, letter in enumerate(volume.grid.orientation) if letter in ends)


def _condensed(slices: Array, how: How) -> Array:
    if how != "mean":
        work: Callable[..., Array] = np.fmax.reduce if how == "max" else np.fmin.reduce
        return work(slices, axis=0)
    if slices.dtype.kind != "f":
        return np.asarray(
            slices.mean(axis=0, dtype=np.float64 if slices.dtype.itemsize > 2 else np.float32), np.float32
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where all is NaN, NaN is meant to stay
        return np.asarray(np.nanmean(slices, axis=0, dtype=np.float64), np.float32)

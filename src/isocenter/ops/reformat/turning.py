"""A volume turned or carried along by an affine of the world, and sampled anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect
from isocenter.findings import Segmentation
from isocenter.geometry import Grid
from isocenter.ops.reformat.planes import direction_of, numbers_of, point_of
from isocenter.ops.resample import Image, Interpolation, Smoothing, onto
from isocenter.volume import Volume


def moved(
    image: Image,
    affine_mm: npt.ArrayLike,
    *,
    grid: Grid | None = None,
    interpolation: Interpolation = "linear",
    outside: float | None = None,
    smoothing: Smoothing = "none",
) -> Image:
    """The image carried along by an affine: what was at world point ``p`` is at ``affine_mm @ p`` afterwards.

    Parameters
    ----------
    image
        Volume or segmentation, which takes the nearest label.
    affine_mm
        (4, 4), on world (x, y, z, 1) in millimetres; invertible.
    grid
        Where to sample it: by default the image's own grid.
    interpolation, outside, smoothing
        As of :func:`isocenter.onto`.

    Returns
    -------
    The image on that grid, without sources. Its place no longer is that of the patient, so its frame of reference is
    unknown, unless a grid was given, whose frame it takes.

    Raises
    ------
    UsageError
        If the affine is none, or as of :func:`isocenter.onto`.
    """
    expect(image, Volume, Segmentation)
    matrix = numbers_of(affine_mm)
    try:
        there = replace(image.grid, affine=matrix @ image.grid.affine, frame_of_reference_uid=None)
    except ValueError as error:
        raise UsageError(f"A move is an invertible (4, 4) affine on world millimetres: {error}") from error
    target = replace(image.grid, frame_of_reference_uid=None) if grid is None else grid
    carried = replace(image, grid=there, sources=())
    return onto(carried, target, interpolation=interpolation, outside=outside, smoothing=smoothing)


def rotated(
    image: Image,
    degrees: float,
    *,
    axis: Sequence[float] = (0, 0, 1),
    center_mm: Sequence[float] | None = None,
    interpolation: Interpolation = "linear",
    outside: float | None = None,
) -> Image:
    """The image turned about an axis, on its own grid.

    Parameters
    ----------
    image
        Volume or segmentation.
    degrees
        By how much; counter-clockwise when looked at from where the axis points to (the right-hand rule).
    axis
        World direction (x, y, z) in LPS: by default towards the head.
    center_mm
        World point that stays: by default the middle of the image.
    interpolation, outside
        As of :func:`isocenter.onto`.

    Returns
    -------
    As of :func:`moved`.
    """
    expect(image, Volume, Segmentation)
    if not np.isfinite(numbers_of(degrees)):
        raise UsageError(f"An angle is a finite number of degrees, not {degrees!r}.")
    unit = direction_of(axis)
    center = point_of(image.grid.center_mm if center_mm is None else center_mm)
    cross = np.cross(np.eye(3), unit)  # cross @ v is unit x v
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:3, :3] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    turn[:3, 3] = center - turn[:3, :3] @ center
    return moved(image, turn, interpolation=interpolation, outside=outside)

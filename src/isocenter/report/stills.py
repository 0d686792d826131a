"""Stills: what a picture shows of a volume that has more than three axes, or no place in a patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter.geometry import Grid, Space
from isocenter.volume import Volume


def still(volume: Volume) -> Volume:
    """The spatial axes of a volume, and colour; of any other axis the middle place.

    A cine (one slice over time) is taken as so many slices that lie nowhere in the patient.
    """
    if volume.axes[:1] == ("time",) and volume.grid.shape[0] == 1:
        return still(_unrolled(volume))
    array, axes = volume.array, volume.axes
    while axes and axes[0] != "color":
        array, axes = array[:, :, :, array.shape[3] // 2], axes[1:]
    return replace(volume, array=array, axes=axes)


def place_shown(volume: Volume) -> str:
    """Which place of the further axes :func:`still` shows, as ``"time 2 of 4"``; empty where it shows all there is."""
    is_cine = volume.axes[:1] == ("time",) and volume.grid.shape[0] == 1
    sizes = list(zip(volume.axes, volume.shape[3:], strict=True))[int(is_cine) :]
    return ", ".join(f"{axis} {size // 2 + 1} of {size}" for axis, size in sizes if axis != "color")


def _unrolled(volume: Volume) -> Volume:
    array = np.moveaxis(volume.array[0], 2, 0)
    _, between_rows, between_columns = volume.grid.spacing_mm
    affine = np.zeros((4, 4))
    affine[[2, 1, 0, 3], range(4)] = 1, between_rows, between_columns, 1
    space = Space.PIXEL if volume.grid.space is Space.PIXEL else Space.PLANE
    grid = Grid((array.shape[0], array.shape[1], array.shape[2]), affine, space=space)
    return replace(volume, array=array, grid=grid, axes=volume.axes[1:], sources=())

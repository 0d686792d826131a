"""One case to its place in the array: its grid, and its values on it, in one step from the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.geometry import Grid, Space
from isocenter.ops import anatomy
from isocenter.ops.intensity import preset, to_grey, windowed
from isocenter.ops.lattice import spacing_of
from isocenter.ops.resample import onto
from isocenter.ops.shape import middle_mm
from isocenter.pipeline.exporting.settings import ExportSettings
from isocenter.volume import Array, Volume

_ORIENTATION = "IPL"
_ON_CENTER = 1e-6  # voxels


@dataclass(frozen=True, eq=False)
class Shaped:
    """A case as it goes into the array: image and, if there are masks, its labels on the same grid."""

    image: Volume
    labels: Segmentation | None


def shaped(volume: Volume, mask: Segmentation | None, settings: ExportSettings) -> Shaped:
    """A case with the grid, window and type of values that all cases have.

    Raises
    ------
    UsageError
        If the case cannot be brought there.
    """
    if volume.axes:
        raise UsageError(f"The image has the further axes {', '.join(volume.axes)}: export one place of them.")
    if mask is not None and len(mask.layers) > 1:
        raise UsageError("The segments overlap, so there is no one label map.")
    grid = _grid(volume, mask, settings)
    moved = onto(
        volume, grid, interpolation=settings.interpolation, outside=settings.outside, smoothing=settings.smoothing
    )
    labels = None if mask is None else onto(mask, grid, labels=settings.labels, smoothing=settings.smoothing)
    image = _typed(_windowed(moved, settings), settings.dtype)
    return Shaped(image, labels)


def _grid(volume: Volume, mask: Segmentation | None, settings: ExportSettings) -> Grid:
    """Where the case comes to lie: in the common orientation, voxels permuted and flipped but never turned."""
    grid = volume.grid
    if grid.space is Space.PATIENT:
        grid = grid.reorient(_ORIENTATION)
    if settings.fit == "stretch" and settings.shape is not None:
        return grid.with_shape(settings.shape)
    if settings.spacing_mm is not None:
        spacing_of(grid)
        grid = grid.with_spacing(settings.spacing_mm)
    if settings.shape is None:
        return grid
    middle = _center_mm(volume, mask, settings.center)
    at = grid.to_index(grid.center_mm if middle is None else middle)
    start = [int(np.floor(m - (n - 1) / 2 + 0.5 - _ON_CENTER)) for m, n in zip(at, settings.shape, strict=True)]
    return grid.window(start, settings.shape)


def _center_mm(volume: Volume, mask: Segmentation | None, center: str) -> Sequence[float] | None:
    if center == "middle":
        return None
    around = anatomy.segment(volume, "body") if center == "body" else mask
    if around is None or not around.names:
        raise UsageError("There is no mask to center the case on.")
    try:
        return middle_mm(around)
    except InputError as error:
        raise UsageError(f"There is nothing to center the case on. {error}") from error


def _windowed(volume: Volume, settings: ExportSettings) -> Volume:
    if not settings.window:
        return volume
    if settings.dtype != "uint8":
        return windowed(volume, settings.window)
    if volume.unit != codes.HU:
        raise UsageError(f"The window {settings.window!r} is for CT in HU; this image is in {volume.unit.value!r}.")
    return volume.with_array(to_grey(volume.array, preset(settings.window)), unit=codes.ONE)


def _typed(volume: Volume, dtype: str) -> Volume:
    """The volume with values of a type, if it holds every one of them: whole numbers exactly, others rounded."""
    array, kind = volume.array, np.dtype(dtype).kind
    if array.dtype == dtype:
        return volume
    if array.dtype.kind == "f" and kind != "f" and not _is_whole(array):
        raise UsageError(f"The values are no whole numbers, as {dtype} holds them: take float32, or a window.")
    if array.dtype.kind != "f" or kind != "f":
        low, high = _REACH[dtype] if dtype in _REACH else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        fits = bool(low <= array.min() and array.max() <= high)
    else:
        fits = dtype == "float32" or bool(np.nanmax(np.abs(array), initial=0) <= np.finfo(dtype).max)
    if not fits:
        raise UsageError(f"The values reach from {array.min()} to {array.max()}, more than {dtype} holds.")
    return volume.with_array(array.astype(dtype))


_REACH = {"float16": (-(2**11), 2**11), "float32": (-(2**24), 2**24)}  # whole numbers that it holds exactly


def _is_whole(array: Array) -> bool:
    return bool(np.isfinite(array).all() and np.array_equal(array, np.rint(array)))

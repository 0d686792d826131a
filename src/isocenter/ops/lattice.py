"""What operations in millimetres ask of a volume: perpendicular axes of known length, three dimensions at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isocenter.errors import UsageError
from isocenter.geometry import Grid, Space
from isocenter.volume import Array, Volume

Spacing = tuple[float, float, float]


def spacing_of(grid: Grid) -> Spacing:
    """Spacing in millimetres along (slice, row, column) of a grid that has one.

    Raises
    ------
    UsageError
        If no size of a pixel is known, or the axes are not perpendicular, so that a ball would not be one.
    """
    if grid.space is Space.PIXEL:
        raise UsageError("The size of this picture's pixels is unknown, so nothing in it can be done in millimetres.")
    if grid.is_sheared:
        raise UsageError("The slices of this image are sheared: bring it onto an orthogonal grid first (iso.onto).")
    return grid.spacing_mm


def each(volume: Volume, work: Callable[[Array], Array]) -> Array:
    """The volume's array with ``work`` done on each (slice, row, column) part of it: time point, color sample."""
    if not volume.axes:
        return work(volume.array)
    further = volume.array.shape[3:]
    parts = [work(np.ascontiguousarray(volume.array[:, :, :, *index])) for index in np.ndindex(*further)]
    return np.stack(parts, axis=-1).reshape(*parts[0].shape, *further)

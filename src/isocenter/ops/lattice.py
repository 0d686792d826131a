"""What operations ask of images: one grid for all that go together; three axes, perpendicular and of known length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.findings import Segmentation
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
        raise UsageError(
            "The size of this picture's pixels is unknown, so nothing in it can be done in millimetres. "
            "isocenter.photos works in pixels; image.on(Grid(shape, affine, space=Space.PLANE), image.array) states "
            "their size."
        )
    if grid.is_sheared:
        raise UsageError("The slices of this image are sheared: bring it onto an orthogonal grid first (iso.onto).")
    return grid.spacing_mm


def expect_one_grid(image: Volume | Segmentation, segmentation: Segmentation) -> None:
    """Tell a caller whose segmentation does not lie on the grid of an image, voxel upon voxel.

    Raises
    ------
    UsageError
        If it does not, or they are no image and no segmentation.
    """
    expect(image, Volume, Segmentation)
    expect(segmentation, Segmentation)
    if not image.grid.coincides(segmentation.grid):
        raise UsageError("The images lie on different grids: bring one onto the other first (iso.onto).")


def expect_three_axes(volume: Volume, what: str) -> None:
    """Tell a caller whose volume has axes beyond the spatial ones; ``what`` is done, as in ``"Noise is measured"``.

    Raises
    ------
    UsageError
        If it has, or is no volume.
    """
    expect(volume, Volume)
    if volume.axes:
        raise UsageError(f"{what} along three axes: take one place of {', '.join(volume.axes)} first.")


def expect_real(volume: Volume, what: str) -> None:
    """Tell a caller whose volume holds no real numbers; ``what`` wants them, as in ``"A filter"``.

    Raises
    ------
    UsageError
        If its values are complex or no numbers, or it is no volume.
    """
    expect(volume, Volume)
    dtype = volume.array.dtype
    if dtype.kind not in "buif":
        raise UsageError(f"{what} takes real numbers, not {dtype}: take the magnitude or the phase of this image.")


def expect_length(length_mm: float, what: str) -> None:
    """Tell a caller whose length is no positive number of millimetres; ``what`` it is of, as in ``"The width"``.

    Raises
    ------
    UsageError
        If it is none.
    """
    if not (isinstance(length_mm, int | float | np.number) and 0 < length_mm < np.inf):
        raise UsageError(f"{what} is a positive length in millimetres, not {length_mm!r}.")


def each(volume: Volume, work: Callable[[Array], Array]) -> Array:
    """The volume's array with ``work`` done on each (slice, row, column) part of it: time point, color sample."""
    if not volume.axes:
        return work(volume.array)
    further = volume.array.shape[3:]
    parts = [work(np.ascontiguousarray(volume.array[:, :, :, *index])) for index in np.ndindex(*further)]
    return np.stack(parts, axis=-1).reshape(*parts[0].shape, *further)

"""Two images on one section: the one sampled where the pixels of the other lie."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from isocenter import codes
from isocenter.errors import UsageError, expect
from isocenter.geometry import Grid, Space
from isocenter.ops.resample import onto
from isocenter.report.pictures.views import PlaneName, index_at, plane_of
from isocenter.report.planes import Floats, Stack, stack
from isocenter.report.stills import still
from isocenter.volume import Volume


@dataclass(frozen=True, slots=True)
class Pair:
    """One section of two images.

    Parameters
    ----------
    seen, index
        The section as the first image has it.
    grid
        Its pixels, (1, rows, columns).
    one, other
        The values of both there; NaN where an image does not reach.
    """

    seen: Stack
    index: int
    grid: Grid
    one: Floats = field(repr=False)
    other: Floats = field(repr=False)

    @property
    def remark(self) -> str:
        """A sentence where the other image does not reach the section; else empty."""
        return "" if np.isfinite(self.other).any() else "The second image does not reach this section."

    @property
    def px_per_mm(self) -> float:
        """Pixels of the picture per millimetre."""
        return 1 / self.grid.spacing_mm[1]


def pair(one: Volume, other: Volume, plane: PlaneName, at_mm: float | None, *, room_px: int = 720) -> Pair:
    """A section of the first image and what lies there in the other, by linear interpolation, at the picture's pixels.

    Raises
    ------
    UsageError
        If an image has colours, the images lie in different frames of reference, or no section lies at ``at_mm``.
    """
    expect(one, Volume)
    expect(other, Volume)
    first, second = still(one), still(other)
    if first.axes or second.axes:
        raise UsageError("Pictures in colour cannot be laid over each other: take one of their samples first.")
    if first.grid.space is Space.PIXEL:
        raise UsageError("The size of this picture's pixels is unknown, so nothing can be laid over it.")
    seen = stack(first.array, first.grid, plane_of(plane))
    index = len(seen) // 2 if at_mm is None else index_at(seen, at_mm)
    _, rows, columns = seen.grid.shape
    field_of_view = seen.grid.crop((index, 0, 0), (index + 1, rows, columns))
    height, width = seen.size_mm
    scale = room_px / max(height, width)
    grid = field_of_view.with_shape((1, max(1, round(height * scale)), max(1, round(width * scale))))
    return Pair(seen, index, grid, sampled(first, grid)[0], sampled(second, grid)[0])


def sampled(volume: Volume, grid: Grid) -> Floats:
    """Values (slice, row, column) of a volume at the points of a grid, NaN beyond it."""
    near = _near(volume, grid)
    if near is None:
        if not volume.grid.may_share_frame(grid) or volume.grid.space != grid.space:
            raise UsageError("The images lie in different frames of reference: register them first.")
        return np.full(grid.shape, np.nan, np.float32)
    return np.asarray(onto(near, grid, outside=np.nan).array, np.float32)


def _near(volume: Volume, grid: Grid) -> Volume | None:
    """The part of a volume around a grid, as float32; None if they do not meet."""
    corners = np.stack(np.meshgrid(*[(-0.5, n - 0.5) for n in grid.shape], indexing="ij"), axis=-1)
    index = volume.grid.to_index(grid.to_world(corners)).reshape(-1, 3)
    start = np.maximum(np.floor(index.min(axis=0)).astype(int) - 1, 0)
    stop = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 2, volume.grid.shape)
    if (start >= stop).any():
        return None
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    return Volume(volume.array[box].astype(np.float32), volume.grid.crop(start, stop), codes.ONE)

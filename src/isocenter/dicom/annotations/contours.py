"""Contours: polygons to pixels. Knows slices, rows and columns; nothing of DICOM or of the patient.

A pixel is inside if its centre is (even-odd rule). A centre that lies on an edge belongs to the side of growing row and
column, so that polygons which share an edge divide the pixels between them: none is in both, none in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """A mask on a part of a slice.

    Parameters
    ----------
    k
        Index of the slice.
    row, column
        Place of the mask's first pixel in the slice.
    mask
        (row, column).
    """

    k: int
    row: int
    column: int
    mask: Mask

    @property
    def place(self) -> tuple[int, slice, slice]:
        """Index of the patch in an array of (slice, row, column)."""
        rows, columns = self.mask.shape
        return self.k, slice(self.row, self.row + rows), slice(self.column, self.column + columns)


def inside(polygons: Sequence[Floats], shape: tuple[int, int]) -> tuple[int, int, Mask]:
    """Pixels whose centre is inside an odd number of polygons: holes are polygons within polygons.

    Each edge toggles every pixel to its right; what was toggled an odd number of times is inside.

    Parameters
    ----------
    polygons
        (n, 2) arrays of (row, column), in pixels; closed from the last point to the first.
    shape
        (rows, columns) of the slice; what lies beyond is cut off.

    Returns
    -------
    row, column
        Place of the mask's first pixel.
    mask
        (row, column); no larger than the polygons, and empty where they hold no pixel.
    """
    rows, places = _crossings(polygons, shape[0])
    columns = np.clip(np.ceil(places), 0, shape[1]).astype(np.intp)
    if rows.size == 0:
        return 0, 0, np.zeros((0, 0), bool)
    top, left = int(rows.min()), int(columns.min())
    toggles = np.zeros((int(rows.max()) + 1 - top, int(columns.max()) + 1 - left), np.uint8)
    np.bitwise_xor.at(toggles, (rows - top, columns - left), 1)
    mask = np.bitwise_xor.accumulate(toggles, axis=1).view(bool)
    return top, left, mask[:, :-1]


def _crossings(polygons: Sequence[Floats], row_count: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Where the edges cross the rows of pixel centres: row index and column of each crossing.

    An edge crosses the rows from its upper end, this one included, to its lower end, this one excluded. It is followed
    downwards whichever way it was drawn, so that an edge that two polygons share gives one column.
    """
    starts = np.concatenate([np.empty((0, 2)), *polygons])
    ends = np.concatenate([np.empty((0, 2)), *(np.roll(polygon, -1, axis=0) for polygon in polygons)])
    is_upwards = starts[:, 0] > ends[:, 0]
    upper = np.where(is_upwards[:, None], ends, starts)
    lower = np.where(is_upwards[:, None], starts, ends)
    first, last = (np.clip(np.ceil(end[:, 0]), 0, row_count).astype(np.intp) for end in (upper, lower))
    counts = last - first
    edge = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slopes = (lower - upper)[edge]
    return rows, upper[edge, 1] + (rows - upper[edge, 0]) * slopes[:, 1] / slopes[:, 0]

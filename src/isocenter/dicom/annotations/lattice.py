"""Lattice: frames that lie anywhere in a stack, with holes between them, onto the lattice of a grid. Positions only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.dicom.annotations.segmentframes import Layout
from isocenter.dicom.file.parsing import Triple
from isocenter.dicom.sorting import stack
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Floats, Grid
from isocenter.reasons import Reason

_ON_GRID = 0.2  # of a voxel: real slices lie a little beside their grid
_PARTS = (2, 3, 4)
_MOST_HOLES = 256
_MOST_HOLES_PER_FRAME = 32


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """Where frames lie on a grid.

    Parameters
    ----------
    grid
        The grid.
    slices
        The slice of each frame; outside the grid where the grid does not reach it.
    row, column
        Where the first pixel of all frames lies in a slice.
    """

    grid: Grid
    slices: tuple[int, ...]
    row: int = 0
    column: int = 0


def own_lattice(
    positions_mm: Sequence[Triple], layout: Layout, shape: tuple[int, int], frame_of_reference_uid: str | None
) -> Places:
    """The smallest regular grid that holds parallel frames.

    The distance of its slices is Spacing Between Slices where all frames lie at whole multiples of it, else the largest
    one that does; of a single slice also Slice Thickness.

    Parameters
    ----------
    positions_mm
        Position of each frame; several may share one.
    layout
        What the frames share: with orientation and pixel spacing.
    shape
        (rows, columns) of a frame.
    frame_of_reference_uid
        None if unknown.

    Raises
    ------
    Refused
        If there is no such grid.
    """
    assert layout.orientation is not None and layout.pixel_spacing_mm is not None  # noqa: S101, PT018 - asked before
    vectors = np.array(layout.orientation).reshape(2, 3)
    if np.abs(vectors @ vectors.T - np.eye(2)).max() > stack.PERPENDICULAR_TOLERANCE:
        message = "Row and column direction are not perpendicular unit vectors."
        raise Refused([Reason("ORIENTATION_INVALID", message)])
    columns, rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    normal = np.cross(rows, columns)
    positions = np.array(positions_mm, np.float64)
    if not (np.abs(positions) < stack.FARTHEST_MM).all():
        raise Refused([Reason("POSITION_MISSING", "Frames lie at positions that are no places in a patient.")])
    slices, step = _numbered(positions, normal, layout)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = rows * layout.pixel_spacing_mm[0]
    affine[:3, 2] = columns * layout.pixel_spacing_mm[1]
    affine[:3, 3] = positions[int(np.argmin(slices))]
    grid = Grid((int(slices.max()) + 1, *shape), affine, frame_of_reference_uid)
    return Places(grid, tuple(int(k) for k in slices))


def _numbered(positions: Floats, normal: Floats, layout: Layout) -> tuple[npt.NDArray[np.intp], Floats]:
    """The slice of each frame, from 0, and the step from slice to slice."""
    depths = positions @ normal
    depths = depths - depths.min()
    distinct = stack.positions_of(depths)
    if len(distinct) == 1:
        distance = layout.between_slices_mm or layout.thickness_mm
        if distance is None:
            message = "All frames lie in one slice, and nothing tells how thick it is: give a grid."
            raise Refused([Reason("SPACING_MISSING", message)])
        return np.zeros(len(depths), np.intp), normal * distance
    distance = _distance(distinct, layout)
    slices = np.rint(depths / distance).astype(np.intp)
    if slices.max() > _MOST_HOLES + _MOST_HOLES_PER_FRAME * len(distinct):
        raise Refused([Reason("SEGMENTATION_UNEVEN", "Its frames lie too far apart for their spacing: give a grid.")])
    first = positions[int(np.argmin(slices))]
    step: Floats = np.asarray(slices @ (positions - first) / float(slices @ slices), np.float64)
    beside = np.linalg.norm(positions - first - np.outer(slices, step), axis=1).max()
    if beside > _tolerance(distance):
        raise Refused([Reason("SEGMENTATION_UNEVEN", "Its frames do not lie on one lattice: give a grid.")])
    return slices, step


def _distance(distinct: Floats, layout: Layout) -> float:
    """The distance of which all depths are whole multiples: the stated, the shortest one, or a simple part of that."""
    shortest = float(np.diff(distinct).min())
    likely = [shortest] if layout.between_slices_mm is None else [layout.between_slices_mm, shortest]
    parts = [shortest / count for count in _PARTS]
    for distance in (*likely, *parts):
        tolerance = _tolerance(distance) if distance in likely else stack.SAME_POSITION_MM
        count = max(round(float(distinct[-1] / distance)), 1)
        steps = (
            distinct * count / distinct[-1]
        )  # the distance as all of the stack has it: what is stated may be rounded
        if np.abs(steps - np.rint(steps)).max() * distance <= tolerance:
            return float(distinct[-1]) / count
    raise Refused([Reason("SEGMENTATION_UNEVEN", "Its frames lie at uneven distances: give a grid.")])


def _tolerance(distance: float) -> float:
    return min(stack.LATTICE_TOLERANCE_MM, stack.LATTICE_TOLERANCE_SPACINGS * distance)


def places_on(grid: Grid, positions_mm: Sequence[Triple], layout: Layout, shape: tuple[int, int]) -> Places:
    """Where parallel frames lie on a grid.

    Raises
    ------
    UsageError
        If they do not lie on its voxels.
    """
    assert layout.orientation is not None and layout.pixel_spacing_mm is not None  # noqa: S101, PT018 - asked before
    columns, rows = np.array(layout.orientation).reshape(2, 3)
    far = np.array(shape, np.float64) - 1
    diagonal = rows * layout.pixel_spacing_mm[0] * far[0] + columns * layout.pixel_spacing_mm[1] * far[1]
    first = grid.to_index(np.array(positions_mm, np.float64))
    last = grid.to_index(np.array(positions_mm, np.float64) + diagonal)
    corner = grid.to_index(np.array(positions_mm[0]) + rows * layout.pixel_spacing_mm[0] * far[0])
    start = np.rint(first[0])
    expected = np.column_stack([np.rint(first[:, 0]), np.broadcast_to(start[1:], (len(first), 2))])
    beside = [first - expected, last - expected - (0, *far), corner - expected[0] - (0, far[0], 0)]
    is_within = (start[1:] >= 0).all() and (start[1:] + far < grid.shape[1:]).all()
    if not is_within or max(np.abs(off).max() for off in beside) > _ON_GRID:
        raise UsageError(
            "The frames of the segmentation do not lie on the voxels of this grid: "
            "read it without a grid and bring it there with isocenter.onto(segmentation, grid)."
        )
    return Places(grid, tuple(int(k) for k in expected[:, 0]), int(start[1]), int(start[2]))

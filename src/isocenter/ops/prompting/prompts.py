"""Prompts: what a person marks in the world, as voxels of an image. What is made of them lives in ``session``."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.geometry import Floats, Grid, Triple
from isocenter.volume import Volume

Side = Literal["inside", "outside"]
Indices = npt.NDArray[np.intp]

_ON_EDGE = 1e-3  # voxels; a point this far beyond the outermost face is still on it
_PER_VOXEL = 2.0  # points along a line for each voxel that it crosses


@dataclass(frozen=True, eq=False)
class Prompt:
    """Voxels marked as inside or outside of a structure.

    Parameters
    ----------
    side
        ``"inside"`` or ``"outside"``.
    voxels
        (n, 3) array of (k, r, c), each once, in the order of their place in memory.
    said
        What was marked, for the settings of the algorithm.
    """

    side: Side
    voxels: Indices = field(repr=False)
    said: str

    def flat(self, shape: tuple[int, ...]) -> Indices:
        """The voxels' places in an array of a shape."""
        k, r, c = self.voxels.T
        return np.asarray((k * shape[1] + r) * shape[2] + c, np.intp)


@dataclass(frozen=True, slots=True)
class Frame:
    """A box of voxels around a structure: index of the first along each axis, and of one past the last."""

    start: Triple
    stop: Triple
    said: str

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """Where it lies in an array."""
        k, r, c = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return k, r, c

    def holds(self, voxels: Indices) -> bool:
        """Whether all of some voxels lie in the box."""
        return bool(((voxels >= self.start) & (voxels < self.stop)).all())


def framed(volume: Volume, one_mm: npt.ArrayLike, other_mm: npt.ArrayLike) -> Frame:
    """The box of all voxels whose centres lie between two opposite corners, along the image's axes.

    Raises
    ------
    UsageError
        If the corners are no two points, or no voxel of the image lies between them.
    """
    corners = np.concatenate([world_points(one_mm), world_points(other_mm)])
    index = volume.grid.to_index(corners)
    start = np.maximum(np.ceil(index.min(axis=0) - _ON_EDGE), 0).astype(int)
    stop = np.minimum(np.floor(index.max(axis=0) + _ON_EDGE) + 1, volume.grid.shape).astype(int)
    if (stop <= start).any():
        raise UsageError("No voxel of the image lies between the corners of this box.")
    said = " to ".join(f"({x:.2f}, {y:.2f}, {z:.2f})" for x, y, z in corners)
    (k, r, c), (k1, r1, c1) = start.tolist(), stop.tolist()
    return Frame((k, r, c), (k1, r1, c1), said)


def marked(volume: Volume, points_mm: npt.ArrayLike, side: Side) -> Prompt:
    """A point, or the line through several, as the voxels that it crosses.

    Parameters
    ----------
    volume
        The image.
    points_mm
        (x, y, z) or (n, 3) world points in millimetres.
    side
        On which side of the border it lies.

    Raises
    ------
    UsageError
        If these are no points, or one lies outside the image or where it has no value.
    """
    points = world_points(points_mm)
    index = volume.grid.to_index(points)
    _expect_in(index, volume.grid)
    said = " ".join(f"({x:.2f}, {y:.2f}, {z:.2f})" for x, y, z in points)
    return of_voxels(volume, np.rint(_along(index)), side, said)


def of_voxels(volume: Volume, index: Floats | Indices, side: Side, said: str) -> Prompt:
    """Voxels of an image as a prompt.

    Raises
    ------
    UsageError
        If there is none, the side is none of the two, or the image has no value at one of them.
    """
    if side not in get_args(Side):
        raise UsageError(f"A prompt marks what lies 'inside' or 'outside', not {side!r}.")
    if not len(index):
        raise UsageError("This prompt marks no voxel.")
    voxels = np.unique(np.clip(index, 0, np.asarray(volume.grid.shape) - 1).astype(np.intp), axis=0)
    if not np.isfinite(volume.array[tuple(voxels.T)]).all():
        raise UsageError("The image has no value at the prompt: mark another place.")
    return Prompt(side, voxels, f"{side} {said}")


def world_points(points_mm: npt.ArrayLike) -> Floats:
    """(n, 3) world points of one point or several.

    Raises
    ------
    UsageError
        If they are no finite points.
    """
    try:
        points = np.atleast_2d(np.asarray(points_mm, float))
    except (TypeError, ValueError) as error:
        raise UsageError("A point is three numbers (x, y, z) in millimetres.") from error
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
        raise UsageError("A point is three finite numbers (x, y, z) in millimetres.")
    return points


def _expect_in(index: Floats, grid: Grid) -> None:
    limits = np.asarray(grid.shape) - 0.5 + _ON_EDGE
    if (index < -0.5 - _ON_EDGE).any() or (index > limits).any():
        raise UsageError("A prompt lies outside the image: its points are (x, y, z) in millimetres, in LPS.")


def _along(index: Floats) -> Floats:
    """Points along the line through some, at most half a voxel apart."""
    parts = [index[:1]]
    for one, other in pairwise(index):
        steps = max(1, int(np.ceil(np.abs(other - one).max() * _PER_VOXEL)))
        parts.append(one + (other - one) * (np.arange(1, steps + 1) / steps)[:, None])
    return np.concatenate(parts)

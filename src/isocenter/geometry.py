"""Grid: where the voxels of an array lie. Shape, affine and frame of reference; no voxel values live here.

World coordinates are LPS millimetres, as DICOM's patient coordinate system (PS3.3 C.7.6.2.1.1). Array axes are
(slice, row, column); the columns of the affine stand in that same order: ``affine @ (k, r, c, 1)`` is the centre of
voxel ``[k, r, c]``. Any invertible affine is allowed, so a grid may be oblique, left-handed or sheared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Triple = tuple[int, int, int]

_SHEAR_TOLERANCE = 1e-3  # cosine between two axes; 0.06 degrees
_AXIAL = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # slices to I, rows to P, columns to L
_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))  # world axis -> its letter towards +, its letter towards -


class Space(StrEnum):
    """What the world coordinates of a grid mean."""

    PATIENT = "patient"
    """LPS millimetres in the patient."""
    PLANE = "plane"
    """Millimetres within the image (x along columns, y along rows); the place in the patient is unknown."""
    PIXEL = "pixel"
    """Pixels; no size is known."""


def _frozen(values: npt.ArrayLike) -> Floats:
    array = np.array(values, dtype=np.float64)
    array += 0.0  # -0.0 becomes 0.0, so that equal grids have equal bytes
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Grid:
    """The lattice of voxel centres.

    Parameters
    ----------
    shape
        Number of (slices, rows, columns).
    affine
        (4, 4) matrix from array index (k, r, c, 1) to world (x, y, z, 1).
    frame_of_reference_uid
        Grids of one frame of reference share one patient coordinate system; None if unknown.
    space
        What the world coordinates mean.

    Raises
    ------
    ValueError
        If a dimension is not positive or the affine is not a finite invertible one.
    """

    shape: Triple
    affine: Floats = field(repr=False)
    frame_of_reference_uid: str | None = None
    space: Space = Space.PATIENT

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"A grid has three positive dimensions, not {self.shape!r}.")
        affine = _frozen(self.affine)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("The affine must be a (4, 4) matrix of finite numbers.")
        if not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise ValueError("The last row of the affine must be (0, 0, 0, 1).")
        if _relative_volume(affine[:3, :3]) < 1e-6:
            raise ValueError("The affine must be invertible: its axes lie in one plane or have no length.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "space", Space(self.space))

    def __repr__(self) -> str:
        spacing = " x ".join(f"{length:.4g}" for length in self.spacing_mm)
        origin = ", ".join(f"{part:.4g}" for part in self.origin_mm)
        return f"Grid({self.shape}, {spacing} mm, {self.orientation}, origin ({origin}), {self.space})"

    # --- making ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_vectors(
        cls,
        shape: Sequence[int],
        *,
        spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
        origin_mm: Sequence[float] = (0.0, 0.0, 0.0),
        direction: npt.ArrayLike | None = None,
        frame_of_reference_uid: str | None = None,
    ) -> Grid:
        """Grid from spacing, origin and direction.

        Parameters
        ----------
        shape
            Number of (slices, rows, columns).
        spacing_mm
            Distance between voxel centres along (slice, row, column).
        origin_mm
            LPS (x, y, z) of the centre of voxel [0, 0, 0].
        direction
            (3, 3); its columns are unit vectors of growing slice, row and column index in LPS. By default a
            right-handed axial stack: slices to I (head to feet), rows to P, columns to L.
        frame_of_reference_uid
            Frame of reference, if known.
        """
        axes = (
            np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], float) if direction is None else np.asarray(direction, float)
        )
        affine = np.eye(4)
        affine[:3, :3] = axes * np.asarray(spacing_mm, float)
        affine[:3, 3] = origin_mm
        k, r, c = shape
        return cls((k, r, c), affine, frame_of_reference_uid)

    # --- reading ---------------------------------------------------------------------------------------------------

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along (slice, row, column)."""
        k, r, c = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(k), float(r), float(c)

    @cached_property
    def direction(self) -> Floats:
        """(3, 3); columns are unit vectors of growing slice, row and column index, in world coordinates."""
        return _frozen(self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0))

    @cached_property
    def origin_mm(self) -> tuple[float, float, float]:
        """World (x, y, z) of the centre of voxel [0, 0, 0]."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    @cached_property
    def center_mm(self) -> tuple[float, float, float]:
        """World (x, y, z) of the middle of the grid."""
        x, y, z = self.to_world([(n - 1) / 2 for n in self.shape])
        return float(x), float(y), float(z)

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Length of the grid along (slice, row, column), from outer voxel face to outer voxel face."""
        k, r, c = (n * s for n, s in zip(self.shape, self.spacing_mm, strict=True))
        return k, r, c

    @cached_property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return self.voxel_volume_mm3 / 1000.0

    @cached_property
    def is_sheared(self) -> bool:
        """Whether the axes are not perpendicular to each other (as a stack of a tilted gantry)."""
        cosines = self.direction.T @ self.direction - np.eye(3)
        return bool(np.abs(cosines).max() > _SHEAR_TOLERANCE)

    @property
    def is_right_handed(self) -> bool:
        """Whether (slice, row, column) are right-handed: row direction x column direction points along the slices.

        A common axial series is right-handed when it is sorted head to feet (``orientation`` is ``"IPL"``).
        """
        return bool(np.linalg.det(self.affine[:3, :3]) > 0)

    @cached_property
    def orientation(self) -> str:
        """Three letters: where (slice, row, column) index grows to, such as ``"IPL"`` for a common axial stack.

        Each letter is the anatomical direction nearest to its axis (L/R, P/A, S/I); each world axis occurs once.
        """
        letters = []
        for axis, world in enumerate(_nearest_world_axes(self.direction)):
            letters.append(_LETTERS[world][0 if self.direction[world, axis] > 0 else 1])
        return "".join(letters)

    @cached_property
    def _inverse(self) -> Floats:
        return _frozen(np.linalg.inv(self.affine))

    def to_world(self, index: npt.ArrayLike) -> Floats:
        """World (x, y, z) of array indices.

        Parameters
        ----------
        index
            (..., 3) array of (k, r, c), whole or fractional.

        Returns
        -------
        (..., 3) array in millimetres.
        """
        return np.asarray(index, float) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, point_mm: npt.ArrayLike) -> Floats:
        """Fractional array index (k, r, c) of world points; the inverse of :meth:`to_world`.

        Parameters
        ----------
        point_mm
            (..., 3) array of (x, y, z).
        """
        return np.asarray(point_mm, float) @ self._inverse[:3, :3].T + self._inverse[:3, 3]

    def index_transform(self, other: Grid) -> Floats:
        """(4, 4) matrix from an index of this grid to the index of ``other`` at the same world point."""
        return other._inverse @ self.affine

    # --- derived grids -----------------------------------------------------------------------------------------------

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> Grid:
        """Sub-grid ``[start, stop)``; every voxel keeps its world point.

        Raises
        ------
        ValueError
            If the box is empty or leaves the grid.
        """
        if not all(0 <= a < b <= n for a, b, n in zip(start, stop, self.shape, strict=True)):
            raise ValueError(f"Cannot crop [{tuple(start)}, {tuple(stop)}) from a grid of shape {self.shape}.")
        return self.window(start, [b - a for a, b in zip(start, stop, strict=True)])

    def pad(self, before: Sequence[int], after: Sequence[int]) -> Grid:
        """Grid with voxels added around; every old voxel keeps its world point."""
        if min(*before, *after) < 0:
            raise ValueError("Padding counts voxels, so it cannot be negative; use crop to take voxels away.")
        shape = [a + n + b for a, n, b in zip(before, self.shape, after, strict=True)]
        return self.window([-a for a in before], shape)

    def window(self, start: Sequence[int], shape: Sequence[int]) -> Grid:
        """Grid of a shape that begins at voxel ``start`` of this lattice; it may leave this grid."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_world(start)
        return replace(self, shape=(shape[0], shape[1], shape[2]), affine=affine)

    def flip(self, *axes: int) -> Grid:
        """Grid whose named axes run the other way; every voxel keeps its world point."""
        affine = self.affine.copy()
        for axis in axes:
            affine[:3, 3] += affine[:3, axis] * (self.shape[axis] - 1)
            affine[:3, axis] *= -1
        return replace(self, affine=affine)

    def permute(self, order: Sequence[int]) -> Grid:
        """Grid with its axes in another order: new axis ``i`` is old axis ``order[i]``."""
        if sorted(order) != [0, 1, 2]:
            raise ValueError(f"An order of axes is a permutation of (0, 1, 2), not {tuple(order)}.")
        a, b, c = order
        shape = (self.shape[a], self.shape[b], self.shape[c])
        return replace(self, shape=shape, affine=self.affine[:, [a, b, c, 3]])

    def axes_towards(self, orientation: str) -> tuple[Triple, tuple[int, ...]]:
        """How to reach an orientation: the order of axes, then the (new) axes to flip.

        Parameters
        ----------
        orientation
            Three letters for (slice, row, column) such as ``"IPL"``.
        """
        worlds = [_world_axis_of(letter) for letter in orientation.upper()]
        if sorted(worlds) != [0, 1, 2]:
            raise ValueError(f"An orientation names each of L/R, P/A, S/I once, as in 'IPL'; not {orientation!r}.")
        own = _nearest_world_axes(self.direction)
        a, b, c = (own.index(world) for world in worlds)
        flips = tuple(
            new
            for new, (old, letter) in enumerate(zip((a, b, c), orientation.upper(), strict=True))
            if self.orientation[old] != letter
        )
        return (a, b, c), flips

    def reorient(self, orientation: str) -> Grid:
        """Grid with axes permuted and flipped to the orientation; every voxel keeps its world point."""
        order, flips = self.axes_towards(orientation)
        return self.permute(order).flip(*flips)

    def with_spacing(self, spacing_mm: Sequence[float]) -> Grid:
        """Grid of another spacing over the same field of view and with the same centre.

        The number of voxels is the old length over the new spacing, rounded, at least one; what the rounding leaves
        over is shared between both ends.
        """
        if min(spacing_mm) <= 0 or not np.isfinite(spacing_mm).all():
            raise ValueError(f"Spacing is three positive lengths in millimetres, not {tuple(spacing_mm)}.")
        shape = [max(1, round(e / s)) for e, s in zip(self.extent_mm, spacing_mm, strict=True)]
        linear = self.direction * np.asarray(spacing_mm, float)
        return self._around_center(linear, shape)

    def with_shape(self, shape: Sequence[int]) -> Grid:
        """Grid of another shape over the same field of view: the spacing changes."""
        scale = np.asarray(self.shape, float) / np.asarray(shape, float)
        return self._around_center(self.affine[:3, :3] * scale, shape)

    def _around_center(self, linear: Floats, shape: Sequence[int]) -> Grid:
        affine = np.eye(4)
        affine[:3, :3] = linear
        affine[:3, 3] = np.asarray(self.center_mm) - linear @ ((np.asarray(shape, float) - 1) / 2)
        return replace(self, shape=(int(shape[0]), int(shape[1]), int(shape[2])), affine=affine)

    # --- comparing ---------------------------------------------------------------------------------------------------

    def coincides(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether every voxel lies where the same voxel of ``other`` lies, within a tolerance.

        Frames of reference must agree where both are known.
        """
        if self.shape != other.shape or self.space != other.space or not self.may_share_frame(other):
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], indexing="ij")).reshape(3, -1).T
        return bool(np.abs(self.to_world(corners) - other.to_world(corners)).max() <= tolerance_mm)

    def may_share_frame(self, other: Grid) -> bool:
        """False only if both frames of reference are known and differ."""
        uids = (self.frame_of_reference_uid, other.frame_of_reference_uid)
        return None in uids or uids[0] == uids[1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Any, ...]:
        return self.shape, self.affine.tobytes(), self.frame_of_reference_uid, self.space

    # --- plain values ------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "shape": list(self.shape),
            "affine": self.affine.tolist(),
            "frame_of_reference_uid": self.frame_of_reference_uid,
            "space": str(self.space),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Grid:
        """The inverse of :meth:`to_dict`."""
        k, r, c = values["shape"]
        return cls((k, r, c), np.array(values["affine"]), values["frame_of_reference_uid"], Space(values["space"]))


def _relative_volume(linear: Floats) -> float:
    lengths = np.linalg.norm(linear, axis=0)
    return 0.0 if lengths.min() == 0 else float(abs(np.linalg.det(linear / lengths)))


def _nearest_world_axes(direction: Floats) -> list[int]:
    """World axis of each array axis, each once, by the largest cosines first."""
    cosines = np.abs(direction).copy()
    axes = [0, 0, 0]
    for _ in range(3):
        world, axis = np.unravel_index(int(np.argmax(cosines)), (3, 3))
        axes[int(axis)] = int(world)
        cosines[world, :] = -1
        cosines[:, axis] = -1
    return axes


def _world_axis_of(letter: str) -> int:
    for world, letters in enumerate(_LETTERS):
        if letter in letters:
            return world
    return -1

"""Transform: a map from one patient world to another, and what it carries along. How it is found lives beside it.

A transform leads **from the fixed world to the moving world**, as ITK's do: ``transform.points(x)`` is the place in the
moving image that shows what the fixed image shows at ``x``. An image goes the other way: ``transform.apply(moving)`` is
the moving image brought onto the fixed one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import InputError, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.geometry import Floats, Grid
from isocenter.ops import resample
from isocenter.ops.lattice import each
from isocenter.ops.registration import fields
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

Image = TypeVar("Image", Volume, Segmentation)

VECTOR = "vector"
"""Name of the axis of a displacement field."""


@dataclass(frozen=True, eq=False)
class Transform:
    """A map from the fixed world to the moving world, in LPS millimetres: ``x -> affine @ (x + displacement(x))``.

    Parameters
    ----------
    affine
        (4, 4) invertible matrix.
    fixed, moving
        Grids of the two images. Their frames of reference say which way round the transform may be applied; where
        these are unknown or the same, the grids do.
    displacement
        Volume with the axis ``"vector"``: displacement (x, y, z) in millimetres on a grid in the fixed world; None for
        an affine transform. Between its voxels it is linear; farther than half a voxel beyond the outermost it is 0.
    reasons
        What the registration had to say; they travel with every image that the transform is applied to.

    Raises
    ------
    UsageError
        If the matrix is no invertible one, or the displacement holds no three finite numbers at each voxel.
    """

    affine: Floats = field(repr=False)
    fixed: Grid
    moving: Grid
    displacement: Volume | None = None
    reasons: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        try:
            checked = Grid((1, 1, 1), np.asarray(self.affine, float)).affine
        except (ValueError, TypeError) as error:
            raise UsageError(f"No matrix of a transform: {error}") from error
        object.__setattr__(self, "affine", checked)
        vectors = self.displacement
        if vectors is None:
            return
        if vectors.axes != (VECTOR,) or vectors.array.shape[3] != 3:
            raise UsageError(f"A displacement has one further axis, {VECTOR!r} of 3, not {vectors.axes}.")
        if not np.isfinite(vectors.array.sum(dtype=np.float64)):
            raise UsageError("A displacement holds finite numbers only.")
        if not vectors.grid.may_share_frame(self.fixed):
            raise UsageError("The displacement lies in another frame of reference than the fixed image.")

    # --- points ------------------------------------------------------------------------------------------------------

    def points(self, points_mm: npt.ArrayLike) -> Floats:
        """Where points of the fixed world lie in the moving world: (..., 3) of (..., 3), LPS millimetres."""
        points = np.asarray(points_mm, float)
        if points.shape[-1:] != (3,):
            raise UsageError(f"Points are arrays of (..., 3) in millimetres, not {points.shape}.")
        if self.displacement is not None:
            grid = self.displacement.grid
            index = grid.to_index(points).reshape(-1, 3)
            outside = np.abs(index - (np.array(grid.shape) - 1) / 2) > np.array(grid.shape) / 2
            moves = fields.sampled(self._vectors, index)
            moves[outside.any(axis=1)] = 0
            points = points + moves.reshape(points.shape)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    @property
    def _vectors(self) -> fields.Field:
        assert self.displacement is not None  # noqa: S101 - callers have looked
        return np.ascontiguousarray(self.displacement.array, np.float32)

    # --- images ------------------------------------------------------------------------------------------------------

    def apply(self, image: Image, *, onto: Grid | None = None, outside: float | None = None) -> Image:
        """An image of the moving world brought into the fixed world: linearly, a segmentation by its nearest voxel.

        Parameters
        ----------
        image
            The moving image, or another one in its frame of reference, of any further axes.
        onto
            Grid in the fixed world; by default that of the fixed image.
        outside
            Value of voxels that the image does not reach, as for :func:`isocenter.onto`.

        Returns
        -------
        The image on the grid, in the fixed frame of reference, of the same dtype, with the reasons of the transform.
        It has no sources: its slices are no longer those that were read.

        Raises
        ------
        UsageError
            If the image lies in the fixed world and not in the moving one (take ``inverse()`` then), the grid does not
            lie in the fixed world, or ``outside`` is needed and not given.
        """
        expect(image, Volume, Segmentation)
        target = self.fixed if onto is None else onto
        expect(target, Grid)
        self._expect_from_moving(image.grid)
        if target.space != self.fixed.space or not target.may_share_frame(self.fixed):
            raise UsageError("The grid does not lie in the frame of reference of the fixed image.")
        target = replace(target, frame_of_reference_uid=self.fixed.frame_of_reference_uid)
        back = inverted(self.affine) @ image.grid.affine
        uid = self.fixed.frame_of_reference_uid
        there = replace(image, grid=replace(image.grid, affine=back, frame_of_reference_uid=uid), sources=())
        moved = (
            resample.onto(there, target, outside=outside)
            if self.displacement is None
            else (self._warped(there, target, outside))
        )
        return replace(moved, sources=(), reasons=merge(moved.reasons, self.reasons))

    def _expect_from_moving(self, grid: Grid) -> None:
        way = "This transform brings images of the moving world into the fixed one"
        if grid.space != self.moving.space or not grid.may_share_frame(self.moving):
            hint = "; take its inverse()" if grid.may_share_frame(self.fixed) else ""
            raise UsageError(f"{way}, and this image lies in another frame of reference than the moving one{hint}.")
        is_told_apart = not self.fixed.may_share_frame(self.moving)
        if not is_told_apart and grid.coincides(self.fixed) and not grid.coincides(self.moving):
            raise UsageError(f"{way}, and this image lies on the grid of the fixed one: take its inverse().")

    def _warped(self, image: Image, target: Grid, outside: float | None) -> Image:
        """The image, whose grid is in the fixed world, moved by the displacement alone."""
        from isocenter.sampling import Field, warped_linear, warped_nearest

        assert self.displacement is not None  # noqa: S101 - the caller has looked
        to_field = target.index_transform(self.displacement.grid)
        way = Field(self._vectors, to_field, inverted(image.grid.affine)[:3, :3])
        through = target.index_transform(image.grid)
        if isinstance(image, Segmentation):
            if outside:
                raise UsageError("Outside a segmentation lies background: do not state another value.")
            layers = tuple(warped_nearest(one, through, target.shape, field=way, outside=0) for one in image.layers)
            return replace(image, layers=layers, grid=target)
        if outside is None and image.unit == codes.HU:
            outside = resample.AIR_HU
        if outside is None:
            covered = warped_nearest(np.ones(image.grid.shape, np.uint8), through, target.shape, field=way, outside=0)
            if not covered.all():
                raise UsageError(
                    f"Part of the grid lies outside the moved image, whose unit is {image.unit.value!r}: say what lies "
                    "there by outside=VALUE."
                )
            outside = 0.0
        fill = outside

        def one(array: Array) -> Array:
            try:
                return warped_linear(array, through, target.shape, field=way, outside=fill)
            except ValueError as error:
                raise UsageError(str(error)) from error

        return image.on(target, each(image, one))

    # --- other transforms --------------------------------------------------------------------------------------------

    def inverse(self) -> Transform:
        """The transform from the moving to the fixed world.

        Of a displacement by a fixed point, to a thousandth of a voxel where it does not fold.
        """
        back = inverted(self.affine)
        found = Transform(back, self.moving, self.fixed, reasons=self.reasons)
        if self.displacement is None:
            return found
        padded, vectors = _roomy(self.displacement)
        in_voxels = vectors @ inverted(padded.affine[:3, :3]).T.astype(np.float32)
        undone = fields.undone(np.ascontiguousarray(in_voxels))
        turned = undone @ (self.affine @ padded.affine)[:3, :3].T.astype(np.float32)
        grid = _in_frame(padded, self.affine @ padded.affine, self.moving)
        return replace(found, displacement=displacement_on(grid, turned))

    def then(self, after: Transform) -> Transform:
        """This transform, and from the moving world on the transform ``after``; as one.

        Raises
        ------
        UsageError
            If ``after`` does not begin in the world where this one ends.
        """
        expect(after, Transform)
        if not self.moving.may_share_frame(after.fixed) or self.moving.space != after.fixed.space:
            raise UsageError("The second transform does not begin in the frame of reference where the first one ends.")
        whole = Transform(
            after.affine @ self.affine, self.fixed, after.moving, reasons=merge(self.reasons, after.reasons)
        )
        if after.displacement is None:
            return replace(whole, displacement=self.displacement)
        back = inverted(self.affine)
        second = after.displacement
        grid = _in_frame(second.grid, back @ second.grid.affine, self.fixed)
        turned = np.asarray(second.array, np.float32) @ back[:3, :3].T.astype(np.float32)
        pulled = displacement_on(grid, turned)
        if self.displacement is None:
            return replace(whole, displacement=pulled)
        return replace(whole, displacement=_summed(self.displacement, pulled))

    def jacobian(self) -> Volume:
        """How much volume grows from the fixed to the moving world, voxel by voxel; 0 or less where the map folds.

        On the grid of the displacement; of an affine transform on that of the fixed image, one number everywhere.
        """
        linear = float(np.linalg.det(self.affine[:3, :3]))
        if self.displacement is None:
            return Volume(np.full(self.fixed.shape, linear, np.float32), self.fixed)
        grid = self.displacement.grid
        in_voxels = self._vectors @ inverted(grid.affine[:3, :3]).T.astype(np.float32)
        found = fields.determinants(np.ascontiguousarray(in_voxels)) * np.float32(linear)
        return Volume(found, grid, reasons=self.reasons)

    def with_reasons(self, reasons: Iterable[Reason]) -> Transform:
        """This transform with further reasons, each once."""
        return replace(self, reasons=merge(self.reasons, reasons))


def inverted(matrix: Floats) -> Floats:
    """The inverse of a matrix."""
    return np.asarray(np.linalg.inv(matrix), np.float64)


def displacement_on(grid: Grid, vectors_mm: Array) -> Volume:
    """Displacements (slice, row, column, 3) in LPS millimetres on a grid, as a transform holds them."""
    if vectors_mm.shape != (*grid.shape, 3):
        raise InputError(f"Displacements of shape {vectors_mm.shape} do not fit a grid of shape {grid.shape}.")
    return Volume(np.ascontiguousarray(vectors_mm, np.float32), grid, codes.MM, (VECTOR,))


def _in_frame(grid: Grid, affine: Floats, like: Grid) -> Grid:
    return replace(grid, affine=affine, frame_of_reference_uid=like.frame_of_reference_uid, space=like.space)


def _roomy(displacement: Volume) -> tuple[Grid, fields.Field]:
    """The displacement with a rim of zeros wide enough for all that it moves across its border."""
    vectors = np.asarray(displacement.array, np.float32)
    rims = [np.take(vectors, at, axis) for axis in range(3) for at in (0, -1)]
    farthest = max(float(np.abs(rim).max()) for rim in rims)
    margin = [int(np.ceil(farthest / step)) for step in displacement.grid.spacing_mm]
    grid = displacement.grid.pad(margin, margin)
    return grid, np.pad(vectors, [*((m, m) for m in margin), (0, 0)])


def _summed(first: Volume, second: Volume) -> Volume:
    """The displacement that goes along ``first``, then along ``second`` from there; on a lattice that holds both."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in second.grid.shape], indexing="ij")).reshape(3, -1).T
    reach = first.grid.to_index(second.grid.to_world(corners))
    room = np.abs(np.asarray(first.array)).max(axis=(0, 1, 2)).sum() / np.array(first.grid.spacing_mm)
    before = np.ceil(np.maximum(room - reach.min(axis=0), 0)).astype(int)
    after = np.ceil(np.maximum(reach.max(axis=0) + room - np.array(first.grid.shape) + 1, 0)).astype(int)
    grid = first.grid.pad(before.tolist(), after.tolist())
    moves = np.pad(np.asarray(first.array, np.float32), [*zip(before, after, strict=True), (0, 0)])
    there = Transform(np.eye(4), grid, grid, second)
    for k in range(grid.shape[0]):
        at = grid.to_world(np.moveaxis(np.indices((1, *grid.shape[1:])), 0, -1) + np.array([k, 0, 0]))[0]
        moves[k] = there.points(at + moves[k]) - at
    return displacement_on(grid, moves)

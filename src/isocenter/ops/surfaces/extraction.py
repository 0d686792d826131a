"""Surfaces of segments, and of what lies above a level in an image, as closed meshes in the patient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import InputError, UsageError, expect
from isocenter.findings import PALETTE, Mask, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.kernels import kernel
from isocenter.mesh import Mesh
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import expect_real, expect_three_axes
from isocenter.ops.surfaces.cubes import extracted
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

Floats = npt.NDArray[np.float32]

_RIM = 1e-3  # voxels; no vertex is nearer to a voxel of just the level, where several would fall together


def mesh(segmentation: Segmentation, *names: str) -> Mesh:
    """The surface of a segment, or of several together, midway between the voxels inside and outside.

    The mesh is closed: each side of a triangle belongs to two triangles. It shows the steps of the voxels;
    :func:`isocenter.ops.surfaces.smoothed` takes them away.

    Parameters
    ----------
    segmentation
        Segments on any grid in the patient, sheared ones too.
    *names
        Which of them, as one body; by default all.

    Raises
    ------
    UsageError
        If there is no such segment or it is not known where the grid lies.
    InputError
        If it has no voxels.
    """
    expect(segmentation, Segmentation)
    _refuse_unplaced(segmentation.grid)
    chosen = names or segmentation.names
    mask = segmentation.mask(*chosen)
    if not mask.any():
        raise InputError(f"The structures {', '.join(chosen)} have no voxels.")
    first = segmentation.segment(chosen[0])
    vertices, faces = _of_mask(mask)
    one = len(chosen) == 1
    return Mesh(
        _placed(vertices, segmentation.grid),
        _outward(faces, segmentation.grid),
        first.name if one else "_and_".join(chosen),
        first.title if one else ", ".join(segmentation.segment(name).title for name in chosen),
        first.color,
        segmentation.grid.frame_of_reference_uid,
        merge(segmentation.reasons, _about_cut(mask)),
    )


def meshes(segmentation: Segmentation) -> tuple[Mesh, ...]:
    """The surface of each segment by itself, as of :func:`mesh`; segments without voxels have none."""
    expect(segmentation, Segmentation)
    present = [s.name for s in segmentation.segments if (segmentation.layers[s.layer] == s.label).any()]
    return tuple(mesh(segmentation, name) for name in present)


def isosurface(volume: Volume, level: float, *, name: str = "surface") -> Mesh:
    """The closed surface around all voxels of a level or more, at the level between neighbours by linear interpolation.

    Parameters
    ----------
    volume
        (slice, row, column) on any grid in the patient. NaN lies outside.
    level
        In the unit of the volume.
    name
        Name of the mesh.

    Raises
    ------
    UsageError
        If the volume has further axes, the level is no number or it is not known where the grid lies.
    InputError
        If no voxel reaches the level.
    """
    expect_three_axes(volume, "A surface is drawn")
    expect_real(volume, "A surface")
    _refuse_unplaced(volume.grid)
    if not np.isfinite(level):
        raise UsageError(f"The level of a surface is a number, not {level}.")
    mask = volume.array >= level
    if not mask.any():
        raise InputError(f"No voxel reaches the level {level:g}.")
    vertices, faces = _of_mask(mask)
    _to_level(vertices, volume.array, float(level))
    return Mesh(
        _placed(vertices, volume.grid),
        _outward(faces, volume.grid),
        name,
        color=PALETTE[0],
        frame_of_reference_uid=volume.grid.frame_of_reference_uid,
        reasons=merge(volume.reasons, _about_cut(mask)),
    )


def _refuse_unplaced(grid: Grid) -> None:
    if grid.space is not Space.PATIENT:
        raise UsageError("It is not known how these pictures lie in the patient, so they have no surface in it.")


def _of_mask(mask: Mask) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Vertices as index of the mask and triangles, of a mask that is not empty."""
    box = box_of(mask)
    vertices, faces = extracted(np.pad(mask[box], 1).view(np.uint8))
    vertices += np.array([part.start - 1 for part in box], np.float32)
    return vertices, faces


def _placed(vertices: Floats, grid: Grid) -> Floats:
    placed = np.empty_like(vertices)
    _place(vertices, grid.affine, placed)
    return placed


def _outward(faces: npt.NDArray[np.int32], grid: Grid) -> npt.NDArray[np.int32]:
    return faces if np.linalg.det(grid.affine[:3, :3]) > 0 else np.ascontiguousarray(faces[:, ::-1])


def _about_cut(mask: Mask) -> tuple[Reason, ...]:
    ends = [mask[0], mask[-1], mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]]
    if not any(end.any() for end in ends):
        return ()
    return (Reason("SURFACE_CUT", "The structure reaches the border of the image; its surface was closed there."),)


@kernel
def _place(vertices: Array, affine: Array, placed: Array) -> None:
    for number in range(len(vertices)):
        for axis in range(3):
            placed[number, axis] = (
                affine[axis, 0] * vertices[number, 0]
                + affine[axis, 1] * vertices[number, 1]
                + affine[axis, 2] * vertices[number, 2]
                + affine[axis, 3]
            )


@kernel
def _to_level(vertices: Floats, values: Array, level: float) -> None:
    """Move each vertex from the middle between two voxels to where the level is; not where one of them has no value."""
    for number in range(len(vertices)):
        low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
        along, is_within = 0, True
        for axis in range(3):
            low[axis], high[axis] = np.floor(vertices[number, axis]), np.ceil(vertices[number, axis])
            if low[axis] != high[axis]:
                along = axis
            is_within &= low[axis] >= 0 and high[axis] < values.shape[axis]
        if is_within:
            here = float(values[low[0], low[1], low[2]])
            there = float(values[high[0], high[1], high[2]])
            if np.isfinite(here) and np.isfinite(there):
                share = (level - here) / (there - here)
                vertices[number, along] = low[along] + min(max(share, _RIM), 1 - _RIM)

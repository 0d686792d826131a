"""Morphology in millimetres on boolean arrays: balls, holes, components. What is done to segments stands beside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.kernels import kernel, over_slices, threads
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import Spacing
from isocenter.volume import Array

_SLACK = 1e-4  # of a voxel: a centre that lies on the ball's surface belongs to it, whatever the rounding


def distance_mm(mask: Mask, voxel_mm: Spacing) -> npt.NDArray[np.float32]:
    """Distance of each voxel of the mask to the nearest voxel outside it; infinite if there is none.

    The border of the image is no outside.
    """
    import edt

    solid = np.ascontiguousarray(mask)
    found: npt.NDArray[np.float32] = edt.edt(solid, anisotropy=voxel_mm, black_border=False, parallel=threads())
    return found


def dilate(mask: Mask, radius_mm: float, voxel_mm: Spacing) -> Mask:
    """The mask grown by a ball."""
    return _in_box(mask, radius_mm, voxel_mm, lambda part: _reached(part, radius_mm, voxel_mm))


def erode(mask: Mask, radius_mm: float, voxel_mm: Spacing) -> Mask:
    """The mask shrunk by a ball; it does not shrink from the border of the image."""
    return _in_box(mask, max(voxel_mm), voxel_mm, lambda part: ~_reached(~part, radius_mm, voxel_mm))


def close(mask: Mask, radius_mm: float, voxel_mm: Spacing) -> Mask:
    """The mask with every gap filled that a ball does not fit into; nothing is taken away."""

    def closed(part: Mask) -> Mask:
        grown = _reached(part, radius_mm, voxel_mm)
        return ~_reached(~grown, radius_mm, voxel_mm) | part

    return _in_box(mask, radius_mm, voxel_mm, closed)


def opened(mask: Mask, radius_mm: float, voxel_mm: Spacing) -> Mask:
    """The part of the mask that a ball inside it reaches."""
    return dilate(erode(mask, radius_mm, voxel_mm), radius_mm, voxel_mm) & mask


def _reached(mask: Mask, radius_mm: float, voxel_mm: Spacing) -> Mask:
    """Where a voxel of the mask lies within the radius."""
    from isocenter.ops.masks.balls import MOST_VOXELS, within

    reach_mm = radius_mm + _SLACK * min(voxel_mm)
    if reach_mm < MOST_VOXELS * min(voxel_mm):
        return within(mask, reach_mm, voxel_mm)
    return distance_mm(~mask, voxel_mm) <= reach_mm


def _in_box(mask: Mask, margin_mm: float, voxel_mm: Spacing, work: Callable[[Mask], Mask]) -> Mask:
    """Work on the bounding box of a mask with a margin, where everything happens, instead of on all of the image."""
    if not mask.any():
        return mask.copy()
    if mask.all():
        return work(mask)
    box = box_of(mask, [int(np.ceil(margin_mm / size)) + 1 for size in voxel_mm])
    out = np.zeros_like(mask)
    out[box] = work(mask[box])
    return out


def components(mask: Mask, connectivity: int = 6) -> tuple[Array, npt.NDArray[np.int64]]:
    """Connected components: their labels from 1, and the voxel count of each label (index 0 is background)."""
    from isocenter.ops.runs import pieces_of

    pieces = pieces_of(mask, connectivity)
    counts = pieces.counts.copy()
    counts[0] = mask.size - counts.sum()
    return pieces.painted(np.arange(len(counts), dtype=np.int32)), counts


def pieces_in_plane(mask: Mask) -> tuple[Array, list[tuple[slice, slice, slice]]]:
    """Components of each slice by itself (4-connected): their labels from 1, and the box of each label in order."""
    from scipy import ndimage

    plane = np.zeros((3, 3, 3), bool)
    plane[1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    labels, _ = ndimage.label(mask, plane)
    return labels, ndimage.find_objects(labels)


def fill_cavities(mask: Mask) -> Mask:
    """The mask with every hole filled that has no way out, through voxel faces, to the border of the image."""
    from isocenter.ops.runs import pieces_of

    around = pieces_of(~mask, 6)
    boxes, _ = around.places()
    closed = np.all((boxes[:, 0] > 0) & (boxes[:, 1] < mask.shape), axis=1)
    closed[0] = False
    return around.painted(closed) | mask


def outside_in_plane(wall: Mask, seeds: Mask) -> Mask:
    """What is reached from the seeds on each slice's border without crossing the wall (4-connected, slice by slice)."""
    reached = np.zeros(wall.shape, np.bool_)
    over_slices(lambda start, stop: _flood(wall, seeds, reached, (start, stop)), wall.shape)
    return reached


@kernel
def _flood(wall: Array, seeds: Array, reached: Array, span: tuple[int, int]) -> None:
    _, rows, columns = wall.shape
    stack = np.empty((rows * columns, 2), np.int32)
    for k in range(span[0], span[1]):
        top = 0
        for r in range(rows):
            for c in range(columns):
                edge = r == 0 or c == 0 or r == rows - 1 or c == columns - 1
                if edge and seeds[k, r, c] and not wall[k, r, c]:
                    reached[k, r, c] = True
                    stack[top, 0], stack[top, 1] = r, c
                    top += 1
        while top > 0:
            top -= 1
            r0, c0 = stack[top, 0], stack[top, 1]
            for step in range(4):
                r = r0 + (step == 0) - (step == 1)
                c = c0 + (step == 2) - (step == 3)
                if 0 <= r < rows and 0 <= c < columns and not reached[k, r, c] and not wall[k, r, c]:
                    reached[k, r, c] = True
                    stack[top, 0], stack[top, 1] = r, c
                    top += 1


def fill_in_plane(mask: Mask) -> Mask:
    """The mask with the holes of each slice filled."""
    filled: Mask = ~outside_in_plane(mask, ~mask)
    return filled

"""Simulated clicks: where a person who knows the truth would click next, so that sessions can be measured.

The first click falls on the deepest point of the truth; each further one on the deepest point of the largest connected
region (through faces) of voxels that are missing or too many. Depth is the distance to the nearest voxel outside,
where the border of the image is no outside; of equally deep voxels the first in memory counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect
from isocenter.findings import Segmentation
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import Spacing, expect_one_grid, spacing_of
from isocenter.ops.masks.morphology import components, distance_mm
from isocenter.ops.prompting.prompts import Side

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Click:
    """A click: a world point (x, y, z) in LPS millimetres, and its side of the border."""

    point_mm: tuple[float, float, float]
    side: Side


def next_click(truth: Segmentation, found: Segmentation | None, *, name: str) -> Click | None:
    """The next click of a person who knows the truth; None where nothing is left to correct.

    Parameters
    ----------
    truth
        Holds the segment looked for.
    found
        What was found so far, on the same grid, with a segment of that name; None before the first click.
    name
        Name of the segment.

    Raises
    ------
    UsageError
        If the grids differ or the truth is empty.
    """
    expect(truth, Segmentation)
    wanted = truth.mask(name)
    if not wanted.any():
        raise UsageError(f"The segment {name!r} of the truth is empty, so no click can be placed in it.")
    spacing = spacing_of(truth.grid)
    if found is None:
        return _click(truth, _deepest(wanted, spacing), "inside")
    expect_one_grid(truth, found)
    mask = found.mask(name)
    sides: tuple[tuple[Mask, Side], ...] = ((wanted & ~mask, "inside"), (mask & ~wanted, "outside"))
    largest = [(*_largest(wrong), side) for wrong, side in sides]
    size, region, side = max(largest, key=lambda entry: entry[0])
    return _click(truth, _deepest(region, spacing), side) if size else None


def _largest(mask: Mask) -> tuple[int, Mask]:
    labels, counts = components(mask)
    if len(counts) < 2:
        return 0, mask
    label = int(np.argmax(counts[1:])) + 1
    return int(counts[label]), labels == label


def _deepest(mask: Mask, spacing_mm: Spacing) -> tuple[int, ...]:
    box = box_of(mask, (1, 1, 1))
    depth = distance_mm(mask[box], spacing_mm)
    place = np.unravel_index(int(np.argmax(np.where(mask[box], depth, -1))), depth.shape)
    return tuple(int(at) + part.start for at, part in zip(place, box, strict=True))


def _click(truth: Segmentation, voxel: tuple[int, ...], side: Side) -> Click:
    x, y, z = truth.grid.to_world(voxel)
    return Click((float(x), float(y), float(z)), side)

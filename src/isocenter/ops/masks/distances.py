"""Euclidean distance maps in millimetres, between voxel centres, exact for any spacing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Segmentation
from isocenter.ops.lattice import spacing_of
from isocenter.ops.masks.layers import Names, mask_of
from isocenter.ops.masks.morphology import distance_mm
from isocenter.volume import Volume


def distance(segmentation: Segmentation, *, names: Names = None) -> Volume:
    """Distance of each voxel to the nearest voxel of the segments: 0 in them, infinite if they are empty.

    Parameters
    ----------
    segmentation
        Where the segments are.
    names
        Segments, taken together; all by default.

    Returns
    -------
    float32 in mm on the grid of the segmentation.

    Raises
    ------
    UsageError
        If the grid has no sizes in millimetres or is sheared.
    """
    spacing = spacing_of(segmentation.grid)
    return _volume(distance_mm(~mask_of(segmentation, names), spacing), segmentation)


def depth(segmentation: Segmentation, *, names: Names = None) -> Volume:
    """Distance of each voxel in the segments to the nearest voxel outside: 0 outside, infinite if there is none.

    The border of the image is no outside. Parameters, result and errors as for :func:`distance`.
    """
    spacing = spacing_of(segmentation.grid)
    return _volume(distance_mm(mask_of(segmentation, names), spacing), segmentation)


def signed_distance(segmentation: Segmentation, *, names: Names = None) -> Volume:
    """:func:`distance` outside the segments, minus :func:`depth` in them.

    It is never 0: it steps from minus one voxel to plus one voxel across the outline, which lies half-way between.
    Empty segments are infinitely far; segments that fill the image are infinitely deep.
    """
    spacing = spacing_of(segmentation.grid)
    mask = mask_of(segmentation, names)
    signed = distance_mm(~mask, spacing)
    inner = distance_mm(mask, spacing)
    np.negative(inner, out=signed, where=mask)
    return _volume(signed, segmentation)


def _volume(values: npt.NDArray[np.float32], segmentation: Segmentation) -> Volume:
    return Volume(values, segmentation.grid, codes.MM, sources=segmentation.sources, reasons=segmentation.reasons)

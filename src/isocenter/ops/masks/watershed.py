"""Watersheds: markers grown over a relief, and objects that touch parted where they are narrow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Mask, Segment, Segmentation
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import Spacing, expect_one_grid, spacing_of
from isocenter.ops.masks.layers import (
    VERSION,
    Names,
    boxes,
    chosen,
    length,
    mask_of,
    numbered,
    telling_lost,
    then,
    values_of,
)
from isocenter.ops.masks.morphology import distance_mm
from isocenter.reasons import merge
from isocenter.volume import Array, Volume

_LEVELS = 65536


def watershed(relief: Volume, markers: Segmentation, *, inside: Segmentation | None = None) -> Segmentation:
    """Each segment of the markers grown over a relief, from low to high, until they meet.

    Seen as water: it rises from each marker, and where two waters meet a border stands. Over a gradient's magnitude
    the borders come to lie on edges; over a distance map in its valleys or ridges.

    Parameters
    ----------
    relief
        (slice, row, column). Whole numbers of a range below 65536 are taken as they are, other values in 65536 steps.
        Voxels without a number are flooded last.
    markers
        Segments of one layer, on the grid of the relief; each stays and grows.
    inside
        Where to grow; everywhere by default. Markers outside are dropped; a segment that had no other is named in the
        reason ``SEGMENT_VANISHED``.

    Returns
    -------
    The segments of the markers. Where levels are equal, the voxel that was reached first floods first, as in
    scikit-image; voxels are connected through faces. What no marker reaches stays background.

    Raises
    ------
    UsageError
        If the grids differ or the markers have several layers.
    """
    values = values_of(relief)
    expect_one_grid(relief, markers)
    if len({segment.layer for segment in markers.segments}) != 1:
        raise UsageError("The markers of a watershed are segments of one layer: give segments that do not overlap.")
    layer = markers.layers[markers.segments[0].layer]
    labels = np.array([0, *(segment.label for segment in markers.segments)])
    out = np.where(np.isin(layer, labels), layer, 0)
    room = None
    if inside is not None:
        expect_one_grid(relief, inside)
        room = mask_of(inside)
        out[~room] = 0
    if room is None or room.any():
        box = (slice(None),) * 3 if room is None else box_of(room)
        out[box] = _flooded(values[box], out[box], None if room is None else room[box])
    segments = tuple(replace(segment, layer=0) for segment in markers.segments)
    reasons = merge(relief.reasons, markers.reasons, inside.reasons if inside is not None else ())
    algorithm = then(Algorithm("Watershed", VERSION), "markers", by=markers.algorithm.name)
    made = Segmentation((out,), relief.grid, segments, algorithm, relief.sources, reasons)
    return telling_lost(made, replace(markers, layers=(layer,), segments=segments))


def _flooded(values: Array, markers: Array, room: Mask | None) -> Array:
    """The markers grown over the values, in the room there is."""
    from isocenter.ops.masks import floods

    labels = floods.padded(markers.astype(np.int32), floods.CLOSED)
    inner = labels[1:-1, 1:-1, 1:-1]
    if room is not None:
        inner[~room] = floods.CLOSED
    floods.rise(floods.padded(_levels(values), 0), labels)
    return np.maximum(inner, 0)


def split(segmentation: Segmentation, neck_mm: float = 1.0, *, names: Names = None) -> Segmentation:
    """Segments that are several touching objects, each object a segment of its own: ``cell_1``, ``cell_2``, ...

    A segment is parted where it is narrow: where the depth (distance to the outside) at the narrowest place between
    two of its bulges is at least ``neck_mm`` less than in the middle of either. The border runs through the neck.

    Parameters
    ----------
    segmentation, names
        Segments to part, of one layer; all by default. Other segments are left out.
    neck_mm
        How much narrower the neck must be, as a radius. Small values part also uneven objects.

    Returns
    -------
    One layer; of each segment the largest object first.
    """
    taken = chosen(segmentation, names)
    spacing = spacing_of(segmentation.grid)
    neck = length(neck_mm, "The neck")
    if len({segment.layer for segment in taken}) > 1:
        raise UsageError("The segments lie in several layers: split those of one at a time.")
    out = np.zeros(segmentation.grid.shape, np.int32)
    segments: list[Segment] = []
    for segment, box in boxes(segmentation.layers[taken[0].layer], taken, (1, 1, 1)) if taken else ():
        mask = segmentation.layers[segment.layer][box] == segment.label
        parts, count = parted(mask, spacing, neck)
        out[box][mask] = (parts + len(segments))[mask]
        segments += [numbered(segment, number, len(segments) + number) for number in range(1, count + 1)]
    algorithm = then(segmentation.algorithm, "split", neck_mm=neck)
    return replace(segmentation, layers=(out,), segments=tuple(segments), algorithm=algorithm)


def parted(mask: Mask, spacing_mm: Spacing, neck_mm: float) -> tuple[npt.NDArray[np.int32], int]:
    """Labels of the objects of a mask, the largest first, and how many they are."""
    from isocenter.ops.masks import floods

    depth = distance_mm(mask, spacing_mm)
    depth[np.isinf(depth)] = 0  # the mask fills the image: one object
    depth, inner = floods.padded(depth, 0), floods.padded(mask, 0)
    places = np.flatnonzero(inner)
    order = places[np.argsort(-depth.reshape(-1)[places], kind="stable")]
    owner, became = floods.basins(depth, order, neck_mm)
    roots, labels, counts = np.unique(became[owner[places]], return_inverse=True, return_counts=True)
    rank = np.empty(len(roots), np.int32)
    rank[np.argsort(-counts, kind="stable")] = np.arange(1, len(roots) + 1)
    out = np.zeros(mask.shape, np.int32)
    out[mask] = rank[labels]
    return out, len(roots)


def _levels(values: Array) -> npt.NDArray[np.uint16]:
    """The values in at most 65536 steps of one height, from their lowest."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)
    if finite.size == 0:
        return np.zeros(values.shape, np.uint16)
    low, high = finite.min().item(), finite.max().item()
    if values.dtype.kind in "ui" and high - low < _LEVELS:
        whole: npt.NDArray[np.uint16] = (values - values.dtype.type(low)).astype(np.uint16)  # wraps, if at all, twice
        return whole
    scale = (_LEVELS - 1) / (high - low) if high > low else 0.0
    levels: npt.NDArray[np.float64] = np.clip((values.astype(np.float64) - low) * scale, 0, _LEVELS - 1)
    return np.nan_to_num(levels, nan=_LEVELS - 1).astype(np.uint16)

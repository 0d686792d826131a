"""Connected components of segments: listed, made segments of their own, and chosen by size.

Voxels are connected through faces (6), also through edges (18), or also through corners (26).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.findings import Box, Segment, Segmentation
from isocenter.geometry import Space
from isocenter.ops.boxes import Box as Place
from isocenter.ops.masks.layers import Names, boxes, chosen, numbered, telling_lost, then
from isocenter.ops.runs import Pieces, pieces_of
from isocenter.volume import Array

Connectivity = Literal[6, 18, 26]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Component:
    """One connected piece of a segment.

    Parameters
    ----------
    segment
        Name of the segment.
    number
        From 1 for the largest of its segment.
    voxels
        How many.
    volume_ml
        Their volume; NaN on a picture, which has no depth.
    centroid_mm
        World (x, y, z) of the mean of its voxel centres.
    box
        Around it, in array indices.
    """

    segment: str
    number: int
    voxels: int
    volume_ml: float
    centroid_mm: tuple[float, float, float]
    box: Box


def components(
    segmentation: Segmentation, *, connectivity: Connectivity = 6, names: Names = None
) -> tuple[Component, ...]:
    """The connected components of each segment, the largest first.

    Parameters
    ----------
    segmentation, names
        Segments to look at; all by default.
    connectivity
        6, 18 or 26.
    """
    found: list[Component] = []
    for segment in chosen(segmentation, names):
        for pieces, box in _pieces(segmentation, segment, connectivity):
            found += _table(segmentation, segment, pieces, [part.start for part in box])
    return tuple(found)


def labelled(segmentation: Segmentation, *, connectivity: Connectivity = 6, names: Names = None) -> Segmentation:
    """Each connected component as a segment of its own, in one layer: ``lesion_1`` (the largest), ``lesion_2``, ...

    Raises
    ------
    UsageError
        If segments overlap, so that one layer cannot hold them: name one of them.
    """
    out = np.zeros(segmentation.grid.shape, np.int32)
    segments: list[Segment] = []
    for segment in chosen(segmentation, names):
        for pieces, box in _pieces(segmentation, segment, connectivity):
            order = _by_size(pieces.counts)
            values = np.zeros(len(pieces.counts), np.int32)
            values[order] = np.arange(1, len(order) + 1) + len(segments)
            labels, part = pieces.painted(values), out[box]
            if part[labels > 0].any():
                raise UsageError("The segments overlap: name one whose components to label.")
            np.copyto(part, labels, where=labels > 0)
            segments += [numbered(segment, number, len(segments) + number) for number in range(1, len(order) + 1)]
    algorithm = then(segmentation.algorithm, "labelled", connectivity=connectivity)
    return replace(segmentation, layers=(out,), segments=tuple(segments), algorithm=algorithm)


def largest(
    segmentation: Segmentation, count: int = 1, *, connectivity: Connectivity = 6, names: Names = None
) -> Segmentation:
    """The segments with their largest components alone; of two of one size, the one met first.

    Parameters
    ----------
    segmentation, names
        Segments to change; all by default, each by itself.
    count
        How many components each keeps.
    connectivity
        6, 18 or 26.
    """
    if not isinstance(count, int | np.integer) or count < 1:
        raise UsageError(f"The number of components to keep is 1 or more, not {count!r}.")

    def of_size(counts: Counts) -> npt.NDArray[np.bool_]:
        keep = np.zeros(len(counts), bool)
        keep[_by_size(counts)[:count]] = True
        return keep

    algorithm = then(segmentation.algorithm, "largest", count=count, connectivity=connectivity)
    return replace(_kept(segmentation, names, connectivity, of_size), algorithm=algorithm)


def without_small(
    segmentation: Segmentation, minimum_ml: float, *, connectivity: Connectivity = 6, names: Names = None
) -> Segmentation:
    """The segments without the components that are smaller than a volume.

    Parameters
    ----------
    segmentation, names
        Segments to change; all by default, each by itself.
    minimum_ml
        The smallest volume that stays.
    connectivity
        6, 18 or 26.
    """
    chosen(segmentation, names)
    if segmentation.grid.space is not Space.PATIENT:
        raise UsageError("A picture has no depth, so nothing in it has a volume: take largest(count).")
    if not minimum_ml >= 0:
        raise UsageError(f"The smallest volume is 0 ml or more, not {minimum_ml!r}.")
    voxels = minimum_ml / segmentation.grid.voxel_volume_ml * (1 - 1e-9)  # a volume counted in voxels is its own limit
    algorithm = then(segmentation.algorithm, "without_small", minimum_ml=minimum_ml, connectivity=connectivity)
    made = replace(_kept(segmentation, names, connectivity, lambda counts: counts >= voxels), algorithm=algorithm)
    return telling_lost(made, segmentation, names)


# --- one segment's pieces --------------------------------------------------------------------------------------------


def _kept(
    segmentation: Segmentation,
    names: Names,
    connectivity: Connectivity,
    rule: Callable[[Counts], npt.NDArray[np.bool_]],
) -> Segmentation:
    """The segmentation with those components of each named segment that a rule of their voxel counts keeps."""
    layers = list(segmentation.layers)
    taken = chosen(segmentation, names)
    for index in sorted({segment.layer for segment in taken}):
        out = layers[index].copy()
        for segment, box in boxes(out, [each for each in taken if each.layer == index], (0, 0, 0)):
            pieces = pieces_of(out[box] == segment.label, _checked(connectivity))
            drop = ~rule(pieces.counts)
            drop[0] = False
            if drop.any():
                np.copyto(out[box], 0, where=pieces.painted(drop))
        layers[index] = out
    return replace(segmentation, layers=tuple(layers))


def _pieces(segmentation: Segmentation, segment: Segment, connectivity: Connectivity) -> Iterator[tuple[Pieces, Place]]:
    """The components of a segment and the box they lie in; nothing if it is empty."""
    layer = segmentation.layers[segment.layer]
    for _, box in boxes(layer, [segment], (0, 0, 0)):
        yield pieces_of(layer[box] == segment.label, _checked(connectivity)), box


def _table(segmentation: Segmentation, segment: Segment, pieces: Pieces, start: list[int]) -> Iterator[Component]:
    grid = segmentation.grid
    ends, means = pieces.places()
    ends, means = ends + start, grid.to_world(means + start)
    for number, label in enumerate(_by_size(pieces.counts), 1):
        voxels = int(pieces.counts[label])
        ml = voxels * grid.voxel_volume_ml if grid.space is Space.PATIENT else float("nan")
        (k, r, c), (k_stop, r_stop, c_stop) = ends[label].tolist()
        x, y, z = means[label].tolist()
        box = Box(f"{segment.name}_{number}", (k, r, c), (k_stop, r_stop, c_stop))
        yield Component(segment.name, number, voxels, ml, (x, y, z), box)


def _by_size(counts: Array) -> Array:
    """Labels from 1, those of the most voxels first, and of as many the earlier first."""
    return 1 + np.argsort(-counts[1:], kind="stable")


def _checked(connectivity: int) -> int:
    if connectivity not in (6, 18, 26):
        raise UsageError(f"Voxels are connected through 6, 18 or 26 neighbours, not {connectivity!r}.")
    return connectivity

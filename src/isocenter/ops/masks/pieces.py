"""Connected components of segments: listed, made segments of their own, and chosen by size.

Voxels are connected through faces (6), also through edges (18), or also through corners (26).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.findings import Box, Segment, Segmentation
from isocenter.geometry import Space
from isocenter.ops.masks.layers import Names, boxes, chosen, then
from isocenter.ops.masks.morphology import components as labels_of
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
        found += [component for component, _, _ in _pieces(segmentation, segment, connectivity)]
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
        for component, place, piece in _pieces(segmentation, segment, connectivity):
            part = out[place]
            if part[piece].any():
                raise UsageError("The segments overlap: name one whose components to label.")
            label = len(segments) + 1
            part[piece] = label
            name, title = f"{segment.name}_{component.number}", f"{segment.title} {component.number}"
            color = Segment.named(name, label).color
            segments.append(replace(segment, name=name, title=title, label=label, layer=0, color=color))
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
    return replace(_kept(segmentation, names, connectivity, lambda counts: counts >= voxels), algorithm=algorithm)


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
            part = out[box]
            labels, counts = labels_of(part == segment.label, _checked(connectivity))
            drop = ~rule(counts)
            drop[0] = False
            if drop.any():
                part[drop[labels]] = 0
        layers[index] = out
    return replace(segmentation, layers=tuple(layers))


def _pieces(
    segmentation: Segmentation, segment: Segment, connectivity: Connectivity
) -> list[tuple[Component, tuple[slice, slice, slice], npt.NDArray[np.bool_]]]:
    """The components of a segment, the largest first, each with the place of its box and its mask in there."""
    import cc3d

    layer, grid = segmentation.layers[segment.layer], segmentation.grid
    found = []
    for _, box in boxes(layer, [segment], (0, 0, 0)):
        labels, counts = labels_of(layer[box] == segment.label, _checked(connectivity))
        table = cc3d.statistics(labels)
        start = np.array([part.start for part in box])
        for number, label in enumerate(_by_size(counts), 1):
            inner = table["bounding_boxes"][label]
            place = _moved(inner, start)
            x, y, z = grid.to_world(table["centroids"][label] + start).tolist()
            ml = int(counts[label]) * grid.voxel_volume_ml if grid.space is Space.PATIENT else float("nan")
            around = Box(f"{segment.name}_{number}", _ends(place, "start"), _ends(place, "stop"))
            component = Component(segment.name, number, int(counts[label]), ml, (x, y, z), around)
            found.append((component, place, labels[inner] == label))
    return found


def _by_size(counts: Array) -> Array:
    """Labels from 1, those of the most voxels first, and of as many the earlier first."""
    return 1 + np.argsort(-counts[1:], kind="stable")


def _checked(connectivity: int) -> int:
    if connectivity not in (6, 18, 26):
        raise UsageError(f"Voxels are connected through 6, 18 or 26 neighbours, not {connectivity!r}.")
    return connectivity


def _moved(box: tuple[slice, slice, slice], start: Array) -> tuple[slice, slice, slice]:
    k, r, c = (slice(part.start + int(first), part.stop + int(first)) for part, first in zip(box, start, strict=True))
    return k, r, c


def _ends(box: tuple[slice, slice, slice], end: str) -> tuple[int, int, int]:
    k, r, c = (int(getattr(part, end)) for part in box)
    return k, r, c

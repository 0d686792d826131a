"""Masks as segmentations: how one is made of an array, and how the segments of a layer give way to each other.

The rule of this room: **a segment grows into background alone**, never over another segment of its layer; where two
segments grow into one voxel, the nearer of them has it, and of two that are equally near the earlier in the list.
Background is what no segment of the segmentation names, so ``dilated(found.only("liver"), 5)`` grows freely.
Segments of different layers may overlap and do not see each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect
from isocenter.findings import Algorithm, Mask, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.boxes import Box, box_of
from isocenter.ops.lattice import Spacing, expect_real, expect_three_axes
from isocenter.ops.masks.morphology import distance_mm
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

Names = Sequence[str] | None
Work = Callable[[Mask, Box], Mask]

VERSION = "1"
"""Of the algorithms of this room; it changes with what they find."""
_FEW = 8
"""Segments up to which looking for each by itself is faster than for all at once."""


def of(mask: npt.ArrayLike, like: Volume | Segmentation, *, name: str | Mapping[str, int] = "mask") -> Segmentation:
    """An array as a segmentation on the place of an image.

    Parameters
    ----------
    mask
        (slice, row, column): boolean, or integers of which 0 is background.
    like
        The image that it belongs to: grid, sources and reasons are taken from it.
    name
        Name of the segment; of a label map the name and label of each, as ``{"liver": 1, "spleen": 2}``.

    Raises
    ------
    UsageError
        If the array does not fit the image, or holds labels that are not named.
    """
    expect(like, Volume, Segmentation)
    array = np.asarray(mask)
    labels = {name: 1} if isinstance(name, str) else dict(name)
    if array.shape != like.grid.shape:
        raise UsageError(f"The mask has the shape {array.shape}; the image has {like.grid.shape}.")
    if array.dtype.kind not in "bui":
        raise UsageError(f"A mask is boolean or of whole numbers, not {array.dtype}: compare with a threshold first.")
    numbers = set(labels.values())
    if len(numbers) < len(labels) or min(numbers, default=1) < 1:
        raise UsageError("Each name needs a label of its own, from 1.")
    if array.min() < 0 or not set(np.unique(array[array > 0]).tolist()) <= numbers:
        raise UsageError('The array holds labels without a name: give each, as name={"liver": 1, "spleen": 2}.')
    segments = [Segment.named(each, label) for each, label in labels.items()]
    return Segmentation.of(array, like, segments, Algorithm("Mask of the caller", VERSION))


def found(mask: Array, volume: Volume, segments: Sequence[str], algorithm: Algorithm) -> Segmentation:
    """A mask, or labels from 1 in the order of the names, found on a volume."""
    named = [Segment.named(name, label) for label, name in enumerate(segments, 1)]
    return Segmentation.of(mask, volume, named, algorithm)


def then(algorithm: Algorithm, step: str, **settings: Any) -> Algorithm:
    """The algorithm with a further step, which stands at the end of its settings."""
    number = 1 + sum(name.startswith("step_") for name, _ in algorithm.settings)
    text = " ".join([step, *(f"{name}={value}" for name, value in settings.items())])
    return replace(algorithm, settings=(*algorithm.settings, (f"step_{number}", text)))


def chosen(segmentation: Segmentation, names: Names) -> tuple[Segment, ...]:
    """The named segments, or all, in the order of the segmentation."""
    expect(segmentation, Segmentation)
    if names is None:
        return segmentation.segments
    asked = {segmentation.segment(name) for name in ([names] if isinstance(names, str) else names)}
    return tuple(segment for segment in segmentation.segments if segment in asked)


def numbered(segment: Segment, number: int, label: int) -> Segment:
    """One part of a segment as a segment of its own, in the first layer: ``lesion_2``."""
    name, title = f"{segment.name}_{number}", f"{segment.title} {number}"
    return replace(segment, name=name, title=title, label=label, layer=0, color=Segment.named(name, label).color)


def mask_of(segmentation: Segmentation, names: Names = None) -> Mask:
    """Where any of the named segments is; nowhere if there are none."""
    taken = chosen(segmentation, names)
    if not taken:
        return np.zeros(segmentation.grid.shape, bool)
    return segmentation.mask(*(segment.name for segment in taken))


def values_of(volume: Volume) -> Array:
    """The values (slice, row, column) of a volume without further axes."""
    expect_three_axes(volume, "Masks are made")
    expect_real(volume, "A mask")
    return volume.array


def boxes(layer: Array, segments: Sequence[Segment], margin: Sequence[int]) -> Iterator[tuple[Segment, Box]]:
    """Each segment that has voxels, with the box around it, widened by a margin in voxels."""
    for segment, place in _places(layer, segments):
        a, b, c = (
            slice(max(0, part.start - more), min(size, part.stop + more))
            for part, more, size in zip(place, margin, layer.shape, strict=True)
        )
        yield segment, (a, b, c)


def _places(layer: Array, segments: Sequence[Segment]) -> Iterator[tuple[Segment, Box]]:
    if len(segments) <= _FEW:
        for segment in segments:
            mask = layer == segment.label
            if mask.any():
                yield segment, box_of(mask)
        return
    from scipy import ndimage

    places = ndimage.find_objects(layer, max(segment.label for segment in segments))
    yield from ((segment, places[segment.label - 1]) for segment in segments if places[segment.label - 1] is not None)


def telling_lost(after: Segmentation, before: Segmentation, names: Names = None) -> Segmentation:
    """The segmentation with a reason for segments that had voxels before and have none."""
    lost = []
    for index, (old, new) in enumerate(zip(before.layers, after.layers, strict=True)):
        ours = [segment for segment in chosen(before, names) if segment.layer == index]
        kept = {segment.name for segment, _ in _places(new, ours)}
        lost += [segment.title for segment, _ in _places(old, ours) if segment.name not in kept]
    text = f"Nothing is left of: {', '.join(lost)}."
    return after.with_reasons([Reason("SEGMENT_VANISHED", text)] if lost else [])


def margin_of(reach_mm: float, spacing_mm: Spacing) -> tuple[int, int, int]:
    """How many voxels a reach in millimetres is along each axis, and one more."""
    k, r, c = (int(np.ceil(reach_mm / size)) + 1 for size in spacing_mm)
    return k, r, c


def length(value_mm: float, what: str) -> float:
    """A length that is finite and not negative."""
    if not (isinstance(value_mm, int | float | np.number) and np.isfinite(value_mm) and value_mm >= 0):
        raise UsageError(f"{what} is a length in millimetres of 0 or more, not {value_mm!r}.")
    return float(value_mm)


def reshaped(
    segmentation: Segmentation, names: Names, work: Work, *, reach_mm: float, algorithm: Algorithm
) -> Segmentation:
    """The segmentation with ``work`` done on the mask of each named segment, by the rule of this room.

    Parameters
    ----------
    segmentation, names
        Segments to change; None for all.
    work
        Boolean array and the box of the image that it is, in; boolean array of the same shape, out.
    reach_mm
        How far the result may reach beyond the segment.
    algorithm
        Of the result.
    """
    taken = chosen(segmentation, names)
    layers = list(segmentation.layers)
    for index in sorted({segment.layer for segment in taken}):
        ours = [segment for segment in taken if segment.layer == index]
        labels = [segment.label for segment in segmentation.segments if segment.layer == index]
        layers[index] = _worked(layers[index], ours, (labels, segmentation.grid, reach_mm), work)
    return replace(segmentation, layers=tuple(layers), algorithm=algorithm)


def _worked(layer: Array, segments: Sequence[Segment], scene: tuple[Sequence[int], Grid, float], work: Work) -> Array:
    labels, grid, reach_mm = scene
    out = layer.copy()
    nearest = np.full(layer.shape, np.inf, np.float32) if len(segments) > 1 else None
    for segment, box in boxes(layer, segments, margin_of(reach_mm, grid.spacing_mm)):
        old = layer[box]
        before = old == segment.label
        after = work(before, box)
        part = out[box]
        part[before & ~after] = 0
        gained = after & ~before
        gained[gained] = np.isin(old[gained], labels, invert=True)
        if nearest is not None and gained.any():
            distance = distance_mm(~before, grid.spacing_mm)
            gained &= distance < nearest[box]
            nearest[box][gained] = distance[gained]
        part[gained] = segment.label
    return out

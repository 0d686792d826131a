"""Segmentations put together and compared: side by side, union, intersection, difference, Dice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.findings import Mask, Segment, Segmentation
from isocenter.ops.lattice import expect_one_grid
from isocenter.ops.masks.layers import mask_of, telling_lost, then
from isocenter.reasons import merge
from isocenter.volume import Array


def union(*segmentations: Segmentation, name: str = "union") -> Segmentation:
    """One segment where any segment of any of the segmentations is.

    To take some segments alone, choose them first: ``union(lungs.only("lung_left", "lung_right"), name="lungs")``.
    """
    if not segmentations:
        raise UsageError("Give one segmentation at least.")
    first = segmentations[0]
    mask = mask_of(first)
    for other in segmentations[1:]:
        expect_one_grid(first, other)
        mask |= mask_of(other)
    parts = "+".join("+".join(each.names) for each in segmentations)
    algorithm = then(first.algorithm, "union", of=parts)
    made = Segmentation.of(mask, first, [Segment.named(name)], algorithm)
    return replace(made, reasons=merge(*(each.reasons for each in segmentations)))


def joined(*segmentations: Segmentation) -> Segmentation:
    """The segments of several segmentations side by side, each on its own layers, so that they may overlap.

    To draw what was found beside what is true, for example. The algorithm is that of the first.

    Raises
    ------
    UsageError
        If the grids differ, or two segments have one name: rename one by :meth:`Segmentation.renamed` then.
    """
    if not segmentations:
        raise UsageError("Give one segmentation at least.")
    first = segmentations[0]
    segments: list[Segment] = []
    layers: list[Array] = []
    for each in segmentations:
        expect_one_grid(first, each)
        twice = {segment.name for segment in segments} & set(each.names)
        if twice:
            raise UsageError(f"Two segments are called {', '.join(sorted(twice))}: rename those of one segmentation.")
        segments += [replace(segment, layer=segment.layer + len(layers)) for segment in each.segments]
        layers += each.layers
    algorithm = then(first.algorithm, "joined", count=len(segmentations))
    reasons = merge(*(each.reasons for each in segmentations))
    return replace(first, layers=tuple(layers), segments=tuple(segments), algorithm=algorithm, reasons=reasons)


def intersection(first: Segmentation, second: Segmentation) -> Segmentation:
    """The segments of the first where any segment of the second is."""
    return _limited(first, second, "intersection", mask_of(_beside(first, second)))


def difference(first: Segmentation, second: Segmentation) -> Segmentation:
    """The segments of the first where no segment of the second is."""
    return _limited(first, second, "difference", ~mask_of(_beside(first, second)))


def _beside(first: Segmentation, second: Segmentation) -> Segmentation:
    expect(first, Segmentation)
    expect_one_grid(first, second)
    return second


def _limited(first: Segmentation, second: Segmentation, step: str, room: Mask) -> Segmentation:
    layers = tuple(np.where(room, layer, 0).astype(layer.dtype, copy=False) for layer in first.layers)
    algorithm = then(first.algorithm, step, of="+".join(second.names))
    made = replace(first, layers=layers, algorithm=algorithm, reasons=merge(first.reasons, second.reasons))
    return telling_lost(made, first)


def dice(first: Segmentation, second: Segmentation) -> dict[str, float]:
    """Dice coefficient of each segment of the first with that of the same name of the second.

    Twice the voxels that both have, over the voxels of one plus those of the other: 1 if they are equal, 0 if they
    share nothing, NaN if both are empty. Where each has one segment alone, these two are compared, whatever their
    names.

    Raises
    ------
    UsageError
        If the grids differ or a name is missing in the second.
    """
    _beside(first, second)
    alone = len(first.names) == len(second.names) == 1
    return {name: _dice(first.mask(name), second.mask(second.names[0] if alone else name)) for name in first.names}


def _dice(one: Mask, other: Mask) -> float:
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2 * int(np.count_nonzero(one & other)) / total if total else float("nan")

"""The shape of segments, in millimetres: grown, shrunk, closed, opened, filled, smoothed.

A ball is exact: a voxel belongs to it when its centre lies within the radius, whatever the spacing, and a radius that
no neighbour's centre lies within changes nothing. The border of the image is neither inside nor outside: nothing is
eroded from it, and a hole that is open to it is none. A segment of which nothing is left is named in a reason
(``SEGMENT_VANISHED``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask, Segmentation
from isocenter.ops.lattice import Spacing, spacing_of
from isocenter.ops.masks import morphology
from isocenter.ops.masks.layers import Names, boxes, chosen, length, margin_of, reshaped, telling_lost, then
from isocenter.volume import Array, read_only

_TAIL = 4.0  # standard deviations beyond which a Gaussian is nothing


def dilated(segmentation: Segmentation, radius_mm: float, *, names: Names = None) -> Segmentation:
    """The segments grown by a ball, into background alone.

    Parameters
    ----------
    segmentation
        What to change.
    radius_mm
        Radius of the ball. Voxels whose centre lies within it of a voxel of the segment are added.
    names
        Segments to change; all by default. The others stay as they are and are not grown over.

    Raises
    ------
    UsageError
        If the radius is negative, a name is unknown, or the grid has no sizes in millimetres or is sheared.
    """
    return _by_ball(segmentation, radius_mm, names, ("dilated", morphology.dilate))


def eroded(segmentation: Segmentation, radius_mm: float, *, names: Names = None) -> Segmentation:
    """The segments shrunk by a ball: what lies farther than the radius from all that is not the segment.

    The border of the image shrinks nothing. Parameters and errors as for :func:`dilated`.
    """
    made = _by_ball(segmentation, radius_mm, names, ("eroded", morphology.erode))
    return telling_lost(made, segmentation, names)


def opened(segmentation: Segmentation, radius_mm: float, *, names: Names = None) -> Segmentation:
    """The part of the segments that a ball inside them reaches: thin parts and spikes go.

    Parameters and errors as for :func:`dilated`.
    """
    made = _by_ball(segmentation, radius_mm, names, ("opened", morphology.opened))
    return telling_lost(made, segmentation, names)


def closed(segmentation: Segmentation, radius_mm: float, *, names: Names = None) -> Segmentation:
    """The segments with every gap filled that a ball does not fit into.

    Parameters and errors as for :func:`dilated`.
    """
    return _by_ball(segmentation, radius_mm, names, ("closed", morphology.close))


def _by_ball(
    segmentation: Segmentation, radius_mm: float, names: Names, step: tuple[str, Callable[[Mask, float, Spacing], Mask]]
) -> Segmentation:
    word, shape = step
    chosen(segmentation, names)
    spacing = spacing_of(segmentation.grid)
    radius = length(radius_mm, "The radius")
    algorithm = then(segmentation.algorithm, word, radius_mm=radius)
    return reshaped(
        segmentation, names, lambda mask, _: shape(mask, radius, spacing), reach_mm=radius, algorithm=algorithm
    )


def filled(segmentation: Segmentation, *, names: Names = None) -> Segmentation:
    """The segments with their cavities filled: background with no way out, through voxel faces, to the border.

    A hole that another segment lies in is filled around it.
    """
    chosen(segmentation, names)
    algorithm = then(segmentation.algorithm, "filled")
    return reshaped(
        segmentation, names, lambda mask, _: morphology.fill_cavities(mask), reach_mm=0.0, algorithm=algorithm
    )


def filled_in_plane(segmentation: Segmentation, *, names: Names = None) -> Segmentation:
    """The segments with the holes of each slice by itself filled, also those that are open from slice to slice."""
    chosen(segmentation, names)
    algorithm = then(segmentation.algorithm, "filled_in_plane")
    return reshaped(
        segmentation, names, lambda mask, _: morphology.fill_in_plane(mask), reach_mm=0.0, algorithm=algorithm
    )


def smoothed(segmentation: Segmentation, sigma_mm: float, *, names: Names = None) -> Segmentation:
    """The segments with a smooth outline: each voxel goes to what most of its neighbourhood is.

    The neighbourhood is weighted by a Gaussian in millimetres. Segments that touch keep touching; the image is
    mirrored at its border. Corners are rounded and what is thinner than about ``sigma_mm`` vanishes.

    Parameters
    ----------
    segmentation, names
        Segments to change; the others stay as they are.
    sigma_mm
        Standard deviation of the Gaussian.
    """
    taken = chosen(segmentation, names)
    spacing = spacing_of(segmentation.grid)
    sigma = length(sigma_mm, "The standard deviation")
    algorithm = then(segmentation.algorithm, "smoothed", sigma_mm=sigma)
    layers = list(segmentation.layers)
    for index in sorted({segment.layer for segment in taken}) if sigma else ():
        ours = [segment.label for segment in taken if segment.layer == index]
        every = [segment for segment in segmentation.segments if segment.layer == index]
        shares = _Shares(layers[index], sigma, spacing)
        for segment, box in boxes(layers[index], every, margin_of(_TAIL * sigma, spacing)):
            shares.add(segment.label, box, is_ours=segment.label in ours)
        layers[index] = shares.settled(ours, [segment.label for segment in every])
    return telling_lost(replace(segmentation, layers=tuple(layers), algorithm=algorithm), segmentation, names)


def smooth_share(mask: Mask, sigmas: Spacing) -> npt.NDArray[np.float32]:
    """Share of the mask in the neighbourhood of each voxel, by a Gaussian in voxels; borders are mirrored."""
    from isocenter.ops.filters.smoothing import smooth

    return smooth(read_only(mask.astype(np.float32)), sigmas)


class _Shares:
    """How much of the neighbourhood of each voxel each label has: the largest share of all, and what is left over."""

    def __init__(self, layer: Array, sigma_mm: float, spacing_mm: Spacing) -> None:
        self._layer = layer
        k, r, c = (sigma_mm / size for size in spacing_mm)
        self._sigmas = (k, r, c)
        self._largest = np.zeros(layer.shape, np.float32)
        self._rest = np.ones(layer.shape, np.float32)
        self._winner = np.zeros_like(layer)

    def add(self, label: int, box: tuple[slice, slice, slice], *, is_ours: bool) -> None:
        """Take in the label, which is nowhere outside the box."""
        share = smooth_share(self._layer[box] == label, self._sigmas)
        self._rest[box] -= share
        if is_ours:
            more = share > self._largest[box]
            self._largest[box][more] = share[more]
            self._winner[box][more] = label

    def settled(self, ours: list[int], every: list[int]) -> Array:
        """The label map: our labels where they have the largest share, other segments where they were."""
        barred = [label for label in every if label not in ours]
        new = np.where(self._largest >= self._rest, self._winner, 0).astype(self._layer.dtype)
        keeps = np.isin(self._layer, barred) if barred else np.zeros(self._layer.shape, bool)
        return np.where(keeps, self._layer, new)

"""Bringing an image onto another grid, and so to another spacing, shape or orientation. Kernels live in ``sampling``.

The way back is :func:`invert`. It is exact, voxel for voxel, where both grids share one lattice (crop, pad, flip,
permuted axes): values are then copied, never interpolated. Cropping and padding to a shape lives in ``shape``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import UsageError, expect, expect_word
from isocenter.findings import Segmentation
from isocenter.geometry import Floats, Grid, Triple
from isocenter.ops.boxes import box_of
from isocenter.ops.copying import Shift, copied, lattice_shift, sources_of
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

Image = TypeVar("Image", Volume, Segmentation)
Interpolation = Literal["nearest", "linear", "cubic", "lanczos"]
Smoothing = Literal["none", "matched"]
Labels = Literal["nearest", "smooth"]

AIR_HU = -1024
"""What lies outside a CT, unless stated otherwise."""

_MOST_VOXELS = 2**40
_COARSE = 2.0  # times the old spacing; beyond it linear sampling skips voxels
_SAMPLED_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def onto(
    image: Image,
    grid: Grid,
    *,
    interpolation: Interpolation = "linear",
    outside: float | None = None,
    smoothing: Smoothing = "none",
    labels: Labels = "nearest",
) -> Image:
    """The image on another grid, at the same place in the world.

    Values are copied where both grids share one lattice. A voxel farther than half a voxel beyond the source's
    outermost voxel centres lies outside.

    Parameters
    ----------
    image
        What to bring over.
    grid
        Where to.
    interpolation
        Of a volume: ``"nearest"``, ``"linear"``, ``"cubic"`` (B-spline through all values) or ``"lanczos"`` (windowed
        sinc of 5 lobes). The last two swing over beside sharp edges: integers are cut to what their dtype holds, other
        values lie beyond the least and greatest of the source.
    outside
        Value of voxels outside the image: by default air (-1024) in HU, 0 (background) for a segmentation. For other
        units it must be stated if any voxel lies outside.
    smoothing
        ``"matched"`` stretches the kernel along each axis where the new voxels lie farther apart than the old, so that
        nothing finer than the new voxels is folded into them (of a segmentation, with smooth labels). ``"none"`` takes
        the values as they are, as SimpleITK does; the result then has the reason ``SAMPLED_COARSELY`` from twice the
        old spacing on.
    labels
        Of a segmentation: ``"nearest"`` takes the label of the nearest voxel, ``"smooth"`` the one that weighs most
        among the voxels around. Neither makes up a label.

    Returns
    -------
    The image on the grid, of the same dtype. ``sources`` are kept for slices that stayed whole, and dropped otherwise.

    Raises
    ------
    UsageError
        If the grids lie in different frames of reference or spaces, if ``outside`` is needed and not given or does not
        fit the values, if a word is none of the named, or if values of this type cannot be interpolated.
    """
    expect(image, Volume, Segmentation)
    expect(grid, Grid)
    _expect_words(interpolation, smoothing, labels)
    _expect_reachable(image.grid, grid)
    transform = grid.index_transform(image.grid)
    shift = lattice_shift(transform, grid.shape)
    if isinstance(image, Segmentation):
        return _labels_onto(image, grid, transform, _Rule(shift, outside or 0, labels, smoothing))
    rule = _Rule(shift, outside_of(image, grid, outside), interpolation, smoothing)
    sources = sources_of(image.sources, (image.grid, grid), shift)
    moved = image.on(grid, _moved(image.array, transform, grid.shape, rule), sources=sources)
    return moved if shift or smoothing == "matched" else moved.with_reasons(_coarseness(image.grid, grid))


def _labels_onto(image: Segmentation, grid: Grid, transform: Floats, rule: _Rule) -> Segmentation:
    if rule.outside:
        raise UsageError("Outside a segmentation lies background: do not state another value.")
    layers = tuple(_moved(layer, transform, grid.shape, rule) for layer in image.layers)
    reasons = merge(image.reasons, _about_cut(image, grid), _about_lost(image, layers))
    sources = sources_of(image.sources, (image.grid, grid), rule.shift)
    return replace(image, layers=layers, grid=grid, sources=sources, reasons=reasons)


def to_spacing(
    image: Image,
    spacing_mm: float | Sequence[float],
    *,
    interpolation: Interpolation = "linear",
    outside: float | None = None,
    smoothing: Smoothing = "none",
    labels: Labels = "nearest",
) -> Image:
    """The image with another spacing along (slice, row, column), or one for all three, over the same field of view.

    The number of voxels is the old length over the new spacing, rounded. Parameters as of :func:`onto`; the way back is
    :func:`invert`.
    """
    expect(image, Volume, Segmentation)
    wanted = spacing_mm if isinstance(spacing_mm, Sequence | np.ndarray) else (spacing_mm,) * 3
    try:
        grid = image.grid.with_spacing(wanted)
    except (ValueError, TypeError) as error:
        raise UsageError(f"Spacing is one or three positive lengths in millimetres, not {spacing_mm!r}.") from error
    return onto(image, grid, interpolation=interpolation, outside=outside, smoothing=smoothing, labels=labels)


def stretched_to_shape(
    image: Image,
    shape: Sequence[int],
    *,
    interpolation: Interpolation = "linear",
    smoothing: Smoothing = "none",
    labels: Labels = "nearest",
) -> Image:
    """The image with another shape over the same field of view: its spacing changes, and with it what a voxel means.

    The other way to one shape for all is :func:`isocenter.ops.shape.to_shape`, which keeps the spacing and crops and
    pads. Parameters as of :func:`onto`; nothing lies outside. The way back is :func:`invert`.
    """
    expect(image, Volume, Segmentation)
    grid = image.grid.with_shape(expect_shape(shape))
    return onto(image, grid, interpolation=interpolation, smoothing=smoothing, labels=labels)


def to_orientation(image: Image, orientation: str = "IPL") -> Image:
    """The image with its axes permuted and flipped to an orientation; no value is changed.

    ``"IPL"`` is the common axial stack, head to feet. The way back, ``onto(result, image.grid)``, is exact.
    """
    expect(image, Volume, Segmentation)
    try:
        grid = image.grid.reorient(orientation)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return onto(image, grid)


def invert(
    result: Image,
    source: Volume | Segmentation,
    *,
    interpolation: Interpolation = "linear",
    outside: float | None = None,
    labels: Labels = "nearest",
) -> Image:
    """What was found on a working grid, brought back onto the grid of the image that the way began with, once.

    Exact, voxel for voxel, where the working grid lies on the source's lattice (cropped, padded, flipped, permuted).

    Parameters
    ----------
    result
        Segmentation or volume on the working grid.
    source
        The image as it was before it was brought to the working grid.
    interpolation, outside, labels
        As of :func:`onto`.

    Returns
    -------
    The result on the source's grid, with the reasons of both, a segmentation with the source's ``sources`` too. A
    segment that the source's grid cuts, or that has no voxel left, is named in a reason (``SEGMENT_CUT``,
    ``SEGMENT_LOST``).

    Raises
    ------
    UsageError
        If the result lies on the source's grid already: it has been brought back before, or never left.
    """
    expect(result, Volume, Segmentation)
    expect(source, Volume, Segmentation)
    if result.grid.coincides(source.grid):
        raise UsageError("The result lies on the grid of the source already: it must not be brought back twice.")
    back = onto(result, source.grid, interpolation=interpolation, outside=outside, labels=labels)
    sources = source.sources if isinstance(back, Segmentation) else back.sources  # its values may be interpolated
    return replace(back, sources=sources, reasons=merge(back.reasons, source.reasons))


def expect_shape(shape: Sequence[int]) -> Sequence[int]:
    """The shape, if it is one of three whole numbers of voxels."""
    if len(shape) != 3 or not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
        raise UsageError(f"A shape is three positive whole numbers of voxels, not {tuple(shape)}.")
    return shape


def _expect_reachable(source: Grid, target: Grid) -> None:
    if math.prod(target.shape) > _MOST_VOXELS:
        size = " x ".join(map(str, target.shape))
        raise UsageError(f"A grid of {size} voxels is larger than any memory: take larger ones.")
    if source.space != target.space or not source.may_share_frame(target):
        raise UsageError("The grids lie in different frames of reference: register the images first.")


def _expect_words(interpolation: str, smoothing: str, labels: str) -> None:
    expect_word(interpolation, Interpolation, "The interpolation")
    expect_word(smoothing, Smoothing, "The smoothing")
    expect_word(labels, Labels, "The way of labels")
    if interpolation == "nearest" and smoothing != "none":
        raise UsageError("The nearest voxel is taken as it is, with nothing to smooth: choose another interpolation.")


# --- what lies outside -----------------------------------------------------------------------------------------------


def outside_of(volume: Volume, grid: Grid, outside: float | None) -> float:
    """The value of voxels of a grid that lie outside a volume, as :func:`outside_value` has it."""
    return outside_value(volume, outside, is_needed=lambda: not _covers(volume.grid, grid))


def outside_value(volume: Volume, outside: float | None, *, is_needed: Callable[[], bool]) -> float:
    """The value of what lies outside a volume: as stated, air in HU, or refused if it is needed."""
    if outside is None and volume.unit == codes.HU:
        outside = AIR_HU
    if outside is None:
        if is_needed():
            raise UsageError(
                f"Part of the result lies outside the image, whose unit is {volume.unit.value!r}: say what lies "
                "there by outside=VALUE."
            )
        outside = 0
    if volume.array.dtype.kind in "ui":
        limits = np.iinfo(volume.array.dtype)
        if not (limits.min <= outside <= limits.max and outside == int(outside)):  # NaN lies nowhere
            if not is_needed():
                return 0
            raise UsageError(f"Values of type {volume.array.dtype} cannot hold the outside value {outside}.")
    return outside


def _covers(source: Grid, target: Grid) -> bool:
    """Whether every voxel centre of the target lies in a voxel of the source."""
    corners = np.array(list(product(*((0, n - 1) for n in target.shape))))
    index = source.to_index(target.to_world(corners))
    return bool((index >= -0.5 - 1e-4).all() and (index <= np.asarray(source.shape) - 0.5 + 1e-4).all())


def _about_cut(image: Segmentation, grid: Grid) -> tuple[Reason, ...]:
    if _covers(grid, image.grid):
        return ()
    cut = []
    for segment in image.segments:
        found = image.mask(segment.name)
        if not found.any():
            continue
        corners = np.array(list(product(*((side.start, side.stop - 1) for side in box_of(found)))))
        index = grid.to_index(image.grid.to_world(corners))
        if (index < -0.5 - 1e-4).any() or (index > np.asarray(grid.shape) - 0.5 + 1e-4).any():
            cut.append(segment.title)
    return (Reason("SEGMENT_CUT", f"Part may lie outside the new grid of: {', '.join(cut)}."),) if cut else ()


def _about_lost(image: Segmentation, layers: tuple[Array, ...]) -> tuple[Reason, ...]:
    """Of segments that had voxels and have none any more."""
    from isocenter.sampling.labels import labels_in

    if all(np.may_share_memory(new, old) for new, old in zip(layers, image.layers, strict=True)):
        return ()
    left = [labels_in(layer) for layer in layers] if image.segments else []
    missing = [segment for segment in image.segments if segment.label not in left[segment.layer]]
    lost = [one.title for one in missing if (image.layers[one.layer] == one.label).any()]
    return (Reason("SEGMENT_LOST", f"No voxel of the new grid is left to: {', '.join(lost)}."),) if lost else ()


def _coarseness(source: Grid, target: Grid) -> tuple[Reason, ...]:
    steps = np.abs(source.direction.T @ target.affine[:3, :3]).max(axis=1) / source.spacing_mm
    if steps.max() <= _COARSE:
        return ()
    return (Reason("SAMPLED_COARSELY", f"The new voxels are {steps.max():.1f} times as far apart as the old ones."),)


# --- moving values ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    """How values are moved: copied by a shift where there is one, else sampled."""

    shift: Shift | None
    outside: float
    kind: Interpolation | Labels
    smoothing: Smoothing


def _moved(array: Array, transform: Floats, shape: Triple, rule: _Rule) -> Array:
    if rule.shift is not None:
        return copied(array, shape, rule.shift, rule.outside)
    if rule.kind not in ("nearest", "smooth") and array.dtype.name not in _SAMPLED_TYPES:
        raise UsageError(f"Values of type {array.dtype} cannot be interpolated: convert them first.")
    if array.ndim == 3:
        return _sampled(array, transform, shape, rule)
    out = np.empty((*shape, *array.shape[3:]), array.dtype)
    for further in np.ndindex(*array.shape[3:]):
        out[:, :, :, *further] = _sampled(array[:, :, :, *further], transform, shape, rule)
    return out


def _sampled(array: Array, transform: Floats, shape: Triple, rule: _Rule) -> npt.NDArray[Any]:
    from isocenter import sampling  # numba takes a while to load

    stretched = rule.smoothing == "matched"
    match rule.kind:
        case "nearest":
            return sampling.affine_nearest(array, transform, shape, outside=rule.outside)
        case "smooth":
            return sampling.affine_labels(array, transform, shape, stretched=stretched)
        case "linear" if not stretched:
            return sampling.affine_linear(array, transform, shape, outside=rule.outside)
        case kind:
            return sampling.affine_weighted(
                array, transform, shape, kind=kind, stretched=stretched, outside=rule.outside
            )

"""Bringing an image onto another grid, and so to another spacing or orientation. The kernels live in ``sampling``.

The way back is always ``onto(result, source.grid)``. It is exact, voxel for voxel, where both grids share one lattice
(crop, pad, flip, permuted axes): values are then copied, never interpolated.

Linear interpolation does not smooth first. Sampled much coarser than it was, an image shows aliasing; such a result
carries the reason ``SAMPLED_COARSELY``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import UsageError, expect
from isocenter.findings import Segmentation
from isocenter.geometry import Floats, Grid, Triple
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Source, Volume

Image = TypeVar("Image", Volume, Segmentation)

AIR_HU = -1024
"""What lies outside a CT, unless stated otherwise."""

_ON_LATTICE = 1e-3  # voxels; a grid nowhere farther than this off another's lattice lies on it
_COARSE = 2.0  # times the old spacing; beyond it linear sampling skips voxels
_SAMPLED_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


def onto(image: Image, grid: Grid, *, outside: float | None = None) -> Image:
    """The image on another grid, at the same place in the world.

    Values are copied where both grids share one lattice. Else a volume is interpolated linearly and a segmentation
    takes the nearest voxel, so that no label is made up. A voxel farther than half a voxel beyond the source's
    outermost voxel centres lies outside.

    Parameters
    ----------
    image
        What to bring over.
    grid
        Where to.
    outside
        Value of voxels outside the image: by default air (-1024) in HU, 0 (background) for a segmentation. For other
        units it must be stated if any voxel lies outside.

    Returns
    -------
    The image on the grid, of the same dtype. ``sources`` are kept for slices that stayed whole, and dropped otherwise.

    Raises
    ------
    UsageError
        If the grids lie in different frames of reference or spaces, if ``outside`` is needed and not given or does not
        fit the values, or if values of this type cannot be interpolated.
    """
    expect(image, Volume, Segmentation)
    expect(grid, Grid)
    if image.grid.space != grid.space or not image.grid.may_share_frame(grid):
        raise UsageError("The grids lie in different frames of reference: register the images first.")
    transform = grid.index_transform(image.grid)
    shift = _lattice_shift(transform, grid.shape)
    if isinstance(image, Segmentation):
        if outside:
            raise UsageError("Outside a segmentation lies background: do not state another value.")
        layers = tuple(_moved(layer, transform, grid.shape, _Rule(shift, 0, "nearest")) for layer in image.layers)
        reasons = merge(image.reasons, _about_cut(image, grid))
        return replace(image, layers=layers, grid=grid, sources=_sources(image, grid, shift), reasons=reasons)
    fill = _outside_of(image, grid, outside)
    array = _moved(image.array, transform, grid.shape, _Rule(shift, fill, "linear"))
    moved = image.on(grid, array, sources=_sources(image, grid, shift))
    return moved if shift else moved.with_reasons(_coarseness(image.grid, grid))


def to_spacing(image: Image, spacing_mm: float | Sequence[float], *, outside: float | None = None) -> Image:
    """The image with another spacing along (slice, row, column), or one for all three, over the same field of view.

    The way back is ``onto(result, image.grid)``.
    """
    expect(image, Volume, Segmentation)
    wanted = (spacing_mm,) * 3 if isinstance(spacing_mm, int | float) else spacing_mm
    try:
        grid = image.grid.with_spacing(wanted)
    except (ValueError, TypeError) as error:
        raise UsageError(f"Spacing is one or three positive lengths in millimetres, not {spacing_mm!r}.") from error
    return onto(image, grid, outside=outside)


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


# --- what lies outside -----------------------------------------------------------------------------------------------


def _outside_of(volume: Volume, grid: Grid, outside: float | None) -> float:
    if outside is None and volume.unit == codes.HU:
        outside = AIR_HU
    if outside is None:
        if not _covers(volume.grid, grid):
            raise UsageError(
                f"Part of the new grid lies outside the image, whose unit is {volume.unit.value!r}: say what lies "
                "there by outside=VALUE."
            )
        outside = 0
    if volume.array.dtype.kind in "ui":
        limits = np.iinfo(volume.array.dtype)
        if outside != int(outside) or not limits.min <= outside <= limits.max:
            if _covers(volume.grid, grid):
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
        hits = [np.flatnonzero(found.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
        if not hits[0].size:
            continue
        corners = np.array(list(product(*((hit[0], hit[-1]) for hit in hits))))
        index = grid.to_index(image.grid.to_world(corners))
        if (index < -0.5 - 1e-4).any() or (index > np.asarray(grid.shape) - 0.5 + 1e-4).any():
            cut.append(segment.title)
    return (Reason("SEGMENT_CUT", f"Part may lie outside the new grid of: {', '.join(cut)}."),) if cut else ()


def _coarseness(source: Grid, target: Grid) -> tuple[Reason, ...]:
    steps = np.abs(source.direction.T @ target.affine[:3, :3]).max(axis=1) / source.spacing_mm
    if steps.max() <= _COARSE:
        return ()
    return (Reason("SAMPLED_COARSELY", f"The new voxels are {steps.max():.1f} times as far apart as the old ones."),)


# --- moving values ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shift:
    """How indices of one grid become those of another on the same lattice: ``source[order[i]] = step * i + start``."""

    order: Triple
    step: Triple
    start: Triple


@dataclass(frozen=True, slots=True)
class _Rule:
    shift: _Shift | None
    outside: float
    kind: str


def _lattice_shift(transform: Floats, shape: Triple) -> _Shift | None:
    """How the target's indices map to the source's if both share one lattice; None if they do not."""
    whole = np.rint(transform[:3])
    linear = np.abs(whole[:, :3])
    corners = np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in shape))])
    drift = np.abs(corners @ (transform[:3] - whole).T).max()
    if drift > _ON_LATTICE or not (linear.sum(0) == 1).all() or not (linear.sum(1) == 1).all():
        return None
    order = [int(axis) for axis in np.argmax(linear, axis=0)]
    step = [int(whole[axis, new]) for new, axis in enumerate(order)]
    start = [int(whole[axis, 3]) for axis in order]
    return _Shift((order[0], order[1], order[2]), (step[0], step[1], step[2]), (start[0], start[1], start[2]))


def _moved(array: Array, transform: Floats, shape: Triple, rule: _Rule) -> Array:
    if rule.shift is not None:
        return _copied(array, shape, rule.shift, rule.outside)
    from isocenter.sampling import affine_linear, affine_nearest  # numba takes a while to load

    if rule.kind == "linear" and array.dtype.name not in _SAMPLED_TYPES:
        raise UsageError(f"Values of type {array.dtype} cannot be interpolated: convert them first.")
    sample: Callable[..., npt.NDArray[Any]] = affine_linear if rule.kind == "linear" else affine_nearest
    if array.ndim == 3:
        return sample(array, transform, shape, outside=rule.outside)
    out = np.empty((*shape, *array.shape[3:]), array.dtype)
    for further in np.ndindex(*array.shape[3:]):
        out[:, :, :, *further] = sample(array[:, :, :, *further], transform, shape, outside=rule.outside)
    return out


def _copied(array: Array, shape: Triple, shift: _Shift, outside: float) -> Array:
    source = array.transpose(*shift.order, *range(3, array.ndim))
    if source.shape[:3] == shape and shift.start == (0, 0, 0) and shift.step == (1, 1, 1):
        return _in_order(source)
    taken, filled = [], []
    for old, new, step, start in zip(source.shape[:3], shape, shift.step, shift.start, strict=True):
        first, last = (-start, old - start) if step > 0 else (start - old + 1, start + 1)
        first, last = min(max(first, 0), new), max(min(last, new), 0)
        if first >= last:
            return np.full((*shape, *array.shape[3:]), outside, array.dtype)
        low, high = sorted((step * first + start, step * (last - 1) + start))
        taken.append(slice(low, high + 1))
        filled.append(slice(first, last))
    part = source[tuple(taken)][tuple(slice(None, None, step) for step in shift.step)]
    if part.shape[:3] == shape:
        return part.copy(order="C") if shift.order == (0, 1, 2) else _in_order(part)
    out = np.full((*shape, *array.shape[3:]), outside, array.dtype)
    out[tuple(filled)] = part
    return out


def _in_order(view: Array) -> Array:
    """The view in C order; itself if it is so."""
    if view.flags.c_contiguous:
        return view
    from isocenter.sampling import contiguous

    return contiguous(view)


def _sources(image: Volume | Segmentation, grid: Grid, shift: _Shift | None) -> tuple[Source | None, ...]:
    """The frame behind each slice that is still whole."""
    whole_slices = (
        shift is not None
        and shift.order == (0, 1, 2)
        and shift.step[1:] == (1, 1)
        and shift.start[1:] == (0, 0)
        and grid.shape[1:] == image.grid.shape[1:]
    )
    if not image.sources or shift is None or not whole_slices:
        return ()
    places = [shift.step[0] * k + shift.start[0] for k in range(grid.shape[0])]
    return tuple(image.sources[place] if 0 <= place < len(image.sources) else None for place in places)

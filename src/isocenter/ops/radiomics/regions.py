"""Regions: a segment of an image, interpolated and re-segmented, ready for features (IBSI manual, sections 2.4 to 2.6).

A region carries the image around it, so that a filter's response map may take the place of the image between
preparing and measuring: :meth:`Region.with_map`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from isocenter import codes
from isocenter.errors import Refused, UsageError
from isocenter.findings import Mask, Segmentation
from isocenter.geometry import Floats, Grid, Space
from isocenter.ops.boxes import box_of
from isocenter.ops.lattice import expect_one_grid, expect_real, expect_three_axes, spacing_of
from isocenter.ops.radiomics.peaks import RADIUS_MM
from isocenter.ops.radiomics.processing import Processing
from isocenter.ops.resample import onto
from isocenter.reasons import Reason, counted, merge
from isocenter.volume import Array, Volume

_SPLINE_REACH = 16
"""Voxels beyond which a cubic spline's coefficients no longer feel a value, to 1e-9 of it."""


_HALF = 0.5 - 1e-6
"""What of a voxel a mask covers at least; half but for rounding."""


@dataclass(frozen=True, eq=False)
class Region:
    """A segment of an image, prepared.

    Parameters
    ----------
    name
        Name of the segment.
    image
        The image around it, interpolated. NaN where nothing is known.
    morphological
        The mask before re-segmentation: the shape.
    mask
        The mask after re-segmentation: the voxels whose intensities count.
    intensity_range
        The re-segmentation range.
    reasons
        What there is to say of it.
    """

    name: str
    image: Volume
    morphological: Mask = field(repr=False)
    mask: Mask = field(repr=False)
    intensity_range: tuple[float, float]
    reasons: tuple[Reason, ...] = ()

    @property
    def values(self) -> Floats:
        """Intensities of the voxels that count, in C order."""
        found: Floats = self.image.array[self.mask].astype(np.float64)
        return found

    def with_map(self, response: Volume) -> Region:
        """This region with the intensities of a filter's response map, which lies on the same grid.

        The voxels stay those that re-segmentation left; its range was that of other intensities and no longer applies.

        Raises
        ------
        UsageError
            If the map lies on another grid.
        Refused
            If no voxel of the region has a value in it.
        """
        if not self.image.grid.coincides(response.grid):
            raise UsageError("The map lies on another grid than the region: filter the image of the region.")
        kept, reasons = _finite(self.mask, response.array, self.name)
        image = response.with_array(response.array, reasons=merge(self.image.reasons, response.reasons))
        said = merge(self.reasons, reasons)
        return replace(self, image=image, mask=kept, intensity_range=(-math.inf, math.inf), reasons=said)


def regions(
    volume: Volume,
    segmentation: Segmentation,
    *,
    processing: Processing = Processing(),  # noqa: B008 - a frozen value
    names: Sequence[str] = (),
    margin_mm: float = RADIUS_MM,
) -> tuple[Region, ...]:
    """The segments of an image as regions: interpolated, and re-segmented by their intensities.

    The new grid has the center of the image's grid, and as many voxels as reach over it (IBSI: align by center, round
    up). Only the part around a region is interpolated, as if it were all of the image.

    Parameters
    ----------
    volume
        The image; of one time and one color.
    segmentation
        Segments on the image's grid.
    processing
        How to prepare.
    names
        Segments wanted; by default all.
    margin_mm
        How much of the image to keep around a region: 6.2 mm for local peaks; filters need more, infinity keeps all.

    Raises
    ------
    UsageError
        If these are no volume and segmentation, they lie on different grids, the volume has further axes or no real
        numbers, or it is to be interpolated and has no perpendicular axes of known length.
    Refused
        If a segment is empty, or nothing of it is left (reasons ``REGION_EMPTY``, ``REGION_EMPTIED``), or splines would
        have to run through voxels without a value (``REGION_BESIDE_GAPS``).
    """
    expect_three_axes(volume, "Features are taken")
    expect_real(volume, "A feature")
    expect_one_grid(volume, segmentation)
    wanted = [segmentation.segment(name).name for name in names] or segmentation.names
    return tuple(_region(volume, segmentation, name, processing, margin_mm) for name in wanted)


def _region(volume: Volume, segmentation: Segmentation, name: str, processing: Processing, margin_mm: float) -> Region:
    mask = segmentation.mask(name)
    if not mask.any():
        raise Refused([Reason("REGION_EMPTY", f"The segment {name!r} holds no voxel.")])
    reasons = merge(segmentation.reasons, _about_border(mask, name))
    image, shape = _interpolated(volume, mask, processing, margin_mm)
    if not shape.any():
        text = f"Nothing of the segment {name!r} is left at this spacing: it is smaller than a voxel."
        raise Refused([Reason("REGION_EMPTIED", text)])
    kept, unknown = _finite(shape, image.array, name)
    kept = _resegmented(kept, image.array, processing)
    if not kept.any():
        text = f"No voxel of the segment {name!r} has an intensity within the range."
        raise Refused([Reason("REGION_EMPTIED", text)])
    return Region(name, image, shape, kept, processing.intensity_range, merge(reasons, unknown))


def _about_border(mask: Mask, name: str) -> tuple[Reason, ...]:
    box = box_of(mask)
    if all(side.start > 0 and side.stop < n for side, n in zip(box, mask.shape, strict=True) if n > 1):
        return ()
    text = f"The segment {name!r} reaches the border of the image, where it may be cut off."
    return (Reason("REGION_AT_BORDER", text),)


def _finite(mask: Mask, array: Array, name: str) -> tuple[Mask, tuple[Reason, ...]]:
    """The mask without voxels that have no value."""
    unknown = mask & ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros_like(mask)
    number = int(np.count_nonzero(unknown))
    if not number:
        return mask, ()
    if number == np.count_nonzero(mask):
        raise Refused([Reason("REGION_EMPTIED", f"No voxel of the segment {name!r} has a value.")])
    text = f"{counted(number, 'voxel', 'voxels')} of the segment {name!r} without a value did not count."
    return mask & ~unknown, (Reason("REGION_NOT_FINITE", text),)


def _resegmented(mask: Mask, array: Array, processing: Processing) -> Mask:
    low, high = processing.intensity_range
    kept = mask & (array >= low) & (array <= high)
    if processing.outliers_sd is None or not kept.any():
        return kept
    values = array[kept].astype(np.float64)
    mean, reach = float(values.mean()), processing.outliers_sd * float(values.std())
    return kept & (array >= mean - reach) & (array <= mean + reach)


# --- interpolation ---------------------------------------------------------------------------------------------------


def _interpolated(volume: Volume, mask: Mask, processing: Processing, margin_mm: float) -> tuple[Volume, Mask]:
    """The image around a mask and the mask on the grid that features are computed on."""
    if processing.spacing_mm is None:
        return _cut(volume, mask, margin_mm)
    own = spacing_of(volume.grid)
    if volume.grid.space is not Space.PATIENT and processing.spacing_mm[0] is not None:
        raise UsageError("A picture has no depth to interpolate over: give None as the spacing of slices.")
    wanted = (processing.spacing_mm[0] or own[0], *processing.spacing_mm[1:])
    whole = _centred(volume.grid, wanted)
    if np.allclose(whole.spacing_mm, own, rtol=1e-6) and whole.shape == volume.grid.shape:
        return _cut(volume, mask, margin_mm)
    grid = _window(whole, volume.grid, box_of(mask), margin_mm)
    near, covered = _near(volume, mask, grid)
    shape = onto(_plain(near, covered.astype(np.float32)), grid, outside=0).array >= _HALF
    plain = _plain(near, _floating(near.array))
    if processing.interpolation == "cubic" and not np.isfinite(plain.array).all():
        raise Refused([Reason("REGION_BESIDE_GAPS", "A spline runs through every voxel, and some here have no value.")])
    moved = onto(plain, grid, interpolation=processing.interpolation, outside=math.nan)
    array = moved.array
    if processing.rounded_to is not None:
        array = np.rint(array / processing.rounded_to) * processing.rounded_to
    return volume.on(grid, array).with_reasons(moved.reasons), shape


def _near(volume: Volume, mask: Mask, grid: Grid) -> tuple[Volume, Mask]:
    """The part of an image and a mask that values on a grid depend on."""
    ends = np.array(list(product(*((0, n - 1) for n in grid.shape))))
    index = volume.grid.to_index(grid.to_world(ends))
    start = np.maximum(np.floor(index.min(axis=0)).astype(int) - _SPLINE_REACH, 0)
    stop = np.minimum(np.ceil(index.max(axis=0)).astype(int) + _SPLINE_REACH + 1, mask.shape)
    part = tuple(slice(one, other) for one, other in zip(start, stop, strict=True))
    return volume.on(volume.grid.crop(start.tolist(), stop.tolist()), volume.array[part]), mask[part]


def _plain(volume: Volume, array: Array) -> Volume:
    return volume.with_array(array, unit=codes.ONE, reasons=())


def _floating(array: Array) -> Array:
    """The values in a type that holds NaN and all of them."""
    return array.astype(
        np.float64 if array.dtype.itemsize > 2 and array.dtype != np.float32 else np.float32, copy=False
    )


def _cut(volume: Volume, mask: Mask, margin_mm: float) -> tuple[Volume, Mask]:
    """The image and the mask cut to the mask's box and a margin."""
    known = volume.grid.space is not Space.PIXEL
    margin = [_voxels(margin_mm / size if known else 0.0) for size in volume.grid.spacing_mm]
    box = box_of(mask, [min(extra, n) for extra, n in zip(margin, mask.shape, strict=True)])
    grid = volume.grid.crop([side.start for side in box], [side.stop for side in box])
    return volume.on(grid, np.ascontiguousarray(volume.array[box])), np.ascontiguousarray(mask[box])


def _voxels(length: float) -> int:
    return math.ceil(min(length, 1e6))


def _centred(grid: Grid, spacing_mm: Sequence[float]) -> Grid:
    """Grid of another spacing with the same center, at least as long: the number of voxels is rounded up."""
    shape = [max(1, math.ceil(length / size - 1e-6)) for length, size in zip(grid.extent_mm, spacing_mm, strict=True)]
    linear = grid.direction * np.asarray(spacing_mm)
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = np.asarray(grid.center_mm) - linear @ ((np.asarray(shape) - 1) / 2)
    return replace(grid, shape=(shape[0], shape[1], shape[2]), affine=affine)


def _window(whole: Grid, source: Grid, box: tuple[slice, slice, slice], margin_mm: float) -> Grid:
    """The part of a grid around a box of another."""
    corners = np.array([[side.start - 1, side.stop] for side in box])
    index = whole.to_index(source.to_world(corners.T))
    margin = np.array([_voxels(margin_mm / size) for size in whole.spacing_mm])
    start = np.maximum(np.floor(index.min(axis=0)).astype(int) - margin, 0)
    stop = np.minimum(np.ceil(index.max(axis=0)).astype(int) + margin + 1, whole.shape)
    return whole.crop(start.tolist(), stop.tolist())

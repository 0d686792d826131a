"""Plane sections of a volume in any direction (multiplanar reformation), at their true place in the patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect, expect_word
from isocenter.findings import Segmentation
from isocenter.geometry import Floats, Grid, Space
from isocenter.ops.lattice import expect_length
from isocenter.ops.resample import Interpolation, onto, outside_of
from isocenter.ops.slabs import How
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

_EDGES = [(a, b) for a, b in product(range(8), repeat=2) if a < b and (a ^ b).bit_count() == 1]  # of a box's corners


def plane(
    image: Volume | Segmentation,
    point_mm: Sequence[float],
    normal: Sequence[float],
    *,
    down: Sequence[float] | None = None,
    spacing_mm: float | None = None,
    size_mm: Sequence[float] | None = None,
) -> Grid:
    """Grid of one slice on the plane through a point, in the patient space of an image.

    Parameters
    ----------
    image
        Whose space it lies in, and whose extent it covers.
    point_mm
        World (x, y, z) of a point on the plane.
    normal
        World direction perpendicular to the plane, of any length; its sign does not matter: the plane is seen as
        radiologists do, from the feet, the front or the patient's left.
    down
        World direction that rows grow to, as far as it lies in the plane: by default posterior on a plane nearest to
        axial, else inferior.
    spacing_mm
        Between pixels: by default the image's smallest.
    size_mm
        (height, width), around the point: by default all of the image that the plane cuts.

    Raises
    ------
    UsageError
        If the image has no place in the patient, the plane misses it, or a direction, spacing or size is none.
    """
    expect(image, Volume, Segmentation)
    grid = image.grid
    if grid.space is not Space.PATIENT:
        raise UsageError("A plane is cut through a volume with a place in the patient, and this picture has none.")
    point, across = point_of(point_mm), _towards_viewer(direction_of(normal))
    default = (0, 1, 0) if np.argmax(np.abs(across)) == 2 else (0, 0, -1)
    rows = direction_of(default if down is None else down)
    rows = direction_of(rows - across * (rows @ across), "The direction down lies along the normal of the plane")
    axes = np.stack([across, rows, np.cross(across, rows)], axis=1)
    step = min(grid.spacing_mm) if spacing_mm is None else spacing_mm
    expect_length(step, "The spacing of a plane")
    if size_mm is None:
        first, last = _extent(grid, point, axes)
    else:
        if len(size_mm) != 2 or not np.isfinite(size_mm).all() or min(size_mm) <= 0:
            raise UsageError(f"The size of a plane is two positive lengths in millimetres, not {size_mm!r}.")
        last = np.asarray(size_mm, float) / 2
        first = -last
    shape = np.maximum(np.rint((last - first) / step), 1).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes * step
    affine[:3, 3] = point + axes[:, 1:] @ ((first + last) / 2 - step * (shape - 1) / 2)
    return Grid((1, int(shape[0]), int(shape[1])), affine, grid.frame_of_reference_uid)


def section(
    volume: Volume,
    grid: Grid,
    *,
    thickness_mm: float | None = None,
    how: How = "mean",
    interpolation: Interpolation = "linear",
    outside: float | None = None,
) -> Volume:
    """The volume on a plane: of single points, or condensed over a slab around it.

    Parameters
    ----------
    volume
        The image.
    grid
        One slice, of :func:`plane` for instance.
    thickness_mm
        Of the slab, centred on the plane; None for none. It is sampled at least as often as the image is.
    how
        ``"mean"``, ``"max"`` (MIP) or ``"min"`` (MinIP) over what of the slab lies in the image.
    interpolation, outside
        As of :func:`isocenter.onto`.

    Returns
    -------
    A volume of one slice at its true place, as thick as the slab, as the reason ``PROJECTED`` says. Of the same dtype;
    a mean is float32.
    """
    expect(volume, Volume)
    expect(grid, Grid)
    if grid.shape[0] != 1:
        raise UsageError(f"A plane has one slice, not {grid.shape[0]}: take onto(volume, grid) for a stack.")
    if thickness_mm is None:
        return onto(volume, grid, interpolation=interpolation, outside=outside)
    expect_word(how, How, "What a slab shows")
    expect_length(thickness_mm, "The thickness of a slab")
    count = int(np.ceil(thickness_mm / min(volume.grid.spacing_mm) - 1e-6))
    offsets = (np.arange(count) - (count - 1) / 2) * thickness_mm / count
    fill = outside_of(volume, stacked(grid, offsets), outside)
    layers = ((onto(volume, one, interpolation=interpolation, outside=fill).array, _inside(volume.grid, one))
              for one in (stacked(grid, [offset]) for offset in offsets))  # fmt: skip
    array = _condensed(layers, how, fill)
    affine = grid.affine.copy()
    affine[:3, 0] *= thickness_mm / grid.spacing_mm[0]
    made = volume.on(replace(grid, affine=affine), array)
    return made.with_reasons([Reason("PROJECTED", f"The {how} over {thickness_mm:.4g} mm.")])


def stacked(grid: Grid, offsets_mm: Sequence[float] | Floats) -> Grid:
    """Planes parallel to one, from the first to the last of evenly spaced offsets along its normal."""
    unit = grid.direction[:, 0]
    step = offsets_mm[1] - offsets_mm[0] if len(offsets_mm) > 1 else grid.spacing_mm[0]
    affine = grid.affine.copy()
    affine[:3, 0], affine[:3, 3] = unit * step, affine[:3, 3] + unit * offsets_mm[0]
    return replace(grid, shape=(len(offsets_mm), *grid.shape[1:]), affine=affine)


def numbers_of(values: npt.ArrayLike) -> Floats:
    """Values as an array of numbers.

    Raises
    ------
    UsageError
        If they are no numbers.
    """
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise UsageError(f"Expected numbers, not {values!r}.") from error


def point_of(point_mm: Sequence[float]) -> Floats:
    """A world point, checked."""
    point = numbers_of(point_mm)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise UsageError(f"A point is three finite numbers (x, y, z) in millimetres, not {point_mm!r}.")
    return point


def direction_of(
    vector: Sequence[float] | Floats, wrong: str = "A direction is three finite numbers, not all 0"
) -> Floats:
    """A unit vector, checked."""
    direction = numbers_of(vector)
    length = np.linalg.norm(direction)
    if direction.shape != (3,) or not np.isfinite(length) or length < 1e-6:
        raise UsageError(f"{wrong}: {tuple(np.ravel(vector).tolist())}.")
    return np.asarray(direction / length)


def _towards_viewer(normal: Floats) -> Floats:
    """The normal of two that gives the usual view: slices grow to the feet, the front, the patient's left."""
    axis = int(np.argmax(np.abs(normal)))
    usual = np.array([1.0, -1.0, -1.0])[axis]
    return normal if normal[axis] * usual > 0 else -normal


def _extent(grid: Grid, point: Floats, axes: Floats) -> tuple[Floats, Floats]:
    """Least and greatest place along rows and columns of where a plane cuts the box of a grid."""
    ends = np.array(list(product(*((-0.5, n - 0.5) for n in grid.shape))))
    corners = (grid.to_world(ends) - point) @ axes
    cuts = []
    for a, b in _EDGES:
        above, below = corners[a], corners[b]
        if above[0] * below[0] <= 0 and above[0] != below[0]:
            share = above[0] / (above[0] - below[0])
            cuts.append((above + share * (below - above))[1:])
    if not cuts:
        raise UsageError("The plane does not pass through the image.")
    return np.min(cuts, axis=0), np.max(cuts, axis=0)


def _inside(source: Grid, grid: Grid) -> Array:
    index = source.to_index(grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)))
    return np.asarray(((index >= -0.5) & (index <= np.asarray(source.shape) - 0.5)).all(axis=-1))


def _condensed(layers: Iterable[tuple[Array, Array]], how: How, fill: float) -> Array:
    """One of many layers, each with where it lies in the image; NaN is left out."""
    total, seen = np.zeros(()), np.zeros((), np.int64)
    dtype = np.dtype(np.float32)
    for layer, inside in layers:
        known = inside.reshape(*inside.shape, *(1,) * (layer.ndim - 3)) & (layer == layer)  # noqa: PLR0124 - not NaN
        if how == "mean":
            total = total + np.where(known, layer, 0.0)
        else:
            further = layer > total if how == "max" else layer < total
            total, dtype = np.where(known & ((seen == 0) | further), layer, total), layer.dtype
        seen = seen + known
    if how == "mean":
        total = total / np.maximum(seen, 1)
    return np.asarray(np.where(seen > 0, total, fill)).astype(dtype)

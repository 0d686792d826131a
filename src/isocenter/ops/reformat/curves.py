"""A volume along a curve, such as a vessel or the spine, as a flat picture (curved planar reformation).

Straightened, the picture's rows are lines across the curve that follow it without twisting: lengths along the curve
and straight across it are true. Stretched, they are parallel lines, and the curved surface that these sweep is rolled
out flat: all lengths on that surface are true, and the curve stays bent (Kanitsar, Fleischmann, Wegenkittl, Felkel,
Groeller 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect, expect_word
from isocenter.geometry import Floats, Space
from isocenter.ops.lattice import expect_length
from isocenter.ops.reformat.planes import direction_of, numbers_of
from isocenter.ops.resample import outside_value
from isocenter.reasons import Reason
from isocenter.volume import Volume

Layout = Literal["straightened", "stretched"]

_FINE = 20  # points per span of the curve, to measure its length by


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve through the world, as points of even distance along it.

    Parameters
    ----------
    points_mm
        (n, 3): world (x, y, z); two at least.
    spacing_mm
        Distance between them along the curve.
    """

    points_mm: Floats
    spacing_mm: float

    @classmethod
    def through(cls, points_mm: npt.ArrayLike, *, spacing_mm: float = 1.0) -> Curve:
        """A smooth curve through points in their order: a cubic spline (centripetal), of even spacing.

        Raises
        ------
        UsageError
            If there are not two different points or more, or neighbours are equal.
        """
        from scipy.interpolate import CubicSpline

        points = numbers_of(points_mm)
        if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2 or not np.isfinite(points).all():
            raise UsageError(f"A curve goes through two or more points (x, y, z), not an array of {points.shape}.")
        expect_length(spacing_mm, "The spacing of a curve")
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        if steps.min() < 1e-6:
            raise UsageError("Two neighbouring points of the curve are the same.")
        knots = np.concatenate([[0], np.cumsum(np.sqrt(steps))])
        fine = np.interp(np.arange(_FINE * len(steps) + 1) / _FINE, np.arange(len(knots)), knots)
        along = CubicSpline(knots, points, bc_type="natural")(fine) if len(points) > 2 else points
        return cls(_even(along, _lengths(along), spacing_mm), spacing_mm)

    @property
    def length_mm(self) -> float:
        """Length of the curve."""
        return (len(self.points_mm) - 1) * self.spacing_mm


def curved(
    volume: Volume,
    curve: Curve,
    *,
    width_mm: float,
    towards: Sequence[float] | None = None,
    layout: Layout = "straightened",
    outside: float | None = None,
) -> Volume:
    """The volume along a curve, as a flat picture: down along the curve, from left to right across it; linear.

    Parameters
    ----------
    volume
        An image with a place in the patient.
    curve
        Where to go along; pixels are as far apart as its points.
    width_mm
        Of the picture, the curve in the middle.
    towards
        World direction that columns grow to, as far as it is across the curve: by default the patient's left, back or
        head, whichever is most across it.
    layout
        ``"straightened"`` or ``"stretched"``.
    outside
        Value outside the volume: by default air (-1024) in HU; for other units it must be stated if needed.

    Returns
    -------
    One slice of :attr:`Space.PLANE`: a curved surface has no place on any patient grid, as the reason ``CURVED_PLANE``
    says.

    Raises
    ------
    UsageError
        If the volume has no place in the patient, a parameter is none, or the curve runs along ``towards``.
    """
    from isocenter.dicom.sorting.stack import flat_grid

    expect(volume, Volume)
    expect(curve, Curve)
    if volume.grid.space is not Space.PATIENT:
        raise UsageError("A curve runs through a volume with a place in the patient, and this picture has none.")
    expect_word(layout, Layout, "The layout")
    expect_length(width_mm, "The width of the picture")
    half = round(width_mm / curve.spacing_mm / 2)
    offsets = np.arange(-half, half + 1.0) * curve.spacing_mm
    side = _side(curve) if towards is None else direction_of(towards)
    surface = _straightened(curve, side, offsets) if layout == "straightened" else _stretched(curve, side, offsets)
    array = _values(volume, volume.grid.to_index(surface), outside)[None]
    made = volume.on(flat_grid(surface.shape[:2], (curve.spacing_mm, curve.spacing_mm)), array)
    return made.with_reasons([Reason("CURVED_PLANE", f"{layout.capitalize()} along {curve.length_mm:.4g} mm.")])


def _values(volume: Volume, index: Floats, outside: float | None) -> npt.NDArray[np.generic]:
    from isocenter.sampling.points import values_at

    last = np.asarray(volume.grid.shape) - 0.5
    fill = outside_value(volume, outside, is_needed=lambda: bool((index < -0.5).any() or (index > last).any()))
    low = np.clip(np.floor(index.min(axis=(0, 1))).astype(int) - 1, 0, np.array(volume.grid.shape) - 1)
    high = np.clip(np.ceil(index.max(axis=(0, 1))).astype(int) + 2, low + 1, volume.grid.shape)
    near = volume.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]  # all that the surface touches
    further = volume.array.shape[3:]
    try:
        parts = [values_at(near[:, :, :, *one], index - low, outside=fill) for one in np.ndindex(*further)]
    except ValueError as error:
        raise UsageError(str(error)) from error
    return np.stack(parts, axis=-1).reshape(*index.shape[:2], *further)


# --- surfaces --------------------------------------------------------------------------------------------------------


def _straightened(curve: Curve, side: Floats, offsets: Floats) -> Floats:
    """World points (along, across, 3) on lines across a curve that do not twist about it.

    The lines' direction is carried along by two reflections a step (Wang, Juettler, Zheng, Liu 2008).
    """
    points, tangents = curve.points_mm, _tangents(curve)
    across = [direction_of(side - tangents[0] * (side @ tangents[0]), "The curve begins along the direction towards")]
    for k in range(len(points) - 1):
        step = points[k + 1] - points[k]
        sideways = across[-1] - 2 * (step @ across[-1]) / (step @ step) * step
        ahead = tangents[k] - 2 * (step @ tangents[k]) / (step @ step) * step
        bend = tangents[k + 1] - ahead
        if bend @ bend > 1e-18:
            sideways = sideways - 2 * (bend @ sideways) / (bend @ bend) * bend
        across.append(direction_of(sideways))
    return np.asarray(points[:, None] + np.array(across)[:, None] * offsets[None, :, None])


def _stretched(curve: Curve, side: Floats, offsets: Floats) -> Floats:
    """World points (along, across, 3) on the surface that parallel lines through a curve sweep, rolled out flat."""
    heights = curve.points_mm @ side
    flat = curve.points_mm - heights[:, None] * side
    length = _lengths(flat)
    if length[-1] < 0.1 * curve.length_mm:
        raise UsageError("The curve runs along the direction that columns are to grow to: choose another.")
    middle = (heights.min() + heights.max()) / 2
    even = _even(flat, length, curve.spacing_mm)
    return np.asarray(even[:, None] + (middle + offsets)[None, :, None] * side)


def _side(curve: Curve) -> Floats:
    """The world axis that is most across a curve everywhere."""
    return np.asarray(np.eye(3)[np.argmin(np.abs(_tangents(curve)).max(axis=0).round(3))])


def _tangents(curve: Curve) -> Floats:
    steps = np.gradient(curve.points_mm, axis=0)
    return np.asarray(steps / np.linalg.norm(steps, axis=1, keepdims=True))


def _lengths(points: Floats) -> Floats:
    """Length of a line of points from its start to each of them."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def _even(points: Floats, lengths: Floats, spacing_mm: float) -> Floats:
    """Points of even distance along a line of points, from its start on; two at least."""
    if lengths[-1] < spacing_mm:
        raise UsageError(f"The curve is shorter than one step of {spacing_mm:g} mm.")
    places = np.arange(int(lengths[-1] / spacing_mm + 1e-6) + 1) * spacing_mm
    return np.stack([np.interp(places, lengths, points[:, axis]) for axis in range(3)], axis=1)

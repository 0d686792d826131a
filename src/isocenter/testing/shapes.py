"""Solid shapes painted onto any grid with exact partial-volume edges (numba). What they depict lives elsewhere.

A shape is a superellipsoid or a tapered capsule in world millimetres. Shapes are painted in order, as a painter does:
each replaces what lies under it by its share of the voxel. The share follows from the signed distance to the surface
and the voxel's width along the surface's normal, so that edges are right on oblique and anisotropic grids too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import prange

from isocenter.geometry import Grid
from isocenter.kernels import compiled, kernel

Array = npt.NDArray[Any]
Point = tuple[float, float, float]

KEEP = 255
"""Label of a shape that changes the value of a voxel but not its label."""

_ELLIPSOID, _CAPSULE = 0, 1


@dataclass(frozen=True, slots=True)
class Shape:
    """One solid shape.

    Parameters
    ----------
    kind
        0 for a superellipsoid, 1 for a tapered capsule.
    numbers
        Superellipsoid: centre and three radii. Capsule: start, end, radius at start and at end.
    value
        Its value (HU).
    slope
        Change of the value per millimetre of y (towards the back).
    label
        Its label, or :data:`KEEP`.
    over
        Labels that it may be painted over; all if empty.
    power
        Exponent of the superellipsoid: 2 (ellipsoid), 3, 4 or 8 (nearly a box).
    """

    kind: int
    numbers: tuple[float, ...]
    value: float
    slope: float
    label: int
    over: tuple[int, ...]
    power: int = 2

    def box_mm(self) -> tuple[Point, Point]:
        """Lower and upper corner of the shape's bounding box."""
        n = self.numbers
        if self.kind == _ELLIPSOID:
            low, high = [n[i] - n[3 + i] for i in range(3)], [n[i] + n[3 + i] for i in range(3)]
        else:
            low = [min(n[i] - n[6], n[3 + i] - n[7]) for i in range(3)]
            high = [max(n[i] + n[6], n[3 + i] + n[7]) for i in range(3)]
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])


@dataclass(frozen=True, slots=True)
class Paint:
    """What a shape leaves in the voxels it covers: a value, a label, and over which labels."""

    value: float
    label: int = KEEP
    over: tuple[int, ...] = ()
    slope: float = 0.0

    def ellipsoid(self, center_mm: Point, radii_mm: Point, power: int = 2) -> Shape:
        """A superellipsoid of this paint."""
        return Shape(_ELLIPSOID, (*center_mm, *radii_mm), self.value, self.slope, self.label, self.over, power)

    def tube(self, start_mm: Point, end_mm: Point, radii_mm: tuple[float, float]) -> Shape:
        """A tapered capsule of this paint."""
        return Shape(_CAPSULE, (*start_mm, *end_mm, *radii_mm), self.value, self.slope, self.label, self.over)

    def path(self, points_mm: Sequence[Point], radius_mm: float) -> list[Shape]:
        """Capsules of one radius along a line of points."""
        return [self.tube(a, b, (radius_mm, radius_mm)) for a, b in pairwise(points_mm)]


def paint(
    grid: Grid, shapes: Sequence[Shape], background: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Values and labels of the shapes on a grid.

    Parameters
    ----------
    grid
        Where to paint.
    shapes
        In order of painting.
    background
        Value where no shape is; its label is 0.

    Returns
    -------
    float32 values, with partial volume, and uint8 labels of the shape that holds the voxel's centre.
    """
    values = np.full(grid.shape, background, np.float32)
    labels = np.zeros(grid.shape, np.uint8)
    whole = np.array([[s.kind, s.label, _mask(s.over), s.power] for s in shapes], np.int64).reshape(-1, 4)
    reals = np.zeros((len(shapes), 10))
    for row, shape in zip(reals, shapes, strict=True):
        row[:2] = shape.value, shape.slope
        row[2 : 2 + len(shape.numbers)] = shape.numbers
    boxes = np.array([_index_box(grid, shape) for shape in shapes], np.int64).reshape(-1, 6)
    _paint(values, labels, grid.affine[:3].copy(), (whole, reals, boxes))
    return values, labels


def _mask(labels: tuple[int, ...]) -> int:
    return sum(1 << label for label in labels) if labels else (1 << 32) - 1


def _index_box(grid: Grid, shape: Shape) -> list[int]:
    """First and one past the last index of the voxels that the shape can touch."""
    corners = np.array(np.meshgrid(*zip(*shape.box_mm(), strict=True), indexing="ij")).reshape(3, -1).T
    index = grid.to_index(corners)
    low = np.clip(np.floor(index.min(0)) - 1, 0, grid.shape)
    high = np.clip(np.ceil(index.max(0)) + 2, 0, grid.shape)
    return [int(value) for value in (*low, *high)]


_inlined = compiled(inline="always")


@_inlined
def _power(x: float, power: int) -> float:
    square = x * x
    if power == 2:
        return square
    if power == 3:
        return square * abs(x)
    if power == 4:
        return square * square
    return square * square * square * square


@_inlined
def _share(distance: float, normal: tuple[float, float, float], a: Array) -> float:
    """Share of a voxel behind a plane at a signed distance from its centre."""
    width = 0.0
    for j in range(3):
        width += abs(normal[0] * a[0, j] + normal[1] * a[1, j] + normal[2] * a[2, j])
    return min(max(0.5 - distance / width, 0.0), 1.0)


@kernel
def _ellipsoid_share(p: Array, n: Array, power: int, a: Array, margin: float) -> Any:
    """Share of the voxel at p inside the superellipsoid n (centre, radii); first-order distance to the surface."""
    u, v, w = (p[0] - n[0]) / n[3], (p[1] - n[1]) / n[4], (p[2] - n[2]) / n[5]
    total = _power(u, power) + _power(v, power) + _power(w, power)
    if total < (1 - margin) ** power:
        return 1.0
    if total > (1 + margin) ** power:
        return 0.0
    gx = np.sign(u) * abs(u) ** (power - 1) / n[3]
    gy = np.sign(v) * abs(v) ** (power - 1) / n[4]
    gz = np.sign(w) * abs(w) ** (power - 1) / n[5]
    steep = np.sqrt(gx * gx + gy * gy + gz * gz) + 1e-12
    radius = total ** (1.0 / power)
    distance: float = (radius - 1.0) * radius ** (power - 1) / steep
    return _share(distance, (gx / steep, gy / steep, gz / steep), a)


@kernel
def _capsule_share(p: Array, n: Array, a: Array) -> Any:
    """Share of the voxel at p inside the capsule n (start, end, radii)."""
    bx, by, bz = n[3] - n[0], n[4] - n[1], n[5] - n[2]
    px, py, pz = p[0] - n[0], p[1] - n[1], p[2] - n[2]
    t = (px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + 1e-12)
    t = min(max(t, 0.0), 1.0)
    dx, dy, dz = px - t * bx, py - t * by, pz - t * bz
    length = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-12
    return _share(length - (n[6] + t * (n[7] - n[6])), (dx / length, dy / length, dz / length), a)


@kernel
def _paint_slice(k: int, values: Array, labels: Array, a: Array, shape: tuple[Array, Array, Array]) -> None:
    """Paint one shape (its whole numbers, reals and index box) onto slice k."""
    whole, reals, box = shape
    kind, label, over, power = whole
    n = reals[2:]
    width = np.sqrt((a[:, :3] ** 2).sum(axis=0)).sum()
    margin = min(0.9, width / min(n[3], n[4], n[5])) if kind == 0 else 0.0
    p = np.empty(3)
    for r in range(box[1], box[4]):
        for c in range(box[2], box[5]):
            if not (over >> labels[r, c]) & 1:
                continue
            for i in range(3):
                p[i] = a[i, 0] * k + a[i, 1] * r + a[i, 2] * c + a[i, 3]
            share = _ellipsoid_share(p, n, power, a, margin) if kind == 0 else _capsule_share(p, n, a)
            if share > 0:
                values[r, c] += share * (reals[0] + reals[1] * p[1] - values[r, c])
                if share >= 0.5 and label != KEEP:
                    labels[r, c] = label


@compiled(parallel=True)
def _paint(values: Array, labels: Array, a: Array, shapes: tuple[Array, Array, Array]) -> None:
    whole, reals, boxes = shapes
    for k in prange(values.shape[0]):
        for s in range(len(whole)):
            if boxes[s, 0] <= k < boxes[s, 3]:
                _paint_slice(k, values[k], labels[k], a, (whole[s], reals[s], boxes[s]))

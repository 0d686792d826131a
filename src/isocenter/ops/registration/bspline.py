"""B-spline registration: a lattice of knots, each with a displacement, between which the map is a cubic B-spline.

The knots are moved down the slope of the metric at the samples (L-BFGS), and held together by their bending: the mean
square of their second differences.
"""

from __future__ import annotations

import numpy as np

from isocenter.geometry import Floats, Grid
from isocenter.kernels import compiled, over_slices
from isocenter.ops.registration.agreement import Metric, cost, meet, samples_of, scale_of
from isocenter.ops.registration.descent import descended
from isocenter.ops.registration.fields import Field
from isocenter.ops.registration.linear import TOO_LITTLE, View
from isocenter.volume import Array

_ROUNDS = 40
_BENDING = 0.02  # cost of a second difference of one millimetre in every knot
_CHUNK = 4096
_PARTS = 4  # sums made side by side, always as many, so that they are the same on any number of threads


def lattice_over(grid: Grid, knots_mm: float) -> Grid:
    """Grid of knots along the axes of a grid, one and a half beyond its border and more."""
    inner = grid.with_spacing([knots_mm] * 3)
    return inner.pad((2, 2, 2), (2, 2, 2))


def refined(view: View, matrix: Floats, lattice: tuple[Grid, Floats], metric: Metric, samples: int) -> Floats:
    """The knots' displacements of the best agreement at a level.

    Parameters
    ----------
    view
        Both images at the level.
    matrix
        (4, 4) from the fixed to the moving world, after the displacement.
    lattice
        Grid of the knots, and their displacements to begin with: (slice, row, column, 3) in LPS millimetres.
    metric
        What to compare by.
    samples
        At how many points.
    """
    grid, begin = lattice
    taken = samples_of(view.fixed, samples, view.fixed_mask)
    places, scale = grid.to_index(taken.points_mm), scale_of(taken, view.moving)
    to_index = (view.moving.to_index @ matrix)[:3]

    def at(flat: Floats) -> tuple[float, Floats]:
        knots = flat.reshape(begin.shape)
        met = meet(view.moving, to_index, taken.points_mm + displaced(knots, places), view.moving_mask)
        value, by_value = cost(metric, taken, met, scale)
        if not np.isfinite(value):
            return TOO_LITTLE, np.zeros(flat.size)
        by_knot = _gathered((by_value[:, None] * met.slopes) @ to_index[:, :3], places, begin.shape)
        bent, by_bending = _bending(knots)
        return value + _BENDING * bent, (by_knot + _BENDING * by_bending).ravel()

    return descended(at, begin.ravel(), rounds=_ROUNDS, first=min(view.fixed.grid.spacing_mm)).reshape(begin.shape)


def displaced(knots: Floats, places: Floats) -> Floats:
    """Displacement in millimetres at places given as indices of the lattice: (n, 3) of (n, 3)."""
    out = np.empty(places.shape)
    chunks = -(-len(places) // _CHUNK)

    def work(first: int, last: int) -> None:
        part = slice(first * _CHUNK, last * _CHUNK)
        _gather(places[part], knots, out[part])

    over_slices(work, (chunks, 16 * _CHUNK))
    return out


def _gathered(values: Floats, places: Floats, shape: tuple[int, ...]) -> Floats:
    """Values at places added up at the knots around, by the knots' weights there."""
    parts = np.zeros((_PARTS, *shape))
    cuts = np.linspace(0, len(places), _PARTS + 1).astype(int)

    def work(first: int, last: int) -> None:
        for i in range(first, last):
            part = slice(cuts[i], cuts[i + 1])
            _scatter(places[part], values[part], parts[i])

    over_slices(work, (_PARTS, 16 * _CHUNK))
    total: Floats = parts.sum(axis=0)
    return total


def dense(lattice: Grid, knots: Floats, grid: Grid) -> Field:
    """Displacements in millimetres at the voxels of a grid."""
    out = np.empty((*grid.shape, 3), np.float32)
    for k in range(grid.shape[0]):
        index = np.moveaxis(np.indices((1, *grid.shape[1:]), dtype=float), 0, -1).reshape(-1, 3)
        index[:, 0] = k
        out[k] = displaced(knots, lattice.to_index(grid.to_world(index))).reshape(*grid.shape[1:], 3)
    return out


def _bending(knots: Floats) -> tuple[float, Floats]:
    """Mean squared second difference of the knots along the axes, and its derivative by each knot."""
    total, by_knot = 0.0, np.zeros_like(knots)
    for axis in range(3):
        moved, slope = np.moveaxis(knots, axis, 0), np.moveaxis(by_knot, axis, 0)
        second = moved[2:] - 2 * moved[1:-1] + moved[:-2]
        total += float((second * second).sum()) / knots.size
        second *= 2 / knots.size
        slope[2:] += second
        slope[1:-1] -= 2 * second
        slope[:-2] += second
    return total, by_knot


# --- kernels ---------------------------------------------------------------------------------------------------------


@compiled(fastmath=True)
def _weights(f: float, out: Array) -> None:
    """Cubic B-spline weights of the knots before, at, after and two after a place."""
    out[0] = (1 - f) ** 3 / 6
    out[1] = (3 * f**3 - 6 * f**2 + 4) / 6
    out[2] = (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6
    out[3] = f**3 / 6


@compiled(fastmath=True)
def _gather(places: Floats, knots: Floats, out: Floats) -> None:
    a, b, c = np.empty(4), np.empty(4), np.empty(4)
    for i in range(places.shape[0]):
        k, r, t = int(places[i, 0]), int(places[i, 1]), int(places[i, 2])
        _weights(places[i, 0] - k, a)
        _weights(places[i, 1] - r, b)
        _weights(places[i, 2] - t, c)
        x, y, z = 0.0, 0.0, 0.0
        for m in range(4):
            for n in range(4):
                for o in range(4):
                    w = a[m] * b[n] * c[o]
                    knot = knots[k - 1 + m, r - 1 + n, t - 1 + o]
                    x += w * knot[0]
                    y += w * knot[1]
                    z += w * knot[2]
        out[i, 0], out[i, 1], out[i, 2] = x, y, z


@compiled(fastmath=True)
def _scatter(places: Floats, values: Floats, knots: Floats) -> None:
    """Add values at places to the knots around by their weights: what :func:`_gather` does, transposed."""
    a, b, c = np.empty(4), np.empty(4), np.empty(4)
    for i in range(places.shape[0]):
        k, r, t = int(places[i, 0]), int(places[i, 1]), int(places[i, 2])
        _weights(places[i, 0] - k, a)
        _weights(places[i, 1] - r, b)
        _weights(places[i, 2] - t, c)
        for m in range(4):
            for n in range(4):
                for o in range(4):
                    w = a[m] * b[n] * c[o]
                    knot = knots[k - 1 + m, r - 1 + n, t - 1 + o]
                    knot[0] += w * values[i, 0]
                    knot[1] += w * values[i, 1]
                    knot[2] += w * values[i, 2]

"""Displacement fields as arrays, in voxels of their own lattice: sampled, smoothed, joined, undone. No world is here.

A field is float32 (slice, row, column, 3): the voxel at index ``i`` goes to ``i + field[i]``. Between voxels a field is
linear; beyond its outermost voxels the displacement there holds on, so that the map stays continuous.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import compiled, kernel, over_slices
from isocenter.volume import Array

Field = npt.NDArray[np.float32]

_REACH = 3.0  # standard deviations
_ROUNDS = 30
_CLOSE = 1e-3  # voxels


def sampled(field: Field, index: Floats) -> Floats:
    """Displacement at fractional indices: (n, 3) of (n, 3)."""
    points = np.ascontiguousarray(index, np.float64)
    out = np.empty(points.shape)
    _at_points(field, points, out)
    return out


def resampled(field: Field, matrix: Floats, shape: Sequence[int]) -> Field:
    """The field's vectors on another lattice, unchanged themselves.

    Parameters
    ----------
    field
        The field.
    matrix
        (4, 4) from an index of the new lattice to one of the field's.
    shape
        Shape of the new lattice.
    """
    out = np.empty((*shape, 3), np.float32)
    over_slices(lambda first, last: _on_lattice(field, matrix, out[first:last], first), shape)
    return out


def joined(first: Field, second: Field) -> Field:
    """The field that goes along ``second``, then along ``first`` from there; both on one lattice."""
    out = np.empty_like(first)
    over_slices(lambda a, b: _joined(first, second, out[a:b], a), out.shape[:3])
    return out


def undone(field: Field) -> Field:
    """The field that leads back, by a fixed point (Chen et al., Med Phys 35:81, 2008).

    Where the map folds there is no way back; what is returned there is the last guess.
    """
    back = -field
    for _ in range(_ROUNDS):
        better = joined(field, back)
        np.subtract(back, better, out=better)
        moved = float(np.abs(better - back).max())
        back = better
        if moved < _CLOSE:
            break
    return back


def determinants(field: Field) -> npt.NDArray[np.float32]:
    """Jacobian determinant of ``i + field[i]`` at each voxel, by central differences (one-sided at the border)."""
    out = np.empty(field.shape[:3], np.float32)
    over_slices(lambda first, last: _determinants(field, out[first:last], first), out.shape)
    return out


def smoothed(array: Array, sigma: Sequence[float]) -> npt.NDArray[np.float32]:
    """A float32 array (slice, row, column, n) smoothed by a Gaussian; beyond the border its outermost values hold.

    Parameters
    ----------
    array
        The array.
    sigma
        Standard deviation along (slice, row, column) in voxels.
    """
    flat: npt.NDArray[np.float32] = array
    for axis, width in enumerate(sigma):
        if width > 0.2 and array.shape[axis] > 1:
            weights, source = _gaussian(width), flat
            flat = np.empty_like(source)
            target = flat
            over_slices(
                lambda first, last, source=source, target=target, weights=weights, axis=axis: _smooth(  # type: ignore[misc]
                    source, weights, axis, target[first:last], first
                ),
                array.shape[:3],
            )
    return flat


def _gaussian(sigma: float) -> npt.NDArray[np.float32]:
    """One half of a Gaussian's weights, from its middle out."""
    weights = np.exp(-0.5 * (np.arange(int(np.ceil(_REACH * sigma)) + 1) / sigma) ** 2)
    half: npt.NDArray[np.float32] = (weights / (2 * weights.sum() - weights[0])).astype(np.float32)
    return half


# --- kernels ---------------------------------------------------------------------------------------------------------


@kernel
def _corner(x: float, n: int) -> tuple[int, int, float]:
    """Both neighbours of a coordinate held within the lattice, and the weight of the upper one."""
    x = min(max(x, 0.0), n - 1.0)
    lower = int(x)
    return lower, min(lower + 1, n - 1), x - lower


@kernel
def _look_up(field: Field, u: float, v: float, t: float, axis: int) -> float:
    k, k1, w = _corner(u, field.shape[0])
    r, r1, g = _corner(v, field.shape[1])
    c, c1, f = _corner(t, field.shape[2])
    near = (field[k, r, c, axis] * (1 - f) + field[k, r, c1, axis] * f) * (1 - g) + (
        field[k, r1, c, axis] * (1 - f) + field[k, r1, c1, axis] * f
    ) * g
    far = (field[k1, r, c, axis] * (1 - f) + field[k1, r, c1, axis] * f) * (1 - g) + (
        field[k1, r1, c, axis] * (1 - f) + field[k1, r1, c1, axis] * f
    ) * g
    return near * (1 - w) + far * w  # type: ignore[no-any-return]


@kernel
def _at_points(field: Field, points: Floats, out: Floats) -> None:
    for i in range(points.shape[0]):
        for axis in range(3):
            out[i, axis] = _look_up(field, points[i, 0], points[i, 1], points[i, 2], axis)


@kernel
def _on_lattice(field: Field, m: Floats, out: Field, first: int) -> None:
    for k in range(out.shape[0]):
        for r in range(out.shape[1]):
            for c in range(out.shape[2]):
                u = m[0, 0] * (k + first) + m[0, 1] * r + m[0, 2] * c + m[0, 3]
                v = m[1, 0] * (k + first) + m[1, 1] * r + m[1, 2] * c + m[1, 3]
                t = m[2, 0] * (k + first) + m[2, 1] * r + m[2, 2] * c + m[2, 3]
                for axis in range(3):
                    out[k, r, c, axis] = _look_up(field, u, v, t, axis)


@compiled(fastmath=True)
def _joined(outer: Field, inner: Field, out: Field, first: int) -> None:
    depth, height, width, one = out.shape[0], inner.shape[1], inner.shape[2], np.float32(1)
    last = (np.float32(inner.shape[0] - 1), np.float32(height - 1), np.float32(width - 1))
    for k in range(depth):
        for r in range(height):
            for c in range(width):
                step = inner[k + first, r, c]
                u = min(max(np.float32(k + first) + step[0], np.float32(0)), last[0])
                v = min(max(np.float32(r) + step[1], np.float32(0)), last[1])
                t = min(max(np.float32(c) + step[2], np.float32(0)), last[2])
                i, j, n = int(u), int(v), int(t)
                w, g, f = u - np.float32(i), v - np.float32(j), t - np.float32(n)
                a, b = outer[i, j], outer[i, min(j + 1, height - 1)]
                p, q = (
                    outer[min(i + 1, inner.shape[0] - 1), j],
                    outer[min(i + 1, inner.shape[0] - 1), min(j + 1, height - 1)],
                )
                m = min(n + 1, width - 1)
                for axis in range(3):
                    near = (a[n, axis] * (one - f) + a[m, axis] * f) * (one - g) + (
                        b[n, axis] * (one - f) + b[m, axis] * f
                    ) * g
                    far = (p[n, axis] * (one - f) + p[m, axis] * f) * (one - g) + (
                        q[n, axis] * (one - f) + q[m, axis] * f
                    ) * g
                    out[k, r, c, axis] = step[axis] + near * (one - w) + far * w


@kernel
def _determinants(field: Field, out: Array, first: int) -> None:
    n = field.shape
    j = np.empty((3, 3))
    for k in range(out.shape[0]):
        for r in range(n[1]):
            for c in range(n[2]):
                at = (k + first, r, c)
                for axis in range(3):
                    low, high = max(at[axis] - 1, 0), min(at[axis] + 1, n[axis] - 1)
                    a = field[low, r, c] if axis == 0 else (field[at[0], low, c] if axis == 1 else field[at[0], r, low])
                    b = (
                        field[high, r, c]
                        if axis == 0
                        else (field[at[0], high, c] if axis == 1 else field[at[0], r, high])
                    )
                    for part in range(3):
                        j[part, axis] = (b[part] - a[part]) / max(high - low, 1) + (1.0 if part == axis else 0.0)
                out[k, r, c] = (
                    j[0, 0] * (j[1, 1] * j[2, 2] - j[1, 2] * j[2, 1])
                    - j[0, 1] * (j[1, 0] * j[2, 2] - j[1, 2] * j[2, 0])
                    + j[0, 2] * (j[1, 0] * j[2, 1] - j[1, 1] * j[2, 0])
                )


@compiled(fastmath=True)
def _smooth(source: Array, weights: Array, axis: int, out: Array, first: int) -> None:
    depth, height, width, parts = source.shape
    reach, size = weights.size - 1, width * parts
    for k in range(out.shape[0]):
        at, n = k + first, depth
        for r in range(height):
            if axis == 1:
                at, n = r, height
            target, middle = out[k, r].reshape(-1), source[k + first, r].reshape(-1)
            for x in range(size):
                target[x] = weights[0] * middle[x]
            for i in range(1, reach + 1):
                w = weights[i]
                if axis == 2:
                    _add_along(target, middle, min(i, width), parts, w)
                    continue
                low, high = max(at - i, 0), min(at + i, n - 1)
                before = (source[low, r] if axis == 0 else source[k + first, low]).reshape(-1)
                after = (source[high, r] if axis == 0 else source[k + first, high]).reshape(-1)
                for x in range(size):
                    target[x] += w * (before[x] + after[x])


@compiled(fastmath=True)
def _add_along(target: Array, middle: Array, far: int, parts: int, w: float) -> None:
    """Add the neighbours a number of places away along a row; beyond its ends their values hold."""
    size, reach = middle.size, far * parts
    for x in range(reach):
        target[x] += w * middle[x % parts]
        target[size - 1 - x] += w * middle[size - 1 - x % parts]
    for x in range(size - reach):
        target[x] += w * middle[x + reach]
    for x in range(reach, size):
        target[x] += w * middle[x - reach]

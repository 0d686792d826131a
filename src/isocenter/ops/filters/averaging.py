"""Averages over what looks alike: the bilateral filter by values, non-local means by patches.

Each thread copies a tile of the image with its surroundings, mirrored at the faces, so that memory stays that of input
and output and a few tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect
from isocenter.geometry import Triple
from isocenter.kernels import compiled, kernel, over_slices
from isocenter.ops.filters.reach import Lengths, about_box, about_gaussian, in_voxels, lengths_of, whole_voxels
from isocenter.ops.filters.values import Singles, filtered, mirrored
from isocenter.reasons import merge
from isocenter.volume import Array, Volume

_REACH = 2.5  # standard deviations of the bilateral filter's Gaussian, as in ITK
_TILE = (4, 16)  # slices and rows of a tile
_ON_CENTER = 1e-6  # voxels; rounding of lengths
_LOOSE = {"contract", "reassoc", "nsz"}

Steps = npt.NDArray[np.int64]


def bilateral(volume: Volume, sigma_mm: Lengths, sigma_value: float) -> Volume:
    """Gaussian smoothing among voxels of like value (Tomasi and Manduchi, Bilateral filtering, 1998).

    A voxel at distance d with value v weighs ``exp(-d^2 / 2 sigma_mm^2 - (v - here)^2 / 2 sigma_value^2)``, as far as
    ``d <= 2.5 sigma_mm``: in the ball, where SimpleITK takes the box.

    Parameters
    ----------
    volume
        The image.
    sigma_mm
        Standard deviation in millimetres: one, or one for each of (slice, row, column).
    sigma_value
        Standard deviation in the unit of the image: well above the noise, well below the edges to be kept.

    Returns
    -------
    The volume as float32. The time grows with the number of voxels in the ball.

    Raises
    ------
    UsageError
        If the image has no spacing, ``sigma_mm`` is no length or longer than it, or ``sigma_value`` is not positive.
    InputError
        If a value is NaN or infinite.
    """
    expect(volume, Volume)
    if not 0 < sigma_value < np.inf:
        raise UsageError(f"sigma_value is above 0, in the unit of the image, not {sigma_value}.")
    sigma = in_voxels(volume, lengths_of(sigma_mm, "sigma_mm"))
    steps, weights = _ball(sigma)
    given = np.array([-0.5 / sigma_value**2], np.float32)

    def average(part: Array) -> Singles:
        return _by_tiles(part, _farthest(steps), lambda tile, out: _alike(tile, steps, weights, given, out))

    return filtered(volume, average).with_reasons(about_gaussian(volume, sigma))


def non_local_means(
    volume: Volume, noise: float, *, strength: float = 0.8, patch_mm: Lengths = 1.0, search_mm: Lengths = 3.0
) -> Volume:
    """Average over voxels whose surroundings look alike (Buades, Coll and Morel, A non-local algorithm, CVPR 2005).

    With D the mean squared difference of two patches, a voxel weighs ``exp(-max(D - 2 noise^2, 0) / (strength
    noise)^2)``. All voxels of a patch count alike.

    Parameters
    ----------
    volume
        The image.
    noise
        Standard deviation of its noise, in its unit; :func:`measure_noise` finds it.
    strength
        How much patches may differ, in noise.
    patch_mm, search_mm
        How far a patch, and the box of voxels that are compared, reach to each side: as in :func:`median`.

    Returns
    -------
    The volume as float32. The time grows with the number of voxels in the box.

    Raises
    ------
    UsageError
        If the image has no spacing, a length is none or longer than the image, or noise or strength not positive.
    InputError
        If a value is NaN or infinite.
    """
    expect(volume, Volume)
    if not (0 < noise < np.inf and 0 < strength < np.inf):
        raise UsageError(f"noise and strength are above 0, not {noise} and {strength}.")
    sizes = lengths_of(patch_mm, "patch_mm"), lengths_of(search_mm, "search_mm")
    patch, search = (whole_voxels(volume, size) for size in sizes)
    reach = (patch[0] + search[0], patch[1] + search[1], patch[2] + search[2])
    size = float(np.prod([2 * n + 1 for n in patch]))
    given = np.array([1 / size, 2 * noise**2, -1 / (strength * noise) ** 2], np.float32)

    def average(part: Array) -> Singles:
        return _by_tiles(part, reach, lambda tile, out: _alike_patches(tile, patch, search, given, out))

    reasons = merge(about_box(volume, sizes[0], "patch"), about_box(volume, sizes[1], "search"))
    return filtered(volume, average).with_reasons(reasons)


def _ball(sigma: tuple[float, float, float]) -> tuple[Steps, Singles]:
    """Steps to the voxels of an ellipsoid and what they weigh."""
    reach = [int(_REACH * s + _ON_CENTER) for s in sigma]
    steps = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    square = ((steps / np.where(np.asarray(sigma) > 0, sigma, 1)) ** 2).sum(axis=1)
    inside = square <= _REACH**2 + _ON_CENTER
    return np.ascontiguousarray(steps[inside]), np.exp(-0.5 * square[inside]).astype(np.float32)


def _farthest(steps: Steps) -> Triple:
    k, r, c = np.abs(steps).max(axis=0).tolist()
    return k, r, c


def _by_tiles(array: Array, reach: Triple, work: Callable[[Singles, Singles], Any]) -> Singles:
    """``work(tile, part of the result)`` for all of an image, with tiles that reach farther than their part."""
    out = np.empty(array.shape, np.float32)
    depth, rows, columns = array.shape

    def fill(start: int, stop: int) -> None:
        for k in range(start, stop, _TILE[0]):
            for r in range(0, rows, _TILE[1]):
                part = out[k : min(k + _TILE[0], stop), r : r + _TILE[1]]
                tile = np.empty([n + 2 * m for n, m in zip(part.shape, reach, strict=True)], np.float32)
                _cut(array, (k, r), reach, tile)
                work(tile, part)

    over_slices(fill, (depth, rows, columns))
    return out


@kernel
def _cut(array: Array, corner: tuple[int, int], reach: Triple, tile: Singles) -> None:
    depth, rows, columns = array.shape
    for z in range(tile.shape[0]):
        for y in range(tile.shape[1]):
            k, r = mirrored(corner[0] + z - reach[0], depth), mirrored(corner[1] + y - reach[1], rows)
            for x in range(tile.shape[2]):
                tile[z, y, x] = array[k, r, mirrored(x - reach[2], columns)]


@compiled(fastmath=_LOOSE)
def decay(x: Any) -> Any:
    """exp(x) for x <= 0 within 3e-6 of its value, in a form that compilers turn into code for many values at once."""
    t = max(x * np.float32(1.4426950408889634), np.float32(-126.0))
    whole = np.int32(t - np.float32(0.5))
    f = t - np.float32(whole)
    p = np.float32(1.3333558e-3)
    p = p * f + np.float32(9.6181291e-3)
    p = p * f + np.float32(5.5504109e-2)
    p = p * f + np.float32(2.4022651e-1)
    p = p * f + np.float32(6.9314718e-1)
    p = p * f + np.float32(1.0)
    return p * np.int32((whole + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled(fastmath=_LOOSE)
def _alike(tile: Singles, steps: Steps, weights: Singles, given: Singles, out: Singles) -> None:
    depth, rows, columns = out.shape
    a, b, g = (tile.shape[0] - depth) // 2, (tile.shape[1] - rows) // 2, (tile.shape[2] - columns) // 2
    total = np.empty(columns, np.float32)
    sharpness = given[0]
    for k in range(depth):
        for r in range(rows):
            here, target = tile[k + a, r + b, g : g + columns], out[k, r]
            total[:] = 0
            target[:] = 0
            for i in range(weights.size):
                dk, dr, dc = steps[i]
                there = tile[k + a + dk, r + b + dr, g + dc : g + dc + columns]
                weight = weights[i]
                for c in range(columns):
                    away = there[c] - here[c]
                    share = weight * decay(away * away * sharpness)
                    total[c] += share
                    target[c] += share * away
            for c in range(columns):
                target[c] = here[c] + target[c] / total[c]


@compiled(fastmath=_LOOSE)
def _alike_patches(tile: Singles, patch: Triple, search: Triple, given: Singles, out: Singles) -> None:
    total = np.zeros(out.shape, np.float32)
    out[:] = 0
    depth, rows, columns = out.shape
    sums = np.empty((depth + 2 * patch[0], rows + 2 * patch[1], columns), np.float32)
    wide = columns + 2 * patch[2]
    square = np.empty(wide, np.float32)
    for dk in range(2 * search[0] + 1):
        for dr in range(2 * search[1] + 1):
            for dc in range(2 * search[2] + 1):
                for k in range(sums.shape[0]):
                    for r in range(sums.shape[1]):
                        near = tile[k + search[0], r + search[1], search[2] : search[2] + wide]
                        _add_squares(near, tile[k + dk, r + dr, dc : dc + wide], square, sums[k, r])
                there = tile[patch[0] + dk :, patch[1] + dr :, patch[2] + dc :]
                _add_alike(sums, there, given, total, out)
    out /= total


@compiled(fastmath=_LOOSE)
def _add_alike(sums: Singles, there: Singles, given: Singles, total: Singles, out: Singles) -> None:
    """Add the values that stand elsewhere, each with the weight of its patch."""
    depth, rows, columns = out.shape
    apart = np.empty(columns, np.float32)
    share, free, sharpness = given[0], given[1], given[2]
    for k in range(depth):
        for r in range(rows):
            apart[:] = 0
            for i in range(k, k + sums.shape[0] - depth + 1):
                for j in range(r, r + sums.shape[1] - rows + 1):
                    _add(sums[i, j], apart)
            values, weights, target = there[k, r], total[k, r], out[k, r]
            for c in range(columns):
                weight = decay(max(apart[c] * share - free, np.float32(0)) * sharpness)
                weights[c] += weight
                target[c] += weight * values[c]


@compiled(fastmath=_LOOSE)
def _add_squares(near: Singles, far: Singles, square: Singles, into: Singles) -> None:
    """Squared differences, summed over as many neighbours along the row as there are more of them."""
    for c in range(square.size):
        away = near[c] - far[c]
        square[c] = away * away
    into[:] = 0
    for j in range(square.size - into.size + 1):
        _add(square[j : j + into.size], into)


@compiled(fastmath=_LOOSE)
def _add(values: Singles, into: Singles) -> None:
    for c in range(into.size):
        into[c] += values[c]

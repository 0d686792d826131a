"""Filters that go step by step: anisotropic diffusion and total variation. No flux crosses the faces of the image."""

from __future__ import annotations

from functools import partial

import numpy as np

from isocenter.errors import UsageError, expect
from isocenter.kernels import compiled, over_slices
from isocenter.ops.filters.averaging import decay
from isocenter.ops.filters.reach import about_gaussian, in_voxels, lengths_of
from isocenter.ops.filters.values import Singles, as_singles, check_values, filtered
from isocenter.ops.lattice import each, spacing_of
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

_LOOSE = {"contract", "reassoc", "nsz"}
_STABLE = 0.9  # share of the longest step that does not overshoot
_MOST_STEPS = 10_000


def anisotropic_diffusion(volume: Volume, sigma_mm: float, edge_per_mm: float) -> Volume:
    """Smoothing that stops at edges (Perona and Malik, Scale-space and edge detection, 1990).

    The heat equation is run for the time that makes a Gaussian of ``sigma_mm`` of it where the image is flat; between
    two neighbours it flows times ``exp(-(slope / edge_per_mm)^2)``. The steps are explicit, as many as are stable.

    Parameters
    ----------
    volume
        The image.
    sigma_mm
        How far flat parts are smoothed, in millimetres.
    edge_per_mm
        Slope in the unit of the image per mm; steeper ones are kept, flatter ones smoothed.

    Returns
    -------
    The volume as float32. Memory: input, output and one float32 volume.

    Raises
    ------
    UsageError
        If the image has no spacing, ``sigma_mm`` is no length, longer than the image or so many voxels that ten
        thousand steps would not do, or ``edge_per_mm`` is not positive.
    InputError
        If a value is NaN or infinite.
    """
    expect(volume, Volume)
    sigma = in_voxels(volume, lengths_of(sigma_mm, "sigma_mm"))
    inverse = _inverse(volume)
    time = float(np.mean(np.asarray(sigma_mm, np.float64))) ** 2 / 2
    steps = int(np.ceil(time * 2 * float((inverse**2).sum()) / _STABLE))
    if np.ndim(sigma_mm) or steps > _MOST_STEPS or not 0 < edge_per_mm < np.inf:
        raise UsageError(
            f"Give one sigma_mm that takes at most {_MOST_STEPS} steps and an edge above 0 per mm, not {sigma_mm!r} mm "
            f"({steps} steps) and {edge_per_mm}."
        )

    def diffused(part: Array) -> Singles:
        now, after = as_singles(part), np.empty(part.shape, np.float32)
        given = np.array([time / max(steps, 1), -1 / edge_per_mm**2], np.float32)
        for _ in range(steps):
            over_slices(partial(_diffuse, now, inverse, given, after), part.shape)
            now, after = after, now
        return now

    return filtered(volume, diffused).with_reasons(about_gaussian(volume, sigma))


def total_variation(volume: Volume, weight: float, *, tolerance: float = 2e-4, iterations: int = 200) -> Volume:
    """The image u of least ``sum |gradient u| + sum (u - image)^2 / (2 weight)`` (Rudin, Osher and Fatemi, 1992).

    By the dual projection of Chambolle (An algorithm for total variation minimization, 2004). On voxels of 1 mm it
    equals ``skimage.restoration.denoise_tv_chambolle``, step by step. Differences run forward, so that a mirrored image
    comes out mirrored but for a small remainder.

    Parameters
    ----------
    volume
        The image.
    weight
        In the unit of the image times mm: the larger, the smoother.
    tolerance
        It ends once the sum changes by less than this share of what it was at first.
    iterations
        At most; a result that did not stand still by then has the reason ``FILTER_UNFINISHED``.

    Returns
    -------
    The volume as float32. Memory: input, output and three float32 volumes.

    Raises
    ------
    UsageError
        If the image has no spacing, or weight, tolerance or iterations are not positive.
    InputError
        If a value is NaN or infinite.
    """
    check_values(volume)
    if not (0 < weight < np.inf and tolerance > 0 and iterations >= 1):
        raise UsageError("Weight, tolerance and iterations are above 0.")
    inverse, reasons = _inverse(volume), []

    def flattened(part: Array) -> Singles:
        result, ended = _chambolle(as_singles(part), inverse, weight, (tolerance, iterations))
        if not ended:
            reasons.append(Reason("FILTER_UNFINISHED", f"It still changed after {iterations} iterations."))
        return result

    return volume.with_array(each(volume, flattened)).with_reasons(reasons)


def _inverse(volume: Volume) -> Singles:
    """One over the spacing along each axis; 0 along an axis of a single voxel."""
    spacing = np.asarray(spacing_of(volume.grid))
    return np.where(np.asarray(volume.grid.shape) > 1, 1 / spacing, 0).astype(np.float32)


def _chambolle(image: Singles, inverse: Singles, weight: float, until: tuple[float, int]) -> tuple[Singles, bool]:
    """The minimum, and whether the energy stood still."""
    dual, result = np.zeros((3, *image.shape), np.float32), image.copy()
    squares = float((inverse**2).sum())
    if squares == 0:
        return result, True
    given = np.array([1 / (2 * squares), weight], np.float32)
    first = before = np.inf
    for step in range(until[1]):
        far, steep = np.zeros(image.shape[0]), np.zeros(image.shape[0])
        if step:
            over_slices(partial(_subtract, (image, inverse), dual, result, far), image.shape)
        over_slices(partial(_ascend, result, (inverse, given), dual, steep), image.shape)
        energy = float(far.sum() + weight * steep.sum())
        if step == 0:
            first = energy
        elif abs(before - energy) < until[0] * first or first == 0:
            return result, True
        before = energy
    return result, False


@compiled(fastmath=_LOOSE)
def _diffuse(now: Singles, inverse: Singles, given: Singles, after: Singles, start: int, stop: int) -> None:
    depth, rows, columns = now.shape
    for k in range(start, stop):
        for r in range(rows):
            here, target = now[k, r], after[k, r]
            for c in range(columns):
                target[c] = here[c]
            for row, i in (
                (now[max(k - 1, 0), r], 0),
                (now[min(k + 1, depth - 1), r], 0),
                (now[k, max(r - 1, 0)], 1),
                (now[k, min(r + 1, rows - 1)], 1),
            ):
                _flow(row, here, inverse[i], given, target)
            _flow(here[1:], here[:-1], inverse[2], given, target[:-1])
            _flow(here[:-1], here[1:], inverse[2], given, target[1:])


@compiled(fastmath=_LOOSE)
def _flow(there: Singles, here: Singles, inverse: float, given: Singles, into: Singles) -> None:
    time, sharpness = given[0] * inverse, given[1]
    for c in range(into.size):
        slope = (there[c] - here[c]) * inverse
        into[c] += time * slope * decay(slope * slope * sharpness)


@compiled(fastmath=_LOOSE)
def _subtract(
    given: tuple[Singles, Singles], dual: Singles, result: Singles, far: Array, start: int, stop: int
) -> None:
    """The image less the divergence of the dual, and the square of what was taken in each slice."""
    image, inverse = given
    _, rows, columns = image.shape
    for k in range(start, stop):
        taken = 0.0
        for r in range(rows):
            p, q, s = dual[0, k, r], dual[1, k, r], dual[2, k, r]
            target, source = result[k, r], image[k, r]
            for c in range(columns):
                target[c] = -(inverse[0] * p[c] + inverse[1] * q[c] + inverse[2] * s[c])
            if k > 0:
                before = dual[0, k - 1, r]
                for c in range(columns):
                    target[c] += inverse[0] * before[c]
            if r > 0:
                above = dual[1, k, r - 1]
                for c in range(columns):
                    target[c] += inverse[1] * above[c]
            for c in range(1, columns):
                target[c] += inverse[2] * s[c - 1]
            part = target.dtype.type(0)
            for c in range(columns):
                part += target[c] * target[c]
                target[c] += source[c]
            taken += part
        far[k] = taken


@compiled(fastmath=_LOOSE)
def _ascend(
    result: Singles, constants: tuple[Singles, Singles], dual: Singles, steep: Array, start: int, stop: int
) -> None:
    """One step of the dual along the gradient, and the sum of the gradient's length in each slice."""
    inverse, given = constants
    depth, rows, columns = result.shape
    tau, ratio = given[0], given[0] / given[1]
    across = np.zeros(columns, np.float32)
    for k in range(start, stop):
        total = 0.0
        for r in range(rows):
            here = result[k, r]
            behind, below = result[min(k + 1, depth - 1), r], result[k, min(r + 1, rows - 1)]
            p, q, s = dual[0, k, r], dual[1, k, r], dual[2, k, r]
            for c in range(columns - 1):
                across[c] = inverse[2] * (here[c + 1] - here[c])
            part = here.dtype.type(0)
            for c in range(columns):
                a, b = inverse[0] * (behind[c] - here[c]), inverse[1] * (below[c] - here[c])
                length = np.sqrt(a * a + b * b + across[c] * across[c])
                part += length
                share = 1 / (1 + ratio * length)
                p[c] = (p[c] - tau * a) * share
                q[c] = (q[c] - tau * b) * share
                s[c] = (s[c] - tau * across[c]) * share
            total += part
        steep[k] = total

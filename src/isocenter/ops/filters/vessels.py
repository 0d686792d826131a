"""Vesselness: how much an image looks like a tube at each voxel, from the curvature at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from isocenter import codes
from isocenter.errors import UsageError, expect
from isocenter.kernels import kernel, over_slices
from isocenter.ops.filters.reach import about_gaussian, in_voxels, lengths_of
from isocenter.ops.filters.smoothing import smooth
from isocenter.ops.filters.values import Singles, filtered, prepared
from isocenter.ops.lattice import spacing_of
from isocenter.reasons import merge
from isocenter.volume import Array, Volume

_SIGN = {"bright": 1.0, "dark": -1.0}


def frangi(
    volume: Volume,
    scales_mm: Sequence[float],
    *,
    polarity: Literal["bright", "dark"] = "bright",
    alpha: float = 0.5,
    beta: float = 0.5,
    gamma: float | None = None,
) -> Volume:
    """Vesselness after Frangi et al. (Multiscale vessel enhancement filtering, MICCAI 1998).

    At each scale s the Hessian, times s^2, is taken by differences of the image smoothed by a Gaussian of s, in
    millimetres. With its eigenvalues ``|l1| <= |l2| <= |l3|``, ``Ra = |l2|/|l3|``, ``Rb = |l1|/sqrt(|l2 l3|)`` and
    ``S = sqrt(l1^2 + l2^2 + l3^2)`` a voxel has
    ``(1 - exp(-Ra^2 / 2 alpha^2)) exp(-Rb^2 / 2 beta^2) (1 - exp(-S^2 / 2 gamma^2))``, or 0 if l2 or l3 has the wrong
    sign. A picture of one slice has ``exp(-Rb^2 / 2 beta^2) (1 - exp(-S^2 / 2 gamma^2))`` with ``Rb = |l1|/|l2|``. The
    largest value of all scales is taken.

    Parameters
    ----------
    volume
        The image.
    scales_mm
        Standard deviations in millimetres; a tube of radius r answers most at about ``r / sqrt(2)``.
    polarity
        Whether vessels are brighter or darker than what surrounds them.
    alpha, beta
        How plates and blobs are told from tubes; Frangi's are 0.5.
    gamma
        How strong a curvature counts, in the unit of the image; by default half of the largest S at each scale, so
        that values of two images cannot be compared.

    Returns
    -------
    float32 from 0 to 1 without a unit. Memory: input, output and one float32 volume.

    Raises
    ------
    UsageError
        If the image has no spacing, a scale is no length above 0 or longer than the image, or a constant not positive.
    InputError
        If a value is NaN or infinite.
    """
    expect(volume, Volume)
    scales = [float(scale) for scale in np.atleast_1d(np.asarray(scales_mm, np.float64))]
    constants = [alpha, beta, 1.0 if gamma is None else gamma]
    if polarity not in _SIGN or not scales or not all(0 < number < np.inf for number in (*scales, *constants)):
        raise UsageError("Give scales above 0 mm, positive constants, and the polarity 'bright' or 'dark'.")
    sigmas = [in_voxels(volume, lengths_of(scale, "scales_mm")) for scale in scales]
    inverse = (1 / np.asarray(spacing_of(volume.grid))).astype(np.float32)

    def vesselness(part: Array) -> Singles:
        best = np.zeros(part.shape, np.float32)
        for scale, sigma in zip(scales, sigmas, strict=True):
            _keep_best(prepared(smooth(part, sigma)), inverse * np.float32(scale), (alpha, beta, gamma), best, polarity)
        return best

    reasons = merge(*(about_gaussian(volume, sigma) for sigma in sigmas))
    return filtered(volume, vesselness, unit=codes.ONE).with_reasons(reasons)


def _keep_best(
    smoothed: Array, inverse: Singles, constants: tuple[float, float, float | None], best: Singles, polarity: str
) -> None:
    alpha, beta, gamma = constants
    if gamma is None:
        strongest = np.zeros(smoothed.shape[0])
        over_slices(lambda start, stop: _strengths(smoothed, inverse, strongest, (start, stop)), smoothed.shape)
        gamma = float(np.sqrt(strongest.max())) / 2
        if gamma == 0:
            return
    given = np.array([alpha, beta, gamma, _SIGN[polarity]])
    over_slices(lambda start, stop: _respond(smoothed, inverse, given, best, (start, stop)), smoothed.shape)


@kernel
def _hessian(array: Array, inverse: Singles, k: int, r: int, c: int) -> tuple[float, float, float, float, float, float]:
    """Second differences (kk, rr, cc, kr, kc, rc), mirrored at the faces."""
    k0, k1 = max(k - 1, 0), min(k + 1, array.shape[0] - 1)
    r0, r1 = max(r - 1, 0), min(r + 1, array.shape[1] - 1)
    c0, c1 = max(c - 1, 0), min(c + 1, array.shape[2] - 1)
    twice = 2 * array[k, r, c]
    kk = (array[k0, r, c] + array[k1, r, c] - twice) * inverse[0] ** 2
    rr = (array[k, r0, c] + array[k, r1, c] - twice) * inverse[1] ** 2
    cc = (array[k, r, c0] + array[k, r, c1] - twice) * inverse[2] ** 2
    kr = (array[k1, r1, c] - array[k1, r0, c] - array[k0, r1, c] + array[k0, r0, c]) * inverse[0] * inverse[1] / 4
    kc = (array[k1, r, c1] - array[k1, r, c0] - array[k0, r, c1] + array[k0, r, c0]) * inverse[0] * inverse[2] / 4
    rc = (array[k, r1, c1] - array[k, r1, c0] - array[k, r0, c1] + array[k, r0, c0]) * inverse[1] * inverse[2] / 4
    return kk, rr, cc, kr, kc, rc


@kernel
def _strengths(array: Array, inverse: Singles, strongest: Array, span: tuple[int, int]) -> None:
    """Largest squared norm of the Hessian in each slice."""
    for k in range(span[0], span[1]):
        for r in range(array.shape[1]):
            for c in range(array.shape[2]):
                kk, rr, cc, kr, kc, rc = _hessian(array, inverse, k, r, c)
                norm = kk * kk + rr * rr + cc * cc + 2 * (kr * kr + kc * kc + rc * rc)
                strongest[k] = max(strongest[k], norm)


@kernel
def _respond(array: Array, inverse: Singles, given: Array, best: Singles, span: tuple[int, int]) -> None:
    alpha, beta, gamma, sign = given
    flat = 0 if array.shape[0] == 1 else 1 if array.shape[1] == 1 else 2 if array.shape[2] == 1 else 3
    for k in range(span[0], span[1]):
        for r in range(array.shape[1]):
            for c in range(array.shape[2]):
                kk, rr, cc, kr, kc, rc = _hessian(array, inverse, k, r, c)
                if sign * (kk + rr + cc) >= 0:  # then no two of the larger eigenvalues have the right sign
                    continue
                norm = kk * kk + rr * rr + cc * cc + 2 * (kr * kr + kc * kc + rc * rc)
                value = 1 - np.exp(-norm / (2 * gamma * gamma))
                if flat == 0:
                    value *= _line(sign * rr, sign * cc, sign * rc, beta)
                elif flat == 1:
                    value *= _line(sign * kk, sign * cc, sign * kc, beta)
                elif flat == 2:
                    value *= _line(sign * kk, sign * rr, sign * kr, beta)
                else:
                    low, middle, high = _eigenvalues(sign * kk, sign * rr, sign * cc, sign * kr, sign * kc, sign * rc)
                    value *= _tube(low, middle, high, alpha, beta)
                best[k, r, c] = max(best[k, r, c], value)


@kernel
def _line(rr: float, cc: float, rc: float, beta: float) -> float:
    """The part of the shape, in a plane, of a bright line."""
    mean, spread = (rr + cc) / 2, np.sqrt(((rr - cc) / 2) ** 2 + rc * rc)
    small, large = mean + spread, mean - spread  # the mean is negative, so the second is the larger one
    return np.exp(-((small / large) ** 2) / (2 * beta * beta))  # type: ignore[no-any-return]


@kernel
def _tube(low: float, middle: float, high: float, alpha: float, beta: float) -> float:
    """The part of the shape of a bright tube, from the eigenvalues in ascending order."""
    # the sum is negative: by size low is the largest, or high is, and has the wrong sign
    second, first = (middle, high) if abs(middle) >= abs(high) else (high, middle)
    if second >= 0:
        return 0.0
    plate, blob = second / low, first * first / (low * second)
    return (1 - np.exp(-plate * plate / (2 * alpha * alpha))) * np.exp(-blob / (2 * beta * beta))  # type: ignore[no-any-return]


@kernel
def _eigenvalues(a: float, b: float, c: float, d: float, e: float, f: float) -> tuple[float, float, float]:
    """Eigenvalues of [[a, d, e], [d, b, f], [e, f, c]], ascending (Smith, Eigenvalues of a symmetric 3 x 3 matrix)."""
    mean = (a + b + c) / 3
    a, b, c = a - mean, b - mean, c - mean
    p = np.sqrt((a * a + b * b + c * c + 2 * (d * d + e * e + f * f)) / 6)
    if p == 0:
        return mean, mean, mean
    half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / (2 * p * p * p)
    angle = np.arccos(min(max(half, -1.0), 1.0)) / 3
    high, low = mean + 2 * p * np.cos(angle), mean + 2 * p * np.cos(angle + 2 * np.pi / 3)
    return low, 3 * mean - high - low, high

"""How much noise an image has. Three methods, since noise of CT is correlated and that of MR Rician."""

from __future__ import annotations

from typing import Literal

import numpy as np

from isocenter import codes
from isocenter.codes import Code
from isocenter.errors import Refused, UsageError, expect_word
from isocenter.findings import Mask, Measurement, Segmentation
from isocenter.ops.filters.smoothing import half_gaussian, smooth
from isocenter.ops.filters.values import Singles, as_singles, check_values, prepared
from isocenter.ops.lattice import expect_one_grid, expect_three_axes, spacing_of
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

Method = Literal["tissue", "rician", "white"]

NOISE = Code("NOISE", "99ISOCENTER", "Standard deviation of noise")
_METHODS = {
    "tissue": "Most frequent standard deviation in discs of 7 mm in soft tissue, after Christianson et al. (2015).",
    "rician": "Median absolute Haar detail of the object, corrected for Rician noise, after Coupe et al. (2010).",
    "white": "Median absolute Haar detail over 0.6745 (Donoho and Johnstone, 1994).",
}
_SOFT_HU = (0.0, 100.0)
_DISC_MM = 3.5
_SMOOTH_MM = 3.0
_FEWEST = 500  # voxels
_FAR = 2.0  # times the least spacing; the next voxel then shows other anatomy
_MAD = 0.6744897501960817  # median absolute value of a Gaussian of standard deviation 1


def measure_noise(
    volume: Volume, segmentation: Segmentation | None = None, *, method: Method | None = None
) -> Measurement:
    """Standard deviation of the noise of an image.

    ``"tissue"``, for CT: standard deviations in discs of 7 mm in the plane that lie in soft tissue (0 to 100 HU once
    smoothed by a Gaussian of 3 mm), or in the segments given; the most frequent one is that of even tissue (after
    Christianson et al., Automated technique to measure noise in clinical CT examinations, 2015). It bears with the
    correlation that a reconstruction kernel makes: noise smoothed by a Gaussian of 0.8 mm comes out a sixth too low.

    ``"rician"``, for MR magnitudes: the median absolute value of the finest Haar details in the object, corrected for
    the signal-to-noise ratio as Rician noise needs it (Coupe et al., Robust Rician noise estimation for MR images,
    2010). ``"white"``, for others: the same over the whole image, without a correction. Both take the noise to be
    white: where the scanner interpolated or filtered the image they come out far too low.

    Parameters
    ----------
    volume
        The image, with three axes.
    segmentation
        Where to look, on the volume's grid: all of its segments. By default what the method looks for.
    method
        By default that of the modality: CT, MR, others.

    Raises
    ------
    UsageError
        If the volume has further axes, the segmentation lies on another grid, the image has no spacing though the
        method needs it, or a CT is no image in HU and no segmentation says where to look.
    Refused
        If fewer than 500 voxels are left to look at.
    """
    expect_three_axes(volume, "Noise is measured")
    check_values(volume)
    if segmentation is not None:
        expect_one_grid(volume, segmentation)
    chosen = method or {"CT": "tissue", "MR": "rician"}.get(volume.modality, "white")
    expect_word(chosen, Method, "The method")
    names = () if segmentation is None else segmentation.names
    inside = None if segmentation is None else segmentation.mask()
    value = _in_tissue(volume, inside) if chosen == "tissue" else _in_details(volume, inside, chosen)
    return Measurement(
        "noise", "Noise", value, volume.unit, NOISE, names, codes.STANDARD_DEVIATION, method=_METHODS[chosen]
    )


def _in_tissue(volume: Volume, inside: Mask | None) -> float:
    spacing = spacing_of(volume.grid)
    array = prepared(volume.array)
    if inside is None:
        if volume.unit != codes.HU:
            raise UsageError("Soft tissue is looked for in HU: give a segmentation of even tissue.")
        blurred = smooth(array, (0, _SMOOTH_MM / spacing[1], _SMOOTH_MM / spacing[2]))
        inside = (blurred > _SOFT_HU[0]) & (blurred < _SOFT_HU[1])
    reach = [max(1, round(_DISC_MM / length)) for length in spacing[1:]]
    y, x = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = (y * spacing[1]) ** 2 + (x * spacing[2]) ** 2 <= max(_DISC_MM, *spacing[1:]) ** 2
    found = np.concatenate([_spreads(values, where, disc) for values, where in zip(array, inside, strict=True)])
    _check_enough(found.size)
    n = int(disc.sum())
    return _mode(found) * float(np.sqrt((n - 1) / (n - 2)))  # where deviations of n Gaussian values are most frequent


def _spreads(values: Array, inside: Mask, disc: Mask) -> Singles:
    """Standard deviation (ddof 1) around each pixel whose whole disc lies inside."""
    from scipy import ndimage

    middle = ndimage.binary_erosion(inside, disc)
    if not middle.any():
        return np.empty(0, np.float32)
    kept = values[inside].astype(np.float64)
    centred = np.where(inside, values - kept.mean(), 0.0)
    weights, n = disc.astype(np.float64), int(disc.sum())
    sums = ndimage.convolve(centred, weights, mode="reflect")[middle]
    squares = ndimage.convolve(centred**2, weights, mode="reflect")[middle]
    variance = np.maximum(squares - sums**2 / n, 0) / (n - 1)
    spreads: Singles = np.sqrt(variance).astype(np.float32)
    return spreads


def _mode(values: Singles) -> float:
    """The most frequent value: the top of a smoothed histogram."""
    top = float(np.percentile(values, 90))
    if top == 0:
        return 0.0
    counts, ends = np.histogram(values, bins=200, range=(0, 2 * top))
    half = half_gaussian(3.0)
    counts = np.convolve(counts, np.concatenate([half[:0:-1], half]), mode="same")
    best = int(np.argmax(counts))
    return float((ends[best] + ends[best + 1]) / 2)


def _in_details(volume: Volume, inside: Mask | None, method: str) -> float:
    """From the details of blocks of two voxels along each axis that has as many, not across slices far apart."""
    array, spacing = volume.array, volume.grid.spacing_mm
    values = as_singles(array)
    low, detail = values, values
    within = np.ones(array.shape, np.bool_) if inside is None else inside
    for axis in (axis for axis in range(3) if array.shape[axis] > 1 and spacing[axis] <= _FAR * min(spacing)):
        n = array.shape[axis] // 2 * 2
        even, odd = [np.arange(start, n, 2) for start in (0, 1)]
        low = (low.take(even, axis) + low.take(odd, axis)) / np.float32(2)
        detail = (detail.take(even, axis) - detail.take(odd, axis)) / np.float32(np.sqrt(2))
        within = within.take(even, axis) & within.take(odd, axis)
    if inside is None and method == "rician":
        from skimage.filters import threshold_otsu

        within = low > threshold_otsu(low) if low.min() < low.max() else within
    _check_enough(int(within.sum()))
    spread = float(np.median(np.abs(detail[within]))) / _MAD
    return _without_bias(spread, float(low[within].mean())) if method == "rician" else spread


def _without_bias(spread: float, signal: float) -> float:
    """Gaussian noise behind the spread of magnitudes (Koay and Basser, Analytically exact correction scheme, 2006)."""
    from scipy.special import ive

    if spread == 0:
        return 0.0
    ratio = signal / spread
    for _ in range(500):
        square = ratio**2
        # ive is scaled by exp(-ratio^2 / 4): squared, it makes the formula's exp(-ratio^2 / 2)
        bessel = (2 + square) * ive(0, square / 4) + square * ive(1, square / 4)
        share = max(2 + square - np.pi / 8 * bessel**2, 1e-6)
        after = np.sqrt(max(share * (1 + (signal / spread) ** 2) - 2, 0.0))
        if abs(after - ratio) < 1e-9:
            break
        ratio = after
    return float(spread / np.sqrt(share))


def _check_enough(count: int) -> None:
    if count < _FEWEST:
        text = f"Only {count} voxels show nothing but noise; {_FEWEST} are needed."
        raise Refused([Reason("NOISE_NOT_MEASURABLE", text)])

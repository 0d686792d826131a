"""Features of the intensities alone: statistics, intensity histogram, intensity-volume histogram.

IBSI manual, sections 3.3 to 3.5. Percentiles are interpolated linearly between neighbours, as by ``numpy.percentile``.
"""

from __future__ import annotations

import math

import numpy as np

from isocenter.errors import UsageError
from isocenter.geometry import Floats
from isocenter.ops.radiomics.levels import Binned, binned, is_whole
from isocenter.ops.radiomics.processing import Bins, FixedBinNumber, NoBins
from isocenter.ops.radiomics.undefined import ratio

_MANY_BINS = FixedBinNumber(1000)
_MOST_STEPS = 1_000_000


def statistics(values: Floats) -> Floats:
    """The statistics of the intensities, in the order of the catalogue."""
    mean, variance = float(values.mean()), float(values.var())
    away = values - mean
    if values.min() == values.max():  # rounding of the mean is no variance
        variance, away = 0.0, np.zeros_like(values)
    low, first, median, third, high = np.percentile(values, (10, 25, 50, 75, 90))
    squared = away * away
    inner = values[(values >= low) & (values <= high)]
    energy = float((values**2).sum())
    return np.array(
        [
            mean,
            variance,
            ratio(float((squared * away).mean()), variance**1.5),
            ratio(float((squared * squared).mean()), variance**2) - 3,
            median,
            values.min(),
            low,
            high,
            values.max(),
            third - first,
            values.max() - values.min(),
            np.abs(away).mean(),
            np.abs(inner - inner.mean()).mean() if inner.size else math.nan,
            np.abs(values - median).mean(),
            ratio(math.sqrt(variance), mean),
            ratio(third - first, third + first),
            energy,
            math.sqrt(energy / len(values)),
        ]
    )


def histogram(found: Binned) -> Floats:
    """The features of the intensity histogram, in the order of the catalogue."""
    shared = statistics(found.levels.astype(np.float64))
    counts = np.bincount(found.levels, minlength=found.number + 1)[1:]
    p = counts[counts > 0] / counts.sum()
    top = np.flatnonzero(counts == counts.max()) + 1
    mode = top[np.argmin(np.abs(top - shared[0]))]
    slope = np.gradient(counts.astype(np.float64)) if found.number > 1 else np.array([np.nan])
    steepest = (slope.max(), np.argmax(slope) + 1, slope.min(), np.argmin(slope) + 1)
    gradients = steepest if found.number > 1 else (np.nan,) * 4
    entropy, uniformity = float(-(p * np.log2(p)).sum()), float((p**2).sum())
    return np.array([*shared[:9], mode, *shared[9:16], entropy, uniformity, *gradients])


def volume_histogram(values: Floats, bins: Bins | None, limits: tuple[float, float]) -> Floats:
    """The features of the intensity-volume histogram, in the order of the catalogue.

    Parameters
    ----------
    values
        Intensities of the region.
    bins
        Discretisation; None leaves whole numbers as they are, and puts others into 1000 bins.
    limits
        Re-segmentation range. Where an end is open, the region's own end stands for it.

    Returns
    -------
    Volume fractions, and intensities: in the unit of the image, but for a fixed number of bins as number of the bin.
    """
    levels, low, high, step = _steps(values, volume_bins_of(values, bins), limits)
    if high <= low:
        return np.full(6, np.nan)
    ordered = np.sort(levels)

    def volume(fraction: float) -> float:
        """Share of the voxels that have at least this fraction of the range."""
        least = low + step * math.ceil(fraction * (high - low) / step - 1e-9)
        return 1 - float(np.searchsorted(ordered, least - step / 2)) / len(ordered)

    def intensity(fraction: float) -> float:
        """The least step that no more than this fraction of the voxels reach."""
        above = math.floor(fraction * len(ordered) + 1e-9)  # so many voxels may reach it
        return float(ordered[len(ordered) - above - 1]) + step

    volumes, intensities = (volume(0.1), volume(0.9)), (intensity(0.1), intensity(0.9))
    return np.array([*volumes, *intensities, volumes[0] - volumes[1], intensities[0] - intensities[1]])


def volume_bins_of(values: Floats, bins: Bins | None) -> Bins:
    """The discretisation for the intensity-volume histogram that stands for none given."""
    if bins is not None:
        return bins
    return NoBins() if is_whole(values) else _MANY_BINS


def _steps(values: Floats, bins: Bins, limits: tuple[float, float]) -> tuple[Floats, float, float, float]:
    """Intensities on an even scale, its two ends and its step."""
    if isinstance(bins, NoBins):
        if not is_whole(values):
            raise UsageError("Intensities that are no whole numbers need bins for the intensity-volume histogram.")
        return values, *_ends(limits, values), 1.0
    if isinstance(bins, FixedBinNumber):
        return binned(values, bins).levels.astype(np.float64), 1.0, float(bins.number), 1.0
    found = binned(values, bins, low=limits[0])
    centers = found.first + (found.levels.astype(np.float64) - 1) * found.width
    last = found.number
    if math.isfinite(limits[1]):
        last = max(last, math.ceil((limits[1] - found.first) / found.width + 0.5))
    return centers, found.first, found.first + (last - 1) * found.width, found.width


def _ends(limits: tuple[float, float], values: Floats) -> tuple[float, float]:
    """The least and the greatest whole number of a scale."""
    low, high = limits
    least = math.ceil(low) if math.isfinite(low) else values.min()
    most = math.floor(high) if math.isfinite(high) else values.max()
    return float(least), float(most)

"""Bringing values to a common scale: clipping, rescaling, z-score, percentiles. Windows and bins live elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter import codes
from isocenter.errors import InputError, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.ops.counts import Counts, is_countable
from isocenter.ops.lattice import expect_one_grid
from isocenter.volume import Array, Volume
from isocenter.windows import mapped


def clipped(volume: Volume, low: float, high: float) -> Volume:
    """The volume with values below ``low`` or above ``high`` set to that limit; dtype and NaN are kept."""
    if not low <= high:
        raise UsageError(f"The lower limit {low} is above the upper limit {high}.")
    bounds: tuple[float, float] = (low, high)
    if volume.array.dtype.kind in "ui":
        limits = np.iinfo(volume.array.dtype)
        bounds = (max(_whole(low, np.ceil), limits.min), min(_whole(high, np.floor), limits.max))
        if bounds[0] > bounds[1]:
            raise UsageError(f"No whole number of type {volume.array.dtype} lies from {low} to {high}.")
    return volume.with_array(np.clip(volume.array, *bounds).astype(volume.array.dtype, copy=False))


def rescaled(volume: Volume, low: float, high: float, *, to: tuple[float, float] = (0.0, 1.0)) -> Volume:
    """The volume stretched so that ``low`` and ``high`` become the ends of ``to``, clipped there, as float32.

    The result has no unit. ``rescaled(ct, -1000, 400)`` is what many networks are fed with.
    """
    if not (np.isfinite((low, high, *to)).all() and low < high and to[0] < to[1]):
        raise UsageError(f"Values from {low} to {high} cannot be stretched to {to[0]} to {to[1]}: each pair must rise.")

    def curve(x: Array) -> Array:
        stretched = (np.clip(x, low, high) - low) * ((to[1] - to[0]) / (high - low)) + to[0]
        return np.clip(stretched, *to)

    return volume.with_array(mapped(volume.array, curve), unit=codes.ONE)


def zscored(volume: Volume, inside: Segmentation | None = None) -> Volume:
    """The volume less its mean, over its standard deviation, as float32 without a unit.

    Parameters
    ----------
    volume
        The image. NaN is left out of mean and deviation, and stays.
    inside
        Where mean and deviation (of the population) are taken; by default everywhere. Every voxel is changed.

    Raises
    ------
    InputError
        If all values there are equal, one is infinite, or there are none.
    """
    values = values_of(volume, inside)
    if not np.isfinite([values.min(), values.max()]).all():
        raise InputError("Some values are infinite, so that there is no mean: clip them first.")
    if is_countable(values):
        found = Counts.of(values)
        mean, deviation = found.mean, found.standard_deviation
    else:
        mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    if deviation == 0:
        raise InputError("All values are equal, so that they have no deviation to be scaled by.")
    array = mapped(volume.array, lambda x: (x - mean) / deviation)
    return volume.with_array(array, unit=codes.ONE)


def percentile_rescaled(
    volume: Volume, low: float = 0.5, high: float = 99.5, *, inside: Segmentation | None = None
) -> Volume:
    """The volume stretched from two of its percentiles to 0 and 1, clipped there, as float32 without a unit.

    Raises
    ------
    InputError
        If both percentiles are equal, or there are no values.
    """
    if not 0 <= low < high <= 100:
        raise UsageError(f"Percentiles rise and lie from 0 to 100, not {low} and {high}.")
    bottom, top = percentiles(volume, (low, high), inside=inside)
    if bottom == top:
        raise InputError(
            f"Percentile {low:g} and percentile {high:g} are both {bottom:g}: there is nothing to stretch."
        )
    return rescaled(volume, bottom, top)


def percentiles(volume: Volume, shares: Sequence[float], *, inside: Segmentation | None = None) -> tuple[float, ...]:
    """Percentiles of the values, NaN left out; between two values, linearly (as NumPy's)."""
    if not all(0 <= share <= 100 for share in shares):
        raise UsageError(f"Percentiles lie from 0 to 100, not {tuple(shares)}.")
    values = values_of(volume, inside)
    if is_countable(values):
        found = Counts.of(values)
        return tuple(found.percentile(share) for share in shares)
    return tuple(float(value) for value in np.percentile(values, list(shares)))


def values_of(volume: Volume, inside: Segmentation | None) -> Array:
    """The values in any segment of a segmentation, or all, without NaN; flat.

    Raises
    ------
    UsageError
        If the segmentation lies on another grid.
    InputError
        If there are none.
    """
    expect(volume, Volume)
    array = volume.array
    if inside is not None:
        expect_one_grid(volume, inside)
        array = array[inside.mask()]
    values = array.reshape(-1)
    if values.dtype.kind == "f":
        values = values[~np.isnan(values)]
    if not values.size:
        raise InputError("There are no values: the mask is empty, or all of them are NaN.")
    return values


def _whole(limit: float, rounded: np.ufunc) -> int:
    """A limit as a whole number; one without end becomes one beyond every type."""
    return int(rounded(limit)) if np.isfinite(limit) else int(np.sign(limit)) * 2**70

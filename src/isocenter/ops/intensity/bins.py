"""Values in bins of one width, or in so many: discretisation as the IBSI defines it (reference manual, section 2.7)."""

from __future__ import annotations

import math

import numpy as np

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.geometry import Floats
from isocenter.volume import Volume


def quantised(volume: Volume, *, width: float | None = None, count: int | None = None) -> Volume:
    """The volume in whole bins from 1: of one width from the smallest value on, or so many over the range of values.

    Discretisation as the Image Biomarker Standardisation Initiative defines it: ``floor((x - min) / width) + 1``, and
    ``floor(count (x - min) / (max - min)) + 1`` with the largest value in the last bin. The result has no unit; its
    dtype is the smallest unsigned one that holds the bins.

    Raises
    ------
    UsageError
        If not exactly one of width and count is given, or it is not positive.
    InputError
        If values are NaN or infinite, or one bin for each would be more than 65,535.
    """
    if (width is None) == (count is None):
        raise UsageError("Say either the width of a bin or how many there are.")
    if not (width is None or width > 0) or not (count is None or 1 <= count <= 65535):
        raise UsageError("A bin has a width above 0; their number lies from 1 to 65,535.")
    values = volume.array.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError("Values that are NaN or infinite belong to no bin: clip or fill them first.")
    number = count or math.floor(float(np.ptp(values)) / (width or 1.0)) + 1
    if number > 65535:
        raise InputError(f"There would be {number} bins of the width {width:g}, more than 65,535: make them wider.")
    bins = by_width(values, float(values.min()), width) if width else by_number(values, number)
    return volume.with_array(bins.astype(np.uint8 if number < 256 else np.uint16), unit=codes.ONE)


def by_width(values: Floats, start: float, width: float) -> Floats:
    """Bins of one width, from 1 for ``start`` on."""
    bins = values - start
    bins /= width  # not multiplied by its inverse: a value on the edge of a bin would fall below it
    np.floor(bins, out=bins)
    bins += 1
    return bins


def by_number(values: Floats, number: int) -> Floats:
    """So many bins over the range of the values, the largest in the last; 1 if all values are equal."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.ones_like(values)
    bins = values - low
    bins *= number
    bins /= high - low
    np.floor(bins, out=bins)
    bins += 1
    return np.minimum(bins, number, out=bins)

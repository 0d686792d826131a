"""Contrast-limited adaptive histogram equalisation, slice by slice, for pictures and networks that look at pictures.

Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV (1994) 474.
Its loops live in ``tiles``.
"""

from __future__ import annotations

import math

from isocenter import codes
from isocenter.errors import InputError, UsageError, expect
from isocenter.ops.lattice import each, spacing_of
from isocenter.volume import Volume


def equalised(
    volume: Volume, low: float, high: float, *, tile_mm: float = 40.0, limit: float = 2.0, bins: int = 256
) -> Volume:
    """The volume with the histogram of each part of each slice flattened, as float32 from 0 to 1 without a unit.

    Values no longer mean the same everywhere: measure on the image itself.

    Parameters
    ----------
    volume
        The image. NaN counts as ``low``.
    low, high
        Range of values that is looked at, such as -1000 and 400 HU; what lies beyond is clipped.
    tile_mm
        Width of the parts, which are blended into each other; a part is at least 8 pixels wide.
    limit
        How many times as high as in a flat histogram a bin may be (1 or more); the rest is spread over all bins.
    bins
        Number of bins, from 2 to 65,536.

    Raises
    ------
    UsageError
        If low and high do not rise, or a parameter is out of its range.
    """
    from isocenter.ops.intensity.tiles import Plan, flattened  # numba takes a while to load

    expect(volume, Volume)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"The range from {low} to {high} does not rise.")
    if not (tile_mm > 0 and limit >= 1 and 2 <= bins <= 65536):
        raise UsageError("Tiles are wider than 0 mm, the limit is 1 or more, and there are 2 to 65,536 bins.")
    _, height_mm, width_mm = spacing_of(volume.grid)
    rows, columns = volume.grid.shape[1:]
    if min(rows, columns) < 8:
        raise InputError("The slices are narrower than 8 pixels, so that their parts hold no histogram.")
    tiles = _count(rows * height_mm / tile_mm, rows), _count(columns * width_mm / tile_mm, columns)
    plan = Plan(low, (bins - 1) / (high - low), bins, limit, tiles)

    return volume.with_array(each(volume, lambda array: flattened(array, plan)), unit=codes.ONE)


def _count(tiles: float, pixels: int) -> int:
    """How many tiles there are along an axis: a whole number, each of 8 pixels at least."""
    return max(1, min(round(tiles), pixels // 8))

"""Discretisation: intensities of a region to grey levels 1, 2, 3 ... (IBSI manual, section 2.7)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.geometry import Floats
from isocenter.ops.intensity.bins import by_number, by_width
from isocenter.ops.radiomics.processing import Bins, FixedBinNumber, FixedBinSize

Levels = npt.NDArray[np.int32]

_MOST_LEVELS = 1024
"""Grey levels; the matrices of textures grow by their square."""


@dataclass(frozen=True, eq=False)
class Binned:
    """Grey levels of a region's voxels, and the intensities that they stand for.

    Parameters
    ----------
    levels
        Grey level of each voxel.
    number
        The highest level that a voxel has.
    first, width
        Center of level 1, and distance of the centers.
    """

    levels: Levels = field(repr=False)
    number: int
    first: float
    width: float


def binned(values: Floats, bins: Bins, *, low: float = -math.inf) -> Binned:
    """Put intensities into bins.

    Parameters
    ----------
    values
        Intensities of the region's voxels, finite, at least one.
    bins
        How.
    low
        Lower limit of the re-segmentation range, where bins of a fixed size begin unless they say otherwise.

    Raises
    ------
    UsageError
        If there would be more than 1024 levels, bins begin above an intensity, or intensities that are to be taken as
        they are are not whole numbers from 1 on.
    """
    if isinstance(bins, FixedBinNumber):
        low, width = float(values.min()), float(np.ptp(values)) / bins.number
        levels, first = by_number(values, bins.number), low + width / 2
    elif isinstance(bins, FixedBinSize):
        start = bins.start if bins.start is not None else low
        start = float(values.min()) if math.isinf(start) else start
        if np.float32(values.min()) < np.float32(start):  # images are mostly held in that precision
            raise UsageError(f"Bins start at {start:g}, above the smallest intensity of the region: start lower.")
        levels = np.maximum(by_width(values, start, bins.width), 1)
        first, width = start + bins.width / 2, bins.width
    else:
        if values.min() < 1 or not is_whole(values):
            raise UsageError(
                "Intensities taken as grey levels are whole numbers from 1 on; these are not: choose bins."
            )
        levels, first, width = values, 1.0, 1.0
    number = int(levels.max())
    if number > _MOST_LEVELS:
        raise UsageError(f"These bins give {number} grey levels, more than {_MOST_LEVELS}: choose wider or fewer bins.")
    return Binned(levels.astype(np.int32), number, first, width)


def is_whole(values: Floats) -> bool:
    """Whether all values are whole numbers."""
    return bool((values == np.rint(values)).all())

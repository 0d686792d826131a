"""How often each value occurs: mean, deviation and percentiles of many whole numbers, exact, without sorting them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.volume import Array

_CHUNK = 1 << 20
"""Values counted at a time: NumPy makes a wide copy of them."""


def is_countable(values: Array) -> bool:
    """Whether they are whole numbers of up to 16 bits, few enough to be counted one by one."""
    return values.dtype.kind in "ui" and values.dtype.itemsize <= 2


@dataclass(frozen=True, eq=False)
class Counts:
    """Values, and how often each occurs; one at least.

    Parameters
    ----------
    values
        The values that occur, ascending.
    counts
        How often each does.
    """

    values: Floats
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: Array) -> Counts:
        """The counts of whole numbers of up to 16 bits (n,)."""
        bits = np.dtype(f"u{values.dtype.itemsize}")
        table = np.zeros(2 ** (8 * bits.itemsize), np.int64)
        for start in range(0, len(values), _CHUNK):
            table += np.bincount(values[start : start + _CHUNK].view(bits), minlength=len(table))
        least = 0
        if values.dtype.kind == "i":  # the negative numbers stand in the upper half
            least = -len(table) // 2
            table = np.roll(table, least)
        found = np.flatnonzero(table)
        return cls((found + least).astype(np.float64), table[found])

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean value."""
        return float(self.values @ self.counts / self.voxels)

    @property
    def standard_deviation(self) -> float:
        """Standard deviation over all voxels (ddof 0)."""
        return float(np.sqrt((self.values - self.mean) ** 2 @ self.counts / self.voxels))

    def percentile(self, percent: float) -> float:
        """Percentile with linear interpolation between neighbours, as ``numpy.percentile``; NaN if a value is."""
        if np.isnan(self.values[-1]):
            return float("nan")
        place = percent / 100 * (self.voxels - 1)
        below = np.floor(place)
        order = np.cumsum(self.counts)
        low, high = self.values[np.searchsorted(order, [below, min(below + 1, self.voxels - 1)], side="right")]
        return float(low + (high - low) * (place - below))

    def share_percent(self, above: float, below: float) -> float:
        """Percentage of voxels with ``above <= value < below``; NaN if a value is."""
        if np.isnan(self.values[-1]):
            return float("nan")
        chosen = (self.values >= above) & (self.values < below)
        return float(100 * self.counts[chosen].sum() / self.voxels)

"""Bootstrap intervals: how far a statistic of so few cases may lie from that of all cases. Seeded, so repeatable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word

Floats = npt.NDArray[np.float64]
Method = Literal["bca", "percentile"]
Statistic = Callable[..., Any]
"""Takes values (..., n) and ``axis=-1``, gives (...), as numpy.mean does."""

ROUNDS = 2000
FEWEST = 5
"""Cases below which no interval is given: there are too few ways to draw them."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic with the interval that holds the truth in 95 of 100 such samples, if ``level`` is 0.95.

    Parameters
    ----------
    value
        The statistic of the sample.
    low, high
        Ends of the interval; NaN of fewer than 5 values.
    count
        How many values it is of.
    level
        How often such an interval holds the truth.
    """

    value: float
    low: float
    high: float
    count: int
    level: float = 0.95

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON; what is not known is None."""
        ends = {name: getattr(self, name) for name in ("value", "low", "high")}
        return {**{name: v if math.isfinite(v) else None for name, v in ends.items()}, "count": self.count}

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return "–"
        if not math.isfinite(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def interval(
    values: npt.ArrayLike,
    statistic: Statistic = np.mean,
    *,
    level: float = 0.95,
    method: Method = "bca",
    rounds: int = ROUNDS,
    seed: int | np.random.Generator = 0,
) -> Interval:
    """Bootstrap interval of a statistic (Efron 1987 for ``"bca"``).

    Parameters
    ----------
    values
        One for each case; those that are no finite numbers are left out, and ``count`` says how many were taken.
    statistic
        Of values along ``axis=-1``: :func:`numpy.mean`, :func:`numpy.median`, ...
    level
        Share of intervals that hold the truth.
    method
        ``"bca"`` corrects for bias and skewness, ``"percentile"`` takes the percentiles as they are.
    rounds
        How often the cases are drawn anew.
    seed
        Of the draws.
    """
    expect_word(method, Method, "The method")
    if not 0 < level < 1:
        raise UsageError(f"The level of an interval lies between 0 and 1, not {level!r}.")
    known = finite(values)
    if not known.size:
        return Interval(math.nan, math.nan, math.nan, 0, level)
    value = float(statistic(known, axis=-1))
    if known.size < FEWEST:
        return Interval(value, math.nan, math.nan, known.size, level)
    if np.ptp(known) == 0:
        return Interval(value, value, value, known.size, level)
    drawn = np.random.default_rng(seed).integers(0, known.size, (rounds, known.size))
    spread = np.sort(np.asarray(statistic(known[drawn], axis=-1), float))
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bca":
        tails = _corrected(tails, spread, known, statistic)
    low, high = np.quantile(spread, tails)
    return Interval(value, float(low), float(high), known.size, level)


def finite(values: npt.ArrayLike) -> Floats:
    """The values that are finite numbers, in order."""
    array = np.asarray(values, float).ravel()
    known: Floats = array[np.isfinite(array)]
    return known


def _corrected(tails: Floats, spread: Floats, values: Floats, statistic: Statistic) -> Floats:
    """The tails, moved for the bias of the bootstrap and the acceleration of the statistic."""
    from scipy.special import ndtr, ndtri

    value = statistic(values, axis=-1)
    share = (np.count_nonzero(spread < value) + np.count_nonzero(spread <= value)) / (2 * spread.size)
    bias = ndtri(np.clip(share, 0.5 / spread.size, 1 - 0.5 / spread.size))
    without = np.array([statistic(np.delete(values, i), axis=-1) for i in range(values.size)])
    off = without.mean() - without
    scale = (off**2).sum() ** 1.5
    acceleration = (off**3).sum() / (6 * scale) if scale > 0 else 0.0
    z = bias + ndtri(tails)
    moved: Floats = ndtr(bias + z / (1 - acceleration * z))
    return moved

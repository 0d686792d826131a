"""Agreement of two ways to measure the same: Bland-Altman limits, intraclass correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.evaluate.intervals import Floats, Interval


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Differences of pairs, second less first (Bland and Altman 1986).

    Parameters
    ----------
    bias
        Mean difference, with its 95 % interval (t).
    lower, upper
        Limits that hold 95 % of the differences if these are normal, with their 95 % intervals.
    trend
        Correlation of the differences with the means: far from 0, the bias grows with the size.
    left_out
        Pairs of which a value is missing.
    """

    bias: Interval
    lower: Interval
    upper: Interval
    trend: float
    left_out: int


def bland_altman(first: npt.ArrayLike, second: npt.ArrayLike) -> BlandAltman:
    """Limits of agreement of paired measurements, such as true and predicted volumes.

    Parameters
    ----------
    first, second
        One value for each case; pairs with a value that is no finite number are left out, and counted.
    """
    from scipy import stats

    one, other, left_out = _pairs(first, second)
    apart, count = other - one, one.size
    if count < 3:
        raise UsageError(f"Limits of agreement need three pairs at least, not {count}.")
    bias, deviation = float(apart.mean()), float(apart.std(ddof=1))
    t = float(stats.t.ppf(0.975, count - 1))
    around = t * deviation / math.sqrt(count)
    around_limit = t * deviation * math.sqrt(1 / count + 1.96**2 / (2 * (count - 1)))
    lower, upper = (
        Interval(end, end - around_limit, end + around_limit, count)
        for end in (bias - 1.96 * deviation, bias + 1.96 * deviation)
    )
    mean = (one + other) / 2
    trend = float(np.corrcoef(mean, apart)[0, 1]) if np.ptp(mean) > 0 and np.ptp(apart) > 0 else 0.0
    return BlandAltman(Interval(bias, bias - around, bias + around, count), lower, upper, trend, left_out)


def icc(first: npt.ArrayLike, second: npt.ArrayLike) -> Interval:
    """Intraclass correlation ICC(2,1): absolute agreement of single measurements, two-way random effects.

    Shrout and Fleiss 1979, with the interval of McGraw and Wong 1996 (case A,1).

    Parameters
    ----------
    first, second
        One value for each case; pairs with a value that is no finite number are left out.
    """
    one, other, _ = _pairs(first, second)
    if one.size < 3:
        raise UsageError(f"An intraclass correlation needs three pairs at least, not {one.size}.")
    table = np.stack([one, other], axis=1)
    n, k = table.shape
    rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    between = k * ((rows - mean) ** 2).sum() / (n - 1)
    raters = n * ((columns - mean) ** 2).sum() / (k - 1)
    rest = ((table - rows[:, None] - columns[None] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    below = between + (k - 1) * rest + k * (raters - rest) / n
    if below <= 0:
        return Interval(math.nan, math.nan, math.nan, n)
    value = float((between - rest) / below)
    return Interval(value, *_icc_ends((between, raters, rest), (n, k), value), n)


def _icc_ends(squares: tuple[float, float, float], shape: tuple[int, int], value: float) -> tuple[float, float]:
    from scipy import stats

    (between, raters, rest), (n, k) = squares, shape
    if rest <= 0 or value >= 1:
        return value, value
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * raters + b * rest) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1)))
    upper, lower = stats.f.ppf(0.975, n - 1, freedom), stats.f.ppf(0.975, freedom, n - 1)
    other = k * raters + (k * n - k - n) * rest
    low = n * (between - upper * rest) / (upper * other + n * between)
    high = n * (lower * between - rest) / (other + n * lower * between)
    return float(low), float(high)


def _pairs(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Floats, Floats, int]:
    one, other = np.asarray(first, float).ravel(), np.asarray(second, float).ravel()
    if one.size != other.size:
        raise UsageError(f"Pairs need one value of each for every case, not {one.size} and {other.size}.")
    known = np.isfinite(one) & np.isfinite(other)
    return one[known], other[known], int(np.count_nonzero(~known))

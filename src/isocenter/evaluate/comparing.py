"""Two models on the same cases: is one better, or is it chance? Paired tests, corrected for how many are done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word
from isocenter.evaluate.intervals import Floats, Interval, interval

Test = Literal["wilcoxon", "permutation"]

_ROUNDS = 10_000
_ALL_SIGNS = 13
"""Cases up to which every pattern of signs is tried."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much higher the first of two paired samples is.

    Parameters
    ----------
    difference
        Mean difference, first less second, with its interval.
    p
        How often chance alone gives a difference at least as large, two-sided; 1 where all pairs are equal, NaN
        without any pair.
    test
        How it was tested.
    left_out
        Pairs of which a value is missing.
    """

    difference: Interval
    p: float
    test: Test
    left_out: int


def paired_test(
    one: npt.ArrayLike, other: npt.ArrayLike, *, test: Test = "wilcoxon", seed: int | np.random.Generator = 0
) -> Comparison:
    """Compare two samples of the same cases, in the same order.

    Parameters
    ----------
    one, other
        One value for each case; pairs with a value that is no finite number are left out, and counted.
    test
        ``"wilcoxon"``: signed ranks, zeros shared (Pratt); ``"permutation"``: the mean under flipped signs, all of
        them up to 13 pairs, else 10000 drawn.
    seed
        Of the draws.
    """
    expect_word(test, Test, "The test")
    first, second = np.asarray(one, float).ravel(), np.asarray(other, float).ravel()
    if first.size != second.size:
        raise UsageError(f"Pairs need one value of each for every case, not {first.size} and {second.size}.")
    known = np.isfinite(first) & np.isfinite(second)
    apart = first[known] - second[known]
    p = math.nan if not apart.size else 1.0 if not apart.any() else _p(apart, test, seed)
    return Comparison(interval(apart, seed=seed), p, test, int(np.count_nonzero(~known)))


def _p(apart: Floats, test: Test, seed: int | np.random.Generator) -> float:
    if test == "wilcoxon":
        from scipy import stats

        is_exact = apart.size <= 25 and len(np.unique(np.abs(apart))) == apart.size and bool(apart.all())
        return float(stats.wilcoxon(apart, zero_method="pratt", method="exact" if is_exact else "asymptotic").pvalue)
    if apart.size <= _ALL_SIGNS:
        signs = 1 - 2 * ((np.arange(2**apart.size)[:, None] >> np.arange(apart.size)) & 1)
        return float(np.mean(np.abs(signs @ apart) >= abs(apart.sum()) * (1 - 1e-12)))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (_ROUNDS, apart.size))
    hits = np.count_nonzero(np.abs(signs @ apart) >= abs(apart.sum()) * (1 - 1e-12))
    return float((hits + 1) / (_ROUNDS + 1))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Values of p corrected for how many tests were done (Holm 1979): below 0.05, one false alarm in 20 such families.

    NaN stays NaN and does not count.
    """
    known = sorted((name for name, p in p_values.items() if not math.isnan(p)), key=lambda name: p_values[name])
    corrected, least = dict(p_values), 0.0
    for place, name in enumerate(known):
        least = max(least, min(1.0, (len(known) - place) * p_values[name]))
        corrected[name] = least
    return corrected

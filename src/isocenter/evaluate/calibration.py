"""Calibration: whether what is said to be likely by 80 % happens in 80 of 100 cases. Probabilities in, scores out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.evaluate.intervals import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Stated and met probability, bin by bin.

    Parameters
    ----------
    edges
        (bins + 1): ends of the bins.
    stated, met
        (bins): mean of the probabilities in each bin, and share of its cases that came true; NaN in an empty bin.
    counts
        (bins): cases in each bin.
    """

    edges: Floats = field(repr=False)
    stated: Floats
    met: Floats
    counts: npt.NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error (Naeini 2015): the mean gap between stated and met, weighted by cases."""
        full = self.counts > 0
        weights = self.counts[full] / self.counts.sum()
        return float((weights * np.abs(self.stated[full] - self.met[full])).sum())

    @property
    def mce(self) -> float:
        """Greatest gap of any bin."""
        full = self.counts > 0
        return float(np.abs(self.stated[full] - self.met[full]).max())


def reliability(truth: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = 15) -> Reliability:
    """Stated against met probability in bins of equal width.

    Parameters
    ----------
    truth
        (n,) whether each case is positive; or of several categories (n,) their numbers from 0.
    probability
        (n,) of being positive; or (n, categories). Of several categories the likeliest counts: how sure it was, and
        whether it was right.
    bins
        How many.
    """
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise UsageError(f"The number of bins is 1 or more, not {bins!r}.")
    known, values = _checked(truth, probability)
    if values.ndim == 2:
        known, values = known == values.argmax(axis=1), values.max(axis=1)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(values, edges[1:-1], right=True), 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights.astype(float), bins) for weights in (values, known)]
    stated, met = (np.divide(s, counts, out=np.full(bins, np.nan), where=counts > 0) for s in sums)
    return Reliability(edges, stated, met, counts)


def brier(truth: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Brier score: mean squared error of the probabilities, 0 at best; of several categories summed over them.

    Parameters as of :func:`reliability`.
    """
    known, values = _checked(truth, probability)
    if values.ndim == 2:
        aims = np.eye(values.shape[1])[known]
        return float(((values - aims) ** 2).sum(axis=1).mean())
    return float(((values - known) ** 2).mean())


def _checked(truth: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Floats]:
    known, values = np.asarray(truth), np.asarray(probability, float)
    if known.ndim != 1 or values.ndim not in (1, 2) or len(known) != len(values) or not known.size:
        raise UsageError(f"Truths of shape {known.shape} and probabilities of shape {values.shape} do not go together.")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise UsageError("A probability lies between 0 and 1: apply softmax or the sigmoid function first.")
    categories = values.shape[1] if values.ndim == 2 else 2
    if not np.isin(known, np.arange(categories)).all():
        raise UsageError(f"The truth is a number from 0 to {categories - 1}.")
    if values.ndim == 2 and np.abs(values.sum(axis=1) - 1).max() > 1e-3:
        raise UsageError("The probabilities of the categories of a case do not sum to 1.")
    return known.astype(np.int64), values

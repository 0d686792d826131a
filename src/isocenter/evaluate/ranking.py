"""Scores that rank cases: ROC and precision-recall curves, the areas under them, and points to work at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.evaluate.intervals import Floats

Truth = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What each threshold gives: a case counts as positive from the threshold on.

    Parameters
    ----------
    thresholds
        From high to low; the first is infinite: nothing is positive.
    sensitivity
        Share of the positive cases that are found.
    false_positive_rate
        Share of the negative cases that are not; NaN if there are none.
    precision
        Share of the found cases that are positive; 1 where nothing is found.
    """

    thresholds: Floats = field(repr=False)
    sensitivity: Floats = field(repr=False)
    false_positive_rate: Floats = field(repr=False)
    precision: Floats = field(repr=False)

    def at_specificity(self, specificity: float) -> tuple[float, float]:
        """The greatest sensitivity at a specificity of at least so much, and the threshold that gives it."""
        place = int(np.flatnonzero(self.false_positive_rate <= 1 - specificity + 1e-12)[-1])
        return float(self.sensitivity[place]), float(self.thresholds[place])


def curve(truth: npt.ArrayLike, score: npt.ArrayLike) -> Curve:
    """ROC and precision-recall curve of a score.

    Parameters
    ----------
    truth
        Whether each case is positive.
    score
        The higher, the more likely positive.

    Raises
    ------
    UsageError
        If both have other lengths, no case is positive, or a score is NaN.
    """
    known, values = _checked(truth, score)
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, [True]))  # cases of one score stand or fall together
    hits = np.concatenate([[0], np.cumsum(known[order])[ends]]).astype(float)
    found = np.concatenate([[0], ends + 1]).astype(float)
    negatives = np.count_nonzero(~known)
    rate = (found - hits) / negatives if negatives else np.full(found.size, np.nan)
    precision = np.divide(hits, found, out=np.ones(found.size), where=found > 0)
    return Curve(np.concatenate([[np.inf], values[order][ends]]), hits / known.sum(), rate, precision)


def auroc(truth: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the ROC curve: how often a positive case scores above a negative one, ties half.

    NaN if all cases are positive. Parameters and errors as of :func:`curve`.
    """
    found = curve(truth, score)
    if np.isnan(found.false_positive_rate).any():
        return math.nan
    return float(np.trapezoid(found.sensitivity, found.false_positive_rate))


def auprc(truth: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the precision-recall curve in steps (average precision), not interpolated.

    Chance gives the share of positive cases. Parameters and errors as of :func:`curve`.
    """
    found = curve(truth, score)
    return float((np.diff(found.sensitivity) * found.precision[1:]).sum())


def _checked(truth: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Truth, Floats]:
    known, values = np.asarray(truth).ravel(), np.asarray(score, float).ravel()
    if known.size != values.size:
        raise UsageError(f"There are {known.size} truths and {values.size} scores: give one of each for every case.")
    if not np.isin(known, (0, 1)).all():
        raise UsageError("The truth is whether a case is positive: True or False, 1 or 0.")
    if np.isnan(values).any():
        raise UsageError("A score is NaN: give each case one, the lowest where there is none, and say so.")
    if not known.any():
        raise UsageError("No case is positive, so nothing can be found.")
    return known.astype(bool), values

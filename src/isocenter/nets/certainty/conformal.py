"""How right a case is likely to be: an interval for its Dice that holds as often as it says, by cases of known truth.

From numbers of a case (``uncertainty``) a line is fitted to the Dice of cases that the network did not learn from, and
a second to how far off it is. Each case is left out once: what the lines of the others say of it, and how wrong that
was, gives the interval of a new case (jackknife+, Barber 2021, with residuals over their expected size). It holds the
Dice of a new case as often as it says if that is drawn as those cases were: of other scanners it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import InputError, UsageError
from isocenter.nets.certainty.uncertainty import FEATURES
from isocenter.reasons import Reason

Floats = npt.NDArray[np.float64]

LEAST_CASES = 20
_RIDGE = 1e-3  # of a standardised number, so that equal numbers do no harm
_LEAST_SPREAD = 0.25  # of the mean residual


@dataclass(frozen=True)
class Interval:
    """Where a case's Dice is expected.

    Parameters
    ----------
    estimate, low, high
        From 0 to 1.
    level
        How often it holds.
    """

    estimate: float
    low: float
    high: float
    level: float

    def reason(self) -> Reason:
        """The interval in words."""
        text = (
            f"The mean Dice of this case is expected to lie from {self.low:.2f} to {self.high:.2f} (estimate "
            f"{self.estimate:.2f}), which holds for {100 * self.level:g} % of cases like those of the calibration."
        )
        return Reason("DICE_EXPECTED", text)


@dataclass(frozen=True)
class Calibration:
    """Held-out cases: what was told of each, and how right it was. All that an interval follows from.

    Parameters
    ----------
    names
        Of the numbers told (:data:`isocenter.nets.certainty.uncertainty.FEATURES`).
    features
        For each case its numbers.
    scores
        For each case its mean Dice over the structures.
    level
        How often the interval is to hold.
    """

    names: tuple[str, ...]
    features: tuple[tuple[float, ...], ...]
    scores: tuple[float, ...]
    level: float = 0.9

    def interval(self, features: Sequence[float]) -> Interval:
        """The interval of a case with these numbers."""
        given = np.asarray(features, float)
        if given.shape != (len(self.names),) or not np.isfinite(given).all():
            raise UsageError(f"A case is told by {len(self.names)} finite numbers ({', '.join(self.names)}).")
        centers, spreads = self._lines.of(given)
        room = spreads * self._errors
        count = len(self.scores)
        above = int(np.ceil(self.level * (count + 1)))
        low, high = 0.0, 1.0
        if above <= count:  # of fewer cases nothing less holds so often
            low, high = np.sort(centers - room)[count - above], np.sort(centers + room)[above - 1]
        estimate, low, high = (float(value) for value in np.clip([np.median(centers), low, high], 0, 1))
        return Interval(estimate, low, high, self.level)

    @property
    def coverage(self) -> float:
        """Share of the calibration's own cases that lie in the interval made of all others."""
        if len(self.scores) <= LEAST_CASES:
            raise UsageError(f"To leave a case out there must be more than {LEAST_CASES}.")
        held = [self._holds(number) for number in range(len(self.scores))]
        return float(np.mean(held))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, such as ``facts["calibration"]`` of a model."""
        return {
            "names": list(self.names),
            "features": [list(row) for row in self.features],
            "scores": list(self.scores),
            "level": self.level,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        InputError
            If the values are none of a calibration.
        """
        try:
            rows, scores = np.asarray(values["features"], float), np.asarray(values["scores"], float)
            made = calibrated(scores, rows, names=values["names"], level=values["level"])
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise InputError(f"The calibration of the model is damaged: {error}") from error
        if unknown := set(made.names) - set(FEATURES):
            raise InputError(f"The calibration of the model is damaged: nothing tells {', '.join(unknown)} of a case.")
        return made

    def _holds(self, number: int) -> bool:
        keep = [other for other in range(len(self.scores)) if other != number]
        rest = Calibration(
            self.names, tuple(self.features[n] for n in keep), tuple(self.scores[n] for n in keep), self.level
        )
        found = rest.interval(self.features[number])
        return found.low <= self.scores[number] <= found.high

    @cached_property
    def _lines(self) -> _Lines:
        return _Lines.fitted(np.asarray(self.features, float), np.asarray(self.scores, float))

    @cached_property
    def _errors(self) -> Floats:
        """How wrong the lines without a case were of it, over what they expected."""
        rows = np.asarray(self.features, float)
        found = [[values[n] for values in self._lines.of(row)] for n, row in enumerate(rows)]
        centers, spreads = np.asarray(found).T
        errors: Floats = np.abs(np.asarray(self.scores) - centers) / spreads
        return errors


def calibrated(
    scores: npt.ArrayLike, features: npt.ArrayLike, *, names: Sequence[str], level: float = 0.9
) -> Calibration:
    """A calibration of held-out cases.

    Parameters
    ----------
    scores
        (case,) mean Dice of each, of predictions by networks that did not learn from it: out-of-fold, or held out.
    features
        (case, number) what was told of each, in the order of ``names``.
    names
        Of :data:`isocenter.nets.certainty.uncertainty.FEATURES`.
    level
        How often the interval is to hold.

    Raises
    ------
    UsageError
        If they do not fit together, are no finite numbers, or are of fewer than 20 cases.
    """
    y, rows = np.asarray(scores, float), np.asarray(features, float)
    if y.ndim != 1 or rows.shape != (y.size, len(names)):
        raise UsageError(f"{y.shape} scores and {rows.shape} numbers do not go with the names {', '.join(names)}.")
    if not (np.isfinite(y).all() and np.isfinite(rows).all()) or y.min(initial=0) < 0 or y.max(initial=0) > 1:
        raise UsageError("Scores lie from 0 to 1, and all numbers are finite.")
    if y.size < LEAST_CASES:
        raise UsageError(f"An interval needs {LEAST_CASES} held-out cases or more, not {y.size}.")
    if not 0.5 <= level < 1:
        raise UsageError(f"An interval holds in a share from 0.5 to below 1 of all cases, not {level}.")
    return Calibration(tuple(names), tuple(map(tuple, rows.tolist())), tuple(y.tolist()), level)


@dataclass(frozen=True, eq=False)
class _Lines:
    """For each case left out: the line through the scores of all others, and the one through their residuals."""

    middle: Floats
    scale: Floats
    centers: Floats
    spreads: Floats
    least: Floats

    @classmethod
    def fitted(cls, rows: Floats, scores: Floats) -> _Lines:
        middle, scale = rows.mean(axis=0), rows.std(axis=0)
        scale[scale == 0] = 1
        told = _with_one((rows - middle) / scale)
        centers, spreads, least = [], [], []
        for number in range(len(scores)):
            keep = np.arange(len(scores)) != number
            line = _line(told[keep], scores[keep])
            off = np.abs(scores[keep] - told[keep] @ line)
            centers.append(line)
            spreads.append(_line(told[keep], off))
            least.append(max(float(off.mean()) * _LEAST_SPREAD, 1e-6))
        return cls(middle, scale, np.array(centers), np.array(spreads), np.array(least))

    def of(self, row: Floats) -> tuple[Floats, Floats]:
        """What each pair of lines says of a case: its score, and how far off that may be."""
        told = _with_one(((row - self.middle) / self.scale)[None])[0]
        return self.centers @ told, np.maximum(self.spreads @ told, self.least)


def _with_one(rows: Floats) -> Floats:
    return np.column_stack([np.ones(len(rows)), rows])


def _line(rows: Floats, values: Floats) -> Floats:
    """Least squares with a little ridge on all but the constant."""
    ridge = np.eye(rows.shape[1]) * _RIDGE * len(rows)
    ridge[0, 0] = 0
    line = np.linalg.solve(rows.T @ rows + ridge, rows.T @ values)
    return np.asarray(line, np.float64)

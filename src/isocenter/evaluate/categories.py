"""Classification of whole images: accuracy, confusion, and areas under curves, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.evaluate.calibration import brier, reliability
from isocenter.evaluate.intervals import Interval, interval
from isocenter.evaluate.ranking import auprc, auroc

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """How well images were told apart.

    Parameters
    ----------
    categories
        Names of the categories.
    confusion
        (categories, categories): cases of each category (rows) that were given each category (columns).
    accuracy
        Share of the cases that were right, with its interval.
    balanced_accuracy
        Mean over the categories that occur of the share of their cases that were right.
    f1
        Of each category that occurs or was given.
    auroc, auprc
        Of each category against all others; NaN where it does not occur, or nothing else does.
    ece, brier
        Calibration: expected error of the likeliest category's probability, and mean squared error of all.
    """

    categories: tuple[str, ...]
    confusion: Numbers = field(repr=False)
    accuracy: Interval
    balanced_accuracy: float
    f1: dict[str, float]
    auroc: dict[str, float]
    auprc: dict[str, float]
    ece: float
    brier: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not defined is None."""
        tables = {
            name: {key: None if np.isnan(v) else v for key, v in getattr(self, name).items()}
            for name in ("f1", "auroc", "auprc")
        }
        return {
            "categories": list(self.categories),
            "confusion": self.confusion.tolist(),
            "accuracy": self.accuracy.to_dict(),
            "balanced_accuracy": self.balanced_accuracy,
            **tables,
            "ece": self.ece,
            "brier": self.brier,
        }


def classification(
    truth: Sequence[str], probabilities: npt.ArrayLike, *, categories: Sequence[str], seed: int = 0
) -> Classification:
    """Compare predicted categories of images with the true ones.

    Parameters
    ----------
    truth
        The category of each case, by name.
    probabilities
        (cases, categories): probability of each category, in the order of ``categories``.
    categories
        Their names.
    seed
        Of the interval.

    Raises
    ------
    UsageError
        If a name is none of the categories, or values are no probabilities.
    """
    strange = sorted(set(truth) - set(categories))
    if strange:
        raise UsageError(f"{', '.join(strange)} is no category; there are {', '.join(categories)}.")
    values = np.asarray(probabilities, float)
    if values.shape != (len(truth), len(categories)):
        raise UsageError(f"Probabilities are of shape {(len(truth), len(categories))}, not {values.shape}.")
    known = np.array([list(categories).index(name) for name in truth], np.int64)
    ece, squared = reliability(known, values).ece, brier(known, values)
    count = len(categories)
    given = values.argmax(axis=1)
    confusion = np.bincount(known * count + given, minlength=count * count).reshape(count, count)
    hits, rows, columns = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = np.divide(2 * hits, rows + columns, out=np.full(count, np.nan), where=rows + columns > 0)
    ranked = [
        (auroc(known == n, values[:, n]), auprc(known == n, values[:, n])) if rows[n] else (np.nan, np.nan)
        for n in range(count)
    ]
    return Classification(
        tuple(categories),
        confusion,
        interval(known == given, seed=seed),
        float(np.mean(hits[rows > 0] / rows[rows > 0])),
        dict(zip(categories, f1.tolist(), strict=True)),
        {name: float(one) for name, (one, _) in zip(categories, ranked, strict=True)},
        {name: float(one) for name, (_, one) in zip(categories, ranked, strict=True)},
        ece,
        squared,
    )

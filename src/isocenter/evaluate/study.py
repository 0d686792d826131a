"""A whole set of predictions against the truth: every case counted, summed up, and broken down by subgroup.

A case without a prediction, or whose prediction cannot be compared, counts as one that failed; it is never left out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from types import MappingProxyType
from typing import Any

import numpy as np

from isocenter.errors import Refused, UsageError
from isocenter.evaluate.comparing import Comparison, Test, holm, paired_test
from isocenter.evaluate.intervals import Interval, finite, interval
from isocenter.evaluate.metrics import METRICS, Metric, metric_of
from isocenter.evaluate.structures import Outcome, Score, Scores, Tolerance, expect_tolerances, not_in_truth, scored
from isocenter.evaluate.subgroups import Breakdown, breakdowns
from isocenter.findings import Segmentation
from isocenter.geometry import Space
from isocenter.ops.resample import to_orientation
from isocenter.reasons import Reason, merge

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Pair:
    """A case to evaluate.

    Parameters
    ----------
    id
        Name of the case.
    prediction
        What was found; None if there is no prediction.
    truth
        What is true.
    attributes
        What is known of the case, for subgroups.
    """

    id: str
    prediction: Segmentation | None = field(repr=False)
    truth: Segmentation = field(repr=False)
    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class CaseScores:
    """The scores of one case.

    Parameters
    ----------
    id
        Its name.
    scores
        One for each structure.
    attributes
        What is known of it.
    """

    id: str
    scores: Scores = field(repr=False)
    attributes: Mapping[str, str] = field(repr=False)

    def value(self, metric: str, structure: str = "") -> float:
        """A score of a structure, or the mean over all structures that have one; NaN if none has."""
        found = [getattr(one, metric) for one in self.scores.of if structure in ("", one.structure)]
        known = finite(found)
        return float(known.mean()) if known.size else math.nan


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric of one structure over all cases.

    Parameters
    ----------
    structure
        Its name; empty for the mean over structures of each case.
    metric
        Which score.
    mean
        With its interval; ``count`` says how many cases have the score.
    median, worst
        Over the same cases.
    """

    structure: str
    metric: Metric
    mean: Interval
    median: float
    worst: float


@dataclass(frozen=True)
class Study:
    """The scores of a set of cases.

    Parameters
    ----------
    cases
        In the order they came.
    structures
        What was compared.
    digest
        SHA-256 of the truth: the same cases with the same labels give the same one.
    reasons
        What was to be said of the set; those of a case stand with it.
    """

    cases: tuple[CaseScores, ...] = field(repr=False)
    structures: tuple[str, ...]
    digest: str
    reasons: tuple[Reason, ...] = ()

    def values(self, metric: str = "dice", structure: str = "") -> dict[str, float]:
        """A score of each case, by its name: of a structure, or the mean over all."""
        metric_of(metric)
        if structure and structure not in self.structures:
            raise UsageError(f"No structure {structure!r} was compared; there are {', '.join(self.structures)}.")
        return {case.id: case.value(metric, structure) for case in self.cases}

    @property
    def attributes(self) -> dict[str, Mapping[str, str]]:
        """What is known of each case, by its name."""
        return {case.id: case.attributes for case in self.cases}

    def outcomes(self, structure: str) -> dict[str, int]:
        """How often a structure was found, missed, ..."""
        found = [case.scores[structure].outcome for case in self.cases]
        return {str(one): found.count(one) for one in Outcome}

    def summaries(self, metrics: Sequence[str] = tuple(METRICS), *, seed: int = 0) -> tuple[Summary, ...]:
        """Each metric of each structure, and of the mean over structures if there are several."""
        names = (*self.structures, "") if len(self.structures) > 1 else self.structures
        return tuple(
            _summary(list(self.values(metric, name).values()), name, METRICS[metric], seed)
            for name in names
            for metric in metrics
        )

    def by(
        self, attributes: Sequence[str], *, metric: str = "dice", structure: str = "", seed: int = 0
    ) -> tuple[Breakdown, ...]:
        """A score by subgroups: of attributes, or of two together as ``"sex*age"``."""
        values = self.values(metric, structure)
        return breakdowns(values, self.attributes, attributes, metric=metric_of(metric), seed=seed)

    def worst(self, count: int, *, metric: str = "dice") -> tuple[CaseScores, ...]:
        """The cases with the worst scores, the worst first; those without a score are not among them."""
        kind = metric_of(metric)
        known = [case for case in self.cases if math.isfinite(case.value(metric))]
        return tuple(sorted(known, key=lambda case: kind.badness(case.value(metric)), reverse=True)[:count])

    def rows(self) -> list[dict[str, Any]]:
        """A row of plain values for each case and structure, ready for a table."""
        return [
            {"case": case.id, **one.to_dict(), **{f"attribute_{k}": v for k, v in case.attributes.items()}}
            for case in self.cases
            for one in case.scores.of
        ]


def _summary(values: Sequence[float], structure: str, metric: Metric, seed: int) -> Summary:
    known = finite(values).tolist()
    middle = median(known) if known else math.nan
    worst = max(known, key=metric.badness) if known else math.nan
    return Summary(structure, metric, interval(values, seed=seed), middle, worst)


def study(pairs: Iterable[Pair], *, names: Sequence[str] | None = None, tolerance_mm: Tolerance = 1.0) -> Study:
    """Compare a set of predictions with the truth.

    Parameters
    ----------
    pairs
        The cases, one after the other: they may be read as they are asked for, so that one is in memory at a time.
    names
        Structures to compare; by default those of the truth of any case.
    tolerance_mm
        Of the surface Dice, as of :func:`isocenter.evaluate.scores`.

    Raises
    ------
    UsageError
        If there is no case, two have one name, or a structure asked for is nowhere; or none is asked for, and the truth
        of no case holds any.
    """
    found: dict[str, CaseScores] = {}
    true: dict[str, None] = {}
    predicted: set[str] = set()
    digest = hashlib.sha256()
    for pair in pairs:
        if pair.id in found:
            raise UsageError(f"Two cases are called {pair.id}: give each a name of its own.")
        found[pair.id] = CaseScores(pair.id, _scores(pair, names, tolerance_mm), dict(pair.attributes))
        true |= dict.fromkeys(pair.truth.names)
        predicted |= set(pair.prediction.names) if pair.prediction is not None else set()
        digest.update(pair.id.encode())
        digest.update(_digest(pair.truth).encode())
    if not found:
        raise UsageError("There is no case to evaluate.")
    if names is None and not true:
        raise UsageError("The truth of no case holds a structure: name those to compare (names=, --segment).")
    structures = tuple(names) if names is not None else tuple(true)
    unknown = [name for name in structures if name not in true and name not in predicted]
    if unknown:
        raise UsageError(f"No case has a structure {', '.join(unknown)}; there is {', '.join(true) or 'nothing'}.")
    expect_tolerances(tolerance_mm, structures)
    spare = {one.structure for case in found.values() for one in case.scores.of if one.outcome is Outcome.EXTRA}
    spare -= set(structures)
    cases = tuple(_completed(case, structures) for case in found.values())
    reasons = merge(_about(cases, structures), [not_in_truth(sorted(spare))] if spare else [])
    return Study(cases, structures, digest.hexdigest(), reasons)


def _scores(pair: Pair, names: Sequence[str] | None, tolerance_mm: Tolerance) -> Scores:
    if pair.prediction is None:
        made = scored(None, pair.truth, names=names, tolerance_mm=tolerance_mm)
        return _with(made, [Reason("PREDICTION_MISSING", f"There is no prediction of {pair.id}.", (pair.id,))])
    try:
        return scored(pair.prediction, pair.truth, names=names, tolerance_mm=tolerance_mm)
    except Refused as refused:
        made = scored(None, pair.truth, names=names, tolerance_mm=tolerance_mm)
        return _with(made, refused.reasons)


def _with(made: Scores, reasons: Iterable[Reason]) -> Scores:
    return Scores(made.of, made.tolerance_mm, merge(made.reasons, reasons))


def _completed(case: CaseScores, structures: Sequence[str]) -> CaseScores:
    """The case with the structures of the set alone: those that neither side has here are absent."""
    known = {one.structure: one for one in case.scores.of}
    every = tuple(known.get(name) or Score(name, Outcome.ABSENT) for name in structures)
    return CaseScores(case.id, Scores(every, case.scores.tolerance_mm, case.scores.reasons), case.attributes)


def _digest(truth: Segmentation) -> str:
    """SHA-256 of where each structure is, in one orientation."""
    turned = to_orientation(truth) if truth.grid.space is Space.PATIENT else truth
    digest = hashlib.sha256(repr(turned.grid.shape).encode())
    for segment in sorted(turned.segments, key=lambda one: one.name):
        digest.update(segment.name.encode())
        digest.update(np.packbits(turned.mask(segment.name)).tobytes())
    return digest.hexdigest()


def _about(cases: Sequence[CaseScores], structures: Sequence[str]) -> tuple[Reason, ...]:
    """Reasons of the set: those of its cases gathered by code, and structures that no truth has."""
    reasons = []
    never = [name for name in structures if not any(case.scores[name].is_true for case in cases)]
    if never:
        reasons.append(Reason("NEVER_TRUE", f"No case has in its truth: {', '.join(never)}."))
    by_code: dict[str, list[tuple[str, str]]] = {}
    for case in cases:
        for reason in case.scores.reasons:
            by_code.setdefault(reason.code, []).append((case.id, reason.message))
    for code, met in by_code.items():
        names = tuple(dict.fromkeys(name for name, _ in met))
        text = met[0][1] if len(names) == 1 else f"{len(names)} cases, as {names[0]}: {met[0][1]}"
        reasons.append(Reason(code, text, names))
    return tuple(reasons)


# --- two studies ------------------------------------------------------------------------------------------------------


def compared(
    one: Study, other: Study, *, metrics: Sequence[str] = ("dice",), test: Test = "wilcoxon", seed: int = 0
) -> dict[tuple[str, str], Comparison]:
    """Two models on the same cases: the first less the second, by (structure, metric), p values corrected by Holm.

    The structure is empty for the mean over structures.

    Raises
    ------
    UsageError
        If the cases or their truth differ.
    """
    if one.digest != other.digest:
        raise UsageError("The two studies are not of the same cases with the same truth: pairs cannot be made.")
    names = (*one.structures, "") if len(one.structures) > 1 else one.structures
    found = {
        (name, metric): paired_test(
            list(one.values(metric, name).values()), list(other.values(metric, name).values()), test=test, seed=seed
        )
        for name in names
        for metric in metrics
    }
    corrected = holm({"\0".join(key): value.p for key, value in found.items()})
    return {
        key: Comparison(value.difference, corrected["\0".join(key)], value.test, value.left_out)
        for key, value in found.items()
    }

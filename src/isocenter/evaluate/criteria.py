"""Acceptance criteria: what a study has to reach, written down in TOML before it is done.

::

    [[criterion]]
    metric = "dice"          # any metric; "dice" by default
    structure = "anterior"   # a structure; by default the mean over all
    statistic = "lower"      # mean, median, worst, worst_decile, lower or upper (end of the 95 % interval of the mean)
    at_least = 0.80

    [[criterion]]
    by = "sex"               # of subgroups: gap, equity_scaled, worst_group
    statistic = "gap"
    at_most = 0.05

    [[criterion]]
    statistic = "failed"     # share of the true structures that were missed or not predicted
    at_most = 0.0
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, get_args

from isocenter.errors import UsageError
from isocenter.evaluate.intervals import finite, interval
from isocenter.evaluate.metrics import METRICS, metric_of
from isocenter.evaluate.structures import Outcome
from isocenter.evaluate.study import Study

Statistic = Literal[
    "mean", "median", "worst", "worst_decile", "lower", "upper", "failed", "gap", "equity_scaled", "worst_group"
]
_OF_GROUPS = ("gap", "equity_scaled", "worst_group")
_ENDS = {"lower": "lower end of the 95 % interval of the mean", "upper": "upper end of the 95 % interval of the mean"}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that a study has to reach.

    Parameters
    ----------
    metric
        Which score.
    structure
        Of which structure; empty for the mean over structures of each case.
    statistic
        What is made of the cases' scores.
    by
        Attribute of the subgroups, for ``gap``, ``equity_scaled`` and ``worst_group``.
    at_least, at_most
        Limits, which pass themselves; one at least.

    Raises
    ------
    UsageError
        If a word is unknown or no limit is given.
    """

    metric: str = "dice"
    structure: str = ""
    statistic: Statistic = "mean"
    by: str = ""
    at_least: float = -math.inf
    at_most: float = math.inf

    def __post_init__(self) -> None:
        metric_of(self.metric)
        if self.statistic not in get_args(Statistic):
            raise UsageError(f"A statistic is one of {', '.join(get_args(Statistic))}; not {self.statistic!r}.")
        if (self.statistic in _OF_GROUPS) != bool(self.by):
            raise UsageError(f"The attribute of subgroups (by) goes with {', '.join(_OF_GROUPS)}, and only with these.")
        if self.at_least == -math.inf and self.at_most == math.inf:
            raise UsageError("A criterion needs at_least or at_most.")
        if not all(isinstance(one, int | float) and not math.isnan(one) for one in (self.at_least, self.at_most)):
            raise UsageError("The limits of a criterion are numbers.")

    def __str__(self) -> str:
        metric = METRICS[self.metric]
        what = _ENDS.get(self.statistic, self.statistic.replace("_", " "))
        share = self.statistic == "failed"
        subject = "share of true structures not found" if share else f"{what} {metric.title}"
        of = f" of {self.structure}" if self.structure else ""
        groups = f" by {self.by}" if self.by else ""
        unit = f" {metric.unit}" if metric.unit and not share else ""
        limits = [f"at least {self.at_least:g}{unit}"] if self.at_least > -math.inf else []
        limits += [f"at most {self.at_most:g}{unit}"] if self.at_most < math.inf else []
        text = f"{subject}{of}{groups}: {' and '.join(limits)}"
        return text[0].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a study reaches a criterion.

    Parameters
    ----------
    criterion
        Which one.
    value
        What it is; NaN where it is not defined, which is not passed.
    """

    criterion: Criterion
    value: float

    @property
    def is_passed(self) -> bool:
        """Whether the value lies within the limits."""
        return self.criterion.at_least <= self.value <= self.criterion.at_most


def criteria_of(text: str) -> tuple[Criterion, ...]:
    """Criteria written in TOML, as the head of this module shows.

    Raises
    ------
    UsageError
        If it is no TOML, or a criterion is wrong; unknown words are not overlooked.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The criteria are no TOML: {error}.") from error
    rows = values.pop("criterion", [])
    if values or not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError("Criteria are written as tables [[criterion]], one at least, and nothing else.")
    return tuple(_criterion(row) for row in rows)


def _criterion(row: Mapping[str, Any]) -> Criterion:
    unknown = sorted(set(row) - set(Criterion.__dataclass_fields__))
    if unknown:
        known = ", ".join(Criterion.__dataclass_fields__)
        raise UsageError(f"A criterion does not know {', '.join(unknown)}; it knows {known}.")
    for name in ("metric", "structure", "statistic", "by"):
        if not isinstance(row.get(name, ""), str):
            raise UsageError(f"The {name} of a criterion is a word, not {row[name]!r}.")
    return Criterion(**row)


def judged(found: Study, criteria: Sequence[Criterion]) -> tuple[Judgement, ...]:
    """A study held against criteria, one judgement each."""
    return tuple(Judgement(criterion, _value(found, criterion)) for criterion in criteria)


def _value(found: Study, criterion: Criterion) -> float:
    if criterion.statistic == "failed":
        return _failed(found, criterion.structure)
    if criterion.by:
        (one,) = found.by([criterion.by], metric=criterion.metric, structure=criterion.structure)
        if criterion.statistic == "gap":
            return one.gap.value
        if criterion.statistic == "equity_scaled":
            return one.equity_scaled
        return next((group.mean.value for group in one.groups if group.name == one.worst), math.nan)
    values = list(found.values(criterion.metric, criterion.structure).values())
    metric = METRICS[criterion.metric]
    known = sorted(finite(values).tolist(), key=metric.badness, reverse=True)
    if not known:
        return math.nan
    mean = interval(values)
    tenth = known[: math.ceil(len(known) / 10)]
    known_as: dict[str, float] = {
        "mean": mean.value,
        "median": median(known),
        "worst": known[0],
        "worst_decile": sum(tenth) / len(tenth),
        "lower": mean.low,
        "upper": mean.high,
    }
    return known_as[criterion.statistic]


def _failed(found: Study, structure: str) -> float:
    """Share of the true structures that were missed or not predicted; NaN if no truth has any."""
    true = [one for case in found.cases for one in case.scores.of if one.is_true and structure in ("", one.structure)]
    return sum(one.outcome is not Outcome.FOUND for one in true) / len(true) if true else math.nan

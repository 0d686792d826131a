"""For whom results are less right: scores by subgroup, with how much chance there is in each difference.

Equity-scaled scores are those of FairSeg (Tian 2024): the score of all cases, divided by 1 plus the sum over the groups
of how far their mean lies from it. A group of fewer than 10 cases is shown, but says too little to be judged by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isocenter.evaluate.comparing import holm
from isocenter.evaluate.grouping import ENOUGH, UNKNOWN, Attributes, Grouping, about, grouped
from isocenter.evaluate.intervals import ROUNDS, Floats, Interval, finite, interval
from isocenter.evaluate.metrics import Metric
from isocenter.reasons import Reason, counted, merge

_SURE = 0.05
_AT_ONCE = 2_000_000  # numbers drawn


@dataclass(frozen=True, slots=True)
class Group:
    """The scores of one subgroup.

    Parameters
    ----------
    name
        Of the group.
    cases
        Names of its cases.
    mean
        Mean score with its interval; its ``count`` is the number of cases that have a score.
    median
        Median score.
    worst_decile
        Mean of the worst tenth of its cases, one at least.
    p
        How often chance alone sets it so far apart from all others (Mann-Whitney, corrected by Holm over the groups);
        NaN if it is too small.
    """

    name: str
    cases: tuple[str, ...]
    mean: Interval
    median: float
    worst_decile: float
    p: float = math.nan

    @property
    def is_small(self) -> bool:
        """Whether it has too few cases to say anything."""
        return self.mean.count < ENOUGH


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Scores by the groups of one attribute.

    Parameters
    ----------
    attribute, metric
        What cases are grouped by, and what is compared.
    groups
        The groups, in order.
    equity_scaled
        Equity-scaled score over the groups that are large enough; NaN of fewer than two, or of a metric that is not a
        share from 0 to 1.
    gap
        Mean of the best group less that of the worst, over those that are large enough. Its interval redraws cases
        within groups and picks best and worst anew.
    p
        How often chance alone makes such a gap between groups of these sizes.
    worst
        Name of the worst group that is large enough; empty of fewer than two.
    reasons
        What is to be said of it.
    """

    attribute: str
    metric: Metric
    groups: tuple[Group, ...]
    equity_scaled: float
    gap: Interval
    p: float
    worst: str
    reasons: tuple[Reason, ...] = ()


def breakdowns(
    values: Mapping[str, float], attributes: Attributes, by: Sequence[str], *, metric: Metric, seed: int = 0
) -> tuple[Breakdown, ...]:
    """Scores by each of several attributes.

    Parameters
    ----------
    values
        A score for each case; NaN where it is not defined.
    attributes
        What is known of each case.
    by
        Attributes, or two together as ``"sex*age"``.
    metric
        Which score it is.
    seed
        Of the draws.
    """
    if metric.better == "zero":  # errors of both signs are no better for cancelling out
        metric = replace(metric, title=f"Absolute {metric.title.lower()}", better="lower")
        values = {case: abs(value) for case, value in values.items()}
    found = [_breakdown(values, grouped(attributes, name), metric, seed) for name in dict.fromkeys(by)]
    corrected = holm({one.attribute: one.p for one in found})
    return tuple(_judged(one, corrected[one.attribute]) for one in found)


def _breakdown(values: Mapping[str, float], grouping: Grouping, metric: Metric, seed: int) -> Breakdown:
    scores = {name: finite([values[case] for case in cases]) for name, cases in grouping.groups.items()}
    groups = _tested([_group(name, grouping.groups[name], scores[name], metric, seed) for name in scores], scores)
    large = {one.name: scores[one.name] for one in groups if not one.is_small and one.name != UNKNOWN}
    gap, p = _gap(large, seed)
    bad = {name: metric.badness(float(one.mean())) for name, one in large.items()}
    worst = max(bad, key=lambda name: bad[name]) if len(bad) > 1 else ""
    every = finite(list(values.values()))
    reasons = merge(about(grouping), _about_small(grouping.attribute, groups))
    return Breakdown(
        grouping.attribute, metric, tuple(groups), _equity_scaled(every, large, metric), gap, p, worst, reasons
    )


def _group(name: str, cases: tuple[str, ...], scores: Floats, metric: Metric, seed: int) -> Group:
    tenth = math.ceil(scores.size / 10)
    worst = sorted(scores.tolist(), key=metric.badness, reverse=True)[:tenth]
    return Group(
        name,
        cases,
        interval(scores, seed=seed),
        float(np.median(scores)) if scores.size else math.nan,
        float(np.mean(worst)) if worst else math.nan,
    )


def _tested(groups: Sequence[Group], scores: Mapping[str, Floats]) -> list[Group]:
    """The groups with p values, each against all others together."""
    from scipy import stats

    p = {}
    for group in groups:
        rest = [scores[other] for other in scores if other != group.name]
        others = np.concatenate(rest) if rest else np.zeros(0)
        is_fit = not group.is_small and others.size >= ENOUGH
        p[group.name] = float(stats.mannwhitneyu(scores[group.name], others).pvalue) if is_fit else math.nan
    corrected = p if len(scores) == 2 else holm(p)  # of two groups both are one test
    return [replace(one, p=corrected[one.name]) for one in groups]


def _equity_scaled(every: Floats, large: Mapping[str, Floats], metric: Metric) -> float:
    if len(large) < 2 or metric.better != "higher":
        return math.nan
    overall = float(every.mean())
    return overall / (1 + sum(abs(overall - float(one.mean())) for one in large.values()))


def _gap(large: Mapping[str, Floats], seed: int) -> tuple[Interval, float]:
    """Best less worst mean with its interval, and the p value of its size."""
    nothing = Interval(math.nan, math.nan, math.nan, 0)
    if len(large) < 2:
        return nothing, math.nan
    scores = list(large.values())
    rng = np.random.default_rng(seed)
    drawn = np.stack([one[rng.integers(0, one.size, (ROUNDS, one.size))].mean(axis=1) for one in scores])
    low, high = np.quantile(np.ptp(drawn, axis=0), [0.025, 0.975])
    value = float(np.ptp([one.mean() for one in scores]))
    sizes = np.array([one.size for one in scores])
    pooled, starts = np.concatenate(scores), np.cumsum([0, *sizes[:-1]])
    block = max(1, _AT_ONCE // pooled.size)
    hits = 0
    for start in range(0, ROUNDS, block):
        drawn = rng.permuted(np.tile(pooled, (min(block, ROUNDS - start), 1)), axis=1)
        gaps = np.ptp(np.add.reduceat(drawn, starts, axis=1) / sizes, axis=1)
        hits += int(np.count_nonzero(gaps >= value * (1 - 1e-12)))
    return Interval(value, float(low), float(high), pooled.size), (hits + 1) / (ROUNDS + 1)


def _about_small(attribute: str, groups: Sequence[Group]) -> list[Reason]:
    small = [f"{one.name} ({one.mean.count})" for one in groups if one.is_small and one.name != UNKNOWN]
    if not small:
        return []
    text = f"Groups of {attribute} with fewer than {ENOUGH} cases: {', '.join(small)}."
    return [Reason("SUBGROUP_SMALL", text)]


def _judged(one: Breakdown, p: float) -> Breakdown:
    """The breakdown with its corrected p value, and a reason if a group is worse off than chance explains."""
    reasons = one.reasons
    if p < _SURE and one.worst:
        group = next(group for group in one.groups if group.name == one.worst)
        cases = counted(group.mean.count, "case", "cases")
        text = (
            f"By {one.attribute}, {one.worst} ({cases}) fares worst: {one.metric.title} {group.mean.value:.3f}, "
            f"{one.gap.value:.3f} from the best group."
        )
        reasons = merge(reasons, [Reason("SUBGROUP_WORSE", text)])
    return replace(one, p=p, reasons=reasons)


# --- which cases to collect next --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A group of which more cases would help most.

    Parameters
    ----------
    attribute, group
        Which one.
    cases
        How many of it there are.
    why
        A sentence.
    suggested
        Names of candidates that belong to it, the most uncertain first.
    """

    attribute: str
    group: str
    cases: int
    why: str
    suggested: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A case that might be labelled next.

    Parameters
    ----------
    id
        Name of the case.
    attributes
        What is known of it, as of the cases that were evaluated.
    uncertainty
        How unsure the model is of it; the greater, the more is to be learned from it.
    """

    id: str
    attributes: Mapping[str, str]
    uncertainty: float = 0.0


def to_collect(
    found: Sequence[Breakdown], attributes: Attributes, *, candidates: Sequence[Candidate] = (), count: int = 10
) -> tuple[Wanted, ...]:
    """Which cases to collect next: the worst group of each attribute, then those too small to be judged.

    Parameters
    ----------
    found
        Breakdowns of a study.
    attributes
        Of the cases that they are of.
    candidates
        Cases to choose from.
    count
        How many to name of each group at most.
    """
    wanted = []
    for one in sorted(found, key=lambda one: (math.isnan(one.p), one.p)):
        names = {group.name: group for group in one.groups}
        if one.worst:
            group = names[one.worst]
            chance = "" if one.p < _SURE else ", which chance may explain"
            why = f"Its mean {one.metric.title} is {group.mean.value:.3f}, {one.gap.value:.3f} from the best{chance}."
            wanted.append((one, group, why))
        small = [group for group in one.groups if group.is_small and group.name != UNKNOWN]
        wanted += [(one, group, f"With {group.mean.count} of {ENOUGH} cases it cannot be judged.") for group in small]
    return tuple(
        Wanted(
            one.attribute, group.name, group.mean.count, why, _suggested((one, group), attributes, candidates, count)
        )
        for one, group, why in wanted
    )


def _suggested(
    place: tuple[Breakdown, Group], attributes: Attributes, candidates: Sequence[Candidate], count: int
) -> tuple[str, ...]:
    """Candidates that fall into a group when they are grouped together with the cases that are known."""
    one, group = place
    fits: list[str] = []
    for case in sorted(candidates, key=lambda case: -case.uncertainty):
        key = f"candidate {case.id}"
        groups = grouped({**attributes, key: case.attributes}, one.attribute).groups
        own = next(members for members in groups.values() if key in members)
        if set(group.cases) & set(own):
            fits.append(case.id)
        if len(fits) == count:
            break
    return tuple(fits)

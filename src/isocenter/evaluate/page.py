"""What the report of a study says: its tables, charts and worst cases, as one Report value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from isocenter.evaluate.agreement import BlandAltman, bland_altman, icc
from isocenter.evaluate.comparing import Comparison
from isocenter.evaluate.criteria import Judgement
from isocenter.evaluate.grouping import ENOUGH, UNKNOWN
from isocenter.evaluate.intervals import Interval
from isocenter.evaluate.metrics import METRICS
from isocenter.evaluate.structures import Outcome
from isocenter.evaluate.study import Study
from isocenter.evaluate.subgroups import Breakdown, Wanted
from isocenter.reasons import Reason, Severity, counted, merge, verdict_of
from isocenter.report.charts import Line, Words, columns_chart, points_chart, rows_chart
from isocenter.report.document import Listing, Report, StudyFacts
from isocenter.report.figure import Figure
from isocenter.report.standing import Level, Standing

SHOWN = ("dice", "surface_dice", "hd95_mm", "assd_mm", "volume_error_percent")
"""Metrics of the report's tables; all of them are in the CSV."""

_INTERVALS = "In brackets stands the 95 % interval of the mean, by bootstrap over the cases (BCa, 2000 draws)."
_EMPTY = (
    "A structure that the prediction lacks or has in excess scores overlap 0 and, as distance, the image's diagonal. "
    "Where neither side has it no score is defined; such cases are counted as absent and are in no mean."
)


@dataclass(frozen=True, slots=True)
class Results:
    """All that was found out of a set of predictions.

    Parameters
    ----------
    study
        The scores.
    breakdowns
        By subgroup.
    judgements
        Acceptance criteria; empty without any.
    comparisons
        With another model, by (structure, metric).
    ceiling
        Scores of a second reader against the truth; None without.
    wanted
        What to collect next.
    """

    study: Study
    breakdowns: tuple[Breakdown, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    comparisons: Mapping[tuple[str, str], Comparison] | None = None
    ceiling: Study | None = None
    wanted: tuple[Wanted, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def every_reason(self) -> tuple[Reason, ...]:
        """Reasons of the study, its subgroups and criteria, each once."""
        return merge(
            self.reasons, self.study.reasons, *(one.reasons for one in self.breakdowns), about(self.judgements)
        )

    @property
    def is_passed(self) -> bool:
        """Whether all criteria are met."""
        return all(one.is_passed for one in self.judgements)


def about(judgements: Sequence[Judgement]) -> tuple[Reason, ...]:
    """A reason for each criterion that is not met."""
    return tuple(
        Reason("CRITERION_FAILED", f"{one.criterion}, but it is {_plain(one.value)}.")
        for one in judgements
        if not one.is_passed
    )


def report(
    found: Results, *, title: str, facts: Sequence[tuple[str, str]], made_at: datetime, gallery: Sequence[Figure] = ()
) -> Report:
    """The report of a study.

    Parameters
    ----------
    found
        What was found out.
    title
        Heading.
    facts
        What it is of: (title, value) pairs.
    made_at
        When, with its time zone.
    gallery
        Pictures of the worst cases.
    """
    reasons = found.every_reason
    said = [*facts, ("Cases", str(len(found.study.cases))), ("Digest of the truth", found.study.digest[:16])]
    return Report(
        title=title,
        facts=StudyFacts(tuple(said)),
        verdict=verdict_of(reasons),
        reasons=reasons,
        segments=(),
        measurements=(),
        figures=(*_figures(found), *gallery),
        provenance=(("Intervals", _INTERVALS), ("Missing and empty structures", _EMPTY)),
        made_at=made_at,
        listings=tuple(_listings(found)),
        state=state_of(found),
    )


def state_of(found: Results) -> Standing:
    """What the study is worth, in a line: a case that failed is a result, and does not undo that of the others."""
    count = counted(len(found.study.cases), "case was", "cases were")
    words = f"{count} evaluated; those without a prediction that could be compared count as failed."
    met = sum(one.is_passed for one in found.judgements)
    if found.judgements:
        words += f" {met} of {counted(len(found.judgements), 'acceptance criterion', 'acceptance criteria')} met."
    if not found.is_passed:
        return Standing(Level.STOP, "Acceptance criteria are not met", words)
    if any(reason.severity.rank >= Severity.REVIEW.rank for reason in found.every_reason):
        return Standing(Level.LOOK, "Look at these before you rely on the scores", words)
    headline = "All acceptance criteria are met" if found.judgements else "The software's checks raised no doubt"
    return Standing(Level.OK, headline, words)


# --- tables -----------------------------------------------------------------------------------------------------------


def _listings(found: Results) -> Iterator[Listing]:
    if found.judgements:
        rows = [
            (str(one.criterion), _plain(one.value), "met" if one.is_passed else "NOT met") for one in found.judgements
        ]
        yield Listing("Acceptance criteria", ("Criterion", "Value", ""), tuple(rows))
    yield _scores_table(found.study, "Scores")
    yield _outcome_table(found.study)
    if found.ceiling is not None:
        count = counted(len(found.ceiling.cases), "case", "cases")
        yield _scores_table(found.ceiling, f"Second reader against the truth, {count}: the ceiling")
    if found.comparisons:
        yield _comparison_table(found.comparisons)
    yield from map(_breakdown_table, found.breakdowns)
    if found.wanted:
        wanted = [(f"{one.attribute}: {one.group}", str(one.cases), one.why) for one in found.wanted]
        yield Listing("What to collect next", ("Group", "Cases", "Why"), tuple(wanted))
    volumes = [_agreement_row(found.study, name) for name in found.study.structures]
    known = tuple(row for row in volumes if row is not None)
    if known:
        yield Listing(
            "Agreement of volumes",
            ("Structure", "Bias ml", "Limits of agreement ml", "ICC(2,1)"),
            known,
            "Prediction less truth (Bland and Altman 1986); absolute agreement of single measurements.",
        )


def _scores_table(study: Study, title: str) -> Listing:
    heads = [f"{METRICS[name].title} {METRICS[name].unit}".strip() for name in SHOWN]
    by_structure: dict[str, list[str]] = {}
    for one in study.summaries(SHOWN):
        by_structure.setdefault(one.structure or "mean over structures", []).append(_interval(one.mean))
    rows = tuple((name, *cells) for name, cells in by_structure.items())
    tolerances = {t for case in study.cases for t in case.scores.tolerance_mm.values() if math.isfinite(t)}
    words = f"Surface Dice within {', '.join(f'{one:g}' for one in sorted(tolerances))} mm. {_INTERVALS}"
    return Listing(title, ("Structure", *heads), rows, words)


def _outcome_table(study: Study) -> Listing:
    rows = [(name, *(str(n) for n in study.outcomes(name).values())) for name in study.structures]
    return Listing("Found and missed", ("Structure", *(str(one) for one in Outcome)), tuple(rows), _EMPTY)


def _comparison_table(comparisons: Mapping[tuple[str, str], Comparison]) -> Listing:
    rows = [
        (f"{structure or 'mean over structures'}, {METRICS[name].title}", _interval(one.difference), _p(one.p))
        for (structure, name), one in comparisons.items()
    ]
    test = next(iter(comparisons.values())).test
    words = f"This model less the other, on the same cases; p by the {test} test, corrected by Holm."
    return Listing("Against the other model", ("Score", "Difference", "p"), tuple(rows), words)


def _breakdown_table(one: Breakdown) -> Listing:
    rows = [
        (
            f"{group.name}{' (too few)' if group.is_small else ''}",
            str(group.mean.count),
            _interval(group.mean),
            _plain(group.median),
            _plain(group.worst_decile),
            _p(group.p),
        )
        for group in one.groups
    ]
    gap = f"Gap from best to worst: {_interval(one.gap)}, p {_p(one.p)}." if math.isfinite(one.gap.value) else ""
    scaled = f"Equity-scaled {one.metric.title}: {one.equity_scaled:.3f}." if math.isfinite(one.equity_scaled) else ""
    words = f"{gap} {scaled} Groups of fewer than {ENOUGH} cases say too little to be judged by."
    columns = ("Group", "Cases", f"Mean {one.metric.title}", "Median", "Worst tenth", "p against the rest")
    return Listing(f"{one.metric.title} by {one.attribute}", columns, tuple(rows), words.strip())


def _agreement(study: Study, structure: str) -> tuple[BlandAltman, Interval] | None:
    pairs = _volumes(study, structure)
    if len(pairs) < 3:
        return None
    true, mine = zip(*pairs, strict=True)
    return bland_altman(true, mine), icc(true, mine)


def _volumes(study: Study, structure: str) -> list[tuple[float, float]]:
    """(true, predicted) volume of each case that has both."""
    found = [case.scores[structure] for case in study.cases]
    pairs = [(one.truth_ml, one.prediction_ml) for one in found if one.outcome is Outcome.FOUND]
    return [pair for pair in pairs if all(map(math.isfinite, pair))]


def _agreement_row(study: Study, structure: str) -> tuple[str, ...] | None:
    found = _agreement(study, structure)
    if found is None:
        return None
    limits, agreement = found
    ends = f"{limits.lower.value:.3f} to {limits.upper.value:.3f}".replace("-", "−")
    return structure, _interval(limits.bias), ends, _interval(agreement)


def _interval(value: Interval) -> str:
    return str(value).replace("-", "−")


def _plain(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) else "not defined"


def _p(value: float) -> str:
    return "–" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


# --- pictures ---------------------------------------------------------------------------------------------------------


def _figures(found: Results) -> Iterator[Figure]:
    study = found.study
    names = study.structures
    columns = [(name, list(study.values("dice", name).values())) for name in names[:12]]
    more = f" The first 12 of {len(names)} structures." if len(names) > 12 else ""
    yield columns_chart(
        columns,
        Words("dice", "Dice of each case", f"One dot for each case; the line is the median.{more}"),
        unit="Dice",
    )
    if found.breakdowns:
        yield _groups_chart(found.breakdowns)
    for name in names[:4]:
        pairs = _volumes(study, name)
        if len(pairs) >= 3:
            yield _agreement_chart(name, pairs)


def _groups_chart(breakdowns: Sequence[Breakdown]) -> Figure:
    lines = []
    for one in breakdowns:
        lines.append(Line(one.attribute, is_head=True))
        for group in one.groups:
            few = ", too few" if group.is_small and group.name != UNKNOWN else ""
            ends = (group.mean.value, group.mean.low, group.mean.high, group.worst_decile)
            lines.append(Line(group.name, *ends, f"n {group.mean.count}{few}"))
    metric = breakdowns[0].metric
    caption = "Dot: mean; line: its 95 % interval; stroke: mean of the worst tenth of the group's cases."
    words = Words("subgroups", f"{metric.title} by subgroup", caption)
    return rows_chart(lines, words, unit=f"{metric.title} {metric.unit}".strip())


def _agreement_chart(name: str, pairs: Sequence[tuple[float, float]]) -> Figure:
    limits = bland_altman(*zip(*pairs, strict=True))
    levels = [(limits.bias.value, "bias"), (limits.lower.value, "lower limit"), (limits.upper.value, "upper limit")]
    return points_chart(
        [((true + mine) / 2, mine - true) for true, mine in pairs],
        levels=levels,
        names=("Mean of both volumes, ml", "Prediction less truth, ml"),
        words=Words(
            f"agreement_{name}",
            f"Volume of {name}: prediction and truth",
            f"{counted(len(pairs), 'case', 'cases')} in which both sides have it.",
        ),
    )

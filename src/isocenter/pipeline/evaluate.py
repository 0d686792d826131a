"""Predictions and truth from any two paths, evaluated: what ``isocenter evaluate`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from isocenter import evaluate
from isocenter.errors import UsageError
from isocenter.evaluate.page import Results
from isocenter.evaluate.structures import Tolerance
from isocenter.nets.models.model import with_facts
from isocenter.nets.models.store import find_model
from isocenter.pipeline.evaluating.places import (
    Place,
    Request,
    about_copies,
    about_training,
    by_name,
    places_of,
    text_of,
)
from isocenter.pipeline.evaluating.reading import pairs
from isocenter.pipeline.evaluating.writing import facts_of, write
from isocenter.reasons import Reason, merge

__all__ = ["Request", "facts_of", "record", "run", "write"]

_KEPT = ("dice", "surface_dice", "hd95_mm")


def run(request: Request) -> tuple[Results, tuple[Place, ...]]:
    """Evaluate predictions.

    Returns
    -------
    What was found out, and where the parts of each case lie.

    Raises
    ------
    UsageError
        If there is no truth, no prediction at all, or a word is wrong.
    InputError
        If the truth of a case is damaged.
    """
    criteria = evaluate.criteria_of(text_of(request.criteria)) if request.criteria else ()
    places, reasons = places_of(request)
    if not any(place.prediction for place in places):
        raise UsageError(
            f"{request.predictions} holds no prediction with the name of a case, as {places[0].id}.nii.gz."
        )
    own = evaluate.study(pairs(places, reasons), names=request.names, tolerance_mm=request.tolerance_mm)
    reasons += [*about_training(request, places), *about_copies(places)]
    other, ceiling = _against(own, request, places), _ceiling(own, request, places)
    reasons += [*_told(request.against, other), *_told(request.second_reader, ceiling)]
    asked = (*request.by, *(one.by for one in criteria if one.by))
    groups = own.by(tuple(dict.fromkeys(asked))) if asked else ()
    return Results(
        own,
        groups,
        evaluate.judged(own, criteria),
        None if other is None else evaluate.compared(own, other, metrics=("dice", "hd95_mm")),
        ceiling,
        evaluate.to_collect(groups, own.attributes),
        tuple(reasons),
    ), places


def record(found: Results, model: Path) -> None:
    """Write mean scores, of each structure and of subgroups that are large enough, into a model's facts and card.

    Raises
    ------
    UsageError
        If there is no such model, it learned from the cases, or its predictions are copies of the truth.
    """
    said = {reason.code for reason in found.reasons}
    if "PREDICTION_IS_TRUTH" in said:
        raise UsageError("The predictions are copies of the truth: these are no results to be kept.")
    if "LEARNED_FROM" in said:
        raise UsageError("The model learned from some of the cases: these are no results to be kept. Hold cases out.")
    summaries = [one for one in found.study.summaries(_KEPT) if isfinite(one.mean.value)]
    each: dict[str, dict[str, float | int]] = {}
    for one in summaries:
        of_one = each.setdefault(one.structure, {"cases": one.mean.count})
        of_one[one.metric.name] = round(one.mean.value, 4)
    overall = each.pop("", None) or (next(iter(each.values())) if len(each) == 1 else {})
    groups = {
        f"{one.attribute} {group.name}": {"cases": group.mean.count, one.metric.name: round(group.mean.value, 4)}
        for one in found.breakdowns
        for group in one.groups
        if not group.is_small
    }
    of_all: dict[str, Any] = {**overall, "cases": len(found.study.cases), "structures": each}
    with_facts(find_model(model), results={**of_all, "digest": found.study.digest}, subgroups=groups)


def _other(folder: Path, places: Sequence[Place], own: evaluate.Study, tolerance_mm: Tolerance) -> evaluate.Study:
    """The study of other labels for the same cases."""
    found = by_name(folder)
    there = tuple(replace(place, prediction=found.get(place.id)) for place in places)
    if not any(place.prediction for place in there):
        raise UsageError(f"{folder} holds no labels with the name of a case, as {places[0].id}.nii.gz.")
    unread: list[Reason] = []
    made = evaluate.study(pairs(there, unread), names=own.structures, tolerance_mm=tolerance_mm)
    return replace(made, reasons=merge(unread, made.reasons))


def _read_twice(folder: Path, places: Sequence[Place]) -> tuple[Place, ...]:
    """The cases that a second reader has labelled: the others have no ceiling."""
    found = by_name(folder)
    return tuple(place for place in places if place.id in found) or tuple(places)


def _told(folder: Path | None, other: evaluate.Study | None) -> list[Reason]:
    """What was to be said of other labels, as that some are missing, which counts against them in every comparison."""
    if folder is None or other is None:
        return []
    return [replace(one, message=f"Of {folder.name}: {one.message}") for one in other.reasons]


def _against(own: evaluate.Study, request: Request, places: Sequence[Place]) -> evaluate.Study | None:
    return None if request.against is None else _other(request.against, places, own, request.tolerance_mm)


def _ceiling(own: evaluate.Study, request: Request, places: Sequence[Place]) -> evaluate.Study | None:
    if request.second_reader is None:
        return None
    read = _read_twice(request.second_reader, places)
    return _other(request.second_reader, read, own, request.tolerance_mm)

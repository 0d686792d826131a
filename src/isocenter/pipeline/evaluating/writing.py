"""What was found out of a set of predictions, as files: a report, a table, everything as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from isocenter import evaluate
from isocenter.disk import explained, replacing
from isocenter.errors import IsocenterError
from isocenter.evaluate.page import SHOWN, Results, report
from isocenter.findings import Segmentation
from isocenter.pipeline import look
from isocenter.pipeline.evaluating.places import Place
from isocenter.pipeline.evaluating.reading import labels_of, truth_of
from isocenter.pipeline.folder import writable
from isocenter.report import html, pdf
from isocenter.report.figure import Figure
from isocenter.volume import Volume

_WORST = 6


def write(
    found: Results, places: Sequence[Place], folder: Path, *, facts: Sequence[tuple[str, str]], made_at: datetime
) -> tuple[Path, ...]:
    """Write ``report.html``, ``report.pdf``, ``scores.csv`` and ``evaluation.json`` into a folder.

    Raises
    ------
    UsageError
        If it cannot be written.
    TryLater
        If the disk is full.
    """
    writable(folder)
    page = report(
        found, title="Evaluation of a segmentation", facts=facts, made_at=made_at, gallery=tuple(gallery(found, places))
    )
    contents = {
        "report.html": html.render(page).encode(),
        "report.pdf": pdf.render(page),
        "scores.csv": _table(found.study.rows()).encode(),
        "evaluation.json": (json.dumps(facts_of(found), indent=1, ensure_ascii=False) + "\n").encode(),
    }
    for name, data in contents.items():
        try:
            with replacing(folder / name) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise explained(error, folder) from error
    return tuple(folder / name for name in contents)


def gallery(found: Results, places: Sequence[Place]) -> Iterator[Figure]:
    """Pictures of the worst cases that have an image: truth and prediction as outlines, where they differ most."""
    by_id = {place.id: place for place in places}
    for case in found.study.worst(_WORST):
        place = by_id[case.id]
        if place.image is None:
            continue
        image, _ = look.volume(place.image)
        truth = truth_of(place)
        if image.axes or not image.grid.coincides(truth.grid):
            continue
        yield _drawn(image, truth, place)


def _drawn(image: Volume, truth: Segmentation, place: Place) -> Figure:
    """The picture of a case; the truth alone where its prediction is missing, cannot be read or lies apart."""
    if place.prediction is not None:
        with suppress(IsocenterError):
            return evaluate.differing(image, labels_of(place.prediction, place.image), truth, name=place.id)
    return evaluate.differing(image, None, truth, name=place.id)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(columns), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def facts_of(found: Results) -> dict[str, Any]:
    """Everything that was found out, as plain values; what is not defined is None."""
    study = found.study
    return {
        "passed": found.is_passed,
        "cases": len(study.cases),
        "structures": list(study.structures),
        "digest": study.digest,
        "summary": [
            {
                "structure": one.structure,
                "metric": one.metric.name,
                **{key: _number(value) for key, value in one.mean.to_dict().items()},
                "median": _number(one.median),
                "worst": _number(one.worst),
            }
            for one in study.summaries()
        ],
        "outcomes": {name: study.outcomes(name) for name in study.structures},
        "subgroups": [_breakdown_facts(one) for one in found.breakdowns],
        "criteria": [
            {"criterion": str(one.criterion), "value": _number(one.value), "passed": one.is_passed}
            for one in found.judgements
        ],
        "against": [
            {
                "structure": structure,
                "metric": metric,
                "difference": one.difference.to_dict(),
                "p": _number(one.p),
                "test": one.test,
            }
            for (structure, metric), one in (found.comparisons or {}).items()
        ],
        "second_reader": [
            {"structure": one.structure, "metric": one.metric.name, **one.mean.to_dict()}
            for one in (found.ceiling.summaries(SHOWN) if found.ceiling else ())
        ],
        "collect_next": [
            {"attribute": one.attribute, "group": one.group, "cases": one.cases, "why": one.why} for one in found.wanted
        ],
        "rows": study.rows(),
        "reasons": [reason.to_dict() for reason in found.every_reason],
    }


def _breakdown_facts(one: evaluate.Breakdown) -> dict[str, Any]:
    return {
        "attribute": one.attribute,
        "metric": one.metric.name,
        "equity_scaled": _number(one.equity_scaled),
        "gap": one.gap.to_dict(),
        "p": _number(one.p),
        "worst": one.worst,
        "groups": [
            {
                "name": group.name,
                **group.mean.to_dict(),
                "median": _number(group.median),
                "worst_decile": _number(group.worst_decile),
                "p": _number(group.p),
                "too_small": group.is_small,
                "cases": list(group.cases),
            }
            for group in one.groups
        ],
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value

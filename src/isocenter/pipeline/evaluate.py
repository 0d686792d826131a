"""Predictions and truth from any two paths, evaluated and written: what ``isocenter evaluate`` does."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from isocenter import evaluate, formats
from isocenter.datasets import open_dataset
from isocenter.disk import explained, replacing
from isocenter.errors import InputError, IsocenterError, UsageError
from isocenter.evaluate.page import SHOWN, Results, report
from isocenter.evaluate.structures import Tolerance
from isocenter.findings import Segmentation
from isocenter.nets.model import load_model
from isocenter.pipeline import look
from isocenter.pipeline.case import is_image_file
from isocenter.pipeline.folder import writable
from isocenter.reasons import Reason, counted
from isocenter.report import html, pdf
from isocenter.report.figure import Figure
from isocenter.volume import Volume

_ENDINGS = (
    ".nii.gz",
    ".nii",
    ".nrrd",
    ".nhdr",
    ".mha",
    ".mhd",
    ".npz",
    ".npy",
    ".zarr",
    ".tif",
    ".tiff",
    ".png",
    ".dcm",
)
_WORST = 6
HELD_OUT = "held-out"
"""Stands for the cases that a model holds out, where names of cases are asked for."""


@dataclass(frozen=True)
class Request:
    """What to evaluate, and how.

    Parameters
    ----------
    predictions, truth
        A label file each, or a folder of them with one name for each case; the truth may be a data set.
    images
        Folder of the images, for pictures and properties; by default those of the data set.
    attributes
        CSV or TSV of what is known of the cases, its first column their names.
    by
        Attributes to break scores down by; of ``side``, ``volume_ml``, ``intensity_range`` and ``spacing_mm`` the
        images tell.
    names
        Structures; by default those of the truth.
    tolerance_mm
        Of the surface Dice.
    criteria
        TOML file of acceptance criteria.
    cases
        A file with a name of a case on each line; ``"held-out"`` for those that the model holds out; by default all
        of the truth.
    against, second_reader
        Predictions of another model, and labels of a second reader.
    model
        Folder of the model that made the predictions.
    """

    predictions: Path
    truth: Path
    images: Path | None = None
    attributes: Path | None = None
    by: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    tolerance_mm: Tolerance = 1.0
    criteria: Path | None = None
    cases: str = ""
    against: Path | None = None
    second_reader: Path | None = None
    model: Path | None = None


@dataclass(frozen=True)
class Place:
    """Where the parts of a case lie."""

    id: str
    prediction: Path | None
    truth: Path
    image: Path | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


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
    criteria = evaluate.criteria_of(_text(request.criteria)) if request.criteria else ()
    places = places_of(request)
    if not any(place.prediction for place in places):
        raise UsageError(
            f"{request.predictions} holds no prediction with the name of a case, as {places[0].id}.nii.gz."
        )
    reasons: list[Reason] = []
    own = evaluate.study(_pairs(places, reasons), names=request.names, tolerance_mm=request.tolerance_mm)
    reasons += _about_training(request, places)
    asked = (*request.by, *(one.by for one in criteria if one.by))
    groups = own.by(tuple(dict.fromkeys(asked))) if asked else ()
    return Results(
        own,
        groups,
        evaluate.judged(own, criteria),
        _against(own, request, places),
        _ceiling(own, request, places),
        evaluate.to_collect(groups, own.attributes),
        tuple(reasons),
    ), places


def _other(folder: Path, places: Sequence[Place], own: evaluate.Study, tolerance_mm: Tolerance) -> evaluate.Study:
    """The study of other labels for the same cases."""
    found = by_name(folder)
    there = tuple(replace(place, prediction=found.get(place.id)) for place in places)
    if not any(place.prediction for place in there):
        raise UsageError(f"{folder} holds no labels with the name of a case, as {places[0].id}.nii.gz.")
    return evaluate.study(_pairs(there, []), names=own.structures, tolerance_mm=tolerance_mm)


def _against(
    own: evaluate.Study, request: Request, places: Sequence[Place]
) -> Mapping[tuple[str, str], evaluate.Comparison] | None:
    if request.against is None:
        return None
    other = _other(request.against, places, own, request.tolerance_mm)
    return evaluate.compared(own, other, metrics=("dice", "hd95_mm"))


def _ceiling(own: evaluate.Study, request: Request, places: Sequence[Place]) -> evaluate.Study | None:
    if request.second_reader is None:
        return None
    return _other(request.second_reader, places, own, request.tolerance_mm)


# --- what lies where --------------------------------------------------------------------------------------------------


def places_of(request: Request) -> tuple[Place, ...]:
    """Where prediction, truth and image of each case lie, and what is known of it."""
    places = _of_truth(request.truth, request.predictions)
    known = _attributes(request.attributes) if request.attributes else {}
    images = by_name(request.images) if request.images else {}
    strange = [name for name in known if name not in {place.id for place in places}]
    if known and len(strange) == len(known):
        raise UsageError(f"{request.attributes} names none of the cases: its first column holds their names.")
    places = tuple(
        replace(
            place,
            image=images.get(place.id, place.image),
            attributes={**place.attributes, **known.get(place.id, {})},
        )
        for place in places
    )
    return _chosen(places, request)


def _of_truth(truth: Path, predictions: Path) -> tuple[Place, ...]:
    for path in (truth, predictions):
        if not path.exists():
            raise UsageError(f"There is no {path}.")
    if truth.is_file() and truth.suffix.lower() != ".csv":
        if predictions.is_dir() and not predictions.name.endswith(_ENDINGS):
            found = by_name(predictions).get(_stem(truth))
        else:
            found = predictions
        return (Place(_stem(truth), found, truth),)
    mine = by_name(predictions)
    labels = by_name(truth) if truth.is_dir() else {}
    if labels:
        return tuple(Place(name, mine.get(name), path) for name, path in labels.items())
    dataset = open_dataset(truth)
    cases = [case for case in dataset.cases if case.label is not None]
    if not cases:
        raise UsageError(f"The data set {truth} has no labels.")
    return tuple(
        Place(case.id, mine.get(case.id), case.label, case.images[0], dict(case.attributes))
        for case in cases
        if case.label is not None
    )


def by_name(folder: Path) -> dict[str, Path]:
    """The label files of a folder, or folders of DICOM objects, by the name of their case."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path.name.lower().endswith(_ENDINGS) or is_object(path)):
            continue
        name = _stem(path)
        if name in found:
            raise UsageError(f"{folder} holds two files of the case {name}: {found[name].name} and {path.name}.")
        found[name] = path
    return found


def _stem(path: Path) -> str:
    ending = next((one for one in _ENDINGS if path.name.lower().endswith(one)), "")
    return path.name[: len(path.name) - len(ending)]


def _attributes(path: Path) -> dict[str, dict[str, str]]:
    """Attributes of cases by name, from a CSV or TSV whose first column names them (``participants.tsv`` of BIDS)."""
    try:
        rows = list(csv.reader(io.StringIO(_text(path)), delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except csv.Error as error:
        raise InputError(f"{path.name} is no table: {error}.") from error
    if len(rows) < 2 or len(rows[0]) < 2 or len(set(rows[0])) < len(rows[0]):
        raise InputError(f"{path.name} needs a line of names, each once, and a line for each case.")
    head = [name.strip() for name in rows[0]]
    known: dict[str, dict[str, str]] = {}
    for row in rows[1:]:
        if any(cell.strip() for cell in row):
            if len(row) != len(head) or row[0].strip() in known:
                raise InputError(f"{path.name}: a line has more or fewer values than names, or a case has two lines.")
            known[row[0].strip()] = {name: cell.strip() for name, cell in zip(head[1:], row[1:], strict=True)}
    return known


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no text in UTF-8.") from error


def _chosen(places: tuple[Place, ...], request: Request) -> tuple[Place, ...]:
    if not request.cases:
        return places
    if request.cases == HELD_OUT:
        held = set(_training(request).get("held_out", ()))
        chosen = tuple(place for place in places if _hash(place.id) in held)
        if not chosen:
            raise UsageError("None of the cases is among those that the model holds out.")
        return chosen
    names = [line.strip() for line in _text(Path(request.cases)).splitlines() if line.strip()]
    by_id = {place.id: place for place in places}
    missing = [name for name in names if name not in by_id]
    if missing or not names:
        raise UsageError(f"The truth has no case {', '.join(missing[:5]) or 'that the file names'}.")
    return tuple(by_id[name] for name in dict.fromkeys(names))


def _training(request: Request) -> Mapping[str, Any]:
    """What the model keeps of its training."""
    if request.model is None:
        raise UsageError("Name the model (--model), whose held-out cases these are.")
    training = load_model(request.model).facts.get("training", {})
    return training if isinstance(training, Mapping) else {}


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _about_training(request: Request, places: Sequence[Place]) -> list[Reason]:
    if request.model is None:
        return []
    learned = set(_training(request).get("learned_from", ()))
    seen = tuple(place.id for place in places if _hash(place.id) in learned)
    text = f"The model learned from {counted(len(seen), 'case', 'cases')} of the {len(places)} that it is evaluated on."
    return [Reason("LEARNED_FROM", text, seen)] if seen else []


# --- reading ----------------------------------------------------------------------------------------------------------


def _pairs(places: Sequence[Place], reasons: list[Reason]) -> Iterator[evaluate.Pair]:
    """The cases one after the other; a prediction that cannot be read counts as missing, with a reason."""
    for place in places:
        truth = labels_of(place.truth, place.image)
        prediction = None
        if place.prediction is not None:
            try:
                prediction = labels_of(place.prediction, place.image)
            except IsocenterError as error:
                text = f"The prediction of {place.id} cannot be read: {error}"
                reasons.append(Reason("PREDICTION_UNREADABLE", text, (place.id,)))
        yield evaluate.Pair(place.id, prediction, truth, {**_told_by(place, truth), **place.attributes})


def labels_of(path: Path, image: Path | None) -> Segmentation:
    """Labels of a file, or of a DICOM object on the grid of the image, where that is a series of DICOM."""
    if not is_object(path):
        return formats.load_segmentation(path)
    on = image if image is not None and not is_image_file(image) else None
    found, _ = look.image(path, on=on)
    if not isinstance(found, Segmentation):
        raise InputError(f"{path.name} holds an image, and no labels.")
    return found


def is_object(path: Path) -> bool:
    """Whether a path is that of a DICOM object, or of a folder of them."""
    return path.suffix.lower() == ".dcm" or (path.is_dir() and any(path.glob("*.dcm")))


def _told_by(place: Place, truth: Segmentation) -> dict[str, str]:
    """Properties that the image of a case tells, where there is one on the grid of its truth."""
    if place.image is None:
        return {}
    image, _ = look.volume(place.image)
    return evaluate.properties(image, truth) if image.grid.coincides(truth.grid) and not image.axes else {}


# --- writing ----------------------------------------------------------------------------------------------------------


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
        truth = labels_of(place.truth, place.image)
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

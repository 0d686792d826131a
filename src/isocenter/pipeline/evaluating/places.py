"""Where the parts of each case lie: its prediction, its truth, its image, and what is known of it."""

from __future__ import annotations

import csv
import filecmp
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isocenter.datasets import open_dataset
from isocenter.errors import InputError, UsageError
from isocenter.evaluate.structures import Tolerance
from isocenter.formats.files import ENDINGS
from isocenter.nets.models.store import find_model
from isocenter.reasons import Reason, counted, merge

_ENDINGS = (*sorted(ENDINGS, key=len, reverse=True), ".dcm")
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
    """Where the parts of a case lie.

    Parameters
    ----------
    id
        Its name.
    prediction, truth, image
        Their paths; None where there is none.
    attributes
        What is known of it.
    labels
        Numbers of the truth's labels by their names, where the data set has them.
    """

    id: str
    prediction: Path | None
    truth: Path
    image: Path | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)


def places_of(request: Request) -> tuple[tuple[Place, ...], list[Reason]]:
    """Where prediction, truth and image of each case lie, what is known of it, and what is to be said of the set."""
    places, reasons = _of_truth(request.truth, request.predictions)
    known = _attributes(request.attributes) if request.attributes else {}
    images = by_name(request.images) if request.images else {}
    if known and not set(known) & {place.id for place in places}:
        raise UsageError(f"{request.attributes} names none of the cases: its first column holds their names.")
    told = tuple(
        replace(
            place,
            image=images.get(place.id, place.image),
            attributes={**place.attributes, **known.get(place.id, {})},
        )
        for place in places
    )
    return _chosen(told, request), reasons


def _of_truth(truth: Path, predictions: Path) -> tuple[tuple[Place, ...], list[Reason]]:
    for path in (truth, predictions):
        if not path.exists():
            raise UsageError(f"There is no {path}.")
    if truth.is_file() and truth.suffix.lower() != ".csv":
        is_folder = predictions.is_dir() and not predictions.name.lower().endswith(_ENDINGS)
        found = by_name(predictions).get(_stem(truth)) if is_folder else predictions
        return (Place(_stem(truth), found, truth),), []
    mine = by_name(predictions)
    labels = by_name(truth) if truth.is_dir() else {}
    places = tuple(Place(name, mine.get(name), path) for name, path in labels.items())
    reasons: tuple[Reason, ...] = ()
    if not places:
        dataset = open_dataset(truth)
        places = tuple(
            Place(case.id, mine.get(case.id), case.label, case.images[0], dict(case.attributes), dataset.labels)
            for case in dataset.cases
            if case.label is not None
        )
        if not places:
            raise UsageError(f"The data set {truth} has no labels.")
        reasons = dataset.reasons
    spare = tuple(sorted(set(mine) - {place.id for place in places}))
    text = (
        f"{counted(len(spare), 'prediction has', 'predictions have')} no truth of that name, as {''.join(spare[:1])}."
    )
    return places, list(merge(reasons, [Reason("PREDICTION_WITHOUT_TRUTH", text, spare)] if spare else []))


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


def is_object(path: Path) -> bool:
    """Whether a path is that of a DICOM object, or of a folder of them."""
    return path.suffix.lower() == ".dcm" or (path.is_dir() and any(path.glob("*.dcm")))


def _stem(path: Path) -> str:
    ending = next((one for one in _ENDINGS if path.name.lower().endswith(one)), "")
    return path.name[: len(path.name) - len(ending)]


def _attributes(path: Path) -> dict[str, dict[str, str]]:
    """Attributes of cases by name, from a CSV or TSV whose first column names them (``participants.tsv`` of BIDS)."""
    try:
        rows = list(csv.reader(io.StringIO(text_of(path)), delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
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


def text_of(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    UsageError
        If it cannot be read.
    InputError
        If it is no UTF-8.
    """
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
    names = [line.strip() for line in text_of(Path(request.cases)).splitlines() if line.strip()]
    by_id = {place.id: place for place in places}
    missing = [name for name in names if name not in by_id]
    if missing or not names:
        raise UsageError(f"The truth has no case {', '.join(missing[:5]) or 'that the file names'}.")
    return tuple(by_id[name] for name in dict.fromkeys(names))


def _training(request: Request) -> Mapping[str, Any]:
    """What the model keeps of its training."""
    if request.model is None:
        raise UsageError("Name the model (--model), whose held-out cases these are.")
    training = find_model(request.model).facts.get("training", {})
    return training if isinstance(training, Mapping) else {}


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def about_copies(places: Sequence[Place]) -> list[Reason]:
    """A reason where every prediction is its truth's own file, or the same to the byte."""
    pairs = [(place.prediction, place.truth) for place in places if place.prediction is not None]
    if not pairs or not all(one.is_file() and filecmp.cmp(one, truth, shallow=False) for one, truth in pairs):
        return []
    text = f"{counted(len(pairs), 'prediction is', 'predictions are')} the same to the byte as the truth."
    return [Reason("PREDICTION_IS_TRUTH", text)]


def about_training(request: Request, places: Sequence[Place]) -> list[Reason]:
    """A reason where the model learned from cases that it is evaluated on."""
    if request.model is None:
        return []
    learned = set(_training(request).get("learned_from", ()))
    seen = tuple(place.id for place in places if _hash(place.id) in learned)
    text = f"The model learned from {counted(len(seen), 'case', 'cases')} of the {len(places)} that it is evaluated on."
    return [Reason("LEARNED_FROM", text, seen)] if seen else []

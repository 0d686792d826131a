"""The labels of cases, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from isocenter import evaluate, formats
from isocenter.dicom.sorting.series import Series
from isocenter.errors import InputError, IsocenterError
from isocenter.findings import Segment, Segmentation
from isocenter.pipeline import look
from isocenter.pipeline.case import is_image_file
from isocenter.pipeline.evaluating.places import Place, is_object
from isocenter.reasons import Reason

_TAGS = {
    "sex": ("PatientSex",),
    "age": ("PatientAge",),
    "scanner": ("Manufacturer", "ManufacturerModelName"),
    "kernel": ("ConvolutionKernel",),
    "field_strength": ("MagneticFieldStrength",),
    "site": ("InstitutionName",),
}
"""Attributes for subgroups, by the keywords of DICOM that tell them."""


def pairs(places: Sequence[Place], reasons: list[Reason]) -> Iterator[evaluate.Pair]:
    """The cases one after the other; a prediction that cannot be read counts as missing, with a reason."""
    for place in places:
        truth = truth_of(place)
        prediction = None
        if place.prediction is not None:
            try:
                prediction = labels_of(place.prediction, place.image)
            except IsocenterError as error:
                text = f"The prediction of {place.id} cannot be read: {error}"
                reasons.append(Reason("PREDICTION_UNREADABLE", text, (place.id,)))
        yield evaluate.Pair(place.id, prediction, truth, {**_told_by(place, truth), **place.attributes})


def truth_of(place: Place) -> Segmentation:
    """The truth of a case, its labels named as the data set names them unless the file does."""
    found = labels_of(place.truth, place.image)
    if not place.labels or any(one.name != f"label_{one.label}" for one in found.segments):
        return found
    named = [Segment.named(name, value) for name, value in place.labels.items()]
    others = [one for one in found.segments if one.label not in place.labels.values()]
    return replace(found, segments=(*named, *others))


def labels_of(path: Path, image: Path | None) -> Segmentation:
    """Labels of a file, or of a DICOM object on the grid of the image, where that is a series of DICOM."""
    if not is_object(path):
        return formats.load_segmentation(path)
    on = image if image is not None and not is_image_file(image) else None
    found, _ = look.image(path, on=on)
    if not isinstance(found, Segmentation):
        raise InputError(f"{path.name} holds an image, and no labels.")
    return found


def _told_by(place: Place, truth: Segmentation) -> dict[str, str]:
    """What the image of a case tells: its properties if it lies on the grid of the truth, and its DICOM header."""
    if place.image is None:
        return {}
    image, taken = look.volume(place.image)
    told = evaluate.properties(image, truth) if image.grid.coincides(truth.grid) and not image.axes else {}
    return told if taken is None else {**told, **_header(taken.series)}


def _header(series: Series) -> dict[str, str]:
    """Attributes that the header of a series has: who was scanned, and by what."""
    header = series.instances[0].dataset()
    words = {name: " ".join(str(header.get(one, "") or "") for one in tags).strip() for name, tags in _TAGS.items()}
    return {name: word for name, word in words.items() if word}

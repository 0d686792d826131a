"""DICOM studies with Segmentations and RT Structure Sets: each image series with the objects that refer to it."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from isocenter.datasets.dataset import Case, Dataset
from isocenter.dicom.annotations.objects import FoundObject, referenced_series
from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.series import Series
from isocenter.errors import InputError, Refused, UsageError
from isocenter.reasons import Reason

_MARK = 16  # hexadecimal digits


def read(folder: Path) -> Dataset | None:
    """The data set of a folder of DICOM; None if there is no image in it.

    Where anything is segmented, the segmented series are the cases; otherwise all series are. A case is named by a
    digest of its Series Instance UID, and its ``patient`` is a digest too. Labels are the names of all segments. Series
    of the commonest modality are taken, since a network learns from one kind of image.
    """
    found = scan(folder)
    if not found:
        return None
    counts = Counter(one.series_uid for one in found)
    held = [one for one in found if not one.verdict.usable or counts[one.series_uid] > 1]
    usable = [one for one in found if one not in held]
    reasons = [_left_out(one, "it is held, rejected or several volumes") for one in held]
    objects, strays = _by_series(found.findings, {one.series_uid for one in usable})
    if found.findings:
        usable = [one for one in usable if one.series_uid in objects]
    modality = _commonest(one.modality for one in usable)
    reasons += [_left_out(one, f"it is no {modality}") for one in usable if one.modality != modality]
    usable = [one for one in usable if one.modality == modality]
    cases = [_case(one, objects.get(one.series_uid, [])) for one in usable]
    names, unread = _names(usable, objects)
    labels = {name: value for value, name in enumerate(names, 1)}
    cases.sort(key=lambda case: case.id)
    said = (*reasons, *strays, *unread)
    return Dataset(folder.name, tuple(cases), (modality or "image",), labels, reasons=said)


def _commonest(words: Iterable[str]) -> str:
    """The word that occurs most often; of several the first by name."""
    counts = Counter(words)
    return min(counts, key=lambda word: (-counts[word], word), default="")


def _left_out(series: Series, why: str) -> Reason:
    return Reason("SERIES_LEFT_OUT", f"The {series.name} was left out: {why}.", (series.series_uid,))


def _by_series(findings: Iterable[FoundObject], known: set[str]) -> tuple[dict[str, list[FoundObject]], list[Reason]]:
    """The stored objects by the series that they refer to."""
    found: dict[str, list[FoundObject]] = {}
    strays = []
    for one in findings:
        try:
            named = sorted(referenced_series(one) & known)
        except (InputError, UsageError):
            named = []
        for uid in named:
            found.setdefault(uid, []).append(one)
        if not named:
            text = f"A {one.kind} refers to no usable series of the folder; it was left out."
            strays.append(Reason("SERIES_LEFT_OUT", text, (one.sop_instance_uid,)))
    return found, strays


def _case(series: Series, objects: Sequence[FoundObject]) -> Case:
    folders = [os.path.dirname(instance.path) for instance in series.instances]  # noqa: PTH120
    paths = [Path(one.path) for one in objects]
    label = None
    if paths:
        label = paths[0] if len(paths) == 1 else Path(os.path.commonpath([path.parent for path in paths]))
    return Case(
        _mark(series.series_uid),
        (Path(os.path.commonpath(folders)),),
        label,
        attributes={"patient": _mark(series.instances[0].patient_key)},
        series=(series.series_uid,),
    )


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK]


def _names(usable: Iterable[Series], objects: dict[str, list[FoundObject]]) -> tuple[list[str], list[Reason]]:
    """Names of all segments in the order in which they are first met, and the objects that cannot be read."""
    names: dict[str, None] = {}
    unread = []
    for series in usable:
        for one in objects.get(series.series_uid, []):
            try:
                names.update(dict.fromkeys(read_segmentation(one, grid=series.grid).names))
            except (InputError, UsageError, Refused) as error:
                text = f"A {one.kind} cannot be read: {error}"
                unread.append(Reason("SERIES_LEFT_OUT", text, (one.sop_instance_uid,)))
    return sorted(names), unread

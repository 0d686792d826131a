"""Found files brought together to cases by name: what is there twice, what lacks its other half."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from isocenter import formats
from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.loading import is_label_map, labels_in
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.formats.files import ENDINGS
from isocenter.reasons import Reason, merge

Value = TypeVar("Value")


def image_files(folder: Path) -> tuple[Path, ...]:
    """The image files of a folder, in the order of their names; hidden ones (``._x.nii.gz`` of macOS) are none."""
    found = (one for one in folder.iterdir() if one.name.lower().endswith(ENDINGS) and not one.name.startswith("."))
    return tuple(sorted(found, key=lambda path: path.name))


def stem(path: Path) -> str:
    """Name of an image file without its ending: ``case_1`` of ``case_1.nii.gz``."""
    endings = (ending for ending in ENDINGS if path.name.lower().endswith(ending))
    return path.name[: -max(map(len, endings), default=0) or None]


Named = Iterable[tuple[str, Path]]
"""Files by the name of their case, in which a name may stand twice."""


def paired(
    images: Iterable[tuple[str, tuple[Path, ...]]], labels: Named
) -> tuple[tuple[Case, ...], tuple[Reason, ...]]:
    """Cases of images and labels by the names of the cases, and why some were left out.

    Without any label the images alone are the cases; otherwise each case needs both.
    """
    of_name, twice = _each_once(labels, "label")
    found, again = _each_once(images, "image")
    reasons = [*twice, *again]
    reasons += [
        Reason("IMAGE_MISSING", f"The case {name} has a label, but no image; it was left out.", (name,))
        for name in of_name
        if name not in found
    ]
    cases = []
    for name in sorted(found):
        if of_name and name not in of_name:
            text = f"The case {name} has an image, but no label; it was left out."
            reasons.append(Reason("LABEL_MISSING", text, (name,)))
        else:
            cases.append(Case(name, found[name], of_name.get(name)))
    return tuple(cases), tuple(reasons)


def _each_once(named: Iterable[tuple[str, Value]], what: str) -> tuple[dict[str, Value], list[Reason]]:
    """The first value of each name, and a reason for each further one."""
    found: dict[str, Value] = {}
    reasons = []
    for name, value in named:
        if name in found:
            text = f"The case {name} has two {what}s; the first was kept, and the other left out."
            reasons.append(Reason("CASE_TWICE", text, (name,)))
        found.setdefault(name, value)
    return found, reasons


def each_once(cases: Iterable[Case]) -> tuple[tuple[Case, ...], tuple[Reason, ...]]:
    """Cases in the order of their names; of those with one name the first, and a reason for each other."""
    found, reasons = _each_once(((case.id, case) for case in cases), "row")
    return tuple(found[name] for name in sorted(found)), tuple(reasons)


def with_found_labels(dataset: Dataset) -> Dataset:
    """The data set with the labels that its label files hold, where nothing names them: one file is open at a time.

    Files that cannot be read are passed over here; :func:`isocenter.datasets.check` refuses their cases.
    """
    names: dict[str, int] = {}
    unnamed: set[int] = set()
    for case in dataset.cases:
        for name, value in _labels_in(case):
            if name:
                names.setdefault(name, value)
            else:
                unnamed.add(value)
    unnamed -= set(names.values())
    if not unnamed:
        return replace(dataset, labels=dict(sorted(names.items(), key=lambda item: item[1])))
    names.update({f"label_{value}": value for value in unnamed})
    text = f"Nothing says what the values {sorted(unnamed)[:20]} in the label files mean; they were named by number."
    labels = dict(sorted(names.items(), key=lambda item: item[1]))
    return replace(dataset, labels=labels, reasons=merge(dataset.reasons, [Reason("LABELS_UNNAMED", text)]))


def _labels_in(case: Case) -> Iterator[tuple[str, int]]:
    """Name, if the file has one, and value of each label of a case."""
    if case.label is None:
        return
    try:
        stored = formats.load_as_is(case.label)
    except (InputError, UsageError):
        return
    if isinstance(stored, Segmentation):
        named = {segment.label: segment.name for segment in stored.segments}
        yield from ((("" if name == f"label_{value}" else name), value) for value, name in named.items())
    elif not stored.axes and is_label_map(stored.array):
        yield from (("", value) for value in labels_in(stored.array))

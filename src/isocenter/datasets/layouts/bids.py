"""BIDS-like folders: subjects, their sessions, labels among the derivatives, attributes in participants.tsv.

Source: the Brain Imaging Data Structure, Gorgolewski 2016. Read are images that the names of their files tell apart.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from isocenter.datasets.dataset import Dataset
from isocenter.datasets.layouts.pairing import image_files, paired, stem, with_found_labels
from isocenter.errors import InputError
from isocenter.reasons import Reason, merge

_ANATOMY = ("anat", "ct", "pet", "micr")
_LABELS = ("dseg", "seg", "mask", "label", "labels")


def is_one(folder: Path) -> bool:
    """Whether a folder has folders of subjects (``sub-01``)."""
    return any(one.is_dir() for one in folder.glob("sub-*"))


def read(folder: Path) -> Dataset:
    """The data set of a BIDS-like folder: a case for each session of each subject.

    The channels are the suffixes (T1w, FLAIR) that all but a few cases have; labels are the files under ``derivatives``
    that end in ``_dseg``, ``_seg``, ``_mask`` or ``_label``. Columns of ``participants.tsv`` are attributes, and the
    subject is the ``patient``.

    Raises
    ------
    InputError
        If a table is damaged, two images of a case have one suffix, or a case has two label files.
    """
    images = {name: _by_suffix(name, files) for name, files in _by_case(folder).items()}
    channels = _channels(images.values())
    whole = [
        (name, tuple(found[channel] for channel in channels))
        for name, found in images.items()
        if all(channel in found for channel in channels)
    ]
    lacking = [
        Reason("IMAGE_MISSING", f"The case {name} has not all of {', '.join(channels)}; it was left out.", (name,))
        for name, found in images.items()
        if not all(channel in found for channel in channels)
    ]
    cases, reasons = paired(whole, _labels(folder))
    people = _participants(folder / "participants.tsv")
    known = tuple(replace(case, attributes=_attributes(case.id, people)) for case in cases)
    name, licence = _described(folder / "dataset_description.json")
    dataset = Dataset(name or folder.name, known, channels, licence=licence, reasons=merge(lacking, reasons))
    return with_found_labels(dataset)


def _case_of(path: Path) -> str:
    """``sub-01_ses-2`` of a file's name."""
    return "_".join(part for part in stem(path).split("_") if part.startswith(("sub-", "ses-")))


def _by_case(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for subject in sorted(one for one in folder.glob("sub-*") if one.is_dir()):
        for place in sorted([*subject.glob("*"), *subject.glob("ses-*/*")]):
            if place.is_dir() and place.name in _ANATOMY:
                for path in image_files(place):
                    found[_case_of(path)].append(path)
    return found


def _by_suffix(name: str, files: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        suffix = stem(path).rsplit("_", 1)[-1]
        if suffix in found:
            raise InputError(
                f"The case {name} has two images with the suffix {suffix}: {found[suffix].name} and {path.name}. "
                "Name the wanted files in a CSV."
            )
        found[suffix] = path
    return found


def _channels(cases: Iterable[Mapping[str, Path]]) -> tuple[str, ...]:
    """The suffixes that nine of ten cases have, or else the commonest one."""
    found = list(cases)
    counts = Counter(suffix for one in found for suffix in one)
    common = sorted(suffix for suffix, count in counts.items() if count >= 0.9 * len(found))
    return tuple(common or [suffix for suffix, _ in counts.most_common(1)])


def _labels(folder: Path) -> list[tuple[str, Path]]:
    """The label file of each case; InputError if one has two, since nothing says which is meant."""
    found = [
        (_case_of(path), path)
        for place in sorted((folder / "derivatives").glob("**/sub-*"))
        if place.is_dir()
        for below in sorted([place, *(one for one in place.rglob("*") if one.is_dir() and "sub-" not in one.name)])
        for path in image_files(below)
        if stem(path).rsplit("_", 1)[-1].lower() in _LABELS
    ]
    twice = [name for name, count in Counter(name for name, _ in found).items() if count > 1]
    if twice:
        raise InputError(
            f"The case {twice[0]} has several label files among the derivatives. Name the wanted files in a CSV."
        )
    return found


def _participants(path: Path) -> dict[str, dict[str, str]]:
    """The row of each subject."""
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", strict=True))
        return {row["participant_id"]: row for row in rows}
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise InputError(
            f"{path.name} is damaged: a table of tabs with the column participant_id is needed."
        ) from error


def _attributes(name: str, people: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    subject = name.split("_", maxsplit=1)[0]
    row = people.get(subject, {})
    said = {
        key: value for key, value in row.items() if key and key != "participant_id" and value not in ("", "n/a", None)
    }
    return {"patient": subject, **said}


def _described(path: Path) -> tuple[str, str]:
    try:
        said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return str(said.get("Name", "")), str(said.get("License", ""))
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path.name} is damaged.") from error

"""Images in one folder, labels in another: nnU-Net v2, Medical Segmentation Decathlon, and the same without a table.

Source: nnU-Net's documentation of its dataset format (Isensee 2021); MSD (Antonelli 2022).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.datasets.dataset import Dataset
from isocenter.datasets.layouts.pairing import image_files, paired, stem, with_found_labels
from isocenter.errors import InputError
from isocenter.reasons import Reason, merge

TABLE = "dataset.json"
PAIRS = (("imagesTr", "labelsTr"), ("images", "labels"))
"""Folders of images and of their labels, by name."""
_MOST = 2**16 - 1  # the greatest label

_CHANNEL = re.compile(r"(.+)_(\d{4})")


def read(folder: Path) -> Dataset:
    """The data set of a folder with ``imagesTr`` and ``labelsTr``, or ``images`` and ``labels``.

    ``dataset.json`` names channels and labels where it is there; without it there is one channel, ``image``, and labels
    are looked for in the files.

    Raises
    ------
    InputError
        If ``dataset.json`` is damaged, or says what no network here can learn.
    """
    said = _table(folder / TABLE)
    channels = _channels(said)
    found = _named(folder, said) if _names_files(said) else _found(folder, numbered=bool(channels))
    channels = channels or _unnamed(found)
    whole, missing = _complete(found.images, len(channels))
    torn = {name for reason in missing for name in reason.instances}
    cases, reasons = paired(whole, [one for one in found.labels if one[0] not in torn])
    name = str(said.get("name") or folder.name)
    licence = str(said.get("licence") or said.get("license") or "")
    dataset = Dataset(name, cases, channels, _labels(said), licence=licence, reasons=merge(missing, reasons))
    return dataset if dataset.labels or not found.labels else with_found_labels(dataset)


@dataclass(frozen=True)
class _Files:
    """Image files (by the name of their case; number of their channel, or -1 of a whole image) and label files."""

    images: tuple[tuple[str, int, Path], ...]
    labels: tuple[tuple[str, Path], ...]


def _unnamed(found: _Files) -> tuple[str, ...]:
    """Names of channels that nothing names."""
    count = max((channel for _, channel, _ in found.images), default=0) + 1
    return tuple(f"channel_{number}" for number in range(count)) if count > 1 else ("image",)


def _complete(
    images: Iterable[tuple[str, int, Path]], count: int
) -> tuple[list[tuple[str, tuple[Path, ...]]], list[Reason]]:
    """The files of each image: one whole, or one for each channel; those that lack one are left out."""
    grouped: dict[str, dict[int, Path]] = defaultdict(dict)
    whole: list[tuple[str, tuple[Path, ...]]] = []
    reasons = []
    for name, channel, path in images:
        if channel == -1:
            whole.append((name, (path,)))
        elif channel in grouped[name]:
            text = f"The channel {channel} of the case {name} is there twice; the first was kept."
            reasons.append(Reason("CASE_TWICE", text, (name,)))
        else:
            grouped[name][channel] = path
    for name, found in grouped.items():
        if sorted(found) == list(range(count)):
            whole.append((name, tuple(found[channel] for channel in range(count))))
        else:
            text = f"The case {name} has the channels {sorted(found)} of {count}; it was left out."
            reasons.append(Reason("IMAGE_MISSING", text, (name,)))
    return whole, reasons


# --- dataset.json -----------------------------------------------------------------------------------------------------


def _table(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is damaged: it is no JSON.") from error
    if not isinstance(said, dict):
        raise InputError(f"{path} is no table of a data set.")
    return said


def _channels(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the channels in the order of their numbers: ``{"0": "CT"}``."""
    named = said.get("channel_names") or said.get("modality") or {}
    try:
        return tuple(str(named[key]) for key in sorted(named, key=int))
    except (TypeError, ValueError) as error:
        raise InputError(f"{TABLE} does not number its channels as in {{'0': 'CT'}}: {named!r}.") from error


def _labels(said: Mapping[str, Any]) -> dict[str, int]:
    """Value of each label by name, without background: nnU-Net v2 has ``name: value``, MSD ``value: name``."""
    stated = said.get("labels") or {}
    try:
        if all(str(key).isdigit() for key in stated):
            pairs = [(str(name), _whole(value)) for value, name in stated.items()]
        else:
            pairs = [(str(name), _whole(value)) for name, value in stated.items()]
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{TABLE} gives some label no single whole number (regions of several are not learned): {stated!r}."
        ) from error
    labels = {name: value for name, value in sorted(pairs, key=lambda pair: pair[1]) if value and name != "ignore"}
    if (
        len(labels) < len([value for name, value in pairs if value and name != "ignore"])
        or not 0 <= min(labels.values(), default=1) <= max(labels.values(), default=1) <= _MOST
        or len(set(labels.values())) < len(labels)
    ):
        raise InputError(f"{TABLE} gives two labels one name or one number, or one beyond 0 to {_MOST}: {stated!r}.")
    if any(name == "ignore" for name, _ in pairs):
        raise InputError(f"{TABLE} has an 'ignore' label, which is not learned around: leave those cases out.")
    return labels


def _whole(value: Any) -> int:
    """A number of a table, also one in quotation marks; no part of it is cut off."""
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError(value)
    return number


def _names_files(said: Mapping[str, Any]) -> bool:
    return isinstance(said.get("training"), list) or isinstance(said.get("dataset"), dict)


def _named(folder: Path, said: Mapping[str, Any]) -> _Files:
    """Images and labels as the table lists them (MSD ``training``, nnU-Net v2 ``dataset``)."""
    images: list[tuple[str, int, Path]] = []
    labels = []
    try:
        if isinstance(said.get("dataset"), dict):
            for name, row in said["dataset"].items():
                many = len(row["images"]) > 1
                images += [(name, n if many else -1, folder / one) for n, one in enumerate(row["images"])]
                labels.append((name, folder / row["label"]))
        else:
            for row in said["training"]:
                image, label = (row["image"], row.get("label")) if isinstance(row, dict) else (row, None)
                images += _files_of(folder / image)
                labels += [(stem(Path(image)), folder / label)] if label else []
    except (TypeError, KeyError) as error:
        raise InputError(f"{TABLE} does not name an image and a label for each case.") from error
    return _Files(tuple(images), tuple(labels))


def _files_of(image: Path) -> list[tuple[str, int, Path]]:
    """The file that a table names, or the files of its channels (``x_0000.nii.gz`` of ``x.nii.gz``)."""
    name = stem(image)
    if image.is_file() or not image.parent.is_dir():
        return [(name, -1, image)] if image.is_file() else []
    parts = sorted(image.parent.glob(f"{name}_[0-9][0-9][0-9][0-9]{image.name[len(name) :]}"))
    return [(name, int(stem(part)[-4:]), part) for part in parts]


# --- folders ----------------------------------------------------------------------------------------------------------


def _found(folder: Path, *, numbered: bool) -> _Files:
    """Images and labels by the names of the files in the folders.

    ``x_0000`` is a channel of ``x`` where channels are named, or where the label is called ``x``.
    """
    of_images, of_labels = next((folder / a, folder / b) for a, b in PAIRS if (folder / a).is_dir())
    labels = [(stem(path), path) for path in image_files(of_labels)] if of_labels.is_dir() else []
    names = {name for name, _ in labels}
    images = []
    for path in image_files(of_images):
        split = _CHANNEL.fullmatch(stem(path))
        if split and stem(path) not in names and (numbered or split[1] in names):
            images.append((split[1], int(split[2]), path))
        else:
            images.append((stem(path), -1, path))
    return _Files(tuple(images), tuple(labels))

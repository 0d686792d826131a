"""A path to its data set: which layout it has. The layouts themselves live in :mod:`isocenter.datasets.layouts`."""

from __future__ import annotations

import os
from pathlib import Path

from isocenter.datasets.dataset import Dataset
from isocenter.datasets.layouts import bids, categories, folders, sheet, studies
from isocenter.errors import UsageError

_LAYOUTS = (
    "a folder with dataset.json, imagesTr and labelsTr (nnU-Net, Medical Segmentation Decathlon) or images and labels; "
    "a folder with sub-* (BIDS); a CSV with the columns case and image; one folder of pictures for each category, "
    "or a zip archive of them; DICOM studies"
)


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """The data set of a path, in whichever layout it lies there.

    Cases that lack their image or label are left out; ``reasons`` says which. No image is opened, but label files
    where nothing names their labels: :func:`check` goes through all.

    Parameters
    ----------
    path
        Folder, CSV or zip archive.

    Raises
    ------
    UsageError
        If there is nothing, or none of the layouts, or no case.
    InputError
        If the table of the data set is damaged.
    """
    place = Path(path)
    if not place.exists():
        raise UsageError(f"There is no data set {place}.")
    dataset = _read(place)
    if not dataset.cases:
        why = " ".join(reason.message for reason in dataset.reasons[:3])
        raise UsageError(f"The data set {place} has no case. {why}".strip())
    return dataset


def _read(place: Path) -> Dataset:
    if place.is_file():
        if place.suffix.lower() == ".csv":
            return sheet.read(place)
        if place.suffix.lower() == ".zip":
            return categories.read_archive(place)
        raise UsageError(f"{place} is no data set. One is {_LAYOUTS}.")
    if any((place / images).is_dir() for images, _ in folders.PAIRS) or (place / folders.TABLE).is_file():
        return folders.read(place)
    if bids.is_one(place):
        return bids.read(place)
    if categories.is_one(place):
        return categories.read(place)
    dataset = studies.read(place)
    if dataset is None:
        raise UsageError(f"{place} is no data set. One is {_LAYOUTS}.")
    return dataset

"""The front of the formats: one function to load, one to save, by the ending of the file's name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from isocenter import codes
from isocenter.codes import Code
from isocenter.errors import InputError, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.formats.meaning import with_meaning
from isocenter.volume import Volume

_ENDINGS = {
    "nifti": (".nii", ".nii.gz"),
    "nrrd": (".nrrd", ".nhdr"),
    "metaimage": (".mha", ".mhd"),
    "numpy": (".npz", ".npy"),
    "zarr": (".zarr",),
    "pictures": (".tif", ".tiff", ".png", ".jpg", ".jpeg"),
}
_MODULES = {ending: module for module, endings in _ENDINGS.items() for ending in endings}
ENDINGS = tuple(_MODULES)
"""How the names of files end that :func:`load` reads."""
_OF_DICOM = "DICOM is read by isocenter.read(isocenter.scan(path)[0]); no image is written as DICOM."
_READ_ONLY = {".nhdr": ".nrrd", ".mhd": ".mha"}


def load(path: str | os.PathLike[str], *, unit: Code | None = None, modality: str = "") -> Volume:
    """Volume of an image file.

    Orientation is kept as the file has it. Whole numbers stay whole.

    Parameters
    ----------
    path
        A ``.nii``, ``.nii.gz``, ``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``, ``.npz``, ``.npy`` or ``.tif`` file,
        a picture, a ``.zarr`` folder, or a folder of pictures, one per slice.
    unit, modality
        What the values are, if the caller knows. Else, where the file does not say it, values that look like CT
        numbers are taken as HU (reason ``UNIT_GUESSED``), and others have no unit (``UNIT_UNKNOWN``).

    Raises
    ------
    UsageError
        If there is no such file or its ending is unknown.
    InputError
        If the file is damaged or no image.
    """
    image = _loaded(path)
    if isinstance(image, Segmentation):
        labels = image.array if len(image.layers) == 1 else None
        if labels is None:
            raise InputError("The file holds overlapping segments: use load_segmentation.")
        return Volume(labels, image.grid, codes.ONE, sources=image.sources, reasons=image.reasons)
    if unit is not None:
        return replace(image, unit=unit, modality=modality or image.modality)
    return with_meaning(replace(image, modality=modality or image.modality), name=Path(path).name)


def load_as_is(path: str | os.PathLike[str]) -> Volume | Segmentation:
    """What a file says it is: a :func:`load_segmentation` where it names segments, else a volume as of :func:`load`."""
    image = _loaded(path)
    return image if isinstance(image, Segmentation) else with_meaning(image, name=Path(path).name)


def load_segmentation(path: str | os.PathLike[str]) -> Segmentation:
    """Segmentation of a label file; each label without a name in the file gets one (``label_7``).

    Names are those that :func:`save` writes, or of a NIfTI file the label table that TotalSegmentator writes.

    Raises
    ------
    UsageError, InputError
        As :func:`load`, and if the values are no labels.
    """
    from isocenter.formats.description import segments_of

    image = _loaded(path)
    return image if isinstance(image, Segmentation) else segments_of(image)


def save(image: Volume | Segmentation, path: str | os.PathLike[str]) -> None:
    """Write an image as the ending of the file's name says; an existing file is replaced at the end.

    Raises
    ------
    UsageError
        If this is no image, the ending is unknown, the folder is missing or closed, or the format cannot hold it.
    TryLater
        If the disk is full.
    """
    expect(image, Volume, Segmentation)
    whole = _READ_ONLY.get(Path(path).suffix.lower())
    if whole is not None:
        raise UsageError(f"This format is written as one file, not as two: let its name end in {whole}.")
    _module(path).save(image, Path(path))


def _loaded(path: str | os.PathLike[str]) -> Volume | Segmentation:
    read: Callable[[Path], Volume | Segmentation] = _module(path).load
    file = Path(path)
    if not file.exists():
        raise UsageError(f"There is no file {file}.")
    try:
        return read(file)
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror or error}.") from error


def _module(path: str | os.PathLike[str]) -> Any:
    name = Path(path).name.lower()
    if Path(path).is_dir() and not name.endswith(tuple(_MODULES)):
        return importlib.import_module("isocenter.formats.pictures")
    for ending in sorted(_MODULES, key=len, reverse=True):
        if name.endswith(ending):
            return importlib.import_module(f"isocenter.formats.{_MODULES[ending]}")
    raise UsageError(f"The name {Path(path).name!r} ends in none of {', '.join(_MODULES)}. {_OF_DICOM}")

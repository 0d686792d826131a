"""One folder of pictures for each category, or a zip archive of them: the name of a folder is the category."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.layouts.pairing import each_once, image_files
from isocenter.errors import InputError

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")  # a folder of volumes is a patient more often than a category


def is_one(folder: Path) -> bool:
    """Whether a folder holds two or more folders with pictures, and nothing else lies in those."""
    below = [one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")]
    return len(below) > 1 and all(_is_category(one) for one in below)


def _is_category(folder: Path) -> bool:
    names = [one.name for one in folder.iterdir() if not one.name.startswith(".")]
    return bool(names) and all(name.lower().endswith(_PICTURES) for name in names)


def read(folder: Path) -> Dataset:
    """The data set of a folder of folders."""
    files = [path for below in sorted(folder.iterdir()) if below.is_dir() for path in image_files(below)]
    return _of(folder.name, files)


def read_archive(path: Path) -> Dataset:
    """The data set of a zip archive of folders; the pictures stay in it.

    Raises
    ------
    InputError
        If the archive is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
    except zipfile.BadZipFile as error:
        raise InputError(f"The archive {path.name} is damaged.") from error
    hidden = ("__MACOSX", ".")
    files = [
        path / name
        for name in names
        if name.name.lower().endswith(_PICTURES) and not any(part.startswith(hidden) for part in name.parts)
    ]
    return _of(path.stem, (file for file in files if file.parent != path))


def _of(name: str, files: Iterable[Path]) -> Dataset:
    """Cases named ``category/file``: names of files may repeat from folder to folder."""
    found, reasons = each_once(Case(f"{one.parent.name}/{one.name}", (one,), category=one.parent.name) for one in files)
    return Dataset(name, found, ("image",), categories=tuple(sorted({one.category for one in found})), reasons=reasons)

"""NPZ: the arrays of an image and its description as JSON. It holds all of a volume or segmentation."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isocenter.disk import replacing
from isocenter.errors import InputError
from isocenter.findings import Segmentation
from isocenter.formats import description
from isocenter.volume import Array, Volume


def arrays_of(image: Volume | Segmentation) -> Sequence[Array]:
    """The layers of a segmentation, or the one array of a volume."""
    return image.layers if isinstance(image, Segmentation) else (image.array,)


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write an uncompressed ``.npz``: ``array_0`` and so on, and ``description``, UTF-8 bytes of JSON."""
    said = np.frombuffer(description.text(description.everything(image)).encode(), np.uint8)
    named = {f"array_{i}": np.ascontiguousarray(array) for i, array in enumerate(arrays_of(image))}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, description=said, **named)


def load(path: Path) -> Volume | Segmentation:
    """Image of a ``.npz`` file that :func:`save` wrote."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError("The file is no NPZ archive of plain arrays, or is cut short.") from error
    said = description.parsed(members.pop("description", np.empty(0, np.uint8)).tobytes().decode("utf-8", "replace"))
    if said is None:
        raise InputError("The NPZ file has no description of where its voxels lie; only files saved by Isocenter do.")
    arrays = [members[f"array_{i}"] for i in range(len(members)) if f"array_{i}" in members]
    return description.image_of(said, arrays, description.grid_of(said))

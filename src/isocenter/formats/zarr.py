"""Zarr 3: a group of the arrays of an image, its description among the attributes. It holds all of an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from isocenter.disk import replacing
from isocenter.errors import InputError, MissingExtra
from isocenter.findings import Segmentation
from isocenter.formats import description
from isocenter.formats.numpy import arrays_of
from isocenter.volume import Volume

_CHUNK = (64, 128, 128)


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write a ``.zarr`` folder: arrays ``0`` and so on, in chunks of 64 x 128 x 128 voxels."""
    library = _library()
    with replacing(path) as temporary:
        group = library.open_group(str(temporary), mode="w")
        group.attrs[description.MAKER] = description.everything(image)
        for number, array in enumerate(arrays_of(image)):
            chunks = tuple(min(n, m) for n, m in zip(array.shape, (*_CHUNK, *array.shape[3:]), strict=True))
            group.create_array(str(number), data=np.ascontiguousarray(array), chunks=chunks)


def load(path: Path) -> Volume | Segmentation:
    """Image of a ``.zarr`` folder that :func:`save` wrote."""
    library = _library()
    try:
        group = library.open_group(str(path), mode="r")
        said: Any = dict(group.attrs).get(description.MAKER)
        arrays = [np.asarray(group[name][...]) for name in sorted(group.array_keys(), key=int)]
    except (ValueError, KeyError, TypeError, RuntimeError, FileNotFoundError) as error:
        raise InputError("The folder is no Zarr group of images, or is damaged.") from error
    if not isinstance(said, dict):
        raise InputError("The Zarr group does not say where its voxels lie; only groups saved by Isocenter do.")
    return description.image_of(said, arrays, description.grid_of(said))


def _library() -> Any:
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise MissingExtra("zarr", "zarr") from error
    return zarr

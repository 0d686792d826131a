"""OME-Zarr 0.5 on Zarr 3: a group of the arrays of an image, in chunks. It holds all of an image.

Other software finds axes, spacing and place as OME-NGFF 0.5 has them: a scale and a translation, along the axes of the
array, without their directions, for which it has no word. The exact affine, and all else there is to say, stands among
the attributes under ``isocenter``. OME-NGFF wants time and channel before space, so the axes on the disk are
(further, slice, row, column). Source: OME-NGFF 0.5 (ngff.openmicroscopy.org/0.5); Zarr core 3.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from isocenter.disk import replacing
from isocenter.errors import InputError
from isocenter.extras import needed
from isocenter.findings import Segmentation
from isocenter.formats import description
from isocenter.formats.numpy import arrays_of
from isocenter.geometry import Floats, Space
from isocenter.volume import Array, Volume

_CHUNK = (64, 128, 128)
_VERSION = "0.5"
_FAULTS = (ValueError, KeyError, TypeError, RuntimeError, FileNotFoundError, AttributeError)


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write a ``.zarr`` folder: array ``0``, and one more for each further layer of a segmentation."""
    with replacing(path) as temporary:
        arrays = arrays_of(image)
        made = create(image, temporary, count=len(arrays))
        for array, stored in zip(arrays, made, strict=True):
            stored[...] = np.ascontiguousarray(to_disk(array))


def load(path: Path) -> Volume | Segmentation:
    """Image of a ``.zarr`` folder that :func:`save` wrote."""
    said, stored = opened(path)
    try:
        arrays = [np.ascontiguousarray(from_disk(np.asarray(one[...]))) for one in stored]
    except _FAULTS as error:
        raise InputError("A chunk of the Zarr folder is damaged.") from error
    return description.image_of(said, arrays, description.grid_of(said))


def create(image: Volume | Segmentation, path: Path, *, count: int = 1) -> list[Any]:
    """A group at a path that says all of an image, and its arrays, still empty.

    A chunk that is missing on the disk later would read as zeros in silence, so the number of chunks is said too.
    """
    library = needed("zarr", "zarr")
    group = library.open_group(str(path), mode="w")
    axes = image.axes if isinstance(image, Volume) else ()
    if len(axes) < 2 or (len(axes) == 2 and axes[0] == "time"):  # else OME-NGFF has no order for them
        group.attrs["ome"] = _ome(image, count)
    describe(image, path)
    made = []
    for number in range(count):
        like = arrays_of(image)[number]
        shape = to_disk_shape(like.shape)
        chunks = (*(1 for _ in axes), *(min(n, m) for n, m in zip(shape[-3:], _CHUNK, strict=True)))
        names = [*_names(axes), "z", "y", "x"]
        made.append(
            group.create_array(
                str(number),
                shape=shape,
                dtype=like.dtype,
                chunks=chunks,
                dimension_names=names,
                config={"write_empty_chunks": True},
            )
        )
    return made


def describe(image: Volume | Segmentation, path: Path) -> None:
    """Write what there is to say of an image to the group at a path."""
    needed("zarr", "zarr").open_group(str(path), mode="a").attrs[description.MAKER] = description.everything(image)


def opened(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """The description of a ``.zarr`` folder and its arrays, on the disk still.

    Raises
    ------
    InputError
        If it is damaged, chunks are missing, or it does not say where its voxels lie.
    """
    library = needed("zarr", "zarr")
    try:
        group = library.open_group(str(path), mode="r")
        said: Any = dict(group.attrs).get(description.MAKER)
        arrays = [group[name] for name in sorted(group.array_keys(), key=int)]
        missing = sum(one.nchunks - one.nchunks_initialized for one in arrays)
    except _FAULTS as error:
        raise InputError("The folder is no Zarr group of images, or is damaged.") from error
    if not isinstance(said, dict) or not arrays:
        raise InputError("The Zarr group does not say where its voxels lie; only groups saved by Isocenter do.")
    if missing:
        raise InputError(f"The Zarr folder is damaged: {missing} of its chunks are missing.")
    return said, arrays


def to_disk(array: Array) -> Array:
    """(slice, row, column, axes) as (axes, slice, row, column)."""
    return np.moveaxis(array, (0, 1, 2), (-3, -2, -1))


def from_disk(array: Array) -> Array:
    """The inverse of :func:`to_disk`."""
    return np.moveaxis(array, (-3, -2, -1), (0, 1, 2))


def to_disk_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape on the disk of an array of a shape."""
    return (*shape[3:], *shape[:3])


def _ome(image: Volume | Segmentation, count: int) -> dict[str, Any]:
    """The metadata of OME-NGFF: each layer an image of one resolution."""
    grid = image.grid
    axes = image.axes if isinstance(image, Volume) else ()
    unit = {} if grid.space is Space.PIXEL else {"unit": "millimeter"}
    step = image.time_step_s if isinstance(image, Volume) else None
    kinds: list[dict[str, str]] = [
        {"name": name, "type": "time" if name == "time" else "channel"}
        | ({"unit": "second"} if name == "time" and step is not None else {})
        for name in _names(axes)
    ]
    along: Floats = np.linalg.inv(grid.direction) @ grid.origin_mm
    scale = [*(step if axis == "time" and step is not None else 1.0 for axis in axes), *grid.spacing_mm]
    shift = [*[0.0] * len(axes), *(float(part) for part in along)]
    transforms = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
    return {
        "version": _VERSION,
        "multiscales": [
            {
                "name": f"layer_{number}" if count > 1 else "image",
                "axes": [*kinds, *({"name": name, "type": "space", **unit} for name in "zyx")],
                "datasets": [{"path": str(number), "coordinateTransformations": transforms}],
            }
            for number in range(count)
        ],
    }


def _names(axes: tuple[str, ...]) -> list[str]:
    """Names of the further axes: of one that is not time, ``"channel"``, unless there are several."""
    others = [axis for axis in axes if axis != "time"]
    return ["channel" if axis == "color" and len(others) == 1 else axis for axis in axes]

"""NPZ: the arrays of an image and its description in one file. NPY: one array, its description as JSON beside it.

Both hold all of an image. ``image.npy`` can be memory-mapped; ``image.npy.json`` beside it carries a checksum, so that
neither is taken for part of another image. Without it the size of a voxel is unknown, and no place is made up.
"""

from __future__ import annotations

import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.disk import replacing
from isocenter.errors import InputError
from isocenter.findings import Segmentation
from isocenter.formats import description, writing
from isocenter.formats.meaning import unplaced
from isocenter.volume import Array, Volume

_CHECK = "crc32"
_FAULTS = (ValueError, EOFError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile)  # of NumPy, at damaged headers


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write an uncompressed ``.npz``, or ``.npy`` with its ``.npy.json``."""
    save_with_sidecar(image, path) if path.suffix.lower() == ".npy" else _save_archive(image, path)


def load(path: Path) -> Volume | Segmentation:
    """Image of a ``.npz`` that :func:`save` wrote, or of any ``.npy`` of numbers."""
    return _load_single(path) if path.suffix.lower() == ".npy" else _load_archive(path)


def arrays_of(image: Volume | Segmentation) -> Sequence[Array]:
    """The layers of a segmentation, or the one array of a volume."""
    return image.layers if isinstance(image, Segmentation) else (image.array,)


def stacked(image: Volume | Segmentation) -> Array:
    """The one array, or several layers along a fourth axis, in a type of whole numbers that holds all their labels."""
    arrays = arrays_of(image)
    if len(arrays) == 1:
        return arrays[0]
    kind = np.result_type(*arrays)  # real, of labels with and without a sign in 64 bits
    return np.stack(arrays, axis=3, dtype=kind if kind.kind in "ui" else np.dtype(np.uint64), casting="unsafe")


# --- NPZ -------------------------------------------------------------------------------------------------------------


def _save_archive(image: Volume | Segmentation, path: Path) -> None:
    said = np.frombuffer(description.text(description.everything(image)).encode(), np.uint8)
    named = {f"array_{i}": np.ascontiguousarray(array) for i, array in enumerate(arrays_of(image))}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, description=said, **named)


def _load_archive(path: Path) -> Volume | Segmentation:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
    except (*_FAULTS, NotImplementedError, zlib.error) as error:
        raise InputError("The file is no NPZ archive of plain arrays, or is cut short.") from error
    said = description.parsed(members.pop("description", np.empty(0, np.uint8)).tobytes().decode("utf-8", "replace"))
    if said is None:
        raise InputError("The NPZ file has no description of where its voxels lie; only files saved by Isocenter do.")
    arrays = [members[f"array_{i}"] for i in range(len(members)) if f"array_{i}" in members]
    return description.image_of(said, arrays, description.grid_of(said))


# --- NPY -------------------------------------------------------------------------------------------------------------


def save_with_sidecar(image: Volume | Segmentation, path: Path) -> None:
    """Write ``.npy`` and its ``.npy.json``; overlapping layers of a segmentation as a fourth axis."""
    array = np.ascontiguousarray(stacked(image))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    write_sidecar(image, path, checksum(array))


def write_sidecar(image: Volume | Segmentation, path: Path, check: str) -> None:
    """Write the ``.npy.json`` that says what the values of a ``.npy`` with a checksum are and where they lie."""
    said = {**description.everything(image), _CHECK: check}
    writing.write(sidecar_of(path), [description.text(said).encode()])


def sidecar_of(path: Path) -> Path:
    """Where the description of a ``.npy`` lies."""
    return path.with_name(path.name + ".json")


def checksum(array: Array) -> str:
    """CRC-32 of an array's bytes in C order, in hexadecimal."""
    import imagecodecs

    data: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return f"{imagecodecs.deflate_crc32(data):08x}"


def mapped(path: Path) -> tuple[Array, dict[str, Any] | None]:
    """The array of a ``.npy`` file, on the disk still, and its description, if it has one of ours.

    Raises
    ------
    InputError
        If it is damaged, holds no numbers, or the two do not belong together as far as their headers say.
    """
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _FAULTS as error:
        raise InputError("The file is no NPY file of plain numbers, or is cut short.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif" or array.ndim < 2 or not array.size:
        raise InputError("The file holds no array of numbers of two dimensions or more.")
    beside = sidecar_of(path)
    if not beside.is_file():
        return array, None
    said = description.parsed(beside.read_text(encoding="utf-8", errors="replace"))
    if said is None:
        raise InputError(f"{beside.name} is damaged, so nothing says what the values of {path.name} are.")
    return array, said


def reserved(path: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    """A new ``.npy`` to be filled, mapped into memory.

    Its room on the disk is taken now: where there is none, that is an error to catch and no crash while it is filled.
    """
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        end = file.tell() + math.prod(shape) * dtype.itemsize
        file.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, end)
        else:
            file.truncate(end)
    return np.load(path, mmap_mode="r+", allow_pickle=False)


def unsaid(array: Array, name: str) -> Volume:
    """Volume of an array without a description; two dimensions are one slice, those after three are channels."""
    stack = array[None] if array.ndim == 2 else array
    return unplaced(stack, axes=tuple(f"channel_{number}" for number in range(1, stack.ndim - 2)), name=name)


def _load_single(path: Path) -> Volume | Segmentation:
    array, said = mapped(path)
    array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    if said is None:
        return unsaid(array, path.name)
    if said.pop(_CHECK, None) != checksum(array):
        raise InputError(f"{path.name} and {path.name}.json do not belong together, or one of them is damaged.")
    is_layered = said.get("kind") == "segmentation" and array.ndim == 4
    layers = [np.ascontiguousarray(layer) for layer in np.moveaxis(array, 3, 0)] if is_layered else [array]
    return description.image_of(said, layers, description.grid_of(said))

"""Pictures: a multi-page TIFF, a folder of PNG or TIFF slices, a photograph. Values are kept, 16 bits and all.

A TIFF carries the description of its image in its first page (tag ImageDescription); a folder of slices has
``isocenter.json`` beside them. Without it nothing says where the pictures lie or how large a pixel is: the volume is in
pixels, slices stand in the order of the numbers in their names, and both are told.
Source: TIFF 6.0, PNG (W3C, third edition); tifffile and imagecodecs do the decoding.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isocenter.disk import replacing, write_synced
from isocenter.errors import InputError, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.formats import description
from isocenter.formats.meaning import unplaced
from isocenter.formats.numpy import arrays_of
from isocenter.geometry import Space
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

TIFF = (".tif", ".tiff")
ENDINGS = (*TIFF, ".png", ".jpg", ".jpeg")
SIDECAR = "isocenter.json"

_COLORS = {3: "rgb", 4: "rgb"}
_COLORS_READ = ("MINISBLACK", "RGB")
_SLICES = "ZIQ"  # what tifffile calls an axis of slices, or of pages of which nothing is said
_ORIENTATION = 274  # tag of TIFF and EXIF: where the first row and column of what is stored are shown
_EXIF_ENDS = 1 << 16  # bytes
_FIRST_AT = {1: "TL", 2: "TR", 3: "BR", 4: "BL", 5: "LT", 6: "RT", 7: "RB", 8: "LB"}  # first row, or column, of each
_CM = 10.0  # millimetres
_MARK = "isocenter "  # tifffile takes a text that begins as JSON for its own


# --- reading ---------------------------------------------------------------------------------------------------------


def load(path: Path) -> Volume | Segmentation:
    """Image of a TIFF of one or more pages, of one PNG or JPEG, or of a folder of slices."""
    if path.is_dir():
        return _load_folder(path)
    array, said = _decoded(path)
    if said is None:
        return unplaced(array, axes=_axes(array), name=path.name)
    return description.image_of(said, [array], description.grid_of(said))


def _load_folder(folder: Path) -> Volume | Segmentation:
    sidecar = folder / SIDECAR
    if not sidecar.is_file():
        names, reasons = _ordered(folder)
        stack = _stacked(folder, names)
        return unplaced(stack, axes=_axes(stack), name=folder.name).with_reasons(reasons)
    said = description.parsed(sidecar.read_text(encoding="utf-8", errors="replace"))
    if said is None or not isinstance(said.get("files"), list):
        raise InputError(f"{SIDECAR} is damaged, so nothing says what the pictures beside it are.")
    stored = _stacked(folder, [Path(str(name)).name for name in said["files"]])
    try:
        shifted = stored.astype(np.int64) + int(said["offset"]) if said["offset"] else stored
        array = shifted.astype(np.dtype(said["dtype"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{SIDECAR} is damaged: it does not say how the values are stored.") from error
    return description.image_of(said, [array], description.grid_of(said))


def _ordered(folder: Path) -> tuple[list[str], tuple[Reason, ...]]:
    """The pictures of a folder in the order of the numbers in their names, and what is to say about these."""
    names = [entry.name for entry in folder.iterdir() if entry.suffix.lower() in ENDINGS and entry.name[0] != "."]
    if not names:
        raise UsageError(
            f"There is no picture in {folder}: none of its files ends in {', '.join(ENDINGS)}. "
            "DICOM is read by isocenter.read(isocenter.scan(path)[0])."
        )
    keys = {name: tuple((int(part), "") if part.isdigit() else (-1, part) for part in _split(name)) for name in names}
    if len(set(keys.values())) < len(names) or len({Path(name).suffix.lower() for name in names}) > 1:
        raise InputError(f"The pictures in {folder.name} are no one stack: their numbers or kinds are ambiguous.")
    ordered = sorted(names, key=lambda name: keys[name])
    last = [[part for part in _split(Path(name).stem) if part.isdigit()][-1:] for name in ordered]
    numbers = [int(number[0]) for number in last if number]
    steps = {b - a for a, b in pairwise(numbers)}
    if len(numbers) == len(names) and steps <= {1}:
        return ordered, ()
    text = "The numbers in the names of the pictures do not run one by one: a slice may be missing or misplaced."
    return ordered, (Reason("SLICE_NUMBERS_SKIP", text, (folder.name,)),)


def _split(name: str) -> list[str]:
    return [part for part in re.split(r"(\d+)", name) if part]


def _stacked(folder: Path, names: Sequence[str]) -> Array:
    """(slice, row, column) or (slice, row, column, sample) of pictures of one size and type."""
    if not names:
        raise InputError(f"{SIDECAR} is damaged: it names no picture.")
    first = _slice(folder / names[0])
    stack = np.empty((len(names), *first.shape), first.dtype)
    for number, name in enumerate(names):
        one = first if number == 0 else _slice(folder / name)
        if (one.shape, one.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"The pictures in {folder.name} are no one stack: {name} is {_size(one)}, the first is {_size(first)}."
            )
        stack[number] = one
    return stack


def _size(array: Array) -> str:
    return f"{' x '.join(map(str, array.shape))} of {array.dtype}"


def _slice(path: Path) -> Array:
    if not path.is_file():
        raise InputError(f"The picture {path.name} is missing.")
    array, _ = _decoded(path)
    if array.shape[0] != 1:
        raise InputError(f"{path.name} holds {array.shape[0]} pages, so it is no slice: name it alone.")
    one: Array = array[0]
    return one


def _decoded(path: Path) -> tuple[Array, dict[str, Any] | None]:
    """(slice, row, column[, sample]) of a file, and its description if it has one of ours."""
    import imagecodecs

    if path.suffix.lower() in TIFF:
        return _decoded_tiff(path)
    try:
        content = path.read_bytes()
        is_png = path.suffix.lower() == ".png"
        array = np.asarray((imagecodecs.png_decode if is_png else imagecodecs.jpeg_decode)(content))
        orientation = 1 if is_png else _orientation(content)
    except OSError:
        raise
    except Exception as error:
        raise InputError(f"The picture {path.name} is damaged, or is none of its kind.") from error
    if not is_png and array.shape[2:] == (4,):
        raise InputError(f"{path.name} holds CMYK values; grey and RGB are read: convert it first.")
    return _checked(_upright(array[None], orientation), path.name), None


def _orientation(content: bytes) -> int:
    """That of a JPEG, by its Exif."""
    from PIL.Image import Exif

    begin, found = content.find(b"Exif\0\0", 0, _EXIF_ENDS), Exif()
    if begin >= 0:
        found.load(content[begin : begin + _EXIF_ENDS])
    return int(found.get(_ORIENTATION, 1))


def _upright(array: Array, orientation: int) -> Array:
    """(slice, row, column[, sample]) as they are to be shown, by the orientation that the file states (TIFF 6.0)."""
    first = _FIRST_AT.get(orientation, "TL")
    turned = array.swapaxes(1, 2) if first[0] in "LR" else array
    flipped = tuple(axis for axis, side in ((1, "B"), (2, "R")) if side in first)
    return np.ascontiguousarray(np.flip(turned, flipped))


def _decoded_tiff(path: Path) -> tuple[Array, dict[str, Any] | None]:
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what is raised below
    try:
        with tifffile.TiffFile(path) as file:
            _refuse_unlike(file, path)
            series = file.series[0]
            array, axes, said = series.asarray(), series.axes, str(file.pages.first.description)
            orientation = int(file.pages.first.tags.valueof(_ORIENTATION, 1))
    except (OSError, InputError):
        raise
    except Exception as error:
        raise InputError(f"{path.name} is no TIFF image, or is damaged.") from error
    has_samples = axes.endswith("S")
    count = array.ndim - has_samples
    if count not in (2, 3) or axes[count - 2 : count] != "YX" or (count == 3 and axes[0] not in _SLICES):
        raise InputError(f"{path.name} has the axes {axes}; a stack has rows, columns, slices and samples alone.")
    stack = _upright(array[None] if count == 2 else array, orientation)
    return _checked(stack, path.name), description.parsed(said.removeprefix(_MARK))


def _refuse_unlike(file: Any, path: Path) -> None:
    """Pages that are no one stack, or lack data, which would be filled with zeros in silence."""
    if len(file.series) != 1:
        raise InputError(f"{path.name} is no one stack: its pages differ in size or type.")
    kind, packing = file.pages.first.photometric.name, file.pages.first.compression.name
    if kind not in _COLORS_READ and (kind, packing) != ("YCBCR", "JPEG"):  # these come out of the decoder as RGB
        raise InputError(f"{path.name} holds {kind} values; grey (0 is black) and RGB are read: convert it first.")
    size = path.stat().st_size
    for page in file.pages:
        ends = [at + n for at, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not ends or max(ends) > size or min(page.databytecounts) == 0:
            raise InputError(f"{path.name} is cut short: it holds fewer pixels than its header says.")


def _axes(array: Array) -> tuple[str, ...]:
    return ("color",) if array.ndim == 4 else ()


def _checked(array: Array, name: str) -> Array:
    samples = array.shape[3] if array.ndim == 4 else 1
    if array.dtype.kind not in "buif" or array.ndim not in (3, 4) or not array.size or samples > 4:
        raise InputError(f"{name} holds values that are not read: {array.dtype} in {samples} samples.")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


# --- writing ---------------------------------------------------------------------------------------------------------


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write a ``.tif`` of one page per slice, deflated."""
    if path.suffix.lower() not in TIFF:
        raise UsageError("Slices are written as one .tif, or into a folder of .png by save_slices.")
    with replacing(path) as temporary, temporary.open("wb") as file:
        _write_tiff(file, _plain(image), image)


def save_slices(
    image: Volume | Segmentation, folder: str | os.PathLike[str], *, kind: Literal["png", "tif"] = "png"
) -> tuple[Path, ...]:
    """Write a folder of one picture per slice, ``0001.png`` and so on in array order, and ``isocenter.json``.

    An existing folder is replaced at the end if it is one of these, and left alone otherwise. PNG holds whole numbers
    from 0 to 65,535: where an image has lower ones, 32,768 is added to all, and ``isocenter.json`` says so.

    Returns
    -------
    The pictures.

    Raises
    ------
    UsageError
        If the folder holds something else, or the format cannot hold the values.
    TryLater
        If the disk is full.
    """
    expect(image, Volume, Segmentation)
    if kind not in ("png", "tif"):
        raise UsageError(f"Slices are written as 'png' or 'tif', not {kind!r}.")
    target = Path(folder)
    if target.exists() and not (target / SIDECAR).is_file():
        raise UsageError(f"{target} is there already and is no folder of slices of ours: name another.")
    array = _plain(image)
    stored, offset = _whole(array) if kind == "png" else (array, 0)
    names = [f"{number:0{max(4, len(str(len(stored))))}}.{kind}" for number in range(1, len(stored) + 1)]
    dtype = arrays_of(image)[0].dtype.newbyteorder("=").str
    said = {**description.everything(image), "files": names, "offset": offset, "dtype": dtype}
    with replacing(target) as temporary:
        temporary.mkdir(parents=True)
        for name, values in zip(names, stored, strict=True):
            _write_slice(temporary / name, values, image)
        write_synced(temporary / SIDECAR, description.text(said).encode())
    return tuple(target / name for name in names)


def _write_slice(path: Path, values: Array, image: Volume | Segmentation) -> None:
    import imagecodecs

    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(values), level=1))
        return
    with path.open("wb") as file:
        _write_tiff(file, values[None], replace(image, reasons=()), is_whole=False)


def _write_tiff(file: Any, array: Array, image: Volume | Segmentation, *, is_whole: bool = True) -> None:
    import tifffile

    pixel = image.grid.spacing_mm
    size = {} if image.grid.space is Space.PIXEL else {"resolution": (_CM / pixel[2], _CM / pixel[1])}
    tifffile.imwrite(
        file,
        array,
        photometric=_COLORS[array.shape[3]] if array.ndim == 4 else "minisblack",
        compression="zlib",
        compressionargs={"level": 1},
        description=_MARK + description.text(description.everything(image)) if is_whole else None,
        metadata=None,
        software=False,
        **({**size, "resolutionunit": "CENTIMETER"} if size else {}),
    )


def _plain(image: Volume | Segmentation) -> Array:
    """The array, if it is one of grey or color slices."""
    arrays = arrays_of(image)
    axes = image.axes if isinstance(image, Volume) else ()
    array = arrays[0]
    if len(arrays) > 1 or axes not in ((), ("color",)) or (axes and array.shape[3] not in _COLORS):
        raise UsageError("Pictures hold slices of grey or RGB values: take other axes or layers out first.")
    if array.dtype.kind not in "buif":
        raise UsageError(f"Pictures hold integers and floats, not {array.dtype}.")
    return array.view(np.uint8) if array.dtype == np.bool_ else array


def _whole(array: Array) -> tuple[Array, int]:
    """Values as PNG holds them, and what is to be added to have them back."""
    low, high = array.min(), array.max()
    if array.dtype.kind not in "ui" or low < -32768 or high > (65535 if low >= 0 else 32767):
        raise UsageError("PNG holds whole numbers of 16 bits: window or rescale the image first, or write .tif.")
    if low >= 0:
        return array.astype(np.uint8 if array.dtype.itemsize == 1 else np.uint16, copy=False), 0
    return (array.astype(np.int32) + 32768).astype(np.uint16), -32768

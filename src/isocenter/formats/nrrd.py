"""NRRD: read by pynrrd, written by hand (a text header and gzip), with the fields by which 3D Slicer names segments.

Source: Definition of the NRRD File Format (teem.sourceforge.net/nrrd/format.html); the Slicer segmentation fields.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.bridges import grid_from_lps, lps_affine
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.formats import description, writing
from isocenter.formats.meaning import UNSAID
from isocenter.formats.numpy import stacked
from isocenter.geometry import Floats, Space
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

_SIGNS = {"left": 1, "right": -1, "posterior": 1, "anterior": -1, "superior": 1, "inferior": -1}
_SHORT = {"lps": "left-posterior-superior", "ras": "right-anterior-superior", "las": "left-anterior-superior"}
_NAMES = {"i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32", "i8": "int64"}
_TYPES = {**_NAMES, "u8": "uint64", "f4": "float", "f8": "double"}
_COLORS = ("RGB-color", "RGBA-color", "3-color", "4-color")


# --- reading ---------------------------------------------------------------------------------------------------------


def load(path: Path) -> Volume | Segmentation:
    """Image of a ``.nrrd`` or ``.nhdr`` file; a list, vector or time axis becomes a further axis."""
    data, header = _read(path)
    directions = _directions(header, data.ndim)
    spatial = [axis for axis in range(data.ndim) if np.isfinite(directions[axis]).all()]
    if len(spatial) != 3:
        raise InputError(f"The file has {len(spatial)} spatial axes; three are needed.")
    further = [axis for axis in reversed(range(data.ndim)) if axis not in spatial]  # fastest in the file: last
    array = np.ascontiguousarray(data.transpose(*spatial[::-1], *further), dtype=data.dtype.newbyteorder("="))
    signs, reasons = _signs(header, path.name)
    affine = np.eye(4)
    affine[:3, :3] = signs[:, None] * directions[spatial].T
    affine[:3, 3] = signs * np.asarray(header.get("space origin", (0, 0, 0)), float)
    grid = grid_from_lps(affine, [data.shape[axis] for axis in spatial])
    said = description.parsed(header.get(description.MAKER, ""))
    if said is not None and "grid" in said:
        grid, reasons = description.grid_of(said), ()
    if said is not None:
        layers = [array[..., i] for i in range(array.shape[3])] if array.ndim == 4 else [array]
        arrays = [np.ascontiguousarray(layer) for layer in layers] if said.get("kind") == "segmentation" else [array]
        return description.image_of(said, arrays, grid, reasons=reasons)
    return Volume(array, grid, UNSAID, _axes(header, further), reasons=reasons)


def _read(path: Path) -> tuple[Array, dict[str, Any]]:
    import nrrd

    try:
        data, header = nrrd.read(str(path))
    except (nrrd.NRRDError, ValueError, TypeError, LookupError, EOFError, StopIteration, zlib.error) as error:
        raise InputError(f"The file is no readable NRRD image: {error or 'it is empty'}.") from error
    if data.dtype.kind not in "uif" or data.size == 0:
        raise InputError(f"The file's data type {data.dtype} is not read.")
    if data.dtype == np.int64 and np.iinfo(np.int32).min <= data.min() and data.max() <= np.iinfo(np.int32).max:
        data = data.astype(np.int32)
    return data, dict(header)


def _directions(header: dict[str, Any], count: int) -> Floats:
    """(count, 3) world vector of each axis of the file; NaN for an axis that is not spatial."""
    if "space directions" in header:
        return np.array([[np.nan] * 3 if row is None else row for row in header["space directions"]], float)
    spacings = np.asarray(header.get("spacings", [1.0] * count), float)
    spatial = [axis for axis in range(count) if np.isfinite(spacings[axis])][:3]
    rows: Floats = np.full((count, 3), np.nan)
    for world, axis in enumerate(spatial):
        rows[axis] = np.eye(3)[world] * spacings[axis]
    return rows


def _signs(header: dict[str, Any], name: str) -> tuple[Floats, tuple[Reason, ...]]:
    """Sign of each world axis of the file in LPS, and what had to be guessed about the place."""
    space = str(header.get("space", "")).lower()
    words = _SHORT.get(space, space).removesuffix("-time").split("-")
    if len(words) == 3 and all(word in _SIGNS for word in words):
        if "space directions" in header and "space origin" in header:
            return np.array([_SIGNS[word] for word in words], float), ()
        text = "The file does not say where its first voxel or its axes lie; the origin or straight axes were taken."
        return np.array([_SIGNS[word] for word in words], float), (Reason("FRAME_GUESSED", text, (name,)),)
    text = "The file does not say how its space lies in the patient; left-posterior-superior was taken."
    return np.ones(3), (Reason("FRAME_GUESSED", text, (name,)),)


def _axes(header: dict[str, Any], further: list[int]) -> tuple[str, ...]:
    kinds = header.get("kinds", [])
    names = []
    for axis in further:
        kind = kinds[axis] if axis < len(kinds) else ""
        names.append("color" if kind in _COLORS else "time" if kind == "time" else "channel")
    return tuple(name if names.count(name) == 1 else f"{name}_{i}" for i, name in enumerate(names))


# --- writing ---------------------------------------------------------------------------------------------------------


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write ``.nrrd`` in LPS, gzip-compressed."""
    array = stacked(image)
    array = array.view(np.uint8) if array.dtype == np.bool_ else array
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    if array.dtype.str[1:] not in _TYPES or array.ndim > 5:
        raise UsageError(f"NRRD is written of up to five axes of integers or floats, not {array.dtype}.")
    head = "\n".join(_lines(image, array)) + "\n\n"
    writing.write(path, [head.encode(), *writing.gzipped([array.data.cast("B")])])


def _lines(image: Volume | Segmentation, array: Array) -> list[str]:
    """Header; a further axis lies fastest in the file, as it does in the array."""
    affine = lps_affine(image.grid)
    vectors = ["(" + ",".join(repr(float(x)) for x in affine[:3, axis]) + ")" for axis in range(3)]
    further = image.axes if isinstance(image, Volume) else ("list",) * (array.ndim - 3)
    extra = [_kind(axis, n) for axis, n in zip(further, array.shape[3:], strict=True)][::-1]
    lines = [
        "NRRD0005",
        f"type: {_TYPES[array.dtype.str[1:]]}",
        f"dimension: {array.ndim}",
        "space: left-posterior-superior" if image.grid.space is Space.PATIENT else "space dimension: 3",
        "sizes: " + " ".join(str(n) for n in array.shape[::-1]),
        "space directions: " + " ".join(["none"] * len(extra) + vectors),
        "kinds: " + " ".join(extra + ["domain"] * 3),
        "endian: little",
        "encoding: gzip",
        "space origin: (" + ",".join(repr(float(x)) for x in affine[:3, 3]) + ")",
    ]
    return [*lines, *_slicer_fields(image), f"{description.MAKER}:=" + description.text(description.meaning(image))]


def _kind(axis: str, size: int) -> str:
    if axis == "color" and size in (3, 4):
        return "RGB-color" if size == 3 else "RGBA-color"
    return "list"


def _slicer_fields(image: Volume | Segmentation) -> list[str]:
    if not isinstance(image, Segmentation):
        return []
    fields = []
    for number, segment in enumerate(image.segments):
        color = " ".join(f"{value / 255:.4f}" for value in segment.color)
        title = re.sub(r"\s+", " ", segment.title)
        pairs = {"ID": segment.name, "Name": title, "LabelValue": segment.label, "Layer": segment.layer, "Color": color}
        fields += [f"Segment{number}_{key}:={value}" for key, value in pairs.items()]
    return fields

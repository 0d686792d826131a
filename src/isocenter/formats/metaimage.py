"""MetaImage (``.mha``, ``.mhd``), the format of ITK, read and written byte by byte.

Its direction matrix need not be orthogonal, so it holds sheared grids too, and ITK places them rightly. What else there
is to say of an image stands as JSON in fields of our own, which other software skips.
Source: MetaIO (itk.org/Wiki/MetaIO/Documentation), and ITK's reader where the two differ.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.bridges import grid_from_lps, lps_affine
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.formats import description, inflating, writing
from isocenter.formats.meaning import UNSAID
from isocenter.formats.numpy import stacked
from isocenter.geometry import Floats, Grid, Space
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_READ_TYPES = {**_TYPES, "MET_LONG": "i4", "MET_ULONG": "u4"}
_ORIGIN = ("Offset", "Position", "Origin")
_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_SPACING = ("ElementSpacing", "ElementSize")
_MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_NM": "NM", "MET_MOD_US": "US"}
_LONGEST_HEADER = 1 << 24
_LONGEST_FIELD = 30_000  # characters; ITK takes up to 32,767
_COMPONENTS = ("color", "channel")

Fields = dict[str, str]


# --- reading ---------------------------------------------------------------------------------------------------------


def load(path: Path) -> Volume | Segmentation:
    """Image of a ``.mha`` or ``.mhd`` file; a fourth dimension is time, several channels are a further axis."""
    fields, rest = _header(path)
    sizes = [int(n) for n in _numbers(fields, ("DimSize",))]
    if int(_number(fields, "NDims", 0)) != len(sizes) or not 2 <= len(sizes) <= 5 or min(sizes) < 1:
        raise InputError("The MetaImage header is damaged: DimSize does not hold two to five positive sizes.")
    array = _voxels(fields, sizes, _data(path, fields, rest))
    grid, reasons = _grid(fields, sizes, path.name)
    said = description.parsed(_own(fields))
    if said is not None and "grid" in said:
        grid, reasons = description.grid_of(said), ()
    if said is not None:
        layers = list(np.moveaxis(array, 3, 0)) if said.get("kind") == "segmentation" and array.ndim == 4 else [array]
        return description.image_of(said, [np.ascontiguousarray(layer) for layer in layers], grid, reasons=reasons)
    axes = ("time", "time_2")[: max(0, len(sizes) - 3)]
    modality = _MODALITIES.get(fields.get("Modality", ""), "")
    named = (*axes, "channel") if array.ndim > 3 + len(axes) else axes
    return Volume(array, grid, UNSAID, named, modality, reasons=reasons)


def _header(path: Path) -> tuple[Fields, bytes]:
    """The fields of a file, and the bytes after them."""
    content = path.read_bytes()
    fields: Fields = {}
    place = 0
    while "ElementDataFile" not in fields:
        end = content.find(b"\n", place, _LONGEST_HEADER)
        name, equals, value = content[place:end].decode("latin-1").partition("=")
        if end < 0 or not equals:
            raise InputError("The file is no MetaImage: its header has no line ElementDataFile.")
        is_own = name.startswith(description.MAKER)  # a piece may begin or end with a blank
        fields[name.strip()] = value[1:] if is_own else value.strip()
        place = end + 1
    if fields.get("ObjectType", "Image") != "Image":
        raise InputError(f"The file holds a MetaIO {fields['ObjectType']}, not an image.")
    return fields, content[place:]


def _numbers(fields: Fields, names: tuple[str, ...]) -> list[float]:
    """Numbers of the first of the fields that is there; none without any."""
    text = next((fields[name] for name in names if name in fields), "")
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        found = [np.nan]
    if not np.isfinite(found).all():
        raise InputError(f"The MetaImage header is damaged: {names[0]} holds {text[:40]!r}.")
    return found


def _number(fields: Fields, name: str, default: float) -> float:
    found = _numbers(fields, (name,))
    return found[0] if found else default


def _data(path: Path, fields: Fields, rest: bytes) -> bytes:
    """The bytes of the voxels as they are stored: behind the header, or in a file beside it."""
    name = fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return rest
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError("A MetaImage of one file per slice is not read: save it as one file first.")
    if Path(name).name != name:
        raise InputError("The MetaImage's voxels lie in another folder: put both files into one.")
    beside = path.with_name(name)
    if not beside.is_file():
        raise InputError(f"The MetaImage's voxels are missing: {name} does not lie beside {path.name}.")
    content = beside.read_bytes()
    skipped = int(_number(fields, "HeaderSize", 0))
    return content[skipped:] if skipped >= 0 else content


def _voxels(fields: Fields, sizes: list[int], data: bytes) -> Array:
    """Values (slice, row, column, *further, channel)."""
    if _is(fields, "BinaryData", "True", "False") != "True":
        raise InputError("A MetaImage whose values are written as text is not read.")
    kind = fields.get("ElementType", "")
    if kind not in _READ_TYPES:
        raise InputError(f"The MetaImage's type of values {kind[:40]!r} is not read.")
    order = ">" if "True" in (_is(fields, name, "False") for name in _MSB) else "<"
    dtype = np.dtype(order + _READ_TYPES[kind])
    channels = int(_number(fields, "ElementNumberOfChannels", 1))
    count = int(np.prod([*sizes, channels], dtype=object))
    if channels < 1:
        raise InputError("The MetaImage header is damaged: it has no channel.")
    if _is(fields, "CompressedData", "False") == "True":
        size = int(_number(fields, "CompressedDataSize", len(data)))
        data = inflating.unzlibbed(data[:size], count * dtype.itemsize)
    elif int(_number(fields, "HeaderSize", 0)) == -1:
        data = data[max(0, len(data) - count * dtype.itemsize) :]
    if len(data) < count * dtype.itemsize:
        raise InputError("The file is cut short: it holds fewer voxels than its header says.")
    raw = np.frombuffer(data, dtype, count).reshape([*sizes[::-1], *([channels] if channels > 1 else [])])
    further = max(0, len(sizes) - 3)
    raw = raw[None] if len(sizes) == 2 else np.moveaxis(raw, range(further), range(further + 2, 2, -1))
    return np.ascontiguousarray(raw, dtype=dtype.newbyteorder("="))


_MSB = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")


def _is(fields: Fields, name: str, *default: str) -> str:
    """``"True"`` or ``"False"``, as ITK takes it: by the first letter."""
    value = fields.get(name, default[-1])
    return "True" if value[:1] in ("T", "t", "1") else "False"


def _grid(fields: Fields, sizes: list[int], name: str) -> tuple[Grid, tuple[Reason, ...]]:
    count = len(sizes)
    found = {
        "spacing": _numbers(fields, _SPACING),
        "origin": _numbers(fields, _ORIGIN),
        "axes": _numbers(fields, _MATRIX),
    }
    for what, numbers in found.items():
        if len(numbers) not in (0, count * count if what == "axes" else count):
            raise InputError(f"The MetaImage header is damaged: it has {len(numbers)} numbers for the {what}.")
    spacing = found["spacing"] or [1.0] * count
    if count == 2:
        flat, space = np.diag([1.0, spacing[1], spacing[0], 1.0])[[2, 1, 0, 3]], Space.PLANE
        return Grid((1, sizes[1], sizes[0]), flat, space=space if found["spacing"] else Space.PIXEL), ()
    affine = _affine(spacing, found["origin"] or [0.0] * count, found["axes"])
    grid = grid_from_lps(affine, sizes[:3])
    missing = [what for what, numbers in found.items() if not numbers]
    if not missing:
        return grid, ()
    text = f"The file does not say its {' and '.join(missing)}; 1 mm, 0 or straight axes were taken."
    return grid, (Reason("FRAME_GUESSED", text, (name,)),)


def _affine(spacing: list[float], origin: list[float], matrix: list[float]) -> Floats:
    """(4, 4) from (column, row, slice) to LPS; each row of the file's matrix is the direction of one axis."""
    count = len(spacing)
    rows = np.reshape(matrix, (count, count)) if matrix else np.eye(count)
    affine: Floats = np.eye(4)
    affine[:3, :3] = rows[:3, :3].T * spacing[:3]
    affine[:3, 3] = origin[:3]
    return affine


def _own(fields: Fields) -> str:
    """Our description, which stands in numbered fields."""
    parts = {name: value for name, value in fields.items() if re.fullmatch(rf"{description.MAKER}_\d+", name)}
    return "".join(parts[name] for name in sorted(parts, key=lambda name: int(name.rpartition("_")[2])))


# --- writing ---------------------------------------------------------------------------------------------------------


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write ``.mha``, zlib-compressed: ``"color"`` and ``"channel"`` as channels, other further axes as dimensions."""
    array = stacked(image)
    array = array.view(np.uint8) if array.dtype == np.bool_ else array
    axes = image.axes if isinstance(image, Volume) else ("channel",) * (array.ndim - 3)
    has_channels = bool(axes) and axes[-1] in _COMPONENTS and array.shape[-1] > 1
    slow = len(axes) - has_channels
    kinds = {code: name for name, code in _TYPES.items()}
    if array.dtype.str[1:] not in kinds or slow > 2:
        raise UsageError(f"MetaImage is written of integers or floats on up to five dimensions, not {array.dtype}.")
    data = np.ascontiguousarray(
        np.moveaxis(array, range(3, 3 + slow), range(slow - 1, -1, -1)), array.dtype.newbyteorder("<")
    )
    packed = list(writing.zlibbed([data.data.cast("B")]))
    sizes = data.shape[: data.ndim - has_channels][::-1]
    lines = _lines(image, sizes, data.shape[-1] if has_channels else 1)
    lines += [f"CompressedDataSize = {sum(map(len, packed))}", f"ElementType = {kinds[array.dtype.str[1:]]}"]
    head = "\n".join([*lines, "ElementDataFile = LOCAL", ""])
    writing.write(path, [head.encode("ascii"), *packed])


def _lines(image: Volume | Segmentation, sizes: tuple[int, ...], channels: int) -> list[str]:
    count = len(sizes)
    affine = lps_affine(image.grid)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    matrix = np.eye(count)
    matrix[:3, :3] = (affine[:3, :3] / lengths).T
    lines = [
        "ObjectType = Image",
        f"NDims = {count}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = True",
        f"TransformMatrix = {_text(matrix.ravel())}",
        f"Offset = {_text([*affine[:3, 3], *[0.0] * (count - 3)])}",
        f"ElementSpacing = {_text([*lengths, *[1.0] * (count - 3)])}",
        f"DimSize = {' '.join(map(str, sizes))}",
    ]
    if channels > 1:
        lines.append(f"ElementNumberOfChannels = {channels}")
    said = description.text(description.meaning(image))
    pieces = [said[start : start + _LONGEST_FIELD] for start in range(0, len(said), _LONGEST_FIELD)]
    return [*lines, *(f"{description.MAKER}_{number} = {piece}" for number, piece in enumerate(pieces))]


def _text(numbers: Any) -> str:
    return " ".join(repr(float(number)) for number in numbers)

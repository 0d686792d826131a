"""NIfTI-1 and NIfTI-2, read and written byte by byte: nibabel parses and makes the header, nothing else.

The voxels of a file lie column fastest, which is our (slice, row, column) in C order: no value is moved. Names of
segments, unit and modality stand as JSON in a header extension of kind "comment", which other software skips.
Source: NIfTI-1 Data Format (nifti1.h, Cox et al. 2004), NIfTI-2 (2011).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from isocenter import codes
from isocenter.bridges import grid_from_ras, ras_affine
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segment, Segmentation
from isocenter.formats import description, inflating, writing
from isocenter.formats.caret import label_table
from isocenter.formats.meaning import UNSAID
from isocenter.formats.numpy import stacked
from isocenter.geometry import Floats, Space
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

_MAGIC = {348: (b"n+1\0", 344), 540: (b"n+2\0\r\n\x1a\n", 4)}  # size of header -> magic, where it stands
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units: unknown, metre, millimetre, micrometre
_UNIT_S = {8: 1.0, 16: 1e-3, 24: 1e-6}  # xyzt_units: second, millisecond, microsecond
_PLAUSIBLE_MM = (0.01, 50.0)  # spacing that needs no unit to be believed to be in millimetres
_LABEL = 1002  # NIFTI_INTENT_LABEL
_COMMENT = 6  # NIFTI_ECODE_COMMENT
_CARET = (0, 30)  # NIFTI_ECODE_CARET; TotalSegmentator says NIFTI_ECODE_IGNORE
_FURTHER = ("time", "channel")  # what dimensions 4 and 5 hold
_AGREE_MM = 0.05


# --- reading ---------------------------------------------------------------------------------------------------------


def load(path: Path) -> Volume | Segmentation:
    """Image of a ``.nii`` or ``.nii.gz`` file; which of the two the bytes tell, not the name."""
    content = _content(path)
    header = _header(content)
    array, axes = _voxels(content, header)
    scale, reasons = _unit_mm(header, path.name)
    affine, guesses = _affine(header, path.name, array.shape)
    affine[:3] *= scale
    k, r, c = array.shape[:3]
    grid = grid_from_ras(affine, (c, r, k))
    reasons = (*reasons, *guesses)
    said = _description(content, header)
    if said is not None and "grid" in said:
        grid, reasons = description.grid_of(said), ()
    if said is not None:
        if said.get("kind") == "segmentation":
            layers = list(np.moveaxis(array, 3, 0)) if array.ndim == 4 else [array]
        else:
            layers = [_with_axes(array, header, said)]
        return description.image_of(said, [np.ascontiguousarray(layer) for layer in layers], grid, reasons=reasons)
    if named := _label_table(content, header):
        with suppress(InputError):  # no label map: the table was left by an earlier file
            return description.segments_of(Volume(array, grid, codes.ONE, axes, reasons=reasons), named)
    if int(header["intent_code"]) != _LABEL:
        return Volume(array, grid, UNSAID, axes, reasons=reasons, time_step_s=_time_step_s(header, axes))
    label = Reason("UNIT_UNKNOWN", "The file holds labels, which have no unit.", (path.name,))
    return Volume(array, grid, codes.ONE, axes, reasons=(*reasons, label))


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return inflating.gunzipped(content) if inflating.is_gzip(content) else content


def _header(content: bytes) -> Any:
    import nibabel

    size = int.from_bytes(content[:4], "little")
    endianness = "<"
    if size not in _MAGIC:
        size, endianness = int.from_bytes(content[:4], "big"), ">"
    magic, place = _MAGIC.get(size, (b"", 0))
    if not magic or content[place : place + len(magic)] != magic or len(content) < size:
        raise InputError("The file is no NIfTI-1 or NIfTI-2 image in one file (.nii).")
    kind = nibabel.Nifti1Header if size == 348 else nibabel.Nifti2Header
    return kind(content[:size], endianness=endianness, check=False)


def _voxels(content: bytes, header: Any) -> tuple[Array, tuple[str, ...]]:
    """Scaled values (slice, row, column, *axes), and the names of the further axes."""
    count = int(header["dim"][0])
    sizes = [int(n) for n in header["dim"][1 : count + 1]]
    if not 1 <= count <= 7 or min(sizes) < 1:
        raise InputError("The NIfTI header is damaged: its dimensions are not positive numbers.")
    sizes += [1] * (3 - len(sizes))
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) > 5:
        raise InputError(f"The file has {len(sizes)} dimensions; up to five are read.")
    try:
        dtype = header.get_data_dtype()
    except Exception as error:
        raise InputError("The NIfTI header is damaged: its data type is unknown.") from error
    offset, wanted = int(header["vox_offset"]), int(np.prod(sizes, dtype=object))
    if dtype.itemsize == 0 or dtype.kind not in "uifV" or dtype.itemsize > 8:
        raise InputError(f"The file's data type {dtype} is not read.")
    if offset < 0 or len(content) < offset + wanted * dtype.itemsize:
        raise InputError("The file is cut short: it holds fewer voxels than its header says.")
    raw = np.frombuffer(content, dtype, wanted, offset).reshape(sizes[::-1])
    return _scaled(*_our_axes(raw), header)


def _with_axes(array: Array, header: Any, said: dict[str, Any]) -> Array:
    """The values with each axis that their description names, those of one place too."""
    samples = array.shape[-1:] if header.get_data_dtype().names else ()
    count = len(axes) if isinstance(axes := said.get("axes"), list) else 0
    further = [int(n) for n in header["dim"][4 : 4 + count - len(samples)]]
    whole = (*array.shape[:3], *further, *samples)
    return array.reshape(whole) if math.prod(whole) == array.size else array


def _our_axes(raw: Array) -> tuple[Array, tuple[str, ...]]:
    """(..., slice, row, column) of a file as (slice, row, column, ...)."""
    if raw.dtype.names:  # RGB or RGBA in single bytes
        samples = [_our_axes(raw[name]) for name in raw.dtype.names]
        return np.stack([array for array, _ in samples], axis=-1), (*samples[0][1], "color")
    further = raw.ndim - 3
    array = np.moveaxis(raw, range(further), range(raw.ndim - 1, 2, -1))
    axes = _FURTHER[:further]
    if further == 2 and array.shape[3] == 1:
        array, axes = array[:, :, :, 0], ("channel",)
    return array, axes


def _scaled(array: Array, axes: tuple[str, ...], header: Any) -> tuple[Array, tuple[str, ...]]:
    """Values times slope plus intercept: whole numbers if both are whole, else float32 (float64 of 32-bit values)."""
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope) or (slope, intercept) == (1, 0) or "color" in axes:
        return _narrowed(array), axes
    if not np.isfinite(intercept):
        raise InputError("The NIfTI header is damaged: its intercept (scl_inter) is not a number.")
    if array.dtype.kind in "ui" and slope.is_integer() and intercept.is_integer():
        ends = [int(array.min()) * int(slope) + int(intercept), int(array.max()) * int(slope) + int(intercept)]
        wide = next((t for t in (np.int16, np.int32) if _fits(ends, t)), None)
        if wide is not None:
            return (array.astype(np.int64) * int(slope) + int(intercept)).astype(wide), axes
    exact = np.float64 if array.dtype.itemsize > 2 and array.dtype != np.float32 else np.float32
    scaled = array.astype(np.float64)
    scaled *= slope
    scaled += intercept
    return scaled.astype(exact, copy=False), axes


def _narrowed(array: Array) -> Array:
    """The same values in a type to compute with: 64-bit integers as 32-bit if they fit, float16 as float32."""
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.itemsize == 8 and array.dtype.kind in "ui" and _fits([int(array.min()), int(array.max())], np.int32):
        return array.astype(np.int32)
    return array


def _fits(ends: list[int], dtype: type[np.integer[Any]]) -> bool:
    limits = np.iinfo(dtype)
    return int(limits.min) <= min(ends) and max(ends) <= int(limits.max)


def _unit_mm(header: Any, name: str) -> tuple[float, tuple[Reason, ...]]:
    """Millimetres per unit of length of the file."""
    unit = int(header["xyzt_units"]) & 7
    if unit not in _UNIT_MM:
        raise InputError("The NIfTI header is damaged: its unit of length is unknown.")
    spacing = np.abs(np.asarray(header["pixdim"][1:4], float))
    if unit or ((spacing > _PLAUSIBLE_MM[0]) & (spacing < _PLAUSIBLE_MM[1])).all():
        return _UNIT_MM[unit], ()
    text = "The file names no unit of length and its spacing is unusual; millimetres were taken."
    return 1.0, (Reason("FRAME_GUESSED", text, (name,)),)


def _time_step_s(header: Any, axes: tuple[str, ...]) -> float | None:
    """Seconds between volumes, if the file says it with its unit."""
    step, unit = float(header["pixdim"][4]), int(header["xyzt_units"]) & 0x38
    known = "time" in axes and unit in _UNIT_S and 0 < step < np.inf
    return float(f"{step * _UNIT_S[unit]:.7g}") if known else None  # the header holds single precision


def _affine(header: Any, name: str, shape: tuple[int, ...]) -> tuple[Floats, tuple[Reason, ...]]:
    """Transform from (column, row, slice) to RAS in the file's unit, and what had to be guessed about it."""
    sform = header.get_sform() if int(header["sform_code"]) > 0 else None
    qform = _qform(header) if int(header["qform_code"]) > 0 else None

    def guessed(message: str) -> tuple[Reason, ...]:
        return (Reason("FRAME_GUESSED", message, (name,)),)

    if sform is None and qform is None:
        zooms = np.asarray(header["pixdim"][1:4], float)
        text = "The file holds neither sform nor qform; columns were taken to run to R, rows to A, slices to S."
        return np.diag([*zooms, 1.0]), guessed(text)
    if sform is None or qform is None:
        return np.array(qform if sform is None else sform, float), ()
    corners = np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in shape[2::-1]))])
    apart = float(np.abs(corners @ (sform - qform).T).max())
    if not np.isfinite(apart) or apart <= max(_AGREE_MM, 0.05 * float(np.abs(header["pixdim"][1:4]).max())):
        return np.array(sform, float), ()
    return np.array(sform, float), guessed(
        f"The file's sform and qform disagree by up to {apart:.3g} units of length; sform was taken."
    )


def _qform(header: Any) -> Floats:
    from nibabel.spatialimages import HeaderDataError

    try:
        affine: Floats = header.get_qform()
    except (HeaderDataError, ValueError) as error:
        raise InputError("The NIfTI header is damaged: its quaternion (qform) is none.") from error
    return affine


def _description(content: bytes, header: Any) -> dict[str, Any] | None:
    """Our description among the header's extensions, if there is one."""
    texts = (
        said.rstrip(b"\0").decode("utf-8", "replace") for kind, said in _extensions(content, header) if kind == _COMMENT
    )
    return next((found for text in texts if (found := description.parsed(text)) is not None), None)


def _label_table(content: bytes, header: Any) -> dict[int, Segment]:
    """The segments that others named among the header's extensions, by their labels."""
    tables = (label_table(said) for kind, said in _extensions(content, header) if kind in _CARET)
    return next((table for table in tables if table), {})


def _extensions(content: bytes, header: Any) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each extension of the header."""
    place, end = int(header["sizeof_hdr"]) + 4, min(int(header["vox_offset"]), len(content))
    order: Any = "little" if header.endianness == "<" else "big"
    if end <= place or content[place - 4] == 0:
        return
    while place + 8 <= end:
        size = int.from_bytes(content[place : place + 4], order)
        if size < 8 or place + size > end:
            return
        yield int.from_bytes(content[place + 4 : place + 8], order), content[place + 8 : place + size]
        place += size


# --- writing ---------------------------------------------------------------------------------------------------------


def save(image: Volume | Segmentation, path: Path) -> None:
    """Write ``.nii`` or ``.nii.gz``, NIfTI-2 where a dimension needs it; labels with intent code 1002."""
    array = stacked(image)
    array = _colors(array) if _is_rgb(image) else np.asarray(array, _stored_type(array.dtype))
    if array.ndim > 5:
        raise UsageError("NIfTI is written with up to two axes beside the spatial ones.")
    data = np.ascontiguousarray(np.moveaxis(array, range(3, array.ndim), range(array.ndim - 4, -1, -1)))
    parts: list[bytes | memoryview] = [_head(image, data), data.data.cast("B")]
    writing.write(path, writing.gzipped(parts) if path.name.lower().endswith(".gz") else parts)


def _is_rgb(image: Volume | Segmentation) -> bool:
    return isinstance(image, Volume) and image.axes[-1:] == ("color",) and image.array.dtype == np.uint8


def _colors(array: Array) -> Array:
    """(..., 3 or 4) single bytes as one RGB or RGBA value each (NIFTI_TYPE_RGB24, RGBA32)."""
    names = "RGBA"[: array.shape[-1]]
    return np.ascontiguousarray(array).view([(name, np.uint8) for name in names])[..., 0]


def _head(image: Volume | Segmentation, data: Array) -> bytes:
    """Header, extension and the filling up to the first voxel."""
    import nibabel

    header = (nibabel.Nifti2Header if max(data.shape) > 32767 else nibabel.Nifti1Header)(endianness="<")
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape[::-1])
    affine = ras_affine(image.grid)
    header["pixdim"][1:4] = image.grid.spacing_mm[::-1]
    if image.grid.space is Space.PATIENT:
        header.set_sform(affine, code=1)
        if not image.grid.is_sheared:
            header.set_qform(affine, code=1)
    header["xyzt_units"] = 0 if image.grid.space is Space.PIXEL else 2
    if isinstance(image, Volume) and image.time_step_s is not None and image.axes[:1] == ("time",):
        header["pixdim"][4] = image.time_step_s
        header["xyzt_units"] = int(header["xyzt_units"]) | 8
    header["scl_slope"], header["scl_inter"] = 1, 0
    if isinstance(image, Segmentation):
        header["intent_code"] = _LABEL
    said = description.text(description.meaning(image)).encode()
    size = -(-(len(said) + 8) // 16) * 16
    extension = size.to_bytes(4, "little") + _COMMENT.to_bytes(4, "little") + said.ljust(size - 8, b"\0")
    start = int(header["sizeof_hdr"]) + 4 + size
    header["vox_offset"] = -(-start // 16) * 16
    head: bytes = header.binaryblock + b"\x01\0\0\0" + extension
    return head.ljust(int(header["vox_offset"]), b"\0")


def _stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype == np.bool_:
        return np.dtype(np.uint8)
    if dtype == np.float16:
        return np.dtype("<f4")
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UsageError(f"NIfTI holds integers and floats of up to 64 bits, not {dtype}.")
    return dtype.newbyteorder("<")

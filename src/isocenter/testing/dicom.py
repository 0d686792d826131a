"""Synthetic DICOM series of known content, for tests: any grid, any of the common transfer syntaxes, any fault.

The writer goes through pydicom and shares no code with the reader, so that each checks the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from isocenter.geometry import Grid
from isocenter.testing.encoding import LOSSY, SYNTAXES, UIDS, put_pixels

__all__ = [
    "DEFAULT",
    "LOSSLESS",
    "SYNTAXES",
    "Style",
    "bare",
    "save",
    "slice_data_set",
    "uid_of",
    "values_on",
    "write_series",
]

Array = npt.NDArray[Any]
PositionFunction = Callable[[npt.NDArray[np.float64]], npt.ArrayLike]
"""(..., 3) world points (x, y, z) in LPS millimetres -> (...) values."""

LOSSLESS = tuple(name for name in SYNTAXES if name not in LOSSY)
"""The common transfer syntaxes that keep every value."""

_CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128"}


@dataclass(frozen=True)
class Style:
    """How a series is written.

    Parameters
    ----------
    syntax
        A key of :data:`isocenter.testing.encoding.UIDS`.
    modality
        ``"CT"``, ``"MR"`` or ``"PT"``.
    bits_allocated
        Size of a pixel cell: 8, 16 or 32.
    bits_stored
        How many bits of a cell hold the value.
    high_bit
        The highest bit of the value; by default its lowest bit is the cell's.
    is_signed
        Whether stored values are in two's complement.
    rescale
        (slope, intercept) of all slices, or one pair per slice; None for no rescale attributes.
    instance_numbers
        One per slice; by default from 1 in slice order.
    file_name
        Slice index -> file name, which may hold folders.
    seed
        UIDs follow from it: series of one seed have one study, series and frame of reference.
    attributes
        Keyword -> value for every slice; None takes the attribute away.
    edit
        Called with slice index and data set before it is written; changes the data set in place.
    """

    syntax: str = "explicit"
    modality: str = "CT"
    bits_allocated: int = 16
    bits_stored: int = 16
    high_bit: int | None = None
    is_signed: bool = True
    rescale: tuple[float, float] | Sequence[tuple[float, float]] | None = (1.0, -1024.0)
    instance_numbers: Sequence[int] | None = None
    file_name: Callable[[int], str] = "IM{:05d}.dcm".format
    seed: str = "isocenter"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    edit: Callable[[int, Dataset], None] = lambda index, data_set: None  # noqa: ARG005


DEFAULT = Style()


def uid_of(*words: object) -> str:
    """A UID that follows from words (PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


def write_series(
    values: npt.ArrayLike | PositionFunction, grid: Grid, folder: str | Path, *, style: Style = DEFAULT
) -> tuple[Path, ...]:
    """Write a series of single-frame images.

    Parameters
    ----------
    values
        (slice, row, column) real values, or a function of patient position.
    grid
        Where the voxels lie; a sheared grid makes a tilted gantry.
    folder
        Where to; made if it is not there.
    style
        How.

    Returns
    -------
    The files, in slice order.

    Raises
    ------
    ValueError
        If a stored value does not fit the bits.
    """
    paths = []
    for index in range(grid.shape[0]):
        path = Path(folder) / style.file_name(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        data_set = slice_data_set(_slice_values(values, grid, index), grid, index, style=style)
        save(data_set, path)
        paths.append(path)
    return tuple(paths)


def save(ds: Dataset, path: Path) -> None:
    """Write a data set with preamble and meta header, in a transfer syntax that pydicom may not know yet."""
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    if syntax.is_transfer_syntax:
        ds.save_as(path, enforce_file_format=True)
        return
    ds.preamble = bytes(128)
    ds.file_meta.FileMetaInformationGroupLength = 0  # pydicom sets it
    ds.file_meta.FileMetaInformationVersion = b"\0\1"
    ds.file_meta.ImplementationClassUID = UID(uid_of("writer"))
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, implicit_vr=False, little_endian=True, force_encoding=True)


def values_on(values: PositionFunction, grid: Grid) -> Array:
    """(slice, row, column) values of a function of patient position on a grid."""
    return np.stack([_slice_values(values, grid, index) for index in range(grid.shape[0])])


def _slice_values(values: npt.ArrayLike | PositionFunction, grid: Grid, index: int) -> Array:
    if not callable(values):
        given: Array = np.asarray(values)[index]
        return given
    rows, columns = np.meshgrid(range(grid.shape[1]), range(grid.shape[2]), indexing="ij")
    points = grid.to_world(np.stack([np.full_like(rows, index), rows, columns], axis=-1))
    found: Array = np.asarray(values(points))
    return found


def slice_data_set(values: npt.ArrayLike, grid: Grid, index: int, *, style: Style = DEFAULT) -> Dataset:
    """The data set of one slice, ready to be saved.

    Parameters
    ----------
    values
        (row, column) real values.
    grid
        Of the whole series.
    index
        Of the slice.
    style
        How it is written.
    """
    rescale = _rescale_of(style, index)
    slope, intercept = rescale or (1.0, 0.0)
    stored = _stored((np.asarray(values, np.float64) - intercept) / slope, style)
    data_set = _header(grid, index, style)
    if rescale is not None:
        data_set.RescaleSlope, data_set.RescaleIntercept = f"{slope:.10g}", f"{intercept:.10g}"
        if style.modality == "CT":
            data_set.RescaleType = "HU"
    _put_pixels(data_set, stored, style)
    for keyword, value in style.attributes.items():
        if value is not None:
            setattr(data_set, keyword, value)
        elif keyword in data_set:
            delattr(data_set, keyword)
    style.edit(index, data_set)
    data_set.file_meta = _meta(data_set, style)
    return data_set


def _rescale_of(style: Style, index: int) -> tuple[float, float] | None:
    if style.rescale is None or isinstance(style.rescale[0], (int, float)):
        return style.rescale  # type: ignore[return-value]
    return style.rescale[index]  # type: ignore[return-value]


def _stored(values: npt.NDArray[np.float64], style: Style) -> Array:
    """Values as pixel cells; two's complement in the stored bits alone."""
    stored = np.rint(values).astype(np.int64)
    low = -(1 << (style.bits_stored - 1)) if style.is_signed else 0
    high = low + (1 << style.bits_stored) - 1
    if stored.min() < low or stored.max() > high:
        raise ValueError(f"Stored values {stored.min()} to {stored.max()} do not fit {low} to {high}.")
    return ((stored & ((1 << style.bits_stored) - 1)) << _shift_of(style)).astype(f"<u{style.bits_allocated // 8}")


def _shift_of(style: Style) -> int:
    return 0 if style.high_bit is None else style.high_bit + 1 - style.bits_stored


def _header(grid: Grid, index: int, style: Style) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if style.modality == "CT" else "M"]
    ds.SOPClassUID = _CLASSES[style.modality]
    ds.SOPInstanceUID = uid_of(style.seed, "instance", index)
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260102", "030405", ""
    ds.Modality, ds.Manufacturer = style.modality, "Isocenter"
    ds.SeriesDescription = f"Synthetic {style.modality}"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Phantom", "phantom", "", "O"
    ds.SliceThickness = f"{grid.spacing_mm[0]:.10g}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid_of(style.seed, "study"), uid_of(style.seed, "series")
    ds.StudyID, ds.SeriesNumber, ds.AcquisitionNumber = "1", 1, 1
    ds.InstanceNumber = index + 1 if style.instance_numbers is None else style.instance_numbers[index]
    ds.FrameOfReferenceUID = grid.frame_of_reference_uid or uid_of(style.seed, "frame of reference")
    ds.ImagePositionPatient = [decimal(x) for x in grid.to_world((index, 0, 0))]
    ds.ImageOrientationPatient = [decimal(x) for axis in (2, 1) for x in grid.direction[:, axis]]
    ds.PixelSpacing = [decimal(grid.spacing_mm[1]), decimal(grid.spacing_mm[2])]
    if style.modality == "PT":
        ds.Units = "BQML"
    return ds


def decimal(number: float) -> str:
    """A decimal string of at most 16 characters, as exact as it can be (PS3.5 6.2)."""
    return next(text for digits in range(16, 0, -1) if len(text := f"{number + 0.0:.{digits}g}") <= 16)


def _put_pixels(ds: Dataset, stored: Array, style: Style) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored = style.bits_allocated, style.bits_stored
    ds.HighBit = style.bits_stored - 1 + _shift_of(style)
    ds.PixelRepresentation = int(style.is_signed)
    put_pixels(ds, stored[None], style.syntax, style.bits_stored)


def _meta(ds: Dataset, style: Style) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(ds.get("SOPClassUID") or _CLASSES[style.modality])
    meta.MediaStorageSOPInstanceUID = UID(ds.get("SOPInstanceUID") or uid_of(style.seed, "no instance"))
    meta.TransferSyntaxUID = UID(UIDS[style.syntax])
    return meta


def bare(data: bytes) -> bytes:
    """A file's bytes without preamble and meta header: the data set alone."""
    position = 132
    while data[position : position + 2] == b"\x02\x00":
        is_long = data[position + 4 : position + 6] in (b"OB", b"OW", b"UN")
        at, size, head = (position + 8, 4, 12) if is_long else (position + 6, 2, 8)
        position += head + int.from_bytes(data[at : at + size], "little")
    return data[position:]

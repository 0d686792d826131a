"""The slow reading of a picture plane: pydicom, one pixel formula, float64. Written to be seen to be right, not fast.

The fast reading shares no code with it, and is held against it (:func:`differences`). It knows single-frame pictures of
one sample; where pydicom has no decoder, GDCM (in SimpleITK) decodes.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.uid import ExplicitVRBigEndian

from isocenter.dicom.elements import WANTED
from isocenter.dicom.frame import Frame
from isocenter.dicom.series import Series
from isocenter.volume import Volume

Floats = npt.NDArray[np.float64]

AIR_HU = -1024
_PLACE_TOLERANCE_MM = 0.12
"""Positions may be rounded to a tenth of a millimetre, and the grid's lattice runs evenly through them."""
_DIRECTION_TOLERANCE = 2e-3
_CHARACTER_SET = WANTED["SpecificCharacterSet"]
_BY_GDCM = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (51, 53, 55, 57, 70))
_NO_CLASS = "1.2.840.10008.5.1.4.1.1.7"


_PIXEL_KEYWORDS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelData",
)  # fmt: skip


class NoReferenceError(Exception):
    """The slow reading does not read this picture; the message says why."""


@dataclass(frozen=True)
class Picture:
    """A picture plane as the slow reading sees it.

    Parameters
    ----------
    values
        (row, column) real values, in float64.
    position_mm
        LPS of the first pixel's centre.
    steps_mm
        (2, 3) steps of growing row index and of growing column index.
    thickness_mm
        Slice Thickness; NaN where there is none.
    """

    values: Floats
    position_mm: Floats
    steps_mm: Floats
    thickness_mm: float


def picture_of(content: bytes) -> Picture:
    """The picture plane in a file.

    Parameters
    ----------
    content
        The file.

    Raises
    ------
    NoReferenceError
        If pydicom cannot read it, or it is not a single picture of one sample with a place in the patient.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = _by_dictionary(dcmread(io.BytesIO(content), force=True))
            return Picture(_real(ds, _stored(ds)), *_place(ds))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a decoder written in Rust panics with one that is no Exception
            raise NoReferenceError(f"{type(error).__name__}: {error}"[:200]) from error


def header_of(content: bytes) -> Mapping[int, bytes]:
    """The wanted values of a header as pydicom finds them: tag -> bytes as they stand, in the file's byte order.

    The Specific Character Set is left out: pydicom mends it.

    Raises
    ------
    NoReferenceError
        If pydicom cannot follow the header.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = dcmread(io.BytesIO(content), force=True, stop_before_pixels=True)
            found = {}
            for tag in WANTED.values():
                element = ds.get_item(tag) or (ds.file_meta.get_item(tag) if tag >> 16 == 2 else None)
                if element is not None and tag != _CHARACTER_SET:
                    is_bytes = isinstance(element.value, bytes) and tag != WANTED["ModalityLUTSequence"]
                    found[tag] = bytes(element.value) if is_bytes else b""
        except Exception as error:
            raise NoReferenceError(f"{type(error).__name__}: {error}"[:200]) from error
    return found


def differences(series: Series, volume: Volume, contents: Mapping[str, bytes]) -> list[str]:
    """In what a volume differs from the slow reading of its files; empty where it does not.

    Parameters
    ----------
    series
        A series of single-frame instances, not sheared.
    volume
        What was read of it.
    contents
        Path of each instance -> its bytes.

    Raises
    ------
    NoReferenceError
        If a file has no slow reading.
    """
    found = []
    for index, frame in enumerate(series.frames):
        picture = picture_of(contents[frame.instance.path])
        found += _place_differences(volume, index, picture)
        found += _value_differences(volume.array[index], picture.values, frame)
    return found


def _place_differences(volume: Volume, index: int, picture: Picture) -> list[str]:
    affine = volume.grid.affine
    found = []
    corner = affine @ (index, 0, 0, 1)
    if not np.allclose(corner[:3], picture.position_mm, atol=_PLACE_TOLERANCE_MM, rtol=0):
        found.append(f"position of slice {index}: {corner[:3]} for {picture.position_mm}")
    for name, step, true in zip(("row", "column"), affine[:3, 1:3].T, picture.steps_mm, strict=True):
        if not np.allclose(step, true, atol=_DIRECTION_TOLERANCE * max(1.0, float(np.linalg.norm(true))), rtol=0):
            found.append(f"{name} step of slice {index}: {step} for {true}")
    if volume.grid.shape[0] == 1 and not np.isclose(np.linalg.norm(affine[:3, 0]), picture.thickness_mm):
        found.append(f"thickness: {np.linalg.norm(affine[:3, 0])} for {picture.thickness_mm}")
    return found


def _value_differences(ours: npt.NDArray[Any], true: Floats, frame: Frame) -> list[str]:
    if ours.shape != true.shape:
        return [f"shape: {ours.shape} for {true.shape}"]
    expected = np.maximum(true, AIR_HU) if frame.modality == "CT" else true
    off = ~np.isclose(ours, expected, rtol=1e-6, atol=1e-3)
    if frame.modality == "CT" and frame.rescale.padding:
        off &= ours != AIR_HU  # padding becomes air
    if not off.any():
        return []
    place = tuple(int(index[0]) for index in np.nonzero(off))
    return [f"values: {np.count_nonzero(off)} of {off.size}; at {place} {ours[place]} for {expected[place]}"]


def _by_dictionary(ds: Dataset) -> Dataset:
    """The data set with its elements read by the representation that the dictionary knows, whatever the file writes.

    That is how a header in implicit VR is read, and how the fast reading reads every one.
    """
    for part in (ds, ds.file_meta):
        for tag in list(part.keys()):
            raw: Any = part.get_item(tag)
            if isinstance(raw, RawDataElement) and dictionary_has_tag(tag) and " " not in dictionary_VR(tag):
                part[tag] = raw._replace(VR=dictionary_VR(tag))
    return ds


# --- one file --------------------------------------------------------------------------------------------------------


def _place(ds: Dataset) -> tuple[Floats, Floats, float]:
    position, along, spacing = (
        np.array([float(number) for number in ds[keyword].value])
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    )
    if (len(position), len(along), len(spacing)) != (3, 6, 2):
        raise NoReferenceError("A position, orientation or spacing of another number of values.")
    columns, rows = (axis / np.linalg.norm(axis) for axis in along.reshape(2, 3))
    thickness = ds.get("SliceThickness")
    steps = np.stack([rows * spacing[0], columns * spacing[1]])
    return position, steps, float("nan") if thickness in (None, "") else float(thickness)


def _stored(ds: Dataset) -> npt.NDArray[Any]:
    """Stored values, with their sign."""
    if ds.get("SamplesPerPixel", 1) != 1 or int(ds.get("NumberOfFrames") or 1) != 1:
        raise NoReferenceError("Not a single picture of one sample.")
    syntax = ds.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax.is_compressed and not syntax.is_deflated:
        return _masked(_decoded(ds, syntax), ds, ds.BitsStored - 1)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    count = ds.Rows * ds.Columns
    cells = np.frombuffer(ds.PixelData, f"{order}u{ds.BitsAllocated // 8}")
    if len(cells) < count:
        raise NoReferenceError("Fewer pixels than rows and columns say.")
    return _masked(cells[:count].reshape(ds.Rows, ds.Columns), ds, ds.get("HighBit", ds.BitsStored - 1))


def _masked(cells: npt.NDArray[Any], ds: Dataset, high_bit: int) -> npt.NDArray[np.int64]:
    """The stored bits alone (PS3.5 8.1.1), as signed numbers where they are."""
    bits = int(ds.BitsStored)
    values = (cells.astype(np.int64) >> (high_bit + 1 - bits)) & ((1 << bits) - 1)
    if ds.get("PixelRepresentation", 0) == 1:
        values -= (values >> (bits - 1)) << bits
    return values


def _real(ds: Dataset, stored: npt.NDArray[Any]) -> Floats:
    """Real values: the Modality LUT's slope and intercept, both or none (PS3.3 C.11.1)."""
    if all(ds.get(keyword) in (None, "") for keyword in ("RescaleSlope", "RescaleIntercept")):
        return stored.astype(np.float64)
    slope, intercept = float(ds.RescaleSlope), float(ds.RescaleIntercept)
    return stored.astype(np.float64) * slope + intercept


def _decoded(ds: Dataset, syntax: str) -> npt.NDArray[Any]:
    if syntax not in _BY_GDCM:
        return ds.pixel_array
    import SimpleITK

    plain = Dataset()
    for keyword in _PIXEL_KEYWORDS:
        if keyword in ds:
            plain[keyword] = ds[keyword]
    plain.SOPClassUID, plain.SOPInstanceUID, plain.file_meta = _NO_CLASS, "1.2.3", ds.file_meta
    SimpleITK.ProcessObject.GlobalWarningDisplayOff()
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        plain.save_as(Path(file.name), enforce_file_format=True)
        image = SimpleITK.ReadImage(file.name)
    decoded: npt.NDArray[Any] = SimpleITK.GetArrayFromImage(image)[0]
    return decoded

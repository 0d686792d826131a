"""The slow reading: pydicom, plain formulas, float64. Written to be seen to be right, not fast.

The fast reading shares no code with it, and is held against it (:func:`differences`), frame by frame. pydicom's own
decoders are used, and GDCM (in SimpleITK) where pydicom has none.
"""

from __future__ import annotations

import io
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.encaps import encapsulate
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from isocenter.dicom.file.elements import PIXEL_TAGS, WANTED
from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.sorting.series import Series
from isocenter.geometry import Space
from isocenter.testing.layout import layout_of
from isocenter.volume import Volume

Floats = npt.NDArray[np.float64]

AIR_HU = -1024
_PLACE_TOLERANCE_MM = 0.12
"""Positions may be rounded to a tenth of a millimetre, and the grid's lattice runs evenly through them."""
_SIZE_TOLERANCE = 2e-3
_COLOUR_TOLERANCE = 2
_ROUNDING = 1e-12
_CHARACTER_SET = WANTED["SpecificCharacterSet"]
_BY_GDCM = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (51, 53, 55, 57, 70))
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_PIXEL_KEYWORDS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "NumberOfFrames", "PixelData",
)  # fmt: skip


class NoReferenceError(Exception):
    """The slow reading cannot read this; the message says why."""


class File:
    """One file as the slow reading sees it.

    Parameters
    ----------
    content
        The file.

    Raises
    ------
    NoReferenceError
        If pydicom cannot read it.
    """

    def __init__(self, content: bytes) -> None:
        with _guarded():
            self.dataset = _by_dictionary(_read(content, _BehindPixels))
            implicit, little = self.dataset.original_encoding
            found = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            self.dataset.file_meta.setdefault("TransferSyntaxUID", found)
        self._decoded: npt.NDArray[Any] | None = None

    def values(self, number: int) -> Floats:
        """(row, column) real values or (row, column, 3) red, green and blue of a frame, counted from 1."""
        with _guarded():
            ds = self.dataset
            if ds.get("SamplesPerPixel", 1) > 1 or ds.get("PhotometricInterpretation") == "PALETTE COLOR":
                return np.asarray(self._all(_colours)[number - 1], np.float64)
            return _real(self._all(_stored)[number - 1], self._part(number, "PixelValueTransformationSequence"))

    def place(self, number: int) -> Place:
        """Where a frame lies."""
        with _guarded():
            measures = self._part(number, "PixelMeasuresSequence")
            position = self._part(number, "PlanePositionSequence").get("ImagePositionPatient")
            along = self._part(number, "PlaneOrientationSequence").get("ImageOrientationPatient")
            spacing, thickness = measures.get("PixelSpacing"), measures.get("SliceThickness")
            return Place(*map(_numbers_or_none, (position, along, spacing, thickness)))

    def _all(self, stored: Any) -> npt.NDArray[Any]:
        if self._decoded is None:
            found = stored(self.dataset)
            count = int(self.dataset.get("NumberOfFrames") or 1)
            shape = (count, self.dataset.Rows, self.dataset.Columns)
            self._decoded = found.reshape(*shape, *found.shape[-1:] if found.size == 3 * np.prod(shape) else ())
        return self._decoded

    def _part(self, number: int, sequence: str) -> Dataset:
        """Where an attribute of a frame stands: in its own functional group, the shared one, or the data set itself."""
        for groups, index in (("PerFrameFunctionalGroupsSequence", number - 1), ("SharedFunctionalGroupsSequence", 0)):
            if self.dataset.get(groups) and (found := self.dataset[groups].value[index].get(sequence)):
                return found[0]  # type: ignore[no-any-return]
        return self.dataset


@dataclass(frozen=True)
class Place:
    """Position, orientation, pixel spacing and slice thickness as numbers; empty where they are not given."""

    position_mm: Floats
    along: Floats
    spacing_mm: Floats
    thickness_mm: Floats


def header_of(content: bytes) -> Mapping[int, bytes]:
    """The wanted values of a header as pydicom finds them: tag -> bytes as they stand, in the file's byte order.

    The Specific Character Set is left out: pydicom mends it, or fails at it. Sequences are empty.

    Raises
    ------
    NoReferenceError
        If pydicom cannot follow the header.
    """
    found = {}
    with _guarded():
        ds = _read(content, lambda: lambda tag, _vr, _length: tag in PIXEL_TAGS)
        for tag in WANTED.values():
            element = ds.get_item(tag) or (ds.file_meta.get_item(tag) if tag >> 16 == 2 else None)
            if element is not None and tag != _CHARACTER_SET:
                found[tag] = b"" if dictionary_VR(tag) == "SQ" else _raw(element.value)
    return found


def _raw(value: Any) -> bytes:
    """The bytes of a value that pydicom has turned into text perhaps."""
    if isinstance(value, bytes):
        return value
    parts = [value] if isinstance(value, str) else list(value or ())
    return "\\".join(map(str, parts)).encode()


def differences(series: Series, volume: Volume, contents: Mapping[str, bytes]) -> list[str]:
    """In what a volume differs from the slow reading of its files; empty where it does not.

    Parameters
    ----------
    series
        A series that is not sheared.
    volume
        What was read of it.
    contents
        Path of each instance -> its bytes.

    Raises
    ------
    NoReferenceError
        If a file has no slow reading.
    """
    files = {path: File(content) for path, content in contents.items() if path in _paths(series)}
    found = []
    for index, (frame, ours) in enumerate(_frames(series, volume)):
        file = files[frame.instance.path]
        found += _value_differences(ours, _tile(file.values(frame.number), frame), frame)
        if frame.window is None:
            found += _place_differences(volume, index % volume.grid.shape[0], file.place(frame.number))
    return found


def _tile(values: Floats, frame: Frame) -> Floats:
    """The part of a picture that a frame is; where the tile of a mosaic lies is left to other tests."""
    window = frame.window
    if window is None:
        return values
    return values[window.row : window.row + window.rows, window.column : window.column + window.columns]


def _paths(series: Series) -> set[str]:
    return {instance.path for instance in series.instances}


def _frames(series: Series, volume: Volume) -> Iterator[tuple[Frame, npt.NDArray[Any]]]:
    """Each frame with its part of the volume."""
    array = np.moveaxis(volume.array, 3, 0) if series.axis else volume.array[np.newaxis]
    for index, frame in enumerate(series.frames):
        yield frame, array[divmod(index, volume.grid.shape[0])]


def _place_differences(volume: Volume, index: int, place: Place) -> list[str]:
    affine, space = volume.grid.affine, volume.grid.space
    if space is Space.PIXEL or (space is Space.PLANE and len(place.spacing_mm) != 2):
        return []
    sizes = np.linalg.norm(affine[:3, 1:3], axis=0)
    if space is Space.PLANE:
        is_off = not np.allclose(sizes, place.spacing_mm, rtol=_SIZE_TOLERANCE)
        return [f"pixel size: {sizes} for {place.spacing_mm}"] if is_off else []
    if (len(place.position_mm), len(place.along), len(place.spacing_mm)) != (3, 6, 2):
        raise NoReferenceError("No position, orientation or spacing.")
    along = place.along.reshape(2, 3) / np.linalg.norm(place.along.reshape(2, 3), axis=1, keepdims=True)
    steps = along[::-1] * place.spacing_mm[:, np.newaxis]  # of growing row index, of growing column index
    corner = (affine @ (index, 0, 0, 1))[:3]
    found = []
    if not np.allclose(corner, place.position_mm, atol=_PLACE_TOLERANCE_MM, rtol=0):
        found.append(f"position of slice {index}: {corner} for {place.position_mm}")
    if np.abs(affine[:3, 1:3].T - steps).max() > _SIZE_TOLERANCE * max(1.0, *place.spacing_mm):
        found.append(f"steps of slice {index}: {affine[:3, 1:3].T} for {steps}")
    depth = np.linalg.norm(affine[:3, 0])
    if volume.grid.shape[0] == 1 and not (len(place.thickness_mm) == 1 and np.isclose(depth, place.thickness_mm[0])):
        found.append(f"depth: {depth} for {place.thickness_mm}")
    return found


def _value_differences(ours: npt.NDArray[Any], true: Floats, frame: Frame) -> list[str]:
    if ours.shape != true.shape:
        return [f"shape: {ours.shape} for {true.shape}"]
    slack = (
        _COLOUR_TOLERANCE if true.ndim == 3 else _ROUNDING * float(np.abs(true).max(initial=0, where=np.isfinite(true)))
    )
    off = ~np.isclose(ours, true, rtol=2e-7, atol=slack, equal_nan=True)
    if frame.modality == "CT":  # padding and what is below air become air
        off &= (ours != AIR_HU) | ((true > AIR_HU) & (not frame.rescale.padding))
    if not off.any():
        return []
    at = tuple(int(index[0]) for index in np.nonzero(off))
    return [f"values: {np.count_nonzero(off)} of {off.size}; at {at} {ours[at]} for {true[at]}"]


# --- one file ---------------------------------------------------------------------------------------------------------


class _guarded(warnings.catch_warnings):  # noqa: N801
    """Whatever is raised becomes NoReferenceError: pydicom raises of everything, a decoder in Rust no Exception."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, kind: Any, error: Any, at: Any) -> None:
        super().__exit__(kind, error, at)
        if error is not None and not isinstance(error, (NoReferenceError, KeyboardInterrupt, SystemExit)):
            raise NoReferenceError(f"{type(error).__name__}: {error}"[:200]) from error


class _BehindPixels:
    """Whether an element follows the pixel data; megabytes of zeros behind them would make as many elements."""

    def __init__(self) -> None:
        self._is_behind = False

    def __call__(self, tag: int, _vr: str | None, _length: int) -> bool:
        if self._is_behind:
            return True
        self._is_behind = tag in PIXEL_TAGS
        return False


def _read(content: bytes, stops: Callable[[], Callable[[BaseTag, str | None, int], bool]]) -> Dataset:
    """A data set up to where it stops, if need be without a Specific Character Set that pydicom fails at."""
    try:
        return read_partial(io.BytesIO(content), stops(), force=True)
    except (ValueError, TypeError):
        return read_partial(io.BytesIO(_without_character_set(content)), stops(), force=True)


def _without_character_set(content: bytes) -> bytes:
    """The file with its Specific Character Set blank."""
    try:
        layout = layout_of(content)
    except (ValueError, IndexError, struct.error, zlib.error):
        return content
    place = layout.first(_CHARACTER_SET)
    if place is None or layout.is_deflated or place.end > len(content):
        return content
    head = content[place.at : place.start]
    blank = head[:4] + b"CS" + head[6:] if place.vr and place.length_width == 2 else head
    return content[: place.at] + blank + b" " * (place.end - place.start) + content[place.end :]


def _by_dictionary(ds: Dataset) -> Dataset:
    """The data set with its elements read by the representation that the dictionary knows, whatever the file writes.

    That is how a header in implicit VR is read, and how the fast reading reads every one.
    """
    for part in (ds, ds.file_meta):
        for tag in list(part.keys()):
            raw: Any = part.get_item(tag)
            vr = dictionary_VR(tag) if dictionary_has_tag(tag) else " "
            if isinstance(raw, RawDataElement) and " " not in vr:
                part[tag] = raw._replace(VR=vr)
    return ds


def _numbers(value: Any) -> Floats:
    if value is None or value == "":
        return np.empty(0)
    return np.array([float(number) for number in (value if hasattr(value, "__iter__") else (value,))])


def _numbers_or_none(value: Any) -> Floats:
    """As :func:`_numbers`, where what is no number counts as nothing."""
    try:
        return _numbers(value)
    except ValueError:
        return np.empty(0)


def _stored(ds: Dataset) -> npt.NDArray[Any]:
    """Stored values of one sample, with their sign."""
    if "PixelData" not in ds:
        return ds.pixel_array  # floats
    syntax, count = ds.file_meta.TransferSyntaxUID, ds.Rows * ds.Columns * int(ds.get("NumberOfFrames") or 1)
    if UID(str(syntax)).is_compressed and not UID(str(syntax)).is_deflated:
        _join_fragments(ds)
        return _masked(_decoded(ds) if syntax in _BY_GDCM else ds.pixel_array, ds, ds.BitsStored - 1)
    if ds.BitsAllocated == 1:
        return np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")[:count]
    order = "<" if ds.original_encoding[1] else ">"
    cells = np.frombuffer(ds.PixelData, f"{order}u{ds.BitsAllocated // 8}", count)
    high_bit = ds.get("HighBit")
    return _masked(cells, ds, ds.BitsStored - 1 if high_bit is None else high_bit)


def _join_fragments(ds: Dataset) -> None:
    """Make one fragment of those of a single frame, whatever the Basic Offset Table says, if it is there."""
    if int(ds.get("NumberOfFrames") or 1) != 1:
        return
    value, items, position = ds.PixelData, [], 0
    while value[position : position + 4] == b"\xfe\xff\x00\xe0":
        length = int.from_bytes(value[position + 4 : position + 8], "little")
        items.append(value[position + 8 : position + 8 + length])
        position += 8 + length
    is_frame = items[0][:2] in (b"\xff\xd8", b"\xff\x4f") or items[0][4:8] == b"\x40\0\0\0"  # JPEG, JPEG 2000, RLE
    ds.PixelData = encapsulate([b"".join(items if is_frame else items[1:])])


def _masked(cells: npt.NDArray[Any], ds: Dataset, high_bit: int) -> npt.NDArray[np.int64]:
    """The stored bits alone (PS3.5 8.1.1), as signed numbers where they are."""
    bits = int(ds.BitsStored)
    values = (cells.astype(np.int64) >> (high_bit + 1 - bits)) & ((1 << bits) - 1)
    if ds.get("PixelRepresentation", 0) == 1:
        values -= (values >> (bits - 1)) << bits
    return values


def _real(stored: npt.NDArray[Any], part: Dataset) -> Floats:
    """Real values: the Modality LUT's slope and intercept, both or none (PS3.3 C.11.1)."""
    if "ModalityLUTSequence" in part:
        raise NoReferenceError("A Modality LUT Sequence.")
    slope, intercept = _numbers(part.get("RescaleSlope")), _numbers(part.get("RescaleIntercept"))
    if len(slope) == len(intercept) == 0:
        return stored.astype(np.float64)
    return stored.astype(np.float64) * slope.item() + intercept.item()


def _colours(ds: Dataset) -> npt.NDArray[Any]:
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    if UID(str(ds.file_meta.TransferSyntaxUID)).is_encapsulated:
        _join_fragments(ds)
    if ds.PhotometricInterpretation != "PALETTE COLOR":
        return pixel_array(ds)  # becomes RGB
    return apply_color_lut(ds.pixel_array, ds)


def _decoded(ds: Dataset) -> npt.NDArray[Any]:
    """Pixels decoded by GDCM, out of a file that holds nothing else."""
    import SimpleITK

    plain = Dataset()
    for keyword in _PIXEL_KEYWORDS:
        if keyword in ds:
            plain[keyword] = ds[keyword]
    plain.PhotometricInterpretation = "MONOCHROME2"  # or SimpleITK turns the values of MONOCHROME1 upside down
    plain.SOPClassUID, plain.SOPInstanceUID, plain.file_meta = _SECONDARY_CAPTURE, "1.2.3", ds.file_meta
    SimpleITK.ProcessObject.GlobalWarningDisplayOff()
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        plain.save_as(Path(file.name), enforce_file_format=True)
        image = SimpleITK.ReadImage(file.name)
    decoded: npt.NDArray[Any] = SimpleITK.GetArrayFromImage(image)
    return decoded

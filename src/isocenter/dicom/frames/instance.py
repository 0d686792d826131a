"""Instance: what one DICOM image file says of itself as a whole, from its header alone; no pixel is read here.

What it says of its picture planes is in :mod:`isocenter.dicom.frames.frame`. Only what sorting and reading need is
kept; :meth:`Instance.dataset` yields all else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from isocenter.dicom.file import parsing
from isocenter.dicom.file.bounded import BoundedBytes
from isocenter.dicom.file.deflated import inflate
from isocenter.dicom.file.elements import (
    DEFLATED,
    EXPLICIT_LITTLE,
    HEADER_LIMIT_BYTES,
    WANTED,
    Header,
    PixelElement,
    shared,
)
from isocenter.dicom.file.files import MEMBER_FAULTS, ByteSource, FileRef, Opener
from isocenter.dicom.file.quiet import quietly
from isocenter.dicom.file.walk import PREAMBLE_BYTES, read_meta
from isocenter.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

_TAG = WANTED
_HEAD_BYTES = 12
"""Of an element, before its value."""
_MOST_READS = 2_000_000
"""Of the whole header of a large multi-frame object; more is no header."""
_CT, _MR, _PT = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "128"))
MODALITY_OF_CLASS = {_CT: "CT", _MR: "MR", _PT: "PT"}
"""The single-frame image classes that are read, and their modality."""
HALVED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Photometric Interpretations whose colour differences are stored for every second column only."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the pixels of an instance are stored (PS3.3 C.7.6.3).

    Parameters
    ----------
    rows, columns
        Size of the image.
    samples
        Samples per pixel.
    photometric
        Photometric Interpretation.
    bits_allocated, bits_stored, high_bit
        Size of a pixel cell, how many bits of it hold the value, and the highest of these.
    is_signed
        Whether the value is in two's complement.
    frames
        Number of frames.
    has_overlay
        Whether an overlay may lie in bits that hold no value (Overlay Bit Position, retired).
    is_planar
        Whether uncompressed samples lie plane after plane (Planar Configuration 1).
    guessed
        Names of the attributes that are missing or no number, and were taken as they mostly are.
    """

    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    frames: int
    has_overlay: bool = False
    is_planar: bool = False
    guessed: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the cells of one frame: (row, column), or (row, column, sample) in colour."""
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)

    @property
    def frame_bits(self) -> int:
        """Size of an uncompressed frame in bits; frames of single bits do not start on whole bytes."""
        is_halved = self.samples == 3 and self.photometric in HALVED
        return self.rows * self.columns * (2 if is_halved else self.samples) * self.bits_allocated

    @property
    def pixel_bytes(self) -> int:
        """Size of all uncompressed frames."""
        return (self.frame_bits * self.frames + 7) // 8


class Instance(NamedTuple):
    """One DICOM image, single-frame or multi-frame: its header only.

    A tuple, for a scan makes very many of them: it takes a fifth of the time.

    Parameters
    ----------
    file
        Where it lies.
    sop_instance_uid, sop_class_uid, series_uid, study_uid, frame_of_reference_uid
        As in the file; empty where missing.
    patient_key
        Hash of name, ID and birth date: tells patients apart without naming them.
    modality
        Modality; where the file has none, that of its SOP class.
    series_description, series_number, protocol, body_part, contrast_agent
        What the scanner says of the series; empty or None where missing.
    instance_number
        None where missing.
    format, transfer_syntax, pixels
        How its pixels are stored and where they lie.
    is_lossy
        Whether it was ever compressed with loss.
    has_meta
        Whether the file had a preamble and a meta header.
    is_irregular
        Whether the header breaks the rules of its encoding.
    stated_slices
        How many slices a volume of its series has (Number of Slices, of PET); None where it does not say.
    file_size, file_stamp
        Size of the file in bytes, and what changes when the file does.
    """

    file: FileRef
    sop_instance_uid: str
    instance_number: int | None
    pixels: PixelElement | None
    file_size: int
    file_stamp: int
    transfer_syntax: str
    has_meta: bool
    is_irregular: bool
    sop_class_uid: str
    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    patient_key: str
    modality: str
    series_description: str
    series_number: int | None
    protocol: str
    body_part: str
    contrast_agent: str
    format: PixelFormat
    is_lossy: bool
    stated_slices: int | None = None

    @property
    def path(self) -> str:
        """Path of the file; of a zip member the archive's path, a slash and the member's name."""
        return str(self.file)

    @property
    def name(self) -> str:
        """SOP Instance UID, or the path where it has none."""
        return self.sop_instance_uid or self.path

    @quietly()
    def dataset(self) -> Dataset:
        """The whole header without pixel data, parsed now; missing SOP UIDs are filled from the meta header.

        pydicom decodes a value when it is asked for, and may warn then: see :func:`isocenter.dicom.file.quiet.quietly`.

        Raises
        ------
        InputError
            If the file is gone or changed, or pydicom cannot read its header.
        """
        from pydicom import DataElement, dcmread
        from pydicom.uid import UID

        try:
            content = self._header_bytes()
        except MEMBER_FAULTS as error:
            raise InputError(f"{self.path} was changed or removed while it was worked on: run again.") from error
        try:
            found = dcmread(BoundedBytes(content, _MOST_READS), stop_before_pixels=True, force=True)
            if self.transfer_syntax == DEFLATED:
                found.file_meta.TransferSyntaxUID = UID(DEFLATED)
        except Exception as error:
            raise InputError(f"The header of {self.path} is damaged: export the instance again.") from error
        for keyword, uid in (("SOPClassUID", self.sop_class_uid), ("SOPInstanceUID", self.sop_instance_uid)):
            if uid and "\0" not in uid:
                found[_TAG[keyword]] = DataElement(_TAG[keyword], "UI", uid)
        return found

    def is_unchanged(self, source: ByteSource) -> bool:
        """Whether the file is the one whose header was read."""
        return (source.size, source.stamp) == (self.file_size, self.file_stamp)

    def _header_bytes(self) -> bytes:
        with Opener() as opener:
            source = opener.open(self.file)
            try:
                if not self.is_unchanged(source):
                    raise ValueError("The file was changed.")
                end = HEADER_LIMIT_BYTES if self.pixels is None else self.pixels.offset + _HEAD_BYTES
                if self.transfer_syntax == DEFLATED:
                    return _inflated(source.at(0, source.size), end)
                return source.at(0, min(end, HEADER_LIMIT_BYTES))
            finally:
                source.close()


def _inflated(content: bytes, count: int) -> bytes:
    """A deflated file as one that is not, as far as ``count`` bytes of its data set."""
    _, start = read_meta(content, PREAMBLE_BYTES, {})
    meta = content[:start].replace(DEFLATED.encode(), EXPLICIT_LITTLE.encode().ljust(len(DEFLATED), b"\0"))
    return meta + inflate(content[start:], count)


def class_of(header: Header) -> str:
    """SOP Class UID; empty where there is none."""
    get = header.values.get
    return parsing.text(get(_TAG["SOPClassUID"], b"") or get(_TAG["MediaStorageSOPClassUID"], b""))


def is_image(header: Header) -> bool:
    """Whether the header is that of an image, with or without its pixels."""
    if header.pixels is not None or class_of(header) in MODALITY_OF_CLASS:
        return True
    return _TAG["Rows"] in header.values and _TAG["Columns"] in header.values


def instance_from(file: FileRef, header: Header, *, stamp: int = 0) -> Instance:
    """The instance that a header describes, in a file of a stamp."""
    get = header.values.get
    return Instance(
        file,
        parsing.text(get(_TAG["SOPInstanceUID"]) or get(_TAG["MediaStorageSOPInstanceUID"], b"")),
        parsing.integer(get(_TAG["InstanceNumber"], b"")),
        header.pixels,
        header.size,
        stamp,
        header.transfer_syntax,
        header.has_meta,
        header.is_irregular,
        *shared(header, _of_series),
    )


# --- attributes that are equal in most instances of a series: parsed once ---------------------------------------------

_FORMAT_TAGS = tuple(
    _TAG[keyword]
    for keyword in (
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "NumberOfFrames",
        "OverlayBitPosition",
        "PlanarConfiguration",
    )
)
_PATIENT_TAGS = tuple(_TAG[keyword] for keyword in ("PatientID", "PatientName", "PatientBirthDate"))
_OTHERS = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "MediaStorageSOPClassUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "SeriesDescription",
    "SeriesNumber",
    "ProtocolName",
    "BodyPartExamined",
    "ContrastBolusAgent",
    "LossyImageCompression",
    "NumberOfSlices",
)
_SERIES_TAGS = (*(_TAG[keyword] for keyword in _OTHERS), *_PATIENT_TAGS, *_FORMAT_TAGS)


_OfSeries = tuple[str, str, str, str, str, str, str, int | None, str, str, str, PixelFormat, bool, int | None]


def _of_series(header: Header) -> _OfSeries:
    return _made_of_series(*map(header.values.get, _SERIES_TAGS, parsing.NOTHING))


@lru_cache(maxsize=4096)
def _made_of_series(*raw: bytes) -> _OfSeries:
    """The last fields of the instances that have these attributes in common."""
    values = dict(zip(_SERIES_TAGS, raw, strict=True))

    def text(keyword: str) -> str:
        return parsing.text(values[_TAG[keyword]])

    def words(keyword: str) -> str:
        return parsing.words(values[_TAG[keyword]], values[_TAG["SpecificCharacterSet"]])

    class_uid = parsing.text(values[_TAG["SOPClassUID"]] or values[_TAG["MediaStorageSOPClassUID"]])
    return (
        class_uid,
        text("SeriesInstanceUID"),
        text("StudyInstanceUID"),
        text("FrameOfReferenceUID"),
        _patient_key(*(values[tag] for tag in _PATIENT_TAGS)),
        text("Modality") or MODALITY_OF_CLASS.get(class_uid, ""),
        words("SeriesDescription"),
        parsing.integer(values[_TAG["SeriesNumber"]]),
        words("ProtocolName"),
        text("BodyPartExamined"),
        words("ContrastBolusAgent"),
        _format(*(values[tag] for tag in _FORMAT_TAGS)),
        text("LossyImageCompression") == "01",
        parsing.short(values[_TAG["NumberOfSlices"]]),
    )


@lru_cache(maxsize=4096)
def _format(*raw: bytes) -> PixelFormat:
    rows, columns, samples, photometric, allocated, stored, high, representation, frames, overlay, planar = raw
    bits_allocated, bits_stored, high_bit = map(parsing.short, (allocated, stored, high))
    sign, count = parsing.short(representation), parsing.integer(frames)
    guessed = {
        "Samples per Pixel": not parsing.short(samples),
        "Planar Configuration": (parsing.short(samples) or 1) > 1 and parsing.short(planar) not in (0, 1),
        "Photometric Interpretation": not parsing.text(photometric),
        "Bits Stored": not bits_stored,
        "High Bit": bool(high) and high_bit is None,
        "Pixel Representation": sign not in (0, 1),
        "Number of Frames": bool(frames.strip(b"\0 ")) and (count is None or count < 1),
    }
    bits_stored = bits_stored or bits_allocated or 0
    return PixelFormat(
        rows=parsing.short(rows) or 0,
        columns=parsing.short(columns) or 0,
        samples=parsing.short(samples) or 1,
        photometric=parsing.text(photometric) or "MONOCHROME2",
        bits_allocated=bits_allocated or 0,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else high_bit,
        is_signed=sign == 1,
        frames=max(count or 1, 1),
        has_overlay=bool(parsing.short(overlay)),
        is_planar=parsing.short(planar) == 1,
        guessed=tuple(name for name, is_guessed in guessed.items() if is_guessed),
    )


@lru_cache(maxsize=4096)
def _patient_key(*raw: bytes) -> str:
    return hashlib.sha256(b"\n".join(part.rstrip(b" \0^") for part in raw)).hexdigest()[:16]

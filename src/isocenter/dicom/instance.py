"""Instance: one DICOM image, from its header alone. What its attributes mean, typed; no pixel is read here.

Only what grouping, geometry and reading need is kept; :meth:`Instance.dataset` yields all else.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from isocenter.dicom import parsing
from isocenter.dicom.elements import DEFLATED, WANTED, Header, PixelElement
from isocenter.dicom.files import MEMBER_FAULTS, ByteSource, FileRef, Opener
from isocenter.dicom.parsing import Triple
from isocenter.dicom.quiet import quietly
from isocenter.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

_TAG = WANTED
_CT, _MR, _PT = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "128"))
MODALITY_OF_CLASS = {_CT: "CT", _MR: "MR", _PT: "PT"}
"""The single-frame image classes that are read, and their modality."""


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


@dataclass(frozen=True, slots=True)
class Rescale:
    """From stored values to real ones: ``value * slope + intercept`` (Modality LUT, PS3.3 C.11.1).

    Parameters
    ----------
    slope, intercept
        None where the attribute is missing; NaN where it is no number.
    has_table
        Whether a Modality LUT Sequence stands in place of slope and intercept.
    padding
        Pixel Padding Value and Pixel Padding Range Limit, as far as they are there; in stored values.
    unit
        Units (0054,1001) of a PET image, Rescale Type (0028,1054) of others.
    """

    slope: float | None
    intercept: float | None
    has_table: bool = False
    padding: tuple[int, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells apart the volumes of one DICOM series that lie at the same positions; None where not given."""

    temporal_position: int | None = None
    b_value: float | None = None
    echo_number: int | None = None
    echo_time_ms: float | None = None
    trigger_time_ms: float | None = None
    acquisition_number: int | None = None
    image_type: tuple[str, ...] = ()
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM image, header only.

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
    position_mm
        Image Position (Patient): LPS of the first pixel's centre.
    orientation
        Image Orientation (Patient): direction of growing column index, then of growing row index, in LPS.
    pixel_spacing_mm
        Between rows, then between columns.
    slice_thickness_mm
        Slice Thickness: how thick a slice is, not how far the slices are apart.
    mark
        What may tell it from others at its position.
    format, rescale, transfer_syntax, pixels
        How its pixels are stored, what they mean and where they lie.
    is_lossy
        Whether it was ever compressed with loss.
    has_meta
        Whether the file had a preamble and a meta header.
    file_size, file_stamp
        Size of the file in bytes, and what changes when the file does.
    """

    file: FileRef
    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    patient_key: str
    modality: str
    series_description: str
    series_number: int | None
    instance_number: int | None
    protocol: str
    body_part: str
    contrast_agent: str
    position_mm: Triple | None
    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, float] | None
    slice_thickness_mm: float | None
    mark: Mark
    format: PixelFormat
    rescale: Rescale
    transfer_syntax: str
    pixels: PixelElement | None
    is_lossy: bool
    has_meta: bool
    file_size: int
    file_stamp: int

    @property
    def path(self) -> str:
        """Path of the file; of a zip member the archive's path, a slash and the member's name."""
        return str(self.file)

    @property
    def name(self) -> str:
        """SOP Instance UID, or the path where it has none."""
        return self.sop_instance_uid or self.path

    @property
    def image_type(self) -> tuple[str, ...]:
        """Image Type, such as ``("ORIGINAL", "PRIMARY", "AXIAL")``."""
        return self.mark.image_type

    @property
    def kernel(self) -> str:
        """Convolution Kernel; empty where missing."""
        return self.mark.kernel

    @quietly()
    def dataset(self) -> Dataset:
        """The whole header without pixel data, parsed now; missing SOP UIDs are filled from the meta header.

        pydicom decodes a value when it is asked for, and may warn then: see :func:`isocenter.dicom.quiet.quietly`.

        Raises
        ------
        InputError
            If the file is gone or changed, or pydicom cannot read its header.
        """
        from pydicom import DataElement, dcmread

        try:
            content = self._header_bytes()
        except MEMBER_FAULTS as error:
            raise InputError(f"{self.path} was changed or removed while it was worked on: run again.") from error
        try:
            found = dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
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
                has_place = self.pixels is not None and self.transfer_syntax != DEFLATED
                return source.at(0, self.pixels.offset + 12 if has_place and self.pixels else source.size)
            finally:
                source.close()


def is_image(header: Header) -> bool:
    """Whether the header is that of an image, with or without its pixels."""
    values = header.values
    class_uid = values.get(_TAG["SOPClassUID"], b"") or values.get(_TAG["MediaStorageSOPClassUID"], b"")
    if header.pixels is not None or parsing.text(class_uid) in MODALITY_OF_CLASS:
        return True
    return _TAG["Rows"] in values and _TAG["Columns"] in values


def instance_from(file: FileRef, header: Header, *, stamp: int = 0) -> Instance:
    """The instance that a header describes, in a file of a stamp."""
    get = header.values.get
    charset = get(_TAG["SpecificCharacterSet"], b"")
    class_uid = parsing.text(get(_TAG["SOPClassUID"], b"") or get(_TAG["MediaStorageSOPClassUID"], b""))
    format_ = _format(*(get(tag, b"") for tag in _FORMAT_TAGS))
    signed = format_.is_signed
    return Instance(
        file=file,
        sop_instance_uid=parsing.text(get(_TAG["SOPInstanceUID"], b"") or get(_TAG["MediaStorageSOPInstanceUID"], b"")),
        sop_class_uid=class_uid,
        series_uid=parsing.text(get(_TAG["SeriesInstanceUID"], b"")),
        study_uid=parsing.text(get(_TAG["StudyInstanceUID"], b"")),
        frame_of_reference_uid=parsing.text(get(_TAG["FrameOfReferenceUID"], b"")),
        patient_key=_patient_key(*(get(tag, b"") for tag in _PATIENT_TAGS)),
        modality=parsing.text(get(_TAG["Modality"], b"")) or MODALITY_OF_CLASS.get(class_uid, ""),
        series_description=parsing.words(get(_TAG["SeriesDescription"], b""), charset),
        series_number=parsing.integer(get(_TAG["SeriesNumber"], b"")),
        instance_number=parsing.integer(get(_TAG["InstanceNumber"], b"")),
        protocol=parsing.words(get(_TAG["ProtocolName"], b""), charset),
        body_part=parsing.text(get(_TAG["BodyPartExamined"], b"")),
        contrast_agent=parsing.words(get(_TAG["ContrastBolusAgent"], b""), charset),
        position_mm=parsing.triple(get(_TAG["ImagePositionPatient"], b"")),
        orientation=parsing.direction(get(_TAG["ImageOrientationPatient"], b"")),
        pixel_spacing_mm=parsing.spacing(get(_TAG["PixelSpacing"], b"")),
        slice_thickness_mm=parsing.positive(get(_TAG["SliceThickness"], b"")),
        mark=_mark(*(get(tag, b"") for tag in _MARK_TAGS)),
        format=format_,
        rescale=_rescale(signed, _TAG["ModalityLUTSequence"] in header.values, *(get(t, b"") for t in _RESCALE_TAGS)),
        transfer_syntax=header.transfer_syntax,
        pixels=header.pixels,
        is_lossy=parsing.text(get(_TAG["LossyImageCompression"], b"")) == "01",
        has_meta=header.has_meta,
        file_size=header.size,
        file_stamp=stamp,
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
    )
)
_PATIENT_TAGS = tuple(_TAG[keyword] for keyword in ("PatientID", "PatientName", "PatientBirthDate"))
_MARK_TAGS = tuple(
    _TAG[keyword]
    for keyword in (
        "TemporalPositionIdentifier",
        "DiffusionBValue",
        "EchoNumbers",
        "EchoTime",
        "TriggerTime",
        "AcquisitionNumber",
        "ImageType",
        "ConvolutionKernel",
    )
)
_RESCALE_TAGS = tuple(
    _TAG[keyword]
    for keyword in (
        "RescaleSlope",
        "RescaleIntercept",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "Units",
        "RescaleType",
    )
)


@lru_cache(maxsize=4096)
def _format(*raw: bytes) -> PixelFormat:
    rows, columns, samples, photometric, allocated, stored, high, representation, frames, overlay = raw
    bits_allocated = parsing.unsigned(allocated) or 0
    bits_stored = parsing.unsigned(stored) or bits_allocated
    high_bit = parsing.unsigned(high)
    return PixelFormat(
        rows=parsing.unsigned(rows) or 0,
        columns=parsing.unsigned(columns) or 0,
        samples=parsing.unsigned(samples) or 1,
        photometric=parsing.text(photometric) or "MONOCHROME2",
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else high_bit,
        is_signed=parsing.unsigned(representation) == 1,
        frames=parsing.integer(frames) or 1,
        has_overlay=bool(parsing.unsigned(overlay)),
    )


@lru_cache(maxsize=4096)
def _patient_key(*raw: bytes) -> str:
    return hashlib.sha256(b"\n".join(part.rstrip(b" \0^") for part in raw)).hexdigest()[:16]


@lru_cache(maxsize=4096)
def _mark(*raw: bytes) -> Mark:
    temporal, b_value, echo, echo_time, trigger, acquisition, image_type, kernel = raw
    return Mark(
        temporal_position=parsing.integer(temporal),
        b_value=parsing.double(b_value),
        echo_number=parsing.integer(echo),
        echo_time_ms=parsing.number(echo_time),
        trigger_time_ms=parsing.number(trigger),
        acquisition_number=parsing.integer(acquisition),
        image_type=tuple(part.strip() for part in parsing.text(image_type).split("\\")) if image_type else (),
        kernel=parsing.text(kernel),
    )


@lru_cache(maxsize=4096)
def _rescale(signed: bool, has_table: bool, *raw: bytes) -> Rescale:  # noqa: FBT001
    slope, intercept, padding, limit, unit, type_ = raw
    paddings = tuple(int.from_bytes(part, "little", signed=signed) for part in (padding, limit) if part)
    return Rescale(
        parsing.number(slope), parsing.number(intercept), has_table, paddings, parsing.text(unit or type_).upper()
    )

"""What is taken from the header of a DICOM file: the attributes and the place of the pixel data. Values only."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
GE_PRIVATE = "1.2.840.113619.5.2"
UNWALKED = frozenset({EXPLICIT_BIG, GE_PRIVATE})
"""Transfer syntaxes of big endian data, which are left to pydicom."""
UNCOMPRESSED = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})
"""Transfer syntaxes of pixel data that are not compressed by themselves."""
WANTED = MappingProxyType(
    {
        "MediaStorageSOPClassUID": 0x00020002,
        "MediaStorageSOPInstanceUID": 0x00020003,
        "SpecificCharacterSet": 0x00080005,
        "ImageType": 0x00080008,
        "SOPClassUID": 0x00080016,
        "SOPInstanceUID": 0x00080018,
        "Modality": 0x00080060,
        "SeriesDescription": 0x0008103E,
        "PatientName": 0x00100010,
        "PatientID": 0x00100020,
        "PatientBirthDate": 0x00100030,
        "ContrastBolusAgent": 0x00180010,
        "BodyPartExamined": 0x00180015,
        "SliceThickness": 0x00180050,
        "EchoTime": 0x00180081,
        "EchoNumbers": 0x00180086,
        "ProtocolName": 0x00181030,
        "TriggerTime": 0x00181060,
        "ImagerPixelSpacing": 0x00181164,
        "ConvolutionKernel": 0x00181210,
        "NominalScannedPixelSpacing": 0x00182010,
        "DiffusionBValue": 0x00189087,
        "StudyInstanceUID": 0x0020000D,
        "SeriesInstanceUID": 0x0020000E,
        "SeriesNumber": 0x00200011,
        "AcquisitionNumber": 0x00200012,
        "InstanceNumber": 0x00200013,
        "ImagePositionPatient": 0x00200032,
        "ImageOrientationPatient": 0x00200037,
        "FrameOfReferenceUID": 0x00200052,
        "TemporalPositionIdentifier": 0x00200100,
        "SamplesPerPixel": 0x00280002,
        "PhotometricInterpretation": 0x00280004,
        "PlanarConfiguration": 0x00280006,
        "NumberOfFrames": 0x00280008,
        "Rows": 0x00280010,
        "Columns": 0x00280011,
        "PixelSpacing": 0x00280030,
        "BitsAllocated": 0x00280100,
        "BitsStored": 0x00280101,
        "HighBit": 0x00280102,
        "PixelRepresentation": 0x00280103,
        "PixelPaddingValue": 0x00280120,
        "PixelPaddingRangeLimit": 0x00280121,
        "PixelSpacingCalibrationType": 0x00280A02,
        "RescaleIntercept": 0x00281052,
        "RescaleSlope": 0x00281053,
        "RescaleType": 0x00281054,
        "LossyImageCompression": 0x00282110,
        "ModalityLUTSequence": 0x00283000,
        "RealWorldValueMappingSequence": 0x00409096,
        "NumberOfSlices": 0x00540081,
        "Units": 0x00541001,
        "SUVType": 0x00541006,
        "OverlayBitPosition": 0x60000102,
    }
)
"""The attributes that are taken from every header: keyword -> tag."""
SEQUENCES = frozenset({WANTED["ModalityLUTSequence"], WANTED["RealWorldValueMappingSequence"]})
"""Those of them that are only noted as there."""

STRAY = (0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD)
"""Items and ends of items and sequences: none stands between the elements of a data set."""
PIXEL_DATA = 0x7FE00010
OWN = frozenset(
    WANTED[keyword]
    for keyword in ("MediaStorageSOPInstanceUID", "SOPInstanceUID", "InstanceNumber", "ImagePositionPatient")
)
"""The attributes that no two files of a series share."""

PIXEL_TAGS = (0x7FE00008, 0x7FE00009, PIXEL_DATA)  # float, double float, integer pixel data
UNDEFINED = 0xFFFFFFFF

HEADER_LIMIT_BYTES = 64 << 20
"""A header is not followed further than this."""


class NotDicomError(Exception):
    """The file is not DICOM."""


class DamagedHeaderError(Exception):
    """The file is DICOM, but its header cannot be followed."""


class PixelElement(NamedTuple):
    """Where the pixel data lie in the file.

    Parameters
    ----------
    tag
        One of :data:`PIXEL_TAGS`.
    offset
        First byte of the value in the file; in the inflated data set where that is deflated.
    length
        Length of the value in bytes; -1 if undefined (encapsulated frames).
    reach
        Of encapsulated frames the byte behind the last fragment, as the lengths of the fragments tell: beyond the end
        of a file that was cut. Else 0.
    has_stray_tail
        Whether bytes follow the value that are neither zeros nor elements: a sign that it is longer than it says.
    """

    tag: int
    offset: int
    length: int
    reach: int = 0
    has_stray_tail: bool = False


class Header(NamedTuple):
    """What was found in a file.

    Parameters
    ----------
    values
        Tag -> bytes of the value as little endian, for the tags of :data:`WANTED` that are there. A sequence is only
        noted as there (its bytes are left out).
    transfer_syntax
        Transfer Syntax UID; for files without a meta header the one found by trial.
    pixels
        Where the pixel data lie; None without any.
    size
        Size of the file in bytes.
    has_meta
        Whether the file had a preamble and a meta header.
    is_irregular
        Whether the header breaks the rules of its encoding, and pydicom made something of it all the same.
    memo
        Of headers whose values are equal but for :data:`OWN`: one and the same dictionary, for :func:`shared`.
    """

    values: dict[int, bytes]
    transfer_syntax: str
    pixels: PixelElement | None
    size: int
    has_meta: bool
    is_irregular: bool = False
    memo: dict[object, Any] | None = None


def shared(header: Header, make: Callable[[Header], T]) -> T:
    """What is made of a header without its own attributes: once for all headers that share the others."""
    if header.memo is None:
        return make(header)
    if make not in header.memo:
        header.memo[make] = make(header)
    made: T = header.memo[make]
    return made

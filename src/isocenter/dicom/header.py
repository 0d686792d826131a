"""The header of a DICOM file, up to its pixel data: the fast way where the file is common, pydicom where it is not."""

from __future__ import annotations

from dataclasses import replace

from isocenter.dicom import fallback, walk
from isocenter.dicom.codecs import reach
from isocenter.dicom.elements import DEFLATED, UNCOMPRESSED, Header
from isocenter.dicom.files import ByteSource
from isocenter.dicom.tail import ends_well

_SEQUENCE_END_BYTES = 8


def read_header(source: ByteSource) -> Header:
    """Header of a file.

    Parameters
    ----------
    source
        The file's bytes.

    Raises
    ------
    NotDicomError
        If nothing says that the file is DICOM.
    DamagedHeaderError
        If the header cannot be followed.
    """
    try:
        header = walk.read_header(source)
    except (walk.UnusualError, KeyError):  # KeyError: a VR that there is not
        header = fallback.read_header(source)
    pixels = header.pixels
    if pixels is None or header.transfer_syntax == DEFLATED:
        return header
    if header.transfer_syntax in UNCOMPRESSED:
        if pixels.length < 0:
            return replace(header, is_irregular=True)
        end = pixels.offset + pixels.length
    elif pixels.length < 0:
        pixels = replace(pixels, reach=reach(source, pixels.offset))
        end = pixels.reach + _SEQUENCE_END_BYTES
    else:
        return header
    if end < source.size and not ends_well(source, end, header.transfer_syntax):
        pixels = replace(pixels, has_stray_tail=True)
    return header if pixels is header.pixels else replace(header, pixels=pixels)

"""The header of a DICOM file, up to its pixel data: the fast way where the file is common, pydicom where it is not."""

from __future__ import annotations

from isocenter.dicom.file import fallback, walk
from isocenter.dicom.file.elements import DEFLATED, UNCOMPRESSED, Header
from isocenter.dicom.file.encapsulation import reach
from isocenter.dicom.file.files import ByteSource
from isocenter.dicom.file.layouts import Layouts
from isocenter.dicom.file.tail import ends_well

_SEQUENCE_END_BYTES = 8


def read_header(source: ByteSource, layouts: Layouts | None = None) -> Header:
    """Header of a file.

    Parameters
    ----------
    source
        The file's bytes.
    layouts
        What is known of the headers of other files, and learns from this one.

    Raises
    ------
    NotDicomError
        If nothing says that the file is DICOM.
    DamagedHeaderError
        If the header cannot be followed.
    """
    header = layouts.header_of(source) if layouts is not None else None
    if header is None:
        header = _followed(source, layouts)
    pixels = header.pixels
    if pixels is None:
        return header
    if header.transfer_syntax in UNCOMPRESSED:
        if pixels.length < 0 or header.transfer_syntax == DEFLATED:
            return header._replace(is_irregular=header.is_irregular or pixels.length < 0)
        end = pixels.offset + pixels.length
    elif pixels.length < 0:
        pixels = pixels._replace(reach=reach(source, pixels.offset))
        end = pixels.reach + _SEQUENCE_END_BYTES
    else:
        return header
    if end < source.size and not ends_well(source, end, header.transfer_syntax):
        pixels = pixels._replace(has_stray_tail=True)
    return header if pixels is header.pixels else header._replace(pixels=pixels)


def _followed(source: ByteSource, layouts: Layouts | None) -> Header:
    try:
        header = walk.read_header(source)
    except (walk.UnusualError, KeyError):  # KeyError: a VR that there is not
        return fallback.read_header(source)
    if layouts is not None:
        layouts.learn(source, header)
    return header

"""The header of a DICOM file, up to its pixel data: the fast way where the file is common, pydicom where it is not."""

from __future__ import annotations

from dataclasses import replace

from isocenter.dicom import codecs, fallback, walk
from isocenter.dicom.elements import DEFLATED, Header
from isocenter.dicom.files import ByteSource


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
    if pixels is None or pixels.length >= 0 or header.transfer_syntax == DEFLATED:
        return header
    return replace(header, pixels=replace(pixels, reach=codecs.reach(source, pixels.offset)))

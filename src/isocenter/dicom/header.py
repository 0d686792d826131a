"""The header of a DICOM file, up to its pixel data: the fast way where the file is common, pydicom where it is not."""

from __future__ import annotations

from isocenter.dicom import fallback, walk
from isocenter.dicom.elements import Header
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
        return walk.read_header(source)
    except (walk.UnusualError, KeyError):  # KeyError: a VR that there is not
        return fallback.read_header(source)

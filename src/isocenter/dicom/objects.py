"""Objects: a DICOM object that is no image, out of a file, a zip archive or memory: its header and its pixel data."""

from __future__ import annotations

import io
import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocenter.dicom import parsing
from isocenter.dicom.deflated import inflate
from isocenter.dicom.elements import DEFLATED, HEADER_LIMIT_BYTES, WANTED, DamagedHeaderError, Header, NotDicomError
from isocenter.dicom.files import MEMBER_FAULTS, ByteSource, FileRef, MemoryBytes, Opener
from isocenter.dicom.header import read_header
from isocenter.dicom.quiet import quietly
from isocenter.dicom.walk import PREAMBLE_BYTES, read_meta
from isocenter.errors import InputError, UsageError

if TYPE_CHECKING:
    from pydicom import Dataset

_INFLATED_LIMIT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class FoundObject:
    """A DICOM object that a scan has found and that can be read onto the grid of an image.

    Parameters
    ----------
    file
        Where it lies.
    kind
        ``"segmentation"`` or ``"structure set"``.
    sop_instance_uid, study_uid, series_uid, frame_of_reference_uid
        As in the file; empty where missing.
    description
        What its series says of itself.
    """

    file: FileRef
    kind: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    description: str

    @property
    def path(self) -> str:
        """Path of the file; of a zip member the archive's path, a slash and the member's name."""
        return str(self.file)


ObjectSource = str | os.PathLike[str] | bytes | FoundObject
"""A path, the bytes of a file, or what a scan has found."""


@dataclass(frozen=True, eq=False, slots=True)
class OpenObject:
    """An object in memory.

    Parameters
    ----------
    dataset
        Its header, without pixel data.
    syntax
        Transfer Syntax UID.
    pixels
        The pixel data's value as it is stored, and whatever lies behind it; empty without any.
    is_encapsulated
        Whether the pixel data are divided into fragments.
    """

    dataset: Dataset
    syntax: str
    pixels: memoryview
    is_encapsulated: bool


def found_object(file: FileRef, header: Header, kind: str) -> FoundObject:
    """What a scan says of an object."""
    get = header.values.get
    charset = get(WANTED["SpecificCharacterSet"], b"")
    return FoundObject(
        file=file,
        kind=kind,
        sop_instance_uid=parsing.text(
            get(WANTED["SOPInstanceUID"], b"") or get(WANTED["MediaStorageSOPInstanceUID"], b"")
        ),
        study_uid=parsing.text(get(WANTED["StudyInstanceUID"], b"")),
        series_uid=parsing.text(get(WANTED["SeriesInstanceUID"], b"")),
        frame_of_reference_uid=parsing.text(get(WANTED["FrameOfReferenceUID"], b"")),
        description=parsing.words(get(WANTED["SeriesDescription"], b""), charset),
    )


def open_object(source: ObjectSource) -> OpenObject:
    """Take an object into memory.

    Raises
    ------
    UsageError
        If there is no such file.
    InputError
        If it is no DICOM, or its header is damaged.
    """
    from pydicom import dcmread

    content = _content(source)
    try:
        header = read_header(MemoryBytes(content))
        if header.transfer_syntax == DEFLATED:
            content = _inflated(content)
        with quietly():
            dataset = dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
    except NotDicomError as error:
        raise InputError("This is no DICOM file: give a DICOM Segmentation or RT Structure Set.") from error
    except (DamagedHeaderError, *MEMBER_FAULTS) as error:
        raise InputError("The header of the object is damaged: export it again.") from error
    except Exception as error:  # whatever pydicom stumbles over
        raise InputError("pydicom cannot read the header of the object: export it again.") from error
    start = len(content) if header.pixels is None else header.pixels.offset
    is_encapsulated = header.pixels is not None and header.pixels.length < 0
    end = len(content) if is_encapsulated or header.pixels is None else start + header.pixels.length
    return OpenObject(dataset, header.transfer_syntax, memoryview(content)[start:end], is_encapsulated)


def _content(source: ObjectSource) -> bytes:
    if isinstance(source, bytes):
        return source
    file = source.file if isinstance(source, FoundObject) else FileRef(os.fspath(source))
    with Opener() as opener:
        try:
            opened: ByteSource = opener.open(file)
        except FileNotFoundError:
            raise UsageError(f"There is no file {file.path!r}: give the path of a DICOM object.") from None
        except MEMBER_FAULTS as error:
            raise InputError(f"{file} cannot be read: give a DICOM file.") from error
        try:
            return opened.at(0, opened.size)
        except MEMBER_FAULTS as error:
            raise InputError(f"{file} cannot be read any more.") from error
        finally:
            opened.close()


def _inflated(content: bytes) -> bytes:
    """The data set alone, as pydicom reads it without a preamble; not more than any object of sense holds."""
    _, start = read_meta(content[:HEADER_LIMIT_BYTES], PREAMBLE_BYTES, {})
    try:
        inflated = inflate(content[start:], _INFLATED_LIMIT_BYTES + 1)
    except zlib.error as error:
        raise DamagedHeaderError from error
    if len(inflated) > _INFLATED_LIMIT_BYTES:
        raise DamagedHeaderError
    return inflated

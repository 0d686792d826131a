"""Objects: a DICOM object that is no image, out of a file, a zip archive or memory: its header and its pixel data."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from isocenter.dicom.file import nested, parsing
from isocenter.dicom.file.deflated import inflate
from isocenter.dicom.file.elements import (
    DEFLATED,
    EXPLICIT_BIG,
    HEADER_LIMIT_BYTES,
    DamagedHeaderError,
    Header,
    NotDicomError,
)
from isocenter.dicom.file.files import MEMBER_FAULTS, ByteSource, FileRef, MemoryBytes, Opener
from isocenter.dicom.file.header import read_header
from isocenter.dicom.file.walk import PREAMBLE_BYTES, read_meta
from isocenter.dicom.frames.instance import Instance, instance_from
from isocenter.errors import InputError, UsageError

_LARGEST_BYTES = 1 << 32


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
    content
        The file.
    header
        What the common walk found in it.
    instance
        What that means.
    """

    content: bytes = field(repr=False)
    header: Header = field(repr=False)
    instance: Instance = field(repr=False)

    def take(self, wanted: nested.Wanted) -> nested.Item:
        """Chosen attributes of the header, those within sequences too."""
        return nested.read(MemoryBytes(self.content), self.header, wanted)

    def pixels(self) -> memoryview:
        """The pixel data's value, little endian; of encapsulated frames whatever lies behind it too. Empty without any.

        Raises
        ------
        InputError
            If they are damaged.
        """
        place, form = self.header.pixels, self.instance.format
        if place is None:
            return memoryview(b"")
        content = self.content
        if self.header.transfer_syntax == DEFLATED:
            content = self._inflated(
                place.offset + form.rows * form.columns * form.frames * form.bits_allocated // 8 + 1
            )
        value = memoryview(content)[place.offset : len(content) if place.length < 0 else place.offset + place.length]
        is_words = content[place.offset - 8 : place.offset - 6] == b"OW"
        if self.header.transfer_syntax == EXPLICIT_BIG and is_words:
            return memoryview(np.frombuffer(value[: len(value) & ~1], ">u2").astype("<u2").tobytes())
        return value

    def _inflated(self, count: int) -> bytes:
        _, start = read_meta(self.content, PREAMBLE_BYTES, {})
        try:
            return inflate(self.content[start:], min(count, _LARGEST_BYTES))
        except zlib.error as error:
            raise InputError("The deflated object is damaged: export it again.") from error


_SERIES_UID, _SERIES = 0x0020000E, 0x00081115
_FRAMES, _STUDIES, _RT_SERIES = 0x30060010, 0x30060012, 0x30060014
_REFERENCES: nested.Wanted = {
    _SERIES: {_SERIES_UID: None},
    _FRAMES: {_STUDIES: {_RT_SERIES: {_SERIES_UID: None}}},
}


def referenced_series(source: ObjectSource) -> frozenset[str]:
    """Series Instance UIDs of the images that an object was made of, as far as it names them.

    Of a Segmentation its Referenced Series Sequence (PS3.3 C.12.1), of an RT Structure Set its Referenced Frame of
    Reference Sequence (PS3.3 C.8.8.5).

    Raises
    ------
    UsageError, InputError
        As :func:`open_object`.
    """
    return frozenset(_series_uids(open_object(source).take(_REFERENCES)))


def _series_uids(item: nested.Item) -> Iterator[str]:
    for tag, value in item.items():
        if tag == _SERIES_UID:
            yield parsing.text(value)
        elif isinstance(value, list):
            for inner in value:
                yield from _series_uids(inner)


def found_object(file: FileRef, header: Header, kind: str) -> FoundObject:
    """What a scan says of an object."""
    instance = instance_from(file, header)
    return FoundObject(
        file=file,
        kind=kind,
        sop_instance_uid=instance.sop_instance_uid,
        study_uid=instance.study_uid,
        series_uid=instance.series_uid,
        frame_of_reference_uid=instance.frame_of_reference_uid,
        description=instance.series_description,
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
    file = (
        source.file
        if isinstance(source, FoundObject)
        else FileRef("" if isinstance(source, bytes) else os.fspath(source))
    )
    content = source if isinstance(source, bytes) else _content(file)
    try:
        header = read_header(MemoryBytes(content))
    except NotDicomError as error:
        raise InputError("This is no DICOM file: give a DICOM Segmentation or RT Structure Set.") from error
    except (DamagedHeaderError, *MEMBER_FAULTS) as error:
        raise InputError("The header of the object is damaged: export it again.") from error
    if header.pixels is None and len(content) > HEADER_LIMIT_BYTES:
        raise InputError(f"An object of more than {HEADER_LIMIT_BYTES >> 20} MiB without pixels is not read.")
    return OpenObject(content, header, instance_from(file, header))


def _content(file: FileRef) -> bytes:
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

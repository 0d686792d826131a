"""The slow way through a DICOM header, by pydicom: for big endian and damaged files.

It yields the very values that :mod:`isocenter.dicom.file.walk` yields for common files; the tests prove it.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from isocenter.dicom.file.bounded import BoundedBytes
from isocenter.dicom.file.elements import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    HEADER_LIMIT_BYTES,
    IMPLICIT_LITTLE,
    PIXEL_TAGS,
    SEQUENCES,
    STRAY,
    UNDEFINED,
    UNWALKED,
    WANTED,
    DamagedHeaderError,
    Header,
    PixelElement,
)
from isocenter.dicom.file.files import ByteSource
from isocenter.dicom.file.quiet import quietly

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_READS = 30_000
"""More than any header of a single-frame image needs."""
_META_BYTES = 1024
_ITEM_ENDS = (b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xff\xfe\xe0\x0d\0\0\0\0")
_WIDTH = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8}


def read_header(source: ByteSource) -> Header:
    """Header of a file; see :func:`isocenter.dicom.file.header.read_header`.

    Raises
    ------
    DamagedHeaderError
        If pydicom cannot follow the header, or finds nothing in it.
    """
    from pydicom import dcmread

    content = source.at(0, HEADER_LIMIT_BYTES)
    if DEFLATED.encode() in content[:_META_BYTES]:
        raise DamagedHeaderError  # pydicom would inflate all of it, however much that is
    file = BoundedBytes(content, MOST_READS)
    try:
        with quietly():
            found = dcmread(file, force=True, stop_before_pixels=True, specific_tags=[*WANTED.values(), *STRAY])
            header = _header(found, file, source.size)
    except Exception as error:
        raise DamagedHeaderError from error
    if not header.values and header.pixels is None:
        raise DamagedHeaderError
    return header


def _header(data_set: Dataset, file: io.BytesIO, size: int) -> Header:
    implicit, little = data_set.original_encoding
    syntax = str(data_set.file_meta.get("TransferSyntaxUID", ""))
    is_stated = syntax != ""
    if not is_stated:
        syntax = IMPLICIT_LITTLE if implicit else EXPLICIT_LITTLE if little else EXPLICIT_BIG
    values = {tag: _raw(data_set, tag, little=bool(little)) for tag in WANTED.values() if tag in data_set}
    values |= {tag: _raw(data_set.file_meta, tag, little=True) for tag in WANTED.values() if tag in data_set.file_meta}
    pixels = _pixels(file, implicit=bool(implicit), order="<" if little else ">")
    has_meta = file.getvalue()[128:132] == b"DICM"
    is_regular = syntax in UNWALKED and (is_stated or not has_meta) and not _has_stray(data_set, file)
    return Header(values, syntax, pixels, size, has_meta, is_irregular=not is_regular)


def _has_stray(data_set: Dataset, file: io.BytesIO) -> bool:
    """Whether an item or an end stands among the elements; at the end of an item pydicom stops."""
    head = file.getvalue()[max(file.tell() - 20, 0) : file.tell()]
    return any(tag in data_set for tag in STRAY) or any(end in head for end in _ITEM_ENDS)


def _pixels(file: io.BytesIO, *, implicit: bool, order: str) -> PixelElement | None:
    """The element that pydicom stopped at."""
    head = file.read(12)
    if len(head) < 12:
        return None
    group, element, length = struct.unpack(f"{order}HHI", head[:8])
    offset = file.tell() - 4
    if not implicit:
        length = struct.unpack(f"{order}I", head[8:])[0]
        offset = file.tell()
    tag = group << 16 | element
    return PixelElement(tag, offset, -1 if length == UNDEFINED else length) if tag in PIXEL_TAGS else None


def _raw(data_set: Dataset, tag: int, *, little: bool) -> bytes:
    """Bytes of a value, as little endian."""
    element = data_set.get_item(tag)
    if element is None or element.VR == "SQ" or tag in SEQUENCES:
        return b""
    value = element.value
    if not isinstance(value, bytes):  # pydicom has already turned it into text
        parts = [value] if isinstance(value, str) else list(value or ())
        return "\\".join(str(part) for part in parts).encode("utf-8")
    width = _WIDTH.get(str(element.VR), 1)
    if little or width == 1:
        return bytes(value)
    return b"".join(value[at : at + width][::-1] for at in range(0, len(value), width))

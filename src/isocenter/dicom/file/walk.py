"""The fast way through a DICOM header: explicit or implicit VR little endian, walked element by element (PS3.5 7).

The first few KiB of the file are read, and only as much more as the header needs; long values are stepped over. What
is not common raises :class:`UnusualError`, and :mod:`isocenter.dicom.file.fallback` takes over.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from isocenter.dicom.file.deflated import inflate
from isocenter.dicom.file.elements import (
    DEFLATED,
    EXPLICIT_LITTLE,
    HEADER_LIMIT_BYTES,
    IMPLICIT_LITTLE,
    PIXEL_TAGS,
    SEQUENCES,
    STRAY,
    UNDEFINED,
    UNWALKED,
    WANTED,
    Header,
    NotDicomError,
    PixelElement,
)
from isocenter.dicom.file.files import ByteSource, MemoryBytes

FIRST_READ_BYTES = 8192
PREAMBLE_BYTES = 132
"""128 bytes of anything, then ``DICM``."""
INFLATED_LIMIT_BYTES = 16 << 20
"""A deflated header is not followed further than this."""
VALUE_LIMIT_BYTES = 1 << 16
"""A wanted value is not longer."""
_NESTING_LIMIT = 32


class UnusualError(Exception):
    """The walk does not know this; pydicom may."""


def _int(two_letters: str) -> int:
    return int.from_bytes(two_letters.encode(), "little")


def swapped(tag: int) -> int:
    """A tag as it reads when its four little endian bytes are taken as one number."""
    return (tag & 0xFFFF) << 16 | tag >> 16


_SHORT_VRS = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
_LONG_VRS = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
_VALUE_AT = {_int(vr): 8 for vr in _SHORT_VRS.split()} | {_int(vr): 12 for vr in _LONG_VRS.split()}
_UN = _int("UN")
_ITEM, _ITEM_END, _SEQUENCE_END = map(swapped, STRAY)
_WANTED = {swapped(tag): tag for tag in (*WANTED.values(), *PIXEL_TAGS, *STRAY)}
_SPECIAL = frozenset({*SEQUENCES, *PIXEL_TAGS, *STRAY})
_TRANSFER_SYNTAX = swapped(0x00020010)
_META_VRS = {tag: _int("UI") for tag in (*_WANTED, _TRANSFER_SYNTAX)} | {swapped(0x00020000): _int("UL")}
"""Of a meta header, whose other values are not looked at."""
_OPEN_VRS = frozenset(map(_int, ("SQ", "UN", "OB", "OW")))
"""Of values whose length may be undefined."""
_PIXEL_VRS = frozenset(map(_int, ("OB", "OW", "OF", "OD", "UN")))
_Step = Callable[[bytes, int, dict[int, bytes]], tuple[int, PixelElement | None]]
_explicit_head = struct.Struct("<IHH").unpack_from
_tag_length = struct.Struct("<II").unpack_from
_uint32 = struct.Struct("<I").unpack_from


def read_header(source: ByteSource) -> Header:
    """Header of a common file; see :func:`isocenter.dicom.file.header.read_header`.

    Raises
    ------
    NotDicomError
        If nothing says that the file is DICOM.
    UnusualError, KeyError
        If the file is not a common one.
    """
    window = source.at(0, FIRST_READ_BYTES)
    has_meta = window[128:132] == b"DICM"
    if not has_meta and not _starts_like_data_set(window):
        raise NotDicomError
    return _walk(source, window, PREAMBLE_BYTES if has_meta else 0)


def _starts_like_data_set(window: bytes) -> bool:
    """Whether a file without preamble starts with an early group (2 or 8) and a length that is no nonsense."""
    if len(window) < 16 or window[:2] not in (b"\x02\x00", b"\x08\x00") or window[3] > 0:
        return False
    if _is_explicit(window, 0):
        return True
    return _tag_length(window, 0)[1] <= 256 and window[8] + window[9] > 0


def _is_explicit(window: bytes, position: int) -> bool:
    return len(window) >= position + 6 and int.from_bytes(window[position + 4 : position + 6], "little") in _VALUE_AT


def _walk(source: ByteSource, window: bytes, position: int) -> Header:
    has_meta = position > 0
    syntax, values = "", dict[int, bytes]()
    if has_meta or window[:2] == b"\x02\x00":
        syntax, position = read_meta(window, position, values)
        if syntax in UNWALKED:
            raise UnusualError
    if syntax == DEFLATED:
        return _walk_deflated(source, position, values)
    explicit = _is_explicit(window, position)
    if not syntax:
        if has_meta:
            raise UnusualError
        syntax = EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE
    if explicit is (syntax == IMPLICIT_LITTLE):
        raise UnusualError  # the data set is not encoded as the meta header says
    pixels = _follow(source, window, position, (_step_explicit if explicit else _step_implicit, values))
    return Header(values, syntax, pixels, source.size, has_meta)


def _walk_deflated(source: ByteSource, start: int, values: dict[int, bytes]) -> Header:
    try:
        data_set = MemoryBytes(inflate(source.at(start, HEADER_LIMIT_BYTES), INFLATED_LIMIT_BYTES))
    except zlib.error:
        raise UnusualError from None
    pixels = _follow(data_set, data_set.at(0, FIRST_READ_BYTES), 0, (_step_explicit, values))
    return Header(values, DEFLATED, pixels, source.size, has_meta=True)


def _follow(
    source: ByteSource, window: bytes, position: int, walk: tuple[_Step, dict[int, bytes]]
) -> PixelElement | None:
    """Step through the data set window by window; the pixel data, if there are any."""
    step, values = walk
    base, size = 0, source.size
    while True:
        reached, pixels = step(window, position - base, values)
        reached += base
        if pixels is not None:
            length = -1 if pixels.length == UNDEFINED else pixels.length
            return PixelElement(pixels.tag, pixels.offset + base, length)
        if reached == size:
            return None
        if reached > size or (base + len(window) >= size and reached < base + len(window)):
            raise UnusualError  # the file ends within an element
        grown = 4 * len(window) if reached == position else FIRST_READ_BYTES
        if reached + grown > HEADER_LIMIT_BYTES:
            raise UnusualError
        position = base = reached
        window = source.at(base, grown)


def read_meta(window: bytes, position: int, values: dict[int, bytes]) -> tuple[str, int]:
    """Walk the meta header (always explicit little endian, PS3.10 7.1).

    Parameters
    ----------
    window
        Start of the file.
    position
        Where the meta header begins.
    values
        Takes the wanted values.

    Returns
    -------
    The transfer syntax, and where the data set begins.
    """
    syntax = ""
    try:
        while window[position : position + 2] == b"\x02\x00":
            tag, vr, length = _explicit_head(window, position)
            start = position + _VALUE_AT[vr]
            if start == position + 12:
                length = _uint32(window, position + 8)[0]
            if vr != _META_VRS.get(tag, vr):
                raise UnusualError
            if tag == _TRANSFER_SYNTAX:
                syntax = window[start : start + length].decode("ascii", "replace").rstrip("\0 ")
            elif tag in _WANTED:
                values[_WANTED[tag]] = window[start : start + length]
            position = start + length
    except struct.error:
        raise UnusualError from None
    if position + 8 > len(window):
        raise UnusualError
    return syntax, position


def _step_explicit(window: bytes, position: int, values: dict[int, bytes]) -> tuple[int, PixelElement | None]:
    """Walk an explicit VR data set as far as the window goes; where it stopped, and the pixel data if it met them."""
    value_at, wanted, size = _VALUE_AT, _WANTED.get, len(window)
    while position <= size - 12:
        tag, vr, length = _explicit_head(window, position)
        start = position + value_at[vr]
        if start == position + 12:
            length = _uint32(window, position + 8)[0]
        name = wanted(tag)
        if name is not None and length <= VALUE_LIMIT_BYTES and name not in _SPECIAL:
            if start + length > size:
                return position, None
            values[name] = window[start : start + length]
        elif name is not None or length == UNDEFINED:
            if name in PIXEL_TAGS and vr in _PIXEL_VRS:
                return position, PixelElement(name, start, length)
            _note(name, values)
            if length == UNDEFINED and vr not in _OPEN_VRS:
                raise UnusualError
            end = _past(window, start, length, explicit=vr != _UN)
            if end < 0:
                return position, None
            position = end
            continue
        position = start + length
    return _last_short(window, position, values), None


def _step_implicit(window: bytes, position: int, values: dict[int, bytes]) -> tuple[int, PixelElement | None]:
    """As :func:`_step_explicit`, for implicit VR."""
    wanted, size = _WANTED.get, len(window)
    while position <= size - 8:
        tag, length = _tag_length(window, position)
        start = position + 8
        name = wanted(tag)
        if name is not None and length <= VALUE_LIMIT_BYTES and name not in _SPECIAL:
            if start + length > size:
                return position, None
            values[name] = window[start : start + length]
        elif name is not None or length == UNDEFINED:
            if name in PIXEL_TAGS:
                return position, PixelElement(name, start, length)
            _note(name, values)
            end = _past(window, start, length, explicit=False)
            if end < 0:
                return position, None
            position = end
            continue
        position = start + length
    return position, None


def _last_short(window: bytes, position: int, values: dict[int, bytes]) -> int:
    """Step over an element of less than 12 bytes that ends the window."""
    if position + 8 <= len(window) < position + 12:
        tag, vr, length = _explicit_head(window, position)
        start = position + _VALUE_AT[vr]
        if start + length == len(window):
            if tag in _WANTED and _WANTED[tag] not in _SPECIAL:
                values[_WANTED[tag]] = window[start:]
            return len(window)
    return position


def _note(name: int | None, values: dict[int, bytes]) -> None:
    """Note that a wanted sequence is there; another comes here only if it is absurdly long, or an item out of place."""
    if name in SEQUENCES:
        values[name] = b""
    elif name is not None:
        raise UnusualError


def _past(window: bytes, start: int, length: int, *, explicit: bool) -> int:
    """Position behind a value, of undefined length too; -1 if that lies beyond the window."""
    if length != UNDEFINED:
        return start + length
    try:
        return _sequence_end(window, start, explicit, 0)
    except struct.error:
        return -1


def _sequence_end(window: bytes, position: int, explicit: bool, depth: int) -> int:  # noqa: FBT001
    if depth > _NESTING_LIMIT:
        raise UnusualError
    while True:
        tag, length = _tag_length(window, position)
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise UnusualError
        position = _item_end(window, position, explicit, depth) if length == UNDEFINED else position + length


def _item_end(window: bytes, position: int, explicit: bool, depth: int) -> int:  # noqa: FBT001
    while True:
        tag, length = _tag_length(window, position)
        if tag == _ITEM_END:
            return position + 8
        inner = explicit
        start = position + 8
        if explicit:
            _, vr, length = _explicit_head(window, position)
            start = position + _VALUE_AT[vr]
            inner = vr != _UN
            if start == position + 12:
                length = _uint32(window, position + 8)[0]
            if length == UNDEFINED and vr not in _OPEN_VRS:
                raise UnusualError
        position = _sequence_end(window, start, inner, depth + 1) if length == UNDEFINED else start + length


# --- all elements ----------------------------------------------------------------------------------------------------


class Element(NamedTuple):
    """Where an element lies: its head, the length in it, its value, and where the next one starts."""

    tag: int
    start: int
    length_at: int
    value_at: int
    end: int
    is_open: bool


def elements(window: bytes, *, is_explicit: bool) -> list[Element]:
    """All elements of a file with a meta header, from there to the value at which the window ends.

    Parameters
    ----------
    window
        The file up to the value of its pixel data.
    is_explicit
        Whether the data set is in explicit VR.

    Raises
    ------
    UnusualError, KeyError, struct.error
        If the file is not a common one.
    """
    found: list[Element] = []
    position, in_meta = PREAMBLE_BYTES, True
    while True:
        in_meta = in_meta and window[position : position + 2] == b"\x02\x00"
        tag, length = _tag_length(window, position)
        length_at, value_at, inner = position + 4, position + 8, False
        if in_meta or is_explicit:
            _, vr, length = _explicit_head(window, position)
            length_at, value_at, inner = position + 6, position + _VALUE_AT[vr], vr != _UN
            if value_at == position + 12:
                length_at, length = position + 8, _uint32(window, position + 8)[0]
        if value_at >= len(window):
            return found
        end = _past(window, value_at, length, explicit=inner)
        if end < 0:
            raise UnusualError
        found.append(Element(swapped(tag), position, length_at, value_at, end, length == UNDEFINED))
        position = end

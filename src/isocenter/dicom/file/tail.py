"""Tail: what may follow the pixel data in a file: nothing, zeros, or elements of higher groups that end with the file.

Anything else says that the pixel data are longer than their length: that something was put into them, perhaps.
"""

from __future__ import annotations

import struct

from isocenter.dicom.file.elements import IMPLICIT_LITTLE, UNDEFINED
from isocenter.dicom.file.files import ByteSource

_LOOKED_AT_BYTES = 1 << 16
_PIXEL_GROUP, _ITEM_GROUP = 0x7FE0, 0xFFFE
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


def ends_well(source: ByteSource, end: int, syntax: str) -> bool:
    """Whether what follows the pixel data may stand there.

    Parameters
    ----------
    source
        The file.
    end
        The byte behind the pixel data's value.
    syntax
        Transfer syntax: big endian elements are not known here, and do not end well.
    """
    tail = source.at(end, _LOOKED_AT_BYTES)
    position = 0
    while position < len(tail):
        if not any(tail[position:]):
            return True
        position = _behind(tail, position, has_vr=syntax != IMPLICIT_LITTLE)
        if position < 0:
            return False
    return end + position == source.size


def _behind(tail: bytes, position: int, *, has_vr: bool) -> int:
    """The byte behind an element; -1 if that is none which may stand there."""
    if position + 8 > len(tail):
        return -1
    group, number, length = struct.unpack_from("<HHI", tail, position)
    start = position + 8
    if has_vr:
        vr = tail[position + 4 : position + 6]
        length = struct.unpack_from("<H", tail, position + 6)[0]
        if vr in _LONG_VRS:
            length, start = int.from_bytes(tail[position + 8 : position + 12], "little"), position + 12
        elif not vr.isalpha():
            return -1
    if not _PIXEL_GROUP <= group < _ITEM_GROUP or (group == _PIXEL_GROUP and number <= 0x10):
        return -1
    if length != UNDEFINED:
        return int(start + length)
    stop = tail.find(b"\xfe\xff\xdd\xe0", start)
    return stop + 8 if stop >= 0 else -1

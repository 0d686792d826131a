"""Encapsulation: the frames within compressed pixel data (PS3.5 A.4). What a frame holds is left to the codecs.

Pixel data are a sequence of fragments behind a Basic Offset Table, which may be empty; a frame may be cut into several
fragments. Tables are believed only where they agree with the fragments that are there.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise

from isocenter.dicom.file.files import ByteSource

Bytes = bytes | memoryview

_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_MOST_FRAGMENTS = 4096
_JPEG_END = b"\xff\xd9"
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")  # JPEG and JPEG-LS; JPEG 2000
_RLE_OFFSET = struct.pack("<I", 64)


class TruncatedError(Exception):
    """The data end before the frame does."""


class UndecodableError(Exception):
    """The data are no frame of the size that the header states."""


def frames_of(value: Bytes, count: int, *, offsets: bytes = b"", lengths: bytes = b"") -> list[Bytes]:
    """All frames of encapsulated pixel data, each with its fragments joined.

    Parameters
    ----------
    value
        The file from the first byte of the pixel data's value on.
    count
        Number of frames that the header states.
    offsets, lengths
        Extended Offset Table (7FE0,0001) and its Lengths (7FE0,0002), little endian; empty where there are none.

    Returns
    -------
    One codestream per frame, without copying where it is one fragment. The first way that fits is taken: a single
    frame holds all fragments; one fragment per frame; the Extended Offset Table; the Basic Offset Table; the starts of
    codestreams among the fragments; the ends of codestreams within the joined fragments.

    Raises
    ------
    TruncatedError
        If the file, or the sequence of fragments, ends before the last frame.
    UndecodableError
        If the fragments cannot be told to be that many frames.
    """
    fragments, table = _fragments(memoryview(value))
    data = [fragment for _, fragment in fragments]
    if len(data) == count:
        return [_cut(fragment, lengths, k) for k, fragment in enumerate(data)]
    heads = [k for k, fragment in enumerate(data) if _is_start(fragment)]
    if len(heads) > count:
        raise UndecodableError("The pixel data hold more frames than the header states.")
    if count == 1:
        return [b"".join(data)]
    for firsts in (_told(fragments, offsets, 8), _told(fragments, table, 4), heads):
        if len(firsts) == count and firsts[0] == 0 and (not heads or firsts == heads):
            ends = [*firsts[1:], len(data)]
            return [_joined(data[first:end]) for first, end in zip(firsts, ends, strict=True)]
    return _split(b"".join(data), count)


def reach(source: ByteSource, start: int) -> int:
    """The byte behind the last fragment, from the lengths of the fragments alone.

    Parameters
    ----------
    source
        The file.
    start
        First byte of the pixel data's value.
    """
    position = start
    for _ in range(_MOST_FRAGMENTS):
        if position + 8 >= source.size:  # at most the end of the sequence is left: of a zip member no more is unpacked
            break
        head = source.at(position, 8)
        if head[:4] != _ITEM:
            break
        position += 8 + int.from_bytes(head[4:], "little")
    return position


# --- fragments --------------------------------------------------------------------------------------------------------


def _fragments(value: memoryview) -> tuple[list[tuple[int, memoryview]], memoryview]:
    """The fragments, each with the place of its item counted from the first, and the Basic Offset Table."""
    items: list[tuple[int, memoryview]] = []
    position = 0
    while position + 8 <= len(value):
        tag, length = value[position : position + 4], struct.unpack_from("<I", value, position + 4)[0]
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise UndecodableError("The pixel data are not divided into fragments as they should be.")
        if position + 8 + length > len(value):
            raise TruncatedError("A fragment of the pixel data reaches beyond the file.")
        if length or not items:
            items.append((position, value[position + 8 : position + 8 + length]))
        position += 8 + length
    table = memoryview(b"")
    if items and not _is_start(items[0][1]):  # a first item that is itself a codestream: the table was left out
        table = items.pop(0)[1]
    if not any(len(fragment) for _, fragment in items):
        raise TruncatedError("The pixel data hold no frame.")
    first = items[0][0]
    return [(place - first, fragment) for place, fragment in items], table


def _is_start(fragment: Bytes) -> bool:
    """Whether a fragment begins as a JPEG, JPEG-LS, JPEG 2000 or RLE codestream does."""
    head = bytes(fragment[:8])
    return head.startswith(_STARTS) or (head[4:] == _RLE_OFFSET and 0 < int.from_bytes(head[:4], "little") < 16)


def _told(fragments: Sequence[tuple[int, memoryview]], table: Bytes, size: int) -> list[int]:
    """The first fragment of each frame as an offset table tells it; empty where it does not fit the fragments."""
    if not table or len(table) % size:
        return []
    numbers = struct.unpack(f"<{len(table) // size}{'Q' if size == 8 else 'I'}", table)
    places = {place: k for k, (place, _) in enumerate(fragments)}
    firsts = [places.get(number, -1) for number in numbers]
    is_rising = all(a < b for a, b in pairwise(firsts))
    return firsts if is_rising and -1 not in firsts else []


def _joined(fragments: Sequence[memoryview]) -> Bytes:
    return fragments[0] if len(fragments) == 1 else b"".join(fragments)


def _cut(fragment: memoryview, lengths: bytes, index: int) -> memoryview:
    """A fragment without the padding that the Extended Offset Table's lengths leave out."""
    if len(lengths) < 8 * (index + 1):
        return fragment
    length = struct.unpack_from("<Q", lengths, 8 * index)[0]
    return fragment[:length] if len(fragment) - 1 <= length else fragment


def _split(stream: bytes, count: int) -> list[Bytes]:
    """Codestreams that lie one behind another, told apart by their ends."""
    frames: list[Bytes] = []
    position = 0
    while len(frames) < count:
        end = _end_of(stream, position)
        frames.append(memoryview(stream)[position:end])
        position = end
        while position < len(stream) and not stream.startswith(_STARTS, position):
            position += 1
    if position < len(stream):
        raise UndecodableError("The pixel data hold more frames than the header states.")
    return frames


def _end_of(stream: bytes, start: int) -> int:
    """The byte behind the codestream that begins at ``start``."""
    if start >= len(stream):
        raise TruncatedError("The pixel data hold fewer frames than the header states.")
    if not stream.startswith(_STARTS, start):
        raise UndecodableError("The fragments of the pixel data cannot be told to be the frames of the header.")
    position = start + 2
    if stream.startswith(_STARTS[0], start):  # a preview within the codestream's segments has an end of its own
        while stream[position : position + 1] == b"\xff" and stream[position + 1 : position + 2] != b"\xda":
            position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    end = stream.find(_JPEG_END, position)
    if end < 0:
        raise TruncatedError("The codestream has no end.")
    return end + 2

"""Layout: where the elements of a sound DICOM file lie, sequences and fragments too, so that they can be spoiled.

It is written for mutation alone and shares no code with the reader; of a file that is not sound it sees a part.
"""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass

PREAMBLE_BYTES = 132
UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

_IMPLICIT, _BIG, _DEFLATED = (b"1.2.840.10008.1.2" + end for end in (b"", b".2", b".1.99"))
_SYNTAX_TAG = 0x00020010
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_MOST_ELEMENTS = 4000
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where one element, item or fragment lies.

    Parameters
    ----------
    tag
        Group and element number.
    at
        Its first byte.
    vr
        Value representation; empty where it is not written.
    length_at, length_width
        Where its length stands, in how many bytes.
    start, end
        First byte of its value, and the byte behind it (of undefined length too).
    depth
        0 in the data set, more in items.
    """

    tag: int
    at: int
    vr: bytes
    length_at: int
    length_width: int
    start: int
    end: int
    depth: int


@dataclass(frozen=True)
class Layout:
    """A file, or what it holds once inflated.

    Parameters
    ----------
    data
        Its bytes; those of a deflated data set are inflated.
    places
        All elements, items and fragments, in the order of the file.
    data_set_at
        Where the meta header ends.
    is_explicit, is_big, is_deflated
        How the data set is encoded.
    """

    data: bytes
    places: tuple[Place, ...]
    data_set_at: int
    is_explicit: bool
    is_big: bool
    is_deflated: bool

    @property
    def order(self) -> str:
        """Byte order of the data set, as :mod:`struct` writes it."""
        return ">" if self.is_big else "<"

    @property
    def top(self) -> tuple[Place, ...]:
        """Elements of the data set itself."""
        return tuple(place for place in self.places if place.depth == 0 and place.at >= self.data_set_at)

    def first(self, tag: int) -> Place | None:
        """The first element of a tag at the top."""
        return next((place for place in self.places if place.depth == 0 and place.tag == tag), None)

    def any(self, rng: random.Random) -> Place:
        """Any place; pixel data and their fragments as often as all others."""
        pixels = [place for place in self.places if place.tag == PIXEL_DATA or place.end > len(self.data) - 16]
        return rng.choice(pixels if pixels and rng.random() < 0.2 else self.places)

    def any_top(self, rng: random.Random) -> Place:
        """Any element of the data set itself."""
        return rng.choice(self.top)

    def spliced(self, start: int, end: int, new: bytes) -> bytes:
        """The bytes with some of them replaced."""
        return self.data[:start] + new + self.data[end:]

    def encoded(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """An element as it stands in this file; its value is taken as it is."""
        head = struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)
        if not self.is_explicit:
            return head + struct.pack("<I", len(value)) + value
        if vr in _LONG_VRS:
            return head + vr + b"\0\0" + struct.pack(f"{self.order}I", len(value)) + value
        return head + vr + struct.pack(f"{self.order}H", len(value) % 65536) + value

    def put(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """The bytes with an element replaced, or added where it belongs; its value is padded to an even length."""
        padding = b"\0" if vr == b"UI" else b" "
        new = self.encoded(tag, vr, value + padding * (len(value) % 2))
        old = self.first(tag)
        if old is not None:
            return self.spliced(old.at, old.end, new)
        at = next((place.at for place in self.top if place.tag > tag), len(self.data))
        return self.spliced(at, at, new)

    def packed(self, data: bytes) -> bytes:
        """Changed bytes as a file again: deflated if they were."""
        if not self.is_deflated:
            return data
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        return data[: self.data_set_at] + packer.compress(data[self.data_set_at :]) + packer.flush()


def layout_of(data: bytes) -> Layout:
    """The layout of a file, as far as it can be followed."""
    places: list[Place] = []
    position, syntax = 0, b""
    if data[128:132] == b"DICM":
        position = PREAMBLE_BYTES
        walker = _Walker(data, places, explicit=True)
        while data[position : position + 2] == b"\x02\x00" and (place := walker.element(position, 0)) is not None:
            if place.tag == _SYNTAX_TAG:
                syntax = data[place.start : place.end].rstrip(b"\0 ")
            position = place.end
    start, is_deflated = position, syntax == _DEFLATED
    if is_deflated:
        data = data[:start] + zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], 1 << 26)
    explicit = syntax != _IMPLICIT if syntax else data[start + 4 : start + 6].isalpha()
    walker = _Walker(data, places, explicit=explicit, big=syntax == _BIG)
    walker.elements(position, len(data), 0)
    return Layout(data, tuple(places), start, explicit, walker.order == ">", is_deflated)


class _Walker:
    """Follows elements and notes their places."""

    def __init__(self, data: bytes, places: list[Place], *, explicit: bool, big: bool = False) -> None:
        self.data, self.places, self.explicit = data, places, explicit
        self.order = ">" if big else "<"

    def elements(self, position: int, end: int, depth: int) -> int:
        """Follow elements up to ``end``, or to the end of the item; where that is."""
        while position + 8 <= end and len(self.places) < _MOST_ELEMENTS:
            group, number = struct.unpack_from(f"{self.order}HH", self.data, position)
            if group << 16 | number == ITEM_END:
                return position + 8
            place = self.element(position, depth)
            if place is None:
                return end
            position = place.end
        return position

    def element(self, position: int, depth: int) -> Place | None:
        """Note the element at a position and what lies in it."""
        data, order = self.data, self.order
        if position + 12 > len(data):
            return None
        group, number = struct.unpack_from(f"{order}HH", data, position)
        vr, length_at, width = b"", position + 4, 4
        if self.explicit:
            vr = data[position + 4 : position + 6]
            is_long = vr in _LONG_VRS
            length_at, width = (position + 8, 4) if is_long else (position + 6, 2)
        length = struct.unpack_from(order + ("I" if width == 4 else "H"), data, length_at)[0]
        start = length_at + width
        index = len(self.places)
        place = Place(group << 16 | number, position, vr, length_at, width, start, start + length, depth)
        self.places.append(place)
        has_items = length == UNDEFINED or vr == b"SQ" or self._starts_with_item(start, length)
        if has_items and depth < _DEEPEST:
            end = self._items(start, len(data) if length == UNDEFINED else start + length, depth)
            place = Place(place.tag, position, vr, length_at, width, start, end, depth)
            self.places[index] = place
        return place if place.end <= len(data) else None

    def _starts_with_item(self, start: int, length: int) -> bool:
        return not self.explicit and length >= 8 and self.data[start : start + 4] == b"\xfe\xff\x00\xe0"

    def _items(self, position: int, end: int, depth: int) -> int:
        """Note the items (or fragments) of a sequence; the byte behind it."""
        is_pixels = self.places[-1].tag == PIXEL_DATA
        while position + 8 <= min(end, len(self.data)) and len(self.places) < _MOST_ELEMENTS:
            group, number, length = struct.unpack_from(f"{self.order}HHI", self.data, position)
            tag = group << 16 | number
            if tag == SEQUENCE_END:
                return position + 8
            if tag != ITEM:
                return end
            start = position + 8
            index = len(self.places)
            self.places.append(Place(tag, position, b"", position + 4, 4, start, start + length, depth + 1))
            if is_pixels:
                position = start + length
                continue
            stop = self.elements(start, len(self.data) if length == UNDEFINED else start + length, depth + 1)
            self.places[index] = Place(tag, position, b"", position + 4, 4, start, stop, depth + 1)
            position = stop
        return position

"""The fastest way through a header: most of it is, byte for byte, what stood in the last file of the same series.

Two headers of a series give a layout: the bytes that both have, cut where an element differs. Of a third header that
has these bytes too, with any values between them, :mod:`isocenter.dicom.file.walk` would make the same elements: it
need not be asked. A header that does not fit is walked, and teaches the layout which further element may differ.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isocenter.dicom.file.elements import (
    DEFLATED,
    IMPLICIT_LITTLE,
    OWN,
    SEQUENCES,
    UNDEFINED,
    WANTED,
    Header,
    PixelElement,
)
from isocenter.dicom.file.files import ByteSource
from isocenter.dicom.file.walk import (
    FIRST_READ_BYTES,
    PREAMBLE_BYTES,
    VALUE_LIMIT_BYTES,
    Element,
    UnusualError,
    elements,
)

_MAGIC_AT = PREAMBLE_BYTES - 4
_LONGEST_WINDOW_BYTES = 1 << 18
_MOST_LAYOUTS = 8
_SLACK_BYTES = 512
"""By which a header may be longer than the others of its series."""
_TRANSFER_SYNTAX = 0x00020010
_FIXED = SEQUENCES | {_TRANSFER_SYNTAX, WANTED["SeriesInstanceUID"]}
"""What makes a header another one: the transfer syntax, the series, and sequences, which are only noted."""
_LENGTH_BYTES = 4
"""Of the length of the pixel data."""
_Step = tuple[bytes, int, Callable[[bytes, int], tuple[int]], int, int]
_uint32 = struct.Struct("<I").unpack_from
_lengths = {2: struct.Struct("<H").unpack_from, 4: _uint32}


class Layouts:
    """The layouts of the headers met so far, the latest first."""

    def __init__(self) -> None:
        self._known: list[_Layout] = []
        self._window_bytes = FIRST_READ_BYTES
        self._series: bytes | None = None
        self._hits = 0

    def header_of(self, source: ByteSource) -> Header | None:
        """The header of a file that has a known layout; None for others."""
        known = self._known
        window = source.at(0, self._window_bytes) if known else b""
        for place, layout in enumerate(known):
            header = layout.header_of(window, source.size)
            if header is not None:
                self._hits += 1
                if place > 0:
                    known.insert(0, known.pop(place))
                return header
        return None

    def learn(self, source: ByteSource, header: Header) -> None:
        """Take in a header that was walked, if more of its kind are to be expected."""
        pixels, series = header.pixels, header.values.get(WANTED["SeriesInstanceUID"])
        is_likely = self._hits > 1 or series == self._series
        self._series = series
        if not (is_likely and header.has_meta and pixels) or header.transfer_syntax == DEFLATED:
            return
        if pixels.offset > _LONGEST_WINDOW_BYTES:
            return
        self._hits = 0
        try:
            self._add(_example(source.at(0, pixels.offset), header, pixels.tag), header)
        except (UnusualError, KeyError, struct.error):
            return

    def _add(self, example: _Example, header: Header) -> None:
        alike = [one for one in self._known if one.example.heads == example.heads]
        kin = next((one for one in alike if one.example.fixed == example.fixed), None)
        free = frozenset[int]().union(*(one.free for one in alike), _differing(example, kin) if kin else ())
        layout = _layout(example, free)
        found = layout.header_of(example.window, header.size) if layout is not None else None
        if layout is None or found is None or found._replace(memo=None) != header:
            return
        self._known = [layout, *(one for one in self._known if one is not kin)][:_MOST_LAYOUTS]
        self._window_bytes = max(len(one.example.window) for one in self._known) + _SLACK_BYTES


@dataclass(frozen=True, slots=True)
class _Example:
    """A header and its elements: the head of each, without its length, and all of those that are fixed."""

    window: bytes
    values: dict[int, bytes]
    transfer_syntax: str
    pixel_tag: int
    elements: list[Element]
    heads: list[bytes]
    fixed: list[bytes]


def _example(window: bytes, header: Header, pixel_tag: int) -> _Example:
    found = elements(window, is_explicit=header.transfer_syntax != IMPLICIT_LITTLE)
    if len({one.tag for one in found}) < len(found):
        raise UnusualError
    heads = [window[one.start : one.length_at] for one in found]
    fixed = [window[one.start : one.end] for one in found if one.tag in _FIXED]
    return _Example(window, header.values, header.transfer_syntax, pixel_tag, found, heads, fixed)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the headers of a series have in common.

    Parameters
    ----------
    example
        One of them.
    free
        Indices of the elements that differ.
    common
        The values that do not.
    steps
        Of each free element: the bytes between the last one and its length, how many these are, what reads the length,
        the bytes of the length, and the tag if it is wanted, else 0.
    last
        The bytes from the last free element to the length of the pixel data.
    memo
        For :func:`isocenter.dicom.file.elements.shared`, if no value is free but those that are each file's own.
    """

    example: _Example
    free: frozenset[int]
    common: dict[int, bytes]
    steps: tuple[_Step, ...]
    last: bytes
    memo: dict[object, Any] | None

    def header_of(self, window: bytes, size: int) -> Header | None:
        """The header that a file of a size starts with, if it has this layout."""
        values, position = self.common.copy(), _MAGIC_AT
        try:
            for before, count, length_of, width, tag in self.steps:
                if not window.startswith(before, position):
                    return None
                position += count
                (length,) = length_of(window, position)
                position += width
                if tag:
                    if length > VALUE_LIMIT_BYTES:
                        return None
                    values[tag] = window[position : position + length]
                position += length
            if not window.startswith(self.last, position):
                return None
            position += len(self.last)
            (length,) = _uint32(window, position)
        except struct.error:
            return None
        pixels = PixelElement(self.example.pixel_tag, position + _LENGTH_BYTES, -1 if length == UNDEFINED else length)
        return Header(values, self.example.transfer_syntax, pixels, size, has_meta=True, memo=self.memo)


def _differing(example: _Example, kin: _Layout) -> list[int]:
    """Indices of the elements that differ between an example and that of a layout."""
    other = kin.example
    return [
        index
        for index, (a, b) in enumerate(zip(example.elements, other.elements, strict=True))
        if example.window[a.length_at : a.end] != other.window[b.length_at : b.end]
    ]


def _layout(example: _Example, free: frozenset[int]) -> _Layout | None:
    """The layout of an example whose free elements may differ; None if one of them is more than a value."""
    window, steps, reached = example.window, [], _MAGIC_AT
    common = dict(example.values)
    for index in sorted(free):
        element = example.elements[index]
        if element.tag in _FIXED or element.is_open:
            return None
        width = element.value_at - element.length_at
        before = window[reached : element.length_at]
        tag = element.tag if element.tag in common else 0
        common.pop(tag, None)
        steps.append((before, len(before), _lengths[width], width, tag))
        reached = element.end
    last = window[reached:-_LENGTH_BYTES]
    is_shared = all(tag in OWN for *_, tag in steps if tag)
    return _Layout(example, free, common, tuple(steps), last, {} if is_shared else None)

"""Nested: chosen attributes of a header, those within sequences too, as little endian bytes. Values only.

The common walk (:mod:`isocenter.dicom.file.walk`) steps over sequences; multi-frame images keep in them where their
frames lie. Nothing else of the header is kept, and no object is made of what is stepped over.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from isocenter.dicom.file.bounded import BoundedBytes
from isocenter.dicom.file.deflated import inflate
from isocenter.dicom.file.elements import DEFLATED, HEADER_LIMIT_BYTES, IMPLICIT_LITTLE, UNDEFINED, UNWALKED, Header
from isocenter.dicom.file.files import ByteSource
from isocenter.dicom.file.quiet import quietly
from isocenter.dicom.file.walk import PREAMBLE_BYTES, UnusualError, read_meta, swapped

if TYPE_CHECKING:
    from pydicom import Dataset

Wanted = Mapping[int, "Wanted | None"]
"""Tag -> None for an attribute; for a sequence what is wanted of its items."""
Item = dict[int, Any]
"""Tag -> bytes of a value; of a sequence the list of its items."""

MOST_ITEMS = 1 << 17
"""A sequence of more items is followed only if there are :data:`ITEM_BYTES` or more for each."""
ITEM_BYTES = 128
"""Headers of frames take more; items that take less are many only in what is damaged."""
_MOST_READS = 400_000
_NESTING_LIMIT = 32
_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
_LONG_VRS = frozenset(int.from_bytes(vr.encode(), "little") for vr in _LONG.split())
_UN = int.from_bytes(b"UN", "little")
_WIDTH = {"AT": 2, "US": 2, "SS": 2, "OW": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8}
_explicit_head = struct.Struct("<IHH").unpack_from
_tag_length = struct.Struct("<II").unpack_from
_uint32 = struct.Struct("<I").unpack_from


_ITEM, _ITEM_END, _SEQUENCE_END = (swapped(tag) for tag in (0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD))
_Plan = dict[int, tuple[int, "_Plan | None"]]
_NOTHING: _Plan = {}


def read(source: ByteSource, header: Header, wanted: Wanted) -> Item:
    """Chosen attributes of a file.

    Parameters
    ----------
    source
        The file's bytes.
    header
        What the common walk found in it.
    wanted
        What to take.

    Returns
    -------
    What is there of it; nothing where the header cannot be followed.
    """
    explicit = header.transfer_syntax != IMPLICIT_LITTLE
    pixels = header.pixels
    end = HEADER_LIMIT_BYTES if pixels is None else pixels.offset - (12 if explicit else 8)
    try:
        if header.transfer_syntax == DEFLATED:
            return _walked(_inflated(source, end), 0, wanted, explicit=True)
        content = source.at(0, end)
        if header.transfer_syntax not in UNWALKED:
            start = read_meta(content, PREAMBLE_BYTES, {})[1] if header.has_meta else 0
            return _walked(content, start, wanted, explicit=explicit)
    except (UnusualError, KeyError, struct.error, zlib.error):  # KeyError: a VR that there is not
        if header.transfer_syntax == DEFLATED:
            return {}
    return _by_pydicom(content, wanted)


def items(content: bytes, wanted: Wanted) -> list[Item]:
    """Chosen attributes of each item of a sequence that is there as bytes, explicit little endian.

    Raises
    ------
    UnusualError
        If it cannot be followed.
    """
    return _items(content, (0, len(content)), _plan(_frozen(wanted)), explicit=True, depth=0)[0]


def _inflated(source: ByteSource, count: int) -> bytes:
    content = source.at(0, HEADER_LIMIT_BYTES)
    _, start = read_meta(content, PREAMBLE_BYTES, {})
    return inflate(content[start:], count)


# --- the fast way ----------------------------------------------------------------------------------------------------


def _walked(content: bytes, start: int, wanted: Wanted, *, explicit: bool) -> Item:
    return _elements(content, (start, len(content)), _plan(_frozen(wanted)), explicit=explicit)[0]


def _frozen(wanted: Wanted) -> tuple[Any, ...]:
    return tuple((tag, None if inner is None else _frozen(inner)) for tag, inner in wanted.items())


@lru_cache(maxsize=64)
def _plan(wanted: tuple[Any, ...]) -> _Plan:
    return {swapped(tag): (tag, None if inner is None else _plan(inner)) for tag, inner in wanted}


def _elements(
    content: bytes, span: tuple[int, int], plan: _Plan, *, explicit: bool, depth: int = 0
) -> tuple[Item, int]:
    """Elements from a place to another, or to the end of their item; and where they ended."""
    position, end = span
    found: Item = {}
    while position < end - 7:
        tag, length = _tag_length(content, position)
        if tag == _ITEM_END:
            return found, position + 8
        start, inner_explicit = position + 8, explicit
        if explicit:
            _, vr, length = _explicit_head(content, position)
            if vr in _LONG_VRS:
                length = _uint32(content, position + 8)[0]
                start, inner_explicit = position + 12, vr != _UN
        name, inner = plan.get(tag, (0, None))
        if length == UNDEFINED or inner is not None:
            items, position = _items(content, (start, length), inner or _NOTHING, explicit=inner_explicit, depth=depth)
            if inner is not None:
                found[name] = items
            continue
        position = start + length
        if name and position <= end:
            found[name] = content[start:position]
    if position != end:
        raise UnusualError
    return found, position


def _items(
    content: bytes, place: tuple[int, int], plan: _Plan, *, explicit: bool, depth: int
) -> tuple[list[Item], int]:
    """Items of a sequence, whose place is its first byte and its length; and where it ends."""
    position, length = place
    if depth > _NESTING_LIMIT:
        raise UnusualError
    end = len(content) if length == UNDEFINED else position + length
    if end > len(content):
        raise UnusualError
    most = max(MOST_ITEMS, (end - position) // ITEM_BYTES)
    items: list[Item] = []
    while position < end:
        tag, size = _tag_length(content, position)
        position += 8
        if tag == _SEQUENCE_END and length == UNDEFINED:
            return items, position
        if tag != _ITEM or len(items) >= most:
            raise UnusualError
        if size == UNDEFINED:
            item, position = _elements(content, (position, end), plan, explicit=explicit, depth=depth + 1)
        else:
            item, start, position = {}, position, position + size
            if plan:
                item, _ = _elements(content, (start, position), plan, explicit=explicit, depth=depth + 1)
        if plan:
            items.append(item)
    if position != end or length == UNDEFINED:
        raise UnusualError
    return items, end


# --- the slow way ----------------------------------------------------------------------------------------------------


def _by_pydicom(content: bytes, wanted: Wanted) -> Item:
    from pydicom import dcmread

    try:
        with quietly():
            found = dcmread(
                BoundedBytes(content, _MOST_READS), force=True, stop_before_pixels=True, specific_tags=list(wanted)
            )
            return item_of(found, wanted)
    except Exception:  # noqa: BLE001 - a damaged header may fail anywhere in pydicom; it says nothing then
        return {}


def item_of(dataset: Dataset, wanted: Wanted) -> Item:
    """Chosen attributes of a data set of pydicom."""
    found: Item = {}
    for tag, inner in wanted.items():
        if tag not in dataset:
            continue
        if inner is None:
            found[tag] = _bytes(dataset, tag)
        else:
            found[tag] = [item_of(item, inner) for item in dataset[tag].value or ()][:MOST_ITEMS]
    return found


def _bytes(dataset: Dataset, tag: int) -> bytes:
    """Bytes of a value, as little endian."""
    element = dataset.get_item(tag)
    value = getattr(element, "value", None)
    if value is None:
        return b""
    if not isinstance(value, bytes):  # pydicom has already turned it into text
        parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
        return "\\".join(str(part) for part in parts).encode("utf-8")
    width = _WIDTH.get(str(getattr(element, "VR", "")), 1)
    is_little = dataset.original_encoding[1] is not False
    if is_little or width == 1:
        return bytes(value)
    return b"".join(value[at : at + width][::-1] for at in range(0, len(value), width))

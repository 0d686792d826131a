"""Dimensions: what indexes the frames of a multi-frame object, and the indices of each (PS3.3 C.7.6.17)."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from isocenter.dicom.file import parsing
from isocenter.dicom.file.nested import Item, Wanted

_SEQUENCE, _POINTER, _LABEL = 0x00209222, 0x00209165, 0x00209421
DIMENSIONS: Wanted = {_SEQUENCE: {_POINTER: None, _LABEL: None}}
"""What is taken of the header, for :func:`isocenter.dicom.file.nested.read`."""
_PLACES = frozenset(
    (
        *(0x00200032, 0x00200037, 0x00209056, 0x00209057, 0x00209113, 0x00209116),  # position, stack
        *(0x00209301, 0x00209302, 0x0020930E, 0x0020930F),  # position in a volume
        *(0x0048021E, 0x0048021F, 0x0048021A),  # tile
    )
)
"""Dimensions that say where a frame lies, and so not what tells it from others there."""
_MOST_DIMENSIONS = 32


@dataclass(frozen=True, slots=True)
class Dimension:
    """What frames are indexed by: its name, and whether it is a place."""

    name: str
    is_place: bool


def dimensions_of(item: Item) -> tuple[Dimension, ...]:
    """The dimensions of an object, in the order of the Dimension Index Values."""
    found = item.get(_SEQUENCE) or []
    return tuple(_dimension(one.get(_POINTER, b""), one.get(_LABEL, b"")) for one in found[:_MOST_DIMENSIONS])


@lru_cache(maxsize=256)
def _dimension(pointer: bytes, label: bytes) -> Dimension:
    group, element = struct.unpack("<HH", pointer) if len(pointer) == 4 else (0, 0)
    tag = group << 16 | element
    return Dimension(_name(tag) or parsing.text(label).lower() or "dimension", tag in _PLACES)


def _name(tag: int) -> str:
    """Words of a keyword, such as ``"temporal position index"``; empty for private attributes."""
    from pydicom.datadict import keyword_for_tag

    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keyword_for_tag(tag)).lower()


@lru_cache(maxsize=65536)
def values_of(dimensions: Sequence[Dimension], raw: bytes) -> tuple[tuple[str, int], ...]:
    """Names and Dimension Index Values of a frame, without those that are a place; none if their number is wrong."""
    count = len(raw) // 4
    if count != len(dimensions):
        return ()
    indices = struct.unpack(f"<{count}I", raw[: 4 * count])
    return tuple((one.name, index) for one, index in zip(dimensions, indices, strict=True) if not one.is_place)

from __future__ import annotations

import struct

import pytest

from isocenter.dicom.file import nested
from isocenter.dicom.file.walk import UnusualError

CONTENT = 0x00209111


def items(count: int, size_bytes: int) -> bytes:
    """So many items of a sequence, each of so many bytes, in which lies one attribute."""
    value = bytes(size_bytes - 20)
    one = (
        struct.pack("<HHI", 0xFFFE, 0xE000, size_bytes - 8) + b"\x20\x00\x11\x91OB\0\0" + struct.pack("<I", len(value))
    )
    return (one + value) * count


def test_a_sequence_is_followed_as_far_as_its_bytes_bear_it():
    """An object of more than 131,072 frames is valid; a header of as many empty items is not."""
    many = nested.MOST_ITEMS + 1
    found = nested.items(items(many, nested.ITEM_BYTES), {CONTENT: None})
    assert len(found) == many
    assert all(len(item[CONTENT]) == nested.ITEM_BYTES - 20 for item in found[::1000])
    with pytest.raises(UnusualError):
        nested.items(items(many, 40), {CONTENT: None})

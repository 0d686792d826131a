"""Encapsulation: frames told apart by fragments, tables and codestreams; damage is refused."""

from __future__ import annotations

import struct

import pytest

from isocenter.dicom.file.encapsulation import TruncatedError, UndecodableError, frames_of

SOI, EOI = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02", b"\xff\xd9"


def item(data: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data


def sequence(*fragments: bytes, table: bytes | None = b"", end: bytes = b"\xfe\xff\xdd\xe0\0\0\0\0") -> bytes:
    return (b"" if table is None else item(table)) + b"".join(map(item, fragments)) + end


def jpeg(number: int) -> bytes:
    return SOI + bytes([number] * 10) + EOI


def found(value: bytes, count: int, **tables: bytes) -> list[bytes]:
    return [bytes(frame) for frame in frames_of(value, count, **tables)]


def test_a_single_frame_is_all_fragments():
    frame = jpeg(1)
    assert found(sequence(frame[:9], frame[9:]), 1) == [frame]


def test_a_frame_of_one_fragment_is_not_copied():
    value = sequence(jpeg(1))
    (frame,) = frames_of(value, 1)
    assert isinstance(frame, memoryview)
    assert frame.obj is value


def test_as_many_fragments_as_frames_are_the_frames():
    assert found(sequence(b"one ", b"two ", b"three "), 3) == [b"one ", b"two ", b"three "]


def test_the_basic_offset_table_tells_frames_of_several_fragments():
    value = sequence(b"aa", b"bb", b"cc", table=struct.pack("<2I", 0, 20))
    assert found(value, 2) == [b"aabb", b"cc"]


def test_the_extended_offset_table_tells_frames_of_several_fragments():
    value = sequence(b"aa", b"bb", b"cc")
    assert found(value, 2, offsets=struct.pack("<2Q", 0, 10)) == [b"aa", b"bbcc"]


def test_the_extended_lengths_leave_padding_out():
    value = sequence(b"aa", b"b\0")
    assert found(value, 2, lengths=struct.pack("<2Q", 2, 1)) == [b"aa", b"b"]


@pytest.mark.parametrize(
    "table", [b"", struct.pack("<2I", 0, 7), struct.pack("<2I", 0, 18), struct.pack("<3I", 0, 1, 2)]
)
def test_without_a_fitting_table_codestreams_begin_frames(table):
    first, second = jpeg(1), jpeg(2)
    assert found(sequence(first[:10], first[10:], second, table=table), 2) == [first, second]


def test_a_missing_table_is_noticed():
    first, second = jpeg(1), jpeg(2)
    assert found(sequence(first, second, table=None), 2) == [first, second]
    assert found(sequence(first, table=None), 1) == [first]


def test_frames_within_one_fragment_are_told_by_their_ends():
    preview = b"\xff\xe1" + struct.pack(">H", 2 + 8) + b"\xff\xd8\xff\xd9\xff\xd9ab"
    first = jpeg(1)[:2] + preview + jpeg(1)[2:]
    assert found(sequence(first + b"\0" + jpeg(2) + b"\0"), 2) == [first, jpeg(2)]


def test_the_end_of_the_sequence_may_be_missing():
    assert found(sequence(jpeg(1), end=b""), 1) == [jpeg(1)]


def test_empty_fragments_are_no_frames():
    assert found(sequence(jpeg(1), b"", jpeg(2), b""), 2) == [jpeg(1), jpeg(2)]


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_frames_is_refused(count):
    with pytest.raises((UndecodableError, TruncatedError)):
        frames_of(sequence(jpeg(1), jpeg(2)), count)


def test_more_frames_in_a_fragment_than_stated_are_refused():
    with pytest.raises(UndecodableError, match="more frames"):
        frames_of(sequence(jpeg(1) + jpeg(2) + jpeg(3)), 2)


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(UndecodableError, match="cannot be told"):
        frames_of(sequence(b"aa", b"bb", b"cc"), 2)


def test_a_fragment_beyond_the_file_is_refused():
    with pytest.raises(TruncatedError, match="beyond the file"):
        frames_of(sequence(jpeg(1), jpeg(2))[:-12], 2)


def test_fragments_without_items_are_refused():
    with pytest.raises(UndecodableError, match="not divided"):
        frames_of(b"\0" * 40, 1)


def test_no_fragment_is_no_frame():
    with pytest.raises(TruncatedError, match="no frame"):
        frames_of(sequence(), 1)

"""Lossless JPEG of one component (ITU-T T.81 H): decoded and held against its own length, as no library does.

libjpeg fills up what is missing and carries on over what is damaged. A Huffman code has no checksum, but missing bits
always and damaged ones often change how many bits the picture takes: here they have to end where the codestream does.
Codestreams of several components, with restart intervals or a point transform are left to the library.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.file.encapsulation import TruncatedError, UndecodableError
from isocenter.dicom.values.codestreams import Codestream, segments
from isocenter.kernels import kernel

Pixels = npt.NDArray[Any]
_Lookup = tuple[Pixels, Pixels, Pixels]

_TABLES, _RESTARTS, _SCAN = 0xC4, 0xDD, 0xDA
_SHORT_BITS, _LONGEST_BITS = 11, 16
_TAIL_BYTES = 64
_END = b"\xff\xd9"
_TOO_SHORT, _DAMAGED = -1, -2


def decode(frame: bytes | memoryview, stated: Codestream) -> Pixels | None:
    """Decode a lossless JPEG codestream.

    Parameters
    ----------
    frame
        The codestream.
    stated
        What it states of itself.

    Returns
    -------
    (row, column) uint8 or uint16; None if it is of a variant that is not decoded here.

    Raises
    ------
    TruncatedError
        If the codestream ends before the picture does.
    UndecodableError
        If it is damaged.
    """
    tables: dict[int, bytes] = {}
    restarts, scan, start = 0, b"", 0
    for marker, content, end in segments(memoryview(frame), _SCAN):
        if marker == _TABLES:
            tables |= _tables(content)
        elif marker == _RESTARTS:
            restarts = int.from_bytes(content[:2], "big")
        elif marker == _SCAN:
            scan, start = content, end
    if stated.samples != 1 or restarts or len(scan) != 6 or scan[5] & 15:
        return None
    if scan[2] >> 4 not in tables or not 1 <= scan[3] <= 7:
        raise UndecodableError("The JPEG codestream lacks its tables.")
    tail = bytes(frame[-_TAIL_BYTES:])
    end = bytes(frame).rfind(_END) if _END not in tail else len(frame) - len(tail) + tail.rfind(_END)
    coded = np.frombuffer(frame, np.uint8)[start : max(start, end)]
    cells = np.empty((stated.rows, stated.columns), np.uint16)
    left = _fill(cells, coded, _lookup(tables[scan[2] >> 4]), scan[3], stated.precision)
    if left == _TOO_SHORT:
        raise TruncatedError("The JPEG codestream ends before the last pixel.")
    if left < 0 or (left >= 8 and coded[-(left // 8) :].any()):  # bytes of nothing may fill the end up
        raise UndecodableError("The JPEG codestream is damaged: its codes do not end where it does.")
    return cells if stated.precision > 8 else cells.astype(np.uint8)


def _tables(content: bytes) -> dict[int, bytes]:
    """Huffman tables by their number: 16 counts of codes of each length, and the values of the codes."""
    tables = {}
    while len(content) > _LONGEST_BITS:
        size = 1 + _LONGEST_BITS + sum(content[1:17])
        tables[content[0]] = content[1:size]
        content = content[size:]
    return tables


def _lookup(table: bytes) -> _Lookup:
    """For the decoder: length and category by the first bits; behind the last code, and its category, by length."""
    short = np.zeros(1 << _SHORT_BITS, np.uint16)
    ends = np.zeros(_LONGEST_BITS + 1, np.int64)
    shifts = np.zeros(_LONGEST_BITS + 1, np.int64)
    code, place, values = 0, 0, np.frombuffer(table[16:], np.uint8).astype(np.int64)
    for length, count in enumerate(struct.unpack("16B", table[:16]), 1):
        if code + count > 1 << length or place + count > len(values):
            raise UndecodableError("A table of the JPEG codestream is damaged.")
        shifts[length] = place - code
        for value in values[place : place + count]:
            if length <= _SHORT_BITS:
                first = code << (_SHORT_BITS - length)
                short[first : first + (1 << (_SHORT_BITS - length))] = length << 8 | value
            code += 1
        place += count
        ends[length] = code
        code <<= 1
    if values.size == 0 or values.max() > _LONGEST_BITS:
        raise UndecodableError("A table of the JPEG codestream is damaged.")
    return short, np.stack([ends, shifts]), values


@kernel
def _fill(cells: Pixels, coded: Pixels, tables: _Lookup, predictor: int, precision: int) -> int:
    """Decode into ``cells``; the number of bits left over, or what is wrong."""
    rows, columns = cells.shape
    short, long, values = tables
    held, count, absent, position, seen = 0, 0, 0, 0, 0
    left: Any = 0
    for row in range(rows):
        for column in range(columns):
            if count < 32:
                word, position, behind = _word(coded, position)
                held = (held & ((1 << count) - 1)) << 32 | word
                count += 32
                absent += behind
            found: Any = np.int64(short[(held >> (count - _SHORT_BITS)) & ((1 << _SHORT_BITS) - 1)])
            if found == 0:
                found = _long_code(held, count, long, values)
                if found == 0:
                    return _DAMAGED
            category = found & 255
            count -= (found >> 8) + (category & 15)
            if column == 0:
                left = np.int64(cells[row - 1, 0]) if row else 1 << (precision - 1)
            elif predictor != 1 and row:
                left = _guess(cells, (row, column), left, predictor)
            left = (left + _difference(held >> count, category)) & 0xFFFF
            seen |= left
            cells[row, column] = left
        if absent > count:
            return _TOO_SHORT
    return _DAMAGED if seen >> precision else count - absent + 8 * (coded.size - position)


@kernel
def _word(coded: Any, position: int) -> Any:
    """The next 32 bits, the place behind them, and how many of them are not there: zeros behind the end.

    A byte of ones has one of zeros behind it, which counts for nothing; with another one it is a marker: the end.
    """
    if position + 4 <= coded.size:
        a, b = np.int64(coded[position]), np.int64(coded[position + 1])
        c, d = np.int64(coded[position + 2]), np.int64(coded[position + 3])
        if a != 255 and b != 255 and c != 255 and d != 255:
            return a << 24 | b << 16 | c << 8 | d, position + 4, 0
    word, absent = np.int64(0), 0
    for _ in range(4):
        word <<= 8
        byte = np.int64(coded[position]) if position < coded.size else np.int64(-1)
        if byte == 255 and (position + 1 >= coded.size or coded[position + 1] != 0):
            byte = np.int64(-1)
        if byte < 0:
            absent += 8
            continue
        word |= byte
        position += 2 if byte == 255 else 1
    return word, position, absent


@kernel
def _long_code(held: int, count: int, long: Any, values: Any) -> Any:
    """Length and category of a code that is longer than the table of short ones; 0 where there is no such code."""
    for length in range(_SHORT_BITS + 1, _LONGEST_BITS + 1):
        code = (held >> (count - length)) & ((1 << length) - 1)
        if code < long[0, length]:
            return length << 8 | values[code + long[1, length]]
    return np.int64(0)


@kernel
def _difference(held: int, category: int) -> Any:
    """The difference whose bits are the lowest of those held (T.81 H.1.2.2)."""
    if category == 0:
        return 0
    if category == 16:
        return 32768
    bits = held & ((1 << category) - 1)
    return bits if bits >= 1 << (category - 1) else bits - (1 << category) + 1


@kernel
def _guess(cells: Any, place: tuple[int, int], left: int, predictor: int) -> Any:
    """Value that is predicted from the neighbours (T.81 table H.1) by all predictors but the first."""
    row, column = place
    above, corner = np.int64(cells[row - 1, column]), np.int64(cells[row - 1, column - 1])
    if predictor == 2:
        return above
    if predictor == 3:
        return corner
    if predictor == 4:
        return left + above - corner
    if predictor == 5:
        return left + ((above - corner) >> 1)
    if predictor == 6:
        return above + ((left - corner) >> 1)
    return (left + above) >> 1

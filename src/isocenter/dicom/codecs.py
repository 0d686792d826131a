"""Codecs: the one frame of a single-frame image out of its encapsulated pixel data (PS3.5 A.4). Stored values only.

The size that a codestream states is compared with the header before anything is decoded, so that a lying codestream
can neither misplace pixels nor claim memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.files import ByteSource

Pixels = npt.NDArray[Any]

_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_MOST_FRAGMENTS = 4096
_RLE_HEADER_BYTES = 64


class TruncatedError(Exception):
    """The data end before the frame does."""


class UndecodableError(Exception):
    """The data are no frame of the size that the header states."""


# --- encapsulation --------------------------------------------------------------------------------------------------


def frame_of(value: bytes | memoryview) -> bytes:
    """The frame within encapsulated pixel data that hold a single one: all fragments, joined.

    Parameters
    ----------
    value
        The file from the first byte of the pixel data's value on.

    Raises
    ------
    TruncatedError, UndecodableError
    """
    fragments = []
    position, is_table = 0, True
    while position + 8 <= len(value):
        tag, length = bytes(value[position : position + 4]), struct.unpack_from("<I", value, position + 4)[0]
        position += 8
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise UndecodableError("The pixel data are not divided into fragments as they should be.")
        if position + length > len(value):
            raise TruncatedError("A fragment of the pixel data reaches beyond the file.")
        if not is_table:
            fragments.append(value[position : position + length])
        is_table = False
        position += length
    if not any(map(len, fragments)):
        raise TruncatedError("The pixel data hold no frame.")
    return bytes(fragments[0]) if len(fragments) == 1 else b"".join(fragments)


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


# --- codestreams ----------------------------------------------------------------------------------------------------

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG2000_START = b"\xff\x4f\xff\x51"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}


def jpeg_size(data: bytes) -> tuple[int, int, int]:
    """Rows, columns and components that a JPEG or JPEG-LS codestream states (ITU-T T.81 B.2.2, T.87 C.2.2)."""
    position = 2
    while position + 10 <= len(data):
        if data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in _FRAME_HEADERS:
            rows, columns, components = struct.unpack_from(">HHB", data, position + 5)
            return rows, columns, components
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    raise UndecodableError("The JPEG codestream has no frame header.")


def jpeg2000_size(data: bytes) -> tuple[int, int, int]:
    """Rows, columns and components that a JPEG 2000 codestream states (ITU-T T.800 A.5.1)."""
    start = data.find(_JPEG2000_START, 0, 4096)  # behind the boxes of a JP2 file, should there be any
    if start < 0 or len(data) < start + 42:
        raise UndecodableError("The JPEG 2000 codestream has no size.")
    width, height, left, top = struct.unpack_from(">IIII", data, start + 8)
    components = struct.unpack_from(">H", data, start + 40)[0]
    return height - top, width - left, components


def _checked(data: bytes, shape: tuple[int, int], stated: tuple[int, int, int]) -> None:
    if stated != (*shape, 1):
        raise UndecodableError(
            f"The codestream holds {stated[0]} x {stated[1]} pixels of {stated[2]} samples; "
            f"the header says {shape[0]} x {shape[1]} of 1."
        )
    if _JPEG_END not in data[-64:]:
        raise TruncatedError("The codestream has no end.")


def _jpeg(name: str) -> Callable[[bytes, tuple[int, int], int], Pixels]:
    def decode(data: bytes, shape: tuple[int, int], _: int) -> Pixels:
        import imagecodecs

        if data[:2] != _JPEG_START:
            raise UndecodableError("The codestream is no JPEG.")
        _checked(data, shape, jpeg_size(data))
        return np.asarray(getattr(imagecodecs, name)(data))

    return decode


def _jpeg2000(data: bytes, shape: tuple[int, int], _: int) -> Pixels:
    """JPEG 2000, high throughput too, by OpenJPEG: the faster OpenJPH binding swallows the decoder's errors."""
    import imagecodecs

    _checked(data, shape, jpeg2000_size(data))
    return np.asarray(imagecodecs.jpeg2k_decode(data))


def _rle(data: bytes, shape: tuple[int, int], bits: int) -> Pixels:
    """RLE (PS3.5 G): one segment per byte of a pixel cell, the highest byte first.

    The segments are unpacked one by one: imagecodecs' decoder of whole frames trusts the offsets and can crash.
    """
    import imagecodecs

    count, size = bits // 8, shape[0] * shape[1]
    if len(data) < _RLE_HEADER_BYTES:
        raise TruncatedError("The RLE data have no header.")
    stated, *offsets = struct.unpack_from(f"<{1 + count}I", data)
    ends = [*offsets[1:], len(data)]
    if stated != count or offsets[0] < _RLE_HEADER_BYTES or any(a >= b for a, b in zip(offsets, ends, strict=True)):
        raise UndecodableError("The RLE data do not have one segment per byte of a pixel.")
    planes = np.empty((*shape, count), np.uint8)
    for place, (start, end) in enumerate(zip(offsets, ends, strict=True)):
        segment = imagecodecs.packbits_decode(data[start:end])
        if len(segment) < size:
            raise TruncatedError("The RLE data are too short for the frame.")
        planes[..., count - 1 - place] = np.frombuffer(segment, np.uint8, size).reshape(shape)
    return planes.view(f"<u{count}")[..., 0]


_SYNTAX = "1.2.840.10008.1.2."
_classic, _jpegls = _jpeg("jpeg8_decode"), _jpeg("jpegls_decode")

DECODERS: MappingProxyType[str, Callable[[bytes, tuple[int, int], int], Pixels]] = MappingProxyType(
    {
        _SYNTAX + "5": _rle,
        _SYNTAX + "4.50": _classic,
        _SYNTAX + "4.51": _classic,
        _SYNTAX + "4.53": _classic,
        _SYNTAX + "4.55": _classic,
        _SYNTAX + "4.57": _classic,
        _SYNTAX + "4.70": _classic,
        _SYNTAX + "4.80": _jpegls,
        _SYNTAX + "4.81": _jpegls,
        _SYNTAX + "4.90": _jpeg2000,
        _SYNTAX + "4.91": _jpeg2000,
        _SYNTAX + "4.201": _jpeg2000,
        _SYNTAX + "4.202": _jpeg2000,
        _SYNTAX + "4.203": _jpeg2000,
    }
)
"""Transfer Syntax UID -> (codestream, (rows, columns), bits allocated) -> (row, column) stored values."""

LOSSY = frozenset(_SYNTAX + end for end in ("4.50", "4.51", "4.53", "4.55"))
"""Transfer syntaxes that always lose something; for those that may, the header says so."""


def decode(data: bytes, syntax: str, shape: tuple[int, int], bits_allocated: int) -> Pixels:
    """Decode one monochrome frame.

    Parameters
    ----------
    data
        The codestream.
    syntax
        A key of :data:`DECODERS`.
    shape
        (rows, columns) that the header states.
    bits_allocated
        Bits of a pixel cell that the header states.

    Returns
    -------
    (row, column) integers of 8 or 16 bits.

    Raises
    ------
    TruncatedError, UndecodableError
    """
    try:
        pixels = DECODERS[syntax](data, shape, bits_allocated)
    except (RuntimeError, ValueError, TypeError, struct.error) as error:  # imagecodecs' errors are RuntimeErrors
        raise UndecodableError("The decoder found the codestream damaged.") from error
    if pixels.shape != shape or pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        raise UndecodableError("The decoder did not find the pixels that the header states.")
    return pixels

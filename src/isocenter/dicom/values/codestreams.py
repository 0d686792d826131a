"""Codestreams: what a JPEG, JPEG-LS or JPEG 2000 codestream states of itself before any of it is decoded.

Sizes are compared with the header first, so that a lying codestream can neither misplace pixels nor claim memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Literal

from isocenter.dicom.file.encapsulation import TruncatedError, UndecodableError

Bytes = bytes | memoryview
Kind = Literal["JPEG", "JPEG lossless", "JPEG-LS", "JPEG 2000"]

_END = b"\xff\xd9"
_MOST_SCANS = 500
_MOST_PACKETS = 1 << 20
_TAIL_BYTES = 64

_SCAN, _TILE_PART = 0xDA, 0x90
_TILE_PART_HEAD_BYTES = 12
_FRAME_HEADERS: dict[int, Kind] = {
    0xC0: "JPEG",
    0xC1: "JPEG",
    0xC2: "JPEG",
    0xC3: "JPEG lossless",
    0xF7: "JPEG-LS",
}
_LEAST_BITS: dict[Kind, float] = {"JPEG": 1 / 64, "JPEG lossless": 1, "JPEG-LS": 0}
"""For each pixel: a code of one bit for each of them, or for each block of them, is the shortest."""
_FIRST_MARKER = 0xC0
_OTHER_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} - set(_FRAME_HEADERS)


@dataclass(frozen=True, slots=True)
class Codestream:
    """What a codestream states.

    Parameters
    ----------
    kind
        The process by which it was compressed.
    rows, columns, samples
        Size of the picture and number of its components, none of them subsampled but in a JPEG.
    precision
        Bits of a sample.
    is_signed
        Whether samples are signed; only JPEG 2000 knows that.
    is_lossy
        Whether the process loses something; a JPEG 2000 codestream that is cut short loses something as well, unseen.
    colour
        ``"YBR"`` or ``"RGB"`` where it states in which the components are, else empty. What a decoder of JPEG 2000
        yields is meant, which undoes the transform of components.
    """

    kind: Kind
    rows: int
    columns: int
    samples: int
    precision: int
    is_signed: bool = False
    is_lossy: bool = False
    colour: str = ""


def read_codestream(data: Bytes) -> Codestream:
    """What a codestream states.

    Parameters
    ----------
    data
        From its first byte.

    Raises
    ------
    TruncatedError
        If its end is missing.
    UndecodableError
        If it is of no known kind, or states what no picture of its size needs.
    """
    view = memoryview(data)
    if data[:2] == b"\xff\xd8":
        stated = _jpeg(view)
    elif data[:4] == b"\xff\x4f\xff\x51":
        stated = _jpeg2000(view)
    else:
        raise UndecodableError("The frame does not begin as a codestream of its transfer syntax does.")
    if _END not in bytes(view[-_TAIL_BYTES:]) and not bytes(view).rstrip(b"\0").endswith(_END):
        raise TruncatedError("The codestream has no end.")
    return stated


# --- JPEG and JPEG-LS (ITU-T T.81 B.2, T.87 C.2) ---------------------------------------------------------------------


def _jpeg(view: memoryview) -> Codestream:
    """Of the frame header, of the markers that tell the colour, and of the first scan."""
    kind: Kind | None = None
    frame, scan, marks = b"", b"", set()
    for marker, segment, _ in segments(view, _SCAN):
        if marker in _OTHER_FRAME_HEADERS or marker < _FIRST_MARKER:
            raise UndecodableError("The JPEG codestream is of a process that is not read.")
        if marker in _FRAME_HEADERS:
            kind, frame = _FRAME_HEADERS[marker], segment
        elif marker == 0xE0 and segment[:4] == b"JFIF":
            marks.add("JFIF")
        elif marker == 0xEE and segment[:5] == b"Adobe" and len(segment) >= 12:
            marks.add(f"Adobe {segment[11]}")
        elif marker == _SCAN:
            scan = segment
    if kind is None or len(frame) < 9 or len(frame) < 6 + 3 * frame[5] or len(scan) < 3:
        raise UndecodableError("The JPEG codestream has no whole header.")
    if kind == "JPEG" and bytes(view).count(b"\xff\xda") > _MOST_SCANS:
        raise UndecodableError("The JPEG codestream has more scans than any picture needs.")
    precision, rows, columns, samples = struct.unpack_from(">BHHB", frame)
    if 8 * len(view) < rows * columns * _LEAST_BITS[kind]:
        raise TruncatedError("The codestream is shorter than any of a picture of its size.")
    return Codestream(
        kind=kind,
        rows=rows,
        columns=columns,
        samples=samples,
        precision=precision,
        is_lossy=kind == "JPEG" or (kind == "JPEG-LS" and scan[-3] > 0),
        colour=_jpeg_colour(frame, marks) if kind == "JPEG" and samples == 3 else "",
    )


def segments(view: memoryview, last: int) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and end of each segment of a codestream, up to the marker that ends its header."""
    position, marker = 2, 0
    while position + 4 <= len(view) and marker != last:
        if view[position] != 0xFF:
            return
        marker = view[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        length = int.from_bytes(view[position + 2 : position + 4], "big")
        position += 2 + length
        yield marker, bytes(view[position + 2 - length : position]), position


def _jpeg_colour(frame: bytes, marks: Set[str]) -> str:
    """In which colours the components are: told by their sampling, else by Adobe's or JFIF's marker, else by names."""
    names, sampling = frame[6::3][:3], frame[7::3][:3]
    if sampling[0] != sampling[1] or "Adobe 1" in marks:  # nobody samples green and blue less than red
        return "YBR"
    if "Adobe 0" in marks or names == b"RGB":
        return "RGB"
    return "YBR" if "JFIF" in marks else ""


# --- JPEG 2000 (ITU-T T.800 A.5, A.6) --------------------------------------------------------------------------------


def _jpeg2000(view: memoryview) -> Codestream:
    """Of the segments SIZ and COD of the main header."""
    found = {marker: content for marker, content, _ in segments(view, _TILE_PART)}
    size, coding = found.get(0x51, b""), found.get(0x52, b"")
    if len(size) < 36 or len(coding) < 10:
        raise UndecodableError("The JPEG 2000 codestream has no whole header.")
    width, height, left, top, tile_width, tile_height = struct.unpack_from(">6I", size, 2)
    samples = struct.unpack_from(">H", size, 34)[0]
    depths, steps = set(size[36::3]), set(size[37::3]) | set(size[38::3])
    if len(size) != 36 + 3 * samples or len(depths) != 1 or steps != {1}:
        raise UndecodableError("The components of the JPEG 2000 codestream differ in size or precision.")
    rows, columns, depth = height - top, width - left, depths.pop()
    tiles = -(-height // max(tile_height, 1)) * -(-width // max(tile_width, 1))
    _check_tile_parts(view)
    if tiles > 1 + rows * columns // 1024 or _packets(coding, rows, columns) * samples > _MOST_PACKETS:
        raise UndecodableError("The JPEG 2000 codestream has more parts than any picture of its size needs.")
    return Codestream(
        kind="JPEG 2000",
        rows=rows,
        columns=columns,
        samples=samples,
        precision=(depth & 0x7F) + 1,
        is_signed=depth > 0x7F,
        is_lossy=coding[9] == 0,
        colour="RGB" if coding[4] and samples == 3 else "",
    )


def _check_tile_parts(view: memoryview) -> None:
    """Whether the tile-parts are as long as they state: decoders make what they can of data that end early.

    Raises
    ------
    TruncatedError
        If one ends elsewhere than the next begins, or the codestream ends.
    """
    position = 2
    while position + 4 <= len(view) and view[position + 1] != _TILE_PART:
        position += 2 + int.from_bytes(view[position + 2 : position + 4], "big")
    while view[position : position + 2] == bytes((0xFF, _TILE_PART)):
        length = int.from_bytes(view[position + 6 : position + 10], "big")
        if length == 0:  # the last one: up to the end of the codestream
            return
        position += max(length, _TILE_PART_HEAD_BYTES)
    if view[position : position + 2] != _END:
        raise TruncatedError("The JPEG 2000 codestream is shorter or longer than its parts say.")


def _packets(coding: bytes, rows: int, columns: int) -> int:
    """Number of packets of a component, were it one tile: of every quality layer and precinct of each resolution."""
    layers, levels = int.from_bytes(coding[2:4], "big"), coding[5]
    sizes = coding[10:] if coding[0] & 1 else b"\xff" * (levels + 1)
    precincts = 0
    for level, size in enumerate(sizes):
        shrink = max(levels - level, 0)
        precincts += ((rows >> shrink + (size >> 4)) + 1) * ((columns >> shrink + (size & 15)) + 1)
    return layers * precincts

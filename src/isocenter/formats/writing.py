"""Byte strings into a file, whole or not at all; and gzip and zlib by several threads, always the same bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from isocenter.disk import replacing

Bytes = bytes | memoryview

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # deflate, no name, no time, fastest, unknown system
_ZLIB_HEADER = b"\x78\x01"
_LAST_BLOCK = b"\x03\x00"  # empty
_CHUNK = 1 << 21


def write(path: Path, parts: Iterable[Bytes]) -> None:
    """Write byte strings one after another into a file."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)


def gzipped(parts: Iterable[Bytes]) -> Iterator[bytes]:
    """One gzip member of the parts together (RFC 1952); no time and no name stand in it."""
    check, length = 0, 0
    yield _GZIP_HEADER
    for chunk, deflated in _deflated(parts):
        check, length = zlib.crc32(chunk, check), length + len(chunk)
        yield deflated
    yield _LAST_BLOCK + struct.pack("<II", check, length & 0xFFFFFFFF)


def zlibbed(parts: Iterable[Bytes]) -> Iterator[bytes]:
    """One zlib stream of the parts together (RFC 1950)."""
    check = 1
    yield _ZLIB_HEADER
    for chunk, deflated in _deflated(parts):
        check = zlib.adler32(chunk, check)
        yield deflated
    yield _LAST_BLOCK + struct.pack(">I", check)


def _deflated(parts: Iterable[Bytes]) -> Iterator[tuple[memoryview, bytes]]:
    """Chunks of the parts, each deflated to blocks that end on a byte, so that they can be joined."""
    from isocenter.kernels import threads  # brings numba with it

    chunks = [chunk for part in parts for chunk in _chunks(memoryview(part))]
    with ThreadPoolExecutor(threads()) as pool:
        yield from zip(chunks, pool.map(_blocks, chunks), strict=True)


def _chunks(part: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(part), _CHUNK):
        yield part[start : start + _CHUNK]


def _blocks(chunk: memoryview) -> bytes:
    engine = zlib.compressobj(1, zlib.DEFLATED, -15)
    return engine.compress(chunk) + engine.flush(zlib.Z_SYNC_FLUSH)

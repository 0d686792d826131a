"""Byte strings into a file, whole or not at all; and gzip by several threads, always the same bytes."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from isocenter.disk import replacing

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # deflate, no name, no time, fastest, unknown system
_CHUNK = 1 << 21


def write(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write byte strings one after another into a file."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)


def gzipped(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """One gzip member of the parts together, deflated at the fastest level in chunks side by side (RFC 1952).

    No time and no name stand in it. A chunk's deflate blocks end on a byte, so that they can be joined.
    """
    yield _GZIP_HEADER
    check, length = 0, 0
    chunks = [chunk for part in parts for chunk in _chunks(memoryview(part))]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for chunk, deflated in zip(chunks, pool.map(_deflated, chunks), strict=True):
            check, length = zlib.crc32(chunk, check), length + len(chunk)
            yield deflated
    yield b"\x03\x00" + struct.pack("<II", check, length & 0xFFFFFFFF)  # an empty last block, then the trailer


def _chunks(part: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(part), _CHUNK):
        yield part[start : start + _CHUNK]


def _deflated(chunk: memoryview) -> bytes:
    engine = zlib.compressobj(1, zlib.DEFLATED, -15)
    return engine.compress(chunk) + engine.flush(zlib.Z_SYNC_FLUSH)
